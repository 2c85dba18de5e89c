// Package shape makes of a JSON value what a tool shows of it: a part of it
// ([Selector]), the outcome of a jq program ([Program]), and the text a model
// reads ([Table], [Markdown]). It knows no HTTP.
package shape

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// MaxDepth is how deeply nested a value may be that is looked into. What a
// selection would have to look for further down is left out.
const MaxDepth = 512

// Selector is a compiled [plan.Selection]. It reads JSON once, from front to
// back, and copies the bytes of what it keeps: numbers keep their digits and
// members their order. It is safe for concurrent use.
//
// Fields choose members of objects. A member of which nothing is left goes too,
// but for a list that fields name. Lists are passed through: of their elements
// objects and lists stay, with what the fields leave of them, and scalars go.
// Drop wins over fields. The selected value itself always stays.
//
// All paths run as one automaton, a set of places that fits into a word or a
// few. A place is a step of a path that is still to be taken, or its end; every
// object has the set of those that lead into it. A member's set is made of its
// object's: each place whose step fits the name moves on by one. So a member
// costs one look-up and a shift, whatever the number of paths.
type Selector struct {
	root     []string
	isList   bool // the value is a list whatever comes
	maxItems int
	all      bool // there are no fields: everything is kept
	renames  bool
	plain    bool // nothing but a root: the value is a part of what is given

	words  int                // of a set
	names  map[string]*member // that paths or renamings mention
	seems  [256]uint64        // lengths of those names by their first byte, to look up few others
	globs  []glob
	start  set // the first places of all paths
	deep   set // steps that are looked for at every depth
	keep   set // ends of fields
	drop   set // ends of drop
	drops  set // all places of drop
	fields set // all places of fields
}

// member is what is known of a name.
type member struct {
	quoted []byte // its new name as JSON; nil: it stays
	name   []byte // its new name
	next   set    // the places behind the steps that it fits
}

// glob is a step that fits several names.
type glob struct {
	pattern string
	place   int
}

// set is a set of places, a bit for each.
type set []uint64

func (s set) put(place int)      { s[place/64] |= 1 << (place % 64) }
func (s set) has(place int) bool { return s[place/64]>>(place%64)&1 == 1 }

// meets tells whether two sets have a place in common.
func (s set) meets(o set) bool {
	for i, w := range s {
		if w&o[i] != 0 {
			return true
		}
	}
	return false
}

// Selected is what is left of a value.
type Selected struct {
	Value []byte // JSON; may be a part of what was given
	// Total is how many elements the list had and Kept how many of them are in
	// Value. Both are 0 for other values, and where nothing limits the number.
	Kept, Total int
	TooDeep     bool // parts are missing because of [MaxDepth]
}

// maxPlaces bounds the steps of all paths together, and so the memory that a
// level of a value takes.
const maxPlaces = 4096

// NewSelector compiles a selection, which may be nil. maxItems is the most
// elements that are kept of a list that is selected, 0 for all. An error is a
// mistake in the plan.
func NewSelector(s *plan.Selection, maxItems int) (*Selector, error) {
	if s == nil {
		s = &plan.Selection{}
	}
	places := 0
	for _, p := range slices.Concat(s.Fields, s.Drop) {
		if len(p) == 0 {
			return nil, errors.New("a path of a selection is empty")
		}
		places += len(p) + 1
	}
	if places > maxPlaces {
		return nil, fmt.Errorf("the paths of a selection have more than %d steps", maxPlaces)
	}
	m := &Selector{
		root: s.Root, isList: s.List, maxItems: maxItems,
		all: s.Fields == nil, renames: s.Rename != nil, plain: maxItems == 0 && s.Fields == nil && s.Drop == nil && s.Rename == nil,
		words: places/64 + 1, names: map[string]*member{},
	}
	m.start, m.deep, m.keep, m.drop, m.drops, m.fields = m.none(), m.none(), m.none(), m.none(), m.none(), m.none()
	place := 0
	for i, p := range slices.Concat(s.Fields, s.Drop) {
		dropped := i >= len(s.Fields)
		m.start.put(place)
		for _, step := range p {
			if dropped {
				m.drops.put(place)
			} else {
				m.fields.put(place)
			}
			if step.Deep {
				m.deep.put(place)
			}
			if step.Glob {
				m.globs = append(m.globs, glob{step.Name, place})
			} else {
				if m.names[step.Name] == nil {
					m.names[step.Name] = &member{next: m.none()}
				}
				m.names[step.Name].next.put(place + 1)
			}
			place++
		}
		if dropped {
			m.drop.put(place)
			m.drops.put(place)
		} else {
			m.keep.put(place)
		}
		place++
	}
	// Paths speak of new names.
	renamed := map[string]*member{}
	for _, r := range s.Rename {
		to := member{name: []byte(r.To), next: m.none()}
		to.quoted, _ = jsontext.AppendQuote(nil, r.To)
		if old := m.names[r.To]; old != nil {
			to.next = old.next
		}
		renamed[r.From] = &to
	}
	maps.Copy(m.names, renamed)
	for name := range m.names {
		first, length := hint([]byte(name))
		m.seems[first] |= length
	}
	return m, nil
}

// hint is what tells most names apart: the first byte, and the length as a bit.
func hint(name []byte) (first byte, length uint64) {
	if len(name) == 0 {
		return 0, 1
	}
	return name[0], 1 << (len(name) % 64)
}

// member returns what is known of a name, nil for nothing.
func (m *Selector) member(name []byte) *member {
	if first, length := hint(name); m.seems[first]&length == 0 {
		return nil
	}
	return m.names[string(name)]
}

func (m *Selector) none() set { return make(set, m.words) }

// Select reads v, which is valid JSON in which no object has a name twice. What
// is selected has such names only where a renaming made them.
func (m *Selector) Select(v []byte) Selected {
	r := reader{Selector: m, scanner: scanner{in: v}}
	r.at = r.space(0)
	for _, name := range m.root {
		if !r.find(name) {
			if m.isList {
				return Selected{Value: []byte("[]")}
			}
			return Selected{Value: []byte("null")}
		}
	}
	var s Selected
	first := r.in[r.at]
	switch {
	case m.isList && first == 'n':
		s.Value = []byte("[]")
		return s
	case m.plain && (first == '[' || !m.isList):
		s.Value = v[r.at:r.skip(r.at)]
		return s
	}
	r.sets = append(make(set, 0, 16*m.words), m.start...)
	if r.cuts(m.all) && !(first == '[' && m.maxItems > 0) && !m.isList {
		begin := r.at
		r.from = begin
		if r.walk(); r.out == nil {
			s.Value = v[begin:r.at]
			return s
		}
		s.Value, s.TooDeep = append(r.out, v[r.from:r.at]...), r.tooDeep
		return s
	}
	// Room to begin with; it grows by doubling.
	r.out = make([]byte, 0, min(len(v)-r.at, 4<<10)+2)
	switch {
	case first == '[' && m.maxItems > 0:
		s.Kept, s.Total, _ = r.list(m.all, m.maxItems)
	case first != '[' && m.isList:
		r.out = append(r.out, '[')
		r.value(m.all)
		r.out = append(r.out, ']')
	default:
		r.value(m.all)
	}
	s.Value, s.TooDeep = r.out, r.tooDeep
	return s
}

// Renames tells whether the selected value may have names twice.
func (m *Selector) Renames() bool { return m.renames }

// reader is one pass over a value.
type reader struct {
	*Selector
	scanner
	out     []byte
	from    int // what walk has not copied yet begins here
	sets    set // the places of every open object, one set after the other
	depth   int
	tooDeep bool
}

// copy appends the value at hand as it is, and moves behind it.
func (r *reader) copy() {
	end := r.skip(r.at)
	r.out = append(r.out, r.in[r.at:end]...)
	r.at = end
}

// value writes what is left of the value at hand, and moves behind it. keep
// tells that it is wanted but for what drop takes. The result tells whether
// anything is left; what was written of a value of which nothing is left shows
// only that there was one.
func (r *reader) value(keep bool) (left bool) {
	if r.cuts(keep) {
		r.from = r.at
		r.walk()
		r.out = append(r.out, r.in[r.from:r.at]...)
		return true
	}
	switch r.in[r.at] {
	case '[':
		_, _, left = r.list(keep, 0)
		return left
	case '{':
		return r.object(keep)
	}
	if keep || r.depth == 0 {
		r.copy()
		return true
	}
	r.at = r.skip(r.at)
	return false
}

// cuts tells that of a value something may be cut out, and the rest stays as it
// is.
func (r *reader) cuts(keep bool) bool { return keep && !r.renames }

// walk moves over the value at hand and leaves out what drop names: what comes
// before that is copied, in as few pieces as there are.
func (r *reader) walk() {
	switch r.in[r.at] {
	case '[', '{':
	default:
		r.at = r.skip(r.at)
		return
	}
	if r.depth == MaxDepth {
		r.out = append(r.out, r.in[r.from:r.at]...)
		r.enter()
		r.from = r.at
		return
	}
	r.depth++
	if r.in[r.at] == '{' {
		r.walkObject()
	} else {
		r.at = r.space(r.at + 1)
		for r.in[r.at] != ']' {
			r.walk()
			r.next()
		}
		r.at++
	}
	r.depth--
}

func (r *reader) walkObject() {
	here := len(r.sets) - r.words
	r.sets = append(r.sets, r.start...) // room, which step writes
	end := 0                            // of the last member that stays, 0 before the first
	r.at = r.space(r.at + 1)
	begin := r.at
	for r.in[r.at] != '}' {
		name := r.at
		behind := r.text(name)
		key := r.key(name, behind)
		r.at = r.space(r.space(behind) + 1)
		from, next := r.sets[here:here+r.words], r.sets[here+r.words:here+2*r.words]
		alive, _ := r.step(from, next, r.member(key), key)
		switch {
		case !alive:
			r.at = r.skip(r.at)
			end = r.at
		case !next.meets(r.drop):
			r.walk()
			end = r.at
		default:
			r.at = r.skip(r.at)
			if r.out == nil {
				r.out = make([]byte, 0, len(r.in)-begin)
			}
			// A member goes with the comma before it, the first with that behind.
			if end > 0 {
				r.cut(end, r.at)
				break
			}
			r.next()
			r.cut(begin, r.at)
			continue
		}
		r.next()
	}
	r.at++
	r.sets = r.sets[:here+r.words]
}

// cut leaves out what is between two positions.
func (r *reader) cut(begin, end int) {
	if begin > r.from {
		r.out = append(r.out, r.in[r.from:begin]...)
	}
	r.from = end
}

// enter tells whether the list or object at hand is not too deep. One that is,
// is passed over; an empty one takes its place.
func (r *reader) enter() bool {
	if r.depth++; r.depth <= MaxDepth {
		return true
	}
	r.depth--
	r.tooDeep = true
	c := r.in[r.at]
	r.out = append(r.out, c, c+2) // { and }, [ and ] are two apart
	r.at = r.skip(r.at)
	return false
}

// list writes what is left of the list at hand: at most most elements, 0 for
// all. It returns how many there are and were, and whether anything is left in
// them.
func (r *reader) list(keep bool, most int) (kept, total int, left bool) {
	if !r.enter() {
		return 0, 0, true
	}
	left = keep
	r.out = append(r.out, '[')
	r.at = r.space(r.at + 1)
	for r.in[r.at] != ']' {
		total++
		if most > 0 && kept >= most {
			r.at = r.skip(r.at)
		} else {
			before := len(r.out)
			if kept > 0 {
				r.out = append(r.out, ',')
			}
			begin := len(r.out)
			left = r.value(keep) || left
			if len(r.out) > begin {
				kept++
			} else {
				r.out = r.out[:before]
			}
		}
		r.next()
	}
	r.at++
	r.depth--
	r.out = append(r.out, ']')
	return kept, total, left
}

// object writes what is left of the object at hand.
func (r *reader) object(keep bool) (left bool) {
	if !r.enter() {
		return true
	}
	here := len(r.sets) - r.words
	r.sets = append(r.sets, r.start...) // room, which step writes
	r.out = append(r.out, '{')
	r.at = r.space(r.at + 1)
	for r.in[r.at] != '}' {
		begin := r.at
		end := r.text(begin)
		key, quoted := r.key(begin, end), r.in[begin:end]
		r.at = r.space(r.space(end) + 1)

		m := r.member(key)
		if m != nil && m.quoted != nil {
			quoted, key = m.quoted, m.name
		}
		from, next := r.sets[here:here+r.words], r.sets[here+r.words:here+2*r.words]
		alive, named := r.step(from, next, m, key)
		wanted := keep || alive && next.meets(r.keep)
		if !wanted && !(alive && next.meets(r.fields)) || alive && next.meets(r.drop) {
			r.at = r.skip(r.at)
			r.next()
			continue
		}
		before := len(r.out)
		if left {
			r.out = append(r.out, ',')
		}
		r.out = append(append(r.out, quoted...), ':')
		list := r.in[r.at] == '['
		switch {
		case r.cuts(wanted) && !(alive && next.meets(r.drops)):
			r.copy()
			left = true
		case r.value(wanted), list && named:
			left = true
		default:
			r.out = r.out[:before]
		}
		r.next()
	}
	r.at++
	r.depth--
	r.sets = r.sets[:here+r.words]
	r.out = append(r.out, '}')
	return left || keep
}

// step sets next to the places behind a member, from those of its object. It
// tells whether there are any, and whether fields have this very member for a
// step, not only for something to look through.
func (r *reader) step(from, next set, m *member, key []byte) (alive, named bool) {
	carry := uint64(0)
	for i, w := range from {
		next[i] = w & r.deep[i]
		if m != nil {
			moved := (w<<1 | carry) & m.next[i]
			named = named || moved&^r.drops[i] != 0
			next[i] |= moved
		}
		carry = w >> 63
		alive = alive || next[i] != 0
	}
	for i := range r.globs {
		if g := &r.globs[i]; from.has(g.place) && match(g.pattern, key) {
			next.put(g.place + 1)
			alive, named = true, named || !r.drops.has(g.place)
		}
	}
	return alive, named
}

// match tells whether a name is what a pattern says; * stands for any text.
func match(pattern string, name []byte) bool {
	star, mark := -1, 0 // where the last * is, and where what it stands for ends
	p := 0
	for i := 0; i < len(name); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == name[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Lookup returns the value that names lead to in valid JSON, nil when there is
// none. In a list the first element that has the next name counts.
func Lookup(v []byte, names []string) []byte {
	s := scanner{in: v}
	s.at = s.space(0)
	for i, name := range names {
		if s.in[s.at] == '[' {
			var found []byte
			s.elements(func(_, e []byte) bool {
				found = Lookup(e, names[i:])
				return found == nil
			})
			return found
		}
		if !s.find(name) {
			return nil
		}
	}
	return v[s.at:s.skip(s.at)]
}
