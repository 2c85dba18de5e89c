package codegen

import (
	"go/format"
	"strings"
	"testing"
)

// The main program compiles whatever the package is called, also as its own
// variables are or as what it imports.
func TestMainCompiles(t *testing.T) {
	p, m := compile(t, operationsDocument(operations[:1]))
	for _, row := range []struct{ importPath, pkg, imported string }{
		{"example.com/x/ordersmcp", "ordersmcp", `"example.com/x/ordersmcp"`},
		{"example.com/x/v2", "ordersmcp", `ordersmcp "example.com/x/v2"`},
		{"example.com/x/orders-mcp", "ordersmcp", `ordersmcp "example.com/x/orders-mcp"`},
		{"orders/mcp", "mcp", `"orders/mcp"`},
		{"example.com/x/bridge", "bridge", `bridgemcp "example.com/x/bridge"`},
		{"example.com/x/err", "err", `errmcp "example.com/x/err"`},
		{"example.com/x/o", "o", `omcp "example.com/x/o"`},
		{"example.com/x/os", "os", `"example.com/x/os"`},
		{"example.com/x/runtime", "runtime", `"example.com/x/runtime"`},
		{"example.com/x/command", "command", `"example.com/x/command"`},
		{"example.com/x/string", "string", `"example.com/x/string"`},
	} {
		files, err := Generate(p, m, Options{Package: row.pkg})
		if err != nil {
			t.Fatal(err)
		}
		check := newChecker(t)
		if _, err := check.check(row.importPath, files); err != nil {
			t.Fatal(err)
		}
		text, err := Main(row.importPath, row.pkg)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), row.imported+"\n") {
			t.Errorf("no import %s:\n%s", row.imported, text)
		}
		if formatted, err := format.Source(text); err != nil || string(formatted) != string(text) {
			t.Errorf("not formatted: %v\n%s", err, text)
		}
		if _, err := check.check("example.com/x/main", []File{{"main.go", text}}); err != nil {
			t.Errorf("%s: %v\n%s", row.pkg, err, text)
		}
	}
	if _, err := Main("example.com/x", "a b"); err == nil {
		t.Error("a package called a b")
	}
}
