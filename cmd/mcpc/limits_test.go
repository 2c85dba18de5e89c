package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The reference says what limits are where nothing is written, and SECURITY.md does.
// Both are right: a spec that writes all of them is one that writes none.
func TestDocumentedLimits(t *testing.T) {
	for file, row := range map[string]*regexp.Regexp{
		"../../specs/LANGUAGE.md": regexp.MustCompile("(?m)^\\| `limits\\.([a-z_]+)` \\|[^|]*\\|[^|]*\\| `([^`]+)` \\|"),
		"../../SECURITY.md":       regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9A-Za-z\"]+) \\|"),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		b.WriteString("server \"a\" {\n  limits = {\n")
		rows := row.FindAllStringSubmatch(string(text), -1)
		for _, m := range rows {
			value := strings.Trim(m[2], `"`)
			if strings.Trim(value, "0123456789") != "" {
				value = `"` + value + `"`
			}
			b.WriteString("    " + m[1] + " = " + value + "\n")
		}
		b.WriteString("  }\n}\napi \"a\" { base_url = \"https://a.example\" }\ntool \"a\" {\n  description = \"A.\"\n  request \"GET\" \"/a\" {}\n}\n")
		spec := filepath.Join(t.TempDir(), "spec.hcl")
		if err := os.WriteFile(spec, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := compiler.Compile(t.Context(), compiler.Options{Target: spec})
		if err != nil {
			t.Fatal(err)
		}
		if r.Plan == nil || r.Plan.Inbound == nil {
			t.Fatalf("%s: %v\n%s", file, r.Diagnostics, b.String())
		}
		if want := (*plan.Inbound)(nil).OrDefaults(); *r.Plan.Inbound != want {
			t.Errorf("%s says\n%+v, but the limits are\n%+v", file, *r.Plan.Inbound, want)
		}
	}
}
