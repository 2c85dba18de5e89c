package observe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Options configure an [Observer].
type Options struct {
	Stderr io.Writer           // for a log without a file
	Known  func(string) string // replaces the values of secrets in a text
	// List makes what replaces the secrets of a list in a text; nil: those that come
	// with requests are not looked for.
	List   func([]string) func(string) string
	Logger *slog.Logger // hears that something cannot be written
	// Before is the observer of a server that this one's follows. Its counts go on,
	// and where the plan is the same it is the observer. May be nil.
	Before *Observer
	// Renew takes nothing of Before but its counts: telemetry has another name or
	// other secrets.
	Renew bool
}

// Observer records calls as a plan says. It is safe for concurrent use.
type Observer struct {
	Redactor *Redactor
	Metrics  *Metrics // nil: nobody reads them
	// Telemetry is nil where nothing is sent to a collector.
	Telemetry Telemetry

	plan  plan.Observe
	users atomic.Int64 // servers that have it

	level     int
	text      bool
	arguments bool
	mu        sync.Mutex // lines are written whole
	out       io.Writer  // nil: no log
	audit     *Audit     // nil: none
	log       *slog.Logger
	failing   atomic.Bool // the log could not be written; said once
	refusing  atomic.Bool // nor the audit log
	refusals  refusals
}

// levels in the order of how much they leave out.
var levels = map[string]int{"debug": 0, "info": 1, "warn": 2, "error": 3}

// New returns an observer. An error is a file that cannot be written, or a
// mistake in the plan.
func New(p *plan.Observe, o Options) (_ *Observer, err error) {
	if o.Before != nil && !o.Renew && reflect.DeepEqual(o.Before.plan, *p) {
		o.Before.users.Add(1)
		return o.Before, nil
	}
	red, err := NewRedactor(p.Names, p.Patterns, o.Known)
	if err != nil {
		return nil, err
	}
	red.list = o.List
	ob := &Observer{Redactor: red, arguments: p.Arguments, log: o.Logger, plan: *p}
	ob.refusals.after = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
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
			if ob.out, err = openFile(l.File, ob.wrote); err != nil {
				return nil, fmt.Errorf("the log of calls: %w", err)
			}
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
// of them what is left is written and sent, and its files are closed.
func (o *Observer) Release() {
	if o.users.Add(-1) != 0 {
		return
	}
	o.Flush()
	if o.Telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := o.Telemetry.Shutdown(ctx); err != nil {
			o.log.Warn("telemetry was not all sent", "error", o.Redactor.Text(err.Error()))
		}
	}
	o.mu.Lock()
	f, ok := o.out.(*file)
	o.mu.Unlock()
	if ok {
		if err := f.Close(); err != nil {
			o.log.Error("the log of calls cannot be closed", "error", err)
		}
	}
	if o.audit != nil {
		if err := o.audit.Release(); err != nil {
			o.log.Error("the audit log cannot be closed", "error", err)
		}
	}
}

// flushTimeout is how long a server that ends goes on sending telemetry.
const flushTimeout = 5 * time.Second

// Flush writes and sends what is left of what was observed, for at most five
// seconds.
func (o *Observer) Flush() {
	if o.out != nil || o.audit != nil {
		o.refusalsCounted()
	}
	if f, ok := o.out.(*file); ok {
		o.wrote(f.Flush())
	}
	if o.Telemetry != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := o.Telemetry.Flush(ctx); err != nil {
			o.log.Warn("telemetry was not all sent", "error", o.Redactor.Text(err.Error()))
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

// Done records a call, in the context it was made in. own says that the call has a
// span of its own in telemetry, which ends with it. When it returns, the line of the
// audit log is with the operating system; that of the log is, or will be within
// [together].
func (o *Observer) Done(ctx context.Context, r *Record, own bool) {
	if o.Metrics != nil {
		o.Metrics.count(r)
	}
	if o.Telemetry != nil {
		o.Telemetry.EndCall(ctx, r, own)
	}
	if o.audit != nil || o.out != nil {
		o.write(r.level(), func(b []byte) []byte {
			red := o.Redactor.For(ctx)
			return r.appendMembers(b, &red, o.arguments)
		})
	}
}

// write writes a line whose members are appended by members, wherever it belongs.
func (o *Observer) write(level string, members func([]byte) []byte) {
	buf := lines.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= 64<<10 {
			lines.Put(buf)
		}
	}()
	b := members(append((*buf)[:0], '{'))
	*buf = b
	if o.audit != nil {
		if err := o.audit.Append(b[1:]); err != nil && !o.refusing.Swap(true) {
			o.log.Error("the audit log cannot be written; calls are refused", "error", err)
		} else if err == nil && o.refusing.Load() && o.refusing.Swap(false) {
			o.log.Warn("the audit log can be written again")
		}
	}
	if o.out == nil || levels[level] < o.level {
		return
	}
	b = append(b, '}')
	if o.text {
		b = AppendText(nil, b)
	}
	b = append(b, '\n')
	o.mu.Lock()
	_, err := o.out.Write(b)
	o.mu.Unlock()
	*buf = b
	o.wrote(err)
}

// wrote says once that the log cannot be written, and again after it could be.
func (o *Observer) wrote(err error) {
	if err != nil && !o.failing.Swap(true) {
		o.log.Error("the log of calls cannot be written", "error", err)
	} else if err == nil && o.failing.Load() {
		o.failing.Store(false)
	}
}
