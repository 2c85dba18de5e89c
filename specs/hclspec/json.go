package hclspec

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// The JSON form of HCL (.hcl.json) is turned into the same syntax tree as the
// native form: objects become blocks where the table says so, and texts are
// templates. From there on nobody knows the difference.

// sourceless drops the places of a value.
func sourceless(v *specs.Node) *specs.Node {
	v.Source = nil
	for i := range v.Fields {
		v.Fields[i].KeyStart = -1
		sourceless(v.Fields[i].Value)
	}
	return v
}

// jsonForm builds syntax trees of one JSON file.
type jsonForm struct {
	p    *parser
	name string // of the file's unit
}

func (p *parser) parseJSONForm(s *diag.Source) *file {
	name := p.addUnit(unit{source: s, text: s.Text})
	if len(s.Text) > maxBytes || !utf8.Valid(s.Text) || bytes.HasPrefix(s.Text, []byte("\xEF\xBB\xBF")) {
		p.checkText(s, name)
		return nil
	}
	root, bad := specs.ParseJSON(s)
	if bad != nil {
		p.add(*bad)
		return nil
	}
	j := &jsonForm{p, name}
	return &file{body: j.body(root, p.language)}
}

func (j *jsonForm) rng(start, end int32) hcl.Range {
	return hcl.Range{Filename: j.name, Start: hcl.Pos{Byte: int(start)}, End: hcl.Pos{Byte: int(end)}}
}

func (j *jsonForm) keyRange(f specs.Field) hcl.Range {
	r := f.KeyRange()
	return j.rng(int32(r.Start), int32(r.End))
}

func (j *jsonForm) wrong(n *specs.Node, message string) {
	j.p.add(diag.Diagnostic{Code: "wrong-type", Message: message, Hint: "LANGUAGE.md describes the JSON form", Range: n.Range()})
}

// body is an object as the body of a block.
func (j *jsonForm) body(n *specs.Node, b *block) *hclsyntax.Body {
	out := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: j.rng(n.Start, n.End), EndRange: j.rng(n.End, n.End)}
	if n.Kind != specs.Object {
		j.wrong(n, "an object is expected here")
		return out
	}
	for _, f := range n.Fields {
		if f.Key == "//" { // a comment, as in HCL's own JSON form
			continue
		}
		if child := b.child(f.Key); child != nil && !isShort(b, f) {
			j.blocks(out, child, f, f.Value, nil)
			continue
		}
		r := j.keyRange(f)
		if first := out.Attributes[f.Key]; first != nil {
			j.p.duplicateKey(f.Key, j.p.rng(r), j.p.rng(first.NameRange))
			continue
		}
		a := &hclsyntax.Attribute{Name: f.Key, NameRange: r, SrcRange: hcl.RangeBetween(r, j.rng(f.Value.Start, f.Value.End))}
		asExpr := false
		for _, row := range b.attrs {
			asExpr = asExpr || row.name == f.Key && row.kind.isSyntax()
		}
		a.Expr = j.expr(f.Value, asExpr)
		out.Attributes[f.Key] = a
	}
	return out
}

// isShort tells whether a member is the attribute that is the short form of a
// block. Objects, and lists of them, are blocks.
func isShort(b *block, f specs.Field) bool {
	v := f.Value
	if v.Kind == specs.Array && len(v.Fields) > 0 {
		v = v.Fields[0].Value
	}
	return v.Kind != specs.Object && slices.ContainsFunc(b.attrs, func(a attr) bool { return a.name == f.Key && a.block })
}

// holds tells whether an attribute or block of that name may be in the block.
func (b *block) holds(name string) bool {
	return name == "//" || b.child(name) != nil || slices.Contains(attrNames(b), name)
}

// child is the child block of that name, or nil.
func (b *block) child(name string) *block {
	for _, c := range b.inner {
		if c.name == name {
			return c
		}
	}
	return nil
}

// isSyntax reports whether the value of a setting is syntax rather than a
// value; in JSON it is written as text.
func (k kind) isSyntax() bool {
	return k == typeKind || k == typesKind || k == credentialKind || k == operationKind || k == apiKind || k == toolKind || k == storeKind
}

// blocks adds the blocks of one kind: the keys of nested objects are labels,
// lists hold several blocks.
func (j *jsonForm) blocks(out *hclsyntax.Body, b *block, f specs.Field, n *specs.Node, labels []specs.Field) {
	if n.Kind == specs.Array {
		for _, e := range n.Fields {
			j.blocks(out, b, f, e.Value, labels)
		}
		return
	}
	want := 0
	for _, l := range []string{b.label, b.second} {
		if l != "" {
			want++
		}
	}
	if b.optional && len(labels) == 0 && n.Kind == specs.Object && !slices.ContainsFunc(n.Fields, func(f specs.Field) bool { return !b.holds(f.Key) }) {
		want = 0 // its keys are those of the block, so they are no labels
	}
	if len(labels) < want {
		if n.Kind != specs.Object {
			j.wrong(n, fmt.Sprintf("%s takes an object whose keys are the %s", b.name, []string{b.label, b.second}[len(labels)]))
			return
		}
		for _, l := range n.Fields {
			if l.Key != "//" {
				j.blocks(out, b, f, l.Value, append(labels[:len(labels):len(labels)], l))
			}
		}
		return
	}
	r := j.keyRange(f)
	block := &hclsyntax.Block{Type: f.Key, TypeRange: r, Body: j.body(n, b), OpenBraceRange: j.rng(n.Start, n.Start), CloseBraceRange: j.rng(n.End, n.End)}
	for _, l := range labels {
		block.Labels = append(block.Labels, l.Key)
		block.LabelRanges = append(block.LabelRanges, j.keyRange(l))
	}
	if len(labels) > 0 {
		block.TypeRange = block.LabelRanges[0] // the key of the kind may be far away, and shared
	}
	out.Blocks = append(out.Blocks, block)
}

// expr is a value as an expression. Texts are templates, or with asExpr
// expressions.
func (j *jsonForm) expr(n *specs.Node, asExpr bool) hclsyntax.Expression {
	r := j.rng(n.Start, n.End)
	switch n.Kind {
	case specs.Bool:
		return &hclsyntax.LiteralValueExpr{Val: cty.BoolVal(n.IsTrue()), SrcRange: r}
	case specs.Number:
		return &hclsyntax.LiteralValueExpr{Val: cty.Zero, SrcRange: r} // its digits are taken from the source
	case specs.String:
		return j.text(n, asExpr)
	case specs.Array:
		list := &hclsyntax.TupleConsExpr{SrcRange: r, OpenRange: r}
		for _, f := range n.Fields {
			list.Exprs = append(list.Exprs, j.expr(f.Value, false))
		}
		return list
	case specs.Object:
		object := &hclsyntax.ObjectConsExpr{SrcRange: r, OpenRange: r}
		for _, f := range n.Fields {
			kr := j.keyRange(f)
			key := j.text(&specs.Node{Kind: specs.String, Text: f.Key, Source: n.Source, Start: int32(kr.Start.Byte), End: int32(kr.End.Byte)}, false)
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: j.expr(f.Value, asExpr)})
		}
		return object
	}
	return &hclsyntax.LiteralValueExpr{Val: cty.NullVal(cty.DynamicPseudoType), SrcRange: r}
}

// text parses the text of a JSON string. HCL sees the decoded text; places
// lead back into the file.
func (j *jsonForm) text(n *specs.Node, asExpr bool) hclsyntax.Expression {
	raw := n.Source.Text[n.Start:n.End]
	decoded := []byte(n.Text)
	name := j.p.addUnit(unit{source: n.Source, text: decoded, places: stringPlaces(raw, int(n.Start), len(decoded))})
	at := hcl.Pos{Line: 1, Column: 1}
	broken := &hclsyntax.ExprSyntaxError{SrcRange: j.rng(n.Start, n.End)}
	if suspicious(decoded) {
		tokens, _ := hclsyntax.LexTemplate(decoded, name, at)
		if asExpr {
			tokens, _ = hclsyntax.LexExpression(decoded, name, at)
		}
		if !j.p.checkTokens(tokens) {
			return broken
		}
	}
	var e hclsyntax.Expression
	var problems hcl.Diagnostics
	if asExpr && !strings.HasPrefix(n.Text, "${") {
		e, problems = hclsyntax.ParseExpression(decoded, name, at)
	} else {
		e, problems = hclsyntax.ParseTemplate(decoded, name, at)
	}
	if problems.HasErrors() {
		j.p.syntaxErrors(problems)
		return broken
	}
	return e
}

// stringPlaces maps each byte of a decoded JSON string to its offset in the
// file.
func stringPlaces(raw []byte, start, length int) []int {
	places := make([]int, 0, length+1)
	for i := 1; i < len(raw)-1; {
		at := start + i
		size := 1
		if raw[i] == '\\' {
			i += 2
			if raw[i-1] == 'u' {
				n, _ := strconv.ParseUint(string(raw[i:min(i+4, len(raw))]), 16, 16) // the text was decoded before: it is valid
				r := rune(n)
				i += 4
				if r >= 0xD800 && r < 0xDC00 && i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					size = 4 // a surrogate pair
					i += 6
				} else if size = utf8.RuneLen(r); size < 0 {
					size = 3 // half of a pair becomes U+FFFD
				}
			}
		} else {
			i++
		}
		for range size {
			places = append(places, at)
		}
	}
	for len(places) < length {
		places = append(places, start+len(raw)-1)
	}
	return append(places[:length], start+len(raw)-1)
}
