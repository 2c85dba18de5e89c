package compiler

import (
	"slices"
	"testing"
)

// Who reads a resource by way of a prompt needs what its readers need.
func TestScopesOfPrompts(t *testing.T) {
	res := compileText(t, `
api "a" { base_url = "https://a.example" }
resource "a://one" {
  scopes = ["one"]
  request "GET" "/one" {}
}
resource "a://many/{id}" {
  scopes = ["many"]
  request "GET" "/many/{id}" {}
}
prompt "plain" {
  scopes = ["mine"]
  message "user" { text = "Hello." }
}
prompt "one" {
  scopes = ["mine"]
  message "user" { resource = "a://one" }
}
prompt "any" {
  input "id" { type = string }
  request "GET" "/any" { query = { id = args.id } }
  message "user" { resource = "a://many/${args.id}" }
}
`, Options{})
	if res.Plan == nil {
		t.Fatal(messages(res))
	}
	want := map[string][]string{"plain": {"mine"}, "one": {"mine", "one"}, "any": {"one", "many"}}
	for _, p := range res.Plan.Prompts {
		if !slices.Equal(p.Scopes, want[p.Name]) {
			t.Errorf("%s wants %q, not %q", p.Name, p.Scopes, want[p.Name])
		}
	}
	warned := 0
	for _, d := range res.Diagnostics {
		if d.Code == "scopes-without-identity" {
			warned++
		}
	}
	if len(res.Plan.Prompts) != 3 || warned != 4 {
		t.Errorf("%d prompts; %s", len(res.Plan.Prompts), messages(res))
	}
}
