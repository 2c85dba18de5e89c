package runtime

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// catalogue is a plan with one tool whose list comes in pages.
func catalogue(base string) *plan.Server {
	return &plan.Server{
		Name: "catalogue", Version: "1",
		Upstreams: []plan.Upstream{{Name: "shop", BaseURL: base, Timeout: 20 * time.Second, ConnectTimeout: 5 * time.Second, MaxResponse: 1 << 20, Retry: plan.Retry{Attempts: 1}}},
		Tools: []plan.Tool{{
			Name: "list", Input: `{"type":"object","properties":{"cursor":{"type":"string"}},"additionalProperties":false}`,
			Request: plan.Request{Upstream: "shop", Method: "GET", Path: []plan.Segment{{Literal: "/items"}},
				Query: []plan.Param{{Name: "page", Style: plan.Form, Value: &plan.Expr{Op: plan.OpVar, Name: plan.PageVar}}}},
			Pagination: &plan.Pagination{Style: plan.PageNumber, Param: "page", Input: "cursor", Start: 1, MaxPages: 10},
		}},
		Resources: []plan.Resource{{
			URI: "shop://items/{id}", Parts: []plan.URIPart{{Literal: "shop://items/"}, {Var: "id"}}, Name: "item",
			Call: plan.Tool{Name: "item", Input: `{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false}`,
				Request: plan.Request{Upstream: "shop", Method: "GET", Path: []plan.Segment{{Literal: "/items/"}, {Param: &plan.Param{Name: "id", Arg: "id", Style: plan.Simple, Required: true}}}}},
		}},
		Prompts: []plan.Prompt{{Name: "hello", Input: `{"type":"object"}`,
			Messages: []plan.Message{{Role: "user", Text: &plan.Expr{Op: plan.OpConst, Const: `"Hello"`}}}}},
	}
}

// post sends a message of 2026-07-28, or of 2025-11-25, over HTTP.
func post(ctx context.Context, t *testing.T, url, method, name, params string, modern bool) *http.Response {
	t.Helper()
	meta := `"progressToken":"p"`
	if modern {
		meta += `,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"_meta":{%s}%s}}`, method, meta, params)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	if modern {
		r.Header.Set("MCP-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", method)
		if name != "" {
			r.Header.Set("Mcp-Name", name)
		}
	}
	res, err := new(http.Client).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Every page but the last is told as progress, in both eras and transports.
func TestPagesProgress(t *testing.T) {
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if page := r.FormValue("page"); page < "4" {
			fmt.Fprintf(w, `[%s0, %s1]`, page, page)
		} else {
			fmt.Fprint(w, `[]`)
		}
	})
	s := newServer(t, catalogue(base), Options{})
	want := func(how, token, text string) {
		t.Helper()
		at := 0
		for _, part := range []string{
			`"progressToken":` + token + `,"progress":1,"total":10,"message":"page 1 of at most 10, 2 items so far"`,
			`"progressToken":` + token + `,"progress":2,"total":10,"message":"page 2 of at most 10, 4 items so far"`,
			`"progressToken":` + token + `,"progress":3,"total":10,"message":"page 3 of at most 10, 6 items so far"`,
			`"content":[{"type":"text","text":"[10, 11,20, 21,30, 31]"}]`,
		} {
			n := strings.Index(text[at:], part)
			if n < 0 {
				t.Errorf("%s: no %s in\n%s", how, part, text)
				return
			}
			at += n
		}
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	for _, modern := range []bool{false, true} {
		res := post(t.Context(), t, web.URL, "tools/call", "list", `,"name":"list"`, modern)
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("modern %v: Content-Type %q", modern, got)
		}
		want(fmt.Sprintf("HTTP, modern %v", modern), `"p"`, string(body))
	}
	var out strings.Builder
	in := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list","_meta":{"progressToken":7}}}` + "\n"
	if err := s.ServeStdio(t.Context(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	want("stdio", "7", out.String())
}

// stuck is an upstream that answers the first page and then waits until nobody
// does any more. gone is closed when the request for the second page was given
// up.
func stuck(t *testing.T) (base string, second, gone chan struct{}) {
	second, gone = make(chan struct{}), make(chan struct{})
	var n atomic.Int32
	base = upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[1]`)
			return
		}
		close(second)
		<-r.Context().Done()
		close(gone)
	})
	return base, second, gone
}

// A client that goes away, or cancels, ends the fetching of pages.
func TestPagesCancelled(t *testing.T) {
	await := func(t *testing.T, c chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing happened")
		}
	}
	t.Run("HTTP", func(t *testing.T) {
		base, second, gone := stuck(t)
		web := httptest.NewServer(newServer(t, catalogue(base), Options{}).Handler())
		defer web.Close()
		ctx, cancel := context.WithCancel(t.Context())
		res := post(ctx, t, web.URL, "tools/call", "list", `,"name":"list"`, false)
		await(t, second)
		cancel()
		await(t, gone)
		res.Body.Close()
	})
	t.Run("stdio", func(t *testing.T) {
		base, second, gone := stuck(t)
		s := newServer(t, catalogue(base), Options{})
		in, write := io.Pipe()
		read, out := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- s.ServeStdio(t.Context(), in, out); out.Close() }()
		fmt.Fprintln(write, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}`)
		await(t, second)
		fmt.Fprintln(write, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		await(t, gone)
		fmt.Fprintln(write, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
		line, err := bufio.NewReader(read).ReadString('\n')
		if err != nil || line != `{"jsonrpc":"2.0","id":2,"result":{}}`+"\n" {
			t.Errorf("got %q, %v; a cancelled call is not answered", line, err)
		}
		write.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// The time of a call is that of all its pages.
func TestPagesDeadline(t *testing.T) {
	base, _, gone := stuck(t)
	p := catalogue(base)
	p.Upstreams[0].Timeout = 300 * time.Millisecond
	s := newServer(t, p, Options{})
	res, err := s.Call(t.Context(), Principal{}, "list", nil)
	if err != nil {
		t.Fatal(err)
	}
	<-gone
	if res.IsError || len(res.Content) != 2 || res.Content[0].Text != "[1]" || !strings.HasPrefix(res.Content[1].Text, `The next page could not be had: The upstream "shop" did not answer within`) {
		t.Errorf("got %+v", res)
	}
	cursor, _ := res.Meta[nextCursor].(string)
	if _, err := s.Explain("list", fmt.Appendf(nil, `{"cursor":%q}`, cursor)); err != nil {
		t.Errorf("the cursor cannot be used: %v", err)
	}
}

// Resources and prompts of both eras.
func TestResourcesOverHTTP(t *testing.T) {
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, r.URL.EscapedPath())
	})
	web := httptest.NewServer(newServer(t, catalogue(base), Options{}).Handler())
	defer web.Close()
	const info = `"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"catalogue","version":"1"}}`
	for _, c := range []struct {
		method, name, params string
		modern               bool
		status               int
		want                 string
	}{
		{"resources/list", "", ``, false, 200, `"result":{"resources":[]}`},
		{"resources/list", "", ``, true, 200, `"result":{` + info + `,"ttlMs":60000,"cacheScope":"public","resources":[]}`},
		{"resources/templates/list", "", ``, false, 200, `"result":{"resourceTemplates":[{"uriTemplate":"shop://items/{id}","name":"item"}]}`},
		{"resources/templates/list", "", `,"cursor":"x"`, false, 200, `"error":{"code":-32602,"message":"the cursor is not one of this server's: the list has one page"}`},
		{"resources/read", "shop://items/a%2Fb", `,"uri":"shop://items/a%2Fb"`, false, 200, `"result":{"contents":[{"uri":"shop://items/a%2Fb","mimeType":"text/plain","text":"/items/a%2Fb"}]}`},
		{"resources/read", "shop://items/1", `,"uri":"shop://items/1"`, true, 200, `"result":{` + info + `,"ttlMs":0,"cacheScope":"private","contents":[{"uri":"shop://items/1","mimeType":"text/plain","text":"/items/1"}]}`},
		{"resources/read", "shop://x", `,"uri":"shop://x"`, false, 200, `"error":{"code":-32002,"message":"there is no resource \"shop://x\"; resources/list and resources/templates/list name what there is","data":{"uri":"shop://x"}}`},
		{"resources/read", "shop://x", `,"uri":"shop://x"`, true, 200, `"error":{"code":-32602,"message":"there is no resource \"shop://x\"; resources/list and resources/templates/list name what there is","data":{"uri":"shop://x"}}`},
		{"resources/read", "", `,"uri":1`, false, 200, `"error":{"code":-32602,"message":"params.uri must be the URI of a resource"}`},
		{"prompts/list", "", ``, false, 200, `"result":{"prompts":[{"name":"hello"}]}`},
		{"prompts/get", "hello", `,"name":"hello"`, true, 200, `"result":{` + info + `,"messages":[{"role":"user","content":{"type":"text","text":"Hello"}}]}`},
		{"prompts/get", "x", `,"name":"x"`, true, 200, `"error":{"code":-32602,"message":"unknown prompt \"x\"; prompts/list names the prompts there are"}`},
		{"prompts/get", "y", `,"name":"hello"`, true, 400, `"code":-32020`},
	} {
		res := post(t.Context(), t, web.URL, c.method, c.name, c.params, c.modern)
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s%s, modern %v: status %d, %s\nwant %s", c.method, c.params, c.modern, res.StatusCode, body, c.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		plan *plan.Server
		want string
	}{
		{catalogue("http://127.0.0.1:1"), `"capabilities":{"prompts":{},"resources":{},"tools":{}}`},
		{library("http://127.0.0.1:1"), `"capabilities":{"tools":{}}`},
	} {
		var out strings.Builder
		in := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
		if err := newServer(t, c.plan, Options{}).ServeStdio(t.Context(), strings.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("got %s, want %s", out.String(), c.want)
		}
	}
}

// A URI that is read is one that the template writes, and its values are the ones
// it was written with.
func FuzzURITemplate(f *testing.F) {
	for _, uri := range []string{"shop://orders/17", "shop://orders/a%2Fb", "shop://orders/", "shop://orders/1/lines/2", "shop://files/a/b", "shop://orders/%zz", "shop://orders/\xff"} {
		f.Add(uri)
	}
	simple := newResource(&plan.Resource{Parts: []plan.URIPart{{Literal: "shop://orders/"}, {Var: "id"}, {Literal: "/lines/"}, {Var: "line"}}}, nil)
	path := newResource(&plan.Resource{Parts: []plan.URIPart{{Literal: "shop://files/"}, {Var: "path", Reserved: true}}}, nil)
	one := newResource(&plan.Resource{Parts: []plan.URIPart{{Literal: "shop://orders/"}, {Var: "id"}}}, nil)
	f.Fuzz(func(t *testing.T, uri string) {
		for _, r := range []*resource{simple, path, one} {
			values, ok := r.variables(uri)
			if !ok {
				continue
			}
			rest := uri
			for i, p := range r.plan.Parts {
				if p.Var == "" {
					var found bool
					if rest, found = strings.CutPrefix(rest, p.Literal); !found {
						t.Fatalf("%q does not have %q", uri, p.Literal)
					}
					continue
				}
				end := len(rest)
				if i+1 < len(r.plan.Parts) {
					end = strings.Index(rest, r.plan.Parts[i+1].Literal)
				}
				written := rest[:end]
				if written == "" || !p.Reserved && strings.ContainsAny(written, "/?#") {
					t.Fatalf("%q gave %q", uri, written)
				}
				rest = rest[end:]
			}
			for _, v := range values {
				if v == "" {
					t.Fatalf("%q gave an empty value", uri)
				}
			}
		}
	})
}
