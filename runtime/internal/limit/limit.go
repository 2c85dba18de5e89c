// Package limit bounds how often and how many at once calls are made, each key
// for itself.
//
// A rate is GCRA, a bucket of tokens in one number: the time from which on the
// bucket is full again. A key whose time has passed, and that has no calls
// running, is as one that was never seen, so it is forgotten; nothing else has to
// be kept of anybody.
package limit

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Bounds of the keys that a limit keeps.
const (
	shards = 16
	// maxKeys is how many keys that are not idle a shard holds. When there are
	// more, those that owe least are forgotten: they lose what they owe.
	maxKeys = 8 << 10
	// sweepEvery is how often a shard looks for idle keys, when it is used.
	sweepEvery = time.Minute
)

// Limit is a plan's limit. It is safe for concurrent use.
type Limit struct {
	plan  *plan.CallLimit
	key   expr.Func // nil: one key
	cost  expr.Func // nil: 1
	seeds [2]maphash.Seed
	shard [shards]shard
	start time.Time // time is counted from here
}

type shard struct {
	mu    sync.Mutex
	keys  map[key]*state
	sweep int           // the number of keys at which to look for idle ones
	swept time.Duration // when that was done last
}

// key is the hash of a key: whatever a client writes into it, it is as long. With
// two seeds of the process's own, nobody can make two keys that are one.
type key [2]uint64

// state is what is known of a key.
type state struct {
	full    time.Duration // when the bucket is full again
	running int
	waiting []chan struct{} // for their turn, the first one first
	holds   int             // calls that look at it; it is not to be forgotten
}

// New makes a limit of a plan's.
func New(p *plan.CallLimit) (*Limit, error) {
	l := &Limit{plan: p, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, start: time.Now()}
	for _, x := range []struct {
		what string
		expr *plan.Expr
		to   *expr.Func
	}{{"key", p.Key, &l.key}, {"cost", p.Cost, &l.cost}} {
		if x.expr == nil {
			continue
		}
		var err error
		if *x.to, err = expr.Compile(*x.expr); err != nil {
			return nil, fmt.Errorf("rate limit %s: %s: %w", p.Name, x.what, err)
		}
	}
	if p.Every < 0 || p.Every > 0 && p.Burst < 1 {
		return nil, fmt.Errorf("rate limit %s: a rate needs a burst of at least 1", p.Name)
	}
	return l, nil
}

// Refusal says that a call would exceed a limit.
type Refusal struct {
	Limit string
	// After is when to call again; 0: never, because the call costs more than the
	// limit ever has.
	After time.Duration
	// Err is why the call did not wait any longer: its context has ended.
	Err error
}

// Pass is a call that a limit has let through.
type Pass struct {
	limit *Limit
	shard *shard
	state *state
	cost  time.Duration
}

// Take lets a call through, or refuses it. It waits for the call's turn for as
// long as the plan says. What is let through must be given back by [Pass.Done].
func (l *Limit) Take(ctx context.Context, env *expr.Env) (Pass, *Refusal) {
	cost := l.price(env)
	if l.plan.Every > 0 && cost > time.Duration(l.plan.Burst)*l.plan.Every {
		return Pass{}, &Refusal{Limit: l.plan.Name}
	}
	k := l.keyOf(env)
	p := Pass{limit: l, shard: &l.shard[k[0]%shards], cost: cost}
	began := time.Since(l.start)

	p.shard.mu.Lock()
	p.state = p.shard.get(k, began)
	p.state.holds++
	if n := l.plan.Concurrency; n > 0 {
		if p.state.running >= n {
			turn := make(chan struct{}, 1)
			if l.plan.Queue > 0 {
				p.state.waiting = append(p.state.waiting, turn)
			}
			p.shard.mu.Unlock()
			if r := p.wait(ctx, turn); r != nil {
				return Pass{}, r
			}
			p.shard.mu.Lock() // running counts this call already
		} else {
			p.state.running++
		}
	}
	if l.plan.Every == 0 {
		p.shard.mu.Unlock()
		return p, nil
	}
	now := time.Since(l.start)
	full := max(p.state.full, now) + cost
	delay := full - now - time.Duration(l.plan.Burst)*l.plan.Every // until there is enough in the bucket
	if left := l.plan.Queue - (now - began); delay > max(left, 0) {
		p.leave()
		p.shard.mu.Unlock()
		return Pass{}, &Refusal{Limit: l.plan.Name, After: delay}
	}
	p.state.full = full
	p.shard.mu.Unlock()
	if delay <= 0 {
		return p, nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return p, nil
	case <-ctx.Done():
		p.Undo()
		return Pass{}, &Refusal{Limit: l.plan.Name, After: delay, Err: ctx.Err()}
	}
}

// wait waits for the turn of a call where others are running.
func (p *Pass) wait(ctx context.Context, turn chan struct{}) *Refusal {
	r := &Refusal{Limit: p.limit.plan.Name, After: time.Second}
	if p.limit.plan.Queue > 0 {
		timer := time.NewTimer(p.limit.plan.Queue)
		defer timer.Stop()
		select {
		case <-turn:
			return nil
		case <-timer.C:
		case <-ctx.Done():
			r.Err = ctx.Err()
		}
	}
	p.shard.mu.Lock()
	defer p.shard.mu.Unlock()
	for i, w := range p.state.waiting {
		if w == turn {
			p.state.waiting = append(p.state.waiting[:i], p.state.waiting[i+1:]...)
			p.state.holds--
			return r
		}
	}
	if p.limit.plan.Queue > 0 { // it came to be its turn meanwhile: the next one's, then
		p.leave()
		return r
	}
	p.state.holds--
	return r
}

// leave ends a call that was counted as running. The shard is locked.
func (p *Pass) leave() {
	p.state.holds--
	if p.limit.plan.Concurrency == 0 {
		return
	}
	if len(p.state.waiting) > 0 {
		p.state.waiting[0] <- struct{}{}
		p.state.waiting = p.state.waiting[1:]
		return // the place is taken over
	}
	p.state.running--
}

// Done ends a call.
func (p *Pass) Done() {
	p.shard.mu.Lock()
	p.leave()
	p.shard.mu.Unlock()
}

// Undo ends a call that was not made: it costs nothing.
func (p *Pass) Undo() {
	p.shard.mu.Lock()
	if p.limit.plan.Every > 0 {
		p.state.full -= p.cost
	}
	p.leave()
	p.shard.mu.Unlock()
}

// keyOf is the key of a call. Calls for which it cannot be made share one.
func (l *Limit) keyOf(env *expr.Env) key {
	if l.key == nil {
		return key{}
	}
	var buf [128]byte
	text := buf[:0]
	if v, err := l.key(env); err == nil {
		text = function.AppendJSON(text, v)
	}
	return key{maphash.Bytes(l.seeds[0], text), maphash.Bytes(l.seeds[1], text)}
}

// price is what a call costs, in time of the rate. A cost that is no number is 1.
func (l *Limit) price(env *expr.Env) time.Duration {
	cost := 1.0
	if l.cost != nil {
		if v, err := l.cost(env); err == nil {
			if n, ok := v.(json.Number); ok {
				if f, err := strconv.ParseFloat(string(n), 64); err == nil && f >= 0 {
					cost = f
				}
			}
		}
	}
	if d := cost * float64(l.plan.Every); d < math.MaxInt64/4 {
		return time.Duration(d)
	}
	return math.MaxInt64 / 4
}

// get finds or makes the state of a key. The shard is locked.
func (s *shard) get(k key, now time.Duration) *state {
	if len(s.keys) > s.sweep || len(s.keys) > 0 && now-s.swept > sweepEvery {
		s.forget(now)
	}
	if found := s.keys[k]; found != nil {
		return found
	}
	if s.keys == nil {
		s.keys = map[key]*state{}
	}
	if len(s.keys) >= maxKeys {
		s.forgetOne()
	}
	st := &state{}
	s.keys[k] = st
	return st
}

// forget drops the keys that are idle. The others move to a new map: one from
// which much was deleted stays as large as it was.
func (s *shard) forget(now time.Duration) {
	live := map[key]*state{}
	for k, st := range s.keys {
		if st.full > now || st.holds > 0 {
			live[k] = st
		}
	}
	s.keys, s.sweep, s.swept = live, max(64, 2*len(live)), now
}

// forgetOne drops a key that owes little: the least of a few.
func (s *shard) forgetOne() {
	var least key
	var found *state
	n := 0
	for k, st := range s.keys {
		if st.holds == 0 && (found == nil || st.full < found.full) {
			least, found = k, st
		}
		if n++; n == 8 && found != nil {
			break
		}
	}
	if found != nil { // calls in flight are bounded elsewhere
		delete(s.keys, least)
	}
}

// Keys is how many keys are kept.
func (l *Limit) Keys() int {
	n := 0
	for i := range l.shard {
		s := &l.shard[i]
		s.mu.Lock()
		n += len(s.keys)
		s.mu.Unlock()
	}
	return n
}
