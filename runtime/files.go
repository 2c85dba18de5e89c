package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/runtime/internal/request"
)

// folders are the folders of [Options.Files]. A root keeps what is opened in
// it below it, also when links or a neighbour change on the way.
type folders struct {
	roots  []*os.Root
	closed atomic.Bool // for good: a client that may be elsewhere has come
}

func (f *folders) open(names []string) error {
	for _, name := range names {
		root, err := os.OpenRoot(name)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		f.roots = append(f.roots, root)
	}
	return nil
}

func (f *folders) close() { f.closed.Store(true) }

// release lets go of the folders.
func (f *folders) release() {
	for _, root := range f.roots {
		_ = root.Close() // nothing was written
	}
}

// read returns the content of the first file of that name. Its errors are for
// the caller of a tool: they say nothing of what lies outside.
func (f *folders) read(name string) ([]byte, error) {
	if len(f.roots) == 0 || f.closed.Load() {
		return nil, errors.New("names a file, but this server reads none; send the content as base64")
	}
	for _, root := range f.roots {
		// Opening a pipe would wait, so what it is comes first.
		info, err := root.Stat(name)
		if err != nil {
			continue
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("names %q, which is no file", name)
		}
		b, err := readRegular(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return b, err
	}
	return nil, fmt.Errorf("names the file %q, which is not in the folders this server was given", name)
}

func readRegular(root *os.Root, name string) ([]byte, error) {
	file, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("names the file %q, which cannot be opened", name)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("names %q, which is no file", name)
	}
	if info.Size() > request.MaxBody {
		return nil, fmt.Errorf("names the file %q, which has %d bytes; at most %d can be sent", name, info.Size(), request.MaxBody)
	}
	b, err := io.ReadAll(io.LimitReader(file, request.MaxBody+1))
	if err != nil || len(b) > request.MaxBody {
		return nil, fmt.Errorf("names the file %q, which cannot be read", name)
	}
	return b, nil
}
