package response

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// Value is the JSON that an answer holds or is decoded to, for who has to look
// into it before it becomes a result ([Decoder.Shape]), and what is to be said
// about the decoding. It is false for errors, for what was cut off, and for
// answers that hold no values: [Decoder.Result] says what these are.
func (d *Decoder) Value(ctx context.Context, a *upstream.Answer, arguments map[string]any) (v jsontext.Value, remarks []string, ok bool) {
	if a.Status >= 300 || a.Method == http.MethodHead || len(a.Body) == 0 || a.Truncated || d.readFault(a) != nil {
		return nil, nil, false
	}
	b := d.body(a)
	b.ctx, b.args = ctx, arguments
	k := d.forced
	if k == unknown {
		k = b.media.kind
	}
	if k == unknown {
		k = d.sniff(b)
	}
	if d.forced == unknown && (k == kindText || k == kindBytes) && looksJSON(b.bytes) {
		k = kindJSON
	}
	read, err := d.value(k, b)
	if err != nil || read.cut || d.rules != nil && d.failed(b, read.json) != nil {
		return nil, nil, false
	}
	if read.json == nil { // with a name twice, and nested too deeply to mend that
		return read.text, b.notes, read.text != nil
	}
	return read.json, b.notes, true
}

// Shape makes the result of a value that [Decoder.Value] decoded of an answer, or
// that was put together from several.
func (d *Decoder) Shape(ctx context.Context, a *upstream.Answer, v jsontext.Value, arguments map[string]any) *result.Result {
	b := d.body(a)
	b.ctx, b.args, b.cut = ctx, arguments, false
	return d.deliver(b, value{json: v})
}

// Scope is what expressions know as response: an answer, and the value it became.
func Scope(a *upstream.Answer, value any) map[string]any {
	out := (&body{answer: a}).response()
	out["body"] = value
	return out
}
