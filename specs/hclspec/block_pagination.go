package hclspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// paginationStyles are the labels of a pagination block.
var paginationStyles = []string{"page", "offset", "cursor", "link_header", "next_url"}

// Bounds of what one call may ask an upstream for.
const (
	maxCallPages = 100
	maxCallItems = 10_000
)

// paginationBlock is the block of a tool, or that of an API.
func paginationBlock(ofTool bool) *block {
	b := &block{
		name: "pagination", label: "style", labels: paginationStyles, once: ofTool,
		labelDoc: "how the pages of a list are asked for: `page` counts pages, `offset` counts items, `cursor` sends a word that the answer before held, `link_header` follows the link with `rel=\"next\"` of the Link header (RFC 8288), `next_url` an address in the answer",
		example: `api "shop" { base_url = "https://shop.example" }

tool "list_orders" {
  description = "All orders, newest first."

  request "GET" "/orders" {}

  pagination "page" {
    param      = "page"
    size_param = "per_page"
    size       = 100
    items      = "orders"
    max_pages  = 3
  }
}`,
		doc: "How a list that comes in pages is put together. In the mode `auto` a call fetches pages one after the other, up to `max_pages` and `max_items`, and the tool returns the items as one list; clients that want to hear of it get a progress note for each page. In the mode `model` a call fetches one page. " +
			"Either way, where there is more the result says so, with a cursor (a note, `next_cursor` of the structured content and `mcpc/nextCursor` of `_meta`), and the same call with the argument `cursor` goes on there; the tool's description says which of the two it does. The parameters that ask for pages are hidden from the model.\n\n" +
			"What follows the list in an answer is that of the last page. When a page cannot be had, the result is what came before it, with a note and a cursor. The list ends where the upstream repeats a page or names one that was there before. Addresses of pages are followed only with the scheme, host and base path of the tool's own requests.",
		attrs: []attr{
			{name: "param", kind: textKind, doc: "the parameter that asks for a page: its number, offset or cursor; in a derived tool also a field of the body, `body.page`. With `link_header` and `next_url`, a parameter that the address makes needless", example: `param = "page"`,
				set: into(func(t *specs.Pagination, s *setting) { t.Param = s.text })},
			{name: "size_param", kind: textKind, doc: "the parameter that says how many items a page has", example: `size_param = "per_page"`,
				set: into(func(t *specs.Pagination, s *setting) { t.SizeParam = s.text })},
			{name: "size", kind: integerKind, standard: "what the service does", doc: "items of a page, sent as `size_param`. A page with fewer is the last one where nothing else says so, so it must be a size the service accepts", example: "size = 100",
				set: bounded("size", func(t *specs.Pagination) **specs.Count { return &t.Size }, 1, maxCallItems)},
			{name: "start", kind: integerKind, standard: "1 for `page`, 0 for `offset`", doc: "number of the first page, or offset of the first item", example: "start = 0",
				set: bounded("start", func(t *specs.Pagination) **specs.Count { return &t.Start }, 0, 1<<30)},
			{name: "items", kind: textKind, standard: "the answer is the list", doc: "where the list is in the answer", example: `items = "data.orders"`,
				set: answerPath("items", func(t *specs.Pagination) **specs.Path { return &t.Items })},
			{name: "next", kind: textKind, doc: "where the next cursor or address is in the answer; null, empty or missing is the end. `[-1]` is the last item", example: `next = "meta.next_cursor"`,
				set: answerPath("next", func(t *specs.Pagination) **specs.Path { return &t.Next })},
			{name: "next_header", kind: textKind, doc: "the header that has it instead", example: `next_header = "X-Next-Cursor"`,
				check: func(s string) (string, string) {
					if !isToken(s) {
						return fmt.Sprintf("cannot be %q", s), "names of headers are letters, digits and -"
					}
					return "", ""
				},
				set: into(func(t *specs.Pagination, s *setting) { t.NextHeader = s.text })},
			{name: "total", kind: textKind, doc: "where the answer says how many items there are in all", example: `total = "meta.total"`,
				set: answerPath("total", func(t *specs.Pagination) **specs.Path { return &t.Total })},
			{name: "total_pages", kind: textKind, doc: "where it says how many pages there are", example: `total_pages = "meta.pages"`,
				set: answerPath("total_pages", func(t *specs.Pagination) **specs.Path { return &t.Pages })},
			{name: "has_more", kind: textKind, doc: "where it says whether there is more", example: `has_more = "has_more"`,
				set: answerPath("has_more", func(t *specs.Pagination) **specs.Path { return &t.HasMore })},
			{name: "mode", kind: textKind, standard: "`\"auto\"`", doc: "`auto` joins pages, `model` returns one page a call", example: `mode = "model"`, words: []string{"auto", "model"},
				set: into(func(t *specs.Pagination, s *setting) { t.Mode = s.text })},
			{name: "max_pages", kind: integerKind, standard: "`5`", doc: "pages of one call, at most 100", example: "max_pages = 3",
				set: bounded("max_pages", func(t *specs.Pagination) **specs.Count { return &t.MaxPages }, 1, maxCallPages)},
			{name: "max_items", kind: integerKind, standard: "`200`", doc: "items of one call, at most 10000", example: "max_items = 100",
				set: bounded("max_items", func(t *specs.Pagination) **specs.Count { return &t.MaxItems }, 1, maxCallItems)},
		},
		open: func(_ *parser, h *head, _ any) any {
			return &specs.Pagination{Style: h.label(), Range: h.rng}
		},
	}
	if ofTool {
		b.labels = append(slices.Clone(b.labels), "none")
		b.labelDoc += "; `none` sets the API's aside"
		b.attrs = append(b.attrs, attr{name: "in", kind: textKind, standard: "`\"query\"`", doc: "of a tool described by hand: where `param` and `size_param` are sent", example: `in = "form"`, words: []string{"query", "header", "form", "json"},
			set: into(func(t *specs.Pagination, s *setting) { t.In = s.text })})
	} else {
		b.doc = "Pagination of all tools made of the document's operations that have these parameters, GET and QUERY only; with `link_header` or `next_url` and no parameter named, of all whose answer has a list at `items`. Of several blocks the first that fits an operation counts, and a `pagination` block of a tool comes first. See there for what it does."
		b.example = `api "gh" {
  openapi = "github.yaml"
  expose {}
  pagination "link_header" {
    param      = "page"
    size_param = "per_page"
    size       = 100
  }
}`
	}
	b.close = func(p *parser, h *head, parent, target any) {
		t := target.(*specs.Pagination)
		sound := p.checkPagination(h, t)
		switch parent := parent.(type) {
		case *specs.Tool:
			parent.Pagination = t
		case *apiTarget:
			parent.expose = append(parent.expose, h.rng)
			if sound {
				parent.api.Paginations = append(parent.api.Paginations, t)
			}
		}
	}
	return b
}

// bounded sets a number within bounds.
func bounded(name string, of func(*specs.Pagination) **specs.Count, least, most int) func(*parser, any, *setting) {
	return func(p *parser, target any, s *setting) {
		if s.number < least || s.number > most {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%s cannot be %d", name, s.number), Hint: fmt.Sprintf("use %d to %d", least, most), Range: s.rng})
			return
		}
		*of(target.(*specs.Pagination)) = &specs.Count{Value: s.number, Range: s.rng}
	}
}

// answerPath sets a path into an answer: one of a response block, and [-1] for the
// last element of a list.
func answerPath(name string, of func(*specs.Pagination) **specs.Path) func(*parser, any, *setting) {
	return func(p *parser, target any, s *setting) {
		out := &specs.Path{Range: s.rng}
		whole := *s.text
		for i, part := range strings.Split(whole.Value, specs.LastItem) {
			if i > 0 {
				out.Steps = append(out.Steps, specs.PathStep{Name: specs.LastItem})
				part = strings.TrimPrefix(part, ".")
			}
			if part == "" && whole.Value != "" {
				continue
			}
			text := specs.Text{Value: part, Range: whole.Range}
			path, ok := p.path(name, text, false)
			if !ok {
				return
			}
			out.Steps = append(out.Steps, path.Steps...)
		}
		*of(target.(*specs.Pagination)) = out
	}
}

// checkPagination checks that what is written goes with the style.
func (p *parser) checkPagination(h *head, t *specs.Pagination) bool {
	before := len(p.diags)
	style := t.Style.Value
	needs := func(names ...string) {
		if h.broken {
			return
		}
		for _, n := range names {
			if _, ok := h.seen[n]; ok {
				return
			}
		}
		var quoted []string
		for _, n := range names {
			quoted = append(quoted, strconv.Quote(n))
		}
		example := map[string]string{"param": `param = "page"`, "next": `next = "next_cursor"`}[names[0]]
		if style == "cursor" && names[0] == "param" {
			example = `param = "cursor"`
		}
		p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("%s needs the attribute %s", h.title(), strings.Join(quoted, " or ")), Hint: "add " + example, Range: h.rng})
	}
	where := "with " + h.title()
	not := func(hint string, names ...string) {
		for _, n := range names {
			if at, ok := h.seen[n]; ok {
				p.add(diag.Diagnostic{Code: "does-not-apply", Message: n + " means nothing " + where, Hint: hint, Range: at})
			}
		}
	}
	counted := "it belongs to the styles page and offset"
	switch style {
	case "page":
		needs("param")
		not("it belongs to the styles cursor and next_url", "next", "next_header")
	case "offset":
		needs("param")
		not("it belongs to the styles cursor and next_url", "next", "next_header")
		not("it belongs to the style page", "total_pages")
	case "cursor":
		needs("param")
		needs("next", "next_header")
		not(counted, "start", "total", "total_pages")
	case "link_header":
		not("the Link header says it", "next", "next_header")
		not(counted, "start", "total", "total_pages")
	case "next_url":
		needs("next", "next_header")
		not(counted, "start", "total", "total_pages")
	case "none":
		var names []string
		for n := range h.seen {
			names = append(names, n)
		}
		slices.Sort(names)
		not("remove it, or choose a style", names...)
	}
	if t.Next != nil && t.NextHeader != nil && style != "link_header" {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "the next page is looked for in two places, next and next_header", Hint: "keep one of the two", Range: h.seen["next_header"]})
	}
	if t.Mode != nil && t.Mode.Value == "model" {
		where = "in the mode model"
		not("a call returns one page there, whole", "max_pages", "max_items")
	}
	if t.Param != nil && t.SizeParam != nil && t.Param.Value == t.SizeParam.Value {
		p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("param and size_param are both %q", t.Param.Value), Hint: "the one says which page, the other how many items it has", Range: t.SizeParam.Range})
	}
	if _, ok := h.seen["size_param"]; t.Size != nil && !ok && style != "none" && !h.broken {
		p.add(diag.Diagnostic{Severity: diag.Warning, Code: "missing-attribute", Message: "size is not sent: nothing says which parameter takes it", Hint: `add size_param = "per_page"; without it, size only says which page is the last`, Range: t.Size.Range})
	}
	return !h.failed && !p.diags[before:].HasErrors()
}
