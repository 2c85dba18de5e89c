package plan

import "time"

// Observe says what is recorded of calls, and for whom.
type Observe struct {
	Log       *CallLog // nil: no lines of its own
	Arguments bool     // write them into the log and the audit log, redacted
	Audit     string   // file of the hash-chained log; "" is none
	Admin     string   // host:port of the listener for operators; "" is none
	// Correlation takes ids from clients, sends them upstream and returns them.
	Correlation bool
	Names       []string // of arguments that are secret, besides those that are anyway
	Patterns    []string // regular expressions (RE2) of text that is secret
	OTLP        *OTLP    // nil: nothing is sent to a collector
}

// OTLP is where traces and metrics are sent: OpenTelemetry's protocol over HTTP, in
// its binary form. What is empty here is what the OTEL_* variables of the
// environment say, and after them the defaults of OpenTelemetry.
type OTLP struct {
	Endpoint string    // URL; v1/traces and v1/metrics are below it
	Headers  []StepArg // sent with every export; their values may be secrets
	Traces   bool
	Metrics  bool
	// Sample is the share of traces that are recorded, "0" to "1", of those that
	// begin here. One that a client began is recorded if the client's is.
	Sample     string
	Interval   time.Duration // between exports of metrics
	Attributes []Attribute   // of the resource, besides what the server is
	CA         string        // file of the authorities (PEM) that the collector's certificate is of
}

// Attribute is a name with a text.
type Attribute struct{ Name, Value string }

// CallLog is one line for each call.
type CallLog struct {
	Level string // "debug" has the calls of steps too, "info" all of clients, "warn" those that failed, "error" those that failed in this server
	Text  bool   // for people; false: JSON
	File  string // "" is stderr
}
