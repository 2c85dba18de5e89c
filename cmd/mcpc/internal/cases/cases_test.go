package cases

import (
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestStaleSections(t *testing.T) {
	archive := func(names ...string) (out files) {
		for _, n := range names {
			out = append(out, txtar.File{Name: n})
		}
		return out
	}
	got := archive("diagnostics", "a/request", "a/result.json")
	for _, c := range []struct {
		archive files
		want    []string
	}{
		{archive("spec.hcl", "api/t.yaml", "env", "diagnostics", "a/call.json", "a/reply", "a/reply2", "a/request", "a/result.json"), nil},
		{archive("spec.hcl", "a/call.json", "b/reply", "b/request", "b/result.json"), []string{"b/reply", "b/request", "b/result.json"}},
		{archive("spec.hcl", "pretty", "tools.json"), []string{"pretty", "tools.json"}},
	} {
		if stale := c.archive.stale(got); !slices.Equal(stale, c.want) {
			t.Errorf("%q, want %q", stale, c.want)
		}
	}
}
