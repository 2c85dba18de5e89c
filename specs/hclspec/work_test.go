//go:build unix && !race

package hclspec

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// cpuTime is what this process has used: other programs of the machine do not
// count.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of oneself, never fails
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Little text that asks for much work ends soon, with a place; and at once when
// nobody waits for it any more.
func TestHostileWork(t *testing.T) {
	loop := func(n int, what string) string {
		return fmt.Sprintf("locals {\n  big = range(20000)\n  map = { for i in local.big : \"k${i}\" => i }\n  long = join(\"\", [for i in local.big : \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"])\n  out = [for i in range(%d) : %s]\n}\n", n, what)
	}
	for name, text := range map[string]string{
		"values":             loop(20000, `[for j in local.big : "${i}-${j}"]`),
		"reading":            loop(20000, `length(local.big)`),
		"comparing":          loop(20000, `local.big == local.big`),
		"looking for":        loop(20000, `local.map["k19999"]`),
		"matching":           loop(2000, `length(regexall("(a?){900}b", local.long))`),
		"compiling":          loop(20000, `regexreplace("x", "(a?){900}${i}", "")`),
		"long texts":         loop(20000, `length(upper(local.long))`),
		"what is not wanted": loop(20000, `false ? length(local.big) : 1`),
	} {
		t.Run(name, func(t *testing.T) {
			start := cpuTime()
			_, list := parseText([]byte(text), false)
			took := cpuTime() - start
			i := slices.IndexFunc(list, func(d diag.Diagnostic) bool { return d.Code == "too-large" })
			if i < 0 || list[i].Range.IsZero() || list[i].Hint == "" {
				t.Errorf("not refused with a place: %v", list)
			}
			t.Logf("%v of CPU", took.Round(time.Millisecond))
			if took > 6*time.Second {
				t.Errorf("it took %v of CPU", took)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			read := &specs.Reader{Client: serve(text)}
			doc, list := Parse(ctx, read, "https://specs.example/a.hcl", Options{}, func(Source) (*specs.API, diag.List) { return nil, nil })
			if doc != nil && !list.HasErrors() {
				t.Error("a spec that nobody waits for was read")
			}
		})
	}
}
