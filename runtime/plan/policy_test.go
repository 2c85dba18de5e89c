package plan

import "testing"

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*a", "ba", true}, {"a*a", "a", false},
		{"a*b*c", "a1b2c", true}, {"a*b*c", "acb", false}, {"*b*", "abc", true}, {"**", "x", true}, {"ab*ba", "aba", false}, {"a*bc", "abcbc", true}, {"", "a", false},
	} {
		if got := Matches([]string{test.pattern}, test.name); got != test.want {
			t.Errorf("%q, %q: %t", test.pattern, test.name, got)
		}
	}
}
