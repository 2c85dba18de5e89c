package diag

import (
	"encoding/json"
	"strings"
	"testing"
)

const hcl = `api "gh" {
  openapi = "gh.yaml"
}
tool "t" {
	operation = api.gh["issue/create"]
}
`

// at is the range of the first occurrence of what in text.
func at(name, text, what string) Range {
	i := strings.Index(text, what)
	if i < 0 {
		panic(what)
	}
	return Range{&Source{Name: name, Text: []byte(text)}, i, i + len(what)}
}

func list() List {
	return List{
		{Code: "unknown-operation", Message: `unknown operation "issue/create" in api "gh"`, Hint: `did you mean "issues/create"?`,
			Range: at("github.hcl", hcl, `api.gh["issue/create"]`), Notes: []Note{{"the api is declared here", at("github.hcl", hcl, `api "gh"`)}}},
		{Severity: Warning, Code: "no-base-url", Message: "no base URL is known, so calls will fail", Hint: "give one with --base-url"},
	}
}

func printed(t *testing.T, p Printer, l List) string {
	t.Helper()
	var b strings.Builder
	if err := p.Print(&b, l); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	for format, want := range map[Format]string{
		Pretty: `github.hcl:5:14: error: unknown operation "issue/create" in api "gh" [unknown-operation]
    5 |     operation = api.gh["issue/create"]
      |                 ^^^^^^^^^^^^^^^^^^^^^^
github.hcl:1:1: note: the api is declared here
    1 | api "gh" {
      | ^^^^^^^^
hint: did you mean "issues/create"?

warning: no base URL is known, so calls will fail [no-base-url]
hint: give one with --base-url
`,
		Line: `github.hcl:5:14: error: unknown operation "issue/create" in api "gh" [unknown-operation]
warning: no base URL is known, so calls will fail [no-base-url]
`,
		GitHub: `::error file=github.hcl,line=5,col=14,endLine=5,endColumn=36,title=unknown-operation::unknown operation "issue/create" in api "gh"%0Athe api is declared here (github.hcl:1:1)%0Adid you mean "issues/create"?
::warning title=no-base-url::no base URL is known, so calls will fail%0Agive one with --base-url
`,
		JSON: `{"severity":"error","code":"unknown-operation","message":"unknown operation \"issue/create\" in api \"gh\"","hint":"did you mean \"issues/create\"?","file":"github.hcl","start":{"line":5,"column":14},"end":{"line":5,"column":36},"notes":[{"message":"the api is declared here","file":"github.hcl","start":{"line":1,"column":1},"end":{"line":1,"column":9}}]}
{"severity":"warning","code":"no-base-url","message":"no base URL is known, so calls will fail","hint":"give one with --base-url"}
`,
	} {
		if got := printed(t, Printer{Format: format}, list()); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, got, want)
		}
	}
}

func TestColorChangesNothingElse(t *testing.T) {
	got := printed(t, Printer{Color: true}, list())
	var b strings.Builder
	for rest := got; rest != ""; {
		before, after, found := strings.Cut(rest, "\x1b[")
		b.WriteString(before)
		if rest = after; found {
			_, rest, _ = strings.Cut(after, "m")
		}
	}
	if want := printed(t, Printer{}, list()); b.String() != want || got == want {
		t.Errorf("without its colours:\n%q\nwant\n%q", b.String(), want)
	}
}

func TestSnippet(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 300) + `","type":"strnig","b":"` + strings.Repeat("y", 300) + `"}`
	for _, c := range []struct{ name, text, what, want string }{
		{"a long line is cut around the place", long, `"strnig"`, "" +
			"    1 | …xxxxxxxxxxxxxxxxxxxxx\",\"type\":\"strnig\",\"b\":\"" + strings.Repeat("y", 56) + "…\n" +
			"      |                                ^^^^^^^^\n"},
		{"several lines show the first", "a: [1,\n 2]\n", "[1,\n 2]", "    1 | a: [1,\n      |    ^^^\n"},
		{"columns are characters", "größe: größer\n", "größer", "    1 | größe: größer\n      |        ^^^^^^\n"},
		{"terminal controls are shown, not sent", "a: \x1b[31mred\u202e\n", "red", "    1 | a: �[31mred�\n      |         ^^^\n"},
		{"line endings of Windows", "a: b\r\nc: d\r\n", "b", "    1 | a: b\n      |    ^\n"},
	} {
		var b strings.Builder
		snippet(&b, at("f", c.text, c.what), plain, red, nil)
		if b.String() != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, b.String(), c.want)
		}
	}
	end := Range{&Source{Name: "f", Text: []byte("a: b")}, 4, 4}
	var b strings.Builder
	snippet(&b, end, plain, red, nil)
	if want := "    1 | a: b\n      |     ^\n"; b.String() != want {
		t.Errorf("at the end:\n%s\nwant\n%s", b.String(), want)
	}
}

// A message may hold text of the spec, and one diagnostic stays one line.
func TestMessagesAreHarmless(t *testing.T) {
	l := List{{Code: "c", Message: "bad value \"a\nb: error: fake\x1b[2J\""}}
	if got, want := printed(t, Printer{Format: Line}, l), "error: bad value \"a b: error: fake�[2J\" [c]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := printed(t, Printer{Format: GitHub}, l), "::error title=c::bad value \"a b: error: fake�[2J\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManyWarningsOfOneKind(t *testing.T) {
	var l List
	for range 7 {
		l.Add(Diagnostic{Severity: Warning, Code: "skipped", Message: "left out"})
	}
	l.Add(Diagnostic{Code: "skipped", Message: "an error"})
	got := printed(t, Printer{PerCode: 3}, l)
	if n := strings.Count(got, "left out"); n != 3 {
		t.Errorf("%d warnings printed, want 3:\n%s", n, got)
	}
	for _, want := range []string{"error: an error [skipped]", "\n… and 4 more warnings [skipped]; --format line prints all\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if n := strings.Count(printed(t, Printer{Format: Line, PerCode: 3}, l), "\n"); n != 8 {
		t.Errorf("%d lines, want all 8", n)
	}
}

func FuzzPrint(f *testing.F) {
	f.Add("a: b\n", 3, 4)
	f.Add("\xff\xfe\x00\t\r\n", -1, 99)
	f.Fuzz(func(t *testing.T, text string, start, end int) {
		l := List{{Code: "c", Message: text, Range: Range{&Source{Name: "f", Text: []byte(text)}, start, end}}}
		if got := printed(t, Printer{Format: Line}, l); strings.Count(got, "\n") != 1 {
			t.Errorf("not one line: %q", got)
		}
		if got := printed(t, Printer{}, l); strings.ContainsAny(got, "\x1b\r\x00") {
			t.Errorf("control characters: %q", got)
		}
		if got := printed(t, Printer{Format: JSON}, l); !json.Valid([]byte(got)) || strings.Count(got, "\n") != 1 {
			t.Errorf("not one JSON object: %q", got)
		}
		if got := printed(t, Printer{Format: GitHub}, l); strings.Count(got, "\n") != 1 {
			t.Errorf("not one command: %q", got)
		}
	})
}

// A secret that a finding points at is in no snippet, whichever finding shows the
// line.
func TestSecretsAreHidden(t *testing.T) {
	s := &Source{Name: "a.hcl", Text: []byte("x = 1\ntoken = { name = 1, value = \"hunter2\" } # é\n")}
	text := string(s.Text)
	at := func(part string, secret bool) Diagnostic {
		i := strings.Index(text, part)
		return Diagnostic{Code: "c", Message: "m", Range: Range{s, i, i + len(part)}, Secret: secret}
	}
	list := List{at("name", false), at("\"hunter2\"", true), at("x = 1", false)}
	list[2].Notes = []Note{{"the other", at("token", false).Range}}
	for _, f := range Formats() {
		var b strings.Builder
		if err := (Printer{Format: Format(f)}).Print(&b, list); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "hunter2") {
			t.Errorf("%s shows the secret:\n%s", f, b.String())
		}
		var few strings.Builder
		if err := (Printer{Format: Format(f), Beside: list}).Print(&few, list[:1]); err != nil || strings.Contains(few.String(), "hunter2") {
			t.Errorf("%s shows the secret of a finding that is not printed (%v):\n%s", f, err, few.String())
		}
		if f == "pretty" && strings.Count(b.String(), "token = { name = 1, value = ••••••••• } # é") != 3 {
			t.Errorf("pretty:\n%s", b.String())
		}
	}
}
