package request

import (
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const none = "(none)"

// send builds a POST and returns body and Content-Type, none when there is none.
func send(t *testing.T, b plan.Body, text string) (body, media string, err error) {
	t.Helper()
	if b.Arg == "" && b.Value == nil {
		b.Arg = "body"
	}
	req, err := build(t, plan.Request{Method: "POST", Body: &b}, text)
	if err != nil {
		return "", "", err
	}
	body, media = none, none
	if req.Body != nil {
		body = string(req.Body)
	}
	if v, ok := req.Header["Content-Type"]; ok {
		media = strings.Join(v, "|")
	}
	return body, media, nil
}

type bodyTest struct {
	arguments, want string
}

func checkBodies(t *testing.T, b plan.Body, tests []bodyTest) {
	t.Helper()
	for _, tt := range tests {
		got, media, err := send(t, b, tt.arguments)
		if err != nil {
			t.Errorf("%s: %v", tt.arguments, err)
			continue
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.arguments, got, tt.want)
		}
		if (got == none) != (media == none) {
			t.Errorf("%s: body %q with Content-Type %q", tt.arguments, got, media)
		}
	}
}

func TestJSONBody(t *testing.T) {
	checkBodies(t, plan.Body{Codec: plan.JSON, Media: "application/merge-patch+json"}, []bodyTest{
		{`{}`, none},
		{`{"body":null}`, `null`},
		{`{"body": { "z":1, "a":[ 1e400, 9007199254740993, 0.10, -0 ],"\u00e9":"\u00e9" } }`, `{ "z":1, "a":[ 1e400, 9007199254740993, 0.10, -0 ],"\u00e9":"\u00e9" }`},
		{`{"body":"x"}`, `"x"`},
		{`{"body":false}`, `false`},
	})
	_, media, _ := send(t, plan.Body{Codec: plan.JSON, Media: "application/merge-patch+json"}, `{"body":1}`)
	if media != "application/merge-patch+json" {
		t.Errorf("Content-Type %s", media)
	}
	_, _, err := send(t, plan.Body{Codec: plan.JSON, Required: true}, `{}`)
	refused(t, err, "body", "missing")
}

func TestJSONBodyShape(t *testing.T) {
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		{Type: "object", Props: []plan.ShapeProp{{Key: "page_size", Wire: "page[size]"}, {Key: "child", Wire: "child", Node: 1}, {Key: "list", Wire: "$list", Node: 2}}, Extra: 1},
		{Type: "array", Items: 1},
	}}
	b := plan.Body{Codec: plan.JSON, Media: "application/json", Shape: shape}
	checkBodies(t, b, []bodyTest{
		{`{"body":{"z":1, "page_size":2,"a":3}}`, `{"z":1,"page[size]":2,"a":3}`},
		{`{"body":{"child":{"child":{"page_size":1e400}},"list":[{"page_size":"\u00e9"},7]}}`, `{"child":{"child":{"page[size]":1e400}},"$list":[{"page[size]":"\u00e9"},7]}`},
		{`{"body":{"other":{"page_size":1}}}`, `{"other":{"page[size]":1}}`},
		{`{"body":{ "a": [ 1 ] }}`, `{ "a": [ 1 ] }`},
		{`{"body":[{"page_size":1}]}`, `[{"page_size":1}]`}, // an array where an object was described
	})
	_, _, err := send(t, b, `{"body":{"child":{"page_size":1,"page[size]":2}}}`)
	refused(t, err, "body.child.page[size]", "another field")
	// The order the client wrote is not what Values has.
	req, err := Compile(plan.Upstream{}, plan.Request{Method: "POST", Body: &plan.Body{Arg: "body", Codec: plan.JSON, Shape: shape}})
	if err != nil {
		t.Fatal(err)
	}
	a := args.Args{Values: map[string]any{"body": map[string]any{"child": map[string]any{"page_size": "x"}, "a": true}}}
	r, err := req.Build(t.Context(), nil, a)
	if err != nil || string(r.Body) != `{"a":true,"child":{"page[size]":"x"}}` {
		t.Errorf("without texts: %s %v", r.Body, err)
	}
}

func TestExpressionBody(t *testing.T) {
	object := func(pairs ...plan.Expr) *plan.Expr { return &plan.Expr{Op: plan.OpObject, Args: pairs} }
	key := func(s string) plan.Expr { return *constant(`"` + s + `"`) }
	call := func(name string, args ...plan.Expr) plan.Expr {
		return plan.Expr{Op: plan.OpCall, Name: name, Args: args}
	}
	v := object(
		key("z"), argument("a"),
		key("fixed"), *constant(`{"y":1.0,"x":[1e400]}`),
		key("up"), call("upper", argument("s")),
		key("list"), plan.Expr{Op: plan.OpList, Args: []plan.Expr{argument("n"), *constant("null")}},
		key("cond"), plan.Expr{Op: plan.OpCond, Args: []plan.Expr{call("==", argument("s"), *constant(`"x"`)), argument("a"), *constant("0")}},
	)
	checkBodies(t, plan.Body{Codec: plan.JSON, Media: "application/json", Value: v}, []bodyTest{
		{`{"a":{"k":1,"b":2},"s":"x","n":0.10}`, `{"z":{"k":1,"b":2},"fixed":{"y":1.0,"x":[1e400]},"up":"X","list":[0.10,null],"cond":{"k":1,"b":2}}`},
		{`{"s":"é"}`, `{"z":null,"fixed":{"y":1.0,"x":[1e400]},"up":"É","list":[null,null],"cond":0}`},
	})
	form := object(key("CUSTNO"), argument("a"), key("N"), *constant("50"), key("OPT"), argument("none"))
	checkBodies(t, plan.Body{Codec: plan.FormCodec, Media: formMedia, Value: form}, []bodyTest{
		{`{"a":"C 1"}`, `CUSTNO=C+1&N=50`},
	})
	// The same key twice, or keys that are computed: the last one wins, as in HCL.
	twice := object(key("k"), *constant("1"), argument("s"), *constant("2"))
	checkBodies(t, plan.Body{Codec: plan.JSON, Value: twice, Media: "application/json"}, []bodyTest{{`{"s":"k"}`, `{"k":2}`}})
	_, _, err := send(t, plan.Body{Codec: plan.JSON, Value: v}, `{}`)
	refused(t, err, "", `argument "s" is needed by upper`)
	// merge and members keep order; what is no object is told as anywhere else.
	get := func(of plan.Expr, name string) plan.Expr {
		return plan.Expr{Op: plan.OpGet, Name: name, Args: []plan.Expr{of}}
	}
	merged := call("merge", argument("a"), *constant("null"), *object(key("m"), get(get(argument("a"), "z"), "y"), key("b"), *constant("1")))
	body := plan.Body{Codec: plan.JSON, Value: &merged, Media: "application/json"}
	checkBodies(t, body, []bodyTest{
		{`{"a":{"z":{"y":{"q":1,"p":1e400}},"m":0,"c":[]}}`, `{"z":{"y":{"q":1,"p":1e400}},"m":{"q":1,"p":1e400},"c":[],"b":1}`},
		{`{"a":{"z":null}}`, `{"z":null,"m":null,"b":1}`},
		{`{}`, `{"m":null,"b":1}`},
	})
	_, _, err = send(t, body, `{"a":{"z":[1]}}`)
	refused(t, err, "", `member "z" is a list and has no member "y"`)
	_, _, err = send(t, plan.Body{Codec: plan.JSON, Value: &plan.Expr{Op: plan.OpCall, Name: "merge", Args: []plan.Expr{argument("a")}}}, `{"a":1}`)
	refused(t, err, "", `argument "a" is a number, where merge needs an object`)
}

func TestSecretsInBuild(t *testing.T) {
	secret := plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "key"}}
	b, err := Compile(plan.Upstream{}, plan.Request{Method: "GET", Query: []plan.Param{{Name: "k", Value: &secret}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Build(t.Context(), nil, args.Args{})
	if !isSecretError(err) {
		t.Errorf("error is %v", err)
	}
	env := &expr.Env{Secret: func(s plan.Secret) (string, error) { return s.Name + "!", nil }}
	req, err := b.Build(t.Context(), env, args.Args{})
	if err != nil || req.URL.RawQuery != "k=key%21" {
		t.Errorf("%v %v", req, err)
	}
}

func TestFormBody(t *testing.T) {
	b := plan.Body{Codec: plan.FormCodec, Media: formMedia, Fields: []plan.Field{
		{Name: "deep", Style: plan.DeepObject, Explode: true},
		{Name: "csv", Style: plan.Form},
		{Name: "ssv", Style: plan.SpaceDelimited},
		{Name: "tsv", Style: plan.TabDelimited},
		{Name: "pipes", Style: plan.PipeDelimited},
		{Name: "spread", Style: plan.Form, Explode: true},
		{Name: "json", Media: "application/json"},
		{Name: "raw", AllowReserved: true},
		{Name: "bin", Binary: true},
	}}
	checkBodies(t, b, []bodyTest{
		{`{}`, none},
		{`{"body":null}`, none},
		{`{"body":{}}`, ``},
		{`{"body":{"b":"x y+z&é=%","a":1.0}}`, `b=x+y%2Bz%26%C3%A9%3D%25&a=1.0`},
		{`{"body":{"a b&":"1","n":null,"e":"","t":true}}`, `a+b%26=1&e=&t=true`},
		{`{"body":{"l":["x","y z",null]}}`, `l=x&l=y+z&l=`},
		{`{"body":{"l":[]}}`, ``},
		{`{"body":{"o":{"k": 9007199254740993}}}`, `o=%7B%22k%22%3A9007199254740993%7D`},
		{`{"body":{"l":[{"k":1},2]}}`, `l=%7B%22k%22%3A1%7D&l=2`},
		{`{"body":{"deep":{"a":[{"b c":"d e"}],"m":null,"l":["x"]}}}`, `deep%5Ba%5D%5B0%5D%5Bb+c%5D=d+e&deep%5Bl%5D%5B%5D=x`},
		{`{"body":{"deep":"scalar"}}`, `deep=scalar`},
		{`{"body":{"csv":["a b","c,d"],"ssv":["a","b"],"tsv":["a","b"],"pipes":["a","b"]}}`, `csv=a+b,c%2Cd&ssv=a+b&tsv=a%09b&pipes=a%7Cb`},
		{`{"body":{"spread":{"R":1,"G":"x y"}}}`, `R=1&G=x+y`},
		{`{"body":{"json":[1, "a"]}}`, `json=%5B1%2C%22a%22%5D`},
		{`{"body":{"json":"a"}}`, `json=%22a%22`},
		{`{"body":{"raw":"a/b:c+d&e f"}}`, `raw=a/b:c%2Bd%26e+f`},
		{`{"body":{"bin":"AP8="}}`, `bin=%00%FF`},
	})
	_, _, err := send(t, b, `{"body":[1]}`)
	refused(t, err, "body", "object")
	_, _, err = send(t, b, `{"body":{"a\n":1}}`)
	refused(t, err, "body", "control character")
	_, _, err = send(t, b, `{"body":{"bin":"%%"}}`)
	refused(t, err, "body.bin", "base64")
}

// TestStripeForm is what Stripe's own libraries send for these values.
func TestStripeForm(t *testing.T) {
	b := plan.Body{Codec: plan.FormCodec, Media: formMedia}
	for _, name := range []string{"expand", "items", "metadata", "payment_settings"} {
		b.Fields = append(b.Fields, plan.Field{Name: name, Style: plan.DeepObject, Explode: true})
	}
	checkBodies(t, b, []bodyTest{{
		`{"body":{"customer":"cus_1","items":[{"price":"price_1","quantity":2},{"price_data":{"currency":"eur","recurring":{"interval":"month"}}}],"expand":["latest_invoice","customer"],"metadata":{"order id":"6735"}}}`,
		`customer=cus_1&items%5B0%5D%5Bprice%5D=price_1&items%5B0%5D%5Bquantity%5D=2&items%5B1%5D%5Bprice_data%5D%5Bcurrency%5D=eur&items%5B1%5D%5Bprice_data%5D%5Brecurring%5D%5Binterval%5D=month&expand%5B%5D=latest_invoice&expand%5B%5D=customer&metadata%5Border+id%5D=6735`,
	}})
}

func TestMultipartBody(t *testing.T) {
	part := func(head string, data string) string { return "--B\r\n" + head + "\r\n\r\n" + data + "\r\n" }
	name := func(n string) string { return `Content-Disposition: form-data; name="` + n + `"` }
	b := plan.Body{Codec: plan.Multipart, Media: "multipart/form-data", Fields: []plan.Field{
		{Name: "file", Binary: true},
		{Name: "png", Binary: true, Media: "image/*, image/png"},
		{Name: "meta", Media: "application/vnd.x+json", Header: []plan.Param{{Name: "X-Part", Value: constant(`"7"`)}}},
		{Name: "deep", Style: plan.DeepObject},
		{Name: "csv", Style: plan.Form},
	}}
	checkBodies(t, b, []bodyTest{
		{`{}`, none},
		{`{"body":{}}`, "--B--\r\n"},
		{`{"body":{"a":"x\r\ny","n":null,"i":1.0,"t":true}}`, part(name("a"), "x\r\ny") + part(name("i"), "1.0") + part(name("t"), "true") + "--B--\r\n"},
		{`{"body":{"l":["x","é"]}}`, part(name("l"), "x") + part(name("l"), "é") + "--B--\r\n"},
		{`{"body":{"o":{"k": 1}}}`, part(name("o")+"\r\nContent-Type: application/json", `{"k": 1}`) + "--B--\r\n"},
		{`{"body":{"meta":[1]}}`, part(name("meta")+"\r\nX-Part: 7\r\nContent-Type: application/vnd.x+json", `[1]`) + "--B--\r\n"},
		{`{"body":{"deep":{"a":1,"b":["x"]}}}`, part(name("deep[a]"), "1") + part(name("deep[b][]"), "x") + "--B--\r\n"},
		{`{"body":{"csv":["a",null,"b,c"]}}`, part(name("csv"), "a,,b,c") + "--B--\r\n"},
		{`{"body":{"file":"AP8"}}`, part(name("file")+"; filename=\"file\"\r\nContent-Type: application/octet-stream", "\x00\xff") + "--B--\r\n"},
		{`{"body":{"png":"AAAA"}}`, part(name("png")+"; filename=\"png\"\r\nContent-Type: image/png", "\x00\x00\x00") + "--B--\r\n"},
		{`{"body":{"file":["data:text/csv,a%2Cb","QQ=="]}}`,
			part(name("file")+"; filename=\"file\"\r\nContent-Type: text/csv", "a,b") + part(name("file")+"; filename=\"file\"\r\nContent-Type: application/octet-stream", "A") + "--B--\r\n"},
		{`{"body":{"file":{"filename":"ü \"q\".txt","content_type":"text/plain","data":"QQ"}}}`,
			part(name("file")+"; filename=\"ü %22q%22.txt\"\r\nContent-Type: text/plain", "A") + "--B--\r\n"},
		{`{"body":{"file":{"filename":"a","text":"ä"}}}`, part(name("file")+"; filename=\"a\"\r\nContent-Type: application/octet-stream", "ä") + "--B--\r\n"},
		{`{"body":{"q\"uote\\":"1"}}`, part(name(`q%22uote\\`), "1") + "--B--\r\n"},
	})
	_, media, err := send(t, b, `{"body":{}}`)
	if err != nil || media != "multipart/form-data; boundary=B" {
		t.Errorf("Content-Type %s %v", media, err)
	}
	for text, want := range map[string][2]string{
		`{"body":"x"}`:                                                 {"body", "object"},
		`{"body":{"a\n":1}}`:                                           {"body", "control character"},
		`{"body":{"file":"not base64!"}}`:                              {"body.file", "base64"},
		`{"body":{"file":7}}`:                                          {"body.file", "string"},
		`{"body":{"file":{"filename":"a"}}}`:                           {"body.file", "data"},
		`{"body":{"file":{"data":"QQ","text":"x"}}}`:                   {"body.file", "either"},
		`{"body":{"file":{"data":"QQ","name":"x"}}}`:                   {"body.file.name", "filename"},
		`{"body":{"file":{"data":"QQ","filename":"a\r\nb"}}}`:          {"body.file.filename", "control"},
		`{"body":{"file":{"data":"QQ","content_type":"a/b\r\nX: y"}}}`: {"body.file.content_type", "media type"},
		`{"body":{"file":"data:text/plain\r\nX: y;base64,QQ=="}}`:      {"body.file", "media type"},
		`{"body":{"file":"data:text/plain,%zz"}}`:                      {"body.file", "percent"},
		`{"body":{"file":{"data":"Q","filename":"a"}}}`:                {"body.file.data", "base64"},
		`{"body":{"file":[{"data":"QQ","filename":1}]}}`:               {"body.file.filename", "string"},
	} {
		_, _, err := send(t, b, text)
		refused(t, err, want[0], want[1])
	}
}

func TestBoundaryOfTheDescription(t *testing.T) {
	_, media, err := send(t, plan.Body{Codec: plan.Multipart, Media: "Multipart/Form-Data; boundary=example"}, `{"body":{}}`)
	if err != nil || media != "multipart/form-data; boundary=B" {
		t.Errorf("Content-Type %s %v", media, err)
	}
	_, media, err = send(t, plan.Body{Codec: plan.Multipart, Media: `multipart/related; type="a/b"`}, `{"body":{}}`)
	if err != nil || media != `multipart/related; type="a/b"; boundary=B` {
		t.Errorf("Content-Type %s %v", media, err)
	}
}

func TestBoundaryIsRandom(t *testing.T) {
	b, err := Compile(plan.Upstream{}, plan.Request{Method: "POST", Body: &plan.Body{Arg: "body", Codec: plan.Multipart, Media: "multipart/form-data"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		req, err := b.Build(t.Context(), nil, arguments(t, `{"body":{"a":1}}`))
		if err != nil {
			t.Fatal(err)
		}
		seen[req.Header.Get("Content-Type")] = true
	}
	if len(seen) != 3 {
		t.Errorf("content types %v", seen)
	}
}

func TestTextBody(t *testing.T) {
	checkBodies(t, plan.Body{Codec: plan.Text, Media: "text/plain"}, []bodyTest{
		{`{}`, none},
		{`{"body":null}`, none},
		{`{"body":""}`, ``},
		{`{"body":"e\u0301\r\n"}`, "e\u0301\r\n"},
		{`{"body":0.10}`, `0.10`},
		{`{"body":{ "a":1}}`, `{ "a":1}`},
	})
}

func TestCharsets(t *testing.T) {
	latin := plan.Body{Codec: plan.Text, Media: "text/plain; charset=ISO-8859-1"}
	checkBodies(t, latin, []bodyTest{{`{"body":"é"}`, "\xe9"}})
	_, _, err := send(t, latin, `{"body":"日"}`)
	refused(t, err, "body", "ISO-8859-1")
	checkBodies(t, plan.Body{Codec: plan.FormCodec, Media: formMedia + ";charset=windows-1252"}, []bodyTest{{`{"body":{"é":"€ ü"}}`, "%E9=%80+%FC"}})
	_, _, err = send(t, plan.Body{Codec: plan.FormCodec, Media: formMedia + ";charset=windows-1252"}, `{"body":{"a":"日"}}`)
	refused(t, err, "body.a", "windows-1252")
	checkBodies(t, plan.Body{Codec: plan.XML, Media: "text/xml; charset=iso-8859-1"}, []bodyTest{{`{"body":{"a":"é日"}}`, `<?xml version="1.0" encoding="iso-8859-1"?><root><a>` + "\xe9&#26085;</a></root>"}})
	for media, want := range map[string]string{
		"text/plain; charset=x-unknown": "text/plain; charset=utf-8",
		"text/plain; charset=utf-16":    "text/plain; charset=utf-8",
		"text/plain; charset=UTF-8":     "text/plain; charset=UTF-8",
		"text/plain;charset=":           "text/plain;charset=",
	} {
		got, sent, err := send(t, plan.Body{Codec: plan.Text, Media: media}, `{"body":"é"}`)
		if err != nil || got != "é" || sent != want {
			t.Errorf("%s: %q as %s, %v", media, got, sent, err)
		}
	}
}

func TestBytesBody(t *testing.T) {
	b := plan.Body{Codec: plan.Bytes, Media: "application/octet-stream"}
	checkBodies(t, b, []bodyTest{
		{`{}`, none},
		{`{"body":""}`, ``},
		{`{"body":"+/8="}`, "\xfb\xff"},
		{`{"body":"-_8="}`, "\xfb\xff"},
		{`{"body":"+/8"}`, "\xfb\xff"},
		{`{"body":"-_8"}`, "\xfb\xff"},
		{`{"body":"QU\r\nJD\n"}`, "ABC"},
		{`{"body":"data:;base64,QUJD"}`, "ABC"},
		{`{"body":"DATA:text/plain;charset=utf-8;base64,QUJD"}`, "ABC"},
		{`{"body":"data:,a%20b"}`, "a b"},
	})
	for _, bad := range []string{`"A"`, `"QQ==="`, `"QQ=Q"`, `"Q Q!"`, `"ä"`, `7`, `"data:;base64,***"`, `"QQ="`} {
		_, _, err := send(t, b, `{"body":`+bad+`}`)
		refused(t, err, "body", "base64")
	}
	_, media, err := send(t, plan.Body{Codec: plan.Bytes, Media: "image/*"}, `{"body":"data:image/png;base64,AAAA"}`)
	if err != nil || media != "image/png" {
		t.Errorf("Content-Type %s, %v", media, err)
	}
	_, media, err = send(t, b, `{"body":"data:image/png;base64,AAAA"}`)
	if err != nil || media != "application/octet-stream" {
		t.Errorf("Content-Type %s, %v", media, err)
	}
}

func TestNDJSONBody(t *testing.T) {
	checkBodies(t, plan.Body{Codec: plan.NDJSON, Media: "application/x-ndjson"}, []bodyTest{
		{`{"body":[{"a" :1,` + "\n" + `"b":"x y\n"}, 1e400, "s"]}`, "{\"a\":1,\"b\":\"x y\\n\"}\n1e400\n\"s\"\n"},
		{`{"body":{"a" :1}}`, "{\"a\":1}\n"},
		{`{"body":[]}`, ""},
	})
}

func TestBodyLimit(t *testing.T) {
	for _, codec := range []plan.Codec{plan.Text, plan.JSON, plan.Multipart, plan.FormCodec} {
		b, err := Compile(plan.Upstream{}, plan.Request{Method: "POST", Body: &plan.Body{Arg: "body", Codec: codec}})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("x", MaxBody)
		a := args.Args{Values: map[string]any{"body": text}}
		switch codec {
		case plan.JSON:
			a.Raw = map[string]jsontext.Value{"body": jsontext.Value(`"` + text + `"`)}
		case plan.Multipart, plan.FormCodec:
			a.Values["body"] = map[string]any{"a": text}
		}
		req, err := b.Build(t.Context(), nil, a)
		if codec == plan.Text {
			if err != nil || len(req.Body) != MaxBody {
				t.Errorf("%s: %v", codec, err)
			}
			continue
		}
		refused(t, err, "body", "too large")
	}
}

func TestConcurrentBuilds(t *testing.T) {
	b, err := Compile(plan.Upstream{BaseURL: "https://h/b?k=v", Headers: []plan.Param{{Name: "X", Value: constant("1")}}}, plan.Request{
		Method: "POST", Path: pathParam(plan.Param{Name: "id"}), Query: []plan.Param{{Name: "q", Arg: "q", Explode: true, Style: plan.Form}},
		Body: &plan.Body{Arg: "body", Codec: plan.FormCodec, Media: formMedia, Fields: []plan.Field{{Name: "d", Style: plan.DeepObject}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			text := strings.Repeat(string(rune('a'+n)), 5)
			for range 100 {
				req, err := b.Build(t.Context(), nil, arguments(t, `{"id":"`+text+`","q":{"`+text+`":1},"body":{"d":{"k":"`+text+`"}}}`))
				if err != nil || req.URL.String() != "https://h/b/p/"+text+"?k=v&"+text+"=1" || string(req.Body) != "d%5Bk%5D="+text {
					t.Errorf("%v %v", req, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
