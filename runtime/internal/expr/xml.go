package expr

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Values of XML templates are escaped for the place they stand in: xmltext
// between tags, xmlattribute between quotes of either kind, xmlcdata in a CDATA
// section. raw takes a text for XML. No author calls the first three; the
// front-end puts them around values.

var errNotXML = errors.New("holds a control character, which XML cannot carry; remove it")

// escaper appends a text to XML.
type escaper func(b []byte, s string) ([]byte, error)

// escapers by the name of the function. A text between tags keeps its line ends
// but for carriage returns, which a parser would read as line feeds; in an
// attribute it would read all white space as spaces.
func escapers() map[string]escaper {
	text := [utf8.RuneSelf]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;"}
	attribute := text
	attribute['"'], attribute['\''], attribute['\n'], attribute['\t'] = "&quot;", "&apos;", "&#10;", "&#9;"
	return map[string]escaper{
		"xmltext":      func(b []byte, s string) ([]byte, error) { return appendEscaped(b, s, &text) },
		"xmlattribute": func(b []byte, s string) ([]byte, error) { return appendEscaped(b, s, &attribute) },
		"xmlcdata":     appendCDATA,
		"raw":          func(b []byte, s string) ([]byte, error) { return append(b, s...), nil },
	}
}

// escapeFunction is an escaper as a function of the table.
func escapeFunction(e escaper) func([]any) (any, error) {
	return func(in []any) (any, error) {
		s, err := textAt(in, 0)
		if err != nil {
			return nil, err
		}
		b, err := e(make([]byte, 0, len(s)+16), s)
		return string(b), err
	}
}

// checkXML refuses what XML 1.0 cannot hold, and what is no UTF-8.
func checkXML(s string) error {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return errNotXML
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && (!utf8.ValidString(s) || strings.ContainsAny(s, "\uFFFE\uFFFF")) {
		return errNotXML
	}
	return nil
}

func appendEscaped(b []byte, s string, table *[utf8.RuneSelf]string) ([]byte, error) {
	if err := checkXML(s); err != nil {
		return b, err
	}
	done := 0
	for i := range len(s) {
		c := s[i]
		if c < utf8.RuneSelf && table[c] != "" {
			b = append(append(b, s[done:i]...), table[c]...)
			done = i + 1
		}
	}
	return append(b, s[done:]...), nil
}

// appendCDATA writes into a CDATA section, which the text cannot end: where ]]>
// may come about, also with what stands before and after the text, the section
// is closed and opened again.
func appendCDATA(b []byte, s string) ([]byte, error) {
	if err := checkXML(s); err != nil {
		return b, err
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\r':
			b = append(b, "]]>&#13;<![CDATA["...)
		case c == '>' && strings.Trim(s[max(0, i-2):i], "]") == "":
			b = append(b, "]]>&gt;<![CDATA["...)
		default:
			b = append(b, c)
		}
	}
	if s == "" || strings.HasSuffix(s, "]") {
		b = append(b, "]]><![CDATA["...)
	}
	return b, nil
}
