// Package expr turns the expressions of a plan into closures that are run for
// every call.
//
// Values are nil, bool, string, [json.Number], []any and map[string]any.
// Meanings are HCL's where HCL has the function or operator; the differences,
// all on purpose:
//
//   - Numbers are exact. One that is not computed with keeps its text (0.10
//     stays 0.10, 1e400 stays 1e400); arithmetic is rational, and a quotient
//     without a finite decimal expansion is rounded to 34 significant digits.
//     Dividing by zero is an error, not infinity.
//   - Text is never normalised (HCL converts to NFC), and length, substr and
//     widths in format count code points, not grapheme clusters.
//   - A member or element that does not exist, also of null, is null.
//   - && and || do not look at their right side when the left side decides.
//   - coalesce is null when all of its arguments are; lookup's default may be
//     left out; contains also finds text in text; trim without a second
//     argument cuts white space; jsonencode does not escape <, > and &;
//     urlencode writes a space as %20.
package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Env is what an expression sees of one call.
type Env struct {
	Args map[string]any
	// Vars are the values of the phase by name, such as response; see [plan.Expr].
	// One that takes work to make may be a func() (any, error) that makes it.
	Vars map[string]any
	// Secret resolves a secret. Nil: every secret is missing.
	Secret func(plan.Secret) (string, error)
}

// Func evaluates a compiled expression. It is safe for concurrent use and does
// not change what is in the Env. Its errors are one sentence for the caller of
// the tool, except [SecretError].
type Func func(*Env) (any, error)

// SecretError says that a secret could not be had: the operator's matter, not
// the caller's.
type SecretError struct {
	Name string // of the secret
	Err  error
}

func (e *SecretError) Error() string { return fmt.Sprintf("secret %q: %v", e.Name, e.Err) }
func (e *SecretError) Unwrap() error { return e.Err }

// MissingError says that a value is null where one is needed: an argument that
// was not given, mostly.
type MissingError struct{ message string }

func (e *MissingError) Error() string { return e.message }

func missing(format string, args ...any) error { return &MissingError{fmt.Sprintf(format, args...)} }

// Holds evaluates a condition. One that is null, or that needs a value which is
// null, is neither true nor false: unknown is what it counts as.
func Holds(f Func, env *Env, unknown bool) (bool, error) {
	v, err := f(env)
	if _, ok := errors.AsType[*MissingError](err); ok || err == nil && v == nil {
		return unknown, nil
	}
	if err != nil {
		return false, err
	}
	b, ok := boolOf(v)
	if !ok {
		return false, fmt.Errorf("the condition is %s, not true or false", kindOf(v))
	}
	return b, nil
}

// Compile makes a closure of e. An error is a mistake in the plan.
func Compile(e plan.Expr) (Func, error) {
	switch e.Op {
	case plan.OpConst:
		v, err := args.Value([]byte(e.Const))
		if err != nil {
			return nil, fmt.Errorf("constant %.40q: %w", e.Const, err)
		}
		return func(*Env) (any, error) { return v, nil }, nil
	case plan.OpArg:
		name := e.Name
		return func(env *Env) (any, error) { return env.Args[name], nil }, nil
	case plan.OpVar:
		name := e.Name
		return func(env *Env) (any, error) {
			v := env.Vars[name]
			if f, ok := v.(func() (any, error)); ok {
				return f()
			}
			return v, nil
		}, nil
	case plan.OpSecret:
		if e.Secret == nil {
			return nil, errors.New("a secret expression names no secret")
		}
		secret := *e.Secret
		return func(env *Env) (any, error) {
			if env.Secret == nil {
				return nil, &SecretError{secret.Name, errors.New("not available here")}
			}
			s, err := env.Secret(secret)
			if err != nil {
				return nil, &SecretError{secret.Name, err}
			}
			return s, nil
		}, nil
	}
	sub := make([]Func, len(e.Args))
	for i, a := range e.Args {
		var err error
		if sub[i], err = Compile(a); err != nil {
			return nil, err
		}
	}
	if n, ok := map[plan.ExprOp]int{plan.OpGet: 1, plan.OpIndex: 2, plan.OpCond: 3}[e.Op]; ok && len(sub) != n {
		return nil, fmt.Errorf("%s takes %d operands, not %d", e.Op, n, len(sub))
	}
	switch e.Op {
	case plan.OpGet:
		return get(sub[0], e.Name, describe(e.Args[0])), nil
	case plan.OpIndex:
		return index(sub[0], sub[1], describe(e.Args[0])), nil
	case plan.OpTemplate:
		return template(sub, e.Args)
	case plan.OpCond:
		return cond(sub[0], sub[1], sub[2], describe(e.Args[0])), nil
	case plan.OpList:
		return func(env *Env) (any, error) {
			list := make([]any, len(sub))
			for i, f := range sub {
				var err error
				if list[i], err = f(env); err != nil {
					return nil, err
				}
			}
			return list, nil
		}, nil
	case plan.OpObject:
		if len(sub)%2 != 0 {
			return nil, errors.New("an object needs a value for every key")
		}
		return object(sub), nil
	case plan.OpCall:
		return call(e, sub)
	}
	return nil, fmt.Errorf("unknown operation %q", e.Op)
}

// describe names an operand in an error.
func describe(e plan.Expr) string {
	switch e.Op {
	case plan.OpArg:
		return fmt.Sprintf("argument %q", e.Name)
	case plan.OpVar:
		return e.Name
	case plan.OpGet:
		return fmt.Sprintf("member %q", e.Name)
	case plan.OpCall:
		return "the result of " + e.Name
	}
	return "a value"
}

func get(of Func, name, what string) Func {
	return func(env *Env) (any, error) {
		v, err := of(env)
		if err != nil || v == nil {
			return nil, err
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is %s and has no member %q", what, kindOf(v), name)
		}
		return m[name], nil
	}
}

func index(of, at Func, what string) Func {
	return func(env *Env) (any, error) {
		v, err := of(env)
		if err != nil || v == nil {
			return nil, err
		}
		k, err := at(env)
		if err != nil {
			return nil, err
		}
		if k == nil {
			return nil, nil
		}
		switch v := v.(type) {
		case map[string]any:
			key, ok := textOf(k)
			if !ok {
				return nil, fmt.Errorf("%s is an object and cannot be indexed by %s", what, kindOf(k))
			}
			return v[key], nil
		case []any:
			i, ok := wholeOf(k)
			if !ok {
				return nil, fmt.Errorf("%s is a list and cannot be indexed by %s", what, kindOf(k))
			}
			if i < 0 || i >= len(v) {
				return nil, nil
			}
			return v[i], nil
		}
		return nil, fmt.Errorf("%s is %s and cannot be indexed", what, kindOf(v))
	}
}

// template joins texts. A literal is written as it is and a value of XML is
// escaped on the way, so that a document costs no text for each of its values.
func template(parts []Func, exprs []plan.Expr) (Func, error) {
	escape := escapers()
	write := make([]func(b []byte, env *Env) ([]byte, error), len(parts))
	size := 0
	for i, e := range exprs {
		f, what, into, as := parts[i], describe(e), "a text", escaper(nil)
		if e.Op == plan.OpConst {
			v, err := f(nil)
			if err != nil {
				return nil, err
			}
			if s, ok := textOf(v); ok {
				size += len(s)
				write[i] = func(b []byte, _ *Env) ([]byte, error) { return append(b, s...), nil }
				continue
			}
		}
		if e.Op == plan.OpCall && escape[e.Name] != nil && len(e.Args) == 1 {
			value, err := Compile(e.Args[0])
			if err != nil {
				return nil, err
			}
			f, what, into, as = value, describe(e.Args[0]), "the XML", escape[e.Name]
		}
		size += 16
		write[i] = func(b []byte, env *Env) ([]byte, error) {
			v, err := f(env)
			if err != nil {
				return b, err
			}
			s, ok := textOf(v)
			switch {
			case v == nil:
				return b, missing("%s is needed in %s but is not given", what, into)
			case !ok:
				return b, fmt.Errorf("%s is %s and cannot stand in %s", what, kindOf(v), into)
			case as == nil:
				return append(b, s...), nil
			}
			if b, err = as(b, s); err != nil {
				return b, fmt.Errorf("%s %w", what, err)
			}
			return b, nil
		}
	}
	return func(env *Env) (any, error) {
		b := make([]byte, 0, size)
		var err error
		for _, f := range write {
			if b, err = f(b, env); err != nil {
				return nil, err
			}
		}
		return string(b), nil
	}, nil
}

func cond(test, yes, no Func, what string) Func {
	return func(env *Env) (any, error) {
		v, err := test(env)
		if err != nil {
			return nil, err
		}
		b, ok := boolOf(v)
		if !ok {
			if v == nil {
				return nil, missing("%s is null, where a condition must be true or false", what)
			}
			return nil, fmt.Errorf("%s is %s, where a condition must be true or false", what, kindOf(v))
		}
		if b {
			return yes(env)
		}
		return no(env)
	}
}

func object(sub []Func) Func {
	return func(env *Env) (any, error) {
		m := make(map[string]any, len(sub)/2)
		for i := 0; i < len(sub); i += 2 {
			k, err := sub[i](env)
			if err != nil {
				return nil, err
			}
			key, ok := textOf(k)
			if !ok {
				return nil, fmt.Errorf("an object's key is %s, not text", kindOf(k))
			}
			if m[key], err = sub[i+1](env); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
}

func call(e plan.Expr, sub []Func) (Func, error) {
	if e.Name == "&&" || e.Name == "||" {
		if len(sub) != 2 {
			return nil, fmt.Errorf("%s takes 2 operands, not %d", e.Name, len(sub))
		}
		return logic(e.Name, sub[0], sub[1]), nil
	}
	f, ok := functions()[e.Name]
	if !ok {
		return nil, fmt.Errorf("unknown function %q", e.Name)
	}
	if len(sub) < f.min || (f.max >= 0 && len(sub) > f.max) {
		return nil, fmt.Errorf("%s does not take %d arguments", e.Name, len(sub))
	}
	what := make([]string, len(e.Args))
	for i, a := range e.Args {
		what[i] = describe(a)
	}
	shown := e.Name
	if escapers()[shown] != nil {
		shown = "the XML" // nobody wrote a call
	}
	return func(env *Env) (any, error) {
		in := make([]any, len(sub))
		for i, f := range sub {
			var err error
			if in[i], err = f(env); err != nil {
				return nil, err
			}
		}
		v, err := f.call(in)
		if err == nil {
			return v, nil
		}
		var bad *operandError
		if errors.As(err, &bad) {
			if in[bad.at] == nil {
				return nil, missing("%s is needed by %s but is not given", what[bad.at], shown)
			}
			return nil, fmt.Errorf("%s is %s, where %s needs %s", what[bad.at], kindOf(in[bad.at]), shown, bad.want)
		}
		return nil, fmt.Errorf("%s: %w", shown, err)
	}, nil
}

func logic(op string, left, right Func) Func {
	decides := op == "||"
	return func(env *Env) (any, error) {
		for _, f := range []Func{left, right} {
			v, err := f(env)
			if err != nil {
				return nil, err
			}
			b, ok := boolOf(v)
			if !ok {
				if v == nil {
					return nil, missing("%s needs true or false, not null", op)
				}
				return nil, fmt.Errorf("%s needs true or false, not %s", op, kindOf(v))
			}
			if b == decides {
				return decides, nil
			}
		}
		return !decides, nil
	}
}

// operandError says that an operand of a function has the wrong type.
type operandError struct {
	at   int
	want string
}

func (e *operandError) Error() string { return fmt.Sprintf("operand %d must be %s", e.at+1, e.want) }

// Functions names every function and operator, sorted.
func Functions() []string {
	names := []string{"&&", "||"}
	for name := range functions() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "text"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("of unknown type %T", v)
}

// textOf converts as HCL does: numbers and booleans have a text, null, lists
// and objects have none.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

func boolOf(v any) (value, ok bool) {
	switch v {
	case true, "true":
		return true, true
	case false, "false":
		return false, true
	}
	return false, false
}
