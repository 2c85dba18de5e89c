package schema

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fast is a second, small validator for the schemas that nearly all arguments
// have: types, properties, required, bounds, patterns, formats, text enums, items,
// references, allOf and anyOf. It only ever says that a value surely conforms;
// everything it does not know or does not like is left to the library, which
// also finds the words. It stands in the path of every call and takes a fifth
// of the library's time. Tests hold it to the library's answers and to its list
// of keywords.
type fast struct {
	types    kinds
	enum     map[string]bool // nil: any
	min, max *int64
	pattern  jsonschema.Regexp
	format   *jsonschema.Format // nil: any
	minLen   int                // of text, in code points
	maxLen   int                // -1: any
	props    map[string]*fast
	required []string
	extra    *fast // of members that are not in props; nil: none may be
	minProps int
	maxProps int // -1: any
	minItems int
	maxItems int // -1: any
	items    *fast
	all      []*fast
	any      []*fast
	unknown  bool // nothing is sure
}

type kinds uint8

const (
	kindNull kinds = 1 << iota
	kindBool
	kindNumber
	kindInteger
	kindString
	kindArray
	kindObject
	kindAny kinds = 0xff
)

// anything accepts every value; it is known by its address.
var anything = &fast{types: kindAny}

// compileFast makes the validator of s; known has those that are made already,
// for references in circles.
func compileFast(s *jsonschema.Schema, known map[*jsonschema.Schema]*fast) *fast {
	if s == nil || s.Bool != nil && *s.Bool {
		return anything
	}
	if f, ok := known[s]; ok {
		return f
	}
	f := &fast{types: kindAny, maxLen: -1, maxProps: -1, maxItems: -1, extra: anything}
	known[s] = f
	f.unknown = s.Bool != nil || s.DraftVersion != 2020 || s.RecursiveRef != nil || s.DynamicRef != nil || s.Not != nil || len(s.OneOf) > 0 ||
		s.If != nil || s.Then != nil || s.Else != nil || s.PropertyNames != nil || len(s.PatternProperties) > 0 ||
		len(s.Dependencies) > 0 || len(s.DependentRequired) > 0 || len(s.DependentSchemas) > 0 || s.UnevaluatedProperties != nil ||
		s.UniqueItems || s.Contains != nil || s.MinContains != nil || s.MaxContains != nil || s.Items != nil || s.AdditionalItems != nil ||
		len(s.PrefixItems) > 0 || s.UnevaluatedItems != nil || s.ContentEncoding != nil || s.ContentMediaType != nil || s.ContentSchema != nil ||
		s.ExclusiveMaximum != nil || s.ExclusiveMinimum != nil || s.MultipleOf != nil || len(s.Extensions) > 0 || s.Const != nil
	if f.unknown {
		return f
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		f.types = 0
		for _, t := range s.Types.ToStrings() {
			f.types |= map[string]kinds{"null": kindNull, "boolean": kindBool, "number": kindNumber | kindInteger, "integer": kindInteger,
				"string": kindString, "array": kindArray, "object": kindObject}[t]
		}
	}
	if s.Enum != nil {
		f.enum = map[string]bool{}
		for _, v := range s.Enum.Values {
			if text, ok := v.(string); ok {
				f.enum[text] = true
			}
		}
	}
	f.min, f.unknown = bound(s.Minimum)
	if !f.unknown {
		f.max, f.unknown = bound(s.Maximum)
	}
	f.pattern, f.required, f.format = s.Pattern, s.Required, s.Format
	set := func(to *int, from *int) {
		if from != nil {
			*to = *from
		}
	}
	set(&f.minLen, s.MinLength)
	set(&f.maxLen, s.MaxLength)
	set(&f.minProps, s.MinProperties)
	set(&f.maxProps, s.MaxProperties)
	set(&f.minItems, s.MinItems)
	set(&f.maxItems, s.MaxItems)
	f.props = make(map[string]*fast, len(s.Properties))
	for name, sub := range s.Properties {
		f.props[name] = compileFast(sub, known)
	}
	switch extra := s.AdditionalProperties.(type) {
	case bool:
		if !extra {
			f.extra = nil
		}
	case *jsonschema.Schema:
		f.extra = compileFast(extra, known)
	}
	f.items = compileFast(s.Items2020, known)
	if s.Ref != nil {
		f.all = append(f.all, compileFast(s.Ref, known))
	}
	for _, sub := range s.AllOf {
		f.all = append(f.all, compileFast(sub, known))
	}
	for _, sub := range s.AnyOf {
		f.any = append(f.any, compileFast(sub, known))
	}
	return f
}

func bound(r *big.Rat) (_ *int64, unknown bool) {
	if r == nil {
		return nil, false
	}
	if !r.IsInt() || !r.Num().IsInt64() {
		return nil, true
	}
	n := r.Num().Int64()
	return &n, false
}

// conforms reports that v surely conforms. hops counts what is looked into
// without getting deeper into the value, to end circles of references.
func (f *fast) conforms(v any, hops int) bool {
	if f == anything {
		return true
	}
	if f.unknown || hops > 32 {
		return false
	}
	switch v := v.(type) {
	case nil:
		if f.types&kindNull == 0 || f.enum != nil {
			return false
		}
	case bool:
		if f.types&kindBool == 0 || f.enum != nil {
			return false
		}
	case string:
		if f.types&kindString == 0 || f.enum != nil && !f.enum[v] {
			return false
		}
		if (f.minLen > 0 || f.maxLen >= 0) && !within(utf8.RuneCountInString(v), f.minLen, f.maxLen) {
			return false
		}
		if f.pattern != nil && !f.pattern.MatchString(v) {
			return false
		}
		if f.format != nil && f.format.Validate(v) != nil {
			return false
		}
	case json.Number:
		if f.enum != nil || !f.number(string(v)) {
			return false
		}
	case []any:
		if f.types&kindArray == 0 || f.enum != nil || !within(len(v), f.minItems, f.maxItems) {
			return false
		}
		for _, item := range v {
			if !f.items.conforms(item, 0) {
				return false
			}
		}
	case map[string]any:
		if f.types&kindObject == 0 || f.enum != nil || !within(len(v), f.minProps, f.maxProps) {
			return false
		}
		for _, name := range f.required {
			if _, ok := v[name]; !ok {
				return false
			}
		}
		for name, member := range v {
			p, ok := f.props[name]
			if !ok {
				if p = f.extra; p == nil {
					return false
				}
			}
			if !p.conforms(member, 0) {
				return false
			}
		}
	default:
		return false
	}
	for _, sub := range f.all {
		if !sub.conforms(v, hops+1) {
			return false
		}
	}
	if f.any == nil {
		return true
	}
	for _, sub := range f.any {
		if sub.conforms(v, hops+1) {
			return true
		}
	}
	return false
}

func within(n, least, most int) bool { return n >= least && (most < 0 || n <= most) }

func (f *fast) number(text string) bool {
	if f.types&kindNumber != 0 && f.min == nil && f.max == nil {
		return true
	}
	// Only plain integers of a size that cannot overflow; the rest is rare.
	if f.types&kindInteger == 0 || len(text) > 18 || strings.ContainsAny(text, ".eE") {
		return false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && (f.min == nil || n >= *f.min) && (f.max == nil || n <= *f.max)
}
