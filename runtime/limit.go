package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/policy"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// guards are what is asked before a client's call is made.
func (b *Bridge) guards(before *Bridge) error {
	rules, err := policy.New(b.plan.Policy)
	if err != nil {
		return err
	}
	limits := make([]*limit.Limit, len(b.plan.Limits))
	for i := range limits {
		p := &b.plan.Limits[i]
		keeper, err := b.keeper(p.Store, before)
		if err != nil {
			return err
		}
		if limits[i] = before.limit(b.plan, p, keeper); limits[i] != nil {
			continue
		}
		if limits[i], err = limit.New(p, b.plan.Name, keeper); err != nil {
			return err
		}
		if l := before.limitNamed(p.Name); l != nil && !limits[i].Follow(l) {
			b.anew = append(b.anew, p.Name)
		}
	}
	b.limits = limits
	b.ofClients = slices.ContainsFunc(b.plan.Limits, func(l plan.CallLimit) bool { return l.OfClient() })
	set := func(t *tool, name string, isTool bool, access *policy.Target) {
		t.access = access
		for i := range limits {
			if about := b.plan.Limits[i].Tools; about == nil || isTool && plan.Matches(about, name) {
				t.limits = append(t.limits, limits[i])
			}
		}
		if t.access != nil || t.limits != nil {
			t.facts = policy.Facts(name, t.plan.Hints)
		}
	}
	for i := range b.plan.Tools {
		t := b.tools[b.plan.Tools[i].Name]
		set(t, t.plan.Name, true, rules.Tool(t.plan))
	}
	for _, r := range b.resources {
		set(r.call, r.plan.URI, false, rules.Resource(r.plan))
	}
	for _, p := range b.prompts {
		if p.own = p.call; p.own == nil {
			p.own = &tool{plan: &plan.Tool{Name: p.plan.Name, Sensitive: p.plan.Sensitive, Hints: plan.Hints{ReadOnly: true, Idempotent: true}}}
		}
		set(p.own, p.plan.Name, false, rules.Prompt(p.plan))
	}
	return nil
}

// keeper is that of a store of the plan, made when a limit first names it, or taken
// over from the bridge before; nil for none.
func (b *Bridge) keeper(name string, before *Bridge) (*limit.Keeper, error) {
	if name == "" {
		return nil, nil
	}
	if i := slices.IndexFunc(b.stores, func(k *limit.Keeper) bool { return k.Name() == name }); i >= 0 {
		return b.stores[i], nil
	}
	i := slices.IndexFunc(b.plan.Stores, func(s plan.Store) bool { return s.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no store %q", name)
	}
	k := before.store(&b.plan.Stores[i], b.secrets)
	if k == nil {
		var err error
		if k, err = limit.NewKeeper(&b.plan.Stores[i], limit.StoreOptions{Secret: b.secrets.value, ReadFile: b.secrets.readFile}, b.log); err != nil {
			return nil, fmt.Errorf("store %s: %w", name, err)
		}
	}
	b.stores = append(b.stores, k)
	return k, nil
}

// admit takes a client's call through all its rate limits, or says why it goes
// no further. What it took is given back by done, which is told how many bytes
// the client gets.
func (b *Bridge) admit(ctx context.Context, k *Call) (done func(bytes int), refusal *Result) {
	if !k.counts || len(k.tool.limits) == 0 {
		return func(int) {}, nil
	}
	env := b.scope(ctx, k)
	env.Args = k.args.Values
	if b.ofClients {
		env.Vars["client"] = identity.ClientFacts(ctx)
	}
	ask := limit.Ask{Tenant: k.Principal.Tenant, Env: env, Bytes: len(k.Arguments)}
	passes := make([]limit.Pass, 0, len(k.tool.limits))
	for _, l := range k.tool.limits {
		p, r := l.Take(ctx, ask)
		if r == nil {
			passes = append(passes, p)
			continue
		}
		for _, p := range passes {
			p.Undo()
		}
		k.seen.limit = r.Limit
		return nil, limited(r)
	}
	return func(bytes int) {
		for _, p := range passes {
			p.Done(bytes)
		}
	}, nil
}

// limited is the result of a call that a rate limit refuses.
func limited(r *limit.Refusal) *Result {
	if errors.Is(r.Err, context.Canceled) {
		return result.Error("canceled", "The call was cancelled while it waited for its turn; nothing was sent.", "", result.RetryMay)
	}
	what, next, retry := "The rate limit %q of this server is reached; nothing was sent.", "Wait, then call again, and less often.", result.RetryAfter(r.After)
	switch never := r.After == 0; {
	case r.Unknown:
		what, next = "The rate limit %q of this server cannot be checked at the moment; nothing was sent.", "Wait, then call again."
	case never && r.Of == limit.BytesIn:
		what, next, retry = "The arguments have more bytes than the rate limit %q ever allows; nothing was sent.", "Call with shorter arguments.", result.RetryNo
	case never:
		what, next, retry = "The call costs more than the rate limit %q ever allows; nothing was sent.", "Ask for less at once.", result.RetryNo
	case r.Of == limit.BytesIn:
		what, next = "The rate limit %q of this server is reached: arguments had too many bytes; nothing was sent.", "Wait, then call again, with shorter arguments."
	case r.Of == limit.BytesOut:
		what, next = "The rate limit %q of this server is reached: results had too many bytes; nothing was sent.", "Wait, then call again, and ask for less."
	}
	return result.Error("rate-limited", fmt.Sprintf(what, r.Limit), next, retry)
}
