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

// maxNesting bounds the depth of one schema as written.
const maxNesting = 250

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
		case "writeOnly", "x-sensitive":
			s.sensitive = s.sensitive || v.IsTrue()
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
	case "text":
		x.Text = true
	case "cdata":
		x.Text, x.CDATA = true, true
	case "none":
		x.None = true
	}
	if x == (plan.XMLName{}) {
		return nil
	}
	return &x
}
