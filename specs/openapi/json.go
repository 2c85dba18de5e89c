package openapi

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxDepth is how deep values may nest. Real documents stay below 60; what is
// deeper is cut off, so that nothing behind the readers has to fear recursion.
const maxDepth = 200

// readJSON reads JSON text (RFC 8259) into a tree. It is written by hand
// because the tree needs byte offsets, key order and untouched digits, and
// because documents of 13 MB have to be read in a fraction of a second: strings
// without escapes are not copied, nodes come from blocks.
//
// A nil tree means that the text is not JSON; the list then holds the error.
func readJSON(src *diag.Source, text string) (*specs.Node, diag.List) {
	p := jsonReader{src: src, s: text}
	p.space()
	root := p.value(1)
	if p.err == "" {
		if p.space(); p.i < len(p.s) {
			p.fail(p.i, "unexpected text after the end of the document")
		}
	}
	if p.err != "" {
		at := diag.Range{Source: src, Start: p.errAt, End: min(p.errAt+1, len(text))}
		return nil, diag.List{{Code: "invalid-json", Message: "this is not valid JSON: " + p.err, Range: at}}
	}
	return root, p.diags
}

type jsonReader struct {
	src    *diag.Source
	s      string
	i      int
	nodes  []specs.Node  // unused rest of the current block
	fields []specs.Field // likewise
	stack  []specs.Field // members of the objects being read
	diags  diag.List
	err    string
	errAt  int
	cut    bool
}

func (p *jsonReader) fail(at int, format string, args ...any) {
	if p.err == "" {
		p.err, p.errAt = fmt.Sprintf(format, args...), min(at, len(p.s))
	}
	p.i = len(p.s) // ends every loop
}

func (p *jsonReader) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\n', '\t', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonReader) node(kind specs.Kind, start int) *specs.Node {
	if len(p.nodes) == 0 {
		p.nodes = make([]specs.Node, 512)
	}
	n := &p.nodes[0]
	p.nodes = p.nodes[1:]
	n.Kind, n.Source, n.Start, n.End = kind, p.src, int32(start), int32(p.i)
	return n
}

// take moves the fields above base from the stack to a slice of their own.
func (p *jsonReader) take(base int) []specs.Field {
	n := len(p.stack) - base
	if n == 0 {
		return nil
	}
	if n > len(p.fields) {
		if n > 256 {
			own := make([]specs.Field, n)
			copy(own, p.stack[base:])
			p.stack = p.stack[:base]
			return own
		}
		p.fields = make([]specs.Field, 512)
	}
	own := p.fields[:n:n]
	p.fields = p.fields[n:]
	copy(own, p.stack[base:])
	p.stack = p.stack[:base]
	return own
}

func (p *jsonReader) value(depth int) *specs.Node {
	start := p.i
	if p.i >= len(p.s) {
		p.fail(p.i, "the text ends where a value is expected")
		return nil
	}
	switch c := p.s[p.i]; c {
	case '{', '[':
		if depth > maxDepth {
			return p.skip()
		}
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case '"':
		text := p.str()
		n := p.node(specs.String, start)
		n.Text = text
		return n
	case 't', 'f', 'n':
		for _, w := range [...]struct {
			text string
			kind specs.Kind
		}{{"true", specs.Bool}, {"false", specs.Bool}, {"null", specs.Null}} {
			if strings.HasPrefix(p.s[p.i:], w.text) {
				p.i += len(w.text)
				n := p.node(w.kind, start)
				if w.kind == specs.Bool {
					n.Text = w.text
				}
				return n
			}
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		size := numberLen(p.s[p.i:])
		if size == 0 {
			p.fail(p.i, "a number is not well-formed")
			return nil
		}
		p.i += size
		n := p.node(specs.Number, start)
		n.Text = p.s[start:p.i]
		return n
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	p.fail(p.i, "%q where a value is expected", r)
	return nil
}

func (p *jsonReader) object(depth int) *specs.Node {
	start, base := p.i, len(p.stack)
	p.i++
	for first := true; ; first = false {
		p.space()
		if p.i >= len(p.s) {
			p.fail(start, "this object is not closed")
			return nil
		}
		if p.s[p.i] == '}' && first {
			break
		}
		keyAt := p.i
		if p.s[p.i] != '"' {
			p.fail(p.i, "a key in double quotes is expected")
			return nil
		}
		key := p.str()
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			p.fail(p.i, "a colon is expected after the key %q", clip(key))
			return nil
		}
		p.i++
		p.space()
		v := p.value(depth + 1)
		if p.err != "" {
			return nil
		}
		p.stack = append(p.stack, specs.Field{Key: key, Value: v, KeyStart: int32(keyAt)})
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == '}' {
			break
		}
		p.fail(p.i, "a comma or } is expected here")
		return nil
	}
	p.i++
	p.dedupe(base)
	n := p.node(specs.Object, start)
	n.Fields = p.take(base)
	return n
}

// dedupe lets the last of several equal keys win, as parsers of JSON do.
func (p *jsonReader) dedupe(base int) {
	if list := p.stack[base:]; repeats(list) {
		kept, diags := lastWins(list)
		p.stack = p.stack[:base+len(kept)]
		p.diags = append(p.diags, diags...)
	}
}

// repeats reports whether a key occurs twice.
func repeats(list []specs.Field) bool {
	if len(list) <= 16 {
		for i := range list {
			for j := range i {
				if list[i].Key == list[j].Key {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[string]struct{}, len(list))
	for i := range list {
		seen[list[i].Key] = struct{}{}
	}
	return len(seen) != len(list)
}

// lastWins removes, in place, all but the last field of each key, which takes
// the place of the first.
func lastWins(list []specs.Field) ([]specs.Field, diag.List) {
	var diags diag.List
	at := make(map[string]int, len(list))
	kept := list[:0]
	for _, f := range list {
		i, again := at[f.Key]
		if !again {
			at[f.Key] = len(kept)
			kept = append(kept, f)
			continue
		}
		diags.Add(diag.Diagnostic{
			Severity: diag.Warning, Code: "duplicate-key", Range: f.KeyRange(),
			Message: fmt.Sprintf("the key %q is written more than once; the last one counts", clip(f.Key)),
			Notes:   []diag.Note{{Message: "written before here", Range: kept[i].KeyRange()}},
		})
		kept[i] = f
	}
	return kept, diags
}

func (p *jsonReader) array(depth int) *specs.Node {
	start, base := p.i, len(p.stack)
	p.i++
	for first := true; ; first = false {
		p.space()
		if p.i >= len(p.s) {
			p.fail(start, "this array is not closed")
			return nil
		}
		if p.s[p.i] == ']' && first {
			break
		}
		v := p.value(depth + 1)
		if p.err != "" {
			return nil
		}
		p.stack = append(p.stack, specs.Field{Value: v, KeyStart: -1})
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ',' {
			p.i++
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == ']' {
			break
		}
		p.fail(p.i, "a comma or ] is expected here")
		return nil
	}
	p.i++
	n := p.node(specs.Array, start)
	n.Fields = p.take(base)
	return n
}

// skip passes over a value that is nested too deep, without recursion, and
// leaves an empty object in its place.
func (p *jsonReader) skip() *specs.Node {
	start, open := p.i, 0
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case '{', '[':
			open++
		case '}', ']':
			open--
		case '"':
			p.str()
			continue
		}
		p.i++
		if open == 0 {
			n := p.node(specs.Object, start)
			if !p.cut {
				p.cut = true
				p.diags.Add(tooDeep(n))
			}
			return n
		}
	}
	p.fail(start, "this value is not closed")
	return nil
}

func tooDeep(n *specs.Node) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Warning, Code: "too-deep", Range: n.Range(),
		Message: fmt.Sprintf("values nested deeper than %d levels are left out", maxDepth),
	}
}

// str reads a string, the quote being at p.i.
func (p *jsonReader) str() string {
	start := p.i + 1
	for i := start; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '"':
			p.i = i + 1
			return p.s[start:i]
		case c == '\\':
			return p.escaped(start, i)
		case c < 0x20:
			p.fail(i, "a control character inside a string; write it as an escape")
			return ""
		}
	}
	p.fail(start-1, "this string is not closed")
	return ""
}

func (p *jsonReader) escaped(start, i int) string {
	var b strings.Builder
	b.WriteString(p.s[start:i])
	for i < len(p.s) {
		c := p.s[i]
		switch {
		case c == '"':
			p.i = i + 1
			return b.String()
		case c < 0x20:
			p.fail(i, "a control character inside a string; write it as an escape")
			return ""
		case c != '\\':
			j := i + 1
			for j < len(p.s) && p.s[j] >= 0x20 && p.s[j] != '"' && p.s[j] != '\\' {
				j++
			}
			b.WriteString(p.s[i:j])
			i = j
			continue
		}
		if i+1 >= len(p.s) {
			break
		}
		i += 2
		switch e := p.s[i-1]; e {
		case '"', '\\', '/':
			b.WriteByte(e)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, ok := hex4(p.s[i:])
			if !ok {
				p.fail(i-2, "an escape \\u needs four hexadecimal digits")
				return ""
			}
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if strings.HasPrefix(p.s[i:], `\u`) {
					low, ok = hex4(p.s[i+2:])
				}
				if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
					i += 6
				}
			}
			b.WriteRune(r)
		default:
			p.fail(i-2, "an unknown escape in a string")
			return ""
		}
	}
	p.fail(start-1, "this string is not closed")
	return ""
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// numberLen is the length of the JSON number s begins with, 0 when there is
// none.
func numberLen(s string) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// clip shortens text that a message repeats.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
