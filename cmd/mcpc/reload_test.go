package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// heard is a stream of lines that a test waits for.
type heard struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{}
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Write(b)
	select {
	case h.grown <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// wait waits until a text is there n times.
func (h *heard) wait(t *testing.T, text string, n int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for strings.Count(h.String(), text) < n {
		select {
		case <-h.grown:
		case <-limit:
			t.Fatalf("no %q in\n%s", text, h)
		}
	}
}

// A running server takes what its spec becomes, keeps what it has when that is
// broken, says so once, and tells its client of changed lists only.
func TestServeReloads(t *testing.T) {
	dir := t.TempDir()
	spec := filepath.Join(dir, "s.hcl")
	write := func(description, body string) {
		t.Helper()
		text := fmt.Sprintf("server \"t\" {}\napi \"a\" { base_url = \"http://127.0.0.1:1\" }\ntool \"t\" {\n  description = %q\n  request \"POST\" \"/t\" { text = file(%q) }\n}\n", description, body)
		// Complete or not at all, as editors and deployments write.
		if err := os.WriteFile(spec+"~", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(spec+"~", spec); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	write("First.", "a.txt")

	ctx, stop := context.WithCancel(t.Context())
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	stderr := &heard{grown: make(chan struct{}, 1)}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, inR, outW, stderr, []string{"serve", spec, "--no-cache"}, func(string) string { return "" })
		_ = outW.Close()
		_ = inR.CloseWithError(errors.New("the server has ended"))
	}()
	out := bufio.NewScanner(outR)
	say := func(line string) {
		t.Helper()
		if _, err := io.WriteString(inW, line+"\n"); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	}
	read := func() string {
		t.Helper()
		if !out.Scan() {
			t.Fatalf("no line: %v\n%s", out.Err(), stderr)
		}
		return out.Text()
	}
	const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	listed := func(want string) {
		t.Helper()
		say(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
		if got := read(); !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`)
	if got := read(); !strings.Contains(got, `"listChanged":true`) {
		t.Errorf("capabilities: %s", got)
	}
	say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	listed("First.")

	write("Second.", "a.txt")
	if got := read(); got != changed {
		t.Errorf("%s", got)
	}
	listed("Second.")
	stderr.wait(t, "msg=reloaded", 1)

	// A file that the spec reads: nothing of the list is different.
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	stderr.wait(t, "msg=reloaded", 2)

	// Broken by a file that is missing, twice the same; mended by the file.
	write("Third.", "b.txt")
	stderr.wait(t, "not reloaded: the plan in use stays", 1)
	me, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := me.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	listed("Second.")
	if err := os.WriteFile(filepath.Join(dir, "b.txt"), []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != changed {
		t.Errorf("%s", got)
	}
	listed("Third.")
	if n := strings.Count(stderr.String(), "not reloaded"); n != 1 {
		t.Errorf("the failure was said %d times:\n%s", n, stderr)
	}

	// SIGHUP reads all again, also when no file has changed.
	n := strings.Count(stderr.String(), "msg=reloaded")
	if err := me.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	stderr.wait(t, "why=SIGHUP", 1)
	stderr.wait(t, "msg=reloaded", n+1)

	stop()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	_ = inW.Close()
	if out.Scan() {
		t.Errorf("one line more: %s", out.Text())
	}
}
