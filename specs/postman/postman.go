// Package postman reads Postman collections, format 2.0 and 2.1.
package postman

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// Limits of one import.
const (
	maxRequests  = 2000
	maxFields    = 500 // of one request
	maxNesting   = 8   // of variables in variables
	maxExample   = 300 // bytes of an example answer in a description
	maxParagraph = 2000
)

// Read makes a spec of a collection, a tool of each request. The spec is nil when
// there is none.
func Read(src *diag.Source) (*imported.Spec, diag.List) {
	b := imported.NewBuilder(src)
	r := &reader{Builder: b, values: map[string]variable{}}
	fail := func(code string, at diag.Range, message, hint string) (*imported.Spec, diag.List) {
		return b.Failed(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: at})
	}
	doc, bad := specs.ParseJSON(b.Source)
	if bad != nil {
		return b.Failed(*bad)
	}
	if inner := doc.Get("collection"); inner.Get("item") != nil { // as Postman's API wraps it
		doc = inner
	}
	items := doc.Get("item")
	if items == nil || items.Kind != specs.Array {
		if doc.Has("requests") {
			return fail("old-format", doc.Get("requests").Range(), "this is a Postman collection of format 1", "export it again as Collection v2.1")
		}
		return fail("not-a-collection", doc.Range(), "this is no Postman collection: it has no item", "export the collection as Collection v2.1")
	}
	r.name = doc.Get("info").Get("name").Str()
	r.variables(doc)
	r.folder(doc, scope{})
	if len(b.Spec.Tools) == 0 {
		return fail("nothing-to-import", items.Range(), "the collection holds no request that could be a tool", "")
	}
	if r.scripts > 0 {
		b.Warn("not-imported", r.script, "what they compute has to be written into the requests", "scripts that run before and after requests are not imported (%d of them, the first one here)", r.scripts)
	}
	s := b.Spec
	if s.Name = imported.Snake(r.name); s.Name == "" {
		s.Name = "postman"
	}
	s.Title = r.name
	s.Instructions = paragraph(description(doc.Get("info")))
	s.Origin = "Made of a Postman collection. Look through names and descriptions: they are all that a model sees."
	return b.Done()
}

type reader struct {
	*imported.Builder
	name    string
	values  map[string]variable
	scripts int
	script  diag.Range
}

// variable is a variable of the collection or a folder.
type variable struct {
	value       *specs.Node
	description string
	secret      bool
}

// scope is what a folder hands down.
type scope struct {
	folders []string
	auth    *specs.Node
}

// variables adds the variables of a collection or folder.
func (r *reader) variables(of *specs.Node) {
	for _, v := range list(of.Get("variable")) {
		key := v.Get("key").Str()
		if key == "" {
			key = v.Get("id").Str()
		}
		value := v.Get("value")
		if value != nil && value.Kind >= specs.Array || v.Get("disabled").IsTrue() {
			continue
		}
		secret := v.Get("type").Str() == "secret" || imported.IsSecretName(key) || value.Str() != "" && imported.IsSecretValue(value.Text)
		if secret && value != nil {
			r.Hide(value.Text)
		}
		if value != nil && value.Kind == specs.Null {
			value = nil
		}
		r.values[key] = variable{value, description(v), secret}
	}
}

func list(n *specs.Node) []*specs.Node {
	if n == nil || n.Kind != specs.Array {
		return nil
	}
	out := make([]*specs.Node, 0, len(n.Fields))
	for _, f := range n.Fields {
		if f.Value.Kind == specs.Object {
			out = append(out, f.Value)
		}
	}
	return out
}

func description(n *specs.Node) string {
	d := n.Get("description")
	if d.Str() != "" {
		return d.Text
	}
	return d.Get("content").Str()
}

// paragraph bounds a description.
func paragraph(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= maxParagraph {
		return s
	}
	cut := strings.LastIndexFunc(s[:maxParagraph], unicode.IsSpace)
	if cut < maxParagraph/2 {
		cut = maxParagraph
	}
	return strings.ToValidUTF8(strings.TrimSpace(s[:cut]), "") + " …"
}

func (r *reader) folder(f *specs.Node, sc scope) {
	if a := f.Get("auth"); a != nil && a.Kind == specs.Object {
		sc.auth = a
	}
	r.events(f)
	for _, item := range list(f.Get("item")) {
		name := item.Get("name").Str()
		if item.Has("item") {
			inner := sc
			inner.folders = append(sc.folders[:len(sc.folders):len(sc.folders)], name)
			r.variables(item)
			r.folder(item, inner)
			continue
		}
		if q := item.Get("request"); q != nil {
			if len(r.Spec.Tools) == maxRequests {
				r.Warn("not-imported", item.Range(), "", "there are more than %d requests; the rest is not imported", maxRequests)
				return
			}
			r.events(item)
			r.request(item, q, name, sc)
		}
	}
}

func (r *reader) events(of *specs.Node) {
	for _, e := range list(of.Get("event")) {
		lines := e.Get("script").Get("exec")
		if lines == nil || lines.Kind == specs.Array && len(lines.Fields) == 0 {
			continue
		}
		if e.Get("listen").Str() == "prerequest" || strings.Contains(lines.JSON(), ".set(") {
			if r.scripts++; r.scripts == 1 {
				r.script = e.Range()
			}
		}
	}
}

// call is a request while it is read.
type call struct {
	*reader
	sample *imported.Sample
	names  map[string]bool
}

// place says what a reference may become there.
type place uint8

const (
	fixed  place = iota // base URL and headers: a variable
	input               // path, query and body: an input
	secret              // a credential
)

func (c *call) refs(at place) *imported.Refs {
	return &imported.Refs{Open: "{{", Close: "}}", Resolve: func(name string) *specs.Expr { return c.reference(name, at, 0) }, Bare: c.bare}
}

// reference is what stands for {{name}}.
func (c *call) reference(name string, at place, depth int) *specs.Expr {
	if name == "" || len(name) > 200 || strings.ContainsAny(name, "{}\n") {
		return nil
	}
	v, declared := c.values[name]
	text := ""
	if v.value != nil {
		text = v.value.Text
	}
	switch {
	case at == secret || v.secret || !declared && imported.IsSecretName(name):
		if strings.Contains(text, "{{") && depth < maxNesting {
			return c.nested(text, secret, depth)
		}
		return c.Secret("The variable "+name+" of the collection", name, text)
	case strings.Contains(text, "{{") && depth < maxNesting:
		return c.nested(text, at, depth)
	case at == fixed:
		return c.Variable(name, v.value, v.description)
	}
	arg := imported.Identifier(name, "value")
	if dynamic, ok := strings.CutPrefix(name, "$"); ok { // {{$randomCity}}: any city
		arg = imported.Identifier(imported.Snake(strings.TrimPrefix(dynamic, "random")), "value")
	}
	if !c.names[arg] {
		c.names[arg] = true
		in := &imported.Input{Name: arg, Description: v.description, Schema: imported.SchemaOf([]*specs.Node{specs.NewString("")})}
		if v.value != nil && text != "" {
			in.Default = v.value
			in.Schema = imported.SchemaOf([]*specs.Node{v.value})
		}
		c.sample.Inputs = append(c.sample.Inputs, in)
	}
	return imported.Arg(arg)
}

// bare is told of a reference that stands for a value of any type.
func (c *call) bare(x *specs.Expr) {
	for _, in := range c.sample.Inputs {
		if x.Op == specs.ExprArg && x.Name == in.Name && in.Default == nil {
			in.Schema = specs.NewObject()
		}
	}
}

// nested resolves the references in the value of a variable.
func (c *call) nested(text string, at place, depth int) *specs.Expr {
	refs := &imported.Refs{Open: "{{", Close: "}}", Resolve: func(name string) *specs.Expr { return c.reference(name, at, depth+1) }}
	return refs.Text(text)
}

func (r *reader) request(item, q *specs.Node, name string, sc scope) {
	c := &call{reader: r, names: map[string]bool{}}
	c.sample = &imported.Sample{Title: name, Method: "GET", Range: item.Range()}
	if n := item.Get("name"); n != nil {
		c.sample.Range = n.Range()
	}
	s := c.sample
	address := q
	if q.Kind == specs.Object {
		address = q.Get("url")
		if m := q.Get("method").Str(); m != "" {
			s.Method = strings.ToUpper(m)
		}
		s.Description = paragraph(description(q))
	}
	if !imported.IsMethod(s.Method) {
		r.Warn("not-imported", q.Get("method").Range(), "", "the method %s is none of HTTP's", s.Method)
		return
	}
	base, ok := c.address(address)
	if !ok {
		r.Warn("not-imported", s.Range, "", "the request %q has no URL of HTTP", name)
		return
	}
	service := imported.HostName(s.Host)
	if s.Host == "" {
		if service = imported.Snake(r.name); service == "" {
			service = "api"
		}
	}
	var headers []imported.Field
	if q.Get("header").Str() != "" {
		for line := range strings.SplitSeq(q.Get("header").Text, "\n") {
			if n, v, ok := strings.Cut(line, ":"); ok && len(headers) < maxFields {
				headers = append(headers, imported.Field{Name: strings.TrimSpace(n), Value: c.refs(fixed).Text(strings.TrimSpace(v)), Range: q.Get("header").Range()})
			}
		}
	}
	headers = append(headers, c.fields(q.Get("header"), fixed)...)
	auth, headers, media := r.Credential(s.Host, headers)
	s.Headers = headers
	spec := sc.auth
	if a := q.Get("auth"); a != nil && a.Kind == specs.Object {
		spec = a
	}
	if a := c.auth(spec, service); a != nil {
		auth = a
	}
	c.body(q, media, item.Get("protocolProfileBehavior").Get("disableBodyPruning").IsTrue())
	s.Base, s.Service, s.Auth = base, service, auth
	s.Name = toolName(sc.folders, name)
	if s.Description == "" && imported.Snake(name) != "" {
		s.Description, s.Title = name, ""
	}
	if e := example(item); e != "" && s.Description != "" {
		s.Description += "\n\nAnswers like " + e
	}
	r.Tool(s)
}

// toolName is the name of a request behind the names of its folders, as many as
// fit.
func toolName(folders []string, name string) string {
	out := imported.Snake(name)
	for i := len(folders) - 1; i >= 0; i-- {
		f := imported.Snake(folders[i])
		if f == "" || strings.HasPrefix(out, f+"_") || out == f {
			continue
		}
		if len(f)+1+len(out) > 64 {
			break
		}
		out = strings.Trim(f+"_"+out, "_")
	}
	return out
}

// example is a short answer that the collection shows.
func example(item *specs.Node) string {
	for _, a := range list(item.Get("response")) {
		code := a.Get("code")
		if code == nil || !strings.HasPrefix(code.Text, "2") {
			continue
		}
		n, bad := specs.ParseJSON(&diag.Source{Text: []byte(a.Get("body").Str())})
		if bad != nil || n.Kind < specs.Array || imported.HoldsSecret(n) {
			continue
		}
		if text := n.JSON(); len(text) <= maxExample && len(text) > 2 {
			return text
		}
	}
	return ""
}

// joined is a text, or the elements of a list joined.
func joined(n *specs.Node, separator string) string {
	if n == nil || n.Kind != specs.Array {
		return n.Str()
	}
	var parts []string
	for _, f := range n.Fields {
		if f.Value.Kind == specs.Object {
			parts = append(parts, f.Value.Get("value").Str())
			continue
		}
		parts = append(parts, f.Value.Text)
	}
	return strings.Join(parts, separator)
}

// address reads the URL of a request.
func (c *call) address(n *specs.Node) (base *specs.Expr, ok bool) {
	s := c.sample
	raw := n.Str()
	if n != nil && n.Kind == specs.Object {
		raw = n.Get("raw").Str()
		if host := joined(n.Get("host"), "."); host != "" {
			raw = host
			if p := n.Get("protocol").Str(); p != "" {
				raw = p + "://" + host
			}
			if port := n.Get("port").Str(); port != "" {
				raw += ":" + port
			}
			if path := joined(n.Get("path"), "/"); path != "" {
				raw += "/" + strings.TrimPrefix(path, "/")
			}
			if !n.Has("query") {
				if _, query, ok := strings.Cut(n.Get("raw").Str(), "?"); ok {
					raw += "?" + query
				}
			}
		}
	}
	if strings.TrimSpace(raw) == "" {
		return nil, false
	}
	// The path is asked for inputs, what stands before it for variables.
	head := c.refs(fixed).URL(before(raw), "http")
	u := c.refs(input).URL(raw, "http")
	base = head.Base
	s.Host, s.Path, s.Query = head.Host, u.Path, u.Query
	if base == nil {
		return nil, false
	}
	if _, isConst := imported.ConstText(base); !isConst {
		if base = c.referred(base); base == nil {
			return nil, false
		}
	}
	described := map[string]*specs.Node{}
	if n.Kind == specs.Object {
		for _, v := range list(n.Get("variable")) {
			key := v.Get("key").Str()
			if key == "" {
				key = v.Get("id").Str()
			}
			described[key] = v
		}
		if n.Has("query") {
			s.Query = c.fields(n.Get("query"), input)
		}
	}
	for i, seg := range s.Path {
		text, isConst := imported.ConstText(seg.Value)
		name, isParam := strings.CutPrefix(text, ":")
		if !isConst || !isParam || name == "" {
			continue
		}
		v := described[name]
		s.Path[i] = imported.Segment{Name: name, Description: description(v), Value: imported.Text("")}
		if value := v.Get("value").Str(); value != "" && !strings.Contains(value, "{{") {
			s.Path[i].Value = imported.Text(value)
		}
	}
	if len(s.Query) > maxFields {
		s.Query = s.Query[:maxFields]
	}
	return base, true
}

// before is a URL without its path.
func before(raw string) string {
	at := strings.Index(raw, "://")
	if at < 0 {
		at = 0
	} else {
		at += 3
	}
	if i := strings.IndexAny(raw[at:], "/?#"); i >= 0 {
		return raw[:at+i]
	}
	return raw
}

// referred completes a base URL with variables in it: their values say whether
// the scheme is in it, and whose requests these are.
func (c *call) referred(base *specs.Expr) *specs.Expr {
	parts := []*specs.Expr{base}
	if base.Op == specs.ExprTemplate {
		parts = base.Args
	}
	text := ""
	for _, x := range parts {
		if s, ok := imported.ConstText(x); ok {
			text += s
			continue
		}
		i := slices.IndexFunc(c.Spec.Variables, func(v *imported.Variable) bool { return v.Name == x.Name })
		if i < 0 {
			return base
		}
		v := c.Spec.Variables[i]
		if v.Sensitive {
			c.Warn("secret-in-url", c.sample.Range, "write base_url by hand", "the base URL depends on {{%s}}, which looks like a secret", x.Name)
			return nil
		}
		if v.Default == nil {
			return base
		}
		text += v.Default.Text
	}
	_, rest, found := strings.Cut(text, "://")
	if !found {
		rest, text = text, "http://"+text
		base = imported.Join(imported.Text("http://"), base)
	}
	if !imported.IsBase(text) {
		return nil
	}
	host, _, _ := strings.Cut(rest, "/")
	c.sample.Host = strings.ToLower(host)
	return base
}

// fields reads a list of keys and values.
func (c *call) fields(n *specs.Node, at place) (out []imported.Field) {
	for _, f := range list(n) {
		key := f.Get("key").Str()
		if key == "" || len(out) == maxFields {
			continue
		}
		value := f.Get("value")
		if value == nil || value.Kind == specs.Null {
			value = specs.NewString("")
		}
		x := imported.Const(value)
		if value.Kind == specs.String {
			x = c.refs(at).Text(value.Text)
		}
		out = append(out, imported.Field{Name: key, Value: x, Description: paragraph(description(f)), Off: f.Get("disabled").IsTrue(), File: f.Get("type").Str() == "file", Range: f.Range()})
	}
	return out
}

func (c *call) body(q *specs.Node, media string, always bool) {
	n := q.Get("body")
	s := c.sample
	mode := n.Get("mode").Str()
	if n == nil || n.Get("disabled").IsTrue() || mode == "" {
		return
	}
	if (s.Method == "GET" || s.Method == "HEAD") && !always { // Postman does not send it
		if raw := n.Get(mode); raw != nil && (raw.Str() != "" || len(raw.Fields) > 0) {
			c.Warn("not-imported", n.Range(), "", "the body of a %s request is not imported, as Postman does not send it", s.Method)
		}
		return
	}
	switch mode {
	case "raw":
		if media == "" {
			media = map[string]string{"json": "application/json", "xml": "application/xml", "html": "text/html", "javascript": "application/javascript", "text": "text/plain"}[n.Get("options").Get("raw").Get("language").Str()]
		}
		raw := n.Get("raw").Str()
		s.Body = c.refs(input).Body(media, raw)
		if s.Body.Kind == "text" && strings.Contains(media, "json") {
			c.Warn("changed", n.Range(), "write it as json = { … }", "the body of %q is no JSON, although it says so, and is sent as text", s.Title)
		}
	case "urlencoded":
		s.Body = imported.Body{Kind: "form", Fields: c.fields(n.Get("urlencoded"), input)}
		if text := n.Get("urlencoded").Str(); text != "" {
			s.Body.Fields = c.refs(input).Form(text)
		}
	case "formdata":
		s.Body = imported.Body{Kind: "multipart", Fields: c.fields(n.Get("formdata"), input)}
	case "graphql":
		g := n.Get("graphql")
		entries := []imported.Entry{{Name: "query", Value: c.refs(input).Text(g.Get("query").Str())}}
		if name := g.Get("operationName").Str(); name != "" {
			entries = append(entries, imported.Entry{Name: "operationName", Value: imported.Text(name)})
		}
		variables := g.Get("variables")
		if variables.Str() != "" {
			if x, ok := c.refs(input).ParseJSON(variables.Text); ok {
				entries = append(entries, imported.Entry{Name: "variables", Value: x})
			} else {
				c.Warn("not-imported", variables.Range(), "", "the variables of the GraphQL query are no JSON")
			}
		} else if variables != nil && variables.Kind == specs.Object {
			entries = append(entries, imported.Entry{Name: "variables", Value: c.refs(input).JSON(variables)})
		}
		s.Body = imported.Body{Kind: "json", Value: imported.Object(entries)}
	case "file":
		s.FileBody(media)
	default:
		c.Warn("not-imported", n.Range(), "", "a body of mode %q is not imported", mode)
	}
}

// auth reads the authorization of a request, a folder or the collection.
func (c *call) auth(n *specs.Node, service string) *imported.Auth {
	kind := n.Get("type").Str()
	settings := n.Get(kind)
	get := func(name string) string { // format 2.0 has an object, 2.1 a list
		if v := settings.Get(name); v != nil {
			return v.Text
		}
		for _, f := range list(settings) {
			if f.Get("key").Str() == name {
				v := f.Get("value")
				if v == nil {
					return ""
				}
				return v.Text
			}
		}
		return ""
	}
	hidden := func(name, wish string) *specs.Expr {
		text := get(name)
		if x := c.refs(secret).Text(text); x.Op != specs.ExprConst {
			return x
		}
		return c.Secret("Authorization ("+kind+") of "+service, service+"_"+wish, text)
	}
	switch kind {
	case "", "noauth", "inherit":
		return nil
	case "bearer":
		return &imported.Auth{Kind: "bearer", Value: hidden("token", "token")}
	case "basic":
		return &imported.Auth{Kind: "basic", Username: c.refs(fixed).Text(get("username")), Value: hidden("password", "password")}
	case "apikey":
		key := get("key")
		if key == "" || strings.Contains(key, "{{") {
			key = "X-Api-Key"
		}
		in := get("in")
		if in != "query" {
			in = "header"
		}
		return &imported.Auth{Kind: "api_key", In: in, Param: key, Value: hidden("value", "api_key")}
	case "oauth2":
		c.Warn("changed", n.Range(), "tokens are not fetched; put a valid one into the variable", "OAuth 2 became a token that is given from outside")
		value := hidden("accessToken", "token")
		if get("addTokenTo") == "queryParams" {
			return &imported.Auth{Kind: "api_key", In: "query", Param: "access_token", Value: value}
		}
		return &imported.Auth{Kind: "bearer", Value: value}
	}
	for _, f := range list(settings) {
		c.Hide(f.Get("value").Str())
	}
	if settings != nil && settings.Kind == specs.Object {
		for _, f := range settings.Fields {
			c.Hide(f.Value.Str())
		}
	}
	c.Warn("not-imported", n.Range(), "", "authorization of type %q is not imported; the requests are sent without", kind)
	return nil
}
