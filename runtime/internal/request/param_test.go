package request

import (
	"errors"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func constant(json string) *plan.Expr { return &plan.Expr{Op: plan.OpConst, Const: json} }
func argument(name string) plan.Expr  { return plan.Expr{Op: plan.OpArg, Name: name} }

// refused wants a refusal of a field whose message holds some words.
func refused(t *testing.T, err error, field, words string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Errorf("error is %v, not a refusal", err)
		return
	}
	if r.Field != field || !strings.Contains(r.Message, words) {
		t.Errorf("refusal of %q: %s\nwant of %q: %s", r.Field, r.Message, field, words)
	}
	if field != "" && !strings.Contains(r.Message, field) {
		t.Errorf("the message does not name %s: %s", field, r.Message)
	}
}

func TestPathValues(t *testing.T) {
	tests := []struct{ value, want string }{
		{`"a b"`, "/v/a%20b/x"},
		{`"a/b"`, "/v/a%2Fb/x"},
		{`"a%2Fb"`, "/v/a%252Fb/x"},
		{`"%"`, "/v/%25/x"},
		{`"?#"`, "/v/%3F%23/x"},
		{`"a+b"`, "/v/a%2Bb/x"},
		{`"a;b=c,d"`, "/v/a%3Bb%3Dc%2Cd/x"},
		{`"begin!*'();:@ &=+$,/?#[]end"`, "/v/begin%21%2A%27%28%29%3B%3A%40%20%26%3D%2B%24%2C%2F%3F%23%5B%5Dend/x"},
		{`"啊齄丂狛狜隣郎隣兀﨩"`, "/v/%E5%95%8A%E9%BD%84%E4%B8%82%E7%8B%9B%E7%8B%9C%E9%9A%A3%E9%83%8E%E9%9A%A3%E5%85%80%EF%A8%A9/x"},
		{`"e\u0301"`, "/v/e%CC%81/x"}, // not normalised to é
		{`"\r\nX: y"`, "/v/%0D%0AX%3A%20y/x"},
		{`"\u0000"`, "/v/%00/x"},
		{`"..."`, "/v/.../x"},
		{`"a..b"`, "/v/a..b/x"},
		{`"-._~"`, "/v/-._~/x"},
		{`9007199254740993`, "/v/9007199254740993/x"},
		{`-0.10`, "/v/-0.10/x"},
		{`1e400`, "/v/1e400/x"},
		{`1E+2`, "/v/1E%2B2/x"},
		{`true`, "/v/true/x"},
		{`["a,b","c"]`, "/v/a%2Cb,c/x"},
		{`["a",null,"c"]`, "/v/a,,c/x"},
		{`{"k,1":"v=1","n":null}`, "/v/k%2C1,v%3D1/x"},
	}
	for _, tt := range tests {
		r := plan.Request{Path: []plan.Segment{literal("/v/"), {Param: &plan.Param{Name: "id", Arg: "id"}}, literal("/x")}}
		req, err := build(t, r, `{"id":`+tt.value+`}`)
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
			continue
		}
		if got := req.URL.EscapedPath(); got != tt.want || req.URL.RawPath != tt.want {
			t.Errorf("%s: path %s, want %s", tt.value, got, tt.want)
		}
	}
}

func TestPathRefusals(t *testing.T) {
	one := []plan.Segment{literal("/v/"), {Param: &plan.Param{Name: "id", Arg: "the_id"}}, literal("/x")}
	two := []plan.Segment{literal("/v/"), {Param: &plan.Param{Name: "a", Arg: "a"}}, {Param: &plan.Param{Name: "b", Arg: "b"}}}
	label := []plan.Segment{literal("/v/x"), {Param: &plan.Param{Name: "id", Arg: "the_id", Style: plan.Label}}}
	tests := []struct {
		path                    []plan.Segment
		arguments, field, words string
	}{
		{one, `{}`, "the_id", "missing"},
		{one, `{"the_id":null}`, "the_id", "null"},
		{one, `{"the_id":""}`, "the_id", "empty"},
		{one, `{"the_id":[]}`, "the_id", "empty"},
		{one, `{"the_id":{}}`, "the_id", "empty"},
		{one, `{"the_id":{"a":null}}`, "the_id", "empty"},
		{one, `{"the_id":[""]}`, "the_id", "empty"},
		{one, `{"the_id":"."}`, "the_id", `"."`},
		{one, `{"the_id":".."}`, "the_id", `".."`},
		{one, `{"the_id":"../admin"}`, "the_id", `".."`},
		{one, `{"the_id":"a/.."}`, "the_id", `".."`},
		{one, `{"the_id":"a\\..\\b"}`, "the_id", `".."`},
		{one, `{"the_id":["a","../b"]}`, "the_id", `".."`},
		{one, `{"the_id":{"../a":1}}`, "the_id", `".."`},
		{two, `{"a":".","b":"."}`, "b", `".."`},
		{[]plan.Segment{literal("/v/."), {Param: &plan.Param{Name: "id", Arg: "the_id"}}}, `{"the_id":"."}`, "the_id", `".."`},
		{[]plan.Segment{literal("/v/%2E"), {Param: &plan.Param{Name: "id", Arg: "the_id"}}}, `{"the_id":"."}`, "the_id", `".."`},
		{[]plan.Segment{literal("/v/%2e"), {Param: &plan.Param{Name: "id", Arg: "the_id"}}, literal("/y")}, `{"the_id":"."}`, "the_id", `".."`},
	}
	for _, tt := range tests {
		req, err := build(t, plan.Request{Path: tt.path}, tt.arguments)
		if err == nil {
			t.Errorf("%s: sent to %s", tt.arguments, req.URL)
			continue
		}
		refused(t, err, tt.field, tt.words)
	}
	req, err := build(t, plan.Request{Path: label}, `{"the_id":"json"}`)
	if err != nil || req.URL.RawPath != "/v/x.json" {
		t.Errorf("label after text: %v %v", req, err)
	}
	req, err = build(t, plan.Request{Path: two}, `{"a":"x","b":"."}`)
	if err != nil || req.URL.RawPath != "/v/x." {
		t.Errorf("two in one segment: %v %v", req, err)
	}
}

func TestPathReserved(t *testing.T) {
	p := plan.Param{Name: "id", AllowReserved: true}
	req, err := build(t, plan.Request{Path: pathParam(p)}, `{"id":"a:b@c;d/e?f#g[h]%2F&=+ "}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/p/a:b@c;d%2Fe%3Ff%23g%5Bh%5D%252F&=+%20"; req.URL.EscapedPath() != want {
		t.Errorf("got %s\nwant %s", req.URL.EscapedPath(), want)
	}
}

func TestQuery(t *testing.T) {
	form := func(p plan.Param) plan.Param { p.Name, p.Arg, p.Style = "q", "q", plan.Form; return p }
	exploded := form(plan.Param{Explode: true})
	list := form(plan.Param{})
	deepObject := plan.Param{Name: "q", Arg: "q", Style: plan.DeepObject, Explode: true}
	tests := []struct {
		param       plan.Param
		value, want string // value "" is not given
	}{
		{exploded, ``, ""},
		{exploded, `null`, ""},
		{exploded, `""`, "q="},
		{exploded, `[]`, ""},
		{exploded, `{}`, ""},
		{exploded, `[null]`, "q="},
		{exploded, `["",""]`, "q=&q="},
		{list, `[]`, "q="},
		{list, `{}`, "q="},
		{list, `[null]`, "q="},
		{list, `["ArrayQuery1","begin!*'();:@ &=+$,/?#[]end",null,""]`, "q=ArrayQuery1,begin%21%2A%27%28%29%3B%3A%40%20%26%3D%2B%24%2C%2F%3F%23%5B%5Dend,,"},
		{form(plan.Param{Explode: true, AllowEmpty: true}), `null`, "q="},
		{form(plan.Param{Explode: true, AllowEmpty: true}), ``, ""},
		{form(plan.Param{Explode: true, AllowEmpty: true}), `[]`, "q="},
		{form(plan.Param{Explode: true, Required: true}), `[]`, "q="},
		{exploded, `"a b+c&d=e#f%41"`, "q=a%20b%2Bc%26d%3De%23f%2541"},
		{exploded, `"é"`, "q=%C3%A9"},
		{exploded, `9007199254740993`, "q=9007199254740993"},
		{exploded, `[1e400,0.10]`, "q=1e400&q=0.10"},
		{exploded, `false`, "q=false"},
		{exploded, `{"b":1,"a":[2,3],"n":null,"o":{"x": 1}}`, "b=1&a=2&a=3&o=%7B%22x%22%3A1%7D"},
		{exploded, `[[1, 2],{"a": 1}]`, "q=%5B1%2C2%5D&q=%7B%22a%22%3A1%7D"},
		{list, `{"b":1,"a":null,"c":"x,y"}`, "q=b,1,c,x%2Cy"},
		{form(plan.Param{Explode: true, AllowReserved: true}), `"http://x/?a[]=b&c#d+e %41;f,g"`, "q=http://x/?a[]=b%26c%23d%2Be%20%2541;f,g"},
		{form(plan.Param{AllowReserved: true}), `["a/b,c",":"]`, "q=a/b%2Cc,:"},
		{deepObject, `{"gt":1,"in":["a","b"],"sub":{"x y":true,"n":null}}`, "q%5Bgt%5D=1&q%5Bin%5D%5B%5D=a&q%5Bin%5D%5B%5D=b&q%5Bsub%5D%5Bx%20y%5D=true"},
		{deepObject, `[{"price":"p","tags":["t"]},{"price":"r"}]`, "q%5B0%5D%5Bprice%5D=p&q%5B0%5D%5Btags%5D%5B%5D=t&q%5B1%5D%5Bprice%5D=r"},
		{deepObject, `["a",["b"]]`, "q%5B0%5D=a&q%5B1%5D%5B%5D=b"},
		{deepObject, `5`, "q=5"},
		{deepObject, `{}`, ""},
		{deepObject, `[]`, ""},
		{plan.Param{Name: "q", Arg: "q", Style: plan.DeepObject, Required: true}, `{}`, "q="},
		{plan.Param{Name: "q", Arg: "q"}, `[1,2]`, "q=1&q=2"}, // OpenAPI's default
		{plan.Param{Name: "$top", Arg: "q"}, `5`, "$top=5"},
		{plan.Param{Name: "page[size]", Arg: "q"}, `5`, "page%5Bsize%5D=5"},
		{plan.Param{Name: "a&b=c d#é", Arg: "q"}, `5`, "a%26b%3Dc%20d%23%C3%A9=5"},
		{plan.Param{Name: "q", Arg: "q", Media: "application/json"}, `{"a": [1.0, "x y"], "b":"\u00e9"}`, "q=%7B%22a%22%3A%5B1.0%2C%22x%20y%22%5D%2C%22b%22%3A%22%5Cu00e9%22%7D"},
		{plan.Param{Name: "q", Arg: "q", Media: "application/json"}, `"x"`, "q=%22x%22"},
		{plan.Param{Name: "q", Arg: "q", Media: "text/plain"}, `"x"`, "q=x"},
		{plan.Param{Name: "q", Arg: "q", Media: "application/xml"}, `"<x/>"`, "q=%3Cx%2F%3E"},
		{plan.Param{Name: "q", Arg: "q", Style: plan.DeepObject, Shape: &plan.Shape{Nodes: []plan.ShapeNode{{Props: []plan.ShapeProp{{Key: "size", Wire: "page[size]"}}}}}},
			`{"size":1}`, "q%5Bpage%5Bsize%5D%5D=1"},
	}
	for _, tt := range tests {
		arguments := "{}"
		if tt.value != "" {
			arguments = `{"q":` + tt.value + `}`
		}
		req, err := build(t, plan.Request{Query: []plan.Param{tt.param}}, arguments)
		if err != nil {
			t.Errorf("%+v %s: %v", tt.param, tt.value, err)
			continue
		}
		if req.URL.RawQuery != tt.want {
			t.Errorf("%s %v %s\n got %s\nwant %s", tt.param.Style, tt.param.Explode, tt.value, req.URL.RawQuery, tt.want)
		}
	}
}

func TestQueryRefusals(t *testing.T) {
	query := []plan.Param{
		{Name: "q", Arg: "q", Style: plan.Form, Explode: true},
		{Name: "tenant", Value: constant(`"acme"`)},
	}
	tests := []struct {
		request                 plan.Request
		arguments, field, words string
	}{
		{plan.Request{Query: []plan.Param{{Name: "q", Arg: "a", Required: true}}}, `{}`, "a", "missing"},
		{plan.Request{Query: []plan.Param{{Name: "q", Arg: "a", Required: true}}}, `{"a":null}`, "a", "null"},
		{plan.Request{Query: query}, `{"q":{"a\nb":1}}`, "q", "control character"},
		{plan.Request{Query: query}, `{"q":{"tenant":"other"}}`, "q", `"tenant"`},
		{plan.Request{Query: query[1:], RawQuery: &plan.Param{Name: "q", Arg: "q"}}, `{"q":"a=1&ten%61nt=other"}`, "q", `"tenant"`},
		{plan.Request{Query: query[1:], RawQuery: &plan.Param{Name: "q", Arg: "q"}}, `{"q":7}`, "q", "must be"},
		{plan.Request{Query: query[1:], RawQuery: &plan.Param{Name: "q", Arg: "q"}}, `{"q":{"tenant":"other"}}`, "q", `"tenant"`},
		{plan.Request{Query: []plan.Param{{Name: "q", Arg: "q", Style: plan.DeepObject}}}, `{"q":{"a\u0000":1}}`, "q", "control character"},
	}
	for _, tt := range tests {
		req, err := build(t, tt.request, tt.arguments)
		if err == nil {
			t.Errorf("%s: sent as %s", tt.arguments, req.URL.RawQuery)
			continue
		}
		refused(t, err, tt.field, tt.words)
	}
}

// A member may have the name of its own parameter.
func TestQueryOwnName(t *testing.T) {
	req, err := build(t, plan.Request{Query: []plan.Param{{Name: "q", Arg: "q", Style: plan.Form, Explode: true}}}, `{"q":{"q":1}}`)
	if err != nil || req.URL.RawQuery != "q=1" {
		t.Errorf("%v %v", req, err)
	}
}

func TestQueryCredentialNames(t *testing.T) {
	u := plan.Upstream{Credentials: []plan.Credential{{Kind: "apiKey", In: "query", Param: "api_key"}}}
	b, err := Compile(u, plan.Request{Method: "GET", Query: []plan.Param{{Name: "q", Arg: "q", Explode: true, Style: plan.Form}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), nil, arguments(t, `{"q":{"api_key":"mine"}}`))
	refused(t, err, "q", `"api_key"`)
}

func TestWholeQuery(t *testing.T) {
	tests := []struct{ media, value, want string }{
		{"", `"a=b&c=d%20e"`, "fixed=1&a=b&c=d%20e"},
		{"", `"?a=b c#d"`, "fixed=1&a=b%20c%23d"},
		{"", `"100%"`, "fixed=1&100%25"},
		{"", `null`, "fixed=1"},
		{formMedia, `{"b":"x y","a":[1,2]}`, "fixed=1&b=x+y&a=1&a=2"},
		{"application/json", `{"a": 1}`, "fixed=1&%7B%22a%22%3A1%7D"},
		{"text/plain", `"a=b"`, "fixed=1&a%3Db"},
	}
	for _, tt := range tests {
		r := plan.Request{Query: []plan.Param{{Name: "fixed", Value: constant("1")}}, RawQuery: &plan.Param{Name: "q", Arg: "q", Media: tt.media}}
		req, err := build(t, r, `{"q":`+tt.value+`}`)
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
		} else if req.URL.RawQuery != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.media, tt.value, req.URL.RawQuery, tt.want)
		}
	}
}

func TestHeader(t *testing.T) {
	const none = "(none)"
	json := plan.Param{Media: "application/json"}
	tests := []struct {
		param       plan.Param
		value, want string
	}{
		{plan.Param{}, `"The quick brown fox"`, "The quick brown fox"},
		{plan.Param{}, `"a\tb"`, "a\tb"},
		{plan.Param{}, `"50% off, \"quoted\""`, `50% off, "quoted"`},
		{plan.Param{}, `""`, ""},
		{plan.Param{}, `null`, none},
		{plan.Param{}, `[]`, none},
		{plan.Param{Required: true}, `[]`, ""},
		{plan.Param{}, `[1,null,"x"]`, "1,,x"},
		{plan.Param{}, `[null,1]`, ",1"},
		{plan.Param{}, `{"b":1,"n":null,"a":2}`, "b,1,a,2"},
		{plan.Param{Explode: true}, `{"b":1,"n":null,"a":2}`, "b=1,a=2"},
		{plan.Param{}, `12345678901234567890.50`, "12345678901234567890.50"},
		{json, `{"a": "é😀",  "b":[1e2]}`, `{"a":"\u00e9\ud83d\ude00","b":[1e2]}`},
		{json, "{\"a\":\n1}", `{"a":1}`},
	}
	for _, tt := range tests {
		p := tt.param
		p.Name, p.Arg = "x-thing", "h"
		req, err := build(t, plan.Request{Header: []plan.Param{p}}, `{"h":`+tt.value+`}`)
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
			continue
		}
		got := none
		if v, ok := req.Header["X-Thing"]; ok {
			got = strings.Join(v, "|")
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.value, got, tt.want)
		}
	}
	for value, words := range map[string]string{
		`"a\r\nX-Admin: 1"`: "line break",
		`"a\nb"`:            "line break",
		`"a\rb"`:            "line break",
		`"a\u0000b"`:        "control",
		`"a\u007fb"`:        "control",
		`"é"`:               "ASCII",
		`" a"`:              "begin or end",
		`"a\t"`:             "begin or end",
		`["a","b\n"]`:       "line break",
		`{"a\n":1}`:         "line break",
	} {
		_, err := build(t, plan.Request{Header: []plan.Param{{Name: "X-Thing", Arg: "h"}}}, `{"h":`+value+`}`)
		refused(t, err, "h", words)
	}
}

func TestHeaderPrecedence(t *testing.T) {
	u := plan.Upstream{Headers: []plan.Param{{Name: "X-Version", Value: constant(`"1"`)}, {Name: "x-tenant", Value: constant(`"acme"`)}, {Name: "Accept", Value: constant(`"a/b"`)}}}
	r := plan.Request{Method: "GET", Accept: "application/json", Header: []plan.Param{
		{Name: "X-VERSION", Value: constant(`"2"`)},             // the author's own word wins
		{Name: "X-Tenant", Arg: "X-Tenant"},                     // an argument does not undo it
		{Name: "Content-Length", Arg: "Content-Length"},         // the connection's business
		{Name: "transfer-encoding", Value: constant(`"chunk"`)}, // likewise
	}}
	b, err := Compile(u, r)
	if err != nil {
		t.Fatal(err)
	}
	req, err := b.Build(t.Context(), nil, arguments(t, `{"X-Tenant":"other","Content-Length":"0"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"X-Version": "2", "X-Tenant": "acme", "Accept": "a/b"}
	for k, v := range want {
		if got := req.Header[k]; len(got) != 1 || got[0] != v {
			t.Errorf("%s: %q, want %q", k, got, v)
		}
	}
	if len(req.Header) != len(want) {
		t.Errorf("headers %v", req.Header)
	}
	req.Header.Add("Accept", "more")
	if req.Header.Get("X-Version") != "2" {
		t.Error("adding to one header changed another")
	}
}

func TestCookie(t *testing.T) {
	form := plan.Param{Name: "c", Arg: "c", Style: plan.Form}
	plain := plan.Param{Name: "c", Arg: "c", Style: plan.StyleCookie}
	exploded := plan.Param{Name: "c", Arg: "c", Style: plan.StyleCookie, Explode: true}
	tests := []struct {
		param       plan.Param
		value, want string
	}{
		{form, `"a; b=c"`, "first=1; c=a%3B%20b%3Dc"},
		{form, `null`, "first=1"},
		{form, `{"a;":"b"}`, "first=1; c=a%3B,b"},
		{plan.Param{Name: "c", Arg: "c", Style: plan.Form, Explode: true}, `[]`, "first=1"},
		{plain, `"a=b \"x\" %41"`, `first=1; c=a=b "x" %41`},
		{plain, `[]`, "first=1; c="},
		{exploded, `[]`, "first=1"},
		{exploded, `{"a":1,"n":null,"b":"x"}`, "first=1; a=1; b=x"},
	}
	for _, tt := range tests {
		r := plan.Request{Cookie: []plan.Param{{Name: "first", Value: constant("1")}, tt.param}}
		req, err := build(t, r, `{"c":`+tt.value+`}`)
		if err != nil {
			t.Errorf("%s: %v", tt.value, err)
		} else if got := req.Header.Get("Cookie"); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.value, got, tt.want)
		}
	}
	for value, words := range map[string]string{
		`"a; admin=1"`: "semicolons", `"a\r\nb"`: "control", `"é"`: "ASCII", `" a"`: "begin or end", `{"a b":1}`: "name",
		`{"a=b":1}`: "name", `{"":1}`: "name", `{"c\n":1}`: "name",
	} {
		_, err := build(t, plan.Request{Cookie: []plan.Param{exploded}}, `{"c":`+value+`}`)
		refused(t, err, "c", words)
	}
}

func TestCompileRefuses(t *testing.T) {
	body := func(b plan.Body) plan.Request { return plan.Request{Method: "POST", Body: &b} }
	tests := []plan.Request{
		{},
		{Method: "GET /"},
		{Method: "GET", Server: "/relative"},
		{Method: "GET", Server: "ftp://host"},
		{Method: "GET", Query: []plan.Param{{Name: "q"}}},
		{Method: "GET", Query: []plan.Param{{Name: "q", Arg: "q", Style: plan.Matrix}}},
		{Method: "GET", Query: []plan.Param{{Name: "q\n", Arg: "q"}}},
		{Method: "GET", Query: []plan.Param{{Name: "q", Value: constant("{")}}},
		{Method: "GET", Query: []plan.Param{{Name: "q", Value: &plan.Expr{Op: plan.OpCall, Name: "system"}}}},
		{Method: "GET", Header: []plan.Param{{Name: "a b", Arg: "q"}}},
		{Method: "GET", Header: []plan.Param{{Name: "a\r\nb", Arg: "q"}}},
		{Method: "GET", Header: []plan.Param{{Name: "", Arg: "q"}}},
		{Method: "GET", Cookie: []plan.Param{{Name: "a;b", Arg: "q"}}},
		{Method: "GET", Path: []plan.Segment{{Param: &plan.Param{Name: "q", Arg: "q", Style: plan.Form}}}},
		body(plan.Body{Arg: "body", Codec: "csv"}),
		body(plan.Body{Codec: plan.JSON}),
		body(plan.Body{Arg: "body", Codec: plan.JSON, Media: "a/b\r\nX: y"}),
		body(plan.Body{Arg: "body", Codec: plan.Multipart, Fields: []plan.Field{{Name: "f", Header: []plan.Param{{Name: "X", Arg: "x"}}}}}),
	}
	for _, r := range tests {
		if _, err := Compile(plan.Upstream{}, r); err == nil {
			t.Errorf("compiles: %+v", r)
		}
	}
}
