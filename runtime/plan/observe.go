package plan

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
}

// CallLog is one line for each call.
type CallLog struct {
	Level string // "debug" has the calls of steps too, "info" all of clients, "warn" those that failed, "error" those that failed in this server
	Text  bool   // for people; false: JSON
	File  string // "" is stderr
}
