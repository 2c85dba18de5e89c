package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Whether tokens can be introspected, and how the clock of the authorization server
// stands, each with what to do.
func TestProbe(t *testing.T) {
	secret := plan.Secret{Name: "idp"}
	for _, c := range []struct {
		name   string
		status int
		body   string
		skew   time.Duration
		want   string
		says   string
	}{
		{"good", 200, `{"active":false}`, 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:ok", "it answers the client mcpc"},
		{"client refused", 401, "", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "does not accept them"},
		{"client not allowed", 403, "", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "allow the client to introspect"},
		{"nothing there", 404, "", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "names it as introspection_endpoint"},
		{"it fails", 502, "", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "look at its logs"},
		{"another refusal", 400, "", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "why it refuses to be asked"},
		{"a page", 200, "<html>", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "RFC 7662"},
		{"another object", 200, `{"status":"up"}`, 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "does not say whether"},
		{"all is active", 200, `{"active":true}`, 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "every token would be accepted"},
		{"all is active, elsewhere", 200, `{"active":true,"iss":"https://other.example"}`, 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "every token would be accepted"},
		{"no answer", 0, "", 0, "tcp:ok http:ok clock:ok metadata:ok keys:ok introspection:fail", "can be reached from here"},
		{"a clock that is off", 200, `{"active":false}`, -time.Minute, "tcp:ok http:ok clock:warn metadata:ok keys:ok introspection:ok", "1m0s ahead of"},
		{"a clock that is wrong", 200, `{"active":false}`, time.Hour, "tcp:ok http:ok clock:fail metadata:ok keys:ok introspection:ok", "NTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := newIDP(t)
			i.add(t, "k", "ES256")
			inner := i.Config.Handler
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
				switch user, pass, _ := r.BasicAuth(); {
				case r.Method != http.MethodPost:
					inner.ServeHTTP(w, r)
				case user != "mcpc" || pass != "s3cr3t":
					t.Errorf("asked as %s", user)
				case c.status == 0:
					panic(http.ErrAbortHandler)
				default:
					w.WriteHeader(c.status)
					fmt.Fprint(w, c.body)
				}
			}))
			defer s.Close()
			i.metadata = func(doc map[string]any) { doc["issuer"], doc["jwks_uri"] = s.URL, s.URL+"/keys" }
			g, _ := i.gate(t, func(o *plan.OAuth) {
				o.Issuer = s.URL
				o.Introspection = &plan.Introspection{URL: s.URL + "/introspect", ClientID: "mcpc", Secret: &secret}
			})
			var got []string
			for _, f := range g.Probe(t.Context(), plan.Identity{Name: "people", OAuth: &g.oauth[0].asked}) {
				got = append(got, f.Check+":"+string(f.Status))
				if f.Detail == "" || (f.Next == "") != (f.Status == probe.OK) {
					t.Errorf("%+v does not say what was found, or what to do", f)
				}
				text, _ := json.Marshal(f)
				if strings.Contains(string(text), "s3cr3t") {
					t.Errorf("%s holds the secret", text)
				}
				c.says = strings.TrimPrefix(c.says, cut(f, c.says))
			}
			if strings.Join(got, " ") != c.want || c.says != "" {
				t.Errorf("%v, want %s; not said: %q", got, c.want, c.says)
			}
		})
	}
}

// cut is what a finding says of a text: all of it, or nothing.
func cut(f probe.Finding, says string) string {
	if strings.Contains(f.Detail+"; "+f.Next, says) {
		return says
	}
	return ""
}
