package compiler

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// Budgets of one tool's schemas in bytes. Real documents reach a megabyte for
// one answer; a model has to read it all.
const (
	inputBudget  = 16 << 10
	outputBudget = 8 << 10
)

// maxText bounds one description inside a schema, in bytes.
const maxText = 1024

// inlineBudget is the size up to which a schema is written without $defs even
// if that repeats a part: some clients lose $defs.
const inlineBudget = 2 << 10

// effort is how much of a schema is written.
type effort struct {
	all        bool // all of it; else what fits, level by level
	textMax    int  // bytes of one description; 0 for none
	exampleMax int  // bytes of the examples of one schema
	words      bool // keywords other than types and structure
	must       bool // fails unless the levels that matter most are whole
}

// efforts are tried in order until the budget is kept. Long texts go before
// structure does, and deep structure before texts go altogether.
var efforts = [...]effort{
	{all: true, textMax: maxText, exampleMax: maxExample, words: true},
	{all: true, textMax: 300, exampleMax: 100, words: true},
	{textMax: 300, exampleMax: 100, words: true, must: true},
	{textMax: 120, words: true, must: true},
	{textMax: 0, words: true, must: true},
	{textMax: 120, words: true},
	{textMax: 0, words: true},
	{textMax: 0},
}

// emit writes a schema within a budget. Levels up to must are those that matter
// most. It reports whether structure was cut: parts of the schema are then left
// open, with their type and description.
//
// A large part can leave most of the budget unused: the one kind of element of a
// list, with long texts. Then it is worth more texts, as far as that opens more.
func emit(root *schema, budget, must int) (text plan.Schema, cut bool) {
	var e emitter
	opened := -1 // in text, once there is one
	for i, try := range efforts {
		// What the survey adds up is a little less than what is written.
		e = emitter{effort: try, budget: budget, spend: budget - budget/16, mustLevel: must, buf: e.buf[:0]}
		if i == len(efforts)-1 {
			if opened >= 0 {
				break
			}
			e.budget = huge
		}
		if !e.survey(root) {
			continue
		}
		if e.buf == nil {
			e.buf = make([]byte, 0, 4<<10)
		}
		e.root(root)
		if len(e.buf) > e.budget {
			continue
		}
		if len(e.opened) > opened {
			text, cut, opened = plan.Schema(e.buf), e.cut, len(e.opened)
		}
		if !cut || len(e.buf) > budget/2 {
			break
		}
	}
	return text, cut
}

type emitter struct {
	effort
	budget, spend int
	mustLevel     int
	buf           []byte
	cut           bool

	names map[*def]string // every reference is written, by these names; nil: see survey

	opened map[*schema]bool // unless all: whose inside is written
	uses   map[*def]*use
	order  []*def // as found
}

// use is what the survey found out about a named schema.
type use struct {
	count   int
	inline  bool
	written bool
}

// survey finds the named schemas in reach and decides which of them are written
// in place, and unless all is written, what is. False means that the budget
// cannot be kept.
func (e *emitter) survey(root *schema) bool {
	e.uses, e.order, e.opened = nil, nil, nil
	if e.all && !refersToRecursive(root) && size(root) <= inlineBudget {
		return true
	}
	e.uses = map[*def]*use{}
	e.opened = map[*schema]bool{}
	total := e.leafCost(root)
	level, next := []*schema{root}, []*schema(nil)
	for depth := 0; len(level) > 0; depth++ {
		for i := 0; i < len(level); i++ {
			s := level[i]
			if s.ref != nil {
				t := s.ref.schema()
				u := e.uses[s.ref]
				if u == nil {
					if !e.open(t, depth, &total) {
						if e.all || e.must && depth <= e.mustLevel {
							return false
						}
						continue
					}
					u = &use{}
					e.uses[s.ref] = u
					e.order = append(e.order, s.ref)
					level, next = e.kids(t, level, next)
				}
				u.count++
				if s.onlyAnnotates() {
					continue
				}
			}
			if !e.open(s, depth, &total) {
				if e.all || e.must && depth <= e.mustLevel || depth == 0 {
					return false
				}
				continue
			}
			level, next = e.kids(s, level, next)
		}
		level, next = next, level[:0]
	}
	for _, d := range e.order {
		u := e.uses[d]
		if d.recursive {
			continue
		}
		reference := len(d.key) + 18
		u.inline = u.count == 1 || !d.schema().hasKids() ||
			e.all && u.count*d.inlined <= d.inlined+u.count*reference+len(d.key)+4
	}
	return true
}

// open pays for the inside of s, if it can be afforded.
func (e *emitter) open(s *schema, depth int, total *int) bool {
	n := e.cost(s) - e.leafCost(s)
	if e.all {
		n = e.cost(s)
	} else {
		for i := range s.props {
			if !s.props[i].hidden {
				n += e.leafCost(s.props[i].schema)
			}
		}
		for i := range s.subs {
			for _, c := range s.subs[i].list {
				n += e.leafCost(c)
			}
		}
	}
	limit := e.spend
	if e.all || depth == 0 {
		limit = e.budget
	}
	if *total+n > limit {
		return false
	}
	*total += n
	e.opened[s] = true
	return true
}

// kids appends what is below s to the level it belongs to.
func (e *emitter) kids(s *schema, level, next []*schema) (_, _ []*schema) {
	add := func(c *schema, deeper bool) {
		switch {
		case !c.hasKids() && !e.all: // paid for
		case deeper:
			next = append(next, c)
		default:
			level = append(level, c)
		}
	}
	for i := range s.props {
		if !s.props[i].hidden {
			add(s.props[i].schema, true)
		}
	}
	for i := range s.subs {
		for _, c := range s.subs[i].list {
			// The elements of a list and the parts of an allOf say little by
			// themselves.
			add(c, s.subs[i].key != "items" && s.subs[i].key != "allOf")
		}
	}
	return level, next
}

// cost is the bytes of s itself.
func (e *emitter) cost(s *schema) int {
	if !e.words {
		return ownSize(&schema{types: s.types, props: s.props, required: s.required, subs: s.subs}, 0)
	}
	n := ownSize(s, e.textMax)
	if ex := s.word("examples"); len(ex) > e.exampleMax {
		n -= len(ex)
	}
	if e.textMax < maxText && s.title != "" {
		n -= len(s.title) + 11
	}
	return n
}

// leafCost is the bytes of s when its inside is not written.
func (e *emitter) leafCost(s *schema) int {
	if !s.hasKids() {
		return e.cost(s)
	}
	n := 20 + min(len(s.desc), e.textMax)
	if s.ref != nil {
		n = max(n+min(len(s.ref.raw().desc), e.textMax), len(s.ref.key)+18)
	}
	return n
}

func refersToRecursive(s *schema) bool {
	seen := map[*def]bool{}
	var visit func(s *schema) bool
	visit = func(s *schema) bool {
		found := false
		walk(s, func(c *schema) {
			if c.ref == nil || found || seen[c.ref] {
				return
			}
			seen[c.ref] = true
			t := c.ref.schema()
			found = c.ref.recursive || visit(t)
		})
		return found
	}
	return visit(s)
}

// root writes the whole schema with its $defs.
func (e *emitter) root(s *schema) {
	e.cut = false
	e.schema(s)
	first := true
	for _, d := range e.order {
		u := e.uses[d]
		if u.inline || !u.written {
			continue
		}
		if first {
			e.buf = e.buf[:len(e.buf)-1]
			if e.buf[len(e.buf)-1] != '{' {
				e.buf = append(e.buf, ',')
			}
			e.buf = append(e.buf, `"$defs":{`...)
		} else {
			e.buf = append(e.buf, ',')
		}
		first = false
		e.buf = append(specs.AppendQuoted(e.buf, d.key), ':')
		e.schema(d.schema())
		if len(e.buf) > e.budget {
			return
		}
	}
	if !first {
		e.buf = append(e.buf, "}}"...)
	}
}

func (e *emitter) schema(s *schema) {
	e.write(s, e.all || e.opened[s])
}

// write writes s, its inside only when it is open.
func (e *emitter) write(s *schema, open bool) {
	if len(e.buf) > e.budget {
		return
	}
	if s.never {
		e.buf = append(e.buf, `{"not":{}}`...)
		return
	}
	if s.ref != nil {
		u := e.uses[s.ref]
		target := s.ref.schema()
		if e.names != nil {
			u = &use{}
			e.uses[s.ref] = u
		}
		switch {
		case u != nil && !u.inline:
			u.written = true
			e.brace()
			e.key("$ref")
			e.buf = append(e.buf, `"#/$defs/`...)
			e.buf = append(e.buf, cmp.Or(e.names[s.ref], s.ref.key)...)
			e.buf = append(e.buf, '"')
			e.rest(s)
		case s.onlyAnnotates():
			e.write(overlay(s, target), e.all || e.opened[target])
		case open:
			e.write(expand(s), true) // rules beside the reference: both hold
		default:
			e.leaf(s)
		}
		return
	}
	if !open && s.hasKids() {
		e.leaf(s)
		return
	}
	e.brace()
	e.rest(s)
}

// leaf writes what is left of a schema whose inside is cut.
func (e *emitter) leaf(s *schema) {
	e.cut = true
	t := s.target()
	e.brace()
	e.text("title", t.title)
	e.text("description", t.desc)
	e.types(t.types)
	e.buf = append(e.buf, '}')
}

func (e *emitter) brace() { e.buf = append(e.buf, '{') }

func (e *emitter) key(k string) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, k...)
	e.buf = append(e.buf, '"', ':')
}

// member is key for a name that an author chose.
func (e *emitter) member(name string) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(specs.AppendQuoted(e.buf, name), ':')
}

func (e *emitter) text(key, s string) {
	limit := e.textMax
	if key == "title" {
		if limit < maxText {
			return // mostly the name of a class
		}
		limit = 200
	}
	if s = clip(s, limit); s != "" {
		e.key(key)
		e.buf = specs.AppendQuoted(e.buf, s)
	}
}

func (e *emitter) types(types []string) {
	switch len(types) {
	case 0:
	case 1:
		e.key("type")
		e.buf = specs.AppendQuoted(e.buf, types[0])
	default:
		e.key("type")
		e.buf = appendStrings(e.buf, types)
	}
}

// rest writes all of s but its reference, and closes the object.
func (e *emitter) rest(s *schema) {
	e.text("title", s.title)
	e.text("description", s.desc)
	e.types(s.types)
	for _, w := range s.words {
		if w.key == "examples" && len(w.json) > e.exampleMax || !e.words && w.key != "additionalProperties" {
			continue
		}
		e.key(w.key)
		e.buf = append(e.buf, w.json...)
	}
	if slices.ContainsFunc(s.props, e.shown) {
		e.key("properties")
		e.brace()
		for i := range s.props {
			if p := &s.props[i]; e.shown(*p) {
				e.member(p.key)
				e.schema(p.schema)
			}
		}
		e.buf = append(e.buf, '}')
	}
	if len(s.required) > 0 {
		e.key("required")
		e.buf = appendStrings(e.buf, s.required)
	}
	for i := range s.subs {
		e.sub(&s.subs[i], s)
	}
	e.buf = append(e.buf, '}')
}

// shown reports whether a property is written.
func (e *emitter) shown(p prop) bool { return !p.hidden || e.names != nil }

// sub writes a keyword with subschemas. A cut widens a schema, so that a rule
// which would then refuse more than the author's is widened or left out too.
func (e *emitter) sub(sb *sub, of *schema) {
	before, wasCut := len(e.buf), e.cut
	e.cut = false
	e.key(sb.key)
	keyAt := len(e.buf) - len(sb.key) - 2
	switch sb.form {
	case oneSchema:
		e.schema(sb.list[0])
	case schemaList:
		e.buf = append(e.buf, '[')
		for i, c := range sb.list {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.schema(c)
		}
		e.buf = append(e.buf, ']')
	case schemaMap:
		e.brace()
		for i, c := range sb.list {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = append(specs.AppendQuoted(e.buf, sb.keys[i]), ':')
			e.schema(c)
		}
		e.buf = append(e.buf, '}')
	}
	if e.cut {
		switch sb.key {
		case "oneOf":
			if of.sub("anyOf") == nil {
				copy(e.buf[keyAt:], "anyOf")
			} else {
				e.buf = e.buf[:before]
			}
		case "not", "contains":
			e.buf = e.buf[:before]
		}
	}
	// Whether an if holds, and what was evaluated, depends on all of it.
	if !e.all {
		switch sb.key {
		case "if", "then", "else", "unevaluatedProperties", "unevaluatedItems":
			e.cut = true
			e.buf = e.buf[:before]
		}
	}
	e.cut = e.cut || wasCut
}

// clip shortens text to limit bytes, at the end of a sentence where there is
// one in the last half, else at a word. It says that something is missing.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	if limit < 4 {
		return ""
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	head := s[:cut]
	best := -1
	for _, end := range [...]string{". ", ".\n", "\n\n", "! ", "? "} {
		if i := strings.LastIndex(head, end); i >= 0 {
			best = max(best, i+1)
		}
	}
	if best > limit/2 {
		return strings.TrimSpace(head[:best]) + "…"
	}
	if i := strings.LastIndexAny(head, " \n"); i > limit/2 {
		head = head[:i]
	}
	return strings.TrimSpace(head) + "…"
}
