package egress

import (
	"net/netip"
	"slices"
)

// class is what kind of address one is, from the harmless to the worst.
type class int

const (
	public   class = iota // reached over the Internet
	private               // of a network of its own, or of none
	loopback              // this machine
	never                 // link-local, a metadata service, unspecified, multicast
)

// Networks that are not globally reachable, of the IANA registries of special
// purpose addresses (RFC 6890), which [netip.Addr] does not know.
var privateNets = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918
	netip.MustParsePrefix("100.64.0.0/10"),                                                                                   // behind a carrier's NAT, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),                                                                                    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), // documentation
	netip.MustParsePrefix("192.88.99.0/24"),                               // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),                                // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),                                  // reserved
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fec0::/10"), // unique local, site local
	netip.MustParsePrefix("64:ff9b:1::/48"),                               // NAT64 of a network of its own, RFC 8215
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("5f00::/16"), // discard, segment routing
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("3fff::/20"), // documentation
	netip.MustParsePrefix("2001:2::/48"), netip.MustParsePrefix("2001:10::/28"), // benchmarks, ORCHID
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("::ffff:0:0:0/96"), // Teredo, translated
	netip.MustParsePrefix("::/96"), // IPv4-compatible
}

// metadata are addresses outside the link-local ranges where clouds tell
// machines their credentials.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

// classOf is the class of an address: of those that carry an IPv4 address, the
// worse of both.
func classOf(a netip.Addr) class {
	a = a.WithZone("").Unmap()
	switch {
	case a.IsUnspecified(), a.IsLinkLocalUnicast(), a.IsMulticast(), a.Is4() && (a.As4()[0] == 0 || a.As4() == [4]byte{255, 255, 255, 255}), slices.Contains(metadata, a):
		return never
	case a.IsLoopback():
		return loopback
	}
	c := public
	if slices.ContainsFunc(privateNets, func(p netip.Prefix) bool { return p.Contains(a) }) {
		c = private
	}
	for _, in := range carried(a) {
		c = max(c, classOf(in))
	}
	return c
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291
	translated = netip.MustParsePrefix("::ffff:0:0:0/96")
)

// carried are the IPv4 addresses that an IPv6 address stands for in the schemes
// of translation and tunnels.
func carried(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	switch {
	case nat64.Contains(a), nat64Local.Contains(a), compatible.Contains(a), translated.Contains(a):
		return []netip.Addr{last}
	case sixToFour.Contains(a):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case teredo.Contains(a):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[4:8])), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})}
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214
		return []netip.Addr{last}
	}
	return nil
}
