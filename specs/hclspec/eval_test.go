package hclspec

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// evalText evaluates an expression without variables.
func evalText(t *testing.T, text string) (*specs.Node, diag.List) {
	t.Helper()
	p := newTestParser(t)
	name := p.addUnit(unit{source: &diag.Source{Name: "x", Text: []byte(text)}, text: []byte(text)})
	e, problems := hclsyntax.ParseExpression([]byte(text), name, hcl.Pos{Line: 1, Column: 1})
	if problems.HasErrors() {
		t.Fatalf("%s: %s", text, problems)
	}
	v := p.known(p.lower(e, &scope{phase: staticPhase, what: "x"}), "x")
	return v, p.diags
}
