package compiler

import (
	"strconv"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// tokenType is how RFC 8693 begins the names of kinds of tokens.
const tokenType = "urn:ietf:params:oauth:token-type:"

// oauthClient is how a credential gets its tokens; nil when it needs none.
func oauthClient(k *specs.Credential) *plan.OAuthClient {
	o := k.OAuth
	if o == nil {
		return nil
	}
	out := &plan.OAuthClient{
		TokenURL: o.TokenURL.Str(), ClientID: o.ClientID.Str(), Post: o.Post, Alg: o.Alg.Str(), KeyID: o.KeyID.Str(),
		Scopes: values(o.Scopes), Audience: o.Audience.Str(), Resource: o.Resource.Str(),
	}
	if k.Kind == "tokenExchange" {
		out.SubjectType = tokenType + "access_token"
		if o.SubjectType != nil {
			out.SubjectType = tokenType + o.SubjectType.Value
		}
	}
	return out
}

// hmacSigning is how a credential signs requests; nil when it does not.
func hmacSigning(k *specs.Credential) *plan.HMAC {
	s := k.HMAC
	if s == nil {
		return nil
	}
	otherwise := func(t *specs.Text, standard string) string {
		if t == nil {
			return standard
		}
		return t.Value
	}
	return &plan.HMAC{
		Algorithm: otherwise(s.Algorithm, "sha256"), Sign: values(s.Sign), Separator: otherwise(s.Separator, "\n"),
		Header: s.Header.Str(), Prefix: s.Prefix.Str(), Encoding: otherwise(s.Encoding, "hex"), Timestamp: s.Timestamp.Str(),
	}
}

// checkCallerAuth checks an API whose credential is made of the caller's token.
func (c *compilation) checkCallerAuth(api *specs.API) {
	tokens := false
	for _, i := range c.doc.Identities {
		tokens = tokens || i.OAuth != nil
	}
	if !tokens {
		c.diags.Add(diag.Diagnostic{Code: "auth-without-identity", Message: "api " + strconv.Quote(api.Name) + " is called with the token of the caller, and the spec has no identity by which one comes with a token", Hint: `add identity "name" { oauth { … } }`, Range: api.Auth.Range})
	}
	if k := api.Cache; k != nil && k.Scope != nil && k.Scope.Value == "all" {
		c.diags.Add(diag.Diagnostic{Code: "shared-cache", Message: "api " + strconv.Quote(api.Name) + " is called with the token of the caller: its answers are not for all", Hint: `remove scope = "all" from cache`, Range: k.Scope.Range})
	}
}
