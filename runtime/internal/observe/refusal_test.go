package observe

import (
	"bytes"
	"encoding/json"
	"fmt"
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
