package hclspec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
)

// BenchmarkThousandTools loads a spec of 1,000 tools written by hand.
func BenchmarkThousandTools(b *testing.B) {
	var text strings.Builder
	text.WriteString("variable \"token\" { sensitive = true }\napi \"a\" {\n  base_url = \"https://a.example\"\n  auth = bearer(var.token)\n}\n")
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
	client := serve(text.String())
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := &specs.Reader{Client: client}
		if doc, list := Parse(b.Context(), r, "https://x.example/a.hcl", Options{}, fakeLoad); len(list) > 0 || len(doc.Tools) != 1000 {
			b.Fatal(show(list))
		}
	}
}
