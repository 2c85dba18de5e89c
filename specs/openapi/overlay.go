package openapi

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxOverlaid bounds the values that the overlays of a document add to it: one
// short action can change everything that "$..*" selects.
const maxOverlaid = 1_000_000

// overlay applies an OpenAPI Overlay (1.0 and 1.1) to the document that was
// read. What it adds keeps its place in the overlay. References in it start at
// the document, as the standard says.
func (p *parser) overlay(location string) {
	src, err := p.reader.Read(p.ctx, location)
	if err != nil {
		p.fail("unreadable", diag.Range{}, "", "%v", err)
		return
	}
	p.bySource[src] = p.root
	p.overlays = append(p.overlays, src)
	p.extended = p.extended || bytes.Contains(src.Text, []byte(extensionKey))
	root, diags := readText(src)
	p.diags = append(p.diags, diags...)
	if root == nil {
		return
	}
	version := root.Get("overlay")
	if text := version.Str(); text == "" || !strings.HasPrefix(text, "1.") {
		at := version.Range()
		if at.IsZero() {
			at = diag.Range{Source: src}
		}
		p.fail("not-an-overlay", at, `it says overlay: 1.0.0 at its top`, "%s is no OpenAPI Overlay of version 1", location)
		return
	}
	p.knownKeys(root, "an overlay", "overlay", "info", "extends", "actions")
	actions := root.Get("actions")
	if actions == nil || actions.Kind != specs.Array || len(actions.Fields) == 0 {
		p.warn("overlay-action", root.Range(), "", "the overlay has no actions")
		return
	}
	for _, f := range actions.Fields {
		p.action(f.Value)
	}
}

// knownKeys warns of keys that mean nothing.
func (p *parser) knownKeys(n *specs.Node, what string, keys ...string) {
	for _, f := range n.Fields {
		if strings.HasPrefix(f.Key, "x-") || slices.Contains(keys, f.Key) {
			continue
		}
		hint := "it has " + strings.Join(keys, ", ")
		if near := diag.Nearest(f.Key, keys); near != "" {
			hint = "did you mean " + quote(near) + "?"
		}
		p.warn("overlay-action", f.KeyRange(), hint, "%s has no key %s", what, quote(f.Key))
	}
}

func (p *parser) action(n *specs.Node) {
	if n.Kind != specs.Object {
		p.fail("overlay-action", n.Range(), "", "an action is an object")
		return
	}
	p.knownKeys(n, "an action", "target", "description", "update", "remove", "copy")
	target := n.Get("target")
	spots, ok := p.spots(target, n, "target")
	if !ok {
		return
	}
	update, from := n.Get("update"), n.Get("copy")
	remove := n.Get("remove").IsTrue()
	if !remove && update == nil && from == nil {
		p.fail("overlay-action", n.Range(), "write update, remove: true or copy", "the action says neither what to change nor to remove")
		return
	}
	if len(spots) == 0 {
		p.warn("overlay-matches-nothing", target.Range(), "", "%s selects nothing of the document", quote(target.Str()))
		return
	}
	if remove {
		p.remove(spots, target)
		return
	}
	if from != nil {
		sources, ok := p.spots(from, n, "copy")
		if !ok {
			return
		}
		if len(sources) != 1 {
			p.fail("overlay-action", from.Range(), "", "copy selects %d values; it must be one", len(sources))
			return
		}
		p.change(spots, sources[0].node.Clone(), from.Range())
	}
	if update != nil {
		p.change(spots, update, update.Range())
	}
}

// spots evaluates a path of an action.
func (p *parser) spots(n, action *specs.Node, key string) ([]spot, bool) {
	if n.Str() == "" {
		at := n.Range()
		if at.IsZero() {
			at = action.Range()
		}
		p.fail("overlay-action", at, `for example $.paths['/orders'].get`, "an action needs a %s, a JSONPath", key)
		return nil, false
	}
	path, err := compilePath(n.Str())
	if err != nil {
		p.fail("overlay-action", n.Range(), "paths are JSONPath (RFC 9535)", "%v", err)
		return nil, false
	}
	spots, err := path.find(p.doc)
	if err != nil {
		p.fail("overlay-action", n.Range(), "", "%v", err)
		return nil, false
	}
	return spots, true
}

func (p *parser) remove(spots []spot, target *specs.Node) {
	gone := map[*specs.Node]bool{}
	parents := map[*specs.Node]bool{}
	for _, s := range spots {
		if s.parent == nil {
			p.fail("overlay-action", target.Range(), "", "the whole document cannot be removed")
			return
		}
		gone[s.node], parents[s.parent] = true, true
	}
	for parent := range parents {
		parent.Fields = slices.DeleteFunc(parent.Fields, func(f specs.Field) bool { return gone[f.Value] })
	}
}

// change merges a value into every selected one.
func (p *parser) change(spots []spot, v *specs.Node, at diag.Range) {
	size := nodes(v)
	for _, s := range spots {
		if p.overlaid += size; p.overlaid > maxOverlaid {
			p.fail("too-large", at, "", "the overlays add more than %d values to the document", maxOverlaid)
			return
		}
		switch {
		case s.node.Kind == specs.Array:
			s.node.Fields = append(slices.Clip(s.node.Fields), specs.Field{Value: v.Clone(), KeyStart: -1})
		case s.node.Kind == specs.Object && v.Kind == specs.Object:
			merge(s.node, v)
		case s.node.Kind == specs.Object:
			p.fail("overlay-action", at, "", "an object is updated with an object")
			return
		case s.parent != nil: // a primitive, since 1.1
			s.parent.Fields[s.index].Value = v.Clone()
			s.parent.Fields[s.index].KeyStart = -1
		}
	}
}

// merge puts the members of an object into another: objects are merged, lists
// appended, everything else replaced.
func merge(into, v *specs.Node) {
	for _, f := range v.Fields {
		i := slices.IndexFunc(into.Fields, func(g specs.Field) bool { return g.Key == f.Key })
		switch {
		case i < 0:
			into.Fields = append(slices.Clip(into.Fields), specs.Field{Key: f.Key, Value: f.Value.Clone(), KeyStart: f.KeyStart})
		case into.Fields[i].Value.Kind == specs.Object && f.Value.Kind == specs.Object:
			merge(into.Fields[i].Value, f.Value)
		case into.Fields[i].Value.Kind == specs.Array && f.Value.Kind == specs.Array:
			old := into.Fields[i].Value
			old.Fields = append(slices.Clip(old.Fields), f.Value.Clone().Fields...)
		default:
			into.Fields[i] = specs.Field{Key: f.Key, Value: f.Value.Clone(), KeyStart: f.KeyStart}
		}
	}
}

// nodes counts the values in a value.
func nodes(n *specs.Node) int {
	count := 1
	for _, f := range n.Fields {
		count += nodes(f.Value)
	}
	return count
}
