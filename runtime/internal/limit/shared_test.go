package limit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// fake is a store in memory, by the clock of the test. Servers share one.
type fake struct {
	mu     sync.Mutex
	full   map[string][Measures]time.Time
	places map[string]map[string]time.Time
	asked  int
	away   error         // what is answered; nil: it works
	slow   time.Duration // until it answers
}

func newFake() *fake {
	return &fake{full: map[string][Measures]time.Time{}, places: map[string]map[string]time.Time{}}
}

// lag waits as long as the store is slow, or until nobody waits any more.
func (f *fake) lag(ctx context.Context) error {
	f.mu.Lock()
	f.asked++
	slow, away := f.slow, f.away
	f.mu.Unlock()
	if slow > 0 && !sleep(ctx, slow) {
		return ctx.Err()
	}
	return away
}

func (f *fake) Take(ctx context.Context, key string, t Terms) (v Verdict, err error) {
	if err := f.lag(ctx); err != nil {
		return v, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if t.Places > 0 {
		held := f.places[key]
		for id, end := range held {
			if !end.After(now) {
				delete(held, id)
			}
		}
		if len(held) >= t.Places {
			return Verdict{Busy: true}, nil
		}
	}
	full := f.full[key]
	for m, b := range t.Buckets {
		if b.Room == 0 {
			continue
		}
		if full[m].Before(now) {
			full[m] = now
		}
		if d := full[m].Add(b.Need).Sub(now) - b.Room; d > v.Delay {
			v.Delay, v.Of = d, Measure(m)
		}
		full[m] = full[m].Add(b.Cost)
	}
	if v.Delay > t.Wait {
		return v, nil
	}
	f.full[key] = full
	if t.Places > 0 {
		if f.places[key] == nil {
			f.places[key] = map[string]time.Time{}
		}
		f.places[key][t.Lease] = now.Add(t.Hold)
	}
	v.Taken = true
	return v, nil
}

func (f *fake) Settle(ctx context.Context, key, id string, more [Measures]time.Duration) error {
	if err := f.lag(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.places[key], id)
	full := f.full[key]
	for m, d := range more {
		if full[m].Before(time.Now()) {
			full[m] = time.Now()
		}
		full[m] = full[m].Add(d)
	}
	f.full[key] = full
	return nil
}

func (f *fake) Renew(ctx context.Context, leases []Lease, hold time.Duration) error {
	if err := f.lag(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range leases {
		if f.places[l.Key] == nil {
			f.places[l.Key] = map[string]time.Time{}
		}
		f.places[l.Key][l.ID] = time.Now().Add(hold)
	}
	return nil
}

func (f *fake) Close() {}

// set changes how the store behaves.
func (f *fake) set(away error, slow time.Duration) {
	f.mu.Lock()
	f.away, f.slow = away, slow
	f.mu.Unlock()
}

func (f *fake) held() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.places {
		n += len(p)
	}
	return n
}

// count is how often the store was asked.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// shared returns the limit of a server that uses a store, and what it logs.
func shared(t *testing.T, f *fake, p plan.CallLimit) (*Limit, *lockbuf.Buffer) {
	t.Helper()
	var log lockbuf.Buffer
	k := newKeeper(&plan.Store{Name: "s", Timeout: 100 * time.Millisecond, Prefix: "x:"}, f, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(k.Close)
	p.Name, p.Store = "x", "s"
	l, err := New(&p, "server", k)
	if err != nil {
		t.Fatal(err)
	}
	return l, &log
}

func TestSharedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		p := plan.CallLimit{Every: 200 * time.Millisecond, Burst: 3, Key: arg("k"), Queue: 100 * time.Millisecond}
		a, log := shared(t, f, p)
		b, _ := shared(t, f, p)
		began := time.Now()
		for i, step := range []struct {
			l       *Limit
			key     string
			want    string
			elapsed time.Duration
		}{
			{a, "a", "", 0}, {b, "a", "", 0}, {a, "a", "", 0}, {b, "a", "200ms", 0}, {b, "b", "", 0}, {a, "a", "200ms", 0},
		} {
			if got := take(t, step.l, by(step.key)); got != step.want || time.Since(began) != step.elapsed {
				t.Errorf("step %d: %q, want %q, after %v", i, got, step.want, time.Since(began))
			}
		}
		time.Sleep(150 * time.Millisecond)
		began = time.Now()
		if got := take(t, a, by("a")); got != "" || time.Since(began) != 50*time.Millisecond {
			t.Errorf("one that waits for its turn: %q after %v", got, time.Since(began))
		}
		// One that gives up takes nothing.
		time.Sleep(150 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, r := b.Take(ctx, by("a")); r == nil || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("one that gives up: %+v", r)
		}
		cancel()
		time.Sleep(40 * time.Millisecond)
		if got := take(t, b, by("a")); got != "" {
			t.Errorf("after one that gave up: %q", got)
		}
		if log.String() != "" {
			t.Errorf("log: %s", log)
		}
	})
}

func TestSharedPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		p := plan.CallLimit{Concurrency: 2, Queue: 2 * time.Second}
		a, _ := shared(t, f, p)
		b, _ := shared(t, f, p)
		one, _ := a.Take(t.Context(), by(""))
		two, _ := b.Take(t.Context(), by(""))
		// Longer than a lease lasts: they are renewed.
		time.Sleep(2*hold + time.Second)
		began := time.Now()
		if got := take(t, a, by("")); got != noPlace.String() || time.Since(began) < 2*time.Second || time.Since(began) > 2*time.Second+pollMax {
			t.Errorf("the third: %q after %v", got, time.Since(began))
		}
		go func() {
			time.Sleep(time.Second)
			one.Done(0)
		}()
		began = time.Now()
		if got := take(t, b, by("")); got != "" || time.Since(began) < time.Second || time.Since(began) > time.Second+2*pollMax {
			t.Errorf("one that waits for a place: %q after %v", got, time.Since(began))
		}
		two.Done(0)
		if n := f.held(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
		// A server that dies renews nothing.
		dead, _ := shared(t, f, p)
		for range 2 {
			if _, r := dead.Take(t.Context(), by("")); r != nil {
				t.Fatal(r)
			}
		}
		dead.keeper.Close()
		time.Sleep(hold - time.Second)
		if got := take(t, b, by("")); got != "" {
			t.Errorf("after the leases of a dead server have ended: %q", got)
		}
		// One that gives up while it waits for a place holds none.
		one, _ = a.Take(t.Context(), by(""))
		two, _ = a.Take(t.Context(), by(""))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, r := b.Take(ctx, by("")); r == nil || r.Err == nil {
			t.Errorf("one that gives up: %+v", r)
		}
		one.Done(0)
		two.Undo()
		if n := f.held(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}

// A lease that is given back while it is renewed does not stay.
func TestLeaseLeftWhileRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, _ := shared(t, f, plan.CallLimit{Concurrency: 5})
		p, r := l.Take(t.Context(), by(""))
		if r != nil {
			t.Fatal(r)
		}
		f.set(nil, 50*time.Millisecond)
		time.Sleep(renewEvery + 10*time.Millisecond) // the renewal is under way
		f.set(nil, 0)
		p.Done(0)
		time.Sleep(time.Second)
		if n := f.held(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}

func TestSharedBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := shared(t, newFake(), plan.CallLimit{BytesIn: &plan.ByteBudget{Bytes: 100, Per: 100 * time.Second}, BytesOut: &plan.ByteBudget{Bytes: 1000, Per: 100 * time.Second}})
		here := newLimit(t, *l.plan) // the same, kept here
		here.plan.Store = ""
		for i, step := range []struct {
			in, out int
			want    string
		}{
			{10, 500, ""}, {10, 2000, ""}, {10, 0, "2m30.1s"}, {101, 0, "0s"}, {0, 0, "2m30.1s"},
		} {
			for name, l := range map[string]*Limit{"shared": l, "local": here} {
				ask := by("")
				ask.Bytes = step.in
				p, r := l.Take(t.Context(), ask)
				got := ""
				if r != nil {
					got = r.After.String()
				}
				p.Done(step.out)
				if got != step.want {
					t.Errorf("%s, step %d: %q, want %q", name, i, got, step.want)
				}
			}
		}
	})
}

// While a store is away nobody waits for it, on_error holds, the log has one line
// for each change, and it is found again.
func TestStoreAway(t *testing.T) {
	for onError, want := range map[string][2]string{ // of two calls while it is away, the first time
		"local": {"", "1h0m0s"}, // as if nothing had been taken
		"deny":  {"1s", "1s"},
		"allow": {"", ""},
	} {
		t.Run(onError, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				l, log := shared(t, f, plan.CallLimit{Every: time.Hour, Burst: 1, OnError: onError})
				if got := take(t, l, by("")); got != "" {
					t.Fatal(got)
				}
				for _, away := range []struct {
					err  error
					slow time.Duration
				}{{errors.New("connection refused"), 0}, {nil, time.Minute}} {
					f.set(away.err, away.slow)
					began := time.Now()
					first, second := take(t, l, by("")), take(t, l, by(""))
					if onError == "local" && away.slow > 0 { // taken in the first round
						want[0], second = "59m", "1h0m0s"
						first = first[:min(3, len(first))]
					}
					if d := time.Since(began); first != want[0] || second != want[1] || d > l.keeper.plan.Timeout {
						t.Errorf("%+v: %q and %q, after %v", away, first, second, d)
					}
					if l.keeper.Up() {
						t.Error("it is said to be there")
					}
					asked := f.count()
					for range 1000 {
						take(t, l, by(""))
					}
					if n := f.count() - asked; n > 1 { // one may be a probe
						t.Errorf("asked %d times while it is away", n)
					}
					time.Sleep(20 * time.Second)
					if n := f.count() - asked; n < 4 || n > 20 {
						t.Errorf("tried %d times in 20 seconds", n)
					}
					f.set(nil, 0)
					time.Sleep(retryMax + steady + time.Second) // the pauses begin anew, then
					if got := take(t, l, by("")); !strings.HasPrefix(got, "59m") && !strings.HasPrefix(got, "58m") || !l.keeper.Up() {
						t.Errorf("when it is back: %q", got)
					}
				}
				if n := strings.Count(log.String(), "\n"); n != 4 || strings.Count(log.String(), "does not answer") != 2 {
					t.Errorf("log:\n%s", log)
				}
			})
		})
	}
}

// A store that was never there is away, after the time that a connection may take.
func TestStoreNeverThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(nil, time.Minute)
		l, log := shared(t, f, plan.CallLimit{Every: time.Hour, Burst: 1, OnError: "deny"})
		if f.count() != 0 || !l.keeper.Up() {
			t.Error("it is asked before it is needed")
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, r := l.Take(t.Context(), by("")); r == nil || !r.Unknown {
					t.Errorf("%+v", r)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, r := l.Take(ctx, by("")); r == nil || r.Err == nil {
			t.Errorf("one that gives up: %+v", r)
		}
		wg.Wait()
		if d := time.Since(began); d != firstWait {
			t.Errorf("after %v", d)
		}
		f.set(nil, 0)
		time.Sleep(time.Second)
		if got := take(t, l, by("")); got != "" {
			t.Errorf("when it is there: %q", got)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// A store that comes and goes is tried less and less.
func TestStoreFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l, log := shared(t, f, plan.CallLimit{Every: time.Hour, Burst: 1, OnError: "allow"})
		take(t, l, by(""))
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			f.set(errors.New("no"), 0)
			take(t, l, by("")) // fails when it is asked
			f.set(nil, 0)      // the probe succeeds
		}
		if n := strings.Count(log.String(), "does not answer"); n < 5 || n > 40 {
			t.Errorf("%d lines in a minute", n)
		}
	})
}

// Tenants are apart where a key is of what callers say, and together elsewhere;
// what callers say is not in the keys of a store.
func TestTenants(t *testing.T) {
	caller := &plan.Expr{Op: plan.OpGet, Name: "client", Args: []plan.Expr{{Op: plan.OpVar, Name: "caller"}}}
	tool := &plan.Expr{Op: plan.OpGet, Name: "name", Args: []plan.Expr{{Op: plan.OpVar, Name: "tool"}}}
	for i, c := range []struct {
		key   *plan.Expr
		apart bool
	}{{nil, false}, {tool, false}, {caller, true}, {arg("k"), true}, {&plan.Expr{Op: plan.OpList, Args: []plan.Expr{*tool, *caller}}, true}} {
		f := newFake()
		one, _ := shared(t, f, plan.CallLimit{Every: time.Hour, Burst: 1, Key: c.key})
		for name, l := range map[string]*Limit{"local": newLimit(t, plan.CallLimit{Every: time.Hour, Burst: 1, Key: c.key}), "shared": one} {
			ask := func(tenant string) Ask {
				return Ask{Tenant: tenant, Env: &expr.Env{Args: map[string]any{"k": "secret-key"}, Vars: map[string]any{"caller": map[string]any{"client": "secret-client"}, "tool": map[string]any{"name": "t"}}}}
			}
			if got := take(t, l, ask("secret-a")); got != "" {
				t.Errorf("%d, %s: %s", i, name, got)
			}
			if got := take(t, l, ask("secret-b")); (got == "") != c.apart {
				t.Errorf("%d, %s: another tenant: %q", i, name, got)
			}
			if got := take(t, l, ask("secret-a")); got == "" {
				t.Errorf("%d, %s: not one limit", i, name)
			}
		}
		for k := range f.full {
			if k == "x:probe" {
				continue
			}
			if strings.Contains(k, "secret") || !strings.HasPrefix(k, "x:") || strings.Count(k, "{") != 1 {
				t.Errorf("key %q", k)
			}
		}
		if want := map[bool]int{false: 2, true: 3}[c.apart]; len(f.full) != want { // one is the probe's
			t.Errorf("%d: keys %v", i, f.full)
		}
	}
}

// Limits of other names, and of other servers, are others, whatever the names hold.
func TestKeysOfOtherLimits(t *testing.T) {
	k := newKeeper(&plan.Store{Prefix: "p:"}, newFake(), slog.New(slog.DiscardHandler))
	seen := map[string]string{}
	for _, names := range [][2]string{{"a", "b"}, {"a:b", ""}, {"a b", "c"}, {"a_b", "c"}, {"a-b", "c"}, {"ä{b}", "\n"}, {strings.Repeat("x", 50), "y"}, {strings.Repeat("x", 51), "y"}} {
		base := k.base(names[0], names[1])
		if of := fmt.Sprint(names); seen[base] != "" || strings.ContainsAny(base, "{} \n") || len(base) > 100 {
			t.Errorf("%s and %s: %q", of, seen[base], base)
		}
		seen[base] = fmt.Sprint(names)
	}
}
