package codegen_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Where the report finds native methods, and where it does not.
func TestMigration(t *testing.T) {
	p := &plan.Server{Tools: []plan.Tool{
		{Name: "get_pet", Request: plan.Request{Upstream: "zoo", Method: "GET", Path: []plan.Segment{{Literal: "/pets/"}, {Param: &plan.Param{Name: "id"}}}}},
		{Name: "count", Method: "HowMany", Request: plan.Request{Upstream: "zoo", Method: "GET", Path: []plan.Segment{{Literal: "/count"}}}},
	}}
	for _, tt := range []struct {
		name string
		code string // after the import of the generated package
		want string // tool and place of what is native
	}{
		{"nothing embeds it", "type zoo struct{ bridge petsmcp.Bridge }\nfunc (zoo) GetPet() {}", ""},
		{"by value", "type zoo struct{ petsmcp.Bridge }\nfunc (zoo) GetPet() {}", "get_pet a.go:5"},
		{"by pointer", "type zoo struct{ *petsmcp.Bridge }\nfunc (z *zoo) GetPet() {}", "get_pet a.go:5"},
		{"a method of another name", "type zoo struct{ petsmcp.Bridge }\nfunc (zoo) Count() {}", ""},
		{"the name that was said", "type zoo struct{ petsmcp.Bridge }\nfunc (zoo) HowMany() {}", "count a.go:5"},
		{"through a type of the package", "type zoo struct{ *base }\ntype base struct{ petsmcp.Bridge }\nfunc (zoo) GetPet() {}\nfunc (*base) HowMany() {}", "get_pet a.go:6, count a.go:7"},
		{"a function", "type zoo struct{ petsmcp.Bridge }\nfunc GetPet() {}", ""},
		{"a generic type", "type zoo[T any] struct{ petsmcp.Bridge }\nfunc (zoo[T]) GetPet() {}", "get_pet a.go:5"},
		{"one with two parameters, embedded", "type base[A, B any] struct{ petsmcp.Bridge }\ntype zoo struct{ base[int, string] }\nfunc (*base[A, B]) HowMany() {}\nfunc (zoo) GetPet() {}", "get_pet a.go:7, count a.go:6"},
		{"another type of the generated package", "type zoo struct{ petsmcp.Tools }\nfunc (zoo) GetPet() {}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("a.go", "package zoo\n\nimport \"example.com/petsmcp\"\n"+tt.code)
			// None of these counts.
			decoy := "package zoo\n\nimport \"example.com/petsmcp\"\n\ntype decoy struct{ petsmcp.Bridge }\n\nfunc (decoy) GetPet() {}\nfunc (decoy) HowMany() {}\n"
			for _, name := range []string{"a_test.go", "testdata/a.go", "vendor/a.go", "_old/a.go", ".git/a.go", "node_modules/a.go"} {
				write(name, decoy)
			}
			write("other/a.go", strings.Replace(decoy, "example.com/petsmcp", "example.com/other/petsmcp", 1))
			write("dry/a.go", "package dry\n\ntype zoo struct{}\n\nfunc (zoo) GetPet() {}\n") // the same names in another package
			r, err := codegen.Migration(p, codegen.Module{Dir: dir, ImportPath: "example.com/petsmcp", Package: "petsmcp"})
			if err != nil {
				t.Fatal(err)
			}
			var native []string
			for _, tool := range r.Tools {
				for _, at := range tool.Native {
					native = append(native, tool.Tool+" "+at)
				}
			}
			if got := strings.Join(native, ", "); got != tt.want {
				t.Errorf("native: %q", got)
			}
			if r.Native != len(native) || r.Native+r.Bridged != 2 || r.Tools[0].Route != "GET /pets/{id}" || r.Tools[1].Name != "HowMany" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// An import may have another name, places are sorted, and code that does not
// parse is an error that names it.
func TestMigrationOfSeveralPackages(t *testing.T) {
	p := &plan.Server{Tools: []plan.Tool{{Name: "count"}}}
	dir := t.TempDir()
	for _, name := range []string{"b", "a"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
		text := "package " + name + "\n\nimport pets \"example.com/petsmcp\"\n\ntype zoo struct{ pets.Bridge }\n\nfunc (zoo) Count() {}\n"
		if err := os.WriteFile(filepath.Join(dir, name, "zoo.go"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := codegen.Module{Dir: dir, ImportPath: "example.com/petsmcp", Package: "petsmcp"}
	r, err := codegen.Migration(p, m)
	if err != nil || !slices.Equal(r.Tools[0].Native, []string{"a/zoo.go:7", "b/zoo.go:7"}) || r.Native != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "torn.go"), []byte("package"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = codegen.Migration(p, m); err == nil || !strings.Contains(err.Error(), "torn.go") {
		t.Errorf("%v", err)
	}
}
