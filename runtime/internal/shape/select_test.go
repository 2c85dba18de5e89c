package shape

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// paths reads paths as an author writes them, without escapes.
func paths(list ...string) []plan.Path {
	var out []plan.Path
	for _, text := range list {
		var p plan.Path
		deep := false
		for part := range strings.SplitSeq(strings.ReplaceAll(text, "[]", ""), ".") {
			if part == "**" {
				deep = true
				continue
			}
			p = append(p, plan.PathStep{Name: part, Glob: strings.Contains(part, "*"), Deep: deep})
			deep = false
		}
		out = append(out, p)
	}
	return out
}

func selector(t testing.TB, s plan.Selection, most int) *Selector {
	t.Helper()
	m, err := NewSelector(&s, most)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSelect(t *testing.T) {
	const issue = `{"id":9007199254740993,"price":1.50,"title":"a\"b","user":{"login":"x","id":1,"avatar_url":"u"},"labels":[{"name":"bug","id":1},{"id":2},"c",null],"meta":null,"url":"y"}`
	for _, c := range []struct {
		name string
		s    plan.Selection
		most int
		in   string
		want string
	}{
		{"digits stay", plan.Selection{Fields: paths("id", "price")}, 0, issue, `{"id":9007199254740993,"price":1.50}`},
		{"order is the answer's", plan.Selection{Fields: paths("url", "id")}, 0, issue, `{"id":9007199254740993,"url":"y"}`},
		{"below an object", plan.Selection{Fields: paths("user.login")}, 0, issue, `{"user":{"login":"x"}}`},
		{"below a list", plan.Selection{Fields: paths("labels[].name")}, 0, issue, `{"labels":[{"name":"bug"},{}]}`},
		{"a list needs no mark", plan.Selection{Fields: paths("labels.name")}, 0, issue, `{"labels":[{"name":"bug"},{}]}`},
		{"a whole member", plan.Selection{Fields: paths("user", "user.login")}, 0, issue, `{"user":{"login":"x","id":1,"avatar_url":"u"}}`},
		{"nothing fits", plan.Selection{Fields: paths("nope", "user.nope", "id.x", "meta.x")}, 0, issue, `{}`},
		{"null is a value", plan.Selection{Fields: paths("meta")}, 0, issue, `{"meta":null}`},
		{"no field at all", plan.Selection{Fields: []plan.Path{}}, 0, `[{"a":1},2,[3,{"b":4}]]`, `[{},[{}]]`},
		{"at every depth", plan.Selection{Fields: paths("**.id")}, 0, issue, `{"id":9007199254740993,"user":{"id":1},"labels":[{"id":1},{"id":2}]}`},
		{"below, at every depth", plan.Selection{Fields: paths("user.**.id", "labels.**.id")}, 0, issue, `{"user":{"id":1},"labels":[{"id":1},{"id":2}]}`},
		{"drop", plan.Selection{Drop: paths("**.*_url", "url", "labels")}, 0, issue, `{"id":9007199254740993,"price":1.50,"title":"a\"b","user":{"login":"x","id":1},"meta":null}`},
		{"drop wins", plan.Selection{Fields: paths("user", "id"), Drop: paths("**.id")}, 0, issue, `{"user":{"login":"x","avatar_url":"u"}}`},
		{"drop leaves an empty object", plan.Selection{Drop: paths("a.b")}, 0, `{"a":{"b":1},"c":{}}`, `{"a":{},"c":{}}`},
		{"globs", plan.Selection{Fields: paths("a*c*e", "*")}, 0, `{"ace":1}`, `{"ace":1}`},
		{"globs do not fit", plan.Selection{Fields: paths("a*c*e", "x*", "*y")}, 0, `{"acb":1,"ax":2,"ya":3,"abcde":4,"xy":{"z":1}}`, `{"abcde":4,"xy":{"z":1}}`},
		{"one level", plan.Selection{Fields: paths("*.id")}, 0, issue, `{"user":{"id":1},"labels":[{"id":1},{"id":2}]}`},
		{"names are read, not compared as text", plan.Selection{Fields: paths("é", "a\"b", "x\ty")}, 0, `{"\u00e9":1,"a\"b":2,"x\u0009y":3,"\\u00e9":4}`, `{"\u00e9":1,"a\"b":2,"x\u0009y":3}`},
		{"root", plan.Selection{Root: []string{"data", "items"}}, 0, ` { "n" : 1 , "data" : { "x" : [ { } ] , "items" : [ 1 , 2 ] } } `, `[ 1 , 2 ]`},
		{"root and fields", plan.Selection{Root: []string{"items"}, Fields: paths("a")}, 0, `{"items":[{"a":1,"b":2},{"b":3}],"a":9}`, `[{"a":1},{}]`},
		{"root that is not there", plan.Selection{Root: []string{"items", "x"}}, 0, `{"items":[]}`, `null`},
		{"a list that is not there", plan.Selection{Root: []string{"ORDERS", "ORDER"}, List: true}, 0, `{"ORDERS":""}`, `[]`},
		{"a list that is null", plan.Selection{Root: []string{"a"}, List: true, Fields: paths("x")}, 0, `{"a": null }`, `[]`},
		{"a list of one", plan.Selection{Root: []string{"a"}, List: true, Fields: paths("x")}, 5, `{"a": {"x":1,"y":2} }`, `[{"x":1}]`},
		{"a list of one scalar", plan.Selection{Root: []string{"a"}, List: true}, 0, `{"a":1}`, `[1]`},
		{"a list that is one", plan.Selection{Root: []string{"a"}, List: true}, 0, `{"a":[1]}`, `[1]`},
		{"a scalar stays", plan.Selection{Fields: paths("a"), Drop: paths("b")}, 0, ` "x" `, `"x"`},
		{"null stays", plan.Selection{Root: []string{"a"}, Fields: paths("a")}, 0, `{"a":null}`, `null`},
		{"max items", plan.Selection{}, 2, `[1, {"a":[1,2,3,4]} ,3]`, `[1,{"a":[1,2,3,4]}]`},
		{"max items of an object", plan.Selection{Fields: paths("a")}, 2, `{"a":[1,2,3]}`, `{"a":[1,2,3]}`},
		{"rename", plan.Selection{Rename: []plan.NamePair{{From: "a", To: "b"}, {From: "b", To: "a"}, {From: "@x", To: "x \"y\""}}}, 0,
			`{"a":1,"b":{"a":2},"c":[{"@x":3}]}`, `{"b":1,"a":{"b":2},"c":[{"x \"y\"":3}]}`},
		{"paths speak of new names", plan.Selection{Rename: []plan.NamePair{{From: "OLD", To: "new_url"}}, Fields: paths("n*", "OLD", "keep.new_url")}, 0,
			`{"OLD":1,"keep":{"OLD":2,"x":3}}`, `{"new_url":1,"keep":{"new_url":2}}`},
		{"lists in lists", plan.Selection{Fields: paths("m.v")}, 0, `{"m":[[{"v":1,"w":2}],[],[[{"w":3}]],7]}`, `{"m":[[{"v":1}],[],[[{}]]]}`},
		{"strings with what is structure elsewhere", plan.Selection{Fields: paths("b")}, 0, `{"a":"}],{\"\\","x":["]\\\"[",{"}":"{"}],"b":"ok\\"}`, `{"b":"ok\\"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := selector(t, c.s, c.most).Select([]byte(c.in)); string(got.Value) != c.want {
				t.Errorf("got  %s\nwant %s", got.Value, c.want)
			}
		})
	}
}

func TestSelectCounts(t *testing.T) {
	for _, c := range []struct {
		in          string
		kept, total int
	}{
		{`{"r":[1,2,3]}`, 2, 3}, {`{"r":[]}`, 0, 0}, {`{"r":[1]}`, 1, 1}, {`{"r":{"a":[1,2,3]}}`, 0, 0}, {`{}`, 0, 0}, {`[{"r":[1,2]}]`, 0, 0},
	} {
		got := selector(t, plan.Selection{Root: []string{"r"}}, 2).Select([]byte(c.in))
		if got.Kept != c.kept || got.Total != c.total {
			t.Errorf("%s: %+v", c.in, got)
		}
	}
}

// What is nested without end costs no memory without end, and nothing that drop
// names slips through further down.
func TestSelectDepth(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, MaxDepth) + `{"secret":1}` + strings.Repeat(`]}`, MaxDepth)
	got := selector(t, plan.Selection{Drop: paths("**.secret")}, 0).Select([]byte(deep))
	if !got.TooDeep || bytes.Contains(got.Value, []byte("secret")) || !jsontext.Value(got.Value).IsValid() {
		t.Errorf("too deep: %v, %s", got.TooDeep, got.Value)
	}
	got = selector(t, plan.Selection{Fields: paths("a")}, 0).Select([]byte(deep))
	if got.TooDeep || string(got.Value) != deep {
		t.Error("what is kept whole need not be looked into")
	}
}

func TestLookup(t *testing.T) {
	const v = ` {"a":{"b\"":[{"x":1},[{"y":{"z":2}}],null]},"n":null} `
	for _, c := range []struct{ path, want string }{
		{"a.b\".y.z", "2"}, {"a.b\".x", "1"}, {"n", "null"}, {"n.x", ""}, {"b", ""}, {"a.b\".w", ""}, {"a.b\".x.z", ""},
	} {
		if got := string(Lookup([]byte(v), strings.Split(c.path, "."))); got != c.want {
			t.Errorf("%s: %s", c.path, got)
		}
	}
}

func TestSelectMistakes(t *testing.T) {
	for _, s := range []plan.Selection{{Fields: []plan.Path{{}}}, {Drop: []plan.Path{slices.Repeat(plan.Path{{Name: "a"}}, maxPlaces)}}} {
		if _, err := NewSelector(&s, 0); err == nil {
			t.Error("no error")
		}
	}
	if _, err := NewSelector(nil, 0); err != nil {
		t.Error(err)
	}
}

// node is a decoded value that keeps order and text.
type node struct {
	text    string // of a scalar
	list    []node
	members []pair
	kind    jsontext.Kind
}

type pair struct {
	name  string
	value node
}

func parse(t testing.TB, text []byte) node {
	t.Helper()
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	var read func() node
	read = func() node {
		n := node{kind: dec.PeekKind()}
		switch n.kind {
		case '{', '[':
			_, _ = dec.ReadToken()
			for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
				if n.kind == '[' {
					n.list = append(n.list, read())
					continue
				}
				name, err := dec.ReadToken()
				if err != nil {
					t.Fatal(err)
				}
				key := name.String()
				n.members = append(n.members, pair{key, read()})
			}
			_, _ = dec.ReadToken()
		default:
			v, err := dec.ReadValue()
			if err != nil {
				t.Fatal(err)
			}
			n.text = string(v)
		}
		return n
	}
	return read()
}

func (n node) String() string {
	var b strings.Builder
	switch n.kind {
	case '{':
		for i, p := range n.members {
			name, _ := jsontext.AppendQuote(nil, p.name)
			fmt.Fprintf(&b, "%s%s:%s", []string{"{", ","}[min(i, 1)], name, p.value)
		}
		if len(n.members) == 0 {
			return "{}"
		}
		return b.String() + "}"
	case '[':
		var parts []string
		for _, e := range n.list {
			parts = append(parts, e.String())
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return n.text
}

// naive is [Selector.Select] by the book: every member is held to every path.
func naive(s plan.Selection, most int, n node) node {
	n = rename(s.Rename, n)
	for _, name := range s.Root {
		i := slices.IndexFunc(n.members, func(p pair) bool { return p.name == name })
		if i < 0 {
			return node{text: "null"}
		}
		n = n.members[i].value
	}
	n, _ = filter(s, n, nil, s.Fields == nil || n.text != "")
	if most > 0 && len(n.list) > most {
		n.list = n.list[:most]
	}
	return n
}

func rename(pairs []plan.NamePair, n node) node {
	for i := range n.list {
		n.list[i] = rename(pairs, n.list[i])
	}
	for i := range n.members {
		n.members[i].value = rename(pairs, n.members[i].value)
		for _, p := range pairs {
			if n.members[i].name == p.From {
				n.members[i].name = p.To
				break
			}
		}
	}
	return n
}

// filter returns what is left of n and whether that is anything.
func filter(s plan.Selection, n node, at []string, keep bool) (node, bool) {
	out, left := node{kind: n.kind, text: n.text}, keep
	switch n.kind {
	case '[':
		for _, e := range n.list {
			f, some := filter(s, e, at, keep)
			if left = left || some; some || f.text == "" {
				out.list = append(out.list, f)
			}
		}
	case '{':
		for _, p := range n.members {
			here := append(slices.Clip(at), p.name)
			if fits(s.Drop, here) {
				continue
			}
			f, some := filter(s, p.value, here, keep || fits(s.Fields, here))
			if some || f.kind == '[' && slices.ContainsFunc(s.Fields, func(p plan.Path) bool { return names(p, here) }) {
				out.members = append(out.members, pair{p.name, f})
				left = true
			}
		}
	}
	return out, left
}

// names tells whether a path has a step for the last of the names at.
func names(p plan.Path, at []string) bool {
	for n := 1; n <= len(p); n++ {
		if leads(p[:n], at) {
			return true
		}
	}
	return false
}

func fits(list []plan.Path, at []string) bool {
	return slices.ContainsFunc(list, func(p plan.Path) bool { return leads(p, at) })
}

func leads(p plan.Path, at []string) bool {
	if len(p) == 0 || len(at) == 0 {
		return len(p) == len(at)
	}
	if (p[0].Glob && match(p[0].Name, []byte(at[0])) || p[0].Name == at[0]) && leads(p[1:], at[1:]) {
		return true
	}
	return p[0].Deep && leads(p, at[1:])
}

// randomJSON writes a value with names of few letters, so that paths meet them.
func randomJSON(r *rand.Rand, b *bytes.Buffer, depth int) {
	space := func() { b.WriteString([]string{"", "", "", " ", "\n\t"}[r.IntN(5)]) }
	space()
	defer space()
	switch k := r.IntN(8); {
	case depth > 0 && k < 4:
		b.WriteByte('{')
		names := r.Perm(6)[:r.IntN(5)]
		for i, n := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			space()
			b.WriteString([]string{`"a"`, `"b"`, `"\u0061b"`, `"ba"`, `"c\"\\"`, `""`}[n])
			space()
			b.WriteByte(':')
			randomJSON(r, b, depth-1)
		}
		space()
		b.WriteByte('}')
	case depth > 0 && k < 6:
		b.WriteByte('[')
		for i := range r.IntN(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			randomJSON(r, b, depth-1)
		}
		space()
		b.WriteByte(']')
	default:
		b.WriteString([]string{`1.50`, `-12e3`, `"x"`, `"\\"`, `"}\"]"`, `null`, `true`, `{}`, `[]`}[r.IntN(9)])
	}
}

func randomPaths(r *rand.Rand) []plan.Path {
	var out []plan.Path
	for range r.IntN(4) {
		var p plan.Path
		for range 1 + r.IntN(3) {
			name := []string{"a", "b", "ab", "ba", `c"\`, "", "a*", "*b", "*"}[r.IntN(9)]
			p = append(p, plan.PathStep{Name: name, Glob: strings.Contains(name, "*"), Deep: r.IntN(4) == 0})
		}
		out = append(out, p)
	}
	return out
}

// The automaton does what the book says, whatever the number of words its sets
// take.
func TestSelectAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var b bytes.Buffer
		randomJSON(r, &b, 5)
		s := plan.Selection{Fields: randomPaths(r), Drop: randomPaths(r)}
		if r.IntN(4) == 0 {
			s.Root = []string{[]string{"a", "b"}[r.IntN(2)]}
		}
		if r.IntN(4) == 0 {
			// Paths that lead nowhere, so that sets are of more than one word.
			filler := slices.Repeat(plan.Path{{Name: "nowhere"}}, 1+r.IntN(70))
			s.Drop = slices.Insert(s.Drop, r.IntN(len(s.Drop)+1), filler)
		}
		if r.IntN(4) == 0 {
			// To is no name of the value, so that no object has a name twice.
			s.Rename = []plan.NamePair{{From: "b", To: "a*"}, {From: "ab", To: "bbb"}}
		}
		most := r.IntN(3)
		// A root is a name as the answer has it: naive renames first.
		spec := s
		for i, name := range s.Root {
			if name == "b" && s.Rename != nil {
				spec.Root = slices.Clone(s.Root)
				spec.Root[i] = "a*"
			}
		}
		want := naive(spec, most, parse(t, b.Bytes())).String()
		got := selector(t, s, most).Select(b.Bytes())
		if have := parse(t, got.Value).String(); have != want {
			t.Fatalf("%+v, most %d\nof   %s\ngot  %s\nwant %s", s, most, b.Bytes(), have, want)
		}
	}
}

// No valid JSON makes the reader stumble, and what it writes is valid.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{`{"a":[{"b":1,"c":{"a":2}},"x",null],"b":"\\\""}`, `[[[{"\u0061":1}]]]`, ` "x" `, `{"a\\":{"b":{}}}`, `-1.5e7`} {
		f.Add([]byte(s), uint64(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if !jsontext.Value(text).IsValid() {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		s := plan.Selection{Fields: randomPaths(r), Drop: randomPaths(r)}
		got := selector(t, s, 0).Select(text)
		if !jsontext.Value(got.Value).IsValid() {
			t.Fatalf("%+v of %s: %s", s, text, got.Value)
		}
		if got.TooDeep {
			return
		}
		if have, want := parse(t, got.Value).String(), naive(s, 0, parse(t, text)).String(); have != want {
			t.Errorf("%+v of %s\ngot  %s\nwant %s", s, text, have, want)
		}
	})
}
