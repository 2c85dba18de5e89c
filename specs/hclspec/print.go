package hclspec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// printWidth is the length in bytes above which an object is written one member
// a line.
const printWidth = 90

// Print writes an imported spec as HCL in its canonical layout. All texts of it
// are a stranger's; whatever they hold, the result reads back as these texts.
func Print(s *imported.Spec) []byte {
	p := &printer{b: &strings.Builder{}, apis: len(s.APIs)}
	if s.Origin != "" {
		p.line("# %s", strings.Map(func(c rune) rune {
			if c < ' ' || c == 0x7f || c == utf8.RuneError {
				return ' '
			}
			return c
		}, s.Origin))
		p.line("")
	}
	p.block("server "+quote(s.Name), func() {
		p.attr("title", optionalText(s.Title))
		p.attr("version", optionalText(s.Version))
		p.attr("instructions", optionalText(s.Instructions))
	})
	for _, v := range s.Variables {
		p.line("")
		p.variable(v)
	}
	for _, a := range s.APIs {
		p.line("")
		p.api(a)
	}
	for _, t := range s.Tools {
		p.line("")
		p.tool(t)
	}
	text, diags := Format(&diag.Source{Name: "imported", Text: []byte(p.b.String())})
	if diags.HasErrors() {
		// A mistake of the printer. What was printed says more than nothing.
		return []byte(p.b.String())
	}
	return text
}

type printer struct {
	b     *strings.Builder
	depth int
	apis  int
}

func (p *printer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		p.b.WriteString(strings.Repeat("  ", p.depth))
	}
	p.b.WriteString(text + "\n")
}

// block writes a block. Without anything in it, or with one attribute, it stands
// on one line.
func (p *printer) block(head string, body func()) {
	outer := p.b
	p.b, p.depth = &strings.Builder{}, p.depth+1
	body()
	text := p.b.String()
	p.b, p.depth = outer, p.depth-1
	one := strings.TrimSpace(text)
	switch {
	case one == "":
		p.line("%s {}", head)
	case !strings.Contains(one, "\n") && len(head)+len(one) < printWidth && !strings.HasSuffix(one, "}") && !strings.HasPrefix(one, "#"):
		p.line("%s { %s }", head, one)
	default:
		p.line("%s {", head)
		p.b.WriteString(strings.TrimLeft(text, "\n"))
		p.line("}")
	}
}

// attr writes an attribute whose value is HCL already; "" writes none.
func (p *printer) attr(name, value string) {
	if value != "" {
		p.line("%s = %s", name, value)
	}
}

func optionalText(s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return quote(s)
}

func (p *printer) variable(v *imported.Variable) {
	p.block("variable "+quote(v.Name), func() {
		p.attr("description", optionalText(v.Description))
		if v.Sensitive {
			p.attr("type", "string")
			p.attr("sensitive", "true")
			if v.Env != "" {
				p.attr("env", quote(v.Env))
			}
			return
		}
		if v.Default != nil {
			p.attr("default", p.node(v.Default))
		} else {
			p.attr("type", "string")
		}
	})
}

func (p *printer) api(a *imported.API) {
	p.block("api "+quote(a.Name), func() {
		p.attr("openapi", optionalText(a.OpenAPI))
		if a.BaseURL != nil {
			p.attr("base_url", p.expr(a.BaseURL))
		}
		if c := a.Auth; c != nil {
			switch c.Kind {
			case "bearer":
				p.attr("auth", "bearer("+p.expr(c.Value)+")")
			case "basic":
				p.attr("auth", "basic("+p.expr(c.Username)+", "+p.expr(c.Value)+")")
			case "api_key":
				p.attr("auth", "api_key("+quote(c.In)+", "+quote(c.Param)+", "+p.expr(c.Value)+")")
			}
		}
		p.entries("headers", a.Headers)
		if a.OpenAPI != "" {
			p.line("")
			p.line("expose { operations = [\"**\"] }")
		}
	})
}

func (p *printer) tool(t *imported.Tool) {
	p.block("tool "+quote(t.Name), func() {
		if t.Title != "" && t.Title != t.Name {
			p.attr("title", optionalText(t.Title))
		}
		p.attr("description", p.long(t.Description))
		if p.apis > 1 && t.API != nil {
			p.attr("api", "api."+t.API.Name)
		}
		for _, in := range t.Inputs {
			p.line("")
			p.input(in)
		}
		p.line("")
		p.request(&t.Request)
		if t.Response != nil {
			p.response(t.Response)
		}
	})
}

// keywordAttrs are the keywords of schemas that an input block has attributes
// for.
var keywordAttrs = [][2]string{{"pattern", "pattern"}, {"minLength", "min_length"}, {"maxLength", "max_length"}, {"minimum", "minimum"},
	{"maximum", "maximum"}, {"minItems", "min_items"}, {"maxItems", "max_items"}}

func (p *printer) input(in *imported.Input) {
	p.block("input "+quote(in.Name), func() {
		schema := in.Schema.Clone()
		var rules []string
		if schema != nil && plainType(schema) {
			for _, k := range keywordAttrs {
				v := schema.Get(k[0])
				if v == nil {
					continue
				}
				schema.Delete(k[0])
				if k[0] == "pattern" {
					if _, err := regexp.Compile(v.Text); err != nil {
						continue // another dialect
					}
				}
				rules = append(rules, k[1]+" = "+p.node(v))
			}
		}
		if in.File {
			p.attr("type", "file")
		} else {
			p.attr("type", p.schema(schema, 0))
		}
		p.attr("description", p.long(in.Description))
		for _, r := range rules {
			p.line("%s", r)
		}
		if in.Optional && in.Default == nil {
			p.attr("optional", "true")
		}
		if in.Default != nil {
			p.attr("default", p.node(in.Default))
		}
		if len(in.Examples) > 0 && in.Default == nil {
			p.attr("examples", p.node(specs.NewArray(in.Examples...)))
		}
	})
}

// plainType reports whether a schema is one of the language's simple types, for
// which keywords have attributes.
func plainType(n *specs.Node) bool {
	return n.Get("enum") == nil && slices.Contains([]string{"string", "integer", "number", "array"}, n.Get("type").Str())
}

// schema writes a JSON Schema as a type. What the types of the language cannot
// say is written as jsonschema({…}).
func (p *printer) schema(n *specs.Node, depth int) string {
	if n == nil || n.Kind != specs.Object || len(n.Fields) == 0 || depth > maxDepth/4 {
		return "any"
	}
	typ := n.Get("type").Str()
	only := func(keys ...string) bool {
		for _, f := range n.Fields {
			if !slices.Contains(keys, f.Key) && !slices.Contains([]string{"description", "title", "example", "examples", "deprecated"}, f.Key) {
				return false
			}
		}
		return true
	}
	other := func() string { return "jsonschema(" + p.node(n) + ")" }
	switch {
	case n.Has("enum") && only("type", "enum"):
		var words []string
		for _, f := range n.Get("enum").Fields {
			if f.Value.Kind != specs.String && f.Value.Kind != specs.Number {
				return other()
			}
			words = append(words, p.node(f.Value))
		}
		if len(words) == 0 {
			return "any"
		}
		return "enum(" + strings.Join(words, ", ") + ")"
	case typ == "string" && n.Has("format") && only("type", "format"):
		if f := n.Get("format").Str(); slices.Contains(formats, f) {
			return "format(" + quote(f) + ")"
		}
		return "string"
	case slices.Contains([]string{"string", "integer", "number", "boolean"}, typ) && only("type"):
		return typeWord(typ)
	case slices.Contains([]string{"integer", "number"}, typ) && only("type", "format"):
		return typ
	case typ == "array" && only("type", "items"):
		return "list(" + p.schema(n.Get("items"), depth+1) + ")"
	case typ == "object" && n.Has("properties") && only("type", "properties", "required", "additionalProperties") && n.Get("additionalProperties") != nil && n.Get("additionalProperties").Text == "false":
		required := map[string]bool{}
		if r := n.Get("required"); r != nil {
			for _, f := range r.Fields {
				required[f.Value.Text] = true
			}
		}
		var members []printed
		for _, f := range n.Get("properties").Fields {
			t := p.schema(f.Value, depth+1)
			if !required[f.Key] {
				t = "optional(" + t + ")"
			}
			members = append(members, printed{f.Key, t})
		}
		return "object(" + p.braces(members) + ")"
	case typ == "object" && only("type", "additionalProperties"):
		if of := n.Get("additionalProperties"); of != nil && of.Kind == specs.Object {
			return "map(" + p.schema(of, depth+1) + ")"
		}
		return "map(any)"
	}
	return other()
}

func (p *printer) request(r *imported.Request) {
	p.block("request "+quote(r.Method)+" "+quote(r.Path), func() {
		p.entries("query", r.Query)
		p.entries("headers", r.Headers)
		p.entries("cookies", r.Cookies)
		p.attr("content_type", optionalText(r.ContentType))
		switch {
		case r.JSON != nil:
			p.attr("json", p.expr(r.JSON))
		case r.Form != nil:
			p.body("form", r.Form)
		case r.Multipart != nil:
			p.body("multipart", r.Multipart)
		case r.XML != nil:
			p.attr("xml", p.document(r.XML, "XML"))
		case r.Text != nil:
			p.attr("text", p.expr(r.Text))
		case r.Bytes != nil:
			p.attr("bytes", p.expr(r.Bytes))
		case r.SOAP != nil:
			p.soap(r.SOAP)
		}
	})
}

func (p *printer) body(name string, list []imported.Entry) {
	if len(list) == 0 {
		p.attr(name, "{}")
		return
	}
	p.entries(name, list)
}

func (p *printer) entries(name string, list []imported.Entry) {
	if len(list) == 0 {
		return
	}
	var members []printed
	for _, e := range list {
		members = append(members, printed{e.Name, p.expr(e.Value)})
	}
	p.attr(name, p.braces(members))
}

func (p *printer) soap(s *imported.SOAP) {
	p.line("soap {")
	p.depth++
	if s.Version != "1.1" {
		p.attr("version", quote(s.Version))
	}
	p.attr("action", optionalText(s.Action))
	p.attr("header", p.elements(s.Header))
	p.attr("xml", p.elements(s.Body))
	p.depth--
	p.line("}")
}

func (p *printer) response(r *imported.Response) {
	p.line("")
	p.block("response "+quote(r.Kind), func() {
		p.attr("root", optionalText(r.Root))
		if len(r.Lists) > 0 {
			var n specs.Node
			n.Kind = specs.Array
			for _, l := range r.Lists {
				n.Fields = append(n.Fields, specs.F("", specs.NewString(l)))
			}
			p.attr("lists", p.node(&n))
		}
		var members []printed
		for _, e := range r.Types {
			t, _ := imported.ConstText(e.Value)
			members = append(members, printed{e.Name, t})
		}
		if len(members) > 0 {
			p.attr("types", p.braces(members))
		}
	})
}

// printed is a member of an object, its value written already.
type printed struct{ name, value string }

// braces writes an object, on one line when it is short.
func (p *printer) braces(members []printed) string {
	if len(members) == 0 {
		return "{}"
	}
	var parts []string
	length := 0
	for _, m := range members {
		part := key(m.name) + " = " + m.value
		length += len(part) + 2
		parts = append(parts, part)
	}
	if one := strings.Join(parts, ", "); length < printWidth && !strings.Contains(one, "\n") {
		return "{ " + one + " }"
	}
	return "{\n" + strings.Join(parts, "\n") + "\n}"
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// key writes the name of a member.
func key(s string) string {
	if plainKey.MatchString(s) && !slices.Contains([]string{"for", "if", "in", "null", "true", "false", "endfor", "endif", "else"}, s) {
		return s
	}
	return quote(s)
}

// quote writes a text in quotes.
func quote(s string) string { return `"` + escape(s) + `"` }

// escape writes a text as it stands between quotes.
func escape(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case (c == '$' || c == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(c)
			b.WriteRune(c)
		case c < ' ' || c == 0x7f || c == utf8.RuneError || c == '\ufeff' || '\u2028' <= c && c <= '\u202e' || '\u2066' <= c && c <= '\u2069' || '\u0080' <= c && c <= '\u009f':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// long writes a description: several lines as a heredoc, which people can read.
func (p *printer) long(s string) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if s == "" {
		return ""
	}
	if !strings.Contains(s, "\n") {
		return quote(s)
	}
	return p.heredoc(imported.Text(s), "EOT")
}

// document writes a text with markup: as a heredoc when it has lines.
func (p *printer) document(x *specs.Expr, word string) string {
	first := x
	if x.Op == specs.ExprTemplate && len(x.Args) > 0 {
		first = x.Args[0]
	}
	if s, ok := imported.ConstText(first); !ok || !strings.Contains(s, "\n") {
		return p.expr(x)
	}
	return p.heredoc(x, word)
}

// heredoc writes a text between markers. White space at its ends is not kept.
// What a heredoc cannot hold is written in quotes.
func (p *printer) heredoc(x *specs.Expr, word string) string {
	parts := []*specs.Expr{x}
	if x.Op == specs.ExprTemplate {
		parts = x.Args
	}
	var b strings.Builder
	for _, part := range parts {
		s, ok := imported.ConstText(part)
		if !ok {
			b.WriteString("${" + p.expr(part) + "}")
			continue
		}
		if strings.ContainsFunc(s, func(c rune) bool {
			return c < ' ' && c != '\n' && c != '\t' || strings.Contains(escape(string(c)), `\u`)
		}) {
			return p.expr(x)
		}
		s = strings.ReplaceAll(s, "${", "$${")
		b.WriteString(strings.ReplaceAll(s, "%{", "%%{"))
	}
	indent := strings.Repeat("  ", p.depth+1)
	var out strings.Builder
	out.WriteString("<<-" + word + "\n")
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		line = strings.TrimRight(line, " \t")
		// A mark that joins the character before it would join the indentation.
		if first, _ := utf8.DecodeRuneInString(line); strings.TrimSpace(line) == word || unicode.Is(unicode.M, first) {
			return p.expr(x)
		}
		if line != "" {
			out.WriteString(indent + line)
		}
		out.WriteByte('\n')
	}
	return out.String() + strings.Repeat("  ", p.depth) + word
}

// node writes a constant.
func (p *printer) node(n *specs.Node) string {
	switch n.Kind {
	case specs.Bool, specs.Number:
		return n.Text
	case specs.String:
		return quote(n.Text)
	case specs.Array:
		var parts []string
		for _, f := range n.Fields {
			parts = append(parts, p.node(f.Value))
		}
		return brackets(parts)
	case specs.Object:
		var members []printed
		seen := map[string]bool{}
		for _, f := range n.Fields {
			if !seen[f.Key] {
				members = append(members, printed{f.Key, p.node(f.Value)})
			}
			seen[f.Key] = true
		}
		return p.braces(members)
	}
	return "null"
}

func brackets(parts []string) string {
	if one := strings.Join(parts, ", "); len(one) < printWidth && !strings.Contains(one, "\n") {
		return "[" + one + "]"
	}
	return "[\n" + strings.Join(parts, ",\n") + ",\n]"
}

// expr writes an expression.
func (p *printer) expr(x *specs.Expr) string {
	sub := func() []string {
		var list []string
		for _, a := range x.Args {
			list = append(list, p.expr(a))
		}
		return list
	}
	switch x.Op {
	case specs.ExprConst:
		return p.node(x.Value)
	case specs.ExprArg:
		return "args." + x.Name
	case specs.ExprVar:
		return x.Name
	case specs.ExprGet:
		if plainKey.MatchString(x.Name) {
			return p.expr(x.Args[0]) + "." + x.Name
		}
		return p.expr(x.Args[0]) + "[" + quote(x.Name) + "]"
	case specs.ExprTemplate:
		var b strings.Builder
		for _, a := range x.Args {
			if s, ok := imported.ConstText(a); ok {
				b.WriteString(escape(s))
			} else {
				b.WriteString("${" + p.expr(a) + "}")
			}
		}
		return `"` + b.String() + `"`
	case specs.ExprCond:
		return p.expr(x.Args[0]) + " ? " + p.expr(x.Args[1]) + " : " + p.expr(x.Args[2])
	case specs.ExprCall:
		if len(x.Args) == 2 && (x.Name == "==" || x.Name == "!=") {
			return p.expr(x.Args[0]) + " " + x.Name + " " + p.expr(x.Args[1])
		}
		args := sub()
		if one := strings.Join(args, ", "); len(one) < printWidth && !strings.Contains(one, "\n") {
			return x.Name + "(" + one + ")"
		}
		return x.Name + "(\n" + strings.Join(args, ",\n") + ",\n)"
	case specs.ExprList:
		return brackets(sub())
	case specs.ExprObject:
		var members []printed
		for i := 0; i+1 < len(x.Args); i += 2 {
			name, _ := imported.ConstText(x.Args[i])
			members = append(members, printed{name, p.expr(x.Args[i+1])})
		}
		return p.braces(members)
	}
	panic(fmt.Sprintf("hclspec: expression %d cannot be printed", x.Op))
}

// elements writes the content of a SOAP body as a template.
func (p *printer) elements(list []*imported.Element) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("<<-XML\n")
	for _, e := range list {
		p.element(&b, e, p.depth+1)
	}
	return b.String() + strings.Repeat("  ", p.depth) + "XML"
}

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;", "${", "$${", "%{", "%%{")

func (p *printer) markup(x *specs.Expr) string {
	parts := []*specs.Expr{x}
	if x.Op == specs.ExprTemplate {
		parts = x.Args
	}
	var b strings.Builder
	for _, part := range parts {
		if s, ok := imported.ConstText(part); ok {
			b.WriteString(xmlEscapes.Replace(s))
		} else {
			b.WriteString("${" + p.expr(part) + "}")
		}
	}
	return b.String()
}

func (p *printer) element(b *strings.Builder, e *imported.Element, depth int) {
	indent := strings.Repeat("  ", depth)
	open := "<" + e.Name
	for _, a := range e.Attrs {
		open += " " + a.Name + `="` + p.markup(a.Value) + `"`
	}
	for _, a := range e.Optional {
		text := a.Name + `="` + p.markup(a.Value) + `"`
		if a.If != nil { // with its space inside, the tag is well-formed either way
			text = "%{ if " + p.expr(a.If) + " != null }" + text + " %{ endif }"
		}
		open += " " + text
	}
	before, after := "", ""
	if e.If != nil {
		before, after = "%{ if "+p.expr(e.If)+" != null }", "%{ endif }"
	}
	if e.Each != nil {
		before += "%{ for " + e.As + " in " + p.expr(e.Each) + " }"
		after = "%{ endfor }" + after
	}
	switch {
	case len(e.Children) > 0:
		b.WriteString(indent + before + open + ">\n")
		for _, c := range e.Children {
			p.element(b, c, depth+1)
		}
		b.WriteString(indent + "</" + e.Name + ">" + after + "\n")
	case e.Text != nil:
		b.WriteString(indent + before + open + ">" + p.markup(e.Text) + "</" + e.Name + ">" + after + "\n")
	default:
		b.WriteString(indent + before + open + "/>" + after + "\n")
	}
}
