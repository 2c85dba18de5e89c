package otlp

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// Options of spans, made once: a request that is not recorded makes none.
var (
	serverSpan   = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	clientSpan   = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
	internalSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindInternal)}
)

// remote is the span that a traceparent names (W3C Trace Context); not valid when
// it names none.
func remote(traceparent, tracestate string) trace.SpanContext {
	id, span, flags, ok := observe.Parent(traceparent)
	if !ok {
		return trace.SpanContext{}
	}
	traceID, err := trace.TraceIDFromHex(id)
	if err != nil {
		return trace.SpanContext{}
	}
	spanID, err := trace.SpanIDFromHex(span)
	if err != nil {
		return trace.SpanContext{}
	}
	bits, _ := strconv.ParseUint(flags, 16, 8) // two hexadecimal digits
	c := trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.TraceFlags(bits) & (trace.FlagsSampled | trace.FlagsRandom), Remote: true}
	c.TraceState = stateOf(tracestate)
	return trace.NewSpanContext(c)
}

// maxState is how much of a tracestate has to be passed on, in bytes.
const maxState = 512

// stateOf reads a tracestate; it is empty when the header is not well-formed.
func stateOf(tracestate string) trace.TraceState {
	if tracestate == "" || len(tracestate) > maxState {
		return trace.TraceState{}
	}
	state, err := trace.ParseTraceState(tracestate)
	if err != nil {
		return trace.TraceState{}
	}
	return state
}

// Accept implements [observe.Telemetry]. Most requests are not recorded: for those
// no span is made.
func (t *telemetry) Accept(traceparent, tracestate, requestID string) (own observe.Trace, record, measure bool) {
	own, measure = observe.Accept(traceparent, requestID), t.metrics != nil
	switch {
	case t.tracer == nil:
		return own, false, measure
	case t.sample == nil:
		return own, true, measure
	case own.Continued():
		own.State = stateOf(tracestate).String()
		return own, own.Sampled(), measure
	}
	id, _ := trace.TraceIDFromHex(own.Trace) // Accept makes good ones
	decision := t.sample.ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: id}).Decision
	return own, decision != sdktrace.Drop, measure
}

// Begin implements [observe.Telemetry].
func (t *telemetry) Begin(ctx context.Context, r *observe.Request) context.Context {
	if parent := remote(r.Traceparent, r.Tracestate); parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	ctx, span := t.tracer.Start(ctx, r.Method, serverSpan...)
	r.Span = span
	return t.withTrace(ctx, span, r.RequestID)
}

// ids are random, but for a trace id that was decided on already.
type ids struct{}

// NewIDs implements [sdktrace.IDGenerator].
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, err := trace.TraceIDFromHex(observe.TraceOf(ctx).Trace)
	for err != nil || !id.IsValid() {
		binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
		binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
		err = nil
	}
	return id, ids{}.NewSpanID(ctx, id)
}

// NewSpanID implements [sdktrace.IDGenerator].
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}

// withTrace gives a context the trace of a span, where somebody reads it.
func (t *telemetry) withTrace(ctx context.Context, span trace.Span, requestID string) context.Context {
	c := span.SpanContext()
	return observe.WithTrace(ctx, observe.NewTrace(c.TraceID().String(), c.SpanID().String(), c.TraceFlags().String(), c.TraceState().String(), requestID))
}

// End implements [observe.Telemetry].
func (t *telemetry) End(r *observe.Request) {
	t.measureRequest(r)
	span, ok := r.Span.(trace.Span)
	if !ok {
		return
	}
	if span.IsRecording() {
		if r.Target != "" && r.Kind != observe.Resource {
			span.SetName(r.Method + " " + r.Target)
		}
		a := append(make([]attribute.KeyValue, 0, 12), methodName.String(r.Method))
		if id := t.id(string(r.ID)); id != "" {
			a = append(a, requestID.String(id))
		}
		a = appendRequest(a, r)
		span.SetAttributes(a...)
		if problem := failure(r); problem != "" {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// id is the id of a request as text. A client chooses it: one that is long, or may
// be a secret, is left out.
func (t *telemetry) id(id string) string {
	text := strings.Trim(id, `"`)
	if text == "" || text == "null" || len(text) > 64 || strings.ContainsAny(text, `\"`) || t.Redact(text) != text {
		return ""
	}
	return text
}

// appendRequest appends what spans and metrics of a request have in common.
func appendRequest(a []attribute.KeyValue, r *observe.Request) []attribute.KeyValue {
	if r.Version != "" {
		a = append(a, protocolVersion.String(r.Version))
	}
	if r.Stdio {
		a = append(a, transport.String("pipe"))
	} else {
		a = append(a, transport.String("tcp"), networkProtocol.String("http"), networkVersion.String(r.HTTP))
	}
	if r.Target != "" {
		switch r.Kind {
		case observe.Tool:
			a = append(a, operationName.String(executeTool), toolName.String(r.Target))
		case observe.Prompt:
			a = append(a, promptName.String(r.Target))
		case observe.Resource:
			a = append(a, resourceName.String(r.Target))
		}
	}
	if r.Code != 0 {
		a = append(a, rpcStatus.String(strconv.Itoa(r.Code)))
	}
	if problem := failure(r); problem != "" {
		a = append(a, errorType.String(problem))
	}
	return a
}

// failure is the error.type of a request: "" for none. What is the client's mistake
// is no failure of a server.
func failure(r *observe.Request) string {
	switch {
	case r.Code != 0 && !slices.Contains([]int{-32700, -32600, -32601, -32602, -32002}, r.Code):
		return strconv.Itoa(r.Code)
	case r.Code == 0 && r.Outcome != "" && r.Outcome != observe.OK:
		return toolError
	}
	return ""
}

// BeginCall implements [observe.Telemetry].
func (t *telemetry) BeginCall(ctx context.Context, name string) context.Context {
	if s := observe.ScopeOf(ctx); s != nil && s.Unrecorded || t.tracer == nil || trace.SpanContextFromContext(ctx).IsValid() && !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	ctx, span := t.tracer.Start(ctx, executeTool+" "+name, internalSpan...)
	return t.withTrace(ctx, span, observe.TraceOf(ctx).ID)
}

// EndCall implements [observe.Telemetry].
func (t *telemetry) EndCall(ctx context.Context, r *observe.Record, own bool) {
	scope := observe.ScopeOf(ctx)
	if !own && scope != nil && scope.Request != nil {
		scope.Request.Kind, scope.Request.Target, scope.Request.Outcome = r.Kind, r.Tool, r.Outcome
	}
	if t.tracer == nil || scope != nil && scope.Unrecorded {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	a := append(make([]attribute.KeyValue, 0, 16), outcome.String(t.Redact(r.Outcome)))
	if r.Upstream != "" {
		a = append(a, upstreamName.String(r.Upstream), attempts.Int(r.Attempts))
	}
	if r.Rule != "" {
		a = append(a, policyRule.String(r.Rule))
	}
	if r.Limit != "" {
		a = append(a, limitName.String(r.Limit))
	}
	if r.Cached {
		a = append(a, cached.Bool(true))
	}
	if r.Stale {
		a = append(a, stale.Bool(true))
	}
	if r.Native {
		a = append(a, native.Bool(true))
	}
	if own {
		switch r.Kind {
		case observe.Tool:
			a = append(a, operationName.String(executeTool), toolName.String(r.Tool))
		case observe.Prompt:
			a = append(a, promptName.String(r.Tool))
		case observe.Resource:
			span.SetName("read " + r.Tool)
			a = append(a, resourceName.String(r.Tool))
		}
		if r.StepOf != "" {
			a = append(a, stepOf.String(r.StepOf))
		}
		if r.Outcome != observe.OK {
			a = append(a, errorType.String(toolError))
			span.SetStatus(codes.Error, "")
		}
	}
	span.SetAttributes(a...)
	if own {
		span.End()
	}
}

// Sends implements [observe.Telemetry].
func (t *telemetry) Sends(ctx context.Context) bool {
	if t.metrics != nil {
		return true
	}
	if s := observe.ScopeOf(ctx); t.tracer == nil || s != nil && s.Unrecorded {
		return false
	}
	return trace.SpanFromContext(ctx).IsRecording()
}

// BeginSend implements [observe.Telemetry].
func (t *telemetry) BeginSend(ctx context.Context, s *observe.Send) (traceparent, tracestate string) {
	if t.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return "", "" // the call's own, as not recorded
	}
	name := httpMethodOf(s.Method)
	if name == otherValue {
		name = "HTTP"
	}
	if s.Template != "" {
		name += " " + s.Template
	}
	_, span := t.tracer.Start(ctx, name, clientSpan...)
	s.Span = span
	c := span.SpanContext()
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + c.TraceFlags().String(), c.TraceState().String()
}

// Propagates implements [observe.Telemetry].
func (t *telemetry) Propagates() bool { return t.tracer != nil }

func httpMethodOf(method string) string {
	if slices.Contains(httpMethods, method) {
		return method
	}
	return otherValue
}

// EndSend implements [observe.Telemetry].
func (t *telemetry) EndSend(ctx context.Context, s *observe.Send) {
	t.measureSend(ctx, s)
	span, ok := s.Span.(trace.Span)
	if !ok {
		return
	}
	a := appendSend(make([]attribute.KeyValue, 0, 12), s)
	a = append(a, upstreamName.String(s.Upstream))
	if s.Template != "" {
		a = append(a, urlTemplate.String(s.Template))
	}
	if s.Resend > 0 {
		a = append(a, httpResend.Int(s.Resend))
	}
	if httpMethodOf(s.Method) == otherValue {
		a = append(a, httpOriginal.String(s.Method))
	}
	span.SetAttributes(a...)
	if sendFailure(s) != "" {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// appendSend appends what spans and metrics of a request to an upstream have in
// common. The URL is not among it: its path holds arguments and its query may hold
// credentials.
func appendSend(a []attribute.KeyValue, s *observe.Send) []attribute.KeyValue {
	a = append(a, httpMethod.String(httpMethodOf(s.Method)), urlScheme.String(s.Scheme), serverAddress.String(s.Host), serverPort.Int(s.Port))
	if s.Status != 0 {
		a = append(a, httpStatus.Int(s.Status))
	}
	if s.Proto != "" {
		a = append(a, networkProtocol.String("http"), networkVersion.String(s.Proto))
	}
	if problem := sendFailure(s); problem != "" {
		a = append(a, errorType.String(problem))
	}
	return a
}

func sendFailure(s *observe.Send) string {
	switch {
	case s.Error != "":
		return s.Error
	case s.Status >= 400:
		return strconv.Itoa(s.Status)
	}
	return ""
}
