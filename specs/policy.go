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

// CallLimit bounds the calls of clients. It has at least one of rate,
// concurrency and the budgets.
type CallLimit struct {
	Name        string
	Tools       []Text // patterns; nil: everything
	Key, Cost   *Expr  // over args, caller and tool
	Rate        *Text  // as "5/s"
	Burst       int    // 0: not written
	BytesIn     *Text  // budget of arguments, as "10MB/h"
	BytesOut    *Text  // budget of results, the same way
	Concurrency int    // 0: any number
	Queue       *Text  // Go duration
	Store       *Text  // name of the store that keeps it; nil: this process
	OnError     *Text  // "local", "deny" or "allow"
	Range       diag.Range
}

// Store is a Redis server, or one that is compatible, for what several servers
// share.
type Store struct {
	Name               string
	URL                *Expr // redis://HOST:PORT/NUMBER, rediss:// with TLS
	Username, Password *Expr // nil: those of URL, or none
	TLS                *ClientTLS
	Timeout            *Text // of one command, Go duration
	Prefix             *Text // of all keys
	Range              diag.Range
}
