package response

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// table delivers CSV (RFC 4180) or tab-separated values as a list.
func (d *Decoder) table(b *body, tabs bool) *result.Result {
	v, err := d.readTable(b, tabs)
	if err != nil {
		return d.undecoded(b, b.utf8(""), "CSV", err)
	}
	return d.deliver(b, v)
}

// readTable reads CSV or tab-separated values as a list of objects, or of lists
// where columns have no names.
func (d *Decoder) readTable(b *body, tabs bool) (value, error) {
	text := b.utf8("")
	if b.cut {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	csv := d.csv
	if csv == nil {
		csv = &plan.CSVReading{NoHeader: b.media.params["header"] == "absent"}
	}
	t := tableReader{text: text, comma: []byte(csv.Delimiter), types: d.types, header: !csv.NoHeader, cut: b.cut}
	switch {
	case tabs:
		t.comma = []byte{'\t'}
	case csv.Delimiter == "":
		t.comma = separator(text)
	}
	if !csv.NoQuote {
		if t.quote = []byte(csv.Quote); csv.Quote == "" {
			t.quote = []byte{'"'}
		}
	}
	for _, name := range csv.Columns {
		t.column([]byte(name))
	}
	again := t
	err := t.read()
	if err != nil && tabs && csv.Quote == "" {
		// Spreadsheets quote, the registered format (text/tab-separated-values)
		// knows no quotes.
		t = again
		t.quote = nil
		t.columns, t.taken = nil, nil
		for _, name := range csv.Columns {
			t.column([]byte(name))
		}
		err = t.read()
	}
	if err != nil {
		return value{}, err
	}
	out := value{json: t.out, cut: b.cut || t.full}
	if out.cut {
		out.where = (&cut{elements: t.rows}).String()
	}
	return out, nil
}

// separator is what separates the values of a text. Where a comma is the decimal
// sign, spreadsheets write semicolons and call it CSV. What is as often in each of
// the first lines wins over what is not, then what is there more often.
func separator(text []byte) []byte {
	best, most, everywhere := []byte{','}, 0, false
	for _, c := range [][]byte{{','}, {';'}, {'\t'}} {
		count, same, n := 0, true, 0
		for line := range bytes.Lines(text) {
			k := bytes.Count(line, c)
			if n == 0 {
				count = k
			}
			same = same && k == count
			if n++; n == 5 {
				break
			}
		}
		if same = same && count > 0; same && !everywhere || same == everywhere && count > most {
			best, most, everywhere = c, count, same
		}
	}
	return best
}

// tableReader reads rows and writes them as a JSON list. It is lenient where
// nothing can be misread: a quote within a value that does not begin with one is
// a character like others, and rows need not be of one length.
type tableReader struct {
	text    []byte
	at      int
	comma   []byte // separates values
	quote   []byte // around values; nil for none
	types   map[string]string
	header  bool // the first row names the columns
	cut     bool // the end of the text is missing
	out     []byte
	columns []column
	taken   names
	scratch []byte // a value with quotes in it
	rows    int
	full    bool // more would be too much
}

// column is a column with its name, unique.
type column struct {
	quoted []byte // as the key of a member, with the colon
	kind   string // JSON type; "" is a string
}

// column names the next column.
func (t *tableReader) column(name []byte) {
	text := string(bytes.TrimSpace(name))
	kind := t.types[text]
	if text == "" {
		text = "column_" + strconv.Itoa(len(t.columns)+1)
	}
	if t.taken == nil {
		t.taken = names{}
	}
	t.columns = append(t.columns, column{append(result.AppendString(nil, t.taken.unique(text)), ':'), kind})
}

// read reads all rows.
func (t *tableReader) read() error {
	t.out = append(make([]byte, 0, 2*min(len(t.text), maxConverted)), '[')
	skip := t.header && len(t.columns) > 0
	for t.at < len(t.text) && !t.full {
		if t.text[t.at] == '\n' || bytes.HasPrefix(t.text[t.at:], []byte("\r\n")) { // an empty line is no row
			t.at += 1 + bytes.IndexByte(t.text[t.at:], '\n')
			continue
		}
		if string(t.text[t.at:]) == "\r" { // nor is the beginning of a line end
			break
		}
		var err error
		switch {
		case skip:
			skip = false
			err = t.each(func(int, []byte) {})
		case t.header && t.columns == nil:
			err = t.each(func(_ int, v []byte) { t.column(v) })
		default:
			err = t.row()
		}
		if errors.Is(err, errOpenQuote) && t.cut {
			break
		}
		if err != nil {
			return err
		}
	}
	t.out = append(t.out, ']')
	return nil
}

// row writes the next row.
func (t *tableReader) row() error {
	before := len(t.out)
	if t.rows > 0 {
		t.out = append(t.out, ',')
	}
	var err error
	if t.columns == nil {
		t.out = append(t.out, '[')
		err = t.each(func(i int, v []byte) {
			if i > 0 {
				t.out = append(t.out, ',')
			}
			t.out = appendText(t.out, v)
		})
		t.out = append(t.out, ']')
	} else {
		t.out = append(t.out, '{')
		err = t.each(func(i int, v []byte) {
			if i > 0 {
				t.out = append(t.out, ',')
			}
			if i == len(t.columns) {
				t.column(nil)
			}
			c := &t.columns[i]
			t.out = appendScalar(append(t.out, c.quoted...), v, c.kind)
		})
		t.out = append(t.out, '}')
	}
	if err != nil || len(t.out) >= maxConverted {
		t.out, t.full = t.out[:before], err == nil
		return err
	}
	t.rows++
	return nil
}

const (
	errOpenQuote = undecoded("a quoted value does not end")
	maxValue     = 1 << 20 // bytes of a value
)

// each calls f with the values of a row, which are good until it returns.
func (t *tableReader) each(f func(i int, v []byte)) error {
	for i := 0; ; i++ {
		v, more, err := t.value()
		switch {
		case err != nil:
			return err
		case i >= maxFields:
			return undecoded(fmt.Sprintf("it has a row of more than %d values", maxFields))
		case len(v) > maxValue:
			return undecoded(fmt.Sprintf("it has a value larger than %s", size(maxValue)))
		}
		f(i, v)
		if !more {
			return nil
		}
	}
}

// value reads the next value of a row. more: another follows.
func (t *tableReader) value() (v []byte, more bool, err error) {
	if len(t.quote) > 0 && bytes.HasPrefix(t.text[t.at:], t.quote) {
		if v, err = t.quoted(); err != nil {
			return nil, false, err
		}
	} else {
		from := t.at
		first := t.comma[0]
		for t.at < len(t.text) {
			c := t.text[t.at]
			if c == '\n' || c == first && bytes.HasPrefix(t.text[t.at:], t.comma) {
				break
			}
			t.at++
		}
		v = t.text[from:t.at]
		if t.at == len(t.text) || t.text[t.at] == '\n' {
			v = bytes.TrimSuffix(v, []byte{'\r'})
		}
	}
	switch rest := t.text[t.at:]; {
	case len(rest) == 0:
		return v, false, nil
	case rest[0] == '\n':
		t.at++
		return v, false, nil
	case bytes.HasPrefix(rest, []byte("\r\n")):
		t.at += 2
		return v, false, nil
	case bytes.HasPrefix(rest, t.comma):
		t.at += len(t.comma)
		return v, true, nil
	case len(rest) == 1 && rest[0] == '\r':
		t.at++
		return v, false, nil
	}
	return nil, false, undecoded(fmt.Sprintf("line %d has something behind a quoted value", 1+bytes.Count(t.text[:t.at], []byte("\n"))))
}

// quoted reads a quoted value, in which a quote is written twice.
func (t *tableReader) quoted() ([]byte, error) {
	q := len(t.quote)
	t.at += q
	from := t.at
	joined := false
	for {
		n := bytes.Index(t.text[t.at:], t.quote)
		if n < 0 {
			return nil, errOpenQuote
		}
		end := t.at + n
		t.at = end + q
		doubled := bytes.HasPrefix(t.text[t.at:], t.quote)
		if !doubled && !joined {
			return t.text[from:end], nil
		}
		if !joined {
			t.scratch, joined = t.scratch[:0], true
		}
		t.scratch = append(t.scratch, t.text[from:end]...)
		if !doubled {
			return t.scratch, nil
		}
		from = t.at // the second of the two is a part of the value
		t.at += q
	}
}

// names are names that are taken, each with the number the next one like it is
// tried with.
type names map[string]int

// unique returns a name, or the name with a number when it is taken, and takes
// it.
func (n names) unique(name string) string {
	name = strings.ToValidUTF8(name, "\ufffd")
	if n[name] == 0 {
		n[name] = 2
		return name
	}
	for {
		free := name + "_" + strconv.Itoa(n[name])
		n[name]++
		if n[free] == 0 {
			n[free] = 2
			return free
		}
	}
}
