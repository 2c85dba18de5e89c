// Package show is what the examples have in common: it starts the services an
// example stands on, serves them as MCP, shows what a client sees, and keeps
// serving so that a real client can connect.
package show

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
)

// Show is one example.
type Show struct {
	Name  string // of the folder in examples
	Title string
	// Files are the specs and what they refer to, for a program that runs
	// outside of a checkout.
	Files fs.FS
	// Services are what the servers stand on, by name. They are plain HTTP
	// services that know nothing of MCP.
	Services map[string]http.Handler
	// FirstPort is where the first service listens when the port is free; the
	// other services follow by name, then the servers. So what was pasted into a
	// client stays right.
	FirstPort int
	Servers   []Server
	// Env are values of environment variables that nobody has set, such as the
	// passwords of the services.
	Env map[string]string
}

// Server is one MCP server of a [Show].
type Server struct {
	Spec string // in the folder
	// Upstreams says which service stands behind which api of the spec:
	// "service", or "service/path".
	Upstreams map[string]string
	Vars      map[string]string // values of the spec's variables
	// Files are folders, in the example's, whose files a client may name. Such a
	// server is on stdio, where its client is on the same machine.
	Files []string
	Calls []Call
}

// Call is one call that is shown.
type Call struct {
	Why       string // what it is there to show
	Tool      string
	Arguments string // a JSON object
}

// Main runs the program of an example and returns its exit code.
//
//	--once   end after the show instead of serving on
func (s *Show) Main(stdout, stderr io.Writer, args []string) int {
	flags := flag.NewFlagSet(s.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "end after the show instead of serving on")
	if flags.Parse(args) != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx, stdout, *once); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", s.Name, err)
		return 1
	}
	return 0
}

// running is a server that runs.
type running struct {
	*Server
	spec  string
	url   string // "" on stdio
	in    io.WriteCloser
	out   io.Reader
	tools int
}

// connect makes a client of a server.
func (r *running) connect(ctx context.Context, someone client.ElicitationHandler) (*client.Client, error) {
	var t transport.Interface
	if r.url == "" {
		t = transport.NewIO(r.out, r.in, io.NopCloser(strings.NewReader("")))
	} else {
		http, err := transport.NewStreamableHTTP(r.url)
		if err != nil {
			return nil, err
		}
		t = http
	}
	c := client.NewClient(t, client.WithElicitationHandler(someone))
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// run starts everything, shows it and, unless once, waits for the end of ctx.
func (s *Show) run(ctx context.Context, w io.Writer, once bool) error {
	ctx, cancel := context.WithCancel(ctx)
	folder, tidy, err := s.folder()
	if err != nil {
		cancel()
		return err
	}
	defer tidy()

	log := &requestLog{}
	urls := map[string]string{}
	port := s.FirstPort
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		l, err := listen(port, once)
		if err != nil {
			cancel()
			return err
		}
		port++
		service := &http.Server{Handler: log.around(s.Services[name])}
		go func() { _ = service.Serve(l) }() // until it is closed
		defer service.Close()
		urls[name] = "http://" + l.Addr().String()
	}

	var wait sync.WaitGroup
	defer wait.Wait() // runs after cancel: servers finish their calls
	defer cancel()
	var servers []running
	for i := range s.Servers {
		r, err := s.start(ctx, &s.Servers[i], filepath.Join(folder, s.Servers[i].Spec), urls, port+i, once, &wait)
		if err != nil {
			return err
		}
		servers = append(servers, r)
	}
	if err := s.show(ctx, w, urls, servers, log); err != nil || once {
		return err
	}
	s.invite(w, servers)
	<-ctx.Done()
	fmt.Fprintln(w)
	return nil
}

func (s *Show) start(ctx context.Context, server *Server, spec string, urls map[string]string, port int, once bool, wait *sync.WaitGroup) (running, error) {
	compiled, err := compiler.Compile(ctx, compiler.Options{Target: spec, Vars: server.Vars})
	if err != nil {
		return running{}, err
	}
	if compiled.Plan == nil {
		d := compiled.Diagnostics[0]
		return running{}, fmt.Errorf("%s: %s", d.Range, d.Message)
	}
	o := runtime.Options{Getenv: s.Getenv, Logger: slog.New(slog.DiscardHandler), BaseURLs: map[string]string{}}
	for api, service := range server.Upstreams {
		name, path, below := strings.Cut(service, "/")
		o.BaseURLs[api] = urls[name]
		if below {
			o.BaseURLs[api] += "/" + path
		}
	}
	for _, f := range server.Files {
		o.Files = append(o.Files, filepath.Join(filepath.Dir(spec), f))
	}
	m, err := runtime.New(compiled.Plan, o)
	if err != nil {
		return running{}, err
	}
	r := running{Server: server, spec: spec, tools: len(compiled.Plan.Tools)}
	if server.Files != nil {
		in, toServer := io.Pipe()
		fromServer, out := io.Pipe()
		r.in, r.out = toServer, fromServer
		wait.Go(func() {
			if err := m.ServeStdio(ctx, in, out); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", spec, err)
			}
			_ = out.Close()
		})
		return r, nil
	}
	l, err := listen(port, once)
	if err != nil {
		return running{}, err
	}
	wait.Go(func() {
		if err := m.Serve(ctx, l); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", spec, err)
		}
	})
	r.url = "http://" + l.Addr().String() + "/mcp"
	return r, nil
}

// folder is where the specs are: in the example's folder when run from a
// checkout, else unpacked for the time being.
func (s *Show) folder() (folder string, tidy func(), err error) {
	folder = filepath.Join("examples", s.Name)
	if _, err := os.Stat(filepath.Join(folder, s.Servers[0].Spec)); err == nil {
		return folder, func() {}, nil
	}
	folder, err = os.MkdirTemp("", s.Name+"-")
	if err != nil {
		return "", nil, err
	}
	return folder, func() { os.RemoveAll(folder) }, os.CopyFS(folder, s.Files)
}

// Getenv reads the environment, and Env for what is not set there.
func (s *Show) Getenv(name string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return s.Env[name]
}

// listen opens a loopback port: the given one if it is free, else any.
func listen(port int, any bool) (net.Listener, error) {
	if !any {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// requestLog notes what reaches the services.
type requestLog struct {
	mu   sync.Mutex
	seen []string
}

func (l *requestLog) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		line := r.Method + " " + (&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}).String()
		if len(body) > 0 {
			line += "  " + string(body)
		}
		l.mu.Lock()
		l.seen = append(l.seen, line)
		l.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// take returns what came in since the last call.
func (l *requestLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen
	l.seen = nil
	return seen
}

// invite prints what to paste into a real client.
func (s *Show) invite(w io.Writer, servers []running) {
	heading(w, "Connect your own client")
	if servers[0].url == "" {
		fmt.Fprintf(w, `  Any client that starts its servers itself (go install ./cmd/mcpc first; the service above has to run)
    %s

  Serving until Ctrl-C
`, config(s.Name, entry{Command: "mcpc", Args: servers[0].command(), Env: s.Env}))
		return
	}
	var urls []string
	for _, r := range servers {
		urls = append(urls, r.url)
	}
	fmt.Fprintf(w, `  Claude Code
    claude mcp add --transport http %s %s

  MCP Inspector
    npx @modelcontextprotocol/inspector --cli %s --method tools/list

  Any client with a configuration file
    %s

  Serving until Ctrl-C: %s
`, s.Name, urls[0], urls[0], config(s.Name, entry{Type: "http", URL: urls[0]}), strings.Join(urls, " and "))
}

// command is how a client starts the server itself.
func (r *running) command() []string {
	absolute := func(name string) string {
		if at, err := filepath.Abs(name); err == nil {
			return at
		}
		return name
	}
	args := []string{"serve", absolute(r.spec)}
	for _, f := range r.Files {
		args = append(args, "--files", absolute(filepath.Join(filepath.Dir(r.spec), f)))
	}
	return args
}

// entry is a server in a client's configuration.
type entry struct {
	Type    string            `json:"type,omitempty"`
	URL     string            `json:"url,omitempty"`
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

// config is the configuration of a client with one server.
func config(name string, e entry) string {
	text, err := json.MarshalIndent(map[string]any{"mcpServers": map[string]entry{name: e}}, "    ", "  ")
	if err != nil {
		panic(err) // strings always encode
	}
	return string(text)
}

// Check runs the show once and returns what its output lacks, as an error.
func (s *Show) Check(wants ...string) error {
	var out, errs strings.Builder
	if code := s.Main(&out, &errs, []string{"--once"}); code != 0 {
		return fmt.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	for _, want := range wants {
		if !strings.Contains(out.String(), want) {
			return fmt.Errorf("the show does not contain %q:\n%s", want, out.String())
		}
	}
	return nil
}
