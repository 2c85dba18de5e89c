// Package faulty is an upstream on loopback that fails in the ways networks and
// services do, for tests.
package faulty

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is a way to fail.
type Fault struct {
	Name string
	// Answer answers request n of a connection, which has been read. When it
	// returns false the connection is closed; gone is closed when the client has
	// left.
	Answer func(c net.Conn, n int, gone <-chan struct{}) (stay bool)
	// TLS makes the server one of https. A handshake that fails is no request.
	TLS *tls.Config
}

// Server is a running upstream.
type Server struct {
	URL      string
	requests atomic.Int64
	conns    atomic.Int64
	left     chan struct{}
}

// Requests is how many requests arrived whole.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// Connections is how many connections were made.
func (s *Server) Connections() int { return int(s.conns.Load()) }

// Left gets a value each time a client leaves while it is being answered.
func (s *Server) Left() <-chan struct{} { return s.left }

// Start starts an upstream, until the test ends.
func Start(t testing.TB, f Fault) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + l.Addr().String(), left: make(chan struct{}, 10_000)}
	if f.TLS != nil {
		s.URL = "https://" + l.Addr().String()
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			go s.serve(c, f)
		}
	}()
	return s
}

func (s *Server) serve(c net.Conn, f Fault) {
	defer c.Close()
	if f.TLS != nil {
		secure := tls.Server(c, f.TLS)
		if secure.Handshake() != nil {
			return
		}
		c = secure
	}
	in := bufio.NewReader(c)
	for n := 1; ; n++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s.requests.Add(1)
		gone, answered := make(chan struct{}), make(chan struct{})
		go func() { // whoever waits for an answer sends nothing: what can be read is the end
			defer close(gone)
			_, err := in.Peek(1)
			select {
			case <-answered:
			default:
				if err != nil {
					s.left <- struct{}{}
				}
			}
		}()
		stay := f.Answer(c, n, gone)
		close(answered)
		if !stay {
			return
		}
		<-gone // the next request, or the end
	}
}

// Reset ends a connection with an RST.
func Reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func write(text string) func(net.Conn, int, <-chan struct{}) bool {
	return func(c net.Conn, _ int, _ <-chan struct{}) bool { _, _ = io.WriteString(c, text); return false }
}

// drip writes text a byte at a time, again and again, until the client is gone.
func drip(c net.Conn, text string, gone <-chan struct{}) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-gone:
			return false
		case <-tick.C:
			if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
				<-gone // reading shows it as well: whoever finds out first, the client has left
				return false
			}
		}
	}
}

// Reply is a whole answer.
func Reply(status int, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n", status, http.StatusText(status), len(body))
	for _, h := range header {
		b.WriteString(h + "\r\n")
	}
	return b.String() + "\r\n" + body
}

// Always answers every request with the same text.
func Always(text string) func(net.Conn, int, <-chan struct{}) bool {
	return func(c net.Conn, _ int, _ <-chan struct{}) bool {
		_, err := io.WriteString(c, text)
		return err == nil
	}
}

// Faults are failures of a connection and of what is said over it.
func Faults() []Fault {
	return []Fault{
		{Name: "no answer", Answer: func(_ net.Conn, _ int, gone <-chan struct{}) bool { <-gone; return false }},
		{Name: "slow headers", Answer: func(c net.Conn, _ int, gone <-chan struct{}) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Slow: ")
			return drip(c, "x", gone)
		}},
		{Name: "slow body", Answer: func(c net.Conn, _ int, gone <-chan struct{}) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n")
			return drip(c, "x", gone)
		}},
		{Name: "reset before the answer", Answer: func(c net.Conn, _ int, _ <-chan struct{}) bool { Reset(c); return false }},
		{Name: "reset within the body", Answer: func(c net.Conn, _ int, _ <-chan struct{}) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
			time.Sleep(5 * time.Millisecond) // or the RST overtakes the half
			Reset(c)
			return false
		}},
		{Name: "closed before the answer", Answer: write("")},
		{Name: "half closed", Answer: func(c net.Conn, _ int, gone <-chan struct{}) bool {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			<-gone
			return false
		}},
		{Name: "truncated body", Answer: write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")},
		{Name: "chunks without an end", Answer: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")},
		{Name: "broken chunks", Answer: write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n")},
		{Name: "not HTTP", Answer: write("SSH-2.0-OpenSSH_9.6\r\n\r\n")},
		{Name: "a length that is none", Answer: write("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")},
		{Name: "two lengths", Answer: write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")},
		{Name: "a header that is none", Answer: write("HTTP/1.1 200 OK\r\nno header\r\n\r\n")},
		{Name: "header bomb", Answer: write("HTTP/1.1 200 OK\r\nX-Bomb: " + strings.Repeat("x", 400<<10) + "\r\n\r\n")},
		{Name: "many headers", Answer: write("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Bomb: x\r\n", 40<<10) + "\r\n")},
		{Name: "endless 100 Continue", Answer: func(c net.Conn, _ int, gone <-chan struct{}) bool {
			for {
				if _, err := io.WriteString(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 100)); err != nil {
					return false
				}
			}
		}},
		{Name: "500", Answer: Always(Reply(500, "stack"))},
		{Name: "503", Answer: Always(Reply(503, "later"))},
		{Name: "429 for an hour", Answer: Always(Reply(429, "slower", "Retry-After: 3600"))},
		{Name: "404", Answer: Always(Reply(404, "none"))},
		{Name: "too large", Answer: Always(Reply(200, strings.Repeat("x", 100<<10)))},
		{Name: "a redirect away", Answer: Always(Reply(307, "", "Location: http://169.254.169.254/latest/meta-data"))},
		{Name: "redirects for ever", Answer: Always(Reply(307, "", "Location: /again"))},
		{Name: "an encoding that is not known", Answer: Always(Reply(200, "x", "Content-Encoding: br"))},
		{Name: "gzip that ends early", Answer: Always(Reply(200, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xca", "Content-Encoding: gzip"))},
	}
}
