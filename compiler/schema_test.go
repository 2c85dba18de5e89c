package compiler

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// node reads JSON text, members in order.
func node(text string) *specs.Node {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	n, err := nodeOf(d)
	if err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	return n
}

func nodeOf(d *json.Decoder) (*specs.Node, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil:
		return &specs.Node{}, nil
	case bool:
		return specs.NewBool(t), nil
	case string:
		return specs.NewString(t), nil
	case json.Number:
		return specs.NewNumber(t.String()), nil
	case json.Delim:
		n := &specs.Node{Kind: specs.Array}
		if t == '{' {
			n.Kind = specs.Object
		}
		for d.More() {
			f := specs.Field{KeyStart: -1}
			if n.Kind == specs.Object {
				k, err := d.Token()
				if err != nil {
					return nil, err
				}
				f.Key = k.(string)
			}
			if f.Value, err = nodeOf(d); err != nil {
				return nil, err
			}
			n.Fields = append(n.Fields, f)
		}
		_, err := d.Token()
		return n, err
	}
	return nil, io.ErrUnexpectedEOF
}

// lowerText lowers and emits one schema.
func lowerText(text string, dir direction, named map[string]string) string {
	defs := map[string]*specs.Node{}
	for k, v := range named {
		defs[k] = node(v)
	}
	l := newLowerer(dir, false, defs, &patterns{})
	s, _ := emit(l.lower(node(text), place{}), huge, 0)
	return string(s)
}

func TestLowerRepairs(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"unknown keywords":   {`{"type":"string","x-a":1,"discriminator":{},"xml":{"name":"a"},"nullable":true,"externalDocs":{},"$id":"x","$anchor":"a"}`, `{"type":"string"}`},
		"count as text":      {`{"type":"string","maxLength":"12","minLength":1.0}`, `{"type":"string","maxLength":12,"minLength":1}`},
		"negative count":     {`{"type":"string","maxLength":-1}`, `{"type":"string"}`},
		"required flag":      {`{"type":"object","required":true}`, `{"type":"object"}`},
		"required null":      {`{"type":"object","required":null}`, `{"type":"object"}`},
		"required twice":     {`{"type":"object","required":["a","a",1]}`, `{"type":"object","required":["a"]}`},
		"enum no list":       {`{"enum":"a"}`, `{}`},
		"enum empty":         {`{"type":"string","enum":[]}`, `{"type":"string"}`},
		"enum of a type":     {`{"type":"string","enum":[1.0,true,"a",1.0]}`, `{"type":"string","enum":["1.0","true","a"]}`},
		"enum of integers":   {`{"type":"integer","enum":["1",2]}`, `{"type":"integer","enum":[1,2]}`},
		"type file":          {`{"type":"file"}`, `{"type":"string","format":"binary"}`},
		"type any":           {`{"type":"any","minLength":1}`, `{"minLength":1}`},
		"type list of one":   {`{"type":["string"]}`, `{"type":"string"}`},
		"type twice":         {`{"type":["string","string","null"]}`, `{"type":["string","null"]}`},
		"boolean true":       {`{"type":"object","properties":{"a":true,"b":false,"c":1}}`, `{"type":"object","properties":{"a":{},"b":{"not":{}},"c":{}}}`},
		"exclusive flag":     {`{"type":"number","minimum":1,"exclusiveMinimum":true}`, `{"type":"number","minimum":1,"exclusiveMinimum":1}`},
		"multipleOf 0":       {`{"multipleOf":0}`, `{}`},
		"big exponent":       {`{"maximum":1e999999999,"minimum":-1e300,"default":1e99999}`, `{"minimum":-1e300}`},
		"digits":             {`{"maximum":9223372036854775807,"default":0.10}`, `{"maximum":9223372036854775807,"default":0.10}`},
		"look-ahead":         {`{"type":"string","pattern":"^(?!a)b","description":"B."}`, `{"type":"string","description":"B.\nPattern: ^(?!a)b"}`},
		"unicode escape":     {`{"pattern":"^\\u00e9\\_$"}`, `{"pattern":"^\\x{00e9}_$"}`},
		"items list":         {`{"type":"array","items":[{"type":"string"}]}`, `{"type":"array","prefixItems":[{"type":"string"}]}`},
		"empty allOf":        {`{"allOf":[]}`, `{}`},
		"allOf of one":       {`{"description":"d","allOf":[{"type":"string"}]}`, `{"description":"d","type":"string"}`},
		"dangling ref":       {`{"$ref":"#/components/schemas/X","description":"d"}`, `{"description":"d"}`},
		"example":            {`{"type":"string","example":"a","examples":["b"]}`, `{"type":"string","examples":["b","a"]}`},
		"unique text":        {`{"type":"string","uniqueItems":true}`, `{"type":"string"}`},
		"description number": {`{"description":3}`, `{"description":"3"}`},
		"control characters": {`{"description":"a\u0000b\u001b[31m\r\nc"}`, `{"description":"ab[31m\nc"}`},
		"keys":               {`{"type":"object","required":["$top","+1"],"properties":{"$top":{},"+1":{},"-1":{},"page[size]":{},"a":{}}}`, `{"type":"object","required":["top","plus1"],"properties":{"top":{},"plus1":{},"-1":{},"page_size":{},"a":{}}}`},
		"keys that meet":     {`{"properties":{"$a":{},"a":{}}}`, `{"properties":{"a_` + hash("$a") + `":{},"a":{}}}`},
		"long key":           {`{"properties":{"` + strings.Repeat("k", 70) + `":{}}}`, `{"properties":{"` + strings.Repeat("k", 55) + "_" + hash(strings.Repeat("k", 70)) + `":{}}}`},
		"foreign key":        {`{"properties":{"名":{}}}`, `{"properties":{"x_` + hash("名") + `":{}}}`},
		"required key":       {`{"required":["$a"]}`, `{"required":["a"],"properties":{"a":{}}}`},
		"dependentRequired":  {`{"properties":{"$a":{},"b":{}},"dependentRequired":{"$a":["b","b",1]}}`, `{"properties":{"a":{},"b":{}},"dependentRequired":{"a":["b"]}}`},
	} {
		got := lowerText(c.in, input, nil)
		sameJSON(t, name, got, c.want)
		if err := checkSchema(got, &patterns{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(c.want, "922337") && got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestLowerRefs(t *testing.T) {
	named := map[string]string{
		"A":   `{"type":"object","description":"An a.","properties":{"b":{"$ref":"#/$defs/B"}}}`,
		"B":   `{"type":"string","maxLength":3}`,
		"R/1": `{"type":"array","items":{"$ref":"#/$defs/R~11"}}`,
		"L":   `{"$ref":"#/$defs/L"}`,
		"Big": `{"type":"object","properties":{"x":{"type":"string","description":"` + strings.Repeat("long ", 150) + `"}}}`,
	}
	for name, c := range map[string]struct{ in, want string }{
		"inline":       {`{"$ref":"#/$defs/A"}`, `{"type":"object","description":"An a.","properties":{"b":{"type":"string","maxLength":3}}}`},
		"siblings":     {`{"$ref":"#/$defs/A","description":"Mine.","default":{}}`, `{"type":"object","description":"Mine.","default":{},"properties":{"b":{"type":"string","maxLength":3}}}`},
		"rules beside": {`{"$ref":"#/$defs/B","minLength":1}`, `{"minLength":1,"allOf":[{"type":"string","maxLength":3}]}`},
		"recursive":    {`{"$ref":"#/$defs/R~11"}`, `{"$ref":"#/$defs/R_1","$defs":{"R_1":{"type":"array","items":{"$ref":"#/$defs/R_1"}}}}`},
		"to itself":    {`{"$ref":"#/$defs/L"}`, `{"$ref":"#/$defs/L","$defs":{"L":{}}}`},
		"shared": {`{"properties":{"p":{"$ref":"#/$defs/Big"},"q":{"$ref":"#/$defs/Big"},"r":{"$ref":"#/$defs/Big"},"s":{"$ref":"#/$defs/Big"}}}`,
			`{"properties":{"p":{"$ref":"#/$defs/Big"},"q":{"$ref":"#/$defs/Big"},"r":{"$ref":"#/$defs/Big"},"s":{"$ref":"#/$defs/Big"}},"$defs":{"Big":{"type":"object","properties":{"x":{"type":"string","description":"` + strings.TrimSpace(strings.Repeat("long ", 150)) + `"}}}}}`},
	} {
		sameJSON(t, name, lowerText(c.in, input, named), c.want)
	}
}

// What is cut may only widen a schema: a value the author allows stays allowed.
func TestCutWidens(t *testing.T) {
	var props []string
	for i := range 60 {
		props = append(props, fmt.Sprintf(`"p%d":{"oneOf":[{"type":"object","required":["k"],"properties":{"k":{"const":"a"},"v":{"type":"object","properties":{"x":{"type":"string","description":%q}}}}},
			{"type":"object","required":["k"],"properties":{"k":{"const":"b"},"w":{"not":{"type":"object","properties":{"y":{"const":1}}}}}}]}`, i, strings.Repeat("word ", 40)))
	}
	l := newLowerer(input, false, nil, &patterns{})
	root := &schema{types: []string{"object"}, props: []prop{{key: "body", wire: "body", schema: l.lower(node(`{"type":"object","properties":{`+strings.Join(props, ",")+`}}`), place{})}}}
	for _, budget := range []int{1 << 20, 16 << 10, 8 << 10, 4 << 10, 2500} {
		text, cut := emit(root, budget, 1)
		if len(text) > budget || cut != (budget < 1<<20) && budget < 16<<10 {
			t.Errorf("budget %d: %d bytes, cut %v", budget, len(text), cut)
		}
		s, _, err := compileByLibrary(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{`{"body":{"p0":{"k":"a","v":{"x":"1"}},"p59":{"k":"b","w":7}}}`, `{"body":{}}`} {
			var value any
			if err := json.Unmarshal([]byte(v), &value); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(value); err != nil {
				t.Errorf("budget %d refuses %s: %v", budget, v, err)
			}
		}
	}
}

// One element with long texts must not leave the budget to nothing: its members
// are worth more than what is said of them.
func TestCutSpendsTheBudget(t *testing.T) {
	var members []string
	for i := range 90 {
		members = append(members, fmt.Sprintf(`"m%d":{"type":"string","description":%q}`, i, strings.Repeat("word ", 60)))
	}
	l := newLowerer(output, false, map[string]*specs.Node{"Repo": node(`{"type":"object","properties":{` + strings.Join(members, ",") + `}}`)}, &patterns{})
	root := l.lower(node(`{"type":"object","properties":{"total":{"type":"integer"},"items":{"type":"array","items":{"$ref":"#/$defs/Repo"}},"deep":{"type":"object","properties":{"a":{"$ref":"#/$defs/Repo"}}}}}`), place{})
	text, _ := emit(root, outputBudget, 0)
	if !strings.Contains(string(text), `"m89":{"type":"string"}`) || len(text) > outputBudget {
		t.Errorf("%d bytes of %d: %.300s", len(text), outputBudget, text)
	}
}

func TestAmbiguousKeysAreHashed(t *testing.T) {
	p, diags := CompileDocument(document(
		&specs.Operation{ID: "a", Method: "POST", Path: "/a", Body: &specs.Body{Required: true, Media: []*specs.Media{{Type: "application/json",
			Schema: node(`{"oneOf":[{"type":"object","properties":{"$a":{"type":"string"}}},{"type":"object","properties":{"a":{"type":"integer"}}}]}`)}}}}, nil), Options{})
	if p == nil || len(p.Tools) != 1 {
		t.Fatal(diags)
	}
	nodes := p.Tools[0].Request.Body.Shape.Nodes
	if len(nodes) != 1 || len(nodes[0].Props) != 1 || nodes[0].Props[0] != (plan.ShapeProp{Key: "a_" + hash("$a"), Wire: "$a"}) {
		t.Errorf("%+v", nodes)
	}
}

func TestPatternsOfOutputs(t *testing.T) {
	for p, ok := range map[string]bool{
		`^[a-z]+$`: true, `^\d{1,3}(?:\.\d+)?$`: true, `^a|b$`: true, `[\w\-]+`: true, `^\{x\}$`: true,
		`(?i)a`: false, `[[:alpha:]]`: false, `\pL`: false, `a{,3}`: false, `\Aa\z`: false, `{a}`: false, `a**`: false, `\x{e9}`: false, `(a`: false, `]`: false,
	} {
		if isECMAScript(p) != ok {
			t.Errorf("%s: %v", p, !ok)
		}
	}
}

func TestCheckSchemaRefuses(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `true`, `{`, `{} `, `{"type":"file"}`, `{"type":[]}`, `{"type":["string","string"]}`, `{"enum":[]}`, `{"required":null}`, `{"required":["a","a"]}`,
		`{"$ref":"#/$defs/A"}`, `{"$ref":"http://x"}`, `{"properties":{"a":true}}`, `{"pattern":"(?!a)"}`, `{"maxLength":-1}`, `{"maxLength":1.5}`, `{"multipleOf":0}`,
		`{"allOf":[]}`, `{"x-a":1}`, `{"$id":"a"}`, `{"maximum":1e999999}`, `{"title":1}`, `{"a":1,"a":2}`, "{\"title\":\"\x00\"}", "{\"title\":\"\xff\"}", `{"title":"\ud800"}`, `{"minimum":01}`,
	} {
		if checkSchema(text, &patterns{}) == nil {
			t.Errorf("accepted %s", text)
		}
	}
	for _, text := range []string{
		`{}`, `{"$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"}}}}`, `{"type":["string","null"],"enum":["a",null]}`, `{"additionalProperties":false}`, `{"title":"\u001b\n\"ü"}`,
	} {
		if err := checkSchema(text, &patterns{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzCheckSchema holds the checker to its promise: what it accepts, the
// library compiles.
func FuzzCheckSchema(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"type":"object","properties":{"a":{"type":"string","pattern":"^a$","maxLength":3}},"required":["a"],"additionalProperties":false}`,
		`{"$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"},"enum":[1,"a",null],"multipleOf":0.5}}}`,
		`{"if":{},"then":{},"dependentRequired":{"a":["b"]},"patternProperties":{"^x":{}},"unevaluatedProperties":{"not":{}},"default":{"a":[1e2]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if checkSchema(text, &patterns{}) != nil {
			return
		}
		if _, _, err := compileByLibrary(text); err != nil {
			t.Fatalf("accepted, but does not compile: %v", err)
		}
	})
}

// FuzzLower lowers whatever JSON as a schema, and as a named one that it may
// refer to, for both directions and several budgets. What comes out is always a
// schema that can be served.
func FuzzLower(f *testing.F) {
	for _, s := range []string{
		`{"type":"object","properties":{"$a":{"$ref":"#/$defs/S"},"b":{"oneOf":[{"$ref":"#/$defs/S"},{"type":"string"}]}},"required":["$a",1]}`,
		`{"allOf":[{"$ref":"#/$defs/S"},{"anyOf":[{"$ref":"#/$defs/S"}]}],"description":"d"}`,
		`{"type":"array","items":[{"type":"file"}],"enum":[1e9999],"maxItems":"3","pattern":"(?=a)"}`,
		`{"not":{"$ref":"#/$defs/S"},"if":{"$ref":"#/$defs/S"},"then":false,"patternProperties":{"(":{},"a":{}},"dependentSchemas":{"+1":{}}}`,
		`{"type":["object","null"],"readOnly":true,"properties":{"x":{"readOnly":true},"y":{"writeOnly":true}},"required":["x","y"]}`,
		`true`, `{"$ref":"#/$defs/S","minLength":1,"allOf":[{}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		n, err := nodeOf(d)
		if err != nil {
			return
		}
		for _, dir := range []direction{input, output} {
			l := newLowerer(dir, false, map[string]*specs.Node{"S": n, "T": specs.NewObject(specs.F("$ref", specs.NewString("#/$defs/S")))}, &patterns{})
			s := l.lower(n, place{})
			for _, budget := range []int{400, outputBudget, huge} {
				out, _ := emit(&schema{types: []string{"object"}, props: []prop{{key: "body", wire: "body", schema: s}}}, budget, 1)
				if err := checkSchema(string(out), l.patterns); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if _, _, err := compileByLibrary(string(out)); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			if _, err := shapeOf(s, true, "root"); err != nil && err != errAmbiguous {
				t.Fatal(err)
			}
		}
	})
}
