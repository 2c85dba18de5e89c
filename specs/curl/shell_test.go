package curl

import (
	"slices"
	"testing"
)

func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string // words of all commands; ";" between commands
	}{
		{"curl a  b\tc", []string{"curl", "a", "b", "c"}},
		{"curl 'a b'\"c d\"e", []string{"curl", "a bc de"}},
		{`curl a\ b "c\"d\\e\n" 'x\y'`, []string{"curl", "a b", `c"d\e\n`, `x\y`}},
		{"curl a \\\n  b \\\r\n c", []string{"curl", "a", "b", "c"}},
		{"curl ^\n  a", []string{"curl", "a"}},
		{`curl $'it\'s \u00e9\x41\101\n\U0001F600\ud83d\ude00'`, []string{"curl", "it's éAA\n😀😀"}},
		{"curl a # b\ncurl c", []string{"curl", "a", ";", "curl", "c"}},
		{"curl a | jq . && curl b;curl c", []string{"curl", "a", ";", "jq", ".", ";", "curl", "b", ";", "curl", "c"}},
		{`curl "$A/${B_1}" '$C' \$D 5$ $1 ${`, []string{"curl", open + "A" + closing + "/" + open + "B_1" + closing, "$C", "$D", "5$", "$1", "${"}},
		{`curl "" ''`, []string{"curl", "", ""}},
		{`curl $"a"`, []string{"curl", "a"}},
		{"curl https://a/#b", []string{"curl", "https://a/#b"}},
	} {
		list, bad := commands(tt.text)
		if bad != nil {
			t.Errorf("%s: %s", tt.text, bad.Message)
			continue
		}
		var got []string
		for i, cmd := range list {
			if i > 0 {
				got = append(got, ";")
			}
			for _, w := range cmd {
				got = append(got, w.text)
				if w.start >= w.end || w.end > len(tt.text) {
					t.Errorf("%s: the word %q is at %d to %d", tt.text, w.text, w.start, w.end)
				}
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s\n got %q\nwant %q", tt.text, got, tt.want)
		}
	}
	for _, text := range []string{"curl 'a", `curl "a`, `curl $'a`, `curl "a\`} {
		if _, bad := commands(text); bad == nil {
			t.Errorf("%s: no mistake was found", text)
		}
	}
}
