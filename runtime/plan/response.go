package plan

// Response says how an answer becomes a tool result. What a body is, its
// Content-Type says; Kind only forces it. The steps, in order: decode, look for
// errors, select and shape, render.
type Response struct {
	Kind    string // "" by Content-Type; "json", "xml", "csv", "form", "html", "text", "bytes" … forces
	Charset string // of the body, by a name of WHATWG or IANA; wins over what the answer says
	Wrap    bool   // the result is {"result": value}, because the value is not an object
	Shape   *Shape // for XML answers: names, arrays and types, from a schema
	XML     *XMLReading
	CSV     *CSVReading
	Types   []NameType // texts of XML, CSV and forms that are numbers or booleans, by element, column or field
	HTML    string     // tag, #id or .class of the part that counts; "" finds the main part

	Errors []ErrorRule // answers of status 2xx that are errors all the same; the first that fits
	Advice []Advice    // what to tell the model of error statuses; the first that fits

	Select   *Selection
	JQ       string // a jq program over what was selected; "" none
	As       string // how the text is written: "" or "json", "table", "markdown"
	Empty    string // the text of a result that is null, an empty list, object or text; "" none
	MaxItems int    // most elements of the selected list; 0 is no limit
	MaxText  int64  // bytes of text for the model, cut where an element ends; 0 is no limit
}

// XMLReading says how XML without a schema becomes JSON. Names are those of
// elements, without a prefix unless Namespaces are given; "@name" is an
// attribute.
type XMLReading struct {
	SOAP       bool     // the document is a SOAP envelope: its body counts, a fault is an error
	Lists      []string // elements that are lists even when there is one
	Namespaces []Namespace
}

// CSVReading says how CSV becomes a list.
type CSVReading struct {
	Delimiter string   // one character; "" is found out from the first line
	Quote     string   // one character; "" is a double quote
	NoQuote   bool     // no character quotes
	NoHeader  bool     // the first row holds values
	Columns   []string // names of the columns, instead of the first row's
}

// NameType is the JSON type of a named text: "integer", "number", "boolean" or
// "string".
type NameType struct {
	Name string
	Type string
}

// Namespace binds a prefix that names in a plan use to an XML namespace.
type Namespace struct {
	Prefix string
	URI    string
}

// Selection is the part of a decoded answer that is kept.
type Selection struct {
	Root   []string   // members that lead to the value; the rest of the answer is dropped
	List   bool       // what Root leads to is a list: nothing is an empty one, one value a list of it
	Rename []NamePair // keys of objects, at any depth
	Fields []Path     // what is kept, after Rename; nil: everything
	Drop   []Path     // what is not, after Rename
}

// NamePair renames From to To.
type NamePair struct {
	From, To string
}

// Path leads to members of a value. It passes through lists without a step of
// its own: LINE[].SKU and LINE.SKU are the same. It is no type of its own, so
// that generated code can print it as what it is.
type Path = []PathStep

// PathStep is one step of a [Path]: a member of a name, or of any name that Glob
// matches (* is any text); Deep looks at every depth from there.
type PathStep struct {
	Name string
	Glob bool
	Deep bool
}

// ErrorRule recognises an answer that is an error although its status is not.
// All of its conditions hold.
type ErrorRule struct {
	Status    []int    // of the answer; nil: any
	Element   []string // members that lead to one that is there; nil: not asked
	Member    []string // members that lead to one that is not null, false, 0 or empty; nil: not asked
	Condition *Expr    // over args and response; an error in it is false; nil: not asked
	Message   *Expr    // text for the model; nil: what the answer says
	Retry     string   // "no", "later" or ""
}

// Advice is what a model is told about an error status.
type Advice struct {
	From, To int // statuses, both included
	Message  *Expr
	Hint     string // what to do next; "" keeps the general one
	Retry    string // "no", "later" or "" by status
}
