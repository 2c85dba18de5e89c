package specs

import (
	"time"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// ExprOp is what an [Expr] does.
type ExprOp uint8

// Operations of expressions. Operators of the language are calls with the
// operator as name: "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%",
// "&&", "||", "!", and "neg" for unary minus.
const (
	ExprConst    ExprOp = iota // Value
	ExprArg                    // argument Name; null when not given
	ExprGet                    // member Name of Args[0]; null when absent
	ExprIndex                  // Args[0][Args[1]]
	ExprTemplate               // the Args as text, joined; null is an error, as in HCL
	ExprCall                   // function or operator Name over Args
	ExprCond                   // Args[0] ? Args[1] : Args[2]
	ExprObject                 // Args: key, value, key, value …
	ExprList                   // Args
	ExprSecret                 // Secret, known only at run time
	ExprVar                    // the value Name of the phase: response, step, each, request, requests, result, operation

	ExprFor       // a list of Args[2] for every element of Args[0] where Args[1] holds
	ExprForObject // an object of Args[2] under the key Args[3], the same way; a key twice is an error
	ExprForGroups // the same, with a list of the values of a key
)

// Loops reports whether all but the first of the Args are evaluated for every
// element of that one: of a list, or of an object by its sorted keys; null has
// none. Name is what they call the element, "value", or "key,value"; they refer
// to it with ExprVar.
func (o ExprOp) Loops() bool { return o >= ExprFor }

// Expr is an expression that is evaluated for every call, in one of its phases.
// What could be evaluated at load already is a constant.
type Expr struct {
	Op     ExprOp
	Value  *Node
	Name   string
	Args   []*Expr
	Secret *Secret
	Range  diag.Range
}

// Secret refers to a secret without holding it.
type Secret struct {
	Name string   // of the variable or scheme, for messages
	Env  []string // environment variables to look in, in order
	File string   // file to read; trailing line end is cut
	// Exec is a program and its arguments, whose output is the secret.
	Exec    []string
	Timeout time.Duration
	// Vault is the path of a secret in Vault's HTTP API, VaultField what counts of it.
	Vault, VaultField string
	TTL               time.Duration // how long what Exec or Vault gave is used
}
