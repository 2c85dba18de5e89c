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

// What holds where a pagination block says nothing.
const (
	defaultMaxPages = 5
	defaultMaxItems = 200
)

// cursorMember is the member of structured content that holds a cursor.
const cursorMember = "next_cursor"

// pagination is the plan's word for a block. names are the arguments that are
// taken.
func pagination(p *specs.Pagination, names []string) *plan.Pagination {
	out := &plan.Pagination{Style: p.Style.Value, Model: p.Mode != nil && p.Mode.Value == "model", Param: p.Param.Str(), Input: "cursor", Member: cursorMember, Size: countOf(p.Size, 0),
		Items: answerPath(p.Items), Next: answerPath(p.Next), NextHeader: p.NextHeader.Str(), Total: answerPath(p.Total), Pages: answerPath(p.Pages), HasMore: answerPath(p.HasMore),
		MaxPages: countOf(p.MaxPages, defaultMaxPages), MaxItems: countOf(p.MaxItems, defaultMaxItems)}
	switch {
	case out.Style == plan.PageNumber:
		out.Start = countOf(p.Start, 1)
	case out.Style == plan.PageOffset:
		out.Start = countOf(p.Start, 0)
	}
	if out.Model {
		out.MaxPages, out.MaxItems = 1, 0
	}
	for slices.Contains(names, out.Input) {
		out.Input = "page_" + out.Input
	}
	return out
}

func countOf(n *specs.Count, standard int) int {
	if n == nil {
		return standard
	}
	return n.Value
}

// answerPath are the steps of a path into an answer.
func answerPath(p *specs.Path) []string {
	if p == nil {
		return nil
	}
	return pathNames(p)
}

// paginate makes a derived tool return whole lists: as its own block says, or the
// first of its API's that fits the operation. It takes the parameters that ask
// for pages away from the arguments.
func (e *editor) paginate(a *apiContext, op *specs.Operation) *plan.Pagination {
	var p *specs.Pagination
	if e.tool.tool != nil && !e.tool.tool.IsTool() {
		return nil // nobody could give a cursor
	}
	own := e.tool.tool != nil && e.tool.tool.Pagination != nil
	if own {
		if p = e.tool.tool.Pagination; p.Style.Value == "none" {
			return nil
		}
		if p.In != nil {
			e.diags.Add(diag.Diagnostic{Code: "does-not-apply", Message: "in is for tools described by hand; where a parameter of an operation goes, its document says", Hint: "remove it", Range: p.In.Range})
		}
	} else {
		i := slices.IndexFunc(a.api.Paginations, func(p *specs.Pagination) bool { return e.fits(p, a, op) })
		if i < 0 {
			return nil
		}
		p = a.api.Paginations[i]
	}
	if own && a.listAt(op, answerPath(p.Items)) == noList {
		d := diag.Diagnostic{Severity: diag.Warning, Code: "pagination-without-list", Message: fmt.Sprintf("operation %q answers no list", op.ID), Hint: `say where the list is: items = "…"`, Range: p.Range}
		if p.Items != nil {
			d.Message, d.Range = fmt.Sprintf("operation %q answers no list at %q", op.ID, strings.Join(answerPath(p.Items), ".")), p.Items.Range
		}
		if at := a.firstList(op); at != "" {
			d.Hint = fmt.Sprintf("there is one at %q", at)
		}
		e.diags.Add(d)
	}
	out := pagination(p, nil)
	take := func(name *specs.Text, in specs.Input) *toolArg {
		if name == nil {
			return nil
		}
		in.Path, in.Range = name.Value, name.Range
		before := len(*e.diags)
		if !e.input(&in) {
			e.diags.Add(diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("operation %q has no parameter %q", op.ID, name.Value), Hint: didYouMean(name.Value, e.names(name.Value), "it has "), Range: name.Range})
			return nil
		}
		if len(*e.diags) > before {
			return nil
		}
		head, _, _ := strings.Cut(name.Value, ".")
		if arg := e.find(name.Value); arg != nil {
			return arg
		}
		return e.find(head)
	}
	place := plan.Expr{Op: plan.OpVar, Name: plan.PageVar}
	switch {
	case p.Param == nil:
	case out.ByAddress():
		if arg := take(p.Param, specs.Input{Value: constantExpr(&specs.Node{Kind: specs.Null}, p.Param.Range)}); arg != nil {
			arg.required = false
		}
	default:
		if arg := take(p.Param, specs.Input{Value: &specs.Expr{Op: specs.ExprVar, Name: plan.PageVar, Range: p.Param.Range}}); arg != nil {
			if arg.isBody { // the first page of a cursor has none
				f := &arg.fields[len(arg.fields)-1]
				f.maybe, f.had = true, place
			} else {
				arg.required = false
			}
		}
	}
	switch {
	case p.SizeParam == nil:
	case p.Size != nil:
		n := p.Size.Value
		if !own {
			n = e.most(p.SizeParam.Value, n)
		}
		out.Size = n
		take(p.SizeParam, specs.Input{Value: constantExpr(specs.NewNumber(strconv.Itoa(n)), p.Size.Range)})
	case !out.Model:
		// How large pages are is no concern of who gets the whole.
		if arg := e.find(p.SizeParam.Value); arg != nil && arg.required && !arg.given {
			break // somebody has to say it
		}
		take(p.SizeParam, specs.Input{Hide: &specs.Flag{Value: true, Range: p.SizeParam.Range}})
	}
	var names []string
	for _, arg := range e.args {
		if !arg.hidden {
			names = append(names, arg.key)
		}
	}
	for slices.Contains(names, out.Input) {
		out.Input = "page_" + out.Input
	}
	return out
}

func constantExpr(v *specs.Node, at diag.Range) *specs.Expr {
	return &specs.Expr{Op: specs.ExprConst, Value: v, Range: at}
}

// fits tells whether pagination of an API is for an operation: it reads, it has
// the parameters, and its answer may hold a list there.
func (e *editor) fits(p *specs.Pagination, a *apiContext, op *specs.Operation) bool {
	if op.Method != "GET" && op.Method != "QUERY" {
		return false
	}
	for _, name := range []*specs.Text{p.Param, p.SizeParam} {
		if name != nil && !slices.Contains(e.names(name.Value), name.Value) && e.find(name.Value) == nil {
			return false
		}
	}
	at := a.listAt(op, answerPath(p.Items))
	return at == aList || at == openList && (p.Param != nil || p.SizeParam != nil)
}

// most is n, or less where the schema of a parameter allows no more.
func (e *editor) most(name string, n int) int {
	if arg := e.find(name); arg != nil {
		if top, err := strconv.Atoi(arg.schema.target().word("maximum")); err == nil && top > 0 {
			n = min(n, top)
		}
	}
	return n
}

// listKind is what a schema says about a list at some place.
type listKind uint8

const (
	openList listKind = iota // nothing
	aList
	noList
)

// listAt says whether the answer of an operation has a list at a path.
func (a *apiContext) listAt(op *specs.Operation, path []string) listKind {
	s := a.answer(op)
	if s == nil {
		return openList
	}
	return listIn(s, path, 0)
}

func listIn(s *schema, path []string, depth int) listKind {
	if depth > 20 {
		return openList
	}
	s = s.target()
	if len(path) == 0 {
		types := slices.DeleteFunc(slices.Clone(s.types), func(t string) bool { return t == "null" })
		switch {
		case slices.Contains(types, "array"):
			return aList
		case len(types) > 0 || len(s.props) > 0:
			return noList
		}
	} else if p := s.prop(path[0]); p != nil {
		return listIn(p.schema, path[1:], depth+1)
	} else if slices.Equal(s.types, []string{"array"}) || len(s.props) > 0 && len(s.subs) == 0 && s.word("additionalProperties") != "true" {
		return noList
	}
	for _, sub := range s.subs {
		if sub.key != "allOf" && sub.key != "anyOf" && sub.key != "oneOf" {
			continue
		}
		for _, c := range sub.list {
			if k := listIn(c, path, depth+1); k == aList {
				return k
			}
		}
	}
	return openList
}

// firstList is where the answer of an operation has a list, "" where none is near
// the root.
func (a *apiContext) firstList(op *specs.Operation) string {
	s := a.answer(op)
	if s == nil {
		return ""
	}
	for _, p := range s.target().props {
		if listIn(p.schema, nil, 0) == aList {
			return p.wire
		}
		for _, q := range p.schema.target().props {
			if listIn(q.schema, nil, 0) == aList {
				return p.wire + "." + q.wire
			}
		}
	}
	return ""
}

// answer is the schema of an operation's successful answer, nil when there is
// none.
func (a *apiContext) answer(op *specs.Operation) *schema {
	for _, res := range successes(op) {
		m := jsonMedia(res.Media)
		if m == nil {
			m = xmlMedia(res.Media)
		}
		if m != nil && m.Schema != nil {
			return a.out.lower(m.Schema, place{})
		}
	}
	return nil
}

// addCursor adds the argument that takes a cursor.
func addCursor(root *schema, p *plan.Pagination) {
	root.props = append(root.props, prop{key: p.Input, wire: p.Input, schema: &schema{types: []string{"string"},
		desc: "Goes on where a result before ended: its " + cursorMember + ". The other arguments stay the same."}})
}

// promiseCursor adds to the root of an output the member that holds a cursor. It
// is false where the schema leaves no room for one.
func promiseCursor(root *schema) bool {
	if root.ref != nil || len(root.subs) > 0 || root.never {
		return false
	}
	c := &schema{types: []string{"string", "null"}, desc: "There is more: the argument that goes on here."}
	if i := slices.IndexFunc(root.props, func(p prop) bool { return p.key == cursorMember }); i >= 0 {
		root.props = slices.Clone(root.props)
		root.props[i].schema = c
		return true
	}
	root.props = append(slices.Clip(root.props), prop{key: cursorMember, wire: cursorMember, schema: c})
	return true
}

// describePages adds to a description what a call returns of a list.
func describePages(description string, p *plan.Pagination) string {
	text := fmt.Sprintf("Returns up to %d items", p.MaxItems)
	switch {
	case p.Model:
		text = "Returns one page"
	case p.MaxItems == 0:
		text = fmt.Sprintf("Returns up to %d pages", p.MaxPages)
	}
	text += fmt.Sprintf("; to get more, call again with the same arguments and %s from the result.", p.Input)
	if len(description) <= maxDescription { // an author's own may be longer
		description = clip(description, maxDescription-len(text)-2)
	}
	return description + "\n\n" + text
}

// paginateByHand makes the request of a tool described by hand ask for pages.
func (c *compilation) paginateByHand(t *specs.Tool, out *plan.Tool) bool {
	p := t.Pagination
	sound := true
	send := func(name *specs.Text, r *plan.Request, v plan.Expr) {
		where := "query"
		if p.In != nil {
			where = p.In.Value
		}
		sends := func(list []plan.Param) bool {
			return slices.ContainsFunc(list, func(q plan.Param) bool { return q.Name == name.Value })
		}
		twice, none := false, false
		switch where {
		case "query":
			twice = sends(r.Query)
			r.Query = append(r.Query, plan.Param{Name: name.Value, Value: &v, Style: plan.Form, Explode: true})
		case "header":
			twice = sends(r.Header)
			r.Header = append(r.Header, plan.Param{Name: name.Value, Value: &v, Style: plan.Simple})
		default:
			codec := plan.FormCodec
			if where == "json" {
				codec = plan.JSON
			}
			none = r.Body == nil || r.Body.Codec != codec || r.Body.Value == nil && codec == plan.FormCodec
			if none {
				break
			}
			twice = setMember(r.Body, name.Value, v)
		}
		switch {
		case none:
			c.diags.Add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("%q is to be sent in the %s, which the request has none of", name.Value, where), Hint: fmt.Sprintf("add %s = { … } to the request, or remove in", where), Range: p.In.Range})
		case twice:
			c.diags.Add(diag.Diagnostic{Code: "duplicate-parameter", Message: fmt.Sprintf("the request says %q itself, which the pagination sets", name.Value), Hint: "remove it from the request", Range: name.Range})
		}
		sound = sound && !none && !twice
	}
	for _, r := range out.Requests() {
		if p.Param != nil && !out.Pagination.ByAddress() {
			send(p.Param, r, plan.Expr{Op: plan.OpVar, Name: plan.PageVar})
		}
		if p.SizeParam != nil && p.Size != nil {
			send(p.SizeParam, r, constant(specs.NewNumber(strconv.Itoa(p.Size.Value))))
		}
	}
	if p.Size == nil && p.SizeParam != nil {
		c.diags.Add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("nothing is known to be sent as %q", p.SizeParam.Value), Hint: "add size = 100", Range: p.SizeParam.Range})
		sound = false
	}
	out.Description = describePages(out.Description, out.Pagination)
	return sound
}

// fieldsOfPages warns of fields that keep nothing of the list which pages are of:
// they begin at the root, which is the whole answer until it is said.
func (c *compilation) fieldsOfPages(said *specs.Shaping, out *plan.Tool) {
	items := out.Pagination.Items
	if said == nil || said.Root != nil || len(said.Fields) == 0 || len(items) == 0 {
		return
	}
	name := items[0]
	for _, n := range out.Response.Select.Rename {
		if n.From == name {
			name = n.To
		}
	}
	for _, f := range said.Fields {
		if s := f.Steps[0]; s.Deep || s.Glob || s.Name == name {
			return
		}
	}
	c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "fields-without-list", Message: fmt.Sprintf("fields keeps nothing of the list %q, which the pages are of", strings.Join(items, ".")),
		Hint: fmt.Sprintf("add root = %q to the response, so that fields are those of its elements", strings.Join(items, ".")), Range: said.Fields[0].Range})
}

// setMember adds a member to a body; a null one is left out. It is true when the
// body has one of the name already.
func setMember(b *plan.Body, name string, v plan.Expr) bool {
	x := b.Value
	if x == nil {
		x = &plan.Expr{Op: plan.OpArg, Name: b.Arg}
		b.Arg = ""
	}
	key := constant(specs.NewString(name))
	if x.Op == plan.OpObject {
		for i := 0; i < len(x.Args); i += 2 {
			if x.Args[i].Op == plan.OpConst && x.Args[i].Const == key.Const {
				return true
			}
		}
	}
	one := plan.Expr{Op: plan.OpObject, Args: []plan.Expr{key, v}}
	if v.Op != plan.OpConst {
		one = whenGiven(v, one, constant(nil))
	}
	merged := call("merge", *x, one)
	b.Value = &merged
	return false
}
