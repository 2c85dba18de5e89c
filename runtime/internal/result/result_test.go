package result

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"
)

func TestAppendJSON(t *testing.T) {
	lead := `"resultType":"complete","_meta":{"io.example/server":{"name":"n"}}`
	for _, c := range []struct {
		name string
		r    *Result
		lead string
		want string
	}{
		{"text", Text("a"), "", `{"content":[{"type":"text","text":"a"}]}`},
		{"nothing", &Result{}, "", `{"content":[]}`},
		{"lead", Text("a"), `"resultType":"complete"`, `{"resultType":"complete","content":[{"type":"text","text":"a"}]}`},
		{"lead with _meta", Text("a"), lead, `{` + lead + `,"content":[{"type":"text","text":"a"}]}`},
		{"escapes are few", Text("<a href=\"x\">&\u2028\t\r\n\x00\x1f\\ é 日 😀"), "",
			`{"content":[{"type":"text","text":"<a href=\"x\">&` + "\u2028" + `\t\r\n\u0000\u001f\\ é 日 😀"}]}`},
		{"not UTF-8", Text("a\xffb\xc3"), "", `{"content":[{"type":"text","text":"a` + "\ufffd" + `b` + "\ufffd" + `"}]}`},
		{"structured passes", &Result{Content: []Content{{Type: TypeText, Text: "{ }"}}, Structured: jsontext.Value(`{ "id": 9007199254740993, "p": 1.50 }`)}, "",
			`{"content":[{"type":"text","text":"{ }"}],"structuredContent":{ "id": 9007199254740993, "p": 1.50 }}`},
		{"image", &Result{Content: []Content{{Type: TypeImage, Data: []byte{0xff, 0, 1}, MIME: "image/png"}}}, "",
			`{"content":[{"type":"image","data":"/wAB","mimeType":"image/png"}]}`},
		{"audio", &Result{Content: []Content{{Type: TypeAudio, Data: []byte("ab"), MIME: "audio/ogg"}}}, "",
			`{"content":[{"type":"audio","data":"YWI=","mimeType":"audio/ogg"}]}`},
		{"blob", &Result{Content: []Content{{Type: TypeResource, Data: []byte("%PDF"), MIME: "application/pdf", URI: "mcpc://u/a%20b"}}}, "",
			`{"content":[{"type":"resource","resource":{"uri":"mcpc://u/a%20b","mimeType":"application/pdf","blob":"JVBERg=="}}]}`},
		{"text resource", &Result{Content: []Content{{Type: TypeResource, Text: "<svg/>", URI: "mcpc://u/a"}}}, "",
			`{"content":[{"type":"resource","resource":{"uri":"mcpc://u/a","text":"<svg/>"}}]}`},
		{"several", func() *Result { r := Text("a"); r.Add("b"); return r }(), "",
			`{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`},
		{"meta", &Result{Meta: map[string]any{"x/b": 1, "x/a": jsontext.Value(`{"n":10000000000000000001}`), "x/no": math.Inf(1)}}, "",
			`{"_meta":{"x/a":{"n":10000000000000000001},"x/b":1},"content":[]}`},
		{"meta joins the lead's", &Result{Meta: map[string]any{"x/b": 1}}, lead,
			`{"resultType":"complete","_meta":{"io.example/server":{"name":"n"},"x/b":1},"content":[]}`},
		{"meta joins an empty one", &Result{Meta: map[string]any{"x/b": 1}}, `"_meta":{}`, `{"_meta":{"x/b":1},"content":[]}`},
		{"meta after a lead without", &Result{Meta: map[string]any{"x/b": 1}}, `"resultType":"complete"`,
			`{"resultType":"complete","_meta":{"x/b":1},"content":[]}`},
		{"error", Error("http-503", "m", "n", RetryAfter(1500*time.Millisecond)), "",
			`{"_meta":{"mcpc/error":{"code":"http-503","retry":"after","retryAfterSeconds":2}},"content":[{"type":"text","text":"m\nn\nA retry may help after 2 seconds."}],"isError":true}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(c.r.AppendLed([]byte("kept"), []byte(c.lead)))
			if got != "kept"+c.want {
				t.Errorf("got\n%s\nwant\n%s", got, "kept"+c.want)
			}
			if !jsontext.Value(c.want).IsValid() {
				t.Error("what is wanted is not JSON")
			}
		})
	}
}

func TestEras(t *testing.T) {
	if got, want := string(Text("a").AppendJSON(nil, true)), `{"content":[{"type":"text","text":"a"}]}`; got != want {
		t.Errorf("legacy: %s", got)
	}
	if got, want := string(Text("a").AppendJSON(nil, false)), `{"resultType":"complete","content":[{"type":"text","text":"a"}]}`; got != want {
		t.Errorf("modern: %s", got)
	}
}

// What is written is what the protocol's library reads.
func TestReadByMCP(t *testing.T) {
	r := Text("t")
	r.Content = append(r.Content,
		Content{Type: TypeImage, Data: []byte("i"), MIME: "image/png"},
		Content{Type: TypeAudio, Data: []byte("a"), MIME: "audio/wav"},
		Content{Type: TypeResource, Data: []byte("r"), MIME: "application/zip", URI: "mcpc://u/z"},
		Content{Type: TypeResource, Text: "x", MIME: "text/css", URI: "mcpc://u/c"})
	r.Structured = jsontext.Value(`{"a":1}`)
	var got mcp.CallToolResult
	if err := json.Unmarshal(r.AppendJSON(nil, false), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Content) != 5 || got.ResultType != mcp.ResultTypeComplete || got.IsError || string(got.RawStructuredContent) != `{"a":1}` {
		t.Errorf("%+v", got)
	}
	if c, ok := got.Content[3].(mcp.EmbeddedResource); !ok || c.Resource.(mcp.BlobResourceContents).Blob != "cg==" {
		t.Errorf("%+v", got.Content[3])
	}
}

func TestError(t *testing.T) {
	for _, c := range []struct {
		next  string
		retry Retry
		want  string
	}{
		{"", RetryNo, "It failed.\nRetrying the same call will not help."},
		{"Do this.", RetryMay, "It failed.\nDo this.\nA retry may help."},
		{"", RetryAfter(0), "It failed.\nA retry may help."},
		{"", RetryAfter(time.Second), "It failed.\nA retry may help after 1 second."},
		{"", RetryAfter(time.Nanosecond), "It failed.\nA retry may help after 1 second."},
		{"", RetryAfter(90 * time.Second), "It failed.\nA retry may help after 90 seconds."},
		{"", RetryCheck, "It failed.\nIt is not known whether the call was carried out: check before calling again."},
	} {
		r := Error("code", " It failed.\n", c.next, c.retry)
		if got := r.Content[0].Text; got != c.want || !r.IsError || r.Code != "code" || r.Retry != c.retry {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	long := Error("code", strings.Repeat("é", 1<<20), strings.Repeat("ü", 1<<20), RetryNo).Content[0].Text
	if len(long) > MaxErrorText || !utf8.ValidString(long) || !strings.HasSuffix(long, "\nRetrying the same call will not help.") {
		t.Errorf("%d bytes, ends %q", len(long), long[len(long)-60:])
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{strings.Repeat("a", 30), 25, "aaaaaaaaa … (shortened)"},
		{strings.Repeat("é", 15), 25, "éééé … (shortened)"},
	} {
		if got := Shorten(c.s, c.n); got != c.want {
			t.Errorf("%q, %d: %q", c.s, c.n, got)
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add("t", []byte("d"), "image/png", "mcpc://x", "code", "k", false)
	f.Add("\xff\"\\\x00", []byte{}, "\n", "\xc3", "", "", true)
	f.Fuzz(func(t *testing.T, text string, data []byte, mime, uri, code, key string, legacy bool) {
		r := Text(text)
		for _, kind := range []string{TypeImage, TypeAudio, TypeResource} {
			r.Content = append(r.Content, Content{Type: kind, Data: data, Text: text, MIME: mime, URI: uri})
		}
		r.Code, r.IsError, r.Retry = code, code != "", RetryAfter(time.Duration(len(text)))
		if key != "mcpc/error" && utf8.ValidString(key) {
			r.SetMeta(key, strings.ToValidUTF8(text, "?"))
		}
		b := r.AppendJSON(nil, legacy)
		if !jsontext.Value(b).IsValid() || bytes.ContainsAny(b, "\r\n") {
			t.Errorf("%s", b)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	body := `{"id":9007199254740993,"items":[` + strings.Repeat(`{"id":12345,"name":"something","tags":["a","b"],"ok":true},`, 14) + `null],"next":null}`
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		r := Text(body)
		r.Structured = jsontext.Value(body)
		out = r.AppendJSON(out[:0], false)
	}
	b.SetBytes(int64(len(body)))
}
