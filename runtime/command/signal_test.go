package command

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// SIGHUP ends a process whose terminal goes, at once or a moment later, and nobody
// else: not one that never had one, one that has it still, nor one that has been a
// daemon since its terminal went without a word.
func TestHangups(t *testing.T) {
	const never = time.Duration(1<<63 - 1)
	for name, c := range map[string]struct {
		attached bool
		gone     time.Duration // when the terminal goes
		signal   time.Duration // when SIGHUP comes
		ends     bool
	}{
		"no terminal":                     {false, 0, time.Second, false},
		"a terminal that stays":           {true, never, time.Hour, false},
		"the signal after the terminal":   {true, time.Hour, time.Hour, true},
		"seconds after it":                {true, time.Hour + time.Second, time.Hour + 9*time.Second, true},
		"the terminal after the signal":   {true, time.Hour + terminalLeaves/2, time.Hour, true},
		"a terminal that went long ago":   {true, time.Hour, time.Hour + time.Minute, false},
		"a terminal that goes much later": {true, time.Hour + time.Minute, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				hup := make(chan os.Signal, 1)
				var calls, ends atomic.Int32
				terminal := func() bool { return c.attached && time.Since(began) < c.gone }
				ctx, stop := context.WithCancel(t.Context())
				go hangups(ctx, hup, c.attached, terminal, terminalGone, func() { calls.Add(1) }, func() bool { ends.Add(1); return true })
				time.Sleep(c.signal)
				hup <- syscall.SIGHUP
				time.Sleep(time.Second)
				synctest.Wait()
				if want := map[bool][2]int32{true: {0, 1}, false: {1, 0}}[c.ends]; calls.Load() != want[0] || ends.Load() != want[1] {
					t.Errorf("%d reloads and %d ends", calls.Load(), ends.Load())
				}
				stop()
				synctest.Wait()
			})
		})
	}
}
