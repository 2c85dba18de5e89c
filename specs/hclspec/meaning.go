package hclspec

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Meaning is what a word of a text stands for.
type Meaning struct {
	At         diag.Range // the word
	Doc        string     // Markdown
	Definition diag.Range // where it is declared: in the spec, or in an OpenAPI document; zero: the language itself
}

// Meaning tells what stands at an offset of the text.
func (v *View) Meaning(offset int) (Meaning, bool) {
	i := v.tokenAt(offset)
	if i < 0 {
		return Meaning{}, false
	}
	r := v.tokens[i].Range
	m := Meaning{At: diag.Range{Source: v.source, Start: r.Start.Byte, End: r.End.Byte}}
	p, text := v.places[i], string(v.tokens[i].Bytes)
	isWord := v.tokens[i].Type == hclsyntax.TokenIdent
	switch {
	case p.part == namePart && isWord:
		v.nameMeaning(&m, p.block, text)
	case p.part == headPart:
		v.labelMeaning(&m, i, offset)
	case p.part != valuePart:
	case !isWord:
		v.quotedMeaning(&m, i)
	case p.key:
		if row, inside := v.rowAt(p); row != nil && p.in == inside {
			for j := range row.members {
				if row.members[j].name == text {
					m.Doc = attributeDoc(&row.members[j])
				}
			}
		}
	default:
		v.wordMeaning(&m, i)
	}
	return m, m.Doc != "" || !m.Definition.IsZero()
}

// tokenAt is the word or quoted text at an offset, or -1.
func (v *View) tokenAt(offset int) int {
	i, word := v.at(offset)
	if word.start < 0 {
		return -1
	}
	for ; i < len(v.tokens) && v.tokens[i].Range.Start.Byte <= offset; i++ {
		switch v.tokens[i].Type {
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit:
			return i
		}
	}
	return -1
}

func (v *View) nameMeaning(m *Meaning, in *outlineBlock, name string) {
	if c := v.kindOf(in); c != nil {
		if inner := c.child(name); inner != nil {
			m.Doc = blockDoc(inner)
			return
		}
	}
	if row := v.row(in, name); row != nil {
		m.Doc = attributeDoc(row)
	}
}

// labelMeaning is that of token i in the head of a block.
func (v *View) labelMeaning(m *Meaning, i, offset int) {
	p := v.places[i]
	text := unescape(string(v.tokens[i].Bytes), true)
	switch {
	case p.head == "input" && p.label == 0:
		if owner := v.owner(p.block); owner != nil {
			for _, a := range v.offered(v.texts[0], owner) {
				if a.name == text {
					m.Doc, m.Definition = argumentDoc(a), a.place
					return
				}
			}
		}
	case p.head == "override" && p.label == 0:
		v.operationMeaning(m, p.block.label(), text)
		return
	case p.head == "request" && p.label == 1:
		raw := string(v.tokens[i].Bytes)
		start := v.tokens[i].Range.Start.Byte
		for _, q := range pathParam.FindAllStringSubmatchIndex(raw, -1) {
			if start+q[0] <= offset && offset <= start+q[1] {
				m.At.Start, m.At.End = start+q[0], start+q[1]
				v.argumentMeaning(m, p.block, raw[q[2]:q[3]])
				return
			}
		}
	}
	if c := v.kindOf(p.block); c != nil {
		if c = c.child(p.head); c != nil && m.Doc == "" {
			m.Doc = blockDoc(c)
		}
	}
}

// quotedMeaning is that of token i, a text in quotes in a value.
func (v *View) quotedMeaning(m *Meaning, i int) {
	p := v.places[i]
	text := unescape(string(v.tokens[i].Bytes), true)
	if p.in == nil || p.in.kind != quoteBracket {
		return
	}
	switch {
	case v.compared(p) != "":
		if d, ok := v.find(v.compared(p), text); ok {
			m.Doc, m.Definition = v.declaredDoc(d), d.place()
		}
	case p.attr.name == "tools" && p.in.outer != nil && p.in.outer.kind == listBracket:
		if row, _ := v.rowAt(p); row != nil && row.kind == textsKind {
			if d, ok := v.find("tool", text); ok {
				m.Doc, m.Definition = v.declaredDoc(d), d.place()
			}
		}
	case p.in.outer != nil && p.in.outer.kind == indexBracket:
		if chain := v.chain(p.in.outer.token - 1); chain != nil {
			v.referenceMeaning(m, p.block, append(chain, text))
		}
	case p.block.name == "expose" && p.block.parent != nil && (p.attr.name == "operations" || p.attr.name == "exclude"):
		v.operationMeaning(m, p.block.parent.label(), text)
	case p.block.name == "api" && p.attr.name == "openapi" && p.in.outer == nil && !specs.IsURL(text):
		// A path is relative to the spec, whose folder the name of this text tells.
		if !filepath.IsAbs(text) {
			text = filepath.Join(filepath.Dir(v.source.Name), text)
		}
		m.Definition = diag.Range{Source: &diag.Source{Name: text}}
	}
}

// wordMeaning is that of token i, a word in a value.
func (v *View) wordMeaning(m *Meaning, i int) {
	p, word := v.places[i], string(v.tokens[i].Bytes)
	row, _ := v.rowAt(p)
	if row == nil {
		return
	}
	call := i+1 < len(v.tokens) && v.tokens[i+1].Type == hclsyntax.TokenOParen
	switch {
	case row.kind == typeKind:
		if form := typeForms[word]; form != "" {
			m.Doc = "```hcl\n" + form + "\n```"
		} else if slices.Contains(simpleTypes, word) {
			m.Doc = "the type " + code(word)
		}
	case row.kind == credentialKind && call && credentialForms[word] != "":
		m.Doc = "```hcl\n" + credentialForms[word] + "\n```\n\n" + row.doc
	case call:
		for _, f := range functionTable() {
			if f.name == word {
				m.Doc = functionDoc(f)
			}
		}
	default:
		v.referenceMeaning(m, p.block, v.chain(i))
	}
}

// referenceMeaning is that of the last name of a reference.
func (v *View) referenceMeaning(m *Meaning, in *outlineBlock, chain []string) {
	kinds := map[string]string{"var": "variable", "local": "locals", "api": "api", "tool": "tool", "store": "store", "auth": "auth"}
	switch {
	case len(chain) == 1:
		m.Doc = rootDoc(chain[0])
	case len(chain) == 2 && kinds[chain[0]] != "":
		if d, ok := v.find(kinds[chain[0]], chain[1]); ok {
			m.Doc, m.Definition = v.declaredDoc(d), d.place()
		}
	case len(chain) == 3 && chain[0] == "api":
		v.operationMeaning(m, chain[1], chain[2])
	case len(chain) == 2 && chain[0] == "args":
		v.argumentMeaning(m, in, chain[1])
	case len(chain) == 2 && chain[0] == "step":
		if owner := v.owner(in); owner != nil {
			for _, b := range owner.blocks {
				if b.name == "step" && b.label() == chain[1] {
					d := declared{v.texts[0], chain[1], b, nil}
					m.Doc, m.Definition = "the output of step "+code(chain[1]), d.place()
				}
			}
		}
	}
}

func (v *View) operationMeaning(m *Meaning, api, id string) {
	if _, op := v.operation(api, id); op != nil {
		m.Doc, m.Definition = operationDoc(op), op.Range
	}
}

func (v *View) argumentMeaning(m *Meaning, in *outlineBlock, name string) {
	owner := v.owner(in)
	if owner == nil {
		return
	}
	for _, a := range v.arguments(v.texts[0], owner) {
		if a.name == name {
			m.Doc, m.Definition = argumentDoc(a), a.place
			return
		}
	}
}

func argumentDoc(a argument) string {
	need := "optional"
	if a.required {
		need = "required"
	}
	doc := fmt.Sprintf("input %s: %s, %s", code(a.name), code(cmp.Or(a.typ, "any")), need)
	if a.doc != "" {
		doc += "\n\n" + a.doc
	}
	return doc
}

// declaredDoc tells of a variable, local, api or tool.
func (v *View) declaredDoc(d declared) string {
	var b strings.Builder
	text := func(name string) string {
		if a := d.block.attr(name); a != nil {
			return d.sourceText(a.value)
		}
		return ""
	}
	switch d.block.name {
	case "variable":
		fmt.Fprintf(&b, "variable %s: %s", code(d.name), code(cmp.Or(text("type"), "any")))
		value, ok := v.shown(d, map[string]bool{})
		switch {
		case v.sensitive(d):
			b.WriteString("\n\n(sensitive)")
		case ok:
			b.WriteString(" = " + code(brief(value.JSON(), 200)))
		case v.spec.parser == nil || v.spec.parser.variables[d.name] == nil:
		case v.spec.parser.variables[d.name].value == nil:
			b.WriteString("\n\nno value is given here")
		default:
			b.WriteString("\n\nits value comes from outside of the spec")
		}
	case "locals":
		fmt.Fprintf(&b, "local %s = %s", code(d.name), code(d.sourceText(d.attr.value)))
		if value, ok := v.shown(d, map[string]bool{}); ok {
			if s := brief(value.JSON(), 200); s != brief(d.sourceText(d.attr.value), 200) {
				b.WriteString("\n\n= " + code(s))
			}
		}
	default:
		fmt.Fprintf(&b, "%s %s", d.block.name, code(d.name))
		for _, name := range []string{"operation", "openapi", "base_url"} {
			if s := text(name); s != "" {
				fmt.Fprintf(&b, "\n\n%s = %s", name, code(s))
			}
		}
	}
	if s := text("description"); s != "" {
		b.WriteString("\n\n" + strings.Trim(s, `"`))
	}
	return b.String()
}

func operationDoc(op *specs.Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** %s", op.Method, code(brief(op.Path, 200)))
	if op.Deprecated {
		b.WriteString(" (deprecated)")
	}
	for _, s := range []string{op.Summary, op.Description} {
		if s = brief(s, 400); s != "" && s != brief(op.Method+" "+op.Path, 400) {
			b.WriteString("\n\n" + s)
		}
		if op.Summary == op.Description {
			break
		}
	}
	return b.String()
}

func attributeDoc(a *attr) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s = %s\n\n%s", code(a.name), a.kind, a.doc)
	if a.words != nil {
		b.WriteString(": `" + strings.Join(a.words, "` `") + "`")
	}
	for i := range a.members {
		fmt.Fprintf(&b, "\n- %s: %s", code(a.members[i].name), a.members[i].doc)
	}
	switch {
	case a.required:
		b.WriteString("\n\nrequired")
	case a.standard != "":
		b.WriteString("\n\ndefault: " + a.standard)
	}
	fmt.Fprintf(&b, "\n\n```hcl\n%s\n```", a.example)
	return b.String()
}

func blockDoc(b *block) string {
	doc := b.doc
	if b.labelDoc != "" {
		doc = fmt.Sprintf("%s\n\n%s: %s", doc, b.label, b.labelDoc)
	}
	return doc + "\n\n```hcl\n" + b.example + "\n```"
}

func functionDoc(f *signature) string {
	doc := code(f.form()) + "\n\n" + f.doc
	for _, e := range f.examples {
		call, value, _ := strings.Cut(e, " → ")
		doc += fmt.Sprintf("\n\n%s → %s", code(call), code(value))
	}
	return doc
}

// rootDoc tells what references that begin with a name mean.
func rootDoc(name string) string {
	switch name {
	case "var":
		return "values from outside of the spec: `var.NAME`"
	case "local":
		return "values that a `locals` block names: `local.NAME`"
	case "api":
		return "`api.NAME` is an API, `api.NAME[\"id\"]` one of its operations"
	case "tool":
		return "`tool.NAME` is a tool"
	case "auth":
		return "`auth.NAME` is a way to authenticate"
	}
	for _, n := range phaseNames {
		if n.name == name {
			doc := code(name) + ", known " + n.known
			if n.members != nil {
				doc += ": `" + name + "." + strings.Join(n.members, "` `"+name+".") + "`"
			}
			return doc
		}
	}
	return ""
}
