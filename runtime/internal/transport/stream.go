package transport

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
)

// listen opens the stream of a client of an older revision: a GET.
func (f *endpoint) listen(ctx context.Context, w http.ResponseWriter, r *http.Request) *subscriber {
	if v := r.Header.Get(mcp.HeaderProtocolVersion); mcp.IsModernProtocol(v) {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusMethodNotAllowed, "revision %s has no GET: subscriptions/listen opens a stream", clip(v)))
		return nil
	}
	if _, events := accepts(r.Header["Accept"]); !events {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusNotAcceptable, "a stream is text/event-stream; Accept must name it"))
		return nil
	}
	ctx, ok := f.identified(ctx, w, r)
	if !ok {
		return nil
	}
	return f.subscribe(ctx, w, r, nil, allChanged)
}

// subscribe opens a stream, or says why it does not.
func (f *endpoint) subscribe(ctx context.Context, w http.ResponseWriter, r *http.Request, id jsontext.Value, wants uint32) *subscriber {
	release := func() {}
	if c := identity.Of(ctx); c != nil && !c.Expires.IsZero() {
		// A stream ends with its credential: who listens on comes with a new one.
		ctx, release = context.WithDeadline(ctx, c.Expires)
	}
	s := f.host.subscribe(ctx, f.limits.Streams, id, wants)
	if s == nil {
		release()
		// Nothing is lost but news of changed lists.
		bad := over(http.StatusServiceUnavailable, "streams", int64(f.limits.Streams), "the server is at its limit of %d streams that listen")
		if f.host.serving.draining.Load() {
			bad = faultf(-32000, http.StatusServiceUnavailable, "the server is shutting down")
		}
		bad.retry = 30 * time.Second
		note(w, bad.because("busy"))
		w.Header().Set("Retry-After", retryAfter(bad.retry))
		f.write(w, r, bad.status, false, reply{head: appendFault(nil, id, bad)})
		return nil
	}
	s.limit = f.limits.WriteTimeout
	s.release = release
	return s
}

// stream keeps a subscriber's stream until one of the two ends it.
func (s *subscriber) stream(h *host, w http.ResponseWriter) {
	defer s.release()
	defer h.unsubscribe(s)
	out := events{w: w, rc: http.NewResponseController(w), limit: s.limit}
	_ = out.rc.SetReadDeadline(time.Time{}) // the request is read; not every writer has deadlines
	if s.id == nil {
		out.comment() // so that the client knows that it listens
	}
	s.run(s.ctx.Done(), nil, out.send, out.comment)
}

// serveWatched answers a call whose client wants to hear of its progress: with
// plain JSON when it ends soon, and otherwise with a stream of events.
func (f *endpoint) serveWatched(ctx context.Context, w http.ResponseWriter, r *http.Request, m *message, e Era, json bool) {
	stream := f.events(w, r)
	var out reply
	watch(ctx, m.token, func(ctx context.Context) { out = f.answer(ctx, m, e, f.versions.http, nil) }, stream.send)
	switch {
	case ctx.Err() != nil:
	case stream.begun:
		stream.send(out.appendTo(nil))
	default:
		f.write(w, r, statusOf(out.fault, e), !json, out)
	}
}

// guarded tells whether it is the socket's business that a client does not read.
// It is not on connections of others ([Front.Handler]), nor with HTTP/2, where a
// client stops one stream by giving it no window.
func guarded(r *http.Request) bool {
	_, ours := r.Context().Value(socketKey{}).(*socket)
	return ours && r.ProtoMajor < 2
}

// events writes server-sent events. One goroutine uses it.
type events struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	limit time.Duration // for an event to be taken; 0: the socket has one
	begun bool
	buf   []byte
}

func (f *endpoint) events(w http.ResponseWriter, r *http.Request) *events {
	s := &events{w: w, rc: http.NewResponseController(w)}
	if !guarded(r) {
		s.limit = f.limits.WriteTimeout
	}
	return s
}

// send writes one message as an event and flushes it. A client that went away is
// noticed by its request's context, so errors are not reported.
func (s *events) send(message []byte) {
	s.buf = append(s.buf[:0], "event: message\ndata: "...)
	s.buf = append(s.buf, oneLine(message)...)
	s.flush()
}

// comment writes what means nothing.
func (s *events) comment() {
	s.buf = append(s.buf[:0], ':')
	s.flush()
}

func (s *events) flush() {
	if !s.begun {
		s.begun = true
		h := s.w.Header()
		h["Content-Type"] = typeEvents
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // or nginx holds events back
		s.w.WriteHeader(http.StatusOK)
	}
	s.buf = append(s.buf, "\n\n"...)
	if s.limit > 0 {
		_ = s.rc.SetWriteDeadline(time.Now().Add(s.limit))
		defer func() { _ = s.rc.SetWriteDeadline(time.Time{}) }()
	}
	if _, err := s.w.Write(s.buf); err == nil {
		_ = s.rc.Flush()
	}
}
