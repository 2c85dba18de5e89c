package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
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
// process lives, /readyz whether it takes calls, /info what it is. Only a spec
// with observe { admin } has metrics.
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
		switch o := s.bridge.observer; {
		case s.front.Draining():
			say(w, http.StatusServiceUnavailable, text, []byte("draining\n"))
		case o != nil && !o.Ready():
			say(w, http.StatusServiceUnavailable, text, []byte("the audit log cannot be written\n"))
		default:
			say(w, http.StatusOK, text, []byte("ready\n"))
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		o := s.bridge.observer
		if o == nil || o.Metrics == nil {
			say(w, http.StatusNotFound, text, []byte("there are no metrics\n"))
			return
		}
		ready := 0
		if o.Ready() && !s.front.Draining() {
			ready = 1
		}
		b := fmt.Appendf(nil, "# HELP mcpc_ready Whether calls are taken: 1, or 0 while draining or while the audit log cannot be written.\n# TYPE mcpc_ready gauge\nmcpc_ready %d\n", ready)
		b = fmt.Appendf(b, "# HELP mcpc_calls_in_flight Calls of clients that are under way.\n# TYPE mcpc_calls_in_flight gauge\nmcpc_calls_in_flight %d\n", s.inFlight.Load())
		say(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", o.Metrics.Append(b))
	})
	started := time.Now().UTC().Truncate(time.Second)
	digest := sync.OnceValue(func() string {
		sum := sha256.Sum256(plan.Encode(s.bridge.plan))
		return hex.EncodeToString(sum[:])
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(s.info(started, digest()), "", "  ")
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
	Build     map[string]string `json:"build"`
	Tools     int               `json:"tools"`
	Upstreams []string          `json:"upstreams"`
	Audit     *auditInfo        `json:"audit,omitempty"`
}

// auditInfo is where the audit log ends. Kept elsewhere, it shows when lines are
// taken off the end; see `mcpc audit verify --head`.
type auditInfo struct {
	Lines uint64 `json:"lines"`
	Head  string `json:"head"`
}

func (s *Server) info(started time.Time, digest string) info {
	p := s.bridge.plan
	out := info{Name: p.Name, Version: p.Version, Started: started, Config: digest, Tools: len(p.Tools), Build: map[string]string{}, Upstreams: []string{}}
	for i := range p.Upstreams {
		out.Upstreams = append(out.Upstreams, p.Upstreams[i].Name)
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
