package compiler

import "strings"

// glob reports whether a pattern matches an operation id or a path. "*" stands
// for any characters but "/", "**" for any at all, "?" for one but "/"; the
// pattern "*" alone matches everything.
func glob(pattern, s string) bool {
	if pattern == "*" || pattern == "**" {
		return true
	}
	return globRest(pattern, s)
}

// globRest backtracks to the last star of each kind only.
func globRest(p, s string) bool {
	starP, starS := -1, 0 // after the last "*" and where it began to match
	deepP, deepS := -1, 0 // the same for "**"
	i, j := 0, 0
	for {
		switch {
		case strings.HasPrefix(p[i:], "**"):
			i += 2
			if strings.HasPrefix(p[i:], "/") && (j == 0 || s[j-1] == '/') && globRest(p[i+1:], s[j:]) {
				return true // "**/x" is also x
			}
			deepP, deepS, starP = i, j, -1
			continue
		case i < len(p) && p[i] == '*':
			i++
			starP, starS = i, j
			continue
		case i == len(p) && j == len(s):
			return true
		case i < len(p) && j < len(s) && (p[i] == s[j] || p[i] == '?' && s[j] != '/'):
			i++
			j++
			continue
		}
		switch {
		case starP >= 0 && starS < len(s) && s[starS] != '/':
			starS++
			i, j = starP, starS
		case deepP >= 0 && deepS < len(s):
			deepS++
			i, j, starP = deepP, deepS, -1
		default:
			return false
		}
	}
}

// literalPart is the longest run of a pattern without wildcards, to look for
// what its author may have meant.
func literalPart(pattern string) string {
	best := ""
	for _, run := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' }) {
		if len(run) > len(best) {
			best = run
		}
	}
	return best
}
