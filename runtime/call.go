package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/schema"
	"github.com/mcpc-dev/mcpc/runtime/internal/transport"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// Call runs a tool as the plan says, native handlers and middleware left aside.
// arguments is a JSON object, or empty for none; it may be kept, so it must not
// change afterwards. The error is [ErrUnknownTool]; whatever else goes wrong is
// a Result with IsError, which tells a model what failed, what to do next and
// whether a retry can help.
func (b *Bridge) Call(ctx context.Context, who Principal, name string, arguments []byte) (*Result, error) {
	t := b.tools[name]
	if t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	k := &Call{Tool: t.plan.Name, Principal: who, Arguments: arguments, tool: t, run: b.checked}
	ctx, start := b.begin(ctx, k)
	res := b.guard(ctx, k, k.run)
	b.end(ctx, k, res, start)
	return res, nil
}

// Call runs a tool as a client's call does: through the middleware, by its
// native handler where there is one. See [Bridge.Call] for the rest.
func (s *Server) Call(ctx context.Context, who Principal, name string, arguments []byte) (*Result, error) {
	b := s.bridge
	t := b.tools[name]
	if t == nil || t.plan.Internal {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	k := &Call{Tool: t.plan.Name, Principal: who, Arguments: arguments, tool: t, run: s.handled, counts: true}
	if s.handle == nil && s.native == nil {
		k.run = b.checked
	}
	ctx, start := b.begin(ctx, k)
	var res *Result
	switch {
	case s.line.inFlight.Add(1) > s.maxCalls:
		res = result.Error("busy", fmt.Sprintf("The server is working on %d calls, which is as many as it takes at once; nothing was sent.", s.maxCalls),
			"Call again.", result.RetryAfter(time.Second))
	default:
		res = b.guard(ctx, k, k.run)
	}
	s.line.inFlight.Add(-1)
	b.end(ctx, k, res, start)
	return res, nil
}

// guard recovers from mistakes of ours and of handlers: the call fails, and the
// process and the other calls live on.
func (b *Bridge) guard(ctx context.Context, k *Call, run func(context.Context, *Call) *Result) (res *Result) {
	defer func() {
		if p := recover(); p != nil {
			res = b.failure(ctx, k.tool, "panic", fmt.Errorf("%v\n%s", p, debug.Stack()))
		}
	}()
	if b.unready() != "" {
		return result.Error("audit", "Nothing was done: this server records every call, and cannot at the moment.",
			"Tell the operator of this server.", result.RetryMay)
	}
	return run(ctx, k)
}

// checked decodes and checks the arguments and bridges the call.
func (b *Bridge) checked(ctx context.Context, k *Call) *Result {
	if res := b.check(ctx, k); res != nil {
		return res
	}
	if res := b.confirmed(ctx, k); res != nil {
		return res
	}
	done, res := b.admit(ctx, k)
	if res != nil {
		return res
	}
	defer func() { done(sizeOf(res)) }()
	res = b.send(ctx, k)
	return res
}

// check decodes and checks the arguments of a call, and asks the policy. A result
// says why the call goes no further.
func (b *Bridge) check(ctx context.Context, k *Call) *Result {
	defer k.lap(observe.Validate)
	if err := k.tool.prepare(); err != nil {
		return b.failure(ctx, k.tool, "plan", err)
	}
	k.judged, k.scope = k.Principal, nil
	if res := b.permitted(ctx, k, false); res != nil {
		return res
	}
	var err error
	if k.args, k.repaired, err = k.tool.arguments(k.Arguments); err != nil {
		return badArguments(err.Error())
	}
	return b.permitted(ctx, k, true)
}

// send makes the HTTP request of a checked call, sends it, and makes the answer
// a result; or runs the steps of a composite tool.
func (b *Bridge) send(ctx context.Context, k *Call) *Result {
	t := k.tool
	if t.steps != nil {
		res := b.compose(ctx, k)
		if !res.IsError {
			b.observe(ctx, t, res)
		}
		return res
	}
	if t.pager != nil {
		return b.pages(ctx, k)
	}
	s, req, err := b.request(ctx, k, nil)
	if err == nil {
		err = b.do(ctx, k, req, s)
	}
	if err != nil {
		return b.refused(ctx, t, err)
	}
	defer k.lap(observe.Shape)
	res := s.decoder.Result(ctx, k.answer, k.args.Values)
	stale(res, k.answer)
	if !res.IsError {
		b.observe(ctx, t, res)
	}
	return res
}

// do sends the request of a call.
func (b *Bridge) do(ctx context.Context, k *Call, req *request.Request, s *sending) (err error) {
	k.answer, err = k.tool.client.Do(ctx, k.Principal, req, s.plan.Security)
	k.lap(observe.Upstream)
	if k.answer != nil && !k.answer.Cached {
		k.seen.attempts += k.answer.Attempts
	} else if f, ok := errors.AsType[*upstream.Failure](err); ok {
		k.seen.attempts += f.Attempts
	}
	return err
}

// stale says of a result that it is of a kept answer.
func stale(res *Result, a *upstream.Answer) {
	if a.Stale > 0 {
		res.Add(fmt.Sprintf("This answer is %s old: the upstream failed just now.", a.Stale.Round(time.Second)))
		res.SetMeta("mcpc/stale", true)
	}
}

// request chooses the request of a call and makes it. vars are what its
// expressions may know besides the arguments; see [plan.Expr].
func (b *Bridge) request(ctx context.Context, k *Call, vars map[string]any) (*sending, *request.Request, error) {
	k.lap(stages)
	defer k.lap(observe.Build)
	env := &expr.Env{Args: k.args.Values, Vars: vars, Secret: b.secrets.value}
	s, err := k.tool.choose(env)
	if err != nil {
		return nil, nil, err
	}
	req, err := s.builder.Build(ctx, env, k.args)
	return s, req, err
}

// badArguments says what is wrong with arguments, so that a model can mend them.
func badArguments(what string) *Result {
	return result.Error("invalid-arguments", what, correctArguments, result.RetryNo)
}

const correctArguments = "Correct the arguments and call again; nothing was sent."

// describe is one line per problem. The messages name their fields.
func describe(problems []schema.Problem) string {
	if len(problems) == 1 {
		return "The arguments are not valid: " + problems[0].Message
	}
	var b strings.Builder
	b.WriteString("The arguments are not valid:")
	for _, p := range problems {
		b.WriteString("\n- " + p.Message)
	}
	return b.String()
}

// sentence makes a library's words one.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// refused is the result of a request that could not be made or sent.
func (b *Bridge) refused(ctx context.Context, t *tool, err error) *Result {
	if a, ok := errors.AsType[*ArgumentError](err); ok {
		return badArguments(a.Message)
	}
	if r, ok := errors.AsType[*request.Refusal](err); ok {
		return badArguments("The request was not sent: " + r.Error())
	}
	if f, ok := errors.AsType[*upstream.Failure](err); ok {
		return f.Result()
	}
	if secret, ok := errors.AsType[*expr.SecretError](err); ok {
		b.log.ErrorContext(ctx, "a secret is missing", "tool", t.plan.Name, "error", secret)
		return result.Error("missing-credential", fmt.Sprintf("The server has no value for its secret %q.", secret.Name),
			"Tell the operator of this server; no argument can change it.", result.RetryNo)
	}
	return b.failure(ctx, t, "request", err)
}

// failure is the result of a mistake that is not the caller's. What it was is
// in the log, under a correlation id, and nowhere else.
func (b *Bridge) failure(ctx context.Context, t *tool, kind string, err error) *Result {
	id := observe.TraceOf(ctx).ID
	if id == "" {
		id = rand.Text()[:12]
	}
	b.log.ErrorContext(ctx, "a call failed for an internal reason", "tool", t.plan.Name, "kind", kind, "correlation", id, "error", b.redact(ctx, function.Unquoted(err)))
	return result.Error("internal", "The call failed inside this server. Its correlation id is "+id+".",
		"Tell the operator of this server, with the correlation id.", result.RetryNo)
}

// observe compares an answer with the schema that was promised for it: the first
// sixteen answers of a tool and then one in 64. The answer is delivered either
// way; a specification that lies is its author's to mend, and the log says so.
func (b *Bridge) observe(ctx context.Context, t *tool, res *Result) {
	n := t.answers.Add(1)
	if t.plan.Output == "" || n > 16 && n%64 != 0 {
		return
	}
	t.outputs.Do(func() {
		v, err := schema.Compile(t.plan.Output)
		if err != nil {
			b.log.WarnContext(ctx, "the output schema does not compile", "tool", t.plan.Name, "error", err)
			return
		}
		t.output = v
	})
	if t.output == nil {
		return
	}
	if res.Structured == nil {
		b.log.WarnContext(ctx, "an answer breaks its output schema", "tool", t.plan.Name, "problem", "there is no JSON object in it")
		return
	}
	a, err := args.Decode(res.Structured)
	if err != nil {
		return // deeper or longer than what is checked
	}
	if problems := t.output.Check(a.Values); problems != nil {
		// The field and no more: messages repeat values, and those are data.
		b.log.WarnContext(ctx, "an answer breaks its output schema", "tool", t.plan.Name, "field", problems[0].Path, "problems", len(problems))
	}
}

// caller gives a Server's tools to the transports.
type caller struct{ *Server }

func (c caller) CallTool(ctx context.Context, who principal.Principal, tool string, arguments []byte, e transport.Era, b []byte) ([]byte, error) {
	res, err := c.Call(ctx, who, tool, arguments)
	if err != nil {
		return b, err
	}
	if e == transport.Modern {
		return res.AppendLed(b, c.front.Complete()), nil
	}
	return res.AppendLed(b, nil), nil
}
