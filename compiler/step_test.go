package compiler

import (
	"slices"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A tool of steps promises no more than the tools it calls, and asks for what
// they ask for, whatever the order they are written in.
func TestStepsInherit(t *testing.T) {
	res := compileText(t, `
api "a" { base_url = "https://a.example" }
tool "outer" {
  scopes = ["outer"]
  step "inner" { call = tool.inner }
}
tool "inner" {
  internal = true
  step "read" { call = tool.read }
  step "write" { call = tool.write }
}
tool "read" {
  scopes = ["read", "outer"]
  request "GET" "/" {}
}
tool "write" {
  scopes     = ["write"]
  idempotent = true
  open_world = false
  request "POST" "/" {}
}`, Options{})
	if res.Plan == nil {
		t.Fatal(messages(res))
	}
	for _, c := range []struct {
		name     string
		scopes   []string
		hints    plan.Hints
		internal bool
	}{
		{"outer", []string{"outer", "read", "write"}, plan.Hints{Idempotent: true, OpenWorld: true}, false},
		{"inner", []string{"read", "outer", "write"}, plan.Hints{Idempotent: true, OpenWorld: true}, true},
	} {
		i := slices.IndexFunc(res.Plan.Tools, func(t plan.Tool) bool { return t.Name == c.name })
		if p := res.Plan.Tools[i]; !slices.Equal(p.Scopes, c.scopes) || p.Hints != c.hints || p.Internal != c.internal {
			t.Errorf("%s: %q %+v %v", c.name, p.Scopes, p.Hints, p.Internal)
		}
	}
}
