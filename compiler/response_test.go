package compiler

import (
	"reflect"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// What is said in a tool wins over overrides in their order, and those over the
// api; attribute by attribute.
func TestShapingIsInherited(t *testing.T) {
	res := hclDir(t, map[string]string{"a.yaml": openAPI(`
/thing:
  get: {operationId: getThing, responses: {'200': {description: ok}}}
/other:
  get: {operationId: other, responses: {'200': {description: ok}}}
`), "a.hcl": `
api "a" {
  openapi = "a.yaml"
  expose {}
  response {
    charset   = "ISO-8859-1"
    drop      = ["**.*_url"]
    max_items = 10
    max_size  = "2KiB"
    as        = "table"
    error "404" { hint = "outer" }
  }
  override "*" {
    response {
      drop  = ["**.node_id"]
      empty = "Nothing."
      error_when {
        json    = "error.'code.x'"
        message = "no: ${response.body.error.text}"
        retry   = "later"
      }
    }
  }
  override "get*" {
    response "xml" {
      max_items = 5
      lists     = ["B"]
      error "4XX" { message = "middle" }
    }
  }
}
tool "t" {
  operation = api.a["getThing"]
  response {
    as     = "json"
    root   = "A.B"
    rename = { x = "y" }
    fields = ["id", "user.login", "l[].n*", "**.k"]
    jq     = ".[0]"
    error "404" { hint = "inner" }
  }
}
`}, Options{})
	if res.Plan == nil || len(res.Diagnostics) > 0 {
		t.Fatal(messages(res))
	}
	body := plan.Expr{Op: plan.OpGet, Name: "body", Args: []plan.Expr{{Op: plan.OpVar, Name: "response"}}}
	text := plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{{Op: plan.OpConst, Const: `"no: "`},
		{Op: plan.OpGet, Name: "text", Args: []plan.Expr{{Op: plan.OpGet, Name: "error", Args: []plan.Expr{body}}}}}}
	middle := plan.Expr{Op: plan.OpConst, Const: `"middle"`}
	want := plan.Response{
		Kind: "xml", Charset: "iso-8859-1", XML: &plan.XMLReading{Lists: []string{"B"}},
		Select: &plan.Selection{
			Root: []string{"A", "B"}, List: true, Rename: []plan.NamePair{{From: "x", To: "y"}},
			Fields: []plan.Path{{{Name: "id"}}, {{Name: "user"}, {Name: "login"}}, {{Name: "l"}, {Name: "n*", Glob: true}}, {{Name: "k", Deep: true}}},
		},
		JQ: ".[0]", Empty: "Nothing.", MaxItems: 5, MaxText: 2048,
		Errors: []plan.ErrorRule{{Member: []string{"error", "code.x"}, Message: &text, Retry: "later"}},
		Advice: []plan.Advice{{From: 404, To: 404, Hint: "inner"}, {From: 400, To: 499, Message: &middle}, {From: 404, To: 404, Hint: "outer"}},
	}
	for _, tool := range res.Plan.Tools {
		switch tool.Name {
		case "t":
			if !reflect.DeepEqual(tool.Response, want) {
				t.Errorf("got\n%+v\nwant\n%+v", tool.Response, want)
			}
		case "other":
			r := tool.Response
			if r.Kind != "" || r.XML != nil || r.As != "table" || r.MaxItems != 10 || r.Select.Drop[0][0].Name != "node_id" || len(r.Advice) != 1 {
				t.Errorf("other: %+v", r)
			}
		}
	}
	if len(res.Plan.Tools) != 2 {
		t.Error("tools are missing")
	}
}
