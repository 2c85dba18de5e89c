package runtime

import (
	"context"
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/policy"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// Caller is who calls, and what was established about him: his scopes, the
// claims of his token, and the identity that accepted him.
type Caller = identity.Caller

// Decision is what a policy says of a call, and by which rule.
type Decision = policy.Decision

// callerOf is who makes a call. What is known beside the principal holds for the
// one who came with it: not for another that middleware has put in his place.
func callerOf(ctx context.Context, who Principal) *identity.Caller {
	if c := identity.Of(ctx); c != nil && c.Principal == who {
		return c
	}
	return &identity.Caller{Principal: who}
}

// permitted asks the policy about a call whose arguments are not read yet, and so
// refuses who may not call at all without telling him of his arguments; and once
// more when they are known, where they matter. A result says why the call goes no
// further.
func (b *Bridge) permitted(ctx context.Context, k *Call, read bool) *Result {
	t := k.tool.access
	if t == nil || read && !t.NeedsArgs() {
		return nil
	}
	var values map[string]any
	if read {
		if values = k.args.Values; values == nil {
			values = map[string]any{}
		}
	}
	caller := callerOf(ctx, k.Principal)
	if k.vars == nil {
		k.vars = policy.Vars(caller, k.tool.facts)
	}
	d := t.Decide(caller, &expr.Env{Args: values, Vars: k.vars})
	k.seen.rule = d.Rule
	if d.Allowed {
		return nil
	}
	if d.Err != nil {
		b.log.WarnContext(ctx, "a policy rule cannot be decided", "rule", d.Rule, "tool", k.Tool, "error", b.secrets.redact(d.Err.Error()))
	}
	return result.Error("denied", fmt.Sprintf("The call of %s is denied; nothing was sent. %s", k.Tool, d), "Do not try to get around it: ask the operator of this server for the right, or do without.", result.RetryNo)
}

// visible tells whether a caller's list shows something.
func (s *Server) visible(ctx context.Context, who Principal, t *policy.Target) bool {
	caller := callerOf(ctx, who)
	return t.Decide(caller, t.Env(caller, nil)).Allowed
}

// Visible tells the transport what a caller's lists show.
func (c caller) Visible(ctx context.Context, who Principal) (tool, resource, prompt func(i int) bool) {
	b := c.bridge
	return func(i int) bool { return c.visible(ctx, who, b.tools[c.listed[i].Name].access) },
		func(i int) bool { return c.visible(ctx, who, b.resources[i].call.access) },
		func(i int) bool { return c.visible(ctx, who, b.prompts[b.plan.Prompts[i].Name].own.access) }
}

// Decide says what the policy says of a caller's call of a tool. The error is
// [ErrUnknownTool], an *[ArgumentError], or what is wrong with the plan.
func (b *Bridge) Decide(who *Caller, name string, arguments []byte) (Decision, error) {
	t := b.tools[name]
	if t == nil {
		return Decision{}, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	if err := t.prepare(); err != nil {
		return Decision{}, fmt.Errorf("tool %s: %w", name, err)
	}
	if d := t.access.Decide(who, t.access.Env(who, nil)); !d.Allowed {
		return d, nil
	}
	a, _, err := t.arguments(arguments)
	if err != nil {
		return Decision{}, err
	}
	if a.Values == nil {
		a.Values = map[string]any{}
	}
	return t.access.Decide(who, t.access.Env(who, a.Values)), nil
}

// Decide is [Bridge.Decide].
func (s *Server) Decide(who *Caller, name string, arguments []byte) (Decision, error) {
	return s.bridge.Decide(who, name, arguments)
}
