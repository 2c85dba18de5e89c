package otlp_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/internal/lockbuf"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/specs"
)

// secretive is a spec in which secrets are wherever they can be.
const secretive = `
server "secretive" { version = "1" }

observe {
  log         = { level = "debug", file = "calls.log" }
  audit       = { file = "%s/audit.log" }
  arguments   = true
  correlation = true
  admin       = "127.0.0.1:9090"
  redact      = { names = ["iban"], patterns = ["[0-9]{3}-[0-9]{2}-[0-9]{4}"] }
  otlp        = { endpoint = "%s/base", sample = 1, interval = "1h", headers = { "Api-Key" = "k-${var.collector}" } }
}

variable "token" {
  type      = string
  sensitive = true
  env       = "TOKEN"
}
variable "password" {
  type      = string
  sensitive = true
  env       = "PASSWORD"
}
variable "session" {
  type      = string
  sensitive = true
  env       = "SESSION"
}
variable "given" {
  type      = string
  sensitive = true
}
variable "collector" {
  type      = string
  sensitive = true
  env       = "COLLECTOR"
}

identity "machines" {
  api_keys {
    key "ann" { hash = "sha256:%s" }
  }
}

policy {
  rule "all" { effect = "allow" }
  rule "pin" {
    effect = "deny"
    tools  = ["bearer"]
    when   = args.note == var.nothing
  }
  rule "young" {
    effect = "deny"
    tools  = ["basic"]
    when   = parseint(args.pin, 10) < 18
  }
}
variable "nothing" {
  type    = string
  default = "\u0000"
}

api "bearer" {
  base_url = "http://127.0.0.1:1"
  auth     = bearer(var.token)
  headers  = { "X-Computed" = "v-${base64encode(var.given)}" }
  retry { attempts = 1 }
}
api "basic" {
  base_url = "http://127.0.0.1:1"
  auth     = basic("robert", var.password)
  retry { attempts = 1 }
}
api "query" {
  base_url = "http://127.0.0.1:1"
  auth     = api_key("query", "key", file("key"))
  retry { attempts = 1 }
}
api "cookie" {
  base_url = "http://127.0.0.1:1"
  auth     = api_key("cookie", "sid", var.session)
  retry { attempts = 1 }
}
api "moved" {
  base_url = "http://127.0.0.1:1"
  retry { attempts = 1 }
}
tool "ask" {
  api         = api.moved
  description = "Do it."
  confirm     = "Do it for ${args.note}, ${upper(args.note)}, ${args.pin} and ${args.apiKey}?"
  input "note" { type = string }
  input "pin" {
    type   = string
    format = "password"
  }
  input "apiKey" { type = string }
  request "GET" "/asked" { query = { note = args.note } }
}
` + "%s"

const secretiveTool = `
tool "%[1]s" {
  api         = api.%[1]s
  description = "Do it."
  read_only   = true
  input "id" { type = string }
  input "note" {
    type     = string
    optional = true
  }
  input "pin" {
    type     = string
    format   = "password"
    optional = true
  }
  input "apiKey" {
    type     = string
    optional = true
  }
  input "iban" {
    type     = string
    optional = true
  }
  request "GET" "/things/{id}" {
    query = { note = args.note, pin = args.pin }
  }
}
`

// forms are the ways a secret is written in texts.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret) // a text
	return []string{secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret))}
}

// However upstreams answer, whatever clients send and wherever something fails:
// no secret is in a log, an audit log, a trace, a metric, a result, an explanation,
// a diagnostic, generated code or what operators are served.
func TestSecrets(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "") //nolint:usetesting // it is one within that; a file of an audit log belongs to one process for good
		if err != nil {
			rt.Fatal(err)
		}
		n := 0
		secret := func(name string) string {
			n++                                                                                                         // so that none is part of another
			return fmt.Sprintf("s%d-", n) + rapid.StringMatching(`[a-zA-Z0-9"&<>'%/+=\\ ]{6,20}`).Draw(rt, name) + "!z" // as headers may be
		}
		token, password, key := secret("token"), secret("password"), secret("key")
		inURL, inQuery := secret("of a base URL"), secret("in a base URL")
		session := rapid.StringMatching(`session-[a-zA-Z0-9&<>'/+=]{8,16}`).Draw(rt, "session") // as cookies may be
		given, collectorKey, caller := secret("given"), secret("collector"), rapid.StringMatching(`caller-[a-zA-Z0-9]{12}`).Draw(rt, "caller")
		pin, named, iban := secret("pin"), secret("named"), secret("iban")
		const number = "123-45-6789"
		private := []string{pin, named, iban, number} // the client's own, and nobody else's
		secrets := []string{token, password, key, session, given, collectorKey, caller, inURL, inQuery, base64.StdEncoding.EncodeToString([]byte("robot:" + inURL)), base64.StdEncoding.EncodeToString([]byte("robert:" + password))}
		if err := os.WriteFile(filepath.Join(dir, "key"), []byte(key), 0o600); err != nil {
			rt.Fatal(err)
		}

		var sent lockbuf.Buffer
		collecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = sent.Write(body)
			if strings.HasSuffix(r.URL.Path, "/v1/metrics") {
				http.Error(w, "no "+r.Header.Get("Api-Key"), http.StatusForbidden)
			}
		}))
		defer collecting.Close()

		status := rapid.SampledFrom([]int{200, 302, 307, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503}).Draw(rt, "status")
		media := rapid.SampledFrom([]string{"application/problem+json", "application/json", "text/plain", "text/html", "application/xml"}).Draw(rt, "media")
		how := rapid.IntRange(0, len(forms(""))-1).Draw(rt, "form")
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// An upstream that repeats all it was sent, in every way.
			var said []string
			echo := func(s string) {
				if s != "" {
					said = append(said, forms(s)[how])
				}
			}
			auth := r.Header.Get("Authorization")
			echo(strings.TrimPrefix(strings.TrimPrefix(auth, "Bearer "), "Basic "))
			if _, p, ok := r.BasicAuth(); ok {
				echo(p)
			}
			if c, err := r.Cookie("sid"); err == nil {
				echo(c.Value)
			}
			echo(r.URL.Query().Get("key"))
			echo(r.URL.Query().Get("api_key"))
			// What was computed from a secret is known by the secret in it.
			said = append(said, r.Header.Get("X-Computed"), r.URL.RawQuery, r.Header.Get("Cookie"), auth)
			w.Header().Set("Content-Type", media)
			if status == http.StatusFound || status == http.StatusTemporaryRedirect {
				w.Header().Set("Location", "https://elsewhere.example/?"+r.URL.RawQuery+"&token="+url.QueryEscape(auth))
			}
			w.Header().Set("X-Echo", strings.ReplaceAll(auth, "\n", ""))
			w.WriteHeader(status)
			if status == http.StatusOK {
				_, _ = io.WriteString(w, `{"fine":true}`)
				return
			}
			text := strings.Join(said, " ")
			if strings.HasSuffix(media, "json") {
				_ = json.NewEncoder(w).Encode(map[string]any{"type": "https://errors.example/?" + r.URL.RawQuery, "title": "no " + text, "detail": text, "errors": []any{map[string]string{"field": text}}})
				return
			}
			_, _ = io.WriteString(w, text)
		}))
		defer up.Close()

		var tools strings.Builder
		for _, name := range []string{"bearer", "basic", "query", "cookie"} {
			fmt.Fprintf(&tools, secretiveTool, name)
		}
		moved := func(password, key string) string {
			u, _ := url.Parse(up.URL) // of a server that runs
			u.User, u.RawQuery = url.UserPassword("robot", password), "api_key="+url.QueryEscape(key)
			return u.String()
		}
		sum := sha256.Sum256([]byte(caller))
		text := fmt.Sprintf(secretive, dir, collecting.URL, hex.EncodeToString(sum[:]), tools.String())
		spec := filepath.Join(dir, "secretive.hcl")
		if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
			rt.Fatal(err)
		}
		env := func(name string) string {
			return map[string]string{"TOKEN": token, "PASSWORD": password, "SESSION": session, "COLLECTOR": collectorKey}[name]
		}
		compile := func(target string) *compiler.Result {
			r, err := compiler.Compile(context.Background(), compiler.Options{Target: target, Model: true, Vars: map[string]string{"given": given}, Reader: &specs.Reader{Getenv: env}})
			if err != nil {
				rt.Fatal(err)
			}
			return r
		}
		var out strings.Builder // all that anybody gets to see
		r := compile(spec)
		fmt.Fprintf(&out, "diagnostics: %v\n", r.Diagnostics)
		if r.Plan == nil {
			rt.Fatalf("%v", r.Diagnostics)
		}
		// Mistakes with secrets in them.
		broken := filepath.Join(dir, "broken.hcl")
		if err := os.WriteFile(broken, []byte(strings.ReplaceAll(text, `description = "Do it."`, `description = "Do it with ${var.given} and ${var.token}."`)), 0o600); err != nil {
			rt.Fatal(err)
		}
		fmt.Fprintf(&out, "broken: %v\n", compile(broken).Diagnostics)
		files, err := codegen.Generate(r.Plan, r.Model, codegen.Options{Package: "secretive"})
		if err != nil {
			rt.Fatal(err)
		}
		for _, f := range files {
			fmt.Fprintf(&out, "%s: %s\n", f.Name, f.Content)
		}

		var operator lockbuf.Buffer
		var log string
		o := runtime.Options{
			Getenv: env, Secrets: r.Secrets, Logger: slog.New(slog.NewTextHandler(&operator, &slog.HandlerOptions{Level: slog.LevelDebug})), Stderr: &operator,
			BaseURLs: map[string]string{"bearer": up.URL, "basic": up.URL, "query": up.URL, "cookie": up.URL, "moved": moved(inURL, inQuery)},
		}
		// Addresses that are none.
		for _, base := range []string{"ftp://robot:" + url.QueryEscape(inURL) + "@host", "http://robot:" + inURL + "%@host", "http://host?api_key=" + url.QueryEscape(inQuery) + "\x7f"} {
			wrong := o
			wrong.BaseURLs = map[string]string{"query": base}
			b, err := runtime.NewBridge(r.Plan, wrong)
			fmt.Fprintf(&out, "an address: %v\n", err)
			if err == nil {
				res, err := b.Call(context.Background(), runtime.Principal{}, "query", []byte(`{"id":"7"}`))
				e, _ := b.Explain("query", []byte(`{"id":"7"}`)) // or it says why there is none
				fmt.Fprintf(&out, "a call there: %+v %v; explained: %+v\n", res, err, e)
				b.Close()
			}
		}
		bridge, err := runtime.NewBridge(r.Plan, o)
		if err != nil {
			rt.Fatal(err)
		}
		s, err := bridge.Server(map[string]runtime.Handler{"cookie": func(ctx context.Context, c *runtime.Call) (*runtime.Result, error) {
			res, err := bridge.Call(ctx, c.Principal, "cookie", c.Arguments)
			switch status % 3 {
			case 0:
				panic("login with " + token + " and " + session)
			case 1:
				return nil, errors.New("the database says: " + session + " " + password)
			}
			return res, err
		}})
		if err != nil {
			rt.Fatal(err)
		}
		h := s.Handler()
		post := func(message, key string) {
			q := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(message))
			q.Header.Set("Content-Type", "application/json")
			q.Header.Set("Accept", "application/json")
			q.Header.Set("X-Api-Key", key)
			q.Header.Set("X-Request-Id", "req-1")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			fmt.Fprintf(&out, "answer: %s %v\n", w.Body, w.Header())
		}
		quoted := func(s string) string {
			b, _ := json.Marshal(s) // a text
			return string(b)
		}
		// Nothing has been used yet, and all that is cheap to read is known. What the
		// caller came with is known, too, let in or not.
		for _, plant := range []string{token, password, key, session, given, collectorKey, caller} {
			post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bearer","arguments":{"id":"7","note":`+quoted(forms(plant)[how])+`,"more":1}}}`, caller)
			post(`{"jsonrpc":"2.0","id":1,"method":`+quoted(plant)+`}`, caller)
		}
		post(`{"jsonrpc":"2.0","id":`+quoted(caller)+`,"method":"tools/call","params":{"name":"bearer","arguments":{"id":"7","note":`+quoted(caller)+`}}}`, caller)
		post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bearer"}}`, "x"+caller)
		for _, tool := range []string{"bearer", "basic", "query", "cookie"} {
			post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"id":"7"}}}`, caller)
		}
		form := rapid.IntRange(0, len(forms(""))-1).Draw(rt, "argument")
		for _, tool := range []string{"bearer", "basic", "query", "cookie"} {
			for _, known := range []string{rapid.SampledFrom([]string{token, password, session, key}).Draw(rt, "known")} {
				note := forms(known)[form]
				post(`{"jsonrpc":"2.0","id":`+quoted(known)+`,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"id":"7","note":`+quoted(note+" "+number)+`,"pin":`+quoted(pin)+`,"apiKey":`+quoted(named)+`,"iban":`+quoted(iban)+`}}}`, caller)
				post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":`+quoted(known)+`}}`, caller)
				post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"id":7,"pin":`+quoted(pin)+`,"note":[`+quoted(known)+`]}}}`, caller)
			}
			if e, err := bridge.Explain(tool, []byte(`{"id":"7"}`)); err != nil {
				rt.Error(err)
			} else {
				fmt.Fprintf(&out, "explain: %+v\n", e)
			}
		}
		// A question, and a call by an address with secrets in it.
		asking := runtime.WithConfirmation(context.Background(), func(_ context.Context, question string) (bool, error) {
			fmt.Fprintf(&out, "question: %s\n", question)
			return true, nil
		})
		arguments := `{"note":` + quoted(forms(inURL)[how]) + `,"pin":` + quoted(pin) + `,"apiKey":` + quoted(named) + `}`
		res, err := bridge.Call(asking, runtime.Principal{}, "ask", []byte(arguments))
		fmt.Fprintf(&out, "asked: %+v %v\n", res, err)
		e, err := bridge.Explain("ask", []byte(`{"note":"","pin":"","apiKey":""}`))
		fmt.Fprintf(&out, "explain: %+v %v\n", e, err)
		for _, f := range s.Diagnose(context.Background(), "", 0) {
			fmt.Fprintf(&out, "diagnosis: %+v\n", f)
		}
		post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, caller)
		post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "x"+caller)
		for _, path := range []string{"/metrics", "/info", "/readyz"} {
			w := httptest.NewRecorder()
			s.AdminHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			fmt.Fprintf(&out, "%s: %s\n", path, w.Body)
		}
		s.Close(context.Background())
		for _, name := range []string{"calls.log", "audit.log"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				rt.Fatal(err)
			}
			fmt.Fprintf(&out, "%s: %s\n", name, b)
			log += string(b)
		}
		fmt.Fprintf(&out, "operator: %s\ntelemetry: %s\n", operator.String(), sent.String())
		if strings.Count(log, "(secret)") < 10 || sent.String() == "" {
			rt.Fatalf("nothing was planted: %s", log)
		}
		for line := range strings.Lines(out.String()) {
			// What a client sent comes back to it alone: as the id of its request, and
			// in what it is told of its own mistake.
			if strings.HasPrefix(line, `answer: {"jsonrpc":"2.0","id":"`) {
				_, line, _ = strings.Cut(line, `,"result"`)
			}
			if strings.Contains(line, `"message":"unknown tool`) || strings.Contains(line, `"message":"the method `) {
				continue
			}
			hidden := secrets
			if !strings.HasPrefix(line, "answer: ") && !strings.HasPrefix(line, ":{") {
				hidden = append(hidden[:len(hidden):len(hidden)], private...)
			}
			for _, one := range hidden {
				for _, f := range forms(one) {
					if strings.Contains(line, f) {
						rt.Fatalf("%q, as %q, is in %s", one, f, line)
					}
				}
			}
		}
	})
}
