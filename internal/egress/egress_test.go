package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/dnstest"
)

func TestClasses(t *testing.T) {
	for want, addresses := range map[class]string{
		public: "93.184.216.34 1.1.1.1 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 2606:4700::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1",
		private: `10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 192.88.99.1 240.0.0.1
			fc00::1 fd12::1 fec0::1 2001:db8::1 3fff::1 100::1 5f00::1 ::ffff:10.0.0.1 64:ff9b::a00:1 64:ff9b:1::808:808 2002:a00:1::1 2001:0:808:808::f7f7:f7f7 ::808:808 ::ffff:0:808:808 2606:4700::5efe:a00:1`,
		loopback: "127.0.0.1 127.1.2.3 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1::1 2001:0:808:808::80ff:fffe ::ffff:0:7f00:1 ::127.0.0.1 fd00::5efe:7f00:1",
		never: `169.254.169.254 169.254.0.1 fe80::1 fe80::1%eth0 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe::1 2001:0:a9fe:a9fe::1 ::169.254.169.254
			fd00:ec2::254 fd20:ce::254 100.100.100.200 168.63.129.16 192.0.0.192 0.0.0.0 0.1.2.3 :: 255.255.255.255 224.0.0.1 239.1.1.1 ff02::1`,
	} {
		for s := range strings.FieldsSeq(addresses) {
			if got := classOf(netip.MustParseAddr(s)); got != want {
				t.Errorf("%s: class %d, want %d", s, got, want)
			}
		}
	}
}

// What a host may lead to depends on whose word it is, and on the lists.
func TestPermits(t *testing.T) {
	const trust, name, nobodys = "trust", "name", ""
	for _, c := range []struct {
		word, host, allow, deny, address string
		want                             error
	}{
		{trust, "orders.internal.example", "", "", "10.1.2.3", nil},
		{trust, "orders.internal.example", "", "", "fd12::1", nil},
		{trust, "orders.internal.example", "", "", "100.64.0.1", nil},
		{trust, "orders.internal.example", "", "", "93.184.216.34", nil},
		{trust, "orders.internal.example", "", "", "127.0.0.1", ErrPrivate},
		{trust, "orders.internal.example", "", "", "::ffff:127.0.0.1", ErrPrivate},
		{trust, "orders.internal.example", "", "", "64:ff9b::7f00:1", ErrPrivate},
		{trust, "orders.internal.example", "127.0.0.0/8", "", "127.0.0.1", nil},
		{trust, "orders.internal.example", "orders.internal.example", "", "127.0.0.1", nil},
		{trust, "orders.internal.example", "", "", "169.254.169.254", ErrNever},
		{trust, "orders.internal.example", "orders.internal.example", "", "169.254.169.254", ErrNever},
		{trust, "orders.internal.example", "0.0.0.0/0", "", "169.254.169.254", ErrNever},
		{trust, "orders.internal.example", "169.254.169.254", "", "169.254.169.254", nil},
		{trust, "orders.internal.example", "", "10.0.0.0/8", "10.1.2.3", ErrDenied},
		{trust, "orders.internal.example", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", ErrDenied},
		{trust, "orders.internal.example", "", "10.0.0.0/8", "::ffff:10.1.2.3", ErrDenied},
		{trust, "orders.internal.example", "127.0.0.0/8", "", "::ffff:127.0.0.1", nil},
		{trust, "localhost", "", "", "127.0.0.1", nil},
		{trust, "api.localhost", "", "", "::1", nil},
		{trust, "orders", "", "", "127.0.1.1", nil},
		{trust, "127.0.0.1", "", "", "127.0.0.1", nil},
		{trust, "127.1", "", "", "127.0.0.1", ErrPrivate}, // which some resolvers read
		{trust, "169.254.169.254", "", "", "169.254.169.254", nil},
		{trust, "169.254.169.254", "", "", "169.254.169.253", ErrNever},
		{trust, "127.0.0.1", "", "127.0.0.0/8", "127.0.0.1", ErrDenied},

		{name, "api.example", "", "", "93.184.216.34", nil},
		{name, "api.example", "", "", "10.1.2.3", ErrPrivate},
		{name, "api.example", "", "", "2002:a00:1::1", ErrPrivate},
		{name, "api.example", "", "", "127.0.0.1", ErrPrivate},
		{name, "api.example", "", "", "169.254.169.254", ErrNever},
		{name, "api.example", "10.0.0.0/8", "", "10.1.2.3", nil},
		{name, "api", "", "", "127.0.0.1", ErrPrivate},
		{name, "localhost", "", "", "127.0.0.1", nil},
		{name, "localhost", "", "", "10.0.0.1", ErrPrivate},
		{name, "10.1.2.3", "", "", "10.1.2.3", nil},

		{nobodys, "api.example", "", "", "93.184.216.34", nil},
		{nobodys, "api.example", "", "", "10.1.2.3", ErrPrivate},
		{nobodys, "localhost", "", "", "127.0.0.1", ErrPrivate},
		{nobodys, "10.1.2.3", "", "", "10.1.2.3", ErrPrivate},
		{nobodys, "169.254.169.254", "", "", "169.254.169.254", ErrNever},
	} {
		g, err := New(strings.Fields(c.allow), strings.Fields(c.deny))
		if err != nil {
			t.Fatal(err)
		}
		g.Others()
		switch c.word {
		case trust:
			g.Trust(c.host)
		case name:
			g.Name(c.host)
		}
		w, err := g.of(c.host)
		if err == nil {
			err = g.permits(c.host, w, netip.MustParseAddr(c.address))
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s %s, allow %q, deny %q, to %s: %v, want %v", c.word, c.host, c.allow, c.deny, c.address, err, c.want)
		}
	}
}

// Only named hosts are connected to, and a name that comes to lead elsewhere is
// noticed at the connection, whatever else it leads to.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	loop := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	dns := &dnstest.Server{Answer: func(name string) ([]netip.Addr, bool) {
		if name == "gone.example" {
			return nil, false
		}
		return loop, true
	}}
	dial := func(g *Guard, address string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, err := g.Dial(&net.Dialer{Resolver: dns.Resolver(t)})(ctx, "tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	}
	g, err := New([]string{"files.example", "*.cdn.example"}, []string{"bad.cdn.example"})
	if err != nil {
		t.Fatal(err)
	}
	g.Trust("127.0.0.1")
	g.Trust("API.example.")
	g.Trust("bücher.example")
	for address, want := range map[string]error{
		"127.0.0.1:" + port:             nil,
		"files.example:" + port:         nil, // a host of the list leads anywhere
		"eu.cdn.example:" + port:        nil,
		"bad.cdn.example:" + port:       ErrDenied,
		"cdn.example:" + port:           ErrHost,
		"api.example:" + port:           ErrPrivate,
		"xn--bcher-kva.example:" + port: ErrPrivate,
		"other.example:" + port:         ErrHost,
		"[::1]:" + port:                 ErrHost,
		"/run/docker.sock":              ErrHost,
	} {
		if err := dial(g, address); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
	if dns.Asked("other.example") != 0 {
		t.Error("the name of a host that is not called was asked for")
	}
	g.Trust("gone.example")
	var unknown *net.DNSError
	if err := dial(g, "gone.example:1"); !errors.As(err, &unknown) || !unknown.IsNotFound {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"10.2.0.0/16": "", "127.0.0.1": "", "::1": "", "::ffff:10.0.0.1": "", "fd00::/8": "", "files.example": "", "*.example": "", "a_b.example": "", "localhost": "", "Bücher.example": "",
		"10.2.0.1/16": "has bits beyond its length; write 10.2.0.0/16, or 10.2.0.1", "10.0.0.0/33": "is no network", "::ffff:10.0.0.0/104": "written as IPv6", "https://a.example": "without scheme and port", "a.example:443": "without scheme",
		"127.1": "is no address", "0x7f.0.0.1": "is no address", "2130706433": "is no address", "": "is no address", "*": "is no address", "a.*.example": "is no address", "a..b": "is no address", "a b": "is no address",
	} {
		_, err := Parse(s)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

// What is read as a host is none that a resolver may read as an address, and an
// entry means what it says.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "127.0.0.1", "*.example.com", "::1", "fe80::1%eth0", "127.1", "0x7f.1", "b\u00fccher.example", "a.example."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		if e.Net.IsValid() == (e.Host != "") {
			t.Fatalf("%q is %+v", s, e)
		}
		if e.Net.IsValid() {
			if e.Net.Addr().Is4In6() || e.Net != e.Net.Masked() {
				t.Errorf("%q is %v", s, e.Net)
			}
			return
		}
		name := strings.TrimPrefix(e.Host, "*.")
		if _, err := netip.ParseAddr(name); err == nil || name != strings.ToLower(name) || strings.ContainsAny(name, "/:@*% ") {
			t.Errorf("%q is the host %q", s, e.Host)
		}
		again, err := Parse(e.Host)
		if err != nil || again != e {
			t.Errorf("%q is %+v, and %+v when read again (%v)", s, e, again, err)
		}
	})
}
