package compiler

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
)

// Names of secret arguments are found through references, unions, lists and
// recursion, and only where calls are recorded.
func TestSensitiveNames(t *testing.T) {
	document := openAPI(`
/a:
  post:
    operationId: a
    parameters:
      - {name: code, in: query, schema: {type: string, format: password}}
      - {name: page, in: query, schema: {type: integer}}
      - {name: tan, in: query, x-sensitive: true, schema: {type: integer}}
      - {name: X-Own, in: header, x-sensitive: true, schema: {$ref: '#/components/schemas/Plain'}}
      - {name: plain, in: query, schema: {$ref: '#/components/schemas/Plain'}}
    requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}}
    responses: {'200': {description: ok}}
`, `
components:
  schemas:
    Plain: {type: string}
    Pin: {type: string, x-sensitive: true}
    Node:
      type: object
      properties:
        name: {type: string}
        pin: {allOf: [{$ref: '#/components/schemas/Pin'}], description: Four digits}
        answer: {type: string, writeOnly: true}
        codes: {type: array, items: {type: string, format: password}}
        either: {oneOf: [{type: integer}, {$ref: '#/components/schemas/Pin'}]}
        next: {$ref: '#/components/schemas/Node'}
        more: {type: object, additionalProperties: {type: object, properties: {deep: {type: string, x-sensitive: true}}}}
`)
	want := []string{"X-Own", "answer", "code", "codes", "deep", "either", "pin", "tan"}
	for _, observe := range []string{"", "observe {\n admin = \":9090\"\n}\n"} {
		res := compileFiles(t, map[string]string{"a.hcl": (observe + `
api "a" { openapi = "a.yaml" }
tool "a" { operation = api.a["a"] }
tool "hand" {
  api = api.a
  input "key" {
    type   = string
    format = "password"
  }
  input "plain" { type = string }
  request "GET" "/x" { query = { k = args.key, p = args.plain } }
}
resource "x://{key}" {
  api = api.a
  name = "x"
  input "key" {
    type   = string
    format = "password"
  }
  request "GET" "/x" { query = { k = args.key } }
}
prompt "p" {
  description = "P."
  input "key" {
    type   = string
    format = "password"
  }
  message "user" { text = "hello ${args.key}" }
}`), "a.yaml": document})
		if res.Plan == nil {
			t.Fatal(messages(res))
		}
		if observe == "" != (res.Plan.Resources[0].Call.Sensitive == nil) || observe == "" != (res.Plan.Prompts[0].Sensitive == nil) {
			t.Errorf("observe %t: %v, %v", observe != "", res.Plan.Resources[0].Call.Sensitive, res.Plan.Prompts[0].Sensitive)
		}
		for _, tool := range res.Plan.Tools {
			expect := want
			if tool.Name == "hand" {
				expect = []string{"key"}
			}
			if observe == "" {
				expect = nil
			}
			if !slices.Equal(tool.Sensitive, expect) {
				t.Errorf("observe %t, %s: %v", observe != "", tool.Name, tool.Sensitive)
			}
		}
	}
}

func TestObserve(t *testing.T) {
	res := compileText(t, `observe {
  log         = { format = "text", file = "calls.log" }
  redact      = { names = ["iban"], patterns = ["[0-9]{16}"] }
  audit       = { file = "/var/log/audit.log" }
  admin       = ":9090"
  arguments   = true
  correlation = true
}`, Options{})
	if res.Plan == nil || res.Plan.Observe == nil || res.Plan.Observe.Log == nil {
		t.Fatal(messages(res))
	}
	got, log := *res.Plan.Observe, *res.Plan.Observe.Log
	if log.Level != "info" || !log.Text || filepath.Base(log.File) != "calls.log" {
		t.Errorf("%+v", log)
	}
	if got.Admin != "127.0.0.1:9090" || got.Audit != "/var/log/audit.log" || !got.Arguments || !got.Correlation || !slices.Equal(got.Names, []string{"iban"}) || !slices.Equal(got.Patterns, []string{"[0-9]{16}"}) {
		t.Errorf("%+v", got)
	}
}

// compileFiles compiles a.hcl of a folder of files.
func compileFiles(t *testing.T, files map[string]string) *Result {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	res, err := Compile(t.Context(), Options{Target: filepath.Join(dir, "a.hcl"), Reader: &specs.Reader{Getenv: func(string) string { return "" }}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}
