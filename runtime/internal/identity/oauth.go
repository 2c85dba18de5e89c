package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/mcpc-dev/mcpc/internal/egress"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	maxToken     = 16 << 10        // bytes of an access token
	maxDocument  = 1 << 20         // bytes of metadata, keys and introspection
	maxVerified  = 10_000          // tokens that are remembered
	verifiedFor  = 5 * time.Minute // at most
	introspected = time.Minute     // how long the answer of an introspection holds at most
	fetchTimeout = 10 * time.Second
	retryKeys    = 10 * time.Second // between two attempts to fetch keys
	refreshKeys  = 15 * time.Minute // keys are fetched again, at use
)

// DefaultAlgorithms are accepted when a spec names none: signatures with public
// keys. A shared secret (HS256) would let every verifier sign.
func DefaultAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// unavailable is the failure of the authorization server, not of the token.
type unavailable struct{ cause error }

func (u *unavailable) Error() string { return "the authorization server cannot be asked" }
func (u *unavailable) Unwrap() error { return u.cause }

// statusError is an answer other than 200.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// What an introspection may say besides that a token is active.
var (
	errInactive = errors.New("the token is not active")
	errNoActive = errors.New("the answer of the introspection does not say whether the token is active")
	errNoObject = errors.New("the answer of the introspection is no JSON object")
)

// issuer verifies the access tokens of one authorization server.
type issuer struct {
	name string
	plan.OAuth
	asked  plan.OAuth // as it was before the defaults
	keys   *keySet
	parser *jwt.Parser
	client *http.Client
	secret func(plan.Secret) (string, error)
	now    func() time.Time

	flights singleflight.Group  // of introspections, by the hash of the token
	asking  *semaphore.Weighted // that are under way

	mu       sync.Mutex
	verified map[[sha256.Size]byte]remembered
}

// remembered is a token that was verified.
type remembered struct {
	caller *Caller
	until  time.Time
}

func newIssuer(name string, p plan.OAuth, o Options, now func() time.Time, log *slog.Logger) (*issuer, error) {
	if p.Issuer == "" || len(p.Audience) == 0 || slices.Contains(p.Audience, "") || slices.Contains(p.Audience, "*") {
		return nil, errors.New("it needs an issuer and an audience")
	}
	asked := p
	if len(p.Algorithms) == 0 {
		p.Algorithms = DefaultAlgorithms()
	}
	for _, a := range p.Algorithms {
		if !slices.Contains(DefaultAlgorithms(), a) {
			return nil, fmt.Errorf("the algorithm %q is not one of public keys", a)
		}
	}
	if p.Subject == "" {
		p.Subject = "sub"
	}
	s := &issuer{name: name, OAuth: p, asked: asked, client: o.Client, secret: o.Secret, now: now, asking: semaphore.NewWeighted(maxAsking), verified: map[[sha256.Size]byte]remembered{}}
	if s.client == nil {
		guard, err := egress.New(nil, nil)
		if err != nil {
			return nil, err
		}
		// What the operator named may be inside a company; where its metadata leads
		// has to be public.
		guard.Others()
		named := []string{p.Issuer, p.JWKS}
		if p.Introspection != nil {
			named = append(named, p.Introspection.URL)
		}
		for _, text := range named {
			if u, err := url.Parse(text); err == nil && u.Host != "" {
				guard.Trust(u.Hostname())
			}
		}
		s.client = &http.Client{Transport: guard.Transport(), Timeout: fetchTimeout, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			return http.ErrUseLastResponse // what is asked is asked where the operator said
		}}
	}
	s.keys = &keySet{issuer: p.Issuer, location: p.JWKS, client: s.client, now: now, log: log}
	s.parser = jwt.NewParser(
		jwt.WithValidMethods(p.Algorithms),
		jwt.WithIssuer(p.Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(p.Skew),
		jwt.WithTimeFunc(now),
		jwt.WithJSONNumber(),
	)
	return s, nil
}

// verify returns who a token is of. An error is one sentence for the caller and
// repeats nothing of the token; or [unavailable].
func (s *issuer) verify(ctx context.Context, token string) (*Caller, error) {
	if len(token) > maxToken {
		return nil, errors.New("the token is too long")
	}
	var buf [1 << 10]byte // most tokens are shorter
	hash := sha256.Sum256(append(buf[:0], token...))
	if c := s.known(hash); c != nil {
		return c, nil
	}
	if s.Introspection != nil && !looksJWT(token) {
		return s.ask(ctx, hash, token)
	}
	c, err := s.parse(ctx, token)
	if err != nil {
		return nil, err
	}
	if s.Introspection != nil {
		// A token that verifies may have been revoked.
		return s.ask(ctx, hash, token)
	}
	s.remember(hash, c, verifiedFor)
	return c, nil
}

// known is the caller of a token that was verified a short while ago; nil for none.
func (s *issuer) known(hash [sha256.Size]byte) *Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.verified[hash]; ok && s.now().Before(r.until) {
		return r.caller
	}
	return nil
}

// remember keeps a caller for a while, and no longer than his token is good.
func (s *issuer) remember(hash [sha256.Size]byte, c *Caller, hold time.Duration) {
	now := s.now()
	until := now.Add(hold)
	if !c.Expires.IsZero() && c.Expires.Before(until) {
		until = c.Expires
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.verified) >= maxVerified {
		for h, r := range s.verified {
			if !now.Before(r.until) {
				delete(s.verified, h)
			}
		}
		if len(s.verified) >= maxVerified {
			clear(s.verified) // they are verified again, and that is all
		}
	}
	s.verified[hash] = remembered{c, until}
}

// looksJWT tells whether a token has the three parts of a signed JWT.
func looksJWT(token string) bool { return strings.Count(token, ".") == 2 }

// unverifiedIssuer is what a JWT says of its issuer, to find who can tell
// whether that is true.
func unverifiedIssuer(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// parse verifies a JWT as RFC 9068 and RFC 8725 have it.
func (s *issuer) parse(ctx context.Context, token string) (*Caller, error) {
	claims := jwt.MapClaims{}
	parsed, err := s.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, errors.New("the token has extensions that are not known")
		}
		for _, name := range []string{"typ", "kid"} {
			if _, text := t.Header[name].(string); t.Header[name] != nil && !text {
				return nil, errors.New("the header of the token cannot be read")
			}
		}
		// An ID token says who logged in, not what may be called.
		switch typ, _ := t.Header["typ"].(string); strings.ToLower(strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		case "", "jwt", "at+jwt":
		default:
			return nil, errors.New("the token is of another type than an access token")
		}
		kid, _ := t.Header["kid"].(string)
		return s.keys.key(ctx, kid, t.Method.Alg())
	})
	if err != nil {
		if down, ok := errors.AsType[*unavailable](err); ok {
			return nil, down
		}
		return nil, reason(err)
	}
	if !parsed.Valid {
		return nil, errors.New("the token is not valid")
	}
	audience, err := claims.GetAudience()
	if err != nil {
		return nil, errors.New("the audience of the token cannot be read")
	}
	return s.caller(token, claims, audience)
}

// reason says in a sentence of ours what a library says in words that may hold
// parts of the token.
func reason(err error) error {
	for _, known := range []struct {
		is   error
		says string
	}{
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "the token was issued in the future"},
		{jwt.ErrTokenInvalidIssuer, "the token is of another issuer"},
		{jwt.ErrTokenRequiredClaimMissing, "the token lacks a claim that is required"},
		{jwt.ErrTokenMalformed, "the token is no JWT"},
		{errUnknownKey, errUnknownKey.Error()},
		{jwt.ErrTokenSignatureInvalid, "the signature of the token is not valid"},
	} {
		if errors.Is(err, known.is) {
			return errors.New(known.says)
		}
	}
	return errors.New("the token cannot be verified")
}

// caller is who claims are about, once their issuer is known to have made them.
func (s *issuer) caller(token string, claims map[string]any, audience []string) (*Caller, error) {
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(s.Audience, a) }) {
		return nil, errors.New("the token is for another audience")
	}
	text := func(name string) string {
		if name == "" {
			return ""
		}
		v, _ := claims[name].(string)
		return v
	}
	c := &Caller{Identity: s.name, Claims: claims, token: secret.New(token), Principal: principal.Principal{Subject: text(s.Subject), Client: text(s.Client), Tenant: text(s.Tenant)}}
	if s.Client == "" {
		if c.Principal.Client = text("client_id"); c.Principal.Client == "" {
			c.Principal.Client = text("azp")
		}
	}
	if c.Principal.Subject == "" {
		return nil, fmt.Errorf("the token lacks the claim %s", s.Subject)
	}
	if s.Tenant != "" && c.Principal.Tenant == "" {
		return nil, fmt.Errorf("the token lacks the claim %s", s.Tenant)
	}
	switch scope := claims["scope"].(type) {
	case string:
		c.Scopes = strings.Fields(scope)
	case []any:
		c.Scopes = stringsOf(scope)
	}
	if scp, ok := claims["scp"].([]any); ok {
		c.Scopes = append(c.Scopes, stringsOf(scp)...)
	} else if scp := text("scp"); scp != "" {
		c.Scopes = append(c.Scopes, strings.Fields(scp)...)
	}
	slices.Sort(c.Scopes)
	if exp, err := jwt.MapClaims(claims).GetExpirationTime(); err == nil && exp != nil {
		c.Expires = exp.Time
	}
	return c, nil
}

func stringsOf(list []any) (out []string) {
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// maxAsking is how many tokens an authorization server is asked about at once. Those
// who make up tokens must not have it spend more than that on them.
const maxAsking = 32

// ask is introspect, once for all who wait for the same token.
func (s *issuer) ask(ctx context.Context, hash [sha256.Size]byte, token string) (*Caller, error) {
	answer := s.flights.DoChan(string(hash[:]), func() (any, error) {
		ctx := context.WithoutCancel(ctx) // who came first may leave first
		turn, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		if s.asking.Acquire(turn, 1) != nil {
			return nil, &unavailable{errors.New("it is asked about too many tokens at once")}
		}
		defer s.asking.Release(1)
		if c := s.known(hash); c != nil {
			return c, nil // of a flight that has just ended
		}
		c, err := s.introspect(ctx, token)
		if err == nil {
			s.remember(hash, c, introspected)
		}
		return c, err
	})
	select {
	case a := <-answer:
		c, _ := a.Val.(*Caller)
		return c, a.Err
	case <-ctx.Done():
		return nil, &unavailable{ctx.Err()}
	}
}

// introspect asks the authorization server about a token (RFC 7662).
func (s *issuer) introspect(ctx context.Context, token string) (*Caller, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	p := s.Introspection
	body := url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, strings.NewReader(body))
	if err != nil {
		return nil, &unavailable{err}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if p.Secret != nil && s.secret != nil {
		password, err := s.secret(*p.Secret)
		if err != nil {
			return nil, &unavailable{err}
		}
		r.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(password))
	}
	text, err := fetch(s.client, r)
	if err != nil {
		return nil, &unavailable{err}
	}
	claims := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		return nil, &unavailable{errNoObject}
	}
	switch active, said := claims["active"].(bool); {
	case !said:
		return nil, errNoActive
	case !active:
		return nil, errInactive
	}
	m := jwt.MapClaims(claims)
	// Whose token it is, is checked even though the right server says that it is
	// active: it may serve others as well.
	if iss, err := m.GetIssuer(); err != nil || iss != "" && iss != s.Issuer {
		return nil, errors.New("the token is of another issuer")
	}
	now := s.now()
	if exp, err := m.GetExpirationTime(); err != nil || exp != nil && now.After(exp.Add(s.Skew)) {
		return nil, errors.New("the token has expired")
	}
	if nbf, err := m.GetNotBefore(); err != nil || nbf != nil && now.Before(nbf.Add(-s.Skew)) {
		return nil, errors.New("the token is not valid yet")
	}
	audience, err := m.GetAudience()
	if err != nil {
		return nil, errors.New("the audience of the token cannot be read")
	}
	return s.caller(token, claims, audience)
}

// fetch sends a request and returns the body of a 200.
func fetch(c *http.Client, r *http.Request) ([]byte, error) {
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode != http.StatusOK:
		return nil, statusError(res.StatusCode)
	case len(text) > maxDocument:
		return nil, errors.New("the answer is too large")
	}
	return text, nil
}

// metadataURL is where the metadata of a protected resource is: its path comes
// after the well-known one (RFC 9728, section 3.1). "" when the resource is no
// URL.
func metadataURL(resource string) string {
	u, err := url.Parse(resource)
	if err != nil || u.Host == "" {
		return ""
	}
	u.Path = MetadataPath + strings.TrimSuffix(u.Path, "/")
	u.Fragment, u.RawPath = "", ""
	return u.String()
}

// MetadataAt tells whether a path is the one that challenges name for the metadata:
// it has another path of the server in it where a proxy leads that here. g may be nil.
func (g *Gate) MetadataAt(path string) bool {
	if g == nil || len(g.oauth) == 0 || !strings.HasPrefix(path, MetadataPath) {
		return false
	}
	u, err := url.Parse(metadataURL(g.resource))
	return err == nil && path == u.Path
}
