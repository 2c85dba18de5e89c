package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostileKey is the only key of the guarded server; it may be in no answer.
const hostileKey = "mcpc_hostileprobes2345672345672"

// hostileSpec is what the hostile clients meet. %[1]s is the service behind it.
const hostileSpec = `
server "target" {
  listen "http" { addr = "127.0.0.1:0" }
  limits = {
    header_timeout = "500ms"
    request_timeout = "1s"
  }
}
%[2]s
api "shop" {
  base_url = "%[1]s/v1"
  auth     = bearer(env("SHOP_TOKEN"))
}
tool "item" {
  description = "An item."
  request "GET" "/items/{id}" {
    headers = { X-Note = args.note }
    query   = { q = args.q }
  }
  input "id" { type = string }
  input "note" {
    type     = string
    optional = true
  }
  input "q" {
    type     = string
    optional = true
  }
}
tool "number" {
  description = "A number."
  request "GET" "/numbers/{n}" {}
  input "n" { type = integer }
}
tool "list" {
  description = "A list."
  request "GET" "/list" {}
  pagination "cursor" {
    param     = "after"
    items     = "items"
    next      = "next"
    max_pages = 1
  }
}
tool "drop" {
  description = "Deletes an item."
  confirm     = "Delete it?"
  request "DELETE" "/items/{id}" {}
  input "id" { type = string }
}
tool "wait" {
  description = "Waits."
  request "GET" "/wait" {}
}
`

// upstreamLog is the service behind the servers: it answers what it was asked.
type upstreamLog struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // METHOD TARGET
	waiting chan struct{}
	release chan struct{}
}

func newUpstream(t *testing.T) *upstreamLog {
	u := &upstreamLog{waiting: make(chan struct{}, 16), release: make(chan struct{}, 16)}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.asked = append(u.asked, r.Method+" "+r.RequestURI)
		u.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/wait":
			u.waiting <- struct{}{}
			select {
			case <-u.release:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, `{"waited":true}`)
		case "/v1/list":
			_, _ = io.WriteString(w, `{"items":[{"n":1}],"next":"page-2"}`)
		default:
			b, _ := json.Marshal(map[string]string{"target": r.RequestURI, "note": r.Header.Get("X-Note")})
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// take returns what was asked since it was called last.
func (u *upstreamLog) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	asked := u.asked
	u.asked = nil
	return asked
}

// victim is a running mcpc serve.
type victim struct {
	cmd     *exec.Cmd
	address string // of HTTP
	in      io.WriteCloser
	out     *bufio.Reader
	mu      sync.Mutex
	said    bytes.Buffer // on stderr
}

// serveVictim starts the command on a spec; without identity it is open. On stdio, in
// and out are set.
func serveVictim(t *testing.T, u *upstreamLog, identity string, stdio bool) *victim {
	t.Helper()
	dir := t.TempDir()
	spec := fmt.Sprintf(hostileSpec, u.URL, identity)
	if stdio {
		spec = strings.Replace(spec, `listen "http" { addr = "127.0.0.1:0" }`, "", 1)
	}
	path := filepath.Join(dir, "spec.hcl")
	if err := os.WriteFile(path, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: exec.Command("mcpc", "serve", path, "--no-cache", "--log-level", "debug")}
	v.cmd.Env = append(os.Environ(), "SHOP_TOKEN=sesame-upstream-secret")
	var err error
	if v.in, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.out = bufio.NewReaderSize(out, 1<<20)
	stderr, err := v.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(5*time.Minute, func() { _ = v.cmd.Process.Kill() })
	greeted := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewReader(stderr)
		first, _ := lines.ReadString('\n')
		greeted <- first
		v.mu.Lock()
		v.said.WriteString(first)
		v.mu.Unlock()
		buf := make([]byte, 32<<10)
		for {
			n, err := lines.Read(buf)
			v.mu.Lock()
			v.said.Write(buf[:n])
			v.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = v.cmd.Process.Signal(os.Interrupt)
		_ = v.in.Close()
		<-drained
		if err := v.cmd.Wait(); err != nil {
			t.Errorf("the server ended badly: %v", err)
		}
		limit.Stop()
		said := v.said.String()
		for _, bad := range []string{"panic", "goroutine ", "DATA RACE", "sesame", hostileKey, "internal error"} {
			if i := strings.Index(said, bad); i >= 0 {
				t.Errorf("stderr holds %q: %s", bad, said[max(0, i-300):min(len(said), i+2000)])
			}
		}
	})
	line := <-greeted
	if _, rest, ok := strings.Cut(line, "http://"); ok {
		v.address, _, _ = strings.Cut(rest, "/")
	} else if !stdio {
		t.Fatalf("it does not say where it is: %q", line)
	}
	return v
}

// resident is the memory of the process in bytes, and the most it ever was.
func (v *victim) resident(t *testing.T) (now, most int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Logf("memory is not looked at: %v", err) // no procfs
		return 0, 0
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(b), name+":")
		n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		return n << 10
	}
	return field("VmRSS"), field("VmHWM")
}

// leaks are what no answer may hold: places of this machine and of the code, and
// secrets.
func leaks(t *testing.T, answer string) {
	t.Helper()
	for _, bad := range []string{"goroutine ", ".go:", "runtime error", "panic", os.TempDir(), "/runtime/", "sesame", hostileKey, "spec.hcl", "net/http"} {
		if strings.Contains(answer, bad) {
			t.Errorf("the answer holds %q: %.2000s", bad, answer)
		}
	}
}

// TestHostileHTTP: hostile clients get a clear answer and nothing else, and others are
// served on.
func TestHostileHTTP(t *testing.T) {
	u := newUpstream(t)
	sum := sha256.Sum256([]byte(hostileKey))
	open := serveVictim(t, u, "", false)
	guarded := serveVictim(t, u, `identity "keys" {
  api_keys {
    key "one" { hash = "sha256:`+hex.EncodeToString(sum[:])+`" }
  }
}`, false)
	probes := hostileProbes()
	if len(probes) < 90 {
		t.Errorf("there are %d probes only", len(probes))
	}
	seen := map[string]bool{}
	for i, p := range probes {
		if seen[p.name] {
			t.Errorf("two probes are called %q", p.name)
		}
		seen[p.name] = true
		t.Run(p.name, func(t *testing.T) {
			v, key := open, ""
			if p.guarded {
				v, key = guarded, "X-Api-Key: "+hostileKey+"\r\n"
			}
			u.take()
			before, _ := v.resident(t)
			status, answer := v.exchange(t, p)
			if status != p.status || !strings.Contains(answer, p.text) {
				t.Errorf("status %d, %.1000s\nwant %d with %s", status, answer, p.status, p.text)
			}
			if p.absent != "" && strings.Contains(answer, p.absent) {
				t.Errorf("the answer holds %q: %.1000s", p.absent, answer)
			}
			leaks(t, answer)
			asked := strings.Join(u.take(), "\n")
			if p.asked != "*" && asked != p.asked {
				t.Errorf("the service was asked %q, want %q", asked, p.asked)
			}
			for line := range strings.Lines(asked) {
				if _, target, _ := strings.Cut(line, " /v1/"); strings.Count(strings.SplitN(target, "?", 2)[0], "/") != 1 {
					t.Errorf("an argument left its segment: %s", line)
				}
			}
			if _, most := v.resident(t); p.bounded > 0 && before > 0 && most-before > p.bounded {
				t.Errorf("memory grew from %d to %d MiB", before>>20, most>>20)
			}
			// The next client is answered, with its own answer.
			own := fmt.Sprintf("next-%d", i)
			status, answer = v.exchange(t, probe{send: rawPost(itemCall(strconv.Quote(own), `{"id":"`+own+`"}`), key)})
			if status != 200 || !strings.Contains(answer, `"id":"`+own+`","result"`) || !strings.Contains(answer, "/v1/items/"+own) {
				t.Errorf("the next client got %d %.1000s", status, answer)
			}
		})
	}
}

// exchange sends a probe on a new connection and reads what comes back.
func (v *victim) exchange(t *testing.T, p probe) (status int, answer string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", v.address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	sent := make(chan struct{})
	go func() { // a server that has answered already may not read on
		defer close(sent)
		_, _ = io.WriteString(c, p.send)
	}()
	r := bufio.NewReader(c)
	var all strings.Builder
	for n := 0; n <= p.more; n++ {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				t.Errorf("no answer, and the connection stays open")
			}
			break
		}
		if n == 0 {
			status = resp.StatusCode
		}
		fmt.Fprintf(&all, "%s\n", resp.Status)
		_ = resp.Header.Write(&all)
		if strings.HasPrefix(p.send, "GET /mcp") && resp.StatusCode == http.StatusOK {
			line, _ := bufio.NewReader(resp.Body).ReadString('\n') // a stream; the rest comes when a list changes
			all.WriteString(line)
			break
		}
		body, _ := io.ReadAll(resp.Body)
		all.Write(body)
		all.WriteByte('\n')
	}
	if p.half || strings.Contains(p.send, "/readyz") {
		// What was not read as a request must not be read as the next one.
		rest, err := io.ReadAll(r)
		if strings.Contains(string(rest), "HTTP/1.1 200") {
			t.Errorf("the rest of it was answered, too: %.500s", rest)
		}
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && p.half {
			t.Errorf("the connection stays open")
		}
	}
	_ = c.Close()
	<-sent
	return status, all.String()
}
