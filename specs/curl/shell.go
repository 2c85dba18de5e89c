package curl

import (
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// word is one word of a command line.
type word struct {
	text       string
	start, end int // in the source
}

// What a shell would expand, $NAME or ${NAME}, stands between these two
// characters of Unicode's private use area.
const (
	open    = "\uE000"
	closing = "\uE001"
)

// commands splits a text into commands and words as a POSIX shell with bash's
// $'…' does, for what browsers and people write: quotes, backslashes, continued
// lines, comments. Nothing is expanded; $NAME is marked.
func commands(text string) (list [][]word, bad *diag.Diagnostic) {
	l := &lexer{text: text}
	var cmd []word
	end := func() {
		if len(cmd) > 0 {
			list = append(list, cmd)
		}
		cmd = nil
	}
	for l.at < len(text) {
		c := text[l.at]
		switch {
		case c == '\n' || c == ';' || c == '|' || c == '&':
			l.at++
			end()
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
		case c == '\\' && l.newline(l.at+1) > 0:
			l.at = l.newline(l.at + 1)
		case c == '^' && l.newline(l.at+1) > 0: // as cmd.exe continues a line
			l.at = l.newline(l.at + 1)
		case c == '#':
			for l.at < len(text) && text[l.at] != '\n' {
				l.at++
			}
		default:
			w, problem := l.word()
			if problem != "" {
				return nil, &diag.Diagnostic{Code: "syntax", Message: problem, Range: diag.Range{Start: w.start, End: min(w.start+1, len(text))}}
			}
			cmd = append(cmd, w)
		}
	}
	end()
	return list, nil
}

type lexer struct {
	text string
	at   int
}

// newline returns the offset behind a line end at i, or 0.
func (l *lexer) newline(i int) int {
	switch {
	case strings.HasPrefix(l.text[min(i, len(l.text)):], "\r\n"):
		return i + 2
	case strings.HasPrefix(l.text[min(i, len(l.text)):], "\n"):
		return i + 1
	}
	return 0
}

func (l *lexer) word() (w word, problem string) {
	w.start = l.at
	var b strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch c {
		case ' ', '\t', '\r', '\n', ';', '|', '&':
			w.text, w.end = b.String(), l.at
			return w, ""
		case '\'':
			i := strings.IndexByte(l.text[l.at+1:], '\'')
			if i < 0 {
				w.start = l.at
				return w, "a ' has no partner"
			}
			b.WriteString(l.text[l.at+1 : l.at+1+i])
			l.at += i + 2
		case '"':
			start := l.at
			if !l.double(&b) {
				w.start = start
				return w, `a " has no partner`
			}
		case '$':
			if strings.HasPrefix(l.text[l.at:], "$'") {
				start := l.at
				l.at += 2
				if !l.ansi(&b) {
					w.start = start
					return w, "a $' has no partner"
				}
				continue
			}
			if strings.HasPrefix(l.text[l.at:], `$"`) {
				l.at++
				continue
			}
			l.reference(&b)
		case '\\':
			if n := l.newline(l.at + 1); n > 0 {
				l.at = n
				continue
			}
			l.at++
			if l.at < len(l.text) {
				_, size := utf8.DecodeRuneInString(l.text[l.at:])
				b.WriteString(l.text[l.at : l.at+size])
				l.at += size
			}
		default:
			b.WriteByte(c)
			l.at++
		}
	}
	w.text, w.end = b.String(), l.at
	return w, ""
}

// reference reads a $ and the name behind it.
func (l *lexer) reference(b *strings.Builder) {
	rest := l.text[l.at+1:]
	braces := strings.HasPrefix(rest, "{")
	if braces {
		rest = rest[1:]
	}
	n := 0
	for n < len(rest) && (rest[n] == '_' || 'a' <= rest[n]|0x20 && rest[n]|0x20 <= 'z' || n > 0 && '0' <= rest[n] && rest[n] <= '9') {
		n++
	}
	if n == 0 || n > 64 || braces && !strings.HasPrefix(rest[n:], "}") {
		b.WriteByte('$')
		l.at++
		return
	}
	b.WriteString(open + rest[:n] + closing)
	l.at += 1 + n
	if braces {
		l.at += 2
	}
}

// double reads a text in double quotes.
func (l *lexer) double(b *strings.Builder) bool {
	for l.at++; l.at < len(l.text); {
		c := l.text[l.at]
		switch c {
		case '"':
			l.at++
			return true
		case '\\':
			if n := l.newline(l.at + 1); n > 0 {
				l.at = n
				continue
			}
			if l.at+1 < len(l.text) && strings.IndexByte("$`\"\\", l.text[l.at+1]) >= 0 {
				l.at++
			}
			b.WriteByte(l.text[l.at])
			l.at++
		case '$':
			l.reference(b)
		default:
			b.WriteByte(c)
			l.at++
		}
	}
	return false
}

// ansi reads what follows $', with the escapes of ANSI C.
func (l *lexer) ansi(b *strings.Builder) bool {
	for l.at < len(l.text) {
		c := l.text[l.at]
		if c == '\'' {
			l.at++
			return true
		}
		l.at++
		if c != '\\' || l.at >= len(l.text) {
			b.WriteByte(c)
			continue
		}
		c = l.text[l.at]
		l.at++
		switch c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'a':
			b.WriteByte('\a')
		case 'b':
			b.WriteByte('\b')
		case 'e', 'E':
			b.WriteByte(0x1b)
		case 'f':
			b.WriteByte('\f')
		case 'v':
			b.WriteByte('\v')
		case 'x':
			b.WriteByte(byte(l.number(16, 2)))
		case 'u':
			b.WriteRune(l.rune(4))
		case 'U':
			b.WriteRune(l.rune(8))
		case '0', '1', '2', '3', '4', '5', '6', '7':
			l.at--
			b.WriteByte(byte(l.number(8, 3)))
		case 'c':
			if l.at < len(l.text) {
				b.WriteByte(l.text[l.at] & 0x1f)
				l.at++
			}
		default: // \\ \' \" \? and what has no meaning
			if strings.IndexByte(`\'"?`, c) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
	}
	return false
}

// rune reads the digits of \u or \U. Browsers write characters beyond U+FFFF as
// two of them, which are one.
func (l *lexer) rune(digits int) rune {
	r := rune(l.number(16, digits))
	if 0xd800 <= r && r < 0xdc00 && strings.HasPrefix(l.text[l.at:], `\u`) {
		back := l.at
		l.at += 2
		if low := rune(l.number(16, 4)); 0xdc00 <= low && low < 0xe000 {
			return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
		}
		l.at = back
	}
	return r
}

func (l *lexer) number(base, most int) (n int) {
	for i := 0; i < most && l.at < len(l.text); i++ {
		d := strings.IndexByte("0123456789abcdef", l.text[l.at]|0x20)
		if l.text[l.at] >= '0' && l.text[l.at] <= '9' {
			d = int(l.text[l.at] - '0')
		}
		if d < 0 || d >= base {
			break
		}
		n = n*base + d
		l.at++
	}
	return n
}
