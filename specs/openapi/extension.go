package openapi

import (
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// x-mcp is the document's own word on the tools that become of it. At the top of
// the document and in a path item it holds for all operations below, in an
// operation for that one, in a parameter or a field of a body for that input.
const extensionKey = "x-mcp"

var (
	toolKeys   = []string{"name", "title", "description", "deprecated", "expose", "enabled", "read_only", "destructive", "idempotent", "open_world"}
	sharedKeys = toolKeys[4:]
	inputKeys  = []string{"description", "deprecated", "hide", "default", "value"}
)

// extension reads x-mcp of an operation, over that of its path item and of the
// document, with what its inputs say.
func (p *parser) extension(item, n *specs.Node) *specs.Extension {
	if !p.extended {
		return nil
	}
	x := &specs.Extension{}
	found := p.toolExtension(x, p.doc, sharedKeys)
	if item != p.doc && item != n {
		found = p.toolExtension(x, item, sharedKeys) || found
	}
	found = p.toolExtension(x, n, toolKeys) || found
	seen := map[string]bool{}
	for _, list := range []*specs.Node{n.Get("parameters"), item.Get("parameters")} {
		if list == nil || list.Kind != specs.Array {
			continue
		}
		for _, f := range list.Fields {
			d := p.deref(f.Value)
			name := d.Get("name").Str()
			if name == "" || d.Get("in").Str() == "body" || seen[name] {
				continue
			}
			seen[name] = true
			for _, of := range []*specs.Node{d, d.Get("schema")} {
				if in := p.inputExtension(name, of); in != nil {
					x.Inputs = append(x.Inputs, in)
					break
				}
			}
		}
	}
	for _, f := range p.bodyFields(n, item) {
		if in := p.inputExtension("body."+f.Key, f.Value); in != nil {
			x.Inputs = append(x.Inputs, in)
		}
	}
	if !found && x.Inputs == nil {
		return nil
	}
	return x
}

// bodyFields are the members of the body's schema, as far as they are written in
// the schema itself.
func (p *parser) bodyFields(n, item *specs.Node) []specs.Field {
	var schema *specs.Node
	if body := p.deref(n.Get("requestBody")); body != nil {
		if content := body.Get("content"); content != nil && content.Kind == specs.Object && len(content.Fields) > 0 {
			schema = content.Fields[0].Value.Get("schema")
		}
	}
	for _, list := range []*specs.Node{n.Get("parameters"), item.Get("parameters")} {
		if schema != nil || list == nil || list.Kind != specs.Array {
			continue
		}
		for _, f := range list.Fields {
			if d := p.deref(f.Value); d.Get("in").Str() == "body" {
				schema = d.Get("schema")
			}
		}
	}
	schema = p.deref(schema)
	if properties := schema.Get("properties"); properties != nil && properties.Kind == specs.Object {
		return properties.Fields
	}
	return nil
}

// toolExtension adds x-mcp of one node to x.
func (p *parser) toolExtension(x *specs.Extension, of *specs.Node, keys []string) bool {
	n := p.extensionObject(of, keys)
	if n == nil {
		return false
	}
	x.Range = n.Range()
	for _, f := range n.Fields {
		switch f.Key {
		case "name":
			x.Name = p.extensionText(f)
		case "title":
			x.Title = p.extensionText(f)
		case "description":
			x.Description = p.extensionText(f)
		case "deprecated":
			x.Deprecated = p.extensionText(f)
		case "expose", "enabled":
			x.Expose = p.extensionFlag(f)
		case "read_only":
			x.Hints.ReadOnly = p.extensionFlag(f)
		case "destructive":
			x.Hints.Destructive = p.extensionFlag(f)
		case "idempotent":
			x.Hints.Idempotent = p.extensionFlag(f)
		case "open_world":
			x.Hints.OpenWorld = p.extensionFlag(f)
		}
	}
	return true
}

func (p *parser) inputExtension(path string, of *specs.Node) *specs.Input {
	n := p.extensionObject(of, inputKeys)
	if n == nil {
		return nil
	}
	in := &specs.Input{Path: path, Range: n.Range()}
	for _, f := range n.Fields {
		switch f.Key {
		case "description":
			in.Description = p.extensionText(f)
		case "deprecated":
			in.Deprecated = p.extensionText(f)
		case "hide":
			in.Hide = p.extensionFlag(f)
		case "default":
			in.Default = f.Value
		case "value":
			in.Value = &specs.Expr{Op: specs.ExprConst, Value: f.Value, Range: f.Value.Range()}
		}
	}
	return in
}

// extensionObject is x-mcp of a node, with a warning for every key it cannot
// have.
func (p *parser) extensionObject(of *specs.Node, keys []string) *specs.Node {
	n := of.Get(extensionKey)
	if n == nil {
		return nil
	}
	if n.Kind != specs.Object {
		p.warn("x-mcp", n.Range(), "its keys are "+strings.Join(keys, ", "), "x-mcp must be an object; it is left out")
		return nil
	}
	for _, f := range n.Fields {
		if !slices.Contains(keys, f.Key) {
			hint := "it has " + strings.Join(keys, ", ")
			if near := diag.Nearest(f.Key, keys); near != "" {
				hint = "did you mean " + quote(near) + "?"
			}
			p.warn("x-mcp", f.KeyRange(), hint, "x-mcp has no key %s here; it is left out", quote(f.Key))
		}
	}
	return n
}

func (p *parser) extensionText(f specs.Field) *specs.Text {
	if f.Value.Kind != specs.String || strings.TrimSpace(f.Value.Text) == "" {
		p.warn("x-mcp", f.Value.Range(), "", "%s of x-mcp must be text; it is left out", quote(f.Key))
		return nil
	}
	return &specs.Text{Value: f.Value.Text, Range: f.Value.Range()}
}

func (p *parser) extensionFlag(f specs.Field) *specs.Flag {
	if f.Value.Kind != specs.Bool {
		p.warn("x-mcp", f.Value.Range(), "", "%s of x-mcp must be true or false; it is left out", quote(f.Key))
		return nil
	}
	return &specs.Flag{Value: f.Value.IsTrue(), Range: f.Value.Range()}
}
