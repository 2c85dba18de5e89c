package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/mcpc-dev/mcpc/internal/egress"
	tokens "github.com/mcpc-dev/mcpc/runtime/internal/credential"
	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// callerToken is the access token that p came with, or "".
func callerToken(ctx context.Context, p principal.Principal) string {
	if caller := identity.Of(ctx); caller != nil && caller.Principal == p {
		return caller.Token()
	}
	return ""
}

// addToken adds a token that an authorization server gives, or the caller's own.
func (k *call) addToken(ctx context.Context, a *auth, c *credential) error {
	from := "credential " + c.Name
	if c.from != "" {
		from += " (" + c.from + ")"
	}
	var ask tokens.Ask
	if c.secret != nil {
		var err error
		if ask.Secret, err = plain(c.secret, &k.env); err != nil {
			if errors.Is(err, errMissing) && !k.dry {
				return &Failure{
					Kind:    KindCredential,
					Message: fmt.Sprintf("No token for %s could be asked for: the %s is not set. Nothing was sent.", lower(k.name), c.from),
					Next:    "The operator of this server has to set it.",
				}
			}
			return err
		}
		a.secrets = append(a.secrets, ask.Secret)
	}
	if k.dry {
		a.names = append(a.names, c.Name)
		a.items = append(a.items, bearer(from, hidden))
		return nil
	}
	if c.OfCaller() {
		if ask.Subject = callerToken(ctx, k.who); ask.Subject == "" {
			return &Failure{
				Kind:    KindCredential,
				Message: k.name + " is called with the access token of the caller, and this caller has none. Nothing was sent.",
				Next:    "Connect again with an access token.",
			}
		}
		if !k.home() {
			return &Failure{
				Kind:    KindCredential,
				Message: k.name + " is called with the access token of the caller, but this operation has another host. Nothing was sent.",
				Next:    "The operator of this server has to correct the address of the operation.",
			}
		}
	}
	it := bearer(from, ask.Subject)
	if c.tokens != nil {
		token, fresh, err := c.tokens.Token(ctx, ask)
		if err != nil {
			return k.noToken(ctx, c, err)
		}
		it.value, it.tokens, it.ask, it.fresh = token, c.tokens, ask, fresh
	}
	a.names = append(a.names, c.Name)
	a.secrets = append(a.secrets, it.value)
	a.items = append(a.items, it)
	return nil
}

// home tells whether the request goes where the base URL is.
func (k *call) home() bool { return k.base != nil && sameOrigin(k.base, k.req.URL) }

// noToken says why there is no token. What is asked of whom depends on whose
// token was exchanged: a caller can get himself another one.
func (k *call) noToken(ctx context.Context, c *credential, err error) *Failure {
	e, ok := errors.AsType[*tokens.Error](err)
	if !ok {
		return k.failed(ctx, err)
	}
	f := &Failure{
		Kind:    KindCredential,
		Message: fmt.Sprintf("No token for %s could be had: %s. Nothing was sent to it.", lower(k.name), e.Message),
		Next:    "The operator of this server has to look at its credential " + c.Name + ".",
		Retry:   result.RetryNo,
		cause:   err,
	}
	switch {
	case e.Passing:
		f.Next, f.Retry = "Try again later. If it stays so, tell the operator of this server.", result.RetryMay
	case c.OfCaller() && (e.Code == "invalid_grant" || e.Code == "invalid_request" || e.Code == "invalid_token"):
		f.Next = "The token of the caller was not accepted: connect again with a new one. If it stays so, tell the operator of this server."
	}
	return f
}

// renew answers a refusal with 401, once per call: with new tokens for those that
// were kept, or with what the upstream challenges for. By that status it says that the request was not
// carried out (RFC 9110, section 15.5.2), so any may be sent again.
func (k *call) renew(ctx context.Context, a *Answer) bool {
	if k.renewed {
		return false
	}
	k.renewed = true
	renewed := k.sent.login != nil && k.sent.login.Take(k.req.URL.Host, a.Header)
	for i := range k.sent.items {
		it := &k.sent.items[i]
		if it.tokens == nil || it.fresh {
			continue
		}
		it.tokens.Forget(it.ask, it.value)
		token, _, err := it.tokens.Token(ctx, it.ask)
		if err != nil || token == it.value {
			continue // the answer 401 stands
		}
		it.value, renewed = token, true
		k.sent.secrets = append(k.sent.secrets, token)
	}
	if renewed {
		k.sent.header(k.req.Header)
	}
	return renewed
}

// via returns what token requests to an address are sent through: its host is
// one that the plan names.
func (c *Client) via(address string) http.RoundTripper {
	next := c.transport // the one of Options
	if next == nil {
		next = c.dialing(c.trusting(address))
	}
	if c.telemetry != nil {
		return observedTransport{c, next}
	}
	return next
}

// trusting is a guard that lets through to the host of an address that the plan
// names.
func (c *Client) trusting(address string) *egress.Guard {
	g, err := c.guard()
	if err != nil { // which New has said
		g = new(egress.Guard)
	}
	if u, err := url.Parse(address); err == nil {
		g.Trust(u.Hostname())
	}
	return g
}
