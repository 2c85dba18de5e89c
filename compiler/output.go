package compiler

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// response decides what is asked for, and writes what a result looks like. What
// the author says of answers is in the tool's plan already.
func (a *apiContext) response(d *derived, said *specs.Shaping, l *lowered) (accept string) {
	op, r := d.op, &l.tool.Response
	answers := successes(op)
	var chosen, first *specs.Media
	var others []*schema
	empty := false
	for _, res := range answers {
		m := jsonMedia(res.Media)
		if m == nil {
			m = xmlMedia(res.Media)
		}
		if len(res.Media) == 0 {
			empty = true
			continue
		}
		if first == nil {
			first = res.Media[0]
		}
		if m == nil {
			continue
		}
		if chosen == nil {
			chosen = m
		} else if m.Schema != nil && chosen.Schema != nil && !m.Schema.Equal(chosen.Schema) {
			others = append(others, a.out.lower(m.Schema, place{}))
		}
	}
	accept = "application/json, */*;q=0.5"
	switch {
	case chosen != nil:
		accept = acceptOf(chosen.Type)
	case first != nil:
		accept = acceptOf(first.Type)
	}
	if v := acceptParam(op); v != "" {
		accept = v
	}
	if said != nil && said.Schema != nil {
		l.roots.out = a.writtenOutput(said, &l.tool, &l.diags)
		return accept
	}
	if chosen == nil || chosen.Schema == nil || op.Method == "HEAD" {
		return accept
	}
	s := a.out.lower(chosen.Schema, place{})
	xml := codecOf(chosen.Type) == plan.XML
	if xml {
		r.Shape, _ = shapeOf(s, true, xmlRoot(s))
	}
	list := append([]*schema{s}, others...)
	if said != nil {
		if r.JQ != "" || r.Kind != "" && r.Kind != "json" && (r.Kind != "xml" || !xml || r.XML != nil) {
			return accept // what comes out, nobody has described
		}
		if own := d.tool; own != nil && own.Response != nil && len(others) == 0 {
			a.checkPaths(s, own.Response, op, &l.diags)
		}
		for i := range list {
			masked, maybe := maskSchema(list[i], r.Select, r.MaxItems)
			if masked == nil {
				return accept
			}
			list[i], empty = masked, empty || maybe
		}
		if own := d.tool; own != nil && own.Response != nil && own.Response.MaxItems != nil && kindOfRoot(list[0], 0) == objectRoot {
			l.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "does-not-apply", Message: fmt.Sprintf("what %q answers is an object, which max_items does not shorten", op.ID),
				Hint: "write the root that leads to its list", Range: own.Response.MaxItems.Range})
		}
		s = list[0]
	}
	root, wrap, ok := resultSchema(list, empty)
	if !ok {
		return accept
	}
	cut, ok := a.declare(&l.tool, root, wrap)
	if cut {
		l.cut = append(l.cut, "output")
	}
	if !ok {
		return accept // it would be no use to anybody; the answers are
	}
	if l.roots.out = root; !wrap && !empty && len(others) == 0 && l.tool.Pagination == nil {
		l.roots.out = s // by its name, where it has one
	}
	return accept
}

// declare writes the schema of a tool's results. One that is not valid is none.
func (a *apiContext) declare(t *plan.Tool, root *schema, wrap bool) (cut, ok bool) {
	must := 0
	if wrap {
		must = 1
	}
	room := t.Pagination == nil || promiseCursor(root)
	text, cut := emit(root, outputBudget, must)
	if checkSchema(string(text), a.patterns) != nil {
		return cut, false
	}
	t.Output, t.Response.Wrap = text, wrap
	if t.Pagination != nil && !room {
		t.Pagination.Member = ""
	}
	return cut, true
}

// writtenOutput declares the schema that the author wrote for results.
func (a *apiContext) writtenOutput(said *specs.Shaping, t *plan.Tool, diags *diag.List) *schema {
	root, wrap, ok := resultSchema([]*schema{a.out.lower(said.Schema, place{})}, false)
	if ok {
		_, ok = a.declare(t, root, wrap)
	}
	if !ok {
		at := said.Schema.Range()
		if at == (diag.Range{}) {
			at = said.Range // types are written in HCL, schemas have no place of their own
		}
		diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "open-schema", Message: "this schema does not say whether the result is an object; clients are not told of it",
			Hint: `add type = "object", or another type`, Range: at})
		return nil
	}
	return root
}

// handOutput declares the results of a hand-written tool, as far as its response
// block tells what they are: what is always a list is one.
func (a *apiContext) handOutput(said *specs.Shaping, t *plan.Tool, diags *diag.List) *schema {
	r := &t.Response
	switch {
	case said == nil:
		return nil
	case said.Schema != nil:
		return a.writtenOutput(said, t, diags)
	case r.JQ != "" || r.Select == nil || !r.Select.List:
		return nil
	}
	items := &schema{}
	for _, p := range r.Select.Fields {
		if p[0].Glob || p[0].Deep {
			items = &schema{}
			break
		}
		if items.prop(p[0].Name) == nil && isPortable(p[0].Name) {
			items.props = append(items.props, prop{key: p[0].Name, wire: p[0].Name, schema: &schema{}})
		}
	}
	list := &schema{types: []string{"array"}, subs: []sub{{key: "items", form: oneSchema, list: []*schema{items}}}}
	if r.MaxItems > 0 {
		list.setWord("maxItems", strconv.Itoa(r.MaxItems))
	}
	root, wrap, _ := resultSchema([]*schema{list}, false)
	if _, ok := a.declare(t, root, wrap); !ok {
		return nil
	}
	return root
}

// successes lists the answers that are no errors: 200 and 201 first, then by
// status, ranges last; default only when no status is named.
func successes(op *specs.Operation) []*specs.Response {
	var out []*specs.Response
	for _, r := range op.Responses {
		if len(r.Status) == 3 && r.Status[0] == '2' {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(x, y *specs.Response) int { return strings.Compare(x.Status, y.Status) })
	if len(out) > 0 {
		return out
	}
	for _, r := range op.Responses {
		if r.Status == "default" {
			return []*specs.Response{r}
		}
	}
	return nil
}

func jsonMedia(list []*specs.Media) *specs.Media {
	var any *specs.Media
	for _, m := range list {
		t := mediaType(m.Type)
		switch {
		case t == "application/json":
			return m
		case codecOf(m.Type) == plan.JSON && any == nil && t != "application/problem+json":
			any = m
		}
	}
	return any
}

func xmlMedia(list []*specs.Media) *specs.Media {
	for _, m := range list {
		if codecOf(m.Type) == plan.XML {
			return m
		}
	}
	return nil
}

// acceptOf asks for a type and takes anything: errors often have another.
func acceptOf(media string) string {
	if t := mediaType(media); t == "" || strings.Contains(t, "*") {
		return "application/json, */*;q=0.5"
	} else if strings.IndexFunc(media, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		media = t
	}
	return media + ", */*;q=0.5"
}

// acceptParam is the constant value of a header parameter Accept. OpenAPI says
// to ignore such parameters, but some documents select a version so.
func acceptParam(op *specs.Operation) string {
	for _, p := range op.Params {
		if p.In != specs.InHeader || !strings.EqualFold(p.Name, "accept") {
			continue
		}
		v := p.Schema.Get("const").Str()
		if e := p.Schema.Get("enum"); v == "" && e != nil && len(e.Fields) == 1 {
			v = e.Fields[0].Value.Str()
		}
		if v == "" {
			v = p.Schema.Get("default").Str()
		}
		if v != "" && strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
			return v
		}
	}
	return ""
}

// rootKind is what the root of a value can be.
type rootKind uint8

const (
	anyRoot rootKind = iota
	objectRoot
	otherRoot
)

// kindOfRoot says whether all values of a schema are objects, or none is. null
// beside another type does not count: whoever answers null answers nothing.
func kindOfRoot(s *schema, depth int) rootKind {
	if depth > 20 {
		return anyRoot
	}
	if s.ref != nil {
		if k := kindOfRoot(s.ref.schema(), depth+1); k != anyRoot {
			return k
		}
	}
	types := slices.DeleteFunc(slices.Clone(s.types), func(t string) bool { return t == "null" })
	switch {
	case len(types) == 1 && types[0] == "object":
		return objectRoot
	case len(types) > 0 && !slices.Contains(types, "object"):
		return otherRoot
	case len(types) > 1:
		return anyRoot
	}
	for i := range s.subs {
		switch s.subs[i].key {
		case "allOf":
			for _, c := range s.subs[i].list {
				if k := kindOfRoot(c, depth+1); k != anyRoot {
					return k
				}
			}
		case "anyOf", "oneOf":
			kind := anyRoot
			for j, c := range s.subs[i].list {
				if len(c.types) == 1 && c.types[0] == "null" {
					continue
				}
				k := kindOfRoot(c, depth+1)
				if k == anyRoot || j > 0 && kind != anyRoot && kind != k {
					kind = anyRoot
					break
				}
				kind = k
			}
			if kind != anyRoot {
				return kind
			}
		}
	}
	if len(s.props) > 0 {
		return objectRoot
	}
	return anyRoot
}

// resultSchema makes the root of an output schema, an object always, of what
// the answers to one operation can be. Not ok: none that the upstream is sure to
// keep.
func resultSchema(list []*schema, empty bool) (root *schema, wrap, ok bool) {
	kind := kindOfRoot(list[0], 0)
	for _, s := range list[1:] {
		if kindOfRoot(s, 0) != kind {
			return nil, false, false
		}
	}
	if kind == anyRoot {
		return nil, false, false
	}
	s := list[0]
	if len(list) > 1 {
		s = &schema{subs: []sub{{key: "anyOf", form: schemaList, list: list}}}
	}
	if kind == otherRoot {
		root = &schema{types: []string{"object"}, props: []prop{{key: "result", wire: "result", schema: s}}}
		if !empty {
			root.required = []string{"result"}
		}
		return root, true, true
	}
	t := *s.target()
	t.types = []string{"object"}
	if empty {
		// Some answers have no body: {} must do.
		t.required, t.words = nil, without(t.words, "minProperties")
		if len(list) > 1 || len(t.subs) > 0 || t.ref != nil {
			return nil, false, false
		}
	}
	return &t, false, true
}

// mediaType is a media type without parameters, in lower case; "" when it is none.
func mediaType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	if !strings.Contains(t, "/") {
		return ""
	}
	return t
}
