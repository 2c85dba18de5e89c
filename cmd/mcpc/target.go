package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime/command"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// target holds the flags that say how a TARGET is compiled. All verbs that
// take a TARGET have them.
type target struct {
	baseURL    string
	auth       []string
	vars       []string
	varFiles   []string
	allowRefs  []string
	overlays   []string
	env        string
	serverVars []string
	namePrefix string
	strict     bool
	format     string
	noCache    bool
}

func (t *target) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.baseURL, "base-url", "", "")
	f.StringArrayVar(&t.auth, "auth", nil, "")
	f.StringArrayVar(&t.vars, "var", nil, "")
	f.StringArrayVar(&t.varFiles, "var-file", nil, "")
	f.StringArrayVar(&t.allowRefs, "allow-ref", nil, "")
	f.StringArrayVar(&t.overlays, "overlay", nil, "")
	f.StringVar(&t.env, "env", "", "")
	f.StringArrayVar(&t.serverVars, "server-var", nil, "")
	f.StringVar(&t.namePrefix, "name-prefix", "", "")
	f.BoolVar(&t.strict, "strict", false, "")
	f.StringVar(&t.format, "format", "pretty", "")
	f.BoolVar(&t.noCache, "no-cache", false, "")
	completeWords(cmd, "format", diag.Formats()...)
}

// options are the compiler's options for a location.
func (t *target) options(a *app, location string) (compiler.Options, error) {
	if !slices.Contains(diag.Formats(), t.format) {
		return compiler.Options{}, usagef("--format is one of %s, not %q", strings.Join(diag.Formats(), ", "), t.format)
	}
	o := compiler.Options{
		Target:     location,
		BaseURL:    t.baseURL,
		VarFiles:   t.varFiles,
		AllowRefs:  t.allowRefs,
		Overlays:   t.overlays,
		Env:        t.env,
		NamePrefix: t.namePrefix,
		Reader:     &specs.Reader{Getenv: a.getenv, Stdin: a.stdin},
	}
	var err error
	if o.Vars, err = pairs("var", t.vars); err != nil {
		return o, err
	}
	if o.ServerVariables, err = pairs("server-var", t.serverVars); err != nil {
		return o, err
	}
	auth, err := pairs("auth", t.auth)
	if err != nil {
		return o, err
	}
	for scheme, source := range auth {
		s, ok := command.SecretAt(source)
		s.Name = scheme
		if !ok {
			// The source may be the secret itself, given by mistake: not repeated.
			return o, usagef("--auth %s= wants env:NAME, file:PATH or vault:PATH#FIELD; a secret itself does not belong on a command line", scheme)
		}
		if o.Auth == nil {
			o.Auth = map[string]plan.Secret{}
		}
		o.Auth[scheme] = s
	}
	if !t.noCache {
		o.CacheDir = a.getenv("MCPC_CACHE_DIR")
		if o.CacheDir == "" {
			if dir, err := os.UserCacheDir(); err == nil { // without a home there is no cache, and that is all
				o.CacheDir = filepath.Join(dir, "mcpc")
			}
		}
	}
	return o, nil
}

// pairs reads the values of a flag of the form K=V.
func pairs(flag string, list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(list))
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			if flag == "auth" { // may be a secret
				return nil, usagef("--auth wants SCHEME=env:NAME, SCHEME=file:PATH or SCHEME=vault:PATH#FIELD")
			}
			return nil, usagef("--%s wants K=V, not %q", flag, s)
		}
		m[k] = v
	}
	return m, nil
}

// compile compiles a location and prints what has to be said of it: errors
// always, warnings only when asked. The error is an [exit].
func (a *app) compile(ctx context.Context, location string, t *target, warnings bool) (*compiler.Result, error) {
	o, err := t.options(a, location)
	if err != nil {
		return nil, err
	}
	return a.compileWith(ctx, o, location, t, warnings)
}

// compileWith is compile with options that are not all the target's.
func (a *app) compileWith(ctx context.Context, o compiler.Options, location string, t *target, warnings bool) (*compiler.Result, error) {
	if warnings || t.strict {
		o.CacheDir = "" // so that all that is wrong is found again
	}
	r, err := compiler.Compile(ctx, o)
	if err != nil {
		return nil, failed(err)
	}
	a.given = r.Secrets
	list := slices.Clone(r.Diagnostics)
	list.Sort()
	if !warnings && !t.strict {
		list = slices.DeleteFunc(list, func(d diag.Diagnostic) bool { return d.Severity != diag.Error })
	}
	printer := a.printer(t.format)
	printer.Beside = r.Diagnostics
	if err := printer.Print(a.stderr, list); err != nil {
		return nil, failed(err)
	}
	if r.Plan == nil || r.Diagnostics.HasErrors() {
		if len(list) == 0 { // a plan-less result has to say why
			return nil, &exit{exitSpec, fmt.Errorf("%s: nothing to serve", location)}
		}
		return r, &exit{code: exitSpec}
	}
	if n := skipped(r.Plan); t.strict && n > 0 {
		return r, &exit{exitSpec, fmt.Errorf("%s cannot be served, and --strict makes that an error", count(n, "operation"))}
	}
	return r, nil
}

func (a *app) printer(format string) diag.Printer {
	return diag.Printer{Format: diag.Format(format), Color: a.color(), PerCode: 5}
}

// color reports whether stderr is a terminal whose owner likes colours
// (https://no-color.org).
func (a *app) color() bool { return a.colorOf(a.stderr) }

func skipped(p *plan.Server) (n int) {
	for _, c := range p.Coverage {
		n += len(c.Skipped)
	}
	return n
}

// coverage is the line about one document, e.g. "1,182 of 1,206 operations
// served, 24 skipped".
func coverage(c plan.Coverage) string {
	s := fmt.Sprintf("%s of %s served", group(c.Served), count(c.Selected, "operation"))
	if c.Selected != c.Declared {
		s = fmt.Sprintf("%s of %s selected operations served (the document has %s)", group(c.Served), group(c.Selected), group(c.Declared))
	}
	if n := len(c.Skipped); n > 0 {
		s += fmt.Sprintf(", %s skipped", group(n))
	}
	return s
}

// count is "1 tool", "2,000 tools".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return group(n) + " " + noun + "s"
}

// group writes a number with commas between thousands.
func group(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && n >= 1000; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// findTool returns the tool that is or was called name. The error about a name
// that is none says what else it could be: a slip, or an operation that was left
// out.
func findTool(p *plan.Server, name, location string) (*plan.Tool, error) {
	for _, m := range p.Moved {
		if m.From == name {
			name = m.To
			break
		}
	}
	names := make([]string, len(p.Tools))
	for i := range p.Tools {
		if names[i] = p.Tools[i].Name; names[i] == name {
			return &p.Tools[i], nil
		}
	}
	for _, c := range p.Coverage {
		for _, s := range c.Skipped {
			if s.Operation == name {
				return nil, &exit{exitSpec, fmt.Errorf("the operation %s is skipped: %s; mcpc validate %s says where", name, s.Reason, location)}
			}
		}
	}
	near := didYouMean(name, names)
	if near == "" {
		near = fmt.Sprintf("; mcpc list %s names the tools", location)
	}
	return nil, usagef("unknown tool %q%s", name, near)
}

// findPart is findTool also for the calls behind resources, by their URIs, and
// prompts.
func findPart(p *plan.Server, name, location string) (*plan.Tool, error) {
	for i := range p.Resources {
		if r := &p.Resources[i]; r.URI == name {
			return &r.Call, nil
		}
	}
	t, err := findTool(p, name, location)
	if err != nil {
		if prompt, perr := findPrompt(p, name, location); perr == nil && prompt.Call != nil {
			return prompt.Call, nil
		}
	}
	return t, err
}

// findPrompt returns a prompt.
func findPrompt(p *plan.Server, name, location string) (*plan.Prompt, error) {
	var names []string
	for i := range p.Prompts {
		if p.Prompts[i].Name == name {
			return &p.Prompts[i], nil
		}
		names = append(names, p.Prompts[i].Name)
	}
	near := didYouMean(name, names)
	if near == "" {
		near = fmt.Sprintf("; mcpc list %s names the prompts", location)
	}
	return nil, usagef("no prompt %q%s", name, near)
}
