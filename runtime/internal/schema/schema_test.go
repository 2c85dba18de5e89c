package schema

import (
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const flat = `{"type":"object","properties":{"owner":{"type":"string"},"repo":{"type":"string","pattern":"^[a-z-]+$"},"page":{"type":"integer","minimum":1,"maximum":100},"state":{"type":"string","enum":["open","closed","all"]}},"required":["owner","repo"],"additionalProperties":false}`

func BenchmarkCheck(b *testing.B) {
	v, err := Compile(plan.Schema(flat))
	if err != nil {
		b.Fatal(err)
	}
	a, _ := args.Decode([]byte(`{"owner":"octo","repo":"hello-world","page":3,"state":"open"}`))
	b.ReportAllocs()
	for b.Loop() {
		if p := v.Check(a.Values); p != nil {
			b.Fatal(p)
		}
	}
}
