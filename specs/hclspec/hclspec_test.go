package hclspec

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// parse reads a spec of the given files; names beginning with MCPC_ or in
// capitals alone are environment variables.
func parse(t testing.TB, files map[string]string, o Options) (*specs.Document, diag.List) {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{}
	for name, text := range files {
		if name == strings.ToUpper(name) {
			env[name] = text
			continue
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range o.VarFiles {
		o.VarFiles[i] = filepath.Join(dir, f)
	}
	r := &specs.Reader{Getenv: func(name string) string { return env[name] }}
	doc, list := Parse(context.Background(), r, dir, o, fakeLoad)
	for i := range list {
		if s := list[i].Range.Source; s != nil {
			s.Name = strings.TrimPrefix(s.Name, dir+string(filepath.Separator))
		}
	}
	return doc, list
}

// fakeLoad stands in for the OpenAPI front-end.
func fakeLoad(location string, variables map[string]string, at diag.Range) (*specs.API, diag.List) {
	return &specs.API{Source: filepath.Base(location), Title: variables["region"], Operations: []*specs.Operation{{ID: "issues/list"}}, Declared: 1}, nil
}

func mustParse(t testing.TB, text string) *specs.Document {
	t.Helper()
	doc, list := parse(t, map[string]string{"a.hcl": text}, Options{})
	for _, d := range list {
		t.Errorf("%s: %s: %s [%s] (%s)", d.Range, d.Severity, d.Message, d.Code, d.Hint)
	}
	return doc
}

func TestErpExample(t *testing.T) {
	doc := mustParse(t, readFile(t, "testdata/erp.hcl"))
	_ = doc
}

func TestGithubExample(t *testing.T) {
	doc := mustParse(t, readFile(t, "testdata/github.hcl"))
	_ = doc
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
