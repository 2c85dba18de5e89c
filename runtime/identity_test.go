package runtime

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// locked is a server whose callers come with a key; its tool get_book wants the
// scope books:read.
func locked(t *testing.T, o Options) (*Server, *plan.Server) {
	t.Helper()
	base := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1,"title":"x"}`)
	})
	p := library(base)
	p.Tools[0].Scopes = []string{"books:read"}
	p.Resources = []plan.Resource{
		{URI: "book://all", Parts: []plan.URIPart{{Literal: "book://all"}}, Name: "all", Call: p.Tools[1]},
		{URI: "book://{id}", Parts: []plan.URIPart{{Literal: "book://"}, {Var: "id"}}, Name: "book", Call: p.Tools[0]},
	}
	p.Prompts = []plan.Prompt{{Name: "greet", Input: `{"type":"object"}`, Scopes: []string{"books:read"}, Messages: []plan.Message{{Role: "user", Text: &plan.Expr{Op: plan.OpConst, Const: `"Hello."`}}}}}
	key := func(name, key string, scopes ...string) plan.APIKey {
		hash := sha256.Sum256([]byte(key))
		return plan.APIKey{Name: name, Hash: hex.EncodeToString(hash[:]), Tenant: "acme", Scopes: scopes}
	}
	p.Identities = []plan.Identity{
		{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{key("reader", "r-key", "books:read"), key("stranger", "s-key")}}},
		{Name: "people", OAuth: &plan.OAuth{Issuer: "https://login.example", Audience: []string{"https://mcp.example/mcp"}}},
	}
	s, err := New(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

const callBook = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":1}}}`

const (
	readBook    = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://1"}}`
	getGreeting = `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"greet"}}`
)

func TestCallersAreIdentified(t *testing.T) {
	var log logged
	s, _ := locked(t, Options{Logger: log.logger(), Getenv: env("LIBRARY_TOKEN", "t")})
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	post := func(body string, header ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/mcp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(text)
	}
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for name, test := range map[string]struct {
		body      string
		key       string
		status    int
		challenge string
		says      string
	}{
		"nobody":              {list, "", 401, `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`, "has to say who"},
		"nobody, no message":  {"{", "", 401, "Bearer", "has to say who"},
		"wrong key":           {list, "x", 401, `error="invalid_token"`, "not known"},
		"a list":              {list, "s-key", 200, "", "get_book"},
		"a call":              {callBook, "r-key", 200, "", `"title":"x"`},
		"a call without it":   {callBook, "s-key", 403, `error="insufficient_scope", error_description="the caller lacks a scope: books:read", scope="books:read"`, "lacks a scope"},
		"a resource":          {readBook, "r-key", 200, "", `\"title\":\"x\"`},
		"a resource without":  {readBook, "s-key", 403, `scope="books:read"`, "lacks a scope"},
		"no such resource":    {strings.Replace(readBook, "book://1", "book://a/b", 1), "s-key", 200, "", "no resource"},
		"a prompt":            {getGreeting, "r-key", 200, "", "Hello."},
		"a prompt without":    {getGreeting, "s-key", 403, `scope="books:read"`, "lacks a scope"},
		"a batch without it":  {"[" + callBook + "]", "s-key", 200, "", "lacks a scope"},
		"a tool without need": {strings.Replace(callBook, `get_book","arguments":{"id":1}`, `add_book","arguments":{"body":{}}`, 1), "s-key", 200, "", `"title":"x"`},
	} {
		res, text := post(test.body, "X-Api-Key", test.key)
		if test.key == "" {
			res, text = post(test.body)
		}
		if res.StatusCode != test.status || !strings.Contains(text, test.says) || !strings.Contains(res.Header.Get("WWW-Authenticate"), test.challenge) {
			t.Errorf("%s: %d %s %q", name, res.StatusCode, text, res.Header.Get("WWW-Authenticate"))
		}
	}
	if got := log.String(); !strings.Contains(got, "tenant=acme subject=reader") || strings.Contains(got, "r-key") {
		t.Errorf("the log: %s", got)
	}

	// Where tokens are to be had, everybody may ask.
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
		res, err := web.Client().Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		want := `{"resource":"https://mcp.example/mcp","authorization_servers":["https://login.example"],"scopes_supported":["books:read"],"bearer_methods_supported":["header"]}`
		if err != nil || string(text) != want || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %v %v", path, text, res.Header, err)
		}
	}
}

// On stdio the environment says who calls; what it says has to be true.
func TestCallerOnStdio(t *testing.T) {
	for key, want := range map[string]string{"r-key": `"title":"x"`, "s-key": "lacks a scope", "": "lacks a scope"} {
		s, _ := locked(t, Options{Getenv: env("MCPC_KEY", key, "LIBRARY_TOKEN", "t")})
		lines := stdioOf(t, s, `{}`)
		lines.write(callBook)
		if got := lines.read(); !strings.Contains(got, want) {
			t.Errorf("key %q: %s", key, got)
		}
	}
	// Of two identities with keys in headers of their own it may be of either.
	_, p := locked(t, Options{Getenv: env("LIBRARY_TOKEN", "t")})
	machines := *p.Identities[0].Keys
	machines.Header = "X-Other-Key"
	p.Identities = append([]plan.Identity{{Name: "none", Keys: &plan.APIKeys{Header: "X-Api-Key"}}}, plan.Identity{Name: "machines", Keys: &machines})
	two, err := New(p, Options{Getenv: env("MCPC_KEY", "r-key", "LIBRARY_TOKEN", "t")})
	if err != nil {
		t.Fatal(err)
	}
	lines := stdioOf(t, two, `{}`)
	lines.write(callBook)
	if got := lines.read(); !strings.Contains(got, `"title":"x"`) {
		t.Errorf("two headers: %s", got)
	}
	s, _ := locked(t, Options{Getenv: env("MCPC_KEY", "wrong")})
	if err := s.ServeStdio(t.Context(), strings.NewReader(""), io.Discard); err == nil || !strings.Contains(err.Error(), "not known") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong key: %v", err)
	}
}

// A credential ends while its client goes on to listen: so does its stream.
func TestCredentialEnds(t *testing.T) {
	end := time.Now().Add(3 * time.Second)
	_, p := locked(t, Options{Getenv: env("LIBRARY_TOKEN", "t")})
	p.Identities[0].Keys.Keys[0].Expires = end.Unix()
	s := newServer(t, p, Options{Getenv: env("MCPC_KEY", "r-key", "LIBRARY_TOKEN", "t"), Reloads: true})
	web := httptest.NewServer(s.Handler())
	t.Cleanup(web.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+"/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("X-Api-Key", "r-key")
	stream, err := web.Client().Do(r)
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatal(stream, err)
	}
	defer stream.Body.Close()
	if _, err := io.ReadAll(stream.Body); err != nil { // until the server ends it
		t.Errorf("the stream: %v", err)
	}
	if now := time.Now(); now.Before(end.Truncate(time.Second)) {
		t.Errorf("the stream ended %v early", end.Sub(now))
	}
}

// Metadata is also where challenges say that it is, when a proxy shows this server
// under another path.
func TestMetadataOfOtherPath(t *testing.T) {
	_, p := locked(t, Options{Getenv: env("LIBRARY_TOKEN", "t")})
	p.Identities[1].OAuth.Resource = "https://api.example/orders/mcp"
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "t")})
	for path, status := range map[string]int{"/orders/mcp": 200, "/mcp": 200, "": 200, "/orders": 404, "/other/mcp": 404} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/.well-known/oauth-protected-resource"+path, nil)
		s.Handler().ServeHTTP(w, r)
		if w.Code != status || (status == 200) != strings.Contains(w.Body.String(), `"resource":"https://api.example/orders/mcp"`) {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	s.Handler().ServeHTTP(w, r)
	if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, `resource_metadata="https://api.example/.well-known/oauth-protected-resource/orders/mcp"`) {
		t.Errorf("challenge %s", got)
	}
}

// pair is a certificate with its key, PEM.
func pair(t *testing.T, tmpl, parent *x509.Certificate, signer *ecdsa.PrivateKey) (cert, key []byte, own *ecdsa.PrivateKey) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		parent, signer = tmpl, own
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}), own
}

func TestTLS(t *testing.T) {
	life := func(c x509.Certificate) *x509.Certificate {
		c.NotBefore, c.NotAfter, c.SerialNumber = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), big.NewInt(time.Now().UnixNano())
		return &c
	}
	ca := life(x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	caPEM, _, caKey := pair(t, ca, nil, nil)
	serverCert, serverKey, _ := pair(t, life(x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), ca, caKey)
	spiffe := &url.URL{Scheme: "spiffe", Host: "acme", Path: "/billing"}
	clientCert, clientKey, _ := pair(t, life(x509.Certificate{URIs: []*url.URL{spiffe}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), ca, caKey)
	files := map[string][]byte{"ca.pem": caPEM, "server.pem": serverCert, "server.key": serverKey}
	read := func(name string) ([]byte, error) {
		if b := files[name]; b != nil {
			return b, nil
		}
		return nil, errors.New("no such file")
	}
	p := library("http://127.0.0.1:9")
	p.TLS = &plan.Certificate{Cert: "server.pem", Key: "server.key"}
	p.Identities = []plan.Identity{{Name: "mesh", Client: &plan.ClientCertificates{CA: "ca.pem", Names: []string{"spiffe://acme/*"}}}}
	s, err := New(p, Options{ReadFile: read})
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	defer func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	own, err := tls.X509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		certs  []tls.Certificate
		status int
	}{"with a certificate": {[]tls.Certificate{own}, 200}, "without": {nil, 401}} {
		c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: test.certs, MinVersion: tls.VersionTLS12}}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+l.Addr().String()+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		res, err := c.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != test.status || res.ProtoMajor != 2 {
			t.Errorf("%s: %d, %s", name, res.StatusCode, res.Proto)
		}
		c.CloseIdleConnections()
	}

	p.TLS = nil
	if _, err := New(p, Options{ReadFile: read}); err == nil || !strings.Contains(err.Error(), "listen needs tls") {
		t.Errorf("certificates without TLS: %v", err)
	}
	p.TLS = &plan.Certificate{Cert: "server.pem", Key: "ca.pem"}
	if _, err := New(p, Options{ReadFile: read}); err == nil {
		t.Error("a certificate without its key")
	}
}

// The token that a caller shows is exchanged for one of the API's, or passed on
// where the plan says so; who shows another credential has none to be exchanged.
func TestCallerTokenUpstream(t *testing.T) {
	var seen []string // what the API was called with
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/introspect":
			_, _ = io.WriteString(w, `{"active":true,"iss":"http://`+r.Host+`","aud":"https://mcp.example/mcp","sub":"`+r.PostFormValue("token")[:3]+`","exp":`+strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)+`}`)
		case "/token":
			_, _ = io.WriteString(w, `{"access_token":"for-`+r.PostFormValue("subject_token")+`","token_type":"Bearer","expires_in":60}`)
		}
	}))
	defer login.Close()
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1,"title":"x"}`)
	})
	for kind, want := range map[string]string{
		"tokenExchange": "Bearer for-ann-s3cr3t, Bearer for-bob-s3cr3t",
		"passthrough":   "Bearer ann-s3cr3t, Bearer bob-s3cr3t",
	} {
		t.Run(kind, func(t *testing.T) {
			seen = nil
			p := library(base)
			hash := sha256.Sum256([]byte("k"))
			p.Identities = []plan.Identity{
				{Name: "people", OAuth: &plan.OAuth{Issuer: login.URL, Audience: []string{"https://mcp.example/mcp"}, Subject: "sub",
					Introspection: &plan.Introspection{URL: login.URL + "/introspect", ClientID: "mcpc", Secret: &plan.Secret{Name: "i", Env: []string{"I"}}}}},
				{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{{Name: "ci", Hash: hex.EncodeToString(hash[:])}}}},
			}
			c := plan.Credential{Name: "caller", Kind: kind}
			if kind == "tokenExchange" {
				c.OAuth = &plan.OAuthClient{TokenURL: login.URL + "/token", ClientID: "mcpc", SubjectType: "urn:ietf:params:oauth:token-type:access_token"}
			}
			p.Upstreams[0].Credentials = []plan.Credential{c}
			for i := range p.Tools {
				p.Tools[i].Request.Security = [][]string{{"caller"}}
			}
			var log logged
			s, err := New(p, Options{Logger: log.logger(), Getenv: env("I", "s3cr3t-i")})
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(s.Handler())
			defer web.Close()
			call := func(header, value string) string {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/mcp", strings.NewReader(callBook))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Accept", "application/json, text/event-stream")
				r.Header.Set(header, value)
				res, err := web.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				text, _ := io.ReadAll(res.Body)
				return string(text)
			}
			for _, token := range []string{"ann-s3cr3t", "bob-s3cr3t"} {
				if text := call("Authorization", "Bearer "+token); !strings.Contains(text, `"title":"x"`) {
					t.Errorf("%s: %s", token, text)
				}
			}
			if text := call("X-Api-Key", "k"); !strings.Contains(text, "this caller has none") {
				t.Errorf("with a key: %s", text)
			}
			if got := strings.Join(seen, ", "); got != want {
				t.Errorf("the API was called with %s, want %s", got, want)
			}
			if strings.Contains(log.String(), "s3cr3t") {
				t.Errorf("the log: %s", log.String())
			}
		})
	}
}

// A plan that refuses the client on stdio ends its session, with calls in flight
// finished; one that cannot tell whether it is good is not taken.
func TestRevokedOnStdio(t *testing.T) {
	s, p := locked(t, Options{Getenv: env("MCPC_KEY", "r-key", "LIBRARY_TOKEN", "t"), Reloads: true})
	o := Options{Getenv: env("MCPC_KEY", "r-key", "LIBRARY_TOKEN", "t"), ReadFile: noFile}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := s.ServeStdio(context.Background(), inR, outW)
		_ = outW.Close()
		ended <- err
	}()
	t.Cleanup(func() { _ = inW.Close() })
	lines := &stdioLines{t: t, in: inW, out: bufio.NewScanner(outR)}
	lines.write(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	lines.read()

	same := *p
	same.Version = "2"
	if _, err := s.Reload(&same, o); err != nil {
		t.Fatal(err)
	}
	lines.write(callBook)
	if got := lines.read(); !strings.Contains(got, `"title":"x"`) {
		t.Fatalf("a plan that knows the key: %s", got)
	}

	without := *p
	keys := *p.Identities[0].Keys
	keys.Keys = keys.Keys[1:]
	without.Identities = []plan.Identity{{Name: "machines", Keys: &keys}, p.Identities[1]}
	if _, err := s.Reload(&without, o); err != nil {
		t.Fatal(err)
	}
	// The reader may take one more line, which is answered by nobody.
	go func() { _, _ = io.WriteString(inW, callBook+"\n["+callBook+"]\n") }()
	if lines.out.Scan() {
		t.Errorf("a revoked key: %s", lines.out.Text())
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "r-key") {
		t.Errorf("the session ended with %v", err)
	}
}
