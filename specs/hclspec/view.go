package hclspec

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Spec is what reading a spec leaves behind for editors: the texts, and what
// their names stand for. [Parse] fills it in through [Options].
type Spec struct {
	parser *parser
	files  []*diag.Source // in native syntax

	mu       sync.Mutex
	outlines map[*diag.Source]*outline
}

// outline is the outline of one of the files, made when it is first needed.
func (s *Spec) outline(src *diag.Source) *outline {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outlines == nil {
		s.outlines = map[*diag.Source]*outline{}
	}
	o := s.outlines[src]
	if o == nil {
		o = newOutline(src.Text)
		s.outlines[src] = o
	}
	return o
}

// View is a text in an editor, beside what the last reading of its spec knew.
// Its methods answer an editor's questions; they are functions of both, take any
// offset and any text, and read nothing.
type View struct {
	*outline
	source   *diag.Source
	spec     *Spec
	language *block
	texts    []outlined // this text first, then the other files of the spec
}

type outlined struct {
	*outline
	source *diag.Source
}

// NewView looks at the text that an editor has of the file name. The spec may be
// nil, and may come from an older state of the text.
func NewView(spec *Spec, name string, text []byte) *View {
	if spec == nil {
		spec = &Spec{}
	}
	v := &View{outline: newOutline(text), source: &diag.Source{Name: name, Text: text}, spec: spec, language: language()}
	v.texts = []outlined{{v.outline, v.source}}
	for _, src := range spec.files {
		if src.Name != name {
			v.texts = append(v.texts, outlined{spec.outline(src), src})
		}
	}
	return v
}

// kindOf is the row of the language for a block of the text, or nil.
func (v *View) kindOf(b *outlineBlock) *block {
	c := v.language
	for _, name := range b.path() {
		if c = c.child(name); c == nil {
			return nil
		}
	}
	return c
}

// row is the row of the language for an attribute, or nil.
func (v *View) row(b *outlineBlock, name string) *attr {
	c := v.kindOf(b)
	if c == nil {
		return nil
	}
	for i := range c.attrs {
		if c.attrs[i].name == name {
			return &c.attrs[i]
		}
	}
	return c.free
}

// rowAt is the row for the value that a place is in: that of its attribute, or
// of a member of settings, in the object inside. Nil: the language has none.
func (v *View) rowAt(p place) (row *attr, inside *bracket) {
	var brackets []*bracket
	for b := p.in; b != nil; b = b.outer {
		brackets = append(brackets, b)
	}
	slices.Reverse(brackets)
	row = v.row(p.block, p.attr.name)
	for i, b := range brackets {
		if row == nil || b.kind != objectBracket || row.kind != settingsKind {
			break
		}
		inside = b
		last := i+1 == len(brackets)
		if last && p.key {
			break
		}
		name := p.member
		if !last {
			name = brackets[i+1].of
		}
		j := slices.IndexFunc(row.members, func(m attr) bool { return m.name == name })
		if j < 0 {
			return nil, inside
		}
		row = &row.members[j]
	}
	return row, inside
}

// declared is a block or an attribute that gives something its name.
type declared struct {
	outlined
	name  string
	block *outlineBlock // that is it, or that it is in
	attr  *outlineAttr  // of a local
}

func (d declared) place() diag.Range {
	at := d.block.at
	switch {
	case d.attr != nil:
		at = d.attr.at
	case len(d.block.labels) > 0:
		at = d.block.labels[0].at
	}
	return diag.Range{Source: d.source, Start: at.start, End: at.end}
}

// all lists what top-level blocks of a kind declare, in the whole spec: the
// labels of blocks, and for "locals" the names inside.
func (v *View) all(kind string) []declared {
	var list []declared
	for _, t := range v.texts {
		for _, b := range t.root.blocks {
			switch {
			case b.name != kind:
			case kind == "locals":
				for _, a := range b.attrs {
					list = append(list, declared{t, a.name, b, a})
				}
			case len(b.labels) > 0:
				list = append(list, declared{t, b.labels[0].text, b, nil})
			}
		}
	}
	return list
}

func (v *View) find(kind, name string) (declared, bool) {
	for _, d := range v.all(kind) {
		if d.name == name {
			return d, true
		}
	}
	return declared{}, false
}

// compared is the kind of blocks one of whose names a text in quotes is, because
// it is compared with what a policy knows of a call; "" for any other text.
func (v *View) compared(p place) string {
	if row, _ := v.rowAt(p); row == nil || !row.phase.guards() || p.in == nil || p.in.kind != quoteBracket {
		return ""
	}
	before := p.in.token - 1
	if before < 0 || v.tokens[before].Type != hclsyntax.TokenEqualOp && v.tokens[before].Type != hclsyntax.TokenNotEqual {
		return ""
	}
	return map[string]string{"caller.identity": "identity", "tool.name": "tool"}[strings.Join(v.chain(before-1), ".")]
}

// schemes are the names of the security schemes of an API's document.
func (v *View) schemes(api string) (names []string) {
	if v.spec.parser == nil {
		return nil
	}
	for _, a := range v.spec.parser.doc.APIs {
		if a.Name == api {
			for _, s := range a.Schemes {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// reference is what an attribute refers to: api, gh, issues/create.
func (o *outline) reference(a *outlineAttr) []string {
	if a == nil || a.last <= a.first {
		return nil
	}
	last := a.last - 1
	for last > a.first && (endsLine(o.tokens[last]) || o.tokens[last].Type == hclsyntax.TokenComment) {
		last--
	}
	return o.chain(last)
}

// sourceText is the text of a stretch, on one line and not too long.
func (o *outline) sourceText(s stretch) string {
	return brief(string(o.text[s.start:min(s.end, s.start+400)]), 200)
}

// operations are those of an API's document.
func (v *View) operations(api string) []*specs.Operation {
	if v.spec.parser == nil {
		return nil
	}
	for _, a := range v.spec.parser.doc.APIs {
		if a.Name == api {
			return a.Operations
		}
	}
	return nil
}

func (v *View) operation(api, id string) (*specs.API, *specs.Operation) {
	if v.spec.parser == nil {
		return nil, nil
	}
	for _, a := range v.spec.parser.doc.APIs {
		if a.Name != api {
			continue
		}
		for _, op := range a.Operations {
			if op.ID == id {
				return a, op
			}
		}
	}
	return nil, nil
}

// shown is the value of a variable or local as far as an editor may show it.
// What comes from the environment or a file can be a secret that nobody has
// marked, so only what the spec itself says is shown.
func (v *View) shown(d declared, seen map[string]bool) (*specs.Node, bool) {
	key := d.block.name + " " + d.name
	if can, visited := seen[key]; v.spec.parser == nil || visited && !can || len(seen) > maxNesting {
		return nil, false
	}
	seen[key] = false // as long as it is not known, and for those that refer to themselves
	var value *specs.Expr
	a := d.attr
	if a == nil {
		known := v.spec.parser.variables[d.name]
		if a = d.block.attr("default"); a == nil || known == nil || v.sensitive(d) || known.standard == nil {
			return nil, false
		}
		if value = known.value; value == nil || value.Value != known.standard.node {
			return nil, false
		}
	} else if known := v.spec.parser.locals[d.name]; known != nil {
		value = known.value
	}
	if value == nil || value.Op != specs.ExprConst {
		return nil, false
	}
	for i := a.first; i < a.last; i++ {
		if d.tokens[i].Type != hclsyntax.TokenIdent {
			continue
		}
		if i+1 < a.last && d.tokens[i+1].Type == hclsyntax.TokenOParen && slices.Contains([]string{"env", "file"}, string(d.tokens[i].Bytes)) {
			return nil, false
		}
		if c := d.chain(i); len(c) == 2 {
			if of, ok := v.find(map[string]string{"var": "variable", "local": "locals"}[c[0]], c[1]); ok {
				if _, ok := v.shown(of, seen); !ok {
					return nil, false
				}
			}
		}
	}
	seen[key] = true
	return value.Value, true
}

// sensitive reports whether a variable is, in the text or at the last reading.
func (v *View) sensitive(d declared) bool {
	if a := d.block.attr("sensitive"); a != nil && !strings.HasPrefix(d.sourceText(a.value), "false") {
		return true
	}
	known := v.spec.parser
	return known != nil && known.variables[d.name] != nil && known.variables[d.name].sensitive
}

// brief is the beginning of a text on one line, without control characters.
func brief(s string, most int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F }), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return s
}

// code is a text as code in Markdown.
func code(s string) string {
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}

// Symbol is a block or attribute in the outline of a text.
type Symbol struct {
	Name     string
	Detail   string
	Block    bool
	Range    diag.Range // the whole
	At       diag.Range // the name
	Children []Symbol
}

// Symbols lists the blocks of the text, with what is in them.
func (v *View) Symbols() []Symbol { return v.symbols(v.root, 0) }

func (v *View) symbols(b *outlineBlock, depth int) []Symbol {
	rng := func(s stretch) diag.Range { return diag.Range{Source: v.source, Start: s.start, End: s.end} }
	var list []Symbol
	for _, c := range b.blocks {
		s := Symbol{Name: c.name, Block: true, Range: rng(c.extent), At: rng(c.at)}
		for _, l := range c.labels {
			s.Name += fmt.Sprintf(" %q", l.text)
			s.At = rng(l.at)
		}
		if len(c.labels) > 0 {
			s.At = rng(c.labels[0].at)
		}
		if op := c.attr("operation"); op != nil {
			s.Detail = v.sourceText(op.value)
		}
		if depth < maxNesting {
			s.Children = v.symbols(c, depth+1)
		}
		list = append(list, s)
	}
	for _, a := range b.attrs {
		list = append(list, Symbol{Name: a.name, Range: rng(stretch{a.at.start, max(a.value.end, a.at.end)}), At: rng(a.at)})
	}
	slices.SortStableFunc(list, func(a, b Symbol) int { return a.Range.Start - b.Range.Start })
	return list
}
