// Package imported is what the importers of foreign descriptions have in common:
// the model of the HCL that shall be written ([Spec]), and how recorded requests
// become tools ([Builder], [Sample]). The readers are packages of their own
// (specs/curl, specs/har, specs/postman, specs/wsdl); hclspec prints the model.
//
// What is read comes from strangers and often holds secrets: recorded tokens,
// passwords of test accounts. Three things keep them out of everything that is
// written or shown: a reader that meets one asks the Builder for a sensitive
// variable instead, [Builder.Done] searches the result for all values met, and
// diagnostics show a source in which the values are blotted out.
package imported

import "github.com/mcpc-dev/mcpc/specs"

// Spec is an HCL spec to be written.
type Spec struct {
	Name         string // of the server
	Title        string
	Version      string
	Instructions string
	Origin       string // what it was made of, for the comment on top
	Variables    []*Variable
	APIs         []*API
	Tools        []*Tool
}

// Variable is a variable block.
type Variable struct {
	Name        string
	Description string
	Default     *specs.Node // nil: none
	Sensitive   bool
	Env         string // "" for none
}

// API is an api block.
type API struct {
	Name    string
	OpenAPI string      // location of a document all of whose operations are exposed
	BaseURL *specs.Expr // text; may use variables
	Auth    *Auth
	Headers []Entry
}

// Auth is the credential of an API.
type Auth struct {
	Kind     string // bearer, basic or api_key
	In       string // of an api_key: header, query or cookie
	Param    string // its name
	Username *specs.Expr
	Value    *specs.Expr
}

// Tool is a tool block with a request.
type Tool struct {
	Name        string
	Title       string
	Description string
	API         *API
	Inputs      []*Input
	Request     Request
	Response    *Response
}

// Input is an argument. It is required unless it has a default or is optional.
type Input struct {
	Name        string
	Description string
	Schema      *specs.Node // JSON Schema 2020-12, without references
	File        bool        // a file instead: bytes the caller gives
	Optional    bool
	Default     *specs.Node
	Examples    []*specs.Node
}

// Request is a request block. At most one of the bodies is set.
type Request struct {
	Method      string
	Path        string // "{name}" takes an argument
	Query       []Entry
	Headers     []Entry
	Cookies     []Entry
	ContentType string // when the body's own is not it

	JSON      *specs.Expr
	Form      []Entry
	Multipart []Entry
	XML       *specs.Expr // text with markup
	Text      *specs.Expr
	Bytes     *specs.Expr
	SOAP      *SOAP
}

// SOAP is the body of a SOAP request.
type SOAP struct {
	Version string // 1.1 or 1.2
	Action  string
	Body    []*Element
	Header  []*Element
}

// Element is an XML element of a SOAP body.
type Element struct {
	Name     string // with the prefix
	Attrs    []Entry
	Optional []Attr
	Text     *specs.Expr
	Children []*Element
	// If is a value without which the element is left out. Nil: it is always sent.
	If *specs.Expr
	// Each is a list whose elements are sent one by one; As is the name an
	// element has inside.
	Each *specs.Expr
	As   string
}

// Attr is an attribute that is left out without the value If, when that is set.
type Attr struct {
	Name  string
	Value *specs.Expr
	If    *specs.Expr
}

// Response is a response block.
type Response struct {
	Kind  string // xml
	Root  string
	Lists []string
	Types []Entry // name → integer, number, boolean
}

// Entry is a member of an object in its order.
type Entry struct {
	Name  string
	Value *specs.Expr
}

// Text is a constant text.
func Text(s string) *specs.Expr { return Const(specs.NewString(s)) }

// Const is a constant.
func Const(n *specs.Node) *specs.Expr { return &specs.Expr{Op: specs.ExprConst, Value: n} }

// Arg is the argument of a name.
func Arg(name string) *specs.Expr { return &specs.Expr{Op: specs.ExprArg, Name: name} }

// Var is the variable of a name.
func Var(name string) *specs.Expr { return Get(&specs.Expr{Op: specs.ExprVar, Name: "var"}, name) }

// Get is a member of a value.
func Get(of *specs.Expr, name string) *specs.Expr {
	return &specs.Expr{Op: specs.ExprGet, Name: name, Args: []*specs.Expr{of}}
}

// Call is a call of a function.
func Call(name string, args ...*specs.Expr) *specs.Expr {
	return &specs.Expr{Op: specs.ExprCall, Name: name, Args: args}
}

// List is a list of values.
func List(items ...*specs.Expr) *specs.Expr { return &specs.Expr{Op: specs.ExprList, Args: items} }

// Object is an object of values.
func Object(entries []Entry) *specs.Expr {
	x := &specs.Expr{Op: specs.ExprObject}
	for _, e := range entries {
		x.Args = append(x.Args, Text(e.Name), e.Value)
	}
	return x
}

// Join is the text of parts one after the other.
func Join(parts ...*specs.Expr) *specs.Expr {
	var out []*specs.Expr
	for _, p := range parts {
		if p.Op == specs.ExprTemplate {
			p = Join(p.Args...)
		}
		if n := len(out); isText(p) && n > 0 && isText(out[n-1]) {
			out[n-1] = Text(out[n-1].Value.Text + p.Value.Text)
			continue
		}
		if isText(p) && p.Value.Text == "" {
			continue
		}
		if p.Op == specs.ExprTemplate {
			out = append(out, p.Args...)
			continue
		}
		out = append(out, p)
	}
	switch {
	case len(out) == 0:
		return Text("")
	case len(out) == 1:
		return out[0]
	}
	return &specs.Expr{Op: specs.ExprTemplate, Args: out}
}

func isText(x *specs.Expr) bool { return x.Op == specs.ExprConst && x.Value.Kind == specs.String }

// ConstText is the text of a constant, or "" and false.
func ConstText(x *specs.Expr) (string, bool) {
	if x == nil || !isText(x) {
		return "", false
	}
	return x.Value.Text, true
}
