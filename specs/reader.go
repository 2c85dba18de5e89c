package specs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/internal/egress"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// DefaultMaxBytes is the size limit of one input.
const DefaultMaxBytes = 64 << 20

// Reader reads everything a document is made of, once, and remembers what it
// read. What it remembers decides whether a stored compilation still holds.
// The zero Reader reads files and http(s) URLs.
type Reader struct {
	Client   *http.Client        // nil: one with a 30 s limit
	Getenv   func(string) string // nil: os.Getenv
	Stdin    io.Reader           // read for the location "-"
	MaxBytes int64               // of one input; 0: DefaultMaxBytes
	// Buffers are texts that are read in place of files, by path (absolute and
	// clean): what an editor has open and not saved.
	Buffers map[string][]byte

	mu      sync.Mutex
	sources map[string]*diag.Source
	deps    map[string]Dependency
}

// Dependency is something a compilation depends on.
type Dependency struct {
	Kind   string // "file", "url", "env" or "dir"
	Name   string
	Digest string // hex SHA-256 of the content; "" when it did not exist
}

// IsURL reports whether a location is an http or https URL.
func IsURL(location string) bool {
	return strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://")
}

// Read returns the text at a path or URL.
func (r *Reader) Read(ctx context.Context, location string) (*diag.Source, error) {
	r.mu.Lock()
	s := r.sources[location]
	r.mu.Unlock()
	if s != nil {
		return s, nil
	}
	limit := r.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	kind, name := "file", location
	var b []byte
	var err error
	switch {
	case location == "-" && r.Stdin != nil:
		kind, name = "stdin", "<stdin>"
		b, err = unlessCancelled(ctx, func() ([]byte, error) { return readLimited(r.Stdin, limit) })
	case IsURL(location):
		kind = "url"
		switch u, perr := url.Parse(location); {
		case perr != nil:
			return nil, errors.New("a location is no URL") // which may hold anything
		case u.User != nil:
			// The location is printed in diagnostics and remembered.
			return nil, fmt.Errorf("read %s://…@%s%s: a URL with a user name or password is not accepted; download the document and name the file", u.Scheme, u.Host, u.EscapedPath())
		}
		b, err = r.fetch(ctx, location, limit)
	case r.Buffers[filepath.Clean(location)] != nil:
		b = r.Buffers[filepath.Clean(location)]
	default:
		b, err = unlessCancelled(ctx, func() ([]byte, error) {
			f, err := os.Open(location)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return readLimited(f, limit)
		})
	}
	if err != nil {
		if kind == "file" && errors.Is(err, fs.ErrNotExist) {
			r.mu.Lock()
			r.note(Dependency{Kind: kind, Name: location})
			r.mu.Unlock()
		}
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s = &diag.Source{Name: name, Text: b}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sources == nil {
		r.sources = map[string]*diag.Source{}
	}
	r.sources[location] = s
	r.note(Dependency{Kind: kind, Name: location, Digest: Digest(b)})
	return s, nil
}

// Env returns an environment variable and remembers that it was looked at.
func (r *Reader) Env(name string) string {
	get := r.Getenv
	if get == nil {
		get = os.Getenv
	}
	v := get(name)
	in := Dependency{Kind: "env", Name: name}
	if v != "" {
		in.Digest = Digest([]byte(v))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(in)
	return v
}

// Dir lists the names in a directory, sorted, and remembers the list.
func (r *Reader) Dir(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for name := range r.Buffers {
		if base := filepath.Base(name); filepath.Dir(name) == filepath.Clean(path) && !slices.Contains(names, base) {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(Dependency{Kind: "dir", Name: path, Digest: Digest([]byte(strings.Join(names, "\n")))})
	return names, nil
}

// Dependencies returns what was read so far, sorted.
func (r *Reader) Dependencies() []Dependency {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Dependency
	for _, k := range slices.Sorted(maps.Keys(r.deps)) {
		list = append(list, r.deps[k])
	}
	return list
}

func (r *Reader) note(in Dependency) {
	if r.deps == nil {
		r.deps = map[string]Dependency{}
	}
	r.deps[in.Kind+" "+in.Name] = in
}

// Digest is the hex SHA-256 of b.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (r *Reader) fetch(ctx context.Context, location string, limit int64) ([]byte, error) {
	c := http.Client{Timeout: 30 * time.Second}
	if r.Client != nil {
		c = *r.Client
	} else {
		at, err := url.Parse(location)
		if err != nil {
			return nil, errors.New("it is no URL")
		}
		guard, err := egress.New(nil, nil)
		if err != nil {
			return nil, err
		}
		guard.Trust(at.Hostname()) // whoever names another host in a document is refused before
		t := guard.Transport()
		defer t.CloseIdleConnections()
		c.Transport = t
	}
	c.CheckRedirect = sameHost
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/yaml, text/yaml, */*;q=0.5")
	res, err := c.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) { // its text repeats the URL, user information included
			err = ue.Err
			if ue.Timeout() && ctx.Err() == nil {
				err = fmt.Errorf("no answer within %v", c.Timeout)
			}
		}
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", res.Status)
	}
	return readLimited(res.Body, limit)
}

// sameHost refuses a redirect to another host: what a document may refer to is
// decided by host, and a redirect would get around that.
func sameHost(to *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return errors.New("too many redirects")
	}
	if from := via[0].URL; to.URL.Hostname() != from.Hostname() || from.Scheme == "https" && to.URL.Scheme != "https" {
		return fmt.Errorf("it redirects to %s://%s; if that is where the document is, name it directly", to.URL.Scheme, to.URL.Host)
	}
	return nil
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		if limit%(1<<20) == 0 {
			return nil, fmt.Errorf("larger than the limit of %d MiB", limit>>20)
		}
		return nil, fmt.Errorf("larger than the limit of %d bytes", limit)
	}
	return b, nil
}

// unlessCancelled waits for a read no longer than the context lasts: a pipe or a
// terminal may never come to its end. The read itself cannot be ended.
func unlessCancelled(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type outcome struct {
		b   []byte
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		b, err := read()
		done <- outcome{b, err}
	}()
	select {
	case o := <-done:
		return o.b, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
