package judges

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"encoding/json"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The second authorization server: the OpenID provider of ZITADEL, with the
// storage and the login page of its example. What is ours is what an operator
// sets: whom tokens are for, how long they live, with which key they are signed.
type provider struct {
	*storage.Storage
	issuer string

	mu       sync.Mutex
	audience string // "": the id of the client, as without a setting
	life     time.Duration
	opaque   bool // tokens are no JWTs
	keys     []*signingKey
	tokens   map[string]*issued
	clients  map[string]*storage.Client
}

// issued is a token that was not revoked.
type issued struct {
	subject, client  string
	scopes, audience []string
	until            time.Time
}

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k *signingKey) ID() string                                  { return k.id }
func (k *signingKey) Key() any                                    { return k.key }
func (k *signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

type publicKey struct{ *signingKey }

func (k publicKey) Key() any                           { return &k.key.PublicKey }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }

// rotate signs with another key from now on; the old ones are withdrawn.
func (p *provider) rotate(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = []*signingKey{{rand.Text(), key}}
}

func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[0], nil
}

func (p *provider) KeySet(context.Context) (list []op.Key, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keys {
		list = append(list, publicKey{k})
	}
	return list, nil
}

func (p *provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// relyingParty is a client whose tokens are what the provider is set to.
type relyingParty struct {
	*storage.Client
	p *provider
}

func (c relyingParty) AccessTokenType() op.AccessTokenType {
	if c.p.opaque {
		return op.AccessTokenTypeBearer
	}
	return op.AccessTokenTypeJWT
}

func (c relyingParty) IsScopeAllowed(scope string) bool {
	return scope == "mcp" || scope == "orders:write"
}

func (c relyingParty) GrantTypes() []oidc.GrantType {
	return append(c.Client.GrantTypes(), oidc.GrantTypeClientCredentials)
}

func (p *provider) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c := p.clients[id]; c != nil {
		return relyingParty{c, p}, nil
	}
	return nil, errors.New("no such client")
}

func (p *provider) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if p.clients[id] == nil || secret != id+"-secret" {
		return errors.New("wrong secret")
	}
	return nil
}

func (p *provider) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := p.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return p.GetClientByClientID(ctx, id)
}

func (p *provider) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: p.whom(id), Scopes: scopes}, nil
}

// whom is whom tokens are for that a client gets.
func (p *provider) whom(client string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.audience == "" {
		return []string{client}
	}
	return []string{p.audience}
}

// request is that of a person, for a token of the audience that is set.
type request struct {
	op.AuthRequest
	p *provider
}

func (r request) GetAudience() []string { return r.p.whom(r.GetClientID()) }

func (p *provider) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	r, err := p.Storage.AuthRequestByID(ctx, id)
	return request{r, p}, err
}

func (p *provider) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := p.Storage.AuthRequestByCode(ctx, code)
	return request{r, p}, err
}

func (p *provider) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	p.mu.Lock()
	life := p.life
	p.mu.Unlock()
	t := &issued{subject: r.GetSubject(), client: r.GetSubject(), scopes: r.GetScopes(), audience: r.GetAudience(), until: time.Now().Add(life)}
	if person, ok := r.(request); ok {
		t.client = person.GetClientID()
	}
	id := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[id] = t
	return id, t.until, nil
}

func (p *provider) GetPrivateClaimsFromRequest(_ context.Context, r op.TokenRequest, _ []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(r.GetScopes(), " ")}, nil
}

func (p *provider) SetIntrospectionFromToken(_ context.Context, out *oidc.IntrospectionResponse, id, _, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tokens[id]
	if t == nil || time.Now().After(t.until) {
		return errors.New("not active")
	}
	out.Subject, out.ClientID, out.Scope, out.Audience, out.Issuer = t.subject, t.client, t.scopes, t.audience, p.issuer
	out.Expiration = oidc.FromTime(t.until)
	return nil
}

func (p *provider) RevokeToken(_ context.Context, id, _, _ string) *oidc.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tokens, id)
	return nil
}

func (p *provider) Health(context.Context) error { return nil }

// set changes what tokens are like that are given from now on.
func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func newProvider(t *testing.T, issuer, audience string) *provider {
	t.Helper()
	p := &provider{issuer: issuer, audience: audience, life: 10 * time.Minute, tokens: map[string]*issued{}, clients: map[string]*storage.Client{
		"desk":    storage.NativeClient("desk", "https://client.example/callback"),
		"machine": storage.WebClient("machine", ""),
		"gateway": storage.WebClient("gateway", ""),
	}}
	p.Storage = storage.NewStorageWithClients(storage.NewUserStore(issuer), p.clients)
	p.rotate(t)
	return p
}

// serve starts the provider at its issuer.
func (p *provider) serve(t *testing.T) {
	t.Helper()
	at, err := url.Parse(p.issuer)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: exampleop.SetupServer(p.issuer, p, nil, false), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
}

// post sends a form as a client of the provider.
func (p *provider) post(t *testing.T, path, client string, form url.Values) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, client+"-secret")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", path, res.StatusCode, body)
	}
	return body
}

// token gets one for a machine.
func (p *provider) token(t *testing.T, scope string) string {
	t.Helper()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(p.post(t, "/oauth/token", "machine", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}), &out); err != nil || out.Token == "" {
		t.Fatalf("no token: %v", err)
	}
	return out.Token
}

// serveGuarded serves the guarded orders.
func serveGuarded(t *testing.T, address, spec string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orders.hcl")
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEWAY_SECRET", "gateway-secret")
	start(t, time.Minute, answers("http://"+address+"/readyz"), nil, mcpc, "serve", file, "--http", address)
}

// callTool calls a tool with a token, and tells the status, the challenge and the
// answer.
func callTool(t *testing.T, endpoint, tool, token string) (int, string, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"id":"7"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("WWW-Authenticate"), string(body)
}

// Tokens of the second provider, which is down when the server starts.
func TestSecondProvider(t *testing.T) {
	address, at := freeAddress(t), freeAddress(t)
	endpoint, issuer := "http://"+address+"/mcp", "http://"+at
	p := newProvider(t, issuer, endpoint)
	serveGuarded(t, address, strings.NewReplacer("ISSUER", issuer, "RESOURCE", endpoint, "SERVICE", legacyOrders(t)).Replace(guardedSpec))

	// Tokens of another provider, and of nobody, while this one is down: nothing can
	// be said about them.
	stranger := newProvider(t, "http://"+freeAddress(t), endpoint)
	stranger.serve(t)
	foreign := stranger.token(t, "mcp")
	down := func(token string) {
		t.Helper()
		if status, _, body := callTool(t, endpoint, "get_order", token); status != http.StatusServiceUnavailable {
			t.Errorf("while the provider is down: %d %s", status, body)
		}
	}
	forged := forge(t, newProvider(t, issuer, endpoint), endpoint) // with another key
	down(forged)
	down(foreign)
	p.serve(t)

	good := p.token(t, "mcp")
	deadline := time.Now().Add(time.Minute)
	for { // the server asks again after a pause
		status, _, body := callTool(t, endpoint, "get_order", good)
		if status == http.StatusOK && strings.Contains(body, "/orders/7") {
			break
		}
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("after the provider came up: %d %s", status, body)
		}
		time.Sleep(250 * time.Millisecond)
	}

	given := func(change func(*provider)) string {
		t.Helper()
		before, life := p.audience, p.life
		p.set(change)
		token := p.token(t, "mcp")
		p.set(func(p *provider) { p.audience, p.life = before, life })
		return token
	}
	for name, c := range map[string]struct {
		tool, token string
		status      int
		challenge   string
	}{
		"a call":                     {"get_order", good, 200, ""},
		"a scope is missing":         {"cancel_order", good, 403, `error="insufficient_scope"`},
		"all scopes":                 {"cancel_order", p.token(t, "mcp orders:write"), 200, ""},
		"no scope at all":            {"get_order", p.token(t, "orders:write"), 403, `scope="mcp orders:write"`},
		"no token":                   {"get_order", "", 401, "resource_metadata="},
		"another audience":           {"get_order", given(func(p *provider) { p.audience = "https://other.example/mcp" }), 401, `error="invalid_token"`},
		"the client as audience":     {"get_order", given(func(p *provider) { p.audience = "" }), 401, `error="invalid_token"`},
		"another issuer":             {"get_order", foreign, 401, `error="invalid_token"`},
		"expired":                    {"get_order", given(func(p *provider) { p.life = -time.Minute }), 401, `error="invalid_token"`},
		"another's key, this issuer": {"get_order", forged, 401, `error="invalid_token"`},
	} {
		status, challenge, body := callTool(t, endpoint, c.tool, c.token)
		if status != c.status || !strings.Contains(challenge, c.challenge) {
			t.Errorf("%s: %d %q %s", name, status, challenge, body)
		}
	}

	// A token in the query is none.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"?access_token="+good, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the query: %d", res.StatusCode)
	}

	// After a rotation the new key is found, and the old one is withdrawn with the
	// next reading of the keys.
	p.rotate(t)
	renewed := p.token(t, "mcp")
	for { // keys are not read again within a pause
		status, _, body := callTool(t, endpoint, "get_order", renewed)
		if status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a token of the new key: %d %s", status, body)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// forge makes a token that says to be of an issuer, without asking it.
func forge(t *testing.T, p *provider, audience string) string {
	t.Helper()
	token, err := op.CreateJWT(t.Context(), p.issuer, &oidc.JWTTokenRequest{Subject: "machine", Audience: []string{audience}, Scopes: []string{"mcp"}}, time.Now().Add(time.Hour), "id", relyingParty{p.clients["machine"], p}, p)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Tokens that are no JWTs, about which the provider is asked; revoked ones.
func TestSecondProviderIntrospection(t *testing.T) {
	address := freeAddress(t)
	endpoint, issuer := "http://"+address+"/mcp", "http://"+freeAddress(t)
	p := newProvider(t, issuer, endpoint)
	p.opaque = true
	p.serve(t)
	spec := strings.Replace(guardedSpec, `scopes   = ["mcp"]`, `scopes   = ["mcp"]
    introspection = { url = "ISSUER/oauth/introspect", client_id = "gateway", client_secret = env("GATEWAY_SECRET") }`, 1)
	serveGuarded(t, address, strings.NewReplacer("ISSUER", issuer, "RESOURCE", endpoint, "SERVICE", legacyOrders(t)).Replace(spec))

	good, revoked := p.token(t, "mcp"), p.token(t, "mcp")
	p.post(t, "/revoke", "machine", url.Values{"token": {revoked}})
	p.set(func(p *provider) { p.audience = "https://other.example/mcp" })
	other := p.token(t, "mcp")
	p.set(func(p *provider) { p.audience = "" })
	client := p.token(t, "mcp")
	p.set(func(p *provider) { p.audience, p.issuer = endpoint, "https://other.example" })
	for name, c := range map[string]struct {
		token  string
		status int
	}{"revoked": {revoked, 401}, "another issuer": {good, 401}} {
		if status, _, body := callTool(t, endpoint, "get_order", c.token); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	p.set(func(p *provider) { p.issuer = issuer })
	fresh := p.token(t, "mcp")
	for name, c := range map[string]struct {
		tool, token string
		status      int
	}{
		"a call":                 {"get_order", fresh, 200},
		"a scope is missing":     {"cancel_order", fresh, 403},
		"another audience":       {"get_order", other, 401},
		"the client as audience": {"get_order", client, 401},
		"no token at all":        {"get_order", "nonsense", 401},
	} {
		if status, _, body := callTool(t, endpoint, c.tool, c.token); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// The official client library gets a token of the second provider by itself.
func TestSecondProviderDance(t *testing.T) {
	node := node(t)
	need(t, "node_modules/@modelcontextprotocol/sdk/package.json")
	script, err := filepath.Abs("oauth-client.mjs")
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	endpoint, issuer := "http://"+address+"/mcp", "http://"+freeAddress(t)
	p := newProvider(t, issuer, endpoint)
	p.serve(t)
	serveGuarded(t, address, strings.NewReplacer("ISSUER", issuer, "RESOURCE", endpoint, "SERVICE", legacyOrders(t)).Replace(guardedSpec))
	stdout, stderr, code := run(t, time.Minute, node, script, endpoint, "cancel_order", `{"id":"7"}`)
	if code != 0 {
		t.Fatalf("the client ends with %d\n%s", code, stderr)
	}
	var seen struct {
		Steps   []string
		IsError bool
		Text    string
	}
	if err := json.Unmarshal([]byte(stdout), &seen); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	for _, step := range []string{"login", "unauthorized", "token", "step-up"} {
		if !slices.Contains(seen.Steps, step) {
			t.Errorf("the client went through %v, not %q", seen.Steps, step)
		}
	}
	if seen.IsError || !strings.Contains(seen.Text, "/orders/7") {
		t.Errorf("%+v", seen)
	}
}
