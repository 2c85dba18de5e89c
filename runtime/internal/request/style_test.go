package request

import (
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// build compiles and runs one request; target is the path and query on the
// wire.
func build(t *testing.T, r plan.Request, text string) (*Request, error) {
	t.Helper()
	if r.Method == "" {
		r.Method = "GET"
	}
	b, err := Compile(plan.Upstream{BaseURL: "https://api.example"}, r)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	b.boundary = func() string { return "B" }
	return b.Build(t.Context(), nil, arguments(t, text))
}

func arguments(t testing.TB, text string) args.Args {
	t.Helper()
	a, err := args.Decode([]byte(text))
	if err != nil {
		t.Fatalf("arguments: %v", err)
	}
	return a
}

func literal(s string) plan.Segment { return plan.Segment{Literal: s} }

func pathParam(p plan.Param) []plan.Segment {
	p.Arg = p.Name
	return []plan.Segment{literal("/p/"), {Param: &p}}
}

// TestStyleTable is the table "Style Examples" of OpenAPI 3.1.1 (section
// 4.8.12.4), whose columns are the empty string, a string, an array and an
// object, as sent here: with everything percent-encoded that RFC 6570 encodes.
func TestStyleTable(t *testing.T) {
	columns := []string{`{"color":""}`, `{"color":"blue"}`, `{"color":["blue","black","brown"]}`, `{"color":{"R":100,"G":200,"B":150}}`}
	const no = "refused"
	tests := []struct {
		where   string
		style   plan.Style
		explode bool
		want    [4]string
	}{
		{"path", plan.Matrix, false, [4]string{"/p/;color", "/p/;color=blue", "/p/;color=blue,black,brown", "/p/;color=R,100,G,200,B,150"}},
		{"path", plan.Matrix, true, [4]string{"/p/;color", "/p/;color=blue", "/p/;color=blue;color=black;color=brown", "/p/;R=100;G=200;B=150"}},
		{"path", plan.Label, false, [4]string{no, "/p/.blue", "/p/.blue,black,brown", "/p/.R,100,G,200,B,150"}},
		{"path", plan.Label, true, [4]string{no, "/p/.blue", "/p/.blue.black.brown", "/p/.R=100.G=200.B=150"}},
		{"path", plan.Simple, false, [4]string{no, "/p/blue", "/p/blue,black,brown", "/p/R,100,G,200,B,150"}},
		{"path", plan.Simple, true, [4]string{no, "/p/blue", "/p/blue,black,brown", "/p/R=100,G=200,B=150"}},
		{"header", plan.Simple, false, [4]string{"", "blue", "blue,black,brown", "R,100,G,200,B,150"}},
		{"header", plan.Simple, true, [4]string{"", "blue", "blue,black,brown", "R=100,G=200,B=150"}},
		{"query", plan.Form, false, [4]string{"color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"}},
		{"query", plan.Form, true, [4]string{"color=", "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"}},
		{"cookie", plan.Form, false, [4]string{"color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"}},
		{"cookie", plan.Form, true, [4]string{"color=", "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"}},
		{"cookie", plan.StyleCookie, false, [4]string{"color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"}},
		{"cookie", plan.StyleCookie, true, [4]string{"color=", "color=blue", "color=blue; color=black; color=brown", "R=100; G=200; B=150"}},
		{"query", plan.SpaceDelimited, false, [4]string{"color=", "color=blue", "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150"}},
		{"query", plan.SpaceDelimited, true, [4]string{"color=", "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"}},
		{"query", plan.PipeDelimited, false, [4]string{"color=", "color=blue", "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150"}},
		{"query", plan.TabDelimited, false, [4]string{"color=", "color=blue", "color=blue%09black%09brown", "color=R%09100%09G%09200%09B%09150"}},
		{"query", plan.DeepObject, true, [4]string{"color=", "color=blue", "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown", "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"}},
	}
	for _, tt := range tests {
		for i, column := range columns {
			p := plan.Param{Name: "color", Arg: "color", Style: tt.style, Explode: tt.explode}
			r := plan.Request{Path: []plan.Segment{literal("/p")}}
			switch tt.where {
			case "path":
				r.Path = pathParam(p)
			case "query":
				r.Query = []plan.Param{p}
			case "header":
				r.Header = []plan.Param{p}
			case "cookie":
				r.Cookie = []plan.Param{p}
			}
			got := no
			if req, err := build(t, r, column); err == nil {
				switch tt.where {
				case "path":
					got = req.URL.EscapedPath()
				case "query":
					got = req.URL.RawQuery
				default:
					got = req.Header.Get(map[string]string{"header": "color", "cookie": "cookie"}[tt.where])
				}
			}
			if got != tt.want[i] {
				t.Errorf("%s %s explode=%v %s\n got %s\nwant %s", tt.where, tt.style, tt.explode, column, got, tt.want[i])
			}
		}
	}
}
