package codegen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The report finds the methods that take the Bridge's place, wherever they are
// and however the Bridge came to be embedded. "a" is the one tool.
func TestMigration(t *testing.T) {
	const generated = "-- api/server.go --\n" + header + `

package api
type Bridge struct{ bridge int }
type Tools interface { embedBridge() int }
func (b Bridge) embedBridge() int { return 1 }
func (b Bridge) A() {}
`
	const imports = "package main\nimport \"example.com/m/api\"\n"
	for _, row := range []struct {
		what, code string
		native     []string
	}{
		{"nothing", "", nil},
		{"embedded", "-- main.go --\n" + imports + "type T struct { api.Bridge }\nfunc (t T) A() {}\nfunc (t T) Other() {}", []string{"main.go:4"}},
		{"by pointer", "-- main.go --\n" + imports + "type T struct { n int; *api.Bridge }\nfunc (t *T) A() {}", []string{"main.go:4"}},
		{"its interface", "-- main.go --\n" + imports + "type T struct { api.Tools }\nfunc (T) A() {}", []string{"main.go:4"}},
		{"a named field", "-- main.go --\n" + imports + "type T struct { b api.Bridge }\nfunc (t T) A() {}", nil},
		{"another type", "-- main.go --\n" + imports + "type T struct { api.Other }\nfunc (t T) A() {}", nil},
		{"another package of that name", "-- main.go --\npackage main\nimport \"example.com/other/api\"\ntype T struct { api.Bridge }\nfunc (t T) A() {}", nil},
		{"under another name", "-- main.go --\npackage main\nimport x \"example.com/m/api\"\ntype T struct { x.Bridge }\nfunc (t T) A() {}", []string{"main.go:4"}},
		{"without a name", "-- main.go --\npackage main\nimport . \"example.com/m/api\"\ntype T struct { Bridge }\nfunc (t T) A() {}", []string{"main.go:4"}},
		{"through another type", "-- main.go --\n" + imports + "type U struct { *T }\ntype T struct { api.Bridge }\n-- u.go --\npackage main\nfunc (U) A() {}", []string{"u.go:2"}},
		{"through an alias", "-- main.go --\n" + imports + "type B = api.Bridge\ntype T struct { B }\nfunc (t T) A() {}", []string{"main.go:5"}},
		{"through another package", "-- base/b.go --\npackage base\nimport \"example.com/m/api\"\ntype T struct { api.Bridge }\n-- sub/u.go --\npackage sub\nimport b \"example.com/m/base\"\ntype U struct { b.T }\nfunc (U) A() {}", []string{"sub/u.go:4"}},
		{"of a generic type", "-- main.go --\n" + imports + "type T[X any] struct { api.Bridge }\nfunc (t *T[X]) A() {}\ntype U struct { T[int] }\nfunc (U) A() {}", []string{"main.go:4", "main.go:6"}},
		{"beside the package", "-- api/mine.go --\npackage api\ntype T struct { Bridge }\nfunc (t T) A() {}", []string{"api/mine.go:3"}},
		{"the same name elsewhere", "-- main.go --\n" + imports + "type T struct { api.Bridge }\n-- sub/t.go --\npackage sub\ntype T struct {}\nfunc (T) A() {}", nil},
		{"a type within a function", "-- main.go --\n" + imports + "func f() { type T struct { api.Bridge } }\ntype T struct {}\nfunc (T) A() {}", nil},
		{"only a test", "-- main_test.go --\n" + imports + "type T struct { api.Bridge }\nfunc (t T) A() {}", nil},
		{"in folders Go does not look into", "-- testdata/main.go --\n" + imports + "type T struct { api.Bridge }\nfunc (t T) A() {}\n-- _old/main.go --\nno code\n-- .git/x.go --\nno code\n-- vendor/x.go --\nno code\n-- sub/go.mod --\nmodule x\n-- sub/x.go --\nno code\n-- _x.go --\nno code", nil},
		{"for another system", "-- main_windows.go --\n//go:build windows\n\n" + imports + "type T struct { api.Bridge }\nfunc (t T) A() {}", []string{"main_windows.go:6"}},
		{"twice", "-- a.go --\n" + imports + "type T struct { api.Bridge }\nfunc (t T) A() {}\n-- cmd/b.go --\n" + imports + "type T struct { api.Bridge }\nfunc (t T) A() {}", []string{"a.go:4", "cmd/b.go:4"}},
		{"circles", "-- main.go --\npackage main\ntype T struct { *T; *U }\ntype U struct { *T }\ntype A = B\ntype B = A\nfunc (T) A() {}", nil},
	} {
		t.Run(row.what, func(t *testing.T) {
			r := report(t, generated+row.code)
			want := &Report{Native: min(len(row.native), 1), Bridged: 1 - min(len(row.native), 1), Tools: []ToolReport{
				{Method: Method{Tool: "a", Name: "A"}, Upstream: "up", Route: "GET /a/{id}", Native: row.native}}}
			if d := cmp.Diff(want, r); d != "" {
				t.Error(d)
			}
		})
	}
}

// The package may be that of the whole module.
func TestMigrationInTheRoot(t *testing.T) {
	r := report(t, "-- main.go --\npackage api\ntype T struct { Bridge }\nfunc (T) A() {}")
	if r.Native != 1 {
		t.Errorf("%+v", r)
	}
}

// A file that is being written does not hide the others.
func TestMigrationNamesWhatIsNoCode(t *testing.T) {
	r := report(t, "-- bad.go --\npackage main\nfunc {\n-- main.go --\npackage main\nimport \"example.com/m/api\"\ntype T struct { api.Bridge }\nfunc (T) A() {}")
	if r.Native != 1 || len(r.Unread) != 1 || !strings.HasPrefix(r.Unread[0], "bad.go:2: expected ") {
		t.Errorf("%+v", r)
	}
}

func report(t *testing.T, code string) *Report {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(code)).Files {
		put(t, dir, f.Name, string(f.Data))
	}
	p := &plan.Server{Tools: []plan.Tool{{Name: "a", Request: plan.Request{Method: "GET", Upstream: "up",
		Path: []plan.Segment{{Literal: "/a/"}, {Param: &plan.Param{Name: "id"}}}}}}}
	r, err := Migration(p, Module{Dir: dir, ImportPath: "example.com/m/api", Package: "api"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMigrationOfNoFolder(t *testing.T) {
	if _, err := Migration(&plan.Server{}, Module{Dir: filepath.Join(t.TempDir(), "gone")}); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
