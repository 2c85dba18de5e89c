package request

import (
	"net/url"
	"strings"
)

// charset has the bytes that are written as they are; all others, and always
// the percent sign, are percent-encoded as UTF-8 bytes (RFC 3986, section 2).
type charset [256]bool

func newCharset(extra string) *charset {
	var set charset
	for c := range 256 {
		set[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for _, c := range []byte("-._~" + extra) {
		set[c] = true
	}
	return &set
}

// The sets are constants in all but name.
var (
	unreserved = newCharset("")
	// What allowReserved adds is RFC 3986's reserved characters without those
	// that would end the value: / ? # [ ] in a path, & and # in a query, and + there,
	// which servers read as a space.
	reservedPath  = newCharset("!$&'()*+,;=:@")
	reservedQuery = newCharset(":/?[]@!$'()*,;=")
	// Names are the author's, so characters like OData's $ may stay.
	queryName = newCharset("!$'()*,;:@/?")
	// A whole query string (OpenAPI 3.2's in: querystring).
	wholeQuery = newCharset(":/?@!$'()*,;=&+[]")
)

const hexDigits = "0123456789ABCDEF"

func (set *charset) append(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if set[c] {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}

// appendForm is the encoding of application/x-www-form-urlencoded, where a
// space is a plus sign.
func appendForm(b []byte, s string, set *charset) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ':
			b = append(b, '+')
		case set[c] && c != '+':
			b = append(b, c)
		default:
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

// keepEscapes is set.append for text that is already encoded: %XX stays.
func keepEscapes(set *charset, s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b = append(b, s[i:i+3]...)
			i += 2
			continue
		}
		b = set.append(b, s[i:i+1])
	}
	return string(b)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// literalPath is what may stand in a path unencoded: exactly what net/url
// accepts in RawPath, or it would send its own encoding instead.
var literalPath = newCharset("!$&'()*+,;=:@/[]")

// pathOf is the decoded form that url.URL wants beside RawPath.
func pathOf(raw string) string {
	if strings.IndexByte(raw, '%') < 0 {
		return raw
	}
	p, err := url.PathUnescape(raw)
	if err != nil {
		panic("request: badly encoded path " + raw) // only our own encoding gets here
	}
	return p
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// isToken is RFC 9110's token: what a header's or cookie's name may be.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
