package openapi

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// files writes files into a new folder and returns it.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func parse(t testing.TB, text string, o Options) (*specs.API, diag.List) {
	t.Helper()
	api, diags := Parse(context.Background(), &specs.Reader{}, filepath.Join(files(t, map[string]string{"api": text}), "api"), o)
	checkPlaces(t, diags)
	return api, diags
}

// says is the diagnostics as lines "line:column severity code message".
func says(diags diag.List) string {
	var b strings.Builder
	for _, d := range diags {
		if !d.Range.IsZero() {
			pos := d.Range.Source.Position(d.Range.Start)
			fmt.Fprintf(&b, "%s:%d:%d ", filepath.Base(d.Range.Source.Name), pos.Line, pos.Column)
		}
		fmt.Fprintf(&b, "%s %s: %s\n", d.Severity, d.Code, d.Message)
	}
	return b.String()
}

func equal(t testing.TB, what, got, want string) {
	t.Helper()
	for strings.Contains(got, " \n") {
		got = strings.ReplaceAll(got, " \n", "\n")
	}
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("%s\n got %s\nwant %s", what, got, want)
	}
}

func TestWhatIsNoOpenAPI(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "api:1:1 error not-openapi: this is not an OpenAPI document: it is empty",
		" \n":                                "api:1:1 error not-openapi: this is not an OpenAPI document: it is empty",
		"[]":                                 "api:1:1 error not-openapi: this is not an OpenAPI document: its top level is no object",
		"hello":                              "api:1:1 error not-openapi: this is not an OpenAPI document: its top level is no object",
		`{"a":1}`:                            "api:1:1 error not-openapi: this is not an OpenAPI document: it has no key openapi or swagger at its top level",
		`{"asyncapi":"2.6.0"}`:               "api:1:1 error not-openapi: this is not an OpenAPI document: it is AsyncAPI",
		`{"swaggerVersion":"1.2"}`:           "api:1:1 error not-openapi: this is not an OpenAPI document: Swagger 1.x is not supported",
		`{"info":{"_postman_id":"x"}}`:       "api:1:1 error not-openapi: this is not an OpenAPI document: it is a Postman collection",
		"openapi: 4.0.0":                     `api:1:10 error unsupported-version: the version openapi "4.0.0" is not supported`,
		"openapi: 3.10.0":                    `api:1:10 error unsupported-version: the version openapi "3.10.0" is not supported`,
		"swagger: '3.0'":                     `api:1:10 error unsupported-version: the version swagger "3.0" is not supported`,
		"openapi: true":                      `api:1:10 error unsupported-version: the version openapi "" is not supported`,
		`{"openapi":"3.0.0",,}`:              `api:1:20 error invalid-json: this is not valid JSON: a key in double quotes is expected`,
		`{"openapi":"3.0.0"`:                 `api:1:19 error invalid-json: this is not valid JSON: a comma or } is expected here`,
		"openapi: 3.0.0\ninfo: [\npaths: {}": `api:2:1 error invalid-yaml: this is not valid YAML: did not find expected ',' or ']'`,
		"\xff\xfeo":                          "api:1:1 error not-utf8: the text is UTF-16; only UTF-8 is read",
	} {
		api, diags := parse(t, text, Options{})
		if api != nil {
			t.Errorf("%q was read", text)
		}
		equal(t, fmt.Sprintf("%q", text), says(diags), want)
	}
	if api, diags := Parse(context.Background(), &specs.Reader{}, filepath.Join(t.TempDir(), "absent.yaml"), Options{}); api != nil || !strings.Contains(says(diags), "error unreadable: read ") {
		t.Errorf("absent file: %s", says(diags))
	}
}

// What editors and transfers do to a text: none of it may lose an operation
// without a word, or be told at the wrong place.
func TestDamagedTexts(t *testing.T) {
	const doc = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {operationId: a}}}\n"
	for text, want := range map[string]string{
		"\uFEFF" + doc: "1 operations",
		"\uFEFF" + strings.ReplaceAll(doc, "\n", "\r\n"):      "1 operations",
		strings.ReplaceAll(doc, "\n", "\r"):                   "1 operations",
		"\uFEFF" + strings.Replace(doc, "3.1.0", "3.9.0", 1):  `api:1:11 error unsupported-version: the version openapi "3.9.0" is not supported`,
		doc + "x-a: '\xff'\n":                                 "api:4:7 warning not-utf8: the text is not valid UTF-8; bytes that are not are read as question marks\n1 operations",
		doc + "x-a: ['ü\x00']\n":                              "api:4:9 error invalid-yaml: this is not valid YAML: control characters are not allowed",
		doc + "---\nnext: document\n":                         "1 operations",
		doc + "---\nnext: [\n":                                "api:6:1 warning invalid-yaml: this is not valid YAML: did not find expected node content; what stands before this line is read, the rest is left out\n1 operations",
		strings.ReplaceAll(" "+doc, "\npaths", "\n paths"):    "api:2:1 warning invalid-yaml: this is not valid YAML: did not find expected <document start>; what stands before this line is read, the rest is left out\n0 operations",
		`{"openapi": "3.1.0", "info": {"title": "` + "a\x00b": `api:1:42 error invalid-json: this is not valid JSON: a control character inside a string; write it as an escape`,
	} {
		api, diags := parse(t, text, Options{})
		got := says(diags)
		if api != nil {
			got += fmt.Sprintf("%d operations", len(api.Operations))
		}
		equal(t, fmt.Sprintf("%q", text), got, want)
	}
}

func TestVersionsAreRepaired(t *testing.T) {
	for text, want := range map[string]string{
		"openapi: 3.1":                   "api:1:10 warning version-not-quoted: the version must be a string; the number 3.1 is taken as one",
		"swagger: 2.0":                   "api:1:10 warning version-not-quoted: the version must be a string; the number 2.0 is taken as one",
		"openapi: 3.2.0":                 "",
		`{openapi: 3.0.3}`:               "",
		`{"openapi":"3.0.0",}`:           "api:1:20 warning invalid-json: this is not valid JSON: a key in double quotes is expected; it is read as YAML",
		"\uFEFF{\"openapi\": \"3.0.0\"}": "",
	} {
		api, diags := parse(t, text, Options{})
		if api == nil {
			t.Errorf("%q was not read", text)
		}
		equal(t, text, says(diags), want)
	}
}

func TestSniff(t *testing.T) {
	for text, want := range map[string]bool{
		`{"openapi":"3.0.0"}`: true,
		"\n { \"info\": {\"a\":[1,\"}\"]}, \"swagger\" : \"2.0\"}": true,
		`{"info":{"openapi":"3.0.0"}}`:                             false,
		`{"asyncapi":"2.0.0"}`:                                     false,
		"# a comment\nopenapi: 3.1.0":                              true,
		"'openapi' : 3.1.0":                                        true,
		"\uFEFFopenapi: 3.1.0":                                     true,
		"info:\n  openapi: 3.0.0":                                  false,
		"server \"x\" {\n}":                                        false,
		"{openapi: 3.0.0}":                                         true,
		"":                                                         false,
		"{":                                                        false,
	} {
		if got := Sniff([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// describe writes an API as text, so that tests can be read.
func describe(api *specs.API) string {
	var b strings.Builder
	for _, s := range api.Servers {
		fmt.Fprintf(&b, "server %s\n", s.URL)
	}
	for _, s := range api.Schemes {
		fmt.Fprintf(&b, "scheme %q %s %s %s\n", s.Name, s.Kind, s.In, s.Param)
	}
	for _, op := range api.Operations {
		fmt.Fprintf(&b, "%s = %s %s", op.ID, op.Method, op.Path)
		if op.Deprecated {
			b.WriteString(" deprecated")
		}
		b.WriteString("\n")
		for _, s := range op.Servers {
			fmt.Fprintf(&b, "  server %s\n", s.URL)
		}
		for _, alternative := range op.Security {
			fmt.Fprintf(&b, "  security %v\n", alternative)
		}
		for _, param := range op.Params {
			fmt.Fprintf(&b, "  %s\n", describeParam(param))
		}
		if op.Body != nil {
			fmt.Fprintf(&b, "  body required=%v\n", op.Body.Required)
			describeMedia(&b, op.Body.Media)
		}
		for _, r := range op.Responses {
			fmt.Fprintf(&b, "  %s %s\n", r.Status, r.Description)
			describeMedia(&b, r.Media)
		}
	}
	for _, s := range api.Skipped {
		fmt.Fprintf(&b, "skipped %s: %s\n", s.Operation, s.Reason)
	}
	return b.String()
}

func describeParam(p *specs.Param) string {
	s := fmt.Sprintf("%s %s %s", p.In, p.Name, p.Style)
	for _, word := range []struct {
		on   bool
		text string
	}{{p.Explode, "explode"}, {p.Required, "required"}, {p.AllowReserved, "reserved"}, {p.AllowEmptyValue, "empty"}, {p.Deprecated, "deprecated"}, {p.Media != "", p.Media}} {
		if word.on {
			s += " " + word.text
		}
	}
	return s + " " + p.Schema.JSON()
}

func describeMedia(b *strings.Builder, list []*specs.Media) {
	for _, m := range list {
		fmt.Fprintf(b, "    %s", m.Type)
		if m.Schema != nil {
			fmt.Fprintf(b, " %s", m.Schema.JSON())
		}
		for name, e := range m.Encoding {
			fmt.Fprintf(b, " encoding %s=%s/%s", name, e.ContentType, e.Style)
			if e.Explode != nil {
				fmt.Fprintf(b, "/explode=%v", *e.Explode)
			}
			for _, h := range e.Headers {
				fmt.Fprintf(b, " header(%s)", describeParam(h))
			}
		}
		b.WriteString("\n")
	}
}

func TestOperations(t *testing.T) {
	for _, c := range []struct{ name, text, want, says string }{
		{"3.0: ids, order, path items, odd fields", `
openapi: 3.0.3
info: {title: T, version: 1.0, description: D}
servers: [{url: https://h/v1}]
paths:
  /z/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
      - {name: q, in: query, schema: {type: string}}
    servers: [{url: https://other}]
    get:
      operationId: one
      parameters:
        - {name: q, in: query, schema: {type: number}}
        - {name: X-A, in: header, schema: {}}
        - {name: accept, in: header, schema: {}}
        - {name: Content-Type, in: header, schema: {}}
        - {name: AUTHORIZATION, in: header, schema: {}}
    post: {operationId: one, servers: [{url: https://third}], deprecated: true}
  /a:
    delete: {}
    x-get: {}
    query: {}
    gett: {}
    PUT: {}
  x-b: {get: {}}
`, `
server https://h/v1
one = GET /z/{id}
  server https://other
  path id simple required {"type":"integer"}
  query q form explode {"type":"number"}
  header X-A simple {}
  header accept simple {}
  header Content-Type simple {}
  header AUTHORIZATION simple {}
POST /z/{id} = POST /z/{id} deprecated
  server https://third
  path id simple required {"type":"integer"}
  query q form explode {"type":"string"}
DELETE /a = DELETE /a`, `api:19:25 warning duplicate-operation-id: the operationId "one" is used more than once; this operation is called "POST /z/{id}"
api:23:5 warning unknown-field: the path item "/a" has no field "query" in this version of the standard; it is left out
api:24:5 warning unknown-field: the path item "/a" has no field "gett" in this version of the standard; it is left out
api:25:5 warning unknown-field: the path item "/a" has no field "PUT" in this version of the standard; it is left out`},
		{"3.0: styles", `
openapi: 3.0.3
paths:
  /{a}/{b}/{c}:
    get:
      parameters:
        - {name: a, in: path, required: true, style: label, explode: true, schema: {}}
        - {name: b, in: path, required: true, style: matrix, schema: {}}
        - {name: c, in: path, required: true, style: form, schema: {}}
        - {name: d, in: query, style: deepObject, schema: {}}
        - {name: e, in: query, style: spaceDelimited, schema: {}}
        - {name: f, in: query, style: pipeDelimited, explode: 'true', schema: {}}
        - {name: g, in: query, explode: false, allowReserved: true, allowEmptyValue: true, deprecated: true, schema: {}}
        - {name: h, in: cookie, schema: {}}
        - {name: i, in: query, content: {application/json: {schema: {type: object}}}}
        - {name: j, in: query, example: 5, schema: {type: integer}}
        - {name: k, in: query, examples: {x: {value: 1}, y: {value: 2}}}
`, `
GET /{a}/{b}/{c} = GET /{a}/{b}/{c}
  path a label explode required {}
  path b matrix required {}
  path c simple required {}
  query d deepObject explode {}
  query e spaceDelimited {}
  query f pipeDelimited explode {}
  query g form reserved empty deprecated {}
  cookie h form explode {}
  query i form explode application/json {"type":"object"}
  query j form explode {"type":"integer","examples":[5]}
  query k form explode {"examples":[1,2]}`, `
api:9:54 warning odd-style: the style "form" does not exist for a parameter in path; simple is used
api:12:63 warning not-a-boolean: explode must be true or false without quotes`},
		{"3.0: paths and parameters that disagree", `
openapi: 3.0.3
paths:
  /a/{id}/{rest*}/{n:[0-9]+}:
    get:
      parameters:
        - {name: rest, in: path, required: true, schema: {}}
        - {name: n, in: path, required: false, schema: {}}
        - {name: gone, in: path, required: true, schema: {}}
        - {name: x, in: body}
        - {in: query}
        - 5
  /b/{id: {get: {operationId: b}, put: {operationId: b}}
  /c/{id/{n}: {get: {}}
`, `
GET /a/{id}/{rest*}/{n:[0-9]+} = GET /a/{id}/{rest}/{n}
  path rest simple required {}
  path n simple required {}
  path id simple required {"type":"string"}
skipped b: its path has a { that is not closed
skipped b: its path has a { that is not closed
skipped GET /c/{id/{n}: its path has a { that is not closed`, `
api:5:5 warning undeclared-path-parameter: the path parameter "id" of /a/{id}/{rest*}/{n:[0-9]+} is not declared; it is taken as a string
api:8:11 warning optional-path-parameter: the path parameter "n" must be required; it is taken as required
api:9:11 warning unused-path-parameter: the path /a/{id}/{rest}/{n} has no place for the path parameter "gone"; it is left out
api:10:11 warning odd-parameter: the parameter "x" cannot be in "body"; it is left out
api:11:11 warning odd-parameter: a parameter without a name is left out
api:12:11 warning not-an-object: a parameter must be an object; it is left out
api:13:12 warning operation-skipped: the operation b is skipped: its path has a { that is not closed
api:13:35 warning operation-skipped: the operation b is skipped: its path has a { that is not closed
api:14:16 warning operation-skipped: the operation GET /c/{id/{n} is skipped: its path has a { that is not closed`},
		{"3.0: parameters that are not there", `
openapi: 3.0.3
paths:
  /a:
    get: {parameters: [{$ref: '#/components/parameters/Limt'}]}
    put: {parameters: {$ref: '#/components/parameters/None'}}
    post: {parameters: [{$ref: '#/components/parameters/Limit'}]}
  /b:
    parameters: [{$ref: '#/components/parameters/Circle'}]
    get: {}
components:
  parameters:
    Limit: {name: limit, in: query, schema: {}}
    Circle: {$ref: '#/components/parameters/Circle'}
`, `
POST /a = POST /a
  query limit form explode {}
skipped GET /a: the reference "#/components/parameters/Limt" to a parameter cannot be followed
skipped PUT /a: the reference "#/components/parameters/None" to a parameter cannot be followed
skipped GET /b: the reference "#/components/parameters/Circle" to a parameter cannot be followed`, `
api:5:5 warning operation-skipped: the operation GET /a is skipped: the reference "#/components/parameters/Limt" to a parameter cannot be followed
api:5:31 warning dangling-ref: the reference "#/components/parameters/Limt" leads nowhere: there is no "components/parameters/Limt"
api:6:5 warning operation-skipped: the operation PUT /a is skipped: the reference "#/components/parameters/None" to a parameter cannot be followed
api:6:30 warning dangling-ref: the reference "#/components/parameters/None" leads nowhere: there is no "components/parameters/None"
api:9:25 warning circular-ref: the reference "#/components/parameters/Circle" leads back to itself; it is left out
api:10:5 warning operation-skipped: the operation GET /b is skipped: the reference "#/components/parameters/Circle" to a parameter cannot be followed`},
		{"3.0: servers of other protocols", `
openapi: 3.0.3
servers: [{url: 'ftp://h'}, {url: 'https://h'}]
paths:
  /a:
    get: {servers: [{url: 'ftp://h'}]}
    put: {servers: [{url: 'ftp://h'}, {url: 'HTTP://h'}]}
    post: {}
`, `
server ftp://h
server https://h
PUT /a = PUT /a
  server HTTP://h
POST /a = POST /a
skipped GET /a: none of its own servers has a usable URL`, `
api:3:11 warning invalid-server: the scheme "ftp" of the server URL "ftp://h" is not http or https; calls cannot go there
api:6:5 warning operation-skipped: the operation GET /a is skipped: none of its own servers has a usable URL
api:6:21 warning invalid-server: the scheme "ftp" of the server URL "ftp://h" is not http or https; calls cannot go there
api:7:21 warning invalid-server: the scheme "ftp" of the server URL "ftp://h" is not http or https; calls cannot go there`},
		{"2.0: several bodies", `
swagger: '2.0'
paths:
  /a:
    parameters: [{name: b, in: body, schema: {type: string}}]
    get: {parameters: [{name: b, in: body, schema: {type: number}}]}
    put: {parameters: [{name: c, in: body, schema: {type: number}}]}
    post: {parameters: [{name: b, in: body, schema: {type: number}}, {name: b, in: body, schema: {type: object}}]}
    patch: {parameters: [{$ref: '#/parameters/None'}]}
`, `
GET /a = GET /a
  body required=false
    application/json {"type":"number"}
PUT /a = PUT /a
  body required=false
    application/json {"type":"number"}
POST /a = POST /a
  body required=false
    application/json {"type":"object"}
skipped PATCH /a: the reference "#/parameters/None" to a parameter cannot be followed`, `
api:7:24 warning second-body: a request has only one body; the parameter "c" takes the place of "b"
api:8:70 warning second-body: a request has only one body; the parameter "b" takes the place of "b"
api:9:5 warning operation-skipped: the operation PATCH /a is skipped: the reference "#/parameters/None" to a parameter cannot be followed
api:9:33 warning dangling-ref: the reference "#/parameters/None" leads nowhere: there is no "parameters"`},
		{"3.0: bodies and responses", `
openapi: 3.0.3
paths:
  /a:
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/A'}}
          multipart/form-data:
            schema: {type: object}
            encoding:
              f: {contentType: image/png, headers: {X-H: {schema: {const: 1}}, content-type: {}}}
      responses:
        200: {description: fine, content: {text/plain: {}}}
        4xx: {$ref: '#/components/responses/R'}
        default: {$ref: '#/components/responses/None'}
        ok: {}
        x-more: {}
    put: {requestBody: {$ref: '#/components/requestBodies/None'}}
    patch: {requestBody: {content: {}}}
    head: 5
components:
  schemas: {A: {type: string}}
  responses: {R: {description: bad, content: {application/problem+json: {schema: {$ref: '#/components/schemas/A'}}}}}
`, `
POST /a = POST /a
  body required=true
    application/json {"$ref":"#/$defs/A"}
    multipart/form-data {"type":"object"} encoding f=image/png/ header(header X-H simple {"const":1})
  200 fine
    text/plain
  4XX bad
    application/problem+json {"$ref":"#/$defs/A"}
  default
PUT /a = PUT /a
  body required=false
    application/json {}
PATCH /a = PATCH /a
skipped HEAD /a: it is no object`, `
api:17:25 warning dangling-ref: the reference "#/components/responses/None" leads nowhere: there is no "components/responses/None"
api:18:9 warning odd-status: "ok" is no status code; the response is left out
api:20:31 warning dangling-ref: the reference "#/components/requestBodies/None" leads nowhere: there is no "components/requestBodies"
api:22:5 warning operation-skipped: the operation HEAD /a is skipped: it is no object`},
		{"3.2", `
openapi: 3.2.0
paths:
  /a:
    query:
      operationId: find
      parameters: [{name: q, in: querystring, content: {application/x-www-form-urlencoded: {schema: {type: object}}}}, {name: c, in: cookie, style: cookie, schema: {}}]
      requestBody: {content: {application/json: {$ref: '#/components/mediaTypes/M'}}}
      responses: {'200': {content: {application/jsonl: {itemSchema: {type: integer}}}}}
    additionalOperations:
      COPY: {operationId: copy}
      POST: {operationId: notAllowed}
    get: {parameters: [{name: w, in: querystring, content: {}}, {name: q, in: query, schema: {}}]}
components:
  mediaTypes: {M: {schema: {type: boolean}}}
`, `
find = QUERY /a
  querystring q  application/x-www-form-urlencoded {"type":"object"}
  cookie c cookie explode {}
  body required=false
    application/json {"type":"boolean"}
  200
    application/jsonl {"type":"array","items":{"type":"integer"}}
copy = COPY /a
skipped POST /a: the key of an additional operation must be a method that has no field of its own
skipped GET /a: a parameter that is the whole query string excludes any other query parameter`, `
api:12:7 warning operation-skipped: the operation POST /a is skipped: the key of an additional operation must be a method that has no field of its own
api:13:5 warning operation-skipped: the operation GET /a is skipped: a parameter that is the whole query string excludes any other query parameter`},
		{"3.1: what is no operation", `
openapi: 3.1.0
webhooks: {w: {post: {}}}
paths:
  /a:
    get: {callbacks: {c: {'{$url}': {post: {}}}}}
    trace: {}
    put:
`, `
GET /a = GET /a
TRACE /a = TRACE /a`, ``},
		{"references to anything", `
openapi: 3.1.0
paths:
  /a: {$ref: '#/components/pathItems/P', summary: S}
  /b: {get: {$ref: '#/paths/~1a/get'}}
  /c: {$ref: '#/paths/~1d'}
  /d: {$ref: '#/paths/~1c'}
  /e: {get: {$ref: '#/nowhere'}}
components:
  pathItems:
    P:
      get:
        operationId: g
        parameters: [{$ref: '#/components/parameters/X', description: other}]
  parameters:
    X: {$ref: '#/components/parameters/Y'}
    Y: {name: x, in: query, schema: {}}
`, `
g = GET /a
  query x form explode {}
GET /b = GET /b
  query x form explode {}
skipped GET /e: its $ref leads nowhere`, `
api:6:14 warning circular-ref: the reference "#/paths/~1d" leads back to itself; it is left out
api:7:14 warning circular-ref: the reference "#/paths/~1c" leads back to itself; it is left out
api:8:8 warning operation-skipped: the operation GET /e is skipped: its $ref leads nowhere
api:8:20 warning dangling-ref: the reference "#/nowhere" leads nowhere: there is no "nowhere"
api:13:22 warning duplicate-operation-id: the operationId "g" is used more than once; this operation is called "GET /b"
`},
		{"2.0: bodies, forms, files", `
swagger: '2.0'
consumes: [application/xml]
produces: [text/csv]
parameters: {S: {name: s, in: query, type: array, items: {type: string}, collectionFormat: multi}}
paths:
  /a/{id}:
    parameters: [{name: id, in: path, required: true, type: string, enum: [a]}]
    post:
      operationId: body
      parameters: [{name: b, in: body, required: true, schema: {type: object}}, {$ref: '#/parameters/S'}]
      responses: {200: {description: ok, schema: {type: array}}, 404: {description: no}}
    put:
      operationId: form
      consumes: [application/json, multipart/form-data]
      produces: []
      parameters:
        - {name: f, in: formData, type: file, required: true, description: the file}
        - {name: l, in: formData, type: array, items: {type: integer}, collectionFormat: multi}
      responses: {200: {description: ok, schema: {type: file}}}
    patch:
      operationId: url
      consumes: []
      parameters: [{name: t, in: formData, type: array, items: {type: string}, collectionFormat: tsv}]
    delete:
      operationId: both
      parameters: [{name: b, in: body, schema: {}}, {name: f, in: formData, type: string}]
    trace: {}
`, `
body = POST /a/{id}
  path id simple required {"type":"string","enum":["a"]}
  query s form explode {"type":"array","items":{"type":"string"}}
  body required=true
    application/xml {"type":"object"}
  200 ok
    text/csv {"type":"array"}
  404 no
form = PUT /a/{id}
  path id simple required {"type":"string","enum":["a"]}
  body required=true
    multipart/form-data {"type":"object","properties":{"f":{"type":"string","format":"binary","description":"the file"},"l":{"type":"array","items":{"type":"integer"}}},"required":["f"]} encoding l=/form/explode=true
  200 ok
    application/octet-stream {"type":"string","format":"binary"}
url = PATCH /a/{id}
  path id simple required {"type":"string","enum":["a"]}
  body required=false
    application/x-www-form-urlencoded {"type":"object","properties":{"t":{"type":"array","items":{"type":"string"}}}} encoding t=/tabDelimited/explode=false
skipped both: it has a body and form fields, of which a request can have only one`, `
api:25:5 warning operation-skipped: the operation both is skipped: it has a body and form fields, of which a request can have only one
api:28:5 warning unknown-field: the path item "/a/{id}" has no field "trace" in this version of the standard; it is left out`},
		{"2.0: collection formats", `
swagger: '2.0'
paths:
  /a/{p}:
    get:
      parameters:
        - {name: p, in: path, required: true, type: array, collectionFormat: multi}
        - {name: a, in: query, type: array}
        - {name: b, in: query, type: array, collectionFormat: ssv}
        - {name: c, in: query, type: array, collectionFormat: pipes}
        - {name: d, in: query, type: array, collectionFormat: tsv}
        - {name: e, in: header, type: array}
        - {name: Authorization, in: header, type: string, x-example: k}
        - {name: f, in: query, type: array, collectionFormat: odd}
`, `
GET /a/{p} = GET /a/{p}
  path p simple required {"type":"array"}
  query a form {"type":"array"}
  query b spaceDelimited {"type":"array"}
  query c pipeDelimited {"type":"array"}
  query d tabDelimited {"type":"array"}
  header e simple {"type":"array"}
  header Authorization simple {"type":"string","examples":["k"]}
  query f form {"type":"array"}`, `
api:7:78 warning odd-style: collectionFormat multi exists only in query and formData; csv is used
api:14:63 warning odd-style: the collectionFormat "odd" does not exist; csv is used`},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, diags := parse(t, c.text, Options{})
			if api == nil {
				t.Fatal(says(diags))
			}
			equal(t, "api", describe(api), c.want)
			equal(t, "diagnostics", says(diags), c.says)
			if api.Declared != len(api.Operations)+len(api.Skipped) {
				t.Errorf("%d operations declared", api.Declared)
			}
		})
	}
}

func TestServers(t *testing.T) {
	for _, c := range []struct{ text, variables, want, says string }{
		{`openapi: 3.0.0
servers: [{url: 'https://{r}.h/{v}', variables: {r: {default: eu, enum: [eu, us]}, v: {default: v1}}}, {url: /rel}]`, "",
			"https://eu.h/v1 /rel", ""},
		{`openapi: 3.0.0
servers: [{url: 'https://{r}.h', variables: {r: {default: eu, enum: [eu, us]}}}]`, "r=us", "https://us.h", ""},
		{`openapi: 3.0.0
servers: [{url: 'https://{r}.h', variables: {r: {default: eu, enum: [eu, us]}}}]`, "r=asia", "https://asia.h",
			`api:2:49 error server-variable-value: the server variable "r" may not be "asia"`},
		{`openapi: 3.0.0
servers: [{url: 'https://{region}.h', variables: {region: {default: eu}}}]`, "regoin=us", "https://eu.h",
			`error unknown-server-variable: no server of api has a variable "regoin"`},
		{`openapi: 3.0.0
servers: [{url: 'https://{r}.h'}, {url: 'https://b'}, {url: 'https://{c}', variables: {c: {}}}, {url: 'https://{d}', variables: {d: {enum: [e]}}}, {url: '{open'}]`, "", "https://b https://e",
			`api:2:17 warning undeclared-server-variable: the server URL "https://{r}.h" uses the variable "r", which is not declared; this server is left out
api:2:91 warning server-variable-default: the server variable "c" has no default; this server is left out
api:2:133 warning server-variable-default: the server variable "d" has no default; "e" is taken
api:2:154 warning invalid-server: the server URL "{open" has an unclosed {; it is left out`},
		{`openapi: 3.0.0
servers: [{url: 'https://{r}.h'}]`, "r=x", "https://x.h", ""},
		{"swagger: '2.0'\nhost: h:81\nbasePath: /v1\nschemes: [http, wss, https]", "", "https://h:81/v1 http://h:81/v1", ""},
		{"swagger: '2.0'\nhost: https://h/x", "", "https://h/x", "api:2:7 warning odd-host: host must be without a scheme; the scheme is left out"},
		{"swagger: '2.0'\nbasePath: v1", "", "/v1", ""},
		{"openapi: 3.2.0\n$self: https://h/docs/api.yaml\nservers: [{url: ../v2}]", "", "https://h/v2", ""},
		{"openapi: 3.2.0\n$self: https://h/docs/api.yaml", "", "https://h/", ""},
		{"openapi: 3.2.0\n$self: https://h/docs/api.yaml\nservers: [{url: 'ftp://f'}]", "", "ftp://f",
			`api:3:11 warning invalid-server: the scheme "ftp" of the server URL "ftp://f" is not http or https; calls cannot go there`},
	} {
		o := Options{}
		if name, value, given := strings.Cut(c.variables, "="); given {
			o.ServerVariables = map[string]string{name: value}
		}
		dir := files(t, map[string]string{"api": c.text})
		t.Chdir(dir)
		api, diags := Parse(context.Background(), &specs.Reader{}, "api", o)
		var got []string
		for _, s := range api.Servers {
			got = append(got, s.URL)
		}
		equal(t, c.text, strings.Join(got, " "), c.want)
		equal(t, c.text, says(diags), c.says)
	}
}

func TestSecurity(t *testing.T) {
	api, diags := parse(t, `openapi: 3.1.0
security: [{a key: []}]
paths:
  /a:
    get: {}
    put: {security: []}
    post: {security: [{basic: [], oauth: [read, write]}, {}]}
    head: {security: [{baisc: []}]}
    patch: {security: [{baisc: []}, {basic: []}]}
components:
  securitySchemes:
    a key: {type: apiKey, in: header, name: X-Key}
    basic: {type: http, scheme: Basic}
    bearer: {$ref: '#/components/securitySchemes/token'}
    token: {type: http, scheme: bearer}
    digest: {type: http, scheme: Digest}
    oauth: {type: oauth2, flows: {}}
    oidc: {type: openIdConnect}
    tls: {type: mutualTLS}
    old: {type: basic}
    jwt: {type: jwt}
    none: {type: magic}
    place: {type: apiKey, in: body, name: x}
    nameless: {type: apiKey, in: query}
    empty: {type: http}
`, Options{})
	equal(t, "api", describe(api), `
scheme "a key" apiKey header X-Key
scheme "basic" basic
scheme "bearer" bearer
scheme "token" bearer
scheme "digest" http:digest
scheme "oauth" oauth2
scheme "oidc" openIdConnect
scheme "tls" mutualTLS
scheme "old" basic
scheme "jwt" bearer
GET /a = GET /a
  security [{a key []}]
PUT /a = PUT /a
POST /a = POST /a
  security [{basic []} {oauth [read write]}]
  security []
HEAD /a = HEAD /a
PATCH /a = PATCH /a
  security [{basic []}]`)
	equal(t, "diagnostics", says(diags), `
api:8:24 warning unknown-security-scheme: the security scheme "baisc" is not declared; the requirement is left out
api:9:25 warning unknown-security-scheme: the security scheme "baisc" is not declared; the requirement is left out
api:21:5 warning odd-security-scheme: the type "jwt" of the security scheme "jwt" is not known; it is taken as a bearer token
api:22:5 warning odd-security-scheme: the security scheme "none" is left out: its type "magic" is not known
api:23:5 warning odd-security-scheme: the security scheme "place" is left out: an API key cannot be in "body"
api:24:5 warning odd-security-scheme: the security scheme "nameless" is left out: it does not name the header, query parameter or cookie of the key
api:25:5 warning odd-security-scheme: the security scheme "empty" is left out: it names no HTTP scheme`)
}
