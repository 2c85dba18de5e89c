// Package compiler turns a declared document into a plan: load, resolve, lower,
// check.
//
// Load (load.go) reads the target, HCL or OpenAPI, into a [specs.Document], or
// finds the plan in the cache (cache.go). Resolve (resolve.go, names.go, glob.go)
// decides which operations become tools and what they are called. Lower
// (lower.go, body.go, edit.go, fixed.go, tool.go, step.go) makes a request, an input schema and a
// result of each; schemas have files of their own: schema.go is the form that
// cannot be wrong, schema_lower.go, schema_props.go and schema_values.go read
// documents into it, schema_graph.go knows how named schemas refer to each
// other, schema_emit.go writes them within a budget, shape.go maps them to the
// wire.
// The gate (gate in lower.go, schema_check.go) is last: a tool that fails it is
// not served, with a warning, and takes no other with it.
//
// The same document and options give the same plan, byte for byte.
package compiler

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// Options say what to compile and what is known beside the document.
type Options struct {
	// Target is a file, a directory of .hcl files, an http(s) URL or "-" for
	// the Reader's Stdin. HCL and OpenAPI are told apart by name, then content.
	Target string
	// BaseURL replaces the base URL of an OpenAPI document, or of the only api
	// of an HCL spec. "" leaves it.
	BaseURL string
	Vars    map[string]string // values of HCL variables; win over VarFiles
	// VarFiles are files of values, later ones win.
	VarFiles []string
	// AllowRefs are folders or URL prefixes outside of a document's own that
	// its $refs may reach.
	AllowRefs []string
	// Overlays are applied to an OpenAPI document given by itself, in order.
	Overlays []string
	// Env names the env block of an HCL spec that applies; "" is what the
	// environment variable MCPC_ENV says, or none.
	Env string
	// Auth says where the secret of a document's security scheme is; by default
	// in the environment variable MCPC_AUTH_<SCHEME>.
	Auth            map[string]plan.Secret
	ServerVariables map[string]string
	// NamePrefix is what clients put before tool names, such as
	// "mcp__orders__"; it counts against their 64 characters.
	NamePrefix string
	// CacheDir is the folder of the compile cache; "" switches it off. Specs
	// that are given values of variables, or that read the environment, are not
	// cached: secrets are nowhere but in the process.
	CacheDir string
	// Model, Document and Tests ask for these parts of the Result too; Tests has
	// test blocks read and checked, which are in its Document. The plan then does
	// not come from the cache.
	Model    bool
	Document bool
	// Spec receives what editors ask about an HCL spec; such a compilation reads
	// everything anew. Nil: it is dropped.
	Spec   *hclspec.Spec
	Tests  bool
	Reader *specs.Reader // nil: a new one
}

// Result is what came of a target.
type Result struct {
	// Plan is nil when Diagnostics has errors.
	Plan        *plan.Server
	Model       *plan.Model     // of Plan, when it was asked for
	Document    *specs.Document // what was read, when it was asked for
	Diagnostics diag.List       // sorted
	Cached      bool            // the plan comes from the cache
	// Dependencies are all files, URLs, folders and environment variables that
	// were looked at.
	Dependencies []specs.Dependency
	// Secrets are the values of sensitive variables that were given in Vars or
	// VarFiles, by the name of the plan.Secret. They are in no plan.
	Secrets map[string]string
}

// Compile reads and compiles the target. An error is the world's: nothing could
// be read. Mistakes of the author are diagnostics.
func Compile(ctx context.Context, o Options) (*Result, error) {
	if o.Reader == nil {
		o.Reader = &specs.Reader{}
	}
	if o.Tests {
		o.CacheDir = "" // what tests read is nothing to the plan
	}
	store := openCache(o)
	if !o.Model && !o.Document && o.Spec == nil {
		if res := store.load(ctx, o); res != nil {
			return res, nil
		}
	}
	doc, diags, secrets, err := load(ctx, o)
	if err != nil {
		return nil, err
	}
	res := &Result{Diagnostics: diags, Secrets: secrets}
	if o.Document || o.Tests {
		res.Document = doc
	}
	if doc != nil {
		p, model, more := compileDocument(doc, o)
		if diags.HasErrors() {
			more = independent(doc, more)
		}
		res.Plan, res.Model = p, model
		res.Diagnostics = append(res.Diagnostics, more...)
	}
	res.Diagnostics.Sort()
	res.Diagnostics = slices.CompactFunc(res.Diagnostics, sameFinding)
	if res.Diagnostics.HasErrors() {
		res.Plan, res.Model = nil, nil
	}
	res.Dependencies = o.Reader.Dependencies()
	store.save(o, res)
	return res, nil
}

// independent keeps the findings about a document with mistakes that cannot
// follow from those: names of operations, inputs and arguments that do not
// exist. The author sees them in the same run.
func independent(doc *specs.Document, list diag.List) diag.List {
	if slices.ContainsFunc(doc.APIs, func(a *specs.API) bool { return a.Unread }) {
		return nil
	}
	return slices.DeleteFunc(list, func(d diag.Diagnostic) bool {
		return doc.Incomplete && d.Code == "unknown-tool" || !slices.Contains([]string{"unknown-operation", "unknown-input", "unknown-argument", "pattern-matches-nothing", "limit-on-steps", "unknown-tool", "tool-cycle"}, d.Code)
	})
}

func sameFinding(a, b diag.Diagnostic) bool {
	return a.Severity == b.Severity && a.Code == b.Code && a.Message == b.Message && a.Range == b.Range
}

// compilation is the state of one CompileDocument.
type compilation struct {
	doc       *specs.Document
	options   Options
	direct    bool // an OpenAPI document, without HCL
	apis      int
	names     *namer
	overrides []overrideUse
	diags     diag.List
}

// CompileDocument compiles a document that was read. It does no I/O. The plan is
// nil when there are errors among the diagnostics.
func CompileDocument(doc *specs.Document, o Options) (*plan.Server, diag.List) {
	p, _, diags := compileDocument(doc, o)
	return p, diags
}

func compileDocument(doc *specs.Document, o Options) (*plan.Server, *plan.Model, diag.List) {
	c := &compilation{doc: doc, options: o, apis: len(doc.APIs)}
	c.direct = len(doc.APIs) == 1 && doc.APIs[0].ExposeAll
	prefix := o.NamePrefix
	if prefix == "" && doc.Server.NamePrefix != nil {
		prefix = doc.Server.NamePrefix.Value
	}
	c.names = newNamer(prefix)
	if c.names.limit < minName {
		d := diag.Diagnostic{Code: "name-prefix-too-long", Message: fmt.Sprintf("the prefix %q leaves %d characters for the names of tools", prefix, max(c.names.limit, 0)), Hint: fmt.Sprintf("use at most %d characters", maxKey-minName)}
		if doc.Server.NamePrefix != nil {
			d.Range = doc.Server.NamePrefix.Range
		}
		c.diags.Add(d)
		c.names.limit = minName
	}
	c.checkOptions()

	server := &plan.Server{Name: doc.Server.Name, Title: doc.Server.Title, Version: doc.Server.Version, Instructions: doc.Server.Instructions}
	if doc.Server.Listen != nil {
		server.Listen = doc.Server.Listen.Value
		server.Proxies = values(doc.Server.Proxies)
	}
	server.Inbound = c.inbound()
	c.identities(server)
	server.Observe = c.observe()
	c.checkScopes()
	selections := c.resolve()
	apis := map[string]*apiContext{}
	for i, api := range doc.APIs {
		u := c.upstream(api)
		given := ""
		if len(doc.APIs) == 1 {
			given = o.BaseURL
		}
		if len(selections[i].derived) > 0 || c.isCalled(api) || given != "" || api.BaseURL != nil {
			u.BaseURL = c.baseURL(api, given)
		}
		server.Upstreams = append(server.Upstreams, u)
		p := &patterns{}
		apis[api.Name] = &apiContext{
			api: api, name: api.Name, base: u.BaseURL, baseSet: given != "" || api.BaseURL != nil,
			auth: c.authorizer(api), patterns: p,
			in:       newLowerer(input, false, api.Schemas, p),
			out:      newLowerer(output, false, api.Schemas, p),
			inHashed: sync.OnceValue(func() *lowerer { return newLowerer(input, true, api.Schemas, p) }),
		}
	}

	// Tools the author wrote come first, in the author's order; then what was
	// selected, in the documents'.
	results := map[*specs.Tool]*plan.Tool{}
	whole := map[string]roots{} // by tool
	var selected []plan.Tool
	for i, s := range selections {
		a := apis[s.api.Name]
		cover := plan.Coverage{Upstream: s.api.Name, Source: s.api.Source, Declared: s.api.Declared, Selected: s.count}
		c.frontSkips(s.api, &cover)
		c.lowerAll(a, s, &cover, results, whole, &selected)
		if s.api.Source != "" || s.api.Declared > 0 {
			server.Coverage = append(server.Coverage, cover)
		}
		var own []plan.Tool
		var ops []*specs.Operation
		for _, d := range s.derived {
			ops = append(ops, d.op)
			if d.result != nil {
				own = append(own, *d.result)
			}
		}
		server.Upstreams[i].Credentials = c.used(a.auth, own, ops)
	}
	for _, t := range doc.Tools {
		switch {
		case len(t.Steps) > 0:
			server.Tools = append(server.Tools, plan.Tool{Name: t.Name}) // filled in when the tools it calls are known
		case t.Operation != nil:
			if r := results[t]; r != nil {
				c.serve(server, t, r)
			}
		case t.Request != nil:
			if r, roots, ok := c.handWritten(t, apis); ok {
				if !t.IsTool() {
					r.Sensitive = c.sensitiveOf(roots.in)
				}
				c.serve(server, t, &r)
				if t.IsTool() {
					whole[r.Name] = roots
				}
			}
		case t.Prompt != nil:
			c.serve(server, t, nil)
		}
	}
	c.embedded(server)
	server.Tools = append(server.Tools, selected...)
	c.composites(server, whole)
	c.tests(server, whole)
	for i := range server.Tools {
		t := &server.Tools[i]
		if t.Sensitive = c.sensitiveOf(whole[t.Name].in); t.Confirm != nil && doc.Observe == nil {
			t.Sensitive = sensitiveNames(whole[t.Name].in)
		}
	}
	c.unusedInputs()
	for _, api := range doc.APIs {
		c.uselessDocument(api)
		c.brokenPatterns(apis[api.Name].patterns)
	}
	for i, api := range doc.APIs {
		u := &server.Upstreams[i]
		source := api.Source // of the words that its hosts are
		switch {
		case len(doc.APIs) == 1 && o.BaseURL != "":
			source = ""
		case api.BaseURL != nil:
			source = o.Target
		}
		u.Egress = egressOf(u, source, serversOf(server, api.Name))
	}
	c.methods(server)
	server.Moved = c.moved(server.Tools)
	c.guards(server)
	c.checkProxies(server)
	c.diags.Sort()
	if c.diags.HasErrors() {
		return nil, nil, c.diags
	}
	var model *plan.Model
	if o.Model {
		model = c.model(server, apis, whole)
	}
	return server, model, c.diags
}

// methods gives tools the Go names their authors want, each once.
func (c *compilation) methods(server *plan.Server) {
	names := map[string]string{}
	for _, t := range c.doc.Tools {
		if t.Native == nil {
			continue
		}
		if other, ok := names[t.Native.Value]; ok {
			c.diags.Add(diag.Diagnostic{Code: "duplicate-native", Message: fmt.Sprintf("tools %q and %q have the same Go method %q", other, t.Name, t.Native.Value), Hint: "give each tool a method of its own", Range: t.Native.Range})
			continue
		}
		names[t.Native.Value] = t.Name
		if i := slices.IndexFunc(server.Tools, func(p plan.Tool) bool { return p.Name == t.Name }); i >= 0 {
			server.Tools[i].Method = t.Native.Value
		}
	}
}

// isCalled reports whether a hand-written tool calls an API.
func (c *compilation) isCalled(api *specs.API) bool {
	return slices.ContainsFunc(c.doc.Tools, func(t *specs.Tool) bool {
		return t.Request != nil && (t.API == nil || t.API.Value == api.Name)
	})
}

// uselessDocument warns of an OpenAPI document that no tool can come of, or that
// the author took no tool from.
func (c *compilation) uselessDocument(api *specs.API) {
	switch {
	case api.Source == "":
	case api.Declared == 0:
		c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "no-operations", Message: fmt.Sprintf("%s declares no operation under paths", api.Source),
			Hint: "tools are made of operations; webhooks and callbacks are calls to you, and become none", Range: api.Range})
	case !api.ExposeAll && len(api.Expose) == 0 && !c.isUsed(api):
		c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "nothing-exposed", Message: fmt.Sprintf("no operation of api %q is exposed or used by a tool", api.Name),
			Hint: fmt.Sprintf("add expose {} for all of its operations, or tool \"name\" { operation = api.%s[\"%s\"] }", api.Name, firstOperation(api)), Range: api.Range})
	}
}

// isUsed reports whether a tool block names an API.
func (c *compilation) isUsed(api *specs.API) bool {
	return c.isCalled(api) || slices.ContainsFunc(c.doc.Tools, func(t *specs.Tool) bool {
		return t.Operation != nil && t.Operation.API == api.Name
	})
}

func firstOperation(api *specs.API) string {
	if len(api.Operations) > 0 {
		return api.Operations[0].ID
	}
	return "id"
}

// brokenPatterns warns of patterns that nothing is checked against, once for all
// of a document.
func (c *compilation) brokenPatterns(p *patterns) {
	broken := p.broken()
	if len(broken) == 0 {
		return
	}
	what, names := "a pattern of the schemas", quote(clip(broken[0], 80))
	if len(broken) > 1 {
		what = fmt.Sprintf("%d patterns of the schemas", len(broken))
		names += fmt.Sprintf(" and %d more", len(broken)-1)
	}
	c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "pattern-not-checked", Message: fmt.Sprintf("%s cannot be compiled: %s", what, names),
		Hint: "the model is told such a pattern in words, and values are not checked against it; Go's syntax (RE2) has no lookaround and no back references"})
}

// checkOptions refuses options that name nothing of the document.
func (c *compilation) checkOptions() {
	if c.options.BaseURL != "" && c.apis > 1 {
		c.diags.Add(diag.Diagnostic{Code: "ambiguous-base-url", Message: fmt.Sprintf("a base URL was given and the spec has %d APIs", c.apis), Hint: "write base_url in the api block"})
	}
	var schemes []string
	for _, api := range c.doc.APIs {
		for _, s := range api.Schemes {
			schemes = append(schemes, s.Name)
		}
		if slices.ContainsFunc(api.Operations, func(op *specs.Operation) bool { return hasParam(op, specs.InHeader, headerCredential) }) {
			schemes = append(schemes, headerCredential)
		}
	}
	var given []string
	for name := range c.options.Auth {
		given = append(given, name)
	}
	slices.Sort(given)
	for _, name := range given {
		if !slices.Contains(schemes, name) {
			c.diags.Add(diag.Diagnostic{Code: "unknown-scheme", Message: fmt.Sprintf("there is no security scheme %q", name), Hint: didYouMean(name, schemes, "there is ")})
		}
	}
}

// frontSkips accounts for operations that could not be read at all.
func (c *compilation) frontSkips(api *specs.API, cover *plan.Coverage) {
	for _, k := range api.Skipped {
		if !api.ExposeAll && !slices.ContainsFunc(api.Expose, func(e *specs.Expose) bool {
			return slices.ContainsFunc(e.Operations, func(t specs.Text) bool { return glob(t.Value, k.Operation) })
		}) {
			continue
		}
		cover.Selected++
		cover.Skipped = append(cover.Skipped, plan.Skip{Operation: k.Operation, Reason: k.Reason})
	}
}

// lowerAll lowers the operations of one API, in parallel, and collects the
// outcomes in document order.
func (c *compilation) lowerAll(a *apiContext, s *selection, cover *plan.Coverage, results map[*specs.Tool]*plan.Tool, whole map[string]roots, selected *[]plan.Tool) {
	locate(s.derived)
	outcomes := make([]lowered, len(s.derived))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(s.derived)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(s.derived) {
					return
				}
				outcomes[i] = a.guarded(s.derived[i])
			}
		})
	}
	wg.Wait()

	var cut []string
	served := map[*specs.Operation]bool{}
	skipped := map[*specs.Operation]bool{}
	for i, d := range s.derived {
		l := &outcomes[i]
		c.diags = append(c.diags, l.diags...)
		if l.diags.HasErrors() {
			continue
		}
		if l.skip != "" {
			if !skipped[d.op] {
				skipped[d.op] = true
				cover.Skipped = append(cover.Skipped, plan.Skip{Operation: d.op.ID, Reason: l.skip})
			}
			code := "operation-skipped"
			if strings.HasPrefix(l.skip, "internal error") {
				code = "internal-error"
			}
			w := diag.Diagnostic{Severity: diag.Warning, Code: code, Message: fmt.Sprintf("operation %q is not served: %s", d.op.ID, l.skip), Range: d.op.Range}
			if d.tool != nil {
				w.Range, w.Notes = d.tool.Range, []diag.Note{{Message: "it is declared here", Range: d.op.Range}}
			}
			c.diags.Add(w)
			continue
		}
		if len(l.cut) > 0 {
			cut = append(cut, d.name)
		}
		d.result = &l.tool
		if d.tool == nil || d.tool.IsTool() {
			whole[l.tool.Name] = l.roots
		} else {
			l.tool.Sensitive = c.sensitiveOf(l.roots.in)
		}
		if !served[d.op] {
			served[d.op] = true
			cover.Served++
		}
		if d.tool != nil {
			results[d.tool] = d.result
		} else {
			*selected = append(*selected, l.tool)
		}
	}
	if len(cut) > 0 {
		names := cut[0]
		if len(cut) > 1 {
			names += fmt.Sprintf(" and %d more", len(cut)-1)
		}
		// Without a place: the tool is named, and a stored place would have the whole
		// document read again whenever its plan comes from the cache.
		c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "schema-cut", Message: fmt.Sprintf("the schemas of %d of %d tools are too large for a model; their deep parts are left open: %s", len(cut), len(outcomes), names),
			Hint: "values there are not checked before they are sent"})
	}
}

// guarded lowers one operation; a mistake of ours costs that operation only.
func (a *apiContext) guarded(d *derived) (l lowered) {
	defer func() {
		if r := recover(); r != nil {
			l = lowered{skip: fmt.Sprintf("internal error: %v", r)}
		}
	}()
	return a.operation(d)
}

// locate writes where each operation is declared. Operations come in the order
// of the document, so the text is read once, however long its lines are.
func locate(list []*derived) {
	var src *diag.Source
	offset, line, column := 0, 1, 1
	for _, d := range list {
		r := d.op.Range
		if r.Source == nil {
			continue
		}
		at := min(max(r.Start, 0), len(r.Source.Text))
		if r.Source != src || at < offset {
			src, offset, line, column = r.Source, 0, 1, 1
		}
		line, column = advance(src.Text[offset:at], line, column)
		offset = at
		d.source = fmt.Sprintf("%s:%d:%d", src.Name, line, column)
	}
}
