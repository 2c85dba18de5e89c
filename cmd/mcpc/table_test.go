package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTable(t *testing.T) {
	rows := [][]string{
		{"get", "GET /things/{id}", "Reads one thing, whatever it is and wherever it lies."},
		{"a-name-that-goes-on-and-on", "GET /", "Long. Überall größer."},
	}
	for width, want := range map[int]string{
		0: `
get                         GET /things/{id}  Reads one thing, whatever it is and wherever it lies.
a-name-that-goes-on-and-on  GET /             Long. Überall größer.
`,
		80: `
get                         GET /things/{id}  Reads one thing, whatever it is a…
a-name-that-goes-on-and-on  GET /             Long. Überall größer.
`,
		60: `
get                   Reads one thing, whatever it is and w…
a-name-that-goes-on-and-on  Long. Überall größer.
`,
		20: `
get     Reads one t…
a-name-that-goes-on-and-on
`,
	} {
		got := string(table(rows, width))
		if got != want[1:] {
			t.Errorf("width %d\n%s\nwant\n%s", width, got, want[1:])
		}
		for _, line := range strings.Split(got, "\n") {
			if n := utf8.RuneCountInString(line); width > 26 && n > width {
				t.Errorf("width %d: a line of %d: %s", width, n, line)
			}
		}
	}
}
