package runtime

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	gort "runtime"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/typed"
)

// Call is one call of a tool, as handlers and middleware see it.
type Call struct {
	Tool string
	// Principal is on whose behalf the call is made. Middleware that found out
	// may replace it; native code gets it from [PrincipalOf].
	Principal Principal
	// Arguments are a JSON object that fits the tool's input schema, in the
	// client's own bytes. Middleware may replace it; what it puts here is checked
	// before it is used.
	Arguments []byte

	tool   *tool
	args   args.Args
	from   []byte // what args were decoded from, when there is middleware
	answer *upstream.Answer
	// repaired says that args are not quite what Arguments say; see arguments.
	repaired bool
	native   bool
	// run is how the call is carried out, and how those of its steps are. of is
	// the composite tool that the call is a step of; agreed says that a person has
	// agreed to all its steps.
	run    func(context.Context, *Call) *Result
	of     string
	agreed bool
	kind   observe.Kind // of what is called
	seen   seen
	counts bool      // a client made it: rate limits count it
	judged Principal // for whom the policy was asked
	scope  *expr.Env // what policies and limits know of it; nil: not made yet
}

// Handler answers calls of a tool. An error that is a [*ToolError] is shown to
// the model; any other is logged under a correlation id, which is all the model
// is told.
type Handler func(ctx context.Context, c *Call) (*Result, error)

// Middleware puts something around a Handler: around every call, native or
// bridged.
type Middleware func(next Handler) Handler

// Retry says whether the same call, made again, may succeed.
type Retry = result.Retry

// Whether to call again.
const (
	RetryNo    = result.RetryNo    // the same call fails the same way
	RetryMay   = result.RetryMay   // nothing was changed by the failed call, or once more changes nothing
	RetryCheck = result.RetryCheck // the call may have been carried out; look first
)

// Text returns a result of one text, for native code whose output has no type.
func Text(text string) *Result { return result.Text(text) }

// ToolError is a failure that the model is told: what a bridged call failed
// with, or what native code made with [NewToolError].
type ToolError struct{ Result *Result }

// NewToolError returns an error for the model. code is a stable word, such as
// "no-stock"; message says what failed; next says what to do, "" when there is
// nothing to be done. None of them may hold a secret.
func NewToolError(code, message, next string, retry Retry) *ToolError {
	return &ToolError{result.Error(code, message, next, retry)}
}

func (e *ToolError) Error() string {
	if e.Result == nil || len(e.Result.Content) == 0 {
		return "the tool failed"
	}
	return e.Result.Content[0].Text
}

// handled takes a call through the middleware to its handler.
func (s *Server) handled(ctx context.Context, k *Call) *Result {
	b := s.bridge
	if res := b.checkText(ctx, k); res != nil {
		return res
	}
	ctx = WithPrincipal(ctx, k.Principal)
	handle := s.handle
	if handle == nil {
		handle = s.answer
	}
	res, err := handle(ctx, k)
	if err != nil {
		return b.failed(ctx, k.tool, err)
	}
	if res == nil {
		return b.failure(ctx, k.tool, "handler", errors.New("a handler returned neither a result nor an error"))
	}
	return res
}

// answer is the innermost handler: native code, or the bridge.
func (s *Server) answer(ctx context.Context, k *Call) (*Result, error) {
	b := s.bridge
	if t := b.tools[k.Tool]; t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, k.Tool)
	} else if t != k.tool || !same(k.from, k.Arguments) || k.judged != k.Principal {
		// Middleware sent the call elsewhere, or changed what it says or for whom.
		k.tool = t
		if res := b.checkText(ctx, k); res != nil {
			return res, nil
		}
	}
	if res := b.confirmed(ctx, k); res != nil {
		return res, nil
	}
	done, res := b.admit(ctx, k)
	if res != nil {
		return res, nil
	}
	defer func() { done(sizeOf(res)) }()
	h := s.native[k.Tool]
	if h == nil {
		res = b.send(ctx, k)
		return res, nil
	}
	k.native = true
	if PrincipalOf(ctx) != k.Principal {
		ctx = WithPrincipal(ctx, k.Principal)
	}
	var err error
	res, err = h(ctx, k)
	if err == nil && res != nil && !res.IsError {
		b.observe(ctx, k.tool, res)
	}
	return res, err
}

// checkText is check for calls whose text is read by others.
func (b *Bridge) checkText(ctx context.Context, k *Call) *Result {
	if res := b.check(ctx, k); res != nil {
		return res
	}
	if k.repaired {
		k.Arguments = k.args.JSON()
	}
	k.from = k.Arguments
	return nil
}

// same reports whether two texts are one, not whether they are alike.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// failed is the result of a handler that failed.
func (b *Bridge) failed(ctx context.Context, t *tool, err error) *Result {
	if e, ok := errors.AsType[*ToolError](err); ok && e.Result != nil {
		return e.Result
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return result.Error("canceled", "The call was canceled by its caller.", "", RetryCheck)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return result.Error("timeout", "The tool took too long.", "Ask for less at once if the arguments allow it. If it stays so, tell the operator of this server.", RetryCheck)
	}
	return b.failure(ctx, t, "handler", err)
}

// principalKey is where a context holds the principal of a call. Only native
// code gets it that way; in this package a principal is a parameter.
type principalKey struct{}

// WithPrincipal returns a context for calls on behalf of p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns on whose behalf the native code runs that was given ctx.
func PrincipalOf(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// Native makes a handler of a typed function.
func Native[In, Out any](f func(context.Context, *In) (*Out, error)) Handler {
	return func(ctx context.Context, c *Call) (*Result, error) {
		in := new(In)
		if res := c.into(in); res != nil {
			return res, nil
		}
		out, err := f(ctx, in)
		if err != nil {
			return nil, err
		}
		if out == nil {
			return nil, errors.New("a native tool returned neither a value nor an error")
		}
		return c.resultOf(out)
	}
}

// NativeResult makes a handler of a function with typed input, for tools whose
// output has no type.
func NativeResult[In any](f func(context.Context, *In) (*Result, error)) Handler {
	return func(ctx context.Context, c *Call) (*Result, error) {
		in := new(In)
		if res := c.into(in); res != nil {
			return res, nil
		}
		return f(ctx, in)
	}
}

// into decodes the arguments. A result says why that cannot be.
func (k *Call) into(in any) *Result {
	if len(k.Arguments) == 0 {
		return nil
	}
	if err := typed.Unmarshal(k.Arguments, in); err != nil {
		return badArguments("The arguments are not valid: " + err.Error() + ".")
	}
	return nil
}

// resultOf is the result of a typed answer, in the form a bridged call gives it.
func (k *Call) resultOf(out any) (*Result, error) {
	b, err := typed.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	text := b
	if k.tool.plan.Response.Wrap {
		var wrapped struct {
			Result jsontext.Value `json:"result"`
		}
		if typed.Unmarshal(b, &wrapped) == nil && wrapped.Result != nil {
			text = wrapped.Result
		}
	}
	res := result.Text(string(text))
	res.Structured = b
	return res, nil
}

// Bridged calls a tool from typed code as the plan says, on behalf of the
// principal of ctx. An error is a [*ToolError] when the model can be told, as it
// stands, why the call failed.
func Bridged[In, Out any](ctx context.Context, b *Bridge, tool string, in *In) (*Out, error) {
	res, err := BridgedResult(ctx, b, tool, in)
	if err != nil {
		return nil, err
	}
	out := new(Out)
	if res.Structured == nil {
		return nil, fmt.Errorf("tool %s: the answer is not JSON", tool)
	}
	if err := typed.Unmarshal(res.Structured, out); err != nil {
		return nil, fmt.Errorf("tool %s: the answer does not fit its schema: %w", tool, err)
	}
	return out, nil
}

// BridgedResult is [Bridged] for tools whose output has no type.
func BridgedResult[In any](ctx context.Context, b *Bridge, tool string, in *In) (*Result, error) {
	if b == nil {
		return nil, errors.New("the Bridge was not made by NewBridge")
	}
	if in == nil {
		in = new(In)
	}
	arguments, err := typed.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("tool %s: encode the arguments: %w", tool, err)
	}
	res, err := b.Call(ctx, PrincipalOf(ctx), tool, arguments)
	if err != nil {
		return nil, err
	}
	if res.IsError {
		return nil, &ToolError{res}
	}
	return res, nil
}

// Door is where a tool can be entered from Go: the method of the generated Tools
// interface that stands for it.
type Door struct {
	Tool    string
	Method  string
	Handler Handler // of the method
}

// Serve returns a server for tools, a value of a generated Tools interface.
// base is the type of the generated Bridge: methods that tools takes over from
// it are bridged with the client's own bytes, all others are native.
func (b *Bridge) Serve(tools any, base reflect.Type, doors func() []Door) (*Server, error) {
	if b == nil {
		return nil, errors.New("the Bridge was not made by NewBridge")
	}
	var native map[string]Handler
	if t := reflect.TypeOf(tools); t != base {
		native = map[string]Handler{}
		for _, d := range doors() {
			if !inherits(t, base, d.Method) {
				native[d.Tool] = d.Handler
			}
		}
	}
	return b.Server(native)
}

// NativeTools returns the names of the tools that native code answers, in the
// order of the plan.
func (s *Server) NativeTools() []string {
	var names []string
	for i := range s.bridge.plan.Tools {
		if name := s.bridge.plan.Tools[i].Name; s.native[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// inherits reports whether a method of t is the one of base, promoted through
// embedded fields. Reflection lists promoted methods like any others, but the
// compiler writes their code, and says so: their file is "<autogenerated>". In
// doubt the answer is no: a bridged method that is taken for a native one does
// the same, by way of its Go types.
func inherits(t, base reflect.Type, method string) bool {
	owner, _ := declarer(t, base, method, maxEmbedded)
	return owner == base
}

// maxEmbedded is how deep embedded types are looked into: one may embed a
// pointer to itself.
const maxEmbedded = 16

// declarer is the type whose method t's is: t itself, or the one embedded least
// deep that declares it. Go allows no second of the same depth.
func declarer(t, base reflect.Type, method string, levels int) (owner reflect.Type, depth int) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == base || t.Kind() != reflect.Struct || levels == 0 || declares(t, method) || declares(reflect.PointerTo(t), method) {
		return t, 0
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous {
			continue
		}
		ft := f.Type
		if ft.Kind() != reflect.Pointer && ft.Kind() != reflect.Interface {
			ft = reflect.PointerTo(ft)
		}
		if _, ok := ft.MethodByName(method); !ok {
			continue
		}
		if o, d := declarer(ft, base, method, levels-1); owner == nil || d+1 < depth {
			owner, depth = o, d+1
		}
	}
	return owner, depth
}

// declares reports whether the code of a method of t was written by a person.
func declares(t reflect.Type, method string) bool {
	m, ok := t.MethodByName(method)
	if !ok {
		return false
	}
	pc := m.Func.Pointer()
	f := gort.FuncForPC(pc)
	if f == nil {
		return true
	}
	file, _ := f.FileLine(f.Entry())
	return file != "<autogenerated>"
}
