package compiler

import (
	"cmp"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The model of a server, for generators: every schema whole, every named schema
// once and under its name. Nothing here has a say in what a server does.

// roots are the schemas of one tool before they were cut. out is nil when the
// tool declares no output.
type roots struct{ in, out *schema }

// modeler collects what the schemas of the tools refer to.
type modeler struct {
	keys  map[*def]string
	model plan.Model
	todo  []*def
}

// model writes the model of a server. Tools are found in lowered by name.
func (c *compilation) model(s *plan.Server, apis map[string]*apiContext, lowered map[string]roots) *plan.Model {
	m := &modeler{keys: map[*def]string{}}
	// Both directions of a name belong together: whether they are alike must not
	// depend on which of them a tool happens to use.
	twin := map[*def]*def{}
	api := map[*def]string{}
	for _, a := range c.doc.APIs {
		x := apis[a.Name]
		for name, d := range x.in.defs {
			o := x.out.defs[name]
			twin[d], twin[o] = o, d
			api[d], api[o] = a.Name, a.Name
			m.keys[d] = "in." + a.Name + "." + d.key
			m.keys[o] = "out." + a.Name + "." + o.key
			m.model.Names = append(m.model.Names, plan.DefName{API: a.Name, Name: name})
		}
		for name, d := range x.inHashed().defs { // the same schemas with other keys
			d.name = name + " renamed"
			twin[d], api[d] = d, a.Name
			m.keys[d] = "renamed." + a.Name + "." + d.key
		}
	}
	slices.SortFunc(m.model.Names, byName)
	for i := range s.Tools {
		r := lowered[s.Tools[i].Name]
		t := plan.ToolModel{Input: m.whole(r.in)}
		if r.out != nil && s.Tools[i].Output != "" {
			t.Output = m.whole(r.out)
		}
		m.model.Tools = append(m.model.Tools, t)
	}
	seen := map[*def]bool{}
	for len(m.todo) > 0 {
		d := m.todo[len(m.todo)-1]
		m.todo = m.todo[:len(m.todo)-1]
		if seen[d] {
			continue
		}
		seen[d] = true
		m.model.Defs = append(m.model.Defs, plan.Def{DefName: plan.DefName{API: api[d], Name: d.name}, Key: m.keys[d], Output: d.l.dir == output, Schema: m.whole(d.schema())})
		m.todo = append(m.todo, twin[d])
	}
	slices.SortFunc(m.model.Defs, func(a, b plan.Def) int {
		return cmp.Or(byName(a.DefName, b.DefName), cmp.Compare(a.Key, b.Key))
	})
	return &m.model
}

// whole writes a schema without a budget. Every reference stays one.
func (m *modeler) whole(s *schema) plan.Schema {
	e := emitter{effort: effort{all: true, textMax: maxText, words: true}, budget: huge << 8, uses: map[*def]*use{}, names: m.keys}
	e.schema(s)
	for d := range e.uses {
		m.todo = append(m.todo, d)
	}
	return plan.Schema(e.buf)
}

func byName(a, b plan.DefName) int {
	return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.Name, b.Name))
}
