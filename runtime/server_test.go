package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// library is a plan over an upstream, with a tool for each thing that is tested.
func library(base string) *plan.Server {
	arg := func(name string) *plan.Param {
		return &plan.Param{Name: name, Arg: name, Style: plan.Simple, Required: true}
	}
	return &plan.Server{
		Name: "library", Version: "1",
		Upstreams: []plan.Upstream{{
			Name: "books", BaseURL: base,
			Timeout: 20 * time.Second, ConnectTimeout: 5 * time.Second, MaxResponse: 1 << 20,
			Retry: plan.Retry{Attempts: 1},
			Credentials: []plan.Credential{
				{Name: "token", Kind: "bearer", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "token", Env: []string{"LIBRARY_TOKEN"}}}},
				{Name: "key", Kind: "apiKey", In: "query", Param: "key", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "key", File: "/run/key"}}},
			},
		}},
		Tools: []plan.Tool{
			{
				Name: "get_book", Description: "One book.",
				Input:  `{"type":"object","properties":{"id":{"type":"integer","minimum":1},"lang":{"type":"string","enum":["en","fr"]}},"required":["id"],"additionalProperties":false}`,
				Output: `{"type":"object","properties":{"id":{"type":"integer"},"title":{"type":"string"}},"required":["id"]}`,
				Request: plan.Request{
					Upstream: "books", Method: "GET", Accept: "application/json",
					Path:     []plan.Segment{{Literal: "/books/"}, {Param: arg("id")}},
					Query:    []plan.Param{{Name: "lang", Arg: "lang", Style: plan.Form}},
					Security: [][]string{{"token"}, {"key"}},
				},
				Hints: plan.Hints{ReadOnly: true, Idempotent: true},
			},
			{
				Name: "add_book", Description: "A new book.",
				Input: `{"type":"object","properties":{"body":{"type":"object"}},"required":["body"]}`,
				Request: plan.Request{
					Upstream: "books", Method: "POST",
					Path: []plan.Segment{{Literal: "/books"}},
					Body: &plan.Body{Arg: "body", Media: "application/json", Codec: plan.JSON, Required: true},
				},
			},
			{
				Name: "signed", Description: "Sends a secret in a header of its own.",
				Input: `{"type":"object"}`,
				Request: plan.Request{
					Upstream: "books", Method: "GET",
					Path:   []plan.Segment{{Literal: "/echo"}},
					Header: []plan.Param{{Name: "X-Sign", Style: plan.Simple, Value: &plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "sign", Env: []string{"SIGN", "SIGN_OLD"}}}}},
				},
			},
		},
	}
}

// env is an environment.
func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func noFile(string) ([]byte, error) { return nil, errors.New("no such file") }

// logged collects log lines of many goroutines.
type logged struct{ lockbuf.Buffer }

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// upstreamOf serves an API and returns its base URL.
func upstreamOf(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newServer(t testing.TB, p *plan.Server, o Options) *Server {
	t.Helper()
	if o.Getenv == nil {
		o.Getenv = env()
	}
	if o.ReadFile == nil {
		o.ReadFile = noFile
	}
	s, err := New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(r *Result) string {
	if len(r.Content) == 0 {
		return ""
	}
	return r.Content[0].Text
}

func TestCall(t *testing.T) {
	var seen []string
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, fmt.Sprintf("%s %s %s auth=%q", r.Method, r.URL.RequestURI(), body, r.Header.Get("Authorization")))
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/books/404":
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"message":"no such book"}`)
		case "/books":
			w.WriteHeader(201)
			_, _ = w.Write(body)
		default:
			_, _ = io.WriteString(w, `{"id":9007199254740993,"title":"A Book"}`)
		}
	})
	var log logged
	s := newServer(t, library(base), Options{Getenv: env("LIBRARY_TOKEN", "sesame-1"), Logger: log.logger()})
	for _, tt := range []struct {
		name, tool, arguments string
		sent                  string // "" when nothing may be sent
		isError               bool
		text                  []string // parts
		structured            string
	}{
		{"a good call", "get_book", `{"id":9007199254740993,"lang":"fr"}`, `GET /books/9007199254740993?lang=fr  auth="Bearer sesame-1"`, false,
			[]string{`{"id":9007199254740993,"title":"A Book"}`}, `{"id":9007199254740993,"title":"A Book"}`},
		{"a body as it was written", "add_book", `{"body":{"z":1.50,"a":[]}}`, `POST /books {"z":1.50,"a":[]} auth=""`, false, []string{`{"z":1.50,"a":[]}`}, `{"z":1.50,"a":[]}`},
		{"a body as text", "add_book", `{"body":"{\"z\":1.50}"}`, `POST /books {"z":1.50} auth=""`, false, []string{`{"z":1.50}`}, `{"z":1.50}`},
		{"an error of the upstream", "get_book", `{"id":404}`, `GET /books/404  auth="Bearer sesame-1"`, true, []string{"404", "no such book"}, ""},
		{"a missing argument", "get_book", `{}`, "", true, []string{"id", "nothing was sent"}, ""},
		{"no arguments", "get_book", ``, "", true, []string{"id", "nothing was sent"}, ""},
		{"a value that is not allowed", "get_book", `{"id":1,"lang":"de"}`, "", true, []string{"lang", `"en"`, `"fr"`}, ""},
		{"an unknown argument", "get_book", `{"id":1,"lnag":"fr"}`, "", true, []string{"lnag", "lang"}, ""},
		{"an argument twice", "get_book", `{"id":1,"id":2}`, "", true, []string{"id"}, ""},
		{"no object", "get_book", `[1]`, "", true, []string{"object"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen = nil
			r, err := s.Call(t.Context(), Principal{}, tt.tool, []byte(tt.arguments))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(seen, "\n"); got != tt.sent {
				t.Errorf("sent %s\nwant %s", got, tt.sent)
			}
			if r.IsError != tt.isError {
				t.Errorf("isError %v", r.IsError)
			}
			for _, part := range tt.text {
				if !strings.Contains(text(r), part) {
					t.Errorf("text %q lacks %q", text(r), part)
				}
			}
			if string(r.Structured) != tt.structured {
				t.Errorf("structured %s", r.Structured)
			}
		})
	}
	if _, err := s.Call(t.Context(), Principal{}, "get_boko", nil); !errors.Is(err, ErrUnknownTool) {
		t.Errorf("an unknown tool: %v", err)
	}
	lines := log.String()
	if n := strings.Count(lines, "msg=call "); n != 10 {
		t.Errorf("%d lines for 10 calls:\n%s", n, lines)
	}
	if !strings.Contains(lines, "level=DEBUG msg=call tool=get_book outcome=ok") || !strings.Contains(lines, "status=200 attempts=1 bytes=") {
		t.Errorf("log:\n%s", lines)
	}
	for _, secret := range []string{"sesame", "A Book", "9007199254740993"} {
		if strings.Contains(lines, secret) {
			t.Errorf("%q is in the log:\n%s", secret, lines)
		}
	}
}

// A mistake of ours fails the call, tells nothing of itself, and is found in the
// log by the id that the caller got.
func TestCallSurvivesPanic(t *testing.T) {
	var log logged
	s := newServer(t, library("http://books.example"), Options{
		Logger:    log.logger(),
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { panic("inner secret") }),
	})
	r, err := s.Call(t.Context(), Principal{Tenant: "acme"}, "get_book", []byte(`{"id":1}`))
	if err != nil || !r.IsError || strings.Contains(text(r), "inner secret") {
		t.Fatalf("%v, %q", err, text(r))
	}
	_, id, _ := strings.Cut(text(r), "correlation id is ")
	id, _, _ = strings.Cut(id, ".")
	if !strings.Contains(log.String(), "correlation="+id) || !strings.Contains(log.String(), "inner secret") || !strings.Contains(log.String(), "tenant=acme") {
		t.Errorf("id %q, log %s", id, log.String())
	}
	// And the next call works as if nothing had been.
	if r, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{}`)); err != nil || !strings.Contains(text(r), "id") {
		t.Errorf("%v, %q", err, text(r))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering is a transport that answers everything with a JSON text.
func answering(body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	}
}

// An answer that breaks its schema is delivered, and the log says so: for the
// first sixteen answers and then for one in 64.
func TestObserveOutput(t *testing.T) {
	var log logged
	s := newServer(t, library("http://books.example"), Options{Logger: log.logger(), Transport: answering(`{"title":"only a title"}`)})
	for range 256 {
		r, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":1}`))
		if err != nil || r.IsError || string(r.Structured) != `{"title":"only a title"}` {
			t.Fatalf("%v, %+v", err, r)
		}
	}
	if n := strings.Count(log.String(), "breaks its output schema"); n != 16+4 {
		t.Errorf("%d warnings", n)
	}
	if strings.Contains(log.String(), "only a title") {
		t.Error("the answer is in the log")
	}
}

func TestSecrets(t *testing.T) {
	file := []byte("from-file\r\n")
	s := newSecrets(Options{
		Secrets: map[string]string{"named": "from-options", "blank": ""},
		Getenv:  env("B", "from-env", "N", "no"),
		ReadFile: func(name string) ([]byte, error) {
			return file, map[bool]error{true: errors.New("gone")}[name == "/gone"]
		},
	})
	for _, tt := range []struct {
		ref   plan.Secret
		value string
		err   string
	}{
		{plan.Secret{Name: "named", Env: []string{"B"}}, "from-options", ""},
		{plan.Secret{Name: "blank", Env: []string{"B"}}, "", ""},
		{plan.Secret{Name: "x", Env: []string{"A", "B"}, File: "/f"}, "from-env", ""},
		{plan.Secret{Name: "x", Env: []string{"A"}, File: "/f"}, "from-file", ""},
		{plan.Secret{Name: "x", File: "/gone"}, "", "gone"},
		{plan.Secret{Name: "x", Env: []string{"A", "C"}}, "", "A or C"},
		{plan.Secret{Name: "x"}, "", "secret x is not set"},
	} {
		v, err := s.value(tt.ref)
		if v != tt.value || fmt.Sprint(err) != "<nil>" && tt.err == "" || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%+v: %q, %v", tt.ref, v, err)
		}
	}
	file = []byte("new\n\n")
	if v, _ := s.value(plan.Secret{Name: "x", File: "/f"}); v != "new\n" {
		t.Errorf("a new value of the file: %q", v)
	}
	s.named["sign"] = sealed.New(`a/"b`)
	if _, err := s.value(plan.Secret{Name: "sign"}); err != nil {
		t.Error(err)
	}
	if got := s.redact(`raw a/"b, in a URL a%2F%22b, in JSON "a/\"b"`); got != `raw (secret), in a URL (secret), in JSON "(secret)"` {
		t.Errorf("redacted: %q", got)
	}
	if got := s.redact("a from-env-b from-options no"); got != "a (secret)-b (secret) no" {
		t.Errorf("redacted: %q", got)
	}
}

// A secret that is missing is the operator's matter; one that an upstream
// repeats does not get further.
func TestSecretsInCalls(t *testing.T) {
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_, _ = fmt.Fprintf(w, `{"message":"the signature %s is bad"}`, r.Header.Get("X-Sign"))
	})
	s := newServer(t, library(base), Options{})
	r, err := s.Call(t.Context(), Principal{}, "signed", nil)
	if err != nil || !r.IsError || !strings.Contains(text(r), `"sign"`) || !strings.Contains(text(r), "operator") {
		t.Errorf("%v, %q", err, text(r))
	}
	s = newServer(t, library(base), Options{Getenv: env("SIGN_OLD", "s3cr3t-sign")})
	r, err = s.Call(t.Context(), Principal{}, "signed", nil)
	if err != nil || !r.IsError || strings.Contains(text(r), "s3cr3t") || !strings.Contains(text(r), "(secret) is bad") {
		t.Errorf("%v, %q", err, text(r))
	}
}

func TestExplain(t *testing.T) {
	sent := 0
	base := upstreamOf(t, func(http.ResponseWriter, *http.Request) { sent++ })
	host, _ := url.Parse(base)
	p := library(base)
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-1")})
	e, err := s.Explain("get_book", []byte(`{"id":7,"lang":"en"}`))
	if err != nil {
		t.Fatal(err)
	}
	if e.Method != "GET" || e.URL != base+"/books/7?lang=en" || e.Header.Get("Authorization") != "Bearer (secret)" || e.Header.Get("Accept") != "application/json" || e.Header.Get("User-Agent") == "" || e.Missing != nil {
		t.Errorf("%+v (of %s)", e, host)
	}
	last := e.Parts[len(e.Parts)-1]
	if last != (Part{Where: "header", Name: "Authorization", Value: "Bearer (secret)", From: "credential token (environment variable LIBRARY_TOKEN)"}) {
		t.Errorf("parts %+v", e.Parts)
	}
	s = newServer(t, p, Options{ReadFile: func(string) ([]byte, error) { return []byte("k"), nil }})
	if e, err := s.Explain("get_book", []byte(`{"id":7}`)); err != nil || e.URL != base+"/books/7?key=(secret)" || e.Missing != nil {
		t.Errorf("%+v, %v", e, err)
	}
	s = newServer(t, p, Options{})
	if e, err := s.Explain("get_book", []byte(`{"id":7}`)); err != nil || len(e.Missing) != 2 || !strings.Contains(e.Missing[0], "LIBRARY_TOKEN") {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := s.Explain("signed", nil); err != nil || e.Header.Get("X-Sign") != "(secret)" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := s.Explain("add_book", []byte(`{"body":{"a":1.0}}`)); err != nil || string(e.Body) != `{"a":1.0}` || e.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v, %v", e, err)
	}
	var bad *ArgumentError
	if _, err := s.Explain("get_book", []byte(`{}`)); !errors.As(err, &bad) || !strings.Contains(err.Error(), "id") {
		t.Errorf("%v", err)
	}
	if _, err := s.Explain("nope", nil); !errors.Is(err, ErrUnknownTool) {
		t.Errorf("%v", err)
	}
	p.Upstreams[0].BaseURL = ""
	s = newServer(t, p, Options{})
	if e, err := s.Explain("get_book", []byte(`{"id":7}`)); err != nil || e.URL != "/books/7" {
		t.Errorf("%+v, %v", e, err)
	}
	if sent != 0 {
		t.Errorf("%d requests were sent", sent)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*plan.Server){
		"no upstream": func(p *plan.Server) { p.Tools[0].Request.Upstream = "elsewhere" },
		"two tools":   func(p *plan.Server) { p.Tools[1].Name = "get_book" },
	} {
		p := library("http://books.example")
		change(p)
		if _, err := New(p, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Through both transports a call is the same call.
func TestTransports(t *testing.T) {
	s := newServer(t, library("http://books.example"), Options{Transport: answering(`{"id":7}`)})
	const call = `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"get_book","arguments":{"id":7}}}`
	const want = `{"jsonrpc":"2.0","id":9007199254740993,"result":{"content":[{"type":"text","text":"{\"id\":7}"}],"structuredContent":{"id":7}}}`
	var out bytes.Buffer
	if err := s.ServeStdio(t.Context(), strings.NewReader(call), &out); err != nil || out.String() != want+"\n" {
		t.Errorf("stdio: %v, %s", err, out.String())
	}
	r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(call))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Body.String() != want {
		t.Errorf("HTTP: %s", w.Body)
	}
	modern := strings.Replace(call, `"name"`, `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"name"`, 1)
	out.Reset()
	if err := s.ServeStdio(t.Context(), strings.NewReader(modern), &out); err != nil {
		t.Fatal(err)
	}
	const wantModern = `{"jsonrpc":"2.0","id":9007199254740993,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"library","version":"1"}},"content":[{"type":"text","text":"{\"id\":7}"}],"structuredContent":{"id":7}}}`
	if out.String() != wantModern+"\n" {
		t.Errorf("modern: %s", out.String())
	}
	// An error has a code in _meta, which joins what is there.
	out.Reset()
	if err := s.ServeStdio(t.Context(), strings.NewReader(strings.Replace(modern, `{"id":7}`, `{}`, 1)), &out); err != nil {
		t.Fatal(err)
	}
	var m struct {
		Result struct {
			Meta    map[string]any `json:"_meta"`
			IsError bool           `json:"isError"`
		}
	}
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || !m.Result.IsError || len(m.Result.Meta) != 2 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestListen(t *testing.T) {
	l, err := Listen(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if a := l.Addr().(*net.TCPAddr); !a.IP.IsLoopback() {
		t.Errorf("listens on %s", a)
	}
	if _, err := Listen(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second time: %v", err)
	}
	if _, err := Listen(t.Context(), "8080"); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
		t.Errorf("no port: %v", err)
	}
}

// The whole way, from a client's socket to the upstream's and back: two clients
// of each era use the same ids at the same time for a thousand rounds. The
// upstream answers nobody before it has all four calls of a round, so that the
// ids do collide.
func TestCollidingIDs(t *testing.T) {
	const rounds, clients = 1000, 4
	var meetings [rounds]struct {
		arrived atomic.Int32
		all     chan struct{}
	}
	for i := range meetings {
		meetings[i].all = make(chan struct{})
	}
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/books/"))
		if err != nil {
			t.Error(err)
			return
		}
		m := &meetings[number%rounds]
		if m.arrived.Add(1) == clients {
			close(m.all)
		}
		select {
		case <-m.all:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":%d}`, number)
	})
	s := newServer(t, library(base), Options{})
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l) }()
	calls, stop := context.WithCancel(t.Context()) // one that fails keeps the others waiting
	defer stop()
	var wg sync.WaitGroup
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for client := range clients {
		modern := client%2 == 1
		wg.Go(func() {
			defer func() {
				if t.Failed() {
					stop()
				}
			}()
			for round := range rounds {
				number := (client+1)*rounds + round
				meta := ""
				if modern {
					meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},`
				}
				r, err := http.NewRequestWithContext(calls, "POST", "http://"+l.Addr().String()+"/mcp", strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{%s"name":"get_book","arguments":{"id":%d}}}`, round, meta, number)))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
				if modern {
					r.Header["Mcp-Protocol-Version"], r.Header["Mcp-Method"], r.Header["Mcp-Name"] = []string{"2026-07-28"}, []string{"tools/call"}, []string{"get_book"}
				}
				resp, err := web.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if want := fmt.Sprintf(`"structuredContent":{"id":%d}`, number); !strings.Contains(string(body), want) || !strings.HasPrefix(string(body), fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, round)) {
					t.Errorf("want %s, got %s", want, body)
					return
				}
			}
		})
	}
	wg.Wait()
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// One call too many is refused at once, and says when to call again; as soon as
// another has ended there is room. Stdio waits for it.
func TestMaxCalls(t *testing.T) {
	t.Run("of the plan", func(t *testing.T) { testMaxCalls(t, 2, 0) })
	t.Run("of the options, which win", func(t *testing.T) { testMaxCalls(t, 9, 2) })
}

func testMaxCalls(t *testing.T, inPlan, inOptions int) {
	arrived, release := make(chan bool), make(chan bool)
	base := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-release
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":7}`)
	})
	p := library(base)
	p.Inbound = &plan.Inbound{Calls: inPlan}
	s := newServer(t, p, Options{MaxCalls: inOptions})
	call := func() *Result {
		r, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`))
		if err != nil {
			t.Error(err)
		}
		return r
	}
	done := make(chan *Result)
	for range 2 {
		go func() { done <- call() }()
		<-arrived
	}
	r := call()
	if want := "The server is working on 2 calls, which is as many as it takes at once; nothing was sent.\nCall again.\nA retry may help after 1 second."; text(r) != want || !r.IsError || r.Code != "busy" {
		t.Errorf("%s: %s", r.Code, text(r))
	}
	release <- true
	if r := <-done; r.IsError {
		t.Error(text(r))
	}
	go func() { done <- call() }()
	<-arrived
	close(release)
	for range 2 {
		if r := <-done; r.IsError {
			t.Error(text(r))
		}
	}

	go func() {
		for range arrived {
		}
	}()
	defer close(arrived)
	const line = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":7}}}` + "\n"
	var out bytes.Buffer
	if err := s.ServeStdio(t.Context(), strings.NewReader(strings.Repeat(line, 20)), &out); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), `"structuredContent":{"id":7}`); n != 20 {
		t.Errorf("%d of 20 calls on stdio succeeded: %s", n, out.String())
	}
}

// A client that gives up a call ends it at the upstream too: by closing its
// request, or on stdio by the id.
func TestCancellationReachesUpstream(t *testing.T) {
	arrived, ended := make(chan bool), make(chan bool)
	base := upstreamOf(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-r.Context().Done()
		ended <- true
	})
	s := newServer(t, library(base), Options{})
	const call = `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"get_book","arguments":{"id":7}}}`

	web := httptest.NewServer(s.Handler())
	defer web.Close()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(ctx, "POST", web.URL+"/mcp", strings.NewReader(call))
		if err == nil {
			r.Header.Set("Content-Type", "application/json")
			_, err = web.Client().Do(r)
		}
		gone <- err
	}()
	<-arrived
	leave()
	<-ended
	if err := <-gone; err == nil {
		t.Error("the client got an answer")
	}

	in, client := io.Pipe()
	var out bytes.Buffer
	done := make(chan error)
	go func() { done <- s.ServeStdio(t.Context(), in, &out) }()
	_, _ = io.WriteString(client, call+"\n")
	<-arrived
	_, _ = io.WriteString(client, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`+"\n")
	<-ended
	_ = client.Close()
	if err := <-done; err != nil || out.Len() > 0 {
		t.Errorf("%v, %s", err, out.String())
	}
}
