package transport

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
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
		if why := f.Unready(); why != "" {
			plain(w, http.StatusServiceUnavailable, why)
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

func (f *endpoint) serveMCP(ctx context.Context, w http.ResponseWriter, r *http.Request) (stay *subscriber) {
	if !f.reached(w, r) {
		return nil
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
		in := new(observe.Incoming)
		f.incoming(r, in)
		ctx = &observe.Scope{Context: ctx, Incoming: in}
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
	return f.serveMessage(ctx, w, r, body, json, events)
}

// serveMessage answers a message. json and events are the forms of an answer that its
// client takes.
func (f *endpoint) serveMessage(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte, json, events bool) (stay *subscriber) {
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

// busy refuses a request when as many are worked on as there may be.
func (f *endpoint) busy(w http.ResponseWriter, r *http.Request, id jsontext.Value) {
	bad := over(http.StatusServiceUnavailable, "requests", int64(f.limits.Requests), "the server is at its limit of %d requests at once")
	note(w, bad.because("busy"))
	w.Header().Set("Retry-After", retryAfter(bad.retry))
	f.write(w, r, bad.status, false, reply{head: appendFault(nil, id, bad)})
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

// write writes a whole answer, as JSON or as the only event of a stream.
func (f *endpoint) write(w http.ResponseWriter, r *http.Request, status int, asEvent bool, out reply) {
	if out.correlation != "" {
		w.Header()[requestID] = []string{out.correlation}
	}
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
