package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A bulkhead that is full refuses: what waits is bounded.
func TestFailureSuiteShedding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, calls = 2, 1000
		tr := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c := newClient(t, plan.Upstream{Timeout: time.Minute, Bulkhead: &plan.Bulkhead{Concurrency: places, Queue: 5 * time.Second}}, Options{Transport: tr})
		start := time.Now()
		took := make(chan time.Duration, calls)
		ctx, leave := context.WithCancel(context.Background())
		for range calls {
			go func() {
				_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
				if code, f := outcome(nil, err); code == KindBusy && f.Retry != result.RetryAfter(5*time.Second) {
					t.Errorf("%+v", f)
				}
				took <- time.Since(start)
			}()
		}
		synctest.Wait()
		atOnce, waiting := len(took), int(c.bulkhead.waiting.Load())
		if waiting != places*waitingPerPlace || atOnce != calls-places-waiting {
			t.Errorf("%d refused at once, %d wait", atOnce, waiting)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(took) != calls-places || c.bulkhead.waiting.Load() != 0 {
			t.Errorf("%d refused, %d wait", len(took), c.bulkhead.waiting.Load())
		}
		leave()
		synctest.Wait()
		t.Logf("%d calls of an upstream that hangs, %d places: %d refused at once, %d after their 5s", calls, places, atOnce, waiting)
	})
}

// callerKey is where the transport of a test finds who a request was made for.
type callerKey struct{}

// Nobody is ever given what was asked for somebody else: neither kept answers nor
// requests under way, also when names are chosen to look alike. Run with -race.
func TestFailureSuitePrincipals(t *testing.T) {
	var sent atomic.Int64
	tr := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent.Add(1)
		who, _ := json.Marshal(r.Context().Value(callerKey{}))
		time.Sleep(time.Duration(len(who)%3) * time.Millisecond)
		return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {string(who)}}, Body: io.NopCloser(strings.NewReader(string(who))), ContentLength: -1}, nil
	})
	callers := []principal.Principal{
		{}, {Subject: "a"}, {Client: "a"}, {Tenant: "a"}, {Tenant: "a", Subject: "b"}, {Subject: "a", Client: "b"}, {Subject: "a\x00b"}, {Subject: "a\x00", Client: "b"},
		{Tenant: "a\x00b", Subject: "c"}, {Tenant: "a", Subject: "b\x00c"}, {Tenant: "a", Subject: "b", Client: "c"}, {Subject: "A"},
	}
	for name, u := range map[string]plan.Upstream{
		"coalesce":           {Coalesce: true},
		"cache":              {Cache: &plan.Cache{TTL: time.Millisecond, ETag: true, StaleIfError: time.Hour}},
		"cache and coalesce": {Coalesce: true, Cache: &plan.Cache{TTL: time.Millisecond, ETag: true}},
	} {
		t.Run(name, func(t *testing.T) {
			sent.Store(0)
			c := newClient(t, u, Options{Transport: tr})
			const calls = 4000
			var wait sync.WaitGroup
			for w := range 40 {
				wait.Go(func() {
					for i := range calls / 40 {
						who := callers[(w*7+i)%len(callers)]
						ctx := context.WithValue(t.Context(), callerKey{}, who)
						a, err := c.Do(ctx, who, newRequest(t, "GET", "http://127.0.0.1/same", ""), nil)
						if err != nil {
							t.Error(err)
							return
						}
						if want, _ := json.Marshal(who); string(a.Body) != string(want) {
							t.Errorf("%q got what was for %q", want, a.Body)
							return
						}
						for j := range a.Body {
							a.Body[j] = 'x'
						}
						a.Header.Set("Etag", "x")
					}
				})
			}
			wait.Wait()
			t.Logf("%-20s %d calls of %d principals for one URL: %d requests, none crossed", name, calls, len(callers), sent.Load())
		})
	}
}

// Who joins a request is not hurt by who made it.
func TestFailureSuiteFlights(t *testing.T) {
	type asked struct {
		body string
		err  error
		took time.Duration
	}
	run := func(t *testing.T, answer func(n int, r *http.Request) (*http.Response, error), test func(ask func(ctx context.Context) <-chan asked, sent *atomic.Int64, c *Client)) {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			tr := roundTripper(func(r *http.Request) (*http.Response, error) { return answer(int(sent.Add(1)), r) })
			c := newClient(t, plan.Upstream{Timeout: 10 * time.Second, Coalesce: true, Retry: plan.Retry{Attempts: 1}}, Options{Transport: tr})
			test(func(ctx context.Context) <-chan asked {
				out := make(chan asked, 1)
				go func() {
					start := time.Now()
					defer func() {
						if r := recover(); r != nil {
							out <- asked{body: "panic", took: time.Since(start)}
						}
					}()
					a, err := c.Do(ctx, principal.Principal{Subject: "a"}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
					r := asked{err: err, took: time.Since(start)}
					if a != nil {
						r.body = string(a.Body)
					}
					out <- r
				}()
				synctest.Wait()
				return out
			}, &sent, c)
			synctest.Wait()
			if n := len(c.flights.byKey); n != 0 {
				t.Errorf("%d flights are left", n)
			}
		})
	}
	ok := func(n int) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(fmt.Sprint(n))), ContentLength: -1}, nil
	}
	slow := func(n int, r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(5 * time.Second):
			return ok(n)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	bg := context.Background()
	t.Run("the first leaves", func(t *testing.T) {
		run(t, slow, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			ctx, leave := context.WithCancel(bg)
			first, second := ask(ctx), ask(bg)
			leave()
			if r := <-first; r.took != 0 {
				t.Errorf("%+v", r)
			}
			if r := <-second; r.body != "1" || sent.Load() != 1 {
				t.Errorf("%+v, %d requests", r, sent.Load())
			}
		})
	})
	t.Run("the first has little time", func(t *testing.T) {
		run(t, slow, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			defer cancel()
			first, second := ask(ctx), ask(bg)
			failure(t, (<-first).err, KindTimeout)
			if r := <-second; r.body != "1" || sent.Load() != 1 {
				t.Errorf("%+v, %d requests", r, sent.Load())
			}
		})
	})
	t.Run("all leave", func(t *testing.T) {
		ended := make(chan error, 2)
		run(t, func(n int, r *http.Request) (*http.Response, error) {
			res, err := slow(n, r)
			ended <- err
			return res, err
		}, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			ctx, leave := context.WithCancel(bg)
			first, second := ask(ctx), ask(ctx)
			leave()
			<-first
			<-second
			synctest.Wait()
			if len(ended) != 1 || !errors.Is(<-ended, context.Canceled) {
				t.Error("the request goes on for nobody")
			}
			if r := <-ask(bg); r.body != "2" { // and nobody joins what has ended
				t.Errorf("%+v", r)
			}
		})
	})
	t.Run("the first one's time is up", func(t *testing.T) {
		run(t, func(n int, r *http.Request) (*http.Response, error) {
			if n > 1 {
				return ok(n)
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			first := ask(bg)
			time.Sleep(9 * time.Second)
			second := ask(bg)
			failure(t, (<-first).err, KindTimeout)
			if r := <-second; r.body != "2" || r.took != time.Second || sent.Load() != 2 {
				t.Errorf("who came late: %+v, %d requests", r, sent.Load())
			}
		})
	})
	t.Run("an upstream that hangs for all", func(t *testing.T) {
		run(t, func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, func(ask func(context.Context) <-chan asked, sent *atomic.Int64, _ *Client) {
			var all []<-chan asked
			for range 25 {
				all = append(all, ask(bg))
				time.Sleep(time.Second)
			}
			for i, a := range all {
				if r := <-a; r.took != 10*time.Second {
					t.Errorf("call %d took %v", i, r.took)
				} else {
					failure(t, r.err, KindTimeout)
				}
			}
			if n := sent.Load(); n > 6 { // one in ten seconds, and those that calls who came late made at its end
				t.Errorf("%d requests", n)
			}
		})
	})
	t.Run("a mistake of ours", func(t *testing.T) {
		run(t, func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				time.Sleep(time.Second)
				panic("mistake")
			}
			return ok(n)
		}, func(ask func(context.Context) <-chan asked, _ *atomic.Int64, _ *Client) {
			first, second := ask(bg), ask(bg)
			if a, b := <-first, <-second; a.body != "panic" || b.body != "panic" {
				t.Errorf("%+v %+v", a, b)
			}
			if r := <-ask(bg); r.body != "2" {
				t.Errorf("%+v", r)
			}
		})
	})
}

// A stale answer stands for one that cannot be had, within its window, and says
// so; not for one that the caller may not have, nor where the upstream forbids it.
func TestFailureSuiteStale(t *testing.T) {
	for _, c := range []struct {
		name, control string
		after         time.Duration
		fail          func() (*http.Response, error)
		stale         bool
	}{
		{"an answer 503", "", 2 * time.Minute, status503, true},
		{"a broken connection", "", 2 * time.Minute, func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, true},
		{"at the end of the window", "", 61*time.Minute - 1, status503, true},
		{"after the window", "", 61 * time.Minute, status503, false},
		{"must-revalidate", "must-revalidate", 2 * time.Minute, status503, false},
		{"an answer 403", "", 2 * time.Minute, func() (*http.Response, error) {
			return &http.Response{StatusCode: 403, Header: http.Header{}, Body: http.NoBody}, nil
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &transport{answer: func(n int, _ *http.Request) (*http.Response, error) {
					if n > 1 {
						return c.fail()
					}
					h := http.Header{}
					if c.control != "" {
						h.Set("Cache-Control", c.control)
					}
					return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader("old")), ContentLength: -1}, nil
				}}
				client := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 1}, Cache: &plan.Cache{TTL: time.Minute, StaleIfError: time.Hour}}, Options{Transport: tr})
				get := func() (*Answer, error) {
					return client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
				}
				if _, err := get(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.after)
				a, err := get()
				if stale := a != nil && a.Cached && string(a.Body) == "old"; stale != c.stale || stale && a.Stale != c.after.Round(0) {
					t.Errorf("stale %v: %+v %v", stale, a, err)
				}
			})
		})
	}
	for kind, want := range map[string]bool{
		KindTimeout: true, KindConnect: true, KindDNS: true, KindTLS: true, KindConnection: true, KindProtocol: true, KindBreaker: true, KindBusy: true, KindLimit: true,
		KindCredential: false, KindCanceled: false, KindAddress: false, KindNoBaseURL: false,
	} {
		if passing(nil, &Failure{Kind: kind}) != want {
			t.Errorf("%s: %v", kind, !want)
		}
	}
}

func status503() (*http.Response, error) {
	return &http.Response{StatusCode: 503, Header: http.Header{}, Body: http.NoBody}, nil
}
