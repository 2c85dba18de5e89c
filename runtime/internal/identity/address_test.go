package identity

import (
	"net/http"
	"strings"
	"testing"
)

// The address is the one that nobody but a proxy of ours can have made up.
func TestClientAddress(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		remote  string
		headers []string
		want    string
	}{
		"direct":                       {"203.0.113.9:1234", nil, "203.0.113.9"},
		"direct, and pretends":         {"203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"},
		"by a proxy":                   {"10.1.2.3:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"by a proxy, and pretends":     {"10.1.2.3:1234", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"in a line of its own":         {"10.1.2.3:1234", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		"pretends to be a proxy":       {"10.1.2.3:1234", []string{"198.51.100.1, 10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"by two proxies":               {"10.1.2.3:1234", []string{"198.51.100.1, 203.0.113.9,192.0.2.7"}, "203.0.113.9"},
		"by two proxies, in two lines": {"10.1.2.3:1234", []string{"203.0.113.9", " 192.0.2.7 "}, "203.0.113.9"},
		"with ports":                   {"10.1.2.3:1234", []string{"203.0.113.9:80, 192.0.2.7:443"}, "203.0.113.9"},
		"from inside":                  {"10.1.2.3:1234", []string{"10.4.4.4"}, "10.4.4.4"},
		"the proxy itself":             {"10.1.2.3:1234", nil, "10.1.2.3"},
		"nonsense":                     {"10.1.2.3:1234", []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		"nonsense before a proxy":      {"10.1.2.3:1234", []string{"203.0.113.9, _x, 192.0.2.7"}, "192.0.2.7"},
		"nonsense that is not reached": {"10.1.2.3:1234", []string{"\x00, 203.0.113.9"}, "203.0.113.9"},
		"empty":                        {"10.1.2.3:1234", []string{""}, "10.1.2.3"},
		"empty at the end":             {"10.1.2.3:1234", []string{"203.0.113.9,"}, "10.1.2.3"},
		"long":                         {"10.1.2.3:1234", []string{strings.Repeat("10.0.0.1,", 7000) + "10.0.0.1"}, "10.0.0.1"},
		"another proxy of the network": {"192.0.2.8:1234", []string{"203.0.113.9"}, "192.0.2.8"},
		"IPv6":                         {"[2001:db8:1:2:3:4:5:6]:1234", nil, "2001:db8:1:2::/64"},
		"IPv6 by a proxy":              {"[fd00::1]:1234", []string{"2001:db8:1:2:ffff::1"}, "2001:db8:1:2::/64"},
		"IPv6 with a port":             {"[fd00::1]:1234", []string{"[2001:db8:1:2::1]:80"}, "2001:db8:1:2::/64"},
		"IPv6 in brackets":             {"[fd00::1]:1234", []string{"[2001:db8:1:2::1]"}, "2001:db8:1:2::/64"},
		"IPv4 as IPv6":                 {"[::ffff:203.0.113.9]:1234", nil, "203.0.113.9"},
		"a proxy as IPv6":              {"[::ffff:10.1.2.3]:1234", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone":                       {"[fe80::1%eth0]:1234", nil, "fe80::/64"},
		"a socket of this machine":     {"@", []string{"203.0.113.9"}, ""},
		"no connection":                {"", nil, ""},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.headers}}
		if got := subscriber(proxies.Client(r)); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	r := &http.Request{RemoteAddr: "10.1.2.3:1", Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
	if got := subscriber(Proxies(nil).Client(r)); got != "10.1.2.3" {
		t.Errorf("without proxies: %q", got)
	}
	if got := ClientFacts(WithAddress(t.Context(), proxies.Client(r)))["address"]; got != "203.0.113.9" {
		t.Errorf("fact %v", got)
	}
	if got := ClientFacts(t.Context())["address"]; got != nil {
		t.Errorf("fact without an address: %v", got)
	}
	for _, text := range []string{"", "10.0.0.0/33", "proxy.example", "0.0.0.0/0", "::/0"} {
		if _, err := ParseProxies([]string{text}); err == nil {
			t.Errorf("%q is taken for proxies", text)
		}
	}
}
