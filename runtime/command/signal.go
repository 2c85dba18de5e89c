package command

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// OnHangup calls f on every SIGHUP until ctx ends, one after another. Where the
// signal says that the terminal of the process is gone, the process is ended in
// order instead, as a person who closes a terminal expects.
func OnHangup(ctx context.Context, f func()) {
	attached := !signal.Ignored(syscall.SIGHUP) && terminal() // not under nohup
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				if attached && !terminal() {
					if p, err := os.FindProcess(os.Getpid()); err == nil && p.Signal(syscall.SIGTERM) == nil {
						return
					}
				}
				f()
			}
		}
	}()
}

// terminal tells whether the process has a terminal that can end it.
func terminal() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = f.Close() // nothing was written
	return true
}

// Notify tells the service manager about the process, as sd_notify(3) does: one
// assignment a line. Without a manager that listens it does nothing.
func Notify(getenv func(string) string, state ...string) {
	name := getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if name[0] == '@' { // in the abstract name space
		name = "\x00" + name[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(strings.Join(state, "\n"))) // a manager that is not there is not told
}

// Reloading is what [Notify] is told before a reload; "READY=1" is the end of it.
func Reloading() []string {
	return []string{"RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic())}
}

// monotonic is the time since the system was started, in microseconds, as the
// service manager counts it; 0 where it cannot be told.
func monotonic() int64 {
	text, err := os.ReadFile("/proc/uptime")
	var up float64
	if err == nil {
		if _, err = fmt.Sscan(string(text), &up); err == nil {
			return int64(up * float64(time.Second/time.Microsecond))
		}
	}
	return 0
}
