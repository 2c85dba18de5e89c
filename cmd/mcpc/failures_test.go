package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/faulty"
)

// A served spec before upstreams that fail: what a client is told of each
// failure, how often the upstream is asked, and that it sees a client leave. The
// promises in detail are in runtime/internal/upstream.
func TestFailures(t *testing.T) {
	const secret = "s3cr3t-t0ken"
	want := map[string]string{ // code and advice of a read, advice of a change
		"no answer":                     "timeout may-help check-first",
		"slow headers":                  "timeout may-help check-first",
		"slow body":                     "timeout may-help check-first",
		"reset before the answer":       "connection may-help check-first",
		"reset within the body":         "connection may-help check-first",
		"closed before the answer":      "connection may-help check-first",
		"half closed":                   "connection may-help check-first",
		"truncated body":                "connection may-help check-first",
		"chunks without an end":         "connection may-help check-first",
		"gzip that ends early":          "connection may-help check-first",
		"broken chunks":                 "protocol no check-first",
		"not HTTP":                      "protocol no check-first",
		"a length that is none":         "protocol no check-first",
		"two lengths":                   "protocol no check-first",
		"a header that is none":         "protocol no check-first",
		"header bomb":                   "too-large no check-first",
		"many headers":                  "too-large no check-first",
		"endless 100 Continue":          "too-large no check-first",
		"500":                           "http-500 may-help check-first",
		"503":                           "http-503 may-help check-first",
		"429 for an hour":               "http-429 after after",
		"404":                           "http-404 no no",
		"too large":                     "",
		"a redirect away":               "redirect no no",
		"redirects for ever":            "redirect no no",
		"an encoding that is not known": "encoding no no",
	}
	page, err := os.ReadFile("../../runtime/ERRORS.md")
	if err != nil {
		t.Fatal(err)
	}
	var spec strings.Builder
	spec.WriteString("variable \"token\" {\n  sensitive = true\n  env       = \"TOKEN\"\n}\n")
	servers := map[string]*faulty.Server{}
	names := map[string]string{}
	for i, fault := range faulty.Faults() {
		s := faulty.Start(t, fault)
		servers[fault.Name], names[fault.Name] = s, fmt.Sprintf("f%d", i)
		limit := "20s"
		if strings.HasPrefix(want[fault.Name], "timeout") {
			limit = "300ms"
		}
		fmt.Fprintf(&spec, `
api "f%[1]d" {
  base_url     = %[2]q
  auth         = bearer(var.token)
  timeout      = %[3]q
  max_response = "10KiB"
  retry {
    on = [429, 503]
  }
}
tool "get_f%[1]d" {
  api         = api.f%[1]d
  description = "Read."
  request "GET" "/a" {}
}
tool "change_f%[1]d" {
  api         = api.f%[1]d
  description = "Change."
  request "POST" "/a" {
    json = { a = 1 }
  }
}
`, i, s.URL, limit)
	}
	hang := faulty.Start(t, faulty.Faults()[0])
	fmt.Fprintf(&spec, "api \"hang\" {\n  base_url = %q\n  timeout  = \"5m\"\n}\ntool \"hang\" {\n  api         = api.hang\n  description = \"Hang.\"\n  request \"GET\" \"/a\" {}\n}\n", hang.URL)
	at := serveSpec(t, spec.String(), "TOKEN="+secret)

	for _, fault := range faulty.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			expected, ok := want[fault.Name]
			if !ok {
				t.Fatal("nothing is said about it")
			}
			words := strings.Fields(expected)
			s := servers[fault.Name]
			for i, verb := range []string{"get_", "change_"} {
				before := s.Requests()
				text, code, retry := callTool(t, at, verb+names[fault.Name])
				if len(words) == 0 {
					if code != "" {
						t.Errorf("%s: %s", code, text)
					}
					continue
				}
				if code != words[0] || retry != words[i+1] {
					t.Errorf("%s %s, want %s %s: %s", code, retry, words[0], words[i+1], text)
				}
				known := strings.Contains(string(page), "`"+code+"`") || strings.HasPrefix(code, "http-")
				if lines := strings.Count(text, "\n"); !known || lines < 1 {
					t.Errorf("no sentence and advice: %s %q", code, text)
				}
				for _, hidden := range []string{secret, "127.0.0.1", strings.TrimPrefix(s.URL, "http://127.0.0.1:"), "169.254", "net/http", "read tcp"} {
					if strings.Contains(text, hidden) {
						t.Errorf("%q tells %q", text, hidden)
					}
				}
				if n := s.Requests() - before; verb == "change_" && (n > 1 || n == 0 && code != "timeout") && fault.Name != "redirects for ever" {
					t.Errorf("a change was sent %d times", n)
				}
			}
		})
	}
	t.Run("a client that leaves", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			r, err := http.NewRequestWithContext(ctx, "POST", at, strings.NewReader(callBody("hang")))
			if err == nil {
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Accept", "application/json, text/event-stream")
				_, err = new(http.Client).Do(r)
			}
			done <- err
		}()
		for deadline := time.Now().Add(20 * time.Second); hang.Requests() == 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		select {
		case <-hang.Left():
		case <-time.After(20 * time.Second):
			t.Error("the upstream never saw that nobody waits")
		}
	})
}

// serveSpec runs mcpc serve until the test ends, and returns where it listens.
func serveSpec(t *testing.T, spec string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "spec.hcl")
	if err := os.WriteFile(path, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mcpc", "serve", path, "--http", "127.0.0.1:0", "--no-cache")
	cmd.Env = append(os.Environ(), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(3*time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		defer limit.Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it did not end well: %v", err)
		}
	})
	var said bytes.Buffer
	buffer := make([]byte, 4096)
	for {
		n, err := stderr.Read(buffer)
		said.Write(buffer[:n])
		if at := regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+/mcp`).FindString(said.String()); at != "" {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return at
		}
		if err != nil {
			t.Fatalf("it ended early: %s", said.String())
		}
	}
}

func callBody(name string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, name)
}

// callTool calls a tool and returns the text of the result, and what its failure
// is called and says about a retry.
func callTool(t *testing.T, at, name string) (text, code, retry string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", at, strings.NewReader(callBody(name)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	res, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Result *struct {
			Content []struct{ Text string }
			Meta    map[string]json.RawMessage `json:"_meta"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Result == nil || len(answer.Result.Content) == 0 {
		t.Fatalf("%s: %s", res.Status, body)
	}
	var failure struct{ Code, Retry string }
	if raw := answer.Result.Meta["mcpc/error"]; raw != nil {
		if err := json.Unmarshal(raw, &failure); err != nil {
			t.Fatal(err)
		}
	}
	return answer.Result.Content[0].Text, failure.Code, failure.Retry
}
