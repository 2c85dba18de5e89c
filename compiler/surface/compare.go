package surface

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Impact is what a change means to those who use a server.
type Impact string

// Impacts, the worst first.
const (
	Breaking Impact = "breaking" // calls or readers that worked may fail
	Additive Impact = "additive" // all that worked works
	Wording  Impact = "wording"  // what a model reads is different, what it may do is not
)

// Change is one difference between two surfaces.
type Change struct {
	Impact  Impact `json:"impact"`
	Tool    string `json:"tool"`            // its name; "resource URI" and "prompt NAME" of the others
	Place   string `json:"place,omitempty"` // e.g. "input body.lines[].sku"; "" for the tool itself
	Message string `json:"message"`
}

// Changes lists what is different in other, a later surface, in the order of
// impact, then of s's tools, then of other's.
func (s *Surface) Changes(other *Surface) []Change {
	var list []Change
	find := func(in []Tool, name string) *Tool {
		if i := slices.IndexFunc(in, func(t Tool) bool { return t.Name == name }); i >= 0 {
			return &in[i]
		}
		return nil
	}
	old, now := s.parts(), other.parts()
	for i := range old {
		before := &old[i]
		after := find(now, before.Name)
		if to, ok := other.Moved[before.Name]; ok && after == nil {
			if after = find(now, to); after != nil {
				list = append(list, Change{Additive, before.Name, "", "is called " + to + " now, and can still be called by its old name"})
			}
		}
		if after == nil {
			list = append(list, Change{Breaking, before.Name, "", "is gone"})
			continue
		}
		list = append(list, before.changes(after)...)
	}
	renamed := map[string]bool{}
	for from, to := range other.Moved {
		renamed[to] = renamed[to] || find(old, from) != nil
	}
	for _, from := range slices.Sorted(maps.Keys(s.Moved)) {
		to := s.Moved[from]
		if find(now, to) != nil && find(now, from) == nil && other.Moved[from] == "" {
			list = append(list, Change{Breaking, from, "", "can no longer be called by this old name of " + to})
		}
	}
	for i := range now {
		if t := &now[i]; find(old, t.Name) == nil && !renamed[t.Name] {
			list = append(list, Change{Additive, t.Name, "", "is new"})
		}
	}
	order := []Impact{Breaking, Additive, Wording}
	slices.SortStableFunc(list, func(a, b Change) int { return slices.Index(order, a.Impact) - slices.Index(order, b.Impact) })
	return list
}

// parts are the tools, and the resources and prompts as if they were some: a
// template is called by its URI, and what it reads has a type.
func (s *Surface) parts() []Tool {
	list := slices.Clone(s.Tools)
	for i := range s.Resources {
		r := &s.Resources[i]
		list = append(list, Tool{Name: "resource " + r.URI, Title: r.Title, Description: r.Description, Input: r.Input, Output: mediaOutput(r.MIME), Access: r.Access})
	}
	for i := range s.Prompts {
		p := &s.Prompts[i]
		list = append(list, Tool{Name: "prompt " + p.Name, Title: p.Title, Description: p.Description, Input: p.Input, Access: p.Access})
	}
	return list
}

// mediaOutput says in a schema's words what is read.
func mediaOutput(media string) plan.Schema {
	if media == "" {
		return ""
	}
	b, _ := marshalPlain(map[string]string{"contentMediaType": media}) // strings always marshal
	return plan.Schema(b)
}

// changes compares two versions of one tool.
func (t *Tool) changes(after *Tool) (list []Change) {
	add := func(i Impact, place, message string) {
		list = append(list, Change{i, t.Name, place, message})
	}
	compare := func(side string, before, after plan.Schema) {
		if before == after {
			return
		}
		a, z := newSide(before), newSide(after)
		c := comparison{before: a, after: z, seen: map[[2]string]bool{}, note: func(place, message string, w width) {
			impact := Wording
			switch {
			case w == gone, w == unclear, w == narrower && side == "input", w == wider && side == "output":
				impact = Breaking
			case w == narrower || w == wider || w == fresh:
				impact = Additive
			}
			add(impact, strings.TrimSpace(side+" "+place), message)
		}}
		c.schema("", a.root, z.root)
	}
	compare("input", t.Input, after.Input)
	switch {
	case t.Output == "" && after.Output != "":
		add(Additive, "output", "is described")
	case t.Output != "" && after.Output == "":
		add(Breaking, "output", "is no longer described")
	default:
		compare("output", t.Output, after.Output)
	}
	for _, h := range []struct {
		name          string
		before, after bool
		worse         bool // the value that asks clients for more care
	}{
		{"read-only", t.Hints.ReadOnly, after.Hints.ReadOnly, false},
		{"destructive", t.Hints.Destructive, after.Hints.Destructive, true},
		{"idempotent", t.Hints.Idempotent, after.Hints.Idempotent, false},
		{"open-world", t.Hints.OpenWorld, after.Hints.OpenWorld, true},
	} {
		if h.before == h.after {
			continue
		}
		impact, not := Additive, ""
		if h.after == h.worse {
			impact = Breaking
		}
		if !h.after {
			not = "not "
		}
		add(impact, "hints", "is "+not+h.name+" now")
	}
	t.Access.changes(after.Access, add)
	if t.Title != after.Title {
		add(Wording, "title", "changed")
	}
	if t.Description != after.Description {
		add(Wording, "description", "changed")
	}
	return list
}

// width says what became of the set of values that a schema takes.
type width uint8

const (
	narrower width = iota // some are no longer taken
	wider                 // more are
	gone                  // a member is not there any more
	fresh                 // a member is new, and need not be there
	unclear               // it is different in a way that is not compared
	words                 // the same, described otherwise
)

// side is one of two schemas with its named parts.
type side struct {
	root any
	defs map[string]any
}

func newSide(s plan.Schema) side {
	d := json.NewDecoder(strings.NewReader(string(s)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return side{}
	}
	m, _ := v.(map[string]any)
	defs, _ := m["$defs"].(map[string]any)
	return side{v, defs}
}

// resolve follows references. What stands beside one is looked at by the caller.
func (s side) resolve(v any) (m map[string]any, ref string) {
	m, _ = v.(map[string]any)
	for range 16 {
		r, ok := m["$ref"].(string)
		if !ok {
			return m, ref
		}
		ref = r
		m, _ = s.defs[strings.TrimPrefix(r, "#/$defs/")].(map[string]any)
	}
	return m, ref
}

// comparison walks two schemas at once.
type comparison struct {
	before, after side
	seen          map[[2]string]bool // pairs of references, so that recursion ends
	note          func(place, message string, w width)
}

func (c *comparison) schema(place string, x, y any) {
	if reflect.DeepEqual(x, y) && reflect.DeepEqual(c.before.defs, c.after.defs) {
		return
	}
	a, ra := c.before.resolve(x)
	z, rz := c.after.resolve(y)
	if ra != "" && rz != "" {
		if c.seen[[2]string{ra, rz}] {
			return
		}
		c.seen[[2]string{ra, rz}] = true
	}
	c.types(place, a, z)
	c.values(place, a, z)
	c.limits(place, a, z)
	c.members(place, a, z)
	c.parts(place, a, z)
	for _, key := range []string{"description", "title", "default", "examples", "deprecated"} {
		if !reflect.DeepEqual(a[key], z[key]) {
			c.note(place, key+" changed", words)
		}
	}
}

// typesOf are the types a schema allows; none means all.
func typesOf(m map[string]any) []string {
	switch t := m["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var list []string
		for _, v := range t {
			s, _ := v.(string)
			list = append(list, s)
		}
		return list
	}
	return nil
}

func (c *comparison) types(place string, a, z map[string]any) {
	before, after := typesOf(a), typesOf(z)
	covers := func(list []string, t string) bool {
		return list == nil || slices.Contains(list, t) || t == "integer" && slices.Contains(list, "number")
	}
	all := func(list, of []string) bool {
		if of == nil {
			return list == nil
		}
		return !slices.ContainsFunc(of, func(t string) bool { return !covers(list, t) })
	}
	more, less := !all(before, after), !all(after, before)
	text := fmt.Sprintf("has type %s instead of %s", typeText(after), typeText(before))
	switch {
	case more && less:
		c.note(place, text, unclear)
	case more:
		c.note(place, text, wider)
	case less:
		c.note(place, text, narrower)
	}
}

func typeText(list []string) string {
	if list == nil {
		return "any"
	}
	return strings.Join(list, " or ")
}

// values compares enum and const.
func (c *comparison) values(place string, a, z map[string]any) {
	allowed := func(m map[string]any) []string {
		list, ok := m["enum"].([]any)
		if v, one := m["const"]; one {
			list, ok = []any{v}, true
		}
		if !ok {
			return nil
		}
		out := []string{}
		for _, v := range list {
			b, _ := marshalPlain(v) // it was decoded
			out = append(out, string(b))
		}
		return out
	}
	before, after := allowed(a), allowed(z)
	switch {
	case before == nil && after == nil:
		return
	case before == nil:
		c.note(place, "is one of "+strings.Join(clipped(after), ", ")+" now", narrower)
		return
	case after == nil:
		c.note(place, "is not limited to "+strings.Join(clipped(before), ", ")+" any more", wider)
		return
	}
	if lost := missing(before, after); len(lost) > 0 {
		c.note(place, "cannot be "+strings.Join(clipped(lost), " or ")+" any more", narrower)
	}
	if won := missing(after, before); len(won) > 0 {
		c.note(place, "can be "+strings.Join(clipped(won), " or ")+" too", wider)
	}
}

// clipped is a list short enough to print.
func clipped(list []string) []string {
	if len(list) > 5 {
		return append(slices.Clone(list[:5]), fmt.Sprintf("%d more", len(list)-5))
	}
	return list
}

// limits compares rules on single values.
func (c *comparison) limits(place string, a, z map[string]any) {
	for _, l := range []struct {
		key   string
		lower bool // a larger value takes less
	}{
		{"minimum", true}, {"exclusiveMinimum", true}, {"minLength", true}, {"minItems", true}, {"minProperties", true}, {"minContains", true},
		{"maximum", false}, {"exclusiveMaximum", false}, {"maxLength", false}, {"maxItems", false}, {"maxProperties", false}, {"maxContains", false},
	} {
		x, xok := rational(a[l.key])
		y, yok := rational(z[l.key])
		switch {
		case !xok && !yok:
		case !xok:
			c.note(place, fmt.Sprintf("has %s %s now", l.key, z[l.key]), narrower)
		case !yok:
			c.note(place, fmt.Sprintf("has no %s any more", l.key), wider)
		case x.Cmp(y) != 0:
			w := wider
			if (y.Cmp(x) > 0) == l.lower {
				w = narrower
			}
			c.note(place, fmt.Sprintf("has %s %s instead of %s", l.key, z[l.key], a[l.key]), w)
		}
	}
	for _, key := range []string{"pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType"} {
		x, xok := a[key]
		y, yok := z[key]
		switch {
		case reflect.DeepEqual(x, y):
		case !xok:
			c.note(place, fmt.Sprintf("has %s %v now", key, y), narrower)
		case !yok:
			c.note(place, fmt.Sprintf("has no %s any more", key), wider)
		default:
			c.note(place, fmt.Sprintf("has %s %v instead of %v", key, y, x), unclear)
		}
	}
}

func rational(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}

// members compares properties and which of them must be there.
func (c *comparison) members(place string, a, z map[string]any) {
	before, _ := a["properties"].(map[string]any)
	after, _ := z["properties"].(map[string]any)
	must, mustNow := required(a), required(z)
	for _, name := range keys(before) {
		at := below(place, name)
		if v, ok := after[name]; ok {
			c.schema(at, before[name], v)
		} else {
			c.note(at, "is gone", gone)
		}
	}
	for _, name := range keys(after) {
		if _, ok := before[name]; !ok && !slices.Contains(mustNow, name) {
			c.note(below(place, name), "is new", fresh)
		}
	}
	for _, name := range mustNow {
		if !slices.Contains(must, name) {
			message := "is required now"
			if _, ok := before[name]; !ok {
				message = "is new and required"
			}
			c.note(below(place, name), message, narrower)
		}
	}
	for _, name := range must {
		if _, there := after[name]; there && !slices.Contains(mustNow, name) {
			c.note(below(place, name), "is optional now", wider)
		}
	}
}

func below(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

func required(m map[string]any) (names []string) {
	list, _ := m["required"].([]any)
	for _, v := range list {
		s, _ := v.(string)
		names = append(names, s)
	}
	return names
}

func keys(m map[string]any) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// parts compares subschemas other than properties.
func (c *comparison) parts(place string, a, z map[string]any) {
	c.only(place+"[]", "items", a, z)
	switch x, y := a["additionalProperties"], z["additionalProperties"]; {
	case reflect.DeepEqual(x, y):
	case y == false:
		c.note(place, "takes no other members any more", narrower)
	case x == false:
		c.note(place, "takes other members too", wider)
	default:
		c.only(place+".*", "additionalProperties", a, z)
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf", "prefixItems"} {
		x, _ := a[key].([]any)
		y, _ := z[key].([]any)
		if len(x) == len(y) {
			for i := range x {
				c.schema(place, x[i], y[i])
			}
			continue
		}
		c.note(place, fmt.Sprintf("has %d instead of %d schemas in %s", len(y), len(x), key), unclear)
	}
	for _, key := range []string{"not", "if", "then", "else", "contains", "propertyNames", "patternProperties", "dependentSchemas", "dependentRequired", "unevaluatedProperties", "unevaluatedItems"} {
		if !reflect.DeepEqual(a[key], z[key]) {
			c.note(place, key+" changed", unclear)
		}
	}
}

// only compares the one subschema of a keyword.
func (c *comparison) only(place, key string, a, z map[string]any) {
	x, xok := a[key].(map[string]any)
	y, yok := z[key].(map[string]any)
	switch {
	case xok && yok:
		c.schema(place, x, y)
	case xok:
		c.note(place, "can be anything", wider)
	case yok:
		c.note(place, "is described now", narrower)
	}
}
