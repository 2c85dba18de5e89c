package contract

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

func secretPlan(base string) *plan.Server {
	secret := func(name string) plan.Expr {
		return plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: name, Env: []string{strings.ToUpper(name)}}}
	}
	user, key := secret("user"), secret("key")
	return &plan.Server{Name: "s",
		Upstreams: []plan.Upstream{{Name: "u", BaseURL: base, Credentials: []plan.Credential{
			{Name: "login", Kind: "basic", Username: &user, Value: secret("password")},
			{Name: "key", Kind: "apiKey", In: "query", Param: "api_key", Value: key},
		}}},
		Tools: []plan.Tool{{Name: "t", Input: `{"type":"object"}`, Request: plan.Request{
			Upstream: "u", Method: "GET", Path: []plan.Segment{{Literal: "/a"}}, Security: [][]string{{"login", "key"}},
			Query: []plan.Param{{Name: "q", Style: plan.Form, Value: &key}},
		}}},
	}
}

// A recording holds what is needed to play it, and no secret: not where it was
// sent, not where the service repeats it, in whatever form.
func TestRecordHoldsNoSecrets(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Set-Cookie", "session=crumbs")
		w.Header().Set("X-Internal", "db7")
		w.Header().Set("Location", "/a?api_key="+r.URL.Query().Get("api_key"))
		_, _ = w.Write([]byte(user + " " + password + " " + r.Header.Get("Authorization") + " " + r.URL.RawQuery))
	}))
	defer s.Close()
	env := map[string]string{"USER": "user-of-erp", "PASSWORD": "hunter2 hunter2", "KEY": "key+key+key"}
	file := filepath.Join(t.TempDir(), "new", "rec.json")
	test := &specs.Test{Call: &specs.ToolRef{Name: "t"}, Recording: &specs.Text{Value: file}}
	n, err := Record(t.Context(), secretPlan(s.URL), runtime.Options{Getenv: func(name string) string { return env[name] }}, test, false)
	if err != nil || n != 1 {
		t.Fatalf("%d answers, %v", n, err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"user-of-erp", "hunter2", "key+key", "key%2Bkey", "dXNlci1vZi1lcnA6", "crumbs", "db7", "127.0.0.1"} {
		if strings.Contains(string(got), secret) {
			t.Errorf("the recording holds %q:\n%s", secret, got)
		}
	}
	if !strings.Contains(string(got), `"path": "/a?q=`) || !strings.Contains(string(got), `"Content-Type": "text/plain"`) {
		t.Errorf("%s", got)
	}
	if _, err := Record(t.Context(), secretPlan(s.URL), runtime.Options{}, test, false); err != ErrExists {
		t.Errorf("a recording was written twice: %v", err)
	}
	// Played, it meets a request with other secrets.
	o, err := Run(t.Context(), secretPlan(s.URL), []string{"user", "password", "key"}, test)
	if err != nil || len(o.Failures) > 0 {
		t.Errorf("%v %+v", err, o)
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct{ kind, text, media string }{
		{"", `{"a":1}`, "application/json"},
		{"", "  [1]", "application/json"},
		{"", "<a/>", "application/xml; charset=utf-8"},
		{"", "<!DOCTYPE html><p>", "text/html; charset=utf-8"},
		{"", "a,b", "text/plain; charset=utf-8"},
		{"csv", "a,b", "text/csv; charset=utf-8"},
		{"xml", "<a/>", "application/xml; charset=utf-8"},
		{"form", "a=1", "application/x-www-form-urlencoded"},
		{"json", "1", "application/json"},
		{"csv", "", ""},
	} {
		s := &service{kind: c.kind}
		if body, media := s.encode(specs.NewString(c.text)); media != c.media || string(body) != c.text {
			t.Errorf("%s %q: %q, want %q", c.kind, c.text, media, c.media)
		}
	}
	if body, media := (&service{kind: "xml"}).encode(specs.NewArray(specs.NewNumber("1.50"))); media != "application/json" || string(body) != "[1.50]" {
		t.Errorf("%s %s", media, body)
	}
}

// Whatever a recording holds, reading it ends, and what was read can be played.
func FuzzRecording(f *testing.F) {
	f.Add([]byte(`{"exchanges":[{"request":{"method":"GET","path":"/a?b=1"},"response":{"status":200,"headers":{"Content-Type":"text/plain"},"body":"x"}}]}`))
	f.Add([]byte(`{"exchanges":[{"request":{"method":"GET"},"response":{"status":600}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parse(text)
		if err != nil {
			return
		}
		s := &service{replies: list}
		for i := range list {
			r := s.next(&Request{Method: list[i].method, Path: list[i].path})
			if r == nil {
				t.Errorf("no reply for %s %s", list[i].method, list[i].path)
				continue
			}
			r.used = true
		}
	})
}
