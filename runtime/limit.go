package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/policy"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// guards are what is asked before a client's call is made.
func (b *Bridge) guards() error {
	rules, err := policy.New(b.plan.Policy)
	if err != nil {
		return err
	}
	limits := make([]*limit.Limit, len(b.plan.Limits))
	for i := range limits {
		if limits[i], err = limit.New(&b.plan.Limits[i]); err != nil {
			return err
		}
	}
	set := func(t *tool, name string, isTool bool, access *policy.Target) {
		t.access = access
		for i := range limits {
			if about := b.plan.Limits[i].Tools; about == nil || isTool && policy.Matches(about, name) {
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

// admit takes a client's call through all its rate limits, or says why it goes
// no further. What it took is given back by done.
func (b *Bridge) admit(ctx context.Context, k *Call) (done func(), refusal *Result) {
	if !k.counts || len(k.tool.limits) == 0 {
		return func() {}, nil
	}
	if k.vars == nil {
		k.vars = policy.Vars(callerOf(ctx, k.Principal), k.tool.facts)
	}
	env := &expr.Env{Args: k.args.Values, Vars: k.vars}
	passes := make([]limit.Pass, 0, len(k.tool.limits))
	for _, l := range k.tool.limits {
		p, r := l.Take(ctx, env)
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
	return func() {
		for _, p := range passes {
			p.Done()
		}
	}, nil
}

// limited is the result of a call that a rate limit refuses.
func limited(r *limit.Refusal) *Result {
	switch {
	case errors.Is(r.Err, context.Canceled):
		return result.Error("canceled", "The call was cancelled while it waited for its turn; nothing was sent.", "", result.RetryMay)
	case r.After == 0:
		return result.Error("rate-limited", fmt.Sprintf("The call costs more than the rate limit %q ever allows; nothing was sent.", r.Limit), "Ask for less at once.", result.RetryNo)
	}
	return result.Error("rate-limited", fmt.Sprintf("The rate limit %q of this server is reached; nothing was sent.", r.Limit), "Wait, then call again, and less often.", result.RetryAfter(r.After))
}
