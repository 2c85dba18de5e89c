package runtime

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// portal is a service with a login and tokens, which counts what it is asked for.
type portal struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
	open  map[net.Conn]bool
	slow  chan struct{} // what /slow waits for
	began chan struct{}
}

func newPortal(t *testing.T) *portal {
	p := &portal{asked: map[string]int{}, open: map[net.Conn]bool{}, slow: make(chan struct{}), began: make(chan struct{}, 1)}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ConnState = func(c net.Conn, state http.ConnState) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch state {
		case http.StateNew:
			p.open[c] = true
		case http.StateClosed:
			delete(p.open, c)
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

func (p *portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/login":
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: "sess10n-value", Path: "/"})
	case "/token":
		_, _ = io.WriteString(w, `{"access_token":"t0ken-value","token_type":"Bearer","expires_in":3600}`)
		return
	case "/slow/1":
		p.began <- struct{}{}
		<-p.slow
	}
	_, _ = io.WriteString(w, `{}`)
}

func (p *portal) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *portal) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// until waits for something that happens by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: ", what)
		}
	}
}

// withSession has the API of an edition know callers by a session.
func withSession(p *plan.Server) {
	login := plan.Request{Method: "POST", Path: []plan.Segment{{Literal: "/login"}}}
	logout := plan.Request{Method: "POST", Path: []plan.Segment{{Literal: "/logout"}}}
	p.Upstreams[0].Credentials = []plan.Credential{{Name: "c", Kind: "session", Session: &plan.Session{Login: login, Logout: &logout, Shared: true}}}
	p.Tools[0].Request.Security = [][]string{{"c"}}
}

// withToken has it want a token, of another server.
func withToken(p *plan.Server, tokens string) {
	p.Upstreams[0].Credentials = []plan.Credential{{Name: "c", Kind: "oauth2", OAuth: &plan.OAuthClient{TokenURL: tokens + "/token", ClientID: "me", Post: true},
		Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "c", Env: []string{"C"}}}}}
	p.Tools[0].Request.Security = [][]string{{"c"}}
}

func callOnce(t *testing.T, s *Server) string {
	t.Helper()
	res, err := s.line.now.Load().Call(t.Context(), Principal{}, "get_book", []byte(`{"id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	return res.Code
}

// A reload that is about something else logs in nowhere, gets no token, and keeps
// its connections, also when a value was given that another API uses. Another login
// begins with a session of its own, and that of the old one is logged out.
func TestReloadKeepsSessionsAndTokens(t *testing.T) {
	var api, login *portal
	make := func(n string, more func(*plan.Server)) *plan.Server {
		p := edition(api.URL, n)
		more(p)
		other := plan.Upstream{Name: "other", BaseURL: "http://127.0.0.1:1", Credentials: []plan.Credential{
			{Name: "o", Kind: "bearer", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "other"}}}}}
		p.Upstreams = append(p.Upstreams, other)
		return p
	}
	for name, c := range map[string]struct {
		plan func(*plan.Server)
		path string
	}{
		"session": {withSession, "/login"},
		"token":   {func(p *plan.Server) { withToken(p, login.URL) }, "/token"},
	} {
		t.Run(name, func(t *testing.T) {
			api, login = newPortal(t), newPortal(t)
			o := Options{Getenv: env("C", "s3cr3t"), ReadFile: noFile, Reloads: true, Secrets: map[string]string{"other": "one"}}
			s := newServer(t, make("a", c.plan), o)
			if code := callOnce(t, s); code != "ok" && code != "" {
				t.Fatalf("%s", code)
			}
			before := s.line.now.Load().bridge.clients["books"]
			o.Secrets = map[string]string{"other": "two"}
			for n, p := range []*plan.Server{make("a", c.plan), make("b", c.plan), make("c", func(p *plan.Server) { c.plan(p); p.Upstreams[0].Timeout++ })} {
				if _, err := s.Reload(p, o); err != nil {
					t.Fatal(err)
				}
				if code := callOnce(t, s); code != "ok" && code != "" {
					t.Errorf("%d: %s", n, code)
				}
				if same := s.line.now.Load().bridge.clients["books"] == before; same != (n < 2) {
					t.Errorf("%d: the same client: %t", n, same)
				}
			}
			if n := api.count(c.path) + login.count(c.path); n != 1 {
				t.Errorf("%s was asked %d times", c.path, n)
			}
			if n := api.count("/logout"); n != 0 {
				t.Errorf("%d logouts of a session that is in use", n)
			}
			// A value of its own begins anew.
			if name == "session" {
				if _, err := s.Reload(make("d", func(p *plan.Server) { c.plan(p); p.Upstreams[0].Credentials[0].Session.TTL = time.Hour }), o); err != nil {
					t.Fatal(err)
				}
				callOnce(t, s)
				if n := api.count("/login"); n != 2 {
					t.Errorf("%d logins", n)
				}
				until(t, "the session of the old login is logged out", func() bool { return api.count("/logout") == 1 })
			}
		})
	}
}

// Connections to an API and to where its tokens come from are closed when the last
// call of a plan that is not served any more has ended, and not before.
func TestReloadClosesConnections(t *testing.T) {
	api, login := newPortal(t), newPortal(t)
	p := edition(api.URL, "slow")
	withToken(p, login.URL)
	s := newServer(t, p, Options{Getenv: env("C", "s3cr3t"), Reloads: true})
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	answer := make(chan string, 1)
	go func() {
		res, err := web.Client().Post(web.URL+"/mcp", "application/json", strings.NewReader(callBook))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answer <- string(text)
	}()
	<-api.began
	if api.connections() != 1 || login.connections() != 1 {
		t.Fatalf("%d connections, and %d for tokens", api.connections(), login.connections())
	}
	reload(t, s, edition("http://127.0.0.1:1", "b"))
	if api.connections() != 1 || login.connections() != 1 {
		t.Errorf("while the call runs: %d connections, and %d for tokens", api.connections(), login.connections())
	}
	close(api.slow)
	if got := <-answer; strings.Contains(got, "isError\":true") {
		t.Errorf("%s", got)
	}
	until(t, "the connections are closed", func() bool { return api.connections() == 0 && login.connections() == 0 })
}

// An edit of a limit does not fill anybody's bucket, however often it is made, and
// what is forgotten is said.
func TestReloadKeepsWhatWasUsed(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	make := func(l plan.CallLimit) *plan.Server {
		p := edition(up, "a")
		p.Limits = []plan.CallLimit{l}
		return p
	}
	var log logged
	o := Options{Getenv: env(), ReadFile: noFile, Reloads: true, Logger: log.logger()}
	s := newServer(t, make(plan.CallLimit{Name: "few", Every: time.Hour, Burst: 3}), o)
	calls := func(want ...string) {
		t.Helper()
		var got []string
		for range want {
			code := callOnce(t, s)
			if code == "ok" {
				code = ""
			}
			got = append(got, code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
	}
	take := func(l plan.CallLimit) {
		t.Helper()
		if _, err := s.Reload(make(l), o); err != nil {
			t.Fatal(err)
		}
	}
	const no = "rate-limited"
	calls("", "", "", no)
	for n := range 10 {
		take(plan.CallLimit{Name: "few", Every: time.Hour + time.Duration(n)*time.Minute, Burst: 3})
		calls(no)
	}
	take(plan.CallLimit{Name: "few", Every: time.Hour, Burst: 5}) // two more than before
	calls("", "", no)
	take(plan.CallLimit{Name: "few", Every: 2 * time.Hour, Burst: 2})
	calls(no)
	if strings.Contains(log.String(), "forgotten") {
		t.Errorf("%s", log.String())
	}
	take(plan.CallLimit{Name: "few", Every: 2 * time.Hour, Burst: 2, Key: &plan.Expr{Op: plan.OpConst, Const: `"other"`}})
	calls("", "", no)
	if n := strings.Count(log.String(), "what clients used up of it is forgotten"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	// A plan that is not taken changes nothing.
	bad := make(plan.CallLimit{Name: "few", Every: time.Second, Burst: 100, Key: &plan.Expr{Op: plan.OpConst, Const: `"other"`}})
	bad.Upstreams[0].BaseURL = "http://%zz"
	if _, err := s.Reload(bad, o); err == nil {
		t.Fatal("a plan with no address is taken")
	}
	calls(no)
}

// provider introspects tokens: it says when they expire, that they do not hold, or
// nothing.
type provider struct {
	*httptest.Server
	exp   atomic.Int64 // 0: the token does not hold
	away  atomic.Bool
	asked atomic.Int64
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if p.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if p.exp.Load() == 0 {
			_, _ = io.WriteString(w, `{"active":false}`)
			return
		}
		fmt.Fprintf(w, `{"active":true,"iss":"http://%s","aud":["https://mcp.example/mcp","https://other.example/mcp"],"sub":"ann","exp":%d}`, r.Host, p.exp.Load())
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) identity(audience string) plan.Identity {
	return plan.Identity{Name: "people", OAuth: &plan.OAuth{Issuer: p.URL, Audience: []string{audience},
		Introspection: &plan.Introspection{URL: p.URL + "/introspect", ClientID: "mcpc"}}}
}

// A credential on stdio is good for as long as it is: the session ends when the key
// or the token expires, and when the token is revoked. While nobody can be asked it
// lasts until it expires.
func TestCredentialOnStdioEnds(t *testing.T) {
	soon := func(seconds int64) int64 { return time.Now().Unix() + seconds }
	hash := sha256.Sum256([]byte("r-key"))
	for name, c := range map[string]struct {
		key   bool
		exp   int64 // of the token, in seconds from now
		after func(*provider)
		want  string
	}{
		"an expired key":                {key: true, want: "not known or has expired"},
		"a revoked token":               {exp: 2, after: func(p *provider) { p.exp.Store(0) }, want: "not active"},
		"a token that nobody can judge": {exp: 2, after: func(p *provider) { p.away.Store(true) }, want: "cannot be checked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := newProvider(t)
			idp.exp.Store(soon(c.exp))
			p := edition(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }), "a")
			p.Identities = []plan.Identity{idp.identity("https://mcp.example/mcp")}
			o := Options{Getenv: env("MCPC_TOKEN", "ann-t0ken")}
			if c.key {
				p.Identities = []plan.Identity{{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{{Name: "reader", Hash: hex.EncodeToString(hash[:]), Expires: soon(2)}}}}}
				o.Getenv = env("MCPC_KEY", "r-key")
			}
			s := newServer(t, p, o)
			inR, inW := io.Pipe()
			outR, outW := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				err := s.ServeStdio(context.Background(), inR, outW)
				_ = outW.Close()
				_ = inR.CloseWithError(fmt.Errorf("the server has ended: %w", err))
				ended <- err
			}()
			t.Cleanup(func() { _ = inW.Close() })
			lines := &stdioLines{t: t, in: inW, out: bufio.NewScanner(outR)}
			lines.write(callBook)
			if got := lines.read(); strings.Contains(got, "error") {
				t.Fatalf("while it is good: %s", got)
			}
			if c.after != nil {
				c.after(idp)
			}
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), "session ends") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("the session ended with %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it is served for ever")
			}
		})
	}
}

// A token that is renewed where it comes from, or that nobody can judge before it
// expires, is served on.
func TestCredentialOnStdioGoesOn(t *testing.T) {
	idp := newProvider(t)
	idp.exp.Store(time.Now().Unix() + 1)
	p := edition(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }), "a")
	p.Identities = []plan.Identity{idp.identity("https://mcp.example/mcp")}
	o := Options{Getenv: env("MCPC_TOKEN", "ann-t0ken"), ReadFile: noFile, Reloads: true}
	s := newServer(t, p, o)
	s.line.look = 5 * time.Millisecond
	lines := stdioOf(t, s, `{}`)
	idp.exp.Store(time.Now().Unix() + 3600)
	until(t, "the token is looked at again", func() bool { return idp.asked.Load() >= 2 })
	idp.away.Store(true)
	lines.write(callBook)
	if got := lines.read(); strings.Contains(got, "error") {
		t.Errorf("%s", got)
	}
	// A plan under which the token would have to be asked about is not taken.
	next := *p
	next.Identities = []plan.Identity{idp.identity("https://other.example/mcp")}
	before := s.line.now.Load()
	if _, err := s.Reload(&next, o); err == nil || !strings.Contains(err.Error(), "cannot be checked") || s.line.now.Load() != before {
		t.Errorf("while the provider is away: %v", err)
	}
	// One that leaves the identity alone is, without a question.
	same := edition(p.Upstreams[0].BaseURL, "b")
	same.Identities = p.Identities
	if _, err := s.Reload(same, o); err != nil {
		t.Errorf("a plan with the same identity: %v", err)
	}
	lines.write(callBook)
	lines.read() // of the list, or the call
	idp.away.Store(false)
	if _, err := s.Reload(&next, o); err != nil {
		t.Errorf("the provider is back: %v", err)
	}
}
