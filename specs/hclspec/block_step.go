package hclspec

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Bounds of a composite tool. Its calls are the author's, but how many there are
// an upstream's answer may say.
const (
	maxParallel  = 16
	maxElements  = 1000
	maxToolSteps = 50
)

// stepName is what can stand behind "step." without quotes.
var stepName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

func stepBlock() *block {
	between := func(name string, least, most int, set func(s *specs.Step, n int)) func(*parser, any, *setting) {
		return func(p *parser, target any, s *setting) {
			if s.number < least || s.number > most {
				p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%s cannot be %d", name, s.number), Hint: fmt.Sprintf("use %d to %d", least, most), Range: s.rng})
				return
			}
			set(target.(*specs.Step), s.number)
		}
	}
	return &block{
		name: "step", label: "name", labelDoc: "what later steps call its output, `step.NAME`; letters, digits, `_` and `-`",
		doc: "A call that a composite tool makes of another tool. Steps run in the order written. Each knows `args` and the outputs of the steps before it: `step.NAME` is the structured content of what the called tool answered, " +
			"a list where it answered a list, else its text; null when the step was not run. With `for_each` the tool is called for every element of a list, or member of an object, and the output is the list of what came of them, in that order. " +
			"When a call fails, the tool fails with it and says which steps were done. A tool with `confirm` can be called only by one that has `confirm` too: a person is asked once, before the first step.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "get_order" {
  input "id" { type = string }
  request "GET" "/orders/{id}" {}
}

tool "get_item" {
  internal = true
  input "sku" { type = string }
  request "GET" "/items/{sku}" {}
}

tool "order_with_items" {
  description = "An order with everything known of its items."
  input "id" { type = string }

  step "order" {
    call = tool.get_order
    args = { id = args.id }
  }
  step "items" {
    for_each = step.order.lines
    call     = tool.get_item
    args     = { sku = each.value.sku }
    parallel = 4
    on_error = "skip"
  }
  output = {
    order = step.order
    items = step.items
  }
}`,
		attrs: []attr{
			{name: "call", kind: toolKind, required: true, doc: "the tool that is called, by the name it is listed under; composite and `internal` tools too", example: "call = tool.get_order",
				set: into(func(t *specs.Step, s *setting) { t.Call = s.tool })},
			{name: "args", kind: entriesKind, phase: stepPhase, doc: "its arguments, checked against its inputs; one that is null is not given", example: "args = { id = args.id }",
				set: into(func(t *specs.Step, s *setting) { t.Args = s.entries })},
			{name: "for_each", kind: exprKind, phase: stepPhase, doc: "a list or an object; the tool is called for each of its elements, which the other expressions know as `each.value`, `each.key` (of an object; of a list the index) and `each.index`, from 0. Null has no elements. Members of an object are taken by their sorted keys", example: "for_each = step.order.lines",
				set: func(p *parser, target any, s *setting) {
					if v := s.expr.Value; s.expr.Op == specs.ExprConst && v.Kind != specs.Array && v.Kind != specs.Object && v.Kind != specs.Null {
						p.add(diag.Diagnostic{Code: "wrong-type", Message: "for_each takes a list or an object, not " + valueText(v), Hint: "for example for_each = step.order.lines", Range: s.rng})
					}
					target.(*specs.Step).ForEach = s.expr
				}},
			{name: "parallel", kind: integerKind, standard: "`1`", doc: "how many elements are worked on at a time, at most 16", example: "parallel = 4",
				set: between("parallel", 1, maxParallel, func(t *specs.Step, n int) { t.Parallel = n })},
			{name: "max", kind: integerKind, standard: "`100`", doc: "how many elements there may be, at most 1000; with more the tool fails before the first of them, so that nothing is silently left out", example: "max = 20",
				set: between("max", 1, maxElements, func(t *specs.Step, n int) { t.Max = n })},
			{name: "when", kind: exprKind, phase: stepPhase, standard: "`true`", doc: "a condition; where it is false no call is made: the output is null, and elements are left out of the list", example: `when = step.order.state == "open"`,
				set: func(p *parser, target any, s *setting) {
					if s.expr.Op == specs.ExprConst {
						if _, err := truth(s.expr.Value); err != nil {
							p.add(diag.Diagnostic{Code: "wrong-type", Message: "a condition is true or false, not " + valueText(s.expr.Value), Range: s.rng})
						}
					}
					target.(*specs.Step).When = s.expr
				}},
			{name: "on_error", kind: textKind, words: []string{"fail", "skip", "null"}, standard: "`\"fail\"`", doc: "what a failed call means: `fail` ends the tool, `skip` leaves the element out, `null` puts null in its place. Without `for_each` the last two are the same. The result says what was left out", example: `on_error = "skip"`,
				set: into(func(t *specs.Step, s *setting) { t.OnError = s.text })},
			{name: "jq", kind: jqKind, doc: "a jq program over the output, with `for_each` over that of each element; what it yields is the output, a list when it yields several values", example: `jq = "{id, total: .amount.gross}"`,
				set: into(func(t *specs.Step, s *setting) { t.JQ = s.text })},
		},
		open: func(p *parser, h *head, parent any) any {
			s := &specs.Step{Name: h.label().Value, Range: h.rng}
			if !stepName.MatchString(s.Name) {
				p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for a step", s.Name), Hint: "use letters, digits, _ and -, beginning with a letter", Range: h.label().Range})
			}
			t := parent.(*specs.Tool)
			if i := slices.IndexFunc(t.Steps, func(o *specs.Step) bool { return o.Name == s.Name }); i >= 0 {
				p.duplicate("step", s.Name, h.rng, t.Steps[i].Range)
			}
			t.Steps = append(t.Steps, s)
			return s
		},
		close: func(p *parser, h *head, parent, target any) {
			s := target.(*specs.Step)
			if s.ForEach == nil && !h.failed {
				for _, name := range []string{"parallel", "max"} {
					if at, ok := h.seen[name]; ok {
						p.add(diag.Diagnostic{Code: "does-not-apply", Message: name + " is for steps with for_each", Hint: "remove it, or add for_each", Range: at})
					}
				}
			}
			if h.failed {
				p.broken[parent] = true
			}
		},
	}
}

// checkComposite checks a tool that is made of steps: that it is nothing else,
// and that its expressions speak of what there is by then.
func (p *parser) checkComposite(h *head, t *specs.Tool) {
	if at, ok := h.seen["api"]; ok {
		p.add(diag.Diagnostic{Code: "needless-attribute", Message: "a tool of steps has no api of its own: the tools it calls have theirs", Hint: "remove it", Range: at})
	}
	if len(t.Steps) > maxToolSteps {
		p.add(diag.Diagnostic{Code: "too-large", Message: fmt.Sprintf("tool %q has %d steps, and %d are the most", t.Name, len(t.Steps), maxToolSteps), Hint: "put some of them into a tool of their own, with internal = true", Range: t.Steps[maxToolSteps].Range})
	}
	u := &uses{p: p, h: h, t: t, used: map[string]bool{}}
	for _, in := range t.Inputs {
		u.names = append(u.names, in.Path)
		if in.Path != "" && !toolName.MatchString(in.Path) {
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name for an input of a tool described by hand", in.Path), Hint: "use 1 to 64 letters, digits, _ and -; members of an object are declared by its type", Range: in.Range})
		}
		if !p.broken[in] && (in.Schema == nil || in.Schema.Source == nil) && !h.broken {
			p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("input %q needs the attribute \"type\"", in.Path), Hint: "add type = string, number, integer, bool, list(…) …", Range: in.Range})
		}
	}
	for i, s := range t.Steps {
		u.visit(s.ForEach, i, false)
		u.visit(s.When, i, s.ForEach != nil)
		for _, a := range s.Args {
			u.visit(a.Value, i, s.ForEach != nil)
		}
	}
	u.visit(t.Output, len(t.Steps), false)
	u.visit(t.Confirm, 0, false)
	if t.Response != nil {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "a response block is for tools that send a request", Hint: "say what the tool answers with output, and shape what a step answers with jq", Range: t.Response.Range})
	}
	for _, in := range t.Inputs {
		if in.Path != "" && !u.used[in.Path] && !h.broken && !p.broken[t] {
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "unused-input", Message: fmt.Sprintf("input %q is not used in the steps", in.Path), Hint: fmt.Sprintf("use args.%s, or remove it", in.Path), Range: in.Range})
		}
	}
}

// uses checks what the expressions of a composite tool refer to.
type uses struct {
	p     *parser
	h     *head
	t     *specs.Tool
	names []string // of inputs
	used  map[string]bool
}

// visit checks an expression of step n, or with n beyond the last of the output.
func (u *uses) visit(x *specs.Expr, n int, each bool) {
	if x == nil {
		return
	}
	eachExpr(x, func(x *specs.Expr) {
		switch {
		case x.Op == specs.ExprArg:
			u.argument(x)
		case x.Op == specs.ExprVar && x.Name == "each" && !each:
			u.p.add(diag.Diagnostic{Code: "wrong-phase", Message: "each is known only in a step with for_each, and not in the for_each itself", Hint: "refer to args and to the steps before", Range: x.Range})
		case x.Op == specs.ExprGet && x.Args[0].Op == specs.ExprVar && x.Args[0].Name == "step":
			u.step(x, n)
		}
	})
}

func (u *uses) argument(x *specs.Expr) {
	if u.used[x.Name] = true; slices.Contains(u.names, x.Name) || u.h.broken {
		return
	}
	u.used[diag.Nearest(x.Name, u.names)] = true // one mistake, not two
	u.p.add(diag.Diagnostic{Code: "unknown-input", Message: fmt.Sprintf("tool %q has no input %q", u.t.Name, x.Name), Hint: inputHint(x.Name, u.names), Range: x.Range})
}

func (u *uses) step(x *specs.Expr, n int) {
	i := slices.IndexFunc(u.t.Steps, func(s *specs.Step) bool { return s.Name == x.Name })
	switch {
	case i >= 0 && i < n || u.h.broken:
		return
	case i == n:
		u.p.add(diag.Diagnostic{Code: "later-step", Message: fmt.Sprintf("step %q refers to its own output", x.Name), Hint: "refer to steps that are written before it", Range: x.Range})
		return
	case i > n:
		u.p.add(diag.Diagnostic{Code: "later-step", Message: fmt.Sprintf("step %q runs after step %q, so its output is not known here", x.Name, u.t.Steps[n].Name), Hint: "steps run in the order written: move it up", Range: x.Range,
			Notes: []diag.Note{{Message: "it is here", Range: u.t.Steps[i].Range}}})
		return
	}
	var names []string
	for _, s := range u.t.Steps[:min(n, len(u.t.Steps))] {
		names = append(names, s.Name)
	}
	hint := didYouMean(x.Name, names, "the steps before are ")
	if hint == "" {
		hint = "it is the first step: refer to args"
	}
	u.p.add(diag.Diagnostic{Code: "unknown-step", Message: fmt.Sprintf("tool %q has no step %q", u.t.Name, x.Name), Hint: hint, Range: x.Range})
}
