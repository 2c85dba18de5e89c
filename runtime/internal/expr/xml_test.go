package expr

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Whatever a value is, a parser reads it back, and nothing else of the document
// has changed.
func TestXMLRoundTrip(t *testing.T) {
	doc := op(plan.OpTemplate, c(`"<a b=\""`), invoke("xmlattribute", arg("s")), c(`"\" c='"`), invoke("xmlattribute", arg("s")), c(`"'><t>"`), invoke("xmltext", arg("s")),
		c(`"</t><d><![CDATA[x]]"`), invoke("xmlcdata", arg("s")), c(`">]>]]></d></a>"`))
	f, err := Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		v, err := f(&Env{Args: map[string]any{"s": s}})
		if err != nil {
			if strings.IndexFunc(s, func(r rune) bool {
				return r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r == 0xFFFE || r == 0xFFFF
			}) < 0 && strings.ToValidUTF8(s, "") == s {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		var got struct {
			B string `xml:"b,attr"`
			C string `xml:"c,attr"`
			T string `xml:"t"`
			D string `xml:"d"`
		}
		if err := xml.Unmarshal([]byte(v.(string)), &got); err != nil {
			t.Fatalf("%q: %v in %s", s, err, v)
		}
		if got.B != s || got.C != s || got.T != s || got.D != "x]]"+s+">]>" {
			t.Fatalf("%q became %q", s, got)
		}
	}
	for _, s := range []string{"", "]", "]]", "]]>", ">", "]>", "&amp;", "</t>", "\r\n\t", "'\"", "\u0085\u2028", "\U0001F600", "\uFFFE", "\xff", "\x00"} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune("]]]>><&\"'\r\n\t é-!")), rapid.Rune())).Draw(t, "s"))
	})
}

// A value that is not there is told from one that cannot be text.
func TestMissingInXML(t *testing.T) {
	for name, missing := range map[string]bool{"none": true, "l": false} {
		for _, function := range []string{"xmltext", "raw"} {
			_, err := eval(t, op(plan.OpTemplate, c(`"<a>"`), invoke(function, arg(name)), c(`"</a>"`)))
			_, ok := errors.AsType[*MissingError](err)
			if err == nil || ok != missing || !strings.Contains(err.Error(), "the XML") {
				t.Errorf("%s(%s): %v", function, name, err)
			}
		}
	}
}

func TestHolds(t *testing.T) {
	a, err := args.Decode([]byte(given))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		e           plan.Expr
		want, fails bool
	}{
		{c(`true`), true, false},
		{c(`"false"`), false, false},
		{invoke("<", arg("n"), c(`1`)), true, false},
		{c(`5`), false, true},
		{invoke("<", arg("l"), c(`1`)), false, true},
	} {
		f, err := Compile(tt.e)
		if err != nil {
			t.Fatal(err)
		}
		for _, unknown := range []bool{true, false} {
			got, err := Holds(f, &Env{Args: a.Values}, unknown)
			if got != tt.want || err != nil != tt.fails {
				t.Errorf("%v: %v %v", tt.e, got, err)
			}
		}
	}
	for _, e := range []plan.Expr{c(`null`), arg("none"), invoke("<", arg("none"), c(`1`)), invoke("&&", c(`true`), arg("none")), invoke("!", arg("none")), op(plan.OpTemplate, arg("none")),
		op(plan.OpCond, arg("none"), c(`true`), c(`false`)), invoke("startswith", arg("none"), c(`"a"`))} {
		f, err := Compile(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, unknown := range []bool{true, false} {
			if got, err := Holds(f, &Env{Args: a.Values}, unknown); got != unknown || err != nil {
				t.Errorf("%v: %v %v", e, got, err)
			}
		}
	}
}
