package response

import (
	"bytes"
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// element is an element of a document. Elements are made many at a time and hold
// parts of the text they were read from.
type element struct {
	name              *xmlName
	attrs             []xmlAttr // without declarations of namespaces
	first, last, next *element  // children, and the next sibling
	same              *element  // the next sibling of this name; see [xmlWriter.plain]
	text              []byte    // all of it, joined; between children white space alone is none
	joined            bool      // text is no part of the document's, and may grow
	null              bool      // xsi:nil
	used              bool      // it was written
	follows           bool      // a sibling before it has its name
	envelope          bool      // it is no element, but what a SOAP body holds
}

type xmlAttr struct {
	name  *xmlName
	value []byte
}

// xmlName is a name of elements, or with @ before it of attributes, once for all
// of them.
type xmlName struct {
	text   string
	quoted []byte   // as the key of a member, with the colon
	list   bool     // it is a list even when there is one
	kind   string   // JSON type of its text; "" is a string
	owner  *element // the element that one of this name was seen in last
	tail   *element // of owner's children of this name the last that was seen
}

// kids are the children.
func (e *element) kids() []*element {
	var out []*element
	for k := e.first; k != nil; k = k.next {
		out = append(out, k)
	}
	return out
}

// child is the first child of a name, or nil.
func (e *element) child(name string) *element {
	for k := e.first; k != nil; k = k.next {
		if k.name.text == name {
			return k
		}
	}
	return nil
}

// xmlReader reads a document into elements. It reads what XML 1.0 and Namespaces
// in XML allow, but for entities that a document defines itself: those can grow
// without bounds. It is lenient where nothing can be misread: prefixes need no
// declaration, attributes no space between them, and the entities of HTML are
// known.
type xmlReader struct {
	d     *Decoder
	text  []byte
	at    int
	open  []openElement
	spare []element
	attrs []xmlAttr
	count int
	names map[string]*xmlName
	key   []byte // scratch
	plain []byte // texts that references were replaced in
	bound []binding
}

// openElement is an element whose end was not reached.
type openElement struct {
	*element
	tag   []byte // its name as written
	bound int    // namespaces bound outside of it
}

// maxBindings bounds the namespaces that are bound at one place; they are looked
// through for each name with a prefix.
const maxBindings = 256

// binding is a declaration of a namespace.
type binding struct {
	prefix, uri string
}

// fail says what is wrong with the text at a place.
func (r *xmlReader) fail(at int, why string) error {
	return undecoded(fmt.Sprintf("line %d %s", 1+bytes.Count(r.text[:min(at, len(r.text))], []byte("\n")), why))
}

// read reads a document. whole is false when it broke off: then the tree holds
// what was complete.
func (r *xmlReader) read() (root *element, whole bool, err error) {
	for r.at < len(r.text) {
		if r.text[r.at] != '<' {
			n := bytes.IndexByte(r.text[r.at:], '<')
			if n < 0 {
				n = len(r.text) - r.at
			}
			run := r.text[r.at : r.at+n]
			if len(r.open) == 0 {
				if len(bytes.TrimSpace(run)) > 0 {
					return nil, false, r.fail(r.at, "has text outside of the root element")
				}
			} else if r.at+n < len(r.text) { // else it may go on
				piece, err := r.unescaped(r.at, run, false)
				if err != nil {
					return nil, false, err
				}
				r.addText(piece)
			}
			r.at += n
			continue
		}
		rest := r.text[r.at:]
		switch {
		case len(rest) == 1:
			return r.broken(root)
		case rest[1] == '/':
			top := len(r.open) - 1
			if top < 0 {
				return nil, false, r.fail(r.at, "ends an element that did not begin")
			}
			tag := r.open[top].tag
			end := bytes.IndexByte(rest, '>')
			if end < 0 {
				return r.broken(root)
			}
			if !bytes.Equal(bytes.TrimRight(rest[2:end], " \t\r\n"), tag) {
				return nil, false, r.fail(r.at, fmt.Sprintf("does not end the element %s", result.Shorten(string(tag), 60)))
			}
			r.bound = r.bound[:r.open[top].bound]
			r.open = r.open[:top]
			r.at += end + 1
		case rest[1] == '?':
			n := bytes.Index(rest, []byte("?>"))
			if n < 0 {
				return r.broken(root)
			}
			r.at += n + 2
		case rest[1] == '!':
			done, err := r.special(rest, root != nil)
			if err != nil {
				return nil, false, err
			}
			if !done {
				return r.broken(root)
			}
		default:
			if root != nil && len(r.open) == 0 {
				return nil, false, r.fail(r.at, "begins a second root element")
			}
			e, done, err := r.start()
			if err != nil {
				return nil, false, err
			}
			if !done {
				return r.broken(root)
			}
			if root == nil {
				root = e
			}
		}
	}
	if len(r.open) > 0 {
		return r.broken(root)
	}
	return root, root != nil, nil
}

// broken is what can be used of a document that broke off: the text of the
// innermost element may not be all there.
func (r *xmlReader) broken(root *element) (*element, bool, error) {
	if n := len(r.open); n > 1 {
		up := r.open[n-2].element
		var before *element
		for k := up.first; k != up.last; k = k.next {
			before = k
		}
		if up.last = before; before == nil {
			up.first = nil
		} else {
			before.next = nil
		}
	}
	return root, false, nil
}

// special reads what begins with <!. done is false when it has no end.
func (r *xmlReader) special(rest []byte, inside bool) (done bool, err error) {
	until := func(open, end string) ([]byte, bool) {
		n := bytes.Index(rest[len(open):], []byte(end))
		if n < 0 {
			return nil, false
		}
		r.at += len(open) + n + len(end)
		return rest[len(open) : len(open)+n], true
	}
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		_, done = until("<!--", "-->")
		return done, nil
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if len(r.open) == 0 {
			return false, r.fail(r.at, "has text outside of the root element")
		}
		text, done := until("<![CDATA[", "]]>")
		if done {
			r.addText(lineEnds(text))
		}
		return done, nil
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")) && !inside:
		return r.docType(rest)
	case len(rest) < len("<![CDATA["): // it may become one of these
		return false, nil
	}
	return false, r.fail(r.at, "has a declaration where none can be")
}

// docType passes over a document type declaration. What it defines is not read,
// nor anything it refers to.
func (r *xmlReader) docType(rest []byte) (done bool, err error) {
	subset := 0
	for i := len("<!DOCTYPE"); i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"' || c == '\'':
			n := bytes.IndexByte(rest[i+1:], c)
			if n < 0 {
				return false, nil
			}
			i += n + 1
		case c == '[':
			subset++
		case c == ']':
			subset--
		case bytes.HasPrefix(rest[i:], []byte("<!--")):
			n := bytes.Index(rest[i+4:], []byte("-->"))
			if n < 0 {
				return false, nil
			}
			i += n + 6
		case bytes.HasPrefix(rest[i:], []byte("<!ENTITY")):
			return false, undecoded("its document type defines entities, which are not read because they can grow without bounds")
		case c == '>' && subset <= 0:
			r.at += i + 1
			return true, nil
		}
	}
	return false, nil
}

// nameBytes are the bytes of names. Which characters beyond ASCII belong to them
// is of no concern here: markup has none.
var nameBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == ':' || c == '-' || c == '.'
	}
	return t
}()

// name is the end of the name that begins at i; i when there is none.
func (r *xmlReader) name(i int) int {
	if i < len(r.text) && (r.text[i] == '-' || r.text[i] == '.' || r.text[i] >= '0' && r.text[i] <= '9') {
		return i
	}
	for i < len(r.text) && nameBytes[r.text[i]] {
		i++
	}
	return i
}

func (r *xmlReader) space(i int) int {
	for i < len(r.text) && (r.text[i] == ' ' || r.text[i] == '\n' || r.text[i] == '\t' || r.text[i] == '\r') {
		i++
	}
	return i
}

// rawAttr is an attribute as written.
type rawAttr struct {
	name, value []byte
}

// start reads a start tag. done is false when it has no end.
func (r *xmlReader) start() (e *element, done bool, err error) {
	i := r.name(r.at + 1)
	tag := r.text[r.at+1 : i]
	if len(tag) == 0 {
		return nil, false, r.fail(r.at, "has < where no tag begins")
	}
	bound := len(r.bound)
	var space [16]rawAttr
	list := space[:0]
	empty := false
	for {
		i = r.space(i)
		if i >= len(r.text) {
			return nil, false, nil
		}
		if r.text[i] == '>' {
			i++
			break
		}
		if r.text[i] == '/' {
			if i+1 == len(r.text) {
				return nil, false, nil
			}
			if r.text[i+1] != '>' {
				return nil, false, r.fail(i, "has a tag that does not end")
			}
			i, empty = i+2, true
			break
		}
		begin := i
		i = r.name(i)
		name := r.text[begin:i]
		i = r.space(i)
		if i >= len(r.text) {
			return nil, false, nil
		}
		if len(name) == 0 || r.text[i] != '=' {
			return nil, false, r.fail(begin, "has something in a tag that is no attribute")
		}
		i = r.space(i + 1)
		if i >= len(r.text) {
			return nil, false, nil
		}
		quote := r.text[i]
		if quote != '"' && quote != '\'' {
			return nil, false, r.fail(i, "has an attribute without quotes")
		}
		n := bytes.IndexByte(r.text[i+1:], quote)
		if n < 0 {
			return nil, false, nil
		}
		value, err := r.unescaped(i+1, r.text[i+1:i+1+n], true)
		if err != nil {
			return nil, false, err
		}
		i += n + 2
		switch {
		case len(r.bound) == maxBindings:
			return nil, false, undecoded(fmt.Sprintf("it has more than %d namespaces at one place", maxBindings))
		case string(name) == "xmlns":
			r.bound = append(r.bound, binding{"", string(value)})
		case bytes.HasPrefix(name, []byte("xmlns:")):
			r.bound = append(r.bound, binding{string(name[6:]), string(value)})
		default:
			if len(list) == maxFields {
				return nil, false, undecoded(fmt.Sprintf("it has an element of more than %d attributes", maxFields))
			}
			list = append(list, rawAttr{name, value})
		}
	}
	if r.count++; r.count > maxElements {
		return nil, false, undecoded(fmt.Sprintf("it has more than %d elements", maxElements))
	}
	if len(r.open) >= maxDepth {
		return nil, false, undecoded(fmt.Sprintf("its elements are nested deeper than %d", maxDepth))
	}
	if len(r.spare) == 0 {
		r.spare = make([]element, min(max(2*r.count, 16), 4096))
	}
	e, r.spare = &r.spare[0], r.spare[1:]
	e.name = r.known(tag, false)
	from := len(r.attrs)
	for _, a := range list {
		if prefix, local, found := bytes.Cut(a.name, []byte(":")); found && r.uri(prefix) == xsi {
			e.null = e.null || string(local) == "nil" && (string(a.value) == "true" || string(a.value) == "1")
			continue
		}
		r.attrs = append(r.attrs, xmlAttr{r.known(a.name, true), a.value})
	}
	e.attrs = r.attrs[from:len(r.attrs):len(r.attrs)]
	if n := len(r.open); n > 0 {
		up := r.open[n-1].element
		if up.last == nil {
			if up.first = e; len(bytes.TrimSpace(up.text)) == 0 {
				up.text = nil
			}
		} else {
			up.last.next = e
		}
		up.last = e
	}
	if empty {
		r.bound = r.bound[:bound]
	} else {
		r.open = append(r.open, openElement{e, tag, bound})
	}
	r.at = i
	return e, true, nil
}

// uri is the namespace a prefix is bound to; "" when it is not.
func (r *xmlReader) uri(prefix []byte) string {
	for i := len(r.bound) - 1; i >= 0; i-- {
		if r.bound[i].prefix == string(prefix) {
			return r.bound[i].uri
		}
	}
	return ""
}

// known is the name that a name as written stands for: without its prefix, or
// with the prefix that the plan has for its namespace.
func (r *xmlReader) known(written []byte, attribute bool) *xmlName {
	local := written
	var prefix []byte
	if i := bytes.IndexByte(written, ':'); i >= 0 {
		prefix, local = written[:i], written[i+1:]
	}
	r.key = r.key[:0]
	if attribute {
		r.key = append(r.key, '@')
	}
	if len(r.d.namespaces) > 0 && (len(prefix) > 0 || !attribute) {
		if p, ok := r.d.namespaces[r.uri(prefix)]; ok {
			r.key = append(append(r.key, p...), ':')
		}
	}
	r.key = append(r.key, local...)
	if n := r.names[string(r.key)]; n != nil {
		return n
	}
	n := &xmlName{text: string(r.key), list: r.d.lists[string(r.key)], kind: r.d.types[string(r.key)]}
	n.quoted = append(result.AppendString(nil, n.text), ':')
	r.names[n.text] = n
	return n
}

// addText adds to the text of the innermost element.
func (r *xmlReader) addText(piece []byte) {
	e := r.open[len(r.open)-1].element
	switch {
	case len(e.text) == 0:
		if e.first == nil || len(bytes.TrimSpace(piece)) > 0 {
			e.text = piece
		}
	case !e.joined:
		e.text = append(append(make([]byte, 0, 2*(len(e.text)+len(piece))), e.text...), piece...)
		e.joined = true
	default:
		e.text = append(e.text, piece...)
	}
}

// lineEnds makes all line ends line feeds (XML 1.0, section 2.11).
func lineEnds(text []byte) []byte {
	if bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
}

// unescaped replaces references by what they stand for, and white space of
// attributes by spaces. Text without them is returned as it is; at is its place.
func (r *xmlReader) unescaped(at int, text []byte, attribute bool) ([]byte, error) {
	amp := bytes.IndexByte(text, '&')
	if amp < 0 && bytes.IndexByte(text, '\r') < 0 && (!attribute || bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\t') < 0) {
		return text, nil
	}
	text = lineEnds(text)
	at += len(text) // less what is left is where it is, but for line ends
	begin := len(r.plain)
	out := r.plain
	for len(text) > 0 {
		i := bytes.IndexByte(text, '&')
		plain := text
		if i >= 0 {
			plain = text[:i]
		}
		out = append(out, plain...)
		if attribute {
			for j := len(out) - len(plain); j < len(out); j++ {
				if out[j] == '\n' || out[j] == '\t' {
					out[j] = ' '
				}
			}
		}
		if i < 0 {
			break
		}
		text = text[i+1:]
		end := bytes.IndexByte(text[:min(len(text), 40)], ';')
		if end <= 0 {
			return nil, r.fail(at-len(text), "has & where no reference begins")
		}
		char, ok := reference(string(text[:end]))
		if !ok {
			return nil, r.fail(at-len(text), fmt.Sprintf("refers to &%s;, which is no known entity", text[:end]))
		}
		out = append(out, char...)
		text = text[end+1:]
	}
	r.plain = out
	return out[begin:len(out):len(out)], nil
}

// reference is what a reference stands for. Documents of types that are built on
// HTML use its entities.
func reference(name string) (string, bool) {
	switch name {
	case "lt":
		return "<", true
	case "gt":
		return ">", true
	case "amp":
		return "&", true
	case "quot":
		return `"`, true
	case "apos":
		return "'", true
	}
	if digits, ok := strings.CutPrefix(name, "#"); ok {
		base := 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil || n == 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return "", false
		}
		return string(rune(n)), true
	}
	written := "&" + name + ";"
	char := html.UnescapeString(written)
	return char, char != written && !strings.HasSuffix(char, ";")
}
