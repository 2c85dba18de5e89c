package hclspec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// The functions that escape a value for its place in XML; package
// runtime/internal/expr has them too. Authors cannot call them.
const (
	escapeText      = "xmltext"
	escapeAttribute = "xmlattribute"
	escapeCDATA     = "xmlcdata"
)

// isPlaced reports whether an expression is a value between XML.
func isPlaced(x *specs.Expr) bool {
	return x.Op == specs.ExprCall && len(x.Args) == 1 && slices.Contains([]string{escapeText, escapeAttribute, escapeCDATA, rawName}, x.Name)
}

// xmlPlace is where a reader of XML stands between two characters.
type xmlPlace uint8

const (
	xmlText     xmlPlace = iota // between tags
	xmlLess                     // after <
	xmlTagName                  // in the name of a start tag
	xmlTag                      // in a start tag, after white space
	xmlAttr                     // in the name of an attribute
	xmlAttrEnd                  // after that name
	xmlEquals                   // after =
	xmlValue                    // in the value of an attribute
	xmlValueEnd                 // after its closing quote
	xmlSlash                    // after the / of an empty element
	xmlEndName                  // in the name of an end tag
	xmlEndSpace                 // after that name
	xmlBang                     // after <!
	xmlComment
	xmlCDATA
	xmlPI     // in a processing instruction or the declaration
	xmlEntity // after &
)

func (p xmlPlace) String() string {
	return [...]string{"between tags", "in a tag", "in the name of an element", "between attributes", "in the name of an attribute",
		"between attributes", "in an attribute without quotes", "in an attribute", "between attributes", "in a tag", "in the name of an element", "in a tag",
		"in a comment", "in a comment", "in a CDATA section", "in a processing instruction", "in a character reference"}[p]
}

// What a text may have at most: a request that needs more was not written by
// hand, and checking it would cost more than reading it.
const (
	maxXMLName       = 1_000 // bytes, also of a processing instruction
	maxXMLAttributes = 500   // of an element
	maxXMLDepth      = 500
)

// xmlAt is a stretch of a literal. Most are never looked at again, so the place
// in the source is worked out when it is asked for.
type xmlAt struct {
	literal    *specs.Expr
	start, end int
}

func (p *parser) xmlRange(a xmlAt) diag.Range {
	if a.literal == nil {
		return diag.Range{}
	}
	return p.literalRange(a.literal, a.start, a.end-a.start)
}

// xmlElement is an element that is open.
type xmlElement struct {
	name     string
	prefixes []string // that it declares
	at       xmlAt
	up       *xmlElement // the one around
	depth    int
}

// xmlState is all that a reader of XML remembers. States are copied where a
// template branches, so its slices are never changed in place.
type xmlState struct {
	place  xmlPlace
	back   xmlPlace // where an entity returns to
	quote  rune     // around the value of an attribute
	buf    string   // the name or word being read
	tag    xmlElement
	attrs  []string
	open   *xmlElement // the innermost one; nil outside of all
	root   bool        // the root element has begun
	began  bool        // something has been read
	prolog string
}

// xmlReader checks that the constant parts of a markup text are well-formed XML
// 1.0 with namespaces, whatever the values are, and finds out how each value is
// escaped.
type xmlReader struct {
	xmlState
	p        *parser
	what     string   // the attribute, for messages
	fragment bool     // any number of elements, and no declaration
	known    []string // prefixes declared outside
	start    xmlAt    // of the tag or reference being read
	failed   bool
}

// checkXML makes an ordinary template of a markup text. Nil: it is wrong, which
// has been reported. prolog is the XML declaration's text; "" when there is none.
func (p *parser) checkXML(x *specs.Expr, what string, fragment bool, known ...string) (out *specs.Expr, prolog string) {
	c := &xmlReader{p: p, what: what, fragment: fragment, known: append(known, "xml", "xmlns")}
	out = c.walk(x)
	if c.failed {
		return nil, ""
	}
	switch {
	case c.place != xmlText:
		c.wrong(cmpRange(p.xmlRange(c.tag.at), x.Range), "the text ends "+c.place.String(), "")
	case c.open != nil:
		c.wrong(p.xmlRange(c.open.at), fmt.Sprintf("<%s> is not closed", c.open.name), fmt.Sprintf("add </%s>", c.open.name))
	case !c.root && !fragment:
		c.wrong(x.Range, what+" has no element", "write <name>…</name>")
	}
	if c.failed {
		return nil, ""
	}
	var parts []*specs.Expr
	flatten(&parts, out)
	return p.join(parts, x.Range, &scope{phase: callPhase, what: what}), c.prolog
}

// flatten lists the parts of a template and of the templates in it.
func flatten(parts *[]*specs.Expr, x *specs.Expr) {
	if x.Op != specs.ExprTemplate {
		*parts = append(*parts, x)
		return
	}
	for _, a := range x.Args {
		flatten(parts, a)
	}
}

func (c *xmlReader) wrong(at diag.Range, message, hint string) {
	if !c.failed {
		c.p.add(diag.Diagnostic{Code: "invalid-xml", Message: message, Hint: hint, Range: at})
	}
	c.failed = true
}

// walk reads one piece and returns it with its values escaped.
func (c *xmlReader) walk(x *specs.Expr) *specs.Expr {
	if c.failed {
		return x
	}
	switch x.Op {
	case specs.ExprConst:
		if x.Value.Kind != specs.String {
			c.wrong(x.Range, fmt.Sprintf("%s is a text, not %s", c.what, valueText(x.Value)), "write <name>…</name>")
			return x
		}
		c.text(x)
		return x
	case specs.ExprTemplate:
		out := *x
		out.Args = slices.Clone(x.Args)
		for i := range out.Args {
			out.Args[i] = c.walk(out.Args[i])
		}
		return &out
	case specs.ExprCond:
		return c.branches(x)
	case specs.ExprCall:
		if x.Name == "join" && x.Args[1].Op == specs.ExprFor {
			return c.loop(x)
		}
	}
	return c.value(x)
}

// branches reads both sides of %{ if }: whichever is sent, what follows must
// mean the same.
func (c *xmlReader) branches(x *specs.Expr) *specs.Expr {
	before := c.xmlState
	yes := c.walk(x.Args[1])
	after := c.xmlState
	c.xmlState = before
	no := c.walk(x.Args[2])
	if c.failed {
		return x
	}
	same := after.place == c.place && sameOpen(after.open, c.open)
	if c.place == xmlText || c.place == xmlCDATA { // brackets that may end a section
		c.buf = tail(after.buf+c.buf, 2)
	} else {
		same = same && after.tag.name == c.tag.name
		if c.place != xmlTag && c.place != xmlValueEnd { // between attributes nothing of the last one counts
			same = same && after.quote == c.quote && after.buf == c.buf
		}
	}
	if !same {
		c.wrong(x.Args[0].Range, "the text is not the same XML with and without this condition", "open and close elements on the same side of %{ if }")
		return x
	}
	// A value, attribute or root element of one side is there in neither's place.
	c.root, c.began = c.root || after.root, c.began || after.began
	for _, a := range after.attrs {
		if !slices.Contains(c.attrs, a) {
			c.attrs = append(slices.Clip(c.attrs), a)
		}
	}
	c.tag.prefixes = append(slices.Clip(c.tag.prefixes), after.tag.prefixes...)
	return &specs.Expr{Op: specs.ExprCond, Args: []*specs.Expr{x.Args[0], c.part(yes), c.part(no)}, Range: x.Range}
}

// part makes an ordinary template of a piece that has been read.
func (c *xmlReader) part(x *specs.Expr) *specs.Expr {
	var parts []*specs.Expr
	flatten(&parts, x)
	return c.p.join(parts, x.Range, &scope{phase: callPhase, what: c.what})
}

// loop reads the body of a %{ for } that runs in the call: however often it is
// written, what follows must mean the same. It is read twice, as it stands after
// what was before the loop and after itself.
func (c *xmlReader) loop(x *specs.Expr) *specs.Expr {
	each := *x.Args[1]
	each.Args = slices.Clone(each.Args)
	body := each.Args[2]
	for range 2 {
		before := c.xmlState
		each.Args[2] = c.walk(body)
		if c.failed {
			return x
		}
		same := before.place == c.place && sameOpen(before.open, c.open)
		if c.place == xmlText || c.place == xmlCDATA {
			c.buf = tail(before.buf+c.buf, 2) // without a turn, brackets before the loop still count
		} else {
			same = same && before.tag.name == c.tag.name && before.quote == c.quote && before.buf == c.buf
		}
		if !same {
			c.wrong(x.Args[1].Args[0].Range, "the text is not the same XML after every turn of this loop", "open and close elements inside of %{ for }")
			return x
		}
		if !c.fragment && c.open == nil && c.root && !before.root {
			c.wrong(x.Args[1].Args[0].Range, "XML has one root element, and this loop makes any number", "put the loop into an element")
			return x
		}
	}
	each.Args[2] = c.part(each.Args[2])
	out := *x
	out.Args = []*specs.Expr{x.Args[0], &each}
	return &out
}

// sameOpen reports whether two places are inside of the same elements.
func sameOpen(a, b *xmlElement) bool {
	for a != b {
		if a == nil || b == nil || a.name != b.name {
			return false
		}
		a, b = a.up, b.up
	}
	return true
}

// value checks that a value can stand here and says how it is escaped.
func (c *xmlReader) value(x *specs.Expr) *specs.Expr {
	c.began = true
	escape := escapeText
	switch c.place {
	case xmlText:
		if c.open == nil && x.Name != rawName {
			c.misplaced(x, "outside of an element", "raw(…) takes XML as it is")
			return x
		}
		c.root = c.root || c.open == nil
		c.buf = "]]" // as the value may end
	case xmlValue:
		escape = escapeAttribute
	case xmlCDATA:
		escape = escapeCDATA
		c.buf = ""
	default:
		hint := "values stand in text and in the quotes of an attribute; write what is optional as %{ if … }…%{ endif }"
		c.misplaced(x, c.place.String(), hint)
		return x
	}
	out := *x
	if x.Name != rawName {
		out.Name = escape
	}
	arg := x.Args[0]
	if arg.Op != specs.ExprConst {
		return &out
	}
	s, err := text(arg.Value)
	if err == nil && x.Name != rawName {
		s, err = escapeXML(escape, s)
	}
	if err != nil {
		c.p.add(diag.Diagnostic{Code: "wrong-type", Message: err.Error(), Range: x.Range})
		c.failed = true
		return x
	}
	return constant(c.p.place(specs.NewString(s), x.Range), x.Range)
}

func (c *xmlReader) misplaced(x *specs.Expr, where, hint string) {
	c.p.add(diag.Diagnostic{Code: "value-in-markup", Message: fmt.Sprintf("${…} cannot stand %s", where), Hint: hint, Range: x.Range})
	c.failed = true
}

// text reads a literal, character by character.
func (c *xmlReader) text(x *specs.Expr) {
	s := x.Value.Text
	for i, r := range s {
		n := utf8.RuneLen(r)
		here := xmlAt{x, i, i + n}
		problem, hint := c.step(r, here)
		if problem != "" {
			switch c.place {
			case xmlLess, xmlEndName, xmlEndSpace, xmlBang, xmlPI, xmlEntity:
				if c.start.literal == x { // all of it is wrong
					here.start = c.start.start
				}
			}
			at := c.p.xmlRange(here)
			if line := strings.Count(s[:i], "\n"); line > 0 && at == x.Range {
				problem += fmt.Sprintf(", in line %d of the text", line+1)
			}
			c.wrong(at, problem, hint)
		}
		if c.failed {
			return
		}
	}
}

func isXMLSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// isXMLNameRune is near enough to XML's names: what is not ASCII may be in one.
func isXMLNameRune(r rune, first bool) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r >= 0x80:
		return true
	case r >= '0' && r <= '9', r == '-', r == '.', r == ':':
		return !first
	}
	return false
}

// named tells whether the name in buf goes on with r. It has one colon at most
// (Namespaces in XML).
func (c *xmlReader) named(r rune) bool {
	return isXMLNameRune(r, false) && (r != ':' || !strings.Contains(c.buf, ":"))
}

// step reads one character. at is its place.
func (c *xmlReader) step(r rune, at xmlAt) (problem, hint string) {
	if len(c.buf) > maxXMLName {
		return "the name is too long", ""
	}
	if r < 0x20 && !isXMLSpace(r) || r == 0xFFFE || r == 0xFFFF {
		return "XML cannot hold a control character", "remove it"
	}
	first := !c.began
	c.began = true
	switch c.place {
	case xmlText:
		switch {
		case r == '<':
			c.start = at
			c.place, c.tag = xmlLess, xmlElement{at: at}
			c.buf = ""
			if first && !c.fragment {
				c.buf = "first" // the only place for a declaration
			}
		case r == '&':
			c.start = at
			c.place, c.back, c.buf = xmlEntity, xmlText, ""
		case c.open == nil && !isXMLSpace(r):
			return "text stands outside of an element", "write <name>…</name>"
		case r == '>' && c.buf == "]]":
			return "]]> cannot stand in text, nor > after a value, which may end in ]]", "write &gt;"
		case r == ']':
			c.buf = tail(c.buf+"]", 2)
		default:
			c.buf = ""
		}
	case xmlLess:
		declaration := c.buf == "first"
		c.buf = ""
		switch {
		case r == '/':
			c.place = xmlEndName
		case r == '!':
			c.place = xmlBang
		case r == '?':
			c.place = xmlPI
			if declaration {
				c.buf = "?"
			}
		case isXMLNameRune(r, true):
			if c.open == nil && c.root && !c.fragment {
				return "XML has one root element", "put the elements into one"
			}
			c.place, c.buf, c.root, c.attrs = xmlTagName, string(r), true, nil
		default:
			return "< begins no tag here", "a literal < is written &lt;"
		}
	case xmlTagName:
		if c.named(r) {
			c.buf += string(r)
			break
		}
		c.tag.name = c.buf
		if at.literal == c.tag.at.literal {
			c.tag.at.end = at.start
		}
		return c.inTag(r)
	case xmlTag, xmlValueEnd:
		return c.inTag(r)
	case xmlAttr:
		switch {
		case c.named(r):
			c.buf += string(r)
		case r == '=':
			c.place = xmlEquals
		case isXMLSpace(r):
			c.place = xmlAttrEnd
		default:
			return fmt.Sprintf("the attribute %s has no value", c.buf), fmt.Sprintf(`write %s="…"`, c.buf)
		}
	case xmlAttrEnd:
		switch {
		case r == '=':
			c.place = xmlEquals
		case !isXMLSpace(r):
			return fmt.Sprintf("the attribute %s has no value", c.buf), fmt.Sprintf(`write %s="…"`, c.buf)
		}
	case xmlEquals:
		switch {
		case r == '"' || r == '\'':
			if slices.Contains(c.attrs, c.buf) {
				return fmt.Sprintf("the element has the attribute %s twice", c.buf), "keep one of the two"
			}
			if len(c.attrs) == maxXMLAttributes {
				return fmt.Sprintf("the element has more than %d attributes", maxXMLAttributes), ""
			}
			c.place, c.quote = xmlValue, r
			c.attrs = append(slices.Clip(c.attrs), c.buf)
			if prefix, ok := strings.CutPrefix(c.buf, "xmlns:"); ok {
				c.tag.prefixes = append(slices.Clip(c.tag.prefixes), prefix)
			}
		case !isXMLSpace(r):
			return "the value of an attribute stands in quotes", fmt.Sprintf(`write %s="…"`, c.buf)
		}
	case xmlValue:
		switch r {
		case c.quote:
			c.place = xmlValueEnd
		case '<':
			return "< cannot stand in an attribute", "write &lt;"
		case '&':
			c.start = at
			c.place, c.back, c.buf = xmlEntity, xmlValue, ""
		}
	case xmlSlash:
		if r != '>' {
			return "/ ends a tag, and > must follow it", "write <name/>"
		}
		c.place, c.buf = xmlText, ""
		c.prefixes(c.element())
	case xmlEndName:
		if isXMLNameRune(r, c.buf == "") {
			c.buf += string(r)
			break
		}
		c.place = xmlEndSpace
		return c.end(r)
	case xmlEndSpace:
		return c.end(r)
	default:
		return c.other(r)
	}
	return "", ""
}

// inTag reads a character between the attributes of a start tag.
func (c *xmlReader) inTag(r rune) (problem, hint string) {
	switch {
	case isXMLSpace(r):
		c.place = xmlTag
	case r == '/':
		c.place = xmlSlash
	case r == '>':
		if c.open = c.element(); c.open.depth > maxXMLDepth {
			return fmt.Sprintf("elements are nested more than %d deep", maxXMLDepth), ""
		}
		c.place, c.buf = xmlText, ""
		c.prefixes(c.open)
	case isXMLNameRune(r, true) && c.place == xmlTag:
		c.place, c.buf = xmlAttr, string(r)
	case isXMLNameRune(r, true):
		return "white space is missing before an attribute", ""
	default:
		return fmt.Sprintf("%q cannot stand in a tag", r), ""
	}
	return "", ""
}

// element is the start tag that was read, inside of what is open.
func (c *xmlReader) element() *xmlElement {
	e := c.tag
	e.up, e.depth = c.open, 1
	if e.up != nil {
		e.depth += e.up.depth
	}
	return &e
}

// prefixes checks that an element knows the namespaces it uses.
func (c *xmlReader) prefixes(e *xmlElement) {
	for _, name := range append([]string{e.name}, c.attrs...) {
		prefix, _, ok := strings.Cut(name, ":")
		declared := !ok || slices.Contains(c.known, prefix)
		for around := e; around != nil && !declared; around = around.up {
			declared = slices.Contains(around.prefixes, prefix)
		}
		if !declared {
			c.p.add(diag.Diagnostic{Severity: diag.Warning, Code: "undeclared-prefix", Message: fmt.Sprintf("the prefix of %s is not declared", name), Hint: fmt.Sprintf(`add xmlns:%s="…"`, prefix), Range: c.p.xmlRange(e.at)})
		}
	}
}

// end reads a character after the name of an end tag.
func (c *xmlReader) end(r rune) (problem, hint string) {
	switch {
	case isXMLSpace(r):
	case r != '>':
		return fmt.Sprintf("%q cannot stand in an end tag", r), fmt.Sprintf("write </%s>", c.buf)
	case c.open == nil:
		return fmt.Sprintf("</%s> closes nothing", c.buf), "remove it"
	case c.open.name != c.buf:
		return fmt.Sprintf("</%s> stands where </%s> is due", c.buf, c.open.name), fmt.Sprintf("close <%s> first", c.open.name)
	default:
		c.open = c.open.up
		c.place, c.buf = xmlText, ""
	}
	return "", ""
}

// other reads a character of what is neither text nor tag.
func (c *xmlReader) other(r rune) (problem, hint string) {
	switch c.place {
	case xmlBang:
		c.buf += string(r)
		switch {
		case c.buf == "--":
			c.place, c.buf = xmlComment, ""
		case c.buf == "[CDATA[" && c.open != nil:
			c.place, c.buf = xmlCDATA, ""
		case c.buf == "[CDATA[":
			return "a CDATA section stands outside of an element", ""
		case !strings.HasPrefix("--", c.buf) && !strings.HasPrefix("[CDATA[", c.buf):
			return "<! begins a comment or a CDATA section here, and nothing else", "a request has no DOCTYPE"
		}
	case xmlComment:
		switch {
		case c.buf == "--" && r == '>':
			c.place, c.buf = xmlText, ""
		case c.buf == "--":
			return "-- cannot stand in a comment", "end it with -->"
		case r == '-':
			c.buf += "-"
		default:
			c.buf = ""
		}
	case xmlCDATA:
		switch {
		case c.buf == "]]" && r == '>':
			c.place, c.buf = xmlText, ""
		case r == ']':
			c.buf = tail(c.buf+"]", 2)
		default:
			c.buf = ""
		}
	case xmlPI:
		if (c.buf == "" || c.buf == "?") && !isXMLNameRune(r, true) {
			return "a processing instruction begins with its name", "write <?name …?>"
		}
		if r != '>' || !strings.HasSuffix(c.buf, "?") {
			c.buf += string(r)
			break
		}
		body, declaration := strings.CutPrefix(strings.TrimSuffix(c.buf, "?"), "?")
		target := body
		if i := strings.IndexFunc(body, isXMLSpace); i >= 0 {
			target = body[:i]
		}
		switch {
		case strings.ContainsFunc(target, func(r rune) bool { return !isXMLNameRune(r, false) }):
			return "the name of a processing instruction ends with a space", "write <?name …?>"
		case strings.EqualFold(target, "xml") && !declaration:
			return "the XML declaration stands at the very beginning of a document", "remove it"
		case declaration && target == "xml":
			if !xmlVersion.MatchString(body) {
				return "the XML declaration is not one of XML 1.0", `begin with <?xml version="1.0"?>, or leave it out`
			}
			c.prolog = body
		}
		c.place, c.buf = xmlText, ""
	case xmlEntity:
		if r != ';' {
			c.buf += string(r)
			if len(c.buf) > 10 || isXMLSpace(r) || r == '<' || r == '&' {
				return "& begins no character reference here", "a literal & is written &amp;"
			}
			break
		}
		if !isEntity(c.buf) {
			return fmt.Sprintf("XML has no &%s;", c.buf), "it has &amp; &lt; &gt; &quot; &apos; and numbers: &#8364;"
		}
		if c.back == xmlText && c.open == nil {
			return "text stands outside of an element", "write <name>…</name>"
		}
		c.place, c.buf = c.back, ""
	}
	return "", ""
}

// xmlVersion begins an XML declaration (XML 1.0, section 2.8).
var xmlVersion = regexp.MustCompile(`^xml\s+version\s*=\s*("1\.0"|'1\.0')`)

func isEntity(s string) bool {
	digits, numeric := strings.CutPrefix(s, "#")
	if !numeric {
		return slices.Contains([]string{"amp", "lt", "gt", "quot", "apos"}, s)
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return err == nil && isXMLChar(rune(n))
}

// isXMLChar is the production Char of XML 1.0.
func isXMLChar(r rune) bool {
	return isXMLSpace(r) || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// tail is the end of s, of at most n bytes.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// escapeXML writes a text into XML, as the function of that name does in a call.
func escapeXML(function, s string) (string, error) {
	var b strings.Builder
	for i, r := range s {
		switch {
		case !isXMLChar(r):
			return "", errors.New("the value holds a control character, which XML cannot carry")
		case function == escapeCDATA && r == '\r':
			b.WriteString("]]>&#13;<![CDATA[")
		case function == escapeCDATA && r == '>' && strings.Trim(s[max(0, i-2):i], "]") == "":
			b.WriteString("]]>&gt;<![CDATA[") // with what stands before it, it may end the section
		case function == escapeCDATA:
			b.WriteRune(r)
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '\r':
			b.WriteString("&#13;")
		case function == escapeAttribute && r == '"':
			b.WriteString("&quot;")
		case function == escapeAttribute && r == '\'':
			b.WriteString("&apos;")
		case function == escapeAttribute && r == '\n':
			b.WriteString("&#10;")
		case function == escapeAttribute && r == '\t':
			b.WriteString("&#9;")
		default:
			b.WriteRune(r)
		}
	}
	if function == escapeCDATA && (s == "" || strings.HasSuffix(s, "]")) {
		b.WriteString("]]><![CDATA[") // the same with what follows
	}
	return b.String(), nil
}

// literalRange is the place of n bytes at an offset of a constant's text, or of
// the whole constant where it is not written there as it is.
func (p *parser) literalRange(x *specs.Expr, offset, n int) diag.Range {
	at := x.Range
	if at.Source == nil {
		return at
	}
	written, s := string(at.Source.Text[at.Start:at.End]), x.Value.Text
	start := strings.LastIndex(written, s) // <<- cuts white space at the start
	if start >= 0 {
		return diag.Range{Source: at.Source, Start: at.Start + start + offset, End: at.Start + start + offset + n}
	}
	// In quotes, with escapes: both texts go along side by side.
	i := 0
	for j := 0; j < len(s); {
		width := 1
		switch rest := written[min(i, len(written)):]; {
		case len(rest) > 1 && rest[0] == '\\' && strings.IndexByte(`nrt"\`, rest[1]) >= 0:
			width = 2
		case rest == "" || rest[0] != s[j]:
			return at
		case strings.HasPrefix(rest, "$${") || strings.HasPrefix(rest, "%%{"):
			width = 2
		}
		if j == offset {
			return diag.Range{Source: at.Source, Start: at.Start + i, End: min(at.Start+i+max(width, n), at.End)}
		}
		i += width
		j++
	}
	return at
}
