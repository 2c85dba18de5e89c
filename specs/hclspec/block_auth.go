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
			{name: "token_url", kind: textKind, carries: true, required: true, doc: "the token endpoint of the authorization server", example: `token_url = "https://login.example/token"`, check: checkIssuer,
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
		doc: "A way to authenticate to APIs, for `auth` of an `api`: with a token of an authorization server (`oauth2`), with a token made from the caller's (`token_exchange`), with the caller's own (`passthrough`), by signing requests (`aws_sigv4`, `hmac`), by answering challenges (`digest`), or by logging in (`session`). One way per block; several APIs may use it, each with tokens of its own.\n\n" +
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
			{name: "passthrough", kind: boolKind, carries: true, standard: "`false`", doc: "send the access token the caller came with to the API as it is. It has to be meant for that API too: one that is not should be exchanged (`token_exchange`), because an API that takes tokens of other services can be called by whoever holds one. Calls without a token, and requests to another host than the `base_url`'s, fail", example: "passthrough = true",
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
			signer("aws_sigv4", "awsSigV4", "Signs requests for AWS, and for services that understand its Signature Version 4. The time of this machine has to be right.", `auth "aws" {
  aws_sigv4 {
    access_key = env("AWS_ACCESS_KEY_ID")
    secret_key = env("AWS_SECRET_ACCESS_KEY")
    region     = "eu-central-1"
    service    = "execute-api"
  }
}

api "orders" {
  base_url = "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/prod"
  auth     = auth.aws
}`,
				attr{name: "access_key", kind: secretKind, required: true, quiet: true, doc: "id of the key", example: `access_key = env("AWS_ACCESS_KEY_ID")`,
					set: into(func(c *specs.Credential, s *setting) { c.Username = s.expr })},
				attr{name: "secret_key", kind: secretKind, required: true, doc: "the key", example: `secret_key = env("AWS_SECRET_ACCESS_KEY")`,
					set: into(func(c *specs.Credential, s *setting) { c.Value = s.expr })},
				attr{name: "session_token", kind: secretKind, doc: "of temporary keys; when the variable is not set, none is sent", example: `session_token = env("AWS_SESSION_TOKEN")`,
					set: into(func(c *specs.Credential, s *setting) { aws(c).Session = s.expr })},
				attr{name: "region", kind: textKind, required: true, doc: "the region", example: `region = "eu-central-1"`, check: checkAWSWord,
					set: into(func(c *specs.Credential, s *setting) { aws(c).Region = s.text })},
				attr{name: "service", kind: textKind, required: true, doc: "the service, as AWS calls it in signatures", example: `service = "execute-api"`, check: checkAWSWord,
					set: into(func(c *specs.Credential, s *setting) { aws(c).Service = s.text })},
			),
			signer("hmac", "hmac", "Signs requests with a key that both sides know. What is signed are the parts that `sign` lists, joined by `separator`, as they are sent.", `auth "partner" {
  hmac {
    key       = env("PARTNER_KEY")
    sign      = ["timestamp", "method", "path", "body"]
    header    = "X-Signature"
    timestamp = "X-Timestamp"
  }
}

api "partner" {
  base_url = "https://partner.example/api"
  auth     = auth.partner
}`,
				attr{name: "key", kind: secretKind, required: true, doc: "the key", example: `key = env("PARTNER_KEY")`,
					set: into(func(c *specs.Credential, s *setting) { c.Value = s.expr })},
				attr{name: "sign", kind: textsKind, required: true, words: signedParts, doc: "what is signed: `timestamp` (seconds since 1970), `method`, `host`, `path` and `query` (both encoded, the latter without `?`), `body`", example: `sign = ["timestamp", "method", "path", "body"]`,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Sign = s.texts })},
				attr{name: "header", kind: textKind, required: true, doc: "the header of the signature", example: `header = "X-Signature"`, check: checkSignatureHeader,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Header = s.text })},
				attr{name: "prefix", kind: textKind, standard: "none", doc: "what stands before the signature there", example: `prefix = "sha256="`, check: checkFieldText,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Prefix = s.text })},
				attr{name: "timestamp", kind: textKind, standard: "none", doc: "the header of the timestamp", example: `timestamp = "X-Timestamp"`, check: checkSignatureHeader,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Timestamp = s.text })},
				attr{name: "algorithm", kind: textKind, standard: "`\"sha256\"`", words: []string{"sha256", "sha512", "sha1"}, doc: "the hash", example: `algorithm = "sha512"`,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Algorithm = s.text })},
				attr{name: "encoding", kind: textKind, standard: "`\"hex\"`", words: []string{"hex", "base64"}, doc: "how the signature is written", example: `encoding = "base64"`,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Encoding = s.text })},
				attr{name: "separator", kind: textKind, standard: "`\"\\n\"`", doc: "between the parts", example: `separator = ""`,
					set: into(func(c *specs.Credential, s *setting) { hmacOf(c).Separator = s.text })},
			),
			signer("digest", "digest", "Answers the challenges of HTTP digest authentication (RFC 7616: SHA-512/256, SHA-256 and MD5, with `auth`, or with `auth-int` where nothing else is offered). The first request is sent twice; a refused password is not tried again.", `auth "camera" {
  digest {
    username = "operator"
    password = env("CAMERA_PASSWORD")
  }
}

api "camera" {
  base_url = "https://camera.example/cgi"
  auth     = auth.camera
}`,
				attr{name: "username", kind: secretKind, required: true, quiet: true, doc: "the user", example: `username = "operator"`,
					set: into(func(c *specs.Credential, s *setting) { c.Username = s.expr })},
				attr{name: "password", kind: secretKind, required: true, doc: "his password", example: `password = env("CAMERA_PASSWORD")`,
					set: into(func(c *specs.Credential, s *setting) { c.Value = s.expr })},
			),
			sessionBlock(),
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
			p.add(diag.Diagnostic{Code: "auth-kind", Message: message, Hint: "write oauth2, token_exchange, aws_sigv4, hmac, digest or session { … }, or passthrough = true; for another way, another auth", Range: h.rng})
		},
	}
}

// signedParts are what a signature can be over.
var signedParts = []string{"timestamp", "method", "host", "path", "query", "body"}

// signer is the block of a credential that signs requests.
func signer(name, kind, doc, example string, attrs ...attr) *block {
	return &block{
		name: name, once: true, doc: doc, example: example, attrs: attrs,
		open: func(_ *parser, _ *head, parent any) any {
			t := parent.(*authTarget)
			t.kinds = append(t.kinds, name)
			t.cred.Kind = kind
			return t.cred
		},
		close: func(p *parser, h *head, _, target any) {
			c := target.(*specs.Credential)
			if c.HMAC == nil || h.broken || h.failed {
				return
			}
			signed := slices.ContainsFunc(c.HMAC.Sign, func(t specs.Text) bool { return t.Value == "timestamp" })
			switch {
			case len(c.HMAC.Sign) == 0:
				p.add(diag.Diagnostic{Code: "invalid-value", Message: "sign is empty: such a signature is the same for all requests", Hint: `for example sign = ["timestamp", "method", "path", "body"]`, Range: h.seen["sign"]})
			case signed && c.HMAC.Timestamp == nil:
				p.add(diag.Diagnostic{Code: "missing-attribute", Message: "the timestamp is signed, and the request does not say it", Hint: `add timestamp = "X-Timestamp"`, Range: h.seen["sign"]})
			}
		},
	}
}

func aws(c *specs.Credential) *specs.AWSSigning {
	if c.AWS == nil {
		c.AWS = &specs.AWSSigning{}
	}
	return c.AWS
}

func hmacOf(c *specs.Credential) *specs.HMACSigning {
	if c.HMAC == nil {
		c.HMAC = &specs.HMACSigning{}
	}
	return c.HMAC
}

func checkAWSWord(s string) (problem, advice string) {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return fmt.Sprintf("cannot be %q", s), "write it as AWS does: lower-case letters, digits and -"
	}
	return "", ""
}

func checkSignatureHeader(s string) (problem, advice string) {
	if !isToken(s) || strings.EqualFold(s, "host") || strings.EqualFold(s, "cookie") || len(s) > 8 && strings.EqualFold(s[:8], "content-") {
		return fmt.Sprintf("cannot be %q", s), "name a header of its own, or Authorization"
	}
	return "", ""
}

func checkFieldText(s string) (problem, advice string) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Sprintf("cannot be %q", s), "a header holds letters of ASCII, without line ends"
	}
	return "", ""
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
