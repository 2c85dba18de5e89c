package judges

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpc-dev/mcpc/examples/orders/service"
)

const sample = "../../examples/orders/openapi.yaml"

// credentials of the sample service.
var credentials = "MCPC_AUTH_ERP=" + service.User + ":" + service.Password

// sampleService starts the old-style order system of the example.
func sampleService(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(service.New())
	t.Cleanup(s.Close)
	return s.URL
}

// realDocuments are big, differently written public documents whose whole list
// of tools every client has to take.
var realDocuments = []string{"github-rest.json", "stripe.json", "train-travel.yaml"}

// The Inspector with --strict lints every tool's schema for portability, and
// ends with an error when one is not fit for common clients.
func TestInspector(t *testing.T) {
	node := node(t)
	const inspector = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
	need(t, inspector)
	inspect := func(t *testing.T, args ...string) []string {
		t.Helper()
		argv := append([]string{node, inspector, "--cli", "--method", "tools/list", "--strict", "--format", "json", "-q"}, args...)
		stdout, stderr, code := run(t, 3*time.Minute, argv...)
		if code != 0 {
			t.Fatalf("the Inspector ends with %d\n%.4000s", code, stderr)
		}
		var list struct {
			Tools  []described
			Result struct{ Tools []described }
		}
		if err := json.Unmarshal([]byte(stdout), &list); err != nil {
			t.Fatalf("%v\n%.2000s", err, stdout)
		}
		var names []string
		for _, tool := range append(list.Tools, list.Result.Tools...) {
			names = append(names, tool.Name)
		}
		return names
	}
	targets := []string{sample}
	for _, d := range realDocuments {
		targets = append(targets, document(t, d))
	}
	for _, target := range targets {
		t.Run(target, func(t *testing.T) {
			url := serve(t, []string{credentials}, target, "--base-url", "http://127.0.0.1:9")
			var want []string
			for _, tool := range newClient(url).tools(t) {
				want = append(want, tool.Name)
			}
			for _, era := range []string{"modern", "legacy"} {
				got := inspect(t, "--protocol-era", era, "--transport", "http", "--server-url", url)
				if !slices.Equal(got, want) {
					t.Errorf("over HTTP, %s: %d tools, want %d: %.300v", era, len(got), len(want), got)
				}
				got = inspect(t, "--protocol-era", era, "--transport", "stdio", "--", mcpc, "serve", target, "--base-url", "http://127.0.0.1:9")
				if !slices.Equal(got, want) {
					t.Errorf("over stdio, %s: %d tools, want %d: %.300v", era, len(got), len(want), got)
				}
			}
		})
	}
}

// sdkCall is a call that two SDKs make and must agree about.
type sdkCall struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

// seen is what a client saw; the fields of a result that both SDKs show.
type seen struct {
	Tools   []string `json:"tools"`
	Results []struct {
		IsError bool     `json:"isError"`
		Text    []string `json:"text"`
		Image   int      `json:"image"` // bytes of base64
	} `json:"results"`
}

var sdkCalls = []sdkCall{
	{"listOrders", json.RawMessage(`{"status":["open","shipped"],"limit":2}`)},
	{"getOrder", json.RawMessage(`{"id":9007199254740993}`)},
	{"getLabel", json.RawMessage(`{"id":9007199254740993}`)},
	{"searchOrders", json.RawMessage(`{"body":{"CUSTNO":"C-10442","STAT":"10"}}`)},
	{"getOrder", json.RawMessage(`{"id":1}`)},
	{"listOrders", json.RawMessage(`{"status":"everything"}`)},
	{"getStock", json.RawMessage(`{"sku":"BOLT-M8"}`)},
}

// TypeScript SDK v1 and the official Go SDK, each over stdio and HTTP, see the
// same tools and the same results. The TypeScript SDK checks every structured
// result against its tool's output schema.
func TestSDKs(t *testing.T) {
	t.Run("interpreted", func(t *testing.T) { testSDKs(t, serve, func() []string { return []string{mcpc, "serve", sample} }) })
	t.Run("generated", func(t *testing.T) {
		testSDKs(t, serveGenerated, func() []string { return []string{generated(t, sample)} })
	})
}

func testSDKs(t *testing.T, serve serveFunc, argv func() []string) {
	upstream := sampleService(t)
	url := serve(t, []string{credentials}, sample, "--base-url", upstream)
	stdio := append(argv(), "--base-url", upstream)

	views := map[string]seen{
		"Go SDK, HTTP":          goSDK(t, &mcp.StreamableClientTransport{Endpoint: url}, sdkCalls),
		"Go SDK, stdio":         goSDK(t, stdioTransport(stdio), sdkCalls),
		"TypeScript SDK, HTTP":  typeScriptSDK(t, sdkCalls, url),
		"TypeScript SDK, stdio": typeScriptSDK(t, sdkCalls, stdio...),
	}
	first := views["Go SDK, HTTP"]
	if len(first.Tools) == 0 || len(first.Results) != len(sdkCalls) {
		t.Fatalf("%+v", first)
	}
	for i, r := range first.Results {
		if wrong := i >= 4; r.IsError != wrong {
			t.Errorf("%s %s: isError is %v: %s", sdkCalls[i].Tool, sdkCalls[i].Arguments, r.IsError, r.Text)
		}
	}
	if first.Results[2].Image == 0 {
		t.Error("the label is no image")
	}
	want, err := json.MarshalIndent(first, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range views {
		if got, _ := json.MarshalIndent(v, "", " "); string(got) != string(want) {
			t.Errorf("%s sees\n%s\nthe Go SDK over HTTP saw\n%s", name, got, want)
		}
	}
}

// A whole real API in the list, for both SDKs.
func TestSDKsListRealDocuments(t *testing.T) {
	for _, d := range realDocuments {
		t.Run(d, func(t *testing.T) {
			url := serve(t, nil, document(t, d), "--base-url", "http://127.0.0.1:9")
			want := len(newClient(url).tools(t))
			if got := goSDK(t, &mcp.StreamableClientTransport{Endpoint: url}, nil); len(got.Tools) != want {
				t.Errorf("the Go SDK sees %d tools of %d", len(got.Tools), want)
			}
			if got := typeScriptSDK(t, nil, url); len(got.Tools) != want {
				t.Errorf("the TypeScript SDK sees %d tools of %d", len(got.Tools), want)
			}
		})
	}
}

func stdioTransport(argv []string) mcp.Transport {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(cmd.Environ(), credentials)
	return &mcp.CommandTransport{Command: cmd}
}

func goSDK(t *testing.T, transport mcp.Transport, calls []sdkCall) seen {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	session, err := mcp.NewClient(&mcp.Implementation{Name: "judges", Version: "1"}, nil).Connect(ctx, transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	v := seen{}
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		v.Tools = append(v.Tools, tool.Name)
	}
	for _, call := range calls {
		r, err := session.CallTool(ctx, &mcp.CallToolParams{Name: call.Tool, Arguments: call.Arguments})
		if err != nil {
			t.Fatalf("%s %s: %v", call.Tool, call.Arguments, err)
		}
		v.Results = append(v.Results, struct {
			IsError bool     `json:"isError"`
			Text    []string `json:"text"`
			Image   int      `json:"image"`
		}{IsError: r.IsError})
		last := &v.Results[len(v.Results)-1]
		for _, c := range r.Content {
			switch c := c.(type) {
			case *mcp.TextContent:
				last.Text = append(last.Text, c.Text)
			case *mcp.ImageContent:
				last.Image = (len(c.Data) + 2) / 3 * 4
			}
		}
	}
	return v
}

// typeScriptSDK runs the client in sdk-client.mjs against a URL or a command.
func typeScriptSDK(t *testing.T, calls []sdkCall, target ...string) seen {
	t.Helper()
	node := node(t)
	need(t, "node_modules/@modelcontextprotocol/sdk/package.json")
	if calls == nil {
		calls = []sdkCall{}
	}
	list, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MCPC_AUTH_ERP", service.User+":"+service.Password)
	stdout, stderr, code := run(t, 2*time.Minute, append([]string{node, "sdk-client.mjs", string(list)}, target...)...)
	if code != 0 {
		t.Fatalf("the client ends with %d\n%.4000s", code, stderr)
	}
	var v seen
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v\n%.2000s", err, stdout)
	}
	return v
}

// GitHub's whole document is served, and a call of it reaches the upstream
// exactly: path, body byte for byte, accept and nothing that nobody asked for.
func TestGitHubCall(t *testing.T) {
	var got string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s\n%s\n%s", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":9007199254740993,"number":7}`))
	}))
	defer upstream.Close()
	c := newClient(serve(t, nil, document(t, "github-rest.json"), "--base-url", upstream.URL))
	if n := len(c.tools(t)); n != 1223 {
		t.Errorf("%d of 1223 operations are tools", n)
	}
	r := c.call(t, "issues_create", `{"owner":"octo","repo":"hello world/2","body":{"title":"It's \"broken\"", "labels":["bug"],"milestone":9007199254740993}}`)
	const want = "POST /repos/octo/hello%20world%2F2/issues\napplication/json\n" + `{"title":"It's \"broken\"", "labels":["bug"],"milestone":9007199254740993}`
	if got != want {
		t.Errorf("the upstream got\n%s\nwant\n%s", got, want)
	}
	if r.IsError || r.text() != `{"id":9007199254740993,"number":7}` {
		t.Errorf("isError %v: %s", r.IsError, r.text())
	}
}
