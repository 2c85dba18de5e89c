package observe

import (
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
	if f.File != nil {
		_ = f.Close() // what was written is with the system
	}
	f.File = opened
	f.known, err = opened.Stat()
	return err
}

// Write appends lines.
func (f *file) Write(p []byte) (int, error) {
	if now := f.now(); !now.Before(f.next) {
		f.next = now.Add(reopenAfter)
		if at, err := os.Stat(f.path); err != nil || f.known == nil || !os.SameFile(at, f.known) {
			// Where it cannot be made anew, the old one is better than none.
			if err := f.open(); err != nil {
				_, _ = f.File.Write(p)
				return 0, err
			}
		}
	}
	return f.File.Write(p)
}
