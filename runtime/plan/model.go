package plan

// Model is what a generator of typed code knows beside a [Server]: the schemas
// of its tools whole, where a tool's own are cut to a budget, and with the names
// the document gave them. Nothing executes it, and no server holds it.
type Model struct {
	// Defs are the named schemas in reach of the tools, each once for every
	// direction, in the order of API, name and direction.
	Defs []Def
	// Names are all named schemas of the APIs, in reach or not, sorted, so that
	// what is called after a schema keeps its name when a tool is added.
	Names []DefName
	// Tools are as Server.Tools, one for one.
	Tools []ToolModel
}

// DefName is the name of a schema in the document of an API.
type DefName struct{ API, Name string }

// Def is a named schema. It is referred to as "#/$defs/" and its Key.
type Def struct {
	DefName
	Key    string // unique in the model
	Output bool   // as part of an answer; else as part of an argument
	Schema Schema
}

// ToolModel is one tool's schemas. Their roots are as the tool's own.
type ToolModel struct {
	Input  Schema
	Output Schema // "" when the tool declares none
}
