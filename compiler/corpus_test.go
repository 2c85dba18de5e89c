package compiler

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

var update = flag.Bool("update", false, "write testdata/corpus.txt; the score may only rise")

// corpus is the folder of real documents, or "" when it is not at hand.
func corpus(t testing.TB) string {
	dir := os.Getenv("MCPC_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
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
	Entry      string
	Operations int
	Expect     string
}

func answers(t testing.TB, dir string) map[string]answer {
	b, err := os.ReadFile(filepath.Join(dir, "ANSWERS.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Specs map[string]answer }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Specs
}

// TestCorpus compiles every real document, holds every tool to the gate and
// accounts for every operation.
func TestCorpus(t *testing.T) {
	dir := corpus(t)
	all := answers(t, dir)
	var score strings.Builder
	before := readScore(t)
	var valid, validServed int
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a := all[name]
		res, err := Compile(t.Context(), Options{Target: filepath.Join(dir, a.Entry), BaseURL: "https://api.example.com"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if res.Plan == nil {
			if a.Expect == "accept" {
				t.Errorf("%s: no plan: %+v", name, first(res.Diagnostics))
			}
			fmt.Fprintf(&score, "%s\trejected\n", name)
			continue
		}
		cover := res.Plan.Coverage[0]
		if cover.Declared != a.Operations {
			t.Errorf("%s: %d operations declared, counted by others: %d", name, cover.Declared, a.Operations)
		}
		if cover.Served+len(cover.Skipped) != cover.Declared || cover.Served != len(res.Plan.Tools) {
			t.Errorf("%s: declared %d, served %d (%d tools), skipped %d", name, cover.Declared, cover.Served, len(res.Plan.Tools), len(cover.Skipped))
		}
		for _, s := range cover.Skipped {
			if s.Reason == "" || strings.Contains(s.Reason, "internal error") {
				t.Errorf("%s: %s skipped: %q", name, s.Operation, s.Reason)
			}
		}
		if !testing.Short() || len(res.Plan.Tools) < 100 {
			checkPlan(t, name, res.Plan)
		}
		if again, err := plan.Decode(plan.Encode(res.Plan)); err != nil || !reflect.DeepEqual(again, res.Plan) {
			t.Errorf("%s: the stored plan differs: %v", name, err)
		}
		if a.Expect == "accept" {
			valid += a.Operations
			validServed += cover.Served
		}
		fmt.Fprintf(&score, "%s\t%d\t%d\n", name, cover.Served, len(cover.Skipped))
		if old, ok := before[name]; ok && cover.Served < old {
			t.Errorf("%s: %d operations served, %d before", name, cover.Served, old)
		}
	}
	if validServed*100 < valid*99 {
		t.Errorf("%d of %d operations of valid documents served, less than 99 %%", validServed, valid)
	}
	t.Logf("%d of %d operations of valid documents served", validServed, valid)
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "corpus.txt"), []byte(score.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if old, _ := os.ReadFile(filepath.Join("testdata", "corpus.txt")); string(old) != score.String() {
		t.Errorf("testdata/corpus.txt is not the present score; run with -update")
	}
}

func first[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func readScore(t *testing.T) map[string]int {
	b, err := os.ReadFile(filepath.Join("testdata", "corpus.txt"))
	if err != nil && !*update {
		t.Fatal(err)
	}
	out := map[string]int{}
	for line := range strings.Lines(string(b)) {
		var name string
		var served, skipped int
		if n, _ := fmt.Sscanf(line, "%s\t%d\t%d", &name, &served, &skipped); n == 3 {
			out[name] = served
		}
	}
	return out
}

var (
	goodName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	goodKey  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

// checkPlan is the gate once more, written without the compiler's code.
func checkPlan(t *testing.T, doc string, p *plan.Server) {
	t.Helper()
	seen := map[string]bool{}
	checked := map[string]error{} // many operations answer with the same schema
	check := func(text plan.Schema, isInput bool) error {
		key := fmt.Sprint(isInput, text)
		err, ok := checked[key]
		if !ok {
			err = checkByLibrary(string(text), isInput)
			checked[key] = err
		}
		return err
	}
	for i := range p.Tools {
		tool := &p.Tools[i]
		if !goodName.MatchString(tool.Name) || seen[tool.Name] {
			t.Errorf("%s: bad or repeated name %q", doc, tool.Name)
		}
		seen[tool.Name] = true
		if tool.Title == "" || tool.Description == "" {
			t.Errorf("%s: %s has no title or description", doc, tool.Name)
		}
		if err := check(tool.Input, true); err != nil {
			t.Errorf("%s: %s input: %v\n%.2000s", doc, tool.Name, err, tool.Input)
		}
		if len(tool.Input) > inputBudget {
			t.Errorf("%s: %s input has %d bytes", doc, tool.Name, len(tool.Input))
		}
		if tool.Output == "" {
			continue
		}
		if err := check(tool.Output, false); err != nil {
			t.Errorf("%s: %s output: %v\n%.2000s", doc, tool.Name, err, tool.Output)
		}
		if len(tool.Output) > outputBudget {
			t.Errorf("%s: %s output has %d bytes", doc, tool.Name, len(tool.Output))
		}
	}
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("loaded from elsewhere: " + url)
}

func compileByLibrary(text string) (*jsonschema.Schema, any, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	if err := c.AddResource("mem:///s", doc); err != nil {
		return nil, nil, err
	}
	s, err := c.Compile("mem:///s")
	return s, doc, err
}

func checkByLibrary(text string, isInput bool) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil || compact.String() != text {
		return fmt.Errorf("not compact JSON: %v", err)
	}
	_, doc, err := compileByLibrary(text)
	if err != nil {
		return err
	}
	root, ok := doc.(map[string]any)
	if !ok || root["type"] != "object" {
		return errors.New("root is not of type object")
	}
	if isInput {
		for _, k := range []string{"allOf", "anyOf", "oneOf", "not", "$ref", "if"} {
			if root[k] != nil {
				return fmt.Errorf("root has %s", k)
			}
		}
		if root["additionalProperties"] != false {
			return errors.New("root takes unknown properties")
		}
	}
	return checkShape(root, root)
}

func checkShape(root map[string]any, n any) error {
	m, ok := n.(map[string]any)
	if !ok {
		return fmt.Errorf("a schema is %T", n)
	}
	for k, v := range m {
		switch k {
		case "required":
			if _, ok := v.([]any); !ok {
				return errors.New("required is no list")
			}
		case "$ref":
			name, ok := strings.CutPrefix(v.(string), "#/$defs/")
			defs, _ := root["$defs"].(map[string]any)
			if _, has := defs[name]; !ok || !has {
				return fmt.Errorf("dangling %v", v)
			}
		case "discriminator", "xml", "nullable", "readOnly", "writeOnly", "example", "$id", "$schema":
			return fmt.Errorf("keyword %s", k)
		case "properties", "$defs":
			for name, s := range v.(map[string]any) {
				if !goodKey.MatchString(name) {
					return fmt.Errorf("key %q", name)
				}
				if err := checkShape(root, s); err != nil {
					return err
				}
			}
		case "patternProperties", "dependentSchemas":
			for _, s := range v.(map[string]any) {
				if err := checkShape(root, s); err != nil {
					return err
				}
			}
		case "items", "not", "if", "then", "else", "contains", "propertyNames", "additionalProperties":
			if _, isBool := v.(bool); isBool && k == "additionalProperties" {
				continue
			}
			if err := checkShape(root, v); err != nil {
				return err
			}
		case "allOf", "anyOf", "oneOf", "prefixItems":
			for _, s := range v.([]any) {
				if err := checkShape(root, s); err != nil {
					return err
				}
			}
		default:
			if strings.HasPrefix(k, "x-") {
				return fmt.Errorf("keyword %s", k)
			}
		}
	}
	return nil
}
