package observe

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// Refusal is a request that became no call: its caller was not let in, it asked for
// what there is not, or it was no message. Its form in a log is documented in
// runtime/OBSERVE.md and refusal.schema.json.
type Refusal struct {
	Time      time.Time
	Trace     Trace
	Principal principal.Principal // as far as it was found out
	Context   context.Context     // of the request; its credentials are never written
	Reason    string              // one of few words
	Status    int                 // of HTTP; 0 for none
	Code      int                 // of the JSON-RPC error
	Method    string              // of MCP, as the client wrote it
	Name      string              // of the tool, prompt or resource, as the client wrote it
	Remote    string              // address of the other end; "" on stdio
}

// Bounds of lines about refusals, in each window. Whoever sends what is refused
// must not be able to fill a disk with it: the rest is counted.
const (
	refusalWindow     = time.Minute
	refusalsPerReason = 10
	refusalsPerWindow = 60
)

// maxName bounds what is written of a client's text, in bytes.
const maxName = 100

// refusals bounds what is written. In a window the first ones of each reason are
// written whole; of those that follow there is one line when it ends.
type refusals struct {
	mu      sync.Mutex
	open    bool // a window is
	written int
	reasons map[string]*refusalCount
	after   func(time.Duration, func()) // time.AfterFunc
}

type refusalCount struct {
	written, more int
	first, last   time.Time
}

// admit tells whether a refusal is written whole. ended is called when the window
// is over.
func (s *refusals) admit(r *Refusal, ended func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		s.open, s.written, s.reasons = true, 0, map[string]*refusalCount{}
		s.after(refusalWindow, ended)
	}
	c := s.reasons[r.Reason]
	if c == nil {
		c = &refusalCount{}
		s.reasons[r.Reason] = c
	}
	if c.written < refusalsPerReason && s.written < refusalsPerWindow {
		c.written++
		s.written++
		return true
	}
	if c.more++; c.more == 1 {
		c.first = r.Time
	}
	c.last = r.Time
	return false
}

// end closes a window and returns what was only counted in it.
func (s *refusals) end() map[string]*refusalCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	counted := s.reasons
	s.open, s.reasons = false, nil
	return counted
}

// Refused records a refusal.
func (o *Observer) Refused(r *Refusal) {
	if o.Metrics != nil {
		o.Metrics.refuse(r.Reason)
	}
	if o.Telemetry != nil {
		o.Telemetry.Refused(r.Reason)
	}
	if o.out == nil && o.audit == nil || !o.refusals.admit(r, o.refusalsCounted) {
		return
	}
	o.write("warn", func(b []byte) []byte { return r.appendMembers(b, o.Redactor) })
}

// refusalsCounted writes what was only counted.
func (o *Observer) refusalsCounted() {
	for reason, c := range o.refusals.end() {
		if c.more > 0 {
			o.write("warn", func(b []byte) []byte {
				b = appendHead(b, c.first, "warn")
				b = append(b, `,"event":"refused","reason":`...)
				b = result.AppendString(b, reason)
				b = append(b, `,"count":`...)
				b = strconv.AppendInt(b, int64(c.more), 10)
				b = append(b, `,"until":"`...)
				return append(appendTime(b, c.last), '"')
			})
		}
	}
}

// appendMembers appends the members of the refusal's JSON object, without braces.
func (r *Refusal) appendMembers(b []byte, red *Redactor) []byte {
	if r.Context != nil {
		own := red.For(r.Context)
		red = &own
	}
	b = appendHead(b, r.Time, "warn")
	b = append(b, `,"event":"refused","reason":`...)
	b = result.AppendString(b, r.Reason)
	b = append(b, `,"count":1`...)
	text := func(name, v string) {
		if v == "" {
			return
		}
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b = result.AppendString(b, result.Shorten(red.Text(v), maxName))
	}
	text("correlation", r.Trace.Shown(red))
	text("trace", r.Trace.Trace)
	text("tenant", r.Principal.Tenant)
	text("subject", r.Principal.Subject)
	text("client", r.Principal.Client)
	text("method", r.Method)
	text("name", withoutQuery(r.Name))
	text("remote", r.Remote)
	if r.Status != 0 {
		b = strconv.AppendInt(append(b, `,"status":`...), int64(r.Status), 10)
	}
	return strconv.AppendInt(append(b, `,"code":`...), int64(r.Code), 10)
}

// withoutQuery cuts off what may be a credential from a name that is a URI.
func withoutQuery(name string) string {
	if scheme, rest, ok := strings.Cut(name, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			authority = authority[i+1:]
		}
		if name = scheme + "://" + authority; slash {
			name += "/" + path
		}
	}
	name, _, _ = strings.Cut(name, "?")
	name, _, _ = strings.Cut(name, "#")
	return name
}
