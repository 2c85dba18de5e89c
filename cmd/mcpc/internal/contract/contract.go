// Package contract runs the tests of a spec: each calls a tool through the
// runtime, with a service that is played from the test's replies or a
// recording, and evaluates what the test expects of what was sent and answered.
package contract

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Outcome is what came of one test. It passed when there are no Failures.
type Outcome struct {
	Test     *specs.Test
	Duration time.Duration
	Failures []Failure
	// Warnings are what the runtime remarks, such as an answer that breaks the
	// output schema.
	Warnings []string
	Requests []*Request
	Result   *runtime.Result
}

// Failure is one thing that is not as the test says.
type Failure struct {
	Message   string
	Range     diag.Range
	Condition string  // that was to be true, in the author's words; "" when there is none
	Values    []Value // of what it is made of
}

// Value is a part of a condition, in the author's words, and its value as JSON.
type Value struct{ Expression, JSON string }

// Run runs one test. secrets are the names of the plan's secrets; each has the
// value "secret-NAME". The error is the world's: a plan that cannot be executed.
func Run(ctx context.Context, p *plan.Server, secrets []string, t *specs.Test) (*Outcome, error) {
	o := &Outcome{Test: t}
	start := time.Now()
	defer func() { o.Duration = time.Since(start) }()
	s, err := newService(p, t)
	if err != nil {
		o.fail(t.Recording.Range, "%v", err)
		return o, nil
	}
	log := &remarks{}
	options := runtime.Options{
		Transport: s,
		Secrets:   map[string]string{},
		Getenv:    func(string) string { return "" },
		Logger:    slog.New(log),
	}
	for _, name := range secrets {
		options.Secrets[name] = "secret-" + name
	}
	b, err := runtime.NewBridge(offline(p, t), options)
	if err != nil {
		return nil, err
	}
	ctx = runtime.WithConfirmation(ctx, func(context.Context, string) (bool, error) { return true, nil }) // nothing is done
	args := "{}"
	if t.Args != nil {
		args = t.Args.JSON()
	}
	if o.Result, err = b.Call(ctx, runtime.Principal{}, t.Call.Name, []byte(args)); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.Warnings, o.Requests = log.lines, s.requests
	o.check(s, findTool(p, t.Call.Name))
	return o, nil
}

// remarks keeps what the runtime logs as warnings, in words.
type remarks struct {
	mu    sync.Mutex
	lines []string
}

func (*remarks) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (r *remarks) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(", %s %v", a.Key, a.Value)
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

func (r *remarks) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r *remarks) WithGroup(string) slog.Handler      { return r }

func (o *Outcome) fail(at diag.Range, format string, args ...any) {
	o.Failures = append(o.Failures, Failure{Message: fmt.Sprintf(format, args...), Range: at})
}

// offline is a plan whose calls end in the test: nothing is sent twice, every
// upstream has an address, text that a test gives is in UTF-8, and nobody is kept
// from calling: tests are about what is sent and answered, not about who asks.
func offline(p *plan.Server, t *specs.Test) *plan.Server {
	c := *p
	c.Policy, c.Limits = nil, nil
	c.Upstreams = append([]plan.Upstream(nil), p.Upstreams...)
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		u.Retry.Attempts = 1
		if u.BaseURL == "" {
			u.BaseURL = "http://" + u.Name + ".example"
		}
	}
	if t.Recording == nil {
		c.Tools = append([]plan.Tool(nil), p.Tools...)
		for i := range c.Tools {
			c.Tools[i].Response.Charset = ""
		}
	}
	return &c
}

func findTool(p *plan.Server, name string) *plan.Tool {
	for i := range p.Tools {
		if p.Tools[i].Name == name {
			return &p.Tools[i]
		}
	}
	return nil
}

// check compares the outcome with what the test says.
func (o *Outcome) check(s *service, tool *plan.Tool) {
	t := o.Test
	for _, r := range s.unexpected {
		o.fail(t.Range, "the tool sent %s %s, and no reply is left for it", r.Method, r.Path)
	}
	switch {
	case t.Error == nil && o.Result.IsError:
		o.fail(t.Range, "the tool answered with an error, code %q", o.Result.Code)
	case t.Error != nil && !o.Result.IsError:
		o.fail(t.Error.Range, "the tool was expected to answer with an error")
	case t.Error != nil && t.Error.Code != "" && t.Error.Code != o.Result.Code:
		o.fail(t.Error.Range, "the code of the error is %q, not %q", o.Result.Code, t.Error.Code)
	}
	for i := range s.replies {
		if r := &s.replies[i]; !r.used {
			o.fail(r.at, "nothing asked for %s", r)
		}
	}
	vars := o.variables(s, tool)
	for _, e := range t.Expect {
		o.expect(e, vars)
	}
}
