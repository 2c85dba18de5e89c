package request

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// randomBoundary is a multipart boundary that no content holds, but by an
// accident that will not happen: 128 random bits.
func randomBoundary() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "mcpc-" + hex.EncodeToString(b[:])
}

// multipart writes one part per property, and per element of a list. By
// default an object is application/json, binary data a file of
// application/octet-stream, and all else text without a Content-Type, which RFC
// 7578 reads as text/plain and old servers as a plain field.
func (b *body) multipart(c *call, t tree, boundary string) ([]byte, string, error) {
	if t.kind != '{' {
		return nil, "", refuse(b.label(), "must be an object: every field is sent as a part")
	}
	var out []byte
	order := make([]int, len(t.items))
	fields := make([]*field, len(t.items))
	for i, name := range t.keys {
		order[i], fields[i] = i, b.field(name)
	}
	slices.SortStableFunc(order, func(x, y int) int { return fields[x].at - fields[y].at })
	for _, i := range order {
		item, name, f := t.items[i], t.keys[i], fields[i]
		at := b.at(name)
		if hasControl(name) {
			return nil, "", refuse(b.label(), "has a name with a control character, %s; use another name", excerpt(name))
		}
		part := func(name string, v tree) error {
			out = append(append(append(out, "--"...), boundary...), "\r\n"...)
			var err error
			if out, err = f.appendPart(c, out, name, v, at, b.args != nil); err == nil && len(out) > MaxBody {
				_, _, err = b.limit(out, "")
			}
			return err
		}
		var err error
		switch {
		case item.absent():
		case f.Style == plan.DeepObject && item.container():
			err = deep(name, item, part)
		case f.styled && !f.Explode && item.kind == '[':
			err = part(name, tree{kind: '"', text: joined(item, f.Style)})
		case item.kind == '[' && !isJSON(f.media):
			for _, v := range item.items {
				if f.binary && v.absent() {
					continue
				}
				if err = part(name, v); err != nil {
					break
				}
			}
		default:
			err = part(name, item)
		}
		if err != nil {
			return nil, "", err
		}
	}
	out = append(append(append(out, "--"...), boundary...), "--\r\n"...)
	media := b.Media
	if strings.Contains(strings.ToLower(media), "boundary") {
		media = mediaOf(media) // a description's own boundary is an example
	}
	return b.limit(out, media+"; boundary="+boundary)
}

// joined writes a list as one text, by a style that is not exploded.
func joined(t tree, style plan.Style) string {
	sep, ok := map[plan.Style]string{plan.SpaceDelimited: " ", plan.PipeDelimited: "|", plan.TabDelimited: "\t"}[style]
	if !ok {
		sep = ","
	}
	var list []string
	for _, v := range t.items {
		list = append(list, v.scalar())
	}
	return strings.Join(list, sep)
}

func (f *field) appendPart(c *call, b []byte, name string, v tree, at string, ours bool) ([]byte, error) {
	var data []byte
	media := concrete(f.media)
	b = append(b, `Content-Disposition: form-data; name="`...)
	b = appendQuoted(b, name)
	b = append(b, '"')
	switch {
	case f.binary:
		content, err := c.fileOf(v, at, ours)
		if err != nil {
			return nil, err
		}
		data = content.data
		if content.media != "" {
			media = content.media
		}
		if media == "" {
			media = "application/octet-stream"
		}
		if content.name == "" {
			// Without a file name most servers do not see a file.
			content.name = f.Name
		}
		b = append(b, `; filename="`...)
		b = appendQuoted(b, content.name)
		b = append(b, '"')
	case v.container() || isJSON(f.media):
		data = v.appendJSON(nil)
		if media == "" {
			media = "application/json"
		}
	default:
		data = []byte(v.scalar())
	}
	b = append(b, "\r\n"...)
	for _, h := range f.header {
		if !strings.EqualFold(h.name, "Content-Type") && !strings.EqualFold(h.name, "Content-Disposition") {
			b = append(append(append(append(b, h.name...), ": "...), h.value...), "\r\n"...)
		}
	}
	if media != "" {
		b = append(append(append(b, "Content-Type: "...), media...), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(append(b, data...), "\r\n"...), nil
}

// concrete is the first media type of a list that is not a range.
func concrete(list string) string {
	for m := range strings.SplitSeq(list, ",") {
		if m = strings.TrimSpace(m); m != "" && !strings.Contains(m, "*") {
			return m
		}
	}
	return ""
}

// appendQuoted writes a name or file name as browsers do (WHATWG HTML,
// multipart/form-data): UTF-8, with the quote and line breaks percent-encoded.
// The backslash is escaped, which browsers do not do: parsers of RFC 2045's
// quoted strings would take it and the closing quote for a quote.
func appendQuoted(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			b = append(b, "%22"...)
		case '\\':
			b = append(b, `\\`...)
		case '\r':
			b = append(b, "%0D"...)
		case '\n':
			b = append(b, "%0A"...)
		default:
			b = append(b, c)
		}
	}
	return b
}
