// Package request turns a tool call's arguments into the exact HTTP request.
//
// Compile does everything that does not depend on arguments; Build writes the
// request's parts left to right into byte slices and checks as it writes:
// nothing of an argument ever leaves its place. A path value is one segment
// (percent-encoded; empty, "." and ".." are refused, also after the pieces of a
// segment are joined), a query value is one value, a header value is one line.
// Numbers keep their digits everywhere. The package does no I/O and knows no
// credentials; those are added when the request is sent.
package request

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Request is what will be sent, without credentials.
type Request struct {
	Method string
	// URL has Path and RawPath, and RawQuery, exactly as they go on the wire. Its
	// Host is empty when no base URL is known.
	URL    *url.URL
	Header http.Header
	Body   []byte // nil: none, and no Content-Type; else Content-Type is in Header
	Repeat bool   // it may be sent again, whatever its method is
	// Template is the path with {name} where arguments go, below the base URL.
	Template string
	Parts    []Part // only from Explain
}

// Part says where a piece of a request comes from.
type Part struct {
	Where string // "method", "url", "path", "query", "header", "cookie" or "body"
	Name  string // on the wire
	Value string // before any encoding
	From  string // "argument NAME", "fixed value", "expression" or "document"
}

// Builder makes the requests of one tool. It is safe for concurrent use.
type Builder struct {
	method   string
	base     url.URL // scheme, user and host
	basePath string  // encoded, without a trailing slash
	query    string  // of the base URL, encoded
	path     []segment
	params   []*param        // of the query
	taken    map[string]bool // names in a query that members of arguments may not have
	rawQuery *param
	headers  []*param
	cookies  []*param
	fixed    []header // sent unless a parameter sets the same header
	body     *body
	hidden   [][]string
	repeat   bool
	template string // see [Request]
	boundary func() string
	// File reads the file that an argument names as "file:NAME"; its errors
	// complete a sentence that begins with the argument. Nil: there are none. It
	// is set before the first call.
	File func(name string) ([]byte, error)
}

type segment struct {
	literal string // encoded
	param   *param
}

// Compile prepares the requests of one tool. An error is a mistake in the plan.
func Compile(u plan.Upstream, r plan.Request) (*Builder, error) {
	b := &Builder{method: r.Method, hidden: r.Hidden, repeat: r.Repeat, template: r.Template(), boundary: randomBoundary}
	if !isToken(r.Method) {
		return nil, fmt.Errorf("request: %q is not a method", r.Method)
	}
	if err := b.setBase(u.BaseURL, r.Server); err != nil {
		return nil, err
	}
	for _, s := range r.Path {
		if s.Param == nil {
			b.path = append(b.path, segment{literal: keepEscapes(literalPath, s.Literal)})
			continue
		}
		p, err := compileParam(*s.Param, "path")
		if err != nil {
			return nil, err
		}
		p.Required = true
		b.path = append(b.path, segment{param: p})
	}
	if len(b.path) > 0 && !strings.HasPrefix(b.path[0].literal, "/") {
		b.path = append([]segment{{literal: "/"}}, b.path...)
	}
	var err error
	if b.params, err = compileParams(r.Query, "query"); err != nil {
		return nil, err
	}
	if r.RawQuery != nil {
		if b.rawQuery, err = compileParam(*r.RawQuery, "query"); err != nil {
			return nil, err
		}
	}
	if err := b.setHeaders(u.Headers, r.Header); err != nil {
		return nil, err
	}
	b.taken = map[string]bool{}
	for _, p := range r.Query {
		b.taken[p.Name] = true
	}
	for _, c := range u.Credentials {
		if c.In == "query" {
			b.taken[c.Param] = true
		}
	}
	if b.cookies, err = compileParams(r.Cookie, "cookie"); err != nil {
		return nil, err
	}
	if r.Accept != "" {
		b.fixed = append(b.fixed, header{"Accept", r.Accept})
	}
	if r.Body != nil {
		if b.body, err = compileBody(r.Body); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *Builder) setBase(base, own string) error {
	if own != "" {
		base = own
	}
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("request: the base URL is not an absolute http or https URL")
	}
	b.base = url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
	b.basePath = strings.TrimSuffix(keepEscapes(literalPath, u.EscapedPath()), "/")
	b.query = u.RawQuery
	return nil
}

// setHeaders merges the headers of the upstream and of the request. What the
// author wrote for the request replaces what was written for the upstream, but
// an argument does not: the header would not be fixed then.
func (b *Builder) setHeaders(upstream, own []plan.Param) error {
	general, err := compileParams(upstream, "header")
	if err != nil {
		return err
	}
	special, err := compileParams(own, "header")
	if err != nil {
		return err
	}
	has := func(list []*param, name string) bool {
		return slices.ContainsFunc(list, func(p *param) bool { return p.Name == name })
	}
	for _, p := range special {
		if p.Value != nil || !has(general, p.Name) {
			b.headers = append(b.headers, p)
		}
	}
	for _, p := range general {
		if !has(b.headers, p.Name) {
			b.headers = append(b.headers, p)
		}
	}
	return nil
}

func compileParams(list []plan.Param, where string) ([]*param, error) {
	var out []*param
	for _, p := range list {
		c, err := compileParam(p, where)
		if err != nil {
			return nil, err
		}
		if where == "header" && transportOwned(c.Name) {
			continue
		}
		out = append(out, c)
	}
	return out, nil
}

// transportOwned are the headers that belong to the connection or the message's
// framing. A description may declare them as parameters; sending what a caller
// puts there would break the request or smuggle a second one.
func transportOwned(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection",
		"Te", "Trailer", "Upgrade", "Expect":
		return true
	}
	return false
}

// Build makes the request of one call. An error is a [*Refusal], which is the
// caller's to mend, or a secret that could not be had.
func (b *Builder) Build(_ context.Context, env *expr.Env, a args.Args) (*Request, error) {
	return b.build(env, a, nil)
}

// Explain makes the request and says where each part comes from. Secrets are
// not resolved; "(secret)" stands in their place. The boundary of a multipart
// body is always the same.
func (b *Builder) Explain(env *expr.Env, a args.Args) (*Request, error) {
	inner := expr.Env{}
	if env != nil {
		inner = *env
	}
	inner.Secret = func(plan.Secret) (string, error) { return "(secret)", nil }
	own := *b
	own.base.User = nil
	own.boundary = func() string { return "mcpc-boundary" }
	var parts []Part
	r, err := own.build(&inner, a, func(p Part) { parts = append(parts, p) })
	if err != nil {
		return nil, err
	}
	r.Parts = parts
	return r, nil
}

func (b *Builder) build(env *expr.Env, a args.Args, record func(Part)) (*Request, error) {
	// What every call needs, allocated at once.
	w := &struct {
		Request
		url  url.URL
		call call
		env  expr.Env
	}{}
	w.Repeat, w.Template = b.repeat, b.template
	c := &w.call
	c.env, c.args, c.file = env, a, b.File
	if env == nil || env.Args == nil {
		w.env.Args = a.Values
		if env != nil {
			w.env.Secret = env.Secret
		}
		c.env = &w.env
	}
	if err := b.checkHidden(a); err != nil {
		return nil, err
	}
	r := &w.Request
	r.Method, r.URL = b.method, &w.url
	if record != nil {
		record(Part{"method", "", b.method, "document"})
		base := b.base
		base.Path, base.RawPath = pathOf(b.basePath), b.basePath
		if base.Host != "" {
			record(Part{"url", "", base.String(), "document"})
		}
	}
	out, err := b.appendPath(make([]byte, 0, 256), c, record)
	if err != nil {
		return nil, err
	}
	end := len(out)
	if out, err = b.appendQuery(out, c, record); err != nil {
		return nil, err
	}
	if len(out) > MaxTarget {
		return nil, &Refusal{Message: fmt.Sprintf("the arguments make an address of %d bytes, at most %d are allowed; send less", len(out), MaxTarget)}
	}
	target := string(out)
	w.url = b.base
	w.url.RawPath, w.url.RawQuery = target[:end], target[end:]
	w.url.Path = pathOf(w.url.RawPath)
	if err := b.buildHeader(c, r, record); err != nil {
		return nil, err
	}
	if b.body != nil {
		if err := b.buildBody(c, r, record); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// checkHidden refuses members that the author has hidden from callers.
func (b *Builder) checkHidden(a args.Args) error {
	for _, path := range b.hidden {
		var v any = a.Values
		given := true
		for _, key := range path {
			m, _ := v.(map[string]any)
			if v, given = m[key]; !given {
				break
			}
		}
		if given {
			return refuse(strings.Join(path, "."), "is not a known field; leave it out")
		}
	}
	return nil
}

func (b *Builder) appendPath(out []byte, c *call, record func(Part)) ([]byte, error) {
	out = append(out, b.basePath...)
	// The current segment: where it begins, and whose value is in it.
	start, dirty := len(out), (*param)(nil)
	for _, s := range b.path {
		if s.param == nil {
			slash := strings.IndexByte(s.literal, '/')
			if slash < 0 {
				out = append(out, s.literal...)
				continue
			}
			if err := checkSegment(append(out, s.literal[:slash]...)[start:], dirty); err != nil {
				return nil, err
			}
			out = append(out, s.literal...)
			start, dirty = len(out)-len(s.literal)+strings.LastIndexByte(s.literal, '/')+1, nil
			continue
		}
		t, err := s.param.value(c)
		if err != nil {
			return nil, err
		}
		if out, err = s.param.appendPath(out, t); err != nil {
			return nil, err
		}
		dirty = s.param
		if record != nil {
			record(Part{"path", s.param.Name, t.show(), s.param.from})
		}
	}
	if err := checkSegment(out[start:], dirty); err != nil {
		return nil, err
	}
	return out, nil
}

// checkSegment refuses a segment that a server would resolve instead of
// reading it (RFC 3986, section 5.2.4), as far as an argument is in it.
func checkSegment(segment []byte, dirty *param) error {
	if dirty == nil || len(segment) > 6 {
		return nil
	}
	switch strings.ReplaceAll(strings.ToLower(string(segment)), "%2e", ".") {
	case "":
		return refuse(dirty.field(), "must not be empty: it is a part of the path")
	case ".", "..":
		return refuse(dirty.field(), `must not make a path segment "." or ".."; use another value`)
	}
	return nil
}

// appendQuery writes the query, without a question mark.
func (b *Builder) appendQuery(out []byte, c *call, record func(Part)) ([]byte, error) {
	w := pairs{b: append(out, b.query...), start: len(out), taken: b.taken}
	for _, p := range b.params {
		t, err := p.value(c)
		if err != nil {
			return nil, err
		}
		before := len(w.b)
		if err := w.add(p, t); err != nil {
			return nil, err
		}
		if record != nil && len(w.b) > before {
			record(Part{"query", p.Name, t.show(), p.from})
		}
	}
	if b.rawQuery == nil {
		return w.b, nil
	}
	t, err := b.rawQuery.value(c)
	if err != nil || t.absent() {
		return w.b, err
	}
	s, err := b.rawQuery.wholeQueryText(t, b.taken)
	if err != nil {
		return nil, err
	}
	w.begin(s)
	if record != nil {
		record(Part{"query", b.rawQuery.Name, t.show(), b.rawQuery.from})
	}
	return w.b, nil
}

func (b *Builder) buildHeader(c *call, r *Request, record func(Part)) error {
	r.Header = make(http.Header, len(b.fixed)+len(b.headers)+2)
	// One array for the values of all headers; Add on one of them copies it.
	values := make([]string, 0, len(b.fixed)+len(b.headers)+2)
	set := func(name, value, from string) {
		values = append(values, value)
		r.Header[name] = values[len(values)-1 : len(values) : len(values)]
		if record != nil {
			record(Part{"header", name, value, from})
		}
	}
	for _, p := range b.headers {
		t, err := p.value(c)
		if err != nil {
			return err
		}
		if t.absent() || t.container() && len(t.items) == 0 && !p.Required {
			continue
		}
		s, err := p.headerText(t)
		if err != nil {
			return err
		}
		set(p.Name, s, p.from)
	}
	for _, h := range b.fixed {
		if _, ok := r.Header[h.name]; !ok {
			set(h.name, h.value, "document")
		}
	}
	if len(b.cookies) == 0 {
		return nil
	}
	w := cookies{b: []byte(r.Header.Get("Cookie"))}
	for _, p := range b.cookies {
		t, err := p.value(c)
		if err != nil {
			return err
		}
		before := len(w.b)
		if err := w.add(p, t); err != nil {
			return err
		}
		if record != nil && len(w.b) > before {
			record(Part{"cookie", p.Name, t.show(), p.from})
		}
	}
	if len(w.b) > MaxHeader {
		return &Refusal{Message: fmt.Sprintf("the arguments make a Cookie header of %d bytes, at most %d are allowed; send less", len(w.b), MaxHeader)}
	}
	if len(w.b) > 0 {
		r.Header["Cookie"] = []string{string(w.b)}
	}
	return nil
}

func (b *Builder) buildBody(c *call, r *Request, record func(Part)) error {
	data, media, err := b.body.write(c, b.boundary)
	if err != nil || data == nil {
		return err
	}
	r.Body = data
	// A Content-Type that the author sets as a header wins, except where the type
	// carries the boundary.
	_, own := r.Header["Content-Type"]
	if media != "" && (!own || b.body.Codec == plan.Multipart) {
		r.Header["Content-Type"] = []string{media}
		if record != nil {
			record(Part{"header", "Content-Type", media, "document"})
		}
	}
	if record != nil {
		b.body.explain(c, data, record)
	}
	return nil
}

// explain records a body: by member where an expression spells an object out.
func (b *body) explain(c *call, data []byte, record func(Part)) {
	if b.expr != nil && b.expr.Op == plan.OpObject {
		if keys, values, ok := constantKeys(*b.expr); ok {
			t, err := b.eval(c)
			if err == nil && t.kind == '{' {
				for i, key := range keys {
					record(Part{"body", key, t.items[i].show(), origin(values[i])})
				}
				return
			}
		}
	}
	text := string(data)
	if !utf8.Valid(data) {
		text = "(" + strconv.Itoa(len(data)) + " bytes)"
	}
	record(Part{"body", "", text, b.from})
}

// show is a value for people: text without quotes, all else as JSON.
func (t tree) show() string {
	if t.kind == '"' {
		return t.text
	}
	return string(t.appendJSON(nil))
}
