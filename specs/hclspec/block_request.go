package hclspec

import (
	"github.com/mcpc-dev/mcpc/specs"
)

func requestBlock() *block {
	entries := func(set func(r *specs.Request, e []specs.NamedExpr)) func(*parser, any, *setting) {
		return into(func(r *specs.Request, s *setting) { set(r, s.entries) })
	}
	return &block{
		name: "request", label: "method", second: "path", once: true,
		labelDoc: "the HTTP method and the path, which is appended to `base_url`",
		doc: "The HTTP request of a tool described by hand. `{name}` in the path takes the argument `name` as one segment, percent-encoded; everything else is computed from `args`. " +
			"Values are encoded for their place: query and form values are percent-encoded, header values refuse line breaks, `json` is written as typed values.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "search" {
  input "customer" { type = string }
  input "status" {
    type    = enum("open", "shipped")
    default = "open"
  }

  request "POST" "/orders/{customer}/search" {
    query = { limit = 50 }
    json  = { state = { open = "10", shipped = "40" }[args.status] }
  }
}`,
		attrs: []attr{
			{name: "query", kind: entriesKind, phase: callPhase, doc: "query parameters; a null value is left out, a list repeats the name", example: "query = { q = args.q, limit = 50 }",
				set: entries(func(r *specs.Request, e []specs.NamedExpr) { r.Query = e })},
			{name: "headers", kind: entriesKind, phase: callPhase, doc: "headers; a null value is left out", example: `headers = { "X-Tenant" = args.tenant }`,
				set: func(p *parser, target any, s *setting) {
					p.checkHeaders(s.entries)
					target.(*specs.Request).Headers = s.entries
				}},
			{name: "json", kind: exprKind, phase: callPhase, doc: "the body as JSON; takes any value", example: "json = { title = args.title }",
				set: into(func(r *specs.Request, s *setting) { r.JSON = s.expr })},
			{name: "form", kind: entriesKind, phase: callPhase, doc: "the body as an HTML form (application/x-www-form-urlencoded); a null value is left out, a list repeats the name", example: "form = { CUSTNO = args.customer }",
				set: entries(func(r *specs.Request, e []specs.NamedExpr) {
					if e == nil {
						e = []specs.NamedExpr{}
					}
					r.Form = e
				})},
		},
		open: func(p *parser, h *head, parent any) any {
			r := &specs.Request{Method: h.labels[0].Value, Path: h.labels[1].Value, PathAt: h.labels[1].Range, Range: h.rng}
			t := parent.(*specs.Tool)
			t.Request = r
			p.checkMethod(r, h.labels[0].Range)
			return r
		},
		close: func(p *parser, h *head, _, target any) { p.closeRequest(h, target.(*specs.Request)) },
	}
}
