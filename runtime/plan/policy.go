package plan

import (
	"slices"
	"strings"
	"time"
)

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

// All reports whether the rule is about everything.
func (r *PolicyRule) All() bool { return r.Tools == nil && r.Resources == nil && r.Prompts == nil }

// Matches reports whether a name fits one of the patterns of a rule or a limit, in
// which * is any text.
func Matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return fits(p, name) })
}

func fits(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
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
