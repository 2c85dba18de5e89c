package hclspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func envBlock() *block {
	return &block{
		name: "env", label: "name", labelDoc: "chosen by `--env` or the environment variable `MCPC_ENV`; without either none applies",
		doc: "What is different in one environment. Blocks inside are written as outside: their attributes take the place of those of the block of that name, their inner blocks that of inner blocks of that name. An attribute or block that the outside does not have is added.",
		example: `api "erp" {
  base_url = "https://erp.test.example"
  timeout  = "20s"
}

env "prod" {
  variables = { region = "eu" }

  api "erp" { base_url = "https://erp.example" }
}

variable "region" { default = "test" }

tool "ping" {
  request "GET" "/ping" {
    query = { region = var.region }
  }
}`,
		attrs: []attr{{name: "variables", kind: laterKind, phase: firstPhase, doc: "values of variables, which win over their defaults and over nothing else; not for sensitive ones", example: `variables = { region = "eu" }`,
			set: func(*parser, any, *setting) {}}},
		inner: []*block{serverBlock(), apiBlock(), toolBlock()},
		// Environments are applied to the syntax trees, before anything is decoded.
		open: func(*parser, *head, any) any { return nil },
	}
}

// environment applies the chosen env block to the blocks of the spec, and takes
// all env blocks away.
func (p *parser) environment(files []*file) {
	table := p.language.child("env")
	var names []string
	first := map[string]diag.Range{}
	blocks := map[string]*hclsyntax.Block{}
	for _, f := range files {
		f.body.Blocks = slices.DeleteFunc(f.body.Blocks, func(b *hclsyntax.Block) bool {
			if b.Type != "env" {
				return false
			}
			if b.OpenBraceRange == b.TypeRange {
				return true
			}
			h := p.head(table, b, false)
			if !p.checkLabels(table, h) {
				return true
			}
			name := h.label().Value
			if at, ok := first[name]; ok {
				p.duplicate("env", name, h.rng, at)
				return true
			}
			first[name] = h.rng
			names, blocks[name] = append(names, name), b
			return true
		})
	}
	chosen, from := p.options.Env, "--env"
	if chosen == "" && len(names) > 0 && !p.remote {
		chosen, from = p.reader.Env("MCPC_ENV"), "MCPC_ENV"
	}
	for _, name := range names {
		p.checkEnvironment(table, blocks[name], name == chosen)
	}
	if chosen == "" || p.module != nil && len(names) == 0 {
		return
	}
	b := blocks[chosen]
	if b == nil {
		if len(p.lost) == 0 {
			p.add(diag.Diagnostic{Code: "unknown-env", Message: fmt.Sprintf("%s names the env %q, and the spec has none of that name", from, chosen), Hint: didYouMean(chosen, names, "there are "), Range: firstRange(first, names)})
		}
		return
	}
	p.apply(files, b)
}

// firstRange is the place of the first env block.
func firstRange(at map[string]diag.Range, names []string) diag.Range {
	if len(names) == 0 {
		return diag.Range{}
	}
	return at[names[0]]
}

// checkEnvironment finds names that mean nothing. Of the chosen block those inside
// of other blocks are found when they are decoded.
func (p *parser) checkEnvironment(table *block, b *hclsyntax.Block, chosen bool) {
	h := p.head(table, b, false)
	for _, a := range attributesOf(b.Body) {
		if !slices.Contains(attrNames(table), a.Name) {
			p.unknownAttribute(table, h, a.Name, p.rng(a.NameRange))
		}
	}
	var visit func(c *block, owner string, b *hclsyntax.Block)
	visit = func(c *block, owner string, b *hclsyntax.Block) {
		for _, inner := range b.Body.Blocks {
			i := c.child(inner.Type)
			if i == nil {
				p.unknownBlock(c, owner, inner, p.rng(inner.TypeRange))
				continue
			}
			if chosen {
				continue
			}
			ih := p.head(i, inner, false)
			if !p.checkLabels(i, ih) {
				continue
			}
			for _, a := range attributesOf(inner.Body) {
				if i.free == nil && !slices.Contains(attrNames(i), a.Name) {
					p.unknownAttribute(i, ih, a.Name, p.rng(a.NameRange))
				}
			}
			visit(i, ih.title(), inner)
		}
	}
	visit(table, h.title(), b)
}

// apply changes the blocks of the spec as an env block says.
func (p *parser) apply(files []*file, env *hclsyntax.Block) {
	from := fmt.Sprintf("env %q", env.Labels[0])
	if a := env.Body.Attributes["variables"]; a != nil {
		x := p.lower(a.Expr, &scope{phase: firstPhase, what: "variables"})
		if v := p.known(x, "variables"); v != nil {
			if v.Kind != specs.Object {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: "variables takes an object", Hint: `for example variables = { region = "eu" }`, Range: p.rng(a.Expr.Range())})
			}
			p.envVars = map[string]given{}
			for _, f := range v.Fields {
				p.envVars[f.Key] = given{value: f.Value, from: from, rng: cmpRange(f.KeyRange(), p.rng(a.Expr.Range()))}
			}
		}
	}
	for _, over := range env.Body.Blocks {
		if p.language.child("env").child(over.Type) == nil {
			continue // reported
		}
		var of *hclsyntax.Block
		var labels []string
		for _, f := range files {
			for _, b := range f.body.Blocks {
				if b.Type == over.Type {
					labels = append(labels, strings.Join(b.Labels, " "))
					if slices.Equal(b.Labels, over.Labels) {
						of = b
					}
				}
			}
		}
		if of == nil {
			label := strings.Join(over.Labels, " ")
			if !p.lost[strings.TrimSpace(over.Type+" "+label)] {
				p.add(diag.Diagnostic{Code: "unknown-override", Message: fmt.Sprintf("%s changes %s %q, which the spec does not have", from, over.Type, label), Hint: didYouMean(label, labels, "there are "), Range: p.rng(over.TypeRange)})
			}
			continue
		}
		overlayBody(of.Body, over.Body)
	}
}

// overlayBody puts attributes and inner blocks of one body into another.
func overlayBody(into, from *hclsyntax.Body) {
	for name, a := range from.Attributes {
		into.Attributes[name] = a
	}
	same := func(a, b *hclsyntax.Block) bool { return a.Type == b.Type && slices.Equal(a.Labels, b.Labels) }
	into.Blocks = slices.DeleteFunc(into.Blocks, func(old *hclsyntax.Block) bool {
		return slices.ContainsFunc(from.Blocks, func(b *hclsyntax.Block) bool { return same(old, b) })
	})
	into.Blocks = append(into.Blocks, from.Blocks...)
}
