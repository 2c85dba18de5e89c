package hclspec

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// parse reads a spec of the given files; names without a
// dot are environment variables.
func parse(t testing.TB, files map[string]string, o Options) (*specs.Document, diag.List) {
	t.Helper()
	o.Tests = true
	dir := t.TempDir()
	env := map[string]string{}
	for name, text := range files {
		if !strings.Contains(name, ".") {
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
	varFiles := o.VarFiles
	o.VarFiles = nil
	for _, f := range varFiles {
		o.VarFiles = append(o.VarFiles, filepath.Join(dir, f))
	}
	r := &specs.Reader{Getenv: func(name string) string { return env[name] }}
	doc, list := Parse(context.Background(), r, dir, o, fakeLoad)
	for i := range list {
		d := &list[i]
		d.Message = strings.ReplaceAll(strings.ReplaceAll(d.Message, dir+string(filepath.Separator), ""), dir, "DIR")
		ranges := []diag.Range{d.Range}
		for _, n := range d.Notes {
			ranges = append(ranges, n.Range)
		}
		for _, r := range ranges {
			if r.Source != nil {
				r.Source.Name = strings.TrimPrefix(r.Source.Name, dir+string(filepath.Separator))
			}
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
	if s := doc.Server; s.Name != "orders" || s.Instructions != "Search before you cancel. Amounts are EUR." || s.Listen != nil {
		t.Errorf("server %+v", s)
	}
	api := doc.APIs[0]
	if api.Name != "erp" || api.BaseURL.Value != "https://erp.internal.example/api.asp" || api.Timeout.Value != "20s" || api.ExposeAll || api.Source != "" {
		t.Errorf("api %+v", api)
	}
	if r := api.Retry; r.Attempts != 3 || !slices.Equal(r.On, []int{429, 502, 503, 504}) {
		t.Errorf("retry %+v", r)
	}
	if c := api.Auth; c.Kind != "basic" || dump(c.Username) != `"svc-mcp"` || dump(c.Value) != "<secret erp_password ERP_PASSWORD,MCPC_VAR_erp_password>" {
		t.Errorf("auth %+v %s", c, dump(c.Value))
	}

	search := doc.Tools[0]
	if search.Name != "search_orders" || !search.Hints.ReadOnly.Value || search.Hints.Destructive != nil || search.Operation != nil {
		t.Errorf("tool %+v", search)
	}
	customer, status := search.Inputs[0], search.Inputs[1]
	if got := customer.Schema.JSON(); got != `{"type":"string","pattern":"^C-[0-9]+$"}` || customer.Description.Value != "Customer number, e.g. C-10442" || customer.Default != nil {
		t.Errorf("customer %s", got)
	}
	if got := status.Schema.JSON(); got != `{"type":"string","enum":["open","shipped","cancelled"]}` || status.Default.Text != "open" {
		t.Errorf("status %s", got)
	}
	if r := search.Request; r.Method != "POST" || r.Path != "/orders/search" || r.JSON != nil ||
		dumpEntries(r.Form) != `{"CUSTNO": $customer, "STAT": (index {"open":"10","shipped":"40","cancelled":"90"} $status), "MAXROW": 50}` {
		t.Errorf("request %+v %s", r, dumpEntries(r.Form))
	}
	cancel := doc.Tools[1]
	if r := cancel.Request; r.Path != "/orders/{order_id}/cancel" || dump(r.JSON) != `(object "why" (text "MCP: " $reason))` || r.Form != nil {
		t.Errorf("request %+v %s", r, dump(r.JSON))
	}
	if got := cancel.Inputs[1].Schema.JSON(); got != `{"type":"string","maxLength":200}` {
		t.Errorf("reason %s", got)
	}
}

func TestGithubExample(t *testing.T) {
	doc := mustParse(t, readFile(t, "testdata/github.hcl"))
	if doc.Server.Listen.Value != "127.0.0.1:8080" {
		t.Errorf("listen %q", doc.Server.Listen.Value)
	}
	api := doc.APIs[0]
	if api.Source != "api.github.com.yaml" || len(api.Operations) != 1 || api.BaseURL.Value != "https://api.github.com" || api.ExposeAll {
		t.Errorf("api %+v", api)
	}
	if got := dumpEntries(api.Headers); got != `{"X-GitHub-Api-Version": "2022-11-28"}` {
		t.Errorf("headers %s", got)
	}
	e := api.Expose[0]
	if len(e.Operations) != 3 || e.Operations[0].Value != "issues/*" || e.Exclude[1].Value != "issues/remove-*" || e.Methods[0].Value != "GET" || e.Deprecated {
		t.Errorf("expose %+v", e)
	}
	if r := e.Operations[1].Range; string(r.Source.Text[r.Start:r.End]) != `"repos/get"` {
		t.Errorf("place of a pattern %s", r)
	}
	operation := specs.NewObject(specs.F("id", specs.NewString("issues/list-for-org")))
	name, err := Evaluate(e.Name, map[string]*specs.Node{"operation": operation})
	if err != nil || name.Text != "gh_issues_list_for_org" {
		t.Errorf("name %v %v", name, err)
	}
	o := api.Overrides[0]
	if o.Pattern.Value != "*" || o.Inputs[0].Path != "owner" || dump(o.Inputs[0].Value) != `"acme"` || o.Inputs[1].Default.Text != "30" || o.Inputs[1].Schema != nil {
		t.Errorf("override %+v", o)
	}
	search := doc.Tools[0]
	if search.Operation.API != "gh" || search.Operation.ID != "search/issues-and-pull-requests" || search.Request != nil {
		t.Errorf("operation %+v", search.Operation)
	}
	if q := search.Inputs[0]; dump(q.Wire) != `(text $q " org:acme")` || !search.Inputs[1].Hide.Value {
		t.Errorf("wire %s", dump(q.Wire))
	}
	if in := doc.Tools[1].Inputs[1]; in.Path != "body.title" || in.Schema.JSON() != `{"maxLength":120}` {
		t.Errorf("input %+v", in)
	}
}

func TestTypes(t *testing.T) {
	for _, c := range [][2]string{
		{`string`, `{"type":"string"}`},
		{`any`, `{}`},
		{`list(map(bool))`, `{"type":"array","items":{"type":"object","additionalProperties":{"type":"boolean"}}}`},
		{`object({ a = string, b = optional(list(number)) })`, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"number"}}},"required":["a"],"additionalProperties":false}`},
		{`object({ a = optional(string) })`, `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`},
		{`enum(1, 2.50)`, `{"type":"number","enum":[1,2.50]}`},
		{`enum(local.words...)`, `{"type":"string","enum":["a","b"]}`},
		{`enum("a", null)`, `{"enum":["a",null]}`},
		{`format("date-time")`, `{"type":"string","format":"date-time"}`},
		{`jsonschema({ type = ["string", "null"], minLength = 1 })`, `{"type":["string","null"],"minLength":1}`},
	} {
		doc := mustParse(t, "locals { words = [\"a\", \"b\"] }\napi \"a\" { base_url = \"https://a.example\" }\ntool \"t\" {\n  input \"x\" { type = "+c[0]+" }\n  request \"POST\" \"/\" { json = args.x }\n}\n")
		if got := doc.Tools[0].Inputs[0].Schema.JSON(); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

// Files of a directory are one spec, in any order.
func TestDirectory(t *testing.T) {
	doc, list := parse(t, map[string]string{
		"a.hcl":       `tool "t" { operation = api.gh["issues/list"] }`,
		"b.hcl.json":  `{"api": {"gh": {"openapi": "docs/${var.file}", "server_variables": {"region": "eu"}}}}`,
		"c.hcl":       `variable "file" { default = "gh.yaml" }`,
		"d.txt":       `not a spec`,
		".hidden.hcl": `not a spec`,
		"sub/e.hcl":   `not a spec`,
	}, Options{})
	if len(list) > 0 || len(doc.Tools) != 1 || doc.APIs[0].Source != "gh.yaml" || doc.APIs[0].Title != "eu" {
		t.Errorf("%s %+v", show(list), doc.APIs)
	}
}

// Two api blocks may name one document; each has its own settings.
func TestSharedDocument(t *testing.T) {
	shared := &specs.API{Source: "x.yaml", Name: "untouched"}
	path := filepath.Join(t.TempDir(), "a.hcl")
	writeFile(t, path, "api \"a\" {\n  openapi = \"x.yaml\"\n  timeout = \"1s\"\n}\napi \"b\" { openapi = \"x.yaml\" }\n")
	doc, list := Parse(t.Context(), &specs.Reader{}, path, Options{}, func(string, map[string]string, diag.Range) (*specs.API, diag.List) { return shared, nil })
	if len(list) > 0 || doc.APIs[0].Name != "a" || doc.APIs[1].Name != "b" || doc.APIs[1].Timeout != nil || shared.Name != "untouched" {
		t.Errorf("%s %+v", show(list), doc.APIs)
	}
}

// What has mistakes is missing from the document, what has none is there, and a
// document that cannot be read is one mistake at the place that names it.
func TestWhatIsWrongIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hcl")
	writeFile(t, path, `
api "good" { base_url = "https://a.example" }
api "bad" {
  openapi = "missing.yaml"
  expose { operations = ["*"] }
}
tool "good" {
  api = api.good
  request "GET" "/" {}
}
tool "bad_input" {
  api = api.good
  request "GET" "/{x}" {}
}
tool "bad_api" { operation = api.bad["x"] }
tool "bad_title" {
  api   = api.good
  title = 3
  request "GET" "/" {}
}
`)
	doc, list := Parse(t.Context(), &specs.Reader{}, path, Options{}, func(string, map[string]string, diag.Range) (*specs.API, diag.List) {
		return nil, diag.List{{Code: "unreadable", Message: "no such file"}}
	})
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprint(d.Code, " ", d.Range.Source.Position(d.Range.Start).Line))
	}
	if want := []string{"unreadable 4", "unknown-input 13", "wrong-type 18"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(doc.Tools) != 1 || doc.Tools[0].Name != "good" || len(doc.APIs) != 2 || doc.APIs[1].Expose != nil {
		t.Errorf("%+v %+v", doc.Tools, doc.APIs[1])
	}
}

// The JSON form means the same.
func TestJSONForm(t *testing.T) {
	native := mustParse(t, readFile(t, "testdata/erp.hcl"))
	doc, list := parse(t, map[string]string{"a.hcl.json": readFile(t, "testdata/erp.hcl.json")}, Options{})
	if len(list) > 0 {
		t.Fatal(show(list))
	}
	if got, want := dumpDocument(doc), dumpDocument(native); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// dumpDocument shows a document without places.
func dumpDocument(doc *specs.Document) string {
	var b strings.Builder
	fmt.Fprintln(&b, doc.Server.Name, doc.Server.Instructions)
	for _, a := range doc.APIs {
		fmt.Fprintln(&b, a.Name, a.BaseURL.Value, a.Timeout.Value, a.Retry.Attempts, a.Retry.On, a.Auth.Kind, dump(a.Auth.Username), dump(a.Auth.Value))
	}
	for _, t := range doc.Tools {
		fmt.Fprintln(&b, t.Name, t.Description.Value, t.Hints.ReadOnly != nil, t.Hints.Destructive != nil, t.Request.Method, t.Request.Path, dumpEntries(t.Request.Form), dump(t.Request.JSON))
		for _, in := range t.Inputs {
			fmt.Fprintln(&b, " ", in.Path, in.Schema.JSON(), in.Description != nil, in.Default.JSON())
		}
		if r := t.Response; r != nil {
			fmt.Fprintln(&b, " ", r.Kind.Str(), r.Charset.Str(), r.Root != nil && r.Root.Steps[0].Name == "ORDERS", dumpTexts(r.Lists), r.Empty.Str())
			for _, n := range r.Types {
				fmt.Fprintln(&b, "   type", n.Name.Value, n.Type)
			}
			for _, n := range r.Rename {
				fmt.Fprintln(&b, "   rename", n.Name.Value, n.Value.Value)
			}
			for _, p := range r.Fields {
				fmt.Fprintln(&b, "   field", p.Steps, p.List)
			}
			for _, e := range r.Errors {
				fmt.Fprintln(&b, "   error", e.XML.Steps, dump(e.Message))
			}
			for _, a := range r.Advice {
				fmt.Fprintln(&b, "   advice", a.From, a.To, a.Hint.Value)
			}
		}
	}
	return b.String()
}

func dumpTexts(list []specs.Text) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.Value)
	}
	return out
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type answer string

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// serve is a client to which every URL has this text.
func serve(text string) *http.Client { return &http.Client{Transport: answer(text)} }
