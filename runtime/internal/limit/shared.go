package limit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Store keeps the limits of several servers. Its methods are safe for concurrent
// use, and give up when their context ends. What they decide, they decide by one
// clock, that of the store.
type Store interface {
	// Take takes a call through a limit, or says why not; a call that is refused
	// takes nothing. It is one round trip.
	Take(ctx context.Context, key string, t Terms) (Verdict, error)
	// Settle ends a call: it gives back its lease, "" for none, and charges what
	// is positive of more, and refunds what is negative.
	Settle(ctx context.Context, key, lease string, more [Measures]time.Duration) error
	// Renew makes leases last from now on, whether they are known or not.
	Renew(ctx context.Context, leases []Lease, hold time.Duration) error
	// Close ends the connections.
	Close()
}

// Measures is the number of measures.
const Measures = int(measures)

// Terms are what a call asks of a store.
type Terms struct {
	Buckets [Measures]Bucket
	Wait    time.Duration // that the call may wait until there is enough in the buckets
	Places  int           // calls that run at once; 0: any number
	Lease   string        // name of the call's place, when there are places
	Hold    time.Duration // how long it lasts unless it is renewed
}

// Bucket is what a call takes of a bucket. Room is how much it holds; 0: there is
// no such bucket.
type Bucket struct{ Cost, Need, Room time.Duration }

// Verdict is what a store says of a call.
type Verdict struct {
	Taken bool
	Busy  bool          // not taken, because all places are
	Of    Measure       // the bucket that Delay is of
	Delay time.Duration // until there is enough in the buckets: to wait when it is taken, to come back when it is not
}

// Lease is a place of a running call.
type Lease struct{ Key, ID string }

// Open makes a store. It opens no connection: that is done when the store is first
// asked.
type Open func(p *plan.Store, o StoreOptions) (Store, error)

// StoreOptions are what a store needs besides its plan.
type StoreOptions struct {
	Secret   func(plan.Secret) (string, error)
	ReadFile func(string) ([]byte, error)
}

// opener is what makes stores, when the program has linked one.
var opener atomic.Pointer[Open]

// Register says what makes stores. It is for a package that programs import to
// have them, so that others do not link a client of Redis.
func Register(open Open) { opener.Store(&open) }

// How a store that fails is treated.
const (
	// firstWait is how long calls wait for the first connection.
	firstWait = 2 * time.Second
	// A store that failed is asked again after retryMin, then after twice as long,
	// up to retryMax. When it fails again within steady, that goes on.
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
	steady   = 10 * time.Second
	// hold is how long a lease lasts; renewEvery is when it is renewed.
	hold       = 15 * time.Second
	renewEvery = hold / 3
	// A call that waits for a place asks again after pollMin, then after twice as
	// long, up to pollMax.
	pollMin = 20 * time.Millisecond
	pollMax = 200 * time.Millisecond
)

// Keeper asks a store, as long as it answers. One that does not is left alone, so
// that calls do not wait for it, and asked again in the background.
type Keeper struct {
	plan  *plan.Store
	store Store
	log   *slog.Logger
	proc  string // names this process among leases
	next  atomic.Uint64
	start sync.Once
	tried chan struct{} // closed when the store was asked for the first time
	ctx   context.Context
	stop  context.CancelFunc
	// turn counts how often the store went and came back: it is there when turn
	// is odd.
	turn atomic.Uint64

	mu      sync.Mutex
	backoff time.Duration
	since   time.Time // when it came back last
	again   time.Time // when it is asked again
	leases  map[string]*lease
	renews  bool // somebody renews them
}

// lease is a place that a call of this process has.
type lease struct {
	Lease
	left bool // the call has ended
}

// NewKeeper returns the keeper of a store.
func NewKeeper(p *plan.Store, o StoreOptions, log *slog.Logger) (*Keeper, error) {
	open := opener.Load()
	if open == nil {
		return nil, errors.New("this program cannot talk to Redis: import _ \"github.com/mcpc-dev/mcpc/runtime/redisstore\" in it")
	}
	s, err := (*open)(p, o)
	if err != nil {
		return nil, err
	}
	return newKeeper(p, s, log), nil
}

func newKeeper(p *plan.Store, s Store, log *slog.Logger) *Keeper {
	k := &Keeper{plan: p, store: s, log: log, proc: rand.Text()[:10] + "-", tried: make(chan struct{}), leases: map[string]*lease{}}
	k.ctx, k.stop = context.WithCancel(context.Background())
	return k
}

// Name is the store's.
func (k *Keeper) Name() string { return k.plan.Name }

// Up tells whether the store answered last; also before it was ever asked.
func (k *Keeper) Up() bool {
	select {
	case <-k.tried:
		return k.turn.Load()%2 == 1
	default:
		return true
	}
}

// Close ends what is done in the background, and the connections.
func (k *Keeper) Close() {
	k.stop()
	k.store.Close()
}

// base is what the keys of a limit begin with: readable, and of nothing but what
// the author of the spec wrote.
func (k *Keeper) base(server, limit string) string {
	safe := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || r == '_' || r == '.' {
				return r
			}
			return '-'
		}, s)
		return s[:min(len(s), 40)]
	}
	return k.plan.Prefix + safe(server) + ":" + safe(limit) + ":" + digest(9, server, limit)[:4] + ":"
}

// digest is a hash of texts, in as many bytes, as text.
func digest(bytes int, texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		h.Write(strconv.AppendInt(nil, int64(len(t)), 10))
		h.Write([]byte{0})
		h.Write([]byte(t))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:bytes])
}

// keyIn is a key in the store: hashes of the tenant and the key, the latter in the
// braces by which a cluster keeps what belongs together in one place.
func (l *Limit) keyIn(tenant string, text []byte) string {
	var b strings.Builder
	b.WriteString(l.base)
	if l.apart && tenant != "" {
		b.WriteString(digest(6, tenant))
		b.WriteByte(':')
	}
	b.WriteByte('{')
	b.WriteString(digest(12, l.base, string(text)))
	b.WriteByte('}')
	return b.String()
}

// share takes a call through a limit that a store keeps. asked is false when it
// could not be asked, and the limit is to be kept here.
func (l *Limit) share(ctx context.Context, d dues, tenant string, text []byte) (p Pass, r *Refusal, asked bool) {
	k := l.keeper
	p = Pass{limit: l, paid: d.costs(), key: l.keyIn(tenant, text)}
	t := Terms{Wait: l.plan.Queue, Places: l.plan.Concurrency}
	for m, room := range l.rooms {
		t.Buckets[m] = Bucket{d[m].cost, d[m].need, room}
	}
	if t.Places > 0 {
		t.Lease, t.Hold = k.proc+strconv.FormatUint(k.next.Add(1), 36), hold
	}
	began, poll := time.Now(), pollMin
	for {
		v, err := k.take(ctx, p.key, t)
		if err != nil {
			if ctx.Err() != nil {
				return Pass{}, &Refusal{Limit: l.plan.Name, After: noPlace, Err: ctx.Err()}, true
			}
			return l.unasked()
		}
		left := l.plan.Queue - time.Since(began)
		switch {
		case v.Taken:
			if t.Places > 0 {
				p.lease = k.hold(p.key, t.Lease)
			}
			p, r = p.await(ctx, v.Delay, v.Of)
			return p, r, true
		case !v.Busy:
			return Pass{}, &Refusal{Limit: l.plan.Name, Of: v.Of, After: v.Delay}, true
		case left <= 0:
			return Pass{}, &Refusal{Limit: l.plan.Name, After: noPlace}, true
		}
		// Nobody says when a place is free. Calls that wait do not all ask at once.
		if !sleep(ctx, min(left, poll/2+mathrand.N(poll))) {
			return Pass{}, &Refusal{Limit: l.plan.Name, After: noPlace, Err: ctx.Err()}, true
		}
		poll = min(2*poll, pollMax)
		t.Wait = max(0, l.plan.Queue-time.Since(began))
	}
}

// unasked is what becomes of a call whose limit could not be asked.
func (l *Limit) unasked() (p Pass, r *Refusal, asked bool) {
	switch l.plan.OnError {
	case "allow":
		return Pass{}, nil, true
	case "deny":
		k := l.keeper
		k.mu.Lock()
		after := time.Until(k.again)
		k.mu.Unlock()
		return Pass{}, &Refusal{Limit: l.plan.Name, After: max(after, time.Second), Unknown: true}, true
	}
	return Pass{}, nil, false
}

// settleShared ends a call that a store has let through.
func (l *Limit) settleShared(p *Pass, more [measures]time.Duration) {
	id := ""
	if p.lease != nil {
		id = p.lease.ID
		l.keeper.leave(p.lease)
	}
	if id == "" && more == ([measures]time.Duration{}) {
		return
	}
	l.keeper.settle(p.key, id, more)
}

// errAway is why a store is not asked.
var errAway = errors.New("the store did not answer lately")

// ready waits for the first connection, and says whether the store is to be asked,
// and which turn it is.
func (k *Keeper) ready(ctx context.Context) (uint64, error) {
	if turn := k.turn.Load(); turn%2 == 1 {
		return turn, nil
	}
	k.start.Do(func() { go k.revive(true) })
	select {
	case <-k.tried:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if turn := k.turn.Load(); turn%2 == 1 {
		return turn, nil
	}
	return 0, errAway
}

func (k *Keeper) take(ctx context.Context, key string, t Terms) (Verdict, error) {
	turn, err := k.ready(ctx)
	if err != nil {
		return Verdict{}, err
	}
	// A call that its client gives up must know what it has taken.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.plan.Timeout)
	defer cancel()
	v, err := k.store.Take(asking, key, t)
	if err != nil {
		k.failed(turn, err)
	}
	return v, err
}

func (k *Keeper) settle(key, id string, more [measures]time.Duration) {
	turn := k.turn.Load()
	if turn%2 == 0 {
		return // a lease ends by itself
	}
	ctx, cancel := context.WithTimeout(k.ctx, k.plan.Timeout)
	defer cancel()
	if err := k.store.Settle(ctx, key, id, more); err != nil {
		k.failed(turn, err)
	}
}

// failed leaves the store alone, unless it has gone or come back since the turn.
func (k *Keeper) failed(turn uint64, err error) {
	if k.ctx.Err() != nil || !k.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	k.mu.Lock()
	if time.Since(k.since) > steady {
		k.backoff = 0
	}
	k.mu.Unlock()
	k.log.Warn("a store of rate limits does not answer; on_error holds until it does", "store", k.plan.Name, "error", err)
	go k.revive(false)
}

// revive asks the store until it answers.
func (k *Keeper) revive(first bool) {
	for {
		if !first {
			k.mu.Lock()
			k.backoff = min(max(2*k.backoff, retryMin), retryMax)
			wait := k.backoff/2 + mathrand.N(k.backoff/2+1)
			k.again = time.Now().Add(wait)
			k.mu.Unlock()
			if !sleep(k.ctx, wait) {
				return
			}
		}
		wait := k.plan.Timeout
		if first {
			wait = max(wait, firstWait)
		}
		err := k.probe(wait)
		if k.ctx.Err() != nil {
			if first {
				close(k.tried)
			}
			return
		}
		if err == nil {
			k.mu.Lock()
			k.since = time.Now()
			k.mu.Unlock()
			if turn := k.turn.Add(1); turn > 1 || !first {
				k.log.Info("a store of rate limits answers", "store", k.plan.Name)
			}
		} else if first {
			k.log.Warn("a store of rate limits does not answer; on_error holds until it does", "store", k.plan.Name, "error", err)
		}
		if first {
			close(k.tried)
		}
		if err == nil {
			return
		}
		first = false
	}
}

// Check asks the store as calls do, and says how long it took to decide.
func (k *Keeper) Check(ctx context.Context) (time.Duration, error) {
	if err := k.ask(ctx); err != nil { // and connects
		return 0, err
	}
	began := time.Now()
	err := k.ask(ctx)
	return time.Since(began), err
}

// probe asks the store for so long.
func (k *Keeper) probe(wait time.Duration) error {
	ctx, cancel := context.WithTimeout(k.ctx, wait)
	defer cancel()
	return k.ask(ctx)
}

// ask has the store decide as it does for calls: one that answers pings may still
// refuse to write.
func (k *Keeper) ask(ctx context.Context) error {
	t := Terms{Wait: time.Hour}
	t.Buckets[Calls] = Bucket{time.Millisecond, time.Millisecond, time.Millisecond}
	_, err := k.store.Take(ctx, k.plan.Prefix+"probe", t)
	return err
}

// hold keeps the lease of a running call.
func (k *Keeper) hold(key, id string) *lease {
	l := &lease{Lease: Lease{key, id}}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leases[id] = l; !k.renews {
		k.renews = true
		go k.renew()
	}
	return l
}

// leave ends the lease of a call.
func (k *Keeper) leave(l *lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.leases, l.ID)
	l.left = true
}

// renew keeps the leases of running calls alive. It ends when there are none.
func (k *Keeper) renew() {
	for {
		if !sleep(k.ctx, renewEvery) {
			return
		}
		k.mu.Lock()
		held := make([]*lease, 0, len(k.leases))
		list := make([]Lease, 0, len(k.leases))
		for _, l := range k.leases {
			held, list = append(held, l), append(list, l.Lease)
		}
		if len(list) == 0 {
			k.renews = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		if turn := k.turn.Load(); turn%2 == 1 {
			ctx, cancel := context.WithTimeout(k.ctx, max(k.plan.Timeout, time.Second))
			err := k.store.Renew(ctx, list, hold)
			cancel()
			if err != nil {
				k.failed(turn, err)
			}
		}
		// A call that ended meanwhile may have given back its lease before that was
		// renewed: once more.
		var late []*lease
		k.mu.Lock()
		for _, l := range held {
			if l.left {
				late = append(late, l)
			}
		}
		k.mu.Unlock()
		for _, l := range late {
			k.settle(l.Key, l.ID, [measures]time.Duration{})
		}
	}
}
