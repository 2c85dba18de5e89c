package observe

import (
	"errors"
	"io"
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
	torn    bool        // it ends within a line
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
	f.torn = torn(f.path)
	if f.file != nil {
		_ = f.file.Close() // what was written is with the system
	}
	f.file = opened
	f.known, err = opened.Stat()
	return err
}

// torn tells whether a file ends within a line: who wrote it died, or the disk was
// full. One that cannot be read is taken to be whole.
func torn(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	var last [1]byte
	if _, err = f.Seek(-1, io.SeekEnd); err == nil {
		_, err = f.Read(last[:])
	}
	return err == nil && last[0] != '\n'
}

// Write appends lines, now or soon. Where the file ends within one, that gets an end,
// so that only it is lost. The error is of the last write that was made.
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
	if f.torn {
		if _, err := f.file.Write([]byte{'\n'}); err != nil {
			f.err = err
			return
		}
		f.torn = false
	}
	n, err := f.file.Write(p)
	f.torn = n > 0 && n < len(p)
	if err != nil {
		f.err = err
	}
}
