package hclspec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

var toolPattern = regexp.MustCompile(`^[A-Za-z0-9_*.-]+$`)

func checkToolPattern(s string) (problem, advice string) {
	if !toolPattern.MatchString(s) {
		return fmt.Sprintf("cannot hold %q", s), `write names of tools, with * for any text: "search_*"`
	}
	return "", ""
}

func checkPattern(s string) (problem, advice string) {
	if strings.TrimSpace(s) == "" {
		return "holds an empty text", `write names, with * for any text: "order_*"`
	}
	return "", ""
}

func policyBlock() *block {
	return &block{
		name: "policy",
		doc: "What callers may do. With a policy, what no rule allows is denied, and a rule that denies wins over all that allow. It holds for calls of clients, for those that steps and native code make in turn, and for reading resources and prompts; lists show what their caller may use. Several policy blocks are one policy.\n\n" +
			"A refused call has the code `denied` and names the rule. `mcpc explain TARGET tool NAME --as subject=alice --as scope=orders:read` says how a call is decided, `mcpc explain TARGET resource URI` and `prompt NAME` the same of those, and `mcpc call` with `--as` makes the call; `mcpc diff` shows whose calls a change allows or denies.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "get_order" {
  input "number" { type = string }
  request "GET" "/orders/{number}" {}
}

policy {
  rule "readers" {
    effect = "allow"
    scopes = ["orders:read"]
    when   = tool.read_only
  }
}`,
		inner: []*block{{
			name: "rule", label: "name", labelDoc: "for refusals and logs",
			doc: "Allows or denies calls: those of its `tools`, `resources` and `prompts`, by callers who have its `scopes`, for which `when` is true. Without the first three it is about everything.",
			example: `policy {
  rule "small refunds" {
    effect = "allow"
    tools  = ["refund_*"]
    when   = caller.tenant == "acme" && args.amount < 100
  }
}`,
			attrs: []attr{
				{name: "effect", kind: textKind, required: true, words: []string{"allow", "deny"}, doc: "what it does", example: `effect = "allow"`,
					set: into(func(r *specs.PolicyRule, s *setting) { r.Deny = s.text.Value == "deny" })},
				{name: "tools", kind: textsKind, doc: "names of tools; `*` is any text", example: `tools = ["search_*"]`, check: checkToolPattern,
					set: into(func(r *specs.PolicyRule, s *setting) { r.Tools = s.texts })},
				{name: "resources", kind: textsKind, doc: "URIs and templates of resources, as in their blocks, the same way", example: `resources = ["orders://*"]`, check: checkPattern,
					set: into(func(r *specs.PolicyRule, s *setting) { r.Resources = s.texts })},
				{name: "prompts", kind: textsKind, doc: "names of prompts, the same way", example: `prompts = ["*"]`, check: checkPattern,
					set: into(func(r *specs.PolicyRule, s *setting) { r.Prompts = s.texts })},
				{name: "scopes", kind: textsKind, doc: "scopes a caller must have, all of them, for the rule to be about him", example: `scopes = ["orders:write"]`,
					set: into(func(r *specs.PolicyRule, s *setting) { r.Scopes = s.texts })},
				{name: "when", kind: exprKind, phase: policyPhase, shown: true, standard: "`true`", example: `when = caller.tenant == "acme" && args.amount < 100`,
					doc: "a condition over `caller` (`subject`, `client`, `tenant`, `identity`, `scopes`, `claims`; null when not known), `tool` (`name`, of a resource its URI, `read_only`, `destructive`, `idempotent`, `open_world`) and `args`. " +
						"One that needs a value which is null does not hold in a rule that allows, and holds in one that denies; one that fails denies. For a list, what `&&` joins to conditions over `args` decides in a rule that allows; a rule that denies by `args` hides nothing",
					set: into(func(r *specs.PolicyRule, s *setting) { r.When = s.expr })},
			},
			open: func(p *parser, h *head, parent any) any {
				policy, name := parent.(*specs.Policy), h.label().Value
				if i := slices.IndexFunc(policy.Rules, func(r *specs.PolicyRule) bool { return r.Name == name }); i >= 0 {
					p.duplicate("rule", name, h.rng, policy.Rules[i].Range)
					return nil
				}
				return &specs.PolicyRule{Name: name, Range: h.rng}
			},
			close: func(p *parser, h *head, parent, target any) {
				r := target.(*specs.PolicyRule)
				for _, list := range []struct {
					name  string
					texts []specs.Text
				}{{"tools", r.Tools}, {"resources", r.Resources}, {"prompts", r.Prompts}} {
					if at, ok := h.seen[list.name]; ok && len(list.texts) == 0 && !h.failed {
						p.add(diag.Diagnostic{Code: "empty-list", Message: fmt.Sprintf("%s of %s is empty, so it is about none", list.name, h.title()), Hint: `leave it out, or write ["*"]`, Range: at})
					}
				}
				if r.When != nil && r.When.Op == specs.ExprConst && r.When.Value.Kind != specs.Bool {
					p.add(diag.Diagnostic{Code: "wrong-type", Message: "when takes a condition", Hint: `for example when = caller.tenant == "acme"`, Range: r.When.Range})
				}
				parent.(*specs.Policy).Rules = append(parent.(*specs.Policy).Rules, r)
			},
		}},
		open: func(p *parser, h *head, _ any) any {
			if p.doc.Policy == nil {
				p.doc.Policy = &specs.Policy{Range: h.rng}
			}
			return p.doc.Policy
		},
	}
}

func rateLimitBlock() *block {
	return &block{
		name: "rate_limit", label: "name", labelDoc: "for refusals",
		doc: "How often, how many at once, and with how many bytes clients may call. A call has to pass all limits that are about it; one that is refused has the code `rate-limited`, and says when to call again. Calls that steps and native code make are part of the client's one. " +
			"How often an API is called is bounded by its own `limit`.\n\n" +
			"Limits are those of one process, which keeps up to 131,072 keys of each; what is idle is forgotten. With `store` they are those of all servers that use it: of the same `server` name, the same limit, and the same key. Keys that hold something of `caller` or `args` are kept apart for each tenant.\n\n" +
			"The number of bytes of a result is known when the call is done. It is charged then, and calls are refused until the budget has recovered; calls that are under way are finished.\n\n" +
			"Callers of whom nothing is known are told apart by `client.address`, over HTTP the address that the call comes from: the other end of the connection, or what the `trusted_proxies` of `listen` say of it. Of IPv6 it is the network of 64 bits, `2001:db8:1:2::/64`, because whoever has one address has all of it. It is null on stdio; all calls without it share one key.",
		example: `rate_limit "per-client" {
  key   = caller.client
  rate  = "5/s"
  burst = 20
}

rate_limit "per-address" {
  key   = client.address
  rate  = "2/s"
  burst = 10
}

rate_limit "exports" {
  tools       = ["export_*"]
  key         = [caller.tenant, tool.name]
  concurrency = 2
  queue       = "5s"
}

store "shared" { url = "rediss://limits.example:6380" }

rate_limit "traffic" {
  key       = caller.tenant
  bytes_in  = "20MB/h"
  bytes_out = "500MB/h"
  store     = store.shared
}`,
		attrs: []attr{
			{name: "tools", kind: textsKind, standard: "everything, resources and prompts too", doc: "names of tools it is about; `*` is any text", example: `tools = ["export_*"]`, check: checkToolPattern,
				set: into(func(l *specs.CallLimit, s *setting) { l.Tools = s.texts })},
			{name: "key", kind: exprKind, phase: limitPhase, shown: true, standard: "all share one", doc: "whose calls share a limit: a value, or a list of values, of `caller`, `tool` and `args` (see `when` of `rule`), and `client.address`", example: "key = [caller.client, tool.name]",
				set: into(func(l *specs.CallLimit, s *setting) { l.Key = s.expr })},
			{name: "rate", kind: textKind, doc: "calls a second, minute or hour", example: `rate = "5/s"`, check: checkRate,
				set: into(func(l *specs.CallLimit, s *setting) { l.Rate = s.text })},
			{name: "burst", kind: integerKind, standard: "the rate of a second, at least 1", doc: "calls that may come at once", example: "burst = 20",
				set: into(func(l *specs.CallLimit, s *setting) { l.Burst = s.number })},
			{name: "cost", kind: exprKind, phase: limitPhase, shown: true, standard: "`1`", doc: "how many calls one counts as; what is no number, or negative, counts as 1", example: "cost = tool.destructive ? 5 : 1",
				set: into(func(l *specs.CallLimit, s *setting) { l.Cost = s.expr })},
			{name: "bytes_in", kind: textKind, standard: "any number", doc: "bytes of arguments a second, minute, hour or day; so many may come at once, and they are gained again evenly in that time", example: `bytes_in = "20MB/h"`, check: checkByteRate,
				set: into(func(l *specs.CallLimit, s *setting) { l.BytesIn = s.text })},
			{name: "bytes_out", kind: textKind, standard: "any number", doc: "bytes of results, text and structured content, the same way", example: `bytes_out = "500MB/h"`, check: checkByteRate,
				set: into(func(l *specs.CallLimit, s *setting) { l.BytesOut = s.text })},
			{name: "concurrency", kind: integerKind, standard: "any number", doc: "calls that may run at once. In a store each is a lease that the server renews; the calls of a server that dies count for 15 seconds more", example: "concurrency = 5",
				set: into(func(l *specs.CallLimit, s *setting) { l.Concurrency = s.number })},
			{name: "queue", kind: durationKind, standard: "not at all", doc: "how long a call waits for its turn before it is refused; it is in flight meanwhile. For a place in a store, whoever asks first when one is free has it", example: `queue = "2s"`,
				set: into(func(l *specs.CallLimit, s *setting) { l.Queue = s.text })},
			{name: "store", kind: storeKind, standard: "this process", doc: "who keeps it, for all servers that use the store", example: "store = store.shared",
				set: into(func(l *specs.CallLimit, s *setting) { l.Store = s.text })},
			{name: "on_error", kind: textKind, words: []string{"local", "deny", "allow"}, standard: "`\"local\"`", doc: "what holds while the store cannot be asked: each server keeps the limit by itself, as without a store and beginning with full buckets; calls are refused; or all go through", example: `on_error = "deny"`,
				set: into(func(l *specs.CallLimit, s *setting) { l.OnError = s.text })},
		},
		open: func(p *parser, h *head, _ any) any {
			name := h.label().Value
			if i := slices.IndexFunc(p.doc.Limits, func(l *specs.CallLimit) bool { return l.Name == name }); i >= 0 {
				p.duplicate("rate_limit", name, h.rng, p.doc.Limits[i].Range)
				return nil
			}
			return &specs.CallLimit{Name: name, Range: h.rng}
		},
		close: func(p *parser, h *head, _, target any) {
			l := target.(*specs.CallLimit)
			p.checkCallLimit(h, l)
			p.doc.Limits = append(p.doc.Limits, l)
		},
	}
}

// maxBurst bounds what times of a limit are computed with.
const maxBurst = 1_000_000

func (p *parser) checkCallLimit(h *head, l *specs.CallLimit) {
	_, rate := h.seen["rate"]
	limits := rate
	for _, name := range []string{"concurrency", "bytes_in", "bytes_out"} {
		_, ok := h.seen[name]
		limits = limits || ok
	}
	if !limits && !h.broken {
		p.add(diag.Diagnostic{Code: "missing-attribute", Message: h.title() + " limits nothing", Hint: `add rate = "5/s", concurrency = 5 or bytes_out = "500MB/h"`, Range: h.rng})
	}
	if at, ok := h.seen["on_error"]; ok && h.seen["store"] == (diag.Range{}) {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "on_error is about a store, and there is none", Hint: "add store = store.NAME", Range: at})
	}
	for _, name := range []string{"burst", "cost"} {
		if at, ok := h.seen[name]; ok && !rate {
			p.add(diag.Diagnostic{Code: "does-not-apply", Message: name + " is about a rate, and there is none", Hint: `add rate = "5/s"`, Range: at})
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"burst", l.Burst}, {"concurrency", l.Concurrency}} {
		if at, ok := h.seen[n.name]; ok && !h.failed && (n.value < 1 || n.value > maxBurst) {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%s cannot be %d", n.name, n.value), Hint: fmt.Sprintf("write a number from 1 to %d", maxBurst), Range: at})
		}
	}
	if at, ok := h.seen["tools"]; ok && len(l.Tools) == 0 && !h.failed {
		p.add(diag.Diagnostic{Code: "empty-list", Message: fmt.Sprintf("tools of %s is empty, so it is about none", h.title()), Hint: `leave it out, or write ["*"]`, Range: at})
	}
	if c := l.Cost; c != nil && c.Op == specs.ExprConst && (c.Value.Kind != specs.Number || strings.HasPrefix(c.Value.Text, "-")) {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: "cost takes a number from 0", Hint: "for example cost = tool.destructive ? 5 : 1", Range: c.Range})
	}
}
