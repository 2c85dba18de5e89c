package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

// errUnknownKey is a token signed with a key the issuer does not publish.
var errUnknownKey = errors.New("the token is signed with an unknown key")

// keySet is the public keys of an issuer. They are fetched when they are first
// needed, so a server starts while its authorization server is down; again when
// a token names a key that is not there (rotation), but not more often than
// every [retryKeys]; and now and then. Keys that are there stay until they are
// replaced.
type keySet struct {
	issuer   string
	location string // of the JWK set; "" until it was found
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger

	mu      sync.Mutex
	keys    []publicKey
	tried   time.Time // the last fetch began
	fetched time.Time // the last good one
	failure error     // of the last one
	running chan struct{}
}

type publicKey struct {
	id, algorithm string
	key           any
}

// weakRSA is the size of RSA keys, in bits, below which none is trusted (RFC 7518,
// section 3.3).
const weakRSA = 2048

// algorithmsOf are those that a key can verify: those of its kind (RFC 7518, section
// 3.1), of which it may say that it is for one. Nil is a key that is not for
// signatures, or too weak for them.
func algorithmsOf(k publicKey) []string {
	var list []string
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= weakRSA {
			list = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256:
			list = []string{"ES256"}
		case 384:
			list = []string{"ES384"}
		case 521:
			list = []string{"ES512"}
		}
	case ed25519.PublicKey:
		list = []string{"EdDSA"}
	}
	if k.algorithm == "" {
		return list
	}
	if slices.Contains(list, k.algorithm) {
		return []string{k.algorithm}
	}
	return nil
}

// key returns the key for a token's header. alg is checked against the key's
// kind and its own algorithm, so that no key is used in a way that it was not made
// for.
func (s *keySet) key(ctx context.Context, id, alg string) (any, error) {
	s.mu.Lock()
	k, ok := s.find(id, alg)
	fresh := s.now().Sub(s.fetched) < refreshKeys
	recent := s.now().Sub(s.tried) < retryKeys
	s.mu.Unlock()
	switch {
	case ok && (fresh || recent):
		return k, nil
	case ok: // good enough for this call
		go func() { _ = s.refresh(context.WithoutCancel(ctx)) }() // logged there
		return k, nil
	}
	if err := s.refresh(ctx); err != nil {
		return nil, &unavailable{err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.find(id, alg); ok {
		return k, nil
	}
	return nil, errUnknownKey
}

// find looks for a key. A token without a key id takes the only key of its
// algorithm's kind.
func (s *keySet) find(id, alg string) (any, bool) {
	var found any
	n := 0
	for _, k := range s.keys {
		if (k.id == id || id == "") && slices.Contains(algorithmsOf(k), alg) {
			found = k.key
			n++
		}
	}
	return found, n == 1 || n > 1 && id != ""
}

// refresh fetches the keys, unless that was tried a moment ago. Who comes while
// it runs waits for it.
func (s *keySet) refresh(ctx context.Context) error {
	s.mu.Lock()
	if wait := s.running; wait != nil {
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failure
	}
	if s.now().Sub(s.tried) < retryKeys && !s.tried.IsZero() {
		defer s.mu.Unlock()
		return s.failure
	}
	s.tried = s.now()
	done := make(chan struct{})
	s.running = done
	s.mu.Unlock()

	keys, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = nil
	close(done)
	if s.failure = err; err != nil {
		s.log.Warn("the keys of an issuer cannot be fetched", "issuer", s.issuer, "error", err)
		return err
	}
	s.keys, s.fetched = keys, s.now()
	return nil
}

// fetch finds and reads the JWK set (RFC 7517).
func (s *keySet) fetch(ctx context.Context) ([]publicKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	location := s.location
	if location == "" {
		var err error
		if location, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	text, err := s.get(ctx, location)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("keys: the answer is no JWK set")
	}
	var keys []publicKey
	for _, raw := range set.Keys {
		var m jwkset.JWKMarshal
		if json.Unmarshal(raw, &m) != nil || m.USE == "enc" {
			continue // a key of another kind takes nothing from the others
		}
		// x5u would be fetched from wherever a key says.
		k, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{GetX5U: func(*url.URL) ([]*x509.Certificate, error) { return nil, errors.New("not fetched") }, SkipMetadata: true})
		if err != nil || k.Key() == nil {
			continue
		}
		one := publicKey{m.KID, string(m.ALG), k.Key()}
		if algorithmsOf(one) == nil {
			continue // secret, weak, or for something else than signatures
		}
		keys = append(keys, one)
	}
	if len(keys) == 0 {
		return nil, errors.New("keys: none that can be used")
	}
	return keys, nil
}

// discover finds where the keys are: in the metadata of the authorization server
// (RFC 8414), or of OpenID Connect Discovery.
func (s *keySet) discover(ctx context.Context) (string, error) {
	base, err := url.Parse(s.issuer)
	if err != nil || base.Host == "" {
		return "", errors.New("the issuer is no URL")
	}
	path := strings.TrimSuffix(base.Path, "/")
	var last error
	for _, at := range []string{path + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + path, "/.well-known/openid-configuration" + path} {
		u := *base
		u.Path = at
		text, err := s.get(ctx, u.String())
		if err != nil {
			last = err
			continue
		}
		var doc struct {
			Issuer string `json:"issuer"`
			JWKS   string `json:"jwks_uri"`
		}
		if json.Unmarshal(text, &doc) != nil || doc.JWKS == "" {
			last = errors.New("no jwks_uri")
			continue
		}
		if doc.Issuer != s.issuer {
			last = errors.New("it is the metadata of another issuer")
			continue
		}
		to, err := url.Parse(doc.JWKS)
		if err != nil || to.Scheme != base.Scheme && to.Scheme != "https" {
			last = errors.New("jwks_uri is no https URL")
			continue
		}
		return doc.JWKS, nil
	}
	return "", fmt.Errorf("metadata: %w", last)
}

func (s *keySet) get(ctx context.Context, location string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	return fetch(s.client, r)
}
