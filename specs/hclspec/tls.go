package hclspec

import (
	"fmt"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// tlsSetting is the attribute tls of whatever connects: to whom it does, at a host
// such as this one, and where its settings go.
func tlsSetting(whom, host string, of func(target any) *specs.ClientTLS) attr {
	file := func(set func(t *specs.ClientTLS, path *specs.Text)) func(*parser, any, *setting) {
		return func(p *parser, target any, s *setting) {
			set(of(target), &specs.Text{Value: p.resolve(s.text.Value), Range: s.text.Range})
		}
	}
	return attr{name: "tls", kind: settingsKind, doc: "how encrypted connections to " + whom + " are made. Files are read when a connection is made, their paths relative to the spec; changed client certificates are used from then on", example: `tls = { ca = "internal-ca.pem", cert = "client.pem", key = "client.key" }`,
		set: func(p *parser, target any, s *setting) {
			setMembers(p, target, s)
			t := of(target)
			if t.Range = s.rng; (t.Cert == nil) != (t.Key == nil) {
				p.add(diag.Diagnostic{Code: "missing-attribute", Message: "tls has one of cert and key", Hint: `a client certificate takes both: cert = "client.pem", key = "client.key"`, Range: s.rng})
			}
		},
		members: []attr{
			{name: "ca", kind: textKind, local: true, standard: "the system's", doc: "file of the authorities that are trusted, instead of the system's (PEM)", example: `ca = "internal-ca.pem"`,
				set: file(func(t *specs.ClientTLS, path *specs.Text) { t.CA = path })},
			{name: "cert", kind: textKind, local: true, doc: "file of the certificate this server shows (PEM)", example: `cert = "client.pem"`,
				set: file(func(t *specs.ClientTLS, path *specs.Text) { t.Cert = path })},
			{name: "key", kind: textKind, local: true, doc: "file of its private key (PEM)", example: `key = "client.key"`,
				set: file(func(t *specs.ClientTLS, path *specs.Text) { t.Key = path })},
			{name: "server_name", kind: textKind, standard: "the host", doc: "the name the certificate of " + whom + " has to have", example: fmt.Sprintf("server_name = %q", host),
				check: func(s string) (problem, advice string) {
					if s == "" || strings.ContainsAny(s, "/:* ") {
						return fmt.Sprintf("cannot be %q", s), fmt.Sprintf("write a host name: %q", host)
					}
					return "", ""
				},
				set: func(_ *parser, target any, s *setting) { of(target).ServerName = s.text }},
			{name: "min_version", kind: textKind, standard: "`\"1.2\"`", words: []string{"1.2", "1.3"}, doc: "the oldest version of TLS", example: `min_version = "1.3"`,
				set: func(_ *parser, target any, s *setting) { of(target).MinVersion = s.text }},
		}}
}
