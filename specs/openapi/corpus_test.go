package openapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// corpus is the folder of real API documents, or "" after skipping the test.
// They are not part of this repository: some may not be copied.
func corpus(t testing.TB) string {
	dir := os.Getenv("MCPC_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "specs")
	if _, err := os.Stat(filepath.Join(dir, "ANSWERS.json")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus of real documents is missing (MCPC_CORPUS): %v", err)
		}
		t.Skipf("the corpus of real documents is not on this machine (MCPC_CORPUS names its folder): %v", err)
	}
	return dir
}

type answer struct {
	Entry, Format, Expect string
	Operations            int
	ByMethod              map[string]int `json:"by_method"`
	WithoutID             int            `json:"without_operationId"`
	Deprecated            int
	WithBody              int    `json:"with_request_body"`
	Digest                string `json:"operations_sha256"`
}

func answers(t testing.TB, dir string) map[string]answer {
	text, err := os.ReadFile(filepath.Join(dir, "ANSWERS.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Specs map[string]answer }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Specs
}

func TestCorpus(t *testing.T) {
	dir := corpus(t)
	for name, want := range answers(t, dir) {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			api, diags := Parse(context.Background(), &specs.Reader{}, filepath.Join(dir, want.Entry), Options{})
			t.Logf("%v, %d diagnostics", time.Since(start).Round(time.Millisecond), len(diags))
			checkPlaces(t, diags)
			if strings.HasPrefix(want.Expect, "reject") {
				if api != nil || !diags.HasErrors() {
					t.Fatal("it was read")
				}
				return
			}
			if api == nil {
				t.Fatalf("nothing was read: %v", diags)
			}
			if api.Declared != want.Operations || len(api.Operations)+len(api.Skipped) != want.Operations {
				t.Errorf("%d operations, %d read, %d skipped, want %d", api.Declared, len(api.Operations), len(api.Skipped), want.Operations)
			}
			if diags.HasErrors() {
				t.Errorf("errors: %v", diags)
			}
			if strings.HasPrefix(want.Expect, "diagnose") && len(diags) == 0 {
				t.Error("nothing was said about it")
			}
			// A server of its own whose URL is a blank to fill in.
			may := map[string]int{"digitalocean": 1}[name]
			if strings.HasPrefix(want.Expect, "accept") && len(api.Skipped) > may {
				t.Errorf("skipped: %s: %s", api.Skipped[0].Operation, api.Skipped[0].Reason)
			}
			var lines []string
			methods := map[string]int{}
			deprecated, bodies := 0, 0
			for _, op := range api.Operations {
				lines = append(lines, op.Method+" "+op.Path)
				methods[op.Method]++
				if op.Deprecated {
					deprecated++
				}
				if op.Body != nil {
					bodies++
				}
				checkOperation(t, api, op)
			}
			for name, s := range api.Schemas {
				checkRefs(t, api, name, s)
			}
			if len(api.Skipped) > 0 {
				return
			}
			slices.Sort(lines)
			sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
			if got := hex.EncodeToString(sum[:]); got != want.Digest {
				t.Error("other operations than expected")
			}
			for m, n := range want.ByMethod {
				if methods[m] != n {
					t.Errorf("%d %s operations, want %d", methods[m], m, n)
				}
			}
			if deprecated != want.Deprecated {
				t.Errorf("%d deprecated operations, want %d", deprecated, want.Deprecated)
			}
			if bodies != want.WithBody {
				t.Errorf("%d operations with a body, want %d", bodies, want.WithBody)
			}
		})
	}
}

// checkPlaces reports ranges that are not inside their source.
func checkPlaces(t testing.TB, diags diag.List) {
	t.Helper()
	for _, d := range diags {
		if r := d.Range; r.Source != nil && (r.Start < 0 || r.End < r.Start || r.End > len(r.Source.Text)) {
			t.Errorf("place %d to %d of %d bytes: %s", r.Start, r.End, len(r.Source.Text), d.Message)
		}
	}
}

func checkOperation(t testing.TB, api *specs.API, op *specs.Operation) {
	t.Helper()
	for _, param := range op.Params {
		if param.Schema == nil || param.Name == "" && param.In != specs.InQueryString {
			t.Errorf("%s: parameter %q in %q without name or schema", op.ID, param.Name, param.In)
		}
		checkRefs(t, api, op.ID, param.Schema)
	}
	if op.Body != nil {
		for _, m := range op.Body.Media {
			checkRefs(t, api, op.ID, m.Schema)
		}
	}
	for _, r := range op.Responses {
		for _, m := range r.Media {
			checkRefs(t, api, op.ID, m.Schema)
		}
	}
}

// checkRefs reports references of a schema that do not lead to API.Schemas.
func checkRefs(t testing.TB, api *specs.API, where string, s *specs.Node) {
	t.Helper()
	if s == nil || s.Kind != specs.Object {
		return
	}
	for _, f := range s.Fields {
		switch f.Key {
		case "$ref":
			if f.Value.Kind != specs.String {
				t.Errorf("%s: $ref %s", where, f.Value.JSON())
			} else if target := api.Schemas[strings.TrimPrefix(f.Value.Text, "#/$defs/")]; target == nil || !strings.HasPrefix(f.Value.Text, "#/$defs/") {
				t.Errorf("%s: %s leads nowhere", where, f.Value.Text)
			}
		case "items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema":
			checkRefs(t, api, where, f.Value)
		case "properties", "patternProperties", "dependentSchemas", "allOf", "anyOf", "oneOf", "prefixItems":
			for _, m := range f.Value.Fields {
				checkRefs(t, api, where, m.Value)
			}
		case "nullable", "example", "definitions", "$id":
			t.Errorf("%s: the keyword %s is left", where, f.Key)
		}
	}
}

func benchmarkFile(b *testing.B, file string) {
	location := filepath.Join(corpus(b), "specs", file)
	text, err := os.ReadFile(location)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if api, _ := Parse(context.Background(), &specs.Reader{}, location, Options{}); api == nil {
			b.Fatal("not read")
		}
	}
}

func BenchmarkGitHub(b *testing.B)     { benchmarkFile(b, "github-rest.json") }
func BenchmarkStripe(b *testing.B)     { benchmarkFile(b, "stripe.json") }
func BenchmarkKubernetes(b *testing.B) { benchmarkFile(b, "kubernetes-swagger2.json") }
func BenchmarkDatadog(b *testing.B)    { benchmarkFile(b, "datadog-v2.yaml") }
func BenchmarkPetstore(b *testing.B)   { benchmarkFile(b, "petstore-3.0.yaml") }

// The OpenAPI Initiative's own documents for 3.2: those that are right are read
// without a word; those that are wrong are read as well as they can be.
func TestConformance32(t *testing.T) {
	dir := filepath.Join(corpus(t), "oas32-conformance")
	for _, kind := range []string{"pass", "fail"} {
		list, err := filepath.Glob(filepath.Join(dir, kind, "*.yaml"))
		if err != nil || len(list) == 0 {
			t.Fatalf("no documents in %s: %v", dir, err)
		}
		for _, file := range list {
			api, diags := Parse(context.Background(), &specs.Reader{}, file, Options{})
			checkPlaces(t, diags)
			if api == nil {
				t.Errorf("%s: %s", file, says(diags))
				continue
			}
			// One example refers to a host, one leaves out what it refers to.
			may := map[string]int{"security-scheme-object-examples.yaml": 1, "operation-object-example.yaml": 3}[filepath.Base(file)]
			if kind == "pass" && len(diags) != may {
				t.Errorf("%s: %s", file, says(diags))
			}
			for _, op := range api.Operations {
				checkOperation(t, api, op)
			}
		}
	}
}

func TestCorpusAllowedReferences(t *testing.T) {
	dir := filepath.Join(corpus(t), "specs", "petstore-separate-2.0")
	api, diags := Parse(context.Background(), &specs.Reader{}, filepath.Join(dir, "spec", "swagger.json"), Options{AllowRefs: []string{dir}})
	if len(diags) > 0 || api.Schemas["Error"] == nil || api.Schemas["Error"].Get("required") == nil {
		t.Errorf("%s%s", schemasOf(api), says(diags))
	}
}
