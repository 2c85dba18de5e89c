package hclspec

import (
	"fmt"
	"slices"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// A static is what is known of a value before a call: its kind, and where it
// comes from an input, its schema. The zero value is nothing.
type static struct {
	want   want
	schema *specs.Node
}

// staticOf reads the type of a schema. A schema of several types is nothing.
func staticOf(schema *specs.Node) static {
	w := map[string]want{"string": wantText, "number": wantNumber, "integer": wantNumber, "boolean": wantBool, "array": wantList, "object": wantObject}[schema.Get("type").Str()]
	return static{w, schema}
}

// checker finds mistakes of type in the expressions of a call.
type checker struct {
	p      *parser
	inputs map[string]*specs.Input
	vars   map[string]static // of the for expressions around
}

func (c *checker) fail(code string, at diag.Range, message, hint string) {
	c.p.add(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: at})
}

// name is an operand in a message.
func operandName(x *specs.Expr) string {
	switch x.Op {
	case specs.ExprArg:
		return fmt.Sprintf("input %q", x.Name)
	case specs.ExprGet:
		return fmt.Sprintf("member %q", x.Name)
	case specs.ExprCall:
		if fits := x.Name[0]; fits >= 'a' && fits <= 'z' && x.Name != "neg" {
			return "what " + x.Name + " gives"
		}
	}
	return "this"
}

// infer checks an expression and everything in it, and tells what it is.
func (c *checker) infer(x *specs.Expr) static {
	if x.Op.Loops() {
		return c.loop(x)
	}
	kinds := make([]static, len(x.Args))
	for i, a := range x.Args {
		kinds[i] = c.infer(a)
	}
	switch x.Op {
	case specs.ExprConst:
		return static{want: map[specs.Kind]want{specs.Bool: wantBool, specs.Number: wantNumber, specs.String: wantText, specs.Array: wantList, specs.Object: wantObject}[x.Value.Kind]}
	case specs.ExprArg:
		if in := c.inputs[x.Name]; in != nil && in.Schema != nil {
			return staticOf(in.Schema)
		}
	case specs.ExprVar:
		return c.vars[x.Name]
	case specs.ExprGet:
		return c.get(x, kinds[0])
	case specs.ExprIndex:
		switch of := kinds[0]; of.want {
		case wantText, wantNumber, wantBool:
			c.fail("wrong-type", x.Args[0].Range, fmt.Sprintf("%s is %s and cannot be indexed", operandName(x.Args[0]), of.want), "")
		case wantList:
			if k := kinds[1].want; k == wantBool || k == wantList || k == wantObject {
				c.fail("wrong-type", x.Args[1].Range, "the elements of a list are counted: the index is a number, not "+k.String(), "")
			}
			return staticOf(of.schema.Get("items"))
		}
	case specs.ExprTemplate:
		for i, k := range kinds {
			if k.want == wantList || k.want == wantObject {
				c.fail("wrong-type", x.Args[i].Range, fmt.Sprintf("%s is %s and cannot be part of a text", operandName(x.Args[i]), k.want), "use jsonencode() or join()")
			}
		}
		return static{want: wantText}
	case specs.ExprCond:
		c.condition(x.Args[0], kinds[0])
		if kinds[1].want == kinds[2].want {
			return static{want: kinds[1].want}
		}
	case specs.ExprObject:
		return static{want: wantObject}
	case specs.ExprList:
		return static{want: wantList}
	case specs.ExprSecret:
		return static{want: wantText}
	case specs.ExprCall:
		return c.call(x, kinds)
	}
	return static{}
}

func (c *checker) get(x *specs.Expr, of static) static {
	what := operandName(x.Args[0])
	switch of.want {
	case wantText, wantNumber, wantBool:
		c.fail("unknown-member", x.Range, fmt.Sprintf("%s is %s and has no member %q", what, of.want, x.Name), "")
	case wantList:
		c.fail("unknown-member", x.Range, fmt.Sprintf("%s is a list and has no member %q", what, x.Name), fmt.Sprintf("write [0].%s for that of an element, [*].%s for those of all", x.Name, x.Name))
	case wantObject:
		properties := of.schema.Get("properties")
		if v := properties.Get(x.Name); v != nil {
			return staticOf(v)
		}
		rest := of.schema.Get("additionalProperties")
		if rest != nil && rest.Kind == specs.Bool && !rest.IsTrue() && properties != nil {
			c.fail("unknown-member", x.Range, fmt.Sprintf("%s has no member %q", what, x.Name), didYouMean(x.Name, keysOf(properties), "it has "))
		}
		return staticOf(rest)
	}
	return static{}
}

func (c *checker) condition(x *specs.Expr, of static) {
	switch of.want {
	case wantText:
		if x.Op != specs.ExprConst {
			c.fail("wrong-type", x.Range, fmt.Sprintf("a condition is true or false; %s is text", operandName(x)), `compare it: == "…"`)
		}
	case wantNumber, wantList, wantObject:
		hint := "compare it: > 0"
		if of.want != wantNumber {
			hint = "use length() and compare it: > 0"
		}
		c.fail("wrong-type", x.Range, fmt.Sprintf("a condition is true or false; %s is %s", operandName(x), of.want), hint)
	}
}

func (c *checker) call(x *specs.Expr, kinds []static) static {
	switch x.Name {
	case "&&", "||", "!":
		for i, k := range kinds {
			c.condition(x.Args[i], k)
		}
		return static{want: wantBool}
	case "==", "!=":
		a, b := kinds[0].want, kinds[1].want
		if a != wantAny && b != wantAny && a != b {
			c.p.add(diag.Diagnostic{Severity: diag.Warning, Code: "never-equal", Message: fmt.Sprintf("%s is %s and is compared with %s: they are never equal", operandName(x.Args[0]), a, b), Hint: "convert one of the two with tostring() or tonumber()", Range: x.Range})
		}
		return static{want: wantBool}
	case "+", "-", "*", "/", "%", "neg", "<", "<=", ">", ">=":
		for i, k := range kinds {
			if k.want == wantAny || k.want == wantNumber || x.Args[i].Op == specs.ExprConst {
				continue
			}
			if k.want == wantText && x.Args[i].Op != specs.ExprArg && x.Args[i].Op != specs.ExprGet {
				continue // what a function or a template makes can be digits
			}
			hint := ""
			if k.want == wantText {
				if hint = "use tonumber()"; x.Args[i].Op == specs.ExprArg {
					hint = "declare the input with type = number, or use tonumber()"
				}
				if x.Name == "+" {
					hint += `; texts are joined as "${a}${b}"`
				}
			}
			c.fail("wrong-type", x.Args[i].Range, fmt.Sprintf("%s is %s; %s takes numbers", operandName(x.Args[i]), k.want, operatorText(x.Name)), hint)
		}
		if slices.Contains([]string{"<", "<=", ">", ">="}, x.Name) {
			return static{want: wantBool}
		}
		return static{want: wantNumber}
	case "[*]":
		if kinds[0].want == wantList {
			return kinds[0]
		}
		return static{want: wantList}
	}
	f := c.p.functions[x.Name]
	if f == nil {
		return static{}
	}
	for i, k := range kinds {
		if i >= len(x.Args) || len(f.params) == 0 || x.Args[i].Op == specs.ExprConst {
			continue
		}
		q := f.param(i)
		if !couldBe(k.want, q.want) {
			c.fail("wrong-arguments", x.Args[i].Range, fmt.Sprintf("%s of %s is %s; %s is %s", q.name, f.name, q.want, operandName(x.Args[i]), k.want), f.form())
		}
	}
	return static{want: f.gives}
}

func operatorText(name string) string {
	if name == "neg" {
		return "-"
	}
	return name
}

// couldBe tells whether a value of some kind may pass where another is wanted.
func couldBe(have, want want) bool {
	if have == wantAny || want == wantAny || have == want {
		return true
	}
	switch want {
	case wantText:
		return have == wantNumber || have == wantBool
	case wantNumber, wantBool:
		return have == wantText
	case wantCollection:
		return have == wantText || have == wantList || have == wantObject
	case wantListOrText:
		return have == wantText || have == wantList
	}
	return false
}

func (c *checker) loop(x *specs.Expr) static {
	of := c.infer(x.Args[0])
	if of.want == wantText || of.want == wantNumber || of.want == wantBool {
		c.fail("wrong-type", x.Args[0].Range, fmt.Sprintf("for needs a list or an object; %s is %s", operandName(x.Args[0]), of.want), "")
	}
	inner := *c
	inner.vars = map[string]static{}
	for k, v := range c.vars {
		inner.vars[k] = v
	}
	key, value := loopNames(x)
	delete(inner.vars, key)
	delete(inner.vars, value)
	switch of.want {
	case wantList:
		inner.vars[key] = static{want: wantNumber}
		inner.vars[value] = staticOf(of.schema.Get("items"))
	case wantObject:
		inner.vars[key] = static{want: wantText}
		if rest := of.schema.Get("additionalProperties"); rest != nil && of.schema.Get("properties") == nil {
			inner.vars[value] = staticOf(rest)
		}
	}
	for i, a := range x.Args[1:] {
		k := inner.infer(a)
		if i == 0 {
			inner.condition(a, k)
		}
	}
	if x.Op == specs.ExprFor {
		return static{want: wantList}
	}
	return static{want: wantObject}
}

// inferAll checks the expressions of a tool.
func (p *parser) inferAll(inputs map[string]*specs.Input, exprs []*specs.Expr) {
	c := &checker{p: p, inputs: inputs}
	for _, x := range exprs {
		c.infer(x)
	}
}
