package runtime

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A folder below dir, of a file, a larger one, and ways out.
func filesFolder(t *testing.T) (root string) {
	dir := t.TempDir()
	root = filepath.Join(dir, "root")
	if err := os.MkdirAll(filepath.Join(root, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, size int64) {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			_, err = f.WriteString("secret")
		}
		if err == nil && size > 0 {
			err = f.Truncate(size)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(name, err)
		}
	}
	write("outside", 0)
	write("root/inside", 0)
	write("root/sub/deep", 0)
	write("root/whole", request.MaxBody)
	write("root/large", request.MaxBody+1)
	for name, to := range map[string]string{"out": "../outside", "absolute": filepath.Join(dir, "outside"), "up": "..", "in": "sub/deep"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFilesStayInTheirFolder(t *testing.T) {
	root := filesFolder(t)
	var f folders
	if err := f.open([]string{t.TempDir(), root}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"inside", "sub/deep", "sub/../inside", "./inside", "in"} {
		if b, err := f.read(name); string(b) != "secret" {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if b, err := f.read("whole"); len(b) != request.MaxBody || err != nil {
		t.Errorf("a file of the greatest size: %d bytes, %v", len(b), err)
	}
	for name, want := range map[string]string{
		"": "is not in", "nothing": "is not in", "../outside": "is not in", "sub/../../outside": "is not in", "out": "is not in", "absolute": "is not in",
		"up/outside": "is not in", filepath.Join(root, "inside"): "is not in", "///etc/passwd": "is not in", "inside\x00": "is not in",
		"sub": "is no file", ".": "is no file", "large": "at most",
	} {
		b, err := f.read(name)
		if err == nil || !strings.Contains(err.Error(), want) || len(b) > 0 {
			t.Errorf("%q: %.20q %v", name, b, err)
		}
		if err != nil && name != filepath.Join(root, "inside") && strings.Contains(err.Error(), filepath.Dir(root)) {
			t.Errorf("%q: the error tells where the folder is: %v", name, err)
		}
	}
}

// A server that anybody may reach reads no files, however it is served.
func TestNoFilesOverHTTP(t *testing.T) {
	p := &plan.Server{Name: "t"}
	s, err := New(p, Options{Files: []string{filesFolder(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.bridge.files.read("inside"); string(b) != "secret" {
		t.Fatal(b, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := s.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "stdio") {
		t.Errorf("Serve: %v", err)
	}
	s.Handler()
	if b, err := s.bridge.files.read("inside"); err == nil || bytes.Contains(b, []byte("secret")) {
		t.Errorf("after Handler: %q", b)
	}
}

func TestFilesFolderMustExist(t *testing.T) {
	if _, err := New(&plan.Server{Name: "t"}, Options{Files: []string{filepath.Join(t.TempDir(), "nowhere")}}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error is %v", err)
	}
}
