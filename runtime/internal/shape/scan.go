package shape

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner walks over JSON that is known to be valid. It checks nothing: what
// was validated once need not be again.
type scanner struct {
	in   []byte
	at   int
	name []byte // of a member, where its text has escapes
}

// space is the next position from i on that is no white space.
func (s *scanner) space(i int) int {
	for s.in[i] <= ' ' {
		i++
	}
	return i
}

// skip is the position behind the value at i.
func (s *scanner) skip(i int) int {
	switch s.in[i] {
	case '"':
		return s.text(i)
	case '{', '[':
		depth := 0
		for {
			switch s.in[i] {
			case '"':
				i = s.text(i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(s.in) {
		switch s.in[i] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return i
		}
		i++
	}
	return i
}

// text is the position behind the string at i.
func (s *scanner) text(i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(s.in[i:], '"')
		if s.in[i-1] != '\\' {
			return i + 1
		}
		// The quote is escaped by an odd number of backslashes.
		n := 2
		for s.in[i-n] == '\\' {
			n++
		}
		if n%2 == 1 {
			return i + 1
		}
	}
}

// find moves from an object to the value of a member.
func (s *scanner) find(name string) bool {
	if s.in[s.at] != '{' {
		return false
	}
	i := s.space(s.at + 1)
	for s.in[i] != '}' {
		end := s.text(i)
		n := s.key(i, end)
		i = s.space(s.space(end) + 1) // over the colon
		if string(n) == name {
			s.at = i
			return true
		}
		s.at = s.skip(i)
		s.next()
		i = s.at
	}
	return false
}

// key is the name in the string from i to end.
func (s *scanner) key(i, end int) []byte {
	n := s.in[i+1 : end-1]
	if bytes.IndexByte(n, '\\') < 0 {
		return n
	}
	s.name, _ = jsontext.AppendUnquote(s.name[:0], s.in[i:end])
	return s.name
}

// next moves over what follows an element or member.
func (s *scanner) next() {
	if s.at = s.space(s.at); s.in[s.at] == ',' {
		s.at = s.space(s.at + 1)
	}
}

// elements calls f with every element of the list at hand, or with the names and
// values of an object's members; names are not kept for longer. f returns false
// to end.
func (s *scanner) elements(f func(name, value []byte) bool) {
	object := s.in[s.at] == '{'
	s.at = s.space(s.at + 1)
	for s.in[s.at] != '}' && s.in[s.at] != ']' {
		var name []byte
		if object {
			end := s.text(s.at)
			name = s.key(s.at, end)
			s.at = s.space(s.space(end) + 1)
		}
		begin := s.at
		s.at = s.skip(begin)
		if !f(name, s.in[begin:s.at:s.at]) {
			return
		}
		s.next()
	}
}

// each is [scanner.elements] of a list or object.
func each(v []byte, f func(name, value []byte) bool) {
	s := scanner{in: v}
	s.at = s.space(0)
	s.elements(f)
}
