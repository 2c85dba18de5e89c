package function

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// words splits a name into lower-case words: at everything that is neither
// letter nor digit, before an upper-case letter that follows a lower-case
// letter or a digit, and before the last of several upper-case letters when a
// lower-case letter follows ("HTTPServer2Go" is http, server2, go).
func words(s string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(s)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && len(word) > 0 {
			last := word[len(word)-1]
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(last) || next {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return out
}

func camel(s string) string {
	var b strings.Builder
	for i, w := range words(s) {
		r, n := utf8.DecodeRuneInString(w)
		if i > 0 {
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
		b.WriteString(w[n:])
	}
	return b.String()
}

// urlEncode escapes all but the unreserved characters of RFC 3986.
func urlEncode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// format writes values by a format text: %v %#v %s %q %t %d %b %o %x %X %e %E
// %f %g %G and %%, with Go's flags, width, precision and explicit argument
// numbers (%[2]s).
func format(in []any) (any, error) {
	f, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	next, explicit := 1, false
	for {
		at := strings.IndexByte(f, '%')
		if at < 0 {
			b.WriteString(f)
			break
		}
		b.WriteString(f[:at])
		verb, rest, err := parseVerb(f[at+1:])
		if err != nil {
			return nil, err
		}
		f = rest
		if verb.letter == '%' {
			b.WriteByte('%')
			continue
		}
		if verb.arg > 0 {
			next, explicit = verb.arg, true
		}
		if next >= len(in) {
			return nil, fmt.Errorf("the format needs argument %d, but there are %d", next, len(in)-1)
		}
		s, err := verb.format(in[next])
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", next, err)
		}
		b.WriteString(s)
		next++
	}
	if !explicit && next < len(in) {
		return nil, fmt.Errorf("the format uses %d arguments, but there are %d", next-1, len(in)-1)
	}
	return b.String(), nil
}

type verb struct {
	flags     string
	arg       int // explicit number, 0 for the next one
	width     int
	precision int // -1 for none
	letter    byte
}

func parseVerb(s string) (verb, string, error) {
	v := verb{precision: -1}
	i := 0
	number := func() int {
		start := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		n, _ := strconv.Atoi(s[start:i])
		return n
	}
	for i < len(s) && strings.IndexByte("+-# 0", s[i]) >= 0 {
		i++
	}
	v.flags = s[:i]
	v.width = number()
	if i < len(s) && s[i] == '.' {
		i++
		v.precision = number()
	}
	if i < len(s) && s[i] == '[' {
		i++
		v.arg = number()
		if i >= len(s) || s[i] != ']' || v.arg == 0 {
			return v, "", errors.New("the format has a broken argument number")
		}
		i++
	}
	if v.width > 1000 || v.precision > 1000 {
		return v, "", errors.New("the format has a width or precision above 1000")
	}
	if i >= len(s) {
		return v, "", errors.New("the format ends within a verb")
	}
	v.letter = s[i]
	return v, s[i+1:], nil
}

// goFormat is the verb as package fmt reads it.
func (v verb) goFormat(letter byte) string {
	f := "%" + v.flags
	if v.width > 0 {
		f += strconv.Itoa(v.width)
	}
	if v.precision >= 0 {
		f += "." + strconv.Itoa(v.precision)
	}
	return f + string(letter)
}

func (v verb) format(value any) (string, error) {
	switch v.letter {
	case 'v':
		if s, ok := Text(value); ok && !strings.Contains(v.flags, "#") {
			return fmt.Sprintf(v.goFormat('s'), s), nil
		}
		v.flags = strings.ReplaceAll(v.flags, "#", "")
		return fmt.Sprintf(v.goFormat('s'), AppendJSON(nil, value)), nil
	case 's', 'q':
		s, ok := Text(value)
		if !ok {
			return "", fmt.Errorf("%%%c needs text, not %s", v.letter, Kind(value))
		}
		if v.letter == 'q' {
			quoted, _ := jsontext.AppendQuote(nil, s)
			s = string(quoted)
		}
		return fmt.Sprintf(v.goFormat('s'), s), nil
	case 't':
		b, ok := Truth(value)
		if !ok {
			return "", fmt.Errorf("%%t needs true or false, not %s", Kind(value))
		}
		return fmt.Sprintf(v.goFormat('t'), b), nil
	}
	n, ok := Number(value)
	switch {
	case strings.IndexByte("dboxXeEfgG", v.letter) < 0:
		return "", fmt.Errorf("unknown verb %%%c", v.letter)
	case !ok:
		return "", fmt.Errorf("%%%c needs a number, not %s", v.letter, Kind(value))
	}
	r := rat(n)
	switch v.letter {
	case 'd', 'b', 'o', 'x', 'X':
		if !r.IsInt() {
			return "", fmt.Errorf("%%%c needs a whole number", v.letter)
		}
		return fmt.Sprintf(v.goFormat(v.letter), r.Num()), nil
	}
	return fmt.Sprintf(v.goFormat(v.letter), new(big.Float).SetPrec(512).SetRat(r)), nil
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

func text2(f func(a, b string) any) func([]any) (any, error) {
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
	if grow := len(s[2]) - len(s[1]); grow > 0 && len(s[0])+grow*strings.Count(s[0], s[1]) > MaxText {
		return nil, errTooLarge
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
	size := 0
	for i := range in[1:] {
		list, err := listAt(in, i+1)
		if err != nil {
			return nil, err
		}
		for n, v := range list {
			s, ok := Text(v)
			if !ok {
				return nil, fmt.Errorf("element %d is %s, not text", n, Kind(v))
			}
			if size += len(s) + len(sep); size > MaxText {
				return nil, errTooLarge
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

// title makes a capital of every first letter of a word.
func title(s string) string {
	var b strings.Builder
	inside := false
	for _, r := range s {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r > unicode.MaxASCII && !unicode.IsSpace(r)
		if letter && !inside {
			r = unicode.ToTitle(r)
		}
		inside = letter
		b.WriteRune(r)
	}
	return b.String()
}

// indent puts spaces before every line but the first.
func indent(in []any) (any, error) {
	n, err := wholeAt(in, 0)
	if err != nil {
		return nil, err
	}
	s, err := textAt(in, 1)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > 1000 {
		return nil, errors.New("the number of spaces is 0 to 1000")
	}
	if len(s)+n*strings.Count(s, "\n") > MaxText {
		return nil, errTooLarge
	}
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n)), nil
}

func strrev(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}
