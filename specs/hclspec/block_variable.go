package hclspec

import (
	"fmt"
	"regexp"
)

func variableBlock() *block {
	return &block{
		name: "variable", label: "name", labelDoc: "referred to as `var.name`",
		doc: "A value from outside of the spec. The first of these that has one wins: `--var`, `--var-file`, the environment variable `env`, the environment variable `MCPC_VAR_name`, the file `file`, `default`. " +
			"An empty environment variable counts as not set. A variable without a value is an error.\n\n" +
			"A **sensitive** variable is a reference: its value is looked up by the runtime when a request is sent, and is in no plan, log, message or generated file. It may stand in `auth`, in `headers` and in the query, cookies and body of a request, and nowhere where the model or a log would see it.",
		example: `variable "erp_password" {
  type      = string
  sensitive = true
  env       = "ERP_PASSWORD"
}`,
		attrs: []attr{
			{name: "type", kind: typeKind, phase: firstPhase, standard: "`any`", doc: "its type; a text from outside is read accordingly", example: "type = string",
				set: into(func(v *variable, s *setting) { v.typ = s.typ })},
			{name: "default", kind: valueKind, phase: firstPhase, doc: "value when nothing else gives one; not for sensitive variables", example: `default = "eu"`,
				set: into(func(v *variable, s *setting) { v.standard = s })},
			{name: "sensitive", kind: boolKind, phase: firstPhase, standard: "`false`", doc: "a secret", example: "sensitive = true",
				set: into(func(v *variable, s *setting) { v.sensitive = s.flag.Value })},
			{name: "env", kind: textKind, phase: firstPhase, doc: "environment variable to look in before `MCPC_VAR_name`", example: `env = "ERP_PASSWORD"`,
				check: func(s string) (string, string) {
					if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(s) {
						return fmt.Sprintf("cannot be %q", s), "name an environment variable: letters, digits and _"
					}
					return "", ""
				},
				set: into(func(v *variable, s *setting) { v.env = s.text })},
			{name: "file", kind: textKind, phase: firstPhase, doc: "file that holds the value, its path relative to the spec; line ends at its end are cut", example: `file = "secrets/erp"`,
				set: into(func(v *variable, s *setting) { v.file = s.text })},
			{name: "from", kind: secretKind, phase: firstPhase, quiet: true, doc: "where a sensitive variable is looked up when no environment variable and no file has it: `exec(…)` or `vault(…)`", example: `from = vault("secret/data/erp", "password")`,
				set: into(func(v *variable, s *setting) { v.from = s })},
			{name: "description", kind: textKind, phase: firstPhase, doc: "for people", example: `description = "Password of the service user"`,
				set: into(func(v *variable, s *setting) { v.description = s.text })},
		},
		inner: []*block{{
			name: "validation",
			doc:  "A rule for the value, checked when the spec is loaded. There may be several. A sensitive variable cannot have one: its value is not known then.",
			example: `variable "region" {
  type    = string
  default = "eu"

  validation {
    condition     = contains(["eu", "us"], var.region)
    error_message = "The region is eu or us, not ${var.region}."
  }
}`,
			attrs: []attr{
				{name: "condition", kind: laterKind, required: true, doc: "what must be true; `var` and `local` are known", example: "condition = length(var.region) == 2",
					set: into(func(r *variableRule, s *setting) { r.condition = s })},
				{name: "error_message", kind: laterKind, required: true, doc: "what is said otherwise", example: `error_message = "The region has two letters."`,
					set: into(func(r *variableRule, s *setting) { r.message = s })},
			},
			open: func(*parser, *head, any) any { return &variableRule{} },
			close: func(_ *parser, _ *head, parent, target any) {
				v := parent.(*variable)
				v.rules = append(v.rules, *target.(*variableRule))
			},
		}},
		open:  func(*parser, *head, any) any { return &variable{} },
		close: func(p *parser, h *head, _, v any) { p.closeVariable(h, v.(*variable)) },
	}
}

func localsBlock() *block {
	return &block{
		name: "locals",
		doc:  "Names for expressions, referred to as `local.name`. There may be several blocks; they may use variables and each other, in any order, but no arguments of calls.",
		example: `locals {
  region   = "eu"
  base     = "https://${local.region}.example.com"
  statuses = { open = "10", shipped = "40" }
}`,
		free: &attr{name: "NAME", kind: valueKind, doc: "any value",
			set: func(p *parser, _ any, s *setting) {
				name := s.text.Value
				if first := p.locals[name]; first != nil {
					p.duplicate("local", name, s.name, first.rng)
					return
				}
				p.locals[name] = &local{rng: s.name, expr: s.raw}
				p.names = append(p.names, name)
			}},
		open: func(p *parser, _ *head, _ any) any { return p },
	}
}
