package compiler

import (
	"fmt"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// moved follows the moves of tools to the names they have now.
func (c *compilation) moved(tools []plan.Tool) []plan.Moved {
	var names []string
	exists := map[string]bool{}
	for i := range tools {
		names = append(names, tools[i].Name)
		exists[tools[i].Name] = true
	}
	moves := map[string]*specs.Moved{}
	for _, m := range c.doc.Moved {
		switch first := moves[m.From.Value]; {
		case !isPortable(m.From.Value):
			c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a tool", m.From.Value), Hint: "use up to 64 letters, digits, - and _", Range: m.From.Range})
		case exists[m.From.Value]:
			c.diags.Add(diag.Diagnostic{Code: "moved-exists", Message: fmt.Sprintf("there still is a tool %q", m.From.Value), Hint: "rename that tool, or remove the moved block", Range: m.From.Range})
		case first != nil:
			c.diags.Add(diag.Diagnostic{Code: "moved-twice", Message: fmt.Sprintf("tool %q has moved twice", m.From.Value), Hint: "keep one of the two", Range: m.From.Range,
				Notes: []diag.Note{{Message: "the first one", Range: first.Range}}})
		default:
			moves[m.From.Value] = m
		}
	}
	var out []plan.Moved
	for _, m := range c.doc.Moved {
		if moves[m.From.Value] != m {
			continue
		}
		to, steps := m.To, 0
		for moves[to.Value] != nil && steps <= len(moves) {
			to, steps = moves[to.Value].To, steps+1
		}
		switch {
		case steps > len(moves):
			c.diags.Add(diag.Diagnostic{Code: "cycle", Message: fmt.Sprintf("the moves of tool %q go in a circle", m.From.Value), Hint: "the last one leads to a tool that exists", Range: m.Range})
		case exists[to.Value]:
			out = append(out, plan.Moved{From: m.From.Value, To: to.Value})
		case slices.ContainsFunc(c.doc.Tools, func(t *specs.Tool) bool { return t.Name == to.Value }):
			// It has a mistake of its own.
		default:
			c.diags.Add(diag.Diagnostic{Code: "unknown-tool", Message: fmt.Sprintf("there is no tool %q", to.Value), Hint: didYouMean(to.Value, names, "there are "), Range: to.Range})
		}
	}
	return out
}
