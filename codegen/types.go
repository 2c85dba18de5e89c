package codegen

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"unicode"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// From schemas to Go types. A schema becomes a typ; what Go wants a name for —
// structs, enums, unions, named schemas — becomes a decl. Names are given later
// (naming.go), when all of them are known, and printed last (declare.go).

// typKind is what a Go type is made of.
type typKind uint8

const (
	builtin   typKind = iota // name is Go's: string, int64, float64, bool …
	formatted                // name is of package typed
	named                    // decl
	slice                    // of elem
	mapping                  // from string to elem
	raw                      // json.RawMessage: anything
)

type typ struct {
	kind typKind
	name string
	elem *typ
	decl *decl
	null bool // null is a value too
}

// declForm is how a type is declared.
type declForm uint8

const (
	aliasOf    declForm = iota // type X = elem
	definedAs                  // type X elem
	structType                 // fields, extra
	enumType                   // elem, values
	unionType                  // variants
)

// decl is a declared type.
type decl struct {
	form     declForm
	elem     *typ
	fields   []*field
	extra    *typ     // of members that are no fields; nil: they are dropped
	values   []string // of an enum, as JSON
	variants []*variant

	doc    string
	null   bool      // of a named schema: null is a value too
	def    *plan.Def // the named schema; nil for a tool's own and for parts
	input  bool      // a tool's arguments: a struct even while there are none
	suffix string    // of a part: its place in what it is part of, in Go
	parts  []*decl   // declared for places in this one, as found
	same   *decl     // what is declared instead: the other direction is no different

	name      string   // in Go; see naming.go
	constants []string // of an enum, in Go, as values
	used      bool     // in reach of a tool
	circle    int      // which circle of structs that hold each other; 0: none
}

// field is a field of a struct.
type field struct {
	key      string // in JSON
	typ      *typ
	required bool
	doc      string
	name     string // in Go
}

// variant is one type of a union.
type variant struct {
	typ  *typ
	name string // in Go, of the methods
}

// real is the declaration that stands for d.
func (d *decl) real() *decl {
	if d.same != nil {
		return d.same
	}
	return d
}

// place is where a schema stands: in a declared type, below it by suffix. What
// has to be declared for the schema is a part of owner, or owner itself.
type place struct {
	owner  *decl
	suffix string // "": the schema is owner's
}

func (p place) at(suffix string) place { return place{p.owner, p.suffix + suffix} }

// declare returns the decl to fill.
func (p place) declare(form declForm, n *node) *decl {
	d := p.owner
	if p.suffix != "" {
		d = &decl{suffix: p.suffix, doc: n.str("description")}
		p.owner.parts = append(p.owner.parts, d)
	}
	d.form = form
	return d
}

// builder makes types of schemas.
type builder struct {
	nodes map[string]*node // named schemas by key
	defs  map[string]*decl
	depth int
}

// maxDepth bounds types within types; what is deeper is raw JSON.
const maxDepth = 60

func newBuilder(m *plan.Model) (*builder, error) {
	b := &builder{nodes: map[string]*node{}, defs: map[string]*decl{}}
	for i := range m.Defs {
		n, err := parse(m.Defs[i].Schema)
		if err != nil {
			return nil, err
		}
		b.nodes[m.Defs[i].Key] = n
		b.defs[m.Defs[i].Key] = &decl{def: &m.Defs[i]}
	}
	for i := range m.Defs {
		b.root(b.nodes[m.Defs[i].Key], b.defs[m.Defs[i].Key])
	}
	for _, d := range b.defs {
		seen := map[*decl]bool{}
		for c := d; c.form == aliasOf && c.elem.kind == named; c = c.elem.decl {
			if seen[c] { // type A = B, type B = A
				d.elem = anything()
				break
			}
			seen[c] = true
		}
	}
	return b, nil
}

// root fills d with the type of a schema.
func (b *builder) root(n *node, d *decl) {
	d.doc = n.str("description")
	t := b.build(n, place{owner: d})
	d.null = t.null
	switch {
	case t.kind == named && t.decl == d:
	case t.kind == slice || t.kind == mapping:
		d.form, d.elem = definedAs, t
	default:
		d.form, d.elem = aliasOf, t
	}
}

func anything() *typ { return &typ{kind: raw} }

func (t *typ) orNull(null bool) *typ {
	if !null || t.null {
		return t
	}
	c := *t
	c.null = true
	return &c
}

// build makes the type of a schema.
func (b *builder) build(n *node, at place) *typ {
	b.depth++
	defer func() { b.depth-- }()
	if n == nil || n.kind != '{' || b.depth > maxDepth {
		return anything()
	}
	types, null := n.types()
	if d := b.ref(n); d != nil && n.get("properties") == nil && n.get("allOf") == nil {
		return &typ{kind: named, decl: d, null: null}
	}
	alternatives := slices.Concat(n.list("oneOf"), n.list("anyOf"))
	switch {
	case n.get("enum") != nil:
		return b.enum(n.list("enum"), n, at).orNull(null)
	case n.get("const") != nil:
		return b.enum([]*node{n.get("const")}, n, at).orNull(null)
	case n.get("allOf") != nil || n.get("$ref") != nil:
		return b.allOf(n, at).orNull(null)
	case len(alternatives) > 0 && n.get("properties") == nil:
		if t := b.oneOf(alternatives, n, at); t != nil {
			return t.orNull(null)
		}
	case len(types) > 1:
		list := make([]*node, len(types))
		for i, t := range types {
			list[i] = n.withType(t)
		}
		return b.oneOf(list, n, at).orNull(null)
	}
	switch kind := b.kindOf(n, 0); kind {
	case "object":
		return b.object(n, at).orNull(null)
	case "array":
		items := n.get("items")
		if items == nil || n.get("prefixItems") != nil {
			return (&typ{kind: slice, elem: anything()}).orNull(null)
		}
		return (&typ{kind: slice, elem: b.build(items, at.at("Item"))}).orNull(null)
	default:
		return scalar(kind, n).orNull(null)
	}
}

// ref is the named schema that n refers to, or nil.
func (b *builder) ref(n *node) *decl {
	key, ok := strings.CutPrefix(n.str("$ref"), "#/$defs/")
	if !ok {
		return nil
	}
	return b.defs[key]
}

// target is the schema that n refers to, or nil.
func (b *builder) target(n *node) *node {
	return b.nodes[strings.TrimPrefix(n.str("$ref"), "#/$defs/")]
}

// kindOf is the JSON type that all values of a schema have, null aside; "" when
// there is none, or nothing says so.
func (b *builder) kindOf(n *node, depth int) string {
	if n == nil || depth > 20 {
		return ""
	}
	switch types, _ := n.types(); len(types) {
	case 0:
	case 1:
		return types[0]
	case 2:
		if slices.Contains(types, "number") && slices.Contains(types, "integer") {
			return "number"
		}
		return ""
	default:
		return ""
	}
	if t := b.target(n); t != nil {
		if k := b.kindOf(t, depth+1); k != "" {
			return k
		}
	}
	for _, part := range n.list("allOf") {
		if k := b.kindOf(part, depth+1); k != "" {
			return k
		}
	}
	kind := ""
	for i, c := range slices.Concat(n.list("oneOf"), n.list("anyOf")) {
		if isNull(c) {
			continue
		}
		k := b.kindOf(c, depth+1)
		if i > 0 && kind != "" && kind != k {
			return ""
		}
		kind = k
	}
	switch {
	case kind != "":
		return kind
	case n.get("properties") != nil:
		return "object"
	case n.get("items") != nil || n.get("prefixItems") != nil:
		return "array"
	case n.get("enum") != nil:
		return scalarKind(n.list("enum"))
	case n.get("const") != nil:
		return scalarKind([]*node{n.get("const")})
	}
	return ""
}

func isNull(n *node) bool {
	types, null := n.types()
	return null && len(types) == 0
}

// scalarKind is the one type of some values, null aside; "" when there is none.
func scalarKind(values []*node) string {
	kind := ""
	for _, v := range values {
		k := ""
		switch v.kind {
		case '"':
			k = "string"
		case '0':
			if k = "number"; isInteger(v.text) {
				k = "integer"
			}
		case 't', 'f':
			k = "boolean"
		case 'n':
			continue
		}
		if k == "" || kind != "" && k != kind {
			return ""
		}
		kind = k
	}
	return kind
}

func isInteger(s string) bool {
	_, ok := new(big.Int).SetString(s, 10)
	return ok
}

// scalar is the type of a schema that has no parts.
func scalar(kind string, n *node) *typ {
	format := n.str("format")
	switch kind {
	case "string":
		switch {
		case format == "date-time":
			return &typ{kind: formatted, name: "DateTime"}
		case format == "date":
			return &typ{kind: formatted, name: "Date"}
		case format == "uuid":
			return &typ{kind: formatted, name: "UUID"}
		case format == "byte" || format == "binary" || n.str("contentEncoding") == "base64" || n.str("contentEncoding") == "base64url":
			return &typ{kind: formatted, name: "Base64"}
		}
		return &typ{kind: builtin, name: "string"}
	case "boolean":
		return &typ{kind: builtin, name: "bool"}
	case "number":
		switch format {
		case "", "float", "double", "float32", "float64":
			return &typ{kind: builtin, name: "float64"}
		}
		return &typ{kind: formatted, name: "Number"} // decimal and the like: every digit counts
	case "integer":
		return integer(format, n)
	}
	return anything()
}

// integer is a type that holds all integers of a schema. Without a word on their
// size 64 bits are what OpenAPI's authors mean.
func integer(format string, n *node) *typ {
	switch format {
	case "int16", "int32":
		return &typ{kind: builtin, name: "int32"}
	case "uint16", "uint32":
		return &typ{kind: builtin, name: "uint32"}
	case "uint64":
		return &typ{kind: builtin, name: "uint64"}
	}
	limit := func(key string) *big.Int {
		if v := n.get(key); v != nil {
			if f, ok := new(big.Float).SetString(v.text); ok {
				i, _ := f.Int(nil)
				return i
			}
		}
		return new(big.Int)
	}
	if limit("minimum").IsInt64() && limit("maximum").IsInt64() && limit("exclusiveMaximum").IsInt64() {
		return &typ{kind: builtin, name: "int64"}
	}
	if limit("maximum").IsUint64() && n.get("minimum") != nil && limit("minimum").Sign() >= 0 {
		return &typ{kind: builtin, name: "uint64"}
	}
	return &typ{kind: formatted, name: "Number"}
}

// enum is the type of a choice of values.
func (b *builder) enum(values []*node, n *node, at place) *typ {
	kind := scalarKind(values)
	null := slices.ContainsFunc(values, func(v *node) bool { return v.kind == 'n' })
	switch kind {
	case "boolean":
		return (&typ{kind: builtin, name: "bool"}).orNull(null)
	case "string", "integer":
	default:
		return anything()
	}
	base := &typ{kind: builtin, name: "string"}
	if kind == "integer" {
		if base = integer("", n); base.name != "int64" {
			return base
		}
	}
	d := at.declare(enumType, n)
	d.elem = base
	for _, v := range values {
		if v.kind == 'n' {
			continue
		}
		if v.kind == '0' {
			if i, ok := new(big.Int).SetString(v.text, 10); !ok || !i.IsInt64() {
				d.form, d.elem, d.values = aliasOf, &typ{kind: formatted, name: "Number"}, nil
				break
			}
		}
		if !slices.Contains(d.values, v.text) {
			d.values = append(d.values, v.text)
		}
	}
	return &typ{kind: named, decl: d, null: null}
}

// allOf is the type of a schema that combines others.
func (b *builder) allOf(n *node, at place) *typ {
	if b.kindOf(n, 0) == "object" {
		return b.object(n, at)
	}
	var parts []*node // that say what a value is
	if b.target(n) != nil {
		parts = append(parts, &node{kind: '{', members: []member{{"$ref", n.get("$ref")}}})
	}
	for _, p := range n.list("allOf") {
		if b.kindOf(p, 0) != "" || len(p.list("oneOf")) > 0 || len(p.list("anyOf")) > 0 || b.ref(p) != nil {
			parts = append(parts, p)
		}
	}
	if len(parts) > 0 {
		return b.build(parts[0], at)
	}
	return anything()
}

// oneOf is the type of a schema with alternatives; nil when they say nothing
// that the schema does not say itself.
func (b *builder) oneOf(list []*node, n *node, at place) *typ {
	null := false
	var said []*node
	kinds := map[string]bool{}
	enums := true
	for _, c := range list {
		if isNull(c) {
			null = true
			continue
		}
		if k := b.kindOf(c, 0); k != "" || c.get("$ref") != nil || len(c.list("oneOf")) > 0 || len(c.list("anyOf")) > 0 || len(c.list("allOf")) > 0 {
			kinds[k] = true
			said = append(said, c)
			enums = enums && b.values(c, 0) != nil
		}
	}
	switch {
	case len(said) == 0 && null:
		return anything()
	case len(said) == 0:
		return nil
	case len(said) == 1:
		return b.build(said[0], at).orNull(null)
	case enums:
		var values []*node
		for _, c := range said {
			values = append(values, b.values(c, 0)...)
		}
		return b.enum(values, n, at).orNull(null)
	case len(kinds) == 1 && !kinds["object"] && !kinds["array"] && !kinds[""]:
		k := b.kindOf(said[0], 0)
		return scalar(k, &node{kind: '{'}).orNull(null)
	}
	d := at.declare(unionType, n)
	inner := place{d, ""}
	taken := map[string]bool{}
	for _, c := range said {
		suffix := b.optionName(c)
		if taken[suffix] {
			suffix += hashed(c.dump())
		}
		taken[suffix] = true
		parts := len(d.parts)
		t := b.build(c, inner.at(suffix))
		null = null || t.null
		t.null = false
		if slices.ContainsFunc(d.variants, func(v *variant) bool { return signature(v.typ) == signature(t) }) {
			d.parts = d.parts[:parts]
			continue
		}
		v := &variant{typ: t}
		if len(d.parts) > parts { // it has no name but here
			v.name = suffix
		}
		d.variants = append(d.variants, v)
	}
	return &typ{kind: named, decl: d, null: null}
}

// optionName is what an alternative is called that is no named schema: by its
// title, by the member that tells it from others, by what it extends, or by what it
// is.
func (b *builder) optionName(n *node) string {
	if name := goName(n.str("title")); name != "" {
		return name
	}
	if props := n.get("properties"); props != nil {
		for _, m := range props.members {
			required := slices.ContainsFunc(n.list("required"), func(r *node) bool { return r.text == m.name })
			if v := b.values(m.value, 0); required && len(v) == 1 && v[0].kind == '"' && goName(v[0].text) != "" {
				return goName(v[0].text)
			}
		}
	}
	for _, part := range n.list("allOf") {
		if d := b.ref(part); d != nil && goName(d.def.Name) != "" {
			return goName(d.def.Name)
		}
	}
	if v := b.values(n, 0); len(v) == 1 {
		return cmp.Or(goName(v[0].text), "Empty")
	}
	return cmp.Or(map[string]string{"object": "Object", "array": "List", "string": "String", "integer": "Integer", "number": "Number"}[b.kindOf(n, 0)], "Option")
}

// values are all values of an enum, references followed; nil when it is none.
func (b *builder) values(n *node, depth int) []*node {
	switch {
	case n == nil || depth > 20:
		return nil
	case n.get("const") != nil:
		return []*node{n.get("const")}
	case n.get("enum") != nil:
		return n.list("enum")
	}
	return b.values(b.target(n), depth+1)
}

// object is the type of an object: a struct when members are known, else a map.
func (b *builder) object(n *node, at place) *typ {
	var o object
	b.flatten(n, &o, true, map[*node]bool{})
	if o.unfit && o.extra != nil {
		o.extra = &node{kind: 't'} // other members are of other types
	}
	if len(o.props) == 0 && (at.suffix != "" || !at.owner.input) {
		elem := anything()
		if o.extra != nil {
			elem = b.build(o.extra, at.at("Value"))
		}
		return &typ{kind: mapping, elem: elem}
	}
	d := at.declare(structType, n)
	inner := place{d, ""}
	var keys []string
	for _, p := range o.props {
		keys = append(keys, p.name)
	}
	names := unique(keys, fieldName)
	for _, p := range o.props {
		d.fields = append(d.fields, &field{
			key: p.name, name: names[p.name], required: slices.Contains(o.required, p.name),
			typ: b.build(p.value, inner.at(names[p.name])), doc: p.value.str("description"),
		})
	}
	switch {
	case o.unfit:
		d.extra = anything()
	case o.extra != nil:
		d.extra = b.build(o.extra, inner.at("Value"))
	}
	return &typ{kind: named, decl: d}
}

// object is what a schema and all it combines say of the members of an object.
type object struct {
	props    []member
	required []string
	extra    *node // schema of other members; nil: not described
	unfit    bool  // there are members that can be no field
}

// flatten adds what n says to o. Members of alternatives are optional.
func (b *builder) flatten(n *node, o *object, sure bool, seen map[*node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	b.flatten(b.target(n), o, sure, seen)
	for _, part := range n.list("allOf") {
		b.flatten(part, o, sure, seen)
	}
	if props := n.get("properties"); props != nil {
		for _, m := range props.members {
			if !fitsTag(m.name) {
				o.unfit = true
				continue
			}
			i := slices.IndexFunc(o.props, func(p member) bool { return p.name == m.name })
			switch {
			case i < 0:
				o.props = append(o.props, m)
			case b.kindOf(m.value, 0) != "" || b.ref(m.value) != nil:
				o.props[i] = m
			}
		}
	}
	if sure {
		for _, r := range n.list("required") {
			o.required = append(o.required, r.text)
		}
	}
	if e := n.get("additionalProperties"); e != nil && e.kind == '{' && o.extra == nil {
		o.extra = e
	}
	if p := n.get("patternProperties"); p != nil && len(p.members) == 1 && o.extra == nil {
		o.extra = p.members[0].value
	}
	for _, c := range slices.Concat(n.list("oneOf"), n.list("anyOf")) {
		b.flatten(c, o, false, seen)
	}
}

// fitsTag reports whether a name can stand in a struct tag for encoding/json.
// The others are rare; they are found among the members without a field.
func fitsTag(name string) bool {
	return name != "" && name != "-" && !strings.ContainsFunc(name, func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	})
}

// signature is a text that is the same for the same types, but for the
// direction of named ones.
func signature(t *typ) string {
	var b strings.Builder
	t.sign(&b)
	return b.String()
}

func (t *typ) sign(b *strings.Builder) {
	if t.null {
		b.WriteByte('?')
	}
	switch t.kind {
	case builtin, formatted:
		b.WriteString(t.name)
	case raw:
		b.WriteByte('*')
	case slice:
		b.WriteString("[]")
		t.elem.sign(b)
	case mapping:
		b.WriteString("{}")
		t.elem.sign(b)
	case named:
		if d := t.decl.def; d != nil {
			b.WriteString("@" + d.API + "\x00" + d.Name + "\x00")
			return
		}
		t.decl.sign(b)
	}
}

func (d *decl) sign(b *strings.Builder) {
	b.WriteByte('(')
	b.WriteByte('0' + byte(d.form))
	if d.elem != nil {
		d.elem.sign(b)
	}
	for _, f := range d.fields {
		b.WriteString(f.key)
		if f.required {
			b.WriteByte('!')
		}
		b.WriteByte(':')
		f.typ.sign(b)
		b.WriteByte(',')
	}
	if d.extra != nil {
		b.WriteString("...")
		d.extra.sign(b)
	}
	b.WriteString(strings.Join(d.values, "|"))
	for _, v := range d.variants {
		b.WriteByte('|')
		v.typ.sign(b)
	}
	b.WriteByte(')')
}
