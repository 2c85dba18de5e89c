package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostileKey is the only key of the guarded server; it may be in no answer.
const hostileKey = "mcpc_hostileprobes2345672345672"

// hostileSpec is what the hostile clients meet. %[1]s is the service behind it.
const hostileSpec = `
server "target" {
  listen "http" { addr = "127.0.0.1:0" }
  limits = {
    header_timeout = "500ms"
    request_timeout = "1s"
  }
}
%[2]s
api "shop" {
  base_url = "%[1]s/v1"
  auth     = bearer(env("SHOP_TOKEN"))
}
tool "item" {
  description = "An item."
  request "GET" "/items/{id}" {
    headers = { X-Note = args.note }
    query   = { q = args.q }
  }
  input "id" { type = string }
  input "note" {
    type     = string
    optional = true
  }
  input "q" {
    type     = string
    optional = true
  }
}
tool "number" {
  description = "A number."
  request "GET" "/numbers/{n}" {}
  input "n" { type = integer }
}
tool "list" {
  description = "A list."
  request "GET" "/list" {}
  pagination "cursor" {
    param     = "after"
    items     = "items"
    next      = "next"
    max_pages = 1
  }
}
tool "drop" {
  description = "Deletes an item."
  confirm     = "Delete it?"
  request "DELETE" "/items/{id}" {}
  input "id" { type = string }
}
tool "wait" {
  description = "Waits."
  request "GET" "/wait" {}
}
`

// upstreamLog is the service behind the servers: it answers what it was asked.
type upstreamLog struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // METHOD TARGET
	waiting chan struct{}
	release chan struct{}
}

func newUpstream(t *testing.T) *upstreamLog {
	u := &upstreamLog{waiting: make(chan struct{}, 16), release: make(chan struct{}, 16)}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.asked = append(u.asked, r.Method+" "+r.RequestURI)
		u.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/wait":
			u.waiting <- struct{}{}
			select {
			case <-u.release:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, `{"waited":true}`)
		case "/v1/list":
			_, _ = io.WriteString(w, `{"items":[{"n":1}],"next":"page-2"}`)
		default:
			b, _ := json.Marshal(map[string]string{"target": r.RequestURI, "note": r.Header.Get("X-Note")})
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// take returns what was asked since it was called last.
func (u *upstreamLog) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	asked := u.asked
	u.asked = nil
	return asked
}

// victim is a running mcpc serve.
type victim struct {
	cmd     *exec.Cmd
	address string // of HTTP
	in      io.WriteCloser
	out     *bufio.Reader
	mu      sync.Mutex
	said    bytes.Buffer // on stderr
}

// serveVictim starts the command on a spec; without identity it is open. On stdio, in
// and out are set.
func serveVictim(t *testing.T, u *upstreamLog, identity string, stdio bool) *victim {
	t.Helper()
	dir := t.TempDir()
	spec := fmt.Sprintf(hostileSpec, u.URL, identity)
	if stdio {
		spec = strings.Replace(spec, `listen "http" { addr = "127.0.0.1:0" }`, "", 1)
	}
	path := filepath.Join(dir, "spec.hcl")
	if err := os.WriteFile(path, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: exec.Command("mcpc", "serve", path, "--no-cache", "--log-level", "debug")}
	v.cmd.Env = append(os.Environ(), "SHOP_TOKEN=sesame-upstream-secret")
	var err error
	if v.in, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.out = bufio.NewReaderSize(out, 1<<20)
	stderr, err := v.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(5*time.Minute, func() { _ = v.cmd.Process.Kill() })
	greeted := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines := bufio.NewReader(stderr)
		first, _ := lines.ReadString('\n')
		greeted <- first
		v.mu.Lock()
		v.said.WriteString(first)
		v.mu.Unlock()
		buf := make([]byte, 32<<10)
		for {
			n, err := lines.Read(buf)
			v.mu.Lock()
			v.said.Write(buf[:n])
			v.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = v.cmd.Process.Signal(os.Interrupt)
		_ = v.in.Close()
		<-drained
		if err := v.cmd.Wait(); err != nil {
			t.Errorf("the server ended badly: %v", err)
		}
		limit.Stop()
		said := v.said.String()
		for _, bad := range []string{"panic", "goroutine ", "DATA RACE", "sesame", hostileKey, "internal error"} {
			if i := strings.Index(said, bad); i >= 0 {
				t.Errorf("stderr holds %q: %s", bad, said[max(0, i-300):min(len(said), i+2000)])
			}
		}
	})
	line := <-greeted
	if _, rest, ok := strings.Cut(line, "http://"); ok {
		v.address, _, _ = strings.Cut(rest, "/")
	} else if !stdio {
		t.Fatalf("it does not say where it is: %q", line)
	}
	return v
}

// resident is the memory of the process in bytes, and the most it ever was.
func (v *victim) resident(t *testing.T) (now, most int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.cmd.Process.Pid))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Logf("memory is not looked at: %v", err) // no procfs
		return 0, 0
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(b), name+":")
		n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		return n << 10
	}
	return field("VmRSS"), field("VmHWM")
}

// leaks are what no answer may hold: places of this machine and of the code, and
// secrets.
func leaks(t *testing.T, answer string) {
	t.Helper()
	for _, bad := range []string{"goroutine ", ".go:", "runtime error", "panic", os.TempDir(), "/runtime/", "sesame", hostileKey, "spec.hcl", "net/http"} {
		if strings.Contains(answer, bad) {
			t.Errorf("the answer holds %q: %.2000s", bad, answer)
		}
	}
}

// probe is what a hostile client sends over HTTP, and what has to come back.
type probe struct {
	name    string
	send    string // the bytes on the wire
	status  int    // of the first answer; 0: the connection is closed without one
	text    string // part of the answer
	absent  string // no part of it
	guarded bool   // sent to the server with an identity
	asked   string // what the upstream is asked; "": nothing
	more    int    // answers after the first
	bounded int64  // bytes that memory may grow by; 0: not looked at
	half    bool   // the rest never comes
}

const (
	modernHead = "MCP-Protocol-Version: 2026-07-28\r\n"
	modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`
)

// rawPost is a POST of a body with more headers, each with its line end.
func rawPost(body, headers string) string {
	return rawPostTo("/mcp", body, "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"+headers)
}

func rawPostTo(target, body, headers string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", target, headers, len(body), body)
}

func itemCall(id, arguments string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"item","arguments":` + arguments + `}}`
}

func callOf(name, arguments string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + `}}`
}

func modernCall(name, arguments, more string) string {
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + more + `,` + modernMeta + `}}`
	return rawPost(body, modernHead+"Mcp-Method: tools/call\r\nMcp-Name: "+name+"\r\n")
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

func rpc(member string) string { return rawPost(`{"jsonrpc":"2.0",`+member+`}`, "") }

// hostileProbes are the probes over HTTP. Those that a proxy in front could read in
// another way than this server (request smuggling) must close the connection: one
// answer, and what follows is not a request.
func hostileProbes() []probe {
	const parse, invalid, params, method, header = "-32700", "-32600", "-32602", "-32601", "-32020"
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	chunked := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	get := "GET /mcp HTTP/1.1\r\nHost: localhost\r\n"
	smuggled := "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	return []probe{
		// JSON.
		{name: "no body", send: rawPost("", ""), status: 400, text: parse},
		{name: "malformed", send: rawPost(`{"jsonrpc":`, ""), status: 400, text: parse},
		{name: "not JSON", send: rawPost("<?xml version='1.0'?><a/>", ""), status: 400, text: parse},
		{name: "truncated string", send: rawPost(`{"jsonrpc":"2.0","id":1,"method":"pi`, ""), status: 400, text: parse},
		{name: "two messages", send: rawPost(ping+ping, ""), status: 400, text: parse},
		{name: "trailing comma", send: rpc(`"id":1,"method":"ping",`), status: 400, text: parse},
		{name: "comment", send: rawPost("/* */"+ping, ""), status: 400, text: parse},
		{name: "single quotes", send: rawPost(`{'jsonrpc':'2.0'}`, ""), status: 400, text: parse},
		{name: "NaN", send: rpc(`"id":NaN,"method":"ping"`), status: 400, text: parse},
		{name: "invalid UTF-8", send: rpc("\"id\":1,\"method\":\"pi\xffng\""), status: 400, text: parse},
		{name: "overlong UTF-8", send: rawPost(itemCall("1", "{\"id\":\"\xc0\xae\xc0\xae\"}"), ""), status: 400, text: parse},
		{name: "UTF-16", send: rawPost("\xff\xfe{\x00}\x00", ""), status: 400, text: parse},
		{name: "byte order mark", send: rawPost("\ufeff"+ping, ""), status: 400, text: parse},
		{name: "NUL", send: rawPost(ping+"\x00", ""), status: 400, text: parse},
		{name: "raw control character", send: rpc("\"id\":1,\"method\":\"pi\x01ng\""), status: 400, text: parse},
		{name: "lone surrogate", send: rawPost(itemCall("1", `{"id":"\ud800"}`), ""), status: 400, text: parse},
		{name: "escaped NUL in a path", send: rawPost(itemCall("1", `{"id":"a\u0000b"}`), ""), status: 200, text: "%00", asked: "GET /v1/items/a%00b"},
		{name: "duplicate id", send: rpc(`"id":1,"id":2,"method":"ping"`), status: 400, text: invalid},
		{name: "duplicate method", send: rpc(`"id":1,"method":"ping","method":"tools/list"`), status: 400, text: invalid},
		{name: "duplicate name", send: rpc(`"id":1,"method":"tools/call","params":{"name":"item","name":"drop"}`), status: 400, text: params},
		{name: "duplicate argument", send: rawPost(itemCall("1", `{"id":"a","id":"b"}`), ""), status: 200, text: `"isError":true`},
		{name: "members in another case", send: rawPost(`{"JSONRPC":"2.0","ID":1,"METHOD":"ping"}`, ""), status: 400, text: invalid},
		{name: "escaped member names", send: rawPost(`{"json\u0072pc":"2.0","id":1,"method":"ping"}`, ""), status: 200, text: `"result":{}`},
		{name: "huge exponent", send: rawPost(callOf("number", `{"n":1e999999}`), ""), status: 200, text: `"isError":true`},
		{name: "huge integer", send: rawPost(callOf("number", `{"n":`+strings.Repeat("9", 100_000)+`}`), ""), status: 200, text: `"content"`, asked: "*"},
		{name: "minus zero", send: rawPost(callOf("number", `{"n":-0}`), ""), status: 200, text: "/v1/numbers/", asked: "GET /v1/numbers/-0"},
		{name: "fraction for an integer", send: rawPost(callOf("number", `{"n":1.5}`), ""), status: 200, text: `"isError":true`},
		{name: "leading zero", send: rawPost(callOf("number", `{"n":01}`), ""), status: 400, text: parse},
		{name: "deep nesting", send: rpc(`"id":1,"method":"ping","params":{"a":` + deep(200) + `}`), status: 400, text: `{"limit":"depth","value":128}`},
		{name: "very deep nesting", send: rawPost(deep(1_000_000), ""), status: 400, text: `{"limit":"depth","value":128}`, bounded: 128 << 20},
		{name: "brackets without end", send: rawPost(strings.Repeat("[{\"a\":", 500_000), ""), status: 400, text: `"depth"`, bounded: 128 << 20},
		{name: "huge key", send: rpc(`"id":1,"method":"ping","params":{"` + strings.Repeat("k", 3<<20) + `":1}`), status: 200, text: `"result":{}`, bounded: 128 << 20},
		{name: "many members", send: rpc(`"id":1,"method":"ping","params":{` + strings.TrimSuffix(strings.Repeat(`"a":1,`, 500_000), ",") + `}`), status: 200, text: `"result"`, bounded: 192 << 20},
		{name: "many arguments", send: rawPost(itemCall("1", `{"id":"x"`+func() string {
			var b strings.Builder
			for i := range 100_000 {
				fmt.Fprintf(&b, `,"a%d":%d`, i, i)
			}
			return b.String()
		}()+"}"), ""), status: 200, text: `"isError":true`, bounded: 256 << 20},
		{name: "body over the limit", send: rawPost(`{"a":"`+strings.Repeat("a", 5<<20)+`"}`, ""), status: 413, text: `{"limit":"body","value":4194304}`, bounded: 128 << 20},
		{name: "announced body over the limit", send: chunked + "Content-Length: 999999999999\r\n\r\n{", status: 413, text: `"limit":"body"`, half: true},

		// JSON-RPC.
		{name: "null", send: rawPost("null", ""), status: 400, text: invalid},
		{name: "a string", send: rawPost(`"ping"`, ""), status: 400, text: invalid},
		{name: "empty object", send: rawPost("{}", ""), status: 400, text: invalid},
		{name: "empty batch", send: rawPost("[]", "MCP-Protocol-Version: 2025-03-26\r\n"), status: 400, text: invalid},
		{name: "nested batch", send: rawPost("[["+ping+"]]", "MCP-Protocol-Version: 2025-03-26\r\n"), status: 200, text: invalid},
		{name: "batch of junk", send: rawPost("[1,null,{}]", "MCP-Protocol-Version: 2025-03-26\r\n"), status: 200, text: invalid},
		{name: "batch of notifications", send: rawPost(`[{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","method":"x"}]`, "MCP-Protocol-Version: 2025-03-26\r\n"), status: 202},
		{name: "batch over the limit", send: rawPost("["+strings.TrimSuffix(strings.Repeat(ping+",", 65), ",")+"]", "MCP-Protocol-Version: 2025-03-26\r\n"), status: 400, text: `{"limit":"batch","value":64}`},
		{name: "batch where there is none", send: rawPost("["+ping+"]", "MCP-Protocol-Version: 2025-11-25\r\n"), status: 400, text: invalid},
		{name: "initialize in a batch", send: rawPost(`[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}]`, "MCP-Protocol-Version: 2025-03-26\r\n"), status: 200, text: invalid},
		{name: "JSON-RPC 1.0", send: rawPost(`{"jsonrpc":"1.0","id":1,"method":"ping"}`, ""), status: 400, text: invalid},
		{name: "JSON-RPC as a number", send: rawPost(`{"jsonrpc":2.0,"id":1,"method":"ping"}`, ""), status: 400, text: invalid},
		{name: "id null", send: rpc(`"id":null,"method":"ping"`), status: 400, text: invalid},
		{name: "id with a fraction", send: rpc(`"id":1.5,"method":"ping"`), status: 400, text: invalid},
		{name: "id true", send: rpc(`"id":true,"method":"ping"`), status: 400, text: invalid},
		{name: "id an object", send: rpc(`"id":{"a":1},"method":"ping"`), status: 400, text: invalid},
		{name: "id of many digits", send: rpc(`"id":12345678901234567890123,"method":"ping"`), status: 200, text: `"id":12345678901234567890123,`},
		{name: "id over the limit", send: rpc(`"id":"` + strings.Repeat("i", 1000) + `","method":"ping"`), status: 400, text: `{"limit":"name","value":256}`, absent: "iiiiiiiiii"},
		{name: "id with markup", send: rpc(`"id":"</script>\r\nX: y","method":"ping"`), status: 200, text: `"id":"</script>\r\nX: y"`},
		{name: "method missing", send: rpc(`"id":1`), status: 400, text: invalid},
		{name: "method a number", send: rpc(`"id":1,"method":1`), status: 400, text: invalid},
		{name: "method empty", send: rpc(`"id":1,"method":""`), status: 400, text: invalid},
		{name: "method over the limit", send: rpc(`"id":1,"method":"` + strings.Repeat("m", 1000) + `"`), status: 400, text: `"limit":"name"`},
		{name: "method unknown", send: rpc(`"id":1,"method":"tools/destroy"`), status: 200, text: method},
		{name: "method of the language", send: rpc(`"id":1,"method":"__proto__"`), status: 200, text: method},
		{name: "method of RPC", send: rpc(`"id":1,"method":"rpc.discover"`), status: 200, text: method},
		{name: "method in another case", send: rpc(`"id":1,"method":"Tools/Call"`), status: 200, text: method},
		{name: "params an array", send: rpc(`"id":1,"method":"tools/list","params":["a"]`), status: 400, text: params},
		{name: "params text", send: rpc(`"id":1,"method":"tools/list","params":"a"`), status: 400, text: params},
		{name: "_meta a list", send: rpc(`"id":1,"method":"tools/list","params":{"_meta":[]}`), status: 400, text: params},
		{name: "a response nobody waits for", send: rpc(`"id":"confirm-1","result":{"action":"accept"}`), status: 202},
		{name: "an error as a request", send: rpc(`"id":1,"error":{"code":1,"message":"x"}`), status: 202},

		// Tools and arguments.
		{name: "no tool", send: rpc(`"id":1,"method":"tools/call","params":{}`), status: 200, text: params},
		{name: "tool a number", send: rpc(`"id":1,"method":"tools/call","params":{"name":1}`), status: 200, text: params},
		{name: "tool unknown", send: rawPost(callOf("nothing", "{}"), ""), status: 200, text: params},
		{name: "tool __proto__", send: rawPost(callOf("__proto__", "{}"), ""), status: 200, text: params},
		{name: "tool constructor", send: rawPost(callOf("constructor", "{}"), ""), status: 200, text: params},
		{name: "tool with a path", send: rawPost(callOf("../../etc/passwd", "{}"), ""), status: 200, text: params},
		{name: "tool with line ends", send: rawPost(callOf(`item\r\nSet-Cookie: a=b`, "{}"), ""), status: 200, text: params, absent: "\nSet-Cookie"},
		{name: "tool from right to left", send: rawPost(callOf("\u202emeti", "{}"), ""), status: 200, text: params},
		{name: "tool with no width", send: rawPost(callOf("it\u200bem", `{"id":"a"}`), ""), status: 200, text: params},
		{name: "tool that looks alike", send: rawPost(callOf("itеm", `{"id":"a"}`), ""), status: 200, text: params}, // е is Cyrillic
		{name: "tool over the limit", send: rawPost(callOf(strings.Repeat("t", 1000), "{}"), ""), status: 400, text: `"limit":"name"`},
		{name: "arguments a list", send: rawPost(callOf("item", `["a"]`), ""), status: 200, text: params},
		{name: "arguments text", send: rawPost(callOf("item", `"a"`), ""), status: 200, text: params},
		{name: "argument missing", send: rawPost(callOf("item", `{}`), ""), status: 200, text: `"isError":true`},
		{name: "argument of another type", send: rawPost(callOf("item", `{"id":{"$ne":null}}`), ""), status: 200, text: `"isError":true`},
		{name: "argument __proto__", send: rawPost(callOf("item", `{"id":"a","__proto__":{"admin":true}}`), ""), status: 200, text: `"isError":true`},
		{name: "line ends in a header", send: rawPost(callOf("item", `{"id":"a","note":"x\r\nX-Admin: 1"}`), ""), status: 200, text: `"isError":true`},
		{name: "line ends in a query", send: rawPost(callOf("item", `{"id":"a","q":"x\r\nHost: evil"}`), ""), status: 200, text: "%0D%0A", asked: "GET /v1/items/a?q=x%0D%0AHost%3A%20evil"},
		{name: "path ..", send: rawPost(callOf("item", `{"id":".."}`), ""), status: 200, text: `"isError":true`},
		{name: "path .", send: rawPost(callOf("item", `{"id":"."}`), ""), status: 200, text: `"isError":true`},
		{name: "path empty", send: rawPost(callOf("item", `{"id":""}`), ""), status: 200, text: `"isError":true`},
		{name: "path ../..", send: rawPost(callOf("item", `{"id":"../../admin"}`), ""), status: 200, text: `"isError":true`},
		{name: "path %2e%2e", send: rawPost(callOf("item", `{"id":"%2e%2e"}`), ""), status: 200, asked: "GET /v1/items/%252e%252e"},
		{name: "path %252e%252e%252f", send: rawPost(callOf("item", `{"id":"%252e%252E%252fadmin"}`), ""), status: 200, asked: "GET /v1/items/%25252e%25252E%25252fadmin"},
		{name: "path ..;", send: rawPost(callOf("item", `{"id":"..;a=b/admin"}`), ""), status: 200, asked: "GET /v1/items/..%3Ba%3Db%2Fadmin"},
		{name: "path %2f", send: rawPost(callOf("item", `{"id":"%2fadmin"}`), ""), status: 200, asked: "GET /v1/items/%252fadmin"},
		{name: "path with a backslash", send: rawPost(callOf("item", `{"id":"..\\..\\admin"}`), ""), status: 200, text: `"isError":true`},
		{name: "path with a query", send: rawPost(callOf("item", `{"id":"a?admin=1#x"}`), ""), status: 200, asked: "GET /v1/items/a%3Fadmin%3D1%23x"},
		{name: "path a URL", send: rawPost(callOf("item", `{"id":"http://169.254.169.254/"}`), ""), status: 200, asked: "GET /v1/items/http%3A%2F%2F169.254.169.254%2F"},
		{name: "cursor of a list forged", send: rpc(`"id":1,"method":"tools/list","params":{"cursor":"AAAA"}`), status: 200, text: params},
		{name: "cursor of a list an object", send: rpc(`"id":1,"method":"tools/list","params":{"cursor":{}}`), status: 200, text: params},
		{name: "cursor of a tool forged", send: rawPost(callOf("list", `{"cursor":"`+base64.RawURLEncoding.EncodeToString([]byte(`{"u":"http://169.254.169.254/"}`))+`"}`), ""), status: 200, text: `"isError":true`},
		{name: "cursor of a tool with line ends", send: rawPost(callOf("list", `{"cursor":"a\r\nb"}`), ""), status: 200, text: `"isError":true`},
		{name: "progress token an object", send: rpc(`"id":1,"method":"tools/call","params":{"name":"item","arguments":{"id":"a"},"_meta":{"progressToken":{}}}`), status: 200, text: `"content"`, asked: "GET /v1/items/a"},
		{name: "progress token over the limit", send: rpc(`"id":1,"method":"ping","params":{"_meta":{"progressToken":"` + strings.Repeat("p", 1000) + `"}}`), status: 400, text: `"limit":"name"`},
		{name: "cancellation of what is not there", send: rpc(`"method":"notifications/cancelled","params":{"requestId":1}`), status: 202},
		{name: "cancellation of an object", send: rpc(`"method":"notifications/cancelled","params":{"requestId":{}}`), status: 202},
		{name: "resource of a file", send: rpc(`"id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}`), status: 200, text: `"error"`, absent: "root:"},
		{name: "consent forged", send: modernCall("drop", `{"id":"a"}`, `,"inputResponses":{"confirm":{"action":"accept"}},"requestState":"AAAA"`), status: 200, text: `"isError":true`},
		{name: "consent without a question", send: modernCall("drop", `{"id":"a"}`, `,"inputResponses":{"confirm":{"action":"accept"}}`), status: 200, text: "input_required"},
		{name: "consent of a client that cannot ask", send: rawPost(callOf("drop", `{"id":"a"}`), ""), status: 200, text: `"isError":true`},

		// MCP's headers.
		{name: "version unknown", send: rawPost(ping, "MCP-Protocol-Version: 1999-01-01\r\n"), status: 400, text: "-32022"},
		{name: "version garbage", send: rawPost(ping, "MCP-Protocol-Version: ../../x\r\n"), status: 400, text: "-32022"},
		{name: "version huge", send: rawPost(ping, "MCP-Protocol-Version: "+strings.Repeat("9", 10_000)+"\r\n"), status: 400, text: "-326", absent: strings.Repeat("9", 200)},
		{name: "versions two", send: rawPost(ping, "MCP-Protocol-Version: 2025-11-25\r\nMCP-Protocol-Version: 2025-06-18\r\n"), status: 400, text: header},
		{name: "method differs from its header", send: rawPost(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","arguments":{"id":"a"},`+modernMeta+`}}`, modernHead+"Mcp-Method: tools/list\r\n"), status: 400, text: header},
		{name: "tool differs from its header", send: rawPost(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","arguments":{"id":"a"},`+modernMeta+`}}`, modernHead+"Mcp-Method: tools/call\r\nMcp-Name: item\r\n"), status: 400, text: header},
		{name: "session guessed", send: rawPost(ping, "Mcp-Session-Id: 00000000-0000-0000-0000-000000000001\r\n"), status: 200, text: `"result":{}`},
		{name: "session over the limit", send: rawPost(ping, "Mcp-Session-Id: "+strings.Repeat("s", 1000)+"\r\n"), status: 400, text: `"limit":"name"`},
		{name: "session with a tab", send: rawPost(ping, "Mcp-Session-Id: a\tb\r\n"), status: 400, text: "Mcp-Session-Id"},
		{name: "stream of a session", send: get + "Accept: text/event-stream\r\nMcp-Session-Id: x\r\nLast-Event-ID: ../../1\r\n\r\n", status: 200, absent: "data:"},
		{name: "stream of one who may not call", guarded: true, send: get + "Accept: text/event-stream\r\n\r\n", status: 401},
		{name: "end of a session", send: "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: x\r\n\r\n", status: 405},
		{name: "traceparent huge", send: rawPost(ping, "Traceparent: "+strings.Repeat("0", 30_000)+"\r\nX-Request-Id: "+strings.Repeat("r", 30_000)+"\r\n"), status: 200, text: `"result":{}`, absent: "rrrrrrrr"},
		{name: "traceparent garbage", send: rawPost(ping, "Traceparent: 00-ffffffff-\"';DROP--\r\nTracestate: "+strings.Repeat("a=b,", 1000)+"\r\n"), status: 200, text: `"result":{}`},

		// Media.
		{name: "type missing", send: rawPostTo("/mcp", ping, ""), status: 415},
		{name: "type of a form", send: rawPostTo("/mcp", ping, "Content-Type: text/plain\r\n"), status: 415},
		{name: "type that begins well", send: rawPostTo("/mcp", ping, "Content-Type: application/json-evil\r\n"), status: 415},
		{name: "types two", send: rawPostTo("/mcp", ping, "Content-Type: application/json\r\nContent-Type: text/plain\r\n"), status: 415},
		{name: "charset", send: rawPostTo("/mcp", "{\x00\"\x00", "Content-Type: application/json; charset=utf-16le\r\n"), status: 415},
		{name: "accepts nothing", send: rawPostTo("/mcp", ping, "Content-Type: application/json\r\nAccept: image/png\r\n"), status: 406},
		{name: "accepts garbage", send: rawPostTo("/mcp", ping, "Content-Type: application/json\r\nAccept: ,;q=x,"+strings.Repeat("a/b,", 2000)+"\r\n"), status: 406},
		{name: "gzip bomb", send: rawPost("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "Content-Encoding: gzip\r\n"), status: 415},
		{name: "encodings two", send: rawPost(ping, "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"), status: 415},

		// Host, Origin and who is asked.
		{name: "host missing", send: "POST /mcp HTTP/1.1\r\nContent-Length: 0\r\n\r\n", status: 400},
		{name: "host foreign", send: "POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n", status: 403, text: "Host"},
		{name: "hosts two", send: "POST /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n", status: 400},
		{name: "host with a user", send: "POST /mcp HTTP/1.1\r\nHost: localhost@evil.example\r\nContent-Length: 0\r\n\r\n", status: 400},
		{name: "host that begins well", send: "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nContent-Length: 0\r\n\r\n", status: 403},
		{name: "host by a proxy's word", send: "POST /mcp HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\nContent-Length: 0\r\n\r\n", status: 403},
		{name: "origin null", send: rawPost(ping, "Origin: null\r\n"), status: 403, text: "Origin"},
		{name: "origin foreign", send: rawPost(ping, "Origin: https://evil.example\r\n"), status: 403},
		{name: "origin that begins well", send: rawPost(ping, "Origin: http://localhost.evil.example\r\n"), status: 403},
		{name: "origins two", send: rawPost(ping, "Origin: http://localhost\r\nOrigin: https://evil.example\r\n"), status: 403},
		{name: "preflight of a foreign page", send: "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", status: 403, absent: "Access-Control-Allow-Origin"},
		{name: "target of another host", send: "POST http://evil.example/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n", status: 403},
		{name: "target of a proxy", send: "GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 404},
		{name: "CONNECT", send: "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 404},
		{name: "TRACE", send: "TRACE /mcp HTTP/1.1\r\nHost: localhost\r\nCookie: a=echo-me\r\n\r\n", status: 405, absent: "echo-me"},
		{name: "verb unknown", send: "BREW /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 405},
		{name: "verb with markup", send: "<script> /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 400},
		{name: "asterisk", send: "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 200},
		{name: "path that climbs", send: "POST /x/../mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", status: 404},
		{name: "path of a file", send: "GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 404, absent: "root:"},
		{name: "path with NUL", send: "GET /mcp%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 404},
		{name: "profiles", send: "GET /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 404},
		{name: "method override", send: "GET /mcp HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: POST\r\n\r\n", status: 406},

		// Who calls.
		{name: "nobody", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), ""), status: 401},
		{name: "key wrong", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "X-Api-Key: wrong\r\n"), status: 401, absent: "wrong"},
		{name: "keys two", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "X-Api-Key: "+hostileKey+"\r\nX-Api-Key: x\r\n"), status: 401},
		{name: "key in the query", guarded: true, send: rawPostTo("/mcp?X-Api-Key="+hostileKey+"&api_key="+hostileKey, itemCall("1", `{"id":"a"}`), "Content-Type: application/json\r\n"), status: 401},
		{name: "token in the query", guarded: true, send: rawPostTo("/mcp?access_token=abc", itemCall("1", `{"id":"a"}`), "Content-Type: application/json\r\nX-Api-Key: "+hostileKey+"\r\n"), status: 400},
		{name: "key and a token nobody checks", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "X-Api-Key: "+hostileKey+"\r\nAuthorization: Bearer x.y.z\r\n"), status: 401},
		{name: "authorizations two", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), status: 401},
		{name: "authorization of another kind", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "Authorization: Basic YTpi\r\n"), status: 401, absent: "YTpi"},
		{name: "token oversized", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "Authorization: Bearer "+strings.Repeat("t", 70_000)+"\r\n"), status: 431, text: `"limit":"headers"`},
		{name: "caller by a proxy's word", guarded: true, send: rawPost(itemCall("1", `{"id":"a"}`), "X-Forwarded-User: admin\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\n"), status: 401},
		{name: "body of one who may not call", guarded: true, send: chunked + "Content-Length: 4000000\r\n\r\n{", status: 401, half: true},
		{name: "batch of one who may not call", guarded: true, send: rawPost("["+itemCall("1", `{"id":"a"}`)+"]", "MCP-Protocol-Version: 2025-03-26\r\n"), status: 401},

		// HTTP itself.
		{name: "length and chunks", send: chunked + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n" + ping + "\r\n0\r\n\r\n" + smuggled, status: 200, text: `"result":{}`},
		{name: "lengths two", send: chunked + "Content-Length: 40\r\nContent-Length: 5\r\n\r\n" + ping + smuggled, status: 400},
		{name: "lengths in a list", send: chunked + "Content-Length: 40, 40\r\n\r\n" + ping + smuggled, status: 400},
		{name: "length negative", send: chunked + "Content-Length: -1\r\n\r\n" + smuggled, status: 400},
		{name: "length with a sign", send: chunked + "Content-Length: +40\r\n\r\n" + ping + smuggled, status: 400},
		{name: "length of many digits", send: chunked + "Content-Length: 99999999999999999999\r\n\r\n" + smuggled, status: 400},
		{name: "length in hex", send: chunked + "Content-Length: 0x28\r\n\r\n" + ping + smuggled, status: 400},
		{name: "encoding unknown", send: chunked + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled, status: 501},
		{name: "encoding disguised", send: chunked + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled, status: 501},
		{name: "encodings of two lines", send: chunked + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + smuggled, status: 501},
		{name: "space before a colon", send: chunked + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled, status: 400},
		{name: "folded header", send: chunked + "X-A: a\r\n  b: c\r\nContent-Length: 40\r\n\r\n" + ping, status: 200, text: `"result":{}`},
		{name: "folded first header", send: "POST /mcp HTTP/1.1\r\n Host: localhost\r\n\r\n", status: 400},
		{name: "line feeds alone", send: "POST /mcp HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 40\n\n" + ping, status: 200, text: `"result":{}`},
		{name: "carriage return in a header", send: chunked + "X-A: a\rX-B: b\r\nContent-Length: 40\r\n\r\n" + ping, status: 400},
		{name: "NUL in a header", send: chunked + "X-A: a\x00b\r\nContent-Length: 40\r\n\r\n" + ping, status: 400},
		{name: "header without a name", send: chunked + ": a\r\nContent-Length: 40\r\n\r\n" + ping, status: 400},
		{name: "chunk extension", send: chunked + "Transfer-Encoding: chunked\r\n\r\n28;a=\"b\r\n" + ping + "\r\n0\r\n\r\n", status: 200, text: `"result":{}`},
		{name: "chunk extensions without end", send: chunked + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("a", 3000)+"\r\n \r\n", 2000), status: 400, half: true, bounded: 128 << 20},
		{name: "chunk size negative", send: chunked + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", status: 400},
		{name: "chunk size huge", send: chunked + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{", status: 408, half: true},
		{name: "chunk size over all", send: chunked + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", status: 400},
		{name: "trailers", send: chunked + "Trailer: Mcp-Name\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n" + ping + "\r\n0\r\nHost: evil.example\r\nContent-Length: 9\r\n\r\n", status: 200, text: `"result":{}`},
		{name: "HTTP/0.9", send: "GET /mcp\r\n", status: 400},
		{name: "HTTP/1.0 without a host", send: "POST /mcp HTTP/1.0\r\nContent-Length: 0\r\n\r\n", status: 403},
		{name: "HTTP/3.0", send: "POST /mcp HTTP/3.0\r\nHost: localhost\r\n\r\n", status: 505},
		{name: "HTTP/2 prior knowledge", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 404},
		{name: "TLS", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 600), status: 400},
		{name: "noise", send: "\x00\x01\x02\xff\xfe\r\n\r\n", status: 400},
		{name: "headers bomb", send: chunked + strings.Repeat("X-A: a\r\n", 1000) + "Content-Length: 0\r\n\r\n", status: 431, text: `{"limit":"header_count","value":100}`},
		{name: "headers without end", send: chunked + strings.Repeat("X-"+strings.Repeat("a", 60)+": b\r\n", 10_000), status: 431, half: true, bounded: 64 << 20},
		{name: "header huge", send: chunked + "X-A: " + strings.Repeat("a", 80_000) + "\r\nContent-Length: 0\r\n\r\n", status: 431, text: `{"limit":"headers","value":65536}`},
		{name: "target huge", send: "GET /" + strings.Repeat("a", 80_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", status: 431, text: `"limit":"headers"`},
		{name: "pipelining", send: rawPost(itemCall(`"p-1"`, `{"id":"one"}`), "") + rawPost(itemCall(`"p-2"`, `{"id":"two"}`), "") + rawPost(ping, ""), status: 200, text: `"id":"p-1"`, more: 2, asked: "*"},
		{name: "continue", send: chunked + "Expect: 100-continue\r\nContent-Length: 40\r\n\r\n" + ping, status: 100, more: 1},
		{name: "continue of a body over the limit", send: chunked + "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", status: 413, half: true},
		{name: "expectation unknown", send: chunked + "Expect: a-miracle\r\nContent-Length: 40\r\n\r\n" + ping, status: 417},
		{name: "websocket", send: get + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", status: 406},
		{name: "HTTP/2 upgrade", send: chunked + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 40\r\n\r\n" + ping, status: 200, text: `"result":{}`},
		{name: "headers that stop", send: chunked, status: 0, half: true},
		{name: "body that stops", send: chunked + "Content-Length: 40\r\n\r\n{", status: 408, text: `{"limit":"request_timeout","value":1000}`, half: true},
		{name: "nothing at all", send: "", status: 0, half: true},
	}
}

// TestHostileHTTP: hostile clients get a clear answer and nothing else, and others are
// served on.
func TestHostileHTTP(t *testing.T) {
	u := newUpstream(t)
	sum := sha256.Sum256([]byte(hostileKey))
	open := serveVictim(t, u, "", false)
	guarded := serveVictim(t, u, `identity "keys" {
  api_keys {
    key "one" { hash = "sha256:`+hex.EncodeToString(sum[:])+`" }
  }
}`, false)
	probes := hostileProbes()
	if len(probes) < 90 {
		t.Errorf("there are %d probes only", len(probes))
	}
	seen := map[string]bool{}
	for i, p := range probes {
		if seen[p.name] {
			t.Errorf("two probes are called %q", p.name)
		}
		seen[p.name] = true
		t.Run(p.name, func(t *testing.T) {
			v, key := open, ""
			if p.guarded {
				v, key = guarded, "X-Api-Key: "+hostileKey+"\r\n"
			}
			u.take()
			before, _ := v.resident(t)
			status, answer := v.exchange(t, p)
			if status != p.status || !strings.Contains(answer, p.text) {
				t.Errorf("status %d, %.1000s\nwant %d with %s", status, answer, p.status, p.text)
			}
			if p.absent != "" && strings.Contains(answer, p.absent) {
				t.Errorf("the answer holds %q: %.1000s", p.absent, answer)
			}
			leaks(t, answer)
			asked := strings.Join(u.take(), "\n")
			if p.asked != "*" && asked != p.asked {
				t.Errorf("the service was asked %q, want %q", asked, p.asked)
			}
			for line := range strings.Lines(asked) {
				if _, target, _ := strings.Cut(line, " /v1/"); strings.Count(strings.SplitN(target, "?", 2)[0], "/") != 1 {
					t.Errorf("an argument left its segment: %s", line)
				}
			}
			if _, most := v.resident(t); p.bounded > 0 && before > 0 && most-before > p.bounded {
				t.Errorf("memory grew from %d to %d MiB", before>>20, most>>20)
			}
			// The next client is answered, with its own answer.
			own := fmt.Sprintf("next-%d", i)
			status, answer = v.exchange(t, probe{send: rawPost(itemCall(strconv.Quote(own), `{"id":"`+own+`"}`), key)})
			if status != 200 || !strings.Contains(answer, `"id":"`+own+`","result"`) || !strings.Contains(answer, "/v1/items/"+own) {
				t.Errorf("the next client got %d %.1000s", status, answer)
			}
		})
	}
}

// exchange sends a probe on a new connection and reads what comes back.
func (v *victim) exchange(t *testing.T, p probe) (status int, answer string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", v.address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	sent := make(chan struct{})
	go func() { // a server that has answered already may not read on
		defer close(sent)
		_, _ = io.WriteString(c, p.send)
	}()
	r := bufio.NewReader(c)
	var all strings.Builder
	for n := 0; n <= p.more; n++ {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				t.Errorf("no answer, and the connection stays open")
			}
			break
		}
		if n == 0 {
			status = resp.StatusCode
		}
		fmt.Fprintf(&all, "%s\n", resp.Status)
		_ = resp.Header.Write(&all)
		if strings.HasPrefix(p.send, "GET /mcp") && resp.StatusCode == http.StatusOK {
			line, _ := bufio.NewReader(resp.Body).ReadString('\n') // a stream; the rest comes when a list changes
			all.WriteString(line)
			break
		}
		body, _ := io.ReadAll(resp.Body)
		all.Write(body)
		all.WriteByte('\n')
	}
	if p.half || strings.Contains(p.send, "/readyz") {
		// What was not read as a request must not be read as the next one.
		rest, err := io.ReadAll(r)
		if strings.Contains(string(rest), "HTTP/1.1 200") {
			t.Errorf("the rest of it was answered, too: %.500s", rest)
		}
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && p.half {
			t.Errorf("the connection stays open")
		}
	}
	_ = c.Close()
	<-sent
	return status, all.String()
}

// TestHostileConversations: what takes more than one request.
func TestHostileConversations(t *testing.T) {
	u := newUpstream(t)
	v := serveVictim(t, u, "", false)
	send := func(t *testing.T, text string) string {
		t.Helper()
		status, answer := v.exchange(t, probe{send: text})
		if status == 0 {
			t.Fatal("no answer")
		}
		leaks(t, answer)
		return answer
	}
	state := func(t *testing.T, id string) string {
		t.Helper()
		answer := send(t, modernCall("drop", `{"id":"`+id+`"}`, ""))
		_, rest, _ := strings.Cut(answer, `"requestState":"`)
		s, _, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("no question: %s", answer)
		}
		return s
	}
	consent := func(id, state, action string) string {
		return modernCall("drop", `{"id":"`+id+`"}`, `,"inputResponses":{"confirm":{"action":"`+action+`"}},"requestState":"`+state+`"`)
	}
	t.Run("the call of another is not cancelled, nor answered by one of its id", func(t *testing.T) {
		got := make(chan string, 1)
		go func() {
			_, answer := v.exchange(t, probe{send: rawPost(strings.Replace(callOf("wait", "{}"), `"id":1`, `"id":77`, 1), "")})
			got <- answer
		}()
		<-u.waiting
		send(t, rpc(`"method":"notifications/cancelled","params":{"requestId":77}`))
		send(t, rawPost(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77,`+modernMeta+`}}`, modernHead+"Mcp-Method: notifications/cancelled\r\n"))
		if answer := send(t, rawPost(itemCall("77", `{"id":"mine"}`), "")); !strings.Contains(answer, "/v1/items/mine") {
			t.Errorf("the second of one id: %s", answer)
		}
		u.release <- struct{}{}
		if answer := <-got; !strings.Contains(answer, "waited") {
			t.Errorf("the first: %s", answer)
		}
	})
	t.Run("consent is for one call, once", func(t *testing.T) {
		u.take()
		s := state(t, "a")
		if answer := send(t, consent("b", s, "accept")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("another item: %s", answer)
		}
		if answer := send(t, consent("a", s[:len(s)-4]+"AAAA", "accept")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("a changed state: %s", answer)
		}
		if asked := u.take(); len(asked) > 0 {
			t.Errorf("nobody agreed, and the service was asked %q", asked)
		}
		if answer := send(t, consent("a", s, "accept")); strings.Contains(answer, `"isError":true`) {
			t.Errorf("agreed: %s", answer)
		}
		if answer := send(t, consent("a", s, "accept")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("agreed again: %s", answer)
		}
		if answer := send(t, consent("c", state(t, "c"), "decline")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("declined: %s", answer)
		}
		if asked := strings.Join(u.take(), ", "); asked != "DELETE /v1/items/a" {
			t.Errorf("the service was asked %q", asked)
		}
	})
	t.Run("a cursor is this server's, as it was given", func(t *testing.T) {
		answer := send(t, rawPost(callOf("list", "{}"), ""))
		_, rest, _ := strings.Cut(answer, `and cursor \"`)
		cursor, _, ok := strings.Cut(rest, `\"`)
		if !ok {
			t.Fatalf("no cursor: %s", answer)
		}
		u.take()
		for i := range len(cursor) {
			changed := []byte(cursor)
			changed[i] ^= 1
			if answer := send(t, rawPost(callOf("list", fmt.Sprintf(`{"cursor":%q}`, changed)), "")); !strings.Contains(answer, `"isError":true`) {
				// The last character has bits that mean nothing: it is the same cursor then.
				if i != len(cursor)-1 {
					t.Errorf("changed at %d: %s", i, answer)
				}
			}
		}
		for _, asked := range u.take() {
			if asked != "GET /v1/list?after=page-2" {
				t.Errorf("the service was asked %s", asked)
			}
		}
		if send(t, rawPost(callOf("list", fmt.Sprintf(`{"cursor":%q}`, cursor)), "")); strings.Join(u.take(), "") != "GET /v1/list?after=page-2" {
			t.Error("the cursor itself does not lead on")
		}
	})
	t.Run("many clients at once get their own answers", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 20 {
					own := fmt.Sprintf("c%d-%d", i, j)
					// All use the same ids; half of them send garbage between.
					if i%2 == 0 {
						v.exchange(t, probe{send: rawPost(`{"jsonrpc":"2.0","id":`+strconv.Itoa(j), "")})
					}
					status, answer := v.exchange(t, probe{send: rawPost(itemCall(strconv.Itoa(j), `{"id":"`+own+`"}`), "")})
					if status != 200 || !strings.Contains(answer, "/v1/items/"+own+`\"`) {
						t.Errorf("%s got %d %.500s", own, status, answer)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestHostileStdio: the same for the one client on stdio. A line that is no message
// is answered as one, and the next is read.
func TestHostileStdio(t *testing.T) {
	u := newUpstream(t)
	v := serveVictim(t, u, "", true)
	// The answers up to that to a ping, which nothing else has the id of.
	n := 0
	ask := func(t *testing.T, text string) []string {
		t.Helper()
		n++
		own := fmt.Sprintf(`"own-%d"`, n)
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(v.in, text+"\n"+`{"jsonrpc":"2.0","id":`+own+`,"method":"ping"}`+"\n")
			sent <- err
		}()
		var lines []string
		for {
			line, err := v.out.ReadString('\n')
			if err != nil {
				t.Fatalf("the server is gone: %v", err)
			}
			leaks(t, line)
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %.500s", line)
			}
			if strings.Contains(line, `"id":`+own) {
				break
			}
			lines = append(lines, line)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		return lines
	}
	for _, p := range []struct {
		name, send string
		want       []string // part of each answer, in their order
		bounded    int64
	}{
		{"empty lines", "\n\r\n \t\n", nil, 0},
		{"malformed", `{"jsonrpc":`, []string{"-32700"}, 0},
		{"noise", "\x00\x01\x02\xff\xfe\x80", []string{"-32700"}, 0},
		{"byte order mark", "\ufeff" + ping, []string{"-32700"}, 0},
		{"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", []string{"-32700"}, 0},
		{"NUL at the end", ping + "\x00", []string{"-32700"}, 0},
		{"carriage returns between messages", ping + "\r" + ping, []string{"-32700"}, 0},
		{"carriage return at the end", ping + "\r", []string{`"id":1,"result":{}`}, 0},
		{"two messages in a line", ping + " " + ping, []string{"-32700"}, 0},
		{"a message over two lines", "{\"jsonrpc\":\"2.0\",\n\"id\":1,\"method\":\"ping\"}", []string{"-32700", "-32700"}, 0},
		{"framing of another protocol", "Content-Length: 40\r\n\r\n" + ping, []string{"-32700", `"result":{}`}, 0},
		{"HTTP", "POST /mcp HTTP/1.1\r\nHost: localhost", []string{"-32700", "-32700"}, 0},
		{"a line over the limit", strings.Repeat("x", 5<<20), []string{`{"limit":"body","value":4194304}`}, 96 << 20},
		{"a line of 100 MB", strings.Repeat("[", 100_000_000), []string{`{"limit":"body","value":4194304}`}, 96 << 20},
		{"deep nesting", strings.Repeat(`{"a":`, 500_000), []string{`{"limit":"depth","value":128}`}, 96 << 20},
		{"a batch before the handshake", "[" + ping + "]", []string{"-32600"}, 0},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, []string{"-32600"}, 0},
		{"id with a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, []string{"-32600"}, 0},
		{"id over the limit", `{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 1000) + `","method":"ping"}`, []string{`"limit":"name"`}, 0},
		{"method unknown", `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}`, []string{"-32601"}, 0},
		{"method of the end", `{"jsonrpc":"2.0","id":1,"method":"shutdown"}` + "\n" + `{"jsonrpc":"2.0","method":"exit"}`, []string{"-32601"}, 0},
		{"cancellation of nothing", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[1]}}`, nil, 0},
		{"a response nobody waits for", `{"jsonrpc":"2.0","id":"confirm-1","result":{"action":"accept"}}`, nil, 0},
		{"a response under a number", `{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 0},
		{"initialize with junk", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":{},"capabilities":7,"clientInfo":[]}}`, []string{`"id":1`}, 0},
	} {
		t.Run(p.name, func(t *testing.T) {
			before, _ := v.resident(t)
			got := ask(t, p.send)
			if len(got) != len(p.want) {
				t.Fatalf("%d answers: %.1000q; want %q", len(got), got, p.want)
			}
			for i := range got {
				if !strings.Contains(got[i], p.want[i]) {
					t.Errorf("%.500s, want %s", got[i], p.want[i])
				}
			}
			if _, most := v.resident(t); p.bounded > 0 && before > 0 && most-before > p.bounded {
				t.Errorf("memory grew from %d to %d MiB", before>>20, most>>20)
			}
		})
	}
	if asked := u.take(); len(asked) > 0 {
		t.Errorf("the service was asked %q", asked)
	}
	t.Run("a question forged", func(t *testing.T) {
		ask(t, `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"h","version":"1"}}}`)
		if _, err := io.WriteString(v.in, callOf("drop", `{"id":"a"}`)+"\n"); err != nil {
			t.Fatal(err)
		}
		question, err := v.out.ReadString('\n')
		if err != nil || !strings.Contains(question, "elicitation/create") {
			t.Fatalf("%s %v", question, err)
		}
		var q struct{ ID string }
		if err := json.Unmarshal([]byte(question), &q); err != nil {
			t.Fatal(err)
		}
		// Answers to other questions are not its answer; the first to it is.
		ask(t, `{"jsonrpc":"2.0","id":"confirm-999","result":{"action":"accept"}}`)
		if asked := u.take(); len(asked) > 0 {
			t.Errorf("nobody agreed: %q", asked)
		}
		if _, err := fmt.Fprintf(v.in, "{\"jsonrpc\":\"2.0\",\"id\":%q,\"result\":{\"action\":\"decline\"}}\n{\"jsonrpc\":\"2.0\",\"id\":%q,\"result\":{\"action\":\"accept\"}}\n", q.ID, q.ID); err != nil {
			t.Fatal(err)
		}
		if line, err := v.out.ReadString('\n'); err != nil || !strings.Contains(line, `"isError":true`) {
			t.Errorf("declined: %s %v", line, err)
		}
		if asked := u.take(); len(asked) > 0 {
			t.Errorf("the service was asked %q", asked)
		}
	})
	t.Run("answers do not cross", func(t *testing.T) {
		var b strings.Builder
		for i := range 50 {
			fmt.Fprintf(&b, "%s\n{broken %d\n", itemCall(fmt.Sprintf(`"x%d"`, i), fmt.Sprintf(`{"id":"own%d"}`, i)), i)
		}
		lines := make(chan string)
		go func() {
			_, _ = io.WriteString(v.in, b.String())
		}()
		go func() {
			defer close(lines)
			for range 100 {
				line, err := v.out.ReadString('\n')
				if err != nil {
					return
				}
				lines <- line
			}
		}()
		calls := 0
		for line := range lines {
			var r struct{ ID *string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if r.ID != nil {
				calls++
				if own := "/v1/items/own" + strings.TrimPrefix(*r.ID, "x") + `\"`; !strings.Contains(line, own) {
					t.Errorf("%s, want %s", line, own)
				}
			}
		}
		if calls != 50 {
			t.Errorf("%d calls were answered", calls)
		}
	})
}

// TestHostileEnd: input that ends in the middle of something ends the server in
// order, after what was asked before has been answered.
func TestHostileEnd(t *testing.T) {
	u := newUpstream(t)
	for name, tt := range map[string]struct {
		send string
		want []string
	}{
		"at once":            {"", nil},
		"in a message":       {`{"jsonrpc":"2.0","id":1,"method":"pi`, []string{"-32700"}},
		"without line end":   {ping, []string{`"result":{}`}},
		"after a call":       {itemCall("1", `{"id":"last"}`) + "\n", []string{"/v1/items/last"}},
		"in a line too long": {strings.Repeat("x", 6<<20), []string{`"limit":"body"`}},
	} {
		t.Run(name, func(t *testing.T) {
			v := serveVictim(t, u, "", true)
			if _, err := io.WriteString(v.in, tt.send); err != nil {
				t.Fatal(err)
			}
			_ = v.in.Close()
			out, err := io.ReadAll(v.out)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			if len(out) == 0 {
				lines = nil
			}
			if len(lines) != len(tt.want) {
				t.Fatalf("%q, want %q", lines, tt.want)
			}
			for i := range lines {
				if leaks(t, lines[i]); !strings.Contains(lines[i], tt.want[i]) {
					t.Errorf("%s, want %s", lines[i], tt.want[i])
				}
			}
		})
	}
}
