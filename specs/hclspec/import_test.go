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
	if err != nil || len(archives) == 0 {
		f.Fatalf("no archive of %s: %v", kind, err)
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
	f.Add([]byte("curl -u 'x:http://' http://a.example svc:pa55-w0rd 'http://a.{b}'"))
	f.Add([]byte("curl -H 'Content-Type: app\xfflication/json; charset=x' -d '{\"a\": 1}' http://a.example"))
	f.Add([]byte("curl \"https://$API_TOKEN/x\" http://b.example"))
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

// What is printed reads back as what was meant, whatever texts hold.
func FuzzPrint(f *testing.F) {
	for _, s := range []string{"plain", "a \"b\" \\ ${c} %{d} $${e}", "line\nline\r\n\ttab", "\x00\x1b\u2028\u202e\ufeff", "for", "", "EOT\nEOT", "<a>\n  <b>1</b>\n</a>", "日本語 ä", "~}", "'"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		name, text = strings.ToValidUTF8(name, ""), strings.ToValidUTF8(text, "")
		if len(name)+len(text) > 1<<14 || strings.ContainsRune(name+text, '\uFFFD') {
			return
		}
		value := specs.NewObject(specs.F(name, specs.NewArray(specs.NewString(text), specs.NewNumber("-1.50"), &specs.Node{})), specs.F(name+"2", specs.NewString(name)))
		api := &imported.API{Name: "a", BaseURL: imported.Text("https://a.example")}
		out := hclspec.Print(&imported.Spec{Name: "s", Title: text, APIs: []*imported.API{api}, Tools: []*imported.Tool{{
			Name: "t", Description: "d " + text, API: api,
			Inputs:  []*imported.Input{{Name: "i", Description: name, Schema: specs.NewObject(specs.F("type", specs.NewString("string"))), Default: specs.NewString(text)}},
			Request: imported.Request{Method: "POST", Path: "/{i}", JSON: imported.Const(value)},
		}}})
		doc, problems := hclspec.Parse(context.Background(), &specs.Reader{Stdin: bytes.NewReader(out)}, "-", hclspec.Options{}, nil)
		if problems.HasErrors() || len(doc.Tools) != 1 {
			t.Fatalf("%v\n%s", problems, out)
		}
		got := doc.Tools[0]
		if json := got.Request.JSON; json.Op != specs.ExprConst || json.Value.JSON() != value.JSON() {
			t.Errorf("the body is %+v, want %s\n%s", json.Value.JSON(), value.JSON(), out)
		}
		if d := got.Inputs[0].Default; d == nil || d.Text != text {
			t.Errorf("the default is %v, want %q\n%s", d, text, out)
		}
		if words := strings.Fields(got.Description.Value); !slices.Equal(words, strings.Fields("d "+text)) {
			t.Errorf("the description is %q, want %q\n%s", got.Description.Value, "d "+text, out)
		}
	})
}
