package compiler

import (
	"path/filepath"
	"testing"

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
	for b.Loop() {
		if p, list := CompileDocument(direct(api), Options{}); p == nil {
			b.Fatal(list[0].Message)
		}
	}
}
