package response

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// events delivers a stream of server-sent events (WHATWG HTML, section 9.2):
// the data of each, under its type unless that is "message", with a blank line
// between. Comments and what is for reconnecting is left out. A last event
// without a blank line after it was cut off, which clients drop too; here the
// text stays.
func (d *Decoder) events(b *body) *result.Result {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(b.utf8("")))
	var out strings.Builder
	list := []byte{'['}
	var data []string
	name := ""
	dispatch := func() {
		if data == nil {
			name = ""
			return
		}
		all := strings.Join(data, "\n")
		if out.Len() > 0 {
			out.WriteString("\n\n")
			list = append(list, ',')
		}
		list = append(list, '{')
		if name != "" && name != "message" {
			out.WriteString("event: " + name + "\n")
			list = append(result.AppendString(append(list, `"event":`...), name), ',')
		}
		out.WriteString(all)
		list = append(list, `"data":`...)
		if v := jsontext.Value(all); v.IsValid() {
			list = append(list, bytes.TrimSpace(v)...)
		} else {
			list = result.AppendString(list, all)
		}
		list = append(list, '}')
		data, name = nil, ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			dispatch()
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			name = value
		}
	}
	dispatch()
	if d.shaping != nil || d.rules != nil {
		return d.deliver(b, value{json: append(list, ']'), cut: b.cut})
	}
	res := result.Text(out.String())
	if d.declared {
		d.structure(res, append(list, ']'))
	}
	if b.cut {
		d.note(b, res, "")
	}
	return res
}
