package compiler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// codecOf is how a body of a media type is written or read; Bytes for what is
// not text.
func codecOf(media string) plan.Codec {
	t := mediaType(media)
	major, minor, _ := strings.Cut(t, "/")
	switch {
	case t == "*/*", t == "application/*":
		return plan.JSON
	case minor == "json", strings.HasSuffix(minor, "+json"), strings.HasPrefix(minor, "x-amz-json-"):
		return plan.JSON
	case minor == "x-ndjson", minor == "ndjson", minor == "jsonl", minor == "x-jsonlines", minor == "json-lines", minor == "x-json-stream":
		return plan.NDJSON
	case t == "application/x-www-form-urlencoded":
		return plan.FormCodec
	case major == "multipart":
		return plan.Multipart
	case minor == "xml", strings.HasSuffix(minor, "+xml") && major != "image":
		return plan.XML
	case major == "text", strings.HasSuffix(minor, "yaml"), minor == "graphql", minor == "sql", minor == "javascript", minor == "csv", minor == "jwt", minor == "jose":
		return plan.Text
	}
	return plan.Bytes
}

// preference orders the media types of a body: what is sent most exactly first.
func preference(m *specs.Media) int {
	t := mediaType(m.Type)
	switch codecOf(m.Type) {
	case plan.JSON:
		switch {
		case t == "application/json":
			return 0
		case t == "application/merge-patch+json":
			return 2
		case strings.HasSuffix(t, "-patch+json"):
			return 3
		case strings.Contains(t, "*"):
			return 4
		}
		return 1
	case plan.FormCodec:
		if hasFiles(m) {
			return 7
		}
		return 5
	case plan.Multipart:
		return 6
	case plan.XML:
		return 8
	case plan.NDJSON:
		return 9
	case plan.Text:
		return 10
	}
	return 11
}

func hasFiles(m *specs.Media) bool {
	p := m.Schema.Get("properties")
	return p != nil && slices.ContainsFunc(p.Fields, func(f specs.Field) bool {
		return f.Value.Get("format").Str() == "binary" || f.Value.Get("items").Get("format").Str() == "binary"
	})
}

// body makes the body of a request and its argument; nil when it takes none.
func (a *apiContext) body(op *specs.Operation, in *lowerer) (*plan.Body, *toolArg, error) {
	if op.Body == nil {
		return nil, nil, nil
	}
	var media, unwritable *specs.Media
	for _, m := range op.Body.Media {
		if mediaType(m.Type) == "" || strings.IndexFunc(m.Type, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
			continue
		}
		if (isBinaryFormat(m.Type) || mediaType(m.Type) == "application/octet-stream") && !canBeBytes(in.lower(m.Schema, place{})) {
			unwritable = cmp.Or(unwritable, m)
			continue
		}
		if media == nil || preference(m) < preference(media) {
			media = m
		}
	}
	if media == nil && unwritable != nil {
		return nil, nil, fmt.Errorf("its body can only be sent as %s, which cannot be written from JSON", mediaType(unwritable.Type))
	}
	if media == nil {
		if len(op.Body.Media) > 0 && op.Body.Required {
			return nil, nil, fmt.Errorf("the body is required and its media type %q is none", op.Body.Media[0].Type)
		}
		if len(op.Body.Media) > 0 {
			return nil, nil, nil
		}
		media = &specs.Media{Type: "application/json"}
	}
	b := &plan.Body{Required: op.Body.Required, Media: media.Type, Codec: codecOf(media.Type)}
	s := in.lower(media.Schema, place{})
	if s.never {
		s = &schema{}
	}
	if b.Codec == plan.Bytes && !isBinaryFormat(media.Type) {
		// A type nobody knows: its schema says what it is.
		switch kind := kindOfRoot(s, 0); {
		case !canBeBytes(s):
			b.Codec = plan.JSON
		case kind == otherRoot && slices.Contains(s.target().types, "string") && !isBinary(s):
			b.Codec = plan.Text
		}
	}
	if t := mediaType(media.Type); b.Codec == plan.JSON && strings.Contains(t, "*") {
		b.Media = "application/json"
		if isBinary(s) {
			b.Media, b.Codec = "application/octet-stream", plan.Bytes
		}
	}
	arg := &toolArg{key: "body", required: op.Body.Required, isBody: true}
	desc := cleanText(op.Body.Description)
	switch b.Codec {
	case plan.JSON:
		shape, err := shapeOf(s, false, "")
		if err != nil {
			return nil, nil, err
		}
		b.Shape = shape
	case plan.XML:
		shape, err := shapeOf(s, true, xmlRoot(s))
		if err != nil {
			return nil, nil, err
		}
		b.Shape = shape
	case plan.NDJSON:
		if k := kindOfRoot(s, 0); k == objectRoot {
			s = &schema{types: []string{"array"}, subs: []sub{{key: "items", list: []*schema{s}}}}
		}
		desc = join(desc, "Each element is sent as one line.")
		shape, err := shapeOf(s, false, "")
		if err != nil {
			return nil, nil, err
		}
		b.Shape = shape
	case plan.FormCodec, plan.Multipart:
		if b.Codec == plan.Multipart {
			if b.Media = mediaType(b.Media); strings.Contains(b.Media, "*") {
				b.Media = "multipart/form-data"
			}
		}
		var err error
		if s, err = a.fields(b, s, media); err != nil {
			return nil, nil, err
		}
	case plan.Text:
		t := s.target()
		if !slices.Equal(t.types, []string{"string"}) {
			t = &schema{types: []string{"string"}, desc: t.desc}
		}
		s = t
	case plan.Bytes:
		s = bytesSchema(s.target().desc, mediaType(b.Media))
	}
	if desc == "" {
		desc = s.target().desc
	}
	arg.schema = s.describe(desc)
	if w, ok := exampleWord(usableExamples(b, s, media)); ok {
		c := *arg.schema
		c.words = append(slices.Clone(c.words), w)
		arg.schema = &c
	}
	return b, arg, nil
}

// usableExamples are a media type's examples that say how the argument looks:
// values, not their encoding, under the names the argument has. The schema's own
// examples are enough where there are any.
func usableExamples(b *plan.Body, s *schema, media *specs.Media) []*specs.Node {
	if s.target().word("examples") != "" || b.Codec == plan.Bytes || b.Shape != nil && b.Codec != plan.XML {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(media.Examples), func(e *specs.Node) bool {
		return b.Codec == plan.XML && e.Kind == specs.String || contradiction(s, e, 0) != ""
	})
}

// bytesSchema is the schema of bytes in an argument.
func bytesSchema(desc, media string) *schema {
	s := &schema{types: []string{"string"}, desc: join(desc, "Base64, or a data: URI."), words: []word{{"contentEncoding", `"base64"`}}}
	if media != "" && !strings.Contains(media, "*") && media != "application/octet-stream" {
		s.words = append(s.words, word{"contentMediaType", quote(media)})
	}
	return s
}

// isBinaryFormat reports whether a media type is known to be bytes in a format
// of its own: JSON under that name would be wrong.
func isBinaryFormat(media string) bool {
	if codecOf(media) != plan.Bytes {
		return false
	}
	major, minor, _ := strings.Cut(mediaType(media), "/")
	switch major {
	case "image", "audio", "video", "font":
		return true
	}
	for _, part := range strings.FieldsFunc(minor, func(r rune) bool { return r == '.' || r == '+' || r == '-' }) {
		switch part {
		case "protobuf", "proto", "grpc", "cbor", "msgpack", "messagepack", "bson", "ubjson", "smile", "ion", "avro", "thrift",
			"flatbuffers", "parquet", "arrow", "serialized", "zip", "gzip", "tar", "zstd", "pdf":
			return true
		}
	}
	return false
}

// canBeBytes reports whether a body of a binary format can be given as base64:
// its schema says nothing, or text, or a file.
func canBeBytes(s *schema) bool {
	t := s.target()
	if f := t.word("format"); f == `"binary"` || f == `"file"` {
		return true
	}
	return slices.Contains(t.types, "string") || kindOfRoot(s, 0) == anyRoot
}

// isBinary reports whether a schema stands for bytes as they are. format byte
// and contentEncoding base64 do not: their text goes to the wire as it is.
func isBinary(s *schema) bool {
	t := s.target()
	if t.word("contentEncoding") != "" || len(t.types) > 0 && !slices.Contains(t.types, "string") {
		return false
	}
	media := contentType(t)
	return t.word("format") == `"binary"` || media != "" && codecOf(media) == plan.Bytes
}

// contentType is the media type a schema gives to its text; "" when it says none
// that can be written.
func contentType(s *schema) string { return firstMedia(strings.Trim(s.word("contentMediaType"), `"`)) }

// fields describes a form or multipart body, property by property: what differs
// from the defaults, and the order of parts.
func (a *apiContext) fields(b *plan.Body, s *schema, media *specs.Media) (*schema, error) {
	shape, err := shapeOf(s, false, "")
	if err != nil {
		return nil, err
	}
	b.Shape = shape
	encoded := map[string]bool{}
	out, _ := rewriteProps(s, 0, func(p *prop) {
		e := media.Encoding[p.wire]
		kind := p.schema
		t := kind.target()
		f := plan.Field{Name: p.wire}
		content := ""
		if e != nil {
			content = firstMedia(e.ContentType)
			f.Media = content
			f.AllowReserved = e.AllowReserved
			if e.Style != "" || e.Explode != nil {
				f.Style, f.Explode = plan.Form, true
				switch st := plan.Style(e.Style); st {
				case plan.SpaceDelimited, plan.PipeDelimited, plan.TabDelimited, plan.DeepObject:
					f.Style, f.Explode = st, false
				}
				if e.Explode != nil {
					f.Explode = *e.Explode
				}
			}
			for _, h := range e.Headers {
				if v := headerConstant(h); v != nil && isToken(h.Name) && !strings.EqualFold(h.Name, "content-type") {
					x := constant(v)
					f.Header = append(f.Header, plan.Param{Name: h.Name, Value: &x, Style: plan.Simple})
				}
			}
		}
		item := t.sub("items")
		isBytes := func(s *schema) bool {
			if isBinary(s) {
				return true
			}
			x := s.target()
			return content != "" && codecOf(content) == plan.Bytes && x.word("contentEncoding") == "" &&
				(len(x.types) == 0 && !x.hasKids() || slices.Contains(x.types, "string"))
		}
		switch {
		case isBytes(kind) && item == nil:
			f.Binary = true
			content = cmp.Or(content, contentType(t))
			p.schema = bytesSchema(t.desc, content)
		case item != nil && isBytes(item.list[0]):
			f.Binary = true
			content = cmp.Or(content, contentType(item.list[0].target()))
			c := *t
			c.subs = slices.Clone(t.subs)
			for i := range c.subs {
				if c.subs[i].key == "items" {
					c.subs[i].list = []*schema{bytesSchema(item.list[0].target().desc, content)}
				}
			}
			p.schema = &c
		}
		if f.Media == "" && f.Binary {
			f.Media = content
		}
		if b.Codec == plan.Multipart && !f.Binary {
			partOfText(&f, t)
		}
		if !encoded[f.Name] && (b.Codec == plan.Multipart || f.Media != "" || f.Style != "" || f.AllowReserved || f.Binary || f.Header != nil) {
			encoded[f.Name] = true
			b.Fields = append(b.Fields, f)
		}
	})
	if kindOfRoot(out, 0) != objectRoot {
		out = &schema{types: []string{"object"}, desc: out.target().desc}
	}
	return out, nil
}

// partOfText says what the schema of a text part says of it: its type, and the
// encoding the text is in (OpenAPI 3.1, section 4.8.15).
func partOfText(f *plan.Field, t *schema) {
	if !slices.Equal(t.types, []string{"string"}) {
		return
	}
	media, encoding := contentType(t), strings.Trim(t.word("contentEncoding"), `"`)
	if f.Media == "" && codecOf(media) != plan.JSON { // JSON text in a string is no JSON string
		f.Media = media
	}
	if !isToken(encoding) {
		return
	}
	if f.Media == "" {
		f.Media = "application/octet-stream"
	}
	const name = "Content-Transfer-Encoding"
	if !slices.ContainsFunc(f.Header, func(h plan.Param) bool { return strings.EqualFold(h.Name, name) }) {
		x := constant(specs.NewString(encoding))
		f.Header = append(f.Header, plan.Param{Name: name, Value: &x, Style: plan.Simple})
	}
}

// rewriteProps copies a schema with every property of its root changed by f,
// also those of alternatives. Named schemas are written in place for that.
func rewriteProps(s *schema, depth int, f func(*prop)) (*schema, bool) {
	if depth > 8 {
		return s, false
	}
	t := expand(s)
	if len(t.props) == 0 && len(t.subs) == 0 {
		return s, false
	}
	c := *t
	changed := len(c.props) > 0
	c.props = slices.Clone(t.props)
	for i := range c.props {
		f(&c.props[i])
	}
	c.subs = slices.Clone(t.subs)
	for i := range c.subs {
		switch c.subs[i].key {
		case "allOf", "anyOf", "oneOf":
			c.subs[i].list = slices.Clone(c.subs[i].list)
			for j := range c.subs[i].list {
				var did bool
				c.subs[i].list[j], did = rewriteProps(c.subs[i].list[j], depth+1, f)
				changed = changed || did
			}
		}
	}
	if !changed {
		return s, false
	}
	return &c, true
}

// expand is s with its reference written in place; rules beside it hold too.
func expand(s *schema) *schema {
	for range 32 {
		if s.ref == nil {
			return s
		}
		t := s.ref.schema()
		if s.onlyAnnotates() {
			s = overlay(s, t)
			continue
		}
		c := *s
		c.ref = nil
		c.subs = slices.Clone(s.subs)
		if i := slices.IndexFunc(c.subs, func(sb sub) bool { return sb.key == "allOf" }); i >= 0 {
			c.subs[i].list = append(slices.Clone(c.subs[i].list), t)
		} else {
			c.subs = append(c.subs, sub{key: "allOf", form: schemaList, list: []*schema{t}})
		}
		return &c
	}
	return &schema{}
}

// firstMedia is the first concrete type of an encoding's contentType, which may
// list several, or the first range.
func firstMedia(list string) string {
	var any string
	for m := range strings.SplitSeq(list, ",") {
		m = strings.TrimSpace(m)
		if mediaType(m) == "" || strings.IndexFunc(m, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
			continue
		}
		if !strings.Contains(m, "*") {
			return m
		}
		if any == "" {
			any = m
		}
	}
	return any
}

// headerConstant is the one value that a header of a part can have.
func headerConstant(h *specs.Param) *specs.Node {
	for _, key := range []string{"const", "default"} {
		if v := h.Schema.Get(key); v != nil && v.Kind != specs.Object && v.Kind != specs.Array && v.Kind != specs.Null {
			return v
		}
	}
	if e := h.Schema.Get("enum"); e != nil && len(e.Fields) == 1 {
		return e.Fields[0].Value
	}
	return nil
}

// xmlRoot is the name of the root element: that of the schema.
func xmlRoot(s *schema) string {
	if s.ref == nil {
		return ""
	}
	name := s.ref.name
	for i, r := range name {
		letter := r == '_' || r >= 0x80 || r < 0x80 && isAlnum(byte(r)) && (i > 0 || r > '9')
		if !letter && (i == 0 || r != '-' && r != '.') {
			return ""
		}
	}
	return name
}

// finishBody applies what the author said about the body and its fields.
func (a *apiContext) finishBody(b *plan.Body, arg *toolArg) {
	b.Arg, b.Required = arg.key, arg.required
	if arg.value != nil {
		b.Arg, b.Value = "", arg.value
	}
	if len(arg.fields) == 0 {
		return
	}
	base := argument(arg.key)
	if arg.hidden {
		base = constant(nil)
	}
	if arg.value != nil {
		base = *arg.value
	}
	v := merged(base, arg.fields, 0)
	b.Arg, b.Value = "", &v
}

// merged is base with fields set. A field that the caller may leave out is only
// set where it was given. Members stay in the caller's order, new ones follow.
func merged(base plan.Expr, fields []fieldEdit, depth int) plan.Expr {
	args := []plan.Expr{base}
	var done []string
	for i := range fields {
		f := &fields[i]
		key := f.path[depth]
		if slices.Contains(done, key) {
			continue
		}
		name := constant(specs.NewString(key))
		if len(f.path) == depth+1 {
			one := plan.Expr{Op: plan.OpObject, Args: []plan.Expr{name, f.value}}
			if f.maybe {
				one = whenGiven(f.had, one, constant(nil))
			}
			args = append(args, one)
			continue
		}
		done = append(done, key)
		var below []fieldEdit
		for j := range fields {
			if len(fields[j].path) > depth+1 && fields[j].path[depth] == key {
				below = append(below, fields[j])
			}
		}
		inner := merged(plan.Expr{Op: plan.OpGet, Name: key, Args: []plan.Expr{base}}, below, depth+1)
		args = append(args, plan.Expr{Op: plan.OpObject, Args: []plan.Expr{name, inner}})
	}
	return call("merge", args...)
}
