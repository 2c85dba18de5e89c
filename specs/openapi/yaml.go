package openapi

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxAliased is how many values aliases may add to a document. A document of
// some hundred bytes can otherwise mean billions of them.
const maxAliased = 1_000_000

// readYAML reads the first document of a YAML text into a tree: mappings become
// objects (merge keys applied), keys become strings, numbers keep their digits,
// dates stay text. An alias shares the nodes of its anchor, so a tree can be a
// graph without cycles; nobody may change it.
//
// The YAML begins at byte start of the text; what is before it is a byte order
// mark, which must not count as indentation.
//
// A nil tree means that the text is not YAML; the list then holds the error.
func readYAML(src *diag.Source, text string, start int) (*specs.Node, diag.List) {
	p := yamlReader{src: src, s: text, done: map[*yaml.Node]aliased{}}
	p.lines = []int32{int32(start)}
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\r' && i+1 < len(text) && text[i+1] == '\n':
			continue // counted at its \n
		case c == '\n', c == '\r':
			p.lines = append(p.lines, int32(i+1))
		case c == 0xC2 && strings.HasPrefix(text[i:], "\u0085"):
			p.lines = append(p.lines, int32(i+2))
		case c == 0xE2 && (strings.HasPrefix(text[i:], "\u2028") || strings.HasPrefix(text[i:], "\u2029")):
			p.lines = append(p.lines, int32(i+3))
		}
	}
	doc, rest, err := parseYAML(text[start:])
	if err != nil {
		return nil, diag.List{p.syntax(err)}
	}
	if rest != nil {
		d := p.syntax(rest)
		d.Severity, d.Message = diag.Warning, d.Message+"; what stands before this line is read, the rest is left out"
		if strings.Contains(d.Message, "<document start>") {
			d.Hint = "all keys of the top level have the same indentation"
		}
		p.diags.Add(d)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return &specs.Node{Kind: specs.Null, Source: src}, p.diags
	}
	n, _ := p.value(doc.Content[0], 1)
	return n, p.diags
}

// parseYAML parses the first document of a text. rest is what is wrong with the
// text after it: a document ends at the first line that is indented less than
// its first key, and the library says so only to who asks for another one. It
// keeps the library's panics, which some malformed texts provoke, from spreading.
func parseYAML(text string) (doc *yaml.Node, rest, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	doc = &yaml.Node{}
	d := yaml.NewDecoder(strings.NewReader(text))
	if err = d.Decode(doc); err != nil {
		if errors.Is(err, io.EOF) { // nothing but comments
			err = nil
		}
		return doc, nil, err
	}
	if rest = d.Decode(&yaml.Node{}); errors.Is(rest, io.EOF) {
		rest = nil
	}
	return doc, rest, nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// yamlParserSays matches errors of the library's parser, whose lines count from
// 0; those of its scanner count from 1.
var yamlParserSays = regexp.MustCompile(`^(did not find expected (key|node content|<|'-'|',')|found (undefined tag|duplicate %))`)

func (p *yamlReader) syntax(err error) diag.Diagnostic {
	d := diag.Diagnostic{Code: "invalid-yaml", Message: "this is not valid YAML", Range: diag.Range{Source: p.src}}
	if m := yamlLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0]); m != nil {
		d.Message += ": " + m[2]
		if strings.Contains(m[2], "control characters") { // the library says which, but not where
			d.Range.Start = max(strings.IndexFunc(p.s, unprintable), 0)
			d.Range.End = d.Range.Start + 1
		}
		line, err := strconv.Atoi(m[1])
		if err == nil && yamlParserSays.MatchString(m[2]) {
			line++
		}
		if err == nil {
			line = min(max(line, 1), len(p.lines))
			start := int(p.lines[line-1])
			for start < len(p.s) && (p.s[start] == ' ' || p.s[start] == '\t') {
				start++
			}
			d.Range.Start = start
			d.Range.End = p.lineEnd(start)
			// The scanner names the line of the tab, or the one before it.
			for _, at := range p.lines[line-1 : min(line+1, len(p.lines))] {
				indent := p.s[at : int(at)+len(p.s[at:])-len(strings.TrimLeft(p.s[at:], " \t"))]
				if strings.Contains(indent, "\t") {
					d.Hint = "YAML is indented with spaces; replace the tabs"
				}
			}
		}
	}
	return d
}

// unprintable reports whether YAML forbids a character in its text.
func unprintable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return false
	}
	return r < 0x20 || 0x7f <= r && r < 0xa0 || r == 0xfffe || r == 0xffff
}

type yamlReader struct {
	src   *diag.Source
	s     string
	lines []int32 // byte offset of each line, as YAML counts lines
	diags diag.List
	done  map[*yaml.Node]aliased // anchored nodes; a nil node while it is being read
	used  int                    // values that aliases added
	cut   bool

	// The last position asked for: looking up a column starts there when it is
	// on the same line, or a long line would cost the square of its length.
	lastLine, lastColumn int
	lastOffset           int32
}

type aliased struct {
	node *specs.Node
	size int // values in it
	high int // levels in it
}

func (p *yamlReader) offset(line, column int) int32 {
	if line < 1 || line > len(p.lines) {
		return int32(len(p.s))
	}
	at, c := p.lines[line-1], 1
	if line == p.lastLine && column >= p.lastColumn {
		at, c = p.lastOffset, p.lastColumn
	}
	for ; c < column && int(at) < len(p.s); c++ {
		_, size := utf8.DecodeRuneInString(p.s[at:])
		at += int32(size)
	}
	p.lastLine, p.lastColumn, p.lastOffset = line, column, at
	return at
}

func (p *yamlReader) lineEnd(from int) int {
	if i := strings.IndexAny(p.s[from:], "\r\n"); i >= 0 {
		return from + i
	}
	return len(p.s)
}

func (p *yamlReader) warn(code string, n *specs.Node, format string, args ...any) {
	p.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: code, Message: fmt.Sprintf(format, args...), Range: n.Range()})
}

// value returns the tree of y with the number of values and levels in it.
func (p *yamlReader) value(y *yaml.Node, depth int) (*specs.Node, aliased) {
	at := p.offset(y.Line, y.Column)
	n := &specs.Node{Kind: specs.Null, Source: p.src, Start: at, End: at}
	self := aliased{node: n, size: 1, high: 1}
	if y.Kind == yaml.AliasNode {
		return p.alias(y, n, depth)
	}
	if depth > maxDepth && y.Kind != yaml.ScalarNode {
		n.Kind = specs.Object
		if !p.cut {
			p.cut = true
			p.diags.Add(tooDeep(n))
		}
		return n, self
	}
	if y.Anchor != "" {
		p.done[y] = aliased{}
	}
	add := func(child *specs.Node, c aliased) {
		self.size += c.size
		self.high = max(self.high, c.high+1)
		if child.Start >= n.Start {
			n.End = max(n.End, child.End)
		}
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind = specs.Object
		p.mapping(y, n, depth, add)
	case yaml.SequenceNode:
		n.Kind = specs.Array
		if len(y.Content) > 0 {
			n.Fields = make([]specs.Field, 0, len(y.Content))
		}
		for _, item := range y.Content {
			v, c := p.value(item, depth+1)
			add(v, c)
			n.Fields = append(n.Fields, specs.Field{Value: v, KeyStart: -1})
		}
	case yaml.ScalarNode:
		p.scalar(y, n)
	}
	if y.Style&yaml.FlowStyle != 0 { // the closing bracket
		for int(n.End) < len(p.s) && strings.IndexByte(" \t\r\n", p.s[n.End]) >= 0 {
			n.End++
		}
		if int(n.End) < len(p.s) && strings.IndexByte("]}", p.s[n.End]) >= 0 {
			n.End++
		}
	}
	if y.Anchor != "" {
		p.done[y] = self
	}
	return n, self
}

func (p *yamlReader) alias(y *yaml.Node, n *specs.Node, depth int) (*specs.Node, aliased) {
	n.End = min(n.Start+int32(len(y.Value))+1, int32(len(p.s)))
	none := aliased{node: n, size: 1, high: 1}
	a, known := p.done[y.Alias]
	switch {
	case known && a.node == nil:
		p.warn("recursive-alias", n, "the alias *%s stands inside its own anchor; it is left out", clip(y.Value))
		return n, none
	case !known: // its anchor was cut off
		return n, none
	case depth+a.high > maxDepth || p.used+a.size > maxAliased:
		if !p.cut {
			p.cut = true
			p.warn("too-many-aliases", n, "aliases make this document larger than %d values or deeper than %d levels; the rest of them is left out", maxAliased, maxDepth)
		}
		return n, none
	}
	p.used += a.size
	return a.node, a
}

func (p *yamlReader) mapping(y *yaml.Node, n *specs.Node, depth int, add func(*specs.Node, aliased)) {
	list := make([]specs.Field, 0, len(y.Content)/2)
	var merges []*specs.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k := y.Content[i]
		keyAt := p.offset(k.Line, k.Column)
		if int(keyAt) >= len(p.s) {
			keyAt = -1
		}
		v, c := p.value(y.Content[i+1], depth+1)
		add(v, c)
		if k.Kind == yaml.AliasNode && k.Alias != nil {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			p.warn("odd-key", v, "a key must be a string; this member is left out")
			continue
		}
		if k.Tag == "!!merge" {
			merges = append(merges, v)
			continue
		}
		key := k.Value
		if k.Tag == "!!null" {
			key = "null"
		}
		if v.Kind == specs.Null && v.End == v.Start && keyAt >= 0 && p.done[y.Content[i+1]].node == nil { // nothing after the colon
			v.Start, v.End = keyAt, min(keyAt+int32(len(key)), int32(len(p.s)))
		}
		list = append(list, specs.Field{Key: key, Value: v, KeyStart: keyAt})
	}
	if repeats(list) {
		kept, diags := lastWins(list)
		list, p.diags = kept, append(p.diags, diags...)
	}
	if len(merges) > 0 {
		list = p.merge(list, merges)
	}
	if len(list) > 0 {
		n.Fields = list
	}
}

// merge appends what "<<" brings in: keys written here win, then earlier
// merges.
func (p *yamlReader) merge(list []specs.Field, merges []*specs.Node) []specs.Field {
	have := make(map[string]bool, len(list))
	for _, f := range list {
		have[f.Key] = true
	}
	take := func(m *specs.Node) {
		if m.Kind != specs.Object {
			p.warn("odd-merge", m, "only a mapping can be merged with <<")
			return
		}
		for _, f := range m.Fields {
			if !have[f.Key] {
				have[f.Key] = true
				list = append(list, f)
			}
		}
	}
	for _, m := range merges {
		if m.Kind != specs.Array {
			take(m)
			continue
		}
		for _, f := range m.Fields {
			take(f.Value)
		}
	}
	return list
}

func (p *yamlReader) scalar(y *yaml.Node, n *specs.Node) {
	n.End = p.scalarEnd(y, n.Start)
	n.Kind, n.Text = specs.String, y.Value
	if y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 && y.Style&yaml.TaggedStyle == 0 {
		return
	}
	switch y.Tag {
	case "!!null":
		n.Kind, n.Text = specs.Null, ""
	case "!!bool":
		switch strings.ToLower(y.Value) {
		case "true", "false":
			n.Kind, n.Text = specs.Bool, strings.ToLower(y.Value)
		}
	case "!!str": // a number that no float64 can hold
		if y.Style == 0 && y.Value != "" && numberLen(y.Value) == len(y.Value) {
			n.Kind = specs.Number
		}
	case "!!int", "!!float":
		if digits, ok := yamlNumber(y.Value); ok {
			n.Kind, n.Text = specs.Number, digits
		}
	}
}

// yamlNumber writes a YAML number as JSON does, changing no digit of a decimal.
// Infinities and not-a-number have no such form.
func yamlNumber(s string) (string, bool) {
	if numberLen(s) == len(s) && s != "" {
		return s, true
	}
	t := strings.TrimPrefix(strings.ReplaceAll(s, "_", ""), "+")
	if numberLen(t) == len(t) && t != "" {
		return t, true
	}
	if len(t) < 1000 {
		if i, ok := new(big.Int).SetString(t, 0); ok { // 0x, 0o, 0b, 017
			return i.String(), true
		}
	}
	sign := ""
	if strings.HasPrefix(t, "-") {
		sign, t = "-", t[1:]
	}
	t = strings.TrimLeft(t, "0")
	if t == "" || t[0] < '0' || t[0] > '9' {
		t = "0" + t
	}
	t = strings.Replace(t, ".e", ".0e", 1)
	t = strings.Replace(t, ".E", ".0E", 1)
	if strings.HasSuffix(t, ".") {
		t += "0"
	}
	t = sign + t
	return t, numberLen(t) == len(t)
}

// scalarEnd finds where a scalar ends, which the library does not tell. For a
// plain or block scalar over several lines it is the end of the first.
func (p *yamlReader) scalarEnd(y *yaml.Node, start int32) int32 {
	i := int(start)
	switch {
	case i >= len(p.s):
		return int32(len(p.s))
	case p.s[i] == '"' || p.s[i] == '\'':
		quote := p.s[i]
		for i++; i < len(p.s); i++ {
			if p.s[i] == '\\' && quote == '"' {
				i++
			} else if p.s[i] == quote {
				if quote == '\'' && strings.HasPrefix(p.s[i+1:], "'") {
					i++
					continue
				}
				return int32(i + 1)
			}
		}
		return int32(len(p.s))
	case strings.HasPrefix(p.s[i:], y.Value):
		return start + int32(len(y.Value))
	}
	return int32(p.lineEnd(i))
}
