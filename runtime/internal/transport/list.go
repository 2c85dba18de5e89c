package transport

import (
	"bytes"
	"sync"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// listTTL is how long, in milliseconds, a modern client may keep a list. The
// plan does not change while the server runs; the minute is for restarts.
const listTTL = "60000"

// list is the answer to tools/list, encoded on first use. There is one page:
// the text is written once and then only copied, so a page would save nothing
// here, and a client that does not know paging would lose tools.
type list struct {
	once   sync.Once
	result []byte
}

// listResult returns the result of tools/list for an era.
func (f *Front) listResult(e Era) []byte {
	l := &f.lists[e]
	l.once.Do(func() {
		b := append([]byte(nil), '{')
		if e == Modern {
			// The list is the same for everybody, so anybody may keep it.
			b = append(b, f.complete...)
			b = append(b, `,"ttlMs":`+listTTL+`,"cacheScope":"public",`...)
		}
		b = append(b, `"tools":[`...)
		for i := range f.tools {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendTool(b, &f.tools[i], e)
		}
		l.result = oneLine(append(b, "]}"...))
	})
	return l.result
}

// appendTool appends a tool as a client sees it.
func appendTool(b []byte, t *plan.Tool, e Era) []byte {
	b = result.AppendString(append(b, `{"name":`...), t.Name)
	if t.Title != "" {
		b = result.AppendString(append(b, `,"title":`...), t.Title)
	}
	if t.Description != "" {
		b = result.AppendString(append(b, `,"description":`...), t.Description)
	}
	// Schemas are the same for all: what older clients cannot read, as boolean
	// schemas and outputs that are no objects, a plan does not have.
	b = append(append(b, `,"inputSchema":`...), t.Input...)
	if t.Output != "" {
		b = append(append(b, `,"outputSchema":`...), t.Output...)
	}
	b = append(b, `,"annotations":{`...)
	if t.Title != "" && e == Legacy {
		// 2025-03-26 knows no other place for a title.
		b = append(result.AppendString(append(b, `"title":`...), t.Title), ',')
	}
	// All four: what a hint defaults to when it is absent is the dangerous
	// reading.
	b = appendBool(append(b, `"readOnlyHint":`...), t.Hints.ReadOnly)
	b = appendBool(append(b, `,"destructiveHint":`...), t.Hints.Destructive)
	b = appendBool(append(b, `,"idempotentHint":`...), t.Hints.Idempotent)
	b = appendBool(append(b, `,"openWorldHint":`...), t.Hints.OpenWorld)
	b = append(b, '}')
	if t.Deprecated != "" {
		b = append(result.AppendString(append(b, `,"_meta":{"mcpc/deprecated":`...), t.Deprecated), '}')
	}
	return append(b, '}')
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// oneLine replaces line ends by spaces, in place. JSON has them between tokens
// only, where an upstream's own text may bring them; a line of stdio and a data
// field of an event must not.
func oneLine(b []byte) []byte {
	for _, c := range []byte{'\n', '\r'} {
		for i := 0; ; {
			n := bytes.IndexByte(b[i:], c)
			if n < 0 {
				break
			}
			i += n
			b[i] = ' '
		}
	}
	return b
}
