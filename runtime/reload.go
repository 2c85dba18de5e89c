package runtime

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// line is of the servers that follow one another by [Server.Reload], and what
// they share. Whichever of them serves, the one of the moment answers.
type line struct {
	now      atomic.Pointer[Server]
	inFlight atomic.Int64 // calls
	stdio    atomic.Bool  // there is a client on stdio
	revoked  chan error   // holds why the client on stdio is served no more
	started  time.Time
	look     time.Duration // between two looks at the credential of the client on stdio

	reloading sync.Mutex // one at a time
	mu        sync.Mutex
	state     Reloads
}

// revoke ends the session of the client on stdio.
func (l *line) revoke(why error) {
	select {
	case l.revoked <- why:
	default: // it is ending already
	}
}

// Reloads are what came of the reloads of a server.
type Reloads struct {
	Loaded time.Time // when the plan in use came into use
	Done   int       // that replaced the plan
	Failed int
	// Failure is why the last reload failed; "" when it did not. Failing is when.
	Failure string
	Failing time.Time
}

func newLine(s *Server) *line {
	l := &line{revoked: make(chan error, 1), started: time.Now().UTC().Truncate(time.Second), look: time.Minute}
	l.state.Loaded = l.started
	l.now.Store(s)
	return l
}

// Reload has another plan, or the same one with files that have changed, served
// from now on, where s or one before it is served. Calls in flight are finished
// by the plan that they came to, and what only that one needs is closed after
// the last of them. Clients that listen are told of the lists that are different
// for them. s itself stays what it was: its methods that call tools go by its own
// plan.
//
// What is the same in both plans goes on as it is: upstreams with their
// connections, breakers, caches, tokens and sessions, access tokens that were
// verified, the log, the audit log and all counts. What clients have used up of a
// rate limit is kept also when its numbers are other ones.
//
// When the plan refuses the credential of a client on stdio, nothing more is taken
// from it, and [Server.ServeStdio] ends with an error.
//
// The options are those of [New], of which Reloads, DrainDelay, DrainTimeout and
// what is about HTTP hosts stay as they were. When there is an error, nothing has
// changed. restart names what is different and in use only after a restart.
func (s *Server) Reload(p *plan.Server, o Options) (restart []string, err error) {
	l := s.line
	l.reloading.Lock()
	defer l.reloading.Unlock()
	old := l.now.Load()
	o.Reloads, o.DrainDelay, o.DrainTimeout = old.bridge.options.Reloads, old.bridge.options.DrainDelay, old.bridge.options.DrainTimeout
	o.AllowedHosts, o.AllowedOrigins = old.bridge.options.AllowedHosts, old.bridge.options.AllowedOrigins
	b, err := newBridge(p, o, old.bridge)
	if err != nil {
		return nil, err
	}
	var gate *identity.Gate
	if b.secrets.same(old.bridge.secrets, p.Identities) {
		gate = old.gate
	}
	next, err := b.server(old.native, gate)
	var refused *refusedError
	if err == nil {
		next.line = l
		if l.stdio.Load() {
			caller, lerr := next.local(context.Background())
			if errors.As(lerr, &refused) {
				next.front.RefuseCaller()
			} else {
				next.front.SetCaller(caller)
				err = lerr
			}
		}
	}
	if err != nil {
		b.close(old.bridge)
		return nil, err
	}
	for _, l := range b.limits {
		l.Begin()
	}
	for _, name := range b.anew {
		b.log.Warn("a rate limit counts something else than before: what clients used up of it is forgotten", "limit", name)
	}
	l.now.Store(next)
	next.Refresh()
	old.front.Replace(next.front, func() {
		old.bridge.close(next.bridge)
		old.gate.Release(next.gate)
	})
	if refused != nil {
		l.revoke(fmt.Errorf("the plan that was reloaded ends the client's session: %w", refused))
	}
	l.mu.Lock()
	l.state.Done++
	l.state.Loaded, l.state.Failure = time.Now().UTC().Truncate(time.Second), ""
	l.mu.Unlock()

	was, is := old.bridge.plan, p
	if was.Listen != is.Listen {
		restart = append(restart, "listen")
	}
	if (was.TLS == nil) != (is.TLS == nil) {
		restart = append(restart, "tls")
	}
	if ofListener(was.Inbound) != ofListener(is.Inbound) {
		restart = append(restart, "limits of connections and headers")
	}
	if old.AdminAddress() != next.AdminAddress() {
		restart = append(restart, "admin")
	}
	return restart, nil
}

// ofListener are the limits that a listener keeps as long as it lives.
func ofListener(in *plan.Inbound) plan.Inbound {
	d := in.OrDefaults()
	return plan.Inbound{
		Headers: d.Headers, HeaderCount: d.HeaderCount,
		Connections: d.Connections, ConnectionRequests: d.ConnectionRequests, ConnectionStreams: d.ConnectionStreams,
		HeaderTimeout: d.HeaderTimeout, RequestTimeout: d.RequestTimeout, IdleTimeout: d.IdleTimeout, WriteTimeout: d.WriteTimeout,
	}
}

// Refresh has the files of certificates and authorities, which are looked at once
// a minute, read again at their next use. Secrets are read at every use anyway.
func (s *Server) Refresh() {
	now := s.line.now.Load()
	now.cert.refresh()
	now.gate.Refresh()
	for _, c := range now.bridge.clients {
		c.Refresh()
	}
}

// ReloadFailed notes that there is no plan to reload: operators are told, the
// server goes on.
func (s *Server) ReloadFailed(why string) {
	l := s.line
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Failed++
	l.state.Failure, l.state.Failing = why, time.Now().UTC().Truncate(time.Second)
}

// Reloads tells what came of reloads.
func (s *Server) Reloads() Reloads {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	return s.line.state
}

// close closes what b has and other has not. Either may be nil.
func (b *Bridge) close(other *Bridge) {
	if b == nil {
		return
	}
	for name, c := range b.clients {
		switch {
		case other == nil:
			c.Close()
		case other.clients[name] != c:
			c.Close()
			go func() { // it talks to the service
				c.End(context.Background(), other.clients[name])
				c.Close()
			}()
		}
	}
	for _, k := range b.stores {
		if other == nil || !slices.Contains(other.stores, k) {
			k.Close()
		}
	}
	if b.observer != nil {
		b.observer.Release()
	}
	b.files.release()
}

// Close ends what the bridge holds: connections to upstreams that are idle, those to
// stores, logs. Calls that come later are not recorded, and what a store would
// decide is decided as when it does not answer.
func (b *Bridge) Close() { b.close(nil) }

// observing is the observer of a bridge that may be nil.
func (b *Bridge) observing() *observe.Observer {
	if b == nil {
		return nil
	}
	return b.observer
}

// client is what a bridge that may be nil has for an upstream; nil when secrets of
// it come from elsewhere.
func (b *Bridge) client(u *plan.Upstream, s *secrets) *upstream.Client {
	if b == nil || !b.secrets.same(s, u) {
		return nil
	}
	return b.clients[u.Name]
}

// same tells whether the secrets of a part of a plan are looked for in the same
// places, and those that were given are the same.
func (s *secrets) same(other *secrets, part any) bool {
	same := true
	eachSecret(reflect.ValueOf(part), func(ref plan.Secret) {
		a, given := s.named[ref.Name]
		b, was := other.named[ref.Name]
		same = same && given == was && a.Reveal() == b.Reveal() && reflect.DeepEqual(s.sources[ref.Name], other.sources[ref.Name])
	})
	return same
}

// store is what a bridge that may be nil has for a store; nil when it has none, or
// its secrets come from elsewhere.
func (b *Bridge) store(p *plan.Store, s *secrets) *limit.Keeper {
	if b == nil || !b.secrets.same(s, p) || !slices.ContainsFunc(b.plan.Stores, func(was plan.Store) bool { return reflect.DeepEqual(was, *p) }) {
		return nil
	}
	i := slices.IndexFunc(b.stores, func(k *limit.Keeper) bool { return k.Name() == p.Name })
	if i < 0 {
		return nil
	}
	return b.stores[i]
}

// limit is the limit of a bridge that may be nil that counts as one of p does, in
// the same store; which calls are counted may be different.
func (b *Bridge) limit(p *plan.Server, l *plan.CallLimit, keeper *limit.Keeper) *limit.Limit {
	if b == nil {
		return nil
	}
	i := slices.IndexFunc(b.plan.Limits, func(was plan.CallLimit) bool {
		was.Tools = l.Tools
		return reflect.DeepEqual(was, *l)
	})
	if i < 0 || b.limits[i].Keeper() != keeper || keeper != nil && b.plan.Name != p.Name {
		return nil
	}
	return b.limits[i]
}

// limitNamed is the limit of that name of a bridge that may be nil; nil: there is
// none.
func (b *Bridge) limitNamed(name string) *limit.Limit {
	if b == nil {
		return nil
	}
	if i := slices.IndexFunc(b.plan.Limits, func(l plan.CallLimit) bool { return l.Name == name }); i >= 0 {
		return b.limits[i]
	}
	return nil
}
