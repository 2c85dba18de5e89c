// Command orders is mcpc's whole job in one process: it starts a small
// old-style order system, serves it as MCP from two descriptions of it
// (orders.hcl and openapi.yaml), shows what a client sees, and keeps serving
// so that a real client can connect.
//
//	go run ./examples/orders          show, then serve until interrupted
//	go run ./examples/orders --once   show and end
//
// Package ordersmcp is the server of orders.hcl as Go code, and orders-mcp a
// program that serves it.
package main

//go:generate go run ../../cmd/mcpc generate orders.hcl -o ordersmcp --main orders-mcp

import (
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/examples/orders/service"
	"github.com/mcpc-dev/mcpc/runtime"
)

//go:embed orders.hcl openapi.yaml
var specs embed.FS

// firstPort and the two ports after it are where the service and the two MCP
// servers listen, when they are free.
const firstPort = 8481

func main() { os.Exit(run(os.Stdout, os.Stderr, os.Args[1:])) }

func run(stdout, stderr io.Writer, args []string) int {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "end after the show instead of serving on")
	if flags.Parse(args) != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, stdout, *once); err != nil {
		fmt.Fprintln(stderr, "orders:", err)
		return 1
	}
	return 0
}

// serve starts everything, shows it and, unless once, waits for the end of ctx.
func serve(ctx context.Context, w io.Writer, once bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	folder, tidy, err := specFolder()
	if err != nil {
		return err
	}
	defer tidy()

	// The order system: any HTTP service would do.
	log := &requestLog{next: service.New()}
	l, err := listen(firstPort, once)
	if err != nil {
		return err
	}
	system := &http.Server{Handler: log}
	go func() { _ = system.Serve(l) }() // until it is closed
	defer system.Close()
	base := "http://" + l.Addr().String()

	// mcpc, twice: from HCL and from the OpenAPI document.
	var wait sync.WaitGroup
	defer wait.Wait() // runs after cancel below: servers finish their calls
	defer cancel()
	start := func(port int, o compiler.Options) (*server, error) {
		compiled, err := compiler.Compile(ctx, o)
		if err != nil {
			return nil, err
		}
		if compiled.Plan == nil {
			return nil, fmt.Errorf("%s: %s", o.Target, compiled.Diagnostics[0].Message)
		}
		s, err := runtime.New(compiled.Plan, runtime.Options{Getenv: getenv, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		l, err := listen(port, once)
		if err != nil {
			return nil, err
		}
		wait.Go(func() {
			if err := s.Serve(ctx, l); err != nil {
				fmt.Fprintf(os.Stderr, "orders: %s: %v\n", o.Target, err)
			}
		})
		return &server{spec: o.Target, url: "http://" + l.Addr().String() + "/mcp", tools: len(compiled.Plan.Tools)}, nil
	}
	hcl, err := start(firstPort+1, compiler.Options{Target: filepath.Join(folder, "orders.hcl"), Vars: map[string]string{"service": base}})
	if err != nil {
		return err
	}
	openapi, err := start(firstPort+2, compiler.Options{Target: filepath.Join(folder, "openapi.yaml"), BaseURL: base})
	if err != nil {
		return err
	}

	if err := show(ctx, w, base, hcl, openapi, log); err != nil {
		return err
	}
	if once {
		return nil
	}
	invite(w, hcl, openapi)
	<-ctx.Done()
	fmt.Fprintln(w)
	return nil
}

// server is one running MCP server.
type server struct {
	spec, url string
	tools     int
}

// specFolder is where the two descriptions are: in this folder when run from a
// checkout, else unpacked for the time being.
func specFolder() (folder string, tidy func(), err error) {
	folder = filepath.Join("examples", "orders")
	if _, err := os.Stat(filepath.Join(folder, "orders.hcl")); err == nil {
		return folder, func() {}, nil
	}
	folder, err = os.MkdirTemp("", "orders-")
	if err != nil {
		return "", nil, err
	}
	return folder, func() { os.RemoveAll(folder) }, os.CopyFS(folder, specs)
}

// getenv knows the sample's password, so that nothing has to be set first.
func getenv(name string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	switch name {
	case "ORDERS_PASSWORD": // variable "password" in orders.hcl
		return service.Password
	case "MCPC_AUTH_ERP": // the scheme erp of openapi.yaml
		return service.User + ":" + service.Password
	}
	return ""
}

// listen opens a loopback port: the given one if it is free, so that what was
// pasted into a client stays right, else any.
func listen(port int, any bool) (net.Listener, error) {
	if !any {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// requestLog notes what reaches the order system.
type requestLog struct {
	next http.Handler
	mu   sync.Mutex
	seen []string
}

func (l *requestLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	l.next.ServeHTTP(w, r)
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
func invite(w io.Writer, hcl, openapi *server) {
	heading(w, "Connect your own client")
	spec, err := filepath.Abs(hcl.spec)
	if err != nil {
		spec = hcl.spec
	}
	// As JSON, because a path may hold what JSON escapes.
	type entry struct {
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		Env     map[string]string `json:"env"`
	}
	config, err := json.MarshalIndent(map[string]any{"mcpServers": map[string]entry{"orders": {
		"mcpc", []string{"serve", spec}, map[string]string{"ORDERS_PASSWORD": service.Password},
	}}}, "    ", "  ")
	if err != nil {
		panic(err) // strings always encode
	}
	fmt.Fprintf(w, `  Claude Code
    claude mcp add --transport http orders %s

  MCP Inspector
    npx @modelcontextprotocol/inspector --cli %s --method tools/list

  Any client that starts its servers itself (go install ./cmd/mcpc first; this order system has to run)
    %s

  Serving until Ctrl-C: %s and %s
`, hcl.url, openapi.url, config, hcl.url, openapi.url)
}
