package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// program finds a program that people install, in the path or in bin/ of the
// repository.
func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed: run make redis-install", name)
	}
	t.Skipf("%s is not installed: run make redis-install, or install Redis 6 or newer", name)
	return ""
}

// redis is a real Redis server, of the test alone.
type redis struct {
	t       testing.TB
	Port    string
	args    []string
	command *exec.Cmd
	log     *bytes.Buffer
	ended   chan struct{}
}

// startRedis starts a server on a free port of this machine, without anything on
// disk. It ends with the test.
func startRedis(t testing.TB, args ...string) *redis {
	t.Helper()
	_, port, err := net.SplitHostPort(free(t))
	if err != nil {
		t.Fatal(err)
	}
	r := &redis{t: t, Port: port, args: args}
	r.Start()
	t.Cleanup(r.Kill)
	return r
}

// Address is host and port.
func (r *redis) Address() string { return net.JoinHostPort("127.0.0.1", r.Port) }

// Start starts it, again after it was killed, and waits until it answers.
func (r *redis) Start() {
	r.t.Helper()
	args := append([]string{"--port", r.Port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.t.TempDir()}, r.args...)
	r.command = exec.CommandContext(context.Background(), program(r.t, "redis-server"), args...)
	r.log = &bytes.Buffer{}
	r.command.Stdout, r.command.Stderr = r.log, r.log
	if err := r.command.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		_ = c.Wait() // it is killed
		close(ended)
	}(r.command, r.ended)
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", r.Address())
		if err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-r.ended:
			r.t.Fatalf("Redis ended at once:\n%s", r.log)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("Redis does not listen: %v", err)
		}
	}
}

// Kill ends it without any notice, and all that it holds.
func (r *redis) Kill() {
	_ = r.command.Process.Kill() // it may have ended
	<-r.ended
}

// folder is where mcpc is built; "" as long as no test wanted it.
var folder string

// built is mcpc, built once.
var built = sync.OnceValues(func() (string, error) {
	var err error
	if folder, err = os.MkdirTemp("", "mcpc-store-"); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "mcpc")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../../cmd/mcpc").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}
