package upstream

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"golang.org/x/sync/semaphore"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// breakers stop calling an upstream that fails, for a while. What fails for one
// tenant may work for another, whose credentials and addresses are others, so
// each has a breaker. They are safe for concurrent use.
type breakers struct {
	plan.Breaker
	mu       sync.Mutex
	byTenant map[string]circuitbreaker.CircuitBreaker[any]
}

// maxTenants bounds the breakers that are kept. Tenants are the operator's, so
// there are few; the bound is for a mistake.
const maxTenants = 10_000

func newBreakers(p *plan.Breaker) *breakers {
	if p == nil || p.Failures <= 0 {
		return nil
	}
	return &breakers{Breaker: *p, byTenant: map[string]circuitbreaker.CircuitBreaker[any]{}}
}

func (b *breakers) of(p principal.Principal) circuitbreaker.CircuitBreaker[any] {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.byTenant[p.Tenant]
	if c == nil {
		if len(b.byTenant) >= maxTenants {
			clear(b.byTenant)
		}
		probes := uint(max(1, b.HalfOpen)) //nolint:gosec // positive
		c = circuitbreaker.NewBuilder[any]().
			WithFailureThresholdPeriod(uint(b.Failures), b.Window). //nolint:gosec // positive
			WithDelay(b.Open).
			WithSuccessThreshold(probes).
			Build()
		b.byTenant[p.Tenant] = c
	}
	return c
}

// permit asks the breaker, if there is one. done must be called with what came
// of the attempt.
func (k *call) permit() (done func(status int, fail *Failure), fail *Failure) {
	if k.breakers == nil {
		return func(int, *Failure) {}, nil
	}
	b := k.breakers.of(k.who)
	if !b.TryAcquirePermit() {
		return nil, &Failure{
			Kind:    KindBreaker,
			Message: fmt.Sprintf("%s failed several times in a row and is not called for a while.", k.name),
			Next:    "Use other tools meanwhile. If it stays so, tell the operator of this server.",
			Retry:   result.RetryAfter(max(b.RemainingDelay(), time.Second)),
		}
	}
	return func(status int, fail *Failure) {
		// The upstream's own failures count; a 404 or a caller that went away says
		// nothing about it.
		switch {
		case fail == nil && status < http.StatusInternalServerError, fail != nil && (fail.Kind == KindRedirect || fail.Kind == KindEncoding):
			b.RecordSuccess()
		case fail == nil || fail.Kind != KindCanceled || b.IsHalfOpen(): // a probe must end one way or the other
			b.RecordFailure()
		}
	}, nil
}

// bulkhead bounds how many requests an upstream has to answer at once.
type bulkhead struct {
	plan.Bulkhead
	room *semaphore.Weighted
}

func newBulkhead(p *plan.Bulkhead) *bulkhead {
	if p == nil || p.Concurrency <= 0 {
		return nil
	}
	return &bulkhead{*p, semaphore.NewWeighted(int64(p.Concurrency))}
}

// enter waits for room among the requests that are under way. leave must be
// called after the answer was read.
func (k *call) enter(outer, ctx context.Context) (leave func(), fail *Failure) {
	b := k.bulkhead
	if b == nil {
		return func() {}, nil
	}
	leave = func() { b.room.Release(1) }
	if b.room.TryAcquire(1) {
		return leave, nil
	}
	waiting, cancel := context.WithTimeout(ctx, b.Queue)
	defer cancel()
	if b.Queue > 0 && b.room.Acquire(waiting, 1) == nil {
		return leave, nil
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

// affords tells whether a retry can be paid for.
func (b *budget) affords() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tenths >= perRetry
}

func (b *budget) spend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tenths = max(0, b.tenths-perRetry)
}
