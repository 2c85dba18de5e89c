package hclspec

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

var update = flag.Bool("update", false, "rewrite expected diagnostics and the reference")

// Each archive under testdata/mistakes holds many specs: the files of a folder
// are one, and its "want" is what must be said about it.
func TestMistakes(t *testing.T) {
	archives, _ := filepath.Glob("testdata/mistakes/*.txtar")
	if len(archives) == 0 {
		t.Fatal("no archives")
	}
	said := map[string]bool{}
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		cases := map[string]map[string]string{}
		want := map[string]string{}
		for _, f := range a.Files {
			name, file, ok := strings.Cut(f.Name, "/")
			if !ok {
				t.Fatalf("%s: file %s belongs to no case", path, f.Name)
			}
			if cases[name] == nil {
				cases[name] = map[string]string{}
				order = append(order, name)
			}
			if file == "want" {
				want[name] = string(f.Data)
				continue
			}
			text := string(f.Data)
			if !strings.Contains(file, ".") {
				text = strings.TrimSuffix(text, "\n")
			}
			cases[name][file] = text
		}
		got := map[string]string{}
		for _, name := range order {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar")+"/"+name, func(t *testing.T) {
				_, list := parse(t, cases[name], Options{})
				for _, d := range list {
					said[d.Code] = true
				}
				got[name] = show(list)
				if strings.Contains(got[name], "hunter2") {
					t.Errorf("a secret is printed:\n%s", got[name])
				}
				if !*update && got[name] != want[name] {
					t.Errorf("got:\n%s\nwant:\n%s", got[name], want[name])
				}
			})
		}
		if !*update {
			continue
		}
		out := &txtar.Archive{Comment: a.Comment}
		for _, name := range order {
			for _, f := range a.Files {
				if strings.HasPrefix(f.Name, name+"/") && f.Name != name+"/want" {
					out.Files = append(out.Files, f)
				}
			}
			out.Files = append(out.Files, txtar.File{Name: name + "/want", Data: []byte(got[name])})
		}
		writeFile(t, path, string(txtar.Format(out)))
	}
	for _, code := range slices.Sorted(maps.Keys(said)) {
		if !slices.ContainsFunc(Codes(), func(c Code) bool { return c.Word == code }) {
			t.Errorf("code %q is not in the list of codes", code)
		}
	}
}

// Every kind of mistake the reference lists is provoked by an archive.
func TestEveryCodeIsProvoked(t *testing.T) {
	elsewhere := map[string]string{"too-deep": "TestHostileText", "cancelled": "TestHostileWork", "remote-spec": "TestRemoteSpec", "not-utf8": "TestNotUTF8"}
	var all strings.Builder
	archives, _ := filepath.Glob("testdata/mistakes/*.txtar")
	for _, path := range archives {
		all.WriteString(readFile(t, path))
	}
	for _, c := range Codes() {
		if provoked := strings.Contains(all.String(), " ["+c.Word+"]\n"); provoked == (elsewhere[c.Word] != "") {
			t.Errorf("code %s: provoked by an archive: %v, said to be by %q", c.Word, provoked, elsewhere[c.Word])
		}
	}
}

// show prints diagnostics compactly: the place with the text it covers, then
// the hint, then notes.
func show(list diag.List) string {
	var b strings.Builder
	for _, d := range list {
		if !d.Range.IsZero() {
			fmt.Fprintf(&b, "%s: ", d.Range)
		}
		fmt.Fprintf(&b, "%s: %s [%s]\n", d.Severity, d.Message, d.Code)
		if s := d.Range.Source; s != nil {
			text := strings.ReplaceAll(string(s.Text[d.Range.Start:d.Range.End]), "\n", "⏎")
			for _, other := range list { // as the printer does
				if other.Secret {
					text = strings.ReplaceAll(text, string(s.Text[other.Range.Start:other.Range.End]), "•")
				}
			}
			if r := []rune(text); len(r) > 60 {
				text = string(r[:60]) + "…"
			}
			fmt.Fprintf(&b, "  at   %s\n", text)
		}
		if d.Hint != "" {
			fmt.Fprintf(&b, "  hint %s\n", d.Hint)
		}
		for _, n := range d.Notes {
			fmt.Fprintf(&b, "  note %s: %s\n", n.Range, n.Message)
		}
	}
	return b.String()
}
