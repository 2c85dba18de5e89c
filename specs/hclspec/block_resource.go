package hclspec

import (
	"fmt"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// callAttrs are the attributes that a tool, a resource and a prompt share.
func callAttrs(what, name string) []attr {
	return []attr{
		{name: "title", kind: textKind, doc: "the name people see", example: fmt.Sprintf("title = %q", name),
			set: into(func(t *specs.Tool, s *setting) { t.Title = s.text })},
		{name: "description", kind: textKind, doc: "what " + what + " is, and when it is of use", example: `description = "…"`,
			set: into(func(t *specs.Tool, s *setting) { t.Description = s.text })},
		{name: "operation", kind: operationKind, doc: "the operation it is derived from; takes the place of `request`", example: `operation = api.gh["repos/get"]`,
			set: into(func(t *specs.Tool, s *setting) { t.Operation = s.op })},
		{name: "api", kind: apiKind, standard: "the only api", doc: "the API its `request` goes to", example: "api = api.erp",
			set: into(func(t *specs.Tool, s *setting) { t.API = s.text })},
		{name: "scopes", kind: textsKind, doc: "scopes a caller must have (see `identity`); a prompt also wants those of the resources it may embed", example: `scopes = ["orders:read"]`,
			set: into(func(t *specs.Tool, s *setting) { t.Scopes = s.texts })},
	}
}

func resourceBlock() *block {
	return &block{
		name: "resource", label: "uri",
		labelDoc: "the URI clients read it by; with variables, `orders://{id}`, it is a template of many, and the variables are its arguments. `{+path}` takes slashes, too",
		doc: "Something clients read by its URI: context for the model that people or programs choose, instead of a call the model makes. It is described as a tool is, by hand with `request` or derived with `operation`. " +
			"Variables need no `input` block; one gives a variable a type and rules. Other inputs need a value or a default, since nobody could give them.",
		example: `api "shop" { base_url = "https://shop.example" }

resource "orders://{number}" {
  title       = "Order"
  description = "One order with its lines."
  mime_type   = "application/json"

  input "number" {
    type    = string
    pattern = "^[0-9]+$"
  }

  request "GET" "/orders/{number}" {}
}`,
		attrs: append([]attr{
			{name: "name", kind: textKind, standard: "made of the URI", doc: "a name for programs", example: `name = "order"`,
				check: func(s string) (string, string) {
					if !toolName.MatchString(s) {
						return fmt.Sprintf("cannot be %q", s), "use 1 to 64 letters, digits, _ and -"
					}
					return "", ""
				},
				set: into(func(t *specs.Tool, s *setting) { t.Name = s.text.Value })},
			{name: "mime_type", kind: textKind, standard: "the answer's", doc: "the media type of what is read", example: `mime_type = "application/json"`,
				check: func(s string) (string, string) {
					main, sub, ok := strings.Cut(s, "/")
					sub, _, _ = strings.Cut(sub, ";")
					if !ok || !isToken(main) || !isToken(strings.TrimSpace(sub)) {
						return fmt.Sprintf("cannot be %q", s), `write a media type: "text/markdown"`
					}
					return "", ""
				},
				set: into(func(t *specs.Tool, s *setting) { t.Resource.MIME = s.text })},
		}, callAttrs("it", "Order")...),
		inner: []*block{inputBlock(), requestBlock(), validationBlock(), responseBlock()},
		open: func(p *parser, h *head, _ any) any {
			t := &specs.Tool{Resource: &specs.Resource{URI: h.label()}, Range: h.rng}
			p.broken[t] = h.broken
			p.toolStart = len(p.diags)
			return t
		},
		close: func(p *parser, h *head, _, target any) {
			t := target.(*specs.Tool)
			p.closeResource(h, t)
			p.faulty[t] = h.broken || p.diags[p.toolStart:].HasErrors()
		},
	}
}

// closeResource checks a resource and gives it the inputs that its URI names.
func (p *parser) closeResource(h *head, t *specs.Tool) {
	uri := t.Resource.URI
	parts, err := specs.ParseURITemplate(uri.Value)
	if err != nil {
		p.add(diag.Diagnostic{Code: "invalid-uri", Message: fmt.Sprintf("%q is no URI of a resource: %v", uri.Value, err), Hint: `write it as "orders://{number}"`, Range: uri.Range})
		return // what follows from it would be said twice
	}
	if t.Name == "" {
		t.Name = resourceName(parts)
	}
	key := uriKey(parts)
	if first, ok := p.resources[key]; ok {
		p.duplicate("resource", uri.Value, h.rng, first)
		return
	}
	p.resources[key] = h.rng
	p.doc.Tools = append(p.doc.Tools, t)
	vars := map[string]bool{}
	for _, part := range parts {
		if part.Var == "" {
			continue
		}
		vars[part.Var] = true
		declared := false
		for _, in := range t.Inputs {
			declared = declared || in.Path == part.Var
		}
		if !declared && t.Operation == nil {
			schema := p.place(specs.NewObject(specs.F("type", specs.NewString("string"))), uri.Range)
			t.Inputs = append(t.Inputs, &specs.Input{Path: part.Var, Schema: schema, Range: uri.Range})
		}
	}
	for _, in := range t.Inputs {
		if t.Operation == nil && !vars[in.Path] && in.Default == nil && in.Value == nil && !p.broken[in] {
			p.add(diag.Diagnostic{Code: "input-nobody-gives", Message: fmt.Sprintf("nobody can give the input %q: it is no variable of the URI", in.Path), Hint: fmt.Sprintf("add {%s} to the URI, or a default", in.Path), Range: in.Range})
		}
	}
	p.closeCall(h, t)
}

// resourceName is a name made of the literal parts of a URI.
func resourceName(parts []specs.URIPart) string {
	var words []string
	for _, part := range parts {
		words = append(words, strings.FieldsFunc(part.Literal, func(r rune) bool { return !toolName.MatchString(string(r)) })...)
	}
	name := strings.Join(words, "_")
	return name[:min(len(name), 64)]
}

// uriKey is what two templates have in common that match the same URIs: all but
// the names of variables.
func uriKey(parts []specs.URIPart) string {
	var b strings.Builder
	for _, part := range parts {
		if b.WriteString(part.Literal); part.Var != "" {
			b.WriteString("{}")
		}
	}
	return b.String()
}

// closeCall checks what a tool, a resource and a prompt say of the request they
// make.
func (p *parser) closeCall(h *head, t *specs.Tool) {
	p.checkInputNames(t.Inputs)
	operationAt, derived := h.seen["operation"]
	if derived {
		if t.Request != nil {
			p.add(diag.Diagnostic{Code: "request-and-operation", Message: fmt.Sprintf("%s has both a request and an operation", h.title()), Hint: "keep the request to describe it by hand, or the operation to derive it", Range: t.Request.Range,
				Notes: []diag.Note{{Message: "the operation", Range: operationAt}}})
		}
		if at, ok := h.seen["api"]; ok {
			p.add(diag.Diagnostic{Code: "needless-attribute", Message: "api is known from the operation", Hint: "remove it", Range: at})
		}
		return
	}
	if t.Request == nil && t.Prompt == nil {
		if !p.broken[t] {
			operation := `or operation = api.NAME["id"]`
			if t.IsTool() {
				operation = `operation = api.NAME["id"], or steps`
			}
			p.add(diag.Diagnostic{Code: "missing-request", Message: fmt.Sprintf("%s says neither its request nor its operation", h.title()), Hint: `add request "GET" "/path" { … }, ` + operation, Range: h.rng})
		}
		return
	}
	p.checkHandWritten(h, t)
}
