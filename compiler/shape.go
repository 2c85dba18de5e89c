package compiler

import (
	"errors"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// errAmbiguous says that one key of a value would have two names on the wire,
// depending on which alternative of a union the value is.
var errAmbiguous = errors.New("one key has two names on the wire")

// maxShape bounds the places of one shape; XML deeper than that is written
// without names of its own.
const maxShape = 20000

// shapeBuilder makes the map from a value to the wire. A place of the map joins
// all schemas that apply to the same value: which alternative of a union a
// value is does not matter to the names of its members.
type shapeBuilder struct {
	xml       bool // names, arrays and types are needed, not only other keys
	shape     plan.Shape
	known     map[string]int // by the schemas of a place
	ids       map[*schema]int
	ambiguous bool
}

// shapeOf returns the shape of a schema, or nil when values go to the wire as
// they are.
func shapeOf(s *schema, xml bool, rootName string) (*plan.Shape, error) {
	b := shapeBuilder{xml: xml, known: map[string]int{}, ids: map[*schema]int{}}
	b.place([]*schema{s})
	if b.ambiguous {
		return nil, errAmbiguous
	}
	if xml && rootName != "" {
		root := &b.shape.Nodes[0]
		if root.XML == nil {
			root.XML = &plan.XMLName{Name: rootName}
		} else if root.XML.Name == "" {
			x := *root.XML
			x.Name = rootName
			root.XML = &x
		}
	}
	if !xml {
		b.prune()
	}
	if len(b.shape.Nodes) == 0 {
		return nil, nil
	}
	return &b.shape, nil
}

// flatten lists the schemas that apply to the same value as those of list.
func flatten(list []*schema) []*schema {
	var out []*schema
	var add func(s *schema)
	add = func(s *schema) {
		if slices.Contains(out, s) {
			return
		}
		out = append(out, s)
		if s.ref != nil {
			add(s.ref.schema())
		}
		for i := range s.subs {
			switch s.subs[i].key {
			case "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas":
				for _, c := range s.subs[i].list {
					add(c)
				}
			}
		}
	}
	for _, s := range list {
		add(s)
	}
	return out
}

// place returns the number of the place that schemas describe together.
func (b *shapeBuilder) place(list []*schema) int {
	list = flatten(list)
	var key []byte
	for _, s := range list {
		id, ok := b.ids[s]
		if !ok {
			id = len(b.ids) + 1
			b.ids[s] = id
		}
		key = append(key, byte(id), byte(id>>8), byte(id>>16))
	}
	if n, ok := b.known[string(key)]; ok {
		return n
	}
	if len(b.shape.Nodes) >= maxShape {
		return 0
	}
	b.shape.Nodes = append(b.shape.Nodes, plan.ShapeNode{})
	n := len(b.shape.Nodes)
	b.known[string(key)] = n

	var node plan.ShapeNode
	var types []string
	var keys []string
	members := map[string][]*schema{}
	wires := map[string]string{}
	var items, extra []*schema
	for _, s := range list {
		for _, t := range s.types {
			if t != "null" && !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
		if node.XML == nil && s.xml != nil {
			node.XML = s.xml
		}
		for i := range s.props {
			p := &s.props[i]
			if w, ok := wires[p.key]; ok && w != p.wire {
				b.ambiguous = true
				continue
			} else if !ok {
				keys = append(keys, p.key)
				wires[p.key] = p.wire
			}
			members[p.key] = append(members[p.key], p.schema)
		}
		for i := range s.subs {
			switch s.subs[i].key {
			case "items", "prefixItems":
				items = append(items, s.subs[i].list...)
			case "additionalProperties", "patternProperties":
				extra = append(extra, s.subs[i].list...)
			}
		}
	}
	switch {
	case len(types) == 1:
		node.Type = types[0]
	case len(types) == 2 && slices.Contains(types, "number") && slices.Contains(types, "integer"):
		node.Type = "number"
	case len(types) == 0 && len(keys) > 0:
		node.Type = "object"
	case len(types) == 0 && len(items) > 0:
		node.Type = "array"
	}
	for _, k := range keys {
		node.Props = append(node.Props, plan.ShapeProp{Key: k, Wire: wires[k], Node: b.place(members[k])})
	}
	if len(items) > 0 {
		node.Items = b.place(items)
	}
	if len(extra) > 0 {
		node.Extra = b.place(extra)
	}
	b.shape.Nodes[n-1] = node
	return n
}

// prune keeps the places from which another key can be reached, and of those
// only what leads there.
func (b *shapeBuilder) prune() {
	nodes := b.shape.Nodes
	useful := make([]bool, len(nodes)+1)
	for changed := true; changed; {
		changed = false
		for i := range nodes {
			if useful[i+1] {
				continue
			}
			u := useful[nodes[i].Items] || useful[nodes[i].Extra]
			for _, p := range nodes[i].Props {
				u = u || p.Key != p.Wire || useful[p.Node]
			}
			if u {
				useful[i+1], changed = true, true
			}
		}
	}
	number := make([]int, len(nodes)+1)
	var kept []plan.ShapeNode
	for i := range nodes {
		if useful[i+1] {
			kept = append(kept, nodes[i])
			number[i+1] = len(kept)
		}
	}
	if len(kept) > 0 && !useful[1] {
		kept = nil // cannot be: every place is reached from the root
	}
	for i := range kept {
		n := &kept[i]
		n.XML = nil
		n.Items, n.Extra = number[n.Items], number[n.Extra]
		var props []plan.ShapeProp
		for _, p := range n.Props {
			p.Node = number[p.Node]
			// A known member that needs nothing still differs from an unknown
			// one when those are mapped.
			if p.Node != 0 || p.Key != p.Wire || n.Extra != 0 {
				props = append(props, p)
			}
		}
		n.Props = props
	}
	b.shape.Nodes = kept
}
