// Package limit bounds how often, how many at once and with how many bytes calls
// are made, each key for itself.
//
// A rate is GCRA, a bucket of tokens in one number: the time from which on the
// bucket is full again. A key whose time has passed, and that has no calls
// running, is as one that was never seen, so it is forgotten; nothing else has to
// be kept of anybody. Bytes are counted the same way, a bucket for those that come
// in and one for those that go out; the latter are known when a call has ended, so
// that bucket can owe.
//
// A limit is kept here (this file) or by a store that several servers share
// (shared.go); the numbers are the same.
package limit

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"reflect"
	"slices"
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

// Measure is what a limit counts. Each has a bucket of its own.
type Measure uint8

// What is counted.
const (
	Calls    Measure = iota
	BytesIn          // of arguments
	BytesOut         // of results
	measures
)

// forever is longer than any limit lasts, and can still be added up.
const forever = math.MaxInt64 / 4

// Limit is a plan's limit. It is safe for concurrent use.
type Limit struct {
	plan *plan.CallLimit
	key  expr.Func // nil: one key
	cost expr.Func // nil: 1
	// apart says that the key is made of what callers say: that of one tenant is
	// not that of another, then, whatever it is.
	apart bool
	// rooms are how much the buckets hold, in time; 0 is not counted.
	rooms [measures]time.Duration

	keeper *Keeper // nil: the limit is kept here
	base   string  // of its keys in the store

	*book
	// ratios are what a debt in the book becomes when this limit takes it over from
	// another; see Begin. nil: it has none to take over.
	ratios *[measures]float64
}

// book is what a limit keeps of keys. Limits that follow one another share it.
type book struct {
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
	full    [measures]time.Duration // when the buckets are full again
	running int
	waiting []chan struct{} // for their turn, the first one first
	holds   int             // calls that look at it; it is not to be forgotten
}

// Keeper is that of the store; nil when the limit is kept here.
func (l *Limit) Keeper() *Keeper { return l.keeper }

// New makes a limit of a plan's. keeper is that of its store, and nil without one;
// server is the name of the server, which is part of the keys there.
func New(p *plan.CallLimit, server string, keeper *Keeper) (*Limit, error) {
	l := &Limit{plan: p, keeper: keeper, book: &book{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, start: time.Now()}}
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
	l.apart = ofCaller(p.Key)
	l.rooms[Calls] = time.Duration(p.Burst) * p.Every
	for m, b := range map[Measure]*plan.ByteBudget{BytesIn: p.BytesIn, BytesOut: p.BytesOut} {
		if b == nil {
			continue
		}
		if b.Bytes < 1 || b.Per <= 0 {
			return nil, fmt.Errorf("rate limit %s: a budget of %d bytes in %v", p.Name, b.Bytes, b.Per)
		}
		l.rooms[m] = b.Per
	}
	if keeper != nil {
		l.base = keeper.base(server, p.Name)
	}
	return l, nil
}

// Follow has l go on with what clients used up of a limit before it, which other
// numbers are said of; false when the two count different things. Nothing changes
// before Begin.
func (l *Limit) Follow(before *Limit) bool {
	was, is := before.plan, l.plan
	if was.Name != is.Name || l.keeper != before.keeper || l.base != before.base || !reflect.DeepEqual(was.Key, is.Key) {
		return false
	}
	var ratios [measures]float64
	for m := range ratios {
		if a, b := unit(was, Measure(m)), unit(is, Measure(m)); a > 0 {
			ratios[m] = b / a
		}
	}
	l.book, l.ratios = before.book, &ratios
	return true
}

// unit is in what time a limit gains a call or a byte; 0 is not counted.
func unit(p *plan.CallLimit, m Measure) float64 {
	b := p.BytesIn
	switch m {
	case Calls:
		return float64(p.Every)
	case BytesOut:
		b = p.BytesOut
	}
	if b == nil {
		return 0
	}
	return float64(b.Per) / float64(b.Bytes)
}

// Begin is called once when l takes the place of the limit that it follows. What a
// key owes stays the same number of calls and bytes; it is at most all that there
// is. Calls in flight of the limit before end in the same book.
func (l *Limit) Begin() {
	if l.ratios == nil {
		return
	}
	now := time.Since(l.start)
	for i := range l.shard {
		s := &l.shard[i]
		s.mu.Lock()
		for _, st := range s.keys {
			for m, r := range l.ratios {
				owed := min(float64(st.full[m]-now)*r, forever)
				if Measure(m) != BytesOut { // which may owe more
					owed = min(owed, float64(l.rooms[m]))
				}
				st.full[m] = now + time.Duration(max(owed, 0))
			}
		}
		s.mu.Unlock()
	}
	l.ratios = nil
}

// ofCaller tells whether an expression holds something that callers say.
func ofCaller(x *plan.Expr) bool {
	return x != nil && (x.Op == plan.OpArg || x.Op == plan.OpVar && x.Name == "caller" || slices.ContainsFunc(x.Args, func(a plan.Expr) bool { return ofCaller(&a) }))
}

// Ask is a call that asks a limit.
type Ask struct {
	Tenant string
	Env    *expr.Env // for the key and the cost
	Bytes  int       // of the arguments
}

// Refusal says that a call would exceed a limit.
type Refusal struct {
	Limit string
	Of    Measure // what there is too much of
	// After is when to call again; 0: never, because the call costs more than the
	// limit ever has.
	After time.Duration
	// Unknown says that the limit could not be asked, and that nothing may be done
	// then.
	Unknown bool
	// Err is why the call did not wait any longer: its context has ended.
	Err error
}

// Pass is a call that a limit has let through. The zero value is one that was not
// counted.
type Pass struct {
	limit *Limit
	paid  [measures]time.Duration
	shard *shard
	state *state
	key   string // in the store; "" when the limit is kept here
	lease *lease // of the call's place there
}

// due is what a call owes a bucket, in time.
type due struct {
	cost time.Duration // is taken
	need time.Duration // has to be there
}

// dues are what a call owes.
type dues [measures]due

// costs are what of it is taken.
func (d *dues) costs() (c [measures]time.Duration) {
	for m := range d {
		c[m] = d[m].cost
	}
	return c
}

// owe is what a call owes. never is what it takes more of than there ever is.
func (l *Limit) owe(a Ask) (d dues, never Measure, ok bool) {
	if l.plan.Every > 0 {
		cost := l.price(a.Env)
		d[Calls] = due{cost, cost}
	}
	if b := l.plan.BytesIn; b != nil {
		cost := timeOf(a.Bytes, b)
		d[BytesIn] = due{cost, cost}
	}
	if b := l.plan.BytesOut; b != nil {
		d[BytesOut] = due{0, timeOf(1, b)}
	}
	for m := range d {
		if l.rooms[m] > 0 && d[m].need > l.rooms[m] {
			return d, Measure(m), false
		}
	}
	return d, 0, true
}

// timeOf is in what time a budget gains so many bytes.
func timeOf(n int, b *plan.ByteBudget) time.Duration {
	if n <= 0 {
		return 0
	}
	d := float64(n) * float64(b.Per) / float64(b.Bytes)
	return time.Duration(min(max(d, 1), forever))
}

// Take lets a call through, or refuses it. It waits for the call's turn for as
// long as the plan says. What is let through must be given back by [Pass.Done] or
// [Pass.Undo].
func (l *Limit) Take(ctx context.Context, a Ask) (Pass, *Refusal) {
	d, never, ok := l.owe(a)
	if !ok {
		return Pass{}, &Refusal{Limit: l.plan.Name, Of: never}
	}
	var buf [128]byte
	text := l.keyOf(buf[:0], a)
	if l.keeper != nil {
		if p, r, asked := l.share(ctx, d, a.Tenant, text); asked {
			return p, r
		}
	}
	var k key
	if l.key != nil {
		k = key{maphash.Bytes(l.seeds[0], text), maphash.Bytes(l.seeds[1], text)}
	}
	p := Pass{limit: l, shard: &l.shard[k[0]%shards], paid: d.costs()}
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
	now := time.Since(l.start)
	var delay time.Duration // until there is enough in all buckets
	var of Measure
	full := p.state.full
	for m, room := range l.rooms {
		if room == 0 {
			continue
		}
		t := max(full[m], now)
		if w := t + d[m].need - now - room; w > delay {
			delay, of = w, Measure(m)
		}
		full[m] = t + d[m].cost
	}
	if left := l.plan.Queue - (now - began); delay > max(left, 0) {
		p.leave()
		p.shard.mu.Unlock()
		return Pass{}, &Refusal{Limit: l.plan.Name, Of: of, After: delay}
	}
	p.state.full = full
	p.shard.mu.Unlock()
	return p.await(ctx, delay, of)
}

// await waits until what a pass has taken is there.
func (p Pass) await(ctx context.Context, delay time.Duration, of Measure) (Pass, *Refusal) {
	if delay <= 0 {
		return p, nil
	}
	if !sleep(ctx, delay) {
		p.Undo()
		return Pass{}, &Refusal{Limit: p.limit.plan.Name, Of: of, After: delay, Err: ctx.Err()}
	}
	return p, nil
}

// sleep waits, and tells whether it was for so long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// noPlace is when to call again where too many are running: nobody knows.
const noPlace = time.Second

// wait waits for the turn of a call where others are running.
func (p *Pass) wait(ctx context.Context, turn chan struct{}) *Refusal {
	r := &Refusal{Limit: p.limit.plan.Name, After: noPlace}
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

// Done ends a call whose result has so many bytes.
func (p *Pass) Done(bytes int) {
	if p.limit == nil {
		return
	}
	var d [measures]time.Duration
	if b := p.limit.plan.BytesOut; b != nil {
		d[BytesOut] = timeOf(bytes, b)
	}
	p.settle(d)
}

// Undo ends a call that was not made: it costs nothing.
func (p *Pass) Undo() {
	if p.limit == nil {
		return
	}
	var d [measures]time.Duration
	for m := range d {
		d[m] = -p.paid[m]
	}
	p.settle(d)
}

// settle ends a call, for what it costs besides what it has paid.
func (p *Pass) settle(more [measures]time.Duration) {
	if p.key != "" {
		p.limit.settleShared(p, more)
		return
	}
	p.shard.mu.Lock()
	now := time.Since(p.limit.start)
	for m, d := range more {
		if d > 0 {
			p.state.full[m] = min(max(p.state.full[m], now)+d, forever)
		} else {
			p.state.full[m] += d
		}
	}
	p.leave()
	p.shard.mu.Unlock()
}

// keyOf appends the key of a call. Calls for which it cannot be made share one.
func (l *Limit) keyOf(text []byte, a Ask) []byte {
	if l.key == nil {
		return text
	}
	if l.apart && a.Tenant != "" {
		// JSON has no NUL in it: where the tenant ends cannot be made up.
		text = append(append(text, a.Tenant...), 0)
	}
	if v, err := l.key(a.Env); err == nil {
		text = function.AppendJSON(text, v)
	}
	return text
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
	if d := cost * float64(l.plan.Every); d < forever {
		return time.Duration(d)
	}
	return forever
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

// owes is when all buckets of a key are full again.
func (s *state) owes() time.Duration { return slices.Max(s.full[:]) }

// forget drops the keys that are idle. The others move to a new map: one from
// which much was deleted stays as large as it was.
func (s *shard) forget(now time.Duration) {
	live := map[key]*state{}
	for k, st := range s.keys {
		if st.owes() > now || st.holds > 0 {
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
		if st.holds == 0 && (found == nil || st.owes() < found.owes()) {
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
