package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// bounded is a front with limits, serving on a real socket, and its address.
func bounded(t *testing.T, in plan.Inbound, secure *tls.Config) (*tools, *Front, string) {
	t.Helper()
	p := &plan.Server{Name: "shop", Version: "1", Inbound: &in, Tools: []plan.Tool{{Name: "echo", Input: `{"type":"object"}`}}}
	c := &tools{release: make(chan struct{})}
	f := New(p, c, Options{TLS: secure, Drain: time.Millisecond})
	c.front = &f
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return c, f, l.Addr().String()
}

// wire is a client's end of a connection. Everything it waits for has a deadline
// far beyond the limits under test.
type wire struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, address string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{t, c, bufio.NewReader(c)}
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads an answer.
func (w *wire) answer() (*http.Response, string) {
	w.t.Helper()
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

// closed waits for the server to close the connection, and says how long that took.
func (w *wire) closed() time.Duration {
	w.t.Helper()
	start := time.Now()
	_, err := io.Copy(io.Discard, w.r)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		w.t.Fatal("the connection is still open")
	}
	return time.Since(start)
}

const postHead = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"

func posted(body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", postHead, len(body), body)
}

const pingText = `{"jsonrpc":"2.0","id":"p1","method":"ping"}`

// refused checks that an answer names a limit and its value.
func refused(t *testing.T, resp *http.Response, body string, status int, limit string, value int) {
	t.Helper()
	if want := fmt.Sprintf(`"data":{"limit":%q,"value":%d}`, limit, value); resp.StatusCode != status || !strings.Contains(body, want) || !strings.Contains(body, "limits."+limit) {
		t.Errorf("status %d, %s; want %d with %s", resp.StatusCode, body, status, want)
	}
	if after := resp.Header.Get("Retry-After"); (after != "") != (status == 503) {
		t.Errorf("%d with Retry-After %q", status, after)
	}
}

// What is too much is refused in a way that names the limit.
func TestLimitsNameThemselves(t *testing.T) {
	_, _, address := bounded(t, plan.Inbound{Body: 1 << 10, Headers: 2 << 10, HeaderCount: 20, Depth: 10, Name: 64, Batch: 2}, nil)
	long := strings.Repeat("n", 65)
	for _, tt := range []struct {
		name, text string
		status     int
		limit      string
		value      int
		id         string
	}{
		{"a body", posted(`{"a":"` + strings.Repeat("a", 1<<10) + `"}`), 413, "body", 1 << 10, "null"},
		{"a body in chunks", postHead + "Transfer-Encoding: chunked\r\n\r\n800\r\n" + strings.Repeat(" ", 0x800) + "\r\n0\r\n\r\n", 413, "body", 1 << 10, "null"},
		{"a body that is announced only", postHead + "Content-Length: 99999999999\r\n\r\n{", 413, "body", 1 << 10, "null"},
		{"headers", postHead + "X-A: " + strings.Repeat("a", 2<<10) + "\r\nContent-Length: 0\r\n\r\n", 431, "headers", 2 << 10, "null"},
		{"a target", "POST /mcp?" + strings.Repeat("a", 2<<10) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 431, "headers", 2 << 10, "null"},
		{"header lines", postHead + strings.Repeat("X-A: a\r\n", 20) + "Content-Length: 0\r\n\r\n", 431, "header_count", 20, "null"},
		{"depth", posted(`{"jsonrpc":"2.0","id":1,"method":"ping","params":` + strings.Repeat(`{"a":`, 10) + "1" + strings.Repeat("}", 11)), 400, "depth", 10, "null"},
		{"a method", posted(`{"jsonrpc":"2.0","id":7,"method":"` + long + `"}`), 400, "name", 64, "7"},
		{"a tool", posted(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + long + `"}}`), 400, "name", 64, "7"},
		{"a progress token", posted(`{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"progressToken":"` + long + `"}}}`), 400, "name", 64, "7"},
		{"an id", posted(`{"jsonrpc":"2.0","id":"` + long + `","method":"ping"}`), 400, "name", 64, "null"},
		{"an id of digits", posted(`{"jsonrpc":"2.0","id":` + strings.Repeat("9", 65) + `,"method":"ping"}`), 400, "name", 64, "null"},
		{"a session", postHead + "Mcp-Session-Id: " + long + "\r\nContent-Length: 43\r\n\r\n" + pingText, 400, "name", 64, "null"},
		{"a batch", posted("[" + pingText + "," + pingText + "," + pingText + "]"), 400, "batch", 2, "null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := dial(t, address)
			w.send(tt.text)
			resp, body := w.answer()
			refused(t, resp, body, tt.status, tt.limit, tt.value)
			if !strings.HasPrefix(body, `{"jsonrpc":"2.0","id":`+tt.id+`,"error":{`) {
				t.Errorf("the id is not %s: %s", tt.id, body)
			}
		})
	}
	t.Run("headers beyond what is read", func(t *testing.T) { // net/http's own answer
		w := dial(t, address)
		w.send(postHead + "X-A: " + strings.Repeat("a", 1<<14) + "\r\n\r\n")
		if resp, body := w.answer(); resp.StatusCode != 431 {
			t.Errorf("status %d, %s", resp.StatusCode, body)
		}
		w.closed()
	})
	t.Run("just enough", func(t *testing.T) {
		w := dial(t, address)
		for _, text := range []string{
			posted(pingText + strings.Repeat(" ", 1<<10-len(pingText))),
			posted(`{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 62) + `","method":"ping"}`),
			posted("[" + pingText + "," + pingText + "]"),
		} {
			w.send(text)
			if resp, body := w.answer(); resp.StatusCode != 200 || !strings.Contains(body, `"result":{}`) {
				t.Errorf("status %d, %s", resp.StatusCode, body)
			}
		}
	})
}

// The limits of a message hold on stdio, too.
func TestLimitsStdio(t *testing.T) {
	p := &plan.Server{Name: "shop", Version: "1", Inbound: &plan.Inbound{Body: 200, Depth: 10, Name: 64, Batch: 2}}
	f := New(p, &tools{}, Options{})
	got := stdio(t, f,
		strings.Repeat("x", 300),
		`{"jsonrpc":"2.0","id":1,"method":"ping","params":`+strings.Repeat(`{"a":`, 10)+"1"+strings.Repeat("}", 11),
		`{"jsonrpc":"2.0","id":2,"method":"`+strings.Repeat("m", 65)+`"}`,
		pingText)
	for i, want := range []string{`"id":null,"error":{"code":-32600,"message":"the message is larger than the limit of 200 bytes`, `{"limit":"depth","value":10}`, `"id":2,"error"`, `"id":"p1","result":{}`} {
		if i >= len(got) || !strings.Contains(got[i], want) {
			t.Errorf("line %d of %q, want %s", i, got, want)
		}
	}
}

// As many requests are worked on as there may be; the next is refused under its id,
// and taken when there is room again. A batch counts as what it holds.
func TestRequestsAtOnce(t *testing.T) {
	c, _, address := bounded(t, plan.Inbound{Requests: 1}, nil)
	c.started = make(chan string, 1)
	first := dial(t, address)
	first.send(posted(callOf(Legacy, "1", "wait", `{}`)))
	<-c.started
	second := dial(t, address)
	second.send(posted(pingText))
	resp, body := second.answer()
	refused(t, resp, body, 503, "requests", 1)
	if !strings.Contains(body, `"id":"p1"`) {
		t.Errorf("the id is not in %s", body)
	}
	second.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if resp, _ := second.answer(); resp.StatusCode != 200 {
		t.Errorf("alive: %d", resp.StatusCode)
	}
	close(c.release)
	if resp, body := first.answer(); resp.StatusCode != 200 {
		t.Errorf("the first: %d %s", resp.StatusCode, body)
	}
	second.send(posted(pingText))
	if resp, body := second.answer(); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", resp.StatusCode, body)
	}
	second.send(posted("[" + pingText + "," + pingText + "]"))
	resp, body = second.answer()
	refused(t, resp, body, 503, "requests", 1)
}

// What all requests hold is bounded, and large ones cannot take what small ones
// need. A request that ends, however it does, gives back what it held.
func TestBodiesAtOnce(t *testing.T) {
	_, f, address := bounded(t, plan.Inbound{Body: 1 << 20, Bodies: 256 << 10, RequestTimeout: 300 * time.Millisecond}, nil)
	large := dial(t, address)
	large.send(postHead + "Content-Length: 1000000\r\n\r\n" + strings.Repeat(" ", 200<<10))
	resp, body := large.answer()
	refused(t, resp, body, 503, "bodies", 256<<10)
	slow := dial(t, address)
	slow.send(postHead + "Content-Length: 1000000\r\n\r\n" + strings.Repeat(" ", 70<<10))
	small := dial(t, address)
	for range 3 {
		small.send(posted(pingText + strings.Repeat(" ", 60<<10)))
		if resp, body := small.answer(); resp.StatusCode != 200 {
			t.Errorf("a small one: %d %s", resp.StatusCode, body)
		}
	}
	resp, body = slow.answer()
	refused(t, resp, body, 408, "request_timeout", 300)
	slow.closed()
	for range 20_000 {
		if f.host.bodies.n.Load() == 0 {
			return
		}
		time.Sleep(100 * time.Microsecond) // the handlers' last lines
	}
	t.Errorf("%d bytes are held for nobody", f.host.bodies.n.Load())
}

// Of too many connections the one that has been silent for longest is closed; where
// none is silent, the new one is told.
func TestConnectionsAtOnce(t *testing.T) {
	c, _, address := bounded(t, plan.Inbound{Connections: 2}, nil)
	c.started = make(chan string, 2)
	silent, used := dial(t, address), dial(t, address)
	used.send(posted(pingText))
	used.answer()
	// The silent one is older, but the other was used in between.
	third := dial(t, address)
	third.send(posted(callOf(Legacy, "1", "wait", `{}`)))
	<-c.started
	silent.closed()
	used.send(posted(callOf(Legacy, "2", "wait", `{}`)))
	<-c.started
	fourth := dial(t, address)
	fourth.send(posted(pingText))
	resp, body := fourth.answer()
	refused(t, resp, body, 503, "connections", 2)
	fourth.closed()
	close(c.release)
	for _, w := range []*wire{third, used} {
		if resp, body := w.answer(); resp.StatusCode != 200 {
			t.Errorf("a request under way: %d %s", resp.StatusCode, body)
		}
	}
	fifth := dial(t, address)
	fifth.send(posted(pingText))
	if resp, _ := fifth.answer(); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
}

// So many streams listen; the next client is told, and the others are served on.
func TestStreamsAtOnce(t *testing.T) {
	p := &plan.Server{Name: "shop", Version: "1", Inbound: &plan.Inbound{Streams: 1}}
	f := New(p, &tools{}, Options{Changes: true, Drain: time.Millisecond})
	web := httptest.NewServer(f.Handler())
	defer web.Close()
	address := web.Listener.Addr().String()
	const get = "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
	first := dial(t, address)
	first.send(get)
	resp, err := http.ReadResponse(first.r, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	second := dial(t, address)
	second.send(get)
	resp, body := second.answer()
	refused(t, resp, body, 503, "streams", 1)
	second.send(posted(pingText))
	if resp, body := second.answer(); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	_ = first.Close()
}

// A connection carries so many requests and is then closed by its last answer.
func TestRequestsOfAConnection(t *testing.T) {
	_, _, address := bounded(t, plan.Inbound{ConnectionRequests: 3}, nil)
	w := dial(t, address)
	for i := range 3 {
		w.send(posted(pingText))
		if resp, _ := w.answer(); resp.StatusCode != 200 || resp.Close != (i == 2) {
			t.Errorf("answer %d: %d, closing: %v", i, resp.StatusCode, resp.Close)
		}
	}
	w.closed()
}

// Clients that take their time, on real sockets: what is too slow is closed within
// its limit, and nothing else.
func TestSlowSockets(t *testing.T) {
	const limit = 150 * time.Millisecond
	const slack = 5 * time.Second // a busy machine's
	c, f, address := bounded(t, plan.Inbound{HeaderTimeout: limit, RequestTimeout: 4 * limit, IdleTimeout: limit, WriteTimeout: 2 * limit, Streams: 1, ConnectionRequests: 1 << 30}, nil)
	within := func(t *testing.T, took, least time.Duration) {
		t.Helper()
		if took < least/2 || took > least+slack {
			t.Errorf("closed after %v, the limit is %v", took, least)
		}
	}
	t.Run("not a byte", func(t *testing.T) { within(t, dial(t, address).closed(), limit) })
	t.Run("half a request line", func(t *testing.T) {
		w := dial(t, address)
		w.send("POST /m")
		within(t, w.closed(), limit)
	})
	t.Run("headers byte by byte", func(t *testing.T) {
		w := dial(t, address)
		w.send(postHead)
		stop := make(chan struct{})
		go func() { // each byte is on time, and all of them are not
			for {
				select {
				case <-stop:
					return
				case <-time.After(limit / 10):
					if _, err := io.WriteString(w.Conn, "a"); err != nil {
						return
					}
				}
			}
		}()
		within(t, w.closed(), limit)
		close(stop)
	})
	t.Run("half a body", func(t *testing.T) {
		w := dial(t, address)
		w.send(postHead + "Content-Length: 100\r\n\r\n{")
		start := time.Now()
		resp, body := w.answer()
		refused(t, resp, body, 408, "request_timeout", 600)
		w.closed()
		within(t, time.Since(start), 4*limit)
	})
	t.Run("idle after an answer", func(t *testing.T) {
		w := dial(t, address)
		w.send(posted(pingText))
		w.answer()
		within(t, w.closed(), limit)
	})
	t.Run("a client that left with a call under way", func(t *testing.T) {
		c.started, c.cancelled = make(chan string, 1), make(chan string, 1)
		w := dial(t, address)
		w.send(posted(callOf(Legacy, "1", "wait", `{}`)))
		<-c.started
		_ = w.Close()
		select {
		case <-c.cancelled:
		case <-time.After(slack):
			t.Error("its call goes on")
		}
		c.started, c.cancelled = nil, nil
	})
	// What the sockets hold is some megabytes.
	big := posted(callOf(Legacy, "1", "large", "{}"))
	t.Run("nothing read of large answers", func(t *testing.T) {
		w := dial(t, address)
		start := time.Now()
		for range 20 {
			if _, err := io.WriteString(w, big); err != nil {
				break // closed already
			}
		}
		w.abandoned(start, 2*limit+slack)
	})
	t.Run("nothing read of many small answers", func(t *testing.T) {
		w := dial(t, address)
		start := time.Now()
		ahead := strings.Repeat(posted(pingText), 1000)
		for range 1000 {
			if _, err := io.WriteString(w, ahead); err != nil {
				break
			}
		}
		w.abandoned(start, 4*slack)
	})
	t.Run("a slow reader", func(t *testing.T) { // but one who reads
		for _, accept := range []string{"application/json", "text/event-stream"} {
			w := dial(t, address)
			_ = w.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			w.send(strings.Replace(big, "application/json, text/event-stream", accept, 1))
			resp, err := http.ReadResponse(w.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			var n int64
			for {
				m, err := io.CopyN(io.Discard, resp.Body, 1<<20)
				if n += m; err != nil {
					break
				}
				time.Sleep(limit / 2) // all of it takes three times the limit
			}
			if n < 16<<20 {
				t.Errorf("%d bytes of %s came: %d %v", n, accept, resp.StatusCode, resp.Header)
			}
		}
	})
	t.Run("a slow call", func(t *testing.T) {
		w := dial(t, address)
		w.send(posted(callOf(Legacy, "1", "sleep", `{"d":"800ms"}`)))
		if _, body := w.answer(); !strings.Contains(body, "800ms") {
			t.Errorf("it was cut: %s", body)
		}
	})
	t.Run("a long stream", func(t *testing.T) {
		w, plain := dial(t, address), dial(t, address)
		call := func(id string) string {
			return posted(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"sleep","arguments":{"d":"1300ms"},"_meta":{"progressToken":"t"}}}`)
		}
		w.send(call("1"))
		for range 20_000 {
			if f.host.streams.n.Load() > 0 {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
		plain.send(call("2"))
		resp, body := w.answer()
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") || !strings.Contains(body, "notifications/progress") || !strings.Contains(body, `"id":1,"result"`) {
			t.Errorf("%v %s", resp.Header, body)
		}
		// One stream more than there may be is answered without one.
		if resp, body := plain.answer(); resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"id":2,"result"`) {
			t.Errorf("%v %s", resp.Header, body)
		}
	})
	t.Run("the others", func(t *testing.T) {
		w := dial(t, address)
		w.send(posted(pingText))
		if resp, _ := w.answer(); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// abandoned waits until the server has given the connection up, without reading:
// from then on writing fails.
func (w *wire) abandoned(since time.Time, most time.Duration) {
	w.t.Helper()
	for time.Since(since) < most {
		if _, err := io.WriteString(w, "x"); err != nil {
			if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Errorf("the connection is still open after %v", most)
}

// certificateOf is a TLS configuration for localhost.
func certificateOf(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// A handshake that never comes is waited for no longer than headers are.
func TestNoHandshake(t *testing.T) {
	const limit = 150 * time.Millisecond
	_, _, address := bounded(t, plan.Inbound{HeaderTimeout: limit}, certificateOf(t))
	for _, sent := range []string{"", "\x16\x03\x01", posted(pingText)} {
		w := dial(t, address)
		w.send(sent)
		if took := w.closed(); took > limit+5*time.Second {
			t.Errorf("after %q it was closed in %v", sent, took)
		}
	}
}

// Over HTTP/2 a client can open many streams on a connection and stop each by giving
// it no window: there are so many, and each is given up.
func TestHTTP2(t *testing.T) {
	const limit = 200 * time.Millisecond
	_, _, address := bounded(t, plan.Inbound{ConnectionStreams: 3, RequestTimeout: limit, WriteTimeout: limit, Connections: 1}, certificateOf(t))
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	fr := http2.NewFramer(c, c)
	if err := fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":path", "/mcp"}, {":authority", "localhost"}, {"content-type", "application/json"}} {
		_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if err := fr.WriteData(1, true, []byte(pingText)); err != nil {
		t.Fatal(err)
	}
	streams, reset := uint32(0), false
	for !reset || streams == 0 {
		frame, err := fr.ReadFrame()
		if err != nil {
			t.Fatalf("before the stream without a window was given up: %v", err)
		}
		switch x := frame.(type) {
		case *http2.SettingsFrame:
			if v, ok := x.Value(http2.SettingMaxConcurrentStreams); ok {
				streams = v
			}
		case *http2.RSTStreamFrame:
			reset = x.StreamID == 1
		case *http2.DataFrame:
			t.Fatal("data came without a window")
		}
	}
	if streams != 3 {
		t.Errorf("%d streams at once are allowed", streams)
	}
}

// listening serves a front whose lists change, so that clients can listen.
func listening(t *testing.T, in plan.Inbound, secure *tls.Config, drain time.Duration) (address string, end func() error) {
	t.Helper()
	c := &tools{}
	f := New(&plan.Server{Name: "shop", Version: "1", Inbound: &in, Tools: []plan.Tool{{Name: "echo", Input: `{"type":"object"}`}}}, c, Options{TLS: secure, Drain: drain, Changes: true})
	c.front = &f
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, l) }()
	end = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = end() })
	return l.Addr().String(), end
}

// A server that ends does not wait for clients that listen: their streams end in
// order, at once.
func TestDrainEndsStreams(t *testing.T) {
	address, end := listening(t, plan.Inbound{}, nil, time.Minute)
	c := dial(t, address)
	c.send("GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	if _, err := res.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := end(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the server waited %v for a client that listens", took)
	}
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
}

// A client that listens over HTTP/2 is not cut off by the limits of a request.
func TestListenersOverHTTP2Stay(t *testing.T) {
	const limit = 100 * time.Millisecond
	address, end := listening(t, plan.Inbound{RequestTimeout: limit, HeaderTimeout: limit, WriteTimeout: limit}, certificateOf(t), time.Minute)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 {
		t.Fatal(res.Proto, res.Status)
	}
	over := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		over <- err
	}()
	select {
	case err := <-over:
		t.Fatalf("the stream ended by itself: %v", err)
	case <-time.After(6 * limit): // all of them are over
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if err := <-over; err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
}

// Floods of HTTP/2 that cost their sender little end the connection, and others are
// served.
func TestHTTP2Floods(t *testing.T) {
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":path", "/mcp"}, {":authority", "localhost"}, {"content-type", "application/json"}} {
		_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	for name, flood := range map[string]func(fr *http2.Framer, i uint32) error{
		"rapid reset": func(fr *http2.Framer, i uint32) error {
			// Requests that are given up as soon as they are made.
			if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: head.Bytes(), EndHeaders: true}); err != nil {
				return err
			}
			return fr.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		},
		"continuation": func(fr *http2.Framer, i uint32) error {
			// Headers that never end.
			if i == 0 {
				return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes()})
			}
			var more bytes.Buffer
			_ = hpack.NewEncoder(&more).WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: strings.Repeat("x", 8000), Sensitive: true})
			return fr.WriteContinuation(1, false, more.Bytes())
		},
		"table bomb": func(fr *http2.Framer, i uint32) error {
			// One large header, named again and again by one byte.
			if i > 0 {
				return fr.WriteData(1, true, nil)
			}
			bomb := bytes.NewBuffer(bytes.Clone(head.Bytes()))
			_ = hpack.NewEncoder(bomb).WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 3000)})
			bomb.Write(bytes.Repeat([]byte{0x80 | 62}, 12_000))
			return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bomb.Bytes(), EndHeaders: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, f, address := bounded(t, plan.Inbound{}, certificateOf(t))
			c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
				t.Fatal(err)
			}
			fr := http2.NewFramer(c, c)
			if err := fr.WriteSettings(); err != nil {
				t.Fatal(err)
			}
			// The flooder reads nothing, so what the server would say adds up there.
			ended := false
			for i := range uint32(200_000) {
				if err := flood(fr, i); err != nil {
					var late net.Error
					ended = !errors.As(err, &late) || !late.Timeout()
					break
				}
			}
			if !ended {
				// It may have stopped listening without our noticing: then it says so.
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				for err == nil && !ended {
					var frame http2.Frame
					if frame, err = fr.ReadFrame(); err == nil {
						_, away := frame.(*http2.GoAwayFrame)
						_, reset := frame.(*http2.RSTStreamFrame)
						ended = ended || away || reset
					}
				}
				var late net.Error
				ended = ended || !errors.As(err, &late) || !late.Timeout()
			}
			if !ended {
				t.Error("it goes on for ever")
			}
			client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
			defer client.CloseIdleConnections()
			res, err := client.Post("https://"+address+"/mcp", "application/json", strings.NewReader(pingText))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Error(res.Status)
			}
			_ = c.Close()
			until(t, "nothing of it is left", func() bool { return f.serving.inFlight.Load() == 0 && f.host.bodies.n.Load() == 0 })
		})
	}
}
