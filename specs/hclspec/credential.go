package hclspec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// credentialNames are the constructors of auth.
var credentialNames = []string{"bearer", "basic", "api_key"}

// credential reads auth = bearer(…) and its like.
func (p *parser) credential(e hclsyntax.Expression, row *attr) *specs.Credential {
	r := p.rng(e.Range())
	wrong := func(code string, at diag.Range, message, hint string) *specs.Credential {
		p.add(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: at})
		return nil
	}
	const forms = `write bearer(token), basic(user, password), api_key("header", "NAME", key), or auth.NAME for an auth block`
	e = unwrap(e)
	if t, isRef := e.(*hclsyntax.ScopeTraversalExpr); isRef && t.Traversal.RootName() == "auth" && len(t.Traversal) == 2 {
		if name, _, named := p.member(t.Traversal); named {
			// The block may come later: see [parser.linkAuth].
			c := &specs.Credential{Name: name, Range: r}
			p.authRefs = append(p.authRefs, c)
			return c
		}
	}
	call, ok := e.(*hclsyntax.FunctionCallExpr)
	if _, broken := e.(*hclsyntax.ExprSyntaxError); broken {
		return nil
	}
	if !ok || call.ExpandFinal {
		return wrong("wrong-type", r, "auth takes a credential", forms)
	}
	if !slices.Contains(credentialNames, call.Name) {
		hint := didYouMean(call.Name, credentialNames, "")
		if hint == "" || call.Name == "auth" {
			hint = forms
		}
		return wrong("unknown-credential", p.rng(call.NameRange), fmt.Sprintf("there is no credential %q", call.Name), hint)
	}
	want := map[string]int{"bearer": 1, "basic": 2, "api_key": 3}[call.Name]
	if len(call.Args) != want {
		return wrong("wrong-arguments", r, fmt.Sprintf("%s takes %d arguments, not %d", call.Name, want, len(call.Args)), forms)
	}
	c := &specs.Credential{Kind: call.Name, Range: r}
	args := make([]*specs.Expr, want)
	for i, a := range call.Args {
		secret := i == want-1
		x := p.lower(a, &scope{phase: staticPhase, what: row.name, secret: secret || call.Name == "basic"})
		if x == nil {
			ok = false
			continue
		}
		if x.Op == specs.ExprConst && x.Value.Kind != specs.String {
			return wrong("wrong-type", x.Range, fmt.Sprintf("%s takes text, not %s", call.Name, valueText(x.Value)), forms)
		}
		args[i] = x
	}
	if !ok {
		return nil
	}
	c.Value = args[want-1]
	switch call.Name {
	case "basic":
		c.Username = args[0]
	case "api_key":
		c.Kind = "apiKey"
		place, name := p.known(args[0], "the place of a key"), p.known(args[1], "the name of a key")
		if place == nil || name == nil {
			return nil
		}
		places := []string{string(specs.InHeader), string(specs.InQuery), string(specs.InCookie)}
		if !slices.Contains(places, place.Text) {
			return wrong("unknown-value", args[0].Range, fmt.Sprintf("a key cannot be in %q", place.Text), didYouMean(place.Text, places, "it is in "))
		}
		if name.Text == "" || place.Text != "query" && !isToken(name.Text) {
			return wrong("invalid-name", args[1].Range, fmt.Sprintf("%q is no name of a %s", name.Text, place.Text), "")
		}
		c.In, c.Param = specs.In(place.Text), name.Text
	}
	usesSecret := c.Username != nil && findSecret(c.Username) != nil
	if c.Value.Op == specs.ExprConst && !usesSecret {
		p.add(diag.Diagnostic{Severity: diag.Warning, Code: "literal-secret", Secret: true, Message: "the secret is written in the spec, and will be in its plan", Hint: `use a variable with sensitive = true, or env("NAME")`, Range: c.Value.Range})
	}
	return c
}

// schemeCredentials reads auth = { SCHEME = credential, … }.
func (p *parser) schemeCredentials(o *hclsyntax.ObjectConsExpr, row *attr) (list []specs.SchemeCredential, ok bool) {
	ok = true
	for _, item := range o.Items {
		key := p.known(p.lower(item.KeyExpr, &scope{phase: staticPhase, what: row.name}), "the name of a scheme")
		c := p.credential(item.ValueExpr, row)
		if key == nil || c == nil {
			ok = false
			continue
		}
		at := p.rng(item.KeyExpr.Range())
		for _, have := range list {
			if have.Scheme.Value == key.Text {
				p.add(diag.Diagnostic{Code: "duplicate-scheme", Message: fmt.Sprintf("scheme %q has two credentials", key.Text), Hint: "keep one of the two", Range: at, Notes: []diag.Note{{Message: "the first one", Range: have.Scheme.Range}}})
				ok = false
			}
		}
		list = append(list, specs.SchemeCredential{Scheme: specs.Text{Value: key.Text, Range: at}, Credential: c})
	}
	if len(o.Items) == 0 {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: "auth names no scheme", Hint: "write { SCHEME = bearer(token) }, or remove it", Range: p.rng(o.Range())})
		return nil, false
	}
	return list, ok
}

// unwrap removes parentheses and "${…}".
func unwrap(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		switch t := e.(type) {
		case *hclsyntax.ParenthesesExpr:
			e = t.Expression
		case *hclsyntax.TemplateWrapExpr:
			e = t.Wrapped
		default:
			return e
		}
	}
}

// operationRef reads operation = api.NAME["id"].
func (p *parser) operationRef(e hclsyntax.Expression, row *attr) *specs.OperationRef {
	r := p.rng(e.Range())
	var api, id string
	ok := false
	switch e := unwrap(e).(type) {
	case *hclsyntax.ExprSyntaxError:
		return nil
	case *hclsyntax.ScopeTraversalExpr:
		if e.Traversal.RootName() != "api" || len(e.Traversal) != 3 {
			break
		}
		name, _, named := p.member(e.Traversal)
		key, _, keyed := p.member(e.Traversal[1:])
		api, id, ok = name, key, named && keyed
	case *hclsyntax.IndexExpr:
		// The id is computed.
		t, isRef := e.Collection.(*hclsyntax.ScopeTraversalExpr)
		if !isRef || t.Traversal.RootName() != "api" || len(t.Traversal) != 2 {
			break
		}
		name, _, named := p.member(t.Traversal)
		v := p.known(p.lower(e.Key, &scope{phase: staticPhase, what: row.name}), row.name)
		if v == nil {
			return nil
		}
		api, id, ok = name, v.Text, named && v.Kind == specs.String
	}
	if !ok {
		p.add(diag.Diagnostic{Code: "invalid-reference", Message: "operation takes a reference to an operation", Hint: "write " + row.example, Range: r})
		return nil
	}
	return &specs.OperationRef{API: api, ID: id, Range: r}
}

// apiRef reads api = api.NAME.
func (p *parser) apiRef(e hclsyntax.Expression, row *attr) *specs.Text {
	return p.namedRef(e, row, "api")
}

// namedRef is KIND.name.
func (p *parser) namedRef(e hclsyntax.Expression, row *attr, kind string) *specs.Text {
	r := p.rng(e.Range())
	switch e := unwrap(e).(type) {
	case *hclsyntax.ExprSyntaxError:
		return nil
	case *hclsyntax.ScopeTraversalExpr:
		if e.Traversal.RootName() == kind && len(e.Traversal) == 2 {
			if name, _, ok := p.member(e.Traversal); ok {
				return &specs.Text{Value: name, Range: r}
			}
		}
	}
	p.add(diag.Diagnostic{Code: "invalid-reference", Message: fmt.Sprintf("%s takes a reference to %s", row.name, map[string]string{"api": "an api", "tool": "a tool", "store": "a store"}[kind]), Hint: "write " + row.example, Range: r})
	return nil
}

// toolRef reads call = tool.NAME.
func (p *parser) toolRef(e hclsyntax.Expression, row *attr) *specs.ToolRef {
	if t := p.namedRef(e, row, "tool"); t != nil {
		return &specs.ToolRef{Name: t.Value, Range: t.Range}
	}
	return nil
}
