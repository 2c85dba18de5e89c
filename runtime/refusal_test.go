package runtime

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// keyed is a library whose callers have keys, with a resource and a prompt.
func keyed(up string) *plan.Server {
	p := library(up)
	key := func(name, key string, scopes ...string) plan.APIKey {
		sum := sha256.Sum256([]byte(key))
		return plan.APIKey{Name: name, Hash: hex.EncodeToString(sum[:]), Scopes: scopes}
	}
	p.Identities = []plan.Identity{{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{key("ann", "ann-has-this-key"), key("bob", "bob-has-this-key", "write")}}}}
	p.Tools[1].Scopes = []string{"write"}
	p.Resources = []plan.Resource{{Name: "book", URI: "book://{id}", Parts: []plan.URIPart{{Literal: "book://"}, {Var: "id"}}, Call: p.Tools[0]}}
	return p
}

// Whatever is refused before it is a call is a line of the log and of the audit log,
// and counted by its reason. None of it holds a credential.
func TestRefusals(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/404") {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(`{}`))
	})
	call := func(name string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":{"id":7}}}`
	}
	const ann, bob = "ann-has-this-key", "bob-has-this-key"
	audit := filepath.Join(t.TempDir(), "audit.log")
	p := keyed(up)
	p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "info"}, Audit: audit, Admin: "127.0.0.1:0", Correlation: true}
	var log lockbuf.Buffer
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-open"), Stderr: &log})
	h := s.Handler()
	reasons := map[string]int{}
	for name, c := range map[string]struct {
		key, body, reason, line string // what the line has besides
		change                  func(*http.Request)
	}{
		"nobody":           {"", call("get_book"), "unauthenticated", `"remote":"192.0.2.1","status":401,"code":-32600`, nil},
		"wrong key":        {"nobody-has-this-key", call("get_book"), "unauthenticated", `"status":401`, nil},
		"token in query":   {ann, call("get_book"), "unauthenticated", "", func(r *http.Request) { r.URL.RawQuery = "access_token=sesame-in-query" }},
		"lacks a scope":    {ann, call("add_book"), "forbidden", `"subject":"ann","method":"tools/call","name":"add_book"`, nil},
		"another host":     {ann, call("get_book"), "host", "", func(r *http.Request) { r.Host = "evil.example" }},
		"another origin":   {ann, call("get_book"), "origin", "", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }},
		"a GET":            {ann, "", "not-mcp", `"status":405`, func(r *http.Request) { r.Method = http.MethodGet }},
		"no JSON":          {ann, "{", "malformed", `"subject":"ann"`, nil},
		"another type":     {ann, call("get_book"), "not-mcp", `"status":415`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
		"no accept":        {ann, call("get_book"), "not-mcp", `"status":406`, func(r *http.Request) { r.Header.Set("Accept", "text/plain") }},
		"too large":        {ann, strings.Repeat(" ", 5<<20), "too-large", `"status":413`, nil},
		"unknown version":  {ann, call("get_book"), "unsupported-version", "", func(r *http.Request) { r.Header.Set("MCP-Protocol-Version", "1999-01-01") }},
		"unknown tool":     {ann, call("sesame-open"), "unknown-tool", `"subject":"ann","method":"tools/call","name":"(secret)","remote":"192.0.2.1","code":-32602`, nil},
		"unknown method":   {ann, `{"jsonrpc":"2.0","id":1,"method":"tools/steal"}`, "unknown-method", `"method":"tools/steal"`, nil},
		"unknown resource": {ann, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"https://u:p4ssw0rd@x.example/?key=p4ssw0rd"}}`, "unknown-resource", `"name":"https://x.example/"`, nil},
		"no name":          {ann, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}`, "invalid-params", "", nil},
		"recorded":         {ann, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://404"}}`, "", "", nil},
		"well":             {ann, `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://7"}}`, "", "", nil},
		"well, too":        {bob, call("add_book"), "", "", nil},
	} {
		// Another path to the secret than by having used it.
		if _, err := s.bridge.secrets.value(plan.Secret{Name: "token", Env: []string{"LIBRARY_TOKEN"}}); err != nil {
			t.Fatal(err)
		}
		before := len(log.String())
		r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		if c.key != "" {
			r.Header.Set("X-Api-Key", c.key)
		}
		if c.change != nil {
			c.change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := log.String()[before:]
		if id := w.Result().Header.Get("X-Request-Id"); len(id) != 32 || !strings.Contains(got, `"correlation":"`+id+`"`) {
			t.Errorf("%s: the client hears of %q: %s", name, id, got)
		}
		if c.reason == "" {
			if strings.Contains(got, "refused") || !strings.Contains(got, `"outcome"`) {
				t.Errorf("%s: %s", name, got)
			}
			continue
		}
		reasons[c.reason]++
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, `"event":"refused","reason":"`+c.reason+`","count":1`) || !strings.Contains(got, c.line) {
			t.Errorf("%s: %s", name, got)
		}
	}
	// The same on stdio.
	before := len(log.String())
	var out bytes.Buffer
	in := strings.Join([]string{"{", call("nothing"), `{"jsonrpc":"2.0","id":1,"method":"a/b"}`, strings.Repeat("x", 5<<20), "[1]"}, "\n") + "\n"
	if err := s.front.ServeLines(t.Context(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"malformed", "unknown-tool", "unknown-method", "too-large", "malformed"} {
		reasons[reason]++
		if !strings.Contains(log.String()[before:], `"reason":"`+reason+`"`) {
			t.Errorf("stdio: no %s in %s", reason, log.String()[before:])
		}
	}
	if strings.Contains(log.String()[before:], "remote") {
		t.Error("a pipe has an address")
	}

	schemas := map[bool]*jsonschema.Schema{true: schemaOf(t, "refusal.schema.json"), false: schemaOf(t, "call.schema.json")}
	file, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := observe.VerifyAudit(bytes.NewReader(file), ""); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(log.String() + string(file)) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = schemas[strings.Contains(line, `"event"`)].Validate(v)
		}
		if err != nil {
			t.Errorf("%v: %s", err, line)
		}
		for _, secret := range []string{ann, bob, "nobody-has", "sesame", "p4ssw0rd"} {
			if strings.Contains(line, secret) {
				t.Errorf("%s is in %s", secret, line)
			}
		}
	}
	if l, a := strings.Count(log.String(), "refused"), strings.Count(string(file), "refused"); l != a {
		t.Errorf("the log has %d refusals, the audit log %d", l, a)
	}
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for reason, n := range reasons {
		if want := fmt.Sprintf("mcpc_refusals_total{reason=%q} %d\n", reason, n); !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// What is read and asked for is recorded as what it is: not by its URI, which holds
// arguments.
func TestReadsAreRecorded(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"id":4711}`)) })
	p := keyed(up)
	p.Identities = nil
	text := plan.Expr{Op: plan.OpConst, Const: `"Read it."`}
	embedded := plan.Expr{Op: plan.OpConst, Const: `"book://4711"`}
	p.Prompts = []plan.Prompt{
		{Name: "plain", Input: `{"type":"object"}`, Messages: []plan.Message{{Role: "user", Text: &text}}},
		{Name: "embedding", Input: `{"type":"object"}`, Messages: []plan.Message{{Role: "user", Resource: &embedded}}},
	}
	p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "debug"}, Admin: "127.0.0.1:0"}
	var log lockbuf.Buffer
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-open"), Stderr: &log})
	h := s.Handler()
	for message, want := range map[string][]string{
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://4711"}}`:                     {`"resource":"book","upstream":"books","outcome":"ok","status":200,"attempts":1`},
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"book://x"}}`:                        {`"resource":"book","upstream":"books","outcome":"invalid-arguments"`},
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"plain"}}`:                             {`"prompt":"plain","outcome":"ok"`},
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"embedding"}}`:                         {`"prompt":"embedding","outcome":"ok"`, `"resource":"book","upstream":"books","outcome":"ok"`},
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"plain","arguments":{"a":"b","a":1}}}`: {`"prompt":"plain","outcome":"invalid-arguments"`},
	} {
		before := len(log.String())
		r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(message))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := log.String()[before:]
		if strings.Count(got, "\n") != len(want) {
			t.Errorf("%s: %s\n%s", message, got, w.Body)
		}
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: no %s in %s", message, part, got)
			}
		}
		schema := schemaOf(t, "call.schema.json")
		for line := range strings.Lines(got) {
			var v any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(v); err != nil || strings.Contains(line, "4711") {
				t.Errorf("%v: %s", err, line)
			}
		}
	}
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`mcpc_calls_total{resource="book",outcome="ok"} 2`, `mcpc_calls_total{prompt="plain",outcome="ok"} 1`, `mcpc_call_duration_seconds_count{resource="book"} 3`} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

// A program that does not link what a spec asks for says so at start.
func TestTelemetryIsNotLinked(t *testing.T) {
	p := library("http://books.example")
	p.Observe = &plan.Observe{OTLP: &plan.OTLP{Traces: true}}
	if _, err := New(p, Options{}); err == nil || !strings.Contains(err.Error(), `import _ "github.com/mcpc-dev/mcpc/runtime/otlp"`) {
		t.Error(err)
	}
	if _, err := New(p, Options{Unobserved: true}); err != nil {
		t.Error(err)
	}
}
