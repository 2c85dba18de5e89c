package compiler

import (
	"errors"
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strconv"
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

// pathPiece is a piece of a path template.
type pathPiece struct {
	literal  string
	param    string // "" for a literal
	reserved bool   // {+name}: slashes stay
}

// pathTemplate is a parsed path, with what some documents put behind it.
type pathTemplate struct {
	pieces []pathPiece
	query  []queryPiece // behind "?"
}

type queryPiece struct{ name, value, param string }

// parsePath reads a path template. Besides {name} it takes what real documents
// contain: {name} anywhere in a segment, {+name} and {name=**} for values with
// slashes, {?a,b} and a fixed query, and a fragment that only tells operations
// apart.
func parsePath(path string) (pathTemplate, error) {
	var t pathTemplate
	rest, _, _ := strings.Cut(path, "#")
	rest, query, _ := cutQuery(rest)
	for rest != "" {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			t.pieces = append(t.pieces, pathPiece{literal: rest})
			break
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			t.pieces = append(t.pieces, pathPiece{literal: rest})
			break
		}
		name := rest[open+1 : open+end]
		if open > 0 {
			t.pieces = append(t.pieces, pathPiece{literal: rest[:open]})
		}
		rest = rest[open+end+1:]
		if strings.HasPrefix(name, "?") || strings.HasPrefix(name, "&") {
			continue // {?a,b}: the query parameters a and b, declared as such
		}
		p := pathPiece{param: name}
		if strings.HasPrefix(name, "+") {
			p.param, p.reserved = name[1:], true
		}
		if n, pattern, ok := strings.Cut(p.param, "="); ok { // gRPC transcoding
			p.param, p.reserved = n, strings.Contains(pattern, "/") || strings.Contains(pattern, "**")
		}
		p.param = strings.TrimSuffix(p.param, "*")
		if p.param == "" {
			return t, fmt.Errorf("the path has a parameter without a name")
		}
		t.pieces = append(t.pieces, p)
	}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
		name, value, _ := strings.Cut(pair, "=")
		if p, ok := strings.CutPrefix(value, "{"); ok && strings.HasSuffix(p, "}") {
			t.query = append(t.query, queryPiece{name: unescapeQuery(name), param: strings.TrimSuffix(p, "}")})
			continue
		}
		if strings.HasPrefix(name, "{") && value == "" {
			continue // {name}: a parameter declared as such
		}
		t.query = append(t.query, queryPiece{name: unescapeQuery(name), value: unescapeQuery(value)})
	}
	return t, nil
}

// cutQuery cuts at the first "?" outside of braces.
func cutQuery(path string) (before, query string, found bool) {
	depth := 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '?':
			if depth <= 0 {
				return path[:i], path[i+1:], true
			}
		}
	}
	return path, "", false
}

func unescapeQuery(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func (t pathTemplate) names(name string) bool {
	return slices.ContainsFunc(t.pieces, func(p pathPiece) bool { return p.param == name })
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
		if u, ok := resolveServer(a.api.Source, s.URL); ok {
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
