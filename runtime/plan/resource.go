package plan

// Resource is something that clients read by its URI. With variables in the URI
// it is a template of many.
type Resource struct {
	URI         string // RFC 6570, as it is listed
	Parts       []URIPart
	Name        string
	Title       string
	Description string
	MIME        string // "" is said by each answer
	Call        Tool   // that reads it: a tool nobody else can call; its arguments are the variables
}

// IsTemplate tells whether the URI has variables.
func (r *Resource) IsTemplate() bool {
	for i := range r.Parts {
		if r.Parts[i].Var != "" {
			return true
		}
	}
	return false
}

// URIPart is a piece of a URI template: literal text or a variable.
type URIPart struct {
	Literal  string
	Var      string
	Reserved bool // the value may hold slashes
}

// Prompt is a list of messages that a client puts before its user's own.
type Prompt struct {
	Name        string
	Title       string
	Description string
	Arguments   []PromptArgument
	Input       Schema   // of the arguments
	Formats     bool     // as of a [Tool]
	Rules       []Rule   // checked after Input; those of Call where there is one
	Sensitive   []string // names in the arguments, as of a [Tool]; those of Call where there is one
	Scopes      []string // that a caller must have, also those of the resources it may embed
	Call        *Tool    // that is called before the messages are written; nil: none
	Messages    []Message
}

// PromptArgument is an argument of a [Prompt]. Clients send text; it becomes a
// value of the type in Input.
type PromptArgument struct {
	Name        string
	Description string
	Required    bool
}

// Message is one message of a [Prompt].
type Message struct {
	Role     string // "user" or "assistant"
	Text     *Expr  // over the arguments and response; nil for a resource
	Resource *Expr  // the URI of a resource of this server, which is embedded
}
