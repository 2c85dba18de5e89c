package compiler

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// compileText compiles a document given as text.
func compileText(t *testing.T, text string, o Options) *Result {
	t.Helper()
	o.Target = "-"
	o.Reader = &specs.Reader{Stdin: strings.NewReader(text), Getenv: func(string) string { return "" }}
	res, err := Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// openAPI wraps paths into a document.
func openAPI(paths string, more ...string) string {
	return "openapi: 3.1.0\ninfo: {title: T, version: '1'}\nservers: [{url: 'https://api.example.com/v1'}]\npaths:\n" + indent(paths) + strings.Join(more, "\n")
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(s, "\n") + "\n") {
		b.WriteString("  " + line)
	}
	return b.String()
}

// oneTool compiles a document that declares one operation.
func oneTool(t *testing.T, text string) *plan.Tool {
	t.Helper()
	res := compileText(t, text, Options{})
	if res.Plan == nil || len(res.Plan.Tools) != 1 {
		t.Fatalf("no tool: %s", messages(res))
	}
	return &res.Plan.Tools[0]
}

func messages(res *Result) string {
	var b strings.Builder
	for _, d := range res.Diagnostics {
		fmt.Fprintf(&b, "%s: %s: %s [%s] %s\n", d.Range, d.Severity, d.Message, d.Code, d.Hint)
	}
	return b.String()
}

func codes(res *Result) []string {
	var out []string
	for _, d := range res.Diagnostics {
		out = append(out, d.Code)
	}
	return out
}

// sameJSON compares a schema with the wanted one, whatever the order of members.
func sameJSON(t *testing.T, what, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%s: %v in %s", what, err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v in the wanted text", what, err)
	}
	if d := cmp.Diff(w, g); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestParameters(t *testing.T) {
	tool := oneTool(t, openAPI(`
/a/{id}.json:
  get:
    operationId: get.it
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, format: int64}}
      - {name: id, in: query, schema: {type: string}}
      - {name: $top, in: query, schema: {type: integer, default: 9007199254740993}, description: How many.}
      - {name: 'page[size]', in: query, deprecated: true, schema: {type: integer}}
      - {name: X-Id, in: header, schema: {type: string}}
      - {name: Accept, in: header, required: true, schema: {type: string}}
      - {name: session, in: cookie, schema: {type: string}}
      - {name: filter, in: query, style: deepObject, explode: true, schema: {type: object, properties: {'a b': {type: string}}}}
    responses: {'200': {description: ok}}
`))
	if tool.Name != "get_it" {
		t.Errorf("name %q", tool.Name)
	}
	sameJSON(t, "input", string(tool.Input), `{"type":"object","additionalProperties":false,"required":["id"],"properties":{
		"id":{"type":"integer","format":"int64"},
		"id_query":{"type":"string"},
		"top":{"type":"integer","default":9007199254740993,"description":"How many."},
		"page_size":{"type":"integer","deprecated":true,"description":"Deprecated."},
		"X-Id":{"type":"string"},
		"session":{"type":"string"},
		"filter":{"type":"object","properties":{"a_b":{"type":"string"}}}}}`)
	if !strings.Contains(string(tool.Input), "9007199254740993") {
		t.Error("an integer lost digits")
	}
	want := plan.Request{
		Upstream: "t", Method: "GET",
		Path: []plan.Segment{
			{Literal: "/a/"},
			{Param: &plan.Param{Name: "id", Arg: "id", Required: true, Style: plan.Simple}},
			{Literal: ".json"},
		},
		Query: []plan.Param{
			{Name: "id", Arg: "id_query", Style: plan.Form, Explode: true},
			{Name: "$top", Arg: "top", Style: plan.Form, Explode: true},
			{Name: "page[size]", Arg: "page_size", Style: plan.Form, Explode: true},
			{Name: "filter", Arg: "filter", Style: plan.DeepObject, Explode: true, Shape: &plan.Shape{Nodes: []plan.ShapeNode{
				{Type: "object", Props: []plan.ShapeProp{{Key: "a_b", Wire: "a b"}}}}}},
		},
		Header: []plan.Param{{Name: "X-Id", Arg: "X-Id", Style: plan.Simple}},
		Cookie: []plan.Param{{Name: "session", Arg: "session", Style: plan.Form, Explode: true}},
		Accept: "application/json, */*;q=0.5",
	}
	if d := cmp.Diff(want, tool.Request); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
}

func TestBodyBesideParameterOfThatName(t *testing.T) {
	tool := oneTool(t, openAPI(`
/a:
  post:
    parameters: [{name: body, in: query, schema: {type: string}}]
    requestBody: {required: true, content: {application/json: {schema: {type: array, items: {type: integer}}}}}
    responses: {'204': {description: ok}}
`))
	sameJSON(t, "input", string(tool.Input), `{"type":"object","additionalProperties":false,"required":["body"],"properties":{
		"body_query":{"type":"string"},"body":{"type":"array","items":{"type":"integer"}}}}`)
	if tool.Request.Query[0].Arg != "body_query" || tool.Request.Body.Arg != "body" {
		t.Errorf("query takes %q, body takes %q", tool.Request.Query[0].Arg, tool.Request.Body.Arg)
	}
	if tool.Name != "post_a" {
		t.Errorf("name of an operation without id: %q", tool.Name)
	}
}

func TestPathForms(t *testing.T) {
	for _, c := range []struct{ path, params, want string }{
		{"/a b/ü", "", `/a%20b/%C3%BC`},
		{"/x%2Fy/z", "", `/x%2Fy/z`},
		{"/a/{p}", "", `/a/ p`},
		{"/v1/{name=projects/*}:run", "", `/v1/ +name :run`},
		{"/files/{+path}", "", `/files/ +path`},
		{"/q?kind=a b&id={id}", "", `/q ?kind= ?id=`},
		{"/q#two", "", `/q`},
		{"/q{?limit}", "{name: limit, in: query, schema: {type: integer}}", `/q ?limit=`},
	} {
		tool := oneTool(t, openAPI(fmt.Sprintf(`
%q:
  get:
    parameters: [%s]
    responses: {'200': {description: ok}}
`, c.path, c.params)))
		var got []string
		for _, s := range tool.Request.Path {
			switch {
			case s.Param == nil:
				got = append(got, s.Literal)
			case s.Param.AllowReserved:
				got = append(got, "+"+s.Param.Name)
			default:
				got = append(got, s.Param.Name)
			}
		}
		for _, q := range tool.Request.Query {
			got = append(got, "?"+q.Name+"=")
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %q, want %q", c.path, s, c.want)
		}
	}
}

func TestReadOnlyAndWriteOnly(t *testing.T) {
	tool := oneTool(t, openAPI(`
/a:
  post:
    requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}
    responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/User'}}}}}
`, `
components:
  schemas:
    Base: {type: object, required: [id], properties: {id: {type: string, readOnly: true}}}
    User:
      allOf:
        - {$ref: '#/components/schemas/Base'}
        - {type: object, required: [id, name, password], properties: {name: {type: string}, password: {type: string, writeOnly: true}}}
`))
	if in := string(tool.Input); strings.Contains(in, `"id"`) || !strings.Contains(in, `"required":["name","password"]`) {
		t.Errorf("input %s", in)
	}
	if out := string(tool.Output); !strings.Contains(out, `"id"`) || strings.Contains(out, "password") {
		t.Errorf("output %s", out)
	}
}

func TestRecursion(t *testing.T) {
	tool := oneTool(t, openAPI(`
/a:
  post:
    requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}}
    responses: {'200': {description: ok}}
`, `
components:
  schemas:
    Node: {type: object, properties: {next: {$ref: '#/components/schemas/Node'}, name: {type: string}}}
`))
	sameJSON(t, "input", string(tool.Input), `{"type":"object","additionalProperties":false,"properties":{"body":{"$ref":"#/$defs/Node"}},
		"$defs":{"Node":{"type":"object","properties":{"next":{"$ref":"#/$defs/Node"},"name":{"type":"string"}}}}}`)
}

// document is a document of one operation, made without a front-end.
func document(op *specs.Operation, schemas map[string]string) *specs.Document {
	api := &specs.API{Name: "t", Source: "t.yaml", ExposeAll: true, Declared: 1, Schemas: map[string]*specs.Node{},
		Servers: []specs.ServerURL{{URL: "https://api.example.com"}}, Operations: []*specs.Operation{op}}
	for name, text := range schemas {
		api.Schemas[name] = node(text)
	}
	return &specs.Document{Server: specs.Server{Name: "t"}, APIs: []*specs.API{api}}
}

// A parent that is one of its children, each of which is all of the parent, is
// how many documents write inheritance. A validator must come to an end on it.
func TestInheritanceCycle(t *testing.T) {
	p, diags := CompileDocument(document(
		&specs.Operation{ID: "a", Method: "POST", Path: "/a", Body: &specs.Body{Required: true, Media: []*specs.Media{{Type: "application/json", Schema: node(`{"$ref":"#/$defs/Pet"}`)}}}},
		map[string]string{
			"Pet": `{"type":"object","required":["kind"],"properties":{"kind":{"type":"string"}},"oneOf":[{"$ref":"#/$defs/Cat"},{"$ref":"#/$defs/Dog"}]}`,
			"Cat": `{"allOf":[{"$ref":"#/$defs/Pet"},{"type":"object","required":["lives"],"properties":{"lives":{"type":"integer"}}}]}`,
			"Dog": `{"allOf":[{"$ref":"#/$defs/Pet"},{"type":"object","required":["barks"],"properties":{"barks":{"type":"boolean"}}}]}`,
		}), Options{})
	if p == nil {
		t.Fatal(diags)
	}
	input := string(p.Tools[0].Input)
	s, _, err := compileByLibrary(input)
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		`{"body":{"kind":"cat","lives":9}}`:    true,
		`{"body":{"kind":"dog","barks":true}}`: true,
		`{"body":{"kind":"dog"}}`:              false,
		`{"body":{"lives":9}}`:                 false,
		`{"body":{"kind":"cat","lives":"x"}}`:  false,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); (err == nil) != ok {
			t.Errorf("%s: %v\n%s", text, err, input)
		}
	}
}

func TestOutputs(t *testing.T) {
	for name, c := range map[string]struct{ responses, want string }{
		"object":         {`{'200': {description: d, content: {application/json: {schema: {type: object, additionalProperties: false, properties: {a: {type: string}}}}}}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`},
		"array":          {`{'200': {description: d, content: {application/json: {schema: {type: array, items: {type: string}}}}}}`, `wrap {"type":"object","properties":{"result":{"type":"array","items":{"type":"string"}}},"required":["result"]}`},
		"created":        {`{'201': {description: d, content: {application/json: {schema: {type: object}}}}, '400': {description: e, content: {application/json: {schema: {type: array}}}}}`, `{"type":"object"}`},
		"default":        {`{default: {description: d, content: {application/json: {schema: {type: object}}}}}`, `{"type":"object"}`},
		"default beside": {`{'200': {description: d}, default: {description: d, content: {application/json: {schema: {type: object}}}}}`, ``},
		"objects or":     {`{'200': {description: d, content: {application/json: {schema: {oneOf: [{type: object, required: [a]}, {type: object, required: [b]}]}}}}}`, `{"type":"object","oneOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]}`},
		"mixed":          {`{'200': {description: d, content: {application/json: {schema: {oneOf: [{type: object}, {type: string}]}}}}}`, ``},
		"unknown":        {`{'200': {description: d, content: {application/json: {schema: {}}}}}`, ``},
		"nullable":       {`{'200': {description: d, content: {application/json: {schema: {type: [object, 'null']}}}}}`, `{"type":"object"}`},
		"text":           {`{'200': {description: d, content: {text/plain: {schema: {type: string}}}}}`, ``},
		"sometimes none": {`{'200': {description: d, content: {application/json: {schema: {type: object, required: [a], properties: {a: {type: string}}}}}}, '204': {description: n}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`},
		"two objects":    {`{'200': {description: d, content: {application/json: {schema: {type: object, required: [a]}}}}, '202': {description: d, content: {application/json: {schema: {type: object, required: [b]}}}}}`, `{"type":"object","anyOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]}`},
		"bad keys":       {`{'200': {description: d, content: {application/json: {schema: {type: object, required: ['+1', a], properties: {'+1': {type: integer}, a: {type: string}}}}}}}`, `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`},
	} {
		tool := oneTool(t, openAPI("/a:\n  get:\n    responses: "+c.responses+"\n"))
		want, wrap := strings.CutPrefix(c.want, "wrap ")
		if tool.Response.Wrap != wrap {
			t.Errorf("%s: wrap %v", name, tool.Response.Wrap)
		}
		if want == "" || tool.Output == "" {
			if string(tool.Output) != want {
				t.Errorf("%s: output %q, want %q", name, tool.Output, want)
			}
			continue
		}
		sameJSON(t, name, string(tool.Output), want)
	}
}

func TestBodies(t *testing.T) {
	for name, c := range map[string]struct {
		content, input string
		body           plan.Body
	}{
		"json wins": {`{application/xml: {schema: {type: object}}, application/json: {schema: {type: object}}}`, `{"type":"object"}`,
			plan.Body{Media: "application/json", Codec: plan.JSON}},
		"anything is json": {`{'*/*': {schema: {type: string}}}`, `{"type":"string"}`, plan.Body{Media: "application/json", Codec: plan.JSON}},
		"merge patch":      {`{application/merge-patch+json: {schema: {type: object}}}`, `{"type":"object"}`, plan.Body{Media: "application/merge-patch+json", Codec: plan.JSON}},
		"bytes": {`{application/octet-stream: {schema: {type: string, format: binary}}}`, `{"type":"string","contentEncoding":"base64","description":"Base64, or a data: URI."}`,
			plan.Body{Media: "application/octet-stream", Codec: plan.Bytes}},
		"text": {`{text/plain: {schema: {type: string, maxLength: 5}}}`, `{"type":"string","maxLength":5}`, plan.Body{Media: "text/plain", Codec: plan.Text}},
		"renamed": {`{application/json: {schema: {type: object, properties: {l: {type: array, items: {type: object, properties: {'@id': {type: string}}}}}}}}`,
			`{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"}}}}}}`,
			plan.Body{Media: "application/json", Codec: plan.JSON, Shape: &plan.Shape{Nodes: []plan.ShapeNode{
				{Type: "object", Props: []plan.ShapeProp{{Key: "l", Wire: "l", Node: 2}}},
				{Type: "array", Items: 3},
				{Type: "object", Props: []plan.ShapeProp{{Key: "id", Wire: "@id"}}}}}}},
		"multipart": {`{multipart/form-data: {schema: {type: object, required: [file], properties: {file: {type: string, format: binary}, meta: {type: object}, pics: {type: array, items: {type: string, format: binary}}}}, encoding: {file: {contentType: 'image/png, image/jpeg'}}}}`,
			`{"type":"object","required":["file"],"properties":{
				"file":{"type":"string","contentEncoding":"base64","contentMediaType":"image/png","description":"Base64, or a data: URI."},
				"meta":{"type":"object"},
				"pics":{"type":"array","items":{"type":"string","contentEncoding":"base64","description":"Base64, or a data: URI."}}}}`,
			plan.Body{Media: "multipart/form-data", Codec: plan.Multipart, Fields: []plan.Field{{Name: "file", Media: "image/png", Binary: true}, {Name: "meta"}, {Name: "pics", Binary: true}}}},
		"media types of parts": {`{multipart/form-data: {schema: {type: object, properties: {file: {type: string, contentMediaType: image/png}, text: {type: string, contentMediaType: image/png, contentEncoding: base64}, pics: {type: array, items: {type: string, contentMediaType: image/gif}}}}}}`,
			`{"type":"object","properties":{
				"file":{"type":"string","contentEncoding":"base64","contentMediaType":"image/png","description":"Base64, or a data: URI."},
				"text":{"type":"string","contentEncoding":"base64","contentMediaType":"image/png"},
				"pics":{"type":"array","items":{"type":"string","contentEncoding":"base64","contentMediaType":"image/gif","description":"Base64, or a data: URI."}}}}`,
			plan.Body{Media: "multipart/form-data", Codec: plan.Multipart, Fields: []plan.Field{{Name: "file", Media: "image/png", Binary: true},
				{Name: "text", Media: "image/png", Header: []plan.Param{{Name: "Content-Transfer-Encoding", Value: &plan.Expr{Op: plan.OpConst, Const: `"base64"`}, Style: plan.Simple}}}, {Name: "pics", Media: "image/gif", Binary: true}}}},
		"form": {`{application/x-www-form-urlencoded: {schema: {type: object, properties: {a: {type: array, items: {type: string}}, o: {type: object}}}, encoding: {a: {explode: false}, o: {style: deepObject, explode: true}}}}`,
			`{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}},"o":{"type":"object"}}}`,
			plan.Body{Media: "application/x-www-form-urlencoded", Codec: plan.FormCodec, Fields: []plan.Field{{Name: "a", Style: plan.Form}, {Name: "o", Style: plan.DeepObject, Explode: true}}}},
	} {
		tool := oneTool(t, openAPI("/a:\n  post:\n    requestBody: {required: true, content: "+c.content+"}\n    responses: {'204': {description: d}}\n"))
		sameJSON(t, name, string(tool.Input), `{"type":"object","additionalProperties":false,"required":["body"],"properties":{"body":`+c.input+`}}`)
		c.body.Arg, c.body.Required = "body", true
		if d := cmp.Diff(&c.body, tool.Request.Body); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestXML(t *testing.T) {
	tool := oneTool(t, openAPI(`
/a:
  post:
    requestBody: {required: true, content: {application/xml: {schema: {$ref: '#/components/schemas/Pet'}}}}
    responses: {'200': {description: d, content: {application/xml: {schema: {$ref: '#/components/schemas/Pet'}}}}}
`, `
components:
  schemas:
    Pet:
      type: object
      properties:
        id: {type: integer, xml: {attribute: true}}
        tags: {type: array, xml: {wrapped: true, name: tagList}, items: {type: string, xml: {name: tag}}}
`))
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		{Type: "object", Props: []plan.ShapeProp{{Key: "id", Wire: "id", Node: 2}, {Key: "tags", Wire: "tags", Node: 3}}, XML: &plan.XMLName{Name: "Pet"}},
		{Type: "integer", XML: &plan.XMLName{Attribute: true}},
		{Type: "array", Items: 4, XML: &plan.XMLName{Name: "tagList", Wrapped: true}},
		{Type: "string", XML: &plan.XMLName{Name: "tag"}},
	}}
	if d := cmp.Diff(shape, tool.Request.Body.Shape); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if d := cmp.Diff(shape, tool.Response.Shape); d != "" {
		t.Errorf("response (-want +got):\n%s", d)
	}
	if tool.Output == "" || tool.Request.Accept != "application/xml, */*;q=0.5" {
		t.Errorf("output %q, accept %q", tool.Output, tool.Request.Accept)
	}
}

func TestSecurity(t *testing.T) {
	doc := openAPI(`
/a: {get: {operationId: a, security: [{k: []}, {b: [], o: [x]}, {m: []}, {}], responses: {'204': {description: d}}}}
/b: {get: {operationId: b, responses: {'204': {description: d}}}}
/c: {get: {operationId: c, security: [], responses: {'204': {description: d}}}}
`, `
security: [{b: []}]
components:
  securitySchemes:
    k: {type: apiKey, in: query, name: key}
    b: {type: http, scheme: basic}
    o: {type: oauth2, flows: {}}
    m: {type: mutualTLS}
    unused: {type: http, scheme: bearer}
`)
	res := compileText(t, doc, Options{Auth: map[string]plan.Secret{"k": {File: "/run/key"}}})
	if res.Plan == nil {
		t.Fatal(messages(res))
	}
	got := map[string][][]string{}
	for _, tool := range res.Plan.Tools {
		got[tool.Name] = tool.Request.Security
	}
	want := map[string][][]string{"a": {{"k"}, {"b", "o"}}, "b": {{"b"}}, "c": nil}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	secret := func(s plan.Secret) plan.Expr { return plan.Expr{Op: plan.OpSecret, Secret: &s} }
	wantCreds := []plan.Credential{
		{Name: "k", Kind: "apiKey", In: "query", Param: "key", Value: secret(plan.Secret{Name: "k", File: "/run/key"})},
		{Name: "b", Kind: "basic", Value: secret(plan.Secret{Name: "b", Env: []string{"MCPC_AUTH_B"}})},
		{Name: "o", Kind: "bearer", Value: secret(plan.Secret{Name: "o", Env: []string{"MCPC_AUTH_O"}})},
	}
	if d := cmp.Diff(wantCreds, res.Plan.Upstreams[0].Credentials); d != "" {
		t.Error(d)
	}
	if !slices.Equal(codes(res), []string{"unsupported-auth"}) {
		t.Error(messages(res))
	}
	if res := compileText(t, doc, Options{Auth: map[string]plan.Secret{"kk": {}}}); res.Plan != nil || !strings.Contains(messages(res), `"k"`) {
		t.Errorf("unknown scheme: %s", messages(res))
	}
}

// Some documents declare these headers as parameters: a secret is no argument
// for a model, and a version in Accept is a constant.
func TestOwnHeadersAsParameters(t *testing.T) {
	header := func(name, schema string) *specs.Param {
		return &specs.Param{Name: name, In: specs.InHeader, Required: true, Style: "simple", Schema: node(schema)}
	}
	p, diags := CompileDocument(document(&specs.Operation{ID: "a", Method: "GET", Path: "/a", Params: []*specs.Param{
		header("Authorization", `{"type":"string"}`), header("Accept", `{"type":"string","default":"application/vnd.x.v2+json"}`),
		header("Host", `{"type":"string"}`), header("X-Mine", `{"type":"string"}`)}}, nil), Options{})
	if p == nil {
		t.Fatal(diags)
	}
	tool := p.Tools[0]
	sameJSON(t, "input", string(tool.Input), `{"type":"object","additionalProperties":false,"required":["X-Mine"],"properties":{"X-Mine":{"type":"string"}}}`)
	if !reflect.DeepEqual(tool.Request.Security, [][]string{{"Authorization"}}) || tool.Request.Accept != "application/vnd.x.v2+json" {
		t.Errorf("security %v, accept %q", tool.Request.Security, tool.Request.Accept)
	}
	want := []plan.Credential{{Name: "Authorization", Kind: "apiKey", In: "header", Param: "Authorization",
		Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "Authorization", Env: []string{"MCPC_AUTH_AUTHORIZATION"}}}}}
	if d := cmp.Diff(want, p.Upstreams[0].Credentials); d != "" {
		t.Error(d)
	}
}

func TestBaseURL(t *testing.T) {
	for name, c := range map[string]struct{ source, server, want string }{
		"absolute":      {"spec.yaml", "https://a.example/v1/", "https://a.example/v1"},
		"relative file": {"spec.yaml", "/v1", ""},
		"relative url":  {"https://h.example/docs/spec.yaml", "../v1", "https://h.example/v1"},
		"no scheme":     {"spec.yaml", "//a.example/v1", "https://a.example/v1"},
		"query":         {"spec.yaml", "https://a.example/v1/?k=v", "https://a.example/v1?k=v"},
		"secret query":  {"spec.yaml", "https://a.example/v1?api_key=v", ""},
		"user":          {"spec.yaml", "https://ann:v@a.example/v1", ""},
		"variable":      {"spec.yaml", "https://{host}/v1", ""},
		"websocket":     {"spec.yaml", "wss://a.example", ""},
		"empty url":     {"https://h.example/spec.yaml", "", "https://h.example/spec.yaml"},
	} {
		got, err := resolveServer(c.source, c.server)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	doc := strings.Replace(openAPI("/a: {servers: [{url: 'https://other.example'}], get: {responses: {'204': {description: d}}}}"), "https://api.example.com/v1", "/v1", 1)
	res := compileText(t, doc, Options{})
	if res.Plan == nil || !slices.Equal(codes(res), []string{"no-base-url"}) || res.Plan.Upstreams[0].BaseURL != "" || res.Plan.Tools[0].Request.Server != "https://other.example" {
		t.Errorf("relative server: %s", messages(res))
	}
	res = compileText(t, doc, Options{BaseURL: "http://localhost:1/x/"})
	if len(res.Diagnostics) > 0 || res.Plan.Upstreams[0].BaseURL != "http://localhost:1/x" || res.Plan.Tools[0].Request.Server != "" {
		t.Errorf("given: %s", messages(res))
	}
	if res := compileText(t, doc, Options{BaseURL: "localhost:1"}); res.Plan != nil {
		t.Error("a base URL without a scheme was taken")
	}
}

func TestHints(t *testing.T) {
	for method, want := range map[string]plan.Hints{
		"get":    {ReadOnly: true, Idempotent: true, OpenWorld: true},
		"head":   {ReadOnly: true, Idempotent: true, OpenWorld: true},
		"post":   {OpenWorld: true},
		"put":    {Destructive: true, Idempotent: true, OpenWorld: true},
		"patch":  {Destructive: true, OpenWorld: true},
		"delete": {Destructive: true, Idempotent: true, OpenWorld: true},
	} {
		if got := oneTool(t, openAPI("/a: {"+method+": {responses: {'204': {description: d}}}}")).Hints; got != want {
			t.Errorf("%s: %+v", method, got)
		}
	}
}

func TestDescriptions(t *testing.T) {
	for _, c := range []struct{ op, title, desc string }{
		{`summary: List pets., description: ''`, "List pets", "List pets."},
		{`summary: List pets, description: Lists pets of the shop.`, "List pets", "List pets\n\nLists pets of the shop."},
		{`summary: List, description: List all pets.`, "List", "List all pets."},
		{`operationId: listAllPets`, "List all pets", "GET /a"},
		{``, "GET /a", "GET /a"},
		{`deprecated: true, summary: Old`, "Old", "Deprecated. Old"},
	} {
		op := c.op
		if op != "" {
			op += ", "
		}
		tool := oneTool(t, openAPI("/a: {get: {"+op+"responses: {'204': {description: d}}}}"))
		if tool.Title != c.title || tool.Description != c.desc {
			t.Errorf("%s: title %q, description %q", c.op, tool.Title, tool.Description)
		}
	}
	long := strings.Repeat("One sentence of words. ", 100)
	tool := oneTool(t, openAPI("/a: {get: {description: '"+long+"', responses: {'204': {description: d}}}}"))
	if n := len(tool.Description); n > maxDescription || n < maxDescription/2 || !strings.HasSuffix(tool.Description, "words.…") {
		t.Errorf("clipped to %d bytes: …%q", n, tool.Description[max(n-30, 0):])
	}
}

func TestLimits(t *testing.T) {
	u := compileText(t, openAPI("/a: {get: {responses: {'204': {description: d}}}}"), Options{}).Plan.Upstreams[0]
	want := plan.Upstream{Name: "t", BaseURL: "https://api.example.com/v1", Timeout: 30 * time.Second, ConnectTimeout: 10 * time.Second,
		Retry: plan.Retry{Attempts: 3, On: []int{502, 503, 504}}, MaxResponse: 10 << 20}
	if d := cmp.Diff(want, u); d != "" {
		t.Error(d)
	}
}

func TestQuarantine(t *testing.T) {
	res := compileText(t, openAPI(`
/good: {get: {operationId: good, responses: {'204': {description: d}}}}
/bad: {get: {operationId: bad, parameters: [{name: x, in: query, required: true, content: {application/xml: {schema: {type: object}}}}], responses: {'204': {description: d}}}}
`), Options{})
	if res.Plan == nil || len(res.Plan.Tools) != 1 {
		t.Fatal(messages(res))
	}
	want := []plan.Coverage{{Upstream: "t", Source: "-", Declared: 2, Selected: 2, Served: 1, Skipped: []plan.Skip{{Operation: "bad", Reason: `the required parameter "x" has content of type "application/xml", which cannot be written in a query`}}}}
	got := res.Plan.Coverage
	got[0].Source = "-"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !slices.Equal(codes(res), []string{"operation-skipped"}) {
		t.Error(messages(res))
	}
}

func TestDeterminism(t *testing.T) {
	target := filepath.Join(corpus(t), "specs", "gitea.json")
	var first []byte
	for range 3 {
		res, err := Compile(t.Context(), Options{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		b := plan.Encode(res.Plan)
		if first == nil {
			first = b
		} else if string(first) != string(b) {
			t.Fatal("the same document gave another plan")
		}
	}
}

// hclDir writes files of a spec and compiles the directory.
func hclDir(t *testing.T, files map[string]string, o Options) *Result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	o.Target = dir
	if o.Reader == nil {
		o.Reader = &specs.Reader{Getenv: func(string) string { return "" }}
	}
	res, err := Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

const issuesAPI = `openapi: 3.1.0
info: {title: Issues, version: '1'}
servers: [{url: 'https://api.example.com'}]
paths:
  /repos/{owner}/issues:
    parameters: [{name: owner, in: path, required: true, schema: {type: string}}]
    get:
      operationId: issues/list
      tags: [issues]
      parameters: [{name: per_page, in: query, schema: {type: integer}}, {name: q, in: query, required: true, schema: {type: string}}]
      responses: {'204': {description: d}}
    post:
      operationId: issues/create
      tags: [issues]
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Issue'}}}}
      responses: {'204': {description: d}}
  /old: {get: {operationId: issues/old, deprecated: true, responses: {'204': {description: d}}}}
  /users: {get: {operationId: users/list, tags: [users], responses: {'204': {description: d}}}}
components:
  schemas:
    Issue: {type: object, required: [title, state], properties: {title: {type: string}, state: {type: string}, labels: {type: array, items: {type: string}}}}
`

func TestExpose(t *testing.T) {
	for name, c := range map[string]struct {
		expose string
		want   []string
		codes  []string
	}{
		"glob":       {`expose { operations = ["issues/*"] }`, []string{"issues_list", "issues_create"}, nil},
		"all":        {`expose {}`, []string{"issues_list", "issues_create", "users_list"}, nil},
		"exclude":    {"expose {\n operations = [\"**\"]\n exclude = [\"*/create\"]\n}", []string{"issues_list", "users_list"}, nil},
		"deprecated": {`expose { deprecated = true }`, []string{"issues_list", "issues_create", "issues_old", "users_list"}, nil},
		"in full":    {`expose { operations = ["issues/old"] }`, []string{"issues_old"}, nil},
		"methods":    {`expose { methods = ["POST"] }`, []string{"issues_create"}, nil},
		"tags":       {`expose { tags = ["users"] }`, []string{"users_list"}, nil},
		"paths":      {`expose { paths = ["/repos/**"] }`, []string{"issues_list", "issues_create"}, nil},
		"name":       {"expose {\n methods = [\"POST\"]\n name = \"gh_${snakecase(operation.id)}\"\n}", []string{"gh_issues_create"}, nil},
		"nothing":    {`expose { operations = ["issue/*"] }`, nil, []string{"no-operation-selected", "pattern-matches-nothing"}},
	} {
		res := hclDir(t, map[string]string{"a.hcl": "api \"gh\" {\n openapi = \"issues.yaml\"\n" + c.expose + "\n}\n", "issues.yaml": issuesAPI}, Options{})
		if res.Plan == nil {
			t.Errorf("%s: %s", name, messages(res))
			continue
		}
		var got []string
		for _, tool := range res.Plan.Tools {
			got = append(got, tool.Name)
		}
		if !slices.Equal(got, c.want) || !slices.Equal(codes(res), c.codes) {
			t.Errorf("%s: %q, want %q; %s", name, got, c.want, messages(res))
		}
		cover := res.Plan.Coverage[0]
		if cover.Declared != 4 || cover.Selected != len(c.want) || cover.Served != len(c.want) {
			t.Errorf("%s: %+v", name, cover)
		}
	}
}

func TestOverridesAndToolBlocks(t *testing.T) {
	res := hclDir(t, map[string]string{"issues.yaml": issuesAPI, "a.hcl": `
variable "org" {
  type    = string
  default = "acme"
}
api "gh" {
  openapi = "issues.yaml"
  expose { operations = ["issues/*"] }
  override "*" {
    read_only = false
    input "owner" { value = var.org }
    input "per_page" { default = 30 }
  }
  override "issues/list" {
    description = "All issues."
    input "q" {
      description = "Words."
      wire        = "${args.q} org:acme"
    }
  }
}
tool "make_issue" {
  operation   = api.gh["issues/create"]
  description = "Make an issue."
  input "body.state" { value = "open" }
  input "body.title" { max_length = 120 }
  input "body.labels" { hide = true }
}
`}, Options{})
	if res.Plan == nil || len(res.Plan.Tools) != 2 {
		t.Fatal(messages(res))
	}
	if len(res.Diagnostics) > 0 {
		t.Error(messages(res))
	}
	made, list := &res.Plan.Tools[0], &res.Plan.Tools[1]
	if made.Name != "make_issue" || made.Description != "Make an issue." || list.Name != "issues_list" || list.Description != "All issues." || list.Hints.ReadOnly {
		t.Errorf("%s %q; %s %q %+v", made.Name, made.Description, list.Name, list.Description, list.Hints)
	}
	sameJSON(t, "made", string(made.Input), `{"type":"object","additionalProperties":false,"required":["body"],"properties":{
		"body":{"type":"object","required":["title"],"properties":{"title":{"type":"string","maxLength":120}}}}}`)
	sameJSON(t, "list", string(list.Input), `{"type":"object","additionalProperties":false,"required":["q"],"properties":{
		"per_page":{"type":"integer","default":30},"q":{"type":"string","description":"Words."}}}`)
	owner := list.Request.Path[1].Param
	if owner.Arg != "" || owner.Value == nil || owner.Value.Const != `"acme"` {
		t.Errorf("owner %+v", owner)
	}
	q := list.Request.Query[1]
	if q.Arg != "" || q.Value.Op != plan.OpTemplate || q.Value.Args[0].Name != "q" {
		t.Errorf("q %+v", q)
	}
	if p := list.Request.Query[0]; p.Value == nil || p.Value.Op != plan.OpCond {
		t.Errorf("per_page %+v", p)
	}
	body := made.Request.Body
	if body.Arg != "" || body.Value == nil || body.Value.Name != "merge" {
		t.Errorf("body %+v", body)
	}
}

func TestHandWritten(t *testing.T) {
	res := hclDir(t, map[string]string{"a.hcl": `
api "erp" {
  base_url = "https://erp.example/api"
  auth     = bearer(env("ERP_TOKEN"))
  timeout  = "20s"
  headers  = { X-App = "mcpc" }
  retry { attempts = 1 }
}
tool "search" {
  description = "Find."
  read_only   = true
  input "customer" { type = string }
  input "status" {
    type    = enum("open", "shipped")
    default = "open"
  }
  request "POST" "/orders/{customer}/search" {
    query = { v = 2, s = args.status }
    form  = { STAT = { open = "10", shipped = "40" }[args.status], MAX = 50 }
  }
}
`}, Options{})
	if res.Plan == nil {
		t.Fatal(messages(res))
	}
	tool := res.Plan.Tools[0]
	sameJSON(t, "input", string(tool.Input), `{"type":"object","additionalProperties":false,"required":["customer"],"properties":{
		"customer":{"type":"string"},"status":{"type":"string","enum":["open","shipped"],"default":"open"}}}`)
	if tool.Hints != (plan.Hints{ReadOnly: true, Idempotent: true, OpenWorld: true}) || tool.Origin.Kind != "hcl" {
		t.Errorf("%+v %+v", tool.Hints, tool.Origin)
	}
	r := tool.Request
	if r.Path[1].Param.Arg != "customer" || r.Path[2].Literal != "/search" || r.Body.Codec != plan.FormCodec || r.Body.Value.Op != plan.OpObject ||
		!reflect.DeepEqual(r.Security, [][]string{{"erp"}}) || r.Query[1].Value.Op != plan.OpCond {
		b, _ := json.Marshal(r)
		t.Errorf("%s", b)
	}
	u := res.Plan.Upstreams[0]
	if u.Timeout != 20*time.Second || u.Retry.Attempts != 1 || u.Headers[0].Name != "X-App" || u.Credentials[0].Value.Secret.Env[0] != "ERP_TOKEN" {
		t.Errorf("%+v", u)
	}
}

func TestMistakesAcrossFiles(t *testing.T) {
	for name, c := range map[string]struct{ hcl, code, hint string }{
		"operation":       {`tool "x" { operation = api.gh["issue/create"] }`, "unknown-operation", `did you mean "issues/create" (POST /repos/{owner}/issues`},
		"method and path": {`tool "x" { operation = api.gh["GET /users"] }`, "unknown-operation", `did you mean "users/list"`},
		"input":           {"tool \"x\" {\n operation = api.gh[\"issues/list\"]\n input \"per_pag\" { hide = true }\n}", "unknown-input", `"per_page"`},
		"body field":      {"tool \"x\" {\n operation = api.gh[\"issues/create\"]\n input \"body.titel\" { hide = true }\n}", "unknown-input", `"body.title"`},
		"required hidden": {"tool \"x\" {\n operation = api.gh[\"issues/list\"]\n input \"q\" { hide = true }\n}", "required-input", "value"},
		"argument":        {"tool \"x\" {\n operation = api.gh[\"issues/list\"]\n input \"q\" { wire = \"${args.qq}!\" }\n}", "unknown-argument", ""},
	} {
		res := hclDir(t, map[string]string{"issues.yaml": issuesAPI, "a.hcl": "api \"gh\" {\n openapi = \"issues.yaml\"\n}\n" + c.hcl + "\n"}, Options{})
		if res.Plan != nil || !slices.Contains(codes(res), c.code) || !strings.Contains(messages(res), c.hint) {
			t.Errorf("%s: %s", name, messages(res))
		}
		for _, d := range res.Diagnostics {
			if d.Range.Source == nil {
				t.Errorf("%s: %s has no place", name, d.Code)
			}
		}
	}
}

// A document that declares schemes and forgets to say where they are needed: a
// secret that the user gives is meant to be sent.
func TestSchemeThatNoOperationNames(t *testing.T) {
	doc := openAPI("/a: {get: {responses: {'204': {description: d}}}}", "components: {securitySchemes: {k: {type: http, scheme: bearer}, l: {type: http, scheme: bearer}}}\n")
	if got := compileText(t, doc, Options{}).Plan; got.Tools[0].Request.Security != nil || got.Upstreams[0].Credentials != nil {
		t.Errorf("sent without being asked for: %v", got.Tools[0].Request.Security)
	}
	got := compileText(t, doc, Options{Auth: map[string]plan.Secret{"k": {Env: []string{"K"}}}}).Plan
	if !reflect.DeepEqual(got.Tools[0].Request.Security, [][]string{{"k"}}) || len(got.Upstreams[0].Credentials) != 1 {
		t.Errorf("%v %v", got.Tools[0].Request.Security, got.Upstreams[0].Credentials)
	}
}

// FuzzPath compiles an operation with any path: what goes to the wire literally
// is always a legal path.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/a/{b}.json", "/{+a}{?b,c}#d", "/a?b={c}&d=e%20f", "/{a=**}:x", "/{", "/}{", "//", "/%zz\r\n", "?", "/{}"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, diags := CompileDocument(document(&specs.Operation{ID: "a", Method: "GET", Path: path}, nil), Options{})
		if p == nil {
			t.Fatal(diags)
		}
		if len(p.Tools)+len(p.Coverage[0].Skipped) != 1 {
			t.Fatalf("%d tools, skipped %v", len(p.Tools), p.Coverage[0].Skipped)
		}
		for _, tool := range p.Tools {
			for _, s := range tool.Request.Path {
				for i := 0; i < len(s.Literal); i++ {
					if c := s.Literal[i]; !isAlnum(c) && !strings.ContainsRune("-._~!$&'()*+,;=:@/%", rune(c)) {
						t.Fatalf("literal %q", s.Literal)
					}
				}
			}
			if err := checkByLibrary(string(tool.Input), true); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range p.Coverage[0].Skipped {
			if strings.Contains(s.Reason, "internal error") {
				t.Fatal(s.Reason)
			}
		}
	})
}

func TestBodiesOfBinaryFormats(t *testing.T) {
	for name, c := range map[string]struct{ content, media, skip string }{
		"object":           {`{application/x-protobuf: {schema: {type: object}}}`, "", "application/x-protobuf"},
		"list":             {`{application/cbor: {schema: {type: array, items: {type: integer}}}}`, "", "application/cbor"},
		"suffix":           {`{application/vnd.a+cbor: {schema: {type: object}}}`, "", "application/vnd.a+cbor"},
		"octets":           {`{application/octet-stream: {schema: {type: object}}}`, "", "application/octet-stream"},
		"binary":           {`{application/x-protobuf: {schema: {type: string, format: binary}}}`, "application/x-protobuf", ""},
		"string":           {`{application/cbor: {schema: {type: string}}}`, "application/cbor", ""},
		"no schema":        {`{application/cbor: {}}`, "application/cbor", ""},
		"object of a file": {`{application/octet-stream: {schema: {type: object, format: file}}}`, "application/octet-stream", ""},
		"json beside":      {`{application/x-protobuf: {schema: {type: object}}, application/json: {schema: {type: object}}}`, "application/json", ""},
		"bytes beside":     {`{application/cbor: {schema: {type: object}}, application/octet-stream: {schema: {type: string, format: binary}}}`, "application/octet-stream", ""},
	} {
		res := compileText(t, openAPI("/a:\n  post:\n    operationId: a\n    requestBody: {content: "+c.content+"}\n    responses: {'204': {description: d}}\n"), Options{})
		if res.Plan == nil {
			t.Errorf("%s: %s", name, messages(res))
			continue
		}
		if c.skip != "" {
			skipped := res.Plan.Coverage[0].Skipped
			if len(skipped) != 1 || !strings.Contains(skipped[0].Reason, c.skip) || !slices.Equal(codes(res), []string{"operation-skipped"}) {
				t.Errorf("%s: skipped %+v; %s", name, skipped, messages(res))
			}
			continue
		}
		b := res.Plan.Tools[0].Request.Body
		codec := plan.Bytes
		if c.media == "application/json" {
			codec = plan.JSON
		}
		if b.Media != c.media || b.Codec != codec {
			t.Errorf("%s: %s as %s", name, b.Media, b.Codec)
		}
	}
}

func TestUselessDocuments(t *testing.T) {
	if res := compileText(t, openAPI("{}"), Options{}); res.Plan == nil || !slices.Equal(codes(res), []string{"no-operations"}) {
		t.Errorf("no paths: %s", messages(res))
	}
	for more, want := range map[string][]string{
		"": {"nothing-exposed"},
		"tool \"x\" { operation = api.gh[\"users/list\"] }\n":                   nil,
		"tool \"x\" {\n  description = \"d\"\n  request \"GET\" \"/x\" {}\n}\n": nil,
	} {
		res := hclDir(t, map[string]string{"issues.yaml": issuesAPI, "a.hcl": "api \"gh\" {\n openapi = \"issues.yaml\"\n}\n" + more}, Options{})
		if res.Plan == nil || !slices.Equal(codes(res), want) {
			t.Errorf("%q: %s", more, messages(res))
		}
		if want != nil && (res.Diagnostics[0].Severity != diag.Warning || !strings.Contains(res.Diagnostics[0].Hint, `api.gh["issues/list"]`) || res.Diagnostics[0].Range.Source == nil) {
			t.Errorf("%+v", res.Diagnostics)
		}
	}
}

func TestPatternsAreToldOnce(t *testing.T) {
	res := compileText(t, openAPI(`/a:
  get:
    parameters:
      - {name: a, in: query, schema: {type: string, pattern: '(['}}
      - {name: b, in: query, schema: {type: string, pattern: '^(?!x)'}}
      - {name: c, in: query, schema: {type: string, pattern: '(['}}
      - {name: d, in: query, schema: {type: string, pattern: '^a$'}}
    responses: {'204': {description: d}}
`), Options{})
	if res.Plan == nil || !slices.Equal(codes(res), []string{"pattern-not-checked"}) || !strings.Contains(messages(res), `2 patterns of the schemas cannot be compiled: "([" and 1 more`) {
		t.Error(messages(res))
	}
}

func TestFixedValues(t *testing.T) {
	const api = `openapi: 3.1.0
info: {title: T, version: '1'}
servers: [{url: 'https://api.example.com'}]
paths:
  /a:
    post:
      operationId: a
      parameters:
        - {name: n, in: query, schema: {type: integer, minimum: 5}}
        - {name: e, in: query, schema: {$ref: '#/components/schemas/E'}}
        - {name: u, in: query, schema: {anyOf: [{type: integer}, {type: boolean}]}}
      requestBody: {content: {application/json: {schema: {type: object, properties: {n: {type: integer}, o: {type: object, properties: {s: {type: string, maxLength: 2}}}, l: {type: array, items: {type: string}}}}}}}
      responses: {'204': {description: d}}
components: {schemas: {E: {type: string, enum: [x, y]}}}
`
	for _, c := range []struct{ input, value, problem string }{
		{"n", `"seven"`, `"seven" is not a whole number`},
		{"n", `7.5`, `7.5 is not a whole number`},
		{"n", `4`, `4 is beyond the minimum 5`},
		{"n", `7`, ""},
		{"n", `7.0`, ""},
		{"n", `"7"`, ""}, // a query is text
		{"n", `args.e`, ""},
		{"e", `"z"`, `"z" is none of the allowed values ["x","y"]`},
		{"e", `"y"`, ""},
		{"u", `"z"`, `"z" is not a whole number`},
		{"u", `true`, ""},
		{"body.n", `"7"`, `"7" is not a whole number`},
		{"body.n", `7`, ""},
		{"body.o", `{ s = "abc" }`, `s: "abc" has 3 characters, and maxLength is 2`},
		{"body.o.s", `"ab"`, ""},
		{"body.l", `["a", 1]`, `1 is not text`},
		{"body.l", `["a", null]`, `null is not text`},
	} {
		text := "api \"t\" {\n openapi = \"t.yaml\"\n}\ntool \"x\" {\n operation = api.t[\"a\"]\n input \"" + c.input + "\" { value = " + c.value + " }\n}\n"
		res := hclDir(t, map[string]string{"t.yaml": api, "a.hcl": text}, Options{})
		if c.problem == "" {
			if res.Plan == nil || len(res.Diagnostics) > 0 {
				t.Errorf("%s = %s: %s", c.input, c.value, messages(res))
			}
			continue
		}
		if len(res.Diagnostics) != 1 || res.Diagnostics[0].Code != "wrong-type" || !strings.Contains(messages(res), c.problem) {
			t.Errorf("%s = %s: %s", c.input, c.value, messages(res))
			continue
		}
		if r := res.Diagnostics[0].Range; r.Source == nil || string(r.Source.Text[r.Start:r.End]) != c.value {
			t.Errorf("%s = %s: the place is %q", c.input, c.value, r)
		}
	}
}
