package upstream

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
)

// guard decides which addresses may be connected to, after names were resolved:
// a name that leads to a cloud's metadata service, on purpose or since a moment
// ago, leads nowhere. Other private and loopback addresses are what most
// upstreams have, and only the plan's hosts are connected to anyway. An address
// that the base URL itself spells out is the operator's explicit wish.
type guard struct {
	literal netip.Addr
}

// errAddress is returned for an address that is refused. It does not say which.
var errAddress = errors.New("the address is not allowed")

// metadata are addresses outside the link-local ranges where clouds tell
// machines their credentials.
func metadata() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("fd00:ec2::254"),   // AWS
		netip.MustParseAddr("fd20:ce::254"),    // Google
		netip.MustParseAddr("100.100.100.200"), // Alibaba
		netip.MustParseAddr("192.0.0.192"),     // Oracle
		netip.MustParseAddr("168.63.129.16"),   // Azure
	}
}

func (g *guard) allow(host string) {
	if a, err := netip.ParseAddr(host); err == nil {
		g.literal = a.WithZone("").Unmap()
	}
}

// control is a [net.Dialer]'s Control: it sees every address before it is
// connected to.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	if strings.HasPrefix(network, "unix") {
		return errAddress
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errAddress
	}
	if !g.permits(at.Addr()) {
		return errAddress
	}
	return nil
}

func (g *guard) permits(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a == g.literal {
		return true
	}
	// IPv4 in IPv6 as NAT64 (RFC 6052) translates it.
	if nat := netip.MustParsePrefix("64:ff9b::/96"); nat.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return false
	}
	if a.Is4() && a.As4()[0] == 0 { // "this network"
		return false
	}
	for _, m := range metadata() {
		if a == m {
			return false
		}
	}
	return true
}
