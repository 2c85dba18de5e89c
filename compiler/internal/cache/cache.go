// Package cache keeps compiled plans on disk, so that a document seen before is
// served without being compiled again.
//
// An entry is found by a key (what was asked: target and options) and holds as
// long as everything that was read for it is still the same: each file, URL,
// folder and environment variable is read again through the [specs.Reader] and
// its digest compared. An entry that is damaged, or of another version of the
// program, is as good as none. Deleting the folder is always safe.
//
// Entries hold plans, and plans hold no secrets. They are readable by the user
// only, all the same.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxBytes is how large the folder may grow; the entries used longest ago go
// first.
const maxBytes = 256 << 20

const suffix = ".plan"

// Folder is where entries are kept.
type Folder struct {
	Path    string
	Program string // identifies the program's build; entries of another are not found
}

// Entry is a stored compilation.
type Entry struct {
	Plan         *plan.Server
	Diagnostics  diag.List // warnings, as they were reported
	Dependencies []specs.Dependency
}

// head is the readable part of an entry's file:
// length of head (4 bytes) | head as JSON | binary plan.
type head struct {
	Dependencies []specs.Dependency
	Diagnostics  []finding
}

// finding is a diagnostic whose source is named, not held.
type finding struct {
	Severity            diag.Severity
	Code, Message, Hint string
	At                  place
	Notes               []note `json:",omitempty"`
}

type note struct {
	Message string
	At      place
}

type place struct {
	Source     string `json:",omitempty"` // name; "" for no place
	Start, End int
}

// Load returns the entry for a key, or nil. What it reads to verify the entry
// goes through r, so a compilation that follows reads nothing twice.
func (f Folder) Load(ctx context.Context, key []string, r *specs.Reader) *Entry {
	name := f.file(key)
	b, err := os.ReadFile(name)
	if err != nil || len(b) < 4 {
		return nil
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(len(b)-4) {
		return nil
	}
	var h head
	if json.Unmarshal(b[4:4+n], &h) != nil {
		return nil
	}
	sources, err := verify(ctx, h.Dependencies, r)
	if err != nil {
		return nil
	}
	p, err := plan.Decode(b[4+n:])
	if err != nil {
		return nil
	}
	e := &Entry{Plan: p, Dependencies: h.Dependencies}
	for _, d := range h.Diagnostics {
		out := diag.Diagnostic{Severity: d.Severity, Code: d.Code, Message: d.Message, Hint: d.Hint, Range: d.At.in(sources)}
		for _, n := range d.Notes {
			out.Notes = append(out.Notes, diag.Note{Message: n.Message, Range: n.At.in(sources)})
		}
		e.Diagnostics.Add(out)
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // only the order of pruning depends on it
	return e
}

// Store writes an entry. A failure to write loses nothing but time and is
// reported for the log only.
func (f Folder) Store(key []string, e *Entry) error {
	h := head{Dependencies: e.Dependencies}
	for _, d := range e.Diagnostics {
		out := finding{Severity: d.Severity, Code: d.Code, Message: d.Message, Hint: d.Hint, At: placeOf(d.Range)}
		for _, n := range d.Notes {
			out.Notes = append(out.Notes, note{n.Message, placeOf(n.Range)})
		}
		h.Diagnostics = append(h.Diagnostics, out)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	b = append(b, text...)
	b = append(b, plan.Encode(e.Plan)...)
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.Path, "new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.file(key)) // a reader sees the old entry or the new one
	}
	if err != nil {
		os.Remove(tmp.Name())
		return err
	}
	f.prune()
	return nil
}

func (f Folder) file(key []string) string {
	h := sha256.New()
	for _, k := range append([]string{f.Program}, key...) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(k)))
		h.Write(n[:])
		h.Write([]byte(k))
	}
	return filepath.Join(f.Path, hex.EncodeToString(h.Sum(nil)[:16])+suffix)
}

// prune removes the entries used longest ago while the folder is too large,
// and temporary files that a crash left.
func (f Folder) prune() {
	list, err := os.ReadDir(f.Path)
	if err != nil {
		return
	}
	var total int64
	var infos []os.FileInfo
	for _, d := range list {
		if i, err := d.Info(); err == nil && i.Mode().IsRegular() {
			if filepath.Ext(i.Name()) != suffix && time.Since(i.ModTime()) < time.Hour {
				continue // another process may be writing it
			}
			infos = append(infos, i)
			total += i.Size()
		}
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, i := range infos {
		if filepath.Ext(i.Name()) == suffix && total <= maxBytes {
			continue
		}
		os.Remove(filepath.Join(f.Path, i.Name()))
		total -= i.Size()
	}
}

var errChanged = errors.New("changed")

// verify reads all dependencies again and returns their sources by name.
func verify(ctx context.Context, deps []specs.Dependency, r *specs.Reader) (map[string]*diag.Source, error) {
	var mu sync.Mutex
	sources := map[string]*diag.Source{}
	check := func(d specs.Dependency) error {
		switch d.Kind {
		case "file", "url":
			s, err := r.Read(ctx, d.Name)
			if err != nil {
				return err
			}
			mu.Lock()
			sources[s.Name] = s
			mu.Unlock()
		case "dir":
			if _, err := r.Dir(d.Name); err != nil {
				return err
			}
		case "env":
			r.Env(d.Name)
		default: // standard input and whatever cannot be read twice
			return errChanged
		}
		return nil
	}
	// Files are read in parallel: a document may have thousands.
	var wg sync.WaitGroup
	var failed error
	work := make(chan specs.Dependency)
	for range 8 {
		wg.Go(func() {
			for d := range work {
				if err := check(d); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for _, d := range deps {
		work <- d
	}
	close(work)
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	now := map[specs.Dependency]bool{}
	for _, d := range r.Dependencies() {
		now[d] = true
	}
	for _, d := range deps {
		if !now[d] {
			return nil, errChanged
		}
	}
	return sources, nil
}

func placeOf(r diag.Range) place {
	if r.Source == nil {
		return place{}
	}
	return place{r.Source.Name, r.Start, r.End}
}

func (p place) in(sources map[string]*diag.Source) diag.Range {
	s := sources[p.Source]
	if s == nil {
		return diag.Range{}
	}
	return diag.Range{Source: s, Start: p.Start, End: p.End}
}
