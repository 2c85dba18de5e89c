package transport

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// allowList is a set of names in lower case; "*" allows all.
type allowList map[string]bool

func newAllowList(names []string) allowList {
	a := allowList{}
	for _, n := range names {
		a[strings.ToLower(strings.TrimSpace(n))] = true
	}
	return a
}

func (a allowList) with(name string) allowList {
	b := allowList{strings.ToLower(name): true}
	for n := range a {
		b[n] = true
	}
	return b
}

// names reports whether a name is in the list itself.
func (a allowList) names(name string) bool { return a[name] || a["*"] }

// host reports whether a Host header, with or without a port, is allowed.
func (a allowList) host(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if isLoopback(name) {
		return true
	}
	return host != "" && (a.names(strings.ToLower(name)) || a[strings.ToLower(host)])
}

// origin reports whether an Origin header is allowed.
func (a allowList) origin(origin string) bool {
	if a.names(strings.ToLower(origin)) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isLoopback(u.Hostname())
}

func isLoopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.IsLoopback()
}

// reached tells whether a request may have meant this server, and refuses it if not: a
// web page must not reach a server on its visitor's machine, neither under a name
// that it made resolve to it (Host) nor directly (Origin).
func (f *endpoint) reached(w http.ResponseWriter, r *http.Request) bool {
	if !f.hosts.host(r.Host) {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusForbidden, "the Host %q is not one of this server's; allow it if it is", clip(r.Host)).because("host"))
		return false
	}
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return true
	}
	if len(origin) > 1 || !f.origins.origin(origin[0]) {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusForbidden, "the Origin %q is not allowed here", clip(origin[0])).because("origin"))
		return false
	}
	return !f.origins.names(strings.ToLower(origin[0])) || !f.crossOrigin(w, r, origin[0])
}

// crossOrigin adds what a browser needs to let a page of an origin that was
// allowed by name read answers. It is true when the request was only the
// browser's question whether it may ask.
func (f *endpoint) crossOrigin(w http.ResponseWriter, r *http.Request, origin string) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Retry-After, Www-Authenticate, "+requestID)
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
