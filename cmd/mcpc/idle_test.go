package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	gort "runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	idleClients = 10_000
	idleMemory  = 100 << 20 // bytes that they may add
)

// Clients wait for their models most of the time. Ten thousand that are connected
// and ask nothing take little memory, and are still served afterwards.
func TestIdleClients(t *testing.T) {
	if gort.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc, which is Linux'")
	}
	n := idleClients
	if raceDetector || testing.Short() {
		n = 300 // for what they do; what they take is another's then
	}
	if most := openFiles(t) - 200; n > most {
		if os.Getenv("CI") != "" {
			t.Fatalf("%d files may be open, which is too few for %d clients: raise the limit (ulimit -n)", most+200, n)
		}
		t.Logf("%d clients instead of %d, because no more files may be open: raise the limit (ulimit -n)", most, n)
		n = most
	}
	spec := filepath.Join(t.TempDir(), "idle.hcl")
	if err := os.WriteFile(spec, []byte("server \"idle\" {}\napi \"a\" { base_url = \"http://127.0.0.1:9\" }\ntool \"a\" {\n  request \"GET\" \"/\" {}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := startProbed(t, spec)
	address := strings.TrimSuffix(strings.TrimPrefix(server.url, "http://"), "/mcp")
	before := residentMemory(t, server.cmd.Process.Pid)
	clients := make([]idleClient, n)
	for i := range clients {
		// A source address has some 28,000 ports.
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%4))}
		c, err := (&net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}).Dial("tcp", address)
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		defer c.Close()
		clients[i] = idleClient{c, bufio.NewReaderSize(c, 512)}
		clients[i].ask(t, i, `"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"idle","version":"1"}}`)
	}
	if n == idleClients {
		// What the initializing has left in the heap goes back within seconds.
		grown := 0
		for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
			if grown = residentMemory(t, server.cmd.Process.Pid) - before; grown <= idleMemory {
				break
			}
		}
		t.Logf("%d clients: %d MB more than the %d MB without any", n, grown>>20, before>>20)
		if grown > idleMemory {
			t.Errorf("%d idle clients take %d MB, more than %d", n, grown>>20, idleMemory>>20)
		}
	}
	for i := 0; i < n; i += max(1, n/500) {
		clients[i].ask(t, i, `"method":"ping"`)
	}
}

type idleClient struct {
	net.Conn
	in *bufio.Reader
}

// ask sends a request and reads its answer.
func (c idleClient) ask(t *testing.T, id int, request string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,%s}`, id, request)
	if _, err := fmt.Fprintf(c, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatalf("client %d: %v", id, err)
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatalf("client %d: %v", id, err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || !strings.HasPrefix(string(text), fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":`, id)) {
		t.Fatalf("client %d: %s, %v: %s", id, res.Status, err, text)
	}
}

// openFiles is how many files this process may have open, and those it starts.
func openFiles(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			// The hard one: Go raises the other to it.
			if n, err := strconv.Atoi(strings.Fields(rest)[1]); err == nil {
				return n
			}
		}
	}
	return 1 << 20 // unlimited
}

// residentMemory is what a process has in memory, in bytes.
func residentMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
