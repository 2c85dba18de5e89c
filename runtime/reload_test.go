package runtime

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// edition is a plan whose tool asks for a path of its own.
func edition(base, name string) *plan.Server {
	p := library(base)
	p.Upstreams[0].Credentials = nil
	p.Tools = p.Tools[:1]
	p.Tools[0].Output = ""
	p.Tools[0].Description = "One book of edition " + name + "."
	p.Tools[0].Request.Path[0].Literal = "/" + name + "/"
	p.Tools[0].Request.Security = nil
	return p
}

func reload(t *testing.T, s *Server, p *plan.Server) {
	t.Helper()
	if _, err := s.Reload(p, Options{Getenv: env(), ReadFile: noFile, Reloads: true}); err != nil {
		t.Fatal(err)
	}
}

// Calls go on while plans change under them: each is answered once, by one of the
// plans, with the answer to its own question.
func TestReloadUnderLoad(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"path":%q}`, r.URL.Path) })
	s := newServer(t, edition(up, "a"), Options{Reloads: true})
	front := httptest.NewServer(s.Handler())
	t.Cleanup(front.Close)

	stop := make(chan struct{})
	var calls, errs atomic.Int64
	var seen sync.Map
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := worker*1_000_000 + n
				body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_book","arguments":{"id":%d}}}`, id, id)
				res, err := front.Client().Post(front.URL+"/mcp", "application/json", strings.NewReader(body))
				if err != nil {
					errs.Add(1)
					t.Error(err)
					return
				}
				text, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				var answer struct {
					ID     int
					Result struct {
						IsError bool
						Content []struct{ Text string }
					}
				}
				if err != nil || json.Unmarshal(text, &answer) != nil || answer.ID != id || answer.Result.IsError || len(answer.Result.Content) != 1 {
					t.Errorf("%v, %s", err, text)
					return
				}
				var edition string
				var book int
				if _, err := fmt.Sscanf(strings.ReplaceAll(answer.Result.Content[0].Text, "/", " "), `{"path":" %1s %d"}`, &edition, &book); err != nil || book != id {
					t.Errorf("asked for %d: %s", id, answer.Result.Content[0].Text)
					return
				}
				seen.Store(edition, true)
				calls.Add(1)
			}
		})
	}
	for n := range 120 {
		p := edition(up, string("ab"[n%2]))
		p.Upstreams[0].MaxResponse += int64(n) // another client each time
		before := calls.Load()
		reload(t, s, p)
		for calls.Load() == before && errs.Load() == 0 && !t.Failed() {
			goruntime.Gosched()
		}
	}
	close(stop)
	wait.Wait()
	for _, edition := range []string{"a", "b"} {
		if _, ok := seen.Load(edition); !ok {
			t.Errorf("no call was answered by edition %s", edition)
		}
	}
	t.Logf("%d calls over 120 reloads", calls.Load())
	if r := s.Reloads(); r.Done != 120 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
}

// files is how many files the process has open; -1 where that cannot be told.
func files() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(list)
}

// What only a replaced plan had is closed: two hundred plans with a log, an audit
// log and connections of their own leave no goroutine and no file.
func TestReloadDoesNotGrow(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	dir := t.TempDir()
	make := func(n int) *plan.Server {
		p := edition(up, fmt.Sprintf("e%d", n))
		p.Upstreams[0].MaxResponse += int64(n)
		p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "info", File: filepath.Join(dir, fmt.Sprint("log", n%3))}, Audit: filepath.Join(dir, fmt.Sprint("audit", n%2)), Admin: "127.0.0.1:0"}
		return p
	}
	s := newServer(t, make(0), Options{Reloads: true})
	front := httptest.NewServer(s.Handler())
	t.Cleanup(front.Close)
	call := func() {
		res, err := front.Client().Post(front.URL+"/mcp", "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":1}}}`))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if strings.Contains(string(text), `"isError":true`) {
			t.Fatalf("%s", text)
		}
	}
	// The end of a connection is noticed by goroutines that need a moment for it.
	settled := func(goroutines, open int) (int, int) {
		var g, f int
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); goruntime.Gosched() {
			if g, f = goruntime.NumGoroutine(), files(); g <= goroutines && f <= open {
				break
			}
		}
		return g, f
	}
	for n := range 10 {
		reload(t, s, make(n))
		call()
	}
	goroutines, open := goruntime.NumGoroutine(), files()
	for n := range 200 {
		reload(t, s, make(n))
		call()
	}
	if g, f := settled(goroutines+4, open+4); g > goroutines+4 || f > open+4 {
		t.Errorf("%d goroutines and %d files became %d and %d", goroutines, open, g, f)
	}
	lines := 0
	for _, name := range []string{"audit0", "audit1"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := observe.VerifyAudit(f, "")
		_ = f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lines += int(c.Lines) //nolint:gosec // few
	}
	if lines != 210 {
		t.Errorf("%d calls in the audit logs, not 210", lines)
	}
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`mcpc_calls_total{tool="get_book",outcome="ok"} 210`, `mcpc_reloads_total{outcome="ok"} 210`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

// A call is finished by the plan that it came to, also when its tool is gone.
func TestReloadWhileACallRuns(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/slow/") {
			close(entered)
			<-leave
		}
		fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
	})
	log := filepath.Join(t.TempDir(), "calls.log")
	p := edition(up, "slow")
	p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "info", File: log}}
	s := newServer(t, p, Options{Reloads: true})
	h := s.Handler()
	call := func(tool string) string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"id":1}}}`))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
		return w.Body.String()
	}
	answer := make(chan string)
	go func() { answer <- call("get_book") }()
	<-entered
	other := edition(up, "quick")
	other.Tools[0].Name = "find_book"
	other.Upstreams[0].MaxResponse++
	reload(t, s, other)
	reload(t, s, other)
	if got := call("get_book"); !strings.Contains(got, "unknown tool") {
		t.Errorf("a tool that is gone: %s", got)
	}
	if got := call("find_book"); !strings.Contains(got, `/quick/1`) {
		t.Errorf("the new tool: %s", got)
	}
	close(leave)
	if got := <-answer; !strings.Contains(got, `/slow/1`) {
		t.Errorf("the call that was under way: %s", got)
	}
	if text, err := os.ReadFile(log); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("the log of the first plan: %v, %s", err, text)
	}
}

// A plan that cannot be served changes nothing, and operators see why.
func TestReloadFails(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	s := newServer(t, edition(up, "a"), Options{Reloads: true})
	before := s.line.now.Load()
	bad := edition(up, "b")
	bad.Observe = &plan.Observe{Log: &plan.CallLog{Level: "info", File: filepath.Join(t.TempDir(), "calls.log")}, Audit: filepath.Join(t.TempDir(), "no", "audit.log")}
	open := files()
	for range 20 {
		if _, err := s.Reload(bad, Options{}); err == nil || !strings.Contains(err.Error(), "audit") {
			t.Fatalf("%v", err)
		}
	}
	if now := files(); now > open {
		t.Errorf("%d files are open, not %d", now, open)
	}
	s.ReloadFailed("the audit log cannot be opened")
	if s.line.now.Load() != before {
		t.Error("the server was replaced")
	}
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/info", nil))
	if !strings.Contains(w.Body.String(), `"failure": "the audit log cannot be opened"`) || !strings.Contains(w.Body.String(), `"failed": 1`) {
		t.Errorf("%s", w.Body)
	}
	w = httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	if w.Code != http.StatusOK {
		t.Errorf("/readyz is %d", w.Code)
	}
}

// What can only be had by a restart is named.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	p := edition("http://127.0.0.1:1", "a")
	s := newServer(t, p, Options{Reloads: true})
	other := edition("http://127.0.0.1:1", "a")
	other.Listen, other.Observe = "127.0.0.1:9", &plan.Observe{Admin: "127.0.0.1:10"}
	other.Inbound = &plan.Inbound{Connections: 5, Body: 1 << 20} // the second is in use at once
	got, err := s.Reload(other, Options{})
	if err != nil || !slices.Equal(got, []string{"listen", "limits of connections and headers", "admin"}) {
		t.Errorf("%v, %v", got, err)
	}
}

// What clients used up, a breaker that is open and what is known of an upstream
// survive, as long as the plan says the same of them.
func TestReloadKeepsState(t *testing.T) {
	var asked atomic.Int64
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	})
	make := func(name string) *plan.Server {
		p := edition(up, name)
		p.Upstreams[0].Breaker = &plan.Breaker{Failures: 2, Window: time.Hour, Open: time.Hour, HalfOpen: 1}
		p.Limits = []plan.CallLimit{{Name: "few", Every: time.Hour, Burst: 4}}
		p.Observe = &plan.Observe{Admin: "127.0.0.1:0"}
		return p
	}
	s := newServer(t, make("a"), Options{Reloads: true})
	call := func() string {
		now := s.line.now.Load()
		res, err := now.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":1}`))
		if err != nil {
			t.Fatal(err)
		}
		return res.Code
	}
	call()
	call()
	if got := call(); got != "breaker" || asked.Load() != 2 {
		t.Fatalf("%s after %d requests", got, asked.Load())
	}
	p := make("b")
	p.Upstreams[0].Timeout++ // a new client that goes on with the old one's breaker
	p.Limits[0].Tools = []string{"get_*"}
	reload(t, s, p)
	if got := call(); got != "breaker" || asked.Load() != 2 {
		t.Errorf("%s after %d requests", got, asked.Load())
	}
	reload(t, s, make("c"))
	if got := call(); got != "rate-limited" {
		t.Errorf("the fifth call of four: %s", got)
	}
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/info", nil))
	for _, want := range []string{`"breaker": "open"`, `"5xx": 2`, `"last_failure"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body)
		}
	}
	p = make("d")
	p.Limits[0].Burst = 5 // another limit
	p.Upstreams[0].Breaker.Failures = 3
	reload(t, s, p)
	if got := call(); got == "rate-limited" || asked.Load() != 3 {
		t.Errorf("%s after %d requests", got, asked.Load())
	}
}

// listener reads the events of a stream.
type listener struct {
	t      *testing.T
	events chan string
}

func listen(t *testing.T, r *http.Request) *listener {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("%s: %s", res.Status, text)
	}
	l := &listener{t, make(chan string, 100)}
	started := make(chan struct{})
	go func() {
		once := sync.OnceFunc(func() { close(started) })
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			once()
			if data, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				l.events <- data
			}
		}
		close(l.events)
	}()
	<-started
	return l
}

func (l *listener) next() string {
	l.t.Helper()
	select {
	case e := <-l.events:
		return e
	case <-time.After(10 * time.Second):
		l.t.Fatal("nothing was said")
		return ""
	}
}

// Clients are told of the lists that changed, once, and of no other, in all the
// ways that they can listen.
func TestListChanged(t *testing.T) {
	up := "http://127.0.0.1:1"
	s := newServer(t, edition(up, "a"), Options{Reloads: true})
	front := httptest.NewServer(s.Handler())
	t.Cleanup(front.Close)
	request := func(method, body string, header ...string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, front.URL+"/mcp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream, application/json")
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	subscribe := func(filter string) *listener {
		return listen(t, request("POST", `{"jsonrpc":"2.0","id":"s-1","method":"subscriptions/listen","params":{`+meta+`,"notifications":`+filter+`}}`, "MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen"))
	}
	old := listen(t, request("GET", ""))
	modern, prompts := subscribe(`{"toolsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["x:y"]}`), subscribe(`{"promptsListChanged":true}`)
	if got, want := modern.next(), `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s-1"},"notifications":{"toolsListChanged":true,"resourcesListChanged":true}}}`; got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	prompts.next()
	pipe := stdioOf(t, s, `{}`)
	if got := pipe.opened; !strings.Contains(got, `"tools":{"listChanged":true}`) || !strings.Contains(got, `"prompts":{"listChanged":true}`) {
		t.Errorf("capabilities: %s", got)
	}
	pipe.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	pipe.write(`{"jsonrpc":"2.0","id":7,"method":"prompts/list"}`)
	if got := pipe.read(); got != `{"jsonrpc":"2.0","id":7,"result":{"prompts":[]}}` {
		t.Errorf("prompts: %s", got)
	}
	pipe.write(`{"jsonrpc":"2.0","id":8,"method":"subscriptions/listen","params":{` + meta + `,"notifications":{"toolsListChanged":true}}}`)
	if got := pipe.read(); !strings.Contains(got, `"io.modelcontextprotocol/subscriptionId":8`) {
		t.Errorf("acknowledged: %s", got)
	}

	// Nothing of the tools' list is different; then it is; then a prompt is new.
	p := edition(up, "a")
	p.Upstreams[0].Timeout++
	reload(t, s, p)
	p = edition(up, "b")
	reload(t, s, p)
	tools, toolsOf := `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, func(id string) string {
		return `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`
	}
	if got := old.next(); got != tools {
		t.Errorf("GET: %s", got)
	}
	if got := modern.next(); got != toolsOf(`"s-1"`) {
		t.Errorf("listen: %s", got)
	}
	got := []string{pipe.read(), pipe.read()}
	slices.Sort(got)
	if want := []string{tools, toolsOf("8")}; got[0] != want[1] && got[1] != want[1] || got[0] != want[0] && got[1] != want[0] {
		t.Errorf("stdio: %q", got)
	}
	pipe.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}`)
	pipe.write(`{"jsonrpc":"2.0","id":9,"method":"ping"}`)
	if got := pipe.read(); !strings.Contains(got, `"id":9`) {
		t.Errorf("more than one: %s", got)
	}
	p = edition(up, "b")
	p.Prompts = []plan.Prompt{{Name: "greet"}}
	reload(t, s, p)
	for name, l := range map[string]*listener{"GET": old, "listen": prompts} {
		if got := l.next(); !strings.Contains(got, `notifications/prompts/list_changed`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := pipe.read(); !strings.Contains(got, `notifications/prompts/list_changed`) {
		t.Errorf("stdio: %s", got)
	}

	// The server says when a stream ends, and takes no more.
	s.front.Replace(s.line.now.Load().front, func() {})
	ctx, stop := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := s.Serve(ctx, l); err != nil {
		t.Fatal(err)
	}
	if got := modern.next(); got != `{"jsonrpc":"2.0","id":"s-1","result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":"s-1"}}}` {
		t.Errorf("the end: %s", got)
	}
	for name, l := range map[string]*listener{"GET": old, "listen": modern} {
		if e, open := <-l.events; open {
			t.Errorf("%s: one more: %s", name, e)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(request("GET", ""))
	if err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v, %v", res, err)
	}
}

// Where no plan can follow, there is nothing to listen to, and no client is told
// that there is.
func TestNothingChangesWithoutReloads(t *testing.T) {
	s := newServer(t, edition("http://127.0.0.1:1", "a"), Options{})
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://localhost/mcp", nil)
	r.Header.Set("Accept", "text/event-stream")
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET is %d", w.Code)
	}
	if got := stdioOf(t, s, `{}`).opened; strings.Contains(got, "listChanged\":true") || strings.Contains(got, "prompts") {
		t.Errorf("capabilities: %s", got)
	}
}

// Who sees a part of a list hears of the changes in it.
func TestListChangedForWhoSeesIt(t *testing.T) {
	p := edition("http://127.0.0.1:1", "a")
	hidden := p.Tools[0]
	hidden.Name = "burn_book"
	p.Tools = append(p.Tools, hidden)
	p.Policy = &plan.Policy{Rules: []plan.PolicyRule{{Name: "reading", Tools: []string{"get_*"}}}}
	s := newServer(t, p, Options{Reloads: true})
	front := httptest.NewServer(s.Handler())
	t.Cleanup(front.Close)
	r, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	l := listen(t, r)
	next := *p
	next.Tools = slices.Clone(p.Tools)
	next.Tools[1].Description = "Nobody may."
	reload(t, s, &next)
	open := next
	open.Policy = &plan.Policy{Rules: []plan.PolicyRule{{Name: "all"}}}
	reload(t, s, &open)
	if got := l.next(); !strings.Contains(got, "tools/list_changed") {
		t.Errorf("%s", got)
	}
	if len(l.events) > 0 {
		t.Errorf("one more: %s", <-l.events)
	}
}

// A server that ends says so before it refuses calls.
func TestDrainDelay(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	p := edition(up, "a")
	p.Observe = &plan.Observe{Admin: "127.0.0.1:0"}
	s := newServer(t, p, Options{DrainDelay: 400 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	l, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	status := func() int {
		w := httptest.NewRecorder()
		s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code
	}
	if status() != http.StatusOK {
		t.Fatal("not ready")
	}
	began := time.Now()
	stop()
	for status() == http.StatusOK {
		goruntime.Gosched()
	}
	res, err := (&http.Client{Timeout: 10 * time.Second}).Post("http://"+l.Addr().String()+"/mcp", "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a call while others still come: %s", res.Status)
	}
	if err := <-ended; err != nil || time.Since(began) < 400*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// sent is telemetry that notes what it was made with, and its end.
type sent struct {
	observe.Telemetry
	name, endpoint string
	flushed, ended bool
}

func (s *sent) Flush(context.Context) error    { s.flushed = true; return nil }
func (s *sent) Shutdown(context.Context) error { s.ended = true; return nil }

// Telemetry goes on while it says the same; with another endpoint or another name
// of the service it is made anew, and the old one is sent to its end.
func TestReloadTelemetry(t *testing.T) {
	observe.Register(func(p *plan.OTLP, o observe.TelemetryOptions) (observe.Telemetry, error) {
		return &sent{name: o.Name, endpoint: p.Endpoint}, nil
	})
	t.Cleanup(func() { observe.Register(nil) })
	of := func(name, endpoint string) *plan.Server {
		p := edition("http://127.0.0.1:1", "a")
		p.Name, p.Observe = name, &plan.Observe{OTLP: &plan.OTLP{Endpoint: endpoint}}
		return p
	}
	s := newServer(t, of("shop", "http://127.0.0.1:2"), Options{Reloads: true})
	now := func() *sent { return s.line.now.Load().bridge.observer.Telemetry.(*sent) }
	first := now()
	reload(t, s, of("shop", "http://127.0.0.1:2"))
	if now() != first || first.ended {
		t.Error("the same telemetry was made anew")
	}
	for _, next := range [][2]string{{"shop", "http://127.0.0.1:3"}, {"store", "http://127.0.0.1:3"}} {
		old := now()
		reload(t, s, of(next[0], next[1]))
		if got := now(); got == old || got.name != next[0] || got.endpoint != next[1] || got.ended {
			t.Errorf("%v: %+v", next, got)
		}
		if !old.flushed || !old.ended {
			t.Errorf("%v: the old telemetry: %+v", next, old)
		}
	}
}
