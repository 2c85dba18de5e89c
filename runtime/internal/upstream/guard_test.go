package upstream

import (
	"net/netip"
	"testing"
)

func TestGuard(t *testing.T) {
	var g guard
	for address, want := range map[string]bool{
		"93.184.216.34": true, "10.0.0.1": true, "192.168.1.1": true, "127.0.0.1": true, "::1": true, "fd12::1": true, "2606:4700::1": true,
		"::ffff:10.0.0.1": true, "64:ff9b::808:808": true,
		"169.254.169.254": false, "169.254.0.1": false, "fe80::1": false, "fe80::1%eth0": false, "::ffff:169.254.169.254": false,
		"64:ff9b::a9fe:a9fe": false, "fd00:ec2::254": false, "fd20:ce::254": false, "100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false, "255.255.255.255": false, "224.0.0.1": false, "ff02::1": false,
	} {
		if got := g.permits(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	g.allow("169.254.169.254")
	if !g.permits(netip.MustParseAddr("169.254.169.254")) || !g.permits(netip.MustParseAddr("::ffff:169.254.169.254")) || g.permits(netip.MustParseAddr("169.254.0.1")) {
		t.Error("only the address that the base URL spells out is permitted")
	}
	g = guard{}
	g.allow("metadata.example")
	if g.permits(netip.MustParseAddr("169.254.169.254")) {
		t.Error("a name permits nothing")
	}
	for _, x := range []struct{ network, address string }{{"unix", "/run/x.sock"}, {"tcp4", "169.254.169.254:80"}, {"tcp4", "what"}} {
		if g.control(x.network, x.address, nil) == nil {
			t.Errorf("%s %s was permitted", x.network, x.address)
		}
	}
}
