package hclspec

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// Checks that need no operations of an OpenAPI document. Those that do are the
// compiler's.

var (
	toolName  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	pathParam = regexp.MustCompile(`\{([^{}]*)\}`)
)

// isToken reports whether s is a token of HTTP (RFC 9110), such as a header
// name.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// closeAPI loads the document of an API and merges what the author wrote.
func (p *parser) closeAPI(h *head, t *apiTarget) {
	written := t.api
	if _, attempted := h.seen["base_url"]; attempted && written.BaseURL == nil {
		// It was wrong, which has been said; that it is missing would be a
		// second mistake.
		written.BaseURL = &specs.Text{Value: "https://wrong.invalid", Range: h.rng}
	}
	if s := written.TLS; s != nil && written.BaseURL != nil && strings.HasPrefix(written.BaseURL.Value, "http:") {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("%s is called without encryption: tls says nothing", h.title()), Hint: "use https:// in base_url, or remove tls", Range: s.Range})
	}
	if t.openapi == nil {
		for _, o := range t.overlays {
			p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("%s has no OpenAPI document to overlay", h.title()), Hint: "add openapi, or remove overlay", Range: o.Range})
		}
		_, attempted := h.seen["openapi"]
		if _, ok := h.seen["base_url"]; !ok && !attempted && !h.broken {
			p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("%s needs openapi or base_url", h.title()), Hint: `add base_url = "https://…", or openapi = "document.yaml"`, Range: h.rng})
		}
		if attempted {
			p.unloaded[written.Name] = true
			written.Expose, written.Overrides, written.Unread = nil, nil, true
		} else {
			p.byHand[written.Name] = true
			for _, r := range t.expose {
				p.add(diag.Diagnostic{Code: "nothing-to-select", Message: fmt.Sprintf("%s has no OpenAPI document to select operations from", h.title()), Hint: "add openapi, or describe tools by hand", Range: r})
			}
		}
		p.doc.APIs = append(p.doc.APIs, written)
		return
	}
	location, ok := p.documentLocation(t.openapi)
	var loaded *specs.API
	if ok {
		var list diag.List
		src := Source{Location: location, ServerVariables: t.variables}
		for i := range t.overlays {
			if o, ok := p.documentLocation(&t.overlays[i]); ok {
				src.Overlays = append(src.Overlays, o)
			}
		}
		loaded, list = p.load(src)
		for _, d := range list {
			d.Range = cmpRange(d.Range, t.openapi.Range)
			p.add(d)
		}
	}
	if loaded == nil {
		p.unloaded[written.Name] = true
		written.Expose, written.Overrides, written.Unread = nil, nil, true
		p.doc.APIs = append(p.doc.APIs, written)
		return
	}
	api := *loaded // two blocks may share one document
	api.Name, api.Range = written.Name, written.Range
	api.BaseURL, api.Auth, api.SchemeAuth, api.Headers = written.BaseURL, written.Auth, written.SchemeAuth, written.Headers
	api.Timeout, api.ConnectTimeout, api.MaxResponse, api.Retry = written.Timeout, written.ConnectTimeout, written.MaxResponse, written.Retry
	api.Limit, api.Cache, api.Breaker, api.Bulkhead, api.Coalesce, api.TLS, api.Egress = written.Limit, written.Cache, written.Breaker, written.Bulkhead, written.Coalesce, written.TLS, written.Egress
	api.Expose, api.Overrides, api.Response, api.ExposeAll = written.Expose, written.Overrides, written.Response, false
	api.Paginations = written.Paginations
	p.doc.APIs = append(p.doc.APIs, &api)
}

// documentLocation is where the OpenAPI document of an api block is.
func (p *parser) documentLocation(t *specs.Text) (string, bool) {
	if !p.remote {
		return p.resolve(t.Value), true
	}
	base, err := url.Parse(p.dir)
	if err == nil && !filepath.IsAbs(t.Value) {
		if u, err := base.Parse(t.Value); err == nil && specs.IsURL(u.String()) {
			return u.String(), true
		}
	}
	p.refuseRemote(t.Range)
	return "", false
}

// checkHeaders checks the names of headers and the values that are known.
func (p *parser) checkHeaders(list []specs.NamedExpr) {
	reserved := map[string]string{
		"host": "it follows from base_url", "content-length": "it follows from the body", "transfer-encoding": "it follows from the body",
		"connection": "connections are managed for you", "keep-alive": "connections are managed for you", "te": "connections are managed for you",
		"trailer": "connections are managed for you", "upgrade": "connections are managed for you",
	}
	for _, e := range list {
		lower := strings.ToLower(e.Name)
		v := e.Value.Value
		switch {
		case !isToken(e.Name):
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a header", e.Name), Hint: "names of headers are letters, digits and -", Range: e.Range})
		case reserved[lower] != "":
			p.add(diag.Diagnostic{Code: "reserved-header", Message: fmt.Sprintf("the header %s cannot be set", e.Name), Hint: reserved[lower], Range: e.Range})
		case e.Value.Op == specs.ExprConst && v.Kind == specs.String && strings.ContainsAny(v.Text, "\r\n\x00"):
			p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("the value of header %s holds a line break", e.Name), Hint: "write it on one line", Range: e.Value.Range})
		case e.Value.Op == specs.ExprConst && v.Kind == specs.Object:
			p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the value of header %s is an object", e.Name), Hint: "use jsonencode()", Range: e.Value.Range})
		case e.Value.Op == specs.ExprConst && v.Kind == specs.String && slices.Contains([]string{"authorization", "proxy-authorization", "cookie", "x-api-key"}, lower):
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "literal-secret", Secret: true, Message: fmt.Sprintf("the value of header %s is written in the spec, and will be in its plan", e.Name), Hint: "use auth, or a variable with sensitive = true", Range: e.Value.Range})
		}
	}
}

func (p *parser) checkMethod(r *specs.Request, at diag.Range) {
	if slices.Contains(httpMethods, r.Method) {
		return
	}
	d := diag.Diagnostic{Code: "unknown-method", Message: fmt.Sprintf("there is no HTTP method %q", r.Method), Range: at}
	if up := strings.ToUpper(r.Method); slices.Contains(httpMethods, up) {
		d.Hint = "methods are written in capitals: " + up
		r.Method = up
	} else {
		d.Hint = didYouMean(r.Method, httpMethods, "methods are ")
	}
	p.add(d)
}

func (p *parser) closeRequest(h *head, r *specs.Request) {
	body := p.checkBodies(h, r)
	if r.XML != nil {
		var prolog string
		if r.XML, prolog = p.checkXML(r.XML, "xml", false); r.XML != nil {
			p.checkProlog(r, prolog)
		} else {
			h.failed = true
		}
	}
	if at, ok := h.seen["content_type"]; ok && body == "" && !h.failed && !p.broken[r] {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "content_type is of a body, and the request has none", Hint: "remove it, or add a body; the type of the answer is asked for by the header Accept", Range: at})
	}
	if t := r.ContentType; t != nil && body == "multipart" && !strings.HasPrefix(strings.ToLower(t.Value), "multipart/") {
		p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("content_type of a multipart body cannot be %q", t.Value), Hint: `write "multipart/mixed", or remove it`, Range: t.Range})
	}
	p.checkParts(r.Multipart)
	for _, list := range [][]specs.NamedExpr{r.Query, r.Form} {
		for _, e := range list {
			if e.Value.Op == specs.ExprObject || e.Value.Op == specs.ExprConst && e.Value.Value.Kind == specs.Object {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("%q is an object, which has no form here", e.Name), Hint: "use jsonencode(), or name its members one by one", Range: e.Value.Range})
			}
		}
	}
	for _, list := range [][]specs.NamedExpr{r.Query, r.Form, r.Cookies} {
		for _, e := range list {
			p.checkLiteral(e, "use auth, or a variable with sensitive = true")
		}
	}
	before := len(p.diags)
	p.checkPath(r)
	p.broken[r] = p.broken[r] || h.failed || p.diags[before:].HasErrors()
}

// checkLiteral warns of a text that is written out for something with the name of a
// secret. What env() and file() give where they are no references is written out.
func (p *parser) checkLiteral(e specs.NamedExpr, hint string) {
	if v := e.Value; v.Op == specs.ExprConst && v.Value.Kind == specs.String && v.Value.Text != "" && (passwordName.MatchString(e.Name) || imported.IsSecretName(e.Name)) {
		p.add(diag.Diagnostic{Severity: diag.Warning, Code: "literal-secret", Secret: true, Message: e.Name + " is written in the spec, and will be in its plan", Hint: hint, Range: v.Range})
	}
}

// pathRange is the place of a part of the path, when the label is written
// without escapes.
func pathRange(r *specs.Request, start, end int) diag.Range {
	at := r.PathAt
	if at.Source != nil && at.End-at.Start == len(r.Path)+2 {
		return diag.Range{Source: at.Source, Start: at.Start + 1 + start, End: at.Start + 1 + end}
	}
	return at
}

func (p *parser) checkPath(r *specs.Request) {
	wrong := func(start, end int, message, hint string) {
		p.add(diag.Diagnostic{Code: "invalid-path", Message: message, Hint: hint, Range: pathRange(r, start, end)})
	}
	path := r.Path
	if i := strings.Index(path, "${"); i >= 0 {
		end := len(path)
		if n := strings.IndexByte(path[i:], '}'); n >= 0 {
			end = i + n + 1
		}
		if path[i:end] != "${ ... }" { // HCL puts this for what it has reported
			p.interpolatedPath(path[i:end], pathRange(r, i, end))
		}
		return
	}
	if !strings.HasPrefix(path, "/") && path != "" {
		wrong(0, len(path), fmt.Sprintf("the path %q does not begin with /", path), fmt.Sprintf("write %q", "/"+path))
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		wrong(i, len(path), "a path ends before "+path[i:i+1], "query parameters go into query = { name = value }")
	}
	if i := strings.IndexFunc(path, func(c rune) bool { return c <= ' ' || c == 0x7F }); i >= 0 {
		wrong(i, i+1, "the path holds white space", "write a space as %20")
	}
	rest := pathParam.ReplaceAllStringFunc(path, func(s string) string { return strings.Repeat(".", len(s)) })
	if i := strings.IndexAny(rest, "{}"); i >= 0 {
		wrong(i, i+1, fmt.Sprintf("a %s in the path has no partner", rest[i:i+1]), "an argument is written {name}")
	}
}

// interpolatedPath reports ${…} in a path.
func (p *parser) interpolatedPath(text string, at diag.Range) {
	d := diag.Diagnostic{Code: "args-in-path", Message: text + " cannot stand in a path", Range: at,
		Hint: "a path is plain text with {name} for arguments; what is the same for all tools goes into base_url"}
	inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "${"), "}"))
	if name, ok := strings.CutPrefix(inner, "args."); ok && toolName.MatchString(name) {
		d.Hint = fmt.Sprintf("write {%s}: it takes the argument as one encoded segment", name)
	}
	p.add(d)
}

// closeInput completes the schema of an input and checks that its parts fit
// together.
func (p *parser) closeInput(h *head, t *inputTarget) *specs.Input {
	in := t.input
	p.broken[in] = h.failed
	if in.Path == "" || strings.HasPrefix(in.Path, ".") || strings.HasSuffix(in.Path, ".") || strings.Contains(in.Path, "..") {
		p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of an input", in.Path), Hint: `write the argument's name, or a field of the body: "body.title"`, Range: h.label().Range})
	}
	if t.typ == nil && len(t.keywords) == 0 && t.examples == nil {
		return in
	}
	schema := &specs.Node{Kind: specs.Object}
	if t.typ != nil {
		schema = t.typ.schema.Clone()
		p.place(schema, t.typ.rng)
	}
	of := schema.Get("type").Str()
	for _, k := range t.keywords {
		schema.Set(k.Key, k.Value)
	}
	if t.typ != nil && of != "" {
		for _, group := range []struct {
			types []string
			what  string
			names []string
		}{
			{[]string{"string"}, "text", []string{"pattern", "format", "min_length", "max_length"}},
			{[]string{"number", "integer"}, "numbers", []string{"minimum", "maximum"}},
			{[]string{"array"}, "lists", []string{"min_items", "max_items"}},
		} {
			for _, name := range group.names {
				if at, ok := t.places[name]; ok && !slices.Contains(group.types, of) {
					p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("%s is for %s, but the type of input %q is %s", name, group.what, in.Path, typeWord(of)), Hint: "remove it, or change the type", Range: at})
				}
			}
		}
	}
	for _, pair := range [][4]string{{"minLength", "maxLength", "min_length", "max_length"}, {"minimum", "maximum", "minimum", "maximum"}, {"minItems", "maxItems", "min_items", "max_items"}} {
		least, most := schema.Get(pair[0]), schema.Get(pair[1])
		if least == nil || most == nil || t.places[pair[3]].IsZero() {
			continue
		}
		a, err1 := number(least)
		b, err2 := number(most)
		if err1 == nil && err2 == nil && function.Compare(a, b) > 0 {
			p.add(diag.Diagnostic{Code: "empty-range", Message: fmt.Sprintf("%s is more than %s: no value is allowed", pair[2], pair[3]), Hint: "swap or change them", Range: t.places[pair[3]]})
		}
	}
	if t.examples != nil {
		schema.Set("examples", t.examples.node)
	}
	in.Schema = schema
	if t.typ == nil {
		return in
	}
	if t.standard != nil && t.standard.node.Kind != specs.Null {
		if problem, hint := mismatch(schema, t.standard.node); problem != "" {
			p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the default of input %q does not fit: %s", in.Path, problem), Hint: hint, Range: t.standard.rng})
		}
	}
	if t.examples != nil {
		for _, f := range t.examples.node.Fields {
			if problem, hint := mismatch(schema, f.Value); problem != "" {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("an example of input %q does not fit: %s", in.Path, problem), Hint: hint, Range: cmpRange(f.Value.Range(), t.examples.rng)})
			}
		}
	}
	return in
}

// typeWord is the language's word for a type of JSON Schema.
func typeWord(s string) string {
	if w := map[string]string{"array": "list", "boolean": "bool"}[s]; w != "" {
		return w
	}
	return s
}

func (p *parser) checkInputNames(inputs []*specs.Input) {
	first := map[string]diag.Range{}
	for _, in := range inputs {
		if r, ok := first[in.Path]; ok {
			p.duplicate("input", in.Path, in.Range, r)
			continue
		}
		first[in.Path] = in.Range
	}
}

func (p *parser) closeTool(h *head, t *specs.Tool) {
	if !toolName.MatchString(t.Name) {
		p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for a tool", t.Name), Hint: "use 1 to 64 letters, digits, _ and -", Range: h.label().Range})
	}
	if first, ok := p.toolNames[t.Name]; ok {
		p.duplicate("tool", t.Name, h.rng, first)
	} else {
		p.toolNames[t.Name] = t.Range
		p.doc.Tools = append(p.doc.Tools, t)
	}
	_, derived := h.seen["operation"]
	if len(t.Steps) > 0 {
		if derived || t.Request != nil {
			p.add(diag.Diagnostic{Code: "steps-and-request", Message: fmt.Sprintf("tool %q has steps, and a request or operation of its own", t.Name), Hint: "put the request into a tool of its own and call it in a step", Range: t.Steps[0].Range})
		}
		if t.Pagination != nil {
			p.add(diag.Diagnostic{Code: "does-not-apply", Message: "pagination is of a request; a tool of steps has none of its own", Hint: "move it to the tool that a step calls", Range: t.Pagination.Range})
		}
		p.checkInputNames(t.Inputs)
		p.checkComposite(h, t)
		return
	}
	for _, name := range []string{"output", "timeout"} {
		if at, ok := h.seen[name]; ok && !p.broken[t] {
			p.add(diag.Diagnostic{Code: "does-not-apply", Message: name + " is for tools made of steps", Hint: "add step \"name\" { … }, or remove it", Range: at})
		}
	}
	p.closeCall(h, t)
}

// checkHandWritten checks the inputs of a tool described by hand against their
// uses.
func (p *parser) checkHandWritten(h *head, t *specs.Tool) {
	inputs := map[string]*specs.Input{}
	var names []string
	for _, in := range t.Inputs {
		inputs[in.Path] = in
		names = append(names, in.Path)
		if in.Path != "" && !toolName.MatchString(in.Path) {
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for an input of a tool described by hand", in.Path), Hint: "use 1 to 64 letters, digits, _ and -; members of an object are declared by its type", Range: in.Range})
		}
		if !p.broken[in] && (in.Schema == nil || in.Schema.Source == nil) && in.Value == nil && !h.broken {
			p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("input %q needs the attribute \"type\"", in.Path), Hint: "add type = string, number, integer, bool, list(…) …", Range: in.Range})
		}
		if in.Value != nil && in.Wire != nil {
			p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("input %q has a value, so there is nothing for wire to change", in.Path), Hint: "keep one of the two", Range: in.Wire.Range})
		}
	}
	used := map[string]bool{}
	// use notes the inputs of an expression; own is the input it is written in,
	// which does not use itself.
	use := func(x *specs.Expr, own string) {
		eachExpr(x, func(a *specs.Expr) {
			if a.Op != specs.ExprArg {
				return
			}
			used[a.Name] = used[a.Name] || a.Name != own
			if inputs[a.Name] == nil && !h.broken {
				used[diag.Nearest(a.Name, names)] = true // one mistake, not two
				p.add(diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("%s has no input %q", h.title(), a.Name), Hint: inputHint(a.Name, names), Range: a.Range})
			}
		})
	}
	missing := func(name string) bool {
		in := inputs[name]
		return in != nil && in.Optional != nil && in.Optional.Value && in.Default == nil && in.Value == nil
	}
	// inText notes them too, and warns of optional ones that a text needs. tested
	// are inputs that a condition around has looked at.
	var needs func(x *specs.Expr, tested []string)
	needs = func(x *specs.Expr, tested []string) {
		for i, part := range x.Args {
			if x.Op == specs.ExprCond && i == 0 {
				eachExpr(part, func(a *specs.Expr) {
					if a.Op == specs.ExprArg {
						tested = append(slices.Clip(tested), a.Name)
					}
				})
			}
			needs(part, tested)
			if isPlaced(part) {
				part = part.Args[0]
			}
			if x.Op == specs.ExprTemplate && part.Op == specs.ExprArg && missing(part.Name) && !slices.Contains(tested, part.Name) {
				p.add(diag.Diagnostic{Severity: diag.Warning, Code: "optional-in-text", Message: fmt.Sprintf("input %q is optional, and a text cannot be made without it", part.Name), Hint: fmt.Sprintf(`write ${coalesce(args.%s, "")}`, part.Name), Range: part.Range})
			}
		}
	}
	inText := func(x *specs.Expr, own string) {
		use(x, own)
		needs(x, []string{own})
	}
	broken := h.broken
	requests := slices.Clone(t.Choices)
	if t.Request != nil { // a prompt may do without
		requests = append(requests, t.Request)
	}
	for i, r := range requests {
		broken = broken || p.broken[r]
		if r.When == nil && i < len(requests)-1 && !p.broken[r] {
			p.add(diag.Diagnostic{Code: "unreachable-request", Message: "the requests below this one are never sent: it has no condition", Hint: "add when = …, or put it last", Range: r.Range})
		}
		for _, m := range pathParam.FindAllStringSubmatchIndex(r.Path, -1) {
			if m[0] > 0 && r.Path[m[0]-1] == '$' {
				continue // reported already
			}
			name := r.Path[m[2]:m[3]]
			used[name] = true
			in := inputs[name]
			switch {
			case in == nil && !h.broken:
				used[diag.Nearest(name, names)] = true
				p.add(diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("the path takes {%s}, but %s has no such input", name, h.title()), Hint: inputHint(name, names), Range: pathRange(r, m[0], m[1])})
			case missing(name) && r.When == nil:
				p.add(diag.Diagnostic{Code: "optional-in-path", Message: fmt.Sprintf("the path needs {%s}, but the input is optional", name), Hint: "remove optional, or give it a default", Range: pathRange(r, m[0], m[1]),
					Notes: []diag.Note{{Message: "the input", Range: in.Range}}})
			}
		}
		if r.When != nil {
			use(r.When, "")
		}
		p.checkFiles(r, inputs)
		for _, x := range requestExprs(r) {
			if r.When != nil { // the condition may be that it is given
				use(x, "")
			} else {
				inText(x, "")
			}
		}
	}
	for _, x := range shapingExprs(t.Response) {
		inText(x, "")
	}
	if t.Prompt != nil {
		for _, x := range messageExprs(t.Prompt) {
			inText(x, "")
		}
	}
	if t.Confirm != nil {
		inText(t.Confirm, "")
	}
	for _, rule := range t.Rules {
		use(rule.Condition, "")
		use(rule.Message, "")
	}
	exprs := shapingExprs(t.Response)
	for _, r := range requests {
		exprs = append(exprs, requestExprs(r)...)
		if r.When != nil {
			exprs = append(exprs, r.When)
		}
	}
	if t.Confirm != nil {
		exprs = append(exprs, t.Confirm)
	}
	for _, rule := range t.Rules {
		exprs = append(exprs, rule.Condition, rule.Message)
	}
	p.inferAll(inputs, exprs)
	for _, in := range t.Inputs {
		for _, x := range []*specs.Expr{in.Value, in.Wire} {
			if x != nil {
				inText(x, in.Path)
			}
		}
		for _, rule := range in.Rules {
			use(rule.Condition, in.Path)
			use(rule.Message, in.Path)
		}
	}
	for _, in := range t.Inputs {
		if in.Path != "" && !used[in.Path] && !broken {
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "unused-input", Message: fmt.Sprintf("input %q is not used", in.Path), Hint: fmt.Sprintf("use args.%s or {%s}, or remove it", in.Path, in.Path), Range: in.Range})
		}
	}
}

func inputHint(name string, names []string) string {
	if hint := didYouMean(name, names, "inputs are "); hint != "" {
		return hint
	}
	return fmt.Sprintf("declare it: input %q { type = string }", name)
}

// requestExprs are the expressions of a request.
func requestExprs(r *specs.Request) []*specs.Expr {
	var out []*specs.Expr
	for _, list := range [][]specs.NamedExpr{r.Query, r.Headers, r.Cookies, r.Form, r.Multipart} {
		for _, e := range list {
			out = append(out, e.Value)
		}
	}
	bodies := []*specs.Expr{r.JSON, r.XML, r.Text, r.Bytes}
	if r.SOAP != nil {
		bodies = append(bodies, r.SOAP.Header, r.SOAP.XML)
	}
	for _, x := range bodies {
		if x != nil {
			out = append(out, x)
		}
	}
	return out
}

// eachExpr visits an expression and everything in it.
func eachExpr(x *specs.Expr, visit func(*specs.Expr)) {
	visit(x)
	for _, a := range x.Args {
		eachExpr(a, visit)
	}
}

// checkDocument checks what concerns several blocks.
func (p *parser) checkDocument() {
	var names []string
	for _, a := range p.doc.APIs {
		names = append(names, a.Name)
	}
	unknown := func(name string, at diag.Range) {
		if slices.Contains(names, name) || p.lost["api "+name] {
			return
		}
		hint := didYouMean(name, names, "there are ")
		if hint == "" {
			hint = fmt.Sprintf("declare it: api %q { … }", name)
		}
		p.add(diag.Diagnostic{Code: "unknown-api", Message: fmt.Sprintf("there is no api %q", name), Hint: hint, Range: at})
	}
	sound := p.doc.Tools[:0]
	for _, t := range p.doc.Tools {
		before := len(p.diags)
		switch {
		case t.Operation != nil:
			unknown(t.Operation.API, t.Operation.Range)
			for _, a := range p.doc.APIs {
				if a.Name == t.Operation.API && p.byHand[a.Name] {
					p.add(diag.Diagnostic{Code: "nothing-to-select", Message: fmt.Sprintf("api %q has no OpenAPI document to take an operation from", a.Name), Hint: "add openapi to it, or describe the tool with a request", Range: t.Operation.Range})
				}
			}
		case t.API != nil:
			unknown(t.API.Value, t.API.Range)
		case t.Request != nil && !p.broken[t] && len(p.lost) == 0:
			if len(names) == 0 {
				p.add(diag.Diagnostic{Code: "missing-api", Message: fmt.Sprintf("%s has no api to send its request to", t), Hint: `declare one: api "name" { base_url = "https://…" }`, Range: t.Range})
			} else if len(names) > 1 {
				p.add(diag.Diagnostic{Code: "ambiguous-api", Message: fmt.Sprintf("%s does not say which api it belongs to", t), Hint: fmt.Sprintf("add api = api.%s, one of %s", names[0], strings.Join(names, ", ")), Range: t.Range})
			}
		}
		if t.Operation != nil && p.unloaded[t.Operation.API] {
			continue
		}
		// What a tool with a mistake names in a document can be right or wrong all
		// the same; who compiles the document says so.
		if !p.diags[before:].HasErrors() && (t.Operation != nil || !p.faulty[t]) {
			sound = append(sound, t)
		}
	}
	p.doc.Incomplete = p.doc.Incomplete || len(sound) < len(p.doc.Tools) || len(p.lost) > 0
	p.doc.Tools = sound
}
