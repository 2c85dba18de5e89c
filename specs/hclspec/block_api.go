package hclspec

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/internal/egress"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// apiTarget is an api block while it is decoded.
type apiTarget struct {
	api       *specs.API
	openapi   *specs.Text
	overlays  []specs.Text
	variables map[string]string
	expose    []diag.Range
}

func (t *apiTarget) limit() *specs.RateLimit {
	if t.api.Limit == nil {
		t.api.Limit = &specs.RateLimit{}
	}
	return t.api.Limit
}

func (t *apiTarget) cache() *specs.Cache {
	if t.api.Cache == nil {
		t.api.Cache = &specs.Cache{}
	}
	return t.api.Cache
}

func (t *apiTarget) breaker() *specs.Breaker {
	if t.api.Breaker == nil {
		t.api.Breaker = &specs.Breaker{}
	}
	return t.api.Breaker
}

func (t *apiTarget) bulkhead() *specs.Bulkhead {
	if t.api.Bulkhead == nil {
		t.api.Bulkhead = &specs.Bulkhead{}
	}
	return t.api.Bulkhead
}

func (t *apiTarget) egress() *specs.Egress {
	if t.api.Egress == nil {
		t.api.Egress = &specs.Egress{}
	}
	return t.api.Egress
}

// checkDenied checks an entry that egress denies.
func checkDenied(s string) (problem, advice string) {
	if _, err := egress.Parse(s); err != nil {
		what, how, _ := strings.Cut(err.Error(), "; ")
		return "holds an entry that cannot be: " + what, how
	}
	return "", ""
}

// checkAllowed checks an entry that egress allows.
func checkAllowed(s string) (problem, advice string) {
	if problem, advice = checkDenied(s); problem != "" {
		return problem, advice
	}
	if e, err := egress.Parse(s); err == nil && e.Never() {
		return fmt.Sprintf("cannot hold the network %q: link-local and metadata addresses are allowed one by one", s), `write the address: "169.254.169.254"`
	}
	return "", ""
}

func (t *apiTarget) tls() *specs.ClientTLS {
	if t.api.TLS == nil {
		t.api.TLS = &specs.ClientTLS{}
	}
	return t.api.TLS
}

// atLeastOne is the setter of a number that cannot be 0.
func atLeastOne(set func(t *apiTarget, n int)) func(*parser, any, *setting) {
	return func(p *parser, target any, s *setting) {
		if s.number < 1 || s.number > 1e6 {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: "the number must be from 1 to 1,000,000", Hint: "to switch it off, remove the setting", Range: s.rng})
			return
		}
		set(target.(*apiTarget), s.number)
	}
}

// rate is a number of requests in a unit of time.
var rate = regexp.MustCompile(`^([1-9][0-9]{0,6})/(s|m|h)$`)

// checkByteRate accepts a number of bytes in a unit of time.
func checkByteRate(s string) (problem, advice string) {
	size, unit, _ := strings.Cut(s, "/")
	if !validSize(size) || !slices.Contains([]string{"s", "m", "h", "d"}, unit) {
		return fmt.Sprintf("cannot be %q", s), `write bytes per second, minute, hour or day: "500KB/s", "20MB/h", "1GB/d"`
	}
	return "", ""
}

func checkRate(s string) (problem, advice string) {
	if !rate.MatchString(s) {
		return fmt.Sprintf("cannot be %q", s), `write requests per second, minute or hour: "5/s", "100/m", "1000/h"`
	}
	return "", ""
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
			{name: "overlay", kind: textsKind, doc: "paths or URLs of [OpenAPI Overlays](https://spec.openapis.org/overlay/v1.1.0.html) (1.0, 1.1) that are applied to the document before it is read, in order", example: `overlay = ["corrections.yaml"]`,
				set: into(func(t *apiTarget, s *setting) { t.overlays = s.texts })},
			{name: "base_url", kind: textKind, standard: "the document's server", doc: "where requests go; required without `openapi`", example: `base_url = "https://api.example.com/v1"`, check: checkBaseURL,
				set: into(func(t *apiTarget, s *setting) { t.api.BaseURL = s.text })},
			{name: "auth", kind: credentialKind, standard: "what the document declares", doc: "how to authenticate: `bearer(token)`, `basic(user, password)` or `api_key(place, name, key)`, where place is `\"header\"`, `\"query\"` or `\"cookie\"`; or `auth.name` for an `auth` block. An object says it for schemes of the document, by their names: `{ session = auth.erp, key = api_key(\"header\", \"X-Key\", env(\"KEY\")) }`; what the document says of them then holds, also which of them are needed together and which are alternatives. Schemes it does not name get their secrets as before", example: "auth = bearer(var.token)",
				set: into(func(t *apiTarget, s *setting) { t.api.Auth, t.api.SchemeAuth = s.cred, s.schemes })},
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
			{name: "limit", kind: settingsKind, doc: "how often the API is called, over all tools and callers; a call waits for its turn, and is refused when that would be after its timeout", example: `limit = { rate = "15/s", burst = 30 }`, set: setMembers,
				members: []attr{
					{name: "rate", kind: textKind, required: true, doc: "requests a second, minute or hour, retries included", example: `rate = "15/s"`, check: checkRate,
						set: into(func(t *apiTarget, s *setting) { t.limit().Rate = s.text })},
					{name: "burst", kind: integerKind, standard: "the rate of a second", doc: "requests that may go out at once", example: "burst = 30",
						set: into(func(t *apiTarget, s *setting) { t.limit().Burst = s.number })},
				}},
			{name: "cache", kind: settingsKind, doc: "keep answers 200 to GET requests in memory, as far and as long as their Cache-Control allows, until a request that may change something is sent to the same path", example: `cache = { ttl = "30s", etag = true, scope = "caller" }`, set: setMembers,
				members: []attr{
					{name: "ttl", kind: durationKind, required: true, doc: "how long an answer is given again without asking", example: `ttl = "30s"`,
						set: into(func(t *apiTarget, s *setting) { t.cache().TTL = s.text })},
					{name: "etag", kind: boolKind, standard: "`false`", doc: "after that, ask with If-None-Match where the answer had an ETag, and keep it on 304", example: "etag = true",
						set: into(func(t *apiTarget, s *setting) { t.cache().ETag = s.flag.Value })},
					{name: "stale_if_error", kind: durationKind, standard: "not at all", doc: "how long after that an answer is still given when the API fails", example: `stale_if_error = "10m"`,
						set: into(func(t *apiTarget, s *setting) { t.cache().Stale = s.text })},
					{name: "scope", kind: textKind, words: []string{"caller", "all"}, standard: "`\"caller\"`", doc: "who gets an answer again: who called, or all callers of his tenant", example: `scope = "caller"`,
						set: into(func(t *apiTarget, s *setting) { t.cache().Scope = s.text })},
				}},
			{name: "breaker", kind: settingsKind, doc: "stop calling an API that fails: after so many failures within `window` it is left alone for `open`, and calls are refused at once. Broken connections, time-outs and statuses from 500 on count; a 404 does not", example: `breaker = { failures = 5, open = "30s" }`, set: setMembers,
				members: []attr{
					{name: "failures", kind: integerKind, required: true, doc: "failures that open it", example: "failures = 5",
						set: atLeastOne(func(t *apiTarget, n int) { t.breaker().Failures = n })},
					{name: "window", kind: durationKind, standard: "`\"30s\"`", doc: "how far back failures count", example: `window = "1m"`,
						set: into(func(t *apiTarget, s *setting) { t.breaker().Window = s.text })},
					{name: "open", kind: durationKind, standard: "`\"30s\"`", doc: "how long the API is left alone", example: `open = "30s"`,
						set: into(func(t *apiTarget, s *setting) { t.breaker().Open = s.text })},
					{name: "half_open", kind: integerKind, standard: "`1`", doc: "calls that must succeed then before all go through again", example: "half_open = 2",
						set: atLeastOne(func(t *apiTarget, n int) { t.breaker().HalfOpen = n })},
					{name: "scope", kind: textKind, words: []string{"tenant", "caller"}, standard: "`\"tenant\"`", doc: "who shares it: all callers of a tenant, or nobody. Calls of other tenants, and to other hosts of the API, are not held up in any case", example: `scope = "caller"`,
						set: into(func(t *apiTarget, s *setting) { t.breaker().Scope = s.text })},
				}},
			tlsSetting("the API", "erp.internal.example", func(target any) *specs.ClientTLS { return target.(*apiTarget).tls() }),
			{name: "egress", kind: settingsKind, local: true, doc: "where calls of the API may go. Without it: to the host of the base URL, and of servers that operations of the document have. Addresses are checked when a connection is made. A host the author or the operator wrote may lead to private addresses, and to loopback if it is `localhost`, has no dot or is the address itself; a host that only a document fetched from elsewhere names has to lead to public ones. Link-local and metadata addresses are called only where the address itself is written", example: `egress = { allow = ["files.example.com", "10.2.0.0/16"], redirects = "allowed" }`,
				set: func(p *parser, target any, s *setting) {
					setMembers(p, target, s)
					e := target.(*apiTarget).egress()
					if e.Redirects != nil && e.Redirects.Value == "allowed" && len(e.Allow) == 0 {
						p.add(diag.Diagnostic{Code: "missing-attribute", Message: "redirects lead to allowed hosts, and allow names none", Hint: `name them: allow = ["files.example.com"]`, Range: e.Redirects.Range})
					}
					for _, d := range e.Deny {
						for _, a := range e.Allow {
							if a.Value == d.Value {
								p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%q is both allowed and denied", d.Value), Hint: "remove one of them; what is denied is denied whatever else is said", Range: d.Range})
							}
						}
					}
				},
				members: []attr{
					{name: "allow", kind: textsKind, doc: "addresses, networks and hosts (`*.example.com` for all below) that may be called besides; a host that is listed may lead anywhere but to link-local and metadata addresses", example: `allow = ["127.0.0.1", "10.2.0.0/16"]`, check: checkAllowed,
						set: into(func(t *apiTarget, s *setting) { t.egress().Allow = s.texts })},
					{name: "deny", kind: textsKind, doc: "those that are never called, whatever else is said", example: `deny = ["10.2.9.0/24"]`, check: checkDenied,
						set: into(func(t *apiTarget, s *setting) { t.egress().Deny = s.texts })},
					{name: "redirects", kind: textKind, words: []string{"same_host", "allowed", "none"}, standard: "`\"same_host\"`", doc: "which redirects are followed: those to the host itself, also those of reading requests to allowed hosts (without credentials, cookies and the headers of the API and its tools), or none", example: `redirects = "allowed"`,
						set: into(func(t *apiTarget, s *setting) { t.egress().Redirects = s.text })},
				}},
			{name: "bulkhead", kind: settingsKind, doc: "how many requests the API has to answer at once; one more waits for `queue` and is then refused, at once when ten wait already for each that is under way", example: `bulkhead = { concurrency = 20, queue = "1s" }`, set: setMembers,
				members: []attr{
					{name: "concurrency", kind: integerKind, required: true, doc: "requests under way at once", example: "concurrency = 20",
						set: atLeastOne(func(t *apiTarget, n int) { t.bulkhead().Concurrency = n })},
					{name: "queue", kind: durationKind, standard: "nobody waits", doc: "how long one more waits", example: `queue = "1s"`,
						set: into(func(t *apiTarget, s *setting) { t.bulkhead().Queue = s.text })},
				}},
			{name: "coalesce", kind: boolKind, standard: "`false`", doc: "make one request of identical GET requests of one caller that are under way at once", example: "coalesce = true",
				set: into(func(t *apiTarget, s *setting) { t.api.Coalesce = s.flag })},
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
				doc: "When a request is sent again. It concerns GET, HEAD and OPTIONS, and tools that are said to be `read_only` or `idempotent`; others are never retried. Without it they are tried three times in all on 502, 503, 504 and when connecting fails. All retries together are a tenth of the requests at most.",
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
					deprecatedAttr(func(target any, s *specs.Text) { target.(*specs.Override).Deprecated = s }),
				}, hintAttrs(func(target any) *specs.Hints { return &target.(*specs.Override).Hints })...),
				inner: []*block{inputBlock(), responseBlock()},
				open: func(_ *parser, h *head, parent any) any {
					t, o := parent.(*apiTarget), &specs.Override{Pattern: h.label(), Range: h.rng}
					t.api.Overrides = append(t.api.Overrides, o)
					t.expose = append(t.expose, h.rng)
					return o
				},
				close: func(p *parser, _ *head, _, target any) { p.checkInputNames(target.(*specs.Override).Inputs) },
			},
			paginationBlock(false),
			responseBlock(),
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

// checkBaseURL says what is wrong with a base URL. The text is not repeated where it
// may hold a secret.
func checkBaseURL(s string) (problem, advice string) {
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@") && (err != nil || u.User != nil || u.Host == ""):
		return "cannot hold a user name or password", "use auth = basic(user, password)"
	case err == nil && (u.RawQuery != "" || u.ForceQuery) || strings.ContainsAny(s, "?#"):
		if err == nil && slices.ContainsFunc(slices.Collect(maps.Keys(u.Query())), imported.IsSecretName) {
			return "cannot hold a query or fragment", `use auth = api_key("query", name, secret): what is written here is in plans and generated code`
		}
		return "cannot hold a query or fragment", "put query parameters into the request"
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("cannot be %q", s), `write an absolute URL: "https://api.example.com/v1"`
	}
	return "", ""
}

// mayHoldSecret tells whether a text that is refused is a URL with a user or a query,
// so that it is not shown.
func mayHoldSecret(s string) bool {
	return strings.Contains(s, "@") && !strings.ContainsAny(s, " \n") || strings.Contains(s, "://") && strings.Contains(s, "?")
}

// shownURL is a URL that is refused, without what may be secret in it.
func shownURL(s string) string {
	s, _, _ = strings.Cut(s, "?")
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	scheme, _, found := strings.Cut(s[:at], "//")
	if !found {
		return "…" + s[at:]
	}
	return scheme + "//…" + s[at:]
}
