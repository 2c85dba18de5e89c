// Package openapi reads descriptions of HTTP APIs, Swagger 2.0 and OpenAPI 3.0
// to 3.2, JSON and YAML, of one file or several joined by $ref, into a
// [specs.API].
//
// Real documents are broken in places, and one bad place must not cost more
// than itself. So the whole text is first read into a tree that keeps order,
// digits and byte offsets; then each operation is read from the tree:
//
//   - references to anything but schemas are followed where they stand,
//   - references to schemas stay references: their targets move to
//     API.Schemas under unique names and are read once, when first needed,
//   - schemas become JSON Schema 2020-12, whatever dialect they are in,
//   - Swagger 2.0 is read into the same model directly; converting it to
//     OpenAPI 3 first would lose collection formats and media types,
//   - what does not fit is repaired, left out or, when the operation could not
//     be called correctly without it, skips the operation; each with a
//     diagnostic at the place it is written, in whichever file that is.
//
// Nodes of schemas are shared between operations and with the tree of the
// document. They must not be changed; clone first.
package openapi

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Options change how a document is read. The zero Options suit most documents.
type Options struct {
	// AllowRefs names what $ref may reach besides the folder of the document
	// (for a document from a URL: its host): folders, files and URL prefixes.
	AllowRefs []string
	// ServerVariables replaces the defaults of variables in server URLs.
	ServerVariables map[string]string
	// Overlays are paths or URLs of OpenAPI Overlays that are applied to the
	// document before it is read, in order.
	Overlays []string
}

// Parse reads the document at a path or URL. The API is nil only when nothing
// can be read at all: no such file, not JSON or YAML, no OpenAPI document.
// Operations appear in document order; those that had to be left out are in
// Skipped, with a warning for each.
func Parse(ctx context.Context, r *specs.Reader, location string, o Options) (*specs.API, diag.List) {
	p := newParser(ctx, r, o)
	if !p.open(location) {
		return nil, p.diags
	}
	for _, o := range o.Overlays {
		p.overlay(o)
	}
	api := p.api()
	if api != nil {
		api.Overlays = p.overlays
	}
	p.diags.Sort()
	return api, p.diags
}

// Version of a document.
type version uint8

const (
	v2 version = iota
	v30
	v31
	v32
)

// maxWarnings is how many warnings one document may cause. A reader of them
// gives up long before; the limit is for documents made to cause millions.
const maxWarnings = 1000

type parser struct {
	ctx     context.Context
	reader  *specs.Reader
	options Options

	files    map[string]*file // by location
	bySource map[*diag.Source]*file
	bytes    int64
	root     *file
	doc      *specs.Node // of the root file
	version  version
	place    policy

	ids       map[string]*specs.Node // schemas by $id, by $id#anchor; documents by $self
	hints     int                    // near names looked for
	schemas   schemaTable
	params    map[*specs.Node]*specs.Param
	media     map[*specs.Node][]*specs.Media // by content object, or 2.0 response
	schemes   map[string]bool
	variables map[string]bool     // of all servers that were read
	anySchema *openapi3.SchemaRef // the empty schema, for kin-openapi
	size      int                 // parameters and responses of all operations so far
	reported  map[diagKey]bool
	overlays  []*diag.Source
	overlaid  int  // values that overlays added
	extended  bool // some file has x-mcp
	diags     diag.List
}

type diagKey struct {
	source *diag.Source
	start  int
	code   string
}

func newParser(ctx context.Context, r *specs.Reader, o Options) *parser {
	return &parser{
		ctx: ctx, reader: r, options: o,
		files: map[string]*file{}, bySource: map[*diag.Source]*file{},
		ids:       map[string]*specs.Node{},
		schemas:   schemaTable{refs: map[*specs.Node]string{}, used: map[string]int{}, done: map[string]*specs.Node{}},
		params:    map[*specs.Node]*specs.Param{},
		media:     map[*specs.Node][]*specs.Media{},
		schemes:   map[string]bool{},
		variables: map[string]bool{},
		anySchema: openapi3.NewSchemaRef("", &openapi3.Schema{}),
		reported:  map[diagKey]bool{},
	}
}

// warn adds a warning, once per place and code.
func (p *parser) warn(code string, at diag.Range, hint, format string, args ...any) {
	k := diagKey{at.Source, at.Start, code}
	if p.reported[k] || len(p.reported) > maxWarnings {
		return
	}
	p.reported[k] = true
	if len(p.reported) > maxWarnings {
		p.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "too-many-warnings", Message: fmt.Sprintf("there are more than %d warnings; the rest is not shown", maxWarnings)})
		return
	}
	p.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint, Range: at})
}

func (p *parser) fail(code string, at diag.Range, hint, format string, args ...any) {
	p.diags.Add(diag.Diagnostic{Severity: diag.Error, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint, Range: at})
}

// open reads the root document and finds out what it is.
func (p *parser) open(location string) bool {
	src, err := p.reader.Read(p.ctx, location)
	if err != nil {
		p.fail("unreadable", diag.Range{}, "", "%v", err)
		return false
	}
	f := p.add(location, src)
	if f.root == nil {
		return false
	}
	p.root, p.doc = f, f.root
	p.place = newPolicy(location, p.options.AllowRefs)
	return p.readVersion()
}

func (p *parser) readVersion() bool {
	top := diag.Range{Source: p.root.src}
	if p.doc.Kind != specs.Object {
		what := "its top level is no object"
		if len(strings.TrimSpace(string(p.root.src.Text))) == 0 {
			what = "it is empty"
		}
		p.fail("not-openapi", top, "", "this is not an OpenAPI document: %s", what)
		return false
	}
	for _, f := range p.doc.Fields {
		if f.Key == "swagger" || f.Key == "openapi" {
			return p.versionOf(f)
		}
	}
	what, hint := "it has no key openapi or swagger at its top level", ""
	switch {
	case p.doc.Has("asyncapi"):
		what, hint = "it is AsyncAPI", "AsyncAPI describes messages, not HTTP operations"
	case p.doc.Has("swaggerVersion"):
		what, hint = "Swagger 1.x is not supported", "convert it to OpenAPI 3 first"
	case p.doc.Get("info").Has("_postman_id"):
		what = "it is a Postman collection"
	case p.doc.Get("log").Has("entries"):
		what = "it is a HAR file"
	case p.doc.Has("$schema"):
		what = "it is a JSON Schema"
	}
	p.fail("not-openapi", top, hint, "this is not an OpenAPI document: %s", what)
	return false
}

func (p *parser) versionOf(f specs.Field) bool {
	text, at := f.Value.Text, f.Value.Range()
	if f.Value.Kind == specs.Number {
		p.warn("version-not-quoted", at, fmt.Sprintf("write %s: %q", f.Key, text), "the version must be a string; the number %s is taken as one", text)
	} else if f.Value.Kind != specs.String {
		text = ""
	}
	number := strings.TrimSpace(text)
	is := func(v string) bool {
		return number == v || strings.HasPrefix(number, v+".") || strings.HasPrefix(number, v+"-")
	}
	switch {
	case f.Key == "swagger" && (is("2.0") || number == "2"):
		p.version = v2
	case f.Key == "openapi" && (is("3.0") || number == "3"):
		p.version = v30
	case f.Key == "openapi" && is("3.1"):
		p.version = v31
	case f.Key == "openapi" && is("3.2"):
		p.version = v32
	default:
		p.fail("unsupported-version", at, "supported are Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2", "the version %s %q is not supported", f.Key, clip(text))
		return false
	}
	return true
}

func (p *parser) api() *specs.API {
	api := &specs.API{
		Source: p.root.location,
		Range:  diag.Range{Source: p.root.src, Start: int(p.doc.Start), End: int(p.doc.Start)},
	}
	if info := p.object(p.doc.Get("info"), "info"); info != nil {
		api.Title, api.Version, api.Description = p.text(info.Get("title")), p.text(info.Get("version")), p.text(info.Get("description"))
	}
	p.nameComponents()
	api.Schemes = p.readSchemes()
	api.Servers = p.readServers()
	p.readOperations(api)
	p.checkVariables()
	p.finishSchemas()
	api.Schemas = p.schemas.done
	if p.ctx.Err() != nil {
		p.fail("canceled", diag.Range{}, "", "reading %s was interrupted: %v", p.root.src.Name, p.ctx.Err())
	}
	return api
}

// object returns n with references followed, or nil when it is no object. Only
// something else than an object or nothing is worth a warning.
func (p *parser) object(n *specs.Node, what string) *specs.Node {
	if n == nil || n.Kind == specs.Null {
		return nil
	}
	d := p.deref(n)
	if d == nil {
		return nil
	}
	if d.Kind != specs.Object {
		p.warn("not-an-object", n.Range(), "", "%s must be an object; it is left out", what)
		return nil
	}
	return d
}

// list returns the elements of n with references to a whole list followed. A
// single object counts as a list of one.
func (p *parser) list(n *specs.Node, what string) []specs.Field {
	if n == nil || n.Kind == specs.Null {
		return nil
	}
	d := p.deref(n)
	switch {
	case d == nil:
		return nil
	case d.Kind == specs.Array:
		return d.Fields
	case d.Kind == specs.Object && len(d.Fields) > 0:
		p.warn("not-a-list", n.Range(), "", "%s must be a list; the object is taken as its only element", what)
		return []specs.Field{{Value: d, KeyStart: -1}}
	case d.Kind == specs.Object:
		return nil
	}
	p.warn("not-a-list", n.Range(), "", "%s must be a list; it is left out", what)
	return nil
}

// text reads a string leniently: numbers and booleans as they are written, a
// reference to text as that text.
func (p *parser) text(n *specs.Node) string {
	if n == nil {
		return ""
	}
	if n.Kind == specs.Object && n.Has("$ref") {
		if n = p.deref(n); n == nil {
			return ""
		}
	}
	switch n.Kind {
	case specs.String, specs.Number, specs.Bool:
		return n.Text
	}
	return ""
}

// flag reads a boolean leniently.
func (p *parser) flag(n *specs.Node, what string) (value, known bool) {
	if n == nil || n.Kind == specs.Null {
		return false, false
	}
	switch strings.ToLower(n.Text) {
	case "true", "false":
		if n.Kind != specs.Bool {
			p.warn("not-a-boolean", n.Range(), "", "%s must be true or false without quotes", what)
		}
		return strings.EqualFold(n.Text, "true"), true
	}
	p.warn("not-a-boolean", n.Range(), "", "%s must be true or false; it is left out", what)
	return false, false
}

// Sniff reports whether a text looks like an OpenAPI or Swagger document.
func Sniff(text []byte) bool {
	s := strings.TrimLeft(strings.TrimPrefix(string(text), "\uFEFF"), " \t\r\n")
	if strings.HasPrefix(s, "{") {
		p := jsonReader{s: s, i: 1}
		for p.i < len(s) {
			p.space()
			if p.i >= len(s) || s[p.i] != '"' {
				break
			}
			if key := p.str(); key == "openapi" || key == "swagger" {
				return p.err == ""
			}
			if p.space(); p.i >= len(s) || s[p.i] != ':' {
				break
			}
			p.i++
			if p.space(); p.i >= len(s) {
				break
			}
			switch c := s[p.i]; {
			case c == '{' || c == '[':
				p.skip()
			case c == '"':
				p.str()
			default:
				for p.i < len(s) && s[p.i] != ',' && s[p.i] != '}' {
					p.i++
				}
			}
			if p.space(); p.i < len(s) && s[p.i] == ',' {
				p.i++
			}
		}
		s = strings.TrimLeft(s[1:], " \t\r\n") // a YAML flow mapping may leave out the quotes
	}
	for s != "" {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		key, _, found := strings.Cut(line, ":")
		if found {
			switch strings.TrimRight(strings.Trim(strings.TrimRight(key, " \t"), `"'`), " ") {
			case "openapi", "swagger":
				return true
			}
		}
	}
	return false
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")) && u.Host != ""
}
