package openapi

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

const pathDocument = `{"store":{"book":[{"t":"A","p":8.95,"c":"x"},{"t":"B","p":12.99},{"t":"it's","p":8.95e0,"i":"1"}],"bike":{"p":19}},"a b":{"":1},"é":null}`

func TestJSONPath(t *testing.T) {
	root, diags := readText(&diag.Source{Name: "x.json", Text: []byte(pathDocument)})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	for _, c := range [][2]string{
		{`$`, pathDocument},
		{`$.store.bike`, `{"p":19}`},
		{`$['a b']['']`, `1`},
		{`$.é`, `null`},
		{`$["\u00e9"]`, `null`},
		{`$.store.book[0].t`, `"A"`},
		{`$.store.book[-1].t`, `"it's"`},
		{`$.store.book[5]`, ``},
		{`$.store.book[*].t`, `"A" "B" "it's"`},
		{`$.store.book[1:].t`, `"B" "it's"`},
		{`$.store.book[:-1].t`, `"A" "B"`},
		{`$.store.book[::2].t`, `"A" "it's"`},
		{`$.store.book[::-1].t`, `"it's" "B" "A"`},
		{`$.store.book[0, 2, 0].t`, `"A" "it's"`},
		{`$..p`, `8.95 12.99 8.95e0 19`},
		{`$..book[0].c`, `"x"`},
		{`$..['p','t']`, `8.95 "A" 12.99 "B" 8.95e0 "it's" 19`},
		{`$.store.book[?@.c].t`, `"A"`},
		{`$.store.book[?!@.c].t`, `"B" "it's"`},
		{`$.store.book[?@.p == 8.950].t`, `"A" "it's"`},
		{`$.store.book[?@.p > 10 || @.t == 'A'].t`, `"A" "B"`},
		{`$.store.book[?(@.p < 10 && @.i)].t`, `"it's"`},
		{`$.store.book[?@.t == 'it\'s'].t`, `"it's"`},
		{`$.store.book[?@.t != "A"].t`, `"B" "it's"`},
		{`$.store.book[?@.p <= $.store.book[0].p].t`, `"A" "it's"`},
		{`$.store.book[?match(@.t, '[A-Z]')].t`, `"A" "B"`},
		{`$.store.book[?search(@.t, "t's")].t`, `"it's"`},
		{`$.store.book[?length(@.t) > 1].t`, `"it's"`},
		{`$.store[?@.none == @.nothing].p`, `19`},
		{`$.store.book[?@.i == 1].t`, ``},
		{`$[?@ == null]`, `null`},

		{`store`, `error: a path begins with $`},
		{`$.`, `error: the path ends too early`},
		{`$.store[`, `error: the path ends too early`},
		{`$.store]`, `error: the path cannot be read from "]" on`},
		{`$['a`, `error: the path cannot be read from "'a" on`},
		{`$[?@.a =! 1]`, `error: the path cannot be read from "=! 1]" on`},
		{`$[?1]`, `error: the path cannot be read from "]" on`},
		{`$[?match(@.a, '(')]`, "error: the pattern is wrong: error parsing regexp: missing closing ): `^(?:()$`"},
		{`$[?` + strings.Repeat("(", 100) + `@]`, `error: the path is nested too deeply`},
	} {
		var got []string
		path, err := compilePath(c[0])
		if err == nil {
			var spots []spot
			if spots, err = path.find(root); err == nil {
				for _, s := range spots {
					got = append(got, s.node.JSON())
				}
			}
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], text, c[1])
		}
	}
}

// Paths over large documents stop instead of taking minutes.
func TestJSONPathIsBounded(t *testing.T) {
	n := specs.NewArray()
	for range 100 {
		n = specs.NewArray(n)
	}
	for _, text := range []string{"$..*..*..*..*..*", "$..*[?$..*..*..*..* == 1]"} {
		path, err := compilePath(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := path.find(n); err == nil {
			t.Errorf("%s is evaluated to its end", text)
		}
	}
}

func FuzzOverlay(f *testing.F) {
	for _, s := range []string{`$.paths..*`, `$.paths['/a'].get`, `$..[?@.name=='q']`, `$.paths`, `$[::-1]`, `$..parameters[0,-1]`} {
		f.Add(s, `{"x":[1]}`, false)
		f.Add(s, `[]`, true)
	}
	doc := `{"openapi":"3.1.0","info":{"title":"T","version":"1"},"servers":[{"url":"https://a.example"}],"paths":{"/a":{"get":{"x-mcp":{"name":"a"},"parameters":[{"name":"q","in":"query","schema":{"type":"string"}}],"responses":{}}}}}`
	f.Fuzz(func(t *testing.T, target, update string, remove bool) {
		v, _ := readText(&diag.Source{Name: "u.json", Text: []byte(update)})
		if v == nil {
			return
		}
		p := newParser(t.Context(), &specs.Reader{}, Options{})
		src := &diag.Source{Name: "x.json", Text: []byte(doc)}
		file := p.add("x.json", src)
		p.root, p.doc = file, file.root
		p.readVersion()
		a := specs.NewObject(specs.F("target", specs.NewString(target)), specs.F("update", v), specs.F("remove", specs.NewBool(remove)))
		p.action(a)
		p.api()
		_ = p.doc.JSON()
	})
}
