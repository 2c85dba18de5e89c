package show

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

// width is how wide the show is printed, in columns.
const width = 100

func heading(w io.Writer, text string) {
	fmt.Fprintf(w, "\n%s\n%s\n\n", text, strings.Repeat("─", len([]rune(text))))
}

// show connects to all servers as a client and prints what it sees.
func (s *Show) show(ctx context.Context, w io.Writer, urls map[string]string, servers []running, log *requestLog) error {
	fmt.Fprintf(w, "%s\n\n", s.Title)
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		fmt.Fprintf(w, "  service       %s   %s\n", urls[name], name)
	}
	for _, r := range servers {
		at := r.url
		if at == "" {
			at = "on stdio"
		}
		fmt.Fprintf(w, "  MCP server    %s   %2d tools from %s\n", at, r.tools, r.spec)
	}
	for _, r := range servers {
		someone := &person{}
		c, err := r.connect(ctx, someone)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := view(ctx, w, c, r, someone, log); err != nil {
			return fmt.Errorf("%s: %w", r.spec, err)
		}
	}
	return nil
}

// person agrees to everything, and says so.
type person struct{ asked []string }

// Elicit answers a question of a server.
func (p *person) Elicit(_ context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.asked = append(p.asked, request.Params.Message+" – yes")
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept, Content: map[string]any{}}}, nil
}

// view prints the tools of one server and makes the calls.
func view(ctx context.Context, w io.Writer, c *client.Client, s running, someone *person, log *requestLog) error {
	var hello mcp.InitializeRequest
	hello.Params.ClientInfo = mcp.Implementation{Name: "mcpc-example", Version: "1"}
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
	for _, k := range s.Calls {
		log.take()
		var request mcp.CallToolRequest
		request.Params.Name = k.Tool
		request.Params.Arguments = json.RawMessage(k.Arguments)
		begin := time.Now()
		result, err := c.CallTool(ctx, request)
		if err != nil {
			return fmt.Errorf("%s: %w", k.Tool, err)
		}
		fmt.Fprintf(w, "\n  %s %s\n", k.Tool, k.Arguments)
		row(w, "shows", k.Why)
		for _, q := range someone.asked {
			row(w, "asked", q)
		}
		someone.asked = nil
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
