package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Limits on what one document may pull in.
const (
	maxFiles = 20_000
	maxBytes = 256 << 20
	maxHops  = 100 // references that lead to references
)

// file is one text of the document.
type file struct {
	location string // as it is read: path or URL
	src      *diag.Source
	root     *specs.Node // nil: not readable
	refs     map[string]target
	large    map[*specs.Node]map[string]*specs.Node // members of large objects
	ids      *identifiers                           // nil: the text names no $id or anchor
}

// target is what a reference leads to.
type target struct {
	node *specs.Node
	name string // a readable name for it
	// When node is nil: why, as code and message.
	code, problem, hint string
}

// add reads the text of a file that was loaded.
func (p *parser) add(location string, src *diag.Source) *file {
	f := &file{location: location, src: src, refs: map[string]target{}, large: map[*specs.Node]map[string]*specs.Node{}}
	p.files[location], p.bySource[src] = f, f
	p.bytes += int64(len(src.Text))
	p.extended = p.extended || bytes.Contains(src.Text, []byte(extensionKey))
	var diags diag.List
	f.root, diags = readText(src)
	for _, d := range diags {
		if d.Severity == diag.Warning {
			p.warn(d.Code, d.Range, d.Hint, "%s", d.Message)
		} else {
			if p.root != nil { // the root file is another one: the rest can be served
				d.Severity = diag.Warning
			}
			p.diags.Add(d)
		}
	}
	if f.root != nil && namesSchemas(src.Text) {
		p.identify(f)
	}
	return f
}

// readText reads JSON, YAML or, going by the name, plain text.
func readText(src *diag.Source) (*specs.Node, diag.List) {
	start := 0
	switch {
	case bytes.HasPrefix(src.Text, []byte("\xFE\xFF")), bytes.HasPrefix(src.Text, []byte("\xFF\xFE")):
		return nil, diag.List{{Code: "not-utf8", Message: "the text is UTF-16; only UTF-8 is read", Range: diag.Range{Source: src}}}
	case bytes.HasPrefix(src.Text, []byte("\uFEFF")):
		start = 3
	}
	if len(src.Text) > 1<<31-1 {
		return nil, diag.List{{Code: "too-large", Message: "the text is larger than 2 GB", Range: diag.Range{Source: src}}}
	}
	// One copy of the text is what all strings of the tree are cut from. A byte
	// order mark becomes spaces and an invalid byte a question mark, so that
	// offsets stay true.
	text := string(src.Text)
	if start > 0 {
		text = "   " + text[start:]
	}
	var diags diag.List
	if !utf8.ValidString(text) {
		b, first := []byte(text), -1
		for i := 0; i < len(b); {
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				b[i] = '?'
				if first < 0 {
					first = i
				}
			}
			i += size
		}
		text = string(b)
		diags.Add(diag.Diagnostic{
			Severity: diag.Warning, Code: "not-utf8", Range: diag.Range{Source: src, Start: first, End: first + 1},
			Message: "the text is not valid UTF-8; bytes that are not are read as question marks",
		})
	}
	var n *specs.Node
	var more diag.List
	switch strings.ToLower(filepath.Ext(pathOf(src.Name))) {
	case ".md", ".markdown", ".txt", ".html", ".htm":
		n = &specs.Node{Kind: specs.String, Text: text, Source: src, End: int32(len(text))}
		return n, diags
	}
	body := strings.TrimLeft(text, " \t\r\n")
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		if n, more = readJSON(src, text); n == nil && looksFlow(body) {
			if y, ymore := readYAML(src, text, start); y != nil {
				if strings.HasPrefix(strings.TrimLeft(body[1:], " \t\r\n"), `"`) {
					more[0].Severity = diag.Warning
					more[0].Message += "; it is read as YAML"
					ymore = append(more, ymore...)
				}
				n, more = y, ymore
			}
		}
	} else {
		n, more = readYAML(src, text, start)
	}
	return n, append(diags, more...)
}

// looksFlow reports whether a text that is not JSON can be a YAML flow mapping:
// its first key has no double quotes, or it is short enough to just try.
func looksFlow(body string) bool {
	rest := strings.TrimLeft(body[1:], " \t\r\n")
	return !strings.HasPrefix(rest, `"`) || len(body) < 1<<20
}

func pathOf(location string) string {
	if specs.IsURL(location) {
		if u, err := url.Parse(location); err == nil {
			return u.Path
		}
	}
	return location
}

// deref follows n while it is a reference to something that is no schema. Of
// members beside $ref, summary and description replace those of the target, as
// OpenAPI 3.1 says. It returns nil, after a warning, when there is no target.
func (p *parser) deref(n *specs.Node) *specs.Node {
	return p.follow(n, func(f specs.Field) bool { return f.Key == "summary" || f.Key == "description" })
}

func (p *parser) follow(n *specs.Node, keep func(specs.Field) bool) *specs.Node {
	first := n
	var beside []specs.Field
	for range maxHops {
		ref := refOf(n)
		if ref == nil {
			if len(beside) == 0 || n.Kind != specs.Object {
				return n
			}
			merged := &specs.Node{Kind: specs.Object, Source: n.Source, Start: n.Start, End: n.End}
			merged.Fields = append(merged.Fields, n.Fields...)
			for _, f := range beside {
				if i := indexOf(merged.Fields, f.Key); i >= 0 {
					merged.Fields[i] = f
				} else {
					merged.Fields = append(merged.Fields, f)
				}
			}
			return merged
		}
		for _, f := range n.Fields {
			if f.Key != "$ref" && keep(f) && indexOf(beside, f.Key) < 0 {
				beside = append(beside, f)
			}
		}
		if n = p.lookup(ref); n == nil {
			return nil
		}
	}
	p.warn("circular-ref", refOf(first).Range(), "", "the reference %q leads back to itself; it is left out", clip(refOf(first).Text))
	return nil
}

func indexOf(list []specs.Field, key string) int {
	for i := range list {
		if list[i].Key == key {
			return i
		}
	}
	return -1
}

// refOf returns the text of a reference object, or nil.
func refOf(n *specs.Node) *specs.Node {
	if n == nil || n.Kind != specs.Object {
		return nil
	}
	if ref := n.Get("$ref"); ref != nil && ref.Kind == specs.String {
		return ref
	}
	return nil
}

// lookup returns the target of a reference, or nil after a warning at the
// reference.
func (p *parser) lookup(ref *specs.Node) *specs.Node {
	t := p.resolve(ref)
	if t.node == nil {
		p.warn(t.code, ref.Range(), t.hint, "%s", t.problem)
	}
	return t.node
}

// resolve finds the target of a reference.
func (p *parser) resolve(ref *specs.Node) target {
	f := p.bySource[ref.Source]
	if f == nil {
		f = p.root
	}
	key := ref.Text
	base := ""
	if f.ids != nil {
		if base = f.ids.bases[ref]; base != "" {
			key = base + "\n" + key
		}
	}
	if t, known := f.refs[key]; known {
		return t
	}
	f.refs[key] = target{code: "circular-ref", problem: fmt.Sprintf("the reference %q leads back to itself", clip(ref.Text))}
	t := p.find(f, base, ref.Text)
	f.refs[key] = t
	return t
}

func dangling(format string, args ...any) target {
	return target{code: "dangling-ref", problem: fmt.Sprintf(format, args...)}
}

// find finds the target of a reference written in f, inside a schema whose $id
// is base.
func (p *parser) find(f *file, base, ref string) target {
	address, fragment, _ := strings.Cut(ref, "#")
	if address == "" && base == "" {
		return p.inside(f, f.root, fragment, ref)
	}
	if t, ok := p.byIdentifier(f, base, address, fragment, ref); ok {
		return t
	}
	// Old tools write the bare name of a schema.
	if fragment == "" && !strings.ContainsAny(address, "/.:") {
		if n := p.components("schemas", "definitions").Get(address); n != nil {
			return target{node: n, name: address}
		}
	}
	other, problem := p.fileAt(f, address)
	if problem.code != "" {
		problem.problem = fmt.Sprintf("the reference %q %s", clip(ref), problem.problem)
		return problem
	}
	if other.root == nil {
		return dangling("the reference %q leads to a file that cannot be read", clip(ref))
	}
	return p.inside(other, other.root, fragment, ref)
}

// inside finds what a fragment points to below start.
func (p *parser) inside(f *file, start *specs.Node, fragment, ref string) target {
	decoded, err := url.PathUnescape(fragment)
	if err != nil {
		decoded = fragment
	}
	if decoded == "" || decoded == "/" {
		name := filepath.Base(pathOf(f.location))
		return target{node: start, name: strings.TrimSuffix(name, filepath.Ext(name))}
	}
	if decoded[0] != '/' {
		if f.ids != nil {
			if n := f.ids.anchors[decoded]; n != nil {
				return target{node: n, name: decoded}
			}
		}
		if n := p.components("schemas", "definitions").Get(decoded); n != nil && f == p.root {
			return target{node: n, name: decoded}
		}
		return dangling("the reference %q leads nowhere: no schema has the anchor %q", clip(ref), clip(decoded))
	}
	n := start
	steps := strings.Split(decoded[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, step := range steps {
		if strings.IndexByte(step, '~') >= 0 {
			step = unescape.Replace(step)
			steps[i] = step
		}
		next := p.child(n, step)
		// A pointer through a reference goes on in its target.
		for hop := 0; next == nil; hop++ {
			through := p.child(n, "$ref")
			if through == nil || through.Kind != specs.String {
				break
			}
			t := p.resolve(through)
			if t.node == nil || hop > maxHops {
				return dangling("the reference %q passes through one that leads nowhere", clip(ref))
			}
			n = t.node
			next = p.child(n, step)
		}
		if next == nil {
			t := dangling("the reference %q leads nowhere: there is no %q", clip(ref), clip(strings.Join(steps[:i+1], "/")))
			// Few hints are read, and looking for near names takes time.
			if p.hints < 50 && n.Kind == specs.Object && len(n.Fields) <= 5000 && len(step) <= 64 {
				p.hints++
				names := make([]string, len(n.Fields))
				for j := range n.Fields {
					names[j] = n.Fields[j].Key
				}
				if near := diag.Nearest(step, names); near != "" {
					t.hint = fmt.Sprintf("did you mean %q?", near)
				}
			}
			return t
		}
		n = next
	}
	return target{node: n, name: pointerName(steps)}
}

// pointerName makes a readable name for what a JSON Pointer leads to: the last
// step when that is a name, else enough of the path.
func pointerName(steps []string) string {
	plain := map[string]bool{"schema": true, "items": true, "content": true, "properties": true, "allOf": true, "oneOf": true, "anyOf": true, "additionalProperties": true}
	last := steps[len(steps)-1]
	if _, err := strconv.Atoi(last); err != nil && !plain[last] && !strings.ContainsRune(last, '/') {
		return last
	}
	return strings.Join(steps, "_")
}

// child is a member of an object or an element of an array.
func (p *parser) child(n *specs.Node, step string) *specs.Node {
	switch f := p.bySource[n.Source]; {
	case n.Kind == specs.Array:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Fields) {
			return n.Fields[i].Value
		}
		return nil
	case n.Kind == specs.Object && len(n.Fields) > 32 && f != nil:
		m := f.large[n]
		if m == nil {
			m = make(map[string]*specs.Node, len(n.Fields))
			for _, field := range n.Fields {
				m[field.Key] = field.Value
			}
			f.large[n] = m
		}
		return m[step]
	}
	return n.Get(step)
}

// fileAt loads the file a reference in f names, if it may.
func (p *parser) fileAt(f *file, address string) (*file, target) {
	location, problem := p.place.locate(f.location, address)
	if problem.code != "" {
		return nil, problem
	}
	if known := p.files[location]; known != nil {
		return known, target{}
	}
	if len(p.files) >= maxFiles || p.bytes > maxBytes {
		return nil, target{code: "too-large", problem: fmt.Sprintf("is not followed: the document already has %d files of %d bytes", len(p.files), p.bytes)}
	}
	src, err := p.reader.Read(p.ctx, location)
	if err != nil {
		// The path is in the reference already.
		err = errors.Unwrap(err)
		return nil, target{code: "dangling-ref", problem: fmt.Sprintf("leads nowhere: %v", err)}
	}
	if known := p.bySource[src]; known != nil {
		return known, target{}
	}
	return p.add(location, src), target{}
}

// policy says which locations references may reach.
type policy struct {
	root    string   // folder of a document from a file, symlinks resolved
	host    *url.URL // of a document from a URL
	folders []string // allowed folders and files, symlinks resolved
	urls    []string // allowed URL prefixes
}

func newPolicy(location string, allow []string) policy {
	var p policy
	if specs.IsURL(location) {
		p.host, _ = url.Parse(location)
	} else {
		dir := "."
		if location != "-" {
			dir = filepath.Dir(location)
		}
		p.root = realPath(dir)
	}
	for _, a := range allow {
		if specs.IsURL(a) {
			p.urls = append(p.urls, a)
		} else if real := realPath(a); real != "" {
			p.folders = append(p.folders, real)
		}
	}
	return p
}

// realPath is the absolute path with symlinks resolved, or "".
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return ""
	}
	return real
}

func (l policy) refused(why string) target {
	return target{code: "refused-ref", problem: "is not followed: " + why, hint: "allow it with --allow-ref if you trust it"}
}

// locate turns an address written in the text at from into a location that may
// be read.
func (l policy) locate(from, address string) (string, target) {
	u, err := url.Parse(address)
	if err != nil {
		return "", target{code: "dangling-ref", problem: "is no valid URL or path"}
	}
	if specs.IsURL(from) {
		base, err := url.Parse(from)
		if err != nil {
			return "", l.refused("its document has no valid URL")
		}
		u = base.ResolveReference(u)
	}
	switch {
	case u.Scheme == "http" || u.Scheme == "https":
		u.Fragment = ""
		// Dots are resolved and the port is part of the host by now.
		if l.host != nil && u.Scheme == l.host.Scheme && u.Host == l.host.Host && u.User == nil {
			return u.String(), target{}
		}
		for _, prefix := range l.urls {
			if underURL(u, prefix) {
				return u.String(), target{}
			}
		}
		if l.host == nil {
			return "", l.refused("a file may not refer to the network")
		}
		return "", l.refused("it leads to another host than " + l.host.Host)
	case u.Scheme != "" && u.Scheme != "file" && len(u.Scheme) > 1:
		return "", l.refused(fmt.Sprintf("the scheme %q is not supported", u.Scheme))
	}
	path := address
	if u.Scheme == "file" {
		path = u.Path
	} else if decoded, err := url.PathUnescape(address); err == nil {
		path = decoded
	}
	path, _, _ = strings.Cut(path, "?")
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) && from != "-" {
		path = filepath.Join(filepath.Dir(from), path)
	}
	path = filepath.Clean(path)
	real := realPath(path)
	if real == "" {
		if abs, err := filepath.Abs(path); err == nil && !l.allows(abs) && !l.allows(filepath.Join(realPath(filepath.Dir(abs)), filepath.Base(abs))) {
			return "", l.refused("it leads out of the folder of the document")
		}
		return "", target{code: "dangling-ref", problem: "leads nowhere: " + fs.ErrNotExist.Error()}
	}
	if !l.allows(real) {
		return "", l.refused("it leads out of the folder of the document")
	}
	if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() {
		return "", target{code: "dangling-ref", problem: "leads nowhere: it is no file"}
	}
	return path, target{}
}

func (l policy) allows(real string) bool {
	if l.root != "" && within(real, l.root) {
		return true
	}
	for _, folder := range l.folders {
		if within(real, folder) {
			return true
		}
	}
	return false
}

func within(path, folder string) bool {
	if path == folder {
		return true
	}
	return strings.HasPrefix(path, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator))
}

// underURL reports whether u is at or below the prefix: same scheme and host,
// and the path's segments begin with the prefix's.
func underURL(u *url.URL, prefix string) bool {
	a, err := url.Parse(prefix)
	if err != nil || a.Scheme != u.Scheme || a.Host != u.Host || u.User != nil {
		return false
	}
	base := strings.TrimSuffix(a.EscapedPath(), "/")
	path := u.EscapedPath()
	return path == base || path == a.EscapedPath() || strings.HasPrefix(path, base+"/")
}
