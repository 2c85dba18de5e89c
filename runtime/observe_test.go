package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func schemaOf(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("internal/observe/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("call.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("call.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every line of the log and of the audit log is what the schema says.
func TestCallLog(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/404") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":7,"title":"Emma"}`))
	})
	p := library(up)
	audit := filepath.Join(t.TempDir(), "audit.log")
	p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "debug"}, Audit: audit, Arguments: true, Correlation: true}
	var log lockbuf.Buffer
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-open"), Stderr: &log})
	who := Principal{Tenant: "acme", Subject: "ann", Client: "cli"}
	for _, arguments := range []string{`{"id":7}`, `{"id":404}`, `{"id":"x"}`, `{`} {
		res, err := s.Call(t.Context(), who, "get_book", []byte(arguments))
		if err != nil {
			t.Fatal(err)
		}
		if res.Meta["mcpc/correlation"] == nil {
			t.Errorf("%s: no correlation is returned", arguments)
		}
	}
	if _, err := s.Call(t.Context(), Principal{}, "add_book", []byte(`{"body":{"title":"x"}}`)); err != nil {
		t.Fatal(err)
	}
	schema := schemaOf(t, "call.schema.json")
	file, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for line := range strings.Lines(log.String() + string(file)) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		m := v.(map[string]any)
		outcomes = append(outcomes, m["outcome"].(string))
		if m["outcome"] == "ok" {
			for _, stage := range []string{"total", "validate", "upstream"} {
				if m["duration_us"].(map[string]any)[stage] == nil {
					t.Errorf("no time of %s: %s", stage, line)
				}
			}
			if m["upstream"] != "books" || m["status"] != json.Number("200") || m["attempts"] != json.Number("1") {
				t.Error(line)
			}
		}
	}
	want := "ok http-404 invalid-arguments invalid-arguments ok"
	if got := strings.Join(outcomes, " "); got != want+" "+want {
		t.Errorf("outcomes %s", got)
	}
	if !strings.Contains(log.String(), `"arguments":{"id":7}`) || !strings.Contains(log.String(), `"tenant":"acme","subject":"ann","client":"cli"`) {
		t.Error(log.String())
	}
}

// A correlation goes from the client through the log to the upstream and back.
func TestCorrelation(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	var seen http.Header
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":7}`))
	})
	for name, c := range map[string]struct {
		on       bool
		header   http.Header
		meta     string
		id       string // that is returned, "" for none
		upstream bool
	}{
		"header":     {true, http.Header{"Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01"}}, "", trace, true},
		"meta":       {true, nil, `,"traceparent":"00-` + trace + `-00f067aa0ba902b7-01"`, trace, true},
		"request id": {true, http.Header{"X-Request-Id": {"req-9"}}, `,"traceparent":"00-` + trace + `-00f067aa0ba902b7-01"`, "req-9", true},
		"meta wins":  {true, http.Header{"Traceparent": {"00-11111111111111111111111111111111-00f067aa0ba902b7-01"}}, `,"traceparent":"00-` + trace + `-00f067aa0ba902b7-01"`, trace, true},
		"off":        {false, http.Header{"X-Request-Id": {"req-9"}, "Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01"}}, "", "", false},
		// What is not as it should be is made anew.
		"hostile":         {true, http.Header{"X-Request-Id": {"a b"}}, `,"traceparent":7`, "*", false},
		"lines":           {true, http.Header{"X-Request-Id": {"a\r\nSet-Cookie: b=c"}}, "", "*", false},
		"long":            {true, http.Header{"X-Request-Id": {strings.Repeat("a", 65)}, "Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01-more"}}, "", "*", false},
		"two":             {true, http.Header{"X-Request-Id": {"req-9", "req-8"}, "Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01", "00-11111111111111111111111111111111-00f067aa0ba902b7-01"}}, "", "*", false},
		"joined":          {true, http.Header{"Traceparent": {"00-" + trace + "-00f067aa0ba902b7-01,00-" + trace + "-00f067aa0ba902b7-01"}}, "", "*", false},
		"upper case":      {true, http.Header{"Traceparent": {"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}}, "", "*", false},
		"zeros":           {true, http.Header{"Traceparent": {"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}}, "", "*", false},
		"no version":      {true, http.Header{"Traceparent": {"ff-" + trace + "-00f067aa0ba902b7-01"}}, "", "*", false},
		"a later version": {true, http.Header{"Traceparent": {"01-" + trace + "-00f067aa0ba902b7-01-more"}}, "", trace, true},
	} {
		p := library(up)
		p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "info"}, Correlation: c.on}
		var log lockbuf.Buffer
		s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-open"), Stderr: &log})
		r := httptest.NewRequest("POST", "http://localhost/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":7},"_meta":{"x":1`+c.meta+`}}}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		for k, v := range c.header {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		var got struct {
			Result struct {
				Meta map[string]any `json:"_meta"`
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v: %s", name, err, w.Body)
		}
		id, _ := got.Result.Meta["mcpc/correlation"].(string)
		back := id
		if c.id == "*" && len(id) == 32 {
			id = "*"
		}
		if id != c.id {
			t.Errorf("%s: %q is returned, want %q", name, id, c.id)
		}
		if h := w.Header().Get("X-Request-Id"); h != back {
			t.Errorf("%s: the header of the answer is %q, not %q", name, h, back)
		}
		if c.id == "*" && (len(seen["X-Request-Id"]) != 1 || seen.Get("X-Request-Id") != back || strings.Contains(log.String(), "req-") || !strings.Contains(log.String(), `"correlation":"`+back+`"`)) {
			t.Errorf("%s: upstream gets %v, logged is %s", name, seen, log.String())
		}
		if strings.Contains(seen.Get("Traceparent"), trace) != c.upstream || c.upstream && seen.Get("X-Request-Id") != c.id {
			t.Errorf("%s: upstream gets %v", name, seen)
		}
		if c.upstream && !strings.Contains(log.String(), `"correlation":"`+c.id+`","trace":"`+trace+`"`) {
			t.Errorf("%s: logged is %s", name, log.String())
		}
	}
}

// Secrets are planted wherever they could come from; none may come out.
func TestNoSecretComesOut(t *testing.T) {
	const token, key, pin, word, number = "sesame-\"open\"&<1>", "k3y-f1le-value", "pin-4711-xyz", "pass-in-argument", "123-45-6789"
	secrets := []string{token, key, pin, word, number, `sesame-\"open\"`, "sesame-%22open", "sesame-&#34;open"}
	for _, status := range []int{200, 302, 400, 401, 404, 429, 500, 503} {
		up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
			// An upstream that repeats all it knows, in every way.
			body, _ := io.ReadAll(r.Body)
			auth := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			w.Header().Set("X-Echo", auth)
			w.Header().Set("Content-Type", "application/problem+json")
			if status == http.StatusFound {
				w.Header().Set("Location", "https://elsewhere.example/?token="+token)
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]string{"title": "no " + auth, "detail": r.URL.String() + " " + key, "body": string(body)})
		})
		p := library(up)
		for i := range p.Tools {
			p.Tools[i].Sensitive = []string{"pin"}
		}
		p.Tools[0].Input = `{"type":"object"}`
		dir := t.TempDir()
		p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "debug"}, Audit: filepath.Join(dir, "audit.log"), Admin: "127.0.0.1:0", Arguments: true, Correlation: true, Patterns: []string{`[0-9]{3}-[0-9]{2}-[0-9]{4}`}}
		var log, operator lockbuf.Buffer
		b, err := NewBridge(p, Options{
			Getenv: env("LIBRARY_TOKEN", token), Stderr: &log, Secrets: map[string]string{"key": key},
			Logger: slog.New(slog.NewTextHandler(&operator, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.Server(map[string]Handler{"add_book": func(_ context.Context, _ *Call) (*Result, error) {
			return nil, errors.New("the database says: login with " + token)
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []plan.Secret{{Name: "token", Env: []string{"LIBRARY_TOKEN"}}, {Name: "key"}} {
			if _, err := b.secrets.value(ref); err != nil { // used by an earlier call
				t.Fatal(err)
			}
		}
		quoted, _ := json.Marshal(token)
		var out strings.Builder
		for _, tool := range []string{"get_book", "add_book"} {
			for _, arguments := range []string{
				`{"id":7,"pin":"` + pin + `","nested":[{"apiKey":"` + word + `"}],"q":"` + number + `","note":` + string(quoted) + `,"` + key + `":1,"body":{}}`,
				`{"id":` + string(quoted) + `,"body":{"password":"` + word + `"}}`,
			} {
				for _, who := range []Principal{{Subject: key}, {Tenant: token, Client: number}} {
					res, err := s.Call(t.Context(), who, tool, []byte(arguments))
					if err != nil {
						t.Fatal(err)
					}
					if res.IsError {
						fmt.Fprintf(&out, "result: %s\n", text(res))
					}
				}
			}
		}
		for _, path := range []string{"/metrics", "/info", "/readyz"} {
			w := httptest.NewRecorder()
			s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code != http.StatusOK {
				t.Errorf("%s answers %d", path, w.Code)
			}
			fmt.Fprintf(&out, "%s: %s\n", path, w.Body)
		}
		if e, err := s.bridge.Explain("get_book", []byte(`{"id":7}`)); err != nil {
			t.Error(err)
		} else {
			fmt.Fprintf(&out, "explain: %v\n", e)
		}
		audit, err := os.ReadFile(p.Observe.Audit)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "log: %s\naudit: %s\noperator: %s\n", log.String(), audit, operator.String())
		if !strings.Contains(log.String(), `"note":"(secret)"`) {
			t.Errorf("nothing was planted: %s", log.String())
		}
		for line := range strings.Lines(out.String()) {
			for _, secret := range secrets {
				if strings.Contains(line, secret) {
					t.Errorf("%d: %q is in %s", status, secret, line)
				}
			}
		}
	}
}

// A spec without observe has nothing of it in its results.
func TestUnobserved(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	p := library(up)
	p.Observe = &plan.Observe{Log: &plan.CallLog{File: filepath.Join(t.TempDir(), "calls.log")}, Correlation: true}
	for name, o := range map[string]Options{"told not to": {Unobserved: true}, "no block": {}} {
		if name == "no block" {
			p.Observe = nil
		}
		s := newServer(t, p, o)
		res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`))
		if err != nil || res.Meta["mcpc/correlation"] != nil {
			t.Errorf("%s: %v, %v", name, res, err)
		}
		if p.Observe != nil {
			if _, err := os.Stat(p.Observe.Log.File); err == nil {
				t.Errorf("%s: a log was made", name)
			}
		}
	}
}

// However a call ends, it is one line of the log and of the audit log as the schema
// has them, with the time of the stages that it came to.
func TestEveryEndIsRecorded(t *testing.T) {
	arrived := make(chan struct{}, 1)
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/500"):
			w.WriteHeader(http.StatusInternalServerError)
		case strings.HasSuffix(r.URL.Path, "/504"): // nobody knows how long
			arrived <- struct{}{}
			<-r.Context().Done()
		case strings.HasSuffix(r.URL.Path, "/444"): // hangs up
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":1}`)
		}
	})
	p := library(up)
	audit := filepath.Join(t.TempDir(), "audit.log")
	p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "debug"}, Audit: audit, Arguments: true, Correlation: true, Admin: "127.0.0.1:0"}
	p.Policy = &plan.Policy{Rules: []plan.PolicyRule{{Name: "reading", Tools: []string{"get_book", "slow_book"}}}}
	p.Limits = []plan.CallLimit{{Name: "few", Tools: []string{"get_book"}, Every: time.Hour, Burst: 4}}
	slow := p.Tools[0]
	slow.Name = "slow_book"
	slow.Request.Upstream = "slow"
	p.Tools = append(p.Tools, slow)
	impatient := p.Upstreams[0]
	impatient.Name, impatient.Timeout = "slow", 50*time.Millisecond
	p.Upstreams = append(p.Upstreams, impatient)
	var log lockbuf.Buffer
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-open"), Stderr: &log})
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	schema := schemaOf(t, "call.schema.json")
	lines := func() []string { return strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n") }
	ends := map[string]bool{}
	for i, c := range []struct {
		tool, id, outcome, stages string
		leave                     bool // the client hangs up when the request is upstream
	}{
		{"get_book", "1", "ok", "build shape total upstream validate", false},
		{"get_book", "500", "http-500", "build shape total upstream validate", false},
		{"get_book", "444", "connection", "build total upstream validate", false},
		{"slow_book", "504", "timeout", "build total upstream validate", false},
		{"get_book", "504", "canceled", "build total upstream validate", true},
		{"get_book", "1", "rate-limited", "total validate", false},
		{"add_book", "1", "denied", "total validate", false},
		{"get_book", `"x"`, "invalid-arguments", "total validate", false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{"id":%s}}}`, i, c.tool, c.id)
		r, err := http.NewRequestWithContext(ctx, "POST", web.URL+"/mcp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Request-Id", fmt.Sprint("req-", i))
		if c.leave {
			go func() { <-arrived; cancel() }()
		}
		res, err := web.Client().Do(r)
		switch {
		case err == nil:
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if got := res.Header.Get("X-Request-Id"); got != fmt.Sprint("req-", i) {
				t.Errorf("%s: the client hears of %q", c.outcome, got)
			}
		case !c.leave:
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); len(lines()) <= i && time.Now().Before(end); {
			time.Sleep(time.Millisecond) // who left does not see the line come
		}
		cancel()
		if c.outcome == "timeout" {
			<-arrived
		}
		if len(lines()) != i+1 || lines()[i] == "" {
			t.Fatalf("%s: %d lines", c.outcome, len(lines()))
		}
		var m struct {
			Correlation, Outcome, Tool string
			DurationUS                 map[string]int64 `json:"duration_us"`
		}
		if err := json.Unmarshal([]byte(lines()[i]), &m); err != nil {
			t.Fatal(err)
		}
		if m.Outcome != c.outcome || m.Correlation != fmt.Sprint("req-", i) || m.Tool != c.tool {
			t.Errorf("%s is recorded as %s", c.outcome, lines()[i])
		}
		if got := strings.Join(slices.Sorted(maps.Keys(m.DurationUS)), " "); got != c.stages {
			t.Errorf("%s has the stages %s, want %s", c.outcome, got, c.stages)
		}
		ends[c.outcome] = true
	}
	file, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(file), "\n"); n != len(lines()) {
		t.Errorf("the audit log has %d lines, the log %d", n, len(lines()))
	}
	for line := range strings.Lines(log.String() + string(file)) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	w := httptest.NewRecorder()
	s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for outcome := range ends {
		if !strings.Contains(w.Body.String(), fmt.Sprintf("outcome=%q", outcome)) {
			t.Errorf("the metrics know nothing of %s", outcome)
		}
	}
}

// No client makes series of metrics, whatever names and ids it thinks of.
func TestClientsMakeNoSeries(t *testing.T) {
	p := library(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":1}`) }))
	p.Observe = &plan.Observe{Admin: "127.0.0.1:0", Correlation: true}
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-open")})
	h := s.Handler()
	series := func() int {
		w := httptest.NewRecorder()
		s.AdminHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		n := 0
		for line := range strings.Lines(w.Body.String()) {
			if !strings.HasPrefix(line, "#") {
				n++
			}
		}
		return n
	}
	storm := func(from, to int) {
		for i := from; i < to; i++ {
			for _, body := range []string{
				fmt.Sprintf(`{"jsonrpc":"2.0","id":"%d","method":"tools/call","params":{"name":"tool-%d","arguments":{}}}`, i, i),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"%d"}}}`, i, i),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"method/%d"}`, i, i),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/read","params":{"uri":"x://%d"}}`, i, i),
				fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"prompts/get","params":{"name":"prompt-%d"}}`, i, i),
				fmt.Sprintf("%d", i), "{",
			} {
				r := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
				r.Header.Set("X-Request-Id", fmt.Sprint(i))
				h.ServeHTTP(httptest.NewRecorder(), r)
				r = httptest.NewRequest(fmt.Sprint("M", i), fmt.Sprint("http://localhost/mcp?", i), nil)
				r.Header.Set("Mcp-Protocol-Version", fmt.Sprint(i))
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	}
	storm(0, 1)
	before := series()
	storm(1, 300)
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

// A server whose audit log is gone says on every listener that it takes no calls, and
// takes none.
func TestUnready(t *testing.T) {
	p := library("https://x.example")
	p.Observe = &plan.Observe{Audit: filepath.Join(t.TempDir(), "audit.log"), Admin: "127.0.0.1:0"}
	s := newServer(t, p, Options{Getenv: env("LIBRARY_TOKEN", "t"), Transport: prepared{[]byte(`{}`)}, AllowedHosts: []string{"*"}})
	readiness := func() (said []string) {
		for _, h := range []http.Handler{s.Handler(), s.AdminHandler()} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			said = append(said, fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String())))
		}
		return said
	}
	call := func() *Result {
		res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if got := readiness(); !slices.Equal(got, []string{"200 ready", "200 ready"}) || call().IsError {
		t.Fatalf("before: %q", got)
	}
	if err := os.Remove(p.Observe.Audit); err != nil {
		t.Fatal(err)
	}
	const gone = "503 the audit log cannot be written"
	// It is noticed when the last line is forced onto the disk.
	for end := time.Now().Add(20 * time.Second); !slices.Equal(readiness(), []string{gone, gone}); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after: %q", readiness())
		}
	}
	if res := call(); res.Code != "audit" {
		t.Errorf("a call: %+v", res)
	}
}
