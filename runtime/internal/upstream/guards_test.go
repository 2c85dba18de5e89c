package upstream

import (
	"context"
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

	"github.com/sony/gobreaker/v2"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
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

// Who has hardly any time left does not open the breaker of those who have; who gave
// the upstream most of its time does, whose ever deadline it was.
func TestBreakerAndTheCallersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Timeout: 10 * time.Second, Retry: plan.Retry{Attempts: 1}, Breaker: &plan.Breaker{Failures: 3, Window: time.Hour, Open: time.Minute, HalfOpen: 1}},
			Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})})
		call := func(limit time.Duration) string {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
			f, _ := errors.AsType[*Failure](err)
			return f.Kind
		}
		for range 10 {
			if kind := call(time.Second); kind != KindTimeout {
				t.Fatal(kind)
			}
		}
		for _, limit := range []time.Duration{time.Minute, 10*time.Second - 1, 6 * time.Second} {
			if kind := call(limit); kind != KindTimeout {
				t.Fatal(kind)
			}
		}
		if kind := call(time.Minute); kind != KindBreaker {
			t.Errorf("an upstream that never answers: %s", kind)
		}
	})
}

// An open breaker refuses at once: nothing is waited for, and no turn is used up.
func TestBreakerIsAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 500
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Retry: plan.Retry{Attempts: 1}, Limit: &plan.RateLimit{Every: 10 * time.Second, Burst: 1},
			Breaker: &plan.Breaker{Failures: 1, Window: time.Hour, Open: 5 * time.Second, HalfOpen: 1}},
			Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return answerOf(r, status, ""), nil })})
		call := func() error {
			_, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, "GET", "https://a.example/a", ""), nil)
			return err
		}
		start := time.Now()
		if err := call(); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			failure(t, call(), KindBreaker)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("refusals took %v", d)
		}
		status = 200
		time.Sleep(10 * time.Second)
		if err := call(); err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("the turn after ten seconds came after %v: %v", time.Since(start), err)
		}
	})
}

// Kept answers may be for all; a request under way is one caller's, whose credentials
// it has.
func TestFlightsAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Coalesce: true, Cache: &plan.Cache{TTL: time.Minute, Shared: true}},
			Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				sent.Add(1)
				time.Sleep(time.Second)
				return answerOf(r, 200, ""), nil
			})})
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				who := principal.Principal{Subject: fmt.Sprint(i % 4)}
				if _, err := c.Do(t.Context(), who, newRequest(t, "GET", "https://a.example/a", ""), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := sent.Load(); n != 4 {
			t.Errorf("%d requests for four callers", n)
		}
	})
}

// A breaker lets exactly as many probes through after its time as are asked for,
// however many calls come at once and whatever late answers say, and closes when
// they succeed.
func TestBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const probes = 2
		var under, sent atomic.Int64
		answer := make(chan int)
		tr := roundTripper(func(r *http.Request) (*http.Response, error) {
			sent.Add(1)
			under.Add(1)
			defer under.Add(-1)
			select {
			case code := <-answer:
				return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody}, nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Timeout: time.Hour, Retry: plan.Retry{Attempts: 1},
			Breaker: &plan.Breaker{Failures: 1, Window: time.Minute, Open: time.Minute, HalfOpen: probes}}, Options{Transport: tr})
		errs := make(chan error, 100)
		call := func(ctx context.Context) {
			_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "POST", "https://a.example/a", ""), nil)
			errs <- err
		}
		ctx := context.Background()
		// Ten calls go out while all is well. One fails and opens the breaker; of the
		// others the answers come when it is half open.
		for range 10 {
			go call(ctx)
		}
		synctest.Wait()
		answer <- 500
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
		go call(ctx)
		if f := failure(t, <-errs, KindBreaker); f.Retry != result.RetryAfter(time.Minute) {
			t.Errorf("retry %v", f.Retry)
		}
		time.Sleep(time.Minute + time.Millisecond)
		burst := func(round string, late int) {
			t.Helper()
			before := sent.Load()
			for range 20 {
				go call(ctx)
			}
			synctest.Wait()
			for range 20 - probes {
				failure(t, <-errs, KindBreaker)
			}
			if n := sent.Load() - before; n != probes || under.Load() != int64(late+probes) {
				t.Errorf("%s: %d probes, %d under way", round, n, under.Load())
			}
		}
		burst("half open", 9)
		// Late answers, good and bad, are of the past: nothing opens and no more
		// probes go out. Which of the waiting requests gets one is not known, so the
		// probes among them are told apart by who is left.
		k := c.breakers.get(principal.Principal{}, "a.example")
		if k.State() != gobreaker.StateHalfOpen {
			t.Fatal(k.State())
		}
		for range 9 + probes {
			answer <- 200
			<-errs
		}
		synctest.Wait()
		if k.State() != gobreaker.StateClosed {
			t.Fatal("good probes did not close it")
		}
		// It opens again; a probe whose caller goes away gives its place back, a bad
		// one opens it for another while.
		go call(ctx)
		synctest.Wait()
		answer <- 503
		<-errs
		time.Sleep(time.Minute + time.Millisecond)
		gone, leave := context.WithCancel(ctx)
		for range probes {
			go call(gone)
		}
		synctest.Wait()
		leave()
		for range probes {
			failure(t, <-errs, KindCanceled)
		}
		burst("after canceled probes", 0)
		answer <- 200
		<-errs
		answer <- 500
		<-errs
		synctest.Wait()
		if k.State() != gobreaker.StateOpen {
			t.Error("a bad probe did not open it")
		}
	})
}

// Who shares a breaker, and how many are kept however many callers come.
func TestBreakerScope(t *testing.T) {
	one, other, tenant := principal.Principal{Tenant: "t", Subject: "a"}, principal.Principal{Tenant: "t", Subject: "b"}, principal.Principal{Tenant: "u", Subject: "a"}
	for _, byCaller := range []bool{false, true} {
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Breaker: &plan.Breaker{Failures: 1, Window: time.Hour, Open: time.Hour, ByCaller: byCaller}}, Options{Transport: roundTripper(nil)})
		permit := func(who principal.Principal, host string) (func(int, *Failure), *Failure) {
			k := &call{Client: c, who: who, req: newRequest(t, "GET", "https://"+host+"/a", "")}
			return k.permit()
		}
		done, fail := permit(one, "a.example")
		if fail != nil {
			t.Fatal(fail)
		}
		done(502, nil)
		for name, x := range map[string]struct {
			who    principal.Principal
			host   string
			closed bool
		}{
			"who failed": {one, "a.example", true}, "the same tenant": {other, "a.example", !byCaller},
			"another tenant": {tenant, "a.example", false}, "another host": {one, "b.example", false},
		} {
			if _, fail := permit(x.who, x.host); (fail != nil) != x.closed {
				t.Errorf("by caller %v, %s: %v", byCaller, name, fail)
			}
		}
	}
	b := newBreakers(&plan.Breaker{Failures: 1, Window: time.Hour, Open: time.Hour, ByCaller: true})
	b.get(one, "a.example").Allow()
	open, _ := b.get(other, "a.example").Allow()
	open(errFault)
	for i := range 2*maxBreakers + 10 {
		b.get(principal.Principal{Subject: fmt.Sprint(i)}, "a.example")
	}
	if n := len(b.of); n > maxBreakers {
		t.Errorf("%d are kept", n)
	}
	if b.get(other, "a.example").State() != gobreaker.StateOpen {
		t.Error("one that is open was forgotten for those that never failed")
	}
}

// What was under way when a breaker opened tells of the past.
func TestBreakerForgetsLateAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, plan.Upstream{BaseURL: "https://a.example", Breaker: &plan.Breaker{Failures: 1, Window: time.Minute, Open: time.Minute, HalfOpen: 1}}, Options{Transport: roundTripper(nil)})
		k := &call{Client: c, req: newRequest(t, "GET", "https://a.example/a", "")}
		permit := func() func(int, *Failure) {
			t.Helper()
			done, fail := k.permit()
			if fail != nil {
				t.Fatal(fail)
			}
			return done
		}
		early, late := permit(), permit()
		permit()(500, nil)
		time.Sleep(time.Minute + time.Millisecond)
		probe := permit()
		early(200, nil) // would close it
		late(500, nil)  // would open it
		if _, fail := k.permit(); fail == nil {
			t.Error("a late answer let another probe through")
		}
		if b := c.breakers.get(k.who, "a.example"); b.State() != gobreaker.StateHalfOpen {
			t.Error(b.State())
		}
		probe(404, nil)
		permit()
	})
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
