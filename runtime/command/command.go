// Package command is the command line of an MCP server: flags, log, signals and
// exit codes. `mcpc serve` and the main programs of generated servers share it.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Exit codes.
const (
	exitFailure = 1 // a file, the network, the address to listen on
	exitUsage   = 2
)

// Main runs a server until its client or a signal ends it, and returns the exit
// code. args are those of the process, the program's name first. serve makes the
// server; p is its plan.
func Main(args []string, p *plan.Server, serve func(runtime.Options) (*runtime.Server, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	return run(ctx, process{os.Stdin, os.Stdout, os.Stderr, os.Getenv}, args, p, serve)
}

// process is what a program has from its system.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

func run(ctx context.Context, sys process, args []string, p *plan.Server, serve func(runtime.Options) (*runtime.Server, error)) int {
	name := args[0]
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	fail := func(code int, err error) int {
		fmt.Fprintf(sys.stderr, "%s: %v\n", name, err)
		return code
	}
	o := runtime.Options{Getenv: sys.getenv, Stderr: sys.stderr}
	var address, level, format string
	var baseURLs, sources []string
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are printed here, all alike
	list := func(to *[]string) func(string) error {
		return func(s string) error { *to = append(*to, s); return nil }
	}
	f.StringVar(&address, "http", p.Listen, "")
	f.Func("allow-host", "", list(&o.AllowedHosts))
	f.Func("allow-origin", "", list(&o.AllowedOrigins))
	f.Func("files", "", list(&o.Files))
	f.DurationVar(&o.DrainDelay, "drain-delay", 0, "")
	f.DurationVar(&o.DrainTimeout, "drain-timeout", 0, "")
	f.StringVar(&level, "log-level", "info", "")
	f.StringVar(&format, "log-format", "text", "")
	// Looked at later: package flag repeats a value that it is told is wrong.
	f.Func("base-url", "", list(&baseURLs))
	f.Func("auth", "", list(&sources))
	switch err := f.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(sys.stderr, usage, p.Name, name)
		return 0
	case err != nil:
		return fail(exitUsage, fmt.Errorf("%w; -help lists the flags", err))
	case f.NArg() > 0: // which may be a secret, too
		return fail(exitUsage, errors.New("there is an argument that belongs to no flag; -help lists the flags"))
	}
	for _, s := range baseURLs {
		if err := baseURL(&o, p, s); err != nil {
			return fail(exitUsage, fmt.Errorf("--base-url: %w", err))
		}
	}
	for _, s := range sources {
		if err := source(&o, p, s); err != nil {
			return fail(exitUsage, fmt.Errorf("--auth: %w", err))
		}
	}
	var err error
	if o.Logger, err = Logger(sys.stderr, level, format); err != nil {
		return fail(exitUsage, err)
	}
	if err := CheckAddress(address); err != nil {
		return fail(exitUsage, err)
	}
	if address != "" && len(o.Files) > 0 {
		return fail(exitUsage, errors.New("--files is for a client on stdio; a client over HTTP may be elsewhere"))
	}
	TuneMemory(sys.getenv)
	s, err := serve(o)
	if err != nil {
		return fail(exitFailure, err)
	}
	greet := func(where string) {
		line := fmt.Sprintf("%s: serving %s %s", name, count(len(p.Tools), "tool"), where)
		if n := len(s.NativeTools()); n > 0 {
			line += fmt.Sprintf("; %d native", n)
		}
		if missing := MissingSecrets(p, o); len(missing) > 0 {
			line += "; not set: " + strings.Join(missing, ", ")
		}
		fmt.Fprintln(sys.stderr, line)
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	OnHangup(serving, func() {
		Notify(sys.getenv, Reloading()...)
		s.Refresh()
		o.Logger.Info("files of certificates and authorities are read again")
		Notify(sys.getenv, "READY=1")
	})
	greeted := func(where string) {
		greet(where)
		Notify(sys.getenv, "READY=1")
		context.AfterFunc(serving, func() { Notify(sys.getenv, "STOPPING=1") })
	}
	if err := Serve(ctx, s, address, sys.stdin, sys.stdout, greeted); err != nil {
		return fail(exitFailure, err)
	}
	return 0
}

const usage = `%s as an MCP server, on stdio or over HTTP.

  %s [flags]

  --http ADDR             listen on HOST:PORT (:PORT is this machine only) instead of stdio
  --allow-host NAME       a Host header to accept besides loopback names and ADDR
  --allow-origin ORIGIN   a web origin to accept, e.g. https://app.example
  --files DIR             a folder whose files arguments may name, as file:NAME;
                          not over HTTP
  --base-url URL          where the service is; UPSTREAM=URL when there are several
  --auth NAME=SOURCE      where a secret is: env:NAME or file:PATH
  --drain-delay TIME      how long calls are still taken when it is told to end and
                          /readyz says so already, e.g. 5s; not on stdio
  --drain-timeout TIME    for calls in flight after that (10s)
  --log-level LEVEL       debug, info (the default), warn or error
  --log-format FORMAT     text (the default) or json

On stdio, stdout belongs to the protocol. Logs and everything else go to stderr.
SIGINT and SIGTERM end it after the calls in flight are finished. SIGHUP has it
read the files of certificates again; its tools are part of the program.
`

// Serve serves at an HTTP address, or on stdio when there is none, until ctx or
// the input ends. greet is told where, before the first request. An orderly end
// is no error, whoever asked for it. Operators are served beside it where the spec
// says so.
func Serve(ctx context.Context, s *runtime.Server, address string, in io.Reader, out io.Writer, greet func(where string)) (err error) {
	if at := s.AdminAddress(); at != "" {
		l, err := runtime.Listen(ctx, at)
		if err != nil {
			return err
		}
		// Operators are served until the last call has ended.
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan error, 1)
		go func() { ended <- s.ServeAdmin(ctx, l) }()
		defer func() {
			stop()
			if aerr := <-ended; err == nil {
				err = aerr
			}
		}()
	}
	if address == "" {
		greet("on stdio")
		err = s.ServeStdio(ctx, in, out)
	} else {
		l, lerr := runtime.Listen(ctx, address)
		if lerr != nil {
			return lerr
		}
		greet("at " + s.Scheme() + "://" + l.Addr().String() + "/mcp")
		err = s.Serve(ctx, l)
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// CheckAddress says what is wrong with the value of --http; "" is none.
func CheckAddress(address string) error {
	if address == "" {
		return nil
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return fmt.Errorf("--http wants HOST:PORT, e.g. 127.0.0.1:8080, not %q", address)
	}
	return nil
}

// Logger returns the logger for a level and a format. An error is a wrong word.
func Logger(w io.Writer, level, format string) (*slog.Logger, error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, level) {
		return nil, fmt.Errorf("--log-level is one of debug, info, warn, error, not %q", level)
	}
	o := &slog.HandlerOptions{Level: map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[level]}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("--log-format is text or json, not %q", format)
}

// baseURL reads the flag --base-url.
func baseURL(o *runtime.Options, p *plan.Server, s string) error {
	name, url, named := strings.Cut(s, "=")
	if !named || strings.Contains(name, "/") {
		if len(p.Upstreams) != 1 {
			return fmt.Errorf("there are several services: write UPSTREAM=URL")
		}
		name, url = p.Upstreams[0].Name, s
	}
	if o.BaseURLs == nil {
		o.BaseURLs = map[string]string{}
	}
	o.BaseURLs[name] = url
	return nil
}

// source reads the flag --auth. The value may be a secret, given by mistake: it
// is not repeated.
func source(o *runtime.Options, p *plan.Server, s string) error {
	name, where, _ := strings.Cut(s, "=")
	ref, ok := SecretAt(where)
	ref.Name = name
	switch {
	case !slices.ContainsFunc(Secrets(p, *o), func(s Secret) bool { return s.Name == name }):
		return errors.New("it names no secret of this server")
	case !ok:
		return errors.New("it wants NAME=env:NAME, NAME=file:PATH or NAME=vault:PATH#FIELD; a secret itself does not belong on a command line")
	}
	if o.Sources == nil {
		o.Sources = map[string]plan.Secret{}
	}
	o.Sources[name] = ref
	return nil
}

// count is "1 tool" or "2 tools".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
