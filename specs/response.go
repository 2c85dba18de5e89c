package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// Shaping is what the author says of the answers of a tool: how they are read,
// what is kept of them, and what is told of errors. It is written for an API, for
// tools of a pattern, or for a tool; each attribute that is nil is left to what
// is said further out.
type Shaping struct {
	Kind    *Text // how the body is read; one of json, ndjson, xml, soap, csv, tsv, form, html, text, bytes
	Charset *Text // canonical name of a character encoding

	Lists      []Text      // XML elements that are lists even when there is one
	Namespaces []Pair      // prefixes of names, and the URIs of their namespaces
	Types      []TypedName // texts that are numbers or booleans

	Delimiter *Text // of CSV, one character
	Quote     *Text // of CSV, one character; empty for none
	Header    *Flag
	Columns   []Text

	Main *Text // of HTML: tag, #id or .class

	Root     *Path
	Rename   []Pair
	Fields   []Path
	Drop     []Path
	MaxItems *Count
	JQ       *Text
	As       *Text // table, markdown or json
	Empty    *Text
	MaxSize  *Text // bytes, "64KB"
	Schema   *Node // of the result, in place of the derived one

	Errors []*ErrorRule // in source order; the first that fits counts
	Advice []*Advice
	Range  diag.Range
}

// Count is a whole number with its place.
type Count struct {
	Value int
	Range diag.Range
}

// Pair is a name and what it stands for.
type Pair struct {
	Name, Value Text
}

// TypedName is a name and its JSON type: "string", "integer", "number" or
// "boolean".
type TypedName struct {
	Name Text
	Type string
}

// Path leads to members of a value, as in "labels[].name". It passes through
// lists without a step of its own. List is set when it was written with [] at its
// end: what it leads to is a list even when it is one value.
type Path struct {
	Steps []PathStep
	List  bool
	Range diag.Range
}

// PathStep is one step of a [Path]: a member of a name, or of any name that Glob
// matches, where * is any text; Deep looks at every depth from there.
type PathStep struct {
	Name string
	Glob bool
	Deep bool
}

// ErrorRule recognises an answer that is an error although its status is not. All
// conditions that are written must hold.
type ErrorRule struct {
	XML       *Path // an element that is there
	JSON      *Path // a member that is there and says something
	Condition *Expr // over args and response
	Status    []int // of the answer
	Message   *Expr // text over args and response; nil: what the answer says
	Retry     *Text // "no" or "later"
	Range     diag.Range
}

// Advice is what is told of an error status.
type Advice struct {
	From, To int   // statuses, both included
	Message  *Expr // text over args and response
	Hint     *Text
	Retry    *Text // "no" or "later"
	Range    diag.Range
}
