//go:build !race

// What is compared here runs one goroutine at a time, and under the race
// detector it would take minutes more.

package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/cases"
	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	ourModule = "github.com/mcpc-dev/mcpc"
	// The module of generated packages has a path below the command's, so that
	// it may use the harness of the corpus.
	generatedModule = ourModule + "/cmd/mcpc/generated"
)

// TestGeneratedCases runs every archive of the corpus against a generated
// server, too. All of them are in one test binary.
func TestGeneratedCases(t *testing.T) {
	m := newGenerated(t)
	cases.Each(t, archives, func(t *testing.T, archive string) {
		s := cases.Unpack(t, archive)
		if r := compile(t, s); r != nil {
			m.add(t, s.Name, r)
		}
	})
	m.vet(t)
	root, err := filepath.Abs(archives)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CASES", root)
	m.test(t, "TestPlans", "TestCases")
	t.Logf("%d generated servers", len(m.dirs))
}

// manyTools is how many tools a document may have that staticcheck reads. It
// takes minutes for the largest; of those it reads one.
const manyTools = 200

// TestGeneratedDocuments generates servers for real documents: they are
// formatted, pass vet, build, and hold the compiled plans. Documents of this
// repository are always at hand, those of the corpus where it is.
func TestGeneratedDocuments(t *testing.T) {
	targets := map[string]string{
		"orders":             "../../examples/orders/openapi.yaml",
		"orders of HCL":      "../../examples/orders/orders.hcl",
		"conformance suites": "../../testdata/conformance/conformance.hcl",
		"httpbin":            "../../testdata/judges/httpbin.yaml",
	}
	missing := corpusDocuments(t, targets)
	m := newGenerated(t)
	var thorough []string
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		base := "https://api.example.com"
		if filepath.Ext(targets[name]) == ".hcl" {
			base = "" // it names several
		}
		r, err := compiler.Compile(t.Context(), compiler.Options{Target: targets[name], BaseURL: base, Model: true})
		if err != nil {
			t.Fatal(err)
		}
		if r.Plan == nil {
			if !strings.HasPrefix(name, "bad-") {
				t.Errorf("%s has no plan: %v", name, r.Diagnostics)
			}
			continue
		}
		dir := m.add(t, name, r)
		if len(r.Plan.Tools) <= manyTools || name == "gitea" {
			thorough = append(thorough, "./"+dir)
		}
	}
	m.vet(t)
	m.staticcheck(t, thorough)
	m.test(t, "TestPlans")
	t.Logf("%d generated servers, staticcheck of %d", len(m.dirs), len(thorough))
	if missing != nil {
		t.Skipf("the documents of this repository are fine; the corpus of real ones is not on this machine (MCPC_CORPUS names its folder): %v", missing)
	}
}

// corpusDocuments adds the entries of the corpus to targets. The error is that
// it is not at hand.
func corpusDocuments(t *testing.T, targets map[string]string) error {
	dir := os.Getenv("MCPC_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "specs")
	b, err := os.ReadFile(filepath.Join(dir, "ANSWERS.json"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus of real documents is missing (MCPC_CORPUS): %v", err)
		}
		return err
	}
	var answers struct {
		Specs map[string]struct{ Entry string }
	}
	if err := json.Unmarshal(b, &answers); err != nil {
		t.Fatal(err)
	}
	for name, a := range answers.Specs {
		targets[name] = filepath.Join(dir, a.Entry)
	}
	return nil
}

// TestGeneratedServerLinks builds a generated server with its main program and
// reads what it is made of: no part of the compiler and none of its
// dependencies.
func TestGeneratedServerLinks(t *testing.T) {
	m := newGenerated(t)
	r, err := compiler.Compile(t.Context(), compiler.Options{Target: "../../examples/orders/orders.hcl", Model: true})
	if err != nil || r.Plan == nil {
		t.Fatal(err, r.Diagnostics)
	}
	dir := m.add(t, "orders", r)
	text, err := codegen.Main(path.Join(generatedModule, dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "cmd/main.go", text)
	m.run(t, "go", "build", "-trimpath", "-o", "server", "./cmd")
	info, err := buildinfo.ReadFile(filepath.Join(m.dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	var modules []string
	for _, d := range info.Deps {
		modules = append(modules, d.Path)
	}
	packages := strings.Fields(m.run(t, "go", "list", "-deps", "./cmd"))
	if !slices.Contains(modules, ourModule) || !slices.Contains(packages, ourModule+"/runtime") {
		t.Fatalf("the server does not link the runtime: %v", modules)
	}
	allowed := func(p string) bool {
		return p == ourModule+"/internal/egress" || p == ourModule+"/runtime" || strings.HasPrefix(p, ourModule+"/runtime/") || strings.HasPrefix(p, generatedModule)
	}
	for _, p := range append(modules, packages...) {
		for _, ban := range []string{"hcl", "cty", "yaml", "kin-openapi", "jennifer", "cobra", "opentelemetry", "grpc", "protobuf"} {
			if strings.Contains(p, ban) && !allowed(p) {
				t.Errorf("a generated server links %s", p)
			}
		}
		if strings.HasPrefix(p, ourModule+"/") && !allowed(p) {
			t.Errorf("a generated server links %s", p)
		}
	}
	t.Logf("%d modules: %s", len(modules), strings.Join(modules, " "))
}

// generated is a module of generated packages in a folder of its own, outside of
// this checkout, as it would be a user's.
type generated struct {
	dir  string
	dirs map[string]string // of the packages, by what they were generated from
}

func newGenerated(t *testing.T) *generated {
	m := &generated{dir: t.TempDir(), dirs: map[string]string{}}
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	// The requirements are this module's: nothing has to be fetched.
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(checkout, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mod, err := modfile.Parse("go.mod", read("go.mod"), nil)
	if err == nil {
		err = mod.AddModuleStmt(generatedModule)
	}
	if err == nil {
		err = mod.AddRequire(ourModule, "v0.0.0")
	}
	if err == nil {
		err = mod.AddReplace(ourModule, "", checkout, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := mod.Format()
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "go.mod", text)
	m.write(t, "go.sum", read("go.sum"))
	return m
}

func (m *generated) write(t *testing.T, name string, content []byte) {
	t.Helper()
	name = filepath.Join(m.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// add generates a package and returns its folder, which is its name too. Beside
// it lies the plan it has to hold.
func (m *generated) add(t *testing.T, name string, r *compiler.Result) string {
	t.Helper()
	dir := fmt.Sprintf("p%d", len(m.dirs))
	m.dirs[name] = dir
	files, err := codegen.Generate(r.Plan, r.Model, codegen.Options{Package: dir})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, f := range files {
		if path.Ext(f.Name) == ".go" {
			if pretty, err := format.Source(f.Content); err != nil || !bytes.Equal(pretty, f.Content) {
				t.Errorf("%s: %s is not formatted: %v", name, f.Name, err)
			}
		}
		m.write(t, path.Join(dir, f.Name), f.Content)
	}
	m.write(t, path.Join(dir, "plan.bin"), plan.Encode(codegen.Portable(r.Plan)))
	return dir
}

// vet builds and vets all packages.
func (m *generated) vet(t *testing.T) {
	t.Helper()
	m.run(t, "go", "vet", "-trimpath", "./...")
}

// staticcheck runs staticcheck, as it is in the pinned golangci-lint, over some
// packages as if people had written them.
func (m *generated) staticcheck(t *testing.T, packages []string) {
	t.Helper()
	linter, err := filepath.Abs(filepath.Join("..", "..", "bin", "golangci-lint"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(linter); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; `make lint-install` installs it", err)
		}
		t.Logf("without staticcheck: %v; `make lint-install` installs it", err)
		return
	}
	m.write(t, ".golangci.yml", []byte(`version: "2"
linters:
  default: none
  enable: [staticcheck, unused]
  settings: {staticcheck: {checks: [all]}}
  exclusions: {generated: disable}
`))
	m.run(t, append([]string{linter, "run", "--timeout", "10m"}, packages...)...)
}

// test runs tests of testdata/generated over all packages.
func (m *generated) test(t *testing.T, tests ...string) {
	t.Helper()
	if len(m.dirs) == 0 {
		t.Fatal("nothing was generated")
	}
	source, err := os.ReadFile("testdata/generated/generated_test.go")
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "generated_test.go", source)
	var imports, list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.dirs)) {
		dir := m.dirs[name]
		fmt.Fprintf(&imports, "import %q\n", path.Join(generatedModule, dir))
		fmt.Fprintf(&list, "%q: {%q, %s.Plan, func(o runtime.Options) (*runtime.Server, error) {\n b, err := %s.NewBridge(o)\n if err != nil {\n return nil, err\n }\n return %s.New(b)\n }},\n", name, dir, dir, dir, dir)
	}
	m.write(t, "servers_test.go", fmt.Appendf(nil, "package generated\n\nimport %q\n%s\nvar servers = map[string]server{\n%s}\n", ourModule+"/runtime", &imports, &list))
	out := m.run(t, "go", "test", "-trimpath", "-vet=off", "-count=1", "-v", "-run", "^("+strings.Join(tests, "|")+")$", ".")
	for _, name := range tests {
		if !strings.Contains(out, "\n--- PASS: "+name+" ") {
			t.Errorf("%s did not run:\n%s", name, out)
		}
	}
}

// run runs a command in the module, which must succeed without the network.
func (m *generated) run(t *testing.T, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}
