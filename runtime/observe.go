package runtime

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// seen is what is noticed of a call on its way, for the record of it.
type seen struct {
	last     time.Time // when the stage began; zero: nobody wants to know
	stages   [observe.Stages]time.Duration
	attempts int
	rule     string // of the policy
	limit    string // that refused the call
	own      bool   // telemetry has a span of its own for the call
}

// stages is a stage that is not measured.
const stages = observe.Stages

// lap ends a stage of a call.
func (k *Call) lap(s observe.Stage) {
	if k.seen.last.IsZero() {
		return
	}
	now := time.Now()
	if s < stages {
		k.seen.stages[s] += now.Sub(k.seen.last)
	}
	k.seen.last = now
}

// unready is why no calls are made at the moment; "" is that they are.
func (b *Bridge) unready() string {
	if b.observer != nil && !b.observer.Ready() {
		return "the audit log cannot be written"
	}
	return ""
}

// begin begins to observe a call, and gives it a trace unless it has one.
func (b *Bridge) begin(ctx context.Context, k *Call) (context.Context, time.Time) {
	start := time.Now()
	if b.observer != nil {
		k.seen.last = start
		if t := b.observer.Telemetry; t != nil && (k.of != "" || !observe.RequestOf(ctx).Whole(k.kind)) {
			k.seen.own = true
			ctx = t.BeginCall(ctx, k.tool.plan.Name)
		}
		if observe.TraceOf(ctx).ID == "" {
			ctx = observe.WithTrace(ctx, observe.Accept("", ""))
		}
	}
	return ctx, start
}

// records are used again: nobody keeps one, and each call has one.
var records = sync.Pool{New: func() any { return new(observe.Record) }}

// end records a call.
func (b *Bridge) end(ctx context.Context, k *Call, res *Result, start time.Time) {
	o := b.observer
	if o == nil {
		b.logCall(ctx, k, res, time.Since(start))
		return
	}
	r := records.Get().(*observe.Record)
	defer func() {
		*r = observe.Record{} // it holds what the call was about
		records.Put(r)
	}()
	*r = observe.Record{
		Time: start, Trace: observe.TraceOf(ctx), Principal: k.Principal,
		Kind: k.kind, Tool: k.name(), StepOf: k.of, Native: k.native, Rule: k.seen.rule, Limit: k.seen.limit,
		Outcome: outcomeOf(res), Attempts: k.seen.attempts,
		Arguments: k.Arguments, Sensitive: k.tool.plan.Sensitive,
		Result: sizeOf(res), Stages: k.seen.stages, Total: time.Since(start),
	}
	if k.tool.upstream != nil {
		r.Upstream = k.tool.upstream.Name
	}
	if a := k.answer; a != nil {
		r.Status, r.Answer, r.Cached, r.Stale = a.Status, len(a.Body), a.Cached, a.Stale > 0
	}
	if b.plan.Observe.Correlation && k.of == "" && k.kind == observe.Tool {
		res.SetMeta("mcpc/correlation", r.Trace.Shown(o.Redactor))
	}
	if res.IsError {
		if hide := o.Redactor.Given(ctx); hide != nil {
			res.Content = slices.Clone(res.Content)
			for i := range res.Content {
				res.Content[i].Text = hide(res.Content[i].Text)
			}
		}
	}
	o.Done(ctx, r, k.seen.own)
	if !o.Logs() {
		b.logCall(ctx, k, res, r.Total)
	}
}

// name is what a call is recorded as.
func (k *Call) name() string {
	if k.kind == observe.Tool {
		return k.tool.plan.Name
	}
	return k.Tool
}

// outcomeOf is "ok" or the code of a failure.
func outcomeOf(res *Result) string {
	switch {
	case !res.IsError:
		return observe.OK
	case res.Code == "":
		return "error"
	}
	return res.Code
}

// sizeOf is how many bytes a client gets of a result, as text or data; 0 when there
// is none.
func sizeOf(res *Result) int {
	if res == nil {
		return 0
	}
	n := len(res.Structured)
	for i := range res.Content {
		n += len(res.Content[i].Text) + len(res.Content[i].Data)
	}
	return n
}

// logCall writes the one line of a call for a plan that has no log of its own.
func (b *Bridge) logCall(ctx context.Context, k *Call, res *Result, d time.Duration) {
	level, outcome := slog.LevelDebug, outcomeOf(res)
	if res.IsError {
		level = slog.LevelInfo
	}
	if !b.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("tool", k.tool.plan.Name),
		slog.String("outcome", outcome),
		slog.Duration("duration", d),
	}
	if k.of != "" {
		attrs = append(attrs, slog.String("step_of", k.of))
	}
	if k.native {
		attrs = append(attrs, slog.Bool("native", true))
	}
	if a := k.answer; a != nil {
		attrs = append(attrs, slog.Int("status", a.Status), slog.Int("attempts", a.Attempts), slog.Int("bytes", len(a.Body)))
	}
	if who := k.Principal; !who.IsZero() {
		attrs = append(attrs, slog.String("tenant", who.Tenant), slog.String("subject", who.Subject), slog.String("client", who.Client))
	}
	b.log.LogAttrs(ctx, level, "call", attrs...)
}

// telemetry makes what sends telemetry as the plan says.
func (b *Bridge) telemetry(p *plan.OTLP) (observe.Telemetry, error) {
	o := observe.TelemetryOptions{
		Name: b.plan.Name, Version: cmp.Or(b.plan.Version, b.options.Version),
		ReadFile: b.secrets.readFile, Logger: b.log, Redact: b.observer.Redactor.Text,
		Traces: b.plan.Observe.Log != nil || b.plan.Observe.Audit != "" || b.plan.Observe.Correlation,
	}
	values := make([]expr.Func, len(p.Headers))
	for i := range p.Headers {
		var err error
		if values[i], err = expr.Compile(p.Headers[i].Value); err != nil {
			return nil, fmt.Errorf("header %s of otlp: %w", p.Headers[i].Name, err)
		}
	}
	if len(values) > 0 {
		o.Headers = func() (http.Header, error) {
			h := http.Header{}
			env := &expr.Env{Secret: b.secrets.value}
			for i := range values {
				v, err := values[i](env)
				if err != nil {
					return nil, fmt.Errorf("header %s of otlp: %w", p.Headers[i].Name, err)
				}
				text, ok := function.Text(v)
				if !ok {
					return nil, fmt.Errorf("header %s of otlp is no text", p.Headers[i].Name)
				}
				h.Set(p.Headers[i].Name, text)
			}
			return h, nil
		}
	}
	return observe.NewTelemetry(p, o)
}

// redact takes out of a text that goes into a log what is secret, also what the
// caller of ctx came with where calls are recorded.
func (b *Bridge) redact(ctx context.Context, text string) string {
	if b.observer != nil {
		red := b.observer.Redactor.For(ctx)
		return red.Text(text)
	}
	return b.secrets.redact(text)
}

// spans is what is told of requests; nil for nothing.
func (b *Bridge) spans() observe.Telemetry {
	if b.observer == nil {
		return nil
	}
	return b.observer.Telemetry
}

// refusals is told of requests that became no call; nil where nobody reads of them.
func (b *Bridge) refusals() func(*observe.Refusal) {
	if b.observer == nil {
		return nil
	}
	return b.observer.Refused
}

// flush writes and sends what is left of what calls are recorded with.
func (s *Server) flush() {
	if o := s.line.now.Load().bridge.observer; o != nil {
		o.Flush()
	}
}
