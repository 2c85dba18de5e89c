package limit

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func arg(name string) *plan.Expr { return &plan.Expr{Op: plan.OpArg, Name: name} }

func newLimit(t testing.TB, p plan.CallLimit) *Limit {
	t.Helper()
	p.Name = "x"
	l, err := New(&p, "server", nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func by(key string) Ask { return Ask{Env: &expr.Env{Args: map[string]any{"k": key}}} }

// take says how a call fares: "" is let through.
func take(t *testing.T, l *Limit, a Ask) string {
	t.Helper()
	p, r := l.Take(t.Context(), a)
	if r != nil {
		return r.After.String()
	}
	p.Done(0)
	return ""
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(t, plan.CallLimit{Every: 200 * time.Millisecond, Burst: 3, Key: arg("k")})
		for i, step := range []struct {
			key   string
			after time.Duration
			want  string
		}{
			{"a", 0, ""}, {"a", 0, ""}, {"a", 0, ""}, {"a", 0, "200ms"}, {"b", 0, ""},
			{"a", 100 * time.Millisecond, "100ms"}, {"a", 100 * time.Millisecond, ""}, {"a", 0, "200ms"},
			{"a", time.Hour, ""}, {"a", 0, ""}, {"a", 0, ""}, {"a", 0, "200ms"},
		} {
			time.Sleep(step.after)
			if got := take(t, l, by(step.key)); got != step.want {
				t.Errorf("step %d: %q, want %q", i, got, step.want)
			}
		}
	})
}

// Over any time, no more than the burst and the rate together are let through.
func TestRateOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(t, plan.CallLimit{Every: 10 * time.Millisecond, Burst: 5, Queue: 30 * time.Millisecond})
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 50 {
					if p, r := l.Take(t.Context(), by("")); r == nil {
						passed.Add(1)
						p.Done(0)
					} else {
						time.Sleep(7 * time.Millisecond)
					}
				}
			})
		}
		began := time.Now()
		wg.Wait()
		if most := int64(time.Since(began)/(10*time.Millisecond)) + 5; passed.Load() > most || passed.Load() < most-5 {
			t.Errorf("%d calls in %v, at most %d", passed.Load(), time.Since(began), most)
		}
	})
}

func TestCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(t, plan.CallLimit{Every: time.Second, Burst: 10, Cost: arg("cost")})
		for i, step := range []struct {
			cost any
			want string
		}{
			{json.Number("4"), ""}, {json.Number("0"), ""}, {json.Number("7"), "1s"}, {json.Number("6"), ""}, {nil, "1s"},
			{json.Number("11"), "0s"}, {json.Number("1e300"), "0s"}, {json.Number("-5"), "1s"}, {"much", "1s"}, {json.Number("0"), ""},
		} {
			if got := take(t, l, Ask{Env: &expr.Env{Args: map[string]any{"cost": step.cost}}}); got != step.want {
				t.Errorf("step %d: %q, want %q", i, got, step.want)
			}
		}
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(t, plan.CallLimit{Concurrency: 3, Queue: 2 * time.Second, Key: arg("k")})
		var running, most, refused atomic.Int64
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				p, r := l.Take(t.Context(), by("a"))
				if r != nil {
					refused.Add(1)
					return
				}
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(900 * time.Millisecond)
				running.Add(-1)
				p.Done(0)
			})
		}
		wg.Wait()
		// At 0, 0.9 and 1.8 seconds three each; the last three have waited for two.
		if most.Load() != 3 || refused.Load() != 3 {
			t.Errorf("%d at once, %d refused", most.Load(), refused.Load())
		}
		time.Sleep(2 * sweepEvery)
		if take(t, l, by("b")) != "" || l.Keys() > 2 {
			t.Errorf("%d keys", l.Keys())
		}
		if got := take(t, newLimit(t, plan.CallLimit{Concurrency: 1}), by("a")); got != "" {
			t.Error(got)
		}
	})
}

func TestConcurrencyWithoutQueue(t *testing.T) {
	l := newLimit(t, plan.CallLimit{Concurrency: 1})
	first, r := l.Take(t.Context(), by("a"))
	if r != nil {
		t.Fatal(r)
	}
	if _, r := l.Take(t.Context(), by("a")); r == nil || r.After != time.Second {
		t.Error(r)
	}
	first.Done(0)
	if got := take(t, l, by("a")); got != "" {
		t.Error(got)
	}
}

// A call that ends while it waits takes nothing with it.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := newLimit(t, plan.CallLimit{Concurrency: 1, Queue: time.Hour})
		held, _ := slots.Take(t.Context(), by("a"))
		rate := newLimit(t, plan.CallLimit{Every: time.Minute, Burst: 1, Queue: time.Hour})
		used, _ := rate.Take(t.Context(), by("a"))
		used.Done(0)
		for _, l := range []*Limit{slots, rate} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, r := l.Take(ctx, by("a")); r == nil || !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Error(r)
			}
			cancel()
		}
		held.Done(0)
		began := time.Now()
		if take(t, slots, by("a")) != "" || time.Since(began) != 0 {
			t.Error("the place is not free")
		}
		if take(t, rate, by("a")) != "" || time.Since(began) != 58*time.Second {
			t.Errorf("waited %v", time.Since(began))
		}
	})
}

// What a later limit refuses costs nothing at the ones before.
func TestUndo(t *testing.T) {
	l := newLimit(t, plan.CallLimit{Every: time.Hour, Burst: 1, Concurrency: 1})
	for range 5 {
		p, r := l.Take(t.Context(), by("a"))
		if r != nil {
			t.Fatal(r)
		}
		p.Undo()
	}
	if take(t, l, by("a")) != "" || take(t, l, by("a")) == "" {
		t.Error("not one call exactly")
	}
}

// A million clients, each with a call of its own, take bounded memory; and none
// when they are idle.
func TestAMillionKeys(t *testing.T) {
	l := newLimit(t, plan.CallLimit{Every: time.Hour, Burst: 2, Key: arg("k")})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	args := map[string]any{}
	env := &expr.Env{Args: args}
	for i := range 1_000_000 {
		args["k"] = strconv.Itoa(i)
		p, r := l.Take(t.Context(), Ask{Env: env})
		if r != nil {
			t.Fatal(r)
		}
		p.Done(0)
	}
	n, grown := l.Keys(), int64(heap())-int64(before)
	t.Logf("%d keys are kept, in %d bytes: %d each", n, grown, grown/int64(n))
	if n > shards*maxKeys || grown > 32<<20 {
		t.Errorf("%d keys, %d bytes", n, grown)
	}
	runtime.KeepAlive(l)
}

func TestIdleKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimit(t, plan.CallLimit{Every: time.Second, Burst: 2, Key: arg("k")})
		for i := range 10_000 {
			take(t, l, by(strconv.Itoa(i)))
		}
		if l.Keys() != 10_000 {
			t.Errorf("%d keys", l.Keys())
		}
		time.Sleep(sweepEvery + time.Second)
		for i := range 200 { // in all shards
			take(t, l, by(strconv.Itoa(i)))
		}
		if l.Keys() > 200 {
			t.Errorf("%d keys after a minute", l.Keys())
		}
	})
}

// Under churn of keys, with concurrency and cancellations, every place comes
// back.
func TestManyAtOnce(t *testing.T) {
	l := newLimit(t, plan.CallLimit{Every: time.Microsecond, Burst: 100, Concurrency: 2, Queue: time.Millisecond, Key: arg("k")})
	var running [8]atomic.Int64
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*100*time.Microsecond)
				key := (g + i) % len(running)
				if p, r := l.Take(ctx, by(strconv.Itoa(key))); r == nil {
					if running[key].Add(1) > 2 {
						t.Error("more than two at once")
					}
					runtime.Gosched()
					running[key].Add(-1)
					if i%3 == 0 {
						p.Undo()
					} else {
						p.Done(0)
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()
	for i := range l.shard {
		for _, s := range l.shard[i].keys {
			if s.running != 0 || s.holds != 0 || len(s.waiting) != 0 {
				t.Errorf("left behind: %+v", *s)
			}
		}
	}
}

func TestBrokenPlans(t *testing.T) {
	for _, p := range []plan.CallLimit{{Every: -1}, {Every: time.Second}, {Key: &plan.Expr{Op: "nonsense"}}} {
		if _, err := New(&p, "server", nil); err == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	l := newLimit(b, plan.CallLimit{Every: time.Nanosecond, Burst: 1 << 20, Key: arg("k")})
	ask := by("client")
	b.ReportAllocs()
	for b.Loop() {
		p, r := l.Take(b.Context(), ask)
		if r != nil {
			b.Fatal(r)
		}
		p.Done(0)
	}
}
