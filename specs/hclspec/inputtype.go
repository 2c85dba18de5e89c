package hclspec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// inputType is a type as the author wrote it.
type inputType struct {
	schema   *specs.Node // JSON Schema 2020-12
	optional bool        // inside object({…})
	rng      diag.Range
}

// simpleTypes are the words for types.
var simpleTypes = []string{"string", "number", "integer", "bool", "any", "file"}

// typeMakers are the constructors of types.
var typeMakers = []string{"list", "map", "object", "enum", "format", "jsonschema", "optional"}

// formats are the values of JSON Schema's format that clients know.
var formats = []string{"date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference",
	"iri", "iri-reference", "uri-template", "uuid", "json-pointer", "relative-json-pointer", "regex", "byte", "binary", "password", "int32", "int64", "float", "double"}

func typeSchema(name string) *specs.Node {
	return specs.NewObject(specs.F("type", specs.NewString(name)))
}

// parseType reads a type. Nil means that it is wrong, which has been reported.
func (p *parser) parseType(e hclsyntax.Expression, member bool) *inputType {
	p.depth++
	defer func() { p.depth-- }()
	r := p.rng(e.Range())
	wrong := func(code string, at diag.Range, message, hint string) *inputType {
		p.add(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: at})
		return nil
	}
	switch e := e.(type) {
	case *hclsyntax.TemplateWrapExpr:
		return p.parseType(e.Wrapped, member)
	case *hclsyntax.ParenthesesExpr:
		return p.parseType(e.Expression, member)
	case *hclsyntax.ExprSyntaxError:
		return nil
	case *hclsyntax.TemplateExpr:
		word := strings.Trim(string(p.sourceText(e.SrcRange)), `"`)
		return wrong("wrong-type", r, "a type is written without quotes", "write type = "+word)
	case *hclsyntax.ScopeTraversalExpr:
		name := e.Traversal.RootName()
		if len(e.Traversal) == 1 {
			switch name {
			case "string", "number", "integer":
				return &inputType{schema: typeSchema(name), rng: r}
			case "bool":
				return &inputType{schema: typeSchema("boolean"), rng: r}
			case "any":
				return &inputType{schema: specs.NewObject(), rng: r}
			case "file":
				return &inputType{schema: specs.NewObject(specs.F("type", specs.NewString("string")), specs.F("format", specs.NewString("binary"))), rng: r}
			}
			if slices.Contains(typeMakers, name) {
				return wrong("wrong-type", r, name+" needs an argument", "write "+typeForms[name])
			}
		}
		hint := map[string]string{"boolean": "bool", "int": "integer", "float": "number", "str": "string", "text": "string", "array": "list(string)", "dict": "map(string)"}[name]
		if hint != "" {
			hint = "write " + hint
		} else {
			hint = didYouMean(name, append(slices.Clone(simpleTypes), typeMakers...), "types are ")
		}
		return wrong("unknown-type", r, fmt.Sprintf("there is no type %q", name), hint)
	case *hclsyntax.FunctionCallExpr:
		return p.madeType(e, r, member, wrong)
	}
	return wrong("wrong-type", r, "a type is expected here", "for example string, list(number) or enum(\"a\", \"b\")")
}

var typeForms = map[string]string{
	"list": "list(string)", "map": "map(number)", "object": "object({ name = string, size = optional(number) })", "enum": `enum("open", "closed")`,
	"format": `format("date")`, "jsonschema": `jsonschema({ type = "string" })`, "optional": "optional(string), inside object({…})",
}

func (p *parser) madeType(e *hclsyntax.FunctionCallExpr, r diag.Range, member bool, wrong func(string, diag.Range, string, string) *inputType) *inputType {
	if !slices.Contains(typeMakers, e.Name) {
		return wrong("unknown-type", p.rng(e.NameRange), fmt.Sprintf("there is no type %q", e.Name), didYouMean(e.Name, append(slices.Clone(typeMakers), simpleTypes...), "types are "))
	}
	if e.Name == "enum" {
		return p.enumType(e, r, wrong)
	}
	if len(e.Args) != 1 || e.ExpandFinal {
		return wrong("wrong-arguments", r, e.Name+" takes one argument", "write "+typeForms[e.Name])
	}
	arg := e.Args[0]
	switch e.Name {
	case "list", "map":
		of := p.parseType(arg, false)
		if of == nil {
			return nil
		}
		if e.Name == "list" {
			return &inputType{schema: specs.NewObject(specs.F("type", specs.NewString("array")), specs.F("items", of.schema)), rng: r}
		}
		return &inputType{schema: specs.NewObject(specs.F("type", specs.NewString("object")), specs.F("additionalProperties", of.schema)), rng: r}
	case "optional":
		if !member {
			return wrong("wrong-type", r, "optional() belongs inside object({…})", "write optional = true beside the type")
		}
		of := p.parseType(arg, false)
		if of == nil {
			return nil
		}
		of.optional = true
		return of
	case "format":
		v := p.known(p.lower(arg, &scope{phase: staticPhase, what: "type"}), "type")
		if v == nil {
			return nil
		}
		if v.Kind != specs.String {
			return wrong("wrong-type", p.rng(arg.Range()), "format takes a text", "write "+typeForms["format"])
		}
		if !slices.Contains(formats, v.Text) {
			return wrong("unknown-value", p.rng(arg.Range()), fmt.Sprintf("there is no format %q", v.Text), didYouMean(v.Text, formats, "formats are "))
		}
		return &inputType{schema: specs.NewObject(specs.F("type", specs.NewString("string")), specs.F("format", specs.NewString(v.Text))), rng: r}
	case "jsonschema":
		v := p.known(p.lower(arg, &scope{phase: staticPhase, what: "type"}), "type")
		if v == nil {
			return nil
		}
		if v.Kind != specs.Object {
			return wrong("wrong-type", p.rng(arg.Range()), "jsonschema takes an object", "write "+typeForms["jsonschema"])
		}
		return &inputType{schema: v.Clone(), rng: r}
	}
	// object
	o, ok := arg.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return wrong("wrong-type", p.rng(arg.Range()), "object takes an object of types", "write "+typeForms["object"])
	}
	properties, required := specs.NewObject(), specs.NewArray()
	for _, item := range o.Items {
		k := p.known(p.lower(item.KeyExpr, &scope{phase: staticPhase, what: "type"}), "type")
		t := p.parseType(item.ValueExpr, true)
		if k == nil || t == nil {
			ok = false
			continue
		}
		if properties.Has(k.Text) {
			p.duplicateKey(k.Text, k.Range(), properties.Get(k.Text).Range())
			ok = false
			continue
		}
		properties.Set(k.Text, p.place(t.schema, t.rng))
		if !t.optional {
			required.Fields = append(required.Fields, specs.Field{Value: specs.NewString(k.Text), KeyStart: -1})
		}
	}
	if !ok {
		return nil
	}
	schema := specs.NewObject(specs.F("type", specs.NewString("object")), specs.F("properties", properties))
	if len(required.Fields) > 0 {
		schema.Set("required", required)
	}
	schema.Set("additionalProperties", specs.NewBool(false))
	return &inputType{schema: schema, rng: r}
}

func (p *parser) enumType(e *hclsyntax.FunctionCallExpr, r diag.Range, wrong func(string, diag.Range, string, string) *inputType) *inputType {
	sc := &scope{phase: staticPhase, what: "type"}
	var values []*specs.Expr
	for i, a := range e.Args {
		x := p.lower(a, sc)
		if x == nil || p.known(x, "type") == nil {
			return nil
		}
		if e.ExpandFinal && i == len(e.Args)-1 {
			items, ok := elements(x)
			if !ok {
				return wrong("wrong-type", x.Range, "... needs a list", "")
			}
			values = append(values, items...)
			continue
		}
		values = append(values, x)
	}
	if len(values) == 0 {
		return wrong("wrong-arguments", r, "enum needs at least one value", "write "+typeForms["enum"])
	}
	list := specs.NewArray()
	kinds := map[specs.Kind]bool{}
	for _, x := range values {
		if x.Value.Kind >= specs.Array {
			return wrong("wrong-type", x.Range, "enum holds texts, numbers or booleans", "write "+typeForms["enum"])
		}
		for _, f := range list.Fields {
			if equal(f.Value, x.Value) {
				return wrong("duplicate-key", x.Range, fmt.Sprintf("enum has %s twice", valueText(x.Value)), "keep one of the two")
			}
		}
		kinds[x.Value.Kind] = true
		list.Fields = append(list.Fields, specs.Field{Value: x.Value, KeyStart: -1})
	}
	schema := specs.NewObject()
	if len(kinds) == 1 {
		if t := map[specs.Kind]string{specs.String: "string", specs.Number: "number", specs.Bool: "boolean"}[values[0].Value.Kind]; t != "" {
			schema.Set("type", specs.NewString(t))
		}
	}
	schema.Set("enum", list)
	return &inputType{schema: schema, rng: r}
}

// mismatch says why a value does not satisfy a schema made of types, or "". It
// knows the keywords that inputs have; others are left to the validator.
func mismatch(schema, v *specs.Node) (problem, hint string) {
	if enum := schema.Get("enum"); enum != nil {
		var words []string
		for _, f := range enum.Fields {
			if equal(f.Value, v) {
				return "", ""
			}
			words = append(words, f.Value.Text)
		}
		return valueText(v) + " is none of the allowed values", didYouMean(v.Text, words, "allowed are ")
	}
	names := map[string]string{"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list", "object": "an object"}
	want := schema.Get("type").Str()
	ok := true
	switch want {
	case "string":
		ok = v.Kind == specs.String
	case "number":
		ok = v.Kind == specs.Number
	case "integer":
		ok = v.Kind == specs.Number && isInteger(v)
	case "boolean":
		ok = v.Kind == specs.Bool
	case "array":
		ok = v.Kind == specs.Array
	case "object":
		ok = v.Kind == specs.Object
	}
	if !ok {
		return fmt.Sprintf("%s is not %s", valueText(v), names[want]), ""
	}
	limit := func(key string) (int, bool) {
		n, err := strconv.Atoi(digitsOf(schema.Get(key)))
		return n, err == nil && schema.Has(key)
	}
	switch v.Kind {
	case specs.String:
		n := utf8.RuneCountInString(v.Text)
		if l, ok := limit("minLength"); ok && n < l {
			return fmt.Sprintf("%s is shorter than %d characters", valueText(v), l), ""
		}
		if l, ok := limit("maxLength"); ok && n > l {
			return fmt.Sprintf("%s is longer than %d characters", valueText(v), l), ""
		}
		if q := schema.Get("pattern"); q != nil {
			if re, err := regexp.Compile(q.Text); err == nil && !re.MatchString(v.Text) {
				return fmt.Sprintf("%s does not match the pattern %s", valueText(v), q.Text), ""
			}
		}
	case specs.Number:
		d, err := number(v)
		if err != nil {
			return err.Error(), ""
		}
		if l := schema.Get("minimum"); l != nil {
			if m, err := number(l); err == nil && d.cmp(m) < 0 {
				return fmt.Sprintf("%s is less than the minimum %s", v.Text, l.Text), ""
			}
		}
		if l := schema.Get("maximum"); l != nil {
			if m, err := number(l); err == nil && d.cmp(m) > 0 {
				return fmt.Sprintf("%s is more than the maximum %s", v.Text, l.Text), ""
			}
		}
	case specs.Array:
		if l, ok := limit("minItems"); ok && len(v.Fields) < l {
			return fmt.Sprintf("the list has fewer than %d elements", l), ""
		}
		if l, ok := limit("maxItems"); ok && len(v.Fields) > l {
			return fmt.Sprintf("the list has more than %d elements", l), ""
		}
		if items := schema.Get("items"); items != nil {
			for _, f := range v.Fields {
				if problem, hint := mismatch(items, f.Value); problem != "" {
					return problem, hint
				}
			}
		}
	case specs.Object:
		properties := schema.Get("properties")
		for _, f := range v.Fields {
			of := properties.Get(f.Key)
			if of == nil {
				of = schema.Get("additionalProperties")
				if of != nil && of.Kind == specs.Bool && !of.IsTrue() {
					return fmt.Sprintf("there is no member %q", f.Key), didYouMean(f.Key, keysOf(properties), "there are ")
				}
			}
			if of != nil {
				if problem, hint := mismatch(of, f.Value); problem != "" {
					return problem, hint
				}
			}
		}
		if required := schema.Get("required"); required != nil {
			for _, f := range required.Fields {
				if !v.Has(f.Value.Text) {
					return fmt.Sprintf("the member %q is missing", f.Value.Text), ""
				}
			}
		}
	}
	return "", ""
}

func isInteger(v *specs.Node) bool {
	d, err := number(v)
	return err == nil && d.cmp(d.whole(false)) == 0
}

func digitsOf(v *specs.Node) string {
	if v == nil {
		return ""
	}
	return v.Text
}
