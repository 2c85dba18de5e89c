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
	// BytesIn is the budget of arguments, BytesOut that of results; nil: none.
	BytesIn, BytesOut *ByteBudget

	Concurrency int           // calls that run at once; 0: any number
	Queue       time.Duration // that a call may wait for its turn; 0: it is refused at once
	Store       string        // name of the [Store] that keeps it; "": the process
	OnError     string        // what holds while the store cannot be asked: "local", "deny" or "allow"; "" without a store
}

// OfClient tells whether it is about where calls come from: the variable client.
func (l *CallLimit) OfClient() bool { return l.Key.Reads("client") || l.Cost.Reads("client") }

// ByteBudget is what may be moved: Bytes at once, and as many again in each Per.
type ByteBudget struct {
	Bytes int64
	Per   time.Duration
}

// Store is a Redis server, or one that is compatible, for what several servers
// share.
type Store struct {
	Name     string
	URL      Expr  // redis://[USER[:PASSWORD]@]HOST[:PORT][/NUMBER]; rediss:// with TLS. May be a secret
	Username *Expr // nil: the one of URL, or none
	Password *Expr // nil: the one of URL, or none
	TLS      *ClientTLS
	Timeout  time.Duration // of one command
	Prefix   string        // of all keys
}

// Exprs are the expressions of a store.
func (s *Store) Exprs() []*Expr {
	list := []*Expr{&s.URL}
	for _, x := range []*Expr{s.Username, s.Password} {
		if x != nil {
			list = append(list, x)
		}
	}
	return list
}
