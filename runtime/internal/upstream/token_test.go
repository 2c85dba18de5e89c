package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// issuer is an authorization server that gives each caller tokens of his own,
// and an API that accepts the latest of them.
type issuer struct {
	*httptest.Server
	given    atomic.Int64
	served   atomic.Int64
	refuse   atomic.Bool // no token is accepted
	broken   atomic.Bool // no token is given
	mu       sync.Mutex
	accepted map[string]string // by token, whose it is
}

func newIssuer(t *testing.T) *issuer {
	s := &issuer{accepted: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path == "/token" {
			n := s.given.Add(1)
			_ = r.ParseForm()
			_, secret, _ := r.BasicAuth()
			switch subject := r.PostForm.Get("subject_token"); {
			case s.broken.Load():
				w.WriteHeader(http.StatusBadGateway)
			case secret != "s3cr3t":
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `{"error":"invalid_client"}`)
			case subject == "expired":
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":"invalid_grant"}`)
			default:
				token := fmt.Sprintf("token-%d", n)
				s.accepted[token] = subject
				fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
			}
			return
		}
		s.served.Add(1)
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		whose, known := s.accepted[token]
		if !known || s.refuse.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s%s", token, whose, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// revoke makes all tokens worthless that were given.
func (s *issuer) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.accepted)
}

func (s *issuer) client(t *testing.T, kind string, more func(*plan.Upstream)) *Client {
	t.Helper()
	u := plan.Upstream{Name: "erp", BaseURL: s.URL, Credentials: []plan.Credential{{Name: "c", Kind: kind}}}
	if kind != "passthrough" {
		u.Credentials[0].Value = secret("s")
		u.Credentials[0].OAuth = &plan.OAuthClient{TokenURL: s.URL + "/token", ClientID: "me"}
		if kind == "tokenExchange" {
			u.Credentials[0].OAuth.SubjectType = "urn:ietf:params:oauth:token-type:access_token"
		}
	}
	if more != nil {
		more(&u)
	}
	c, err := New(u, Options{Secret: vault(map[string]string{"s": "s3cr3t", "wrong": "wr0ng-s3cr3t"})})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// as is the context of a caller with a token.
func as(t *testing.T, subject, token string) (context.Context, principal.Principal) {
	t.Helper()
	p := principal.Principal{Subject: subject}
	return identity.With(t.Context(), identity.NewCaller(p, token)), p
}

// ask sends a request and returns the status and the body of the answer, or the
// kind and message of the failure.
func ask(ctx context.Context, c *Client, p principal.Principal, method, address string) string {
	u, _ := url.Parse(address)
	req := &request.Request{Method: method, URL: u}
	if method == http.MethodPost {
		req.Body = []byte("order")
	}
	a, err := c.Do(ctx, p, req, [][]string{{"c"}})
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Error() + " " + f.Next
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Body))
}

func TestClientCredentials(t *testing.T) {
	s := newIssuer(t)
	c := s.client(t, "oauth2", nil)
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	ctx, ann := as(t, "ann", "hers")
	is(ask(ctx, c, ann, "GET", s.URL), "200 token-1")
	ctx, bob := as(t, "bob", "his")
	is(ask(ctx, c, bob, "GET", s.URL), "200 token-1") // the token is this server's
	// After a refusal with 401 the token is replaced, once, whatever the method is.
	s.revoke()
	is(ask(ctx, c, bob, "POST", s.URL), "200 token-2 order")
	// One that was got just now is not: it would be refused again.
	s.refuse.Store(true)
	before := s.served.Load()
	is(ask(ctx, c, bob, "GET", s.URL), "401")
	if n := s.served.Load() - before; n != 2 {
		t.Errorf("%d requests to the API, want 2", n)
	}
	s.refuse.Store(false)
	// While none can be got the API's answer stands.
	s.broken.Store(true)
	s.revoke()
	is(ask(ctx, c, bob, "GET", s.URL), "401")
	before = s.served.Load()
	is(ask(ctx, c, bob, "GET", s.URL), `credential: No token for the upstream "erp" could be had: the authorization server answered 502. Nothing was sent to it. Try again later. If it stays so, tell the operator of this server.`)
	if s.served.Load() != before {
		t.Error("something was sent without a token")
	}
}

func TestClientRefused(t *testing.T) {
	s := newIssuer(t)
	for name, want := range map[string]string{
		"wrong":   `credential: No token for the upstream "erp" could be had: the authorization server answered 401 (invalid_client). Nothing was sent to it. The operator of this server has to look at its credential c.`,
		"missing": `credential: No token for the upstream "erp" could be asked for: the environment variable ENV_MISSING is not set. Nothing was sent. The operator of this server has to set it.`,
	} {
		c := s.client(t, "oauth2", func(u *plan.Upstream) { u.Credentials[0].Value = secret(name) })
		if got := ask(t.Context(), c, principal.Principal{}, "GET", s.URL); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if s.served.Load() != 0 {
		t.Error("something was sent without a token")
	}
}

// A hundred calls that find their token refused get one new one.
func TestRenewOnce(t *testing.T) {
	s := newIssuer(t)
	c := s.client(t, "oauth2", nil)
	ask(t.Context(), c, principal.Principal{}, "GET", s.URL)
	s.revoke()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if got := ask(t.Context(), c, principal.Principal{}, "GET", s.URL); got != "200 token-2" {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if n := s.given.Load(); n != 2 {
		t.Errorf("%d tokens were asked for, want 2", n)
	}
}

// A token of the server's own is told as a secret when it is first had and when it
// replaces one that was refused: another call may bring it before it is sent again.
// One that was got for a caller is not.
func TestTokensLearned(t *testing.T) {
	s := newIssuer(t)
	for kind, want := range map[string]int{"oauth2": 2, "tokenExchange": 0} {
		c := s.client(t, kind, nil)
		var learned, given []string
		c.learn = func(text string) { learned = append(learned, text) }
		ctx, ann := as(t, "ann", "hers")
		for range 2 {
			token, _, _ := strings.Cut(strings.TrimPrefix(ask(ctx, c, ann, "GET", s.URL), "200 "), " ")
			given = append(given, token)
			s.revoke()
		}
		if !strings.HasPrefix(given[0], "token-") || !strings.HasPrefix(given[1], "token-") || given[0] == given[1] {
			t.Fatalf("%s: the tokens are %q", kind, given)
		}
		if given = given[:want]; !slices.Equal(learned, given) {
			t.Errorf("%s: learned %q, want %q", kind, learned, given)
		}
	}
}

func TestExchange(t *testing.T) {
	s := newIssuer(t)
	c := s.client(t, "tokenExchange", func(u *plan.Upstream) {
		u.Cache = &plan.Cache{TTL: time.Hour, Shared: true} // which it is not, with a caller's token
		u.Coalesce = true
	})
	is := func(subject, token, want string) {
		t.Helper()
		ctx, p := as(t, subject, token)
		if got := ask(ctx, c, p, "GET", s.URL); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	is("ann", "hers", "200 token-1 hers")
	is("bob", "his", "200 token-2 his")
	is("ann", "hers", "200 token-1 hers")
	is("ann", "her-other", "200 token-3 her-other") // which may open less
	const none = `credential: The upstream "erp" is called with the access token of the caller, and this caller has none. Nothing was sent. Connect again with an access token.`
	is("ann", "", none)
	is("ann", "expired", `credential: No token for the upstream "erp" could be had: the authorization server answered 400 (invalid_grant). Nothing was sent to it. The token of the caller was not accepted: connect again with a new one. If it stays so, tell the operator of this server.`)
	// The token of one caller is not another's.
	ctx, _ := as(t, "ann", "hers")
	if got := ask(ctx, c, principal.Principal{Subject: "bob"}, "GET", s.URL); got != none {
		t.Errorf("with the context of another: %s", got)
	}
}

func TestPassthrough(t *testing.T) {
	s := newIssuer(t)
	s.accepted["hers"] = "ann"
	c := s.client(t, "passthrough", nil)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host got a request") }))
	defer other.Close()
	is := func(token, address, want string) {
		t.Helper()
		ctx, p := as(t, "ann", token)
		if got := ask(ctx, c, p, "GET", address); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	is("hers", s.URL, "200 hers ann")
	is("", s.URL, `credential: The upstream "erp" is called with the access token of the caller, and this caller has none. Nothing was sent. Connect again with an access token.`)
	is("hers", other.URL, `credential: The upstream "erp" is called with the access token of the caller, but this operation has another host. Nothing was sent. The operator of this server has to correct the address of the operation.`)
	is("worthless", s.URL, "401")
	if s.given.Load() != 0 {
		t.Error("a token was asked for")
	}
}

// An explanation asks nobody for a token and shows none.
func TestExplainToken(t *testing.T) {
	s := newIssuer(t)
	for _, kind := range []string{"oauth2", "tokenExchange", "passthrough"} {
		u, _ := url.Parse(s.URL)
		req := &request.Request{Method: "GET", URL: u}
		missing, err := s.client(t, kind, nil).Explain(req, [][]string{{"c"}})
		if got := req.Header.Get("Authorization"); err != nil || missing != nil || got != "Bearer (secret)" {
			t.Errorf("%s: %q %v %v", kind, got, missing, err)
		}
	}
	if s.given.Load() != 0 {
		t.Error("a token was asked for")
	}
	req := &request.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: "erp.example"}}
	c := s.client(t, "oauth2", func(u *plan.Upstream) { u.Credentials[0].Value = secret("missing") })
	if missing, err := c.Explain(req, [][]string{{"c"}}); err != nil || len(missing) != 1 || missing[0] != "c: environment variable ENV_MISSING" {
		t.Errorf("%q, %v", missing, err)
	}
}
