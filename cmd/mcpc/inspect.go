package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler/surface"
	"github.com/mcpc-dev/mcpc/runtime/command"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func (a *app) inspect() *cobra.Command {
	var t target
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect TARGET [TOOL]",
		Short: "the plan: requests, schemas, sizes, credentials",
		Long: `Show what mcpc made of TARGET: upstreams, credentials and where they come from,
tools with their requests and sizes, and what was left out and why. With TOOL,
everything about that tool; a resource is named by its URI, and what is shown is
the request it makes, as of a prompt.

  mcpc inspect petstore.yaml
  mcpc inspect petstore.yaml getPet
  mcpc inspect petstore.yaml --json | jq .plan.Upstreams

  --json                  print the plan, the sizes and the credentials as JSON

Sizes are those of a tool's entry in tools/list. Tokens are an estimate: a
quarter of the bytes.

` + commonHelp,
		Args:              wants("TARGET", "[TOOL]"),
		ValidArgsFunction: a.completes(&t, "TOOL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			p := r.Plan
			if len(args) == 1 {
				if asJSON {
					return a.printJSON(a.inspected(p))
				}
				return a.inspectServer(p)
			}
			tool, err := findPart(p, args[1], args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(struct {
					Tool   *plan.Tool `json:"tool"`
					Bytes  int        `json:"bytes"`
					Tokens int        `json:"tokens"`
				}{tool, entrySize(tool), tokens(entrySize(tool))})
			}
			return a.inspectTool(p, tool)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	t.flags(cmd)
	return cmd
}

// inspection is what inspect --json prints.
type inspection struct {
	Plan        *plan.Server     `json:"plan"`
	Sizes       []toolSize       `json:"sizes"`
	Bytes       int              `json:"bytes"`
	Tokens      int              `json:"tokens"` // estimated: bytes/4
	Credentials []command.Secret `json:"credentials"`
}

type toolSize struct {
	Tool   string `json:"tool"`
	Bytes  int    `json:"bytes"`
	Tokens int    `json:"tokens"`
}

func (a *app) inspected(p *plan.Server) inspection {
	out := inspection{Plan: p, Sizes: []toolSize{}, Credentials: append([]command.Secret{}, command.Secrets(p, a.runtimeOptions())...)}
	for i := range p.Tools {
		if p.Tools[i].Internal {
			continue
		}
		n := entrySize(&p.Tools[i])
		out.Sizes = append(out.Sizes, toolSize{p.Tools[i].Name, n, tokens(n)})
		out.Bytes += n
	}
	out.Tokens = tokens(out.Bytes)
	return out
}

func (a *app) inspectServer(p *plan.Server) error {
	var b bytes.Buffer
	b.WriteString(strings.TrimSpace(p.Name + " " + p.Version))
	if p.Title != "" && p.Title != p.Name {
		b.WriteString(" · " + printable(p.Title))
	}
	b.WriteString("\n")
	if p.Listen != "" {
		b.WriteString("listens on " + p.Listen + "\n")
	}
	if p.Instructions != "" {
		b.WriteString(indent(p.Instructions, "  "))
	}
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		fmt.Fprintf(&b, "\nUpstream %s\n", u.Name)
		fields(&b, "  ",
			"base URL", cmp.Or(u.BaseURL, "none; give one with --base-url"),
			"limits", fmt.Sprintf("%s a call, %s to connect, %s an answer", duration(u.Timeout), duration(u.ConnectTimeout), size(u.MaxResponse)),
			"retries", retries(u.Retry),
			"egress", egressOf(u.Egress),
			"headers", paramList(u.Headers),
			"credentials", strings.Join(credentialList(u), "\n"),
		)
	}
	if secrets := command.Secrets(p, a.runtimeOptions()); len(secrets) > 0 {
		b.WriteString("\nSecrets\n")
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, s := range secrets {
			state := "not set"
			if s.Set {
				state = "set"
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", s.Name, s.Source(), state)
		}
		w.Flush()
	}
	b.WriteByte('\n')
	total := 0
	rows := [][]string{{"Tools", "request", "hints", "size", "~tokens"}}
	for i := range p.Tools {
		t := &p.Tools[i]
		if t.Internal {
			rows = append(rows, []string{t.Name, short(route(t), 55), hintWords(t.Hints), "internal", ""})
			continue
		}
		n := entrySize(t)
		total += n
		rows = append(rows, []string{t.Name, short(route(t), 55), hintWords(t.Hints), size(int64(n)), group(tokens(n))})
	}
	b.Write(table(rows, a.width()))
	if list := others(p); len(list) > 0 {
		b.WriteByte('\n')
		rows := [][]string{{"Resources and prompts", "request"}}
		for _, o := range list {
			rows = append(rows, []string{o.Kind + " " + o.Name, short(strings.TrimSpace(o.Method+" "+o.Path), 48)})
		}
		b.Write(table(rows, a.width()))
	}
	fmt.Fprintf(&b, "\n%s, %s, about %s tokens (bytes/4)\n", count(countListed(p), "tool"), size(int64(total)), group(tokens(total)))
	for _, c := range p.Coverage {
		fmt.Fprintf(&b, "%s: %s\n", c.Source, coverage(c))
		for _, s := range c.Skipped {
			fmt.Fprintf(&b, "  %s: %s\n", printable(s.Operation), printable(s.Reason))
		}
	}
	return a.write(b.Bytes())
}

func (a *app) inspectTool(p *plan.Server, t *plan.Tool) error {
	var b bytes.Buffer
	b.WriteString(t.Name)
	if t.Title != "" && t.Title != t.Name {
		b.WriteString(" · " + printable(t.Title))
	}
	b.WriteByte('\n')
	if t.Description != t.Title {
		b.WriteString(indent(t.Description, "  "))
	}
	b.WriteByte('\n')
	origin := t.Origin.Kind
	if t.Origin.Operation != "" {
		origin = "operation " + t.Origin.Operation
	}
	if t.Origin.Source != "" {
		origin += ", " + t.Origin.Source
	}
	if t.Origin.Deprecated {
		origin += ", deprecated"
	}
	n := entrySize(t)
	if t.Internal {
		origin += "; internal, not listed"
	}
	list := []string{"from", origin, "steps", strings.Join(stepLines(t), "\n")}
	var settings []string
	for _, s := range t.Origin.Settings {
		settings = append(settings, strings.TrimSpace(fmt.Sprintf("%s: %s  %s", s.What, s.By, s.Place)))
	}
	for i, r := range t.Requests() {
		base := r.Server
		for j := range p.Upstreams {
			if p.Upstreams[j].Name == r.Upstream {
				base = cmp.Or(base, p.Upstreams[j].BaseURL, "(no base URL)")
			}
		}
		if i < len(t.Choices) {
			list = append(list, "when", surface.Source(&t.Choices[i].When))
		} else if i > 0 {
			list = append(list, "when", "otherwise")
		}
		list = append(list,
			"request", r.Method+" "+base+r.Template(),
			"path", paramList(pathParams(r)),
			"query", paramList(append(slices.Clone(r.Query), rawQuery(r)...)),
			"headers", paramList(r.Header),
			"cookies", paramList(r.Cookie),
			"body", body(r.Body),
			"accept", r.Accept,
			"credentials", security(r.Security),
		)
	}
	list = append(list,
		"rules", rules(t.Rules),
		"hints", hintWords(t.Hints),
		"set by", strings.Join(settings, "\n"),
		"pages", pages(t.Pagination),
		"confirm", confirmation(t.Confirm),
		"size", fmt.Sprintf("%s, about %s tokens (bytes/4)", count(n, "byte"), group(tokens(n))),
	)
	fields(&b, "", list...)
	for _, s := range []struct {
		name string
		text plan.Schema
	}{{"input schema", t.Input}, {"output schema", t.Output}} {
		if s.text == "" {
			continue
		}
		fmt.Fprintf(&b, "\n%s, %s\n", s.name, size(int64(len(s.text))))
		if err := json.Indent(&b, []byte(s.text), "", "  "); err != nil {
			return failed(fmt.Errorf("the %s of %s: %w", s.name, t.Name, err))
		}
		b.WriteByte('\n')
	}
	return a.write(b.Bytes())
}

// pages says how a list is put together.
func pages(p *plan.Pagination) string {
	if p == nil {
		return ""
	}
	s := p.Style
	if p.Param != "" {
		s += " by " + p.Param
	}
	if len(p.Items) > 0 {
		s += ", items at " + strings.Join(p.Items, ".")
	}
	if p.Model {
		return s + ", one page a call"
	}
	s += ", up to " + count(p.MaxPages, "page")
	if p.MaxItems > 0 {
		s += " and " + count(p.MaxItems, "item")
	}
	return s + " a call"
}

func (a *app) write(b []byte) error {
	if _, err := a.stdout.Write(b); err != nil {
		return failed(err)
	}
	return nil
}

// fields prints names and values, two a field, and leaves out empty ones.
func fields(w io.Writer, margin string, pairs ...string) {
	wide := 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			wide = max(wide, len(pairs[i]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		for j, line := range strings.Split(pairs[i+1], "\n") {
			if line == "" {
				continue
			}
			name := pairs[i]
			if j > 0 {
				name = ""
			}
			fmt.Fprintf(w, "%s%-*s  %s\n", margin, wide, name, printable(line))
		}
	}
}

func pathParams(r *plan.Request) (list []plan.Param) {
	for _, s := range r.Path {
		if s.Param != nil {
			list = append(list, *s.Param)
		}
	}
	return list
}

func rawQuery(r *plan.Request) []plan.Param {
	if r.RawQuery == nil {
		return nil
	}
	return []plan.Param{*r.RawQuery}
}

// paramList says of each parameter what it is on the wire and where its value
// comes from.
func paramList(list []plan.Param) string {
	lines := make([]string, len(list))
	for i, p := range list {
		s := p.Name
		switch {
		case p.Value != nil:
			s += " = " + surface.Source(p.Value)
		case p.Arg != p.Name:
			s += " = argument " + p.Arg
		}
		var words []string
		if p.Required {
			words = append(words, "required")
		}
		if p.Media != "" {
			words = append(words, p.Media)
		} else if p.Style != "" {
			words = append(words, string(p.Style))
			if p.Explode {
				words = append(words, "exploded")
			}
		}
		if p.AllowReserved {
			words = append(words, "reserved characters stay")
		}
		if len(words) > 0 && p.Value == nil {
			s += " (" + strings.Join(words, ", ") + ")"
		}
		lines[i] = s
	}
	return strings.Join(lines, "\n")
}

func body(b *plan.Body) string {
	if b == nil {
		return ""
	}
	s := b.Media + " from argument " + b.Arg
	if b.Value != nil {
		s = b.Media + " = " + surface.Source(b.Value)
	}
	if b.Required {
		s += " (required)"
	}
	for _, f := range b.Fields {
		var words []string
		if f.Binary {
			words = append(words, "file")
		}
		if f.Media != "" {
			words = append(words, f.Media)
		}
		if len(words) > 0 {
			s += "\n  " + f.Name + ": " + strings.Join(words, ", ")
		}
	}
	return s
}

// rules are conditions that arguments have to fulfil.
func rules(list []plan.Rule) string {
	lines := make([]string, len(list))
	for i := range list {
		lines[i] = surface.Source(&list[i].Condition) + ", or " + surface.Source(&list[i].Message)
	}
	return strings.Join(lines, "\n")
}

// stepLines says what the steps of a composite tool do, a line or more each.
func stepLines(t *plan.Tool) (lines []string) {
	for i := range t.Steps {
		s := &t.Steps[i]
		var args []string
		for j := range s.Args {
			args = append(args, s.Args[j].Name+" = "+surface.Source(&s.Args[j].Value))
		}
		lines = append(lines, fmt.Sprintf("%s: %s(%s)", s.Name, s.Tool, strings.Join(args, ", ")))
		if s.ForEach != nil {
			lines = append(lines, fmt.Sprintf("  for each of %s, at most %d, %d at a time", surface.Source(s.ForEach), s.Max, s.Parallel))
		}
		if s.When != nil {
			lines = append(lines, "  when "+surface.Source(s.When))
		}
		if s.OnError != plan.OnErrorFail {
			lines = append(lines, "  on error "+string(s.OnError))
		}
		if s.JQ != "" {
			lines = append(lines, "  jq "+s.JQ)
		}
	}
	if t.Result != nil {
		lines = append(lines, "output: "+surface.Source(t.Result))
	}
	return lines
}

// confirmation is what a person is asked before a call; "" for nothing.
func confirmation(e *plan.Expr) string {
	if e == nil {
		return ""
	}
	return surface.Source(e)
}

func credentialList(u *plan.Upstream) (lines []string) {
	for _, c := range u.Credentials {
		s := c.Name + ": " + c.Kind
		if c.Kind == "apiKey" {
			s += fmt.Sprintf(" in %s %s", c.In, c.Param)
		}
		lines = append(lines, s)
	}
	return lines
}

func security(alternatives [][]string) string {
	words := make([]string, len(alternatives))
	for i, all := range alternatives {
		words[i] = cmp.Or(strings.Join(all, " and "), "none")
	}
	return strings.Join(words, ", or ")
}

func retries(r plan.Retry) string {
	if r.Attempts <= 1 {
		return "none"
	}
	methods := "GET, HEAD and OPTIONS"
	if len(r.Methods) > 0 {
		methods = strings.Join(r.Methods, ", ")
	}
	on := "when the connection fails"
	if len(r.On) > 0 {
		on = "on " + strings.Trim(fmt.Sprint(r.On), "[]") + " and " + on
	}
	return fmt.Sprintf("%s, up to %d attempts, %s", methods, r.Attempts, on)
}

func hintWords(h plan.Hints) string {
	var words []string
	switch {
	case h.ReadOnly:
		words = append(words, "read-only")
	case h.Destructive:
		words = append(words, "destructive")
	default:
		words = append(words, "writes")
	}
	if h.Idempotent && !h.ReadOnly {
		words = append(words, "idempotent")
	}
	if !h.OpenWorld {
		words = append(words, "closed world")
	}
	return strings.Join(words, ", ")
}

// entrySize is the size of a tool's entry in tools/list, in bytes.
func entrySize(t *plan.Tool) int {
	b, err := json.Marshal(struct {
		Name         string          `json:"name"`
		Title        string          `json:"title,omitempty"`
		Description  string          `json:"description,omitempty"`
		InputSchema  plan.Schema     `json:"inputSchema"`
		OutputSchema *plan.Schema    `json:"outputSchema,omitempty"`
		Annotations  map[string]bool `json:"annotations"`
	}{t.Name, t.Title, t.Description, t.Input, output(t), map[string]bool{
		"readOnlyHint": t.Hints.ReadOnly, "destructiveHint": t.Hints.Destructive,
		"idempotentHint": t.Hints.Idempotent, "openWorldHint": t.Hints.OpenWorld,
	}})
	if err != nil {
		return len(t.Description) + len(t.Input) + len(t.Output) // schemas always marshal: they were checked
	}
	return len(b)
}

func output(t *plan.Tool) *plan.Schema {
	if t.Output == "" {
		return nil
	}
	return &t.Output
}

func tokens(bytes int) int { return (bytes + 3) / 4 }

// size writes bytes for people, in powers of 1,000; whole MiB, as limits are
// given, stay what they are.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1000_000)
}

func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

func indent(s, margin string) string {
	s = strings.TrimSpace(printable(s))
	if s == "" {
		return ""
	}
	return margin + strings.ReplaceAll(s, "\n", "\n"+margin) + "\n"
}

// egressOf says where calls may go besides the host of the base URL.
func egressOf(e *plan.Egress) string {
	if e == nil {
		return ""
	}
	var lines []string
	for _, l := range []struct {
		what string
		list []string
	}{{"also calls ", e.Hosts}, {"may call ", e.Allow}, {"never calls ", e.Deny}, {"public addresses only, because a fetched text names them: ", e.Public}} {
		if len(l.list) > 0 {
			lines = append(lines, l.what+strings.Join(l.list, ", "))
		}
	}
	switch e.Redirects {
	case "allowed":
		lines = append(lines, "follows redirects of reads to what it may call")
	case "none":
		lines = append(lines, "follows no redirects")
	}
	return strings.Join(lines, "\n")
}
