package openapi

import (
	"net/url"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Limits on what references can multiply: a path item of many operations,
// referred to by many paths, is much more than its text.
const (
	maxOperations = 50_000
	maxSize       = 1_000_000 // parameters and responses of all operations
	maxParams     = 1_000     // of one operation
)

// method returns the HTTP method of a member of a path item, or "".
func (p *parser) method(key string) string {
	switch key {
	case "get":
		return "GET"
	case "put":
		return "PUT"
	case "post":
		return "POST"
	case "delete":
		return "DELETE"
	case "options":
		return "OPTIONS"
	case "head":
		return "HEAD"
	case "patch":
		return "PATCH"
	case "trace":
		if p.version != v2 {
			return "TRACE"
		}
	case "query":
		if p.version == v32 {
			return "QUERY"
		}
	}
	return ""
}

// methods are the members of a path item that hold operations, in any version.
var methods = [...]string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}

// knownField reports whether a path item may have the member key besides those
// of its operations. Those of OpenAPI 3 are understood in Swagger 2.0, too.
func (p *parser) knownField(key string) bool {
	switch key {
	case "$ref", "summary", "description", "servers", "parameters":
		return true
	}
	return strings.HasPrefix(key, "x-")
}

// unknownField warns about a member of a path item that nobody reads: often it
// is an operation whose method is written wrong.
func (p *parser) unknownField(path string, f specs.Field) {
	names := []string{"summary", "description", "servers", "parameters"}
	for _, m := range methods {
		if p.method(m) != "" {
			names = append(names, m)
		}
	}
	hint := ""
	if near := diag.Nearest(f.Key, names); near != "" {
		hint = "did you mean " + quote(near) + "?"
	}
	p.warn("unknown-field", f.KeyRange(), hint, "the path item %s has no field %s in this version of the standard; it is left out", quote(path), quote(f.Key))
}

// readOperations reads everything below paths.
func (p *parser) readOperations(api *specs.API) {
	paths := p.object(p.doc.Get("paths"), "paths")
	if paths == nil {
		return
	}
	ids := map[string]diag.Range{}
	for _, f := range paths.Fields {
		if strings.HasPrefix(f.Key, "x-") {
			continue
		}
		if p.ctx.Err() != nil {
			return
		}
		if api.Declared > maxOperations || p.size > maxSize {
			p.fail("too-large", f.KeyRange(), "", "the document has more than %d operations, or more than %d parameters and responses", maxOperations, maxSize)
			return
		}
		item := p.pathItem(f)
		if item == nil {
			continue
		}
		path := f.Key
		if !strings.HasPrefix(path, "/") {
			p.warn("odd-path", f.KeyRange(), "", "the path %q must begin with a slash; it is read as if it did", clip(path))
			path = "/" + path
		}
		for _, m := range item.Fields {
			if method := p.method(m.Key); method != "" {
				p.addOperation(api, ids, method, path, item, m)
			} else if m.Key == "additionalOperations" && p.version == v32 {
				if more := p.object(m.Value, m.Key); more != nil {
					for _, a := range more.Fields {
						p.addAdditional(api, ids, path, item, a)
					}
				}
			} else if !p.knownField(m.Key) {
				p.unknownField(f.Key, m)
			}
		}
	}
}

// operationServers reads the servers of one operation. A non-empty result is
// the reason why it cannot be called: its own servers are given and none can be
// used, and any other server would be the wrong one.
func (p *parser) operationServers(op *specs.Operation, item, n *specs.Node) string {
	if p.version == v2 {
		if s := n.Get("schemes"); s != nil {
			op.Servers = p.hostServers(s)
		}
		return ""
	}
	for _, owner := range [...]*specs.Node{n, item} {
		if own := owner.Get("servers"); own != nil && len(own.Fields) > 0 {
			op.Servers = slices.DeleteFunc(p.servers(own), func(s specs.ServerURL) bool {
				u, err := url.Parse(s.URL)
				return err != nil || !overHTTP(u)
			})
			if len(op.Servers) == 0 {
				return "none of its own servers has a usable URL"
			}
			return ""
		}
	}
	return ""
}

// pathItem follows references of a path item. What stands beside $ref counts
// too: many documents put parameters there.
func (p *parser) pathItem(f specs.Field) *specs.Node {
	if f.Value.Kind == specs.Null {
		return nil
	}
	n := p.follow(f.Value, func(specs.Field) bool { return true })
	if n == nil {
		return nil
	}
	if n.Kind != specs.Object {
		p.warn("not-an-object", f.Value.Range(), "", "the path item %q must be an object; it is left out", clip(f.Key))
		return nil
	}
	return n
}

func (p *parser) addAdditional(api *specs.API, ids map[string]diag.Range, path string, item *specs.Node, f specs.Field) {
	if strings.HasPrefix(f.Key, "x-") {
		return
	}
	if p.method(strings.ToLower(f.Key)) != "" || !token(f.Key) {
		api.Declared++
		p.skip(api, f.Key+" "+path, f.KeyRange(), "the key of an additional operation must be a method that has no field of its own")
		return
	}
	p.addOperation(api, ids, f.Key, path, item, f)
}

// token reports whether s can be an HTTP method (RFC 9110, token).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

func (p *parser) skip(api *specs.API, operation string, at diag.Range, reason string) {
	api.Skipped = append(api.Skipped, &specs.Skipped{Operation: operation, Reason: reason, Range: at})
	p.warn("operation-skipped", at, "", "the operation %s is skipped: %s", clip(operation), reason)
}

func (p *parser) addOperation(api *specs.API, ids map[string]diag.Range, method, path string, item *specs.Node, f specs.Field) {
	if f.Value.Kind == specs.Null {
		return
	}
	at := f.KeyRange()
	api.Declared++
	name := method + " " + path
	n := p.deref(f.Value)
	if n == nil {
		p.skip(api, name, at, "its $ref leads nowhere")
		return
	}
	if n.Kind != specs.Object {
		p.skip(api, name, at, "it is no object")
		return
	}
	op := &specs.Operation{
		ID: strings.TrimSpace(p.text(n.Get("operationId"))), Method: method, Path: path, Range: at,
	}
	for _, from := range []*specs.Node{n, item} {
		if op.Summary == "" {
			op.Summary = p.text(from.Get("summary"))
			op.SummaryAt = from.Get("summary").Range()
		}
		if op.Description == "" {
			op.Description = p.text(from.Get("description"))
			op.DescriptionAt = from.Get("description").Range()
		}
	}
	op.Deprecated, _ = p.flag(n.Get("deprecated"), "deprecated")
	for _, t := range p.list(n.Get("tags"), "tags") {
		if text := p.text(t.Value); text != "" {
			op.Tags = append(op.Tags, text)
		}
	}
	p.identifyOperation(op, n, ids)
	var reason string
	if p.version == v2 {
		reason = p.inputs2(op, item, n)
	} else {
		reason = p.inputs3(op, item, n)
	}
	if reason == "" && unclosed(path) {
		reason = "its path has a { that is not closed"
	}
	if reason == "" && len(op.Params) > maxParams {
		reason = "it has too many parameters"
	}
	if reason == "" {
		reason = p.operationServers(op, item, n)
	}
	if reason != "" {
		delete(ids, op.ID)
		p.skip(api, op.ID, at, reason)
		return
	}
	p.matchPath(op)
	op.Responses = p.responses(n)
	op.Security = p.security(n)
	op.MCP = p.extension(item, n)
	p.size += len(op.Params) + len(op.Responses)
	api.Operations = append(api.Operations, op)
}

// identifyOperation gives op an id that no other operation has.
func (p *parser) identifyOperation(op *specs.Operation, n *specs.Node, ids map[string]diag.Range) {
	at := op.Range
	if id := n.Get("operationId"); id != nil {
		at = id.Range()
	}
	fallback := op.Method + " " + op.Path
	if first, taken := ids[op.ID]; op.ID != "" && taken {
		k := diagKey{at.Source, at.Start, "duplicate-operation-id"}
		if !p.reported[k] && len(p.reported) < maxWarnings {
			p.reported[k] = true
			p.diags.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: "duplicate-operation-id", Range: at,
				Message: "the operationId " + quote(op.ID) + " is used more than once; this operation is called " + quote(fallback),
				Notes:   []diag.Note{{Message: "first used here", Range: first}},
			})
		}
		op.ID = ""
	}
	if op.ID == "" {
		op.ID = fallback
	}
	ids[op.ID] = at
}

func quote(s string) string { return `"` + clip(s) + `"` }

// inputs3 reads the parameters and the body of an operation of OpenAPI 3. A
// non-empty result is the reason why the operation cannot be called.
func (p *parser) inputs3(op *specs.Operation, item, n *specs.Node) string {
	params := paramList{}
	lists := [...]*specs.Node{item.Get("parameters"), n.Get("parameters")}
	for _, list := range lists {
		for _, f := range p.list(list, "parameters") {
			d := p.object(f.Value, "a parameter")
			if d == nil || len(params.list) > maxParams {
				continue
			}
			if param := p.param3(d); param != nil {
				params.add(param)
			}
		}
	}
	if reason := p.missing(lists[:]); reason != "" {
		return reason
	}
	op.Params = params.list
	whole, parts := 0, 0
	for _, param := range op.Params {
		switch param.In {
		case specs.InQueryString:
			whole++
		case specs.InQuery:
			parts++
		}
	}
	if whole > 1 || whole == 1 && parts > 0 {
		return "a parameter that is the whole query string excludes any other query parameter"
	}
	if raw := n.Get("requestBody"); raw != nil && raw.Kind != specs.Null {
		body := p.object(raw, "requestBody")
		if body == nil {
			// The body is known to exist, and not what is in it.
			op.Body = &specs.Body{Media: []*specs.Media{{Type: "application/json", Schema: anything(raw), Range: raw.Range()}}, Range: raw.Range()}
			return ""
		}
		op.Body = &specs.Body{Description: p.text(body.Get("description")), Media: p.content(body), Range: raw.Range()}
		op.Body.Required, _ = p.flag(body.Get("required"), "required")
		if len(op.Body.Media) == 0 {
			op.Body = nil
		}
	}
	return ""
}

// missing returns why an operation cannot be called when a reference among its
// parameters leads to none: a call could lack one that the API needs.
func (p *parser) missing(lists []*specs.Node) string {
	for _, list := range lists {
		if list == nil || list.Kind == specs.Null {
			continue
		}
		refs := []specs.Field{{Value: list}}
		if d := p.deref(list); d != nil && d.Kind == specs.Array {
			refs = d.Fields
		}
		for _, f := range refs {
			if ref := refOf(f.Value); ref != nil && p.deref(f.Value) == nil {
				return "the reference " + quote(ref.Text) + " to a parameter cannot be followed"
			}
		}
	}
	return ""
}

// paramList collects the parameters of an operation; one of the same name and
// place replaces an earlier one.
type paramList struct {
	list []*specs.Param
	at   map[string]int
}

func (l *paramList) add(param *specs.Param) {
	key := string(param.In) + "\n" + param.Name
	if param.In == specs.InHeader {
		key = strings.ToLower(key)
	}
	if i, again := l.at[key]; again {
		l.list[i] = param
		return
	}
	if l.at == nil {
		l.at = map[string]int{}
	}
	l.at[key] = len(l.list)
	l.list = append(l.list, param)
}

// param3 reads a parameter of OpenAPI 3, once for all operations that share it.
func (p *parser) param3(n *specs.Node) *specs.Param {
	if known, seen := p.params[n]; seen {
		return known
	}
	param := p.newParam3(n)
	p.params[n] = param
	return param
}

func (p *parser) newParam3(n *specs.Node) *specs.Param {
	param := &specs.Param{Name: p.text(n.Get("name")), In: specs.In(p.text(n.Get("in"))), Range: n.Range()}
	switch param.In {
	case specs.InPath, specs.InQuery, specs.InHeader, specs.InCookie:
	case specs.InQueryString:
		if p.version != v32 {
			p.warn("odd-parameter", n.Range(), "", "in: querystring needs OpenAPI 3.2; it is read all the same")
		}
	default:
		p.warn("odd-parameter", n.Range(), "in must be path, query, header or cookie", "the parameter %q cannot be in %q; it is left out", clip(param.Name), clip(string(param.In)))
		return nil
	}
	if param.Name == "" && param.In != specs.InQueryString {
		p.warn("odd-parameter", n.Range(), "", "a parameter without a name is left out")
		return nil
	}
	param.Description = p.text(n.Get("description"))
	param.Deprecated, _ = p.flag(n.Get("deprecated"), "deprecated")
	param.Sensitive, _ = p.flag(n.Get("x-sensitive"), "x-sensitive")
	p.carry(param, n)
	return param
}

// carry reads what parameters and headers of OpenAPI 3 have in common: how a
// value is written, and its schema.
func (p *parser) carry(param *specs.Param, n *specs.Node) {
	param.Required, _ = p.flag(n.Get("required"), "required")
	if param.In == specs.InPath && !param.Required {
		if n.Has("required") {
			p.warn("optional-path-parameter", n.Range(), "", "the path parameter %q must be required; it is taken as required", clip(param.Name))
		}
		param.Required = true
	}
	param.AllowReserved, _ = p.flag(n.Get("allowReserved"), "allowReserved")
	param.AllowEmptyValue, _ = p.flag(n.Get("allowEmptyValue"), "allowEmptyValue")
	schema := n.Get("schema")
	if content := p.object(n.Get("content"), "content"); content != nil && len(content.Fields) > 0 {
		param.Media = content.Fields[0].Key
		if m := p.object(content.Fields[0].Value, "a media type"); m != nil {
			schema = m.Get("schema")
		}
	}
	if param.In == specs.InQueryString {
		if param.Media == "" {
			param.Media = "application/x-www-form-urlencoded"
		}
	} else {
		p.style(param, n)
	}
	param.Schema = p.described(schema, n)
}

// described reads the schema of a parameter, with the parameter's own examples.
func (p *parser) described(schema, n *specs.Node) *specs.Node {
	if schema == nil {
		schema = anything(n)
	}
	s := p.schema(schema)
	if s.Kind != specs.Object || s.Has("examples") {
		return s
	}
	examples := with(n, specs.Array, "")
	for _, e := range p.examples(n) {
		examples.Fields = append(examples.Fields, specs.Field{Value: e, KeyStart: -1})
	}
	if len(examples.Fields) == 0 {
		return s
	}
	out := with(s, specs.Object, "")
	out.Fields = append(append(make([]specs.Field, 0, len(s.Fields)+1), s.Fields...), specs.F("examples", examples))
	return out
}

// examples are the values that a parameter or media type gives as examples.
func (p *parser) examples(n *specs.Node) (list []*specs.Node) {
	if e := n.Get("example"); e != nil {
		return []*specs.Node{e}
	}
	all := n.Get("examples")
	if all == nil || all.Kind != specs.Object {
		return nil
	}
	for _, f := range all.Fields {
		d := p.deref(f.Value)
		if v := d.Get("value"); v != nil {
			list = append(list, v)
		} else if v := d.Get("dataValue"); v != nil { // OpenAPI 3.2
			list = append(list, v)
		}
	}
	return list
}

// unclosed reports whether a path template has a brace without its partner. A
// pattern behind a colon, as in {id:[0-9]{2}}, is another tool's way to write a
// parameter and may have braces of its own.
func unclosed(path string) bool {
	for {
		_, after, open := strings.Cut(path, "{")
		if !open {
			return false
		}
		name, tail, closed := strings.Cut(after, "}")
		if name, _, _ = strings.Cut(name, ":"); !closed || strings.Contains(name, "{") {
			return true
		}
		path = tail
	}
}

// matchPath makes the path template and the path parameters agree.
func (p *parser) matchPath(op *specs.Operation) {
	used := map[string]bool{}
	declared := map[string]bool{}
	for _, param := range op.Params {
		if param.In == specs.InPath {
			declared[param.Name] = true
		}
	}
	var out strings.Builder
	rest := op.Path
	for {
		before, after, open := strings.Cut(rest, "{")
		out.WriteString(before)
		if !open {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		rest = tail
		if !declared[name] {
			// {+path}, {path*} and {id:[0-9]+} are other tools' ways to write it.
			plain := strings.TrimRight(strings.TrimLeft(name, "+#./;?&"), "*")
			plain, _, _ = strings.Cut(plain, ":")
			if declared[plain] {
				name = plain
			}
		}
		out.WriteString("{" + name + "}")
		used[name] = true
		if !declared[name] {
			declared[name] = true
			p.warn("undeclared-path-parameter", op.Range, "", "the path parameter %q of %s is not declared; it is taken as a string", clip(name), clip(op.Path))
			op.Params = append(op.Params, &specs.Param{
				Name: name, In: specs.InPath, Required: true, Style: "simple",
				Schema: specs.NewObject(specs.F("type", specs.NewString("string"))), Range: op.Range,
			})
		}
	}
	op.Path = out.String()
	kept := op.Params[:0]
	for _, param := range op.Params {
		if param.In == specs.InPath && !used[param.Name] {
			p.warn("unused-path-parameter", param.Range, "", "the path %s has no place for the path parameter %q; it is left out", clip(op.Path), clip(param.Name))
			continue
		}
		kept = append(kept, param)
	}
	op.Params = kept
}

// content reads the media types of a body or response of OpenAPI 3, once for
// all that share them.
func (p *parser) content(owner *specs.Node) []*specs.Media {
	content := p.object(owner.Get("content"), "content")
	if content == nil {
		return nil
	}
	if known, seen := p.media[content]; seen {
		return known
	}
	var list []*specs.Media
	for _, f := range content.Fields {
		if strings.HasPrefix(f.Key, "x-") && !strings.Contains(f.Key, "/") {
			continue
		}
		m := &specs.Media{Type: strings.TrimSpace(f.Key), Range: f.KeyRange()}
		list = append(list, m)
		n := p.object(f.Value, "a media type")
		if n == nil {
			continue
		}
		if s := n.Get("schema"); s != nil {
			m.Schema = p.schema(s)
		} else if item := n.Get("itemSchema"); item != nil { // OpenAPI 3.2: a stream of these
			m.Schema = with(item, specs.Object, "")
			m.Schema.Fields = []specs.Field{specs.F("type", specs.NewString("array")), specs.F("items", p.schema(item))}
		}
		m.Examples = p.examples(n)
		m.Encoding = p.encodings(n)
	}
	p.media[content] = list
	return list
}

func (p *parser) encodings(n *specs.Node) map[string]*specs.Encoding {
	all := p.object(n.Get("encoding"), "encoding")
	if all == nil || len(all.Fields) == 0 {
		return nil
	}
	out := make(map[string]*specs.Encoding, len(all.Fields))
	for _, f := range all.Fields {
		e := p.object(f.Value, "an encoding")
		if e == nil {
			continue
		}
		enc := &specs.Encoding{ContentType: p.text(e.Get("contentType")), Style: p.text(e.Get("style"))}
		if explode, known := p.flag(e.Get("explode"), "explode"); known {
			enc.Explode = &explode
		}
		enc.AllowReserved, _ = p.flag(e.Get("allowReserved"), "allowReserved")
		p.encodingStyle(enc, e)
		if headers := p.object(e.Get("headers"), "headers"); headers != nil {
			for _, h := range headers.Fields {
				d := p.object(h.Value, "a header")
				if d == nil || strings.EqualFold(h.Key, "content-type") { // contentType says it
					continue
				}
				header := &specs.Param{Name: h.Key, In: specs.InHeader, Description: p.text(d.Get("description")), Range: h.KeyRange()}
				p.carry(header, d)
				enc.Headers = append(enc.Headers, header)
			}
		}
		out[f.Key] = enc
	}
	return out
}

// responses reads the answers of an operation, in order.
func (p *parser) responses(n *specs.Node) []*specs.Response {
	all := p.object(n.Get("responses"), "responses")
	if all == nil {
		return nil
	}
	var produces []string
	if p.version == v2 {
		produces = p.mediaTypes(n, "produces")
	}
	var list []*specs.Response
	for _, f := range all.Fields {
		if strings.HasPrefix(f.Key, "x-") {
			continue
		}
		status := statusOf(f.Key)
		if status == "" {
			p.warn("odd-status", f.KeyRange(), "", "%q is no status code; the response is left out", clip(f.Key))
			continue
		}
		r := &specs.Response{Status: status, Range: f.KeyRange()}
		list = append(list, r)
		d := p.object(f.Value, "a response")
		if d == nil {
			continue
		}
		r.Description = p.text(d.Get("description"))
		if p.version == v2 {
			r.Media = p.response2(d, produces)
		} else {
			r.Media = p.content(d)
		}
	}
	return list
}

// statusOf returns a status key as "200", "2XX" or "default", or "".
func statusOf(key string) string {
	key = strings.TrimSpace(key)
	if strings.EqualFold(key, "default") {
		return "default"
	}
	key = strings.ToUpper(key)
	if len(key) != 3 || key[0] < '1' || key[0] > '9' {
		return ""
	}
	if key[1:] == "XX" {
		return key
	}
	for _, c := range key[1:] {
		if c < '0' || c > '9' {
			return ""
		}
	}
	return key
}
