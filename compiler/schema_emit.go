package compiler

import (
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

const unlimited = 1 << 20

// effort is how much of a schema is written.
type effort struct {
	depth      int  // levels of subschemas; unlimited for all
	textMax    int  // bytes of one description; 0 for none
	exampleMax int  // bytes of the examples of one schema
	words      bool // keywords other than types and structure
}

// efforts are tried in order until the budget is kept. Long texts go before
// structure does.
var efforts = [...]effort{
	{unlimited, maxText, maxExample, true},
	{unlimited, 300, 100, true},
	{10, 300, 100, true},
	{7, 300, 100, true},
	{5, 300, 100, true},
	{4, 300, 100, true},
	{3, 300, 100, true},
	{3, 120, 0, true},
	{2, 300, 100, true},
	{2, 120, 0, true},
	{2, 0, 0, true},
	{1, 120, 0, true},
	{1, 0, 0, true},
	{1, 0, 0, false},
}

// emit writes a schema within a budget. It reports whether structure was cut:
// parts of the schema then read {} with their description.
func emit(root *schema, budget int) (text plan.Schema, cut bool) {
	var e emitter
	for i, try := range efforts {
		e = emitter{effort: try, budget: budget, buf: e.buf[:0]}
		if i == len(efforts)-1 {
			e.budget = huge
		}
		if e.survey(root) {
			e.root(root)
			if len(e.buf) <= e.budget {
				break
			}
		}
	}
	return plan.Schema(e.buf), e.cut
}

type emitter struct {
	effort
	budget int
	buf    []byte
	cut    bool

	uses  map[*def]*use
	order []*def // as found
}

// use is what the survey found out about a named schema.
type use struct {
	count   int
	depth   int // smallest
	inline  bool
	written bool
}

// survey finds the named schemas in reach and decides which of them are written
// in place. False means that the budget cannot be kept.
func (e *emitter) survey(root *schema) bool {
	e.uses, e.order = nil, nil
	if e.depth == unlimited {
		if n := size(root); n <= inlineBudget && !refersToRecursive(root) {
			return true
		}
	}
	total := 0
	level, next := []*schema{root}, []*schema(nil)
	for depth := 0; len(level) > 0; depth++ {
		for i := 0; i < len(level); i++ {
			s := level[i]
			if depth >= e.depth && s.hasKids() && s.ref == nil {
				continue // cut
			}
			n := ownSize(s, e.textMax)
			if ex := s.word("examples"); len(ex) > e.exampleMax {
				n -= len(ex)
			}
			if !e.words {
				n = 2
			}
			if total += n; total > e.budget+e.budget/8 {
				return false
			}
			if s.ref != nil {
				if e.uses == nil {
					e.uses = map[*def]*use{}
				}
				u := e.uses[s.ref]
				if u == nil {
					t := s.ref.schema()
					if depth >= e.depth && t.hasKids() {
						continue
					}
					u = &use{depth: depth}
					e.uses[s.ref] = u
					e.order = append(e.order, s.ref)
					level = append(level, t)
				}
				u.count++
			}
			if depth >= e.depth {
				continue
			}
			for j := range s.props {
				if !s.props[j].hidden {
					next = append(next, s.props[j].schema)
				}
			}
			for j := range s.subs {
				next = append(next, s.subs[j].list...)
			}
		}
		level, next = next, level[:0]
	}
	for _, d := range e.order {
		u := e.uses[d]
		if d.recursive {
			continue
		}
		reference := len(d.key) + 18
		u.inline = u.count == 1 || u.count*d.inlined <= d.inlined+u.count*reference+len(d.key)+4
	}
	return true
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
	if s.never {
		s = &schema{}
	}
	e.cut = false
	e.schema(s, 0)
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
		e.schema(d.schema(), u.depth)
		if len(e.buf) > e.budget {
			return
		}
	}
	if !first {
		e.buf = append(e.buf, "}}"...)
	}
}

func (e *emitter) schema(s *schema, depth int) {
	if len(e.buf) > e.budget {
		return
	}
	if s.never {
		e.buf = append(e.buf, `{"not":{}}`...)
		return
	}
	if s.ref != nil {
		u := e.uses[s.ref]
		switch {
		case u != nil && !u.inline:
			u.written = true
			e.open()
			e.key("$ref")
			e.buf = append(e.buf, `"#/$defs/`...)
			e.buf = append(e.buf, s.ref.key...)
			e.buf = append(e.buf, '"')
			e.rest(s, depth)
			return
		case s.onlyAnnotates():
			e.schema(overlay(s, s.ref.schema()), depth)
			return
		case depth >= e.depth:
			e.leaf(s)
			return
		}
		e.schema(expand(s), depth) // rules beside the reference: both hold
		return
	}
	if depth >= e.depth && s.hasKids() {
		e.leaf(s)
		return
	}
	e.open()
	e.rest(s, depth)
}

// leaf writes what is left of a schema whose inside is cut.
func (e *emitter) leaf(s *schema) {
	e.cut = true
	t := s.target()
	e.open()
	e.text("title", t.title)
	e.text("description", t.desc)
	e.types(t.types)
	e.buf = append(e.buf, '}')
}

func (e *emitter) open() { e.buf = append(e.buf, '{') }

func (e *emitter) key(k string) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, k...)
	e.buf = append(e.buf, '"', ':')
}

func (e *emitter) text(key, s string) {
	limit := e.textMax
	if key == "title" {
		limit = min(limit, 200)
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
func (e *emitter) rest(s *schema, depth int) {
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
	if slices.ContainsFunc(s.props, func(p prop) bool { return !p.hidden }) {
		e.key("properties")
		e.open()
		for i := range s.props {
			if p := &s.props[i]; !p.hidden {
				e.key(p.key)
				e.schema(p.schema, depth+1)
			}
		}
		e.buf = append(e.buf, '}')
	}
	if len(s.required) > 0 {
		e.key("required")
		e.buf = appendStrings(e.buf, s.required)
	}
	for i := range s.subs {
		e.sub(&s.subs[i], depth, s)
	}
	e.buf = append(e.buf, '}')
}

// sub writes a keyword with subschemas. A cut widens a schema, so that a rule
// which would then refuse more than the author's is widened or left out too.
func (e *emitter) sub(sb *sub, depth int, of *schema) {
	before, wasCut := len(e.buf), e.cut
	e.cut = false
	e.key(sb.key)
	keyAt := len(e.buf) - len(sb.key) - 2
	switch sb.form {
	case oneSchema:
		e.schema(sb.list[0], depth+1)
	case schemaList:
		e.buf = append(e.buf, '[')
		for i, c := range sb.list {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.schema(c, depth+1)
		}
		e.buf = append(e.buf, ']')
	case schemaMap:
		e.open()
		for i, c := range sb.list {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = append(specs.AppendQuoted(e.buf, sb.keys[i]), ':')
			e.schema(c, depth+1)
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
	if e.depth != unlimited {
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
