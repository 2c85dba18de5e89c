package transport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// parked is a server whose connections are parked soon, and a look at how many
// are.
func parked(t *testing.T, silence time.Duration) (s *http.Server, address string, count func() int) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &http.Server{IdleTimeout: silence, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s %s", r.URL.Path, body)
		}
		if err != nil {
			t.Error(err)
		}
	})}
	p := park(s, l, 20*time.Millisecond).(*parking)
	ended := make(chan error)
	go func() { ended <- s.Serve(p) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return s, l.Addr().String(), func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.parked)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within ten seconds: " + what)
		}
	}
}

type line struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, address string) line {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return line{c, bufio.NewReader(c)}
}

func (c line) ask(t *testing.T, request, want string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || string(body) != want {
		t.Fatalf("%s: %q, want %q (%v)", res.Status, body, want, err)
	}
}

const posted = "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n%d tea"

// A connection that was parked carries requests as before, again and again.
func TestParkedConnectionsWakeUp(t *testing.T) {
	_, address, count := parked(t, time.Minute)
	a, b := dial(t, address), dial(t, address)
	for i := range 3 {
		for _, c := range []line{a, b} {
			c.ask(t, fmt.Sprintf(posted, i, i), fmt.Sprintf("/%d %d tea", i, i))
		}
		until(t, "both are parked", func() bool { return count() == 2 })
	}
	// One after the other without a pause, and in pieces.
	a.ask(t, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "/a ")
	a.ask(t, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n", "/b ")
	until(t, "both are parked", func() bool { return count() == 2 })
	for _, piece := range strings.SplitAfter("GET /c HTTP/1.1\r\nHost: x\r\n", "") {
		if _, err := io.WriteString(a, piece); err != nil {
			t.Fatal(err)
		}
	}
	a.ask(t, "\r\n", "/c ")
}

// What ends a connection ends it parked, too: its client, its silence, the server.
func TestParkedConnectionsEnd(t *testing.T) {
	s, address, count := parked(t, 100*time.Millisecond)
	gone, silent := dial(t, address), dial(t, address)
	for _, c := range []line{gone, silent} {
		c.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/ ")
	}
	until(t, "both are parked", func() bool { return count() > 0 })
	_ = gone.Close()
	if _, err := silent.in.ReadByte(); err != io.EOF {
		t.Errorf("after its silence: %v", err)
	}
	until(t, "none is parked", func() bool { return count() == 0 })

	s, address, count = parked(t, time.Minute)
	c := dial(t, address)
	c.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/ ")
	until(t, "it is parked", func() bool { return count() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Errorf("after the server: %v", err)
	}
}

// A request that stops in the middle is not silence: it is refused when its time
// is up, and never goes on as another.
func TestHalfRequestsAreNotParked(t *testing.T) {
	for _, half := range []string{"G", "GET / HTTP/1.1\r\nHost:", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"} {
		_, address, count := parked(t, time.Minute)
		c := dial(t, address)
		c.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/ ")
		if _, err := io.WriteString(c, half); err != nil {
			t.Fatal(err)
		}
		if len(half) < 4 { // too little for net/http to know that it is a request
			if _, err := c.in.ReadByte(); err != io.EOF {
				t.Errorf("%q: %v", half, err)
			}
		}
		if n := count(); n != 0 {
			t.Errorf("%q: %d parked", half, n)
		}
	}
}
