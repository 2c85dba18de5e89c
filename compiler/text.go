package compiler

import (
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = specs.AppendQuoted(b, t)
	}
	return append(b, ']')
}

// textOf is the text of a title or description; a number or boolean is taken
// as it was written.
func textOf(v *specs.Node) string {
	switch v.Kind {
	case specs.String, specs.Number, specs.Bool:
		return cleanText(v.Text)
	}
	return ""
}

// cleanText removes what does not belong into text for a model: control
// characters and surrounding space.
func cleanText(s string) string {
	if strings.IndexFunc(s, isControl) >= 0 {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.Map(func(r rune) rune {
			if r == '\r' {
				return '\n'
			}
			if isControl(r) {
				return -1
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	case strings.HasSuffix(a, "\n"):
		return a + b
	}
	return a + "\n" + b
}

func quote(s string) string { return string(specs.AppendQuoted(nil, s)) }

func jsonOf(v *specs.Node) string {
	if v == nil {
		return "null"
	}
	return v.JSON()
}
