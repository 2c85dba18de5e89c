package observe

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A log that was moved away, deleted or replaced is opened anew under its name; one
// that cannot be is said, and what is written goes where it can.
func TestLogIsOpenedAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "calls.log")
	f, err := openFile(path, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	write := func(s string) error {
		now = now.Add(reopenAfter)
		_, err := f.Write([]byte(s + "\n"))
		return err
	}
	content := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write("a"))
	must(os.Rename(path, path+".1"))
	must(write("b"))
	if content(path+".1") != "a\n" || content(path) != "b\n" {
		t.Errorf("moved: %q, %q", content(path+".1"), content(path))
	}
	must(os.Remove(path))
	must(write("c"))
	must(os.Truncate(path, 0))
	must(write("d"))
	if content(path) != "d\n" {
		t.Errorf("removed, then truncated: %q", content(path))
	}
	must(os.WriteFile(path+".new", []byte("x\n"), 0o600))
	must(os.Rename(path+".new", path))
	must(write("e"))
	if content(path) != "x\ne\n" {
		t.Errorf("replaced: %q", content(path))
	}
	must(os.Rename(path, path+".2"))
	must(os.Mkdir(path, 0o700))
	if write("f") == nil {
		t.Error("a folder is in its place, and nobody hears of it")
	}
	if content(path+".2") != "x\ne\nf\n" {
		t.Errorf("a line is lost: %q", content(path+".2"))
	}
	must(os.Remove(path))
	must(write("g"))
	if content(path) != "g\n" {
		t.Errorf("it does not recover: %q", content(path))
	}
	// In between nobody looks.
	must(os.Rename(path, path+".3"))
	if _, err := f.Write([]byte("h\n")); err != nil || f.Flush() != nil || content(path+".3") != "g\nh\n" {
		t.Errorf("%v, %q", err, content(path+".3"))
	}
	must(f.Close())
}

// A line is written at once, those that follow it closely together a moment later,
// and none waits for ever or is lost.
func TestLinesAreWrittenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.log")
	late := make(chan error, 1)
	f, err := openFile(path, func(err error) { late <- err })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	write := func(n int) error {
		_, err := f.Write(append(bytes.Repeat([]byte("x"), n-1), '\n'))
		return err
	}
	step := func(what string, did error, want int64) {
		t.Helper()
		if did != nil || size() != want {
			t.Fatalf("%s: %v, %d bytes, want %d", what, did, size(), want)
		}
	}
	step("the first", write(10), 10)
	f.timer.Stop()
	now = now.Add(together / 2)
	f.waiting = append(f.waiting, "waiting\n"...) // so that the timer does not begin
	step("the next", write(10), 10)
	step("as many as may wait", write(waitingBytes), 10+8+10+waitingBytes)
	now = now.Add(together)
	step("after a while", write(10), 38+waitingBytes)
	step("the next, which nothing follows", write(10), 38+waitingBytes)
	for deadline := time.Now().Add(10 * time.Second); size() == 38+waitingBytes; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is never written")
		}
	}
	step("by the timer", nil, 48+waitingBytes)
	step("another", write(10), 48+waitingBytes)
	step("the end", f.Close(), 58+waitingBytes)

	// What could not be written is heard of, at the time or by the next.
	_ = write(10)
	if err := <-late; !errors.Is(err, os.ErrClosed) {
		t.Errorf("nobody hears of a line that is lost: %v", err)
	}
	if err := write(10); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the next one: %v", err)
	}
}
