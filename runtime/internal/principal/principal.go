// Package principal names on whose behalf something is done. Every cache, pool,
// limiter, credential and log call takes a [Principal], so that two callers
// cannot share one of them by accident: it would not compile.
package principal

// Principal is who a call is made for. It is comparable and may be a map key.
// The zero value is a caller about whom nothing is known.
type Principal struct {
	Tenant  string // the organisation, where one server serves several
	Subject string // the user or service, as its token says
	Client  string // the MCP client program
}

// IsZero reports whether nothing is known about the caller.
func (p Principal) IsZero() bool { return p == Principal{} }
