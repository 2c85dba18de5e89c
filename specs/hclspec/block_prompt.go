package hclspec

import (
	"fmt"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func promptBlock() *block {
	return &block{
		name: "prompt", label: "name", labelDoc: "what people choose; letters, digits, `_` and `-`, at most 64",
		doc: "Messages for people to begin with, which their client offers, as a command mostly. Its `input`s are its arguments; clients send text, which becomes a value of the input's type. With a `request`, or an `operation`, that is made first, and the messages may use `response`.",
		example: `api "shop" { base_url = "https://shop.example" }

prompt "review_order" {
  title       = "Review an order"
  description = "Looks for mistakes in an order before it is sent."

  input "number" { type = string }

  request "GET" "/orders/{number}" {}

  message "user" {
    text = "Look for mistakes in this order of ${response.body.customer}: ${jsonencode(response.body)}"
  }
}`,
		attrs: callAttrs("it", "Review an order"),
		inner: []*block{inputBlock(), requestBlock(), validationBlock(), responseBlock(), {
			name: "message", label: "role", labels: []string{"user", "assistant"}, labelDoc: "who says it, `user` or `assistant`",
			doc: "A message of a prompt: a text, or a resource of this server, whose content is embedded.",
			example: `prompt "explain" {
  input "topic" { type = string }

  message "user" { text = "Explain ${args.topic} to a newcomer." }
}`,
			attrs: []attr{
				{name: "text", kind: exprKind, phase: responsePhase, doc: "what is said; a value that is no text is written as JSON", example: `text = "Summarise order ${args.number}."`,
					set: into(func(m *specs.Message, s *setting) { m.Text = s.expr })},
				{name: "resource", kind: exprKind, phase: responsePhase, doc: "the URI of a resource of this server; an image or sound becomes one, all else an embedded resource", example: `resource = "orders://${args.number}"`,
					set: into(func(m *specs.Message, s *setting) { m.Resource = s.expr })},
			},
			open: func(_ *parser, h *head, parent any) any {
				m := &specs.Message{Role: h.label().Value, Range: h.rng}
				t := parent.(*specs.Tool).Prompt
				t.Messages = append(t.Messages, m)
				return m
			},
			close: func(p *parser, h *head, _, target any) {
				_, text := h.seen["text"]
				at, resource := h.seen["resource"]
				switch {
				case text && resource:
					p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a message holds a text or a resource, not both", Hint: "write a message for each", Range: at})
				case !text && !resource && !h.broken:
					p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("%s needs the attribute \"text\" or \"resource\"", h.title()), Hint: `add text = "…"`, Range: h.rng})
				}
			},
		}},
		open: func(p *parser, h *head, _ any) any {
			t := &specs.Tool{Name: h.label().Value, Prompt: &specs.Prompt{}, Range: h.rng}
			p.broken[t] = h.broken
			p.toolStart = len(p.diags)
			return t
		},
		close: func(p *parser, h *head, _, target any) {
			t := target.(*specs.Tool)
			p.closePrompt(h, t)
			p.faulty[t] = h.broken || p.diags[p.toolStart:].HasErrors()
		},
	}
}

func (p *parser) closePrompt(h *head, t *specs.Tool) {
	if !toolName.MatchString(t.Name) {
		p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for a prompt", t.Name), Hint: "use 1 to 64 letters, digits, _ and -", Range: h.label().Range})
	}
	if first, ok := p.promptNames[t.Name]; ok {
		p.duplicate("prompt", t.Name, h.rng, first)
		return
	}
	p.promptNames[t.Name] = h.rng
	p.doc.Tools = append(p.doc.Tools, t)
	if len(t.Prompt.Messages) == 0 && !p.broken[t] {
		p.add(diag.Diagnostic{Code: "missing-block", Message: fmt.Sprintf("%s has no message", h.title()), Hint: `add message "user" { text = "…" }`, Range: h.rng})
	}
	_, derived := h.seen["operation"]
	if t.Request == nil && !derived && !h.broken {
		for _, x := range messageExprs(t.Prompt) {
			eachExpr(x, func(x *specs.Expr) {
				if x.Op == specs.ExprVar && x.Name == "response" {
					p.add(diag.Diagnostic{Code: "wrong-phase", Message: fmt.Sprintf("%s makes no request, so there is no response", h.title()), Hint: `add request "GET" "/path" { … }`, Range: x.Range})
				}
			})
		}
		if at, ok := h.seen["api"]; ok {
			p.add(diag.Diagnostic{Code: "needless-attribute", Message: "without a request no api is called", Hint: "remove it", Range: at})
		}
	}
	p.closeCall(h, t)
}

// messageExprs are the expressions of a prompt's messages.
func messageExprs(t *specs.Prompt) []*specs.Expr {
	var out []*specs.Expr
	for _, m := range t.Messages {
		for _, x := range []*specs.Expr{m.Text, m.Resource} {
			if x != nil {
				out = append(out, x)
			}
		}
	}
	return out
}
