package plan

// Step is one call of a tool that is made of calls of others, or with ForEach
// one for every element. Steps run one after another; their expressions know
// args, the outputs of the steps before them as members of step, and with
// ForEach the element as each.
type Step struct {
	Name    string
	Tool    string // the one that is called
	Args    []StepArg
	ForEach *Expr // a list, an object, or null for no element; nil: one call
	When    *Expr // false: no call; nil: always
	// Parallel is how many elements are worked on at a time. Max is how many
	// there may be; with more the call fails before the first. Both are from 1.
	Parallel int
	Max      int
	OnError  OnError
	JQ       string // a jq program over the output of each call; "" none
}

// StepArg is an argument of the called tool. A null value is not given.
type StepArg struct {
	Name  string
	Value Expr
}

// OnError is what a failed call of a step means.
type OnError string

// What a failed call of a [Step] means.
const (
	OnErrorFail OnError = "fail" // the whole call fails
	OnErrorSkip OnError = "skip" // the element is left out
	OnErrorNull OnError = "null" // null stands in its place
)
