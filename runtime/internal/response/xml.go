package response

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// xsi is the namespace of xsi:nil (XML Schema, part 1).
const xsi = "http://www.w3.org/2001/XMLSchema-instance"

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
	return d.undecoded(b, text, "XML", err)
}

// readXML reads an XML document as JSON.
func (d *Decoder) readXML(b *body) (value, error) {
	doc, err := d.document(b)
	if err != nil {
		return value{}, err
	}
	w := xmlWriter{out: make([]byte, 0, len(b.bytes))}
	switch {
	case doc.envelope && doc.first == nil:
		w.out = append(w.out, "{}"...)
	case d.shape != nil && len(d.shape.Nodes) > 0:
		if w.shape = d.shape; doc.envelope {
			doc = doc.first
		}
		w.value(doc, 1)
	case doc.envelope:
		w.plain(doc)
	default:
		w.out = append(append(w.out, '{'), doc.name.quoted...)
		w.group(doc)
		w.out = append(w.out, '}')
	}
	if len(w.out) <= maxConverted {
		return value{json: w.out, cut: b.cut}, nil
	}
	c, ok := shorten(w.out, maxConverted)
	if !ok {
		return value{}, undecoded("it would be too large")
	}
	return value{json: c.text, cut: true, where: c.String()}, nil
}

// document reads a document and returns the element that counts: its root, or of
// a SOAP envelope what is in its body.
func (d *Decoder) document(b *body) (*element, error) {
	r := xmlReader{text: b.utf8(xmlEncoding(b.bytes)), names: map[string]*xmlName{}, d: d}
	root, whole, err := r.read()
	switch {
	case err != nil:
		return nil, err
	case root == nil:
		return nil, undecoded("it has no element")
	case !whole && !b.cut:
		return nil, undecoded("it ends before its root element does")
	}
	if d.soap {
		if body := soapBody(root); body != nil {
			return body, nil
		}
	}
	return root, nil
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

// xmlWriter writes elements as JSON.
type xmlWriter struct {
	out   []byte
	shape *plan.Shape // nil: the general mapping
}

// value writes an element as what node n of the shape says.
func (w *xmlWriter) value(e *element, n int) {
	node := w.shape.Node(n)
	switch {
	case e.null:
		w.out = append(w.out, "null"...)
	case node == nil:
		w.plain(e)
	case node.Type == "array":
		w.list(e.kids(), node.Items)
	case node.Type == "object" || node.Type == "" && len(node.Props) > 0 && (e.first != nil || len(e.attrs) > 0):
		w.object(e, node)
	case e.first != nil || node.Type == "" && len(e.attrs) > 0:
		w.plain(e)
	case node.Type == "":
		w.scalar(e.text, e.name.kind)
	default:
		w.scalar(e.text, node.Type)
	}
}

// plain writes an element by the general mapping.
func (w *xmlWriter) plain(e *element) {
	if e.null {
		w.out = append(w.out, "null"...)
		return
	}
	if e.first == nil && len(e.attrs) == 0 {
		w.scalar(e.text, e.name.kind)
		return
	}
	w.out = append(w.out, '{')
	from := len(w.out)
	for _, a := range e.attrs {
		if a.name.owner == e { // there is another of another namespace
			w.out = w.out[:from-1]
			w.object(e, &plan.ShapeNode{})
			return
		}
		a.name.owner = e
		w.out = append(w.out, a.name.quoted...)
		w.scalar(a.value, a.name.kind)
		w.out = append(w.out, ',')
	}
	e.groupChildren()
	for k := e.first; k != nil; k = k.next {
		if k.follows {
			continue
		}
		w.out = append(w.out, k.name.quoted...)
		w.group(k)
		w.out = append(w.out, ',')
	}
	if text := bytes.TrimSpace(e.text); len(text) > 0 {
		w.out = append(w.out, `"#text":`...)
		w.scalar(text, e.name.kind)
		w.out = append(w.out, ',')
	}
	if len(w.out) > from {
		w.out[len(w.out)-1] = '}'
	} else {
		w.out = append(w.out, '}')
	}
}

// groupChildren links the children that have a name in common and were not
// written yet.
func (e *element) groupChildren() {
	for k := e.first; k != nil; k = k.next {
		if k.used {
			continue
		}
		n := k.name
		if n.owner == e {
			n.tail.same, k.follows = k, true
		}
		n.owner, n.tail = e, k
	}
}

// group writes an element with those of its siblings that have its name: alone
// it is a value, or a list where one is wanted.
func (w *xmlWriter) group(e *element) {
	if e.same == nil && !e.name.list {
		w.plain(e)
		return
	}
	w.out = append(w.out, '[')
	for k := e; k != nil; k = k.same {
		if k != e {
			w.out = append(w.out, ',')
		}
		w.plain(k)
	}
	w.out = append(w.out, ']')
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

func (w *xmlWriter) scalar(text []byte, kind string) { w.out = appendScalar(w.out, text, kind) }

// appendScalar writes text as a value of a JSON type, digit for digit. A text
// that is no such value stays a string: whoever named the type was wrong, and the
// text is what there is.
func appendScalar(out, text []byte, kind string) []byte {
	if kind != "" && kind != "string" {
		trimmed := bytes.TrimSpace(text)
		if len(trimmed) == 0 {
			return append(out, "null"...)
		}
		switch word := string(trimmed); {
		case kind == "boolean" && (word == "true" || word == "1"):
			return append(out, "true"...)
		case kind == "boolean" && (word == "false" || word == "0"):
			return append(out, "false"...)
		case kind == "integer" && isNumber(trimmed, true), kind == "number" && isNumber(trimmed, false):
			return append(out, trimmed...)
		}
	}
	return appendText(out, text)
}

// isNumber tells whether a text is a JSON number (RFC 8259, section 6); whole: an
// integer, which may have a fraction of zeros.
func isNumber(s []byte, whole bool) bool {
	s = bytes.TrimPrefix(s, []byte("-"))
	digits := func() int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n
	}
	n := digits()
	if n == 0 || n > 1 && s[0] == '0' {
		return false
	}
	if s = s[n:]; len(s) > 0 && s[0] == '.' {
		s = s[1:]
		if n = digits(); n == 0 || whole && len(bytes.Trim(s[:n], "0")) > 0 {
			return false
		}
		s = s[n:]
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') && !whole {
		if s = s[1:]; len(s) > 0 && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if n = digits(); n == 0 {
			return false
		}
		s = s[n:]
	}
	return len(s) == 0
}

// appendText writes text as a JSON string.
func appendText(out, text []byte) []byte {
	out, _ = jsontext.AppendQuote(out, text) // the error only tells of the replacement
	return out
}
