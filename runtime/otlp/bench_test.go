package otlp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime"
)

// What recording adds to a call that comes over HTTP: all of it in one run, over an
// upstream and a collector that cost nothing.
func BenchmarkObserve(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	dir := b.TempDir()
	log := fmt.Sprintf("log = { file = %q }\n", filepath.Join(dir, "calls.log"))
	otlp := func(settings string) string {
		return fmt.Sprintf("otlp = { endpoint = %q, %s }\n", collector.URL, settings)
	}
	const metrics = "admin = \"127.0.0.1:0\"\n"
	for _, c := range []struct{ name, observe string }{
		{"nothing", ""},
		{"log", log},
		{"log, arguments", log + "arguments = true\n"},
		{"log, metrics", log + metrics},
		{"log, metrics, correlation", log + metrics + "correlation = true\n"},
		{"log, metrics, audit", log + metrics + fmt.Sprintf("audit = { file = %q }\n", filepath.Join(dir, "audit.log"))},
		{"otlp metrics", otlp("traces = false")},
		{"otlp unsampled", otlp("sample = 0")},
		{"log, metrics, otlp unsampled", log + metrics + otlp("sample = 0")},
		{"log, metrics, otlp 1 %", log + metrics + otlp("sample = 0.01")},
		{"log, metrics, otlp all", log + metrics + otlp("sample = 1")},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := compiled(b, c.observe)
			if c.observe == "" {
				p.Observe = nil
			}
			s, err := runtime.New(p, runtime.Options{Getenv: func(string) string { return "sesame-books-key" }, Transport: canned{}, Stderr: io.Discard})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close(b.Context())
			h := s.Handler()
			const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":"7"}}}`
			r := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", nil)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.ContentLength = int64(len(message))
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(strings.NewReader(message))
				clear(w.header)
				h.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// canned answers every request alike.
type canned struct{}

func (canned) RoundTrip(r *http.Request) (*http.Response, error) {
	const body = `{"id":"7","shelf":"a"}`
	return &http.Response{StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}
