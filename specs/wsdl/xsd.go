package wsdl

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

const xsd = "http://www.w3.org/2001/XMLSchema"

// Limits of what one message is expanded to.
const (
	maxTypeDepth = 16
	maxParts     = 3000    // declarations one message is made of
	maxTotal     = 300_000 // those of all messages
	maxFacets    = 2000    // of one simple type
	maxValues    = 500     // of one enumeration
)

// schemas are the global components of all schemas, by kind and name.
type schemas struct {
	components map[component]*element
	qualified  map[*element]bool     // of a schema element: elementFormDefault
	attributes map[*element]bool     // attributeFormDefault
	schemaOf   map[*element]*element // the schema of a global component
}

type component struct {
	kind string // element, type, group, attributeGroup, attribute
	name xml.Name
}

// add takes the components of a schema element. namespace is that of the schema
// which includes it, for one that has none of its own.
func (s *schemas) add(root *element, namespace string) {
	if t := root.attr("targetNamespace"); t != "" {
		namespace = t
	}
	s.qualified[root] = root.attr("elementFormDefault") == "qualified"
	s.attributes[root] = root.attr("attributeFormDefault") == "qualified"
	for _, c := range root.children {
		kind := c.name.Local
		if c.name.Space != xsd {
			continue
		}
		switch kind {
		case "complexType", "simpleType":
			kind = "type"
		case "element", "group", "attributeGroup", "attribute":
		default:
			continue
		}
		key := component{kind, xml.Name{Space: namespace, Local: c.attr("name")}}
		if s.components[key] == nil {
			s.components[key] = c
			s.schemaOf[c] = root
		}
	}
}

// part is what a message is made of: an element, or an attribute, with its type.
type part struct {
	name      string
	space     string // "" for unqualified
	attribute bool
	min       int
	list      bool
	nillable  bool
	doc       string
	simple    *specs.Node // JSON Schema of a simple type, or of simple content
	parts     []*part     // of a complex type
	fixed     string
	recursive bool // it would hold itself, and is cut off
}

// expansion turns declarations into parts.
type expansion struct {
	*reader
	left  int
	stack []*element // complex types that are being expanded
}

func (r *reader) expand() *expansion {
	return &expansion{reader: r, left: min(maxParts, r.total)}
}

// global returns a global component.
func (x *expansion) global(kind string, name xml.Name) (*element, *element) {
	e := x.schemas.components[component{kind, name}]
	if e == nil {
		// A document may mean its own namespace and forget to declare it.
		return nil, nil
	}
	return e, x.schemas.schemaOf[e]
}

// elementPart expands the declaration of an element. schema is the one it is in;
// namespace is its target namespace.
func (x *expansion) elementPart(e, schema *element, namespace string) *part {
	if ref := e.qname("ref"); ref.Local != "" {
		g, other := x.global("element", ref)
		p := &part{name: ref.Local, space: ref.Space, min: 1, simple: typeSchema("string")}
		if g != nil {
			p = x.elementPart(g, other, ref.Space)
		} else {
			x.Warn("unknown-element", e.at(), "", "the element %s is declared nowhere that was read", ref.Local)
		}
		x.occurs(p, e)
		return p
	}
	p := &part{name: e.attr("name"), min: 1, nillable: e.attr("nillable") == "true", doc: documentation(e), fixed: e.attr("fixed")}
	form := e.attr("form")
	if form == "qualified" || form == "" && (x.schemas.qualified[schema] || x.schemas.schemaOf[e] != nil) {
		p.space = namespace
	}
	x.occurs(p, e)
	if x.left--; x.left < 0 {
		p.simple = typeSchema("string")
		return p
	}
	typ := e.qname("type")
	switch {
	case typ.Local != "":
		x.typed(p, typ, e)
	case e.first(xsd, "complexType") != nil:
		x.complex(p, e.first(xsd, "complexType"), schema, namespace)
	case e.first(xsd, "simpleType") != nil:
		p.simple = x.simpleType(e.first(xsd, "simpleType"), 0)
	default:
		p.simple = typeSchema("string") // anyType
	}
	return p
}

func (x *expansion) occurs(p *part, e *element) {
	if m := e.attr("minOccurs"); m != "" {
		p.min, _ = strconv.Atoi(m)
	}
	if m := e.attr("maxOccurs"); m == "unbounded" {
		p.list = true
	} else if n, err := strconv.Atoi(m); err == nil && n > 1 {
		p.list = true
	}
}

// typed gives a part the type of this name.
func (x *expansion) typed(p *part, name xml.Name, at *element) {
	if name.Space == xsd {
		p.simple = builtin(name.Local)
		return
	}
	t, schema := x.global("type", name)
	switch {
	case t == nil && strings.HasSuffix(name.Space, "/soap/encoding/"):
		p.simple = builtin(name.Local)
	case t == nil:
		x.Warn("unknown-type", at.at(), "", "the type %s is declared nowhere that was read; its value is taken as text", name.Local)
		p.simple = typeSchema("string")
	case t.name.Local == "simpleType":
		p.simple = x.simpleType(t, 0)
	default:
		x.complex(p, t, schema, name.Space)
	}
	if p.doc == "" && t != nil {
		p.doc = documentation(t)
	}
}

// complex expands a complex type into the parts of p.
func (x *expansion) complex(p *part, t, schema *element, namespace string) {
	if slices.Contains(x.stack, t) || len(x.stack) >= maxTypeDepth {
		if !x.cut[t] {
			x.cut[t] = true
			x.Warn("recursive-type", t.at(), "write the deeper levels into the request by hand", "the type of %s holds itself; deeper levels are left out", p.name)
		}
		p.recursive = true
		return
	}
	x.stack = append(x.stack, t)
	x.content(p, t, schema, namespace)
	x.stack = x.stack[:len(x.stack)-1]
	if p.simple != nil && len(p.parts) > 0 && !slices.ContainsFunc(p.parts, func(a *part) bool { return a.min > 0 }) && len(p.parts) > 3 {
		p.parts = nil // a text with many attributes that are not needed
	}
}

func (x *expansion) content(p *part, t, schema *element, namespace string) {
	for _, c := range t.children {
		if x.left--; x.left < 0 {
			return
		}
		if c.name.Space != xsd {
			continue
		}
		switch c.name.Local {
		case "sequence", "all", "choice", "group":
			x.particle(p, c, schema, namespace, false, false, 0)
		case "attribute", "attributeGroup", "anyAttribute":
			x.attribute(p, c, schema, namespace, 0)
		case "simpleContent", "complexContent":
			for _, d := range c.children {
				if d.name.Space == xsd && (d.name.Local == "extension" || d.name.Local == "restriction") {
					x.derived(p, d, c.name.Local == "simpleContent", schema, namespace)
				}
			}
		}
	}
}

func (x *expansion) derived(p *part, d *element, simple bool, schema *element, namespace string) {
	base := d.qname("base")
	if strings.HasSuffix(base.Space, "/soap/encoding/") {
		x.Warn("soap-encoding", d.at(), "", "%s is an array of SOAP's own encoding, which is not imported", p.name)
		return
	}
	if simple {
		x.typed(p, base, d)
	} else if d.name.Local == "extension" && base.Space != xsd {
		if t, other := x.global("type", base); t != nil && !slices.Contains(x.stack, t) && len(x.stack) < maxTypeDepth {
			x.stack = append(x.stack, t)
			x.content(p, t, other, base.Space)
			x.stack = x.stack[:len(x.stack)-1]
		}
	}
	x.content(p, d, schema, namespace)
}

// particle adds what a sequence, choice or group holds.
func (x *expansion) particle(p *part, c, schema *element, namespace string, optional, list bool, depth int) {
	if x.left--; x.left < 0 || depth > maxTypeDepth {
		return
	}
	own := &part{min: 1}
	x.occurs(own, c)
	optional = optional || own.min == 0
	list = list || own.list
	switch c.name.Local {
	case "element":
		e := x.elementPart(c, schema, namespace)
		e.list = e.list || list
		if optional {
			e.min = 0
		}
		if e.recursive && e.min == 0 || !x.named(e, c) {
			return
		}
		if !slices.ContainsFunc(p.parts, func(q *part) bool { return q.name == e.name && !q.attribute }) {
			p.parts = append(p.parts, e)
		}
	case "group":
		ref := c.qname("ref")
		if g, other := x.global("group", ref); g != nil {
			for _, d := range g.children {
				if d.name.Space == xsd {
					x.particle(p, d, other, ref.Space, optional, list, depth+1)
				}
			}
		}
	case "choice":
		for _, d := range c.children {
			if d.name.Space == xsd {
				x.particle(p, d, schema, namespace, true, list, depth+1)
			}
		}
		if len(c.children) > 1 {
			var names []string
			for _, d := range c.children {
				if n := d.attr("name"); n != "" {
					names = append(names, n)
				}
			}
			if len(names) > 1 {
				p.doc = strings.TrimSpace(p.doc + " One of " + strings.Join(names, ", ") + ".")
			}
		}
	case "sequence", "all":
		for _, d := range c.children {
			if d.name.Space == xsd {
				x.particle(p, d, schema, namespace, optional, list, depth+1)
			}
		}
	case "any":
		if !optional {
			x.Warn("any-element", c.at(), "write it into the request by hand", "%s may hold elements that are not described; they are left out", p.name)
		}
	}
}

func (x *expansion) attribute(p *part, c, schema *element, namespace string, depth int) {
	if x.left--; x.left < 0 || depth > maxTypeDepth {
		return
	}
	switch c.name.Local {
	case "attributeGroup":
		ref := c.qname("ref")
		if g, other := x.global("attributeGroup", ref); g != nil {
			for _, d := range g.children {
				if d.name.Space == xsd {
					x.attribute(p, d, other, ref.Space, depth+1)
				}
			}
		}
		return
	case "anyAttribute":
		return
	}
	if c.attr("use") == "prohibited" {
		return
	}
	a := &part{name: c.attr("name"), attribute: true, doc: documentation(c), fixed: c.attr("fixed"), simple: typeSchema("string")}
	if c.attr("use") == "required" {
		a.min = 1
	}
	if form := c.attr("form"); form == "qualified" || form == "" && x.schemas.attributes[schema] {
		a.space = namespace
	}
	if ref := c.qname("ref"); ref.Local != "" {
		a.name, a.space = ref.Local, ref.Space
		if g, _ := x.global("attribute", ref); g != nil {
			c = g
		}
		if ref.Space == "http://www.w3.org/XML/1998/namespace" {
			return // xml:lang and its like
		}
	}
	if t := c.qname("type"); t.Local != "" {
		if t.Space == xsd {
			a.simple = builtin(t.Local)
		} else if g, _ := x.global("type", t); g != nil && g.name.Local == "simpleType" {
			a.simple = x.simpleType(g, 0)
		}
	} else if s := c.first(xsd, "simpleType"); s != nil {
		a.simple = x.simpleType(s, 0)
	}
	if x.named(a, c) && !slices.ContainsFunc(p.parts, func(q *part) bool { return q.name == a.name && q.attribute }) {
		p.parts = append(p.parts, a)
	}
}

// simpleType is the JSON Schema of a simple type.
func (x *expansion) simpleType(t *element, depth int) *specs.Node {
	if depth > maxTypeDepth {
		return typeSchema("string")
	}
	if t.first(xsd, "list") != nil {
		n := typeSchema("string")
		n.Set("description", specs.NewString("values separated by spaces"))
		return n
	}
	r := t.first(xsd, "restriction")
	if r == nil {
		return typeSchema("string") // a union
	}
	var n *specs.Node
	if base := r.qname("base"); base.Space == xsd {
		n = builtin(base.Local)
	} else if g, _ := x.global("type", base); g != nil && g.name.Local == "simpleType" {
		n = x.simpleType(g, depth+1)
	} else if s := r.first(xsd, "simpleType"); s != nil {
		n = x.simpleType(s, depth+1)
	} else {
		n = typeSchema("string")
	}
	typ := n.Get("type").Str()
	enum := specs.NewArray()
	for i, f := range r.children {
		if i == maxFacets {
			break
		}
		if f.name.Space != xsd {
			continue
		}
		v := f.attr("value")
		count := func(keyword string) {
			if i, err := strconv.Atoi(v); err == nil && i >= 0 && typ == "string" && !n.Has("format") {
				n.Set(keyword, specs.NewNumber(strconv.Itoa(i)))
			}
		}
		limit := func(keyword string) {
			if number.MatchString(v) && (typ == "integer" || typ == "number") {
				n.Set(keyword, specs.NewNumber(strings.TrimPrefix(v, "+")))
			}
		}
		switch f.name.Local {
		case "enumeration":
			if len(enum.Fields) < maxValues {
				if value := specs.NewString(v); !slices.ContainsFunc(enum.Fields, func(f specs.Field) bool { return f.Value.Equal(value) }) {
					enum.Fields = append(enum.Fields, specs.F("", value))
				}
			}
		case "minLength":
			count("minLength")
		case "maxLength":
			count("maxLength")
		case "length":
			count("minLength")
			count("maxLength")
		case "minInclusive":
			limit("minimum")
		case "maxInclusive":
			limit("maximum")
		case "pattern":
			if p := "^(?:" + v + ")$"; typ == "string" && !n.Has("pattern") {
				if _, err := regexp.Compile(p); err == nil {
					n.Set("pattern", specs.NewString(p))
				}
			}
		}
	}
	if len(enum.Fields) > 0 && typ == "string" {
		return specs.NewObject(specs.F("type", specs.NewString("string")), specs.F("enum", enum))
	}
	return n
}

var number = regexp.MustCompile(`^[+-]?(0|[1-9]\d*)(\.\d+)?$`)

func typeSchema(name string) *specs.Node {
	return specs.NewObject(specs.F("type", specs.NewString(name)))
}

// builtin is the JSON Schema of a type of XML Schema itself.
func builtin(name string) *specs.Node {
	told := func(text string) *specs.Node {
		n := typeSchema("string")
		n.Set("description", specs.NewString(text))
		return n
	}
	switch name {
	case "boolean":
		return typeSchema("boolean")
	case "int", "integer", "long", "short", "byte", "negativeInteger", "nonPositiveInteger":
		return typeSchema("integer")
	case "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte", "nonNegativeInteger":
		n := typeSchema("integer")
		n.Set("minimum", specs.NewNumber("0"))
		return n
	case "positiveInteger":
		n := typeSchema("integer")
		n.Set("minimum", specs.NewNumber("1"))
		return n
	case "decimal", "float", "double":
		return typeSchema("number")
	case "date":
		return specs.NewObject(specs.F("type", specs.NewString("string")), specs.F("format", specs.NewString("date")))
	case "dateTime":
		return told("date and time, such as 2026-01-31T12:00:00Z")
	case "time":
		return told("time, such as 12:00:00")
	case "base64Binary":
		return told("bytes in base64")
	case "hexBinary":
		return told("bytes in hexadecimal")
	}
	return typeSchema("string")
}

// xmlName is a name of XML without a prefix, but for rare letters.
var xmlName = regexp.MustCompile(`^[\pL_][\pL\pN._-]*$`)

// named reports whether a declaration has a name that XML can be written with.
func (x *expansion) named(p *part, at *element) bool {
	if xmlName.MatchString(p.name) {
		return true
	}
	x.Warn("invalid-name", at.at(), "", "a declaration whose name is none of XML is left out")
	return false
}

var whiteSpace = regexp.MustCompile(`\s+`)

// documentation is the text of an annotation, of a schema or of the WSDL.
func documentation(e *element) string {
	var b strings.Builder
	var collect func(e *element, depth int)
	collect = func(e *element, depth int) {
		b.WriteByte(' ')
		b.Write(e.text)
		for _, c := range e.children {
			if depth < 10 {
				collect(c, depth+1)
			}
		}
	}
	for _, d := range append(e.first(xsd, "annotation").all(xsd, "documentation"), e.all(wsdl, "documentation")...) {
		collect(d, 0)
	}
	text := strings.TrimSpace(whiteSpace.ReplaceAllString(b.String(), " "))
	if len(text) > 1500 {
		text = strings.ToValidUTF8(text[:1500], "") + " …"
	}
	return text
}

// schema is the JSON Schema of what a caller gives for a part.
func (p *part) schema() *specs.Node {
	var n *specs.Node
	switch {
	case len(p.parts) > 0:
		properties, required := specs.NewObject(), specs.NewArray()
		for _, q := range p.parts {
			if q.fixed != "" {
				continue
			}
			s := q.schema()
			if d := join(q.doc, s.Get("description").Str()); d != "" {
				s.Set("description", specs.NewString(d))
			}
			properties.Set(q.key(p), s)
			if q.min > 0 {
				required.Fields = append(required.Fields, specs.F("", specs.NewString(q.key(p))))
			}
		}
		if p.simple != nil {
			properties.Set("value", p.simple.Clone())
			required.Fields = append(required.Fields, specs.F("", specs.NewString("value")))
		}
		n = specs.NewObject(specs.F("type", specs.NewString("object")), specs.F("properties", properties))
		if len(required.Fields) > 0 {
			n.Set("required", required)
		}
		n.Set("additionalProperties", specs.NewBool(false))
	case p.simple != nil:
		n = p.simple.Clone()
	default:
		n = specs.NewObject(specs.F("type", specs.NewString("object")), specs.F("additionalProperties", specs.NewBool(false)), specs.F("properties", specs.NewObject()))
	}
	if p.list {
		n = specs.NewObject(specs.F("type", specs.NewString("array")), specs.F("items", n))
	}
	return n
}

// key is the name of a part among the members of its parent.
func (p *part) key(parent *part) string {
	if p.attribute && slices.ContainsFunc(parent.parts, func(q *part) bool { return q.name == p.name && !q.attribute }) {
		return p.name + "_attribute"
	}
	return p.name
}

func join(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, "; ")
}

// writer makes the XML of a message out of its parts.
type writer struct {
	prefixes map[string]string // by namespace; of the default namespace ""
	order    []string
	loops    int
}

// collect finds the namespaces of a part.
func (w *writer) collect(p *part, unqualified *bool) {
	if p.space == "" && !p.attribute {
		*unqualified = true
	}
	if p.space != "" && !slices.Contains(w.order, p.space) {
		w.order = append(w.order, p.space)
	}
	for _, q := range p.parts {
		w.collect(q, unqualified)
	}
}

// qualifiedAttribute reports whether an attribute has a namespace: it needs a
// prefix, which the default namespace has not.
func qualifiedAttribute(p *part) bool {
	return p.attribute && p.space != "" || slices.ContainsFunc(p.parts, qualifiedAttribute)
}

// root makes the element of a part, with the namespaces declared in it.
func (w *writer) root(p *part, value *specs.Expr, top func(q *part) *specs.Expr) *imported.Element {
	unqualified := false
	w.collect(p, &unqualified)
	w.prefixes = map[string]string{}
	var declared []imported.Entry
	for i, space := range w.order {
		prefix := "m"
		switch {
		case len(w.order) == 1 && !unqualified && !qualifiedAttribute(p):
			prefix = ""
		case i > 0:
			prefix = "m" + strconv.Itoa(i+1)
		}
		w.prefixes[space] = prefix
		name := "xmlns"
		if prefix != "" {
			name += ":" + prefix
		}
		declared = append(declared, imported.Entry{Name: name, Value: imported.Text(space)})
	}
	e := w.element(p, value, top)
	e.If, e.Each = nil, nil
	e.Attrs = append(declared, e.Attrs...)
	return e
}

func (w *writer) name(p *part) string {
	if prefix := w.prefixes[p.space]; prefix != "" && p.space != "" {
		return prefix + ":" + p.name
	}
	return p.name
}

// element makes an element whose content is value. top, when it is set, gives
// the values of the parts of the outermost element, which are inputs.
func (w *writer) element(p *part, value *specs.Expr, top func(q *part) *specs.Expr) *imported.Element {
	e := &imported.Element{Name: w.name(p)}
	if p.fixed != "" {
		e.Text = imported.Text(p.fixed)
		return e
	}
	inner := value
	if p.list {
		w.loops++
		e.Each, e.As = value, "item"
		if w.loops > 1 {
			e.As = fmt.Sprintf("item%d", w.loops)
		}
		inner = &specs.Expr{Op: specs.ExprVar, Name: e.As}
	}
	if p.min == 0 {
		e.If = value
	}
	for _, q := range p.parts {
		var v *specs.Expr
		if q.fixed == "" {
			if top != nil {
				v = top(q)
			} else {
				v = imported.Get(inner, q.key(p))
			}
		}
		if !q.attribute {
			e.Children = append(e.Children, w.element(q, v, nil))
			continue
		}
		if q.fixed != "" {
			v = imported.Text(q.fixed)
		}
		a := imported.Attr{Name: w.name(q), Value: v}
		if q.min == 0 && q.fixed == "" {
			a.If = v
		}
		e.Optional = append(e.Optional, a)
	}
	switch {
	case len(p.parts) == 0 && p.simple != nil:
		e.Text = inner
	case p.simple != nil && top != nil:
		e.Text = top(&part{name: "value"})
	case p.simple != nil:
		e.Text = imported.Get(inner, "value")
	}
	if p.list {
		w.loops--
	}
	return e
}
