package hclspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// authTarget is an auth block while it is decoded.
type authTarget struct {
	cred  *specs.Credential
	kinds []string // that were written
}

// tokenAsk is an oauth2 or token_exchange block while it is decoded.
type tokenAsk struct {
	client      *specs.OAuthClient
	secret, key *specs.Expr
}

// tokenTypes are the kinds of tokens that can be exchanged; RFC 8693 puts
// "urn:ietf:params:oauth:token-type:" before them.
var tokenTypes = []string{"access_token", "jwt", "id_token"}

// authMethods say where the secret of a client is sent.
var authMethods = []string{"basic", "post"}

// keyAlgorithms sign for a client with a private key.
var keyAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func authBlock() *block {
	client := func(set func(c *specs.OAuthClient, s *setting)) func(*parser, any, *setting) {
		return into(func(a *tokenAsk, s *setting) { set(a.client, s) })
	}
	common := func() []attr {
		return []attr{
			{name: "token_url", kind: textKind, required: true, doc: "the token endpoint of the authorization server", example: `token_url = "https://login.example/token"`, check: checkIssuer,
				set: client(func(c *specs.OAuthClient, s *setting) { c.TokenURL = s.text })},
			{name: "client_id", kind: textKind, required: true, doc: "as whom this server asks", example: `client_id = "mcpc"`,
				set: client(func(c *specs.OAuthClient, s *setting) { c.ClientID = s.text })},
			{name: "client_secret", kind: secretKind, doc: "its password", example: `client_secret = env("ERP_CLIENT_SECRET")`,
				set: into(func(a *tokenAsk, s *setting) { a.secret = s.expr })},
			{name: "client_auth", kind: textKind, standard: "`\"basic\"`", words: authMethods, doc: "where the password goes: `\"basic\"` is the header, `\"post\"` the body", example: `client_auth = "post"`,
				set: client(func(c *specs.OAuthClient, s *setting) { c.Post = s.text.Value == "post" })},
			{name: "private_key_jwt", kind: settingsKind, doc: "instead of a password: a statement signed with a private key (RFC 7523)", example: `private_key_jwt = { key = file("client.pem"), alg = "ES256", kid = "2026-01" }`, set: setMembers,
				members: []attr{
					{name: "key", kind: secretKind, required: true, doc: "the key (PEM)", example: `key = file("client.pem")`,
						set: into(func(a *tokenAsk, s *setting) { a.key = s.expr })},
					{name: "alg", kind: textKind, required: true, doc: "how it signs", example: `alg = "ES256"`, words: keyAlgorithms,
						set: client(func(c *specs.OAuthClient, s *setting) { c.Alg = s.text })},
					{name: "kid", kind: textKind, doc: "how the authorization server calls the key", example: `kid = "2026-01"`,
						set: client(func(c *specs.OAuthClient, s *setting) { c.KeyID = s.text })},
				}},
			{name: "scopes", kind: textsKind, doc: "scopes the token shall have", example: `scopes = ["orders:read"]`, check: checkScope,
				set: client(func(c *specs.OAuthClient, s *setting) { c.Scopes = s.texts })},
			{name: "audience", kind: textKind, doc: "whom the token is for, as some authorization servers want it said", example: `audience = "https://erp.example"`,
				set: client(func(c *specs.OAuthClient, s *setting) { c.Audience = s.text })},
			{name: "resource", kind: textKind, doc: "URL of the API the token is for (RFC 8707)", example: `resource = "https://erp.example/api"`, check: checkBaseURL,
				set: client(func(c *specs.OAuthClient, s *setting) { c.Resource = s.text })},
		}
	}
	open := func(kind string) func(*parser, *head, any) any {
		return func(_ *parser, _ *head, parent any) any {
			t := parent.(*authTarget)
			t.kinds = append(t.kinds, kind)
			t.cred.OAuth = &specs.OAuthClient{}
			return &tokenAsk{client: t.cred.OAuth}
		}
	}
	closeAsk := func(kind string) func(*parser, *head, any, any) {
		return func(p *parser, h *head, parent, target any) {
			t, a := parent.(*authTarget), target.(*tokenAsk)
			t.cred.Kind, t.cred.Value = kind, a.secret
			if a.key != nil {
				t.cred.Value = a.key
			}
			_, secret := h.seen["client_secret"]
			_, key := h.seen["private_key_jwt"]
			at, method := h.seen["client_auth"]
			switch {
			case secret && key:
				p.add(diag.Diagnostic{Code: "needless-attribute", Message: "a client shows who it is by client_secret or by private_key_jwt, not by both", Hint: "remove one of the two", Range: h.seen["client_secret"]})
			case method && !secret && !h.broken:
				p.add(diag.Diagnostic{Code: "needless-attribute", Message: "client_auth says where client_secret goes, and there is none", Hint: "remove it", Range: at})
			case kind == "oauth2" && !secret && !key && !h.broken:
				p.add(diag.Diagnostic{Code: "missing-attribute", Message: "oauth2 does not say how the client shows who it is", Hint: `add client_secret = env("NAME") or private_key_jwt = { key = file("client.pem"), alg = "ES256" }`, Range: h.rng})
			}
		}
	}
	return &block{
		name: "auth", label: "name", labelDoc: "referred to as `auth.name`",
		doc: "A way to authenticate to APIs, for `auth` of an `api`: with a token of an authorization server (`oauth2`), with a token made from the caller's (`token_exchange`), or with the caller's own (`passthrough`). One way per block; several APIs may use it, each with tokens of its own.\n\n" +
			"A token goes to the API alone, not along redirects to another host. It is kept until shortly before it expires, and asked for once however many calls wait for it. When the API refuses a kept token with 401, a new one is got and the request is sent once more; 401 means that nothing was done. When there is no token the call fails with the code `credential`, and nothing is sent to the API.",
		example: `auth "erp" {
  oauth2 {
    token_url     = "https://login.example/token"
    client_id     = "mcpc"
    client_secret = env("ERP_CLIENT_SECRET")
    scopes        = ["orders:read"]
  }
}

api "erp" {
  base_url = "https://erp.example/api"
  auth     = auth.erp
}`,
		attrs: []attr{
			{name: "passthrough", kind: boolKind, standard: "`false`", doc: "send the access token the caller came with to the API as it is. It has to be meant for that API too: one that is not should be exchanged (`token_exchange`), because an API that takes tokens of other services can be called by whoever holds one. Calls without a token, and requests to another host than the `base_url`'s, fail", example: "passthrough = true",
				set: into(func(t *authTarget, s *setting) {
					if s.flag.Value {
						t.kinds = append(t.kinds, "passthrough")
						t.cred.Kind = "passthrough"
					}
				})},
		},
		inner: []*block{
			{
				name: "oauth2", once: true,
				doc: "Tokens for this server itself, by client credentials (RFC 6749, section 4.4): all callers use the same.",
				example: `auth "erp" {
  oauth2 {
    token_url       = "https://login.example/token"
    client_id       = "mcpc"
    private_key_jwt = { key = file("client.pem"), alg = "ES256", kid = "2026-01" }
  }
}

api "erp" {
  base_url = "https://erp.example/api"
  auth     = auth.erp
}`,
				attrs: common(),
				open:  open("oauth2"), close: closeAsk("oauth2"),
			},
			{
				name: "token_exchange", once: true,
				doc: "Tokens for the caller, got for the access token he came with (RFC 8693). It needs an `identity` with `oauth`; each caller has tokens of his own, and answers that are kept (`cache`) are his alone.",
				example: `identity "people" {
  oauth {
    issuer   = "https://login.example"
    audience = "https://mcp.example/mcp"
  }
}

auth "erp" {
  token_exchange {
    token_url     = "https://login.example/token"
    client_id     = "mcpc"
    client_secret = env("ERP_CLIENT_SECRET")
    audience      = "https://erp.example"
  }
}

api "erp" {
  base_url = "https://erp.example/api"
  auth     = auth.erp
}`,
				attrs: append(common(), attr{name: "subject_token_type", kind: textKind, standard: "`\"access_token\"`", words: tokenTypes, doc: "what the caller's token is called in the exchange", example: `subject_token_type = "jwt"`,
					set: client(func(c *specs.OAuthClient, s *setting) { c.SubjectType = s.text })}),
				open: open("token_exchange"), close: closeAsk("tokenExchange"),
			},
		},
		open: func(p *parser, h *head, _ any) any {
			name := h.label().Value
			for _, c := range p.auths {
				if c.Name == name {
					p.duplicate("auth", name, h.rng, c.Range)
					return nil
				}
			}
			c := &specs.Credential{Name: name, Range: h.rng}
			p.auths = append(p.auths, c)
			return &authTarget{cred: c}
		},
		close: func(p *parser, h *head, _, target any) {
			t := target.(*authTarget)
			if len(t.kinds) == 1 || h.broken || h.failed {
				return
			}
			message := h.title() + " says no way to authenticate"
			if len(t.kinds) > 1 {
				message = h.title() + " says several ways to authenticate: " + strings.Join(t.kinds, " and ")
			}
			p.add(diag.Diagnostic{Code: "auth-kind", Message: message, Hint: "write oauth2 { … }, token_exchange { … } or passthrough = true; for another way, another auth", Range: h.rng})
		},
	}
}

// checkScope accepts a scope token (RFC 6749, section 3.3).
func checkScope(s string) (problem, advice string) {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == '"' || s[i] == '\\' || s[i] > '~' {
			return fmt.Sprintf("cannot hold %q", s), "a scope is one word; write several as a list"
		}
	}
	if s == "" {
		return "cannot hold an empty scope", "remove it"
	}
	return "", ""
}

// linkAuth makes each auth = auth.NAME what the block says.
func (p *parser) linkAuth() {
	var names []string
	used := map[string]bool{}
	unknown := false // what is not used may be what was meant
	for _, c := range p.auths {
		names = append(names, c.Name)
	}
	for _, ref := range p.authRefs {
		i := slices.Index(names, ref.Name)
		if i < 0 {
			unknown = true
			if !p.lost["auth "+ref.Name] {
				hint := didYouMean(ref.Name, names, "there are ")
				if hint == "" {
					hint = fmt.Sprintf("add auth %q { … }", ref.Name)
				}
				p.add(diag.Diagnostic{Code: "unknown-auth", Message: fmt.Sprintf("there is no auth %q", ref.Name), Hint: hint, Range: ref.Range})
			}
			continue
		}
		used[ref.Name] = true
		at := ref.Range
		*ref = *p.auths[i]
		ref.Range = at
	}
	for _, c := range p.auths {
		if !used[c.Name] && !unknown {
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "unused-auth", Message: fmt.Sprintf("auth %q is not used", c.Name), Hint: "write auth = auth." + c.Name + " into an api, or remove it", Range: c.Range})
		}
	}
}
