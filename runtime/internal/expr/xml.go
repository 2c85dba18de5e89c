package expr

import (
	"errors"
	"strings"
	"unicode/utf8"
)

var errNotXML = errors.New("the value holds a control character, which XML cannot carry; remove it")

// isXMLChar is the production Char of XML 1.0.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// escaped replaces single characters of a text. reference is what stands for
// one, "" for itself. A text without such characters is returned as it is.
func escaped(s string, reference func(r rune) string) (string, error) {
	var b strings.Builder
	done := 0
	for i, r := range s {
		if r >= 0x20 && r < 0x7f && r != '&' && r != '<' && r != '>' && r != '"' && r != '\'' {
			continue
		}
		if !isXMLChar(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return "", errNotXML
		}
		if ref := reference(r); ref != "" {
			if b.Cap() == 0 {
				b.Grow(len(s) + 16)
			}
			b.WriteString(s[done:i])
			b.WriteString(ref)
			done = i + 1 // only ASCII is replaced
		}
	}
	if done == 0 {
		return s, nil
	}
	b.WriteString(s[done:])
	return b.String(), nil
}

// escapeText writes a value between tags. A parser would read a carriage return
// as a line feed.
func escapeText(s string) (string, error) {
	return escaped(s, func(r rune) string {
		switch r {
		case '&':
			return "&amp;"
		case '<':
			return "&lt;"
		case '>':
			return "&gt;"
		case '\r':
			return "&#13;"
		}
		return ""
	})
}

// escapeAttribute writes a value between quotes of either kind. A parser would
// read line ends and tabs as spaces.
func escapeAttribute(s string) (string, error) {
	return escaped(s, func(r rune) string {
		switch r {
		case '&':
			return "&amp;"
		case '<':
			return "&lt;"
		case '>':
			return "&gt;"
		case '"':
			return "&quot;"
		case '\'':
			return "&apos;"
		case '\r':
			return "&#13;"
		case '\n':
			return "&#10;"
		case '\t':
			return "&#9;"
		}
		return ""
	})
}

// escapeCDATA writes a value into a CDATA section, which it cannot end: where
// ]]> may come about, also with what stands before and after the value, the
// section is closed and opened again.
func escapeCDATA(s string) (string, error) {
	if _, err := escaped(s, func(rune) string { return "" }); err != nil {
		return "", err
	}
	if !strings.ContainsAny(s, ">\r") && !strings.HasSuffix(s, "]") {
		return s, nil
	}
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\r':
			b.WriteString("]]>&#13;<![CDATA[")
		case c == '>' && strings.Trim(s[max(0, i-2):i], "]") == "":
			b.WriteString("]]>&gt;<![CDATA[")
		default:
			b.WriteByte(c)
		}
	}
	if strings.HasSuffix(s, "]") {
		b.WriteString("]]><![CDATA[")
	}
	return b.String(), nil
}
