package upstream

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// Health is how the calls of a client have gone. Answers that were kept, and calls
// that joined another, are not counted.
type Health struct {
	InFlight int
	// Calls counts those that have ended by what ended them: the class of the
	// status, as "2xx", or the kind of the failure.
	Calls map[string]uint64
	// Success is when a status below 500 came last; Failure when there was none,
	// and what there was. Zero is never.
	Success, Failure time.Time
	FailureKind      string
	// Breaker is "closed", or "open" or "half-open" when one of its breakers is: each
	// tenant and host has one. "" is none. OpenBreakers counts those that are not
	// closed.
	Breaker      string
	OpenBreakers int
}

// health gathers it. It is safe for concurrent use.
type health struct {
	inFlight atomic.Int64
	mu       sync.Mutex
	Health   // without InFlight
}

func (h *health) begin() { h.inFlight.Add(1) }

func (h *health) end(a *Answer, err error) {
	kind, good := "other", false
	if a != nil && err == nil {
		kind, good = observe.Class(a.Status), a.Status < 500
	} else if f, ok := errors.AsType[*Failure](err); ok {
		kind = f.Kind
	}
	h.inFlight.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Calls == nil {
		h.Calls = map[string]uint64{}
	}
	h.Calls[kind]++
	switch {
	case good:
		h.Success = time.Now()
	case kind == KindCanceled || kind == KindBreaker || kind == KindLimit || kind == KindBusy:
		// It says nothing of the upstream.
	default:
		h.Failure, h.FailureKind = time.Now(), kind
	}
}

// Health is how calls have gone so far; false when nobody noted it.
func (c *Client) Health() (Health, bool) {
	if c.health == nil {
		return Health{}, false
	}
	c.health.mu.Lock()
	out := c.health.Health
	out.InFlight, out.Calls = int(c.health.inFlight.Load()), maps.Clone(out.Calls)
	c.health.mu.Unlock()
	if b := c.breakers; b != nil {
		out.Breaker = "closed"
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, one := range b.of {
			switch one.State() {
			case gobreaker.StateOpen:
				out.Breaker = "open"
				out.OpenBreakers++
			case gobreaker.StateHalfOpen:
				if out.Breaker == "closed" {
					out.Breaker = "half-open"
				}
				out.OpenBreakers++
			}
		}
	}
	return out, true
}
