package hclspec

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func serverBlock() *block {
	return &block{
		name: "server", label: "name", once: true,
		labelDoc: "identifies the server to clients",
		doc:      "What the MCP server says of itself, and where it listens. At most one in a spec; without it the server has the name of the file or directory.",
		example: `server "orders" {
  title        = "Orders"
  instructions = "Search before you cancel. Amounts are EUR."

  listen "http" { addr = "127.0.0.1:8080" }
}`,
		attrs: []attr{
			{name: "title", kind: textKind, doc: "the name people see", example: `title = "Orders"`,
				set: into(func(s *specs.Server, v *setting) { s.Title = v.text.Value })},
			{name: "version", kind: textKind, doc: "version of the described service", example: `version = "2.1"`,
				set: into(func(s *specs.Server, v *setting) { s.Version = v.text.Value })},
			{name: "instructions", kind: textKind, doc: "told to the model once: what the tools are for and how they go together", example: `instructions = "Search before you cancel."`,
				set: into(func(s *specs.Server, v *setting) { s.Instructions = v.text.Value })},
			{name: "name_prefix", kind: textKind, doc: "the prefix a client puts before tool names; it counts against the 64 characters of a name", example: `name_prefix = "mcp__orders__"`,
				check: func(s string) (string, string) {
					if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,48}$`).MatchString(s) {
						return fmt.Sprintf("cannot be %q", s), "use up to 48 letters, digits, _ and -"
					}
					return "", ""
				},
				set: into(func(s *specs.Server, v *setting) { s.NamePrefix = v.text })},
			inboundRow(),
		},
		inner: []*block{{
			name: "listen", label: "transport", labels: []string{"http"}, once: true,
			labelDoc: "`http`, Streamable HTTP",
			doc:      "Serve over HTTP at this address instead of stdio. The command line wins.",
			example: `server "orders" {
  listen "http" { addr = ":8080" }
}`,
			attrs: []attr{{name: "trusted_proxies", kind: textsKind, local: true, standard: "none", doc: "addresses and networks of the proxies in front of the server. A connection from one of them is from whom its last entry in `X-Forwarded-For` names, and so on backwards while that is one of them, too; from others the header means nothing. `client.address` of a `rate_limit` is what it is for", example: `trusted_proxies = ["10.0.0.0/8"]`,
				check: checkProxy,
				set:   into(func(s *specs.Server, v *setting) { s.Proxies = v.texts })},
				{name: "addr", kind: textKind, required: true, doc: "host:port; without a host only this machine is served, 0.0.0.0 is every network", example: `addr = "127.0.0.1:8080"`,
					check: checkAddress,
					set: into(func(s *specs.Server, v *setting) {
						if strings.HasPrefix(v.text.Value, ":") {
							v.text.Value = "127.0.0.1" + v.text.Value
						}
						s.Listen = v.text
					})},
				{name: "tls", kind: settingsKind, local: true, doc: "serve HTTPS with this certificate; its files are looked at again every minute", example: `tls = { cert = "server.pem", key = "server.key" }`, set: setMembers,
					members: []attr{
						{name: "cert", kind: textKind, required: true, doc: "file of the chain (PEM), its path relative to the spec", example: `cert = "server.pem"`,
							set: func(p *parser, target any, v *setting) {
								serverTLS(target).Cert = &specs.Text{Value: p.resolve(v.text.Value), Range: v.text.Range}
							}},
						{name: "key", kind: textKind, required: true, doc: "file of its private key (PEM)", example: `key = "server.key"`,
							set: func(p *parser, target any, v *setting) {
								serverTLS(target).Key = &specs.Text{Value: p.resolve(v.text.Value), Range: v.text.Range}
							}},
					}},
			},
			open: func(_ *parser, _ *head, parent any) any { return parent },
		}},
		open: func(p *parser, h *head, _ any) any {
			s := &p.doc.Server
			if !s.Range.IsZero() {
				p.add(diag.Diagnostic{Code: "duplicate-block", Message: "the spec has a second server block", Hint: "keep one of the two", Range: h.rng,
					Notes: []diag.Note{{Message: "the first one", Range: s.Range}}})
				return nil
			}
			s.Name, s.Range = h.label().Value, h.rng
			return s
		},
	}
}

// checkProxy accepts an address, or a network that is not everybody's.
func checkProxy(s string) (problem, advice string) {
	p, err := netip.ParsePrefix(s)
	if a, aerr := netip.ParseAddr(s); aerr == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	problem = fmt.Sprintf("cannot hold %q", s)
	switch {
	case err != nil:
		return problem, `write an address, "192.0.2.7", or a network, "10.0.0.0/8"`
	case p.Bits() == 0:
		return problem, "name the proxies only: whoever is one can say that a call comes from any address"
	case p.Addr().Is4In6():
		return problem, fmt.Sprintf("write it as IPv4, beginning with %s", p.Addr().Unmap())
	case p != p.Masked():
		return problem, fmt.Sprintf("the network is %q; for one address leave out /%d", p.Masked(), p.Bits())
	}
	return "", ""
}

// checkAddress accepts an address to listen on.
func checkAddress(s string) (problem, advice string) {
	_, port, err := net.SplitHostPort(s)
	if n, nerr := strconv.Atoi(port); err != nil || nerr != nil || n < 0 || n > 65535 {
		return fmt.Sprintf("cannot be %q", s), `write host:port, for example "127.0.0.1:8080"`
	}
	return "", ""
}

func serverTLS(target any) *specs.ServerTLS {
	s := target.(*specs.Server)
	if s.TLS == nil {
		s.TLS = &specs.ServerTLS{}
	}
	return s.TLS
}
