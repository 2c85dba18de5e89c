package transport

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// session is a client on pipes.
type session struct {
	t     *testing.T
	in    *io.PipeWriter
	out   *bufio.Scanner
	ended chan error
	end   context.CancelFunc
}

func newSession(t *testing.T, f *Front) *session {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, end := context.WithCancel(context.Background())
	s := &session{t: t, in: inW, out: bufio.NewScanner(outR), ended: make(chan error, 1), end: end}
	s.out.Buffer(nil, 16<<20)
	go func() {
		err := f.ServeLines(ctx, inR, outW)
		_ = outW.Close()
		s.ended <- err
	}()
	return s
}

func (s *session) write(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Error(err)
	}
}

func (s *session) read() string {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Error("no line:", s.out.Err())
	}
	return s.out.Text()
}

// close ends the input and returns what was still written.
func (s *session) close() (rest []string, err error) {
	_ = s.in.Close()
	for s.out.Scan() {
		rest = append(rest, s.out.Text())
	}
	return rest, <-s.ended
}

const cancelled = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`

func TestStdioSession(t *testing.T) {
	f, _ := newFront(t, Options{})
	s := newSession(t, f)
	s.write(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`)
	check(t, s.read(), `…"protocolVersion":"2024-11-05"…`)
	s.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	s.write("")
	s.write(" \r")
	s.write(`{"jsonrpc":"2.0","id":9223372036854775808,"method":"ping"}` + "\r")
	check(t, s.read(), `{"jsonrpc":"2.0","id":9223372036854775808,"result":{}}`)
	s.write(`{"jsonrpc":"2.0","id":null`)
	check(t, s.read(), `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,…`)
	s.write(`{"jsonrpc":"2.0","id":2,"method":"ping","params":{"a":"` + strings.Repeat("x", int(defaults.Body)) + `"}}`)
	check(t, s.read(), `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"the message is larger than the limit of 4194304 bytes (limits.body)","data":{"limit":"body","value":4194304}}}`)
	s.write(callOf(Modern, `"m"`, "echo", `{}`)) // both eras on one line
	check(t, s.read(), `{"jsonrpc":"2.0","id":"m","result":{"resultType":"complete",…`)
	s.write(strings.Replace(callOf(Modern, "1", "echo", `{}`), "2026-07-28", "2030-01-01", 1))
	check(t, s.read(), `…"code":-32022,…"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"]…`)
	s.write(strings.Replace(callOf(Modern, "1", "echo", `{}`), "clientCapabilities", "x", 1))
	check(t, s.read(), `…"code":-32602,…`)
	s.write(`{"jsonrpc":"2.0","id":3,"result":{}}`)
	s.write(`{"jsonrpc":"2.0","id":4,"method":"tools/list"}`)
	if line := s.read(); !strings.HasPrefix(line, `{"jsonrpc":"2.0","id":4,"result":{"tools":[`) || !json.Valid([]byte(line)) {
		t.Errorf("list: %s", line)
	}
	rest, err := s.close()
	if err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
}

// What is asked in the last lines is answered, although the input has ended.
func TestStdioEndOfInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFront(t, Options{})
		var lines []string
		for i := range 200 {
			lines = append(lines, callOf(Legacy, fmt.Sprint(i), "sleep", `{"d":"1s"}`))
		}
		got := stdio(t, f, lines...) // the last line has no line end
		seen := map[string]bool{}
		for _, line := range got {
			var m struct {
				ID     json.Number
				Result struct{ Content []struct{ Text string } }
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil || len(m.Result.Content) != 1 || m.Result.Content[0].Text == "cancelled" {
				t.Errorf("%s: %v", line, err)
			}
			seen[m.ID.String()] = true
		}
		if len(seen) != 200 || len(got) != 200 {
			t.Errorf("%d lines, %d answers, want 200", len(got), len(seen))
		}
	})
}

// A call that does not end after the input has is cut off in the end.
func TestStdioDrainDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, how := range []string{"end of input", "end of the server"} {
			f, _ := newFront(t, Options{Drain: 3 * time.Second})
			s := newSession(t, f)
			s.write(callOf(Legacy, "1", "sleep", `{"d":"1h"}`))
			synctest.Wait()
			start := time.Now()
			if how == "end of input" {
				_ = s.in.Close()
			} else {
				s.end()
			}
			check(t, s.read(), `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"cancelled"}]…`)
			rest, err := s.close()
			if err != nil || len(rest) > 0 || time.Since(start) != 3*time.Second {
				t.Errorf("%s: %q, %v after %v", how, rest, err, time.Since(start))
			}
			s.end()
		}
	})
}

// A cancelled call gets no answer, whether it runs or waits for its turn, and
// one that waits never runs.
func TestStdioCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := newFront(t, Options{})
		c.started = make(chan string, 2*maxCalls)
		s := newSession(t, f)
		waiting := map[string]bool{}
		for i := range maxCalls + 3 {
			s.write(callOf(Legacy, fmt.Sprint(i), "wait", fmt.Sprintf(`{"id":%d}`, i)))
			waiting[fmt.Sprintf(`{"id":%d}`, i)] = true
		}
		synctest.Wait()
		if n := len(c.started); n != maxCalls {
			t.Fatalf("%d calls run at once", n)
		}
		var running string
		for range maxCalls {
			running = <-c.started
			delete(waiting, running)
		}
		var queued string
		for queued = range waiting {
			break
		}
		id := func(arguments string) string { return arguments[len(`{"id":`) : len(arguments)-1] }
		s.write(fmt.Sprintf(cancelled, id(queued)))
		s.write(fmt.Sprintf(cancelled, id(running)))
		s.write(fmt.Sprintf(cancelled, `"0"`))                          // nobody's
		s.write(`{"jsonrpc":"2.0","method":"notifications/cancelled"}`) // of what?
		synctest.Wait()
		close(c.release)
		_ = s.in.Close()
		seen := map[string]bool{}
		for range maxCalls + 1 {
			var m struct{ ID json.Number }
			line := s.read()
			if err := json.Unmarshal([]byte(line), &m); err != nil || strings.Contains(line, `"cancelled"`) {
				t.Errorf("%s: %v", line, err)
			}
			seen[m.ID.String()] = true
		}
		rest, err := s.close()
		if err != nil || len(rest) > 0 || seen[id(queued)] || seen[id(running)] || len(seen) != maxCalls+1 {
			t.Errorf("%d answers, rest %q, %v", len(seen), rest, err)
		}
		for range len(c.started) {
			if <-c.started == queued {
				t.Error("a call ran that was cancelled before its turn")
			}
		}
		s.end()
	})
}

func TestStdioProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newFront(t, Options{})
		s := newSession(t, f)
		s.write(strings.Replace(callOf(Legacy, "1", "sleep", `{"d":"3500ms"}`), `"name"`, `"_meta":{"progressToken":7},"name"`, 1))
		s.write(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
		check(t, s.read(), `{"jsonrpc":"2.0","id":2,"result":{}}`)
		check(t, s.read(), `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1,…`)
		check(t, s.read(), `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":3,…`)
		check(t, s.read(), `{"jsonrpc":"2.0","id":1,"result":…`)
		if rest, err := s.close(); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v", rest, err)
		}
		s.end()
	})
}

func TestStdioBatch(t *testing.T) {
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	initialize := func(version string) string {
		return `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + version + `","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	}
	f, _ := newFront(t, Options{})
	lines := stdio(t, f, initialize("2025-03-26"), `[`+ping+`,`+callOf(Legacy, `"c"`, "echo", "{}")+`,{"jsonrpc":"2.0","method":"x"},5]`, `[{"jsonrpc":"2.0","method":"x"}]`)
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	check(t, lines[1], `[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":"c","result":{…}},{"jsonrpc":"2.0","id":null,"error":{"code":-32600,…}}]`)
	for _, before := range [][]string{nil, {initialize("2025-06-18")}} {
		lines := stdio(t, f, append(before, `[`+ping+`]`)...)
		check(t, lines[len(lines)-1], `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches exist in revision 2025-03-26 only"}}`)
	}
}

// Two clients on two pairs of streams, with the same ids at the same time.
func TestCollidingIDsStdio(t *testing.T) {
	f, _ := newFront(t, Options{})
	var wg sync.WaitGroup
	for client := range 2 {
		s := newSession(t, f)
		wg.Go(func() {
			defer s.end()
			go func() {
				for round := range 1000 {
					e := Era(round % 2)
					s.write(callOf(e, fmt.Sprint(round), "echo", fmt.Sprintf(`{"a":"client %d, round %d"}`, client, round)))
				}
			}()
			for range 1000 {
				var m struct {
					ID     json.Number
					Result struct{ Content []struct{ Text string } }
				}
				line := s.read()
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Errorf("%s: %v", line, err)
					return
				}
				if want := fmt.Sprintf(`{"a":"client %d, round %s"}`, client, m.ID); len(m.Result.Content) != 1 || m.Result.Content[0].Text != want {
					t.Errorf("got %s, want %s", line, want)
					return
				}
			}
			if rest, err := s.close(); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
	wg.Wait()
}

// A client that is gone ends the loop and the calls.
func TestStdioBrokenOutput(t *testing.T) {
	f, c := newFront(t, Options{})
	c.started = make(chan string, 1)
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error)
	go func() { ended <- f.ServeLines(t.Context(), inR, outW) }()
	_, _ = io.WriteString(inW, callOf(Legacy, "1", "wait", "{}")+"\n")
	<-c.started
	_ = outR.CloseWithError(errors.New("nobody reads"))
	_, _ = io.WriteString(inW, `{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n")
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Errorf("error %v", err)
	}
}
