package hclspec

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
)

// dump shows an expression as text: constants as JSON, args as $name, calls as
// (name …).
func dump(x *specs.Expr) string {
	if x == nil {
		return "-"
	}
	list := func(name string) string {
		var parts []string
		for _, a := range x.Args {
			parts = append(parts, dump(a))
		}
		return "(" + strings.TrimSpace(name+" "+strings.Join(parts, " ")) + ")"
	}
	switch x.Op {
	case specs.ExprConst:
		return x.Value.JSON()
	case specs.ExprArg:
		return "$" + x.Name
	case specs.ExprGet:
		return dump(x.Args[0]) + "." + x.Name
	case specs.ExprIndex:
		return list("index")
	case specs.ExprTemplate:
		return list("text")
	case specs.ExprCall:
		return list(x.Name)
	case specs.ExprCond:
		return list("if")
	case specs.ExprObject:
		return list("object")
	case specs.ExprList:
		return list("list")
	case specs.ExprVar:
		return x.Name
	case specs.ExprFor, specs.ExprForObject, specs.ExprForGroups:
		return list([]string{"for", "forobject", "forgroups"}[x.Op-specs.ExprFor] + " " + x.Name)
	case specs.ExprSecret:
		s := "secret " + x.Secret.Name + " " + strings.Join(x.Secret.Env, ",")
		if x.Secret.File != "" {
			s += " file"
		}
		return "<" + s + ">"
	}
	return fmt.Sprint("?", x.Op)
}

func dumpEntries(list []specs.NamedExpr) string {
	var parts []string
	for _, e := range list {
		parts = append(parts, strconv.Quote(e.Name)+": "+dump(e.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// body parses an expression where a request's body stands and returns it.
func body(t *testing.T, text string) string {
	t.Helper()
	doc, list := parse(t, map[string]string{"a.hcl": `
variable "org" { default = "acme" }
variable "token" { sensitive = true }
variable "n" { default = 9007199254740993 }
locals {
  map  = { b = 1, a = 2 }
  list = ["x", "y"]
  auth = "Bearer ${var.token}"
}
api "a" { base_url = "https://a.example" }
tool "t" {
  input "q" { type = string }
  input "n" { type = integer }
  input "o" { type = any }
  request "POST" "/{q}/{n}/{o}" {
    json = ` + text + `
  }
}
`}, Options{})
	if len(list) > 0 {
		t.Fatalf("%s:\n%s", text, show(list))
	}
	return dump(doc.Tools[0].Request.JSON)
}

func TestLowering(t *testing.T) {
	for _, c := range [][2]string{
		// What is known at load is a constant.
		{`1 + 2 * 3`, `7`},
		{`"a ${var.org} b"`, `"a acme b"`},
		{`upper(var.org)`, `"ACME"`},
		{`local.map.b`, `1`},
		{`local.list[1]`, `"y"`},
		{`local.map`, `{"b":1,"a":2}`},
		{`var.org == "acme" ? "yes" : "no"`, `"yes"`},
		{`[for k, v in local.map : "${k}=${v}"]`, `["a=2","b=1"]`},
		{`{ for x in local.list : x => upper(x) if x != "y" }`, `{"x":"X"}`},
		{`{ for x in ["a", "b", "a"] : x => 1... }`, `{"a":[1,1],"b":[1]}`},
		{`[{ n = 1 }, { n = 2 }][*].n`, `[1,2]`},
		{`"${local.list[0]}%{ for x in local.list }-${x}%{ endfor }"`, `"x-x-y"`},
		{`concat([local.list, ["z"]]...)`, `["x","y","z"]`},
		{`true || args.o`, `true`},
		{`null != null && null.x == 1 ? 1 : local.map.a`, `2`},
		{`{ (var.org) = 1, "b c" = 2, d = 3, 4 = 5 }`, `{"acme":1,"b c":2,"d":3,"4":5}`},
		{`<<-EOT
      a
        b ${var.org}
      EOT
`, `"a\n  b acme\n"`},

		// What a call must know stays.
		{`args.q`, `$q`},
		{`args["q"]`, `$q`},
		{`args.o.name[0]["x y"]`, `(index $o.name 0).x y`},
		{`args.o[args.q]`, `(index $o $q)`},
		{`"${args.q}"`, `$q`},
		{`"a ${var.org} ${args.q} b ${"c"}"`, `(text "a acme " $q " b c")`},
		{`"x %{ if args.o }yes%{ else }no%{ endif }"`, `(text "x " (if $o "yes" "no"))`},
		{`args.n > 1 + 1 ? "many" : args.q`, `(if (> $n 2) "many" $q)`},
		{`!(args.n == 1 && -args.n < 3)`, `(! (&& (== $n 1) (< (neg $n) 3)))`},
		{`{ open = "10" }[args.q]`, `(index {"open":"10"} $q)`},
		{`[1, args.n, [2]]`, `(list 1 $n [2])`},
		{`{ a = args.q, (args.q) = { b = 1 } }`, `(object "a" $q $q {"b":1})`},
		{`jsondecode("{\"b\":1,\"a\":{\"d\":1,\"c\":2}}")`, `{"b":1,"a":{"d":1,"c":2}}`},
		{`coalesce(null, { b = 1, a = 2 })`, `{"b":1,"a":2}`},
		{`coalesce(args.q, upper("x"))`, `(coalesce $q "X")`},
		{`[for x in local.list : "${x}${args.q}"]`, `(list (text "x" $q) (text "y" $q))`},
		{`merge({ a = args.q, b = 1 }, { b = 2 })`, `(object "a" $q "b" 2)`},
		{`{ a = args.q, b = 1 }.a`, `$q`},
		{`[args.q, args.n][1]`, `$n`},
		{`join(",", [args.q])`, `(join "," (list $q))`},

		// Loops over what a call brings run in the call.
		{`[for x in args.o : upper(x)]`, `(for x $o true (upper x))`},
		{`[for i, x in args.o.l : "${i}${x.a}" if x.b > 1 + 1]`, `(for i,x $o.l (> x.b 2) (text i x.a))`},
		{`{ for k, v in args.o : k => v }`, `(forobject k,v $o true v k)`},
		{`{ for v in args.o : v.a => v.b... }`, `(forgroups v $o true v.b v.a)`},
		{`[for x in [args.q, "b"] : x if x != "b"]`, `(for x (list $q "b") (!= x "b") x)`},
		{`{ for x in [args.q, "b"] : x => 1 }`, `(forobject x (list $q "b") true 1 x)`},
		{`[for x in args.o : [for y in [x, 1] : [for x in x.l : [x, y]]]]`, `(for x $o true (list (for x' x.l true (list x' x)) (for x' x.l true (list x' 1))))`},
		{`[for response in args.o : response]`, `(for response' $o true response')`},
		{`args.o[*].a[0].b`, `(for * ([*] $o) true (index *.a 0).b)`},
		{`args.o[*].l[*].a`, `(for * ([*] $o) true (for *' ([*] *.l) true *'.a))`},
		{`"<%{ for x in args.o ~}  ${x},%{ endfor }>"`, `(text "<" (join "" (for x $o true (text x ","))) ">")`},
		{`[for x in local.list : x if x != args.q]`, `(for x ["x","y"] (!= x $q) x)`},
		{`[timestamp(), uuid()]`, `(list (timestamp) (uuid))`},

		// Secrets are references, also inside of something else.
		{`var.token`, `<secret token MCPC_VAR_token>`},
		{`local.auth`, `(text "Bearer " <secret token MCPC_VAR_token>)`},
		{`base64encode("u:${var.token}")`, `(base64encode (text "u:" <secret token MCPC_VAR_token>))`},

		// Numbers keep their digits, text its bytes.
		{`[9007199254740993, 1.50, 0.1, 1e400, -0.0, 007, var.n + 1]`, `[9007199254740993,1.50,0.1,1e400,0.0,7,9007199254740994]`},
		{`[0.1 + 0.2, 10 / 4, 1 / 3, 1.5 * 1.5, -7 % 3, 2 - 2.50]`, `[0.3,2.5,0.3333333333333333333333333333333333,2.25,-1,-0.5]`},
		{"\"e\u0301 ${var.org} e\u0301\"", "\"e\u0301 acme e\u0301\""},
		{"{ \"e\u0301\" = \"\\u00e9\" }", "{\"e\u0301\":\"\u00e9\"}"},
		{"<<-EOT\n      e\u0301\n        e\u0301 $${x}\n      EOT\n", "\"e\u0301\\n  e\u0301 ${x}\\n\""},
		{"\"  e\u0301  ${~ var.org ~}  e\u0301\\n\"", "\"  e\u0301acmee\u0301\\n\""},
		{"{ \"e\u0301\" = 1 }[\"e\u0301\"]", "1"},
	} {
		if got := body(t, c[0]); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}
