package compiler

import (
	"slices"

	"github.com/mcpc-dev/mcpc/specs"
)

// Properties: their keys, and which of them belong to the direction at hand.

// belongsElsewhere reports whether a property is for the other direction only.
func (l *lowerer) belongsElsewhere(n *specs.Node) bool {
	word := "readOnly"
	if l.dir == output {
		word = "writeOnly"
	}
	for range 8 {
		if n.Get(word).IsTrue() {
			return true
		}
		ref := n.Get("$ref").Str()
		if all := n.Get("allOf"); ref == "" && all != nil && all.Kind == specs.Array && len(all.Fields) == 1 {
			ref = all.Fields[0].Value.Get("$ref").Str()
		}
		if ref == "" {
			return false
		}
		d := l.resolve(ref)
		if d == nil {
			return false
		}
		n = d.node
	}
	return false
}

// goneProps adds to gone the properties of n that belong to the other
// direction, wherever allOf has put them.
func (l *lowerer) goneProps(n *specs.Node, gone map[string]bool) map[string]bool {
	if !n.Has("required") && !n.Has("allOf") {
		return gone
	}
	own := map[string]bool{}
	var collect func(n *specs.Node, depth int)
	collect = func(n *specs.Node, depth int) {
		if n == nil || depth > 6 {
			return
		}
		if p := n.Get("properties"); p != nil && p.Kind == specs.Object {
			for i := range p.Fields {
				if l.belongsElsewhere(p.Fields[i].Value) {
					own[p.Fields[i].Key] = true
				}
			}
		}
		if d := l.resolve(n.Get("$ref").Str()); d != nil {
			collect(d.node, depth+1)
		}
		if all := n.Get("allOf"); all != nil && all.Kind == specs.Array {
			for i := range all.Fields {
				collect(all.Fields[i].Value, depth+1)
			}
		}
	}
	collect(n, 0)
	if len(own) == 0 {
		return gone
	}
	for k := range gone {
		own[k] = true
	}
	return own
}

func (l *lowerer) lowerProps(s *schema, v *specs.Node, at place) {
	if v.Kind != specs.Object {
		return
	}
	keys := l.keysOf(v)
	for i := range v.Fields {
		f := &v.Fields[i]
		if keys[i] == "" || l.belongsElsewhere(f.Value) {
			continue
		}
		p := prop{key: keys[i], wire: f.Key, schema: l.lower(f.Value, at)}
		if p.key != p.wire {
			if l.dir == output {
				// An answer is passed on as it came, so its keys cannot change.
				p.key, p.hidden = p.wire, true
			} else {
				l.renamed.Store(true)
			}
		}
		s.props = append(s.props, p)
	}
}

// keysOf returns the portable keys of an object of properties, in order; ""
// for a repeated member.
func (l *lowerer) keysOf(v *specs.Node) []string {
	good := true
	for i := range v.Fields {
		if !isPortable(v.Fields[i].Key) {
			good = false
			break
		}
	}
	names := make([]string, len(v.Fields))
	for i := range v.Fields {
		names[i] = v.Fields[i].Key
	}
	if !good {
		names = portableKeys(names, l.hashed)
	}
	if len(names) > 1 {
		seen := make(map[string]struct{}, len(names))
		for i, k := range names {
			if _, ok := seen[k]; ok {
				names[i] = ""
			}
			seen[k] = struct{}{}
		}
	}
	return names
}

// keyOf is the portable key of one property of n; false when answers hide it.
func (l *lowerer) keyOf(n *specs.Node, wire string) (string, bool) {
	if isPortable(wire) {
		return wire, true
	}
	if l.dir == output {
		return "", false
	}
	if p := n.Get("properties"); p != nil && p.Kind == specs.Object {
		for i, k := range l.keysOf(p) {
			if p.Fields[i].Key == wire && k != "" {
				return k, true
			}
		}
	}
	return portableKeys([]string{wire}, l.hashed)[0], true
}

func (l *lowerer) lowerRequired(s *schema, n *specs.Node, gone map[string]bool) {
	v := n.Get("required")
	if v == nil || v.Kind != specs.Array {
		return
	}
	for _, f := range v.Fields {
		if f.Value == nil || f.Value.Kind != specs.String || gone[f.Value.Text] {
			continue
		}
		wire := f.Value.Text
		if wire == "" && s.prop("") == nil {
			continue
		}
		key, ok := l.keyOf(n, wire)
		if !ok || slices.Contains(s.required, key) {
			continue
		}
		if key != wire && s.prop(key) == nil {
			// Required and not described: describe it, so that it has a wire name.
			s.props = append(s.props, prop{key: key, wire: wire, schema: &schema{}})
			l.renamed.Store(true)
		}
		s.required = append(s.required, key)
	}
}

func (l *lowerer) lowerDependentRequired(s *schema, n, v *specs.Node) {
	if v.Kind != specs.Object {
		return
	}
	var b []byte
	for _, f := range v.Fields {
		key, ok := l.keyOf(n, f.Key)
		if !ok || f.Value == nil || f.Value.Kind != specs.Array {
			continue
		}
		var names []string
		for _, e := range f.Value.Fields {
			if e.Value == nil || e.Value.Kind != specs.String {
				continue
			}
			if k, ok := l.keyOf(n, e.Value.Text); ok && !slices.Contains(names, k) {
				names = append(names, k)
			}
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(specs.AppendQuoted(b, key), ':')
		b = appendStrings(b, names)
	}
	if len(b) > 0 {
		s.words = append(s.words, word{"dependentRequired", "{" + string(b) + "}"})
	}
}
