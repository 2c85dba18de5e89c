package runtime

import (
	"context"
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/function"
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

// callerOf is who makes a call; nil is nobody known. What is known beside the
// principal holds for the one who came with it: not for another that middleware has
// put in his place.
func callerOf(ctx context.Context, who Principal) *identity.Caller {
	if c := identity.Of(ctx); c != nil && c.Principal == who {
		return c
	}
	if who.IsZero() {
		return nil
	}
	return &identity.Caller{Principal: who}
}

// scope is what policies and limits know of a call. Its Args are nil until they
// are read.
func (b *Bridge) scope(ctx context.Context, k *Call) *expr.Env {
	if k.scope == nil {
		k.scope = &expr.Env{Vars: policy.Vars(callerOf(ctx, k.Principal), k.tool.facts)}
	}
	return k.scope
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
	env := b.scope(ctx, k)
	if read {
		if env.Args = k.args.Values; env.Args == nil {
			env.Args = map[string]any{}
		}
	}
	d := t.Decide(callerOf(ctx, k.Principal), env)
	k.seen.rule = d.Rule
	if d.Allowed {
		return nil
	}
	if d.Err != nil {
		b.log.WarnContext(ctx, "a policy rule cannot be decided", "rule", d.Rule, "tool", k.Tool, "error", b.redact(ctx, function.Unquoted(d.Err)))
	}
	what := k.Tool
	if read { // without them it may be called
		what += " with these arguments"
	}
	return result.Error("denied", fmt.Sprintf("The call of %s is denied; nothing was sent. %s", what, d), "Do not try to get around it: ask the operator of this server for the right, or do without.", result.RetryNo)
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

// WithCaller returns a context of a call that no client made, on behalf of c. The
// call has to be one of c's Principal.
func WithCaller(ctx context.Context, c *Caller) context.Context { return identity.With(ctx, c) }

// Decide says whether a caller may call a tool with these arguments: whether he
// has its scopes, and what the policy says. The error is [ErrUnknownTool], an
// *[ArgumentError], or what is wrong with the plan.
func (b *Bridge) Decide(who *Caller, name string, arguments []byte) (Decision, error) {
	t := b.tools[name]
	if t == nil {
		return Decision{}, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	return decide(who, t.access, t.plan.Scopes, func() (map[string]any, error) {
		if err := t.prepare(); err != nil {
			return nil, fmt.Errorf("tool %s: %w", name, err)
		}
		a, _, err := t.arguments(arguments)
		return a.Values, err
	})
}

// DecideResource is [Bridge.Decide] of reading a resource.
func (b *Bridge) DecideResource(who *Caller, uri string) (Decision, error) {
	r, values := b.resourceOf(uri)
	if r == nil {
		return Decision{}, fmt.Errorf("%w %q", ErrUnknownResource, uri)
	}
	return decide(who, r.call.access, r.plan.Call.Scopes, func() (map[string]any, error) {
		text, err := r.arguments(values)
		if err != nil {
			return nil, &ArgumentError{sentence(err.Error())}
		}
		a, _, err := r.call.arguments(text)
		return a.Values, err
	})
}

// DecidePrompt is [Bridge.Decide] of a prompt.
func (b *Bridge) DecidePrompt(who *Caller, name string, arguments []byte) (Decision, error) {
	p := b.prompts[name]
	if p == nil {
		return Decision{}, fmt.Errorf("%w %q", ErrUnknownPrompt, name)
	}
	return decide(who, p.own.access, p.plan.Scopes, func() (map[string]any, error) {
		if err := p.prepare(); err != nil {
			return nil, fmt.Errorf("prompt %s: %w", name, err)
		}
		a, err := p.arguments(arguments)
		if err != nil {
			return nil, &ArgumentError{sentence(err.Error())}
		}
		if problems := p.input.Check(a.Values); problems != nil {
			return nil, &ArgumentError{describe(problems)}
		}
		return a.Values, nil
	})
}

// decide decides as a call does: before its arguments are read, and with them.
func decide(who *Caller, access *policy.Target, scopes []string, read func() (map[string]any, error)) (Decision, error) {
	if !who.Has(scopes) {
		return Decision{Scopes: scopes}, nil
	}
	if d := access.Decide(who, access.Env(who, nil)); !d.Allowed {
		return d, nil
	}
	values, err := read()
	if err != nil {
		return Decision{}, err
	}
	if values == nil {
		values = map[string]any{}
	}
	return access.Decide(who, access.Env(who, values)), nil
}

// Decide is [Bridge.Decide].
func (s *Server) Decide(who *Caller, name string, arguments []byte) (Decision, error) {
	return s.bridge.Decide(who, name, arguments)
}

// DecideResource is [Bridge.DecideResource].
func (s *Server) DecideResource(who *Caller, uri string) (Decision, error) {
	return s.bridge.DecideResource(who, uri)
}

// DecidePrompt is [Bridge.DecidePrompt].
func (s *Server) DecidePrompt(who *Caller, name string, arguments []byte) (Decision, error) {
	return s.bridge.DecidePrompt(who, name, arguments)
}
