package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// generated is a server that mcpc wrote and Go built.
type generated struct {
	binary       string
	wrote, built time.Duration // by mcpc generate, by go build
	files        int
	source, size float64 // MB of source files, of the binary
	modules      int     // linked into the binary
}

// generate writes the server of a document as a module of its own, against this
// checkout, and builds it. What the package imports was built before.
func (b *bench) generate(name, doc string) (*generated, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "generated", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// The checkout's own go.mod, so that nothing has to be looked up.
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	text := strings.Replace(string(mod), "module github.com/mcpc-dev/mcpc", "module generated", 1) +
		"\nrequire github.com/mcpc-dev/mcpc v0.0.0\n\nreplace github.com/mcpc-dev/mcpc => " + root + "\n"
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		return nil, err
	}
	doc, err = filepath.Abs(doc)
	if err != nil {
		return nil, err
	}
	in := func(args ...string) (time.Duration, error) {
		cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
		cmd.Dir = dir
		begin := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%s: %w\n%.2000s", strings.Join(args, " "), err, out)
		}
		return time.Since(begin), nil
	}
	if _, err := in("go", "build", "-mod=mod", "github.com/mcpc-dev/mcpc/runtime/command"); err != nil {
		return nil, err
	}
	g := &generated{binary: filepath.Join(dir, "server")}
	if g.wrote, err = in(b.mcpc, "generate", doc, "-o", "pkg", "--package", "pkg", "--main", "."); err != nil {
		return nil, err
	}
	if g.built, err = in("go", "build", "-mod=mod", "-o", g.binary, "."); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(filepath.Join(dir, "pkg"), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			g.files++
			g.source += float64(info.Size()) / 1e6
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(g.binary)
	if err != nil {
		return nil, err
	}
	g.size = float64(info.Size()) / 1e6
	linked, err := exec.CommandContext(b.ctx, "go", "version", "-m", g.binary).Output()
	if err != nil {
		return nil, err
	}
	g.modules = bytes.Count(linked, []byte("\n\tdep\t"))
	return g, nil
}

// generation measures how long servers take to generate, to build and to start.
func (b *bench) generation() error {
	fmt.Fprintf(b.out, "\nGenerated servers: written by mcpc generate, built by go build with the runtime built before\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "document\tgenerate s\tbuild s\tfiles\tsource MB\tbinary MB\tmodules\tfirst list ms\tMB\tinterpreted, seen before ms\tMB\t\n")
	many := filepath.Join(b.dir, "many.yaml")
	if err := os.WriteFile(many, []byte(manyTools()), 0o600); err != nil {
		return err
	}
	for _, d := range []struct {
		name, path string
		target     float64 // of the first list, in ms; 0: none
	}{
		{"sample", filepath.Join("..", "..", "examples", "orders", "openapi.yaml"), 0},
		{"1,000 tools", many, 30},
		{"GitHub", filepath.Join(b.corpus, "specs", "specs", "github-rest.json"), 0},
		{"Stripe", filepath.Join(b.corpus, "specs", "specs", "stripe.json"), 0},
	} {
		if _, err := os.Stat(d.path); err != nil {
			fmt.Fprintf(w, "%s\tnot measured: no %s\t\t\t\t\t\t\t\t\t\t\n", d.name, d.path)
			continue
		}
		g, err := b.generate(strings.NewReplacer(" ", "", ",", "").Replace(d.name), d.path)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		own, err := b.median(func() (start, error) { return b.firstList(g.binary) })
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if _, err := b.firstList(b.mcpc, "serve", d.path); err != nil { // fills the cache
			return fmt.Errorf("%s: %w", d.name, err)
		}
		interpreted, err := b.median(func() (start, error) { return b.firstList(b.mcpc, "serve", d.path) })
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%d\t%.1f\t%.1f\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t\n", d.name, g.wrote.Seconds(), g.built.Seconds(), g.files, g.source, g.size, g.modules,
			milliseconds(own.took), own.peak, milliseconds(interpreted.took), interpreted.peak)
		if d.target > 0 {
			b.target("cold start of "+d.name+", generated", milliseconds(own.took), "ms", d.target)
		}
	}
	return w.Flush()
}
