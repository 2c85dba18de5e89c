package runtime

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A file is read for every use, so that a new secret is used from the next call on.
func TestSecretFileIsReadAgain(t *testing.T) {
	var seen []string
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":7}`)
	})
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		// As Kubernetes and editors do it: another file takes the place.
		next := file + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
	}
	s := newServer(t, library(base), Options{Sources: map[string]plan.Secret{"token": {File: file}}, ReadFile: os.ReadFile})
	for _, text := range []string{"one\n", "two\r\n", "three"} {
		write(text)
		if res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`)); err != nil || res.IsError {
			t.Fatalf("%v, %v", res, err)
		}
	}
	if want := []string{"Bearer one", "Bearer two", "Bearer three"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
}

// What holds secrets shows none of them when it is printed.
func TestPrintedServerShowsNoSecret(t *testing.T) {
	base := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":7}`)
	})
	s := newServer(t, library(base), Options{Secrets: map[string]string{"token": "s3cr3t-value"}})
	if _, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`)); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb+verb+verb, s, s.bridge, s.bridge.secrets); strings.Contains(text, "s3cr3t") {
			t.Errorf("%s shows it", verb)
		}
	}
}

// A secret that was never sent, and one that only the authorization server was
// told, are known when something repeats them; programs are not run for it.
func TestSecretsAreKnownBeforeTheirUse(t *testing.T) {
	const password, unused, given = "lowercaseplantedpassword", "never-used-planted", "given-and-planted"
	tokens := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":%q,"error_description":%q,"access_token":%q}`, password, password, unused)
	})
	p := library(tokens)
	ran := filepath.Join(t.TempDir(), "ran")
	p.Upstreams[0].Credentials = []plan.Credential{
		{Name: "token", Kind: "oauth2", OAuth: &plan.OAuthClient{TokenURL: tokens + "/token", ClientID: "me", Post: true},
			Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "password", Env: []string{"PASSWORD"}}}},
		{Name: "key", Kind: "apiKey", In: "query", Param: "key", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "key", File: "/run/key"}}},
		{Name: "program", Kind: "apiKey", In: "query", Param: "p", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "program", Exec: []string{"touch", ran}}}},
	}
	reads := 0
	s := newServer(t, p, Options{
		Secrets: map[string]string{"other": given},
		Getenv:  func(name string) string { return map[string]string{"PASSWORD": password}[name] },
		ReadFile: func(string) ([]byte, error) {
			reads++
			return []byte(unused + "\n"), nil
		},
	})
	if reads != 0 {
		t.Errorf("a start reads %d secrets", reads)
	}
	res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`))
	if err != nil || !res.IsError {
		t.Fatalf("%v, %v", res, err)
	}
	text := fmt.Sprint(res.Content) + s.bridge.secrets.redact(password+" "+unused+" "+given)
	for _, one := range []string{password, unused, given} {
		if strings.Contains(text, one) {
			t.Errorf("%s is in %s", one, text)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program was run to know its secret")
	}
}
