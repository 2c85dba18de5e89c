package observe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func refused(reason string) *Refusal {
	return &Refusal{Time: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Trace: Accept("", ""), Reason: reason, Status: 401, Code: -32600, Method: "tools/call", Name: "get_order", Remote: "192.0.2.7"}
}

// However many requests are refused, a minute has so many lines; all are counted.
func TestRefusalsAreBounded(t *testing.T) {
	var out bytes.Buffer
	o, err := New(&plan.Observe{Log: &plan.CallLog{Level: "info"}, Admin: "127.0.0.1:0"}, Options{Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	var windows []func()
	o.refusals.after = func(d time.Duration, f func()) {
		if d != refusalWindow {
			t.Errorf("a window of %s", d)
		}
		windows = append(windows, f)
	}
	for range 2 {
		out.Reset()
		for i := range 20_000 {
			o.Refused(refused(fmt.Sprintf("reason-%d", i%20)))
		}
		if n := strings.Count(out.String(), "\n"); n != refusalsPerWindow {
			t.Errorf("%d lines", n)
		}
		out.Reset()
		windows[len(windows)-1]()
		var counted int
		for line := range strings.Lines(out.String()) {
			var l struct {
				Count int
				Until string
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.Until == "" {
				t.Fatal(err, line)
			}
			counted += l.Count
		}
		if n := strings.Count(out.String(), "\n"); n != 20 || counted != 20_000-refusalsPerWindow {
			t.Errorf("%d lines count %d", n, counted)
		}
	}
	if len(windows) != 2 {
		t.Errorf("%d windows", len(windows))
	}
	one := &bytes.Buffer{}
	o.out = one
	for range 100 {
		o.Refused(refused("host"))
	}
	if n := strings.Count(one.String(), "\n"); n != refusalsPerReason {
		t.Errorf("one reason has %d lines", n)
	}
	if o.Flush(); !strings.Contains(one.String(), `"count":90`) {
		t.Error("what was counted is lost at the end")
	}
	if m := string(o.Metrics.Append(nil)); !strings.Contains(m, `mcpc_refusals_total{reason="host"} 100`) || !strings.Contains(m, `mcpc_refusals_total{reason="reason-7"} 2000`) {
		t.Error(m)
	}
}

func TestRefusalAsText(t *testing.T) {
	red, err := NewRedactor(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := refused("unauthenticated")
	r.Name, r.Trace.ID = "get\x1b[31m_order", "req-9"
	got := string(AppendText(nil, append(r.appendMembers([]byte{'{'}, red), '}')))
	if want := "2026-05-01 12:00:00.000Z WARN  refused: unauthenticated 401  method=tools/call  name=get�[31m_order  remote=192.0.2.7  correlation=req-9"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got = string(AppendText(nil, []byte(`{"time":"2026-05-01T12:00:00.000000Z","level":"warn","event":"refused","reason":"host","count":90,"until":"2026-05-01T12:00:59.000000Z"}`)))
	if want := "2026-05-01 12:00:00.000Z WARN  refused: host  90 more until 12:00:59.000Z"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNamesOfRefusals(t *testing.T) {
	for name, want := range map[string]string{
		"get_order": "get_order", "orders://7": "orders://7", "https://u:p@h.example/x?key=1#y": "https://h.example/x",
		"https://h.example?key=1": "https://h.example", "a?b": "a", "": "",
	} {
		if got := withoutQuery(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// A log that was moved away, deleted or replaced is opened anew under its name; one
// that cannot be is said, and what is written goes where it can.
func TestLogIsOpenedAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "calls.log")
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	write := func(s string) error {
		now = now.Add(reopenAfter)
		_, err := f.Write([]byte(s + "\n"))
		return err
	}
	content := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write("a"))
	must(os.Rename(path, path+".1"))
	must(write("b"))
	if content(path+".1") != "a\n" || content(path) != "b\n" {
		t.Errorf("moved: %q, %q", content(path+".1"), content(path))
	}
	must(os.Remove(path))
	must(write("c"))
	must(os.Truncate(path, 0))
	must(write("d"))
	if content(path) != "d\n" {
		t.Errorf("removed, then truncated: %q", content(path))
	}
	must(os.WriteFile(path+".new", []byte("x\n"), 0o600))
	must(os.Rename(path+".new", path))
	must(write("e"))
	if content(path) != "x\ne\n" {
		t.Errorf("replaced: %q", content(path))
	}
	must(os.Rename(path, path+".2"))
	must(os.Mkdir(path, 0o700))
	if write("f") == nil {
		t.Error("a folder is in its place, and nobody hears of it")
	}
	if content(path+".2") != "x\ne\nf\n" {
		t.Errorf("a line is lost: %q", content(path+".2"))
	}
	must(os.Remove(path))
	must(write("g"))
	if content(path) != "g\n" {
		t.Errorf("it does not recover: %q", content(path))
	}
	// In between nobody looks.
	must(os.Rename(path, path+".3"))
	if _, err := f.Write([]byte("h\n")); err != nil || content(path+".3") != "g\nh\n" {
		t.Errorf("%v, %q", err, content(path+".3"))
	}
	must(f.Close())
}
