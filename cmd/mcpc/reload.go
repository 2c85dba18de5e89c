package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/watch"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/command"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// reloader gives a running server what its spec has become.
type reloader struct {
	*app
	server   *runtime.Server
	options  runtime.Options
	location string
	target   *target
	locked   string // lock file; "" for none
	address  string // that was given on the command line
	log      *slog.Logger
	quiet    bool // the log is for machines: diagnostics are in it, and not beside it

	good  []specs.Dependency // what the plan in use was made of
	last  string             // the failure that was said last
	asked chan struct{}      // holds a value after SIGHUP
}

// listen takes SIGHUP from now on; it has an effect once run runs.
func (r *reloader) listen(ctx context.Context) {
	r.asked = make(chan struct{}, 1)
	command.OnHangup(ctx, func() {
		select {
		case r.asked <- struct{}{}:
		default: // it is asked for already
		}
	})
}

// run reloads when a file has changed, unless watched is false, and on SIGHUP,
// until ctx ends.
func (r *reloader) run(ctx context.Context, watched bool) {
	var w *watch.Watcher
	var changed <-chan struct{}
	if watched {
		w = watch.New(ctx, watch.Options{Log: r.log})
		changed = w.C
		w.Set(r.good)
	}
	for {
		why := "SIGHUP"
		select {
		case <-ctx.Done():
			return
		case <-r.asked:
		case <-changed:
			why = "a file has changed"
		}
		command.Notify(r.getenv, command.Reloading()...)
		read := r.reload(ctx, why)
		if w != nil {
			w.Set(read)
		}
		command.Notify(r.getenv, "READY=1")
	}
}

// reload compiles the target and has it served; or says why the plan in use stays,
// once for each reason. It returns what is to be watched.
func (r *reloader) reload(ctx context.Context, why string) []specs.Dependency {
	var said bytes.Buffer
	compiled, read, err := r.compileAgain(ctx, &said)
	if ctx.Err() != nil {
		return read
	}
	if err == nil {
		o := r.options
		o.Secrets = compiled.Secrets
		before := r.server.Config()
		var restart []string
		if restart, err = r.server.Reload(compiled.Plan, o); err == nil {
			r.good, r.last = read, ""
			r.log.Info("reloaded", "why", why, "tools", countListed(compiled.Plan), "config", brief(r.server.Config()), "before", brief(before))
			if r.address != "" {
				restart = slices.DeleteFunc(restart, func(s string) bool { return s == "listen" })
			}
			if len(restart) > 0 {
				r.log.Warn("a part of the change needs a restart; the rest is in use", "part", strings.Join(restart, ", "))
			}
			return read
		}
	}
	// What made the plan in use is watched as well: to have it back is a change.
	for _, d := range r.good {
		if !slices.ContainsFunc(read, func(o specs.Dependency) bool { return o.Kind == d.Kind && o.Name == d.Name }) {
			read = append(read, specs.Dependency{Kind: d.Kind, Name: d.Name, Digest: watch.AsItIs})
		}
	}
	reason := err.Error()
	r.server.ReloadFailed(reason)
	if text := said.String() + reason; text != r.last {
		r.last = text
		if !r.quiet {
			_, _ = r.stderr.Write(said.Bytes()) // nothing else can be done about it
		}
		r.log.Error("not reloaded: the plan in use stays", "why", why, "error", reason)
	}
	return read
}

// compileAgain compiles the target and holds it to what serve demands. Diagnostics
// go to out; the error is one line.
func (r *reloader) compileAgain(ctx context.Context, out *bytes.Buffer) (*compiler.Result, []specs.Dependency, error) {
	if r.location == "-" {
		return nil, nil, errors.New("standard input was read already; serve a file to reload it")
	}
	o, err := r.target.options(r.app, r.location)
	if err != nil {
		return nil, nil, err
	}
	if r.target.strict {
		o.CacheDir = ""
	}
	compiled, err := compiler.Compile(ctx, o)
	read := o.Reader.Dependencies()
	if compiled != nil && compiled.Cached {
		read = compiled.Dependencies
	}
	if r.locked != "" {
		read = append(read, specs.Dependency{Kind: "file", Name: r.locked, Digest: watch.AsItIs})
	}
	if err != nil {
		return nil, read, err
	}
	list := slices.Clone(compiled.Diagnostics)
	list.Sort()
	if !r.target.strict {
		list = slices.DeleteFunc(list, func(d diag.Diagnostic) bool { return d.Severity != diag.Error })
	}
	printer := r.printer(r.target.format)
	printer.Beside = compiled.Diagnostics
	if err := printer.Print(out, list); err != nil {
		return nil, read, err
	}
	if compiled.Plan == nil || compiled.Diagnostics.HasErrors() {
		return nil, read, firstOf(list, r.location)
	}
	if n := skipped(compiled.Plan); r.target.strict && n > 0 {
		return nil, read, fmt.Errorf("%s cannot be served, and --strict makes that an error", count(n, "operation"))
	}
	if r.locked != "" {
		checked := *r.app
		checked.stderr = out
		if err := checked.outOfDate(r.locked, compiled.Plan); err != nil {
			return nil, read, err
		}
	}
	return compiled, read, nil
}

// firstOf is the first of diagnostics as one line.
func firstOf(list diag.List, location string) error {
	var line bytes.Buffer
	if len(list) == 0 || (diag.Printer{Format: "line"}).Print(&line, list[:1]) != nil {
		return fmt.Errorf("%s: nothing to serve", location)
	}
	first, _, _ := strings.Cut(line.String(), "\n")
	if n := len(list) - 1; n > 0 {
		first += fmt.Sprintf(" (and %d more)", n)
	}
	return errors.New(first)
}

// brief is what a person compares of a digest.
func brief(digest string) string { return digest[:min(len(digest), 12)] }
