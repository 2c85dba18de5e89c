package postman_test

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
	"github.com/mcpc-dev/mcpc/specs/postman"
)

func read(t *testing.T, rest, request string) (*imported.Spec, diag.List) {
	t.Helper()
	s, diags := postman.Read(&diag.Source{Name: "c.json", Text: []byte(`{"info": {"name": "C"}, ` + rest + `"item": [{"name": "Do it", "request": ` + request + `}]}`)})
	if s == nil {
		t.Fatal(diags)
	}
	return s, diags
}

// What a request becomes: method, path and inputs.
func TestRequests(t *testing.T) {
	for _, tt := range []struct{ name, rest, request, want string }{
		{"a URL alone", "", `"https://a.example/x?b=1"`, "GET /x (b)"},
		{"a path parameter", "", `{"url": "https://a.example/x/:id/y"}`, "GET /x/{id}/y (id)"},
		{"a variable in the path", `"variable": [{"key": "v", "value": "2"}], `, `{"url": "https://a.example/{{v}}/x"}`, "GET /{v}/x (v)"},
		{"a variable nobody declares", "", `{"url": "https://a.example/x?q={{what}}"}`, "GET /x (what)"},
		{"a part of a segment", "", `{"url": "https://a.example/x/{{name}}.json"}`, "GET /x/{name}.json (name)"},
		{"headers as text", "", `{"url": "https://a.example/x", "header": "Accept: text/csv\nHost: b"}`, "GET /x ()"},
		{"parts", "", `{"method": "POST", "url": "https://a.example/x", "body": {"mode": "formdata", "formdata": [{"key": "f", "type": "file", "src": "a"}, {"key": "n", "value": "1", "type": "text"}]}}`, "POST /x (f, n)"},
		{"a file", "", `{"method": "POST", "url": "https://a.example/x", "body": {"mode": "file", "file": {"src": "a"}}}`, "POST /x (file)"},
		{"XML", "", `{"method": "POST", "url": "https://a.example/x", "body": {"mode": "raw", "raw": "<a>{{b}}</a>", "options": {"raw": {"language": "xml"}}}}`, "POST /x (b)"},
		{"a body of GET", "", `{"method": "GET", "url": "https://a.example/x", "body": {"mode": "raw", "raw": "{}"}}`, "GET /x ()"},
		{"a form as text", "", `{"method": "POST", "url": "https://a.example/x", "body": {"mode": "urlencoded", "urlencoded": "a=1&b=2"}}`, "POST /x (a, b)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := read(t, tt.rest, tt.request)
			tool := s.Tools[0]
			var inputs []string
			for _, in := range tool.Inputs {
				inputs = append(inputs, in.Name)
			}
			if got := tool.Request.Method + " " + tool.Request.Path + " (" + strings.Join(inputs, ", ") + ")"; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Credentials of both formats, and where they end up.
func TestAuth(t *testing.T) {
	for _, tt := range []struct{ auth, want, code string }{
		{`{"type": "bearer", "bearer": {"token": "s3cret-1"}}`, "bearer", ""},
		{`{"type": "bearer", "bearer": [{"key": "token", "value": "s3cret-1"}]}`, "bearer", ""},
		{`{"type": "basic", "basic": {"username": "u", "password": "s3cret-1"}}`, "basic", ""},
		{`{"type": "apikey", "apikey": [{"key": "key", "value": "k"}, {"key": "value", "value": "s3cret-1"}, {"key": "in", "value": "query"}]}`, "api_key query k", ""},
		{`{"type": "oauth2", "oauth2": [{"key": "accessToken", "value": "s3cret-1"}]}`, "bearer", "changed"},
		{`{"type": "awsv4", "awsv4": {"secretKey": "s3cret-1"}}`, "", "not-imported"},
		{`{"type": "noauth"}`, "", ""},
	} {
		s, diags := read(t, `"auth": `+tt.auth+`, `, `"https://a.example/x"`)
		got := ""
		if a := s.APIs[0].Auth; a != nil {
			got = strings.TrimSpace(a.Kind + " " + a.In + " " + a.Param)
		}
		code := ""
		if len(diags) > 0 {
			code = diags[0].Code
		}
		if got != tt.want || code != tt.code {
			t.Errorf("%s: got %q %q, want %q %q", tt.auth, got, code, tt.want, tt.code)
		}
		for _, v := range s.Variables {
			if v.Default != nil || !v.Sensitive || v.Env == "" {
				t.Errorf("%s: the variable is %+v", tt.auth, v)
			}
		}
	}
}

// A base URL that a variable gives.
func TestBase(t *testing.T) {
	s, _ := read(t, "", `"{{url}}/x"`)
	if v := s.Variables; len(v) != 1 || v[0].Name != "url" || v[0].Default != nil || v[0].Sensitive {
		t.Errorf("the variables are %+v", v)
	}
	s, _ = read(t, `"variable": [{"key": "host", "value": "a.example/v1"}], `, `"{{host}}/x"`)
	if first, _ := imported.ConstText(s.APIs[0].BaseURL.Args[0]); first != "http://" {
		t.Errorf("the base URL begins with %q", first)
	}
}
