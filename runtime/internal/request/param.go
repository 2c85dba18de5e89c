package request

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A parameter's value is written by its style, following RFC 6570 where
// OpenAPI points to it. What the standards leave open is decided so:
//
//   - Not given and null are the same: nothing is sent; a required parameter is
//     refused. allowEmptyValue turns null into "name=".
//   - The empty string is sent, as OpenAPI's table of styles shows.
//   - An empty list or object is not sent when exploded (there is nothing to
//     write) and is an empty value otherwise: leaving it out could turn "none
//     of them" into "all of them". Required or allowEmptyValue: "name=".
//   - null in a list is an empty element. null in an object is left out.
//   - A list or object inside a list or object is written as its JSON text,
//     except in deepObject, where it nests, and in an exploded object, where a
//     list repeats its name.
//   - label without explode joins with commas, as RFC 6570 and OpenAPI 3.0.4 do.

// param is a compiled [plan.Param].
type param struct {
	plan.Param
	source
	where   string   // path, query, header or cookie
	prefix  string   // the encoded name and "=", in a query
	set     *charset // of a value
	element *charset // of an element of a list: without the separators
	json    bool     // of a `content` parameter
}

func compileParam(p plan.Param, where string) (*param, error) {
	fail := func(format string, args ...any) (*param, error) {
		return nil, fmt.Errorf("%s parameter %q: %w", where, p.Name, fmt.Errorf(format, args...))
	}
	src, err := compileSource(p.Arg, p.Value)
	if err != nil {
		return fail("%w", err)
	}
	out := &param{Param: p, source: src, where: where, set: unreserved, element: unreserved}
	// Of other types the argument is text already, or better JSON than nothing.
	out.json = isJSON(p.Media)
	defaults := map[string]plan.Style{"path": plan.Simple, "query": plan.Form, "header": plan.Simple, "cookie": plan.Form}
	if p.Style == "" {
		// OpenAPI's default for the place, explode included.
		out.Style = defaults[where]
		out.Explode = p.Explode || out.Style == plan.Form
	}
	allowed := map[string][]plan.Style{
		"path":   {plan.Simple, plan.Label, plan.Matrix},
		"query":  {plan.Form, plan.SpaceDelimited, plan.PipeDelimited, plan.TabDelimited, plan.DeepObject},
		"header": {plan.Simple},
		"cookie": {plan.Form, plan.StyleCookie},
	}
	known := false
	for _, s := range allowed[where] {
		known = known || s == out.Style
	}
	if !known {
		return fail("style %q is not possible in a %s", p.Style, where)
	}
	switch where {
	case "path":
		if p.AllowReserved {
			out.set = reservedPath
			out.element = newCharset("!$&'()*+:@")
		}
	case "query":
		if p.AllowReserved {
			out.set = reservedQuery
			out.element = newCharset(":/?[]@!$'()*;=")
		}
		if hasControl(p.Name) {
			return fail("the name has a control character")
		}
		out.prefix = string(queryName.append(nil, p.Name)) + "="
	case "header", "cookie":
		if !isToken(p.Name) {
			return fail("the name is not a token")
		}
		if where == "header" {
			if out.Name = http.CanonicalHeaderKey(p.Name); out.Name == "Soapaction" {
				out.Name = "SOAPAction" // the services that look for it are old, and some look at its letters
			}
		}
		out.prefix = p.Name + "="
	}
	return out, nil
}

// field is how a refusal speaks of the parameter.
func (p *param) field() string {
	if p.arg != "" {
		return p.arg
	}
	return p.Name
}

// value evaluates the parameter. An absent value of a required one is refused.
func (p *param) value(c *call) (tree, error) {
	t, err := p.eval(c)
	if err != nil {
		return tree{}, failed(err, fmt.Sprintf("%s parameter %q", p.where, p.Name))
	}
	if t.absent() {
		if p.Required && !(t.kind == 'n' && p.AllowEmpty) {
			if t.kind == 'n' {
				return tree{}, refuse(p.field(), "is required and must not be null")
			}
			return tree{}, refuse(p.field(), "is required but missing")
		}
		return t, nil
	}
	if p.Shape != nil {
		if t, err = reshape(t, p.Shape, 1, p.field()); err != nil {
			return tree{}, err
		}
	}
	if p.json {
		text := compact(t.appendJSON(nil))
		if p.where == "header" {
			text = asciiJSON(text)
		}
		return tree{kind: '"', text: string(text)}, nil
	}
	return t, nil
}

// appendPath writes a path parameter's expansion.
func (p *param) appendPath(b []byte, t tree) ([]byte, error) {
	if !t.container() {
		s := t.scalar()
		if err := p.checkPathText(s); err != nil {
			return nil, err
		}
		switch p.Style {
		case plan.Label:
			b = append(b, '.')
		case plan.Matrix:
			b = queryName.append(append(b, ';'), p.Name)
			if s == "" {
				return b, nil
			}
			b = append(b, '=')
		default:
			if s == "" {
				return nil, refuse(p.field(), "must not be empty: it is a part of the path")
			}
		}
		return p.set.append(b, s), nil
	}
	if len(t.items) == 0 {
		return nil, refuse(p.field(), "must not be empty: it is a part of the path")
	}
	start, sep := "", ","
	switch p.Style {
	case plan.Label:
		start = "."
		if p.Explode {
			sep = "."
		}
	case plan.Matrix:
		start = ";" + string(queryName.append(nil, p.Name)) + "="
		if p.Explode {
			start, sep = ";", ";"
		}
	}
	b = append(b, start...)
	before := len(b)
	written := 0
	for i, item := range t.items {
		if t.kind == '{' && item.absent() {
			continue
		}
		if written++; written > 1 {
			b = append(b, sep...)
		}
		s := item.scalar()
		if err := p.checkPathText(s); err != nil {
			return nil, err
		}
		name := ""
		switch {
		case t.kind == '{':
			name = t.keys[i]
			if err := p.checkPathText(name); err != nil {
				return nil, err
			}
			b = p.element.append(b, name)
		case p.Style == plan.Matrix && p.Explode:
			b = queryName.append(b, p.Name)
			name = p.Name
		}
		switch {
		case t.kind == '{' && !p.Explode:
			b = append(b, ',')
		case name != "" && p.Style == plan.Matrix && s == "":
			continue // RFC 6570: no equals sign
		case name != "" || t.kind == '{':
			b = append(b, '=')
		}
		b = p.element.append(b, s)
	}
	if len(b) == before {
		return nil, refuse(p.field(), "must not be empty: it is a part of the path")
	}
	return b, nil
}

// checkPathText refuses what a lenient server could take for a way up, even
// percent-encoded.
func (p *param) checkPathText(s string) error {
	if !strings.Contains(s, "..") {
		return nil
	}
	for _, step := range strings.FieldsFunc(s, func(c rune) bool { return c == '/' || c == '\\' }) {
		if step == ".." {
			return refuse(p.field(), `must not be or contain a ".." step: it is a part of the path`)
		}
	}
	return nil
}

// pairs writes name=value pairs separated by &, as a query and a form body
// have them.
type pairs struct {
	b     []byte
	start int  // where the first pair begins in b
	form  bool // a form body: spaces are plus signs
	// encode is for a form in another charset than UTF-8; err is its first error.
	encode func(string) (string, error)
	err    error
	// taken are names that a member of an argument may not bring: those of other
	// parameters and of credentials. Else {"tenant":"other"} in an exploded object
	// would contradict a tenant that the author fixed.
	taken map[string]bool
}

// begin writes what separates pairs, and a name with its equals sign.
func (w *pairs) begin(encodedPrefix string) {
	if len(w.b) > w.start {
		w.b = append(w.b, '&')
	}
	w.b = append(w.b, encodedPrefix...)
}

func (w *pairs) text(s string, set *charset) {
	if w.encode != nil {
		encoded, err := w.encode(s)
		if err != nil && w.err == nil {
			w.err = err
		}
		s = encoded
	}
	if w.form {
		w.b = appendForm(w.b, s, set)
		return
	}
	w.b = set.append(w.b, s)
}

// pair writes a name that came with the arguments, and its value.
func (w *pairs) pair(p *param, name, value string) error {
	if hasControl(name) {
		return refuse(p.field(), "has a name with a control character, %s; use another name", excerpt(name))
	}
	if w.taken[name] && name != p.Name {
		return refuse(p.field(), "must not have a member %s: the request has a parameter of this name", excerpt(name))
	}
	w.begin("")
	w.text(name, unreserved)
	w.b = append(w.b, '=')
	w.text(value, p.set)
	return nil
}

// add writes one parameter or form field by its style.
func (w *pairs) add(p *param, t tree) error {
	if t.absent() {
		if t.kind == 'n' && p.AllowEmpty {
			w.begin(p.prefix)
		}
		return nil
	}
	if !t.container() {
		w.begin(p.prefix)
		w.text(t.scalar(), p.set)
		return nil
	}
	if p.Style == plan.DeepObject {
		before := len(w.b)
		err := deep(p.Name, t, func(name string, t tree) error {
			return w.pair(p, name, t.scalar())
		})
		if err != nil {
			return err
		}
		if len(w.b) == before && (p.Required || p.AllowEmpty) {
			w.begin(p.prefix)
		}
		return nil
	}
	empty := true
	for _, item := range t.items {
		empty = empty && t.kind == '{' && item.absent()
	}
	if empty {
		if !p.Explode || p.Required || p.AllowEmpty {
			w.begin(p.prefix)
		}
		return nil
	}
	if p.Explode {
		return w.exploded(p, t)
	}
	sep := map[plan.Style]string{plan.SpaceDelimited: "%20", plan.PipeDelimited: "%7C", plan.TabDelimited: "%09"}[p.Style]
	switch {
	case sep == "":
		sep = ","
	case sep == "%20" && w.form:
		sep = "+"
	}
	w.begin(p.prefix)
	first := true
	for i, item := range t.items {
		if t.kind == '{' {
			if item.absent() {
				continue
			}
			if !first {
				w.b = append(w.b, sep...)
			}
			w.text(t.keys[i], p.element)
			w.b = append(w.b, sep...)
		} else if !first {
			w.b = append(w.b, sep...)
		}
		first = false
		w.text(item.scalar(), p.element)
	}
	return nil
}

func (w *pairs) exploded(p *param, t tree) error {
	for i, item := range t.items {
		if t.kind == '[' {
			w.begin(p.prefix)
			w.text(item.scalar(), p.set)
			continue
		}
		if item.absent() {
			continue
		}
		values := []tree{item}
		if item.kind == '[' {
			values = item.items
		}
		for _, v := range values {
			if err := w.pair(p, t.keys[i], v.scalar()); err != nil {
				return err
			}
		}
	}
	return nil
}

// deep visits the scalars of a deepObject, to any depth, as name[key]. Elements
// of a list of scalars are name[]; as soon as an element is itself a list or
// object, all carry their index, name[0][key], or nobody could tell where one
// ends.
func deep(name string, t tree, visit func(name string, t tree) error) error {
	switch t.kind {
	case '{':
		for i, item := range t.items {
			if err := deep(name+"["+t.keys[i]+"]", item, visit); err != nil {
				return err
			}
		}
		return nil
	case '[':
		indexed := false
		for _, item := range t.items {
			indexed = indexed || item.container()
		}
		for i, item := range t.items {
			at := name + "[]"
			if indexed {
				at = name + "[" + strconv.Itoa(i) + "]"
			}
			if item.kind == 'n' {
				item = tree{kind: '"'}
			}
			if err := deep(at, item, visit); err != nil {
				return err
			}
		}
		return nil
	case 'n':
		return nil
	}
	return visit(name, t)
}

// headerText is a header parameter's value: never encoded, so what a header
// cannot hold is refused.
func (p *param) headerText(t tree) (string, error) {
	if !t.container() {
		return p.checkHeader(t.scalar())
	}
	var b strings.Builder
	for i, item := range t.items {
		if t.kind == '{' && item.absent() {
			continue
		}
		if b.Len() > 0 || (t.kind == '[' && i > 0) {
			b.WriteByte(',')
		}
		if t.kind == '{' {
			b.WriteString(t.keys[i])
			if p.Explode {
				b.WriteByte('=')
			} else {
				b.WriteByte(',')
			}
		}
		b.WriteString(item.scalar())
	}
	return p.checkHeader(b.String())
}

// checkHeader allows visible ASCII, and spaces and tabs between. RFC 9110 lets
// other bytes through but gives them no meaning: servers read them as Latin-1,
// as UTF-8 or not at all. Spaces at the ends would be lost on the way.
func (p *param) checkHeader(s string) (string, error) {
	if len(s) > MaxHeader {
		return "", refuse(p.field(), "is too large: %d bytes for the header %s, at most %d are allowed", len(s), p.Name, MaxHeader)
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			return "", refuse(p.field(), "must not hold a line break: it is sent in the header %s", p.Name)
		case c < 0x20 && c != '\t' || c == 0x7f:
			return "", refuse(p.field(), "must not hold a control character: it is sent in the header %s", p.Name)
		case c >= 0x80:
			return "", refuse(p.field(), "must be plain ASCII: it is sent in the header %s", p.Name)
		}
	}
	if s != strings.Trim(s, " \t") {
		return "", refuse(p.field(), "must not begin or end with a space: it is sent in the header %s", p.Name)
	}
	return s, nil
}

// cookies collects the pairs of the Cookie header.
type cookies struct{ b []byte }

func (w *cookies) add(p *param, t tree) error {
	if t.absent() {
		return nil
	}
	if p.Style == plan.Form {
		// Percent-encoded; an exploded list is joined by & within one cookie, as
		// OpenAPI's table has it. Who means several cookies says style: cookie.
		inner := pairs{}
		if err := inner.add(p, t); err != nil {
			return err
		}
		if len(inner.b) > 0 {
			w.next()
			w.b = append(w.b, inner.b...)
		}
		return nil
	}
	pair := func(name, value string) error {
		if !isToken(name) {
			return refuse(p.field(), "has a name that a cookie cannot have, %s; use another name", excerpt(name))
		}
		for i := 0; i < len(value); i++ {
			if c := value[i]; c < 0x20 || c >= 0x7f || c == ';' {
				return refuse(p.field(), "must be plain ASCII without semicolons and control characters: it is sent in the cookie %s", name)
			}
		}
		if value != strings.TrimSpace(value) {
			return refuse(p.field(), "must not begin or end with a space: it is sent in the cookie %s", name)
		}
		w.next()
		w.b = append(append(append(w.b, name...), '='), value...)
		return nil
	}
	if !t.container() {
		return pair(p.Name, t.scalar())
	}
	var list []string
	for i, item := range t.items {
		switch {
		case t.kind == '{' && item.absent():
		case t.kind == '{' && p.Explode:
			if err := pair(t.keys[i], item.scalar()); err != nil {
				return err
			}
		case p.Explode:
			if err := pair(p.Name, item.scalar()); err != nil {
				return err
			}
		case t.kind == '{':
			list = append(list, t.keys[i], item.scalar())
		default:
			list = append(list, item.scalar())
		}
	}
	if t.container() && p.Explode {
		return nil
	}
	return pair(p.Name, strings.Join(list, ","))
}

func (w *cookies) next() {
	if len(w.b) > 0 {
		w.b = append(w.b, "; "...)
	}
}

// wholeQueryText is the query string that one argument holds.
func (p *param) wholeQueryText(t tree, taken map[string]bool) (string, error) {
	switch {
	case p.json || isText(p.Media):
		return string(unreserved.append(nil, t.scalar())), nil
	case t.kind == '{':
		w := pairs{form: p.Media == formMedia, taken: taken}
		q := *p
		q.Explode = true
		if err := w.exploded(&q, t); err != nil {
			return "", err
		}
		return string(w.b), nil
	case t.kind == '"':
		text := keepEscapes(wholeQuery, strings.TrimPrefix(t.text, "?"))
		for pair := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '&' || c == ';' }) {
			name, _, _ := strings.Cut(pair, "=")
			if name, err := url.QueryUnescape(name); err == nil && taken[name] {
				return "", refuse(p.field(), "must not set %s: the request has a parameter of this name", excerpt(name))
			}
		}
		return text, nil
	}
	return "", refuse(p.field(), "must be an object, or a string that is a whole query")
}

// asciiJSON escapes everything beyond ASCII, for a header.
func asciiJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// failed turns an expression's error into a refusal that names what could not
// be computed; what is not the caller's fault stays an error.
func failed(err error, what string) error {
	var refusal *Refusal
	if errors.As(err, &refusal) || isSecretError(err) {
		return err
	}
	return &Refusal{Message: fmt.Sprintf("the %s cannot be computed: %v", what, err)}
}
