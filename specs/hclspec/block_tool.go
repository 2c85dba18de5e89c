package hclspec

import (
	"fmt"
	"go/token"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// hintAttrs are the rows of MCP's tool annotations.
func hintAttrs(of func(target any) *specs.Hints) []attr {
	row := func(name, doc string, set func(h *specs.Hints, f *specs.Flag)) attr {
		return attr{name: name, kind: boolKind, standard: "by method", doc: doc, example: name + " = true",
			set: func(_ *parser, target any, s *setting) { set(of(target), s.flag) }}
	}
	return []attr{
		row("read_only", "it changes nothing", func(h *specs.Hints, f *specs.Flag) { h.ReadOnly = f }),
		row("destructive", "it may delete or overwrite", func(h *specs.Hints, f *specs.Flag) { h.Destructive = f }),
		row("idempotent", "doing it twice is as doing it once", func(h *specs.Hints, f *specs.Flag) { h.Idempotent = f }),
		row("open_world", "it reaches things beyond this service", func(h *specs.Hints, f *specs.Flag) { h.OpenWorld = f }),
	}
}

func toolBlock() *block {
	return &block{
		name: "tool", label: "name", labelDoc: "what the model calls; letters, digits, `_` and `-`, at most 64",
		doc: "A tool the model sees. It is described by hand with a `request` block and its `input`s; or derived from an operation of an OpenAPI document with `operation`: then it has that operation's inputs, and what is written here changes them; or composed of calls of other tools, one `step` block each.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "get_order" {
  description = "Get one order by its number."
  read_only   = true

  input "number" { type = string }

  request "GET" "/orders/{number}" {}
}`,
		attrs: append([]attr{
			{name: "title", kind: textKind, doc: "the name people see", example: `title = "Search orders"`,
				set: into(func(t *specs.Tool, s *setting) { t.Title = s.text })},
			{name: "description", kind: textKind, standard: "the operation's", doc: "told to the model: what it does, what it returns, when to use it", example: `description = "Find orders by customer."`,
				set: into(func(t *specs.Tool, s *setting) { t.Description = s.text })},
			{name: "operation", kind: operationKind, doc: "the operation it is derived from; takes the place of `request`", example: `operation = api.gh["issues/create"]`,
				set: into(func(t *specs.Tool, s *setting) { t.Operation = s.op })},
			{name: "api", kind: apiKind, standard: "the only api", doc: "the API its `request` goes to", example: "api = api.erp",
				set: into(func(t *specs.Tool, s *setting) { t.API = s.text })},
			{name: "scopes", kind: textsKind, doc: "scopes a caller must have (see `identity`); a client whose token lacks one is told to ask for it", example: `scopes = ["orders:write"]`,
				set: into(func(t *specs.Tool, s *setting) { t.Scopes = s.texts })},
			{name: "confirm", kind: templateKind, phase: callPhase, doc: "asked of a person before each call, through the client (elicitation); a client that cannot ask cannot call the tool. Over HTTP that takes revision 2026-07-28 of MCP or newer", example: `confirm = "Cancel order ${args.order_id}?"`,
				set: into(func(t *specs.Tool, s *setting) { t.Confirm = s.expr })},
			{name: "native", kind: textKind, standard: "made of the tool's name", doc: "in generated Go code, the method that stands for the tool and that native code may take the place of; an exported Go name", example: `native = "CreateOrder"`,
				check: func(s string) (string, string) {
					if !token.IsIdentifier(s) || !token.IsExported(s) || strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) >= 0 {
						return fmt.Sprintf("cannot be %q", s), `use letters and digits, a capital first, e.g. "CreateOrder"`
					}
					if s == "Bridge" { // embedded, it is a field of that name
						return `cannot be "Bridge"`, "generated code has a type of that name"
					}
					return "", ""
				},
				set: into(func(t *specs.Tool, s *setting) { t.Native = s.text })},
			{name: "output", kind: exprKind, phase: stepPhase, standard: "the output of the last step", doc: "what a tool of steps answers: any value made of `args` and `step.NAME`", example: "output = { order = step.order, items = step.items }",
				set: into(func(t *specs.Tool, s *setting) { t.Output = s.expr })},
			{name: "timeout", kind: durationKind, standard: "`\"2m\"`", doc: "limit of a tool of steps, all of them together; each call has the limit of its API besides", example: `timeout = "30s"`,
				set: into(func(t *specs.Tool, s *setting) { t.Timeout = s.text })},
			{name: "internal", kind: boolKind, standard: "`false`", doc: "not listed and not to be called by clients: a tool for the steps of others", example: "internal = true",
				set: into(func(t *specs.Tool, s *setting) { t.Internal = s.flag })},
			deprecatedAttr(func(target any, s *specs.Text) { target.(*specs.Tool).Deprecated = s }),
		}, hintAttrs(func(target any) *specs.Hints { return &target.(*specs.Tool).Hints })...),
		inner: []*block{inputBlock(), requestBlock(), validationBlock(), responseBlock(), paginationBlock(true), stepBlock()},
		open: func(p *parser, h *head, _ any) any {
			t := &specs.Tool{Name: h.label().Value, Range: h.rng}
			p.broken[t] = h.broken
			p.toolStart = len(p.diags)
			return t
		},
		close: func(p *parser, h *head, _, target any) {
			t := target.(*specs.Tool)
			p.closeTool(h, t)
			p.faulty[t] = h.broken || p.diags[p.toolStart:].HasErrors()
		},
	}
}

// deprecatedAttr is the same in tools, overrides and inputs.
func deprecatedAttr(set func(target any, s *specs.Text)) attr {
	return attr{name: "deprecated", kind: textKind, doc: "says that it will go, and what to use instead; told to the model", example: `deprecated = "use find_orders"`,
		check: func(s string) (string, string) {
			if strings.TrimSpace(s) == "" {
				return "is empty", `say what to use instead: deprecated = "use find_orders"`
			}
			return "", ""
		},
		set: func(_ *parser, target any, s *setting) { set(target, s.text) }}
}

func movedBlock() *block {
	return &block{
		name: "moved",
		doc:  "A tool has a new name, and clients still know the old one: a call of `from` is a call of `to`. Only the new name is listed. Several moves of one tool follow each other.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "find_orders" {
  request "GET" "/orders" {}
}

moved {
  from = tool.search_orders
  to   = tool.find_orders
}`,
		attrs: []attr{
			{name: "from", kind: toolKind, required: true, doc: "the name it had; no tool may have it now", example: "from = tool.search_orders",
				set: into(func(m *specs.Moved, s *setting) { m.From = *s.text })},
			{name: "to", kind: toolKind, required: true, doc: "the name it has, or had before the next move", example: "to = tool.find_orders",
				set: into(func(m *specs.Moved, s *setting) { m.To = *s.text })},
		},
		open: func(_ *parser, h *head, _ any) any { return &specs.Moved{Range: h.rng} },
		close: func(p *parser, h *head, _, target any) {
			if m := target.(*specs.Moved); m.From.Value != "" && m.To.Value != "" {
				p.doc.Moved = append(p.doc.Moved, m)
			}
		},
	}
}
