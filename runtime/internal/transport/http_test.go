package transport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The headers of a modern request say what its body says, or it is refused.
func TestHeadersAgree(t *testing.T) {
	f, _ := newFront(t, Options{})
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + modernMeta + `}}`
	call := callOf(Modern, "1", "echo", "{}")
	const version, method, name = "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"
	for _, tt := range []struct {
		name    string
		body    string
		headers http.Header // nil as a value: sent as it should be
		status  int
		code    string // part of the body
	}{
		{"all agree", call, http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"echo"}}, 200, `"result"`},
		{"a name in Base64", call, http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"=?base64?ZWNobw==?="}}, 200, `"result"`},
		{"a name that is no Base64", call, http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"=?base64?!?="}}, 400, "-32020"},
		{"no name", call, http.Header{version: {"2026-07-28"}, method: {"tools/call"}}, 400, "-32020"},
		{"another name", call, http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"wait"}}, 400, "-32020"},
		{"two names", call, http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"echo", "wait"}}, 400, "-32020"},
		{"no method", list, http.Header{version: {"2026-07-28"}}, 400, "-32020"},
		{"another method", list, http.Header{version: {"2026-07-28"}, method: {"prompts/list"}}, 400, "-32020"},
		{"another case", list, http.Header{version: {"2026-07-28"}, method: {"TOOLS/LIST"}}, 400, "-32020"},
		{"no version in the header", list, http.Header{method: {"tools/list"}}, 400, "-32020"},
		{"two versions in the header", list, http.Header{version: {"2026-07-28", "2025-11-25"}, method: {"tools/list"}}, 400, "-32020"},
		{"another version in the body", strings.Replace(list, "2026-07-28", "2027-01-01", 1), http.Header{version: {"2026-07-28"}, method: {"tools/list"}}, 400, "-32020"},
		{"a version nobody knows", strings.Replace(list, "2026-07-28", "v9", 1), http.Header{version: {"v9"}, method: {"tools/list"}}, 400,
			`"id":1,"error":{"code":-32022,"message":"unsupported protocol version","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"requested":"v9"}}`},
		{"an old version nobody knows", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, http.Header{version: {"2024-01-01"}}, 400, "-32022"},
		{"the revision of another transport", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, http.Header{version: {"2024-11-05"}}, 400, "-32022"},
		{"no _meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, http.Header{version: {"2026-07-28"}, method: {"tools/list"}}, 400, "-32602"},
		{"no capabilities", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, http.Header{version: {"2026-07-28"}, method: {"tools/list"}}, 400, "-32602"},
		{"a response", `{"jsonrpc":"2.0","id":1,"result":{}}`, http.Header{version: {"2026-07-28"}}, 400, "-32600"},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/x"}`, http.Header{version: {"2026-07-28"}, method: {"notifications/x"}}, 202, ""},
		{"a notification under another name", `{"jsonrpc":"2.0","method":"notifications/x"}`, http.Header{version: {"2026-07-28"}, method: {"notifications/y"}}, 400, "-32020"},
		{"a legacy notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, http.Header{version: {"2025-06-18"}}, 202, ""},
		{"a legacy response", `{"jsonrpc":"2.0","id":1,"result":{}}`, http.Header{version: {"2025-06-18"}}, 202, ""},
		{"a legacy request without a version", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, http.Header{}, 200, `"result":{}`},
		{"a parameter without its header", callOf(Modern, "1", "mirrored", `{"region":"eu"}`), http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"mirrored"}}, 400, "-32020"},
		{"a parameter and another header", callOf(Modern, "1", "mirrored", `{"region":"eu"}`), http.Header{version: {"2026-07-28"}, method: {"tools/call"}, name: {"mirrored"}, "Mcp-Param-Region": {"us"}}, 400, "-32020"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			for k, v := range tt.headers {
				for _, v := range v {
					r.Header.Add(k, v)
				}
			}
			status, body := serve(f, r)
			if status != tt.status || !strings.Contains(body, tt.code) {
				t.Errorf("status %d, body %s; want %d with %s", status, body, tt.status, tt.code)
			}
			if status == 202 && body != "" {
				t.Errorf("a body where none belongs: %s", body)
			}
		})
	}
}

// What is refused before a message is read.
func TestFrontDoor(t *testing.T) {
	f, _ := newFront(t, Options{AllowedHosts: []string{"Shop.example", "other.example:8443"}, AllowedOrigins: []string{"https://app.example"}})
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	edit := func(change func(*http.Request)) *http.Request {
		r := request(Legacy, "", "", ping)
		change(r)
		return r
	}
	host := func(h string) *http.Request { return edit(func(r *http.Request) { r.Host = h }) }
	head := func(k, v string) *http.Request { return edit(func(r *http.Request) { r.Header.Set(k, v) }) }
	method := func(m string) *http.Request { return edit(func(r *http.Request) { r.Method = m }) }
	for _, tt := range []struct {
		name   string
		r      *http.Request
		status int
		text   string
	}{
		{"localhost", host("localhost:80"), 200, ""},
		{"IPv6", host("[::1]:80"), 200, ""},
		{"IPv6 without a port", host("[::1]"), 200, ""},
		{"another loopback address", host("127.8.9.1"), 200, ""},
		{"an allowed host", host("shop.example:99"), 200, ""},
		{"an allowed host and port", host("other.example:8443"), 200, ""},
		{"an allowed host on another port", host("other.example:1"), 403, "Host"},
		{"a foreign host", host("evil.example"), 403, "Host"},
		{"a host that begins well", host("localhost.evil.example"), 403, "Host"},
		{"no host", host(""), 403, "Host"},
		{"a local page", head("Origin", "http://localhost:3000"), 200, ""},
		{"an allowed page", head("Origin", "https://app.example"), 200, ""},
		{"a foreign page", head("Origin", "https://evil.example"), 403, "Origin"},
		{"a page of nowhere", head("Origin", "null"), 403, "Origin"},
		{"a scheme that is no page", head("Origin", "file://localhost"), 403, "Origin"},
		{"GET", method("GET"), 405, "POST"},
		{"DELETE", method("DELETE"), 405, "POST"},
		{"PUT", method("PUT"), 405, "POST"},
		{"text", head("Content-Type", "text/plain"), 415, "application/json"},
		{"no type", head("Content-Type", ""), 415, "application/json"},
		{"JSON with a charset", head("Content-Type", "Application/JSON; charset=utf-8"), 200, ""},
		{"gzip", head("Content-Encoding", "gzip"), 415, "Content-Encoding"},
		{"anything", head("Accept", "*/*"), 200, ""},
		{"JSON only", head("Accept", "application/json"), 200, ""},
		{"events only", head("Accept", "text/event-stream"), 200, "event: message\ndata: {"},
		{"a picture", head("Accept", "image/png"), 406, "Accept"},
		{"another path", edit(func(r *http.Request) { r.URL.Path = "/" }), 404, "/mcp"},
		{"alive", edit(func(r *http.Request) { r.URL.Path, r.Host = "/healthz", "10.0.0.1" }), 200, "alive"},
		{"ready", edit(func(r *http.Request) { r.URL.Path, r.Host = "/readyz", "10.0.0.1" }), 200, "ready"},
		{"no JSON", request(Legacy, "", "", `{`), 400, "-32700"},
		{"too large", request(Legacy, "", "", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"`+strings.Repeat("a", int(defaults.Body))+`"}}`), 413, "4194304 bytes"},
		{"too large and not announced", edit(func(r *http.Request) {
			r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(strings.Repeat(" ", int(defaults.Body)+1)))
		}), 413, "4194304 bytes"},
		{"just not too large", request(Legacy, "", "", ping+strings.Repeat(" ", int(defaults.Body)-len(ping))), 200, ""},
		{"too deep", request(Legacy, "", "", `{"jsonrpc":"2.0","id":1,"method":"ping","params":`+strings.Repeat(`{"a":`, 200)+`1`+strings.Repeat(`}`, 201)), 400, "128 levels"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			f.Handler().ServeHTTP(w, tt.r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("status %d, body %s; want %d with %q", w.Code, w.Body, tt.status, tt.text)
			}
			if w.Code == 405 && w.Header().Get("Allow") != "POST" {
				t.Errorf("Allow is %q", w.Header().Get("Allow"))
			}
			if ct := w.Header().Get("Content-Type"); ct == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("no JSON: %s", w.Body)
			}
		})
	}
}

// Only an origin that was allowed by name may be read by a browser's page.
func TestCrossOrigin(t *testing.T) {
	f, _ := newFront(t, Options{AllowedOrigins: []string{"https://app.example"}})
	for origin, want := range map[string]string{"https://app.example": "https://app.example", "http://localhost:1": ""} {
		r := request(Legacy, "", "", "")
		r.Method = "OPTIONS"
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "mcp-method")
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Expose-Headers"); strings.Contains(got, "X-Request-Id") != (want != "") {
			t.Errorf("%s may read %q", origin, got)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: allowed %q", origin, got)
		}
		if ok := w.Code == 204 && w.Header().Get("Access-Control-Allow-Headers") == "mcp-method"; ok != (want != "") {
			t.Errorf("%s: status %d, headers %v", origin, w.Code, w.Header())
		}
	}
}

func TestBatchHTTP(t *testing.T) {
	f, _ := newFront(t, Options{})
	post := func(version, body string) (int, string) {
		r := request(Legacy, "", "", body)
		r.Header.Del("MCP-Protocol-Version")
		if version != "" {
			r.Header.Set("MCP-Protocol-Version", version)
		}
		return serve(f, r)
	}
	const ping, note = `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	for _, tt := range []struct {
		name, version, body string
		status              int
		want                string
	}{
		{"two requests and a notification", "2025-03-26", `[` + ping + `,` + note + `,` + callOf(Legacy, `"b"`, "nope", "{}") + `]`, 200,
			`[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":"b","error":{"code":-32602,…}}]`},
		{"no version", "", ` [` + ping + `]`, 200, `[{"jsonrpc":"2.0","id":1,"result":{}}]`},
		{"only notifications", "", `[` + note + `]`, 202, ``},
		{"one of them broken", "", `[1,` + ping + `]`, 200, `[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,…}},{"jsonrpc":"2.0","id":1,"result":{}}]`},
		{"initialize", "", `[{"jsonrpc":"2.0","id":1,"method":"initialize"}]`, 200, `[{"jsonrpc":"2.0","id":1,"error":{"code":-32600,…}}]`},
		{"empty", "", `[]`, 400, `…-32600…`},
		{"too many", "", `[` + strings.Repeat(ping+",", 64) + ping + `]`, 400, `…at most 64…`},
		{"broken", "", `[` + ping, 400, `…-32700…`},
		{"a revision without batches", "2025-06-18", `[` + ping + `]`, 400, `…2025-03-26 only…`},
		{"a modern one", "2026-07-28", `[` + ping + `]`, 400, `…2025-03-26 only…`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := post(tt.version, tt.body)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			check(t, body, tt.want)
		})
	}
}

// A call that takes long tells so, if it is asked to: first after a second,
// then every two, then every five; and the response comes last.
func TestProgressHTTP(t *testing.T) {
	slow := func(e Era, duration string) string {
		return strings.Replace(callOf(e, "1", "sleep", fmt.Sprintf(`{"d":%q}`, duration)), `"name"`, `"_meta":{"progressToken":"p"},"name"`, 1)
	}
	for _, tt := range []struct {
		name, body string
		seconds    []string // of the notes
	}{
		{"fast", slow(Legacy, "900ms"), nil},
		{"slow", slow(Legacy, "16500ms"), []string{"1", "3", "5", "7", "9", "11", "16"}},
		{"slow but silent", callOf(Legacy, "1", "sleep", `{"d":"16500ms"}`), nil},
		{"modern", strings.Replace(callOf(Modern, "1", "sleep", `{"d":"3500ms"}`), `"_meta":{`, `"_meta":{"progressToken":"p",`, 1), []string{"1", "3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, _ := newFront(t, Options{})
				e := Legacy
				if strings.Contains(tt.body, "2026") {
					e = Modern
				}
				w := httptest.NewRecorder()
				f.Handler().ServeHTTP(w, request(e, "tools/call", "sleep", tt.body))
				if tt.seconds == nil {
					if w.Header().Get("Content-Type") != "application/json" || !strings.HasPrefix(w.Body.String(), `{"jsonrpc":"2.0","id":1,"result":`) {
						t.Errorf("%s: %s", w.Header(), w.Body)
					}
					return
				}
				if w.Header().Get("Content-Type") != "text/event-stream" || w.Header().Get("X-Accel-Buffering") != "no" {
					t.Errorf("headers %v", w.Header())
				}
				var want strings.Builder
				for _, s := range tt.seconds {
					fmt.Fprintf(&want, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"p\",\"progress\":%s,\"message\":\"still waiting after %s s\"}}\n\n", s, s)
				}
				check(t, w.Body.String(), want.String()+`event: message…data: {"jsonrpc":"2.0","id":1,"result":…`)
			})
		})
	}
}

// listen serves a front on a real socket and returns its URL.
func listen(t testing.TB, ctx context.Context, f *Front) (url string, ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, l) }()
	return "http://" + l.Addr().String(), done
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

func post(t testing.TB, ctx context.Context, url string, e Era, tool, body string) (string, error) {
	t.Helper()
	r := request(e, "tools/call", tool, body)
	out, err := http.NewRequestWithContext(ctx, "POST", url+"/mcp", r.Body)
	if err != nil {
		t.Fatal(err)
	}
	out.Header = r.Header
	resp, err := client.Do(out)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// Clients that use the same ids at the same time get what is theirs.
func TestCollidingIDsHTTP(t *testing.T) {
	f, _ := newFront(t, Options{})
	url, _ := listen(t, t.Context(), f)
	var wg sync.WaitGroup
	for client := range 2 {
		for _, e := range []Era{Legacy, Modern} {
			wg.Go(func() {
				for round := range 1000 {
					secret := fmt.Sprintf("client %d, era %d, round %d", client, e, round)
					body, err := post(t, t.Context(), url, e, "echo", callOf(e, fmt.Sprint(round), "echo", fmt.Sprintf(`{"a":%q}`, secret)))
					if err != nil {
						t.Error(err)
						return
					}
					if !strings.HasPrefix(body, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, round)) || !strings.Contains(body, secret) {
						t.Errorf("%s got %s", secret, body)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// A client that goes away ends its call. A notification ends nobody's.
func TestCancellationHTTP(t *testing.T) {
	f, c := newFront(t, Options{})
	c.started, c.cancelled = make(chan string), make(chan string)
	url, _ := listen(t, t.Context(), f)

	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := post(t, ctx, url, Legacy, "wait", callOf(Legacy, "1", "wait", `{"who":"leaves"}`))
		gone <- err
	}()
	<-c.started
	stays := make(chan string)
	go func() {
		body, _ := post(t, t.Context(), url, Legacy, "wait", callOf(Legacy, "1", "wait", `{"who":"stays"}`))
		stays <- body
	}()
	<-c.started
	if _, err := post(t, t.Context(), url, Legacy, "", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-gone; err == nil {
		t.Error("the client that left got an answer")
	}
	if who := <-c.cancelled; !strings.Contains(who, "leaves") {
		t.Errorf("%s was cancelled", who)
	}
	close(c.release)
	if body := <-stays; !strings.Contains(body, "stays") {
		t.Errorf("the client that stayed got %s", body)
	}
}

// When the server is told to end, readiness ends first, calls in flight are
// finished, new ones are refused, and Serve returns nil.
func TestDrain(t *testing.T) {
	f, c := newFront(t, Options{})
	c.started = make(chan string)
	ctx, end := context.WithCancel(t.Context())
	url, ended := listen(t, ctx, f)
	get := func(path string) string {
		resp, err := client.Get(url + path)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.Status + " " + strings.TrimSpace(string(b))
	}
	if s := get("/readyz"); s != "200 OK ready" {
		t.Errorf("before: %s", s)
	}
	answer := make(chan string)
	go func() {
		body, err := post(t, t.Context(), url, Modern, "wait", callOf(Modern, "1", "wait", `{"who":"last"}`))
		answer <- fmt.Sprint(body, err)
	}()
	<-c.started
	end()
	s := get("/readyz")
	for s == "200 OK ready" {
		s = get("/readyz") // until Serve has noticed
	}
	if s != "503 Service Unavailable draining" {
		t.Errorf("while draining: %s", s)
	}
	if s := get("/healthz"); s != "200 OK alive" {
		t.Errorf("while draining: %s", s)
	}
	if body, err := post(t, t.Context(), url, Legacy, "echo", callOf(Legacy, "2", "echo", "{}")); err != nil || !strings.Contains(body, "shutting down") {
		t.Errorf("a new call: %s, %v", body, err)
	}
	close(c.release)
	if a := <-answer; !strings.Contains(a, "last") {
		t.Errorf("the call in flight: %s", a)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if s := get("/healthz"); !strings.Contains(s, "refused") {
		t.Errorf("after: %s", s)
	}
}

// pipes is a listener whose connections are in memory, for time that is not
// real.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial returns the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// A call that outlives the drain time is cut off, and the end is still orderly.
func TestDrainDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f, _ := newFront(t, Options{Drain: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		l := newPipes()
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- f.Serve(ctx, l) }()
		c := l.dial()
		var wire bytes.Buffer
		r := request(Legacy, "", "", callOf(Legacy, "1", "sleep", `{"d":"1h"}`))
		if err := r.Write(&wire); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(wire.Bytes()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("it took %v", d)
		}
		if !strings.Contains(log.String(), "cut off") {
			t.Errorf("log: %s", log.String())
		}
		if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
			t.Errorf("read %q, %v", b, err)
		}
		synctest.Wait()
	})
}

// A slow client cannot hold a connection: headers have five seconds, a request
// thirty; a call may take longer than that.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFront(t, Options{})
		l := newPipes()
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- f.Serve(ctx, l) }()
		until := func(text string) (time.Duration, string) {
			c := l.dial()
			start := time.Now()
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(c)
			return time.Since(start), string(b)
		}
		if d, _ := until("POST /mcp HTTP/1.1\r\nHost: localhost\r\n"); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("half the headers were waited for for %v", d)
		}
		const head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		if d, text := until(head + "Content-Length: 9\r\n\r\n{"); d < 30*time.Second || d > 31*time.Second || !strings.Contains(text, "408") {
			t.Errorf("half the body was waited for for %v: %s", d, text)
		}
		c := l.dial()
		body := callOf(Legacy, "1", "sleep", `{"d":"45s"}`)
		if _, err := fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, resp.ContentLength)
		if _, err := io.ReadFull(resp.Body, b); err != nil || !strings.Contains(string(b), `45s`) {
			t.Errorf("the slow call got %s, %v", b, err)
		}
		_ = c.Close()
		end()
		<-ended
	})
}

// Serve names the address when it cannot serve.
func TestServeError(t *testing.T) {
	f, _ := newFront(t, Options{})
	l := newPipes()
	_ = l.Close()
	if err := f.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v", err)
	}
}
