package lsp

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

// question is one request about a document.
type question struct {
	server *server
	ctx    context.Context
	doc    *document // a copy
	params *documentParams
	lines  *lines
}

type answerFunc func(*question) (any, error)

// answers are the requests that are understood. A nil answer is the protocol's
// null.
var answers = map[string]answerFunc{
	"textDocument/completion":     (*question).completion,
	"textDocument/hover":          (*question).hover,
	"textDocument/definition":     (*question).definition,
	"textDocument/documentSymbol": (*question).symbols,
	"textDocument/formatting":     (*question).formatting,
	"textDocument/codeAction":     (*question).codeActions,
}

// maxWait is how long a question waits for the first reading of its spec: better
// an answer without the names in it than none.
const maxWait = 5 * time.Second

// view is the document with what is known of its spec.
func (q *question) view() *hclspec.View {
	var spec *hclspec.Spec
	if u := q.doc.unit; u != nil {
		timer := time.NewTimer(maxWait)
		defer timer.Stop()
		select {
		case <-u.first:
		case <-q.ctx.Done():
		case <-timer.C:
		}
		q.server.mu.Lock()
		spec = u.spec
		q.server.mu.Unlock()
	}
	return hclspec.NewView(spec, q.doc.path, q.doc.text)
}

func (q *question) offset() int { return q.lines.offset(q.params.Position) }

func (q *question) stretch(start, end int) textRange {
	return textRange{q.lines.position(start), q.lines.position(end)}
}

// completionKinds are the protocol's numbers, which choose an icon.
var completionKinds = map[hclspec.CompletionKind]int{
	hclspec.CompleteBlock: 22, hclspec.CompleteAttribute: 10, hclspec.CompleteWord: 12, hclspec.CompleteType: 7,
	hclspec.CompleteFunction: 3, hclspec.CompleteReference: 6, hclspec.CompleteOperation: 2, hclspec.CompleteInput: 5,
}

func (q *question) completion() (any, error) {
	list, whole := q.view().Complete(q.offset())
	out := completionList{IsIncomplete: !whole, Items: []completionItem{}}
	for i, c := range list {
		item := completionItem{Label: c.Label, Kind: completionKinds[c.Kind], Detail: c.Detail, SortText: fmt.Sprintf("%04d", i), Edit: textEdit{q.stretch(c.Start, c.End), c.Insert}}
		if c.Doc != "" {
			item.Documentation = &markup{"markdown", c.Doc}
		}
		switch {
		case c.Snippet && q.server.snippets:
			item.Format = 2
		case c.Snippet:
			item.Edit.NewText = plain(c.Insert)
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

var (
	placeChoice = regexp.MustCompile(`\$\{\d+\|([^,|}]*)[^}]*\}`)
	placeText   = regexp.MustCompile(`\$\{\d+:([^}]*)\}`)
	placeEmpty  = regexp.MustCompile(`\$\d+`)
)

// plain is a snippet without its places.
func plain(s string) string {
	s = placeChoice.ReplaceAllString(s, "$1")
	s = placeText.ReplaceAllString(s, "$1")
	return placeEmpty.ReplaceAllString(s, "")
}

func (q *question) hover() (any, error) {
	m, ok := q.view().Meaning(q.offset())
	if !ok || m.Doc == "" {
		return nil, nil //nolint:nilnil // the protocol's null
	}
	return hover{markup{"markdown", m.Doc}, q.stretch(m.At.Start, m.At.End)}, nil
}

func (q *question) definition() (any, error) {
	m, ok := q.view().Meaning(q.offset())
	if !ok || m.Definition.IsZero() || !filepath.IsAbs(m.Definition.Source.Name) {
		return nil, nil //nolint:nilnil // the protocol's null
	}
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	return location{q.server.uriOf(m.Definition.Source.Name), places{}.textRange(m.Definition)}, nil
}

func (q *question) symbols() (any, error) {
	var convert func(list []hclspec.Symbol) []symbol
	convert = func(list []hclspec.Symbol) []symbol {
		out := []symbol{}
		for _, s := range list {
			kind := 7 // property
			if s.Block {
				kind = 5 // class
			}
			out = append(out, symbol{Name: s.Name, Detail: s.Detail, Kind: kind, Range: q.stretch(s.Range.Start, s.Range.End), SelectionRange: q.stretch(s.At.Start, s.At.End), Children: convert(s.Children)})
		}
		return out
	}
	return convert(hclspec.NewView(nil, q.doc.path, q.doc.text).Symbols()), nil
}

func (q *question) formatting() (any, error) {
	if strings.HasSuffix(q.doc.path, ".json") {
		return nil, nil //nolint:nilnil // the protocol's null
	}
	to, list := hclspec.Format(&diag.Source{Name: q.doc.path, Text: q.doc.text})
	if list.HasErrors() { // which are published already
		return nil, nil //nolint:nilnil // the protocol's null
	}
	return difference(q.doc.text, to), nil
}

func (q *question) codeActions() (any, error) {
	out := []codeAction{}
	u := q.doc.unit
	if u == nil {
		return out, nil
	}
	q.server.mu.Lock()
	defer q.server.mu.Unlock()
	for _, f := range u.fixes[q.doc.uri] {
		if f.version != q.doc.version || before(f.diagnostic.Range.End, q.params.Range.Start) || before(q.params.Range.End, f.diagnostic.Range.Start) {
			continue
		}
		out = append(out, codeAction{Title: fmt.Sprintf("Replace by %q", f.edit.NewText), Kind: "quickfix", Diagnostics: []diagnostic{f.diagnostic}, IsPreferred: true,
			Edit: workspaceEdit{map[string][]textEdit{q.doc.uri: {f.edit}}}})
	}
	return out, nil
}

// before reports whether a position comes before another.
func before(a, b position) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Character < b.Character
}
