package response

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// form delivers application/x-www-form-urlencoded text as an object.
func (d *Decoder) form(b *body) *result.Result {
	v, err := d.readForm(b)
	if err != nil {
		return d.undecoded(b, b.utf8(""), "a form", err)
	}
	return d.deliver(b, v)
}

// readForm reads a form in its order; a name that is there more than once has a
// list. Percent-encoded bytes are of the encoding of the whole.
func (d *Decoder) readForm(b *body) (value, error) {
	text := string(bytes.TrimSpace(b.bytes))
	var order []string
	values := map[string][][]byte{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, field, found := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		field, err2 := url.QueryUnescape(field)
		if err != nil || err2 != nil {
			return value{}, undecoded("it has % where no percent-encoding begins")
		}
		if !found && len(order) == 0 && !strings.Contains(text, "&") {
			return value{}, undecoded("it has no =")
		}
		name = string(b.inUTF8([]byte(name), ""))
		if values[name] == nil {
			order = append(order, name)
		}
		values[name] = append(values[name], b.inUTF8([]byte(field), ""))
	}
	out := []byte{'{'}
	for i, name := range order {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(result.AppendString(out, name), ':')
		kind := d.types[name]
		if v := values[name]; len(v) == 1 {
			out = appendScalar(out, v[0], kind)
			continue
		}
		out = append(out, '[')
		for j, v := range values[name] {
			if j > 0 {
				out = append(out, ',')
			}
			out = appendScalar(out, v, kind)
		}
		out = append(out, ']')
	}
	return value{json: append(out, '}'), cut: b.cut}, nil
}
