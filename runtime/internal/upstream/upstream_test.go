package upstream

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func get(t testing.TB, at string) *request.Request {
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return &request.Request{Method: "GET", URL: u, Header: http.Header{}}
}

func BenchmarkDo(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(make([]byte, 1024))
	}))
	defer srv.Close()
	c, err := New(plan.Upstream{BaseURL: srv.URL}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Do(context.Background(), principal.Principal{}, get(b, srv.URL+"/a"), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("http.Client", func(b *testing.B) {
		b.ReportAllocs()
		hc := &http.Client{}
		for b.Loop() {
			ctx, cancel := context.WithTimeout(context.Background(), DefaultTimeout)
			r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/a", nil)
			res, err := hc.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, _, _ = readUpTo(res.Body, 1<<20, res.ContentLength)
			res.Body.Close()
			cancel()
		}
	})
}
