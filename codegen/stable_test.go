package codegen

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// operations share schemas, in one direction or both, and have names that are
// near to each other.
var operations = []string{
	"/orders: {post: {operationId: create_order, requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}, responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}}}",
	"/orders/{id}: {get: {operationId: getOrder, parameters: [{name: id, in: path, required: true, schema: {type: string}}, {name: status, in: query, schema: {$ref: '#/components/schemas/Status'}}], responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}}}",
	"/items: {get: {operationId: get-order, parameters: [{name: status, in: query, schema: {enum: [a, A, b]}}], responses: {'200': {description: ok, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/item'}}}}}}}}",
	"/nodes: {put: {operationId: putNode, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}}, responses: {'204': {description: ok}}}}",
	"/other: {get: {operationId: other, responses: {'200': {description: ok, content: {application/json: {schema: {type: object, properties: {input: {type: object, properties: {a: {oneOf: [{type: string}, {type: object, properties: {b: {enum: [x]}}}]}}}}}}}}}}}",
	"/other/input: {get: {operationId: otherInput, responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Status'}}}}}}}",
}

const stableSchemas = `
components:
  schemas:
    Order: {type: object, properties: {id: {type: string, readOnly: true}, items: {type: array, items: {$ref: '#/components/schemas/item'}}, status: {$ref: '#/components/schemas/Status'}, Status: {type: string, enum: [x]}}}
    item: {type: object, properties: {sku: {type: string}, item: {type: object, properties: {a: {type: string}}}}}
    Item: {type: object, properties: {unused: {type: string}}}
    Item_item: {type: object, properties: {unused: {type: string}}}
    Status: {type: string, enum: [open, OPEN, closed]}
    Node: {type: object, required: [next, order], properties: {next: {$ref: '#/components/schemas/Node'}, order: {$ref: '#/components/schemas/Order'}}}
`

func operationsDocument(ops []string) string {
	return "openapi: 3.1.0\ninfo: {title: T, version: '1'}\nservers: [{url: https://e.com}]\npaths:\n  " + strings.Join(ops, "\n  ") + stableSchemas
}

// declarations are the texts of all that files declare, by name.
func declarations(t *testing.T, files []File) map[string]string {
	t.Helper()
	out := map[string]string{}
	fset := token.NewFileSet()
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".go") || f.Name == "server.go" || f.Name == "tools.go" {
			continue
		}
		parsed, err := parser.ParseFile(fset, f.Name, f.Content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			var b strings.Builder
			if err := format.Node(&b, fset, d); err != nil {
				t.Fatal(err)
			}
			switch d := d.(type) {
			case *ast.FuncDecl:
				out[receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = b.String()
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						out[s.Name.Name] = b.String()
					case *ast.ValueSpec:
						out[s.Names[0].Name] = b.String()
					}
				}
			}
		}
	}
	return out
}

// Wherever an operation is added, the code of the others stays: their files byte
// for byte, and every type that they share.
func TestAddingAnOperationChangesNoOther(t *testing.T) {
	check := newChecker(t)
	p, m := compile(t, operationsDocument(operations))
	all := generate(t, p, m)
	if _, err := check.check("example.com/api", all); err != nil {
		t.Fatal(err)
	}
	if len(p.Tools) != len(operations) {
		t.Fatalf("%d tools", len(p.Tools))
	}
	with := declarations(t, all)
	for i, o := range operations {
		if strings.Contains(o, "getOrder") {
			continue
		}
		p, m := compile(t, operationsDocument(slices.Delete(slices.Clone(operations), i, i+1)))
		files := generate(t, p, m)
		for _, f := range files {
			if f.Name != "server.go" && f.Name != "tools.go" && f.Name != "types.go" && file(t, all, f.Name) != string(f.Content) {
				t.Errorf("with %.20s… %s is another: %s", operations[i], f.Name, cmp.Diff(string(f.Content), file(t, all, f.Name)))
			}
		}
		for name, text := range declarations(t, files) {
			if with[name] != text {
				t.Errorf("with %.20s… %s is another: %s", operations[i], name, cmp.Diff(text, with[name]))
			}
		}
	}
}

// The same plan gives the same bytes, and the order of its parts moves nothing
// but the lists of them.
func TestOrderMovesNoName(t *testing.T) {
	p, m := compile(t, operationsDocument(operations))
	want := generate(t, p, m)
	for seed := range uint64(20) {
		if d := cmp.Diff(want, generate(t, p, m)); d != "" {
			t.Fatalf("the second time: %s", d)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		sp, sm := *p, plan.Model{Defs: slices.Clone(m.Defs), Names: slices.Clone(m.Names)}
		sp.Tools = nil
		for _, i := range r.Perm(len(p.Tools)) {
			sp.Tools = append(sp.Tools, p.Tools[i])
			sm.Tools = append(sm.Tools, m.Tools[i])
		}
		r.Shuffle(len(sm.Defs), func(i, j int) { sm.Defs[i], sm.Defs[j] = sm.Defs[j], sm.Defs[i] })
		r.Shuffle(len(sm.Names), func(i, j int) { sm.Names[i], sm.Names[j] = sm.Names[j], sm.Names[i] })
		for _, f := range generate(t, &sp, &sm) {
			if f.Name != "server.go" && f.Name != "tools.go" && file(t, want, f.Name) != string(f.Content) {
				t.Fatalf("%s depends on an order: %s", f.Name, cmp.Diff(file(t, want, f.Name), string(f.Content)))
			}
		}
	}
}

// Names of tools become names of methods; what would meet ends in a hash.
func TestMethods(t *testing.T) {
	p := &plan.Server{}
	for _, name := range []string{"get_order", "getOrder", "get-order", "get.order", "list_URLs", "bridge", "_", "2fa", "main", "said", "claimed"} {
		p.Tools = append(p.Tools, plan.Tool{Name: name})
	}
	p.Tools[9].Method = "Claimed"
	got := map[string]string{}
	for _, m := range Methods(p) {
		got[m.Tool] = m.Name
	}
	want := map[string]string{
		"getOrder": "GetOrder", "get_order": "GetOrder" + hashed("get_order"), "get-order": "GetOrder" + hashed("get-order"), "get.order": "GetOrder" + hashed("get.order"),
		"list_URLs": "ListURLs", "bridge": "BridgeTool", "_": hashed("_"), "2fa": "N2fa", "main": "Main", "said": "Claimed", "claimed": "Claimed" + hashed("claimed"),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	seen := map[string]bool{}
	for name, f := range fileNames(p) {
		if seen[f] || !fileName.MatchString(f+".go") {
			t.Errorf("%s is in %s", name, f)
		}
		seen[f] = true
	}
}

func fileNames(p *plan.Server) map[string]string {
	_, files := toolNames(p)
	return files
}

func TestPackageName(t *testing.T) {
	for folder, want := range map[string]string{"orders": "orders", "orders-mcp": "ordersmcp", "Orders_v2": "ordersv2", "2fa": "mcp2fa", "": "mcp", "go": "gomcp", "ÄÖ": "mcp", "main": "mainmcp", "日本x": "x"} {
		if got := PackageName(folder); got != want || !token.IsIdentifier(got) {
			t.Errorf("%q: %s", folder, got)
		}
	}
	p, m := compile(t, operationsDocument(operations[:1]))
	for _, name := range []string{"", "main", "_", "a b", "func", "a\nb", "1"} {
		if _, err := Generate(p, m, Options{Package: name}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("a package %q: %v", name, err)
		}
	}
	if _, err := Generate(p, nil, Options{Package: "p"}); err == nil {
		t.Error("no model")
	}
	if _, err := Generate(p, &plan.Model{}, Options{Package: "p"}); err == nil {
		t.Error("a model of another plan")
	}
}
