package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	gort "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
)

// soaked is the spec of the soak: everything is on that a call passes.
const soaked = `
auth "caller" { passthrough = true }

api "own" {
  base_url = "UPSTREAM/own"
  auth     = auth.caller
  timeout  = "1s"
  coalesce = true
  breaker  = { failures = 100, window = "1s", open = "100ms" }
  bulkhead = { concurrency = 200, queue = "1s" }
}
api "kept" {
  base_url = "UPSTREAM/kept"
  auth     = auth.caller
  timeout  = "1s"
  coalesce = true
  cache    = { ttl = "2s", etag = true, stale_if_error = "5s" }
  breaker  = { failures = 100, window = "1s", open = "100ms" }
}
api "plain" {
  base_url = "UPSTREAM/plain"
  timeout  = "1s"
  breaker  = { failures = 100, window = "1s", open = "100ms" }
}

tool "own_item" {
  api = api.own
  input "id" { type = string }
  request "GET" "/items/{id}" {}
}
tool "own_write" {
  api = api.own
  input "id" { type = string }
  request "POST" "/items" { json = { id = args.id } }
}
tool "kept_item" {
  api = api.kept
  input "id" { type = string }
  request "GET" "/items/{id}" {}
}
tool "plain_item" {
  api = api.plain
  input "id" { type = string }
  request "GET" "/items/{id}" {}
}
tool "scarce_item" {
  api = api.plain
  input "id" { type = string }
  request "GET" "/items/{id}" {}
}
tool "secret_item" {
  api = api.plain
  input "id" { type = string }
  request "GET" "/items/{id}" {}
}

identity "people" {
  oauth {
    issuer   = "UPSTREAM"
    audience = "https://mcp.example/mcp"
    jwks_url = "UPSTREAM/keys"
    tenant   = "org"
  }
}
identity "machines" {
  api_keys {
    key "machine-0" { hash = "sha256:KEY0" }
    key "machine-1" { hash = "sha256:KEY1" }
  }
}
policy {
  rule "items" {
    effect = "allow"
    tools  = ["own_*", "kept_*", "plain_*", "scarce_*"]
    when   = args.id != ""
  }
  rule "secrets" {
    effect = "allow"
    tools  = ["secret_*"]
    when   = caller.tenant == "org-0"
  }
  rule "blocked" {
    effect = "deny"
    when   = caller.claims.state == "blocked"
  }
}
rate_limit "scarce" {
  tools = ["scarce_*"]
  key   = caller.subject
  rate  = "5/s"
  burst = 5
}
rate_limit "all" {
  key         = [caller.tenant, caller.subject]
  rate        = "1000000/s"
  burst       = 1000000
  concurrency = 500
}
observe {
  log         = { file = "calls.log" }
  audit       = { file = "audit.log" }
  arguments   = true
  admin       = "ADMIN"
  correlation = true
}
`

// soakCalls is how many calls the soak makes: a million where MCPC_SOAK says so,
// as make test-soak does.
func soakCalls(t *testing.T) int {
	if s := os.Getenv("MCPC_SOAK"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1000 {
			t.Fatalf("MCPC_SOAK=%s is not a number of calls, at least 1000", s)
		}
		return n
	}
	if testing.Short() {
		return 2_000
	}
	return 10_000
}

// TestSoak makes many calls at once, of several callers, while the upstream fails
// in all ways. Every answer has to be its caller's and its call's; what was
// recorded has to be what was done; and nothing may grow with the number of calls.
func TestSoak(t *testing.T) {
	if gort.GOOS == "windows" {
		t.Skip("a process there cannot be told to end")
	}
	calls := soakCalls(t)
	up := newFaultyUpstream(t, calls)
	dir := t.TempDir()
	admin := freeAddress(t)
	key := func(i int) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprintf("soak-key-%d", i)))) }
	spec := strings.NewReplacer("UPSTREAM", up.url, "ADMIN", admin, "KEY0", key(0), "KEY1", key(1)).Replace(soaked)
	if err := os.WriteFile(filepath.Join(dir, "soak.hcl"), []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	server := startProbed(t, filepath.Join(dir, "soak.hcl"))

	run := &soak{url: server.url, up: up, outcomes: map[string]int{}}
	for i := range 8 {
		run.callers = append(run.callers, soakCaller{subject: fmt.Sprintf("user-%d", i), header: "Authorization", value: "Bearer " + up.token(t, fmt.Sprintf("user-%d", i), fmt.Sprintf("org-%d", i%4))})
	}
	for i := range 2 {
		run.callers = append(run.callers, soakCaller{subject: fmt.Sprintf("machine-%d", i), header: "X-Api-Key", value: fmt.Sprintf("soak-key-%d", i)})
	}
	began := time.Now()
	var first health
	logged := 0
	for _, mark := range []int{10, 50, 100} {
		run.until(t, calls*mark/100)
		if run.wrong.Load() > 0 {
			t.Fatal("after wrong answers the rest says nothing")
		}
		lines := linesOf(t, filepath.Join(dir, "calls.log"))
		for end := time.Now().Add(10 * time.Second); logged+lines < calls*mark/100 && time.Now().Before(end); { // the last ones are on their way
			time.Sleep(time.Millisecond)
			lines = linesOf(t, filepath.Join(dir, "calls.log"))
		}
		logged += lines
		if err := os.Truncate(filepath.Join(dir, "calls.log"), 0); err != nil { // rotation, as the manual has it
			t.Fatal(err)
		}
		h := server.settled(t, up, first.Goroutines)
		t.Logf("%3d %%, %d calls, %v: %d goroutines, %.1f MB live, %d files", mark, calls*mark/100, time.Since(began).Round(time.Second), h.Goroutines, float64(h.Heap)/(1<<20), h.Files)
		if mark == 10 {
			first = h
			continue
		}
		// Room for what comes and goes by itself: timers of what has just ended, a
		// connection to the upstream; pools and maps that have grown to their size.
		if h.Goroutines > first.Goroutines+8 || h.Files > first.Files+8 || h.Heap > first.Heap+4<<20 {
			t.Errorf("it grows: %+v at 10 %%, %+v at %d %%", first, h, mark)
		}
	}
	t.Logf("outcomes: %v", run.outcomes)
	run.check(t, calls)

	// What was recorded is what was done.
	if logged != calls {
		t.Errorf("%d lines in the log for %d calls", logged, calls)
	}
	if n := metricOf(t, admin, "mcpc_calls_total"); n != calls {
		t.Errorf("metrics count %d calls of %d", n, calls)
	}
	server.stop(t)
	var out, complaint bytes.Buffer
	audit := filepath.Join(dir, "audit.log")
	if code := runCommand(t, &out, &complaint, "audit", "verify", audit); code != exitOK || !strings.HasPrefix(out.String(), count(calls, "line")+", unbroken") {
		t.Errorf("audit verify: %d, %s%s", code, out.String(), complaint.String())
	}
}

func runCommand(t *testing.T, stdout, stderr io.Writer, args ...string) int {
	return run(t.Context(), strings.NewReader(""), stdout, stderr, args, os.Getenv)
}

// soak is the clients.
type soak struct {
	url     string
	up      *faultyUpstream
	callers []soakCaller

	next  atomic.Int64 // calls begun
	wrong atomic.Int64

	mu       sync.Mutex
	outcomes map[string]int
	writes   []int64 // calls of own_write that went well
	complain []string
}

// soakCaller is somebody who calls, and how he shows who he is.
type soakCaller struct{ subject, header, value string }

const soakClients = 64

// until makes calls up to the nth.
func (s *soak) until(t *testing.T, n int) {
	outages, stop := context.WithCancel(t.Context())
	defer stop()
	go s.up.outages(outages)
	var wait sync.WaitGroup
	for range soakClients {
		wait.Go(func() {
			client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}}
			defer client.CloseIdleConnections()
			seen := map[string]int{}
			var writes []int64
			for s.wrong.Load() == 0 {
				i := s.next.Add(1)
				if i > int64(n) {
					s.next.Add(-1)
					break
				}
				tool := s.tool()
				outcome, err := s.call(client, i, tool)
				if err != nil {
					s.wrong.Add(1)
					s.mu.Lock()
					s.complain = append(s.complain, fmt.Sprintf("call %d of %s: %v", i, tool, err))
					s.mu.Unlock()
				}
				seen[outcome]++
				if tool == "own_write" && outcome == "ok" {
					writes = append(writes, i)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for k, v := range seen {
				s.outcomes[k] += v
			}
			s.writes = append(s.writes, writes...)
		})
	}
	wait.Wait()
	for _, c := range s.complain {
		t.Error(c)
	}
}

// tool draws what is called next.
func (s *soak) tool() string {
	switch n := rand.IntN(1000); {
	case n < 400:
		return "own_item"
	case n < 700:
		return "kept_item"
	case n < 850:
		return "own_write"
	case n < 950:
		return "plain_item"
	case n < 955:
		return "scarce_item"
	}
	return "secret_item"
}

// answered is the answer to a call, and what an upstream's answer says in it.
type answered struct {
	ID     int64
	Error  json.RawMessage
	Result struct {
		IsError bool
		Content []struct{ Text string }
		Meta    struct {
			Correlation string                `json:"mcpc/correlation"`
			Error       struct{ Code string } `json:"mcpc/error"`
		} `json:"_meta"`
	}
}

// call makes the ith call and returns its outcome. The error is an answer that is
// not this call's.
func (s *soak) call(client *http.Client, i int64, tool string) (string, error) {
	own := strings.HasPrefix(tool, "own") || strings.HasPrefix(tool, "kept")
	who := &s.callers[rand.IntN(len(s.callers))]
	for own && who.header != "Authorization" {
		who = &s.callers[rand.IntN(len(s.callers))]
	}
	id := fmt.Sprintf("item-%d", i)
	if tool == "kept_item" {
		id = fmt.Sprintf("kept-%d", rand.IntN(30))
	}
	meta, version := "", "2025-11-25"
	modern := i%2 == 0
	if modern {
		version = "2026-07-28"
		meta = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"soak","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`
	}
	r, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{"id":%q}%s}}`, i, tool, id, meta)))
	if err != nil {
		return "", err
	}
	correlation := fmt.Sprintf("call-%d", i)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {version}, "X-Request-Id": {correlation}, who.header: {who.value}}
	if modern {
		r.Header["Mcp-Method"], r.Header["Mcp-Name"] = []string{"tools/call"}, []string{tool}
	}
	res, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	var a answered
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil || res.StatusCode != http.StatusOK || a.Error != nil {
		return "", fmt.Errorf("%s, %v: %.300s", res.Status, err, text)
	}
	if a.ID != i || a.Result.Meta.Correlation != correlation {
		return "", fmt.Errorf("crossed: it is the answer to %d, %s", a.ID, a.Result.Meta.Correlation)
	}
	if a.Result.IsError {
		if a.Result.Meta.Error.Code == "" {
			return "", fmt.Errorf("a failure without a code: %.300s", text)
		}
		return a.Result.Meta.Error.Code, nil
	}
	if len(a.Result.Content) == 0 {
		return "", fmt.Errorf("an answer without content: %.300s", text)
	}
	var item upstreamItem
	if err := json.Unmarshal([]byte(a.Result.Content[0].Text), &item); err != nil {
		return "", fmt.Errorf("%w: %.300s", err, text)
	}
	if item.ID != id || own && item.Caller != who.subject {
		return "", fmt.Errorf("crossed: %s asked for %s and got %s of %q", who.subject, id, item.ID, item.Caller)
	}
	return "ok", nil
}

// check holds what happened to what had to happen.
func (s *soak) check(t *testing.T, calls int) {
	t.Helper()
	total := 0
	for _, n := range s.outcomes {
		total += n
	}
	if total != calls {
		t.Errorf("%d answers to %d calls", total, calls)
	}
	if ok := s.outcomes["ok"]; ok < calls*8/10 {
		t.Errorf("only %d of %d calls went well", ok, calls)
	}
	expected := []string{"denied", "http-500"}
	if calls >= 100_000 { // what is rare, or takes time
		expected = append(expected, "rate-limited", "breaker", "http-503", "connection", "timeout")
	}
	for _, code := range expected {
		if s.outcomes[code] == 0 {
			t.Errorf("no call ended with %s: the soak lacks what it is for", code)
		}
	}
	if n := s.up.crossed.Load(); n > 0 {
		t.Errorf("the upstream got %d requests with the id or the caller of another", n)
	}
	if s.up.asked.Load() >= int64(calls) {
		t.Errorf("the upstream was asked %d times for %d calls: nothing was kept", s.up.asked.Load(), calls)
	}
	slices.Sort(s.writes)
	for _, i := range s.writes {
		if n := s.up.written[i].Load(); n != 1 {
			t.Errorf("write %d went well and was done %d times", i, n)
		}
	}
	for i := range s.up.written {
		if n := s.up.written[i].Load(); n > 1 {
			t.Errorf("write %d was done %d times", i, n)
		}
	}
}

// faultyUpstream answers who asks for what, mostly.
type faultyUpstream struct {
	url     string
	server  *http.Server
	private ed25519.PrivateKey
	down    atomic.Bool
	asked   atomic.Int64
	crossed atomic.Int64
	written []atomic.Int32 // by call
}

type upstreamItem struct {
	ID     string `json:"id"`
	Caller string `json:"caller"`
	Pad    string `json:"pad"`
}

func newFaultyUpstream(t *testing.T, calls int) *faultyUpstream {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	up := &faultyUpstream{private: private, written: make([]atomic.Int32, calls+1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"1","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	})
	mux.HandleFunc("GET /{api}/items/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if n, ok := strings.CutPrefix(id, "item-"); ok && r.Header.Get("X-Request-Id") != "call-"+n {
			up.crossed.Add(1)
		}
		up.answer(w, r, id)
	})
	mux.HandleFunc("POST /{api}/items", func(w http.ResponseWriter, r *http.Request) {
		var item upstreamItem
		if err := json.NewDecoder(r.Body).Decode(&item); err != nil {
			up.crossed.Add(1)
		}
		n, err := strconv.Atoi(strings.TrimPrefix(item.ID, "item-"))
		if err != nil || n < 0 || n >= len(up.written) || r.Header.Get("X-Request-Id") != fmt.Sprintf("call-%d", n) {
			up.crossed.Add(1)
			return
		}
		up.written[n].Add(1)
		up.answer(w, r, item.ID)
	})
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	up.url, up.server = web.URL, web.Config
	return up
}

// token is an access token of the issuer that the upstream is as well.
func (up *faultyUpstream) token(t *testing.T, subject, org string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"iss": up.url, "aud": "https://mcp.example/mcp", "sub": subject, "org": org, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"alg":"EdDSA","typ":"at+jwt","kid":"1"}`)) + "." + b64(claims)
	return signed + "." + b64(ed25519.Sign(up.private, []byte(signed)))
}

// subjectOf is whom a request's token is of, to the upstream.
func subjectOf(r *http.Request) string {
	parts := strings.Split(r.Header.Get("Authorization"), ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Sub string }
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Sub
}

// outages has the upstream fail altogether now and then, so that breakers open.
func (up *faultyUpstream) outages(ctx context.Context) {
	defer up.down.Store(false)
	for {
		for _, down := range []bool{false, true} {
			up.down.Store(down)
			lasts := 3 * time.Second
			if down {
				lasts = 100 * time.Millisecond
			}
			select {
			case <-time.After(lasts):
			case <-ctx.Done():
				return
			}
		}
	}
}

// answer answers, or fails in one of many ways.
func (up *faultyUpstream) answer(w http.ResponseWriter, r *http.Request, id string) {
	up.asked.Add(1)
	item := upstreamItem{ID: id, Caller: subjectOf(r), Pad: "some text that makes it as long as small answers are"}
	n := rand.IntN(100_000)
	switch {
	case up.down.Load() || n < 300:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case n < 500:
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	case n < 700: // cut off before the answer, or within
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			if n < 600 {
				_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":")
			}
			if tcp, ok := c.(*net.TCPConn); ok && err == nil {
				_ = tcp.SetLinger(0)
			}
			_ = c.Close()
		}
		return
	case n < 800:
		time.Sleep(50 * time.Millisecond)
	case n < 805: // longer than a call may take
		select {
		case <-time.After(1500 * time.Millisecond):
		case <-r.Context().Done():
		}
	case n < 900:
		item.Pad = strings.Repeat("large ", 40_000)
	}
	etag := `"` + id + item.Caller + `"`
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", etag)
	_ = json.NewEncoder(w).Encode(item) // the server went away
}

// health is how a server's process is.
type health struct {
	Goroutines int
	Heap       uint64 // bytes that live
	Files      int    // open
}

// probed is the command mcpc, which answers each line of its standard input with
// its health.
func probed() {
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			gort.GC()
			gort.GC() // what pools hold goes with the second
			var m gort.MemStats
			gort.ReadMemStats(&m)
			files, _ := os.ReadDir("/proc/self/fd")
			_ = json.NewEncoder(os.Stdout).Encode(health{gort.NumGoroutine(), m.HeapAlloc, len(files)})
		}
	}()
	main()
}

// probedServer is a process that serves a spec over HTTP.
type probedServer struct {
	cmd    *exec.Cmd
	url    string
	ask    io.Writer
	answer *bufio.Reader
	log    *lockbuf.Buffer
}

func startProbed(t *testing.T, spec string) *probedServer {
	t.Helper()
	address := freeAddress(t)
	s := &probedServer{url: "http://" + address + "/mcp", log: &lockbuf.Buffer{}}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Args = []string{"mcpc-probed", "serve", spec, "--http", address, "--no-cache", "--log-level", "error"}
	s.cmd.Stderr = s.log
	var err error
	if s.ask, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.answer = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := fetch(t, "http://"+address+"/readyz")
		if err == nil {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not start: %v\n%s", err, s.log)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *probedServer) health(t *testing.T) (h health) {
	t.Helper()
	if _, err := io.WriteString(s.ask, "?\n"); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	line, err := s.answer.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	return h
}

// settled is the server's health when nothing is under way: once what calls have
// begun has ended, which takes a moment.
func (s *probedServer) settled(t *testing.T, up *faultyUpstream, goroutines int) health {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	last := s.health(t)
	for {
		up.server.SetKeepAlivesEnabled(false) // closes those that are silent
		up.server.SetKeepAlivesEnabled(true)
		time.Sleep(100 * time.Millisecond)
		h := s.health(t)
		if time.Now().After(deadline) || h.Goroutines == last.Goroutines && h.Goroutines <= max(goroutines, 30) {
			return h
		}
		last = h
	}
}

// stop ends the server as an operator does.
func (s *probedServer) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, s.log)
	}
}

func linesOf(t *testing.T, name string) (n int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return n
		}
		if err != nil || !json.Valid(line) {
			t.Fatalf("line %d of the log, %v: %.300s", n+1, err, line)
		}
		n++
	}
}

func fetch(t *testing.T, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// metricOf is the sum of a metric over its labels.
func metricOf(t *testing.T, admin, name string) (sum int) {
	t.Helper()
	text, err := fetch(t, "http://"+admin+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^`+name+`\{.*\} (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
