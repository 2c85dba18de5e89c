package request

import (
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// What is built at most, in bytes. Servers take less in the first line and in
// headers (8 KiB is common), and answer with errors that explain nothing.
const (
	MaxBody   = 32 << 20
	MaxTarget = 64 << 10 // path and query
	MaxHeader = 16 << 10 // value of one header
)

const formMedia = "application/x-www-form-urlencoded"

// body is a compiled [plan.Body].
type body struct {
	plan.Body
	source
	fields map[string]*field // by name on the wire
	// args are the arguments that members of an author's form or multipart body
	// come from, by the name on the wire: refusals speak of them.
	args map[string]string
	// encode writes text in the charset that Media names; nil for UTF-8. Its
	// errors complete a sentence that begins with what holds the text.
	encode      func(string) (string, error)
	xmlEncoding string // as the XML declaration names it
}

// field is a compiled [plan.Field]: a form field is written like a query
// parameter.
type field struct {
	param
	binary bool
	media  string
	styled bool
	header []header
	at     int // its place among the parts
}

type header struct{ name, value string }

func compileBody(b *plan.Body) (*body, error) {
	src, err := compileSource(b.Arg, b.Value)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	out := &body{Body: *b, source: src, fields: map[string]*field{}}
	switch b.Codec {
	case plan.JSON, plan.FormCodec, plan.Multipart, plan.XML, plan.Text, plan.Bytes, plan.NDJSON:
	default:
		return nil, fmt.Errorf("body: unknown codec %q", b.Codec)
	}
	for i := 0; i < len(b.Media); i++ {
		if b.Media[i] < 0x20 || b.Media[i] >= 0x7f {
			return nil, fmt.Errorf("body: bad media type %q", b.Media)
		}
	}
	out.setCharset()
	if b.Value != nil && b.Value.Op == plan.OpObject {
		out.args = map[string]string{}
		if keys, values, ok := constantKeys(*b.Value); ok {
			for i, key := range keys {
				out.args[key] = onlyArgument(values[i])
			}
		}
	}
	for i, f := range b.Fields {
		c := &field{binary: f.Binary, media: f.Media, styled: f.Style != ""}
		c.Name, c.Style, c.Explode, c.AllowReserved = f.Name, f.Style, f.Explode, f.AllowReserved
		if hasControl(f.Name) {
			return nil, fmt.Errorf("body field %q: the name has a control character", f.Name)
		}
		for _, h := range f.Header {
			v, err := compileConstant(h)
			if err != nil {
				return nil, fmt.Errorf("body field %q: %w", f.Name, err)
			}
			c.header = append(c.header, header{h.Name, v})
		}
		c.at = i
		out.fields[f.Name] = c
	}
	for _, f := range out.fields {
		f.complete(f.Name, out.encode)
	}
	return out, nil
}

// setCharset looks for a charset among the parameters of the media type. Text
// is sent as UTF-8 otherwise, and where nobody knows the charset; the
// Content-Type says so then.
func (b *body) setCharset() {
	b.xmlEncoding = "UTF-8"
	if b.Codec != plan.Text && b.Codec != plan.XML && b.Codec != plan.FormCodec {
		return
	}
	media, params, err := mime.ParseMediaType(b.Media)
	name := params["charset"]
	if err != nil || name == "" {
		return
	}
	// Browsers take iso-8859-1 for windows-1252, and so does the list for HTML;
	// a server need not.
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil {
		enc, err = htmlindex.Get(name)
	}
	if err != nil || strings.HasPrefix(strings.ToLower(name), "utf-16") {
		params["charset"] = "utf-8"
		b.Media = mime.FormatMediaType(media, params)
		return
	}
	if canonical, _ := htmlindex.Name(enc); canonical == "utf-8" {
		return
	}
	b.xmlEncoding = name
	// XML can say any character by number, but not everywhere: in a template the
	// character may stand in a CDATA section or a comment.
	byNumber := b.Codec == plan.XML && b.Value == nil
	b.encode = func(s string) (string, error) {
		e := enc.NewEncoder()
		if byNumber {
			e = encoding.HTMLEscapeUnsupported(e)
		}
		encoded, err := e.String(s)
		if err != nil {
			for _, r := range s {
				if _, err := enc.NewEncoder().String(string(r)); err != nil {
					return "", fmt.Errorf("holds %s, which %s, the charset in which it is sent, does not have", excerpt(string(r)), name)
				}
			}
			return "", fmt.Errorf("cannot be written in %s, the charset in which it is sent", name)
		}
		return encoded, nil
	}
}

// complete fills in what a field of this name has by default: OpenAPI writes
// lists in forms with style form, exploded.
func (f *field) complete(name string, encode func(string) (string, error)) {
	f.Name = name
	if f.Style == "" {
		f.Style, f.Explode = plan.Form, true
	}
	f.where, f.set, f.element = "body", unreserved, unreserved
	if f.AllowReserved {
		f.set, f.element = reservedQuery, newCharset(":/?[]@!$'()*;=")
	}
	if encode != nil {
		if encoded, err := encode(name); err == nil {
			name = encoded
		}
	}
	f.prefix = string(appendForm(nil, name, unreserved)) + "="
}

// field is how the property of this name on the wire is written.
func (b *body) field(name string) *field {
	if f, ok := b.fields[name]; ok {
		return f
	}
	f := &field{at: len(b.Fields)}
	f.complete(name, b.encode)
	return f
}

// compileConstant evaluates a header of a part once.
func compileConstant(p plan.Param) (string, error) {
	c, err := compileParam(p, "header")
	if err != nil {
		return "", err
	}
	if p.Value == nil {
		return "", fmt.Errorf("header %q of a part must be a constant", p.Name)
	}
	t, err := c.value(&call{env: &expr.Env{}})
	if err != nil {
		return "", err
	}
	return c.headerText(t)
}

// onlyArgument is the argument an expression computes with, "" when there is
// none or several.
func onlyArgument(e plan.Expr) string {
	name := ""
	if e.Op == plan.OpArg {
		name = e.Name
	}
	for _, a := range e.Args {
		switch n := onlyArgument(a); {
		case n == "", n == name:
		case name == "":
			name = n
		default:
			return ""
		}
	}
	return name
}

// at is how a refusal speaks of a member of the body.
func (b *body) at(name string) string {
	if arg := b.args[name]; arg != "" {
		return arg
	}
	return join(b.label(), name)
}

// label is how a refusal speaks of the body.
func (b *body) label() string {
	if b.arg != "" {
		return b.arg
	}
	return "body"
}

// write builds the body and its Content-Type; a nil body is none. The result
// may be the argument's own text.
func (b *body) write(c *call, boundary func() string) (data []byte, media string, err error) {
	var t tree
	if b.Codec == plan.JSON && b.Shape == nil && b.Value == nil {
		// The text as the client wrote it, not even looked at again.
		if raw, ok := c.args.Raw[b.arg]; ok {
			return b.limit(raw, b.Media)
		}
	}
	if t, err = b.eval(c); err != nil {
		return nil, "", failed(err, "body")
	}
	if t.kind == 0 || t.kind == 'n' && b.Codec != plan.JSON {
		if b.Required {
			return nil, "", refuse(b.label(), "is required but missing")
		}
		return nil, "", nil
	}
	if b.Shape != nil && b.Codec != plan.XML {
		if t, err = reshape(t, b.Shape, 1, b.label()); err != nil {
			return nil, "", err
		}
	}
	switch b.Codec {
	case plan.JSON:
		data = t.appendJSON(nil)
	case plan.FormCodec:
		data, err = b.form(c, t)
	case plan.Multipart:
		return b.multipart(c, t, boundary())
	case plan.XML:
		data, err = b.xml(t)
	case plan.Text:
		if t.kind == '"' {
			data = []byte(t.text)
		} else {
			data = t.appendJSON(nil)
		}
	case plan.Bytes:
		var f file
		if f, err = c.fileOf(t, b.label(), false); err == nil {
			data, media = f.data, f.media
		}
		// A range like */* or image/* says nothing; the data URI does.
		if media != "" && (b.Media == "" || strings.Contains(b.Media, "*")) {
			return b.limit(data, media)
		}
		if err == nil && b.Media == "" {
			return b.limit(data, "application/octet-stream")
		}
	case plan.NDJSON:
		lines := []tree{t}
		if t.kind == '[' {
			lines = t.items
		}
		for _, line := range lines {
			data = append(append(data, compact(line.appendJSON(nil))...), '\n')
		}
	}
	if err == nil && b.encode != nil && b.Codec != plan.FormCodec {
		var text string
		if text, err = b.encode(string(data)); err != nil {
			err = refuse(b.label(), "%v", err)
		}
		data = []byte(text)
	}
	if err != nil {
		return nil, "", err
	}
	return b.limit(data, b.Media)
}

func (b *body) limit(data []byte, media string) ([]byte, string, error) {
	if len(data) > MaxBody {
		return nil, "", refuse(b.label(), "is too large: %d bytes to send, at most %d are allowed", len(data), MaxBody)
	}
	if data == nil {
		data = []byte{} // a body without content, not no body
	}
	return data, media, nil
}

func (b *body) form(c *call, t tree) ([]byte, error) {
	if t.kind != '{' {
		return nil, refuse(b.label(), "must be an object: it is sent as a form")
	}
	w := pairs{form: true, encode: b.encode}
	for i, item := range t.items {
		name := t.keys[i]
		at := b.at(name)
		if hasControl(name) {
			return nil, refuse(b.label(), "has a name with a control character, %s; use another name", excerpt(name))
		}
		f := b.field(name)
		p := f.param
		p.arg = at
		values := []tree{item}
		repeat := item.kind == '[' && !f.styled && !isJSON(f.media)
		if repeat {
			values = item.items
		}
		for _, v := range values {
			switch {
			case f.binary && !v.absent():
				data, err := c.fileOf(v, at, b.args != nil)
				if err != nil {
					return nil, err
				}
				v = tree{kind: '"', text: string(data.data)}
			case !f.styled && v.container(), isJSON(f.media) && !v.absent():
				// OpenAPI's default content type of an object is application/json.
				v = tree{kind: '"', text: string(compact(v.appendJSON(nil)))}
			case repeat && v.kind == 'n':
				v = tree{kind: '"'}
			}
			if err := w.add(&p, v); err != nil {
				return nil, err
			}
			if w.err != nil {
				return nil, refuse(at, "%v", w.err)
			}
		}
	}
	return w.b, nil
}

// file is decoded binary data.
type file struct {
	name  string
	media string // "" when not said
	data  []byte
}

// fileOf reads binary data from an argument: base64 text in any of its
// alphabets, with or without padding and line breaks, a data URI (RFC 2397),
// file:NAME, or an object {filename, content_type, data} with one of these in
// data or plain text in text. ours says that such an object is not the
// caller's: a refusal does not speak of its members.
func (c *call) fileOf(t tree, at string, ours bool) (file, error) {
	var f file
	if t.kind == '{' {
		var data, text *tree
		for i, key := range t.keys {
			item := &t.items[i]
			switch {
			case item.kind == 'n':
			case item.kind != '"':
				return file{}, refuse(join(at, key), "must be a string")
			case key == "filename":
				f.name = item.text
			case key == "content_type":
				f.media = item.text
			case key == "data":
				data = item
			case key == "text":
				text = item
			default:
				return file{}, refuse(join(at, key), "is not known; a file has filename, content_type and data (base64 or a data URI) or text")
			}
		}
		if (data == nil) == (text == nil) {
			return file{}, refuse(at, "needs either data (base64 or a data URI) or text")
		}
		if hasControl(f.name) {
			return file{}, refuse(join(at, "filename"), "must not hold control characters")
		}
		if _, _, err := mime.ParseMediaType(f.media); f.media != "" && (err != nil || hasControl(f.media)) {
			return file{}, refuse(join(at, "content_type"), "is not a media type")
		}
		if text != nil {
			f.data = []byte(text.text)
			return f, nil
		}
		dataAt := at
		if !ours {
			dataAt = join(at, "data")
		}
		decoded, err := c.fileOf(*data, dataAt, false)
		if err != nil {
			return file{}, err
		}
		if f.media == "" {
			f.media = decoded.media
		}
		f.data = decoded.data
		if f.name == "" {
			f.name = decoded.name
		}
		return f, nil
	}
	if t.kind != '"' {
		return file{}, refuse(at, "must be a string: base64 or a data URI")
	}
	var err error
	if len(t.text) > 5 && strings.EqualFold(t.text[:5], "file:") {
		name := t.text[5:]
		if c.file == nil {
			return file{}, refuse(at, "names a file, but this server reads none; send the content as base64")
		}
		if f.data, err = c.file(name); err != nil {
			return file{}, refuse(at, "%s", err)
		}
		f.name = path.Base(name)
		return f, nil
	}
	if head, rest, found := cutDataURI(t.text); found {
		base64Encoded := false
		if h, ok := strings.CutSuffix(head, ";base64"); ok {
			head, base64Encoded = h, true
		}
		if f.media = head; strings.HasPrefix(head, ";") {
			f.media = "text/plain" + head
		}
		if _, _, bad := mime.ParseMediaType(f.media); f.media != "" && (bad != nil || hasControl(f.media)) {
			return file{}, refuse(at, "has a data URI whose media type is not valid")
		}
		text, bad := url.PathUnescape(rest)
		if bad != nil {
			return file{}, refuse(at, "has a data URI with a broken percent-encoding")
		}
		if !base64Encoded {
			f.data = []byte(text)
			return f, nil
		}
		f.data, err = decodeBase64(text)
	} else {
		f.data, err = decodeBase64(t.text)
	}
	if err != nil {
		return file{}, refuse(at, "must be base64 or a data URI; %v", err)
	}
	return f, nil
}

func cutDataURI(s string) (head, rest string, ok bool) {
	if len(s) < 5 || !strings.EqualFold(s[:5], "data:") {
		return "", "", false
	}
	return strings.Cut(s[5:], ",")
}

var errBase64 = errors.New("this is neither (for plain text use data:text/plain;charset=utf-8,… with percent-encoding)")

func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, s)
	trimmed := strings.TrimRight(s, "=")
	if len(s)-len(trimmed) > 2 || len(s) != len(trimmed) && len(s)%4 != 0 {
		return nil, errBase64
	}
	b, err := base64.RawStdEncoding.DecodeString(trimmed)
	if err != nil {
		return nil, errBase64
	}
	return b, nil
}

// mediaOf is the type without its parameters, in lower case.
func mediaOf(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(s))
}

func isJSON(media string) bool {
	m := mediaOf(media)
	return m == "application/json" || m == "text/json" || strings.HasSuffix(m, "+json")
}

func isText(media string) bool { return strings.HasPrefix(mediaOf(media), "text/") && !isJSON(media) }

func isSecretError(err error) bool {
	var secret *expr.SecretError
	return errors.As(err, &secret)
}
