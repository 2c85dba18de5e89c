package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// Test is a test block: a call of a tool, what the service answers, and what
// must hold then. Nothing of it is in a plan.
type Test struct {
	Name      string
	Call      *ToolRef // nil: it was wrong
	Args      *Node    // an object; nil: none
	ArgsAt    diag.Range
	Replies   []*Reply
	Recording *Text // path of a recording, as resolved; instead of Replies
	Expect    []*Expectation
	Error     *ExpectedError // nil: the result must be none
	Range     diag.Range
}

// Reply is one answer of the service in a [Test].
type Reply struct {
	Method, Path string // which request it is for; "" for any
	Status       int
	Headers      *Node // an object of text; nil: none
	Body         *Node // text, or a value that is written as JSON; nil: none
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
