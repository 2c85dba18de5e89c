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
