package codegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Values that fit a schema pass through its type unchanged, integers digit for
// digit: whatever the types of the golden archives are made of. One program
// holds all types; it decodes and encodes what it is given.
func TestValuesSurviveTheirTypes(t *testing.T) {
	archives, err := filepath.Glob("testdata/types/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := map[string]string{}
	add := func(name, text string) {
		put(t, dir, name, text)
		overlay[filepath.Join(root, "codegen", "roundtrip", filepath.FromSlash(name))] = filepath.Join(dir, filepath.FromSlash(name))
	}
	type value struct{ typ, text string }
	var values []value
	var imports, cases strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, m := compile(t, schemasDocument(t, a.Files[0].Data))
		s, err := newServer(p, m, "api")
		if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimSuffix(filepath.Base(name), ".txtar") + "types"
		add(pkg+"/types.go", strings.Replace(file(t, generate(t, p, m), "types.go"), "package api", "package "+pkg, 1))
		fmt.Fprintf(&imports, "%q\n", runtimePath[:len(runtimePath)-len("runtime")]+"codegen/roundtrip/"+pkg)
		g := &valuesOf{Rand: r, defs: map[string]*node{}}
		for i := range m.Defs {
			if g.defs["#/$defs/"+m.Defs[i].Key], err = parse(m.Defs[i].Schema); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range s.defs {
			typ := pkg + "." + d.name
			fmt.Fprintf(&cases, "case %q:\nv = new(%s)\n", typ, typ)
			for range 40 {
				g.endless = false
				if text := g.value(g.defs["#/$defs/"+d.def.Key], 0); !g.endless {
					values = append(values, value{typ, text})
				}
			}
		}
	}
	add("main.go", `package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/typed"
	`+imports.String()+`)

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		typ, text, _ := strings.Cut(in.Text(), " ")
		var v any
		switch typ {
		`+cases.String()+`
		}
		err := typed.Unmarshal([]byte(text), v)
		var b []byte
		if err == nil {
			b, err = typed.Marshal(v)
		}
		if err != nil {
			b = []byte("error: " + err.Error())
		}
		fmt.Println(string(b))
	}
}
`)
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "overlay.json", string(b))
	var in strings.Builder
	for _, v := range values {
		in.WriteString(v.typ + " " + v.text + "\n")
	}
	cmd := exec.Command("go", "run", "-overlay", filepath.Join(dir, "overlay.json"), "./codegen/roundtrip")
	cmd.Dir, cmd.Stdin, cmd.Stderr = root, strings.NewReader(in.String()), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(values) || len(values) == 0 {
		t.Fatalf("%d values, %d answers", len(values), len(lines))
	}
	for i, v := range values {
		if !sameJSON(v.text, lines[i]) {
			t.Errorf("%s: %s became %s", v.typ, v.text, lines[i])
		}
	}
}

// sameJSON compares values, numbers as they are written and members in any order.
func sameJSON(a, b string) bool {
	var values [2]any
	for i, text := range []string{a, b} {
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		if d.Decode(&values[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// valuesOf makes JSON values that fit schemas.
type valuesOf struct {
	*rand.Rand
	defs    map[string]*node
	endless bool // the last value has no end: what is required requires itself
}

func (g *valuesOf) value(n *node, depth int) string {
	if n == nil || n.kind != '{' {
		return g.pick(`null`, `1`, `"x"`, `[true]`, `{"a": 18446744073709551616}`)
	}
	if d := g.defs[n.str("$ref")]; d != nil && n.get("allOf") == nil {
		return g.value(d, depth+1)
	}
	types, null := n.types()
	if null && (len(types) == 0 || g.IntN(3) == 0) {
		return "null"
	}
	if values := slices.Concat(n.list("enum"), []*node{n.get("const")}); values[0] != nil {
		v := values[g.IntN(max(len(values)-1, 1))]
		if v.kind == '"' {
			return strconv.Quote(v.text)
		}
		return v.text
	}
	if either := slices.Concat(n.list("oneOf"), n.list("anyOf")); len(either) > 0 {
		return g.value(either[g.IntN(len(either))], depth+1)
	}
	kind := ""
	if len(types) > 0 {
		kind = types[g.IntN(len(types))]
	}
	switch {
	case kind == "object" || n.get("allOf") != nil:
		return g.object(n, depth)
	case kind == "array":
		list := make([]string, g.IntN(max(4-depth, 1)))
		for i := range list {
			list[i] = g.value(n.get("items"), depth+1)
		}
		return "[" + strings.Join(list, ",") + "]"
	case kind == "string":
		return g.pick(`""`, `"a"`, `"2026-01-02T03:04:05.000Z"`, `"\u0000\"\\\u2028</script>"`, `"日本"`)
	case kind == "boolean":
		return g.pick("true", "false")
	case kind == "integer":
		switch integer(n.str("format"), n).name {
		case "int32":
			return g.pick("0", "2147483647", "-2147483648")
		case "uint64":
			return g.pick("0", "18446744073709551615")
		case "Number":
			return g.pick("0", "99999999999999999999")
		}
		return g.pick("0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808")
	case kind == "number":
		if n.str("format") == "decimal" {
			return g.pick("1.50", "0.1000000000000000055", "100")
		}
		return g.pick("0", "1.5", "-0.25", "3")
	}
	return g.value(nil, depth)
}

// object has the members of n and of all it combines; optional ones sometimes,
// and seldom far down.
func (g *valuesOf) object(n *node, depth int) string {
	members := map[string]string{}
	var extra *node
	var collect func(n *node)
	collect = func(n *node) {
		if d := g.defs[n.str("$ref")]; d != nil {
			collect(d)
		}
		for _, part := range n.list("allOf") {
			collect(part)
		}
		if props := n.get("properties"); props != nil {
			for _, m := range props.members {
				required := slices.ContainsFunc(n.list("required"), func(r *node) bool { return r.text == m.name })
				g.endless = g.endless || required && depth > 6
				if depth <= 6 && (required || g.IntN(2+2*depth) == 0) {
					members[m.name] = g.value(m.value, depth+1)
				}
			}
		}
		if e := n.get("additionalProperties"); e != nil && e.kind == '{' {
			extra = e
		}
	}
	collect(n)
	if extra != nil {
		for _, name := range []string{"other", "größer", "-"} {
			if g.IntN(2) == 0 {
				members[name] = g.value(extra, depth+1)
			}
		}
	}
	var list []string
	for name, v := range members {
		list = append(list, strconv.Quote(name)+":"+v)
	}
	slices.Sort(list)
	return "{" + strings.Join(list, ",") + "}"
}

func (g *valuesOf) pick(texts ...string) string { return texts[g.IntN(len(texts))] }
