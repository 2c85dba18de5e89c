package compiler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// Keywords whose values hold no schema: limits, enums, constants, examples.

// maxExample is the size of the examples kept for one schema, in bytes.
const maxExample = 1024

// lowerValues keeps enum, const, default and examples.
func (l *lowerer) lowerValues(s *schema, n *specs.Node) {
	if v := n.Get("enum"); v != nil {
		if v.Kind == specs.Array && len(v.Fields) > 0 && sane(v) {
			b := []byte{'['}
			seen := make(map[string]bool, len(v.Fields))
			for _, f := range v.Fields {
				j := jsonOf(fit(f.Value, s.types))
				if seen[j] {
					continue
				}
				seen[j] = true
				if len(b) > 1 {
					b = append(b, ',')
				}
				b = append(b, j...)
			}
			s.words = append(s.words, word{"enum", string(append(b, ']'))})
		} else {
			s.loose = true
		}
	}
	if v := n.Get("const"); v != nil {
		if sane(v) {
			s.words = append(s.words, word{"const", jsonOf(fit(v, s.types))})
		} else {
			s.loose = true
		}
	}
	var examples []*specs.Node
	if v := n.Get("examples"); v != nil && (v.Kind == specs.Array || v.Kind == specs.Object) {
		for _, f := range v.Fields {
			e := f.Value
			if v.Kind == specs.Object { // OpenAPI's map of example objects
				if e = e.Get("value"); e == nil {
					continue
				}
			}
			examples = append(examples, e)
		}
	}
	if v := n.Get("example"); v != nil {
		examples = append(examples, v)
	}
	if w, ok := exampleWord(examples); ok {
		s.words = append(s.words, w)
	}
}

// exampleWord is the keyword for as many of the examples as are kept.
func exampleWord(examples []*specs.Node) (word, bool) {
	b := []byte{'['}
	for _, e := range examples {
		if e == nil || !sane(e) {
			continue
		}
		j := jsonOf(e)
		if len(b)+len(j) > maxExample {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, j...)
	}
	return word{"examples", string(append(b, ']'))}, len(b) > 1
}

// fit makes a value of the declared type of one that YAML read otherwise: a
// version 1.0 in an enum of strings, a "5" in one of integers.
func fit(v *specs.Node, types []string) *specs.Node {
	if v == nil || len(types) == 0 {
		return v
	}
	is := func(t string) bool { return slices.Contains(types, t) }
	switch v.Kind {
	case specs.Number:
		if is("string") && !is("number") && !is("integer") {
			return specs.NewString(v.Text)
		}
	case specs.Bool:
		if is("string") && !is("boolean") {
			return specs.NewString(v.Text)
		}
	case specs.String:
		if is("string") {
			return v
		}
		if (is("integer") || is("number")) && isNumber(v.Text) && saneNumber(v.Text) {
			return specs.NewNumber(v.Text)
		}
		if is("boolean") && (v.Text == "true" || v.Text == "false") {
			return specs.NewBool(v.Text == "true")
		}
	}
	return v
}

// scalarWord checks a keyword whose value holds no schema. Keywords it does not
// know, OpenAPI's own and vendors' among them, are dropped.
func scalarWord(key string, v, parent *specs.Node) (word, bool) {
	switch key {
	case "format", "contentEncoding", "contentMediaType":
		if v.Kind == specs.String && v.Text != "" {
			return word{key, quote(v.Text)}, true
		}
	case "default":
		if sane(v) {
			return word{key, jsonOf(v)}, true
		}
	case "deprecated":
		if v.IsTrue() {
			return word{key, "true"}, true
		}
	case "uniqueItems":
		if v.IsTrue() || v.Str() == "true" {
			return word{key, "true"}, true
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		if v.Kind == specs.Bool { // before draft 6
			limit := map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}[key]
			if limit == "" || v.Text != "true" {
				return word{}, false
			}
			if v = parent.Get(limit); v == nil {
				return word{}, false
			}
		}
		if (v.Kind != specs.Number && v.Kind != specs.String) || !isNumber(v.Text) || !saneNumber(v.Text) {
			return word{}, false
		}
		if key == "multipleOf" && (strings.HasPrefix(v.Text, "-") || isZero(v.Text)) {
			return word{}, false
		}
		return word{key, v.Text}, true
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		if v.Kind != specs.Number && v.Kind != specs.String {
			return word{}, false
		}
		t := v.Text
		if head, tail, ok := strings.Cut(t, "."); ok && strings.Trim(tail, "0") == "" {
			t = head
		}
		n, err := strconv.ParseUint(t, 10, 63)
		if err != nil {
			return word{}, false
		}
		return word{key, strconv.FormatUint(n, 10)}, true
	}
	return word{}, false
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}

func isZero(s string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	return !strings.ContainsAny(mantissa, "123456789")
}

// saneNumber reports whether exact arithmetic on a JSON number is affordable:
// 1e999999999 takes a gigabyte.
func saneNumber(s string) bool {
	mantissa, exp, _ := strings.Cut(strings.ToLower(s), "e")
	exp = strings.TrimLeft(strings.TrimLeft(exp, "+-"), "0")
	return len(mantissa) <= 400 && len(exp) <= 3 && (len(exp) < 3 || exp <= "400")
}

// sane reports whether all numbers in a value are, and whether it nests within reason.
func sane(v *specs.Node) bool { return saneWithin(v, 64) }

func saneWithin(v *specs.Node, depth int) bool {
	if v == nil {
		return true
	}
	if depth == 0 {
		return false
	}
	if v.Kind == specs.Number {
		return isNumber(v.Text) && saneNumber(v.Text)
	}
	for i := range v.Fields {
		if !saneWithin(v.Fields[i].Value, depth-1) {
			return false
		}
	}
	if v.Kind == specs.Object && len(v.Fields) > 1 {
		seen := make(map[string]bool, len(v.Fields))
		for i := range v.Fields {
			if seen[v.Fields[i].Key] {
				return false
			}
			seen[v.Fields[i].Key] = true
		}
	}
	return true
}
