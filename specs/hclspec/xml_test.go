package hclspec

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
)

// checkedXML is what checkXML makes of a text without values; ok says that it
// is accepted.
func checkedXML(s string, fragment bool) (out string, ok bool) {
	p := &parser{ctx: context.Background()}
	x, _ := p.checkXML(constant(specs.NewString(s), specs.NewString(s).Range()), "xml", fragment)
	if p.diags.HasErrors() || x == nil {
		return "", false
	}
	return x.Value.Text, true
}

// wellFormed asks Go's parser.
func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		if _, err := d.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func TestXMLIsAccepted(t *testing.T) {
	for _, s := range []string{
		`<a/>`, `<a b="c"/>`, `<a b = 'c' />`, `<a></a >`, `<a>x]]y]]</a>`, `<a>&amp;&#65;&#x41;&lt;</a>`, `<a b="&quot;>"/>`,
		`<?xml version="1.0" encoding="UTF-8" standalone='yes'?><a/>`, "<!-- x - y --><a/><!---->\n", `<a><![CDATA[<b>&]]]]><![CDATA[>]]></a>`,
		`<x:a xmlns:x="u" x:b="1"><x:c/></x:a>`, `<?pi a?b ?><a/>`, `<größe/>`, `<a.b-c_d1/>`, "<a>\r\n\t</a>", `<a b=">"/>`,
	} {
		out, ok := checkedXML(s, false)
		if !ok || out != s {
			t.Errorf("%s: %q %v", s, out, ok)
		}
		if err := wellFormed(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestXMLIsRefused(t *testing.T) {
	for _, s := range []string{
		``, ` `, `a`, `<`, `<a`, `<a>`, `</a>`, `<a></b>`, `<a/><b/>`, `<a/>x`, `<a/>&amp;`, `<1/>`, `<-a/>`, `< a/>`, `<a b/>`, `<a b=c/>`, `<a b="1" b="2"/>`,
		`<a b="1"c="2"/>`, `<a b="<"/>`, `<a>&</a>`, `<a>&nbsp;</a>`, `<a>&#0;</a>`, `<a>&#xD800;</a>`, `<a>&;</a>`, `<a>&#;</a>`, `<a>&am p;</a>`, `<a>]]></a>`,
		`<a><!-- -- --></a>`, `<a><!--->-->`, `<!DOCTYPE a><a/>`, `<a><!ELEMENT></a>`, ` <?xml version="1.0"?><a/>`, `<a/><?xml version="1.0"?>`, `<a/`, `<a/b>`,
		`<a></a b="c">`, "<a>\x01</a>", "<a>\uFFFE</a>", `<![CDATA[x]]>`, `<a><![CDATA[x]]</a>`, `<a><![cdata[x]]></a>`, `<a ="b"/>`, `<a "b"/>`, `<?x`, `<a:/`,
	} {
		if _, ok := checkedXML(s, false); ok {
			t.Errorf("%q is accepted", s)
		}
	}
}

// What is accepted is accepted by a parser; what is refused costs no time.
func FuzzXML(f *testing.F) {
	for _, s := range []string{`<?xml version="1.0"?><a b='1'>&lt;<![CDATA[x]]><!-- c --><?p i?><x:c xmlns:x="u"/></a>`, "<a>]]></a>", strings.Repeat("<a>", 100), "&#x10FFFF;"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, fragment bool) {
		if len(s) > 1<<14 || strings.ToValidUTF8(s, "") != s {
			return // files of a spec are UTF-8
		}
		start := time.Now()
		out, ok := checkedXML(s, fragment)
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("%v for %d bytes", d, len(s))
		}
		if !ok {
			return
		}
		if out != s {
			t.Fatalf("%q became %q", s, out)
		}
		if fragment {
			s = "<root>" + s + "</root>"
		}
		// Names of letters that are not ASCII are not looked at; encoding/xml knows
		// those of an older edition of XML 1.0.
		if err := wellFormed(s); err != nil && !strings.Contains(err.Error(), "invalid XML name") {
			t.Fatalf("%q is accepted, but %v", s, err)
		}
	})
}

// A template of many lines and levels is checked in a time that grows with it.
func TestLongXML(t *testing.T) {
	start := time.Now()
	for s, want := range map[string]bool{
		strings.Repeat("<a>", maxXMLDepth) + strings.Repeat("</a>", maxXMLDepth):                              true,
		strings.Repeat("<a>", 300_000):                                                                        false,
		"<a>" + strings.Repeat("<b c='1'>x &amp; y</b>\n", 50_000) + "</a>":                                   true,
		"<" + strings.Repeat("a", 1_000_000) + "/>":                                                           false,
		"<a " + strings.Repeat("a", 1_000_000) + "=''/>":                                                      false,
		"<?" + strings.Repeat("a", 1_000_000) + "?><a/>":                                                      false,
		"<a>&" + strings.Repeat("a", 1_000_000) + ";</a>":                                                     false,
		"<a><!--" + strings.Repeat("-x", 500_000) + "--><![CDATA[" + strings.Repeat("]", 500_000) + "]]></a>": true,
	} {
		if _, ok := checkedXML(s, false); ok != want {
			t.Errorf("%.20s… of %d bytes is accepted: %v", s, len(s), ok)
		}
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, " a%d=''", i)
	}
	if _, ok := checkedXML("<a"+many.String()+"/>", false); ok {
		t.Error("100,000 attributes are accepted")
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
}
