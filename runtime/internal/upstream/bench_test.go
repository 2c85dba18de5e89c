package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// guarded are settings that cost something of each call. The first is what the
// others are compared with.
func guarded() []struct {
	name string
	plan plan.Upstream
} {
	breaker := &plan.Breaker{Failures: 5, Window: 30 * time.Second, Open: 30 * time.Second, HalfOpen: 1}
	bulkhead := &plan.Bulkhead{Concurrency: 100, Queue: time.Second}
	kept := &plan.Cache{TTL: time.Hour}
	missed := &plan.Cache{TTL: time.Nanosecond, StaleIfError: time.Hour}
	return []struct {
		name string
		plan plan.Upstream
	}{
		{"bare", plan.Upstream{Retry: plan.Retry{Attempts: 1}}},
		{"retry", plan.Upstream{Retry: plan.Retry{Attempts: 3}}},
		{"breaker", plan.Upstream{Retry: plan.Retry{Attempts: 1}, Breaker: breaker}},
		{"bulkhead", plan.Upstream{Retry: plan.Retry{Attempts: 1}, Bulkhead: bulkhead}},
		{"limit", plan.Upstream{Retry: plan.Retry{Attempts: 1}, Limit: &plan.RateLimit{Every: time.Nanosecond, Burst: 1 << 30}}},
		{"coalesce", plan.Upstream{Retry: plan.Retry{Attempts: 1}, Coalesce: true}},
		{"cache, a miss", plan.Upstream{Retry: plan.Retry{Attempts: 1}, Cache: missed}},
		{"cache, a hit", plan.Upstream{Retry: plan.Retry{Attempts: 1}, Cache: kept}},
		{"all but a hit", plan.Upstream{Breaker: breaker, Bulkhead: bulkhead, Coalesce: true, Cache: missed}},
	}
}

// BenchmarkGuards is what each guard adds to a call by itself: the upstream is a
// function that answers at once.
func BenchmarkGuards(b *testing.B) {
	at := &url.URL{Scheme: "https", Host: "a.example", Path: "/a"}
	for _, g := range guarded() {
		b.Run(g.name, func(b *testing.B) {
			c, err := New(g.plan, Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("ok")), ContentLength: 2}, nil
			})})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Do(b.Context(), principal.Principal{}, &request.Request{Method: "GET", URL: at, Header: http.Header{}}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGuardsOverHTTP is what they add to a call over loopback, in turns of
// one run, so that what else the machine does hits all alike. It reports the
// median of the turns, as a ratio to the bare call.
func BenchmarkGuardsOverHTTP(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(make([]byte, 1024))
	}))
	defer srv.Close()
	at, err := url.Parse(srv.URL + "/a")
	if err != nil {
		b.Fatal(err)
	}
	all := guarded()
	clients := make([]*Client, len(all))
	for i, g := range all {
		g.plan.BaseURL = srv.URL
		if clients[i], err = New(g.plan, Options{}); err != nil {
			b.Fatal(err)
		}
		defer clients[i].Close()
	}
	const turn = 50 // calls
	took := make([][]float64, len(all))
	for b.Loop() {
		for i, c := range clients {
			start := time.Now()
			for range turn {
				if _, err := c.Do(b.Context(), principal.Principal{}, &request.Request{Method: "GET", URL: at, Header: http.Header{}}, nil); err != nil {
					b.Fatal(err)
				}
			}
			took[i] = append(took[i], float64(time.Since(start).Nanoseconds())/turn)
		}
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	bare := median(took[0])
	b.ReportMetric(bare, "bare-ns/call")
	for i, g := range all[1:] {
		b.ReportMetric(median(took[i+1])/bare, strings.NewReplacer(" ", "-", ",", "").Replace(g.name)+"/bare")
	}
}
