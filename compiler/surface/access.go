package surface

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Access is who may use a part of a server, and what has to happen before.
type Access struct {
	Scopes  []string `json:"scopes,omitempty"`  // that a caller needs
	Confirm string   `json:"confirm,omitempty"` // what a person is asked; "" for nothing
	Policy  bool     `json:"policy,omitempty"`  // there is one: what no rule allows is denied
	Rules   []Rule   `json:"rules,omitempty"`   // of the policy that are about this part
}

// Rule is a rule of a policy.
type Rule struct {
	Name   string   `json:"name"`
	Effect string   `json:"effect"` // allow or deny
	Scopes []string `json:"scopes,omitempty"`
	When   string   `json:"when,omitempty"` // its condition, as its author might have written it
}

// accessOf is the access to a part; nil when everybody may use it at once.
// patterns are those of a rule about such parts.
func accessOf(p *plan.Server, name string, scopes []string, confirm *plan.Expr, patterns func(*plan.PolicyRule) []string) *Access {
	a := &Access{Scopes: slices.Sorted(slices.Values(scopes)), Policy: p.Policy != nil}
	if confirm != nil {
		a.Confirm = Source(confirm)
	}
	if p.Policy != nil {
		for i := range p.Policy.Rules {
			r := &p.Policy.Rules[i]
			if !r.All() && !plan.Matches(patterns(r), name) {
				continue
			}
			one := Rule{Name: r.Name, Effect: "allow", Scopes: slices.Sorted(slices.Values(r.Scopes))}
			if r.Deny {
				one.Effect = "deny"
			}
			if r.When != nil {
				one.When = Source(r.When)
			}
			a.Rules = append(a.Rules, one)
		}
	}
	if len(a.Scopes) == 0 && a.Confirm == "" && !a.Policy {
		return nil
	}
	return a
}

// changes compares who may use a part: what fewer callers may is breaking, what
// more may is additive. Of a condition that is another nobody knows.
func (a *Access) changes(after *Access, add func(i Impact, place, message string)) {
	if a == nil {
		a = &Access{}
	}
	if after == nil {
		after = &Access{}
	}
	less, more := missing(after.Scopes, a.Scopes), missing(a.Scopes, after.Scopes)
	if len(less) > 0 {
		add(Breaking, "scopes", "needs "+strings.Join(less, " and ")+" now")
	}
	if len(more) > 0 {
		add(Additive, "scopes", "does not need "+strings.Join(more, " and ")+" any more")
	}
	switch {
	case a.Confirm == after.Confirm:
	case a.Confirm == "":
		add(Breaking, "confirm", "a person is asked now")
	case after.Confirm == "":
		add(Additive, "confirm", "nobody is asked any more")
	default:
		add(Wording, "confirm", "the question changed")
	}
	switch {
	case a.Policy && !after.Policy:
		add(Additive, "policy", "there is none any more: everybody may use it")
		return
	case !a.Policy && after.Policy && !slices.ContainsFunc(after.Rules, func(r Rule) bool { return r.Effect == "allow" }):
		add(Breaking, "policy", "there is one now, and no rule allows it")
		return
	case !a.Policy && after.Policy:
		add(Breaking, "policy", "there is one now: what no rule allows is denied")
	}
	now := slices.Clone(after.Rules)
	for i := range a.Rules {
		r := &a.Rules[i]
		at := slices.IndexFunc(now, func(n Rule) bool { return n.Name == r.Name && n.Effect == r.Effect })
		if at < 0 {
			add(impactOf(r.Effect == "deny"), r.place(), "is gone: it "+r.does()+" it no more")
			continue
		}
		r.changes(&now[at], add)
		now = slices.Delete(now, at, at+1)
	}
	for i := range now {
		add(impactOf(now[i].Effect == "allow"), now[i].place(), "is new: it "+now[i].does()+" it")
	}
}

func (r *Rule) place() string { return fmt.Sprintf("rule %q", r.Name) }

func (r *Rule) does() string {
	if r.Effect == "deny" {
		return "denies"
	}
	return "allows"
}

// changes compares two versions of a rule.
func (r *Rule) changes(after *Rule, add func(i Impact, place, message string)) {
	less, more := missing(after.Scopes, r.Scopes), missing(r.Scopes, after.Scopes)
	text := func(scopes []string) string {
		if len(scopes) == 0 {
			return "all callers"
		}
		return "callers with " + strings.Join(scopes, " and ")
	}
	if len(less)+len(more) > 0 {
		impact := Breaking
		if len(less) == 0 || len(more) == 0 {
			impact = impactOf((len(more) > 0) == (r.Effect == "allow"))
		}
		add(impact, r.place(), fmt.Sprintf("is about %s instead of %s", text(after.Scopes), text(r.Scopes)))
	}
	switch {
	case r.When == after.When:
	case r.When == "":
		add(impactOf(r.Effect == "deny"), r.place(), "has a condition now: "+after.When)
	case after.When == "":
		add(impactOf(r.Effect == "allow"), r.place(), "has no condition any more")
	default:
		add(Breaking, r.place(), fmt.Sprintf("its condition is %s instead of %s", after.When, r.When))
	}
}

// impactOf is that of a change by which more callers may, or fewer.
func impactOf(more bool) Impact {
	if more {
		return Additive
	}
	return Breaking
}

// missing are the elements of list that are not in from.
func missing(list, from []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return slices.Contains(from, v) })
}
