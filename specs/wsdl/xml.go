package wsdl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Limits of one XML file.
const (
	maxXMLDepth = 100
	maxElements = 400_000
)

// element is an XML element with its place.
type element struct {
	name     xml.Name
	attrs    []xml.Attr
	children []*element
	text     []byte
	scope    *namespaces
	file     *file
	start    int
	end      int // of the start tag
}

// namespaces are the prefixes declared at an element.
type namespaces struct {
	outer *namespaces
	uris  map[string]string
}

// find returns the URI of a prefix.
func (n *namespaces) find(prefix string) (string, bool) {
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace", true
	}
	for ; n != nil; n = n.outer {
		if uri, ok := n.uris[prefix]; ok {
			return uri, true
		}
	}
	return "", prefix == ""
}

// file is one XML file.
type file struct {
	source   *diag.Source
	location string
}

func (e *element) at() diag.Range {
	return diag.Range{Source: e.file.source, Start: e.start, End: e.end}
}

// attr returns an attribute without a namespace.
func (e *element) attr(name string) string {
	if e != nil {
		for _, a := range e.attrs {
			if a.Name.Local == name && a.Name.Space == "" {
				return strings.TrimSpace(a.Value)
			}
		}
	}
	return ""
}

// all returns the children of this name.
func (e *element) all(space, local string) (list []*element) {
	if e != nil {
		for _, c := range e.children {
			if c.name.Local == local && c.name.Space == space {
				list = append(list, c)
			}
		}
	}
	return list
}

// first returns the first child of this name, or nil.
func (e *element) first(space, local string) *element {
	if list := e.all(space, local); len(list) > 0 {
		return list[0]
	}
	return nil
}

// qname reads the value of an attribute that is a qualified name. The zero name
// is no attribute.
func (e *element) qname(attribute string) xml.Name { return e.resolve(e.attr(attribute)) }

func (e *element) resolve(value string) xml.Name {
	if value == "" {
		return xml.Name{}
	}
	prefix, local, found := strings.Cut(value, ":")
	if !found {
		prefix, local = "", value
	}
	uri, _ := e.scope.find(prefix)
	return xml.Name{Space: uri, Local: local}
}

var encoding = regexp.MustCompile(`^<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// utf8Text converts a file to UTF-8.
func utf8Text(text []byte) ([]byte, error) {
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	if bytes.HasPrefix(text, []byte("\xFE\xFF")) || bytes.HasPrefix(text, []byte("\xFF\xFE")) {
		return nil, errors.New("the file is in UTF-16; save it as UTF-8")
	}
	if m := encoding.FindSubmatch(text[:min(len(text), 200)]); m != nil {
		switch strings.ToLower(string(m[1])) {
		case "utf-8", "utf8", "us-ascii", "ascii":
		case "iso-8859-1", "latin1", "windows-1252":
			var b bytes.Buffer
			for _, c := range text {
				b.WriteRune(rune(c))
			}
			return b.Bytes(), nil
		default:
			return nil, fmt.Errorf("the encoding %s is not supported; save the file as UTF-8", m[1])
		}
	}
	if !utf8.Valid(text) {
		return nil, errors.New("the file is not UTF-8")
	}
	return text, nil
}

// parseXML reads a file. Entities and document types are refused.
func parseXML(name, location string, text []byte) (*element, *diag.Diagnostic) {
	f := &file{source: &diag.Source{Name: name, Text: text}, location: location}
	bad := func(at int, message, hint string) *diag.Diagnostic {
		at = min(max(at, 0), len(f.source.Text))
		return &diag.Diagnostic{Code: "invalid-xml", Message: message, Hint: hint, Range: diag.Range{Source: f.source, Start: at, End: min(at+1, len(f.source.Text))}}
	}
	text, err := utf8Text(text)
	if err != nil {
		return nil, bad(0, err.Error(), "")
	}
	f.source.Text = text
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	var root *element
	var open []*element
	count := 0
	for {
		start := int(d.InputOffset())
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			hint := ""
			if strings.Contains(syntax.Msg, "entity") {
				hint = "entities are refused, but for those of XML itself"
			}
			return nil, bad(int(d.InputOffset())-1, "this is no well-formed XML: "+syntax.Msg, hint)
		}
		if err != nil {
			return nil, bad(int(d.InputOffset())-1, "this is no well-formed XML: "+err.Error(), "")
		}
		switch t := t.(type) {
		case xml.Directive:
			if bytes.HasPrefix(bytes.ToUpper(t), []byte("DOCTYPE")) {
				return nil, bad(start, "a document type declaration is refused: it can hold entities", "remove it")
			}
		case xml.StartElement:
			if count++; count > maxElements {
				return nil, bad(start, fmt.Sprintf("the file has more than %d elements", maxElements), "")
			}
			if len(open) >= maxXMLDepth {
				return nil, bad(start, fmt.Sprintf("elements are nested deeper than %d", maxXMLDepth), "")
			}
			e := &element{name: t.Name, attrs: t.Attr, file: f, start: start, end: int(d.InputOffset())}
			if n := len(open); n > 0 {
				e.scope = open[n-1].scope
				open[n-1].children = append(open[n-1].children, e)
			}
			var declared map[string]string
			for _, a := range t.Attr {
				prefix, isDeclaration := "", a.Name.Space == "" && a.Name.Local == "xmlns"
				if a.Name.Space == "xmlns" {
					prefix, isDeclaration = a.Name.Local, true
				}
				if isDeclaration {
					if declared == nil {
						declared = map[string]string{}
					}
					declared[prefix] = a.Value
				}
			}
			if declared != nil {
				e.scope = &namespaces{outer: e.scope, uris: declared}
			}
			if root == nil {
				root = e
			}
			open = append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if n := len(open); n > 0 {
				open[n-1].text = append(open[n-1].text, t...)
			}
		}
	}
	if root == nil {
		return nil, bad(0, "the file holds no XML element", "")
	}
	return root, nil
}
