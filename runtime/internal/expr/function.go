package expr

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
)

var (
	errDivision = errors.New("division by zero")
	errTooLong  = errors.New("the result has too many digits")
)

type function struct {
	min, max int // number of arguments; max -1 is any
	call     func([]any) (any, error)
}

// functions is the table by name; only Compile looks into it.
func functions() map[string]function {
	table := map[string]function{
		"upper":      {1, 1, text1(strings.ToUpper)},
		"lower":      {1, 1, text1(strings.ToLower)},
		"snakecase":  {1, 1, text1(func(s string) string { return strings.Join(words(s), "_") })},
		"kebabcase":  {1, 1, text1(func(s string) string { return strings.Join(words(s), "-") })},
		"camelcase":  {1, 1, text1(camel)},
		"urlencode":  {1, 1, text1(urlencode)},
		"trim":       {1, 2, trim},
		"replace":    {3, 3, replace},
		"split":      {2, 2, split},
		"join":       {2, -1, join},
		"format":     {1, -1, format},
		"substr":     {3, 3, substr},
		"startswith": {2, 2, text2(strings.HasPrefix)},
		"endswith":   {2, 2, text2(strings.HasSuffix)},

		"contains": {2, 2, contains},
		"length":   {1, 1, length},
		"keys":     {1, 1, keys},
		"values":   {1, 1, values},
		"merge":    {0, -1, merge},
		"lookup":   {2, 3, lookup},
		"concat":   {0, -1, concat},

		"base64encode": {1, 1, text1(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })},
		"base64decode": {1, 1, base64decode},
		"jsonencode":   {1, 1, func(in []any) (any, error) { return string(AppendJSON(nil, in[0])), nil }},
		"jsondecode":   {1, 1, jsondecode},

		"min":   {1, -1, extreme(-1)},
		"max":   {1, -1, extreme(1)},
		"abs":   {1, 1, abs},
		"ceil":  {1, 1, rounding(true)},
		"floor": {1, 1, rounding(false)},

		"coalesce": {1, -1, coalesce},
		"tostring": {1, 1, tostring},
		"tonumber": {1, 1, tonumber},

		"==":  {2, 2, func(in []any) (any, error) { return equal(in[0], in[1]), nil }},
		"!=":  {2, 2, func(in []any) (any, error) { return !equal(in[0], in[1]), nil }},
		"<":   {2, 2, ordering(func(c int) bool { return c < 0 })},
		"<=":  {2, 2, ordering(func(c int) bool { return c <= 0 })},
		">":   {2, 2, ordering(func(c int) bool { return c > 0 })},
		">=":  {2, 2, ordering(func(c int) bool { return c >= 0 })},
		"+":   {2, 2, arithmetic('+')},
		"-":   {2, 2, arithmetic('-')},
		"*":   {2, 2, arithmetic('*')},
		"/":   {2, 2, arithmetic('/')},
		"%":   {2, 2, arithmetic('%')},
		"neg": {1, 1, neg},
		"!":   {1, 1, not},
	}
	for name, e := range escapers() {
		table[name] = function{1, 1, escapeFunction(e)}
	}
	return table
}

func textAt(in []any, i int) (string, error) {
	s, ok := textOf(in[i])
	if !ok {
		return "", &operandError{i, "text"}
	}
	return s, nil
}

func listAt(in []any, i int) ([]any, error) {
	l, ok := in[i].([]any)
	if !ok {
		return nil, &operandError{i, "a list"}
	}
	return l, nil
}

func objectAt(in []any, i int) (map[string]any, error) {
	m, ok := in[i].(map[string]any)
	if !ok {
		return nil, &operandError{i, "an object"}
	}
	return m, nil
}

func text1(f func(string) string) func([]any) (any, error) {
	return func(in []any) (any, error) {
		s, err := textAt(in, 0)
		if err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func text2(f func(a, b string) bool) func([]any) (any, error) {
	return func(in []any) (any, error) {
		a, err := textAt(in, 0)
		if err != nil {
			return nil, err
		}
		b, err := textAt(in, 1)
		if err != nil {
			return nil, err
		}
		return f(a, b), nil
	}
}

func texts(in []any) ([]string, error) {
	out := make([]string, len(in))
	for i := range in {
		var err error
		if out[i], err = textAt(in, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func trim(in []any) (any, error) {
	s, err := texts(in)
	if err != nil {
		return nil, err
	}
	if len(s) == 1 {
		return strings.TrimSpace(s[0]), nil
	}
	return strings.Trim(s[0], s[1]), nil
}

func replace(in []any) (any, error) {
	s, err := texts(in)
	if err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func split(in []any) (any, error) {
	s, err := texts(in)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for piece := range strings.SplitSeq(s[1], s[0]) {
		list = append(list, piece)
	}
	return list, nil
}

func join(in []any) (any, error) {
	sep, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	var pieces []string
	for i := range in[1:] {
		list, err := listAt(in, i+1)
		if err != nil {
			return nil, err
		}
		for n, v := range list {
			s, ok := textOf(v)
			if !ok {
				return nil, fmt.Errorf("element %d is %s, not text", n, kindOf(v))
			}
			pieces = append(pieces, s)
		}
	}
	return strings.Join(pieces, sep), nil
}

func substr(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	offset, err := wholeAt(in, 1)
	if err != nil {
		return nil, err
	}
	count, err := wholeAt(in, 2)
	if err != nil {
		return nil, err
	}
	if count < -1 {
		return nil, errors.New("the length must be -1 (to the end) or more")
	}
	total := utf8.RuneCountInString(s)
	if offset < 0 {
		offset = max(offset+total, 0)
	}
	offset = min(offset, total)
	if count < 0 || count > total-offset {
		count = total - offset
	}
	return s[skip(s, offset):][:skip(s[skip(s, offset):], count)], nil
}

// skip is the number of bytes of the first n code points.
func skip(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func contains(in []any) (any, error) {
	switch of := in[0].(type) {
	case []any:
		return slices.ContainsFunc(of, func(v any) bool { return equal(v, in[1]) }), nil
	case string:
		s, err := textAt(in, 1)
		if err != nil {
			return nil, err
		}
		return strings.Contains(of, s), nil
	}
	return nil, &operandError{0, "a list or text"}
}

func length(in []any) (any, error) {
	var n int
	switch v := in[0].(type) {
	case []any:
		n = len(v)
	case map[string]any:
		n = len(v)
	case string:
		n = utf8.RuneCountInString(v)
	default:
		return nil, &operandError{0, "a list, an object or text"}
	}
	return json.Number(fmt.Sprint(n)), nil
}

func keys(in []any) (any, error) {
	m, err := objectAt(in, 0)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k)
	}
	return list, nil
}

func values(in []any) (any, error) {
	m, err := objectAt(in, 0)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list, nil
}

func merge(in []any) (any, error) {
	out := map[string]any{}
	for i := range in {
		if in[i] == nil {
			continue
		}
		m, err := objectAt(in, i)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, m)
	}
	return out, nil
}

func lookup(in []any) (any, error) {
	m, err := objectAt(in, 0)
	if err != nil {
		return nil, err
	}
	k, err := textAt(in, 1)
	if err != nil {
		return nil, err
	}
	if v, ok := m[k]; ok {
		return v, nil
	}
	if len(in) == 3 {
		return in[2], nil
	}
	return nil, nil
}

func concat(in []any) (any, error) {
	out := []any{}
	for i := range in {
		l, err := listAt(in, i)
		if err != nil {
			return nil, err
		}
		out = append(out, l...)
	}
	return out, nil
}

func base64decode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("the text is not base64")
	}
	if !utf8.Valid(b) {
		return nil, errors.New("the decoded bytes are not UTF-8 text")
	}
	return string(b), nil
}

func jsondecode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	v, err := args.Value([]byte(s))
	if err != nil {
		return nil, errors.New("the text is not JSON")
	}
	return v, nil
}

func abs(in []any) (any, error) {
	n, err := numberAt(in, 0)
	return json.Number(strings.TrimPrefix(string(n), "-")), err
}

func neg(in []any) (any, error) {
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	if digits, ok := strings.CutPrefix(string(n), "-"); ok {
		return json.Number(digits), nil
	}
	if rat(n).Sign() == 0 {
		return n, nil
	}
	return "-" + n, nil
}

func not(in []any) (any, error) {
	b, ok := boolOf(in[0])
	if !ok {
		return nil, &operandError{0, "true or false"}
	}
	return !b, nil
}

func coalesce(in []any) (any, error) {
	for _, v := range in {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

func tostring(in []any) (any, error) {
	if in[0] == nil {
		return nil, nil
	}
	return textAny(in, 0)
}

func textAny(in []any, i int) (any, error) {
	s, err := textAt(in, i)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func tonumber(in []any) (any, error) {
	if in[0] == nil {
		return nil, nil
	}
	n, err := numberAt(in, 0)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// equal compares by value: numbers by what they amount to, and values of
// different types are never equal.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && compareNumbers(a, b) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
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
