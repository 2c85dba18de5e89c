package hclspec

import (
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// What an operation of a document offers to the blocks that are about it: inputs
// and fields of the body to name, paths into its answer.

// argument is an input that a tool can have.
type argument struct {
	name     string
	typ      string // in words
	doc      string
	required bool
	place    diag.Range
}

// owner is the block around b whose inputs args refers to.
func (v *View) owner(b *outlineBlock) *outlineBlock {
	for ; b != nil && b.parent != nil; b = b.parent {
		if c := v.kindOf(b); c != nil && c.child("input") != nil {
			return b
		}
	}
	return nil
}

// arguments are the inputs of a tool or override: those it declares, then those
// of its operation.
func (v *View) arguments(t outlined, owner *outlineBlock) []argument {
	list := declaredInputs(t, owner)
	for _, a := range v.offered(t, owner) {
		if !slices.ContainsFunc(list, func(b argument) bool { return b.name == a.name }) {
			list = append(list, a)
		}
	}
	return list
}

func declaredInputs(t outlined, owner *outlineBlock) []argument {
	var list []argument
	for _, b := range owner.blocks {
		if b.name != "input" || len(b.labels) == 0 {
			continue
		}
		a := argument{name: b.label(), place: declared{outlined: t, block: b}.place(), required: b.attr("optional") == nil && b.attr("default") == nil}
		if typ := b.attr("type"); typ != nil {
			a.typ = t.sourceText(typ.value)
		}
		if d := b.attr("description"); d != nil {
			a.doc = strings.Trim(t.sourceText(d.value), `"`)
		}
		list = append(list, a)
	}
	return list
}

// offered are the arguments of the operation that a tool is derived from; of an
// override those of all operations its pattern may mean.
func (v *View) offered(t outlined, owner *outlineBlock) []argument {
	if r := t.reference(owner.attr("operation")); len(r) == 3 && r[0] == "api" {
		if api, op := v.operation(r[1], r[2]); op != nil {
			return operationArguments(api, op)
		}
		return nil
	}
	if owner.name != "override" || owner.parent == nil {
		return nil
	}
	api := owner.parent.label()
	if of, op := v.operation(api, owner.label()); op != nil {
		return operationArguments(of, op)
	}
	var list []argument
	seen := map[string]bool{}
	for _, op := range v.operations(api) {
		for _, q := range op.Params {
			if !seen[q.Name] && len(list) < maxOffered {
				seen[q.Name] = true
				list = append(list, parameterArgument(q))
			}
		}
	}
	return list
}

// maxOffered is how many names of one kind an editor is offered at most.
const maxOffered = 500

func parameterArgument(q *specs.Param) argument {
	return argument{name: q.Name, typ: schemaWords(q.Schema), doc: brief(q.Description, 300), required: q.Required, place: q.Range}
}

// operationArguments are the inputs of a tool derived from an operation:
// parameters by their names, then the body and its fields.
func operationArguments(api *specs.API, op *specs.Operation) []argument {
	var list []argument
	for _, q := range op.Params {
		list = append(list, parameterArgument(q))
	}
	if op.Body == nil {
		return list
	}
	list = append(list, argument{name: "body", typ: "object", doc: brief(op.Body.Description, 300), required: op.Body.Required, place: op.Body.Range})
	for _, m := range op.Body.Media {
		if m.Schema != nil {
			return newSchemas(api).bodyFields(list, m.Schema, "body", 0)
		}
	}
	return list
}

// resolved follows the references of a schema; nil: they lead nowhere.
func resolved(api *specs.API, schema *specs.Node) *specs.Node {
	for range 20 {
		ref, ok := strings.CutPrefix(schema.Get("$ref").Str(), "#/$defs/")
		if !ok {
			return schema
		}
		if schema = api.Schemas[ref]; schema == nil {
			return nil
		}
	}
	return nil
}

// schemas walks the schemas of an API. left keeps the work small for documents
// whose schemas are made of themselves many times over.
type schemas struct {
	api   *specs.API
	left  int // schemas still to look at
	depth int // of schemas that are made of others
}

func newSchemas(api *specs.API) *schemas { return &schemas{api: api, left: 20_000} }

// eachField visits the properties of a schema and of those it is made of.
func (s *schemas) eachField(schema *specs.Node, visit func(name string, of *specs.Node, required bool)) {
	schema = resolved(s.api, schema)
	if s.left--; s.left < 0 || schema == nil || schema.Kind != specs.Object {
		return
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		if parts := schema.Get(key); parts != nil && parts.Kind == specs.Array && s.depth < 5 {
			s.depth++
			for _, f := range parts.Fields {
				s.eachField(f.Value, visit)
			}
			s.depth--
		}
	}
	properties, required := schema.Get("properties"), schema.Get("required")
	if properties == nil {
		return
	}
	s.left -= len(properties.Fields)
	for _, f := range properties.Fields {
		visit(f.Key, f.Value, required != nil && slices.ContainsFunc(required.Fields, func(r specs.Field) bool { return r.Value.Str() == f.Key }))
	}
}

// bodyFields appends the fields of a schema, as body.name, and those of objects
// inside to a depth where names are still readable.
func (s *schemas) bodyFields(list []argument, schema *specs.Node, path string, depth int) []argument {
	if depth > 3 {
		return list
	}
	s.eachField(schema, func(name string, of *specs.Node, required bool) {
		name = path + "." + name
		if len(list) >= maxOffered || slices.ContainsFunc(list, func(a argument) bool { return a.name == name }) {
			return
		}
		list = append(list, argument{name: name, typ: schemaWords(of), doc: brief(of.Get("description").Str(), 300), required: required, place: of.Range()})
		list = s.bodyFields(list, of, name, depth+1)
	})
	return list
}

// resultPaths are the paths into the answer of the operation that the tool or
// override around is made of; below the root of the response block, if it has one.
func (c *completer) resultPaths(belowRoot bool) []argument {
	owner := c.owner(c.block)
	if owner == nil {
		return nil
	}
	name := []string{"", "", ""}
	switch r := c.reference(owner.attr("operation")); {
	case len(r) == 3:
		name = r
	case owner.name == "override" && owner.parent != nil:
		name = []string{"api", owner.parent.label(), owner.label()}
	}
	api, op := c.operation(name[1], name[2])
	if op == nil {
		return nil
	}
	for _, r := range op.Responses {
		if !strings.HasPrefix(r.Status, "2") {
			continue
		}
		for _, m := range r.Media {
			if m.Schema == nil {
				continue
			}
			schema, walk := m.Schema, newSchemas(api)
			if root := c.block.attr("root"); root != nil && belowRoot {
				for _, step := range strings.Split(strings.Trim(c.sourceText(root.value), `"`), ".") {
					of := specs.NewObject()
					walk.eachField(elementOf(api, schema), func(name string, member *specs.Node, _ bool) {
						if name == strings.TrimSuffix(step, "[]") {
							of = member
						}
					})
					schema = of
				}
			}
			return walk.pathsInto(nil, elementOf(api, schema), "", 0)
		}
	}
	return nil
}

// elementOf is the schema of a list's elements, or the schema itself.
func elementOf(api *specs.API, schema *specs.Node) *specs.Node {
	for range 5 {
		of := resolved(api, schema)
		if of == nil || of.Get("items") == nil {
			break
		}
		schema = of.Get("items")
	}
	return schema
}

func (s *schemas) pathsInto(list []argument, schema *specs.Node, path string, depth int) []argument {
	if depth > 3 {
		return list
	}
	s.eachField(schema, func(name string, of *specs.Node, _ bool) {
		if strings.ContainsAny(name, ". '[]*") {
			name = "'" + name + "'"
		}
		name = path + name
		if len(list) >= maxOffered || slices.ContainsFunc(list, func(a argument) bool { return a.name == name }) {
			return
		}
		list = append(list, argument{name: name, typ: schemaWords(of), doc: brief(of.Get("description").Str(), 300)})
		inside := name + "."
		if element := elementOf(s.api, of); element != of {
			inside, of = name+"[].", element
		}
		list = s.pathsInto(list, of, inside, depth+1)
	})
	return list
}

// schemaWords says the type of a schema in a few words.
func schemaWords(n *specs.Node) string { return typeWords(n, 0) }

func typeWords(n *specs.Node, depth int) string {
	if n == nil || n.Kind != specs.Object || depth > 5 {
		return "any"
	}
	if enum := n.Get("enum"); enum != nil && enum.Kind == specs.Array {
		var words []string
		for i, f := range enum.Fields {
			if i == 8 {
				words = append(words, "…")
				break
			}
			words = append(words, valueText(f.Value))
		}
		return "enum(" + strings.Join(words, ", ") + ")"
	}
	switch t := n.Get("type"); {
	case t == nil:
		if ref, ok := strings.CutPrefix(n.Get("$ref").Str(), "#/$defs/"); ok {
			return ref
		}
		return "any"
	case t.Kind == specs.String && t.Text == "array":
		return "list(" + typeWords(n.Get("items"), depth+1) + ")"
	case t.Kind == specs.String:
		return typeWord(t.Text)
	case t.Kind == specs.Array:
		var words []string
		for _, f := range t.Fields {
			words = append(words, typeWord(f.Value.Str()))
		}
		return strings.Join(words, " or ")
	}
	return "any"
}
