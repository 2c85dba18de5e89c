package hclspec

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyfunction "github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// HCL's own evaluation is the judge of ours for everything both can do: random
// expressions give the same value, or an error, in both. The generator keeps
// away from where we differ on purpose: a number keeps its digits in a text
// (1e3 stays 1e3), division by zero is an error, a date alone is a point in time; and from quirks: in cty substr
// with a negative offset and length 0 is all the rest, lists of one type are made
// of mixed ones, strrev keeps letters and their accents together, and a mistake on the left
// of && and || is forgiven when the right side decides.
func TestAgainstCty(t *testing.T) {
	ctx := &hcl.EvalContext{Functions: map[string]ctyfunction.Function{
		"upper": stdlib.UpperFunc, "lower": stdlib.LowerFunc, "replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc, "join": stdlib.JoinFunc,
		"format": stdlib.FormatFunc, "substr": stdlib.SubstrFunc, "keys": stdlib.KeysFunc, "values": stdlib.ValuesFunc, "merge": stdlib.MergeFunc,
		"concat": stdlib.ConcatFunc, "min": stdlib.MinFunc, "max": stdlib.MaxFunc, "abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc,
		"jsonencode": stdlib.JSONEncodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "csvdecode": stdlib.CSVDecodeFunc,
		"title": stdlib.TitleFunc, "trimspace": stdlib.TrimSpaceFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "chomp": stdlib.ChompFunc,
		"indent": stdlib.IndentFunc, "strrev": stdlib.ReverseFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "regexreplace": stdlib.RegexReplaceFunc,
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc, "element": stdlib.ElementFunc, "slice": stdlib.SliceFunc, "reverse": stdlib.ReverseListFunc,
		"sort": stdlib.SortFunc, "distinct": stdlib.DistinctFunc, "flatten": stdlib.FlattenFunc, "compact": stdlib.CompactFunc, "chunklist": stdlib.ChunklistFunc,
		"range": stdlib.RangeFunc, "zipmap": stdlib.ZipmapFunc, "setproduct": stdlib.SetProductFunc, "coalescelist": stdlib.CoalesceListFunc,
		"signum": stdlib.SignumFunc, "parseint": stdlib.ParseIntFunc, "log": stdlib.LogFunc,
	}}
	failed := 0
	for seed := range uint64(6000) {
		g := &generator{rand.New(rand.NewPCG(seed, 1))}
		text := g.any(4)
		e, problems := hclsyntax.ParseExpression([]byte(text), "0", hcl.Pos{Line: 1, Column: 1})
		if problems.HasErrors() {
			t.Fatalf("%s: %s", text, problems)
		}
		want, problems := e.Value(ctx)

		p := newTestParser(t)
		p.addUnit(unit{source: &diag.Source{Name: "x", Text: []byte(text)}, text: []byte(text)})
		got := p.known(p.lower(e, &scope{phase: staticPhase, what: "x"}), "x")
		switch {
		case problems.HasErrors() != (got == nil):
			t.Errorf("%s\n  HCL says %v, we %v %s", text, problems, got.JSON(), show(p.diags))
		case got != nil && !same(got, want):
			t.Errorf("%s\n  got %s, want %#v", text, got.JSON(), want)
		default:
			continue
		}
		if failed++; failed > 10 {
			t.Fatal("…")
		}
	}
}

// same compares with HCL's value. Its numbers are binary with 512 bits.
func same(n *specs.Node, v cty.Value) bool {
	if v.IsNull() {
		return n.Kind == specs.Null
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		return n.Kind == specs.String && n.Text == v.AsString()
	case ty == cty.Bool:
		return n.Kind == specs.Bool && n.IsTrue() == v.True()
	case ty == cty.Number:
		if n.Kind != specs.Number {
			return false
		}
		ours, ok := new(big.Rat).SetString(n.Text)
		theirs, _ := v.AsBigFloat().Rat(nil)
		if !ok || theirs == nil {
			return false
		}
		off := new(big.Rat).Sub(ours, theirs)
		off.Abs(off)
		scale := new(big.Rat).Abs(theirs)
		scale.Add(scale, big.NewRat(1, 1))
		return off.Quo(off, scale).Cmp(new(big.Rat).SetFrac(big.NewInt(1), pow10(30))) < 0
	case ty.IsTupleType() || ty.IsListType():
		if n.Kind != specs.Array || len(n.Fields) != v.LengthInt() {
			return false
		}
		for i, e := range v.AsValueSlice() {
			if !same(n.Fields[i].Value, e) {
				return false
			}
		}
		return true
	case ty.IsObjectType() || ty.IsMapType():
		m := v.AsValueMap()
		if n.Kind != specs.Object || len(n.Fields) != len(m) {
			return false
		}
		for k, e := range m {
			if f := n.Get(k); f == nil || !same(f, e) {
				return false
			}
		}
		return true
	}
	return false
}

// generator writes random expressions of a known type.
type generator struct{ *rand.Rand }

func (g *generator) pick(options ...func() string) string { return options[g.IntN(len(options))]() }

func (g *generator) any(depth int) string {
	return g.pick(func() string { return g.number(depth) }, func() string { return g.text(depth) }, func() string { return g.bool(depth) },
		func() string { return g.list(depth) }, func() string { return g.object(depth) })
}

func (g *generator) number(depth int) string {
	literals := []string{"0", "1", "2", "7", "10", "0.5", "1.25", "99.99", "12345678901234567890"}
	if depth == 0 {
		return literals[g.IntN(len(literals))]
	}
	n := func() string { return g.number(depth - 1) }
	return g.pick(
		func() string { return g.number(0) },
		func() string {
			return "(" + n() + " " + []string{"+", "-", "*"}[g.IntN(3)] + " " + n() + ")"
		},
		func() string { return "(" + n() + " " + []string{"/", "%"}[g.IntN(2)] + " 2.5)" },
		func() string { return "-" + g.number(0) },
		func() string { return "(" + g.bool(depth-1) + " ? " + n() + " : " + n() + ")" },
		func() string { return fmt.Sprintf("[%s, %s][%d]", n(), n(), g.IntN(3)) },
		func() string { return "{ a = " + n() + ", b = " + n() + " }." + []string{"a", "b", "c"}[g.IntN(3)] },
		func() string {
			return []string{"min", "max"}[g.IntN(2)] + "(" + n() + ", " + n() + ", " + n() + ")"
		},
		func() string { return []string{"abs", "ceil", "floor"}[g.IntN(3)] + "(" + n() + ")" },
		func() string { return "signum(" + n() + ")" },
		func() string {
			return g.one(`parseint("FF", 16)`, `parseint("-101", 2)`, `parseint("zz", 36)`, `parseint("9", 8)`, `log(16, 2)`)
		},
		func() string { return "element([" + n() + ", " + n() + ", 3], " + fmt.Sprint(g.IntN(9)) + ")" },
		func() string { return "(\"" + g.number(0) + "\" + " + n() + ")" },
	)
}

func (g *generator) text(depth int) string {
	literals := []string{`""`, `"a"`, `"Abc def"`, `"é ß"`, `"x-y_z"`, `"a\n\"b\"\\"`, `"$${x}"`, `"12"`}
	if depth == 0 {
		return literals[g.IntN(len(literals))]
	}
	s := func() string { return g.text(depth - 1) }
	return g.pick(
		func() string { return g.text(0) },
		func() string { return `"<${` + s() + `}|${` + g.number(0) + `}|${` + g.bool(0) + `}>"` },
		func() string {
			return `"%{ if ` + g.bool(depth-1) + ` }y ${` + s() + `}%{ else }n%{ endif }"`
		},
		func() string { return `"%{ for x in ` + g.list(depth-1) + ` }x%{ endfor }"` },
		func() string { return `"a  ${~ ` + s() + ` ~}  b"` },
		func() string { return "(" + g.bool(depth-1) + " ? " + s() + " : " + s() + ")" },
		func() string { return []string{"upper", "lower"}[g.IntN(2)] + "(" + s() + ")" },
		func() string { return "replace(" + s() + `, "a", ` + s() + ")" },
		func() string { return `join("-", split(" ", ` + s() + `))` },
		func() string {
			return fmt.Sprintf("substr(%s, %d, %d)", g.text(0), g.IntN(9)-3, []int{-1, 1, 2, 4}[g.IntN(4)])
		},
		func() string {
			return `format("%s|%5s|%-5s|%05d|%d|%v|%.2f|%8.3f|%q|%%", ` + strings.Join([]string{s(), g.text(0), g.text(0), g.whole(), g.whole(), g.plain(), g.plain(), g.plain(), `"q"`}, ", ") + ")"
		},
		func() string {
			return g.one("title", "trimspace", "chomp", "strrev") + "(" + g.one(s(), `" a b\n"`, `"o'neil x_y 2nd\n\n"`) + ")"
		},
		func() string { return g.one("trimprefix", "trimsuffix") + "(" + s() + ", " + g.text(0) + ")" },
		func() string { return "indent(" + fmt.Sprint(g.IntN(4)) + `, "a\n${` + s() + `}\nb")` },
		func() string {
			return `regexreplace(` + s() + `, ` + g.one(`"[a-z]+"`, `"(a)|(.)"`, `"^"`) + `, ` + g.one(`"<$1>"`, `"$0$0"`, `"x"`) + ")"
		},
		func() string { return "regex(" + g.one(`"[a-zA-Z]+"`, `"^.*$"`, `"[0-9]"`) + ", " + s() + ")" },
		func() string {
			return "formatdate(" + g.one(`"DD.MM.YYYY hh:mm:ss"`, `"D MMM YY, HH AA, h m s"`, `"EEEE EEE MMMM M 'at' hh''mm ZZZZ"`, `"YYYY-MM-DD'T'hh:mm:ssZ ZZZ ZZZZZ H aa"`, `"QQ"`) + ", " + g.time() + ")"
		},
		func() string {
			return "timeadd(" + g.time() + ", " + g.one(`"10m"`, `"-36h"`, `"1h30m5s"`, `"x"`) + ")"
		},
		func() string { return `join("+", sort(split(" ", ` + s() + `)))` },
		func() string { return "jsonencode([" + g.bool(0) + ", null, " + g.whole() + ", { b = 1, a = 2 }])" },
	)
}

func (g *generator) one(words ...string) string { return words[g.IntN(len(words))] }

func (g *generator) time() string {
	return g.one(`"2026-03-01T12:04:05Z"`, `"1999-12-31T23:59:59+05:30"`, `"2024-02-29T00:00:00-08:00"`, `"2026-03-1"`)
}

// words is a list of texts, for functions that make all elements of one type.
func (g *generator) words() string {
	return g.one(`["a", "b", "a"]`, `["x"]`, `["b", "", "a", "B"]`, `split(" ", `+g.text(1)+`)`)
}

// plain is a number that HCL's %v writes without an exponent.
func (g *generator) plain() string { return []string{"0", "-1", "2.5", "99.99"}[g.IntN(4)] }

func (g *generator) whole() string { return fmt.Sprint(g.IntN(2000) - 1000) }

func (g *generator) bool(depth int) string {
	if depth == 0 {
		return []string{"true", "false"}[g.IntN(2)]
	}
	return g.pick(
		func() string { return g.bool(0) },
		func() string {
			return "(" + g.number(depth-1) + " " + []string{"<", "<=", ">", ">=", "==", "!="}[g.IntN(6)] + " " + g.number(depth-1) + ")"
		},
		func() string { return "(" + g.text(depth-1) + " == " + g.text(depth-1) + ")" },
		func() string { return "(" + g.list(depth-1) + " != " + g.list(depth-1) + ")" },
		func() string { return "(" + g.bool(0) + []string{" && ", " || "}[g.IntN(2)] + g.bool(depth-1) + ")" },
		func() string { return "!" + g.bool(0) },
	)
}

func (g *generator) list(depth int) string {
	if depth == 0 {
		return []string{"[]", "[1, 2]", `["a", "b", "c"]`, "[true]"}[g.IntN(4)]
	}
	return g.pick(
		func() string { return g.list(0) },
		func() string { return "[" + g.any(depth-1) + ", " + g.any(depth-1) + "]" },
		func() string { return "[for i, x in " + g.list(depth-1) + " : i]" },
		func() string { return "[for x in " + g.list(depth-1) + " : [x, x]]" },
		func() string { return "[for x in [1, 2, 3, 4] : x * x if x > " + g.number(0) + "]" },
		func() string { return "[{ a = 1 }, { a = " + g.any(depth-1) + " }][*].a" },
		func() string { return "concat(" + g.list(depth-1) + ", " + g.list(depth-1) + ")" },
		func() string { return g.one("reverse", "distinct", "compact", "sort") + "(" + g.words() + ")" },
		func() string { return "flatten([" + g.words() + ", [1, [true]], " + g.words() + "])" },
		func() string { return fmt.Sprintf("chunklist(%s, %d)", g.words(), 1+g.IntN(3)) },
		func() string { return fmt.Sprintf("slice(%s, %d, %d)", g.words(), g.IntN(3), g.IntN(5)) },
		func() string {
			return g.one("range(4)", "range(2, 5)", "range(5, 2)", "range(1, 3, 0.5)", "range(0, 4, -1)", "range(-2)")
		},
		func() string { return "setproduct([\"x\", \"y\"], " + g.one(`["a", "b"]`, `["c"]`) + ")" },
		func() string { return "coalescelist(" + g.one(`["p"]`, g.words()) + `, ["q"])` },
		func() string {
			return "regexall(" + g.one(`"[a-z]"`, `"(a)|(b)"`, `"(?P<x>[a-z])(?P<y>.)"`) + ", " + g.text(depth-1) + ")"
		},
		func() string { return g.one(`csvdecode("a,b\n1,2\nx,\"y,z\"\n")`, `csvdecode("a,b\n1\n")`) },
		func() string { return `jsondecode("[1, {\"a\": [true, null, 1.5]}]")` },
		func() string { return "keys(" + g.object(depth-1) + ")" },
		func() string { return "values(" + g.object(depth-1) + ")" },
	)
}

func (g *generator) object(depth int) string {
	if depth == 0 {
		return []string{"{ a = 1 }", `{ a = "x", b = "y" }`, `{ z = [1], "y y" = null }`}[g.IntN(3)]
	}
	return g.pick(
		func() string { return g.object(0) },
		func() string { return "{ a = " + g.any(depth-1) + ", (\"b\") = " + g.any(depth-1) + " }" },
		func() string { return "zipmap(" + g.words() + `, ["p", "q", "r"])` },
		func() string { return "merge(" + g.object(depth-1) + ", " + g.object(depth-1) + ")" },
		func() string { return `{ for x in ["p", "q"] : x => ` + g.any(depth-1) + " }" },
		func() string { return "{ for k, v in " + g.object(depth-1) + " : upper(k) => v }" },
	)
}

func pow10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }
