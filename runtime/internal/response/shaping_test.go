package response

import (
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func one(names ...string) plan.Path {
	var p plan.Path
	for _, n := range names {
		p = append(p, plan.PathStep{Name: n})
	}
	return p
}

// get is names after one another, of response.body.
func get(names ...string) plan.Expr {
	x := plan.Expr{Op: plan.OpGet, Name: "body", Args: []plan.Expr{{Op: plan.OpVar, Name: "response"}}}
	for _, n := range names {
		x = plan.Expr{Op: plan.OpGet, Name: n, Args: []plan.Expr{x}}
	}
	return x
}

func template(parts ...plan.Expr) *plan.Expr { return &plan.Expr{Op: plan.OpTemplate, Args: parts} }

func text(s string) plan.Expr {
	q, _ := jsontext.AppendQuote(nil, s)
	return plan.Expr{Op: plan.OpConst, Const: string(q)}
}

const orderList = `{"total":3,"orders":[{"id":1,"note":"a\tb","who":{"name":"Ann","secret":"x"},"tags":["p","q"]},{"id":2,"note":null,"who":{"name":"Bob","secret":"y"},"tags":[]},{"id":3.50,"who":null}]}`

func TestShaping(t *testing.T) {
	inOrders := &plan.Selection{Root: []string{"orders"}}
	for _, c := range []struct {
		name string
		r    plan.Response
		out  string // output schema
		body string
		want string
	}{
		{"fields", plan.Response{Select: &plan.Selection{Fields: []plan.Path{one("orders", "id")}}}, "", orderList,
			`{"orders":[{"id":1},{"id":2},{"id":3.50}]}` + "\n== " + `{"orders":[{"id":1},{"id":2},{"id":3.50}]}`},
		{"root and a wrap", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Fields: []plan.Path{one("id")}}, Wrap: true}, object, orderList,
			`[{"id":1},{"id":2},{"id":3.50}]` + "\n== " + `{"result":[{"id":1},{"id":2},{"id":3.50}]}`},
		{"a list without a schema", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Fields: []plan.Path{one("id")}}}, "", orderList,
			`[{"id":1},{"id":2},{"id":3.50}]`},
		{"names twice", plan.Response{Select: &plan.Selection{Fields: []plan.Path{one("a")}}}, "", `{"a":1,"b":0,"a":2}`, `{"a":2}` + "\n== " + `{"a":2}`},
		{"a renaming meets a name", plan.Response{Select: &plan.Selection{Rename: []plan.NamePair{{From: "b", To: "a"}}}}, "", `{"a":1,"b":2}`, `{"a":2}` + "\n== " + `{"a":2}`},
		{"max items", plan.Response{Select: inOrders, MaxItems: 1, Wrap: true}, object, orderList,
			`[{"id":1,"note":"a\tb","who":{"name":"Ann","secret":"x"},"tags":["p","q"]}]` + "\n--\nShown are the first 1 of 3 elements. Ask for less at once, if the tool's arguments allow it.\n== " +
				`{"result":[{"id":1,"note":"a\tb","who":{"name":"Ann","secret":"x"},"tags":["p","q"]}]}`},
		{"table", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Drop: []plan.Path{one("who", "secret")}}, As: "table"}, "", orderList,
			"id\tnote\twho.name\ttags\twho\n1\ta\\tb\tAnn\t[\"p\",\"q\"]\t\n2\t\tBob\t[]\t\n3.50\t\t\t\t\n== " +
				`{"result":[{"id":1,"note":"a\tb","who":{"name":"Ann"},"tags":["p","q"]},{"id":2,"note":null,"who":{"name":"Bob"},"tags":[]},{"id":3.50,"who":null}]}`},
		{"jq", plan.Response{JQ: `{n: (.orders | length), first: .orders[0].who.name, last: .orders[-1].id}`}, "", orderList,
			`{"first":"Ann","last":3.50,"n":3}` + "\n== " + `{"first":"Ann","last":3.50,"n":3}`},
		{"jq after fields", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Fields: []plan.Path{one("id")}}, JQ: `.[]`, Wrap: true}, object, orderList,
			`[{"id":1},{"id":2},{"id":3.50}]` + "\n== " + `{"result":[{"id":1},{"id":2},{"id":3.50}]}`},
		{"jq fails", plan.Response{JQ: `.orders + 1`}, "", orderList,
			"What GET /things/{id} answered could not be shaped. jq: cannot add: array ([{\"id\":1,\"note\":\"a\\tb\",\"t ...]) and number (1)\nThe jq program of this tool does not fit this answer: other arguments may help; the operator of this server can correct it.\nRetrying the same call will not help.\n!! jq"},
		{"nothing, in words", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, List: true}, Empty: "No orders.", Wrap: true}, object, `{"total":0}`, "No orders.\n== {\"result\":[]}"},
		{"something, and words for nothing", plan.Response{Select: inOrders, Empty: "No orders."}, "", `{"orders":[0]}`, "[0]"},
		{"null, in words", plan.Response{Empty: "Nothing."}, object, `null`, "Nothing.\n== {}"},
		{"a root that is not there", plan.Response{Select: inOrders}, object, `{}`, "null\n== {}"},
		{"no JSON at all", plan.Response{Select: inOrders}, "", "sorry", "sorry\n--\nThis is the text of the answer, which cannot be read as JSON: it is not valid JSON."},
		{"a budget", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Fields: []plan.Path{one("id")}}, MaxText: 25, Wrap: true}, object, orderList,
			`[{"id":1},{"id":2}]` + "\n--\nThis answer is incomplete: the whole would be 31 bytes, and this tool's are limited to 25 bytes. The list ends after 2 of 3 elements. Ask for less at once, if the tool's arguments allow it.\n== " + `{"result":[{"id":1},{"id":2}]}`},
		{"a budget of a table", plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Fields: []plan.Path{one("id")}}, MaxText: 8, As: "table"}, "", orderList,
			"id\n1\n2\n--\nThis answer is incomplete: the whole would be 11 bytes, and this tool's are limited to 8 bytes. The list ends after 2 of 3 elements. Ask for less at once, if the tool's arguments allow it.\n== " + `{"result":[{"id":1},{"id":2}]}`},
		{"a budget that is enough", plan.Response{MaxText: 1000}, "", `{"a": 1}`, `{"a": 1}` + "\n== " + `{"a": 1}`},
		{"a budget of a text", plan.Response{MaxText: 12}, "", "one\ntwo\nthree\nfour\n",
			"one\ntwo\n\n--\nThis answer is incomplete: the whole is 19 bytes, and this tool's are limited to 12 bytes. Ask for less at once, if the tool's arguments allow it.\n--\nThis is the text of the answer, which cannot be read as JSON: it is not valid JSON."},
		{"a budget of a scalar", plan.Response{MaxText: 30}, "", `"` + strings.Repeat("long ", 20) + `"`,
			`"long long lon … (shortened)` + "\n--\nThis answer is incomplete: the whole would be 102 bytes, and this tool's are limited to 30 bytes. Ask for less at once, if the tool's arguments allow it."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(c.out)
			p.Response = c.r
			r := resultOf(compile(t, p), answer(200, "application/json", c.body))
			if got := show(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkValid(t, r)
		})
	}
}

// What is dropped stays dropped, however the answer is made.
func TestDropHolds(t *testing.T) {
	hide := tool("")
	hide.Response.Select = &plan.Selection{Drop: []plan.Path{{{Name: "secret", Deep: true}}}}
	for media, body := range map[string]string{
		"multipart/mixed; boundary=x": "--x\r\nContent-Type: application/json\r\n\r\n{\"secret\":1}\r\n--x--", "text/event-stream": "data: {\"secret\":1}\n\n", "application/x-ndjson": "{\"secret\":1}\n{}\n",
		"text/xml": "<r secret='1'><secret>1</secret></r>", "text/csv": "a,secret\n1,2\n", "application/x-www-form-urlencoded": "a=1&secret=2", "text/plain": "{\"secret\":1}",
	} {
		t.Run(media, func(t *testing.T) {
			r := resultOf(compile(t, hide), answer(200, media, body))
			if got := show(r); strings.Contains(got, `"secret"`) || strings.Contains(got, "secret>") {
				t.Error(got)
			}
			checkValid(t, r)
		})
	}
	deep := strings.Repeat(`{"a":[`, 600) + `{"secret":1}` + strings.Repeat(`]}`, 600)
	for name, body := range map[string]string{
		"deep": deep, "deep and twice": strings.Replace(deep, `{"secret":1}`, `{"secret":1,"secret":2}`, 1), "twice": `{"secret":1,"secret":2}`,
		"escaped": `{"s\u0065cret":1}`, "in lists": `[[[{"secret":1}]]]`, "Latin-1": "{\"secret\":\"\xe9\"}",
	} {
		t.Run(name, func(t *testing.T) {
			r := resultOf(compile(t, hide), answer(200, "application/json", body))
			if got := show(r); strings.Contains(got, "secret") || strings.Contains(got, "s\\u0065cret") {
				t.Error(got)
			}
			checkValid(t, r)
		})
	}
}

// A renaming that meets a name, in a value as deep as it may be.
func TestRenamedDeep(t *testing.T) {
	p := tool("")
	p.Response.Select = &plan.Selection{Root: []string{"r"}, List: true, Rename: []plan.NamePair{{From: "b", To: "a"}}}
	r := resultOf(compile(t, p), answer(200, "application/json", `{"r":`+strings.Repeat(`{"a":1,"b":`, 600)+"1"+strings.Repeat("}", 601)))
	checkValid(t, r)
	if len(r.Content) == 0 {
		t.Error("nothing is said")
	}
}

func TestCutAnswersAreShaped(t *testing.T) {
	p := tool(object)
	p.Response = plan.Response{Select: &plan.Selection{Root: []string{"orders"}, Fields: []plan.Path{one("id")}}, MaxItems: 1, Wrap: true}
	p.Request.Query = []plan.Param{{Name: "page", Arg: "page"}}
	a := answer(200, "application/json", orderList[:strings.Index(orderList, `,{"id":3`)+9])
	a.Truncated = true
	const rest = " To get the rest, call again with other values of page."
	want := `[{"id":1}]` + "\n--\nThis answer is incomplete: the upstream's is larger than 1 MiB, the most that is read." + rest +
		"\n--\nShown are the first 1 of at least 2 elements." + rest + "\n== " + `{"result":[{"id":1}]}`
	if got := show(resultOf(compile(t, p), a)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrorRules(t *testing.T) {
	says := func(parts ...plan.Expr) *plan.Expr {
		return template(append([]plan.Expr{text("ERP says: ")}, parts...)...)
	}
	condition := plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{get("ok"), {Op: plan.OpConst, Const: "false"}}}
	header := plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{{Op: plan.OpIndex, Args: []plan.Expr{{Op: plan.OpGet, Name: "headers", Args: []plan.Expr{{Op: plan.OpVar, Name: "response"}}}, text("x-result")}}, text("bad")}}
	const fine = "{}\n== {}"
	for _, c := range []struct {
		name  string
		rule  plan.ErrorRule
		media string
		body  string
		want  string
	}{
		{"white space around", plan.ErrorRule{Condition: &condition, Member: []string{"why"}, Message: says(get("why"))}, "application/json", "\n {\"ok\":false,\"why\":\"no\"}", "ERP says: no\n!! upstream-error"},
		{"an element", plan.ErrorRule{Element: []string{"ERROR"}, Message: says(get("ERROR", "TEXT"))}, "text/xml", "<ERROR><TEXT>closed</TEXT></ERROR>", "ERP says: closed\n!! upstream-error"},
		{"an empty element", plan.ErrorRule{Element: []string{"R", "ERROR"}, Retry: "no"}, "text/xml", "<R><ERROR/></R>",
			"The answer to GET /things/{id} is an error, although its status is 200 OK.\n<R><ERROR/></R>\nRetrying the same call will not help.\n!! upstream-error"},
		{"no element", plan.ErrorRule{Element: []string{"R", "ERROR"}}, "text/xml", "<R><OK/></R>", `{"R":{"OK":""}}` + "\n== " + `{"R":{"OK":""}}`},
		{"a member", plan.ErrorRule{Member: []string{"error", "code"}, Message: says(get("error", "code")), Retry: "later"}, "application/json", `{"error":{"code":17}}`, "ERP says: 17\nA retry may help.\n!! upstream-error"},
		{"a member in a list", plan.ErrorRule{Member: []string{"errors", "code"}, Message: says()}, "application/json", `{"errors":[{},{"code":"E"}]}`, "ERP says:\n!! upstream-error"},
		{"a condition", plan.ErrorRule{Condition: &condition, Message: says(get("why"))}, "application/json", `{"ok":false,"why":"no"}`, "ERP says: no\n!! upstream-error"},
		{"a condition that does not hold", plan.ErrorRule{Condition: &condition}, "application/json", `{}`, fine},
		{"a condition that does not apply", plan.ErrorRule{Condition: &condition}, "application/json", `[]`, "[]\n== {\"result\":[]}"},
		{"a header", plan.ErrorRule{Condition: &header, Message: says()}, "application/json", `{}`, "ERP says:\n!! upstream-error"},
		{"a status", plan.ErrorRule{Status: []int{202, 203}}, "application/json", `{}`, fine},
		{"a message that cannot be made", plan.ErrorRule{Member: []string{"error"}, Message: says(get("error", "text"))}, "application/json", `{"error":"E1"}`,
			"The answer to GET /things/{id} is an error, although its status is 200 OK.\n{\"error\":\"E1\"}\n!! upstream-error"},
		{"a text", plan.ErrorRule{Condition: &plan.Expr{Op: plan.OpCall, Name: "startswith", Args: []plan.Expr{get(), text("ERR")}}, Message: says(get())}, "text/plain", "ERR 5", "ERP says: ERR 5\n!! upstream-error"},
		{"no body", plan.ErrorRule{Condition: &plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{get(), {Op: plan.OpConst, Const: "null"}}}, Message: says()}, "", "", "ERP says:\n!! upstream-error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(object)
			p.Response.Errors = []plan.ErrorRule{c.rule}
			a := answer(200, c.media, c.body)
			a.Header.Set("X-Result", "bad")
			r := resultOf(compile(t, p), a)
			if got := show(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkValid(t, r)
		})
	}
	for value, want := range map[string]bool{`0`: false, `-0.00e7`: false, `0.01`: true, `-3`: true, `""`: false, `"0"`: true, `false`: false, `true`: true, `null`: false, `[]`: false, `{ }`: false, `[0]`: true, `{"a":0}`: true} {
		p := tool("")
		p.Response.Errors = []plan.ErrorRule{{Member: []string{"error"}}}
		if r := resultOf(compile(t, p), answer(200, "application/json", `{"error":`+value+`}`)); r.IsError != want {
			t.Errorf("%s: %s", value, show(r))
		}
	}
}

// A condition that sees only the members it speaks of decides as one that sees
// the whole answer.
func TestConditionsOnMembers(t *testing.T) {
	is := func(name string, x ...plan.Expr) plan.Expr { return plan.Expr{Op: plan.OpCall, Name: name, Args: x} }
	at := func(x plan.Expr, i string) plan.Expr {
		return plan.Expr{Op: plan.OpIndex, Args: []plan.Expr{x, {Op: plan.OpConst, Const: i}}}
	}
	null := plan.Expr{Op: plan.OpConst, Const: "null"}
	status := plan.Expr{Op: plan.OpGet, Name: "status", Args: []plan.Expr{{Op: plan.OpVar, Name: "response"}}}
	for _, x := range []plan.Expr{
		is("==", get("ok"), plan.Expr{Op: plan.OpConst, Const: "false"}), is("!=", get("a", "b"), null), is("==", at(get("a"), "0"), null), is("==", at(get(), `"ok"`), null),
		is("&&", is("==", get("a", "b"), get("ok")), is("==", status, text("200"))), is("contains", get("a"), get("ok")), get("a", "b", "c"), is("==", get(), null),
	} {
		for _, v := range []string{`{"ok":false}`, ` {"a":{"b":false},"ok":false} `, `{"a":[1,{"b":2}],"ok":1}`, `[]`, `null`, `"x"`, `{"a":"x","ok":"x"}`, `{"a":{"b":{"c":true}}}`, ``} {
			members := map[string][]string{}
			whole, err := expr.Compile(x)
			if err != nil {
				t.Fatal(err)
			}
			part, err := expr.Compile(onMembers(x, members))
			if err != nil {
				t.Fatal(err)
			}
			b := &body{answer: answer(200, "", "")}
			want, wantErr := whole(b.scope([]byte(v)))
			got, gotErr := part(b.membersScope(members, bytes.TrimSpace([]byte(v))))
			if !reflect.DeepEqual(got, want) || (gotErr == nil) != (wantErr == nil) {
				t.Errorf("%+v of %q: %v %v, want %v %v", x, v, got, gotErr, want, wantErr)
			}
		}
	}
}

func TestAdvice(t *testing.T) {
	p := tool("")
	p.Response.Advice = []plan.Advice{
		{From: 404, To: 404, Message: template(text("There is no order "), plan.Expr{Op: plan.OpArg, Name: "id"}, text(".")), Hint: "Search for it.", Retry: "later"},
		{From: 400, To: 499, Hint: "Look at it again."},
		{From: 500, To: 599, Message: template(text("ERP is down: "), get("why")), Retry: "no"},
	}
	for _, c := range []struct {
		status            int
		media, body, want string
	}{
		{404, "application/json", `{"error":"x"}`, "HTTP 404 Not Found from GET /things/{id}.\nThere is no order 7.\nSearch for it.\nA retry may help.\n!! http-404"},
		{409, "application/json", `{"error":"x"}`, "HTTP 409 Conflict from GET /things/{id}.\n{\"error\":\"x\"}\nLook at it again.\nRetrying the same call will not help.\n!! http-409"},
		{503, "application/json", `{"why":"backup"}`, "HTTP 503 Service Unavailable from GET /things/{id}.\nERP is down: backup\nIf it stays so, tell the operator of this server.\nRetrying the same call will not help.\n!! http-503"},
		{503, "text/html", `<p>Backup</p>`, "HTTP 503 Service Unavailable from GET /things/{id}.\nBackup\nIf it stays so, tell the operator of this server.\nRetrying the same call will not help.\n!! http-503"},
		{302, "", "", "HTTP 302 Found from GET /things/{id}. It says of no place to go to.\nThe operator of this server has to look into it.\nRetrying the same call will not help.\n!! http-302"},
	} {
		r := compile(t, p).Result(t.Context(), answer(c.status, c.media, c.body), map[string]any{"id": "7"})
		if got := show(r); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

// Expressions do not see what lets someone in.
func TestHeadersWithoutSecrets(t *testing.T) {
	h := http.Header{}
	for _, name := range []string{"Set-Cookie", "WWW-Authenticate", "Authorization", "X-Api-Key", "X-Auth-Token", "X-CSRF-Token", "X-Amz-Signature", "Content-Type", "X-Total-Count", "Etag"} {
		h.Add(name, "1")
		h.Add(name, "2")
	}
	got := headers(h)
	if len(got) != 3 || got["content-type"] != "1" || got["x-total-count"] != "1" || got["etag"] != "1" {
		t.Errorf("%v", got)
	}
}

func TestShapingMistakes(t *testing.T) {
	for name, r := range map[string]plan.Response{
		"jq": {JQ: ". as"}, "as": {As: "yaml"}, "a path": {Select: &plan.Selection{Drop: []plan.Path{{}}}},
		"retry": {Errors: []plan.ErrorRule{{Retry: "soon"}}}, "advice": {Advice: []plan.Advice{{Retry: "soon"}}}, "condition": {Errors: []plan.ErrorRule{{Condition: &plan.Expr{Op: "?"}}}},
	} {
		p := tool("")
		p.Response = r
		if _, err := Compile(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever comes, shaping makes a valid result of it that is no larger than it
// may be.
func FuzzShaping(f *testing.F) {
	f.Add([]byte(orderList), "application/json", false, uint8(0))
	f.Add([]byte("<r><orders><id>1</id></orders></r>"), "text/xml", false, uint8(1))
	f.Add([]byte("id;note\n1;2\n"), "text/csv", true, uint8(2))
	f.Add([]byte(`{"orders":[{"id":1,"id":2},[],{"a":{"b":"\n"}}]}`), "application/json", true, uint8(5))
	f.Fuzz(func(t *testing.T, text []byte, media string, cut bool, how uint8) {
		p := tool([]string{"", object}[how&1])
		p.Response = plan.Response{
			As: []string{"", "table", "markdown"}[how>>1%3], MaxItems: int(how >> 3 % 4), MaxText: int64(how>>5) * 40, Wrap: how&1 == 1,
			Select: &plan.Selection{Rename: []plan.NamePair{{From: "note", To: "id"}}, Drop: []plan.Path{{{Name: "secret", Deep: true}}}},
			Errors: []plan.ErrorRule{{Member: []string{"r", "error"}}},
		}
		a := answer(200, media, string(text))
		a.Truncated = cut
		r := resultOf(compile(t, p), a)
		checkValid(t, r)
		if most := p.Response.MaxText; most > 0 && !r.IsError && len(r.Content) > 0 && int64(len(r.Content[0].Text)) > most && r.Content[0].Type == "text" && bytes.HasPrefix(text, []byte("{")) {
			t.Errorf("%d bytes of %d: %s", len(r.Content[0].Text), most, r.Content[0].Text)
		}
	})
}
