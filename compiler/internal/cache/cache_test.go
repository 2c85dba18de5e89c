package cache

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// compilation is a document, an environment, and the entry made of them.
type compilation struct {
	folder Folder
	doc    string
	env    map[string]string
	key    []string
}

func (c *compilation) reader() *specs.Reader {
	return &specs.Reader{Getenv: func(k string) string { return c.env[k] }}
}

func newCompilation(t *testing.T) *compilation {
	dir := t.TempDir()
	c := &compilation{
		folder: Folder{Path: filepath.Join(dir, "cache"), Program: "v1"},
		doc:    filepath.Join(dir, "docs", "a.yaml"),
		env:    map[string]string{"REGION": "eu"},
		key:    []string{"a.yaml", "--base-url", "x"},
	}
	os.Mkdir(filepath.Dir(c.doc), 0o700)
	c.write(t, c.doc, "line one\nline two\n")
	r := c.reader()
	src, err := r.Read(context.Background(), c.doc)
	if err != nil {
		t.Fatal(err)
	}
	r.Env("REGION")
	r.Dir(filepath.Dir(c.doc))
	at := diag.Range{Source: src, Start: 9, End: 13}
	err = c.folder.Store(c.key, &Entry{
		Plan:         &plan.Server{Name: "a", Tools: []plan.Tool{{Name: "t", Input: `{"type":"object"}`}}},
		Diagnostics:  diag.List{{Severity: diag.Warning, Code: "c", Message: "m", Hint: "h", Range: at, Notes: []diag.Note{{Message: "n", Range: at}}}, {Code: "nowhere"}},
		Dependencies: r.Dependencies(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *compilation) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *compilation) entryFile(t *testing.T) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(c.folder.Path, "*"))
	if len(names) != 1 {
		t.Fatalf("files in the cache: %v", names)
	}
	return names[0]
}

func TestAnEntryComesBackWhole(t *testing.T) {
	c := newCompilation(t)
	r := c.reader()
	e := c.folder.Load(context.Background(), c.key, r)
	if e == nil {
		t.Fatal("not found")
	}
	if e.Plan.Name != "a" || e.Plan.Tools[0].Input != `{"type":"object"}` {
		t.Errorf("plan %+v", e.Plan)
	}
	if !reflect.DeepEqual(e.Dependencies, r.Dependencies()) {
		t.Errorf("dependencies %v", e.Dependencies)
	}
	d := e.Diagnostics[0]
	if !strings.HasSuffix(d.Range.String(), "a.yaml:2:1") || d.Notes[0].Range != d.Range || d.Hint != "h" || !e.Diagnostics[1].Range.IsZero() {
		t.Errorf("diagnostics %+v at %s", d, d.Range)
	}
	if i, err := os.Stat(c.entryFile(t)); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
}

func TestAnEntryEndsWithWhatItWasMadeOf(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, c *compilation){
		"document":     func(t *testing.T, c *compilation) { c.write(t, c.doc, "line one\nline 2\n") },
		"gone":         func(t *testing.T, c *compilation) { os.Remove(c.doc) },
		"environment":  func(t *testing.T, c *compilation) { c.env["REGION"] = "us" },
		"new file":     func(t *testing.T, c *compilation) { c.write(t, c.doc+".hcl", "") },
		"options":      func(t *testing.T, c *compilation) { c.key = []string{"a.yaml", "--base-url", "y"} },
		"key's bounds": func(t *testing.T, c *compilation) { c.key = []string{"a.yaml", "--base-url", "", "x"} },
		"program":      func(t *testing.T, c *compilation) { c.folder.Program = "v2" },
		"damage": func(t *testing.T, c *compilation) {
			b, _ := os.ReadFile(c.entryFile(t))
			b[len(b)-3] ^= 1
			c.write(t, c.entryFile(t), string(b))
		},
		"cut":         func(t *testing.T, c *compilation) { c.write(t, c.entryFile(t), "\xff\xff\xff") },
		"head's size": func(t *testing.T, c *compilation) { c.write(t, c.entryFile(t), "\xff\xff\xff\xff{}") },
		"folder":      func(t *testing.T, c *compilation) { os.RemoveAll(c.folder.Path) },
	} {
		c := newCompilation(t)
		if c.folder.Load(context.Background(), c.key, c.reader()) == nil {
			t.Fatalf("%s: not found even before the change", name)
		}
		change(t, c)
		if e := c.folder.Load(context.Background(), c.key, c.reader()); e != nil {
			t.Errorf("%s: the entry still holds", name)
		}
	}
}

func TestStandardInputIsNotRemembered(t *testing.T) {
	c := newCompilation(t)
	r := c.reader()
	r.Stdin = strings.NewReader("x")
	if _, err := r.Read(context.Background(), "-"); err != nil {
		t.Fatal(err)
	}
	if err := c.folder.Store([]string{"-"}, &Entry{Plan: &plan.Server{}, Dependencies: r.Dependencies()}); err != nil {
		t.Fatal(err)
	}
	if c.folder.Load(context.Background(), []string{"-"}, r) != nil {
		t.Error("an entry made of standard input was used again")
	}
}

func TestPruningRemovesTheOldest(t *testing.T) {
	c := newCompilation(t)
	kept := c.entryFile(t)
	old := filepath.Join(c.folder.Path, "old"+suffix)
	left := filepath.Join(c.folder.Path, "new-123")
	busy := filepath.Join(c.folder.Path, "new-456")
	for _, f := range []string{old, left, busy} {
		c.write(t, f, "")
	}
	if err := os.Truncate(old, maxBytes); err != nil { // sparse
		t.Fatal(err)
	}
	past := time.Now().Add(-48 * time.Hour)
	os.Chtimes(old, past, past)
	os.Chtimes(left, past, past)
	c.folder.prune()
	for f, want := range map[string]bool{kept: true, old: false, left: false, busy: true} {
		if _, err := os.Stat(f); (err == nil) != want {
			t.Errorf("%s: kept %v, want %v", filepath.Base(f), err == nil, want)
		}
	}
}
