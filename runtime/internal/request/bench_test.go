package request

import (
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func BenchmarkPathAndQuery(b *testing.B) {
	r := plan.Request{Method: "GET", Accept: "application/json",
		Path:  []plan.Segment{literal("/repos/"), {Param: &plan.Param{Name: "owner", Arg: "owner"}}, literal("/"), {Param: &plan.Param{Name: "repo", Arg: "repo"}}, literal("/issues")},
		Query: []plan.Param{{Name: "state", Arg: "state", Style: plan.Form, Explode: true}, {Name: "per_page", Arg: "per_page", Style: plan.Form, Explode: true}, {Name: "page", Arg: "page", Style: plan.Form, Explode: true}},
	}
	builder, err := Compile(plan.Upstream{BaseURL: "https://api.github.com"}, r)
	if err != nil {
		b.Fatal(err)
	}
	a := arguments(b, `{"owner":"octo","repo":"hello world","state":"open","per_page":100}`)
	env := &expr.Env{Args: a.Values}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := builder.Build(b.Context(), env, a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSONBody(b *testing.B) {
	builder, err := Compile(plan.Upstream{BaseURL: "https://api.github.com"}, plan.Request{Method: "POST", Accept: "application/json",
		Path: []plan.Segment{literal("/issues")}, Body: &plan.Body{Arg: "body", Codec: plan.JSON, Media: "application/json"}})
	if err != nil {
		b.Fatal(err)
	}
	a := arguments(b, `{"body":{"title":"x","labels":["a","b"]}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := builder.Build(b.Context(), nil, a); err != nil {
			b.Fatal(err)
		}
	}
}
