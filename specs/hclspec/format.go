package hclspec

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Format returns a spec in the canonical layout of HCL: two spaces a level, the
// equals signs of neighbouring attributes below each other, one line end at the
// end. Only white space changes. A text with syntax errors is not formatted; the
// diagnostics say where they are.
func Format(s *diag.Source) ([]byte, diag.List) {
	p := &parser{lost: map[string]bool{}}
	p.parseNative(s)
	if p.diags.HasErrors() {
		p.diags.Sort()
		return nil, p.diags
	}
	text := bytes.ReplaceAll(s.Text, []byte("\r\n"), []byte("\n"))
	text = hclwrite.Format(text)
	text = bytes.TrimRight(text, " \t\n")
	if len(text) > 0 {
		text = append(text, '\n')
	}
	return text, nil
}
