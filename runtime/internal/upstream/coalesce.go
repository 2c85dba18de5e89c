package upstream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
)

// flights are requests that are under way and may be joined. They are safe for
// concurrent use. This is not x/sync/singleflight: a flight that nobody waits
// for any more ends, and its key is compared as it is, so that no text of a
// caller can make it another's.
type flights struct {
	mu    sync.Mutex
	byKey map[flightKey]*flight
}

// flightKey is a request of one principal. Whether a kept answer is asked about
// makes a difference: 304 is no answer for who has none.
type flightKey struct {
	cacheKey
	etag string
}

// flight is one of them. What it ended with is set before done is closed.
type flight struct {
	path   string // of the request; see pathOf
	done   chan struct{}
	cancel context.CancelFunc

	// Guarded by flights.mu while the flight can be joined.
	waiting int
	joined  bool

	answer *Answer
	err    error
	panic  any
}

// join waits for the flight of key, which fly makes when there is none: until it
// ends, or who waits is gone, or end. The flight ends when nobody waits for it.
// led tells whether it was made for this call.
func (f *flights) join(ctx context.Context, end time.Time, key flightKey, path string, fly func(context.Context) (*Answer, error)) (a *Answer, led bool, err error) {
	f.mu.Lock()
	one := f.byKey[key]
	if one == nil {
		if f.byKey == nil {
			f.byKey = map[flightKey]*flight{}
		}
		led = true
		one = &flight{path: path, done: make(chan struct{})}
		// What is known of who asks first comes along, his going away does not.
		var on context.Context
		on, one.cancel = context.WithCancel(context.WithoutCancel(ctx))
		f.byKey[key] = one
		go f.run(on, key, one, fly)
	} else {
		one.joined = true
	}
	one.waiting++
	f.mu.Unlock()
	if !led { // whose own time is not that of the flight
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end)
		defer cancel()
	}

	select {
	case <-one.done:
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		if one.waiting--; one.waiting == 0 {
			f.forget(key, one)
			one.cancel()
		}
		return nil, led, ctx.Err()
	}
	if one.panic != nil {
		panic(one.panic) // in the call it belongs to
	}
	if one.answer != nil && one.joined {
		return one.answer.clone(), led, one.err
	}
	return one.answer, led, one.err
}

func (f *flights) run(ctx context.Context, key flightKey, one *flight, fly func(context.Context) (*Answer, error)) {
	defer func() {
		if r := recover(); r != nil {
			one.panic = fmt.Sprintf("%v\n%s", r, debug.Stack())
		}
		one.cancel()
		f.mu.Lock()
		f.forget(key, one)
		f.mu.Unlock()
		close(one.done)
	}()
	one.answer, one.err = fly(ctx)
}

// changed ends joining of requests for a path: who asks from now on is to see what
// was changed.
func (f *flights) changed(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, one := range f.byKey {
		if one.path == path {
			f.forget(key, one)
		}
	}
}

// forget ends joining. f.mu is held.
func (f *flights) forget(key flightKey, one *flight) {
	if f.byKey[key] == one {
		delete(f.byKey, key)
	}
}

// joined is do for requests that may be made once for several calls of a
// principal.
func (c *Client) joined(ctx context.Context, p principal.Principal, key flightKey, path string, req *request.Request, security [][]string) (*Answer, error) {
	if !c.coalesce {
		return c.do(ctx, p, req, security)
	}
	key.who = p // also where kept answers are for all
	k := &call{Client: c, who: p, req: req, start: time.Now()}
	end := k.start.Add(c.timeout)
	fly := func(ctx context.Context) (*Answer, error) { return c.do(ctx, p, req, security) }
	for {
		a, led, err := c.flights.join(ctx, end, key, path, fly)
		switch f, failed := errors.AsType[*Failure](err); {
		case err == nil:
			return a, nil
		case !failed:
			return nil, k.failed(ctx, err)
		case f.Kind == KindTimeout && !led && ctx.Err() == nil && time.Now().Before(end):
			// The time of who asked first was up, this call's is not.
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end)
			defer cancel()
		default:
			return nil, err
		}
	}
}
