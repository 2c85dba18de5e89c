package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// ToolRef is `tool.NAME`: a tool by its name, the author's own or one made of an
// operation. Whether there is one is known when all operations have names.
type ToolRef struct {
	Name  string
	Range diag.Range // of the whole reference
}

// Step is one call that a composite tool makes, or one for each element of a
// collection. Its expressions know args, the outputs of the steps before it,
// and with ForEach the element.
type Step struct {
	Name    string
	Call    *ToolRef // nil: it was wrong
	Args    []NamedExpr
	ForEach *Expr // a list, an object, or null for no element
	When    *Expr // not true: no call, for this element
	// Parallel is how many elements are worked on at a time, Max how many there
	// may be; 0 for what holds by itself.
	Parallel, Max int
	OnError       *Text // "fail", "skip" or "null"
	JQ            *Text // a program over the output, for each element
	Range         diag.Range
}

// Test is a test block: a call of a tool, what the service answers, and what
// must hold then. Nothing of it is in a plan.
type Test struct {
	Name      string
	Call      *ToolRef // nil: it was wrong
	Args      []NamedExpr
	Replies   []*Reply
	Recording *Text // path of a recording, as resolved; instead of Replies
	Expect    []*Expectation
	Error     *ExpectedError // nil: the result must be none
	Range     diag.Range
}

// Reply is one answer of the service in a [Test].
type Reply struct {
	Method, Path string // which request it is for; "" for any
	Status       int    // 0 is 200
	Headers      []NamedExpr
	Body         *Expr // text, or a value that is written as JSON; nil: none
	Range        diag.Range
}

// Expectation is a condition over the outcome of a [Test].
type Expectation struct {
	Condition *Expr
	Message   *Expr // what to say when it does not hold; nil: the condition itself
	Range     diag.Range
}

// ExpectedError says that the result of a [Test] must be an error.
type ExpectedError struct {
	Code  string // which; "" for any
	Range diag.Range
}
