// Package observe records calls: as lines of a log, in a hash-chained audit log,
// and as metrics.
//
// A call is a [Record], made once and written wherever the plan asks for it. Its
// form is documented in runtime/OBSERVE.md and call.schema.json. Everything that
// did not come from the plan passes a [Redactor] on its way out.
package observe

import (
	"strconv"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// Record is what is known of a call when it has ended.
type Record struct {
	Time      time.Time // of its start
	Trace     Trace
	Principal principal.Principal
	Kind      Kind   // of what was called
	Tool      string // its name in the plan
	StepOf    string // the composite tool that it is a step of; "" is a client's call
	Native    bool   // answered by Go code
	Upstream  string // its name in the plan; "" for none
	Outcome   string // "ok", or the code of the failure
	Status    int    // of HTTP; 0 when there was no answer
	Attempts  int    // requests that were sent
	Cached    bool   // the answer is an earlier one
	Stale     bool   // and stands for one that could not be had
	Rule      string // of the policy, that decided; "" for none
	Limit     string // the rate limit that refused the call
	Arguments []byte // as the client sent them
	Sensitive []string
	Answer    int // bytes of the upstream's answer
	Result    int // bytes of what the client gets, without the frame around it
	Total     time.Duration
	Stages    [Stages]time.Duration
}

// Kind is what a call is of.
type Kind uint8

// The kinds of calls.
const (
	Tool Kind = iota
	Resource
	Prompt
)

var kindNames = [...]string{"tool", "resource", "prompt"}

func (k Kind) String() string { return kindNames[k] }

// Stage is a part of a call that is measured by itself.
type Stage uint8

// The stages of a call. What is left of the total is policy, middleware, native
// code, and waiting for a person.
const (
	Validate Stage = iota // reading and checking the arguments
	Build                 // making the request
	Upstream              // waiting for a turn, sending, and reading the answer
	Shape                 // making the answer a result
	Stages
)

var stageNames = [Stages]string{"validate", "build", "upstream", "shape"}

// OK is the outcome of a call that succeeded.
const OK = "ok"

// internal are the outcomes that are this server's mistake.
func internal(outcome string) bool { return outcome == "internal" }

// level is how much a call matters.
func (r *Record) level() string {
	switch {
	case internal(r.Outcome):
		return "error"
	case r.Outcome != OK:
		return "warn"
	case r.StepOf != "":
		return "debug"
	}
	return "info"
}

// appendTime appends a time as RFC 3339 has it, in UTC and with microseconds.
func appendTime(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(b, time.RFC3339) // the one layout that is fast
	b[len(b)-1] = '.'
	us := t.Nanosecond() / 1000
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+us/unit%10))
	}
	return append(b, 'Z')
}

// appendHead appends the members that every line has.
func appendHead(b []byte, t time.Time, level string) []byte {
	b = append(b, `"time":"`...)
	b = appendTime(b, t)
	b = append(append(b, `","level":"`...), level...)
	return append(b, '"')
}

// appendMembers appends the members of the record's JSON object, without braces.
func (r *Record) appendMembers(b []byte, red *Redactor, arguments bool) []byte {
	b = appendHead(b, r.Time, r.level())
	text := func(name, v string) {
		if v != "" {
			b = append(append(append(b, ',', '"'), name...), '"', ':')
			b = result.AppendString(b, v)
		}
	}
	number := func(name string, v int64) {
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b = strconv.AppendInt(b, v, 10)
	}
	text("correlation", r.Trace.Shown(red))
	text("trace", r.Trace.Trace)
	text("span", r.Trace.Span)
	text("tenant", red.Text(r.Principal.Tenant))
	text("subject", red.Text(r.Principal.Subject))
	text("client", red.Text(r.Principal.Client))
	text(r.Kind.String(), r.Tool)
	text("step_of", r.StepOf)
	if r.Native {
		b = append(b, `,"native":true`...)
	}
	text("upstream", r.Upstream)
	if r.Outcome == OK {
		text("outcome", OK)
	} else {
		text("outcome", red.Text(r.Outcome)) // native code chooses codes, too
	}
	if r.Status != 0 {
		number("status", int64(r.Status))
	}
	number("attempts", int64(r.Attempts))
	if r.Cached {
		b = append(b, `,"cached":true`...)
	}
	if r.Stale {
		b = append(b, `,"stale":true`...)
	}
	text("rule", r.Rule)
	text("limit", r.Limit)
	number("bytes_in", int64(len(r.Arguments)))
	number("bytes_answer", int64(r.Answer))
	number("bytes_out", int64(r.Result))
	b = append(b, `,"duration_us":{"total":`...)
	b = strconv.AppendInt(b, r.Total.Microseconds(), 10)
	for i, d := range r.Stages {
		if d > 0 {
			b = append(append(append(b, ',', '"'), stageNames[i]...), '"', ':')
			b = strconv.AppendInt(b, d.Microseconds(), 10)
		}
	}
	b = append(b, '}')
	if arguments {
		b = red.Arguments(append(b, `,"arguments":`...), r.Arguments, r.Sensitive)
	}
	return b
}
