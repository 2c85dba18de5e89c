// Package result is what a tool call returns: MCP's CallToolResult, before it
// is written.
//
// It holds bytes wherever the upstream's own bytes can pass through, and writes
// them without decoding them again. Failures are results too, and all of them
// are made by [Error], so that each says what failed, what to do next and
// whether a retry can help.
package result

import (
	"encoding/base64"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Result is the outcome of a tool call. It belongs to one call and is not
// shared.
type Result struct {
	Content []Content
	// Structured is a JSON object, valid and without a name twice, written as
	// it is; nil is none.
	Structured jsontext.Value
	IsError    bool
	// Code names the kind of failure, a stable word such as "timeout" or
	// "http-404"; "" for a success. It is written as _meta member "mcpc/error".
	Code  string
	Retry Retry // of a failure
	// Meta are members of _meta. Values that cannot be marshalled are left out.
	Meta map[string]any
}

// Types of [Content].
const (
	TypeText     = "text"
	TypeImage    = "image"
	TypeAudio    = "audio"
	TypeResource = "resource" // embedded
)

// Content is one block of a result.
type Content struct {
	Type string
	Text string // of text, and of a resource that is text
	Data []byte // of image, audio and a binary resource; written as base64
	MIME string // of all but text
	URI  string // of a resource
}

// Text returns a result of one text block.
func Text(text string) *Result {
	one := &struct {
		Result
		content [1]Content // in the same allocation
	}{content: [1]Content{{Type: TypeText, Text: text}}}
	one.Content = one.content[:]
	return &one.Result
}

// Add appends a block of text.
func (r *Result) Add(text string) { r.Content = append(r.Content, Content{Type: TypeText, Text: text}) }

// SetMeta adds a member of _meta.
func (r *Result) SetMeta(key string, v any) {
	if r.Meta == nil {
		r.Meta = map[string]any{}
	}
	r.Meta[key] = v
}

// AppendJSON appends the CallToolResult object to b. Results of revision
// 2026-07-28 carry a resultType, legacy ones do not.
func (r *Result) AppendJSON(b []byte, legacy bool) []byte {
	if legacy {
		return r.AppendLed(b, nil)
	}
	return r.AppendLed(b, []byte(`"resultType":"complete"`))
}

// AppendLed appends the CallToolResult object to b, with lead as its first
// members: what every result of a server and era carries, already encoded. When
// lead has the member _meta it must be the last, and the result's own _meta
// joins it.
func (r *Result) AppendLed(b []byte, lead []byte) []byte {
	b = slices.Grow(b, len(lead)+r.size())
	b = append(append(b, '{'), lead...)
	b = r.appendMeta(b, lead)
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, `"content":[`...)
	for i := range r.Content {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.Content[i].Append(b)
	}
	b = append(b, ']')
	if len(r.Structured) > 0 {
		b = append(append(b, `,"structuredContent":`...), r.Structured...)
	}
	if r.IsError {
		b = append(b, `,"isError":true`...)
	}
	return append(b, '}')
}

// appendMeta appends the result's _meta, after lead.
func (r *Result) appendMeta(b, lead []byte) []byte {
	if r.Code == "" && len(r.Meta) == 0 {
		return b
	}
	switch {
	case len(lead) == 0:
		b = append(b, `"_meta":{`...)
	case lead[len(lead)-1] != '}': // no object, so no _meta
		b = append(b, `,"_meta":{`...)
	default: // reopen it
		b = b[:len(b)-1]
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
	}
	first := len(b)
	if r.Code != "" {
		b = AppendString(append(b, `"mcpc/error":{"code":`...), r.Code)
		b = AppendString(append(b, `,"retry":`...), r.Retry.word())
		if s := r.Retry.seconds(); s > 0 {
			b = strconv.AppendInt(append(b, `,"retryAfterSeconds":`...), s, 10)
		}
		b = append(b, '}')
	}
	keys := make([]string, 0, len(r.Meta))
	for k := range r.Meta {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v, err := json.Marshal(r.Meta[k], json.Deterministic(true))
		if err != nil {
			continue
		}
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(append(AppendString(b, k), ':'), v...)
	}
	return append(b, '}')
}

// size estimates what will be written, so that one allocation does.
func (r *Result) size() int {
	n := 96 + len(r.Structured)
	for i := range r.Content {
		c := &r.Content[i]
		n += 96 + len(c.Text) + len(c.Text)/6 + base64.StdEncoding.EncodedLen(len(c.Data)) + len(c.MIME) + len(c.URI)
	}
	return n
}

// Append appends the block as MCP's ContentBlock.
func (c *Content) Append(b []byte) []byte {
	switch c.Type {
	case TypeImage, TypeAudio:
		b = append(append(append(b, `{"type":"`...), c.Type...), `","data":"`...)
		b = base64.StdEncoding.AppendEncode(b, c.Data)
		b = AppendString(append(b, `","mimeType":`...), c.MIME)
	case TypeResource:
		b = c.AppendResource(append(b, `{"type":"resource","resource":`...))
	default:
		b = AppendString(append(b, `{"type":"text","text":`...), c.Text)
	}
	return append(b, '}')
}

// AppendResource appends what a resource holds: MCP's ResourceContents.
func (c *Content) AppendResource(b []byte) []byte {
	b = AppendString(append(b, `{"uri":`...), c.URI)
	if c.MIME != "" {
		b = AppendString(append(b, `,"mimeType":`...), c.MIME)
	}
	if c.Data == nil {
		return append(AppendString(append(b, `,"text":`...), c.Text), '}')
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"blob":"`...), c.Data)
	return append(b, `"}`...)
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func AppendString(b []byte, s string) []byte {
	if plain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	b, _ = jsontext.AppendQuote(b, s) // the error only tells of the replacement
	return b
}

// plain tells whether a text is ASCII that JSON need not escape.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}
