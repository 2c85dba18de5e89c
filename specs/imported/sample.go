package imported

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Sample is one request as somebody sent or described it. Values are constants
// where they were written out; references to variables and arguments are kept.
type Sample struct {
	Name, Title, Description string      // of the tool; a name is made of method and path when there is none
	Base                     *specs.Expr // scheme, host and port of the URL
	Host                     string      // for messages and names; "" when it is a reference
	Service                  string      // the wish for the name of the api; "" is made of the host
	Auth                     *Auth
	Method                   string
	Path                     []Segment
	Query                    []Field
	Headers                  []Field
	Body                     Body
	Inputs                   []*Input // that the values refer to
	Range                    diag.Range
}

// Segment is a part of the path between two slashes.
type Segment struct {
	Name        string // of its parameter, where it is known to be one
	Description string
	Value       *specs.Expr // text as it is sent, percent-encoded
}

// Field is a query parameter, header, form field or part.
type Field struct {
	Name        string
	Value       *specs.Expr
	Description string
	Off         bool // described, but not sent
	File        bool // a file part
	Range       diag.Range
}

// Body is a request body.
type Body struct {
	Kind   string // "", json, form, multipart, xml, text or bytes
	Media  string // content type to be sent, when the kind's own is not it
	Value  *specs.Expr
	Fields []Field // form, multipart
}

// noise are headers that belong to the connection, the browser or the recording
// tool and say nothing about the request.
var noise = regexp.MustCompile(`(?i)^(:.*|host|connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|upgrade-insecure-requests|content-length|accept-encoding|accept-language` +
	`|user-agent|referer|origin|dnt|pragma|cache-control|priority|sec-.*|if-(none-match|modified-since)|save-data|viewport-width|device-memory|downlink|rtt|postman-token|traceparent|tracestate|x-b3-.*|x-requested-with|x-postman-.*|expect|via|forwarded|x-forwarded-.*)$`)

// Credential takes the credential out of headers: what remains are the headers
// of the request, and the content type.
func (b *Builder) Credential(host string, headers []Field) (auth *Auth, rest []Field, media string) {
	for _, h := range headers {
		value, isConst := ConstText(h.Value)
		lower := strings.ToLower(h.Name)
		of := "The header " + h.Name + " of " + Whose(host)
		switch {
		case h.Off || !IsToken(h.Name) || noise.MatchString(h.Name):
			if isConst && IsSecretName(h.Name) {
				b.Hide(value)
			}
			continue
		case isConst && strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			b.Warn("not-imported", h.Range, "", "the header %s holds a control character and is left out", h.Name)
			continue
		case lower == "content-type":
			media = value
			continue
		case lower == "authorization" && auth == nil:
			auth = b.authorization(of, HostName(host), h.Value)
			continue
		case isConst && value != "" && (IsSecretName(h.Name) || IsSecretValue(value)):
			h.Value = b.Secret(of, h.Name, value)
			if auth == nil && lower != "cookie" {
				auth = &Auth{Kind: "api_key", In: "header", Param: h.Name, Value: h.Value}
				continue
			}
		case lower == "accept" && isConst && (strings.Contains(value, "*/*") || strings.Contains(value, "text/html")):
			continue
		}
		rest = append(rest, h)
	}
	return auth, rest, media
}

// Whose is a host in a sentence.
func Whose(host string) string {
	if host == "" {
		return "the service"
	}
	return host
}

// authorization reads the value of an Authorization header.
func (b *Builder) authorization(of, service string, x *specs.Expr) *Auth {
	value, isConst := ConstText(x)
	if !isConst {
		if x.Op == specs.ExprTemplate && len(x.Args) == 2 {
			if scheme, _ := ConstText(x.Args[0]); strings.EqualFold(strings.TrimSpace(scheme), "bearer") {
				return &Auth{Kind: "bearer", Value: x.Args[1]}
			}
		}
		return &Auth{Kind: "api_key", In: "header", Param: "Authorization", Value: x}
	}
	scheme, token, _ := strings.Cut(value, " ")
	token = strings.TrimSpace(token)
	switch strings.ToLower(scheme) {
	case "bearer":
		return &Auth{Kind: "bearer", Value: b.Secret(of, service+"_token", token)}
	case "basic":
		if text, err := base64.StdEncoding.DecodeString(token); err == nil {
			b.Hide(token)
			user, password, _ := strings.Cut(string(text), ":")
			return b.Basic(of, service, user, password)
		}
	}
	b.Hide(token)
	return &Auth{Kind: "api_key", In: "header", Param: "Authorization", Value: b.Secret(of, service+"_authorization", value)}
}

// Basic is the credential of a user and a password. Some services take a key as
// the user's name and no password.
func (b *Builder) Basic(of, service, user, password string) *Auth {
	if password == "" && user != "" {
		return &Auth{Kind: "basic", Username: b.Secret(of, service+"_key", user), Value: Text("")}
	}
	b.Hide(base64.StdEncoding.EncodeToString([]byte(user + ":" + password)))
	return &Auth{Kind: "basic", Username: Text(user), Value: b.Secret(of, service+"_password", password)}
}

// identifierLike are segments of a path that name one thing among many: numbers,
// UUIDs, hashes, dates, addresses, and long texts with digits in them.
var identifierLike = regexp.MustCompile(`^(\d+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|\d{4}-\d\d-\d\d.*|[^@]+(@|%40)[^@]+\.[a-z]+|[A-Z]{1,5}-?\d+)$`)

var version = regexp.MustCompile(`^(api|rest|v\d+([._]\d+)*)$`)

// IsIdentifier guesses whether a segment of a path names one thing among many.
func IsIdentifier(segment string) bool {
	if version.MatchString(segment) {
		return false
	}
	return identifierLike.MatchString(segment) || len(segment) >= 18 && strings.ContainsAny(segment, "0123456789") && !strings.ContainsAny(segment, ".-_") || IsSecretValue(segment)
}

// Group is a text that is the same for samples that one tool stands for.
func (s *Sample) Group() string {
	var b strings.Builder
	b.WriteString(s.Method + " " + apiKey(s.Base, s.Auth))
	for _, p := range s.Path {
		if v, ok := ConstText(p.Value); ok && p.Name == "" && !IsIdentifier(v) {
			b.WriteString("/" + v)
		} else {
			b.WriteString("/{}")
		}
	}
	b.WriteString(" " + s.Body.Kind)
	if s.Body.Kind == "json" {
		if query := graphQL(s.Body.Value); query != "" {
			b.WriteString(" " + query) // every query is an operation of its own
		}
	}
	return b.String()
}

var graphQLStart = regexp.MustCompile(`^\s*(#.*\n\s*)*(query|mutation|subscription|fragment|\{)`)

// graphQL is the query of a GraphQL request, or "" for other bodies.
func graphQL(x *specs.Expr) string {
	entries, _ := membersOf(x)
	query := ""
	for _, e := range entries {
		if text, ok := ConstText(e.Value); e.Name == "query" && ok && graphQLStart.MatchString(text) {
			query = text
		} else if !slices.Contains([]string{"query", "variables", "operationName", "extensions"}, e.Name) {
			return ""
		}
	}
	return query
}

// maker makes the tool of some samples.
type maker struct {
	*Builder
	tool  *Tool
	names names
	total int  // samples
	safe  bool // GET and HEAD: what was sent can be sent again
	host  string
}

// Tool makes a tool of samples of one [Sample.Group] and adds it to the spec.
// What differs between samples is an input. Of a single sample every value of
// the query and the body is one: for GET and HEAD what was sent is its default,
// for other methods it is an example, because nobody wants to send it twice.
func (b *Builder) Tool(samples ...*Sample) *Tool {
	first := samples[0]
	service := first.Service
	if service == "" {
		service = HostName(first.Host)
	}
	m := &maker{Builder: b, names: names{}, total: len(samples), safe: first.Method == "GET" || first.Method == "HEAD", host: first.Host,
		tool: &Tool{Title: first.Title, Description: first.Description, API: b.API(first.Base, service, first.Auth), Request: Request{Method: first.Method}}}
	for _, in := range first.Inputs {
		m.names[in.Name] = true
		m.tool.Inputs = append(m.tool.Inputs, in)
	}
	words := m.path(samples)
	r := &m.tool.Request
	r.Query = m.fields("query", fieldsOf(samples, func(s *Sample) []Field { return s.Query }))
	r.Headers = m.fields("header", fieldsOf(samples, func(s *Sample) []Field { return s.Headers }))
	m.body(samples)
	name := first.Name
	if name == "" {
		name = strings.ToLower(first.Method) + "_" + words
	}
	if name = Snake(name); name == "" {
		name = "request"
	}
	m.tool.Name = b.tools.pick(name)
	if m.tool.Description == "" {
		m.tool.Description = r.Method + " " + r.Path + " of " + Whose(first.Host) + "."
	}
	m.dropUnused()
	b.Spec.Tools = append(b.Spec.Tools, m.tool)
	return m.tool
}

// ToolName gives out a name for a tool that is not made of samples.
func (b *Builder) ToolName(want string) string {
	if want = Snake(want); want == "" {
		want = "tool"
	}
	return b.tools.pick(want)
}

// path writes the path and returns the words a name is made of.
func (m *maker) path(samples []*Sample) (words string) {
	var path strings.Builder
	var list []string
	before := ""
	for i, seg := range samples[0].Path {
		var values []*specs.Expr
		for _, s := range samples {
			values = append(values, s.Path[i].Value)
		}
		path.WriteByte('/')
		text, isConst := ConstText(seg.Value)
		if isConst && seg.Name == "" && !IsIdentifier(text) && same(values) {
			path.WriteString(escapeSegment(text))
			if text != "" {
				before = text
				if !version.MatchString(text) {
					list = append(list, text)
				}
			}
			continue
		}
		if !isConst && seg.Name == "" {
			path.WriteString(m.pathTemplate(seg.Value))
			continue
		}
		name := seg.Name
		if name == "" {
			if name = singular(Snake(before)); name == "" {
				name = "id"
			} else {
				name += "_id"
			}
		}
		in := &Input{Name: m.names.pick(Identifier(name, "id")), Description: seg.Description, Schema: stringSchema()}
		integers := true
		for _, v := range values {
			s, ok := ConstText(v)
			if !ok || s == "" {
				integers = false
				continue
			}
			if u, err := url.PathUnescape(s); err == nil {
				s = u
			}
			integers = integers && isInteger(s)
			if IsSecretValue(s) {
				m.Hide(s)
				m.Warn("secret-in-path", samples[0].Range, "a path cannot hold a sensitive variable: the caller gives it, or put it into base_url", "%s has a secret in its path, which became the input %q", m.where(samples[0]), in.Name)
				continue
			}
			in.example(specs.NewString(s))
		}
		if integers && len(values) > 0 {
			in.Schema = typeSchema("integer")
			for _, e := range in.Examples {
				e.Kind = specs.Number
			}
		}
		m.tool.Inputs = append(m.tool.Inputs, in)
		path.WriteString("{" + in.Name + "}")
		list = append(list, "by_"+in.Name)
	}
	if path.Len() == 0 {
		path.WriteByte('/')
	}
	m.tool.Request.Path = path.String()
	if len(list) == 0 {
		return HostName(m.host)
	}
	return strings.Join(list, "_")
}

func (m *maker) where(s *Sample) string {
	if s.Name != "" {
		return s.Name
	}
	return s.Method + " of " + s.Host
}

// pathTemplate writes a segment that has references in it. A variable cannot
// stand in a path, so it becomes an input.
func (m *maker) pathTemplate(x *specs.Expr) string {
	if s, ok := ConstText(x); ok {
		return escapeSegment(s)
	}
	switch x.Op {
	case specs.ExprArg:
		return "{" + x.Name + "}"
	case specs.ExprTemplate:
		var b strings.Builder
		for _, a := range x.Args {
			b.WriteString(m.pathTemplate(a))
		}
		return b.String()
	case specs.ExprGet:
		for _, in := range m.tool.Inputs {
			if in.Name == x.Name {
				return "{" + in.Name + "}"
			}
		}
		in := &Input{Name: m.names.pick(Identifier(x.Name, "value")), Schema: stringSchema()}
		for _, v := range m.Spec.Variables {
			if v.Name == x.Name {
				in.Default, in.Description = v.Default, v.Description
			}
		}
		m.tool.Inputs = append(m.tool.Inputs, in)
		return "{" + in.Name + "}"
	}
	return ""
}

// escapeSegment makes a text safe to stand in the path of a request block.
func escapeSegment(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`{}?#"<>\^|`+"`", c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		case c == '$' && i+1 < len(s) && s[i+1] == '{':
			b.WriteString("%24")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// PathOf is the path of a request block for segments that hold no references.
func PathOf(segments []Segment) string {
	var b strings.Builder
	for _, s := range segments {
		text, _ := ConstText(s.Value)
		b.WriteString("/" + escapeSegment(text))
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// observed is a field as the samples have it.
type observed struct {
	Field
	values []*specs.Expr // one for each sample that has it
}

func fieldsOf(samples []*Sample, of func(*Sample) []Field) []*observed {
	var list []*observed
	for _, s := range samples {
		at := map[string]int{}
		var mine []Field
		for _, f := range of(s) {
			if i, again := at[f.Name]; again && mine[i].Off == f.Off { // a list repeats the name
				if mine[i].Value.Op != specs.ExprList {
					mine[i].Value = List(mine[i].Value)
				}
				mine[i].Value.Args = append(mine[i].Value.Args, f.Value)
				continue
			}
			at[f.Name] = len(mine)
			mine = append(mine, f)
		}
		for _, f := range mine {
			i := slices.IndexFunc(list, func(o *observed) bool { return o.Name == f.Name })
			if i < 0 {
				list = append(list, &observed{Field: f})
				i = len(list) - 1
			}
			list[i].values = append(list[i].values, f.Value)
		}
	}
	return list
}

func (m *maker) fields(place string, list []*observed) []Entry {
	var out []Entry
	for _, f := range list {
		if f.Name == "" {
			continue
		}
		for i, v := range f.values {
			f.values[i] = constList(v)
		}
		if place == "header" {
			if v := f.values[0]; len(f.values) == m.total && same(f.values) {
				out = append(out, Entry{f.Name, v})
			} else {
				m.Warn("header-varies", f.Range, "add it to the request if the service needs it", "the header %s has other values from request to request and was left out", f.Name)
			}
			continue
		}
		out = append(out, Entry{f.Name, m.value(place, f.Name, f)})
	}
	return out
}

// constList makes a constant of a list of constants.
func constList(x *specs.Expr) *specs.Expr {
	if x.Op != specs.ExprList {
		return x
	}
	n := specs.NewArray()
	for _, a := range x.Args {
		if a.Op != specs.ExprConst {
			return x
		}
		n.Fields = append(n.Fields, specs.F("", a.Value))
	}
	return Const(n)
}

// FileBody is a body that is the content of a file, which the caller gives.
func (s *Sample) FileBody(media string) {
	s.Inputs = append(s.Inputs, &Input{Name: "file", File: true})
	s.Body = Body{Kind: "bytes", Media: mediaType(media), Value: Arg("file")}
}

// value decides what is sent for a field: what was sent, a secret, or an input,
// whose name is made of path.
func (m *maker) value(place, path string, f *observed) *specs.Expr {
	v := f.values[0]
	if x := m.secretly(place, path, f.Name, v, len(f.values) > 1); x != nil {
		for _, other := range f.values[1:] {
			m.secretly(place, path, f.Name, other, true)
		}
		return x
	}
	switch {
	case !allConst(f.values):
		entries, ok := membersOf(v)
		if !ok {
			return v
		}
		for i, e := range entries {
			entries[i].Value = m.value(place, path+"_"+e.Name, &observed{Field: Field{Name: e.Name}, values: []*specs.Expr{e.Value}})
		}
		return Object(entries)
	case m.total > 1 && len(f.values) == m.total && same(f.values):
		return v
	}
	in := &Input{Name: m.names.pick(Identifier(path, "value")), Description: f.Description}
	var types []*specs.Node
	null := false
	for _, v := range f.values {
		if v.Value.Kind == specs.Null {
			null = true
			continue
		}
		types = append(types, v.Value)
		if !f.Off || v.Value.Text != "" || v.Value.Kind >= specs.Array {
			in.example(v.Value)
		}
	}
	if place != "json" {
		types = plain(types, in)
	}
	in.Schema = SchemaOf(types)
	switch {
	case f.Off || null || len(f.values) < m.total && place != "xml":
		in.Optional = true
	case m.total == 1 && m.safe:
		if in.Default = f.values[0].Value; len(types) > 0 {
			in.Default = types[0]
		}
		in.Examples = nil
	}
	m.tool.Inputs = append(m.tool.Inputs, in)
	return Arg(in.Name)
}

// plain reads the texts of a query or form as numbers or booleans when all of
// them are written like that.
func plain(values []*specs.Node, in *Input) []*specs.Node {
	kind := specs.String
	for i, v := range values {
		k := specs.String
		switch {
		case v.Kind != specs.String:
			return values
		case isInteger(v.Text):
			k = specs.Number
		case v.Text == "true" || v.Text == "false":
			k = specs.Bool
		}
		if i > 0 && k != kind {
			return values
		}
		kind = k
	}
	out := make([]*specs.Node, len(values))
	for i, v := range values {
		out[i] = &specs.Node{Kind: kind, Text: v.Text}
	}
	for _, e := range in.Examples {
		e.Kind = kind
	}
	return out
}

// secretly returns what stands for a value that is a secret or holds one, and
// nil for others.
func (m *maker) secretly(place, path, name string, x *specs.Expr, several bool) *specs.Expr {
	if x.Op != specs.ExprConst {
		return nil
	}
	switch n := x.Value; n.Kind {
	case specs.String, specs.Number:
		named := IsSecretName(name) || place == "query" && strings.EqualFold(name, "key")
		if n.Text == "" || !named && !IsSecretValue(n.Text) {
			return nil
		}
		return m.Secret("The "+place+" value "+name+" of "+Whose(m.host), HostName(m.host)+"_"+name, n.Text)
	case specs.Object:
		if !HoldsSecret(n) {
			return nil
		}
		if several {
			m.hideAll(n, "")
		}
		var entries []Entry
		for _, f := range n.Fields {
			v := m.secretly(place, path+"_"+f.Key, f.Key, Const(f.Value), several)
			switch {
			case v != nil:
			case len(n.Fields) > maxMembers:
				v = Const(f.Value)
			default:
				v = m.value(place, path+"_"+f.Key, &observed{Field: Field{Name: f.Key}, values: repeat(Const(f.Value), m.total)})
			}
			entries = append(entries, Entry{f.Key, v})
		}
		return Object(entries)
	case specs.Array:
		if !HoldsSecret(n) {
			return nil
		}
		l := List()
		for _, f := range n.Fields {
			v := m.secretly(place, path, name, Const(f.Value), several)
			if v == nil {
				v = Const(f.Value)
			}
			l.Args = append(l.Args, v)
		}
		return l
	}
	return nil
}

func repeat(x *specs.Expr, n int) []*specs.Expr {
	list := make([]*specs.Expr, n)
	for i := range list {
		list[i] = x
	}
	return list
}

func (m *maker) hideAll(n *specs.Node, name string) {
	if n.Kind == specs.String && (IsSecretName(name) || IsSecretValue(n.Text)) {
		m.Hide(n.Text)
	}
	for _, f := range n.Fields {
		m.hideAll(f.Value, f.Key)
	}
}

// HoldsSecret reports whether something in a value is a secret, by its name or by
// what it looks like.
func HoldsSecret(n *specs.Node) bool { return holdsSecret(n, 0) }

func holdsSecret(n *specs.Node, depth int) bool {
	for _, f := range n.Fields {
		v := f.Value
		if v.Kind == specs.String && v.Text != "" && (IsSecretName(f.Key) || IsSecretValue(v.Text)) || depth < 100 && holdsSecret(v, depth+1) {
			return true
		}
	}
	return false
}

func (m *maker) body(samples []*Sample) {
	r := &m.tool.Request
	first := &samples[0].Body
	r.ContentType = mediaType(first.Media)
	switch first.Kind {
	case "json":
		r.JSON = m.json(samples)
	case "form":
		r.Form = orEmpty(m.fields("form", fieldsOf(samples, func(s *Sample) []Field { return s.Body.Fields })))
	case "multipart":
		r.Multipart = orEmpty(m.parts(samples))
	case "xml":
		r.XML = m.xml(first.Value)
	case "text":
		var values []*specs.Expr
		for _, s := range samples {
			values = append(values, s.Body.Value)
		}
		r.Text = m.value("text", "body", &observed{Field: Field{Name: "body"}, values: values})
	case "bytes":
		if r.Bytes = first.Value; r.Bytes.Op == specs.ExprConst {
			in := &Input{Name: m.names.pick("file"), File: true}
			m.tool.Inputs = append(m.tool.Inputs, in)
			r.Bytes = Arg(in.Name)
		}
	}
}

func orEmpty(list []Entry) []Entry {
	if list == nil {
		return []Entry{}
	}
	return list
}

// maxMembers is the most members of an object that become inputs one by one.
const maxMembers = 300

// json makes an input of every member of an object, and one of any other value.
func (m *maker) json(samples []*Sample) *specs.Expr {
	var values []*specs.Expr
	objects := true
	for _, s := range samples {
		values = append(values, s.Body.Value)
		entries, ok := membersOf(s.Body.Value)
		objects = objects && ok && len(entries) <= maxMembers
	}
	if !objects {
		return m.value("json", "body", &observed{Field: Field{Name: "body"}, values: values})
	}
	list := fieldsOf(samples, func(s *Sample) []Field {
		entries, _ := membersOf(s.Body.Value)
		var out []Field
		for _, e := range entries {
			out = append(out, Field{Name: e.Name, Value: e.Value})
		}
		return out
	})
	var out []Entry
	var optional []*specs.Expr
	query := graphQL(values[0])
	for _, f := range list {
		if query == "" {
			v := m.value("json", f.Name, f)
			if len(f.values) < m.total && v.Op == specs.ExprArg { // null would be sent
				null := Const(&specs.Node{})
				optional = append(optional, &specs.Expr{Op: specs.ExprCond, Args: []*specs.Expr{Call("==", v, null), null, Object([]Entry{{f.Name, v}})}})
				continue
			}
			out = append(out, Entry{f.Name, v})
			continue
		}
		if f.Name != "variables" {
			out = append(out, Entry{f.Name, f.values[0]})
			continue
		}
		members := fieldsOf(samples, func(s *Sample) []Field {
			var out []Field
			whole, _ := membersOf(s.Body.Value)
			for _, w := range whole {
				entries, _ := membersOf(w.Value)
				for _, e := range entries {
					if w.Name == "variables" {
						out = append(out, Field{Name: e.Name, Value: e.Value})
					}
				}
			}
			return out
		})
		var variables []Entry
		for _, v := range members {
			variables = append(variables, Entry{v.Name, m.value("json", v.Name, v)})
		}
		out = append(out, Entry{f.Name, Object(variables)})
	}
	switch {
	case len(optional) == 0:
	case len(out) == 0:
		return Call("merge", optional...)
	default:
		return Call("merge", append([]*specs.Expr{Object(out)}, optional...)...)
	}
	return Object(out)
}

// parts makes a file input of every file part.
func (m *maker) parts(samples []*Sample) []Entry {
	var out []Entry
	for _, f := range fieldsOf(samples, func(s *Sample) []Field { return s.Body.Fields }) {
		if !f.File {
			out = append(out, m.fields("multipart", []*observed{f})...)
			continue
		}
		in := &Input{Name: m.names.pick(Identifier(f.Name, "file")), Description: f.Description, File: true, Optional: len(f.values) < m.total || f.Off}
		m.tool.Inputs = append(m.tool.Inputs, in)
		out = append(out, Entry{f.Name, Arg(in.Name)})
	}
	return out
}

// membersOf are the members of an object, constant or not.
func membersOf(x *specs.Expr) ([]Entry, bool) {
	switch {
	case x == nil:
	case x.Op == specs.ExprObject:
		var out []Entry
		for i := 0; i+1 < len(x.Args); i += 2 {
			name, ok := ConstText(x.Args[i])
			if !ok {
				return nil, false
			}
			out = append(out, Entry{name, x.Args[i+1]})
		}
		return out, true
	case x.Op == specs.ExprConst && x.Value.Kind == specs.Object:
		out := []Entry{}
		seen := map[string]bool{}
		for _, f := range x.Value.Fields {
			if !seen[f.Key] {
				out = append(out, Entry{f.Key, Const(f.Value)})
			}
			seen[f.Key] = true
		}
		return out, true
	}
	return nil, false
}

func allConst(list []*specs.Expr) bool {
	return !slices.ContainsFunc(list, func(x *specs.Expr) bool { return x.Op != specs.ExprConst })
}

func same(list []*specs.Expr) bool {
	for _, x := range list[1:] {
		if exprKey(x) != exprKey(list[0]) {
			return false
		}
	}
	return true
}

// dropUnused removes inputs that nothing refers to.
func (m *maker) dropUnused() {
	used := map[string]bool{}
	r := &m.tool.Request
	for _, p := range regexp.MustCompile(`\{([^{}]*)\}`).FindAllStringSubmatch(r.Path, -1) {
		used[p[1]] = true
	}
	var visit func(x *specs.Expr)
	visit = func(x *specs.Expr) {
		if x == nil {
			return
		}
		if x.Op == specs.ExprArg {
			used[x.Name] = true
		}
		for _, a := range x.Args {
			visit(a)
		}
	}
	for _, list := range [][]Entry{r.Query, r.Headers, r.Cookies, r.Form, r.Multipart} {
		for _, e := range list {
			visit(e.Value)
		}
	}
	for _, x := range []*specs.Expr{r.JSON, r.XML, r.Text, r.Bytes} {
		visit(x)
	}
	m.tool.Inputs = slices.DeleteFunc(m.tool.Inputs, func(in *Input) bool { return !used[in.Name] })
}
