package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// library is a plan with two services, three secrets and two tools.
func library() *plan.Server {
	secret := func(name, env string) plan.Expr {
		return plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: name, Env: []string{env}}}
	}
	tool := func(name, upstream string) plan.Tool {
		return plan.Tool{
			Name: name, Description: "A tool.", Input: `{"type":"object"}`,
			Request: plan.Request{Upstream: upstream, Method: "GET", Path: []plan.Segment{{Literal: "/" + name}}, Security: [][]string{{"token"}}},
		}
	}
	return &plan.Server{
		Name: "library", Version: "1",
		Upstreams: []plan.Upstream{
			{Name: "books", BaseURL: "http://books.invalid", Credentials: []plan.Credential{{Name: "token", Kind: "bearer", Value: secret("books_token", "BOOKS_TOKEN")}}},
			{Name: "films", BaseURL: "http://films.invalid", Credentials: []plan.Credential{{Name: "token", Kind: "bearer", Value: secret("films_token", "FILMS_TOKEN")}}},
		},
		Tools: []plan.Tool{tool("get_book", "books"), tool("get_film", "films")},
	}
}

// outcome is what a run left behind.
type outcome struct {
	code           int
	stdout, stderr string
	options        runtime.Options // of the server; zero when none was made
	made           bool
}

// try runs a program on a plan until its input ends.
func try(t *testing.T, p *plan.Server, input string, environment map[string]string, args ...string) outcome {
	t.Helper()
	t.Setenv("GOGC", "100") // the programs under test leave this process's collector alone
	var o outcome
	var stdout, stderr bytes.Buffer
	sys := process{strings.NewReader(input), &stdout, &stderr, func(name string) string {
		if name == "GOGC" {
			return "100"
		}
		return environment[name]
	}}
	o.code = run(t.Context(), sys, append([]string{"/usr/local/bin/library-mcp"}, args...), p, func(options runtime.Options) (*runtime.Server, error) {
		o.options, o.made = options, true
		return runtime.New(p, options)
	})
	o.stdout, o.stderr = stdout.String(), stderr.String()
	return o
}

const session = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
`

// On stdio the protocol is alone on stdout; what a person wants to know is on
// stderr, and the end of the input is the end.
func TestStdio(t *testing.T) {
	o := try(t, library(), session, map[string]string{"BOOKS_TOKEN": "sesame-1"})
	if o.code != 0 {
		t.Errorf("exit code %d", o.code)
	}
	if want := "library-mcp: serving 2 tools on stdio; not set: FILMS_TOKEN\n"; o.stderr != want {
		t.Errorf("stderr %q", o.stderr)
	}
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"id":1`) || !strings.Contains(lines[1], `"get_film"`) {
		t.Errorf("stdout %q", o.stdout)
	}
}

// The greeting counts native tools.
func TestGreetingCountsNativeTools(t *testing.T) {
	p := library()
	p.Tools = p.Tools[:1]
	var stderr bytes.Buffer
	sys := process{strings.NewReader(""), io.Discard, &stderr, func(name string) string { return "set" }}
	code := run(t.Context(), sys, []string{"lib"}, p, func(o runtime.Options) (*runtime.Server, error) {
		b, err := runtime.NewBridge(p, o)
		if err != nil {
			return nil, err
		}
		return b.Server(map[string]runtime.Handler{"get_book": func(context.Context, *runtime.Call) (*runtime.Result, error) { return runtime.Text(""), nil }})
	})
	if want := "lib: serving 1 tool on stdio; 1 native\n"; code != 0 || stderr.String() != want {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}

// Files can be named on stdio, and not by clients that may be elsewhere.
func TestFiles(t *testing.T) {
	folder := t.TempDir()
	if o := try(t, library(), "", nil, "--files", folder, "--files="+folder); o.code != 0 || len(o.options.Files) != 2 {
		t.Errorf("exit code %d, %+v, %s", o.code, o.options.Files, o.stderr)
	}
	if o := try(t, library(), "", nil, "--files", folder, "--http", "127.0.0.1:0"); o.code != 2 || o.made || !strings.Contains(o.stderr, "--files is for a client on stdio") {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
}

func TestFlags(t *testing.T) {
	o := try(t, library(), "", nil, "--base-url", "books=http://127.0.0.1:1/v2", "--base-url=films=http://127.0.0.1:2",
		"--auth", "books_token=env:OTHER", "--auth", "films_token=file:/run/films", "--allow-host", "a.example", "--allow-host", "b.example",
		"--allow-origin", "https://app.example", "--log-level", "debug", "--log-format", "json")
	if o.code != 0 || !o.made {
		t.Fatalf("exit code %d: %s", o.code, o.stderr)
	}
	got := o.options
	if got.BaseURLs["books"] != "http://127.0.0.1:1/v2" || got.BaseURLs["films"] != "http://127.0.0.1:2" {
		t.Errorf("base URLs %v", got.BaseURLs)
	}
	if s := got.Sources["books_token"]; len(s.Env) != 1 || s.Env[0] != "OTHER" || s.File != "" {
		t.Errorf("%+v", s)
	}
	if s := got.Sources["films_token"]; s.Env != nil || s.File != "/run/films" {
		t.Errorf("%+v", s)
	}
	if strings.Join(got.AllowedHosts, " ") != "a.example b.example" || strings.Join(got.AllowedOrigins, " ") != "https://app.example" {
		t.Errorf("%v, %v", got.AllowedHosts, got.AllowedOrigins)
	}
	if !got.Logger.Enabled(t.Context(), -4) {
		t.Error("the log level is not debug")
	}
	if want := "library-mcp: serving 2 tools on stdio; not set: /run/films, OTHER\n"; o.stderr != want {
		t.Errorf("stderr %q", o.stderr)
	}
	// With one service, its name need not be said, and a query may have a sign.
	p := library()
	p.Upstreams, p.Tools = p.Upstreams[:1], p.Tools[:1]
	if o := try(t, p, "", nil, "--base-url", "http://127.0.0.1:1/a=b"); o.code != 0 || o.options.BaseURLs["books"] != "http://127.0.0.1:1/a=b" {
		t.Errorf("exit code %d, %v", o.code, o.options.BaseURLs)
	}
}

// What is wrong with a command line is said, and what may be a secret is not.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"-help", 0, "library as an MCP server"},
		{"--help", 0, "library-mcp [flags]"},
		{"--prot 1", exitUsage, "-prot"},
		{"serve", exitUsage, "library-mcp: there is an argument that belongs to no flag; -help lists the flags\n"},
		{"--log-level loud", exitUsage, `--log-level is one of debug, info, warn, error, not "loud"`},
		{"--log-format xml", exitUsage, `--log-format is text or json, not "xml"`},
		{"--base-url http://127.0.0.1:1", exitUsage, "there are several services: write UPSTREAM=URL"},
		{"--base-url boks=http://127.0.0.1:1", exitFailure, `"boks"`},
		{"--auth books_token=sesame-1", exitUsage, "does not belong on a command line"},
		{"--auth books_token=bearer:sesame-1", exitUsage, "does not belong on a command line"},
		{"--auth books_token=env:", exitUsage, "NAME=env:NAME, NAME=file:PATH or NAME=vault:PATH#FIELD"},
		{"--auth sesame-1", exitUsage, "it names no secret of this server"},
		{"--auth books_token sesame-1", exitUsage, "belongs to no flag"},
		{"--http 127.0.0.1:0 sesame-1", exitUsage, "belongs to no flag"},
		{"--auth book_token=env:sesame-1", exitUsage, "it names no secret of this server"},
		{"--http nonsense", exitUsage, `--http wants HOST:PORT, e.g. 127.0.0.1:8080, not "nonsense"`},
		{"--http 192.0.2.1:80", exitFailure, "listen on 192.0.2.1:80"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			o := try(t, library(), "", nil, strings.Fields(tt.args)...)
			if o.code != tt.code || !strings.Contains(o.stderr, tt.stderr) || o.stdout != "" {
				t.Errorf("exit code %d\nstdout %s\nstderr %s", o.code, o.stdout, o.stderr)
			}
			if strings.Contains(o.stderr, "sesame") {
				t.Errorf("a secret is repeated:\n%s", o.stderr)
			}
			if tt.code == exitUsage && o.made {
				t.Error("a server was made")
			}
		})
	}
}

// Every flag is in the usage text, and the text has no other.
func TestUsageNamesTheFlags(t *testing.T) {
	help := try(t, library(), "", nil, "-help").stderr
	for _, flag := range []string{"http", "allow-host", "allow-origin", "files", "base-url", "auth", "drain-delay", "drain-timeout", "log-level", "log-format"} {
		if !strings.Contains(help, "\n  --"+flag+" ") {
			t.Errorf("--%s is not in the text", flag)
		}
		// A flag that is there wants a value; one that is not is unknown.
		if o := try(t, library(), "", nil, "--"+flag); !strings.Contains(o.stderr, "needs an argument") {
			t.Errorf("--%s: %s", flag, o.stderr)
		}
	}
	if n := strings.Count(help, "\n  --"); n != 10 {
		t.Errorf("%d flags in the text:\n%s", n, help)
	}
}

// A server that cannot be made ends the program.
func TestServerCannotBeMade(t *testing.T) {
	var stderr bytes.Buffer
	sys := process{strings.NewReader(""), io.Discard, &stderr, func(string) string { return "" }}
	code := run(t.Context(), sys, []string{`C:\bin\lib.exe`}, library(), func(runtime.Options) (*runtime.Server, error) { return nil, errors.New("the database is away") })
	if code != exitFailure || stderr.String() != "lib.exe: the database is away\n" {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}

// Over HTTP it says where it is, and ends in order when it is told to.
func TestHTTP(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	greeted := make(chan string, 1)
	sys := process{strings.NewReader(""), io.Discard, firstLine{to: greeted}, func(string) string { return "set" }}
	p := library()
	p.Listen = "127.0.0.1:0" // the spec may say so; the flag would win
	var wait sync.WaitGroup
	var code int
	wait.Go(func() {
		code = run(ctx, sys, []string{"lib"}, p, func(o runtime.Options) (*runtime.Server, error) { return runtime.New(p, o) })
	})
	line := <-greeted
	var url string
	if _, err := fmt.Sscanf(line, "lib: serving 2 tools at %s\n", &url); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(url, "/mcp")+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
	stop()
	wait.Wait()
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Operators are served beside clients, and no longer than they.
func TestAdmin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	_ = l.Close() // the address is what was wanted
	p := library()
	p.Observe = &plan.Observe{Admin: admin}
	ctx, stop := context.WithCancel(t.Context())
	in, client := io.Pipe()
	greeted := make(chan string, 1)
	sys := process{in, io.Discard, firstLine{to: greeted}, func(string) string { return "set" }}
	var wait sync.WaitGroup
	wait.Go(func() {
		if code := run(ctx, sys, []string{"lib"}, p, func(o runtime.Options) (*runtime.Server, error) { return runtime.New(p, o) }); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	<-greeted
	get := func(path string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return http.DefaultTransport.RoundTrip(req)
	}
	for path, want := range map[string]string{"/healthz": "alive", "/readyz": "ready", "/metrics": "mcpc_calls_in_flight 0\n", "/info": `"tools": 2`} {
		resp, err := get(path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	stop()
	_ = client.Close()
	wait.Wait()
	if resp, err := get("/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Error("operators are served on")
	}
}

// firstLine hands over the first text that is written.
type firstLine struct{ to chan string }

func (w firstLine) Write(b []byte) (int, error) {
	select {
	case w.to <- string(b):
	default:
	}
	return len(b), nil
}

// Which secrets are missing: those without which some tool would be called
// without its credential, wherever they are looked for.
func TestMissingSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("sesame-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(set string) func(string) string {
		return func(name string) string {
			if name == set {
				return "x"
			}
			return ""
		}
	}
	for _, tt := range []struct {
		name string
		o    runtime.Options
		want string
	}{
		{"none is set", runtime.Options{Getenv: getenv("")}, "BOOKS_TOKEN, FILMS_TOKEN"},
		{"one is", runtime.Options{Getenv: getenv("BOOKS_TOKEN")}, "FILMS_TOKEN"},
		{"one is given", runtime.Options{Getenv: getenv(""), Secrets: map[string]string{"films_token": "x"}}, "BOOKS_TOKEN"},
		{"one is elsewhere", runtime.Options{Getenv: getenv("BOOKS_TOKEN"), Sources: map[string]plan.Secret{"books_token": {Env: []string{"OTHER"}}}}, "FILMS_TOKEN, OTHER"},
		{"one is in a file", runtime.Options{Getenv: getenv(""), Sources: map[string]plan.Secret{"books_token": {File: file}}}, "FILMS_TOKEN"},
		{"one is in a file that is not there", runtime.Options{Getenv: getenv("FILMS_TOKEN"), Sources: map[string]plan.Secret{"books_token": {File: "/gone"}}}, "/gone"},
	} {
		if got := strings.Join(MissingSecrets(library(), tt.o), ", "); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	// The secret by which an issuer is asked about tokens is one.
	asking := library()
	asking.Identities = []plan.Identity{{Name: "people", OAuth: &plan.OAuth{Introspection: &plan.Introspection{Secret: &plan.Secret{Name: "introspection", Env: []string{"INTROSPECTION"}}}}}}
	o := runtime.Options{Getenv: getenv("BOOKS_TOKEN FILMS_TOKEN")}
	if got := strings.Join(MissingSecrets(asking, o), ", "); !strings.Contains(got, "INTROSPECTION") {
		t.Errorf("of an identity: %s", got)
	}
	if !slices.ContainsFunc(Secrets(asking, o), func(s Secret) bool { return s.Name == "introspection" && !s.Set }) {
		t.Errorf("of an identity: %v", Secrets(asking, o))
	}
	// A tool that may be called in another way misses nothing.
	p := library()
	p.Tools[0].Request.Security = [][]string{{"token"}, {}}
	if got := strings.Join(MissingSecrets(p, runtime.Options{Getenv: getenv("")}), ", "); got != "FILMS_TOKEN" {
		t.Errorf("with an alternative: %s", got)
	}
}
