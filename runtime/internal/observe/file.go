package observe

import (
	"io"
	"os"
	"time"
)

// reopenAfter is how long a log may go on in a file that was moved away.
const reopenAfter = time.Second

// file is a log in a file that others rotate: when another file has its name, or
// none, it is opened anew. It is not safe for concurrent use.
type file struct {
	*os.File
	path  string
	known os.FileInfo
	next  time.Time // of the next look
	now   func() time.Time
	torn  bool // it ends within a line
}

func openFile(path string) (*file, error) {
	f := &file{path: path, now: time.Now}
	return f, f.open()
}

func (f *file) open() error {
	// Only for this user: even redacted, it says who did what.
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	f.torn = torn(f.path)
	if f.File != nil {
		_ = f.Close() // what was written is with the system
	}
	f.File = opened
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

// Write appends lines. Where the file ends within one, that gets an end, so that
// only it is lost.
func (f *file) Write(p []byte) (int, error) {
	if now := f.now(); !now.Before(f.next) {
		f.next = now.Add(reopenAfter)
		if at, err := os.Stat(f.path); err != nil || f.known == nil || !os.SameFile(at, f.known) {
			// Where it cannot be made anew, the old one is better than none.
			if err := f.open(); err != nil {
				_, _ = f.append(p)
				return 0, err
			}
		}
	}
	return f.append(p)
}

func (f *file) append(p []byte) (int, error) {
	if f.torn {
		if _, err := f.File.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		f.torn = false
	}
	n, err := f.File.Write(p)
	f.torn = n > 0 && n < len(p)
	return n, err
}
