package hclspec

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// function is one function of the language. The same names and meanings hold
// when a call is made; package runtime/internal/expr implements them there.
type function struct {
	name     string
	group    string // for the reference
	params   []param
	doc      string
	examples [][2]string // call and value as JSON; run by a test
	eval     func(a []*specs.Node) (*specs.Node, error)
	// load evaluates a function of the static phase only.
	load func(p *parser, name string, sc *scope, r diag.Range) *specs.Expr
}

type param struct {
	name     string
	want     want
	optional bool
	rest     bool // any number of these
}

// want is what a parameter accepts.
type want uint8

const (
	wantAny want = iota
	wantText
	wantNumber
	wantList
	wantObject
	wantCollection // text, list or object
	wantListOrText
)

func (w want) String() string {
	return [...]string{"any value", "text", "a number", "a list", "an object", "a text, list or object", "a list or text"}[w]
}

// fits reports whether a value is acceptable. Numbers and booleans pass as
// text, and text that is a number as a number.
func fits(w want, v *specs.Node) bool {
	switch w {
	case wantText:
		return v.Kind != specs.Null && v.Kind < specs.Array
	case wantNumber:
		return v.Kind == specs.Number || v.Kind == specs.String && isNumber(v.Text)
	case wantList:
		return v.Kind == specs.Array
	case wantObject:
		return v.Kind == specs.Object
	case wantCollection:
		return v.Kind >= specs.String
	case wantListOrText:
		return v.Kind == specs.String || v.Kind == specs.Array
	}
	return true
}

// arity returns the least and the greatest number of arguments; -1 is any.
func (f *function) arity() (least, most int) {
	for _, q := range f.params {
		if q.rest {
			return least, -1
		}
		if !q.optional {
			least++
		}
		most++
	}
	return least, most
}

func (f *function) param(i int) param { return f.params[min(i, len(f.params)-1)] }

func (f *function) argumentsText() string {
	least, most := f.arity()
	count := func(n int) string {
		if n == 1 {
			return "1 argument"
		}
		return strconv.Itoa(n) + " arguments"
	}
	switch {
	case most < 0:
		return "at least " + count(least)
	case least == most:
		return count(least)
	}
	return strconv.Itoa(least) + " to " + count(most)
}

// signature is how the function is called, for hints and the reference.
func (f *function) signature() string {
	var b strings.Builder
	b.WriteString(f.name + "(")
	for i, q := range f.params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(q.name)
		switch {
		case q.rest:
			b.WriteString("…")
		case q.optional:
			b.WriteString("?")
		}
	}
	return b.String() + ")"
}

func str(s string) (*specs.Node, error) { return specs.NewString(s), nil }

// onText makes a function of one text.
func onText(f func(string) string) func([]*specs.Node) (*specs.Node, error) {
	return func(a []*specs.Node) (*specs.Node, error) { return str(f(a[0].Text)) }
}

func functionTable() []*function {
	s := param{name: "text", want: wantText}
	return []*function{
		{name: "upper", group: "Text", params: []param{s}, doc: "upper case", examples: [][2]string{{`upper("ab")`, `"AB"`}}, eval: onText(strings.ToUpper)},
		{name: "lower", group: "Text", params: []param{s}, doc: "lower case", examples: [][2]string{{`lower("AB")`, `"ab"`}}, eval: onText(strings.ToLower)},
		{name: "trim", group: "Text", params: []param{s, {name: "characters", want: wantText, optional: true}}, doc: "without white space, or without the given characters, at both ends",
			examples: [][2]string{{`trim("  a ")`, `"a"`}, {`trim("--a-", "-")`, `"a"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				if len(a) > 1 {
					return str(strings.Trim(a[0].Text, a[1].Text))
				}
				return str(strings.TrimSpace(a[0].Text))
			}},
		{name: "replace", group: "Text", params: []param{s, {name: "old", want: wantText}, {name: "new", want: wantText}}, doc: "every occurrence of `old` replaced by `new`",
			examples: [][2]string{{`replace("a-b-c", "-", ".")`, `"a.b.c"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				return str(strings.ReplaceAll(a[0].Text, a[1].Text, a[2].Text))
			}},
		{name: "split", group: "Text", params: []param{{name: "separator", want: wantText}, s}, doc: "the parts of a text, a list",
			examples: [][2]string{{`split(",", "a,b")`, `["a","b"]`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				out := specs.NewArray()
				for _, part := range strings.Split(a[1].Text, a[0].Text) {
					out.Fields = append(out.Fields, specs.Field{Value: specs.NewString(part), KeyStart: -1})
				}
				return out, nil
			}},
		{name: "join", group: "Text", params: []param{{name: "separator", want: wantText}, {name: "list", want: wantList}, {name: "lists", want: wantList, rest: true}}, doc: "the elements of a list, or of several, as one text",
			examples: [][2]string{{`join("+", ["a", 1])`, `"a+1"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				var parts []string
				for _, list := range a[1:] {
					for _, f := range list.Fields {
						t, err := text(f.Value)
						if err != nil {
							return nil, err
						}
						parts = append(parts, t)
					}
				}
				return str(strings.Join(parts, a[0].Text))
			}},
		{name: "format", group: "Text", params: []param{{name: "pattern", want: wantText}, {name: "values", rest: true}}, doc: "a pattern filled with values, as in C and Go: `%s` text, `%q` quoted as JSON, `%v` any value (lists and objects as JSON), `%t` true or false, `%d` whole number, `%b %o %x %X` in other bases, `%e %f %g` decimals, `%%` a percent sign; flags, width, precision (`%08.2f`) and the number of an argument (`%[2]s`) as in Go",
			examples: [][2]string{{`format("%s-%04d", "C", 42)`, `"C-0042"`}, {`format("%v", [1, "a"])`, `"[1,\"a\"]"`}}, eval: formatText},
		{name: "substr", group: "Text", params: []param{s, {name: "offset", want: wantNumber}, {name: "length", want: wantNumber}}, doc: "a part of a text, counted in characters from 0; a negative offset counts from the end; length -1 is all the rest",
			examples: [][2]string{{`substr("hello", 1, 3)`, `"ell"`}, {`substr("hello", -2, -1)`, `"lo"`}}, eval: substr},
		{name: "snakecase", group: "Text", params: []param{s}, doc: "words in lower case, joined by _", examples: [][2]string{{`snakecase("getUser-byID")`, `"get_user_by_id"`}},
			eval: onText(func(s string) string { return strings.Join(words(s), "_") })},
		{name: "kebabcase", group: "Text", params: []param{s}, doc: "words in lower case, joined by -", examples: [][2]string{{`kebabcase("getUser")`, `"get-user"`}},
			eval: onText(func(s string) string { return strings.Join(words(s), "-") })},
		{name: "camelcase", group: "Text", params: []param{s}, doc: "words joined, each but the first beginning with a capital", examples: [][2]string{{`camelcase("get_user")`, `"getUser"`}}, eval: onText(camelCase)},
		{name: "startswith", group: "Text", params: []param{s, {name: "prefix", want: wantText}}, doc: "whether a text begins with another", examples: [][2]string{{`startswith("abc", "ab")`, `true`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				return specs.NewBool(strings.HasPrefix(a[0].Text, a[1].Text)), nil
			}},
		{name: "endswith", group: "Text", params: []param{s, {name: "suffix", want: wantText}}, doc: "whether a text ends with another", examples: [][2]string{{`endswith("abc", "bc")`, `true`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				return specs.NewBool(strings.HasSuffix(a[0].Text, a[1].Text)), nil
			}},
		{name: "contains", group: "Text", params: []param{{name: "whole", want: wantListOrText}, {name: "part"}}, doc: "whether a list has an element, or a text a part",
			examples: [][2]string{{`contains(["a", "b"], "b")`, `true`}, {`contains("abc", "x")`, `false`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				found := false
				switch a[0].Kind {
				case specs.Array:
					found = slices.ContainsFunc(a[0].Fields, func(f specs.Field) bool { return equal(f.Value, a[1]) })
				case specs.String:
					t, err := text(a[1])
					if err != nil {
						return nil, err
					}
					found = strings.Contains(a[0].Text, t)
				}
				return specs.NewBool(found), nil
			}},
		{name: "length", group: "Text", params: []param{{name: "value", want: wantCollection}}, doc: "the number of characters, elements or members", examples: [][2]string{{`length("é")`, `1`}, {`length([1, 2])`, `2`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				n := len(a[0].Fields)
				if a[0].Kind == specs.String {
					n = utf8.RuneCountInString(a[0].Text)
				}
				return specs.NewNumber(strconv.Itoa(n)), nil
			}},

		{name: "keys", group: "Collections", params: []param{{name: "object", want: wantObject}}, doc: "the keys of an object, sorted", examples: [][2]string{{`keys({ b = 1, a = 2 })`, `["a","b"]`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				out := specs.NewArray()
				for _, f := range sorted(a[0]) {
					out.Fields = append(out.Fields, specs.Field{Value: specs.NewString(f.Key), KeyStart: -1})
				}
				return out, nil
			}},
		{name: "values", group: "Collections", params: []param{{name: "object", want: wantObject}}, doc: "the values of an object in the order of its sorted keys", examples: [][2]string{{`values({ b = 1, a = 2 })`, `[2,1]`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				out := specs.NewArray()
				for _, f := range sorted(a[0]) {
					out.Fields = append(out.Fields, specs.Field{Value: f.Value, KeyStart: -1})
				}
				return out, nil
			}},
		{name: "merge", group: "Collections", params: []param{{name: "objects", rest: true}}, doc: "one object of several; of equal keys the last wins, and null counts as empty", examples: [][2]string{{`merge({ a = 1 }, { a = 2, b = 3 })`, `{"a":2,"b":3}`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				out := &specs.Node{Kind: specs.Object}
				for _, o := range a {
					if o.Kind != specs.Object && o.Kind != specs.Null {
						return nil, fmt.Errorf("%s is no object", valueText(o))
					}
					for _, f := range o.Fields {
						out.Set(f.Key, f.Value)
					}
				}
				return out, nil
			}},
		{name: "lookup", group: "Collections", params: []param{{name: "object", want: wantObject}, {name: "key", want: wantText}, {name: "otherwise", optional: true}}, doc: "a member of an object, or `otherwise` (null) when it has none of that name",
			examples: [][2]string{{`lookup({ a = 1 }, "b", 0)`, `0`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				if v := a[0].Get(a[1].Text); v != nil {
					return v, nil
				}
				if len(a) > 2 {
					return a[2], nil
				}
				return &specs.Node{}, nil
			}},
		{name: "concat", group: "Collections", params: []param{{name: "lists", want: wantList, rest: true}}, doc: "one list of several", examples: [][2]string{{`concat(["a"], ["b"])`, `["a","b"]`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				out := specs.NewArray()
				for _, l := range a {
					out.Fields = append(out.Fields, l.Fields...)
				}
				return out, nil
			}},
		{name: "coalesce", group: "Collections", params: []param{{name: "values", rest: true}}, doc: "the first value that is not null; null when there is none", examples: [][2]string{{`coalesce(null, "a")`, `"a"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				for _, v := range a {
					if v.Kind != specs.Null {
						return v, nil
					}
				}
				return &specs.Node{}, nil
			}},

		{name: "base64encode", group: "Encoding", params: []param{s}, doc: "the UTF-8 bytes of a text in base64 (RFC 4648, padded)", examples: [][2]string{{`base64encode("a:b")`, `"YTpi"`}},
			eval: onText(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })},
		{name: "jsonencode", group: "Encoding", params: []param{{name: "value"}}, doc: "a value as compact JSON text, keys sorted", examples: [][2]string{{`jsonencode({ a = [1, null] })`, `"{\"a\":[1,null]}"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) { return str(sortedKeys(a[0]).JSON()) }},
		{name: "base64decode", group: "Encoding", params: []param{s}, doc: "the text in base64; its bytes must be UTF-8", examples: [][2]string{{`base64decode("YTpi")`, `"a:b"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				b, err := base64.StdEncoding.DecodeString(a[0].Text)
				if err != nil {
					return nil, errors.New("the text is not base64")
				}
				if !utf8.Valid(b) {
					return nil, errors.New("the decoded bytes are not UTF-8 text")
				}
				return str(string(b))
			}},
		{name: "jsondecode", group: "Encoding", params: []param{s}, doc: "the value of a JSON text", examples: [][2]string{{`jsondecode("[1.50]")[0]`, `1.50`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				return JSON([]byte(a[0].Text))
			}},
		{name: "urlencode", group: "Encoding", params: []param{s}, doc: "percent-encoded, for use inside a query value or path segment; a space becomes %20", examples: [][2]string{{`urlencode("a b&c")`, `"a%20b%26c"`}},
			eval: onText(func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") })},

		{name: "min", group: "Numbers", params: []param{{name: "number", want: wantNumber}, {name: "numbers", want: wantNumber, rest: true}}, doc: "the smallest", examples: [][2]string{{`min(3, 1, 2)`, `1`}}, eval: pick(-1)},
		{name: "max", group: "Numbers", params: []param{{name: "number", want: wantNumber}, {name: "numbers", want: wantNumber, rest: true}}, doc: "the greatest", examples: [][2]string{{`max(3, 1, 2)`, `3`}}, eval: pick(1)},
		{name: "abs", group: "Numbers", params: []param{{name: "number", want: wantNumber}}, doc: "without the sign", examples: [][2]string{{`abs(-1.50)`, `1.50`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				if _, err := number(a[0]); err != nil {
					return nil, err
				}
				return specs.NewNumber(strings.TrimPrefix(a[0].Text, "-")), nil
			}},
		{name: "ceil", group: "Numbers", params: []param{{name: "number", want: wantNumber}}, doc: "the next whole number upwards", examples: [][2]string{{`ceil(1.2)`, `2`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				d, err := number(a[0])
				if err != nil {
					return nil, err
				}
				return numberNode(d.whole(true))
			}},
		{name: "floor", group: "Numbers", params: []param{{name: "number", want: wantNumber}}, doc: "the next whole number downwards", examples: [][2]string{{`floor(-1.2)`, `-2`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				d, err := number(a[0])
				if err != nil {
					return nil, err
				}
				return numberNode(d.whole(false))
			}},

		{name: "tostring", group: "Conversion", params: []param{{name: "value", want: wantText}}, doc: "a number or boolean as text; null stays null", examples: [][2]string{{`tostring(1.50)`, `"1.50"`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				if a[0].Kind == specs.Null {
					return a[0], nil
				}
				return str(a[0].Text)
			}},
		{name: "tonumber", group: "Conversion", params: []param{{name: "value", want: wantText}}, doc: "a text as number, digit for digit; null stays null", examples: [][2]string{{`tonumber("9007199254740993")`, `9007199254740993`}},
			eval: func(a []*specs.Node) (*specs.Node, error) {
				switch {
				case a[0].Kind == specs.Null || a[0].Kind == specs.Number:
					return a[0], nil
				case a[0].Kind == specs.String && isNumber(a[0].Text):
					return specs.NewNumber(a[0].Text), nil
				}
				return nil, fmt.Errorf("%s is no number", valueText(a[0]))
			}},

		{name: "env", group: "Static phase only", params: []param{{name: "name", want: wantText}}, doc: "an environment variable, read when the spec is loaded; null when it is not set. Inside `auth` it is a reference, read when a request is sent",
			load: (*parser).envFunction},
		{name: "file", group: "Static phase only", params: []param{{name: "path", want: wantText}}, doc: "the text of a file, its path relative to the spec. Inside `auth` it is a reference, read when a request is sent, without its line end",
			load: (*parser).fileFunction},
	}
}

// sortedKeys is v with the keys of all objects in order.
func sortedKeys(v *specs.Node) *specs.Node {
	if v.Kind < specs.Array {
		return v
	}
	out := &specs.Node{Kind: v.Kind}
	fields := v.Fields
	if v.Kind == specs.Object {
		fields = sorted(v)
	}
	for _, f := range fields {
		out.Fields = append(out.Fields, specs.Field{Key: f.Key, Value: sortedKeys(f.Value), KeyStart: -1})
	}
	return out
}

func sorted(o *specs.Node) []specs.Field {
	f := slices.Clone(o.Fields)
	slices.SortFunc(f, func(a, b specs.Field) int { return strings.Compare(a.Key, b.Key) })
	return f
}

func pick(sign int) func([]*specs.Node) (*specs.Node, error) {
	return func(a []*specs.Node) (*specs.Node, error) {
		best, err := number(a[0])
		if err != nil {
			return nil, err
		}
		at := 0
		for i, v := range a[1:] {
			d, err := number(v)
			if err != nil {
				return nil, err
			}
			if d.cmp(best)*sign > 0 {
				best, at = d, i+1
			}
		}
		return specs.NewNumber(a[at].Text), nil
	}
}

// words splits a name into lower-case words: at everything that is neither
// letter nor digit, and where a capital begins a word ("getUserByID" is get,
// user, by, id; "HTTPServer" is http, server).
func words(s string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	r := []rune(s)
	for i, c := range r {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			flush()
			continue
		}
		if n := len(word); n > 0 && unicode.IsUpper(c) {
			if before := unicode.IsUpper(word[n-1]); !before || i+1 < len(r) && unicode.IsLower(r[i+1]) {
				flush()
			}
		}
		word = append(word, c)
	}
	flush()
	return out
}

func camelCase(s string) string {
	var b strings.Builder
	for i, w := range words(s) {
		if i > 0 {
			r, n := utf8.DecodeRuneInString(w)
			w = string(unicode.ToUpper(r)) + w[n:]
		}
		b.WriteString(w)
	}
	return b.String()
}

func substr(a []*specs.Node) (*specs.Node, error) {
	r := []rune(a[0].Text)
	var n [2]int
	for i, v := range a[1:] {
		d, err := number(v)
		if err != nil {
			return nil, err
		}
		t, err := d.text()
		if err != nil {
			return nil, err
		}
		if n[i], err = strconv.Atoi(t); err != nil {
			return nil, fmt.Errorf("%s is no whole number", valueText(v))
		}
	}
	offset, count := n[0], n[1]
	if count < -1 {
		return nil, errors.New("the length is -1 (to the end) or more")
	}
	if offset < 0 {
		offset = max(offset+len(r), 0)
	}
	offset = min(offset, len(r))
	if count < 0 || count > len(r)-offset {
		count = len(r) - offset
	}
	return str(string(r[offset : offset+count]))
}

// verb matches one verb of a format pattern after its percent sign.
var verb = regexp.MustCompile(`^([-+# 0]*)([0-9]*)(?:\.([0-9]*))?(?:\[([1-9][0-9]*)\])?(.)`)

// formatText is the function format.
func formatText(a []*specs.Node) (*specs.Node, error) {
	var b strings.Builder
	pattern := a[0].Text
	next, explicit := 1, false
	for {
		before, after, found := strings.Cut(pattern, "%")
		b.WriteString(before)
		if !found {
			break
		}
		m := verb.FindStringSubmatch(after)
		if m == nil {
			return nil, errors.New("the pattern ends inside a % sequence")
		}
		pattern = after[len(m[0]):]
		if m[5] == "%" {
			b.WriteByte('%')
			continue
		}
		if m[4] != "" {
			next, _ = strconv.Atoi(m[4])
			explicit = true
		}
		if next >= len(a) {
			return nil, fmt.Errorf("the pattern needs value %d, but there are %d", next, len(a)-1)
		}
		s, err := formatVerb(m, a[next])
		if err != nil {
			return nil, fmt.Errorf("value %d: %w", next, err)
		}
		b.WriteString(s)
		next++
	}
	if !explicit && next < len(a) {
		return nil, fmt.Errorf("the pattern uses %d values, but there are %d", next-1, len(a)-1)
	}
	return str(b.String())
}

// formatVerb writes one value; m are the parts of the verb: flags, width,
// precision, argument, letter.
func formatVerb(m []string, v *specs.Node) (string, error) {
	flags, letter := m[1], m[5]
	width := func(s string) bool { n, _ := strconv.Atoi(s); return n <= 1000 }
	if !width(m[2]) || !width(m[3]) {
		return "", errors.New("a width or precision above 1000")
	}
	rest := m[2]
	if m[3] != "" {
		rest += "." + m[3]
	}
	switch letter {
	case "v":
		s := v.Text
		if v.Kind >= specs.Array || v.Kind == specs.Null || strings.Contains(flags, "#") {
			s = sortedKeys(v).JSON()
		}
		return fmt.Sprintf("%"+strings.ReplaceAll(flags, "#", "")+rest+"s", s), nil
	case "s", "q":
		s, err := text(v)
		if err != nil {
			return "", err
		}
		if letter == "q" {
			s = string(specs.AppendQuoted(nil, s))
		}
		return fmt.Sprintf("%"+flags+rest+"s", s), nil
	case "t":
		t, err := truth(v)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%"+flags+rest+"t", t), nil
	}
	if !strings.Contains("dboxXeEfgG", letter) {
		return "", fmt.Errorf("%%%s is not known", letter)
	}
	d, err := number(v)
	if err != nil {
		return "", err
	}
	if strings.Contains("dboxX", letter) {
		if d.whole(false).cmp(d) != 0 {
			return "", fmt.Errorf("%%%s takes a whole number, not %s", letter, v.Text)
		}
		n, _, _ := align(d.whole(false), decimal{new(big.Int), 0})
		return fmt.Sprintf("%"+flags+rest+letter, n), nil
	}
	f, _, err := big.ParseFloat(v.Text, 10, 512, big.ToNearestEven)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%"+flags+rest+letter, f), nil
}
