package openapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": [1, -0.5e+3, 9007199254740993, true, false, null, "x"]}`: `{"a":[1,-0.5e+3,9007199254740993,true,false,null,"x"]}`,
		`"\u00e4\ud83d\ude00\"\\\/\b\f\n\r\t"`:                          `"ä😀\"\\/\u0008\u000c\n\r\t"`,
		`"\ud83d x \ude00"`:                                             `"` + "\uFFFD x \uFFFD" + `"`,
		"{}":                                                            "{}",
		" [ ] ":                                                         "[]",
		`{"a":1,"b":2,"a":3}`:                                           `{"a":3,"b":2}`,
		`{"b":1,"a":{"z":0}}`:                                           `{"b":1,"a":{"z":0}}`,
	} {
		n, _ := readJSON(&diag.Source{Text: []byte(text)}, text)
		if n == nil {
			t.Errorf("%s was not read", text)
			continue
		}
		equal(t, text, n.JSON(), want)
	}
	for _, text := range []string{"", "{", "[1", `"a`, `"\u12"`, `"\x"`, "01", "1.", "-", "1e", "tru", "[1,]", `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1,}`, "1 2", "\"a\nb\"", "[1 2]", `"\`, "'a'", "+1", ".5"} {
		if n, diags := readJSON(&diag.Source{Text: []byte(text)}, text); n != nil || !diags.HasErrors() {
			t.Errorf("%q was read as %s", text, n.JSON())
		}
	}
}

func TestYAML(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: 007\nc: 0x1F\nd: 0o17\ne: 1_000\nf: +1\ng: -0b11":         `{"a":1,"b":7,"c":31,"d":15,"e":1000,"f":1,"g":-3}`,
		"a: 1.10\nb: .5\nc: 1.\nd: 1e3\ne: 12345678901234567890123\nf: -.5": `{"a":1.10,"b":0.5,"c":1.0,"d":1e3,"e":12345678901234567890123,"f":-0.5}`,
		"a: .inf\nb: .nan": `{"a":".inf","b":".nan"}`,
		"a: yes\nb: true\nc: False\nd: 'true'\ne: on":         `{"a":"yes","b":true,"c":false,"d":"true","e":"on"}`,
		"a: null\nb: ~\nc:\nd: 'null'":                        `{"a":null,"b":null,"c":null,"d":"null"}`,
		"a: 2020-01-01\nb: 12:30":                             `{"a":"2020-01-01","b":"12:30"}`,
		"200: x\ntrue: y\nnull: z\n1.50: w":                   `{"200":"x","true":"y","null":"z","1.50":"w"}`,
		"a: !!str 5\nb: !x y\nc: !!int '5'":                   `{"a":"5","b":"y","c":5}`,
		"a: |\n  x\n  y\nb: >\n  x\n  y\n":                    `{"a":"x\ny\n","b":"x y\n"}`,
		"a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, k: 3}":        `{"a":{"k":1,"l":2},"b":{"k":1,"l":2},"c":{"k":3,"l":2}}`,
		"a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}": `{"a":{"k":1},"b":{"k":2,"m":3},"c":{"k":1,"m":3}}`,
		"a: 1\na: 2":              `{"a":2}`,
		"{a: [1, b], 'c': \"d\"}": `{"a":[1,"b"],"c":"d"}`,
		"? [x]\n: 1\nb: 2":        `{"b":2}`,
		"a: 1\n---\nb: 2":         `{"a":1}`,
	} {
		n, diags := readYAML(&diag.Source{Text: []byte(text)}, text, 0)
		if n == nil {
			t.Errorf("%s was not read: %v", text, diags)
			continue
		}
		equal(t, text, n.JSON(), want)
	}
	for _, text := range []string{"a: [", "a: b: c", "\ta: 1", "*x", "a: 'b", "%x"} {
		if n, diags := readYAML(&diag.Source{Text: []byte(text)}, text, 0); n != nil || !diags.HasErrors() {
			t.Errorf("%q was read as %s", text, n.JSON())
		}
	}
}

// Every value knows where it is written.
func TestPlaces(t *testing.T) {
	for _, text := range []string{
		`{"key": "ä", "list": [12, {"x": true}], "deep": {"a": null}}`,
		"key: 'it''s ä'\r\nlist:\r\n  - 12\r\n  - x: true\r\n\"quo\\\"ted\": \"a\\tb\" # ü\n'': plain text\nflow: {ü: [1, \"ö\"], z: -5}\nblock: |\n  text\n",
	} {
		src := &diag.Source{Text: []byte(text)}
		n, diags := readText(src)
		if n == nil {
			t.Fatal(diags)
		}
		var lines []string
		var walk func(n *specs.Node)
		walk = func(n *specs.Node) {
			for _, f := range n.Fields {
				key := ""
				if f.KeyStart >= 0 {
					r := f.KeyRange()
					key = text[r.Start:r.End]
				}
				lines = append(lines, fmt.Sprintf("%s = %s", key, text[f.Value.Start:f.Value.End]))
				walk(f.Value)
			}
		}
		walk(n)
		want := `"key" = "ä"
"list" = [12, {"x": true}]
 = 12
 = {"x": true}
"x" = true
"deep" = {"a": null}
"a" = null`
		if text[0] == 'k' {
			want = `key = 'it''s ä'
list = - 12
  - x: true
 = 12
 = x: true
x = true
"quo\"ted = "a\tb"
'' = plain text
flow = {ü: [1, "ö"], z: -5}
ü = [1, "ö"]
 = 1
 = "ö"
z = -5
block = |`
		}
		equal(t, text, strings.ReplaceAll(strings.Join(lines, "\n"), "\r", ""), want)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,-0.5e3,"\u00e4\ud83d\ude00",true,null],"a":{}}`)
	f.Add(`{"` + strings.Repeat("\xa9", 200) + `" 1`)
	f.Add(strings.Repeat("[", 300))
	f.Fuzz(func(t *testing.T, text string) {
		src := &diag.Source{Text: []byte(text)}
		n, diags := readJSON(src, text)
		checkTree(t, src, n)
		checkPlaces(t, diags)
		if n == nil && !diags.HasErrors() {
			t.Error("nothing was read and nothing said")
		}
		if n != nil {
			again, _ := readJSON(&diag.Source{}, n.JSON())
			if again == nil || again.JSON() != n.JSON() {
				t.Errorf("%s is read as another value", n.JSON())
			}
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add("a: &x {k: 1}\nb: *x\nc: {<<: *x}\n? [q]\n: |\n  text\n")
	f.Add("- 0x1F\n- .5\n- 1_0\n- 'it''s'\n- \"\\u00e4\"\n- ~\n")
	f.Fuzz(func(t *testing.T, text string) {
		src := &diag.Source{Text: []byte(text)}
		n, diags := readYAML(src, text, 0)
		checkTree(t, src, n)
		checkPlaces(t, diags)
		if n == nil && !diags.HasErrors() {
			t.Error("nothing was read and nothing said")
		}
		if n != nil {
			if again, _ := readJSON(&diag.Source{}, n.JSON()); again == nil {
				t.Errorf("%s is no JSON", n.JSON())
			}
		}
	})
}

// checkTree reports places outside of the text.
func checkTree(t testing.TB, src *diag.Source, n *specs.Node) {
	if n == nil {
		return
	}
	if n.Source != src || n.Start < 0 || n.End < n.Start || int(n.End) > len(src.Text) {
		t.Errorf("place %d to %d of %d bytes", n.Start, n.End, len(src.Text))
	}
	for _, f := range n.Fields {
		if r := f.KeyRange(); r.Start < 0 || r.End < r.Start || r.End > len(src.Text) {
			t.Errorf("key at %d to %d of %d bytes", r.Start, r.End, len(src.Text))
		}
		checkTree(t, src, f.Value)
	}
}
