package observe

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Telemetry tells a collector what a server does, as spans and metrics. There is
// one, package runtime/otlp, and a server links it when its spec asks for it.
//
// What is begun has to be ended. Nothing here waits for the collector, and no
// failure to reach it is one of a call.
type Telemetry interface {
	// Accept decides what is told of a client's request, whose traceparent,
	// tracestate and id are what the client sent, unchecked: record is that it has
	// spans, measure that metrics want to know of it. The trace is that of a request
	// without spans.
	Accept(traceparent, tracestate, requestID string) (t Trace, record, measure bool)
	// Begin begins the span of a request that is recorded. The context is of the work
	// that the request makes, and has the span's trace.
	Begin(ctx context.Context, r *Request) context.Context
	// End ends what Accept wanted to know of, of which the answer is known.
	End(r *Request)
	// BeginCall begins the span of a call that is not all of a request: a step, a
	// resource that a prompt embeds, a call that Go code makes.
	BeginCall(ctx context.Context, name string) context.Context
	// EndCall tells what became of a call, in the context it was made in. own says
	// that BeginCall began it.
	EndCall(ctx context.Context, r *Record, own bool)
	// Sends tells whether the two below want to know of the requests to upstreams
	// that are made in a context.
	Sends(ctx context.Context) bool
	// BeginSend begins the span of a request to an upstream, and returns what it
	// has to carry so that its spans are below: values of traceparent and
	// tracestate, "" where the call's own are right.
	BeginSend(ctx context.Context, s *Send) (traceparent, tracestate string)
	// Propagates tells whether requests to upstreams carry the trace of their call.
	Propagates() bool
	// EndSend ends the span of a request to an upstream.
	EndSend(ctx context.Context, s *Send)
	// Refused counts a request that became no call.
	Refused(reason string)
	// Session tells of a connection on stdio that has ended.
	Session(d time.Duration, version string)
	// Flush sends what is left, until ctx ends.
	Flush(ctx context.Context) error
	// Shutdown does so for good.
	Shutdown(ctx context.Context) error
}

// Request is a request of a client.
type Request struct {
	Method  string // of MCP; one that is not known is "_OTHER"
	ID      []byte // as JSON
	Version string // of the protocol; "" is not known
	Stdio   bool   // it came over stdio, not HTTP
	HTTP    string // version of HTTP: "1.1"; "" on stdio
	// Traceparent and Tracestate are what the client sent, unchecked; RequestID is the
	// id that it gave the request besides.
	Traceparent, Tracestate, RequestID string

	Start time.Time

	// What is known at the end.
	Code    int    // of the JSON-RPC error; 0 for none
	Kind    Kind   // of what was called, if it was in the plan
	Target  string // its name; "" for none
	Outcome string // of the call; "" when there was none

	// Span is for Telemetry.
	Span any
}

// Send is a request to an upstream.
type Send struct {
	Upstream string // its name in the plan
	Method   string // of HTTP
	Template string // the path, with {name} where arguments go; "" is not known
	Scheme   string
	Host     string // without a port
	Port     int
	Resend   int // how often it was sent before, along redirects too

	Start time.Time

	// What is known at the end.
	Status int    // 0: no answer
	Proto  string // version of HTTP: "1.1"
	Error  string // the kind of failure; "" for none

	// Span is for Telemetry.
	Span any
}

// TelemetryOptions configure a [Telemetry].
type TelemetryOptions struct {
	Name, Version string                       // of the server
	Headers       func() (http.Header, error)  // of exports, made anew for each; nil: none
	ReadFile      func(string) ([]byte, error) // reads the file of authorities
	Logger        *slog.Logger                 // hears that nothing can be sent, once
	Redact        func(string) string          // for what a collector says
	// Traces tells that somebody reads the traces of contexts besides upstreams.
	Traces bool
}

// newTelemetry is set by the package that is linked, before main begins.
var newTelemetry func(*plan.OTLP, TelemetryOptions) (Telemetry, error)

// Register is called by the init function of a package that has a [Telemetry].
func Register(f func(*plan.OTLP, TelemetryOptions) (Telemetry, error)) { newTelemetry = f }

// ErrNotLinked is returned for a plan that asks for what the program leaves out.
var ErrNotLinked = errors.New(`the spec sends telemetry (observe { otlp }), which this program does not link: add import _ "github.com/mcpc-dev/mcpc/runtime/otlp"`)

// NewTelemetry returns what sends telemetry as a plan says. An error is
// [ErrNotLinked], or a setting that cannot be used.
func NewTelemetry(p *plan.OTLP, o TelemetryOptions) (Telemetry, error) {
	if newTelemetry == nil {
		return nil, ErrNotLinked
	}
	return newTelemetry(p, o)
}

// Whole tells whether a call of a kind is all of a request.
func (r *Request) Whole(k Kind) bool {
	if r == nil {
		return false
	}
	switch r.Method {
	case "tools/call":
		return k == Tool
	case "resources/read":
		return k == Resource
	case "prompts/get":
		return k == Prompt
	}
	return false
}

// Incoming is what a message came with: what an HTTP request says of its trace, as
// it came, or what a session on stdio agreed on.
type Incoming struct {
	Traceparent, Tracestate, RequestID string
	HTTP                               string        // version: "1.1"; "" on stdio
	Remote                             string        // address of the other end, perhaps with a port; "" on stdio
	Version                            string        // of the protocol, as the header says; "" is not known
	Agreed                             func() string // what a session on stdio agreed on; nil over HTTP
	Header                             http.Header   // of the request, for the credentials in it
	KeyHeaders                         []string      // fields of Header that hold API keys
}

// credentials are what a request brought to say who it is from, valid or not.
// Bearer tokens and keys are looked for in what is written of the request;
// shorter ones than a generated key are not.
func (in *Incoming) credentials() (list []string) {
	if in == nil {
		return nil
	}
	for _, name := range [...]string{"Authorization", "Proxy-Authorization"} {
		for _, v := range in.Header[name] {
			if _, token, ok := strings.Cut(v, " "); ok {
				v = strings.TrimSpace(token)
			}
			list = append(list, v)
		}
	}
	for _, name := range append([]string{"X-Api-Key"}, in.KeyHeaders...) {
		list = append(list, in.Header[http.CanonicalHeaderKey(name)]...)
	}
	return slices.DeleteFunc(list, func(s string) bool { return len(s) < minCredential })
}

// Carries tells whether a credential of the request of ctx is in a text, as it is.
func Carries(ctx context.Context, text string) bool {
	if len(text) < minCredential {
		return false
	}
	return slices.ContainsFunc(ScopeOf(ctx).incoming().credentials(), func(one string) bool { return strings.Contains(text, one) })
}

// minCredential is the length below which what a client sent as a credential is
// not looked for, in bytes: whoever sends "tools/call" as a key must not take
// that word out of the log.
const minCredential = 12
