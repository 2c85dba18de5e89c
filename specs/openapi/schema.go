package openapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// schemaTable holds the schemas that references lead to.
type schemaTable struct {
	refs  map[*specs.Node]string // by target, as written: "#/$defs/NAME"
	used  map[string]int         // names, and the last number appended to each
	queue []*specs.Node          // targets met and not read yet
	done  map[string]*specs.Node // by name
}

const defs = "#/$defs/"

// components returns the map of one kind of component of the root document, by
// its name in OpenAPI 3 and in Swagger 2.0.
func (p *parser) components(v3, v2name string) *specs.Node {
	if p.version == v2 {
		return p.doc.Get(v2name)
	}
	return p.doc.Get("components").Get(v3)
}

// nameComponents gives the schemas of the root document their own names, so
// that none from elsewhere can take one, whatever is met first.
func (p *parser) nameComponents() {
	list := p.components("schemas", "definitions")
	if list == nil || list.Kind != specs.Object {
		return
	}
	for _, f := range list.Fields {
		if p.schemas.refs[f.Value] == "" {
			p.schemas.refs[f.Value] = defs + p.unusedName(f.Key)
		}
	}
}

// unusedName makes a name that needs no escaping in a JSON Pointer or URI
// fragment, and is not taken.
func (p *parser) unusedName(wish string) string {
	b := []byte(wish)
	if len(b) > 120 {
		b = b[:120]
	}
	for i, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.') {
			b[i] = '_'
		}
	}
	if len(b) == 0 {
		b = []byte("schema")
	}
	name := string(b)
	for base := name; p.schemas.used[name] > 0; {
		p.schemas.used[base]++
		name = base + "_" + strconv.Itoa(p.schemas.used[base])
	}
	p.schemas.used[name] = 1
	return name
}

// hoist returns "#/$defs/NAME" for the schema a reference leads to, or "" after
// a warning.
func (p *parser) hoist(ref *specs.Node) string {
	t := p.resolve(ref)
	first := t.node
	for hop := 0; t.node != nil; hop++ {
		next := refOf(t.node)
		if next == nil || len(t.node.Fields) > 1 {
			break
		}
		if hop > maxHops {
			p.warn("circular-ref", ref.Range(), "", "the reference %q leads back to itself; anything is allowed there", clip(ref.Text))
			return ""
		}
		name := t.name
		t = p.resolve(next)
		t.name = name
	}
	if t.node == nil {
		p.warn(t.code, ref.Range(), t.hint, "%s; anything is allowed there", t.problem)
		return ""
	}
	name := p.schemas.refs[t.node]
	if name == "" {
		// A component that only refers to a file names what is in the file.
		if name = p.schemas.refs[first]; name == "" {
			name = defs + p.unusedName(t.name)
		}
		p.schemas.refs[t.node] = name
	}
	if _, met := p.schemas.done[name[len(defs):]]; !met {
		p.schemas.done[name[len(defs):]] = nil
		p.schemas.queue = append(p.schemas.queue, t.node)
	}
	return name
}

// finishSchemas reads the schemas that were met, and those they lead to.
func (p *parser) finishSchemas() {
	for len(p.schemas.queue) > 0 {
		n := p.schemas.queue[0]
		p.schemas.queue = p.schemas.queue[1:]
		p.schemas.done[p.schemas.refs[n][len(defs):]] = p.schema(n)
	}
	p.breakCycles()
}

// anything is a schema without constraints, with the place of n.
func anything(n *specs.Node) *specs.Node {
	return &specs.Node{Kind: specs.Object, Source: n.Source, Start: n.Start, End: n.End}
}

// with returns a node of the place of n.
func with(n *specs.Node, kind specs.Kind, text string) *specs.Node {
	return &specs.Node{Kind: kind, Text: text, Source: n.Source, Start: n.Start, End: n.End}
}

// schemaWork is what reading the keywords of one schema leaves for the end.
type schemaWork struct {
	nullable, file    bool
	minimum, maximum  bool // exclusiveMinimum and exclusiveMaximum are true
	example           *specs.Node
	tuple             bool        // items is a list
	additional        *specs.Node // additionalItems
	dependentRequired []specs.Field
	dependentSchemas  []specs.Field
	required          []*specs.Node // names of properties that call themselves required
}

// schema returns a schema as JSON Schema 2020-12. Nodes that need no change are
// the ones of the document.
func (p *parser) schema(n *specs.Node) *specs.Node {
	switch {
	case n == nil || n.Kind == specs.Bool:
		return n
	case n.Kind == specs.Null:
		return anything(n)
	case n.Kind != specs.Object:
		p.warn("not-a-schema", n.Range(), "", "a schema must be an object; anything is allowed there")
		return anything(n)
	}
	var w schemaWork
	hasRef := refOf(n) != nil
	var fields []specs.Field
	changed := false
	for i, f := range n.Fields {
		key := f.Key
		var v *specs.Node
		if !hasRef || p.version >= v31 || key == "$ref" || besideRef(key) {
			key, v = p.keyword(f, &w)
		}
		if !changed {
			if v == f.Value && key == f.Key {
				continue
			}
			changed = true
			fields = make([]specs.Field, i, len(n.Fields)+2)
			copy(fields, n.Fields[:i])
		}
		if v != nil {
			fields = append(fields, specs.Field{Key: key, Value: v, KeyStart: f.KeyStart})
		}
	}
	if !changed {
		if w.required == nil {
			return n
		}
		fields = slices.Clone(n.Fields)
	}
	out := with(n, specs.Object, "")
	out.Fields = fields
	p.finishSchema(out, &w)
	return out
}

// besideRef reports whether a member beside $ref counts before OpenAPI 3.1,
// where the standard says that none does: remarks and nullable, which authors
// write there and mean.
func besideRef(key string) bool {
	switch key {
	case "title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "nullable", "xml":
		return true
	}
	return strings.HasPrefix(key, "x-")
}

// keyword reads one member of a schema. It returns a nil value for a member to
// leave out, and the very value when there is nothing to change.
func (p *parser) keyword(f specs.Field, w *schemaWork) (string, *specs.Node) {
	v := f.Value
	if p.version == v2 {
		switch f.Key {
		case "anyOf", "oneOf", "not", "const", "if", "contains", "patternProperties", "propertyNames", "nullable":
			p.warn("foreign-keyword", f.KeyRange(), "", "Swagger 2.0 has no keyword %s; it is read as in JSON Schema", f.Key)
		}
	}
	switch f.Key {
	case "$ref", "$dynamicRef", "$recursiveRef":
		if v.Kind != specs.String {
			p.warn("odd-keyword", f.KeyRange(), "", "%s must be a string; it is left out", f.Key)
			return f.Key, nil
		}
		name := p.hoist(v)
		if name == "" {
			return f.Key, nil
		}
		return "$ref", with(v, specs.String, name)

	case "items":
		if v.Kind == specs.Array {
			w.tuple = true
			return "prefixItems", p.schemaList(f)
		}
		return f.Key, p.schema(v)
	case "additionalItems":
		w.additional = p.schema(v)
		return f.Key, nil
	case "additionalProperties", "unevaluatedProperties", "unevaluatedItems":
		if v.Kind == specs.String {
			if b, known := p.flag(v, f.Key); known {
				return f.Key, with(v, specs.Bool, strconv.FormatBool(b))
			}
			return f.Key, nil
		}
		return f.Key, p.schema(v)
	case "not", "contains", "propertyNames", "if", "then", "else", "contentSchema":
		return f.Key, p.schema(v)
	case "allOf", "anyOf", "oneOf", "prefixItems":
		return f.Key, p.schemaList(f)
	case "properties":
		return f.Key, p.schemaMap(f, w)
	case "patternProperties", "dependentSchemas":
		return f.Key, p.schemaMap(f, nil)

	case "$defs", "definitions", "$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$schema", "$vocabulary", "$comment":
		return f.Key, nil // what they say is said: references lead to API.Schemas, the dialect is known

	case "dependencies":
		if v.Kind == specs.Object {
			for _, d := range v.Fields {
				if d.Value.Kind == specs.Array {
					d.Value = p.names(d)
					w.dependentRequired = append(w.dependentRequired, d)
				} else {
					d.Value = p.schema(d.Value)
					w.dependentSchemas = append(w.dependentSchemas, d)
				}
			}
		}
		return f.Key, nil
	case "dependentRequired":
		if v.Kind != specs.Object {
			return p.odd(f, "an object")
		}
		for _, d := range v.Fields {
			d.Value = p.names(d)
			if d.Value != nil {
				w.dependentRequired = append(w.dependentRequired, d)
			}
		}
		return f.Key, nil

	case "type":
		return f.Key, p.typeWord(f, w)
	case "required":
		return f.Key, p.names(f)
	case "enum":
		if v.Kind != specs.Array {
			if v.Kind == specs.Object || v.Kind == specs.Null {
				return p.odd(f, "a list")
			}
			p.warn("odd-keyword", f.KeyRange(), "", "enum must be a list; the value is taken as its only element")
			list := with(v, specs.Array, "")
			list.Fields = []specs.Field{{Value: v, KeyStart: -1}}
			return f.Key, list
		}
		if len(v.Fields) == 0 {
			p.warn("odd-keyword", f.KeyRange(), "", "enum is empty; it is left out")
			return f.Key, nil
		}

	case "nullable", "x-nullable":
		w.nullable, _ = p.flag(v, f.Key)
		return f.Key, nil
	case "example":
		w.example = v
		return f.Key, nil
	case "examples":
		if v.Kind == specs.Array {
			return f.Key, v
		}
		list := with(v, specs.Array, "")
		if v.Kind != specs.Object { // a list of one was meant
			list.Fields = []specs.Field{{Value: v, KeyStart: -1}}
			return f.Key, list
		}
		for _, e := range v.Fields { // the shape that media types have
			if d := p.deref(e.Value); d != nil {
				if value := d.Get("value"); value != nil {
					d = value
				}
				list.Fields = append(list.Fields, specs.Field{Value: d, KeyStart: -1})
			}
		}
		return f.Key, list

	case "exclusiveMinimum", "exclusiveMaximum":
		if v.Kind == specs.Bool || v.Kind == specs.String && (v.Text == "true" || v.Text == "false") {
			if v.Text == "true" && f.Key == "exclusiveMinimum" {
				w.minimum = true
			} else if v.Text == "true" {
				w.maximum = true
			}
			return f.Key, nil
		}
		return p.number(f)
	case "minimum", "maximum", "multipleOf":
		return p.number(f)
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		return p.count(f)

	case "title", "description", "pattern", "format", "contentEncoding", "contentMediaType":
		if v.Kind == specs.String {
			return f.Key, v
		}
		if text := p.text(v); text != "" {
			return f.Key, with(v, specs.String, text)
		}
		if v.Kind == specs.Null {
			return f.Key, nil
		}
		return p.odd(f, "a string")
	case "readOnly", "writeOnly", "deprecated", "uniqueItems":
		if v.Kind == specs.Bool {
			return f.Key, v
		}
		if b, known := p.flag(v, f.Key); known {
			return f.Key, with(v, specs.Bool, strconv.FormatBool(b))
		}
		return f.Key, nil

	case "discriminator":
		return f.Key, p.discriminator(f)
	}
	return f.Key, v
}

func (p *parser) odd(f specs.Field, want string) (string, *specs.Node) {
	p.warn("odd-keyword", f.KeyRange(), "", "%s must be %s; it is left out", clip(f.Key), want)
	return f.Key, nil
}

func (p *parser) schemaList(f specs.Field) *specs.Node {
	list := f.Value
	if list.Kind == specs.Object && refOf(list) != nil {
		if d := p.deref(list); d != nil && d.Kind == specs.Array {
			list = d
		}
	}
	if list.Kind == specs.Object {
		p.warn("odd-keyword", f.KeyRange(), "", "%s must be a list; the schema is taken as its only element", f.Key)
		one := with(list, specs.Array, "")
		one.Fields = []specs.Field{{Value: p.schema(list), KeyStart: -1}}
		return one
	}
	if list.Kind != specs.Array {
		_, none := p.odd(f, "a list")
		return none
	}
	if len(list.Fields) == 0 {
		return nil // not allowed, and says nothing
	}
	var fields []specs.Field
	for i, item := range list.Fields {
		s := p.schema(item.Value)
		if s == item.Value && fields == nil {
			continue
		}
		if fields == nil {
			fields = slices.Clone(list.Fields)
		}
		fields[i].Value = s
	}
	if fields == nil {
		return list
	}
	out := with(list, specs.Array, "")
	out.Fields = fields
	return out
}

func (p *parser) schemaMap(f specs.Field, w *schemaWork) *specs.Node {
	m := f.Value
	if refOf(m) != nil {
		if m = p.deref(m); m == nil {
			return nil
		}
	}
	if m.Kind != specs.Object {
		if m.Kind != specs.Null {
			p.odd(f, "an object")
		}
		return nil
	}
	var fields []specs.Field
	for i, property := range m.Fields {
		if w != nil && property.Value.Kind == specs.Object {
			if r := property.Value.Get("required"); r.IsTrue() || r.Str() == "true" {
				w.required = append(w.required, with(r, specs.String, property.Key))
			}
		}
		s := p.schema(property.Value)
		if s == property.Value && fields == nil {
			continue
		}
		if fields == nil {
			fields = slices.Clone(m.Fields)
		}
		fields[i].Value = s
	}
	if fields == nil {
		return m
	}
	out := with(m, specs.Object, "")
	out.Fields = fields
	return out
}

// names reads a list of strings: required, and the like.
func (p *parser) names(f specs.Field) *specs.Node {
	v := f.Value
	switch {
	case v.Kind == specs.Array:
		good := func(i int) bool {
			name := v.Fields[i].Value
			if name.Kind != specs.String {
				return false
			}
			if len(v.Fields) > 50 {
				return false // not worth comparing each with each
			}
			for j := range i {
				if v.Fields[j].Value.Text == name.Text {
					return false // a repeated name is not allowed
				}
			}
			return true
		}
		for i := range v.Fields {
			if good(i) {
				continue
			}
			out := with(v, specs.Array, "")
			seen := map[string]bool{}
			for _, item := range v.Fields {
				switch item.Value.Kind {
				case specs.Number, specs.Bool: // unquoted YAML
					item.Value = with(item.Value, specs.String, item.Value.Text)
				case specs.String:
				default:
					continue
				}
				if !seen[item.Value.Text] {
					seen[item.Value.Text] = true
					out.Fields = append(out.Fields, item)
				}
			}
			return out
		}
		return v
	case v.Kind == specs.Null:
		return nil
	case v.Kind == specs.String && v.Text != "true" && v.Text != "false" && v.Text != "":
		p.warn("odd-keyword", f.KeyRange(), "", "%s must be a list of names; %q is taken as its only element", clip(f.Key), clip(v.Text))
		out := with(v, specs.Array, "")
		out.Fields = []specs.Field{{Value: v, KeyStart: -1}}
		return out
	case v.Kind == specs.Bool || v.Kind == specs.String:
		p.warn("required-flag", f.KeyRange(), "list the property in required of the schema around it", "required must be a list of names; inside a property, true is read as if the schema around it listed the property")
		return nil
	}
	_, none := p.odd(f, "a list of names")
	return none
}

// typeWord reads the keyword type.
func (p *parser) typeWord(f specs.Field, w *schemaWork) *specs.Node {
	v := f.Value
	word := func(n *specs.Node) *specs.Node {
		text := n.Text
		if n.Kind == specs.Null {
			text = "null"
		}
		switch text {
		case "string", "number", "integer", "boolean", "array", "object", "null":
			if n.Kind == specs.String {
				return n
			}
			return with(n, specs.String, text)
		case "file":
			w.file = true
			return with(n, specs.String, "string")
		case "any", "":
			return nil
		}
		known := map[string]string{
			"int": "integer", "int32": "integer", "int64": "integer", "long": "integer", "float": "number", "double": "number", "decimal": "number",
			"bool": "boolean", "str": "string", "text": "string", "date": "string", "datetime": "string", "date-time": "string", "uuid": "string",
			"list": "array", "map": "object", "dict": "object", "hash": "object", "json": "object",
		}[strings.ToLower(text)]
		if lower := strings.ToLower(text); known == "" && slices.Contains([]string{"string", "number", "integer", "boolean", "array", "object", "null"}, lower) {
			known = lower
		}
		if known == "" {
			p.warn("unknown-type", n.Range(), "", "the type %q is not known; any type is allowed there", clip(text))
			return nil
		}
		p.warn("unknown-type", n.Range(), fmt.Sprintf("write %q", known), "the type %q is not known; it is taken as %q", clip(text), known)
		return with(n, specs.String, known)
	}
	switch v.Kind {
	case specs.String:
		return word(v)
	case specs.Array:
		out := with(v, specs.Array, "")
		same := true
		for _, item := range v.Fields {
			t := word(item.Value)
			if t == nil { // any
				return nil
			}
			if slices.ContainsFunc(out.Fields, func(o specs.Field) bool { return o.Value.Text == t.Text }) {
				same = false
				continue
			}
			same = same && t == item.Value
			out.Fields = append(out.Fields, specs.Field{Value: t, KeyStart: -1})
		}
		if len(out.Fields) == 0 {
			return nil
		}
		if same {
			return v
		}
		return out
	case specs.Null:
		return nil
	}
	_, none := p.odd(f, "a string or a list of strings")
	return none
}

func (p *parser) number(f specs.Field) (string, *specs.Node) {
	v := f.Value
	if v.Kind == specs.String && v.Text != "" && numberLen(v.Text) == len(v.Text) {
		p.warn("odd-keyword", f.KeyRange(), "", "%s must be a number without quotes", f.Key)
		v = with(v, specs.Number, v.Text)
	}
	switch {
	case v.Kind == specs.Null:
		return f.Key, nil
	case v.Kind != specs.Number:
		return p.odd(f, "a number")
	case f.Key == "multipleOf" && (strings.HasPrefix(v.Text, "-") || !strings.ContainsAny(strings.ToLower(strings.SplitN(strings.ToLower(v.Text), "e", 2)[0]), "123456789")):
		return p.odd(f, "greater than 0")
	}
	return f.Key, v
}

// count reads a keyword whose value is a number of things.
func (p *parser) count(f specs.Field) (string, *specs.Node) {
	key, v := p.number(f)
	if v == nil || strings.Trim(v.Text, "0123456789") == "" {
		return key, v
	}
	whole, fraction, _ := strings.Cut(v.Text, ".")
	if strings.Trim(whole, "0123456789") == "" && strings.Trim(fraction, "0") == "" {
		return key, with(v, specs.Number, whole)
	}
	return p.odd(f, "a whole number that is not negative")
}

// discriminator keeps OpenAPI's object; its mapping leads to API.Schemas.
func (p *parser) discriminator(f specs.Field) *specs.Node {
	v := f.Value
	if v.Kind == specs.String { // Swagger 2.0
		out := with(v, specs.Object, "")
		out.Fields = []specs.Field{specs.F("propertyName", v)}
		return out
	}
	if v.Kind != specs.Object {
		_, none := p.odd(f, "an object")
		return none
	}
	mapping := v.Get("mapping")
	if mapping == nil || mapping.Kind != specs.Object {
		return v
	}
	out := with(v, specs.Object, "")
	for _, m := range v.Fields {
		if m.Key == "mapping" {
			to := with(mapping, specs.Object, "")
			for _, e := range mapping.Fields {
				if e.Value.Kind != specs.String {
					continue
				}
				if name := p.hoist(e.Value); name != "" {
					e.Value = with(e.Value, specs.String, name)
					to.Fields = append(to.Fields, e)
				}
			}
			m.Value = to
		}
		out.Fields = append(out.Fields, m)
	}
	return out
}

// finishSchema does what depends on several keywords. The fields of s are its
// own.
func (p *parser) finishSchema(s *specs.Node, w *schemaWork) {
	if w.minimum {
		exclude(s, "minimum", "exclusiveMinimum")
	}
	if w.maximum {
		exclude(s, "maximum", "exclusiveMaximum")
	}
	if w.tuple && w.additional != nil {
		s.Set("items", w.additional)
	}
	if w.example != nil && !s.Has("examples") {
		list := with(w.example, specs.Array, "")
		list.Fields = []specs.Field{{Value: w.example, KeyStart: -1}}
		s.Set("examples", list)
	}
	if w.dependentRequired != nil {
		s.Set("dependentRequired", specs.NewObject(w.dependentRequired...))
	}
	if w.dependentSchemas != nil && !s.Has("dependentSchemas") {
		s.Set("dependentSchemas", specs.NewObject(w.dependentSchemas...))
	}
	if w.file {
		s.Set("format", specs.NewString("binary"))
	}
	if w.required != nil {
		list := with(w.required[0], specs.Array, "")
		if r := s.Get("required"); r != nil && r.Kind == specs.Array {
			list.Fields = slices.Clone(r.Fields)
		}
		for _, name := range w.required {
			if !slices.ContainsFunc(list.Fields, func(f specs.Field) bool { return f.Value.Text == name.Text }) {
				list.Fields = append(list.Fields, specs.Field{Value: name, KeyStart: -1})
			}
		}
		s.Set("required", list)
	}
	if w.nullable {
		allowNull(s)
	}
}

func exclude(s *specs.Node, from, to string) {
	if i := indexOf(s.Fields, from); i >= 0 && indexOf(s.Fields, to) < 0 {
		s.Fields[i].Key = to
	}
}

// allowNull makes null one of the values of s. The fields of s are its own.
func allowNull(s *specs.Node) {
	null := specs.NewObject(specs.F("type", specs.NewString("null")))
	strict := false // a member forbids null, whatever type says
	for _, f := range s.Fields {
		switch f.Key {
		case "$ref", "allOf", "oneOf", "anyOf", "not", "const", "if":
			strict = true
		}
	}
	if strict {
		remarks, rest := with(s, specs.Object, ""), with(s, specs.Object, "")
		for _, f := range s.Fields {
			switch f.Key {
			case "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "xml":
				remarks.Fields = append(remarks.Fields, f)
			default:
				rest.Fields = append(rest.Fields, f)
			}
		}
		s.Fields = append(remarks.Fields, specs.F("anyOf", specs.NewArray(rest, null)))
		return
	}
	if i := indexOf(s.Fields, "type"); i >= 0 {
		t := s.Fields[i].Value
		list := with(t, specs.Array, "")
		if t.Kind == specs.Array {
			list.Fields = slices.Clone(t.Fields)
		} else {
			list.Fields = []specs.Field{{Value: t, KeyStart: -1}}
		}
		if !slices.ContainsFunc(list.Fields, func(f specs.Field) bool { return f.Value.Text == "null" }) {
			list.Fields = append(list.Fields, specs.Field{Value: specs.NewString("null"), KeyStart: -1})
		}
		s.Fields[i].Value = list
	}
	if i := indexOf(s.Fields, "enum"); i >= 0 {
		e := s.Fields[i].Value
		if !slices.ContainsFunc(e.Fields, func(f specs.Field) bool { return f.Value.Kind == specs.Null }) {
			list := with(e, specs.Array, "")
			list.Fields = append(slices.Clone(e.Fields), specs.Field{Value: &specs.Node{}, KeyStart: -1})
			s.Fields[i].Value = list
		}
	}
}
