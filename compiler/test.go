package compiler

import (
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// tests checks what test blocks call. A test that expects an error may call with
// arguments that the tool refuses.
func (c *compilation) tests(server *plan.Server, whole map[string]roots) {
	for _, t := range c.doc.Tests {
		if t.Call == nil {
			continue
		}
		if !slices.ContainsFunc(server.Tools, func(p plan.Tool) bool { return p.Name == t.Call.Name }) {
			c.diags.Add(c.unknownTool(t.Call, server))
			continue
		}
		if t.Error != nil {
			continue
		}
		given := map[string]*specs.Node{}
		places := map[string]diag.Range{}
		if t.Args != nil {
			for _, f := range t.Args.Fields {
				given[f.Key] = f.Value
				places[f.Key] = f.KeyRange()
			}
		}
		c.checkArguments(t.Call, whole[t.Call.Name].in, given, func(name string) diag.Range {
			if at := places[name]; !at.IsZero() {
				return at
			}
			return t.ArgsAt
		})
	}
}
