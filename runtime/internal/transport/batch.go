package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// serveBatch answers a batch, which only 2025-03-26 knows.
func (f *endpoint) serveBatch(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte, json bool) {
	if v := r.Header.Get(mcp.HeaderProtocolVersion); v != "" && v != mcp.ProtocolVersion20250326 {
		refuse(w, faultf(mcp.INVALID_REQUEST, http.StatusBadRequest, "batches exist in revision 2025-03-26 only, not in %q", clip(v)))
		return
	}
	texts, bad := splitBatch(body, &f.limits)
	if bad != nil {
		refuse(w, bad)
		return
	}
	// Its messages are answered side by side, so each counts.
	work := int64(len(texts))
	if !f.host.requests.enter(work, int64(f.limits.Requests)) {
		f.busy(w, r, nil)
		return
	}
	defer f.host.requests.leave(work)
	if scope := observe.ScopeOf(ctx); scope != nil {
		scope.Shared = true
	}
	parts := make([]func() []byte, len(texts)) // nil owes no answer
	for i, text := range texts {
		m, bad := decode(text, &f.limits)
		if bad == nil {
			_, bad = eraOfHTTP(header(r.Header), &m, f.versions.http)
		}
		if bad == nil {
			bad = batchable(&m)
		}
		switch {
		case bad != nil:
			f.refused(ctx, &m, bad)
			parts[i] = func() []byte { return appendFault(nil, m.id, bad) }
		case m.isRequest():
			parts[i] = func() []byte {
				one := f.answer(ctx, &m, Legacy, f.versions.http, nil)
				return one.appendTo(nil)
			}
		}
	}
	out := batch(parts)
	switch {
	case ctx.Err() != nil:
	case len(out) == 0:
		w.WriteHeader(http.StatusAccepted)
	default:
		f.write(w, r, http.StatusOK, !json, reply{head: out})
	}
}

// batchable refuses what may not be part of a batch.
func batchable(m *message) *fault {
	if m.method == "initialize" {
		return faultf(mcp.INVALID_REQUEST, http.StatusBadRequest, "initialize cannot be part of a batch")
	}
	return nil
}

// isBatch reports whether text is an array of messages.
func isBatch(text []byte) bool {
	t := bytes.TrimLeft(text, " \t\r\n")
	return len(t) > 0 && t[0] == '['
}

// splitBatch cuts an array of messages apart.
func splitBatch(text []byte, l *plan.Inbound) ([]jsontext.Value, *fault) {
	if bad := tooDeep(text, l.Depth+1, l); bad != nil {
		return nil, bad
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true))
	parts, err := func() (parts []jsontext.Value, err error) {
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		for dec.PeekKind() != ']' {
			v, err := dec.ReadValue()
			if err != nil {
				return nil, err
			}
			parts = append(parts, v)
		}
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			return nil, errors.New("there is more after the message")
		}
		return parts, nil
	}()
	switch {
	case err != nil:
		return nil, faultf(mcp.PARSE_ERROR, 400, "the message is not valid JSON: %s", parseReason(err))
	case len(parts) == 0:
		return nil, faultf(mcp.INVALID_REQUEST, 400, "a batch must hold at least one message")
	case len(parts) > l.Batch:
		return nil, over(400, "batch", int64(l.Batch), "a batch may hold at most %d messages")
	}
	return parts, nil
}

// batch answers several messages at once, as 2025-03-26 allowed: it is the array
// of what the parts yield, or nil when none yields an answer.
func batch(parts []func() []byte) []byte {
	answers := make([][]byte, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		if part != nil {
			wg.Go(func() { answers[i] = part() })
		}
	}
	wg.Wait()
	var b []byte
	for _, a := range answers {
		switch {
		case a == nil:
			continue
		case b == nil:
			b = append(b, '[')
		default:
			b = append(b, ',')
		}
		b = append(b, a...)
	}
	if b != nil {
		b = append(b, ']')
	}
	return b
}
