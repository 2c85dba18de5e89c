package shape

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of what is written as a text.
const (
	maxColumns = 100 // of a table
	maxFlat    = 4   // levels of objects that become columns or bullets of their own
)

// kind of a JSON value, without white space before it.
func isObject(v []byte) bool { return v[0] == '{' }
func isList(v []byte) bool   { return v[0] == '[' }

func trim(v []byte) []byte { return bytes.Trim(v, " \t\r\n") }

// scalar is the text of a JSON value in running text: that of a string, nothing
// for null, compact JSON of lists and objects.
func scalar(v []byte) string {
	switch v[0] {
	case '"':
		text, _ := jsontext.AppendUnquote(nil, v)
		return string(text)
	case 'n':
		return ""
	case '{', '[':
		c := jsontext.Value(bytes.Clone(v))
		if c.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil {
			return string(c)
		}
	}
	return string(v)
}

var lineEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// cell is scalar on one line, without tabs.
func cell(v []byte) string {
	if v[0] != '"' {
		return scalar(v) // strings inside are escaped already
	}
	return lineEscapes.Replace(scalar(v))
}

// flat calls f with the members of an object, those of objects inside under
// joined names, and "" where something is no object.
func flat(name string, v []byte, levels int, f func(name string, v []byte)) {
	empty := true
	if isObject(v) && levels > 0 {
		each(v, func(member, inner []byte) bool {
			empty = false
			path := string(member)
			if name != "" {
				path = name + "." + path
			}
			flat(path, inner, levels-1, f)
			return true
		})
	}
	if empty {
		f(name, v)
	}
}

// Table writes a JSON value as a table for a model: a line with the names of the
// columns and a line for each element of a list, cells separated by tabs.
// Objects inside elements have a column for each member, called outer.inner;
// lists inside them are JSON; what is null or not there is an empty cell. Tabs,
// line ends and backslashes of texts are escaped as \t, \n, \r and \\. The
// members of an object are lines "name: value", and lists of objects among them
// tables. The text is "" for what makes no table: more than a hundred columns.
func Table(v []byte) string {
	v = trim(v)
	var b strings.Builder
	switch {
	case isList(v):
		if !rows(&b, v) {
			return ""
		}
	case isObject(v):
		var tables []string
		var lists [][]byte
		flat("", v, maxFlat, func(name string, inner []byte) {
			if isList(inner) && ofObjects(inner) {
				tables, lists = append(tables, name), append(lists, inner)
				return
			}
			if name != "" {
				b.WriteString(lineEscapes.Replace(name) + ": " + cell(inner) + "\n")
			}
		})
		for i, list := range lists {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(lineEscapes.Replace(tables[i]) + ":\n")
			if !rows(&b, list) {
				return ""
			}
		}
	default:
		return scalar(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ofObjects tells whether a list has elements, and only objects.
func ofObjects(list []byte) bool {
	n, all := 0, true
	each(list, func(_, v []byte) bool {
		n++
		all = isObject(v)
		return all
	})
	return n > 0 && all
}

// rows writes a list as a table. It writes nothing, and returns false, where
// there would be too many columns.
func rows(b *strings.Builder, list []byte) bool {
	columns := map[string]int{}
	var names []string
	each(list, func(_, v []byte) bool {
		flat("", v, maxFlat, func(name string, v []byte) {
			if _, ok := columns[column(name)]; !ok {
				columns[column(name)] = len(names)
				names = append(names, column(name))
			}
		})
		return len(names) <= maxColumns
	})
	if len(names) > maxColumns {
		return false
	}
	line := make([]string, len(names))
	for i, n := range names {
		line[i] = lineEscapes.Replace(n)
	}
	write := func() {
		for i, text := range line {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(text)
		}
		b.WriteByte('\n')
	}
	write()
	each(list, func(_, v []byte) bool {
		clear(line)
		flat("", v, maxFlat, func(name string, v []byte) { line[columns[column(name)]] = cell(v) })
		write()
		return true
	})
	return true
}

// column is the column of what is called name in its row; what is no object has
// none.
func column(name string) string {
	if name == "" {
		return "value"
	}
	return name
}

// Markdown writes a JSON value as Markdown: the members of an object as a list
// with their names in bold, a list of objects as a section for each, long texts
// as quotations.
func Markdown(v []byte) string {
	v = trim(v)
	var b strings.Builder
	switch {
	case isList(v) && ofObjects(v):
		n := 0
		each(v, func(_, v []byte) bool {
			n++
			b.WriteString("## " + strconv.Itoa(n) + "\n\n")
			bullets(&b, v, 0)
			b.WriteByte('\n')
			return true
		})
	case isList(v), isObject(v):
		bullets(&b, v, 0)
	default:
		return scalar(v)
	}
	return strings.TrimRight(b.String(), "\n")
}

// bullets writes the elements of a list or object, each as an item of a list at
// a level.
func bullets(b *strings.Builder, v []byte, level int) {
	indent := strings.Repeat("  ", level)
	each(v, func(name, v []byte) bool {
		b.WriteString(indent + "-")
		if name != nil {
			b.WriteString(" **" + oneLine(string(name)) + "**:")
		}
		switch {
		case (isList(v) || isObject(v)) && level < maxFlat && len(trim(v[1:len(v)-1])) > 0:
			b.WriteByte('\n')
			bullets(b, v, level+1)
		case v[0] == 'n':
			b.WriteString(" –\n")
		default:
			text := scalar(v)
			if !strings.ContainsAny(text, "\r\n") {
				b.WriteString(" " + text + "\n")
				break
			}
			b.WriteByte('\n')
			for line := range strings.Lines(strings.TrimSpace(text)) {
				b.WriteString(strings.TrimRight(indent+"  > "+strings.TrimRight(line, "\r\n"), " ") + "\n")
			}
		}
		return true
	})
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Empty tells whether a JSON value is null, or a list, object or text without
// anything in it.
func Empty(v []byte) bool {
	v = trim(v)
	switch v[0] {
	case 'n':
		return true
	case '[', '{', '"':
		return len(v) == 2 || v[0] != '"' && len(trim(v[1:len(v)-1])) == 0
	}
	return false
}

// Count is the number of elements of a list, or of members of an object.
func Count(v []byte) int {
	n := 0
	each(v, func(_, _ []byte) bool { n++; return true })
	return n
}
