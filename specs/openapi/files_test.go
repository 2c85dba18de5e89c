package openapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
)

func schemasOf(api *specs.API) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(api.Schemas)) {
		list = append(list, name+"="+api.Schemas[name].JSON())
	}
	return strings.Join(list, " ")
}

func TestSeveralFiles(t *testing.T) {
	dir := files(t, map[string]string{
		"api.yaml": `openapi: 3.1.0
info: {title: T, version: '1', description: {$ref: text.md}}
paths:
  /a: {$ref: paths/a.yaml}
components:
  schemas:
    Pet: {$ref: schemas/pet.json}
  parameters: {$ref: 'params.yaml#/all'}
`,
		"text.md": "# Title\n\n- not: [YAML",
		"paths/a.yaml": `get:
  parameters: [{$ref: '../api.yaml#/components/parameters/P'}, {$ref: '../params.yaml#/all/Q'}]
  responses:
    '200': {$ref: '../responses/%24ok.yaml'}
`,
		"params.yaml":         "all:\n  P: {name: p, in: query, schema: {$ref: 'schemas/pet.json#/properties/name'}}\n  Q: {name: q, in: nowhere}\n",
		"responses/$ok.yaml":  "description: fine\ncontent: {application/json: {schema: {$ref: ../schemas/pet.json}}, a/b: {schema: {$ref: ../schemas/broken.json}}, c/d: {schema: {$ref: ../schemas/absent.json}}}\n",
		"schemas/pet.json":    `{"properties": {"name": {"type": "string"}, "friends": {"items": {"$ref": "#"}}, "owner": {"$ref": "owner.json"}}}`,
		"schemas/owner.json":  `{"properties": {"pet": {"$ref": "./pet.json"}, "bad": {"type": "integre"}}}`,
		"schemas/broken.json": "{\n  \"type\": ]",
	})
	t.Chdir(dir)
	api, diags := Parse(context.Background(), &specs.Reader{}, "api.yaml", Options{})
	if api == nil {
		t.Fatal(says(diags))
	}
	equal(t, "description", api.Description, "# Title\n\n- not: [YAML")
	equal(t, "api", describe(api), `
GET /a = GET /a
  query p form explode {"$ref":"#/$defs/name"}
  200 fine
    application/json {"$ref":"#/$defs/pet"}
    a/b {}
    c/d {}`)
	equal(t, "schemas", schemasOf(api), `name={"type":"string"} owner={"properties":{"pet":{"$ref":"#/$defs/pet"},"bad":{}}} `+
		`pet={"properties":{"name":{"type":"string"},"friends":{"items":{"$ref":"#/$defs/pet"}},"owner":{"$ref":"#/$defs/owner"}}}`)
	equal(t, "diagnostics", says(diags), `
params.yaml:3:6 warning odd-parameter: the parameter "q" cannot be in "nowhere"; it is left out
$ok.yaml:2:89 warning dangling-ref: the reference "../schemas/broken.json" leads to a file that cannot be read; anything is allowed there
$ok.yaml:2:136 warning dangling-ref: the reference "../schemas/absent.json" leads nowhere: file does not exist; anything is allowed there
broken.json:2:11 warning invalid-json: this is not valid JSON: ']' where a value is expected
owner.json:1:64 warning unknown-type: the type "integre" is not known; any type is allowed there`)
}

func TestReferencesOutside(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"type":"string"}`) }))
	defer site.Close()
	dir := files(t, map[string]string{"in/x": "", "out/s.json": `{"type":"number"}`, "outer/s.json": `{}`, "in/deep/s.json": `{"type":"null"}`})
	if err := os.Symlink(filepath.Join(dir, "out"), filepath.Join(dir, "in", "link")); err != nil {
		t.Skip("this system has no symlinks")
	}
	if err := os.Mkdir(filepath.Join(dir, "in", "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ref   string
		allow []string
		want  string
	}{
		{"deep/s.json", nil, `{"type":"null"}`},
		{"deep/../deep/s.json", nil, `{"type":"null"}`},
		{"file://" + filepath.ToSlash(dir) + "/in/deep/s.json", nil, `{"type":"null"}`},
		{"../out/s.json", nil, "refused-ref"},
		{"../absent/s.json", nil, "refused-ref"},
		{"../out/s.json", []string{filepath.Join(dir, "out")}, `{"type":"number"}`},
		{"../out/s.json", []string{filepath.Join(dir, "out", "s.json")}, `{"type":"number"}`},
		{"../outer/s.json", []string{filepath.Join(dir, "out")}, "refused-ref"},
		{"link/s.json", nil, "refused-ref"},
		{"link/s.json", []string{filepath.Join(dir, "out")}, `{"type":"number"}`},
		{"%2e%2e/out/s.json", nil, "refused-ref"},
		{filepath.ToSlash(dir) + "/out/s.json", nil, "refused-ref"},
		{"/etc/passwd", nil, "refused-ref"},
		{"file:///etc/passwd", nil, "refused-ref"},
		{"folder.json", nil, "dangling-ref"},
		{"deep/none.json", nil, "dangling-ref"},
		{"ftp://h/x", nil, "refused-ref"},
		{site.URL + "/s.json", nil, "refused-ref"},
		{"//" + strings.TrimPrefix(site.URL, "http://") + "/s.json", nil, "refused-ref"},
		{site.URL + "/ok/s.json", []string{site.URL + "/ok"}, `{"type":"string"}`},
		{site.URL + "/okay/s.json", []string{site.URL + "/ok"}, "refused-ref"},
		{"http://%zz", nil, "dangling-ref"},
	} {
		file := filepath.Join(dir, "in", "api.yaml")
		text := "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{name: a, in: query, schema: {$ref: '" + c.ref + "'}}]}}}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		api, diags := Parse(context.Background(), &specs.Reader{}, file, Options{AllowRefs: c.allow})
		got := api.Operations[0].Params[0].Schema
		if to := got.Get("$ref").Str(); to != "" {
			got = api.Schemas[strings.TrimPrefix(to, "#/$defs/")]
		}
		if strings.HasPrefix(c.want, "{") {
			equal(t, c.ref, got.JSON()+says(diags), c.want)
		} else if got.JSON() != "{}" || len(diags) != 1 || diags[0].Code != c.want {
			t.Errorf("%s: %s, says %s", c.ref, got.JSON(), says(diags))
		}
	}
}

func TestDocumentFromURL(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"type":"string"}`) }))
	defer other.Close()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/docs/api.yaml":
			fmt.Fprintf(w, `openapi: 3.0.0
servers: [{url: ../v1}, {url: /v2}, {url: 'https://else/v3'}]
paths:
  /a:
    get:
      servers: [{url: v4}]
      parameters:
        - {name: a, in: query, schema: {$ref: 'sub/s.json'}}
        - {name: b, in: query, schema: {$ref: '/root.json'}}
        - {name: c, in: query, schema: {$ref: '%s/s.json'}}
        - {name: d, in: query, schema: {$ref: 'file:///etc/passwd'}}
        - {name: e, in: query, schema: {$ref: 'gone.json'}}
`, other.URL)
		case "/docs/sub/s.json":
			fmt.Fprint(w, `{"items":{"$ref":"../../root.json"}}`)
		case "/root.json":
			fmt.Fprint(w, `{"type":"number"}`)
		case "/plain.json":
			fmt.Fprint(w, `{"openapi":"3.0.0"}`)
		case "/two.json":
			fmt.Fprint(w, `{"swagger":"2.0","basePath":"/b"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	plain := strings.NewReplacer(site.URL, "SITE", other.URL, "OTHER", "127.0.0.1"+site.URL[strings.LastIndex(site.URL, ":"):], "HOST")
	api, diags := Parse(context.Background(), &specs.Reader{}, site.URL+"/docs/api.yaml", Options{})
	if api == nil {
		t.Fatal(says(diags))
	}
	equal(t, "api", plain.Replace(describe(api)), `
server SITE/v1
server SITE/v2
server https://else/v3
GET /a = GET /a
  server SITE/docs/v4
  query a form explode {"$ref":"#/$defs/s"}
  query b form explode {"$ref":"#/$defs/root"}
  query c form explode {}
  query d form explode {}
  query e form explode {}`)
	equal(t, "schemas", schemasOf(api), `root={"type":"number"} s={"items":{"$ref":"#/$defs/root"}}`)
	equal(t, "diagnostics", plain.Replace(says(diags)), `
api.yaml:10:47 warning refused-ref: the reference "OTHER/s.json" is not followed: it leads to another host than HOST; anything is allowed there
api.yaml:11:47 warning refused-ref: the reference "file:///etc/passwd" is not followed: it leads out of the folder of the document; anything is allowed there
api.yaml:12:47 warning dangling-ref: the reference "gone.json" leads nowhere: the server answered 404 Not Found; anything is allowed there`)
	for path, want := range map[string]string{"/plain.json": "server SITE/", "/two.json": "server SITE/b"} {
		api, _ := Parse(context.Background(), &specs.Reader{}, site.URL+path, Options{})
		equal(t, path, plain.Replace(describe(api)), want)
	}
}

// A variable of the servers of an operation in another file can be given, too.
func TestServerVariableOfAnotherFile(t *testing.T) {
	dir := files(t, map[string]string{
		"api.yaml": "openapi: 3.1.0\ninfo: {title: T, version: '1'}\nservers: [{url: 'https://h'}]\npaths: {/a: {get: {$ref: op.yaml}}}\n",
		"op.yaml":  "operationId: a\nservers: [{url: 'https://{agent}', variables: {agent: {default: '{your-agent}'}}}]\n",
	})
	t.Chdir(dir)
	for given, want := range map[string]string{
		"":        `op.yaml:2:11 warning invalid-server: the server URL "https://{your-agent}" is not valid; it is left out`,
		"agent=x": "",
		"agnet=x": `error unknown-server-variable: no server of api.yaml has a variable "agnet"` + "\n" + `op.yaml:2:11 warning invalid-server: the server URL "https://{your-agent}" is not valid; it is left out`,
	} {
		o := Options{}
		if name, value, ok := strings.Cut(given, "="); ok {
			o.ServerVariables = map[string]string{name: value}
		}
		_, diags := Parse(context.Background(), &specs.Reader{}, "api.yaml", o)
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(says(diags)), "\n") {
			if !strings.Contains(line, "operation-skipped") {
				got = append(got, line)
			}
		}
		equal(t, given, strings.Join(got, "\n"), want)
	}
}
