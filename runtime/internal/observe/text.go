package observe

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// line is a line of the log, read again.
type line struct {
	Time        string
	Level       string
	Correlation string
	Trace       string
	Tenant      string
	Subject     string
	Client      string
	Tool        string
	Resource    string
	Prompt      string
	StepOf      string `json:"step_of"`
	Native      bool
	Upstream    string
	Outcome     string
	Status      int
	Attempts    int
	Cached      bool
	BytesIn     int                                                     `json:"bytes_in"`
	BytesOut    int                                                     `json:"bytes_out"`
	Duration    struct{ Total, Validate, Build, Upstream, Shape int64 } `json:"duration_us"`
	Rule        string
	Limit       string
	Stale       bool
	Arguments   json.RawMessage

	// Of a refusal.
	Event  string
	Reason string
	Count  int
	Until  string
	Method string
	Name   string
	Remote string
	Code   int
}

// AppendText appends a line of the log as people read it. What is no such line is
// appended as it is, without control characters: it may be on its way to a
// terminal.
func AppendText(b, text []byte) []byte {
	return appendText(b, text, func(_, s string) string { return s })
}

// appendText is AppendText; level makes a level stand out.
func appendText(b, text []byte, level func(level, s string) string) []byte {
	l, ok := parseLine(text)
	if !ok {
		return append(b, printable(string(text))...)
	}
	at := l.Time
	if t, err := time.Parse(time.RFC3339Nano, l.Time); err == nil {
		at = t.UTC().Format("2006-01-02 15:04:05.000Z")
	}
	b = append(append(b, printable(at)...), ' ')
	b = append(append(b, level(l.Level, printable(fmt.Sprintf("%-5s", strings.ToUpper(l.Level))))...), ' ')
	if l.Event == "refused" {
		return append(b, printable(l.refusal())...)
	}
	return append(b, printable(l.call())...)
}

// call is a line about a call, as people read it.
func (l *line) call() string {
	var w strings.Builder
	w.WriteString(l.what())
	if l.StepOf != "" {
		fmt.Fprintf(&w, " (step of %s)", l.StepOf)
	}
	fmt.Fprintf(&w, "  %s", l.Outcome)
	if l.Status != 0 {
		fmt.Fprintf(&w, " %d", l.Status)
	}
	fmt.Fprintf(&w, "  %s", time.Duration(l.Duration.Total)*time.Microsecond)
	if l.Duration.Upstream > 0 {
		fmt.Fprintf(&w, " (upstream %s)", time.Duration(l.Duration.Upstream)*time.Microsecond)
	}
	fmt.Fprintf(&w, "  %d B in, %d B out", l.BytesIn, l.BytesOut)
	if l.Attempts > 1 {
		fmt.Fprintf(&w, "  %d attempts", l.Attempts)
	}
	if l.Stale {
		w.WriteString("  stale")
	} else if l.Cached {
		w.WriteString("  cached")
	}
	for _, p := range [][2]string{{"tenant", l.Tenant}, {"subject", l.Subject}, {"client", l.Client}, {"upstream", l.Upstream}, {"rule", l.Rule}, {"limit", l.Limit}, {"correlation", l.Correlation}} {
		if p[1] != "" {
			fmt.Fprintf(&w, "  %s=%s", p[0], p[1])
		}
	}
	if len(l.Arguments) > 0 {
		fmt.Fprintf(&w, "  %s", l.Arguments)
	}
	return w.String()
}

// what is what was called.
func (l *line) what() string {
	switch {
	case l.Resource != "":
		return "resource " + l.Resource
	case l.Prompt != "":
		return "prompt " + l.Prompt
	}
	return l.Tool
}

// refusal is a line about requests that became no call, as people read it.
func (l *line) refusal() string {
	var w strings.Builder
	fmt.Fprintf(&w, "refused: %s", l.Reason)
	if l.Until != "" {
		fmt.Fprintf(&w, "  %d more", l.Count)
		if t, err := time.Parse(time.RFC3339Nano, l.Until); err == nil {
			fmt.Fprintf(&w, " until %s", t.UTC().Format("15:04:05.000Z"))
		}
		return w.String()
	}
	if l.Status != 0 {
		fmt.Fprintf(&w, " %d", l.Status)
	}
	for _, p := range [][2]string{{"method", l.Method}, {"name", l.Name}, {"remote", l.Remote}, {"tenant", l.Tenant}, {"subject", l.Subject}, {"client", l.Client}, {"correlation", l.Correlation}} {
		if p[1] != "" {
			fmt.Fprintf(&w, "  %s=%s", p[0], p[1])
		}
	}
	return w.String()
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '�'
		}
		return r
	}, s)
}
