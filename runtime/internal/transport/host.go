package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
)

// host is what the fronts of one server share, one after another: connections
// and what clients listen to outlive the front that they came to.
type host struct {
	now     atomic.Pointer[Front]
	serving serving

	requests, streams, bodies count // over HTTP, of all fronts

	mu          sync.Mutex // also held while the front changes
	subscribers map[*subscriber]struct{}
	ended       bool // no more subscribers are taken
}

func newHost(f *Front) *host {
	h := &host{subscribers: map[*subscriber]struct{}{}}
	h.serving.idle = make(chan struct{}, 1)
	h.now.Store(f)
	return h
}

// hold returns the front that is to answer now. It has all of its parts until it
// is released, whatever comes after it.
func (h *host) hold() *Front {
	for {
		f := h.now.Load()
		f.users.Add(1)
		if h.now.Load() == f {
			return f
		}
		f.release() // replaced in between
	}
}

func (f *Front) release() {
	if f.users.Add(-1) == 0 {
		f.retire()
	}
}

// retire lets go of a front that was replaced, once: nobody uses it any more.
func (f *Front) retire() {
	if gone := f.gone.Swap(nil); gone != nil {
		(*gone)()
	}
}

// Replace lets next answer from now on, on the connections of f. What f is
// answering it answers to its end; then gone is called, once. Clients that
// listen hear of the lists that are different for them. next must not have been
// used before.
func (f *Front) Replace(next *Front, gone func()) {
	h := f.host
	next.host, next.serving = h, &h.serving
	h.mu.Lock()
	old := h.now.Swap(next)
	all := changed(context.Background(), old, next)
	for s := range h.subscribers {
		which := all
		if old.plan.Policy != nil || next.plan.Policy != nil {
			which = changed(s.ctx, old, next) // what he sees of them
		}
		s.tell(which & s.wants)
	}
	h.mu.Unlock()
	old.gone.Store(&gone)
	if old.users.Load() == 0 {
		old.retire()
	}
}

// SetCaller says who the client on stdio is, from the next message on; nil is
// nobody known.
func (f *Front) SetCaller(c *identity.Caller) { f.stdioCaller.Store(c) }

// RefuseCaller has nothing taken from the client on stdio: from its next message
// on its session ends.
func (f *Front) RefuseCaller() { f.outcast.Store(true) }

// local is a context of the client on stdio.
func (f *Front) local(ctx context.Context) context.Context {
	c := f.stdioCaller.Load()
	if c == nil {
		return ctx
	}
	return identity.With(ctx, c)
}

// connecting is the configuration of TLS connections, as the front of the moment
// has it; one without keeps the first, as what listens cannot become plain.
func (f *Front) connecting() *tls.Config {
	c := f.tls.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := f.host.now.Load().tls
		if now == nil || now == f.tls {
			return nil, nil // as it is
		}
		now = now.Clone()
		now.NextProtos = []string{"h2", "http/1.1"}
		return now, nil
	}
	return c
}

// The lists that a client can listen to, as bits.
const (
	toolsChanged = 1 << iota
	resourcesChanged
	promptsChanged
	allChanged = toolsChanged | resourcesChanged | promptsChanged
)

// changed tells which lists are different for a caller.
func changed(ctx context.Context, old, next *Front) (which uint32) {
	for k, bit := range map[listKind]uint32{listTools: toolsChanged, listResources: resourcesChanged, listTemplates: resourcesChanged, listPrompts: promptsChanged} {
		if !bytes.Equal(old.listFor(ctx, old.who(ctx), k, Legacy), next.listFor(ctx, next.who(ctx), k, Legacy)) {
			which |= bit
		}
	}
	return which
}

// aliveEvery is how often a silent stream over HTTP carries a comment, so that
// what stands between keeps it open, and a client that is gone is noticed.
const aliveEvery = 25 * time.Second

// subscriber is a client that listens: to one stream of revision 2026-07-28, or,
// without an id, to what older revisions say unasked.
type subscriber struct {
	ctx   context.Context // of its request: whose lists it is about
	id    jsontext.Value  // of subscriptions/listen
	wants uint32
	limit time.Duration // of writing, over HTTP
	// release frees what ctx holds, over HTTP.
	release func()

	pending atomic.Uint32
	wake    chan struct{} // holds a value when something is pending
	end     chan struct{} // closed when the server ends
}

// subscribe takes a subscriber; nil when there are most of them, or the server
// ends.
func (h *host) subscribe(ctx context.Context, most int, id jsontext.Value, wants uint32) *subscriber {
	s := &subscriber{ctx: ctx, id: id, wants: wants, wake: make(chan struct{}, 1), end: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended || len(h.subscribers) >= most {
		return nil
	}
	h.subscribers[s] = struct{}{}
	return s
}

func (h *host) unsubscribe(s *subscriber) {
	h.mu.Lock()
	delete(h.subscribers, s)
	h.mu.Unlock()
}

// endSubscribers ends all streams, and takes no more.
func (h *host) endSubscribers() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for s := range h.subscribers {
		close(s.end)
	}
	clear(h.subscribers)
}

// tell has the client told of lists. Of a list that changed again before it was
// told, it is told once.
func (s *subscriber) tell(which uint32) {
	if which == 0 {
		return
	}
	s.pending.Or(which)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run emits what there is to tell until the client leaves, which done says, or
// the server ends. alive is called now and then; nil: not.
func (s *subscriber) run(done, ended <-chan struct{}, emit func([]byte), alive func()) {
	if s.id != nil {
		emit(s.acknowledge())
		if s.wants == 0 {
			emit(s.closing())
			return
		}
	}
	var tick <-chan time.Time
	if alive != nil {
		t := time.NewTicker(aliveEvery)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-s.wake:
			which := s.pending.Swap(0)
			for _, x := range []struct {
				bit  uint32
				list string
			}{{toolsChanged, "tools"}, {resourcesChanged, "resources"}, {promptsChanged, "prompts"}} {
				if which&x.bit != 0 {
					emit(s.note("notifications/"+x.list+"/list_changed", ""))
				}
			}
		case <-tick:
			alive()
		case <-done:
			return
		case <-s.end:
			if s.id != nil {
				emit(s.closing())
			}
			return
		case <-ended:
			if s.id != nil {
				emit(s.closing())
			}
			return
		}
	}
}

// note is a notification; more are members of its params.
func (s *subscriber) note(method, more string) []byte {
	b := append([]byte(`{"jsonrpc":"2.0","method":"`), method...)
	b = append(b, '"')
	if s.id != nil {
		b = append(append(b, `,"params":{"_meta":{"`+mcp.MetaKeySubscriptionID+`":`...), s.id...)
		b = append(append(append(b, '}'), more...), '}')
	}
	return append(b, '}')
}

// acknowledge says which of what was asked for will come.
func (s *subscriber) acknowledge() []byte {
	text, err := json.Marshal(mcp.SubscriptionFilter{
		ToolsListChanged:     s.wants&toolsChanged != 0,
		ResourcesListChanged: s.wants&resourcesChanged != 0,
		PromptsListChanged:   s.wants&promptsChanged != 0,
	})
	if err != nil {
		panic(err) // booleans always marshal
	}
	return s.note(mcp.MethodNotificationSubscriptionsAcknowledged, `,"notifications":`+string(text))
}

// closing is the answer to subscriptions/listen: it says that the stream ends in
// order.
func (s *subscriber) closing() []byte {
	b := append(appendHead(nil, s.id), `{"resultType":"complete","_meta":{"`+mcp.MetaKeySubscriptionID+`":`...)
	return append(append(b, s.id...), "}}}"...)
}

// listens reads what a subscriptions/listen asks for. Subscriptions to single
// resources are not among what a bridge can know of.
func listens(m *message) (uint32, *fault) {
	var p struct {
		Notifications *mcp.SubscriptionFilter `json:"notifications"`
	}
	if !m.params.IsValid() || json.Unmarshal(m.params, &p) != nil || p.Notifications == nil {
		return 0, faultf(mcp.INVALID_PARAMS, 400, "params.notifications must be an object that says what to listen to")
	}
	var wants uint32
	for bit, on := range map[uint32]bool{toolsChanged: p.Notifications.ToolsListChanged, resourcesChanged: p.Notifications.ResourcesListChanged, promptsChanged: p.Notifications.PromptsListChanged} {
		if on {
			wants |= bit
		}
	}
	return wants, nil
}
