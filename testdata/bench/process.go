package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// process is a server under measurement, in a process of its own.
type process struct {
	url    string
	cmd    *exec.Cmd
	cancel context.CancelFunc
}

func (b *bench) command(argv ...string) (*exec.Cmd, context.CancelFunc) {
	ctx, cancel := context.WithCancel(b.ctx)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = 3 * time.Second
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(b.dir, "cache"), "HOME="+b.dir)
	return cmd, cancel
}

// self starts this program in another role; it prints its URL first.
func (b *bench) self(args ...string) (*process, error) {
	me, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd, cancel := b.command(append([]string{me}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%s did not start: %w", strings.Join(args, " "), err)
	}
	return &process{strings.TrimSpace(line), cmd, cancel}, nil
}

// serve starts `mcpc serve` over HTTP.
func (b *bench) serve(args ...string) (*process, error) {
	return b.start(b.mcpc, append([]string{"serve"}, args...)...)
}

// start starts a server over HTTP.
func (b *bench) start(name string, args ...string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	// Its log goes to a file, as a service's does; through a pipe this program
	// would spend the measured processors on reading it.
	log, err := os.CreateTemp(b.dir, "log-")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd, cancel := b.command(append(append([]string{name}, args...), "--http", address)...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	client := &http.Client{Timeout: time.Second}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r, err := client.Get("http://" + address + "/readyz")
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return &process{"http://" + address + "/mcp", cmd, cancel}, nil
		}
	}
	cancel()
	_ = cmd.Wait()
	said, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("%s is not ready after 20 s: %s", filepath.Base(name), said)
}

func (p *process) stop() {
	p.cancel()
	_ = p.cmd.Wait()
}
