package compiler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcpc-dev/mcpc/specs"
)

// A parent that lists its children, each of which includes the parent, as
// documents write inheritance: what is one of the children is valid.
func TestParentThatListsItsChildren(t *testing.T) {
	res := compileText(t, openAPI(`
/pets:
  post: {operationId: addPet, requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}}
/cats:
  post: {operationId: addCat, requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Cat'}}}}}
`, `components:
  schemas:
    Pet:
      type: object
      required: [name]
      properties: {name: {type: string}}
      oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}]
    Cat:
      allOf: [{$ref: '#/components/schemas/Pet'}, {type: object, required: [claws], properties: {claws: {type: integer}}}]
    Dog:
      allOf: [{$ref: '#/components/schemas/Pet'}, {type: object, required: [bark], properties: {bark: {type: string}}}]
`), Options{})
	if res.Plan == nil || len(res.Plan.Tools) != 2 || len(res.Diagnostics) > 0 {
		t.Fatal(messages(res))
	}
	for i, valid := range []map[string]bool{
		{`{"name":"Tom","claws":9}`: true, `{"name":"Rex","bark":"loud"}`: true, `{"claws":9}`: false, `{"name":1,"claws":9}`: false, `{"name":"Tom"}`: false},
		{`{"name":"Tom","claws":9}`: true, `{"name":"Tom"}`: false, `{"claws":9}`: false, `{"name":"Tom","claws":"9"}`: false},
	} {
		tool := res.Plan.Tools[i]
		s, _, err := compileByLibrary(string(tool.Input))
		if err != nil {
			t.Fatal(err)
		}
		for body, want := range valid {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"body":` + body + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); (err == nil) != want {
				t.Errorf("%s with %s: %v\n%s", tool.Name, body, err, tool.Input)
			}
		}
	}
}

// inheritance is a chain of schemas, each of which is all of the next. Knotted,
// the last has a member of the first's kind and is one of the first two.
func inheritance(length int, knotted bool) *specs.API {
	ref := func(i int) *specs.Node { return node(fmt.Sprintf(`{"$ref":"#/$defs/S%d"}`, i)) }
	named := make(map[string]*specs.Node, length)
	for i := range length {
		s := node(fmt.Sprintf(`{"type":"object","properties":{"p%d":{"type":"integer"}}}`, i))
		switch {
		case i+1 < length:
			s.Set("allOf", specs.NewArray(ref(i+1)))
		case knotted:
			s.Get("properties").Set("first", ref(0))
			s.Set("oneOf", specs.NewArray(ref(0), ref(1)))
		}
		named[fmt.Sprintf("S%d", i)] = s
	}
	return &specs.API{Name: "t", ExposeAll: true, Declared: 1, Schemas: named, Servers: []specs.ServerURL{{URL: "https://a.example"}},
		Operations: []*specs.Operation{{ID: "add", Method: "POST", Path: "/", Body: &specs.Body{Media: []*specs.Media{{Type: "application/json", Schema: ref(0)}}}}}}
}

// A chain that no document has; work that grows with its square would not end.
func TestLongInheritance(t *testing.T) {
	for _, knotted := range []bool{false, true} {
		p, diags := CompileDocument(&specs.Document{APIs: []*specs.API{inheritance(20_000, knotted)}}, Options{})
		if p == nil || len(p.Tools) != 1 {
			t.Fatal(diags)
		}
		if _, _, err := compileByLibrary(string(p.Tools[0].Input)); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkLongInheritance(b *testing.B) {
	for _, knotted := range []bool{false, true} {
		for _, length := range []int{2_000, 20_000} {
			b.Run(fmt.Sprintf("length=%d/knotted=%v", length, knotted), func(b *testing.B) {
				doc := &specs.Document{APIs: []*specs.API{inheritance(length, knotted)}}
				for b.Loop() {
					if p, diags := CompileDocument(doc, Options{}); p == nil {
						b.Fatal(diags)
					}
				}
			})
		}
	}
}
