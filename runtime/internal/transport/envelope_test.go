package transport

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// defaults are the limits of a server that says nothing of them.
var defaults = (*plan.Inbound)(nil).OrDefaults()

func TestDecode(t *testing.T) {
	deep := func(n int) string {
		return `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
	}
	for _, tt := range []struct {
		name, text string
		code       int    // 0: no fault
		id         string // what an answer would carry
		message    string // a part of the fault's
	}{
		{"an integer", `{"jsonrpc":"2.0","id":1,"method":"m"}`, 0, "1", ""},
		{"an integer above 2^53", `{"jsonrpc":"2.0","id":9007199254740993,"method":"m"}`, 0, "9007199254740993", ""},
		{"an integer of 2^63", `{"jsonrpc":"2.0","id":9223372036854775808,"method":"m"}`, 0, "9223372036854775808", ""},
		{"a negative one", `{"jsonrpc":"2.0","id":-1,"method":"m"}`, 0, "-1", ""},
		{"a string with escapes", `{"jsonrpc":"2.0","id":"\u0041\n","method":"m"}`, 0, `"\u0041\n"`, ""},
		{"an empty string", `{"jsonrpc":"2.0","id":"","method":"m"}`, 0, `""`, ""},
		{"the id last", `{"method":"m","jsonrpc":"2.0","id":1}`, 0, "1", ""},
		{"spaces", " {\"jsonrpc\" : \"2.0\" ,\n\"id\"\t: 1 , \"method\":\"m\" , \"params\" : { } } ", 0, "1", ""},
		{"null", `{"jsonrpc":"2.0","id":null,"method":"m"}`, -32600, "", "string or an integer"},
		{"true", `{"jsonrpc":"2.0","id":true,"method":"m"}`, -32600, "", "string or an integer"},
		{"an object", `{"jsonrpc":"2.0","id":{},"method":"m"}`, -32600, "", "string or an integer"},
		{"an array", `{"jsonrpc":"2.0","id":[1],"method":"m"}`, -32600, "", "string or an integer"},
		{"two ids", `{"jsonrpc":"2.0","id":1,"method":"m","id":2}`, -32600, "1", `"id" comes twice`},
		{"two ids, one in disguise", `{"jsonrpc":"2.0","id":1,"method":"m","\u0069d":2}`, -32600, "1", `"id" comes twice`},
		{"two methods", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, -32600, "1", `"method" comes twice`},
		{"two params", `{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":{}}`, -32600, "1", `"params" comes twice`},
		{"two names", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"a","name":"b"}}`, -32602, "1", "params.name comes twice"},
		{"two arguments", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{},"arguments":{}}}`, -32602, "1", "params.arguments comes twice"},
		{"two versions", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"a","io.modelcontextprotocol/protocolVersion":"b"}}}`, -32602, "1", "comes twice"},
		{"a Method is no method", `{"jsonrpc":"2.0","id":1,"Method":"m"}`, -32600, "1", `"method" is missing`},
		{"another version", `{"jsonrpc":"1.0","id":1,"method":"m"}`, -32600, "1", `"2.0"`},
		{"no version", `{"id":1,"method":"m"}`, -32600, "1", `"2.0"`},
		{"a method that is no string", `{"jsonrpc":"2.0","id":1,"method":1}`, -32600, "1", "method must be a string"},
		{"params that are an array", `{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}`, -32602, "1", "params must be an object"},
		{"params that are null", `{"jsonrpc":"2.0","id":1,"method":"m","params":null}`, -32602, "1", "params must be an object"},
		{"a _meta that is no object", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":1}}`, -32602, "1", "_meta must be an object"},
		{"a string", `"hello"`, -32600, "", "must be a JSON object"},
		{"nothing", ``, -32700, "", "ends too early"},
		{"half of it", `{"jsonrpc":"2.0","id":1`, -32700, "1", "ends too early"},
		{"no JSON", `hello`, -32700, "", "not valid JSON"},
		{"two messages", `{"jsonrpc":"2.0","id":1,"method":"m"}{}`, -32700, "1", "not valid JSON"},
		{"a comma too many", `{"jsonrpc":"2.0","id":1,"method":"m",}`, -32700, "1", "not valid JSON"},
		{"a number as a name", `{1:2}`, -32700, "", "not valid JSON"},
		{"bytes that are no UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, "1", "UTF-8"},
		{"half a surrogate", `{"jsonrpc":"2.0","id":1,"method":"\ud800"}`, -32700, "1", "not valid JSON"},
		{"126 levels in arguments", deep(126), 0, "1", ""},
		{"127 levels in arguments", deep(127), -32600, "", "deeper than 128"},
		{"a million levels", strings.Repeat("[", 1e6), -32600, "", "deeper than 128"},
		{"brackets in a string", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"` + strings.Repeat(`[\"`, 200) + `"}}`, 0, "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, f := decode([]byte(tt.text), &defaults)
			switch {
			case f == nil && tt.code != 0:
				t.Fatalf("no fault, want %d", tt.code)
			case f != nil && f.code != tt.code:
				t.Fatalf("fault %d (%s), want %d", f.code, f.message, tt.code)
			case f != nil && !strings.Contains(f.message, tt.message):
				t.Errorf("fault %q, want %q", f.message, tt.message)
			}
			if string(m.id) != tt.id {
				t.Errorf("id %s, want %s", m.id, tt.id)
			}
		})
	}
}

func TestDecodeReadsAll(t *testing.T) {
	m, f := decode([]byte(`{"params":{"_meta":{"progressToken":"t","io.modelcontextprotocol/clientCapabilities":{"a":[]},"io.modelcontextprotocol/protocolVersion":"2026-07-28","x":{"y":1}},
		"uri":"u","name":"n\u0041","requestId":5,"requestState":"s","inputResponses":{"confirm":{}},"cursor":null,"arguments": {"a" : 1.0} },"x":[],"id":7,"method":"tools/call","jsonrpc":"2.0"}`), &defaults)
	if f != nil {
		t.Fatal(f.message)
	}
	if string(m.token) != `"t"` || m.state != "s" || string(m.answers) != `{"confirm":{}}` || m.capabilities == nil || m.version != "2026-07-28" || m.uri != "u" || m.name != "nA" ||
		string(m.requestID) != "5" || string(m.cursor) != "null" || string(m.arguments) != `{"a" : 1.0}` || m.method != "tools/call" || string(m.id) != "7" {
		t.Errorf("%+v", m)
	}
	if !json.Valid(m.params) || m.params[0] != '{' || m.params[len(m.params)-1] != '}' {
		t.Errorf("params %s", m.params)
	}
	if m, f := decode([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`), &defaults); f != nil || !m.response || m.isRequest() {
		t.Errorf("a response: %+v, %v", m, f)
	}
	if m, f := decode([]byte(`{"jsonrpc":"2.0","method":"notifications/x","params":{"_meta":{"progressToken":{}}}}`), &defaults); f != nil || m.isRequest() || m.token != nil {
		t.Errorf("a notification: %+v, %v", m, f)
	}
}

// What decode accepts is JSON, its parts are parts of the text, and reading it
// again says the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		callOf(Legacy, "1", "echo", `{"a":1}`), callOf(Modern, `"\u0041"`, "wait", `{}`),
		`{"jsonrpc":"2.0","id":9223372036854775808,"method":"m","params":{"_meta":{"progressToken":1}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":[[[{}]]],"cursor":"\"}"}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{}}`, `[{}]`, "\ufeff{}", `{"id":1,"id":`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		m, bad := decode(text, &defaults)
		if string(text) != before {
			t.Fatal("the text was changed")
		}
		for _, v := range [][]byte{m.id, m.params, m.arguments, m.token, m.requestID, m.cursor} {
			if v != nil && bad == nil && !json.Valid(v) {
				t.Errorf("%q is no JSON value", v)
			}
		}
		if m.id != nil && !json.Valid(appendFault(nil, m.id, &fault{})) {
			t.Errorf("an answer to the id %q is no JSON", m.id)
		}
		if bad != nil {
			return
		}
		if !json.Valid(text) {
			t.Errorf("accepted, but no JSON: %q", text)
		}
		again, bad := decode([]byte(before), &defaults)
		if bad != nil || again.method != m.method || string(again.id) != string(m.id) {
			t.Errorf("read again: %+v, %v", again, bad)
		}
	})
}
