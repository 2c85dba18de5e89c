package response

import (
	"bytes"
	"slices"
	"strings"

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
			if res := d.tryJSON(b); res != nil {
				return res
			}
		}
		return d.plain(b)
	}
	doc := parseHTML(b)
	if doc == nil {
		return d.plain(b)
	}
	text, ok := markdown(doc)
	if !ok {
		return d.plain(b)
	}
	res := d.text(nil, text)
	if b.cut || len(b.bytes) > maxHTML {
		d.note(b, res, "")
	}
	return res
}

// parseHTML reads a page; nil when it is nested too deeply.
func parseHTML(b *body) *html.Node {
	_, encoding, certain := charset.DetermineEncoding(b.bytes, "text/html; charset="+b.media.charset)
	if !certain && encoding == "windows-1252" {
		encoding = "" // a guess
	}
	text := b.utf8(encoding)
	doc, err := html.Parse(bytes.NewReader(text[:min(len(text), maxHTML)]))
	if err != nil {
		return nil
	}
	return doc
}

// markdown converts the main part of a page.
func markdown(doc *html.Node) (string, bool) {
	title := strings.Join(strings.Fields(plainText(find(doc, func(n *html.Node) bool { return n.Data == "title" }))), " ")
	part := find(doc, func(n *html.Node) bool { return n.Data == "main" || attribute(n, "role") == "main" })
	if part == nil {
		if part = find(doc, func(n *html.Node) bool { return n.Data == "body" }); part == nil {
			part = doc
		}
	}
	prune(part)
	// The converter takes a document.
	whole := &html.Node{Type: html.DocumentNode}
	if part.Parent != nil {
		part.Parent.RemoveChild(part)
	}
	if part.Type == html.DocumentNode {
		whole = part
	} else {
		whole.AppendChild(part)
	}
	conv := converter.NewConverter(converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin()))
	out, err := conv.ConvertNode(whole)
	if err != nil {
		return "", false
	}
	text := strings.TrimSpace(string(out))
	if title != "" && !strings.Contains(text, title) {
		text = strings.TrimSpace("# " + title + "\n\n" + text)
	}
	return text, true
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

// plainText is the text of a page without any marks.
func plainText(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
			return
		}
		if n.Type == html.ElementNode && slices.Contains([]string{"script", "style", "noscript", "template", "svg"}, n.Data) {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if n.Type == html.ElementNode {
			b.WriteByte(' ')
		}
	}
	walk(n)
	return b.String()
}
