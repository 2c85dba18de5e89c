package hclspec

import (
	"regexp"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// inputTarget is an input block while it is decoded.
type inputTarget struct {
	input    *specs.Input
	typ      *inputType
	keywords []specs.Field
	places   map[string]diag.Range // of keywords, by attribute
	examples *setting
	standard *setting
	value    *setting
}

func (t *inputTarget) keyword(name, attribute string, v *specs.Node, at diag.Range) {
	t.keywords = append(t.keywords, specs.F(name, v))
	t.places[attribute] = at
}

func inputBlock() *block {
	count := func(name, keyword, doc, example string) attr {
		return attr{name: name, kind: integerKind, doc: doc, example: example, set: into(func(t *inputTarget, s *setting) { t.keyword(keyword, name, s.node, s.rng) })}
	}
	return &block{
		name: "input", label: "name", labelDoc: "the argument; in a derived tool also a field of the body, `body.title`",
		doc: "An argument of a tool. In a tool described by hand it declares the argument; in a derived tool and in an `override` it changes one the operation has. An input is required unless it has a `default` or is `optional`.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "search" {
  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }
  input "limit" {
    type    = integer
    minimum = 1
    maximum = 100
    default = 20
  }

  request "GET" "/orders" {
    query = { customer = args.customer, limit = args.limit }
  }
}`,
		attrs: []attr{
			{name: "type", kind: typeKind, doc: "see Types; required in a tool described by hand", example: "type = string",
				set: into(func(t *inputTarget, s *setting) { t.typ = s.typ })},
			{name: "description", kind: textKind, doc: "told to the model", example: `description = "Customer number"`,
				set: into(func(t *inputTarget, s *setting) { t.input.Description = s.text })},
			{name: "default", kind: valueKind, doc: "sent when the model gives no value; told to the model", example: "default = 20",
				set: into(func(t *inputTarget, s *setting) { t.standard, t.input.Default = s, s.node })},
			{name: "optional", kind: boolKind, standard: "`false`", doc: "may be left out; it is null then", example: "optional = true",
				set: into(func(t *inputTarget, s *setting) { t.input.Optional = s.flag })},
			{name: "examples", kind: valuesKind, doc: "values told to the model", example: `examples = ["C-10442"]`,
				set: into(func(t *inputTarget, s *setting) { t.examples = s })},
			{name: "pattern", kind: textKind, doc: "regular expression (RE2) a text must match; not anchored by itself", example: `pattern = "^C-[0-9]+$"`,
				check: func(s string) (string, string) {
					if _, err := regexp.Compile(s); err != nil {
						return "is no regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "), "the syntax is RE2: no look-around and no back-references; in quotes a backslash is written twice"
					}
					return "", ""
				},
				set: into(func(t *inputTarget, s *setting) { t.keyword("pattern", "pattern", s.node, s.rng) })},
			{name: "format", kind: textKind, words: formats, doc: "what a text is, as `type = format(…)` says it; checked in tools described by hand", example: `format = "date"`,
				set: into(func(t *inputTarget, s *setting) { t.keyword("format", "format", s.node, s.rng) })},
			count("min_length", "minLength", "least characters of a text", "min_length = 1"),
			count("max_length", "maxLength", "most characters of a text", "max_length = 200"),
			{name: "minimum", kind: numberKind, doc: "least number", example: "minimum = 0",
				set: into(func(t *inputTarget, s *setting) { t.keyword("minimum", "minimum", s.node, s.rng) })},
			{name: "maximum", kind: numberKind, doc: "greatest number", example: "maximum = 100",
				set: into(func(t *inputTarget, s *setting) { t.keyword("maximum", "maximum", s.node, s.rng) })},
			count("min_items", "minItems", "least elements of a list", "min_items = 1"),
			count("max_items", "maxItems", "most elements of a list", "max_items = 10"),
			{name: "value", kind: exprKind, phase: callPhase, doc: "fixes the argument: what it stands for in every call, hidden from the model", example: "value = var.org",
				set: into(func(t *inputTarget, s *setting) { t.value, t.input.Value = s, s.expr })},
			{name: "hide", kind: boolKind, standard: "`false`", doc: "hides an optional argument from the model, and refuses it from a caller; it has its default then", example: "hide = true",
				set: into(func(t *inputTarget, s *setting) { t.input.Hide = s.flag })},
			{name: "wire", kind: exprKind, phase: callPhase, doc: "what is sent instead of the argument; not computed when an optional argument is not given", example: `wire = "${args.q} org:acme"`,
				set: into(func(t *inputTarget, s *setting) { t.input.Wire = s.expr })},
		},
		inner: []*block{validationBlock()},
		open: func(_ *parser, h *head, _ any) any {
			return &inputTarget{input: &specs.Input{Path: h.label().Value, Range: h.rng}, places: map[string]diag.Range{}}
		},
		close: func(p *parser, h *head, parent, target any) {
			in := p.closeInput(h, target.(*inputTarget))
			switch t := parent.(type) {
			case *specs.Tool:
				t.Inputs = append(t.Inputs, in)
			case *specs.Override:
				t.Inputs = append(t.Inputs, in)
			}
		},
	}
}
