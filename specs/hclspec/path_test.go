package hclspec

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
)

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		"a":                        "a",
		"user.login":               "user login",
		"labels[].name":            "labels name",
		"a[][].b[]":                "a b list",
		"**.*_url":                 "deep:glob:*_url",
		"a.**.id":                  "a deep:id",
		"**.**.id":                 "deep:id",
		"items.*.id":               "items glob:* id",
		"'@odata.nextLink'":        "@odata.nextLink",
		"a.'b c'[].'it''s'.'*'.''": "a b c it's * ",
		"@STAT.#text":              "@STAT #text",
		"größe.inv:total":          "größe inv:total",
		strings.TrimRight(strings.Repeat("a.", maxSteps), "."): strings.TrimRight(strings.Repeat("a ", maxSteps), " "),
	} {
		p := newTestParser(t)
		path, ok := p.path("fields", specs.Text{Value: text}, true)
		var got []string
		for _, s := range path.Steps {
			word := s.Name
			if s.Glob {
				word = "glob:" + word
			}
			if s.Deep {
				word = "deep:" + word
			}
			got = append(got, word)
		}
		if path.List {
			got = append(got, "list")
		}
		if !ok || strings.Join(got, " ") != want {
			t.Errorf("%s: %q %v", text, got, p.diags)
		}
	}
	if _, ok := newTestParser(t).path("fields", specs.Text{Value: strings.Repeat("a.", maxSteps) + "a"}, true); ok {
		t.Error("a path without end is accepted")
	}
}
