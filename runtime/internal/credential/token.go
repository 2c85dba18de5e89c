// Package credential gets the tokens that calls to upstreams need.
//
// A [Tokens] asks one authorization server on behalf of one client. It keeps
// what it got until shortly before it expires, separately for each caller whose
// token is exchanged, and asks once however many calls wait. No error holds a
// secret, a token or text that the server wrote.
package credential

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	askTimeout  = 10 * time.Second
	maxAnswer   = 256 << 10 // bytes of a token answer
	maxToken    = 64 << 10  // bytes of a token
	maxHeld     = 10000     // tokens kept
	maxSkew     = 30 * time.Second
	statementIn = 2 * time.Minute // how long a client's signed statement is valid
	// defaultLife is that of a token whose answer does not say (RFC 6749 only
	// recommends it). maxLife bounds what is said.
	defaultLife = 5 * time.Minute
	maxLife     = 24 * time.Hour
	// A server that refused is left alone for a moment, so that it does not get
	// as many requests as there are calls, and does not lock the client out.
	restAfterRefusal = 5 * time.Second
	restAfterFailure = time.Second
)

// Words of OAuth.
const (
	grantClient   = "client_credentials"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // a name
	bearerJWT     = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	accessToken   = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // a name
)

// Ask is what a token depends on besides the plan.
type Ask struct {
	// Secret is the client's password or, in PEM form, its private key; "" for a
	// public client.
	Secret  secret.Text
	Subject secret.Text // the caller's token, to be exchanged; "" for a token of the client itself
}

// key does not hold what it is made of.
type key [sha256.Size]byte

func (a Ask) key() (k key) {
	h := sha256.New()
	password := a.Secret.Reveal()
	fmt.Fprintf(h, "%d:%s%s", len(password), password, a.Subject.Reveal())
	h.Sum(k[:0])
	return k
}

// Error is why there is no token, in words that may be shown.
type Error struct {
	// Code is the error code of the server (RFC 6749, section 5.2); "" when it
	// gave none.
	Code    string
	Message string // completes "no token could be had: "
	Status  int    // that of the answer; 0 when there was none, or it was 200
	// Passing tells that it may be different soon.
	Passing bool
	// Wait is how long nothing is tried again; 0 when that is not said.
	Wait time.Duration
}

func (e *Error) Error() string { return e.Message }

// held is a token, or why there is none.
type held struct {
	token secret.Text
	scope string // that the server says it has; "" mostly
	err   *Error
	until time.Time
}

// Tokens gets tokens. It is safe for concurrent use.
type Tokens struct {
	plan      plan.OAuthClient
	transport http.RoundTripper
	now       func() time.Time
	flights   singleflight.Group

	mu   sync.Mutex
	held map[key]held
}

// New returns a source of tokens that asks through transport.
func New(p plan.OAuthClient, transport http.RoundTripper) (*Tokens, error) {
	u, err := url.Parse(p.TokenURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the token URL %q is none", p.TokenURL)
	}
	if p.Alg != "" && jwt.GetSigningMethod(p.Alg) == nil {
		return nil, fmt.Errorf("the algorithm %q is not known", p.Alg)
	}
	return &Tokens{plan: p, transport: transport, now: time.Now, held: map[key]held{}}, nil
}

// CloseIdleConnections closes connections that are not in use.
func (t *Tokens) CloseIdleConnections() {
	if c, ok := t.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Token returns a token, and whether it was asked for just now rather than
// kept. The error is an [*Error], or that of ctx.
func (t *Tokens) Token(ctx context.Context, a Ask) (token string, fresh bool, err error) {
	k := a.key()
	if h, ok := t.get(k); ok {
		if h.err != nil {
			return "", false, h.err
		}
		return h.token.Reveal(), false, nil
	}
	// The answer is for all who wait: one who goes away does not end it.
	detached := context.WithoutCancel(ctx)
	flight := t.flights.DoChan(string(k[:]), func() (any, error) {
		if h, ok := t.get(k); ok {
			return h, nil // another flight ended in between
		}
		ctx, cancel := context.WithTimeout(detached, askTimeout)
		defer cancel()
		h := t.ask(ctx, a)
		t.put(k, h)
		return h, nil
	})
	select {
	case r := <-flight:
		h, _ := r.Val.(held)
		if h.err != nil {
			return "", true, h.err
		}
		return h.token.Reveal(), true, nil
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

// Granted is what a token request came to.
type Granted struct {
	// Scopes are those of the token; nil when the server did not say: then it has
	// those that were asked for (RFC 6749, section 5.1).
	Scopes []string
	Life   time.Duration // until it is replaced
}

// Try asks for a token that nobody uses, whatever is kept. The error is an
// [*Error].
func (t *Tokens) Try(ctx context.Context, a Ask) (Granted, error) {
	h := t.ask(ctx, a)
	if h.err != nil {
		return Granted{}, h.err
	}
	g := Granted{Life: time.Until(h.until)}
	if h.scope != "" {
		g.Scopes = strings.Fields(h.scope)
	}
	return g, nil
}

// Forget drops a token that an upstream refused, unless it was replaced already.
func (t *Tokens) Forget(a Ask, token string) {
	k := a.key()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[k].token.Reveal() == token {
		delete(t.held, k)
	}
}

func (t *Tokens) get(k key) (held, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.held[k]
	if ok && !t.now().Before(h.until) {
		delete(t.held, k)
		return held{}, false
	}
	return h, ok
}

func (t *Tokens) put(k key, h held) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.held) >= maxHeld {
		now := t.now()
		for old, h := range t.held {
			if !now.Before(h.until) {
				delete(t.held, old)
			}
		}
		for old := range t.held { // any: it is got again
			if len(t.held) < maxHeld {
				break
			}
			delete(t.held, old)
		}
	}
	t.held[k] = h
}

// ask makes the request.
func (t *Tokens) ask(ctx context.Context, a Ask) held {
	fail := func(e *Error) held {
		rest := restAfterRefusal
		if e.Passing {
			rest = restAfterFailure
		}
		return held{err: e, until: t.now().Add(rest)}
	}
	req, err := t.request(ctx, a)
	if err != nil {
		return fail(&Error{Message: err.Error()})
	}
	res, err := t.transport.RoundTrip(req)
	if err != nil {
		return fail(&Error{Passing: true, Message: "the authorization server cannot be reached"})
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return fail(&Error{Passing: err != nil, Message: "the authorization server gave no whole answer"})
	}
	if res.StatusCode != http.StatusOK {
		return fail(refusal(res.StatusCode, body))
	}
	token, scope, life, problem := read(body)
	if problem != "" {
		return fail(&Error{Message: problem})
	}
	return held{token: secret.New(token), scope: scope, until: t.now().Add(life - min(maxSkew, life/4))}
}

// request makes a token request (RFC 6749, section 4.4; RFC 8693, section 2.1).
func (t *Tokens) request(ctx context.Context, a Ask) (*http.Request, error) {
	p := &t.plan
	form := url.Values{"grant_type": {grantClient}}
	if p.SubjectType != "" {
		form = url.Values{
			"grant_type": {grantExchange}, "subject_token": {a.Subject.Reveal()}, "subject_token_type": {p.SubjectType},
			"requested_token_type": {accessToken},
		}
	}
	for name, v := range map[string]string{"scope": strings.Join(p.Scopes, " "), "audience": p.Audience, "resource": p.Resource} {
		if v != "" {
			form.Set(name, v)
		}
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}, "User-Agent": {"mcpc"}}
	switch {
	case p.Alg != "":
		statement, err := t.statement(a.Secret.Reveal())
		if err != nil {
			return nil, err
		}
		form.Set("client_assertion_type", bearerJWT)
		form.Set("client_assertion", statement)
		form.Set("client_id", p.ClientID)
	case a.Secret.IsZero():
		form.Set("client_id", p.ClientID)
	case p.Post:
		form.Set("client_id", p.ClientID)
		form.Set("client_secret", a.Secret.Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("the token URL is none")
	}
	req.Header = header
	if p.Alg == "" && !a.Secret.IsZero() && !p.Post {
		// Both are encoded like a form first (RFC 6749, section 2.3.1).
		req.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(a.Secret.Reveal()))
	}
	return req, nil
}

// statement says who the client is (RFC 7523, section 3).
func (t *Tokens) statement(pem string) (string, error) {
	var (
		signer any
		err    error
	)
	switch t.plan.Alg[:2] {
	case "RS", "PS":
		signer, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(pem))
	case "ES":
		signer, err = jwt.ParseECPrivateKeyFromPEM([]byte(pem))
	default:
		signer, err = jwt.ParseEdPrivateKeyFromPEM([]byte(pem))
	}
	if err != nil {
		return "", fmt.Errorf("the private key is none for %s, in PEM form", t.plan.Alg)
	}
	now := t.now()
	j := jwt.NewWithClaims(jwt.GetSigningMethod(t.plan.Alg), jwt.MapClaims{
		"iss": t.plan.ClientID, "sub": t.plan.ClientID, "aud": t.plan.TokenURL,
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(statementIn).Unix(),
	})
	if t.plan.KeyID != "" {
		j.Header["kid"] = t.plan.KeyID
	}
	signed, err := j.SignedString(signer)
	if err != nil {
		return "", fmt.Errorf("the private key does not fit %s", t.plan.Alg)
	}
	return signed, nil
}

// refusals are the error codes of RFC 6749 (section 5.2), RFC 8693, RFC 8707 and
// those that are sent for failures of the server.
var refusals = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"invalid_target", "access_denied", "server_error", "temporarily_unavailable", "slow_down", "invalid_token", "insufficient_scope"}

// refusal reads an error answer. Of its text only the code is taken, if it is one
// that is known: all else may repeat what was sent.
func refusal(status int, body []byte) *Error {
	var answer struct {
		Error string `json:"error"`
	}
	e := &Error{Status: status, Passing: status >= http.StatusInternalServerError || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout}
	if json.Unmarshal(body, &answer) == nil && slices.Contains(refusals, answer.Error) {
		e.Code = answer.Error
	}
	e.Message = fmt.Sprintf("the authorization server answered %d", status)
	if e.Code != "" {
		e.Message += " (" + e.Code + ")"
	}
	return e
}

// read reads a token answer (RFC 6749, section 5.1).
func read(body []byte) (token, scope string, life time.Duration, problem string) {
	var answer struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
		Life  any    `json:"expires_in"` // some write it as text
		Scope any    `json:"scope"`      // and this as a list
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	switch err := d.Decode(&answer); {
	case err != nil:
		return "", "", 0, "the authorization server's answer is no JSON object"
	case answer.Token == "" || len(answer.Token) > maxToken || strings.ContainsFunc(answer.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", "", 0, "the authorization server's answer holds no token that can be sent"
	case answer.Type != "" && !strings.EqualFold(answer.Type, "bearer"):
		return "", "", 0, "the authorization server gave a token of a kind that cannot be sent; it has to be a bearer token"
	}
	life = defaultLife
	if answer.Life != nil {
		n, err := json.Number(fmt.Sprint(answer.Life)).Float64()
		if err == nil && n >= 0 {
			life = time.Duration(min(n, maxLife.Seconds()) * float64(time.Second))
		}
	}
	scope, _ = answer.Scope.(string)
	return answer.Token, scope, life, ""
}
