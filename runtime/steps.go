package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/progress"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/shape"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A composite tool is called like any other, and calls the tools of its steps
// the way it was called itself: each has its arguments checked, passes the
// middleware and is answered by native code where there is some, when the call
// came to a [Server]; it is bridged when it came to a [Bridge].

// StepsTimeout is the limit of a composite tool that says none.
const StepsTimeout = 2 * time.Minute

// maxStepBytes bounds what the steps of one call hold, in bytes of text, and
// what its result may be.
const maxStepBytes = 16 << 20

// composite is a tool of steps, ready to run.
type composite struct {
	steps  []step
	result expr.Func // nil: the output of the last step
}

type step struct {
	plan    *plan.Step
	tool    *tool
	args    []expr.Func // as plan.Args
	forEach expr.Func
	when    expr.Func // true or false; nil: always
	jq      *shape.Program
}

// compileSteps makes a composite of a plan. calls are the tools of the steps.
func compileSteps(t *plan.Tool, calls []*tool) (*composite, error) {
	c := &composite{steps: make([]step, len(t.Steps))}
	for i := range t.Steps {
		p := &t.Steps[i]
		s := &c.steps[i]
		s.plan, s.tool, s.args = p, calls[i], make([]expr.Func, len(p.Args))
		var err error
		for j := range p.Args {
			if s.args[j], err = expr.Compile(p.Args[j].Value); err != nil {
				return nil, fmt.Errorf("step %s: argument %s: %w", p.Name, p.Args[j].Name, err)
			}
		}
		if p.ForEach != nil {
			if s.forEach, err = expr.Compile(*p.ForEach); err != nil {
				return nil, fmt.Errorf("step %s: for_each: %w", p.Name, err)
			}
		}
		if p.When != nil {
			// With the branches spelled out the expression's own rules say what is true.
			if s.when, err = expr.Compile(plan.Expr{Op: plan.OpCond, Args: []plan.Expr{*p.When, {Op: plan.OpConst, Const: "true"}, {Op: plan.OpConst, Const: "false"}}}); err != nil {
				return nil, fmt.Errorf("step %s: when: %w", p.Name, err)
			}
		}
		if p.JQ != "" {
			if s.jq, err = shape.NewProgram(p.JQ); err != nil {
				return nil, fmt.Errorf("step %s: jq: %w", p.Name, err)
			}
		}
	}
	if t.Result != nil {
		var err error
		if c.result, err = expr.Compile(*t.Result); err != nil {
			return nil, fmt.Errorf("output: %w", err)
		}
	}
	return c, nil
}

// linkSteps finds the tools that composite tools call.
func (b *Bridge) linkSteps() error {
	for i := range b.plan.Tools {
		t := b.tools[b.plan.Tools[i].Name]
		for j := range t.plan.Steps {
			s := &t.plan.Steps[j]
			called := b.tools[s.Tool]
			if called == nil {
				return fmt.Errorf("tool %s: step %s calls %w %q", t.plan.Name, s.Name, ErrUnknownTool, s.Tool)
			}
			if called.plan.Confirm != nil && t.plan.Confirm == nil {
				return fmt.Errorf("tool %s: step %s calls %s, which asks a person first; the tool has to ask before its first step", t.plan.Name, s.Name, s.Tool)
			}
			t.calls = append(t.calls, called)
		}
	}
	// Nothing may call itself: it would never end.
	const entered, left = 1, 2
	state := map[*tool]int{}
	var visit func(t *tool) error
	visit = func(t *tool) error {
		switch state[t] {
		case entered:
			return fmt.Errorf("tool %s calls itself", t.plan.Name)
		case left:
			return nil
		}
		state[t] = entered
		for _, c := range t.calls {
			if err := visit(c); err != nil {
				return err
			}
		}
		state[t] = left
		return nil
	}
	for i := range b.plan.Tools {
		if err := visit(b.tools[b.plan.Tools[i].Name]); err != nil {
			return err
		}
	}
	return nil
}

// composition is one call of a composite tool under way.
type composition struct {
	b    *Bridge
	k    *Call
	vars map[string]any // step: the outputs of the steps that are done

	// What follows is under mu: elements may be worked on at the same time.
	mu          sync.Mutex
	done, total int      // calls
	size        int64    // of what the calls answered
	finished    []string // steps, in words
	lasting     bool     // a call was made that a second one would not repeat without harm
	notes       []note   // for the model, beside the result
	marks       []string // what the answers or their failures make of the result, as _meta says it
}

// note is a remark about a step.
type note struct {
	of   *step
	text string
}

// outcome is what came of one call of a step.
type outcome struct {
	value any
	res   *Result // as it was answered; nil when no call was made
	none  bool    // nothing stands in its place
	fail  *Result // why there is no value
}

// element is one of a step's for_each.
type element struct {
	key   any
	value any
}

// compose runs the steps of a checked call.
func (b *Bridge) compose(ctx context.Context, k *Call) *Result {
	t := k.tool
	inner, cancel := context.WithTimeout(ctx, cmp.Or(t.plan.Timeout, StepsTimeout))
	defer cancel()
	inner = progress.With(inner, nil) // parts of parts are nobody's business

	outputs := make(map[string]any, len(t.steps.steps))
	c := &composition{b: b, k: k, vars: map[string]any{"step": outputs}, total: len(t.steps.steps)}
	progress.Report(ctx, 0, c.total, "")
	var last outcome
	for i := range t.steps.steps {
		s := &t.steps.steps[i]
		var fail *Result
		if last, fail = c.step(ctx, inner, s); fail != nil {
			return fail
		}
		outputs[s.plan.Name] = last.value
		c.finished = append(c.finished, s.plan.Name)
	}
	res := c.answer(t, last)
	for _, n := range c.notes {
		if res != last.res || n.of != &t.steps.steps[len(t.steps.steps)-1] { // it has its own
			res.Add(n.text)
		}
	}
	for _, m := range c.marks {
		res.SetMeta(m, true)
	}
	return res
}

// answer makes the result of the outputs.
func (c *composition) answer(t *tool, last outcome) *Result {
	v := last.value
	switch {
	case t.steps.result != nil:
		var err error
		if v, err = t.steps.result(c.env(nil)); err != nil {
			return c.refuse("step-value", fmt.Sprintf("The result cannot be made of what the steps answered: %v.", err),
				"If the arguments are right, tell the operator of this server.")
		}
	case last.res != nil && t.steps.steps[len(t.steps.steps)-1].jq == nil:
		return last.res // in the upstream's own bytes, whatever it is
	}
	text := function.AppendJSON(nil, v)
	if len(text) > maxStepBytes {
		return c.tooLarge()
	}
	res := result.Text(string(text))
	if s, ok := v.(string); ok {
		res.Content[0].Text = s
	}
	if _, ok := v.(map[string]any); ok && !t.plan.Response.Wrap {
		res.Structured = text
	} else if t.plan.Output != "" || t.plan.Response.Wrap {
		res.Structured = append(append([]byte(`{"result":`), text...), '}')
	}
	return res
}

// env is what the expressions of a step know.
func (c *composition) env(each map[string]any) *expr.Env {
	if each == nil {
		return &expr.Env{Args: c.k.args.Values, Vars: c.vars}
	}
	return &expr.Env{Args: c.k.args.Values, Vars: map[string]any{"step": c.vars["step"], "each": each}}
}

// step runs one step. outer is the context of the call, which hears of progress.
func (c *composition) step(outer, ctx context.Context, s *step) (outcome, *Result) {
	if s.forEach == nil {
		o := c.one(ctx, s, nil)
		c.advance(outer, s, 1, 1)
		if o.fail == nil {
			return o, nil
		}
		if s.plan.OnError == plan.OnErrorFail || ctx.Err() != nil {
			return o, c.broken(outer, ctx, s, "", o.fail)
		}
		c.passOver(s, 1, 1, o.fail)
		return outcome{}, nil
	}
	list, err := s.elements(c.env(nil))
	if err != nil {
		return outcome{}, c.refuse("step-value", fmt.Sprintf("Step %q cannot be made: %v.", s.plan.Name, err), "If the arguments are right, tell the operator of this server.")
	}
	if len(list) > s.plan.Max {
		return outcome{}, c.refuse("too-many-elements", fmt.Sprintf("Step %q has %d elements, and no more than %d are worked on in one call.", s.plan.Name, len(list), s.plan.Max),
			"Ask for less at once, if the arguments allow it.")
	}
	c.total += max(len(list), 1) - 1
	if len(list) == 0 {
		c.advance(outer, s, 0, 0)
		return outcome{value: []any{}}, nil
	}
	return c.each(outer, ctx, s, list)
}

// elements are what a step goes over.
func (s *step) elements(env *expr.Env) ([]element, error) {
	v, err := s.forEach(env)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		list := make([]element, len(v))
		for i, e := range v {
			list[i] = element{number(i), e}
		}
		return list, nil
	case map[string]any:
		list := make([]element, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, element{k, v[k]})
		}
		return list, nil
	case string:
		return nil, errors.New("for_each is a text, and needs a list or an object")
	}
	return nil, errors.New("for_each needs a list or an object")
}

func number(i int) json.Number { return json.Number(fmt.Sprint(i)) }

// each runs a step for every element, several at a time. When one fails and that
// ends the call, those under way are canceled, and waited for.
func (c *composition) each(outer, ctx context.Context, s *step, list []element) (outcome, *Result) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	outcomes := make([]outcome, len(list))
	next, finished, failed, first := 0, 0, 0, -1
	work := func() {
		for {
			c.mu.Lock()
			i := next
			next++
			c.mu.Unlock()
			if i >= len(list) || running.Err() != nil {
				return
			}
			o := c.one(running, s, map[string]any{"key": list[i].key, "value": list[i].value, "index": number(i)})
			o.res = nil // its value is all that is needed of it
			c.mu.Lock()
			outcomes[i] = o
			if o.fail != nil {
				if failed++; first < 0 {
					first = i // the others may only have been canceled
				}
			} else {
				finished++
			}
			ended := finished + failed
			c.mu.Unlock()
			if o.fail != nil && s.plan.OnError == plan.OnErrorFail {
				stop()
				return
			}
			c.advance(outer, s, ended, len(list))
		}
	}
	if workers := min(s.plan.Parallel, len(list)); workers <= 1 {
		work()
	} else {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(work)
		}
		wg.Wait()
	}
	if err := ctx.Err(); err != nil || failed > 0 && s.plan.OnError == plan.OnErrorFail {
		if finished > 0 {
			c.finished = append(c.finished, fmt.Sprintf("%s (%d of %d elements)", s.plan.Name, finished, len(list)))
		}
		if first < 0 {
			return outcome{}, c.broken(outer, ctx, s, "", nil)
		}
		return outcome{}, c.broken(outer, ctx, s, fmt.Sprintf(" (element %d of %d)", first+1, len(list)), outcomes[first].fail)
	}
	values := make([]any, 0, len(list))
	for _, o := range outcomes {
		if !o.none && (o.fail == nil || s.plan.OnError == plan.OnErrorNull) {
			values = append(values, o.value)
		}
	}
	if failed > 0 {
		c.passOver(s, failed, len(list), outcomes[first].fail)
	}
	return outcome{value: values}, nil
}

// one makes one call of a step. A panic is a failure like any other: it may be
// on a goroutine of its own.
func (c *composition) one(ctx context.Context, s *step, each map[string]any) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = outcome{fail: c.b.failure(ctx, c.k.tool, "panic", fmt.Errorf("step %s: %v\n%s", s.plan.Name, p, debug.Stack()))}
		}
	}()
	env := c.env(each)
	if s.when != nil {
		v, err := s.when(env)
		if err != nil {
			return outcome{fail: stepValue(err)}
		}
		if v != true {
			return outcome{none: true}
		}
	}
	arguments := []byte{'{'}
	for i, f := range s.args {
		v, err := f(env)
		if err != nil {
			return outcome{fail: stepValue(err)}
		}
		if v == nil {
			continue
		}
		if len(arguments) > 1 {
			arguments = append(arguments, ',')
		}
		arguments = append(result.AppendString(arguments, s.plan.Args[i].Name), ':')
		arguments = function.AppendJSON(arguments, v)
	}
	if len(arguments) > maxStepBytes {
		return outcome{fail: c.tooLarge()}
	}
	k := &Call{Tool: s.plan.Tool, Principal: c.k.Principal, Arguments: append(arguments, '}'), tool: s.tool,
		run: c.k.run, of: c.k.Tool, agreed: c.k.agreed || c.k.tool.confirm != nil}
	ctx, start := c.b.begin(ctx, k)
	res := c.b.guard(ctx, k, k.run)
	c.b.end(ctx, k, res, start)
	if res.IsError {
		if h := k.tool.plan.Hints; res.Retry == RetryCheck && !h.ReadOnly && !h.Idempotent {
			c.change()
		}
		return outcome{fail: res}
	}
	if h := k.tool.plan.Hints; !h.ReadOnly && !h.Idempotent {
		c.change()
	}
	if !c.hold(s, res) {
		return outcome{fail: c.tooLarge()}
	}
	v, err := s.value(ctx, k, res)
	if err != nil {
		return outcome{fail: result.Error("step-value", fmt.Sprintf("What tool %q answered cannot be used: %s", s.plan.Tool, sentence(err.Error())), ofSpec, RetryNo)}
	}
	return outcome{value: v, res: res}
}

// ofSpec is what to do about a value that does not fit between two steps.
const ofSpec = "If the arguments are right, tell the operator of this server: its spec has to be mended."

func stepValue(err error) *Result {
	return result.Error("step-value", "Its call cannot be made: "+err.Error()+".", ofSpec, RetryNo)
}

func (c *composition) change() {
	c.mu.Lock()
	c.lasting = true
	c.mu.Unlock()
}

// hold counts an answer against the bound of the call, and remembers whether it
// was whole. False means that it is too much.
func (c *composition) hold(s *step, res *Result) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range []string{markTruncated, markStale, markPartial} {
		if res.Meta[m] != true {
			continue
		}
		c.mark(m)
		if n := len(res.Content); n > 1 && len(c.notes) < maxNotes {
			c.note(s, res.Content[n-1].Text)
		}
	}
	c.size += int64(len(res.Structured))
	if res.Structured == nil {
		for i := range res.Content {
			c.size += int64(len(res.Content[i].Text) + len(res.Content[i].Data))
		}
	}
	return c.size <= maxStepBytes
}

// Members of _meta that say that a result is not all it could be. The block of
// text that says why is the last.
const (
	markTruncated = "mcpc/truncated"
	markStale     = "mcpc/stale"
	markPartial   = "mcpc/partial" // a step failed, and that was passed over
)

// maxNotes bounds how many answers are told of beside a result.
const maxNotes = 10

// mark remembers a member of _meta for the result. mu is held, or nothing else
// runs.
func (c *composition) mark(m string) {
	if !slices.Contains(c.marks, m) {
		c.marks = append(c.marks, m)
	}
}

// note adds a note about a step, once. mu is held, or nothing else runs.
func (c *composition) note(s *step, text string) {
	n := note{s, fmt.Sprintf("Step %q: %s", s.plan.Name, text)}
	if !slices.Contains(c.notes, n) {
		c.notes = append(c.notes, n)
	}
}

// passOver notes failures that do not end the call.
func (c *composition) passOver(s *step, failed, of int, first *Result) {
	c.mark(markPartial)
	what, fate := "the call failed", "null stands for it"
	if s.forEach != nil {
		what, fate = fmt.Sprintf("%d of %d elements failed", failed, of), "left out"
		if s.plan.OnError == plan.OnErrorNull {
			fate = "null in their place"
		}
	}
	c.note(s, result.Shorten(fmt.Sprintf("%s; %s. %s", what, fate, failureText(first)), 1<<10))
}

// advance counts a call that is done and tells who waits.
func (c *composition) advance(outer context.Context, s *step, n, of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if !progress.Wanted(outer) {
		return
	}
	message := "step " + s.plan.Name
	if s.forEach != nil {
		message += fmt.Sprintf(", %d of %d", n, of)
	}
	progress.Report(outer, c.done, c.total, message)
}

// broken is the result of a call that a step has ended. fail is the step's own
// failure; nil when it never came to that.
func (c *composition) broken(outer, ctx context.Context, s *step, element string, fail *Result) *Result {
	where := fmt.Sprintf("%q%s", s.plan.Name, element)
	safe := s.tool.plan.Hints.ReadOnly || s.tool.plan.Hints.Idempotent
	retry := RetryMay
	if c.lasting || !safe {
		retry = RetryCheck
	}
	switch {
	case outer.Err() != nil:
		return c.end("canceled", "The call was canceled in step "+where+".", "", retry)
	case ctx.Err() != nil:
		limit := cmp.Or(c.k.tool.plan.Timeout, StepsTimeout)
		return c.end("timeout", fmt.Sprintf("The tool did not finish within %s; it was in step %s.", limit, where), "Ask for less at once if the arguments allow it.", retry)
	case fail == nil:
		return c.end("step-value", "It stopped in step "+where+".", "", RetryNo)
	}
	if retry = fail.Retry; c.lasting && retry != RetryNo {
		retry = RetryCheck
	}
	return c.end(fail.Code, "Step "+where+" failed: "+failureText(fail), "", retry)
}

// refuse is a failure that the same arguments meet again.
func (c *composition) refuse(code, message, next string) *Result {
	return c.end(code, message, next, RetryNo)
}

func (c *composition) tooLarge() *Result {
	return result.Error("too-large", fmt.Sprintf("The steps answered more than %d MB together.", maxStepBytes>>20), "Ask for less at once, if the arguments allow it.", RetryNo)
}

// end tells a failure, and what was done before it: a model must know what has
// happened already.
func (c *composition) end(code, message, next string, retry Retry) *Result {
	message = result.Shorten(message, result.MaxErrorText/2)
	if len(c.finished) > 0 {
		message += "\nSteps done: " + strings.Join(c.finished, ", ") + "."
		if c.lasting {
			message += " What they changed stays changed."
		}
	}
	return result.Error(code, message, next, retry)
}

// failureText is the text of a failed call without its advice about a retry,
// which is the whole call's to give.
func failureText(res *Result) string {
	if len(res.Content) == 0 {
		return "the tool failed."
	}
	s := strings.TrimSuffix(res.Content[0].Text, "\n"+res.Retry.String())
	return strings.TrimSuffix(s, "\n"+correctArguments)
}

// value is what a step makes of an answer.
func (s *step) value(ctx context.Context, k *Call, res *Result) (any, error) {
	text := valueOf(k, res)
	if s.jq != nil {
		var err error
		if text, err = s.jq.Run(ctx, text); err != nil {
			return nil, err
		}
	}
	return args.Value(text)
}

// valueOf is the value of an answer as JSON: its structured content, without the
// wrapping of what is no object; else its text, which stands for itself where it is a JSON object or list; null when
// there is neither.
func valueOf(k *Call, res *Result) []byte {
	if res.Structured != nil {
		if r := &k.tool.plan.Response; r.Wrap || r.As != "" {
			// What is written as a table is wrapped although nothing is declared.
			if a, err := args.Decode(res.Structured); err == nil && a.Raw["result"] != nil && (r.Wrap || len(a.Raw) == 1) {
				return a.Raw["result"]
			}
		}
		return res.Structured
	}
	if a := k.answer; a != nil && len(a.Body) == 0 && a.Method != http.MethodHead {
		return []byte("null") // the text only says that there was nothing
	}
	if len(res.Content) == 0 || res.Content[0].Type != result.TypeText {
		return []byte("null")
	}
	text := res.Content[0].Text
	if t := strings.TrimLeft(text, " \t\r\n"); t != "" && (t[0] == '[' || t[0] == '{') && jsontext.Value(t).IsValid() {
		return []byte(t)
	}
	return result.AppendString(nil, text)
}
