package hclspec

import (
	"fmt"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func requestBlock() *block {
	entries := func(set func(r *specs.Request, e []specs.NamedExpr)) func(*parser, any, *setting) {
		return into(func(r *specs.Request, s *setting) {
			if s.entries == nil {
				s.entries = []specs.NamedExpr{}
			}
			set(r, s.entries)
		})
	}
	return &block{
		name: "request", label: "method", second: "path",
		labelDoc: "the HTTP method and the path, which is appended to `base_url`",
		doc: "The HTTP request of a tool described by hand. `{name}` in the path takes the argument `name` as one segment, percent-encoded; everything else is computed from `args`. " +
			"Values are encoded for their place: query and form values are percent-encoded, header values refuse line breaks, `json` is written as typed values, values in `xml` are escaped. " +
			"A request has one body at most: `json`, `form`, `multipart`, `xml`, `text`, `bytes` or a `soap` block.\n\n" +
			"A tool may have several requests. The first whose `when` holds is sent; a request without `when` is always sent, so it comes last. When none holds, the arguments are refused.",
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
			{name: "when", kind: exprKind, phase: callPhase, shown: true, doc: "the condition for sending this request; one that compares an argument that was not given does not hold", example: "when = args.id != null",
				set: into(func(r *specs.Request, s *setting) { r.When = s.expr })},
			{name: "query", kind: entriesKind, phase: callPhase, doc: "query parameters; a null value is left out, a list repeats the name", example: "query = { q = args.q, limit = 50 }",
				set: into(func(r *specs.Request, s *setting) { r.Query = s.entries })},
			{name: "headers", kind: entriesKind, phase: callPhase, doc: "headers; a null value is left out", example: `headers = { "X-Tenant" = args.tenant }`,
				set: func(p *parser, target any, s *setting) {
					p.checkHeaders(s.entries)
					target.(*specs.Request).Headers = s.entries
				}},
			{name: "cookies", kind: entriesKind, phase: callPhase, doc: "cookies, sent as they are; a null value is left out, and what a cookie cannot hold is refused", example: "cookies = { SESSION = var.session }",
				set: func(p *parser, target any, s *setting) {
					p.checkCookies(s.entries)
					target.(*specs.Request).Cookies = s.entries
				}},
			{name: "json", kind: exprKind, phase: callPhase, doc: "the body as JSON; takes any value", example: "json = { title = args.title }",
				set: into(func(r *specs.Request, s *setting) { r.JSON = s.expr })},
			{name: "form", kind: entriesKind, phase: callPhase, doc: "the body as an HTML form (application/x-www-form-urlencoded); a null value is left out, a list repeats the name", example: "form = { CUSTNO = args.customer }",
				set: entries(func(r *specs.Request, e []specs.NamedExpr) { r.Form = e })},
			{name: "multipart", kind: partsKind, phase: callPhase, doc: "the body as multipart/form-data, one part a member in this order; a null value is left out, a list repeats the name. " +
				"An input of type `file` is sent as a file; `part(value, { filename = \"…\", type = \"…\" })` says what a part is called and holds", example: "multipart = { note = args.note, scan = args.scan }",
				set: entries(func(r *specs.Request, e []specs.NamedExpr) { r.Multipart = e })},
			{name: "xml", kind: xmlKind, phase: callPhase, doc: "the body as XML. Values in `${…}` are escaped and stand in text, in attributes and in CDATA sections; `raw(value)` is XML already. The rest is checked when the spec is loaded", example: `xml = "<order><no>${args.number}</no></order>"`,
				set: into(func(r *specs.Request, s *setting) { r.XML = s.expr })},
			{name: "text", kind: exprKind, phase: callPhase, doc: "the body as text", example: `text = "${args.sku};${args.quantity}"`,
				set: into(func(r *specs.Request, s *setting) { r.Text = s.expr })},
			{name: "bytes", kind: exprKind, phase: callPhase, doc: "the body as it is, from an input of type `file` or from base64 or a data: URI", example: "bytes = args.scan",
				set: into(func(r *specs.Request, s *setting) { r.Bytes = s.expr })},
			{name: "content_type", kind: textKind, standard: "by the kind of body", doc: "the media type of the body. With a charset, `form`, `xml` and `text` are sent in it, and characters it does not have are refused", example: `content_type = "text/xml; charset=iso-8859-1"`, check: checkMediaType,
				set: into(func(r *specs.Request, s *setting) { r.ContentType = s.text })},
		},
		inner: []*block{soapBlock()},
		open: func(p *parser, h *head, parent any) any {
			r := &specs.Request{Method: h.labels[0].Value, Path: h.labels[1].Value, PathAt: h.labels[1].Range, Range: h.rng}
			t := parent.(*specs.Tool)
			if t.Request != nil {
				t.Choices = append(t.Choices, t.Request)
			}
			t.Request = r
			p.checkMethod(r, h.labels[0].Range)
			return r
		},
		close: func(p *parser, h *head, _, target any) { p.closeRequest(h, target.(*specs.Request)) },
	}
}

func soapBlock() *block {
	return &block{
		name: "soap", once: true,
		doc: "The body as a SOAP message: what is written here stands in an envelope. The answer's envelope is opened, and a fault in it is an error of the tool.",
		example: `api "erp" { base_url = "https://erp.example" }

tool "cancel_order" {
  input "number" { type = string }

  request "POST" "/soap/orders.asmx" {
    soap {
      action = "urn:erp:CancelOrder"
      xml    = "<CancelOrder xmlns=\"urn:erp\"><No>${args.number}</No></CancelOrder>"
    }
  }
}`,
		attrs: []attr{
			{name: "version", kind: textKind, standard: "`\"1.1\"`", words: []string{"1.1", "1.2"}, doc: "of SOAP", example: `version = "1.2"`,
				set: into(func(m *specs.SOAP, s *setting) { m.Version = s.text })},
			{name: "action", kind: textKind, doc: "the SOAPAction header of 1.1, the action parameter of the Content-Type of 1.2", example: `action = "urn:erp:CancelOrder"`,
				check: func(s string) (string, string) {
					if strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) >= 0 {
						return fmt.Sprintf("cannot be %q", s), "an action is a URI, without quotes and spaces"
					}
					return "", ""
				},
				set: into(func(m *specs.SOAP, s *setting) { m.Action = s.text })},
			{name: "xml", kind: xmlKind, phase: callPhase, required: true, doc: "what stands in the envelope's body; see `xml` of `request`. The prefix `soap` is declared", example: `xml = "<Ping xmlns=\"urn:erp\"/>"`,
				set: into(func(m *specs.SOAP, s *setting) { m.XML = s.expr })},
			{name: "header", kind: xmlKind, phase: callPhase, doc: "what stands in the envelope's header", example: `header = "<Session xmlns=\"urn:erp\">${var.session}</Session>"`,
				set: into(func(m *specs.SOAP, s *setting) { m.Header = s.expr })},
		},
		open: func(_ *parser, h *head, parent any) any {
			m := &specs.SOAP{Range: h.rng}
			parent.(*specs.Request).SOAP = m
			return m
		},
		close: func(p *parser, h *head, parent, target any) {
			m := target.(*specs.SOAP)
			if m.XML != nil {
				m.XML, _ = p.checkXML(m.XML, "xml", true, "soap")
			}
			if m.Header != nil {
				m.Header, _ = p.checkXML(m.Header, "header", true, "soap")
			}
			if h.failed || m.XML == nil {
				p.broken[parent] = true
			}
		},
	}
}

// validationBlock is a rule over arguments, in a tool or an input.
func validationBlock() *block {
	return &block{
		name: "validation",
		doc: "A rule that a type cannot say, checked after the types. Arguments for which the condition does not hold are refused with the author's words. " +
			"A comparison with an argument that was not given decides nothing: the rule holds then.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "report" {
  input "from" { type = format("date") }
  input "to" { type = format("date") }
  validation {
    condition     = args.from != args.to
    error_message = "from and to are both ${args.from}: a report needs two days."
  }

  request "GET" "/report" {
    query = { from = args.from, to = args.to }
  }
}`,
		attrs: []attr{
			{name: "condition", kind: exprKind, phase: callPhase, required: true, shown: true, doc: "what must hold", example: "condition = args.from != args.to",
				set: into(func(r *specs.Rule, s *setting) { r.Condition = s.expr })},
			{name: "error_message", kind: exprKind, phase: callPhase, required: true, shown: true, doc: "told to the model when it does not hold: what is wrong and what to write instead", example: `error_message = "from and to are the same day."`,
				set: into(func(r *specs.Rule, s *setting) { r.Message = s.expr })},
		},
		open: func(_ *parser, h *head, _ any) any { return &specs.Rule{Range: h.rng} },
		close: func(p *parser, h *head, parent, target any) {
			r := target.(*specs.Rule)
			if r.Condition == nil || r.Message == nil {
				p.broken[parent] = true
				return
			}
			p.checkRule(r)
			switch t := parent.(type) {
			case *specs.Tool:
				t.Rules = append(t.Rules, r)
			case *inputTarget:
				t.input.Rules = append(t.input.Rules, r)
			}
		},
	}
}

// checkRule checks what is known at load of a validation.
func (p *parser) checkRule(r *specs.Rule) {
	if c := r.Condition; c.Op == specs.ExprConst {
		if b, err := truth(c.Value); err != nil {
			p.add(diag.Diagnostic{Code: "wrong-type", Message: "a condition is true or false, not " + valueText(c.Value), Hint: "compare an argument: args.x != \"\"", Range: c.Range})
		} else {
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "constant-condition", Message: fmt.Sprintf("the condition is always %t", b), Hint: "compare an argument: args.x != \"\"", Range: c.Range})
		}
	}
	if m := r.Message; m.Op == specs.ExprConst && m.Value.Kind != specs.String {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: "error_message takes text", Hint: `for example error_message = "from and to are the same day."`, Range: m.Range})
	}
}
