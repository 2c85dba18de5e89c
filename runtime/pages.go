package runtime

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/paging"
	"github.com/mcpc-dev/mcpc/runtime/internal/progress"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// nextCursor is the member of _meta that holds a cursor.
const nextCursor = "mcpc/nextCursor"

// pager is how the pages of a tool's list are asked for.
type pager struct {
	*paging.Pager
	base *url.URL // of the tool's requests; nil when it is not known
	path string   // of base, encoded, without a slash at the end
}

func newPager(t *tool) (*pager, error) {
	var secret []string
	for _, c := range t.upstream.Credentials {
		if c.In == "query" {
			secret = append(secret, c.Param)
		}
	}
	g, err := paging.New(t.plan.Name, *t.plan.Pagination, secret)
	if err != nil {
		return nil, err
	}
	p := &pager{Pager: g}
	base := t.plan.Request.Server
	if base == "" {
		base = t.upstream.BaseURL
	}
	if p.base, err = url.Parse(base); err != nil {
		return nil, errors.New("pagination: the base URL is none")
	}
	p.path = strings.TrimSuffix(p.base.EscapedPath(), "/")
	return p, nil
}

// place is where a call begins: at the first page, or where its cursor says.
func (p *pager) place(a args.Args) (paging.Place, error) {
	cursor, _ := a.Values[p.Input].(string)
	if cursor == "" {
		return p.First(), nil
	}
	at, err := p.Open(cursor, a)
	if err == nil && p.ByAddress() {
		_, err = p.Address(at, p.base, p.path)
	}
	if err != nil {
		return at, fmt.Errorf("the argument %s cannot be used: %w", p.Input, err)
	}
	return at, nil
}

// vars are what the request of a page takes its place from.
func (p *pager) vars(at paging.Place) map[string]any {
	return map[string]any{plan.PageVar: p.Value(at)}
}

// pages fetches pages of the list a tool returns, and makes them one result.
func (b *Bridge) pages(ctx context.Context, k *Call) *Result {
	t := k.tool
	g := t.pager
	at, err := g.place(k.args)
	if err != nil {
		return badArguments(sentence(err.Error()))
	}
	ctx, cancel := context.WithTimeout(ctx, t.client.Timeout())
	defer cancel()
	if g.MaxPages > 1 {
		progress.Report(ctx, 0, g.MaxPages, "")
	}
	var (
		list paging.List
		last *upstream.Answer
		by   *sending     // what it answered
		rest paging.Place // where to go on, when more
		more bool
		note string

		remarks []string // about the decoding of pages
	)
	list.Visit(at)
	for {
		page, s, failure := b.page(ctx, k, at)
		if failure != nil {
			if list.Pages() == 0 || ctx.Err() == context.Canceled {
				return failure
			}
			what, _, _ := strings.Cut(failure.Content[0].Text, "\n")
			note = "The next page could not be had: " + strings.TrimSuffix(result.Shorten(what, 500), ".") + "."
			rest, more = at, true
			break
		}
		if list.Repeats(page) {
			note = "The upstream answered the next page with the same items once more; they are here once, and the list ends with them."
			break
		}
		took := list.Add(page, at.Skip, g.room(&list))
		last, by = k.answer, s
		for _, r := range page.Remarks {
			if !slices.Contains(remarks, r) {
				remarks = append(remarks, r)
			}
		}
		if at.Skip+took < page.Len() {
			rest, more = paging.Place{At: at.At, Skip: at.Skip + took}, true
			break
		}
		if note = page.Stopped; note != "" || !page.More {
			break
		}
		if !list.Visit(page.Next) {
			note = "The upstream names a page as the next one that has been there before; the list ends here."
			break
		}
		if page.Len() == 0 {
			note = "The upstream says that there is more, but its page is empty."
			rest, more = page.Next, true
			break
		}
		if list.Pages() == g.MaxPages || g.MaxItems > 0 && list.Len() >= g.MaxItems || int64(list.Size()) >= last.Limit {
			rest, more = page.Next, true
			break
		}
		progress.Report(ctx, list.Pages(), g.MaxPages, fmt.Sprintf("page %d of at most %d, %s so far", list.Pages(), g.MaxPages, count(list.Len(), "item")))
		at = page.Next
	}
	res := by.decoder.Shape(ctx, last, list.Value(), k.args.Values)
	if res.IsError {
		return res
	}
	for _, r := range remarks {
		res.Add(r)
	}
	stale(res, last)
	cursor := ""
	if more {
		cursor = g.Cursor(rest, k.args)
		if note == "" {
			note = "There is more."
		}
		note += fmt.Sprintf(" Fetched: %s of %s. To get the rest, call again with the same arguments and %s %q.", count(list.Len(), "item"), count(list.Pages(), "page"), g.Input, cursor)
		res.SetMeta(nextCursor, cursor)
	}
	if note != "" {
		res.Add(note)
	}
	if g.Member != "" {
		res.Structured = withCursor(res.Structured, g.Member, cursor)
	}
	b.observe(ctx, t, res)
	return res
}

// room is how many items a call may still take; 0 is no limit.
func (p *pager) room(list *paging.List) int {
	if p.MaxItems == 0 {
		return 0
	}
	return p.MaxItems - list.Len()
}

// page fetches and reads one page. A result says why that cannot be; of the first
// page it may also be what there is instead of a list.
func (b *Bridge) page(ctx context.Context, k *Call, at paging.Place) (*paging.Page, *sending, *Result) {
	t, g := k.tool, k.tool.pager
	s, req, err := b.request(ctx, k, g.vars(at))
	if err != nil {
		return nil, nil, b.refused(ctx, t, err)
	}
	if g.ByAddress() && at.At != "" {
		if err := g.move(req, at); err != nil {
			return nil, nil, badArguments(sentence(err.Error()))
		}
	}
	address := *req.URL
	before := k.answer
	if err := b.do(ctx, k, req, s); err != nil {
		k.answer = before // of the page before
		return nil, nil, b.refused(ctx, t, err)
	}
	a := k.answer
	defer k.lap(observe.Shape)
	v, remarks, ok := s.decoder.Value(ctx, a, k.args.Values)
	if !ok {
		return nil, nil, s.decoder.Result(ctx, a, k.args.Values)
	}
	page, err := g.Read(v, a.Header, at, &address, g.path)
	if err != nil {
		b.log.WarnContext(ctx, "an answer has no list to paginate", "tool", t.plan.Name, "items", strings.Join(g.Items, "."), "error", err)
		return nil, nil, s.decoder.Result(ctx, a, k.args.Values)
	}
	page.Remarks = remarks
	return page, s, nil
}

// move sends a request to the address of a page.
func (p *pager) move(req *request.Request, at paging.Place) error {
	target, err := p.Address(at, p.base, p.path)
	if err != nil {
		return err
	}
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("the address of the page cannot be read")
	}
	moved := *req.URL
	moved.Path, moved.RawPath, moved.RawQuery = u.Path, u.RawPath, u.RawQuery
	req.URL = &moved
	return nil
}

// withCursor sets a member of an object to the cursor, or to null where the
// upstream's own would be misunderstood: no cursor but ours can be given back.
func withCursor(object jsontext.Value, member, cursor string) jsontext.Value {
	if len(object) < 2 {
		return object
	}
	value := []byte("null")
	if cursor != "" {
		value = result.AppendString(nil, cursor)
	}
	if start, end, ok := paging.Member(object, member); ok {
		out := append(make([]byte, 0, len(object)+len(value)), object[:start]...)
		return append(append(out, value...), object[end:]...)
	}
	if cursor == "" {
		return object
	}
	end := len(object) - 1
	out := append(make([]byte, 0, len(object)+len(member)+len(value)+4), object[:end]...)
	if !paging.Empty(object) {
		out = append(out, ',')
	}
	return append(append(append(result.AppendString(out, member), ':'), value...), '}')
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
