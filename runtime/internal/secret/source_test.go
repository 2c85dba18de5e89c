package secret

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// TestMain lets the test binary be the program that prints secrets.
func TestMain(m *testing.M) {
	if how := os.Getenv("SECRET_TEST_PROGRAM"); how != "" {
		fmt.Fprintln(os.Stderr, "s3cr3t on stderr")
		switch how {
		case "print":
			fmt.Fprintln(os.Stdout, strings.Join(os.Args[1:], "|"))
		case "much":
			_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), 1<<20))
		case "fail":
			fmt.Fprintln(os.Stdout, "half")
			os.Exit(3)
		case "hang":
			select {}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestExec(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		how, want, problem string
		command            []string
		timeout            time.Duration
	}{
		// No shell: what looks like its language is text.
		{how: "print", command: []string{self, "a b", "$HOME", "`id`", ";ls", "*"}, want: "a b|$HOME|`id`|;ls|*"},
		{how: "print", command: []string{self}, problem: "it is empty"},
		{how: "much", command: []string{self}, problem: "the program prints more than 64 KiB"},
		{how: "fail", command: []string{self}, problem: "the program failed"},
		{how: "hang", command: []string{self}, timeout: 50 * time.Millisecond, problem: "the program did not end within 50ms"},
		{how: "print", command: []string{filepath.Join(t.TempDir(), "none")}, problem: "the program cannot be started"},
	} {
		t.Setenv("SECRET_TEST_PROGRAM", c.how)
		var log bytes.Buffer
		s := NewSources(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		got, err := s.Get(plan.Secret{Name: "exec", Exec: c.command, Timeout: c.timeout, TTL: time.Minute})
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.how, got, c.want)
		}
		if problem := fmt.Sprint(err); c.problem != "" && problem != c.problem || c.problem == "" && err != nil {
			t.Errorf("%s: %v, want %q", c.how, err, c.problem)
		}
		if strings.Contains(log.String()+fmt.Sprint(err), "s3cr3t") || strings.Contains(fmt.Sprint(err)+log.String(), "half") {
			t.Errorf("%s: the output is shown: %s %v", c.how, &log, err)
		}
	}
}

// The time of a secret: it is read once for all who wait, again in the background
// before its time is over, and stays when it cannot be read again.
func TestTimeOfASecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		var broken atomic.Bool
		s := NewSources(Options{})
		s.run = func(plan.Secret) (string, *Error) {
			n := reads.Add(1)
			time.Sleep(time.Second)
			if broken.Load() {
				return "", &Error{Passing: true, Message: "away"}
			}
			return fmt.Sprintf("v%d", n), nil
		}
		ref := plan.Secret{Name: "s", Vault: &plan.Vault{Path: "p", Field: "f"}, TTL: 100 * time.Second}
		get := func(want string) {
			t.Helper()
			if got, err := s.Get(ref); got != want || err != nil {
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { get("v1") })
		}
		all.Wait()
		if n := reads.Load(); n != 1 {
			t.Fatalf("read %d times", n)
		}
		time.Sleep(70 * time.Second)
		get("v1")
		if n := reads.Load(); n != 1 {
			t.Fatalf("read %d times before it was time", n)
		}
		time.Sleep(10 * time.Second)
		get("v1") // the next is read in the background
		time.Sleep(2 * time.Second)
		get("v2")
		broken.Store(true)
		time.Sleep(200 * time.Second)
		get("v2") // it could not be read again
		n := reads.Load()
		get("v2")
		if reads.Load() != n {
			t.Fatal("a source that failed is asked at once again")
		}
		if s.Refused(ref) {
			t.Fatal("it is the same")
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		get(fmt.Sprintf("v%d", reads.Load()+1))
		if s.Refused(ref) {
			t.Fatal("what was read a moment ago is not read again")
		}
		time.Sleep(10 * time.Second)
		if !s.Refused(ref) {
			t.Fatal("what was refused is read again")
		}
	})
}

func TestFirstReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		s := NewSources(Options{})
		s.run = func(plan.Secret) (string, *Error) { reads++; return "", &Error{Message: "no"} }
		ref := plan.Secret{Exec: []string{"x"}, TTL: time.Hour}
		for range 20 {
			if _, err := s.Get(ref); err == nil {
				t.Fatal("no error")
			}
		}
		if reads != 1 {
			t.Fatalf("%d attempts at once", reads)
		}
		time.Sleep(2 * time.Second)
		_, _ = s.Get(ref)
		if reads != 2 {
			t.Fatalf("%d attempts", reads)
		}
	})
}

// standIn answers as the HTTP API of Vault is documented.
type standIn struct {
	mu       sync.Mutex
	tokens   map[string]bool
	logins   int
	requests []string
	password string
	down     bool
	forbid   bool   // it has a good token, and no right
	service  string // the token of the service account that is accepted
}

func (v *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = append(v.requests, fmt.Sprintf("%s %s namespace=%q", r.Method, r.URL.Path, r.Header.Get("X-Vault-Namespace")))
	reply := func(status int, body any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	type object = map[string]any
	if v.down {
		reply(503, object{"errors": []string{"Vault is sealed"}})
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v1/auth/") {
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		if r.URL.Path == "/v1/auth/kubernetes/login" || r.URL.Path == "/v1/auth/clusters/eu/login" {
			// https://developer.hashicorp.com/vault/api-docs/auth/kubernetes
			if r.Method != http.MethodPost || len(in) != 2 || in["role"] != "mcpc" || v.service == "" || in["jwt"] != v.service {
				reply(403, object{"errors": []string{"permission denied"}})
				return
			}
		} else if r.URL.Path != "/v1/auth/approle/login" {
			reply(404, object{"errors": []string{}})
			return
		} else if in["role_id"] != "r0le" || in["secret_id"] != "s3cret-id" {
			reply(400, object{"errors": []string{"invalid role or secret ID " + in["secret_id"]}})
			return
		}
		v.logins++
		token := fmt.Sprintf("hvs.%d", v.logins)
		v.tokens[token] = true
		reply(200, object{"auth": object{"client_token": token, "lease_duration": 1200, "renewable": true}})
		return
	}
	if !v.tokens[r.Header.Get("X-Vault-Token")] || v.forbid {
		reply(403, object{"errors": []string{"permission denied"}})
		return
	}
	switch r.URL.Path {
	case "/v1/secret/data/erp":
		reply(200, object{"data": object{"data": object{"password": v.password, "port": 5432, "list": []int{1}}, "metadata": object{"version": 3}}})
	case "/v1/secret/data/gone":
		reply(404, object{"data": object{"data": nil, "metadata": object{"deletion_time": "2026-01-01T00:00:00Z"}}})
	case "/v1/kv/erp":
		reply(200, object{"data": object{"password": "v1-" + v.password, "data": "x"}, "lease_duration": 2764800})
	case "/v1/secret/erp":
		reply(404, object{"errors": []string{}, "warnings": []string{"Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."}})
	case "/v1/moved":
		http.Redirect(w, r, "https://other.example/v1/moved", http.StatusTemporaryRedirect)
	default:
		reply(404, object{"errors": []string{}})
	}
}

func TestVault(t *testing.T) {
	stand := &standIn{tokens: map[string]bool{"t0ken": true}, password: "p4ss"}
	server := httptest.NewTLSServer(stand)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(more ...string) func(string) string {
		all := map[string]string{"VAULT_ADDR": server.URL, "VAULT_CACERT": ca}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return func(name string) string { return all[name] }
	}
	token := env("VAULT_TOKEN", "t0ken")
	for _, c := range []struct {
		name          string
		env           func(string) string
		path, field   string
		want, problem string
	}{
		{"version 2", token, "secret/data/erp", "password", "p4ss", ""},
		{"a number", token, "secret/data/erp", "port", "5432", ""},
		{"version 1, with a field called data", token, "kv/erp", "password", "v1-p4ss", ""},
		{"a token file", env("MCPC_VAULT_TOKEN_FILE", file), "secret/data/erp", "password", "p4ss", ""},
		{"a role", env("MCPC_VAULT_ROLE_ID", "r0le", "MCPC_VAULT_SECRET_ID", "s3cret-id"), "secret/data/erp", "password", "p4ss", ""},
		{"a wrong role", env("MCPC_VAULT_ROLE_ID", "r0le", "MCPC_VAULT_SECRET_ID", "wr0ng-id"), "secret/data/erp", "password", "", "Vault refused the login (status 400)"},
		{"no such field", token, "secret/data/erp", "other", "", "the secret in Vault has no such field, or it is no text"},
		{"a field that is no text", token, "secret/data/erp", "list", "", "the secret in Vault has no such field, or it is no text"},
		{"no such secret", token, "secret/data/none", "x", "", "Vault has no such secret"},
		{"deleted", token, "secret/data/gone", "x", "", "Vault has no such secret"},
		{"the path of version 1 at version 2", token, "secret/erp", "password", "", `Vault has no such path: with version 2 of the KV engine it has "data" after the mount, as in secret/data/erp`},
		{"another token", env("VAULT_TOKEN", "wr0ng"), "secret/data/erp", "password", "", "Vault does not allow it to this server's token"},
		{"no token", env(), "secret/data/erp", "password", "", "there is no token for Vault: VAULT_TOKEN, MCPC_VAULT_TOKEN_FILE, MCPC_VAULT_ROLE_ID or MCPC_VAULT_KUBERNETES_ROLE has to be set"},
		{"no address", func(string) string { return "" }, "secret/data/erp", "password", "", "there is no token for Vault: VAULT_TOKEN, MCPC_VAULT_TOKEN_FILE, MCPC_VAULT_ROLE_ID or MCPC_VAULT_KUBERNETES_ROLE has to be set"},
		{"an unknown authority", env("VAULT_TOKEN", "t0ken", "VAULT_CACERT", ""), "secret/data/erp", "password", "", "Vault cannot be reached"},
		{"a redirect", token, "moved", "x", "", "Vault answered 307"},
	} {
		s := NewSources(Options{Getenv: c.env})
		got, err := s.Get(plan.Secret{Vault: &plan.Vault{Path: c.path, Field: c.field}, TTL: time.Minute})
		if got != c.want || fmt.Sprint(err) != c.problem && (err != nil || c.problem != "") {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
		for _, s := range []string{"t0ken", "wr0ng", "s3cret-id", "sealed"} {
			if strings.Contains(fmt.Sprint(err), s) {
				t.Errorf("%s: the error shows %q", c.name, s)
			}
		}
	}

	// The namespace is sent, a revoked token of a login is replaced, and while Vault
	// is away the old value stays.
	stand.requests = nil
	s := NewSources(Options{Getenv: env("MCPC_VAULT_ROLE_ID", "r0le", "MCPC_VAULT_SECRET_ID", "s3cret-id", "VAULT_NAMESPACE", "team/a")})
	now := time.Now()
	s.now = func() time.Time { return now }
	ref := plan.Secret{Vault: &plan.Vault{Path: "secret/data/erp", Field: "password"}, TTL: time.Minute}
	read := func(want string) {
		t.Helper()
		if got, err := s.Get(ref); got != want || err != nil {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	read("p4ss")
	stand.mu.Lock()
	if got, want := strings.Join(stand.requests, "\n"), "POST /v1/auth/approle/login namespace=\"team/a\"\nGET /v1/secret/data/erp namespace=\"team/a\""; got != want {
		t.Errorf("requests\n%s", got)
	}
	stand.tokens, stand.password = map[string]bool{}, "next"
	stand.mu.Unlock()
	now = now.Add(2 * time.Minute)
	read("next")
	stand.mu.Lock()
	stand.down = true
	stand.mu.Unlock()
	now = now.Add(2 * time.Minute)
	read("next")
}

// The token of a service account is read at every login, which is made anew when
// the last one is three quarters through its lease, and once when its token is
// refused.
func TestVaultKubernetes(t *testing.T) {
	stand := &standIn{tokens: map[string]bool{}, password: "p4ss", service: "jwt.one"}
	server := httptest.NewServer(stand)
	defer server.Close()
	file, unreadable := "jwt.one\n", false
	now := time.Now()
	sources := func(more map[string]string) *Sources {
		s := NewSources(Options{
			Getenv: func(name string) string {
				if name == "VAULT_ADDR" {
					return server.URL
				}
				return more[name]
			},
			ReadFile: func(path string) ([]byte, error) {
				if path != "/var/run/secrets/kubernetes.io/serviceaccount/token" || unreadable {
					return nil, os.ErrNotExist
				}
				return []byte(file), nil
			},
		})
		s.now = func() time.Time { return now }
		s.vault.now = s.now
		return s
	}
	role := map[string]string{"MCPC_VAULT_KUBERNETES_ROLE": "mcpc"}
	var s *Sources
	// step reads the secret as the vault has it now, and says what was asked.
	step := func(what, want, problem string, requests ...string) {
		t.Helper()
		stand.requests = nil
		got, err := s.vault.read(plan.Vault{Path: "secret/data/erp", Field: "password"})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != want || text != problem {
			t.Errorf("%s: %q, %q; want %q, %q", what, got, text, want, problem)
		}
		for _, secret := range []string{"jwt.", "hvs.", "p4ss"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: the error shows %q", what, secret)
			}
		}
		var asked []string
		for _, r := range stand.requests {
			asked = append(asked, strings.TrimSuffix(r, ` namespace=""`))
		}
		if fmt.Sprint(asked) != fmt.Sprint(requests) {
			t.Errorf("%s: asked %q, want %q", what, asked, requests)
		}
	}
	const login, read = "POST /v1/auth/kubernetes/login", "GET /v1/secret/data/erp"
	s = sources(role)
	step("first", "p4ss", "", login, read)
	step("the login is kept", "p4ss", "", read)
	now = now.Add(14 * time.Minute)
	step("shortly before its time", "p4ss", "", read)
	now = now.Add(2 * time.Minute)
	step("three quarters through the lease of 20 minutes", "p4ss", "", login, read)

	// Kubernetes has replaced the token of the service account, and Vault has
	// revoked the login.
	stand.service, file = "jwt.two", "jwt.two\n"
	stand.tokens = map[string]bool{}
	step("refused: one login more", "p4ss", "", read, login, read)
	stand.tokens, stand.service = map[string]bool{}, "jwt.three"
	step("the login is refused, too", "", "Vault refused the login (status 403)", read, login)
	file = "jwt.three"
	step("until the file has changed", "p4ss", "", login, read)
	stand.forbid = true
	step("the role has no right to it: no third attempt", "", "Vault does not allow it to this server's token", read, login, read)
	stand.forbid = false
	stand.down = true
	step("sealed while logged in", "", "Vault answered 503", read)
	now = now.Add(time.Hour)
	step("sealed at the login", "", "Vault refused the login (status 503)", login)
	stand.down = false
	step("unsealed", "p4ss", "", login, read)
	unreadable = true
	step("a login needs no file while it lasts", "p4ss", "", read)
	unreadable = false

	s = sources(map[string]string{"MCPC_VAULT_KUBERNETES_ROLE": "mcpc", "MCPC_VAULT_AUTH_MOUNT": "/clusters/eu/"})
	step("mounted elsewhere", "p4ss", "", "POST /v1/auth/clusters/eu/login", read)
	s = sources(map[string]string{"MCPC_VAULT_KUBERNETES_ROLE": "mcpc", "MCPC_VAULT_AUTH_MOUNT": "nowhere"})
	step("not mounted", "", "Vault refused the login (status 404)", "POST /v1/auth/nowhere/login")
	s = sources(map[string]string{"MCPC_VAULT_KUBERNETES_ROLE": "other"})
	step("another role", "", "Vault refused the login (status 403)", login)

	// What is known stays while Vault is sealed.
	s = sources(role)
	ref := plan.Secret{Vault: &plan.Vault{Path: "secret/data/erp", Field: "password"}, TTL: time.Minute}
	for _, down := range []bool{false, true} {
		stand.mu.Lock()
		stand.down = down
		stand.mu.Unlock()
		if got, err := s.Get(ref); got != "p4ss" || err != nil {
			t.Errorf("sealed %v: %q, %v", down, got, err)
		}
		now = now.Add(2 * time.Minute)
	}
}

// What a secret costs that was read already.
func BenchmarkGet(b *testing.B) {
	s := NewSources(Options{})
	s.run = func(plan.Secret) (string, *Error) { return "s3cr3t", nil }
	for name, ref := range map[string]plan.Secret{
		"vault": {Vault: &plan.Vault{Path: "secret/data/erp", Field: "password"}, TTL: time.Hour},
		"exec":  {Exec: []string{"pass", "show", "erp"}, TTL: time.Hour},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Get(ref); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
