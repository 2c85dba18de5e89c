package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// connections is a listener that bounds its connections: how many there are,
// and how long one may let the server wait for what it writes. How long a
// client may take to write, net/http watches.
type connections struct {
	net.Listener
	limits   plan.Inbound
	tls      bool
	refusing chan struct{} // holds a value per connection that is being refused

	mu    sync.Mutex
	open  int
	quiet socket // the root of a ring: those without a request under way, that of the longest silence next
}

func newConnections(l net.Listener, limits plan.Inbound, tls bool) *connections {
	c := &connections{Listener: l, limits: limits, tls: tls, refusing: make(chan struct{}, 64)}
	c.quiet.next, c.quiet.prev = &c.quiet, &c.quiet
	return c
}

// Accept returns the next connection there is room for.
func (l *connections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if s := l.admit(c); s != nil {
			return s, nil
		}
		l.refuse(c)
	}
}

// admit takes a connection in. When there are too many, the one that has been
// silent for longest makes room: a client finds out and connects again, whereas
// one that is refused finds nobody. It is nil when requests are under way on all.
func (l *connections) admit(c net.Conn) *socket {
	s := &socket{Conn: c, of: l}
	l.mu.Lock()
	var silent *socket
	if l.open >= l.limits.Connections {
		if silent = l.quiet.next; silent == &l.quiet {
			l.mu.Unlock()
			return nil
		}
		l.forget(silent)
	}
	l.open++
	l.listen(s, true)
	l.mu.Unlock()
	if silent != nil {
		_ = silent.Conn.Close() // whatever it reports, it is gone
	}
	return s
}

// forget stops counting a connection. The caller holds the lock.
func (l *connections) forget(s *socket) {
	if s.gone {
		return
	}
	s.gone = true
	l.open--
	l.listen(s, false)
}

// listen notes whether a connection is silent. The caller holds the lock.
func (l *connections) listen(s *socket, silent bool) {
	switch {
	case silent && s.next == nil && !s.gone:
		s.prev, s.next = l.quiet.prev, &l.quiet
		s.prev.next, l.quiet.prev = s, s
	case !silent && s.next != nil:
		s.prev.next, s.next.prev = s.next, s.prev
		s.prev, s.next = nil, nil
	}
}

// state is told by net/http when a request arrived on a connection, and when it
// was answered.
func (l *connections) state(c net.Conn, now http.ConnState) {
	if s := socketOf(c); s != nil && (now == http.StateActive || now == http.StateIdle) {
		l.mu.Lock()
		l.listen(s, now == http.StateIdle)
		l.mu.Unlock()
	}
}

// refuse says on a connection that there are too many, unless many are being
// told already. With TLS nothing can be said before the handshake.
func (l *connections) refuse(c net.Conn) {
	select {
	case l.refusing <- struct{}{}:
	default:
		_ = c.Close() // nobody is told
		return
	}
	go func() {
		defer func() { <-l.refusing }()
		defer c.Close()
		if l.tls {
			return
		}
		bad := over(http.StatusServiceUnavailable, "connections", int64(l.limits.Connections), "the server is at its limit of %d connections")
		body := appendFault(nil, nil, bad)
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\nRetry-After: %s\r\nConnection: close\r\n\r\n%s", len(body), retryAfter(bad.retry), body)
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		// Closing over what the client has sent would take the answer from it.
		_, _ = io.Copy(io.Discard, io.LimitReader(c, bufferedBytes))
	}()
}

// socket is a counted connection.
type socket struct {
	net.Conn
	of       *connections
	requests atomic.Int64 // so far
	until    atomic.Int64 // the deadline of writing that was set, in ns of Unix time
	theirs   atomic.Int64 // that of who writes, which may be earlier than ours; 0: none

	prev, next *socket // in of.quiet; nil while a request is under way
	gone       bool    // not counted any more
}

// Write writes b as long as the client takes some of it now and then: a client
// that reads nothing would otherwise hold what writes to it for ever, however
// little that is, since answers to requests sent ahead add up.
func (s *socket) Write(b []byte) (n int, err error) {
	for {
		s.extend()
		part := b[n:min(len(b), n+bufferedBytes)]
		m, err := s.Conn.Write(part)
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// extend sets the deadline of the next write. One that has three quarters of its
// time left stands: to set it costs more than to look.
func (s *socket) extend() {
	limit := s.of.limits.WriteTimeout
	now := time.Now()
	theirs := s.theirs.Load()
	if theirs == 0 && time.Duration(s.until.Load()-now.UnixNano()) > limit/4*3 {
		return
	}
	until := now.Add(limit)
	if theirs != 0 && theirs < until.UnixNano() {
		until = time.Unix(0, theirs)
	}
	s.until.Store(until.UnixNano())
	_ = s.Conn.SetWriteDeadline(until) // or writing says what is wrong
}

// SetWriteDeadline is for who writes: TLS, and handlers. It can only be earlier than
// what the socket sets itself.
func (s *socket) SetWriteDeadline(t time.Time) error {
	s.until.Store(0)
	if t.IsZero() {
		s.theirs.Store(0)
	} else {
		s.theirs.Store(t.UnixNano())
	}
	return s.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both.
func (s *socket) SetDeadline(t time.Time) error {
	if err := s.SetWriteDeadline(t); err != nil {
		return err
	}
	return s.Conn.SetReadDeadline(t)
}

func (s *socket) Close() error {
	s.of.mu.Lock()
	s.of.forget(s)
	s.of.mu.Unlock()
	return s.Conn.Close()
}

// CloseWrite lets net/http say that no more will come.
func (s *socket) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func socketOf(c net.Conn) *socket {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS, or one that can be parked
		c = t.NetConn()
	}
	s, _ := c.(*socket)
	return s
}

// socketKey is the key of the socket in the contexts of its requests.
type socketKey struct{}

func withSocket(ctx context.Context, c net.Conn) context.Context {
	if s := socketOf(c); s != nil {
		return context.WithValue(ctx, socketKey{}, s)
	}
	return ctx
}

// last counts a request on its connection and reports whether it is the last one
// that it may carry.
func (s *socket) last() bool { return s.requests.Add(1) >= int64(s.of.limits.ConnectionRequests) }
