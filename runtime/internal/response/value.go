package response

import (
	"errors"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// errUndecoded is a body that is not what it is said to be. It is delivered as
// text.
var errUndecoded = errors.New("not what it is said to be")

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
		return readTable(b, k == kindTSV)
	case kindForm:
		return readForm(b)
	}
	return value{}, errUndecoded
}

// deliver makes a result of a decoded value.
func (d *Decoder) deliver(b *body, v value) *result.Result {
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
	return res
}
