package observe

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Options configure an [Observer].
type Options struct {
	Stderr io.Writer           // for a log without a file
	Known  func(string) string // replaces the values of secrets in a text
	Logger *slog.Logger        // hears that something cannot be written
	// Before is the observer of a server that this one's follows. Its counts go on,
	// and where the plan is the same it is the observer. May be nil.
	Before *Observer
}

// Observer records calls as a plan says. It is safe for concurrent use.
type Observer struct {
	Redactor *Redactor
	Metrics  *Metrics // nil: nobody reads them

	plan  plan.Observe
	users atomic.Int64 // servers that have it
	file  *os.File     // what out is, when it was opened here

	level     int
	text      bool
	arguments bool
	mu        sync.Mutex // lines are written whole
	out       io.Writer  // nil: no log
	audit     *Audit     // nil: none
	log       *slog.Logger
	failing   atomic.Bool // the log could not be written; said once
}

// levels in the order of how much they leave out.
var levels = map[string]int{"debug": 0, "info": 1, "warn": 2, "error": 3}

// New returns an observer. An error is a file that cannot be written, or a
// mistake in the plan.
func New(p *plan.Observe, o Options) (_ *Observer, err error) {
	if o.Before != nil && reflect.DeepEqual(o.Before.plan, *p) {
		o.Before.users.Add(1)
		return o.Before, nil
	}
	red, err := NewRedactor(p.Names, p.Patterns, o.Known)
	if err != nil {
		return nil, err
	}
	ob := &Observer{Redactor: red, arguments: p.Arguments, log: o.Logger, plan: *p}
	ob.users.Store(1)
	defer func() {
		if err != nil {
			ob.Release()
		}
	}()
	if p.Admin != "" {
		if o.Before != nil {
			ob.Metrics = o.Before.Metrics
		}
		if ob.Metrics == nil {
			ob.Metrics = NewMetrics()
		}
	}
	if l := p.Log; l != nil {
		ob.level, ob.text = levels[l.Level], l.Text
		ob.out = o.Stderr
		if l.File != "" {
			// Only for this user: even redacted, it says who did what.
			f, err := os.OpenFile(l.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return nil, fmt.Errorf("the log of calls: %w", err)
			}
			ob.out, ob.file = f, f
		}
	}
	if p.Audit != "" {
		if ob.audit, err = SharedAudit(p.Audit); err != nil {
			return nil, err
		}
	}
	return ob, nil
}

// Release says that a server does not need the observer any more. After the last
// of them its files are closed.
func (o *Observer) Release() {
	if o.users.Add(-1) != 0 {
		return
	}
	if o.file != nil {
		if err := o.file.Close(); err != nil {
			o.log.Error("the log of calls cannot be closed", "error", err)
		}
	}
	if o.audit != nil {
		if err := o.audit.Release(); err != nil {
			o.log.Error("the audit log cannot be closed", "error", err)
		}
	}
}

// Logs tells whether the observer has a log, which then has all calls.
func (o *Observer) Logs() bool { return o.out != nil }

// Ready tells whether calls may be made: no call goes unrecorded where an audit
// log is asked for, so there are none while it cannot be written.
func (o *Observer) Ready() bool { return o.audit == nil || o.audit.Ready() }

// AuditEnd is where the audit log ends; false when there is none.
func (o *Observer) AuditEnd() (Chain, bool) {
	if o.audit == nil {
		return Chain{}, false
	}
	o.audit.mu.Lock()
	defer o.audit.mu.Unlock()
	return Chain{Lines: o.audit.seq, Head: o.audit.head}, true
}

var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// Done records a call. It returns when what it wrote is with the operating
// system.
func (o *Observer) Done(r *Record) {
	if o.Metrics != nil {
		o.Metrics.count(r)
	}
	buf := lines.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= 64<<10 {
			lines.Put(buf)
		}
	}()
	if o.audit != nil {
		b := r.appendMembers((*buf)[:0], o.Redactor, o.arguments)
		if err := o.audit.Append(b); err != nil {
			o.log.Error("the audit log cannot be written; calls are refused", "error", err)
		}
		*buf = b
	}
	if o.out == nil || levels[r.level()] < o.level {
		return
	}
	b := append((*buf)[:0], '{')
	b = append(r.appendMembers(b, o.Redactor, o.arguments), '}')
	if o.text {
		b = AppendText(nil, b)
	}
	b = append(b, '\n')
	o.mu.Lock()
	_, err := o.out.Write(b)
	o.mu.Unlock()
	*buf = b
	if err != nil && !o.failing.Swap(true) {
		o.log.Error("the log of calls cannot be written", "error", err)
	} else if err == nil && o.failing.Load() {
		o.failing.Store(false)
	}
}
