package openapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// schemaOf reads a schema, JSON or YAML flow, as that of a response.
func schemaOf(t *testing.T, version, schema, components string) (*specs.API, string, string) {
	t.Helper()
	text := "openapi: " + version + "\npaths: {/a: {get: {responses: {'200': {content: {a/b: {schema:\n" + schema + "}}}}}}}\n"
	if components != "" {
		text += "components: {schemas: " + components + "}\n"
	}
	if version == "2.0" {
		text = "swagger: '2.0'\npaths: {/a: {get: {responses: {'200': {schema:\n" + schema + "}}}}}\n"
		if components != "" {
			text += "definitions: " + components + "\n"
		}
	}
	api, diags := parse(t, text, Options{})
	if api == nil {
		t.Fatal(says(diags))
	}
	for name, s := range api.Schemas {
		checkRefs(t, api, name, s)
	}
	checkOperation(t, api, api.Operations[0])
	return api, api.Operations[0].Responses[0].Media[0].Schema.JSON(), says(diags)
}

func TestSchemas(t *testing.T) {
	for _, c := range []struct{ version, in, want, code string }{
		{"3.0.3", `{type: string, nullable: true}`, `{"type":["string","null"]}`, ""},
		{"3.0.3", `{type: string, nullable: false}`, `{"type":"string"}`, ""},
		{"3.0.3", `{type: string, nullable: true, enum: [a]}`, `{"type":["string","null"],"enum":["a",null]}`, ""},
		{"3.0.3", `{type: string, nullable: true, enum: [a, null]}`, `{"type":["string","null"],"enum":["a",null]}`, ""},
		{"3.0.3", `{nullable: true, description: d, allOf: [{type: object}]}`, `{"description":"d","anyOf":[{"allOf":[{"type":"object"}]},{"type":"null"}]}`, ""},
		{"3.0.3", `{nullable: true}`, `{}`, ""},
		{"2.0", `{type: integer, x-nullable: true}`, `{"type":["integer","null"]}`, ""},
		{"3.0.3", `{minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false}`, `{"exclusiveMinimum":1,"maximum":9}`, ""},
		{"3.1.0", `{exclusiveMinimum: 1, exclusiveMaximum: 9}`, `{"exclusiveMinimum":1,"exclusiveMaximum":9}`, ""},
		{"3.0.3", `{exclusiveMinimum: true}`, `{}`, ""},
		{"3.0.3", `{example: null}`, `{"examples":[null]}`, ""},
		{"3.1.0", `{example: 1, examples: [2]}`, `{"examples":[2]}`, ""},
		{"3.0.3", `{examples: {a: {value: 1}, b: 2}}`, `{"examples":[1,2]}`, ""},
		{"3.1.0", `{examples: 5}`, `{"examples":[5]}`, ""},
		{"2.0", `{type: file}`, `{"type":"string","format":"binary"}`, ""},
		{"2.0", `{type: array, items: [{type: string}, {type: file}], additionalItems: false}`, `{"type":"array","prefixItems":[{"type":"string"},{"type":"string","format":"binary"}],"items":false}`, ""},
		{"2.0", `{discriminator: kind, anyOf: [{}]}`, `{"discriminator":{"propertyName":"kind"},"anyOf":[{}]}`, "foreign-keyword"},
		{"3.0.3", `{type: object, required: [a, a, 5], properties: {a: {type: string, required: true}, b: {required: true}}}`, `{"type":"object","required":["a","5","b"],"properties":{"a":{"type":"string"},"b":{}}}`, "required-flag"},
		{"3.0.3", `{required: name}`, `{"required":["name"]}`, "odd-keyword"},
		{"3.0.3", `{required: null, properties: null, items: null}`, `{"items":{}}`, ""},
		{"3.0.3", `{required: {}}`, `{}`, "odd-keyword"},
		{"3.0.3", `{enum: a}`, `{"enum":["a"]}`, "odd-keyword"},
		{"3.0.3", `{enum: []}`, `{}`, "odd-keyword"},
		{"3.0.3", `{maxLength: '12', minLength: -1, minItems: 1.5, maxItems: 3.0, minimum: x, multipleOf: 0}`, `{"maxLength":12,"maxItems":3}`, "odd-keyword"},
		{"3.0.3", `{description: 5, title: true, format: [], pattern: null}`, `{"description":"5","title":"true"}`, "odd-keyword"},
		{"3.0.3", `{readOnly: 'true', writeOnly: false, uniqueItems: x}`, `{"readOnly":true,"writeOnly":false}`, "not-a-boolean"},
		{"3.0.3", `{type: int}`, `{"type":"integer"}`, "unknown-type"},
		{"3.0.3", `{type: String}`, `{"type":"string"}`, "unknown-type"},
		{"3.0.3", `{type: thing}`, `{}`, "unknown-type"},
		{"3.0.3", `{type: any}`, `{}`, ""},
		{"3.1.0", `{type: [string, null]}`, `{"type":["string","null"]}`, ""},
		{"3.1.0", `{type: [string, string]}`, `{"type":["string"]}`, ""},
		{"3.1.0", `{type: []}`, `{}`, ""},
		{"3.0.3", `{allOf: {type: string}, anyOf: [], oneOf: 5}`, `{"allOf":[{"type":"string"}]}`, "odd-keyword"},
		{"3.0.3", `{properties: {a: 5, b: null, c: [], $ref: {type: string}}}`, `{"properties":{"a":{},"b":{},"c":{},"$ref":{"type":"string"}}}`, "not-a-schema"},
		{"3.0.3", `{additionalProperties: 'false'}`, `{"additionalProperties":false}`, "not-a-boolean"},
		{"3.1.0", `{properties: {a: true, b: false}}`, `{"properties":{"a":true,"b":false}}`, ""},
		{"3.1.0", `true`, `true`, ""},
		{"3.0.3", `5`, `{}`, "not-a-schema"},
		{"3.1.0", `{dependencies: {a: [b], c: {required: [d]}}}`, `{"dependentRequired":{"a":["b"]},"dependentSchemas":{"c":{"required":["d"]}}}`, ""},
		{"3.1.0", `{$schema: 'http://json-schema.org/draft-07/schema#', $comment: c, type: string}`, `{"type":"string"}`, ""},
		{"3.1.0", `{minimum: 9223372036854775807, const: null, default: 9007199254740993, enum: [1.10, 1e400]}`, `{"minimum":9223372036854775807,"const":null,"default":9007199254740993,"enum":[1.10,1e400]}`, ""},
		{"3.1.0", `{patternProperties: {'^x': {nullable: true, type: string}}, if: {type: int}, x-a: {$ref: nowhere}, xml: {name: n}}`, `{"patternProperties":{"^x":{"type":["string","null"]}},"if":{"type":"integer"},"x-a":{"$ref":"nowhere"},"xml":{"name":"n"}}`, "unknown-type"},
		{"3.1.0", `{$id: 'https://h/s', $defs: {P: {type: string}}, properties: {p: {$ref: '#/$defs/P'}, q: {$ref: '#an'}, r: {$anchor: an, type: number}}}`, `{"properties":{"p":{"$ref":"#/$defs/P"},"q":{"$ref":"#/$defs/an"},"r":{"type":"number"}}}`, ""},
	} {
		_, got, diags := schemaOf(t, c.version, c.in, "")
		equal(t, c.version+" "+c.in, got, c.want)
		if c.code == "" && diags != "" || !strings.Contains(diags, c.code) {
			t.Errorf("%s: want %q, says %s", c.in, c.code, diags)
		}
	}
}

func TestSchemaReferences(t *testing.T) {
	for _, c := range []struct{ version, in, components, want, schemas, says string }{
		{"3.0.3", `{$ref: '#/components/schemas/A'}`, `{A: {type: string}, Unused: {nullable: true}}`,
			`{"$ref":"#/$defs/A"}`, `A={"type":"string"}`, ""},
		{"2.0", `{$ref: '#/definitions/A'}`, `{A: {properties: {a: {$ref: '#/definitions/A'}}}}`,
			`{"$ref":"#/$defs/A"}`, `A={"properties":{"a":{"$ref":"#/$defs/A"}}}`, ""},
		{"3.0.3", `{$ref: '#/components/schemas/A', type: object, description: d, nullable: true}`, `{A: {}}`,
			`{"description":"d","anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]}`, `A={}`, ""},
		{"3.1.0", `{$ref: '#/components/schemas/A', minLength: 2}`, `{A: {}}`,
			`{"$ref":"#/$defs/A","minLength":2}`, `A={}`, ""},
		{"3.0.3", `{$ref: '#/components/schemas/A'}`, `{A: {$ref: '#/components/schemas/B'}, B: {type: number}}`,
			`{"$ref":"#/$defs/B"}`, `B={"type":"number"}`, ""},
		{"3.0.3", `{$ref: '#/components/schemas/A'}`, `{A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}`,
			`{}`, ``, `api:3:8 warning circular-ref: the reference "#/components/schemas/A" leads back to itself; anything is allowed there`},
		{"3.0.3", `{items: {$ref: '#/components/schemas/Pett'}}`, `{Pet: {}}`,
			`{"items":{}}`, ``, `api:3:16 warning dangling-ref: the reference "#/components/schemas/Pett" leads nowhere: there is no "components/schemas/Pett"; anything is allowed there`},
		{"3.0.3", `{$ref: Pet}`, `{Pet: {}}`, `{"$ref":"#/$defs/Pet"}`, `Pet={}`, ""},
		{"3.0.3", `{$ref: 5}`, ``, `{}`, ``, `api:3:2 warning odd-keyword: $ref must be a string; it is left out`},
		{"3.0.3", `{allOf: [{$ref: '#/components/schemas/Page«Pet»'}, {$ref: '#/components/schemas/a~1b'}, {$ref: '#/components/schemas/a%20b'}]}`, `{Page«Pet»: {}, a/b: {type: string}, a b: {type: number}}`,
			`{"allOf":[{"$ref":"#/$defs/Page__Pet__"},{"$ref":"#/$defs/a_b"},{"$ref":"#/$defs/a_b_2"}]}`, `Page__Pet__={} a_b={"type":"string"} a_b_2={"type":"number"}`, ""},
		{"3.0.3", `{properties: {x: {type: string}, y: {$ref: '#/components/schemas/A/properties/in'}}}`, `{A: {properties: {in: {$ref: '#/components/schemas/B'}}}, B: {}}`,
			`{"properties":{"x":{"type":"string"},"y":{"$ref":"#/$defs/B"}}}`, `B={}`, ""},
		{"3.0.3", `{$ref: '#/components/schemas/A/items/properties/z'}`, `{A: {items: {$ref: '#/components/schemas/B'}}, B: {properties: {z: {type: string}}}}`,
			`{"$ref":"#/$defs/z"}`, `z={"type":"string"}`, ""},
		{"3.0.3", `{$ref: '#/components/schemas/A'}`, `{A: {allOf: [{$ref: '#/components/schemas/A'}, {type: object}]}}`,
			`{"$ref":"#/$defs/A"}`, `A={"allOf":[{"$ref":"#/$defs/A"},{"type":"object"}]}`, ""},
		{"3.0.3", `{$ref: '#/components/schemas/A'}`, `{A: {anyOf: [{$ref: '#/components/schemas/B'}]}, B: {oneOf: [{properties: {a: {$ref: '#/components/schemas/A'}}}, {not: {$ref: '#/components/schemas/A'}}]}}`,
			`{"$ref":"#/$defs/A"}`, `A={"anyOf":[{"$ref":"#/$defs/B"}]} B={"oneOf":[{"properties":{"a":{"$ref":"#/$defs/A"}}},{"not":{"$ref":"#/$defs/A"}}]}`, ""},
		{"3.0.3", `{oneOf: [{$ref: '#/components/schemas/Cat'}], discriminator: {propertyName: k, mapping: {cat: Cat, dog: '#/components/schemas/Dog', cow: '#/components/schemas/Cow'}}}`, `{Cat: {}, Dog: {type: object}}`,
			`{"oneOf":[{"$ref":"#/$defs/Cat"}],"discriminator":{"propertyName":"k","mapping":{"cat":"#/$defs/Cat","dog":"#/$defs/Dog"}}}`, `Cat={} Dog={"type":"object"}`,
			`api:3:138 warning dangling-ref: the reference "#/components/schemas/Cow" leads nowhere: there is no "components/schemas/Cow"; anything is allowed there`},
		{"3.1.0", `{$ref: '#/components/schemas/T'}`, `{T: {$dynamicAnchor: node, properties: {c: {$dynamicRef: '#node'}}}}`,
			`{"$ref":"#/$defs/T"}`, `T={"properties":{"c":{"$ref":"#/$defs/T"}}}`, ""},
		{"3.1.0", `{$ref: 'https://h/pet'}`, `{P: {$id: 'https://h/pet', $defs: {N: {type: string}}, properties: {n: {$ref: '#/$defs/N'}}}}`,
			`{"$ref":"#/$defs/P"}`, `N={"type":"string"} P={"properties":{"n":{"$ref":"#/$defs/N"}}}`, ""},
	} {
		api, got, diags := schemaOf(t, c.version, c.in, c.components)
		equal(t, c.in, got, c.want)
		equal(t, c.in+" schemas", schemasOf(api), c.schemas)
		equal(t, c.in+" diagnostics", diags, c.says)
	}
}

// Circles of references are kept: documents write them for inheritance. Those
// that nobody could follow in reasonable time are broken.
func TestCirclesOfSchemas(t *testing.T) {
	for _, c := range []struct{ size, broken int }{{500, 0}, {5000, 1}} {
		var b strings.Builder
		for i := range c.size {
			fmt.Fprintf(&b, "S%d: {allOf: [{$ref: '#/components/schemas/S%d'}]}, ", i, (i+1)%c.size)
		}
		api, _, diags := schemaOf(t, "3.0.3", "{$ref: '#/components/schemas/S0'}", "{"+b.String()+"}")
		broken := 0
		for _, s := range api.Schemas {
			if !s.Get("allOf").Fields[0].Value.Has("$ref") {
				broken++
			}
		}
		if broken != c.broken || strings.Count(diags, "warning circular-schema: ") != c.broken {
			t.Errorf("%d schemas: %d broken, %s", c.size, broken, diags)
		}
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct{ text, code, hint string }{
		{"openapi: 3.0.3\npaths: {/a: {gett: {}}}", "unknown-field", `did you mean "get"?`},
		{"openapi: 3.0.3\npaths: {/a: {POST: {}}}", "unknown-field", `did you mean "post"?`},
		{"openapi: 3.0.3\npaths: {/a: {parameter: []}}", "unknown-field", `did you mean "parameters"?`},
		{"openapi: 3.0.3\npaths: {/a: {zzzzzzzz: {}}}", "unknown-field", ""},
		{"openapi: 3.0.3\npaths: {/a: {get: {parameters: [{name: q, in: query, style: simple}]}}}", "odd-style", "allowed are form, spaceDelimited, pipeDelimited and deepObject"},
		{"openapi: 3.0.3\npaths: {'/{p}': {get: {parameters: [{name: p, in: path, required: true, style: form}]}}}", "odd-style", "allowed are simple, label and matrix"},
		{"openapi: 3.0.3\npaths: {/a: {get: {parameters: [{name: h, in: header, style: form}]}}}", "odd-style", "allowed is simple"},
		{"openapi: 3.0.3\npaths: {/a: {get: {parameters: [{name: c, in: cookie, style: simple}]}}}", "odd-style", "allowed is form"},
		{"openapi: 3.2.0\npaths: {/a: {get: {parameters: [{name: c, in: cookie, style: simple}]}}}", "odd-style", "allowed are form and cookie"},
		{"openapi: 3.0.3\nservers: [{url: 'localhost:80/v1'}]", "invalid-server", "an absolute URL begins with http:// or https://"},
		{"openapi: 3.0.3\ninfo:\n\ttitle: T\n", "invalid-yaml", "YAML is indented with spaces; replace the tabs"},
		{"openapi: 3.0.3\ninfo:\n  title: T\n\tversion: '1'\n", "invalid-yaml", "YAML is indented with spaces; replace the tabs"},
		{"openapi: 3.0.3\ninfo:\n  x:\n  \ttitle: T\n", "invalid-yaml", "YAML is indented with spaces; replace the tabs"},
		{"openapi: 3.0.3\ninfo: [\n", "invalid-yaml", ""},
	} {
		_, diags := parse(t, c.text, Options{})
		i := slices.IndexFunc(diags, func(d diag.Diagnostic) bool { return d.Code == c.code })
		if i < 0 || diags[i].Hint != c.hint {
			t.Errorf("%q: want the hint %q of %s: %+v", c.text, c.hint, c.code, diags)
		}
	}
}
