package main

import (
	"encoding/base64"
	"fmt"
	"strings"
)

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
