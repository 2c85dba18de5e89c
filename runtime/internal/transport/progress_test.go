package transport

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/progress"
)

func TestWatchParts(t *testing.T) {
	for _, c := range []struct {
		name string
		work func(ctx context.Context)
		want []string // progress, total and message
	}{
		{"parts that end at once", func(ctx context.Context) {
			progress.Report(ctx, 0, 3, "")
			progress.Report(ctx, 1, 3, "page 1")
			progress.Report(ctx, 2, 3, "page 2")
		}, []string{`1,"total":3,"message":"page 1"`, `2,"total":3,"message":"page 2"`}},
		{"signs of life between parts", func(ctx context.Context) {
			progress.Report(ctx, 0, 2, "")
			time.Sleep(3500 * time.Millisecond)
			progress.Report(ctx, 1, 2, "one")
			time.Sleep(2 * time.Second)
		}, []string{`0.5,"total":2,"message":"still waiting after 1 s"`, `0.75,"total":2,"message":"still waiting after 3 s"`, `1,"total":2,"message":"one"`,
			`1.5,"total":2,"message":"one; still waiting after 5 s"`}},
		{"parts after seconds", func(ctx context.Context) {
			time.Sleep(3500 * time.Millisecond)
			progress.Report(ctx, 1, 2, "one")
		}, []string{`1,"message":"still waiting after 1 s"`, `3,"message":"still waiting after 3 s"`, `4,"total":5,"message":"one"`}},
		{"out of turn", func(ctx context.Context) {
			progress.Report(ctx, 2, 0, "two \"quoted\"")
			progress.Report(ctx, 1, 0, "one")
			progress.Report(ctx, 2, 0, "two again")
		}, []string{`2,"message":"two \"quoted\""`}},
		{"silenced", func(ctx context.Context) {
			progress.Report(progress.With(ctx, nil), 1, 1, "one")
			if progress.Wanted(progress.With(ctx, nil)) || !progress.Wanted(ctx) {
				t.Error("Wanted is wrong")
			}
		}, nil},
		{"more than waits", func(ctx context.Context) {
			for i := range 10 * maxNotes {
				progress.Report(ctx, i+1, 0, "")
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				watch(t.Context(), jsontext.Value("7"), c.work, func(note []byte) {
					if !jsontext.Value(note).IsValid() {
						t.Errorf("not JSON: %s", note)
					}
					s := strings.TrimPrefix(string(note), `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":`)
					got = append(got, strings.TrimSuffix(s, "}}"))
				})
				if c.name == "more than waits" {
					if len(got) < 1 {
						t.Error("nothing was told")
					}
					return
				}
				if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			})
		})
	}
}
