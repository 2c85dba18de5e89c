package compiler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// serve puts a compiled tool where it belongs: among the tools, or behind a
// resource or prompt. A prompt may have none.
func (c *compilation) serve(server *plan.Server, t *specs.Tool, call *plan.Tool) {
	switch {
	case t.Resource != nil:
		c.resource(server, t, call)
	case t.Prompt != nil:
		c.prompt(server, t, call)
	default:
		server.Tools = append(server.Tools, *call)
	}
}

func (c *compilation) resource(server *plan.Server, t *specs.Tool, call *plan.Tool) {
	parts, err := specs.ParseURITemplate(t.Resource.URI.Value)
	if err != nil {
		return // the front-end has said it
	}
	out := plan.Resource{URI: t.Resource.URI.Value, Name: call.Name, Title: call.Title, Description: call.Description, MIME: t.Resource.MIME.Str(), Call: *call}
	if t.Title == nil && t.Operation == nil {
		out.Title = ""
	}
	if t.Description == nil && t.Operation == nil {
		out.Description = ""
	}
	known, required := argumentNames(declared(call.Input))
	for _, p := range parts {
		out.Parts = append(out.Parts, plan.URIPart{Literal: p.Literal, Var: p.Var, Reserved: p.Reserved})
		if p.Var == "" {
			continue
		}
		if !slices.Contains(known, p.Var) {
			c.diags.Add(diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("the URI has {%s}, but %s has no such input", p.Var, t), Hint: didYouMean(p.Var, known, "it has "), Range: t.Resource.URI.Range})
		}
		required = slices.DeleteFunc(required, func(name string) bool { return name == p.Var })
	}
	if len(required) > 0 {
		c.diags.Add(diag.Diagnostic{Code: "required-input", Message: fmt.Sprintf("%s needs the input %q, which its URI does not give", t, required[0]),
			Hint: fmt.Sprintf("add {%s} to the URI, or input %q { value = … }", required[0], required[0]), Range: t.Resource.URI.Range})
	}
	server.Resources = append(server.Resources, out)
}

func (c *compilation) prompt(server *plan.Server, t *specs.Tool, call *plan.Tool) {
	out := plan.Prompt{Name: t.Name, Title: humanized(t.Name), Scopes: scopesOf(t), Call: call}
	if call != nil {
		out.Scopes = call.Scopes // also what an override says of the operation
	}
	if t.Title != nil {
		out.Title = cleanText(t.Title.Value)
	}
	if t.Description != nil {
		out.Description = cleanText(t.Description.Value)
	}
	var arg func(string, diag.Range) plan.Expr
	if t.Operation == nil {
		p := &patterns{}
		var checks plan.Tool
		in, root := c.inputs(t, newLowerer(input, false, nil, p), &checks)
		arg = in.arg
		var cut bool
		if out.Input, cut = emit(root, inputBudget, 1); cut || checkSchema(string(out.Input), p) != nil {
			c.diags.Add(diag.Diagnostic{Code: "invalid-tool", Message: fmt.Sprintf("%s cannot be served: its inputs are too large, or no valid schema", t), Hint: "declare fewer and simpler inputs", Range: t.Range})
		}
		if call != nil {
			out.Input = call.Input
		} else {
			out.Formats, out.Rules, out.Sensitive = checks.Formats, checks.Rules, c.sensitiveOf(root)
		}
	} else {
		out.Input = call.Input
		known, _ := argumentNames(declared(call.Input))
		arg = func(name string, at diag.Range) plan.Expr {
			if !slices.Contains(known, name) {
				c.diags.Add(diag.Diagnostic{Code: "unknown-argument", Message: fmt.Sprintf("%s has no input %q", t, name), Hint: didYouMean(name, known, "it has "), Range: at})
			}
			return argument(name)
		}
	}
	out.Arguments = declared(out.Input)
	for _, m := range t.Prompt.Messages {
		message := plan.Message{Role: m.Role}
		if m.Text != nil {
			x := lowerExpr(m.Text, arg)
			message.Text = &x
		} else if m.Resource != nil {
			x := lowerExpr(m.Resource, arg)
			message.Resource = &x
		}
		out.Messages = append(out.Messages, message)
	}
	server.Prompts = append(server.Prompts, out)
}

// declared are the arguments that an input schema of ours declares, in order.
func declared(input plan.Schema) []plan.PromptArgument {
	var root struct {
		Properties json.RawMessage
		Required   []string
	}
	if json.Unmarshal([]byte(input), &root) != nil {
		return nil
	}
	var out []plan.PromptArgument
	dec := json.NewDecoder(bytes.NewReader(root.Properties))
	_, _ = dec.Token() // schemas of ours are valid; without properties there is nothing
	for dec.More() {
		name, err := dec.Token()
		var p struct{ Description string }
		if err != nil || dec.Decode(&p) != nil && p.Description == "" {
			break
		}
		key, _ := name.(string)
		out = append(out, plan.PromptArgument{Name: key, Description: p.Description, Required: slices.Contains(root.Required, key)})
	}
	return out
}

func argumentNames(list []plan.PromptArgument) (all, required []string) {
	for _, a := range list {
		all = append(all, a.Name)
		if a.Required {
			required = append(required, a.Name)
		}
	}
	return all, required
}

// embedded checks that resources which prompts name as they stand exist. Who is
// told what a resource holds needs its scopes: a prompt wants those of all that
// it may embed.
func (c *compilation) embedded(server *plan.Server) {
	var uris []string
	for i := range server.Resources {
		uris = append(uris, server.Resources[i].URI)
	}
	for _, t := range c.doc.Tools {
		if t.Prompt == nil {
			continue
		}
		at := slices.IndexFunc(server.Prompts, func(p plan.Prompt) bool { return p.Name == t.Name })
		for _, m := range t.Prompt.Messages {
			x := m.Resource
			for i := range server.Resources {
				r := &server.Resources[i]
				if at < 0 || x == nil || x.Op == specs.ExprConst && !mayMatch(r, x.Value.Str()) {
					continue
				}
				for _, scope := range r.Call.Scopes {
					if p := &server.Prompts[at]; !slices.Contains(p.Scopes, scope) {
						p.Scopes = append(slices.Clip(p.Scopes), scope)
					}
				}
			}
			if x == nil || x.Op == specs.ExprConst && slices.ContainsFunc(server.Resources, func(r plan.Resource) bool { return mayMatch(&r, x.Value.Str()) }) {
				continue
			}
			switch {
			case len(uris) == 0:
				c.diags.Add(diag.Diagnostic{Code: "unknown-resource", Message: "the spec declares no resource", Hint: `declare it: resource "orders://{number}" { … }`, Range: x.Range})
			case x.Op == specs.ExprConst:
				c.diags.Add(diag.Diagnostic{Code: "unknown-resource", Message: fmt.Sprintf("there is no resource %q", x.Value.Str()), Hint: didYouMean(x.Value.Str(), uris, "there is "), Range: x.Range})
			}
		}
	}
}

// mayMatch tells whether a URI can be one of a resource: its literals are there,
// in their order.
func mayMatch(r *plan.Resource, uri string) bool {
	for i, p := range r.Parts {
		if p.Var != "" {
			continue
		}
		at := strings.Index(uri, p.Literal)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		uri = uri[at+len(p.Literal):]
	}
	return uri == "" || r.Parts[len(r.Parts)-1].Var != ""
}
