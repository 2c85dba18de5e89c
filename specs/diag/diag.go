// Package diag holds what mcpc tells the author of a spec: diagnostics with
// exact places, and the renderers that print them.
//
// A diagnostic is a value. Every step appends to a [List] and goes on; printing
// comes last and happens in one place. Nodes of a parsed document carry byte
// offsets only; lines and columns are computed here, when something is printed.
package diag

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Source is one input text.
type Source struct {
	// Name is what diagnostics print: the path or URL as the author gave it.
	Name string
	Text []byte

	once  sync.Once
	lines []int // byte offset of the start of each line
}

// Position is a place in a source as people count.
type Position struct {
	Line   int `json:"line"`   // from 1
	Column int `json:"column"` // from 1, in characters (code points)
}

// Position returns the line and column of a byte offset. Offsets past the end
// are taken as the end.
func (s *Source) Position(offset int) Position {
	s.once.Do(func() {
		s.lines = []int{0}
		for i, c := range s.Text {
			if c == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	})
	offset = min(max(offset, 0), len(s.Text))
	line := sort.SearchInts(s.lines, offset+1) - 1
	return Position{Line: line + 1, Column: utf8.RuneCount(s.Text[s.lines[line]:offset]) + 1}
}

// Line returns the text of line n (from 1) without its line ending.
func (s *Source) Line(n int) string {
	s.Position(0)
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.Text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return strings.TrimSuffix(string(s.Text[s.lines[n-1]:end]), "\r")
}

// Range is a stretch of a source. The zero Range means "no place": the
// diagnostic concerns the whole input or something outside of it.
type Range struct {
	Source     *Source
	Start, End int // byte offsets, End exclusive
}

// IsZero reports whether r names no place.
func (r Range) IsZero() bool { return r.Source == nil }

// String is file:line:col, or "" for the zero Range.
func (r Range) String() string {
	if r.Source == nil {
		return ""
	}
	p := r.Source.Position(r.Start)
	return r.Source.Name + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Severity says what a diagnostic means for the result.
type Severity uint8

const (
	// Error means the spec cannot be used as it is.
	Error Severity = iota
	// Warning means something was skipped or repaired; the rest is served.
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one finding.
type Diagnostic struct {
	Severity Severity
	Code     string // a stable word, e.g. "unknown-operation"
	Message  string // what is wrong, in the author's words; one sentence, no full stop
	Hint     string // what to do; may be empty
	Range    Range
	Notes    []Note // other places that matter
	// Secret says that the text at Range may be a secret: its place is told, and
	// no snippet of the list shows the text.
	Secret bool
}

// Note is a related place.
type Note struct {
	Message string
	Range   Range
}

// List collects diagnostics. The zero List is ready to use.
type List []Diagnostic

// Add appends d.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// HasErrors reports whether any diagnostic is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sort orders by source name, then place, then code. Diagnostics without a
// place come first. The order is stable, so that output is the same each run.
func (l List) Sort() {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(sourceName(a.Range), sourceName(b.Range)),
			cmp.Compare(a.Range.Start, b.Range.Start),
			cmp.Compare(a.Code, b.Code),
		)
	})
}

func sourceName(r Range) string {
	if r.Source == nil {
		return ""
	}
	return r.Source.Name
}
