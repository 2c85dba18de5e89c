package request

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// TestOnTheWire sends requests through net/http to a real server and compares
// what arrives byte for byte: net/url likes to have its own opinion on paths.
func TestOnTheWire(t *testing.T) {
	type seen struct {
		method, uri, body string
		header            http.Header
	}
	var got seen
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, string(body), r.Header}
	}))
	defer server.Close()
	id := plan.Param{Name: "id", Arg: "id"}
	reserved := plan.Param{Name: "id", Arg: "id", AllowReserved: true}
	query := plan.Param{Name: "q", Arg: "q", Style: plan.Form, Explode: true, AllowReserved: true}
	tests := []struct {
		base      string
		path      []plan.Segment
		arguments string
		want      string
	}{
		{"", nil, `{}`, "/"},
		{"", []plan.Segment{literal("/")}, `{}`, "/"},
		{"/", []plan.Segment{literal("/x")}, `{}`, "/x"},
		{"", []plan.Segment{literal("x")}, `{}`, "/x"},
		{"", []plan.Segment{{Param: &id}}, `{"id":"x"}`, "/x"},
		{"/api", nil, `{}`, "/api"},
		{"/api", []plan.Segment{literal("/")}, `{}`, "/api/"},
		{"/api/", []plan.Segment{literal("/x/")}, `{}`, "/api/x/"},
		{"/api.asp?v=1", []plan.Segment{literal("/x")}, `{"q":"1"}`, "/api.asp/x?v=1&q=1"},
		{"/api?v=1", nil, `{}`, "/api?v=1"},
		{"/a%2Fb/c%20d", []plan.Segment{literal("/x")}, `{}`, "/a%2Fb/c%20d/x"},
		{"", []plan.Segment{literal("//x//y")}, `{}`, "//x//y"},
		{"", []plan.Segment{literal("/a b/é/{x}/%2f/%zz/?#|\"<>^`\\")}, `{}`, "/a%20b/%C3%A9/%7Bx%7D/%2f/%25zz/%3F%23%7C%22%3C%3E%5E%60%5C"},
		{"", []plan.Segment{literal("/a:b/(c)/[d]/e;f=g/!$&'*+,@~")}, `{}`, "/a:b/(c)/[d]/e;f=g/!$&'*+,@~"},
		{"", []plan.Segment{literal("/v/"), {Param: &id}, literal(":cancel")}, `{"id":"a/b c%2F?#"}`, "/v/a%2Fb%20c%252F%3F%23:cancel"},
		{"", []plan.Segment{literal("/v/"), {Param: &id}}, `{"id":"!$&'()*+,;=:@[]|\\^\u0060{}<>\""}`, "/v/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40%5B%5D%7C%5C%5E%60%7B%7D%3C%3E%22"},
		{"", []plan.Segment{literal("/v/"), {Param: &reserved}}, `{"id":"!$&'()*+,;=:@[]"}`, "/v/!$&'()*+,;=:@%5B%5D"},
		{"", []plan.Segment{literal("/v/"), {Param: &id}}, `{"id":["a","b"]}`, "/v/a,b"},
		{"", []plan.Segment{literal("/x")}, `{"q":"a[b]=/?:@!$'()*,; é"}`, "/x?q=a[b]=/?:@!$'()*,;%20%C3%A9"},
		{"", []plan.Segment{literal("/x")}, `{"q":[]}`, "/x"},
	}
	for _, tt := range tests {
		b, err := Compile(plan.Upstream{BaseURL: server.URL + tt.base}, plan.Request{Method: "POST", Path: tt.path, Query: []plan.Param{query},
			Header: []plan.Param{{Name: "x-OWN", Value: constant(`"1, \"2\""`)}}, Cookie: []plan.Param{{Name: "c", Value: constant(`"a b"`)}},
			Accept: "a/b", Body: &plan.Body{Value: constant(`{"n":1e400}`), Codec: plan.JSON, Media: "application/json"}})
		if err != nil {
			t.Fatal(err)
		}
		req, err := b.Build(t.Context(), nil, arguments(t, tt.arguments))
		if err != nil {
			t.Errorf("%s %s: %v", tt.base, tt.arguments, err)
			continue
		}
		h := &http.Request{Method: req.Method, URL: req.URL, Header: req.Header, Body: io.NopCloser(bytes.NewReader(req.Body)), ContentLength: int64(len(req.Body))}
		resp, err := server.Client().Do(h)
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		resp.Body.Close()
		if got.uri != tt.want {
			t.Errorf("%s %s\n got %s\nwant %s", tt.base, tt.arguments, got.uri, tt.want)
		}
		if got.method != "POST" || got.body != `{"n":1e400}` {
			t.Errorf("%s %s", got.method, got.body)
		}
		for k, v := range map[string]string{"X-Own": `1, "2"`, "Cookie": "c=a%20b", "Accept": "a/b", "Content-Type": "application/json"} {
			if g := got.header[k]; len(g) != 1 || g[0] != v {
				t.Errorf("%s: %q, want %q", k, g, v)
			}
		}
	}
}

func TestBaseURL(t *testing.T) {
	b, err := Compile(plan.Upstream{BaseURL: "https://a.example/x"}, plan.Request{Method: "GET", Server: "http://b.example:8080/y", Path: []plan.Segment{literal("/z")}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := b.Build(t.Context(), nil, arguments(t, `{}`))
	if err != nil || req.URL.String() != "http://b.example:8080/y/z" || req.Body != nil || len(req.Header) != 0 {
		t.Errorf("%+v %v", req, err)
	}
	// Without a base URL the request is still built; who sends it gives advice.
	b, err = Compile(plan.Upstream{}, plan.Request{Method: "GET", Path: []plan.Segment{literal("/z")}})
	if err != nil {
		t.Fatal(err)
	}
	req, err = b.Build(t.Context(), nil, arguments(t, `{}`))
	if err != nil || req.URL.Host != "" || req.URL.RequestURI() != "/z" {
		t.Errorf("%+v %v", req, err)
	}
}

func TestExplain(t *testing.T) {
	secret := plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "k"}}
	object := plan.Expr{Op: plan.OpObject, Args: []plan.Expr{*constant(`"a"`), argument("x"), *constant(`"b"`), secret, *constant(`"c"`), *constant("1.0")}}
	b, err := Compile(
		plan.Upstream{BaseURL: "https://me:pw@a.example/api", Headers: []plan.Param{{Name: "X-Key", Value: &secret}}},
		plan.Request{
			Method: "POST", Accept: "application/json",
			Path: []plan.Segment{literal("/v/"), {Param: &plan.Param{Name: "id", Arg: "the_id"}}},
			Query: []plan.Param{
				{Name: "limit", Arg: "limit"}, {Name: "unset", Arg: "unset"}, {Name: "v", Value: constant(`"2"`)},
				{Name: "t", Value: &plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{argument("x"), *constant(`"!"`)}}},
			},
			Cookie: []plan.Param{{Name: "s", Arg: "x"}},
			Body:   &plan.Body{Value: &object, Codec: plan.FormCodec, Media: formMedia},
		})
	if err != nil {
		t.Fatal(err)
	}
	env := &expr.Env{Secret: func(plan.Secret) (string, error) { t.Error("the secret is resolved"); return "hunter2", nil }}
	req, err := b.Explain(env, arguments(t, `{"the_id":"a b","limit":0.10,"x":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Part{
		{"method", "", "POST", "document"},
		{"url", "", "https://a.example/api", "document"},
		{"path", "id", "a b", "argument the_id"},
		{"query", "limit", "0.10", "argument limit"},
		{"query", "v", "2", "fixed value"},
		{"query", "t", "y!", "expression"},
		{"header", "X-Key", "(secret)", "expression"},
		{"header", "Accept", "application/json", "document"},
		{"cookie", "s", "y", "argument x"},
		{"header", "Content-Type", formMedia, "document"},
		{"body", "a", "y", "argument x"},
		{"body", "b", "(secret)", "expression"},
		{"body", "c", "1.0", "fixed value"},
	}
	if len(req.Parts) != len(want) {
		t.Errorf("%d parts: %+v", len(req.Parts), req.Parts)
	}
	for i := range min(len(want), len(req.Parts)) {
		if req.Parts[i] != want[i] {
			t.Errorf("part %d: %+v, want %+v", i, req.Parts[i], want[i])
		}
	}
	if got := req.URL.String(); got != "https://a.example/api/v/a%20b?limit=0.10&v=2&t=y%21" {
		t.Errorf("URL %s", got)
	}
	if string(req.Body) != "a=y&b=%28secret%29&c=1.0" {
		t.Errorf("body %s", req.Body)
	}
	built, err := b.Build(t.Context(), &expr.Env{Secret: func(plan.Secret) (string, error) { return "s", nil }}, arguments(t, `{"the_id":"a","x":"y"}`))
	if err != nil || built.Parts != nil || built.URL.User.Username() != "me" {
		t.Errorf("%+v %v", built, err)
	}
}

func TestExplainBoundary(t *testing.T) {
	b, err := Compile(plan.Upstream{}, plan.Request{Method: "POST", Body: &plan.Body{Arg: "body", Codec: plan.Multipart, Media: "multipart/form-data"}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := b.Explain(nil, arguments(t, `{"body":{"a":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	two, _ := b.Explain(nil, arguments(t, `{"body":{"a":1}}`))
	if string(one.Body) != string(two.Body) {
		t.Error("two explanations differ")
	}
	if p := one.Parts[len(one.Parts)-1]; p.Where != "body" || p.From != "argument body" || p.Value != string(one.Body) {
		t.Errorf("%+v", p)
	}
}
