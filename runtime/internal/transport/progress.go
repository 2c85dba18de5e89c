package transport

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// While a call takes longer than a client might expect, a client that gave a
// progress token hears that it is still being worked on: after a second, then
// every two, after ten seconds every five. How much is left nobody knows, so
// the progress is the seconds since the call began, and there is no total.
func nextProgress(elapsed time.Duration) time.Duration {
	switch {
	case elapsed < time.Second:
		return time.Second
	case elapsed < 10*time.Second:
		return 2 * time.Second
	}
	return 5 * time.Second
}

// watch runs work and, while it runs, gives progress notes to emit. Everything
// is emitted by the caller's goroutine before watch returns, so a note can
// neither be lost nor come after the response.
func watch(ctx context.Context, token jsontext.Value, work func(), emit func(note []byte)) {
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	elapsed := nextProgress(0)
	timer := time.NewTimer(elapsed)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			<-done // it is on its way: the work has the same context
			return
		case <-timer.C:
			emit(appendProgress(nil, token, elapsed))
			wait := nextProgress(elapsed)
			elapsed += wait
			timer.Reset(wait)
		}
	}
}

func appendProgress(b []byte, token jsontext.Value, elapsed time.Duration) []byte {
	seconds := strconv.Itoa(int(elapsed / time.Second))
	b = append(b, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`...)
	b = append(b, token...)
	b = append(b, `,"progress":`+seconds+`,"message":"still waiting after `+seconds+` s"}}`...)
	return b
}

// correlation is a short word that finds a log line again.
func correlation() string { return rand.Text()[:12] }
