package judges

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mcpc is the command under test, built by TestMain in the folder work.
var mcpc, work string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "judges-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		work, mcpc = dir, filepath.Join(dir, "mcpc")
		build := exec.Command("go", "build", "-o", mcpc, "./cmd/mcpc")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build mcpc: %v\n%s", err, out)
			return 1
		}
		// No test reads or writes the developer's cache or settings.
		for _, name := range []string{"GOCACHE", "GOMODCACHE"} { // but Go's, for what is built later
			out, err := exec.Command("go", "env", name).Output()
			if err != nil {
				fmt.Fprintf(os.Stderr, "go env %s: %v\n", name, err)
				return 1
			}
			os.Setenv(name, strings.TrimSpace(string(out)))
		}
		os.Setenv("HOME", dir)
		os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
		return m.Run()
	}())
}

// need ends the test when one of the files is missing: it is skipped, or fails
// in CI, where everything has to be there.
func need(t *testing.T, files ...string) {
	t.Helper()
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing; `make judges-install` installs it", f)
			}
			t.Skipf("%s is missing; `make judges-install` installs it", f)
		}
	}
}

// node is Node 24 from npm; the machine's own may be too old for the judges.
func node(t *testing.T) string {
	t.Helper()
	const path = "node_modules/node/bin/node"
	need(t, path)
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// tool is a program that `make judges-install` built into bin/.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	need(t, path)
	return path
}

// document is a public API description of the corpus.
func document(t *testing.T, name string) string {
	t.Helper()
	corpus := os.Getenv("MCPC_CORPUS")
	if corpus == "" {
		corpus = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(corpus, "specs", "specs", name)
	if _, err := os.Stat(path); err != nil {
		why := fmt.Sprintf("%s is missing: the corpus of public API documents is looked for in ../shared beside the checkout, or in $MCPC_CORPUS", path)
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return path
}

// output is what a process printed; written and read at once.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// tail is the end of the output.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.b.String()
	if len(s) > 4000 {
		s = "…" + s[len(s)-4000:]
	}
	return s
}

// command makes a command whose whole process group ends with the context or
// the test.
func command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// start runs a server until the test ends and returns when it is ready, at the
// latest after limit.
func start(t *testing.T, limit time.Duration, ready func() bool, env []string, argv ...string) *output {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{}
	cmd := command(ctx, argv...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		cancel()
		<-gone
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(argv[0]), out.tail())
		}
	})
	deadline := time.After(limit)
	for poll := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-gone:
			t.Fatalf("%s ended at once:\n%s", strings.Join(argv, " "), out.tail())
		case <-deadline:
			t.Fatalf("%s is not ready after %v:\n%s", strings.Join(argv, " "), limit, out.tail())
		case <-poll.C:
			if ready() {
				poll.Stop()
				return out
			}
		}
	}
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, limit time.Duration, argv ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var o, e bytes.Buffer
	cmd := command(ctx, argv...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s did not end within %v\n%s%s", strings.Join(argv, " "), limit, o.String(), e.String())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", argv[0], err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// freeAddress is a loopback address nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// listens reports whether somebody answers at an address.
func listens(address string) func() bool {
	return func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}
}

// answers reports whether a URL answers 200.
func answers(url string) func() bool {
	client := &http.Client{Timeout: 5 * time.Second}
	return func() bool {
		r, err := client.Get(url)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	}
}

// serve runs `mcpc serve` over HTTP and returns its MCP endpoint.
func serve(t *testing.T, env []string, target string, flags ...string) string {
	t.Helper()
	target, err := filepath.Abs(target)
	if err != nil {
		t.Fatal(err)
	}
	return serveHTTP(t, env, append([]string{mcpc, "serve", target}, flags...))
}

// serveGenerated does the same with a server that is generated and built.
func serveGenerated(t *testing.T, env []string, target string, flags ...string) string {
	t.Helper()
	return serveHTTP(t, env, append([]string{generated(t, target)}, flags...))
}

func serveHTTP(t *testing.T, env, argv []string) string {
	t.Helper()
	address := freeAddress(t)
	start(t, time.Minute, answers("http://"+address+"/readyz"), env, append(argv, "--http", address)...)
	return "http://" + address + "/mcp"
}

// serveFunc serves a target, with variables of the environment and flags of the
// command, until the test ends, and returns the MCP endpoint.
type serveFunc func(t *testing.T, env []string, target string, flags ...string) string

// bothServers calls f for an interpreted and for a generated server: a judge has
// to say the same of both.
func bothServers(t *testing.T, f func(*testing.T, serveFunc)) {
	t.Run("interpreted", func(t *testing.T) { f(t, serve) })
	t.Run("generated", func(t *testing.T) { f(t, serveGenerated) })
}

// generated generates and builds the server of a target, once, and returns the
// program. The module it is in lies outside of this checkout and has its
// requirements, so that nothing has to be fetched.
func generated(t *testing.T, target string) string {
	t.Helper()
	target, err := filepath.Abs(target)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(work, "generated", strings.TrimSuffix(filepath.Base(target), filepath.Ext(target)))
	program := filepath.Join(dir, "server")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(checkout, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const module = "github.com/mcpc-dev/mcpc"
	for _, argv := range [][]string{
		{"go", "mod", "edit", "-module", "example.com/generated", "-require", module + "@v0.0.0", "-replace", module + "=" + checkout},
		{mcpc, "generate", target, "-o", "tools", "--main", "cmd"},
		{"go", "build", "-trimpath", "-o", program, "./cmd"},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	return program
}
