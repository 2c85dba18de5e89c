// Package egress decides where connections may go.
//
// It is asked when a connection is made, after names were resolved, so that a
// name that leads elsewhere since a moment ago leads nowhere. What is allowed
// depends on whose word a host is: one that the author of a spec or the operator
// wrote may be inside a company; one that a stranger's text names has to be
// public. No word of anybody reaches link-local and metadata addresses, where
// clouds hand out credentials, unless the address itself is spelled out.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/net/idna"
)

// Reasons why a connection is not made. None says which address it was.
var (
	ErrHost    = errors.New("egress: the host is not one that may be called")
	ErrDenied  = errors.New("egress: the address is denied")
	ErrPrivate = errors.New("egress: the name leads to a private or loopback address")
	ErrNever   = errors.New("egress: the address is link-local, a metadata service or unspecified")
)

// Entry is an address, a network or a host of a list.
type Entry struct {
	Net  netip.Prefix // the zero value for a host
	Host string       // lower case; "*.example.com" is every name below example.com
}

// Parse reads an entry: "10.2.0.0/16", "127.0.0.1", "files.example.com" or
// "*.example.com". The error says what is wrong and what to write instead.
func Parse(s string) (Entry, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.WithZone("").Unmap()
		return Entry{Net: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	if strings.Contains(s, "/") && !strings.Contains(s, "://") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Entry{}, fmt.Errorf("%q is no network; write it as 10.2.0.0/16", s)
		}
		if p.Addr().Is4In6() {
			return Entry{}, fmt.Errorf("%q is a network of IPv4 written as IPv6; write it as 10.2.0.0/16", s)
		}
		if p != p.Masked() {
			return Entry{}, fmt.Errorf("%q has bits beyond its length; write %s, or %s for the one address", s, p.Masked(), p.Addr())
		}
		return Entry{Net: p}, nil
	}
	name, _ := strings.CutPrefix(s, "*.")
	if !hostname(name) {
		return Entry{}, fmt.Errorf("%q is no address, network or host; write it as 10.2.0.0/16, 127.0.0.1, files.example.com or *.example.com, without scheme and port", s)
	}
	return Entry{Host: strings.TrimSuffix(s, name) + canonical(name)}, nil
}

// hostname tells whether s can be the name of a host. What looks like a number
// is no name: resolvers read some as an address.
func hostname(s string) bool {
	s = canonical(s)
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return strings.ContainsAny(s[strings.LastIndexByte(s, '.')+1:], "abcdefghijklmnopqrstuvwxyz")
}

// canonical is a host as a transport dials it.
func canonical(host string) string {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// matches tells whether an entry is about a host.
func (e Entry) matches(host string) bool {
	if below, ok := strings.CutPrefix(e.Host, "*"); ok {
		return strings.HasSuffix(host, below)
	}
	return e.Host != "" && e.Host == host
}

// word is whose word a host is.
type word int

const (
	nobody   word = iota // it was not named
	stranger             // a text that was fetched names it
	trusted              // the author or the operator wrote it
)

// Guard makes connections to the hosts that were named to it, and to no others.
// Hosts are named before it is used, except those of proxies.
type Guard struct {
	allow, deny []Entry

	mu     sync.RWMutex
	hosts  map[string]word
	others bool
}

// New returns a guard with lists of addresses, networks and hosts that are
// allowed besides what is named, and that are denied whatever else is said. An
// error is that of [Parse].
func New(allow, deny []string) (*Guard, error) {
	g := &Guard{hosts: map[string]word{}}
	for _, l := range []struct {
		from []string
		to   *[]Entry
	}{{allow, &g.allow}, {deny, &g.deny}} {
		for _, s := range l.from {
			e, err := Parse(s)
			if err != nil {
				return nil, err
			}
			*l.to = append(*l.to, e)
		}
	}
	return g, nil
}

// Trust names a host that the author of the spec or the operator wrote. It may
// lead to private addresses. To loopback it may lead when its name does not look
// public: localhost, or one without a dot.
func (g *Guard) Trust(host string) { g.name(host, trusted) }

// Name names a host that a text from elsewhere has. It has to lead to public
// addresses, unless it is localhost or the address itself.
func (g *Guard) Name(host string) { g.name(host, stranger) }

// Others allows hosts that were not named, where they lead to public addresses.
func (g *Guard) Others() { g.others = true }

func (g *Guard) name(host string, w word) {
	host = canonical(host)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hosts[host] = max(g.hosts[host], w)
}

// Allowed tells whether a host is one of the list that allows.
func (g *Guard) Allowed(host string) bool {
	host = canonical(host)
	if a, err := netip.ParseAddr(host); err == nil {
		return covers(g.allow, a.WithZone("").Unmap())
	}
	return slices.ContainsFunc(g.allow, func(e Entry) bool { return e.matches(host) })
}

// Dial is the DialContext of a transport that connects through d.
func (g *Guard) Dial(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil || strings.HasPrefix(network, "unix") {
			return nil, ErrHost
		}
		host = canonical(host)
		w, err := g.of(host)
		if err != nil {
			return nil, err
		}
		one := *d
		one.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return ErrNever
			}
			return g.permits(host, w, at.Addr())
		}
		return one.DialContext(ctx, network, address)
	}
}

// Transport is one like [http.DefaultTransport], behind the guard. A proxy that
// the environment names is the operator's word; where there is one, it is what
// connects, and addresses are its to check.
func (g *Guard) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // documented
	t.DialContext = g.Dial(&net.Dialer{})
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		u, err := http.ProxyFromEnvironment(r)
		if u != nil {
			g.Trust(u.Hostname())
		}
		return u, err
	}
	return t
}

// of says whose word a host is, or that it is not to be called.
func (g *Guard) of(host string) (word, error) {
	if slices.ContainsFunc(g.deny, func(e Entry) bool { return e.matches(host) }) {
		return nobody, ErrDenied
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	w := g.hosts[host]
	if w == nobody && !g.others && !g.Allowed(host) {
		return nobody, ErrHost
	}
	return w, nil
}

// permits decides about an address that a host leads to.
func (g *Guard) permits(host string, w word, a netip.Addr) error {
	a = a.WithZone("").Unmap()
	if covers(g.deny, a) {
		return ErrDenied
	}
	if spelled, err := netip.ParseAddr(host); err == nil && w != nobody && spelled.WithZone("").Unmap() == a {
		return nil
	}
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	listed := slices.ContainsFunc(g.allow, func(e Entry) bool { return e.matches(host) })
	switch classOf(a) {
	case public:
		return nil
	case private:
		if w == trusted || listed || covers(g.allow, a) {
			return nil
		}
	case loopback:
		if listed || local && w != nobody || w == trusted && !strings.Contains(host, ".") || covers(g.allow, a) {
			return nil
		}
	case never:
		if slices.ContainsFunc(g.allow, func(e Entry) bool { return e.Net.IsSingleIP() && e.Net.Addr() == a }) {
			return nil
		}
		return ErrNever
	}
	return ErrPrivate
}

func covers(list []Entry, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(e Entry) bool { return e.Net.IsValid() && e.Net.Contains(a) })
}

// Never tells whether a network is one of those that are reached by single
// addresses only.
func (e Entry) Never() bool {
	return e.Net.IsValid() && !e.Net.IsSingleIP() && classOf(e.Net.Addr()) == never
}
