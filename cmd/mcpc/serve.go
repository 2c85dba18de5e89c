package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/watch"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/command"
	_ "github.com/mcpc-dev/mcpc/runtime/otlp" // specs may ask for it
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

func (a *app) serve() *cobra.Command {
	var t target
	var http, level, format, locked string
	var hosts, origins, files []string
	var fixed bool
	var delay, drain time.Duration
	cmd := &cobra.Command{
		Use:   "serve TARGET",
		Short: "serve MCP on stdio or over HTTP",
		Long: `Serve the tools of TARGET to MCP clients.

  mcpc serve petstore.yaml                          on stdio, for a client that starts it
  mcpc serve petstore.yaml --http 127.0.0.1:8080    at http://127.0.0.1:8080/mcp
  mcpc serve https://example.com/openapi.json --base-url http://localhost:3000

  --http ADDR             listen on HOST:PORT (:PORT is this machine only) instead of
                          stdio; without it, what the spec's listen block says
  --allow-host NAME       a Host header to accept besides loopback names and ADDR
  --allow-origin ORIGIN   a web origin to accept, e.g. https://app.example
  --files DIR             a folder whose files arguments may name, as file:NAME,
                          where a tool sends a file; several add up; not over HTTP
  --locked FILE           serve only what the lock file says (see mcpc help lock)
  --no-watch              do not look at the files of TARGET while serving
  --drain-delay TIME      how long calls are still taken when it is told to end and
                          /readyz says so already, e.g. 5s; not on stdio
  --drain-timeout TIME    for calls in flight after that (10s)
  --log-level LEVEL       debug, info (the default), warn or error
  --log-format FORMAT     text (the default) or json

On stdio, stdout belongs to the protocol. Logs and everything else go to stderr.
SIGINT and SIGTERM end it after the calls in flight are finished; the exit code
is then 0. Over HTTP there are /healthz and /readyz beside /mcp.

A changed file of TARGET is in use a moment later, without a restart: the spec,
what it includes, its documents and bodies. SIGHUP reads everything again, URLs,
the environment and certificates included. Calls in flight are finished as they began, and clients hear
of changed lists. What cannot be served changes nothing and is said on stderr.
Addresses to listen on need a restart.

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := command.Logger(a.stderr, level, format)
			if err != nil {
				return &exit{exitUsage, err}
			}
			if err := command.CheckAddress(http); err != nil {
				return &exit{exitUsage, err}
			}
			command.TuneMemory(a.getenv)
			compiled, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			if locked != "" {
				if err := a.outOfDate(locked, compiled.Plan); err != nil {
					return err
				}
			}
			o := a.runtimeOptions()
			o.Stderr, o.Unobserved = a.stderr, false
			o.Logger, o.AllowedHosts, o.AllowedOrigins, o.Files = log, hosts, origins, files
			o.Reloads, o.DrainDelay, o.DrainTimeout = true, delay, drain
			given := http
			if http == "" {
				http = compiled.Plan.Listen
			}
			if http != "" && len(files) > 0 {
				return usagef("--files is for a client on stdio; a client over HTTP may be elsewhere")
			}
			s, err := runtime.New(compiled.Plan, o)
			if err != nil {
				return failed(err)
			}
			r := &reloader{app: a, server: s, options: o, location: args[0], target: &t, locked: locked, address: given, log: log, quiet: format == "json", good: compiled.Dependencies}
			if locked != "" {
				r.good = append(r.good, specs.Dependency{Kind: "file", Name: locked, Digest: watch.AsItIs})
			}
			reloading, stop := context.WithCancel(cmd.Context())
			defer stop()
			r.listen(reloading)
			if err := command.Serve(cmd.Context(), s, http, a.stdin, a.stdout, func(where string) {
				fmt.Fprintln(a.stderr, a.greeting(compiled, args[0], where))
				go r.run(reloading, !fixed)
				command.Notify(a.getenv, "READY=1")
				context.AfterFunc(reloading, func() { command.Notify(a.getenv, "STOPPING=1") })
			}); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&http, "http", "", "")
	f.StringArrayVar(&hosts, "allow-host", nil, "")
	f.StringArrayVar(&origins, "allow-origin", nil, "")
	f.StringArrayVar(&files, "files", nil, "")
	f.StringVar(&locked, "locked", "", "")
	f.BoolVar(&fixed, "no-watch", false, "")
	f.DurationVar(&delay, "drain-delay", 0, "")
	f.DurationVar(&drain, "drain-timeout", 0, "")
	f.StringVar(&level, "log-level", "info", "")
	f.StringVar(&format, "log-format", "text", "")
	completeWords(cmd, "log-level", "debug", "info", "warn", "error")
	completeWords(cmd, "log-format", "text", "json")
	t.flags(cmd)
	return cmd
}

// runtimeOptions are what every verb that runs a plan gives the runtime. Only
// serve records calls: the files of the log are the running server's.
func (a *app) runtimeOptions() runtime.Options {
	return runtime.Options{Getenv: a.getenv, Secrets: a.given, Version: version(), Unobserved: true}
}

// greeting is the one line serve begins with: what is served and where, what is
// left out, and what will be missed.
func (a *app) greeting(compiled *compiler.Result, location, where string) string {
	p := compiled.Plan
	s := fmt.Sprintf("mcpc: serving %s %s", count(countListed(p), "tool"), where)
	for _, c := range p.Coverage {
		if len(c.Skipped) > 0 || len(p.Coverage) == 1 {
			s += "; " + coverage(c)
		}
	}
	switch {
	case skipped(p) > 0:
		s += fmt.Sprintf(" (mcpc validate %s says why)", location)
	case len(compiled.Diagnostics) > 0:
		s += fmt.Sprintf("; %s (mcpc validate %s)", count(len(compiled.Diagnostics), "warning"), location)
	}
	if missing := command.MissingSecrets(p, a.runtimeOptions()); len(missing) > 0 {
		s += "; not set: " + strings.Join(missing, ", ")
	}
	for _, u := range p.Upstreams {
		if u.BaseURL == "" && uses(p, u.Name) {
			s += fmt.Sprintf("; no base URL for %s, give one with --base-url", u.Name)
		}
	}
	return s
}

// uses reports whether a tool needs the upstream's base URL.
func uses(p *plan.Server, upstream string) bool {
	for i := range p.Tools {
		for _, r := range p.Tools[i].Requests() {
			if r.Upstream == upstream && r.Server == "" {
				return true
			}
		}
	}
	return false
}
