// Package args decodes the arguments of a tool call.
//
// Decoding is strict: one JSON object (RFC 8259), in UTF-8, no name twice, at
// most [MaxDepth] deep. It is one pass over the text. Numbers keep their
// digits, and beside the decoded values the text of every top-level value is
// kept, so that a value nobody has to look into reaches the wire as the client
// wrote it, in its own member order.
package args

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what Decode accepts. A number beyond them cannot be compared with
// a schema's bounds in reasonable time: 1e999999999 is eleven bytes on the wire
// and a gigabyte in memory.
const (
	MaxDepth       = 128 // nested arrays and objects
	MaxExponent    = 999 // absolute value of a number's exponent
	MaxNumberBytes = 1024
)

// Args are the arguments of one call. The zero value holds none.
type Args struct {
	// Values has nil, bool, string, [json.Number], []any and map[string]any.
	Values map[string]any
	// Raw has the text of every value of Values, a slice of what was decoded.
	Raw map[string]jsontext.Value
}

// Set replaces or adds one argument by the text of its value.
func (a *Args) Set(name string, raw jsontext.Value) error {
	v, err := Value(raw)
	if err != nil {
		return err
	}
	if a.Values == nil {
		a.Values, a.Raw = map[string]any{}, map[string]jsontext.Value{}
	}
	a.Values[name], a.Raw[name] = v, bytes.Trim(raw, " \t\r\n")
	return nil
}

// JSON writes the arguments as an object, names sorted.
func (a *Args) JSON() []byte {
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(a.Raw)) {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, name) // names were decoded, so they are UTF-8
		b = append(append(b, ':'), a.Raw[name]...)
	}
	return append(b, '}')
}

// Decode reads the arguments object. No text at all, and null, are no
// arguments. The result refers to text, which must not change afterwards.
// Errors are one sentence for the caller of the tool.
func Decode(text []byte) (Args, error) {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	a := Args{Values: map[string]any{}, Raw: map[string]jsontext.Value{}}
	if len(trimmed) == 0 || string(bytes.TrimRight(trimmed, " \t\r\n")) == "null" {
		return a, nil
	}
	if trimmed[0] != '{' {
		return Args{}, errors.New("the arguments must be a JSON object")
	}
	d := decoder{s: string(text)}
	d.space()
	err := d.object(a.Values, func(name string, start, end int) { a.Raw[name] = text[start:end:end] })
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return Args{}, err
	}
	return a, nil
}

// Value decodes one JSON value under the same rules as Decode.
func Value(text []byte) (any, error) {
	d := decoder{s: string(text)}
	d.space()
	v, err := d.value()
	if err == nil {
		err = d.end()
	}
	return v, err
}
