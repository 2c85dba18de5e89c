package compiler

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/specs"
)

// How named schemas refer to each other: which are recursive, how large they
// are when written in full, and where a chain of references would never reach
// a value.

// huge stands for "too large to matter".
const huge = 1 << 24

// def is a named schema of an API.
type def struct {
	name string // as in the document
	key  string // in $defs: portable
	rank int    // in the order of names
	node *specs.Node
	l    *lowerer

	lowerOnce sync.Once
	lowered   *schema

	// The rest is set by lowerer.measure, under its lock.
	measured  atomic.Bool
	index     int // Tarjan's
	low       int
	onStack   bool
	recursive bool    // reaches itself
	inlined   int     // bytes when written in full; saturates
	final     *schema // lowered, without endless in-place cycles
	refs      []*def
}

// schema returns the lowered schema, safe to emit.
func (d *def) schema() *schema {
	if !d.measured.Load() {
		d.l.measure(d)
	}
	return d.final
}

// raw returns the lowered schema as it was written, cycles included.
func (d *def) raw() *schema {
	d.lowerOnce.Do(func() { d.lowered = d.l.lower(d.node, place{}) })
	return d.lowered
}

// measure fills in what is known of d once all it refers to is lowered.
func (l *lowerer) measure(d *def) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !d.measured.Load() {
		l.visit(d)
	}
}

// visit is Tarjan's algorithm; a component is measured as soon as it is closed.
func (l *lowerer) visit(d *def) {
	l.next++
	d.index, d.low, d.onStack = l.next, l.next, true
	l.stack = append(l.stack, d)
	walk(d.raw(), func(s *schema) {
		if s.ref != nil && !slices.Contains(d.refs, s.ref) {
			d.refs = append(d.refs, s.ref)
		}
	})
	for _, to := range d.refs {
		switch {
		case to.index == 0:
			l.visit(to)
			d.low = min(d.low, to.low)
		case to.onStack:
			d.low = min(d.low, to.index)
		}
	}
	if d.low != d.index {
		return
	}
	first := len(l.stack) - 1
	for l.stack[first] != d {
		first--
	}
	component := slices.Clone(l.stack[first:])
	l.stack = l.stack[:first]
	recursive := len(component) > 1 || slices.Contains(d.refs, d)
	for _, c := range component {
		c.onStack = false
		c.recursive = recursive
		c.final = c.raw()
	}
	if recursive {
		k := knotsOf(component)
		for _, c := range component {
			c.final = k.untie(c)
		}
	}
	for _, c := range component {
		c.inlined = size(c.final)
		c.measured.Store(true)
	}
}

// walk calls f for s and all schemas below it, references not followed.
func walk(s *schema, f func(*schema)) {
	f(s)
	for i := range s.props {
		walk(s.props[i].schema, f)
	}
	for i := range s.subs {
		for _, c := range s.subs[i].list {
			walk(c, f)
		}
	}
}

// ownSize estimates the bytes of s itself, without subschemas; its description
// counts up to limit bytes.
func ownSize(s *schema, limit int) int {
	n := 2
	if desc := min(len(s.desc), limit); desc > 0 {
		n += desc + 17
	}
	if s.title != "" {
		n += len(s.title) + 11
	}
	for _, t := range s.types {
		n += len(t) + 10
	}
	for i := range s.words {
		n += len(s.words[i].key) + len(s.words[i].json) + 4
	}
	if len(s.props) > 0 {
		n += 16
	}
	if len(s.required) > 0 {
		n += 14
	}
	for _, r := range s.required {
		n += len(r) + 3
	}
	for i := range s.props {
		n += len(s.props[i].key) + 4
	}
	for i := range s.subs {
		n += len(s.subs[i].key) + 6 + len(s.subs[i].list)
	}
	return n
}

// size estimates the bytes of s with everything but recursive schemas inlined.
func size(s *schema) int {
	n := ownSize(s, maxText)
	if s.ref != nil {
		if s.ref.recursive || !s.ref.measured.Load() {
			n += len(s.ref.key) + 18
		} else {
			n += s.ref.inlined
		}
	}
	for i := range s.props {
		n += size(s.props[i].schema)
	}
	for i := range s.subs {
		for _, c := range s.subs[i].list {
			n += size(c)
		}
	}
	return min(n, huge)
}

// A cycle of references that never goes down into the value (Base is one of
// its children, each child is all of Base) makes every value invalid, or the
// validator give up. OpenAPI documents write such cycles for inheritance.
// untie replaces references that close one by the target's own rules, without
// what it combines: a child then still has the fields of Base. References
// inside allOf are replaced first, since that is the way to the parent.
func (k *knots) untie(d *def) *schema {
	if !slices.ContainsFunc(inPlace(d.raw(), true), func(to *def) bool { return k.all[to] == k.all[d] }) {
		return d.raw()
	}
	var rewrite func(s *schema, all bool) *schema
	rewrite = func(s *schema, all bool) *schema {
		c := *s
		c.subs = slices.Clone(s.subs)
		if s.ref != nil && k.all[s.ref] == k.all[d] &&
			(all || s.ref.rank <= d.rank && k.choices[s.ref] == k.choices[d]) {
			plain := withoutInPlace(s.ref.raw())
			if s.onlyAnnotates() {
				c = *overlay(s, plain)
				c.loose = true
				return &c
			}
			c.ref, c.loose = nil, true
			if i := slices.IndexFunc(c.subs, func(sb sub) bool { return sb.key == "allOf" }); i >= 0 {
				c.subs[i].list = append(slices.Clone(c.subs[i].list), plain)
			} else {
				c.subs = append(c.subs, sub{key: "allOf", form: schemaList, list: []*schema{plain}})
			}
		}
		for i := range c.subs {
			sb := &c.subs[i]
			if !isInPlace(sb.key) {
				continue
			}
			list := make([]*schema, len(sb.list))
			for j, k := range sb.list {
				list[j] = rewrite(k, all && sb.key == "allOf")
				c.loose = c.loose || list[j].loose
			}
			sb.list = list
			if sb.key == "oneOf" && slices.ContainsFunc(list, func(k *schema) bool { return k.loose }) {
				sb.key = "anyOf"
			}
		}
		dedupeWords(&c)
		return &c
	}
	return rewrite(d.raw(), true)
}

// withoutInPlace is s with only the rules that stand in itself.
func withoutInPlace(s *schema) *schema {
	c := *s
	c.ref = nil
	c.loose = true
	c.subs = nil
	for _, sb := range s.subs {
		if !isInPlace(sb.key) {
			c.subs = append(c.subs, sb)
		}
	}
	return &c
}

// isInPlace reports whether a keyword's schemas apply to the same value.
func isInPlace(key string) bool {
	switch key {
	case "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas":
		return true
	}
	return false
}

// inPlace lists what s refers to for the same value; without allOf, only what
// is reached by a choice.
func inPlace(s *schema, allOf bool) []*def {
	var out []*def
	var collect func(s *schema, all bool)
	collect = func(s *schema, all bool) {
		if s.ref != nil && (allOf || !all) {
			out = append(out, s.ref)
		}
		for i := range s.subs {
			if isInPlace(s.subs[i].key) {
				for _, c := range s.subs[i].list {
					collect(c, all && s.subs[i].key == "allOf")
				}
			}
		}
	}
	collect(s, true)
	return out
}

// knots says which named schemas of one component lead to each other for the
// same value: those with one number. A reference from one to another with its
// number closes a cycle.
type knots struct {
	all     map[*def]int // by any reference
	choices map[*def]int // by references outside of allOf
}

func knotsOf(component []*def) *knots {
	return &knots{all: knotted(component, true), choices: knotted(component, false)}
}

// knotted is Tarjan's algorithm over what [inPlace] lists. What the component
// refers to beside itself was measured before it.
func knotted(component []*def, allOf bool) map[*def]int {
	number := make(map[*def]int, len(component)) // of the component, once it is closed
	index := make(map[*def]int, len(component))
	var stack []*def
	var visit func(d *def) (low int)
	visit = func(d *def) int {
		own := len(index) + 1
		low := own
		index[d] = own
		stack = append(stack, d)
		for _, to := range inPlace(d.raw(), allOf) {
			switch {
			case index[to] == 0 && !to.measured.Load():
				low = min(low, visit(to))
			case index[to] > 0 && number[to] == 0:
				low = min(low, index[to])
			}
		}
		if low == own {
			for done := false; !done; stack = stack[:len(stack)-1] {
				top := stack[len(stack)-1]
				number[top] = own
				done = top == d
			}
		}
		return low
	}
	for _, d := range component {
		if index[d] == 0 {
			visit(d)
		}
	}
	return number
}
