package response

import (
	"bytes"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// members writes the members of an object, each name once.
type members struct {
	*xmlWriter
	taken names
	from  *element
	attrs []bool // of from's attributes, that they were written
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
	m := &members{xmlWriter: w, taken: names{}, from: e, attrs: make([]bool, len(e.attrs))}
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
	for k := m.from.first; k != nil; k = k.next {
		if !k.used && slices.Contains(names, k.name.text) {
			k.used = true
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
				if !m.attrs[i] && a.name.text[1:] == name {
					m.attrs[i] = true
					m.key(p.Key)
					m.scalar(a.value, child.Type)
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
			found = found[0].kids()
		}
	} else {
		names := []string{name, p.Wire}
		if item != "" {
			names = []string{item}
			if m.from.child(item) == nil {
				names = append(names, name, p.Wire)
			}
		}
		found = m.take(names...)
		if item != "" && len(found) == 1 && found[0].name.text != item && found[0].first != nil &&
			!slices.ContainsFunc(found[0].kids(), func(k *element) bool { return k.name.text != item }) {
			found = found[0].kids()
		}
	}
	m.key(p.Key)
	m.list(found, child.Items)
}

// others writes what no schema names.
func (m *members) others(extra int) {
	for i, a := range m.from.attrs {
		if !m.attrs[i] {
			m.key(a.name.text)
			m.scalar(a.value, a.name.kind)
		}
	}
	m.from.groupChildren()
	for k := m.from.first; k != nil; k = k.next {
		if k.used || k.follows {
			continue
		}
		m.key(k.name.text)
		if k.same == nil && !k.name.list {
			m.value(k, extra)
			continue
		}
		var group []*element
		for o := k; o != nil; o = o.same {
			group = append(group, o)
		}
		m.list(group, extra)
	}
	if text := bytes.TrimSpace(m.from.text); !m.text && len(text) > 0 {
		m.key("#text")
		m.scalar(text, m.from.name.kind)
	}
}
