package judges

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// client is the least that speaks MCP over HTTP, for the tests that are about
// what reaches the upstream. Arguments are sent as they are written.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string) *client {
	return &client{url: url, http: &http.Client{Timeout: time.Minute}}
}

// described is a tool as tools/list shows it.
type described struct {
	Name        string
	InputSchema json.RawMessage
}

// result is what a tool call returned.
type result struct {
	IsError bool
	Content []struct {
		Type, Text, Data, MimeType string
	}
	StructuredContent json.RawMessage
}

// text is all text content.
func (r *result) text() string {
	var b strings.Builder
	for _, c := range r.Content {
		b.WriteString(c.Text)
	}
	return b.String()
}

func (c *client) rpc(t *testing.T, method, params string, out any) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	r, err := http.NewRequest("POST", c.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-06-18")
	answer, err := c.http.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, params, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		for line := range bytes.Lines(text) {
			if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
				text = data // the last event is the response
			}
		}
	}
	var message struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal(text, &message); err != nil || message.Error != nil || message.Result == nil {
		t.Fatalf("%s %s: HTTP %d %s", method, params, answer.StatusCode, text)
	}
	if err := json.Unmarshal(message.Result, out); err != nil {
		t.Fatal(err)
	}
}

// tools lists all tools.
func (c *client) tools(t *testing.T) []described {
	t.Helper()
	var all []described
	params := "{}"
	for {
		var page struct {
			Tools      []described
			NextCursor string
		}
		c.rpc(t, "tools/list", params, &page)
		all = append(all, page.Tools...)
		if page.NextCursor == "" {
			return all
		}
		params = fmt.Sprintf(`{"cursor":%q}`, page.NextCursor)
	}
}

// call calls a tool with arguments as JSON text.
func (c *client) call(t *testing.T, name, arguments string) *result {
	t.Helper()
	var r result
	c.rpc(t, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, name, arguments), &r)
	return &r
}

// tap is a reverse proxy that notes what goes through, so that a verdict rests
// on what the judge answered and not on how mcpc retells it.
type tap struct {
	url  string
	mu   sync.Mutex
	seen []exchange
}

type exchange struct {
	request string // method, target and body
	status  int
	header  http.Header
	answer  string // the beginning of the body
}

func newTap(t *testing.T, upstream string) *tap {
	t.Helper()
	target, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	tap := &tap{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		r.Out.Host = target.Host
	}, ErrorLog: log.New(io.Discard, "", 0)} // an upstream that is gone shows as 502
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		e := exchange{request: fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), body)}
		note := &noting{ResponseWriter: w, e: &e}
		proxy.ServeHTTP(note, r)
		tap.mu.Lock()
		tap.seen = append(tap.seen, e)
		tap.mu.Unlock()
	}))
	t.Cleanup(server.Close)
	tap.url = server.URL
	return tap
}

// take returns what went through since the last call.
func (p *tap) take() []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

type noting struct {
	http.ResponseWriter
	e *exchange
}

func (n *noting) WriteHeader(status int) {
	n.e.status, n.e.header = status, n.Header().Clone()
	n.ResponseWriter.WriteHeader(status)
}

func (n *noting) Write(p []byte) (int, error) {
	if len(n.e.answer) < 2000 {
		n.e.answer += string(p)
	}
	return n.ResponseWriter.Write(p)
}
