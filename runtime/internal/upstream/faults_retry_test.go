package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/internal/faulty"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// What the caller decides about time reaches the upstream: it sees the connection
// end, and the call ends then.
func TestFailureSuiteDeadlines(t *testing.T) {
	for _, fault := range faulty.Faults()[:3] { // those that hang
		for _, coalesce := range []bool{false, true} {
			for name, limit := range map[string]func(s *faulty.Server) (context.Context, context.CancelFunc){
				"the caller's cancel": func(s *faulty.Server) (context.Context, context.CancelFunc) {
					ctx, cancel := context.WithCancel(context.Background())
					go func() {
						for s.Requests() == 0 && ctx.Err() == nil {
							time.Sleep(time.Millisecond)
						}
						cancel()
					}()
					return ctx, cancel
				},
				"the caller's deadline": func(*faulty.Server) (context.Context, context.CancelFunc) {
					return context.WithTimeout(context.Background(), 2*time.Second)
				},
			} {
				t.Run(fmt.Sprintf("%s/%s/coalesce=%v", fault.Name, name, coalesce), func(t *testing.T) {
					t.Parallel()
					s := faulty.Start(t, fault)
					c := newClient(t, plan.Upstream{BaseURL: s.URL, Timeout: time.Minute, Coalesce: coalesce}, Options{})
					ctx, cancel := limit(s)
					defer cancel()
					start := time.Now()
					_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", s.URL+"/a", ""), nil)
					took := time.Since(start)
					if f, ok := errors.AsType[*Failure](err); !ok || f.Kind != KindCanceled && f.Kind != KindTimeout || took > 10*time.Second {
						t.Errorf("%v after %v", err, took)
					}
					if s.Requests() == 0 {
						t.Fatal("the request did not arrive")
					}
					select {
					case <-s.Left():
						t.Logf("%-14s %-22s the call ended after %v, the upstream saw it after %v", fault.Name, name, took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
					case <-time.After(20 * time.Second):
						t.Error("the upstream never saw that nobody waits")
					}
				})
			}
		}
	}
}

// Waits are drawn evenly from the whole range, so that who failed together does
// not come back together.
func TestFailureSuiteJitter(t *testing.T) {
	const draws, parts = 40_000, 10
	for attempt, most := range map[int]time.Duration{1: backoffBase, 3: 4 * backoffBase, 9: backoffMax} {
		var count [parts]int
		var sum time.Duration
		for range draws {
			d := backoff(attempt)
			if d < 0 || d >= most {
				t.Fatalf("attempt %d: %v", attempt, d)
			}
			count[int(d*parts/most)]++
			sum += d
		}
		// Chi-squared with 9 degrees of freedom: beyond 40 in one of 100,000 runs.
		chi := 0.0
		for _, n := range count {
			chi += (float64(n) - draws/parts) * (float64(n) - draws/parts) / (draws / parts)
		}
		if chi > 40 {
			t.Errorf("attempt %d: %v", attempt, count)
		}
		t.Logf("attempt %d: up to %v, mean %v, chi-squared %.1f", attempt, most, (sum / draws).Round(time.Millisecond), chi)
	}
}

// A wait that is asked for is kept where there is time for it, and told where
// there is not.
func TestFailureSuiteRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, header string
		sent         int
		least, most  time.Duration // of the whole call
		told         time.Duration
	}{
		{"seconds", "3", 2, 3 * time.Second, 3*time.Second + backoffBase, 0},
		{"nothing", "", 2, 0, backoffBase, 0},
		{"0", "0", 2, 0, backoffBase, 0},
		{"a date", "in 5s", 2, 4 * time.Second, 5*time.Second + backoffBase, 0},
		{"a date that is over", "in -1h", 2, 0, backoffBase, 0},
		{"negative", "-5", 2, 0, backoffBase, 0},
		{"garbage", "soon", 2, 0, backoffBase, 0},
		{"longer than the call", "31", 1, 0, 0, 31 * time.Second},
		{"an hour", "3600", 1, 0, 0, time.Hour},
		{"absurdly long", "999999999999999999999999", 1, 0, 0, maxRetryAfter},
		{"an absurd date", "in 900000h", 1, 0, 0, maxRetryAfter},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &transport{answer: func(n int, _ *http.Request) (*http.Response, error) {
					h := http.Header{}
					if in, ok := strings.CutPrefix(c.header, "in "); ok {
						d, err := time.ParseDuration(in)
						if err != nil {
							t.Fatal(err)
						}
						h.Set("Retry-After", time.Now().Add(d).UTC().Format(http.TimeFormat))
					} else if c.header != "" {
						h.Set("Retry-After", c.header)
					}
					return &http.Response{StatusCode: map[bool]int{true: 429, false: 200}[n == 1], Header: h}, nil
				}}
				client := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 2, On: []int{429}}}, Options{Transport: tr})
				start := time.Now()
				a, err := client.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil)
				took := time.Since(start)
				if err != nil || tr.attempts != c.sent || took < c.least || took > c.most {
					t.Errorf("%v, %d requests in %v", err, tr.attempts, took)
				}
				if c.told > 0 && RetryAfter(a.Header, time.Now()) != c.told {
					t.Errorf("told: %v", RetryAfter(a.Header, time.Now()))
				}
				t.Logf("Retry-After %-26q %d requests in %v", c.header, tr.attempts, took.Round(10*time.Millisecond))
			})
		})
	}
}

// However many fail at the same moment, retries are a tenth of the requests and
// ten.
func TestFailureSuiteBudget(t *testing.T) {
	for _, calls := range []int{10, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			tr := roundTripper(func(*http.Request) (*http.Response, error) {
				sent.Add(1)
				time.Sleep(time.Second) // so that all are under way
				return &http.Response{StatusCode: 503, Header: http.Header{}, Body: http.NoBody}, nil
			})
			c := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 5, On: []int{503}}}, Options{Transport: tr})
			var wait sync.WaitGroup
			for range calls {
				wait.Go(func() {
					if _, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "http://127.0.0.1/", ""), nil); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			n := int(sent.Load())
			if most := maxBudget/perRetry + n/perRetry; n-calls > most {
				t.Errorf("%d retries of %d calls, at most %d are allowed", n-calls, calls, most)
			}
			t.Logf("%4d calls at once that fail, 5 attempts each: %d requests, %d retries", calls, n, n-calls)
		})
	}
}
