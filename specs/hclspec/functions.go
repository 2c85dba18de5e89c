package hclspec

import (
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// signature is one function of the language: what it takes, for messages and the
// reference. What it does is in package runtime/function, for load and call
// alike.
type signature struct {
	name     string
	params   []param
	gives    want
	doc      string
	examples []string // "call → value as JSON"; run at load and as in a call by tests
	group    string   // heading in the reference
	// load evaluates a function of the static phase only, whose arguments are known.
	load func(p *parser, args []*specs.Expr, sc *scope, r diag.Range) *specs.Expr
}

type param struct {
	name     string
	want     want
	optional bool
	rest     bool // any number of these
}

// want is what a parameter accepts, or what a function gives.
type want uint8

const (
	wantAny want = iota
	wantText
	wantNumber
	wantBool
	wantList
	wantObject
	wantCollection // text, list or object
	wantListOrText
)

func (w want) String() string {
	return [...]string{"any value", "text", "a number", "true or false", "a list", "an object", "a text, list or object", "a list or text"}[w]
}

// fits reports whether a value is acceptable. Numbers and booleans pass as
// text, and text that is a number as a number.
func fits(w want, v *specs.Node) bool {
	switch w {
	case wantText:
		return v.Kind != specs.Null && v.Kind < specs.Array
	case wantNumber:
		return v.Kind == specs.Number || v.Kind == specs.String && isNumber(v.Text)
	case wantBool:
		_, err := truth(v)
		return err == nil
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
func (f *signature) arity() (least, most int) {
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

func (f *signature) param(i int) param { return f.params[min(i, len(f.params)-1)] }

func (f *signature) argumentsText() string {
	least, most := f.arity()
	count := func(n int) string {
		switch n {
		case 0:
			return "no argument"
		case 1:
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

// form is how the function is called, for hints and the reference.
func (f *signature) form() string {
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

// takes makes the parameters of a row: "name", "name?" for one that may be left
// out, "name…" for one that may be repeated, each with what it accepts.
func takes(pairs ...any) []param {
	var out []param
	for i := 0; i < len(pairs); i += 2 {
		q := param{name: pairs[i].(string), want: pairs[i+1].(want)}
		q.name, q.optional = strings.CutSuffix(q.name, "?")
		q.name, q.rest = strings.CutSuffix(q.name, "…")
		out = append(out, q)
	}
	return out
}

func functionTable() []*signature {
	var out []*signature
	for _, g := range functionGroups() {
		for _, f := range g.functions {
			f.group = g.name
			out = append(out, f)
		}
	}
	return out
}

type functionGroup struct {
	name      string
	functions []*signature
}

// elsewhere says what to write instead of functions of Terraform that the
// language does not have.
var elsewhere = map[string]string{
	"try": "a member that does not exist is null in a call: use coalesce(), or lookup() with a default", "can": "a member that does not exist is null in a call: compare with null; test a text with matches()",
	"toset": "use distinct()", "tolist": "a list needs no conversion", "tomap": "an object needs no conversion", "plantimestamp": "use timestamp()",
	"templatefile": "write the template here, with ${…} and %{ for … }", "yamldecode": "write the value in HCL, or use jsondecode()", "fileexists": "name files that exist",
	"filebase64": "use base64encode(file(…))", "filesha256": "use sha256(file(…))", "nonsensitive": "sensitive values stay sensitive", "sensitive": "use a variable with sensitive = true",
}

func functionGroups() []functionGroup {
	one := takes("text", wantText)
	number := takes("number", wantNumber)
	list := takes("list", wantList)
	lists := takes("list", wantList, "lists…", wantList)
	hashed := func(name, doc, example string) *signature {
		return &signature{name: name, params: one, gives: wantText, doc: doc, examples: []string{example}}
	}
	return []functionGroup{
		{"Text", []*signature{
			{name: "upper", params: one, gives: wantText, doc: "upper case", examples: []string{`upper("ab") → "AB"`}},
			{name: "lower", params: one, gives: wantText, doc: "lower case", examples: []string{`lower("AB") → "ab"`}},
			{name: "title", params: one, gives: wantText, doc: "the first letter of every word a capital", examples: []string{`title("two words") → "Two Words"`}},
			{name: "trim", params: takes("text", wantText, "characters?", wantText), gives: wantText, doc: "without white space, or without the given characters, at both ends",
				examples: []string{`trim("  a ") → "a"`, `trim("--a-", "-") → "a"`}},
			{name: "trimspace", params: one, gives: wantText, doc: "without white space at both ends", examples: []string{`trimspace(" a\n") → "a"`}},
			{name: "trimprefix", params: takes("text", wantText, "prefix", wantText), gives: wantText, doc: "without this beginning", examples: []string{`trimprefix("C-10442", "C-") → "10442"`}},
			{name: "trimsuffix", params: takes("text", wantText, "suffix", wantText), gives: wantText, doc: "without this end", examples: []string{`trimsuffix("a.xml", ".xml") → "a"`}},
			{name: "chomp", params: one, gives: wantText, doc: "without line ends at its end", examples: []string{`chomp("a\r\n") → "a"`}},
			{name: "indent", params: takes("spaces", wantNumber, "text", wantText), gives: wantText, doc: "spaces before every line but the first", examples: []string{`indent(2, "a\nb") → "a\n  b"`}},
			{name: "strrev", params: one, gives: wantText, doc: "its characters in reverse order", examples: []string{`strrev("abc") → "cba"`}},
			{name: "replace", params: takes("text", wantText, "old", wantText, "new", wantText), gives: wantText, doc: "every occurrence of `old` replaced by `new`; `regexreplace` takes a pattern",
				examples: []string{`replace("a-b-c", "-", ".") → "a.b.c"`}},
			{name: "split", params: takes("separator", wantText, "text", wantText), gives: wantList, doc: "the parts of a text, a list", examples: []string{`split(",", "a,b") → ["a","b"]`}},
			{name: "join", params: takes("separator", wantText, "list", wantList, "lists…", wantList), gives: wantText, doc: "the elements of a list, or of several, as one text", examples: []string{`join("+", ["a", 1]) → "a+1"`}},
			{name: "format", params: takes("pattern", wantText, "values…", wantAny), gives: wantText, doc: "a pattern filled with values, as in C and Go: `%s` text, `%q` quoted as JSON, `%v` any value (lists and objects as JSON), `%t` true or false, `%d` whole number, `%b %o %x %X` in other bases, `%e %f %g` decimals, `%%` a percent sign; flags, width, precision (`%08.2f`) and the number of an argument (`%[2]s`) as in Go",
				examples: []string{`format("%s-%04d", "C", 42) → "C-0042"`, `format("%v", [1, "a"]) → "[1,\"a\"]"`}},
			{name: "substr", params: takes("text", wantText, "offset", wantNumber, "length", wantNumber), gives: wantText, doc: "a part of a text, counted in characters from 0; a negative offset counts from the end; length -1 is all the rest",
				examples: []string{`substr("hello", 1, 3) → "ell"`, `substr("hello", -2, -1) → "lo"`}},
			{name: "snakecase", params: one, gives: wantText, doc: "words in lower case, joined by _", examples: []string{`snakecase("getUser-byID") → "get_user_by_id"`}},
			{name: "kebabcase", params: one, gives: wantText, doc: "words in lower case, joined by -", examples: []string{`kebabcase("getUser") → "get-user"`}},
			{name: "camelcase", params: one, gives: wantText, doc: "words joined, each but the first beginning with a capital", examples: []string{`camelcase("get_user") → "getUser"`}},
			{name: "startswith", params: takes("text", wantText, "prefix", wantText), gives: wantBool, doc: "whether a text begins with another", examples: []string{`startswith("abc", "ab") → true`}},
			{name: "endswith", params: takes("text", wantText, "suffix", wantText), gives: wantBool, doc: "whether a text ends with another", examples: []string{`endswith("abc", "bc") → true`}},
			{name: "strcontains", params: takes("text", wantText, "part", wantText), gives: wantBool, doc: "whether a text has a part", examples: []string{`strcontains("abc", "b") → true`}},
			{name: "regex", params: takes("pattern", wantText, "text", wantText), doc: "the first match of a [pattern](https://github.com/google/re2/wiki/Syntax): its text, or the list of its groups, or an object when the groups have names; an error when nothing matches",
				examples: []string{`regex("[0-9]+", "no. 42") → "42"`, `regex("(?P<y>[0-9]+)-(?P<m>[0-9]+)", "2026-03") → {"m":"03","y":"2026"}`}},
			{name: "regexall", params: takes("pattern", wantText, "text", wantText), gives: wantList, doc: "all matches, each as in `regex`", examples: []string{`regexall("[a-z]", "a1b") → ["a","b"]`}},
			{name: "regexreplace", params: takes("text", wantText, "pattern", wantText, "new", wantText), gives: wantText, doc: "every match replaced; `$1` is the text of a group", examples: []string{`regexreplace("a1b22", "[0-9]+", "#") → "a#b#"`}},
			{name: "matches", params: takes("pattern", wantText, "text", wantText), gives: wantBool, doc: "whether a pattern matches a part of a text; `^` and `$` are its ends", examples: []string{`matches("^C-[0-9]+$", "C-1") → true`}},
		}},
		{"Collections", []*signature{
			{name: "length", params: takes("value", wantCollection), gives: wantNumber, doc: "the number of characters, elements or members", examples: []string{`length("é") → 1`, `length([1, 2]) → 2`}},
			{name: "contains", params: takes("whole", wantListOrText, "part", wantAny), gives: wantBool, doc: "whether a list has an element, or a text a part", examples: []string{`contains(["a", "b"], "b") → true`, `contains("abc", "x") → false`}},
			{name: "keys", params: takes("object", wantObject), gives: wantList, doc: "the keys of an object, sorted", examples: []string{`keys({ b = 1, a = 2 }) → ["a","b"]`}},
			{name: "values", params: takes("object", wantObject), gives: wantList, doc: "the values of an object in the order of its sorted keys", examples: []string{`values({ b = 1, a = 2 }) → [2,1]`}},
			{name: "merge", params: takes("objects…", wantAny), gives: wantObject, doc: "one object of several; of equal keys the last wins, and null counts as empty", examples: []string{`merge({ a = 1 }, { a = 2, b = 3 }) → {"a":2,"b":3}`}},
			{name: "lookup", params: takes("object", wantObject, "key", wantText, "otherwise?", wantAny), doc: "a member of an object, or `otherwise` (null) when it has none of that name", examples: []string{`lookup({ a = 1 }, "b", 0) → 0`}},
			{name: "zipmap", params: takes("keys", wantList, "values", wantList), gives: wantObject, doc: "an object of a list of keys and a list of values", examples: []string{`zipmap(["a", "b"], [1, 2]) → {"a":1,"b":2}`}},
			{name: "concat", params: takes("lists…", wantList), gives: wantList, doc: "one list of several", examples: []string{`concat(["a"], ["b"]) → ["a","b"]`}},
			{name: "flatten", params: list, gives: wantList, doc: "the elements of all lists in a list", examples: []string{`flatten([1, [2, [3]]]) → [1,2,3]`}},
			{name: "distinct", params: list, gives: wantList, doc: "without elements that occurred before", examples: []string{`distinct(["a", "b", "a"]) → ["a","b"]`}},
			{name: "compact", params: list, gives: wantList, doc: "without null and empty texts", examples: []string{`compact(["a", "", null]) → ["a"]`}},
			{name: "reverse", params: list, gives: wantList, doc: "in reverse order", examples: []string{`reverse([1, 2]) → [2,1]`}},
			{name: "sort", params: list, gives: wantList, doc: "texts in the order of their characters", examples: []string{`sort(["b", "a"]) → ["a","b"]`}},
			{name: "slice", params: takes("list", wantList, "from", wantNumber, "to", wantNumber), gives: wantList, doc: "the elements from one position up to and without another", examples: []string{`slice([1, 2, 3], 1, 3) → [2,3]`}},
			{name: "element", params: takes("list", wantList, "position", wantNumber), doc: "an element, beginning again after the last", examples: []string{`element(["a", "b"], 3) → "b"`}},
			{name: "index", params: takes("list", wantList, "value", wantAny), gives: wantNumber, doc: "the position of an element; an error when there is none", examples: []string{`index(["a", "b"], "b") → 1`}},
			{name: "chunklist", params: takes("list", wantList, "size", wantNumber), gives: wantList, doc: "a list of lists of at most that size", examples: []string{`chunklist([1, 2, 3], 2) → [[1,2],[3]]`}},
			{name: "range", params: takes("start_or_end", wantNumber, "end?", wantNumber, "step?", wantNumber), gives: wantList, doc: "numbers from 0, or from a start, up to and without an end", examples: []string{`range(3) → [0,1,2]`, `range(1, 8, 3) → [1,4,7]`}},
			{name: "one", params: list, doc: "the only element; null of an empty list; an error when there are more", examples: []string{`one(["a"]) → "a"`}},
			{name: "alltrue", params: list, gives: wantBool, doc: "whether all elements are true", examples: []string{`alltrue([true, false]) → false`}},
			{name: "anytrue", params: list, gives: wantBool, doc: "whether an element is true", examples: []string{`anytrue([true, false]) → true`}},
			{name: "setunion", params: lists, gives: wantList, doc: "the elements that some of the lists have, once each", examples: []string{`setunion(["a"], ["b", "a"]) → ["a","b"]`}},
			{name: "setintersection", params: lists, gives: wantList, doc: "the elements that all of the lists have", examples: []string{`setintersection(["a", "b"], ["b"]) → ["b"]`}},
			{name: "setsubtract", params: takes("list", wantList, "without", wantList), gives: wantList, doc: "the elements of a list that another does not have", examples: []string{`setsubtract(["a", "b"], ["b"]) → ["a"]`}},
			{name: "setproduct", params: lists, gives: wantList, doc: "all ways to take one element of each list", examples: []string{`setproduct([1, 2], ["a"]) → [[1,"a"],[2,"a"]]`}},
			{name: "coalesce", params: takes("value", wantAny, "values…", wantAny), doc: "the first value that is not null; null when there is none", examples: []string{`coalesce(null, "a") → "a"`}},
			{name: "coalescelist", params: lists, gives: wantList, doc: "the first list that is not empty", examples: []string{`coalescelist([], [1]) → [1]`}},
		}},
		{"Numbers", []*signature{
			{name: "min", params: takes("number", wantNumber, "numbers…", wantNumber), gives: wantNumber, doc: "the smallest", examples: []string{`min(3, 1, 2) → 1`}},
			{name: "max", params: takes("number", wantNumber, "numbers…", wantNumber), gives: wantNumber, doc: "the greatest", examples: []string{`max(3, 1, 2) → 3`}},
			{name: "sum", params: list, gives: wantNumber, doc: "all numbers of a list together", examples: []string{`sum([0.1, 0.2]) → 0.3`}},
			{name: "abs", params: number, gives: wantNumber, doc: "without the sign", examples: []string{`abs(-1.50) → 1.50`}},
			{name: "ceil", params: number, gives: wantNumber, doc: "the next whole number upwards", examples: []string{`ceil(1.2) → 2`}},
			{name: "floor", params: number, gives: wantNumber, doc: "the next whole number downwards", examples: []string{`floor(-1.2) → -2`}},
			{name: "round", params: takes("number", wantNumber, "decimals?", wantNumber), gives: wantNumber, doc: "rounded to that many decimals (0), halves away from zero", examples: []string{`round(2.345, 2) → 2.35`}},
			{name: "pow", params: takes("base", wantNumber, "exponent", wantNumber), gives: wantNumber, doc: "a power; the exponent is a whole number", examples: []string{`pow(2, 64) → 18446744073709551616`}},
			{name: "log", params: takes("number", wantNumber, "base", wantNumber), gives: wantNumber, doc: "the logarithm, with the precision of a float", examples: []string{`log(8, 2) → 3`}},
			{name: "signum", params: number, gives: wantNumber, doc: "-1, 0 or 1", examples: []string{`signum(-4) → -1`}},
			{name: "parseint", params: takes("text", wantText, "base", wantNumber), gives: wantNumber, doc: "a whole number written in a base from 2 to 62", examples: []string{`parseint("ff", 16) → 255`}},
		}},
		{"Dates", []*signature{
			{name: "timestamp", gives: wantText, doc: "the time of the call in UTC, as in RFC 3339; not known at load"},
			{name: "formatdate", params: takes("format", wantText, "time", wantText), gives: wantText,
				doc:      "a point in time (RFC 3339; here and below also a date alone, which is its beginning in UTC) written as: `YYYY YY` year, `MMMM MMM MM M` month, `DD D` day, `EEEE EEE` weekday, `hh h` hour, `HH H` hour to 12, `AA aa` AM or PM, `mm m` minute, `ss s` second, `Z ZZZ ZZZZ ZZZZZ` offset; literal letters in single quotes",
				examples: []string{`formatdate("DD.MM.YYYY hh:mm", "2026-03-01T12:00:00Z") → "01.03.2026 12:00"`, `formatdate("DD.MM.YYYY", "2026-03-01") → "01.03.2026"`}},
			{name: "parsedate", params: takes("format", wantText, "text", wantText), gives: wantText, doc: "the point in time of a text written in such a format, as in RFC 3339; UTC when the text has no offset",
				examples: []string{`parsedate("DD.MM.YYYY", "01.03.2026") → "2026-03-01T00:00:00Z"`}},
			{name: "timeadd", params: takes("time", wantText, "duration", wantText), gives: wantText, doc: "a later point in time; `-24h` is an earlier one", examples: []string{`timeadd("2026-03-01T12:00:00Z", "36h") → "2026-03-03T00:00:00Z"`}},
			{name: "timecmp", params: takes("time", wantText, "other", wantText), gives: wantNumber, doc: "-1, 0 or 1 as the first is before, at or after the second", examples: []string{`timecmp("2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00") → 0`}},
			{name: "unixtime", params: takes("time", wantText), gives: wantNumber, doc: "seconds since 1970", examples: []string{`unixtime("1970-01-02T00:00:00Z") → 86400`}},
			{name: "fromunixtime", params: takes("seconds", wantNumber), gives: wantText, doc: "the point in time that many seconds after 1970, as in RFC 3339", examples: []string{`fromunixtime(86400) → "1970-01-02T00:00:00Z"`}},
		}},
		{"Encoding", []*signature{
			{name: "base64encode", params: one, gives: wantText, doc: "the UTF-8 bytes of a text in base64 (RFC 4648, padded)", examples: []string{`base64encode("a:b") → "YTpi"`}},
			{name: "base64decode", params: one, gives: wantText, doc: "the text in base64; its bytes must be UTF-8", examples: []string{`base64decode("YTpi") → "a:b"`}},
			{name: "base64urlencode", params: one, gives: wantText, doc: "base64 with - and _, without padding", examples: []string{`base64urlencode("a>?b") → "YT4_Yg"`}},
			{name: "base64urldecode", params: one, gives: wantText, doc: "the text in that form", examples: []string{`base64urldecode("YT4_Yg") → "a>?b"`}},
			{name: "hexencode", params: one, gives: wantText, doc: "the UTF-8 bytes of a text in hexadecimal digits", examples: []string{`hexencode("é") → "c3a9"`}},
			{name: "hexdecode", params: one, gives: wantText, doc: "the text in that form", examples: []string{`hexdecode("C3A9") → "é"`}},
			{name: "urlencode", params: one, gives: wantText, doc: "percent-encoded, for use inside a query value or path segment; a space becomes %20", examples: []string{`urlencode("a b&c") → "a%20b%26c"`}},
			{name: "urldecode", params: one, gives: wantText, doc: "the text in that form; + is a space", examples: []string{`urldecode("a+b%26c") → "a b&c"`}},
			{name: "urlparse", params: one, gives: wantObject, doc: "the parts of a URL: scheme, host, hostname, port, path, query (an object of lists), fragment", examples: []string{`urlparse("https://a.example:81/b?q=1").query → {"q":["1"]}`, `urlparse("https://a.example:81/b").port → "81"`}},
			{name: "jsonencode", params: takes("value", wantAny), gives: wantText, doc: "a value as compact JSON text, keys sorted", examples: []string{`jsonencode({ a = [1, null] }) → "{\"a\":[1,null]}"`}},
			{name: "jsondecode", params: one, doc: "the value of a JSON text", examples: []string{`jsondecode("[1.50]")[0] → 1.50`}},
			{name: "csvdecode", params: one, gives: wantList, doc: "the lines of a CSV text (RFC 4180) with a header line: a list of objects of text", examples: []string{`csvdecode("a,b\n1,2\n") → [{"a":"1","b":"2"}]`}},
		}},
		{"Hashes and identifiers", []*signature{
			hashed("md5", "the MD5 of the UTF-8 bytes in hexadecimal digits", `md5("a") → "0cc175b9c0f1b6a831c399e269772661"`),
			hashed("sha1", "the SHA-1, the same way", `sha1("a") → "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"`),
			hashed("sha256", "the SHA-256", `sha256("a") → "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"`),
			hashed("sha512", "the SHA-512", `substr(sha512("a"), 0, 16) → "1f40fc92da241694"`),
			hashed("base64md5", "the MD5 in base64", `base64md5("a") → "DMF1ucDxtqgxw5niaXcmYQ=="`),
			hashed("base64sha1", "the SHA-1 in base64", `base64sha1("a") → "hvfkN/qlp/zhXR3cuerq6jd2Z7g="`),
			hashed("base64sha256", "the SHA-256 in base64", `base64sha256("a") → "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="`),
			hashed("base64sha512", "the SHA-512 in base64", `substr(base64sha512("a"), 0, 8) → "H0D8ktok"`),
			{name: "hmac", params: takes("algorithm", wantText, "key", wantText, "text", wantText), gives: wantText, doc: "the HMAC (RFC 2104) in hexadecimal digits; the algorithm is md5, sha1, sha256 or sha512", examples: []string{`hmac("md5", "key", "a") → "80ea44ccea14cc2263889567cfacccd7"`}},
			{name: "base64hmac", params: takes("algorithm", wantText, "key", wantText, "text", wantText), gives: wantText, doc: "the same in base64", examples: []string{`base64hmac("md5", "key", "a") → "gOpEzOoUzCJjiJVnz6zM1w=="`}},
			{name: "uuid", gives: wantText, doc: "a random UUID (version 4), another one each time; not known at load"},
			{name: "uuidv5", params: takes("namespace", wantText, "name", wantText), gives: wantText, doc: "the UUID of a name (version 5); the namespace is dns, url, oid, x500 or a UUID", examples: []string{`uuidv5("dns", "example.com") → "cfbff0d1-9375-5685-968c-48ce8b15ae17"`}},
		}},
		{"Conversion", []*signature{
			{name: "tostring", params: takes("value", wantAny), gives: wantText, doc: "a number or boolean as text; null stays null", examples: []string{`tostring(1.50) → "1.50"`}},
			{name: "tonumber", params: takes("value", wantAny), gives: wantNumber, doc: "a text as number, digit for digit; null stays null", examples: []string{`tonumber("9007199254740993") → 9007199254740993`}},
			{name: "tobool", params: takes("value", wantAny), gives: wantBool, doc: "the texts true and false as booleans; null stays null", examples: []string{`tobool("true") → true`}},
		}},
		{"Static phase only", []*signature{
			{name: "env", params: takes("name", wantText), gives: wantText, doc: "an environment variable, read when the spec is loaded; null when it is not set. Inside `auth` it is a reference, read when a request is sent", load: (*parser).envFunction},
			{name: "file", params: takes("path", wantText), gives: wantText, doc: "the text of a file, its path relative to the spec. Inside `auth` it is a reference, read when a request is sent, without its line end", load: (*parser).fileFunction},
			{name: "exec", params: []param{{name: "command", want: wantList}, {name: "options", want: wantObject, optional: true}}, gives: wantText, doc: "what a program prints, for secrets: only in `auth`, and as `from` of a sensitive variable. The list is the program and its arguments; there is no shell. It is run when its output is first needed, again after `ttl` (`\"5m\"`), and when an API refuses what it printed with 401. `{ timeout = \"10s\", ttl = \"1h\" }` are its options. Its error output is shown nowhere", load: (*parser).execFunction},
			{name: "vault", params: []param{{name: "path", want: wantText}, {name: "field", want: wantText}, {name: "options", want: wantObject, optional: true}}, gives: wantText, doc: "a field of a secret in HashiCorp Vault or OpenBao, in the same places as `exec`. The path is that of the HTTP API: `secret/data/erp` with version 2 of the KV engine, `secret/erp` with version 1. It is read when first needed, again in the background before `ttl` (`\"5m\"`) is over, and when an API refuses it with 401; while Vault cannot be reached, what was read last is used", load: (*parser).vaultFunction},
		}},
	}
}
