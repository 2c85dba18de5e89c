package response

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// kind is how a body is decoded.
type kind int

const (
	unknown kind = iota
	kindJSON
	kindLines  // JSON values, one after the other
	kindEvents // text/event-stream
	kindXML
	kindCSV
	kindTSV
	kindForm
	kindHTML
	kindMultipart
	kindText
	kindImage
	kindAudio
	kindBytes
)

// kindNamed is the kind of a plan's name for one.
func kindNamed(name string) (kind, bool) {
	switch name {
	case "":
		return unknown, true
	case "json":
		return kindJSON, true
	case "ndjson":
		return kindLines, true
	case "sse":
		return kindEvents, true
	case "xml":
		return kindXML, true
	case "csv":
		return kindCSV, true
	case "tsv":
		return kindTSV, true
	case "form":
		return kindForm, true
	case "html":
		return kindHTML, true
	case "multipart":
		return kindMultipart, true
	case "text":
		return kindText, true
	case "image":
		return kindImage, true
	case "audio":
		return kindAudio, true
	case "bytes":
		return kindBytes, true
	}
	return unknown, false
}

// media is a Content-Type.
type media struct {
	kind    kind
	name    string // "text/plain"; "" when there is none
	charset string // lower case; "" when there is none
	params  map[string]string
}

// mediaOf reads the Content-Type of a header. The forms of JSON that most
// answers have are told without parsing.
func mediaOf(h map[string][]string) media {
	v := h["Content-Type"]
	if len(v) == 0 {
		return media{}
	}
	switch v[0] {
	case "application/json":
		return media{kind: kindJSON, name: "application/json"}
	case "application/json; charset=utf-8", "application/json;charset=utf-8", "application/json; charset=UTF-8", "application/json;charset=UTF-8":
		return media{kind: kindJSON, name: "application/json", charset: "utf-8"}
	}
	return parseMedia(v[0])
}

func parseMedia(v string) media {
	name, params, err := mime.ParseMediaType(v)
	if err != nil {
		// A broken parameter does not make the type unknown.
		name, _, _ = strings.Cut(v, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if !strings.Contains(name, "/") {
			return media{}
		}
	}
	return media{kind: kindOf(name), name: name, charset: strings.ToLower(strings.Trim(params["charset"], `"' `)), params: params}
}

func kindOf(name string) kind {
	switch name {
	case "application/json", "text/json", "application/x-json":
		return kindJSON
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-seq", "application/stream+json", "application/jsonlines":
		return kindLines
	case "text/event-stream":
		return kindEvents
	case "application/xml", "text/xml":
		return kindXML
	case "text/html", "application/xhtml+xml":
		return kindHTML
	case "text/csv", "application/csv", "text/comma-separated-values":
		return kindCSV
	case "text/tab-separated-values":
		return kindTSV
	case "application/x-www-form-urlencoded":
		return kindForm
	case "image/svg+xml":
		// Models take pictures made of pixels; this one is a text.
		return kindText
	case "application/octet-stream", "application/pdf", "application/zip", "application/gzip":
		return kindBytes
	case "application/javascript", "application/ecmascript", "application/yaml", "application/x-yaml", "application/toml",
		"application/sql", "application/graphql", "application/x-sh", "application/pem-certificate-chain", "application/x-pem-file":
		return kindText
	}
	family, sub, _ := strings.Cut(name, "/")
	switch {
	case strings.HasSuffix(sub, "+json"):
		return kindJSON
	case strings.HasSuffix(sub, "+xml"):
		return kindXML
	case strings.HasSuffix(sub, "+yaml"), strings.HasSuffix(sub, "+csv"):
		return kindText
	}
	switch family {
	case "text":
		return kindText
	case "image":
		return kindImage
	case "audio":
		return kindAudio
	case "multipart":
		return kindMultipart
	case "video", "font", "model":
		return kindBytes
	}
	return unknown // the bytes tell
}

// sniff finds out what a body is whose type is missing or says nothing.
func (d *Decoder) sniff(b *body) kind {
	if d.wantsJSON && looksJSON(b.bytes) {
		return kindText // where JSON is looked for
	}
	if b.media.name != "" {
		// A type that is not known: readable or not is all that matters.
		if readable(b.bytes) {
			return kindText
		}
		return kindBytes
	}
	found := parseMedia(http.DetectContentType(b.bytes))
	if found.kind == unknown || found.kind == kindBytes || found.kind == kindText {
		if readable(b.bytes) || found.kind == kindText {
			return kindText
		}
		b.media = found
		return kindBytes
	}
	b.media.name = found.name
	return found.kind
}

// readable tells whether bytes are UTF-8 text without control characters.
func readable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' || c == 0x7f {
			return false
		}
	}
	return true
}

// start is a body from its first significant byte on.
func start(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
}

func looksJSON(b []byte) bool {
	b = start(b)
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

func looksXML(b []byte) bool {
	b = start(b)
	return len(b) > 0 && b[0] == '<' && !looksHTML(b)
}

func looksHTML(b []byte) bool {
	b = start(b)
	head := bytes.ToLower(b[:min(len(b), 256)])
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}
