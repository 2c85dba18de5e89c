package specs

import (
	"strconv"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Kind is the kind of a [Node].
type Kind uint8

// Kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Node is a JSON value as it was written: keys in order, numbers digit for
// digit, nulls kept, with its place. JSON, YAML and HCL values all arrive as
// Nodes. A Node built by mcpc itself has no Source.
type Node struct {
	Kind   Kind
	Text   string  // String: the decoded text; Number: its JSON digits; Bool: "true" or "false"
	Fields []Field // Object: members in order; Array: elements with empty keys
	Source *diag.Source
	Start  int32 // byte offsets in Source
	End    int32
}

// Field is a member of an object, or an element of an array.
type Field struct {
	Key      string
	Value    *Node
	KeyStart int32 // byte offset of the key in Value.Source; -1 when not known
}

// Range is the place of n.
func (n *Node) Range() diag.Range {
	if n == nil || n.Source == nil {
		return diag.Range{}
	}
	return diag.Range{Source: n.Source, Start: int(n.Start), End: int(n.End)}
}

// KeyRange is the place of the field's key, or of its value when the key's
// place is not known.
func (f Field) KeyRange() diag.Range {
	r := f.Value.Range()
	if r.Source != nil && f.KeyStart >= 0 {
		r.Start = int(f.KeyStart)
		r.End = min(r.Start+len(f.Key), len(r.Source.Text))
		if r.Source.Text[r.Start] == '"' || r.Source.Text[r.Start] == '\'' {
			r.End = min(r.End+2, len(r.Source.Text))
		}
	}
	return r
}

// Get returns the member called key, or nil. It is safe on a nil Node and on
// one that is no object.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Object {
		return nil
	}
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			return n.Fields[i].Value
		}
	}
	return nil
}

// Has reports whether the object n has the member key.
func (n *Node) Has(key string) bool { return n.Get(key) != nil }

// Set replaces the member called key, or appends it.
func (n *Node) Set(key string, v *Node) {
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			n.Fields[i].Value = v
			return
		}
	}
	n.Fields = append(n.Fields, Field{Key: key, Value: v, KeyStart: -1})
}

// Delete removes the member called key.
func (n *Node) Delete(key string) {
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			n.Fields = append(n.Fields[:i:i], n.Fields[i+1:]...)
			return
		}
	}
}

// Str returns the text of a string node, or "".
func (n *Node) Str() string {
	if n == nil || n.Kind != String {
		return ""
	}
	return n.Text
}

// IsTrue reports whether n is the boolean true.
func (n *Node) IsTrue() bool { return n != nil && n.Kind == Bool && n.Text == "true" }

// NewString returns a string node without a place.
func NewString(s string) *Node { return &Node{Kind: String, Text: s} }

// NewNumber returns a number node; digits must be a JSON number.
func NewNumber(digits string) *Node { return &Node{Kind: Number, Text: digits} }

// NewBool returns a boolean node.
func NewBool(b bool) *Node { return &Node{Kind: Bool, Text: strconv.FormatBool(b)} }

// NewObject returns an object node with the given members.
func NewObject(fields ...Field) *Node { return &Node{Kind: Object, Fields: fields} }

// NewArray returns an array node.
func NewArray(items ...*Node) *Node {
	n := &Node{Kind: Array}
	for _, v := range items {
		n.Fields = append(n.Fields, Field{Value: v, KeyStart: -1})
	}
	return n
}

// F makes a member.
func F(key string, v *Node) Field { return Field{Key: key, Value: v, KeyStart: -1} }

// AppendJSON appends n as compact JSON, members in their order.
func (n *Node) AppendJSON(b []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	switch n.Kind {
	case Bool, Number:
		return append(b, n.Text...)
	case String:
		return AppendQuoted(b, n.Text)
	case Array:
		b = append(b, '[')
		for i := range n.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = n.Fields[i].Value.AppendJSON(b)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i := range n.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendQuoted(b, n.Fields[i].Key)
			b = append(b, ':')
			b = n.Fields[i].Value.AppendJSON(b)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// JSON is n as compact JSON text.
func (n *Node) JSON() string { return string(n.AppendJSON(nil)) }

// AppendQuoted appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// Clone copies n deeply. Places are kept.
func (n *Node) Clone() *Node {
	if n == nil {
		return nil
	}
	c := *n
	if n.Fields != nil {
		c.Fields = make([]Field, len(n.Fields))
		for i, f := range n.Fields {
			f.Value = f.Value.Clone()
			c.Fields[i] = f
		}
	}
	return &c
}

// Equal reports whether two nodes are the same JSON value, written the same
// way: member order counts, places do not.
func (n *Node) Equal(m *Node) bool {
	if n == nil || m == nil {
		return n == m
	}
	if n.Kind != m.Kind || n.Text != m.Text || len(n.Fields) != len(m.Fields) {
		return false
	}
	for i := range n.Fields {
		if n.Fields[i].Key != m.Fields[i].Key || !n.Fields[i].Value.Equal(m.Fields[i].Value) {
			return false
		}
	}
	return true
}
