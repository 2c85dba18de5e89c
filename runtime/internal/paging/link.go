package paging

import (
	"net/url"
	"strings"
)

// NextLink is the target of the first link with the relation "next" in Link
// header fields (RFC 8288, section 3), as it is written; "" when there is none.
// context is the address the fields came from: a link with another anchor is one
// of something else.
func NextLink(fields []string, context *url.URL) string {
	for _, field := range fields {
		s := scanner{field}
		for s.skip(" \t,"); s.rest != ""; s.skip(" \t,") {
			target, rel, anchor, ok := s.link()
			if !ok {
				break // what follows cannot be told apart
			}
			if !relates(rel, "next") {
				continue
			}
			if anchor != nil {
				u, err := context.Parse(*anchor)
				if err != nil || u.Scheme != context.Scheme || u.Host != context.Host || u.EscapedPath() != context.EscapedPath() {
					continue
				}
			}
			return target
		}
	}
	return ""
}

// relates tells whether a list of relation types has one.
func relates(rel, name string) bool {
	for word := range strings.FieldsSeq(rel) {
		if strings.EqualFold(word, name) {
			return true
		}
	}
	return false
}

type scanner struct{ rest string }

func (s *scanner) skip(set string) { s.rest = strings.TrimLeft(s.rest, set) }

func (s *scanner) take(c string) bool {
	rest, ok := strings.CutPrefix(s.rest, c)
	if ok {
		s.rest = rest
	}
	return ok
}

// token reads up to one of the characters of stop.
func (s *scanner) token(stop string) string {
	n := strings.IndexAny(s.rest, stop)
	if n < 0 {
		n = len(s.rest)
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t
}

// link reads one link-value. Of parameters that come twice the first counts, as
// the standard has it for rel.
func (s *scanner) link() (target, rel string, anchor *string, ok bool) {
	if !s.take("<") {
		return "", "", nil, false
	}
	target = s.token(">")
	if !s.take(">") {
		return "", "", nil, false
	}
	target = strings.TrimSpace(target)
	hasRel := false
	for s.skip(" \t"); s.take(";"); s.skip(" \t") {
		s.skip(" \t")
		name := strings.ToLower(s.token(" \t=;,"))
		s.skip(" \t")
		value := ""
		if s.take("=") {
			s.skip(" \t")
			if s.take(`"`) {
				if value, ok = s.quoted(); !ok {
					return "", "", nil, false
				}
			} else {
				value = s.token(" \t;,")
			}
		}
		switch {
		case name == "rel" && !hasRel:
			rel, hasRel = value, true
		case name == "anchor" && anchor == nil:
			anchor = &value
		}
	}
	return target, rel, anchor, s.rest == "" || s.rest[0] == ','
}

// quoted reads the rest of a quoted-string.
func (s *scanner) quoted() (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
