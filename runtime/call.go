package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/schema"
	"github.com/mcpc-dev/mcpc/runtime/internal/transport"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// Call runs a tool. arguments is a JSON object, or empty for none; it may be
// kept, so it must not change afterwards. The error is [ErrUnknownTool];
// whatever else goes wrong is a Result with IsError, which tells a model
// what failed, what to do next and whether a retry can help.
func (s *Server) Call(ctx context.Context, who Principal, name string, arguments []byte) (*Result, error) {
	t := s.tools[name]
	if t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	start := time.Now()
	var answer *upstream.Answer
	res := s.run(ctx, who, t, arguments, &answer)
	s.logCall(ctx, who, t, res, answer, time.Since(start))
	return res, nil
}

// run does what a call does. It recovers from our own mistakes: the call fails,
// and the process and the other calls live on.
func (s *Server) run(ctx context.Context, who Principal, t *tool, arguments []byte, answer **upstream.Answer) (res *Result) {
	defer func() {
		if p := recover(); p != nil {
			res = s.failure(ctx, t, "panic", fmt.Errorf("%v\n%s", p, debug.Stack()))
		}
	}()
	if err := t.prepare(); err != nil {
		return s.failure(ctx, t, "plan", err)
	}
	a, err := t.arguments(arguments)
	if err != nil {
		return badArguments(err.Error())
	}
	req, err := t.builder.Build(ctx, &expr.Env{Args: a.Values, Secret: s.secrets.value}, a)
	if err != nil {
		return s.refused(ctx, t, err)
	}
	ans, err := t.client.Do(ctx, who, req, t.plan.Request.Security)
	if err != nil {
		return s.refused(ctx, t, err)
	}
	*answer = ans
	res = t.decoder.Result(ans)
	if !res.IsError {
		s.observe(ctx, t, res)
	}
	return res
}

// badArguments says what is wrong with arguments, so that a model can mend them.
func badArguments(what string) *Result {
	return result.Error("invalid-arguments", what, "Correct the arguments and call again; nothing was sent.", result.RetryNo)
}

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
func (s *Server) refused(ctx context.Context, t *tool, err error) *Result {
	if r, ok := errors.AsType[*request.Refusal](err); ok {
		return badArguments("The request was not sent: " + r.Error())
	}
	if f, ok := errors.AsType[*upstream.Failure](err); ok {
		return f.Result()
	}
	if secret, ok := errors.AsType[*expr.SecretError](err); ok {
		s.log.ErrorContext(ctx, "a secret is missing", "tool", t.plan.Name, "error", secret)
		return result.Error("missing-credential", fmt.Sprintf("The server has no value for its secret %q.", secret.Name),
			"Tell the operator of this server; no argument can change it.", result.RetryNo)
	}
	return s.failure(ctx, t, "request", err)
}

// failure is the result of a mistake that is not the caller's. What it was is
// in the log, under a correlation id, and nowhere else.
func (s *Server) failure(ctx context.Context, t *tool, kind string, err error) *Result {
	id := rand.Text()[:12]
	s.log.ErrorContext(ctx, "a call failed for an internal reason", "tool", t.plan.Name, "kind", kind, "correlation", id, "error", err)
	return result.Error("internal", "The call failed inside this server. Its correlation id is "+id+".",
		"Tell the operator of this server, with the correlation id.", result.RetryNo)
}

// observe compares an answer with the schema that was promised for it: the first
// sixteen answers of a tool and then one in 64. The answer is delivered either
// way; a specification that lies is its author's to mend, and the log says so.
func (s *Server) observe(ctx context.Context, t *tool, res *Result) {
	n := t.answers.Add(1)
	if t.plan.Output == "" || n > 16 && n%64 != 0 {
		return
	}
	t.outputs.Do(func() {
		v, err := schema.Compile(t.plan.Output)
		if err != nil {
			s.log.WarnContext(ctx, "the output schema does not compile", "tool", t.plan.Name, "error", err)
			return
		}
		t.output = v
	})
	if t.output == nil {
		return
	}
	if res.Structured == nil {
		s.log.WarnContext(ctx, "an answer breaks its output schema", "tool", t.plan.Name, "problem", "there is no JSON object in it")
		return
	}
	a, err := args.Decode(res.Structured)
	if err != nil {
		return // deeper or longer than what is checked
	}
	if problems := t.output.Check(a.Values); problems != nil {
		// The field and no more: messages repeat values, and those are data.
		s.log.WarnContext(ctx, "an answer breaks its output schema", "tool", t.plan.Name, "field", problems[0].Path, "problems", len(problems))
	}
}

// logCall writes the one line of a call.
func (s *Server) logCall(ctx context.Context, who Principal, t *tool, res *Result, answer *upstream.Answer, d time.Duration) {
	level, outcome := slog.LevelDebug, "ok"
	if res.IsError {
		level, outcome = slog.LevelInfo, res.Code
		if outcome == "" {
			outcome = "error"
		}
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("tool", t.plan.Name),
		slog.String("outcome", outcome),
		slog.Duration("duration", d),
	}
	if answer != nil {
		attrs = append(attrs, slog.Int("status", answer.Status), slog.Int("attempts", answer.Attempts), slog.Int("bytes", len(answer.Body)))
	}
	if !who.IsZero() {
		attrs = append(attrs, slog.String("tenant", who.Tenant), slog.String("subject", who.Subject), slog.String("client", who.Client))
	}
	s.log.LogAttrs(ctx, level, "call", attrs...)
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
