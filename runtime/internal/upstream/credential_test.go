package upstream

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func secret(name string) plan.Expr {
	return plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: name, Env: []string{"ENV_" + strings.ToUpper(name)}}}
}

// vault resolves secrets from a map.
func vault(values map[string]string) func(plan.Secret) (string, error) {
	return func(s plan.Secret) (string, error) {
		if v, ok := values[s.Name]; ok {
			return v, nil
		}
		return "", errors.New("not set")
	}
}

func TestCredentials(t *testing.T) {
	user := plan.Expr{Op: plan.OpConst, Const: `"ann"`}
	credentials := []plan.Credential{
		{Name: "bearer", Kind: "bearer", Value: secret("token")},
		{Name: "basic", Kind: "basic", Value: secret("pair")},
		{Name: "named", Kind: "basic", Username: &user, Value: secret("password")},
		{Name: "header", Kind: "apiKey", In: "header", Param: "x-api-key", Value: secret("key")},
		{Name: "query", Kind: "apiKey", In: "query", Param: "api key", Value: secret("qkey")},
		{Name: "cookie", Kind: "apiKey", In: "cookie", Param: "sid", Value: secret("ckey")},
		{Name: "file", Kind: "bearer", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "f", File: "/secret/place"}}},
		{Name: "made", Kind: "bearer", Value: plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{secret("key"), {Op: plan.OpConst, Const: `"-"`}, secret("token")}}},
	}
	all := map[string]string{"token": "s3cr3t-t", "pair": "bob:s3cr3t:p", "password": "s3cr3t-w", "key": "s3cr3t-k", "qkey": "s3cr3t q+/", "ckey": "s3cr3t-c"}
	with := func(name, value string) map[string]string {
		m := map[string]string{}
		for k, v := range all {
			m[k] = v
		}
		m[name] = value
		return m
	}

	for _, c := range []struct {
		name     string
		secrets  map[string]string
		security [][]string
		url      string // query of the request
		cookie   string
		want     string // what of the request is authentication
		sent     string
		missing  string
		fails    string
	}{
		{name: "none declared", secrets: all, want: ""},
		{name: "bearer", secrets: all, security: [][]string{{"bearer"}}, want: "Authorization: Bearer s3cr3t-t", sent: "bearer"},
		{name: "bearer with its scheme", secrets: with("token", "bearer  s3cr3t-t"), security: [][]string{{"bearer"}}, want: "Authorization: Bearer s3cr3t-t", sent: "bearer"},
		{name: "basic", secrets: all, security: [][]string{{"basic"}}, want: "Authorization: Basic Ym9iOnMzY3IzdDpw", sent: "basic"},
		{name: "basic with a name", secrets: all, security: [][]string{{"named"}}, want: "Authorization: Basic YW5uOnMzY3IzdC13", sent: "named"},
		{name: "basic without a colon", secrets: with("pair", "s3cr3t"), security: [][]string{{"basic"}}, fails: "The credential in the environment variable ENV_PAIR cannot be sent: it is not of the form user:password. Nothing was sent."},
		{name: "header", secrets: all, security: [][]string{{"header"}}, want: "X-Api-Key: s3cr3t-k", sent: "header"},
		{name: "query", secrets: all, security: [][]string{{"query"}}, url: "?a=%20&b", want: "?a=%20&b&api%20key=s3cr3t%20q%2B%2F", sent: "query"},
		{name: "query alone", secrets: all, security: [][]string{{"query"}}, want: "?api%20key=s3cr3t%20q%2B%2F", sent: "query"},
		{name: "cookie", secrets: all, security: [][]string{{"cookie"}}, want: "Cookie: sid=s3cr3t-c", sent: "cookie"},
		{name: "cookie beside others", secrets: all, security: [][]string{{"cookie"}}, cookie: "a=1", want: "Cookie: a=1; sid=s3cr3t-c", sent: "cookie"},
		{name: "cookie that would be two", secrets: with("ckey", "a;b"), security: [][]string{{"cookie"}}, fails: "The credential in the environment variable ENV_CKEY cannot be sent: it holds a character that a cookie cannot. Nothing was sent."},
		{name: "both", secrets: all, security: [][]string{{"header", "bearer"}}, want: "Authorization: Bearer s3cr3t-t X-Api-Key: s3cr3t-k", sent: "header bearer"},
		{name: "computed", secrets: all, security: [][]string{{"made"}}, want: "Authorization: Bearer s3cr3t-k-s3cr3t-t", sent: "made"},
		{name: "the first at hand", secrets: map[string]string{"key": "s3cr3t-k"}, security: [][]string{{"bearer", "header"}, {"header"}, {"query"}}, want: "X-Api-Key: s3cr3t-k", sent: "header",
			missing: `the environment variable ENV_TOKEN (scheme "bearer")`},
		{name: "none at hand", security: [][]string{{"bearer"}, {"file"}, {"made"}, {"mutual"}},
			missing: `the environment variable ENV_TOKEN (scheme "bearer")|the file of secret "f" (scheme "file")|the environment variable ENV_KEY and environment variable ENV_TOKEN (scheme "made")|a credential of the scheme "mutual", which is not supported`},
		{name: "neither of two", security: [][]string{{"bearer", "header"}}, missing: `the environment variable ENV_TOKEN (scheme "bearer") and the environment variable ENV_KEY (scheme "header")`},
		{name: "an empty one is none", secrets: map[string]string{"token": ""}, security: [][]string{{"bearer"}}, missing: `the environment variable ENV_TOKEN (scheme "bearer")`},
		{name: "optional and at hand", secrets: all, security: [][]string{{}, {"bearer"}}, want: "Authorization: Bearer s3cr3t-t", sent: "bearer"},
		{name: "optional and not at hand", security: [][]string{{}, {"bearer"}}, missing: `the environment variable ENV_TOKEN (scheme "bearer")`},
		{name: "a line end", secrets: with("token", "s3cr3t\n"), security: [][]string{{"bearer"}}, fails: "The credential in the environment variable ENV_TOKEN cannot be sent: it holds a line end or another control character. Nothing was sent."},
		{name: "an injected header", secrets: with("key", "s3cr3t\r\nX-Admin: 1"), security: [][]string{{"header"}}, fails: "The credential in the environment variable ENV_KEY cannot be sent: it holds a line end or another control character. Nothing was sent."},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got string
			f := &transport{answer: func(_ int, r *http.Request) (*http.Response, error) {
				var list []string
				for _, name := range []string{"Authorization", "X-Api-Key", "Cookie"} {
					if v := strings.Join(r.Header[name], " | "); v != "" {
						list = append(list, name+": "+v)
					}
				}
				if r.URL.RawQuery != "" {
					list = append(list, "?"+r.URL.RawQuery)
				}
				got = strings.Join(list, " ")
				return &http.Response{StatusCode: 401}, nil
			}}
			client := newClient(t, plan.Upstream{Credentials: credentials}, Options{Transport: f, Secret: vault(c.secrets)})
			r := newRequest(t, "GET", "http://localhost/x"+c.url, "")
			if c.cookie != "" {
				r.Header.Set("Cookie", c.cookie)
			}
			a, err := client.Do(context.Background(), principal.Principal{}, r, c.security)
			if c.fails != "" {
				if f := failure(t, err, KindCredential); f.Message != c.fails {
					t.Errorf("%q", f.Message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("sent %q, want %q", got, c.want)
			}
			if s := strings.Join(a.Sent, " "); s != c.sent {
				t.Errorf("says that %q was sent", s)
			}
			if s := strings.Join(a.Missing, "|"); s != c.missing {
				t.Errorf("says that %q is missing", s)
			}
			if strings.Contains(a.Path, "s3cr3t") {
				t.Error(a.Path)
			}

			// The same, explained, with nothing of a secret.
			r = newRequest(t, "GET", "http://localhost/x"+c.url, "")
			missing, err := client.Explain(r, c.security)
			if err != nil {
				t.Fatal(err)
			}
			if needed := c.sent == "" && c.missing != "" && len(c.security[0]) > 0; needed != (missing != nil) || needed && !strings.HasPrefix(missing[0], c.security[0][0]+": environment variable ENV_") {
				t.Errorf("explains that %q is missing", missing)
			}
			shown := r.URL.String()
			for k, v := range r.Header {
				shown += " " + k + strings.Join(v, "")
			}
			for _, p := range r.Parts {
				shown += " " + p.Name + p.Value + p.From
			}
			if strings.Contains(shown, "s3cr3t") || strings.Contains(shown, "Ym9i") || (c.sent != "") != strings.Contains(shown, "(secret)") {
				t.Error(shown)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	f := &transport{answer: status(401)}
	client := newClient(t, plan.Upstream{Credentials: []plan.Credential{
		{Name: "q", Kind: "apiKey", In: "query", Param: "k", Value: secret("q")},
		{Name: "b", Kind: "basic", Value: secret("pair")},
		{Name: "short", Kind: "apiKey", In: "header", Param: "s", Value: secret("short")},
	}}, Options{Transport: f, Secret: vault(map[string]string{"q": `a/"b`, "pair": "ann:password", "short": "x"}), Redact: func(s string) string { return strings.ReplaceAll(s, "other", "(secret)") }})
	a, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", "http://localhost/", ""), [][]string{{"q", "b", "short"}})
	if err != nil {
		t.Fatal(err)
	}
	in := `raw a/"b, in a URL a%2F%22b, in JSON "a/\"b", Basic YW5uOnBhc3N3b3Jk, ann:password, password, xyz, other`
	want := `raw (secret), in a URL (secret), in JSON "(secret)", Basic (secret), (secret), (secret), xyz, (secret)`
	if got := a.Redact(in); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCredentialsStayEncrypted(t *testing.T) {
	f := &transport{answer: status(200)}
	client := newClient(t, plan.Upstream{BaseURL: "https://localhost", Credentials: []plan.Credential{{Name: "b", Kind: "bearer", Value: secret("t")}}},
		Options{Transport: f, Secret: vault(map[string]string{"t": "s3cr3t"})})
	_, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", "http://localhost/", ""), [][]string{{"b"}})
	failure(t, err, KindCredential)
	if f.attempts != 0 {
		t.Error("it was sent")
	}
}

func TestUserOfBaseURL(t *testing.T) {
	var got string
	f := &transport{answer: func(_ int, r *http.Request) (*http.Response, error) {
		got = r.Header.Get("Authorization") + " " + r.URL.String()
		return &http.Response{StatusCode: 200}, nil
	}}
	client := newClient(t, plan.Upstream{Credentials: []plan.Credential{{Name: "b", Kind: "bearer", Value: secret("t")}}}, Options{Transport: f, Secret: vault(map[string]string{"t": "tt"})})
	for security, want := range map[string]string{"": "Basic dTpwQA== http://localhost/x", "b": "Bearer tt http://localhost/x"} {
		var s [][]string
		if security != "" {
			s = [][]string{{security}}
		}
		if _, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", "http://u:p%40@localhost/x", ""), s); err != nil || got != want {
			t.Errorf("%q: %s %v", security, got, err)
		}
	}
}

// A key in the query is not lost on the way, and not sent twice.
func TestQueryKeyAlongRedirects(t *testing.T) {
	var seen []string
	f := &transport{answer: func(n int, r *http.Request) (*http.Response, error) {
		seen = append(seen, r.URL.RequestURI())
		at := []string{"/b?page=2", "/c?k=s3cr3t&page=3", ""}[n-1]
		if at == "" {
			return &http.Response{StatusCode: 200}, nil
		}
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {at}}}, nil
	}}
	client := newClient(t, plan.Upstream{Credentials: []plan.Credential{{Name: "q", Kind: "apiKey", In: "query", Param: "k", Value: secret("q")}}},
		Options{Transport: f, Secret: vault(map[string]string{"q": "s3cr3t"})})
	a, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", "http://localhost/a", ""), [][]string{{"q"}})
	if err != nil || a.Path != "/c" {
		t.Fatalf("%+v %v", a, err)
	}
	if got := strings.Join(seen, " "); got != "/a?k=s3cr3t /b?page=2&k=s3cr3t /c?k=s3cr3t&page=3" {
		t.Error(got)
	}
}

func TestNewRefusesWhatIsNotKnown(t *testing.T) {
	for _, c := range []plan.Credential{
		{Name: "x", Kind: "digest"},
		{Name: "x", Kind: "apiKey", In: "body", Param: "k", Value: secret("k")},
		{Name: "x", Kind: "apiKey", In: "header", Value: secret("k")},
		{Name: "x", Kind: "bearer", Value: plan.Expr{Op: "no"}},
	} {
		if _, err := New(plan.Upstream{Credentials: []plan.Credential{c}}, Options{}); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
