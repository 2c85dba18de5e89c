package compiler

import (
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/plan"
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
	// sensitive says that values are secret: writeOnly or x-sensitive.
	sensitive bool
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
	c.sensitive = c.sensitive || beside.sensitive
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

// onlyTyped reports whether the type is the only rule of s, and an object's.
func (s *schema) onlyTyped() bool {
	c := *s
	c.types = nil
	return len(s.types) == 1 && s.types[0] == "object" && c.onlyAnnotates()
}
