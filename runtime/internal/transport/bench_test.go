package transport

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What the front itself costs for a call: reading, dispatching, writing.
func BenchmarkFrontCall(b *testing.B) {
	for name, e := range map[string]Era{"legacy": Legacy, "modern": Modern} {
		b.Run(name, func(b *testing.B) {
			f, _ := newFront(b, Options{})
			h := f.Handler()
			body := callOf(e, "12345", "echo", `{"id":42,"name":"`+strings.Repeat("x", 200)+`"}`)
			r := request(e, "tools/call", "echo", body)
			b.ReportAllocs()
			for b.Loop() {
				r.Body = io.NopCloser(strings.NewReader(body))
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
