package response

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// tool is GET /things/{id} of upstream u. With a schema it has an output.
func tool(schema string) plan.Tool {
	return plan.Tool{
		Name:   "t",
		Hints:  plan.Hints{ReadOnly: true, Idempotent: true},
		Output: plan.Schema(schema),
		Request: plan.Request{
			Upstream: "u", Method: "GET", Accept: "application/json",
			Path: []plan.Segment{{Literal: "/things/"}, {Param: &plan.Param{Name: "id", Arg: "id"}}},
		},
	}
}

const object = `{"type":"object"}`

func compile(t testing.TB, p plan.Tool) *Decoder {
	t.Helper()
	d, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// resultOf is the result of an answer to a call without arguments.
func resultOf(d *Decoder, a *upstream.Answer) *result.Result {
	return d.Result(context.Background(), a, nil)
}

// answer is an answer with a status, a Content-Type ("" is none) and a body.
func answer(status int, media, body string) *upstream.Answer {
	h := http.Header{}
	if media != "" {
		h.Set("Content-Type", media)
	}
	return &upstream.Answer{Upstream: `The upstream "u"`, Method: "GET", Path: "/things/a%20b", Status: status, Header: h, Body: []byte(body), Attempts: 1, Limit: 1 << 20}
}

// show is a result as one text: its blocks, then its structured content.
func show(r *result.Result) string {
	var b strings.Builder
	for i, c := range r.Content {
		if i > 0 {
			b.WriteString("\n--\n")
		}
		switch c.Type {
		case result.TypeText:
			b.WriteString(c.Text)
		default:
			b.WriteString("<" + c.Type + " " + c.MIME + " " + c.URI + " " + string(c.Data) + ">")
		}
	}
	if r.Structured != nil {
		b.WriteString("\n== " + string(r.Structured))
	}
	if r.IsError {
		b.WriteString("\n!! " + r.Code)
	}
	return b.String()
}

func TestKinds(t *testing.T) {
	latin := "caf\xe9"
	utf16 := func(s string, bom bool) string {
		var b strings.Builder
		if bom {
			b.WriteString("\xff\xfe")
		}
		for _, c := range []byte(s) {
			b.WriteByte(c)
			b.WriteByte(0)
		}
		return b.String()
	}
	wrap := func(p *plan.Tool) { p.Response.Wrap = true }
	force := func(kind string) func(*plan.Tool) { return func(p *plan.Tool) { p.Response.Kind = kind } }
	noJSON := func(p *plan.Tool) { p.Request.Accept = "text/plain" }

	for _, c := range []struct {
		name   string
		media  string
		body   string
		schema string
		change func(*plan.Tool)
		want   string
	}{
		{"an object passes", "application/json", `{"id": 9007199254740993, "p":1.50 }` + "\n", "", nil, `{"id": 9007199254740993, "p":1.50 }` + "\n" + "\n== " + `{"id": 9007199254740993, "p":1.50 }`},
		{"with a charset", "Application/JSON;  Charset=UTF-8", `{"é":1}`, "", nil, "{\"é\":1}\n== {\"é\":1}"},
		{"+json", "application/vnd.api+json", `{}`, "", nil, "{}\n== {}"},
		{"a list without schema", "application/json", `[1,2]`, "", nil, `[1,2]`},
		{"a list that is wrapped", "application/json", `[1, 2] `, object, wrap, "[1, 2] \n== {\"result\":[1, 2]}"},
		{"a list where an object was promised", "application/json", `[1]`, object, nil, "[1]\n== {\"result\":[1]}"},
		{"an object that is wrapped", "application/json", `{"a":1}`, object, wrap, "{\"a\":1}\n== {\"result\":{\"a\":1}}"},
		{"a scalar", "application/json", `"x"`, object, wrap, "\"x\"\n== {\"result\":\"x\"}"},
		{"null", "application/json", `null`, object, wrap, "null\n== {\"result\":null}"},
		{"byte order mark", "application/json", "\xef\xbb\xbf{\"a\":1}", "", nil, "{\"a\":1}\n== {\"a\":1}"},
		{"UTF-16 with mark", "application/json", utf16(`{"a":1}`, true), "", nil, "{\"a\":1}\n== {\"a\":1}"},
		{"UTF-16 without", "application/json; charset=utf-16", utf16(`{"a":1}`, false), "", nil, "{\"a\":1}\n== {\"a\":1}"},
		{"UTF-16 unsaid", "application/json", utf16(`{"a":12}`, false), "", nil, "{\"a\":12}\n== {\"a\":12}"},
		{"Latin-1", "application/json; charset=ISO-8859-1", `{"a":"` + latin + `"}`, "", nil, "{\"a\":\"café\"}\n== {\"a\":\"café\"}"},
		{"Latin-1 unsaid", "application/json", `{"a":"` + latin + `"}`, "", nil, "{\"a\":\"café\"}\n== {\"a\":\"café\"}"},
		{"a name twice", "application/json", `{"a":1,"b":{"c":1,"c":2},"a":[3]}`, "", nil, `{"a":1,"b":{"c":1,"c":2},"a":[3]}` + "\n== " + `{"a":[3],"b":{"c":2}}`},
		{"not JSON", "application/json", `{"a":`, "", nil, "{\"a\":\n--\nThis is the text of the answer, which cannot be read as JSON: it is not valid JSON."},
		{"not JSON, promised", "application/json", `{"a":`, object, nil, "{\"a\":\n--\nThis is the text of the answer, which cannot be read as JSON: it is not valid JSON.\n== {\"result\":\"{\\\"a\\\":\"}"},
		{"a page that calls itself JSON", "application/json", "<!DOCTYPE html><h1>Log in</h1>", "", nil, "# Log in"},
		{"deeper than clients read", "application/json", strings.Repeat("[", 600) + strings.Repeat("]", 600), object, wrap,
			strings.Repeat("[", 600) + strings.Repeat("]", 600)},
		{"many lists, not deep", "application/json", "[" + strings.Repeat("[],", 600) + "\"]\\\"[\"]", object, wrap,
			"[" + strings.Repeat("[],", 600) + "\"]\\\"[\"]\n== {\"result\":[" + strings.Repeat("[],", 600) + "\"]\\\"[\"]}"},

		{"text", "text/plain; charset=utf-8", "héllo <b>\n", "", nil, "héllo <b>\n"},
		{"text in Latin-1", "text/plain; charset=latin1", latin, "", nil, "café"},
		{"text in Shift-JIS", "text/plain; charset=Shift_JIS", "\x93\xfa\x96\x7b", "", nil, "日本"},
		{"text without a word", "text/plain", latin, "", nil, "café"},
		{"text that is JSON, wanted", "text/plain", `{"a":1}`, "", nil, "{\"a\":1}\n== {\"a\":1}"},
		{"text that is JSON, not wanted", "text/plain", `{"a":1}`, "", noJSON, `{"a":1}`},
		{"text that looks like JSON", "text/plain", `[1] is one`, "", nil, `[1] is one`},
		{"no type, JSON wanted", "", ` {"a":1}`, "", nil, " {\"a\":1}\n== {\"a\":1}"},
		{"no type, text", "", `plain`, "", nil, `plain`},
		{"no type, JSON not wanted", "", `{"a":1}`, "", noJSON, `{"a":1}`},
		{"no type, page", "", "<html><body><p>Hi", "", nil, "Hi"},
		{"no type, picture", "", "\x89PNG\r\n\x1a\n123", "", nil, "<image image/png  \x89PNG\r\n\x1a\n123>"},
		{"no type, bytes", "", "\x00\x01\x02", "", nil, "application/octet-stream, 3 bytes\n--\n<resource application/octet-stream mcpc://u/things/a%20b \x00\x01\x02>"},
		{"JSON in octets, wanted", "application/octet-stream", `{"a":1}`, "", nil, "{\"a\":1}\n== {\"a\":1}"},
		{"text, promised an object", "text/plain", "done", object, nil, "done\n== {\"result\":\"done\"}"},
		{"forced to text", "application/json", `{"a":1}`, "", force("text"), `{"a":1}`},
		{"forced to JSON", "text/html", `{"a":1}`, "", force("json"), "{\"a\":1}\n== {\"a\":1}"},
		{"forced to bytes", "text/plain", `ab`, "", force("bytes"), "text/plain, 2 bytes\n--\n<resource text/plain mcpc://u/things/a%20b ab>"},
		{"a broken Content-Type", "text/plain; charset", "ok", "", nil, "ok"},
		{"YAML", "application/yaml", "a: 1\n", "", nil, "a: 1\n"},
		{"unknown and readable", "application/vnd.acme", "a=1;b", "", nil, "a=1;b"},
		{"unknown and not readable", "application/vnd.acme", "\x00a", "", nil, "application/vnd.acme, 2 bytes\n--\n<resource application/vnd.acme mcpc://u/things/a%20b \x00a>"},

		{"NDJSON", "application/x-ndjson", "{\"a\":1}\n\n{\"a\":2}\n", "", nil, "{\"a\":1}\n\n{\"a\":2}\n"},
		{"NDJSON, promised", "application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n", object, wrap, "{\"a\":1}\n{\"a\":2}\n\n== {\"result\":[{\"a\":1},{\"a\":2}]}"},
		{"json-seq", "application/json-seq", "\x1e1\n\x1e{\"b\":2}\n", object, wrap, "1\n{\"b\":2}\n\n== {\"result\":[1,{\"b\":2}]}"},
		{"NDJSON that is none", "application/x-ndjson", "a\nb", "", nil, "a\nb\n--\nThis is the text of the answer, which cannot be read as a sequence of JSON values: it is not valid JSON."},
		{"events", "text/event-stream", ": hi\nid: 1\ndata: a\ndata: b\n\nevent: tick\r\ndata: {\"n\":1}\r\n\r\nevent: only\n\ndata: last", object, wrap,
			"a\nb\n\nevent: tick\n{\"n\":1}\n\nlast\n== " + `{"result":[{"data":"a\nb"},{"event":"tick","data":{"n":1}},{"data":"last"}]}`},

		{"CSV", "text/csv; charset=utf-8", "\xef\xbb\xbfid,name\r\n007,\"a, \"\"b\"\"\"\r\n8,é\r\n", "", nil, `[{"id":"007","name":"a, \"b\""},{"id":"8","name":"é"}]`},
		{"CSV, promised", "text/csv", "a\n1\n", object, wrap, `[{"a":"1"}]` + "\n== " + `{"result":[{"a":"1"}]}`},
		{"CSV with semicolons", "text/csv", "a;b\n1,5;2\n", "", nil, `[{"a":"1,5","b":"2"}]`},
		{"CSV without header", "text/csv; header=absent", "1,2\n3\n", "", nil, `[["1","2"],["3"]]`},
		{"CSV, uneven and names twice", "text/csv", "a,,a\n1,2,3,4\n5\n", "", nil, `[{"a":"1","column_2":"2","a_2":"3","column_4":"4"},{"a":"5"}]`},
		{"CSV with nothing", "text/csv", "a,b\n", "", nil, `[]`},
		{"CSV that is none", "text/csv", "a,b\n\"x\" y,z\n", "", nil, "a,b\n\"x\" y,z\n\n--\nThis is the text of the answer, which cannot be read as CSV: line 2 has something behind a quoted value."},
		{"TSV", "text/tab-separated-values", "a\tb\r\n\"x\t2\r\n", "", nil, `[{"a":"\"x","b":"2"}]`},
		{"TSV with quotes", "text/tab-separated-values", "a\tb\n\"x\ty\"\t2\n", "", nil, `[{"a":"x\ty","b":"2"}]`},
		{"form", "application/x-www-form-urlencoded", "b=1+2&a=%C3%A9&b=&c", "", nil, `{"b":["1 2",""],"a":"é","c":""}` + "\n== " + `{"b":["1 2",""],"a":"é","c":""}`},
		{"form that is none", "application/x-www-form-urlencoded", "just text", "", nil, "just text\n--\nThis is the text of the answer, which cannot be read as a form: it has no =."},

		{"image", "image/png", "\x89PNG", "", nil, "<image image/png  \x89PNG>"},
		{"image/jpg", "image/jpg", "\xff\xd8\xff", "", nil, "<image image/jpeg  \xff\xd8\xff>"},
		{"image, promised", "image/gif", "GIF89a", object, nil, "<image image/gif  GIF89a>\n== {\"result\":\"image/gif, 6 bytes\"}"},
		{"image that is text", "image/png", "not found", "", nil, "not found"},
		{"svg", "image/svg+xml", "<svg/>", "", nil, "<svg/>"},
		{"audio", "audio/mpeg", "ID3\x00", "", nil, "<audio audio/mpeg  ID3\x00>"},
		{"pdf", "application/pdf", "%PDF-1.7", "", nil, "application/pdf, 8 bytes\n--\n<resource application/pdf mcpc://u/things/a%20b %PDF-1.7>"},

		{"page", "text/html; charset=utf-8", `<html><head><title>News</title><style>x{}</style></head><body><nav>menu</nav><main><h2>A <em>b</em></h2><script>alert(1)</script><ul><li>one<li><a href="/two">two</a></ul><table><tr><th>k</th><th>v</th></tr><tr><td>1</td><td>2</td></tr></table><img src="data:image/png;base64,AAAA" alt="pic"></main></body></html>`, "", nil,
			"# News\n\n## A *b*\n\n- one\n- [two](/two)\n\n| k | v |\n|---|---|\n| 1 | 2 |\n\npic"},
		{"page in Latin-1 by meta", "text/html", `<meta charset="iso-8859-1"><p>` + latin, "", nil, "café"},
		{"page that is JSON, wanted", "text/html", `{"a":1}`, "", nil, "{\"a\":1}\n== {\"a\":1}"},
		{"page that is JSON, not wanted", "text/html", `{"a":"<b>"}`, "", noJSON, `{"a":"<b>"}`},

		{"parts", "multipart/mixed; boundary=x", "--x\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--x\r\nContent-Disposition: attachment; filename=\"p.png\"\r\nContent-Type: image/png\r\n\r\n\x89P\r\n--x\r\nContent-Type: application/zip\r\n\r\nPK\r\n--x--\r\n", "", nil,
			"3 parts:\n1. application/json, 7 bytes\n2. p.png: image/png, 2 bytes\n3. application/zip, 2 bytes\n--\n{\"a\":1}\n--\n<image image/png  \x89P>\n--\n<resource application/zip mcpc://u/things/a%20b PK>"},
		{"parts without boundary", "multipart/mixed", "text", "", nil, "text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(c.schema)
			if c.change != nil {
				c.change(&p)
			}
			r := resultOf(compile(t, p), answer(200, c.media, c.body))
			if got := show(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkValid(t, r)
		})
	}
}

// checkValid checks what holds for every result.
func checkValid(t testing.TB, r *result.Result) {
	t.Helper()
	if r.Structured != nil && (!r.Structured.IsValid() || r.Structured.Kind() != '{') {
		t.Errorf("structured content is not a JSON object: %s", r.Structured)
	}
	if len(r.Content) == 0 {
		t.Error("no content")
	}
}

func TestWithoutBody(t *testing.T) {
	for _, c := range []struct {
		name, method string
		status       int
		header       http.Header
		schema       string
		wrap         bool
		want         string
	}{
		{"204", "DELETE", 204, nil, "", false, "Done (204 No Content)."},
		{"204, promised", "DELETE", 204, nil, object, false, "Done (204 No Content).\n== {}"},
		{"204, promised a list", "DELETE", 204, nil, object, true, "Done (204 No Content).\n== {\"result\":null}"},
		{"200", "POST", 200, http.Header{"Content-Type": {"application/json"}}, "", false, "Done (200 OK)."},
		{"201 with a place", "POST", 201, http.Header{"Location": {"https://internal.example/things/7%2F8?token=s"}}, "", false, "Done (201 Created). Location: /things/7%2F8"},
		{"202", "POST", 202, nil, "", false, "Accepted (202): the upstream has not finished it yet."},
		{"304", "GET", 304, nil, "", false, "Not modified (304): it is what the arguments say is known already."},
		{"HEAD", "HEAD", 200, http.Header{"Content-Length": {"12"}, "Etag": {`"x"`}, "Set-Cookie": {"s=1"}, "X-Total-Count": {"3"}}, "", false, "HTTP 200 OK\nContent-Length: 12\nEtag: \"x\"\nX-Total-Count: 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(c.schema)
			p.Request.Method, p.Response.Wrap = c.method, c.wrap
			a := answer(c.status, "", "")
			a.Method = c.method
			for k, v := range c.header {
				a.Header[k] = v
			}
			r := resultOf(compile(t, p), a)
			if got := show(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkValid(t, r)
		})
	}
}

func TestCompileRefusesUnknownKind(t *testing.T) {
	p := tool("")
	p.Response.Kind = "jpeg"
	if _, err := Compile(p); err == nil {
		t.Error("compiled")
	}
}

func BenchmarkJSON(b *testing.B) {
	body := []byte(`{"id":9007199254740993,"items":[` + strings.TrimSuffix(strings.Repeat(`{"id":12345,"name":"something like this","tags":["a","b"],"price":12.50,"ok":true},`, 11), ",") + `],"next":null}`)
	flat := []byte(`{"id":1,"text":"` + strings.Repeat("lorem ipsum ", 80) + `","ok":true}`)
	for _, c := range []struct {
		name string
		body []byte
	}{{"nested", body}, {"flat", flat}} {
		d := compile(b, tool(object))
		b.Run(c.name, func(b *testing.B) {
			a := answer(200, "application/json; charset=utf-8", string(c.body))
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				resultOf(d, a)
			}
		})
	}
}
