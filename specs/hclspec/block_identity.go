package hclspec

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func identityBlock() *block {
	of := func(parent any) *specs.Identity { return parent.(*specs.Identity) }
	return &block{
		name: "identity", label: "name", labelDoc: "for messages and logs",
		doc: "Who may call over HTTP, and how he shows it: by access tokens (`oauth`), API keys (`api_keys`) or TLS client certificates (`mtls`). Of several identities any will do; a caller who shows none of them is refused, with a challenge that tells his client where to get a token. Without an identity everybody may call.\n\n" +
			"On stdio the client is who the environment says: `MCPC_TOKEN` holds an access token, `MCPC_KEY` an API key; without them nobody is known. One that has expired is served no more.",
		example: `identity "people" {
  oauth {
    issuer   = "https://login.example"
    audience = "https://mcp.example/mcp"
    scopes   = ["mcp"]
  }
}`,
		inner: []*block{
			{
				name: "oauth", once: true,
				doc: "Accepts access tokens of OAuth 2.1, as a resource server: JWTs signed with a public key of the issuer (RFC 9068), and with `introspection` any token the issuer calls active. `/.well-known/oauth-protected-resource/mcp` tells clients where to get one (RFC 9728). The keys are found through the issuer's metadata, fetched when they are first needed, and again when a token is signed with a new one.",
				example: `identity "people" {
  oauth {
    issuer   = "https://login.example"
    audience = "https://mcp.example/mcp"
  }
}`,
				attrs: []attr{
					{name: "issuer", kind: textKind, required: true, doc: "the authorization server, exactly as tokens name it (`iss`)", example: `issuer = "https://login.example"`, check: checkIssuer,
						set: into(func(o *specs.OAuth, s *setting) { o.Issuer = s.text })},
					{name: "audience", kind: textKind, required: true, doc: "what tokens for this server name (`aud`, RFC 8707); usually its URL", example: `audience = "https://mcp.example/mcp"`,
						check: func(s string) (string, string) {
							if s == "" || strings.Contains(s, "*") {
								return fmt.Sprintf("cannot be %q", s), "name exactly one audience: a token for another server must not be good here"
							}
							return "", ""
						},
						set: into(func(o *specs.OAuth, s *setting) { o.Audience = s.text })},
					{name: "resource", kind: textKind, standard: "the audience", doc: "URL of this server, as clients reach it; for the metadata", example: `resource = "https://mcp.example/mcp"`, check: checkIssuer,
						set: into(func(o *specs.OAuth, s *setting) { o.Resource = s.text })},
					{name: "scopes", kind: textsKind, doc: "scopes every token must have", example: `scopes = ["mcp"]`,
						set: into(func(o *specs.OAuth, s *setting) { o.Scopes = s.texts })},
					{name: "jwks_url", kind: textKind, standard: "the issuer's metadata says", doc: "where the public keys are", example: `jwks_url = "https://login.example/keys"`, check: checkIssuer,
						set: into(func(o *specs.OAuth, s *setting) { o.JWKS = s.text })},
					{name: "algorithms", kind: textsKind, standard: "all of them", doc: "signatures that are accepted", example: `algorithms = ["RS256"]`,
						words: []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
						set:   into(func(o *specs.OAuth, s *setting) { o.Algorithms = s.texts })},
					{name: "clock_skew", kind: durationKind, standard: "`\"30s\"`", doc: "how far clocks may be apart", example: `clock_skew = "1m"`,
						set: into(func(o *specs.OAuth, s *setting) { o.Skew = s.text })},
					{name: "subject", kind: textKind, standard: "`\"sub\"`", doc: "claim that names the user", example: `subject = "email"`,
						set: into(func(o *specs.OAuth, s *setting) { o.Subject = s.text })},
					{name: "client", kind: textKind, standard: "`client_id`, then `azp`", doc: "claim that names the client program", example: `client = "azp"`,
						set: into(func(o *specs.OAuth, s *setting) { o.Client = s.text })},
					{name: "tenant", kind: textKind, doc: "claim that names the organisation; tokens without it are refused then", example: `tenant = "org_id"`,
						set: into(func(o *specs.OAuth, s *setting) { o.Tenant = s.text })},
					{name: "introspection", kind: settingsKind, doc: "ask the issuer about every token, at most once a minute (RFC 7662): for tokens that are no JWT, which all issuers with this setting are asked about in turn, and to notice revoked ones", example: `introspection = { url = "https://login.example/introspect", client_id = "mcpc", client_secret = env("INTROSPECT_SECRET") }`, set: setMembers,
						members: []attr{
							{name: "url", kind: textKind, required: true, carries: true, doc: "the introspection endpoint", example: `url = "https://login.example/introspect"`, check: checkIssuer,
								set: into(func(o *specs.OAuth, s *setting) { introspection(o).URL = s.text })},
							{name: "client_id", kind: textKind, required: true, doc: "as whom this server asks", example: `client_id = "mcpc"`,
								set: into(func(o *specs.OAuth, s *setting) { introspection(o).ClientID = s.text })},
							{name: "client_secret", kind: secretKind, required: true, doc: "its password", example: `client_secret = env("INTROSPECT_SECRET")`,
								set: into(func(o *specs.OAuth, s *setting) { introspection(o).Secret = s.expr })},
						}},
				},
				open: func(_ *parser, _ *head, parent any) any {
					of(parent).OAuth = &specs.OAuth{}
					return of(parent).OAuth
				},
			},
			{
				name: "api_keys", once: true,
				doc: "Accepts keys in a header. The spec holds their hashes only; `mcpc key new` makes a key and its hash. A caller may have several at once, so that they can be replaced without a pause. Identities may share a header.",
				example: `identity "machines" {
  api_keys {
    key "ci" {
      hash   = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
      scopes = ["orders:read"]
    }
  }
}`,
				attrs: []attr{
					{name: "header", kind: textKind, standard: "`\"X-Api-Key\"`", doc: "the header that holds the key", example: `header = "X-Api-Key"`,
						check: func(s string) (string, string) {
							if !isToken(s) || strings.EqualFold(s, "authorization") || strings.EqualFold(s, "cookie") {
								return fmt.Sprintf("cannot be %q", s), "name a header of its own"
							}
							return "", ""
						},
						set: into(func(k *specs.APIKeys, s *setting) { k.Header = s.text })},
				},
				inner: []*block{{
					name: "key", label: "name", labelDoc: "for logs; also the subject, unless `subject` says another",
					doc: "A key that is accepted.",
					example: `identity "machines" {
  api_keys {
    key "ci" {
      hash    = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
      expires = "2027-06-30"
    }
  }
}`,
					attrs: []attr{
						{name: "hash", kind: textKind, required: true, secret: true, doc: "SHA-256 of the key", example: `hash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`,
							check: func(s string) (string, string) {
								if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(s) {
									// It may be the key itself, by mistake: not repeated.
									return "is no hash", "write sha256: and 64 hexadecimal digits; mcpc key new prints them"
								}
								return "", ""
							},
							set: into(func(k *specs.APIKey, s *setting) { k.Hash = s.text })},
						{name: "expires", kind: textKind, standard: "never", doc: "the day, or the time in RFC 3339, from which on it is refused", example: `expires = "2027-06-30"`,
							check: func(s string) (string, string) {
								if _, err := specs.ParseTime(s); err != nil {
									return fmt.Sprintf("cannot be %q", s), `write a day, "2027-06-30", or a time, "2027-06-30T12:00:00Z"`
								}
								return "", ""
							},
							set: into(func(k *specs.APIKey, s *setting) { k.Expires = s.text })},
						{name: "subject", kind: textKind, standard: "the key's name", doc: "who comes with it", example: `subject = "ci"`,
							set: into(func(k *specs.APIKey, s *setting) { k.Subject = s.text })},
						{name: "client", kind: textKind, doc: "the client program", example: `client = "jenkins"`,
							set: into(func(k *specs.APIKey, s *setting) { k.Client = s.text })},
						{name: "tenant", kind: textKind, doc: "the organisation", example: `tenant = "acme"`,
							set: into(func(k *specs.APIKey, s *setting) { k.Tenant = s.text })},
						{name: "scopes", kind: textsKind, doc: "what he may do", example: `scopes = ["orders:read"]`,
							set: into(func(k *specs.APIKey, s *setting) { k.Scopes = s.texts })},
					},
					open: func(p *parser, h *head, parent any) any {
						keys, name := parent.(*specs.APIKeys), h.label().Value
						for _, k := range keys.Keys {
							if k.Name == name {
								p.duplicate("key", name, h.rng, k.Range)
								return nil
							}
						}
						k := &specs.APIKey{Name: name, Range: h.rng}
						keys.Keys = append(keys.Keys, k)
						return k
					},
				}},
				open: func(_ *parser, _ *head, parent any) any {
					of(parent).Keys = &specs.APIKeys{}
					return of(parent).Keys
				},
			},
			{
				name: "mtls", once: true,
				doc: "Accepts certificates of TLS clients. It needs `tls` in `listen`.",
				example: `server "orders" {
  listen "http" {
    addr = ":8443"
    tls  = { cert = "server.pem", key = "server.key" }
  }
}

identity "mesh" {
  mtls {
    ca    = "clients.pem"
    names = ["spiffe://acme.example/*"]
  }
}`,
				attrs: []attr{
					{name: "ca", kind: textKind, local: true, required: true, doc: "file of the authorities that issue the certificates (PEM), its path relative to the spec", example: `ca = "clients.pem"`,
						set: func(p *parser, target any, s *setting) {
							target.(*specs.MTLS).CA = &specs.Text{Value: p.resolve(s.text.Value), Range: s.text.Range}
						}},
					{name: "names", kind: textsKind, required: true, doc: "patterns, of which one must match a name of the certificate; `*` is any text. One with `:` or `/` is about URIs, one with `@` about e-mail addresses, any other about DNS names, and `*` alone about all. The name is the subject", example: `names = ["spiffe://acme.example/*"]`,
						set: into(func(m *specs.MTLS, s *setting) { m.Names = s.texts })},
					{name: "tenant", kind: textKind, doc: "the organisation", example: `tenant = "acme"`,
						set: into(func(m *specs.MTLS, s *setting) { m.Tenant = s.text })},
					{name: "scopes", kind: textsKind, doc: "what they may do", example: `scopes = ["orders:read"]`,
						set: into(func(m *specs.MTLS, s *setting) { m.Scopes = s.texts })},
				},
				open: func(_ *parser, _ *head, parent any) any {
					of(parent).MTLS = &specs.MTLS{}
					return of(parent).MTLS
				},
			},
		},
		open: func(p *parser, h *head, _ any) any {
			name := h.label().Value
			for _, i := range p.doc.Identities {
				if i.Name == name {
					p.duplicate("identity", name, h.rng, i.Range)
					return nil
				}
			}
			return &specs.Identity{Name: name, Range: h.rng}
		},
		close: func(p *parser, h *head, _, target any) {
			i := target.(*specs.Identity)
			kinds := 0
			for _, set := range []bool{i.OAuth != nil, i.Keys != nil, i.MTLS != nil} {
				if set {
					kinds++
				}
			}
			if kinds != 1 && !h.broken {
				p.add(diag.Diagnostic{Code: "identity-kind", Message: fmt.Sprintf("%s says %d ways to show who calls; it is one", h.title(), kinds), Hint: "write oauth { … }, api_keys { … } or mtls { … }; for another way, another identity", Range: h.rng})
				return
			}
			p.doc.Identities = append(p.doc.Identities, i)
		},
	}
}

// checkIssuer accepts the URL of something that is trusted: https, or http on
// this machine.
func checkIssuer(s string) (problem, advice string) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Sprintf("cannot be %q", shownURL(s)), `write an absolute URL: "https://login.example"`
	}
	host := u.Hostname()
	if u.Scheme != "https" && (u.Scheme != "http" || host != "localhost" && host != "127.0.0.1" && host != "::1") {
		return fmt.Sprintf("cannot be %q", shownURL(s)), "use https://; http:// is for this machine only"
	}
	return "", ""
}

func introspection(o *specs.OAuth) *specs.Introspection {
	if o.Introspection == nil {
		o.Introspection = &specs.Introspection{}
	}
	return o.Introspection
}
