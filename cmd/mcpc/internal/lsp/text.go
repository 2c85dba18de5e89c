package lsp

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// lines are the offsets at which the lines of a text start. Lines end with \n,
// \r\n or \r.
type lines struct {
	text   []byte
	starts []int
}

func newLines(text []byte) *lines {
	l := &lines{text: text, starts: []int{0}}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n':
		case text[i] == '\n' || text[i] == '\r':
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// position is the place of a byte, counted in UTF-16 as the protocol does. An
// offset out of range is taken as the nearest.
func (l *lines) position(offset int) position {
	offset = min(max(offset, 0), len(l.text))
	line := sort.SearchInts(l.starts, offset+1) - 1
	n := 0
	for rest := l.text[l.starts[line]:offset]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		n += units(r)
		rest = rest[size:]
	}
	return position{line, n}
}

// offset is the byte at a place. One past the end of its line or of the text is
// taken as that end, one inside of a character as its beginning.
func (l *lines) offset(p position) int {
	switch {
	case p.Line < 0:
		return 0
	case p.Line >= len(l.starts):
		return len(l.text)
	}
	start, end := l.starts[p.Line], len(l.text)
	if p.Line+1 < len(l.starts) {
		end = l.starts[p.Line+1]
	}
	line := bytes.TrimRight(l.text[start:end], "\r\n")
	at := 0
	for n := 0; at < len(line); {
		r, size := utf8.DecodeRune(line[at:])
		if n += units(r); n > p.Character {
			break
		}
		at += size
	}
	return start + at
}

// units is the length of a character in UTF-16.
func units(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// change replaces a part of a text, or all of it.
type change struct {
	Range *textRange `json:"range"`
	Text  string     `json:"text"`
}

// apply makes the changes one after the other.
func apply(text []byte, changes []change) []byte {
	for _, c := range changes {
		if c.Range == nil {
			text = []byte(c.Text)
			continue
		}
		l := newLines(text)
		start := l.offset(c.Range.Start)
		end := max(start, l.offset(c.Range.End))
		text = slices.Concat(text[:start], []byte(c.Text), text[end:])
	}
	return text
}

// difference is the edit that makes one text of another. It leaves the lines at
// both ends alone that are the same, so that editors keep the cursor.
func difference(from, to []byte) []textEdit {
	if bytes.Equal(from, to) {
		return []textEdit{}
	}
	a, b := strings.SplitAfter(string(from), "\n"), strings.SplitAfter(string(to), "\n")
	start, end := 0, len(from)
	text := string(to)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		start += len(a[0])
		text = text[len(b[0]):]
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		end -= len(a[len(a)-1])
		text = text[:len(text)-len(b[len(b)-1])]
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	l := newLines(from)
	return []textEdit{{textRange{l.position(start), l.position(end)}, text}}
}
