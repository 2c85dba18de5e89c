package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// tools is a Caller with a tool per behaviour.
type tools struct {
	front     **Front
	started   chan string   // gets the arguments of each call of wait
	cancelled chan string   // gets them when it is cancelled
	release   chan struct{} // ends the calls of wait
}

func (c *tools) CallTool(ctx context.Context, _ principal.Principal, tool string, arguments []byte, e Era, b []byte) ([]byte, error) {
	text := string(arguments)
	switch tool {
	case "echo":
	case "large":
		text = strings.Repeat("a", 16<<20)
	case "lines":
		text = "two\nlines"
	case "wait":
		if c.started != nil {
			c.started <- text
		}
		select {
		case <-c.release:
		case <-ctx.Done():
			if c.cancelled != nil {
				c.cancelled <- text
			}
			text = "cancelled"
		}
	case "sleep":
		d, _ := time.ParseDuration(strings.Trim(text, `"{}:d`))
		select {
		case <-time.After(d):
		case <-ctx.Done():
			text = "cancelled"
		}
	case "panic":
		panic("secret of the house")
	default:
		return b, ErrUnknownTool
	}
	b = append(b, '{')
	if e == Modern {
		b = append(append(b, (*c.front).Complete()...), ',')
	}
	b = append(b, `"content":[{"type":"text","text":`...)
	b = result.AppendString(b, text)
	b = append(b, `}],"isError":false`...)
	if tool == "lines" {
		b = append(b, ",\n\"structuredContent\":{\r\n}"...)
	}
	return append(b, '}'), nil
}

func (c *tools) ResourceScopes(string) []string { return nil }

func (c *tools) ReadResource(ctx context.Context, _ principal.Principal, uri string, e Era, b []byte) ([]byte, *Error) {
	if uri == "x://wait" {
		select {
		case <-c.release:
		case <-ctx.Done():
			c.cancelled <- uri
		}
	}
	if uri != "x://a" {
		return b, NoResource(uri, e)
	}
	return append(b, `{"contents":[]}`...), nil
}

func (c *tools) GetPrompt(_ context.Context, _ principal.Principal, prompt string, arguments []byte, _ Era, b []byte) ([]byte, *Error) {
	switch prompt {
	case "p":
		return append(result.AppendString(append(b, `{"messages":[],"description":`...), string(arguments)), '}'), nil
	case "broken":
		return b, Failed("it is down", "connect", false)
	}
	return b, NoPrompt(prompt)
}

func newFront(t testing.TB, o Options) (*Front, *tools) {
	t.Helper()
	p := &plan.Server{
		Name: "shop", Title: "The shop", Version: "1.2.3", Instructions: "Be kind.",
		Tools: []plan.Tool{
			{Name: "echo", Title: "Echo", Description: "Says it again.\nTwice.", Input: `{"type":"object","properties":{"any":{}}}`, Output: `{"type":"object"}`, Hints: plan.Hints{ReadOnly: true}},
			{Name: "wait", Input: `{"type":"object"}`, Hints: plan.Hints{Destructive: true, Idempotent: true, OpenWorld: true}},
			{Name: "mirrored", Input: `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`},
		},
	}
	c := &tools{release: make(chan struct{})}
	f := New(p, c, o)
	c.front = &f
	return f, c
}

// modernMeta is what every modern request carries.
const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// callOf is a tools/call of an era.
func callOf(e Era, id, tool, arguments string) string {
	meta := ""
	if e == Modern {
		meta = "," + modernMeta
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s%s}}`, id, tool, arguments, meta)
}

// request is a POST to /mcp as a well-behaved client of an era sends it; the
// modern headers are made from what they repeat.
func request(e Era, method, name, body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:8080/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if e == Modern {
		r.Header.Set("MCP-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", method)
		if name != "" {
			r.Header.Set("Mcp-Name", name)
		}
	} else {
		r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	}
	return r
}

func serve(f *Front, r *http.Request) (status int, body string) {
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// stdio feeds lines to a front and returns what it writes.
func stdio(t *testing.T, f *Front, lines ...string) []string {
	t.Helper()
	var out strings.Builder
	if err := f.ServeLines(t.Context(), strings.NewReader(strings.Join(lines, "\n")), &out); err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		return nil
	}
	if !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("the output does not end in a line end: %q", out.String())
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestMethods(t *testing.T) {
	f, _ := newFront(t, Options{})
	const info = `"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"shop","version":"1.2.3","title":"The shop"}}`
	modern := func(method string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + modernMeta + `}}`
	}
	legacy := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	}
	for _, tt := range []struct {
		name, method, tool, body string
		era                      Era
		status                   int
		want                     string // the whole body, or with … a part of it
	}{
		{"a legacy call", "tools/call", "echo", callOf(Legacy, "1", "echo", `{"a":1}`), Legacy, 200,
			`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":1}"}],"isError":false}}`},
		{"a modern call", "tools/call", "echo", callOf(Modern, `"x"`, "echo", `{"a":1}`), Modern, 200,
			`{"jsonrpc":"2.0","id":"x","result":{` + info + `,"content":[{"type":"text","text":"{\"a\":1}"}],"isError":false}}`},
		{"a call without arguments", "tools/call", "echo", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":null}}`, Legacy, 200,
			`…"text":""…`},
		{"an unknown tool", "tools/call", "nope", callOf(Legacy, "1", "nope", `{}`), Legacy, 200,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown tool \"nope\"; tools/list names the tools there are"}}`},
		{"an unknown tool, modern", "tools/call", "nope", callOf(Modern, "1", "nope", `{}`), Modern, 200, `…"code":-32602…`},
		{"arguments that are no object", "tools/call", "echo", callOf(Legacy, "1", "echo", `[1]`), Legacy, 200, `…-32602,"message":"params.arguments must be an object"…`},
		{"a call of nothing", "tools/call", "", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, Legacy, 200, `…-32602,"message":"params.name must be…`},
		{"a panic", "tools/call", "panic", callOf(Legacy, "7", "panic", `{}`), Legacy, 200, `…"id":7,"error":{"code":-32603,"message":"internal error; its correlation id…`},

		{"a legacy list", "tools/list", "", legacy("tools/list", "{}"), Legacy, 200,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[` +
				`{"name":"echo","title":"Echo","description":"Says it again.\nTwice.","inputSchema":{"type":"object","properties":{"any":{}}},"outputSchema":{"type":"object"},"annotations":{"title":"Echo","readOnlyHint":true,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false}},` +
				`{"name":"wait","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":false,"destructiveHint":true,"idempotentHint":true,"openWorldHint":true}},` +
				`{"name":"mirrored","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}},"annotations":{"readOnlyHint":false,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false}}]}}`},
		{"a modern list", "tools/list", "", modern("tools/list"), Modern, 200,
			`{"jsonrpc":"2.0","id":1,"result":{` + info + `,"ttlMs":60000,"cacheScope":"public","tools":[{"name":"echo","title":"Echo","description":"Says it again.\nTwice.","inputSchema":{"type":"object","properties":{"any":{}}}…`},
		{"the page after the last", "tools/list", "", legacy("tools/list", `{"cursor":"2"}`), Legacy, 200, `…-32602…`},
		{"the first page", "tools/list", "", legacy("tools/list", `{"cursor":null}`), Legacy, 200, `…"tools":[…`},

		{"initialize", "initialize", "", legacy("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`), Legacy, 200,
			`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"shop","version":"1.2.3","title":"The shop"},"instructions":"Be kind."}}`},
		{"initialize with a version from the future", "initialize", "", legacy("initialize", `{"protocolVersion":"2026-07-28","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`), Legacy, 200,
			`…"protocolVersion":"2025-11-25"…`},
		{"initialize is gone", "initialize", "", modern("initialize"), Modern, 404, `…-32601…`},
		{"ping", "ping", "", legacy("ping", "{}"), Legacy, 200, `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{"ping is gone", "ping", "", modern("ping"), Modern, 404, `…-32601…`},
		{"discover", "server/discover", "", modern("server/discover"), Modern, 200,
			`…"supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"capabilities":{"tools":{}}…`},
		{"discover is modern", "server/discover", "", legacy("server/discover", "{}"), Legacy, 200, `…-32601…`},
		{"nothing to subscribe to", "subscriptions/listen", "", modern("subscriptions/listen"), Modern, 404, `…-32601…`},
		{"no resources yet", "resources/list", "", modern("resources/list"), Modern, 404, `…-32601…`},
		{"an unknown method", "made/up", "", legacy("made/up", "{}"), Legacy, 200, `…-32601…`},
		{"params twice inside", "made/up", "", legacy("made/up", `{"a":1,"a":2}`), Legacy, 200, `…-32602…`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := serve(f, request(tt.era, tt.method, tt.tool, tt.body))
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			check(t, body, tt.want)
			if strings.Contains(body, "secret of the house") {
				t.Error("the text of a panic reaches the client")
			}
			// stdio says the same, but for the versions it serves.
			if tt.name == "discover" {
				return
			}
			lines := stdio(t, f, tt.body)
			if len(lines) != 1 {
				t.Fatalf("%d lines on stdio: %q", len(lines), lines)
			}
			check(t, lines[0], tt.want)
		})
	}
}

// check compares text with want, in which … stands for anything.
func check(t *testing.T, text, want string) {
	t.Helper()
	parts := strings.Split(want, "…")
	rest := text
	for i, p := range parts {
		n := strings.Index(rest, p)
		if n < 0 || i == 0 && n != 0 {
			t.Errorf("got  %s\nwant %s", text, want)
			return
		}
		rest = rest[n+len(p):]
	}
	if parts[len(parts)-1] != "" && rest != "" {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// Line ends that an upstream's JSON brings may not cut a line or an event.
func TestOneLine(t *testing.T) {
	f, _ := newFront(t, Options{})
	const want = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"two\nlines"}],"isError":false, "structuredContent":{  }}}`
	lines := stdio(t, f, callOf(Legacy, "1", "lines", "{}"))
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("stdio: %q", lines)
	}
	r := request(Legacy, "", "", callOf(Legacy, "1", "lines", "{}"))
	r.Header.Set("Accept", "text/event-stream")
	_, body := serve(f, r)
	if body != "event: message\ndata: "+want+"\n\n" {
		t.Errorf("event: %q", body)
	}
}

// A list is encoded once, and its text is not touched by who writes it.
func TestListIsStable(t *testing.T) {
	f, _ := newFront(t, Options{})
	_, first := serve(f, request(Legacy, "", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	for range 3 {
		if lines := stdio(t, f, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); len(lines) != 1 || lines[0] != first {
			t.Fatalf("the list changed: %q", lines)
		}
	}
}

func BenchmarkListOfThousand(b *testing.B) {
	p := &plan.Server{Name: "big"}
	for i := range 1000 {
		p.Tools = append(p.Tools, plan.Tool{Name: fmt.Sprintf("tool_%d", i), Description: strings.Repeat("What it does. ", 70), Input: plan.Schema(`{"type":"object","properties":{` + strings.Repeat(`"a":{"type":"string","description":"a thing"},`, 20) + `"z":{}}}`)})
	}
	f := New(p, nil, Options{})
	h := f.Handler()
	b.ReportAllocs()
	for b.Loop() {
		w := discard{http.Header{}}
		h.ServeHTTP(w, request(Legacy, "", "", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return io.Discard.Write(b) }
func (d discard) WriteHeader(int)             {}

// Scopes and confirmation cannot be got around by a name that a tool had.
func TestOldNamesHaveTheSameRules(t *testing.T) {
	f := New(&plan.Server{
		Tools: []plan.Tool{{Name: "new", Input: `{"type":"object"}`, Scopes: []string{"write"}, Confirm: &plan.Expr{Op: plan.OpConst, Const: `"Sure?"`}}},
		Moved: []plan.Moved{{From: "old", To: "new"}, {From: "older", To: "new"}},
	}, &tools{}, Options{})
	for _, name := range []string{"new", "old", "older"} {
		if len(f.scopes[name]) != 1 || !f.asks[name] {
			t.Errorf("%s wants scopes %q and asks %v", name, f.scopes[name], f.asks[name])
		}
	}
}
