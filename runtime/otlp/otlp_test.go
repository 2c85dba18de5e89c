package otlp_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
	_ "github.com/mcpc-dev/mcpc/runtime/otlp"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// receiver takes what a collector takes.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*spans.Span
	metrics  map[string]*metrics.Metric // the last of each name
	resource map[string]string
	header   []http.Header
	raw      bytes.Buffer // all that came
	refuse   atomic.Int32 // a status to answer with instead
}

func newReceiver(t *testing.T, secure bool) *receiver {
	r := &receiver{metrics: map[string]*metrics.Metric{}, resource: map[string]string{}}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	if secure {
		r.StartTLS()
	} else {
		r.Start()
	}
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	in := io.Reader(q.Body)
	if q.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(q.Body)
		if err != nil {
			http.Error(w, "not gzip", http.StatusBadRequest)
			return
		}
		in = z
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw.Write(body)
	r.header = append(r.header, q.Header)
	if s := r.refuse.Load(); s != 0 {
		http.Error(w, "go away, "+q.Header.Get("Api-Key"), int(s))
		return
	}
	describe := func(list []*common.KeyValue) {
		for _, a := range list {
			r.resource[a.GetKey()] = a.GetValue().GetStringValue()
		}
	}
	var answer proto.Message
	switch q.URL.Path {
	case "/base/v1/traces":
		var m collectortrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, of := range m.GetResourceSpans() {
			describe(of.GetResource().GetAttributes())
			for _, scope := range of.GetScopeSpans() {
				r.spans = append(r.spans, scope.GetSpans()...)
			}
		}
		answer = &collectortrace.ExportTraceServiceResponse{}
	case "/base/v1/metrics":
		var m collectormetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, of := range m.GetResourceMetrics() {
			describe(of.GetResource().GetAttributes())
			for _, scope := range of.GetScopeMetrics() {
				for _, one := range scope.GetMetrics() {
					r.metrics[one.GetName()] = one
				}
			}
		}
		answer = &collectormetrics.ExportMetricsServiceResponse{}
	default:
		http.NotFound(w, q)
		return
	}
	text, err := proto.Marshal(answer)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(text)
}

// attributes are the attributes of something, as text.
func attributes(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_BoolValue:
			m[a.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			m[a.GetKey()] = "?"
		}
	}
	return m
}

// tree writes spans as a tree, children in the order they began, with their
// attributes; under "" are those whose parent is elsewhere.
func (r *receiver) tree() string {
	below := map[string][]*spans.Span{}
	known := map[string]bool{}
	for _, s := range r.spans {
		known[string(s.GetSpanId())] = true
	}
	for _, s := range r.spans {
		parent := string(s.GetParentSpanId())
		if !known[parent] {
			parent = ""
		}
		below[parent] = append(below[parent], s)
	}
	var b strings.Builder
	var write func(parent, indent string)
	write = func(parent, indent string) {
		list := below[parent]
		slices.SortFunc(list, func(a, b *spans.Span) int {
			return cmp.Compare(a.GetStartTimeUnixNano(), b.GetStartTimeUnixNano())
		})
		for _, s := range list {
			a := attributes(s.GetAttributes())
			delete(a, "server.port")
			text, _ := json.Marshal(a) // a map of text
			kind := strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"))
			status := ""
			if s.GetStatus().GetCode() == spans.Status_STATUS_CODE_ERROR {
				status = " ERROR" + s.GetStatus().GetMessage()
			}
			fmt.Fprintf(&b, "%s%s [%s]%s %s\n", indent, s.GetName(), kind, status, text)
			write(string(s.GetSpanId()), indent+"  ")
		}
	}
	write("", "")
	return b.String()
}

const library = `
server "library" { version = "7" }

api "books" {
  base_url = "http://127.0.0.1:1/v1"
  auth     = api_key("query", "key", var.key)
  retry {
    attempts = 2
    on       = [503]
  }
}

variable "key" {
  type      = string
  sensitive = true
  env       = "BOOKS_KEY"
}

variable "collector" {
  type      = string
  sensitive = true
  env       = "COLLECTOR_KEY"
}

tool "get_book" {
  api         = api.books
  description = "A book."
  input "id" { type = string }
  request "GET" "/books/{id}" {
    query = { lang = "en" }
  }
}

tool "get_shelf" {
  api         = api.books
  description = "A shelf."
  input "name" { type = string }
  request "GET" "/shelves/{name}" {}
}

tool "overview" {
  description = "A book and where it is."
  input "id" { type = string }
  step "book" {
    call = tool.get_book
    args = { id = args.id }
  }
  step "shelf" {
    call = tool.get_shelf
    args = { name = step.book.shelf }
  }
}

resource "books://{id}" {
  api         = api.books
  name        = "book"
  description = "A book."
  request "GET" "/books/{id}" {}
}

policy {
  rule "everything" {
    effect = "allow"
  }
  rule "no-shelves" {
    effect = "deny"
    tools  = ["get_shelf"]
    when   = args.name == "secret-shelf"
  }
}
`

// compiled is the plan of the library with an observe block.
func compiled(t testing.TB, observe string) *plan.Server {
	t.Helper()
	spec := filepath.Join(t.TempDir(), "library.hcl")
	if err := os.WriteFile(spec, []byte(library+"\nobserve {\n"+observe+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := compiler.Compile(context.Background(), compiler.Options{Target: spec})
	if err != nil {
		t.Fatal(err)
	}
	if r.Plan == nil {
		t.Fatal(r.Diagnostics[0].Message, r.Diagnostics[0].Hint, r.Diagnostics[0].Range)
	}
	return r.Plan
}

// service is the library behind the tools. The first request for a shelf fails.
type service struct {
	mu      sync.Mutex
	headers map[string][]http.Header // by path
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.headers[r.URL.Path] = append(s.headers[r.URL.Path], r.Header.Clone())
	n := len(s.headers[r.URL.Path])
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/shelves/") && n == 1:
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/v1/books/404":
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"detail":"no `+r.URL.RawQuery+`"}`)
	default:
		_, _ = io.WriteString(w, `{"id":"7","shelf":"`+strings.TrimPrefix(r.URL.Path, "/v1/books/")+`-shelf"}`)
	}
}

type running struct {
	*runtime.Server
	t       testing.TB
	handler http.Handler
	service *service
	log     *bytes.Buffer
	env     map[string]string
}

func start(t testing.TB, observe string) *running {
	t.Helper()
	r := &running{t: t, service: &service{headers: map[string][]http.Header{}}, log: &bytes.Buffer{}, env: map[string]string{"BOOKS_KEY": "sesame-books-key", "COLLECTOR_KEY": "sesame-collector"}}
	up := httptest.NewServer(r.service)
	t.Cleanup(up.Close)
	var mu sync.Mutex
	s, err := runtime.New(compiled(t, observe), runtime.Options{
		BaseURLs: map[string]string{"books": up.URL + "/v1"},
		Getenv:   func(name string) string { return r.env[name] },
		Logger:   slog.New(slog.NewTextHandler(&lockedWriter{&mu, r.log}, nil)),
		Stderr:   io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Server, r.handler = s, s.Handler()
	return r
}

func (r *running) Close() { r.Server.Close(context.Background()) }

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// post sends a message of JSON-RPC. header has names and values in turn.
func (r *running) post(message string, header ...string) string {
	r.t.Helper()
	q := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(message))
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, q)
	return w.Body.String()
}

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent  = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// A call is a tree of spans: the request below the client's span, its steps, and
// each request to an upstream, retries for themselves. The upstream is told the
// span that is its request. Nothing of arguments, answers and secrets is in it.
func TestCallTree(t *testing.T) {
	c := newReceiver(t, false)
	r := start(t, `otlp = { endpoint = "`+c.URL+`/base", sample = 1, interval = "1h", attributes = { "deployment.environment.name" = "test" } }`)
	got := r.post(`{"jsonrpc":"2.0","id":"req-1","method":"tools/call","params":{"name":"overview","arguments":{"id":"arg-4711"},"_meta":{"traceparent":"`+parent+`","tracestate":"vendor=1"}}}`,
		"Traceparent", "00-11111111111111111111111111111111-2222222222222222-01", "MCP-Protocol-Version", "2025-11-25")
	if !strings.Contains(got, `"result"`) || strings.Contains(got, `"isError":true`) {
		t.Fatal(got)
	}
	r.Close()
	want := `tools/call overview [server] {"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"overview","jsonrpc.request.id":"req-1","mcp.method.name":"tools/call","mcp.protocol.version":"2025-11-25","mcpc.outcome":"ok","mcpc.policy.rule":"everything","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp"}
  execute_tool get_book [internal] {"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_book","mcpc.attempts":"1","mcpc.outcome":"ok","mcpc.policy.rule":"everything","mcpc.step_of":"overview","mcpc.upstream":"books"}
    GET /books/{id} [client] {"http.request.method":"GET","http.response.status_code":"200","mcpc.upstream":"books","network.protocol.name":"http","network.protocol.version":"1.1","server.address":"127.0.0.1","url.scheme":"http","url.template":"/books/{id}"}
  execute_tool get_shelf [internal] {"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_shelf","mcpc.attempts":"2","mcpc.outcome":"ok","mcpc.policy.rule":"everything","mcpc.step_of":"overview","mcpc.upstream":"books"}
    GET /shelves/{name} [client] ERROR {"error.type":"503","http.request.method":"GET","http.response.status_code":"503","mcpc.upstream":"books","network.protocol.name":"http","network.protocol.version":"1.1","server.address":"127.0.0.1","url.scheme":"http","url.template":"/shelves/{name}"}
    GET /shelves/{name} [client] {"http.request.method":"GET","http.request.resend_count":"1","http.response.status_code":"200","mcpc.upstream":"books","network.protocol.name":"http","network.protocol.version":"1.1","server.address":"127.0.0.1","url.scheme":"http","url.template":"/shelves/{name}"}
`
	if got := c.tree(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	byPath := map[string][]string{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) != traceID || s.GetTraceState() != "vendor=1" {
			t.Errorf("%s is of the trace %x, %q", s.GetName(), s.GetTraceId(), s.GetTraceState())
		}
		switch s.GetKind() {
		case spans.Span_SPAN_KIND_SERVER:
			if p := hex.EncodeToString(s.GetParentSpanId()); p != "00f067aa0ba902b7" {
				t.Errorf("the parent of the request is %s", p)
			}
		case spans.Span_SPAN_KIND_CLIENT:
			path := map[string]string{"GET /books/{id}": "/v1/books/arg-4711", "GET /shelves/{name}": "/v1/shelves/arg-4711-shelf"}[s.GetName()]
			byPath[path] = append(byPath[path], "00-"+traceID+"-"+hex.EncodeToString(s.GetSpanId())+"-01")
		}
	}
	for path, want := range byPath {
		var got []string
		for _, h := range r.service.headers[path] {
			got = append(got, h.Get("Traceparent"))
			if h.Get("Tracestate") != "vendor=1" || h.Get("X-Request-Id") != "" {
				t.Errorf("%s is sent %v", path, h)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if len(got) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s is told %v, its spans are %v", path, got, want)
		}
	}
	if c.resource["service.name"] != "library" || c.resource["service.version"] != "7" || c.resource["deployment.environment.name"] != "test" || c.resource["telemetry.sdk.language"] != "go" {
		t.Errorf("the resource is %v", c.resource)
	}
	for _, no := range []string{"arg-4711", "sesame", "lang=en", "-shelf"} {
		if bytes.Contains(c.raw.Bytes(), []byte(no)) {
			t.Errorf("%q was sent", no)
		}
	}
}

// What became of requests that are no calls of tools, or failed.
func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"unknown tool": {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing-4711","arguments":{}}}`,
			`tools/call [server] {"jsonrpc.request.id":"1","mcp.method.name":"tools/call","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp","rpc.response.status_code":"-32602"}`},
		"unknown method": {`{"jsonrpc":"2.0","id":1,"method":"made/up-4711"}`,
			`_OTHER [server] {"jsonrpc.request.id":"1","mcp.method.name":"_OTHER","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp","rpc.response.status_code":"-32601"}`},
		"refused argument": {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":4711}}}`,
			`tools/call get_book [server] ERROR {"error.type":"tool_error","gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_book","jsonrpc.request.id":"1","mcp.method.name":"tools/call","mcpc.attempts":"0","mcpc.outcome":"invalid-arguments","mcpc.policy.rule":"everything","mcpc.upstream":"books","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp"}`},
		"denied": {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_shelf","arguments":{"name":"secret-shelf"}}}`,
			`tools/call get_shelf [server] ERROR {"error.type":"tool_error","gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_shelf","jsonrpc.request.id":"1","mcp.method.name":"tools/call","mcpc.attempts":"0","mcpc.outcome":"denied","mcpc.policy.rule":"no-shelves","mcpc.upstream":"books","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp"}`},
		"a list, with a secret for an id": {`{"jsonrpc":"2.0","id":"sesame-books-key","method":"tools/list"}`,
			`tools/list [server] {"mcp.method.name":"tools/list","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp"}`},
		"a resource": {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"books://4711"}}`,
			`resources/read [server] {"jsonrpc.request.id":"1","mcp.method.name":"resources/read","mcpc.attempts":"1","mcpc.outcome":"ok","mcpc.policy.rule":"everything","mcpc.resource.name":"book","mcpc.upstream":"books","network.protocol.name":"http","network.protocol.version":"1.1","network.transport":"tcp"}`},
	} {
		t.Run(name, func(t *testing.T) {
			collector := newReceiver(t, false)
			r := start(t, `otlp = { endpoint = "`+collector.URL+`/base", sample = 1, metrics = false }`)
			r.post(`{"jsonrpc":"2.0","id":0,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"x"}}}`) // the secret was used
			collector.mu.Lock()
			collector.spans = nil
			collector.mu.Unlock()
			r.post(c.message)
			r.Close()
			var got string
			for line := range strings.Lines(collector.tree()) {
				if !strings.HasPrefix(line, " ") && !strings.Contains(line, `"jsonrpc.request.id":"0"`) {
					got += line
				}
			}
			if got != c.want+"\n" {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			if strings.Contains(collector.raw.String(), "4711") || strings.Contains(collector.raw.String(), "sesame") {
				t.Error("what a client chose was sent")
			}
			if len(collector.metrics) > 0 {
				t.Error("metrics were sent")
			}
		})
	}
}

// A client's decision holds; of the rest a share is recorded. What is not recorded
// still has a trace, which the upstream is told as not recorded.
func TestSampling(t *testing.T) {
	call := func(meta string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"7"}` + meta + `}}`
	}
	for name, c := range map[string]struct {
		sample, message string
		header          []string
		spans           int
		sent            string // prefix of what the upstream is told
		flags           string
	}{
		"none, of its own":           {"0", call(""), nil, 0, "00-", "-00"},
		"none, but the client's is":  {"0", call(""), []string{"Traceparent", parent}, 2, "00-" + traceID, "-01"},
		"all, but the client's not":  {"1", call(`,"_meta":{"traceparent":"00-` + traceID + `-00f067aa0ba902b7-00"}`), nil, 0, "00-" + traceID, "-00"},
		"all, and nothing of a kind": {"1", call(`,"_meta":{"traceparent":"00-zz"}`), nil, 2, "00-", "-01"},
	} {
		t.Run(name, func(t *testing.T) {
			collector := newReceiver(t, false)
			r := start(t, `otlp = { endpoint = "`+collector.URL+`/base", sample = `+c.sample+` }`)
			r.post(c.message, c.header...)
			r.Close()
			if len(collector.spans) != c.spans {
				t.Errorf("%d spans, want %d: %s", len(collector.spans), c.spans, collector.tree())
			}
			sent := r.service.headers["/v1/books/7"][0].Get("Traceparent")
			if !strings.HasPrefix(sent, c.sent) || !strings.HasSuffix(sent, c.flags) || len(sent) != len(parent) {
				t.Errorf("the upstream is told %q", sent)
			}
			if collector.metrics["mcp.server.operation.duration"] == nil {
				t.Error("metrics depend on traces")
			}
		})
	}
}

// Metrics have the names, units, buckets and attributes of the conventions, and no
// attribute that a client makes up.
func TestMetrics(t *testing.T) {
	collector := newReceiver(t, false)
	r := start(t, `otlp = { endpoint = "`+collector.URL+`/base", traces = false }`)
	for i := range 50 {
		r.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"b%d"}}}`, i, i))
		r.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"made-up-%d"}}`, i, i))
		r.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"made/up/%d"}`, i, i), "MCP-Protocol-Version", "2025-11-25")
		r.post(`{`)
	}
	r.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"404"}}}`)
	r.Close()
	if len(collector.spans) > 0 || r.service.headers["/v1/books/b1"][0].Get("Traceparent") != "" {
		t.Error("spans were sent, or told of")
	}
	points := func(name, unit string, bounds []float64) map[string]uint64 {
		m := collector.metrics[name]
		if m == nil || m.GetUnit() != unit {
			t.Fatalf("%s: %v", name, m)
		}
		got := map[string]uint64{}
		for _, p := range m.GetHistogram().GetDataPoints() {
			if !slices.Equal(p.GetExplicitBounds(), bounds) {
				t.Errorf("%s has the buckets %v", name, p.GetExplicitBounds())
			}
			a := attributes(p.GetAttributes())
			delete(a, "server.port")
			text, _ := json.Marshal(a) // a map of text
			got[string(text)] = p.GetCount()
		}
		for _, p := range m.GetSum().GetDataPoints() {
			text, _ := json.Marshal(attributes(p.GetAttributes())) // a map of text
			got[string(text)] = uint64(p.GetAsInt())               //nolint:gosec // a counter
		}
		return got
	}
	check := func(what string, got, want map[string]uint64) {
		for k, n := range want {
			if got[k] != n {
				t.Errorf("%s: %d of %s, want %d", what, got[k], k, n)
			}
		}
		for k := range got {
			if want[k] == 0 {
				t.Errorf("%s: %s is not expected", what, k)
			}
		}
	}
	network := `"network.protocol.name":"http","network.protocol.version":"1.1"`
	check("operations", points("mcp.server.operation.duration", "s", []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}), map[string]uint64{
		`{"gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_book","mcp.method.name":"tools/call",` + network + `,"network.transport":"tcp"}`:                           50,
		`{"error.type":"tool_error","gen_ai.operation.name":"execute_tool","gen_ai.tool.name":"get_book","mcp.method.name":"tools/call",` + network + `,"network.transport":"tcp"}`: 1,
		`{"mcp.method.name":"tools/call",` + network + `,"network.transport":"tcp","rpc.response.status_code":"-32602"}`:                                                            50,
		`{"mcp.method.name":"_OTHER","mcp.protocol.version":"2025-11-25",` + network + `,"network.transport":"tcp","rpc.response.status_code":"-32601"}`:                            50,
	})
	check("requests", points("http.client.request.duration", "s", []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}), map[string]uint64{
		`{"http.request.method":"GET","http.response.status_code":"200","mcpc.upstream":"books",` + network + `,"server.address":"127.0.0.1","url.scheme":"http"}`:                    50,
		`{"error.type":"404","http.request.method":"GET","http.response.status_code":"404","mcpc.upstream":"books",` + network + `,"server.address":"127.0.0.1","url.scheme":"http"}`: 1,
	})
	check("refusals", points("mcpc.refusals", "{request}", nil), map[string]uint64{
		`{"mcpc.refusal.reason":"unknown-tool"}`: 50, `{"mcpc.refusal.reason":"unknown-method"}`: 50, `{"mcpc.refusal.reason":"malformed"}`: 50,
	})
}

// A session on stdio has a duration, and its requests come through a pipe.
func TestStdio(t *testing.T) {
	collector := newReceiver(t, false)
	r := start(t, `otlp = { endpoint = "`+collector.URL+`/base", sample = 1 }`)
	in := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"7"}}}` + "\n"
	var out bytes.Buffer
	if err := r.ServeStdio(t.Context(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("stdout has %q", line)
		}
	}
	if got := collector.tree(); !strings.Contains(got, `"network.transport":"pipe"`) || strings.Contains(got, `"network.transport":"tcp"`) || !strings.Contains(got, "initialize [server]") {
		t.Error(got)
	}
	m := collector.metrics["mcp.server.session.duration"]
	if m == nil || m.GetHistogram().GetDataPoints()[0].GetCount() != 1 || attributes(m.GetHistogram().GetDataPoints()[0].GetAttributes())["mcp.protocol.version"] != "2025-11-25" {
		t.Errorf("sessions: %v", m)
	}
}

// A collector that is away, or that refuses, costs a line in the log for each signal
// and nothing else; what it says holds no credential. When it is back, that is said, too.
func TestNoCollector(t *testing.T) {
	collector := newReceiver(t, false)
	collector.refuse.Store(http.StatusForbidden)
	r := start(t, `otlp = { endpoint = "`+collector.URL+`/base", sample = 1, interval = "20ms", headers = { "Api-Key" = var.collector } }`)
	for i := range 3000 { // more than the queue holds
		got := r.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"x"}}}`)
		if !strings.Contains(got, `"result"`) {
			t.Fatal(i, got)
		}
	}
	eventually(t, func() bool {
		collector.mu.Lock()
		defer collector.mu.Unlock()
		return len(collector.header) > 2
	})
	collector.refuse.Store(0)
	eventually(t, func() bool {
		collector.mu.Lock()
		defer collector.mu.Unlock()
		return len(collector.metrics) > 0
	})
	begun := time.Now()
	r.Close()
	if d := time.Since(begun); d > 10*time.Second {
		t.Errorf("closing took %s", d)
	}
	log := r.log.String()
	failed, again := strings.Count(log, "telemetry cannot be sent"), strings.Count(log, "telemetry is sent again")
	if failed < 1 || failed > 2 || again < 1 || again > 2 || strings.Count(log, "signal=metrics") != 2 || strings.Contains(log, "sesame") || !strings.Contains(log, "403") {
		t.Errorf("the log has\n%s", log)
	}
}

// Nobody listens: calls go on, and closing takes no longer than it may.
func TestCollectorAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	r := start(t, `otlp = { endpoint = "`+away.URL+`", sample = 1 }`)
	if got := r.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"x"}}}`); !strings.Contains(got, `"result"`) {
		t.Fatal(got)
	}
	begun := time.Now()
	r.Close()
	if d := time.Since(begun); d > 8*time.Second {
		t.Errorf("closing took %s", d)
	}
	if n := strings.Count(r.log.String(), "\n"); n < 1 || n > 2 {
		t.Errorf("%d lines:\n%s", n, r.log.String())
	}
}

// Headers are secrets that are read anew for each export, and a collector's
// certificate may be of an authority of its own.
func TestHeadersAndAuthority(t *testing.T) {
	collector := newReceiver(t, true)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: collector.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, `otlp = { endpoint = "`+collector.URL+`/base/", ca = "`+ca+`", interval = "10ms", headers = { "Api-Key" = "k-${var.collector}" } }`)
	seen := func(key string) func() bool {
		return func() bool {
			collector.mu.Lock()
			defer collector.mu.Unlock()
			return slices.ContainsFunc(collector.header, func(h http.Header) bool { return h.Get("Api-Key") == key })
		}
	}
	r.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	eventually(t, seen("k-sesame-collector"))
	r.Close()
	if strings.Contains(r.log.String(), "cannot be sent") {
		t.Error(r.log.String())
	}
	without := start(t, `otlp = { endpoint = "`+collector.URL+`/base", sample = 1 }`)
	without.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	without.Close()
	if !strings.Contains(without.log.String(), "certificate") {
		t.Errorf("a certificate of nobody was taken: %s", without.log.String())
	}
}

// What the spec leaves out the environment says.
func TestEnvironment(t *testing.T) {
	collector := newReceiver(t, false)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL+"/base")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=from-env")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=h1")
	t.Setenv("OTEL_SERVICE_NAME", "other")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	r := start(t, `otlp = {}`)
	r.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	r.Close()
	if len(collector.spans) != 0 || len(collector.metrics) == 0 {
		t.Errorf("%d spans, %d metrics", len(collector.spans), len(collector.metrics))
	}
	if collector.resource["service.name"] != "other" || collector.resource["host.name"] != "h1" || collector.header[0].Get("Api-Key") != "from-env" {
		t.Errorf("resource %v, header %v", collector.resource, collector.header[0])
	}
}

// A log and the spans name a call alike.
func TestLogAndSpan(t *testing.T) {
	collector := newReceiver(t, false)
	file := filepath.Join(t.TempDir(), "calls.log")
	r := start(t, "log = { level = \"debug\", file = \""+file+"\" }\ncorrelation = true\notlp = { endpoint = \""+collector.URL+"/base\", sample = 1 }")
	got := r.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"overview","arguments":{"id":"7"}}}`, "X-Request-Id", "req-9", "Traceparent", parent)
	if !strings.Contains(got, `"mcpc/correlation":"req-9"`) {
		t.Error(got)
	}
	r.Close()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	logged := map[string]string{}
	for line := range strings.Lines(string(text)) {
		var l struct{ Correlation, Trace, Span, Tool string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Trace != traceID || l.Correlation != "req-9" {
			t.Error(line)
		}
		logged[l.Tool] = l.Span
	}
	for _, s := range collector.spans {
		if tool := attributes(s.GetAttributes())["gen_ai.tool.name"]; tool != "" && logged[tool] != hex.EncodeToString(s.GetSpanId()) {
			t.Errorf("%s: the log has %q, the span is %x", tool, logged[tool], s.GetSpanId())
		}
	}
	if len(logged) != 3 || r.service.headers["/v1/books/7"][0].Get("X-Request-Id") != "req-9" {
		t.Errorf("%v, %v", logged, r.service.headers)
	}
}

// A setting that cannot be used is said at start.
func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*plan.OTLP)
		want   string
	}{
		"sample": {func(o *plan.OTLP) { o.Sample = "2" }, `"2" is no share`},
		"ca":     {func(o *plan.OTLP) { o.CA = "/does/not/exist" }, "ca: "},
	} {
		p := compiled(t, `otlp = { endpoint = "http://127.0.0.1:1" }`)
		c.change(p.Observe.OTLP)
		if _, err := runtime.New(p, runtime.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came")
		}
	}
}
