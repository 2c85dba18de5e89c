package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// AdminAddress is where the spec wants operators to be served; "" is nowhere.
func (s *Server) AdminAddress() string {
	if o := s.bridge.plan.Observe; o != nil {
		return o.Admin
	}
	return ""
}

// Scheme is the scheme of the URL that [Server.Serve] serves clients at.
func (s *Server) Scheme() string {
	if s.bridge.plan.TLS != nil {
		return "https"
	}
	return "http"
}

// ServeAdmin serves operators on l until ctx ends; see [Server.AdminHandler].
func (s *Server) ServeAdmin(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s.AdminHandler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.bridge.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { _ = h.Close() })()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve operators at %s: %w", l.Addr(), err)
	}
	return nil
}

// AdminHandler answers operators: /metrics for Prometheus, /healthz whether the
// process lives, /readyz whether it takes calls, /info what it is and how its
// upstreams are. Only a spec with observe { admin } has metrics and notes how
// calls of upstreams end.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, kind string, body []byte) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client went away
	}
	const text = "text/plain; charset=utf-8"
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, text, []byte("alive\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := s.front.Unready(); why != "" {
			say(w, http.StatusServiceUnavailable, text, []byte(why+"\n"))
			return
		}
		say(w, http.StatusOK, text, []byte("ready\n"))
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		o := s.line.now.Load().bridge.observer
		if o == nil || o.Metrics == nil {
			say(w, http.StatusNotFound, text, []byte("there are no metrics\n"))
			return
		}
		ready := 0
		if s.front.Unready() == "" {
			ready = 1
		}
		b := fmt.Appendf(nil, "# HELP mcpc_ready Whether calls are taken: 1, or 0 while draining or while the audit log cannot be written.\n# TYPE mcpc_ready gauge\nmcpc_ready %d\n", ready)
		b = fmt.Appendf(b, "# HELP mcpc_calls_in_flight Calls of clients that are under way.\n# TYPE mcpc_calls_in_flight gauge\nmcpc_calls_in_flight %d\n", s.line.inFlight.Load())
		r := s.Reloads()
		b = fmt.Appendf(b, "# HELP mcpc_reloads_total Times that a changed configuration was to be used.\n# TYPE mcpc_reloads_total counter\nmcpc_reloads_total{outcome=\"ok\"} %d\nmcpc_reloads_total{outcome=\"failed\"} %d\n", r.Done, r.Failed)
		b = fmt.Appendf(b, "# HELP mcpc_loaded_timestamp_seconds When the configuration in use came into use.\n# TYPE mcpc_loaded_timestamp_seconds gauge\nmcpc_loaded_timestamp_seconds %d\n", r.Loaded.Unix())
		if stores := s.line.now.Load().bridge.stores; len(stores) > 0 {
			b = append(b, "# HELP mcpc_limit_store_up Whether a store of rate limits answered last; while it does not, on_error holds.\n# TYPE mcpc_limit_store_up gauge\n"...)
			for _, k := range stores {
				up := 0
				if k.Up() {
					up = 1
				}
				b = fmt.Appendf(b, "mcpc_limit_store_up{store=%q} %d\n", k.Name(), up)
			}
		}
		say(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", o.Metrics.Append(b))
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(s.line.now.Load().info(), "", "  ")
		if err != nil {
			say(w, http.StatusInternalServerError, text, []byte("no information\n"))
			return
		}
		say(w, http.StatusOK, "application/json", append(b, '\n'))
	})
	return mux
}

// info is what /info answers.
type info struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started"`
	// Config is a digest of the plan: two servers with the same one, built by the
	// same version, do the same.
	Config    string            `json:"config"`
	Loaded    time.Time         `json:"loaded"` // when it came into use
	Reloads   reloadInfo        `json:"reloads"`
	Build     map[string]string `json:"build"`
	Tools     int               `json:"tools"`
	InFlight  int64             `json:"in_flight"` // calls of clients
	Upstreams []upstreamInfo    `json:"upstreams"`
	Audit     *auditInfo        `json:"audit,omitempty"`
}

// reloadInfo tells of reloads. Failure is why the last one failed, if it did.
type reloadInfo struct {
	Done     int        `json:"done"`
	Failed   int        `json:"failed"`
	Failure  string     `json:"failure,omitempty"`
	FailedAt *time.Time `json:"failed_at,omitempty"`
}

// upstreamInfo is how the calls of an upstream have gone. It has no addresses.
type upstreamInfo struct {
	Name        string            `json:"name"`
	InFlight    int               `json:"in_flight"`
	Calls       map[string]uint64 `json:"calls"` // by class of the status, or kind of the failure
	Success     *time.Time        `json:"last_success,omitempty"`
	Failure     *time.Time        `json:"last_failure,omitempty"`
	FailureKind string            `json:"last_failure_kind,omitempty"`
	Breaker     string            `json:"breaker,omitempty"`
	// OpenBreakers counts the tenants and hosts whose breaker is not closed.
	OpenBreakers int `json:"open_breakers,omitempty"`
}

// auditInfo is where the audit log ends. Kept elsewhere, it shows when lines are
// taken off the end; see `mcpc audit verify --head`.
type auditInfo struct {
	Lines uint64 `json:"lines"`
	Head  string `json:"head"`
}

// Config is a digest of the plan that is served now: two servers with the same
// one, built by the same version, do the same.
func (s *Server) Config() string { return s.line.now.Load().config() }

func (s *Server) config() string {
	s.digested.Do(func() {
		sum := sha256.Sum256(plan.Encode(s.bridge.plan))
		s.digest = hex.EncodeToString(sum[:])
	})
	return s.digest
}

func (s *Server) info() info {
	p, r := s.bridge.plan, s.Reloads()
	out := info{Name: p.Name, Version: p.Version, Started: s.line.started, Config: s.config(), Loaded: r.Loaded,
		Reloads: reloadInfo{Done: r.Done, Failed: r.Failed, Failure: r.Failure, FailedAt: some(r.Failing)},
		Tools:   len(p.Tools), InFlight: s.line.inFlight.Load(), Build: map[string]string{}, Upstreams: []upstreamInfo{}}
	for i := range p.Upstreams {
		u := upstreamInfo{Name: p.Upstreams[i].Name, Calls: map[string]uint64{}}
		if h, ok := s.bridge.clients[u.Name].Health(); ok {
			u.InFlight, u.Success, u.Failure, u.FailureKind = h.InFlight, some(h.Success), some(h.Failure), h.FailureKind
			u.Breaker, u.OpenBreakers = h.Breaker, h.OpenBreakers
			maps.Copy(u.Calls, h.Calls)
		}
		out.Upstreams = append(out.Upstreams, u)
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		out.Build["go"], out.Build["module"], out.Build["version"] = b.GoVersion, b.Main.Path, b.Main.Version
		for _, x := range b.Settings {
			if x.Key == "vcs.revision" {
				out.Build["revision"] = x.Value
			}
		}
	}
	if o := s.bridge.observer; o != nil {
		if c, ok := o.AuditEnd(); ok {
			out.Audit = &auditInfo{c.Lines, c.Head}
		}
	}
	return out
}

// some is a time, or nil for none.
func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
