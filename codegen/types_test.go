package codegen

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write what is generated into the archives of testdata/types")

// schemasDocument is a document with one operation that takes and returns an
// object with a member of each of some component schemas.
func schemasDocument(t *testing.T, schemas []byte) string {
	t.Helper()
	var all map[string]yaml.Node
	if err := yaml.Unmarshal(schemas, &all); err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	for name := range all {
		body.WriteString("{$ref: '#/components/schemas/" + name + "'}, ")
	}
	each := "{type: array, items: {oneOf: [" + body.String() + "]}}"
	doc := `openapi: 3.1.0
info: {title: T, version: "1"}
servers: [{url: https://e.com}]
paths:
  /call:
    post:
      operationId: call
      requestBody: {required: true, content: {application/json: {schema: ` + each + `}}}
      responses: {"200": {description: ok, content: {application/json: {schema: ` + each + `}}}}
components:
  schemas:
`
	for line := range strings.Lines(string(schemas)) {
		doc += "    " + line
	}
	return doc
}

// TestTypes generates the types of schemas: what an archive's schemas.yaml
// declares becomes its types.go.
func TestTypes(t *testing.T) {
	archives, err := filepath.Glob("testdata/types/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	check := newChecker(t)
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			doc := schemasDocument(t, a.Files[0].Data)
			p, m := compile(t, doc)
			files := generate(t, p, m)
			if _, err := check.check("example.com/api", files); err != nil {
				t.Error(err)
			}
			_, got, _ := strings.Cut(file(t, files, "types.go"), header+"\n\n")
			if *update {
				a.Files = []txtar.File{a.Files[0], {Name: "types.go", Data: []byte(got)}}
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(a.Files) != 2 || !bytes.Equal(a.Files[1].Data, []byte(got)) {
				t.Errorf("the types are others:\n%s", diff.Diff("want", a.Files[len(a.Files)-1].Data, "got", []byte(got)))
			}
		})
	}
}
