package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
)

// server is a process of mcpc serve.
type server struct {
	t       *testing.T
	spec    string
	address string
	command *exec.Cmd
	log     *lockbuf.Buffer
	ended   chan struct{}
}

// free is an address of this machine where nobody listens.
func free(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it served its purpose
	return l.Addr().String()
}

// serve starts a server on a port of its own. It ends with the test.
func serve(t *testing.T, spec string) *server {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, spec: filepath.Join(t.TempDir(), "shop.hcl"), address: free(t)}
	if err := os.WriteFile(s.spec, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(path)
	t.Cleanup(s.kill)
	return s
}

func (s *server) start(path string) {
	s.t.Helper()
	s.command = exec.CommandContext(context.Background(), path, "serve", s.spec, "--http", s.address)
	s.log = &lockbuf.Buffer{}
	s.command.Stderr = s.log
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		_ = c.Wait() // it is killed
		close(ended)
	}(s.command, s.ended)
	within(s.t, 30*time.Second, "the server is ready", func() bool { return s.get("http://"+s.address+"/readyz") != "" })
}

func (s *server) kill() {
	_ = s.command.Process.Kill() // it may have ended
	<-s.ended
}

// get reads a page; "" when it does not answer 200.
func (s *server) get(url string) string {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}

// outcome is what became of a call: "ok", a code, or "" when the server is away.
type outcome struct {
	code  string
	text  string
	after int64 // seconds to wait
	took  time.Duration
}

func (s *server) call() outcome {
	began := time.Now()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_order","arguments":{}}}`
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+s.address+"/mcp", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return outcome{}
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"} {
		req.Header.Set(k, v)
	}
	res, err := client.Do(req)
	if err != nil {
		return outcome{}
	}
	defer res.Body.Close()
	var said struct {
		Result struct {
			IsError bool
			Content []struct{ Text string }
			Meta    map[string]struct {
				Code  string
				After int64 `json:"retryAfterSeconds"`
			} `json:"_meta"`
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		return outcome{}
	}
	o := outcome{code: "ok", took: time.Since(began)}
	if said.Result.IsError {
		failure := said.Result.Meta["mcpc/error"]
		o.code, o.after = failure.Code, failure.After
	}
	if len(said.Result.Content) > 0 {
		o.text = said.Result.Content[0].Text
	}
	return o
}

// load calls servers from so many clients at once until it is told to stop, and
// returns what became of the calls.
func load(clients int, servers ...*server) (stop func() []outcome) {
	var mu sync.Mutex
	var all []outcome
	var wg sync.WaitGroup
	var done atomic.Bool
	for i := range clients {
		s := servers[i%len(servers)]
		wg.Go(func() {
			for !done.Load() {
				o := s.call()
				mu.Lock()
				all = append(all, o)
				mu.Unlock()
				if o.code != "ok" {
					time.Sleep(time.Millisecond) // refusals are cheap: others have a turn
				}
			}
		})
	}
	return func() []outcome {
		done.Store(true)
		wg.Wait()
		return all
	}
}

func count(all []outcome, code string) (n int) {
	for _, o := range all {
		if o.code == code {
			n++
		}
	}
	return n
}

// slowest is how long the slowest call took of all but one in a hundred.
func slowest(all []outcome) time.Duration {
	took := make([]time.Duration, len(all))
	for i, o := range all {
		took[i] = o.took
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// within waits for something to come true.
func within(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// orders is the service behind the servers.
func orders(t *testing.T) (url string, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, calls
}

func spec(service string, r *redis, limit string) string {
	return fmt.Sprintf(`server "shop" {}

api "shop" { base_url = %q }

tool "get_order" {
  read_only = true
  request "GET" "/orders/1" {}
}

store "shared" {
  url     = "redis://%s"
  timeout = "500ms"
}

rate_limit "all" {
  store = store.shared
  %s
}
`, service, r.Address(), limit)
}

// Two servers share a limit: together they let through what it allows, no more and
// no less, also when one is killed and starts again.
func TestTwoServers(t *testing.T) {
	r := startRedis(t)
	service, calls := orders(t)
	const perSecond, burst = 100, 50
	text := spec(service, r, fmt.Sprintf("rate = \"%d/s\"\nburst = %d", perSecond, burst))
	a, b := serve(t, text), serve(t, text)
	promised := func(d time.Duration) float64 { return burst + perSecond*d.Seconds() }

	began := time.Now()
	stop := load(8, a, b)
	within(t, time.Minute, "400 calls", func() bool { return calls.Load() >= 400 })
	all := stop()
	passed, most := float64(calls.Load()), promised(time.Since(began))
	t.Logf("two servers: %.0f calls in %v, %.1f promised; %d refused", passed, time.Since(began).Round(time.Millisecond), most, count(all, "rate-limited"))
	if passed > most || passed < 0.93*most || count(all, "ok") != int(passed) || count(all, "") > 0 {
		t.Errorf("%.0f calls let through, %d answered, %d without an answer; %.1f promised", passed, count(all, "ok"), count(all, ""), most)
	}

	stop = load(8, a, b)
	within(t, time.Minute, "100 calls more", func() bool { return float64(calls.Load()) >= passed+100 })
	a.kill()
	within(t, time.Minute, "100 calls of one server alone", func() bool { return float64(calls.Load()) >= passed+200 })
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	a.start(path)
	within(t, time.Minute, "100 calls of both again", func() bool { return float64(calls.Load()) >= passed+300 })
	stop()
	total, most := float64(calls.Load()), promised(time.Since(began))
	t.Logf("one of them killed and started again: %.0f calls in %v, %.1f promised", total, time.Since(began).Round(time.Millisecond), most)
	if total > most || total < 0.93*most {
		t.Errorf("%.0f calls let through, %.1f promised", total, most)
	}
}

// A refusal says exactly when to call again, whoever asks.
func TestRetryAfter(t *testing.T) {
	r := startRedis(t)
	service, calls := orders(t)
	text := spec(service, r, `rate = "1/m"`)
	a, b := serve(t, text), serve(t, text)
	if o := a.call(); o.code != "ok" {
		t.Fatalf("%+v", o)
	}
	for _, s := range []*server{a, b} {
		o := s.call()
		if o.code != "rate-limited" || o.after < 50 || o.after > 60 || !strings.Contains(o.text, fmt.Sprintf("after %d seconds", o.after)) {
			t.Errorf("%+v", o)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
}

// Results are charged for all servers.
func TestSharedBudget(t *testing.T) {
	r := startRedis(t)
	service, calls := orders(t)
	text := spec(service, r, `bytes_out = "10B/h"`) // a result has 16
	a, b := serve(t, text), serve(t, text)
	if o := a.call(); o.code != "ok" {
		t.Fatalf("%+v", o)
	}
	for _, s := range []*server{a, b} {
		if o := s.call(); o.code != "rate-limited" || o.after < 2400 || o.after > 2520 {
			t.Errorf("%+v", o)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
}

// Redis dies under load, comes back, hangs, and comes back: on_error holds
// meanwhile, calls do not wait for it, and the limit is shared again after it.
func TestRedisAway(t *testing.T) {
	for _, onError := range []string{"local", "deny", "allow"} {
		t.Run(onError, func(t *testing.T) {
			r := startRedis(t)
			service, calls := orders(t)
			const perSecond, burst = 50, 10
			text := spec(service, r, fmt.Sprintf("rate = \"%d/s\"\nburst = %d\non_error = %q", perSecond, burst, onError)) + "\nobserve { admin = \"ADMIN\" }\n"
			admin := free(t)
			a, b := serve(t, strings.Replace(text, "ADMIN", admin, 1)), serve(t, strings.Replace(text, "ADMIN", free(t), 1))
			up := func() bool {
				return strings.Contains(a.get("http://"+admin+"/metrics"), `mcpc_limit_store_up{store="shared"} 1`)
			}
			promised := func(d time.Duration) float64 { return burst + perSecond*d.Seconds() }
			both := func(what string, times int) func() bool {
				return func() bool {
					return strings.Count(a.log.String(), what) >= times && strings.Count(b.log.String(), what) >= times
				}
			}
			stop := load(6, a, b)
			within(t, 30*time.Second, "the limit holds", func() bool { return calls.Load() >= 2*burst })

			for i, outage := range []struct {
				name      string
				down, up  func()
				slowestOK time.Duration
			}{
				{"killed", r.Kill, r.Start, time.Second},
				{"stopped", func() { _ = r.command.Process.Signal(syscall.SIGSTOP) }, func() { _ = r.command.Process.Signal(syscall.SIGCONT) }, time.Second},
			} {
				stop()
				outage.down()
				stop = load(6, a, b)
				within(t, 30*time.Second, outage.name+": the servers notice", both("does not answer", i+1))
				waited := slices.DeleteFunc(stop(), func(o outcome) bool { return o.took < 400*time.Millisecond })
				t.Logf("%s, %s: %d calls waited for it", onError, outage.name, len(waited))
				if len(waited) > 6 { // as many as were under way
					t.Errorf("%s: %d calls waited", outage.name, len(waited))
				}
				// What holds while it is away.
				if up() || a.get("http://"+a.address+"/readyz") == "" {
					t.Errorf("%s: the metric says it is there, or the server is not ready", outage.name)
				}
				began, before := time.Now(), calls.Load()
				stop = load(6, a, b)
				time.Sleep(time.Second) // over which the rate is measured
				all := stop()
				elapsed, passed := time.Since(began), float64(calls.Load()-before)
				t.Logf("%s, %s: %.0f of %d calls in %v, the slowest of 99 in 100 took %v", onError, outage.name, passed, len(all), elapsed.Round(time.Millisecond), slowest(all).Round(time.Millisecond))
				switch onError {
				case "local":
					if passed > 2*promised(elapsed) || passed < perSecond*elapsed.Seconds() {
						t.Errorf("%s: %.0f calls, by two servers of their own %.0f", outage.name, passed, 2*promised(elapsed))
					}
				case "deny":
					if passed > 0 || !strings.Contains(all[0].text, "cannot be checked") {
						t.Errorf("%s: %.0f calls, %+v", outage.name, passed, all[0])
					}
				case "allow":
					if count(all, "ok") != len(all) {
						t.Errorf("%s: %d of %d calls", outage.name, count(all, "ok"), len(all))
					}
				}
				if d := slowest(all); d > outage.slowestOK {
					t.Errorf("%s: calls take %v", outage.name, d)
				}
				outage.up()
				stop = load(6, a, b)
				within(t, 30*time.Second, outage.name+": the servers find it again", both("rate limits answers", i+1))
				stop()
				if !up() {
					t.Errorf("%s, and back: the metric says it is away", outage.name)
				}
				began, before = time.Now(), calls.Load()
				stop = load(6, a, b)
				within(t, 30*time.Second, "calls again", func() bool { return calls.Load() >= before+2*burst })
				stop()
				if passed, most := float64(calls.Load()-before), promised(time.Since(began)); passed > most {
					t.Errorf("%s, and back: %.0f calls, %.1f promised", outage.name, passed, most)
				}
			}
			stop()
			for _, s := range []*server{a, b} {
				if n := strings.Count(s.log.String(), "store of rate limits"); n != 4 {
					t.Errorf("%d lines of two outages:\n%s", n, s.log)
				}
			}
		})
	}
}

// The places of a server that dies are free when its leases end; those of one that
// lives are kept for as long as its calls run.
func TestServerDies(t *testing.T) {
	r := startRedis(t)
	release, entered := make(chan struct{}), make(chan struct{}, 2)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Err() == nil {
			select {
			case entered <- struct{}{}:
				select {
				case <-release:
				case <-r.Context().Done():
				}
			default: // the two places are taken: this is a later call
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1}`)
	}))
	defer s.Close()
	defer close(release)
	text := spec(s.URL, r, `concurrency = 2`)
	a, b := serve(t, text), serve(t, text)
	for range 2 {
		go a.call()
	}
	within(t, 30*time.Second, "both calls are under way", func() bool { return len(entered) == 2 })
	if o := b.call(); o.code != "rate-limited" || o.after != 1 {
		t.Errorf("a third call: %+v", o)
	}
	a.kill()
	began := time.Now()
	if o := b.call(); o.code != "rate-limited" {
		t.Errorf("at once: %+v", o)
	}
	within(t, 40*time.Second, "the places are free", func() bool { return b.call().code == "ok" })
	t.Logf("the places of a server that died were free after %v", time.Since(began).Round(100*time.Millisecond))
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("after %v", d)
	}
}
