package response

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		name, text string
		budget     int
		want, says string
	}{
		{"an element", `[1,2,3`, 6, `[1,2]`, "The list ends after 2 elements."},
		{"a number may go on", `{"a":[10,20`, 11, `{"a":[10]}`, "The list at /a ends after 1 element."},
		{"a string is complete", `{"a":["x","y"`, 15, `{"a":["x","y"]}`, ""},
		{"elements stay whole", `{"items":[{"id":1,"n":"aa"},{"id":2,"n":"bb"},{"id":3,"n":`, 60, `{"items":[{"id":1,"n":"aa"},{"id":2,"n":"bb"}]}`, "The list at /items ends after 2 elements."},
		{"the outermost list", `[{"id":1,"tags":["a"]},{"id":2,"tags":["b"`, 60, `[{"id":1,"tags":["a"]}]`, "The list ends after 1 element."},
		{"a large second element", `[{"a":1},{"rows":["aaaaaaaaaa","bbbbbbbbbb","cccccccccc","ddd`, 80, `[{"a":1},{"rows":["aaaaaaaaaa","bbbbbbbbbb","cccccccccc"]}]`, "The list at /1/rows ends after 3 elements."},
		{"members", `{"a":{"x":1},"b":{"x":2},"c":{"x`, 60, `{"a":{"x":1},"b":{"x":2}}`, "The object ends after 2 members."},
		{"a name without value", `{"a":1,"b"`, 60, `{"a":1}`, "The object ends after 1 member."},
		{"a name with colon", `{"a":1,"b":`, 60, `{"a":1}`, ""},
		{"nothing is complete", `{"a":{"b":[`, 60, `{"a":{"b":[]}}`, "The list at /a/b ends after 0 elements."},
		{"a member that would be the second value of its name", `{"a":{"b`, 60, `{"a":{}}`, ""},
		{"escapes at the end", `["a\`, 60, `[]`, ""},
		{"a budget", `[1,2,3,4,5,6,7,8,9]`, 10, `[1,2,3,4]`, "The list ends after 4 elements."},
		{"a budget and what closes", `[[[1,2,3]]]`, 9, `[[[1,2]]]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for budget := c.budget; budget >= 0; budget-- {
				got, ok := shorten([]byte(c.text), budget)
				if !ok {
					continue
				}
				if budget == c.budget {
					if string(got.text) != c.want {
						t.Errorf("got %s\nwant %s", got.text, c.want)
					}
					if c.says != "" && got.String() != c.says {
						t.Errorf("got %q, want %q", got.String(), c.says)
					}
				}
				if len(got.text) > budget || !jsontext.Value(got.text).IsValid() {
					t.Errorf("budget %d: %s", budget, got.text)
				}
			}
		})
	}
	for _, text := range []string{"", `"abc`, "12", "nul", `{"a":1}x`, "x"} {
		if c, ok := shorten([]byte(text), 100); ok {
			t.Errorf("%q became %s", text, c.text)
		}
	}
}

func TestTruncatedAnswers(t *testing.T) {
	const note = "\n--\nThis answer is incomplete: the upstream's is larger than 1 MiB, the most that is read."
	for _, c := range []struct{ name, media, body, want string }{
		{"JSON", "application/json", `{"items":[{"id":1},{"id":2},{"i`,
			`{"items":[{"id":1},{"id":2}]}` + note + " The list at /items ends after 2 elements. To get the rest, call again with other values of limit, page.\n== " + `{"items":[{"id":1},{"id":2}]}`},
		{"JSON cut inside a character", "application/json", "{\"a\":[\"é\",\"\xc3",
			`{"a":["é"]}` + note + " The list at /a ends after 1 element. To get the rest, call again with other values of limit, page.\n== " + `{"a":["é"]}`},
		{"text", "text/plain", "abc\xc3", "abc" + note + " To get the rest, call again with other values of limit, page.\n== {\"result\":\"abc\"}"},
		{"CSV", "text/csv", "a,b\n1,2\n3,", `[{"a":"1","b":"2"}]` + note + " The list ends after 1 element. To get the rest, call again with other values of limit, page.\n== " + `{"result":[{"a":"1","b":"2"}]}`},
		{"NDJSON", "application/x-ndjson", "{\"a\":1}\n{\"a\":", "{\"a\":1}\n" + note + " The list ends after 1 element. To get the rest, call again with other values of limit, page.\n== " + `{"result":[{"a":1}]}`},
		{"XML", "application/xml", "<r><a>1</a><a>23", `{"r":{"a":"1"}}` + note + " To get the rest, call again with other values of limit, page.\n== " + `{"r":{"a":"1"}}`},
		{"bytes", "application/pdf", "%PDF", "The answer to GET /things/{id} is larger than 1 MiB, the most that is read, and cannot be used in part (application/pdf).\nAsk for something smaller, or let the operator of this server raise the limit.\nRetrying the same call will not help.\n!! too-large"},
		{"image", "image/png", "\x89PNG", "The answer to GET /things/{id} is larger than 1 MiB, the most that is read, and cannot be used in part (image/png).\nAsk for something smaller, or let the operator of this server raise the limit.\nRetrying the same call will not help.\n!! too-large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(object)
			p.Request.Query = []plan.Param{{Name: "limit", Arg: "limit"}, {Name: "sort", Arg: "sort"}, {Name: "page[number]", Arg: "page"}, {Name: "$top", Value: &plan.Expr{}}}
			a := answer(200, c.media, c.body)
			a.Truncated = true
			r := resultOf(compile(t, p), a)
			if got := show(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkValid(t, r)
		})
	}
	t.Run("a stream when the time was up", func(t *testing.T) {
		a := answer(200, "text/event-stream", "data: 1\n\ndata: 2\n\n")
		a.Truncated, a.TimedOut = true, true
		want := "1\n\n2\n--\nThis answer is incomplete: the upstream was still sending when the time for the call was up. Ask for less at once, if the tool's arguments allow it."
		if got := show(resultOf(compile(t, tool("")), a)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// What is made of an answer is bounded too: many short rows with long names.
func TestConvertedIsBounded(t *testing.T) {
	var b strings.Builder
	name := strings.Repeat("n", 1000)
	b.WriteString(name + "\n")
	for i := range 30000 {
		fmt.Fprintln(&b, i)
	}
	r := resultOf(compile(t, tool(object)), answer(200, "text/csv", b.String()))
	checkValid(t, r)
	if n := len(r.Content[0].Text); n > maxConverted+2 || n < maxConverted/2 || len(r.Content) != 2 {
		t.Errorf("%d bytes, %d blocks", n, len(r.Content))
	}
	x := "<r>" + strings.Repeat("<"+name+" a='1'/>", 20000) + "</r>"
	r = resultOf(compile(t, tool(object)), answer(200, "application/xml", x))
	checkValid(t, r)
	if n := len(r.Content[0].Text); n > maxConverted {
		t.Errorf("%d bytes", n)
	}
}

func FuzzShorten(f *testing.F) {
	for _, s := range []string{`{"items":[{"id":1,"t":["a","b"]},{"id":2}],"next":null}`, `[[[1,2],[3.5e7]],"\u00e9",true]`, `{"a":{"b":{}},"a":1}`, `"x"`, "[1,2", "{\"\xff\":1"} {
		f.Add([]byte(s), 20)
	}
	f.Fuzz(func(t *testing.T, text []byte, budget int) {
		c, ok := shorten(text, budget)
		if !ok {
			return
		}
		if len(c.text) > budget {
			t.Errorf("%d bytes of %d: %s", len(c.text), budget, c.text)
		}
		if !jsontext.Value(c.text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
			t.Errorf("%q became %q", text, c.text)
		}
		if c.String() == "" {
			t.Error("nothing is said")
		}
	})
}

// Whatever an upstream sends, under whatever type, is a result.
func FuzzResult(f *testing.F) {
	for _, media := range []string{"", "application/json", "application/x-ndjson", "text/event-stream", "text/csv", "text/csv; header=absent", "text/tab-separated-values", "application/x-www-form-urlencoded",
		"text/html", "multipart/mixed; boundary=x", "image/png", "text/plain; charset=utf-16", "application/octet-stream"} {
		f.Add(media, []byte(`{"a":1,"a":2}`), 200, false)
		f.Add(media, []byte("--x\r\n\r\na,b\n\"1\",2\n--x--"), 200, true)
		f.Add(media, []byte("<p>a=%C3%A9&b=\xff"), 404, false)
	}
	p := tool(object)
	promised := compile(f, p)
	p.Response.Wrap = true
	wrapped := compile(f, p)
	free := compile(f, tool(""))
	f.Fuzz(func(t *testing.T, media string, text []byte, status int, cut bool) {
		for _, d := range []*Decoder{promised, wrapped, free} {
			a := answer(200+status%400, media, string(text))
			a.Truncated = cut
			r := resultOf(d, a)
			checkValid(t, r)
			if d.declared && !r.IsError && r.Structured == nil && shallow(text) {
				t.Error("structured content was promised")
			}
			if b := jsontext.Value(r.AppendJSON(nil, true)); !b.IsValid() {
				t.Errorf("%s", b)
			}
		}
	})
}
