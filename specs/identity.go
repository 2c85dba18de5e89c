package specs

import (
	"time"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Identity is one way for callers over HTTP to say who they are. Exactly one of
// its kinds is set.
type Identity struct {
	Name  string
	OAuth *OAuth
	Keys  *APIKeys
	MTLS  *MTLS
	Range diag.Range
}

// OAuth accepts the access tokens of one issuer.
type OAuth struct {
	Issuer, Audience, Resource, JWKS *Text
	Algorithms, Scopes               []Text
	Skew                             *Text // Go duration
	Subject, Client, Tenant          *Text // names of claims
	Introspection                    *Introspection
}

// Introspection asks the issuer about tokens (RFC 7662).
type Introspection struct {
	URL, ClientID *Text
	Secret        *Expr
}

// APIKeys accepts keys in a header.
type APIKeys struct {
	Header *Text
	Keys   []*APIKey
}

// APIKey is one key, by its hash.
type APIKey struct {
	Name                    string
	Hash                    *Text // "sha256:" and 64 hexadecimal digits
	Expires                 *Text // a date or an RFC 3339 time
	Subject, Client, Tenant *Text
	Scopes                  []Text
	Range                   diag.Range
}

// MTLS accepts certificates of TLS clients.
type MTLS struct {
	CA     *Text // path, ready to be opened
	Names  []Text
	Tenant *Text
	Scopes []Text
}

// ServerTLS is the certificate of the HTTP server; paths are ready to be opened.
type ServerTLS struct{ Cert, Key *Text }

// ParseTime reads a day, which begins in UTC, or a time of RFC 3339.
func ParseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}
