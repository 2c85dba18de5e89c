package response

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// utf8 returns the text of a body in UTF-8, without a byte order mark. What the
// text itself says of its encoding is declared; "" is nothing. In order: a byte
// order mark, the Content-Type, the text's own word, UTF-16 by its zero bytes,
// UTF-8 if it is that, else Windows-1252, what texts without any word mostly are
// then.
func (b *body) utf8(declared string) []byte {
	in := b.bytes
	switch {
	case bytes.HasPrefix(in, []byte("\xef\xbb\xbf")):
		return in[3:]
	case bytes.HasPrefix(in, []byte("\xff\xfe")), bytes.HasPrefix(in, []byte("\xfe\xff")):
		return decoded(in, unicode.UTF16(unicode.BigEndian, unicode.UseBOM))
	}
	for _, label := range []string{b.media.charset, declared} {
		switch strings.ToLower(label) {
		case "":
			continue
		case "utf-8", "utf8", "us-ascii", "ascii":
			return in
		}
		if e, _ := charset.Lookup(label); e != nil {
			return decoded(in, e)
		}
	}
	if len(in) >= 4 && len(in)%2 == 0 {
		if in[0] == 0 && in[1] != 0 && in[2] == 0 && in[3] != 0 {
			return decoded(in, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM))
		}
		if in[0] != 0 && in[1] == 0 && in[2] != 0 && in[3] == 0 {
			return decoded(in, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM))
		}
	}
	whole := in
	if b.cut {
		whole = wholeRunes(in)
	}
	if utf8.Valid(whole) {
		return whole
	}
	return decoded(in, charmap.Windows1252)
}

func decoded(in []byte, e encoding.Encoding) []byte {
	out, err := e.NewDecoder().Bytes(in)
	if err != nil {
		return in
	}
	return out
}

// wholeRunes cuts a character that is not all there from the end of a text.
func wholeRunes(b []byte) []byte {
	for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
