package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/internal/dnstest"
	"github.com/mcpc-dev/mcpc/internal/faulty"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The failure suite: what is promised in runtime/RESILIENCE.md, shown with an
// upstream on loopback that fails, and printed with figures by
//
//	go test ./runtime/internal/upstream -run TestFailureSuite -v

// outcome is how a call ended: the code of a failure, or the status.
func outcome(a *Answer, err error) (string, *Failure) {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Kind, f
	}
	s := fmt.Sprintf("http-%d", a.Status)
	if a.Truncated {
		s += " cut"
	}
	return s, nil
}

func TestFailureSuite(t *testing.T) {
	const (
		attempts = 3
		// A machine that is busy with other things is late. What is printed is what
		// was measured; this is what cannot be an accident.
		slack = 3 * time.Second
	)
	may, check, no := result.RetryMay, result.RetryCheck, result.RetryNo
	want := map[string]struct {
		code     string
		get      int // requests for a GET
		getRetry result.Retry
		retry    result.Retry // of a POST
		counts   bool         // for the breaker
	}{
		"no answer":                     {KindTimeout, 1, may, check, true},
		"slow headers":                  {KindTimeout, 1, may, check, true},
		"slow body":                     {KindTimeout, 1, may, check, true},
		"reset before the answer":       {KindConnection, attempts, may, check, true},
		"reset within the body":         {KindConnection, attempts, may, check, true},
		"closed before the answer":      {KindConnection, attempts, may, check, true},
		"half closed":                   {KindConnection, attempts, may, check, true},
		"truncated body":                {KindConnection, attempts, may, check, true},
		"chunks without an end":         {KindConnection, attempts, may, check, true},
		"gzip that ends early":          {KindConnection, attempts, may, check, true},
		"broken chunks":                 {KindProtocol, 1, no, check, true},
		"not HTTP":                      {KindProtocol, 1, no, check, true},
		"a length that is none":         {KindProtocol, 1, no, check, true},
		"two lengths":                   {KindProtocol, 1, no, check, true},
		"a header that is none":         {KindProtocol, 1, no, check, true},
		"header bomb":                   {KindTooLarge, 1, no, check, false},
		"many headers":                  {KindTooLarge, 1, no, check, false},
		"endless 100 Continue":          {KindTooLarge, 1, no, check, false},
		"500":                           {"http-500", 1, 0, 0, true},
		"503":                           {"http-503", attempts, 0, 0, true},
		"429 for an hour":               {"http-429", 1, 0, 0, false},
		"404":                           {"http-404", 1, 0, 0, false},
		"too large":                     {"http-200 cut", 1, 0, 0, false},
		"a redirect away":               {KindRedirect, 1, no, no, false},
		"redirects for ever":            {KindRedirect, maxRedirects + 1, no, no, false},
		"an encoding that is not known": {KindEncoding, 1, no, no, false},
	}
	t.Logf("%-30s %-13s %-14s %-16s %-8s %s", "fault", "code", "GET: requests", "POST: requests", "breaker", "GETs at once: requests, longest")
	seen := map[string]bool{}
	for _, fault := range faulty.Faults() {
		w, ok := want[fault.Name]
		if !ok {
			t.Errorf("nothing is said about %q", fault.Name)
			continue
		}
		seen[fault.Name] = true
		t.Run(fault.Name, func(t *testing.T) {
			timeout, calls := 10*time.Second, 40
			if w.code == KindTooLarge {
				calls = 10 // 256 KiB of headers each
			}
			if w.code == KindTimeout {
				timeout = 250 * time.Millisecond
			}
			// A busy machine may take that long to connect: of those that time out none
			// may arrive, but never more than are said.
			asSaid := func(n, want int) bool { return n == want || n < want && w.code == KindTimeout }
			u := plan.Upstream{Timeout: timeout, MaxResponse: 10 << 10, Retry: plan.Retry{Attempts: attempts, On: []int{429, 503}}}
			ask := func(c *Client, method string, s *faulty.Server) (string, *Failure, time.Duration) {
				start := time.Now()
				a, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, method, s.URL+"/a", map[string]string{"POST": "x"}[method]), nil)
				code, f := outcome(a, err)
				return code, f, time.Since(start)
			}
			client := func(u plan.Upstream) (*Client, *faulty.Server) {
				s := faulty.Start(t, fault)
				u.BaseURL = s.URL
				c := newClient(t, u, Options{})
				c.backoff = func(int) time.Duration { return time.Millisecond }
				return c, s
			}

			// One read: the code, the advice, how often it was sent and how long it took.
			c, reads := client(u)
			code, f, took := ask(c, "GET", reads)
			if code != w.code || !asSaid(reads.Requests(), w.get) || took > timeout+slack {
				t.Errorf("GET: %s after %d requests in %v, want %s after %d", code, reads.Requests(), took, w.code, w.get)
			}
			if f != nil {
				failure(t, f, w.code)
				if f.Retry != w.getRetry || f.Message == "" || f.Next == "" && f.Kind != KindTimeout {
					t.Errorf("GET: %+v", f)
				}
			}
			// One change: never sent twice.
			c, changes := client(u)
			code, f, _ = ask(c, "POST", changes)
			once := 1
			if w.code == KindRedirect {
				once = w.get // 307 asks for the same request elsewhere: nothing was done
			}
			if code != w.code || !asSaid(changes.Requests(), once) || f != nil && f.Retry != w.retry {
				t.Errorf("POST: %s after %d requests, %+v", code, changes.Requests(), f)
			}
			// The breaker counts faults of the upstream, and nothing else.
			broken := u
			broken.Retry.Attempts, broken.Breaker = 1, &plan.Breaker{Failures: 2, Window: time.Hour, Open: time.Hour}
			c, s := client(broken)
			for range 2 {
				ask(c, "POST", s)
			}
			code, _, took = ask(c, "POST", s)
			if opened := code == KindBreaker; opened != w.counts || opened && took > slack {
				t.Errorf("after two failures: %s in %v", code, took)
			}
			// Many at once: retries stay within their budget, time within its limit.
			c, burst := client(u)
			var wait sync.WaitGroup
			var longest atomic.Int64
			for range calls {
				wait.Go(func() {
					_, _, took := ask(c, "GET", burst)
					for l := longest.Load(); int64(took) > l && !longest.CompareAndSwap(l, int64(took)); l = longest.Load() {
					}
				})
			}
			wait.Wait()
			if w.code != KindRedirect {
				if sent := burst.Requests(); sent > calls+maxBudget/perRetry+sent/perRetry {
					t.Errorf("%d requests for %d calls", sent, calls)
				}
			}
			if time.Duration(longest.Load()) > timeout+slack {
				t.Errorf("a call took %v", time.Duration(longest.Load()))
			}
			t.Logf("%-30s %-13s %-14d %-16d %-8v %d: %d, %v", fault.Name, code0(w.code), reads.Requests(), changes.Requests(), map[bool]string{true: "counts", false: "-"}[w.counts], calls, burst.Requests(), time.Duration(longest.Load()).Round(time.Millisecond))
		})
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("there is no fault %q", name)
		}
	}
}

func code0(s string) string { s, _, _ = strings.Cut(s, " "); return s }

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

func attemptsOf(a *Answer, f *Failure) int {
	if f != nil {
		return f.Attempts
	}
	return a.Attempts
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

// What the caller decides about time reaches the upstream: it sees the connection
// end, and the call ends then.
func TestFailureSuiteDeadlines(t *testing.T) {
	for _, fault := range faulty.Faults()[:3] { // those that hang
		for _, coalesce := range []bool{false, true} {
			for name, limit := range map[string]func(s *faulty.Server) (context.Context, context.CancelFunc){
				"the caller's cancel": func(s *faulty.Server) (context.Context, context.CancelFunc) {
					ctx, cancel := context.WithCancel(context.Background())
					go func() {
						for s.Requests() == 0 && ctx.Err() == nil {
							time.Sleep(time.Millisecond)
						}
						cancel()
					}()
					return ctx, cancel
				},
				"the caller's deadline": func(*faulty.Server) (context.Context, context.CancelFunc) {
					return context.WithTimeout(context.Background(), 2*time.Second)
				},
			} {
				t.Run(fmt.Sprintf("%s/%s/coalesce=%v", fault.Name, name, coalesce), func(t *testing.T) {
					t.Parallel()
					s := faulty.Start(t, fault)
					c := newClient(t, plan.Upstream{BaseURL: s.URL, Timeout: time.Minute, Coalesce: coalesce}, Options{})
					ctx, cancel := limit(s)
					defer cancel()
					start := time.Now()
					_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", s.URL+"/a", ""), nil)
					took := time.Since(start)
					if f, ok := errors.AsType[*Failure](err); !ok || f.Kind != KindCanceled && f.Kind != KindTimeout || took > 10*time.Second {
						t.Errorf("%v after %v", err, took)
					}
					if s.Requests() == 0 {
						t.Fatal("the request did not arrive")
					}
					select {
					case <-s.Left():
						t.Logf("%-14s %-22s the call ended after %v, the upstream saw it after %v", fault.Name, name, took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
					case <-time.After(20 * time.Second):
						t.Error("the upstream never saw that nobody waits")
					}
				})
			}
		}
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

// Waits are drawn evenly from the whole range, so that who failed together does
// not come back together.
func TestFailureSuiteJitter(t *testing.T) {
	const draws, parts = 40_000, 10
	for attempt, most := range map[int]time.Duration{1: backoffBase, 3: 4 * backoffBase, 9: backoffMax} {
		var count [parts]int
		var sum time.Duration
		for range draws {
			d := backoff(attempt)
			if d < 0 || d >= most {
				t.Fatalf("attempt %d: %v", attempt, d)
			}
			count[int(d*parts/most)]++
			sum += d
		}
		// Chi-squared with 9 degrees of freedom: beyond 40 in one of 100,000 runs.
		chi := 0.0
		for _, n := range count {
			chi += (float64(n) - draws/parts) * (float64(n) - draws/parts) / (draws / parts)
		}
		if chi > 40 {
			t.Errorf("attempt %d: %v", attempt, count)
		}
		t.Logf("attempt %d: up to %v, mean %v, chi-squared %.1f", attempt, most, (sum / draws).Round(time.Millisecond), chi)
	}
}

// A wait that is asked for is kept where there is time for it, and told where
// there is not.
func TestFailureSuiteRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, header string
		sent         int
		least, most  time.Duration // of the whole call
		told         time.Duration
	}{
		{"seconds", "3", 2, 3 * time.Second, 3*time.Second + backoffBase, 0},
		{"nothing", "", 2, 0, backoffBase, 0},
		{"0", "0", 2, 0, backoffBase, 0},
		{"a date", "in 5s", 2, 4 * time.Second, 5*time.Second + backoffBase, 0},
		{"a date that is over", "in -1h", 2, 0, backoffBase, 0},
		{"negative", "-5", 2, 0, backoffBase, 0},
		{"garbage", "soon", 2, 0, backoffBase, 0},
		{"longer than the call", "31", 1, 0, 0, 31 * time.Second},
		{"an hour", "3600", 1, 0, 0, time.Hour},
		{"absurdly long", "999999999999999999999999", 1, 0, 0, maxRetryAfter},
		{"an absurd date", "in 900000h", 1, 0, 0, maxRetryAfter},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &transport{answer: func(n int, _ *http.Request) (*http.Response, error) {
					h := http.Header{}
					if in, ok := strings.CutPrefix(c.header, "in "); ok {
						d, err := time.ParseDuration(in)
						if err != nil {
							t.Fatal(err)
						}
						h.Set("Retry-After", time.Now().Add(d).UTC().Format(http.TimeFormat))
					} else if c.header != "" {
						h.Set("Retry-After", c.header)
					}
					return &http.Response{StatusCode: map[bool]int{true: 429, false: 200}[n == 1], Header: h}, nil
				}}
				client := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 2, On: []int{429}}}, Options{Transport: tr})
				start := time.Now()
				a, err := client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
				took := time.Since(start)
				if err != nil || tr.attempts != c.sent || took < c.least || took > c.most {
					t.Errorf("%v, %d requests in %v", err, tr.attempts, took)
				}
				if c.told > 0 && RetryAfter(a.Header, time.Now()) != c.told {
					t.Errorf("told: %v", RetryAfter(a.Header, time.Now()))
				}
				t.Logf("Retry-After %-26q %d requests in %v", c.header, tr.attempts, took.Round(10*time.Millisecond))
			})
		})
	}
}

// However many fail at the same moment, retries are a tenth of the requests and
// ten.
func TestFailureSuiteBudget(t *testing.T) {
	for _, calls := range []int{10, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			tr := roundTripper(func(*http.Request) (*http.Response, error) {
				sent.Add(1)
				time.Sleep(time.Second) // so that all are under way
				return &http.Response{StatusCode: 503, Header: http.Header{}, Body: http.NoBody}, nil
			})
			c := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 5, On: []int{503}}}, Options{Transport: tr})
			var wait sync.WaitGroup
			for range calls {
				wait.Go(func() {
					if _, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			n := int(sent.Load())
			if most := maxBudget/perRetry + n/perRetry; n-calls > most {
				t.Errorf("%d retries of %d calls, at most %d are allowed", n-calls, calls, most)
			}
			t.Logf("%4d calls at once that fail, 5 attempts each: %d requests, %d retries", calls, n, n-calls)
		})
	}
}

// A bulkhead that is full refuses: what waits is bounded.
func TestFailureSuiteShedding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, calls = 2, 1000
		tr := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c := newClient(t, plan.Upstream{Timeout: time.Minute, Bulkhead: &plan.Bulkhead{Concurrency: places, Queue: 5 * time.Second}}, Options{Transport: tr})
		start := time.Now()
		took := make(chan time.Duration, calls)
		ctx, leave := context.WithCancel(context.Background())
		for range calls {
			go func() {
				_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
				if code, f := outcome(nil, err); code == KindBusy && f.Retry != result.RetryAfter(5*time.Second) {
					t.Errorf("%+v", f)
				}
				took <- time.Since(start)
			}()
		}
		synctest.Wait()
		atOnce, waiting := len(took), int(c.bulkhead.waiting.Load())
		if waiting != places*waitingPerPlace || atOnce != calls-places-waiting {
			t.Errorf("%d refused at once, %d wait", atOnce, waiting)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(took) != calls-places || c.bulkhead.waiting.Load() != 0 {
			t.Errorf("%d refused, %d wait", len(took), c.bulkhead.waiting.Load())
		}
		leave()
		synctest.Wait()
		t.Logf("%d calls of an upstream that hangs, %d places: %d refused at once, %d after their 5s", calls, places, atOnce, waiting)
	})
}

// callerKey is where the transport of a test finds who a request was made for.
type callerKey struct{}

// Nobody is ever given what was asked for somebody else: neither kept answers nor
// requests under way, also when names are chosen to look alike. Run with -race.
func TestFailureSuitePrincipals(t *testing.T) {
	var sent atomic.Int64
	tr := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent.Add(1)
		who, _ := json.Marshal(r.Context().Value(callerKey{}))
		time.Sleep(time.Duration(len(who)%3) * time.Millisecond)
		return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {string(who)}}, Body: io.NopCloser(strings.NewReader(string(who))), ContentLength: -1}, nil
	})
	callers := []principal.Principal{
		{}, {Subject: "a"}, {Client: "a"}, {Tenant: "a"}, {Tenant: "a", Subject: "b"}, {Subject: "a", Client: "b"}, {Subject: "a\x00b"}, {Subject: "a\x00", Client: "b"},
		{Tenant: "a\x00b", Subject: "c"}, {Tenant: "a", Subject: "b\x00c"}, {Tenant: "a", Subject: "b", Client: "c"}, {Subject: "A"},
	}
	for name, u := range map[string]plan.Upstream{
		"coalesce":           {Coalesce: true},
		"cache":              {Cache: &plan.Cache{TTL: time.Millisecond, ETag: true, StaleIfError: time.Hour}},
		"cache and coalesce": {Coalesce: true, Cache: &plan.Cache{TTL: time.Millisecond, ETag: true}},
	} {
		t.Run(name, func(t *testing.T) {
			sent.Store(0)
			c := newClient(t, u, Options{Transport: tr})
			const calls = 4000
			var wait sync.WaitGroup
			for w := range 40 {
				wait.Go(func() {
					for i := range calls / 40 {
						who := callers[(w*7+i)%len(callers)]
						ctx := context.WithValue(t.Context(), callerKey{}, who)
						a, err := c.Do(ctx, who, newRequest(t, "GET", "http://127.0.0.1/same", ""), nil)
						if err != nil {
							t.Error(err)
							return
						}
						if want, _ := json.Marshal(who); string(a.Body) != string(want) {
							t.Errorf("%q got what was for %q", want, a.Body)
							return
						}
						for j := range a.Body {
							a.Body[j] = 'x'
						}
						a.Header.Set("Etag", "x")
					}
				})
			}
			wait.Wait()
			t.Logf("%-20s %d calls of %d principals for one URL: %d requests, none crossed", name, calls, len(callers), sent.Load())
		})
	}
}

// Who joins a request is not hurt by who made it.
func TestFailureSuiteFlights(t *testing.T) {
	type asked struct {
		body string
		err  error
		took time.Duration
	}
	run := func(t *testing.T, answer func(n int, r *http.Request) (*http.Response, error), test func(ask func(ctx context.Context) <-chan asked, sent *atomic.Int64, c *Client)) {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			tr := roundTripper(func(r *http.Request) (*http.Response, error) { return answer(int(sent.Add(1)), r) })
			c := newClient(t, plan.Upstream{Timeout: 10 * time.Second, Coalesce: true, Retry: plan.Retry{Attempts: 1}}, Options{Transport: tr})
			test(func(ctx context.Context) <-chan asked {
				out := make(chan asked, 1)
				go func() {
					start := time.Now()
					defer func() {
						if r := recover(); r != nil {
							out <- asked{body: "panic", took: time.Since(start)}
						}
					}()
					a, err := c.Do(ctx, principal.Principal{Subject: "a"}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
					r := asked{err: err, took: time.Since(start)}
					if a != nil {
						r.body = string(a.Body)
					}
					out <- r
				}()
				synctest.Wait()
				return out
			}, &sent, c)
			synctest.Wait()
			if n := len(c.flights.byKey); n != 0 {
				t.Errorf("%d flights are left", n)
			}
		})
	}
	ok := func(n int) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(fmt.Sprint(n))), ContentLength: -1}, nil
	}
	slow := func(n int, r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(5 * time.Second):
			return ok(n)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	bg := context.Background()
	t.Run("the first leaves", func(t *testing.T) {
		run(t, slow, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			ctx, leave := context.WithCancel(bg)
			first, second := ask(ctx), ask(bg)
			leave()
			if r := <-first; r.took != 0 {
				t.Errorf("%+v", r)
			}
			if r := <-second; r.body != "1" || sent.Load() != 1 {
				t.Errorf("%+v, %d requests", r, sent.Load())
			}
		})
	})
	t.Run("the first has little time", func(t *testing.T) {
		run(t, slow, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			first, second := ask(ctx), ask(bg)
			failure(t, (<-first).err, KindTimeout)
			if r := <-second; r.body != "1" || sent.Load() != 1 {
				t.Errorf("%+v, %d requests", r, sent.Load())
			}
		})
	})
	t.Run("all leave", func(t *testing.T) {
		ended := make(chan error, 2)
		run(t, func(n int, r *http.Request) (*http.Response, error) {
			res, err := slow(n, r)
			ended <- err
			return res, err
		}, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			ctx, leave := context.WithCancel(bg)
			first, second := ask(ctx), ask(ctx)
			leave()
			<-first
			<-second
			synctest.Wait()
			if len(ended) != 1 || !errors.Is(<-ended, context.Canceled) {
				t.Error("the request goes on for nobody")
			}
			if r := <-ask(bg); r.body != "2" { // and nobody joins what has ended
				t.Errorf("%+v", r)
			}
		})
	})
	t.Run("the first one's time is up", func(t *testing.T) {
		run(t, func(n int, r *http.Request) (*http.Response, error) {
			if n > 1 {
				return ok(n)
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			first := ask(bg)
			time.Sleep(9 * time.Second)
			second := ask(bg)
			failure(t, (<-first).err, KindTimeout)
			if r := <-second; r.body != "2" || r.took != time.Second || sent.Load() != 2 {
				t.Errorf("who came late: %+v, %d requests", r, sent.Load())
			}
		})
	})
	t.Run("an upstream that hangs for all", func(t *testing.T) {
		run(t, func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			var all []<-chan asked
			for range 25 {
				all = append(all, ask(bg))
				time.Sleep(time.Second)
			}
			for i, a := range all {
				if r := <-a; r.took != 10*time.Second {
					t.Errorf("call %d took %v", i, r.took)
				} else {
					failure(t, r.err, KindTimeout)
				}
			}
			if n := sent.Load(); n > 6 { // one in ten seconds, and those that calls who came late made at its end
				t.Errorf("%d requests", n)
			}
		})
	})
	t.Run("a mistake of ours", func(t *testing.T) {
		run(t, func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				time.Sleep(time.Second)
				panic("mistake")
			}
			return ok(n)
		}, func(ask func(context.Context) <-chan asked, _ *atomic.Int64, _ *Client) {
			first, second := ask(bg), ask(bg)
			if a, b := <-first, <-second; a.body != "panic" || b.body != "panic" {
				t.Errorf("%+v %+v", a, b)
			}
			if r := <-ask(bg); r.body != "2" {
				t.Errorf("%+v", r)
			}
		})
	})
}

// A stale answer stands for one that cannot be had, within its window, and says
// so; not for one that the caller may not have, nor where the upstream forbids it.
func TestFailureSuiteStale(t *testing.T) {
	for _, c := range []struct {
		name, control string
		after         time.Duration
		fail          func() (*http.Response, error)
		stale         bool
	}{
		{"an answer 503", "", 2 * time.Minute, status503, true},
		{"a broken connection", "", 2 * time.Minute, func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, true},
		{"at the end of the window", "", 61*time.Minute - 1, status503, true},
		{"after the window", "", 61 * time.Minute, status503, false},
		{"must-revalidate", "must-revalidate", 2 * time.Minute, status503, false},
		{"an answer 403", "", 2 * time.Minute, func() (*http.Response, error) {
			return &http.Response{StatusCode: 403, Header: http.Header{}, Body: http.NoBody}, nil
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &transport{answer: func(n int, _ *http.Request) (*http.Response, error) {
					if n > 1 {
						return c.fail()
					}
					h := http.Header{}
					if c.control != "" {
						h.Set("Cache-Control", c.control)
					}
					return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader("old")), ContentLength: -1}, nil
				}}
				client := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 1}, Cache: &plan.Cache{TTL: time.Minute, StaleIfError: time.Hour}}, Options{Transport: tr})
				get := func() (*Answer, error) {
					return client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
				}
				if _, err := get(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.after)
				a, err := get()
				if stale := a != nil && a.Cached && string(a.Body) == "old"; stale != c.stale || stale && a.Stale != c.after.Round(0) {
					t.Errorf("stale %v: %+v %v", stale, a, err)
				}
			})
		})
	}
	for kind, want := range map[string]bool{
		KindTimeout: true, KindConnect: true, KindDNS: true, KindTLS: true, KindConnection: true, KindProtocol: true, KindBreaker: true, KindBusy: true, KindLimit: true,
		KindCredential: false, KindCanceled: false, KindAddress: false, KindNoBaseURL: false,
	} {
		if passing(nil, &Failure{Kind: kind}) != want {
			t.Errorf("%s: %v", kind, !want)
		}
	}
}

func status503() (*http.Response, error) {
	return &http.Response{StatusCode: 503, Header: http.Header{}, Body: http.NoBody}, nil
}

// Each failure has a code of runtime/ERRORS.md, and its advice is one that the
// table has.
func TestFailureSuiteCodes(t *testing.T) {
	var words []string
	for _, c := range result.Codes() {
		words = append(words, c.Word)
	}
	for _, kind := range []string{KindTimeout, KindCanceled, KindConnect, KindDNS, KindTLS, KindAddress, KindConnection, KindProtocol, KindTooLarge, KindRedirect, KindEncoding, KindNoBaseURL, KindCredential, KindLimit, KindBreaker, KindBusy} {
		if !slices.Contains(words, kind) {
			t.Errorf("%s is not in ERRORS.md", kind)
		}
	}
}
