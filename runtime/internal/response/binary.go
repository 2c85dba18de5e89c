package response

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// picture delivers an image or a sound, unless the body is text in truth.
func (d *Decoder) picture(b *body, k kind) *result.Result {
	if d.forced == unknown && strings.HasPrefix(http.DetectContentType(b.bytes), "text/") && readable(b.bytes) {
		b.media.name = ""
		return d.decode(d.sniff(b), b)
	}
	if b.cut {
		return d.tooLarge(b)
	}
	c := result.Content{Type: result.TypeImage, Data: b.bytes, MIME: b.media.name}
	if k == kindAudio {
		c.Type = result.TypeAudio
	}
	switch {
	case c.MIME == "image/jpg", c.MIME == "image/pjpeg":
		c.MIME = "image/jpeg"
	case c.MIME == "":
		c.MIME = parseMedia(http.DetectContentType(b.bytes)).name
	}
	res := &result.Result{Content: []result.Content{c}}
	if d.declared {
		res.Structured = append(result.AppendString([]byte(`{"result":`), d.describe(b)), '}')
	}
	return res
}

// blob delivers bytes as an embedded resource, with a line that says what they
// are for clients that do not show resources.
func (d *Decoder) blob(b *body) *result.Result {
	if b.cut {
		return d.tooLarge(b)
	}
	name := b.media.name
	if name == "" {
		name = parseMedia(http.DetectContentType(b.bytes)).name
	}
	res := d.text(nil, d.describe(b))
	res.Content = append(res.Content, result.Content{Type: result.TypeResource, Data: b.bytes, MIME: name, URI: d.uri(b)})
	return res
}

// describe is "report.pdf: application/pdf, 1234 bytes".
func (d *Decoder) describe(b *body) string {
	name := b.media.name
	if name == "" {
		name = "application/octet-stream"
	}
	text := fmt.Sprintf("%s, %d bytes", name, len(b.bytes))
	if file := fileName(b.answer.Header.Get("Content-Disposition")); file != "" {
		text = file + ": " + text
	}
	return text
}

func fileName(disposition string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	return result.Shorten(strings.ToValidUTF8(params["filename"], ""), 200)
}

// uri names a resource without telling where the upstream is.
func (d *Decoder) uri(b *body) string {
	path := b.answer.Path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "mcpc://" + url.PathEscape(d.upstream) + path
}

// tooLarge is the result of bytes of which only the beginning was read: half a
// picture or archive is of no use.
func (d *Decoder) tooLarge(b *body) *result.Result {
	next := "Ask for something smaller, or let the operator of this server raise the limit."
	retry := result.RetryNo
	if b.answer.TimedOut {
		next = "Ask for something smaller."
	}
	return result.Error("too-large", fmt.Sprintf("The answer to %s is larger than %s, the most that is read, and cannot be used in part (%s).",
		d.operation, size(b.answer.Limit), b.media.name), next, retry)
}

// parts are the parts of a multipart body; more: there were others. None: it is
// no multipart body.
func (b *body) parts() (list []*body, more bool) {
	boundary := b.media.params["boundary"]
	if boundary == "" {
		return nil, false
	}
	r := multipart.NewReader(bytes.NewReader(b.bytes), boundary)
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return list, b.cut
		}
		if err != nil || len(list) == maxParts {
			return list, true
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return list, true
		}
		answer := *b.answer
		answer.Header = http.Header(p.Header)
		part := &body{ctx: b.ctx, args: b.args, answer: &answer, media: mediaOf(p.Header), bytes: text, name: p.FormName()}
		if part.media.name == "" {
			part.media = media{kind: kindText, name: "text/plain"} // RFC 2046, section 5.1
		}
		list = append(list, part)
	}
}

// multipart delivers the parts of an answer, each as what it is, after a summary.
func (d *Decoder) multipart(b *body) *result.Result {
	parts, more := b.parts()
	if len(parts) == 0 {
		return d.unreadableParts(b)
	}
	var summary strings.Builder
	for i, part := range parts {
		name := part.name
		if file := fileName(part.answer.Header.Get("Content-Disposition")); file != "" && name != "" {
			name += " "
		}
		fmt.Fprintf(&summary, "\n%d. %s%s", i+1, name, d.describe(part))
	}
	res := d.text(nil, fmt.Sprintf("%d parts:%s", len(parts), summary.String()))
	res.Content = append(res.Content, d.contents(parts)...)
	if more {
		d.note(b, res, "")
	}
	return res
}

// contents delivers parts, each as what it is.
func (d *Decoder) contents(parts []*body) []result.Content {
	inner := Decoder{operation: d.operation, upstream: d.upstream, wantsJSON: d.wantsJSON, safe: d.safe, narrowing: d.narrowing, shaping: d.parts}
	var out []result.Content
	for _, part := range parts {
		if len(part.bytes) == 0 {
			continue
		}
		if part.media.kind == kindMultipart {
			part.media.kind = kindText // no parts within parts
		}
		one := inner.decode(part.media.kind, part)
		// The line that says what a resource is, is in the summary.
		if n := len(one.Content); n > 1 && one.Content[n-1].Type == result.TypeResource {
			one.Content = one.Content[1:]
		}
		out = append(out, one.Content...)
	}
	return out
}

// root is the part of a multipart/related body (RFC 2387, as SOAP with attachments
// and MTOM send it) that the others belong to, with those attached: the one that
// the parameter start names, else the first. It is the body itself when that is
// no such part, or one that is no value.
func (d *Decoder) root(b *body) *body {
	if b.media.name != "multipart/related" {
		return b
	}
	parts, more := b.parts()
	for i, p := range parts {
		if start := b.media.params["start"]; start != "" && p.answer.Header.Get("Content-Id") != start {
			continue
		}
		if p.media.kind != kindXML && p.media.kind != kindJSON {
			return b
		}
		if encoding := strings.ToLower(p.answer.Header.Get("Content-Transfer-Encoding")); encoding == "quoted-printable" || encoding == "base64" {
			return b // of binary transports nobody encodes
		}
		p.charset, p.cut = b.charset, more && i == len(parts)-1
		p.attached = d.contents(slices.Delete(parts, i, i+1))
		return p
	}
	return b
}

// unreadableParts delivers a multipart answer that is none.
func (d *Decoder) unreadableParts(b *body) *result.Result {
	if readable(b.bytes) {
		return d.plain(b)
	}
	return d.blob(b)
}
