package function

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind names the kind of a value in a message: "text", "a list".
func Kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "text"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("of unknown type %T", v)
}

// Text converts as HCL does: numbers and booleans have a text, null, lists and
// objects have none.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// Truth converts to a condition. The texts "true" and "false" count, as in HCL.
func Truth(v any) (value, ok bool) {
	switch v {
	case true, "true":
		return true, true
	case false, "false":
		return false, true
	}
	return false, false
}

// Weight is the size of a value in units of work: one for every value in it and
// for every 64 bytes of text. It stops counting above limit.
func Weight(v any, limit int) int {
	w := 1
	switch v := v.(type) {
	case string:
		w += len(v) / 64
	case []any:
		for _, e := range v {
			if w > limit {
				return w
			}
			w += Weight(e, limit-w)
		}
	case map[string]any:
		for k, e := range v {
			if w > limit {
				return w
			}
			w += len(k)/64 + Weight(e, limit-w)
		}
	}
	return w
}

// Equal compares by value: numbers by what they amount to, and values of
// different types are never equal.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && Compare(a, b) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, Equal)
	case string:
		b, ok := b.(string)
		return ok && a == b
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	}
	return a == nil && b == nil
}

// AppendJSON writes a value as compact JSON, members sorted by name, numbers
// as they are.
func AppendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case json.Number:
		return append(b, v...)
	case string:
		// Text from a call is valid UTF-8; anything else becomes U+FFFD.
		b, _ = jsontext.AppendQuote(b, v)
		return b
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, e)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b, _ = jsontext.AppendQuote(b, k)
			b = append(b, ':')
			b = AppendJSON(b, v[k])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}
