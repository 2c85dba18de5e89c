package plan

import "time"

// Identity is one way for a caller over HTTP to say who he is. Exactly one of
// its kinds is set.
type Identity struct {
	Name   string
	OAuth  *OAuth
	Keys   *APIKeys
	Client *ClientCertificates
}

// OAuth accepts access tokens of one issuer, as an OAuth 2.1 resource server:
// JWTs (RFC 9068), or any token where there is Introspection (RFC 7662).
type OAuth struct {
	Issuer        string
	Audience      []string // of which a token must name one (RFC 8707); never empty
	Resource      string   // the URL of this server that clients ask tokens for; "" is the first audience
	JWKS          string   // URL of the keys; "" is found through the issuer's metadata
	Algorithms    []string // that are accepted
	Scopes        []string // that every token must have
	Skew          time.Duration
	Subject       string // names of claims; Client and Tenant may be ""
	Client        string
	Tenant        string
	Introspection *Introspection
}

// Introspection asks the issuer about tokens.
type Introspection struct {
	URL      string
	ClientID string
	Secret   *Secret
}

// APIKeys accepts keys in a header.
type APIKeys struct {
	Header string
	Keys   []APIKey
}

// APIKey is a key of one caller. The plan holds its hash only.
type APIKey struct {
	Name    string
	Hash    string // SHA-256 of the key, hexadecimal
	Expires int64  // seconds since 1970; 0 is never
	Subject string
	Client  string
	Tenant  string
	Scopes  []string
}

// ClientCertificates accepts certificates of TLS clients.
type ClientCertificates struct {
	CA     string   // file of the authorities that issue them
	Names  []string // patterns, of which one must match a name of the certificate: DNS, URI or e-mail; "*" is any text
	Tenant string
	Scopes []string
}
