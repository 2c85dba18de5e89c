package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// server is a token endpoint.
type server struct {
	*httptest.Server
	asked  atomic.Int64
	answer func(w http.ResponseWriter, r *http.Request)
}

func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *server {
	s := &server{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		_ = r.ParseForm()
		s.answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func source(t *testing.T, p plan.OAuthClient) *Tokens {
	t.Helper()
	tokens, err := New(p, http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestRequests(t *testing.T) {
	var form url.Values
	var user, password string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		form = r.PostForm
		user, password, _ = r.BasicAuth()
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer"}`)
	})
	for _, c := range []struct {
		name string
		plan plan.OAuthClient
		ask  Ask
		want string
		auth string
	}{
		{"the header", plan.OAuthClient{ClientID: "me:1", Scopes: []string{"a", "b"}}, Ask{Secret: secret.New("p w")}, "grant_type=client_credentials&scope=a+b", "me%3A1 p+w"},
		{"the body", plan.OAuthClient{ClientID: "me", Post: true, Audience: "erp", Resource: "https://erp.example"}, Ask{Secret: secret.New("pw")}, "audience=erp&client_id=me&client_secret=pw&grant_type=client_credentials&resource=https%3A%2F%2Ferp.example", " "},
		{"an exchange", plan.OAuthClient{ClientID: "me", SubjectType: accessToken, Audience: "erp"}, Ask{Subject: secret.New("hers")},
			"audience=erp&client_id=me&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&subject_token=hers&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token", " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.plan.TokenURL = s.URL
			if _, _, err := source(t, c.plan).Token(t.Context(), c.ask); err != nil {
				t.Fatal(err)
			}
			if got := form.Encode(); got != c.want {
				t.Errorf("form %s\nwant %s", got, c.want)
			}
			if got := user + " " + password; got != c.auth {
				t.Errorf("header %q, want %q", got, c.auth)
			}
		})
	}
}

func TestStatement(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	var seen []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		claims := jwt.RegisteredClaims{}
		j, err := jwt.ParseWithClaims(r.PostForm.Get("client_assertion"), &claims, func(j *jwt.Token) (any, error) {
			if j.Header["kid"] != "k1" {
				return nil, fmt.Errorf("kid %v", j.Header["kid"])
			}
			return &k.PublicKey, nil
		}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("http://"+r.Host), jwt.WithIssuer("me"), jwt.WithSubject("me"), jwt.WithExpirationRequired())
		if err != nil || !j.Valid || r.PostForm.Get("client_assertion_type") != bearerJWT || r.Header.Get("Authorization") != "" {
			t.Errorf("%v: %v", err, r.PostForm)
		}
		seen = append(seen, claims.ID)
		fmt.Fprint(w, `{"access_token":"t","expires_in":0}`)
	})
	tokens := source(t, plan.OAuthClient{TokenURL: s.URL, ClientID: "me", Alg: "ES256", KeyID: "k1"})
	for range 2 { // the token is good for no second use
		if _, _, err := tokens.Token(t.Context(), Ask{Secret: secret.New(key)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 || seen[0] == seen[1] {
		t.Errorf("ids %v: every statement has its own", seen)
	}
	for _, bad := range []string{"s3cr3t", strings.Replace(key, "M", "x", 1)} {
		if _, _, err := tokens.Token(t.Context(), Ask{Secret: secret.New(bad)}); err == nil || err.Error() != "the private key is none for ES256, in PEM form" {
			t.Errorf("a key that is none: %v", err)
		}
	}
	if _, err := New(plan.OAuthClient{TokenURL: s.URL, Alg: "XX"}, nil); err == nil {
		t.Error("no algorithm was accepted")
	}
}

// Tokens are kept until shortly before they expire, for each caller apart.
func TestKept(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"access_token":"%s-%d","token_type":"bearer","expires_in":"100"}`, r.PostForm.Get("subject_token"), n.Add(1))
	})
	tokens := source(t, plan.OAuthClient{TokenURL: s.URL, SubjectType: accessToken})
	now := time.Now()
	tokens.now = func() time.Time { return now }
	get := func(subject, want string, fresh bool) {
		t.Helper()
		got, f, err := tokens.Token(t.Context(), Ask{Subject: secret.New(subject)})
		if err != nil || got != want || f != fresh {
			t.Errorf("got %q, fresh %v, %v; want %q, %v", got, f, err, want, fresh)
		}
	}
	get("ann", "ann-1", true)
	get("bob", "bob-2", true)
	get("ann", "ann-1", false)
	now = now.Add(74 * time.Second)
	get("ann", "ann-1", false)
	now = now.Add(2 * time.Second) // 76 of 100 s: a quarter is left aside
	get("ann", "ann-3", true)
	tokens.Forget(Ask{Subject: secret.New("ann")}, "ann-1") // replaced already
	get("ann", "ann-3", false)
	tokens.Forget(Ask{Subject: secret.New("ann")}, "ann-3")
	get("ann", "ann-4", true)
	// Another secret of the client is another question.
	if got, _, _ := tokens.Token(t.Context(), Ask{Secret: secret.New("new"), Subject: secret.New("ann")}); got != "ann-5" {
		t.Errorf("after the secret changed: %s", got)
	}
}

// However many wait, one asks; who goes away does not end it for the others.
func TestOneRequest(t *testing.T) {
	enter, leave := make(chan bool), make(chan bool)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		enter <- true
		<-leave
		fmt.Fprint(w, `{"access_token":"t"}`)
	})
	tokens := source(t, plan.OAuthClient{TokenURL: s.URL})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, _, err := tokens.Token(ctx, Ask{Secret: secret.New("s")})
		first <- err
	}()
	<-enter
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got, _, err := tokens.Token(t.Context(), Ask{Secret: secret.New("s")}); got != "t" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	close(leave)
	wg.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		status  int
		body    string
		want    string
		code    string
		passing bool
	}{
		{"a wrong secret", 401, `{"error":"invalid_client","error_description":"s3cr3t is wrong"}`, "the authorization server answered 401 (invalid_client)", "invalid_client", false},
		{"a code that is none", 400, `{"error":"s3cr3t is wrong"}`, "the authorization server answered 400", "", false},
		{"a failure", 503, "s3cr3t", "the authorization server answered 503", "", true},
		{"too many", 429, "", "the authorization server answered 429", "", true},
		{"a redirect", 307, "", "the authorization server answered 307", "", false},
		{"no JSON", 200, "access_token=s3cr3t", "the authorization server's answer is no JSON object", "", false},
		{"no token", 200, `{"token_type":"bearer"}`, "the authorization server's answer holds no token that can be sent", "", false},
		{"a token with a line end", 200, `{"access_token":"s3cr3t\r\nHost: evil"}`, "the authorization server's answer holds no token that can be sent", "", false},
		{"another kind", 200, `{"access_token":"s3cr3t","token_type":"DPoP"}`, "the authorization server gave a token of a kind that cannot be sent; it has to be a bearer token", "", false},
		{"an endless answer", 200, strings.Repeat(" ", maxAnswer+1), "the authorization server gave no whole answer", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			tokens := source(t, plan.OAuthClient{TokenURL: s.URL, ClientID: "me"})
			now := time.Now()
			tokens.now = func() time.Time { return now }
			for range 3 { // the server is left alone for a moment
				_, _, err := tokens.Token(t.Context(), Ask{Secret: secret.New("s3cr3t")})
				e, _ := errors.AsType[*Error](err)
				if e == nil || e.Message != c.want || e.Code != c.code || e.Passing != c.passing {
					t.Fatalf("got %#v", err)
				}
			}
			if n := s.asked.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
			now = now.Add(restAfterRefusal)
			s.answer = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"t"}`) }
			if got, _, err := tokens.Token(t.Context(), Ask{Secret: secret.New("s3cr3t")}); got != "t" {
				t.Errorf("afterwards: %q, %v", got, err)
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		s := serve(t, nil)
		tokens := source(t, plan.OAuthClient{TokenURL: s.URL})
		s.Close()
		_, _, err := tokens.Token(t.Context(), Ask{Secret: secret.New("s3cr3t")})
		if e, _ := errors.AsType[*Error](err); e == nil || !e.Passing || e.Message != "the authorization server cannot be reached" {
			t.Errorf("got %v", err)
		}
	})
}

// What is kept does not grow without bound.
func TestBound(t *testing.T) {
	tokens := source(t, plan.OAuthClient{TokenURL: "https://login.example"})
	now := time.Now()
	for i := range maxHeld + 10 {
		tokens.put(Ask{Subject: secret.New(fmt.Sprint(i))}.key(), held{token: secret.New("t"), until: now.Add(time.Hour)})
	}
	if n := len(tokens.held); n != maxHeld {
		t.Errorf("%d are kept", n)
	}
}
