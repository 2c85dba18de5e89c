package compiler

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// A schema of a document goes through two forms. Lowering turns a
// [specs.Node], which may hold anything an author wrote, into a schema, which
// can only hold what JSON Schema 2020-12 allows: wrong keywords are repaired or
// dropped, names of properties are made portable, what belongs to the other
// direction (readOnly in a request, writeOnly in a response) is gone. Emission
// (schema_emit.go) turns schemas into text within a size budget. Named schemas
// are lowered once per direction and shared by all tools.

// direction says which way a value travels.
type direction uint8

const (
	input direction = iota
	output
)

// maxNesting bounds the depth of one schema as written.
const maxNesting = 250

// schema is a lowered schema. It is not changed once it was lowered.
type schema struct {
	ref      *def // of a "$ref"; the other fields then stand beside it
	types    []string
	title    string
	desc     string
	words    []word // keywords without subschemas, in order
	props    []prop
	required []string // keys
	subs     []sub    // keywords with subschemas, properties aside
	xml      *plan.XMLName
	never    bool // matches nothing: false
	// loose says that the schema accepts more than the author wrote, because
	// something could not be kept. "Exactly one of" such schemas would then
	// refuse what the author allows.
	loose bool
}

// word is a keyword and its value as JSON.
type word struct{ key, json string }

// prop is a property. A hidden one is known, for XML, but not emitted.
type prop struct {
	key    string // in arguments or results
	wire   string
	schema *schema
	hidden bool
}

// sub is a keyword whose value is a schema, a list or a map of schemas.
type sub struct {
	key  string
	form subForm
	keys []string // of a map
	list []*schema
}

type subForm uint8

const (
	oneSchema subForm = iota
	schemaList
	schemaMap
)

func (s *schema) word(key string) string {
	for i := range s.words {
		if s.words[i].key == key {
			return s.words[i].json
		}
	}
	return ""
}

// without returns the words but those named.
func without(words []word, keys ...string) []word {
	if !slices.ContainsFunc(words, func(w word) bool { return slices.Contains(keys, w.key) }) {
		return words
	}
	var out []word
	for _, w := range words {
		if !slices.Contains(keys, w.key) {
			out = append(out, w)
		}
	}
	return out
}

func (s *schema) setWord(key, json string) {
	for i := range s.words {
		if s.words[i].key == key {
			s.words[i].json = json
			return
		}
	}
	s.words = append(s.words, word{key, json})
}

func (s *schema) sub(key string) *sub {
	for i := range s.subs {
		if s.subs[i].key == key {
			return &s.subs[i]
		}
	}
	return nil
}

// prop returns the property with a key, or with a wire name, or nil.
func (s *schema) prop(name string) *prop {
	for i := range s.props {
		if s.props[i].key == name {
			return &s.props[i]
		}
	}
	for i := range s.props {
		if s.props[i].wire == name {
			return &s.props[i]
		}
	}
	return nil
}

// isEmpty reports whether s is {}.
func (s *schema) isEmpty() bool {
	return s.ref == nil && s.types == nil && s.title == "" && s.desc == "" && len(s.words) == 0 && len(s.props) == 0 &&
		len(s.required) == 0 && len(s.subs) == 0 && !s.never
}

// hasKids reports whether s has subschemas or refers to one.
func (s *schema) hasKids() bool { return s.ref != nil || len(s.props) > 0 || len(s.subs) > 0 }

// onlyAnnotates reports whether all that stands beside the reference of s are
// words about the value, not rules for it.
func (s *schema) onlyAnnotates() bool {
	if s.types != nil || len(s.props) > 0 || len(s.required) > 0 || len(s.subs) > 0 || s.never {
		return false
	}
	for _, w := range s.words {
		switch w.key {
		case "default", "examples", "deprecated":
		default:
			return false
		}
	}
	return true
}

// describe returns a copy of s with another description.
func (s *schema) describe(text string) *schema {
	c := *s
	c.desc = text
	return &c
}

// target follows the references of s to the schema that says something, with
// the words beside the references on top. Rules beside a reference end the walk.
func (s *schema) target() *schema {
	for range 32 {
		if s.ref == nil || !s.onlyAnnotates() {
			return s
		}
		s = overlay(s, s.ref.schema())
	}
	return &schema{}
}

// overlay returns target with the annotations that stand beside the reference.
func overlay(beside, target *schema) *schema {
	c := *target
	if beside.title != "" {
		c.title = beside.title
	}
	if beside.desc != "" {
		c.desc = beside.desc
	}
	if len(beside.words) > 0 {
		c.words = slices.Clone(target.words)
		for _, w := range beside.words {
			c.setWord(w.key, w.json)
		}
	}
	if beside.xml != nil {
		c.xml = beside.xml
	}
	return &c
}

// def is a named schema of an API.
type def struct {
	name string // as in the document
	key  string // in $defs: portable
	rank int    // in the order of names
	node *specs.Node
	l    *lowerer

	lowerOnce sync.Once
	lowered   *schema

	// The rest is set by lowerer.measure, under its lock.
	measured  atomic.Bool
	index     int // Tarjan's
	low       int
	onStack   bool
	recursive bool    // reaches itself
	inlined   int     // bytes when written in full; saturates
	final     *schema // lowered, without endless in-place cycles
	refs      []*def
}

// schema returns the lowered schema, safe to emit.
func (d *def) schema() *schema {
	if !d.measured.Load() {
		d.l.measure(d)
	}
	return d.final
}

// raw returns the lowered schema as it was written, cycles included.
func (d *def) raw() *schema {
	d.lowerOnce.Do(func() { d.lowered = d.l.lower(d.node, place{}) })
	return d.lowered
}

// lowerer lowers the schemas of one API for one direction.
type lowerer struct {
	dir      direction
	hashed   bool // renamed keys always carry a hash; see [shapeBuilder]
	defs     map[string]*def
	patterns *patterns
	renamed  atomic.Bool // some property has another key than on the wire

	mu    sync.Mutex // for measure
	next  int
	stack []*def
}

func newLowerer(dir direction, hashed bool, named map[string]*specs.Node, p *patterns) *lowerer {
	l := &lowerer{dir: dir, hashed: hashed, defs: make(map[string]*def, len(named)), patterns: p}
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	sort.Strings(names)
	keys := portableKeys(names, false)
	for i, name := range names {
		l.defs[name] = &def{name: name, key: keys[i], rank: i, node: named[name], l: l}
	}
	return l
}

// resolve finds the named schema of a reference, or nil.
func (l *lowerer) resolve(ref string) *def {
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	if !ok {
		return nil
	}
	if d := l.defs[name]; d != nil {
		return d
	}
	return l.defs[unescapePointer(name)]
}

func unescapePointer(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(b.String())
}

// place is what lowering a schema must know of where it stands.
type place struct {
	depth int
	// gone are properties of the same value that were left out because they
	// belong to the other direction; they cannot be required.
	gone map[string]bool
}

func (l *lowerer) lower(n *specs.Node, at place) *schema {
	if n == nil || at.depth > maxNesting {
		return &schema{}
	}
	if n.Kind == specs.Bool && n.Text == "false" {
		return &schema{never: true}
	}
	if n.Kind != specs.Object {
		return &schema{}
	}
	s := &schema{}
	at.gone = l.goneProps(n, at.gone)
	inner := place{depth: at.depth + 1}
	same := place{depth: at.depth + 1, gone: at.gone}
	var removed []string // patterns that could not be kept
	for i := range n.Fields {
		key, v := n.Fields[i].Key, n.Fields[i].Value
		if v == nil {
			continue
		}
		switch key {
		case "$ref":
			if v.Kind == specs.String {
				s.ref = l.resolve(v.Text)
			}
			s.loose = s.loose || s.ref == nil
		case "title":
			s.title = textOf(v)
		case "description":
			s.desc = textOf(v)
		case "type":
			l.lowerType(s, v)
		case "properties":
			l.lowerProps(s, v, inner)
		case "patternProperties":
			if v.Kind != specs.Object {
				continue
			}
			m := sub{key: key, form: schemaMap}
			for _, f := range v.Fields {
				p, ok := l.patterns.portable(f.Key, l.dir)
				if !ok || slices.Contains(m.keys, p) {
					removed = append(removed, f.Key)
					continue
				}
				m.keys = append(m.keys, p)
				m.list = append(m.list, l.lower(f.Value, inner))
			}
			if len(m.list) > 0 {
				s.subs = append(s.subs, m)
			}
		case "additionalProperties", "unevaluatedProperties", "unevaluatedItems":
			if l.dir == output && v.Kind == specs.Bool && v.Text == "false" {
				continue // an answer with a new member is still an answer
			}
			switch {
			case v.Kind == specs.Bool && key == "additionalProperties":
				s.words = append(s.words, word{key, v.Text})
			case v.Kind == specs.Bool && v.Text == "true":
			case v.Kind == specs.Object || v.Kind == specs.Bool:
				s.subs = append(s.subs, sub{key: key, list: []*schema{l.lower(v, inner)}})
			}
		case "items":
			switch v.Kind {
			case specs.Object, specs.Bool:
				if v.Kind == specs.Bool && v.Text == "true" {
					continue
				}
				s.subs = append(s.subs, sub{key: key, list: []*schema{l.lower(v, inner)}})
			case specs.Array: // before 2020-12: a tuple
				if !n.Has("prefixItems") {
					l.lowerList(s, "prefixItems", v, inner)
				}
			}
		case "propertyNames", "contains", "contentSchema":
			if v.Kind == specs.Object || v.Kind == specs.Bool {
				s.subs = append(s.subs, sub{key: key, list: []*schema{l.lower(v, inner)}})
			}
		case "not", "if", "then", "else":
			if v.Kind == specs.Object || v.Kind == specs.Bool {
				s.subs = append(s.subs, sub{key: key, list: []*schema{l.lower(v, same)}})
			}
		case "prefixItems":
			l.lowerList(s, key, v, inner)
		case "allOf", "anyOf", "oneOf":
			l.lowerList(s, key, v, same)
		case "dependentSchemas":
			if v.Kind != specs.Object {
				continue
			}
			m := sub{key: key, form: schemaMap}
			for _, f := range v.Fields {
				if k, ok := l.keyOf(n, f.Key); ok {
					m.keys = append(m.keys, k)
					m.list = append(m.list, l.lower(f.Value, same))
				}
			}
			if len(m.list) > 0 {
				s.subs = append(s.subs, m)
			}
		case "dependentRequired":
			l.lowerDependentRequired(s, n, v)
		case "pattern":
			if v.Kind != specs.String {
				continue
			}
			if p, ok := l.patterns.portable(v.Text, l.dir); ok {
				s.words = append(s.words, word{key, quote(p)})
			} else {
				removed = append(removed, v.Text)
			}
		case "xml":
			s.xml = xmlName(v)
		case "required", "enum", "const", "example", "examples":
			// below: they depend on other keywords
		default:
			if w, ok := scalarWord(key, v, n); ok {
				s.words = append(s.words, w)
			}
		}
	}
	l.lowerRequired(s, n, at.gone)
	l.lowerValues(s, n)
	for _, p := range removed {
		s.loose = true
		s.desc = join(s.desc, "Pattern: "+p)
	}
	if len(s.types) > 0 && !slices.Contains(s.types, "array") {
		s.words = without(s.words, "uniqueItems") // generators write it on texts
	}
	dedupeWords(s)
	return l.simplify(s)
}

// simplify removes wrappers that say nothing: an allOf of one.
func (l *lowerer) simplify(s *schema) *schema {
	if s.ref != nil || len(s.subs) != 1 || s.subs[0].key != "allOf" || len(s.subs[0].list) != 1 || s.xml != nil {
		return s
	}
	only := s.subs[0].list[0]
	beside := *s
	beside.subs = nil
	switch {
	case only.ref != nil && only.onlyAnnotates() && !only.loose:
		// {allOf: [{$ref}], description}: OpenAPI 3.0's way to describe a reference.
		if beside.types != nil && beside.onlyTyped() {
			beside.types = nil // the reference says it
		}
		if !beside.onlyAnnotates() {
			return s
		}
		r := overlay(&beside, only)
		r.ref = only.ref
		return r
	case beside.onlyAnnotates() && only.ref == nil:
		r := overlay(&beside, only)
		r.loose = r.loose || s.loose
		return r
	}
	return s
}

// onlyTyped reports whether the type is the only rule of s, and an object's.
func (s *schema) onlyTyped() bool {
	c := *s
	c.types = nil
	return len(s.types) == 1 && s.types[0] == "object" && c.onlyAnnotates()
}

func dedupeWords(s *schema) {
	for i := 0; i < len(s.words); i++ {
		for j := i + 1; j < len(s.words); j++ {
			if s.words[j].key == s.words[i].key {
				s.words = slices.Delete(s.words, j, j+1)
				j--
			}
		}
	}
	for i := 0; i < len(s.subs); i++ {
		for j := i + 1; j < len(s.subs); j++ {
			if s.subs[j].key == s.subs[i].key {
				s.subs = slices.Delete(s.subs, j, j+1)
				j--
			}
		}
	}
	for _, sb := range s.subs { // one keyword, two forms
		s.words = without(s.words, sb.key)
	}
}

// lowerType keeps the types JSON Schema knows and translates common others.
func (l *lowerer) lowerType(s *schema, v *specs.Node) {
	var names []*specs.Node
	switch v.Kind {
	case specs.String:
		names = []*specs.Node{v}
	case specs.Array:
		for _, f := range v.Fields {
			names = append(names, f.Value)
		}
	case specs.Null:
		s.types = []string{"null"}
		return
	default:
		s.loose = true
		return
	}
	add := func(t string) {
		if !slices.Contains(s.types, t) {
			s.types = append(s.types, t)
		}
	}
	for _, t := range names {
		if t.Kind == specs.Null {
			add("null")
			continue
		}
		switch strings.ToLower(t.Str()) {
		case "object", "map":
			add("object")
		case "array", "list":
			add("array")
		case "string", "text", "uuid":
			add("string")
		case "number", "float", "double", "decimal":
			add("number")
		case "integer", "int", "long", "int32", "int64":
			add("integer")
		case "boolean", "bool":
			add("boolean")
		case "null":
			add("null")
		case "file", "binary":
			add("string")
			s.setWord("format", `"binary"`)
		case "date", "date-time", "datetime", "timestamp":
			add("string")
			f := strings.ToLower(t.Str())
			if f != "date" {
				f = "date-time"
			}
			s.setWord("format", quote(f))
		default: // "any" and what nobody knows
			s.types, s.loose = nil, true
			return
		}
	}
}

func (l *lowerer) lowerList(s *schema, key string, v *specs.Node, at place) {
	if v.Kind != specs.Array {
		if v.Kind == specs.Object { // meant as a list of one
			s.subs = append(s.subs, sub{key: key, form: schemaList, list: []*schema{l.lower(v, at)}})
		}
		return
	}
	m := sub{key: key, form: schemaList}
	loose := false
	for _, f := range v.Fields {
		if f.Value == nil || f.Value.Kind != specs.Object && f.Value.Kind != specs.Bool {
			continue
		}
		c := l.lower(f.Value, at)
		loose = loose || c.loose
		m.list = append(m.list, c)
	}
	if len(m.list) == 0 {
		return
	}
	if key == "oneOf" && loose {
		m.key = "anyOf"
	}
	s.loose = s.loose || loose
	s.subs = append(s.subs, m)
}

// belongsElsewhere reports whether a property is for the other direction only.
func (l *lowerer) belongsElsewhere(n *specs.Node) bool {
	word := "readOnly"
	if l.dir == output {
		word = "writeOnly"
	}
	for range 8 {
		if n.Get(word).IsTrue() {
			return true
		}
		ref := n.Get("$ref").Str()
		if all := n.Get("allOf"); ref == "" && all != nil && all.Kind == specs.Array && len(all.Fields) == 1 {
			ref = all.Fields[0].Value.Get("$ref").Str()
		}
		if ref == "" {
			return false
		}
		d := l.resolve(ref)
		if d == nil {
			return false
		}
		n = d.node
	}
	return false
}

// goneProps adds to gone the properties of n that belong to the other
// direction, wherever allOf has put them.
func (l *lowerer) goneProps(n *specs.Node, gone map[string]bool) map[string]bool {
	if !n.Has("required") && !n.Has("allOf") {
		return gone
	}
	own := map[string]bool{}
	var collect func(n *specs.Node, depth int)
	collect = func(n *specs.Node, depth int) {
		if n == nil || depth > 6 {
			return
		}
		if p := n.Get("properties"); p != nil && p.Kind == specs.Object {
			for i := range p.Fields {
				if l.belongsElsewhere(p.Fields[i].Value) {
					own[p.Fields[i].Key] = true
				}
			}
		}
		if d := l.resolve(n.Get("$ref").Str()); d != nil {
			collect(d.node, depth+1)
		}
		if all := n.Get("allOf"); all != nil && all.Kind == specs.Array {
			for i := range all.Fields {
				collect(all.Fields[i].Value, depth+1)
			}
		}
	}
	collect(n, 0)
	if len(own) == 0 {
		return gone
	}
	for k := range gone {
		own[k] = true
	}
	return own
}

func (l *lowerer) lowerProps(s *schema, v *specs.Node, at place) {
	if v.Kind != specs.Object {
		return
	}
	keys := l.keysOf(v)
	for i := range v.Fields {
		f := &v.Fields[i]
		if keys[i] == "" || l.belongsElsewhere(f.Value) {
			continue
		}
		p := prop{key: keys[i], wire: f.Key, schema: l.lower(f.Value, at)}
		if p.key != p.wire {
			if l.dir == output {
				// An answer is passed on as it came, so its keys cannot change.
				p.key, p.hidden = p.wire, true
			} else {
				l.renamed.Store(true)
			}
		}
		s.props = append(s.props, p)
	}
}

// keysOf returns the portable keys of an object of properties, in order; ""
// for a repeated member.
func (l *lowerer) keysOf(v *specs.Node) []string {
	good := true
	for i := range v.Fields {
		if !isPortable(v.Fields[i].Key) {
			good = false
			break
		}
	}
	names := make([]string, len(v.Fields))
	for i := range v.Fields {
		names[i] = v.Fields[i].Key
	}
	if !good {
		names = portableKeys(names, l.hashed)
	}
	if len(names) > 1 {
		seen := make(map[string]struct{}, len(names))
		for i, k := range names {
			if _, ok := seen[k]; ok {
				names[i] = ""
			}
			seen[k] = struct{}{}
		}
	}
	return names
}

// keyOf is the portable key of one property of n; false when answers hide it.
func (l *lowerer) keyOf(n *specs.Node, wire string) (string, bool) {
	if isPortable(wire) {
		return wire, true
	}
	if l.dir == output {
		return "", false
	}
	if p := n.Get("properties"); p != nil && p.Kind == specs.Object {
		for i, k := range l.keysOf(p) {
			if p.Fields[i].Key == wire && k != "" {
				return k, true
			}
		}
	}
	return portableKeys([]string{wire}, l.hashed)[0], true
}

func (l *lowerer) lowerRequired(s *schema, n *specs.Node, gone map[string]bool) {
	v := n.Get("required")
	if v == nil || v.Kind != specs.Array {
		return
	}
	for _, f := range v.Fields {
		if f.Value == nil || f.Value.Kind != specs.String || gone[f.Value.Text] {
			continue
		}
		wire := f.Value.Text
		if wire == "" && s.prop("") == nil {
			continue
		}
		key, ok := l.keyOf(n, wire)
		if !ok || slices.Contains(s.required, key) {
			continue
		}
		if key != wire && s.prop(key) == nil {
			// Required and not described: describe it, so that it has a wire name.
			s.props = append(s.props, prop{key: key, wire: wire, schema: &schema{}})
			l.renamed.Store(true)
		}
		s.required = append(s.required, key)
	}
}

func (l *lowerer) lowerDependentRequired(s *schema, n, v *specs.Node) {
	if v.Kind != specs.Object {
		return
	}
	var b []byte
	for _, f := range v.Fields {
		key, ok := l.keyOf(n, f.Key)
		if !ok || f.Value == nil || f.Value.Kind != specs.Array {
			continue
		}
		var names []string
		for _, e := range f.Value.Fields {
			if e.Value == nil || e.Value.Kind != specs.String {
				continue
			}
			if k, ok := l.keyOf(n, e.Value.Text); ok && !slices.Contains(names, k) {
				names = append(names, k)
			}
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(specs.AppendQuoted(b, key), ':')
		b = appendStrings(b, names)
	}
	if len(b) > 0 {
		s.words = append(s.words, word{"dependentRequired", "{" + string(b) + "}"})
	}
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = specs.AppendQuoted(b, t)
	}
	return append(b, ']')
}

// maxExample is the size of the examples kept for one schema, in bytes.
const maxExample = 1024

// lowerValues keeps enum, const, default and examples.
func (l *lowerer) lowerValues(s *schema, n *specs.Node) {
	if v := n.Get("enum"); v != nil {
		if v.Kind == specs.Array && len(v.Fields) > 0 && sane(v) {
			b := []byte{'['}
			seen := make(map[string]bool, len(v.Fields))
			for _, f := range v.Fields {
				j := jsonOf(fit(f.Value, s.types))
				if seen[j] {
					continue
				}
				seen[j] = true
				if len(b) > 1 {
					b = append(b, ',')
				}
				b = append(b, j...)
			}
			s.words = append(s.words, word{"enum", string(append(b, ']'))})
		} else {
			s.loose = true
		}
	}
	if v := n.Get("const"); v != nil {
		if sane(v) {
			s.words = append(s.words, word{"const", jsonOf(fit(v, s.types))})
		} else {
			s.loose = true
		}
	}
	var examples []*specs.Node
	if v := n.Get("examples"); v != nil && (v.Kind == specs.Array || v.Kind == specs.Object) {
		for _, f := range v.Fields {
			e := f.Value
			if v.Kind == specs.Object { // OpenAPI's map of example objects
				if e = e.Get("value"); e == nil {
					continue
				}
			}
			examples = append(examples, e)
		}
	}
	if v := n.Get("example"); v != nil {
		examples = append(examples, v)
	}
	b := []byte{'['}
	for _, e := range examples {
		if e == nil || !sane(e) {
			continue
		}
		j := jsonOf(e)
		if len(b)+len(j) > maxExample {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, j...)
	}
	if len(b) > 1 {
		s.words = append(s.words, word{"examples", string(append(b, ']'))})
	}
}

// fit makes a value of the declared type of one that YAML read otherwise: a
// version 1.0 in an enum of strings, a "5" in one of integers.
func fit(v *specs.Node, types []string) *specs.Node {
	if v == nil || len(types) == 0 {
		return v
	}
	is := func(t string) bool { return slices.Contains(types, t) }
	switch v.Kind {
	case specs.Number:
		if is("string") && !is("number") && !is("integer") {
			return specs.NewString(v.Text)
		}
	case specs.Bool:
		if is("string") && !is("boolean") {
			return specs.NewString(v.Text)
		}
	case specs.String:
		if is("string") {
			return v
		}
		if (is("integer") || is("number")) && isNumber(v.Text) && saneNumber(v.Text) {
			return specs.NewNumber(v.Text)
		}
		if is("boolean") && (v.Text == "true" || v.Text == "false") {
			return specs.NewBool(v.Text == "true")
		}
	}
	return v
}

// scalarWord checks a keyword whose value holds no schema. Keywords it does not
// know, OpenAPI's own and vendors' among them, are dropped.
func scalarWord(key string, v, parent *specs.Node) (word, bool) {
	switch key {
	case "format", "contentEncoding", "contentMediaType":
		if v.Kind == specs.String && v.Text != "" {
			return word{key, quote(v.Text)}, true
		}
	case "default":
		if sane(v) {
			return word{key, jsonOf(v)}, true
		}
	case "deprecated":
		if v.IsTrue() {
			return word{key, "true"}, true
		}
	case "uniqueItems":
		if v.IsTrue() || v.Str() == "true" {
			return word{key, "true"}, true
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		if v.Kind == specs.Bool { // before draft 6
			limit := map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}[key]
			if limit == "" || v.Text != "true" {
				return word{}, false
			}
			if v = parent.Get(limit); v == nil {
				return word{}, false
			}
		}
		if (v.Kind != specs.Number && v.Kind != specs.String) || !isNumber(v.Text) || !saneNumber(v.Text) {
			return word{}, false
		}
		if key == "multipleOf" && (strings.HasPrefix(v.Text, "-") || isZero(v.Text)) {
			return word{}, false
		}
		return word{key, v.Text}, true
	case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
		if v.Kind != specs.Number && v.Kind != specs.String {
			return word{}, false
		}
		t := v.Text
		if head, tail, ok := strings.Cut(t, "."); ok && strings.Trim(tail, "0") == "" {
			t = head
		}
		n, err := strconv.ParseUint(t, 10, 63)
		if err != nil {
			return word{}, false
		}
		return word{key, strconv.FormatUint(n, 10)}, true
	}
	return word{}, false
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}

func isZero(s string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	return !strings.ContainsAny(mantissa, "123456789")
}

// saneNumber reports whether exact arithmetic on a JSON number is affordable:
// 1e999999999 takes a gigabyte.
func saneNumber(s string) bool {
	mantissa, exp, _ := strings.Cut(strings.ToLower(s), "e")
	exp = strings.TrimLeft(strings.TrimLeft(exp, "+-"), "0")
	return len(mantissa) <= 400 && len(exp) <= 3 && (len(exp) < 3 || exp <= "400")
}

// sane reports whether all numbers in a value are, and whether it nests within reason.
func sane(v *specs.Node) bool { return saneWithin(v, 64) }

func saneWithin(v *specs.Node, depth int) bool {
	if v == nil {
		return true
	}
	if depth == 0 {
		return false
	}
	if v.Kind == specs.Number {
		return isNumber(v.Text) && saneNumber(v.Text)
	}
	for i := range v.Fields {
		if !saneWithin(v.Fields[i].Value, depth-1) {
			return false
		}
	}
	if v.Kind == specs.Object && len(v.Fields) > 1 {
		seen := make(map[string]bool, len(v.Fields))
		for i := range v.Fields {
			if seen[v.Fields[i].Key] {
				return false
			}
			seen[v.Fields[i].Key] = true
		}
	}
	return true
}

// xmlName reads OpenAPI's xml object.
func xmlName(v *specs.Node) *plan.XMLName {
	if v == nil || v.Kind != specs.Object {
		return nil
	}
	x := plan.XMLName{
		Name: v.Get("name").Str(), Namespace: v.Get("namespace").Str(), Prefix: v.Get("prefix").Str(),
		Attribute: v.Get("attribute").IsTrue(), Wrapped: v.Get("wrapped").IsTrue(),
	}
	switch v.Get("nodeType").Str() {
	case "attribute":
		x.Attribute = true
	case "text", "cdata":
		x.Text = true
	case "none":
		x.None = true
	}
	if x == (plan.XMLName{}) {
		return nil
	}
	return &x
}

// textOf is the text of a title or description; a number or boolean is taken
// as it was written.
func textOf(v *specs.Node) string {
	switch v.Kind {
	case specs.String, specs.Number, specs.Bool:
		return cleanText(v.Text)
	}
	return ""
}

// cleanText removes what does not belong into text for a model: control
// characters and surrounding space.
func cleanText(s string) string {
	if strings.IndexFunc(s, isControl) >= 0 {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.Map(func(r rune) rune {
			if r == '\r' {
				return '\n'
			}
			if isControl(r) {
				return -1
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	case strings.HasSuffix(a, "\n"):
		return a + b
	}
	return a + "\n" + b
}

func quote(s string) string { return string(specs.AppendQuoted(nil, s)) }

func jsonOf(v *specs.Node) string {
	if v == nil {
		return "null"
	}
	return v.JSON()
}
