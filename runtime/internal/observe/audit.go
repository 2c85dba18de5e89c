package observe

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Audit is a file of JSON lines, each of which holds the hash of the one before:
// a line that was changed, taken out or put in breaks the chain from there on.
// What a chain cannot show is that its end is missing; [Chain.Head], kept
// elsewhere, can.
//
// A line is written before the call's answer goes out, and forced onto the disk
// at most [syncAfter] later: a process that dies loses nothing, a machine that
// does at most that. One process writes a file at a time.
type Audit struct {
	mu     sync.Mutex
	file   *os.File
	size   int64
	seq    uint64
	head   string // hash of the last line
	line   []byte
	dirty  bool // a sync is due
	closed bool
	broken atomic.Bool

	// What is to be made good before the next line, when the file was broken.
	torn    bool     // there is a part of a line at the end
	loose   bool     // what was written may not be on the disk
	waiting [][]byte // members of lines that could not be written, at most maxWaiting bytes
	waits   int      // how many bytes they have

	shared string // its key among those of the process; "" when it is not
	users  int    // guarded by audits
}

const (
	syncAfter = time.Second
	hashMark  = `,"hash":"`
	maxLine   = 1 << 20
	// maxWaiting bounds what is kept of lines that cannot be written, in bytes.
	// Calls are refused meanwhile, so it is those that were under way that count.
	maxWaiting = 1 << 20
)

// errDeleted says that what is written to the file is lost.
var errDeleted = errors.New("the file was deleted")

// start is what the first line of a chain follows.
var start = hex.EncodeToString(make([]byte, sha256.Size))

var audits struct {
	sync.Mutex
	byPath map[string]*Audit
}

// SharedAudit opens an audit log, or returns the one of this process that writes
// the file: a chain has one end. It is to be released.
func SharedAudit(path string) (*Audit, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the audit log: %w", err)
	}
	audits.Lock()
	defer audits.Unlock()
	if a := audits.byPath[abs]; a != nil {
		a.users++
		return a, nil
	}
	a, err := OpenAudit(abs)
	if err != nil {
		return nil, err
	}
	if audits.byPath == nil {
		audits.byPath = map[string]*Audit{}
	}
	a.shared, a.users = abs, 1
	audits.byPath[abs] = a
	return a, nil
}

// Release closes a shared audit log when nobody has it any more.
func (a *Audit) Release() error {
	audits.Lock()
	defer audits.Unlock()
	if a.users--; a.users > 0 {
		return nil
	}
	delete(audits.byPath, a.shared)
	return a.Close()
}

// OpenAudit opens an audit log to go on where it ends. An error is a file that
// cannot be written, that another process writes, or whose chain is broken: that
// is for a person to look at, not to be written over.
func OpenAudit(path string) (*Audit, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the audit log: %w", err)
	}
	fail := func(err error) (*Audit, error) {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("the audit log %s: %w", path, err)
	}
	if err := lockFile(f); err != nil {
		return fail(errors.New("another process writes it"))
	}
	c, err := VerifyAudit(f, "")
	if err != nil {
		return fail(fmt.Errorf("%w; move it away to begin a new one", err))
	}
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	return &Audit{file: f, size: info.Size(), seq: c.Lines, head: c.Head}, nil
}

// Append writes a line with the members of a JSON object. When it fails the line is
// kept, and written before the next one.
func (a *Audit) Append(members []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.settle()
	if err == nil {
		err = a.append(members)
	}
	if err != nil && a.waits+len(members) <= maxWaiting {
		a.waiting = append(a.waiting, bytes.Clone(members))
		a.waits += len(members)
	}
	return err
}

// append writes a line. a.mu is held.
func (a *Audit) append(members []byte) error {
	b := append(a.line[:0], `{"seq":`...)
	b = strconv.AppendUint(b, a.seq+1, 10)
	b = append(append(b, `,"prev":"`...), a.head...)
	b = append(append(b, '"', ','), members...)
	sum := sha256.Sum256(b)
	b = append(b, hashMark...)
	b = hex.AppendEncode(b, sum[:])
	b = append(b, '"', '}', '\n')
	a.line = b
	n, err := a.file.Write(b)
	if err != nil {
		a.broken.Store(true)
		a.torn = n > 0
		return errors.Join(err, a.mend())
	}
	a.seq, a.size = a.seq+1, a.size+int64(n)
	a.head = hex.EncodeToString(sum[:])
	if !a.dirty {
		a.dirty = true
		time.AfterFunc(syncAfter, a.sync)
	}
	return nil
}

// mend takes a part of a line off the end, which would break the chain. a.mu is held.
func (a *Audit) mend() error {
	if !a.torn {
		return nil
	}
	if err := a.file.Truncate(a.size); err != nil {
		return err
	}
	a.torn = false
	return nil
}

// settle makes good what could not be done before. a.mu is held.
func (a *Audit) settle() error {
	if !a.broken.Load() {
		return nil
	}
	if deleted(a.file) {
		return errDeleted
	}
	if err := a.mend(); err != nil {
		return err
	}
	if a.loose {
		if err := a.file.Sync(); err != nil {
			return err
		}
		a.loose = false
	}
	for len(a.waiting) > 0 {
		if err := a.append(a.waiting[0]); err != nil {
			return err
		}
		a.waits -= len(a.waiting[0])
		a.waiting = a.waiting[1:]
	}
	a.waiting = nil
	a.broken.Store(false)
	return nil
}

// Ready tells whether lines can be written. After a failure it tries: while it is
// not ready there may be no calls, whose lines would show it.
func (a *Audit) Ready() bool {
	if !a.broken.Load() {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.closed && a.settle() == nil
}

func (a *Audit) sync() {
	a.mu.Lock()
	a.dirty = false
	f, closed := a.file, a.closed
	a.mu.Unlock()
	if closed {
		return
	}
	err := f.Sync()
	if errors.Is(err, os.ErrClosed) {
		return
	}
	if err != nil || deleted(f) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.loose = a.loose || err != nil
		a.broken.Store(true)
	}
}

// Close forces what was written onto the disk and closes the file.
func (a *Audit) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return errors.Join(a.settle(), a.file.Sync(), a.file.Close())
}

// Chain is what a whole audit log comes to.
type Chain struct {
	Lines uint64
	Head  string // hash of the last line
}

// BrokenError says where a chain is broken.
type BrokenError struct {
	Line    uint64 // from 1
	Problem string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the chain is broken in line %d: %s", e.Line, e.Problem)
}

// VerifyAudit follows a chain to its end. The error is a [*BrokenError], or that
// of r. A head that is not "" has to be the hash of one of the lines: it was noted
// when that was the last, and a log that has lost its end lacks it.
func VerifyAudit(r io.Reader, head string) (Chain, error) {
	c, found := Chain{Head: start}, head == ""
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			if !found {
				return c, &BrokenError{c.Lines + 1, "lines are missing at the end, or the log is another one: none has the given hash"}
			}
			return c, nil
		}
		broken := func(problem string) (Chain, error) { return c, &BrokenError{c.Lines + 1, problem} }
		switch {
		case errors.Is(err, io.EOF):
			return broken("it is not finished")
		case errors.Is(err, errLong):
			return broken("it is too long")
		case err != nil:
			return c, err
		}
		i := bytes.LastIndex(line, []byte(hashMark))
		if i < 0 || len(line) != i+len(hashMark)+2*sha256.Size+2 || string(line[len(line)-2:]) != `"}` {
			return broken("it has no hash")
		}
		hash := string(line[i+len(hashMark) : len(line)-2])
		if sum := sha256.Sum256(line[:i]); hex.EncodeToString(sum[:]) != hash {
			return broken("it was changed")
		}
		if !bytes.HasPrefix(line, fmt.Appendf(nil, `{"seq":%d,"prev":"%s",`, c.Lines+1, c.Head)) {
			return broken("it does not follow the line before")
		}
		c.Lines, c.Head, found = c.Lines+1, hash, found || hash == head
	}
}

var errLong = errors.New("line too long")

// readLine reads a line without its end. io.EOF comes with what there is of a
// line that has none.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(line) > maxLine {
				return nil, errLong
			}
		case err != nil:
			return line, err
		default:
			return line[:len(line)-1], nil
		}
	}
}
