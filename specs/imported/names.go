package imported

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxName is the most characters a name of a tool or an input may have.
const maxName = 64

// names gives out names that are not in use yet.
type names map[string]bool

// pick returns want, or want with a number when it is taken.
func (n names) pick(want string) string {
	name := want
	for i := 2; n[name]; i++ {
		end := "_" + strconv.Itoa(i)
		name = strings.TrimRight(want[:min(len(want), maxName-len(end))], "_") + end
	}
	n[name] = true
	return name
}

// Snake writes words in lower case, joined by _: "Get userByID" is
// get_user_by_id. What is no ASCII letter or digit separates words. It is "" when
// there are none.
func Snake(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			continue
		}
		if unicode.IsUpper(c) && i > 0 && b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			before := r[i-1]
			next := i+1 < len(r) && unicode.IsLower(r[i+1])
			if unicode.IsLower(before) || unicode.IsDigit(before) && next || unicode.IsUpper(before) && next {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
		if b.Len() >= maxName {
			break
		}
	}
	out := b.String()
	return strings.Trim(out[:min(len(out), maxName)], "_")
}

// Identifier is s when it can be written as it is, else its words.
func Identifier(s, otherwise string) string {
	ok := s != "" && len(s) <= maxName
	for i, c := range s {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			ok = false
		}
	}
	if ok {
		return s
	}
	if s = Snake(s); s == "" {
		s = otherwise
	}
	if s[0] >= '0' && s[0] <= '9' {
		s = otherwise + "_" + s
	}
	return s[:min(len(s), maxName)]
}

// singular is the singular of an English noun as APIs use them in paths.
func singular(s string) string {
	switch {
	case len(s) > 4 && strings.HasSuffix(s, "ies"):
		return s[:len(s)-3] + "y"
	case strings.HasSuffix(s, "ss"), strings.HasSuffix(s, "us"), strings.HasSuffix(s, "is"), len(s) < 3:
		return s
	case strings.HasSuffix(s, "sses"), strings.HasSuffix(s, "xes"), strings.HasSuffix(s, "ches"):
		return s[:len(s)-2]
	}
	return strings.TrimSuffix(s, "s")
}

// HostName is the word of a host that people would call the service by.
func HostName(host string) string {
	host = strings.ToLower(host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil {
		return "local"
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	i := max(len(labels)-2, 0)
	if i > 0 && len(labels[i]) <= 3 && len(labels[len(labels)-1]) == 2 { // co.uk, com.au
		i--
	}
	return Identifier(labels[i], "api")
}

// IsMethod reports whether requests of a spec can have this method.
func IsMethod(s string) bool {
	return slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"}, s)
}

// IsToken reports whether s can be the name of a header (RFC 9110).
func IsToken(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
