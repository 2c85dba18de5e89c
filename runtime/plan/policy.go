package plan

import "time"

// Policy says which callers may do what. What no rule allows is denied, and a
// rule that denies wins over all that allow.
type Policy struct{ Rules []PolicyRule }

// PolicyRule holds for a call when the target is one of its own, the caller has
// all of Scopes, and When is true.
type PolicyRule struct {
	Name string
	Deny bool
	// Tools, Resources and Prompts are patterns of names, in which * is any text;
	// the name of a resource is its URI or template.
	// When all three are nil the rule is about everything.
	Tools, Resources, Prompts []string
	Scopes                    []string
	When                      *Expr // over args, and the values caller and tool; nil: true
}

// CallLimit bounds the calls that clients make. Those that a composite tool or
// native code makes are part of the client's one.
type CallLimit struct {
	Name  string
	Tools []string      // patterns of names; nil: all tools, resources and prompts
	Key   *Expr         // calls of the same value share one limit; nil: all calls do
	Every time.Duration // a unit of cost is gained, up to Burst; 0: there is no rate
	Burst int
	Cost  *Expr // of a call, in units; nil: 1

	Concurrency int           // calls that run at once; 0: any number
	Queue       time.Duration // that a call may wait for its turn; 0: it is refused at once
}
