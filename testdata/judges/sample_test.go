package judges

import (
	"encoding/json"
	"maps"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
)

// sampler makes arguments that a tool's input schema describes, from its
// examples where it has any. It is deliberately simple: what it gets wrong,
// mcpc's own validation refuses before anything is sent.
type sampler struct {
	defs   map[string]any
	full   bool     // optional members too
	leave  []string // optional members that are never given
	always []string // optional members that are always given
	filled bool     // objects have a member, where they can: a form cannot say {}
}

// arguments returns JSON arguments for a tool.
func (s sampler) arguments(t *testing.T, schema json.RawMessage) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(schema)))
	d.UseNumber()
	var root map[string]any
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	s.defs, _ = root["$defs"].(map[string]any)
	b, err := json.Marshal(s.value(root, 0))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s *sampler) value(schema any, depth int) any {
	m, ok := schema.(map[string]any)
	if !ok {
		return "x"
	}
	if ref, ok := m["$ref"].(string); ok {
		target, _ := s.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		merged := map[string]any{}
		for k, v := range target {
			merged[k] = v
		}
		for k, v := range m {
			if k != "$ref" {
				merged[k] = v
			}
		}
		return s.value(merged, depth)
	}
	if c, ok := m["const"]; ok {
		return c
	}
	if e, ok := m["enum"].([]any); ok && len(e) > 0 {
		for _, v := range e {
			if v != nil && v != "" {
				return v
			}
		}
		return e[0]
	}
	if all, ok := m["allOf"].([]any); ok {
		return s.value(s.merge(m, all), depth)
	}
	// An example that is a date or an id is often older than its format.
	if e, ok := m["examples"].([]any); ok && len(e) > 0 && depth > 0 && m["format"] == nil {
		return e[0]
	}
	kind := s.kind(m)
	if kind != "object" || m["properties"] == nil {
		for _, k := range []string{"oneOf", "anyOf"} {
			if of, ok := m[k].([]any); ok && len(of) > 0 {
				return s.value(s.merge(m, of[:1]), depth)
			}
		}
	}
	switch kind {
	case "object":
		return s.object(m, depth)
	case "array":
		out := []any{}
		n := max(1, integer(m["minItems"], 1))
		if depth > 5 {
			n = integer(m["minItems"], 0)
		}
		for range n {
			out = append(out, s.value(m["items"], depth+1))
		}
		return out
	case "string":
		return text(m)
	case "integer", "number":
		return number(m, kind)
	case "boolean":
		return true
	case "null":
		return nil
	}
	return "x"
}

// merge lays schemas over one another, the rest of m first.
func (s *sampler) merge(m map[string]any, parts []any) map[string]any {
	out := map[string]any{}
	add := func(p map[string]any) {
		for k, v := range p {
			switch k {
			case "allOf", "oneOf", "anyOf":
			case "properties":
				props, _ := out[k].(map[string]any)
				merged := map[string]any{}
				for n, q := range props {
					merged[n] = q
				}
				for n, q := range v.(map[string]any) {
					merged[n] = q
				}
				out[k] = merged
			case "required":
				have, _ := out[k].([]any)
				out[k] = append(slices.Clone(have), v.([]any)...)
			default:
				out[k] = v
			}
		}
	}
	add(m)
	for _, p := range parts {
		pm, ok := p.(map[string]any)
		for ok && pm["$ref"] != nil {
			ref, _ := pm["$ref"].(string)
			pm, ok = s.defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		if !ok {
			continue
		}
		if all, has := pm["allOf"].([]any); has {
			pm = s.merge(pm, all)
		}
		for _, k := range []string{"oneOf", "anyOf"} {
			if of, has := pm[k].([]any); has && len(of) > 0 {
				pm = s.merge(pm, of[:1])
			}
		}
		add(pm)
	}
	return out
}

func (s *sampler) kind(m map[string]any) string {
	switch k := m["type"].(type) {
	case string:
		return k
	case []any:
		for _, v := range k {
			if v != "null" {
				return v.(string)
			}
		}
		return "null"
	}
	switch {
	case m["properties"] != nil:
		return "object"
	case m["items"] != nil:
		return "array"
	}
	return ""
}

func (s *sampler) object(m map[string]any, depth int) any {
	out := map[string]any{}
	props, _ := m["properties"].(map[string]any)
	required, _ := m["required"].([]any)
	names := slices.Sorted(maps.Keys(props))
	for _, name := range names {
		optional := s.full && depth < 4 && !slices.Contains(s.leave, name) && says(props[name])
		if slices.Contains(required, any(name)) || slices.Contains(s.always, name) || optional {
			out[name] = s.value(props[name], depth+1)
		}
	}
	for _, r := range required {
		if _, ok := out[r.(string)]; !ok {
			out[r.(string)] = "x"
		}
	}
	for _, name := range names {
		if len(out) == 0 && s.filled && depth > 1 && says(props[name]) && !slices.Contains(s.leave, name) {
			out[name] = s.value(props[name], depth+1)
		}
	}
	if extra, ok := m["additionalProperties"].(map[string]any); ok && len(props) == 0 && (s.full && depth < 4 || s.filled) {
		out["key"] = s.value(extra, depth+1)
	}
	return out
}

// says reports whether a schema says what its values are. One that was pruned
// for its size does not, and what a generator made up would be wrong.
func says(schema any) bool {
	m, ok := schema.(map[string]any)
	if !ok {
		return false
	}
	for _, k := range []string{"oneOf", "anyOf"} {
		if of, ok := m[k].([]any); ok && len(of) > 0 && m["properties"] == nil {
			return says(of[0]) // the one that is taken
		}
	}
	switch m["type"] {
	case "array":
		return says(m["items"])
	case "object":
		return m["properties"] != nil || m["additionalProperties"] != nil || m["allOf"] != nil
	}
	for _, k := range []string{"type", "$ref", "enum", "const", "allOf", "properties", "examples"} {
		if m[k] != nil {
			return true
		}
	}
	return false
}

func integer(v any, otherwise int) int {
	if n, ok := v.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			return int(i)
		}
	}
	return otherwise
}

func text(m map[string]any) string {
	formats := map[string]string{
		"date-time": "2026-11-24T10:00:00Z", "date": "2026-11-24", "time": "10:00:00Z", "duration": "P1D",
		"email": "a@example.com", "uuid": "123e4567-e89b-12d3-a456-426614174000", "uri": "https://example.com/a",
		"url": "https://example.com/a", "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
		"byte": "aGVsbG8=", "binary": "aGVsbG8=", "uri-reference": "/a",
	}
	if m["contentEncoding"] == "base64" {
		return "aGVsbG8="
	}
	if p, ok := m["pattern"].(string); ok {
		if re, err := syntax.Parse(p, syntax.Perl); err == nil {
			var b strings.Builder
			match(re.Simplify(), &b)
			return b.String()
		}
	}
	f, _ := m["format"].(string)
	v := formats[f]
	if v == "" {
		v = "text"
	}
	for len(v) < integer(m["minLength"], 0) {
		v += "t"
	}
	if n := integer(m["maxLength"], len(v)); n < len(v) {
		v = v[:n]
	}
	return v
}

// match writes a text that a regular expression matches.
func match(re *syntax.Regexp, b *strings.Builder) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		// The last range: classes begin with controls and punctuation.
		if n := len(re.Rune); n > 0 {
			c := re.Rune[n-2]
			if c < 'a' && re.Rune[n-1] >= 'a' {
				c = 'a'
			}
			b.WriteRune(c)
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture, syntax.OpPlus:
		match(re.Sub[0], b)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			match(sub, b)
		}
	case syntax.OpAlternate:
		match(re.Sub[0], b)
	case syntax.OpRepeat:
		for range re.Min {
			match(re.Sub[0], b)
		}
	}
}

func number(m map[string]any, kind string) any {
	for _, k := range []string{"minimum", "maximum"} {
		if v, ok := m[k].(json.Number); ok {
			return v
		}
	}
	if n, ok := m["exclusiveMinimum"].(json.Number); ok {
		f, _ := n.Float64()
		return int(f) + 1
	}
	if n, ok := m["multipleOf"].(json.Number); ok {
		return n
	}
	if kind == "number" {
		return json.Number("1.5")
	}
	return 1
}
