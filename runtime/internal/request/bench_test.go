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

// xmlBody is a template as the compiler makes one: an envelope, texts and
// attributes, and a list unrolled.
func xmlBody(values int) *plan.Body {
	text := func(s string) plan.Expr { return plan.Expr{Op: plan.OpConst, Const: s} }
	value := func(function, name string) plan.Expr {
		return plan.Expr{Op: plan.OpCall, Name: function, Args: []plan.Expr{{Op: plan.OpArg, Name: name}}}
	}
	x := plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{
		text(`"<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><Order xmlns=\"urn:erp\" no=\""`),
		value("xmlattribute", "no"), text(`"\"><Why>"`), value("xmltext", "why"), text(`"</Why>"`)}}
	for range values {
		x.Args = append(x.Args, text(`"<Line><Sku>"`), value("xmltext", "sku"), text(`"</Sku><Qty>"`), value("xmltext", "qty"), text(`"</Qty></Line>"`))
	}
	x.Args = append(x.Args, text(`"</Order></soap:Body></soap:Envelope>"`))
	return &plan.Body{Value: &x, Codec: plan.XML, Media: "text/xml; charset=utf-8", Required: true}
}

func BenchmarkSOAPBody(b *testing.B) {
	for name, lines := range map[string]int{"small": 0, "100 lines": 100} {
		b.Run(name, func(b *testing.B) {
			builder, err := Compile(plan.Upstream{BaseURL: "https://erp.example"}, plan.Request{Method: "POST", Accept: "text/xml",
				Path: []plan.Segment{literal("/orders.asmx")}, Body: xmlBody(lines)})
			if err != nil {
				b.Fatal(err)
			}
			a := arguments(b, `{"no":"10442","why":"the customer said <no> & left","sku":"A-1","qty":3}`)
			env := &expr.Env{Args: a.Values}
			b.ReportAllocs()
			for b.Loop() {
				r, err := builder.Build(b.Context(), env, a)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(r.Body)))
			}
		})
	}
}
