package identity

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// idp is an authorization server with the keys it publishes.
type idp struct {
	*httptest.Server
	mu       sync.Mutex
	keys     map[string]crypto.Signer
	fetches  int
	down     bool
	active   map[string]any // what an introspection answers
	asked    int
	metadata func(doc map[string]any)
}

func newIDP(t testing.TB) *idp {
	t.Helper()
	i := &idp{keys: map[string]crypto.Signer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		doc := map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
		if i.metadata != nil {
			i.metadata(doc)
		}
		_ = json.NewEncoder(w).Encode(doc)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetches++
		list := []any{map[string]any{"kty": "something new"}}
		for id, k := range i.keys {
			jwk, err := jwkset.NewJWKFromKey(k.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id}})
			if err != nil {
				t.Error(err)
				return
			}
			list = append(list, jwk.Marshal())
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": list})
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		i.asked++
		if user, pass, _ := r.BasicAuth(); user != "mcpc" || pass != "s3cr3t" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(i.active)
	})
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *idp) add(t testing.TB, id, alg string) {
	t.Helper()
	var k crypto.Signer
	var err error
	switch alg {
	case "RS256", "PS256":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA-1024":
		k, err = rsa.GenerateKey(rand.Reader, 1024)
	case "ES256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[id] = k
}

// token signs claims; nil members are left out.
func (i *idp) token(t testing.TB, id, alg string, header, change map[string]any) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": i.URL, "aud": "https://mcp.example/mcp", "sub": "alice", "client_id": "desk", "org": "acme", "scope": "mcp orders:read",
		"iat": clock.Unix(), "exp": clock.Add(time.Hour).Unix()}
	for k, v := range change {
		if claims[k] = v; v == nil {
			delete(claims, k)
		}
	}
	tok := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	tok.Header["kid"] = id
	for k, v := range header {
		if tok.Header[k] = v; v == nil {
			delete(tok.Header, k)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	text, err := tok.SignedString(i.keys[id])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var clock = time.Unix(1_900_000_000, 0)

func (i *idp) gate(t testing.TB, change func(*plan.OAuth), more ...plan.Identity) (*Gate, *time.Time) {
	t.Helper()
	now := clock
	o := plan.OAuth{Issuer: i.URL, Audience: []string{"https://mcp.example/mcp"}, Scopes: []string{"mcp"}, Tenant: "org", Skew: 10 * time.Second}
	if change != nil {
		change(&o)
	}
	g, err := New(append([]plan.Identity{{Name: "people", OAuth: &o}}, more...), []string{"orders:write"}, Options{
		Now: func() time.Time { return now }, Secret: func(plan.Secret) (string, error) { return "s3cr3t", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return g, &now
}

func request(header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://mcp.example/mcp", nil)
	for n := 0; n < len(header); n += 2 {
		r.Header.Add(header[n], header[n+1])
	}
	return r
}

func bearer(token string) *http.Request { return request("Authorization", "Bearer "+token) }

func TestTokens(t *testing.T) {
	i := newIDP(t)
	g, _ := i.gate(t, nil)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		i.add(t, alg, alg)
	}
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		c, refusal := g.Identify(bearer(i.token(t, alg, alg, map[string]any{"typ": "at+jwt"}, nil)))
		if refusal != nil {
			t.Fatalf("%s: %+v", alg, refusal)
		}
		if p := c.Principal; p.Subject != "alice" || p.Client != "desk" || p.Tenant != "acme" || c.Identity != "people" || !c.Has([]string{"orders:read"}) || c.Has([]string{"orders:write"}) || !c.Expires.Equal(clock.Add(time.Hour)) {
			t.Errorf("%s: %+v", alg, c)
		}
	}
	if i.fetches != 1 {
		t.Errorf("keys were fetched %d times", i.fetches)
	}
	if c, refusal := g.Identify(bearer(i.token(t, "RS256", "RS256", nil, map[string]any{"aud": []string{"https://other.example", "https://mcp.example/mcp"}, "scope": nil, "scp": []string{"mcp"}}))); refusal != nil || !c.Has([]string{"mcp"}) {
		t.Errorf("%+v %+v", c, refusal)
	}
}

func TestRefusedTokens(t *testing.T) {
	i, other := newIDP(t), newIDP(t)
	g, _ := i.gate(t, nil)
	i.add(t, "k", "RS256")
	other.add(t, "k", "RS256")
	other.add(t, "z", "ES256")
	rsaKey, ok := i.keys["k"].Public().(*rsa.PublicKey)
	if !ok {
		t.Fatal("no RSA key")
	}
	der, err := x509.MarshalPKIXPublicKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any) string {
		tok := jwt.NewWithClaims(method, jwt.MapClaims{"iss": i.URL, "aud": "https://mcp.example/mcp", "sub": "alice", "org": "acme", "scope": "mcp", "exp": clock.Add(time.Hour).Unix()})
		tok.Header["kid"] = "k"
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	forged := func() string {
		good := strings.Split(i.token(t, "k", "RS256", nil, nil), ".")
		good[1] = base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"iss":%q,"aud":"https://mcp.example/mcp","sub":"root","org":"acme","scope":"mcp","exp":%d}`, i.URL, clock.Add(time.Hour).Unix())))
		return strings.Join(good, ".")
	}
	change := func(k string, v any) string { return i.token(t, "k", "RS256", nil, map[string]any{k: v}) }
	for name, test := range map[string]struct{ token, says string }{
		"wrong audience":        {change("aud", "https://other.example"), "another audience"},
		"no audience":           {change("aud", nil), "another audience"},
		"client id as audience": {change("aud", "desk"), "another audience"},
		"audience prefix":       {change("aud", "https://mcp.example/mcp/x"), "another audience"},
		"wildcard audience":     {change("aud", "*"), "another audience"},
		"wrong issuer":          {change("iss", other.URL), "another issuer"},
		"issuer with a slash":   {change("iss", i.URL+"/"), "another issuer"},
		"no issuer":             {change("iss", nil), ""},
		"expired":               {change("exp", clock.Add(-time.Minute).Unix()), "expired"},
		"no expiry":             {change("exp", nil), "lacks a claim"},
		"not yet valid":         {change("nbf", clock.Add(time.Minute).Unix()), "not valid yet"},
		"issued in the future":  {change("iat", clock.Add(time.Hour).Unix()), "issued in the future"},
		"no subject":            {change("sub", nil), "lacks the claim sub"},
		"subject of two":        {change("sub", []string{"a", "b"}), "lacks the claim sub"},
		"no tenant":             {change("org", nil), "lacks the claim org"},
		"ID token":              {i.token(t, "k", "RS256", map[string]any{"typ": "id+jwt"}, nil), "cannot be verified"},
		"logout token":          {i.token(t, "k", "RS256", map[string]any{"typ": "logout+jwt"}, nil), "cannot be verified"},
		"critical extension":    {i.token(t, "k", "RS256", map[string]any{"crit": []string{"x"}}, nil), "cannot be verified"},
		"alg none":              {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), "not valid"},
		"key confusion":         {sign(jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "not valid"},
		"key confusion, DER":    {sign(jwt.SigningMethodHS256, der), "not valid"},
		"other key, same id":    {other.token(t, "k", "RS256", nil, map[string]any{"iss": i.URL}), "signature"},
		"other algorithm":       {other.token(t, "z", "ES256", map[string]any{"kid": "k"}, map[string]any{"iss": i.URL}), ""},
		"unknown key":           {other.token(t, "z", "ES256", nil, map[string]any{"iss": i.URL}), "unknown key"},
		"key id as a list":      {i.token(t, "k", "RS256", map[string]any{"kid": []string{"k"}}, map[string]any{"aud": "x"}), ""},
		"changed claims":        {forged(), "signature"},
		"cut":                   {strings.TrimRight(change("x", 1), "ABCDEFGHIJ")[:200], ""},
		"no JWT":                {"abc", "no JWT"},
		"four parts":            {"a.b.c.d", "no JWT"},
		"huge":                  {strings.Repeat("a", 20<<10), "too long"},
	} {
		c, refusal := g.Identify(bearer(test.token))
		if refusal == nil {
			t.Errorf("%s: accepted as %+v", name, c)
			continue
		}
		if refusal.Status != 401 || !strings.Contains(refusal.Message, test.says) || !strings.Contains(refusal.Challenge, `error="invalid_token"`) {
			t.Errorf("%s: %+v, want %q", name, refusal, test.says)
		}
		if strings.Contains(refusal.Message+refusal.Challenge, "alice") || strings.Contains(refusal.Message+refusal.Challenge, test.token) {
			t.Errorf("%s: the refusal repeats the token: %+v", name, refusal)
		}
	}
}

func TestRequests(t *testing.T) {
	i := newIDP(t)
	i.add(t, "k", "ES256")
	g, _ := i.gate(t, nil)
	good := i.token(t, "k", "ES256", nil, nil)
	query := bearer(good)
	query.URL.RawQuery = url.Values{"access_token": {good}}.Encode()
	for name, test := range map[string]struct {
		r         *http.Request
		status    int
		challenge string
	}{
		"nothing":       {request(), 401, `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="mcp"`},
		"in the query":  {query, 400, `error="invalid_request"`},
		"two headers":   {request("Authorization", "Bearer "+good, "Authorization", "Bearer x"), 400, `error="invalid_request"`},
		"other scheme":  {request("Authorization", "Basic "+good), 401, `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="mcp"`},
		"no token":      {request("Authorization", "Bearer "), 400, `error="invalid_request"`},
		"missing scope": {bearer(i.token(t, "k", "ES256", nil, map[string]any{"scope": "orders:read"})), 403, `error="insufficient_scope", error_description="the token lacks a scope: mcp", scope="mcp orders:read"`},
	} {
		c, refusal := g.Identify(test.r)
		if refusal == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		} else if refusal.Status != test.status || !strings.Contains(refusal.Challenge, test.challenge) {
			t.Errorf("%s: %+v", name, refusal)
		}
	}
	if _, refusal := g.Identify(request("authorization", "bearer "+good)); refusal != nil {
		t.Errorf("schemes have no case: %+v", refusal)
	}
	want := `{"resource":"https://mcp.example/mcp","authorization_servers":["` + i.URL + `"],"scopes_supported":["mcp","orders:write"],"bearer_methods_supported":["header"]}`
	if got := string(g.Metadata()); got != want {
		t.Errorf("metadata %s", got)
	}
}

// A key is used for what it was made for, by its kind as well as by what it says of
// itself, and headers that bring a key along bring nothing.
func TestKeysOfOtherKinds(t *testing.T) {
	i, evil := newIDP(t), newIDP(t)
	g, _ := i.gate(t, nil)
	for id, alg := range map[string]string{"weak": "RSA-1024", "wide": "ES384", "edwards": "EdDSA", "same": "ES256"} {
		i.add(t, id, alg)
	}
	evil.add(t, "weak", "ES256")
	evil.add(t, "same", "RS256")
	// Signed with a key of ours, and of another kind than the algorithm's.
	cross := func(id, alg string, hash crypto.Hash, size int) string {
		tok := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims{"iss": i.URL, "aud": "https://mcp.example/mcp", "sub": "alice", "org": "acme", "scope": "mcp", "exp": clock.Add(time.Hour).Unix()})
		tok.Header["kid"] = id
		text, err := tok.SigningString()
		if err != nil {
			t.Fatal(err)
		}
		h := hash.New()
		h.Write([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, i.keys[id].(*ecdsa.PrivateKey), h.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		sig := make([]byte, 2*size)
		if r.BitLen() > 8*size || s.BitLen() > 8*size {
			r, s = big.NewInt(1), big.NewInt(1) // it does not fit, as mostly
		}
		r.FillBytes(sig[:size])
		s.FillBytes(sig[size:])
		return text + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	jwk, err := jwkset.NewJWKFromKey(evil.keys["same"].Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "same"}})
	if err != nil {
		t.Fatal(err)
	}
	as := map[string]any{"iss": i.URL}
	for name, test := range map[string]struct{ token, says string }{
		"weak RSA":              {i.token(t, "weak", "RS256", nil, nil), "unknown key"},
		"ES256 of a P-384 key":  {cross("wide", "ES256", crypto.SHA256, 32), "unknown key"},
		"ES384 of a P-256 key":  {cross("same", "ES384", crypto.SHA384, 48), "unknown key"},
		"RS256 of an EC key":    {evil.token(t, "same", "RS256", nil, as), "unknown key"},
		"jwk in the header":     {evil.token(t, "same", "RS256", map[string]any{"jwk": jwk.Marshal()}, as), "unknown key"},
		"jku in the header":     {evil.token(t, "same", "RS256", map[string]any{"jku": evil.URL + "/keys", "x5u": evil.URL + "/x"}, as), "unknown key"},
		"no kid, foreign key":   {evil.token(t, "same", "RS256", map[string]any{"kid": nil, "jwk": jwk.Marshal()}, as), "unknown key"},
		"kid as a number":       {i.token(t, "same", "ES256", map[string]any{"kid": 7}, nil), "cannot be verified"},
		"kid is long":           {i.token(t, "same", "ES256", map[string]any{"kid": strings.Repeat("k", 1<<20)}, nil), "too long"},
		"typ as a list":         {i.token(t, "same", "ES256", map[string]any{"typ": []string{"at+jwt"}}, nil), "cannot be verified"},
		"DPoP proof":            {i.token(t, "same", "ES256", map[string]any{"typ": "dpop+jwt"}, nil), "cannot be verified"},
		"audience of numbers":   {i.token(t, "same", "ES256", nil, map[string]any{"aud": []any{1, "https://mcp.example/mcp"}}), ""},
		"audience as an object": {i.token(t, "same", "ES256", nil, map[string]any{"aud": map[string]any{"https://mcp.example/mcp": true}}), ""},
		"no audiences":          {i.token(t, "same", "ES256", nil, map[string]any{"aud": []any{}}), "another audience"},
		"expiry as a text":      {i.token(t, "same", "ES256", nil, map[string]any{"exp": "2100-01-01"}), ""},
		"far in the future":     {i.token(t, "same", "ES256", nil, map[string]any{"nbf": 1e15, "iat": 1e15}), ""},
	} {
		if c, refusal := g.Identify(bearer(test.token)); refusal == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		} else if refusal.Status != 401 || !strings.Contains(refusal.Message, test.says) {
			t.Errorf("%s: %+v, want %q", name, refusal, test.says)
		}
	}
	if evil.fetches != 0 {
		t.Errorf("%d fetches from where tokens lead", evil.fetches)
	}
	for id, alg := range map[string]string{"wide": "ES384", "edwards": "EdDSA"} {
		for _, typ := range []any{nil, "JWT", "at+jwt", "AT+JWT", "application/at+jwt"} {
			// Without an id it is the only key of its kind.
			if _, refusal := g.Identify(bearer(i.token(t, id, alg, map[string]any{"kid": nil, "typ": typ}, nil))); refusal != nil {
				t.Errorf("%s, %v: %+v", alg, typ, refusal)
			}
		}
	}
}

// An authorization server whose answers are too large, lead elsewhere or do not end
// is one that cannot be asked.
func TestHostileIssuer(t *testing.T) {
	var other atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { other.Add(1) }))
	defer elsewhere.Close()
	ended := make(chan struct{})
	defer close(ended)
	i := newIDP(t)
	i.add(t, "k", "ES256")
	for name, answer := range map[string]http.HandlerFunc{
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			i.Config.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/keys", nil))
			_, _ = w.Write(bytes.Repeat([]byte(" "), maxDocument))
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/keys", http.StatusFound)
		},
		"no end": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[`))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-ended:
			}
		},
		"no JSON":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no keys":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"not good": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
	} {
		keys := httptest.NewServer(answer)
		g, _ := i.gate(t, func(o *plan.OAuth) { o.JWKS = keys.URL + "/keys" })
		g.oauth[0].keys.client.Timeout = 300 * time.Millisecond
		if _, refusal := g.Identify(bearer(i.token(t, "k", "ES256", nil, nil))); refusal == nil || refusal.Status != 503 || refusal.After == 0 || refusal.Challenge != "" {
			t.Errorf("%s: %+v", name, refusal)
		}
		keys.CloseClientConnections()
		keys.Close()
	}
	if other.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// Of several issuers the one is asked that a token is of; one that says nothing may
// be of any that is asked about such tokens.
func TestSeveralIssuers(t *testing.T) {
	a, b := newIDP(t), newIDP(t)
	b.add(t, "k", "ES256")
	secret := plan.Secret{Name: "idp"}
	oauth := func(i *idp, scope string) *plan.OAuth {
		return &plan.OAuth{Issuer: i.URL, Audience: []string{"https://mcp.example/mcp"}, Scopes: []string{scope},
			Introspection: &plan.Introspection{URL: i.URL + "/introspect", ClientID: "mcpc", Secret: &secret}}
	}
	g, err := New([]plan.Identity{{Name: "a", OAuth: oauth(a, "for-a")}, {Name: "b", OAuth: oauth(b, "for-b")}}, nil,
		Options{Now: func() time.Time { return clock }, Secret: func(plan.Secret) (string, error) { return "s3cr3t", nil }})
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"active": true, "aud": "https://mcp.example/mcp", "sub": "alice", "scope": "for-b", "exp": clock.Add(time.Hour).Unix()}
	a.active, b.active = map[string]any{"active": false}, good
	if c, refusal := g.Identify(bearer("opaque")); refusal != nil || c.Identity != "b" {
		t.Errorf("%+v %+v", c, refusal)
	}
	c, refusal := g.Identify(bearer(b.token(t, "k", "ES256", nil, nil)))
	if refusal != nil || c.Identity != "b" || a.asked != 1 {
		t.Fatalf("%+v %+v; the other was asked %d times", c, refusal, a.asked)
	}
	// What to ask for is what its issuer wants, not another's.
	if r := g.Insufficient(c, []string{"more"}); !strings.Contains(r.Challenge, `scope="for-b more"`) {
		t.Errorf("%+v", r)
	}
	b.active = map[string]any{"active": false}
	if _, refusal := g.Identify(bearer("nobody's")); refusal == nil || refusal.Status != 401 {
		t.Errorf("%+v", refusal)
	}
	a.down = true
	if _, refusal := g.Identify(bearer("perhaps a's")); refusal == nil || refusal.Status != 503 {
		t.Errorf("one of them is down: %+v", refusal)
	}
}

// Two identities may have their keys in one header.
func TestKeysOfTwoIdentities(t *testing.T) {
	ring := func(name, header string, keys ...string) plan.Identity {
		k := &plan.APIKeys{Header: header}
		for _, key := range keys {
			k.Keys = append(k.Keys, plan.APIKey{Name: key, Hash: hashOf(key)})
		}
		return plan.Identity{Name: name, Keys: k}
	}
	g, err := New([]plan.Identity{ring("staff", "x-api-key", "s1", "s2"), ring("partners", "X-API-Key", "p1"), ring("machines", "X-Machine", "m1")}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		header []string
		want   string
	}{
		{[]string{"X-Api-Key", "s2"}, "staff"}, {[]string{"X-Api-Key", "p1"}, "partners"}, {[]string{"X-Machine", "m1"}, "machines"},
		{[]string{"X-Api-Key", "m1"}, ""}, {[]string{"X-Api-Key", "p1", "X-Machine", "p1"}, ""}, {[]string{"X-Api-Key", "p1", "X-Machine", "m1"}, "partners"},
	} {
		c, refusal := g.Identify(request(test.header...))
		if (refusal == nil) != (test.want != "") || c != nil && c.Identity != test.want {
			t.Errorf("%v: %+v %+v", test.header, c, refusal)
		}
	}
	if got := g.KeyHeaders(); len(got) != 2 {
		t.Errorf("headers with keys: %v", got)
	}
}

// Keys are replaced while the server runs, and the authorization server is down
// now and then.
func TestKeyRotation(t *testing.T) {
	i := newIDP(t)
	i.add(t, "old", "ES256")
	g, now := i.gate(t, nil)
	i.down = true
	old := i.token(t, "old", "ES256", nil, nil)
	if _, refusal := g.Identify(bearer(old)); refusal == nil || refusal.Status != 503 || refusal.After == 0 {
		t.Fatalf("down at start: %+v", refusal)
	}
	i.down = false
	if _, refusal := g.Identify(bearer(old)); refusal == nil || refusal.Status != 503 {
		t.Fatalf("asked again at once: %+v", refusal)
	}
	*now = now.Add(retryKeys)
	if _, refusal := g.Identify(bearer(old)); refusal != nil {
		t.Fatalf("up again: %+v", refusal)
	}
	i.add(t, "new", "ES256")
	young := i.token(t, "new", "ES256", nil, nil)
	if _, refusal := g.Identify(bearer(young)); refusal == nil {
		t.Fatal("the new key was fetched a moment after the old one")
	}
	fetches := i.fetches
	for range 50 { // made-up key ids cost the authorization server nothing
		if _, refusal := g.Identify(bearer(i.token(t, "new", "ES256", map[string]any{"kid": rand.Text()}, nil))); refusal == nil {
			t.Fatal("accepted")
		}
	}
	if i.fetches != fetches {
		t.Errorf("%d fetches for unknown keys", i.fetches-fetches)
	}
	*now = now.Add(retryKeys)
	if _, refusal := g.Identify(bearer(young)); refusal != nil {
		t.Errorf("after rotation: %+v", refusal)
	}
	i.down = true // what is known stays known
	*now = now.Add(20 * time.Minute)
	if _, refusal := g.Identify(bearer(i.token(t, "old", "ES256", nil, map[string]any{"jti": "2"}))); refusal != nil {
		t.Errorf("keys are there, and the server is down: %+v", refusal)
	}
}

// A document that is not the issuer's own leads nowhere.
func TestForeignMetadata(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"other issuer": func(d map[string]any) { d["issuer"] = "https://evil.example" },
		"no keys":      func(d map[string]any) { delete(d, "jwks_uri") },
		"file":         func(d map[string]any) { d["jwks_uri"] = "file:///etc/passwd" },
		// The keys are there, and would be got: what nobody named has to be public.
		"this machine": func(d map[string]any) {
			d["jwks_uri"] = strings.Replace(d["jwks_uri"].(string), "127.0.0.1", "localhost", 1)
		},
	} {
		i := newIDP(t)
		i.add(t, "k", "ES256")
		i.metadata = change
		g, _ := i.gate(t, nil)
		if _, refusal := g.Identify(bearer(i.token(t, "k", "ES256", nil, nil))); refusal == nil || refusal.Status != 503 {
			t.Errorf("%s: %+v", name, refusal)
		}
	}
}

// A token is verified once, and not beyond its end.
func TestVerifiedOnce(t *testing.T) {
	i := newIDP(t)
	i.add(t, "k", "ES256")
	g, now := i.gate(t, nil)
	token := i.token(t, "k", "ES256", nil, map[string]any{"exp": clock.Add(time.Minute).Unix()})
	first, refusal := g.Identify(bearer(token))
	if refusal != nil {
		t.Fatal(refusal)
	}
	second, _ := g.Identify(bearer(token))
	if first != second {
		t.Error("it was verified twice")
	}
	*now = now.Add(time.Minute + 11*time.Second)
	if _, refusal := g.Identify(bearer(token)); refusal == nil {
		t.Error("an expired token is remembered as good")
	}
	s := g.oauth[0]
	for n := range maxVerified + 10 {
		s.mu.Lock()
		s.verified[sha256.Sum256([]byte{byte(n), byte(n >> 8)})] = remembered{first, now.Add(time.Hour)}
		s.mu.Unlock()
	}
	if _, refusal := g.Identify(bearer(i.token(t, "k", "ES256", nil, map[string]any{"iat": nil}))); refusal != nil {
		t.Fatal(refusal)
	}
	if n := len(s.verified); n > maxVerified {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestIntrospection(t *testing.T) {
	i := newIDP(t)
	i.add(t, "k", "ES256")
	secret := plan.Secret{Name: "idp"}
	g, now := i.gate(t, func(o *plan.OAuth) {
		o.Introspection = &plan.Introspection{URL: i.URL + "/introspect", ClientID: "mcpc", Secret: &secret}
	})
	good := map[string]any{"active": true, "iss": i.URL, "aud": "https://mcp.example/mcp", "sub": "alice", "org": "acme", "scope": "mcp", "exp": clock.Add(time.Hour).Unix()}
	i.active = good
	if c, refusal := g.Identify(bearer("opaque")); refusal != nil || c.Principal.Subject != "alice" {
		t.Fatalf("%+v %+v", c, refusal)
	}
	if _, refusal := g.Identify(bearer("opaque")); refusal != nil || i.asked != 1 {
		t.Errorf("asked %d times: %+v", i.asked, refusal)
	}
	*now = now.Add(introspected)
	i.active = map[string]any{"active": false}
	if _, refusal := g.Identify(bearer("opaque")); refusal == nil || !strings.Contains(refusal.Message, "not active") {
		t.Errorf("revoked: %+v", refusal)
	}
	if _, refusal := g.Identify(bearer(i.token(t, "k", "ES256", nil, nil))); refusal == nil || !strings.Contains(refusal.Message, "not active") {
		t.Errorf("a JWT that was revoked: %+v", refusal)
	}
	for name, change := range map[string]map[string]any{
		"other audience": {"aud": "https://other.example"}, "no audience": {"aud": nil}, "other issuer": {"iss": "https://evil.example"},
		"expired": {"exp": clock.Add(-time.Hour).Unix()}, "active as text": {"active": "true"}, "no subject": {"sub": nil},
	} {
		i.active = map[string]any{}
		for k, v := range good {
			i.active[k] = v
		}
		for k, v := range change {
			if i.active[k] = v; v == nil {
				delete(i.active, k)
			}
		}
		if c, refusal := g.Identify(bearer("opaque-" + name)); refusal == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
	i.down = true
	if _, refusal := g.Identify(bearer("another")); refusal == nil || refusal.Status != 503 {
		t.Errorf("down: %+v", refusal)
	}
}

// Those who come with the same token at once have it asked about once, whoever of them
// leaves first; and about few others at a time, however many are made up.
func TestIntrospectionsAtOnce(t *testing.T) {
	var asked, most, now atomic.Int64
	enough := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-enough
		fmt.Fprintf(w, `{"active":%t,"aud":"https://mcp.example/mcp","sub":"alice"}`, r.FormValue("token") == "good")
	}))
	defer server.Close()
	g, err := New([]plan.Identity{{Name: "people", OAuth: &plan.OAuth{Issuer: "https://login.example", Audience: []string{"https://mcp.example/mcp"},
		Introspection: &plan.Introspection{URL: server.URL, ClientID: "mcpc"}}}}, nil, Options{Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	identify := func(ctx context.Context, token string) *Refusal {
		_, refusal := g.Identify(bearer(token).WithContext(ctx))
		return refusal
	}
	var all sync.WaitGroup
	first, leave := context.WithCancel(t.Context())
	all.Go(func() {
		if refusal := identify(first, "good"); refusal == nil || refusal.Status != 503 {
			t.Errorf("who left: %+v", refusal)
		}
	})
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 100 {
		all.Go(func() {
			if refusal := identify(t.Context(), "good"); refusal != nil {
				t.Errorf("%+v", refusal)
			}
		})
	}
	leave()
	for i := range 100 {
		all.Go(func() {
			if refusal := identify(t.Context(), fmt.Sprint("made up ", i)); refusal == nil || refusal.Status != 401 {
				t.Errorf("%+v", refusal)
			}
		})
	}
	for asked.Load() < maxAsking {
		time.Sleep(time.Millisecond)
	}
	close(enough)
	all.Wait()
	if most.Load() != maxAsking || asked.Load() != 101 {
		t.Errorf("%d at once, %d in all", most.Load(), asked.Load())
	}
}

func hashOf(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

func TestAPIKeys(t *testing.T) {
	keys := plan.Identity{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{
		{Name: "ci-old", Hash: hashOf("old"), Subject: "ci", Expires: clock.Add(time.Hour).Unix()},
		{Name: "ci-new", Hash: hashOf("new"), Subject: "ci", Scopes: []string{"mcp"}},
		{Name: "bare", Hash: hashOf("bare"), Tenant: "acme"},
	}}}
	now := clock
	g, err := New([]plan.Identity{keys}, nil, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for key, subject := range map[string]string{"old": "ci", "new": "ci", "bare": "bare", "": "", "NEW": "", "ne": "", hashOf("new"): ""} {
		c, refusal := g.Identify(request("X-Api-Key", key))
		if (refusal == nil) != (subject != "") || c != nil && c.Principal.Subject != subject {
			t.Errorf("key %q: %+v %+v", key, c, refusal)
		}
	}
	if _, refusal := g.Identify(request("X-Api-Key", "new", "X-Api-Key", "old")); refusal == nil {
		t.Error("two keys at once")
	}
	if _, refusal := g.Identify(request()); refusal == nil || refusal.Status != 401 || refusal.Challenge != "ApiKey" {
		t.Errorf("%+v", refusal)
	}
	if g.Metadata() != nil {
		t.Error("metadata without OAuth")
	}
	now = now.Add(2 * time.Hour)
	if _, refusal := g.Identify(request("X-Api-Key", "old")); refusal == nil {
		t.Error("an expired key")
	}

	// Beside OAuth: either will do, and one that is wrong is not hidden by the other.
	i := newIDP(t)
	i.add(t, "k", "ES256")
	both, _ := i.gate(t, nil, keys)
	token := i.token(t, "k", "ES256", nil, nil)
	if c, refusal := both.Identify(request("X-Api-Key", "new")); refusal != nil || c.Identity != "machines" {
		t.Errorf("%+v %+v", c, refusal)
	}
	if c, refusal := both.Identify(request("X-Api-Key", "new", "Authorization", "Bearer "+token)); refusal != nil || c.Identity != "people" {
		t.Errorf("%+v %+v", c, refusal)
	}
	if _, refusal := both.Identify(request("X-Api-Key", "wrong", "Authorization", "Bearer "+token)); refusal == nil {
		t.Error("a wrong key beside a good token")
	}
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: clock.Add(-time.Hour), NotAfter: clock.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *authority) issue(t *testing.T, uri, dns string, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: clock.Add(-time.Hour), NotAfter: clock.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.URIs = []*url.URL{u}
	}
	if dns != "" {
		tmpl.DNSNames = []string{dns}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestClientCertificates(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	now := clock
	g, err := New([]plan.Identity{{Name: "mesh", Client: &plan.ClientCertificates{CA: "ca.pem", Names: []string{"spiffe://acme/*", "desk.example"}, Scopes: []string{"mcp"}}}}, nil,
		Options{Now: func() time.Time { return now }, ReadFile: func(string) ([]byte, error) { return ca.pem, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if !g.WantsCertificates() {
		t.Error("nobody asks for certificates")
	}
	for name, test := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"uri":             {ca.issue(t, "spiffe://acme/billing", "", x509.ExtKeyUsageClientAuth), "spiffe://acme/billing"},
		"dns":             {ca.issue(t, "", "desk.example", x509.ExtKeyUsageClientAuth), "desk.example"},
		"other name":      {ca.issue(t, "spiffe://evil/billing", "x.desk.example", x509.ExtKeyUsageClientAuth), ""},
		"other authority": {other.issue(t, "spiffe://acme/billing", "", x509.ExtKeyUsageClientAuth), ""},
		"server's":        {ca.issue(t, "spiffe://acme/billing", "", x509.ExtKeyUsageServerAuth), ""},
		"no name":         {ca.issue(t, "", "", x509.ExtKeyUsageClientAuth), ""},
		"dns like a uri":  {ca.issue(t, "", "spiffe://acme/billing", x509.ExtKeyUsageClientAuth), ""},
		"several":         {ca.issue(t, "spiffe://acme/billing", "x.desk.example", x509.ExtKeyUsageClientAuth), "spiffe://acme/billing"},
	} {
		r := request()
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{test.cert}}
		c, refusal := g.Identify(r)
		if (refusal == nil) != (test.want != "") || c != nil && (c.Principal.Subject != test.want || !c.Has([]string{"mcp"})) {
			t.Errorf("%s: %+v %+v", name, c, refusal)
		}
	}
	now = now.Add(2 * time.Hour)
	r := request()
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ca.issue(t, "spiffe://acme/billing", "", x509.ExtKeyUsageClientAuth)}}
	if _, refusal := g.Identify(r); refusal == nil {
		t.Error("an expired certificate")
	}
}

func TestMistakesInPlans(t *testing.T) {
	for name, i := range map[string]plan.Identity{
		"nothing":           {Name: "x"},
		"no audience":       {Name: "x", OAuth: &plan.OAuth{Issuer: "https://a.example"}},
		"wildcard audience": {Name: "x", OAuth: &plan.OAuth{Issuer: "https://a.example", Audience: []string{"*"}}},
		"no issuer":         {Name: "x", OAuth: &plan.OAuth{Audience: []string{"a"}}},
		"shared secret":     {Name: "x", OAuth: &plan.OAuth{Issuer: "https://a.example", Audience: []string{"a"}, Algorithms: []string{"HS256"}}},
		"none":              {Name: "x", OAuth: &plan.OAuth{Issuer: "https://a.example", Audience: []string{"a"}, Algorithms: []string{"none"}}},
		"no hash":           {Name: "x", Keys: &plan.APIKeys{Header: "X", Keys: []plan.APIKey{{Hash: "abc"}}}},
		"no header":         {Name: "x", Keys: &plan.APIKeys{}},
		"no file":           {Name: "x", Client: &plan.ClientCertificates{CA: "/nowhere"}},
	} {
		if _, err := New([]plan.Identity{i}, nil, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if g, err := New(nil, nil, Options{}); g != nil || err != nil {
		t.Errorf("no identity is a gate: %v %v", g, err)
	}
}

// What is logged of a refusal holds no token.
func TestLogs(t *testing.T) {
	i := newIDP(t)
	i.add(t, "k", "ES256")
	var log bytes.Buffer
	g, err := New([]plan.Identity{{Name: "people", OAuth: &plan.OAuth{Issuer: i.URL, Audience: []string{"x"}}}}, nil,
		Options{Now: func() time.Time { return clock }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	token := i.token(t, "k", "ES256", nil, nil)
	if _, refusal := g.Identify(bearer(token)); refusal == nil {
		t.Fatal("accepted")
	}
	if !strings.Contains(log.String(), "another audience") {
		t.Errorf("the log does not say why: %s", log.String())
	}
	for _, part := range append(strings.Split(token, "."), "alice") {
		if strings.Contains(log.String(), part) {
			t.Errorf("the log holds %s", part)
		}
	}
}

// What a token costs: verified once, and remembered from then on.
func BenchmarkIdentify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		i := newIDP(b)
		i.add(b, "k", alg)
		g, _ := i.gate(b, nil)
		r := bearer(i.token(b, "k", alg, nil, nil))
		for name, forget := range map[string]bool{"remembered": false, "verified": true} {
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if forget {
						clear(g.oauth[0].verified)
					}
					if _, refusal := g.Identify(r); refusal != nil {
						b.Fatal(refusal)
					}
				}
			})
		}
	}
}
