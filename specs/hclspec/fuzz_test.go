package hclspec

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// parseText parses a text as if it came from a pipe (HCL) or a file name.
func parseText(text []byte, isJSON bool) (*specs.Document, diag.List) {
	path := "https://x.example/a.hcl"
	if isJSON {
		path += ".json"
	}
	r := &specs.Reader{Client: serve(string(text)), Getenv: func(string) string { return "" }}
	return Parse(context.Background(), r, path, Options{Tests: true}, fakeLoad)
}

// checkSound fails when a result breaks what every caller relies on.
func checkSound(t *testing.T, text []byte, doc *specs.Document, list diag.List) {
	if doc == nil {
		t.Fatal("no document")
	}
	place := func(r diag.Range) {
		if r.Source == nil {
			return
		}
		if r.Start < 0 || r.End < r.Start || r.End > len(r.Source.Text) {
			t.Fatalf("range %d to %d is outside of the text of %d bytes", r.Start, r.End, len(r.Source.Text))
		}
	}
	for _, d := range list {
		place(d.Range)
		for _, n := range d.Notes {
			place(n.Range)
		}
		if d.Code == "" || d.Message == "" || strings.HasSuffix(d.Message, ".") {
			t.Fatalf("diagnostic %+v", d)
		}
	}
	for _, tool := range doc.Tools {
		place(tool.Range)
		for _, in := range tool.Inputs {
			place(in.Range)
			if in.Schema != nil {
				place(in.Schema.Range())
			}
		}
		for _, request := range append(slices.Clone(tool.Choices), tool.Request) {
			if request == nil {
				continue
			}
			for _, x := range requestExprs(request) {
				eachExpr(x, func(x *specs.Expr) {
					place(x.Range)
					if (x.Op == specs.ExprConst) != (x.Value != nil) || (x.Op == specs.ExprSecret) != (x.Secret != nil) {
						t.Fatalf("expression %s", dump(x))
					}
				})
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	archives, _ := filepath.Glob("testdata/mistakes/*.txtar")
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".hcl") || strings.HasSuffix(file.Name, ".json") {
				f.Add(file.Data, strings.HasSuffix(file.Name, ".json"))
			}
		}
	}
	for _, name := range []string{"erp.hcl", "github.hcl", "erp.hcl.json"} {
		f.Add([]byte(readFile(f, "testdata/"+name)), strings.HasSuffix(name, ".json"))
	}
	f.Fuzz(func(t *testing.T, text []byte, isJSON bool) {
		doc, list := parseText(text, isJSON)
		checkSound(t, text, doc, list)
	})
}

func TestNotUTF8(t *testing.T) {
	for _, text := range []string{"server \"x\" {\n  title = \"\xe9\"\n}\n", "\xEF\xBB\xBFserver \"x\" {}"} {
		for _, isJSON := range []bool{false, true} {
			doc, list := parseText([]byte(text), isJSON)
			checkSound(t, []byte(text), doc, list)
			if len(list) != 1 || list[0].Code != "not-utf8" {
				t.Errorf("%q:\n%s", text, show(list))
			}
		}
	}
}

// Texts made to exhaust a recursive parser are refused, quickly.
func TestHostileText(t *testing.T) {
	many := func(s string) string { return strings.Repeat(s, 60_000/len(s)) }
	for name, text := range map[string]string{
		"parentheses":  "locals {\n a = " + many("(") + "\n}",
		"lists":        "locals {\n a = " + many("[") + "\n}",
		"blocks":       many("a {\n"),
		"templates":    "locals {\n a = " + many(`"${`) + "\n}",
		"not":          "locals {\n a = " + many("!") + "true\n}",
		"minus":        "locals {\n a = " + many("- ") + "1\n}",
		"conditionals": "locals {\n a = " + many("true ? 1 : ") + "2\n}",
		"sums":         "locals {\n a = 1" + many(" + 1") + "\n}",
		"members":      "locals {\n a = a" + many(".a") + "\n}",
		"indexes":      "locals {\n a = a" + many("[b.c]") + "\n}",
		"splats":       "locals {\n a = a" + many("[*]") + "\n}",
		"ifs":          "locals {\n a = \"" + many("%{if true}") + "\"\n}",
		"objects":      "locals {\n a = " + many("{a=") + "\n}",
		"calls":        "locals {\n a = " + many("upper(") + "\n}",
		"doubling":     doubling("\"${local.l%d}${local.l%d}\""),
		"tripling":     doubling("[local.l%d, local.l%d]"),
		"types":        "variable \"a\" { type = " + many("list(") + " }",
		"heredocs":     "locals {\n a = " + many("<<A\n") + "\n}",
		"attributes":   "server \"x\" {\n" + many("a = 1\n") + "}",
		"labels":       "server " + many(`"x" `) + "{}",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			doc, list := parseText([]byte(text), false)
			checkSound(t, []byte(text), doc, list)
			if !list.HasErrors() {
				t.Error("accepted")
			}
			t.Logf("%v, %d diagnostics", time.Since(start).Round(time.Millisecond), len(list))
		})
	}
	for name, text := range map[string]string{
		"json lists":   many("["),
		"json objects": many(`{"a":`),
		"json text":    `{"locals": {"a": "` + many("${(") + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			doc, list := parseText([]byte(text), true)
			checkSound(t, []byte(text), doc, list)
			if !list.HasErrors() {
				t.Error("accepted")
			}
		})
	}
}

// doubling makes locals each of which holds the one before twice.
func doubling(form string) string {
	var b bytes.Buffer
	b.WriteString("locals {\n  l0 = \"0123456789\"\n")
	for i := range 60 {
		fmt.Fprintf(&b, "  l%d = "+form+"\n", i+1, i, i)
	}
	b.WriteString("}\n")
	return b.String()
}
