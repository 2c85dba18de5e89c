package wsdl_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
	"github.com/mcpc-dev/mcpc/specs/wsdl"
)

// service is a WSDL of one operation in document style, whose input element has
// this content.
func service(types string) string {
	return `<definitions name="S" targetNamespace="urn:s" xmlns:s="urn:s" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema">
<types>` + types + `</types>
<message name="in"><part name="p" element="s:Do"/></message>
<portType name="P"><operation name="Do"><input message="s:in"/></operation></portType>
<binding name="B" type="s:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/><operation name="Do"><soap:operation soapAction="urn:do"/><input><soap:body use="literal"/></input></operation></binding>
<service name="S"><port name="p" binding="s:B"><soap:address location="http://s.example/do"/></port></service>
</definitions>`
}

func schema(content string) string {
	return `<x:schema targetNamespace="urn:s" elementFormDefault="qualified">` + content + `</x:schema>`
}

func read(t *testing.T, text string) (*imported.Spec, diag.List) {
	t.Helper()
	return wsdl.Read(t.Context(), &specs.Reader{Stdin: strings.NewReader(text)}, "-", wsdl.Options{})
}

// codes are the codes of what was said.
func codes(list diag.List) string {
	var out []string
	for _, d := range list {
		out = append(out, d.Code)
	}
	return strings.Join(out, " ")
}

// Types of XML Schema as the types of inputs.
func TestTypes(t *testing.T) {
	for _, tt := range []struct{ name, content, want string }{
		{"built in", `<x:element name="a" type="x:int"/><x:element name="b" type="x:decimal" minOccurs="0"/><x:element name="c" type="x:boolean" maxOccurs="3"/>`,
			`a {"type":"integer"}; b? {"type":"number"}; c {"type":"array","items":{"type":"boolean"}}`},
		{"facets", `<x:element name="a"><x:simpleType><x:restriction base="x:string"><x:length value="2"/><x:pattern value="[A-Z]+"/></x:restriction></x:simpleType></x:element>`,
			`a {"type":"string","minLength":2,"maxLength":2,"pattern":"^(?:[A-Z]+)$"}`},
		{"enumeration", `<x:element name="a"><x:simpleType><x:restriction base="x:token"><x:enumeration value="u"/><x:enumeration value="v"/></x:restriction></x:simpleType></x:element>`,
			`a {"type":"string","enum":["u","v"]}`},
		{"a pattern of another dialect", `<x:element name="a"><x:simpleType><x:restriction base="x:string"><x:pattern value="\i\c*"/></x:restriction></x:simpleType></x:element>`, `a {"type":"string"}`},
		{"nested", `<x:element name="a"><x:complexType><x:all><x:element name="b" type="x:string"/></x:all><x:attribute name="c" type="x:int" use="required"/></x:complexType></x:element>`,
			`a {"type":"object","properties":{"b":{"type":"string"},"c":{"type":"integer"}},"required":["b","c"],"additionalProperties":false}`},
		{"a choice", `<x:choice><x:element name="a" type="x:string"/><x:element name="b" type="x:string"/></x:choice>`, `a? {"type":"string"}; b? {"type":"string"}`},
		{"a fixed value", `<x:element name="a" type="x:string" fixed="1"/>`, ``},
		{"an unknown type", `<x:element name="a" type="s:Nowhere"/>`, `a {"type":"string"}`},
		{"a name twice", `<x:element name="a" type="x:string"/><x:element name="a" type="x:string"/>`, `a {"type":"string"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, diags := read(t, service(schema(`<x:element name="Do"><x:complexType><x:sequence>`+tt.content+`</x:sequence></x:complexType></x:element>`)))
			if s == nil {
				t.Fatal(diags)
			}
			var got []string
			for _, in := range s.Tools[0].Inputs {
				name := in.Name
				if in.Optional {
					name += "?"
				}
				got = append(got, name+" "+in.Schema.JSON())
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

// What a WSDL cannot be, or holds that cannot be imported, is said.
func TestMistakes(t *testing.T) {
	nested := strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000)
	recursive := schema(`<x:element name="Do" type="s:T"/><x:complexType name="T"><x:sequence><x:element name="a" type="s:T"/></x:sequence></x:complexType>`)
	wide := `<x:complexType name="T0"><x:sequence><x:element name="v" type="x:string"/></x:sequence></x:complexType>`
	for _, n := range "123456789" {
		wide += `<x:complexType name="T` + string(n) + `"><x:sequence>`
		for _, e := range "abcdefgh" {
			wide += `<x:element name="` + string(e) + `" type="s:T` + string(n-1) + `"/>`
		}
		wide += `</x:sequence></x:complexType>`
	}
	groups := ""
	for _, n := range "123456789" {
		groups += `<x:group name="G` + string(n) + `"><x:sequence>` + strings.Repeat(`<x:group ref="s:G`+string(n+1)+`"/>`, 20) + `</x:sequence></x:group>`
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "invalid-xml"},
		{"other XML", "<html/>", "not-a-wsdl"},
		{"a document type", "<!DOCTYPE d [<!ENTITY a 'b'>]><d>&a;</d>", "invalid-xml"},
		{"an entity", "<definitions>&a;</definitions>", "invalid-xml"},
		{"100,000 nested elements", nested, "invalid-xml"},
		{"UTF-16", "\xff\xfe<\x00", "invalid-xml"},
		{"no operation", `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>`, "nothing-to-import"},
		{"an import from standard input", service(`<x:schema><x:include schemaLocation="a.xsd"/></x:schema>`), "not-imported unknown-element"},
		{"a type that holds itself", service(recursive), "recursive-type"},
		{"a type that grows", service(schema(`<x:element name="Do" type="s:T9"/>` + wide)), "too-large"},
		{"groups that multiply", service(schema(`<x:element name="Do"><x:complexType><x:group ref="s:G1"/></x:complexType></x:element>` + groups)), "too-large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := read(t, tt.text)
			if got := codes(diags); got != tt.want {
				t.Errorf("got %q, want %q: %v", got, tt.want, diags)
			}
		})
	}
}

// A file is read when it is beside the WSDL or allowed, and in its encoding.
func TestImports(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	outside := `<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:s"><x:element name="Do" type="x:string"/></x:schema>`
	latin := "<?xml version='1.0' encoding='ISO-8859-1'?>" + strings.Replace(outside, "<x:element", "<x:annotation><x:documentation>\xe4</x:documentation></x:annotation><x:element", 1)
	write("other/do.xsd", outside)
	write("specs/sub/do.xsd", latin)
	near := write("specs/near.wsdl", service(`<x:schema><x:import namespace="urn:s" schemaLocation="sub/do.xsd"/></x:schema>`))
	far := write("specs/far.wsdl", service(`<x:schema><x:import namespace="urn:s" schemaLocation="../other/do.xsd"/></x:schema>`))
	web := write("specs/web.wsdl", service(`<x:schema><x:import namespace="urn:s" schemaLocation="http://127.0.0.1:9/do.xsd"/></x:schema>`))
	for _, tt := range []struct {
		name, path string
		allow      []string
		want       string
	}{
		{"beside it", near, nil, ""},
		{"outside", far, nil, "not-imported unknown-element"},
		{"allowed", far, []string{filepath.Join(dir, "other")}, ""},
		{"from the network", web, nil, "not-imported unknown-element"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, diags := wsdl.Read(t.Context(), &specs.Reader{}, tt.path, wsdl.Options{Allow: tt.allow})
			if got := codes(diags); got != tt.want {
				t.Errorf("got %q, want %q: %v", got, tt.want, diags)
			}
			if tt.want == "" && (len(s.Tools) != 1 || s.Tools[0].Inputs[0].Name != "Do") {
				t.Errorf("the tool is %+v", s.Tools)
			}
		})
	}
}

// A place is right in a file that was converted, too.
func TestPlaces(t *testing.T) {
	_, diags := read(t, "<?xml version='1.0' encoding='ISO-8859-1'?>\n<!-- \xe4\xf6 --><definitions xmlns='http://schemas.xmlsoap.org/wsdl/'/>")
	if len(diags) != 1 || diags[0].Range.String() != "<stdin>:2:12" {
		t.Errorf("got %v", diags)
	}
	var out bytes.Buffer
	if err := (diag.Printer{}).Print(&out, diags); err != nil || !strings.Contains(out.String(), "äö") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
