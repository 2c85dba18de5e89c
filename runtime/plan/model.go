package plan

// Model is what a generator of typed code knows beside a [Server]: the schemas
// of its tools whole, where a tool's own are cut to a budget, and with the names
// the document gave them. Nothing executes it, and no server holds it.
type Model struct {
	// Defs are the named schemas in reach of the tools, each once for every
	// direction, in the order of API, name and direction.
	Defs []Def
	// Names are all names of schemas of each API, in reach or not, so that what
	// is called after a schema keeps its name when a tool is added.
	Names []string
	// Tools are as Server.Tools, one for one.
	Tools []ToolModel
}

// Def is a named schema. It is referred to as "#/$defs/" and its Key.
type Def struct {
	Key    string // unique in the model
	API    string
	Name   string // in the document
	Output bool   // as part of an answer; else as part of an argument
	Schema Schema
}

// ToolModel is one tool's schemas. Their roots are as the tool's own.
type ToolModel struct {
	Input  Schema
	Output Schema // "" when the tool declares none
}
