package diag

import "testing"

func TestFix(t *testing.T) {
	const text = `operation = api.gh["issue/create"]`
	for _, c := range []struct{ name, what, message, hint, want string }{
		{"a part of the place", `api.gh["issue/create"]`, `unknown operation "issue/create" in api "gh"`, `did you mean "issues/create" (POST /issues)?`, `operation = api.gh["issues/create"]`},
		{"the whole place", "operation", `there is no attribute "operation"`, `did you mean "operations"?`, `operations = api.gh["issue/create"]`},
		{"a quoted character", "gh", `there is no api "gh"`, `did you mean "\u0067it"?`, `operation = api.git["issue/create"]`},
		{"another hint", "gh", `there is no api "gh"`, "there are a, b", ""},
		{"the wrong word is elsewhere", "gh", `there is no api "hub"`, `did you mean "git"?`, ""},
		{"the wrong word is there twice", text, `there is no "e"`, `did you mean "f"?`, ""},
		{"what cannot stand as it is", "gh", `there is no api "gh"`, `did you mean "a\"b"?`, ""},
	} {
		r, with, ok := Diagnostic{Message: c.message, Hint: c.hint, Range: at("f", text, c.what)}.Fix()
		got := ""
		if ok {
			got = text[:r.Start] + with + text[r.End:]
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if _, _, ok := (Diagnostic{Message: `"a"`, Hint: `did you mean "b"?`}).Fix(); ok {
		t.Error("a fix without a place")
	}
}
