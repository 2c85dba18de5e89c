package function

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

func timestamp([]any) (any, error) { return time.Now().UTC().Format(time.RFC3339), nil }

// timeAt is a point in time as in RFC 3339. A full-date is its beginning in UTC,
// so that an argument of the format date can be written another way.
func timeAt(in []any, i int) (time.Time, error) {
	s, err := textAt(in, i)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	if err != nil {
		return time.Time{}, Quoting("%.40q is no point in time as in RFC 3339, e.g. 2026-03-01T12:00:00Z or 2026-03-01", s)
	}
	return t, nil
}

func timeAdd(in []any) (any, error) {
	t, err := timeAt(in, 0)
	if err != nil {
		return nil, err
	}
	s, err := textAt(in, 1)
	if err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, Quoting("%.40q is no duration, e.g. 24h or -10m", s)
	}
	return dated(t.Add(d))
}

// dated writes a point in time, if RFC 3339 can.
func dated(t time.Time) (any, error) {
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, errors.New("the year is not between 0 and 9999")
	}
	return t.Format(time.RFC3339Nano), nil
}

func timeCompare(in []any) (any, error) {
	a, err := timeAt(in, 0)
	if err != nil {
		return nil, err
	}
	b, err := timeAt(in, 1)
	if err != nil {
		return nil, err
	}
	return json.Number(strconv.Itoa(a.Compare(b))), nil
}

func unixTime(in []any) (any, error) {
	t, err := timeAt(in, 0)
	if err != nil {
		return nil, err
	}
	return json.Number(strconv.FormatInt(t.Unix(), 10)), nil
}

func fromUnixTime(in []any) (any, error) {
	n, err := wholeAt(in, 0)
	if err != nil {
		return nil, err
	}
	return dated(time.Unix(int64(n), 0).UTC())
}

// A dateVerb is one sequence of letters of a date format: how it is written and
// how it is read. Formats are those of Terraform's formatdate.
type dateVerb struct {
	layout string // Go's, for writing; "" where Go has none
	digits [2]int // least and most digits when reading a number
	set    func(d *dateParts, n int)
}

// dateParts is a date while it is read.
type dateParts struct {
	year, month, day, hour, minute, second int
	half                                   string // am or pm
	zone                                   *time.Location
}

var dateVerbs = map[string]dateVerb{
	"YYYY":  {layout: "2006", digits: [2]int{4, 4}, set: func(d *dateParts, n int) { d.year = n }},
	"YY":    {layout: "06", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.year = 1900 + n + 100*b2i(n < 69) }}, // as POSIX and Go
	"MMMM":  {layout: "January"},
	"MMM":   {layout: "Jan"},
	"MM":    {layout: "01", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.month = n }},
	"M":     {layout: "1", digits: [2]int{1, 2}, set: func(d *dateParts, n int) { d.month = n }},
	"DD":    {layout: "02", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.day = n }},
	"D":     {layout: "2", digits: [2]int{1, 2}, set: func(d *dateParts, n int) { d.day = n }},
	"EEEE":  {layout: "Monday"},
	"EEE":   {layout: "Mon"},
	"hh":    {layout: "15", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.hour = n }},
	"h":     {digits: [2]int{1, 2}, set: func(d *dateParts, n int) { d.hour = n }},
	"HH":    {layout: "03", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.hour = n }},
	"H":     {layout: "3", digits: [2]int{1, 2}, set: func(d *dateParts, n int) { d.hour = n }},
	"AA":    {layout: "PM"},
	"aa":    {layout: "pm"},
	"mm":    {layout: "04", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.minute = n }},
	"m":     {layout: "4", digits: [2]int{1, 2}, set: func(d *dateParts, n int) { d.minute = n }},
	"ss":    {layout: "05", digits: [2]int{2, 2}, set: func(d *dateParts, n int) { d.second = n }},
	"s":     {layout: "5", digits: [2]int{1, 2}, set: func(d *dateParts, n int) { d.second = n }},
	"ZZZZZ": {layout: "-07:00"},
	"ZZZZ":  {layout: "-0700"},
	"ZZZ":   {}, // as ZZZZ, but UTC where there is no offset
	"Z":     {layout: "Z07:00"},
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// dateFormat splits a format into verbs and literal texts. Letters stand in
// quotes to be literal; ” is a quote.
func dateFormat(format string, verb func(name string) error, literal func(string) error) error {
	for format != "" {
		c := format[0]
		switch {
		case c == '\'':
			var b strings.Builder
			rest, closed := format[1:], false
			for rest != "" && !closed {
				switch {
				case strings.HasPrefix(rest, "''"):
					b.WriteByte('\'')
					rest = rest[2:]
				case rest[0] == '\'':
					rest, closed = rest[1:], true
				default:
					b.WriteByte(rest[0])
					rest = rest[1:]
				}
			}
			if !closed {
				return errors.New("the format has a quote without end")
			}
			if b.Len() == 0 {
				b.WriteByte('\'')
			}
			if err := literal(b.String()); err != nil {
				return err
			}
			format = rest
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			n := 1
			for n < len(format) && format[n] == c {
				n++
			}
			if _, ok := dateVerbs[format[:n]]; !ok {
				return Quoting("the format has no %.20q; literal letters stand in single quotes", format[:n])
			}
			if err := verb(format[:n]); err != nil {
				return err
			}
			format = format[n:]
		default:
			n := strings.IndexFunc(format, func(r rune) bool { return r == '\'' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' })
			if n < 0 {
				n = len(format)
			}
			if err := literal(format[:n]); err != nil {
				return err
			}
			format = format[n:]
		}
	}
	return nil
}

func formatDate(in []any) (any, error) {
	layout, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	t, err := timeAt(in, 1)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	err = dateFormat(layout, func(name string) error {
		switch v := dateVerbs[name]; {
		case name == "h":
			b.WriteString(strconv.Itoa(t.Hour()))
		case name == "ZZZ":
			if _, offset := t.Zone(); offset == 0 {
				b.WriteString("UTC")
			} else {
				b.WriteString(t.Format("-0700"))
			}
		default:
			b.WriteString(t.Format(v.layout))
		}
		return nil
	}, func(s string) error { b.WriteString(s); return nil })
	return b.String(), err
}

// parseDate reads a date in the format of formatdate, and gives it as RFC 3339.
// Without an offset in the text it is UTC.
func parseDate(in []any) (any, error) {
	s, err := texts(in)
	if err != nil {
		return nil, err
	}
	rest := s[1]
	wrong := Quoting("%.60q is not written as %.60q", s[1], s[0])
	d := dateParts{month: 1, day: 1, zone: time.UTC}
	take := func(names func(i int) string, n int) int {
		for i := range n {
			if name := names(i); len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
				rest = rest[len(name):]
				return i
			}
		}
		return -1
	}
	err = dateFormat(s[0], func(name string) error {
		v := dateVerbs[name]
		if v.set != nil {
			n := 0
			for n < v.digits[1] && n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
				n++
			}
			if n < v.digits[0] {
				return wrong
			}
			i, _ := strconv.Atoi(rest[:n]) // at most four digits
			v.set(&d, i)
			rest = rest[n:]
			return nil
		}
		short := func(s string) string { return s[:3] }
		i := 0
		switch name {
		case "MMMM":
			i = take(func(i int) string { return time.Month(i + 1).String() }, 12)
			d.month = i + 1
		case "MMM":
			i = take(func(i int) string { return short(time.Month(i + 1).String()) }, 12)
			d.month = i + 1
		case "EEEE":
			i = take(func(i int) string { return time.Weekday(i).String() }, 7)
		case "EEE":
			i = take(func(i int) string { return short(time.Weekday(i).String()) }, 7)
		case "AA", "aa":
			halves := []string{"am", "pm"}
			if i = take(func(i int) string { return halves[i] }, 2); i >= 0 {
				d.half = halves[i]
			}
		default: // an offset
			n := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("+-:0123456789ZUTC", r) })
			if n < 0 {
				n = len(rest)
			}
			text := rest[:n]
			if name == "ZZZ" && text == "UTC" || name == "Z" && text == "Z" {
				rest = rest[n:]
				return nil
			}
			layout := v.layout
			if name == "ZZZ" {
				layout = "-0700"
			}
			t, err := time.Parse(layout, text)
			if err != nil {
				return wrong
			}
			d.zone, rest = t.Location(), rest[n:]
		}
		if i < 0 {
			return wrong
		}
		return nil
	}, func(literal string) error {
		after, ok := strings.CutPrefix(rest, literal)
		if !ok {
			return wrong
		}
		rest = after
		return nil
	})
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, wrong
	}
	if d.half != "" {
		if d.hour < 1 || d.hour > 12 {
			return nil, wrong
		}
		d.hour = d.hour%12 + 12*b2i(d.half == "pm")
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, 0, d.zone)
	if t.Day() != d.day || int(t.Month()) != d.month || t.Hour() != d.hour || t.Minute() != d.minute || t.Second() != d.second {
		return nil, Quoting("there is no such date: %.60q", s[1])
	}
	return dated(t)
}
