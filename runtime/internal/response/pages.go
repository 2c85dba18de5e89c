package response

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// Value is the JSON that an answer holds or is decoded to, for who has to look
// into it before it becomes a result ([Decoder.ResultOf]). It is false for
// errors, for what was cut off, and for answers that hold no values.
func (d *Decoder) Value(a *upstream.Answer) (jsontext.Value, bool) {
	if a.Status >= 300 || a.Method == http.MethodHead || len(a.Body) == 0 || a.Truncated {
		return nil, false
	}
	b := &body{answer: a, media: mediaOf(a.Header), bytes: a.Body}
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
	v, err := d.value(k, b)
	if err != nil || v.cut {
		return nil, false
	}
	if v.json == nil { // with a name twice, and nested too deeply to mend that
		return v.text, v.text != nil
	}
	return v.json, true
}

// ResultOf makes the result of a value that [Decoder.Value] decoded of an answer,
// or that was put together from several.
func (d *Decoder) ResultOf(a *upstream.Answer, v jsontext.Value) *result.Result {
	return d.deliver(&body{answer: a, media: mediaOf(a.Header)}, value{json: v})
}
