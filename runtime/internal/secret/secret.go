// Package secret holds texts that must not be shown.
package secret

import (
	"fmt"
	"log/slog"
)

// Hidden is what a secret looks like.
const Hidden = "(secret)"

// Text is a text that prints as [Hidden], whatever prints it: fmt with any verb,
// log/slog, encoding/json and whatever asks for a text. The zero value is no
// text, and prints as nothing. It compares by identity, not by what it holds.
//
// The text is behind a pointer, because fmt does not ask the methods of a value
// in an unexported field: it prints an address there.
type Text struct{ text *string }

// New returns s as a secret; "" is the zero value.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{&s}
}

// Reveal is the text itself, for the place where it is sent.
func (t Text) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

// IsZero tells whether there is no text.
func (t Text) IsZero() bool { return t.text == nil }

// String implements [fmt.Stringer].
func (t Text) String() string {
	if t.text == nil {
		return ""
	}
	return Hidden
}

// Format implements [fmt.Formatter]: no verb and no flag shows more.
func (t Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(t.String())) }

// GoString implements [fmt.GoStringer].
func (t Text) GoString() string { return t.String() }

// MarshalText implements encoding.TextMarshaler, also for JSON and XML.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue implements [slog.LogValuer].
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
