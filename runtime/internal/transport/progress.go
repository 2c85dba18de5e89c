package transport

import (
	"context"
	"crypto/rand"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/progress"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// While a call takes longer than a client might expect, a client that gave a
// progress token hears that it is still being worked on: after a second, then
// every two, after ten seconds every five. How much is left nobody knows, so
// the progress is the seconds since the call began, and there is no total. Work
// that has parts reports them (package progress), and then they are counted.
func nextProgress(elapsed time.Duration) time.Duration {
	switch {
	case elapsed < time.Second:
		return time.Second
	case elapsed < 10*time.Second:
		return 2 * time.Second
	}
	return 5 * time.Second
}

// maxNotes is how many reports wait for a client that does not read.
const maxNotes = 16

// watch runs work and, while it runs, gives progress notes to emit: what the
// work reports, and signs of life between. Everything is emitted by the caller's
// goroutine before watch returns, so a note can neither be lost nor come after
// the response.
func watch(ctx context.Context, token jsontext.Value, work func(context.Context), emit func(note []byte)) {
	notes := make(chan progress.Note, maxNotes)
	working := progress.With(ctx, func(n progress.Note) {
		select {
		case notes <- n:
		default:
		}
	})
	var m meter
	tell := func(n progress.Note) {
		if m.report(n) {
			emit(m.append(nil, token))
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); work(working) }()
	elapsed := nextProgress(0)
	timer := time.NewTimer(elapsed)
	defer timer.Stop()
	for {
		select {
		case <-done:
			for len(notes) > 0 {
				tell(<-notes)
			}
			return
		case <-ctx.Done():
			<-done // it is on its way: the work has the same context
			return
		case n := <-notes:
			tell(n)
		case <-timer.C:
			m.tick(elapsed)
			emit(m.append(nil, token))
			wait := nextProgress(elapsed)
			elapsed += wait
			timer.Reset(wait)
		}
	}
}

// meter is what the client was told last. Progress must grow with every note,
// whichever of the two ways it is counted in.
type meter struct {
	value   float64
	total   int // 0: unknown
	message string

	parts bool   // parts are counted, not seconds
	base  int    // seconds that were told before the first part was reported
	last  string // message of the last report
}

// report takes a report of the work; it is false when there is nothing to tell.
func (m *meter) report(n progress.Note) bool {
	if !m.parts {
		m.parts, m.base = true, int(m.value)
	}
	if m.total = 0; n.Total > 0 {
		m.total = m.base + n.Total
	}
	m.last = n.Message
	value := float64(m.base + n.Done)
	if n.Done <= 0 || value <= m.value {
		return false // parts that run at once may report out of turn
	}
	m.value, m.message = value, n.Message
	return true
}

// tick says that the work goes on. Between two parts it moves half of what is
// left to the next.
func (m *meter) tick(elapsed time.Duration) {
	seconds := int(elapsed / time.Second)
	m.message = "still waiting after " + strconv.Itoa(seconds) + " s"
	if !m.parts {
		m.value = float64(seconds)
		return
	}
	if m.last != "" {
		m.message = m.last + "; " + m.message
	}
	m.value += (math.Floor(m.value) + 1 - m.value) / 2
}

func (m *meter) append(b []byte, token jsontext.Value) []byte {
	b = append(b, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`...)
	b = append(b, token...)
	b = strconv.AppendFloat(append(b, `,"progress":`...), m.value, 'f', -1, 64)
	if m.total > 0 {
		b = strconv.AppendInt(append(b, `,"total":`...), int64(m.total), 10)
	}
	b = result.AppendString(append(b, `,"message":`...), m.message)
	return append(b, "}}"...)
}

// correlation is a short word that finds a log line again.
func correlation() string { return rand.Text()[:12] }
