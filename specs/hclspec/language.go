package hclspec

import (
	"fmt"
	"go/token"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// language is the whole language as a table. It is built for each Parse; it is
// data and never changed.
func language() *block {
	return &block{inner: []*block{serverBlock(), variableBlock(), localsBlock(), apiBlock(), toolBlock()}}
}

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}

func serverBlock() *block {
	return &block{
		name: "server", label: "name", once: true,
		labelDoc: "identifies the server to clients",
		doc:      "What the MCP server says of itself, and where it listens. At most one in a spec; without it the server has the name of the file or directory.",
		example: `server "orders" {
  title        = "Orders"
  instructions = "Search before you cancel. Amounts are EUR."

  listen "http" { addr = "127.0.0.1:8080" }
}`,
		attrs: []attr{
			{name: "title", kind: textKind, doc: "the name people see", example: `title = "Orders"`,
				set: into(func(s *specs.Server, v *setting) { s.Title = v.text.Value })},
			{name: "version", kind: textKind, doc: "version of the described service", example: `version = "2.1"`,
				set: into(func(s *specs.Server, v *setting) { s.Version = v.text.Value })},
			{name: "instructions", kind: textKind, doc: "told to the model once: what the tools are for and how they go together", example: `instructions = "Search before you cancel."`,
				set: into(func(s *specs.Server, v *setting) { s.Instructions = v.text.Value })},
			{name: "name_prefix", kind: textKind, doc: "the prefix a client puts before tool names; it counts against the 64 characters of a name", example: `name_prefix = "mcp__orders__"`,
				check: func(s string) (string, string) {
					if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,48}$`).MatchString(s) {
						return fmt.Sprintf("cannot be %q", s), "use up to 48 letters, digits, _ and -"
					}
					return "", ""
				},
				set: into(func(s *specs.Server, v *setting) { s.NamePrefix = v.text })},
		},
		inner: []*block{{
			name: "listen", label: "transport", labels: []string{"http"}, once: true,
			labelDoc: "`http`, Streamable HTTP",
			doc:      "Serve over HTTP at this address instead of stdio. The command line wins.",
			example: `server "orders" {
  listen "http" { addr = ":8080" }
}`,
			attrs: []attr{{name: "addr", kind: textKind, required: true, doc: "host:port; without a host only this machine is served, 0.0.0.0 is every network", example: `addr = "127.0.0.1:8080"`,
				check: func(s string) (string, string) {
					_, port, err := net.SplitHostPort(s)
					if n, nerr := strconv.Atoi(port); err != nil || nerr != nil || n < 0 || n > 65535 {
						return fmt.Sprintf("cannot be %q", s), `write host:port, for example "127.0.0.1:8080"`
					}
					return "", ""
				},
				set: into(func(s *specs.Server, v *setting) {
					if strings.HasPrefix(v.text.Value, ":") {
						v.text.Value = "127.0.0.1" + v.text.Value
					}
					s.Listen = v.text
				})}},
			open: func(_ *parser, _ *head, parent any) any { return parent },
		}},
		open: func(p *parser, h *head, _ any) any {
			s := &p.doc.Server
			if !s.Range.IsZero() {
				p.add(diag.Diagnostic{Code: "duplicate-block", Message: "the spec has a second server block", Hint: "keep one of the two", Range: h.rng,
					Notes: []diag.Note{{Message: "the first one", Range: s.Range}}})
				return nil
			}
			s.Name, s.Range = h.label().Value, h.rng
			return s
		},
	}
}

func variableBlock() *block {
	return &block{
		name: "variable", label: "name", labelDoc: "referred to as `var.name`",
		doc: "A value from outside of the spec. The first of these that has one wins: `--var`, `--var-file`, the environment variable `env`, the environment variable `MCPC_VAR_name`, the file `file`, `default`. " +
			"An empty environment variable counts as not set. A variable without a value is an error.\n\n" +
			"A **sensitive** variable is a reference: its value is looked up by the runtime when a request is sent, and is in no plan, log, message or generated file. It may stand in `auth`, `headers`, `query`, `form` and `json`, and nowhere where the model or a log would see it.",
		example: `variable "erp_password" {
  type      = string
  sensitive = true
  env       = "ERP_PASSWORD"
}`,
		attrs: []attr{
			{name: "type", kind: typeKind, phase: firstPhase, standard: "`any`", doc: "its type; a text from outside is read accordingly", example: "type = string",
				set: into(func(v *variable, s *setting) { v.typ = s.typ })},
			{name: "default", kind: valueKind, phase: firstPhase, doc: "value when nothing else gives one; not for sensitive variables", example: `default = "eu"`,
				set: into(func(v *variable, s *setting) { v.standard = s })},
			{name: "sensitive", kind: boolKind, phase: firstPhase, standard: "`false`", doc: "a secret", example: "sensitive = true",
				set: into(func(v *variable, s *setting) { v.sensitive = s.flag.Value })},
			{name: "env", kind: textKind, phase: firstPhase, doc: "environment variable to look in before `MCPC_VAR_name`", example: `env = "ERP_PASSWORD"`,
				check: func(s string) (string, string) {
					if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(s) {
						return fmt.Sprintf("cannot be %q", s), "name an environment variable: letters, digits and _"
					}
					return "", ""
				},
				set: into(func(v *variable, s *setting) { v.env = s.text })},
			{name: "file", kind: textKind, phase: firstPhase, doc: "file that holds the value, its path relative to the spec; line ends at its end are cut", example: `file = "secrets/erp"`,
				set: into(func(v *variable, s *setting) { v.file = s.text })},
			{name: "description", kind: textKind, phase: firstPhase, doc: "for people", example: `description = "Password of the service user"`,
				set: into(func(v *variable, s *setting) { v.description = s.text })},
		},
		open:  func(*parser, *head, any) any { return &variable{} },
		close: func(p *parser, h *head, _, v any) { p.closeVariable(h, v.(*variable)) },
	}
}

func localsBlock() *block {
	return &block{
		name: "locals",
		doc:  "Names for expressions, referred to as `local.name`. There may be several blocks; they may use variables and each other, in any order, but no arguments of calls.",
		example: `locals {
  region   = "eu"
  base     = "https://${local.region}.example.com"
  statuses = { open = "10", shipped = "40" }
}`,
		free: &attr{name: "NAME", kind: valueKind, doc: "any value",
			set: func(p *parser, _ any, s *setting) {
				name := s.text.Value
				if first := p.locals[name]; first != nil {
					p.duplicate("local", name, s.name, first.rng)
					return
				}
				p.locals[name] = &local{rng: s.name, expr: s.raw}
				p.names = append(p.names, name)
			}},
		open: func(p *parser, _ *head, _ any) any { return p },
	}
}

// apiTarget is an api block while it is decoded.
type apiTarget struct {
	api       *specs.API
	openapi   *specs.Text
	variables map[string]string
	expose    []diag.Range
}

func apiBlock() *block {
	exposeText := func(set func(e *specs.Expose, t []specs.Text)) func(*parser, any, *setting) {
		return into(func(e *specs.Expose, s *setting) { set(e, s.texts) })
	}
	return &block{
		name: "api", label: "name", labelDoc: "referred to as `api.name`",
		doc: "One HTTP service behind the server. It is described by an OpenAPI document (`openapi`), or by hand with `base_url` and tools that say their `request`. Nothing of an OpenAPI document is exposed until an `expose` block or a `tool` selects it.",
		example: `api "erp" {
  base_url = "https://erp.internal.example/api.asp"
  auth     = basic("svc-mcp", var.erp_password)
  timeout  = "20s"
  retry {
    attempts = 3
    on       = [429, 502, 503, 504]
  }
}`,
		attrs: []attr{
			{name: "openapi", kind: textKind, doc: "path, relative to the spec, or URL of an OpenAPI document (2.0 to 3.2, JSON or YAML)", example: `openapi = "specs/github.yaml"`,
				set: into(func(t *apiTarget, s *setting) { t.openapi = s.text })},
			{name: "base_url", kind: textKind, standard: "the document's server", doc: "where requests go; required without `openapi`", example: `base_url = "https://api.example.com/v1"`, check: checkBaseURL,
				set: into(func(t *apiTarget, s *setting) { t.api.BaseURL = s.text })},
			{name: "auth", kind: credentialKind, standard: "what the document declares", doc: "how to authenticate: `bearer(token)`, `basic(user, password)` or `api_key(place, name, key)`, where place is `\"header\"`, `\"query\"` or `\"cookie\"`", example: "auth = bearer(var.token)",
				set: into(func(t *apiTarget, s *setting) { t.api.Auth = s.cred })},
			{name: "headers", kind: entriesKind, doc: "headers sent with every request; may hold sensitive values", example: `headers = { "X-Api-Version" = "2022-11-28" }`,
				set: func(p *parser, target any, s *setting) {
					p.checkHeaders(s.entries)
					target.(*apiTarget).api.Headers = s.entries
				}},
			{name: "timeout", kind: durationKind, standard: "`\"30s\"`", doc: "limit of a whole call, retries included", example: `timeout = "20s"`,
				set: into(func(t *apiTarget, s *setting) { t.api.Timeout = s.text })},
			{name: "connect_timeout", kind: durationKind, standard: "`\"10s\"`", doc: "limit of connecting, TLS included", example: `connect_timeout = "5s"`,
				set: into(func(t *apiTarget, s *setting) { t.api.ConnectTimeout = s.text })},
			{name: "max_response", kind: sizeKind, standard: "`\"10MiB\"`", doc: "bytes read of an answer", example: `max_response = "10MB"`,
				set: into(func(t *apiTarget, s *setting) { t.api.MaxResponse = s.text })},
			{name: "server_variables", kind: textMapKind, doc: "values for the variables of the document's server URL", example: `server_variables = { region = "eu" }`,
				set: into(func(t *apiTarget, s *setting) {
					t.variables = map[string]string{}
					for _, f := range s.node.Fields {
						t.variables[f.Key] = f.Value.Text
					}
				})},
		},
		inner: []*block{
			{
				name: "retry", once: true,
				doc: "When a request is sent again. It concerns tools that are read-only or idempotent; others are never retried. Without it GET and HEAD are tried three times in all on 502, 503, 504 and when connecting fails.",
				example: `api "erp" {
  base_url = "https://erp.example"
  retry {
    attempts = 3
    on       = [429, 503]
  }
}`,
				attrs: []attr{
					{name: "attempts", kind: integerKind, standard: "`3`", doc: "calls in all, 1 to 10; 1 switches retries off", example: "attempts = 3",
						set: func(p *parser, target any, s *setting) {
							if s.number < 1 || s.number > 10 {
								p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("attempts cannot be %d", s.number), Hint: "use 1 to 10; 1 switches retries off", Range: s.rng})
								return
							}
							target.(*specs.Retry).Attempts = s.number
						}},
					{name: "on", kind: statusesKind, standard: "`[502, 503, 504]`", doc: "HTTP statuses that are worth another try", example: "on = [429, 503]",
						set: into(func(r *specs.Retry, s *setting) { r.On = s.numbers })},
				},
				open: func(_ *parser, h *head, parent any) any {
					r := &specs.Retry{Attempts: 3, On: []int{502, 503, 504}, Range: h.rng}
					parent.(*apiTarget).api.Retry = r
					return r
				},
			},
			{
				name: "expose",
				doc:  "Selects operations of the OpenAPI document and makes a tool of each. All conditions that are written must hold; several blocks add up. Patterns are globs: `*` is any text without `/`, `**` any text, `?` one character but `/`; `*` alone matches everything. A pattern that matches nothing is a warning.",
				example: `api "gh" {
  openapi = "github.yaml"
  expose {
    operations = ["issues/*", "repos/get"]
    exclude    = ["issues/remove-*"]
    methods    = ["GET"]
    name       = "gh_${snakecase(operation.id)}"
  }
}`,
				attrs: []attr{
					{name: "operations", kind: textsKind, standard: "all", doc: "patterns of operation ids; an operation without an id is called `METHOD /path`", example: `operations = ["issues/*"]`,
						set: exposeText(func(e *specs.Expose, t []specs.Text) { e.Operations = t })},
					{name: "exclude", kind: textsKind, doc: "patterns of operation ids that are left out", example: `exclude = ["issues/remove-*"]`,
						set: exposeText(func(e *specs.Expose, t []specs.Text) { e.Exclude = t })},
					{name: "tags", kind: textsKind, standard: "all", doc: "operations with one of these tags", example: `tags = ["issues"]`,
						set: exposeText(func(e *specs.Expose, t []specs.Text) { e.Tags = t })},
					{name: "methods", kind: textsKind, standard: "all", doc: "operations with one of these methods", example: `methods = ["GET"]`, words: httpMethods,
						set: exposeText(func(e *specs.Expose, t []specs.Text) { e.Methods = t })},
					{name: "paths", kind: textsKind, standard: "all", doc: "patterns of paths", example: `paths = ["/repos/*"]`,
						set: exposeText(func(e *specs.Expose, t []specs.Text) { e.Paths = t })},
					{name: "name", kind: templateKind, phase: namePhase, standard: "the operation's id", doc: "names of the tools; `operation.id`, `.method`, `.path` and `.tag` (the first one) are known here", example: `name = "gh_${snakecase(operation.id)}"`,
						set: into(func(e *specs.Expose, s *setting) { e.Name = s.expr })},
					{name: "deprecated", kind: boolKind, standard: "`false`", doc: "include deprecated operations", example: "deprecated = true",
						set: into(func(e *specs.Expose, s *setting) { e.Deprecated = s.flag.Value })},
				},
				open: func(_ *parser, h *head, parent any) any {
					t, e := parent.(*apiTarget), &specs.Expose{Range: h.rng}
					t.api.Expose = append(t.api.Expose, e)
					t.expose = append(t.expose, h.rng)
					return e
				},
				close: func(_ *parser, h *head, parent, _ any) {
					if h.failed { // what it selects is not known
						t := parent.(*apiTarget)
						t.api.Expose = t.api.Expose[:len(t.api.Expose)-1]
					}
				},
			},
			{
				name: "override", label: "pattern", labelDoc: "a glob over operation ids",
				doc: "Changes tools made of the document's operations in bulk, in the order written; a `tool` block has the last word.",
				example: `api "gh" {
  openapi = "github.yaml"
  override "*" {
    input "owner" { value = "acme" }
    input "per_page" { default = 30 }
  }
}`,
				attrs: append([]attr{
					{name: "title", kind: textKind, doc: "the name people see", example: `title = "Search"`,
						set: into(func(o *specs.Override, s *setting) { o.Title = s.text })},
					{name: "description", kind: textKind, doc: "told to the model", example: `description = "…"`,
						set: into(func(o *specs.Override, s *setting) { o.Description = s.text })},
				}, hintAttrs(func(target any) *specs.Hints { return &target.(*specs.Override).Hints })...),
				inner: []*block{inputBlock()},
				open: func(_ *parser, h *head, parent any) any {
					t, o := parent.(*apiTarget), &specs.Override{Pattern: h.label(), Range: h.rng}
					t.api.Overrides = append(t.api.Overrides, o)
					t.expose = append(t.expose, h.rng)
					return o
				},
				close: func(p *parser, _ *head, _, target any) { p.checkInputNames(target.(*specs.Override).Inputs) },
			},
		},
		open: func(p *parser, h *head, _ any) any {
			name := h.label().Value
			if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`).MatchString(name) {
				p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for an api", name), Hint: "use letters, digits, _ and -, beginning with a letter", Range: h.label().Range})
			}
			for _, a := range p.doc.APIs {
				if a.Name == name {
					p.duplicate("api", name, h.rng, a.Range)
					return nil
				}
			}
			return &apiTarget{api: &specs.API{Name: name, Range: h.rng}}
		},
		close: func(p *parser, h *head, _, target any) { p.closeAPI(h, target.(*apiTarget)) },
	}
}

func checkBaseURL(s string) (problem, advice string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("cannot be %q", s), `write an absolute URL: "https://api.example.com/v1"`
	case u.User != nil:
		return "cannot hold a user name or password", "use auth = basic(user, password)"
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "cannot hold a query or fragment", "put query parameters into the request"
	}
	return "", ""
}

// hintAttrs are the rows of MCP's tool annotations.
func hintAttrs(of func(target any) *specs.Hints) []attr {
	row := func(name, doc string, set func(h *specs.Hints, f *specs.Flag)) attr {
		return attr{name: name, kind: boolKind, standard: "by method", doc: doc, example: name + " = true",
			set: func(_ *parser, target any, s *setting) { set(of(target), s.flag) }}
	}
	return []attr{
		row("read_only", "it changes nothing", func(h *specs.Hints, f *specs.Flag) { h.ReadOnly = f }),
		row("destructive", "it may delete or overwrite", func(h *specs.Hints, f *specs.Flag) { h.Destructive = f }),
		row("idempotent", "doing it twice is as doing it once", func(h *specs.Hints, f *specs.Flag) { h.Idempotent = f }),
		row("open_world", "it reaches things beyond this service", func(h *specs.Hints, f *specs.Flag) { h.OpenWorld = f }),
	}
}

func toolBlock() *block {
	return &block{
		name: "tool", label: "name", labelDoc: "what the model calls; letters, digits, `_` and `-`, at most 64",
		doc: "A tool the model sees. It is described by hand with a `request` block and its `input`s, or derived from an operation of an OpenAPI document with `operation`; then it has that operation's inputs, and what is written here changes them.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "get_order" {
  description = "Get one order by its number."
  read_only   = true

  input "number" { type = string }

  request "GET" "/orders/{number}" {}
}`,
		attrs: append([]attr{
			{name: "title", kind: textKind, doc: "the name people see", example: `title = "Search orders"`,
				set: into(func(t *specs.Tool, s *setting) { t.Title = s.text })},
			{name: "description", kind: textKind, standard: "the operation's", doc: "told to the model: what it does, what it returns, when to use it", example: `description = "Find orders by customer."`,
				set: into(func(t *specs.Tool, s *setting) { t.Description = s.text })},
			{name: "operation", kind: operationKind, doc: "the operation it is derived from; takes the place of `request`", example: `operation = api.gh["issues/create"]`,
				set: into(func(t *specs.Tool, s *setting) { t.Operation = s.op })},
			{name: "api", kind: apiKind, standard: "the only api", doc: "the API its `request` goes to", example: "api = api.erp",
				set: into(func(t *specs.Tool, s *setting) { t.API = s.text })},
			{name: "native", kind: textKind, standard: "made of the tool's name", doc: "in generated Go code, the method that stands for the tool and that native code may take the place of; an exported Go name", example: `native = "CreateOrder"`,
				check: func(s string) (string, string) {
					if !token.IsIdentifier(s) || !token.IsExported(s) || strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) >= 0 {
						return fmt.Sprintf("cannot be %q", s), `use letters and digits, a capital first, e.g. "CreateOrder"`
					}
					if s == "Bridge" { // embedded, it is a field of that name
						return `cannot be "Bridge"`, "generated code has a type of that name"
					}
					return "", ""
				},
				set: into(func(t *specs.Tool, s *setting) { t.Native = s.text })},
		}, hintAttrs(func(target any) *specs.Hints { return &target.(*specs.Tool).Hints })...),
		inner: []*block{inputBlock(), requestBlock()},
		open: func(p *parser, h *head, _ any) any {
			t := &specs.Tool{Name: h.label().Value, Range: h.rng}
			p.broken[t] = h.broken
			p.toolStart = len(p.diags)
			return t
		},
		close: func(p *parser, h *head, _, target any) {
			t := target.(*specs.Tool)
			p.closeTool(h, t)
			p.faulty[t] = h.broken || p.diags[p.toolStart:].HasErrors()
		},
	}
}

func requestBlock() *block {
	entries := func(set func(r *specs.Request, e []specs.NamedExpr)) func(*parser, any, *setting) {
		return into(func(r *specs.Request, s *setting) { set(r, s.entries) })
	}
	return &block{
		name: "request", label: "method", second: "path", once: true,
		labelDoc: "the HTTP method and the path, which is appended to `base_url`",
		doc: "The HTTP request of a tool described by hand. `{name}` in the path takes the argument `name` as one segment, percent-encoded; everything else is computed from `args`. " +
			"Values are encoded for their place: query and form values are percent-encoded, header values refuse line breaks, `json` is written as typed values.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "search" {
  input "customer" { type = string }
  input "status" {
    type    = enum("open", "shipped")
    default = "open"
  }

  request "POST" "/orders/{customer}/search" {
    query = { limit = 50 }
    json  = { state = { open = "10", shipped = "40" }[args.status] }
  }
}`,
		attrs: []attr{
			{name: "query", kind: entriesKind, phase: callPhase, doc: "query parameters; a null value is left out, a list repeats the name", example: "query = { q = args.q, limit = 50 }",
				set: entries(func(r *specs.Request, e []specs.NamedExpr) { r.Query = e })},
			{name: "headers", kind: entriesKind, phase: callPhase, doc: "headers; a null value is left out", example: `headers = { "X-Tenant" = args.tenant }`,
				set: func(p *parser, target any, s *setting) {
					p.checkHeaders(s.entries)
					target.(*specs.Request).Headers = s.entries
				}},
			{name: "json", kind: exprKind, phase: callPhase, doc: "the body as JSON; takes any value", example: "json = { title = args.title }",
				set: into(func(r *specs.Request, s *setting) { r.JSON = s.expr })},
			{name: "form", kind: entriesKind, phase: callPhase, doc: "the body as an HTML form (application/x-www-form-urlencoded); a null value is left out, a list repeats the name", example: "form = { CUSTNO = args.customer }",
				set: entries(func(r *specs.Request, e []specs.NamedExpr) {
					if e == nil {
						e = []specs.NamedExpr{}
					}
					r.Form = e
				})},
		},
		open: func(p *parser, h *head, parent any) any {
			r := &specs.Request{Method: h.labels[0].Value, Path: h.labels[1].Value, PathAt: h.labels[1].Range, Range: h.rng}
			t := parent.(*specs.Tool)
			t.Request = r
			p.checkMethod(r, h.labels[0].Range)
			return r
		},
		close: func(p *parser, h *head, _, target any) { p.closeRequest(h, target.(*specs.Request)) },
	}
}

// inputTarget is an input block while it is decoded.
type inputTarget struct {
	input    *specs.Input
	typ      *inputType
	keywords []specs.Field
	places   map[string]diag.Range // of keywords, by attribute
	examples *setting
	standard *setting
	value    *setting
}

func (t *inputTarget) keyword(name, attribute string, v *specs.Node, at diag.Range) {
	t.keywords = append(t.keywords, specs.F(name, v))
	t.places[attribute] = at
}

func inputBlock() *block {
	count := func(name, keyword, doc, example string) attr {
		return attr{name: name, kind: integerKind, doc: doc, example: example, set: into(func(t *inputTarget, s *setting) { t.keyword(keyword, name, s.node, s.rng) })}
	}
	return &block{
		name: "input", label: "name", labelDoc: "the argument; in a derived tool also a field of the body, `body.title`",
		doc: "An argument of a tool. In a tool described by hand it declares the argument; in a derived tool and in an `override` it changes one the operation has. An input is required unless it has a `default` or is `optional`.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "search" {
  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }
  input "limit" {
    type    = integer
    minimum = 1
    maximum = 100
    default = 20
  }

  request "GET" "/orders" {
    query = { customer = args.customer, limit = args.limit }
  }
}`,
		attrs: []attr{
			{name: "type", kind: typeKind, doc: "see Types; required in a tool described by hand", example: "type = string",
				set: into(func(t *inputTarget, s *setting) { t.typ = s.typ })},
			{name: "description", kind: textKind, doc: "told to the model", example: `description = "Customer number"`,
				set: into(func(t *inputTarget, s *setting) { t.input.Description = s.text })},
			{name: "default", kind: valueKind, doc: "sent when the model gives no value; told to the model", example: "default = 20",
				set: into(func(t *inputTarget, s *setting) { t.standard, t.input.Default = s, s.node })},
			{name: "optional", kind: boolKind, standard: "`false`", doc: "may be left out; it is null then", example: "optional = true",
				set: into(func(t *inputTarget, s *setting) { t.input.Optional = s.flag })},
			{name: "examples", kind: valuesKind, doc: "values told to the model", example: `examples = ["C-10442"]`,
				set: into(func(t *inputTarget, s *setting) { t.examples = s })},
			{name: "pattern", kind: textKind, doc: "regular expression (RE2) a text must match; not anchored by itself", example: `pattern = "^C-[0-9]+$"`,
				check: func(s string) (string, string) {
					if _, err := regexp.Compile(s); err != nil {
						return "is no regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "), "the syntax is RE2: no look-around and no back-references; in quotes a backslash is written twice"
					}
					return "", ""
				},
				set: into(func(t *inputTarget, s *setting) { t.keyword("pattern", "pattern", s.node, s.rng) })},
			count("min_length", "minLength", "least characters of a text", "min_length = 1"),
			count("max_length", "maxLength", "most characters of a text", "max_length = 200"),
			{name: "minimum", kind: numberKind, doc: "least number", example: "minimum = 0",
				set: into(func(t *inputTarget, s *setting) { t.keyword("minimum", "minimum", s.node, s.rng) })},
			{name: "maximum", kind: numberKind, doc: "greatest number", example: "maximum = 100",
				set: into(func(t *inputTarget, s *setting) { t.keyword("maximum", "maximum", s.node, s.rng) })},
			count("min_items", "minItems", "least elements of a list", "min_items = 1"),
			count("max_items", "maxItems", "most elements of a list", "max_items = 10"),
			{name: "value", kind: exprKind, phase: callPhase, doc: "fixes the argument: always sent, hidden from the model; derived tools and overrides", example: "value = var.org",
				set: into(func(t *inputTarget, s *setting) { t.value, t.input.Value = s, s.expr })},
			{name: "hide", kind: boolKind, standard: "`false`", doc: "hides an optional argument from the model, and refuses it from a caller; derived tools and overrides", example: "hide = true",
				set: into(func(t *inputTarget, s *setting) { t.input.Hide = s.flag })},
			{name: "wire", kind: exprKind, phase: callPhase, doc: "what is sent instead of the argument; derived tools and overrides", example: `wire = "${args.q} org:acme"`,
				set: into(func(t *inputTarget, s *setting) { t.input.Wire = s.expr })},
		},
		open: func(_ *parser, h *head, _ any) any {
			return &inputTarget{input: &specs.Input{Path: h.label().Value, Range: h.rng}, places: map[string]diag.Range{}}
		},
		close: func(p *parser, h *head, parent, target any) {
			in := p.closeInput(h, target.(*inputTarget))
			switch t := parent.(type) {
			case *specs.Tool:
				t.Inputs = append(t.Inputs, in)
			case *specs.Override:
				t.Inputs = append(t.Inputs, in)
			}
		},
	}
}
