package openapi

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// identifiers holds what JSON Schema's $id, $anchor and $dynamicAnchor and
// OpenAPI 3.2's $self name in one file.
type identifiers struct {
	anchors map[string]*specs.Node // of the file, the first of each name
	bases   map[*specs.Node]string // by the text node of a reference: the $id it is relative to
	self    string                 // base of the whole file
}

// namesSchemas reports whether a text may name schemas otherwise than by their
// place. Few do, and looking for the names costs a walk over everything.
func namesSchemas(text []byte) bool {
	for _, word := range []string{`$id"`, `$id'`, `$id:`, "$anchor", "$dynamicAnchor", "$self"} {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

func (p *parser) identify(f *file) {
	f.ids = &identifiers{anchors: map[string]*specs.Node{}, bases: map[*specs.Node]string{}}
	if self := f.root.Get("$self").Str(); self != "" {
		f.ids.self = absolute(f.location, self)
		p.ids[f.ids.self] = f.root
	}
	p.identifyNode(f, f.root, "")
}

func (p *parser) identifyNode(f *file, n *specs.Node, base string) {
	if n.Kind == specs.Object {
		if id := n.Get("$id").Str(); id != "" {
			id, _, _ = strings.Cut(id, "#")
			under := base
			if under == "" {
				under = f.base()
			}
			base = absolute(under, id)
			if p.ids[base] == nil {
				p.ids[base] = n
			}
		}
		for _, key := range [...]string{"$anchor", "$dynamicAnchor"} {
			if a := n.Get(key).Str(); a != "" {
				if f.ids.anchors[a] == nil {
					f.ids.anchors[a] = n
				}
				if k := base + "#" + a; base != "" && p.ids[k] == nil {
					p.ids[k] = n
				}
			}
		}
		if base != "" {
			for _, key := range [...]string{"$ref", "$dynamicRef", "$recursiveRef"} {
				if ref := n.Get(key); ref != nil {
					f.ids.bases[ref] = base
				}
			}
		}
	}
	for i := range n.Fields {
		if v := n.Fields[i].Value; v.Fields != nil {
			p.identifyNode(f, v, base)
		}
	}
}

// base is what references in f are relative to by the standard: $self, or else
// where it was read.
func (f *file) base() string {
	if f.ids != nil && f.ids.self != "" {
		return f.ids.self
	}
	return f.location
}

// absolute resolves ref against base (RFC 3986).
func absolute(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	u, err := b.Parse(ref)
	if err != nil {
		return ref
	}
	u.Fragment = ""
	return u.String()
}

// byIdentifier finds the target of a reference by a name its document gives it.
func (p *parser) byIdentifier(f *file, base, address, fragment, ref string) (target, bool) {
	if len(p.ids) == 0 {
		return target{}, false
	}
	if base == "" {
		base = f.base()
	}
	at := absolute(base, address)
	n := p.ids[at]
	if n == nil {
		return target{}, false
	}
	if fragment == "" || fragment[0] == '/' {
		t := p.inside(f, n, fragment, ref)
		if fragment == "" {
			t.name = at[strings.LastIndexByte(at, '/')+1:]
		}
		return t, true
	}
	if a := p.ids[at+"#"+fragment]; a != nil {
		return target{node: a, name: fragment}, true
	}
	if other := p.bySource[n.Source]; other != nil && n == other.root {
		return p.inside(other, n, fragment, ref), true
	}
	return dangling("the reference %q leads nowhere: no schema there has the anchor %q", clip(ref), clip(fragment)), true
}
