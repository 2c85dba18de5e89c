package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The specs of the examples have nothing wrong with them, one layout, and tests
// that pass.
func TestExamples(t *testing.T) {
	specs, err := filepath.Glob(filepath.Join("..", "..", "examples", "*", "*.hcl"))
	if err != nil || len(specs) < 8 {
		t.Fatalf("%d specs of examples: %v", len(specs), err)
	}
	getenv := func(name string) string {
		if name == "MCPC_VAR_org" { // of the curated GitHub
			return "acme"
		}
		return ""
	}
	for _, spec := range specs {
		t.Run(filepath.Base(spec), func(t *testing.T) {
			text, err := os.ReadFile(spec)
			if err != nil {
				t.Fatal(err)
			}
			verbs := [][]string{{"validate", spec, "--no-cache"}, {"fmt", "--check", spec}}
			if bytes.Contains(text, []byte("\ntest \"")) {
				verbs = append(verbs, []string{"test", spec})
			}
			for _, args := range verbs {
				var stdout, stderr bytes.Buffer
				if code := run(t.Context(), bytes.NewReader(nil), &stdout, &stderr, args, getenv); code != exitOK {
					t.Errorf("mcpc %s: exit code %d\n%s%s", args[0], code, stdout.String(), stderr.String())
				}
			}
		})
	}
}
