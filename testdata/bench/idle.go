package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// idleClients measures what connected clients cost that ask nothing: the memory of
// the server before and some seconds after they have connected and initialized.
func (b *bench) idleClients() error {
	spec := filepath.Join(b.dir, "idle.hcl")
	if err := os.WriteFile(spec, []byte("api \"bench\" { base_url = \"http://127.0.0.1:9\" }\n"+costTool), 0o600); err != nil {
		return err
	}
	server, err := b.serve(spec)
	if err != nil {
		return err
	}
	defer server.stop()
	before, err := server.memory("VmRSS:")
	if err != nil {
		return err
	}
	address := strings.TrimSuffix(strings.TrimPrefix(server.url, "http://"), "/mcp")
	const body = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`
	for i := range b.idle {
		c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(b.ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("client %d (see ulimit -n): %w", i, err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return err
		}
		answer, err := http.ReadResponse(bufio.NewReaderSize(c, 512), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode != http.StatusOK {
			err = errors.New(answer.Status)
		}
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
	}
	most, err := server.memory("VmRSS:")
	if err != nil {
		return err
	}
	select {
	case <-time.After(12 * time.Second):
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	after, err := server.memory("VmRSS:")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\nIdle clients: %d, connected and initialized: %.0f MB before, %.0f MB right after, %.0f MB twelve seconds later\n", b.idle, before, most, after)
	b.target(fmt.Sprintf("%d idle clients: memory", b.idle), after-before, "MB", 100)
	return nil
}

// memory is a value of /proc/PID/status, in MB: VmRSS for what the process holds,
// VmHWM for the most it ever held.
func (p *process) memory(name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 64)
			return kb / 1024, err
		}
	}
	return 0, io.ErrUnexpectedEOF
}
