// Package wsdl reads descriptions of SOAP services: WSDL 1.1 with XML Schema,
// document/literal and rpc/literal, SOAP 1.1 and 1.2.
package wsdl

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// Namespaces of WSDL and of its bindings.
const (
	wsdl   = "http://schemas.xmlsoap.org/wsdl/"
	soap11 = "http://schemas.xmlsoap.org/wsdl/soap/"
	soap12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
)

// Limits of one import.
const (
	maxFiles      = 200
	maxBytes      = 32 << 20
	maxOperations = 1000
)

// Options change how a document is read.
type Options struct {
	// Allow names folders and URL prefixes that imports may reach besides the
	// folder of the document.
	Allow []string
}

// Read makes a spec of the WSDL at a path or URL, a tool of each operation. Files
// it imports are read when they are in its folder, or on its host. The spec is
// nil when nothing can be imported.
func Read(ctx context.Context, rd *specs.Reader, location string, o Options) (*imported.Spec, diag.List) {
	r := &reader{Builder: imported.NewBuilder(&diag.Source{}), ctx: ctx, reader: rd, options: o, root: location, total: maxTotal, read: map[string]bool{},
		schemas: &schemas{components: map[component]*element{}, qualified: map[*element]bool{}, attributes: map[*element]bool{}, schemaOf: map[*element]*element{}},
		parts:   map[component]*element{}, cut: map[*element]bool{}}
	if root := r.load(location, diag.Range{}); root != nil {
		switch {
		case root.name.Space == wsdl && root.name.Local == "definitions":
			r.definitions(root)
			r.services()
		case root.name.Space == "http://www.w3.org/ns/wsdl":
			r.fail("unsupported-version", root, "this is WSDL 2.0", "services that offer it offer WSDL 1.1 too")
		default:
			r.fail("not-a-wsdl", root, fmt.Sprintf("this is no WSDL: its root is %q", root.name.Local), "the root of a WSDL is definitions, of the namespace "+wsdl)
		}
		if len(r.Spec.Tools) == 0 && !r.failed {
			r.fail("nothing-to-import", root, "the WSDL has no operation that could be a tool", "")
		}
	}
	if r.failed {
		_, diags := r.Done()
		return nil, diags
	}
	return r.Done()
}

type reader struct {
	*imported.Builder
	ctx     context.Context
	reader  *specs.Reader
	options Options
	root    string
	read    map[string]bool
	bytes   int
	total   int // of declarations that may be expanded yet
	failed  bool

	name            string
	doc             string
	schemas         *schemas
	parts           map[component]*element // message, portType, binding
	cut             map[*element]bool      // recursive types that were reported
	serviceElements []*element
}

func (r *reader) fail(code string, at *element, message, hint string) {
	r.failed = true
	r.Fail(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: at.at()})
}

// load reads and parses a file. Nil: it could not be, which has been reported.
func (r *reader) load(location string, at diag.Range) *element {
	if len(r.read) >= maxFiles || r.bytes > maxBytes {
		r.Warn("not-imported", at, "", "the WSDL imports too much; %s is not read", location)
		return nil
	}
	r.read[location] = true
	src, err := r.reader.Read(r.ctx, location)
	if err != nil {
		if at.IsZero() {
			r.failed = true
			r.Fail(diag.Diagnostic{Code: "unreadable-file", Message: err.Error()})
		} else {
			r.Warn("unreadable-file", at, "what it declares is not known", "%v", err)
		}
		return nil
	}
	r.bytes += len(src.Text)
	e, bad := parseXML(src.Name, location, src.Text)
	if bad != nil {
		if at.IsZero() {
			r.failed = true
		} else {
			bad.Severity = diag.Warning
		}
		r.Fail(*bad)
		return nil
	}
	return e
}

// imports reads the file an import or include names, when it may.
func (r *reader) imports(e *element, attribute string) *element {
	to := e.attr(attribute)
	if to == "" {
		return nil
	}
	from := e.file.location
	target := to
	switch {
	case specs.IsURL(to):
	case specs.IsURL(from):
		base, err := url.Parse(from)
		if err != nil {
			return nil
		}
		ref, err := base.Parse(to)
		if err != nil {
			r.Warn("unreadable-file", e.at(), "", "%q is no location", to)
			return nil
		}
		target = ref.String()
	case from == "-":
		r.Warn("not-imported", e.at(), "give the WSDL as a file", "a WSDL from standard input cannot import files; %s is not read", to)
		return nil
	default:
		target = filepath.Join(filepath.Dir(from), filepath.FromSlash(to))
		if filepath.IsAbs(to) {
			target = filepath.Clean(to)
		}
	}
	if r.read[target] {
		return nil
	}
	if !r.allowed(target) {
		r.Warn("not-imported", e.at(), "allow it with --allow-ref, or put it beside the WSDL", "%s is outside of the WSDL's folder and is not read", to)
		return nil
	}
	return r.load(target, e.at())
}

// allowed reports whether an import may reach a location.
func (r *reader) allowed(target string) bool {
	if specs.IsURL(target) {
		u, err := url.Parse(target)
		root, err2 := url.Parse(r.root)
		if err == nil && err2 == nil && specs.IsURL(r.root) && u.Scheme == root.Scheme && u.Host == root.Host {
			return true
		}
		return slices.ContainsFunc(r.options.Allow, func(a string) bool {
			return specs.IsURL(a) && (target == a || strings.HasPrefix(target, strings.TrimSuffix(a, "/")+"/"))
		})
	}
	if specs.IsURL(r.root) {
		return false
	}
	for _, folder := range append([]string{filepath.Dir(r.root)}, r.options.Allow...) {
		base, err1 := filepath.Abs(folder)
		path, err2 := filepath.Abs(target)
		if err1 != nil || err2 != nil {
			continue
		}
		if rel, err := filepath.Rel(base, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// definitions takes what a WSDL declares, and what it imports.
func (r *reader) definitions(d *element) {
	namespace := d.attr("targetNamespace")
	if r.name == "" {
		r.name, r.doc = d.attr("name"), documentation(d)
	}
	for _, c := range d.children {
		if c.name.Space != wsdl {
			continue
		}
		switch c.name.Local {
		case "import":
			switch e := r.imports(c, "location"); {
			case e == nil:
			case e.name.Local == "definitions":
				r.definitions(e)
			case e.name.Local == "schema":
				r.schema(e, "")
			}
		case "types":
			for _, s := range c.all(xsd, "schema") {
				r.schema(s, "")
			}
		case "message", "portType", "binding":
			key := component{c.name.Local, xml.Name{Space: namespace, Local: c.attr("name")}}
			if r.parts[key] == nil {
				r.parts[key] = c
			}
		case "service":
			r.serviceElements = append(r.serviceElements, c)
		}
	}
}

// schema takes the components of a schema and of those it imports.
func (r *reader) schema(s *element, namespace string) {
	if t := s.attr("targetNamespace"); t != "" {
		namespace = t
	}
	r.schemas.add(s, namespace)
	for _, c := range s.children {
		if c.name.Space != xsd {
			continue
		}
		switch c.name.Local {
		case "import":
			if e := r.imports(c, "schemaLocation"); e != nil && e.name.Local == "schema" {
				r.schema(e, "")
			}
		case "include", "redefine":
			if e := r.imports(c, "schemaLocation"); e != nil && e.name.Local == "schema" {
				r.schema(e, namespace)
			}
		}
	}
}

// port is a service at an address.
type port struct {
	binding, portType *element
	version           string // of SOAP
	address           string
	soap              string // namespace of the binding's elements
}

// services makes tools of the operations of all ports. Of several ports for the
// same port type one is taken: SOAP 1.1 before 1.2.
func (r *reader) services() {
	var ports []port
	for _, s := range r.serviceElements {
		if r.doc == "" {
			r.doc = documentation(s)
		}
		for _, p := range s.all(wsdl, "port") {
			b := r.parts[component{"binding", p.qname("binding")}]
			if b == nil {
				r.Warn("unknown-binding", p.at(), "", "the binding %s is declared nowhere that was read", p.attr("binding"))
				continue
			}
			q := port{binding: b, portType: r.parts[component{"portType", b.qname("type")}]}
			switch {
			case b.first(soap11, "binding") != nil:
				q.version, q.soap = "1.1", soap11
			case b.first(soap12, "binding") != nil:
				q.version, q.soap = "1.2", soap12
			default:
				continue // HTTP and other bindings
			}
			q.address = p.first(q.soap, "address").attr("location")
			if q.portType == nil {
				r.Warn("unknown-port-type", b.at(), "", "the port type %s is declared nowhere that was read", b.attr("type"))
				continue
			}
			i := slices.IndexFunc(ports, func(o port) bool { return o.portType == q.portType })
			switch {
			case i < 0:
				ports = append(ports, q)
			case ports[i].version == "1.2" && q.version == "1.1":
				ports[i] = q
			}
		}
	}
	s := r.Spec
	if s.Name = imported.Snake(r.name); s.Name == "" && len(r.serviceElements) > 0 {
		s.Name = imported.Snake(r.serviceElements[0].attr("name"))
	}
	if s.Name == "" {
		s.Name = "soap"
	}
	s.Instructions = r.doc
	s.Origin = "Made of a WSDL. Look through names and descriptions: they are all that a model sees."
	for _, p := range ports {
		r.port(p)
	}
}

func (r *reader) port(p port) {
	if !specs.IsURL(p.address) {
		r.Warn("no-address", p.binding.at(), "write the real one into base_url", "the WSDL does not say over HTTP where the service is; base_url is http://localhost")
		p.address = "http://localhost/"
	}
	var refs *imported.Refs
	u := refs.URL(p.address, "http")
	if u.Base == nil {
		r.Warn("no-address", p.binding.at(), "write the real one into base_url", "the address of the service is no URL of HTTP; base_url is http://localhost")
		u = refs.URL("http://localhost/", "http")
	}
	api := r.API(u.Base, imported.HostName(u.Host), nil)
	style := p.binding.first(p.soap, "binding").attr("style")
	if t := p.binding.first(p.soap, "binding").attr("transport"); t != "" && !strings.Contains(t, "http") {
		r.Warn("not-imported", p.binding.at(), "", "the binding %s uses the transport %s", p.binding.attr("name"), t)
		return
	}
	for _, op := range p.binding.all(wsdl, "operation") {
		if len(r.Spec.Tools) == maxOperations {
			r.Warn("not-imported", op.at(), "", "there are more than %d operations; the rest is not imported", maxOperations)
			return
		}
		i := slices.IndexFunc(p.portType.children, func(e *element) bool {
			return e.name.Space == wsdl && e.name.Local == "operation" && e.attr("name") == op.attr("name")
		})
		if i < 0 {
			r.Warn("unknown-operation", op.at(), "", "the operation %s is not in the port type", op.attr("name"))
			continue
		}
		r.operation(p, api, u, op, p.portType.children[i], style)
	}
}

// operation makes a tool of an operation of a binding and a port type.
func (r *reader) operation(p port, api *imported.API, u imported.URL, op, abstract *element, style string) {
	name := op.attr("name")
	settings := op.first(p.soap, "operation")
	if s := settings.attr("style"); s != "" {
		style = s
	}
	body := op.first(wsdl, "input").first(p.soap, "body")
	if body.attr("use") == "encoded" {
		r.Warn("soap-encoding", op.at(), "write the request by hand, or ask the service for document/literal", "the operation %s uses SOAP's own encoding (rpc/encoded) and is not imported", name)
		return
	}
	message := r.message(abstract.first(wsdl, "input"))
	if message == nil {
		r.Warn("unknown-message", abstract.at(), "", "the input message of the operation %s is declared nowhere that was read", name)
		return
	}
	x := r.expand()
	root := x.body(message, body, style == "rpc", name)
	if root == nil {
		return
	}
	t := &imported.Tool{Name: r.ToolName(name), Title: name, Description: documentation(abstract), API: api}
	if t.Description == "" {
		t.Description = sentence(name)
	}
	if root.doc != "" {
		t.Description += "\n\n" + root.doc
	}
	m := &messageInputs{tool: t, taken: map[string]bool{}}
	soap := &imported.SOAP{Version: p.version, Action: settings.attr("soapAction")}
	if strings.ContainsFunc(soap.Action, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
		r.Warn("invalid-action", settings.at(), "", "the action of %s is no URI and is left out", name)
		soap.Action = ""
	}
	soap.Body = []*imported.Element{m.write(root)}
	for _, h := range op.first(wsdl, "input").all(p.soap, "header") {
		if e := r.header(x, h, m); e != nil {
			soap.Header = append(soap.Header, e)
		}
	}
	r.total -= min(maxParts-x.left, r.total)
	if x.left < 0 {
		r.Warn("too-large", op.at(), "write what is missing into the request by hand", "the message of the operation %s has more than %d parts, or the WSDL more than %d; the rest is left out", name, maxParts, maxTotal)
	}
	t.Request = imported.Request{Method: "POST", Path: imported.PathOf(u.Path), SOAP: soap}
	for _, q := range u.Query {
		t.Request.Query = append(t.Request.Query, imported.Entry{Name: q.Name, Value: q.Value})
	}
	if out := r.message(abstract.first(wsdl, "output")); out != nil {
		y := r.expand()
		if answer := y.body(out, op.first(wsdl, "output").first(p.soap, "body"), style == "rpc", name+"Response"); answer != nil {
			t.Response = response(answer)
		}
	}
	r.Spec.Tools = append(r.Spec.Tools, t)
}

// sentence makes words of the name of an operation: GetOrder is "Get order."
func sentence(name string) string {
	s := strings.ReplaceAll(imported.Snake(name), "_", " ")
	if s == "" {
		return name
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func (r *reader) message(of *element) *element {
	if of == nil {
		return nil
	}
	return r.parts[component{"message", of.qname("message")}]
}

// body is the element a SOAP body holds. Nil: there is none that can be written,
// which has been reported.
func (x *expansion) body(message, binding *element, rpc bool, name string) *part {
	parts := message.all(wsdl, "part")
	if only := strings.Fields(binding.attr("parts")); len(only) > 0 {
		parts = slices.DeleteFunc(slices.Clone(parts), func(p *element) bool { return !slices.Contains(only, p.attr("name")) })
	}
	if rpc {
		root := &part{name: name, space: binding.attr("namespace"), min: 1}
		for _, p := range parts {
			if q := x.part(p); x.named(q, p) {
				root.parts = append(root.parts, q)
			}
		}
		if !x.named(root, message) {
			return nil
		}
		return root
	}
	if len(parts) == 0 {
		x.Warn("empty-body", message.at(), "", "the message %s has no part", message.attr("name"))
		return nil
	}
	for _, p := range parts {
		if p.attr("element") != "" {
			if q := x.part(p); x.named(q, p) {
				return q
			}
			return nil
		}
	}
	x.Warn("not-imported", parts[0].at(), "write the request by hand", "the part %s has a type where document style wants an element", parts[0].attr("name"))
	return nil
}

// part is a part of a message.
func (x *expansion) part(p *element) *part {
	if ref := p.qname("element"); ref.Local != "" {
		if e, schema := x.global("element", ref); e != nil {
			out := x.elementPart(e, schema, ref.Space)
			out.min, out.list = 1, false
			return out
		}
		x.Warn("unknown-element", p.at(), "", "the element %s is declared nowhere that was read", p.attr("element"))
		return &part{name: ref.Local, space: ref.Space, min: 1}
	}
	out := &part{name: p.attr("name"), min: 1, doc: documentation(p)}
	x.left--
	x.typed(out, p.qname("type"), p)
	return out
}

// header is an element of the SOAP header. Its passwords and tokens are secrets;
// the rest are inputs.
func (r *reader) header(x *expansion, h *element, m *messageInputs) *imported.Element {
	message := r.parts[component{"message", h.qname("message")}]
	for _, p := range message.all(wsdl, "part") {
		if p.attr("name") != h.attr("part") {
			continue
		}
		m.secret = func(name string) *specs.Expr {
			return r.Secret("The SOAP header "+name+" of "+r.Spec.Name, r.Spec.Name+"_"+name, "")
		}
		defer func() { m.secret = nil }()
		if q := x.part(p); x.named(q, p) {
			return m.write(q)
		}
		return nil
	}
	r.Warn("unknown-message", h.at(), "", "the message of a SOAP header is declared nowhere that was read")
	return nil
}

// messageInputs makes inputs of the parts of messages.
type messageInputs struct {
	tool   *imported.Tool
	taken  map[string]bool
	secret func(name string) *specs.Expr // set in a header
}

func (m *messageInputs) write(root *part) *imported.Element {
	w := &writer{}
	return w.root(root, m.whole(root), m.top)
}

// whole is the value of an element with simple content.
func (m *messageInputs) whole(root *part) *specs.Expr {
	if root.simple == nil || len(root.parts) > 0 {
		return nil
	}
	return m.input(root.name, root)
}

// top is the value of a part of the outermost element.
func (m *messageInputs) top(q *part) *specs.Expr {
	if q.simple == nil && q.name == "value" && len(q.parts) == 0 && !q.attribute {
		q.simple = typeSchema("string")
	}
	if m.secret != nil && len(q.parts) == 0 && imported.IsSecretName(q.name) {
		return m.secret(q.name)
	}
	return m.input(q.name, q)
}

func (m *messageInputs) input(name string, q *part) *specs.Expr {
	name = imported.Identifier(name, "value")
	for base, i := name, 2; m.taken[name]; i++ {
		name = fmt.Sprintf("%.60s_%d", base, i)
	}
	m.taken[name] = true
	schema := q.schema()
	in := &imported.Input{Name: name, Description: join(q.doc, schema.Get("description").Str()), Schema: schema, Optional: q.min == 0}
	schema.Delete("description")
	m.tool.Inputs = append(m.tool.Inputs, in)
	return imported.Arg(name)
}

// response says how an answer is read: elements that are lists, and whose text is
// a number.
func response(root *part) *imported.Response {
	r := &imported.Response{Kind: "soap"}
	path := []string{root.name}
	p := root
	for len(p.parts) == 1 && !p.parts[0].attribute && p.simple == nil && len(path) < 4 {
		p = p.parts[0]
		path = append(path, p.name)
		if p.list {
			break
		}
	}
	if !slices.ContainsFunc(path, func(s string) bool { return strings.ContainsAny(s, ".'[]*") }) {
		r.Root = strings.Join(path, ".")
	}
	types := map[string]string{}
	var order []string
	var visit func(p *part)
	visit = func(p *part) {
		if p.list && !slices.Contains(r.Lists, p.name) {
			r.Lists = append(r.Lists, p.name)
		}
		if p.simple != nil {
			name := p.name
			if p.attribute {
				name = "@" + name
			}
			if len(p.parts) > 0 {
				name = "" // its text is called #text
			}
			word := map[string]string{"integer": "integer", "number": "number", "boolean": "bool"}[p.simple.Get("type").Str()]
			if before, seen := types[name]; seen && before != word {
				word = "" // one name, two types
			} else if !seen {
				order = append(order, name)
			}
			types[name] = word
		}
		for _, q := range p.parts {
			visit(q)
		}
	}
	visit(root)
	for _, name := range order {
		if name != "" && types[name] != "" {
			r.Types = append(r.Types, imported.Entry{Name: name, Value: imported.Text(types[name])})
		}
	}
	return r
}
