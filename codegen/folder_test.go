package codegen

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sources are files as Generate makes them, of a name and a text each.
func sources(pairs ...string) []File {
	var list []File
	for pair := range slices.Chunk(pairs, 2) {
		text := pair[1]
		if strings.HasSuffix(pair[0], ".go") {
			text = header + "\n\n" + text + "\n"
		}
		list = append(list, File{pair[0], []byte(text)})
	}
	return list
}

// apply makes a folder hold files.
func apply(t *testing.T, dir string, files []File) {
	t.Helper()
	c, err := Compare(dir, files)
	if err == nil {
		err = c.Apply(false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// content is all that a folder holds, but for the manifest.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || name == dir || d.Name() == ManifestName {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			all[filepath.ToSlash(rel)+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(name)
		all[filepath.ToSlash(rel)] = strings.TrimPrefix(string(b), header+"\n\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	before = sources("a.go", "package p", "b.go", "package p", "schemas/b.input.json", "{}")
	after  = sources("a.go", "package p // new", "c.go", "package p")
)

func TestFolderFollowsThePackage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "p")
	c, err := Compare(dir, before)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a.go", "b.go", ManifestName, "schemas/b.input.json"}; !slices.Equal(c.Add, want) || c.Current() {
		t.Errorf("to add: %v", c.Add)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("Compare made the folder")
	}
	if err := c.Apply(false); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "mine.go", "package p")
	put(t, dir, "schemas/mine.json", "{}")
	if c, err = Compare(dir, before); err != nil || !c.Current() {
		t.Errorf("written and not current: %+v, %v", c, err)
	}
	if c, err = Compare(dir, after); err != nil {
		t.Fatal(err)
	}
	got := [][]string{c.Add, c.Update, c.Delete, c.Edited}
	if want := [][]string{{"c.go"}, {"a.go", ManifestName}, {"b.go", "schemas/b.input.json"}, nil}; !cmp.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if !strings.Contains(string(c.Wanted("a.go")), "new") || strings.Contains(string(c.Found("a.go")), "new") || c.Wanted("b.go") != nil || c.Found("c.go") != nil {
		t.Error("Wanted and Found")
	}
	if err := c.Apply(false); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a.go": "package p // new\n", "c.go": "package p\n", "mine.go": "package p", "schemas/": "", "schemas/mine.json": "{}"}
	if d := cmp.Diff(want, content(t, dir)); d != "" {
		t.Error(d)
	}
}

func TestFolderLosesEmptyFolders(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, before)
	apply(t, dir, after)
	if got := content(t, dir); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A build system that looks at times has nothing to do for what did not change.
func TestUnchangedFilesAreNotTouched(t *testing.T) {
	dir := t.TempDir()
	files := sources("a.go", "package p", "b.go", "package p")
	apply(t, dir, files)
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	all := []string{"a.go", "b.go", ManifestName}
	for _, name := range all {
		if err := os.Chtimes(filepath.Join(dir, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
	touched := func() (list []string) {
		for _, name := range all {
			s, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if !s.ModTime().Equal(past) {
				list = append(list, name)
			}
		}
		return list
	}
	apply(t, dir, files)
	if got := touched(); got != nil {
		t.Errorf("nothing changed, and touched are %v", got)
	}
	apply(t, dir, sources("a.go", "package p // new", "b.go", "package p"))
	if got := touched(); !slices.Equal(got, []string{"a.go", ManifestName}) {
		t.Errorf("a.go changed, and touched are %v", got)
	}
}

// What was edited by hand, or is no file of ours, stays unless it is forced.
func TestEditedFilesStay(t *testing.T) {
	for _, row := range []struct {
		why, name, text string
	}{
		{"to be updated", "a.go", header + "\n\npackage p // mine\n"},
		{"to be deleted", "b.go", header + "\n\npackage p // mine\n"},
		{"a schema to be deleted", "schemas/b.input.json", `{"mine": true}`},
		{"to be added", "c.go", "package p // mine\n"},
	} {
		t.Run(row.why, func(t *testing.T) {
			dir := t.TempDir()
			apply(t, dir, before)
			put(t, dir, row.name, row.text)
			had := content(t, dir)
			c, err := Compare(dir, after)
			if err != nil || !slices.Equal(c.Edited, []string{row.name}) {
				t.Fatalf("%+v, %v", c, err)
			}
			err = c.Apply(false)
			if err == nil || !strings.Contains(err.Error(), filepath.FromSlash(row.name)) || !strings.Contains(err.Error(), "--force") {
				t.Errorf("%v", err)
			}
			if d := cmp.Diff(had, content(t, dir)); d != "" {
				t.Errorf("something was done: %s", d)
			}
			if err := c.Apply(true); err != nil {
				t.Fatal(err)
			}
			if got := content(t, dir); len(got) != 2 || strings.Contains(got["a.go"]+got["c.go"], "mine") {
				t.Errorf("forced: %v", got)
			}
			if c, err = Compare(dir, after); err != nil || !c.Current() {
				t.Errorf("forced and not current: %+v, %v", c, err)
			}
		})
	}
}

// Git on Windows may check files out with other line ends.
func TestLineEndsAreNoChange(t *testing.T) {
	dir := t.TempDir()
	apply(t, dir, before)
	for _, name := range []string{"a.go", "b.go", ManifestName} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, strings.ReplaceAll(string(b), "\n", "\r\n"))
	}
	if c, err := Compare(dir, before); err != nil || !c.Current() {
		t.Errorf("%+v, %v", c, err)
	}
	c, err := Compare(dir, after)
	if err != nil || c.Edited != nil || !slices.Equal(c.Delete, []string{"b.go", "schemas/b.input.json"}) || strings.Contains(string(c.Found("a.go")), "\r") {
		t.Errorf("%+v, %v", c, err)
	}
}

// A manifest comes with a checkout, from whoever could write to it.
func TestManifestIsNotTrusted(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "p")
	apply(t, dir, after)
	mine := header + "\n\nmine"
	put(t, root, "outside.go", mine)
	put(t, dir, "notes.md", "mine")
	put(t, dir, "mine.go", "package p")
	put(t, dir, ManifestName, `{"files": {
		"../outside.go": "`+digest([]byte(mine))+`",
		"`+filepath.ToSlash(filepath.Join(root, "outside.go"))+`": "`+digest([]byte(mine))+`",
		"schemas/../../outside.go": "`+digest([]byte(mine))+`",
		"gone.go": "`+digest(nil)+`",
		"notes.md": "`+digest([]byte("mine"))+`",
		"mine.go": "`+digest([]byte("package p"))+`"}}`)
	c, err := Compare(dir, after)
	if err != nil {
		t.Fatal(err)
	}
	if c.Delete != nil || !slices.Equal(c.Edited, []string{"mine.go", "notes.md"}) {
		t.Errorf("to delete: %v, edited: %v", c.Delete, c.Edited)
	}
	for _, text := range []string{"", "{", `{"files": []}`, "<<<<<<< HEAD\n"} {
		put(t, dir, ManifestName, text)
		if _, err := Compare(dir, after); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, ManifestName)) {
			t.Errorf("the manifest %q: %v", text, err)
		}
	}
	// Without one nothing is ours, but what is as it should be may stay.
	if err := os.Remove(filepath.Join(dir, ManifestName)); err != nil {
		t.Fatal(err)
	}
	if c, err = Compare(dir, after); err != nil || !slices.Equal(c.Add, []string{ManifestName}) || c.Edited != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// A link in the folder leads no writing and no deleting out of it.
func TestLinksAreNotFollowedOut(t *testing.T) {
	for _, linked := range []string{"schemas", "a.go"} {
		root := t.TempDir()
		dir := filepath.Join(root, "p")
		put(t, root, "outside/b.input.json", "{}")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, "outside"), filepath.Join(dir, linked)); err != nil {
			t.Fatal(err)
		}
		if c, err := Compare(dir, before); err == nil {
			t.Errorf("%s is a link out of the folder: %+v", linked, c)
		}
	}
	// One that was put there in between is replaced, not written through.
	root := t.TempDir()
	dir := filepath.Join(root, "p")
	put(t, root, "outside.go", "mine")
	c, err := Compare(dir, before)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.Symlink(filepath.Join(root, "outside.go"), filepath.Join(dir, "a.go"))
	}
	if err == nil {
		err = c.Apply(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(root, "outside.go")); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

// The world's failures name the place.
func TestFolderCannotBeWritten(t *testing.T) {
	root := t.TempDir()
	put(t, root, "file", "")
	if _, err := Compare(filepath.Join(root, "file"), before); err == nil || !strings.Contains(err.Error(), "file") {
		t.Errorf("a file for a folder: %v", err)
	}
	put(t, root, "p/schemas", "")
	c, err := Compare(filepath.Join(root, "p"), before)
	if err == nil {
		err = c.Apply(false)
	}
	if err == nil || !strings.Contains(err.Error(), "schemas") {
		t.Errorf("a file for the folder of schemas: %v", err)
	}
}
