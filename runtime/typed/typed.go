// Package typed holds the Go types that generated code uses for JSON values
// that Go has no type for: texts with a format, values that may be null, and
// values that may have one of several types.
//
// All of them keep what came over the wire: a date is written as it was read, a
// number in a union keeps its digits. The Go value is one method away.
package typed

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Marshal encodes a value of generated code as JSON: members in the order of
// the schema, names of maps sorted, nothing escaped that need not be.
func Marshal(v any) ([]byte, error) { return json.Marshal(v, json.Deterministic(true)) }

// Unmarshal decodes JSON into a value of generated code. Names are case
// sensitive and may not repeat; members that the type does not know are dropped.
func Unmarshal(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		// Without the Go type and the value: the message may be shown to a model.
		what := "does not fit"
		if e.GoType != nil && e.JSONKind != 0 {
			what = kind(e.JSONKind) + " does not fit here"
		}
		return fmt.Errorf("%s: %s", pointer(e.JSONPointer), what)
	}
	return err
}

// kind is what a JSON value is called in messages.
func kind(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	}
	return "a boolean"
}

// pointer names a place in JSON as messages do: body.items.0.
func pointer(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	if b.Len() == 0 {
		return "the value"
	}
	return b.String()
}

// Nullable is the value of a member that may be absent, null, or a T. The zero
// value is absent; fields of this type carry the tag option omitzero.
type Nullable[T any] struct {
	value *T
	null  bool
}

// Some returns a Nullable that holds v.
func Some[T any](v T) Nullable[T] { return Nullable[T]{value: &v} }

// Null returns a Nullable that is null.
func Null[T any]() Nullable[T] { return Nullable[T]{null: true} }

// Get returns the value, and whether there is one.
func (n Nullable[T]) Get() (v T, ok bool) {
	if n.value == nil {
		return v, false
	}
	return *n.value, true
}

// IsNull reports whether the member is there and null.
func (n Nullable[T]) IsNull() bool { return n.null }

// IsZero reports whether the member is absent.
func (n Nullable[T]) IsZero() bool { return n.value == nil && !n.null }

// MarshalJSON writes null or the value.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	if n.value == nil {
		return []byte("null"), nil
	}
	return Marshal(*n.value)
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (n *Nullable[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Null[T]()
		return nil
	}
	v := new(T)
	if err := Unmarshal(b, v); err != nil {
		return err
	}
	*n = Nullable[T]{value: v}
	return nil
}

// Union is a JSON value that may have one of several types. Generated types
// embed it and add a pair of functions for each. The zero value is null.
type Union struct{ text jsontext.Value }

// UnionOf returns the union of a value.
func UnionOf(v any) (Union, error) {
	b, err := Marshal(v)
	return Union{b}, err
}

// As decodes the union into a type of the caller's choice. An error says that
// the value is not of that type.
func (u Union) As(v any) error { return Unmarshal(u.JSON(), v) }

// JSON returns the value as it was written. It must not be changed.
func (u Union) JSON() []byte {
	if u.text == nil {
		return []byte("null")
	}
	return u.text
}

// Member returns a string member of an object, "" when there is none: what
// tells the types of a union apart.
func (u Union) Member(name string) string {
	var members map[string]jsontext.Value
	var s string
	if json.Unmarshal(u.JSON(), &members) != nil || json.Unmarshal(members[name], &s) != nil {
		return ""
	}
	return s
}

// IsZero reports whether nothing was put into the union.
func (u Union) IsZero() bool { return u.text == nil }

// MarshalJSON returns the value as it was written.
func (u Union) MarshalJSON() ([]byte, error) { return u.JSON(), nil }

// UnmarshalJSON keeps the value.
func (u *Union) UnmarshalJSON(b []byte) error {
	u.text = jsontext.Value(b).Clone()
	return nil
}

// Number is a JSON number as it was written, for amounts that a float64 would
// round and for integers that an int64 does not hold.
type Number string

// NumberOf writes a number of any size: a big.Int, big.Float or big.Rat, or
// whatever prints as a JSON number.
func NumberOf(n fmt.Stringer) Number { return Number(n.String()) }

// Float64 reads the number; it may be rounded.
func (n Number) Float64() (float64, error) { return strconv.ParseFloat(string(n), 64) }

// Int64 reads a number that is an integer of 64 bits.
func (n Number) Int64() (int64, error) { return strconv.ParseInt(string(n), 10, 64) }

// MarshalJSON writes the number. No text at all is 0.
func (n Number) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("0"), nil
	}
	if v := jsontext.Value(n); !v.IsValid() || v.Kind() != '0' {
		return nil, fmt.Errorf("%.40q is no number", string(n))
	}
	return []byte(n), nil
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (n *Number) UnmarshalJSON(b []byte) error {
	if jsontext.Value(b).Kind() != '0' {
		return fmt.Errorf("%s is no number", kind(jsontext.Value(b).Kind()))
	}
	*n = Number(b)
	return nil
}

// DateTime is a text of format date-time (RFC 3339), as it was written.
type DateTime string

// DateTimeOf writes a time, with as many digits of a second as it has.
func DateTimeOf(t time.Time) DateTime { return DateTime(t.Format(time.RFC3339Nano)) }

// Time reads the text. Some services write no time zone or a space for the T;
// a time without a zone is taken as UTC.
func (d DateTime) Time() (time.Time, error) {
	s := strings.TrimSpace(string(d))
	if len(s) > len(time.DateOnly) && (s[10] == ' ' || s[10] == 't') {
		s = s[:10] + "T" + s[11:]
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no date and time as RFC 3339 writes it", string(d))
}

// Date is a text of format date (RFC 3339, full-date), as it was written.
type Date string

// DateOf writes the day of a time.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Time returns the beginning of the day in UTC.
func (d Date) Time() (time.Time, error) {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return t, fmt.Errorf("%.40q is no date as RFC 3339 writes it", string(d))
	}
	return t, nil
}

// UUID is a text of format uuid (RFC 9562), as it was written.
type UUID string

// UUIDOf writes a UUID in lower case.
func UUIDOf(b [16]byte) UUID {
	h := hex.EncodeToString(b[:])
	return UUID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// Bytes reads the text.
func (u UUID) Bytes() (b [16]byte, err error) {
	s := string(u)
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
		if n, err := hex.Decode(b[:], []byte(s)); err == nil && n == len(b) {
			return b, nil
		}
	}
	return [16]byte{}, fmt.Errorf("%.40q is no UUID", string(u))
}

// Base64 is binary data as text, as it was written: base64 or base64url (RFC
// 4648), padded or not, or a base64 data URI (RFC 2397).
type Base64 string

// Base64Of writes binary data as padded base64.
func Base64Of(b []byte) Base64 { return Base64(base64.StdEncoding.EncodeToString(b)) }

// Bytes decodes the text.
func (t Base64) Bytes() ([]byte, error) {
	s := string(t)
	if strings.HasPrefix(s, "data:") {
		head, data, ok := strings.Cut(s, ",")
		if !ok || !strings.HasSuffix(head, ";base64") {
			return nil, errors.New("the text is no data URI with base64")
		}
		s = data
	}
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("the text is not base64")
	}
	return b, nil
}
