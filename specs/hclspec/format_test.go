package hclspec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"white space only", "\n \n", ""},
		{"alignment", "server \"x\" {\ntitle=\"t\"\n   version = \"1\"\n}", "server \"x\" {\n  title   = \"t\"\n  version = \"1\"\n}\n"},
		{"line ends", "locals {\r\n  a = 1\r\n}\r\n\r\n", "locals {\n  a = 1\n}\n"},
		{"comments stay", "# why\nlocals {\n# here\na = 1 # and there\n}\n", "# why\nlocals {\n  # here\n  a = 1 # and there\n}\n"},
		{"texts stay", "locals {\n  a = <<-X\n      deep\n    X\n  b = \"  ${ a }  \"\n}\n", "locals {\n  a = <<-X\n      deep\n    X\n  b = \"  ${a}  \"\n}\n"},
	} {
		got, list := Format(&diag.Source{Name: "x.hcl", Text: []byte(c.text)})
		if string(got) != c.want || len(list) > 0 {
			t.Errorf("%s:\n%s\nwant\n%s\n%v", c.name, got, c.want, list)
		}
		again, _ := Format(&diag.Source{Name: "x.hcl", Text: got})
		if string(again) != string(got) {
			t.Errorf("%s: formatted again it is\n%s", c.name, again)
		}
	}
	_, list := Format(&diag.Source{Name: "x.hcl", Text: []byte("server \"x\" {\n  title = \n}\n")})
	if !list.HasErrors() || !strings.HasPrefix(list[0].Range.String(), "x.hcl:2:") {
		t.Errorf("a syntax error: %v", list)
	}
}

// What the project itself shows is formatted.
func TestSpecsAreFormatted(t *testing.T) {
	n := 0
	for _, pattern := range []string{"testdata/*.hcl", "../../examples/*/*.hcl", "../../examples/*/*/*.hcl"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			n++
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if got, list := Format(&diag.Source{Name: f, Text: text}); string(got) != string(text) {
				t.Errorf("%s is not formatted: run mcpc fmt %s %v", f, f, list)
			}
		}
	}
	if n == 0 {
		t.Error("no spec found")
	}
}
