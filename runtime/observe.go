package runtime

import (
	"context"
	"log/slog"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// seen is what is noticed of a call on its way, for the record of it.
type seen struct {
	last     time.Time // when the stage began; zero: nobody wants to know
	stages   [observe.Stages]time.Duration
	attempts int
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

// begin begins to observe a call, and gives it a trace unless it has one.
func (b *Bridge) begin(ctx context.Context, k *Call) (context.Context, time.Time) {
	start := time.Now()
	if b.observer != nil {
		k.seen.last = start
		if observe.TraceOf(ctx).ID == "" {
			ctx = observe.WithTrace(ctx, observe.Accept("", ""))
		}
	}
	return ctx, start
}

// end records a call.
func (b *Bridge) end(ctx context.Context, k *Call, res *Result, start time.Time) {
	o := b.observer
	if o == nil {
		b.logCall(ctx, k, res, time.Since(start))
		return
	}
	r := observe.Record{
		Time: start, Trace: observe.TraceOf(ctx), Principal: k.Principal,
		Tool: k.tool.plan.Name, StepOf: k.of, Native: k.native,
		Outcome: outcomeOf(res), Attempts: k.seen.attempts,
		Arguments: k.Arguments, Sensitive: k.tool.plan.Sensitive,
		Result: sizeOf(res), Stages: k.seen.stages, Total: time.Since(start),
	}
	if k.tool.upstream != nil {
		r.Upstream = k.tool.upstream.Name
	}
	if a := k.answer; a != nil {
		r.Status, r.Answer, r.Cached = a.Status, len(a.Body), a.Cached
	}
	if b.plan.Observe.Correlation && k.of == "" {
		res.SetMeta("mcpc/correlation", r.Trace.Shown(o.Redactor))
	}
	o.Done(&r)
	if !o.Logs() {
		b.logCall(ctx, k, res, r.Total)
	}
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
