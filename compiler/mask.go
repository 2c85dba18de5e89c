package compiler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Bounds of what is done for the answers of one tool. What lies beyond is left
// open.
const (
	maxMasked   = 4000  // schemas made anew
	maxSurveyed = 50000 // schemas looked at
)

// masker makes of the schema of an answer that of what a selection leaves of it.
// It allows at least what the runtime delivers; what it cannot tell, it leaves
// open. It runs the automaton that the runtime's shape package runs over values:
// a place is a step of a path that is still to be taken, or the end of a path.
type masker struct {
	steps    []maskStep // by place
	rename   map[string]string
	states   map[string]*maskState
	affected map[masking]bool // nil: nobody knows, so all are
	made     map[masking]*schema
	busy     map[masking]bool
	size     int
}

type maskStep struct {
	plan.PathStep
	end, drop bool
}

// maskState is a set of places.
type maskState struct {
	places []int // sorted
	moves  map[string]maskMove
	other  *maskMove // over a name that is not known
}

// maskMove is what a member means: whether it is wanted, whether it is not, and
// whether fields name it.
type maskMove struct {
	to                *maskState
	keep, drop, named bool
}

// masking is a schema in a state.
type masking struct {
	s    *schema
	at   *maskState
	keep bool
}

// maskSchema returns the schema of what a selection leaves of values of s, and
// whether that may be no object where the schema says it is one. The schema is
// nil when nothing is known of that.
func maskSchema(s *schema, sel *plan.Selection, maxItems int) (out *schema, empty bool) {
	if sel == nil {
		sel = &plan.Selection{}
	}
	for _, name := range sel.Root {
		var required bool
		if s, required = memberSchema(s, name); s == nil {
			return nil, false
		}
		empty = empty || !required || slices.ContainsFunc(flatten([]*schema{s}), func(s *schema) bool { return slices.Contains(s.types, "null") })
	}
	m := masker{rename: map[string]string{}, states: map[string]*maskState{}, made: map[masking]*schema{}, busy: map[masking]bool{}}
	for _, r := range sel.Rename {
		m.rename[r.From] = r.To
	}
	var start []int
	for i, p := range slices.Concat(sel.Fields, sel.Drop) {
		drop := i >= len(sel.Fields)
		start = append(start, len(m.steps))
		for _, step := range p {
			m.steps = append(m.steps, maskStep{PathStep: step, drop: drop})
		}
		m.steps = append(m.steps, maskStep{end: true, drop: drop})
	}
	first := m.state(start)
	m.survey(s, first)
	out = m.mask(s, first, sel.Fields == nil)
	t := out.target()
	list := slices.Contains(t.types, "array")
	only := list && !slices.ContainsFunc(t.types, func(t string) bool { return t != "array" && t != "null" })
	switch {
	case sel.List && only, maxItems > 0 && only:
		c := *t
		if sel.List { // null is an empty one
			c.types, empty = []string{"array"}, false
		}
		c.words = without(t.words, "minItems")
		if maxItems > 0 {
			c.words = append(without(c.words, "maxItems"), word{"maxItems", strconv.Itoa(maxItems)})
		}
		out = &c
	case sel.List:
		items := out
		if list || len(t.types) == 0 && kindOfRoot(out, 0) != objectRoot {
			items = &schema{} // it may be a list, or an element of one
		}
		out, empty = &schema{types: []string{"array"}, subs: []sub{{key: "items", form: oneSchema, list: []*schema{items}}}}, false
	}
	if empty && kindOfRoot(out, 0) == otherRoot {
		out = &schema{subs: []sub{{key: "anyOf", form: schemaList, list: []*schema{out, {types: []string{"null"}}}}}}
		empty = false
	}
	return out, empty
}

// memberSchema is the schema of a member of objects, nil when it is not known,
// and whether the member is always there.
func memberSchema(s *schema, name string) (member *schema, required bool) {
	var found []*schema
	for _, f := range flatten([]*schema{s}) {
		for i := range f.props {
			if f.props[i].key == name && !f.props[i].schema.never {
				found = append(found, f.props[i].schema)
			}
		}
	}
	t := s.target()
	required = slices.Contains(t.required, name)
	if all := t.sub("allOf"); all != nil {
		for _, c := range all.list {
			required = required || slices.Contains(c.target().required, name)
		}
	}
	switch len(found) {
	case 0:
		return nil, false
	case 1:
		return found[0], required
	}
	return &schema{subs: []sub{{key: "anyOf", form: schemaList, list: found}}}, required
}

// state returns the state of a set of places.
func (m *masker) state(places []int) *maskState {
	slices.Sort(places)
	key := fmt.Sprint(places)
	if m.states[key] == nil {
		m.states[key] = &maskState{places: places, moves: map[string]maskMove{}}
	}
	return m.states[key]
}

// over moves from an object to a member.
func (m *masker) over(at *maskState, name string) maskMove {
	move, ok := at.moves[name]
	if !ok {
		move = m.move(at, func(s maskStep) bool { return s.Name == name && !s.Glob || s.Glob && matchText(s.Name, name) })
		at.moves[name] = move
	}
	return move
}

// overAny moves to a member whose name is not known: to all places that it may
// lead to.
func (m *masker) overAny(at *maskState) maskMove {
	if at.other == nil {
		move := m.move(at, func(s maskStep) bool { return s.Glob })
		at.other = &move
	}
	return *at.other
}

func (m *masker) move(at *maskState, fits func(maskStep) bool) (move maskMove) {
	var next []int
	for _, place := range at.places {
		s := m.steps[place]
		if s.end {
			continue
		}
		if s.Deep && !slices.Contains(next, place) {
			next = append(next, place)
		}
		if !fits(s) {
			continue
		}
		if !slices.Contains(next, place+1) {
			next = append(next, place+1)
		}
		end := m.steps[place+1].end
		move.keep = move.keep || end && !s.drop
		move.drop = move.drop || end && s.drop
		move.named = move.named || !s.drop
	}
	move.to = m.state(next)
	return move
}

// matchText tells whether a name fits a pattern in which * is any text.
func matchText(pattern, name string) bool {
	before, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, before) {
		return false
	}
	for name = name[len(before):]; ; name = name[1:] {
		if matchText(rest, name) {
			return true
		}
		if name == "" {
			return false
		}
	}
}

// survey finds out which schemas are affected by masking: those from which a
// member is reached that is dropped or renamed.
func (m *masker) survey(s *schema, start *maskState) {
	seen := map[masking][]masking{} // and what leads to it
	var todo, affected []masking
	visit := func(s *schema, at *maskState, from masking) {
		k := masking{s: s, at: at}
		before, ok := seen[k]
		seen[k] = append(before, from)
		if !ok {
			todo = append(todo, k)
		}
	}
	visit(s, start, masking{})
	for len(todo) > 0 {
		if len(seen) > maxSurveyed {
			return
		}
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if k.s.ref != nil {
			visit(k.s.ref.schema(), k.at, k)
		}
		for i := range k.s.props {
			name, renamed := m.newName(k.s.props[i].key)
			move := m.over(k.at, name)
			if renamed || move.drop {
				affected = append(affected, k)
			}
			visit(k.s.props[i].schema, move.to, k)
		}
		for i := range k.s.subs {
			at := k.at
			if c := &k.s.subs[i]; c.key == "additionalProperties" || c.key == "patternProperties" {
				at = m.overAny(at).to
			}
			for _, c := range k.s.subs[i].list {
				visit(c, at, k)
			}
		}
	}
	m.affected = map[masking]bool{}
	for len(affected) > 0 {
		k := affected[len(affected)-1]
		affected = affected[:len(affected)-1]
		if !m.affected[k] {
			m.affected[k] = true
			affected = append(affected, seen[k]...)
		}
	}
}

// affects tells whether masking changes anything about values of s that are
// wanted.
func (m *masker) affects(s *schema, at *maskState) bool {
	return m.affected == nil || m.affected[masking{s: s, at: at}]
}

// newName is a name after renaming.
func (m *masker) newName(name string) (string, bool) {
	if to, ok := m.rename[name]; ok {
		return to, true
	}
	return name, false
}

// wholeValueWords are keywords that hold for whole values only.
var wholeValueWords = []string{
	"default", "examples", "const", "enum", "minProperties", "maxProperties", "minItems", "uniqueItems", "minContains", "maxContains",
	"dependentRequired", "unevaluatedProperties", "unevaluatedItems",
}

// mask returns the schema of what is left of values of s. keep tells that they
// are wanted but for what drop takes.
func (m *masker) mask(s *schema, at *maskState, keep bool) *schema {
	if keep && !m.affects(s, at) {
		return s
	}
	k := masking{s, at, keep}
	if made := m.made[k]; made != nil {
		return made
	}
	if m.size++; m.size > maxMasked || m.busy[k] {
		return &schema{}
	}
	m.busy[k] = true
	out := m.make(s, at, keep)
	delete(m.busy, k)
	m.made[k] = out
	return out
}

func (m *masker) make(s *schema, at *maskState, keep bool) *schema {
	if s.ref != nil {
		target := m.mask(s.ref.schema(), at, keep)
		if s.onlyAnnotates() {
			beside := *s
			beside.words = without(s.words, wholeValueWords...)
			return overlay(&beside, target)
		}
		beside := *s
		beside.ref = nil
		return &schema{subs: []sub{{key: "allOf", form: schemaList, list: []*schema{target, m.make(&beside, at, keep)}}}}
	}
	out := &schema{types: s.types, title: s.title, desc: s.desc, words: without(s.words, wholeValueWords...), never: s.never, loose: true}
	open := false // what is not in props may be anything now
	for i := range s.props {
		p := s.props[i]
		was := p.key
		if to, ok := m.newName(p.key); ok {
			p.key, p.wire, p.hidden = to, to, !isPortable(to)
		}
		move := m.over(at, p.key)
		wanted := move.keep || keep
		if move.drop || !wanted && !slices.ContainsFunc(move.to.places, func(p int) bool { return !m.steps[p].drop }) {
			continue
		}
		whole := p.schema
		p.schema = m.mask(whole, move.to, wanted)
		if !wanted && !holds(p.schema) {
			continue
		}
		if same := out.prop(p.key); same != nil {
			same.schema = &schema{} // two of one name: either may be it
			continue
		}
		out.props = append(out.props, p)
		if slices.Contains(s.required, was) && (wanted || stays(whole, p.schema, move.named)) {
			out.required = append(out.required, p.key)
		}
	}
	for _, name := range s.required {
		if s.prop(name) != nil {
			continue
		}
		to, _ := m.newName(name)
		if move := m.over(at, to); !move.drop && (keep || move.keep) {
			out.required = append(out.required, to)
		}
	}
	if !keep && len(s.types) > 0 {
		// A scalar has nothing that could be left.
		out.types = slices.DeleteFunc(slices.Clone(s.types), func(t string) bool { return t != "object" && t != "array" })
		if len(out.types) == 0 {
			out.types = s.types
		}
	}
	for _, c := range s.subs {
		switch c.key {
		case "oneOf":
			c.key = "anyOf" // what differed may be gone
			fallthrough
		case "allOf", "anyOf", "items":
			if c.key == "items" && !keep && s.sub("prefixItems") != nil {
				continue // scalars before are gone, so positions have changed
			}
			list := make([]*schema, len(c.list))
			for i := range c.list {
				list[i] = m.mask(c.list[i], at, keep)
			}
			c.list = list
		case "prefixItems":
			if !keep {
				continue
			}
			list := make([]*schema, len(c.list))
			for i := range c.list {
				list[i] = m.mask(c.list[i], at, keep)
			}
			c.list = list
		case "additionalProperties", "patternProperties":
			next := m.overAny(at).to
			if !keep || slices.ContainsFunc(c.list, func(c *schema) bool { return m.affects(c, next) }) {
				open = true
				continue
			}
		default:
			continue
		}
		out.subs = append(out.subs, c)
	}
	if open || len(m.rename) > 0 {
		out.words = without(out.words, "additionalProperties")
		out.subs = slices.DeleteFunc(out.subs, func(s sub) bool { return s.key == "additionalProperties" })
	}
	return out
}

// holds tells whether something can be left of a value that is not wanted as a
// whole: it may be an object or a list.
func holds(s *schema) bool {
	return len(s.types) == 0 || slices.Contains(s.types, "object") || slices.Contains(s.types, "array")
}

// stays tells whether something is always left of a value that is not wanted as
// a whole.
func stays(whole, masked *schema, named bool) bool {
	t := whole.target()
	if len(t.types) != 1 {
		return false
	}
	return t.types[0] == "array" && named || t.types[0] == "object" && len(masked.target().required) > 0
}

// checkPaths warns of paths that a tool's own response block follows and that
// its answer does not have.
func (a *apiContext) checkPaths(s *schema, said *specs.Shaping, op *specs.Operation, diags *diag.List) {
	old := map[string]string{}
	for _, r := range said.Rename {
		old[r.Value.Value] = r.Name.Value
	}
	follow := func(s *schema, p specs.Path, new bool) *schema {
		for _, step := range p.Steps {
			name := step.Name
			if step.Glob || step.Deep {
				return nil
			}
			if was, ok := old[name]; ok && new {
				name = was
			}
			next, names := memberThroughLists(s, name)
			if next == nil {
				if len(names) > 0 {
					diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "unknown-member", Message: fmt.Sprintf("what %q answers has no member %q there", op.ID, step.Name), Hint: didYouMean(step.Name, names, "it has "), Range: p.Range})
				}
				return nil
			}
			s = next
		}
		return s
	}
	if said.Root != nil {
		if s = follow(s, *said.Root, false); s == nil {
			return
		}
	}
	for _, p := range slices.Concat(said.Fields, said.Drop) {
		follow(s, p, true)
	}
}

// memberThroughLists is the schema of a member, of objects or of elements of
// lists. When there is none, names are those that there are, none when there may
// be others.
func memberThroughLists(s *schema, name string) (member *schema, names []string) {
	for range 8 {
		all := flatten([]*schema{s})
		var items *schema
		open := false
		for _, f := range all {
			for i := range f.props {
				if f.props[i].key == name {
					return f.props[i].schema, nil
				}
				names = append(names, f.props[i].key)
			}
			if c := f.sub("items"); c != nil {
				items = c.list[0]
			}
			open = open || f.sub("additionalProperties") != nil || f.sub("patternProperties") != nil
		}
		if open {
			return nil, nil
		}
		if items == nil || len(names) > 0 {
			return nil, names
		}
		s = items
	}
	return nil, nil
}
