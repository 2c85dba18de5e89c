package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// guarded is a spec whose server holds a secret of every kind, for parties that
// repeat all they are sent. Arguments: the address of the service, the apis, and the
// folder.
const guarded = `
server "guarded" { version = "1" }

observe {
  log       = { level = "debug", file = "%[3]s/calls.log" }
  audit     = { file = "%[3]s/audit.log" }
  arguments = true
  otlp      = { endpoint = "%[1]s/collector", interval = "1h", headers = { "Api-Key" = var.collector } }
}

variable "collector" {
  type      = string
  sensitive = true
  env       = "COLLECTOR"
}
variable "given" {
  type      = string
  sensitive = true
}

identity "people" {
  oauth {
    issuer        = "%[1]s"
    audience      = "https://mcp.example/mcp"
    introspection = { url = "%[1]s/introspect", client_id = "mcpc", client_secret = env("INTROSPECTION") }
  }
}
identity "machines" {
  api_keys {
    key "ann" { hash = "sha256:1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032" }
  }
}

store "shared" {
  url     = env("REDIS")
  timeout = "200ms"
}
rate_limit "all" {
  rate     = "1000/s"
  burst    = 1000
  store    = store.shared
  on_error = "allow"
}

policy {
  rule "all" { effect = "allow" }
  rule "young" {
    effect = "deny"
    tools  = ["bearer"]
    when   = parseint(args.pin, 10) < 18
  }
}

auth "client" {
  oauth2 {
    token_url     = "%[1]s/token"
    client_id     = "mcpc"
    client_secret = env("CLIENT")
  }
}
auth "login" {
  session {
    request "POST" "/session" {
      form = { user = "mcpc", password = env("LOGIN") }
    }
    headers = { "X-Auth" = response.body.token }
    cookies = ["sid", "xsrf"]
    scope   = "all"
    csrf    = { cookie = "xsrf", header = "X-XSRF" }
  }
}
%[2]s
`

// Each is an api that is called by a tool of its name.
var guardedAPIs = map[string]string{
	"bearer":  `auth = bearer(env("BEARER"))`,
	"basic":   `auth = basic("robert", env("BASIC"))`,
	"query":   `auth = api_key("query", "key", file("%[3]s/file"))`,
	"cookie":  `auth = api_key("cookie", "sid", env("COOKIE"))`,
	"made":    `headers = { "X-Made" = "v-${base64encode(var.given)}" }`,
	"client":  `auth = auth.client`,
	"login":   `auth = auth.login`,
	"vault":   `auth = bearer(vault("secret/data/x", "field"))`,
	"program": `auth = bearer(exec(["sh", "-c", "cat %[3]s/program >&2; cat %[3]s/program; test $(cat %[3]s/mode) = good", "pl4nted-argument"]))`,
	"tls": `auth = bearer(env("BEARER"))
  tls  = { cert = "%[3]s/client.pem", key = "%[3]s/client.key" }`,
}

const guardedAPI = `
api "%[1]s" {
  base_url = "%[2]s/%[1]s"
  retry { attempts = 1 }
  %[3]s
}
tool "%[1]s" {
  api         = api.%[1]s
  description = "Do it."
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
  request "GET" "/things/{id}" { query = { note = args.note, pin = args.pin } }
}
test "%[1]s" {
  call  = tool.%[1]s
  args  = { id = "7" }
  reply = { fine = true }
  error = "http-500"
}
`

// written are the ways in which a secret is written.
var written = map[string]func(string) string{
	"as it is": func(s string) string { return s },
	"in JSON": func(s string) string {
		b, _ := json.Marshal(s) // a text
		return string(b[1 : len(b)-1])
	},
	"in a query":        url.QueryEscape,
	"in a path":         url.PathEscape,
	"in HTML":           html.EscapeString,
	"in base64":         func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"in base64 of URLs": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
}

// No command shows a secret, whether all that it talks to works or fails and repeats
// what it was sent; nor do the logs of a server, its answers, what it sends to a
// collector, and the files that it and the commands write.
func TestSecretsOfCommands(t *testing.T) {
	for _, mode := range []string{"good", "bad"} {
		t.Run(mode, func(t *testing.T) { secretsOfCommands(t, mode) })
	}
}

func secretsOfCommands(t *testing.T, mode string) {
	t.Setenv("MCPC_CACHE_DIR", t.TempDir())
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What is not to be seen, by where it comes from.
	secrets := map[string]string{}
	for _, name := range []string{
		"BEARER", "BASIC", "COOKIE", "CLIENT", "LOGIN", "INTROSPECTION", "COLLECTOR", "VAULT_TOKEN", // of the environment
		"given", "file", "program", "key", // of a flag, files and a program
		"field", "token", "session", "sid", "xsrf", // that parties give
		"redis", "caller", "pin",
	} {
		secrets[name] = "pl4nted-" + name + `-"<&'%/+=>é z`
		switch name {
		case "COOKIE", "sid", "xsrf", "redis", "caller", "token":
			secrets[name] = "pl4nted-" + name + "-%2F+/z"
		case "BEARER", "field", "COLLECTOR", "VAULT_TOKEN", "program", "given", "file", "session":
			secrets[name] = "pl4nted-" + name + `-"<&'%/+=> z` // as headers may be
		}
	}

	good := func() bool { return mode == "good" }
	var asked atomic.Int64
	// echo says all that came, in every way.
	echo := func(r *http.Request) string {
		body, _ := io.ReadAll(r.Body)
		var said []string
		say := func(s string) {
			for _, form := range written {
				said = append(said, form(s))
			}
		}
		for _, v := range r.Header {
			said = append(said, v...)
			say(strings.TrimPrefix(v[0], "Bearer "))
		}
		if _, password, ok := r.BasicAuth(); ok {
			say(password)
			if plain, err := url.QueryUnescape(password); err == nil {
				say(plain)
			}
		}
		for _, c := range r.Cookies() {
			say(c.Value)
		}
		said = append(said, r.URL.RawQuery, string(body))
		for _, values := range r.URL.Query() {
			say(values[0])
		}
		if form, err := url.ParseQuery(string(body)); err == nil {
			for _, values := range form {
				say(values[0])
			}
		}
		return strings.Join(said, " ")
	}
	collected := &heard{grown: make(chan struct{}, 1)}
	serve := func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		path := r.URL.Path
		if strings.HasPrefix(path, "/collector/") {
			body, _ := io.ReadAll(r.Body)
			_, _ = collected.Write(body)
			if !good() {
				http.Error(w, "no "+r.Header.Get("Api-Key"), http.StatusForbidden)
			}
			return
		}
		text := echo(r)
		if !good() {
			w.WriteHeader(map[bool]int{true: http.StatusUnauthorized, false: http.StatusInternalServerError}[strings.HasPrefix(path, "/token")])
			_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_client", "error_description": text, "title": text, "errors": []string{text}, "detail": text})
			return
		}
		switch {
		case path == "/token":
			_ = json.NewEncoder(w).Encode(map[string]any{"access_token": secrets["token"], "token_type": "Bearer", "expires_in": 600, "scope": text})
		case path == "/introspect":
			_ = json.NewEncoder(w).Encode(map[string]any{"active": false, "error": text})
		case strings.HasPrefix(path, "/v1/"):
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"data": map[string]string{"field": secrets["field"]}, "metadata": map[string]any{}}})
		case strings.HasSuffix(path, "/session"):
			for _, name := range []string{"sid", "xsrf"} {
				w.Header().Add("Set-Cookie", name+"="+secrets[name]+"; Path=/")
			}
			_ = json.NewEncoder(w).Encode(map[string]string{"token": secrets["session"]})
		case r.URL.Query().Has("note"): // a call of which all is repeated, though nothing is wrong with it
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = json.NewEncoder(w).Encode(map[string]any{"title": text})
		default:
			_, _ = io.WriteString(w, `{"fine":true}`)
		}
	}
	service := httptest.NewServer(http.HandlerFunc(serve))
	defer service.Close()
	// A certificate that names what the service was sent before.
	named := httptest.NewUnstartedServer(http.HandlerFunc(serve))
	named.TLS = &tls.Config{Certificates: []tls.Certificate{certificateOf(t, secrets["BEARER"], secrets["COOKIE"])}}
	named.Config.ErrorLog = nil
	named.StartTLS()
	defer named.Close()
	redis := echoingRedis(t)

	apis := ""
	for _, name := range slices.Sorted(maps.Keys(guardedAPIs)) {
		at := service.URL
		if name == "tls" {
			at = strings.Replace(named.URL, "127.0.0.1", "localhost", 1)
		}
		apis += fmt.Sprintf(guardedAPI, name, at, strings.ReplaceAll(guardedAPIs[name], "%[3]s", dir))
	}
	text := fmt.Sprintf(guarded, service.URL, apis, dir)
	write("s.hcl", text)
	write("mode", mode)
	write("file", secrets["file"]+"\n")
	write("program", secrets["program"]+"\n")
	write("client.pem", "-----BEGIN CERTIFICATE-----\n"+secrets["key"]+"\n")
	write("client.key", "-----BEGIN PRIVATE KEY-----\n"+secrets["key"]+"\n")
	// The same mistakes beside secrets, and in what holds them.
	write("broken.hcl", strings.ReplaceAll(text, `description = "Do it."`, `description = "Do it with ${var.given} and ${var.collector}."`))
	const literal = "pl4nted-literal"
	secrets["literal"], secrets["argument"] = literal, "pl4nted-argument"
	write("literal.hcl", `
api "user" { base_url = "https://robot:`+literal+`@a.example" }
api "port" { base_url = "https://robot:`+literal+`%@a.example" }
api "ftp" { base_url = "ftp://`+literal+`@a.example" }
api "query" { base_url = "https://a.example?api_key=`+literal+`" }
api "token" {
  base_url = "https://a.example"
  auth     = bearer("`+literal+`")
  headers  = { "X-Api-Key" = "`+literal+`", "X-B" = {} }
}
`)
	write("openapi.yaml", `
openapi: 3.1.0
info: {title: T, version: "1"}
servers:
  - url: "https://robot:`+literal+`@a.example"
  - url: "https://a.example?api_key=`+literal+`"
  - url: "ftp://robot:`+literal+`@a.example"
  - url: "https://robot:`+literal+`%@a.example"
paths: {/a: {get: {operationId: a, responses: {"200": {description: d}}}}}
`)

	env := map[string]string{"MCPC_CACHE_DIR": os.Getenv("MCPC_CACHE_DIR"), "VAULT_ADDR": service.URL, "REDIS": "redis://:" + url.QueryEscape(secrets["redis"]) + "@" + redis}
	for name, v := range secrets {
		if strings.ToUpper(name) == name {
			env[name] = v
		}
	}
	getenv := func(name string) string { return env[name] }

	surfaces := map[string]string{}
	command := func(args ...string) string {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.NewReader(""), &stdout, &stderr, args, getenv)
		out := stdout.String() + stderr.String()
		surfaces[strings.ReplaceAll(strings.Join(args, " "), dir+"/", "")] = out
		if code == exitUsage {
			t.Errorf("%v is not how it is used: %s", args, out)
		}
		return out
	}
	given := []string{"--var", "given=" + secrets["given"]}
	with := func(args ...string) []string { return append(args, given...) }
	pin, note := "pin="+secrets["pin"], "note="+secrets["BEARER"]+" "+secrets["BASIC"]
	spec := file("s.hcl")
	command(with("validate", spec)...)
	command(with("validate", spec, "--format", "json")...)
	command(with("lint", spec)...)
	command(with("list", spec)...)
	command(with("inspect", spec)...)
	command(with("inspect", spec, "--json")...)
	command(with("test", spec)...)
	command(with("test", spec, "--json")...)
	command(with("lock", spec, "-o", file("s.lock"))...)
	command(with("diff", spec, spec)...)
	command("fmt", "--check", spec)
	for _, format := range []string{"pretty", "line", "json", "github"} {
		for _, broken := range []string{"broken.hcl", "literal.hcl", "openapi.yaml"} {
			for _, verb := range []string{"validate", "lint", "inspect", "doctor", "list"} {
				if broken == "openapi.yaml" { // which has no variables
					command(verb, file(broken), "--format", format)
					continue
				}
				command(with(verb, file(broken), "--format", format)...)
			}
		}
	}
	command("validate", file("openapi.yaml"), "--base-url", "https://robot:"+literal+"@b.example")
	command("validate", file("openapi.yaml"), "--base-url", "https://b.example?token="+literal)
	command("generate", spec, "-o", file("gen"))
	command(with("doctor", spec, "--timeout", "3s")...)
	command(with("doctor", spec, "--timeout", "3s", "--json")...)
	for _, name := range slices.Sorted(maps.Keys(guardedAPIs)) {
		command(with("call", spec, name, "id=7", "--yes")...)
		command(with("call", spec, name, "id=7", note, pin, "--yes")...)
		command(with("call", spec, name, "id=7", "--yes", "--json")...)
		command(with("explain", spec, "tool", name, "id=7")...)
	}

	// A server, with callers let in and not, a question, and a spec that breaks.
	stderr := &heard{grown: make(chan struct{}, 1)}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, strings.NewReader(""), io.Discard, stderr, with("serve", spec, "--http", "127.0.0.1:0", "--log-level", "debug", "--drain-timeout", "1s"), getenv)
	}()
	stderr.wait(t, "/mcp", 1)
	_, at, _ := strings.Cut(stderr.String(), "at http://")
	at, _, _ = strings.Cut(at, "/mcp")
	var answers strings.Builder
	post := func(header, tool string, arguments map[string]string) {
		body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": arguments}}) // of texts
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at+"/mcp", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		res, err := (&http.Client{Timeout: time.Minute}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		fmt.Fprintf(&answers, "%d %v %s\n", res.StatusCode, res.Header, text)
	}
	pair := base64.StdEncoding.EncodeToString([]byte("robert:" + secrets["BASIC"])) // as it is sent: what it holds is not the password in base64, which starts within a group
	post("Authorization: Bearer "+secrets["caller"], "bearer", nil)
	for name := range guardedAPIs {
		post("X-Api-Key: letmein", name, map[string]string{"id": "7"})
	}
	for name := range guardedAPIs {
		for _, form := range written {
			post("X-Api-Key: letmein", name, map[string]string{"id": "7", "pin": secrets["pin"], "note": form(secrets["BEARER"]) + " " + form(secrets["BASIC"]) + " " + form(secrets["redis"])})
		}
		if good() { // what parties gave is known by now
			for _, one := range []string{"token", "session", "sid", "field", "program"} {
				post("X-Api-Key: letmein", name, map[string]string{"id": "7", "note": secrets[one]})
			}
			post("X-Api-Key: letmein", name, map[string]string{"id": "7", "note": pair})
		}
	}
	if asked.Load() == 0 {
		t.Error("nobody was asked anything")
	}
	write("s.hcl", strings.ReplaceAll(text, `description = "Do it."`, `description = "Do it with ${var.given}."`))
	stderr.wait(t, "not reloaded", 1)
	write("s.hcl", strings.Replace(text, `base_url = "`+service.URL+`/basic"`, `base_url = "https://robot:`+literal+`@b.example"`, 1))
	stderr.wait(t, "not reloaded", 2)
	write("s.hcl", strings.Replace(text, "Do it.", "Do it now.", 1))
	stderr.wait(t, "msg=reloaded", 1)
	end()
	if code := <-ended; code != exitOK && code != exitInterrupted {
		t.Errorf("serve ends with %d: %s", code, stderr)
	}
	surfaces["serve"], surfaces["answers"], surfaces["collector"] = stderr.String(), answers.String(), collected.String()
	for _, name := range []string{"calls.log", "audit.log"} {
		b, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		surfaces[name] = string(b)
		command("tail", file(name))
	}
	command("audit", "verify", file("audit.log"))
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && (strings.Contains(path, "/gen/") || strings.HasSuffix(path, ".lock")) {
			b, _ := os.ReadFile(path)
			surfaces["file "+strings.TrimPrefix(path, dir)] = string(b)
		}
		return nil
	})

	for _, where := range slices.Sorted(maps.Keys(surfaces)) {
		text := surfaces[where]
		for name, s := range secrets {
			if name == "pin" && (where == "answers" || strings.HasPrefix(where, "call ")) {
				continue // the service repeats to a caller what he sent
			}
			if name == "argument" && (strings.HasPrefix(where, "file /gen/") || strings.Contains(where, "--json")) {
				continue // a plan holds what the spec says
			}
			for how, form := range written {
				part := form(s)
				if how == "as it is" && where != "answers" && !strings.HasPrefix(where, "call ") {
					// Not a part of it, quoted in any way. (In results a service repeats
					// secrets that are encoded twice.)
					part, _, _ = strings.Cut(s, "\"")
				}
				if i := strings.Index(text, part); i >= 0 {
					t.Errorf("the secret %s is, %s, in what %s gives: …%s…", name, how, where, text[max(0, i-300):min(len(text), i+200)])
					break
				}
			}
		}
		if strings.Contains(text, pair) {
			t.Errorf("Basic credentials are in what %s gives", where)
		}
	}
	// That secrets were there to be found: they are hidden where they would be.
	for _, where := range []string{"calls.log", "answers"} {
		if strings.Count(surfaces[where], "(secret)") < 10 {
			t.Errorf("%s hides nothing: %s", where, surfaces[where])
		}
	}
	if surfaces["collector"] == "" {
		t.Error("nothing was sent to the collector")
	}
}

// certificateOf makes a certificate for names.
func certificateOf(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// echoingRedis is a server of the protocol that knows no command, and says which.
func echoingRedis(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					var n int
					if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
						return
					}
					var said []string
					for range n {
						var size int
						if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
							return
						}
						part := make([]byte, size+2)
						if _, err := io.ReadFull(r, part); err != nil {
							return
						}
						said = append(said, string(part[:size]))
					}
					fmt.Fprintf(c, "-ERR refused, with args beginning with: %s\r\n", strings.Join(said, " "))
				}
			}()
		}
	}()
	return l.Addr().String()
}
