//go:build unix

package mcpc_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mcpc-dev/mcpc/compiler"
)

// block is a fenced block of a document and the remark above it.
var block = regexp.MustCompile("(?m)^<!-- (runs(?: until \"([^\"]+)\")?) -->\n```sh\n((?:.*\n)*?)```$")

// What the README marks as running runs: in a shell, from a checkout.
func TestReadmeCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts programs")
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d marked commands in the README; there are at least the show and the tour", len(blocks))
	}
	for _, b := range blocks {
		until, script := b[2], b[3]
		t.Run(strings.Fields(script)[0]+" "+strings.Fields(script)[1], func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", script)
			// `go run` starts the program as a child: end them all.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
			cmd.WaitDelay = 20 * time.Second
			if until == "" {
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				return
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var printed strings.Builder
			found := false
			for lines := bufio.NewScanner(out); lines.Scan(); {
				printed.WriteString(lines.Text() + "\n")
				if strings.Contains(lines.Text(), until) {
					found = true
					cancel()
				}
			}
			err = cmd.Wait()
			if !found {
				t.Fatalf("it never printed %q: %v\n%s%s", until, err, printed.String(), stderr.String())
			}
		})
	}
}

// The HCL that documents show compiles.
func TestDocumentedSpecs(t *testing.T) {
	spec := regexp.MustCompile("(?m)^```hcl\n((?:.*\n)*?)```$")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := spec.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no HCL")
	}
	for _, b := range blocks {
		path := filepath.Join(t.TempDir(), "readme.hcl")
		if err := os.WriteFile(path, []byte(b[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := compiler.Compile(t.Context(), compiler.Options{Target: path})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Diagnostics {
			t.Errorf("%s: %s", d.Range, d.Message)
		}
		if r.Plan == nil || len(r.Plan.Tools) == 0 {
			t.Error("the README's spec has no tools")
		}
	}
}

// The workflow to copy runs what mcpc understands: here, on the order system.
func TestWorkflow(t *testing.T) {
	text, err := os.ReadFile("examples/ci/generate.yml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Uses, Run string }
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, job := range workflow.Jobs {
		for _, step := range job.Steps {
			args, ok := strings.CutPrefix(step.Run, "go tool -modfile=tools.mod mcpc ")
			if !ok {
				continue
			}
			ran++
			cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "../../cmd/mcpc"}, strings.Fields(args)...)...)
			cmd.Dir = "examples/orders"
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", step.Run, err, out)
			}
		}
	}
	if ran != 1 {
		t.Errorf("the workflow runs mcpc %d times", ran)
	}
}

// Every file of this repository that a document links to is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	links := 0
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".md") {
			return
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			folder := ""
			if i := strings.LastIndexByte(name, '/'); i >= 0 {
				folder = name[:i+1]
			}
			if _, err := os.Stat(folder + m[1]); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	})
	if links == 0 {
		t.Error("no link found")
	}
}
