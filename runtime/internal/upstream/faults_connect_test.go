package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/dnstest"
	"github.com/mcpc-dev/mcpc/internal/faulty"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Names that do not resolve, and hosts that are not there.
func TestFailureSuiteConnecting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + l.Addr().String()
	l.Close()
	server := faulty.Start(t, faulty.Fault{Answer: faulty.Always(faulty.Reply(200, "ok"))})
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	addresses := map[string]string{
		"rebound.example.com":  "127.0.0.1",
		"metadata.example.com": "169.254.169.254",
		"nat64.example.com":    "64:ff9b::7f00:1",
		"localhost.":           "127.0.0.1",
		"single":               "127.0.0.1",
	}
	dns := &dnstest.Server{Answer: func(name string) ([]netip.Addr, bool) {
		if name == "broken.example.com" {
			return nil, true
		}
		a, ok := addresses[name]
		if !ok {
			return nil, false
		}
		return []netip.Addr{netip.MustParseAddr(a)}, true
	}}
	for _, c := range []struct {
		name, base string
		egress     *plan.Egress
		code       string
		asked      int // name: how often it was looked up; 0: not looked at
		retry      result.Retry
		counts     bool
	}{
		{"refused", gone, nil, KindConnect, 0, result.RetryMay, true},
		{"no such name", "http://none.example.com", nil, KindDNS, 1, result.RetryNo, true},
		{"a name server that fails", "http://broken.example.com", nil, KindDNS, 0, result.RetryMay, true},
		{"a public name that leads to loopback", "http://rebound.example.com:" + port, nil, KindAddress, 1, result.RetryNo, false},
		{"a name that leads to metadata", "http://metadata.example.com", nil, KindAddress, 1, result.RetryNo, false},
		{"loopback within IPv6", "http://nat64.example.com", nil, KindAddress, 1, result.RetryNo, false},
		{"a denied address", server.URL, &plan.Egress{Deny: []string{"127.0.0.0/8"}}, KindAddress, 0, result.RetryNo, false},
		{"a denied host", "http://single:" + port, &plan.Egress{Deny: []string{"single"}}, KindAddress, 0, result.RetryNo, false},
		{"a name without a dot", "http://single:" + port, nil, "http-200", 1, 0, false},
		{"a stranger's word", "http://single:" + port, &plan.Egress{Public: []string{"single"}}, KindAddress, 1, result.RetryNo, false},
		{"what is allowed", "http://rebound.example.com:" + port, &plan.Egress{Allow: []string{"127.0.0.1"}}, "http-200", 1, 0, false},
		{"a host that is allowed", "http://rebound.example.com:" + port, &plan.Egress{Allow: []string{"*.example.com"}}, "http-200", 1, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, err := url.Parse(c.base)
			if err != nil {
				t.Fatal(err)
			}
			client := newClient(t, plan.Upstream{BaseURL: c.base, Egress: c.egress, Breaker: &plan.Breaker{Failures: 3, Window: time.Hour, Open: time.Hour}}, Options{Resolver: dns.Resolver(t)})
			client.backoff = func(int) time.Duration { return 0 }
			if conn, err := client.dialing(client.toBase()).DialContext(t.Context(), "tcp", strings.TrimPrefix(c.base, "http://")); strings.Contains(c.base, port) {
				if (err == nil) != (c.code == "http-200") { // mcpc doctor says the same
					t.Errorf("a probe: %v", err)
				}
				if err == nil {
					conn.Close()
				}
			}
			before := dns.Asked(base.Hostname())
			start := time.Now()
			a, err := client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", c.base+"/a", ""), nil)
			took := time.Since(start)
			code, f := outcome(a, err)
			if code != c.code {
				t.Fatalf("%s, want %s (%v)", code, c.code, errors.Unwrap(err))
			}
			if f != nil {
				failure(t, err, code)
				for _, at := range []string{"example.com", "169.254", "single", port} {
					if text := f.Result().Content[0].Text; strings.Contains(text, at) {
						t.Errorf("%q tells %q", text, at)
					}
				}
				if f.Retry != c.retry || f.Next == "" {
					t.Errorf("%+v", f)
				}
			}
			if n := dns.Asked(base.Hostname()) - before; c.asked > 0 && n != c.asked {
				t.Errorf("the name was asked for %d times", n)
			}
			for range 3 {
				_, err = client.Do(t.Context(), principal.Principal{}, newRequest(t, "POST", c.base+"/a", ""), nil)
			}
			if f, failed := errors.AsType[*Failure](err); failed && (f.Kind == KindBreaker) != c.counts {
				t.Errorf("after more of them: %s", f.Kind)
			}
			t.Logf("%-38s %-10s %d attempts, %v", c.name, c.code, attemptsOf(a, f), took.Round(time.Millisecond))
		})
	}
}

func attemptsOf(a *Answer, f *Failure) int {
	if f != nil {
		return f.Attempts
	}
	return a.Attempts
}

// Where tokens are got is guarded as the API is: a host whose name comes to lead
// to this machine is not sent a secret, and its list counts there, too.
func TestFailureSuiteTokenServer(t *testing.T) {
	s := faulty.Start(t, faulty.Fault{Answer: faulty.Always(faulty.Reply(200, `{"access_token":"t","token_type":"Bearer"}`))})
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	dns := &dnstest.Server{Answer: func(string) ([]netip.Addr, bool) { return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, true }}
	for name, c := range map[string]struct {
		egress *plan.Egress
		code   string
		asked  int
	}{
		"a public name that leads to loopback": {nil, KindCredential, 0},
		"what is allowed":                      {&plan.Egress{Allow: []string{"127.0.0.1"}}, "http-200", 2}, // for a token, and the call
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Requests()
			client := newClient(t, plan.Upstream{BaseURL: s.URL, Egress: c.egress, Credentials: []plan.Credential{{
				Name: "o", Kind: "oauth2", Value: plan.Expr{Op: plan.OpConst, Const: `"s3cr3t-value"`},
				OAuth: &plan.OAuthClient{TokenURL: "http://login.example.com:" + port + "/token", ClientID: "mcpc"},
			}}}, Options{Resolver: dns.Resolver(t)})
			a, err := client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", s.URL+"/a", ""), [][]string{{"o"}})
			code, _ := outcome(a, err)
			if code != c.code || s.Requests()-before != c.asked {
				t.Errorf("%s (%v), %d requests", code, err, s.Requests()-before)
			}
		})
	}
}

// pair is a certificate for names and times, signed by ca or itself.
func pair(t *testing.T, name string, from, to time.Time, ca *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.DNSNames, c.IPAddresses = nil, []net.IP{ip}
	}
	parent, signer := c, any(key)
	if ca == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestFailureSuiteTLS(t *testing.T) {
	now, hour := time.Now(), time.Hour
	ca := pair(t, "ca", now.Add(-hour), now.Add(hour), nil)
	stranger := pair(t, "stranger", now.Add(-hour), now.Add(hour), nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	good := pair(t, "127.0.0.1", now.Add(-hour), now.Add(hour), &ca)
	one := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	old := one(good)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	middle := one(good)
	middle.MaxVersion = tls.VersionTLS12
	demanding := one(good)
	demanding.ClientAuth, demanding.ClientCAs = tls.RequireAndVerifyClientCert, pool
	for _, c := range []struct {
		name    string
		server  *tls.Config
		minimum string
		says    string
	}{
		{"trusted", one(good), "", ""},
		{"expired", one(pair(t, "127.0.0.1", now.Add(-2*hour), now.Add(-hour), &ca)), "", "it has expired or is not valid yet"},
		{"not valid yet", one(pair(t, "127.0.0.1", now.Add(hour), now.Add(2*hour), &ca)), "", "it has expired or is not valid yet"},
		{"another host's", one(pair(t, "127.0.0.2", now.Add(-hour), now.Add(hour), &ca)), "", "it is for another host"},
		{"self-signed", one(pair(t, "127.0.0.1", now.Add(-hour), now.Add(hour), nil)), "", "its authority is not known"},
		{"a stranger's", one(pair(t, "127.0.0.1", now.Add(-hour), now.Add(hour), &stranger)), "", "its authority is not known"},
		{"TLS 1.1", old, "", "No encrypted connection"},
		{"TLS 1.2 where 1.3 is demanded", middle, "1.3", "No encrypted connection"},
		{"a certificate of the client demanded", demanding, "", "No encrypted connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := faulty.Start(t, faulty.Fault{TLS: c.server, Answer: faulty.Always(faulty.Reply(200, "ok"))})
			client := newClient(t, plan.Upstream{BaseURL: s.URL, Timeout: 10 * time.Second, Breaker: &plan.Breaker{Failures: 1, Window: time.Hour, Open: time.Hour},
				TLS: &plan.ClientTLS{CA: "ca", MinVersion: c.minimum}}, Options{ReadFile: func(string) ([]byte, error) { return pemOf(ca.Leaf), nil }})
			a, err := client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", s.URL+"/a", ""), nil)
			if c.says == "" {
				if err != nil || a.Status != 200 {
					t.Fatal(a, err)
				}
				return
			}
			f := failure(t, err, KindTLS)
			if !strings.Contains(f.Message, c.says) || f.Next == "" || f.Retry != result.RetryNo || f.Attempts != 1 || s.Requests() != 0 {
				t.Errorf("%+v, %d requests arrived", f, s.Requests())
			}
			_, err = client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", s.URL+"/a", ""), nil)
			failure(t, err, KindBreaker)
			t.Logf("%-38s %-4s %d attempt, %d requests", c.name, f.Kind, f.Attempts, s.Requests())
		})
	}
}

// A connection that the server closes when it is used again: a read goes out over
// another one, a change does not, unless not a byte of it was sent.
func TestFailureSuiteStaleConnections(t *testing.T) {
	for method, want := range map[string]struct {
		code     string
		requests int
	}{"GET": {"http-200", 3}, "POST": {KindConnection, 2}} {
		t.Run(method, func(t *testing.T) {
			s := faulty.Start(t, faulty.Fault{Answer: func(c net.Conn, n int, _ <-chan struct{}) bool {
				if n > 1 {
					return false // exactly on reuse, after the request was read
				}
				_, _ = io.WriteString(c, faulty.Reply(200, "ok"))
				return true
			}})
			c := newClient(t, plan.Upstream{BaseURL: s.URL, Timeout: 10 * time.Second}, Options{})
			c.backoff = func(int) time.Duration { return 0 }
			if a, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", s.URL+"/a", ""), nil); err != nil || a.Status != 200 {
				t.Fatal(a, err)
			}
			a, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, method, s.URL+"/a", map[string]string{"POST": "x"}[method]), nil)
			code, f := outcome(a, err)
			if code != want.code || s.Requests() != want.requests {
				t.Errorf("%s, %d requests arrived in all, want %s and %d", code, s.Requests(), want.code, want.requests)
			}
			if f != nil && f.Retry != result.RetryCheck {
				t.Errorf("%+v", f)
			}
			if method == "GET" && a.Attempts != 1 {
				t.Errorf("%d attempts", a.Attempts) // the transport's own: no byte of an answer came
			}
			t.Logf("%-4s on a connection closed on reuse: %s, %d requests arrived", method, code, s.Requests()-1)
		})
	}
}
