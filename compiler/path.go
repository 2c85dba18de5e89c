package compiler

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// pathPiece is a piece of a path template.
type pathPiece struct {
	literal  string
	param    string // "" for a literal
	reserved bool   // {+name}: slashes stay
}

// pathTemplate is a parsed path, with what some documents put behind it.
type pathTemplate struct {
	pieces []pathPiece
	query  []queryPiece // behind "?"
}

type queryPiece struct{ name, value, param string }

// parsePath reads a path template. Besides {name} it takes what real documents
// contain: {name} anywhere in a segment, {+name} and {name=**} for values with
// slashes, {?a,b} and a fixed query, and a fragment that only tells operations
// apart.
func parsePath(path string) (pathTemplate, error) {
	var t pathTemplate
	rest, _, _ := strings.Cut(path, "#")
	rest, query, _ := cutQuery(rest)
	for rest != "" {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			t.pieces = append(t.pieces, pathPiece{literal: rest})
			break
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			t.pieces = append(t.pieces, pathPiece{literal: rest})
			break
		}
		name := rest[open+1 : open+end]
		if open > 0 {
			t.pieces = append(t.pieces, pathPiece{literal: rest[:open]})
		}
		rest = rest[open+end+1:]
		if strings.HasPrefix(name, "?") || strings.HasPrefix(name, "&") {
			continue // {?a,b}: the query parameters a and b, declared as such
		}
		p := pathPiece{param: name}
		if strings.HasPrefix(name, "+") {
			p.param, p.reserved = name[1:], true
		}
		if n, pattern, ok := strings.Cut(p.param, "="); ok { // gRPC transcoding
			p.param, p.reserved = n, strings.Contains(pattern, "/") || strings.Contains(pattern, "**")
		}
		p.param = strings.TrimSuffix(p.param, "*")
		if p.param == "" {
			return t, fmt.Errorf("the path has a parameter without a name")
		}
		t.pieces = append(t.pieces, p)
	}
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
		name, value, _ := strings.Cut(pair, "=")
		if p, ok := strings.CutPrefix(value, "{"); ok && strings.HasSuffix(p, "}") {
			t.query = append(t.query, queryPiece{name: unescapeQuery(name), param: strings.TrimSuffix(p, "}")})
			continue
		}
		if strings.HasPrefix(name, "{") && value == "" {
			continue // {name}: a parameter declared as such
		}
		t.query = append(t.query, queryPiece{name: unescapeQuery(name), value: unescapeQuery(value)})
	}
	return t, nil
}

// cutQuery cuts at the first "?" outside of braces.
func cutQuery(path string) (before, query string, found bool) {
	depth := 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '?':
			if depth <= 0 {
				return path[:i], path[i+1:], true
			}
		}
	}
	return path, "", false
}

func unescapeQuery(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func (t pathTemplate) names(name string) bool {
	return slices.ContainsFunc(t.pieces, func(p pathPiece) bool { return p.param == name })
}
