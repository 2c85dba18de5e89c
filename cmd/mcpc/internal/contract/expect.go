package contract

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// variables are what expectations know.
func (o *Outcome) variables(s *service, tool *plan.Tool) map[string]*specs.Node {
	args := o.Test.Args
	if args == nil {
		args = specs.NewObject()
	}
	list := specs.NewArray()
	for _, r := range o.Requests {
		list.Fields = append(list.Fields, specs.Field{Value: r.node(), KeyStart: -1})
	}
	vars := map[string]*specs.Node{"args": args, "requests": list, "result": resultNode(o.Result, tool)}
	if n := len(list.Fields); n > 0 {
		vars["request"] = list.Fields[n-1].Value
	}
	if a := s.last; a != nil {
		vars["response"] = specs.NewObject(
			specs.F("status", specs.NewNumber(strconv.Itoa(a.status))),
			specs.F("headers", headers(a.header)),
			specs.F("body", textNode(a.body)))
	}
	return vars
}

// resultNode is a result as a value: its structured content without the wrapping
// of what is no object, else its text, as a value where that is a JSON object or
// list.
func resultNode(r *runtime.Result, tool *plan.Tool) *specs.Node {
	if r.Structured != nil {
		v, err := hclspec.JSON(r.Structured)
		if err == nil && tool != nil && tool.Response.Wrap && v.Get("result") != nil {
			v = v.Get("result")
		}
		if err == nil {
			return v
		}
	}
	if len(r.Content) == 0 || r.Content[0].Type != "text" {
		return &specs.Node{}
	}
	if r.IsError {
		return specs.NewString(r.Content[0].Text)
	}
	return textNode([]byte(r.Content[0].Text))
}

// textNode is a text as a value: a JSON object or list decoded, all else text.
func textNode(b []byte) *specs.Node {
	if t := strings.TrimLeft(string(b), " \t\r\n"); t != "" && (t[0] == '{' || t[0] == '[') {
		if v, err := hclspec.JSON(b); err == nil {
			return v
		}
	}
	return specs.NewString(strings.ToValidUTF8(string(b), "�"))
}

func headers(h http.Header) *specs.Node {
	n := specs.NewObject()
	for _, name := range sortedKeys(h) {
		n.Set(strings.ToLower(name), specs.NewString(h.Get(name)))
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func values(v url.Values) *specs.Node {
	n := specs.NewObject()
	for _, name := range sortedKeys(v) {
		if len(v[name]) == 1 {
			n.Set(name, specs.NewString(v[name][0]))
			continue
		}
		list := specs.NewArray()
		for _, s := range v[name] {
			list.Fields = append(list.Fields, specs.Field{Value: specs.NewString(s), KeyStart: -1})
		}
		n.Set(name, list)
	}
	return n
}

// node is a request as expectations know it.
func (r *Request) node() *specs.Node {
	n := specs.NewObject(
		specs.F("method", specs.NewString(r.Method)),
		specs.F("url", specs.NewString(r.URL.String())),
		specs.F("path", specs.NewString(r.URL.EscapedPath())),
		specs.F("query", values(r.URL.Query())),
		specs.F("headers", headers(r.Header)),
		specs.F("body", specs.NewString(strings.ToValidUTF8(string(r.Body), "�"))))
	cookies := url.Values{}
	for _, c := range (&http.Request{Header: r.Header}).Cookies() {
		cookies.Add(c.Name, c.Value)
	}
	n.Set("cookies", values(cookies))
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/x-www-form-urlencoded" {
		if form, err := url.ParseQuery(string(r.Body)); err == nil {
			n.Set("form", values(form))
		}
	}
	if media == "application/json" || strings.HasSuffix(media, "+json") {
		if v, err := hclspec.JSON(r.Body); err == nil {
			n.Set("json", v)
		}
	}
	return n
}

// expect evaluates one expectation. What cannot be evaluated has failed.
func (o *Outcome) expect(e *specs.Expectation, vars map[string]*specs.Node) {
	x := overArgs(e.Condition)
	v, err := hclspec.Evaluate(x, vars)
	f := Failure{Range: e.Condition.Range, Condition: source(e.Condition)}
	switch {
	case err != nil:
		at, cause := culprit(x, vars, err)
		f.Range = at
		f.Message = fmt.Sprintf("it cannot be evaluated: %v", cause)
	case v.Kind != specs.Bool && !(v.Kind == specs.String && (v.Text == "true" || v.Text == "false")):
		f.Message = fmt.Sprintf("a condition is true or false, not %s", clip(v.JSON()))
	case v.Text == "true":
		return
	default:
		f.Message = "it is false"
		if e.Message != nil {
			if m, err := hclspec.Evaluate(overArgs(e.Message), vars); err == nil && m.Kind == specs.String {
				f.Message = m.Text
			} else if err != nil {
				f.Message = fmt.Sprintf("it is false, and its message cannot be made: %v", err)
			}
		}
	}
	f.Values = operands(x, vars)
	o.Failures = append(o.Failures, f)
}

// overArgs is an expression in which the arguments are members of args.
func overArgs(x *specs.Expr) *specs.Expr {
	c := *x
	if x.Op == specs.ExprArg {
		c.Op, c.Args = specs.ExprGet, []*specs.Expr{{Op: specs.ExprVar, Name: "args", Range: x.Range}}
		return &c
	}
	c.Args = nil
	for _, a := range x.Args {
		c.Args = append(c.Args, overArgs(a))
	}
	return &c
}

// culprit finds the smallest part of an expression that cannot be evaluated.
func culprit(x *specs.Expr, vars map[string]*specs.Node, err error) (at diag.Range, cause error) {
	for _, a := range x.Args {
		if _, inner := hclspec.Evaluate(a, vars); inner != nil {
			return culprit(a, vars, inner)
		}
	}
	return x.Range, err
}

// operands are the values of the references and function calls of a condition,
// which is what its author wants to see.
func operands(x *specs.Expr, vars map[string]*specs.Node) (list []Value) {
	seen := map[string]bool{}
	var visit func(x *specs.Expr)
	visit = func(x *specs.Expr) {
		name := source(x)
		if x.Op == specs.ExprVar {
			return // whole requests and results are shown besides
		}
		reference := x.Op == specs.ExprGet || x.Op == specs.ExprIndex
		function := x.Op == specs.ExprCall && x.Name != "" && x.Name[0] >= 'a' && x.Name[0] <= 'z' && x.Name != "neg"
		if (reference || function) && name != "" {
			if seen[name] {
				return
			}
			seen[name] = true
			if v, err := hclspec.Evaluate(x, vars); err == nil {
				list = append(list, Value{name, clip(v.JSON())})
			}
			if !function {
				return
			}
		}
		for _, a := range x.Args {
			visit(a)
		}
	}
	visit(x)
	return list
}

// source is an expression as it is written, on one line.
func source(x *specs.Expr) string {
	r := x.Range
	if r.Source == nil || r.Start < 0 || r.End > len(r.Source.Text) || r.Start > r.End {
		return ""
	}
	return strings.Join(strings.Fields(string(r.Source.Text[r.Start:r.End])), " ")
}

// maxShown bounds one value in a message, in bytes.
const maxShown = 400

func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	n := maxShown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Shown is a text that may be anything, short enough to be read.
func Shown(b []byte) string {
	if !utf8.Valid(b) {
		return fmt.Sprintf("(%d bytes of binary)", len(b))
	}
	var v any
	if json.Unmarshal(b, &v) == nil {
		return clip(string(b))
	}
	return clip(strings.TrimRight(string(b), "\n"))
}
