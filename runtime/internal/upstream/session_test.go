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
	"sync"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// portal is an old service: a login page with a token in its form, a cookie, and
// a page for people instead of an error.
type portal struct {
	*httptest.Server
	mu       sync.Mutex
	password string
	logins   int
	refused  int
	logouts  int
	done     int // POSTs carried out
	sessions map[string]bool
	end      string // how the end of a session is said: "401", "redirect", "page"
	seen     []string
	set      []string // cookies that a login sets besides
}

func newPortal(t *testing.T) *portal {
	s := &portal{password: "s3cr3t", sessions: map[string]bool{}, end: "redirect"}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// portalURL is not on loopback, where cookies for encrypted connections go without.
const portalURL = "http://portal.example"

const loginPage = `<html><head><meta name="csrf-token" content="m3ta"></head><form action="/login"><input type="hidden" name="t" value="f0rm"><input type=password name=p></form></html>`

func (s *portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Cookie"))
	id, _ := r.Cookie("SID")
	switch r.URL.Path {
	case "/login":
		if r.Method == http.MethodGet {
			http.SetCookie(w, &http.Cookie{Name: "pre", Value: "x", Path: "/"})
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, loginPage)
			return
		}
		_ = r.ParseForm()
		if _, err := r.Cookie("pre"); err != nil || r.Form.Get("t") != "f0rm" || r.Form.Get("p") != s.password {
			s.refused++
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<p>wrong password</p>"+loginPage)
			return
		}
		s.logins++
		sid := fmt.Sprintf("sess10n-%d", s.logins)
		s.sessions[sid] = true
		http.SetCookie(w, &http.Cookie{Name: "SID", Value: sid, Path: "/", HttpOnly: true})
		for _, c := range s.set {
			w.Header().Add("Set-Cookie", c)
		}
		http.Redirect(w, r, "/home", http.StatusFound)
		return
	case "/logout":
		s.logouts++
		if id != nil {
			delete(s.sessions, id.Value)
		}
		return
	}
	if id == nil || !s.sessions[id.Value] {
		switch s.end {
		case "401":
			w.WriteHeader(http.StatusUnauthorized)
		case "page":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, loginPage)
		default:
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.Path), http.StatusFound)
		}
		return
	}
	if r.Method == http.MethodPost {
		s.done++
	}
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "%s cookies=%q", id.Value, r.Header.Get("Cookie"))
}

// forget ends all sessions.
func (s *portal) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

func literal(text string) *plan.Expr { return &plan.Expr{Op: plan.OpConst, Const: `"` + text + `"`} }

func get(of plan.Expr, names ...string) plan.Expr {
	for _, n := range names {
		of = plan.Expr{Op: plan.OpGet, Name: n, Args: []plan.Expr{of}}
	}
	return of
}

// loginOf is a login at the portal.
func loginOf(more func(*plan.Session)) plan.Credential {
	token := get(plan.Expr{Op: plan.OpVar, Name: "page"}, "fields", "t")
	form := plan.Expr{Op: plan.OpObject, Args: []plan.Expr{*literal("t"), token, *literal("p"), secret("s")}}
	p := &plan.Session{
		Page:   &plan.Request{Method: "GET", Path: []plan.Segment{{Literal: "/login"}}},
		Login:  plan.Request{Method: "POST", Path: []plan.Segment{{Literal: "/login"}}, Body: &plan.Body{Codec: plan.FormCodec, Media: "application/x-www-form-urlencoded", Value: &form, Required: true}},
		Logout: &plan.Request{Method: "POST", Path: []plan.Segment{{Literal: "/logout"}}},
	}
	if more != nil {
		more(p)
	}
	return plan.Credential{Name: "c", Kind: "session", Session: p}
}

func (s *portal) client(t *testing.T, password *string, more func(*plan.Session)) *Client {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
	}
	c, err := New(plan.Upstream{Name: "erp", BaseURL: portalURL, Credentials: []plan.Credential{loginOf(more)}}, Options{
		Secret: func(plan.Secret) (string, error) { return *password, nil }, Transport: &http.Transport{DialContext: dial},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *portal) call(t *testing.T, c *Client, who, method, path string) (*Answer, error) {
	t.Helper()
	u, err := url.Parse(portalURL + path)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(context.Background(), principal.Principal{Subject: who}, &request.Request{Method: method, URL: u}, [][]string{{"c"}})
}

func TestOneLoginHoweverManyCalls(t *testing.T) {
	s, password := newPortal(t), "s3cr3t"
	c := s.client(t, &password, nil)
	for round := range 3 {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if a, err := s.call(t, c, "ann", "GET", "/x"); err != nil || a.Status != 200 {
					t.Errorf("%v %v", a, err)
				}
			})
		}
		all.Wait()
		if s.logins != round+1 {
			t.Fatalf("%d logins after round %d", s.logins, round)
		}
		s.forget() // all notice at once, and log in once
	}
}

func TestSessionsOfCallers(t *testing.T) {
	s, password := newPortal(t), "s3cr3t"
	own := s.client(t, &password, nil)
	seen := map[string]string{}
	for _, who := range []string{"ann", "bob", "ann", "bob", ""} {
		a, err := s.call(t, own, who, "GET", "/x")
		if err != nil {
			t.Fatal(err)
		}
		if have, ok := seen[who]; ok && have != string(a.Body) {
			t.Errorf("%s has another session", who)
		}
		for other, body := range seen {
			if other != who && body == string(a.Body) {
				t.Errorf("%q and %q share a session", other, who)
			}
		}
		seen[who] = string(a.Body)
	}
	if s.logins != 3 {
		t.Errorf("%d logins", s.logins)
	}
	shared := s.client(t, &password, func(p *plan.Session) { p.Shared = true })
	for _, who := range []string{"ann", "bob", ""} {
		if _, err := s.call(t, shared, who, "GET", "/x"); err != nil {
			t.Fatal(err)
		}
	}
	if s.logins != 4 {
		t.Errorf("%d logins, a shared one counts once", s.logins-3)
	}
	// Tenants share nothing, whatever the spec says.
	u, _ := url.Parse(portalURL + "/x")
	if _, err := shared.Do(context.Background(), principal.Principal{Tenant: "t2"}, &request.Request{Method: "GET", URL: u}, [][]string{{"c"}}); err != nil {
		t.Fatal(err)
	}
	if s.logins != 5 {
		t.Error("two tenants share a session")
	}
	own.End(context.Background(), nil)
	shared.End(context.Background(), nil)
	if s.logouts != 5 || len(s.sessions) != 0 {
		t.Errorf("%d logouts, %d sessions are left", s.logouts, len(s.sessions))
	}
}

// A wrong password is tried once, whoever calls; another one at once.
func TestRefusedLogin(t *testing.T) {
	s, password := newPortal(t), "wr0ng-one"
	c := s.client(t, &password, nil)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := s.call(t, c, fmt.Sprint("caller", i), "GET", "/x")
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Kind != KindCredential || !strings.Contains(f.Message, "the login was refused (status 200)") {
				t.Errorf("%v", err)
			}
			if text := fmt.Sprintf("%+v %v", f, f.Unwrap()); strings.Contains(text, "wr0ng") || strings.Contains(text, "<p>") {
				t.Errorf("it shows too much: %s", text)
			}
		})
	}
	all.Wait()
	if s.refused != 1 {
		t.Errorf("%d logins with a wrong password", s.refused)
	}
	password = "s3cr3t"
	if _, err := s.call(t, c, "ann", "GET", "/x"); err != nil {
		t.Error(err)
	}
}

func TestEndOfASession(t *testing.T) {
	yes := plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{get(plan.Expr{Op: plan.OpVar, Name: "response"}, "status"), {Op: plan.OpConst, Const: "302"}}}
	for _, c := range []struct {
		name, end, method string
		more              func(*plan.Session)
		again             bool
	}{
		{"401 to a GET", "401", "GET", nil, true},
		{"401 to a POST says that nothing was done", "401", "POST", nil, true},
		{"a redirect of a GET", "redirect", "GET", nil, true},
		{"a redirect of a POST may follow on its work", "redirect", "POST", nil, false},
		{"the author knows better", "redirect", "POST", func(p *plan.Session) { p.Any = true }, true},
		{"a page for people", "page", "GET", nil, true},
		{"a page for people after a POST", "page", "POST", nil, false},
		{"the author's condition", "redirect", "GET", func(p *plan.Session) { p.Ended = &yes }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, password := newPortal(t), "s3cr3t"
			s.end = c.end
			client := s.client(t, &password, c.more)
			if _, err := s.call(t, client, "ann", c.method, "/x"); err != nil {
				t.Fatal(err)
			}
			s.forget()
			a, err := s.call(t, client, "ann", c.method, "/x")
			if c.again && (err != nil || a.Status != 200 || !strings.HasPrefix(string(a.Body), "sess10n-2")) {
				t.Fatalf("%v %v", a, err)
			}
			if f, ok := errors.AsType[*Failure](err); !c.again && (!ok || f.Kind != KindCredential || !strings.Contains(f.Message, "had ended")) {
				t.Fatalf("%v %v", a, err)
			}
			// The next call has a new session in any case.
			if a, err := s.call(t, client, "ann", c.method, "/x"); err != nil || !strings.HasPrefix(string(a.Body), "sess10n-2") {
				t.Fatalf("%v %v", a, err)
			}
			if s.logins != 2 {
				t.Errorf("%d logins", s.logins)
			}
		})
	}
}

// What a login gives and is refused all the same is not logged in for again in
// that call.
func TestSessionThatIsNeverAccepted(t *testing.T) {
	for _, end := range []string{"401", "redirect", "page"} {
		s, password := newPortal(t), "s3cr3t"
		s.end = end
		c := s.client(t, &password, nil)
		s.mu.Lock()
		s.sessions = nil // a map that cannot be written to: no session is kept
		s.mu.Unlock()
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			if s.sessions == nil {
				s.sessions = map[string]bool{}
			}
			s.mu.Unlock()
			s.ServeHTTP(w, r)
			s.forget()
		})
		a, err := s.call(t, c, "ann", "GET", "/x")
		f, _ := errors.AsType[*Failure](err)
		if end == "401" && (err != nil || a.Status != 401) || end != "401" && (f == nil || !strings.Contains(f.Message, "just given")) {
			t.Errorf("%s: %v %v", end, a, err)
		}
		if s.logins != 1 {
			t.Errorf("%s: %d logins in one call", end, s.logins)
		}
	}
}

// Cookies go where the service said, and are hidden from whoever reads errors.
func TestCookiesOfASession(t *testing.T) {
	s, password := newPortal(t), "s3cr3t"
	s.set = []string{
		"ADMIN=adm1n-value; Path=/admin", "SEC=s3cure-value; Path=/; Secure", "OLD=0ld-value; Max-Age=0", "OTHER=0ther-value; Domain=other.example",
		"LANG=lang-value; Path=/",
	}
	c := s.client(t, &password, nil)
	for path, want := range map[string]string{"/x": "SID=sess10n-1; LANG=lang-value", "/admin/x": "ADMIN=adm1n-value; SID=sess10n-1; LANG=lang-value"} {
		a, err := s.call(t, c, "ann", "GET", path)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(a.Body); !strings.Contains(got, "pre=x") || !strings.Contains(strings.ReplaceAll(got, "pre=x; ", ""), want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if shown := a.Redact(string(a.Body)); strings.Contains(shown, "sess10n") || strings.Contains(shown, "lang-value") {
			t.Errorf("shown: %s", shown)
		}
		if len(a.Header["Set-Cookie"]) > 0 {
			t.Error("a cookie is in the answer")
		}
	}
	kept := s.client(t, &password, func(p *plan.Session) { p.Cookies = []string{"SID"} })
	a, err := s.call(t, kept, "ann", "GET", "/x")
	if err != nil || !strings.Contains(string(a.Body), `cookies="SID=sess10n-2"`) {
		t.Errorf("%s %v", a.Body, err)
	}
	// Another host gets nothing.
	u, _ := url.Parse("http://127.0.0.1:1/x")
	_, err = kept.Do(context.Background(), principal.Principal{}, &request.Request{Method: "GET", URL: u}, [][]string{{"c"}})
	if f, _ := errors.AsType[*Failure](err); f == nil || f.Kind != KindCredential {
		t.Errorf("another host: %v", err)
	}
}

// Tokens of a JSON answer, a cookie that is repeated in a header, and a login
// without either.
func TestValuesOfALogin(t *testing.T) {
	answer := `{"token":"t0ken-value","sid":"a b"}`
	var got http.Header
	var query string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/session" {
			w.Header().Set("Content-Type", "application/json")
			http.SetCookie(w, &http.Cookie{Name: "csrf", Value: "c%3D1", Path: "/"})
			fmt.Fprint(w, answer)
			return
		}
		got, query = r.Header, r.URL.RawQuery
	}))
	defer s.Close()
	response := plan.Expr{Op: plan.OpVar, Name: "response"}
	token, sid := get(response, "body", "token"), get(response, "body", "sid")
	p := &plan.Session{
		Login:      plan.Request{Method: "POST", Path: []plan.Segment{{Literal: "/session"}}},
		Headers:    []plan.Param{{Name: "X-Auth-Token", Value: &token}},
		Query:      []plan.Param{{Name: "sid", Value: &sid}},
		CSRFCookie: "csrf", CSRFHeader: "X-CSRF",
	}
	client := func() *Client {
		c, err := New(plan.Upstream{BaseURL: s.URL, Credentials: []plan.Credential{{Name: "c", Kind: "session", Session: p}}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	u, _ := url.Parse(s.URL + "/x?a=1")
	do := func(c *Client) error {
		_, err := c.Do(context.Background(), principal.Principal{}, &request.Request{Method: "GET", URL: u}, [][]string{{"c"}})
		return err
	}
	if err := do(client()); err != nil {
		t.Fatal(err)
	}
	if got.Get("X-Auth-Token") != "t0ken-value" || got.Get("X-CSRF") != "c=1" || got.Get("Cookie") != "csrf=c%3D1" || query != "a=1&sid=a%20b" {
		t.Errorf("%v %s", got, query)
	}
	answer = `{"error":"no"}`
	err := do(client())
	if f, _ := errors.AsType[*Failure](err); f == nil || !strings.Contains(f.Message, "no value for X-Auth-Token") {
		t.Errorf("%v", err)
	}
	p.Headers, p.Query, p.Cookies = nil, nil, []string{"other"}
	err = do(client())
	if f, _ := errors.AsType[*Failure](err); f == nil || !strings.Contains(f.Message, "without a cookie that goes to the API") {
		t.Errorf("%v", err)
	}
}

func BenchmarkSession(b *testing.B) {
	for _, kind := range []string{"bearer", "session"} {
		b.Run(kind, func(b *testing.B) {
			cred := plan.Credential{Name: "c", Kind: "bearer", Value: secret("s")}
			if kind == "session" {
				cred = loginOf(nil)
				cred.Session.Page = nil
			}
			served := &instant{}
			c, err := New(plan.Upstream{BaseURL: "https://erp.example", Credentials: []plan.Credential{cred}}, Options{
				Secret: func(plan.Secret) (string, error) { return "s3cr3t", nil }, Transport: served,
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				u := &url.URL{Scheme: "https", Host: "erp.example", Path: "/x"}
				if _, err := c.Do(context.Background(), principal.Principal{Subject: "ann"}, &request.Request{Method: "GET", URL: u}, [][]string{{"c"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// instant answers everything at once, and sets a cookie for a login.
type instant struct{}

func (*instant) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	if r.Method == http.MethodPost {
		h["Set-Cookie"] = []string{"SID=sess10n-1; Path=/; Secure"}
	}
	return &http.Response{StatusCode: 200, Header: h, Body: http.NoBody, Request: r}, nil
}

// Pages are a service's: whatever is on them, what is read of them is text, and
// the page that the reader finds a password in has a form.
func FuzzLoginPage(f *testing.F) {
	for _, page := range []string{loginPage, "<input type=password>", "<form><input name=a value='&amp;'><form><input type=PASSWORD>", "<!-- <input type=password> -->", "<script>'<input type=password>'</script>", "<meta property=x content=y", "\x00<input name=\xff value=\xff>"} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		fields, meta := formOf(page)
		for _, m := range []map[string]any{fields, meta} {
			for name, v := range m {
				if _, ok := v.(string); !ok || name == "" {
					t.Errorf("%q is %v", name, v)
				}
			}
		}
		if hasPasswordField(page) && !strings.Contains(strings.ToLower(string(page)), "password") {
			t.Error("a password field without the word")
		}
	})
}

// A client that follows another one goes on with its sessions, as long as the
// login is the same.
func TestSessionsAfterAReload(t *testing.T) {
	s, password := newPortal(t), "s3cr3t"
	first := s.client(t, &password, nil)
	if _, err := s.call(t, first, "ann", "GET", "/x"); err != nil {
		t.Fatal(err)
	}
	follow := func(more func(*plan.Session), timeout time.Duration) *Client {
		c, err := New(plan.Upstream{Name: "erp", BaseURL: portalURL, Timeout: timeout, Credentials: []plan.Credential{loginOf(more)}}, Options{
			Secret: func(plan.Secret) (string, error) { return password, nil }, Transport: first.transport, Before: first,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if a, err := s.call(t, follow(nil, time.Minute), "ann", "GET", "/x"); err != nil || s.logins != 1 {
		t.Errorf("%v %v, %d logins", a, err, s.logins)
	}
	if a, err := s.call(t, follow(func(p *plan.Session) { p.Shared = true }, time.Minute), "ann", "GET", "/x"); err != nil || s.logins != 2 {
		t.Errorf("another login: %v %v, %d logins", a, err, s.logins)
	}
}

// The doctor logs in and out.
func TestProbeLogin(t *testing.T) {
	s, password := newPortal(t), "s3cr3t"
	c := s.client(t, &password, nil)
	found := c.ProbeCredentials(context.Background())
	if len(found) != 1 || found[0].Status != probe.OK || s.logins != 1 || s.logouts != 1 {
		t.Errorf("%+v, %d logins, %d logouts", found, s.logins, s.logouts)
	}
	password = "wr0ng-one"
	found = s.client(t, &password, nil).ProbeCredentials(context.Background())
	if len(found) != 1 || found[0].Status != probe.Fail || found[0].Check != "session" || strings.Contains(fmt.Sprint(found), "wr0ng") {
		t.Errorf("%+v", found)
	}
	password = ""
	found = s.client(t, &password, nil).ProbeCredentials(context.Background())
	if len(found) != 1 || found[0].Check != "secret" {
		t.Errorf("%+v", found)
	}
}
