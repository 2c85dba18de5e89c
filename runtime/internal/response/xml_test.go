package response

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func TestXMLWithoutShape(t *testing.T) {
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	for _, c := range []struct{ name, media, body, want string }{
		{"text", "application/xml", `<a>007</a>`, `{"a":"007"}`},
		{"empty", "application/xml", head + `<a/>`, `{"a":""}`},
		{"children", "text/xml", `<o><id>1</id><item>x</item><item>y</item><id2/></o>`, `{"o":{"id":"1","item":["x","y"],"id2":""}}`},
		{"attributes", "application/atom+xml", `<a href="u" title="&lt;&amp;">t</a>`, `{"a":{"@href":"u","@title":"<&","#text":"t"}}`},
		{"mixed", "application/xml", `<p> one <b>two</b> three </p>`, `{"p":{"b":"two","#text":"one  three"}}`},
		{"CDATA and references", "application/xml", `<a><![CDATA[<x>]]>&#233;&quot;</a>`, `{"a":"<x>é\""}`},
		{"namespaces", "application/soap+xml", `<s:Envelope xmlns:s="urn:s" xmlns="urn:d"><s:Body><r s:id="1">x</r></s:Body></s:Envelope>`, `{"Envelope":{"Body":{"r":{"@id":"1","#text":"x"}}}}`},
		{"nil", "application/xml", `<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><b xsi:nil="true"/><c xsi:type="xs:int">1</c></a>`, `{"a":{"b":null,"c":"1"}}`},
		{"an attribute and a child of one name", "application/xml", `<a b="1"><b>2</b></a>`, `{"a":{"@b":"1","b":"2"}}`},
		{"two attributes of one local name", "application/xml", `<a x:b="1" y:b="2"/>`, `{"a":{"@b":"1","@b_2":"2"}}`},
		{"a DOCTYPE is not read", "application/xml", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>x</a>`, `{"a":"x"}`},
		{"Latin-1 by declaration", "application/xml", "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", `{"a":"é"}`},
		{"Latin-1 by header", "text/xml; charset=iso-8859-1", "<?xml version='1.0'?><a>\xe9</a>", `{"a":"é"}`},
		{"an attack by entities", "application/xml", `<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;">]><a>&y;</a>`, "?its document type defines entities, which are not read because they can grow without bounds"},
		{"entities of HTML", "application/xml", `<!DOCTYPE a SYSTEM "x.dtd"><a b="&eacute;">&nbsp;&euro;</a>`, `{"a":{"@b":"é","#text":"€"}}`},
		{"an unknown entity", "application/xml", "<a>\n&gelt;</a>", "?line 2 refers to &gelt;, which is no known entity"},
		{"no entity", "application/xml", "<a>R & B</a>", "?line 1 has & where no reference begins"},
		{"no character", "application/xml", "<a>&#xD800;</a>", "?line 1 refers to &#xD800;, which is no known entity"},
		{"a document type with everything", "application/xml", `<!DOCTYPE a [ <!-- ]> "' --> <!ELEMENT a (#PCDATA)> <!ATTLIST a b CDATA "]>"> ]><a>x</a>`, `{"a":"x"}`},
		{"a broken document", "application/xml", "<a>\n<b></a>", "?line 2 does not end the element b"},
		{"an unfinished document", "application/xml", `<a><b>`, "?it ends before its root element does"},
		{"an unfinished tag", "application/xml", `<a b="1`, "?it has no element"},
		{"no document", "application/xml", ` `, "?it has no element"},
		{"two roots", "application/xml", `<a/><b/>`, "?line 1 begins a second root element"},
		{"text outside", "application/xml", `<a/>x`, "?line 1 has text outside of the root element"},
		{"an end too many", "application/xml", `<a/></a>`, "?line 1 ends an element that did not begin"},
		{"attributes without quotes", "application/xml", `<a b=1/>`, "?line 1 has an attribute without quotes"},
		{"attributes without values", "application/xml", `<a b/>`, "?line 1 has something in a tag that is no attribute"},
		{"attributes without a space", "application/xml", `<a b="1"c="2"/>`, `{"a":{"@b":"1","@c":"2"}}`},
		{"a tag without a name", "application/xml", `<a>1 < 2</a>`, "?line 1 has < where no tag begins"},
		{"white space", "application/xml", "<a b='x\r\n\ty'> 1\r\n2\r</a >", `{"a":{"@b":"x  y","#text":"1\n2"}}`},
		{"white space of a leaf stays", "application/xml", "<a> 1\r\n2 </a>", `{"a":" 1\n2 "}`},
		{"comments and instructions", "application/xml", "<!-- a --><?x y?><a>1<!-- <b> -->2<?z?>3</a><!-- -->", `{"a":"123"}`},
		{"repeated apart from each other", "application/xml", `<a><b>1</b><c/><b>2</b><c/><b><b>3</b></b></a>`, `{"a":{"b":["1","2",{"b":"3"}],"c":["",""]}}`},
		{"too deep", "application/xml", strings.Repeat("<a>", 100000), "?its elements are nested deeper than 100"},
		{"a page that calls itself XML", "application/xml", `<!DOCTYPE html><p>a<br>b`, "a  \nb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := resultOf(compile(t, tool("")), answer(200, c.media, c.body))
			want := c.want
			if want[0] == '{' {
				want += "\n== " + want
			}
			if why, ok := strings.CutPrefix(want, "?"); ok {
				want = c.body + "\n--\nThis is the text of the answer, which cannot be read as XML: " + why + "."
			}
			if got := show(r); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			checkValid(t, r)
		})
	}
}

// What costs more than its length at each of a document's places would take hours
// here.
func TestXMLIsLinear(t *testing.T) {
	const n = 300000
	var attrs, spaces strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&attrs, " a%d=''", i)
	}
	for i := range 300 {
		fmt.Fprintf(&spaces, " xmlns:n%d='u'", i)
	}
	for _, c := range []struct{ name, text, want string }{
		{"text between children", "<a>" + strings.Repeat("x<b/>", n) + "</a>", `"#text":"` + strings.Repeat("x", n)},
		{"white space between children", "<a>" + strings.Repeat(" ", 1<<20) + strings.Repeat("<b/> ", n) + "</a>", `{"a":{"b":["","",`},
		{"text in many pieces", "<a>" + strings.Repeat("x<!---->", n) + "</a>", strings.Repeat("x", n)},
		{"many attributes", "<a>" + strings.Repeat("<b"+attrs.String()+"/>", 40) + "</a>", `"@a4999":""`},
		{"many namespaces", "<a" + spaces.String() + "/>", `cannot be read as XML: it has more than 256 namespaces at one place`},
		{"many names", "<a>" + strings.Repeat("<b/><c/>", n/2) + "</a>", `"c":["",`},
	} {
		r := resultOf(compile(t, tool("")), answer(200, "text/xml", c.text))
		if got := show(r); !strings.Contains(got, c.want) {
			t.Errorf("%s: %.200s", c.name, got)
		}
	}
}

func TestXMLWithShape(t *testing.T) {
	// An order as OpenAPI's xml objects describe it.
	order := &plan.Shape{Nodes: []plan.ShapeNode{
		{Type: "object", XML: &plan.XMLName{Name: "Order"}, Props: []plan.ShapeProp{
			{Key: "id", Wire: "id", Node: 2},
			{Key: "version", Wire: "version", Node: 3},
			{Key: "total", Wire: "total", Node: 4},
			{Key: "paid", Wire: "Paid", Node: 5},
			{Key: "lines", Wire: "lines", Node: 6},
			{Key: "tags", Wire: "tags", Node: 8},
			{Key: "note", Wire: "note", Node: 10},
			{Key: "parent", Wire: "parent", Node: 1},
		}},
		{Type: "integer"},
		{Type: "string", XML: &plan.XMLName{Attribute: true}},
		{Type: "number", XML: &plan.XMLName{Name: "Total", Namespace: "urn:x", Prefix: "x"}},
		{Type: "boolean"},
		{Type: "array", Items: 7, XML: &plan.XMLName{Name: "Lines", Wrapped: true}},
		{Type: "object", XML: &plan.XMLName{Name: "Line"}, Props: []plan.ShapeProp{{Key: "sku", Wire: "sku", Node: 3}, {Key: "text", Wire: "text", Node: 11}}},
		{Type: "array", Items: 9},
		{Type: "string", XML: &plan.XMLName{Name: "tag"}},
		{Type: "string"},
		{Type: "string", XML: &plan.XMLName{Text: true}},
	}}
	list := &plan.Shape{Nodes: []plan.ShapeNode{{Type: "array", Items: 2}, {Type: "integer"}}}
	open := &plan.Shape{Nodes: []plan.ShapeNode{{Type: "object", Extra: 2}, {Type: "array", Items: 3}, {Type: "integer"}}}
	none := &plan.Shape{Nodes: []plan.ShapeNode{
		{Type: "object", Props: []plan.ShapeProp{{Key: "a", Wire: "a", Node: 2}, {Key: "in", Wire: "in", Node: 3}}},
		{Type: "integer"},
		{Type: "object", XML: &plan.XMLName{None: true}, Props: []plan.ShapeProp{{Key: "b", Wire: "b", Node: 2}}},
	}}

	for _, c := range []struct {
		name  string
		shape *plan.Shape
		body  string
		want  string
	}{
		{"everything", order, `<Order version="2"><id> 9007199254740993 </id><x:Total xmlns:x="urn:x">10.50</x:Total><Paid>1</Paid>` +
			`<Lines><Line sku="a">first</Line><Line sku="b"/></Lines><tag>x</tag><note>007</note><tag>y</tag><parent><id>1</id></parent></Order>`,
			`{"id":9007199254740993,"version":"2","total":10.50,"paid":true,"lines":[{"sku":"a","text":"first"},{"sku":"b","text":""}],"tags":["x","y"],"note":"007","parent":{"id":1,"tags":[]}}`},
		{"one element is still a list", order, `<Order><Lines><Line sku="a">t</Line></Lines><tag>x</tag></Order>`,
			`{"lines":[{"sku":"a","text":"t"}],"tags":["x"]}`},
		{"an empty wrapper", order, `<Order><Lines/></Order>`, `{"lines":[],"tags":[]}`},
		{"said to be wrapped and is not", order, `<Order><Lines sku="a">t</Lines><Lines sku="b">u</Lines></Order>`, `{"lines":[{"sku":"a","text":"t"},{"sku":"b","text":"u"}],"tags":[]}`},
		{"wrapped and not said to be", order, `<Order><tags><tag>x</tag></tags></Order>`, `{"tags":["x"]}`},
		{"not of the type", order, `<Order><id>12a</id><Total>1.</Total><Paid>maybe</Paid></Order>`, `{"id":"12a","total":"1.","paid":"maybe","tags":[]}`},
		{"numbers that JSON does not write so", order, `<Order><id>+1</id><Total>007</Total></Order>`, `{"id":"+1","total":"007","tags":[]}`},
		{"empty where a value should be", order, `<Order><id/><Paid/><note/></Order>`, `{"id":null,"paid":null,"tags":[],"note":""}`},
		{"nil", order, `<Order xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><note xsi:nil="1"/></Order>`, `{"tags":[],"note":null}`},
		{"not in the schema", order, `<Order lang="de"><extra><a>1</a></extra>loose</Order>`, `{"tags":[],"@lang":"de","extra":{"a":"1"},"#text":"loose"}`},
		{"more than one where one should be", order, `<Order><note>a</note><note>b</note></Order>`, `{"tags":[],"note":["a","b"]}`},
		{"children where a scalar should be", order, `<Order><note><b>x</b></note></Order>`, `{"tags":[],"note":{"b":"x"}}`},
		{"a list at the root", list, `<ids><id>1</id><id>2</id></ids>`, `[1,2]`},
		{"other members have a type", open, `<m><a><i>1</i></a><b/></m>`, `{"a":[1],"b":[]}`},
		{"members without an element of their own", none, `<m><a>1</a><b>2</b></m>`, `{"a":1,"in":{"b":2}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(object)
			p.Response.Shape = c.shape
			p.Response.Wrap = c.shape == list
			r := resultOf(compile(t, p), answer(200, "application/xml", c.body))
			want := c.want + "\n== " + c.want
			if p.Response.Wrap {
				want = c.want + "\n== {\"result\":" + c.want + "}"
			}
			if got := show(r); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			checkValid(t, r)
		})
	}
	t.Run("XML under another type", func(t *testing.T) {
		p := tool("")
		p.Response.Shape = list
		for _, media := range []string{"text/plain", ""} {
			if got := show(resultOf(compile(t, p), answer(200, media, `<ids><id>1</id></ids>`))); got != "[1]" {
				t.Errorf("%q: %s", media, got)
			}
		}
	})
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{
		`<a b="1"><c>x</c><c/>t</a>`, `<?xml version="1.0" encoding="latin1"?><a>` + "\xe9</a>", `<Order version="1"><id>1</id><tags><tag>x</tag></tags></Order>`,
		`<x:Envelope xmlns:x="u"><x:Body><x:Fault><faultcode>a:b</faultcode><detail><c>1</c></detail></x:Fault></x:Body></x:Envelope>`, `<Envelope><Body><a xmlns="y"><c>1.0</c></a></Body></Envelope>`,
		`<a xmlns:x="y" x:b="1" b="2"><a/></a>`, `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, `<a><b>`, `<ids><id>-0.50e1</id></ids>`,
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		{Type: "object", Extra: 1, Props: []plan.ShapeProp{
			{Key: "id", Wire: "id", Node: 2}, {Key: "b", Wire: "b", Node: 3}, {Key: "tags", Wire: "tags", Node: 4}, {Key: "t", Wire: "t", Node: 5}, {Key: "n", Wire: "n", Node: 6},
		}},
		{Type: "integer"},
		{Type: "boolean", XML: &plan.XMLName{Attribute: true}},
		{Type: "array", Items: 1, XML: &plan.XMLName{Wrapped: true}},
		{Type: "number", XML: &plan.XMLName{Text: true}},
		{Type: "object", XML: &plan.XMLName{None: true}, Props: []plan.ShapeProp{{Key: "c", Wire: "c", Node: 2}}},
	}}
	p := tool(object)
	plain := compile(f, p)
	p.Response.Shape = shape
	shaped := compile(f, p)
	p.Response = plan.Response{Types: []plan.NameType{{Name: "n:c", Type: "number"}, {Name: "@b", Type: "boolean"}, {Name: "a", Type: "integer"}},
		XML: &plan.XMLReading{SOAP: true, Lists: []string{"c", "n:a"}, Namespaces: []plan.Namespace{{Prefix: "n", URI: "y"}}}}
	told := compile(f, p)
	f.Fuzz(func(t *testing.T, text []byte, cut bool) {
		for _, d := range []*Decoder{plain, shaped, told} {
			a := answer(200, "application/xml", string(text))
			a.Truncated = cut
			if len(text) > 0 {
				checkValid(t, resultOf(d, a))
			}
		}
	})
}

// What the standard library's reader accepts means the same here.
func FuzzXMLMeaning(f *testing.F) {
	for _, s := range []string{
		`<a b="1 &lt;"><c>x</c><c/>t<!-- x --><d> y </d></a>`, "<a>\r\n<b>1\r2</b><![CDATA[<&]]></a>", `<p:a xmlns:p="u"><p:b p:c="d">&#65;&#x42;</p:b><b/></p:a>`,
		`<?xml version="1.0"?><!DOCTYPE a><a><b><b/></b>x<b>y</b></a><!-- end -->`, `<a b='"' c="'">&amp;amp;</a>`,
	} {
		f.Add(s)
	}
	d := compile(f, tool(""))
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.Contains(text, "encoding") || strings.HasPrefix(text, "\ufeff") || len(text) > 1<<14 {
			return
		}
		want, ok := referenceJSON(text)
		if !ok {
			return
		}
		v, err := d.value(kindXML, d.body(answer(200, "text/xml; charset=utf-8", text)))
		if err != nil {
			t.Fatalf("%q is refused: %v", text, err)
		}
		if got := string(v.json); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
		}
	})
}

// referenceNode is an element as the standard library reads it.
type referenceNode struct {
	name  string
	attrs []xml.Attr
	kids  []*referenceNode
	text  string
}

// referenceJSON is the general mapping of a document, made slowly; false for what
// the library refuses, or this package on purpose.
func referenceJSON(text string) (string, bool) {
	root := referenceRoot(text)
	if root == nil {
		return "", false
	}
	quote := func(s string) string { return string(result.AppendString(nil, s)) }
	var show func(n *referenceNode) string
	show = func(n *referenceNode) string {
		if len(n.kids)+len(n.attrs) == 0 {
			return quote(n.text)
		}
		var members []string
		for _, a := range n.attrs {
			members = append(members, quote("@"+a.Name.Local)+":"+quote(a.Value))
		}
		done := map[string]bool{}
		for _, k := range n.kids {
			if done[k.name] {
				continue
			}
			done[k.name] = true
			var same []string
			for _, o := range n.kids {
				if o.name == k.name {
					same = append(same, show(o))
				}
			}
			value := same[0]
			if len(same) > 1 {
				value = "[" + strings.Join(same, ",") + "]"
			}
			members = append(members, quote(k.name)+":"+value)
		}
		if s := string(bytes.TrimSpace([]byte(n.text))); s != "" {
			members = append(members, `"#text":`+quote(s))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return "{" + quote(root.name) + ":" + show(root) + "}", true
}

func referenceRoot(text string) *referenceNode {
	dec := xml.NewDecoder(strings.NewReader(text))
	var root *referenceNode
	var open []*referenceNode
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			if len(open) > 0 {
				return nil
			}
			return root
		}
		if err != nil {
			return nil
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			n := &referenceNode{name: tok.Name.Local}
			seen := map[string]bool{}
			for _, a := range tok.Attr {
				switch {
				case a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns":
					continue
				case seen[a.Name.Local] || a.Name.Local == "nil" || a.Name.Space == xsi || strings.ContainsAny(a.Value, "\t\n"):
					return nil
				}
				seen[a.Name.Local] = true
				n.attrs = append(n.attrs, a)
			}
			if len(open) >= maxDepth || len(open) == 0 && root != nil {
				return nil
			}
			if len(open) == 0 {
				root = n
			} else {
				up := open[len(open)-1]
				up.kids = append(up.kids, n)
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(tok)
			} else if strings.TrimSpace(string(tok)) != "" {
				return nil
			}
		case xml.Directive:
			if strings.Contains(string(tok), "ENTITY") || !strings.HasPrefix(string(tok), "DOCTYPE") || root != nil {
				return nil
			}
		}
	}
}
