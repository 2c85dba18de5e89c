package codegen

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

// initialisms are written in capitals, as Go's own names have them.
var initialisms = strings.Fields(`ACL API ASCII AWS CIDR CORS CPU CSS CSV DB DNS EOF GCP GID GPU GUID HTML HTTP HTTPS IAM ID IO IP IPv4 IPv6 ISBN JSON JWKS JWT
	LDAP LHS MAC MFA OAuth OIDC OS OTP PDF PEM PNG QPS RAM RHS RPC RSA SAML SDK SHA SKU SLA SMS SMTP SQL SSH SSL SSO SVG TCP TLS TOTP TTL UDP UI UID URI URL
	URN UTC UTF UUID VAT VM VPC VPN XML XMPP XSRF XSS YAML`)

// goName makes an exported Go name of any text: order_id becomes OrderID,
// getHTTPServer stays. The result is a valid identifier; "" when the text has
// no letter and no digit.
func goName(text string) string {
	var b strings.Builder
	switch {
	case len(text) > 1 && text[0] == '+' && isDigit(text[1]):
		b.WriteString("Plus")
	case len(text) > 1 && text[0] == '-' && isDigit(text[1]):
		b.WriteString("Minus")
	}
	for _, w := range words(text) {
		b.WriteString(goWord(w))
	}
	s := b.String()
	if s != "" && isDigit(s[0]) {
		return "N" + s
	}
	return s
}

func goWord(w string) string {
	digits := w[len(strings.TrimRight(w, "0123456789")):] // as in oauth2
	for _, i := range initialisms {
		if strings.EqualFold(w, i) {
			return i
		}
		if digits != "" && strings.EqualFold(w, i+digits) {
			return i + digits
		}
		if len(w) == len(i)+1 && w[len(i)] == 's' && strings.EqualFold(w[:len(i)], i) {
			return i + "s"
		}
	}
	if len(w) > 1 && strings.ToUpper(w) == w {
		w = strings.ToLower(w)
	}
	return strings.ToUpper(w[:1]) + w[1:]
}

// words splits a name where its writing does: at anything that is no ASCII
// letter or digit, before a capital, and before the last capital of several.
func words(text string) []string {
	var list []string
	start := -1
	flush := func(end int) {
		if start >= 0 && end > start {
			list = append(list, text[start:end])
		}
		start = -1
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !isLetter(c) && !isDigit(c) {
			flush(i)
			continue
		}
		if start >= 0 && isUpper(c) {
			before := text[i-1]
			lowerNext := i+1 < len(text) && text[i+1] >= 'a' && text[i+1] <= 'z' && !pluralAt(text, i+1)
			if !isUpper(before) || lowerNext {
				flush(i)
			}
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(text))
	return list
}

// pluralAt reports whether an s ends a word at i, as in userIDs.
func pluralAt(text string, i int) bool {
	return text[i] == 's' && (i+1 == len(text) || !isLetter(text[i+1]) || isUpper(text[i+1]))
}

func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return isUpper(c) || c >= 'a' && c <= 'z' }

// unique gives each of some different texts a Go name of its own. Of texts that
// would have the same name the one that is written most like it keeps it; the
// others end in a hash of themselves. So a name depends on the text and on those
// it collides with, never on an order or a count.
func unique(texts []string, name func(string) string) map[string]string {
	groups := map[string][]string{}
	for _, t := range texts {
		n := name(t)
		groups[n] = append(groups[n], t)
	}
	out := make(map[string]string, len(texts))
	for n, group := range groups {
		slices.SortFunc(group, func(a, b string) int {
			return cmp.Or(cmp.Compare(distance(a, n), distance(b, n)), cmp.Compare(a, b))
		})
		for i, t := range slices.Compact(group) {
			if out[t] = n; i > 0 || n == "" {
				out[t] = n + hashed(t)
			}
		}
	}
	return out
}

// distance is how far the writing of a text is from its Go name.
func distance(text, name string) int {
	switch {
	case text == name:
		return 0
	case strings.EqualFold(text, name):
		return 1
	}
	return 2 + strings.Count(text, "-")
}

// hashed is a short hash of a text, fit to end a Go name with.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "X" + hex.EncodeToString(sum[:3])
}

// packageName makes a package name of the last part of a path.
func packageName(text string) string {
	s := strings.ToLower(strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (isLetter(byte(r)) || isDigit(byte(r))) {
			return r
		}
		return -1
	}, text))
	if s == "" || isDigit(s[0]) {
		s = "mcp" + s
	}
	if token.IsKeyword(s) || s == "main" {
		s += "mcp"
	}
	return s
}
