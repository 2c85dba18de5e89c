package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

// width is how wide the show is printed, in columns.
const width = 100

// call is one call of the show and what it is there to show.
type call struct {
	why, tool, arguments string
}

// The calls of the show. The last two go wrong on purpose.
var (
	hclCalls = []call{
		{"a form post to the old half; Latin-1 XML comes back as JSON", "search_orders", `{"customer":"C-10442","status":"open"}`},
		{"a number above 2^53 keeps every digit", "get_order", `{"id":9007199254740993}`},
		{"a picture stays a picture", "get_label", `{"id":9007199254740993}`},
		{"a slow answer is waited for", "monthly_report", `{"month":"2026-11"}`},
		{"wrong arguments never reach the service; the model learns what to repair", "search_orders", `{"customer":"10442","status":"opened"}`},
		{"a failure says what happened and whether to try again", "get_stock", `{"sku":"BOLT-M8"}`},
	}
	openapiCalls = []call{
		{"a list in the query", "listOrders", `{"status":["open","shipped"],"limit":2}`},
		{"the old XML again; the document knows what is a number and what is a list", "searchOrders", `{"body":{"CUSTNO":"C-10442","STAT":"10"}}`},
		{"a JSON body, sent as it was written", "createOrder", `{"body":{"customer":"C-10777","lines":[{"sku":"PLATE-40","quantity":2}]}}`},
	}
)

func heading(w io.Writer, text string) {
	fmt.Fprintf(w, "\n%s\n%s\n\n", text, strings.Repeat("─", len([]rune(text))))
}

// show connects to both servers as a client and prints what it sees.
func show(ctx context.Context, w io.Writer, base string, hcl, openapi *server, log *requestLog) error {
	fmt.Fprintf(w, "An old order system, served as MCP\n\n")
	fmt.Fprintf(w, "  the service   %s\n", base)
	for _, s := range []*server{hcl, openapi} {
		fmt.Fprintf(w, "  MCP server    %s   %2d tools from %s\n", s.url, s.tools, s.spec)
	}
	for _, v := range []struct {
		server *server
		calls  []call
	}{{hcl, hclCalls}, {openapi, openapiCalls}} {
		c, err := client.NewStreamableHttpClient(v.server.url)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := view(ctx, w, c, v.server, v.calls, log); err != nil {
			return fmt.Errorf("%s: %w", v.server.spec, err)
		}
	}
	return nil
}

// view prints the tools of one server and makes the calls.
func view(ctx context.Context, w io.Writer, c *client.Client, s *server, calls []call, log *requestLog) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	var hello mcp.InitializeRequest
	hello.Params.ClientInfo = mcp.Implementation{Name: "orders-show", Version: "1"}
	if _, err := c.Initialize(ctx, hello); err != nil {
		return err
	}
	tools, err := c.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return err
	}
	heading(w, "What a client sees of "+s.spec)
	longest := 0
	for _, t := range tools.Tools {
		longest = max(longest, len(t.Name))
	}
	for _, t := range tools.Tools {
		fmt.Fprintf(w, "  %-*s  %-11s  %s\n", longest, t.Name, kind(t.Annotations), cut(t.Description, width-longest-17))
	}
	for _, k := range calls {
		log.take()
		var request mcp.CallToolRequest
		request.Params.Name = k.tool
		request.Params.Arguments = json.RawMessage(k.arguments)
		begin := time.Now()
		result, err := c.CallTool(ctx, request)
		if err != nil {
			return fmt.Errorf("%s: %w", k.tool, err)
		}
		fmt.Fprintf(w, "\n  %s %s\n", k.tool, k.arguments)
		row(w, "shows", k.why)
		sent := log.take()
		if len(sent) == 0 {
			row(w, "sent", "nothing")
		}
		for _, line := range sent {
			row(w, "sent", line)
		}
		label := "result"
		if result.IsError {
			label = "error"
		}
		if took := time.Since(begin); took > time.Second {
			label = fmt.Sprintf("%s %.0fs", label, took.Seconds())
		}
		for _, content := range result.Content {
			switch content := content.(type) {
			case mcp.TextContent:
				row(w, label, content.Text)
			case mcp.ImageContent:
				row(w, label, fmt.Sprintf("%s, %d characters of base64: %s", content.MIMEType, len(content.Data), cut(content.Data, 40)))
			default:
				row(w, label, fmt.Sprintf("%T", content))
			}
		}
	}
	return nil
}

// kind is a tool's annotations in a word.
func kind(a mcp.ToolAnnotation) string {
	switch {
	case a.ReadOnlyHint != nil && *a.ReadOnlyHint:
		return "reads"
	case a.DestructiveHint != nil && *a.DestructiveHint:
		return "destructive"
	}
	return "writes"
}

// row prints a labelled text, wrapped, at most six lines of it.
func row(w io.Writer, label, text string) {
	const indent, lines = 14, 6
	for n, line := range wrap(strings.TrimSpace(text), width-indent) {
		if n == lines {
			fmt.Fprintf(w, "%*s… (%d characters in all)\n", indent, "", len([]rune(text)))
			return
		}
		fmt.Fprintf(w, "    %-9s %s\n", label, line)
		label = ""
	}
}

// wrap breaks a text into lines of at most n characters, at spaces and commas
// where there are any.
func wrap(text string, n int) []string {
	var lines []string
	for paragraph := range strings.Lines(text) {
		rest := []rune(strings.TrimRight(paragraph, "\n"))
		for len(rest) > n {
			at := n
			for i := n; i > n/2; i-- {
				if rest[i-1] == ' ' || rest[i-1] == ',' {
					at = i
					break
				}
			}
			lines = append(lines, string(rest[:at]))
			rest = rest[at:]
		}
		lines = append(lines, string(rest))
	}
	return lines
}

// cut shortens a text to one line of at most n characters.
func cut(text string, n int) string {
	text, _, more := strings.Cut(text, "\n")
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	if more {
		return text + " …"
	}
	return text
}
