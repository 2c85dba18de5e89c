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

// How the end of a terminal is told from a SIGHUP that somebody sent.
const (
	// terminalLeaves is how long after the signal the terminal may still be there:
	// where the shell ends first, its jobs get the signal before they lose the
	// terminal.
	terminalLeaves = 100 * time.Millisecond
	// terminalGone is how often it is looked whether the terminal is still there. A
	// job that outlived it is a daemon, which later signals do not end.
	terminalGone = 5 * time.Second
)

// OnHangup calls f on every SIGHUP until ctx ends, one after another. Where the
// signal says that the terminal of the process is gone, the process is ended in
// order instead, as a person who closes a terminal expects. A process that is
// ending is not disturbed by another SIGHUP, of which a terminal sends several.
func OnHangup(ctx context.Context, f func()) {
	attached := !signal.Ignored(syscall.SIGHUP) && terminal() // not under nohup
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // for good: see above
	go hangups(ctx, hup, attached, terminal, terminalGone, f, func() bool {
		p, err := os.FindProcess(os.Getpid())
		return err == nil && p.Signal(syscall.SIGTERM) == nil
	})
}

// hangups is OnHangup once the signals come. terminal tells whether there is one,
// every so often; end ends the process, and tells whether it can.
func hangups(ctx context.Context, hup <-chan os.Signal, attached bool, terminal func() bool, every time.Duration, f func(), end func() bool) {
	var look <-chan time.Time
	if attached {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		look = ticker.C
	}
	missed := false // at the last look
	for {
		select {
		case <-ctx.Done():
			return
		case <-look:
			switch here := terminal(); {
			case here:
				missed = false
			case missed: // and nobody was told
				attached, look = false, nil
			default: // the signal may be on its way
				missed = true
			}
		case <-hup:
			if attached && lost(terminal) && end() {
				return
			}
			f()
		}
	}
}

// lost tells whether the terminal is gone, or goes within a moment.
func lost(terminal func() bool) bool {
	for end := time.Now().Add(terminalLeaves); terminal(); time.Sleep(terminalLeaves / 10) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
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
	defer func() { _ = c.Close() }()                  // what it told is told
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
