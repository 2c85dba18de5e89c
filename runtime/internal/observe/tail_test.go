package observe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func logLine(id int, more string) string {
	return fmt.Sprintf(`{"time":"2026-05-01T12:00:00.000000Z","level":"info","correlation":"req-%d","trace":"t%d"%s}`, id, id, more)
}

// Only lines that are asked for are shown, and of those the last ones.
func TestTailShowsSome(t *testing.T) {
	log := strings.Join([]string{
		logLine(1, `,"tool":"get_order","outcome":"ok","subject":"ann","client":"cli","tenant":"acme","upstream":"erp","duration_us":{"total":9000}`),
		logLine(2, `,"resource":"order","outcome":"http-500","upstream":"erp","duration_us":{"total":900000}`),
		`{"half":`,
		"a panic of something",
		logLine(3, `,"event":"refused","reason":"unknown-tool","count":1,"name":"get_all"`),
		strings.Repeat("x", maxLine+100_000),
		logLine(4, `,"prompt":"greet","outcome":"ok","duration_us":{"total":90}`),
	}, "\n")
	for name, c := range map[string]struct {
		o    TailOptions
		want string // numbers of the lines, "-" for one that is none
	}{
		"all":        {TailOptions{}, "1 2 - - 3 - 4"},
		"tool":       {TailOptions{Tool: "get_order"}, "1"},
		"pattern":    {TailOptions{Tool: "g*"}, "1 3 4"},
		"upstream":   {TailOptions{Upstream: "erp"}, "1 2"},
		"outcome":    {TailOptions{Outcome: "ok"}, "1 4"},
		"reason":     {TailOptions{Outcome: "unknown-tool"}, "3"},
		"failed":     {TailOptions{Failed: true}, "2 3"},
		"slower":     {TailOptions{Slower: 9e6}, "1 2"},
		"who":        {TailOptions{Tenant: "acme", Subject: "ann", Client: "cli"}, "1"},
		"nobody":     {TailOptions{Tenant: "acme", Subject: "bob"}, ""},
		"id":         {TailOptions{Correlation: "req-3"}, "3"},
		"trace":      {TailOptions{Correlation: "t2"}, "2"},
		"last":       {TailOptions{Last: 2}, "- 4"},
		"last of":    {TailOptions{Last: 1, Upstream: "erp"}, "2"},
		"more":       {TailOptions{Last: 100}, "1 2 - - 3 - 4"},
		"as it is":   {TailOptions{JSON: true, Outcome: "ok"}, "1 4"},
		"in colours": {TailOptions{Color: true, Failed: true}, "2 3"},
	} {
		var out bytes.Buffer
		if err := Tail(strings.NewReader(log), &out, c.o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for l := range strings.Lines(out.String()) {
			n := "-"
			for _, d := range []string{"1", "2", "3", "4"} {
				if strings.Contains(l, "req-"+d) {
					n = d
				}
			}
			got = append(got, n)
			if c.o.JSON != strings.HasPrefix(l, `{"time"`) && n != "-" || c.o.Color != strings.Contains(l, "\x1b[") && strings.Contains(l, "WARN") {
				t.Errorf("%s: %s", name, l)
			}
			if len(l) > 1000 {
				t.Errorf("%s: a line of %d bytes", name, len(l))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
	// What a client made up does not colour a terminal.
	var out bytes.Buffer
	if err := Tail(strings.NewReader("{\"time\":\"\\u001b[5m\",\"level\":\"warn\\u001b[31m\",\"tool\":\"x\\u001b[1m\"}\nx\x1b[2J\n"), &out, TailOptions{Color: true}); err != nil || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%v: %q", err, out.String())
	}
	out.Reset()
	if err := Tail(strings.NewReader("x\x1b[2J\n"), &out, TailOptions{JSON: true}); err != nil || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%v: %q", err, out.String())
	}
}

// A log is followed while it grows, is moved away, emptied and replaced; no line is
// shown twice or lost, also of who goes on writing to what was moved away.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "calls.log")
	write := func(name, text string) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(name, "0\n1\n2\n3\n")
	var out bytes.Buffer
	done := errors.New("done")
	quiet := quietBefore + 1
	steps := []func(){
		func() { write(name, "4\nhal") },
		func() { write(name, "f\n") },
		func() {
			must(os.Rename(name, name+".1"))
			write(name, "after\n")
		},
		func() { write(name+".1", "late\n") }, // before it was noticed
	}
	for range quiet {
		steps = append(steps, func() {})
	}
	steps = append(steps,
		func() { must(os.Remove(name)) },
		func() {}, // nobody has the name
		func() { write(name, "new\nunfinished") },
	)
	for range quiet {
		steps = append(steps, func() {})
	}
	steps = append(steps,
		func() { must(os.Truncate(name, 0)) },
		func() { write(name, "emptied\n") },
		func() {},
	)
	err := follow(name, &out, TailOptions{Last: 2}, func() error {
		if len(steps) == 0 {
			return done
		}
		steps[0]()
		steps = steps[1:]
		return nil
	})
	if !errors.Is(err, done) {
		t.Error(err)
	}
	want := "2\n3\n4\nhalf\nlate\nafter\nnew\nunfinished\nemptied\n"
	if out.String() != want {
		t.Errorf("%q\nwant %q", out.String(), want)
	}
}
