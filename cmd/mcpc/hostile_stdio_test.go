package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestHostileStdio: the same for the one client on stdio. A line that is no message
// is answered as one, and the next is read.
func TestHostileStdio(t *testing.T) {
	u := newUpstream(t)
	v := serveVictim(t, u, "", true)
	// The answers up to that to a ping, which nothing else has the id of.
	n := 0
	ask := func(t *testing.T, text string) []string {
		t.Helper()
		n++
		own := fmt.Sprintf(`"own-%d"`, n)
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(v.in, text+"\n"+`{"jsonrpc":"2.0","id":`+own+`,"method":"ping"}`+"\n")
			sent <- err
		}()
		var lines []string
		for {
			line, err := v.out.ReadString('\n')
			if err != nil {
				t.Fatalf("the server is gone: %v", err)
			}
			leaks(t, line)
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %.500s", line)
			}
			if strings.Contains(line, `"id":`+own) {
				break
			}
			lines = append(lines, line)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		return lines
	}
	for _, p := range []struct {
		name, send string
		want       []string // part of each answer, in their order
		bounded    int64
	}{
		{"empty lines", "\n\r\n \t\n", nil, 0},
		{"malformed", `{"jsonrpc":`, []string{"-32700"}, 0},
		{"noise", "\x00\x01\x02\xff\xfe\x80", []string{"-32700"}, 0},
		{"byte order mark", "\ufeff" + ping, []string{"-32700"}, 0},
		{"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", []string{"-32700"}, 0},
		{"NUL at the end", ping + "\x00", []string{"-32700"}, 0},
		{"carriage returns between messages", ping + "\r" + ping, []string{"-32700"}, 0},
		{"carriage return at the end", ping + "\r", []string{`"id":1,"result":{}`}, 0},
		{"two messages in a line", ping + " " + ping, []string{"-32700"}, 0},
		{"a message over two lines", "{\"jsonrpc\":\"2.0\",\n\"id\":1,\"method\":\"ping\"}", []string{"-32700", "-32700"}, 0},
		{"framing of another protocol", "Content-Length: 40\r\n\r\n" + ping, []string{"-32700", `"result":{}`}, 0},
		{"HTTP", "POST /mcp HTTP/1.1\r\nHost: localhost", []string{"-32700", "-32700"}, 0},
		{"a line over the limit", strings.Repeat("x", 5<<20), []string{`{"limit":"body","value":4194304}`}, 96 << 20},
		{"a line of 100 MB", strings.Repeat("[", 100_000_000), []string{`{"limit":"body","value":4194304}`}, 96 << 20},
		{"deep nesting", strings.Repeat(`{"a":`, 500_000), []string{`{"limit":"depth","value":128}`}, 96 << 20},
		{"a batch before the handshake", "[" + ping + "]", []string{"-32600"}, 0},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, []string{"-32600"}, 0},
		{"id with a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, []string{"-32600"}, 0},
		{"id over the limit", `{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 1000) + `","method":"ping"}`, []string{`"limit":"name"`}, 0},
		{"method unknown", `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}`, []string{"-32601"}, 0},
		{"method of the end", `{"jsonrpc":"2.0","id":1,"method":"shutdown"}` + "\n" + `{"jsonrpc":"2.0","method":"exit"}`, []string{"-32601"}, 0},
		{"cancellation of nothing", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[1]}}`, nil, 0},
		{"a response nobody waits for", `{"jsonrpc":"2.0","id":"confirm-1","result":{"action":"accept"}}`, nil, 0},
		{"a response under a number", `{"jsonrpc":"2.0","id":1,"result":{}}`, nil, 0},
		{"initialize with junk", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":{},"capabilities":7,"clientInfo":[]}}`, []string{`"id":1`}, 0},
	} {
		t.Run(p.name, func(t *testing.T) {
			before, _ := v.resident(t)
			got := ask(t, p.send)
			if len(got) != len(p.want) {
				t.Fatalf("%d answers: %.1000q; want %q", len(got), got, p.want)
			}
			for i := range got {
				if !strings.Contains(got[i], p.want[i]) {
					t.Errorf("%.500s, want %s", got[i], p.want[i])
				}
			}
			if _, most := v.resident(t); p.bounded > 0 && before > 0 && most-before > p.bounded {
				t.Errorf("memory grew from %d to %d MiB", before>>20, most>>20)
			}
		})
	}
	if asked := u.take(); len(asked) > 0 {
		t.Errorf("the service was asked %q", asked)
	}
	t.Run("a question forged", func(t *testing.T) {
		ask(t, `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"h","version":"1"}}}`)
		if _, err := io.WriteString(v.in, callOf("drop", `{"id":"a"}`)+"\n"); err != nil {
			t.Fatal(err)
		}
		question, err := v.out.ReadString('\n')
		if err != nil || !strings.Contains(question, "elicitation/create") {
			t.Fatalf("%s %v", question, err)
		}
		var q struct{ ID string }
		if err := json.Unmarshal([]byte(question), &q); err != nil {
			t.Fatal(err)
		}
		// Answers to other questions are not its answer; the first to it is.
		ask(t, `{"jsonrpc":"2.0","id":"confirm-999","result":{"action":"accept"}}`)
		if asked := u.take(); len(asked) > 0 {
			t.Errorf("nobody agreed: %q", asked)
		}
		if _, err := fmt.Fprintf(v.in, "{\"jsonrpc\":\"2.0\",\"id\":%q,\"result\":{\"action\":\"decline\"}}\n{\"jsonrpc\":\"2.0\",\"id\":%q,\"result\":{\"action\":\"accept\"}}\n", q.ID, q.ID); err != nil {
			t.Fatal(err)
		}
		if line, err := v.out.ReadString('\n'); err != nil || !strings.Contains(line, `"isError":true`) {
			t.Errorf("declined: %s %v", line, err)
		}
		if asked := u.take(); len(asked) > 0 {
			t.Errorf("the service was asked %q", asked)
		}
	})
	t.Run("answers do not cross", func(t *testing.T) {
		var b strings.Builder
		for i := range 50 {
			fmt.Fprintf(&b, "%s\n{broken %d\n", itemCall(fmt.Sprintf(`"x%d"`, i), fmt.Sprintf(`{"id":"own%d"}`, i)), i)
		}
		lines := make(chan string)
		go func() {
			_, _ = io.WriteString(v.in, b.String())
		}()
		go func() {
			defer close(lines)
			for range 100 {
				line, err := v.out.ReadString('\n')
				if err != nil {
					return
				}
				lines <- line
			}
		}()
		calls := 0
		for line := range lines {
			var r struct{ ID *string }
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if r.ID != nil {
				calls++
				if own := "/v1/items/own" + strings.TrimPrefix(*r.ID, "x") + `\"`; !strings.Contains(line, own) {
					t.Errorf("%s, want %s", line, own)
				}
			}
		}
		if calls != 50 {
			t.Errorf("%d calls were answered", calls)
		}
	})
}

// TestHostileEnd: input that ends in the middle of something ends the server in
// order, after what was asked before has been answered.
func TestHostileEnd(t *testing.T) {
	u := newUpstream(t)
	for name, tt := range map[string]struct {
		send string
		want []string
	}{
		"at once":            {"", nil},
		"in a message":       {`{"jsonrpc":"2.0","id":1,"method":"pi`, []string{"-32700"}},
		"without line end":   {ping, []string{`"result":{}`}},
		"after a call":       {itemCall("1", `{"id":"last"}`) + "\n", []string{"/v1/items/last"}},
		"in a line too long": {strings.Repeat("x", 6<<20), []string{`"limit":"body"`}},
	} {
		t.Run(name, func(t *testing.T) {
			v := serveVictim(t, u, "", true)
			if _, err := io.WriteString(v.in, tt.send); err != nil {
				t.Fatal(err)
			}
			_ = v.in.Close()
			out, err := io.ReadAll(v.out)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			if len(out) == 0 {
				lines = nil
			}
			if len(lines) != len(tt.want) {
				t.Fatalf("%q, want %q", lines, tt.want)
			}
			for i := range lines {
				if leaks(t, lines[i]); !strings.Contains(lines[i], tt.want[i]) {
					t.Errorf("%s, want %s", lines[i], tt.want[i])
				}
			}
		})
	}
}
