package judges

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// The receiver of the OpenTelemetry Collector takes what is sent, from interpreted
// and generated servers alike: a call with two attempts at its upstream, below the
// span of its client.
func TestCollector(t *testing.T) {
	bothServers(t, func(t *testing.T, serve serveFunc) {
		traces, metrics, endpoint := collector(t)
		var attempts int
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if attempts++; attempts == 1 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}))
		defer up.Close()
		spec := filepath.Join(t.TempDir(), "watched.hcl")
		if err := os.WriteFile(spec, []byte(`
server "watched" { version = "3" }
observe {
  otlp = { interval = "200ms" }
}
api "a" { base_url = "http://127.0.0.1:1" }
tool "get" {
  api         = api.a
  description = "Get a thing."
  read_only   = true
  input "id" {
    type        = string
    description = "Which."
  }
  request "GET" "/things/{id}" {}
}
`), 0o600); err != nil {
			t.Fatal(err)
		}
		env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_BSP_SCHEDULE_DELAY=100"}
		mcp := serve(t, env, spec, "--base-url", up.URL)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, mcp, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get","arguments":{"id":"4711"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		var spans []string
		eventually(t, func() bool { spans = describe(t, traces, trace); return len(spans) == 3 })
		want := []string{
			"client GET /things/{id} below server tools/call get: 200",
			"client GET /things/{id} below server tools/call get: 503",
			"server tools/call get below 00f067aa0ba902b7: ",
		}
		if !slices.Equal(spans, want) {
			t.Errorf("got  %q\nwant %q", spans, want)
		}
		names := map[string]bool{}
		eventually(t, func() bool {
			for _, m := range metrics.AllMetrics() {
				for i := range m.ResourceMetrics().Len() {
					scopes := m.ResourceMetrics().At(i).ScopeMetrics()
					for j := range scopes.Len() {
						for k := range scopes.At(j).Metrics().Len() {
							names[scopes.At(j).Metrics().At(k).Name()] = true
						}
					}
				}
			}
			return names["mcp.server.operation.duration"] && names["http.client.request.duration"]
		})
	})
}

// describe is what the spans of a trace are, sorted.
func describe(t *testing.T, sink *consumertest.TracesSink, trace string) []string {
	t.Helper()
	all := map[string]ptrace.Span{}
	for _, td := range sink.AllTraces() {
		for i := range td.ResourceSpans().Len() {
			of := td.ResourceSpans().At(i)
			if name, _ := of.Resource().Attributes().Get("service.name"); name.Str() != "watched" {
				t.Errorf("the service is %q", name.Str())
			}
			for j := range of.ScopeSpans().Len() {
				list := of.ScopeSpans().At(j).Spans()
				for k := range list.Len() {
					if s := list.At(k); s.TraceID().String() == trace {
						all[s.SpanID().String()] = s
					}
				}
			}
		}
	}
	name := func(s ptrace.Span) string { return strings.ToLower(s.Kind().String()) + " " + s.Name() }
	var list []string
	for _, s := range all {
		parent := s.ParentSpanID().String()
		if p, ok := all[parent]; ok {
			parent = name(p)
		}
		status := ""
		if v, ok := s.Attributes().Get("http.response.status_code"); ok {
			status = fmt.Sprint(v.Int())
		}
		list = append(list, name(s)+" below "+parent+": "+status)
	}
	slices.Sort(list)
	return list
}

// collector starts the receiver of a collector, with sinks behind it.
func collector(t *testing.T) (*consumertest.TracesSink, *consumertest.MetricsSink, string) {
	t.Helper()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	address := freeAddress(t)
	if err := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}}).Unmarshal(config); err != nil {
		t.Fatal(err)
	}
	traces, metrics := new(consumertest.TracesSink), new(consumertest.MetricsSink)
	settings := receivertest.NewNopSettings(factory.Type())
	r, err := factory.CreateTraces(t.Context(), settings, config, traces)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := factory.CreateMetrics(t.Context(), settings, config, metrics); err != nil { // the same receiver
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Shutdown(context.WithoutCancel(t.Context())) })
	return traces, metrics, "http://" + address
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came")
		}
	}
}
