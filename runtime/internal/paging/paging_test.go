package paging

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func parseURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newPager(t testing.TB, p plan.Pagination, secret ...string) *Pager {
	t.Helper()
	if p.MaxPages == 0 {
		p.MaxPages = 3
	}
	p.Input = "cursor"
	g, err := New("list", p, secret)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRead(t *testing.T) {
	here := parseURL(t, "https://x.example/v1/items?page=1")
	for _, c := range []struct {
		name   string
		p      plan.Pagination
		at     string
		header http.Header
		body   string
		items  int
		next   string // "" is the end
		stop   string // part of Stopped
	}{
		{name: "full page", p: plan.Pagination{Style: "page", Start: 1, Size: 2}, at: "1", body: `[1,2]`, items: 2, next: "2"},
		{name: "short page", p: plan.Pagination{Style: "page", Start: 1, Size: 2}, at: "1", body: `[1]`, items: 1},
		{name: "size not known", p: plan.Pagination{Style: "page", Start: 1}, at: "4", body: `[1]`, items: 1, next: "5"},
		{name: "empty page", p: plan.Pagination{Style: "page", Start: 1}, at: "4", body: ` [ ] `},
		{name: "null for a list", p: plan.Pagination{Style: "page", Start: 1, Items: []string{"a"}}, at: "4", body: `{"a":null}`},
		{name: "short page, and more is said", p: plan.Pagination{Style: "page", Start: 1, Size: 9, HasMore: []string{"more"}, Items: []string{"a"}}, at: "1", body: `{"a":[1],"more":true}`, items: 1, next: "2"},
		{name: "full page, and the end is said", p: plan.Pagination{Style: "page", Start: 1, Size: 1, HasMore: []string{"more"}, Items: []string{"a"}}, at: "1", body: `{"more":"false","a":[1]}`, items: 1},
		{name: "last of the pages", p: plan.Pagination{Style: "page", Start: 0, Pages: []string{"n"}, Items: []string{"a"}}, at: "2", body: `{"n":3,"a":[1]}`, items: 1},
		{name: "before the last page", p: plan.Pagination{Style: "page", Start: 0, Pages: []string{"n"}, Items: []string{"a"}}, at: "1", body: `{"n":"3","a":[1]}`, items: 1, next: "2"},
		{name: "total of a page", p: plan.Pagination{Style: "page", Start: 1, Size: 5, Total: []string{"n"}, Items: []string{"a"}}, at: "2", body: `{"n":6,"a":[1]}`, items: 1},
		{name: "offset", p: plan.Pagination{Style: "offset", Total: []string{"n"}, Items: []string{"a"}}, at: "2", body: `{"n":5,"a":[1,2]}`, items: 2, next: "4"},
		{name: "offset at the total", p: plan.Pagination{Style: "offset", Total: []string{"n"}, Items: []string{"a"}}, at: "3", body: `{"n":5,"a":[1,2]}`, items: 2},
		{name: "offset from one", p: plan.Pagination{Style: "offset", Start: 1, Total: []string{"n"}, Items: []string{"a"}}, at: "4", body: `{"n":5,"a":[1,2]}`, items: 2},
		{name: "cursor", p: plan.Pagination{Style: "cursor", Next: []string{"meta", "next"}, Items: []string{"a"}}, body: `{"a":[1],"meta":{"next":"\u0061/b"}}`, items: 1, next: `"\u0061/b"`},
		{name: "number as cursor", p: plan.Pagination{Style: "cursor", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":12345678901234567890,"a":[1]}`, items: 1, next: "12345678901234567890"},
		{name: "null is the end", p: plan.Pagination{Style: "cursor", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":null,"a":[1]}`, items: 1},
		{name: "no cursor is the end", p: plan.Pagination{Style: "cursor", Next: []string{"next"}, Items: []string{"a"}}, body: `{"a":[1]}`, items: 1},
		{name: "a huge cursor is none", p: plan.Pagination{Style: "cursor", Next: []string{"next"}, Items: []string{"a"}}, body: `{"a":[1],"next":"` + strings.Repeat("x", maxPlace) + `"}`, items: 1},
		{name: "cursor of the last item", p: plan.Pagination{Style: "cursor", Next: []string{"a", "[-1]", "id"}, Items: []string{"a"}}, body: `{"a":[{"id":"x"},{"id":"y","b":[{"id":"z"}]}]}`, items: 2, next: `"y"`},
		{name: "last item without an id", p: plan.Pagination{Style: "cursor", Next: []string{"a", "[-1]", "id"}, Items: []string{"a"}}, body: `{"a":[{"id":"x"},{}]}`, items: 2},
		{name: "cursor in a header", p: plan.Pagination{Style: "cursor", NextHeader: "X-Next"}, header: http.Header{"X-Next": {`a"b`}}, body: `[1]`, items: 1, next: `"a\"b"`},
		{name: "link", p: plan.Pagination{Style: "link_header"}, header: http.Header{"Link": {`</v1/items?page=2#x>; rel=next`}}, body: `[1]`, items: 1, next: `"/v1/items?page=2"`},
		{name: "address", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"https://X.example:443/v1/items?page=2","a":[1]}`, items: 1, next: `"/v1/items?page=2"`},
		{name: "another host", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"https://x.example.evil/v1/items","a":[1]}`, items: 1, stop: "another host"},
		{name: "another port", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"https://x.example:8443/v1/items","a":[1]}`, items: 1, stop: "another host"},
		{name: "another scheme", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"http://x.example/v1/items","a":[1]}`, items: 1, stop: "another host"},
		{name: "a user", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"https://x.example@x.example/v1/items","a":[1]}`, items: 1, stop: "another host"},
		{name: "another base path", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"/v10/items","a":[1]}`, items: 1, stop: "base path"},
		{name: "out by dots", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"/v1/%2e%2e/admin","a":[1]}`, items: 1, stop: "leads out"},
		{name: "no address", p: plan.Pagination{Style: "next_url", Next: []string{"next"}, Items: []string{"a"}}, body: `{"next":"http://[","a":[1]}`, items: 1, stop: "no address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newPager(t, c.p)
			p, err := g.Read(jsontext.Value(c.body), c.header, Place{At: c.at}, here, "/v1")
			if err != nil {
				t.Fatal(err)
			}
			next := ""
			if p.More {
				next = p.Next.At
			}
			if p.Len() != c.items || next != c.next || !strings.Contains(p.Stopped, c.stop) || c.stop == "" && p.Stopped != "" {
				t.Errorf("got %d items, next %s, stopped %q", p.Len(), next, p.Stopped)
			}
		})
	}
}

func TestReadWithoutList(t *testing.T) {
	g := newPager(t, plan.Pagination{Style: "page", Items: []string{"a", "b"}})
	for _, body := range []string{`{}`, `[]`, `{"a":[]}`, `{"a":{"b":{}}}`, `{"a":{"b":"[]"}}`, `"a"`, `{"b":[]}`, `{"a":{"b":[}}`, ``} {
		if _, err := g.Read(jsontext.Value(body), nil, Place{At: "1"}, parseURL(t, "http://x/"), ""); err == nil {
			t.Errorf("%s: no error", body)
		}
	}
}

func TestList(t *testing.T) {
	g := newPager(t, plan.Pagination{Style: "page", Items: []string{"a"}})
	for _, c := range []struct {
		pages []string
		skip  int // of the first
		limit int // of all
		want  string
	}{
		{[]string{` {"a": [1 , 2], "b":1} `}, 0, 0, ` {"a": [1 , 2], "b":1} `},
		{[]string{`{"a":[1 , 2.0],"b":1}`, `{"b":2, "a":[ "\u0041" ]}`}, 0, 0, `{"b":2, "a":[1 , 2.0,"\u0041"]}`},
		{[]string{`{"a":[1,2]}`, `{"a":[]}`, `{"a":[3]}`, `{"a":null,"x":0}`}, 0, 0, `{"a":[1,2,3],"x":0}`},
		{[]string{`{"a":[]}`, `{"a":[]}`}, 0, 0, `{"a":[]}`},
		{[]string{`{"a":[1,2,3]}`}, 1, 1, `{"a":[2]}`},
		{[]string{`{"a":[1,2,3]}`, `{"a":[4,5]}`}, 2, 2, `{"a":[3,4]}`},
		{[]string{`{"a":[1]}`}, 9, 0, `{"a":[]}`},
	} {
		var l List
		skip, n := c.skip, 0
		for _, body := range c.pages {
			p, err := g.Read(jsontext.Value(body), nil, Place{At: "1"}, parseURL(t, "http://x/"), "")
			if err != nil {
				t.Fatal(err)
			}
			limit := 0
			if c.limit > 0 {
				limit = c.limit - l.Len()
			}
			n += l.Add(p, skip, limit)
			skip = 0
		}
		if got := string(l.Value()); got != c.want || l.Len() != n || l.Pages() != len(c.pages) {
			t.Errorf("%v: got %s, %d items, want %s", c.pages, got, l.Len(), c.want)
		}
	}
}

func TestNextLink(t *testing.T) {
	here := parseURL(t, "https://x.example/a")
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{nil, ""},
		{[]string{`<b>; rel="next"`}, "b"},
		{[]string{`<b>;rel=next`}, "b"},
		{[]string{`<b> ; REL = "last Next"`}, "b"},
		{[]string{`<b>; rel=prev, <c>; rel=next`}, "c"},
		{[]string{`<b>; rel=prev`, `<c>; rel=next`}, "c"},
		{[]string{`<b?x=1,2;3>; title="a, <z>; rel=next"; rel=next`}, "b?x=1,2;3"},
		{[]string{`<b>; rel="prev"; rel="next"`}, ""},      // the first one counts
		{[]string{`<b>; rel=next; anchor="/other"`}, ""},   // of something else
		{[]string{`<b>; rel=next; anchor="#part"`}, "b"},   // of this
		{[]string{`<b>; title*=UTF-8''x; rel=next`}, "b"},  //
		{[]string{`<b>; crossorigin; rel=next`}, "b"},      // a parameter without a value
		{[]string{`, ,<b>; rel=next,`}, "b"},               // empty elements
		{[]string{`<b>; rel="nextish"`}, ""},               //
		{[]string{`<b; rel=next`}, ""},                     // not closed
		{[]string{`<b>; rel="next`}, ""},                   //
		{[]string{`b; rel=next, <c>; rel=next`}, ""},       // no link
		{[]string{`<b>; title="\"; x=\""; rel=next`}, "b"}, //
		{[]string{`<>; rel=next`}, ""},                     //
	} {
		if got := NextLink(c.fields, here); got != c.want {
			t.Errorf("%q: got %q, want %q", c.fields, got, c.want)
		}
	}
}

func decodeArgs(t testing.TB, text string) args.Args {
	t.Helper()
	a, err := args.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCursor(t *testing.T) {
	g := newPager(t, plan.Pagination{Style: "page"})
	a := decodeArgs(t, `{"q":"x","n":1}`)
	for _, p := range []Place{{At: "3"}, {At: `"a\u0062"`}, {At: "3", Skip: 200}, {Skip: 1}} {
		text := g.Cursor(p, a)
		// The same arguments, written another way.
		if got, err := g.Open(text, decodeArgs(t, `{ "n": 1.0, "cursor": "…", "q": "\u0078" }`)); err != nil || got != p {
			t.Errorf("%v: got %v, %v", p, got, err)
		}
		other, _ := New("other", g.Pagination, nil)
		for _, c := range []struct {
			g    *Pager
			text string
			args string
			want string
		}{
			{other, text, `{"q":"x","n":1}`, "another tool"},
			{g, text, `{"q":"x","n":2}`, "other arguments"},
			{g, text[:len(text)-1], `{"q":"x","n":1}`, "not a cursor"},
			{g, text + "A", `{"q":"x","n":1}`, "not a cursor"},
			{g, "x" + text[1:], `{"q":"x","n":1}`, "not a cursor"},
			{g, strings.Repeat("A", maxCursor+1), `{}`, "not a cursor"},
			{g, "3", `{}`, "not a cursor"},
		} {
			if _, err := c.g.Open(c.text, decodeArgs(t, c.args)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.text, err, c.want)
			}
		}
	}
}

func TestAddressOfForgedCursor(t *testing.T) {
	g := newPager(t, plan.Pagination{Style: "link_header"}, "key")
	base := parseURL(t, "https://x.example/v1")
	for target, want := range map[string]string{
		"/v1/items?page=2&key=s&%6bey=s": "/v1/items?page=2",
		"/v1":                            "/v1",
		"//evil.example/v1/items":        "",
		"/admin":                         "",
		"/v1/../admin":                   "",
	} {
		at, _ := jsontext.AppendQuote(nil, target)
		got, err := g.Address(Place{At: string(at)}, base, "/v1")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", target, got, err)
		}
	}
}

// What is given as the next page never leads elsewhere, whatever the header says.
func FuzzNextLink(f *testing.F) {
	for _, s := range []string{`<b>; rel="next"`, `<https://x.example/v1/a?b=c>; rel=next; title="\"", <//evil.example/>; rel=next`, `<\\evil.example/v1>;rel=next`, `<>;rel=next`, `<https:x.example/v1>;rel=next`} {
		f.Add(s)
	}
	base := parseURL(f, "https://x.example/v1/items")
	g := newPager(f, plan.Pagination{Style: "link_header"}, "key")
	f.Fuzz(func(t *testing.T, field string) {
		target := NextLink([]string{field}, base)
		if target != "" && !strings.Contains(field, target) {
			t.Fatalf("%q gave %q", field, target)
		}
		path, err := g.addressWithin(target, base, "/v1")
		if err != nil || target == "" {
			return
		}
		if again, err := g.addressWithin(path, base, "/v1"); err != nil || again != path {
			t.Fatalf("%q gave %q and then %q, %v", target, path, again, err)
		}
		u, err := base.Parse(path)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || !strings.HasPrefix(u.EscapedPath(), "/v1") || u.Query().Has("key") {
			t.Fatalf("%q gave %q", target, path)
		}
	})
}

// A cursor that is taken is one that was given.
func FuzzCursor(f *testing.F) {
	g := newPager(f, plan.Pagination{Style: "page"})
	a := decodeArgs(f, `{"q":"x"}`)
	for _, s := range []string{"", "AAAA", g.Cursor(Place{At: "3"}, a), g.Cursor(Place{At: `"x"`, Skip: 7}, a)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := g.Open(text, a)
		if err == nil && g.Cursor(p, a) != text {
			t.Fatalf("%q was taken as %v", text, p)
		}
	})
}

// A list is valid JSON of as many elements, whatever the pages hold.
func FuzzJoin(f *testing.F) {
	f.Add(`{"a":[1,{"a":[2]}]}`, `{"x":"]","a":[ ]}`, 1)
	f.Add(`{"a":["\"",null]}`, `{"a":[[[]]] , "a":[1]}`, 0)
	g := newPager(f, plan.Pagination{Style: "cursor", Items: []string{"a"}, Next: []string{"a", "[-1]", "id"}})
	f.Fuzz(func(t *testing.T, one, two string, skip int) {
		var l List
		for _, body := range []string{one, two} {
			if !jsontext.Value(body).IsValid() {
				return
			}
			p, err := g.Read(jsontext.Value(body), nil, Place{}, parseURL(t, "http://x/"), "")
			if err != nil {
				return
			}
			l.Add(p, max(skip, 0), 0)
		}
		v := l.Value()
		p, err := g.Read(v, nil, Place{}, parseURL(t, "http://x/"), "")
		if !v.IsValid() || err != nil || p.Len() != l.Len() {
			t.Fatalf("%s and %s gave %s: %v", one, two, v, err)
		}
	})
}

// BenchmarkJoin reads and joins five pages of a hundred items.
func BenchmarkJoin(b *testing.B) {
	var page strings.Builder
	page.WriteString(`{"meta":{"page":1},"data":[`)
	for i := range 100 {
		if i > 0 {
			page.WriteByte(',')
		}
		fmt.Fprintf(&page, `{"id":%d,"name":"item %d","tags":["a","b"],"price":{"amount":"12.50","currency":"EUR"}}`, i, i)
	}
	page.WriteString(`]}`)
	body := jsontext.Value(page.String())
	g := newPager(b, plan.Pagination{Style: "page", Items: []string{"data"}, Size: 100, HasMore: []string{"meta", "more"}})
	u := parseURL(b, "http://x/")
	b.SetBytes(5 * int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var l List
		for range 5 {
			p, err := g.Read(body, nil, Place{At: "1"}, u, "")
			if err != nil {
				b.Fatal(err)
			}
			l.Add(p, 0, 0)
		}
		if l.Value(); l.Len() != 500 {
			b.Fatal(l.Len())
		}
	}
}
