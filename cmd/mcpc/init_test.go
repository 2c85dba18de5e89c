package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/starter"
)

// Every project that mcpc init makes is one its author can be proud of: without
// warnings, in the canonical layout, with tests that pass.
func TestStarters(t *testing.T) {
	for _, k := range starter.Kinds {
		t.Run(k.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "My Service")
			verb := func(args ...string) string {
				t.Helper()
				var out, errs bytes.Buffer
				if code := run(t.Context(), strings.NewReader(""), &out, &errs, args, func(string) string { return "" }); code != exitOK {
					t.Errorf("mcpc %s: exit code %d\n%s%s", args[0], code, out.String(), errs.String())
				}
				if args[0] != "init" && errs.Len() > 0 {
					t.Errorf("mcpc %s says\n%s", args[0], errs.String())
				}
				return out.String()
			}
			verb("init", dir, "--kind", k.Name)
			if out := verb("fmt", "--check", dir); out != "" {
				t.Errorf("not formatted: %s", out)
			}
			verb("validate", dir, "--no-cache", "--strict")
			if out := verb("lint", dir, "--no-cache"); !strings.Contains(out, " 0 findings") {
				t.Errorf("lint: %s", out)
			}
			if out := verb("test", dir, "--no-cache"); !strings.Contains(out, ", 0 failed") || !strings.Contains(out, "ok ") {
				t.Errorf("tests: %s", out)
			}
		})
	}
}
