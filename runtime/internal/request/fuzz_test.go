package request

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func compiled(t testing.TB, r plan.Request) *Builder {
	t.Helper()
	if r.Method == "" {
		r.Method = "POST"
	}
	b, err := Compile(plan.Upstream{BaseURL: "http://h/base"}, r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// argumentsOf makes arguments of texts; invalid UTF-8 cannot be an argument.
func argumentsOf(t testing.TB, values map[string]any) (args.Args, bool) {
	t.Helper()
	text, ok := appendValue(nil, values)
	if !ok {
		return args.Args{}, false
	}
	return arguments(t, string(text)), true
}

func appendValue(b []byte, v any) ([]byte, bool) {
	var ok bool
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, false
		}
		b, _ = jsontext.AppendQuote(b, v)
	case []string:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, ok = appendValue(b, e); !ok {
				return nil, false
			}
		}
		b = append(b, ']')
	case map[string]any:
		b = append(b, '{')
		first := true
		for k, e := range v {
			if !first {
				b = append(b, ',')
			}
			first = false
			if b, ok = appendValue(b, k); !ok {
				return nil, false
			}
			if b, ok = appendValue(append(b, ':'), e); !ok {
				return nil, false
			}
		}
		b = append(b, '}')
	}
	return b, true
}

func isRefusal(err error) bool {
	var r *Refusal
	return errors.As(err, &r)
}

// onWire is the request as a server's parser reads it.
func onWire(t testing.TB, r *Request) *http.Request {
	t.Helper()
	h := &http.Request{Method: r.Method, URL: r.URL, Header: r.Header, Host: "h", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if r.Body != nil {
		h.Body, h.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
	}
	var b bytes.Buffer
	if err := h.Write(&b); err != nil {
		t.Fatalf("cannot be written: %v", err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		t.Fatalf("cannot be read: %v\n%q", err, b.Bytes())
	}
	return got
}

// FuzzPath: a value is exactly one segment that decodes to the value, or is
// refused.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a", "", ".", "..", "../x", "a/b", "%2e%2e", "é", "\r\n", "?#", `\..\`, "a;b", "\x00"} {
		f.Add(s, s, false)
		f.Add("x", s, true)
	}
	f.Fuzz(func(t *testing.T, a, c string, reserved bool) {
		b := compiled(t, plan.Request{Path: []plan.Segment{
			literal("/v/"), {Param: &plan.Param{Name: "a", Arg: "a", AllowReserved: reserved}}, literal("/w."), {Param: &plan.Param{Name: "b", Arg: "b"}}, {Param: &plan.Param{Name: "l", Arg: "l"}}, literal("/end")}})
		in, ok := argumentsOf(t, map[string]any{"a": a, "b": c, "l": []string{a, c}})
		if !ok {
			return
		}
		req, err := b.Build(t.Context(), nil, in)
		if err != nil {
			if !isRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		got := onWire(t, req)
		raw := strings.Split(got.URL.EscapedPath(), "/")
		if got.RequestURI != req.URL.RawPath || len(raw) != 6 || raw[1] != "base" || raw[2] != "v" || raw[5] != "end" {
			t.Fatalf("%q %q: %s", a, c, got.RequestURI)
		}
		if v, err := url.PathUnescape(raw[3]); err != nil || v != a || v == "" || v == "." || v == ".." {
			t.Fatalf("%q is sent as %s, read as %q", a, raw[3], v)
		}
		if v, err := url.PathUnescape(raw[4]); err != nil || v != "w."+c+a+","+c {
			t.Fatalf("%q %q are sent as %s, read as %q", a, c, raw[4], v)
		}
		if cleaned, err := url.JoinPath("http://h", req.URL.RawPath); err != nil || strings.Count(cleaned, "/") != 7 {
			t.Fatalf("resolves to %s", cleaned)
		}
	})
}

// FuzzQuery: pairs parse back to the values, and no pair is added.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a", "", "a&b=c", "a=b", "+", "%41", "#", "é", "\x00", "a;b", "a,b", "[x]"} {
		f.Add(s, s, false)
		f.Add("k", s, true)
	}
	f.Fuzz(func(t *testing.T, key, value string, reserved bool) {
		b := compiled(t, plan.Request{Query: []plan.Param{
			{Name: "v", Arg: "v", Style: plan.Form, Explode: true, AllowReserved: reserved},
			{Name: "l", Arg: "l", Style: plan.Form, Explode: true, AllowReserved: reserved},
			{Name: "c", Arg: "l", Style: plan.Form},
			{Name: "o", Arg: "o", Style: plan.Form, Explode: true, AllowReserved: reserved},
			{Name: "d", Arg: "o", Style: plan.DeepObject, AllowReserved: reserved},
			{Name: "j", Arg: "o", Media: "application/json"},
		}})
		in, ok := argumentsOf(t, map[string]any{"v": value, "l": []string{value, key}, "o": map[string]any{key: value}})
		if !ok {
			return
		}
		req, err := b.Build(t.Context(), nil, in)
		if err != nil {
			if !isRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		// Go's parser refuses semicolons, which other servers read as &; only
		// allowReserved lets one through.
		got, err := url.ParseQuery(strings.ReplaceAll(onWire(t, req).URL.RawQuery, ";", "%3B"))
		if err != nil {
			t.Fatalf("%s: %v", req.URL.RawQuery, err)
		}
		object, _ := appendValue(nil, map[string]any{key: value})
		want := url.Values{"v": {value}, "l": {value, key}, "c": {value + "," + key}, "d[" + key + "]": {value}, "j": {string(object)}}
		want[key] = append(want[key], value)
		if !equalValues(got, want) {
			t.Fatalf("sent %s\nread %q\nwant %q", req.URL.RawQuery, got, want)
		}
	})
}

func equalValues(a, b url.Values) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if !slices.Equal(a[k], b[k]) {
			return false
		}
	}
	return true
}

// FuzzHeader: a value is one line of one header, or is refused; so are cookies.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"a", "", "a\r\nX: y", "a\nb", "é", " a", "a\tb", "a;b=c", "\x00", "\x7f", `"`, "a,b"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		in, ok := argumentsOf(t, map[string]any{"v": value, "l": []string{value, "x"}, "o": map[string]any{key: value}})
		if !ok {
			return
		}
		try := func(r plan.Request) *http.Request {
			req, err := compiled(t, r).Build(t.Context(), nil, in)
			if err != nil {
				if !isRefusal(err) {
					t.Fatal(err)
				}
				return nil
			}
			return onWire(t, req)
		}
		if got := try(plan.Request{Header: []plan.Param{{Name: "X-V", Arg: "v"}, {Name: "X-L", Arg: "l"}}}); got != nil {
			if got.Header.Get("X-V") != value || got.Header.Get("X-L") != value+",x" || len(got.Header) != 4 { // with Content-Length and User-Agent
				t.Fatalf("%q: %v", value, got.Header)
			}
		}
		if got := try(plan.Request{Header: []plan.Param{{Name: "X-J", Arg: "o", Media: "application/json"}}}); got != nil {
			var back args.Args
			if err := back.Set("o", []byte(got.Header.Get("X-J"))); err != nil || back.Values["o"].(map[string]any)[key] != value {
				t.Fatalf("%q: %v %v", value, got.Header, err)
			}
		}
		if got := try(plan.Request{Cookie: []plan.Param{{Name: "c", Arg: "v", Style: plan.Form}, {Name: "d", Value: constant("1")}}}); got != nil {
			c := got.CookiesNamed("c")
			if len(got.Cookies()) != 2 || len(c) != 1 {
				t.Fatalf("%q: %v", value, got.Header)
			}
			if v, err := url.QueryUnescape(c[0].Value); err != nil || v != value {
				t.Fatalf("%q: %v", value, c)
			}
		}
		if got := try(plan.Request{Cookie: []plan.Param{{Name: "o", Arg: "o", Style: plan.StyleCookie, Explode: true}}}); got != nil {
			if line := got.Header["Cookie"]; len(line) != 1 || line[0] != strings.TrimRight(key+"="+value, " \t") || strings.Contains(line[0], ";") {
				t.Fatalf("%q %q: %q", key, value, line)
			}
		}
	})
}

// FuzzForm: form and multipart bodies parse back to the values.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"a", "", "a&b=c", "+ ", "%41", "é", "\x00", "a\"b", `a\`, "--B\r\n", "\r\n--B--\r\n"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		members := map[string]any{key: value}
		if key != "l" {
			members["l"] = []string{value, "x"}
		}
		in, ok := argumentsOf(t, map[string]any{"body": members})
		if !ok {
			return
		}
		want := url.Values{key: {value}}
		if key != "l" {
			want["l"] = []string{value, "x"}
		}
		req, err := compiled(t, plan.Request{Body: &plan.Body{Arg: "body", Codec: plan.FormCodec, Media: formMedia}}).Build(t.Context(), nil, in)
		if err != nil {
			if !isRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		if got, err := url.ParseQuery(string(req.Body)); err != nil || !equalValues(got, want) {
			t.Fatalf("%s: %q %v", req.Body, got, err)
		}
		req, err = compiled(t, plan.Request{Body: &plan.Body{Arg: "body", Codec: plan.Multipart, Media: "multipart/form-data"}}).Build(t.Context(), nil, in)
		if err != nil {
			t.Fatal(err) // what a form can hold, parts can
		}
		_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(bytes.NewReader(req.Body), params["boundary"])
		got := url.Values{}
		for {
			p, err := parts.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%q: %v", req.Body, err)
			}
			data, err := io.ReadAll(p)
			if err != nil {
				t.Fatal(err)
			}
			_, disposition, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
			if err != nil || len(p.Header) != 1 {
				t.Fatalf("%v %v", p.Header, err)
			}
			got[disposition["name"]] = append(got[disposition["name"]], string(data))
		}
		escaped := strings.ReplaceAll(key, `"`, "%22")
		if key != "l" && !equalValues(got, url.Values{escaped: want[key], "l": {value, "x"}}) {
			t.Fatalf("%q: %q", req.Body, got)
		}
	})
}

// FuzzXML: a document is well-formed and holds the text at its place, or the
// value is refused.
func FuzzXML(f *testing.F) {
	for _, s := range []string{"a", "", "<x/>", "]]>", "&amp;", "é", "\x00", "\r\n", "a b", `"'`, "x:y", "<!--"} {
		f.Add(s, s)
	}
	b := &plan.Body{Arg: "body", Codec: plan.XML, Media: "application/xml", Shape: &plan.Shape{Nodes: []plan.ShapeNode{
		node(plan.XMLName{Name: "r", Namespace: "urn:r"}, prop("attr", 2), prop("text", 0)),
		{Type: "string", XML: &plan.XMLName{Attribute: true}},
	}}}
	f.Fuzz(func(t *testing.T, key, value string) {
		in, ok := argumentsOf(t, map[string]any{"body": map[string]any{"attr": value, "text": value}, "other": map[string]any{key: value}})
		if !ok {
			return
		}
		req, err := compiled(t, plan.Request{Body: b}).Build(t.Context(), nil, in)
		if err != nil {
			if !isRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		var got struct {
			Attr string `xml:"attr,attr"`
			Text string `xml:"text"`
		}
		if err := xml.Unmarshal(req.Body, &got); err != nil || got.Attr != value || got.Text != value {
			t.Fatalf("%s: %q %v", req.Body, got, err)
		}
		req, err = compiled(t, plan.Request{Body: &plan.Body{Arg: "other", Codec: plan.XML, Media: "text/xml"}}).Build(t.Context(), nil, in)
		if err != nil {
			if !isRefusal(err) {
				t.Fatal(err)
			}
			return
		}
		d := xml.NewDecoder(bytes.NewReader(req.Body))
		elements := 0
		for {
			tok, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil && key != ascii(key) {
				return // Go's reader has the names of the standard's fourth edition
			}
			if err != nil {
				t.Fatalf("%s: %v", req.Body, err)
			}
			if _, ok := tok.(xml.StartElement); ok {
				elements++
			}
		}
		if elements != 2 {
			t.Fatalf("%d elements: %s", elements, req.Body)
		}
	})
}

func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return -1
		}
		return r
	}, s)
}

// TestBytesRoundTrip: every way to write base64 yields the same bytes.
func TestBytesRoundTrip(t *testing.T) {
	encodings := []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding}
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		text := rapid.SampledFrom(encodings).Draw(t, "encoding").EncodeToString(data)
		if rapid.Bool().Draw(t, "uri") {
			text = "data:a/b;base64," + text
		}
		f, err := (&call{}).fileOf(tree{kind: '"', text: text}, "body", false)
		if err != nil || !bytes.Equal(f.data, data) {
			t.Fatalf("%q: %v %v", text, f.data, err)
		}
	})
}

// TestTreeKeepsJSON: reading into a tree and writing it, with or without the
// original text, changes no value and no digit.
func TestTreeKeepsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawJSON(t, 3)
		tr, err := parse(jsontext.Value(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(tr.appendJSON(nil)); got != text {
			t.Fatalf("%s became %s", text, got)
		}
		forget(&tr)
		if got := string(tr.appendJSON(nil)); got != text {
			t.Fatalf("%s became %s", text, got)
		}
	})
}

func forget(t *tree) {
	t.raw = nil
	for i := range t.items {
		forget(&t.items[i])
	}
}

func drawJSON(t *rapid.T, depth int) string {
	kinds := []string{"null", "true", "false", "0.10", "-0", "1e400", "9007199254740993", "string", "array", "object"}
	if depth == 0 {
		kinds = kinds[:8]
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	n := rapid.IntRange(0, 3)
	switch kind {
	case "string":
		b, _ := jsontext.AppendQuote(nil, rapid.String().Draw(t, "s"))
		return string(b)
	case "array":
		var list []string
		for range n.Draw(t, "n") {
			list = append(list, drawJSON(t, depth-1))
		}
		return "[" + strings.Join(list, ",") + "]"
	case "object":
		var list []string
		for i := range n.Draw(t, "n") {
			list = append(list, `"`+string(rune('z'-i))+`":`+drawJSON(t, depth-1))
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	return kind
}
