package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// Policy says which callers may do what; what no rule allows is denied.
type Policy struct {
	Rules []*PolicyRule
	Range diag.Range // of the first block
}

// PolicyRule allows or denies calls.
type PolicyRule struct {
	Name                      string
	Deny                      bool
	Tools, Resources, Prompts []Text // patterns; none of the three: everything
	Scopes                    []Text
	When                      *Expr // over args, caller and tool
	Range                     diag.Range
}

// CallLimit bounds the calls of clients. It has a rate, a concurrency or both.
type CallLimit struct {
	Name        string
	Tools       []Text // patterns; nil: everything
	Key, Cost   *Expr  // over args, caller and tool
	Rate        *Text  // as "5/s"
	Burst       int    // 0: not written
	Concurrency int    // 0: any number
	Queue       *Text  // Go duration
	Range       diag.Range
}
