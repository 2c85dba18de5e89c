package hclspec

import (
	"fmt"
	"strconv"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// inboundRow is the setting that bounds what clients may send and take up.
func inboundRow() attr {
	of := func(target any) *specs.Inbound {
		s := target.(*specs.Server)
		if s.Inbound == nil {
			s.Inbound = &specs.Inbound{}
		}
		return s.Inbound
	}
	size := func(name, standard, doc, example string, to func(*specs.Inbound) **specs.Text) attr {
		return attr{name: name, kind: sizeKind, standard: "`\"" + standard + "\"`", doc: doc, example: fmt.Sprintf("%s = %q", name, example),
			set: func(_ *parser, target any, s *setting) { *to(of(target)) = s.text }}
	}
	number := func(name string, standard, least, most int, doc, example string, to func(*specs.Inbound) *int) attr {
		return attr{name: name, kind: integerKind, standard: "`" + strconv.Itoa(standard) + "`", doc: doc, example: name + " = " + example,
			set: func(p *parser, target any, s *setting) {
				if s.number < least || s.number > most {
					p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%s must be from %d to %d", name, least, most), Hint: "to have the default, remove the setting", Range: s.rng})
					return
				}
				*to(of(target)) = s.number
			}}
	}
	duration := func(name, standard, doc, example string, to func(*specs.Inbound) **specs.Text) attr {
		return attr{name: name, kind: durationKind, standard: "`\"" + standard + "\"`", doc: doc, example: fmt.Sprintf("%s = %q", name, example),
			set: func(_ *parser, target any, s *setting) { *to(of(target)) = s.text }}
	}
	return attr{name: "limits", kind: settingsKind, example: `limits = { body = "1MB", requests = 500 }`,
		doc: "what clients may send and take up, over HTTP where it says no more. A refusal names the limit and its value, in words and as `data` of the JSON-RPC error: `{\"limit\":\"body\",\"value\":4194304}`",
		set: func(p *parser, target any, s *setting) {
			of(target).Range = s.rng
			setMembers(p, target, s)
		},
		members: []attr{
			size("body", "4MiB", "of a message, on stdio a line; refused with 413", "1MB", func(i *specs.Inbound) **specs.Text { return &i.Body }),
			size("headers", "64KiB", "of the headers of a request, 4 bytes added for each line; refused with 431", "16KB", func(i *specs.Inbound) **specs.Text { return &i.Headers }),
			number("header_count", 100, 20, 10_000, "header lines of a request; refused with 431", "50", func(i *specs.Inbound) *int { return &i.HeaderCount }),
			number("depth", 128, 8, 1000, "how deep a message may nest, on stdio too", "32", func(i *specs.Inbound) *int { return &i.Depth }),
			number("name", 256, 64, 65536, "bytes of a method, a tool's name, an id, a progress token and the header Mcp-Session-Id, on stdio too", "128", func(i *specs.Inbound) *int { return &i.Name }),
			number("batch", 64, 1, 10_000, "messages of a batch (revision 2025-03-26), on stdio too", "10", func(i *specs.Inbound) *int { return &i.Batch }),
			number("calls", 1024, 1, 1_000_000, "calls of tools in flight at once, over all clients. One more is answered with a result that says to call again; on stdio at most 64 run and the others wait", "200", func(i *specs.Inbound) *int { return &i.Calls }),
			number("requests", 2048, 1, 1_000_000, "requests worked on at once; one more is refused with 503 and Retry-After", "500", func(i *specs.Inbound) *int { return &i.Requests }),
			size("bodies", "256MiB", "of all requests that are read or worked on; requests of more than 64 KiB may take half of it. One more is refused with 503 and Retry-After", "64MB", func(i *specs.Inbound) **specs.Text { return &i.Bodies }),
			number("streams", 1024, 1, 1_000_000, "event streams of calls at once, and as many that listen for changed lists. Calls beyond them are answered without news of their progress; who wants to listen is refused with 503 and Retry-After", "200", func(i *specs.Inbound) *int { return &i.Streams }),
			number("connections", 16384, 1, 1_000_000, "open at once. For one more, that of the longest silence is closed; when requests are under way on all, it is refused with 503 (with TLS it is closed)", "5000", func(i *specs.Inbound) *int { return &i.Connections }),
			number("connection_requests", 10_000, 1, 1_000_000_000, "requests in the life of a connection; it is closed after the last", "1000", func(i *specs.Inbound) *int { return &i.ConnectionRequests }),
			number("connection_streams", 100, 1, 10_000, "requests at once on a connection of HTTP/2", "20", func(i *specs.Inbound) *int { return &i.ConnectionStreams }),
			duration("header_timeout", "5s", "for the headers of a request to arrive, and for the first byte on a new connection; then it is closed", "2s", func(i *specs.Inbound) **specs.Text { return &i.HeaderTimeout }),
			duration("request_timeout", "30s", "for a whole request to arrive; refused with 408", "10s", func(i *specs.Inbound) **specs.Text { return &i.RequestTimeout }),
			duration("idle_timeout", "2m", "of a connection between two requests; then it is closed", "30s", func(i *specs.Inbound) **specs.Text { return &i.IdleTimeout }),
			duration("write_timeout", "1m", "for a client to take 64 KiB of an answer or stream; then its connection is closed. Silence of the server does not count", "20s", func(i *specs.Inbound) **specs.Text { return &i.WriteTimeout }),
		}}
}
