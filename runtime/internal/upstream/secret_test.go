package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// vaulted is a secret that may be another one when it is asked for again.
func vaulted(name string) plan.Expr {
	return plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: name, Vault: &plan.Vault{Path: "p", Field: name}}}
}

// A secret that was refused with 401 is read again, once, and the call made again
// with what it is now, wherever it is sent.
func TestRefusedSecretIsReadAgain(t *testing.T) {
	user := vaulted("user")
	for _, c := range []struct {
		cred plan.Credential
		sent func(r *http.Request) string
	}{
		{plan.Credential{Kind: "bearer", Value: vaulted("s")}, func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") }},
		{plan.Credential{Kind: "basic", Username: &user, Value: vaulted("s")}, func(r *http.Request) string { _, p, _ := r.BasicAuth(); return p }},
		{plan.Credential{Kind: "apiKey", In: "header", Param: "X-Key", Value: vaulted("s")}, func(r *http.Request) string { return r.Header.Get("X-Key") }},
		{plan.Credential{Kind: "apiKey", In: "query", Param: "key", Value: vaulted("s")}, func(r *http.Request) string { return strings.Join(r.URL.Query()["key"], "+") }},
		{plan.Credential{Kind: "apiKey", In: "cookie", Param: "key", Value: vaulted("s")}, func(r *http.Request) string {
			var all []string
			for _, c := range r.Cookies() {
				if c.Name == "key" {
					all = append(all, c.Value)
				}
			}
			return strings.Join(all, "+")
		}},
	} {
		t.Run(c.cred.Kind+" "+c.cred.In, func(t *testing.T) {
			current, good := "0ld-value", "new-value"
			asked := 0
			var seen []string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, c.sent(r))
				if c.sent(r) != good {
					w.WriteHeader(http.StatusUnauthorized)
					fmt.Fprintf(w, "no: %s", c.sent(r))
				}
			}))
			defer s.Close()
			c.cred.Name = "c"
			client, err := New(plan.Upstream{BaseURL: s.URL, Credentials: []plan.Credential{c.cred}}, Options{
				Secret: func(plan.Secret) (string, error) { return current, nil },
				Refused: func(plan.Secret) bool {
					asked++
					changed := current != "new-value"
					current = "new-value"
					return changed
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			do := func() *Answer {
				u, _ := url.Parse(s.URL + "/x?a=1")
				a, err := client.Do(context.Background(), principal.Principal{}, &request.Request{Method: "POST", URL: u, Header: http.Header{"Cookie": {"lang=en"}}}, [][]string{{"c"}})
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			if a := do(); a.Status != 200 || strings.Join(seen, " ") != "0ld-value new-value" {
				t.Fatalf("%d %q", a.Status, seen)
			}
			// One that stays the same is not sent twice, and what is shown has neither.
			good, seen = "third-value", nil
			if a := do(); a.Status != 401 || strings.Join(seen, " ") != "new-value" || strings.Contains(a.Redact(string(a.Body)), "new-value") {
				t.Fatalf("%d %q", a.Status, seen)
			}
		})
	}
}

// A secret that cannot be had is a failure of its own, not one that is missing.
func TestSecretThatCannotBeHad(t *testing.T) {
	client, err := New(plan.Upstream{BaseURL: "https://x.example", Credentials: []plan.Credential{{Name: "c", Kind: "bearer", Value: vaulted("s")}, {Name: "l", Kind: "session", Session: loginOf(func(p *plan.Session) {
		*p.Login.Body.Value = plan.Expr{Op: plan.OpObject, Args: []plan.Expr{*literal("p"), vaulted("s")}}
	}).Session}}}, Options{Secret: func(plan.Secret) (string, error) {
		return "", &sealed.Error{Passing: true, Message: "Vault cannot be reached"}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"c", "l"} {
		u, _ := url.Parse("https://x.example/")
		_, err = client.Do(context.Background(), principal.Principal{}, &request.Request{Method: "GET", URL: u}, [][]string{{name}})
		f, _ := errors.AsType[*Failure](err)
		if f == nil || f.Kind != KindCredential || f.Retry != result.RetryMay || !strings.Contains(f.Message, "Vault cannot be reached") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	// To explain a call nothing is asked.
	u, _ := url.Parse("https://x.example/")
	r := &request.Request{Method: "GET", URL: u}
	if missing, err := client.Explain(r, [][]string{{"c"}}); err != nil || missing != nil || r.Header.Get("Authorization") != "Bearer (secret)" {
		t.Errorf("%v %v %v", missing, err, r.Header)
	}
}

// Nothing that is held while a call is made shows a secret when it is printed.
func TestPrintedCallsShowNoSecret(t *testing.T) {
	password := "s3cr3t-password"
	s := newPortal(t)
	s.password = password
	kinds := []plan.Credential{
		loginOf(nil),
		{Name: "c", Kind: "bearer", Value: secret("s")},
		{Name: "c", Kind: "basic", Username: literal("u"), Value: secret("s")},
		{Name: "c", Kind: "apiKey", In: "query", Param: "k", Value: secret("s")},
		{Name: "c", Kind: "hmac", Value: secret("s"), HMAC: &plan.HMAC{Sign: []string{"path"}, Header: "X-Sig"}},
		{Name: "c", Kind: "digest", Username: literal("u"), Value: secret("s")},
		{Name: "c", Kind: "awsSigV4", Username: literal("u"), Value: secret("s"), AWS: &plan.AWS{Region: "r", Service: "s"}},
	}
	for _, kind := range kinds {
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
		}
		c, err := New(plan.Upstream{BaseURL: portalURL, Credentials: []plan.Credential{kind}}, Options{
			Secret: func(plan.Secret) (string, error) { return password, nil }, Transport: through((&http.Transport{DialContext: dial}).RoundTrip),
		})
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(portalURL + "/x")
		k := &call{Client: c, sent: nothing, req: &request.Request{Method: "GET", URL: u}}
		if err := k.authenticate(context.Background(), [][]string{{"c"}}); err != nil {
			t.Fatal(err)
		}
		a, err := s.call(t, c, "ann", "GET", "/x")
		if err != nil {
			t.Fatal(err)
		}
		a.Header, a.Body = nil, nil // what the service says
		var text strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&text, verb+"\n", k)
			fmt.Fprintf(&text, verb+"\n", *k.sent)
			fmt.Fprintf(&text, verb+"\n", k.sent)
			fmt.Fprintf(&text, verb+"\n", a)
			fmt.Fprintf(&text, verb+"\n", c)
			fmt.Fprintf(&text, verb+"\n", k.sent.login)
			if k.sent.session != nil {
				fmt.Fprintf(&text, verb+"\n", k.sent.session.now.Values)
			}
		}
		for _, hidden := range []string{password, fmt.Sprintf("%x", password), "sess10n-"} {
			if i := strings.Index(text.String(), hidden); i >= 0 {
				t.Errorf("%s: %s is shown: …%s", kind.Kind, hidden, text.String()[max(0, i-200):i+len(hidden)])
			}
		}
	}
}

// through is a transport that prints as an address: what it does meanwhile is not
// looked at.
type through func(*http.Request) (*http.Response, error)

func (f through) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
