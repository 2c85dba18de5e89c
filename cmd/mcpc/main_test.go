package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
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
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/cases"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
)

var update = flag.Bool("update", false, "write what is observed into the archives and scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcpc": main, "mcpc-probed": probed})
}

// archives is the corpus of behaviours.
var archives = filepath.Join("..", "..", "testdata", "cases")

// TestCases runs every archive of the corpus against a server that was just
// compiled.
func TestCases(t *testing.T) {
	cases.Each(t, archives, func(t *testing.T, archive string) { cases.Run(t, archive, *update, interpreted) })
}

// interpreted validates a spec in the way the command does, and makes a server
// of it.
func interpreted(t *testing.T, s cases.Spec, upstream http.RoundTripper) cases.Outcome {
	o := cases.Outcome{Diagnostics: func(format string) string {
		var stderr bytes.Buffer
		args := append([]string{"validate", s.Target, "--no-cache", "--format", format}, s.Flags...)
		run(t.Context(), strings.NewReader(""), io.Discard, &stderr, args, s.Getenv)
		return stderr.String()
	}}
	r := compile(t, s)
	if r == nil {
		return o
	}
	server, err := runtime.New(r.Plan, runtime.Options{Getenv: s.Getenv, Transport: upstream})
	if err != nil {
		t.Fatal(err)
	}
	o.Handler = server.Handler()
	return o
}

// compile compiles a spec as its flags say. It returns nil when no server comes
// of it.
func compile(t *testing.T, s cases.Spec) *compiler.Result {
	var tgt target
	cmd := &cobra.Command{}
	tgt.flags(cmd)
	if err := cmd.ParseFlags(append([]string{"--no-cache"}, s.Flags...)); err != nil {
		t.Fatal(err)
	}
	options, err := tgt.options(&app{stdin: strings.NewReader(""), getenv: s.Getenv}, s.Target)
	if err != nil {
		t.Fatal(err)
	}
	options.Model = true
	r, err := compiler.Compile(t.Context(), options)
	if err != nil || r.Plan == nil {
		return nil
	}
	return r
}

// TestScripts runs the command as a process, with real exit codes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MCPC_CACHE_DIR", filepath.Join(e.WorkDir, ".cache"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"upstream": startUpstream,
			"signal":   signalWhenReady,
		},
	})
}

// exits CODE COMMAND… runs a command that must end with the code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var status *exec.ExitError
		if !errors.As(err, &status) {
			ts.Fatalf("%v", err)
		}
		got = status.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// upstream FILE starts an HTTP service whose address is then in $UPSTREAM. Each
// line of the file is METHOD PATH STATUS MEDIA-TYPE BODY; a body may be a Go
// string; {authorization} in it is the header that came, {upstream} the address.
func startUpstream(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: upstream FILE")
	}
	type answer struct{ status, media, body string }
	answers := map[string]answer{}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 5)
		if len(f) < 4 {
			ts.Fatalf("%s: %q is not METHOD PATH STATUS MEDIA-TYPE BODY", args[0], line)
		}
		body := strings.Join(f[4:], "")
		if s, err := strconv.Unquote(body); err == nil {
			body = s
		}
		answers[f[0]+" "+f[1]] = answer{f[2], f[3], body}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.Method+" "+r.RequestURI]
		if !ok {
			http.Error(w, r.Method+" "+r.RequestURI+" is not in "+args[0], http.StatusNotFound)
			return
		}
		status, err := strconv.Atoi(a.status)
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", a.media)
		w.WriteHeader(status)
		io.WriteString(w, strings.NewReplacer("{authorization}", r.Header.Get("Authorization"), "{upstream}", "http://"+r.Host).Replace(a.body))
	}))
	ts.Defer(s.Close)
	ts.Setenv("UPSTREAM", s.URL)
}

// signal SIGNAL COMMAND… starts a command, sends it the signal once it has
// greeted on stderr, and expects that it ends well. Before that it calls
// /healthz when the greeting names an HTTP address.
func signalWhenReady(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.Getenv("WORK")
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd.Path = path
	for _, name := range []string{"PATH", "HOME", "MCPC_CACHE_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	in, err := cmd.StdinPipe() // open, so that only the signal ends it
	ts.Check(err)
	defer in.Close()
	ts.Check(cmd.Start())
	defer cmd.Process.Kill() // in case it does not end by itself
	limit := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer limit.Stop()
	var said bytes.Buffer
	buffer := make([]byte, 4096)
	for !strings.Contains(said.String(), "\n") {
		n, err := stderr.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			ts.Fatalf("it ended early: %s", said.String())
		}
	}
	if _, rest, ok := strings.Cut(said.String(), "http://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if _, _, err := net.SplitHostPort(host); err != nil {
			ts.Fatalf("no address in %q", said.String())
		}
		res, err := (&http.Client{Timeout: 10 * time.Second}).Get("http://" + host + "/healthz")
		ts.Check(err)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			ts.Fatalf("/healthz: %s", res.Status)
		}
	}
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	rest, err := io.ReadAll(stderr)
	ts.Check(err)
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("%v; it said %s%s", err, said.String(), rest)
	}
	fmt.Fprint(ts.Stderr(), said.String(), string(rest))
}

// TestInterrupted: a verb that is interrupted ends with the shell's code for it.
func TestInterrupted(t *testing.T) {
	asked := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer s.Close()
	spec := filepath.Join(t.TempDir(), "spec.yaml")
	text := "openapi: 3.1.0\ninfo: {title: t, version: '1'}\nservers: [{url: '" + s.URL + "'}]\npaths:\n  /slow:\n    get: {operationId: slow, responses: {'200': {description: ok}}}\n"
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	var out, errs bytes.Buffer
	if code := run(ctx, strings.NewReader(""), &out, &errs, []string{"call", spec, "slow", "--no-cache"}, func(string) string { return "" }); code != exitInterrupted {
		t.Errorf("exit code %d, want %d; stderr %s", code, exitInterrupted, errs.String())
	}
}
