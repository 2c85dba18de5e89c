// Package probe looks at the way to a service step by step, as a connection goes:
// name, address, encryption, an HTTP answer, and what that says of the clocks. What
// it finds is for operators; nothing that it sends holds a credential.
package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// Status is how a finding is meant.
type Status string

// Statuses, from good to bad. Warn works now.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is what came of looking at one thing.
type Finding struct {
	Check  string `json:"check"` // "dns", "tcp", "tls", "http", "clock" and what callers add
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Next   string `json:"next,omitempty"` // what to do
}

// Found makes a finding that is as it should be.
func Found(check, format string, a ...any) Finding {
	return Finding{Check: check, Status: OK, Detail: fmt.Sprintf(format, a...)}
}

// Problem makes a finding that is not.
func Problem(check string, s Status, next, format string, a ...any) Finding {
	return Finding{Check: check, Status: s, Detail: fmt.Sprintf(format, a...), Next: next}
}

const (
	// soon is how long before its end a certificate is warned of.
	soon = 21 * 24 * time.Hour
	// Signatures and tokens of most services bear a minute or so between clocks.
	skewWarn, skewFail = 10 * time.Second, 2 * time.Minute
	maxBody            = 64 << 10
)

// Target is a service.
type Target struct {
	URL string
	TLS *tls.Config // nil: the system's authorities
	// Dial connects, by the caller's rules for addresses; nil is without any.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Service goes the way to a service, up to the first step that fails.
func Service(ctx context.Context, t Target) (list []Finding) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return []Finding{Problem("address", Fail, "Give an http or https URL.", "%q is no address of a service", t.URL)}
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if _, err := netip.ParseAddr(host); err != nil {
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return append(list, Problem("dns", Fail, "Correct the host in the address, or the name service of this machine.", "%s does not resolve: %s", host, reason(err)))
		}
		more := ""
		if n := len(addresses) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		list = append(list, Found("dns", "%s is %s%s", host, addresses[0], more))
	}
	dial := t.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	began := time.Now()
	conn, err := dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return append(list, Problem("tcp", Fail, "Start the service, open the way to it (firewall, network policy), or correct the address.", "no connection to %s: %s", net.JoinHostPort(host, port), reason(err)))
	}
	defer conn.Close()
	list = append(list, Found("tcp", "%s in %s", conn.RemoteAddr(), round(time.Since(began))))
	if u.Scheme == "https" {
		f := Encryption(ctx, conn, host, t.TLS)
		if list = append(list, f); f.Status == Fail {
			return list
		}
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: t.TLS, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return append(list, Problem("http", Fail, "Correct the address.", "%v", err))
	}
	r.Header.Set("User-Agent", "mcpc")
	began = time.Now()
	res, err := transport.RoundTrip(r)
	if err != nil {
		return append(list, Problem("http", Fail, "Something listens there that does not speak HTTP, or does not answer in time.", "no answer: %s", reason(err)))
	}
	defer res.Body.Close()
	took := time.Since(began)
	_, _ = io.CopyN(io.Discard, res.Body, maxBody) // it matters to nobody
	f := Found("http", "%d in %s", res.StatusCode, round(took))
	switch {
	case res.StatusCode >= 500:
		f.Status, f.Next = Warn, "The service, or what stands before it, fails at its own address; look at its logs."
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		f.Detail += "; it asks for credentials, of which none were sent"
	}
	list = append(list, f)
	if c, ok := Clock(res.Header.Get("Date"), began.Add(took/2)); ok {
		list = append(list, c)
	}
	return list
}

// Encryption shakes hands on a connection and looks at the certificate.
func Encryption(ctx context.Context, conn net.Conn, host string, config *tls.Config) Finding {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		next := "Look at what listens there: it may be plain HTTP, or want another version of TLS or a client certificate."
		invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
		_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
		_, name := errors.AsType[x509.HostnameError](err)
		switch {
		case unknown:
			next = "Name the file of its authority: tls { ca = … } in the api, or install it on this machine."
		case name:
			next = "Use a name that the certificate has, or tls { server_name = … } in the api."
		case isInvalid && invalid.Reason == x509.Expired:
			next = "The certificate has to be renewed, or the clock of this machine set."
		}
		return Problem("tls", Fail, next, "no trusted connection: %s", reason(err))
	}
	state := c.ConnectionState()
	leaf := state.PeerCertificates[0]
	end := leaf.NotAfter
	for _, chain := range state.VerifiedChains[:min(1, len(state.VerifiedChains))] {
		for _, one := range chain {
			if one.NotAfter.Before(end) {
				end = one.NotAfter
			}
		}
	}
	f := Expiry("tls", end)
	f.Detail = fmt.Sprintf("%s, %s", tls.VersionName(state.Version), f.Detail)
	return f
}

// Expiry says how long a certificate is still good.
func Expiry(check string, end time.Time) Finding {
	left := time.Until(end)
	days := int(left / (24 * time.Hour))
	switch {
	case left <= 0:
		return Problem(check, Fail, "Renew the certificate.", "the certificate ended on %s", end.UTC().Format(time.DateOnly))
	case left < soon:
		return Problem(check, Warn, "Renew the certificate, or see why it was not.", "the certificate ends on %s, in %d days", end.UTC().Format(time.DateOnly), days)
	}
	return Found(check, "certificate good until %s, %d days", end.UTC().Format(time.DateOnly), days)
}

// Clock compares the Date of an answer with the time at which it was made here;
// false when there is none.
func Clock(date string, here time.Time) (Finding, bool) {
	there, err := http.ParseTime(date)
	if err != nil {
		return Finding{}, false
	}
	skew := here.Sub(there.Add(500 * time.Millisecond)) // it is cut to seconds
	size := skew.Abs()
	if size < skewWarn {
		return Found("clock", "the same as here"), true
	}
	way := "behind"
	if skew > 0 {
		way = "ahead of"
	}
	s := Warn
	if size >= skewFail {
		s = Fail
	}
	return Problem("clock", s, "Have both machines set their clocks (NTP): tokens and signatures are refused otherwise.", "the clock here is %s %s the service's", size.Round(time.Second), way), true
}

// reason is what an error says besides the addresses that are said already.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok {
		return d.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "tls: "), "x509: ")
}

// round is a time as people want to know it.
func round(d time.Duration) string {
	if d < time.Millisecond {
		return "less than 1ms"
	}
	return d.Round(time.Millisecond).String()
}
