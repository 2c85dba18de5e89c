package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// keySoon is how long before its end an API key is warned of.
const keySoon = 14 * 24 * time.Hour

// Probe looks whether callers can be identified as an identity of the plan says.
func (g *Gate) Probe(ctx context.Context, i plan.Identity) []probe.Finding {
	switch {
	case i.OAuth != nil:
		return g.issuer(i).probe(ctx)
	case i.Keys != nil:
		return probeKeys(i.Keys, g.now())
	}
	for _, c := range g.certs {
		if c.name == i.Name {
			return c.probe()
		}
	}
	return nil
}

func (s *issuer) probe(ctx context.Context) (list []probe.Finding) {
	away := false
	for _, f := range probe.Service(ctx, probe.Target{URL: s.Issuer}) {
		if f.Check == "http" && f.Status == probe.Warn {
			f.Status, f.Next = probe.OK, "" // an issuer need not answer at its own address
		}
		away = away || f.Status == probe.Fail && f.Check != "clock"
		list = append(list, f)
	}
	location := s.JWKS
	if location == "" {
		if away { // and has been said to be
			return list
		}
		var err error
		if location, err = s.keys.discover(ctx); err != nil {
			return append(list, probe.Problem("metadata", probe.Fail, "The issuer in the spec has to be, letter by letter, the one that the authorization server says it is.", "%v", err))
		}
		list = append(list, probe.Found("metadata", "the issuer is %s", s.Issuer))
	}
	keys, err := s.keys.fetch(ctx)
	if err != nil {
		return append(list, probe.Problem("keys", probe.Fail, "See whether "+location+" can be read from here.", "%v", err))
	}
	var fit []string
	for _, k := range keys {
		for _, alg := range algorithmsOf(k) {
			if slices.Contains(s.Algorithms, alg) && !slices.Contains(fit, alg) {
				fit = append(fit, alg)
			}
		}
	}
	if fit == nil {
		list = append(list, probe.Problem("keys", probe.Fail, "Accept the algorithm that the authorization server signs with: algorithms = […].", "%d keys, and none for %s", len(keys), strings.Join(s.Algorithms, ", ")))
	} else {
		slices.Sort(fit)
		list = append(list, probe.Found("keys", "%d, for %s", len(keys), strings.Join(fit, ", ")))
	}
	if p := s.Introspection; p != nil {
		if p.Secret != nil {
			if _, err := s.secret(*p.Secret); err != nil {
				list = append(list, probe.Problem("introspection", probe.Fail, "Set it where the server runs.", "the secret of the client %s is not set", p.ClientID))
				return list
			}
		}
		list = append(list, s.probeIntrospection(ctx))
	}
	return list
}

// probeIntrospection asks about what is no token. That it is not active shows that the
// server may ask.
func (s *issuer) probeIntrospection(ctx context.Context) probe.Finding {
	_, err := s.introspect(ctx, "mcpc-doctor")
	if errors.Is(err, errInactive) {
		return probe.Found("introspection", "it answers the client %s", s.Introspection.ClientID)
	}
	problem := func(next, format string, a ...any) probe.Finding {
		return probe.Problem("introspection", probe.Fail, next, format, a...)
	}
	u, asked := errors.AsType[*unavailable](err)
	if !asked && !errors.Is(err, errNoActive) {
		return problem("Correct the URL of the introspection, or mend what is there: every token would be accepted.", "it says that a token which is none is active")
	}
	if asked {
		err = u.cause
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the address is in the spec
	}
	status, _ := errors.AsType[statusError](err)
	next := "See whether the URL of the introspection can be reached from here in time."
	switch {
	case status == http.StatusUnauthorized:
		next = "Correct the client's id or secret in introspection: the authorization server does not accept them."
	case status == http.StatusForbidden:
		next = "Have the authorization server allow the client to introspect tokens."
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status >= 300 && status < 400:
		next = "Correct the URL of the introspection: the metadata of the issuer names it as introspection_endpoint."
	case status >= http.StatusInternalServerError:
		next = "The authorization server fails; look at its logs."
	case status != 0:
		next = "See in the logs of the authorization server why it refuses to be asked."
	case errors.Is(err, errNoObject), errors.Is(err, errNoActive):
		next = "Correct the URL of the introspection: what is there does not answer as RFC 7662 wants."
	}
	if status != 0 {
		return problem(next, "it answers the client %s with %d", s.Introspection.ClientID, int(status))
	}
	return problem(next, "%v", err)
}

func probeKeys(p *plan.APIKeys, now time.Time) (list []probe.Finding) {
	good := 0
	for _, k := range p.Keys {
		end := time.Unix(k.Expires, 0)
		switch {
		case k.Expires == 0:
			good++
		case !now.Before(end):
			list = append(list, probe.Problem("key", probe.Warn, "Take it out of the spec, or give its holder a new one: mcpc key new.", "%s ended on %s", k.Name, end.UTC().Format(time.DateOnly)))
		case end.Sub(now) < keySoon:
			good++
			list = append(list, probe.Problem("key", probe.Warn, "Give its holder a new one in time: mcpc key new.", "%s ends on %s", k.Name, end.UTC().Format(time.DateOnly)))
		default:
			good++
		}
	}
	if good == 0 {
		return append(list, probe.Problem("keys", probe.Fail, "Make one: mcpc key new.", "of %d none is good", len(p.Keys)))
	}
	return append(list, probe.Found("keys", "%d of %d are good", good, len(p.Keys)))
}

func (c *certificates) probe() []probe.Finding {
	text, err := c.read(c.CA)
	if err != nil {
		return []probe.Finding{probe.Problem("authorities", probe.Fail, "Correct the path of ca.", "%v", err)}
	}
	var end time.Time
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			if n++; end.IsZero() || cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
	}
	if n == 0 {
		return []probe.Finding{probe.Problem("authorities", probe.Fail, "It has to hold certificates in PEM form.", "%s holds none", c.CA)}
	}
	return []probe.Finding{probe.Expiry("authorities", end)}
}
