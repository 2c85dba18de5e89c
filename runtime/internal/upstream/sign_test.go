package upstream

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func constant(s string) *plan.Expr { return &plan.Expr{Op: plan.OpConst, Const: `"` + s + `"`} }

func signing(t *testing.T, base string, c plan.Credential) *Client {
	t.Helper()
	c.Name = "c"
	client, err := New(plan.Upstream{Name: "erp", BaseURL: base, Credentials: []plan.Credential{c}},
		Options{Secret: vault(map[string]string{"key": "s3cr3t", "wrong": "wr0ng"})})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A server that challenges gets the answer, for any method; one nonce serves many
// calls, a stale one is replaced, and a wrong password is sent once.
func TestDigestAnswers(t *testing.T) {
	var nonce, requests atomic.Int64
	nonce.Store(1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		now, given := fmt.Sprintf(`nonce="n%d"`, nonce.Load()), r.Header.Get("Authorization")
		switch {
		case strings.Contains(given, now) && strings.Contains(given, `username="ann"`):
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
			return
		case given != "" && !strings.Contains(given, now):
			now += ", stale=true"
		}
		w.Header().Set("WWW-Authenticate", `Digest realm="r", qop="auth", algorithm=SHA-256, `+now)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	c := signing(t, s.URL, plan.Credential{Kind: "digest", Username: constant("ann"), Value: secret("key")})
	is := func(c *Client, want string, sent int64) {
		t.Helper()
		requests.Store(0)
		if got := ask(t.Context(), c, principal.Principal{}, "POST", s.URL); got != want || requests.Load() != sent {
			t.Errorf("got %s after %d requests, want %s after %d", got, requests.Load(), want, sent)
		}
	}
	is(c, "200 order", 2)
	is(c, "200 order", 1)
	nonce.Add(1)
	is(c, "200 order", 2)
	stranger := signing(t, s.URL, plan.Credential{Kind: "digest", Username: constant("bob"), Value: secret("wrong")})
	is(stranger, "401", 2)
	is(stranger, "401", 1)
	nonce.Add(1)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := ask(t.Context(), c, principal.Principal{}, "POST", s.URL); got != "200 order" {
				t.Error(got)
			}
		})
	}
	wg.Wait()
}

// What is signed is what is sent, also after a redirect, and nothing of it shows
// in an explanation.
func TestSigned(t *testing.T) {
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("X-Sig")+r.Header.Get("Authorization"))
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
		}
	}))
	defer s.Close()
	for _, c := range []struct {
		cred  plan.Credential
		where string
		shown string
	}{
		{plan.Credential{Kind: "hmac", Value: secret("key"), HMAC: &plan.HMAC{Sign: []string{"method", "path"}, Header: "X-Sig", Prefix: "v1="}}, "X-Sig", "v1=(secret)"},
		{plan.Credential{Kind: "awsSigV4", Username: constant("AKID"), Value: secret("key"), AWS: &plan.AWS{Region: "r", Service: "s"}}, "Authorization", "AWS4-HMAC-SHA256 (secret)"},
		{plan.Credential{Kind: "digest", Username: constant("ann"), Value: secret("key")}, "Authorization", "Digest (secret)"},
	} {
		got = nil
		client := signing(t, s.URL, c.cred)
		if text := ask(t.Context(), client, principal.Principal{}, "GET", s.URL+"/a"); text != "200" {
			t.Errorf("%s: %s", c.cred.Kind, text)
		}
		if c.cred.Kind != "digest" && (len(got) != 2 || got[0] == "" || got[0] == got[1]) {
			t.Errorf("%s: signatures %q", c.cred.Kind, got)
		}
		u, _ := url.Parse(s.URL)
		req := &request.Request{Method: "GET", URL: u}
		if _, err := client.Explain(req, [][]string{{"c"}}); err != nil || req.Header.Get(c.where) != c.shown {
			t.Errorf("%s is explained as %v, %v", c.cred.Kind, req.Header, err)
		}
	}
}
