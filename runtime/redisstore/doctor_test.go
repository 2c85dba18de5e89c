package redisstore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// fakeRedis speaks as much of the protocol of Redis (RESP2) as shows how a server
// refuses: answer gives a reply for a command, whose name is in capitals. Lines that
// are no command get what answer gives for "".
func fakeRedis(t *testing.T, answer func(command string, words []string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
			wait.Go(func() {
				defer stop()
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					var n int
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					words := []string{""}
					if _, err := fmt.Sscanf(line, "*%d", &n); err == nil {
						words = make([]string, n)
						for i := range words {
							var size int
							if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
								return
							}
							text := make([]byte, size+2)
							if _, err := io.ReadFull(r, text); err != nil {
								return
							}
							words[i] = string(text[:size])
						}
					}
					reply := answer(strings.ToUpper(words[0]), words[1:])
					if reply == "" {
						return
					}
					if _, err := io.WriteString(c, reply+"\r\n"); err != nil {
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// Each cause for which a store does not decide has its own next step.
func TestProbeStore(t *testing.T) {
	// What is not in special is answered as a good server does. Servers before Redis 6
	// know no HELLO.
	serving := func(special map[string]string) func(string, []string) string {
		return func(command string, words []string) string {
			if reply, ok := special[command]; ok {
				return reply
			}
			switch command {
			case "HELLO":
				return "*4\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:2"
			case "CLUSTER":
				return "-ERR This instance has cluster support disabled"
			case "EVAL", "EVALSHA":
				return "*3\r\n:1\r\n:0\r\n:0"
			}
			return "+OK"
		}
	}
	noHello := "-ERR unknown command `HELLO`, with args beginning with: `3`, "
	script := func(reply string) map[string]string { return map[string]string{"EVAL": reply, "EVALSHA": reply} }
	next := map[string]string{} // by which cause it is said
	for _, c := range []struct {
		name     string
		answer   func(string, []string) string
		url      string // "": that of the fake
		password string
		want     string
		says     string
	}{
		{"good", serving(nil), "", "s3same", "decision:ok", "the store decides"},
		{"no HELLO", serving(map[string]string{"HELLO": noHello}), "", "", "decision:ok", "the store decides"},
		{"wrong password", serving(map[string]string{"HELLO": "-WRONGPASS invalid username-password pair or user is disabled."}), "", "s3same", "decision:fail", "Correct the password of the store"},
		{"no password given", serving(map[string]string{"HELLO": "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used."}), "", "", "decision:fail", "Give the store a password"},
		{"a password that nobody wants", serving(map[string]string{"HELLO": "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"}), "", "s3same", "decision:fail", "Take the password out of the spec"},
		{"too old", serving(map[string]string{"HELLO": noHello, "EVAL": "-ERR Error running script: Write commands not allowed after non deterministic commands.", "EVALSHA": "-NOSCRIPT No matching script. Please use EVAL."}), "", "", "decision:fail", "Use Redis 6 or newer"},
		{"no rights", serving(script("-NOPERM this user has no permissions to run the 'evalsha' command")), "", "", "decision:fail", "the rights to run scripts"},
		{"a replica", serving(script("-READONLY You can't write against a read only replica.")), "", "", "decision:fail", "Name the primary"},
		{"full", serving(script("-OOM command not allowed when used memory > 'maxmemory'.")), "", "", "decision:fail", "more memory"},
		{"loading", serving(map[string]string{"HELLO": "-LOADING Redis is loading the dataset in memory"}), "", "", "decision:fail", "Wait until"},
		{"disk", serving(script("-MISCONF Errors writing to the AOF file")), "", "", "decision:fail", "cannot write its disk"},
		{"no such database", serving(map[string]string{"SELECT": "-ERR DB index is out of range"}), "redis://%s/77", "", "decision:fail", "the number of the database"},
		{"not Redis", func(string, []string) string { return "HTTP/1.1 400 Bad Request" }, "", "", "decision:fail", "does not speak the protocol of Redis"},
		{"hangs up", func(string, []string) string { return "" }, "", "", "decision:fail", "whether it is Redis"},
		{"no TLS", func(string, []string) string { return "-ERR Protocol error" }, "rediss://%s", "", "decision:fail", "does not speak TLS"},
		{"away", nil, "redis://127.0.0.1:1", "", "decision:fail", "Start Redis there"},
		{"a name nobody knows", nil, "redis://doctor.invalid", "", "decision:fail", "Correct the host in the url"},
		{"no url", nil, "http://127.0.0.1", "", "decision:fail", "Correct the url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			where := c.url
			if c.answer != nil {
				if where == "" {
					where = "redis://%s"
				}
				where = fmt.Sprintf(where, fakeRedis(t, c.answer))
			}
			p := &plan.Server{Name: "t", Limits: []plan.CallLimit{{Every: time.Second, Burst: 1, Store: "shared"}},
				Stores: []plan.Store{{Name: "shared", URL: text(where), Timeout: 5 * time.Second}}}
			if c.password != "" {
				e := text(c.password)
				p.Stores[0].Password = &e
			}
			s, err := runtime.New(p, runtime.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(context.WithoutCancel(t.Context()))
			list := s.Diagnose(t.Context(), "", time.Minute)
			if len(list) != 1 || list[0].Subject != "store shared" {
				t.Fatalf("%+v", list)
			}
			got := list[0].Check + ":" + string(list[0].Status)
			if got == "decision:warn" && c.want == "decision:ok" { // a busy machine
				return
			}
			if got != c.want || !strings.Contains(list[0].Detail+"; "+list[0].Next, c.says) {
				t.Errorf("%+v, want %s and %q", list[0], c.want, c.says)
			}
			if n := list[0].Next; n != "" {
				if next[n] != "" {
					t.Errorf("%q is said of %s, too", n, next[n])
				}
				next[n] = c.name
			}
			if strings.Contains(list[0].Detail+list[0].Next, "s3same") {
				t.Errorf("%+v holds the password", list[0])
			}
		})
	}
}
