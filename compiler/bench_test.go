package compiler

import (
	"fmt"
	"path/filepath"
	"strings"
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

// BenchmarkCompileThousandTools is a spec of 1,000 tools written by hand, from
// its text to the plan.
func BenchmarkCompileThousandTools(b *testing.B) {
	var text strings.Builder
	text.WriteString("api \"erp\" { base_url = \"https://erp.example\" }\n")
	for i := range 1000 {
		fmt.Fprintf(&text, `
tool "search_%d" {
  description = "Find orders by customer and status. Returns at most 50, newest first."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }
  input "status" {
    type    = enum("open", "shipped", "cancelled")
    default = "open"
  }

  request "POST" "/orders/{customer}/search" {
    form = {
      CUSTNO = "C-${args.customer}"
      STAT   = { open = "10", shipped = "40", cancelled = "90" }[args.status]
      MAXROW = 50
    }
  }
}
`, i)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	cpu := cpuTime()
	defer func() { b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op") }()
	for b.Loop() {
		res, err := Compile(b.Context(), Options{Target: "-", Reader: &specs.Reader{Stdin: strings.NewReader(text.String())}})
		if err != nil || res.Plan == nil || len(res.Plan.Tools) != 1000 {
			b.Fatal(err, res.Diagnostics)
		}
	}
}
