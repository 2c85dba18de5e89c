// Package identity finds out who calls over HTTP: by access tokens of OAuth
// 2.1, by API keys, or by certificates of TLS clients.
//
// It is a resource server and no more: it issues nothing and redirects nobody.
// What it cannot verify it refuses, with the challenge that leads a client to
// the right authorization server (RFC 9728, RFC 6750). Nothing it says repeats a
// credential.
package identity

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Caller is who calls, and what was established about him.
type Caller struct {
	Principal principal.Principal
	Identity  string   // name of the identity that accepted him
	Scopes    []string // sorted
	Claims    map[string]any
	Expires   time.Time // of the credential; zero is never

	token secret.Text
	once  sync.Once
	facts map[string]any // see Facts
}

// NewCaller is a caller who was identified elsewhere, by an access token.
func NewCaller(p principal.Principal, token string) *Caller {
	return &Caller{Principal: p, token: secret.New(token)}
}

// Token is the access token the caller came with, for exchanging it; "" for
// other credentials. It is a secret.
func (c *Caller) Token() string {
	if c == nil {
		return ""
	}
	return c.token.Reveal()
}

// Has tells whether a caller has all of the scopes.
func (c *Caller) Has(scopes []string) bool {
	for _, s := range scopes {
		if c == nil || !slices.Contains(c.Scopes, s) {
			return false
		}
	}
	return true
}

type callerKey struct{}

// With returns a context of work on behalf of c.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Of returns the caller of a context; nil when nobody was identified.
func Of(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// Refusal is why a caller is not let in, and what HTTP says of it.
type Refusal struct {
	Status    int
	Challenge string // value of WWW-Authenticate; "" for none
	Message   string
	After     time.Duration // Retry-After; 0 for none
}

// Options configure a [Gate]. The zero value works.
type Options struct {
	Client   *http.Client // for keys and introspection; nil is one with limits
	Secret   func(plan.Secret) (string, error)
	ReadFile func(string) ([]byte, error) // nil is os.ReadFile
	Logger   *slog.Logger
	Now      func() time.Time
	// Before is the gate of a server that this one's follows: of issuers that are
	// the same, keys and verified tokens are kept. Its secrets must be from the same
	// places. May be nil.
	Before *Gate
}

// Gate identifies callers. It is safe for concurrent use.
type Gate struct {
	oauth      []*issuer
	keys       []keyring
	keyHeaders []string
	certs      []*certificates
	resource   string // this server, as clients name it; "" when there is no OAuth
	scopes     []string
	log        *slog.Logger
	now        func() time.Time
}

// MetadataPath is where the metadata of this protected resource is (RFC 9728,
// section 3.1); the path of the resource is appended.
const MetadataPath = "/.well-known/oauth-protected-resource"

// New returns a gate, or nil when the plan asks for none: then everybody is let
// in, and nobody is known. tools adds the scopes that tools want to the metadata.
func New(list []plan.Identity, toolScopes []string, o Options) (*Gate, error) {
	if len(list) == 0 {
		return nil, nil
	}
	g := &Gate{log: o.Logger, now: o.Now, scopes: slices.Clone(toolScopes)}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.now == nil {
		g.now = time.Now
	}
	read := o.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	for _, i := range list {
		switch {
		case i.OAuth != nil:
			s := o.Before.issuer(i)
			if s == nil {
				var err error
				if s, err = newIssuer(i.Name, *i.OAuth, o, g.now, g.log); err != nil {
					return nil, fmt.Errorf("identity %s: %w", i.Name, err)
				}
			}
			g.oauth = append(g.oauth, s)
			if g.resource == "" {
				g.resource = s.Resource
				if g.resource == "" {
					g.resource = s.Audience[0]
				}
			}
			g.scopes = append(g.scopes, s.Scopes...)
		case i.Keys != nil:
			k, err := newKeyring(i.Name, *i.Keys)
			if err != nil {
				return nil, fmt.Errorf("identity %s: %w", i.Name, err)
			}
			k.Header = http.CanonicalHeaderKey(k.Header)
			g.keys = append(g.keys, k)
			if !slices.Contains(g.keyHeaders, k.Header) {
				g.keyHeaders = append(g.keyHeaders, k.Header)
			}
		case i.Client != nil:
			text, err := read(i.Client.CA)
			if err != nil {
				return nil, fmt.Errorf("identity %s: %w", i.Name, err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("identity %s: %s holds no certificate in PEM form", i.Name, i.Client.CA)
			}
			g.certs = append(g.certs, &certificates{name: i.Name, ClientCertificates: *i.Client, read: read, pool: pool, text: text, looked: time.Now()})
		default:
			return nil, fmt.Errorf("identity %s has no kind", i.Name)
		}
	}
	slices.Sort(g.scopes)
	g.scopes = slices.Compact(g.scopes)
	return g, nil
}

// issuer is the one of a gate that may be nil that verifies as the plan says.
func (g *Gate) issuer(p plan.Identity) *issuer {
	if g != nil {
		for _, s := range g.oauth {
			if s.name == p.Name && reflect.DeepEqual(s.asked, *p.OAuth) {
				return s
			}
		}
	}
	return nil
}

// Release closes connections that are not in use to issuers that next does not ask.
// Either may be nil.
func (g *Gate) Release(next *Gate) {
	if g == nil {
		return
	}
	for _, s := range g.oauth {
		if next == nil || !slices.Contains(next.oauth, s) {
			s.client.CloseIdleConnections()
		}
	}
}

// Identify finds out who sent a request. Of several credentials each must be
// valid: one that is not may be a mistake that the other hides.
func (g *Gate) Identify(r *http.Request) (*Caller, *Refusal) {
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return nil, g.malformed("a token in the query is in every log on its way: send it in the header Authorization")
	}
	var found *Caller
	if header := r.Header["Authorization"]; len(header) > 0 {
		scheme, token, _ := strings.Cut(header[0], " ")
		token = strings.TrimSpace(token)
		const other = "the header Authorization is not what this server takes"
		switch {
		case len(header) > 1:
			return nil, g.malformed("the header Authorization is there twice")
		case !strings.EqualFold(scheme, "Bearer") || len(g.oauth) == 0:
			// To this server it is as if nothing had come (RFC 6750, section 3.1).
			return nil, g.challenge("", other, nil)
		case token == "":
			return nil, g.malformed(other)
		}
		c, refusal := g.token(r.Context(), token)
		if refusal != nil {
			return nil, refusal
		}
		found = c
	}
	for _, header := range g.keyHeaders {
		values := r.Header[header]
		if len(values) == 0 {
			continue
		}
		c := g.key(header, values)
		if c == nil {
			return nil, g.challenge("invalid_token", "the key is not known or has expired", nil)
		}
		if found == nil {
			found = c
		}
	}
	if found == nil && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		for i := range g.certs {
			if c := g.certs[i].find(r.TLS.PeerCertificates, g.now()); c != nil {
				found = c
				break
			}
		}
	}
	if found == nil {
		return nil, g.challenge("", "who calls has to say who he is", nil)
	}
	return found, nil
}

// key is who comes with a key in a header, of all identities whose keys are sent in
// it; nil is nobody.
func (g *Gate) key(header string, values []string) *Caller {
	var found *Caller
	for i := range g.keys {
		if g.keys[i].Header != header {
			continue
		}
		if c := g.keys[i].find(values, g.now()); c != nil && found == nil {
			found = c
		}
	}
	return found
}

// asked are the issuers that may tell whose a token is: the one it says it is of,
// or all that are asked about tokens that say nothing.
func (g *Gate) asked(token string) []*issuer {
	if len(g.oauth) == 1 {
		return g.oauth
	}
	var list []*issuer
	iss := unverifiedIssuer(token)
	for _, s := range g.oauth {
		if iss != "" && s.Issuer == iss || iss == "" && s.Introspection != nil {
			list = append(list, s)
		}
	}
	if list == nil {
		return g.oauth[:1] // which says what is wrong
	}
	return list
}

// token verifies a bearer token.
func (g *Gate) token(ctx context.Context, token string) (*Caller, *Refusal) {
	var s *issuer
	var err error
	for _, one := range g.asked(token) {
		c, e := one.verify(ctx, token)
		if e == nil {
			if !c.Has(one.Scopes) {
				return nil, g.Insufficient(c, one.Scopes)
			}
			return c, nil
		}
		// That one cannot be asked comes first: the token may be good there.
		if down, ok := errors.AsType[*unavailable](err); !ok || down == nil {
			s, err = one, e
		}
	}
	if down, ok := errors.AsType[*unavailable](err); ok {
		g.log.WarnContext(ctx, "the authorization server cannot be asked", "identity", s.name, "error", down.cause)
		return nil, &Refusal{Status: http.StatusServiceUnavailable, After: retryKeys, Message: "tokens cannot be checked at the moment: the authorization server cannot be reached"}
	}
	g.log.InfoContext(ctx, "a token was refused", "identity", s.name, "reason", err)
	return nil, g.challenge("invalid_token", err.Error(), nil)
}

// KeyHeaders are the header fields that API keys are sent in; nil for none.
func (g *Gate) KeyHeaders() []string {
	if g == nil {
		return nil
	}
	return g.keyHeaders
}

// Insufficient is the refusal of a caller who lacks scopes: the challenge says
// what to ask for (step-up). That is all of it, what he has included, because the
// new token takes the place of the old one.
func (g *Gate) Insufficient(c *Caller, need []string) *Refusal {
	all := slices.Clone(need)
	for i, s := range g.oauth {
		// A token is of one issuer; who came with something else may get one of the first.
		if c != nil && c.Identity == s.name || i == 0 && (c == nil || c.Token() == "") {
			all = append(all, s.Scopes...)
		}
	}
	what := "the token"
	if c != nil {
		if all = append(all, c.Scopes...); c.Token() == "" {
			what = "the caller"
		}
	}
	slices.Sort(all)
	r := g.challenge("insufficient_scope", what+" lacks a scope: "+strings.Join(need, " "), slices.Compact(all))
	r.Status = http.StatusForbidden
	return r
}

// malformed is the refusal of a request that shows a token in a way that it must not
// (RFC 6750, section 3.1).
func (g *Gate) malformed(message string) *Refusal {
	r := g.challenge("invalid_request", message, nil)
	r.Status = http.StatusBadRequest
	return r
}

// challenge is a refusal with a challenge of RFC 6750 and RFC 9728. code is ""
// for a request without any credential.
func (g *Gate) challenge(code, message string, scopes []string) *Refusal {
	r := &Refusal{Status: http.StatusUnauthorized, Message: message}
	if len(g.oauth) == 0 {
		if len(g.keys) > 0 {
			r.Challenge = "ApiKey"
		}
		return r
	}
	var parts []string
	add := func(name, value string) { parts = append(parts, name+"="+quoted(value)) }
	if url := metadataURL(g.resource); url != "" {
		add("resource_metadata", url)
	}
	if code != "" {
		add("error", code)
		add("error_description", message)
	}
	if len(scopes) == 0 {
		scopes = g.oauth[0].Scopes
	}
	if len(scopes) > 0 {
		add("scope", strings.Join(scopes, " "))
	}
	r.Challenge = "Bearer " + strings.Join(parts, ", ")
	return r
}

// quoted is a quoted-string of RFC 9110 of printable ASCII.
func quoted(s string) string {
	return strconv.Quote(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s))
}

// Metadata is the document that tells clients where to get tokens (RFC 9728), or
// nil when there is no OAuth.
func (g *Gate) Metadata() []byte {
	if len(g.oauth) == 0 {
		return nil
	}
	doc := struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported,omitempty"`
		Methods  []string `json:"bearer_methods_supported"`
	}{Resource: g.resource, Scopes: g.scopes, Methods: []string{"header"}}
	for _, s := range g.oauth {
		doc.Servers = append(doc.Servers, s.Issuer)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // strings always marshal
	}
	return b
}

// WantsCertificates tells whether TLS clients shall be asked for a certificate.
// Which ones are accepted, Identify decides.
func (g *Gate) WantsCertificates() bool { return g != nil && len(g.certs) > 0 }

// keyring is an identity of API keys.
type keyring struct {
	name string
	plan.APIKeys
	hashes  [][sha256.Size]byte
	callers []*Caller // who comes with which key
}

func newKeyring(name string, p plan.APIKeys) (keyring, error) {
	k := keyring{name: name, APIKeys: p}
	if k.Header == "" {
		return k, errors.New("no header is named")
	}
	for _, key := range p.Keys {
		b, err := hex.DecodeString(key.Hash)
		if err != nil || len(b) != sha256.Size {
			return k, fmt.Errorf("the hash of key %s is no SHA-256", key.Name)
		}
		k.hashes = append(k.hashes, [sha256.Size]byte(b))
		c := &Caller{Identity: name, Scopes: slices.Sorted(slices.Values(key.Scopes)), Principal: principal.Principal{Tenant: key.Tenant, Subject: cmp.Or(key.Subject, key.Name), Client: key.Client}}
		if key.Expires != 0 {
			c.Expires = time.Unix(key.Expires, 0)
		}
		k.callers = append(k.callers, c)
	}
	return k, nil
}

// find compares with all keys in the same time, whichever fits.
func (k *keyring) find(values []string, now time.Time) *Caller {
	if len(values) != 1 {
		return nil
	}
	hash := sha256.Sum256([]byte(values[0]))
	at := -1
	for i := range k.hashes {
		if subtle.ConstantTimeCompare(hash[:], k.hashes[i][:]) == 1 {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	c := k.callers[at]
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		return nil
	}
	return c
}

// certificates is an identity of TLS clients.
type certificates struct {
	name string
	plan.ClientCertificates
	read func(string) ([]byte, error)

	mu     sync.Mutex
	pool   *x509.CertPool
	text   []byte // of the file that pool is made of
	looked time.Time
}

// lookEvery is how often the file of the authorities is looked at again.
const lookEvery = time.Minute

// roots are the authorities. A file that cannot be read, or holds none, may be
// half-written: those in use stay.
func (c *certificates) roots() *x509.CertPool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.pool
	}
	c.looked = time.Now()
	text, err := c.read(c.CA)
	if err != nil || bytes.Equal(text, c.text) {
		return c.pool
	}
	if pool := x509.NewCertPool(); pool.AppendCertsFromPEM(text) {
		c.pool, c.text = pool, text
	}
	return c.pool
}

// Refresh has files that are kept for a while looked at at the next use. g may be
// nil.
func (g *Gate) Refresh() {
	if g == nil {
		return
	}
	for _, c := range g.certs {
		c.mu.Lock()
		c.looked = time.Time{}
		c.mu.Unlock()
	}
}

func (c *certificates) find(chain []*x509.Certificate, now time.Time) *Caller {
	leaf := chain[0]
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: c.roots(), Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil
	}
	uris := make([]string, len(leaf.URIs))
	for i, u := range leaf.URIs {
		uris[i] = u.String()
	}
	for kind, names := range [][]string{dnsName: leaf.DNSNames, email: leaf.EmailAddresses, uri: uris} {
		for _, name := range names {
			for _, pattern := range c.Names {
				if about(pattern, kind) && matches(pattern, name) {
					return &Caller{Identity: c.name, Scopes: slices.Sorted(slices.Values(c.Scopes)), Expires: leaf.NotAfter,
						Principal: principal.Principal{Tenant: c.Tenant, Subject: name}}
				}
			}
		}
	}
	return nil
}

// Kinds of the names in a certificate.
const (
	dnsName = iota
	email
	uri
)

// about tells whether a pattern is about names of a kind. An authority that gives
// out one kind with care may give out another freely: a DNS name that reads like a
// URI is none.
func about(pattern string, kind int) bool {
	switch {
	case pattern == "*":
		return true
	case strings.ContainsAny(pattern, ":/"):
		return kind == uri
	case strings.Contains(pattern, "@"):
		return kind == email
	}
	return kind == dnsName
}

// matches compares a name with a pattern in which * is any text.
func matches(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for i := 0; i <= len(name); i++ {
		if matches(rest, name[i:]) {
			return true
		}
	}
	return false
}
