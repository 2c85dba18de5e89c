package compiler

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
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
