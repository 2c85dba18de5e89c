package compiler

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

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
func (c *compilation) checkCallerAuth(api *specs.API, auth *specs.Credential) {
	tokens := false
	for _, i := range c.doc.Identities {
		tokens = tokens || i.OAuth != nil
	}
	if !tokens {
		c.diags.Add(diag.Diagnostic{Code: "auth-without-identity", Message: "api " + strconv.Quote(api.Name) + " is called with the token of the caller, and the spec has no identity by which one comes with a token", Hint: `add identity "name" { oauth { … } }`, Range: auth.Range})
	}
	if k := api.Cache; k != nil && k.Scope != nil && k.Scope.Value == "all" {
		c.diags.Add(diag.Diagnostic{Code: "shared-cache", Message: "api " + strconv.Quote(api.Name) + " is called with the token of the caller: its answers are not for all", Hint: `remove scope = "all" from cache`, Range: k.Scope.Range})
	}
}

// secretOf is a reference to a secret.
func secretOf(s *specs.Secret) *plan.Secret {
	out := &plan.Secret{Name: s.Name, Env: s.Env, File: s.File, Exec: s.Exec, Timeout: s.Timeout, TTL: s.TTL}
	if s.Vault != "" {
		out.Vault = &plan.Vault{Path: s.Vault, Field: s.VaultField}
	}
	return out
}

// credential lowers what the author wrote for an API, or for one scheme of it.
func (c *compilation) credential(api *specs.API, k *specs.Credential, name string) *plan.Credential {
	none := noArguments(&c.diags, "auth of an api")
	out := &plan.Credential{Name: name, Kind: k.Kind, In: string(k.In), Param: k.Param, OAuth: oauthClient(k), HMAC: hmacSigning(k), Session: c.session(api, k)}
	if out.OfCaller() {
		c.checkCallerAuth(api, k)
	}
	if k.Value != nil {
		out.Value = lowerExpr(k.Value, none)
	}
	if s := k.AWS; s != nil {
		out.AWS = &plan.AWS{Region: s.Region.Str(), Service: s.Service.Str()}
		if s.Session != nil {
			x := lowerExpr(s.Session, none)
			out.AWS.Session = &x
		}
	}
	if k.Username != nil {
		u := lowerExpr(k.Username, none)
		out.Username = &u
	}
	return out
}

// session is how a credential logs in; nil when it does not.
func (c *compilation) session(api *specs.API, k *specs.Credential) *plan.Session {
	s := k.Session
	if s == nil || s.Login == nil {
		return nil
	}
	none := noArguments(&c.diags, "a login")
	expr := func(x *specs.Expr) *plan.Expr {
		if x == nil {
			return nil
		}
		out := lowerExpr(x, none)
		return &out
	}
	entries := func(list []specs.NamedExpr, style plan.Style) (out []plan.Param) {
		for _, e := range list {
			out = append(out, plan.Param{Name: e.Name, Value: expr(e.Value), Style: style})
		}
		return out
	}
	out := &plan.Session{
		Success: expr(s.Success), Ended: expr(s.Ended), Cookies: values(s.Cookies), Headers: entries(s.Headers, plan.Simple), Query: entries(s.Query, plan.Form),
		CSRFCookie: s.CSRFCookie.Str(), CSRFHeader: s.CSRFHeader.Str(), TTL: c.duration(s.TTL, 0),
		Shared: s.Scope != nil && s.Scope.Value == "all", Any: s.Repeat != nil && s.Repeat.Value == "any",
	}
	at := &apiContext{api: api, name: api.Name, auth: &authorizer{}}
	request := func(q *specs.Request) *plan.Request {
		r := &plan.Request{}
		c.handRequest(q, at, r, &handInputs{c: c, tool: &specs.Tool{}, values: map[string]plan.Expr{}, fixed: map[string]*specs.Input{}})
		r.Accept = cmp.Or(strings.Replace(r.Accept, "application/json, */*;q=0.5", "text/html, application/json, */*;q=0.5", 1), r.Accept)
		if s.BaseURL != nil {
			r.Server = s.BaseURL.Value
		}
		return r
	}
	out.Login = *request(s.Login)
	if s.Logout != nil {
		out.Logout = request(s.Logout)
	}
	if s.Page != nil {
		path, query, _ := strings.Cut(s.Page.Value, "?")
		q := &specs.Request{Method: "GET", Path: path, PathAt: s.Page.Range, Range: s.Page.Range}
		if values, err := url.ParseQuery(query); err == nil {
			for _, name := range slices.Sorted(maps.Keys(values)) {
				for _, v := range values[name] {
					q.Query = append(q.Query, specs.NamedExpr{Name: name, Value: &specs.Expr{Op: specs.ExprConst, Value: specs.NewString(v)}})
				}
			}
		}
		out.Page = request(q)
	}
	return out
}
