package response

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	xmlns = "xmlns"
	xsi   = "http://www.w3.org/2001/XMLSchema-instance"
)

// element is an element of a document.
type element struct {
	name  string
	attrs []xml.Attr // without namespace declarations
	kids  []*element
	text  []byte // all of it, joined
	null  bool   // xsi:nil
}

// xml delivers an XML document as JSON.
func (d *Decoder) xml(b *body) *result.Result {
	v, err := d.readXML(b)
	if err == nil {
		return d.deliver(b, v)
	}
	text := b.utf8(xmlEncoding(b.bytes))
	if looksHTML(text) {
		return d.html(b)
	}
	return d.text(b, string(text))
}

// readXML reads an XML document as JSON.
func (d *Decoder) readXML(b *body) (value, error) {
	text := b.utf8(xmlEncoding(b.bytes))
	root, whole, err := parseXML(text)
	if err != nil || root == nil || !whole && !b.cut {
		return value{}, errUndecoded
	}
	var w xmlWriter
	if d.shape != nil && len(d.shape.Nodes) > 0 {
		w.shape = d.shape
		w.value(root, 1)
	} else {
		w.out = append(result.AppendString(append(w.out, '{'), root.name), ':')
		w.value(root, 0)
		w.out = append(w.out, '}')
	}
	if len(w.out) <= maxConverted {
		return value{json: w.out, cut: b.cut}, nil
	}
	c, ok := shorten(w.out, maxConverted)
	if !ok {
		return value{}, errUndecoded
	}
	return value{json: c.text, cut: true, where: c.String()}, nil
}

// xmlEncoding is the encoding an XML declaration names; "" without one.
func xmlEncoding(text []byte) string {
	head := start(text)
	if !bytes.HasPrefix(head, []byte("<?xml")) {
		return ""
	}
	head, _, found := bytes.Cut(head[:min(len(head), 256)], []byte("?>"))
	if !found {
		return ""
	}
	_, rest, found := bytes.Cut(head, []byte("encoding"))
	if !found {
		return ""
	}
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(rest[1:], rest[:1])
	label := strings.ToLower(string(name))
	if strings.HasPrefix(label, "utf-16") {
		return "" // then these letters could not have been read
	}
	return label
}

var errXML = errors.New("not an XML document that is decoded")

// parseXML reads a document. whole is false when it broke off: then the tree
// holds what was complete.
func parseXML(text []byte) (root *element, whole bool, err error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	var open []*element
	count := 0
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return root, root != nil && len(open) == 0, nil
		}
		if err != nil {
			if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok && dec.InputOffset() >= int64(len(text)) || ok && syntax.Msg == "unexpected EOF" {
				if n := len(open); n > 1 { // its text may not be all there
					up := open[n-2]
					up.kids = up.kids[:len(up.kids)-1]
				}
				return root, false, nil
			}
			return nil, false, errXML
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if count++; count > maxElements || len(open) >= maxDepth || root != nil && len(open) == 0 {
				return nil, false, errXML
			}
			e := &element{name: tok.Name.Local}
			for _, a := range tok.Attr {
				switch {
				case a.Name.Space == xmlns || a.Name.Space == "" && a.Name.Local == xmlns:
				case a.Name.Space == xsi:
					e.null = e.null || a.Name.Local == "nil" && (a.Value == "true" || a.Value == "1")
				default:
					e.attrs = append(e.attrs, a)
				}
			}
			if root == nil {
				root = e
			} else {
				up := open[len(open)-1]
				up.kids = append(up.kids, e)
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if n := len(open); n > 0 {
				open[n-1].text = append(open[n-1].text, tok...)
			} else if len(bytes.TrimSpace(tok)) > 0 {
				return nil, false, errXML
			}
		}
	}
}

// xmlWriter writes elements as JSON.
type xmlWriter struct {
	out   []byte
	shape *plan.Shape // nil: the general mapping
}

// value writes an element as what node n of the shape says.
func (w *xmlWriter) value(e *element, n int) {
	node := w.shape.Node(n)
	if e.null {
		w.out = append(w.out, "null"...)
		return
	}
	if node == nil {
		node = &plan.ShapeNode{}
	}
	switch {
	case node.Type == "array":
		w.list(e.kids, node.Items)
	case node.Type == "object" || node.Type == "" && len(node.Props) > 0 && len(e.kids)+len(e.attrs) > 0:
		w.object(e, node)
	case len(e.kids) > 0 || node.Type == "" && len(e.attrs) > 0:
		w.object(e, &plan.ShapeNode{})
	default:
		w.scalar(e.text, node.Type)
	}
}

func (w *xmlWriter) list(kids []*element, n int) {
	w.out = append(w.out, '[')
	for i, k := range kids {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.value(k, n)
	}
	w.out = append(w.out, ']')
}

// scalar writes text as a value of a JSON type. A text that is no such value
// stays a string: the schema was wrong, and the text is what there is.
func (w *xmlWriter) scalar(text []byte, kind string) {
	trimmed := bytes.TrimSpace(text)
	switch kind {
	case "integer", "number":
		if len(trimmed) == 0 {
			w.out = append(w.out, "null"...)
			return
		}
		if c := trimmed[len(trimmed)-1]; (trimmed[0] == '-' || trimmed[0] >= '0' && trimmed[0] <= '9') && c >= '0' && c <= '9' && jsontext.Value(trimmed).IsValid() {
			w.out = append(w.out, trimmed...)
			return
		}
	case "boolean":
		switch string(trimmed) {
		case "":
			w.out = append(w.out, "null"...)
			return
		case "true", "1":
			w.out = append(w.out, "true"...)
			return
		case "false", "0":
			w.out = append(w.out, "false"...)
			return
		}
	}
	w.out = result.AppendString(w.out, string(text))
}

// members writes the members of an object, each name once.
type members struct {
	*xmlWriter
	taken names
	from  *element
	used  []bool // of from's kids
	attrs []bool // of from's attributes
	text  bool   // from's text is used
	depth int    // of objects without an element of their own
}

func (m *members) key(name string) {
	if len(m.taken) > 0 {
		m.out = append(m.out, ',')
	}
	m.out = append(result.AppendString(m.out, m.taken.unique(name)), ':')
}

// object writes an element with its attributes and children.
func (w *xmlWriter) object(e *element, node *plan.ShapeNode) {
	m := &members{xmlWriter: w, taken: names{}, from: e, used: make([]bool, len(e.kids)), attrs: make([]bool, len(e.attrs))}
	w.out = append(w.out, '{')
	m.known(node)
	m.others(node.Extra)
	w.out = append(w.out, '}')
}

// named returns the children of the first name that any has. The name a schema
// gives itself is meant for where it is a root as often as for everywhere, so
// the member's own name is tried too.
func (m *members) named(names ...string) []*element {
	for _, name := range names {
		if found := m.take(name); found != nil {
			return found
		}
	}
	return nil
}

// take returns the children of these names that were not taken before.
func (m *members) take(names ...string) []*element {
	var found []*element
	for i, k := range m.from.kids {
		if !m.used[i] && slices.Contains(names, k.name) {
			m.used[i] = true
			found = append(found, k)
		}
	}
	return found
}

// known writes the members the shape names, in its order.
func (m *members) known(node *plan.ShapeNode) {
	for _, p := range node.Props {
		child := m.shape.Node(p.Node)
		if child == nil {
			child = &plan.ShapeNode{}
		}
		x := child.XML
		if x == nil {
			x = &plan.XMLName{}
		}
		name := x.Name
		if name == "" {
			name = p.Wire
		}
		switch {
		case x.Attribute:
			for i, a := range m.from.attrs {
				if !m.attrs[i] && a.Name.Local == name {
					m.attrs[i] = true
					m.key(p.Key)
					m.scalar([]byte(a.Value), child.Type)
					break
				}
			}
		case x.Text:
			m.text = true
			m.key(p.Key)
			m.scalar(m.from.text, child.Type)
		case child.Type == "array":
			m.array(p, child, x, name)
		case x.None && child.Type == "object" && len(child.Props) > 0 && m.depth < maxDepth:
			// Its members are among this element's; the object is made of them.
			m.key(p.Key)
			inner := *m
			inner.taken, inner.depth = names{}, m.depth+1
			m.out = append(m.out, '{')
			inner.xmlWriter = m.xmlWriter
			inner.known(child)
			m.out = append(m.out, '}')
			m.text = inner.text
		default:
			found := m.named(name, p.Wire)
			if len(found) == 0 {
				continue
			}
			m.key(p.Key)
			if len(found) == 1 {
				m.value(found[0], p.Node)
			} else {
				m.list(found, p.Node)
			}
		}
	}
}

// array writes a list: of the children of one element, or of children of this
// one. Descriptions often say the one where services do the other, so what is
// there decides where it can.
func (m *members) array(p plan.ShapeProp, child *plan.ShapeNode, x *plan.XMLName, name string) {
	item := ""
	if n := m.shape.Node(child.Items); n != nil && n.XML != nil {
		item = n.XML.Name
	}
	var found []*element
	if x.Wrapped {
		found = m.named(name, p.Wire)
		if len(found) == 0 {
			return
		}
		if len(found) == 1 {
			found = found[0].kids
		}
	} else {
		names := []string{name, p.Wire}
		if item != "" {
			names = []string{item}
			if !slices.ContainsFunc(m.from.kids, func(k *element) bool { return k.name == item }) {
				names = append(names, name, p.Wire)
			}
		}
		found = m.take(names...)
		if item != "" && len(found) == 1 && found[0].name != item && len(found[0].kids) > 0 &&
			!slices.ContainsFunc(found[0].kids, func(k *element) bool { return k.name != item }) {
			found = found[0].kids
		}
	}
	m.key(p.Key)
	m.list(found, child.Items)
}

// others writes what no schema names.
func (m *members) others(extra int) {
	for i, a := range m.from.attrs {
		if !m.attrs[i] {
			m.key("@" + a.Name.Local)
			m.out = result.AppendString(m.out, a.Value)
		}
	}
	var order []string
	same := map[string][]*element{}
	for i, k := range m.from.kids {
		if m.used[i] {
			continue
		}
		if same[k.name] == nil {
			order = append(order, k.name)
		}
		same[k.name] = append(same[k.name], k)
	}
	for _, name := range order {
		m.key(name)
		if found := same[name]; len(found) == 1 {
			m.value(found[0], extra)
		} else {
			m.list(found, extra)
		}
	}
	if text := bytes.TrimSpace(m.from.text); !m.text && len(text) > 0 {
		m.key("#text")
		m.out = result.AppendString(m.out, string(text))
	}
}
