package observe

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
)

// Trace names a call in the logs of everybody who takes part in it.
type Trace struct {
	ID    string // the client's X-Request-Id, or Trace
	Trace string // trace id of W3C Trace Context: 32 hexadecimal digits
	Span  string // of this call: 16 digits
	State string // tracestate; "" for none
	flags string // as they came, or whether telemetry records it: 2 digits

	continued bool
}

// maxID bounds the request id of a client, in bytes.
const maxID = 64

// Accept makes the trace of a call from what its client sent: a traceparent (W3C
// Trace Context, level 1) and a request id. What is missing or not well-formed
// is made anew: ids go into logs and headers, so nothing else is taken over.
func Accept(traceparent, requestID string) Trace {
	var random [24]byte
	for i := range 3 {
		// They need not be secret, only different.
		binary.LittleEndian.PutUint64(random[8*i:], rand.Uint64())
	}
	var digits [48]byte
	hex.Encode(digits[:], random[:])
	ids := string(digits[:])
	t := Trace{Trace: ids[:32], Span: ids[32:], flags: "00"}
	if trace, _, flags, ok := Parent(traceparent); ok {
		t.Trace, t.flags, t.continued = trace, flags, true
	}
	t.ID = t.Trace
	if wellFormed(requestID) {
		t.ID = requestID
	}
	return t
}

// Continued tells whether the client began the trace.
func (t Trace) Continued() bool { return t.continued }

// Sampled tells whether the one who began the trace records it.
func (t Trace) Sampled() bool {
	return len(t.flags) == 2 && strings.IndexByte("13579bdf", t.flags[1]) >= 0
}

// NewTrace is a trace that was made elsewhere. The id of a request is taken over
// if it is well-formed.
func NewTrace(trace, span, flags, state, requestID string) Trace {
	t := Trace{ID: trace, Trace: trace, Span: span, State: state, flags: flags}
	if wellFormed(requestID) {
		t.ID = requestID
	}
	return t
}

// Parent reads a traceparent: version, trace id, parent id, flags. Of a later
// version what is known of the first is used, as the standard asks for.
func Parent(s string) (trace, span, flags string, ok bool) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return "", "", "", false
	}
	version := s[:2]
	trace, span, flags = s[3:35], s[36:52], s[53:55]
	for _, part := range []string{version, trace, span, flags} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return "", "", "", false
		}
	}
	if version == "ff" || version == "00" && len(s) > 55 || len(s) > 55 && s[55] != '-' ||
		strings.Trim(trace, "0") == "" || strings.Trim(span, "0") == "" {
		return "", "", "", false
	}
	return trace, span, flags, true
}

func wellFormed(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// Send adds the trace to the header of a request, where it has none of its own;
// id says whether the id for people goes with it.
func (t Trace) Send(h http.Header, id bool) {
	if t.Trace == "" {
		return
	}
	if h["Traceparent"] == nil {
		h["Traceparent"] = []string{"00-" + t.Trace + "-" + t.Span + "-" + t.flags}
		if t.State != "" && h["Tracestate"] == nil {
			h["Tracestate"] = []string{t.State}
		}
	}
	if id && h["X-Request-Id"] == nil {
		h["X-Request-Id"] = []string{t.ID}
	}
}

// Shown is the id as it may be written: a client chose it, perhaps badly.
func (t Trace) Shown(r *Redactor) string {
	if t.ID == t.Trace {
		return t.ID
	}
	return r.Text(t.ID)
}
