package diag

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var (
	meant  = regexp.MustCompile(`did you mean ("(?:[^"\\]|\\.)*")`)
	quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// Fix is the change that a hint of the form `did you mean "x"?` proposes: the
// stretch to replace, and by what. False: there is no such hint, or it does not
// say what of the text is wrong.
func (d Diagnostic) Fix() (Range, string, bool) {
	m := meant.FindStringSubmatch(d.Hint)
	if m == nil || d.Range.IsZero() || d.Range.Start < 0 || d.Range.End > len(d.Range.Source.Text) || d.Range.Start > d.Range.End {
		return Range{}, "", false
	}
	right, err := strconv.Unquote(m[1])
	if err != nil || right == "" || strings.ContainsAny(right, "\"\\$%\n\r") { // would need quoting that depends on the place
		return Range{}, "", false
	}
	text := d.Range.Source.Text[d.Range.Start:d.Range.End]
	for _, q := range quoted.FindAllString(d.Message, -1) {
		wrong, err := strconv.Unquote(q)
		if err != nil || wrong == "" || wrong == right || bytes.Count(text, []byte(wrong)) != 1 {
			continue
		}
		start := d.Range.Start + bytes.Index(text, []byte(wrong))
		return Range{Source: d.Range.Source, Start: start, End: start + len(wrong)}, right, true
	}
	return Range{}, "", false
}
