package response

import (
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// undecoded is why a body is not what it is said to be; such a body is
// delivered as text.
type undecoded string

func (u undecoded) Error() string { return string(u) }

// value is a body decoded to a JSON value.
type value struct {
	json  []byte // valid, no name twice in an object; nil when it could not be made so
	text  []byte // JSON as it came, where that differs; nil otherwise
	cut   bool   // the rest of it is missing
	where string // what was cut, a sentence; "" when that is not known
}

// value decodes a body of a kind that has values: JSON, NDJSON, XML, CSV, TSV,
// forms. Other kinds, and bodies that are not what they are said to be, are an
// error.
func (d *Decoder) value(k kind, b *body) (value, error) {
	switch k {
	case kindJSON:
		return readJSON(b)
	case kindLines:
		return readLines(b)
	case kindXML:
		return d.readXML(b)
	case kindCSV, kindTSV:
		return d.readTable(b, k == kindTSV)
	case kindForm:
		return d.readForm(b)
	}
	return value{}, undecoded("it has no values")
}

// deliver makes a result of a decoded value.
func (d *Decoder) deliver(b *body, v value) *result.Result {
	if d.rules != nil {
		if res := d.failed(b, v.json); res != nil {
			return res
		}
	}
	if d.shaping != nil {
		return d.shaped(b, v)
	}
	text := v.text
	if text == nil {
		text = v.json
	}
	res := result.Text(string(text))
	if v.json != nil {
		d.structure(res, v.json)
	}
	if v.cut {
		d.note(b, res, v.where)
	}
	b.remarks(res)
	return res
}

// undecoded delivers the text of a body that is not what it is said to be, with
// a word why.
func (d *Decoder) undecoded(b *body, text []byte, what string, why error) *result.Result {
	b.remark(fmt.Sprintf("This is the text of the answer, which cannot be read as %s: %v.", what, why))
	return d.text(b, string(text))
}
