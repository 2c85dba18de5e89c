package shape

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestTable(t *testing.T) {
	var wide strings.Builder
	for i := range maxColumns + 1 {
		fmt.Fprintf(&wide, `,"c%d":1`, i)
	}
	for _, c := range []struct{ name, in, want string }{
		{"rows", ` [ {"a":1,"b":"x"} , {"b":"y","c":true,"a":2.50} ] `, "a\tb\tc\n1\tx\t\n2.50\ty\ttrue"},
		{"objects inside", `[{"u":{"n":"x","p":{"q":1}},"e":{}},{"u":null}]`, "u.n\tu.p.q\te\tu\nx\t1\t{}\t\n\t\t\t"},
		{"deep objects", `[{"a":{"b":{"c":{"d":{"e":1}}}}}]`, "a.b.c.d\n" + `{"e":1}`},
		{"lists inside", `[{"l":[ 1 , "a\tb" , {"x" : 2} ]}]`, "l\n" + `[1,"a\tb",{"x":2}]`},
		{"what would break a row", `[{"a\tb":"1\t2\n3\r4\\5"}]`, "a\\tb\n1\\t2\\n3\\r4\\\\5"},
		{"scalars", `["a",null,1]`, "value\na\n\n1"},
		{"mixed", `[{"a":1},"x",[2]]`, "a\tvalue\n1\t\n\tx\n\t[2]"},
		{"an object", `{"total":2,"page":{"no":1},"items":[{"id":1},{"id":2}],"tags":["a"],"more":null}`, "total: 2\npage.no: 1\ntags: [\"a\"]\nmore: \n\nitems:\nid\n1\n2"},
		{"an object of one list", `{"items":[{"id":1}]}`, "items:\nid\n1"},
		{"a text", `"a\tb"`, "a\tb"},
		{"nothing", `[]`, ""},
		{"too wide", "[{" + wide.String()[1:] + "}]", ""},
	} {
		if got := Table([]byte(c.in)); got != c.want {
			t.Errorf("%s:\n%q\n%q", c.name, got, c.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an object", `{"id":1,"who":{"name":"Ann"},"tags":["a","b"],"none":null,"no":[],"text":"one\n\n# two\r\n"}`,
			"- **id**: 1\n- **who**:\n  - **name**: Ann\n- **tags**:\n  - a\n  - b\n- **none**: –\n- **no**: []\n- **text**:\n  > one\n  >\n  > # two"},
		{"a list of objects", `[{"id":1,"l":[{"x":1,"y":2}]},{"id":2}]`, "## 1\n\n- **id**: 1\n- **l**:\n  -\n    - **x**: 1\n    - **y**: 2\n\n## 2\n\n- **id**: 2"},
		{"a list of scalars", `[1,"x"]`, "- 1\n- x"},
		{"names that would break it", `{"a\n# b":1}`, "- **a # b**: 1"},
		{"deep", `{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}`, "- **a**:\n  - **b**:\n    - **c**:\n      - **d**:\n        - **e**: {\"f\":1}"},
		{"a text", `"# x"`, "# x"},
		{"nothing", `[]`, ""},
	} {
		if got := Markdown([]byte(c.in)); got != c.want {
			t.Errorf("%s:\n%s\n%s", c.name, got, c.want)
		}
	}
}

func TestEmpty(t *testing.T) {
	for v, want := range map[string]bool{"null": true, " [ ] ": true, "{\n}": true, `""`: true, `" "`: false, "[0]": false, "0": false, "false": false} {
		if Empty([]byte(v)) != want {
			t.Error(v)
		}
	}
}

// Every element is a line, whatever is in it.
func FuzzText(f *testing.F) {
	f.Add([]byte(`[{"a":{"b":[1,"\n"]},"c":"x\ty"},{"c":null},"z"]`))
	f.Add([]byte(`{"a":[{"b":1}],"c":{"d":""}}`))
	f.Fuzz(func(t *testing.T, v []byte) {
		if !jsontext.Value(v).IsValid() {
			return
		}
		Markdown(v)
		Empty(v)
		if text := Table(v); text != "" && trim(v)[0] == '[' && strings.Count(text, "\n") != Count(v) && Count(v) > 0 {
			t.Errorf("%s\n%s", v, text)
		}
	})
}
