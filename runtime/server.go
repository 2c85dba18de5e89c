// Package runtime executes a [plan.Server]: it serves the plan's tools to MCP
// clients over stdio or HTTP, and turns every call into the HTTP request the
// plan describes. It is the only part of the project that does so; a generated
// server is a plan and this package.
//
// One call goes left to right: find the tool, decode the arguments, check them
// against the input schema, build the request, send it, make the answer a
// result. What can go wrong on the way is the result's business: only a tool
// that does not exist is an error.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/policy"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/schema"
	"github.com/mcpc-dev/mcpc/runtime/internal/transport"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

type (
	// Principal is who a call is made for; the zero value is nobody known.
	Principal = principal.Principal
	// Result is what a tool call returned.
	Result = result.Result
	// Content is one piece of a Result.
	Content = result.Content
)

// ErrUnknownTool is returned, wrapped, for a tool that does not exist.
var ErrUnknownTool = transport.ErrUnknownTool

// ErrUnknownResource and ErrUnknownPrompt are returned, wrapped, for what does not
// exist, or makes no request.
var (
	ErrUnknownResource = errors.New("unknown resource")
	ErrUnknownPrompt   = errors.New("no request is made by the prompt")
)

// Options configure a [Server]. The zero value works.
type Options struct {
	// Logger gets one line per call, at debug level, or info when the call did
	// not succeed: never arguments, answers or secrets. Nil logs nothing.
	Logger *slog.Logger
	// Stderr gets the lines of the spec's own log of calls where that has no file.
	// Nil is os.Stderr.
	Stderr io.Writer
	// Unobserved leaves out what the spec wants recorded of calls, for programs that
	// only try it out.
	Unobserved bool
	// Getenv reads the environment variables that secrets are in; nil is
	// os.Getenv.
	Getenv func(string) string
	// ReadFile reads the files that secrets are in; nil is os.ReadFile. It is
	// asked again for every use, so a rotated secret is noticed.
	ReadFile func(string) ([]byte, error)
	// Secrets are values by [plan.Secret] name; they win over the environment
	// and files.
	Secrets map[string]string
	// Sources say where secrets are, by [plan.Secret] name, instead of what the
	// plan says.
	Sources map[string]plan.Secret
	// BaseURLs replace the base URLs of upstreams, by name. Operations with a
	// server of their own go there too.
	BaseURLs map[string]string
	// Middleware is put around every call, native or bridged, and around each that
	// a composite tool makes in its steps; the first is the outermost.
	Middleware []Middleware
	// Files are folders whose files an argument may name, as "file:NAME", where a
	// tool sends a file. Nothing outside of them is read, whatever links say. Only
	// a client on the same machine should have that: clients that come over HTTP
	// cannot name files, and [Server.Serve] refuses to start.
	Files []string
	// Transport sends the requests to upstreams, for tests. Nil is one made for
	// each upstream from its limits.
	Transport http.RoundTripper
	// Record is told every answer of an upstream, for recordings. It is called on
	// the goroutine of the call, several at a time.
	Record func(Exchange)
	// Version is what clients are told when the plan has no version.
	Version string
	// AllowedHosts are values of the Host header that HTTP clients may use
	// besides the loopback names and the address that is listened on; "*" is
	// any. A server behind a proxy or on a public name needs its name here.
	AllowedHosts []string
	// AllowedOrigins are web origins, as https://app.example, whose pages may
	// use the server besides those on loopback; "*" is any.
	AllowedOrigins []string
	// MaxCalls is how many calls may be in flight at once, over all clients; those
	// that a composite tool makes are part of its one. Over
	// HTTP one more is refused at once, with a result that says to call again
	// in a second; stdio takes at most 64 of them and lets the rest wait, since
	// its one client can be made to. Zero is what the plan says, mostly 1024.
	MaxCalls int
	// DrainTimeout is how long calls in flight may take when the server is told
	// to end. Zero is ten seconds.
	DrainTimeout time.Duration
	// DrainDelay is how long a server over HTTP that was told to end goes on taking
	// calls after /readyz says that it is not ready, so that whoever sends calls
	// here can notice. Zero is not at all.
	DrainDelay time.Duration
	// Reloads says that the server may be given another plan by [Server.Reload].
	// Clients are then told that lists can change, and hear of it when they do.
	Reloads bool
}

// Server serves the tools of one plan to MCP clients. It is safe for concurrent
// use.
type Server struct {
	bridge *Bridge
	native map[string]Handler // by tool name; what is not here is bridged
	handle Handler            // the middleware around every call; nil when there is none
	front  *transport.Front
	listed []plan.Tool // those that clients see
	gate   *identity.Gate
	cert   *shown // of the HTTP server; nil: plain HTTP

	maxCalls int64
	line     *line // of servers, of which this is one

	digested sync.Once
	digest   string // see Config
}

// tool is a plan's tool and what is made of it when it is first called. Nothing
// is made before: a plan may have thousands of tools and a session uses few.
type tool struct {
	plan     *plan.Tool
	upstream *plan.Upstream   // nil of a composite tool
	client   *upstream.Client // nil of a composite tool
	calls    []*tool          // those of a composite tool's steps
	access   *policy.Target   // what the policy says of it; nil: there is none
	limits   []*limit.Limit   // that a client's calls of it have to pass
	facts    map[string]any   // what policies and limits know of it

	ready   sync.Once
	broken  error // the plan cannot be executed; the compiler lets none such through
	input   *schema.Validator
	pager   *pager // nil: one answer is the whole result
	rules   []rule
	confirm expr.Func  // nil: nobody is asked
	sends   []sending  // in the order they are tried
	steps   *composite // of a composite tool, instead of sends
	file    func(name string) ([]byte, error)

	answers atomic.Uint64 // successful ones, for sampling
	outputs sync.Once
	output  *schema.Validator // nil when there is nothing to check
}

// New returns a server that bridges all tools of a plan. The plan must not
// change afterwards. An error says what is wrong with the plan or the options.
func New(p *plan.Server, o Options) (*Server, error) {
	b, err := NewBridge(p, o)
	if err != nil {
		return nil, err
	}
	return b.Server(nil)
}

// Server returns a server for the bridge's plan. Tools that native names are
// answered by its handlers, all others are bridged.
func (b *Bridge) Server(native map[string]Handler) (*Server, error) {
	s, err := b.server(native, nil)
	if err != nil {
		return nil, err
	}
	s.line = newLine(s)
	return s, nil
}

func (b *Bridge) server(native map[string]Handler, before *identity.Gate) (*Server, error) {
	for name := range native {
		if b.tools[name] == nil {
			return nil, fmt.Errorf("a handler for %w %q", ErrUnknownTool, name)
		}
	}
	s := &Server{bridge: b, native: native, maxCalls: int64(b.options.MaxCalls)}
	if s.maxCalls <= 0 {
		s.maxCalls = int64(b.plan.Inbound.OrDefaults().Calls)
	}
	if len(b.options.Middleware) > 0 {
		s.handle = s.answer
		for _, m := range slices.Backward(b.options.Middleware) {
			s.handle = m(s.handle)
		}
	}
	var scopes []string
	for i := range b.plan.Tools {
		scopes = append(scopes, b.plan.Tools[i].Scopes...)
	}
	for i := range b.plan.Resources {
		scopes = append(scopes, b.plan.Resources[i].Call.Scopes...)
	}
	for i := range b.plan.Prompts {
		scopes = append(scopes, b.plan.Prompts[i].Scopes...)
	}
	var err error
	s.gate, err = identity.New(b.plan.Identities, scopes, identity.Options{Secret: b.secrets.value, ReadFile: b.secrets.readFile, Logger: b.log, Before: before})
	if err != nil {
		return nil, err
	}
	proxies, err := identity.ParseProxies(b.plan.Proxies)
	if err != nil {
		return nil, err
	}
	secured, shownCert, err := certificate(b.plan.TLS, s.gate.WantsCertificates(), b.secrets.readFile)
	if err != nil {
		return nil, err
	}
	s.cert = shownCert
	shown := *b.plan
	if shown.Version == "" {
		if shown.Version = b.options.Version; shown.Version == "" {
			shown.Version = "0"
		}
	}
	s.listed = slices.DeleteFunc(slices.Clone(shown.Tools), func(t plan.Tool) bool { return t.Internal })
	shown.Tools = s.listed
	s.front = transport.New(&shown, caller{s}, transport.Options{
		Logger:         b.log,
		AllowedHosts:   b.options.AllowedHosts,
		AllowedOrigins: b.options.AllowedOrigins,
		Drain:          b.options.DrainTimeout,
		Leave:          b.options.DrainDelay,
		Changes:        b.options.Reloads,
		MaxCalls:       int(s.maxCalls),
		Gate:           s.gate,
		TLS:            secured,
		Addresses:      b.ofClients,
		Proxies:        proxies,
		Trace:          b.plan.Observe != nil && b.plan.Observe.Correlation,
		Telemetry:      b.spans(),
		Refused:        b.refusals(),
		Unready:        b.unready,
	})
	return s, nil
}

// ServeStdio serves one client on a pair of streams, one message per line, until
// in ends or ctx does; what was asked before that is still answered. Nothing
// else may write to out. It returns nil after an orderly end.
//
// Where the plan has identities, the client is who the environment says: by the
// access token in MCPC_TOKEN or the API key in MCPC_KEY. Without either nobody is
// known. When it has expired, is revoked, or a plan of [Server.Reload] refuses it,
// calls in flight are finished and an error says so.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	s.line.stdio.Store(true)
	caller, err := s.local(ctx)
	if err != nil {
		return err
	}
	s.front.SetCaller(caller)
	defer s.Close(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var revoked error
	watched := make(chan struct{})
	go s.line.watch(ctx, caller)
	go func() {
		defer close(watched)
		select {
		case revoked = <-s.line.revoked:
			cancel()
		case <-ctx.Done():
		}
	}()
	err = s.front.ServeLines(ctx, in, out)
	cancel()
	<-watched
	if revoked == nil {
		select { // the session ended by the message that was not taken
		case revoked = <-s.line.revoked:
		default:
		}
	}
	if revoked != nil {
		return revoked
	}
	return err
}

// Serve serves HTTP on l until ctx ends: MCP's Streamable HTTP at /mcp, whether
// the process lives at /healthz, and whether it takes calls at /readyz. When
// ctx ends, readiness ends first, calls in flight are finished, and Serve
// returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if len(s.bridge.options.Files) > 0 {
		return errors.New("files can be named by a client on stdio only, not over HTTP")
	}
	defer s.Close(ctx)
	return s.front.Serve(ctx, l)
}

// Close ends what is open at upstreams, such as sessions, when no call is made any
// more, and sends what is left of telemetry. [Server.Serve] and [Server.ServeStdio]
// do it themselves at their end.
func (s *Server) Close(ctx context.Context) {
	s.line.now.Load().bridge.leave(ctx)
	s.flush()
}

// Handler returns what [Server.Serve] serves, for a server of the caller's own,
// which then has to set its time limits itself. From then on no client can name
// files; see [Options.Files].
func (s *Server) Handler() http.Handler {
	s.bridge.files.close()
	return s.front.Handler()
}

// Listen opens the listener that [Server.Serve] takes. An address without a
// host, as :8080, is one of this machine only; to be reached from elsewhere,
// 0.0.0.0 has to be asked for.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: it is not HOST:PORT", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	// A client that vanished without a word is found out after a minute and a half.
	config := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4}}
	l, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // without the address again
		}
		return nil, fmt.Errorf("listen on %s: %w", net.JoinHostPort(host, port), err)
	}
	return l, nil
}

// prepare makes what the tool's calls need, once.
func (t *tool) prepare() error {
	t.ready.Do(func() { t.broken = t.compile() })
	return t.broken
}

func (t *tool) compile() (err error) {
	if t.input, err = schema.CompileInput(t.plan); err != nil {
		return fmt.Errorf("input %w", err)
	}
	if t.rules, err = compileRules(t.plan.Rules); err != nil {
		return fmt.Errorf("rule: %w", err)
	}
	if t.plan.Confirm != nil {
		if t.confirm, err = expr.Compile(*t.plan.Confirm); err != nil {
			return fmt.Errorf("confirm: %w", err)
		}
	}
	if len(t.plan.Steps) > 0 {
		t.steps, err = compileSteps(t.plan, t.calls)
		return err
	}
	if t.sends, err = t.compileSends(); err == nil && t.plan.Pagination != nil {
		t.pager, err = newPager(t)
	}
	return err
}
