package response

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// html delivers a page as the Markdown of its main part. What calls itself HTML
// and has no tag at its beginning is text, and often JSON.
func (d *Decoder) html(b *body) *result.Result {
	if d.forced == unknown && looksJSON(b.bytes) {
		if d.wantsJSON {
			if v, err := readJSON(b); err == nil {
				return d.deliver(b, v)
			}
		}
		return d.plain(b)
	}
	doc := parseHTML(b)
	if doc == nil {
		return d.plain(b)
	}
	part := mainPart(doc)
	if d.main != "" {
		if chosen := find(doc, selector(d.main)); chosen != nil {
			part = chosen
		} else {
			b.remark(fmt.Sprintf("The page has no %s, the part that was to be shown; this is all of it.", d.main))
		}
	}
	res := d.words(b, markdown(doc, part))
	if res.IsError {
		return res
	}
	if b.cut || len(b.bytes) > maxHTML {
		d.note(b, res, "")
	}
	b.remarks(res)
	return res
}

// mainPart is what a page says is its main part, else its body.
func mainPart(doc *html.Node) *html.Node {
	for _, is := range []func(*html.Node) bool{
		func(n *html.Node) bool { return n.Data == "main" || attribute(n, "role") == "main" },
		func(n *html.Node) bool { return n.Data == "body" },
	} {
		if part := find(doc, is); part != nil {
			return part
		}
	}
	return doc
}

// selector tells the elements of a tag, #id or .class.
func selector(s string) func(*html.Node) bool {
	switch name := s[1:]; s[0] {
	case '#':
		return func(n *html.Node) bool { return attribute(n, "id") == name }
	case '.':
		return func(n *html.Node) bool { return slices.Contains(strings.Fields(attribute(n, "class")), name) }
	}
	s = strings.ToLower(s)
	return func(n *html.Node) bool { return n.Data == s }
}

// parseHTML reads a page; nil when it is nested too deeply.
func parseHTML(b *body) *html.Node {
	encoding := ""
	if b.charset == "" {
		var certain bool
		if _, encoding, certain = charset.DetermineEncoding(b.bytes, "text/html; charset="+b.media.charset); !certain && encoding == "windows-1252" {
			encoding = "" // a guess
		}
	}
	text := b.utf8(encoding)
	doc, err := html.Parse(bytes.NewReader(text[:min(len(text), maxHTML)]))
	if err != nil {
		return nil
	}
	return doc
}

// What is converted to Markdown at most; the converter's work grows faster than
// its input. Larger or stranger pages become plain text.
const (
	maxNodes   = 20000 // of a page, after pruning
	maxText    = 1 << 19
	maxNesting = 16   // of lists and quotes, which are indented line by line
	maxColumns = 64   // of a table, whose rows are all as wide as the widest
	maxSpanned = 2000 // cells that others cover, in all
)

// markdown converts a part of a page.
func markdown(doc, part *html.Node) string {
	title := strings.Join(strings.Fields(plainText(find(doc, func(n *html.Node) bool { return n.Data == "title" }))), " ")
	prune(part)
	text := ""
	if convertible(part) {
		// The converter takes a document.
		whole := part
		if part.Type != html.DocumentNode {
			whole = &html.Node{Type: html.DocumentNode}
			part.Parent.RemoveChild(part)
			whole.AppendChild(part)
		}
		// A model reads an asterisk as an asterisk: nothing is escaped.
		conv := converter.NewConverter(converter.WithEscapeMode(converter.EscapeModeDisabled),
			converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal))))
		if out, err := conv.ConvertNode(whole); err == nil {
			text = strings.TrimSpace(string(out))
		}
	}
	if text == "" {
		text = plainText(part)
	}
	if title != "" && !strings.Contains(text, title) {
		text = strings.TrimSpace("# " + title + "\n\n" + text)
	}
	return text
}

// convertible tells whether a part of a page is within the bounds.
func convertible(part *html.Node) bool {
	nodes, text, spanned := 0, 0, 0
	var within func(n *html.Node, nesting int) bool
	within = func(n *html.Node, nesting int) bool {
		nodes++
		text += len(n.Data)
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "ul" || n.Data == "ol" || n.Data == "blockquote" || n.Data == "dl" || n.Data == "table":
			nesting++
		case n.Data == "td" || n.Data == "th":
			spanned += span(n, "colspan")*span(n, "rowspan") - 1
		}
		if nodes > maxNodes || text > maxText || nesting > maxNesting || spanned > maxSpanned {
			return false
		}
		children := 0
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode {
				children++
			}
			if !within(c, nesting) {
				return false
			}
		}
		return n.Data != "tr" || children <= maxColumns
	}
	return within(part, 0)
}

// span is how many rows or columns a cell covers.
func span(n *html.Node, key string) int {
	v, err := strconv.Atoi(strings.TrimSpace(attribute(n, key)))
	if err != nil {
		return 1
	}
	return min(max(v, 1), maxSpanned+1)
}

// prune removes what is not part of what a page says.
func prune(n *html.Node) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if c.Type == html.ElementNode && (slices.Contains([]string{
			"script", "style", "noscript", "template", "nav", "footer", "aside", "iframe", "svg", "canvas", "dialog", "button", "input", "select",
		}, c.Data) || hidden(c)) {
			n.RemoveChild(c)
		} else {
			if c.Data == "img" && strings.HasPrefix(strings.TrimSpace(attribute(c, "src")), "data:") {
				// A picture inside of its address is bytes nobody reads.
				c.Type, c.Data, c.Attr = html.TextNode, attribute(c, "alt"), nil
			}
			prune(c)
		}
		c = next
	}
}

func hidden(n *html.Node) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool {
		return a.Key == "hidden" || a.Key == "aria-hidden" && a.Val == "true"
	})
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func find(n *html.Node, is func(*html.Node) bool) *html.Node {
	if n.Type == html.ElementNode && is(n) {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if found := find(c, is); found != nil {
			return found
		}
	}
	return nil
}

// plainText is the text of a page without any marks, in lines where blocks end.
func plainText(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	line := false // something is on the current one
	space := false
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			for word := range strings.FieldsSeq(n.Data) {
				if first, _ := utf8.DecodeRuneInString(n.Data); line && (space || unicode.IsSpace(first)) {
					b.WriteByte(' ')
				}
				b.WriteString(word)
				line, space = true, true
			}
			last, _ := utf8.DecodeLastRuneInString(n.Data)
			space = unicode.IsSpace(last) || n.Data == "" && space
			return
		}
		if n.Type == html.ElementNode && slices.Contains([]string{"script", "style", "noscript", "template", "svg"}, n.Data) {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "td" || n.Data == "th":
			space = true
		case slices.Contains([]string{
			"title", "p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "section", "article", "header", "footer", "dt", "dd", "blockquote", "table", "ul", "ol",
		}, n.Data):
			if line {
				b.WriteByte('\n')
			}
			line, space = false, false
		}
	}
	walk(n)
	return strings.TrimSpace(b.String())
}
