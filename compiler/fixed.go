package compiler

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// checkFixed refuses a fixed value that the schema of its input does not allow.
// Values that depend on the call are not known here. asText says that the value
// is sent as text, where "7" and 7 are the same.
func checkFixed(diags *diag.List, in *specs.Input, s *schema, asText bool) {
	if in.Value == nil || in.Value.Op != specs.ExprConst || in.Value.Value == nil || in.Value.Value.Kind == specs.Null {
		return
	}
	v := in.Value.Value
	if asText {
		v = fit(v, s.target().types)
	}
	if problem := contradiction(s, v, 0); problem != "" {
		diags.Add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the value of input %q does not fit: %s", in.Path, problem), Hint: "change the value", Range: in.Value.Range})
	}
}

// contradiction says why a value does not satisfy a schema, or "". It knows the
// keywords whose meaning needs no other part of the schema; it never refuses
// what the schema allows.
func contradiction(s *schema, v *specs.Node, depth int) string {
	if depth > 16 || v == nil {
		return ""
	}
	if s.never {
		return "no value is allowed"
	}
	if s.ref != nil {
		if problem := contradiction(s.ref.schema(), v, depth+1); problem != "" {
			return problem
		}
	}
	if len(s.types) > 0 && !slices.ContainsFunc(s.types, func(t string) bool { return isOfType(v, t) }) {
		names := map[string]string{"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list", "object": "an object", "null": "null"}
		allowed := ""
		for i, t := range s.types {
			if i > 0 {
				allowed += " or "
			}
			allowed += names[t]
		}
		return fmt.Sprintf("%s is not %s", clip(jsonOf(v), 80), allowed)
	}
	for _, w := range s.words {
		if problem := breaks(w, v); problem != "" {
			return problem
		}
	}
	if v.Kind == specs.Object {
		for i := range s.props {
			p := &s.props[i]
			member := v.Get(p.key)
			if member == nil {
				member = v.Get(p.wire)
			}
			if problem := contradiction(p.schema, member, depth+1); problem != "" {
				return fmt.Sprintf("%s: %s", p.key, problem)
			}
		}
	}
	for i := range s.subs {
		switch sb := &s.subs[i]; sb.key {
		case "allOf":
			for _, c := range sb.list {
				if problem := contradiction(c, v, depth+1); problem != "" {
					return problem
				}
			}
		case "anyOf", "oneOf":
			first := ""
			for j, c := range sb.list {
				problem := contradiction(c, v, depth+1)
				if problem == "" {
					first = ""
					break
				}
				if j == 0 {
					first = problem
				}
			}
			if first != "" {
				return first
			}
		case "items":
			if v.Kind != specs.Array || s.sub("prefixItems") != nil {
				continue
			}
			for _, f := range v.Fields {
				if problem := contradiction(sb.list[0], f.Value, depth+1); problem != "" {
					return problem
				}
			}
		}
	}
	return ""
}

func isOfType(v *specs.Node, t string) bool {
	switch v.Kind {
	case specs.Null:
		return t == "null"
	case specs.Bool:
		return t == "boolean"
	case specs.String:
		return t == "string"
	case specs.Array:
		return t == "array"
	case specs.Object:
		return t == "object"
	}
	if t == "integer" {
		r := exact(v.Text)
		return r == nil || r.IsInt()
	}
	return t == "number"
}

// exact is a JSON number, or nil when it is none that is affordable.
func exact(digits string) *big.Rat {
	if !isNumber(digits) || !saneNumber(digits) {
		return nil
	}
	r, ok := new(big.Rat).SetString(digits)
	if !ok {
		return nil
	}
	return r
}

// breaks says how a value breaks one keyword, or "".
func breaks(w word, v *specs.Node) string {
	text := clip(jsonOf(v), 80)
	switch w.key {
	case "enum", "const":
		if v.Kind == specs.Array || v.Kind == specs.Object {
			return ""
		}
		list := []json.RawMessage{json.RawMessage(w.json)}
		if w.key == "enum" && json.Unmarshal([]byte(w.json), &list) != nil {
			return ""
		}
		n := exact(v.Text)
		for _, allowed := range list {
			if string(allowed) == jsonOf(v) {
				return ""
			}
			if a := exact(string(allowed)); v.Kind == specs.Number && a != nil && n != nil && a.Cmp(n) == 0 {
				return ""
			}
		}
		return fmt.Sprintf("%s is none of the allowed values %s", text, clip(w.json, 200))
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		limit, n := exact(w.json), exact(v.Text)
		if v.Kind != specs.Number || limit == nil || n == nil {
			return ""
		}
		c := n.Cmp(limit)
		switch {
		case w.key == "minimum" && c < 0, w.key == "maximum" && c > 0, w.key == "exclusiveMinimum" && c <= 0, w.key == "exclusiveMaximum" && c >= 0:
			return fmt.Sprintf("%s is beyond the %s %s", text, w.key, w.json)
		}
	case "minLength", "maxLength":
		limit, err := strconv.Atoi(w.json)
		if v.Kind != specs.String || err != nil {
			return ""
		}
		if n := utf8.RuneCountInString(v.Text); w.key == "minLength" && n < limit || w.key == "maxLength" && n > limit {
			return fmt.Sprintf("%s has %d characters, and %s is %d", text, n, w.key, limit)
		}
	}
	return ""
}
