package upstream

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// traced gives a call's requests its trace, and what is told of them.
func (k *call) traced(ctx context.Context) {
	if !k.requestID && (k.telemetry == nil || !k.telemetry.Propagates()) {
		return
	}
	h := k.req.Header
	k.ours = h["Traceparent"] == nil // an author's own stays
	observe.TraceOf(ctx).Send(h, k.requestID)
}

// beginSend tells telemetry of a request that is about to be sent. The header is
// that of the request, with the span's own ids; nothing is changed in place.
func (k *call) beginSend(ctx context.Context, method string, at *url.URL, h http.Header) http.Header {
	if k.telemetry == nil || !k.telemetry.Sends(ctx) {
		return h
	}
	s := newSend(k.Client, method, at)
	s.Template, s.Resend = k.req.Template, k.sends
	k.sends++
	k.sending = s
	parent, state := k.telemetry.BeginSend(ctx, s)
	if parent == "" || !k.ours {
		return h
	}
	h = h.Clone()
	h["Traceparent"] = []string{parent}
	if state != "" {
		h["Tracestate"] = []string{state}
	}
	return h
}

// endSend tells telemetry what became of the request that was sent last. It does
// nothing the second time.
func (k *call) endSend(ctx context.Context, res *http.Response, fail *Failure) {
	s := k.sending
	if s == nil {
		return
	}
	k.sending = nil
	if fail != nil {
		s.Error = fail.Kind
	}
	k.telemetry.EndSend(ctx, answered(s, res))
}

// answered notes an answer, if there is one.
func answered(s *observe.Send, res *http.Response) *observe.Send {
	if res != nil {
		s.Status = res.StatusCode
		switch {
		case res.ProtoMajor == 1 && res.ProtoMinor == 1:
			s.Proto = "1.1"
		case res.ProtoMajor == 1:
			s.Proto = "1.0"
		default:
			s.Proto = strconv.Itoa(res.ProtoMajor)
		}
	}
	return s
}

func newSend(c *Client, method string, at *url.URL) *observe.Send {
	s := &observe.Send{Upstream: c.plain, Method: method, Scheme: at.Scheme, Host: at.Hostname(), Start: time.Now()}
	if n, err := strconv.Atoi(port(at)); err == nil {
		s.Port = n
	}
	return s
}

// observedTransport tells telemetry of requests that are no calls: for tokens.
type observedTransport struct {
	*Client
	next http.RoundTripper
}

func (t observedTransport) CloseIdleConnections() { closeIdle(t.next) }

func (t observedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.telemetry.Sends(r.Context()) {
		return t.next.RoundTrip(r)
	}
	s := newSend(t.Client, r.Method, r.URL)
	if parent, state := t.telemetry.BeginSend(r.Context(), s); parent != "" && r.Header["Traceparent"] == nil {
		r = r.Clone(r.Context())
		r.Header.Set("Traceparent", parent)
		if state != "" {
			r.Header.Set("Tracestate", state)
		}
	}
	res, err := t.next.RoundTrip(r)
	if err != nil {
		s.Error = KindConnection
	}
	t.telemetry.EndSend(r.Context(), answered(s, res))
	return res, err
}
