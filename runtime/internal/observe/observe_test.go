package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func record() *Record {
	return &Record{
		Time: time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC), Trace: Accept("", ""),
		Principal: principal.Principal{Tenant: "acme", Subject: "ann", Client: "cli"},
		Tool:      "get_order", Upstream: "orders", Outcome: OK, Status: 200, Attempts: 1,
		Arguments: []byte(`{"id":42}`), Answer: 1200, Result: 900, Total: 12 * time.Millisecond,
		Stages: [Stages]time.Duration{time.Microsecond, 2 * time.Microsecond, 11 * time.Millisecond, 3 * time.Microsecond},
	}
}

func TestAccept(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, c := range []struct {
		parent, request string
		trace, id       bool
	}{
		{"00-" + trace + "-00f067aa0ba902b7-01", "", true, false},
		{"00-" + trace + "-00f067aa0ba902b7-01", "req-7:a.b_c", true, true},
		{"cc-" + trace + "-00f067aa0ba902b7-01-what-comes-later", "", true, false},
		{"00-" + trace + "-00f067aa0ba902b7-01-more", "", false, false},
		{"ff-" + trace + "-00f067aa0ba902b7-01", "", false, false},
		{"00-" + strings.ToUpper(trace) + "-00f067aa0ba902b7-01", "", false, false},
		{"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "", false, false},
		{"00-" + trace + "-0000000000000000-01", "", false, false},
		{"", "with space", false, false},
		{"", "line\r\nbreak", false, false},
		{"", strings.Repeat("a", 65), false, false},
		{"", strings.Repeat("a", 64), false, true},
		{"", "ü", false, false},
	} {
		got := Accept(c.parent, c.request)
		if (got.Trace == trace) != c.trace || (got.ID == c.request) != c.id {
			t.Errorf("Accept(%q, %q) = %+v", c.parent, c.request, got)
		}
		h := http.Header{}
		got.Send(h, true)
		if sent := Accept(h.Get("Traceparent"), h.Get("X-Request-Id")); sent.Trace != got.Trace || sent.ID != got.ID || sent.flags != got.flags {
			t.Errorf("%+v is sent as %v", got, h)
		}
	}
	h := http.Header{"X-Request-Id": {"mine"}}
	Accept("", "").Send(h, true)
	if h.Get("X-Request-Id") != "mine" {
		t.Error("a header that the request has is replaced")
	}
}

func TestRedactor(t *testing.T) {
	red, err := NewRedactor([]string{"iban"}, []string{"[0-9]{3}-[0-9]{2}-[0-9]{4}"}, strings.NewReplacer("hunter2hunter2", "(secret)", "99887766", "(secret)").Replace)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		``:                                      `{}`,
		`{"a":1.50,"b":[true,null,"x"],"c":{}}`: `{"a":1.50,"b":[true,null,"x"],"c":{}}`,
		`{"Password":"p","api-key":["k"],"x":{"ACCESS_TOKEN":{"y":1}}}`: `{"Password":"(secret)","api-key":"(secret)","x":{"ACCESS_TOKEN":"(secret)"}}`,
		`{"I.BAN":"DE1","ibans":"DE2"}`:                                 `{"I.BAN":"(secret)","ibans":"DE2"}`,
		`{"pin":"1234","pins":[{"pin":1}]}`:                             `{"pin":"(secret)","pins":[{"pin":"(secret)"}]}`,
		`{"q":"see hunter2hunter2 and 123-45-6789."}`:                   `{"q":"see (secret) and (secret)."}`,
		`{"q":"\u0068unter2hunter2"}`:                                   `{"q":"(secret)"}`,
		`{"hunter2hunter2":1,"n":99887766}`:                             `{"(secret)":1,"n":"(secret)"}`,
		`{"a":`:                                                         `"(not valid JSON)"`,
		`{"a":1} x`:                                                     `"(not valid JSON)"`,
		`{"a":"` + strings.Repeat("x", 9000) + `"}`:                     `{"a":"` + strings.Repeat("x", 1024-len(" … (shortened)")) + ` … (shortened)"}`,
		`[` + strings.Repeat("1,", 9000) + `1]`:                         `"(too large)"`,
	} {
		if got := string(red.Arguments(nil, []byte(in), []string{"pin"})); got != want {
			t.Errorf("%.60s\ngot  %.200s\nwant %.200s", in, got, want)
		}
	}
	if _, err := NewRedactor(nil, []string{"("}, nil); err == nil {
		t.Error("a broken pattern is accepted")
	}
}

func TestLevels(t *testing.T) {
	calls := map[string]*Record{"step": record(), "call": record(), "failed": record(), "broken": record()}
	calls["step"].StepOf, calls["failed"].Outcome, calls["broken"].Outcome = "all", "http-500", "internal"
	for level, want := range map[string]string{"debug": "step call failed broken", "info": "call failed broken", "warn": "failed broken", "error": "broken"} {
		var out bytes.Buffer
		o, err := New(&plan.Observe{Log: &plan.CallLog{Level: level}}, Options{Stderr: &out})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"step", "call", "failed", "broken"} {
			out.Reset()
			o.Done(t.Context(), calls[name], false)
			if out.Len() > 0 {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", level, got, want)
		}
	}
}

func TestAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for range 3 { // restarts
		a, err := OpenAudit(path)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 25 {
					if err := a.Append([]byte(`"tool":"x","hash":"no"`)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if other, err := OpenAudit(path); err == nil {
			t.Error("two have the file open")
			_ = other.Close()
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := VerifyAudit(bytes.NewReader(whole), "")
	if err != nil || c.Lines != 600 || !bytes.Contains(whole, []byte(`"hash":"`+c.Head)) {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := VerifyAudit(bytes.NewReader(whole), c.Head); err != nil {
		t.Error(err)
	}
	short := whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1]
	if _, err := VerifyAudit(bytes.NewReader(short), c.Head); err == nil {
		t.Error("the last line is gone and nobody notices")
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	join := func(parts ...[][]byte) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, bytes.Join(p, nil)...)
		}
		return b
	}
	for name, c := range map[string]struct {
		text []byte
		line uint64
	}{
		"changed":  {bytes.Replace(whole, []byte(`"seq":100,`), []byte(`"seq":100 ,`), 1), 100},
		"gone":     {join(lines[:9], lines[10:]), 10},
		"swapped":  {join(lines[:9], [][]byte{lines[10], lines[9]}, lines[11:]), 10},
		"twice":    {join(lines[:10], lines[9:]), 11},
		"no start": {join(lines[1:]), 1},
		"half":     {whole[:len(whole)-30], 600},
		"no end":   {whole[:len(whole)-1], 600},
		"foreign":  {append(bytes.Clone(whole), "hello\n"...), 601},
		"long":     {append(bytes.Clone(whole), bytes.Repeat([]byte("x"), maxLine+100<<10)...), 601},
	} {
		_, err := VerifyAudit(bytes.NewReader(c.text), "")
		if b, ok := errors.AsType[*BrokenError](err); !ok || b.Line != c.line {
			t.Errorf("%s: %v, want line %d", name, err, c.line)
		}
		p := filepath.Join(t.TempDir(), "broken.log")
		if err := os.WriteFile(p, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAudit(p); err == nil {
			t.Errorf("%s: a broken log is gone on with", name)
		}
		if after, _ := os.ReadFile(p); !bytes.Equal(after, c.text) {
			t.Errorf("%s: a broken log was changed", name)
		}
	}
}

// A log that cannot be written refuses calls, and recovers.
func TestAuditFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	var said bytes.Buffer
	o, err := New(&plan.Observe{Audit: path}, Options{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	o.Done(t.Context(), record(), false)
	good := o.audit.file
	if o.audit.file, err = os.Open(path); err != nil { // which cannot be written
		t.Fatal(err)
	}
	o.Done(t.Context(), record(), false)
	if o.Ready() || !strings.Contains(said.String(), "audit log cannot be written") {
		t.Errorf("nobody hears of it: %s", said.String())
	}
	o.audit.file = good
	o.Done(t.Context(), record(), false)
	if !o.Ready() {
		t.Error("it does not recover")
	}
	text, _ := os.ReadFile(path)
	if c, err := VerifyAudit(bytes.NewReader(text), ""); err != nil || c.Lines != 3 { // the one that could not be written, too
		t.Errorf("%+v, %v", c, err)
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	for i := range 1000 {
		r := record()
		if i%2 == 1 {
			r.Outcome, r.Status = fmt.Sprintf("made-up-%d", i), 500+i%7
		}
		r.Principal.Subject = fmt.Sprint(i)
		m.count(r)
	}
	text := string(m.Append(nil))
	if n := strings.Count(text, "mcpc_calls_total{"); n != maxOutcomes+1 {
		t.Errorf("%d series of calls", n)
	}
	for _, want := range []string{
		`mcpc_calls_total{tool="get_order",outcome="ok"} 500`,
		`mcpc_calls_total{tool="get_order",outcome="other"} 401`,
		`mcpc_call_duration_seconds_bucket{tool="get_order",le="0.01"} 0`,
		`mcpc_call_duration_seconds_bucket{tool="get_order",le="0.025"} 1000`,
		`mcpc_call_duration_seconds_bucket{tool="get_order",le="+Inf"} 1000`,
		`mcpc_call_duration_seconds_sum{tool="get_order"} 12`,
		`mcpc_upstream_calls_total{upstream="orders",status="5xx"} 500`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
	form := regexp.MustCompile(`^(# (HELP|TYPE) mcpc_[a-z_]+ .+|mcpc_[a-z_]+\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\} [0-9.e+-]+)$`)
	for line := range strings.Lines(text) {
		if !form.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("not Prometheus' format: %s", line)
		}
	}
}

func TestTail(t *testing.T) {
	r := record()
	r.Trace.ID, r.Attempts, r.Principal.Subject = "req-1", 2, "ann\x1b[31m"
	red, err := NewRedactor(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	line := append(r.appendMembers([]byte{'{'}, red, true), '}')
	in := string(line) + "\nnot \x1b]0;json\n" + `{"level":"x"}`
	var out bytes.Buffer
	if err := Tail(strings.NewReader(in), &out, TailOptions{}); err != nil {
		t.Fatal(err)
	}
	want := "2026-05-01 12:00:00.123Z INFO  get_order  ok 200  12ms (upstream 11ms)  9 B in, 900 B out  2 attempts  tenant=acme  subject=ann�[31m  client=cli  upstream=orders  correlation=req-1  {\"id\":42}\n" +
		"not �]0;json\n{\"level\":\"x\"}\n"
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func FuzzArguments(f *testing.F) {
	f.Add(`{"a":"sesame42","password":1,"b":[{"\u0073esame42":"x sesame42 y"}]}`)
	f.Add(`{"a":1`)
	red, err := NewRedactor(nil, nil, strings.NewReplacer("sesame42", "(secret)").Replace)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := red.Arguments(nil, []byte(in), nil)
		if !json.Valid(out) || bytes.Contains(out, []byte("sesame42")) || len(out) > maxArguments {
			t.Errorf("%q became %q", in, out)
		}
	})
}

func FuzzAudit(f *testing.F) {
	f.Add([]byte(`{"seq":1,"prev":"` + start + `","tool":"x","hash":"00"}` + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := VerifyAudit(bytes.NewReader(in), "")
		if err == nil && c.Lines != uint64(bytes.Count(in, []byte("\n"))) {
			t.Errorf("%d lines of %q are good", c.Lines, in)
		}
		_ = AppendText(nil, in)
	})
}

// What recording a call costs, by where it is written.
func BenchmarkDone(b *testing.B) {
	for name, p := range map[string]*plan.Observe{
		"log":       {Log: &plan.CallLog{Level: "info"}},
		"arguments": {Log: &plan.CallLog{Level: "info"}, Arguments: true},
		"file":      {Log: &plan.CallLog{Level: "info", File: filepath.Join(b.TempDir(), "calls.log")}},
		"metrics":   {Admin: "127.0.0.1:0"},
		"audit":     {Audit: filepath.Join(b.TempDir(), "audit.log")},
	} {
		b.Run(name, func(b *testing.B) {
			o, err := New(p, Options{Stderr: io.Discard})
			if err != nil {
				b.Fatal(err)
			}
			r := record()
			b.ReportAllocs()
			for b.Loop() {
				o.Done(b.Context(), r, false)
			}
		})
	}
}
