// Package transport speaks MCP to clients: Streamable HTTP and stdio, in the
// stateless revision 2026-07-28 and in the older ones with a handshake, side by
// side.
//
// A message goes one way: it is read once ([decode]), its era is found from
// what it carries, and then either answered here or by mcp-go. Calls and lists
// are answered here, from bytes to bytes, because they are the traffic;
// everything else goes through mcp-go's HandleMessage, whose word on versions and
// capabilities is therefore ours. mcp-go never sees a client's id nor a
// notification: ids are echoed byte for byte, and a cancellation could there
// end another client's call.
//
// The transport knows nothing of upstreams; what a tool does, a [Caller] does.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mcpc-dev/mcpc/runtime/internal/confirm"
	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Caller runs tools, reads resources and fills in prompts.
type Caller interface {
	// CallTool runs a tool and appends its CallToolResult object to b, with
	// modern members (resultType, _meta) when e asks for them. arguments are the
	// client's bytes and may be kept. The error is [ErrUnknownTool] or nil:
	// everything else that can go wrong is a result.
	CallTool(ctx context.Context, who principal.Principal, tool string, arguments []byte, e Era, b []byte) ([]byte, error)
	// ReadResource reads a resource and appends its ReadResourceResult.
	ReadResource(ctx context.Context, who principal.Principal, uri string, e Era, b []byte) ([]byte, *Error)
	// GetPrompt fills in a prompt and appends its GetPromptResult. arguments are
	// the client's bytes.
	GetPrompt(ctx context.Context, who principal.Principal, prompt string, arguments []byte, e Era, b []byte) ([]byte, *Error)
	// ResourceScopes are the scopes that the resource of a URI wants of its caller.
	ResourceScopes(uri string) []string
}

// A Judge says what callers see. A Caller that is one is asked, where the plan
// has a policy.
type Judge interface {
	// Visible tells what the lists of a caller show: the tools, resources and
	// prompts of the plan by their index.
	Visible(ctx context.Context, who principal.Principal) (tool, resource, prompt func(i int) bool)
}

// ErrUnknownTool is returned for a tool that does not exist.
var ErrUnknownTool = errors.New("unknown tool")

// Options configure a [Front]. The zero value works.
type Options struct {
	Logger         *slog.Logger   // nil: nothing is logged
	AllowedHosts   []string       // values of Host besides the loopback names; "*" is any
	AllowedOrigins []string       // values of Origin besides loopback ones; "*" is any
	Drain          time.Duration  // for calls in flight when the server ends; 0 is 10 s
	Gate           *identity.Gate // who may call over HTTP; nil: everybody, unknown
	// Addresses has calls know the address they come from, for identity.ClientFacts;
	// Proxies are those in front of the server.
	Addresses bool
	Proxies   identity.Proxies
	TLS       *tls.Config // of the HTTP server; nil: plain
	Trace     bool        // take traces of calls from clients
	// Telemetry is told of every request; nil: there is none.
	Telemetry observe.Telemetry
	// Refused is told of every request that became no call; nil: nobody wants to know.
	Refused  func(*observe.Refusal)
	Unready  func() string // why no calls are made at the moment, "" for none; may be nil
	MaxCalls int           // that a client on stdio has running at once, if less than 64; 0 is 64
	// Leave is how long an HTTP server that ends goes on taking calls after it has
	// said that it is not ready any more.
	Leave time.Duration
	// Changes has clients told when a list changes; see [Front.Replace].
	Changes bool
}

// Front answers MCP messages of one server.
type Front struct {
	plan      *plan.Server
	params    func() map[string]*mcp.Tool // tools with x-mcp-header parameters
	asks      map[string]bool             // tools that want a person's word
	keeper    *confirm.Keeper
	gate      *identity.Gate
	addresses bool // calls know where they come from
	proxies   identity.Proxies
	tls       *tls.Config
	scopes    map[string][]string // that a tool wants of its caller
	prompts   map[string][]string // the same of prompts
	caller    Caller
	mcp       *server.MCPServer
	complete  []byte // the members of every modern result
	versions  struct{ http, all []string }
	lists     [2][4]list // by Era and kind
	seen      seen       // the lists of callers who do not see all
	log       *slog.Logger
	drain     time.Duration
	calls     int // of one client on stdio at once
	trace     bool
	telemetry observe.Telemetry
	onRefusal func(*observe.Refusal)
	unready   func() string
	hosts     allowList
	origins   allowList
	serving   *serving // the host's

	changes     bool // it may be replaced
	leave       time.Duration
	host        *host
	users       atomic.Int64           // requests that hold it
	gone        atomic.Pointer[func()] // to be called when it was replaced and nobody holds it
	stdioCaller atomic.Pointer[identity.Caller]
	outcast     atomic.Bool // nothing is taken from the client on stdio

	limits plan.Inbound
}

// New returns a front for the tools of a plan.
func New(p *plan.Server, c Caller, o Options) *Front {
	f := &Front{plan: p, caller: c, log: o.Logger, drain: o.Drain, asks: map[string]bool{}, keeper: confirm.NewKeeper(), gate: o.Gate, tls: o.TLS, scopes: map[string][]string{}, prompts: map[string][]string{}}
	for i := range p.Tools {
		if p.Tools[i].Confirm != nil {
			f.asks[p.Tools[i].Name] = true
		}
		if len(p.Tools[i].Scopes) > 0 {
			f.scopes[p.Tools[i].Name] = p.Tools[i].Scopes
		}
	}
	for i := range p.Prompts {
		f.prompts[p.Prompts[i].Name] = p.Prompts[i].Scopes
	}
	// What a call must satisfy holds by its old names, too.
	for _, m := range p.Moved {
		if f.asks[m.To] {
			f.asks[m.From] = true
		}
		if need := f.scopes[m.To]; need != nil {
			f.scopes[m.From] = need
		}
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if f.drain <= 0 {
		f.drain = 10 * time.Second
	}
	if f.calls = maxCalls; o.MaxCalls > 0 {
		f.calls = min(f.calls, o.MaxCalls)
	}
	f.trace, f.telemetry, f.onRefusal, f.unready = o.Trace, o.Telemetry, o.Refused, o.Unready
	f.changes, f.leave = o.Changes, o.Leave
	f.addresses, f.proxies = o.Addresses, o.Proxies
	f.host = newHost(f)
	f.serving = &f.host.serving
	f.limits = p.Inbound.OrDefaults()
	f.hosts, f.origins = newAllowList(o.AllowedHosts), newAllowList(o.AllowedOrigins)
	f.versions.http, f.versions.all = httpVersions(), mcp.ValidProtocolVersions

	// Tools, resources and prompts are ours; only that there are some is said.
	// Where lists change, those that are empty are offered, too: a client asks what
	// there is once, and would not hear of the first prompt.
	offers := []server.ServerOption{server.WithToolCapabilities(f.changes), server.WithInstructions(p.Instructions), server.WithTitle(p.Title)}
	if f.offers(listResources) {
		offers = append(offers, server.WithResourceCapabilities(false, f.changes))
	}
	if f.offers(listPrompts) {
		offers = append(offers, server.WithPromptCapabilities(f.changes))
	}
	f.mcp = server.NewMCPServer(p.Name, p.Version, offers...)
	info := result.AppendString([]byte(`{"name":`), p.Name)
	info = result.AppendString(append(info, `,"version":`...), p.Version)
	if p.Title != "" {
		info = result.AppendString(append(info, `,"title":`...), p.Title)
	}
	f.complete = fmt.Appendf(nil, `"resultType":"complete","_meta":{%q:%s}}`, mcp.MetaKeyServerInfo, info)

	f.params = sync.OnceValue(func() map[string]*mcp.Tool {
		m := map[string]*mcp.Tool{}
		for i := range p.Tools {
			if tool := mirrored(&p.Tools[i]); tool != nil {
				m[tool.Name] = tool
			}
		}
		return m
	})
	return f
}

// mirrored returns what mcp-go needs to compare the headers that parameters of
// the tool are mirrored in (x-mcp-header), or nil when there are none. It is a
// schema of only these parameters, because mcp-go parses it for every call.
func mirrored(t *plan.Tool) *mcp.Tool {
	if !strings.Contains(string(t.Input), `x-mcp-header"`) {
		return nil
	}
	bindings := mcp.ExtractParamHeaderBindings(&mcp.Tool{RawInputSchema: json.RawMessage(t.Input)})
	if len(bindings) == 0 {
		return nil
	}
	root := map[string]any{}
	for _, b := range bindings {
		at := root
		for _, name := range b.Path {
			properties, _ := at["properties"].(map[string]any)
			if properties == nil {
				properties = map[string]any{}
				at["properties"] = properties
			}
			next, _ := properties[name].(map[string]any)
			if next == nil {
				next = map[string]any{}
				properties[name] = next
			}
			at = next
		}
		at["x-mcp-header"] = b.Header
	}
	text, err := json.Marshal(root)
	if err != nil {
		return nil // strings in maps always marshal
	}
	return &mcp.Tool{Name: t.Name, RawInputSchema: text}
}

// Complete returns the members every modern result begins with:
// "resultType":"complete" and _meta with who the server is.
func (f *Front) Complete() []byte { return f.complete }

// reply is a response ready to be written: its parts follow one another.
type reply struct {
	head  []byte // everything, mostly
	body  []byte // shared with other replies and never changed
	tail  string
	fault *fault // what it tells of; nil for a result

	correlation string // the id of the request for people; "" where none is wanted
}

func (r *reply) size() int { return len(r.head) + len(r.body) + len(r.tail) }

func (r *reply) appendTo(b []byte) []byte {
	return append(append(append(b, r.head...), r.body...), r.tail...)
}

// lacks are the scopes that what a message asks for wants of its caller; nil when
// he has them all, or where nobody is asked who he is.
func (f *Front) lacks(ctx context.Context, m *message) []string {
	if f.gate == nil {
		return nil
	}
	var need []string
	switch m.method {
	case methodCall:
		need = f.scopes[m.name]
	case methodPrompt:
		need = f.prompts[m.name]
	case methodRead:
		need = f.caller.ResourceScopes(m.uri)
	}
	if identity.Of(ctx).Has(need) {
		return nil
	}
	return need
}

// answer answers a request. The head of the reply is appended to b, which must
// be empty.
func (f *Front) answer(ctx context.Context, m *message, e Era, versions []string, b []byte) (out reply) {
	ctx, observed := f.observed(ctx, m)
	if observed != nil || f.onRefusal != nil {
		defer func() {
			f.observedEnd(ctx, observed, m, out.fault)
			if f.trace {
				out.correlation = observe.TraceOf(ctx).ID
			}
		}()
	}
	defer func() {
		if p := recover(); p != nil {
			id := cmp.Or(observe.TraceOf(ctx).ID, correlation())
			f.log.ErrorContext(ctx, "panic while answering", "method", m.method, "correlation", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			bad := faultf(mcp.INTERNAL_ERROR, 0, "internal error; its correlation id in the log is %s", id)
			out = reply{head: appendFault(nil, m.id, bad), fault: bad}
		}
	}()
	fail := func(f *fault) reply { return reply{head: appendFault(b[:0], m.id, f), fault: f} }
	if need := f.lacks(ctx, m); need != nil {
		return fail(faultf(mcp.INVALID_REQUEST, 403, "the caller lacks a scope: %s", strings.Join(need, " ")))
	}
	switch m.method {
	case methodCall:
		if !m.hasName || m.name == "" {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "params.name must be the name of a tool"))
		}
		if k := m.arguments.Kind(); m.arguments != nil && k != '{' && k != 'n' {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "params.arguments must be an object"))
		}
		arguments := m.arguments
		if arguments.Kind() == 'n' {
			arguments = nil
		}
		who := f.who(ctx)
		var q *question
		if e == Modern && f.asks[m.name] {
			q = &question{front: f, message: m}
			ctx = confirm.With(ctx, q.ask)
		}
		b = appendHead(b, m.id)
		called, err := f.caller.CallTool(ctx, who, m.name, arguments, e, b)
		if err != nil {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "unknown tool %q; tools/list names the tools there are", clip(m.name)).because("unknown-tool"))
		}
		if q != nil && q.state != "" {
			return reply{head: append(q.append(appendHead(b[:0], m.id)), '}')}
		}
		return reply{head: append(called, '}')}
	case methodRead:
		if !f.offers(listResources) {
			break
		}
		if m.uri == "" {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "params.uri must be the URI of a resource"))
		}
		read, err := f.caller.ReadResource(ctx, f.who(ctx), m.uri, e, appendHead(b, m.id))
		if err != nil {
			return fail(err.fault())
		}
		return reply{head: append(read, '}')}
	case methodPrompt:
		if !f.offers(listPrompts) {
			break
		}
		if !m.hasName || m.name == "" {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "params.name must be the name of a prompt"))
		}
		if k := m.arguments.Kind(); m.arguments != nil && k != '{' && k != 'n' {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "params.arguments must be an object"))
		}
		got, err := f.caller.GetPrompt(ctx, f.who(ctx), m.name, m.arguments, e, appendHead(b, m.id))
		if err != nil {
			return fail(err.fault())
		}
		return reply{head: append(got, '}')}
	case methodList, methodResources, methodTemplates, methodPrompts:
		kind := listKindOf(m.method)
		if !f.offers(kind) {
			break
		}
		if k := m.cursor.Kind(); m.cursor != nil && k != 'n' && string(m.cursor) != `""` {
			return fail(faultf(mcp.INVALID_PARAMS, 0, "the cursor is not one of this server's: the list has one page"))
		}
		return reply{head: appendHead(b, m.id), body: f.listFor(ctx, f.who(ctx), kind, e), tail: "}"}
	case "ping":
		if e == Legacy {
			return reply{head: append(appendHead(b, m.id), "{}}"...)}
		}
	case methodListen:
		// Those that can be are subscribed to by the transport. Here, nothing that
		// this server offers changes while it runs, which is what server/discover says.
		return fail(faultf(mcp.METHOD_NOT_FOUND, 404, "nothing here can be subscribed to"))
	}
	result, bad := f.handle(ctx, m, versions)
	if bad != nil {
		return fail(bad)
	}
	return reply{head: appendHead(b, m.id), body: result, tail: "}"}
}

// who is on whose behalf a request is made; nobody known where the server does
// not ask.
func (f *Front) who(ctx context.Context) principal.Principal {
	if f.gate != nil {
		if caller := identity.Of(ctx); caller != nil {
			return caller.Principal
		}
	}
	return principal.Principal{}
}

// handle gives a request to mcp-go and returns the result.
func (f *Front) handle(ctx context.Context, m *message, versions []string) ([]byte, *fault) {
	// mcp-go reads with encoding/json, which takes the last of two members and
	// folds case; what it gets is therefore written anew, with an id of ours,
	// and params in which no member comes twice.
	text := result.AppendString([]byte(`{"jsonrpc":"2.0","id":1,"method":`), m.method)
	if m.params != nil {
		if !m.params.IsValid() {
			return nil, faultf(mcp.INVALID_PARAMS, 400, "a member of params comes twice")
		}
		text = append(append(text, `,"params":`...), m.params...)
	}
	text = append(text, '}')
	switch r := f.mcp.HandleMessage(server.WithSupportedProtocolVersions(ctx, versions), text).(type) {
	case mcp.JSONRPCResponse:
		b, err := json.Marshal(r.Result)
		if err != nil {
			return nil, faultf(mcp.INTERNAL_ERROR, 0, "the result cannot be written as JSON")
		}
		return b, nil
	case mcp.JSONRPCError:
		bad := &fault{code: r.Error.Code, message: r.Error.Message}
		if r.Error.Data != nil {
			if b, err := json.Marshal(r.Error.Data); err == nil {
				bad.data = string(b)
			}
		}
		switch bad.code {
		case mcp.METHOD_NOT_FOUND:
			bad.status = 404
			bad.message = fmt.Sprintf("the method %q does not exist here: %s", clip(m.method), bad.message)
		case mcp.INVALID_PARAMS, mcp.INVALID_REQUEST, mcp.UNSUPPORTED_PROTOCOL_VERSION, mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY:
			bad.status = 400
		}
		return nil, bad
	default:
		return nil, faultf(mcp.INTERNAL_ERROR, 0, "the request has no answer")
	}
}

// appendHead appends a response up to its result.
func appendHead(b []byte, id jsontext.Value) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	return append(b, `,"result":`...)
}

// appendFault appends an error response. Without an id it is null, as JSON-RPC
// has it for a message whose id could not be read.
func appendFault(b []byte, id jsontext.Value, f *fault) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, id...)
	}
	b = strconv.AppendInt(append(b, `,"error":{"code":`...), int64(f.code), 10)
	b = result.AppendString(append(b, `,"message":`...), f.message)
	if f.data != "" {
		b = append(append(b, `,"data":`...), f.data...)
	}
	return append(b, "}}"...)
}

// clip bounds a client's text that is repeated in a message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
