package imported

import (
	"regexp"
	"strings"
)

// secretWords are what names of secrets are made of, without separators.
var secretWords = []string{"password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesskey", "privatekey", "token", "bearer",
	"credential", "authorization", "cookie", "jwt", "sessionid", "sessid", "sessionkey", "subscriptionkey", "signature", "csrf", "xsrf"}

// harmless are names that hold such a word and mean something else.
var harmless = regexp.MustCompile(`tokens$|tokentype|(next|page|continuation|sync|cursor|start)_?token|token_?(count|limit|uri|url|endpoint)|secretary|(password|pwd|secret|token)_?(length|policy|expiry|expires|hint|reset)`)

// IsSecretName reports whether values of this name are secrets: password,
// X-Api-Key, access_token.
func IsSecretName(name string) bool {
	lower := strings.ToLower(name)
	flat := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, lower)
	if harmless.MatchString(lower) || harmless.MatchString(flat) {
		return false
	}
	switch flat {
	case "auth", "sid", "sig", "xauth", "pass", "otp", "jsessionid", "phpsessid":
		return true
	}
	for _, w := range secretWords {
		if strings.Contains(flat, w) {
			return true
		}
	}
	return false
}

// secretValue is what well-known kinds of secrets look like: a JSON web token,
// keys of services with a prefix of their own, a PEM key.
var secretValue = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*` +
	`|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}` +
	`|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bA[KS]IA[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bPMAK-[A-Za-z0-9-]{20,}|\bsk-[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// IsSecretValue reports whether a text looks like a secret whatever its name is.
func IsSecretValue(s string) bool { return secretValue.MatchString(s) }
