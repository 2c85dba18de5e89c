package lsp

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// maxDiagnostics is how many findings about one file are published.
const maxDiagnostics = 500

// unit is a spec: a folder of .hcl files, or one file. Its fields belong to the
// server's mutex.
type unit struct {
	target string
	open   int // documents in the editor
	// turn counts the reasons to compile; a compilation for an older one is
	// given up.
	turn   int
	timer  *time.Timer
	cancel context.CancelFunc

	spec      *hclspec.Spec // of the last compilation
	read      map[string]bool
	fixes     map[string][]fix // by URI
	published []string         // URIs that have diagnostics
	first     chan struct{}    // closed after the first compilation
}

// fix is what a diagnostic proposes to change.
type fix struct {
	diagnostic diagnostic
	edit       textEdit
	version    int
}

// join makes a document a part of its spec.
func (s *server) join(d *document) {
	if d.path == "" || !strings.HasSuffix(d.path, ".hcl") && !strings.HasSuffix(d.path, ".hcl.json") {
		return
	}
	target := filepath.Dir(d.path)
	if s.options.Files {
		target = d.path
	}
	if d.unit = s.units[target]; d.unit == nil {
		d.unit = &unit{target: target, first: make(chan struct{})}
		s.units[target] = d.unit
	}
	d.unit.open++
}

// leave takes a document out of its spec. Nothing is said any more about a spec
// of which nothing is open.
func (s *server) leave(d *document) {
	u := d.unit
	if u == nil {
		return
	}
	if u.open--; u.open > 0 {
		return
	}
	delete(s.units, u.target)
	u.end()
	gone := u.published
	s.wg.Go(func() {
		s.compiling <- struct{}{} // after what is being published
		defer func() { <-s.compiling }()
		for _, uri := range gone {
			s.publish(publishDiagnostics{URI: uri, Diagnostics: []diagnostic{}})
		}
	})
}

// end gives up what is being compiled.
func (u *unit) end() {
	u.turn++
	if u.timer != nil {
		u.timer.Stop()
	}
	if u.cancel != nil {
		u.cancel()
	}
}

func (s *server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.units {
		u.end()
	}
}

// changed compiles, after a delay, the specs that a document is a part of.
func (s *server) changed(d *document, delay time.Duration) {
	for _, u := range s.units {
		if u == d.unit || d.path != "" && u.read[d.path] {
			s.schedule(u, delay)
		}
	}
}

func (s *server) schedule(u *unit, delay time.Duration) {
	u.end()
	turn := u.turn
	u.timer = time.AfterFunc(delay, func() {
		s.mu.Lock()
		current := u.turn == turn && s.ctx.Err() == nil
		if current {
			s.wg.Go(func() { s.check(u, turn) })
		}
		s.mu.Unlock()
	})
}

// check compiles a spec and publishes what was found, unless the texts changed
// meanwhile.
func (s *server) check(u *unit, turn int) {
	s.compiling <- struct{}{}
	defer func() { <-s.compiling }()
	s.mu.Lock()
	if u.turn != turn {
		s.mu.Unlock()
		return
	}
	var ctx context.Context
	ctx, u.cancel = context.WithCancel(s.ctx)
	defer u.cancel()
	buffers := map[string][]byte{}
	versions := map[string]int{}
	for _, d := range s.docs {
		if d.path != "" {
			buffers[d.path] = append([]byte{}, d.text...)
			versions[d.uri] = d.version
		}
	}
	s.mu.Unlock()

	o := s.options.Compile
	o.Target, o.CacheDir, o.Spec = u.target, "", &hclspec.Spec{}
	o.Reader = &specs.Reader{Getenv: s.options.Getenv, Buffers: buffers}
	result, err := s.compile(ctx, o)
	if ctx.Err() != nil {
		return
	}
	var list diag.List
	if err != nil {
		s.log("%v", err)
	} else {
		list = result.Diagnostics
	}

	s.mu.Lock()
	if u.turn != turn {
		s.mu.Unlock()
		return
	}
	u.spec = o.Spec
	u.read = map[string]bool{}
	if result != nil {
		for _, d := range result.Dependencies {
			if d.Kind == "file" {
				u.read[filepath.Clean(d.Name)] = true
			}
		}
	}
	byURI := s.convert(u, list, versions)
	var out []publishDiagnostics
	for _, uri := range u.published {
		if _, ok := byURI[uri]; !ok {
			byURI[uri] = []diagnostic{}
		}
	}
	for uri := range versions { // says which version is clean
		if d := s.docs[uri]; d != nil && d.unit == u && byURI[uri] == nil {
			byURI[uri] = []diagnostic{}
		}
	}
	u.published = nil
	for uri, found := range byURI {
		p := publishDiagnostics{URI: uri, Diagnostics: found}
		if v, ok := versions[uri]; ok {
			p.Version = &v
		}
		if len(found) > 0 {
			u.published = append(u.published, uri)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b publishDiagnostics) int { return strings.Compare(a.URI, b.URI) })
	select {
	case <-u.first:
	default:
		close(u.first)
	}
	s.mu.Unlock()
	for _, p := range out {
		s.publish(p)
	}
}

// compile is the compiler's, with a mistake of ours as an error.
func (s *server) compile(ctx context.Context, o compiler.Options) (r *compiler.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, &rpcError{internalError, "internal error in the compiler"}
			s.log("panic: %v", p)
		}
	}()
	return compiler.Compile(ctx, o)
}

func (s *server) publish(p publishDiagnostics) {
	if err := s.out.notify("textDocument/publishDiagnostics", p); err != nil {
		s.log("%v", err)
	}
}

// places turns places of sources into those of the protocol.
type places map[*diag.Source]*lines

func (p places) textRange(r diag.Range) textRange {
	l := p[r.Source]
	if l == nil {
		l = newLines(r.Source.Text)
		p[r.Source] = l
	}
	return textRange{l.position(r.Start), l.position(max(r.Start, r.End))}
}

// convert sorts findings by the documents they are about, and notes what can be
// fixed.
func (s *server) convert(u *unit, list diag.List, versions map[string]int) map[string][]diagnostic {
	out := map[string][]diagnostic{}
	u.fixes = map[string][]fix{}
	at := places{}
	for _, d := range list {
		uri, r := s.home(u), textRange{}
		x := diagnostic{Severity: 1, Code: d.Code, Source: "mcpc", Message: d.Message}
		switch {
		case d.Range.IsZero():
		case filepath.IsAbs(d.Range.Source.Name):
			uri, r = s.uriOf(d.Range.Source.Name), at.textRange(d.Range)
		default: // a document on the network
			x.Message = d.Range.String() + ": " + x.Message
		}
		x.Range = r
		switch {
		case d.Severity == diag.Warning:
			x.Severity = 2
		case d.Code == "missing-variable": // an editor does not know how the spec will be served
			x.Severity = 3
		}
		if d.Hint != "" {
			x.Message += "\n" + d.Hint
		}
		for _, n := range d.Notes {
			if !n.Range.IsZero() && filepath.IsAbs(n.Range.Source.Name) {
				x.Related = append(x.Related, related{location{s.uriOf(n.Range.Source.Name), at.textRange(n.Range)}, n.Message})
			}
		}
		switch n := len(out[uri]); {
		case n == maxDiagnostics:
			out[uri] = append(out[uri], diagnostic{Severity: 3, Code: "more", Source: "mcpc", Message: "there is more; mcpc validate says all"})
			continue
		case n > maxDiagnostics:
			continue
		}
		out[uri] = append(out[uri], x)
		if r, text, ok := d.Fix(); ok && uri != "" {
			u.fixes[uri] = append(u.fixes[uri], fix{x, textEdit{at.textRange(r), text}, versions[uri]})
		}
	}
	return out
}

// home is the document that says what has no place of its own.
func (s *server) home(u *unit) string {
	var uris []string
	for uri, d := range s.docs {
		if d.unit == u {
			uris = append(uris, uri)
		}
	}
	if len(uris) == 0 {
		return s.uriOf(u.target)
	}
	return slices.Min(uris)
}
