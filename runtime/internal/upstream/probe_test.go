package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Each cause of a token that is not given has its own next step, and no finding holds
// the secret.
func TestProbeTokens(t *testing.T) {
	const client, exchange = "oauth2", "tokenExchange"
	token := func(more string) string {
		return `{"access_token":"granted","token_type":"Bearer","expires_in":3600` + more + `}`
	}
	for _, c := range []struct {
		name, kind string
		status     int
		body       string
		skew       time.Duration
		want       string // "check:status" besides the secret's
		says       string
	}{
		{"good", client, 200, token(`,"scope":"a b"`), 0, "token:ok", "with the scopes asked for (a b)"},
		{"scopes not said", client, 200, token(""), 0, "token:ok", "with the scopes asked for (a b)"},
		{"fewer scopes", client, 200, token(`,"scope":"a"`), 0, "token:warn", "without the scopes b"},
		{"wrong client", client, 401, `{"error":"invalid_client"}`, 0, "token:fail", "Correct client_id or client_secret"},
		{"grant not allowed", client, 400, `{"error":"unauthorized_client"}`, 0, "token:fail", "the grant client_credentials"},
		{"scopes not allowed", client, 400, `{"error":"invalid_scope"}`, 0, "token:fail", "they are (a b)"},
		{"resource not allowed", client, 400, `{"error":"invalid_target"}`, 0, "token:fail", "Correct audience or resource"},
		{"no endpoint", client, 404, "", 0, "token:fail", "no token endpoint is there"},
		{"asked too often", client, 429, "", 0, "token:fail", "asked too often"},
		{"it fails", client, 503, "", 0, "token:fail", "look at its logs"},
		{"a refusal of another kind", client, 400, "", 0, "token:fail", "why it refuses"},
		{"a page", client, 200, "<html>", 0, "token:fail", "does not answer as a token endpoint"},
		{"its clock is off", client, 200, token(""), time.Minute, "clock:warn token:ok", "1m0s behind"},
		{"its clock is wrong", client, 200, token(""), -time.Hour, "clock:fail token:ok", "NTP"},
		{"exchange", exchange, 400, `{"error":"invalid_request"}`, 0, "token:ok", "refused as such"},
		{"exchange, as others refuse", exchange, 400, `{"error":"invalid_grant"}`, 0, "token:ok", "refused as such"},
		{"no exchange", exchange, 400, `{"error":"unsupported_grant_type"}`, 0, "token:fail", "the grant urn:ietf:params:oauth:grant-type:token-exchange"},
		{"exchange, wrong client", exchange, 401, `{"error":"invalid_client"}`, 0, "token:fail", "Correct client_id or client_secret"},
		{"exchange of anything", exchange, 200, token(""), 0, "token:fail", "Do not use this authorization server"},
		{"exchange, it fails", exchange, 500, `{"error":"invalid_request"}`, 0, "token:fail", "look at its logs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			grants := make(chan string, 9)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
				if r.Method != http.MethodPost {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				grants <- r.PostFormValue("grant_type")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer s.Close()
			list := (&issuer{Server: s}).client(t, c.kind, func(u *plan.Upstream) {
				u.Credentials[0].OAuth.Scopes = []string{"a", "b"}
			}).ProbeCredentials(t.Context())
			checkProbe(t, list, "secret:ok "+c.want, c.says)
			if got := <-grants; strings.Contains(got, "token-exchange") != (c.kind == exchange) {
				t.Errorf("asked for %s", got)
			}
		})
	}
	t.Run("away", func(t *testing.T) {
		s := newIssuer(t)
		for _, kind := range []string{client, exchange} {
			c := s.client(t, kind, func(u *plan.Upstream) { u.Credentials[0].OAuth.TokenURL = "http://127.0.0.1:1/token" })
			checkProbe(t, c.ProbeCredentials(t.Context()), "secret:ok token:fail", "tcp of the token URL: no connection")
		}
		c := s.client(t, client, func(u *plan.Upstream) { u.Credentials[0].Value = secret("none") })
		checkProbe(t, c.ProbeCredentials(t.Context()), "secret:fail", "Set it where the server runs")
	})
}

func checkProbe(t *testing.T, list []probe.Finding, want, says string) {
	t.Helper()
	var got []string
	all := ""
	for _, f := range list {
		got = append(got, f.Check+":"+string(f.Status))
		all += f.Detail + "; " + f.Next + "\n"
		if f.Detail == "" || (f.Next == "") != (f.Status == probe.OK) {
			t.Errorf("%+v does not say what was found, or what to do", f)
		}
	}
	if strings.Join(got, " ") != want || !strings.Contains(all, says) || strings.Contains(all, "s3cr3t") || strings.Contains(all, "granted") {
		t.Errorf("%v, want %s and %q\n%s", got, want, says, all)
	}
}
