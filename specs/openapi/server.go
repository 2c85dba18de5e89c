package openapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// readServers reads the servers of the whole document.
func (p *parser) readServers() []specs.ServerURL {
	if p.version == v2 {
		return p.hostServers(p.doc.Get("schemes"))
	}
	list := p.servers(p.doc.Get("servers"))
	if len(list) == 0 && p.baseURL() != nil {
		// The standard's default is "/", which means something for a document
		// that came from a server.
		list = []specs.ServerURL{{URL: p.relative("/")}}
	}
	return list
}

// checkVariables complains about given variables that no server has had, once
// all servers were read: those of path items and operations have their own.
func (p *parser) checkVariables() {
	known := p.variables
	for _, name := range slices.Sorted(maps.Keys(p.options.ServerVariables)) {
		if known[name] {
			continue
		}
		names := slices.Sorted(maps.Keys(known))
		hint := "its servers have no variables"
		if near := diag.Nearest(name, names); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		} else if len(names) > 0 {
			hint = "its variables are " + strings.Join(names, ", ")
		}
		p.fail("unknown-server-variable", diag.Range{}, hint, "no server of %s has a variable %q", p.root.src.Name, name)
	}
}

// servers reads a servers list, variables replaced. Entries that cannot be made
// a URL are left out. Those of other protocols stay: a document that names only
// such a server has no other, not even the standard's default.
func (p *parser) servers(n *specs.Node) []specs.ServerURL {
	var list []specs.ServerURL
	for _, f := range p.list(n, "servers") {
		s := p.object(f.Value, "a server")
		if s == nil {
			continue
		}
		text, ok := p.expand(s)
		if !ok {
			continue
		}
		text = p.relative(strings.TrimSpace(text))
		u, err := url.Parse(text)
		if err != nil {
			p.warnURL("invalid-server", s.Range(), p.variableHint(s), text, "the server URL %q is not valid; it is left out")
			continue
		}
		if !overHTTP(u) {
			hint := ""
			if u.Host == "" {
				hint = "an absolute URL begins with http:// or https://"
			}
			p.warnURL("invalid-server", s.Range(), hint, text, "the scheme %[2]q of the server URL %[1]q is not http or https; calls cannot go there", clip(u.Scheme))
		}
		list = append(list, specs.ServerURL{URL: text, Description: p.text(s.Get("description")), Range: s.Range()})
	}
	return list
}

// warnURL warns of a server's URL, the first argument of format, without what may be
// secret in it.
func (p *parser) warnURL(code string, at diag.Range, hint, address, format string, more ...any) {
	shown, _, _ := strings.Cut(address, "?")
	if i := strings.LastIndexByte(shown, '@'); i >= 0 {
		scheme, _, _ := strings.Cut(shown[:i], "//")
		shown = scheme + "//…" + shown[i:]
	}
	n := len(p.diags)
	p.warn(code, at, hint, format, append([]any{clip(shown)}, more...)...)
	if len(p.diags) > n && shown != address {
		p.diags[n].Secret = true
	}
}

// variableHint says how to give the variables of a server values that suit.
func (p *parser) variableHint(s *specs.Node) string {
	_, after, _ := strings.Cut(p.text(s.Get("url")), "{")
	name, _, found := strings.Cut(after, "}")
	if !found {
		return ""
	}
	return fmt.Sprintf("give its variable a value: --server-var %s=…, or server_variables in HCL", clip(name))
}

// overHTTP reports whether u is relative or of a scheme that calls can use.
func overHTTP(u *url.URL) bool { return u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https" }

// expand replaces the variables of a server's URL.
func (p *parser) expand(s *specs.Node) (string, bool) {
	template := p.text(s.Get("url"))
	variables := p.object(s.Get("variables"), "variables")
	at := s.Range()
	if u := s.Get("url"); u != nil {
		at = u.Range()
	}
	if variables != nil {
		for _, f := range variables.Fields {
			p.variables[f.Key] = true
		}
	}
	// A variable that is used and not declared can be given, too.
	for _, part := range strings.Split(template, "{")[1:] {
		if name, _, closed := strings.Cut(part, "}"); closed {
			p.variables[name] = true
		}
	}
	var out strings.Builder
	for rest := template; ; {
		before, after, open := strings.Cut(rest, "{")
		out.WriteString(before)
		if !open {
			return out.String(), true
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			p.warnURL("invalid-server", at, "", template, "the server URL %q has an unclosed {; it is left out")
			return "", false
		}
		rest = tail
		given, isGiven := p.options.ServerVariables[name]
		v := p.object(variables.Get(name), "a server variable")
		if v == nil { // one of an operation may mean the document's
			v = p.sharedVariable(name)
		}
		if v == nil {
			if isGiven {
				out.WriteString(given)
				continue
			}
			p.warnURL("undeclared-server-variable", at, fmt.Sprintf("declare it under variables with a default, or give it a value: --server-var %s=…", clip(name)), template, "the server URL %q uses the variable %q, which is not declared; this server is left out", clip(name))
			return "", false
		}
		var allowed []string
		for _, e := range p.list(v.Get("enum"), "enum") {
			allowed = append(allowed, e.Value.Text)
		}
		if isGiven {
			if len(allowed) > 0 && !slices.Contains(allowed, given) {
				p.fail("server-variable-value", v.Range(), "allowed are "+clip(strings.Join(allowed, ", ")), "the server variable %q may not be %q", name, clip(given))
			}
			out.WriteString(given)
			continue
		}
		d := v.Get("default")
		switch {
		case d != nil && d.Kind != specs.Null:
			out.WriteString(p.text(d))
		case len(allowed) > 0:
			p.warn("server-variable-default", v.Range(), "", "the server variable %q has no default; %q is taken", name, clip(allowed[0]))
			out.WriteString(allowed[0])
		default:
			p.warn("server-variable-default", v.Range(), fmt.Sprintf("give it a default, or a value: --server-var %s=…", clip(name)), "the server variable %q has no default; this server is left out", name)
			return "", false
		}
	}
}

// sharedVariable returns a variable of the document's own servers.
func (p *parser) sharedVariable(name string) *specs.Node {
	servers := p.doc.Get("servers")
	if servers == nil {
		return nil
	}
	for _, s := range servers.Fields {
		if v := s.Value.Get("variables").Get(name); v != nil && v.Kind == specs.Object {
			return v
		}
	}
	return nil
}

// baseURL is what relative server URLs are relative to: the URL the document
// came from, or the one it says is its own. It is nil for a file.
func (p *parser) baseURL() *url.URL {
	at := p.root.base()
	if !isURL(at) {
		return nil
	}
	u, err := url.Parse(at)
	if err != nil {
		return nil
	}
	return u
}

// relative resolves a server URL against the document's (RFC 3986).
func (p *parser) relative(text string) string {
	base := p.baseURL()
	if base == nil {
		return text
	}
	u, err := base.Parse(text)
	if err != nil {
		return text
	}
	return u.String()
}

// hostServers makes servers of Swagger 2.0's host, basePath and schemes. Of
// several schemes https comes first.
func (p *parser) hostServers(schemes *specs.Node) []specs.ServerURL {
	host, path := strings.TrimSpace(p.text(p.doc.Get("host"))), strings.TrimSpace(p.text(p.doc.Get("basePath")))
	at := p.doc.Get("host").Range()
	if at.IsZero() {
		at = p.doc.Get("basePath").Range()
	}
	if i := strings.Index(host, "://"); i >= 0 {
		p.warn("odd-host", at, "", "host must be without a scheme; the scheme is left out")
		host = host[i+3:]
	}
	if h, more, cut := strings.Cut(host, "/"); cut {
		host = h
		if path == "" || path == "/" {
			path = "/" + more
		}
	}
	if path != "" && !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	var wanted []string
	for _, f := range p.list(schemes, "schemes") {
		s := strings.ToLower(f.Value.Text)
		switch {
		case slices.Contains(wanted, s):
		case s == "https":
			wanted = slices.Insert(wanted, 0, s)
		case s == "http":
			wanted = append(wanted, s)
		}
	}
	base := p.baseURL()
	if host == "" && base == nil {
		if path == "" {
			return nil
		}
		return []specs.ServerURL{{URL: path, Range: at}}
	}
	if len(wanted) == 0 {
		wanted = []string{"https"}
		if base != nil {
			wanted[0] = base.Scheme
		}
	}
	if host == "" {
		host = base.Host
	}
	var list []specs.ServerURL
	for _, s := range wanted {
		text := s + "://" + host + path
		if _, err := url.Parse(text); err != nil {
			p.warn("invalid-server", at, "", "the host and basePath make no valid URL %q", clip(text))
			continue
		}
		list = append(list, specs.ServerURL{URL: text, Range: at})
	}
	return list
}
