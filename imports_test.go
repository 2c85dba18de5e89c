package mcpc_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mcpc-dev/mcpc"

// rule says what the packages that match may import besides the standard
// library. The first rule that matches a package is its rule.
type rule struct {
	packages string   // a package, or a folder and everything below it as "x/..."
	ours     []string // of this module, the same way
	theirs   []string // modules of others
	why      string
}

// rules are the directions in which the code may grow: specs → compiler → plan
// → runtime, and nothing back. A line here is a decision; change it knowingly.
var rules = []rule{
	{"specs/diag", nil, nil, "every front-end and every command prints diagnostics: it depends on nothing"},
	{"runtime/plan", nil, nil, "generated programs hold plans: the plan is data and costs them nothing"},
	{"internal/dnstest", nil, []string{"golang.org/x/net"}, "for tests: names without a network"},
	{"internal/lockbuf", nil, nil, "for tests: what a process writes, read while it writes"},
	{"internal/faulty", nil, nil, "for tests: an upstream that fails"},
	{"internal/egress", nil, []string{"golang.org/x/net"}, "where connections may go is one decision, for what is read at load and for calls"},
	{"specs", []string{"internal/egress", "specs/diag"}, nil, "the declared model knows no format"},
	{"runtime/function", []string{"runtime/internal/args"}, []string{"github.com/go-json-experiment/json"}, "what a function gives is the same at load and in a call, so there is one implementation; it knows values only"},
	{"specs/hclspec", []string{"internal/egress", "specs", "specs/diag", "specs/imported", "runtime/function"}, []string{"github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty", "github.com/itchyny/gojq", "golang.org/x/text"},
		"the one importer of HCL: replacing a parser touches one package; constants, programs and encodings are checked by what will execute them"},
	{"specs/imported", []string{"specs", "specs/diag"}, nil, "what importers have in common; it knows none of the formats, and not how HCL is written"},
	{"specs/openapi", []string{"specs", "specs/diag"}, []string{"github.com/getkin/kin-openapi", "go.yaml.in/yaml/v3"},
		"the one importer of an OpenAPI parser"},
	{"specs/curl", []string{"specs", "specs/diag", "specs/imported"}, nil, "an importer reads one format, with the standard library"},
	{"specs/har", []string{"specs", "specs/diag", "specs/imported"}, nil, "the same"},
	{"specs/postman", []string{"specs", "specs/diag", "specs/imported"}, nil, "the same"},
	{"specs/wsdl", []string{"specs", "specs/diag", "specs/imported"}, nil, "the same"},
	{"compiler/...", []string{"specs/...", "runtime/plan"}, nil, "the only bridge between specs and plan; it does not run what it compiles"},
	{"codegen", []string{"runtime/plan"}, []string{"github.com/dave/jennifer", "github.com/go-json-experiment/json"},
		"the one importer of jennifer: it prints plans, and knows neither where they come from nor what executes them"},
	{"runtime/internal/principal", nil, nil, "who is calling is a parameter of everything"},
	{"runtime/internal/secret", []string{"runtime/plan"}, nil, "what must not be shown, and where it comes from, knows nothing of who needs it"},
	{"runtime/internal/confirm", nil, nil, "who is asked is in the context of a call"},
	{"runtime/internal/probe", nil, nil, "the way to a service is looked at without knowing whose it is"},
	{"runtime/internal/identity", []string{"internal/egress", "runtime/internal/principal", "runtime/internal/probe", "runtime/internal/secret", "runtime/plan"}, []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/jwkset", "golang.org/x/sync"}, "who calls is found out from an HTTP request alone"},
	{"runtime/internal/policy", []string{"runtime/internal/expr", "runtime/internal/identity", "runtime/plan"}, nil, "a decision is made of who calls, what is called and its arguments, and of nothing else"},
	{"runtime/internal/limit", []string{"runtime/function", "runtime/internal/expr", "runtime/plan"}, nil, "a limit knows keys and costs, not callers"},
	{"runtime/redisstore", []string{"runtime/internal/expr", "runtime/internal/limit", "runtime/internal/upstream", "runtime/plan"}, []string{"github.com/redis/rueidis"},
		"the one importer of a client of Redis; servers with a store import it"},
	{"runtime/internal/credential", []string{"runtime/internal/secret", "runtime/plan"}, []string{"github.com/golang-jwt/jwt/v5", "golang.org/x/sync"}, "tokens are asked for without knowing what they open"},
	{"runtime/internal/progress", nil, nil, "work says how far it is without knowing who hears it"},
	{"runtime/internal/observe", []string{"runtime/internal/principal", "runtime/internal/result", "runtime/plan"}, []string{"github.com/go-json-experiment/json"}, "what is recorded of a call is told to it, not found out"},
	{"runtime/internal/transport", []string{"runtime/internal/confirm", "runtime/internal/identity", "runtime/internal/observe", "runtime/internal/principal", "runtime/internal/progress", "runtime/internal/result", "runtime/plan"}, []string{"github.com/mark3labs/mcp-go", "github.com/go-json-experiment/json"},
		"the protocol knows no upstream; it is the one importer of mcp-go"},
	{"runtime/otlp", []string{"runtime/internal/observe", "runtime/plan"}, []string{"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp", "go.opentelemetry.io/otel/exporters/otlp/otlptrace",
		"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/sdk/metric", "go.opentelemetry.io/otel/trace"},
		"the one importer of OpenTelemetry, which a server links only if its spec asks for it"},
	{"runtime/...", []string{"internal/egress", "runtime/..."}, []string{
		"github.com/go-json-experiment/json",
		"github.com/santhosh-tekuri/jsonschema/v6",
		"github.com/JohannesKaufmann/html-to-markdown/v2",
		"github.com/itchyny/gojq",
		"golang.org/x/net",
		"golang.org/x/text",
		"github.com/sony/gobreaker/v2",
		"golang.org/x/sync",
		"golang.org/x/time",
	}, "a generated server links the runtime: no HCL, no OpenAPI, no YAML, nothing of specs"},
	{"examples/orders/ordersmcp", []string{"runtime", "runtime/plan"}, nil, "a generated package is a plan and doors to the runtime"},
	{"examples/migration/ordersmcp", []string{"runtime", "runtime/plan"}, nil, "the same"},
	{"examples/...", []string{"examples/...", "compiler", "runtime", "runtime/command", "runtime/otlp"}, []string{"github.com/mark3labs/mcp-go", "golang.org/x/text"}, "examples show the public doors only"},
	{"cmd/mcpc/internal/cases", nil, []string{"github.com/rogpeppe/go-internal"}, "the harness of the corpus reads archives; what runs them is its caller"},
	{"cmd/mcpc/internal/contract", []string{"runtime", "runtime/plan", "specs", "specs/diag", "specs/hclspec"}, nil,
		"tests of a spec meet both sides, what was written and what was done; the verb prints what comes of it"},
	{"cmd/mcpc/internal/lsp", []string{"compiler", "specs", "specs/diag", "specs/hclspec"}, nil, "the language server: a protocol around what the compiler and the front-end know"},
	{"cmd/mcpc/internal/watch", []string{"specs"}, []string{"github.com/fsnotify/fsnotify"}, "what is watched is what a reader of specs remembers"},
	{"cmd/mcpc/internal/starter", nil, nil, "the projects of mcpc init are texts; tests of the command hold them to the compiler"},
	{"cmd/mcpc", []string{"cmd/mcpc/internal/contract", "cmd/mcpc/internal/lsp", "cmd/mcpc/internal/starter", "cmd/mcpc/internal/watch", "codegen", "compiler", "compiler/lint", "compiler/surface", "runtime", "runtime/command", "runtime/otlp", "runtime/plan", "runtime/redisstore", "specs", "specs/diag", "specs/hclspec",
		"specs/imported", "specs/curl", "specs/har", "specs/openapi", "specs/postman", "specs/wsdl"}, []string{"github.com/spf13/cobra", "github.com/rogpeppe/go-internal", "golang.org/x/mod", "golang.org/x/term"},
		"the command: flags in, one call, printing"},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard,Module"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var list []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// covers reports whether a pattern of the table covers a package.
func covers(pattern, pkg string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == folder || strings.HasPrefix(pkg, folder+"/")
	}
	return pkg == pattern
}

func TestImports(t *testing.T) {
	standard := map[string]bool{}
	moduleOf := map[string]string{}
	for _, p := range goList(t, "-deps", "./...") {
		standard[p.ImportPath] = p.Standard
		if p.Module != nil {
			moduleOf[p.ImportPath] = p.Module.Path
		}
	}
	used := map[string]bool{} // rule and entry that some package needed
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" {
			continue // the root holds tests only
		}
		i := slices.IndexFunc(rules, func(r rule) bool { return covers(r.packages, name) })
		if i < 0 {
			t.Errorf("%s has no rule: say in the table what it may import and why", name)
			continue
		}
		r := rules[i]
		used[r.packages] = true
		for _, imported := range p.Imports {
			if standard[imported] {
				continue
			}
			own, ours := strings.CutPrefix(imported, module+"/")
			allowed, target := r.theirs, moduleOf[imported]
			if ours {
				allowed, target = r.ours, own
			}
			j := slices.IndexFunc(allowed, func(a string) bool { return covers(a, target) })
			if j < 0 {
				t.Errorf("%s may not import %s: %s", name, imported, r.why)
				continue
			}
			used[r.packages+" "+allowed[j]] = true
		}
	}
	for _, r := range rules {
		if !used[r.packages] {
			t.Errorf("stale rule: there is no package %s", r.packages)
			continue
		}
		for _, a := range append(slices.Clone(r.ours), r.theirs...) {
			if !used[r.packages+" "+a] {
				t.Errorf("stale entry: %s does not import %s", r.packages, a)
			}
		}
	}
}

// What a generated server links is the runtime and what that brings along.
func TestRuntimeLinksNoFrontEnd(t *testing.T) {
	bans := map[string]string{
		"github.com/hashicorp/hcl":      "a served plan needs no HCL",
		"github.com/zclconf/go-cty":     "expressions were lowered; cty rewrites users' strings",
		"github.com/getkin/kin-openapi": "a served plan needs no OpenAPI document",
		"go.yaml.in/yaml":               "a served plan needs no YAML",
		"gopkg.in/yaml":                 "a served plan needs no YAML",
		"github.com/dave/jennifer":      "a generated server generates nothing",
		"github.com/redis/rueidis":      "only a server with a store talks to Redis, and imports what does",
		module + "/specs":               "specs and runtime never meet",
		module + "/compiler":            "the runtime executes, it does not compile",
		module + "/runtime/otlp":        "telemetry is linked by servers whose spec asks for it",
		"go.opentelemetry.io/otel":      "the same",
		"google.golang.org/protobuf":    "the same",
	}
	for _, p := range goList(t, "./runtime/command", "./examples/orders/orders-mcp") {
		for _, dep := range p.Deps {
			for ban, why := range bans {
				if dep == ban || strings.HasPrefix(dep, ban+"/") {
					t.Errorf("%s links %s: %s", p.ImportPath, dep, why)
				}
			}
		}
	}
	// The bans are of things that exist, or they would prove nothing.
	var all []string
	for _, p := range goList(t, "-deps", "./...") {
		all = append(all, p.ImportPath)
	}
	for ban := range bans {
		if ban == "gopkg.in/yaml" {
			continue // its old name; whoever brings it back is caught
		}
		if !slices.ContainsFunc(all, func(p string) bool { return strings.HasPrefix(p, ban) }) {
			t.Errorf("stale ban: nothing here links %s", ban)
		}
	}
}

// A replace line works in this checkout and breaks `go install` for everybody.
func TestNoReplace(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct{ Replace []any }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace) > 0 {
		t.Errorf("go.mod has replace lines: %v", mod.Replace)
	}
}

// walk calls f with every file of the repository that people write.
func walk(t *testing.T, f func(name string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "out"}, d.Name()) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			f(filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoUnfinishedCode(t *testing.T) {
	unfinished := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	files := 0
	walk(t, func(name string) {
		if path.Ext(name) != ".go" {
			return
		}
		files++
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if unfinished.MatchString(line) {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	})
	if files == 0 {
		t.Error("no Go file found")
	}
}

// A lock file must work with whatever registry npm is set up with.
func TestLockFileNamesNoRegistry(t *testing.T) {
	text, err := os.ReadFile("testdata/judges/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.Index(text, []byte(`"resolved": "http`)); i >= 0 {
		t.Errorf("package-lock.json names a registry: %.120s…\ninstall with omit-lockfile-registry-resolved (testdata/judges/.npmrc)", text[i:])
	}
}
