package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// bufferedBytes is what is written at once, and what a request may allocate
// because it says so.
const bufferedBytes = 64 << 10

// Values of headers that are the same in every answer. net/http only reads
// them.
var (
	typeJSON   = []string{"application/json"}
	typeEvents = []string{"text/event-stream"}
)

// serving counts the requests in flight and says when the server ends.
type serving struct {
	leaving  atomic.Bool // not ready any more; calls are still taken
	draining atomic.Bool
	inFlight atomic.Int64
	idle     chan struct{} // gets a value when the last request leaves a draining server
}

// enter counts a request in; it is false when no more are taken.
func (s *serving) enter() bool {
	s.inFlight.Add(1)
	if s.draining.Load() {
		s.leave()
		return false
	}
	return true
}

func (s *serving) leave() {
	if s.inFlight.Add(-1) == 0 && s.draining.Load() {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// Draining tells whether the server is about to end.
func (f *Front) Draining() bool { return f.serving.leaving.Load() || f.serving.draining.Load() }

// endpoint is a [Front] behind the host names of one listener.
type endpoint struct {
	*Front
	hosts allowList
}

// Handler serves Streamable HTTP at /mcp, and /healthz and /readyz. A caller
// that puts it into a server of its own sets the time limits there.
func (f *Front) Handler() http.Handler { return &endpoint{f, f.hosts} }

// Serve serves l until ctx ends, and then drains: readiness ends first; when
// [Options].Leave has passed, new calls are refused, those in flight have the
// drain time to finish, and only then the listener closes. It returns nil after that, whether or not
// some call had to be cut off.
func (f *Front) Serve(ctx context.Context, l net.Listener) error {
	hosts := f.hosts
	if host, _, err := net.SplitHostPort(l.Addr().String()); err == nil {
		// An address that was bound explicitly is a name of this server; the
		// unspecified one is not a name of anything.
		if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
			hosts = hosts.with(host)
		}
	}
	counted := newConnections(l, f.limits, f.tls != nil)
	l = counted
	s := &http.Server{
		Handler:           &endpoint{f, hosts},
		ReadHeaderTimeout: f.limits.HeaderTimeout,
		ReadTimeout:       f.limits.RequestTimeout,
		IdleTimeout:       f.limits.IdleTimeout,
		MaxHeaderBytes:    2 * int(f.limits.Headers), // see [Front.headers]
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: f.limits.ConnectionStreams},
		ConnState:         counted.state,
		ConnContext:       withSocket,
		ErrorLog:          slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
		// Not ctx itself: its end must not cancel the calls that may finish.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if f.tls == nil { // the state of an encrypted connection is net/http's
		l = park(s, l, parkAfter)
	}
	ended := make(chan error, 1)
	go func() {
		if f.tls != nil {
			s.TLSConfig = f.connecting()
			ended <- s.ServeTLS(l, "", "")
			return
		}
		ended <- s.Serve(l)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}

	f.serving.leaving.Store(true)
	if f.leave > 0 {
		// Whoever sends calls here has to notice first.
		f.log.InfoContext(ctx, "not ready any more", "calls_are_taken_for", f.leave)
		select {
		case err := <-ended:
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		case <-time.After(f.leave):
		}
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.drain)
	defer cancel()
	f.serving.draining.Store(true)
	f.host.endSubscribers()
	if n := f.serving.inFlight.Load(); n > 0 {
		f.log.InfoContext(ctx, "draining", "in_flight", n, "deadline", f.drain)
		select {
		case <-f.serving.idle:
		case <-deadline.Done():
		}
	}
	if err := s.Shutdown(deadline); err != nil {
		f.log.WarnContext(ctx, "calls were cut off by the end of the server", "in_flight", f.serving.inFlight.Load())
		_ = s.Close() // what it would report, Shutdown already has
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		f.log.WarnContext(ctx, "the listener ended by itself", "error", err)
	}
	return nil
}

func (f *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.noted(w, r, f.serve) }

// serve serves a request. ctx is of the work it makes: it is not the request's own,
// since what is added to that costs a copy of the request.
func (f *endpoint) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	// A body in chunks may have come with a length, too, which net/http has dropped
	// when it can be looked at. What stands behind it may then have been smuggled
	// past a proxy that believes the length, so nothing more is read (RFC 9112, 6.1).
	chunks := len(r.TransferEncoding) > 0
	if s, ok := r.Context().Value(socketKey{}).(*socket); ok && s.last() || chunks {
		w.Header().Set("Connection", "close")
	}
	if r.ProtoMajor > 1 {
		// The sockets' limits do not see a stream without a window. A call lifts it.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(f.limits.RequestTimeout + f.limits.WriteTimeout))
	}
	if bad := f.headers(r); bad != nil {
		refuse(w, bad)
		return
	}
	switch r.URL.Path {
	case "/mcp":
		if stay := f.current(ctx, w, r); stay != nil {
			stay.stream(f.host, w)
		}
	case "/healthz":
		plain(w, http.StatusOK, "alive")
	case "/readyz":
		if f.Draining() {
			plain(w, http.StatusServiceUnavailable, "draining")
			return
		}
		plain(w, http.StatusOK, "ready")
	case identity.MetadataPath, identity.MetadataPath + "/mcp":
		f.serveMetadata(w, r)
	default:
		if f.host.now.Load().gate.MetadataAt(r.URL.Path) {
			f.serveMetadata(w, r)
			return
		}
		plain(w, http.StatusNotFound, "the MCP endpoint is /mcp")
	}
}

// serveMetadata tells clients where to get tokens (RFC 9728). It is for
// everybody, also for pages of other origins.
func (f *endpoint) serveMetadata(w http.ResponseWriter, r *http.Request) {
	var doc []byte
	if gate := f.host.now.Load().gate; gate != nil {
		doc = gate.Metadata()
	}
	if doc == nil {
		plain(w, http.StatusNotFound, "this server wants no tokens")
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", http.MethodGet)
		plain(w, http.StatusMethodNotAllowed, "GET it")
		return
	}
	h["Content-Type"] = typeJSON
	h.Set("Cache-Control", "max-age=300")
	_, _ = w.Write(doc) // the client went away
}

// deny refuses a caller, with the challenge that says what is missing.
func (f *endpoint) deny(w http.ResponseWriter, r *identity.Refusal) {
	if r.Challenge != "" {
		w.Header().Set("WWW-Authenticate", r.Challenge)
	}
	bad := faultf(mcp.INVALID_REQUEST, r.Status, "%s", r.Message)
	if r.Status == http.StatusBadRequest {
		bad.reason = "unauthenticated"
	}
	bad.retry = r.After
	refuse(w, bad)
}

// identified adds the caller of a request to its context, and where it comes from if
// that matters, or refuses it.
func (f *endpoint) identified(ctx context.Context, w http.ResponseWriter, r *http.Request) (context.Context, bool) {
	if f.addresses {
		ctx = identity.WithAddress(ctx, f.proxies.Client(r))
	}
	if f.gate == nil {
		return ctx, true
	}
	caller, refusal := f.gate.Identify(r)
	if refusal != nil {
		f.deny(w, refusal)
		return ctx, false
	}
	return identity.With(ctx, caller), true
}

// current has the front of the moment answer. A subscriber that is returned stays
// connected, and holds no front.
func (f *endpoint) current(ctx context.Context, w http.ResponseWriter, r *http.Request) *subscriber {
	now := f.host.hold()
	defer now.release()
	if now != f.Front {
		f = &endpoint{now, f.hosts}
	}
	return f.serveMCP(ctx, w, r)
}

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

func (f *endpoint) serveMCP(ctx context.Context, w http.ResponseWriter, r *http.Request) (stay *subscriber) {
	// A web page must not reach a server on its visitor's machine: neither
	// under a name that it made resolve to it (Host) nor directly (Origin).
	if !f.hosts.host(r.Host) {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusForbidden, "the Host %q is not one of this server's; allow it if it is", clip(r.Host)).because("host"))
		return nil
	}
	if origin := r.Header["Origin"]; len(origin) > 0 {
		if len(origin) > 1 || !f.origins.origin(origin[0]) {
			refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusForbidden, "the Origin %q is not allowed here", clip(origin[0])).because("origin"))
			return nil
		}
		if f.origins.names(strings.ToLower(origin[0])) && f.crossOrigin(w, r, origin[0]) {
			return nil
		}
	}
	if r.Method == http.MethodGet && f.changes {
		return f.listen(ctx, w, r)
	}
	if r.Method != http.MethodPost {
		// No session to end (DELETE), and where no list changes no stream (GET):
		// every answer, and what belongs to it, comes with its request.
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusMethodNotAllowed, "this endpoint takes POST only"))
		return nil
	}
	if bad := contentType(r.Header); bad != nil {
		refuse(w, bad)
		return nil
	}
	// Before the body is read: who may not call sends nothing.
	ctx, ok := f.identified(ctx, w, r)
	if !ok {
		return nil
	}
	if f.onRefusal == nil && f.trace { // who hears of refusals has it already
		ctx = f.incoming(ctx, r, new(observe.Incoming))
	}
	noteMessage(ctx, w, nil)
	json, events := accepts(r.Header["Accept"])
	if !json && !events {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusNotAcceptable, "answers are application/json or text/event-stream; Accept must name one of them"))
		return nil
	}
	if !f.serving.enter() {
		w.Header().Set("Connection", "close")
		bad := faultf(-32000, http.StatusServiceUnavailable, "the server is shutting down").because("draining")
		bad.retry = retryBusy
		refuse(w, bad)
		return nil
	}
	defer f.serving.leave()

	body, held, bad := f.readBody(r)
	defer f.host.bodies.leave(held)
	if bad != nil {
		refuse(w, bad)
		return nil
	}
	if r.ProtoMajor > 1 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	}
	if isBatch(body) {
		f.serveBatch(ctx, w, r, body, json)
		return nil
	}
	m, bad := decode(body, &f.limits)
	var e Era
	if bad == nil {
		e, bad = eraOfHTTP(header(r.Header), &m, f.versions.http)
	}
	if bad == nil && e == Modern && m.method == methodCall {
		bad = f.paramHeaders(r.Header, &m)
	}
	noteMessage(ctx, w, &m)
	if bad != nil {
		note(w, bad)
		f.write(w, r, bad.status, !json, reply{head: appendFault(nil, m.id, bad)})
		return nil
	}
	if need := f.lacks(ctx, &m); need != nil {
		f.deny(w, f.gate.Insufficient(identity.Of(ctx), need))
		return nil
	}
	if !m.isRequest() {
		// Nothing a client notifies of means anything here. Least of all a
		// cancellation: ids are not unique among clients, so it could end the
		// call of another. A client cancels by closing its request.
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	if f.changes && e == Modern && m.method == methodListen {
		wants, bad := listens(&m)
		if bad == nil && !events {
			bad = faultf(mcp.INVALID_REQUEST, http.StatusNotAcceptable, "a stream is text/event-stream; Accept must name it")
		}
		if bad != nil {
			f.write(w, r, bad.status, false, reply{head: appendFault(nil, m.id, bad)})
			return nil
		}
		return f.subscribe(ctx, w, r, slices.Clone(m.id), wants)
	}
	if !f.host.requests.enter(1, int64(f.limits.Requests)) {
		f.busy(w, r, m.id)
		return nil
	}
	defer f.host.requests.leave(1)
	if m.token != nil && events && works(m.method) && f.host.streams.enter(1, int64(f.limits.Streams)) {
		defer f.host.streams.leave(1)
		f.serveWatched(ctx, w, r, &m, e, json)
		return nil
	}
	buf := buffers.Get().(*[]byte)
	out := f.answer(ctx, &m, e, f.versions.http, (*buf)[:0])
	if ctx.Err() == nil {
		f.write(w, r, statusOf(out.fault, e), !json, out)
	}
	recycle(buf, out.head)
	return nil
}

// statusOf is the HTTP status of an answer. Before 2026-07-28 an error was the
// answer's business, not HTTP's.
func statusOf(f *fault, e Era) int {
	if f == nil || f.status == 0 || e == Legacy {
		return http.StatusOK
	}
	return f.status
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

// serveBatch answers a batch, which only 2025-03-26 knows.
func (f *endpoint) serveBatch(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte, json bool) {
	if v := r.Header.Get(mcp.HeaderProtocolVersion); v != "" && v != mcp.ProtocolVersion20250326 {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusBadRequest, "batches exist in revision 2025-03-26 only, not in %q", clip(v)))
		return
	}
	texts, bad := splitBatch(body, &f.limits)
	if bad != nil {
		refuse(w, bad)
		return
	}
	// Its messages are answered side by side, so each counts.
	work := int64(len(texts))
	if !f.host.requests.enter(work, int64(f.limits.Requests)) {
		f.busy(w, r, nil)
		return
	}
	defer f.host.requests.leave(work)
	parts := make([]func() []byte, len(texts)) // nil owes no answer
	for i, text := range texts {
		m, bad := decode(text, &f.limits)
		if bad == nil {
			_, bad = eraOfHTTP(header(r.Header), &m, f.versions.http)
		}
		if bad == nil {
			bad = batchable(&m)
		}
		switch {
		case bad != nil:
			f.refused(ctx, &m, bad)
			parts[i] = func() []byte { return appendFault(nil, m.id, bad) }
		case m.isRequest():
			parts[i] = func() []byte {
				one := f.answer(ctx, &m, Legacy, f.versions.http, nil)
				return one.appendTo(nil)
			}
		}
	}
	out := batch(parts)
	switch {
	case ctx.Err() != nil:
	case len(out) == 0:
		w.WriteHeader(http.StatusAccepted)
	default:
		f.write(w, r, http.StatusOK, !json, reply{head: out})
	}
}

// busy refuses a request when as many are worked on as there may be.
func (f *endpoint) busy(w http.ResponseWriter, r *http.Request, id jsontext.Value) {
	bad := over(http.StatusServiceUnavailable, "requests", int64(f.limits.Requests), "the server is at its limit of %d requests at once")
	note(w, bad.because("busy"))
	w.Header().Set("Retry-After", retryAfter(bad.retry))
	f.write(w, r, bad.status, false, reply{head: appendFault(nil, id, bad)})
}

// batchable refuses what may not be part of a batch.
func batchable(m *message) *fault {
	if m.method == "initialize" {
		return faultf(mcp.INVALID_REQUEST, http.StatusBadRequest, "initialize cannot be part of a batch")
	}
	return nil
}

// paramHeaders checks that the headers a tool's parameters are mirrored in
// agree with the arguments.
func (f *endpoint) paramHeaders(h http.Header, m *message) *fault {
	tool := f.params()[m.name]
	if tool == nil {
		return nil
	}
	err := mcp.ValidateParamHeadersLookup(func(name string) (string, bool) {
		v := h.Values(name)
		if len(v) == 0 {
			return "", false
		}
		return v[0], true
	}, tool, []byte(m.params))
	if err != nil {
		return faultf(mcp.HEADER_MISMATCH, http.StatusBadRequest, "%s", err.Error())
	}
	return nil
}

// crossOrigin adds what a browser needs to let a page of an origin that was
// allowed by name read answers. It is true when the request was only the
// browser's question whether it may ask.
func (f *endpoint) crossOrigin(w http.ResponseWriter, r *http.Request, origin string) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// write writes a whole answer, as JSON or as the only event of a stream.
func (f *endpoint) write(w http.ResponseWriter, r *http.Request, status int, asEvent bool, out reply) {
	if asEvent && status == http.StatusOK {
		stream := f.events(w, r)
		stream.send(out.appendTo(nil))
		return
	}
	h := w.Header()
	h["Content-Type"] = typeJSON
	size := out.size()
	h["Content-Length"] = []string{strconv.Itoa(size)}
	many := r.ProtoMajor > 1
	watched := !guarded(r) && (many || size > bufferedBytes)
	var rc *http.ResponseController
	if watched {
		rc = http.NewResponseController(w)
		_ = rc.SetWriteDeadline(time.Now().Add(f.limits.WriteTimeout)) // not every writer has deadlines
	}
	w.WriteHeader(status)
	_, err := w.Write(out.head)
	if err == nil && out.body != nil {
		if _, err = w.Write(out.body); err == nil {
			_, err = io.WriteString(w, out.tail)
		}
	}
	if watched && !many && err == nil {
		_ = rc.SetWriteDeadline(time.Time{}) // the connection lives on
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

// refuse answers a request that did not get as far as having an id.
func refuse(w http.ResponseWriter, f *fault) {
	note(w, f)
	b := appendFault(nil, nil, f)
	h := w.Header()
	if f.retry > 0 {
		h.Set("Retry-After", retryAfter(f.retry))
	}
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(f.status)
	_, _ = w.Write(b) // who does not read it was refused all the same
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// readBody reads the body of a request. It is not pooled: arguments point into
// it, and an upstream may still be reading them when its answer is here. held is
// what the request holds of the bytes there are for bodies, refused or not.
func (f *Front) readBody(r *http.Request) (b []byte, held int64, bad *fault) {
	max := f.limits.Body
	tooLarge := func() *fault {
		return over(http.StatusRequestEntityTooLarge, "body", max, "the request is larger than the limit of %d bytes")
	}
	// Whoever sends large requests leaves room for small ones.
	grow := func(size int64) bool {
		of := f.limits.Bodies
		if size > bufferedBytes {
			of /= 2
		}
		if !f.host.bodies.enter(size-held, of) {
			bad = over(http.StatusServiceUnavailable, "bodies", f.limits.Bodies, "the server is at its limit of %d bytes of requests at once")
			return false
		}
		held = size
		return true
	}
	n := r.ContentLength
	if n > max {
		return nil, held, tooLarge()
	}
	var err error
	if n >= 0 && n <= bufferedBytes {
		if !grow(n) {
			return nil, held, bad
		}
		b = make([]byte, n)
		_, err = io.ReadFull(r.Body, b)
	} else {
		// As it comes, not as it is announced: announcing costs nothing.
		size := int64(bufferedBytes / 2)
		for err == nil {
			if int64(len(b)) > max {
				return nil, held, tooLarge()
			}
			if len(b) == cap(b) {
				if size = min(2*size, max+1); !grow(size) {
					return nil, held, bad
				}
				b = append(make([]byte, 0, size), b...)
			}
			var m int
			m, err = r.Body.Read(b[len(b):cap(b)])
			b = b[:len(b)+m]
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	switch {
	case err == nil:
		return b, held, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, held, over(http.StatusRequestTimeout, "request_timeout", f.limits.RequestTimeout.Milliseconds(), "the request did not arrive within %d ms")
	}
	return nil, held, faultf(mcp.PARSE_ERROR, http.StatusBadRequest, "the request ends before its body does")
}

// contentType refuses a body that is not announced as JSON, or in two ways. That
// is more than tidiness: text/plain is what a web page may send across origins
// unasked.
func contentType(h http.Header) *fault {
	v := h["Content-Type"]
	if len(v) != 1 {
		return faultf(mcp.INVALID_REQUEST, http.StatusUnsupportedMediaType, "the Content-Type must be sent once and be application/json")
	}
	if v[0] != "application/json" {
		media, params, err := mime.ParseMediaType(v[0])
		if err != nil || media != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
			return faultf(mcp.INVALID_REQUEST, http.StatusUnsupportedMediaType, "the Content-Type must be application/json (in UTF-8), not %q", clip(v[0]))
		}
	}
	for _, c := range h["Content-Encoding"] {
		if !strings.EqualFold(c, "identity") {
			return faultf(mcp.INVALID_REQUEST, http.StatusUnsupportedMediaType, "a request must not be encoded; Content-Encoding is %q", clip(c))
		}
	}
	return nil
}

// accepts tells which of the two forms of an answer a client takes. Clients
// must name both, but one is enough to answer.
func accepts(values []string) (json, events bool) {
	if len(values) == 0 {
		return true, false
	}
	for _, v := range values {
		v = strings.ToLower(v)
		json = json || strings.Contains(v, "application/json") || strings.Contains(v, "*/*") || strings.Contains(v, "application/*")
		events = events || strings.Contains(v, "text/event-stream") || strings.Contains(v, "text/*")
	}
	return json, events
}

// allowList is a set of names in lower case; "*" allows all.
type allowList map[string]bool

func newAllowList(names []string) allowList {
	a := allowList{}
	for _, n := range names {
		a[strings.ToLower(strings.TrimSpace(n))] = true
	}
	return a
}

func (a allowList) with(name string) allowList {
	b := allowList{strings.ToLower(name): true}
	for n := range a {
		b[n] = true
	}
	return b
}

// names reports whether a name is in the list itself.
func (a allowList) names(name string) bool { return a[name] || a["*"] }

// host reports whether a Host header, with or without a port, is allowed.
func (a allowList) host(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if isLoopback(name) {
		return true
	}
	return host != "" && (a.names(strings.ToLower(name)) || a[strings.ToLower(host)])
}

// origin reports whether an Origin header is allowed.
func (a allowList) origin(origin string) bool {
	if a.names(strings.ToLower(origin)) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isLoopback(u.Hostname())
}

func isLoopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.IsLoopback()
}

// buffers hold answers while they are written. net/http copies what it is
// given, so an answer's memory is free when writing returns.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// recycle gives a buffer back, unless it grew too large to keep.
func recycle(buf *[]byte, b []byte) {
	if cap(b) > 1<<20 {
		return
	}
	*buf = b[:0]
	buffers.Put(buf)
}
