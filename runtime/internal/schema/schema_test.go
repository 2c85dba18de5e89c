package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func check(t *testing.T, schema, value string) []Problem {
	t.Helper()
	v, err := Compile(plan.Schema(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	in, err := args.Value([]byte(value))
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return v.Check(in)
}

// TestProblems shows what a model reads, one line "path: message" per problem.
func TestProblems(t *testing.T) {
	object := func(properties string) string { return `{"type":"object","properties":{` + properties + `}}` }
	tests := []struct{ schema, value, want string }{
		{`true`, `{"a":1}`, ``},
		{``, `{"a":1}`, ``},
		{`{"type":"object"}`, `{}`, ``},
		{`false`, `{}`, `: the value must not be given`},
		{`{"type":"object"}`, `[]`, `: the value must be an object, not an array`},

		{`{"required":["title","body"]}`, `{}`, "body: body is required but missing\ntitle: title is required but missing"},
		{object(`"body":{"type":"object","required":["title"]}`), `{"body":{}}`, `body.title: body.title is required but missing`},
		{object(`"tags":{"items":{"type":"object","required":["x"]}}`), `{"tags":[{"x":1},{}]}`, `tags[1].x: tags[1].x is required but missing`},

		{object(`"n":{"type":"integer"}`), `{"n":"5"}`, `n: n must be a whole number, not the string "5"`},
		{object(`"n":{"type":"integer"}`), `{"n":1.5}`, `n: n must be a whole number, not 1.5`},
		{object(`"n":{"type":"integer"}`), `{"n":1.0}`, ``},
		{object(`"n":{"type":"integer"}`), `{"n":1e3}`, ``},
		{object(`"n":{"type":["string","null"]}`), `{"n":[]}`, `n: n must be null or a string, not an array`},
		{object(`"n":{"type":"boolean"}`), `{"n":null}`, `n: n must be true or false, not null`},
		{object(`"n":{"type":"array"}`), `{"n":{}}`, `n: n must be an array, not an object`},

		{object(`"s":{"enum":["open","closed","all"]}`), `{"s":"opne"}`, `s: s must be one of "open", "closed", "all", not the string "opne"; did you mean "open"?`},
		{object(`"s":{"enum":["open","closed","all"]}`), `{"s":"opened"}`, `s: s must be one of "open", "closed", "all", not the string "opened"; did you mean "open"?`},
		{object(`"s":{"enum":["open","closed"]}`), `{"s":"Closed"}`, `s: s must be one of "open", "closed", not the string "Closed"; did you mean "closed"?`},
		{object(`"s":{"enum":[1,null,{"a":1.0}]}`), `{"s":2}`, `s: s must be one of 1, null, {"a":1.0}, not 2`},
		{object(`"s":{"const":"x"}`), `{"s":"y"}`, `s: s must be "x", not the string "y"`},

		{object(`"n":{"minimum":1,"maximum":100}`), `{"n":0}`, `n: n must be at least 1, not 0`},
		{object(`"n":{"maximum":9007199254740992}`), `{"n":9007199254740993}`, `n: n must be at most 9007199254740992, not 9007199254740993`},
		{object(`"n":{"exclusiveMinimum":0.5}`), `{"n":0.50}`, `n: n must be more than 0.5, not 0.50`},
		{object(`"n":{"exclusiveMaximum":2}`), `{"n":2}`, `n: n must be less than 2, not 2`},
		{object(`"n":{"multipleOf":0.01}`), `{"n":0.015}`, `n: n must be a multiple of 0.01, not 0.015`},
		{object(`"n":{"multipleOf":0.01}`), `{"n":19.99}`, ``},
		{object(`"n":{"maximum":1e400}`), `{"n":1e400}`, ``},

		{object(`"s":{"minLength":3}`), `{"s":"éa"}`, `s: s must have at least 3 characters, it has 2`},
		{object(`"s":{"maxLength":1}`), `{"s":"😀a"}`, `s: s must have at most 1 character, it has 2`},
		{object(`"s":{"maxLength":1}`), `{"s":"😀"}`, ``},
		{object(`"s":{"pattern":"^C-[0-9]+$"}`), `{"s":"D-1"}`, `s: s must match the pattern ^C-[0-9]+$, which "D-1" does not`},
		{object(`"s":{"type":"string","format":"date-time"}`), `{"s":"yesterday"}`, ``},
		{object(`"s":{"type":"string","contentEncoding":"base64"}`), `{"s":"*"}`, ``},

		{object(`"l":{"minItems":2}`), `{"l":[1]}`, `l: l must have at least 2 elements, it has 1`},
		{object(`"l":{"maxItems":1}`), `{"l":[1,2]}`, `l: l must have at most 1 element, it has 2`},
		{object(`"l":{"uniqueItems":true}`), `{"l":[1,"a",1.0]}`, `l: l must not hold the same element twice, but [0] and [2] are equal`},
		{object(`"l":{"contains":{"const":1}}`), `{"l":[2]}`, `l: l has no element of the kind that must be among them`},
		{object(`"l":{"contains":{"const":1},"minContains":2}`), `{"l":[1]}`, `l: l must hold at least 2 elements of the required kind, it has 1`},
		{object(`"l":{"contains":{"const":1},"maxContains":1}`), `{"l":[1,1]}`, `l: l must hold at most 1 element of one kind, it has 2`},
		{object(`"l":{"prefixItems":[{"type":"string"}],"items":false}`), `{"l":["a",1]}`, `l[1]: l[1] must not be given`},

		{object(`"o":{"minProperties":1}`), `{"o":{}}`, `o: o must have at least 1 field, it has 0`},
		{object(`"o":{"maxProperties":1}`), `{"o":{"a":1,"b":2}}`, `o: o must have at most 1 field, it has 2`},
		{object(`"o":{"propertyNames":{"pattern":"^x-"}}`), `{"o":{"a":1}}`, `o: o has a field whose name is not allowed: "a"`},
		{`{"dependentRequired":{"card":["cvc"]}}`, `{"card":1}`, `cvc: cvc is required when "card" is given`},
		{object(`"n":{"not":{"const":0}}`), `{"n":0}`, `n: n has a value that is excluded: 0`},
		{`{"if":{"required":["a"]},"then":{"required":["b"]}}`, `{"a":1}`, `b: b is required but missing`},

		{`{"if":{"required":["a"]},"else":{"required":["b"]}}`, `{}`, `b: b is required but missing`},
		{`{"patternProperties":{"^n":{"type":"number"}}}`, `{"n1":""}`, `n1: n1 must be a number, not the string ""`},
		{`{"dependentSchemas":{"a":{"required":["b"]}}}`, `{"a":1}`, `b: b is required but missing`},
		{`{"dependencies":{"a":["b"]}}`, `{"a":1}`, `b: b is required when "a" is given`}, // older drafts' word, still obeyed
		{object(`"l":{"prefixItems":[true],"unevaluatedItems":false}`), `{"l":[1,2]}`, `l[1]: l[1] must not be given`},
		{`{"properties":{"l":{"$dynamicRef":"#d"}},"$defs":{"d":{"$dynamicAnchor":"d","type":"string"}}}`, `{"l":1}`, `l: l must be a string, not 1`},

		// Unknown fields and their nearest name.
		{`{"properties":{"per_page":{},"page":{}},"additionalProperties":false}`, `{"perPage":1}`, `perPage: perPage is not a known field; did you mean "per_page"?`},
		{`{"properties":{"title":{},"body":{}},"additionalProperties":false}`, `{"zzzzzz":1}`, `zzzzzz: zzzzzz is not a known field; known are "body", "title"`},
		{`{"properties":{"title":{}},"additionalProperties":false}`, `{"titel":1,"title":2}`, `titel: titel is not a known field; "title" is, and is given too`},
		{`{"additionalProperties":false}`, `{"a b":1}`, `["a b"]: ["a b"] is not a known field; none are`},
		{`{"properties":{"o":{"allOf":[{"properties":{"name":{}}},{"$ref":"#/$defs/d"}],"unevaluatedProperties":false}},"$defs":{"d":{"properties":{"size":{}}}}}`,
			`{"o":{"name":1,"sizes":2}}`, `o.sizes: o.sizes is not a known field; did you mean "size"?`},
		{`{"properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"properties":{"colour":{}},"additionalProperties":false}}}`, `{"a":{"color":1}}`, `a.color: a.color is not a known field; did you mean "colour"?`},

		// Alternatives: the closest one speaks.
		{object(`"v":{"oneOf":[{"type":"string"},{"type":"integer"}]}`), `{"v":[]}`, `v: v must be a string or a whole number, not an array`},
		{object(`"v":{"anyOf":[{"enum":["a","b"]},{"const":"c"}]}`), `{"v":"d"}`, `v: v must be one of "a", "b", "c", not the string "d"`},
		{object(`"v":{"oneOf":[{"type":"string"},{"type":"object","required":["x"]}]}`), `{"v":{}}`, `v.x: v.x is required but missing (by the closest of the 2 forms allowed for v)`},
		{object(`"v":{"oneOf":[{"properties":{"kind":{"const":"cat"},"lives":{"type":"integer"}},"required":["kind"]},{"properties":{"kind":{"const":"dog"},"bark":{"type":"string"}},"required":["kind"]}]}`),
			`{"v":{"kind":"dog","bark":7}}`, `v.bark: v.bark must be a string, not 7 (by the closest of the 2 forms allowed for v)`},
		{object(`"v":{"oneOf":[{"type":"number"},{"type":"integer"}]}`), `{"v":1}`, `v: v fits several of the allowed forms (number 1 and 2) and must fit exactly one`},
		{object(`"v":{"anyOf":[{"type":"string","minLength":3},{"type":"null"}]}`), `{"v":"a"}`, `v: v must have at least 3 characters, it has 1 (by the closest of the 2 forms allowed for v)`},
		{`{"properties":{"n":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}},"required":["v"]}}}`,
			`{"n":{"v":1,"next":{"v":1,"next":{}}}}`, `n.next.next.v: n.next.next.v is required but missing`},
	}
	for _, tt := range tests {
		var lines []string
		for _, p := range check(t, tt.schema, tt.value) {
			lines = append(lines, p.Path+": "+p.Message)
		}
		if got := strings.Join(lines, "\n"); got != tt.want {
			t.Errorf("%s of %s\n got %s\nwant %s", tt.value, tt.schema, got, tt.want)
		}
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var names, values, enum []string
	for i := range 300 {
		names = append(names, fmt.Sprintf(`"a_rather_long_field_name_%d":{"type":"integer"}`, i))
		values = append(values, fmt.Sprintf(`"a_rather_long_field_name_%d":%q`, i, strings.Repeat("secret", 50)))
		enum = append(enum, fmt.Sprintf(`"value number %d"`, i))
	}
	problems := check(t, `{"properties":{`+strings.Join(names, ",")+`}}`, `{`+strings.Join(values, ",")+`}`)
	if len(problems) != maxProblems+1 || problems[maxProblems].Message != "there are 290 more problems" {
		t.Errorf("%d problems, the last is %+v", len(problems), problems[len(problems)-1])
	}
	problems = append(problems, check(t, `{"properties":{"s":{"enum":[`+strings.Join(enum, ",")+`]}}}`, `{"s":"`+strings.Repeat("x", 5000)+`"}`)...)
	problems = append(problems, check(t, `{"additionalProperties":false}`, `{"`+strings.Repeat("é", 5000)+`":1}`)...)
	problems = append(problems, check(t, `{"properties":{"s":{"pattern":"`+strings.Repeat("a?", 200)+`b"}}}`, `{"s":"`+strings.Repeat("é", 5000)+`"}`)...)
	for _, p := range problems {
		if len(p.Message) > maxMessage+4 || len(p.Path) > 210 || strings.Count(p.Message, "secret") > 10 {
			t.Errorf("too long: %d %d %s", len(p.Path), len(p.Message), p.Message)
		}
	}
}

func TestProblemsAreStable(t *testing.T) {
	const schema = `{"properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"integer"}},"required":["z","y"],"additionalProperties":false}`
	const value = `{"c":"","b":"","a":"","q":1,"p":2}`
	want := fmt.Sprint(check(t, schema, value))
	for range 20 {
		if got := fmt.Sprint(check(t, schema, value)); got != want {
			t.Fatalf("%s\n%s", got, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, s := range []string{
		`{`, `{"type":"text"}`, `{"pattern":"("}`, `{"minimum":"1"}`, `7`,
		`{"$ref":"#/$defs/none"}`,
		`{"$ref":"https://example.com/schema.json"}`,
		`{"$ref":"file:///etc/passwd"}`,
		`{"$ref":"other.json"}`,
	} {
		if _, err := Compile(plan.Schema(s)); err == nil {
			t.Errorf("compiles: %s", s)
		}
	}
}

func TestRepair(t *testing.T) {
	const schema = `{"type":"object","properties":{
		"list":{"type":"array"},
		"object":{"$ref":"#/$defs/o"},
		"either":{"anyOf":[{"type":"object"},{"type":"null"}]},
		"text":{"type":["string","array"]},
		"open":{},
		"any":{"oneOf":[{"type":"object"},{"type":"string","maxLength":2}]},
		"number":{"type":"number"},
		"tree":{"$ref":"#/$defs/t"}
	},"$defs":{"o":{"type":"object","properties":{"n":{"type":"number"}}},"t":{"allOf":[{"$ref":"#/$defs/o"}]}}}`
	tests := []struct{ in, want string }{
		{`{"list":"[1,2]"}`, `{"list":[1,2]}`},
		{`{"list":" [9007199254740993]\n"}`, `{"list":[9007199254740993]}`},
		{`{"object":"{\"n\":1.0}"}`, `{"object":{"n":1.0}}`},
		{`{"either":"{}"}`, `{"either":{}}`},
		{`{"tree":"{}"}`, `{"tree":{}}`},
		{`{"list":"{}"}`, `{"list":{}}`}, // the problem is then about the object
		{`{"list":["[1]"]}`, `{"list":["[1]"]}`},
		{`{"list":"[1"}`, `{"list":"[1"}`},
		{`{"list":"a"}`, `{"list":"a"}`},
		{`{"list":"5"}`, `{"list":"5"}`},
		{`{"object":"{\"n\":1,\"n\":2}"}`, `{"object":"{\"n\":1,\"n\":2}"}`},
		{`{"text":"[1]","open":"[1]","any":"{}","number":"[1]","unknown":"[1]"}`, `{"text":"[1]","open":"[1]","any":"{}","number":"[1]","unknown":"[1]"}`},
	}
	v, err := Compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		a, err := args.Decode([]byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		want, err := args.Decode([]byte(tt.want))
		if err != nil {
			t.Fatal(err)
		}
		repaired := v.Repair(&a)
		got, _ := json.Marshal(a.Values)
		wanted, _ := json.Marshal(want.Values)
		if string(got) != string(wanted) || (len(repaired) > 0) != (tt.in != tt.want) {
			t.Errorf("%s: %s, repaired %q", tt.in, got, repaired)
		}
		for name, raw := range a.Raw {
			if v, err := args.Value(raw); err != nil || fmt.Sprint(v) != fmt.Sprint(a.Values[name]) {
				t.Errorf("%s: text of %s is %s", tt.in, name, raw)
			}
		}
	}
}

func TestConcurrentChecks(t *testing.T) {
	v, err := Compile(flat)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if p := v.Check(map[string]any{"ownr": "x"}); len(p) != 3 {
					t.Errorf("%v", p)
				}
			}
		})
	}
	wg.Wait()
}

func TestNearest(t *testing.T) {
	known := []string{"per_page", "page", "state", "labels"}
	for in, want := range map[string]string{
		"perPage": "per_page", "PAGE": "page", "stat": "state", "label": "labels", "pages": "page", "owner": "", "x": "", "": "",
		strings.Repeat("page", 100): "",
	} {
		if got := nearest(in, known); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

const flat = `{"type":"object","properties":{"owner":{"type":"string"},"repo":{"type":"string","pattern":"^[a-z-]+$"},"page":{"type":"integer","minimum":1,"maximum":100},"state":{"type":"string","enum":["open","closed","all"]}},"required":["owner","repo"],"additionalProperties":false}`

func BenchmarkCheck(b *testing.B) {
	v, err := Compile(flat)
	if err != nil {
		b.Fatal(err)
	}
	a, err := args.Decode([]byte(`{"owner":"octo","repo":"hello-world","page":3,"state":"open"}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if p := v.Check(a.Values); p != nil {
			b.Fatal(p)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(flat); err != nil {
			b.Fatal(err)
		}
	}
}

// However much is wrong with a value, ten problems are said and the rest counted,
// in a time that grows no faster than the value.
func TestManyProblems(t *testing.T) {
	v, err := Compile(plan.Schema(`{"type":"object","additionalProperties":false,"properties":{"known":{"type":"string"},"list":{"type":"array","items":{"type":"string"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	unknown := map[string]any{}
	var list []any
	for i := range 20_000 {
		unknown[fmt.Sprintf("knwon%05d", i)] = true
		list = append(list, true)
	}
	for name, value := range map[string]any{"unknown names": unknown, "wrong elements": map[string]any{"list": list}} {
		got := v.Check(value)
		again := v.Check(value)
		if len(got) != maxProblems+1 || got[maxProblems].Message != "there are 19990 more problems" || !slices.Equal(got, again) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
