//go:build unix && !race

package main

import (
	"os/exec"
	"path"
	"path/filepath"
	"testing"

	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/compiler"
)

// What mcpc serve does on SIGHUP, a generated server does.
func TestGeneratedOnHangup(t *testing.T) {
	t.Run("certificates", func(t *testing.T) { certificatesOnHangup(t, generatedServe) })
	t.Run("while ending", func(t *testing.T) { hangupWhileEnding(t, generatedServe) })
}

// generatedServe is a server that was generated and built.
func generatedServe(t *testing.T, spec string) *exec.Cmd {
	t.Helper()
	if testing.Short() {
		t.Skip("a server is generated and built; without -short it is")
	}
	m := newGenerated(t)
	r, err := compiler.Compile(t.Context(), compiler.Options{Target: spec, Model: true})
	if err != nil || r.Plan == nil {
		t.Fatal(err, r)
	}
	dir := m.add(t, "served", r)
	text, err := codegen.Main(path.Join(generatedModule, dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "cmd/main.go", text)
	m.run(t, "go", "build", "-trimpath", "-o", "server", "./cmd")
	return exec.Command(filepath.Join(m.dir, "server"))
}
