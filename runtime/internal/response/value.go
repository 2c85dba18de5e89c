package response

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// Value is the JSON that an answer holds or is decoded to, for who has to look
// into it before it becomes a result ([Decoder.ResultOf]). It is false for
// errors, for what was cut off, and for answers that are no data.
func (d *Decoder) Value(a *upstream.Answer) (jsontext.Value, bool) {
	if a.Status >= 300 || a.Method == http.MethodHead || len(a.Body) == 0 || a.Truncated {
		return nil, false
	}
	m := mediaOf(a.Header)
	k := d.forced
	if k == unknown {
		k = m.kind
	}
	b := &body{answer: a, media: m, bytes: a.Body}
	if k == kindLines {
		list, _, err := listOf(b.records())
		return list, err == nil
	}
	if k == kindJSON || k == unknown || k == kindText {
		if v := jsontext.Value(a.Body); v.IsValid(jsontext.AllowDuplicateNames(true)) {
			return v, true
		}
	}
	res := d.decode(k, b)
	if res.IsError || len(res.Content) != 1 || res.Content[0].Type != result.TypeText {
		return nil, false
	}
	v := jsontext.Value(res.Content[0].Text)
	return v, v.IsValid(jsontext.AllowDuplicateNames(true))
}

// ResultOf makes the result of a value that [Decoder.Value] decoded of an answer,
// or that was put together from several.
func (d *Decoder) ResultOf(a *upstream.Answer, v jsontext.Value) *result.Result {
	return d.decode(kindJSON, &body{answer: a, bytes: v})
}
