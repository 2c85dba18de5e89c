package response

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// utf8 returns the text of a body in UTF-8, without a byte order mark. What the
// text itself says of its encoding is declared; "" is nothing. In order: a byte
// order mark, the plan, the Content-Type, the text's own word, UTF-16 by its zero
// bytes, UTF-8 if it is that, else Windows-1252, what texts without any word
// mostly are then.
func (b *body) utf8(declared string) []byte { return b.inUTF8(b.bytes, declared) }

// inUTF8 is utf8 of a part of the body.
func (b *body) inUTF8(in []byte, declared string) []byte {
	switch {
	case bytes.HasPrefix(in, []byte("\xef\xbb\xbf")):
		return b.valid(in[3:], "utf-8")
	case bytes.HasPrefix(in, []byte("\xff\xfe")), bytes.HasPrefix(in, []byte("\xfe\xff")):
		return decoded(in, unicode.UTF16(unicode.BigEndian, unicode.UseBOM))
	}
	for _, label := range []string{b.charset, b.media.charset, declared} {
		if label == "" {
			continue
		}
		switch e := encodingNamed(label); {
		case e == unicode.UTF8 || isASCII(label):
			return b.valid(in, label)
		case e != nil:
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
	return b.valid(in, "")
}

// valid is a text that is UTF-8, or is said to be. What is not was written as
// Windows-1252 most likely, and then every byte of it is a character.
func (b *body) valid(in []byte, said string) []byte {
	whole := in
	if b.cut {
		whole = wholeRunes(in)
	}
	if utf8.Valid(whole) {
		return whole
	}
	if said != "" {
		b.remark(fmt.Sprintf("The answer is said to be %s and is not; it was read as windows-1252.", strings.ToUpper(said)))
	}
	return decoded(in, charmap.Windows1252)
}

func isASCII(label string) bool {
	return strings.EqualFold(label, "us-ascii") || strings.EqualFold(label, "ascii")
}

// encodingNamed is the encoding of a name of WHATWG's Encoding Standard or IANA's
// registry; nil when there is none that can be read.
func encodingNamed(label string) encoding.Encoding {
	e, err := htmlindex.Get(label)
	if err != nil {
		e, err = ianaindex.IANA.Encoding(label)
	}
	if err != nil || e == encoding.Replacement {
		return nil
	}
	return e
}

func decoded(in []byte, e encoding.Encoding) []byte {
	out, err := e.NewDecoder().Bytes(in)
	if err != nil {
		return bytes.ToValidUTF8(in, []byte("\ufffd"))
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
