package observe

import (
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// reopenAfter is how long a log may go on in a file that was moved away.
	reopenAfter = time.Second
	// together is how long lines wait for others after one was written: a write for
	// each would be a tenth of what a busy server does.
	together = 10 * time.Millisecond
	// waitingBytes is how much waits at most.
	waitingBytes = 64 << 10
)

// file is a log in a file that others rotate: when another file has its name, or
// none, it is opened anew. A line is written at once, or with those that follow
// within [together] after the last write. It is safe for concurrent use.
type file struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	file    *os.File
	known   os.FileInfo
	next    time.Time // of the next look
	last    time.Time // when was written
	err     error     // of the last write
	waiting []byte
	timer   *time.Timer // writes what waits
	failed  func(error) // hears of what the timer could not write
}

func openFile(path string, failed func(error)) (*file, error) {
	f := &file{path: path, now: time.Now, failed: failed}
	f.timer = time.AfterFunc(time.Hour, f.late)
	f.timer.Stop()
	return f, f.open()
}

func (f *file) open() error {
	// Only for this user: even redacted, it says who did what.
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if f.file != nil {
		_ = f.file.Close() // what was written is with the system
	}
	f.file = opened
	f.known, err = opened.Stat()
	return err
}

// Write appends lines, now or soon. The error is of the last write that was made.
func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if len(f.waiting) == 0 && now.Sub(f.last) >= together {
		f.write(p, now)
		return len(p), f.err
	}
	if f.waiting = append(f.waiting, p...); len(f.waiting) >= waitingBytes {
		f.flush(now)
	} else if len(f.waiting) == len(p) {
		f.timer.Reset(together)
	}
	return len(p), f.err
}

// Flush writes what waits.
func (f *file) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush(f.now())
	return f.err
}

// Close writes what waits, and closes the file.
func (f *file) Close() error {
	return errors.Join(f.Flush(), f.file.Close())
}

// late writes what has waited long enough.
func (f *file) late() {
	if err := f.Flush(); err != nil {
		f.failed(err)
	}
}

func (f *file) flush(now time.Time) {
	if len(f.waiting) > 0 {
		f.write(f.waiting, now)
		f.waiting = f.waiting[:0]
	}
}

func (f *file) write(p []byte, now time.Time) {
	f.last, f.err = now, nil
	if !now.Before(f.next) {
		f.next = now.Add(reopenAfter)
		if at, err := os.Stat(f.path); err != nil || f.known == nil || !os.SameFile(at, f.known) {
			// Where it cannot be made anew, the old one is better than none.
			f.err = f.open()
		}
	}
	if _, err := f.file.Write(p); err != nil {
		f.err = err
	}
}
