// Package policy decides whether a caller may do something. There is one
// decision for listing and for calling: what a list shows, a call may still be
// refused for its arguments, but what a list hides can never be called.
//
// What is in doubt is denied: no rule that allows, a condition that fails, or a
// condition of a rule that denies which is neither true nor false.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Policy is a plan's policy, ready to decide.
type Policy struct{ rules []rule }

type rule struct {
	*plan.PolicyRule
	// when is the condition, cut at its outermost &&.
	when []condition
	args bool // one of them needs arguments
}

type condition struct {
	holds expr.Func
	args  bool
}

// New makes a policy of a plan's. Nil stays nil.
func New(p *plan.Policy) (*Policy, error) {
	if p == nil {
		return nil, nil
	}
	out := &Policy{rules: make([]rule, len(p.Rules))}
	for i := range p.Rules {
		r := &out.rules[i]
		r.PolicyRule = &p.Rules[i]
		if r.When == nil {
			continue
		}
		for _, part := range conjuncts(*r.When) {
			f, err := expr.Compile(part)
			if err != nil {
				return nil, fmt.Errorf("policy: rule %s: when: %w", r.Name, err)
			}
			c := condition{f, needsArgs(part)}
			r.when = append(r.when, c)
			r.args = r.args || c.args
		}
	}
	return out, nil
}

// conjuncts are what && joins.
func conjuncts(e plan.Expr) []plan.Expr {
	if e.Op == plan.OpCall && e.Name == "&&" {
		var out []plan.Expr
		for _, a := range e.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []plan.Expr{e}
}

func needsArgs(e plan.Expr) bool {
	return e.Op == plan.OpArg || slices.ContainsFunc(e.Args, needsArgs)
}

// Target is something that a policy decides about: its rules, those that deny
// first, and what conditions know of it.
type Target struct {
	rules []*rule
	facts map[string]any
	args  bool // a rule needs arguments
}

// Tool is the target of a tool; nil where there is no policy.
func (p *Policy) Tool(t *plan.Tool) *Target {
	return p.target(t.Name, t, func(r *plan.PolicyRule) []string { return r.Tools })
}

// Resource is the target of a resource, whose name is its URI or template.
func (p *Policy) Resource(r *plan.Resource) *Target {
	return p.target(r.URI, &r.Call, func(r *plan.PolicyRule) []string { return r.Resources })
}

// Prompt is the target of a prompt.
func (p *Policy) Prompt(t *plan.Prompt) *Target {
	call := t.Call
	if call == nil {
		call = &plan.Tool{Hints: plan.Hints{ReadOnly: true, Idempotent: true}}
	}
	return p.target(t.Name, call, func(r *plan.PolicyRule) []string { return r.Prompts })
}

func (p *Policy) target(name string, t *plan.Tool, patterns func(*plan.PolicyRule) []string) *Target {
	if p == nil {
		return nil
	}
	out := &Target{facts: Facts(name, t.Hints)}
	for _, deny := range []bool{true, false} {
		for i := range p.rules {
			r := &p.rules[i]
			if r.Deny == deny && (r.All() || plan.Matches(patterns(r.PolicyRule), name)) {
				out.rules = append(out.rules, r)
				out.args = out.args || r.args
			}
		}
	}
	return out
}

// NeedsArgs tells whether arguments can change the decision.
func (t *Target) NeedsArgs() bool { return t.args }

// Decision is what a policy says.
type Decision struct {
	Allowed bool
	Rule    string // that decided; "" when none holds
	Err     error  // why the rule's condition has no value
	// Scopes are those that whoever calls needs in any case, when he lacks one: no
	// rule was asked then.
	Scopes []string
}

// String says it in one sentence.
func (d Decision) String() string {
	switch {
	case len(d.Scopes) > 0:
		return fmt.Sprintf("A caller needs the scopes %s.", strings.Join(d.Scopes, " "))
	case d.Err != nil:
		return fmt.Sprintf("The policy rule %q cannot be decided, which denies.", d.Rule)
	case d.Allowed && d.Rule == "":
		return "There is no policy."
	case d.Allowed:
		return fmt.Sprintf("The policy rule %q allows it.", d.Rule)
	case d.Rule == "":
		return "No policy rule allows it."
	}
	return fmt.Sprintf("The policy rule %q denies it.", d.Rule)
}

// Decide decides on a call; or, without an Env's Args, on whether a list shows
// the target: then a rule whose condition needs arguments holds when it allows
// and the rest of it is true, and does not when it denies.
//
// env is of [Env]. The decision of a nil Target is to allow.
func (t *Target) Decide(who *identity.Caller, env *expr.Env) Decision {
	if t == nil {
		return Decision{Allowed: true}
	}
	for _, r := range t.rules {
		if !who.Has(r.Scopes) {
			continue
		}
		holds, err := r.holds(env)
		if err != nil {
			return Decision{Rule: r.Name, Err: err}
		}
		if holds {
			return Decision{Allowed: !r.Deny, Rule: r.Name}
		}
	}
	return Decision{}
}

// holds evaluates the condition of a rule.
func (r *rule) holds(env *expr.Env) (bool, error) {
	listing := env.Args == nil
	if listing && r.Deny && r.args {
		return false, nil
	}
	for _, c := range r.when {
		if listing && c.args {
			continue
		}
		if ok, err := expr.Holds(c.holds, env, r.Deny); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// Env is what conditions on a call know. Nil args are a list's.
func (t *Target) Env(who *identity.Caller, args map[string]any) *expr.Env {
	if t == nil {
		return &expr.Env{Args: args}
	}
	return &expr.Env{Args: args, Vars: Vars(who, t.facts)}
}

// Vars are what expressions on a call know besides args: caller and tool. Facts
// are of [Facts].
func Vars(who *identity.Caller, facts map[string]any) map[string]any {
	return map[string]any{"tool": facts, "caller": who.Facts()}
}

// Facts are what expressions know as tool.
func Facts(name string, h plan.Hints) map[string]any {
	return map[string]any{"name": name, "read_only": h.ReadOnly, "destructive": h.Destructive, "idempotent": h.Idempotent, "open_world": h.OpenWorld}
}
