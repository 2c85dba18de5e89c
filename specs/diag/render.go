package diag

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Format is a way to print diagnostics. The first line of a diagnostic reads
// the same in Pretty and Line: file:line:col: error: message [code].
type Format string

// Formats.
const (
	// Pretty is for people: the first line, the source with a caret under the
	// place, notes and a hint.
	Pretty Format = "pretty"
	// Line is the first line alone, for editors and grep.
	Line Format = "line"
	// JSON is one JSON object a line, for programs.
	JSON Format = "json"
	// GitHub is the workflow commands that become annotations in GitHub Actions.
	GitHub Format = "github"
)

// Formats lists every format by name.
func Formats() []string {
	return []string{string(Pretty), string(Line), string(JSON), string(GitHub)}
}

// Printer writes diagnostics. The zero Printer prints [Pretty] without colour.
type Printer struct {
	Format Format
	Color  bool // ANSI colours, in Pretty only
	// PerCode is how many warnings of one code Pretty prints before it only
	// counts them; 0 is all. Errors are never held back.
	PerCode int
	// Beside are findings that are not printed. What is secret by them is not shown
	// either.
	Beside List
}

// Print writes the list in its order.
func (p Printer) Print(w io.Writer, list List) error {
	var b strings.Builder
	seen := map[string]int{}
	var hidden []Range
	for _, l := range []List{list, p.Beside} {
		for _, d := range l {
			if d.Secret {
				hidden = append(hidden, d.Range)
			}
		}
	}
	for _, d := range list {
		switch p.Format {
		case Line:
			b.WriteString(headline(d, plain) + "\n")
		case JSON:
			b.Write(d.json())
			b.WriteByte('\n')
		case GitHub:
			b.WriteString(d.github() + "\n")
		default:
			if d.Severity == Warning {
				if seen[d.Code]++; p.PerCode > 0 && seen[d.Code] > p.PerCode {
					continue
				}
			}
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			d.pretty(&b, p.paint(), hidden)
		}
	}
	if p.Format == Pretty || p.Format == "" {
		p.held(&b, list, seen)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// held says how many warnings PerCode kept back, in the order of their first.
func (p Printer) held(b *strings.Builder, list List, seen map[string]int) {
	for _, d := range list {
		more := seen[d.Code] - p.PerCode
		if p.PerCode == 0 || d.Severity != Warning || more <= 0 {
			continue
		}
		seen[d.Code] = 0
		s := "s"
		if more == 1 {
			s = ""
		}
		fmt.Fprintf(b, "\n… and %d more warning%s [%s]; --format line prints all\n", more, s, d.Code)
	}
}

// style is what a piece of output means; paint turns it into colour.
type style int

const (
	bold style = iota
	red
	yellow
	cyan
	dim
)

type paint func(style, string) string

func plain(_ style, s string) string { return s }

func (p Printer) paint() paint {
	if !p.Color {
		return plain
	}
	codes := [...]string{bold: "1", red: "1;31", yellow: "1;33", cyan: "36", dim: "2"}
	return func(st style, s string) string { return "\x1b[" + codes[st] + "m" + s + "\x1b[0m" }
}

func headline(d Diagnostic, c paint) string {
	place := d.Range.String()
	if place != "" {
		place = c(bold, visible(place)+":") + " "
	}
	color := red
	if d.Severity == Warning {
		color = yellow
	}
	return place + c(color, d.Severity.String()+":") + " " + c(bold, visible(d.Message)) + c(dim, " ["+d.Code+"]")
}

func (d Diagnostic) pretty(b *strings.Builder, c paint, hidden []Range) {
	color := red
	if d.Severity == Warning {
		color = yellow
	}
	b.WriteString(headline(d, c) + "\n")
	snippet(b, d.Range, c, color, hidden)
	for _, n := range d.Notes {
		if n.Range.IsZero() {
			b.WriteString(c(cyan, "note:") + " " + visible(n.Message) + "\n")
			continue
		}
		b.WriteString(visible(n.Range.String()) + ": " + c(cyan, "note:") + " " + visible(n.Message) + "\n")
		snippet(b, n.Range, c, cyan, hidden)
	}
	if d.Hint != "" {
		b.WriteString(c(cyan, "hint:") + " " + visible(d.Hint) + "\n")
	}
}

// Of a long line, as in minified JSON, snippet shows this many characters, the
// first few of them before the place.
const (
	snippetWidth  = 100
	snippetBefore = 30
)

// snippet writes the first line of r with carets under r. What is hidden is
// written as dots.
func snippet(b *strings.Builder, r Range, c paint, color style, hidden []Range) {
	if r.IsZero() || len(r.Source.Text) == 0 {
		return
	}
	at := r.Source.Position(r.Start)
	text := []rune(r.Source.Line(at.Line))
	for _, h := range hidden {
		hide(text, at.Line, r.Source, h)
	}
	from := min(at.Column-1, len(text))
	to := len(text)
	if end := r.Source.Position(r.End); end.Line == at.Line {
		to = min(max(end.Column-1, from), len(text))
	}
	left, right := 0, len(text)
	if len(text) > snippetWidth {
		left = max(0, from-snippetBefore)
		right = min(len(text), left+snippetWidth)
		to = min(to, right)
	}
	before, marked, after := snippetText(text[left:from]), snippetText(text[from:to]), snippetText(text[to:right])
	if left > 0 {
		before = "…" + before
	}
	if right < len(text) {
		after += "…"
	}
	gutter := fmt.Sprintf("%5d | ", at.Line)
	carets := max(1, utf8.RuneCountInString(marked))
	b.WriteString(c(dim, gutter) + strings.TrimRight(before+marked+after, " ") + "\n")
	b.WriteString(c(dim, strings.Repeat(" ", len(gutter)-2)+"| ") +
		strings.Repeat(" ", utf8.RuneCountInString(before)) + c(color, strings.Repeat("^", carets)) + "\n")
}

// hide replaces what h covers of a line of a source.
func hide(text []rune, line int, s *Source, h Range) {
	if h.Source != s {
		return
	}
	start, end := s.Position(h.Start), s.Position(h.End)
	if line < start.Line || line > end.Line {
		return
	}
	from, to := 0, len(text)
	if line == start.Line {
		from = min(start.Column-1, len(text))
	}
	if line == end.Line {
		to = min(end.Column-1, len(text))
	}
	for i := from; i < to; i++ {
		text[i] = '•'
	}
}

// snippetText makes source text printable on one line, one column a character
// but for tabs, so that carets stand where they should.
func snippetText(text []rune) string {
	return visible(strings.ReplaceAll(string(text), "\t", "    "))
}

// visible makes text from a spec harmless on a terminal: control characters
// (which could move the cursor or change colours), line breaks and characters
// that reorder text become a mark.
func visible(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unprintable(r):
			return '�'
		}
		return r
	}, s)
}

func unprintable(r rune) bool {
	return unicode.IsControl(r) || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' || r == '\u2028' || r == '\u2029'
}

type jsonRange struct {
	File  string    `json:"file,omitempty"`
	Start *Position `json:"start,omitempty"`
	End   *Position `json:"end,omitempty"` // exclusive
}

func toJSONRange(r Range) jsonRange {
	if r.IsZero() {
		return jsonRange{}
	}
	start, end := r.Source.Position(r.Start), r.Source.Position(r.End)
	return jsonRange{r.Source.Name, &start, &end}
}

// MarshalJSON writes the diagnostic as [JSON] prints it: severity, code,
// message, hint, file, start, end (exclusive; lines and columns from 1) and
// notes of the same form.
func (d Diagnostic) MarshalJSON() ([]byte, error) {
	type note struct {
		Message string `json:"message"`
		jsonRange
	}
	out := struct {
		Severity string `json:"severity"`
		Code     string `json:"code"`
		Message  string `json:"message"`
		Hint     string `json:"hint,omitempty"`
		jsonRange
		Notes []note `json:"notes,omitempty"`
	}{Severity: d.Severity.String(), Code: d.Code, Message: d.Message, Hint: d.Hint, jsonRange: toJSONRange(d.Range)}
	for _, n := range d.Notes {
		out.Notes = append(out.Notes, note{n.Message, toJSONRange(n.Range)})
	}
	return json.Marshal(out)
}

func (d Diagnostic) json() []byte {
	b, err := d.MarshalJSON()
	if err != nil {
		panic(err) // strings and integers only
	}
	return b
}

// github writes d as a workflow command.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
func (d Diagnostic) github() string {
	var at string
	message := visible(d.Message)
	if !d.Range.IsZero() {
		start, end := d.Range.Source.Position(d.Range.Start), d.Range.Source.Position(d.Range.End)
		at = "file=" + annotationProperty.Replace(d.Range.Source.Name) + ",line=" + strconv.Itoa(start.Line) + ",col=" + strconv.Itoa(start.Column) +
			",endLine=" + strconv.Itoa(end.Line)
		if end.Line == start.Line { // a column without its line would mislead
			at += ",endColumn=" + strconv.Itoa(end.Column)
		}
		at += ","
	}
	for _, n := range d.Notes {
		message += "\n" + visible(n.Message)
		if !n.Range.IsZero() {
			message += " (" + n.Range.String() + ")"
		}
	}
	if d.Hint != "" {
		message += "\n" + visible(d.Hint)
	}
	return "::" + d.Severity.String() + " " + at + "title=" + annotationProperty.Replace(d.Code) + "::" + annotationText.Replace(message)
}

// Annotation is an error about a whole file, as a workflow command of GitHub.
func Annotation(file, message string) string {
	return "::error file=" + annotationProperty.Replace(file) + "::" + annotationText.Replace(visible(message))
}

var (
	annotationText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	annotationProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
