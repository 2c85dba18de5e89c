// Package schema checks a tool's arguments against its JSON Schema and says
// what is wrong in words a model can act on: which field, which rule, what is
// allowed, and for an unknown name the nearest known one.
//
// Schemas are draft 2020-12 and complete in themselves: nothing is ever
// loaded. format, contentEncoding and contentMediaType are annotations, the
// draft's default: what an upstream calls a date-time is often looser than RFC
// 3339, and refusing what it would take helps nobody. Where the author of a tool
// wrote the format, it is a rule. Numbers are compared exactly.
package schema

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Validator checks values against one schema. It is safe for concurrent use.
type Validator struct {
	schema *jsonschema.Schema
	fast   *fast
	fields map[string]*jsonschema.Schema // of the root that take lists or objects but no text
	noText map[string]bool               // fields of the root that take no text
	// byLocation finds the schema that an error speaks of; built by the first.
	byLocation func() map[string]*jsonschema.Schema
}

// location is the base URI of every schema; it never leaves the process.
const location = "mcpc:///schema"

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("schemas are not loaded from elsewhere")
}

// Compile prepares a schema. The empty schema accepts everything.
func Compile(s plan.Schema) (*Validator, error) { return compile(s, false) }

// CompileInput prepares the input schema of a tool.
func CompileInput(t *plan.Tool) (*Validator, error) { return compile(t.Input, t.Formats) }

func compile(s plan.Schema, formats bool) (*Validator, error) {
	if s == "" {
		s = "true"
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(s)))
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	if formats {
		c.AssertFormat()
	}
	if err := c.AddResource(location, doc); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	compiled, err := c.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	v := &Validator{schema: compiled, fast: compileFast(compiled, map[*jsonschema.Schema]*fast{}), fields: map[string]*jsonschema.Schema{}, noText: map[string]bool{}}
	for name, field := range compiled.Properties {
		if allows(field, "string", 0) {
			continue
		}
		v.noText[name] = true
		if allows(field, "object", 0) || allows(field, "array", 0) {
			v.fields[name] = field
		}
	}
	v.byLocation = sync.OnceValue(func() map[string]*jsonschema.Schema {
		index := map[string]*jsonschema.Schema{}
		walk(compiled, func(s *jsonschema.Schema) bool {
			if index[s.Location] != nil {
				return false
			}
			index[s.Location] = s
			return true
		})
		return index
	})
	return v, nil
}

// TakesText tells whether a property of the root may be a string. What is not
// declared may.
func (v *Validator) TakesText(name string) bool { return !v.noText[name] }

// Check returns what is wrong with a value as [args.Decode] makes it, sorted,
// at most ten problems; nil when it conforms.
func (v *Validator) Check(value any) []Problem {
	if v.fast.conforms(value, 0) {
		return nil
	}
	err := v.schema.Validate(value)
	if err == nil {
		return nil
	}
	var failure *jsonschema.ValidationError
	if !errors.As(err, &failure) {
		return []Problem{{Message: "the arguments cannot be checked: " + cut(err.Error(), 300)}}
	}
	r := reporter{value: value, schemas: v.byLocation}
	return r.report(failure)
}

// Repair undoes a mistake that many clients make: an object or list that is
// sent as a string of its JSON text. A top-level argument is replaced by what
// its text says when its schema allows no string at all, allows objects or
// lists, and the text is one of these. It returns the names it repaired, and
// changes a in place.
func (v *Validator) Repair(a *args.Args) []string {
	var repaired []string
	for name := range v.fields {
		s, ok := a.Values[name].(string)
		if !ok {
			continue
		}
		if text := strings.TrimSpace(s); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			if a.Set(name, []byte(text)) == nil {
				repaired = append(repaired, name)
			}
		}
	}
	return repaired
}

// allows reports whether a value of a JSON type may conform to s. It errs on
// the side of yes.
func allows(s *jsonschema.Schema, kind string, depth int) bool {
	if s.Bool != nil {
		return *s.Bool
	}
	if depth > 32 {
		return true // a cycle of references
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		named := false
		for _, t := range s.Types.ToStrings() {
			named = named || t == kind
		}
		if !named {
			return false
		}
	}
	if s.Const != nil && kindName(*s.Const) != kind {
		return false
	}
	if s.Enum != nil {
		named := false
		for _, v := range s.Enum.Values {
			named = named || kindName(v) == kind
		}
		if !named {
			return false
		}
	}
	if s.Ref != nil && !allows(s.Ref, kind, depth+1) {
		return false
	}
	for _, sub := range s.AllOf {
		if !allows(sub, kind, depth+1) {
			return false
		}
	}
	for _, alternatives := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		named := len(alternatives) == 0
		for _, sub := range alternatives {
			named = named || allows(sub, kind, depth+1)
		}
		if !named {
			return false
		}
	}
	return true
}

// walk visits s and the schemas below it, in no particular order, as long as
// visit says so.
func walk(s *jsonschema.Schema, visit func(*jsonschema.Schema) bool) {
	if s == nil || !visit(s) {
		return
	}
	for _, sub := range []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties,
		s.Contains, s.Items2020, s.UnevaluatedItems} {
		walk(sub, visit)
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		walk(sub, visit)
	}
	if s.DynamicRef != nil {
		walk(s.DynamicRef.Ref, visit)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
		for _, sub := range list {
			walk(sub, visit)
		}
	}
	for _, sub := range s.Properties {
		walk(sub, visit)
	}
	for _, sub := range s.DependentSchemas {
		walk(sub, visit)
	}
	for _, sub := range s.PatternProperties {
		walk(sub, visit)
	}
}
