package surface

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// one is a surface of one tool.
func one(input, output string) *Surface {
	return &Surface{Format: format, Server: "s", Tools: []Tool{{Name: "t", Description: "d", Input: plan.Schema(input), Output: plan.Schema(output)}}}
}

func show(list []Change) string {
	var lines []string
	for _, c := range list {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s %s: %s", c.Impact, c.Place, c.Message)), " "))
	}
	return strings.Join(lines, "\n")
}

// Each pair is compared as an input and as an output: what is stricter breaks
// callers, what is looser breaks readers.
func TestSchemas(t *testing.T) {
	for _, c := range []struct{ before, after, input, output string }{
		{`{}`, `{}`, ``, ``},
		{`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"type":"object","properties":{"a":{"type":"string"},"b":{}}}`,
			`additive input b: is new`, `additive output b: is new`},
		{`{"properties":{"a":{}}}`, `{"properties":{}}`, `breaking input a: is gone`, `breaking output a: is gone`},
		{`{"properties":{"a":{}}}`, `{"properties":{"a":{}},"required":["a"]}`, `breaking input a: is required now`, `additive output a: is required now`},
		{`{"properties":{}}`, `{"properties":{"a":{}},"required":["a"]}`, `breaking input a: is new and required`, `additive output a: is new and required`},
		{`{"properties":{"a":{}},"required":["a"]}`, `{"properties":{"a":{}}}`, `additive input a: is optional now`, `breaking output a: is optional now`},
		{`{"type":"integer"}`, `{"type":"number"}`, `additive input: has type number instead of integer`, `breaking output: has type number instead of integer`},
		{`{"type":["string","null"]}`, `{"type":"string"}`, `breaking input: has type string instead of string or null`, `additive output: has type string instead of string or null`},
		{`{"type":"string"}`, `{"type":"integer"}`, `breaking input: has type integer instead of string`, `breaking output: has type integer instead of string`},
		{`{}`, `{"type":"string"}`, `breaking input: has type string instead of any`, `additive output: has type string instead of any`},
		{`{"enum":["a","b"]}`, `{"enum":["b","c"]}`,
			"breaking input: cannot be \"a\" any more\nadditive input: can be \"c\" too", "breaking output: can be \"c\" too\nadditive output: cannot be \"a\" any more"},
		{`{"const":1}`, `{"enum":[1,2]}`, `additive input: can be 2 too`, `breaking output: can be 2 too`},
		{`{"maxLength":10}`, `{"maxLength":9}`, `breaking input: has maxLength 9 instead of 10`, `additive output: has maxLength 9 instead of 10`},
		{`{"minimum":0.10}`, `{"minimum":0.1}`, ``, ``},
		{`{"minimum":9007199254740992}`, `{"minimum":9007199254740993}`, `breaking input: has minimum 9007199254740993 instead of 9007199254740992`, `additive output: has minimum 9007199254740993 instead of 9007199254740992`},
		{`{"maxItems":3}`, `{}`, `additive input: has no maxItems any more`, `breaking output: has no maxItems any more`},
		{`{"pattern":"a"}`, `{"pattern":"b"}`, `breaking input: has pattern b instead of a`, `breaking output: has pattern b instead of a`},
		{`{"additionalProperties":true}`, `{"additionalProperties":false}`, `breaking input: takes no other members any more`, `additive output: takes no other members any more`},
		{`{"items":{"properties":{"a":{"type":"string"}}}}`, `{"items":{"properties":{"a":{"type":"null"}}}}`,
			`breaking input [].a: has type null instead of string`, `breaking output [].a: has type null instead of string`},
		{`{"anyOf":[{},{}]}`, `{"anyOf":[{}]}`, `breaking input: has 1 instead of 2 schemas in anyOf`, `breaking output: has 1 instead of 2 schemas in anyOf`},
		{`{"description":"a"}`, `{"description":"b"}`, `wording input: description changed`, `wording output: description changed`},
		// References are followed, recursive ones once.
		{`{"$ref":"#/$defs/A","$defs":{"A":{"properties":{"n":{"$ref":"#/$defs/A"},"v":{"type":"string"}}}}}`,
			`{"$ref":"#/$defs/B","$defs":{"B":{"properties":{"n":{"$ref":"#/$defs/B"},"v":{"type":["string","null"]}}}}}`,
			`additive input v: has type string or null instead of string`, `breaking output v: has type string or null instead of string`},
		{`{"$ref":"#/$defs/A","$defs":{"A":{"type":"string"}}}`, `{"type":"string"}`, ``, ``},
	} {
		before, after := one(c.before, ""), one(c.after, "")
		if got := show(before.Changes(after)); got != c.input {
			t.Errorf("%s → %s as input:\n%s\nwant\n%s", c.before, c.after, got, c.input)
		}
		before, after = one("{}", c.before), one("{}", c.after)
		if got := show(before.Changes(after)); got != c.output {
			t.Errorf("%s → %s as output:\n%s\nwant\n%s", c.before, c.after, got, c.output)
		}
	}
}

func TestTools(t *testing.T) {
	before := &Surface{Format: format, Tools: []Tool{
		{Name: "a", Description: "x", Input: "{}", Hints: plan.Hints{ReadOnly: true}},
		{Name: "b", Input: "{}", Output: "{}"},
		{Name: "c", Input: "{}"},
	}}
	after := &Surface{Format: format, Tools: []Tool{
		{Name: "d", Input: "{}"},
		{Name: "a", Title: "A", Description: "y", Input: "{}", Hints: plan.Hints{Destructive: true}},
		{Name: "c", Input: "{}", Output: "{}"},
	}}
	var got []string
	for _, c := range before.Changes(after) {
		got = append(got, fmt.Sprintf("%s %s %s: %s", c.Impact, c.Tool, c.Place, c.Message))
	}
	want := []string{
		"breaking a hints: is not read-only now",
		"breaking a hints: is destructive now",
		"breaking b : is gone",
		"additive c output: is described",
		"additive d : is new",
		"wording a title: changed",
		"wording a description: changed",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	if list := before.Changes(before); len(list) > 0 {
		t.Errorf("compared with itself: %v", list)
	}
}

// Who may call is part of what a caller sees.
func TestAccess(t *testing.T) {
	spend := plan.Expr{Op: plan.OpCall, Name: "<", Args: []plan.Expr{{Op: plan.OpArg, Name: "amount"}, {Op: plan.OpConst, Const: "100"}}}
	more := plan.Expr{Op: plan.OpCall, Name: "<", Args: []plan.Expr{{Op: plan.OpArg, Name: "amount"}, {Op: plan.OpConst, Const: "200"}}}
	ask := func(s string) *plan.Expr { return &plan.Expr{Op: plan.OpConst, Const: s} }
	rules := func(list ...plan.PolicyRule) *plan.Policy { return &plan.Policy{Rules: list} }
	for _, c := range []struct {
		name          string
		before, after plan.Server
		want          []string
	}{
		{"scopes", plan.Server{Tools: []plan.Tool{{Name: "a", Scopes: []string{"x", "y"}}}}, plan.Server{Tools: []plan.Tool{{Name: "a", Scopes: []string{"z", "x"}}}},
			[]string{"breaking a scopes: needs z now", "additive a scopes: does not need y any more"}},
		{"a person is asked", plan.Server{Tools: []plan.Tool{{Name: "a"}, {Name: "b", Confirm: ask(`"Sure?"`)}, {Name: "c", Confirm: ask(`"Sure?"`)}}}, plan.Server{Tools: []plan.Tool{{Name: "a", Confirm: ask(`"Sure?"`)}, {Name: "b"}, {Name: "c", Confirm: ask(`"Really?"`)}}},
			[]string{"breaking a confirm: a person is asked now", "additive b confirm: nobody is asked any more", "wording c confirm: the question changed"}},
		{"a policy comes", plan.Server{Tools: []plan.Tool{{Name: "a"}, {Name: "b"}}}, plan.Server{Tools: []plan.Tool{{Name: "a"}, {Name: "b"}}, Policy: rules(plan.PolicyRule{Name: "r", Tools: []string{"a*"}})},
			[]string{"breaking a policy: there is one now: what no rule allows is denied", "breaking b policy: there is one now, and no rule allows it", `additive a rule "r": is new: it allows it`}},
		{"a policy goes", plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "r"})}, plan.Server{Tools: []plan.Tool{{Name: "a"}}},
			[]string{"additive a policy: there is none any more: everybody may use it"}},
		{"rules", plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "old"}, plan.PolicyRule{Name: "ban", Deny: true}, plan.PolicyRule{Name: "kept", When: &spend})},
			plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "kept", When: &more}, plan.PolicyRule{Name: "new"}, plan.PolicyRule{Name: "old", Deny: true})},
			[]string{`breaking a rule "old": is gone: it allows it no more`, `breaking a rule "kept": its condition is (args.amount < 200) instead of (args.amount < 100)`, `breaking a rule "old": is new: it denies it`,
				`additive a rule "ban": is gone: it denies it no more`, `additive a rule "new": is new: it allows it`}},
		{"who and when", plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "r", Scopes: []string{"x"}, When: &spend}, plan.PolicyRule{Name: "d", Deny: true, Scopes: []string{"x"}}, plan.PolicyRule{Name: "s", Scopes: []string{"x"}})},
			plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "r", Scopes: []string{"x", "y"}}, plan.PolicyRule{Name: "d", Deny: true, When: &spend}, plan.PolicyRule{Name: "s", Scopes: []string{"y"}})},
			[]string{`breaking a rule "r": is about callers with x and y instead of callers with x`, `breaking a rule "d": is about all callers instead of callers with x`, `breaking a rule "s": is about callers with y instead of callers with x`,
				`additive a rule "r": has no condition any more`, `additive a rule "d": has a condition now: (args.amount < 100)`}},
		{"resources and prompts", plan.Server{Resources: []plan.Resource{{URI: "r://1"}}, Prompts: []plan.Prompt{{Name: "p"}}}, plan.Server{Resources: []plan.Resource{{URI: "r://1", Call: plan.Tool{Scopes: []string{"x"}}}}, Prompts: []plan.Prompt{{Name: "p"}}, Policy: rules(plan.PolicyRule{Name: "r", Resources: []string{"*"}})},
			[]string{"breaking resource r://1 scopes: needs x now", "breaking resource r://1 policy: there is one now: what no rule allows is denied", "breaking prompt p policy: there is one now, and no rule allows it", `additive resource r://1 rule "r": is new: it allows it`}},
		{"the order of rules", plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "r"}, plan.PolicyRule{Name: "s"})}, plan.Server{Tools: []plan.Tool{{Name: "a"}}, Policy: rules(plan.PolicyRule{Name: "s"}, plan.PolicyRule{Name: "r"})}, nil},
	} {
		var got []string
		for _, x := range Of(&c.before).Changes(Of(&c.after)) {
			got = append(got, fmt.Sprintf("%s %s %s: %s", x.Impact, x.Tool, x.Place, x.Message))
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%q\nwant\n%q", c.name, got, c.want)
		}
	}
}

func TestLockFile(t *testing.T) {
	s := Of(&plan.Server{Name: "s<1>", Tools: []plan.Tool{
		{Name: "a", Description: "<b>&", Input: `{"maximum":9007199254740993,"pattern":"<"}`, Hints: plan.Hints{ReadOnly: true}},
		{Name: "b", Input: `{}`, Output: `{"type":"object"}`, Scopes: []string{"x"}},
	}, Policy: &plan.Policy{Rules: []plan.PolicyRule{{Name: "all"}}}})
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(text)
	if err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%v: %+v\nof %s", err, back, text)
	}
	if n := strings.Count(string(text), "\n"); n != 8 {
		t.Errorf("%d lines for two tools:\n%s", n, text)
	}
	for _, text := range []string{"", "openapi: 3.1.0", `{"openapi":"3.1.0"}`, `{"format":1}`} {
		if _, err := Decode([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Decode([]byte(`{"format":2,"tools":[]}`)); err == nil || errors.Is(err, ErrFormat) {
		t.Errorf("another format: %v", err)
	}
}

// FuzzChanges compares any two schemas: it ends, and nothing changed in a
// schema that is the same.
func FuzzChanges(f *testing.F) {
	f.Add(`{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}`, `{"items":{"$ref":"#"}}`)
	f.Add(`{"type":"object","properties":{"a":{"enum":[1,"x",null]}}}`, `{"required":[1],"enum":{}}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		one(a, b).Changes(one(b, a))
		if list := one(a, b).Changes(one(a, b)); len(list) > 0 {
			t.Errorf("compared with itself: %v", list)
		}
	})
}

// A tool with a new name that can still be called by its old one breaks nobody;
// an old name that is given up does.
func TestMoved(t *testing.T) {
	tool := func(name string) plan.Tool { return plan.Tool{Name: name, Input: `{"type":"object"}`} }
	before := Of(&plan.Server{Tools: []plan.Tool{tool("a")}})
	moved := Of(&plan.Server{Tools: []plan.Tool{tool("b")}, Moved: []plan.Moved{{From: "a", To: "b"}}})
	plain := Of(&plan.Server{Tools: []plan.Tool{tool("b")}})
	for _, c := range []struct {
		name          string
		before, after *Surface
		want          string
	}{
		{"moved", before, moved, "additive : is called b now, and can still be called by its old name"},
		{"renamed", before, plain, "breaking : is gone\nadditive : is new"},
		{"given up", moved, plain, "breaking : can no longer be called by this old name of b"},
		{"kept", moved, moved, ""},
	} {
		if got := show(c.before.Changes(c.after)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	text, err := moved.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Decode(text); err != nil || back.Moved["a"] != "b" {
		t.Errorf("%s\n%v", text, err)
	}
}
