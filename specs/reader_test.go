package specs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReaderRemembersWhatItRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(file, []byte("x: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/doc", http.StatusMovedPermanently)
			return
		}
		if r.URL.Path != "/doc" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "remote")
	}))
	defer site.Close()

	r := &Reader{Getenv: func(k string) string { return map[string]string{"SET": "1"}[k] }}
	ctx := context.Background()
	first, err := r.Read(ctx, file)
	if err != nil || string(first.Text) != "x: 1\n" {
		t.Fatalf("first read: %v", err)
	}
	if again, _ := r.Read(ctx, file); again != first {
		t.Error("a second read made a second source")
	}
	if s, err := r.Read(ctx, site.URL+"/doc"); err != nil || string(s.Text) != "remote" {
		t.Errorf("%v", err)
	}
	if s, err := (&Reader{}).Read(ctx, site.URL+"/moved"); err != nil || string(s.Text) != "remote" {
		t.Errorf("a redirect on the same host: %v", err)
	}
	r.Env("SET")
	r.Env("UNSET")
	if _, err := r.Dir(dir); err != nil {
		t.Error(err)
	}
	var got []string
	for _, d := range r.Dependencies() {
		got = append(got, fmt.Sprint(d.Kind, " ", strings.NewReplacer(dir, "DIR", site.URL, "SITE").Replace(d.Name), " ", d.Digest != ""))
	}
	want := "dir DIR true|env SET true|env UNSET false|file DIR/a.yaml true|url SITE/doc true"
	if strings.Join(got, "|") != want {
		t.Errorf("dependencies\n got %s\nwant %s", strings.Join(got, "|"), want)
	}
}

func TestReaderSaysWhatItCouldNotRead(t *testing.T) {
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	defer site.Close()
	mux.Handle("/far", http.RedirectHandler(strings.Replace(site.URL, "127.0.0.1", "localhost", 1)+"/x", http.StatusFound))
	mux.Handle("/ring", http.RedirectHandler("/ring", http.StatusFound))
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{
		filepath.Join(dir, "absent"): "no such file or directory",
		big:                          "larger than the limit of 64 bytes",
		dir:                          "is a directory",
		site.URL + "/x":              "the server answered 404 Not Found",
		site.URL + "/far":            "it redirects to http://localhost:",
		site.URL + "/ring":           "too many redirects",
		strings.Replace(site.URL, "http://", "http://user:secret@", 1) + "/x": "user name or password is not accepted",
	} {
		_, err := (&Reader{MaxBytes: 64}).Read(context.Background(), location)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "read ") {
			t.Errorf("%s: %v, want %q", location, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// What has no end, and what does not answer, does not hold a reader up.
func TestReaderStopsWaiting(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := (&Reader{Stdin: in}).Read(ctx, "-"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	_, err := (&Reader{Client: &http.Client{Timeout: 20 * time.Millisecond}}).Read(t.Context(), silent.URL)
	if want := "read " + silent.URL + ": no answer within 20ms"; err == nil || err.Error() != want {
		t.Errorf("silent server: %v, want %s", err, want)
	}
	if _, err := (&Reader{MaxBytes: 1 << 20}).Read(t.Context(), "/dev/zero"); err == nil || !strings.HasSuffix(err.Error(), "larger than the limit of 1 MiB") {
		t.Errorf("endless file: %v", err)
	}
}

// What an editor has open is read in place of files, also of such that are not
// there yet.
func TestBuffers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.hcl", "b.hcl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("on disk"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := &Reader{Buffers: map[string][]byte{filepath.Join(dir, "a.hcl"): {}, filepath.Join(dir, "ab.hcl"): []byte("new"), filepath.Join(dir, "sub", "c.hcl"): []byte("elsewhere")}}
	names, err := r.Dir(dir)
	if err != nil || strings.Join(names, " ") != "a.hcl ab.hcl b.hcl" {
		t.Errorf("got %q, %v", names, err)
	}
	for name, want := range map[string]string{"a.hcl": "", "ab.hcl": "new", "b.hcl": "on disk"} {
		if s, err := r.Read(t.Context(), dir+"/./"+name); err != nil || string(s.Text) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
