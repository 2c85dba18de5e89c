package openapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// inPlace calls f with each reference that applies to the very value s applies
// to.
func inPlace(s *specs.Node, f func(ref *specs.Node)) {
	if s == nil || s.Kind != specs.Object {
		return
	}
	for _, m := range s.Fields {
		switch m.Key {
		case "$ref":
			f(m.Value)
		case "allOf", "anyOf", "oneOf", "dependentSchemas":
			for _, item := range m.Value.Fields {
				inPlace(item.Value, f)
			}
		case "not", "if", "then", "else":
			inPlace(m.Value, f)
		}
	}
}

// maxCircle is how many references schemas may have among each other that all
// apply to one value. Documents write such circles for inheritance, and whoever
// reads the schemas has to make sense of them; but that takes time that grows
// with the square of their number, and no real document has nearly as many.
const maxCircle = 1000

// breakCycles takes references out of circles that are too large. It is
// Tarjan's algorithm over the references that apply to the same value.
func (p *parser) breakCycles() {
	index, low, closed := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var visit func(name string)
	visit = func(name string) {
		index[name] = len(index) + 1
		low[name] = index[name]
		first := len(stack)
		stack = append(stack, name)
		inPlace(p.schemas.done[name], func(ref *specs.Node) {
			to := strings.TrimPrefix(ref.Text, defs)
			if index[to] == 0 {
				visit(to)
				low[name] = min(low[name], low[to])
			} else if !closed[to] {
				low[name] = min(low[name], index[to])
			}
		})
		if low[name] != index[name] {
			return
		}
		circle := stack[first:]
		stack = stack[:first]
		within := map[string]bool{}
		for _, member := range circle {
			within[defs+member], closed[member] = true, true
		}
		refs := 0
		for _, member := range circle {
			inPlace(p.schemas.done[member], func(ref *specs.Node) {
				if within[ref.Text] {
					refs++
				}
			})
		}
		if refs <= maxCircle {
			return
		}
		for _, member := range circle {
			broken := map[string]bool{}
			inPlace(p.schemas.done[member], func(ref *specs.Node) {
				if to := strings.TrimPrefix(ref.Text, defs); within[ref.Text] && index[to] <= index[member] {
					broken[ref.Text] = true
					p.warn("circular-schema", ref.Range(), "", "the schema %q includes itself, through one of %d references in a circle; that reference is left out", to, refs)
				}
			})
			if len(broken) > 0 {
				p.schemas.done[member] = without(p.schemas.done[member], broken)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.schemas.done)) {
		if index[name] == 0 {
			visit(name)
		}
	}
}

// without returns a copy of s that lacks in-place references to some schemas.
func without(s *specs.Node, broken map[string]bool) *specs.Node {
	if s == nil || s.Kind != specs.Object {
		return s
	}
	out := with(s, specs.Object, "")
	for _, m := range s.Fields {
		switch m.Key {
		case "$ref":
			if broken[m.Value.Text] {
				continue
			}
		case "allOf", "anyOf", "oneOf", "dependentSchemas":
			list := with(m.Value, m.Value.Kind, "")
			for _, item := range m.Value.Fields {
				item.Value = without(item.Value, broken)
				list.Fields = append(list.Fields, item)
			}
			m.Value = list
		case "not", "if", "then", "else":
			m.Value = without(m.Value, broken)
		}
		out.Fields = append(out.Fields, m)
	}
	return out
}
