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
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
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
		password, err := plain(c.secret, &k.env)
		if err != nil {
			if errors.Is(err, errMissing) && !k.dry {
				return &Failure{
					Kind:    KindCredential,
					Message: fmt.Sprintf("No token for %s could be asked for: the %s is not set. Nothing was sent.", lower(k.name), c.from),
					Next:    "The operator of this server has to set it.",
				}
			}
			return err
		}
		ask.Secret = sealed.New(password)
		a.know(password)
	}
	if k.dry {
		a.names = append(a.names, c.Name)
		a.items = append(a.items, bearer(from, hidden))
		return nil
	}
	if c.OfCaller() {
		if ask.Subject = sealed.New(callerToken(ctx, k.who)); ask.Subject.IsZero() {
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
	it := bearer(from, ask.Subject.Reveal())
	if c.tokens != nil {
		token, fresh, err := c.tokens.Token(ctx, ask)
		if e, ok := errors.AsType[*tokens.Error](err); ok && e.Code == "invalid_client" && k.changed(c.slow) {
			password, err2 := plain(c.secret, &k.env)
			if err2 != nil {
				return err2
			}
			ask.Secret = sealed.New(password)
			a.know(password)
			token, fresh, err = c.tokens.Token(ctx, ask)
		}
		if err != nil {
			return k.noToken(ctx, c, err)
		}
		it.value, it.tokens, it.ask, it.fresh = sealed.New(token), c.tokens, ask, fresh
	}
	a.names = append(a.names, c.Name)
	a.know(it.value.Reveal())
	if !c.OfCaller() {
		c.learn(it.value.Reveal(), k.learn)
	}
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
func (k *call) renew(ctx context.Context, a *Answer) (renewed bool, fail *Failure) {
	if k.renewed {
		return false, nil
	}
	k.renewed = true
	renewed = k.sent.login != nil && k.sent.login.Take(k.req.URL.Host, a.Header)
	if s := k.sent.session; s != nil && !s.fresh && s.over(k.at, a) {
		s.store.Forget(s.owner, s.now)
		if fail := k.open(ctx, s); fail != nil {
			return false, fail
		}
		renewed = true
	}
	if again, fail := k.reread(ctx); fail != nil || again {
		return again, fail
	}
	for i := range k.sent.items {
		it := &k.sent.items[i]
		if it.tokens == nil || it.fresh {
			continue
		}
		it.tokens.Forget(it.ask, it.value.Reveal())
		token, _, err := it.tokens.Token(ctx, it.ask)
		if err != nil || token == it.value.Reveal() {
			continue // the answer 401 stands
		}
		it.value, renewed = sealed.New(token), true
		k.sent.know(token)
		if it.ask.Subject.IsZero() {
			k.learn(token)
		}
	}
	if renewed {
		k.sent.header(k.req.Header)
	}
	return renewed, nil
}

// changed asks again for secrets that were refused, and tells whether one is
// another now.
func (k *call) changed(list []plan.Secret) (any bool) {
	for _, s := range list {
		any = k.renewal != nil && k.renewal(s) || any
	}
	return any
}

// reread makes the credentials of the call again if a secret that is sent as it
// is has changed since.
func (k *call) reread(ctx context.Context) (again bool, fail *Failure) {
	for _, name := range k.sent.names {
		if c := k.credentials[name]; c != nil && c.logins == nil && c.tokens == nil {
			again = k.changed(c.slow) || again
		}
	}
	if !again {
		return false, nil
	}
	a, lacks, err := k.try(ctx, k.sent.names)
	if f, ok := errors.AsType[*Failure](err); ok {
		return false, f
	}
	if err != nil || lacks != nil {
		return false, nil //nolint:nilerr // the answer 401 stands
	}
	k.sent.dropCookies(k.req.Header)
	a.secrets = append(a.secrets, k.sent.secrets...)
	a.missing = k.sent.missing
	k.use(a)
	k.sent.header(k.req.Header)
	return true, nil
}

// refused looks whether an answer refuses the credentials of the call, and
// whether it can be made again with others.
func (k *call) refused(ctx context.Context, a *Answer) (again bool, fail *Failure) {
	switch s := k.sent.session; {
	case a.Status == http.StatusUnauthorized:
		return k.renew(ctx, a)
	case s != nil && s.over(k.at, a):
		return k.resume(ctx, a)
	}
	return false, nil
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

// toBase is a guard that lets through to the base URL as calls go there.
func (c *Client) toBase() *egress.Guard {
	g := c.trusting("")
	if c.base != nil {
		c.admit(g, c.base.Hostname())
	}
	return g
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
