package transport

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// judge shows a caller the tools whose letters are in the caller's subject.
type judge struct{ Caller }

func (judge) Visible(_ context.Context, who principal.Principal) (tool, resource, prompt func(i int) bool) {
	show := func(i int) bool { return strings.Contains(who.Subject, string(rune('a'+i))) }
	return show, show, show
}

// Callers get their own lists, and no more of them are kept than a few, however
// many there could be.
func TestListsOfCallers(t *testing.T) {
	p := &plan.Server{Name: "many", Policy: &plan.Policy{}}
	for i := range 10 {
		letter := string(rune('a' + i))
		p.Tools = append(p.Tools, plan.Tool{Name: letter, Input: `{"type":"object"}`})
		p.Resources = append(p.Resources, plan.Resource{URI: letter + "://", Name: letter})
		p.Prompts = append(p.Prompts, plan.Prompt{Name: letter})
	}
	f := New(p, judge{}, Options{})
	for set := range 1 << 10 {
		var subject strings.Builder
		for i := range 10 {
			if set&(1<<i) != 0 {
				fmt.Fprintf(&subject, "%c", 'a'+i)
			}
		}
		for _, kind := range []listKind{listTools, listResources, listPrompts} {
			text := string(f.listFor(t.Context(), principal.Principal{Subject: subject.String()}, kind, Legacy))
			for i := range 10 {
				if strings.Contains(text, fmt.Sprintf(`"name":"%c"`, 'a'+i)) != (set&(1<<i) != 0) {
					t.Fatalf("%q: kind %d: %s", subject.String(), kind, text)
				}
			}
		}
	}
	if n := len(f.seen.lists); n > maxSeen {
		t.Errorf("%d lists are kept", n)
	}
}
