package imported

import (
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Refs are the references that texts of a format may hold, such as {{name}}.
type Refs struct {
	Open, Close string
	// Resolve returns what stands for a reference; nil leaves it as text.
	Resolve func(name string) *specs.Expr
	// Bare, when it is set, is told of what stands for a whole JSON value outside
	// of quotes: it need not be a text.
	Bare func(*specs.Expr)
}

// bare begins a text that was a reference outside of quotes.
const bare = "\x00"

// Text is a text with its references resolved.
func (r *Refs) Text(s string) *specs.Expr {
	if r == nil || !strings.Contains(s, r.Open) {
		return Text(s)
	}
	if rest, ok := strings.CutPrefix(s, bare); ok {
		x := r.Text(rest)
		if r.Bare != nil {
			r.Bare(x)
		}
		return x
	}
	var parts []*specs.Expr
	for {
		before, rest, found := strings.Cut(s, r.Open)
		name, after, closed := strings.Cut(rest, r.Close)
		if !found || !closed {
			break
		}
		x := r.Resolve(strings.TrimSpace(name))
		if x == nil {
			x = Text(r.Open + name + r.Close)
		}
		parts = append(parts, Text(before), x)
		s = after
	}
	return Join(append(parts, Text(s))...)
}

// JSON is a JSON value with the references in its texts resolved. Without any it
// is a constant.
func (r *Refs) JSON(n *specs.Node) *specs.Expr {
	if r == nil {
		return Const(n)
	}
	switch n.Kind {
	case specs.String:
		return r.Text(n.Text)
	case specs.Array, specs.Object:
		values := make([]*specs.Expr, len(n.Fields))
		for i, f := range n.Fields {
			values[i] = r.JSON(f.Value)
		}
		if allConst(values) {
			return Const(n)
		}
		if n.Kind == specs.Array {
			return List(values...)
		}
		x := Object(nil)
		for i, f := range n.Fields {
			x.Args = append(x.Args, Text(f.Key), values[i])
		}
		return x
	}
	return Const(n)
}

// ParseJSON reads a JSON text in which references may stand for values too, and
// comments between them.
func (r *Refs) ParseJSON(text string) (*specs.Expr, bool) {
	n, bad := specs.ParseJSON(&diag.Source{Text: []byte(text)})
	if bad != nil {
		n, bad = specs.ParseJSON(&diag.Source{Text: []byte(r.quoted(text))})
	}
	if bad != nil {
		return nil, false
	}
	return r.JSON(n), true
}

// quoted puts references outside of strings into quotes and removes comments.
func (r *Refs) quoted(text string) string {
	var b strings.Builder
	inside := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inside && c == '\\' && i+1 < len(text):
			b.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			inside = !inside
		case inside:
		case strings.HasPrefix(text[i:], "//"):
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
			continue
		case strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i+2:], "*/")
			if end < 0 {
				return b.String()
			}
			i += end + 3
			continue
		case r != nil && strings.HasPrefix(text[i:], r.Open):
			if end := strings.Index(text[i:], r.Close); end >= 0 {
				b.WriteString(specs.NewString(bare + text[i:i+end+len(r.Close)]).JSON())
				i += end + len(r.Close) - 1
				continue
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// URL is a URL taken apart. References may stand anywhere in it.
type URL struct {
	Base           *specs.Expr // scheme, host and port; nil: this is no URL of HTTP
	Host           string      // for names; "" when it is a reference
	User, Password string
	Path           []Segment
	Query          []Field
}

// URL takes a URL apart. scheme is what one without a scheme has.
func (r *Refs) URL(s, scheme string) URL {
	var u URL
	s, _, _ = strings.Cut(strings.TrimSpace(s), "#")
	s, query, hasQuery := strings.Cut(s, "?")
	prefix := ""
	if i := strings.Index(s, "://"); i >= 0 && !strings.Contains(s[:i], "/") {
		prefix, s = strings.ToLower(s[:i])+"://", s[i+3:]
	}
	host, path, hasPath := strings.Cut(s, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		u.User, u.Password, _ = strings.Cut(host[:i], ":")
		u.User, u.Password = unescape(u.User), unescape(u.Password)
		host = host[i+1:]
	}
	reference := r != nil && strings.HasPrefix(host, r.Open)
	if prefix == "" && !reference {
		prefix = scheme + "://"
	}
	u.Base = Join(Text(prefix), r.Text(strings.TrimSpace(host)))
	if _, isConst := ConstText(u.Base); isConst {
		u.Host = strings.ToLower(strings.TrimSpace(host))
		u.Base = Text(prefix + u.Host)
		if !IsBase(prefix + u.Host) {
			u.Base = nil
		}
	}
	if hasPath {
		for seg := range strings.SplitSeq(path, "/") {
			u.Path = append(u.Path, Segment{Value: r.Text(seg)})
		}
	}
	if hasQuery {
		u.Query = r.Form(query)
	}
	return u
}

// base is what a base URL looks like.
var base = regexp.MustCompile(`^https?://([\pL\pN._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\x00-\x20?#"<>{}|\\^` + "`" + `]*)?$`)

// IsBase reports whether a text can be a base URL.
func IsBase(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.User == nil && base.MatchString(s)
}

// Form reads the fields of a query or of an HTML form.
func (r *Refs) Form(s string) (list []Field) {
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		list = append(list, Field{Name: unescape(name), Value: r.Text(unescape(value))})
	}
	return list
}

// unescape decodes a query value; what is not encoded properly is text.
func unescape(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// mediaType is a content type that a request can have: what is none is "", and
// parameters stay when they are understood.
func mediaType(s string) string {
	kind, params, err := mime.ParseMediaType(s)
	if kind, _, _ := strings.Cut(s, ";"); !plainMedia.MatchString(strings.TrimSpace(kind)) {
		return ""
	}
	charset := strings.ToLower(params["charset"])
	known := slices.Contains([]string{"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"}, charset)
	if err != nil || len(params) > 1 || len(params) == 1 && !known {
		return strings.TrimSpace(kind)
	}
	return s
}

var plainMedia = regexp.MustCompile(`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$`)

// Body reads the body of a request of this content type, "" when it is not known.
func (r *Refs) Body(media, text string) Body {
	kind, _, err := mime.ParseMediaType(media)
	if err != nil {
		kind, _, _ = strings.Cut(strings.ToLower(media), ";")
		kind = strings.TrimSpace(kind)
	}
	media = mediaType(media)
	plain := kind == media // nothing but the type
	other := func(own string) string {
		if plain && kind == own || media == "" {
			return ""
		}
		return media
	}
	sample := text
	if r != nil && r.Open != "" {
		sample = strings.NewReplacer(r.Open, "x", r.Close, "x").Replace(text)
	}
	switch {
	case strings.TrimSpace(text) == "" && kind != "application/x-www-form-urlencoded":
		return Body{}
	case kind == "application/json" || strings.HasSuffix(kind, "+json") || kind == "" || kind == "text/json":
		if x, ok := r.ParseJSON(text); ok && (kind != "" || x.Op != specs.ExprConst || x.Value.Kind >= specs.Array) {
			if kind == "application/json" {
				media = "" // JSON has no charset
			}
			return Body{Kind: "json", Media: media, Value: x}
		}
		if kind == "" && isXML(sample) {
			return Body{Kind: "xml", Value: r.Text(text)}
		}
	case kind == "application/x-www-form-urlencoded":
		if fields := r.Form(text); len(fields) > 0 && !strings.ContainsAny(text, "<>{") || text == "" {
			return Body{Kind: "form", Fields: fields}
		}
	case (kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml")) && isXML(sample):
		return Body{Kind: "xml", Media: other("application/xml"), Value: r.Text(text)}
	}
	if strings.HasPrefix(text, "data:") && strings.Contains(text[:min(len(text), 200)], ";base64,") {
		return Body{Kind: "bytes", Media: media, Value: Text(text)}
	}
	return Body{Kind: "text", Media: other("text/plain"), Value: r.Text(text)}
}
