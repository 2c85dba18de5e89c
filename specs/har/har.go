// Package har reads recordings of HTTP traffic, as browsers and proxies write them
// (HTTP Archive 1.1 and 1.2).
package har

import (
	"io"
	"mime"
	"mime/multipart"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/imported"
)

// Limits of one import.
const (
	maxEntries = 20_000
	maxTools   = 1000
	maxSamples = 100 // of one tool
	maxFields  = 500 // of one request
)

// Read makes a spec of a recording: requests that differ in values only become one
// tool. The spec is nil when there is no request to make a tool of.
func Read(src *diag.Source) (*imported.Spec, diag.List) {
	b := imported.NewBuilder(src)
	b.SecretPerName = true
	r := &reader{Builder: b, groups: map[string][]*imported.Sample{}}
	fail := func(code string, at diag.Range, message, hint string) (*imported.Spec, diag.List) {
		return b.Failed(diag.Diagnostic{Code: code, Message: message, Hint: hint, Range: at})
	}
	doc, bad := specs.ParseJSON(b.Source)
	if bad != nil {
		return b.Failed(*bad)
	}
	list := doc.Get("log").Get("entries")
	if list == nil || list.Kind != specs.Array {
		return fail("not-a-har", doc.Range(), "this is no HTTP Archive: it has no log.entries", "save the recording as HAR, in a browser from the network tab")
	}
	for i, f := range list.Fields {
		if i == maxEntries {
			b.Warn("not-imported", f.Value.Range(), "", "there are more than %d entries; the rest is not imported", maxEntries)
			break
		}
		r.entry(f.Value)
	}
	r.pages()
	for i, key := range r.order {
		if i == maxTools {
			b.Warn("not-imported", list.Range(), "", "there are more than %d different requests; the rest is not imported", maxTools)
			break
		}
		b.Tool(r.groups[key]...)
	}
	r.counts(list.Range())
	if len(b.Spec.Tools) == 0 {
		return fail("nothing-to-import", list.Range(), "the recording holds no request that could be a tool", "record the actions you want to have as tools; static files do not count")
	}
	b.Spec.Name = b.Spec.APIs[0].Name
	b.Spec.Origin = "Made of a recording (HAR). Look through names and descriptions: they are all that a model sees."
	return b.Done()
}

type reader struct {
	*imported.Builder
	groups map[string][]*imported.Sample
	order  []string
	html   []page // GETs of pages
	data   bool   // something that is no page was recorded

	assets, preflights, sockets, others, cookies, dropped int
}

type page struct {
	key    string
	sample *imported.Sample
}

var (
	assetType = regexp.MustCompile(`^(image/|font/|video/|audio/|text/css|text/javascript|application/(x-)?javascript|application/ecmascript|application/wasm|application/font|application/vnd\.ms-fontobject|application/manifest\+json)`)
	assetPath = regexp.MustCompile(`(?i)\.(css|m?js|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|eot|otf|mp[34]|webm|wasm|webmanifest)$`)
	// Of what pages report about their visitors nobody wants tools.
	tracker = regexp.MustCompile(`(^|\.)(google-analytics|googletagmanager|doubleclick|googlesyndication|hotjar|segment|mixpanel|amplitude|fullstory|sentry|bugsnag|newrelic|nr-data|clarity|facebook|criteo|optimizely|datadoghq-browser-agent)\.[a-z]+(:\d+)?$`)
)

func (r *reader) entry(e *specs.Node) {
	q := e.Get("request")
	method, address := strings.ToUpper(q.Get("method").Str()), q.Get("url").Str()
	r.hideCookies(q)
	r.hideCookies(e.Get("response"))
	answer, _, _ := strings.Cut(strings.ToLower(e.Get("response").Get("content").Get("mimeType").Str()), ";")
	answer = strings.TrimSpace(answer)
	kind := e.Get("_resourceType").Str()
	var refs *imported.Refs
	u := refs.URL(address, "https")
	path, _, _ := strings.Cut(address, "?")
	switch {
	case strings.HasPrefix(address, "ws://") || strings.HasPrefix(address, "wss://"):
		r.sockets++
		return
	case method == "" || u.Base == nil:
		r.others++
		return
	case kind == "websocket" || kind == "eventsource":
		r.sockets++
		return
	case method == "OPTIONS" || kind == "preflight":
		r.preflights++
		return
	case slices.Contains([]string{"image", "stylesheet", "script", "font", "media", "manifest", "ping", "beacon", "csp_report"}, kind),
		assetType.MatchString(answer), method == "GET" && assetPath.MatchString(path), tracker.MatchString(u.Host):
		r.assets++
		return
	case !imported.IsMethod(method):
		r.others++
		return
	}
	s := &imported.Sample{Method: method, Host: u.Host, Path: u.Path, Query: u.Query, Range: q.Get("url").Range()}
	var headers []imported.Field
	for _, f := range r.pairs(q.Get("headers")) {
		name, value := f.Get("name").Str(), f.Get("value").Str()
		if strings.EqualFold(name, "cookie") {
			r.Hide(value)
			r.cookies++
			continue
		}
		headers = append(headers, imported.Field{Name: name, Value: imported.Text(value), Range: f.Range()})
	}
	if len(s.Query) > maxFields {
		r.Warn("not-imported", s.Range, "", "the query has more than %d parameters; the rest is not imported", maxFields)
		s.Query = s.Query[:maxFields]
	}
	auth, headers, media := r.Credential(u.Host, headers)
	s.Headers = headers
	if u.User != "" || u.Password != "" {
		auth = r.Basic("The user of "+imported.Whose(u.Host), imported.HostName(u.Host), u.User, u.Password)
	}
	r.body(s, q.Get("postData"), media)
	s.Base, s.Auth = u.Base, auth
	key := s.Group()
	if answer == "text/html" && method == "GET" {
		r.html = append(r.html, page{key, s})
		return
	}
	r.data = true
	r.add(key, s)
}

func (r *reader) add(key string, s *imported.Sample) {
	if r.groups[key] == nil {
		r.order = append(r.order, key)
	}
	if len(r.groups[key]) < maxSamples {
		r.groups[key] = append(r.groups[key], s)
	} else {
		r.dropped++
	}
}

// pages makes tools of the pages that were looked at, unless the recording shows
// an API that the pages used: then they are for people.
func (r *reader) pages() {
	if r.data {
		r.assets += len(r.html)
		return
	}
	for _, p := range r.html {
		r.add(p.key, p.sample)
	}
}

// counts says what was left out.
func (r *reader) counts(at diag.Range) {
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{r.assets, "request for a page, a static file or statistics", "requests for pages, static files and statistics"},
		{r.preflights, "preflight request of the browser", "preflight requests of the browser"},
		{r.sockets, "WebSocket or event stream", "WebSockets and event streams"},
		{r.others, "entry without an HTTP request", "entries without HTTP requests"},
	} {
		switch c.n {
		case 0:
		case 1:
			r.Warn("left-out", at, "", "left out: 1 %s", c.one)
		default:
			r.Warn("left-out", at, "", "left out: %d %s", c.n, c.many)
		}
	}
	if r.cookies > 0 {
		r.Warn("cookies-left-out", at, "give the api an auth, or cookies in the requests, from a sensitive variable", "the requests carried cookies, which are never imported")
	}
	if r.dropped > 0 {
		r.Warn("left-out", at, "", "of some requests only the first %d were looked at", maxSamples)
	}
}

func (r *reader) pairs(list *specs.Node) []*specs.Node {
	var out []*specs.Node
	if list != nil && list.Kind == specs.Array {
		for _, f := range list.Fields {
			if len(out) < maxFields && f.Value.Get("name").Str() != "" {
				out = append(out, f.Value)
			}
		}
	}
	return out
}

// hideCookies keeps cookies out of what diagnostics show.
func (r *reader) hideCookies(m *specs.Node) {
	for _, c := range r.pairs(m.Get("cookies")) {
		if v := c.Get("value").Str(); len(v) > 3 {
			r.Hide(v)
		}
	}
	for _, h := range r.pairs(m.Get("headers")) {
		if strings.EqualFold(h.Get("name").Str(), "set-cookie") {
			r.Hide(h.Get("value").Str())
		}
	}
}

func (r *reader) body(s *imported.Sample, d *specs.Node, media string) {
	if d == nil || d.Kind != specs.Object {
		return
	}
	if m := d.Get("mimeType").Str(); m != "" {
		media = m
	}
	kind, params, _ := mime.ParseMediaType(media)
	text := d.Get("text").Str()
	fields := r.pairs(d.Get("params"))
	switch {
	case kind == "multipart/form-data" && len(fields) == 0:
		s.Body = r.multipart(text, params["boundary"], d.Range())
		return
	case len(fields) > 0 && (kind == "multipart/form-data" || kind == "application/x-www-form-urlencoded" && text == ""):
		s.Body.Kind = "form"
		if kind == "multipart/form-data" {
			s.Body.Kind = "multipart"
		}
		for _, f := range fields {
			s.Body.Fields = append(s.Body.Fields, imported.Field{Name: f.Get("name").Str(), Value: imported.Text(f.Get("value").Str()), File: f.Get("fileName").Str() != "", Range: f.Range()})
		}
		return
	case d.Get("encoding").Str() == "base64" || d.Get("_encoding").Str() == "base64":
		s.Body = imported.Body{Kind: "bytes", Media: media, Value: imported.Text(text)}
		return
	}
	var refs *imported.Refs
	s.Body = refs.Body(media, text)
	if len(s.Body.Fields) > maxFields {
		s.Body.Fields = s.Body.Fields[:maxFields]
	}
}

// multipart reads the parts of a body that was recorded as text.
func (r *reader) multipart(text, boundary string, at diag.Range) imported.Body {
	body := imported.Body{Kind: "multipart"}
	m := multipart.NewReader(strings.NewReader(text), boundary)
	for len(body.Fields) < maxFields {
		part, err := m.NextPart()
		if err != nil {
			break
		}
		f := imported.Field{Name: part.FormName(), File: part.FileName() != "", Value: imported.Text(""), Range: at}
		if !f.File {
			value, err := io.ReadAll(io.LimitReader(part, 1<<20))
			if err != nil {
				break
			}
			f.Value = imported.Text(string(value))
		}
		if f.Name != "" {
			body.Fields = append(body.Fields, f)
		}
	}
	if len(body.Fields) == 0 {
		r.Warn("not-imported", at, "write multipart = { … } into the request", "the parts of a multipart body were not recorded")
	}
	return body
}
