package args

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder reads JSON by recursive descent. It is written by hand because it
// stands in the path of every call: all strings and numbers are pieces of one
// copy of the text, which makes it about four times as fast as building the
// same values from a general tokenizer. A fuzz test holds it to jsontext's
// grammar and encoding/json's values.
type decoder struct {
	s     string
	i     int // next byte
	depth int
}

func (d *decoder) fail(format string, args ...any) error {
	if d.i >= len(d.s) {
		return fmt.Errorf("the arguments are not valid JSON: they end too early, at byte %d", len(d.s))
	}
	return fmt.Errorf("the arguments are not valid JSON at byte %d: %s", d.i, fmt.Sprintf(format, args...))
}

func (d *decoder) space() {
	for d.i < len(d.s) {
		switch d.s[d.i] {
		case ' ', '\t', '\r', '\n':
			d.i++
		default:
			return
		}
	}
}

// peek is the next byte after white space, 0 at the end.
func (d *decoder) peek() byte {
	d.space()
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *decoder) end() error {
	if d.space(); d.i < len(d.s) {
		return d.fail("there is text after the value")
	}
	return nil
}

func (d *decoder) enter() error {
	if d.depth++; d.depth > MaxDepth {
		return fmt.Errorf("the arguments nest arrays and objects more than %d deep", MaxDepth)
	}
	d.i++
	return nil
}

// value reads the value that begins at the next byte.
func (d *decoder) value() (any, error) {
	if d.i >= len(d.s) {
		return nil, d.fail("")
	}
	switch c := d.s[d.i]; c {
	case '{':
		m := map[string]any{}
		return m, d.object(m, nil)
	case '[':
		return d.array()
	case '"':
		return d.str()
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case 'n':
		return nil, d.literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return d.number()
		}
		return nil, d.fail("a value cannot begin with %q", c)
	}
}

func (d *decoder) literal(word string) error {
	if !strings.HasPrefix(d.s[d.i:], word) {
		return d.fail("%s is meant?", word)
	}
	d.i += len(word)
	return nil
}

// object reads into m and tells where each member's value stands.
func (d *decoder) object(m map[string]any, note func(name string, start, end int)) error {
	if err := d.enter(); err != nil {
		return err
	}
	if d.peek() == '}' {
		d.i++
		d.depth--
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.fail("a member begins with its name in double quotes")
		}
		name, err := d.str()
		if err != nil {
			return err
		}
		if _, twice := m[name]; twice {
			return fmt.Errorf("the arguments are not valid: %q is given twice", shorten(name))
		}
		if d.peek() != ':' {
			return d.fail("a colon follows a member's name")
		}
		d.i++
		d.space()
		start := d.i
		v, err := d.value()
		if err != nil {
			return err
		}
		m[name] = v
		if note != nil {
			note(name, start, d.i)
		}
		switch d.peek() {
		case ',':
			d.i++
		case '}':
			d.i++
			d.depth--
			return nil
		default:
			return d.fail("a comma or } follows a member")
		}
	}
}

func (d *decoder) array() (any, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	list := []any{}
	if d.peek() == ']' {
		d.i++
		d.depth--
		return list, nil
	}
	for {
		d.space()
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		switch d.peek() {
		case ',':
			d.i++
		case ']':
			d.i++
			d.depth--
			return list, nil
		default:
			return nil, d.fail("a comma or ] follows an element")
		}
	}
}

func (d *decoder) number() (any, error) {
	start := d.i
	if d.s[d.i] == '-' {
		d.i++
	}
	if d.i < len(d.s) && d.s[d.i] == '0' {
		d.i++
	} else if !d.digits() {
		return nil, d.fail("a digit is missing in a number")
	}
	if d.i < len(d.s) && d.s[d.i] == '.' {
		d.i++
		if !d.digits() {
			return nil, d.fail("a digit is missing after the decimal point")
		}
	}
	if d.i < len(d.s) && d.s[d.i]|0x20 == 'e' {
		d.i++
		if d.i < len(d.s) && (d.s[d.i] == '+' || d.s[d.i] == '-') {
			d.i++
		}
		if !d.digits() {
			return nil, d.fail("a digit is missing in an exponent")
		}
	}
	text := d.s[start:d.i]
	if !NumberInRange(text) {
		return nil, fmt.Errorf("the arguments hold a number that is out of range: at most %d characters and an exponent between -%d and %d", MaxNumberBytes, MaxExponent, MaxExponent)
	}
	return json.Number(text), nil
}

func (d *decoder) digits() bool {
	start := d.i
	for d.i < len(d.s) && '0' <= d.s[d.i] && d.s[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}

// NumberInRange reports whether a JSON number is within [MaxExponent] and
// [MaxNumberBytes].
func NumberInRange(text string) bool {
	if len(text) > MaxNumberBytes {
		return false
	}
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return true
	}
	n := 0
	for _, c := range []byte(text[at+1:]) {
		if c == '+' || c == '-' {
			continue
		}
		if n = n*10 + int(c-'0'); n > MaxExponent {
			return false
		}
	}
	return true
}

// str reads a string; without escapes it is a piece of the text.
func (d *decoder) str() (string, error) {
	d.i++
	start, ascii := d.i, true
	for ; d.i < len(d.s); d.i++ {
		switch c := d.s[d.i]; {
		case c == '"':
			s := d.s[start:d.i]
			if !ascii && !utf8.ValidString(s) {
				d.i = start
				return "", d.fail("a string is not UTF-8")
			}
			d.i++
			return s, nil
		case c == '\\':
			return d.escaped(start)
		case c < 0x20:
			return "", d.fail("a control character must be escaped")
		case c >= 0x80:
			ascii = false
		}
	}
	return "", d.fail("")
}

// escaped reads the rest of a string that began at start, from its first
// escape on.
func (d *decoder) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(d.s[start:d.i])
	for d.i < len(d.s) {
		switch c := d.s[d.i]; {
		case c == '"':
			if !utf8.ValidString(b.String()) {
				d.i = start
				return "", d.fail("a string is not UTF-8")
			}
			d.i++
			return b.String(), nil
		case c < 0x20:
			return "", d.fail("a control character must be escaped")
		case c != '\\':
			b.WriteByte(c)
			d.i++
		default:
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		}
	}
	return "", d.fail("")
}

// escape reads one escape, or the two of a surrogate pair.
func (d *decoder) escape() (rune, error) {
	if d.i++; d.i >= len(d.s) {
		return 0, d.fail("")
	}
	c := d.s[d.i]
	if c == 'u' {
		d.i++
		r, ok := d.hex()
		if !ok {
			return 0, d.fail("four hexadecimal digits follow \\u")
		}
		if !utf16.IsSurrogate(r) {
			return r, nil
		}
		if strings.HasPrefix(d.s[d.i:], `\u`) {
			d.i += 2
			if low, ok := d.hex(); ok {
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					return r, nil
				}
			}
		}
		return 0, d.fail("a \\u escape is half of a surrogate pair")
	}
	plain := strings.IndexByte(`"\/bfnrt`, c)
	if plain < 0 {
		return 0, d.fail("there is no escape \\%c", c)
	}
	d.i++
	return rune("\"\\/\b\f\n\r\t"[plain]), nil
}

func (d *decoder) hex() (rune, bool) {
	if d.i+4 > len(d.s) {
		d.i = len(d.s)
		return 0, false
	}
	var r rune
	for _, c := range []byte(d.s[d.i : d.i+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	d.i += 4
	return r, true
}

func shorten(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
