package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// Observe is what is recorded of calls.
type Observe struct {
	Log         *CallLog
	Names       []Text // of what is secret
	Patterns    []Text
	Audit       *Text // a file
	Admin       *Text // host:port
	Arguments   *Flag
	Correlation *Flag
	Range       diag.Range
}

// CallLog is a log of calls.
type CallLog struct {
	Level  *Text // "debug", "info", "warn" or "error"
	Format *Text // "json" or "text"
	File   *Text
}
