package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace writes a file as editors do: another file takes its name.
func replace(t *testing.T, name, text string) {
	t.Helper()
	write(t, name+"~", text)
	if err := os.Rename(name+"~", name); err != nil {
		t.Fatal(err)
	}
}

// noticed waits until the watcher says something.
func noticed(t *testing.T, w *Watcher, what string) {
	t.Helper()
	select {
	case <-w.C:
	case <-time.After(20 * time.Second):
		t.Fatal("not noticed:", what)
	}
}

// Whatever way a file is changed in, with events or by looking alone, it is
// noticed once, and what changes nothing is not.
func TestChanges(t *testing.T) {
	for name, o := range map[string]Options{
		"events":  {Poll: time.Hour, Settle: 5 * time.Millisecond},
		"polling": {Poll: 5 * time.Millisecond, Settle: time.Millisecond, NoEvents: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			spec, missing := filepath.Join(dir, "spec.hcl"), filepath.Join(dir, "body.xml")
			write(t, spec, "1")
			w := New(t.Context(), o)
			set := func() {
				t.Helper()
				r := new(specs.Reader)
				if _, err := r.Read(t.Context(), spec); err != nil {
					t.Fatal(err)
				}
				_, _ = r.Read(t.Context(), missing)
				w.Set(r.Dependencies())
			}
			set()
			write(t, spec, "2")
			noticed(t, w, "a file that was written")
			set()
			replace(t, spec, "3")
			noticed(t, w, "a file that was replaced")
			set()
			write(t, missing, "<a/>")
			noticed(t, w, "a file that was missing")
			set()
			write(t, filepath.Join(dir, "other"), "x")
			replace(t, spec, "3")
			if err := os.Remove(missing); err != nil {
				t.Fatal(err)
			}
			noticed(t, w, "a file that was removed")
			select {
			case <-w.C:
				t.Error("noticed twice")
			default:
			}
			set()
			select {
			case <-w.C:
				t.Error("the same content is a change")
			case <-time.After(50 * time.Millisecond): // nothing is to come: a wait can only miss that
			}
		})
	}
}

// What changed after it was read and before it is watched is noticed, too.
func TestChangedInBetween(t *testing.T) {
	name := filepath.Join(t.TempDir(), "spec.hcl")
	write(t, name, "1")
	r := new(specs.Reader)
	if _, err := r.Read(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	write(t, name, "2")
	w := New(t.Context(), Options{Poll: time.Hour, Settle: time.Millisecond})
	w.Set(r.Dependencies())
	noticed(t, w, "a change before Set")
}

// Kubernetes mounts a ConfigMap as links to links, and swaps one in the middle.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(n, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, n), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, n, "spec.hcl"), text)
		tmp := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(n, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "1")
	if err := os.Symlink(filepath.Join("..data", "spec.hcl"), filepath.Join(dir, "spec.hcl")); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{"events": {Poll: time.Hour, Settle: 5 * time.Millisecond}, "polling": {Poll: 5 * time.Millisecond, Settle: time.Millisecond, NoEvents: true}} {
		w := New(t.Context(), o)
		w.Set([]specs.Dependency{{Kind: "file", Name: filepath.Join(dir, "spec.hcl"), Digest: AsItIs}})
		version("..2"+name, "2"+name)
		noticed(t, w, name)
	}
}

// A new file in a folder of specs is a change of the spec.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.hcl"), "1")
	r := new(specs.Reader)
	if _, err := r.Dir(dir); err != nil {
		t.Fatal(err)
	}
	w := New(t.Context(), Options{Poll: time.Hour, Settle: 5 * time.Millisecond})
	w.Set(r.Dependencies())
	write(t, filepath.Join(dir, "b.hcl"), "1")
	noticed(t, w, "a new file")
}
