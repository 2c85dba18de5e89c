package shape

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func program(t testing.TB, text string) *Program {
	t.Helper()
	p, err := NewProgram(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProgram(t *testing.T) {
	t.Setenv("MCPC_JQ_TEST", "secret")
	for _, c := range []struct{ program, in, want string }{
		{`.`, `{"b":9007199254740993,"a":[1.50,1e400,-0.0,"x"]}`, `{"a":[1.50,1e400,-0.0,"x"],"b":9007199254740993}`},
		{`.a + 1`, `{"a":9007199254740993}`, `9007199254740994`},
		{`.a * .a`, `{"a":123456789012345678901234567890}`, `15241578753238836750495351562536198787501905199875019052100`},
		{`.a + .a`, `{"a":0.1}`, `0.2`},
		{`.5, 1.50`, `null`, `[0.5,1.5]`},
		{`.[] | .n`, `[{"n":1},{"n":2}]`, `[1,2]`},
		{`.[] | .n`, `[{"n":1}]`, `1`},
		{`empty`, `{}`, `null`},
		{`1, halt, 2`, `null`, `1`},
		{`infinite, nan`, `null`, `[1.7976931348623157e308,null]`},
		{`$ENV, env`, `null`, `[{},{}]`},
		{`"a\u0000<é>" + .`, `"\ud83d\ude00"`, "\"a\\u0000<é>😀\""},
	} {
		got, err := program(t, c.program).Run(t.Context(), []byte(c.in))
		if err != nil || string(got) != c.want && strings.ReplaceAll(string(got), "e+", "e") != c.want {
			t.Errorf("%s of %s: %s %v, want %s", c.program, c.in, got, err, c.want)
		}
		if err == nil && !jsontext.Value(got).IsValid() {
			t.Errorf("%s of %s: not JSON: %s", c.program, c.in, got)
		}
	}
}

func TestProgramFails(t *testing.T) {
	for _, c := range []struct{ program, in, want string }{
		{`.a`, `[]`, "jq: expected an object but got: array ([])"},
		{`error("it is " + .)`, `"so"`, "jq: error: it is so"},
		{`error(. * 1000)`, `"long"`, "… (shortened)"},
		{`reduce range(60) as $i ("x" * 1000; [., .])`, `1`, "jq: the output is larger than 16 MiB"},
		{`repeat("x" * 100000)`, `1`, "jq: the output is larger than 16 MiB"},
		{`reduce range(1000) as $i (.; [.])`, `1`, "jq: the output is nested more than 512 deep"},
		{`.`, strings.Repeat("[", 200) + strings.Repeat("]", 200), "jq: the answer is nested too deeply, or has too long a number"},
		{`halt_error`, `"stop"`, "jq: halt error: stop"},
	} {
		out, err := program(t, c.program).Run(t.Context(), []byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > maxMessage+10 {
			t.Errorf("%s of %.20s: %.100s %v", c.program, c.in, out, err)
		}
	}
	for _, text := range []string{`. as`, `nope`, `input`, `import "a" as a; .`, `include "a"; .`, `$x`, `get_search_list`, `input_filename`} {
		if p, err := NewProgram(text); err == nil {
			if out, err := p.Run(t.Context(), []byte("1")); err == nil {
				t.Errorf("%s gives %s", text, out)
			}
		}
	}
}

// A program that does not end is ended with the call.
func TestProgramEnds(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if out, err := program(t, `[range(1e18)] | length`).Run(ctx, []byte("1")); err == nil || err.Error() != "jq: the program did not finish in time" {
		t.Errorf("%s %v", out, err)
	}
}
