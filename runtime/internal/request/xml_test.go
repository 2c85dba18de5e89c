package request

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

func node(x plan.XMLName, props ...plan.ShapeProp) plan.ShapeNode {
	return plan.ShapeNode{Type: "object", Props: props, XML: &x}
}

func prop(key string, n int) plan.ShapeProp { return plan.ShapeProp{Key: key, Wire: key, Node: n} }

func checkXML(t *testing.T, shape *plan.Shape, tests []bodyTest) {
	t.Helper()
	b := plan.Body{Arg: "body", Codec: plan.XML, Media: "application/xml", Shape: shape}
	for _, tt := range tests {
		got, _, err := send(t, b, `{"body":`+tt.arguments+`}`)
		if err != nil {
			t.Errorf("%s: %v", tt.arguments, err)
		} else if got, ok := strings.CutPrefix(got, declaration); !ok || got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.arguments, got, tt.want)
		}
	}
}

func TestXMLCDATA(t *testing.T) {
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		node(plan.XMLName{Name: "a"}, prop("text", 2)),
		{Type: "string", XML: &plan.XMLName{Text: true, CDATA: true}},
	}}
	checkXML(t, shape, []bodyTest{
		{`{"text":"<b>&\"é"}`, `<a><![CDATA[<b>&"é]]></a>`},
		{`{"text":""}`, `<a><![CDATA[]]></a>`},
		{`{"text":"x]]>y]]]>"}`, `<a><![CDATA[x]]]]><![CDATA[>y]]]]]><![CDATA[>]]></a>`},
		{`{"text":"1\r\n2"}`, "<a><![CDATA[1]]>&#13;<![CDATA[\n2]]></a>"},
	})
	b := plan.Body{Arg: "body", Codec: plan.XML, Media: "application/xml", Shape: shape}
	_, _, err := send(t, b, `{"body":{"text":"\u0001"}}`)
	refused(t, err, "body.text", "control")
	// A reference to a character that the charset does not have is none in CDATA.
	b.Media = "application/xml; charset=iso-8859-1"
	if got, _, err := send(t, b, `{"body":{"text":"<☃"}}`); err != nil || !strings.HasSuffix(got, "<a>&lt;&#9731;</a>") {
		t.Errorf("%s %v", got, err)
	}
}

func TestXMLObject(t *testing.T) {
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		node(plan.XMLName{Name: "Person"}, prop("id", 2), prop("name", 3), prop("note", 0), prop("child", 1), prop("tags", 4), plan.ShapeProp{Key: "page_size", Wire: "page.size"}),
		{Type: "integer", XML: &plan.XMLName{Attribute: true}},
		{Type: "string", XML: &plan.XMLName{Name: "FullName"}},
		{Type: "array", XML: &plan.XMLName{Attribute: true}},
	}}
	checkXML(t, shape, []bodyTest{
		{`{}`, `<Person></Person>`},
		{`{"name":"x","id":9007199254740993}`, `<Person id="9007199254740993"><FullName>x</FullName></Person>`},
		// The schema's order, then the rest.
		{`{"zz":1.0,"note":"n","name":"x","aa":true}`, `<Person><FullName>x</FullName><note>n</note><zz>1.0</zz><aa>true</aa></Person>`},
		{`{"child":{"child":{"id":1}}}`, `<Person><Person><Person id="1"></Person></Person></Person>`},
		{`{"name":null,"id":null,"note":""}`, `<Person><note></note></Person>`},
		{`{"page_size":1}`, `<Person><page.size>1</page.size></Person>`},
		{`{"tags":["a","b"]}`, `<Person tags="a b"></Person>`},
		{`{"name":"a<b>&\"c\"]]>\r\n\té"}`, "<Person><FullName>a&lt;b&gt;&amp;\"c\"]]&gt;&#13;\n\té</FullName></Person>"},
		{`{"id":"a<b>&\"c\"\r\n\t"}`, `<Person id="a&lt;b&gt;&amp;&quot;c&quot;&#13;&#10;&#9;"></Person>`},
		{`{"note":{"x":[1,{"y":2}]}}`, `<Person><note><x>1</x><x><y>2</y></x></note></Person>`},
	})
	got, _, err := send(t, plan.Body{Codec: plan.XML, Media: "text/xml", Shape: shape}, `{"body":"<Person/>"}`)
	if err != nil || got != "<Person/>" {
		t.Errorf("XML as text: %s %v", got, err)
	}
	for text, want := range map[string][2]string{
		`{"name":"a\u0000"}`:   {"body.name", "control"},
		`{"name":"a\uffff"}`:   {"body.name", "control"},
		`{"id":"\u0001"}`:      {"body.id", "control"},
		`{"a b":1}`:            {"body.a b", "XML name"},
		`{"1a":1}`:             {"body.1a", "XML name"},
		`{"a><b":1}`:           {"body.a><b", "XML name"},
		`{"":1}`:               {"body.", "XML name"},
		`{"note":{"x:y:z":1}}`: {"body.note.x:y:z", "XML name"},
	} {
		_, _, err := send(t, plan.Body{Arg: "body", Codec: plan.XML, Shape: shape}, `{"body":`+text+`}`)
		refused(t, err, want[0], want[1])
	}
}

// TestXMLArrays are the examples of OpenAPI's section on the XML object.
func TestXMLArrays(t *testing.T) {
	const in = `{"animals":["a","b"]}`
	tests := []struct {
		array, item plan.XMLName
		want        string
	}{
		{plan.XMLName{}, plan.XMLName{}, `<animals>a</animals><animals>b</animals>`},
		{plan.XMLName{}, plan.XMLName{Name: "animal"}, `<animal>a</animal><animal>b</animal>`},
		{plan.XMLName{Name: "aliens"}, plan.XMLName{Name: "animal"}, `<animal>a</animal><animal>b</animal>`},
		{plan.XMLName{Name: "aliens"}, plan.XMLName{}, `<animals>a</animals><animals>b</animals>`},
		{plan.XMLName{Wrapped: true}, plan.XMLName{}, `<animals><animals>a</animals><animals>b</animals></animals>`},
		{plan.XMLName{Wrapped: true}, plan.XMLName{Name: "animal"}, `<animals><animal>a</animal><animal>b</animal></animals>`},
		{plan.XMLName{Name: "aliens", Wrapped: true}, plan.XMLName{Name: "animal"}, `<aliens><animal>a</animal><animal>b</animal></aliens>`},
		{plan.XMLName{Name: "aliens", Wrapped: true}, plan.XMLName{}, `<aliens><aliens>a</aliens><aliens>b</aliens></aliens>`},
	}
	for _, tt := range tests {
		shape := &plan.Shape{Nodes: []plan.ShapeNode{
			node(plan.XMLName{Name: "zoo"}, prop("animals", 2)),
			{Type: "array", Items: 3, XML: &tt.array},
			{Type: "string", XML: &tt.item},
		}}
		wrapper := ""
		if tt.array.Wrapped {
			if wrapper = tt.array.Name; wrapper == "" {
				wrapper = "animals"
			}
			wrapper = "<" + wrapper + "></" + wrapper + ">"
		}
		checkXML(t, shape, []bodyTest{{in, "<zoo>" + tt.want + "</zoo>"}, {`{"animals":[]}`, "<zoo>" + wrapper + "</zoo>"}})
	}
	// A list at the root has an element of its own in any case.
	root := &plan.Shape{Nodes: []plan.ShapeNode{
		{Type: "array", Items: 2, XML: &plan.XMLName{Name: "bananas"}},
		node(plan.XMLName{Name: "banana"}, prop("name", 0)),
	}}
	checkXML(t, root, []bodyTest{
		{`[{"name":"x"},{}]`, `<bananas><banana><name>x</name></banana><banana></banana></bananas>`},
		{`[]`, `<bananas></bananas>`},
	})
}

func TestXMLNamespaces(t *testing.T) {
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		node(plan.XMLName{Name: "Person", Prefix: "s", Namespace: "urn:a&b"}, prop("id", 2), prop("name", 3), prop("plain", 0), prop("other", 4)),
		{Type: "string", XML: &plan.XMLName{Attribute: true, Prefix: "x", Namespace: "urn:x"}},
		{Type: "string", XML: &plan.XMLName{Prefix: "s", Namespace: "urn:a&b"}},
		node(plan.XMLName{Namespace: "urn:o"}, prop("in", 5)),
		{Type: "string", XML: &plan.XMLName{Namespace: "urn:o"}},
	}}
	checkXML(t, shape, []bodyTest{{
		`{"id":"1","name":"n","plain":"p","other":{"in":"i"}}`,
		`<s:Person xmlns:s="urn:a&amp;b" xmlns:x="urn:x" x:id="1"><s:name>n</s:name><plain>p</plain><other xmlns="urn:o"><in>i</in></other></s:Person>`,
	}})
}

func TestXMLTextAndNone(t *testing.T) {
	shape := &plan.Shape{Nodes: []plan.ShapeNode{
		node(plan.XMLName{Name: "a"}, prop("lang", 2), prop("value", 3), prop("group", 4)),
		{Type: "string", XML: &plan.XMLName{Attribute: true}},
		{Type: "string", XML: &plan.XMLName{Text: true}},
		node(plan.XMLName{None: true}, prop("b", 0), prop("c", 0)),
	}}
	checkXML(t, shape, []bodyTest{
		{`{"value":"x & y","lang":"de"}`, `<a lang="de">x &amp; y</a>`},
		{`{"group":{"c":1,"b":2}}`, `<a><b>2</b><c>1</c></a>`},
	})
}

func TestXMLWithoutShape(t *testing.T) {
	checkXML(t, nil, []bodyTest{
		{`{"a":[1,2],"b":{"c":"d"}}`, `<root><a>1</a><a>2</a><b><c>d</c></b></root>`},
		{`0.10`, `<root>0.10</root>`},
		{`[[1],[2,3]]`, `<root><root><root>1</root></root><root><root>2</root><root>3</root></root></root>`},
	})
	checkXML(t, &plan.Shape{Nodes: []plan.ShapeNode{{Type: "string", XML: &plan.XMLName{Name: "s"}}}}, []bodyTest{{`"<x>"`, `<s>&lt;x&gt;</s>`}})
}
