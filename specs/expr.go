package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

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
)

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
}
