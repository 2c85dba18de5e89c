package hclspec_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/curl"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/har"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
	"github.com/mcpc-dev/mcpc/specs/imported"
	"github.com/mcpc-dev/mcpc/specs/postman"
	"github.com/mcpc-dev/mcpc/specs/wsdl"
)

// Whatever an importer reads, it either says what is wrong or gives a spec that
// is well-formed, formatted, and without errors.
func fuzzImport(f *testing.F, kind string, read func(text []byte) (*imported.Spec, diag.List)) {
	archives, err := filepath.Glob(filepath.Join("..", "..", "testdata", "cases", "import", kind+"*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		words := ""
		for _, file := range a.Files {
			if file.Name == "import" {
				words = string(file.Data)
			}
		}
		for _, file := range a.Files {
			if slices.Contains(strings.Fields(words), file.Name) {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		s, diags := read(text)
		for _, format := range diag.Formats() {
			if err := (diag.Printer{Format: diag.Format(format)}).Print(io.Discard, diags); err != nil {
				t.Fatal(err)
			}
		}
		if s == nil {
			if !diags.HasErrors() {
				t.Fatal("no spec, and no error that says why")
			}
			return
		}
		out := hclspec.Print(s)
		formatted, problems := hclspec.Format(&diag.Source{Name: "out.hcl", Text: out})
		if problems.HasErrors() || !bytes.Equal(formatted, out) {
			t.Fatalf("not formatted: %v\n%s", problems, out)
		}
		_, problems = hclspec.Parse(context.Background(), &specs.Reader{Stdin: bytes.NewReader(out), Getenv: func(string) string { return "" }}, "-", hclspec.Options{}, nil)
		for _, d := range problems {
			if d.Severity == diag.Error && d.Code != "missing-variable" {
				t.Fatalf("%s: %s [%s] %s\n%s", d.Range, d.Message, d.Code, d.Hint, out)
			}
		}
	})
}

func FuzzCurl(f *testing.F) {
	f.Add([]byte("curl -X PUT 'http://a/b/{c}?d=${e}' -H 'X: %{if}' -d '<a>1</a>' -H 'Content-Type: text/xml'"))
	fuzzImport(f, "curl", func(text []byte) (*imported.Spec, diag.List) {
		return curl.Read(&diag.Source{Name: "in.sh", Text: text})
	})
}

func FuzzHAR(f *testing.F) {
	fuzzImport(f, "har", func(text []byte) (*imported.Spec, diag.List) {
		return har.Read(&diag.Source{Name: "in.har", Text: text})
	})
}

func FuzzPostman(f *testing.F) {
	fuzzImport(f, "postman", func(text []byte) (*imported.Spec, diag.List) {
		return postman.Read(&diag.Source{Name: "in.json", Text: text})
	})
}

func FuzzWSDL(f *testing.F) {
	fuzzImport(f, "wsdl", func(text []byte) (*imported.Spec, diag.List) {
		return wsdl.Read(context.Background(), &specs.Reader{Stdin: bytes.NewReader(text)}, "-", wsdl.Options{})
	})
}
