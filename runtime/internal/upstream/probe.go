package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	tokens "github.com/mcpc-dev/mcpc/runtime/internal/credential"
	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Probe goes the way to the upstream, with its own TLS and rules for addresses.
func (c *Client) Probe(ctx context.Context) []probe.Finding {
	if c.plan.BaseURL == "" {
		return []probe.Finding{probe.Problem("address", probe.Fail, "Give a base_url, or --base-url.", "the address of the service is not known")}
	}
	t := probe.Target{URL: c.plan.BaseURL, Dial: c.dialing(c.toBase()).DialContext}
	if s, ok := c.transport.(*secured); ok {
		ready, err := s.ready()
		if err != nil {
			return []probe.Finding{probe.Problem("tls", probe.Fail, "Correct the files of tls in the api.", "%v", err)}
		}
		t.TLS = ready.TLSClientConfig
	}
	return probe.Service(ctx, t)
}

// ProbeCredentials looks whether the secrets of the credentials are there, and
// whether authorization servers give tokens for them.
func (c *Client) ProbeCredentials(ctx context.Context) (list []probe.Finding) {
	usable := 0
	for i := range c.plan.Credentials {
		found := c.probe(ctx, c.credentials[c.plan.Credentials[i].Name])
		if !slices.ContainsFunc(found, func(f probe.Finding) bool { return f.Status == probe.Fail && f.Check == "secret" }) {
			usable++
		}
		list = append(list, found...)
	}
	if usable > 0 {
		// A document may name more ways to authenticate than anybody uses.
		for i := range list {
			if list[i].Check == "secret" && list[i].Status == probe.Fail {
				list[i].Status = probe.Warn
			}
		}
	}
	return list
}

func (c *Client) probe(ctx context.Context, cred *credential) (list []probe.Finding) {
	fail := func(check, next, format string, a ...any) []probe.Finding {
		return append(list, probe.Problem(check, probe.Fail, next, "credential %s: "+format, append([]any{cred.Name}, a...)...))
	}
	if cred.logins != nil {
		return c.probeLogin(ctx, cred)
	}
	var ask tokens.Ask
	for what, f := range map[string]func() (string, error){
		"value": func() (string, error) { return plain(cred.secret, &c.env) },
		"user":  func() (string, error) { return plain(cred.user, &c.env) },
	} {
		if what == "value" && cred.secret == nil || what == "user" && cred.user == nil {
			continue
		}
		v, err := f()
		switch {
		case errors.Is(err, errMissing):
			return fail("secret", "Set it where the server runs.", "the %s is not set", cred.from)
		case slow(err) != "":
			return fail("secret", "Look at where it comes from.", "the %s could not be had: %s", cred.from, slow(err))
		case err != nil:
			return fail("secret", "Correct the expression in the spec.", "its value cannot be made of the %s", cred.from)
		}
		if what == "value" {
			ask.Secret = sealed.New(v)
		}
	}
	if cred.from != "" {
		list = append(list, probe.Found("secret", "credential %s: the %s is set", cred.Name, cred.from))
	}
	if cred.tokens == nil {
		return list
	}
	// What the endpoint answers to a GET is nobody's matter: the way to it and its
	// clock are.
	for _, f := range probe.Service(ctx, c.probeTarget(cred.OAuth.TokenURL)) {
		if f.Status == probe.OK || f.Check == "http" && f.Status == probe.Warn {
			continue
		}
		away := f.Status == probe.Fail && f.Check != "clock"
		f.Detail = fmt.Sprintf("credential %s: %s of the token URL: %s", cred.Name, f.Check, f.Detail)
		if f.Check != "clock" {
			f.Check = "token"
		}
		if list = append(list, f); away {
			return list
		}
	}
	if cred.OfCaller() {
		// There is no caller to exchange a token of. What is no token is refused as
		// such by a server that knows the client and exchanges tokens for it.
		ask.Subject = sealed.New("mcpc-doctor")
	}
	got, err := cred.tokens.Try(ctx, ask)
	refused, _ := errors.AsType[*tokens.Error](err)
	switch {
	case cred.OfCaller() && err == nil:
		return fail("token", "Do not use this authorization server before it verifies the tokens that it exchanges.", "a token was given for a caller's token that is none")
	case cred.OfCaller() && refused != nil && refused.Status < http.StatusInternalServerError && slices.Contains([]string{"invalid_request", "invalid_grant", "invalid_token"}, refused.Code):
		return append(list, probe.Found("token", "credential %s: tokens are exchanged: one of no caller was refused as such (%s)", cred.Name, refused.Code))
	case err != nil:
		return fail("token", tokenNext(refused, cred.OAuth), "no token: %v", err)
	}
	var lacking []string
	for _, s := range cred.OAuth.Scopes {
		if got.Scopes != nil && !slices.Contains(got.Scopes, s) {
			lacking = append(lacking, s)
		}
	}
	if lacking != nil {
		return append(list, probe.Problem("token", probe.Warn, "Have the client allowed these scopes, or do not ask for them.", "credential %s: a token without the scopes %s", cred.Name, strings.Join(lacking, " ")))
	}
	return append(list, probe.Found("token", "credential %s: a token for %s, with the scopes asked for%s", cred.Name, got.Life.Round(time.Second), inParentheses(cred.OAuth.Scopes)))
}

// tokenNext is what to do about a token that was not given.
func tokenNext(e *tokens.Error, o *plan.OAuthClient) string {
	grant := "client_credentials"
	if o.SubjectType != "" {
		grant = "urn:ietf:params:oauth:grant-type:token-exchange"
	}
	switch {
	case e == nil:
		return "Ask again with a longer --timeout."
	case e.Code == "unauthorized_client", e.Code == "unsupported_grant_type", e.Code == "access_denied":
		return "Have the authorization server allow the client the grant " + grant + "."
	case e.Code == "invalid_scope", e.Code == "insufficient_scope":
		return "Have the client allowed the scopes, or correct them in the spec: they are" + orNone(inParentheses(o.Scopes)) + "."
	case e.Code == "invalid_target":
		return "Correct audience or resource in the spec, or have the client allowed to ask for it."
	case e.Code == "invalid_client", e.Status == http.StatusUnauthorized:
		if o.Alg != "" {
			return "Register the public key of the client, or correct client_id, the private key, its key_id and its algorithm."
		}
		return "Correct client_id or client_secret, or how it is sent: client_auth is basic (header) or post (body)."
	case e.Status == http.StatusTooManyRequests, e.Code == "slow_down":
		return "Wait: the authorization server is asked too often."
	case e.Status == http.StatusNotFound, e.Status == http.StatusMethodNotAllowed, e.Status >= 300 && e.Status < 400:
		return "Correct token_url: no token endpoint is there."
	case e.Status >= http.StatusInternalServerError:
		return "The authorization server fails; look at its logs."
	case e.Status != 0:
		return "See in the logs of the authorization server why it refuses what the spec asks for."
	case e.Passing:
		return "See whether the token URL answers a POST from here in time."
	}
	if strings.HasPrefix(e.Message, "the private key") {
		return "Give the client's private key in PEM form, and of the kind that the algorithm wants."
	}
	return "Correct token_url: what is there does not answer as a token endpoint does."
}

func orNone(s string) string {
	if s == "" {
		return " none"
	}
	return s
}

// slow is why a secret of a program or of Vault could not be had; "" when it was.
func slow(err error) string {
	if e, ok := errors.AsType[*sealed.Error](err); ok {
		return e.Message
	}
	return ""
}

// probeLogin logs in, and out again.
func (c *Client) probeLogin(ctx context.Context, cred *credential) []probe.Finding {
	problem := func(check, next, format string, a ...any) []probe.Finding {
		return []probe.Finding{probe.Problem(check, probe.Fail, next, "credential %s: "+format, append([]any{cred.Name}, a...)...)}
	}
	k := &call{Client: c, req: &request.Request{Method: http.MethodGet, URL: c.base}, sent: nothing, start: time.Now()}
	account, _, err := k.account(cred.logins)
	switch {
	case slow(err) != "":
		return problem("secret", "Look at where it comes from.", "the %s could not be had: %s", cred.from, slow(err))
	case err != nil:
		return problem("secret", "Set it where the server runs.", "the %s is not set", cred.from)
	case c.base == nil:
		return nil // which is said of the address
	}
	s := &session{logins: cred.logins, name: cred.Name, slow: cred.slow, owner: tokens.Owner{Account: account}}
	if f := k.open(ctx, s); f != nil {
		return problem("session", "Check the request of the login, its secrets, and what success says.", "%s", f.Message)
	}
	if s.fresh {
		s.store.Forget(s.owner, s.now)
		if s.logout != nil {
			c.leave(ctx, s.logins, s.now)
		}
	}
	return []probe.Finding{probe.Found("session", "credential %s: a login gives a session", cred.Name)}
}

func (c *Client) probeTarget(address string) probe.Target {
	return probe.Target{URL: address, Dial: c.dialing(c.trusting(address)).DialContext}
}

func inParentheses(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", strings.Join(scopes, " "))
}
