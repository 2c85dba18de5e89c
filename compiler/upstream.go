package compiler

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// Defaults of an upstream.
const (
	defaultTimeout        = 30 * time.Second
	defaultConnectTimeout = 10 * time.Second
	defaultAttempts       = 3
	// defaultMaxResponse is far above what a model can read and far below what
	// hurts a server; downloads that are larger need max_response.
	defaultMaxResponse = 10 << 20
)

func defaultRetryStatus() []int { return []int{502, 503, 504} }

// upstream makes the plan's side of an API, credentials aside.
func (c *compilation) upstream(api *specs.API) plan.Upstream {
	u := plan.Upstream{
		Name:           api.Name,
		Timeout:        c.duration(api.Timeout, defaultTimeout),
		ConnectTimeout: c.duration(api.ConnectTimeout, defaultConnectTimeout),
		Retry:          plan.Retry{Attempts: defaultAttempts, On: defaultRetryStatus()},
		MaxResponse:    c.size(api.MaxResponse, defaultMaxResponse),
	}
	if r := api.Retry; r != nil {
		if r.Attempts > 0 {
			u.Retry.Attempts = r.Attempts
		}
		if r.On != nil {
			u.Retry.On = r.On
		}
	}
	if l := api.Limit; l != nil && l.Rate != nil {
		u.Limit = rateLimit(l)
	}
	if k := api.Cache; k != nil && k.TTL != nil {
		u.Cache = &plan.Cache{TTL: c.duration(k.TTL, 0), ETag: k.ETag, Shared: k.Scope != nil && k.Scope.Value == "all", StaleIfError: c.duration(k.Stale, 0)}
	}
	if b := api.Breaker; b != nil && b.Failures > 0 {
		u.Breaker = &plan.Breaker{Failures: b.Failures, Window: c.duration(b.Window, 30*time.Second), Open: c.duration(b.Open, 30*time.Second), HalfOpen: max(1, b.HalfOpen), ByCaller: b.Scope.Str() == "caller"}
	}
	if b := api.Bulkhead; b != nil && b.Concurrency > 0 {
		u.Bulkhead = &plan.Bulkhead{Concurrency: b.Concurrency, Queue: c.duration(b.Queue, 0)}
	}
	u.TLS = clientTLS(api.TLS)
	if e := api.Egress; e != nil {
		u.Egress = &plan.Egress{Allow: values(e.Allow), Deny: values(e.Deny), Redirects: e.Redirects.Str()}
	}
	u.Coalesce = api.Coalesce != nil && api.Coalesce.Value
	for _, h := range api.Headers {
		v := lowerExpr(h.Value, noArguments(&c.diags, "a header of an api"))
		u.Headers = append(u.Headers, plan.Param{Name: h.Name, Value: &v, Style: plan.Simple})
	}
	return u
}

// clientTLS lowers how encrypted connections are made; nil is by default.
func clientTLS(t *specs.ClientTLS) *plan.ClientTLS {
	if t == nil {
		return nil
	}
	out := &plan.ClientTLS{CA: t.CA.Str(), Cert: t.Cert.Str(), Key: t.Key.Str(), ServerName: t.ServerName.Str(), MinVersion: "1.2"}
	if t.MinVersion != nil {
		out.MinVersion = t.MinVersion.Value
	}
	return out
}

// egressOf completes where connections to an upstream may go with the hosts that
// its requests name, and says which of them are nobody's word but that of a
// document or spec that was fetched, and from another host.
func egressOf(u *plan.Upstream, source string, requests []string) *plan.Egress {
	var hosts, foreign []string
	for _, server := range requests {
		if h := hostOf(server); h != "" && h != hostOf(u.BaseURL) && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	slices.Sort(hosts)
	if specs.IsURL(source) {
		for _, h := range append([]string{hostOf(u.BaseURL)}, hosts...) {
			if h != "" && h != hostOf(source) {
				foreign = append(foreign, h)
			}
		}
	}
	if hosts == nil && foreign == nil {
		return u.Egress
	}
	var e plan.Egress
	if u.Egress != nil {
		e = *u.Egress
	}
	e.Hosts, e.Public = hosts, foreign
	return &e
}

// serversOf are the base URLs that requests to an upstream have of their own.
func serversOf(server *plan.Server, upstream string) []string {
	var out []string
	add := func(r *plan.Request) {
		if r.Upstream == upstream && r.Server != "" && !slices.Contains(out, r.Server) {
			out = append(out, r.Server)
		}
	}
	for i := range server.Tools {
		add(&server.Tools[i].Request)
	}
	for i := range server.Resources {
		add(&server.Resources[i].Call.Request)
	}
	for i := range server.Prompts {
		if call := server.Prompts[i].Call; call != nil {
			add(&call.Request)
		}
	}
	return out
}

// hostOf is the host of a URL, or "".
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// rateLimit reads a rate such as "15/s", which the front-end has checked.
func rateLimit(l *specs.RateLimit) *plan.RateLimit {
	number, unit, _ := strings.Cut(l.Rate.Value, "/")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 {
		n = 1
	}
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	burst := l.Burst
	if burst == 0 {
		burst = max(1, int(n*int64(time.Second)/int64(per)))
	}
	return &plan.RateLimit{Every: per / time.Duration(n), Burst: burst}
}

func (c *compilation) duration(t *specs.Text, otherwise time.Duration) time.Duration {
	if t == nil {
		return otherwise
	}
	d, err := time.ParseDuration(t.Value)
	if err != nil || d <= 0 {
		c.diags.Add(diag.Diagnostic{Code: "invalid-duration", Message: fmt.Sprintf("%q is no duration", t.Value), Hint: `write a number and a unit, such as "20s" or "1m30s"`, Range: t.Range})
		return otherwise
	}
	return d
}

func (c *compilation) size(t *specs.Text, otherwise int64) int64 {
	if t == nil {
		return otherwise
	}
	n, ok := bytesOf(t.Value)
	if !ok {
		c.diags.Add(diag.Diagnostic{Code: "invalid-size", Message: fmt.Sprintf("%q is no size", t.Value), Hint: `write a number and a unit, such as "10MB" or "4MiB"`, Range: t.Range})
		return otherwise
	}
	return n
}

// bytesOf reads a size with its unit.
func bytesOf(s string) (int64, bool) {
	digits := strings.TrimRight(s, "KMGTiBkmgtb ")
	unit := strings.ToUpper(strings.TrimSpace(s[len(digits):]))
	factor := map[string]float64{"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}[unit]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || factor == 0 || n*factor < 1 || n*factor > math.MaxInt64/2 {
		return 0, false
	}
	return int64(n * factor), true
}

// baseURL decides where an API is. given is the word of the command line, which
// wins over the spec's and the document's.
func (c *compilation) baseURL(api *specs.API, given string) string {
	if given != "" {
		u, err := absoluteURL(given)
		if err != nil {
			c.diags.Add(diag.Diagnostic{Code: "invalid-base-url", Message: fmt.Sprintf("the base URL %q %v", redact(given), err), Hint: "write an absolute URL such as https://api.example.com/v1"})
		}
		return u
	}
	if api.BaseURL != nil {
		u, err := absoluteURL(api.BaseURL.Value)
		if err != nil {
			c.diags.Add(diag.Diagnostic{Code: "invalid-base-url", Message: fmt.Sprintf("base_url %q %v", redact(api.BaseURL.Value), err), Hint: "write an absolute URL such as https://api.example.com/v1", Range: api.BaseURL.Range, Secret: redact(api.BaseURL.Value) != api.BaseURL.Value})
		}
		return u
	}
	servers := api.Servers
	if len(servers) == 0 {
		servers = []specs.ServerURL{{URL: "/", Range: api.Range}} // OpenAPI's default
	}
	for _, s := range servers {
		if u, err := resolveServer(api.Source, s.URL); err == nil {
			return u
		}
	}
	message := fmt.Sprintf("%s does not say where the API is: it names no absolute server URL", sourceName(api))
	hidden := false
	if len(api.Servers) > 0 {
		_, err := resolveServer(api.Source, api.Servers[0].URL)
		hidden = redact(api.Servers[0].URL) != api.Servers[0].URL
		message = fmt.Sprintf("%s does not say where the API is: its server URL %q %v", sourceName(api), redact(api.Servers[0].URL), err)
	}
	c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "no-base-url", Message: message, Hint: c.baseURLHint(api), Range: servers[0].Range, Secret: hidden})
	return ""
}

func (c *compilation) baseURLHint(api *specs.API) string {
	if c.direct {
		return "give it with --base-url https://…; until then every call fails"
	}
	return fmt.Sprintf("add base_url = \"https://…\" to api %q; until then its calls fail", api.Name)
}

func sourceName(api *specs.API) string {
	switch api.Source {
	case "":
		return "api " + strconv.Quote(api.Name)
	case "-":
		return "the document"
	}
	return api.Source
}

// resolveServer makes a server URL absolute (RFC 3986, section 5): it is
// relative to the document, when that came from a URL.
func resolveServer(source, server string) (string, error) {
	ref, err := url.Parse(strings.TrimSpace(server))
	if err != nil {
		return "", errNoURL
	}
	if ref.Scheme == "" && specs.IsURL(source) {
		base, err := url.Parse(source)
		if err != nil {
			return "", errNoURL
		}
		ref = base.ResolveReference(ref)
	}
	if ref.Scheme == "" && ref.Host != "" {
		ref.Scheme = "https" // "//api.example.com": as safe as can be
	}
	return absoluteURL(ref.String())
}

var errNoURL = errors.New("is not a URL")

// absoluteURL checks a base URL and returns it without a trailing slash.
func absoluteURL(s string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		return "", errNoURL
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("is not an absolute http or https URL")
	case u.Host == "" || u.Hostname() == "":
		return "", fmt.Errorf("names no host")
	case u.User != nil:
		return "", fmt.Errorf("holds a user name; credentials belong into auth")
	case strings.ContainsAny(u.Host, "{}"):
		return "", fmt.Errorf("has a variable without a value")
	}
	for name := range u.Query() {
		// It would be in plans, generated code and explanations.
		if imported.IsSecretName(name) {
			return "", fmt.Errorf("holds the query parameter %s; secrets belong into auth", name)
		}
	}
	u.Fragment, u.RawFragment = "", ""
	path := strings.TrimRight(u.EscapedPath(), "/")
	u.Path, u.RawPath = "", ""
	query := u.RawQuery
	u.RawQuery, u.ForceQuery = "", false
	out := u.String() + path
	if query != "" {
		out += "?" + query
	}
	return out, nil
}

// redact hides what may be secret in something that was meant as a URL: the user
// and the query.
func redact(s string) string {
	if head, _, found := strings.Cut(s, "?"); found {
		s = head + "?…"
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		if i := strings.Index(s, "//"); i >= 0 && i < at {
			return s[:i+2] + "…" + s[at:]
		}
		return "…" + s[at:]
	}
	return s
}

// authEnv is the environment variable that holds the secret of a scheme.
func authEnv(names ...string) string {
	s := "MCPC_AUTH"
	for _, n := range names {
		s += "_" + strings.Map(func(r rune) rune {
			switch {
			case 'a' <= r && r <= 'z':
				return r - 'a' + 'A'
			case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
				return r
			}
			return '_'
		}, n)
	}
	return s
}

// authorizer knows how calls to one API authenticate.
type authorizer struct {
	api     *specs.API
	own     *plan.Credential // HCL's auth: takes the place of the schemes
	schemes map[string]*plan.Credential
	broken  map[string]string // schemes that cannot be used, and why
	// always is sent where a document declares schemes but no operation says
	// that it needs one, and the user gave a secret.
	always [][]string
}

func (c *compilation) authorizer(api *specs.API) *authorizer {
	a := &authorizer{api: api, schemes: map[string]*plan.Credential{}, broken: map[string]string{}}
	if k := api.Auth; k != nil {
		a.own = c.credential(api, k, cmp.Or(k.Name, api.Name))
		return a
	}
	given := c.schemeCredentials(api)
	for _, s := range api.Schemes {
		if k := given[s.Name]; k != nil {
			a.schemes[s.Name] = c.credential(api, k, s.Name)
			continue
		}
		cred := &plan.Credential{Name: s.Name, Value: c.schemeSecret(api, s.Name)}
		switch s.Kind {
		case "bearer", "oauth2", "openIdConnect":
			cred.Kind = "bearer"
		case "basic":
			cred.Kind = "basic"
		case "apiKey":
			cred.Kind, cred.In, cred.Param = "apiKey", string(s.In), s.Param
			if s.Param == "" || s.In != specs.InHeader && s.In != specs.InQuery && s.In != specs.InCookie {
				a.broken[s.Name] = "an API key needs a name and a place: header, query or cookie"
				continue
			}
			if s.In != specs.InQuery && !isToken(s.Param) {
				a.broken[s.Name] = fmt.Sprintf("%q is no name of a %s", s.Param, s.In)
				continue
			}
		default:
			a.broken[s.Name] = fmt.Sprintf("authentication by %s is not supported", strings.TrimPrefix(s.Kind, "http:"))
			continue
		}
		a.schemes[s.Name] = cred
	}
	declared := slices.ContainsFunc(api.Operations, func(op *specs.Operation) bool { return op.Security != nil })
	if !declared {
		for _, s := range api.Schemes {
			if _, flag := c.options.Auth[s.Name]; (flag || given[s.Name] != nil) && a.schemes[s.Name] != nil {
				a.always = append(a.always, []string{s.Name})
			}
		}
	}
	return a
}

// schemeCredentials are what the author wrote for schemes of the document, by
// their names.
func (c *compilation) schemeCredentials(api *specs.API) map[string]*specs.Credential {
	out := map[string]*specs.Credential{}
	var names []string
	for _, s := range api.Schemes {
		names = append(names, s.Name)
	}
	for _, g := range api.SchemeAuth {
		if !slices.Contains(names, g.Scheme.Value) {
			hint := "an api without a document has no schemes: write auth = …"
			if len(names) > 0 {
				hint = didYouMean(g.Scheme.Value, names, "it has ")
			}
			c.diags.Add(diag.Diagnostic{Code: "unknown-scheme", Message: fmt.Sprintf("the document of api %q has no security scheme %q", api.Name, g.Scheme.Value), Hint: hint, Range: g.Scheme.Range})
			continue
		}
		out[g.Scheme.Value] = g.Credential
	}
	return out
}

// schemeSecret is where the secret of a document's security scheme is. With
// several APIs each has its own variable: a secret of one is not sent to the
// other because their authors chose the same word.
func (c *compilation) schemeSecret(api *specs.API, scheme string) plan.Expr {
	s := plan.Secret{Name: scheme, Env: []string{authEnv(scheme)}}
	if c.apis > 1 {
		s = plan.Secret{Name: api.Name + "." + scheme, Env: []string{authEnv(api.Name, scheme)}}
	}
	if given, ok := c.options.Auth[scheme]; ok {
		if given.Name == "" {
			given.Name = s.Name
		}
		s = given
	}
	return plan.Expr{Op: plan.OpSecret, Secret: &s}
}

// security is what an operation needs: alternatives of credentials, in the
// document's order.
func (a *authorizer) security(op *specs.Operation) [][]string {
	if a.own != nil {
		if op != nil && op.Security != nil && !slices.ContainsFunc(op.Security, func(alt []specs.SchemeUse) bool { return len(alt) > 0 }) {
			return nil // the operation says that it needs none
		}
		return [][]string{{a.own.Name}}
	}
	if op == nil {
		return nil
	}
	if op.Security == nil {
		return a.always
	}
	var out [][]string
	for _, alternative := range op.Security {
		var names []string
		for _, use := range alternative {
			if a.schemes[use.Scheme] == nil {
				names = nil
				break
			}
			if !slices.Contains(names, use.Scheme) {
				names = append(names, use.Scheme)
			}
		}
		if len(names) > 0 {
			out = append(out, names)
		}
	}
	return out
}

// used returns the credentials that tools name, in the document's order, and
// warns once of each scheme that an operation needs and that cannot be used.
func (c *compilation) used(a *authorizer, tools []plan.Tool, ops []*specs.Operation) []plan.Credential {
	if a.own != nil {
		return []plan.Credential{*a.own}
	}
	need := map[string]bool{}
	for i := range tools {
		if tools[i].Request.Upstream != a.api.Name {
			continue
		}
		for _, alternative := range tools[i].Request.Security {
			for _, name := range alternative {
				need[name] = true
			}
		}
	}
	var out []plan.Credential
	for _, s := range a.api.Schemes {
		if need[s.Name] && a.schemes[s.Name] != nil {
			out = append(out, *a.schemes[s.Name])
		}
	}
	if need[headerCredential] {
		if _, declared := a.schemes[headerCredential]; !declared {
			out = append(out, plan.Credential{Name: headerCredential, Kind: "apiKey", In: "header", Param: "Authorization", Value: c.schemeSecret(a.api, headerCredential)})
		}
	}
	for _, s := range a.api.Schemes {
		why, broken := a.broken[s.Name]
		if !broken {
			continue
		}
		if slices.ContainsFunc(ops, func(op *specs.Operation) bool {
			return slices.ContainsFunc(op.Security, func(alt []specs.SchemeUse) bool {
				return slices.ContainsFunc(alt, func(u specs.SchemeUse) bool { return u.Scheme == s.Name })
			})
		}) {
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "unsupported-auth", Message: fmt.Sprintf("security scheme %q cannot be used: %s", s.Name, why),
				Hint: "calls that need it go out without; another of the operation's alternatives may do", Range: s.Range})
		}
	}
	return out
}

// headerCredential is the credential made of a header parameter Authorization,
// which some documents declare instead of a security scheme: a secret is no
// argument for a model.
const headerCredential = "Authorization"

func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}
