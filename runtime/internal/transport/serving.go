package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// serving counts the requests in flight and says when the server ends.
type serving struct {
	leaving  atomic.Bool // not ready any more; calls are still taken
	draining atomic.Bool
	inFlight atomic.Int64
	idle     chan struct{} // gets a value when the last request leaves a draining server
}

// enter counts a request in; it is false when no more are taken.
func (s *serving) enter() bool {
	s.inFlight.Add(1)
	if s.draining.Load() {
		s.leave()
		return false
	}
	return true
}

func (s *serving) leave() {
	if s.inFlight.Add(-1) == 0 && s.draining.Load() {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// Unready is why calls should be sent elsewhere; "" is that they are taken.
func (f *Front) Unready() string {
	if f.Draining() {
		return "draining"
	}
	if now := f.host.now.Load(); now.unready != nil {
		return now.unready()
	}
	return ""
}

// Draining tells whether the server is about to end.
func (f *Front) Draining() bool { return f.serving.leaving.Load() || f.serving.draining.Load() }

// endpoint is a [Front] behind the host names of one listener.
type endpoint struct {
	*Front
	hosts allowList
}

// Handler serves Streamable HTTP at /mcp, and /healthz and /readyz. A caller
// that puts it into a server of its own sets the time limits there.
func (f *Front) Handler() http.Handler { return &endpoint{f, f.hosts} }

// Serve serves l until ctx ends, and then drains: readiness ends first; when
// [Options].Leave has passed, new calls are refused, those in flight have the
// drain time to finish, and only then the listener closes. It returns nil after that, whether or not
// some call had to be cut off.
func (f *Front) Serve(ctx context.Context, l net.Listener) error {
	hosts := f.hosts
	if host, _, err := net.SplitHostPort(l.Addr().String()); err == nil {
		// An address that was bound explicitly is a name of this server; the
		// unspecified one is not a name of anything.
		if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
			hosts = hosts.with(host)
		}
	}
	counted := newConnections(l, f.limits, f.tls != nil)
	l = counted
	s := &http.Server{
		Handler:           &endpoint{f, hosts},
		ReadHeaderTimeout: f.limits.HeaderTimeout,
		ReadTimeout:       f.limits.RequestTimeout,
		IdleTimeout:       f.limits.IdleTimeout,
		MaxHeaderBytes:    2 * int(f.limits.Headers), // see [Front.headers]
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: f.limits.ConnectionStreams},
		ConnState:         counted.state,
		ConnContext:       withSocket,
		ErrorLog:          slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
		// Not ctx itself: its end must not cancel the calls that may finish.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if f.tls == nil { // the state of an encrypted connection is net/http's
		l = park(s, l, parkAfter)
	}
	ended := make(chan error, 1)
	go func() {
		if f.tls != nil {
			s.TLSConfig = f.connecting()
			ended <- s.ServeTLS(l, "", "")
			return
		}
		ended <- s.Serve(l)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}

	f.serving.leaving.Store(true)
	if f.leave > 0 {
		// Whoever sends calls here has to notice first.
		f.log.InfoContext(ctx, "not ready any more", "calls_are_taken_for", f.leave)
		select {
		case err := <-ended:
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		case <-time.After(f.leave):
		}
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.drain)
	defer cancel()
	f.serving.draining.Store(true)
	f.host.endSubscribers()
	if n := f.serving.inFlight.Load(); n > 0 {
		f.log.InfoContext(ctx, "draining", "in_flight", n, "deadline", f.drain)
		select {
		case <-f.serving.idle:
		case <-deadline.Done():
		}
	}
	if err := s.Shutdown(deadline); err != nil {
		f.log.WarnContext(ctx, "calls were cut off by the end of the server", "in_flight", f.serving.inFlight.Load())
		_ = s.Close() // what it would report, Shutdown already has
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		f.log.WarnContext(ctx, "the listener ended by itself", "error", err)
	}
	return nil
}
