package expr_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// specOf is a spec with a tool for every expression over the argument o, as it
// stands in the body of a request: six lines each, after the first.
func specOf(texts []string) string {
	var spec strings.Builder
	spec.WriteString("api \"a\" { base_url = \"https://a.example\" }\n")
	for i, text := range texts {
		fmt.Fprintf(&spec, "tool \"t%d\" {\n  input \"o\" { type = any }\n  request \"POST\" \"/\" {\n    json = [args.o, %s]\n  }\n}\n", i, text)
	}
	return spec.String()
}

// plausible leaves out expressions whose types cannot be right, which is said at
// load.
func plausible(t *testing.T, texts []string) []string {
	t.Helper()
	spec := specOf(texts)
	_, list := hclspec.Parse(t.Context(), &specs.Reader{Stdin: strings.NewReader(spec), Getenv: func(string) string { return "" }}, "-", hclspec.Options{}, nil)
	wrong := map[int]bool{}
	for _, d := range list {
		if d.Severity == diag.Error {
			wrong[(strings.Count(spec[:d.Range.Start], "\n")-1)/6] = true
		}
	}
	var out []string
	for i, text := range texts {
		if !wrong[i] {
			out = append(out, text)
		}
	}
	return out
}

// inCalls compiles expressions and gives them as the front-end lowered them and
// as the plan has them.
func inCalls(t *testing.T, texts []string) ([]*specs.Expr, []plan.Expr) {
	t.Helper()
	spec := specOf(texts)
	reader := func() *specs.Reader {
		return &specs.Reader{Stdin: strings.NewReader(spec), Getenv: func(string) string { return "" }}
	}
	doc, list := hclspec.Parse(t.Context(), reader(), "-", hclspec.Options{}, nil)
	if list.HasErrors() {
		for _, d := range list {
			text := strings.Split(spec, "\n")
			t.Errorf("%s: %s\n%s", d.Range, d.Message, text[strings.Count(spec[:d.Range.Start], "\n")])
		}
		t.FailNow()
	}
	res, err := compiler.Compile(t.Context(), compiler.Options{Target: "-", Reader: reader()})
	if err != nil || res.Diagnostics.HasErrors() {
		t.Fatal(err, res.Diagnostics)
	}
	lowered, planned := make([]*specs.Expr, len(texts)), make([]plan.Expr, len(texts))
	for i := range texts {
		lowered[i] = doc.Tools[i].Request.JSON.Args[1]
	}
	for _, tool := range res.Plan.Tools { // sorted by name
		i, err := strconv.Atoi(strings.TrimPrefix(tool.Name, "t"))
		if err != nil {
			t.Fatal(err)
		}
		planned[i] = tool.Request.Body.Value.Args[1]
	}
	return lowered, planned
}

// node is a value for the front-end's evaluator.
func node(v any) *specs.Node {
	switch v := v.(type) {
	case bool:
		return specs.NewBool(v)
	case json.Number:
		return specs.NewNumber(string(v))
	case string:
		return specs.NewString(v)
	case []any:
		n := specs.NewArray()
		for _, e := range v {
			n.Fields = append(n.Fields, specs.Field{Value: node(e), KeyStart: -1})
		}
		return n
	case map[string]any:
		n := specs.NewObject()
		for k, e := range v {
			n.Set(k, node(e))
		}
		return n
	}
	return &specs.Node{}
}

// Both evaluators, that of the front-end for what is known at load and that of
// calls, give the same value of an expression, or both an error.
func TestEvaluatorsAgree(t *testing.T) {
	given, err := args.Decode([]byte(`{"o":{"s":"Ab c","e":"","n":4,"d":0.10,"big":9007199254740993,"one":1,"t":true,"f":false,"z":null,
		"nums":[3,1,2.50],"words":["b","a","b",""],"mixed":[1,"x",null,[2],{"k":5}],"empty":[],
		"rows":[{"id":1,"tag":"x","sub":[1,2]},{"id":2,"tag":"y"},{"id":3,"tag":"x","sub":[]}],"map":{"b":1,"a":[2],"c":null}}}`))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]*specs.Node{"o": node(given.Values["o"])}
	var texts []string
	for seed := range uint64(4000) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 7))}
		texts = append(texts, g.expression(3))
	}
	texts = plausible(t, texts)
	lowered, planned := inCalls(t, texts)
	good, failed := 0, 0
	for i, text := range texts {
		want, wrong := hclspec.Evaluate(lowered[i], values)
		f, err := expr.Compile(planned[i])
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := f(&expr.Env{Args: given.Values})
		if wrong == nil && err == nil {
			good++
		}
		if (err != nil) != (wrong != nil) || err == nil && !function.Equal(got, mustValue(t, want)) {
			t.Errorf("%s\n  in a call: %s %v\n  at load:   %s %v", text, function.AppendJSON(nil, got), err, want.JSON(), wrong)
			if failed++; failed > 10 {
				t.Fatal("…")
			}
		}
	}
	if len(texts) < 2000 || good < len(texts)/3 {
		t.Errorf("only %d of %d expressions have a value", good, len(texts))
	}
}

func mustValue(t *testing.T, n *specs.Node) any {
	t.Helper()
	v, err := args.Value([]byte(n.JSON()))
	if err != nil {
		t.Fatalf("%s: %v", n.JSON(), err)
	}
	return v
}

// Every example of the reference has its value in a call, too: what it is given
// comes in the arguments.
func TestExamplesInCalls(t *testing.T) {
	text := hclspec.Reference()
	rows := regexp.MustCompile("`([a-z0-9]+\\([^`]*)` → `([^`]*)`").FindAllStringSubmatch(text[strings.Index(text, "## Functions"):], -1)
	if len(rows) < 100 {
		t.Fatalf("only %d examples", len(rows))
	}
	var calls, wants, given []string
	for _, row := range rows {
		call := strings.ReplaceAll(row[1], `\|`, "|")
		e, problems := hclsyntax.ParseExpression([]byte(call), "x", hcl.Pos{Line: 1, Column: 1})
		if problems.HasErrors() {
			t.Fatalf("%s: %s", call, problems)
		}
		outer := e
		for {
			switch x := outer.(type) {
			case *hclsyntax.RelativeTraversalExpr:
				outer = x.Source
				continue
			case *hclsyntax.IndexExpr:
				outer = x.Collection
				continue
			}
			break
		}
		f := outer.(*hclsyntax.FunctionCallExpr)
		changed, last := "", 0
		for _, a := range f.Args {
			r := a.Range()
			changed += call[last:r.Start.Byte] + fmt.Sprintf("args.o[%d]", len(given))
			given = append(given, call[r.Start.Byte:r.End.Byte])
			last = r.End.Byte
		}
		calls = append(calls, changed+call[last:])
		wants = append(wants, strings.ReplaceAll(row[2], `\|`, "|"))
	}
	constants, _ := inCalls(t, given)
	list := specs.NewArray()
	for i, x := range constants {
		if x.Op != specs.ExprConst {
			t.Fatalf("%s is not known at load", given[i])
		}
		list.Fields = append(list.Fields, specs.Field{Value: x.Value})
	}
	values, err := args.Decode([]byte(`{"o":` + list.JSON() + `}`))
	if err != nil {
		t.Fatal(err)
	}
	_, planned := inCalls(t, calls)
	for i, call := range calls {
		f, err := expr.Compile(planned[i])
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		if planned[i].Op == plan.OpConst {
			t.Errorf("%s is not evaluated in the call", call)
		}
		got, err := f(&expr.Env{Args: values.Values})
		if text := string(function.AppendJSON(nil, got)); err != nil || text != wants[i] {
			t.Errorf("%s is %s, want %s %v", rows[i][1], text, wants[i], err)
		}
	}
}

// generator writes random expressions over args.o that a call must evaluate.
type generator struct {
	*rand.Rand
	vars []string // of the for expressions around
}

func (g *generator) pick(options ...func() string) string { return options[g.IntN(len(options))]() }

func (g *generator) one(words ...string) string { return words[g.IntN(len(words))] }

func (g *generator) leaf() string {
	if len(g.vars) > 0 && g.IntN(2) == 0 {
		return g.one(g.vars...) + g.one("", "", ".id", ".tag", "[0]")
	}
	return g.one("args.o.s", "args.o.e", "args.o.n", "args.o.d", "args.o.big", "args.o.t", "args.o.f", "args.o.z", "args.o.nums", "args.o.words", "args.o.mixed", "args.o.empty",
		"args.o.rows", "args.o.map", "args.o.none", "args.o.one")
}

func (g *generator) loop(names []string, f func() string) string {
	before := g.vars
	g.vars = append(append([]string{}, before...), names...)
	defer func() { g.vars = before }()
	return f()
}

func (g *generator) expression(depth int) string {
	if depth == 0 {
		return g.leaf()
	}
	x := func() string { return g.expression(depth - 1) }
	list := func() string {
		return g.one("args.o.nums", "args.o.words", "args.o.mixed", "args.o.rows", "args.o.map", "args.o.none", x())
	}
	v := g.one("v", "w", "response")
	k := g.one("k", "i")
	return g.pick(
		g.leaf,
		func() string {
			return "[for " + v + " in " + list() + " : " + g.loop([]string{v}, x) + "]"
		},
		func() string {
			return "[for " + k + ", " + v + " in " + list() + " : [" + k + ", " + g.loop([]string{k, v}, x) + "] if " + g.loop([]string{v}, func() string { return g.condition(depth - 1) }) + "]"
		},
		func() string {
			return "{ for " + k + ", " + v + " in " + list() + " : \"${" + k + "}\" => " + g.loop([]string{v}, x) + " }"
		},
		func() string {
			return "{ for " + v + " in args.o.rows : " + v + ".tag => " + g.loop([]string{v}, x) + "... }"
		},
		func() string { return g.one("args.o.rows", "args.o.mixed", "args.o.map", "args.o.z") + "[*]" },
		func() string { return "args.o.rows[*]." + g.one("id", "sub", "none", "sub[0]") },
		func() string { return `"<%{ for ` + v + ` in args.o.words }${` + v + `}${` + x() + `}%{ endfor }>"` },
		func() string { return `"${` + x() + `}%{ if ` + g.condition(depth-1) + ` }y%{ else }n%{ endif }"` },
		func() string { return "(" + g.condition(depth-1) + " ? " + x() + " : " + x() + ")" },
		func() string {
			return "(" + x() + " " + g.one("+", "-", "*", "/", "%", "==", "!=", "<", ">=") + " " + x() + ")"
		},
		func() string { return "{ a = " + x() + ", b = " + x() + " }" + g.one("", ".a", "[\"b\"]") },
		func() string { return "[" + x() + ", " + x() + "]" + g.one("", "[0]", "[1]") },
		func() string {
			return g.one("length", "upper", "keys", "values", "flatten", "distinct", "compact", "reverse", "sort", "jsonencode", "sum", "tostring", "title", "sha256", "one", "abs", "round") + "(" + x() + ")"
		},
		func() string {
			return g.one("merge", "concat", "coalesce", "contains", "join", "split", "lookup", "element", "index", "zipmap", "setunion", "trimprefix", "min", "matches") + "(" + x() + ", " + x() + ")"
		},
	)
}

func (g *generator) condition(depth int) string {
	x := func() string { return g.expression(depth) }
	return g.pick(
		func() string { return g.one("args.o.t", "args.o.f") },
		func() string { return "(" + x() + " != null)" },
		func() string {
			return "(" + g.one("args.o.t", "args.o.f") + g.one(" && ", " || ") + x() + " == " + x() + ")"
		},
		func() string { return "!" + g.one("args.o.t", "args.o.f") },
	)
}
