package imported

import (
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Reference makes of an expanded spec one that names the document, at this
// location, and exposes all of it.
func Reference(s *Spec, location string) *Spec {
	name := "api"
	if len(s.APIs) > 0 {
		name = s.APIs[0].Name
	}
	return &Spec{Name: s.Name, Title: s.Title, Version: s.Version, APIs: []*API{{Name: name, OpenAPI: location}}}
}

// maxInline bounds the nodes of one schema after its references were replaced.
const maxInline = 3000

// OpenAPI writes every operation of a document out by hand. What a request block
// cannot say is left out, with a warning.
func OpenAPI(api *specs.API) (*Spec, diag.List) {
	b := NewBuilder(&diag.Source{})
	w := &expander{Builder: b, api: api, base: "http://localhost"}
	if len(api.Servers) > 0 && strings.Contains(api.Servers[0].URL, "://") {
		w.base = strings.TrimSuffix(api.Servers[0].URL, "/")
	} else {
		b.Warn("no-server", diag.Range{}, "write the real one into base_url", "the document does not say where the API is; base_url is %s", w.base)
	}
	w.name = Snake(api.Title)
	if w.name == "" {
		w.name = HostName(strings.TrimPrefix(strings.TrimPrefix(w.base, "https://"), "http://"))
	}
	s := b.Spec
	s.Name, s.Title, s.Version = w.name, api.Title, api.Version
	s.Origin = "Made of an OpenAPI document, every operation written out. mcpc import --mode reference keeps the document as the source."
	for _, op := range api.Operations {
		w.operation(op)
	}
	if len(s.APIs) == 0 {
		w.API(Text(w.base), w.name, nil)
	}
	return b.Done()
}

type expander struct {
	*Builder
	api        *specs.API
	base, name string
}

func (w *expander) operation(op *specs.Operation) {
	t := &Tool{Description: op.Description, API: w.API(Text(w.base), w.name, w.auth(op))}
	switch {
	case t.Description != "":
		t.Title = op.Summary
	case op.Summary != "":
		t.Description = op.Summary
	default:
		t.Description = op.Method + " " + op.Path + " of " + Whose(w.api.Title) + "."
	}
	m := &maker{Builder: w.Builder, tool: t, names: names{}}
	t.Request = Request{Method: op.Method, Path: op.Path}
	for _, p := range op.Params {
		if !w.param(m, op, p) {
			w.Warn("not-expanded", p.Range, "with --mode reference the operation is served as the document says", "%s is left out: its parameter %q cannot be written by hand", op.ID, p.Name)
			return
		}
	}
	if op.Body != nil && !w.body(m, op.Body) {
		w.Warn("not-expanded", op.Body.Range, "with --mode reference the operation is served as the document says", "%s is left out: its body cannot be written by hand", op.ID)
		return
	}
	t.Name = w.ToolName(op.ID)
	w.Spec.Tools = append(w.Spec.Tools, t)
}

// auth is the credential of the first way to authenticate that the language has.
func (w *expander) auth(op *specs.Operation) *Auth {
	for _, all := range op.Security {
		if len(all) != 1 {
			continue
		}
		i := slices.IndexFunc(w.api.Schemes, func(s *specs.Scheme) bool { return s.Name == all[0].Scheme })
		if i < 0 {
			continue
		}
		s := w.api.Schemes[i]
		secret := func(end string) *specs.Expr {
			return w.Secret("The security scheme "+s.Name+" of the document", s.Name+end, "")
		}
		switch s.Kind {
		case "apiKey":
			return &Auth{Kind: "api_key", In: string(s.In), Param: s.Param, Value: secret("")}
		case "basic":
			return &Auth{Kind: "basic", Username: w.Variable(Snake(s.Name+"_user"), nil, "The user of the security scheme "+s.Name), Value: secret("_password")}
		case "bearer", "oauth2", "openIdConnect":
			return &Auth{Kind: "bearer", Value: secret("")}
		}
	}
	return nil
}

func (w *expander) param(m *maker, op *specs.Operation, p *specs.Param) bool {
	schema, ok := w.inline(p.Schema)
	kind := schema.Get("type").Str()
	list := kind == "array"
	if !ok || kind == "object" || p.Media != "" || p.AllowReserved || p.In == specs.InQueryString || p.Style == "deepObject" {
		return !p.Required && p.In != specs.InPath
	}
	in := &Input{Name: m.names.pick(Identifier(p.Name, "value")), Description: p.Description, Schema: schema, Optional: !p.Required}
	x := Arg(in.Name)
	if list {
		separator := map[string]string{"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}[p.Style]
		switch {
		case separator == "" && p.Explode && p.In == specs.InQuery:
		case p.In == specs.InPath || p.In == specs.InCookie:
			return false
		default:
			if separator == "" {
				separator = ","
			}
			x = Call("join", Text(separator), x)
			if in.Optional {
				x = &specs.Expr{Op: specs.ExprCond, Args: []*specs.Expr{Call("==", Arg(in.Name), Const(&specs.Node{})), Const(&specs.Node{}), x}}
			}
		}
	}
	r := &m.tool.Request
	switch p.In {
	case specs.InPath:
		if p.Style != "simple" && p.Style != "" || !strings.Contains(r.Path, "{"+p.Name+"}") {
			return false
		}
		r.Path = strings.ReplaceAll(r.Path, "{"+p.Name+"}", "{"+in.Name+"}")
		in.Optional = false
	case specs.InQuery:
		r.Query = append(r.Query, Entry{p.Name, x})
	case specs.InHeader:
		if !IsToken(p.Name) || noise.MatchString(p.Name) {
			return !p.Required
		}
		r.Headers = append(r.Headers, Entry{p.Name, x})
	case specs.InCookie:
		r.Cookies = append(r.Cookies, Entry{p.Name, x})
	}
	m.tool.Inputs = append(m.tool.Inputs, in)
	return true
}

func (w *expander) body(m *maker, b *specs.Body) bool {
	var best *specs.Media
	rank := func(t string) int {
		t, _, _ = strings.Cut(strings.ToLower(t), ";")
		switch {
		case t == "application/json":
			return 5
		case strings.HasSuffix(t, "+json"):
			return 4
		case t == "application/x-www-form-urlencoded":
			return 3
		case t == "multipart/form-data":
			return 2
		case t == "application/octet-stream", strings.HasPrefix(t, "text/plain"):
			return 1
		}
		return 0
	}
	for _, media := range b.Media {
		if rank(media.Type) > 0 && (best == nil || rank(media.Type) > rank(best.Type)) {
			best = media
		}
	}
	if best == nil {
		return false
	}
	schema, ok := w.inline(best.Schema)
	if !ok {
		return false
	}
	r := &m.tool.Request
	whole := func(in *Input) *specs.Expr {
		in.Name, in.Description, in.Optional = m.names.pick("body"), b.Description, !b.Required && !in.File
		m.tool.Inputs = append(m.tool.Inputs, in)
		return Arg(in.Name)
	}
	properties := schema.Get("properties")
	required := map[string]bool{}
	if n := schema.Get("required"); n != nil && n.Kind == specs.Array {
		for _, f := range n.Fields {
			required[f.Value.Text] = true
		}
	}
	each := func(file bool) (list []Entry) {
		for _, f := range properties.Fields {
			in := &Input{Name: m.names.pick(Identifier(f.Key, "value")), Description: f.Value.Get("description").Str(), Schema: f.Value, Optional: !required[f.Key]}
			if format := f.Value.Get("format").Str(); file && (format == "binary" || format == "byte") || f.Value.Has("contentMediaType") {
				in.File = true
			}
			m.tool.Inputs = append(m.tool.Inputs, in)
			list = append(list, Entry{f.Key, Arg(in.Name)})
		}
		return list
	}
	switch rank(best.Type) {
	case 5, 4:
		if rank(best.Type) == 4 {
			r.ContentType = best.Type
		}
		if properties != nil && b.Required && len(properties.Fields) > 0 && len(required) >= len(properties.Fields) {
			r.JSON = Object(each(false))
			return true
		}
		r.JSON = whole(&Input{Schema: schema})
	case 3, 2:
		if properties == nil || len(properties.Fields) == 0 || slices.ContainsFunc(properties.Fields, func(f specs.Field) bool {
			return f.Value.Get("type").Str() == "object" || f.Value.Get("items").Get("type").Str() == "object"
		}) {
			return false
		}
		if rank(best.Type) == 3 {
			r.Form = each(false)
		} else {
			r.Multipart = each(true)
		}
	default:
		if strings.HasPrefix(best.Type, "text/") {
			r.Text = whole(&Input{Schema: stringSchema()})
		} else {
			r.Bytes = whole(&Input{File: true})
			r.ContentType = best.Type
		}
	}
	return true
}

// inline replaces the references of a schema by what they refer to. A schema that
// is made of itself becomes anything where it begins again. False means that it
// is too large.
func (w *expander) inline(n *specs.Node) (*specs.Node, bool) {
	left := maxInline
	out := w.replace(n, map[string]bool{}, &left)
	return out, left > 0
}

func (w *expander) replace(n *specs.Node, inside map[string]bool, left *int) *specs.Node {
	if n == nil {
		return specs.NewObject()
	}
	if *left--; *left <= 0 || n.Kind < specs.Array {
		return n
	}
	if ref := n.Get("$ref").Str(); n.Kind == specs.Object && ref != "" {
		name := strings.TrimPrefix(ref, "#/$defs/")
		if inside[name] || w.api.Schemas[name] == nil {
			return specs.NewObject()
		}
		inside[name] = true
		defer delete(inside, name)
		return w.replace(w.api.Schemas[name], inside, left)
	}
	out := &specs.Node{Kind: n.Kind}
	for _, f := range n.Fields {
		out.Fields = append(out.Fields, specs.F(f.Key, w.replace(f.Value, inside, left)))
	}
	return out
}
