package codegen

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Names of the generated package, given so that adding an operation renames
// nothing else. A tool's types are called after the tool, a named schema's after
// the schema, a part's after what it is part of; of names that would meet, the
// later in this order ends in a hash of what it names.

// reserved are the package's own names.
var reserved = []string{"Bridge", "Client", "New", "NewBridge", "Plan", "Tools"}

// tool is a tool of the plan with all that is generated for it.
type tool struct {
	*plan.Tool
	method string // of Tools
	file   string // name of its file, without .go
	input  *decl
	output *decl // nil: the result is not typed
}

// server is all that is generated from.
type server struct {
	*plan.Server
	pkg   string
	tools []*tool // in the order of the plan
	defs  []*decl // named schemas in reach, by Go name
}

// newServer makes the types of a server's tools and names everything.
func newServer(p *plan.Server, m *plan.Model, pkg string) (*server, error) {
	if len(m.Tools) != len(p.Tools) {
		return nil, fmt.Errorf("the model has %d tools and the plan %d", len(m.Tools), len(p.Tools))
	}
	b, err := newBuilder(m)
	if err != nil {
		return nil, err
	}
	s := &server{Server: p, pkg: pkg}
	methods, files := toolNames(p)
	for i := range p.Tools {
		t := &tool{Tool: &p.Tools[i], method: methods[p.Tools[i].Name], file: files[p.Tools[i].Name], input: &decl{input: true}}
		n, err := parse(m.Tools[i].Input)
		if err != nil {
			return nil, fmt.Errorf("tool %s: %w", t.Name, err)
		}
		b.root(n, t.input)
		if m.Tools[i].Output != "" {
			if n, err = parse(m.Tools[i].Output); err != nil {
				return nil, fmt.Errorf("tool %s: %w", t.Name, err)
			}
			t.output = &decl{}
			b.root(n, t.output)
		}
		s.tools = append(s.tools, t)
	}
	unite(m, b.defs)
	for _, t := range s.tools {
		t.input.use(&s.defs)
		if t.output != nil {
			t.output.use(&s.defs)
		}
	}
	s.name(m)
	circles(s)
	return s, nil
}

// fileSuffix ends the names of tools' files, so that one like build_linux.go
// means nothing to Go.
const fileSuffix = "_tool"

// toolNames gives every tool its method and its file. What the author said of a
// method wins.
func toolNames(p *plan.Server) (methods, files map[string]string) {
	var names []string
	said := map[string]string{}
	for i := range p.Tools {
		if m := p.Tools[i].Method; m != "" {
			said[p.Tools[i].Name] = m
		} else {
			names = append(names, p.Tools[i].Name)
		}
	}
	taken := map[string]bool{}
	for _, m := range said {
		taken[m] = true
	}
	methods = unique(names, methodName)
	for name, m := range methods {
		if taken[m] {
			methods[name] = m + hashed(name)
		}
	}
	for name, m := range said {
		methods[name] = m
	}
	all := append(names, slices.Sorted(maps.Keys(said))...)
	files = unique(all, func(name string) string {
		return strings.Trim(strings.ToLower(strings.Join(words(name), "_")), "_")
	})
	for name, f := range files {
		files[name] = strings.ToLower(f) + fileSuffix
	}
	return methods, files
}

// methodName is goName, but for the name of the field that embeds the Bridge:
// it would hide the method.
func methodName(tool string) string {
	n := goName(tool)
	if n == "Bridge" {
		n += "Tool"
	}
	return n
}

// unite finds named schemas that are no different as arguments and as answers,
// and makes them one type each. Whether they are depends on nothing but
// themselves and what they refer to.
func unite(m *plan.Model, defs map[string]*decl) {
	byName := map[plan.DefName][]*decl{}
	for i := range m.Defs {
		d := defs[m.Defs[i].Key]
		byName[d.def.DefName] = append(byName[d.def.DefName], d)
	}
	alike := map[plan.DefName]bool{}
	refers := map[plan.DefName][]plan.DefName{}
	for name, ds := range byName {
		if len(ds) != 2 {
			continue
		}
		var a, z strings.Builder
		ds[0].sign(&a)
		ds[1].sign(&z)
		alike[name] = a.String() == z.String() && ds[0].null == ds[1].null
		ds[0].references(func(d *decl) { refers[name] = append(refers[name], d.def.DefName) })
	}
	for changed := true; changed; {
		changed = false
		for name, is := range alike {
			if is && slices.ContainsFunc(refers[name], func(to plan.DefName) bool { return !alike[to] }) {
				alike[name], changed = false, true
			}
		}
	}
	for name, is := range alike {
		if is {
			in, out := byName[name][0], byName[name][1]
			if in.def.Output {
				in, out = out, in
			}
			in.same = out
		}
	}
}

// types calls f with every type that stands in d itself.
func (d *decl) types(f func(*typ)) {
	if d.elem != nil {
		f(d.elem)
	}
	if d.extra != nil {
		f(d.extra)
	}
	for _, x := range d.fields {
		f(x.typ)
	}
	for _, v := range d.variants {
		f(v.typ)
	}
}

// references calls f with every named schema that d refers to, through its parts.
func (d *decl) references(f func(*decl)) {
	var visit func(t *typ)
	visit = func(t *typ) {
		switch {
		case t.elem != nil:
			visit(t.elem)
		case t.decl != nil && t.decl.def != nil:
			f(t.decl)
		}
	}
	d.types(visit)
	for _, p := range d.parts {
		p.references(f)
	}
}

// use marks what d needs, and collects the named schemas.
func (d *decl) use(defs *[]*decl) {
	d.references(func(to *decl) {
		if to = to.real(); !to.used {
			to.used = true
			*defs = append(*defs, to)
			to.use(defs)
		}
	})
}

// name gives everything its Go name.
func (s *server) name(m *plan.Model) {
	taken := map[string]bool{}
	for _, n := range reserved {
		taken[n] = true
	}
	take := func(name, what string) string {
		if taken[name] || name == "" {
			name += hashed(what)
		}
		taken[name] = true
		return name
	}
	// A tool's types end in Input and Output, no other does.
	for _, t := range s.tools {
		t.input.name = take(t.method+"Input", t.Name)
		if t.output != nil {
			t.output.name = take(t.method+"Output", t.Name)
		}
	}
	schemas := schemaNames(m)
	for _, name := range slices.SortedFunc(maps.Keys(schemas), byName) { // in reach or not
		schemas[name] = take(schemas[name], name.API+" "+name.Name)
	}
	slices.SortFunc(s.defs, func(a, b *decl) int {
		return cmp.Or(byName(a.def.DefName, b.def.DefName), cmp.Compare(a.def.Key, b.def.Key))
	})
	for _, d := range s.defs {
		if d.name = schemas[d.def.DefName]; !d.def.Output { // an argument that is no different from the answer is declared as that
			d.name = take(d.name+"Param", d.def.API+" "+d.def.Name)
		}
	}
	s.each(func(d *decl) {
		for _, p := range d.parts {
			p.name = take(d.name+p.suffix, d.name+" "+p.suffix)
		}
	})
	s.each(func(d *decl) {
		if d.form == enumType {
			names := unique(d.values, func(v string) string { return constantName(d.name, v) })
			for _, v := range d.values {
				d.constants = append(d.constants, take(d.name+names[v], d.name+" "+v))
			}
		}
	})
	s.each((*decl).nameVariants)
	slices.SortFunc(s.defs, func(a, b *decl) int { return cmp.Compare(a.name, b.name) })
}

// each calls f with every declaration, those of parts after what they are part
// of.
func (s *server) each(f func(*decl)) {
	var down func(d *decl)
	down = func(d *decl) {
		f(d)
		for _, p := range d.parts {
			down(p)
		}
	}
	for _, d := range s.defs {
		down(d)
	}
	for _, t := range byMethod(s.tools) {
		down(t.input)
		if t.output != nil {
			down(t.output)
		}
	}
}

// constantName is what follows the name of an enum in that of a value's constant.
func constantName(enum, value string) string {
	if value == "" {
		return "Empty"
	}
	n := goName(value)
	if isDigit(value[0]) && !isDigit(enum[len(enum)-1]) {
		n = n[1:] // no letter is needed in front
	}
	return n
}

// nameVariants names the methods of a union after its types.
func (d *decl) nameVariants() {
	taken := map[string]bool{"": true}
	for _, v := range d.variants {
		if v.name == "" {
			v.name = v.typ.word()
		}
		if taken[v.name] {
			v.name += hashed(signature(v.typ))
		}
		taken[v.name] = true
	}
}

// word is what a type is called in the name of a union's method.
func (t *typ) word() string {
	switch t.kind {
	case slice:
		return t.elem.word() + "List"
	case mapping:
		return t.elem.word() + "Map"
	case raw:
		return "JSON"
	case named:
		return t.decl.real().name
	}
	return strings.ToUpper(t.name[:1]) + t.name[1:]
}

func byName(a, b plan.DefName) int {
	return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.Name, b.Name))
}

func byMethod(tools []*tool) []*tool {
	return slices.SortedFunc(slices.Values(tools), func(a, b *tool) int { return cmp.Compare(a.method, b.method) })
}

// schemaNames are the Go names of all named schemas. A name that several APIs
// have is led by the API's.
func schemaNames(m *plan.Model) map[plan.DefName]string {
	byAPI := map[string][]string{}
	apis := map[string]int{} // how many APIs have a name
	all := slices.Clone(m.Names)
	for i := range m.Defs { // those with other keys are not among the names
		if !slices.Contains(all, m.Defs[i].DefName) {
			all = append(all, m.Defs[i].DefName)
		}
	}
	for _, n := range all {
		byAPI[n.API] = append(byAPI[n.API], n.Name)
	}
	out := map[plan.DefName]string{}
	for api, names := range byAPI {
		for name, n := range unique(names, schemaName) {
			out[plan.DefName{API: api, Name: name}] = n
			apis[n]++
		}
	}
	for name, n := range out {
		if apis[n] > 1 {
			out[name] = goName(name.API) + n
		}
	}
	return out
}

// domain is what names like io.k8s.api.core.v1.Pod begin with.
var domain = regexp.MustCompile(`^(com|dev|io|net|org)\.\w+\.\b`)

func schemaName(name string) string {
	n := goName(name[len(domain.FindString(name)):])
	if strings.HasSuffix(n, "Input") || strings.HasSuffix(n, "Output") || slices.Contains(reserved, n) {
		n += "Model"
	}
	return n
}

// fieldName is goName, but for names of methods that structs have.
func fieldName(key string) string {
	n := goName(key)
	if n == "MarshalJSON" || n == "UnmarshalJSON" {
		n += "Field"
	}
	return n
}

// circles finds structs that hold each other by value, which Go does not allow:
// within a circle they are held by pointers.
func circles(s *server) {
	index, low, on := map[*decl]int{}, map[*decl]int{}, map[*decl]bool{}
	var stack []*decl
	next, circle := 0, 0
	var visit func(d *decl)
	visit = func(d *decl) {
		next++
		index[d], low[d] = next, next
		stack = append(stack, d)
		on[d] = true
		self := false
		for _, to := range d.holds() {
			self = self || to == d
			if index[to] == 0 {
				visit(to)
				low[d] = min(low[d], low[to])
			} else if on[to] {
				low[d] = min(low[d], index[to])
			}
		}
		if low[d] != index[d] {
			return
		}
		circle++
		alone := stack[len(stack)-1] == d && !self
		for {
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			on[last] = false
			if !alone {
				last.circle = circle
			}
			if last == d {
				return
			}
		}
	}
	s.each(func(d *decl) {
		if index[d] == 0 {
			visit(d)
		}
	})
}

// holds are the declarations whose values are part of a value of d.
func (d *decl) holds() (list []*decl) {
	if d.form == aliasOf && d.elem.kind == named {
		return []*decl{d.elem.decl.real()}
	}
	for _, f := range d.fields {
		if f.required && f.typ.kind == named && !f.typ.nullable() {
			list = append(list, f.typ.decl.real())
		}
	}
	return list
}

// nullable reports whether null is a value of the type.
func (t *typ) nullable() bool { return t.null || t.kind == named && t.decl.real().null }
