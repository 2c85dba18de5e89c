// Package response makes an upstream's answer a tool result. It is pure: what a
// result holds depends on the plan's tool and the answer's bytes alone.
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
// No answer is lost: what cannot be decoded as what it claims to be is delivered
// as text or bytes. What was too large is cut where an element ends, stays valid,
// and a block of its own says so. Statuses from 300 on are errors, told with
// what the upstream says about them.
package response

import (
	"bytes"
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
// the root element is the one member of the result. Prefixes and namespaces are
// dropped. A DTD is not read, so entities beyond XML's five make a document text.
//
// CSV is a list of objects by the names in its first row, forms are an object;
// all values are strings, so that 007 stays 007.
type Decoder struct {
	operation string // "GET /pets/{id}"
	upstream  string
	forced    kind
	wrap      bool // structured content is {"result": value}
	declared  bool // there must be structured content
	wantsJSON bool
	shape     *plan.Shape
	safe      bool     // the same call again does no harm
	narrowing []string // arguments that make an answer smaller
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
	d.wantsJSON = d.declared || strings.Contains(t.Request.Accept, "json")

	var path strings.Builder
	path.WriteString(t.Request.Method + " ")
	for _, s := range t.Request.Path {
		if s.Param != nil {
			path.WriteString("{" + s.Param.Name + "}")
		} else {
			path.WriteString(s.Literal)
		}
	}
	d.operation = path.String()
	for _, p := range t.Request.Query {
		if p.Arg != "" && narrows(p.Name) {
			d.narrowing = append(d.narrowing, p.Arg)
		}
	}
	return d, nil
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

// Result makes the result of an answer, success or not.
func (d *Decoder) Result(a *upstream.Answer) *result.Result {
	switch {
	case a.Status == http.StatusNotModified:
		return d.text(nil, "Not modified (304): it is what the arguments say is known already.")
	case a.Status >= 300:
		return d.refusal(a)
	case a.Method == http.MethodHead:
		return d.head(a)
	case len(a.Body) == 0:
		return d.empty(a)
	}
	m := mediaOf(a.Header)
	k := d.forced
	if k == unknown {
		k = m.kind
	}
	return d.decode(k, &body{answer: a, media: m, bytes: a.Body, cut: a.Truncated})
}

// body is a body on its way to a result: of an answer, or of a part of one.
type body struct {
	answer *upstream.Answer
	media  media
	bytes  []byte
	cut    bool // there was more
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
	res := result.Text(text)
	if d.declared {
		// A client that was promised structured content fails a call without.
		res.Structured = append(result.AppendString([]byte(`{"result":`), text), '}')
	}
	if b != nil && b.cut {
		d.note(b, res, "")
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
	} else if d.wrap || d.declared {
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
	if len(d.narrowing) > 0 {
		s.WriteString(" To get the rest, call again with other values of " + strings.Join(d.narrowing, ", ") + ".")
	} else {
		s.WriteString(" Ask for less at once, if the tool's arguments allow it.")
	}
	return s.String()
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
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
