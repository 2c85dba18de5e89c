package observe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"
	"unicode"
)

// TailOptions say which lines of a log are shown, and how. The zero value shows all.
type TailOptions struct {
	Tool        string // pattern of [path.Match] for what was called
	Upstream    string
	Outcome     string // or the reason of a refusal
	Tenant      string
	Subject     string
	Client      string
	Correlation string        // the id for people, or the trace id
	Failed      bool          // what did not end well
	Slower      time.Duration // calls that took at least as long

	Last  int  // so many lines of those there are; 0: all
	JSON  bool // lines as they are
	Color bool // for a terminal
}

// some tells whether only some lines are shown. What is no line of a log is none
// of them.
func (o *TailOptions) some() bool {
	all := TailOptions{Last: o.Last, JSON: o.JSON, Color: o.Color}
	return *o != all
}

// wants tells whether a line is shown.
func (o *TailOptions) wants(l *line) bool {
	is := func(want string, got ...string) bool {
		for _, g := range got {
			if g == want {
				return true
			}
		}
		return want == ""
	}
	if o.Tool != "" {
		match := false
		for _, name := range []string{l.Tool, l.Resource, l.Prompt, l.Name} {
			ok, err := path.Match(o.Tool, name)
			match = match || ok && err == nil && name != ""
		}
		if !match {
			return false
		}
	}
	failed := l.Event == "refused" || l.Outcome != OK
	slow := l.Event == "" && time.Duration(l.Duration.Total)*time.Microsecond >= o.Slower
	return is(o.Upstream, l.Upstream) && is(o.Outcome, l.Outcome, l.Reason) && is(o.Tenant, l.Tenant) && is(o.Subject, l.Subject) &&
		is(o.Client, l.Client) && is(o.Correlation, l.Correlation, l.Trace) && (failed || !o.Failed) && (slow || o.Slower == 0)
}

// Check returns what is wrong with options.
func (o *TailOptions) Check() error {
	if _, err := path.Match(o.Tool, ""); err != nil {
		return fmt.Errorf("%q is no pattern: a [ has no ]", o.Tool)
	}
	if o.Last < 0 || o.Slower < 0 {
		return errors.New("a number of lines or a time is below zero")
	}
	return nil
}

// tailer writes the lines of a log.
type tailer struct {
	TailOptions
	w    io.Writer
	held [][]byte // the last lines; nil: they are written as they come
}

// tooLongLine stands for a line that is not shown.
const tooLongLine = "(a line of more than a megabyte)"

// line writes a line, if it is one to be shown.
func (t *tailer) line(text []byte) error {
	if t.some() {
		l, ok := parseLine(text)
		if !ok || !t.wants(l) {
			return nil
		}
	}
	out := []byte(nil)
	switch {
	case t.JSON: // which needs no control characters
		out = append(out, strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return '�'
			}
			return r
		}, string(text))...)
	case t.Color:
		out = appendText(out, text, paint)
	default:
		out = AppendText(out, text)
	}
	out = append(out, '\n')
	if t.held != nil {
		if len(t.held) == t.Last {
			t.held = t.held[1:]
		}
		t.held = append(t.held, out)
		return nil
	}
	_, err := t.w.Write(out)
	return err
}

// release writes the lines that were held back; those that follow are written as
// they come.
func (t *tailer) release() error {
	held := t.held
	t.held = nil
	_, err := t.w.Write(bytes.Join(held, nil))
	return err
}

// copy writes the lines of r until it ends.
func (t *tailer) copy(r io.Reader) error {
	if t.Last > 0 {
		t.held = make([][]byte, 0, min(t.Last, 1000))
	}
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		text, err := readLine(in)
		if errors.Is(err, errLong) {
			if text = nil; !t.some() {
				text = []byte(tooLongLine)
			}
			err = skipLine(in)
		}
		if len(text) > 0 {
			if werr := t.line(text); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return t.release()
		}
		if err != nil {
			return errors.Join(t.release(), err)
		}
	}
}

// skipLine reads to the end of a line.
func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// Tail copies a log from r to w as people read it. The error is one of r or w.
func Tail(r io.Reader, w io.Writer, o TailOptions) error {
	t := &tailer{TailOptions: o, w: w}
	return t.copy(r)
}

const (
	// lookForMore is how often a log is looked at that is followed.
	lookForMore = 250 * time.Millisecond
	// quietBefore is how often nothing is found in a log that was moved away before
	// the one with its name is read: who writes it notices a little later.
	quietBefore = 2 * int(reopenAfter/lookForMore)
)

// Follow is [Tail] of a file that goes on until ctx ends, whose error it returns:
// what is appended is shown, also after the file was moved away, replaced or
// emptied. The file has to be there.
func Follow(ctx context.Context, name string, w io.Writer, o TailOptions) error {
	tick := time.NewTicker(lookForMore)
	defer tick.Stop()
	return follow(name, w, o, func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			return nil
		}
	})
}

// follow is Follow; wait waits until it is time to look again.
func follow(name string, w io.Writer, o TailOptions, wait func() error) error {
	t := &tailer{TailOptions: o, w: w}
	f := &following{name: name, wait: wait, atEnd: t.release}
	var err error
	if f.file, err = os.Open(name); err != nil {
		return err
	}
	defer func() { _ = f.file.Close() }() // it was only read
	return t.copy(f)
}

// following reads a file and what will be in it.
type following struct {
	name  string
	wait  func() error
	atEnd func() error // called before it is waited for more
	file  *os.File
	read  int64 // how far
	last  byte  // what was read last
	quiet int   // how often there was nothing, since another file has the name
}

// Read implements [io.Reader]. It has no end; an error is one of wait.
func (f *following) Read(b []byte) (int, error) {
	for {
		n, err := f.file.Read(b)
		if n > 0 {
			f.read, f.last, f.quiet = f.read+int64(n), b[n-1], 0
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if err := f.atEnd(); err != nil {
			return 0, err
		}
		if err := f.wait(); err != nil {
			return 0, err
		}
		if f.anew() && f.last != 0 && f.last != '\n' {
			b[0], f.last = '\n', '\n' // of a line that is not finished any more
			return 1, nil
		}
	}
}

// anew begins with another file, or with the same one from its start, if there is
// reason to.
func (f *following) anew() bool {
	mine, err := f.file.Stat()
	if err != nil {
		return false // reading says what is wrong
	}
	if mine.Size() < f.read { // emptied
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			return false
		}
		f.read = 0
		return true
	}
	at, err := os.Stat(f.name)
	if err != nil || os.SameFile(at, mine) || mine.Size() > f.read {
		return false
	}
	if f.quiet++; f.quiet < quietBefore {
		return false
	}
	next, err := os.Open(f.name)
	if err != nil {
		return false
	}
	_ = f.file.Close() // it was only read
	f.file, f.read, f.quiet = next, 0, 0
	return true
}

// parseLine reads a line of a log; false when it is none.
func parseLine(text []byte) (*line, bool) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil || l.Time == "" || l.what() == "" && l.Event != "refused" {
		return nil, false
	}
	return &l, true
}

// paint is a level in its colour on a terminal.
func paint(level, s string) string {
	switch level {
	case "error":
		return "\x1b[31m" + s + "\x1b[0m"
	case "warn":
		return "\x1b[33m" + s + "\x1b[0m"
	case "debug":
		return "\x1b[2m" + s + "\x1b[0m"
	}
	return s
}
