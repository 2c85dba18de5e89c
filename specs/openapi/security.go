package openapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// readSchemes reads the security schemes of the document, in order.
func (p *parser) readSchemes() []*specs.Scheme {
	var list []*specs.Scheme
	all := p.object(p.components("securitySchemes", "securityDefinitions"), "security schemes")
	if all == nil {
		return nil
	}
	for _, f := range all.Fields {
		if n := p.object(f.Value, "a security scheme"); n != nil {
			if s := p.scheme(f, n); s != nil {
				p.schemes[s.Name] = true
				list = append(list, s)
			}
		}
	}
	return list
}

func (p *parser) scheme(f specs.Field, n *specs.Node) *specs.Scheme {
	s := &specs.Scheme{Name: f.Key, Description: p.text(n.Get("description")), Range: f.KeyRange()}
	kind := p.text(n.Get("type"))
	switch strings.ToLower(kind) {
	case "basic": // Swagger 2.0, and a common slip in 3.x
		s.Kind = "basic"
	case "http":
		switch scheme := strings.ToLower(p.text(n.Get("scheme"))); scheme {
		case "basic", "bearer":
			s.Kind = scheme
		case "":
			return p.noScheme(f, "it names no HTTP scheme")
		default:
			s.Kind = "http:" + scheme
		}
	case "bearer", "jwt":
		p.warn("odd-security-scheme", f.KeyRange(), "write type: http and scheme: bearer", "the type %q of the security scheme %q is not known; it is taken as a bearer token", clip(kind), clip(f.Key))
		s.Kind = "bearer"
	case "apikey":
		s.Kind, s.In, s.Param = "apiKey", specs.In(strings.ToLower(p.text(n.Get("in")))), p.text(n.Get("name"))
		if s.In != specs.InHeader && s.In != specs.InQuery && s.In != specs.InCookie {
			return p.noScheme(f, fmt.Sprintf("an API key cannot be in %q", clip(string(s.In))))
		}
		if s.Param == "" {
			return p.noScheme(f, "it does not name the header, query parameter or cookie of the key")
		}
	case "oauth2":
		s.Kind = "oauth2"
	case "openidconnect":
		s.Kind = "openIdConnect"
	case "mutualtls":
		s.Kind = "mutualTLS"
	default:
		return p.noScheme(f, fmt.Sprintf("its type %q is not known", clip(kind)))
	}
	return s
}

func (p *parser) noScheme(f specs.Field, why string) *specs.Scheme {
	p.warn("odd-security-scheme", f.KeyRange(), "", "the security scheme %q is left out: %s", clip(f.Key), why)
	return nil
}

// security reads what an operation demands: its own list, or else the
// document's. Nil means nothing is needed.
func (p *parser) security(op *specs.Node) [][]specs.SchemeUse {
	n := op.Get("security")
	if n == nil || n.Kind == specs.Null {
		n = p.doc.Get("security")
	}
	var list [][]specs.SchemeUse
	dropped := false
	for _, f := range p.list(n, "security") {
		alternative := p.object(f.Value, "a security requirement")
		if alternative == nil {
			if f.Value.Kind == specs.Object {
				list = append(list, []specs.SchemeUse{})
			}
			continue
		}
		uses := []specs.SchemeUse{}
		missing := false
		for _, u := range alternative.Fields {
			name := u.Key
			if !p.schemes[name] {
				// OpenAPI 3.2 allows a reference in place of a name.
				if i := strings.LastIndexByte(name, '/'); i >= 0 && p.version == v32 && p.schemes[name[i+1:]] {
					name = name[i+1:]
				} else {
					p.unknownScheme(u)
					missing = true
					continue
				}
			}
			use := specs.SchemeUse{Scheme: name}
			for _, s := range p.list(u.Value, "scopes") {
				use.Scopes = append(use.Scopes, s.Value.Text)
			}
			uses = append(uses, use)
		}
		if missing {
			dropped = true
			continue
		}
		list = append(list, uses)
	}
	if dropped && len(list) == 0 {
		return nil // all that is known: the credential is not described
	}
	return list
}

func (p *parser) unknownScheme(u specs.Field) {
	var names []string
	for name := range p.schemes {
		names = append(names, name)
	}
	slices.Sort(names)
	hint := ""
	if p.hints < 50 && len(u.Key) < 64 {
		p.hints++
		if near := diag.Nearest(u.Key, names); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
	}
	p.warn("unknown-security-scheme", u.KeyRange(), hint, "the security scheme %q is not declared; the requirement is left out", clip(u.Key))
}
