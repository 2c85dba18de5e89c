// Package response makes an upstream's answer a tool result. It is pure: what a
// result holds depends on the plan's tool, the arguments that its messages speak
// of, and the answer's bytes.
//
// What a body is, its Content-Type says, or the plan when it knows better; a
// type that is missing or does not fit is found out from the bytes. Then:
//
//	JSON              text exactly as it came; an object passes as structured content
//	NDJSON, json-seq  text as it came; structured as the list of its values
//	event streams     the events as text
//	XML, CSV, forms   JSON, see [Decoder] for the rules
//	HTML              Markdown of the main part
//	text              as it is, in UTF-8
//	images, audio     blocks of their own
//	anything else     an embedded resource
//
// Then the plan's own words count: which answers are errors although their status
// is good, what is selected and computed, how the text is written, and how long
// it may be.
//
// No answer is lost: what cannot be decoded as what it claims to be is delivered
// as text or bytes. What was too large is cut where an element ends, stays valid,
// and a block of its own says so. Statuses from 300 on are errors, told with
// what the upstream says about them.
package response

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Bounds of what one answer may become. The text itself is bounded by what is
// read of an answer; these bound what is made of it.
const (
	maxConverted = 16 << 20 // bytes of JSON made from another format
	maxHTML      = 2 << 20  // bytes of HTML that are looked at
	maxElements  = 1 << 19  // of an XML document
	maxDepth     = 100      // of an XML document
	maxFields    = 10000    // of a row of CSV
	maxParts     = 20       // of a multipart answer
	maxStructure = 512      // nesting of structured content, which clients parse recursively
)

// Decoder makes results of one tool's answers. It is safe for concurrent use.
//
// XML with a shape follows the schema: members by their XML names, lists always
// lists, numbers and booleans as such where the text is one. What the schema
// does not know, and all XML without a shape, is mapped generally: an element
// with attributes or children is an object, attributes are "@name", text beside
// them is "#text", elements of one name are a list, everything else is a string;
// the root element is the one member of the result. Prefixes are dropped but for
// those of namespaces that the plan names. A document type is not read, and one
// that defines entities makes a document text. Of a SOAP envelope what the body
// holds is the document, and a fault is an error of the tool.
//
// CSV is a list of objects by the names in its first row, or the plan's; forms are
// an object. All values are strings, so that 007 stays 007, but those the plan has
// a type for.
type Decoder struct {
	operation  string // "GET /pets/{id}"
	upstream   string
	forced     kind
	wrap       bool // structured content is {"result": value}
	declared   bool // there must be structured content
	wantsJSON  bool
	shape      *plan.Shape
	charset    string            // of bodies; "" is what they say
	soap       bool              // XML is a SOAP envelope
	lists      map[string]bool   // XML elements that are lists
	types      map[string]string // JSON types of texts, by name
	namespaces map[string]string // prefixes, by the URI they stand for
	csv        *plan.CSVReading
	main       string   // the part of a page that counts: tag, #id or .class
	shaping    *shaping // nil: values are shown as they are
	parts      *shaping // what holds for parts of an answer, too
	rules      []rule   // what makes an answer an error although its status is good
	advices    []advice // what to tell of error statuses
	safe       bool     // the same call again does no harm
	narrowing  []string // arguments that make an answer smaller
}

// Compile prepares the decoding of a tool's answers. An error is a mistake in
// the plan.
func Compile(t plan.Tool) (*Decoder, error) {
	d := &Decoder{
		upstream: t.Request.Upstream,
		wrap:     t.Response.Wrap,
		declared: t.Output != "",
		shape:    t.Response.Shape,
		safe:     t.Hints.ReadOnly || t.Hints.Idempotent || upstream.Idempotent(t.Request.Method),
	}
	var ok bool
	if d.forced, ok = kindNamed(t.Response.Kind); !ok {
		return nil, fmt.Errorf("response kind %q is not known", t.Response.Kind)
	}
	if err := d.compileReading(t.Response); err != nil {
		return nil, err
	}
	var err error
	if d.shaping, err = compileShaping(t.Response); err != nil {
		return nil, err
	}
	if s := t.Response.Select; s != nil && s.Drop != nil {
		d.parts, err = compileShaping(plan.Response{Select: &plan.Selection{Rename: s.Rename, Drop: s.Drop}})
		if err != nil {
			return nil, err
		}
	}
	if d.rules, d.advices, err = compileErrors(t.Response); err != nil {
		return nil, err
	}
	d.wantsJSON = d.declared || strings.Contains(t.Request.Accept, "json")

	d.operation = t.Request.Method + " " + t.Request.Template()
	for _, p := range t.Request.Query {
		if narrows(p.Name) {
			for _, name := range argsOf(p) {
				if !slices.Contains(d.narrowing, name) {
					d.narrowing = append(d.narrowing, name)
				}
			}
		}
	}
	return d, nil
}

// argsOf are the arguments that a parameter is made of.
func argsOf(p plan.Param) []string {
	if p.Value == nil {
		return []string{p.Arg}
	}
	var names []string
	var walk func(x *plan.Expr)
	walk = func(x *plan.Expr) {
		if x.Op == plan.OpArg {
			names = append(names, x.Name)
		}
		for i := range x.Args {
			walk(&x.Args[i])
		}
	}
	walk(p.Value)
	return names
}

// narrows tells whether a query parameter of that name usually asks for less, or
// for the next part.
func narrows(name string) bool {
	name = strings.ToLower(strings.TrimLeft(strings.NewReplacer("_", "", "-", "", "[", "", "]", "").Replace(name), "$"))
	return slices.Contains([]string{
		"limit", "perpage", "pagesize", "size", "count", "maxresults", "maxitems", "max", "top", "first", "take", "rows", "pagelimit",
		"page", "pagenumber", "pageoffset", "offset", "cursor", "start", "skip", "after", "since", "pagetoken", "startingafter",
		"fields", "select", "filter", "q", "query", "search",
	}, name)
}

// Result makes the result of an answer, success or not. arguments are those of
// the call, for what is said of the answer. ctx ends what takes long.
func (d *Decoder) Result(ctx context.Context, a *upstream.Answer, arguments map[string]any) *result.Result {
	b := d.body(a)
	b.ctx, b.args = ctx, arguments
	if f := d.readFault(a); f != nil {
		return d.fault(b, f)
	}
	switch {
	case a.Status == http.StatusNotModified:
		return d.text(nil, "Not modified (304): it is what the arguments say is known already.")
	case a.Status >= 300:
		return d.refusal(b)
	case a.Method == http.MethodHead:
		return d.head(a)
	case len(a.Body) == 0:
		if res := d.failed(b, nil); res != nil {
			return res
		}
		return d.empty(a)
	}
	k := d.forced
	if k == unknown {
		k = b.media.kind
	}
	return d.decode(k, b)
}

// compileReading prepares what a plan says of how bodies are read.
func (d *Decoder) compileReading(r plan.Response) error {
	d.charset, d.csv, d.main = r.Charset, r.CSV, r.HTML
	if d.charset != "" && encodingNamed(d.charset) == nil {
		return fmt.Errorf("charset %q is not known", d.charset)
	}
	if x := r.XML; x != nil {
		d.soap = x.SOAP
		d.lists = make(map[string]bool, len(x.Lists))
		for _, name := range x.Lists {
			d.lists[name] = true
		}
		d.namespaces = make(map[string]string, len(x.Namespaces))
		for _, n := range x.Namespaces {
			d.namespaces[n.URI] = n.Prefix
		}
	}
	if len(r.Types) > 0 {
		d.types = make(map[string]string, len(r.Types))
		for _, n := range r.Types {
			d.types[n.Name] = n.Type
		}
	}
	return nil
}

// body is what is to be decoded of an answer.
func (d *Decoder) body(a *upstream.Answer) *body {
	return d.root(&body{answer: a, media: mediaOf(a.Header), bytes: a.Body, cut: a.Truncated, charset: d.charset})
}

// body is a body on its way to a result: of an answer, or of a part of one.
type body struct {
	ctx     context.Context // of the call, which the body does not outlive
	args    map[string]any
	answer  *upstream.Answer
	media   media
	bytes   []byte
	cut     bool     // there was more
	charset string   // its encoding, by the plan; "" is what it says
	name    string   // of a part of a form
	notes   []string // what is to be said about the decoding
	// attached is what belongs to the body and comes after it.
	attached []result.Content
}

// remark notes something about the decoding, once.
func (b *body) remark(text string) {
	if !slices.Contains(b.notes, text) {
		b.notes = append(b.notes, text)
	}
}

// remarks adds what is to be said about the decoding to a result, and what
// belongs to the body.
func (b *body) remarks(res *result.Result) {
	res.Content = append(res.Content, b.attached...)
	for _, text := range b.notes {
		res.Add(text)
	}
	b.attached, b.notes = nil, nil
}

func (d *Decoder) decode(k kind, b *body) *result.Result {
	switch k {
	case kindJSON:
		return d.json(b)
	case kindLines:
		return d.lines(b)
	case kindEvents:
		return d.events(b)
	case kindXML:
		return d.xml(b)
	case kindCSV, kindTSV:
		return d.table(b, k == kindTSV)
	case kindForm:
		return d.form(b)
	case kindHTML:
		return d.html(b)
	case kindMultipart:
		return d.multipart(b)
	case kindText:
		if d.forced == unknown && d.wantsJSON && looksJSON(b.bytes) {
			if v, err := readJSON(b); err == nil {
				return d.deliver(b, v)
			}
		}
		if d.forced == unknown && d.shape != nil && looksXML(b.bytes) {
			return d.xml(b)
		}
		return d.plain(b)
	case kindImage, kindAudio:
		return d.picture(b, k)
	case kindBytes:
		if d.forced == unknown && d.wantsJSON && looksJSON(b.bytes) {
			if v, err := readJSON(b); err == nil {
				return d.deliver(b, v)
			}
		}
		return d.blob(b)
	}
	return d.decode(d.sniff(b), b)
}

// plain delivers text as it is.
func (d *Decoder) plain(b *body) *result.Result {
	return d.text(b, string(b.utf8("")))
}

// text is a result of one text, which is not JSON. b may be nil.
func (d *Decoder) text(b *body, text string) *result.Result {
	res := d.words(b, text)
	if b != nil && !res.IsError {
		if b.cut {
			d.note(b, res, "")
		}
		b.remarks(res)
	}
	return res
}

// words is text without what is to be said about the body. b may be nil.
func (d *Decoder) words(b *body, text string) *result.Result {
	if b != nil && d.rules != nil {
		if res := d.failed(b, result.AppendString(nil, text)); res != nil {
			return res
		}
	}
	var note string
	if s := d.shaping; s != nil && b != nil {
		if s.empty != "" && strings.TrimSpace(text) == "" {
			text = s.empty
		} else if s.maxText > 0 && len(text) > s.maxText {
			text, note = d.fitText(text)
		}
	}
	res := result.Text(text)
	if note != "" {
		res.Add(note)
		res.SetMeta("mcpc/truncated", true)
	}
	if d.declared {
		// A client that was promised structured content fails a call without.
		res.Structured = append(result.AppendString([]byte(`{"result":`), text), '}')
	}
	return res
}

// structure sets the structured content to a valid JSON value without duplicate
// names, as the tool declares it, unless it is nested too deeply for clients.
func (d *Decoder) structure(res *result.Result, v []byte) {
	if !shallow(v) {
		return
	}
	v = bytes.Trim(v, " \t\r\n")
	if v[0] == '{' && !d.wrap {
		res.Structured = v
	} else if d.wrap || d.declared || d.shaping != nil && d.shaping.as != "" {
		w := make([]byte, 0, len(v)+12)
		w = append(append(append(w, `{"result":`...), v...), '}')
		res.Structured = w
	}
}

// shallow tells whether JSON is nested no deeper than a client's parser can be
// expected to follow.
func shallow(v []byte) bool {
	if bytes.Count(v, []byte("["))+bytes.Count(v, []byte("{")) < maxStructure {
		return true
	}
	depth, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth >= maxStructure {
				return false
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return true
}

// note adds a block that says that the answer is incomplete. where tells what
// was cut.
func (d *Decoder) note(b *body, res *result.Result, where string) {
	res.Add(d.incomplete(b.answer, where))
	res.SetMeta("mcpc/truncated", true)
}

func (d *Decoder) incomplete(a *upstream.Answer, where string) string {
	var s strings.Builder
	switch {
	case a.TimedOut:
		s.WriteString("This answer is incomplete: the upstream was still sending when the time for the call was up.")
	case a.Truncated:
		fmt.Fprintf(&s, "This answer is incomplete: the upstream's is larger than %s, the most that is read.", size(a.Limit))
	default:
		s.WriteString("This answer is incomplete: the whole of it would be too large.")
	}
	if where != "" {
		s.WriteString(" " + where)
	}
	s.WriteString(d.rest())
	return s.String()
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	case n >= 1e6 && n%1e6 == 0:
		return fmt.Sprintf("%d MB", n/1e6)
	case n >= 1e3 && n%1e3 == 0:
		return fmt.Sprintf("%d KB", n/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}

// empty is the result of an answer without a body.
func (d *Decoder) empty(a *upstream.Answer) *result.Result {
	text := fmt.Sprintf("Done (%s).", status(a.Status))
	if a.Status == http.StatusAccepted {
		text = "Accepted (202): the upstream has not finished it yet."
	}
	if l := a.Header.Get("Location"); l != "" {
		// Where a created or pending thing is. The host is not the model's
		// concern and a query may hold a token.
		if u, err := url.Parse(l); err == nil && u.Path != "" {
			text += " Location: " + u.EscapedPath()
		}
	}
	res := result.Text(text)
	d.nothing(res)
	return res
}

// nothing sets the structured content of an answer that has none.
func (d *Decoder) nothing(res *result.Result) {
	if d.declared && d.wrap {
		res.Structured = jsontext.Value(`{"result":null}`)
	} else if d.declared {
		res.Structured = jsontext.Value(`{}`)
	}
}

// status is "404 Not Found".
func status(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// head is the result of a HEAD request: the headers that describe the resource.
// Others are the upstream's own affair, and some are secret.
func (d *Decoder) head(a *upstream.Answer) *result.Result {
	var s strings.Builder
	fmt.Fprintf(&s, "HTTP %s", status(a.Status))
	for _, name := range []string{
		"Content-Type", "Content-Length", "Content-Language", "Content-Disposition", "Last-Modified", "Etag", "Expires",
		"Accept-Ranges", "Allow", "Retry-After", "X-Total-Count", "X-Total", "X-Total-Pages",
	} {
		for _, v := range a.Header[name] {
			s.WriteString("\n" + name + ": " + v)
		}
	}
	res := result.Text(s.String())
	d.nothing(res)
	return res
}
