package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminalOf opens a terminal: the side of the window, and that of programs.
func terminalOf(t *testing.T) (window, programs *os.File) {
	t.Helper()
	window, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = window.Close() })
	raw, err := window.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var locked, number int32
	var failed syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		for request, to := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(to))); errno != 0 {
				failed = errno
			}
		}
	}); err != nil || failed != 0 {
		t.Fatal(err, failed)
	}
	programs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = programs.Close() })
	return window, programs
}

// When the window of a terminal is closed, a server in it ends in order, with its
// calls finished, whether it is on its own there or a job of a shell; one under
// nohup goes on.
func TestTerminalIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		shell string // what the server is started by: its command is "$@"
		stdio bool
		stays bool
	}{
		"alone":              {},
		"a job of a shell":   {shell: `"$@"; exit`},
		"a job that is left": {shell: `trap "exit 0" HUP; "$@" & wait; exit`},
		"under nohup":        {shell: `exec nohup "$@"`, stays: true},
		"on stdio":           {stdio: true},
	} {
		t.Run(name, func(t *testing.T) {
			entered, leave := make(chan struct{}, 1), make(chan struct{})
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				entered <- struct{}{}
				<-leave
				_, _ = fmt.Fprint(w, "finished")
			}))
			defer api.Close()
			spec := filepath.Join(t.TempDir(), "s.hcl")
			put(t, spec, fmt.Appendf(nil, "server \"t\" {}\napi \"a\" { base_url = %q }\ntool \"t\" {\n  description = \"T.\"\n  request \"GET\" \"/t\" {}\n}\n", api.URL))
			cmd := mcpcServe(t, spec)
			if !c.stdio {
				cmd.Args = append(cmd.Args, "--http", "127.0.0.1:0")
			}
			if c.shell != "" {
				// The name by which the test binary is the command.
				named := filepath.Join(t.TempDir(), "mcpc")
				if err := os.Symlink(cmd.Path, named); err != nil {
					t.Fatal(err)
				}
				cmd = exec.Command("sh", append([]string{"-c", c.shell, "sh", named}, cmd.Args[1:]...)...)
			}
			cmd.Dir = t.TempDir() // nohup writes there
			window, programs := terminalOf(t)
			cmd.Stdin, cmd.Stdout = programs, programs
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
			s := start(t, cmd)
			_ = programs.Close()

			answer := make(chan string, 1)
			if c.stdio {
				answer <- "finished"
				close(leave)
			} else {
				go func() {
					_, text, _, err := post(patient, s.url, calling("t"))
					answer <- fmt.Sprint(text, err)
				}()
				<-entered
			}
			if err := window.Close(); err != nil {
				t.Fatal(err)
			}
			if c.stays {
				s.said.wait(t, "why=SIGHUP", 1)
				if got := s.described(); got != "T." {
					t.Errorf("it serves %q", got)
				}
				if n := strings.Count(s.said.String(), "msg=reloaded"); n != 1 {
					t.Errorf("%d reloads", n)
				}
			} else if !c.stdio {
				// It takes no more calls, and still has the one to finish.
				for end := time.Now().Add(20 * time.Second); s.described() != ""; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("it does not end\n%s", s.said)
					}
				}
			}
			if !c.stdio {
				close(leave)
			}
			if got := <-answer; !strings.Contains(got, "finished") {
				t.Errorf("the call that was under way: %s", got)
			}
			if c.stays {
				if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				s.end()
				return
			}
			if c.shell != "" {
				// What Wait waits for, the end of stderr, is the end of the server; the shell
				// ends as shells do.
				select {
				case <-s.ended:
				case <-time.After(30 * time.Second):
					t.Fatalf("it does not end\n%s", s.said)
				}
			} else {
				s.end()
			}
			if strings.Contains(s.said.String(), "reloaded") {
				t.Errorf("it reloaded\n%s", s.said)
			}
		})
	}
}
