package judges

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The official suites, against a document and an upstream made for them. What
// a bridge cannot do is listed beside the document, line by line with reasons;
// a line that is not needed any more fails as well.
func TestConformance(t *testing.T) {
	node := node(t)
	stub, score := build(t, "../conformance/stub"), build(t, "../conformance/score")
	for _, suite := range []struct {
		revision string
		flags    []string
	}{
		{"2026-07-28", []string{"--requirements", "2026-07-28"}},
		{"2025-11-25", []string{"--suite", "all"}},
	} {
		t.Run(suite.revision, func(t *testing.T) {
			program := "node_modules/conformance-" + suite.revision + "/dist/index.js"
			need(t, program)
			bothServers(t, func(t *testing.T, serve serveFunc) {
				address := freeAddress(t)
				start(t, time.Minute, listens(address), nil, stub, "-listen", address)
				url := serve(t, nil, "../conformance/conformance.hcl", "--base-url", "http://"+address)
				out := t.TempDir()
				// Its exit code counts the expected failures too: score decides.
				stdout, stderr, _ := run(t, 5*time.Minute, append([]string{node, program, "server", "--url", url, "-o", out}, suite.flags...)...)
				verdict, problem, code := run(t, time.Minute, score, "-expected", "../conformance/expected-failures-"+suite.revision+".txt", out)
				if code != 0 {
					t.Fatalf("%s%s\nthe suite said:\n%.8000s\n%.2000s", verdict, problem, stdout, stderr)
				}
				t.Log(verdict)
			})
		})
	}
}

// build builds a program of the repository for the time of a test.
func build(t *testing.T, pkg string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = pkg
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return program
}
