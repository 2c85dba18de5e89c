package transport

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// parkAfter is how long a connection is silent before it is parked. What is asked
// more often than that never notices; waking up costs as little as a new
// connection without its handshake.
const parkAfter = 500 * time.Millisecond

// parking is a listener whose connections cost little while nothing is asked on
// them: ten thousand clients that wait for their model are the usual load.
//
// For every connection net/http holds two buffers and the stack of a goroutine
// that has answered requests, some 20 KB. So a connection that is silent is taken
// from it: it times out there, is closed there, and waits here, in a goroutine
// that does nothing else. When a byte arrives it is accepted anew.
//
// What net/http has read by then is lost. That is at most three bytes, since four
// begin a request: the empty line that some clients send after a body, or the
// begin of a request whose rest does not come for half a second.
type parking struct {
	net.Listener
	silence time.Duration // how long a parked connection may stay so
	arrived chan arrival
	ended   chan struct{}

	mu     sync.Mutex
	parked map[net.Conn]struct{} // nil when the listener is closed
}

type arrival struct {
	conn net.Conn
	err  error
}

// park makes s, which is to serve the returned listener, park connections that are
// silent for after, as far as it would not close them by then anyway.
func park(s *http.Server, l net.Listener, after time.Duration) net.Listener {
	if s.IdleTimeout <= after {
		return l
	}
	p := &parking{Listener: l, silence: s.IdleTimeout - after, arrived: make(chan arrival), ended: make(chan struct{}), parked: map[net.Conn]struct{}{}}
	s.IdleTimeout = after
	next := s.ConnState
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if c, ok := c.(*parkable); ok {
			c.idle.Store(state == http.StateIdle)
			if state == http.StateActive {
				c.begun.Store(false)
			}
		}
		if next != nil {
			next(c, state)
		}
	}
	go p.accept()
	return p
}

// accept passes on what the listener accepts, and its errors: net/http waits
// before it asks again where that helps.
func (p *parking) accept() {
	for {
		c, err := p.Listener.Accept()
		if err == nil {
			c = &parkable{Conn: c, of: p}
		}
		if !p.arrive(c, err) || errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// arrive hands a connection to net/http. It is false when that takes no more.
func (p *parking) arrive(c net.Conn, err error) bool {
	select {
	case p.arrived <- arrival{c, err}:
		return true
	case <-p.ended:
		if c != nil {
			_ = c.Close() // nobody serves it
		}
		return false
	}
}

// Accept returns a connection that is new, or that was parked.
func (p *parking) Accept() (net.Conn, error) {
	select {
	case a := <-p.arrived:
		return a.conn, a.err
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close closes the listener and the connections that are parked.
func (p *parking) Close() error {
	p.mu.Lock()
	parked := p.parked
	p.parked = nil
	p.mu.Unlock()
	if parked == nil {
		return net.ErrClosed
	}
	close(p.ended)
	for c := range parked {
		_ = c.Close() // nothing is under way on it
	}
	return p.Listener.Close()
}

// keep parks a connection; false when the listener is closed.
func (p *parking) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parked == nil {
		return false
	}
	p.parked[c] = struct{}{}
	go p.wait(c)
	return true
}

// wait waits until a byte arrives on a parked connection.
func (p *parking) wait(c net.Conn) {
	var first [1]byte
	err := c.SetReadDeadline(time.Now().Add(p.silence))
	if err == nil {
		_, err = c.Read(first[:])
	}
	p.mu.Lock()
	delete(p.parked, c)
	p.mu.Unlock()
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil { // it was silent for too long, or is closed
		_ = c.Close()
		return
	}
	p.arrive(&parkable{Conn: c, of: p, first: first, held: true}, nil)
}

// parkable is a connection as net/http has it. It is parked by being closed there
// after it timed out between two requests; what has it then is another parkable.
type parkable struct {
	net.Conn
	of      *parking
	first   [1]byte     // what woke it
	held    bool        // it is to be read
	idle    atomic.Bool // no request is under way
	begun   atomic.Bool // the next request began during the last one
	expired atomic.Bool // the last read timed out
	left    atomic.Bool // it is net/http's no longer
}

// NetConn is the connection below, as that of [crypto/tls.Conn].
func (c *parkable) NetConn() net.Conn { return c.Conn }

func (c *parkable) Read(b []byte) (int, error) {
	if c.held && len(b) > 0 {
		b[0], c.held = c.first[0], false
		return 1, nil
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.idle.Store(false) // a request began
		if len(b) == 1 {    // net/http looks whether the client of a call is still there
			c.begun.Store(true)
		}
	}
	c.expired.Store(errors.Is(err, os.ErrDeadlineExceeded))
	return n, err
}

func (c *parkable) Close() error {
	if c.left.Load() {
		return nil
	}
	if c.idle.Load() && !c.begun.Load() && c.expired.Load() && !c.left.Swap(true) && c.of.keep(c.Conn) {
		return nil
	}
	return c.Conn.Close()
}

// CloseWrite lets net/http say that no more will come.
func (c *parkable) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
