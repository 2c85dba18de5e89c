package policy

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func konst(s string) plan.Expr { return plan.Expr{Op: plan.OpConst, Const: s} }

func arg(name string) plan.Expr { return plan.Expr{Op: plan.OpArg, Name: name} }

func of(root string, path ...string) plan.Expr {
	x := plan.Expr{Op: plan.OpVar, Name: root}
	for _, p := range path {
		x = plan.Expr{Op: plan.OpGet, Name: p, Args: []plan.Expr{x}}
	}
	return x
}

func op(name string, args ...plan.Expr) plan.Expr {
	return plan.Expr{Op: plan.OpCall, Name: name, Args: args}
}

func when(x plan.Expr) *plan.Expr { return &x }

var alice = &identity.Caller{
	Principal: principal.Principal{Tenant: "acme", Subject: "alice", Client: "desk"},
	Identity:  "people",
	Scopes:    []string{"orders:read", "orders:write"},
	Claims:    map[string]any{"level": 7.0, "groups": []any{"a", "b"}, "at": struct{}{}},
}

func TestDecide(t *testing.T) {
	acme := op("==", of("caller", "tenant"), konst(`"acme"`))
	small := op("<", arg("amount"), konst("100"))
	broken := op("<", of("caller", "scopes"), konst("1"))
	allow := func(x *plan.Expr) plan.PolicyRule { return plan.PolicyRule{Name: "allow", When: x} }
	deny := func(x *plan.Expr) plan.PolicyRule { return plan.PolicyRule{Name: "deny", Deny: true, When: x} }
	args := func(amount string) map[string]any { return map[string]any{"amount": json.Number(amount)} }
	var list map[string]any
	other := &identity.Caller{Principal: principal.Principal{Tenant: "evil"}}

	for name, test := range map[string]struct {
		rules []plan.PolicyRule
		who   *identity.Caller
		args  map[string]any
		want  bool
		rule  string
	}{
		"no rule":                    {nil, alice, args("1"), false, ""},
		"allowed":                    {[]plan.PolicyRule{allow(nil)}, alice, args("1"), true, "allow"},
		"nobody allowed":             {[]plan.PolicyRule{allow(nil)}, nil, args("1"), true, "allow"},
		"deny wins over the first":   {[]plan.PolicyRule{allow(nil), deny(nil)}, alice, args("1"), false, "deny"},
		"tool fits":                  {[]plan.PolicyRule{{Name: "x", Tools: []string{"other", "re*d"}}}, alice, args("1"), true, "x"},
		"tool does not":              {[]plan.PolicyRule{{Name: "x", Tools: []string{"re*x", "fund"}}}, alice, args("1"), false, ""},
		"about resources":            {[]plan.PolicyRule{{Name: "x", Resources: []string{"*"}}}, alice, args("1"), false, ""},
		"scopes":                     {[]plan.PolicyRule{{Name: "x", Scopes: []string{"orders:write", "orders:read"}}}, alice, args("1"), true, "x"},
		"one scope short":            {[]plan.PolicyRule{{Name: "x", Scopes: []string{"orders:write", "admin"}}}, alice, args("1"), false, ""},
		"scopes of nobody":           {[]plan.PolicyRule{{Name: "x", Scopes: []string{"orders:write"}}}, nil, args("1"), false, ""},
		"deny others by scope":       {[]plan.PolicyRule{allow(nil), {Name: "x", Deny: true, Scopes: []string{"admin"}}}, alice, args("1"), true, "allow"},
		"condition":                  {[]plan.PolicyRule{allow(when(acme))}, alice, args("1"), true, "allow"},
		"condition of another":       {[]plan.PolicyRule{allow(when(acme))}, other, args("1"), false, ""},
		"condition of nobody":        {[]plan.PolicyRule{allow(when(acme))}, nil, args("1"), false, ""},
		"facts":                      {[]plan.PolicyRule{allow(when(of("tool", "destructive")))}, alice, args("1"), true, "allow"},
		"a fact that is false":       {[]plan.PolicyRule{allow(when(of("tool", "read_only")))}, alice, args("1"), false, ""},
		"claim that is a number":     {[]plan.PolicyRule{allow(when(op(">=", of("caller", "claims", "level"), konst("7"))))}, alice, args("1"), true, "allow"},
		"claim that is not there":    {[]plan.PolicyRule{allow(when(of("caller", "claims", "nothing")))}, alice, args("1"), false, ""},
		"claim of an odd kind":       {[]plan.PolicyRule{allow(when(op("==", of("caller", "claims", "at"), konst("null"))))}, alice, args("1"), true, "allow"},
		"small enough":               {[]plan.PolicyRule{allow(when(op("&&", acme, small)))}, alice, args("99"), true, "allow"},
		"too much":                   {[]plan.PolicyRule{allow(when(op("&&", acme, small)))}, alice, args("100"), false, ""},
		"no amount":                  {[]plan.PolicyRule{allow(when(op("&&", acme, small)))}, alice, map[string]any{}, false, ""},
		"listed":                     {[]plan.PolicyRule{allow(when(op("&&", acme, small)))}, alice, list, true, "allow"},
		"not listed for another":     {[]plan.PolicyRule{allow(when(op("&&", small, acme)))}, other, list, false, ""},
		"or needs arguments":         {[]plan.PolicyRule{allow(when(op("||", small, acme)))}, other, list, true, "allow"},
		"deny by argument":           {[]plan.PolicyRule{allow(nil), deny(when(op("!", small)))}, alice, args("100"), false, "deny"},
		"deny by argument, small":    {[]plan.PolicyRule{allow(nil), deny(when(op("!", small)))}, alice, args("1"), true, "allow"},
		"deny by missing argument":   {[]plan.PolicyRule{allow(nil), deny(when(op("!", small)))}, alice, map[string]any{}, false, "deny"},
		"deny by argument is listed": {[]plan.PolicyRule{allow(nil), deny(when(op("!", small)))}, alice, list, true, "allow"},
		"deny without is not listed": {[]plan.PolicyRule{allow(nil), deny(when(acme))}, alice, list, false, "deny"},
		"error in allow":             {[]plan.PolicyRule{allow(when(broken))}, alice, args("1"), false, "allow"},
		"error in deny":              {[]plan.PolicyRule{allow(nil), deny(when(broken))}, alice, args("1"), false, "deny"},
		"error in a list":            {[]plan.PolicyRule{allow(when(broken))}, alice, list, false, "allow"},
		"not a condition":            {[]plan.PolicyRule{allow(when(konst(`"yes"`)))}, alice, args("1"), false, "allow"},
	} {
		p, err := New(&plan.Policy{Rules: test.rules})
		if err != nil {
			t.Fatal(name, err)
		}
		target := p.Tool(&plan.Tool{Name: "refund", Hints: plan.Hints{Destructive: true}})
		d := target.Decide(test.who, target.Env(test.who, test.args))
		if d.Allowed != test.want || d.Rule != test.rule {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// What a list hides cannot be called, whatever the arguments are.
func TestListsHideNoMoreThanCallsRefuse(t *testing.T) {
	small := op("<", arg("amount"), konst("100"))
	conditions := []*plan.Expr{nil, when(small), when(of("tool", "destructive")), when(of("tool", "read_only")), when(op("&&", small, of("tool", "destructive"))),
		when(op("||", of("tool", "read_only"), small)), when(konst("null")), when(op("<", of("caller", "scopes"), konst("1")))}
	for i, a := range conditions {
		for j, b := range conditions {
			for deny := range 4 {
				p, err := New(&plan.Policy{Rules: []plan.PolicyRule{{Name: "a", Deny: deny&1 > 0, When: a}, {Name: "b", Deny: deny&2 > 0, When: b}}})
				if err != nil {
					t.Fatal(err)
				}
				target := p.Tool(&plan.Tool{Name: "refund", Hints: plan.Hints{Destructive: true}})
				if target.Decide(alice, target.Env(alice, nil)).Allowed {
					continue
				}
				for _, args := range []map[string]any{{}, {"amount": json.Number("1")}, {"amount": json.Number("1000")}, {"amount": "x"}} {
					if d := target.Decide(alice, target.Env(alice, args)); d.Allowed {
						t.Errorf("conditions %d and %d, deny %b: hidden, and allowed for %v by %s", i, j, deny, args, d.Rule)
					}
				}
			}
		}
	}
}

func TestOddTargets(t *testing.T) {
	if p, err := New(nil); p != nil || err != nil {
		t.Error("no policy", p, err)
	}
	var none *Policy
	if d := none.Tool(&plan.Tool{}).Decide(nil, (*Target)(nil).Env(nil, nil)); !d.Allowed {
		t.Error("without a policy", d)
	}
	if _, err := New(&plan.Policy{Rules: []plan.PolicyRule{{Name: "x", When: &plan.Expr{Op: "nonsense"}}}}); err == nil {
		t.Error("a plan that cannot be executed is accepted")
	}
	for want, d := range map[string]Decision{
		"No policy rule allows it.":                            {},
		`The policy rule "r" denies it.`:                       {Rule: "r"},
		`The policy rule "r" allows it.`:                       {Rule: "r", Allowed: true},
		`The policy rule "r" cannot be decided, which denies.`: {Rule: "r", Err: errors.New("x")},
	} {
		if d.String() != want {
			t.Errorf("%q, want %q", d, want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p, err := New(&plan.Policy{Rules: []plan.PolicyRule{
		{Name: "readers", Scopes: []string{"orders:read"}, When: when(of("tool", "read_only"))},
		{Name: "small", Tools: []string{"refund*"}, When: when(op("&&", op("==", of("caller", "tenant"), konst(`"acme"`)), op("<", arg("amount"), konst("100"))))},
		{Name: "never", Deny: true, Tools: []string{"drop_*"}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	target := p.Tool(&plan.Tool{Name: "refund"})
	args := map[string]any{"amount": json.Number("7")}
	b.ReportAllocs()
	for b.Loop() {
		if !target.Decide(alice, target.Env(alice, args)).Allowed {
			b.Fatal("denied")
		}
	}
}
