package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/cases"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// TestImport imports what the archives of cases/import hold. Besides a spec and
// its calls, which are cases like all others, they hold
//
//	import     the arguments of mcpc import; their output is spec.hcl
//	warnings   what it says on stderr, a line each; no file: nothing
//	secrets    texts that are in neither, one a line
func TestImport(t *testing.T) {
	cases.Each(t, filepath.Join(archives, "import"), func(t *testing.T, archive string) {
		cases.Unpack(t, archive)
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		section := func(name string) string {
			for _, f := range a.Files {
				if f.Name == name {
					return string(f.Data)
				}
			}
			return ""
		}
		var out, errs bytes.Buffer
		args := append([]string{"import"}, strings.Fields(section("import"))...)
		if code := run(t.Context(), strings.NewReader(""), &out, &errs, append(args, "--format", "line"), func(string) string { return "" }); code != exitOK {
			t.Fatalf("exit code %d\n%s", code, errs.String())
		}
		var pretty, again bytes.Buffer
		run(t.Context(), strings.NewReader(""), &again, &pretty, args, func(string) string { return "" })
		for secret := range strings.Lines(section("secrets")) {
			secret = strings.TrimSpace(secret)
			for _, text := range []string{out.String(), errs.String(), pretty.String()} {
				if strings.Contains(text, secret) {
					t.Errorf("the secret %q is in\n%s", secret, text)
				}
			}
		}
		formatted, diags := hclspec.Format(&diag.Source{Name: "spec.hcl", Text: out.Bytes()})
		if diags.HasErrors() || !bytes.Equal(formatted, out.Bytes()) {
			t.Errorf("the output is not formatted: %v\n%s", diags, out.String())
		}
		for name, got := range map[string]string{"spec.hcl": out.String(), "warnings": errs.String()} {
			if got == section(name) {
				continue
			}
			if !*update {
				t.Errorf("%s is\n%s\nwant\n%s", name, got, section(name))
				continue
			}
			replaceSection(a, name, got)
		}
		if *update {
			if err := os.WriteFile(archive, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// replaceSection sets a file of an archive, before the calls when it is new.
func replaceSection(a *txtar.Archive, name, text string) {
	at := len(a.Files)
	for i, f := range a.Files {
		if f.Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
		if strings.Contains(f.Name, "/") {
			at = min(at, i)
		}
	}
	a.Files = append(a.Files[:at], append([]txtar.File{{Name: name, Data: []byte(text)}}, a.Files[at:]...)...)
}
