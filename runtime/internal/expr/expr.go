// Package expr turns the expressions of a plan into closures that are run for
// every call.
//
// Values and functions are those of package function. Beside them HCL's meaning
// holds, but for two things, on purpose: a member or element that does not
// exist, also of null, is null; and && and || do not look at their right side
// when the left side decides.
package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/function"
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

	loop *loop // the innermost for expression being evaluated
}

// loop is one running for expression. A new Env holds it, so that the Env of
// the call is never written to.
type loop struct {
	around     *loop
	key, value any
	left       *int // of the work that all loops of one expression may do
}

// maxWork is how much a for expression may do with everything in it, in units
// of [function.Weight] and elements: enough for 100,000 small objects.
const maxWork = 1 << 20

var errWork = errors.New("the expression makes too much of these values")

// spend counts work inside of loops.
func (env *Env) spend(n int) error {
	if env.loop == nil {
		return nil
	}
	if *env.loop.left -= n; *env.loop.left < 0 {
		return errWork
	}
	return nil
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
	b, ok := function.Truth(v)
	if !ok {
		return false, fmt.Errorf("the condition is %s, not true or false", function.Kind(v))
	}
	return b, nil
}

// Compile makes a closure of e. An error is a mistake in the plan.
func Compile(e plan.Expr) (Func, error) { return compile(e, nil) }

// bound are the names of the for expressions around, the innermost last.
type bound []names

type names struct{ key, value string }

func compile(e plan.Expr, in bound) (Func, error) {
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
		for up := range len(in) {
			of := in[len(in)-1-up]
			if name == of.value || name == of.key {
				return loopVar(up, name == of.key), nil
			}
		}
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
		scope := in
		if i > 0 && e.Op.Loops() {
			key, value, both := strings.Cut(e.Name, ",")
			if !both {
				key, value = "", key
			}
			scope = append(slices.Clone(in), names{key, value})
		}
		if sub[i], err = compile(a, scope); err != nil {
			return nil, err
		}
	}
	if n, ok := map[plan.ExprOp]int{plan.OpGet: 1, plan.OpIndex: 2, plan.OpCond: 3}[e.Op]; ok && len(sub) != n {
		return nil, fmt.Errorf("%s takes %d operands, not %d", e.Op, n, len(sub))
	}
	switch e.Op {
	case plan.OpFor:
		if len(sub) != 3 {
			return nil, fmt.Errorf("%s takes 3 operands, not %d", e.Op, len(sub))
		}
		return listFor(sub[0], sub[1], sub[2], describe(e.Args[0])), nil
	case plan.OpForObject, plan.OpForGroups:
		if len(sub) != 4 {
			return nil, fmt.Errorf("%s takes 4 operands, not %d", e.Op, len(sub))
		}
		return objectFor(sub[0], sub[1], sub[2], sub[3], e.Op == plan.OpForGroups, describe(e.Args[0])), nil
	case plan.OpGet:
		return get(sub[0], e.Name, describe(e.Args[0])), nil
	case plan.OpIndex:
		return index(sub[0], sub[1], describe(e.Args[0])), nil
	case plan.OpTemplate:
		return template(sub, e.Args, in)
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
		// The compiler marks names that are used twice, and its own.
		if name := strings.TrimRight(e.Name, "'"); name != "*" {
			return name
		}
		return "an element"
	case plan.OpFor, plan.OpForObject, plan.OpForGroups:
		return "the result of for"
	case plan.OpGet:
		return fmt.Sprintf("member %q", e.Name)
	case plan.OpCall:
		if e.Name == "[*]" {
			return describe(e.Args[0])
		}
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
			return nil, fmt.Errorf("%s is %s and has no member %q", what, function.Kind(v), name)
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
			key, ok := function.Text(k)
			if !ok {
				return nil, fmt.Errorf("%s is an object and cannot be indexed by %s", what, function.Kind(k))
			}
			return v[key], nil
		case []any:
			i, ok := function.Whole(k)
			if !ok {
				return nil, fmt.Errorf("%s is a list and cannot be indexed by %s", what, function.Kind(k))
			}
			if i < 0 || i >= len(v) {
				return nil, nil
			}
			return v[i], nil
		}
		return nil, fmt.Errorf("%s is %s and cannot be indexed", what, function.Kind(v))
	}
}

// template joins texts. A literal is written as it is and a value of XML is
// escaped on the way, so that a document costs no text for each of its values.
func template(parts []Func, exprs []plan.Expr, in bound) (Func, error) {
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
			if s, ok := function.Text(v); ok {
				size += len(s)
				write[i] = func(b []byte, _ *Env) ([]byte, error) { return append(b, s...), nil }
				continue
			}
		}
		if e.Op == plan.OpCall && escape[e.Name] != nil && len(e.Args) == 1 {
			value, err := compile(e.Args[0], in)
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
			s, ok := function.Text(v)
			switch {
			case v == nil:
				return b, missing("%s is needed in %s but is not given", what, into)
			case !ok:
				return b, fmt.Errorf("%s is %s and cannot stand in %s", what, function.Kind(v), into)
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
			if len(b) > function.MaxText {
				return nil, errWork
			}
		}
		return string(b), env.spend(1 + len(b)/64)
	}, nil
}

func loopVar(up int, key bool) Func {
	return func(env *Env) (any, error) {
		l := env.loop
		for range up {
			l = l.around
		}
		if key {
			return l.key, nil
		}
		return l.value, nil
	}
}

// each calls visit for every element of a list or member of an object, those in
// the order of their keys. Null has none.
func each(env *Env, of Func, what string, visit func(env *Env) error) error {
	v, err := of(env)
	if err != nil || v == nil {
		return err
	}
	left := maxWork
	inner := *env
	inner.loop = &loop{around: env.loop, left: &left}
	if env.loop != nil {
		inner.loop.left = env.loop.left
	}
	one := func(key, value any) error {
		if err := inner.spend(1); err != nil {
			return err
		}
		inner.loop.key, inner.loop.value = key, value
		return visit(&inner)
	}
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if err := one(json.Number(strconv.Itoa(i)), e); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := one(k, v[k]); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s is %s, where for needs a list or an object", what, function.Kind(v))
}

// holds is a condition of a for expression.
func holds(env *Env, test Func) (bool, error) {
	v, err := test(env)
	if err != nil {
		return false, err
	}
	b, ok := function.Truth(v)
	if !ok {
		return false, fmt.Errorf("the condition of a for expression is %s, not true or false", function.Kind(v))
	}
	return b, nil
}

// made is the value of one round, counted as what it will be when it is
// written: small values can share large ones.
func made(env *Env, f Func) (any, error) {
	v, err := f(env)
	if err != nil {
		return nil, err
	}
	return v, env.spend(function.Weight(v, *env.loop.left))
}

func listFor(of, test, value Func, what string) Func {
	return func(env *Env) (any, error) {
		out := []any{}
		err := each(env, of, what, func(env *Env) error {
			if ok, err := holds(env, test); err != nil || !ok {
				return err
			}
			v, err := made(env, value)
			out = append(out, v)
			return err
		})
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

func objectFor(of, test, value, key Func, group bool, what string) Func {
	return func(env *Env) (any, error) {
		out := map[string]any{}
		err := each(env, of, what, func(env *Env) error {
			if ok, err := holds(env, test); err != nil || !ok {
				return err
			}
			k, err := key(env)
			if err != nil {
				return err
			}
			name, ok := function.Text(k)
			if !ok {
				return fmt.Errorf("an object's key is %s, not text", function.Kind(k))
			}
			v, err := made(env, value)
			if err != nil {
				return err
			}
			before, twice := out[name]
			switch {
			case group:
				list, _ := before.([]any)
				out[name] = append(list, v)
			case twice:
				return function.Quoting("the for expression makes the key %.60q twice", name)
			default:
				out[name] = v
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

func cond(test, yes, no Func, what string) Func {
	return func(env *Env) (any, error) {
		v, err := test(env)
		if err != nil {
			return nil, err
		}
		b, ok := function.Truth(v)
		if !ok {
			if v == nil {
				return nil, missing("%s is null, where a condition must be true or false", what)
			}
			return nil, fmt.Errorf("%s is %s, where a condition must be true or false", what, function.Kind(v))
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
			key, ok := function.Text(k)
			if !ok {
				return nil, fmt.Errorf("an object's key is %s, not text", function.Kind(k))
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
	f, ok := function.Lookup(e.Name)
	if as := escapers()[e.Name]; as != nil {
		f, ok = function.Func{Min: 1, Max: 1, Call: escapeFunction(as)}, true
	}
	if !ok {
		return nil, fmt.Errorf("unknown function %q", e.Name)
	}
	if len(sub) < f.Min || (f.Max >= 0 && len(sub) > f.Max) {
		return nil, fmt.Errorf("%s does not take %d arguments", e.Name, len(sub))
	}
	what := make([]string, len(e.Args))
	for i, a := range e.Args {
		what[i] = describe(a)
	}
	if e.Name == "==" || e.Name == "!=" { // most conditions: without a list of the operands
		return equal(sub[0], sub[1], e.Name == "=="), nil
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
		v, err := f.Call(in)
		if err == nil {
			if s, ok := v.(string); ok && env.loop != nil {
				return v, env.spend(1 + len(s)/64)
			}
			return v, env.spend(1)
		}
		if bad, ok := errors.AsType[*function.OperandError](err); ok {
			if in[bad.At] == nil {
				return nil, missing("%s is needed by %s but is not given", what[bad.At], shown)
			}
			return nil, fmt.Errorf("%s is %s, where %s needs %s", what[bad.At], function.Kind(in[bad.At]), shown, bad.Want)
		}
		return nil, fmt.Errorf("%s: %w", shown, err)
	}, nil
}

func equal(left, right Func, same bool) Func {
	return func(env *Env) (any, error) {
		a, err := left(env)
		if err != nil {
			return nil, err
		}
		b, err := right(env)
		if err != nil {
			return nil, err
		}
		return function.Equal(a, b) == same, env.spend(1)
	}
}

func logic(op string, left, right Func) Func {
	decides := op == "||"
	return func(env *Env) (any, error) {
		for _, f := range []Func{left, right} {
			v, err := f(env)
			if err != nil {
				return nil, err
			}
			b, ok := function.Truth(v)
			if !ok {
				if v == nil {
					return nil, missing("%s needs true or false, not null", op)
				}
				return nil, fmt.Errorf("%s needs true or false, not %s", op, function.Kind(v))
			}
			if b == decides {
				return decides, nil
			}
		}
		return !decides, nil
	}
}
