package response

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// json delivers a body that is said to be JSON.
func (d *Decoder) json(b *body) *result.Result {
	v, err := readJSON(b)
	if err == nil {
		return d.deliver(b, v)
	}
	if looksHTML(b.bytes) { // an error page, or a login form, with status 200
		return d.html(b)
	}
	return d.undecoded(b, b.utf8(""), "JSON", err)
}

// readJSON reads a body if it is JSON, or the beginning of JSON that was cut.
func readJSON(b *body) (value, error) {
	text := b.bytes
	valid := b.charset == "" && jsontext.Value(text).IsValid()
	if !valid {
		text = b.utf8("")
		valid = jsontext.Value(text).IsValid()
	}
	switch v := jsontext.Value(text); {
	case valid:
		return value{json: text}, nil
	case v.IsValid(jsontext.AllowDuplicateNames(true)):
		return value{json: lastNames(text), text: text}, nil
	case !b.cut:
		return value{}, undecoded("it is not valid JSON")
	}
	c, ok := shorten(text, len(text))
	if !ok {
		return value{}, undecoded("it is not valid JSON")
	}
	out := value{json: c.text, text: c.text, cut: true, where: c.String()}
	if !jsontext.Value(c.text).IsValid() {
		out.json = lastNames(c.text)
	}
	return out, nil
}

// lastNames rewrites JSON so that of members of one name the last remains, in
// the place of the first: what most parsers would have read.
func lastNames(text []byte) []byte {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true))
	out, err := appendOnce(make([]byte, 0, len(text)), dec)
	if err != nil {
		return nil
	}
	return out
}

func appendOnce(out []byte, dec *jsontext.Decoder) ([]byte, error) {
	switch dec.PeekKind() {
	case '[':
		if dec.StackDepth() >= maxStructure {
			return out, io.ErrShortBuffer
		}
		if _, err := dec.ReadToken(); err != nil {
			return out, err
		}
		out = append(out, '[')
		for first := true; dec.PeekKind() != ']'; first = false {
			if !first {
				out = append(out, ',')
			}
			var err error
			if out, err = appendOnce(out, dec); err != nil {
				return out, err
			}
		}
		_, err := dec.ReadToken()
		return append(out, ']'), err
	case '{':
		if dec.StackDepth() >= maxStructure {
			return out, io.ErrShortBuffer
		}
		if _, err := dec.ReadToken(); err != nil {
			return out, err
		}
		type member struct {
			name  string
			value []byte
		}
		var members []member
		index := map[string]int{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return out, err
			}
			key := name.String()
			value, err := appendOnce(nil, dec)
			if err != nil {
				return out, err
			}
			if i, ok := index[key]; ok {
				members[i].value = value
				continue
			}
			index[key] = len(members)
			members = append(members, member{key, value})
		}
		out = append(out, '{')
		for i, m := range members {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(result.AppendString(out, m.name), ':'), m.value...)
		}
		_, err := dec.ReadToken()
		return append(out, '}'), err
	}
	v, err := dec.ReadValue()
	return append(out, v...), err
}

// cut is JSON of which the rest was cut off.
type cut struct {
	text     []byte
	at       jsontext.Pointer // of the list or object that was cut
	object   bool
	elements int // that are left of it
	of       int // that it had, 0 when that is not known
}

// String says where the cut is.
func (c *cut) String() string {
	what, of := "list", "elements"
	if c.object {
		what, of = "object", "members"
	}
	if c.elements == 1 && c.of == 0 {
		of = of[:len(of)-1]
	}
	where := ""
	if c.at != "" {
		where = " at " + string(c.at)
	}
	if c.of > 0 {
		return fmt.Sprintf("The %s%s ends after %d of %d %s.", what, where, c.elements, c.of, of)
	}
	return fmt.Sprintf("The %s%s ends after %d %s.", what, where, c.elements, of)
}

// level is an open list or object while JSON is read.
type level struct {
	object bool
	name   bool // in an object, a name was read and its value was not
	border int  // where the last complete element ends
	count  int
}

// shorten returns the beginning of a JSON value, complete or cut off somewhere,
// as valid JSON of at most budget bytes. It cuts after an element of a list: of
// the outermost list that is open where the budget ends, so that elements stay
// whole, unless that would throw away more than half; then further in.
func shorten(text []byte, budget int) (cut, bool) {
	for most := min(len(text), budget); most > 0; {
		open, end := scan(text[:most])
		if len(open) == 0 {
			return cut{}, false
		}
		n := choose(open, most)
		need := open[n].border + n + 1
		if need > budget {
			most -= need - budget
			continue
		}
		out := make([]byte, 0, need)
		out = append(out, text[:open[n].border]...)
		for _, l := range slices.Backward(open[:n+1]) {
			if l.object {
				out = append(out, '}')
			} else {
				out = append(out, ']')
			}
		}
		return cut{text: out, at: ancestor(end, n), object: open[n].object, elements: open[n].count}, true
	}
	return cut{}, false
}

// ancestor is the beginning of a pointer, n names long.
func ancestor(p jsontext.Pointer, n int) jsontext.Pointer {
	var out jsontext.Pointer
	for name := range p.Tokens() {
		if n == 0 {
			break
		}
		out = out.AppendToken(name)
		n--
	}
	return out
}

// choose returns which of the open levels is cut.
func choose(open []level, size int) int {
	for _, lists := range []bool{true, false} {
		for i, l := range open {
			if (!lists || !l.object) && l.border >= size/2 {
				return i
			}
		}
	}
	best := 0
	for i, l := range open {
		if l.border > open[best].border {
			best = i
		}
	}
	return best
}

// scan reads JSON until it ends or breaks off and returns what is open there,
// the root first, and where that is; nil when nothing is open.
func scan(text []byte) (open []level, end jsontext.Pointer) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	complete := func() {
		if n := len(open) - 1; n >= 0 {
			open[n].border, open[n].name = int(dec.InputOffset()), false
			open[n].count++
		}
	}
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return open, dec.StackPointer()
		}
		switch k := tok.Kind(); k {
		case '{', '[':
			open = append(open, level{object: k == '{', border: int(dec.InputOffset())})
			if len(open) > maxStructure {
				return nil, ""
			}
		case '}', ']':
			open = open[:len(open)-1]
			if len(open) == 0 {
				return nil, ""
			}
			complete()
		default:
			n := len(open) - 1
			if n < 0 {
				return nil, ""
			}
			if open[n].object && !open[n].name {
				open[n].name = true
				continue
			}
			if k != '"' && int(dec.InputOffset()) == len(text) {
				return open, dec.StackPointer() // 12 may have been 123
			}
			complete()
		}
	}
}

// lines delivers JSON values that follow one another.
func (d *Decoder) lines(b *body) *result.Result {
	v, err := readLines(b)
	if err != nil {
		return d.undecoded(b, recordText(b), "a sequence of JSON values", err)
	}
	if !d.declared && d.shaping == nil && d.rules == nil {
		v.json = nil
	}
	return d.deliver(b, v)
}

// recordText is the text of a sequence of JSON values, each on its line or, in
// json-seq (RFC 7464), after a record separator.
func recordText(b *body) []byte {
	text := bytes.ReplaceAll(b.utf8(""), []byte{0x1e}, nil)
	if b.cut {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	return text
}

// readLines reads a sequence of JSON values as a list.
func readLines(b *body) (value, error) {
	text := recordText(b)
	list := []byte{'['}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	n := 0
	for {
		v, err := dec.ReadValue()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return value{}, undecoded("it is not valid JSON")
		}
		if n > 0 {
			list = append(list, ',')
		}
		list = append(list, v...)
		n++
	}
	out := value{json: append(list, ']'), text: text, cut: b.cut}
	if b.cut {
		out.where = (&cut{elements: n}).String()
	}
	return out, nil
}
