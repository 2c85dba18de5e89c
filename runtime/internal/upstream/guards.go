package upstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// breakers stop calling a host that fails, for a while. What fails for one
// tenant may work for another, whose credentials and addresses are others, so
// each has a breaker, or each caller if the plan says so; and so has each host of
// an upstream. They are safe for concurrent use.
type breakers struct {
	plan.Breaker
	mu sync.Mutex
	of map[breakerKey]*breaker
}

type breakerKey struct {
	who  principal.Principal // of whom only the tenant is known, unless each caller has his own
	host string
}

// breaker is one of them. Results of attempts that began before it last changed
// its state do not count: they tell of the past.
type breaker struct {
	*gobreaker.TwoStepCircuitBreaker[struct{}]
	until atomic.Int64 // when it lets a probe through, in Unix nanoseconds
}

// maxBreakers bounds the breakers that are kept. Beyond it those go that have
// seen no failure lately, and then any.
const maxBreakers = 10_000

func newBreakers(p *plan.Breaker) *breakers {
	if p == nil || p.Failures <= 0 {
		return nil
	}
	return &breakers{Breaker: *p, of: map[breakerKey]*breaker{}}
}

// What comes of an attempt, for a breaker.
var (
	errFault   = errors.New("the upstream failed")
	errNothing = errors.New("the attempt says nothing about the upstream")
)

func (b *breakers) get(p principal.Principal, host string) *breaker {
	key := breakerKey{principal.Principal{Tenant: p.Tenant}, host}
	if b.ByCaller {
		key.who = p
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.of[key]
	if c == nil {
		b.evict()
		c = new(breaker)
		c.TwoStepCircuitBreaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			MaxRequests:  uint32(max(1, min(b.HalfOpen, math.MaxInt32))), //nolint:gosec // in range
			Interval:     b.Window,
			BucketPeriod: b.Window / 10, // failures are forgotten a tenth of the window at a time
			Timeout:      b.Open,
			ReadyToTrip:  func(n gobreaker.Counts) bool { return int(n.TotalFailures) >= b.Failures },
			OnStateChange: func(_ string, _, to gobreaker.State) {
				if to == gobreaker.StateOpen {
					c.until.Store(time.Now().Add(b.Open).UnixNano())
				}
			},
			IsExcluded: func(err error) bool { return err == errNothing }, //nolint:errorlint // never wrapped
		})
		b.of[key] = c
	}
	return c
}

// evict makes room for one more. b.mu is held.
func (b *breakers) evict() {
	if len(b.of) < maxBreakers {
		return
	}
	maps.DeleteFunc(b.of, func(_ breakerKey, c *breaker) bool {
		return c.State() == gobreaker.StateClosed && c.Counts().TotalFailures == 0
	})
	for key := range b.of {
		if len(b.of) < maxBreakers {
			return
		}
		delete(b.of, key)
	}
}

// closed refuses a call while the breaker is open, before it waits for anything
// else.
func (k *call) closed() *Failure {
	if k.breakers == nil {
		return nil
	}
	b := k.breaker()
	if b.until.Load() != 0 && b.State() == gobreaker.StateOpen {
		return k.left(b)
	}
	return nil
}

// breaker is that of the call, where there are any.
func (k *call) breaker() *breaker {
	if k.guard == nil {
		k.guard = k.breakers.get(k.who, k.req.URL.Host)
	}
	return k.guard
}

// left is the refusal of a breaker.
func (k *call) left(b *breaker) *Failure {
	return &Failure{
		Kind:    KindBreaker,
		Message: fmt.Sprintf("%s failed several times in a row and is not called for a while.", k.name),
		Next:    "Use other tools meanwhile. If it stays so, tell the operator of this server.",
		Retry:   result.RetryAfter(max(time.Until(time.Unix(0, b.until.Load())), time.Second)),
	}
}

// permit asks the breaker, if there is one. done must be called with what came
// of the attempt.
func (k *call) permit() (done func(status int, fail *Failure), fail *Failure) {
	if k.breakers == nil {
		return func(int, *Failure) {}, nil
	}
	b := k.breaker()
	record, err := b.Allow()
	if err != nil {
		return nil, k.left(b)
	}
	return func(status int, fail *Failure) { record(verdict(status, fail)) }, nil
}

// verdict is what an attempt says about the upstream: nil is that it works. Its
// own failures count, a 404 or a caller that went away does not.
func verdict(status int, fail *Failure) error {
	switch {
	case fail == nil && status < http.StatusInternalServerError:
		return nil
	case fail == nil:
		return errFault
	}
	switch fail.Kind {
	case KindRedirect, KindEncoding, KindTooLarge:
		return nil // it answered
	case KindCanceled, KindAddress:
		return errNothing
	}
	return errFault
}

// bulkhead bounds how many requests an upstream has to answer at once, and how
// many wait for that.
type bulkhead struct {
	plan.Bulkhead
	room    *semaphore.Weighted
	waiting atomic.Int64
}

// waitingPerPlace is how many requests wait at most for each that may be under
// way: more would mostly wait in vain, and hold memory meanwhile.
const waitingPerPlace = 10

func newBulkhead(p *plan.Bulkhead) *bulkhead {
	if p == nil || p.Concurrency <= 0 {
		return nil
	}
	return &bulkhead{Bulkhead: *p, room: semaphore.NewWeighted(int64(p.Concurrency))}
}

// wait waits for room, if there is room to wait.
func (b *bulkhead) wait(ctx context.Context) bool {
	if b.Queue <= 0 {
		return false
	}
	defer b.waiting.Add(-1)
	if b.waiting.Add(1) > waitingPerPlace*int64(b.Concurrency) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, b.Queue)
	defer cancel()
	return b.room.Acquire(ctx, 1) == nil
}

// enter waits for room among the requests that are under way. leave must be
// called after the answer was read.
func (k *call) enter(outer, ctx context.Context) (leave func(), fail *Failure) {
	b := k.bulkhead
	if b == nil {
		return func() {}, nil
	}
	if b.room.TryAcquire(1) || b.wait(ctx) {
		return func() { b.room.Release(1) }, nil
	}
	if ctx.Err() != nil {
		return nil, k.failed(outer, ctx.Err())
	}
	return nil, &Failure{
		Kind:    KindBusy,
		Message: fmt.Sprintf("%s is answering %d requests of this server, which is as many as it gets at once.", k.name, b.Concurrency),
		Next:    "Make fewer calls at once.",
		Retry:   result.RetryAfter(max(b.Queue, time.Second)),
	}
}

// budget bounds retries: each request earns a tenth of one, and ten can be
// saved up. When everything fails, retries then add a tenth of the load and not a
// multiple of it.
type budget struct {
	mu     sync.Mutex
	tenths int
}

const (
	maxBudget = 100 // tenths
	perRetry  = 10
)

func newBudget() *budget { return &budget{tenths: maxBudget} }

func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tenths = min(b.tenths+1, maxBudget)
}

// spend pays for a retry, or says that it cannot be paid for.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tenths < perRetry {
		return false
	}
	b.tenths -= perRetry
	return true
}
