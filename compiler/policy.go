package compiler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// guarded is what policies and limits are about: a name, and its arguments.
type guarded struct {
	name     string
	args     []string
	internal bool // clients cannot call it
}

// guards lowers the policy and the rate limits, when all tools are known.
func (c *compilation) guards(server *plan.Server) {
	if c.doc.Policy == nil && len(c.doc.Limits) == 0 {
		return
	}
	var tools, resources, prompts []guarded
	for i := range server.Tools {
		t := &server.Tools[i]
		tools = append(tools, guarded{t.Name, properties(t.Input), t.Internal})
	}
	for i := range server.Resources {
		r := &server.Resources[i]
		resources = append(resources, guarded{r.URI, properties(r.Call.Input), false})
	}
	for i := range server.Prompts {
		p := &server.Prompts[i]
		prompts = append(prompts, guarded{p.Name, properties(p.Input), false})
	}
	everything := slices.Concat(tools, resources, prompts)
	if c.doc.Policy != nil {
		server.Policy = &plan.Policy{}
		for _, r := range c.doc.Policy.Rules {
			about := slices.Concat(c.named("tool", r.Tools, tools), c.named("resource", r.Resources, resources), c.named("prompt", r.Prompts, prompts))
			if r.Tools == nil && r.Resources == nil && r.Prompts == nil {
				about = everything
			}
			out := plan.PolicyRule{Name: r.Name, Deny: r.Deny, Tools: values(r.Tools), Resources: values(r.Resources), Prompts: values(r.Prompts), Scopes: values(r.Scopes)}
			out.When = c.guardExpr(r.When, about)
			if len(r.Scopes) > 0 || out.When.Reads("caller") {
				c.needsIdentity("rule", r.Name, r.Range)
			}
			server.Policy.Rules = append(server.Policy.Rules, out)
		}
	}
	for _, l := range c.doc.Limits {
		about := everything
		if l.Tools != nil {
			about = c.named("tool", l.Tools, tools)
		}
		out := plan.CallLimit{Name: l.Name, Tools: values(l.Tools), Key: c.guardExpr(l.Key, about), Cost: c.guardExpr(l.Cost, about), Concurrency: l.Concurrency, Queue: c.duration(l.Queue, 0)}
		if out.Key.Reads("caller") || out.Cost.Reads("caller") {
			c.needsIdentity("rate_limit", l.Name, l.Range)
		}
		if l.Rate != nil {
			rate := rateLimit(&specs.RateLimit{Rate: l.Rate, Burst: l.Burst})
			out.Every, out.Burst = rate.Every, rate.Burst
		}
		out.BytesIn, out.BytesOut = byteBudget(l.BytesIn), byteBudget(l.BytesOut)
		if l.Store != nil {
			out.Store, out.OnError = l.Store.Value, "local"
			if l.OnError != nil {
				out.OnError = l.OnError.Value
			}
		}
		c.checkBinds(l, about)
		server.Limits = append(server.Limits, out)
	}
	for _, s := range c.doc.Stores {
		if s.URL != nil && slices.ContainsFunc(server.Limits, func(l plan.CallLimit) bool { return l.Store == s.Name }) {
			server.Stores = append(server.Stores, c.store(s))
		}
	}
}

// checkProxies warns of proxies that nothing asks for.
func (c *compilation) checkProxies(server *plan.Server) {
	if list := c.doc.Server.Proxies; len(list) > 0 && !slices.ContainsFunc(server.Limits, func(l plan.CallLimit) bool { return l.OfClient() }) {
		c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "does-not-apply", Message: "trusted_proxies is about client.address, which no rate_limit uses", Hint: "add a rate_limit with key = client.address, or remove trusted_proxies", Range: list[0].Range})
	}
}

// checkBinds warns of a limit on tools that clients cannot call: what steps call is
// part of the client's call, and no limit counts it.
func (c *compilation) checkBinds(l *specs.CallLimit, about []guarded) {
	if len(l.Tools) == 0 || len(about) == 0 || slices.ContainsFunc(about, func(g guarded) bool { return !g.internal }) {
		return
	}
	c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "limit-on-steps", Message: fmt.Sprintf("rate_limit %q is about internal tools only, and holds for calls of clients: it never applies", l.Name),
		Hint: "name the tools whose steps call them; how often an API is called is bounded by its limit", Range: l.Tools[0].Range})
}

// byteBudget reads a budget such as "20MB/h", which the front-end has checked.
func byteBudget(t *specs.Text) *plan.ByteBudget {
	if t == nil {
		return nil
	}
	size, unit, _ := strings.Cut(t.Value, "/")
	n, ok := bytesOf(size)
	if !ok {
		n = 1
	}
	return &plan.ByteBudget{Bytes: n, Per: map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]}
}

// Defaults of a store. A server in the same network answers in a millisecond; a
// call should not wait longer for a decision than for the work.
const (
	storeTimeout = 200 * time.Millisecond
	storePrefix  = "mcpc:"
)

func (c *compilation) store(s *specs.Store) plan.Store {
	none := noArguments(&c.diags, "a store")
	lower := func(x *specs.Expr) *plan.Expr {
		if x == nil {
			return nil
		}
		out := lowerExpr(x, none)
		return &out
	}
	out := plan.Store{Name: s.Name, URL: *lower(s.URL), Username: lower(s.Username), Password: lower(s.Password), TLS: clientTLS(s.TLS), Timeout: c.duration(s.Timeout, storeTimeout), Prefix: storePrefix}
	if s.Prefix != nil {
		out.Prefix = s.Prefix.Value
	}
	return out
}

// needsIdentity warns of what is about callers where nobody is known.
func (c *compilation) needsIdentity(what, name string, at diag.Range) {
	if len(c.doc.Identities) == 0 {
		hint := `add identity "name" { oauth { … } }`
		if what == "rate_limit" {
			hint += ", or limit by client.address"
		}
		c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "caller-without-identity", Message: fmt.Sprintf("%s %q is about the caller, and the spec has no identity: nobody is known", what, name), Hint: hint, Range: at})
	}
}

// named are those that patterns match; a pattern that matches none is warned of.
func (c *compilation) named(what string, patterns []specs.Text, of []guarded) []guarded {
	var out []guarded
	for _, p := range patterns {
		n := len(out)
		var names []string
		for _, g := range of {
			names = append(names, g.name)
			if plan.Matches([]string{p.Value}, g.name) {
				out = append(out, g)
			}
		}
		if len(out) == n {
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "pattern-matches-nothing", Message: fmt.Sprintf("%q matches no %s of the server", p.Value, what), Hint: nearestTo(p.Value, names), Range: p.Range})
		}
	}
	return out
}

// guardExpr lowers an expression on calls. It warns of an argument that none of
// what it is about has.
func (c *compilation) guardExpr(x *specs.Expr, about []guarded) *plan.Expr {
	if x == nil {
		return nil
	}
	out := lowerExpr(x, func(name string, at diag.Range) plan.Expr {
		var known []string
		for _, g := range about {
			known = append(known, g.args...)
		}
		if len(about) > 0 && !slices.Contains(known, name) {
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "unknown-argument", Message: fmt.Sprintf("nothing that this is about has an argument %q", name), Hint: nearestTo(name, known), Range: at})
		}
		return argument(name)
	})
	return &out
}

// properties are the names of the arguments of a schema.
func properties(s plan.Schema) []string {
	var root struct{ Properties map[string]json.RawMessage }
	if s == "" || json.Unmarshal([]byte(s), &root) != nil {
		return nil
	}
	var names []string
	for name := range root.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
