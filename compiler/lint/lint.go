// Package lint finds what is correct but serves a model badly: tools that cannot
// be told apart, texts that say too little or cost too much, effects nobody
// agreed to, and texts of foreign documents that talk to the model.
package lint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Limits bound what a server asks of a model. Zero values are the defaults.
type Limits struct {
	Tools  int // more tools than that are too many; 40
	Tokens int // of the whole list of tools, bytes/4; 20,000
}

// Rule is one thing that lint looks for.
type Rule struct {
	Code    string
	Meaning string // completes "a finding means: …"
}

// Rules lists all rules, in the order of the documentation.
func Rules() []Rule {
	return []Rule{
		{"too-many-tools", "more tools than a model chooses well among"},
		{"token-cost", "a list of tools that fills a model's context"},
		{"large-tool", "one tool that costs more than 2,000 tokens"},
		{"long-name", "a name of more than 40 characters"},
		{"similar-names", "two names that are easily taken for each other"},
		{"no-description", "a tool that nothing says what it does"},
		{"short-description", "a description that says no more than the name"},
		{"long-description", "a description of 1,000 characters and more"},
		{"undescribed-inputs", "inputs whose name is all a model knows"},
		{"unguarded-destructive", "a destructive tool that a pattern selected, not a person"},
		{"hidden-effect", "a name that speaks of deleting, and hints that do not"},
		{"instructions", "a text of a foreign document that tells the model what to do"},
		{"invisible-text", "characters or comments that people do not see and models read"},
		{"raw-xml", "a value that is sent as XML and not escaped"},
		{"cleartext-credential", "a credential sent over http:// to another machine"},
	}
}

// Check returns what is to be said of a server, sorted by place. doc is what the
// plan was compiled from. Tools that are not listed no model sees, so there is
// nothing to say of their texts. All findings are warnings.
func Check(doc *specs.Document, p *plan.Server, l Limits) diag.List {
	if slices.ContainsFunc(p.Tools, func(t plan.Tool) bool { return t.Internal }) {
		listed := *p
		listed.Tools = slices.DeleteFunc(slices.Clone(p.Tools), func(t plan.Tool) bool { return t.Internal })
		p = &listed
	}
	c := &checker{doc: doc, plan: p, limits: l, operations: map[[2]string]*specs.Operation{}, tools: map[string]*specs.Tool{}}
	for _, api := range doc.APIs {
		for _, op := range api.Operations {
			c.operations[[2]string{api.Name, op.ID}] = op
		}
	}
	for _, t := range doc.Tools {
		c.tools[t.Name] = t
	}
	c.whole()
	c.names()
	for i := range p.Tools {
		c.tool(&p.Tools[i])
	}
	c.raw()
	c.credentials()
	c.found.Sort()
	return c.found
}

type checker struct {
	doc        *specs.Document
	plan       *plan.Server
	limits     Limits
	operations map[[2]string]*specs.Operation // by API and id
	tools      map[string]*specs.Tool         // written in HCL, by name
	found      diag.List
}

func (c *checker) say(code string, at diag.Range, message, hint string) {
	c.found.Add(diag.Diagnostic{Severity: diag.Warning, Code: code, Message: message, Hint: hint, Range: at})
}

// place is where a tool is written: its block, or its operation.
func (c *checker) place(t *plan.Tool) diag.Range {
	if w := c.tools[t.Name]; w != nil {
		return w.Range
	}
	if op := c.operation(t); op != nil {
		return op.Range
	}
	return diag.Range{}
}

// operation is what a tool was derived from, or nil.
func (c *checker) operation(t *plan.Tool) *specs.Operation {
	return c.operations[[2]string{t.Origin.API, t.Origin.Operation}]
}

// cost is what a tool takes in a list, in tokens of about four bytes.
func cost(t *plan.Tool) int {
	const frame = 150 // the names of members, and the hints
	return (len(t.Name) + len(t.Title) + len(t.Description) + len(t.Input) + len(t.Output) + frame + 3) / 4
}

// costliest are the most expensive tools, dearest first.
func costliest(p *plan.Server, n int) []*plan.Tool {
	var list []*plan.Tool
	for i := range p.Tools {
		list = append(list, &p.Tools[i])
	}
	slices.SortStableFunc(list, func(a, b *plan.Tool) int { return cmp.Compare(cost(b), cost(a)) })
	return list[:min(n, len(list))]
}

// words are the lower-case words of a text.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r < 0x80
	})
}
