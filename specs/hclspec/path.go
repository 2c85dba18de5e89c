package hclspec

import (
	"fmt"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxSteps bounds a path; values are nested no deeper.
const maxSteps = 64

// path reads a path of a value: names with dots between them. A name in single
// quotes may hold any character; [] after a name says that it is a list, which
// paths enter by themselves. In a pattern * is any text within a name, and ** any
// number of names. False means that it is wrong, which has been reported.
//
//	path = step *( "." step )
//	step = name *"[]" / "*" / "**"       ** stands before another step
//	name = 1*char / "'" *char "'"        a quote in quotes is written twice
func (p *parser) path(what string, t specs.Text, pattern bool) (specs.Path, bool) {
	out := specs.Path{Range: t.Range}
	text := t.Value
	wrong := func(start, end int, message, hint string) (specs.Path, bool) {
		p.add(diag.Diagnostic{Code: "invalid-path", Message: message, Hint: hint, Range: within(t, start, end)})
		return out, false
	}
	deep := false
	for at := 0; ; {
		start := at
		var step specs.PathStep
		quoted := strings.HasPrefix(text[at:], "'")
		if quoted {
			name, n := unquoted(text[at:])
			if n == 0 {
				return wrong(start, len(text), what+" has a quote that is not closed", "a name in quotes ends with '; a quote in it is written twice")
			}
			step.Name, at = name, at+n
		} else {
			if n := strings.IndexAny(text[at:], ".['] \t\r\n"); n >= 0 {
				at += n
			} else {
				at = len(text)
			}
			step.Name = text[start:at]
			step.Glob = strings.Contains(step.Name, "*")
		}
		list := strings.HasPrefix(text[at:], "[]")
		end := at
		for strings.HasPrefix(text[at:], "[]") {
			at += 2
		}
		switch {
		case at < len(text) && text[at] == '[':
			n := max(strings.IndexByte(text[at:], ']')+1, 1)
			return wrong(at, at+n, fmt.Sprintf("%s: %s picks an element, and a path takes lists as a whole", what, text[at:at+n]), "write [], or pick elements with jq")
		case at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0:
			return wrong(at, at+1, what+" holds white space", "a name with white space is written in quotes: 'my name'")
		case at < len(text) && text[at] != '.':
			return wrong(at, at+1, fmt.Sprintf("%s: a dot is missing before %s", what, text[at:at+1]), "names with special characters are written in quotes: meta.'x.y'")
		case step.Name == "" && !quoted && text == "":
			return wrong(0, 0, what+" has an empty path", `for example "user.login"`)
		case step.Name == "" && !quoted:
			return wrong(max(start-1, 0), min(start+1, len(text)), what+": a name is missing between the dots", "names with dots are written in quotes: '@odata.nextLink'")
		case step.Glob && !pattern:
			return wrong(start, end, fmt.Sprintf("%s leads to one value: %s may not be a pattern", what, step.Name), "write the name; a name that holds * is written in quotes")
		case step.Glob && step.Name == "**" && at == len(text):
			return wrong(start, end, what+": ** needs a name after it", "what a name leads to is taken whole, so leave .** out, or name what is looked for: **.id")
		case step.Glob && step.Name == "**" && list:
			return wrong(end, at, what+": ** is no list", "leave [] out: lists are entered by themselves")
		case step.Glob && step.Name != "**" && strings.Contains(step.Name, "**"):
			return wrong(start, end, fmt.Sprintf("%s: ** stands alone, not in %s", what, step.Name), "write * for any text within a name")
		case len(out.Steps) == maxSteps:
			return wrong(start, len(text), fmt.Sprintf("%s has more than %d names", what, maxSteps), "")
		}
		if step.Glob && step.Name == "**" {
			deep = true
		} else {
			step.Deep, deep = deep, false
			out.Steps, out.List = append(out.Steps, step), list
		}
		if at == len(text) {
			return out, true
		}
		at++
	}
}

// unquoted reads a name in single quotes from the beginning of a text, and
// returns how many bytes it takes; 0 when the quote is not closed.
func unquoted(s string) (name string, n int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '\'' {
			if !strings.HasPrefix(s[i+1:], "'") {
				return b.String(), i + 1
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0
}

// within is the place of a part of a text, when the text is written on one line
// without escapes.
func within(t specs.Text, start, end int) diag.Range {
	r := t.Range
	if r.Source == nil || r.End-r.Start != len(t.Value)+2 {
		return r
	}
	return diag.Range{Source: r.Source, Start: r.Start + 1 + start, End: r.Start + 1 + end}
}
