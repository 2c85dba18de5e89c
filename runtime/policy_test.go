package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// governed is the library under a policy: reading is for those with a scope,
// writing for alice.
func governed(t *testing.T, sent *atomic.Int64) *plan.Server {
	t.Helper()
	p := library(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1,"title":"x"}`)
	}))
	key := func(name, key string, scopes ...string) plan.APIKey {
		hash := sha256.Sum256([]byte(key))
		return plan.APIKey{Name: name, Hash: hex.EncodeToString(hash[:]), Subject: name, Scopes: scopes}
	}
	p.Identities = []plan.Identity{{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{key("alice", "a-key"), key("bob", "b-key", "books:read"), key("carl", "c-key")}}}}
	alice := plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{pathOf("caller.subject"), constOf(`"alice"`)}}
	p.Policy = &plan.Policy{Rules: []plan.PolicyRule{
		{Name: "reading", Tools: []string{"get_*"}, Scopes: []string{"books:read"}},
		{Name: "alice writes", Tools: []string{"add_book"}, When: &alice},
	}}
	return p
}

func as(t *testing.T, subject string, scopes ...string) (context.Context, Principal) {
	c := &identity.Caller{Principal: Principal{Subject: subject}, Scopes: scopes}
	return identity.With(t.Context(), c), c.Principal
}

const oneBook, newBook = `{"id":1}`, `{"body":{}}`

func TestListsAreTheCallers(t *testing.T) {
	var sent atomic.Int64
	s, err := New(governed(t, &sent), Options{Getenv: env("LIBRARY_TOKEN", "t"), ReadFile: noFile})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	ask := func(key, method, name, params string, modern bool) string {
		meta, version := "", "2025-11-25"
		if modern {
			version = "2026-07-28"
			meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
			if params != "" {
				params += ","
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/mcp", strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`, method, params, meta)))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "X-Api-Key": key, "MCP-Protocol-Version": version} {
			r.Header.Set(k, v)
		}
		if modern {
			r.Header.Set("Mcp-Method", method)
			if name != "" {
				r.Header.Set("Mcp-Name", name)
			}
		}
		res, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for range 2 { // the second time from memory
		for key, want := range map[string][]string{"a-key": {"add_book"}, "b-key": {"get_book"}, "c-key": nil} {
			for _, modern := range []bool{false, true} {
				text := ask(key, "tools/list", "", "", modern)
				if modern != strings.Contains(text, `"cacheScope":"private"`) || strings.Contains(text, `"public"`) {
					t.Errorf("%s: who may keep it: %s", key, text)
				}
				for _, tool := range []struct{ name, arguments string }{{"get_book", oneBook}, {"add_book", newBook}, {"signed", "{}"}} {
					listed := slices.Contains(want, tool.name)
					if strings.Contains(text, `"name":"`+tool.name+`"`) != listed {
						t.Errorf("%s: %s: listed: %s", key, tool.name, text)
					}
					before := sent.Load()
					called := ask(key, "tools/call", tool.name, fmt.Sprintf(`"name":%q,"arguments":%s`, tool.name, tool.arguments), modern)
					if listed == strings.Contains(called, `"code":"denied"`) || listed != (sent.Load() > before) {
						t.Errorf("%s: %s: %s", key, tool.name, called)
					}
				}
			}
		}
	}
}

// Native code and middleware stand under the policy, too, whatever they make of a
// call.
func TestPolicyAroundNativeCode(t *testing.T) {
	var sent, ran atomic.Int64
	native := map[string]Handler{"add_book": func(context.Context, *Call) (*Result, error) {
		ran.Add(1)
		return Text("native"), nil
	}}
	var change func(*Call)
	b, err := NewBridge(governed(t, &sent), Options{Getenv: env("LIBRARY_TOKEN", "t"), ReadFile: noFile, Middleware: []Middleware{func(next Handler) Handler {
		return func(ctx context.Context, k *Call) (*Result, error) {
			change(k)
			return next(ctx, k)
		}
	}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Server(native)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		subject   string
		scopes    []string
		tool      string
		arguments string
		change    func(*Call)
		code      string
	}{
		"native, allowed":       {"alice", nil, "add_book", newBook, func(*Call) {}, ""},
		"native, denied":        {"bob", nil, "add_book", newBook, func(*Call) {}, "denied"},
		"sent elsewhere":        {"alice", nil, "add_book", newBook, func(k *Call) { k.Tool, k.Arguments = "get_book", []byte(oneBook) }, "denied"},
		"for another":           {"alice", nil, "add_book", newBook, func(k *Call) { k.Principal.Subject = "bob" }, "denied"},
		"scopes are not passed": {"bob", []string{"books:read"}, "get_book", oneBook, func(k *Call) { k.Principal.Subject = "carl" }, "denied"},
		"scopes":                {"bob", []string{"books:read"}, "get_book", oneBook, func(*Call) {}, ""},
	} {
		change = test.change
		before := sent.Load() + ran.Load()
		ctx, who := as(t, test.subject, test.scopes...)
		res, err := s.Call(ctx, who, test.tool, []byte(test.arguments))
		if err != nil {
			t.Fatal(name, err)
		}
		if res.Code != test.code || (test.code == "") != (sent.Load()+ran.Load() > before) {
			t.Errorf("%s: %s %s", name, res.Code, text(res))
		}
	}
	// What native code asks of the bridge is asked on behalf of its caller.
	ctx, who := as(t, "bob")
	if res, err := b.Call(ctx, who, "add_book", []byte(newBook)); err != nil || res.Code != "denied" {
		t.Errorf("through the bridge: %v %v", res, err)
	}
}

func TestRateLimitedCalls(t *testing.T) {
	var sent atomic.Int64
	release := make(chan struct{})
	p := library(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		<-release
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1,"title":"x"}`)
	}))
	client := pathOf("caller.client")
	p.Limits = []plan.CallLimit{
		{Name: "per-client", Key: &client, Every: time.Hour, Burst: 3},
		{Name: "slots", Tools: []string{"get_book"}, Concurrency: 2},
	}
	s, err := New(p, Options{Getenv: env("LIBRARY_TOKEN", "t"), ReadFile: noFile})
	if err != nil {
		t.Fatal(err)
	}
	call := func(client string) *Result {
		res, err := s.Call(t.Context(), Principal{Client: client}, "get_book", []byte(oneBook))
		if err != nil {
			t.Error(err)
		}
		return res
	}
	results := make(chan *Result)
	for range 2 {
		go func() { results <- call("a") }()
	}
	for sent.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	// Refused by the slots, so it costs nothing of its client's.
	for range 5 {
		if res := call("a"); res.Code != "rate-limited" || res.Retry != RetryMay && res.Retry <= 0 || !strings.Contains(text(res), `"slots"`) {
			t.Errorf("no slot: %s", text(res))
		}
	}
	close(release)
	for range 2 {
		if res := <-results; res.IsError {
			t.Error(text(res))
		}
	}
	if res := call("a"); res.IsError {
		t.Errorf("the third: %s", text(res))
	}
	if res := call("a"); res.Code != "rate-limited" || !strings.Contains(text(res), `"per-client"`) || !strings.Contains(text(res), "after 3600 seconds") {
		t.Errorf("the fourth: %s", text(res))
	}
	if res := call("b"); res.IsError {
		t.Errorf("another client: %s", text(res))
	}
	if res, err := s.bridge.Call(t.Context(), Principal{Client: "a"}, "get_book", []byte(oneBook)); err != nil || res.IsError {
		t.Errorf("what native code asks of the bridge is counted: %v %v", res, err)
	}
}

// Callers of whom nothing is known are told apart by where they come from, which only
// a proxy that is trusted can say; on stdio by nothing.
func TestLimitByAddress(t *testing.T) {
	var sent atomic.Int64
	p := library(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1,"title":"x"}`)
	}))
	address := pathOf("client.address")
	p.Limits = []plan.CallLimit{{Name: "each", Key: &address, Every: time.Hour, Burst: 2}}
	p.Proxies = []string{"10.0.0.0/8", "127.0.0.1"}
	s, err := New(p, Options{Getenv: env("LIBRARY_TOKEN", "t"), ReadFile: noFile})
	if err != nil {
		t.Fatal(err)
	}
	// A call, and whether it is refused.
	call := func(remote, forwarded, body string) bool {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", strings.NewReader(body))
		r.RemoteAddr = remote
		r.Header.Set("Content-Type", "application/json")
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		refused := strings.Contains(w.Body.String(), "rate-limited")
		if !refused && !strings.Contains(w.Body.String(), `"title":"x"`) {
			t.Errorf("%s", w.Body)
		}
		return refused
	}
	for i, test := range []struct {
		remote, forwarded string
		refused           bool
	}{
		{"203.0.113.9:1", "", false},
		{"203.0.113.9:2", "198.51.100.1", false},
		{"203.0.113.9:3", "198.51.100.2", true}, // whatever he says
		{"10.1.1.1:1", "198.51.100.2", false},
		{"10.1.1.1:1", "203.0.113.9", true}, // also by a proxy
		{"10.2.2.2:1", "1.1.1.1, 198.51.100.2", false},
		{"10.2.2.2:1", "2.2.2.2, 198.51.100.2", true},
		{"[2001:db8::1]:1", "", false},
		{"[2001:db8::2]:1", "", false},
		{"[2001:db8::ffff:3]:1", "", true}, // he has all of the network
		{"[2001:db8:0:1::1]:1", "", false},
	} {
		if got := call(test.remote, test.forwarded, callBook); got != test.refused {
			t.Errorf("%d, %s by %s: refused %v", i, test.forwarded, test.remote, got)
		}
	}
	// Each of a batch counts.
	if !call("203.0.113.77:1", "", "["+callBook+","+callBook+","+callBook+"]") || !call("203.0.113.77:1", "", callBook) {
		t.Error("a batch is one call")
	}
	// A connection of its own, by a proxy on this machine.
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	for _, refused := range []bool{false, false, true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/mcp", strings.NewReader(callBook))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", "192.0.2.44")
		res, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || strings.Contains(string(text), "rate-limited") != refused {
			t.Errorf("%v %s", err, text)
		}
	}
	if !call("192.0.2.44:1", "", callBook) {
		t.Error("the same address without the proxy has a limit of its own")
	}
	lines := stdioOf(t, s, `{}`)
	for _, refused := range []bool{false, false, true} {
		lines.write(callBook)
		if got := lines.read(); strings.Contains(got, "rate-limited") != refused {
			t.Errorf("stdio: %s", got)
		}
	}
	if _, err := New(func() *plan.Server { q := *p; q.Proxies = []string{"everybody"}; return &q }(), Options{}); err == nil {
		t.Error("proxies that are none")
	}
}

// What a client gets is charged, whoever made it: the upstream, native code, or a
// failure. What steps and native code get is not.
func TestBudgetOfResults(t *testing.T) {
	var sent atomic.Int64
	p := library(upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":1,"title":"`+strings.Repeat("x", 1000)+`"}`)
	}))
	client := pathOf("caller.client")
	p.Limits = []plan.CallLimit{{Name: "traffic", Key: &client, BytesIn: &plan.ByteBudget{Bytes: 50, Per: time.Hour}, BytesOut: &plan.ByteBudget{Bytes: 3000, Per: time.Hour}}}
	b, err := NewBridge(p, Options{Getenv: env("LIBRARY_TOKEN", "t"), ReadFile: noFile})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s, err := b.Server(map[string]Handler{"add_book": func(ctx context.Context, _ *Call) (*Result, error) {
		for range 5 {
			if res, err := b.Call(ctx, PrincipalOf(ctx), "get_book", []byte(oneBook)); err != nil || res.IsError {
				t.Errorf("native code is counted: %v %v", res, err)
			}
		}
		return Text(strings.Repeat("y", 4000)), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		client, tool, arguments, want string
	}{
		{"a", "get_book", oneBook, ""}, {"a", "get_book", oneBook, ""}, // 2 × 2046, and the text is twice in each
		{"a", "get_book", oneBook, "too many bytes; nothing was sent"},
		{"b", "add_book", newBook, ""},
		{"b", "add_book", newBook, "results had too many bytes"},
		{"c", "get_book", `{"id":` + strings.Repeat("1", 50) + `}`, "more bytes than the rate limit \"traffic\" ever allows"},
		{"c", "get_book", oneBook, ""},
	} {
		res, err := s.Call(t.Context(), Principal{Client: step.client}, step.tool, []byte(step.arguments))
		if err != nil {
			t.Fatal(err)
		}
		if step.want == "" && res.IsError || step.want != "" && (res.Code != "rate-limited" || !strings.Contains(text(res), step.want)) {
			t.Errorf("step %d: %s", i, text(res)[:min(200, len(text(res)))])
		}
	}
	if sent.Load() != 8 {
		t.Errorf("%d requests", sent.Load())
	}
}

func TestBrokenGuards(t *testing.T) {
	for name, change := range map[string]func(*plan.Server){
		"rule":  func(p *plan.Server) { p.Policy = &plan.Policy{Rules: []plan.PolicyRule{{When: &plan.Expr{Op: "x"}}}} },
		"limit": func(p *plan.Server) { p.Limits = []plan.CallLimit{{Every: time.Second}} },
		"budget": func(p *plan.Server) {
			p.Limits = []plan.CallLimit{{BytesOut: &plan.ByteBudget{Bytes: 1}}}
		},
		"no such store": func(p *plan.Server) { p.Limits = []plan.CallLimit{{Every: time.Second, Burst: 1, Store: "s"}} },
		"a store that is not linked": func(p *plan.Server) {
			p.Limits = []plan.CallLimit{{Every: time.Second, Burst: 1, Store: "s"}}
			p.Stores = []plan.Store{{Name: "s", URL: constOf(`"redis://x.example"`)}}
		},
	} {
		p := library("https://x.example")
		change(p)
		if _, err := New(p, Options{}); err == nil {
			t.Errorf("%s: the plan is accepted", name)
		}
	}
}

// A decision of three rules, one over arguments, and one limit per client.
func BenchmarkGuards(b *testing.B) {
	p := library("https://x.example")
	client := pathOf("caller.client")
	small := plan.Expr{Op: plan.OpCall, Name: "&&", Args: []plan.Expr{
		{Op: plan.OpCall, Name: "==", Args: []plan.Expr{pathOf("caller.tenant"), constOf(`"acme"`)}},
		{Op: plan.OpCall, Name: "<", Args: []plan.Expr{argOf("id"), constOf("100")}},
	}}
	p.Policy = &plan.Policy{Rules: []plan.PolicyRule{
		{Name: "writers", Scopes: []string{"books:write"}},
		{Name: "small", Tools: []string{"get_*"}, When: &small},
		{Name: "never", Deny: true, Tools: []string{"drop_*"}},
	}}
	p.Limits = []plan.CallLimit{{Name: "per-client", Key: &client, Every: time.Nanosecond, Burst: 1 << 20}}
	bridge, err := NewBridge(p, Options{})
	if err != nil {
		b.Fatal(err)
	}
	who := &Caller{Principal: Principal{Tenant: "acme", Subject: "alice", Client: "desk"}, Scopes: []string{"books:read"}, Claims: map[string]any{"iss": "x", "exp": 1.0, "aud": []any{"y"}}}
	ctx := identity.With(b.Context(), who)
	k := &Call{Tool: "get_book", Principal: who.Principal, Arguments: []byte(oneBook), tool: bridge.tools["get_book"], counts: true}
	if res := bridge.check(ctx, k); res != nil {
		b.Fatal(text(res))
	}
	b.ReportAllocs()
	for b.Loop() {
		k.scope = nil
		if bridge.permitted(ctx, k, false) != nil || bridge.permitted(ctx, k, true) != nil {
			b.Fatal("denied")
		}
		done, res := bridge.admit(ctx, k)
		if res != nil {
			b.Fatal(text(res))
		}
		done(0)
	}
}
