package compiler

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkSchema reports why text is not a JSON Schema that can be served, or nil.
// It accepts only a part of draft 2020-12: the keywords the compiler emits, in
// their right form, and references to the schema's own $defs. Everything it
// accepts, a JSON Schema library compiles; a test and a fuzz target hold it to
// that. It exists because asking the library takes a thousand times longer.
func checkSchema(text string, p *patterns) error {
	c := checker{s: text, patterns: p}
	c.schema(0)
	if c.err == nil && c.i != len(c.s) {
		c.fail("text after the schema")
	}
	if c.err != nil {
		return c.err
	}
	for _, r := range c.refs {
		if !slices.Contains(c.defs, r) {
			return fmt.Errorf("$ref to %q, which is not in $defs", r)
		}
	}
	return nil
}

// checker reads one schema.
type checker struct {
	s        string
	i        int
	err      error
	patterns *patterns
	refs     []string
	defs     []string
}

const checkDepth = 512

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("at byte %d: %s", c.i, fmt.Sprintf(format, args...))
	}
}

func (c *checker) peek() byte {
	if c.i < len(c.s) {
		return c.s[c.i]
	}
	return 0
}

func (c *checker) take(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.i++
	return true
}

func (c *checker) expect(b byte) {
	if !c.take(b) {
		c.fail("%q expected", b)
	}
}

// object calls f for each member, after its colon. Names are unique.
func (c *checker) object(f func(name string)) {
	c.expect('{')
	if c.err != nil || c.take('}') {
		return
	}
	var names []string
	var many map[string]bool
	for c.err == nil {
		name := c.str()
		c.expect(':')
		if c.err != nil {
			return
		}
		if many == nil && len(names) == 16 {
			many = map[string]bool{}
			for _, n := range names {
				many[n] = true
			}
		}
		if many[name] || many == nil && slices.Contains(names, name) {
			c.fail("member %q twice", name)
			return
		}
		if many != nil {
			many[name] = true
		} else {
			names = append(names, name)
		}
		f(name)
		if c.take('}') {
			return
		}
		c.expect(',')
	}
}

func (c *checker) array(f func()) (n int) {
	c.expect('[')
	if c.err != nil || c.take(']') {
		return 0
	}
	for c.err == nil {
		f()
		n++
		if c.take(']') {
			return n
		}
		c.expect(',')
	}
	return n
}

func (c *checker) schema(depth int) {
	if depth > checkDepth {
		c.fail("nested too deeply")
	}
	if c.err != nil {
		return
	}
	inner := func() { c.schema(depth + 1) }
	c.object(func(name string) {
		switch name {
		case "$ref":
			r, ok := strings.CutPrefix(c.str(), "#/$defs/")
			if !ok || !isPortable(r) {
				c.fail("$ref leaves the schema")
			}
			c.refs = append(c.refs, r)
		case "$defs":
			if depth > 0 {
				c.fail("$defs below the root")
			}
			c.object(func(name string) {
				c.defs = append(c.defs, name)
				inner()
			})
		case "title", "description", "format", "contentEncoding", "contentMediaType":
			c.str()
		case "pattern":
			if p := c.str(); c.err == nil && !c.patterns.compiles(p) {
				c.fail("pattern %q", p)
			}
		case "type":
			if c.peek() == '"' {
				c.simpleType(c.str())
				return
			}
			if c.uniqueStrings(c.simpleType) == 0 {
				c.fail("no type")
			}
		case "enum":
			if c.array(func() { c.value(depth) }) == 0 {
				c.fail("empty enum")
			}
		case "examples":
			c.array(func() { c.value(depth) })
		case "const", "default":
			c.value(depth)
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
			t := c.number()
			if name == "multipleOf" && (t == "" || t[0] == '-' || isZero(t)) {
				c.fail("multipleOf must be positive")
			}
		case "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains":
			if t := c.number(); len(t) > 18 || strings.Trim(t, "0123456789") != "" {
				c.fail("%s must be a count", name)
			}
		case "deprecated", "uniqueItems":
			c.boolean()
		case "required":
			c.uniqueStrings(nil)
		case "dependentRequired":
			c.object(func(string) { c.uniqueStrings(nil) })
		case "additionalProperties":
			if c.peek() == '{' {
				inner()
			} else {
				c.boolean()
			}
		case "properties", "dependentSchemas":
			c.object(func(string) { inner() })
		case "patternProperties":
			c.object(func(name string) {
				if !c.patterns.compiles(name) {
					c.fail("pattern %q", name)
				}
				inner()
			})
		case "items", "contains", "propertyNames", "not", "if", "then", "else", "contentSchema", "unevaluatedProperties", "unevaluatedItems":
			inner()
		case "allOf", "anyOf", "oneOf", "prefixItems":
			if c.array(inner) == 0 {
				c.fail("empty %s", name)
			}
		default:
			c.fail("keyword %q", name)
		}
	})
}

func (c *checker) simpleType(t string) {
	switch t {
	case "array", "boolean", "integer", "null", "number", "object", "string":
	default:
		c.fail("type %q", t)
	}
}

// uniqueStrings reads a list of different strings.
func (c *checker) uniqueStrings(check func(string)) int {
	seen := map[string]bool{}
	return c.array(func() {
		s := c.str()
		if seen[s] {
			c.fail("%q twice", s)
		}
		seen[s] = true
		if check != nil {
			check(s)
		}
	})
}

func (c *checker) boolean() {
	if !c.literal("true") && !c.literal("false") {
		c.fail("true or false expected")
	}
}

func (c *checker) literal(s string) bool {
	if strings.HasPrefix(c.s[c.i:], s) {
		c.i += len(s)
		return true
	}
	return false
}

// value reads any JSON value.
func (c *checker) value(depth int) {
	if depth > checkDepth {
		c.fail("nested too deeply")
	}
	if c.err != nil {
		return
	}
	switch b := c.peek(); {
	case b == '{':
		c.object(func(string) { c.value(depth + 1) })
	case b == '[':
		c.array(func() { c.value(depth + 1) })
	case b == '"':
		c.str()
	case b == '-' || '0' <= b && b <= '9':
		c.number()
	case c.literal("null"):
	default:
		c.boolean()
	}
}

func (c *checker) number() string {
	start := c.i
	for c.i < len(c.s) && strings.IndexByte("+-.eE0123456789", c.s[c.i]) >= 0 {
		c.i++
	}
	t := c.s[start:c.i]
	if !isNumber(t) || !saneNumber(t) {
		c.fail("number expected")
	}
	return t
}

// str reads a string and returns its value.
func (c *checker) str() string {
	c.expect('"')
	start := c.i
	for c.i < len(c.s) {
		switch b := c.s[c.i]; {
		case b == '"':
			t := c.s[start:c.i]
			c.i++
			if !utf8.ValidString(t) {
				c.fail("not UTF-8")
			}
			return t
		case b == '\\':
			return c.escaped(start)
		case b < ' ':
			c.fail("control character in a string")
			return ""
		default:
			c.i++
		}
	}
	c.fail("string without end")
	return ""
}

// escaped reads on in a string that has escapes.
func (c *checker) escaped(start int) string {
	out := []byte(c.s[start:c.i])
	for c.i < len(c.s) {
		b := c.s[c.i]
		c.i++
		switch {
		case b == '"':
			if !utf8.Valid(out) {
				c.fail("not UTF-8")
			}
			return string(out)
		case b < ' ':
			c.fail("control character in a string")
			return ""
		case b != '\\':
			out = append(out, b)
			continue
		}
		e := c.peek()
		c.i++
		switch e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			// The emitter writes control characters so, and nothing else.
			if c.i+4 > len(c.s) || c.s[c.i:c.i+2] != "00" || !isHex(c.s[c.i+2:c.i+4]) || c.s[c.i+2] > '7' {
				c.fail("bad escape")
				return ""
			}
			out = append(out, unhex(c.s[c.i+2])<<4|unhex(c.s[c.i+3]))
			c.i += 4
		default:
			c.fail("bad escape")
			return ""
		}
	}
	c.fail("string without end")
	return ""
}

func unhex(b byte) byte {
	switch {
	case b >= 'a':
		return b - 'a' + 10
	case b >= 'A':
		return b - 'A' + 10
	}
	return b - '0'
}
