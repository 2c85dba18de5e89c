package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// counted answers 200 with the number of the request, and 304 to the ETag it
// gave; header is added to every answer.
func counted(header ...string) *transport {
	n := 0
	return &transport{answer: func(_ int, r *http.Request) (*http.Response, error) {
		n++
		h := http.Header{"Content-Type": {"text/plain"}, "Etag": {`"v1"`}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		status, body := 200, fmt.Sprint(n)
		if r.Header.Get("If-None-Match") == `"v1"` {
			status, body = 304, ""
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
	}}
}

func answerOf(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

func TestCache(t *testing.T) {
	alice, bob := principal.Principal{Subject: "alice"}, principal.Principal{Subject: "bob"}
	acme, other := principal.Principal{Tenant: "acme", Subject: "alice"}, principal.Principal{Tenant: "other", Subject: "alice"}
	type step struct {
		who  principal.Principal
		path string
		wait time.Duration
		want string // the body
		sent int    // requests so far
	}
	tests := map[string]struct {
		cache  plan.Cache
		header []string
		steps  []step
	}{
		"fresh":                {plan.Cache{TTL: time.Minute}, nil, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 59 * time.Second, "1", 1}, {alice, "/b", 0, "2", 2}}},
		"stale":                {plan.Cache{TTL: time.Minute}, nil, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", time.Minute, "2", 2}}},
		"by caller":            {plan.Cache{TTL: time.Minute}, nil, []step{{alice, "/a", 0, "1", 1}, {bob, "/a", 0, "2", 2}, {alice, "/a", 0, "1", 2}}},
		"shared":               {plan.Cache{TTL: time.Minute, Shared: true}, nil, []step{{alice, "/a", 0, "1", 1}, {bob, "/a", 0, "1", 1}}},
		"etag":                 {plan.Cache{TTL: time.Minute, ETag: true}, nil, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", time.Minute, "1", 2}, {alice, "/a", 59 * time.Second, "1", 2}}},
		"no-store":             {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "max-age=9, no-store"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
		"private":              {plan.Cache{TTL: time.Minute, Shared: true}, []string{"Cache-Control", "private"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
		"own":                  {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "private"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "1", 1}}},
		"vary":                 {plan.Cache{TTL: time.Minute}, []string{"Vary", "*"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
		"vary by more":         {plan.Cache{TTL: time.Minute}, []string{"Vary", "Accept, *"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
		"vary by what is sent": {plan.Cache{TTL: time.Minute}, []string{"Vary", "Accept"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "1", 1}}},
		"tenants":              {plan.Cache{TTL: time.Minute, Shared: true}, nil, []step{{acme, "/a", 0, "1", 1}, {other, "/a", 0, "2", 2}, {alice, "/a", 0, "3", 3}, {acme, "/a", 0, "1", 3}}},
		"by tenant":            {plan.Cache{TTL: time.Minute}, nil, []step{{acme, "/a", 0, "1", 1}, {other, "/a", 0, "2", 2}}},
		"max-age":              {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "public, max-age=10"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 9 * time.Second, "1", 1}, {alice, "/a", time.Second, "2", 2}}},
		"max-age is most":      {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "max-age=3600"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", time.Minute, "2", 2}}},
		"max-age of zero":      {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "max-age=0"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
		"no max-age":           {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "max-age=-1"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
		"s-maxage":             {plan.Cache{TTL: time.Minute, Shared: true}, []string{"Cache-Control", "s-maxage=20, max-age=0"}, []step{{alice, "/a", 0, "1", 1}, {bob, "/a", 19 * time.Second, "1", 1}, {bob, "/a", time.Second, "2", 2}}},
		"s-maxage of own":      {plan.Cache{TTL: time.Minute}, []string{"Cache-Control", "s-maxage=0"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "1", 1}}},
		"aged":                 {plan.Cache{TTL: time.Minute, ETag: true}, []string{"Cache-Control", "max-age=50", "Age", "40"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 9 * time.Second, "1", 1}, {alice, "/a", time.Second, "1", 2}, {alice, "/a", 9 * time.Second, "1", 2}}},
		"etag only":            {plan.Cache{TTL: time.Minute, ETag: true}, []string{"Cache-Control", "max-age=0, must-revalidate"}, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "1", 2}}},
		"no time":              {plan.Cache{}, nil, []step{{alice, "/a", 0, "1", 1}, {alice, "/a", 0, "2", 2}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := counted(test.header...)
				c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Cache: &test.cache}, Options{Transport: tr})
				for i, s := range test.steps {
					time.Sleep(s.wait)
					a, err := c.Do(t.Context(), s.who, newRequest(t, "GET", "https://a.example"+s.path, ""), nil)
					if err != nil {
						t.Fatal(err)
					}
					if string(a.Body) != s.want || a.Status != 200 || tr.attempts != s.sent {
						t.Errorf("step %d: %d %q after %d requests, want %q after %d", i, a.Status, a.Body, tr.attempts, s.want, s.sent)
					}
					for j := range a.Body { // what one call does to its answer is its own affair
						a.Body[j] = 'x'
					}
					a.Header.Set("Etag", "x")
				}
			})
		})
	}
}

// What a caller asks about an answer itself is between him and the upstream.
func TestCacheLeavesConditionsAlone(t *testing.T) {
	tr := counted()
	c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Cache: &plan.Cache{TTL: time.Hour}}, Options{Transport: tr})
	for range 2 {
		r := newRequest(t, "GET", "https://a.example/a", "")
		r.Header.Set("If-None-Match", `"v1"`)
		a, err := c.Do(t.Context(), principal.Principal{}, r, nil)
		if err != nil || a.Status != 304 {
			t.Fatal(a, err)
		}
	}
	if tr.attempts != 2 {
		t.Errorf("%d requests", tr.attempts)
	}
}

// Who changes something reads what he changed: what was kept of the path is dropped,
// for everybody, and so is what was asked for before.
func TestCacheForgetsWhatIsChanged(t *testing.T) {
	alice, bob := principal.Principal{Subject: "alice"}, principal.Principal{Subject: "bob"}
	const base = "https://a.example"
	for name, c := range map[string]struct {
		method, path string
		status       int // 0: no answer
		forgotten    bool
	}{
		"put":            {"PUT", "/a", 200, true},
		"delete":         {"DELETE", "/a", 204, true},
		"post":           {"POST", "/a?x=1", 201, true},
		"perhaps":        {"POST", "/a", 500, true},
		"nobody knows":   {"POST", "/a", 0, true},
		"refused":        {"PUT", "/a", 409, false},
		"elsewhere":      {"PUT", "/a/b", 200, false},
		"another letter": {"PUT", "/A", 200, false},
		"read":           {"HEAD", "/a", 200, false},
	} {
		reads := 0
		tr := &transport{answer: func(_ int, r *http.Request) (*http.Response, error) {
			if r.Method == "GET" {
				reads++
				return answerOf(r, 200, fmt.Sprint(reads)), nil
			}
			if c.status == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return answerOf(r, c.status, ""), nil
		}}
		client := newClient(t, plan.Upstream{BaseURL: base, Cache: &plan.Cache{TTL: time.Hour}, Coalesce: true}, Options{Transport: tr})
		read := func(who principal.Principal, path string) string {
			a, err := client.Do(t.Context(), who, newRequest(t, "GET", base+path, ""), nil)
			if err != nil {
				t.Fatal(err)
			}
			return string(a.Body)
		}
		read(alice, "/a")
		read(bob, "/a?fields=x")
		read(alice, "/other")
		_, _ = client.Do(t.Context(), alice, newRequest(t, c.method, base+c.path, ""), nil) // it may fail
		if a, b, other := read(alice, "/a"), read(bob, "/a?fields=x"), read(alice, "/other"); (a != "1") != c.forgotten || (b != "2") != c.forgotten || other != "3" {
			t.Errorf("%s: after that %s, %s and %s are read", name, a, b, other)
		}
	}
}

// An answer that was asked for before a change is not kept after it, and nobody joins
// the request for it.
func TestChangesWhileReading(t *testing.T) {
	for _, u := range []plan.Upstream{
		{Cache: &plan.Cache{TTL: time.Hour}},
		{Coalesce: true},
		{Coalesce: true, Cache: &plan.Cache{TTL: time.Hour}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			value := "old"
			tr := roundTripper(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if r.Method == "PUT" {
					value = "new"
					return answerOf(r, 200, ""), nil
				}
				was := value
				if was == "old" {
					mu.Unlock()
					time.Sleep(time.Minute)
					mu.Lock()
				}
				return answerOf(r, 200, was), nil
			})
			u.BaseURL, u.Timeout = "https://a.example", time.Hour
			c := newClient(t, u, Options{Transport: tr})
			read := func() string {
				a, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
				if err != nil {
					return err.Error()
				}
				return string(a.Body)
			}
			first := make(chan string)
			go func() { first <- read() }()
			time.Sleep(time.Second)
			if _, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "PUT", "https://a.example/a", ""), nil); err != nil {
				t.Fatal(err)
			}
			if got := read(); got != "new" {
				t.Errorf("coalesce %v, cache %v: %s is read after the change", u.Coalesce, u.Cache != nil, got)
			}
			if got := <-first; got != "old" {
				t.Errorf("%s was read before the change", got)
			}
			if got := read(); got != "new" {
				t.Errorf("coalesce %v, cache %v: %s is kept", u.Coalesce, u.Cache != nil, got)
			}
			if c.cache != nil && len(c.cache.reading) != 0 {
				t.Error("somebody is still reading")
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(&plan.Cache{TTL: time.Hour})
	for i := range 100 {
		key := cacheKey{request: [32]byte{byte(i)}}
		c.put(key, "", &reading{}, &Answer{Status: 200, Body: make([]byte, 1<<20)})
	}
	if c.size > maxCached || c.used.Len() != len(c.byKey) || c.used.Len() != maxCached>>20 || len(c.byPath[""]) != len(c.byKey) {
		t.Errorf("%d bytes in %d answers (%d keys)", c.size, c.used.Len(), len(c.byKey))
	}
	// Headers are bytes, too, and so are URLs.
	large := newCache(&plan.Cache{TTL: time.Hour})
	for i := range 1000 {
		path := fmt.Sprintf("%d%s", i, strings.Repeat("/", 1<<10))
		large.put(cacheKey{request: [32]byte{byte(i), byte(i >> 8)}}, path, &reading{}, &Answer{Status: 200, Header: http.Header{"X": {strings.Repeat("x", 250<<10)}}})
	}
	if n := large.used.Len(); n < 200 || n > maxCached>>10/251 || len(large.byPath) != n {
		t.Errorf("%d answers with large headers, %d paths", n, len(large.byPath))
	}
	for len(large.byKey) > 0 {
		large.remove(large.used.Back())
	}
	if large.size != 0 || len(large.byPath) != 0 {
		t.Errorf("nothing is %d bytes at %d paths", large.size, len(large.byPath))
	}
	if a, _ := c.get(cacheKey{request: [32]byte{99}}); a == nil {
		t.Error("the newest is gone")
	}
	if a, _ := c.get(cacheKey{}); a != nil {
		t.Error("the oldest is there")
	}
	c.put(cacheKey{request: [32]byte{200}}, "", &reading{}, &Answer{Status: 200, Body: make([]byte, maxCachedBody+1)})
	if a, _ := c.get(cacheKey{request: [32]byte{200}}); a != nil {
		t.Error("an answer that is too large was kept")
	}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Timeout: 3 * time.Second, Limit: &plan.RateLimit{Every: 2 * time.Second, Burst: 2}}, Options{Transport: counted()})
		start := time.Now()
		for i, want := range []time.Duration{0, 0, 2 * time.Second} {
			if _, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != want {
				t.Errorf("call %d went out after %s, want %s", i, got, want)
			}
		}
		// Two calls more want to go out: the first in two seconds, the second in
		// four, which is after its time.
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
				errs <- err
			}()
			synctest.Wait()
		}
		f := failure(t, <-errs, KindLimit)
		if f.Retry != result.RetryAfter(4*time.Second) {
			t.Errorf("retry %v", f.Retry)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
	})
}

func TestStaleIfError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 200
		tr := &transport{answer: func(n int, r *http.Request) (*http.Response, error) {
			if status == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(fmt.Sprint(n))), ContentLength: -1}, nil
		}}
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Retry: plan.Retry{Attempts: 1}, Cache: &plan.Cache{TTL: time.Minute, StaleIfError: time.Hour}}, Options{Transport: tr})
		get := func() (*Answer, error) {
			return c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
		}
		if a, err := get(); err != nil || string(a.Body) != "1" {
			t.Fatal(a, err)
		}
		time.Sleep(2 * time.Minute)
		for _, status = range []int{503, 0} {
			if a, err := get(); err != nil || string(a.Body) != "1" || !a.Cached || a.Stale != 2*time.Minute {
				t.Errorf("status %d: %+v %v", status, a, err)
			}
		}
		status = 404 // says that it is gone, which is news
		if a, err := get(); err != nil || a.Status != 404 {
			t.Error(a, err)
		}
		time.Sleep(2 * time.Hour)
		status = 503
		if a, err := get(); err != nil || a.Status != 503 {
			t.Errorf("a very old answer: %+v %v", a, err)
		}
	})
}
