package openapi

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
)

// Whatever the text, reading it ends soon, says something when there is
// nothing to return, points into the text and leaves a sound API.
func FuzzParse(f *testing.F) {
	f.Add("openapi: 3.0.3\npaths:\n  /a/{id}:\n    parameters: [{name: id, in: path, schema: {$ref: '#/components/schemas/A'}}]\n    post:\n      requestBody: {content: {multipart/form-data: {schema: {type: object}, encoding: {a: {headers: {H: {schema: {}}}}}}}}\n      responses: {200: {$ref: '#/components/responses/R'}}\n      security: [{k: []}, {}]\ncomponents:\n  schemas: {A: {nullable: true, allOf: [{$ref: '#/components/schemas/A'}]}}\n  responses: {R: {content: {a/b: {schema: {discriminator: {mapping: {a: A}}}}}}}\n  securitySchemes: {k: {type: apiKey, in: query, name: k}}\n")
	f.Add(`{"swagger":"2.0","host":"h","schemes":["http"],"consumes":["a/b"],"paths":{"/a":{"post":{"parameters":[{"name":"f","in":"formData","type":"file"},{"name":"g","in":"formData","type":"array","collectionFormat":"multi","items":{"type":"string"}}],"responses":{"200":{"schema":{"type":"file"}}}}}},"definitions":{"A":{"items":[{}],"required":true}}}`)
	f.Add("openapi: 3.1\nservers: [{url: 'https://{a}/{b', variables: {a: {enum: [x]}}}]\npaths: {/a: {$ref: '#/paths/~1a'}, /b: {get: {$ref: '#/paths/~1b/get'}}}\n$defs: {X: {$id: 'http://h/x', $anchor: y, $ref: '#y'}}\n")
	f.Add("openapi: 3.2.0\n$self: https://h/a\npaths: {/a: {query: {parameters: [{in: querystring, content: {a/b: {}}}]}, additionalOperations: {COPY: {responses: {2xx: {content: {x/y: {itemSchema: {type: [string, null]}}}}}}}}}\n")
	f.Add("openapi: 3.0.0\nx: &x {responses: {default: {$ref: 'api#/x'}}}\npaths: {/a: {get: *x, <<: {put: *x}}}\n")
	dir := f.TempDir()
	file := filepath.Join(dir, "api")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// No reference of the text may reach the network or another folder.
		reader := &specs.Reader{}
		start := time.Now()
		api, diags := Parse(context.Background(), reader, file, Options{})
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		checkPlaces(t, diags)
		for _, d := range reader.Dependencies() {
			if d.Kind != "file" || !strings.HasPrefix(d.Name, dir) {
				t.Errorf("it read %s %s", d.Kind, d.Name)
			}
		}
		if api == nil {
			if !diags.HasErrors() {
				t.Error("nothing was read and nothing said")
			}
			return
		}
		if api.Declared != len(api.Operations)+len(api.Skipped) {
			t.Errorf("%d operations declared, %d read, %d skipped", api.Declared, len(api.Operations), len(api.Skipped))
		}
		ids := map[string]bool{}
		for _, op := range api.Operations {
			if op.ID == "" || op.Method == "" || ids[op.ID] {
				t.Errorf("the operation id %q is not unique", op.ID)
			}
			ids[op.ID] = true
			checkOperation(t, api, op)
		}
		for name, s := range api.Schemas {
			if s == nil {
				t.Errorf("the schema %q is missing", name)
			}
			checkRefs(t, api, name, s)
		}
	})
}
