package response

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// table delivers CSV (RFC 4180) or tab-separated values as a list of objects.
func (d *Decoder) table(b *body, tabs bool) *result.Result {
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
			return d.plain(b)
		}
		// Spreadsheets quote, the registered format (text/tab-separated-values)
		// knows no quotes.
		t = tableWriter{out: []byte{'['}, header: t.header}
		t.lines(text)
	}
	t.out = append(t.out, ']')
	res := result.Text(string(t.out))
	d.structure(res, t.out)
	if b.cut || t.full {
		d.note(b, res, (&cut{elements: t.rows}).String())
	}
	return res
}

// tableWriter writes rows as a JSON list.
type tableWriter struct {
	out    []byte
	header bool     // the first row names the columns
	names  [][]byte // quoted
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
		t.names = columns(record)
		return
	}
	before := len(t.out)
	if t.rows > 0 {
		t.out = append(t.out, ',')
	}
	t.out = appendRow(t.out, t.names, record)
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

// columns are the names of a first row, made unique, as JSON strings.
func columns(record []string) [][]byte {
	names := make([][]byte, 0, len(record))
	taken := make(map[string]bool, len(record))
	for i, name := range record {
		name = strings.TrimSpace(name)
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		names = append(names, quote(nil, unique(name, taken)))
	}
	return names
}

// unique returns the name, or the name with a number when it is taken, and takes
// it.
func unique(name string, taken map[string]bool) string {
	name = strings.ToValidUTF8(name, "\ufffd")
	free := name
	for n := 2; taken[free]; n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	taken[free] = true
	return free
}

// extraColumn is the name of a field that the first row has no name for.
func extraColumn(names [][]byte, i int) string {
	name := fmt.Sprintf("column_%d", i+1)
	for slices.ContainsFunc(names, func(n []byte) bool { return string(n[1:len(n)-1]) == name }) {
		name += "_"
	}
	return name
}

func appendRow(out []byte, names [][]byte, record []string) []byte {
	if names == nil {
		out = append(out, '[')
		for i, v := range record {
			if i > 0 {
				out = append(out, ',')
			}
			out = quote(out, v)
		}
		return append(out, ']')
	}
	out = append(out, '{')
	for i, v := range record {
		if i > 0 {
			out = append(out, ',')
		}
		if i < len(names) {
			out = append(out, names[i]...)
		} else {
			out = quote(out, extraColumn(names, i))
		}
		out = quote(append(out, ':'), v)
	}
	return append(out, '}')
}

// form delivers application/x-www-form-urlencoded text as an object, in its
// order; a name that is there more than once has a list.
func (d *Decoder) form(b *body) *result.Result {
	text := string(bytes.TrimSpace(b.utf8("")))
	var order []string
	values := map[string][]string{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err != nil || err2 != nil || !found && len(order) == 0 && !strings.Contains(text, "&") {
			return d.plain(b)
		}
		name = strings.ToValidUTF8(name, "\ufffd")
		if values[name] == nil {
			order = append(order, name)
		}
		values[name] = append(values[name], value)
	}
	out := []byte{'{'}
	for i, name := range order {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(quote(out, name), ':')
		if v := values[name]; len(v) == 1 {
			out = quote(out, v[0])
		} else {
			out = appendRow(out, nil, v)
		}
	}
	out = append(out, '}')
	res := result.Text(string(out))
	d.structure(res, out)
	if b.cut {
		d.note(b, res, "")
	}
	return res
}
