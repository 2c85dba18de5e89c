// Package paging puts a list together from the pages an upstream cuts it into.
//
// It is pure: it reads what one answer says about the list ([Pager.Read]), joins
// elements without changing a byte of them ([List]), and writes and reads the
// cursors that clients are given. Who fetches the pages is its caller's matter.
//
// What an upstream says about the next page is not trusted. The address of a page
// never leaves the scheme, host and base path of the tool's own requests, and a
// page that has been there before ends the list.
package paging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// maxPlace bounds what an upstream may give as a cursor or an address.
const maxPlace = 4 << 10

// Pager knows how the pages of one tool follow one another. It is safe for
// concurrent use.
type Pager struct {
	plan.Pagination
	tool   string
	secret []string   // query parameters that hold credentials
	paths  [][]string // what is looked for in an answer
	// where in paths; -1 when it is not looked for
	items, next, total, pages, hasMore int
}

// New prepares the pagination of a tool. secret are the names of query parameters
// that hold credentials: an upstream may repeat them in the address of the next
// page, and what a client is given must not hold them. An error is a mistake in
// the plan.
func New(tool string, p plan.Pagination, secret []string) (*Pager, error) {
	g := &Pager{Pagination: p, tool: tool, secret: secret}
	switch p.Style {
	case plan.PageNumber, plan.PageOffset, plan.PageLink:
	case plan.PageCursor, plan.PageURL:
		if len(p.Next) == 0 && p.NextHeader == "" {
			return nil, fmt.Errorf("pagination %s: nothing says where the next page is", p.Style)
		}
	default:
		return nil, fmt.Errorf("pagination style %q is not known", p.Style)
	}
	if p.MaxPages < 1 {
		return nil, errors.New("pagination: a call must be allowed a page")
	}
	want := func(path []string) int {
		if len(path) == 0 {
			return -1
		}
		g.paths = append(g.paths, path)
		return len(g.paths) - 1
	}
	g.items = want(p.Items)
	if g.items < 0 { // the answer is the list
		g.paths = append(g.paths, nil)
		g.items = 0
	}
	g.next, g.total, g.pages, g.hasMore = want(p.Next), want(p.Total), want(p.Pages), want(p.HasMore)
	return g, nil
}

// Place is where a page begins. The zero value is the first page.
type Place struct {
	// At is the number, offset or cursor as JSON; of a page with an address, that
	// as a JSON string, from the base path on.
	At string
	// Skip is how many elements of the page have been delivered already.
	Skip int
}

// First is the place of the first page.
func (g *Pager) First() Place {
	if g.Style == plan.PageNumber || g.Style == plan.PageOffset {
		return Place{At: strconv.Itoa(g.Start)}
	}
	return Place{}
}

// Value is what [plan.PageVar] is for a page: nil for the first of which nothing
// is known, and for pages with an address.
func (g *Pager) Value(p Place) any {
	if p.At == "" || g.ByAddress() {
		return nil
	}
	v, err := args.Value([]byte(p.At))
	if err != nil {
		return nil
	}
	return v
}

// Page is what one answer says about a list.
type Page struct {
	value      jsontext.Value
	start, end int   // of the list in value, brackets included
	ends       []int // of its elements, in value
	begins     []int

	Next Place // of the page after this one, when there is More
	More bool
	// Stopped says in a sentence why the list ends here although the upstream says
	// there is more; "" mostly.
	Stopped string
	// Remarks are what was to be said about the decoding of the answer.
	Remarks []string
}

// Len is the number of elements of the page.
func (p *Page) Len() int { return len(p.ends) }

// ErrNoList says that an answer has no list where there should be one.
var ErrNoList = errors.New("there is no list")

// Read finds the list in a decoded answer, and where the next page is. at is the
// place that was asked for, with the address and base path it had.
func (g *Pager) Read(v jsontext.Value, h http.Header, at Place, address *url.URL, basePath string) (*Page, error) {
	found := make([]span, len(g.paths))
	if err := find(v, g.paths, found); err != nil {
		return nil, err
	}
	p := &Page{value: v}
	list := found[g.items]
	switch {
	case list.end > list.start && v[list.start] == '[':
		p.start, p.end = list.start, list.end
		if err := p.elements(); err != nil {
			return nil, err
		}
	case list.end > list.start && string(v[list.start:list.end]) == "null":
		// Some say null for an empty list.
		p.start, p.end = list.start, list.end
	default:
		return nil, ErrNoList
	}
	value := func(i int) jsontext.Value {
		if i < 0 {
			return nil
		}
		return v[found[i].start:found[i].end]
	}
	total, hasTotal := integer(value(g.total))
	pages, hasPages := integer(value(g.pages))
	more, said := truth(value(g.hasMore))
	switch g.Style {
	case plan.PageNumber, plan.PageOffset:
		n, ok := integer(jsontext.Value(at.At))
		if !ok {
			return nil, fmt.Errorf("the place %.40q is no number", at.At)
		}
		step, before := 1, (n-g.Start)*g.Size
		if g.Style == plan.PageOffset {
			step, before = p.Len(), n-g.Start
		}
		p.Next = Place{At: strconv.Itoa(n + step)}
		switch {
		case p.Len() == 0:
		case said:
			p.More = more
		case hasPages:
			p.More = g.Style == plan.PageNumber && n-g.Start+1 < pages
		case hasTotal && (g.Size > 0 || g.Style == plan.PageOffset || n == g.Start):
			p.More = before+p.Len() < total
		default:
			// A page that is not full is the last; without a size only an empty one is.
			p.More = g.Size == 0 || p.Len() >= g.Size
		}
	case plan.PageCursor:
		next := value(g.next)
		if g.next < 0 {
			next = headerValue(h, g.NextHeader)
		}
		if place, ok := cursorPlace(next); ok && (!said || more) {
			p.Next, p.More = place, true
		}
	default:
		target := ""
		switch {
		case g.Style == plan.PageLink:
			target = NextLink(h["Link"], address)
		case g.next < 0:
			target = h.Get(g.NextHeader)
		default:
			if next := value(g.next); next.Kind() == '"' {
				b, _ := jsontext.AppendUnquote(nil, next) // it was read already
				target = string(b)
			}
		}
		if target == "" || said && !more {
			break
		}
		path, err := g.addressWithin(target, address, basePath)
		if err != nil {
			p.Stopped = "The address the upstream gives for the next page is not followed: " + err.Error() + "."
			break
		}
		at, _ := jsontext.AppendQuote(nil, path)
		p.Next, p.More = Place{At: string(at)}, true
	}
	return p, nil
}

// Address is the path and query of a page with an address, without the host;
// "" when the place has none. It is checked as if the upstream had said it, for
// the cursor it comes from may be forged.
func (g *Pager) Address(p Place, base *url.URL, basePath string) (string, error) {
	if p.At == "" {
		return "", nil
	}
	b, err := jsontext.AppendUnquote(nil, p.At)
	if err != nil {
		return "", errors.New("it is no address")
	}
	return g.addressWithin(string(b), base, basePath)
}

// elements finds the borders of the list's elements.
func (p *Page) elements() error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(p.value[p.start:p.end:p.end]), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		end := p.start + int(dec.InputOffset())
		p.begins = append(p.begins, end-len(v))
		p.ends = append(p.ends, end)
	}
	return nil
}

// same reports whether two pages hold the same, not empty list.
func (p *Page) same(q *Page) bool {
	return p.Len() > 0 && p.Len() == q.Len() && bytes.Equal(p.value[p.start:p.end], q.value[q.start:q.end])
}

// span is a part of a text.
type span struct{ start, end int }

// find looks for the values at paths, in one pass. found has the span of each;
// an empty one where there is nothing.
func find(v jsontext.Value, paths [][]string, found []span) error {
	f := finder{paths: paths, found: found}
	f.dec = jsontext.NewDecoder(bytes.NewBuffer(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	live := make([]int, 0, len(paths))
	for i := range paths {
		live = append(live, i)
	}
	return f.value(live, 0)
}

type finder struct {
	dec   *jsontext.Decoder
	paths [][]string
	found []span
}

// value reads one value; live are the paths that lead to it or through it, depth
// how many of their steps were taken.
func (f *finder) value(live []int, depth int) error {
	kind := f.dec.PeekKind()
	through := false
	for _, i := range live {
		if len(f.paths[i]) > depth {
			through = true
		}
	}
	start := -1
	var err error
	switch {
	case !through || kind != '{' && kind != '[':
		var v jsontext.Value
		if v, err = f.dec.ReadValue(); err == nil {
			start = int(f.dec.InputOffset()) - len(v)
		}
	case kind == '{':
		if _, err = f.dec.ReadToken(); err != nil {
			return err
		}
		start = int(f.dec.InputOffset()) - 1
		for f.dec.PeekKind() != '}' {
			name, err := f.dec.ReadValue()
			if err != nil {
				return err
			}
			key, err := jsontext.AppendUnquote(nil, name)
			if err != nil && len(key) == 0 {
				return err
			}
			if err := f.step(live, depth, string(key)); err != nil {
				return err
			}
		}
		_, err = f.dec.ReadToken()
	default:
		if _, err = f.dec.ReadToken(); err != nil {
			return err
		}
		start = int(f.dec.InputOffset()) - 1
		for f.dec.PeekKind() != ']' {
			// Every element may be the last: what it yields replaces what came before.
			f.forget(live, depth)
			if err := f.step(live, depth, plan.LastItem); err != nil {
				return err
			}
		}
		_, err = f.dec.ReadToken()
	}
	if err != nil {
		return err
	}
	for _, i := range live {
		if len(f.paths[i]) == depth {
			f.found[i] = span{start, int(f.dec.InputOffset())}
		}
	}
	return nil
}

// step reads a member or element.
func (f *finder) step(live []int, depth int, name string) error {
	var inner []int
	for _, i := range live {
		if len(f.paths[i]) > depth && f.paths[i][depth] == name {
			inner = append(inner, i)
		}
	}
	if inner == nil {
		return f.dec.SkipValue()
	}
	return f.value(inner, depth+1)
}

func (f *finder) forget(live []int, depth int) {
	for _, i := range live {
		if len(f.paths[i]) > depth {
			f.found[i] = span{}
		}
	}
}

// integer is a whole number from 0, also one that is written as text.
func integer(v jsontext.Value) (int, bool) {
	s := string(v)
	if v.Kind() == '"' {
		s = strings.Trim(s, `"`)
	}
	n, err := strconv.ParseInt(s, 10, 63)
	return int(n), err == nil && n >= 0
}

// truth is a boolean, also one that is written as text or a number.
func truth(v jsontext.Value) (value, said bool) {
	switch strings.ToLower(strings.Trim(string(v), `"`)) {
	case "true", "1", "yes", "y":
		return true, true
	case "false", "0", "no", "n", "null":
		return false, true
	}
	return false, false
}

func headerValue(h http.Header, name string) jsontext.Value {
	s := h.Get(name)
	if s == "" {
		return nil
	}
	b, _ := jsontext.AppendQuote(nil, s)
	return b
}

// cursorPlace is the place a cursor stands for; an empty one, null, false and 0
// are none.
func cursorPlace(v jsontext.Value) (Place, bool) {
	if len(v) > maxPlace {
		return Place{}, false
	}
	switch v.Kind() {
	case '"':
		return Place{At: string(v)}, string(v) != `""`
	case '0':
		return Place{At: string(v)}, string(v) != "0" && json.Valid(v)
	}
	return Place{}, false
}

// addressWithin is the path and query of an address, when it leads to the scheme,
// host and base path of base, which it may be relative to.
func (g *Pager) addressWithin(target string, base *url.URL, basePath string) (string, error) {
	if len(target) > maxPlace {
		return "", fmt.Errorf("it is longer than %d bytes", maxPlace)
	}
	u, err := base.Parse(target)
	if err != nil {
		return "", errors.New("it is no address")
	}
	if u.User != nil || !strings.EqualFold(u.Scheme, base.Scheme) || !strings.EqualFold(hostOf(u), hostOf(base)) {
		return "", errors.New("it leads to another host than the tool's own requests")
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return "", errors.New("its path leads out of where it seems to lead")
		}
	}
	if rest, ok := strings.CutPrefix(path, basePath); !ok || rest != "" && rest[0] != '/' {
		return "", errors.New("it leads out of the base path of the tool's own requests")
	}
	var query []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); pair != "" && (err != nil || !slices.Contains(g.secret, plain)) {
			query = append(query, pair)
		}
	}
	if query != nil {
		path += "?" + strings.Join(query, "&")
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", errors.New("it is no address")
	}
	return path, nil
}

// hostOf is a host with its port, also where that is the scheme's default.
func hostOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return u.Hostname() + ":" + port
}

// List joins the elements of pages.
type List struct {
	text  []byte // the elements, with commas between them; nil while there is one page
	last  *Page
	pages int
	count int
	skip  int // of the first page
	take  int
	seen  []Place
}

// Add appends elements of a page, from skip on and at most limit of them, 0 being
// no limit. It says how many were taken.
func (l *List) Add(p *Page, skip, limit int) int {
	skip = min(skip, p.Len())
	take := p.Len() - skip
	if limit > 0 {
		take = min(take, limit)
	}
	switch l.pages {
	case 0:
		l.skip, l.take = skip, take
	case 1:
		l.join(l.last, l.skip, l.take)
		fallthrough
	default:
		l.join(p, skip, take)
	}
	l.last = p
	l.pages++
	l.count += take
	return take
}

// join copies elements, as they stand between their commas.
func (l *List) join(p *Page, skip, take int) {
	if take == 0 {
		return
	}
	part := p.value[p.begins[skip]:p.ends[skip+take-1]]
	if len(l.text) > 0 {
		l.text = append(l.text, ',')
	}
	l.text = append(slices.Grow(l.text, len(part)), part...)
}

// Pages is the number of pages that were added.
func (l *List) Pages() int { return l.pages }

// Len is the number of elements that were added.
func (l *List) Len() int { return l.count }

// Size is about how many bytes they are.
func (l *List) Size() int {
	if l.pages == 1 {
		return len(l.last.value)
	}
	return len(l.text)
}

// Repeats tells whether a page is the one before once more, which is what servers
// answer that do not know the parameter.
func (l *List) Repeats(p *Page) bool { return l.last != nil && l.last.same(p) }

// Visit tells whether a place is new, and remembers it.
func (l *List) Visit(p Place) bool {
	if slices.Contains(l.seen, p) {
		return false
	}
	l.seen = append(l.seen, p)
	return true
}

// Value is the last page with the whole list in the place of its own: what it says
// beside the list is true of where the list ends. Of one whole page it is the
// answer as it came. It is asked for once, when all pages were added.
func (l *List) Value() jsontext.Value {
	p := l.last
	if l.pages == 1 {
		if l.take == p.Len() {
			return p.value
		}
		l.join(p, l.skip, l.take)
	}
	out := make([]byte, 0, len(p.value)-(p.end-p.start)+len(l.text)+2)
	out = append(append(out, p.value[:p.start]...), '[')
	out = append(append(out, l.text...), ']')
	return append(out, p.value[p.end:]...)
}

// Member is where in an object the value of a member is.
func Member(object jsontext.Value, name string) (start, end int, ok bool) {
	var found [1]span
	if find(object, [][]string{{name}}, found[:]) != nil || found[0].end == 0 {
		return 0, 0, false
	}
	return found[0].start, found[0].end, true
}

// Empty tells whether an object has no members.
func Empty(object jsontext.Value) bool {
	return len(bytes.TrimSpace(object[1:len(object)-1])) == 0
}
