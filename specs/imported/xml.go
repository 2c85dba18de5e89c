package imported

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// Limits of an XML body whose texts become inputs; one beyond them is sent as it
// is.
const (
	maxLeaves   = 200
	maxXMLDepth = 100
)

// leaf is the text of an element without elements inside: where it stands, and
// what it says.
type leaf struct {
	name, text string
	start, end int
}

// leaves finds the texts of an XML document. Nil: there are none, or it is no
// document to take apart.
func leaves(text string) []leaf {
	d := xml.NewDecoder(strings.NewReader(text))
	var out []leaf
	var open []string
	var content strings.Builder
	start, inner := 0, false // of the innermost element: where its content begins; whether it is a leaf so far
	for {
		before := int(d.InputOffset())
		t, err := d.Token()
		if err != nil {
			if len(open) > 0 || d.InputOffset() < int64(len(text)) {
				return nil
			}
			return out
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil
		case xml.StartElement:
			if open = append(open, t.Name.Local); len(open) > maxXMLDepth {
				return nil
			}
			start, inner = int(d.InputOffset()), true
			content.Reset()
		case xml.CharData:
			content.Write(t)
		case xml.EndElement:
			if n := len(open); inner && strings.TrimSpace(content.String()) != "" && before > start {
				if out = append(out, leaf{open[n-1], content.String(), start, before}); len(out) > maxLeaves {
					return nil
				}
			}
			open, inner = open[:len(open)-1], false
		}
	}
}

// isXML reports whether a text is one well-formed element, without a document
// type and with all its prefixes declared.
func isXML(text string) bool {
	d := xml.NewDecoder(strings.NewReader(text))
	depth, roots := 0, 0
	for {
		t, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && depth == 0 && roots == 1
		}
		switch t := t.(type) {
		case xml.Directive:
			return false
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			if depth++; depth > maxXMLDepth {
				return false
			}
			names := []xml.Name{t.Name}
			for _, a := range t.Attr {
				names = append(names, a.Name)
			}
			for _, n := range names { // an undeclared prefix is left as it is
				if n.Space != "" && n.Space != "xmlns" && !strings.Contains(text, `"`+n.Space+`"`) && !strings.Contains(text, "'"+n.Space+"'") && n.Space != "http://www.w3.org/XML/1998/namespace" {
					return false
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(t)) != "" {
				return false
			}
		}
	}
}

// xml makes an input of every text of an XML body.
func (m *maker) xml(x *specs.Expr) *specs.Expr {
	text, ok := ConstText(x)
	if !ok {
		return x
	}
	var parts []*specs.Expr
	done := 0
	for _, l := range leaves(text) {
		value := m.value("xml", l.name, &observed{Field: Field{Name: l.name}, values: []*specs.Expr{Text(strings.TrimSpace(l.text))}})
		parts = append(parts, Text(text[done:l.start]), value)
		done = l.end
	}
	return Join(append(parts, Text(text[done:]))...)
}
