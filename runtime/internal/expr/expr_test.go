package expr

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

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
		if got := string(AppendJSON(nil, v)); err != nil || got != tt.want {
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

// TestFunctions has at least one case for every name in the table.
func TestFunctions(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"upper", `["aé1"]`, `"AÉ1"`},
		{"upper", `[12]`, `"12"`},
		{"lower", `["AÉ"]`, `"aé"`},
		{"trim", `["  a b\n"]`, `"a b"`},
		{"trim", `["?!hello?!", "!?"]`, `"hello"`},
		{"replace", `["a.b.c", ".", "--"]`, `"a--b--c"`},
		{"xmltext", `["<a>&'\"\r\n\t é"]`, `"&lt;a&gt;&amp;'\"&#13;\n\t é"`},
		{"xmltext", `[1.50]`, `"1.50"`},
		{"xmlattribute", `["<a>&'\"\r\n\t é"]`, `"&lt;a&gt;&amp;&apos;&quot;&#13;&#10;&#9; é"`},
		{"xmlcdata", `["<a>&\r é"]`, `"<a>&]]>&#13;<![CDATA[ é"`},
		{"xmlcdata", `["a]]>b"]`, `"a]]]]>&gt;<![CDATA[b"`},
		{"xmlcdata", `[""]`, `"]]><![CDATA["`},
		{"xmlcdata", `[">"]`, `"]]>&gt;<![CDATA["`},
		{"xmlcdata", `["]>]"]`, `"]]]>&gt;<![CDATA[]]]><![CDATA["`},
		{"raw", `["<a/>"]`, `"<a/>"`},
		{"split", `[",", "a,b,,c"]`, `["a","b","","c"]`},
		{"split", `[",", ""]`, `[""]`},
		{"join", `["-", ["a", 1.0, true], []]`, `"a-1.0-true"`},
		{"join", `["-", ["a"], ["b"]]`, `"a-b"`},
		{"format", `["%s is %d years, %5.2f|%-5s|%05d|%q|%t|%%|%v|%v", "x", 42, 3.14159, "ab", 7, "a\"b", true, [1,{"a":null}], 1e400]`,
			`"x is 42 years,  3.14|ab   |00007|\"a\\\"b\"|true|%|[1,{\"a\":null}]|1e400"`},
		{"format", `["%[2]s %[1]s", "a", "b"]`, `"b a"`},
		{"format", `["%x %X %o %b %+d", 255, 255, 8, 5, 3]`, `"ff FF 10 101 +3"`},
		{"format", `["%d %.1f %e %g", 9007199254740993, 0.05, 1500, 0.1]`, `"9007199254740993 0.1 1.500000e+03 0.1"`},
		{"format", `["%#v", "a"]`, `"\"a\""`},
		{"substr", `["héllo", 1, 3]`, `"éll"`},
		{"substr", `["hello", -3, 2]`, `"ll"`},
		{"substr", `["hello", 1, -1]`, `"ello"`},
		{"substr", `["hello", 9, 2]`, `""`},
		{"substr", `["hello", -9, 2]`, `"he"`},
		{"substr", `["hello", 3, 99]`, `"lo"`},
		{"snakecase", `["HTTPServer2Go issues/list-all fooBar"]`, `"http_server2_go_issues_list_all_foo_bar"`},
		{"kebabcase", `["getUserByID"]`, `"get-user-by-id"`},
		{"camelcase", `["get user_by-ID"]`, `"getUserById"`},
		{"camelcase", `["__"]`, `""`},
		{"startswith", `["hello", "he"]`, `true`},
		{"endswith", `["hello", "he"]`, `false`},
		{"contains", `[["a", 1.0], 1]`, `true`},
		{"contains", `[["1"], 1]`, `false`},
		{"contains", `["hello", "ell"]`, `true`},
		{"length", `["e\u0301x"]`, `3`},
		{"length", `[[1,2]]`, `2`},
		{"length", `[{"a":1}]`, `1`},
		{"keys", `[{"b":1,"a":2}]`, `["a","b"]`},
		{"values", `[{"b":1,"a":2}]`, `[2,1]`},
		{"merge", `[{"a":1,"b":1}, null, {"b":2}]`, `{"a":1,"b":2}`},
		{"merge", `[]`, `{}`},
		{"lookup", `[{"a":1}, "a", 9]`, `1`},
		{"lookup", `[{"a":null}, "a", 9]`, `null`},
		{"lookup", `[{"a":1}, "b", 9]`, `9`},
		{"lookup", `[{"a":1}, "b"]`, `null`},
		{"concat", `[[1],[],[2,[3]]]`, `[1,2,[3]]`},
		{"base64encode", `["é?>"]`, `"w6k/Pg=="`},
		{"base64decode", `["w6k/Pg=="]`, `"é?>"`},
		{"jsonencode", `[{"b":[1.0,null,"<&>"],"a":1e400}]`, `"{\"a\":1e400,\"b\":[1.0,null,\"<&>\"]}"`},
		{"jsonencode", `[null]`, `"null"`},
		{"jsondecode", `["{\"a\": 9007199254740993}"]`, `{"a":9007199254740993}`},
		{"urlencode", `["a b&é/~"]`, `"a%20b%26%C3%A9%2F~"`},
		{"min", `[3, 1.50, 2]`, `1.50`},
		{"max", `[3, "12", 2]`, `12`},
		{"max", `[1e400, 1e401, 2]`, `1e401`},
		{"abs", `[-0.10]`, `0.10`},
		{"abs", `[5]`, `5`},
		{"ceil", `[1.2]`, `2`},
		{"ceil", `[-1.2]`, `-1`},
		{"ceil", `[9007199254740993]`, `9007199254740993`},
		{"floor", `[1.9]`, `1`},
		{"floor", `[-1.2]`, `-2`},
		{"floor", `[2.0]`, `2`},
		{"coalesce", `[null, "", 1]`, `""`},
		{"coalesce", `[null, null]`, `null`},
		{"tostring", `[0.10]`, `"0.10"`},
		{"tostring", `[true]`, `"true"`},
		{"tostring", `[null]`, `null`},
		{"tonumber", `["9007199254740993"]`, `9007199254740993`},
		{"tonumber", `[1.0]`, `1.0`},
		{"tonumber", `[null]`, `null`},
		{"==", `[1, 1.0]`, `true`},
		{"==", `[9007199254740993, 9007199254740992]`, `false`},
		{"==", `["1", 1]`, `false`},
		{"==", `[null, null]`, `true`},
		{"==", `[null, false]`, `false`},
		{"==", `[[1,{"a":2}], [1.0,{"a":2.00}]]`, `true`},
		{"==", `[true, true]`, `true`},
		{"!=", `["a", "b"]`, `true`},
		{"<", `[1, 2]`, `true`},
		{"<", `["10", 9]`, `false`},
		{"<=", `[2, 2.0]`, `true`},
		{">", `[9007199254740993, 9007199254740992]`, `true`},
		{">=", `[1, 2]`, `false`},
		{"+", `[0.1, 0.2]`, `0.3`},
		{"+", `[9223372036854775807, 1]`, `9223372036854775808`},
		{"+", `[999999999999999999, 999999999999999999]`, `1999999999999999998`},
		{"+", `["5", 1]`, `6`},
		{"-", `[1, 3]`, `-2`},
		{"-", `[1.00, 0.01]`, `0.99`},
		{"*", `[9007199254740993, 2]`, `18014398509481986`},
		{"*", `[1e20, 1e-20]`, `1`},
		{"/", `[1, 8]`, `0.125`},
		{"/", `[1, 3]`, `0.3333333333333333333333333333333333`},
		{"/", `[-200000, 3]`, `-66666.66666666666666666666666666667`},
		{"/", `[1, 3e10]`, `0.00000000003333333333333333333333333333333333`},
		{"/", `[6, 2]`, `3`},
		{"%", `[7, 3]`, `1`},
		{"%", `[-7, 3]`, `-1`},
		{"%", `[7.5, 2]`, `1.5`},
		{"neg", `[5]`, `-5`},
		{"neg", `[-0.10]`, `0.10`},
		{"neg", `[0]`, `0`},
		{"!", `[true]`, `false`},
		{"&&", `[true, false]`, `false`},
		{"&&", `[true, true]`, `true`},
		{"&&", `[false, "nonsense"]`, `false`},
		{"||", `[false, true]`, `true`},
		{"||", `[true, null]`, `true`},
		{"||", `["false", false]`, `false`},
	}
	var missing []string
	for _, name := range Functions() {
		if !slices.ContainsFunc(tests, func(tt struct{ name, in, want string }) bool { return tt.name == name }) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		t.Errorf("no test of %q", missing)
	}
	for _, tt := range tests {
		in, err := args.Value([]byte(tt.in))
		if err != nil {
			t.Fatalf("%s: %v", tt.in, err)
		}
		var operands []plan.Expr
		for _, v := range in.([]any) {
			operands = append(operands, c(string(AppendJSON(nil, v))))
		}
		v, err := eval(t, invoke(tt.name, operands...))
		if got := string(AppendJSON(nil, v)); err != nil || got != tt.want {
			t.Errorf("%s%s\n got %s (%v)\nwant %s", tt.name, tt.in, got, err, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	want := strings.Fields("! != % && * + - / < <= == > >= abs base64decode base64encode camelcase ceil coalesce concat contains endswith floor format join " +
		"jsondecode jsonencode kebabcase keys length lookup lower max merge min neg raw replace snakecase split startswith substr tonumber tostring trim upper urlencode values xmlattribute xmlcdata xmltext ||")
	if got := Functions(); !slices.Equal(got, want) {
		t.Errorf("functions are %q", got)
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
