package codegen

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// node is a JSON value of a schema with its members in order.
type node struct {
	kind    jsontext.Kind
	text    string // of a scalar: a string's value, else the JSON
	members []member
	items   []*node
}

type member struct {
	name  string
	value *node
}

// parse reads the text of a schema.
func parse(s plan.Schema) (*node, error) {
	d := jsontext.NewDecoder(strings.NewReader(string(s)))
	n, err := read(d)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return n, nil
}

func read(d *jsontext.Decoder) (*node, error) {
	t, err := d.ReadToken()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	n := &node{kind: t.Kind()}
	switch n.kind {
	case '{':
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			v, err := read(d)
			if err != nil {
				return nil, err
			}
			n.members = append(n.members, member{key, v})
		}
		_, err = d.ReadToken()
	case '[':
		for d.PeekKind() != ']' {
			v, err := read(d)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, v)
		}
		_, err = d.ReadToken()
	default:
		n.text = t.String()
	}
	return n, err
}

// get returns a member, or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return nil
}

// str is the value of a string member, "" when there is none.
func (n *node) str(name string) string {
	if v := n.get(name); v != nil && v.kind == '"' {
		return v.text
	}
	return ""
}

// list are the elements of an array member.
func (n *node) list(name string) []*node {
	if v := n.get(name); v != nil {
		return v.items
	}
	return nil
}

// types are the types of a schema without null, and whether null is one.
func (n *node) types() (types []string, null bool) {
	v := n.get("type")
	if v == nil {
		return nil, false
	}
	all := []*node{v}
	if v.kind == '[' {
		all = v.items
	}
	for _, t := range all {
		if t.text == "null" {
			null = true
		} else {
			types = append(types, t.text)
		}
	}
	return types, null
}

// withType is n with another type.
func (n *node) withType(t string) *node {
	c := *n
	c.members = nil
	for _, m := range n.members {
		if m.name == "type" {
			m.value = &node{kind: '"', text: t}
		}
		c.members = append(c.members, m)
	}
	return &c
}

// dump is a text that tells schemas apart.
func (n *node) dump() string {
	var b strings.Builder
	var write func(n *node)
	write = func(n *node) {
		b.WriteByte(byte(n.kind))
		b.WriteString(n.text)
		for _, m := range n.members {
			b.WriteString(m.name + ":")
			write(m.value)
		}
		for _, i := range n.items {
			write(i)
			b.WriteByte(',')
		}
	}
	write(n)
	return b.String()
}
