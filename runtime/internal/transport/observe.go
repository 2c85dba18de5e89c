package transport

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// methods are those of the protocol that are told apart; a client can make up any
// number of others.
var methods = []string{"initialize", "ping", "server/discover", methodCall, methodList, methodResources, methodTemplates, methodRead, methodPrompts, methodPrompt,
	"completion/complete", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen"}

// otherMethod stands for one that is not known.
const otherMethod = "_OTHER"

// incoming notes what an HTTP request says of itself for the messages in it.
func (f *Front) incoming(r *http.Request, in *observe.Incoming) {
	in.HTTP, in.Remote, in.Header, in.KeyHeaders = httpVersion(r), r.RemoteAddr, r.Header, f.gate.KeyHeaders()
	if f.trace || f.telemetry != nil {
		in.Traceparent = only(r.Header["Traceparent"])
	}
	if f.trace {
		in.RequestID = only(r.Header[requestID])
	}
	if f.telemetry != nil {
		in.Tracestate = strings.Join(r.Header["Tracestate"], ",")
		in.Version = r.Header.Get(mcp.HeaderProtocolVersion)
	}
}

// only is the value of a header that may be sent once; "" when it was not, or more
// often: then nobody knows which one is meant.
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

func httpVersion(r *http.Request) string {
	switch {
	case r.ProtoMajor == 1 && r.ProtoMinor == 1:
		return "1.1"
	case r.ProtoMajor == 1:
		return "1.0"
	}
	return strconv.Itoa(r.ProtoMajor)
}

// observed returns a context of a request with its trace, which params._meta says
// before the header. The request is nil where no spans are wanted; otherwise it has
// begun, and [Front.observedEnd] ends it.
func (f *Front) observed(ctx context.Context, m *message) (context.Context, *observe.Request) {
	if !f.trace && f.telemetry == nil {
		return ctx, nil
	}
	ctx, scope := observe.Own(ctx)
	in := observe.IncomingOf(ctx)
	parent, state := in.Traceparent, in.Tracestate
	if m.traceparent != "" {
		parent, state = m.traceparent, m.tracestate
	}
	if f.telemetry == nil {
		scope.Trace = observe.Accept(parent, in.RequestID)
		return ctx, nil
	}
	own, record, measure := f.telemetry.Accept(parent, state, in.RequestID)
	scope.Trace, scope.Unrecorded = own, !record
	if !record && !measure {
		return ctx, nil
	}
	r := &observe.Request{Method: m.method, ID: m.id, Stdio: in.HTTP == "", HTTP: in.HTTP, Traceparent: parent, Tracestate: state, RequestID: in.RequestID, Start: time.Now()}
	scope.Request = r
	if observe.Carries(ctx, string(r.ID)) {
		r.ID = nil
	}
	if !slices.Contains(methods, m.method) {
		r.Method = otherMethod
	}
	version := m.version
	if version == "" {
		version = in.Version
	}
	if version == "" && in.Agreed != nil {
		version = in.Agreed()
	}
	if slices.Contains(f.versions.all, version) {
		r.Version = version
	}
	if record {
		ctx = f.telemetry.Begin(ctx, r)
	}
	return ctx, r
}

// observedEnd ends the span of a request and tells of its refusal, if it was refused.
func (f *Front) observedEnd(ctx context.Context, r *observe.Request, m *message, bad *fault) {
	if r != nil {
		if bad != nil {
			r.Code = bad.code
		}
		f.telemetry.End(r)
	}
	if bad != nil {
		f.refused(ctx, m, bad)
	}
}

// recorded is the reason of what was a call and is recorded as one.
const recorded = "recorded"

// reasonOf is why a request became no call, as one of few words.
func (f *fault) reasonOf() string {
	if f.reason != "" {
		return f.reason
	}
	switch f.status {
	case http.StatusUnauthorized:
		return "unauthenticated"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return "not-mcp"
	case http.StatusRequestTimeout:
		return "too-slow"
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return "too-large"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "unavailable"
	}
	switch f.code {
	case mcp.PARSE_ERROR, mcp.INVALID_REQUEST:
		return "malformed"
	case mcp.HEADER_MISMATCH:
		return "header-mismatch"
	case mcp.UNSUPPORTED_PROTOCOL_VERSION:
		return "unsupported-version"
	case mcp.METHOD_NOT_FOUND:
		return "unknown-method"
	case mcp.INVALID_PARAMS:
		return "invalid-params"
	case mcp.INTERNAL_ERROR:
		return "internal"
	}
	return "other"
}

// because gives a fault a reason of its own.
func (f *fault) because(reason string) *fault {
	f.reason = reason
	return f
}

// refused tells the observer that a request became no call. m is what was read of
// it; it may be nil.
func (f *Front) refused(ctx context.Context, m *message, bad *fault) {
	if f.onRefusal == nil || bad.reasonOf() == recorded {
		return
	}
	r := observe.Refusal{Time: time.Now(), Trace: observe.TraceOf(ctx), Reason: bad.reasonOf(), Status: bad.status, Code: bad.code, Context: ctx}
	in := observe.IncomingOf(ctx)
	if r.Remote = in.Remote; r.Remote != "" {
		if host, _, err := net.SplitHostPort(r.Remote); err == nil {
			r.Remote = host
		}
	}
	if r.Trace.ID == "" {
		r.Trace = observe.Accept(in.Traceparent, in.RequestID)
	}
	if caller := identity.Of(ctx); caller != nil {
		r.Principal = caller.Principal
	}
	if m != nil {
		r.Method, r.Name = m.method, m.name
		if m.uri != "" {
			r.Name = m.uri
		}
	}
	f.onRefusal(&r)
}

// noting hears of a request that is refused before its message is answered.
type noting struct {
	http.ResponseWriter
	fault   *fault
	ctx     context.Context
	message *message
	scope   observe.Scope
	in      observe.Incoming
	trace   bool // its id goes back to the client
}

// Unwrap is for http.ResponseController.
func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// requestID is the header that carries the id of a request for people.
const requestID = "X-Request-Id"

// note remembers why a request is refused. Its client hears the id that it is
// recorded with.
func note(w http.ResponseWriter, bad *fault) {
	n, ok := w.(*noting)
	if !ok {
		return
	}
	n.fault = bad
	if n.trace {
		parent := n.in.Traceparent
		if m := n.message; m != nil && m.traceparent != "" {
			parent = m.traceparent
		}
		t := observe.Accept(parent, n.in.RequestID)
		n.ctx = observe.WithTrace(n.ctx, t)
		w.Header()[requestID] = []string{t.ID}
	}
}

// noteMessage remembers who asks for what, for a refusal.
func noteMessage(ctx context.Context, w http.ResponseWriter, m *message) {
	if n, ok := w.(*noting); ok {
		n.ctx, n.message = ctx, m
	}
}

// noted serves a request and tells of its refusal.
func (f *endpoint) noted(w http.ResponseWriter, r *http.Request, serve func(context.Context, http.ResponseWriter, *http.Request)) {
	now := f.host.now.Load()
	if now.onRefusal == nil {
		serve(r.Context(), w, r)
		return
	}
	n := &noting{ResponseWriter: w, trace: now.trace}
	now.incoming(r, &n.in)
	n.scope.Context, n.scope.Incoming = r.Context(), &n.in
	n.ctx = &n.scope
	serve(n.ctx, n, r)
	if n.fault != nil {
		now.refused(n.ctx, n.message, n.fault)
	}
}
