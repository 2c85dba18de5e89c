package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// TestFastKnowsAllKeywords fails when the library learns a keyword that the
// fast validator would overlook.
func TestFastKnowsAllKeywords(t *testing.T) {
	looked := strings.Fields(`DraftVersion Bool Ref RecursiveRef DynamicRef Types Enum Const Not AllOf AnyOf OneOf If Then Else Format
		MaxProperties MinProperties Required PropertyNames Properties PatternProperties AdditionalProperties Dependencies DependentRequired DependentSchemas UnevaluatedProperties
		MinItems MaxItems UniqueItems Contains MinContains MaxContains Items AdditionalItems PrefixItems Items2020 UnevaluatedItems
		MinLength MaxLength Pattern ContentEncoding ContentMediaType ContentSchema Maximum Minimum ExclusiveMaximum ExclusiveMinimum MultipleOf Extensions`)
	without := strings.Fields(`Location ID Anchor RecursiveAnchor DynamicAnchor Title Description Default Comment ReadOnly WriteOnly Examples Deprecated`)
	for f := range reflect.TypeFor[jsonschema.Schema]().Fields() {
		if f.IsExported() && !slices.Contains(looked, f.Name) && !slices.Contains(without, f.Name) {
			t.Errorf("unknown field %s", f.Name)
		}
	}
}

// TestFastAgrees: what the fast validator accepts, the library accepts.
func TestFastAgrees(t *testing.T) {
	accepted, conforming := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := `{"$defs":{"d":` + drawSchema(t, 2) + `},"allOf":[` + drawSchema(t, 3) + `]}`
		v, err := Compile(plan.Schema(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for range 5 {
			valueText := drawValue(t, 3)
			value, err := args.Value([]byte(valueText))
			if err != nil {
				t.Fatal(err)
			}
			err = v.schema.Validate(value)
			if err == nil {
				conforming++
			}
			if v.fast.conforms(value, 0) {
				accepted++
				if err != nil {
					t.Fatalf("%s\naccepts %s\n%v", text, valueText, err)
				}
			}
		}
	})
	if accepted*4 < conforming {
		t.Errorf("accepted %d of %d conforming values: the test says little", accepted, conforming)
	}
}

// TestFastIsUsed: the common schema does not reach the library when it conforms.
func TestFastIsUsed(t *testing.T) {
	v, err := Compile(flat)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{"owner":"a","repo":"b","page":100,"state":"all"}`: true,
		`{"owner":"a","repo":"b"}`:                          true,
		`{"owner":"a","repo":"b","page":101}`:               false,
		`{"owner":"a","repo":"B"}`:                          false,
		`{"owner":"a","repo":"b","more":1}`:                 false,
		`{"owner":"a"}`:                                     false,
		`{"owner":"a","repo":"b","state":"none"}`:           false,
		`{"owner":1,"repo":"b"}`:                            false,
	} {
		value, err := args.Value([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.fast.conforms(value, 0); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestFastEndsCircles(t *testing.T) {
	for _, s := range []string{`{"$ref":"#"}`, `{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`} {
		v, err := Compile(plan.Schema(s))
		if err != nil {
			continue // refused at once, better still
		}
		if v.fast.conforms("x", 0) {
			t.Errorf("%s accepts", s)
		}
		if p := v.Check("x"); len(p) == 0 {
			t.Errorf("%s: no problem", s)
		}
	}
}

func drawSchema(t *rapid.T, depth int) string {
	var parts []string
	rare := rapid.IntRange(0, 5).Draw(t, "rare") / 5 // keywords that the fast validator leaves alone
	maybe := func(likely int, format string, draw func() []any) {
		if rapid.IntRange(0, 9).Draw(t, "use") < likely {
			parts = append(parts, fmt.Sprintf(format, draw()...))
		}
	}
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "pick") }
	sub := func() []any {
		if depth == 0 {
			return []any{pick("true", "false", "{}", `{"$ref":"#/$defs/d"}`)}
		}
		return []any{drawSchema(t, depth-1)}
	}
	one := func(of ...string) func() []any { return func() []any { return []any{pick(of...)} } }
	maybe(6, `"type":%s`, one(`"object"`, `"array"`, `"string"`, `"integer"`, `"number"`, `"boolean"`, `"null"`, `["string","null"]`, `["array","object"]`, `["integer","object"]`))
	maybe(1, `"enum":%s`, one(`["a","b"]`, `[1,"a"]`, `[null]`, `[[1]]`, `[1.0]`))
	maybe(rare, `"const":%s`, one(`"a"`, `1`))
	maybe(1, `"minimum":%s`, one(`0`, `1.5`, `-3`, `99999999999999999999`))
	maybe(1, `"maximum":%s`, one(`0`, `2`, `1e3`, `0.5`))
	maybe(rare, `"exclusiveMinimum":%s`, one(`0`))
	maybe(rare, `"multipleOf":%s`, one(`2`))
	maybe(1, `"minLength":%s`, one(`1`, `2`))
	maybe(1, `"maxLength":%s`, one(`0`, `1`))
	maybe(1, `"pattern":%s`, one(`"^a"`, `"b"`))
	maybe(4, `"properties":{"a":%s}`, sub)
	maybe(2, `"required":%s`, one(`["a"]`, `["a","b"]`, `[]`))
	maybe(3, `"additionalProperties":%s`, sub)
	maybe(1, `"minProperties":%s`, one(`1`))
	maybe(1, `"maxProperties":%s`, one(`1`))
	maybe(1, `"minItems":%s`, one(`1`))
	maybe(1, `"maxItems":%s`, one(`1`))
	maybe(rare, `"uniqueItems":%s`, one(`true`))
	maybe(3, `"items":%s`, sub)
	maybe(rare, `"prefixItems":[%s]`, sub)
	maybe(rare, `"contains":%s`, sub)
	maybe(rare, `"patternProperties":{"b":%s}`, sub)
	maybe(rare, `"unevaluatedProperties":%s`, sub)
	maybe(rare, `"not":%s`, sub)
	maybe(rare, `"oneOf":[%s]`, sub)
	maybe(2, `"anyOf":[{"type":"string"},%s]`, sub)
	maybe(2, `"allOf":[%s]`, sub)
	maybe(rare, `"if":{"type":"string"},"then":%s`, sub)
	maybe(rare, `"dependentRequired":{"a":["b"]},"x":%s`, sub)
	return "{" + strings.Join(parts, ",") + "}"
}

func drawValue(t *rapid.T, depth int) string {
	kinds := []string{`null`, `true`, `"a"`, `"b"`, `"éa"`, `""`, `0`, `1`, `1.0`, `-2`, `1.5`, `2e0`, `1000`, `123456789012345678901`}
	if depth > 0 {
		kinds = append(kinds, "array", "array", "object", "object", "object", "object")
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "value")
	var parts []string
	switch kind {
	case "array":
		for range rapid.IntRange(0, 2).Draw(t, "n") {
			parts = append(parts, drawValue(t, depth-1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case "object":
		for _, name := range []string{"a", "b", "c"} {
			if rapid.Bool().Draw(t, name) {
				parts = append(parts, `"`+name+`":`+drawValue(t, depth-1))
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return kind
}
