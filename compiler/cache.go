package compiler

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// The compile cache is a folder of files, one per target and options. An entry
// holds what was read, with digests, the plan and the diagnostics; it counts
// only while everything that was read still has its digest. Entries of another
// version, or damaged ones, are as if they were not there, and so are errors:
// a cache may be deleted, read-only or full at any time.
//
// No entry is made where values came from outside of the spec, from variables
// or the environment: such a value may be a secret that its author did not call
// one.

const (
	cacheMagic  = "mcpccch1"
	cacheSuffix = ".plan"
	maxEntry    = 64 << 20
	maxCache    = 256 << 20
)

// cache is the place of one entry; nil when there is none.
type cache struct {
	dir  string
	key  [32]byte
	name string
}

// openCache finds the entry of a target and options.
func openCache(o Options) *cache {
	if o.CacheDir == "" || len(o.Vars) > 0 || len(o.VarFiles) > 0 {
		return nil
	}
	where, err := os.Getwd() // names of files may be relative
	if err != nil {
		return nil
	}
	fp := plan.Fingerprint()
	b, err := json.Marshal(struct {
		Target, Where, BaseURL, NamePrefix, Binary string
		Plan                                       []byte
		AllowRefs, Overlays                        []string
		Env                                        string
		Auth                                       map[string]plan.Secret
		ServerVariables                            map[string]string
	}{o.Target, where, o.BaseURL, o.NamePrefix, binaryVersion(), fp[:], o.AllowRefs, o.Overlays, o.Env, o.Auth, o.ServerVariables})
	if err != nil {
		return nil
	}
	c := &cache{dir: o.CacheDir, key: sha256.Sum256(b)}
	c.name = filepath.Join(c.dir, hex.EncodeToString(c.key[:16])+cacheSuffix)
	return c
}

// binaryVersion tells builds of this program apart: another build may compile
// the same document differently.
func binaryVersion() string {
	v := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
		for _, s := range info.Settings {
			if strings.HasPrefix(s.Key, "vcs.") {
				v += " " + s.Value
			}
		}
	}
	if exe, err := os.Executable(); err == nil {
		if info, err := os.Stat(exe); err == nil {
			v += fmt.Sprintf(" %d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return v
}

// entry is what is stored beside the plan.
type entry struct {
	Dependencies []specs.Dependency
	Diagnostics  []storedDiagnostic
}

type storedDiagnostic struct {
	Severity            diag.Severity
	Code, Message, Hint string
	Range               storedRange
	Notes               []storedNote
}

type storedNote struct {
	Message string
	Range   storedRange
}

// storedRange keeps where; the text is read again when it is needed.
type storedRange struct {
	Source     string // its name; "" for no place
	Start, End int
}

// load returns the stored result, or nil.
func (c *cache) load(ctx context.Context, o Options) *Result {
	if c == nil {
		return nil
	}
	b, err := os.ReadFile(c.name)
	const head = len(cacheMagic) + 32 + 8
	if err != nil || len(b) < head || string(b[:len(cacheMagic)]) != cacheMagic || [32]byte(b[len(cacheMagic):]) != c.key {
		return nil
	}
	size := int(binary.LittleEndian.Uint32(b[head-8:]))
	if size > len(b)-head || crc32.ChecksumIEEE(b[head:head+size]) != binary.LittleEndian.Uint32(b[head-4:]) {
		return nil
	}
	var e entry
	if json.Unmarshal(b[head:head+size], &e) != nil {
		return nil
	}
	quoted := map[string]bool{} // sources whose text diagnostics show
	for _, d := range e.Diagnostics {
		quoted[d.Range.Source] = true
		for _, n := range d.Notes {
			quoted[n.Range.Source] = true
		}
	}
	sources := map[string]*diag.Source{}
	for _, dep := range e.Dependencies {
		if !unchanged(ctx, o.Reader, dep, quoted, sources) {
			return nil
		}
	}
	res := &Result{Cached: true, Dependencies: e.Dependencies}
	for _, d := range e.Diagnostics {
		out := diag.Diagnostic{Severity: d.Severity, Code: d.Code, Message: d.Message, Hint: d.Hint}
		ok := restore(&out.Range, d.Range, sources)
		for _, n := range d.Notes {
			note := diag.Note{Message: n.Message}
			ok = restore(&note.Range, n.Range, sources) && ok
			out.Notes = append(out.Notes, note)
		}
		if !ok {
			return nil
		}
		res.Diagnostics.Add(out)
	}
	if res.Plan, err = plan.Decode(b[head+size:]); err != nil {
		return nil
	}
	if info, err := os.Stat(c.name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
		now := time.Now()
		_ = os.Chtimes(c.name, now, now) // it is used: not the oldest
	}
	return res
}

// unchanged reports whether a dependency still has its digest. The text of
// quoted sources is kept in sources.
func unchanged(ctx context.Context, r *specs.Reader, dep specs.Dependency, quoted map[string]bool, sources map[string]*diag.Source) bool {
	switch dep.Kind {
	case "env":
		v := r.Env(dep.Name)
		return v == "" && dep.Digest == "" || v != "" && specs.Digest([]byte(v)) == dep.Digest
	case "dir":
		if _, err := r.Dir(dep.Name); err != nil {
			return false
		}
		return slices.Contains(r.Dependencies(), dep)
	case "file":
		if !quoted[dep.Name] {
			// Digested as a stream: a large document need not be in memory.
			digest, err := fileDigest(dep.Name)
			return err == nil && digest == dep.Digest || dep.Digest == "" && errors.Is(err, fs.ErrNotExist)
		}
	}
	s, err := r.Read(ctx, dep.Name)
	if err != nil || !slices.Contains(r.Dependencies(), dep) {
		return false
	}
	sources[s.Name] = s
	return true
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func restore(r *diag.Range, from storedRange, sources map[string]*diag.Source) bool {
	if from.Source == "" {
		return true
	}
	s := sources[from.Source]
	if s == nil || from.Start < 0 || from.End < from.Start || from.End > len(s.Text) {
		return false
	}
	*r = diag.Range{Source: s, Start: from.Start, End: from.End}
	return true
}

// save stores a result, if it may be.
func (c *cache) save(o Options, res *Result) {
	if c == nil || res.Plan == nil || len(res.Secrets) > 0 {
		return
	}
	e := entry{Dependencies: res.Dependencies}
	for _, dep := range res.Dependencies {
		if dep.Kind == "env" && dep.Digest != "" {
			return
		}
	}
	keep := func(r diag.Range) storedRange {
		if r.Source == nil {
			return storedRange{}
		}
		return storedRange{r.Source.Name, r.Start, r.End}
	}
	for _, d := range res.Diagnostics {
		s := storedDiagnostic{Severity: d.Severity, Code: d.Code, Message: d.Message, Hint: d.Hint, Range: keep(d.Range)}
		for _, n := range d.Notes {
			s.Notes = append(s.Notes, storedNote{n.Message, keep(n.Range)})
		}
		e.Diagnostics = append(e.Diagnostics, s)
	}
	meta, err := json.Marshal(e)
	if err != nil {
		return
	}
	b := append([]byte(cacheMagic), c.key[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(meta)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(meta))
	b = append(append(b, meta...), plan.Encode(res.Plan)...)
	if len(b) > maxEntry || os.MkdirAll(c.dir, 0o700) != nil {
		return
	}
	// A reader sees the old entry or the new one, never half of it.
	f, err := os.CreateTemp(c.dir, "new-*") // mode 0600
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if cmp.Or(err, f.Close()) != nil || os.Rename(f.Name(), c.name) != nil {
		_ = os.Remove(f.Name())
		return
	}
	c.trim()
}

// trim removes the oldest entries until the folder is within bounds, and what
// writers left behind when they died.
func (c *cache) trim() {
	list, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	var total int64
	for _, d := range list {
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch {
		case strings.HasSuffix(d.Name(), cacheSuffix):
			files = append(files, info)
			total += info.Size()
		case strings.HasPrefix(d.Name(), "new-") && time.Since(info.ModTime()) > time.Hour:
			_ = os.Remove(filepath.Join(c.dir, d.Name()))
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if total <= maxCache {
			return
		}
		if os.Remove(filepath.Join(c.dir, f.Name())) == nil {
			total -= f.Size()
		}
	}
}
