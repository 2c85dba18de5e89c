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
	s = &http.Server{IdleTimeout: silence, ReadTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			_, _ = fmt.Fprintf(w, "%s %s", r.URL.Path, body) // the client sees whether it comes
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

func connect(t *testing.T, address string) line {
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

const postedTea = "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n%d tea"

// A connection that was parked carries requests as before, again and again.
func TestParkedConnectionsWakeUp(t *testing.T) {
	_, address, count := parked(t, time.Minute)
	a, b := connect(t, address), connect(t, address)
	for i := range 3 {
		for _, c := range []line{a, b} {
			c.ask(t, fmt.Sprintf(postedTea, i, i), fmt.Sprintf("/%d %d tea", i, i))
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
	_, address, count := parked(t, 100*time.Millisecond)
	gone, silent := connect(t, address), connect(t, address)
	for _, c := range []line{gone, silent} {
		c.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/ ")
	}
	since := time.Now()
	_ = gone.Close()
	if _, err := silent.in.ReadByte(); err != io.EOF || time.Since(since) < 60*time.Millisecond {
		t.Errorf("after its silence, %v: %v", time.Since(since), err)
	}
	until(t, "none is parked", func() bool { return count() == 0 })

	s, address, count := parked(t, time.Minute)
	c := connect(t, address)
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

// A request that stops in the middle is not silence: its connection ends when its
// time is up, and it never goes on as another.
func TestHalfRequestsAreNotParked(t *testing.T) {
	for _, half := range []string{"G", "GET / HTTP/1.1\r\nHost:", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"} {
		t.Run(fmt.Sprint(len(half)), func(t *testing.T) {
			t.Parallel()
			_, address, count := parked(t, time.Minute)
			c := connect(t, address)
			c.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/ ")
			if _, err := io.WriteString(c, half); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c.in); err != nil {
				t.Errorf("it does not end: %v", err)
			}
			if n := count(); n != 0 {
				t.Errorf("%d parked", n)
			}
		})
	}
}

// A byte that came while a call ran is the begin of the next request: what net/http
// has read of it must not be lost by parking.
func TestWhatCameDuringACallIsNotParked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	read, release := make(chan struct{}), make(chan struct{})
	s := &http.Server{IdleTimeout: time.Minute, ReadTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			close(read)
			<-release
		}
		_, _ = io.WriteString(w, r.URL.Path) // the client sees whether it comes
	})}
	p := park(s, l, 50*time.Millisecond).(*parking)
	begun := make(chan struct{}, 10)
	ended := make(chan error)
	go func() { ended <- s.Serve(&watching{p, begun}) }()
	defer func() {
		_ = s.Close()
		<-ended
	}()
	c := connect(t, l.Addr().String())
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-read
	if _, err := io.WriteString(c, "G"); err != nil {
		t.Fatal(err)
	}
	<-begun
	close(release)
	c.ask(t, "", "/wait")
	// The rest does not come in time, so the connection ends; or it comes, and all of
	// the request is there. That of a parked one would begin with its second letter.
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.parked); n != 0 {
		t.Errorf("%d parked", n)
	}
}

// watching tells of reads of one byte that brought it.
type watching struct {
	*parking
	begun chan struct{}
}

func (w *watching) Accept() (net.Conn, error) {
	c, err := w.parking.Accept()
	if p, ok := c.(*parkable); ok {
		p.Conn = &watched{p.Conn, w.begun}
	}
	return c, err
}

type watched struct {
	net.Conn
	begun chan struct{}
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n == 1 && len(b) == 1 {
		w.begun <- struct{}{}
	}
	return n, err
}
