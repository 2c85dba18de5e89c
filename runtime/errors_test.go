package runtime

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

var updateErrors = flag.Bool("update", false, "rewrite ERRORS.md")

// Every code that the runtime can answer is in the table, and nothing else is.
func TestErrorCodes(t *testing.T) {
	known := map[string]bool{}
	for _, c := range result.Codes() {
		if known[c.Word] {
			t.Errorf("%s is in the table twice", c.Word)
		}
		known[c.Word] = true
		for _, text := range []string{c.Meaning, c.Next} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q is no sentence", c.Word, text)
			}
		}
		for word := range strings.SplitSeq(c.Retry, ", ") {
			if !slices.Contains([]string{"no", "may-help", "after", "check-first", "as the spec says", "or unknown"}, word) {
				t.Errorf("%s: there is no retry %q", c.Word, word)
			}
		}
	}
	used := codesInSource(t)
	for code, at := range used {
		if !known[code] {
			t.Errorf("%s: the code %q is not in the table (runtime/internal/result/codes.go)", at, code)
		}
	}
	for code := range known {
		if used[code] == "" {
			t.Errorf("no code says %q any more", code)
		}
	}
}

// passesOn are functions that take a code from their callers.
var passesOn = map[string]bool{"NewToolError": true, "end": true, "refuse": true, "Result": true}

// codesInSource finds the codes in the source of the runtime, and where: first
// arguments of the functions that make failures, and the kinds of failures of
// upstreams.
func codesInSource(t *testing.T) map[string]string {
	t.Helper()
	codes := map[string]string{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		note := func(e ast.Expr, in string) {
			at := set.Position(e.Pos()).String()
			switch e := e.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(e.Value); err == nil {
					codes[s] = at
				}
			case *ast.CallExpr: // the one that is made: fmt.Sprintf("http-%d", …)
				if lit, ok := e.Args[0].(*ast.BasicLit); ok && lit.Value == `"http-%d"` {
					codes["http-NNN"] = at
					return
				}
				t.Errorf("%s: the code cannot be found out", at)
			default:
				if !passesOn[in] {
					t.Errorf("%s: the code cannot be found out; %s is not known to pass one on", at, in)
				}
			}
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				ast.Inspect(d, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok || len(call.Args) < 3 {
						return true
					}
					sel, ok := call.Fun.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					pkg, _ := sel.X.(*ast.Ident)
					if sel.Sel.Name == "Error" && pkg != nil && pkg.Name == "result" || sel.Sel.Name == "refuse" && filepath.Dir(path) == "." {
						note(call.Args[0], d.Name.Name)
					}
					return true
				})
			case *ast.GenDecl:
				for _, s := range d.Specs {
					v, ok := s.(*ast.ValueSpec)
					if !ok || d.Tok != token.CONST || filepath.Base(filepath.Dir(path)) != "upstream" {
						continue
					}
					for i, name := range v.Names {
						if strings.HasPrefix(name.Name, "Kind") && i < len(v.Values) {
							note(v.Values[i], "")
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(codes) < 20 {
		t.Fatalf("only %d codes are found", len(codes))
	}
	return codes
}

// What the expected results of all cases say of retries is what the table says, and
// each says what to do.
func TestErrorsOfCases(t *testing.T) {
	known := map[string]string{}
	for _, c := range result.Codes() {
		known[c.Word] = strings.Replace(c.Retry, "as the spec says, or unknown", "no, may-help, after, check-first, unknown", 1)
	}
	said := regexp.MustCompile(`"code": "([a-z0-9-]+)",\s+"retry": "([a-z-]+)"(?:,\s+"retryAfterSeconds": \d+)?\s+\}\s+\},\s+"content": \[\s+\{\s+"type": "text",\s+"text": ("[^\n]*")`)
	seen := map[string]bool{}
	err := filepath.WalkDir("../testdata/cases", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".txtar" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range said.FindAllStringSubmatch(string(text), -1) {
			code := m[1]
			if strings.HasPrefix(code, "http-") {
				code = "http-NNN"
			}
			seen[code] = true
			if !slices.Contains(strings.Split(known[code], ", "), m[2]) {
				t.Errorf("%s: retry %q of %s is not in the table (runtime/internal/result/codes.go)", path, m[2], m[1])
			}
			message, err := strconv.Unquote(m[3])
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if m[2] != "unknown" && strings.Count(message, "\n") < 2 && !slices.Contains(saysAllItself, code) {
				t.Errorf("%s: %s does not say what to do: %q", path, m[1], message)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 15 {
		t.Errorf("only %d codes are in cases: %v", len(seen), seen)
	}
}

// saysAllItself are codes whose messages are an upstream's, or the author's, who may
// have nothing to say.
var saysAllItself = []string{"upstream-error"}

// ERRORS.md is the table.
func TestErrorsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Failures of calls

<!-- made of runtime/internal/result/codes.go; go test ./runtime -run TestErrorsPage -update -->

A call that fails is a tool result with ` + "`isError`" + `. Its text says what failed, what to do, and whether a retry can help; ` + "`_meta[\"mcpc/error\"]`" + ` has the
same for programs: ` + "`code`, `retry` and `retryAfterSeconds`" + `. Logs and metrics have the code as the outcome. Native code has codes of its own besides
these.

| retry | the same call, made again |
|---|---|
| no | fails the same way |
| may-help | may succeed; nothing was changed, or once more changes nothing |
| after | may succeed after ` + "`retryAfterSeconds`" + ` |
| check-first | may be done twice: it is not known whether it was carried out |
| unknown | only the upstream knows |

| code | what happened | what to do | retry |
|---|---|---|---|
`)
	for _, c := range result.Codes() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Word, c.Meaning, c.Next, c.Retry)
	}
	if *updateErrors {
		if err := os.WriteFile("ERRORS.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("ERRORS.md"); err != nil || string(got) != b.String() {
		t.Errorf("ERRORS.md is not made of the table any more (%v); -update rewrites it", err)
	}
}
