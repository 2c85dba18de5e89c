package expr

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func c(text string) plan.Expr { return plan.Expr{Op: plan.OpConst, Const: text} }
func arg(name string) plan.Expr {
	return plan.Expr{Op: plan.OpArg, Name: name}
}
func invoke(name string, in ...plan.Expr) plan.Expr {
	return plan.Expr{Op: plan.OpCall, Name: name, Args: in}
}
func op(o plan.ExprOp, in ...plan.Expr) plan.Expr { return plan.Expr{Op: o, Args: in} }
func member(of plan.Expr, name string) plan.Expr {
	return plan.Expr{Op: plan.OpGet, Name: name, Args: []plan.Expr{of}}
}

const given = `{"s":"Ab","n":0.10,"big":9007199254740993,"t":true,"null":null,"l":[1,"x",null],"o":{"k":"v","z":{"y":[5]}},"e":"e\u0301"}`

func eval(t *testing.T, e plan.Expr) (any, error) {
	t.Helper()
	f, err := Compile(e)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	a, err := args.Decode([]byte(given))
	if err != nil {
		t.Fatal(err)
	}
	v, err := f(&Env{Args: a.Values})
	want, _ := args.Decode([]byte(given))
	if !reflect.DeepEqual(a.Values, want.Values) {
		t.Errorf("%+v changed the arguments", e)
	}
	return v, err
}

func TestOperations(t *testing.T) {
	tests := []struct {
		e    plan.Expr
		want string // as JSON
	}{
		{c(`{"b": 1.0, "a":[null]}`), `{"a":[null],"b":1.0}`},
		{arg("n"), `0.10`},
		{arg("none"), `null`},
		{member(arg("o"), "k"), `"v"`},
		{member(arg("o"), "none"), `null`},
		{member(arg("none"), "x"), `null`},
		{op(plan.OpIndex, arg("l"), c(`1`)), `"x"`},
		{op(plan.OpIndex, arg("l"), c(`1.0`)), `"x"`},
		{op(plan.OpIndex, arg("l"), c(`"0"`)), `1`},
		{op(plan.OpIndex, arg("l"), c(`9`)), `null`},
		{op(plan.OpIndex, arg("l"), c(`-1`)), `null`},
		{op(plan.OpIndex, arg("o"), c(`"k"`)), `"v"`},
		{op(plan.OpIndex, arg("o"), arg("s")), `null`},
		{op(plan.OpIndex, arg("o"), arg("none")), `null`},
		{op(plan.OpIndex, arg("none"), c(`1`)), `null`},
		{op(plan.OpTemplate, c(`"a"`), arg("n"), arg("t"), arg("e"), arg("big")), `"a0.10truee` + "\u0301" + `9007199254740993"`},
		{op(plan.OpTemplate), `""`},
		{op(plan.OpCond, arg("t"), arg("s"), invoke("upper", arg("none"))), `"Ab"`},
		{op(plan.OpCond, c(`"false"`), arg("s"), c(`1`)), `1`},
		{op(plan.OpObject, c(`"k"`), arg("none"), arg("s"), c(`1`)), `{"Ab":1,"k":null}`},
		{op(plan.OpList, arg("n"), arg("none")), `[0.10,null]`},
	}
	for _, tt := range tests {
		v, err := eval(t, tt.e)
		if got := string(function.AppendJSON(nil, v)); err != nil || got != tt.want {
			t.Errorf("%+v\n got %s (%v)\nwant %s", tt.e, got, err, tt.want)
		}
	}
}

func TestOperationErrors(t *testing.T) {
	tests := []struct {
		e    plan.Expr
		want string
	}{
		{member(arg("s"), "x"), `argument "s" is text and has no member "x"`},
		{op(plan.OpIndex, arg("s"), c(`1`)), `argument "s" is text and cannot be indexed`},
		{op(plan.OpIndex, arg("l"), c(`"x"`)), `argument "l" is a list and cannot be indexed by text`},
		{op(plan.OpIndex, arg("l"), c(`0.5`)), `cannot be indexed by a number`},
		{op(plan.OpIndex, arg("o"), c(`[]`)), `cannot be indexed by a list`},
		{op(plan.OpTemplate, arg("none")), `argument "none" is needed in a text but is not given`},
		{op(plan.OpTemplate, arg("l")), `argument "l" is a list and cannot stand in a text`},
		{op(plan.OpCond, arg("none"), c(`1`), c(`2`)), `argument "none" is null, where a condition must be true or false`},
		{op(plan.OpObject, arg("none"), c(`1`)), `an object's key is null`},
		{invoke("upper", arg("none")), `argument "none" is needed by upper but is not given`},
		{invoke("upper", arg("l")), `argument "l" is a list, where upper needs text`},
		{invoke("+", arg("n"), arg("s")), `argument "s" is text, where + needs a number`},
		{invoke("&&", arg("t"), arg("s")), `&& needs true or false, not text`},
		{invoke("/", c(`1`), c(`0.0`)), `/: division by zero`},
		{invoke("%", c(`1`), c(`0`)), `%: division by zero`},
		{invoke("jsondecode", c(`"{"`)), `not JSON`},
		{invoke("base64decode", c(`"*"`)), `not base64`},
		{invoke("base64decode", c(`"/w=="`)), `not UTF-8`},
		{invoke("join", c(`","`), arg("l")), `element 2 is null`},
		{invoke("substr", arg("s"), c(`0`), c(`-2`)), `-1 (to the end) or more`},
		{invoke("tonumber", c(`"x"`)), `needs a number`},
		{invoke("tonumber", c(`"1e5000000"`)), `needs a number`},
		{invoke("tonumber", c(`" 1"`)), `needs a number`},
		{invoke("format", c(`"%d"`), c(`"x"`)), `%d needs a number, not text`},
		{invoke("format", c(`"%d"`), c(`1.5`)), `%d needs a whole number`},
		{invoke("format", c(`"%s"`)), `needs argument 1`},
		{invoke("format", c(`"%s"`), c(`1`), c(`2`)), `uses 1 arguments`},
		{invoke("format", c(`"%y"`), c(`1`)), `unknown verb`},
		{invoke("format", c(`"%9999d"`), c(`1`)), `above 1000`},
		{invoke("format", c(`"%["`), c(`1`)), `broken argument number`},
		{invoke("format", c(`"%"`), c(`1`)), `ends within a verb`},
	}
	for _, tt := range tests {
		v, err := eval(t, tt.e)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v is %v, error %v, want %q", tt.e, v, err, tt.want)
		}
	}
}

func bind(name string) plan.Expr { return plan.Expr{Op: plan.OpVar, Name: name} }

func over(o plan.ExprOp, names string, in ...plan.Expr) plan.Expr {
	return plan.Expr{Op: o, Name: names, Args: in}
}

func TestLoops(t *testing.T) {
	yes := c(`true`)
	for _, tt := range []struct {
		e    plan.Expr
		want string // as JSON, or the error
	}{
		{over(plan.OpFor, "x", arg("l"), yes, bind("x")), `[1,"x",null]`},
		{over(plan.OpFor, "i,x", arg("l"), invoke("!=", bind("x"), c(`null`)), op(plan.OpList, bind("i"), bind("x"))), `[[0,1],[1,"x"]]`},
		{over(plan.OpFor, "k,x", arg("o"), yes, bind("k")), `["k","z"]`},
		{over(plan.OpFor, "x", arg("none"), yes, bind("x")), `[]`},
		{over(plan.OpFor, "x", c(`[]`), yes, bind("x")), `[]`},
		{over(plan.OpForObject, "i,x", c(`["a","b"]`), yes, bind("i"), bind("x")), `{"a":0,"b":1}`},
		{over(plan.OpForGroups, "x", c(`[{"a":1,"b":1},{"a":2,"b":2},{"a":1,"b":3}]`), yes, member(bind("x"), "b"), member(bind("x"), "a")), `{"1":[1,3],"2":[2]}`},
		// An inner loop sees the outer one, and hides what has its name.
		{over(plan.OpFor, "x", c(`[1,2]`), yes, over(plan.OpFor, "y", c(`[3,4]`), yes, invoke("+", bind("x"), bind("y")))), `[[4,5],[5,6]]`},
		{over(plan.OpFor, "x", c(`[[1],[2]]`), yes, over(plan.OpFor, "x", bind("x"), yes, bind("x"))), `[[1],[2]]`},
		{over(plan.OpFor, "k,x", c(`["a"]`), yes, over(plan.OpFor, "y", c(`[0]`), yes, op(plan.OpList, bind("k"), bind("x"), bind("other")))), `[[[0,"a",null]]]`},

		{over(plan.OpFor, "x", arg("s"), yes, bind("x")), `argument "s" is text, where for needs a list or an object`},
		{over(plan.OpFor, "x", arg("l"), bind("x"), bind("x")), `the condition of a for expression is a number, not true or false`},
		{over(plan.OpForObject, "x", arg("l"), yes, bind("x"), c(`"a"`)), `the for expression makes the key "a" twice`},
		{over(plan.OpForObject, "x", arg("l"), yes, bind("x"), c(`null`)), `an object's key is null, not text`},
		{over(plan.OpFor, "x", arg("l"), yes, invoke("upper", op(plan.OpList))), `a value is a list, where upper needs text`},
	} {
		v, err := eval(t, tt.e)
		got := string(function.AppendJSON(nil, v))
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v\n got %s\nwant %s", tt.e, got, tt.want)
		}
	}
}

// Lists multiply each other, and small elements can share large values: the work
// of a for expression is limited, whatever a caller sends.
func TestLoopsAreBounded(t *testing.T) {
	yes := c(`true`)
	many := make([]any, 50_000)
	for i := range many {
		many[i] = json.Number("1")
	}
	env := &Env{Args: map[string]any{"many": many, "text": strings.Repeat("x", 1<<20)}}
	for name, e := range map[string]plan.Expr{
		"square": over(plan.OpFor, "x", arg("many"), yes, invoke("length", over(plan.OpFor, "y", arg("many"), yes, bind("y")))),
		"shared": over(plan.OpFor, "x", arg("many"), yes, arg("text")),
		"text":   over(plan.OpFor, "x", arg("many"), yes, invoke("length", op(plan.OpTemplate, arg("text"), arg("text")))),
		"upper":  over(plan.OpFor, "x", arg("many"), invoke("==", c(`"x"`), invoke("upper", arg("text"))), bind("x")),
	} {
		f, err := Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f(env); err == nil || !strings.Contains(err.Error(), "too much") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := Compile(over(plan.OpFor, "x", arg("many"), yes, op(plan.OpObject, c(`"a"`), bind("x"))))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f(env); err != nil || len(v.([]any)) != len(many) {
		t.Errorf("50,000 elements: %v", err)
	}
	if env.loop != nil {
		t.Error("the environment of the call was changed")
	}
}

func TestLogic(t *testing.T) {
	for _, tt := range []struct{ name, a, b, want string }{
		{"&&", `true`, `false`, `false`},
		{"&&", `true`, `true`, `true`},
		{"&&", `false`, `"nonsense"`, `false`},
		{"||", `false`, `true`, `true`},
		{"||", `true`, `null`, `true`},
		{"||", `"false"`, `false`, `false`},
	} {
		v, err := eval(t, invoke(tt.name, c(tt.a), c(tt.b)))
		if got := string(function.AppendJSON(nil, v)); err != nil || got != tt.want {
			t.Errorf("%s %s %s is %s (%v), want %s", tt.a, tt.name, tt.b, got, err, tt.want)
		}
	}
}

func TestSecret(t *testing.T) {
	f, err := Compile(op(plan.OpTemplate, c(`"Key "`), plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "k", Env: []string{"K"}}}))
	if err != nil {
		t.Fatal(err)
	}
	v, err := f(&Env{Secret: func(s plan.Secret) (string, error) { return s.Env[0] + "!", nil }})
	if v != "Key K!" || err != nil {
		t.Errorf("%v %v", v, err)
	}
	var secret *SecretError
	if _, err = f(&Env{}); !errors.As(err, &secret) || secret.Name != "k" {
		t.Errorf("error is %v", err)
	}
	cause := errors.New("no such file")
	if _, err = f(&Env{Secret: func(plan.Secret) (string, error) { return "", cause }}); !errors.As(err, &secret) || !errors.Is(err, cause) {
		t.Errorf("error is %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, e := range []plan.Expr{
		{},
		{Op: "eval"},
		c(``), c(`{`), c(`1 2`), c(`{"a":1,"a":2}`),
		invoke("system"), invoke("upper"), invoke("upper", c(`1`), c(`2`)), invoke("&&", c(`true`)), invoke("+", c(`1`)),
		{Op: plan.OpGet, Name: "x"}, op(plan.OpIndex, c(`1`)), op(plan.OpCond, c(`true`)), op(plan.OpObject, c(`"k"`)),
		op(plan.OpFor, c(`[]`), c(`true`)), op(plan.OpForObject, c(`[]`), c(`true`), c(`1`)),
		{Op: plan.OpSecret},
		op(plan.OpList, c(`{`)),
	} {
		if _, err := Compile(e); err == nil {
			t.Errorf("compiles: %+v", e)
		}
	}
}

// TestTextIsKept: what nobody computes with passes through as it came.
func TestTextIsKept(t *testing.T) {
	for _, n := range []string{"-0", "1E+2", "0.10", "1e-400", "123456789012345678901234567890.000"} {
		if v, err := eval(t, invoke("coalesce", c(`null`), c(n))); v != json.Number(n) || err != nil {
			t.Errorf("%s became %v %v", n, v, err)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	f, err := Compile(op(plan.OpTemplate, arg("q"), c(`" org:"`), invoke("lower", arg("org"))))
	if err != nil {
		b.Fatal(err)
	}
	env := &Env{Args: map[string]any{"q": "is:open", "org": "Acme"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f(env); err != nil {
			b.Fatal(err)
		}
	}
}

// A list of 20 objects, reshaped.
func BenchmarkFor(b *testing.B) {
	list := make([]any, 20)
	for i := range list {
		list[i] = map[string]any{"id": json.Number("7"), "name": "x"}
	}
	f, err := Compile(over(plan.OpFor, "x", arg("l"), invoke("!=", member(bind("x"), "id"), c(`null`)), op(plan.OpObject, c(`"n"`), member(bind("x"), "name"))))
	if err != nil {
		b.Fatal(err)
	}
	env := &Env{Args: map[string]any{"l": list}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f(env); err != nil {
			b.Fatal(err)
		}
	}
}
