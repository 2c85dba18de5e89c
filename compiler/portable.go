package compiler

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxKey is the longest property key and tool name that model APIs accept.
const maxKey = 64

// isPortable reports whether every model API takes s as a property key.
func isPortable(s string) bool {
	if s == "" || len(s) > maxKey {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isAlnum(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// portableKeys makes portable keys of names that stand beside each other. A
// portable name is its own key; of the others, "$top" becomes "top" and
// "page[size]" "page_size". Keys that would meet end in a hash of their name,
// all others do so when hashed is set.
func portableKeys(names []string, hashed bool) []string {
	keys := make([]string, len(names))
	count := make(map[string]int, len(names))
	for i, n := range names {
		if isPortable(n) {
			keys[i] = n
		} else {
			keys[i] = readable(n)
		}
		count[keys[i]]++
	}
	taken := make(map[string]bool, len(names))
	for _, n := range names {
		taken[n] = true
	}
	for i, n := range names {
		if isPortable(n) {
			continue
		}
		if hashed || keys[i] == "" || len(keys[i]) > maxKey || count[keys[i]] > 1 {
			keys[i] = withHash(keys[i], n, maxKey)
		}
		for salt := n; taken[keys[i]]; { // somebody wrote a name that looks like ours
			salt += "#"
			keys[i] = withHash(keys[i], salt, maxKey)
		}
		taken[keys[i]] = true
	}
	return keys
}

// withHash appends a short hash of of to name, within limit bytes.
func withHash(name, of string, limit int) string {
	h := hash(of)
	if len(name) > limit-1-len(h) {
		name = strings.TrimRight(name[:limit-1-len(h)], "_-.")
	}
	if name == "" {
		return "x_" + h
	}
	return name + "_" + h
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// readable writes a name with letters, digits, "_", "." and "-" only: a run of
// other characters becomes one "_", at either end none. A leading "+" is
// "plus", because +1 and -1 are opposites.
func readable(name string) string {
	var b strings.Builder
	if rest, ok := strings.CutPrefix(name, "+"); ok {
		b.WriteString("plus")
		name = rest
	}
	gap := false
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !isAlnum(c) && c != '_' && c != '.' && c != '-' {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('_')
		}
		gap = false
		b.WriteByte(c)
	}
	return b.String()
}
