package compiler

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/openapi"
)

// BenchmarkCompileGitHub is compiling a large document that was read already.
func BenchmarkCompileGitHub(b *testing.B) {
	benchmarkDocument(b, "specs/github-rest.json")
}

func BenchmarkCompileStripe(b *testing.B) {
	benchmarkDocument(b, "specs/stripe.json")
}

func benchmarkDocument(b *testing.B, entry string) {
	dir := corpus(b)
	api, diags := openapi.Parse(b.Context(), &specs.Reader{}, filepath.Join(dir, entry), openapi.Options{})
	if diags.HasErrors() {
		b.Fatal(diags[0].Message)
	}
	b.ReportAllocs()
	cpu := cpuTime()
	defer func() { b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op") }()
	for b.Loop() {
		if p, list := CompileDocument(direct(api), Options{}); p == nil {
			b.Fatal(list[0].Message)
		}
	}
}

// cpuTime is what the process used so far; on a shared machine the wall clock
// says little.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
