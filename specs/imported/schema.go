package imported

import (
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

func stringSchema() *specs.Node { return typeSchema("string") }

func typeSchema(name string) *specs.Node {
	return specs.NewObject(specs.F("type", specs.NewString(name)))
}

func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && len(digits) <= 15 && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0')
}

// maxSchemaDepth is how deep the type of a sample is told; below it is anything.
const maxSchemaDepth = 6

// SchemaOf is a schema that all the values fit: what is known of a type when all
// one has are samples. Members are optional.
func SchemaOf(values []*specs.Node) *specs.Node { return schemaOf(values, 0) }

func schemaOf(values []*specs.Node, depth int) *specs.Node {
	if len(values) == 0 || depth > maxSchemaDepth {
		return specs.NewObject()
	}
	kind := typeOf(values[0])
	for _, v := range values[1:] {
		switch k := typeOf(v); {
		case k == kind:
		case k == "integer" && kind == "number", k == "number" && kind == "integer":
			kind = "number"
		default:
			return specs.NewObject()
		}
	}
	if kind == "" {
		return specs.NewObject()
	}
	n := typeSchema(kind)
	switch kind {
	case "array":
		var items []*specs.Node
		for _, v := range values {
			for _, f := range v.Fields {
				items = append(items, f.Value)
			}
		}
		n.Set("items", schemaOf(items, depth+1))
	case "object":
		properties := specs.NewObject()
		for _, v := range values {
			for _, f := range v.Fields {
				if len(properties.Fields) > maxMembers { // a table rather than a record
					n.Set("additionalProperties", specs.NewObject())
					return n
				}
				if f.Key == "" || properties.Has(f.Key) {
					continue
				}
				var all []*specs.Node
				for _, w := range values {
					if x := w.Get(f.Key); x != nil {
						all = append(all, x)
					}
				}
				properties.Set(f.Key, schemaOf(all, depth+1))
			}
		}
		if len(properties.Fields) == 0 {
			n.Set("additionalProperties", specs.NewObject())
			break
		}
		n.Set("properties", properties)
		n.Set("additionalProperties", specs.NewBool(false))
	}
	return n
}

// typeOf is JSON Schema's word for the type of a value; "" for null.
func typeOf(v *specs.Node) string {
	switch v.Kind {
	case specs.Bool:
		return "boolean"
	case specs.Number:
		if strings.ContainsAny(v.Text, ".eE") {
			return "number"
		}
		return "integer"
	case specs.String:
		return "string"
	case specs.Array:
		return "array"
	case specs.Object:
		return "object"
	}
	return ""
}

// maxExamples and maxExample bound the examples of an input and the bytes of one.
const (
	maxExamples = 3
	maxExample  = 200
)

// example adds a value to the examples unless it is there, too long or one too
// many.
func (in *Input) example(v *specs.Node) {
	if len(in.Examples) >= maxExamples || len(v.JSON()) > maxExample || slices.ContainsFunc(in.Examples, v.Equal) {
		return
	}
	in.Examples = append(in.Examples, v.Clone())
}
