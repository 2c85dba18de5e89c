package request

import (
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// xmlWriter writes a value as XML 1.0 by OpenAPI's xml object: members in the
// schema's order, then unknown ones in the argument's. null is left out.
type xmlWriter struct {
	b     []byte
	shape *plan.Shape
	// escaped says that characters may be replaced by references afterwards,
	// which a CDATA section cannot hold.
	escaped bool
}

// scope is the namespace of every prefix at a place; "" is the default one.
type scope map[string]string

func (b *body) xml(t tree) ([]byte, error) {
	root := b.Shape.Node(1)
	if t.kind == '"' && (root == nil || root.Type == "object" || root.Type == "array") {
		return []byte(t.text), nil // XML that the caller wrote
	}
	w := xmlWriter{b: []byte(`<?xml version="1.0" encoding="` + b.xmlEncoding + `"?>`), shape: b.Shape, escaped: b.encode != nil}
	name := "root"
	var err error
	if t.kind == '[' {
		err = w.list(t, 1, name, b.label(), scope{}, true)
	} else {
		err = w.element(t, 1, name, b.label(), scope{})
	}
	return w.b, err
}

func (w *xmlWriter) xmlName(n int) plan.XMLName {
	if node := w.shape.Node(n); node != nil && node.XML != nil {
		return *node.XML
	}
	return plan.XMLName{}
}

// list writes an array: its elements one after the other, within an element of
// their own when wrapped. Unwrapped, the array's own name does not count.
func (w *xmlWriter) list(t tree, n int, name, at string, in scope, wrap bool) error {
	x := w.xmlName(n)
	items := 0
	if node := w.shape.Node(n); node != nil {
		items = node.Items
	}
	if !x.Wrapped && !wrap {
		return w.items(t, items, name, at, in)
	}
	if x.Name != "" {
		name = x.Name
	}
	end, in, err := w.open(x, name, nil, at, in)
	if err != nil {
		return err
	}
	if err := w.items(t, items, name, at, in); err != nil {
		return err
	}
	w.b = append(w.b, end...)
	return nil
}

func (w *xmlWriter) items(t tree, n int, name, at string, in scope) error {
	for _, item := range t.items {
		var err error
		if item.kind == '[' {
			err = w.list(item, n, name, at, in, true)
		} else {
			err = w.element(item, n, name, at, in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attribute is a member that is written into the start tag.
type attribute struct {
	x     plan.XMLName
	name  string
	value string
}

func (w *xmlWriter) element(t tree, n int, name, at string, in scope) error {
	x := w.xmlName(n)
	if x.Name != "" {
		name = x.Name
	}
	var attributes []attribute
	if t.kind == '{' {
		err := w.members(t, n, at, func(item tree, n int, name, at string) error {
			x := w.xmlName(n)
			if !x.Attribute || item.absent() {
				return nil
			}
			if x.Name != "" {
				name = x.Name
			}
			value := item.scalar()
			if item.kind == '[' {
				var list []string
				for _, v := range item.items {
					list = append(list, v.scalar())
				}
				value = strings.Join(list, " ")
			}
			attributes = append(attributes, attribute{x, name, value})
			return nil
		})
		if err != nil {
			return err
		}
	}
	if x.None {
		return w.content(t, n, at, in)
	}
	end, in, err := w.open(x, name, attributes, at, in)
	if err != nil {
		return err
	}
	if err := w.content(t, n, at, in); err != nil {
		return err
	}
	w.b = append(w.b, end...)
	return nil
}

// content writes what stands between an element's tags.
func (w *xmlWriter) content(t tree, n int, at string, in scope) error {
	if t.kind != '{' {
		return w.text(t.scalar(), at, false)
	}
	return w.members(t, n, at, func(item tree, n int, name, at string) error {
		x := w.xmlName(n)
		switch {
		case x.Attribute || item.absent():
			return nil
		case x.CDATA && !w.escaped:
			return w.cdata(item.scalar(), at)
		case x.Text:
			return w.text(item.scalar(), at, false)
		case item.kind == '[':
			return w.list(item, n, name, at, in, false)
		}
		return w.element(item, n, name, at, in)
	})
}

// members visits an object's members, those the schema knows first.
func (w *xmlWriter) members(t tree, n int, at string, visit func(item tree, n int, name, at string) error) error {
	node := w.shape.Node(n)
	extra := 0
	if node != nil {
		extra = node.Extra
		for _, p := range node.Props {
			for i, key := range t.keys {
				if key == p.Key {
					if err := visit(t.items[i], p.Node, p.Wire, join(at, key)); err != nil {
						return err
					}
				}
			}
		}
	}
	for i, key := range t.keys {
		if node == nil || propOf(node, key) == nil {
			if err := visit(t.items[i], extra, key, join(at, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// open writes a start tag with the namespaces it needs, and returns the end tag
// and what is in scope inside.
func (w *xmlWriter) open(x plan.XMLName, name string, attributes []attribute, at string, in scope) (end string, inside scope, err error) {
	qualified := name
	if x.Prefix != "" {
		qualified = x.Prefix + ":" + name
	}
	if !isXMLName(qualified) {
		return "", nil, refuse(at, "cannot be sent: %s is no XML name", excerpt(qualified))
	}
	w.b = append(append(w.b, '<'), qualified...)
	inside = in
	declare := func(x plan.XMLName) error {
		if x.Namespace == "" || inside[x.Prefix] == x.Namespace {
			return nil
		}
		if inside = maps.Clone(inside); inside == nil {
			inside = scope{}
		}
		inside[x.Prefix] = x.Namespace
		w.b = append(w.b, " xmlns"...)
		if x.Prefix != "" {
			w.b = append(append(w.b, ':'), x.Prefix...)
		}
		w.b = append(w.b, `="`...)
		err := w.text(x.Namespace, at, true)
		w.b = append(w.b, '"')
		return err
	}
	if err := declare(x); err != nil {
		return "", nil, err
	}
	for _, a := range attributes {
		q := a.name
		// The default namespace does not apply to attributes.
		if a.x.Prefix != "" {
			q = a.x.Prefix + ":" + a.name
			if err := declare(a.x); err != nil {
				return "", nil, err
			}
		}
		if !isXMLName(q) {
			return "", nil, refuse(at, "cannot be sent: %s is no XML name", excerpt(q))
		}
		w.b = append(append(append(w.b, ' '), q...), `="`...)
		if err := w.text(a.value, join(at, a.name), true); err != nil {
			return "", nil, err
		}
		w.b = append(w.b, '"')
	}
	w.b = append(w.b, '>')
	return "</" + qualified + ">", inside, nil
}

// text escapes character data. XML has no way to write most control
// characters, so they are refused.
func (w *xmlWriter) text(s, at string, quoted bool) error {
	for _, r := range s {
		switch {
		case r == '&':
			w.b = append(w.b, "&amp;"...)
		case r == '<':
			w.b = append(w.b, "&lt;"...)
		case r == '>':
			w.b = append(w.b, "&gt;"...)
		case r == '"' && quoted:
			w.b = append(w.b, "&quot;"...)
		case r == '\r':
			w.b = append(w.b, "&#13;"...) // a parser would make a line feed of it
		case r == '\n' && quoted:
			w.b = append(w.b, "&#10;"...)
		case r == '\t' && quoted:
			w.b = append(w.b, "&#9;"...)
		case r < 0x20 && r != '\n' && r != '\t', r == 0xfffe, r == 0xffff:
			return refuse(at, "holds a control character that XML cannot carry; remove it")
		default:
			w.b = utf8.AppendRune(w.b, r)
		}
	}
	return nil
}

// cdata writes character data as a CDATA section; it ends around what cannot
// stand in one.
func (w *xmlWriter) cdata(s, at string) error {
	const open, end = "<![CDATA[", "]]>"
	start := len(w.b)
	if err := w.text(s, at, false); err != nil { // refuses what XML cannot carry
		return err
	}
	s = strings.NewReplacer(end, "]]"+end+open+">", "\r", end+"&#13;"+open).Replace(s)
	w.b = append(append(append(w.b[:start], open...), s...), end...)
	return nil
}

// isXMLName is the production Name of XML 1.0 (fifth edition), with at most one
// colon inside.
func isXMLName(s string) bool {
	if strings.Count(s, ":") > 1 || strings.HasSuffix(s, ":") {
		return false
	}
	start := true
	for _, r := range s {
		switch {
		case unicode.Is(nameStart, r):
			start = false
		case r == ':' && !start:
			start = true
		case start || !unicode.Is(nameMore, r):
			return false
		}
	}
	return s != ""
}

// nameStart is the standard's NameStartChar without the colon, and nameMore
// what NameChar adds.
var (
	nameStart = &unicode.RangeTable{
		R16: []unicode.Range16{
			{'A', 'Z', 1}, {'_', '_', 1}, {'a', 'z', 1}, {0xc0, 0xd6, 1}, {0xd8, 0xf6, 1}, {0xf8, 0x2ff, 1}, {0x370, 0x37d, 1},
			{0x37f, 0x1fff, 1}, {0x200c, 0x200d, 1}, {0x2070, 0x218f, 1}, {0x2c00, 0x2fef, 1}, {0x3001, 0xd7ff, 1},
			{0xf900, 0xfdcf, 1}, {0xfdf0, 0xfffd, 1},
		},
		R32:         []unicode.Range32{{0x10000, 0xeffff, 1}},
		LatinOffset: 5,
	}
	nameMore = &unicode.RangeTable{
		R16: []unicode.Range16{
			{'-', '.', 1}, {'0', '9', 1}, {0xb7, 0xb7, 1}, {0x300, 0x36f, 1}, {0x203f, 0x2040, 1},
		},
		LatinOffset: 3,
	}
)
