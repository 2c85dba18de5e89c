package request

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func TestAddressAndHeaderLimits(t *testing.T) {
	r := plan.Request{
		Method: "GET",
		Path:   []plan.Segment{{Literal: "/x"}},
		Query:  []plan.Param{{Name: "q", Arg: "q"}},
		Header: []plan.Param{{Name: "X-H", Arg: "h"}},
		Cookie: []plan.Param{{Name: "c", Arg: "c"}},
	}
	arg := func(name string, size int) string { return `{"` + name + `":"` + strings.Repeat("x", size) + `"}` }
	for _, c := range []struct{ args, want string }{
		{arg("q", MaxTarget-len("/xq=")), ""},
		{arg("q", MaxTarget), "the arguments make an address of 65540 bytes, at most 65536 are allowed; send less"},
		{arg("h", MaxHeader), ""},
		{arg("h", MaxHeader+1), "h is too large: 16385 bytes for the header X-H, at most 16384 are allowed"},
		{arg("c", MaxHeader-len("c=")), ""},
		{arg("c", MaxHeader), "the arguments make a Cookie header of 16386 bytes, at most 16384 are allowed; send less"},
	} {
		_, err := build(t, r, c.args)
		got := ""
		if err != nil {
			got = err.Error()
			if !isRefusal(err) {
				t.Errorf("%q is no refusal", got)
			}
		}
		if got != c.want {
			t.Errorf("%d bytes: %q, want %q", len(c.args), got, c.want)
		}
	}
}
