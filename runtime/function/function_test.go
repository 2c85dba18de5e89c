package function

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
)

// TestFunctions has at least one case for every name in the table.
func TestFunctions(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"upper", `["aé1"]`, `"AÉ1"`},
		{"upper", `[12]`, `"12"`},
		{"lower", `["AÉ"]`, `"aé"`},
		{"trim", `["  a b\n"]`, `"a b"`},
		{"trim", `["?!hello?!", "!?"]`, `"hello"`},
		{"replace", `["a.b.c", ".", "--"]`, `"a--b--c"`},
		{"split", `[",", "a,b,,c"]`, `["a","b","","c"]`},
		{"split", `[",", ""]`, `[""]`},
		{"join", `["-", ["a", 1.0, true], []]`, `"a-1.0-true"`},
		{"join", `["-", ["a"], ["b"]]`, `"a-b"`},
		{"format", `["%s is %d years, %5.2f|%-5s|%05d|%q|%t|%%|%v|%v", "x", 42, 3.14159, "ab", 7, "a\"b", true, [1,{"a":null}], 1e400]`,
			`"x is 42 years,  3.14|ab   |00007|\"a\\\"b\"|true|%|[1,{\"a\":null}]|1e400"`},
		{"format", `["%[2]s %[1]s", "a", "b"]`, `"b a"`},
		{"format", `["%x %X %o %b %+d", 255, 255, 8, 5, 3]`, `"ff FF 10 101 +3"`},
		{"format", `["%d %.1f %e %g", 9007199254740993, 0.05, 1500, 0.1]`, `"9007199254740993 0.1 1.500000e+03 0.1"`},
		{"format", `["%#v", "a"]`, `"\"a\""`},
		{"substr", `["héllo", 1, 3]`, `"éll"`},
		{"substr", `["hello", -3, 2]`, `"ll"`},
		{"substr", `["hello", 1, -1]`, `"ello"`},
		{"substr", `["hello", 9, 2]`, `""`},
		{"substr", `["hello", -9, 2]`, `"he"`},
		{"substr", `["hello", 3, 99]`, `"lo"`},
		{"snakecase", `["HTTPServer2Go issues/list-all fooBar"]`, `"http_server2_go_issues_list_all_foo_bar"`},
		{"kebabcase", `["getUserByID"]`, `"get-user-by-id"`},
		{"camelcase", `["get user_by-ID"]`, `"getUserById"`},
		{"camelcase", `["__"]`, `""`},
		{"startswith", `["hello", "he"]`, `true`},
		{"endswith", `["hello", "he"]`, `false`},
		{"contains", `[["a", 1.0], 1]`, `true`},
		{"contains", `[["1"], 1]`, `false`},
		{"contains", `["hello", "ell"]`, `true`},
		{"length", `["e\u0301x"]`, `3`},
		{"length", `[[1,2]]`, `2`},
		{"length", `[{"a":1}]`, `1`},
		{"keys", `[{"b":1,"a":2}]`, `["a","b"]`},
		{"values", `[{"b":1,"a":2}]`, `[2,1]`},
		{"merge", `[{"a":1,"b":1}, null, {"b":2}]`, `{"a":1,"b":2}`},
		{"merge", `[]`, `{}`},
		{"lookup", `[{"a":1}, "a", 9]`, `1`},
		{"lookup", `[{"a":null}, "a", 9]`, `null`},
		{"lookup", `[{"a":1}, "b", 9]`, `9`},
		{"lookup", `[{"a":1}, "b"]`, `null`},
		{"concat", `[[1],[],[2,[3]]]`, `[1,2,[3]]`},
		{"base64encode", `["é?>"]`, `"w6k/Pg=="`},
		{"base64decode", `["w6k/Pg=="]`, `"é?>"`},
		{"jsonencode", `[{"b":[1.0,null,"<&>"],"a":1e400}]`, `"{\"a\":1e400,\"b\":[1.0,null,\"<&>\"]}"`},
		{"jsonencode", `[null]`, `"null"`},
		{"jsondecode", `["{\"a\": 9007199254740993}"]`, `{"a":9007199254740993}`},
		{"urlencode", `["a b&é/~"]`, `"a%20b%26%C3%A9%2F~"`},
		{"min", `[3, 1.50, 2]`, `1.50`},
		{"max", `[3, "12", 2]`, `12`},
		{"max", `[1e400, 1e401, 2]`, `1e401`},
		{"abs", `[-0.10]`, `0.10`},
		{"abs", `[5]`, `5`},
		{"ceil", `[1.2]`, `2`},
		{"ceil", `[-1.2]`, `-1`},
		{"ceil", `[9007199254740993]`, `9007199254740993`},
		{"floor", `[1.9]`, `1`},
		{"floor", `[-1.2]`, `-2`},
		{"floor", `[2.0]`, `2`},
		{"coalesce", `[null, "", 1]`, `""`},
		{"coalesce", `[null, null]`, `null`},
		{"tostring", `[0.10]`, `"0.10"`},
		{"tostring", `[true]`, `"true"`},
		{"tostring", `[null]`, `null`},
		{"tonumber", `["9007199254740993"]`, `9007199254740993`},
		{"tonumber", `[1.0]`, `1.0`},
		{"tonumber", `[null]`, `null`},
		{"title", `["two words of d'Arcy 3rd"]`, `"Two Words Of D'Arcy 3rd"`},
		{"trimspace", `[" a b\n"]`, `"a b"`},
		{"trimprefix", `["C-C-1", "C-"]`, `"C-1"`},
		{"trimsuffix", `["a.xml", ".xml"]`, `"a"`},
		{"chomp", `["a\n\r\n"]`, `"a"`},
		{"indent", `[2, "a\n\nb"]`, `"a\n  \n  b"`},
		{"strrev", `["aé"]`, `"éa"`},
		{"strcontains", `["abc", "d"]`, `false`},
		{"regex", `["[0-9]+", "a42"]`, `"42"`},
		{"regex", `["(a)(x)?", "a"]`, `["a",null]`},
		{"regex", `["(?P<n>a)(x)?", "a"]`, `{"n":"a"}`},
		{"regex", `["x", "a"]`, `error: the pattern does not match the text`},
		{"regex", `["(", "a"]`, "error: the pattern is wrong: error parsing regexp: missing closing ): `(`"},
		{"regexall", `["(a)|b", "abab"]`, `[["a"],[null],["a"],[null]]`},
		{"regexall", `["x", "a"]`, `[]`},
		{"regexreplace", `["John Smith", "(\\w+) (\\w+)", "$2 ${1}!"]`, `"Smith John!"`},
		{"matches", `["^[a-z]+$", "ab1"]`, `false`},
		{"zipmap", `[["a","b"], [1,null]]`, `{"a":1,"b":null}`},
		{"zipmap", `[["a"], []]`, `error: there are 1 keys and 0 values`},
		{"flatten", `[[1,[],[2,[{"a":[3]}]]]]`, `[1,2,{"a":[3]}]`},
		{"distinct", `[[1, 1.0, "1", {"a":1}, {"a":1.00}, null, null]]`, `[1,"1",{"a":1},null]`},
		{"compact", `[["a", "", null, 0]]`, `["a",0]`},
		{"reverse", `[[1,2]]`, `[2,1]`},
		{"sort", `[["b", "B", 1]]`, `["1","B","b"]`},
		{"slice", `[[1,2,3], 0, 2]`, `[1,2]`},
		{"slice", `[[1], 0, 2]`, `error: there is no part from 0 to 2 in a list of 1`},
		{"element", `[[1,2,3], 4]`, `2`},
		{"element", `[[1,2,3], -1]`, `3`},
		{"element", `[[], 0]`, `error: the list is empty`},
		{"index", `[["a", 1.0], 1]`, `1`},
		{"index", `[["a"], "b"]`, `error: the list does not have this element`},
		{"chunklist", `[[1,2,3], 2]`, `[[1,2],[3]]`},
		{"range", `[3]`, `[0,1,2]`},
		{"range", `[0.5, 2]`, `[0.5,1.5]`},
		{"range", `[3, 0]`, `[3,2,1]`},
		{"range", `[-2]`, `[0,-1]`},
		{"range", `[0, 5, 0]`, `error: the step does not lead to the end`},
		{"range", `[0, 5, -1]`, `error: the step does not lead to the end`},
		{"one", `[["a"]]`, `"a"`},
		{"one", `[[]]`, `null`},
		{"one", `[[1,2]]`, `error: the list has 2 elements, not one`},
		{"alltrue", `[[true, "true"]]`, `true`},
		{"alltrue", `[[true, null]]`, `false`},
		{"alltrue", `[[]]`, `true`},
		{"anytrue", `[[false, null, true]]`, `true`},
		{"anytrue", `[[]]`, `false`},
		{"setunion", `[["b"], ["a","b"]]`, `["b","a"]`},
		{"setintersection", `[["b","a"], ["a","b"], ["a"]]`, `["a"]`},
		{"setsubtract", `[[1,2,2,3], [3]]`, `[1,2]`},
		{"setproduct", `[[1,2], ["a","b"]]`, `[[1,"a"],[1,"b"],[2,"a"],[2,"b"]]`},
		{"setproduct", `[[1,2], []]`, `[]`},
		{"coalescelist", `[[], null, [1]]`, `[1]`},
		{"[*]", `[null]`, `[]`},
		{"[*]", `[{"a":1}]`, `[{"a":1}]`},
		{"[*]", `[[1]]`, `[1]`},
		{"sum", `[[0.1, "0.2", 1]]`, `1.3`},
		{"sum", `[[]]`, `0`},
		{"round", `[2.5]`, `3`},
		{"round", `[-2.345, 2]`, `-2.35`},
		{"round", `[1.10, 3]`, `1.1`},
		{"pow", `[1.5, 2]`, `2.25`},
		{"pow", `[2, -2]`, `0.25`},
		{"pow", `[0, -1]`, `error: division by zero`},
		{"log", `[1000, 10]`, `2.9999999999999996`},
		{"log", `[0, 10]`, `error: there is no such logarithm`},
		{"signum", `[-0.1]`, `-1`},
		{"parseint", `["-FF", 16]`, `-255`},
		{"parseint", `["z", 36]`, `35`},
		{"parseint", `["9", 8]`, `error: "9" is no whole number of base 8`},
		{"formatdate", `["EEE, D MMM YY HH:mm:ss AA ZZZ", "2026-03-01T15:04:05Z"]`, `"Sun, 1 Mar 26 03:04:05 PM UTC"`},
		{"formatdate", `["YYYYMMDD'T'hhmmssZZZZ h 'o''clock'", "2026-03-01T05:04:05+01:00"]`, `"20260301T050405+0100 5 o'clock"`},
		{"formatdate", `["YYYYY", "2026-03-01T05:04:05Z"]`, `error: the format has no "YYYYY"; literal letters stand in single quotes`},
		{"formatdate", `["'x", "2026-03-01T05:04:05Z"]`, `error: the format has a quote without end`},
		{"formatdate", `["DD.MM.YYYY hh:mm ZZZ", "2026-03-01"]`, `"01.03.2026 00:00 UTC"`},
		{"formatdate", `["YYYY", "2026-03-32"]`, `error: "2026-03-32" is no point in time as in RFC 3339, e.g. 2026-03-01T12:00:00Z or 2026-03-01`},
		{"formatdate", `["YYYY", "2026-3-1"]`, `error: "2026-3-1" is no point in time as in RFC 3339, e.g. 2026-03-01T12:00:00Z or 2026-03-01`},
		{"parsedate", `["DD.MM.YYYY", "01.03.2026"]`, `"2026-03-01T00:00:00Z"`},
		{"parsedate", `["EEE, D MMMM YY H:mm aa ZZZZ", "Sun, 1 march 26 12:30 AM -0530"]`, `"2026-03-01T00:30:00-05:30"`},
		{"parsedate", `["YYYY-MM-DD'T'hh:mm:ssZ", "2026-03-01T23:00:01+01:00"]`, `"2026-03-01T23:00:01+01:00"`},
		{"parsedate", `["YYYYMMDD hh ZZZ", "20260301 09 UTC"]`, `"2026-03-01T09:00:00Z"`},
		{"parsedate", `["DD.MM.YYYY", "30.02.2026"]`, `error: there is no such date: "30.02.2026"`},
		{"parsedate", `["DD.MM.YYYY", "1.3.2026"]`, `error: "1.3.2026" is not written as "DD.MM.YYYY"`},
		{"parsedate", `["DD.MM.YYYY", "01.03.2026 "]`, `error: "01.03.2026 " is not written as "DD.MM.YYYY"`},
		{"timeadd", `["2026-03-01T12:00:00+01:00", "-24h"]`, `"2026-02-28T12:00:00+01:00"`},
		{"timeadd", `["2026-03-01T12:00:00Z", "1d"]`, `error: "1d" is no duration, e.g. 24h or -10m`},
		{"timeadd", `["9999-12-31T12:00:00Z", "24h"]`, `error: the year is not between 0 and 9999`},
		{"timecmp", `["2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"]`, `-1`},
		{"unixtime", `["2026-03-01T12:00:00Z"]`, `1772366400`},
		{"fromunixtime", `[1772366400]`, `"2026-03-01T12:00:00Z"`},
		{"base64urlencode", `["a>?b"]`, `"YT4_Yg"`},
		{"base64urldecode", `["YT4_Yg=="]`, `"a>?b"`},
		{"hexencode", `["é"]`, `"c3a9"`},
		{"hexdecode", `["C3a9"]`, `"é"`},
		{"hexdecode", `["ff"]`, `error: the decoded bytes are not UTF-8 text`},
		{"hexdecode", `["0"]`, `error: the text is not hexadecimal`},
		{"urldecode", `["a+b%26%C3%A9"]`, `"a b&é"`},
		{"urldecode", `["%zz"]`, `error: the text is not percent-encoded`},
		{"urlparse", `["https://u@a.example:81/b%20c?q=1&q=2&x#f"]`, `{"fragment":"f","host":"a.example:81","hostname":"a.example","path":"/b c","port":"81","query":{"q":["1","2"],"x":[""]},"scheme":"https"}`},
		{"csvdecode", `["a,b\n1,\"x,\"\"y\"\"\"\n"]`, `[{"a":"1","b":"x,\"y\""}]`},
		{"csvdecode", `["a,a\n"]`, `error: the header has the name "a" twice`},
		{"csvdecode", `[""]`, `error: the text has no header line`},
		{"md5", `[""]`, `"d41d8cd98f00b204e9800998ecf8427e"`},
		{"sha1", `["abc"]`, `"a9993e364706816aba3e25717850c26c9cd0d89d"`},
		{"sha256", `["abc"]`, `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		{"sha512", `["abc"]`, `"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"`},
		{"base64md5", `[""]`, `"1B2M2Y8AsgTpgAmY7PhCfg=="`},
		{"base64sha1", `["abc"]`, `"qZk+NkcGgWq6PiVxeFDCbJzQ2J0="`},
		{"base64sha256", `["abc"]`, `"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="`},
		{"base64sha512", `["abc"]`, `"3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="`},
		{"hmac", `["sha256", "key", "The quick brown fox jumps over the lazy dog"]`, `"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"`},
		{"hmac", `["crc", "key", "a"]`, `error: there is no algorithm "crc"; there are md5, sha1, sha256, sha512`},
		{"base64hmac", `["sha1", "key", "The quick brown fox jumps over the lazy dog"]`, `"3nybhbi3iqa8ino29wqQcBydtNk="`},
		{"uuidv5", `["dns", "example.com"]`, `"cfbff0d1-9375-5685-968c-48ce8b15ae17"`},
		{"uuidv5", `["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "example.com"]`, `"cfbff0d1-9375-5685-968c-48ce8b15ae17"`},
		{"uuidv5", `["x", "example.com"]`, `error: the namespace is dns, url, oid, x500 or a UUID`},
		{"tobool", `["true"]`, `true`},
		{"tobool", `[null]`, `null`},
		{"tobool", `[1]`, `error: argument 1 must be true or false`},
		{"==", `[1, 1.0]`, `true`},
		{"==", `[9007199254740993, 9007199254740992]`, `false`},
		{"==", `["1", 1]`, `false`},
		{"==", `[null, null]`, `true`},
		{"==", `[null, false]`, `false`},
		{"==", `[[1,{"a":2}], [1.0,{"a":2.00}]]`, `true`},
		{"==", `[true, true]`, `true`},
		{"!=", `["a", "b"]`, `true`},
		{"<", `[1, 2]`, `true`},
		{"<", `["10", 9]`, `false`},
		{"<=", `[2, 2.0]`, `true`},
		{">", `[9007199254740993, 9007199254740992]`, `true`},
		{">=", `[1, 2]`, `false`},
		{"+", `[0.1, 0.2]`, `0.3`},
		{"+", `[9223372036854775807, 1]`, `9223372036854775808`},
		{"+", `[999999999999999999, 999999999999999999]`, `1999999999999999998`},
		{"+", `["5", 1]`, `6`},
		{"-", `[1, 3]`, `-2`},
		{"-", `[1.00, 0.01]`, `0.99`},
		{"*", `[9007199254740993, 2]`, `18014398509481986`},
		{"*", `[1e20, 1e-20]`, `1`},
		{"/", `[1, 8]`, `0.125`},
		{"/", `[1, 3]`, `0.3333333333333333333333333333333333`},
		{"/", `[-200000, 3]`, `-66666.66666666666666666666666666667`},
		{"/", `[1, 3e10]`, `0.00000000003333333333333333333333333333333333`},
		{"/", `[6, 2]`, `3`},
		{"%", `[7, 3]`, `1`},
		{"%", `[-7, 3]`, `-1`},
		{"%", `[7.5, 2]`, `1.5`},
		{"neg", `[5]`, `-5`},
		{"neg", `[-0.10]`, `0.10`},
		{"neg", `[0]`, `0`},
		{"!", `[true]`, `false`},
	}
	var missing []string
	for _, name := range Names() {
		if !slices.ContainsFunc(tests, func(tt struct{ name, in, want string }) bool { return tt.name == name }) && !Late(name) {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		t.Errorf("no test of %q", missing)
	}
	for _, tt := range tests {
		in, err := args.Value([]byte(tt.in))
		if err != nil {
			t.Fatalf("%s: %v", tt.in, err)
		}
		f, _ := Lookup(tt.name)
		if n := len(in.([]any)); n < f.Min || f.Max >= 0 && n > f.Max {
			t.Fatalf("%s does not take %d arguments", tt.name, n)
		}
		v, err := f.Call(in.([]any))
		got := string(AppendJSON(nil, v))
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want {
			t.Errorf("%s%s\n got %s\nwant %s", tt.name, tt.in, got, tt.want)
		}
		if before, _ := args.Value([]byte(tt.in)); !reflect.DeepEqual(in, before) {
			t.Errorf("%s%s changed its arguments", tt.name, tt.in)
		}
	}
}

// What gives another value each time has a form only.
func TestLate(t *testing.T) {
	before := time.Now().UTC().Truncate(time.Second)
	v, err := table["timestamp"].Call(nil)
	if at, perr := time.Parse(time.RFC3339, v.(string)); err != nil || perr != nil || at.Before(before) || at.After(time.Now()) || !strings.HasSuffix(v.(string), "Z") {
		t.Errorf("timestamp is %v %v", v, err)
	}
	a, _ := table["uuid"].Call(nil)
	b, _ := table["uuid"].Call(nil)
	if a == b || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a.(string)) {
		t.Errorf("uuids are %v and %v", a, b)
	}
}

// No function makes much of little.
func TestLimits(t *testing.T) {
	a := strings.Repeat("a", 1<<20)
	list := make([]any, 5000)
	for i := range list {
		list[i] = json.Number("1")
	}
	nested := any([]any{a, a})
	for range 40 {
		nested = []any{nested, nested}
	}
	for name, in := range map[string][]any{
		"replace":      {a, "a", a},
		"regexreplace": {a, "a", a},
		"join":         {a, list},
		"setproduct":   {list, list},
		"range":        {json.Number("1e20")},
		"pow":          {json.Number("2"), json.Number("1e9")},
		"indent":       {json.Number("1e9"), a},
		"flatten":      {nested},
		"round":        {json.Number("1"), json.Number("1e6")},
		"parseint":     {a, json.Number("16")},
		"regex":        {a, a},
	} {
		if v, err := table[name].Call(in); err == nil {
			t.Errorf("%s gives %.20v…", name, v)
		}
	}
}

func FuzzFunctions(f *testing.F) {
	for _, s := range []string{`["YYYY-MM-DD", "2026-03-01"]`, `["(a)|(?P<b>b)", "ab"]`, `["a,b\n1,2"]`, `["https://a.example/?q=%C3"]`, `["hh:mm ZZZ", "12:00 +0100"]`, `[[1,[2]], 1, 3]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := args.Value([]byte(text))
		in, ok := v.([]any)
		if err != nil || !ok || len(text) > 1000 {
			return
		}
		for name, fn := range table {
			if len(in) < fn.Min || fn.Max >= 0 && len(in) > fn.Max {
				continue
			}
			got, err := fn.Call(in)
			if err != nil {
				continue
			}
			// What a function gives is a value that can be written and read again.
			b := AppendJSON(nil, got)
			if back, err := args.Value(b); err != nil && len(b) < 1<<16 || err == nil && !Equal(back, got) {
				t.Errorf("%s%s gives %s: %v", name, text, b, err)
			}
		}
	})
}
