package upstream

import (
	"context"
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
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func TestBreaker(t *testing.T) {
	p := plan.Upstream{BaseURL: "https://a.example", Retry: plan.Retry{Attempts: 1}, Breaker: &plan.Breaker{Failures: 3, Window: time.Minute, Open: time.Minute, HalfOpen: 2}}
	status := 200
	tr := &transport{answer: func(_ int, r *http.Request) (*http.Response, error) {
		if status == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x")), ContentLength: -1}, nil
	}}
	c := newClient(t, p, Options{Transport: tr})
	now, other := principal.Principal{Tenant: "one", Subject: "a"}, principal.Principal{Tenant: "two"}
	call := func(who principal.Principal) error {
		_, err := c.Do(t.Context(), who, newRequest(t, "GET", "https://a.example/a", ""), nil)
		return err
	}
	// What is the caller's mistake says nothing about the upstream.
	for _, status = range []int{404, 404, 400, 401, 429, 404} {
		if err := call(now); err != nil {
			t.Fatal(err)
		}
	}
	for _, status = range []int{500, 503} {
		if err := call(now); err != nil {
			t.Fatal(err)
		}
	}
	status = 0
	failure(t, call(now), KindConnection)
	sent := tr.attempts
	f := failure(t, call(now), KindBreaker)
	if f.Retry <= 0 {
		t.Errorf("the refusal says %v about retries", f.Retry)
	}
	if tr.attempts != sent {
		t.Error("an open breaker let a call through")
	}
	// Another member of the tenant stands before the same breaker, another tenant
	// does not.
	failure(t, call(principal.Principal{Tenant: "one", Subject: "b"}), KindBreaker)
	status = 200
	if err := call(other); err != nil {
		t.Error(err)
	}
}

// A breaker lets probes through after its time, and closes when they succeed.
func TestBreakerProbes(t *testing.T) {
	p := plan.Upstream{BaseURL: "https://a.example", Retry: plan.Retry{Attempts: 1}, Breaker: &plan.Breaker{Failures: 1, Window: time.Second, Open: time.Millisecond, HalfOpen: 2}}
	tr := &transport{answer: status(500)}
	c := newClient(t, p, Options{Transport: tr})
	call := func() error {
		_, err := c.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	b := c.breakers.of(principal.Principal{})
	if !b.IsOpen() {
		t.Fatal("it is closed")
	}
	for deadline := time.Now().Add(5 * time.Second); call() != nil; { // a probe that fails opens it again
		if time.Now().After(deadline) {
			t.Fatal("no probe was let through")
		}
	}
	if !b.IsOpen() {
		t.Fatal("a failed probe closed it")
	}
	tr.answer = status(200)
	for good := 0; good < 2; {
		if call() == nil {
			good++
		}
	}
	if !b.IsClosed() {
		t.Error("two good probes did not close it")
	}
}

func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var most, running atomic.Int64
		release := make(chan struct{})
		tr := roundTripper(func(*http.Request) (*http.Response, error) {
			n := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
		})
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Timeout: time.Minute, Bulkhead: &plan.Bulkhead{Concurrency: 2, Queue: 3 * time.Second}}, Options{Transport: tr})
		var wait sync.WaitGroup
		var busy, fine atomic.Int64
		for range 5 {
			wait.Go(func() {
				_, err := c.Do(context.Background(), principal.Principal{}, newRequest(t, "POST", "https://a.example/a", ""), nil)
				if err != nil {
					failure(t, err, KindBusy)
					busy.Add(1)
				} else {
					fine.Add(1)
				}
			})
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		release <- struct{}{} // one makes room for one of the three that wait
		synctest.Wait()
		time.Sleep(2 * time.Second) // the others have waited long enough
		close(release)
		wait.Wait()
		if most.Load() != 2 || fine.Load() != 3 || busy.Load() != 2 {
			t.Errorf("%d at once, %d fine, %d refused", most.Load(), fine.Load(), busy.Load())
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f(r)
	if res != nil {
		res.Request = r
	}
	return res, err
}

func TestCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		release := make(chan struct{})
		tr := roundTripper(func(r *http.Request) (*http.Response, error) {
			n := sent.Add(1)
			select {
			case <-release:
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(fmt.Sprint(n))), ContentLength: -1}, nil
		})
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Coalesce: true}, Options{Transport: tr})
		bodies := make(chan string, 10)
		ask := func(ctx context.Context, who, method, path string) {
			a, err := c.Do(ctx, principal.Principal{Subject: who}, newRequest(t, method, "https://a.example"+path, ""), nil)
			if err != nil {
				bodies <- "error"
				return
			}
			bodies <- string(a.Body)
			for i := range a.Body { // its own
				a.Body[i] = 'x'
			}
		}
		first, leave := context.WithCancel(context.Background())
		go ask(first, "alice", "GET", "/a")
		synctest.Wait()
		for range 3 {
			go ask(context.Background(), "alice", "GET", "/a")
		}
		synctest.Wait()
		if n := sent.Load(); n != 1 {
			t.Errorf("%d requests for four equal ones", n)
		}
		leave() // who asked first goes away; the others still get their answer
		if got := <-bodies; got != "error" {
			t.Errorf("who left got %q", got)
		}
		go ask(context.Background(), "bob", "GET", "/a")    // another principal
		go ask(context.Background(), "alice", "POST", "/a") // a change
		go ask(context.Background(), "alice", "GET", "/b")
		synctest.Wait()
		if n := sent.Load(); n != 4 {
			t.Errorf("%d requests", n)
		}
		close(release)
		same := 0
		for range 6 {
			if <-bodies == "1" {
				same++
			}
		}
		if same != 3 {
			t.Errorf("%d callers got the first answer", same)
		}
	})
}

// When everything fails, retries stay a tenth of the requests.
func TestRetryBudget(t *testing.T) {
	tr := &transport{answer: status(503)}
	c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Retry: plan.Retry{Attempts: 3, On: []int{503}}}, Options{Transport: tr})
	c.backoff = func(int) time.Duration { return 0 }
	const calls = 200
	for range calls {
		a, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
		if err != nil || a.Status != 503 {
			t.Fatal(a, err)
		}
	}
	if retries := tr.attempts - calls; retries < 10 || retries > 10+calls/8 {
		t.Errorf("%d retries of %d calls", retries, calls)
	}
}

func TestRepeat(t *testing.T) {
	tr := &transport{answer: status(503)}
	c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Retry: plan.Retry{Attempts: 3, On: []int{503}}}, Options{Transport: tr})
	c.backoff = func(int) time.Duration { return 0 }
	for _, repeat := range []bool{false, true} {
		before := tr.attempts
		r := newRequest(t, "POST", "https://a.example/a", "x")
		r.Repeat = repeat
		if _, err := c.Do(t.Context(), principal.Principal{}, r, nil); err != nil {
			t.Fatal(err)
		}
		if n := tr.attempts - before; n != map[bool]int{false: 1, true: 3}[repeat] {
			t.Errorf("repeat %v: %d attempts", repeat, n)
		}
	}
}
