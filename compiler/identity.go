package compiler

import (
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// identities lowers who may call.
func (c *compilation) identities(server *plan.Server) {
	if t := c.doc.Server.TLS; t != nil && t.Cert != nil && t.Key != nil {
		server.TLS = &plan.Certificate{Cert: t.Cert.Value, Key: t.Key.Value}
	}
	for _, i := range c.doc.Identities {
		out := plan.Identity{Name: i.Name}
		switch {
		case i.OAuth != nil:
			out.OAuth = c.oauth(i.OAuth)
		case i.Keys != nil:
			out.Keys = apiKeys(i.Keys)
		case i.MTLS != nil:
			if server.TLS == nil {
				c.diags.Add(diag.Diagnostic{Code: "mtls-without-tls", Message: "identity " + i.Name + " wants certificates of TLS clients, and the server has no TLS", Hint: `add tls = { cert = "…", key = "…" } to listen "http" in the server block`, Range: i.Range})
			}
			m := i.MTLS
			out.Client = &plan.ClientCertificates{CA: m.CA.Str(), Names: values(m.Names), Tenant: m.Tenant.Str(), Scopes: values(m.Scopes)}
		}
		server.Identities = append(server.Identities, out)
	}
}

func (c *compilation) oauth(o *specs.OAuth) *plan.OAuth {
	out := &plan.OAuth{
		Issuer: o.Issuer.Str(), Audience: []string{o.Audience.Str()}, Resource: o.Resource.Str(), JWKS: o.JWKS.Str(),
		Algorithms: values(o.Algorithms), Scopes: values(o.Scopes), Skew: c.duration(o.Skew, 30*time.Second),
		Subject: o.Subject.Str(), Client: o.Client.Str(), Tenant: o.Tenant.Str(),
	}
	if n := o.Introspection; n != nil && n.Secret != nil {
		out.Introspection = &plan.Introspection{URL: n.URL.Str(), ClientID: n.ClientID.Str()}
		if s := n.Secret.Secret; s != nil {
			out.Introspection.Secret = secretOf(s)
		} else {
			c.diags.Add(diag.Diagnostic{Code: "literal-secret", Secret: true, Message: "client_secret has to be a secret", Hint: "use env(\"NAME\"), file(\"PATH\") or a variable with sensitive = true", Range: n.Secret.Range})
		}
	}
	return out
}

func apiKeys(k *specs.APIKeys) *plan.APIKeys {
	out := &plan.APIKeys{Header: "X-Api-Key"}
	if k.Header != nil {
		out.Header = k.Header.Value
	}
	for _, key := range k.Keys {
		one := plan.APIKey{Name: key.Name, Hash: strings.TrimPrefix(key.Hash.Str(), "sha256:"), Subject: key.Subject.Str(), Client: key.Client.Str(), Tenant: key.Tenant.Str(), Scopes: values(key.Scopes)}
		if key.Expires != nil {
			if t, err := specs.ParseTime(key.Expires.Value); err == nil { // checked by the front-end
				one.Expires = t.Unix()
			}
		}
		out.Keys = append(out.Keys, one)
	}
	return out
}

// checkScopes warns of tools that want scopes which nobody can have.
func (c *compilation) checkScopes() {
	if len(c.doc.Identities) > 0 {
		return
	}
	for _, t := range c.doc.Tools {
		if len(t.Scopes) > 0 {
			c.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "scopes-without-identity", Message: t.String() + " wants scopes, and the spec has no identity: everybody may call it", Hint: `add identity "name" { oauth { … } }`, Range: t.Scopes[0].Range})
		}
	}
}

// scopesOf are the scopes that a tool wants of its caller.
func scopesOf(t *specs.Tool) []string { return values(t.Scopes) }
