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
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
	a.Values[name], a.Raw[name] = v, raw
	return nil
}

// Decode reads the arguments object. No text at all, and null, are no
// arguments. The result refers to text, which must not change afterwards.
// Errors are one sentence for the caller of the tool.
func Decode(text []byte) (Args, error) {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 || string(bytes.TrimRight(trimmed, " \t\r\n")) == "null" {
		return Args{Values: map[string]any{}, Raw: map[string]jsontext.Value{}}, nil
	}
	if trimmed[0] != '{' {
		return Args{}, errors.New("the arguments must be a JSON object")
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	if _, err := d.ReadToken(); err != nil {
		return Args{}, explain(err)
	}
	a := Args{Values: make(map[string]any, 8), Raw: make(map[string]jsontext.Value, 8)}
	for d.PeekKind() != '}' {
		tok, err := d.ReadToken()
		if err != nil {
			return Args{}, explain(err)
		}
		name := tok.String()
		start := d.InputOffset()
		v, err := decode(d)
		if err != nil {
			return Args{}, explain(err)
		}
		a.Values[name] = v
		// Between the name and its value stand only a colon and white space.
		a.Raw[name] = bytes.TrimLeft(text[start:d.InputOffset():d.InputOffset()], " \t\r\n:")
	}
	if err := finish(d); err != nil {
		return Args{}, explain(err)
	}
	return a, nil
}

// Value decodes one JSON value under the same rules as Decode.
func Value(text []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	v, err := decode(d)
	if err == nil {
		err = end(d)
	}
	if err != nil {
		return nil, explain(err)
	}
	return v, nil
}

// finish reads the closing brace and wants nothing after it.
func finish(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	return end(d)
}

func end(d *jsontext.Decoder) error {
	_, err := d.ReadToken()
	if err == io.EOF {
		return nil
	}
	if err == nil {
		err = errTrailing
	}
	return err
}

var (
	errTrailing = errors.New("there is text after the value")
	errDepth    = fmt.Errorf("arrays and objects are nested more than %d deep", MaxDepth)
	errNumber   = fmt.Errorf("a number is out of range: at most %d characters and an exponent between -%d and %d", MaxNumberBytes, MaxExponent, MaxExponent)
)

func decode(d *jsontext.Decoder) (any, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		if d.StackDepth() > MaxDepth {
			return nil, errDepth
		}
		m := map[string]any{}
		for d.PeekKind() != '}' {
			tok, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			name := tok.String()
			if m[name], err = decode(d); err != nil {
				return nil, err
			}
		}
		_, err = d.ReadToken()
		return m, err
	case '[':
		if d.StackDepth() > MaxDepth {
			return nil, errDepth
		}
		list := []any{}
		for d.PeekKind() != ']' {
			v, err := decode(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.ReadToken()
		return list, err
	case '"':
		return tok.String(), nil
	case '0':
		text := tok.String()
		if !NumberInRange(text) {
			return nil, errNumber
		}
		return json.Number(text), nil
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	return nil, nil
}

// NumberInRange reports whether a JSON number is within [MaxExponent] and
// [MaxNumberBytes].
func NumberInRange(text string) bool {
	if len(text) > MaxNumberBytes {
		return false
	}
	for i := 0; i < len(text); i++ {
		if text[i]|0x20 != 'e' {
			continue
		}
		n := 0
		for _, c := range []byte(text[i+1:]) {
			if c == '+' || c == '-' {
				continue
			}
			if n = n*10 + int(c-'0'); n > MaxExponent {
				return false
			}
		}
	}
	return true
}

func explain(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		if errors.As(err, &syntax) && syntax.JSONPointer != "" {
			return fmt.Errorf("the arguments are not valid: %q is given twice", shorten(syntax.JSONPointer.LastToken()))
		}
		return errors.New("the arguments are not valid: a name is given twice")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the arguments are not valid JSON: they end too early")
	case errors.As(err, &syntax):
		return fmt.Errorf("the arguments are not valid JSON at byte %d: %v", syntax.ByteOffset, syntax.Err)
	}
	return fmt.Errorf("the arguments are not valid: %w", err)
}

func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
