package identity

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of the proxies in front of a server: what they say of
// whom they speak for is believed, and nobody else's word is. Nil is none.
type Proxies []netip.Prefix

// ParseProxies reads networks and addresses: "10.0.0.0/8", "192.0.2.7".
func ParseProxies(texts []string) (Proxies, error) {
	var list Proxies
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p.Bits() == 0 {
			return nil, fmt.Errorf("%q is no network of proxies", text)
		}
		list = append(list, p)
	}
	return list, nil
}

func (p Proxies) trusts(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// Client is the address that a request comes from; the zero value when it is not
// known. It is the other end of the connection, which nobody can make up. Only if that
// is a proxy of ours, it is what that wrote last into X-Forwarded-For; and so on, from
// the last entry to the first, as long as who wrote it is one. What a client writes
// there itself stands before all that, and is never reached.
func (p Proxies) Client(r *http.Request) netip.Addr {
	at, ok := address(r.RemoteAddr)
	if !ok || !p.trusts(at) {
		return at
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			entry := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, entry = rest[:comma], rest[comma+1:]
			} else {
				more = false
			}
			next, ok := address(strings.TrimSpace(entry))
			if !ok {
				return at // the last that is known for sure
			}
			if at = next; !p.trusts(at) {
				return at
			}
		}
	}
	return at
}

// address reads an address that may have a port: "192.0.2.7", "192.0.2.7:80",
// "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". An IPv4 address is one, also
// when it is written as IPv6; zones are this machine's affair.
func address(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		a = with.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// networkBits is what of an IPv6 address tells subscribers apart: each has at least
// the rest for himself (RFC 6177).
const networkBits = 64

// subscriber is whose address it is, as a text: an IPv4 address, or the network of an
// IPv6 one. "" is not known.
func subscriber(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return ""
	case a.Is4():
		return a.String()
	}
	network, err := a.Prefix(networkBits)
	if err != nil {
		return ""
	}
	return network.String()
}

type addressKey struct{}

// WithAddress returns a context of work for who is at an address.
func WithAddress(ctx context.Context, a netip.Addr) context.Context {
	return context.WithValue(ctx, addressKey{}, a)
}

// ClientFacts are what expressions know as client; null is not known, as on stdio.
func ClientFacts(ctx context.Context) map[string]any {
	a, _ := ctx.Value(addressKey{}).(netip.Addr)
	return map[string]any{"address": known(subscriber(a))}
}
