package compiler

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// apiContext is what lowering the operations of one API shares. Everything in
// it is safe for concurrent use.
type apiContext struct {
	api      *specs.API
	name     string // upstream's
	base     string // its base URL
	baseSet  bool   // the author or the user said it: servers of operations do not count
	auth     *authorizer
	in, out  *lowerer
	inHashed func() *lowerer // made when the short keys are ambiguous
	patterns *patterns
}

// toolArg is an argument of a tool while it is being lowered.
type toolArg struct {
	key      string
	schema   *schema
	required bool
	hidden   bool
	given    bool       // the author gave a default: always there
	value    *plan.Expr // what is sent instead of the argument
	param    *specs.Param
	isBody   bool
	fields   []fieldEdit // of the body
	refused  [][]string  // of the body: paths that callers may not give
}

// fieldEdit changes one field of the body before it is sent.
type fieldEdit struct {
	path  []string // keys
	value plan.Expr
	maybe bool // only where the caller gave the field
	had   plan.Expr
}

// lowered is the outcome of lowering one operation.
type lowered struct {
	tool  plan.Tool
	diags diag.List
	skip  string // why there is no tool; "" when there is
	cut   []string
	roots roots
}

// operation lowers one operation to a tool.
func (a *apiContext) operation(d *derived) lowered {
	l := a.lowerWith(d, a.in)
	if l.skip == errAmbiguous.Error() {
		l = a.lowerWith(d, a.inHashed())
	}
	return l
}

func (a *apiContext) lowerWith(d *derived, in *lowerer) (out lowered) {
	op := d.op
	t := &out.tool
	t.Name = d.name
	t.Origin = plan.Origin{Kind: "openapi", API: a.name, Operation: op.ID, Source: d.source, Deprecated: op.Deprecated, Tags: slices.Clip(op.Tags)}
	if len(op.Tags) == 0 {
		t.Origin.Tags = nil
	}
	t.Request = plan.Request{Upstream: a.name, Method: op.Method}
	t.Hints = methodHints(op.Method)

	path, err := parsePath(op.Path)
	if err != nil {
		out.skip = err.Error()
		return out
	}
	args, fixed, err := a.parameters(op, path, in, t)
	if err != nil {
		out.skip = err.Error()
		return out
	}
	body, bodyArg, err := a.body(op, in)
	if err != nil {
		out.skip = err.Error()
		return out
	}
	if bodyArg != nil {
		for i := range args {
			if args[i].key == bodyArg.key {
				args[i].key = uniqueKey(args, bodyArg.key+"_"+string(args[i].param.In), args[i].param.Name)
			}
		}
		args = append(args, bodyArg)
	}

	d.describe(t)
	edits := editor{args: args, in: in, diags: &out.diags, tool: d, out: t}
	t.Rules = edits.apply()
	t.Pagination = edits.paginate(a, op)
	if out.diags.HasErrors() {
		return out
	}

	if err := a.request(&t.Request, op, path, args, fixed, body); err != nil {
		out.skip = err.Error()
		return out
	}
	t.Request.Security = a.auth.security(op)
	if t.Request.Security == nil && a.auth.own == nil && hasParam(op, specs.InHeader, headerCredential) {
		t.Request.Security = [][]string{{headerCredential}}
	}
	if server, ok := a.server(op); ok {
		t.Request.Server = server
	}

	said := a.api.Response
	for _, l := range d.layers {
		said = inherit(said, l.response)
		if l.scopes != nil {
			t.Scopes = values(l.scopes)
		}
		if l.confirm != nil {
			x := edits.expr(l.confirm, nil, plan.Expr{})
			t.Confirm = &x
		}
	}
	shapeAnswer(&t.Response, said, func(x *specs.Expr) plan.Expr { return edits.expr(x, nil, plan.Expr{}) })
	t.Request.Accept = a.response(d, said, &out)
	if out.diags.HasErrors() {
		return out
	}
	var cut bool
	out.roots.in = inputSchema(args)
	if t.Pagination != nil {
		addCursor(out.roots.in, t.Pagination)
		t.Description = describePages(t.Description, t.Pagination)
	}
	t.Input, cut = emit(out.roots.in, inputBudget, 1)
	if cut {
		out.cut = append(out.cut, "input")
	}
	if err := gate(t, a.patterns); err != nil {
		out.skip = err.Error()
	}
	return out
}

// methodHints is what an HTTP method promises (RFC 9110, section 9.2). POST
// promises nothing; it is taken as adding something, which is what it mostly
// does, so that DELETE, PUT and PATCH stand out as what may destroy. An author
// who knows better says so.
func methodHints(method string) plan.Hints {
	h := plan.Hints{OpenWorld: true}
	switch method {
	case "GET", "HEAD", "OPTIONS", "QUERY", "TRACE":
		h.ReadOnly, h.Idempotent = true, true
	case "PUT", "DELETE":
		h.Destructive, h.Idempotent = true, true
	case "PATCH":
		h.Destructive = true
	}
	return h
}

// repeatable tells whether the author says that a tool may be called twice with
// the effect of once.
func repeatable(by specs.Hints) bool {
	return by.ReadOnly != nil && by.ReadOnly.Value || by.Idempotent != nil && by.Idempotent.Value
}

func setHints(h *plan.Hints, by specs.Hints) {
	if by.ReadOnly != nil {
		h.ReadOnly = by.ReadOnly.Value
		if h.ReadOnly {
			h.Destructive, h.Idempotent = false, true
		}
	}
	if by.Destructive != nil {
		h.Destructive = by.Destructive.Value
	}
	if by.Idempotent != nil {
		h.Idempotent = by.Idempotent.Value
	}
	if by.OpenWorld != nil {
		h.OpenWorld = by.OpenWorld.Value
	}
}

func hasParam(op *specs.Operation, in specs.In, name string) bool {
	return slices.ContainsFunc(op.Params, func(p *specs.Param) bool { return p.In == in && strings.EqualFold(p.Name, name) })
}

// placeOrder is who keeps a name that several parameters have.
func placeOrder(in specs.In) int {
	return slices.Index([]specs.In{specs.InPath, specs.InQuery, specs.InQueryString, specs.InHeader, specs.InCookie}, in)
}

// parameters makes the arguments of an operation's parameters, in document
// order. fixed are query pieces of the path that no argument fills.
func (a *apiContext) parameters(op *specs.Operation, path pathTemplate, in *lowerer, t *plan.Tool) (args []*toolArg, fixed []queryPiece, err error) {
	var params []*specs.Param
	for _, p := range op.Params {
		switch {
		case placeOrder(p.In) < 0:
			if p.Required {
				return nil, nil, fmt.Errorf("the required parameter %q is in %q, which is not a place of HTTP", p.Name, p.In)
			}
			continue
		case p.In == specs.InPath && !path.names(p.Name):
			if !slices.ContainsFunc(path.query, func(q queryPiece) bool { return q.param == p.Name }) {
				continue // not in the path: nowhere to put it
			}
		case p.In == specs.InHeader && ownHeader(p.Name):
			continue
		case (p.In == specs.InHeader || p.In == specs.InCookie) && !isToken(p.Name):
			if p.Required {
				return nil, nil, fmt.Errorf("the required %s parameter %q has a name that HTTP does not allow", p.In, p.Name)
			}
			continue
		case !expressible(p):
			if p.Required {
				return nil, nil, fmt.Errorf("the required parameter %q has content of type %q, which cannot be written in a %s", p.Name, p.Media, p.In)
			}
			continue
		}
		if slices.ContainsFunc(params, func(o *specs.Param) bool { return o.In == p.In && o.Name == p.Name }) {
			continue
		}
		params = append(params, p)
	}
	for _, piece := range path.pieces {
		if piece.param != "" && !slices.ContainsFunc(params, func(p *specs.Param) bool { return p.In == specs.InPath && p.Name == piece.param }) {
			// Not declared, but the path cannot be written without it.
			params = append(params, &specs.Param{Name: piece.param, In: specs.InPath, Required: true, Style: "simple",
				Schema: specs.NewObject(specs.F("type", specs.NewString("string")))})
		}
	}
	for _, q := range path.query {
		if q.param != "" && !slices.ContainsFunc(params, func(p *specs.Param) bool { return p.Name == q.param }) {
			params = append(params, &specs.Param{Name: q.param, In: specs.InQuery, Required: true, Style: "form", Explode: true,
				Schema: specs.NewObject(specs.F("type", specs.NewString("string")))})
		}
		if q.param != "" {
			continue
		}
		// A name that is also declared is sent once: by the argument when it is
		// required, else as the path has it, for that is what tells the operation.
		if i := slices.IndexFunc(params, func(p *specs.Param) bool { return p.In == specs.InQuery && p.Name == q.name }); i >= 0 {
			if params[i].Required {
				continue
			}
			params = slices.Delete(params, i, i+1)
		}
		fixed = append(fixed, q)
	}

	keys := parameterKeys(params)
	for i, p := range params {
		arg := &toolArg{key: keys[i], param: p, required: p.Required || p.In == specs.InPath}
		s := in.lower(p.Schema, place{})
		if s.never {
			s = &schema{}
		}
		desc := cleanText(p.Description)
		if desc == "" {
			desc = s.target().desc
		}
		if p.Sensitive {
			c := *s
			c.sensitive = true
			s = &c
		}
		if p.Deprecated {
			c := *s
			c.words = slices.Clone(s.words)
			c.setWord("deprecated", "true")
			s = &c
			if !strings.HasPrefix(strings.ToLower(desc), "deprecated") {
				desc = strings.TrimSpace("Deprecated. " + desc)
			}
		}
		arg.schema = s.describe(desc)
		args = append(args, arg)
	}
	return args, fixed, nil
}

// ownHeader reports whether a header is written by the bridge. OpenAPI says
// that parameters of these names shall be ignored, but for the connection's.
func ownHeader(name string) bool {
	switch strings.ToLower(name) {
	case "accept", "content-type", "authorization",
		"host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect":
		return true
	}
	return false
}

// expressible reports whether the content type of a parameter can be written.
func expressible(p *specs.Param) bool {
	if p.Media == "" {
		return true
	}
	switch codecOf(p.Media) {
	case plan.JSON, plan.Text, plan.FormCodec:
		return true
	}
	return false
}

// parameterKeys names the arguments of parameters. Of several with one name the
// first in order of places keeps it, the others are called name_in.
func parameterKeys(params []*specs.Param) []string {
	order := make([]int, len(params))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return placeOrder(params[x].In) - placeOrder(params[y].In) })
	names := make([]string, len(params))
	taken := map[string]bool{}
	for _, p := range params {
		taken[p.Name] = true
	}
	used := map[string]bool{}
	for _, i := range order {
		n := params[i].Name
		if used[n] {
			n = params[i].Name + "_" + string(params[i].In)
			for used[n] || taken[n] {
				n += "_"
			}
		}
		used[n] = true
		names[i] = n
	}
	return portableKeys(names, false)
}

// uniqueKey is key, or key with a hash when an argument has it already.
func uniqueKey(args []*toolArg, key, of string) string {
	taken := func(k string) bool {
		return slices.ContainsFunc(args, func(a *toolArg) bool { return a.key == k })
	}
	for salt := of; taken(key) || len(key) > maxKey; salt += "#" {
		key = withHash(key, salt, maxKey)
	}
	return key
}

// inputSchema is the root of a tool's input.
func inputSchema(args []*toolArg) *schema {
	root := &schema{types: []string{"object"}, words: []word{{"additionalProperties", "false"}}}
	for _, a := range args {
		if a.hidden {
			continue
		}
		root.props = append(root.props, prop{key: a.key, wire: a.key, schema: a.schema})
		if a.required && !a.given {
			root.required = append(root.required, a.key)
		}
	}
	return root
}

// request writes what is sent.
func (a *apiContext) request(r *plan.Request, op *specs.Operation, path pathTemplate, args []*toolArg, fixed []queryPiece, body *plan.Body) error {
	byPath := map[string]*plan.Param{}
	queryNames := map[string]string{}
	for _, q := range path.query {
		if q.param != "" {
			queryNames[q.param] = q.name
		}
	}
	for _, q := range fixed {
		v := constant(specs.NewString(q.value))
		r.Query = append(r.Query, plan.Param{Name: q.name, Value: &v, Style: plan.Form, Explode: true})
	}
	for _, arg := range args {
		if arg.isBody {
			a.finishBody(body, arg)
			r.Body, r.Hidden = body, arg.refused
			continue
		}
		if arg.hidden && arg.value == nil {
			continue
		}
		p := arg.param
		out := plan.Param{Name: p.Name, Arg: arg.key, Value: arg.value, Required: arg.required,
			Style: styleOf(p), Explode: p.Explode, AllowReserved: p.AllowReserved, AllowEmpty: p.AllowEmptyValue, Media: p.Media}
		if out.Value != nil {
			out.Arg = ""
		}
		shape, err := shapeOf(arg.schema, false, "")
		if err != nil {
			return err
		}
		out.Shape = shape
		where := p.In
		if n, ok := queryNames[p.Name]; ok && !path.names(p.Name) {
			where, out.Name = specs.InQuery, n
			if p.In == specs.InPath {
				out.Style, out.Explode = plan.Form, true
			}
		}
		switch where {
		case specs.InPath:
			byPath[p.Name] = &out
		case specs.InQuery:
			r.Query = append(r.Query, out)
		case specs.InQueryString:
			r.RawQuery = &out
		case specs.InHeader:
			r.Header = append(r.Header, out)
		case specs.InCookie:
			r.Cookie = append(r.Cookie, out)
		}
	}
	for _, piece := range path.pieces {
		if piece.param == "" {
			r.Path = append(r.Path, plan.Segment{Literal: encodeLiteral(piece.literal)})
			continue
		}
		p := byPath[piece.param]
		if p == nil {
			return fmt.Errorf("the path parameter %q is hidden and has no value", piece.param)
		}
		if piece.reserved {
			c := *p
			c.AllowReserved = true
			p = &c
		}
		r.Path = append(r.Path, plan.Segment{Param: p})
	}
	return nil
}

// styleOf is the style of a parameter, or the place's default for a style that
// is not possible there.
func styleOf(p *specs.Param) plan.Style {
	s := plan.Style(p.Style)
	switch p.In {
	case specs.InPath:
		if s == plan.Simple || s == plan.Label || s == plan.Matrix {
			return s
		}
		return plan.Simple
	case specs.InHeader:
		return plan.Simple
	case specs.InCookie:
		if s == plan.StyleCookie {
			return s
		}
		return plan.Form
	}
	switch s {
	case plan.SpaceDelimited, plan.PipeDelimited, plan.TabDelimited, plan.DeepObject:
		return s
	}
	return plan.Form
}

// encodeLiteral percent-encodes what a path may not hold literally; escapes
// that the author wrote stay.
func encodeLiteral(s string) string {
	const legal = "-._~!$&'()*+,;=:@/"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isAlnum(c) || strings.IndexByte(legal, c) >= 0:
			b.WriteByte(c)
		case c == '%' && i+2 < len(s) && isHex(s[i+1:i+3]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// server is the base URL of an operation that has servers of its own.
func (a *apiContext) server(op *specs.Operation) (string, bool) {
	if a.baseSet || len(op.Servers) == 0 {
		return "", false
	}
	for _, s := range op.Servers {
		if u, err := resolveServer(a.api.Source, s.URL); err == nil {
			return u, u != a.base
		}
	}
	// Relative, in a document that is a file: relative to where the API is.
	if a.base != "" {
		base, err := url.Parse(a.base + "/")
		ref, err2 := url.Parse(op.Servers[0].URL)
		if err == nil && err2 == nil {
			if u, err := absoluteURL(base.ResolveReference(ref).String()); err == nil {
				return u, u != a.base
			}
		}
	}
	return "", false
}

// gate is the last check of a tool: what fails it would make a client drop the
// tool, or all of them.
func gate(t *plan.Tool, p *patterns) error {
	if !isToolName(t.Name) {
		return fmt.Errorf("%q is no name of a tool", t.Name)
	}
	if err := checkSchema(string(t.Input), p); err != nil {
		return fmt.Errorf("its input schema is not valid: %w", err)
	}
	if !strings.Contains(string(t.Input), `"type":"object"`) {
		return errors.New("its input schema is not an object's")
	}
	return nil
}
