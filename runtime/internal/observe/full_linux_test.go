package observe

import (
	"bytes"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// fillUp has writes end when a file is as large as it is now and some bytes, as on
// a disk that is full. free ends that.
func fillUp(t *testing.T, path string, more uint64) (free func()) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	full := syscall.Rlimit{Cur: uint64(info.Size()) + more, Max: was.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk that is full takes half a line. The audit log has none of it, refuses calls,
// and is ready again once there is room, though no call came; what was under way is
// not lost.
func TestAuditOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	o, err := New(&plan.Observe{Audit: path}, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Release()
	o.Done(t.Context(), record(), false)
	free := fillUp(t, path, 100)
	for range 3 {
		o.Done(t.Context(), record(), false)
	}
	ready := o.Ready()
	free()
	if ready {
		t.Error("it is ready on a full disk")
	}
	text, _ := os.ReadFile(path)
	if c, err := VerifyAudit(bytes.NewReader(text), ""); err != nil || c.Lines != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if !o.Ready() {
		t.Error("nobody finds out that there is room again")
	}
	o.Done(t.Context(), record(), false)
	text, _ = os.ReadFile(path)
	if c, err := VerifyAudit(bytes.NewReader(text), ""); err != nil || c.Lines != 5 {
		t.Errorf("%+v, %v", c, err)
	}
}

// What waits for room is bounded, however many calls there are.
func TestAuditWaitsWithinBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	a, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	free := fillUp(t, path, 0)
	line := bytes.Repeat([]byte("x"), 10_000)
	for range 1000 {
		if a.Append(line) == nil {
			t.Fatal("a full disk takes lines")
		}
	}
	if a.waits > maxWaiting || len(a.waiting) != maxWaiting/len(line) {
		t.Errorf("%d lines of %d bytes wait", len(a.waiting), a.waits)
	}
	free()
	if !a.Ready() || a.waits != 0 || a.waiting != nil {
		t.Errorf("%d bytes wait for nothing", a.waits)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// An audit log that is deleted keeps nothing: no calls are made without one.
func TestAuditIsDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	a, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append([]byte(`"tool":"x"`)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	a.sync()
	if a.Ready() || a.Append([]byte(`"tool":"x"`)) == nil {
		t.Error("calls go on with a log that is deleted")
	}
	_ = a.Close() // which fails, too
}

// A line that a full disk cut short, or a process that died, does not spoil the next.
func TestLogAfterHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.log")
	if err := os.WriteFile(path, []byte("a\nhal"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(path, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // as it is
	now := time.Now()
	f.now = func() time.Time { return now }
	write := func(s string) error {
		now = now.Add(together)
		_, err := f.Write([]byte(s + "\n"))
		return err
	}
	if err := write("b"); err != nil {
		t.Fatal(err)
	}
	free := fillUp(t, path, 3)
	failed := write("too long")
	free()
	if failed == nil {
		t.Error("a full disk takes a line")
	}
	if err := write("c"); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(path)
	if want := "a\nhal\nb\ntoo\nc\n"; string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
}
