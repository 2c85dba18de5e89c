package openapi

import (
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// mediaTypes reads consumes or produces of an operation of Swagger 2.0, or else
// of the document.
func (p *parser) mediaTypes(op *specs.Node, key string) []string {
	n := op.Get(key)
	if n == nil || n.Kind == specs.Null {
		n = p.doc.Get(key)
	}
	if n != nil && n.Kind == specs.String {
		return []string{n.Text}
	}
	var list []string
	for _, f := range p.list(n, key) {
		if t := strings.TrimSpace(p.text(f.Value)); t != "" {
			list = append(list, t)
		}
	}
	return list
}

// inputs2 reads the parameters of an operation of Swagger 2.0: what is in body
// and formData becomes the body. A non-empty result is the reason why the
// operation cannot be called.
func (p *parser) inputs2(op *specs.Operation, item, n *specs.Node) string {
	var body *specs.Node
	var form []*specs.Node
	params := paramList{}
	lists := [...]*specs.Node{item.Get("parameters"), n.Get("parameters")}
	for _, list := range lists {
		var here *specs.Node // the body of this list
		for _, f := range p.list(list, "parameters") {
			d := p.object(f.Value, "a parameter")
			if d == nil || len(params.list) > maxParams || len(form) > maxParams {
				continue
			}
			switch in := p.text(d.Get("in")); in {
			case "body":
				// One of the operation replaces one of the path item by its name.
				if body != nil && (here != nil || p.text(body.Get("name")) != p.text(d.Get("name"))) {
					p.warn("second-body", f.Value.Range(), "describe one body whose schema holds both", "a request has only one body; the parameter %s takes the place of %s", quote(p.text(d.Get("name"))), quote(p.text(body.Get("name"))))
				}
				body, here = d, d
			case "formData", "form":
				replaced := false
				for i := range form {
					if p.text(form[i].Get("name")) == p.text(d.Get("name")) {
						form[i], replaced = d, true
					}
				}
				if !replaced {
					form = append(form, d)
				}
			default:
				if param := p.param2(d); param != nil {
					params.add(param)
				}
			}
		}
	}
	if reason := p.missing(lists[:]); reason != "" {
		return reason
	}
	op.Params = params.list
	if body != nil && form != nil {
		return "it has a body and form fields, of which a request can have only one"
	}
	consumes := p.mediaTypes(n, "consumes")
	switch {
	case body != nil:
		op.Body = p.body2(body, consumes)
	case form != nil:
		op.Body = p.form2(form, consumes)
	}
	return ""
}

func (p *parser) body2(n *specs.Node, consumes []string) *specs.Body {
	body := &specs.Body{Description: p.text(n.Get("description")), Range: n.Range()}
	body.Required, _ = p.flag(n.Get("required"), "required")
	schema := p.schema2(n)
	if len(consumes) == 0 {
		consumes = []string{"application/json"}
	}
	for _, t := range consumes {
		body.Media = append(body.Media, &specs.Media{Type: t, Schema: schema, Range: n.Range()})
	}
	return body
}

// form2 makes a body of form fields.
func (p *parser) form2(form []*specs.Node, consumes []string) *specs.Body {
	const multipart, urlencoded = "multipart/form-data", "application/x-www-form-urlencoded"
	var properties, required []specs.Field
	encoding := map[string]*specs.Encoding{}
	file := false
	for _, f := range form {
		name := p.text(f.Get("name"))
		if name == "" {
			p.warn("odd-parameter", f.Range(), "", "a form field without a name is left out")
			continue
		}
		file = file || p.text(f.Get("type")) == "file"
		s := p.schema2(f)
		if d := p.text(f.Get("description")); d != "" && s.Kind == specs.Object && !s.Has("description") {
			out := with(s, specs.Object, "")
			out.Fields = append(append(make([]specs.Field, 0, len(s.Fields)+1), s.Fields...), specs.F("description", with(f.Get("description"), specs.String, d)))
			s = out
		}
		properties = append(properties, specs.Field{Key: name, Value: s, KeyStart: -1})
		if r, _ := p.flag(f.Get("required"), "required"); r {
			required = append(required, specs.Field{Value: with(f.Get("name"), specs.String, name), KeyStart: -1})
		}
		if p.text(f.Get("type")) == "array" {
			style, explode := p.collection(f, "form")
			encoding[name] = &specs.Encoding{Style: style, Explode: &explode}
		}
	}
	schema := with(form[0], specs.Object, "")
	schema.Fields = []specs.Field{
		specs.F("type", specs.NewString("object")),
		specs.F("properties", &specs.Node{Kind: specs.Object, Fields: properties}),
	}
	if required != nil {
		schema.Fields = append(schema.Fields, specs.F("required", &specs.Node{Kind: specs.Array, Fields: required}))
	}
	if len(encoding) == 0 {
		encoding = nil
	}
	body := &specs.Body{Required: required != nil, Range: form[0].Range()}
	add := func(t string) {
		body.Media = append(body.Media, &specs.Media{Type: t, Schema: schema, Encoding: encoding, Range: form[0].Range()})
	}
	for _, t := range consumes {
		bare, _, _ := strings.Cut(strings.ToLower(t), ";")
		switch strings.TrimSpace(bare) {
		case multipart:
			add(t)
		case urlencoded:
			if !file { // it cannot carry one
				add(t)
			}
		}
	}
	if body.Media == nil {
		if file {
			add(multipart)
		} else {
			add(urlencoded)
		}
	}
	return body
}

// collection returns how an array of Swagger 2.0 is written, in the words of
// OpenAPI 3. Its tsv has none there and is called tabDelimited.
func (p *parser) collection(n *specs.Node, plain string) (style string, explode bool) {
	switch format := p.text(n.Get("collectionFormat")); format {
	case "", "csv":
	case "multi":
		if plain == "form" {
			return "form", true
		}
		p.warn("odd-style", n.Get("collectionFormat").Range(), "", "collectionFormat multi exists only in query and formData; csv is used")
	case "ssv":
		return "spaceDelimited", false
	case "tsv":
		return "tabDelimited", false
	case "pipes":
		return "pipeDelimited", false
	default:
		p.warn("odd-style", n.Get("collectionFormat").Range(), "allowed are csv, ssv, tsv, pipes and multi", "the collectionFormat %q does not exist; csv is used", clip(format))
	}
	return plain, false
}

// param2 reads a parameter of Swagger 2.0 in path, query or header.
func (p *parser) param2(n *specs.Node) *specs.Param {
	if known, seen := p.params[n]; seen {
		return known
	}
	param := p.newParam2(n)
	p.params[n] = param
	return param
}

func (p *parser) newParam2(n *specs.Node) *specs.Param {
	param := &specs.Param{Name: p.text(n.Get("name")), In: specs.In(p.text(n.Get("in"))), Description: p.text(n.Get("description")), Range: n.Range()}
	plain := "simple"
	switch param.In {
	case specs.InPath, specs.InHeader:
	case specs.InQuery:
		plain = "form"
	default:
		p.warn("odd-parameter", n.Range(), "in must be path, query, header, body or formData", "the parameter %q cannot be in %q; it is left out", clip(param.Name), clip(string(param.In)))
		return nil
	}
	if param.Name == "" {
		p.warn("odd-parameter", n.Range(), "", "a parameter without a name is left out")
		return nil
	}
	param.Required, _ = p.flag(n.Get("required"), "required")
	if param.In == specs.InPath {
		param.Required = true
	}
	param.AllowEmptyValue, _ = p.flag(n.Get("allowEmptyValue"), "allowEmptyValue")
	param.Deprecated, _ = p.flag(n.Get("x-deprecated"), "x-deprecated")
	param.Sensitive, _ = p.flag(n.Get("x-sensitive"), "x-sensitive")
	param.Style, param.Explode = p.collection(n, plain)
	param.Schema = p.schema2(n)
	return param
}

// schema2 reads the schema that a parameter of Swagger 2.0 has among its other
// members.
func (p *parser) schema2(n *specs.Node) *specs.Node {
	if s := n.Get("schema"); s != nil {
		return p.schema(s)
	}
	own := with(n, specs.Object, "")
	for _, f := range n.Fields {
		switch f.Key {
		case "type", "format", "items", "default", "enum", "pattern", "title",
			"maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "multipleOf",
			"maxLength", "minLength", "maxItems", "minItems", "uniqueItems",
			"example", "x-example", "x-nullable":
			if f.Key == "x-example" {
				f.Key = "example"
			}
			if f.Key == "example" && own.Has("example") {
				continue
			}
			own.Fields = append(own.Fields, f)
		}
	}
	return p.schema(own)
}

// response2 reads the media types of an answer of Swagger 2.0: one schema for
// all that the operation produces.
func (p *parser) response2(n *specs.Node, produces []string) []*specs.Media {
	raw := n.Get("schema")
	if raw == nil || raw.Kind == specs.Null {
		return nil
	}
	if len(produces) == 0 {
		produces = []string{"application/json"}
		if p.text(raw.Get("type")) == "file" {
			produces[0] = "application/octet-stream"
		}
	}
	list := p.media[raw]
	if list == nil {
		list = []*specs.Media{{Schema: p.schema(raw)}}
		p.media[raw] = list
	}
	out := make([]*specs.Media, len(produces))
	for i, t := range produces {
		out[i] = &specs.Media{Type: t, Schema: list[0].Schema, Range: raw.Range()}
	}
	return out
}
