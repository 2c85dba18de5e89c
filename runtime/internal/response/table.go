package response

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// table delivers CSV (RFC 4180) or tab-separated values as a list.
func (d *Decoder) table(b *body, tabs bool) *result.Result {
	v, err := readTable(b, tabs)
	if err != nil {
		return d.plain(b)
	}
	return d.deliver(b, v)
}

// readTable reads CSV or tab-separated values as a list of objects.
func readTable(b *body, tabs bool) (value, error) {
	text := b.utf8("")
	if b.cut {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	comma := '\t'
	if !tabs {
		comma = separator(text)
	}
	t := tableWriter{out: []byte{'['}, header: b.media.params["header"] != "absent"}
	if err := t.csv(text, comma, b.cut); err != nil {
		if !tabs {
			return value{}, errUndecoded
		}
		// Spreadsheets quote, the registered format (text/tab-separated-values)
		// knows no quotes.
		t = tableWriter{out: []byte{'['}, header: t.header}
		t.lines(text)
	}
	out := value{json: append(t.out, ']'), cut: b.cut || t.full}
	if out.cut {
		out.where = (&cut{elements: t.rows}).String()
	}
	return out, nil
}

// tableWriter writes rows as a JSON list.
type tableWriter struct {
	out    []byte
	header bool     // the first row names the columns
	names  [][]byte // of columns, unique and quoted; nil before the first row
	taken  names
	rows   int
	full   bool // more would be too much
}

// csv writes the rows of quoted text. Of text that was cut, the end of a quoted
// field may be missing.
func (t *tableWriter) csv(text []byte, comma rune, cut bool) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	r.Comma = comma
	for !t.full {
		record, err := r.Read()
		if err == io.EOF || err != nil && cut && errors.Is(err, csv.ErrQuote) {
			return nil
		}
		if err == nil && len(record) > maxFields {
			err = csv.ErrFieldCount
		}
		if err != nil {
			return err
		}
		t.row(record)
	}
	return nil
}

// lines writes the rows of text without quotes.
func (t *tableWriter) lines(text []byte) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !t.full {
			t.row(strings.Split(line, "\t"))
		}
	}
}

func (t *tableWriter) row(record []string) {
	if t.header && t.names == nil {
		t.names, t.taken = [][]byte{}, names{}
		for _, name := range record {
			t.column(strings.TrimSpace(name))
		}
		return
	}
	before := len(t.out)
	if t.rows > 0 {
		t.out = append(t.out, ',')
	}
	t.object(record)
	if len(t.out) >= maxConverted {
		t.out, t.full = t.out[:before], true
		return
	}
	t.rows++
}

// separator is what separates the fields of a first line. Where a comma is the
// decimal sign, spreadsheets write semicolons and call it CSV.
func separator(text []byte) rune {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', bytes.Count(line, []byte(","))
	for _, c := range ";\t" {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
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

// column names the next column.
func (t *tableWriter) column(name string) {
	if name == "" {
		name = "column_" + strconv.Itoa(len(t.names)+1)
	}
	t.names = append(t.names, result.AppendString(nil, t.taken.unique(name)))
}

// object writes a row as an object, or as a list where there are no names.
func (t *tableWriter) object(record []string) {
	if t.names == nil {
		t.out = appendList(t.out, record)
		return
	}
	t.out = append(t.out, '{')
	for i, v := range record {
		if i > 0 {
			t.out = append(t.out, ',')
		}
		if i == len(t.names) {
			t.column("")
		}
		t.out = result.AppendString(append(append(t.out, t.names[i]...), ':'), v)
	}
	t.out = append(t.out, '}')
}

func appendList(out []byte, values []string) []byte {
	out = append(out, '[')
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = result.AppendString(out, v)
	}
	return append(out, ']')
}

// form delivers application/x-www-form-urlencoded text as an object.
func (d *Decoder) form(b *body) *result.Result {
	v, err := readForm(b)
	if err != nil {
		return d.plain(b)
	}
	return d.deliver(b, v)
}

// readForm reads a form in its order; a name that is there more than once has a
// list.
func readForm(b *body) (value, error) {
	text := string(bytes.TrimSpace(b.utf8("")))
	var order []string
	values := map[string][]string{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, field, found := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		field, err2 := url.QueryUnescape(field)
		if err != nil || err2 != nil || !found && len(order) == 0 && !strings.Contains(text, "&") {
			return value{}, errUndecoded
		}
		name = strings.ToValidUTF8(name, "\ufffd")
		if values[name] == nil {
			order = append(order, name)
		}
		values[name] = append(values[name], field)
	}
	out := []byte{'{'}
	for i, name := range order {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(result.AppendString(out, name), ':')
		if v := values[name]; len(v) == 1 {
			out = result.AppendString(out, v[0])
		} else {
			out = appendList(out, v)
		}
	}
	return value{json: append(out, '}'), cut: b.cut}, nil
}
