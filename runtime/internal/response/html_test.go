package response

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Pages on which a converter's work or output grows much faster than its input.
func TestHTMLIsBounded(t *testing.T) {
	const n = 5000
	for name, page := range map[string]string{
		"nothing but marks":   "<p>" + strings.Repeat("*_`[", 20*n),
		"deep":                strings.Repeat("<div>", 100*n) + "x",
		"deep lists":          strings.Repeat(strings.Repeat("<ul><li>x", 200)+strings.Repeat("</ul>", 200), n/200),
		"deep quotes":         strings.Repeat(strings.Repeat("<blockquote>x", 200)+strings.Repeat("</blockquote>", 200), n/200),
		"many elements":       "<ul>" + strings.Repeat("<li>a", 50*n),
		"a wide table":        "<table><tr>" + strings.Repeat("<td>1", n) + strings.Repeat("<tr><td>1", n),
		"a wide cell":         "<table><tr><td>" + strings.Repeat("1", 20*n) + strings.Repeat("<tr><td>1", n),
		"cells over cells":    "<table>" + strings.Repeat("<tr><td colspan=1000 rowspan=1000>1", n),
		"one cell over a lot": "<table><tr><td colspan=999999999 rowspan=999999999>1",
	} {
		t.Run(name, func(t *testing.T) {
			r := resultOf(compile(t, tool("")), answer(200, "text/html", "<html><body>"+page))
			if got := len(r.Content[0].Text); got > 2*len(page)+1000 {
				t.Errorf("%d bytes became %d", len(page), got)
			}
		})
	}
}

func TestPlainText(t *testing.T) {
	for page, want := range map[string]string{
		"<p>a <b>b</b>c\n d</p><p> e</p>":                       "a bc d\ne",
		"a<br>b<script>x</script><style>y</style>":              "a\nb",
		"<table><tr><td>1</td><td>2</td></tr><tr><td>3</table>": "1 2\n3",
		"<ul><li>one<li>two</ul>three":                          "one\ntwo\nthree",
		"&nbsp;é&amp;":                                          "é&",
	} {
		doc, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		if got := plainText(doc); got != want {
			t.Errorf("%s: %q, want %q", page, got, want)
		}
	}
}
