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
	OTLP        *OTLP
	Range       diag.Range
}

// OTLP is where traces and metrics are sent by OpenTelemetry's protocol. What is
// not written, the standard environment variables say.
type OTLP struct {
	Endpoint   *Text // URL
	Headers    []NamedExpr
	Traces     *Flag
	Metrics    *Flag
	Sample     *Text // a number from 0 to 1
	Interval   *Text // a duration
	Attributes []Pair
	CA         *Text // a file
	Range      diag.Range
}

// CallLog is a log of calls.
type CallLog struct {
	Level  *Text // "debug", "info", "warn" or "error"
	Format *Text // "json" or "text"
	File   *Text
}
