package transport

import (
	"bytes"
	"context"
	"sync"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// listTTL is how long, in milliseconds, a modern client may keep a list. While it
// is connected it hears of changes; the minute is for restarts.
const listTTL = "60000"

// list is the answer to a method that lists, encoded on first use. There is one
// page: the text is written once and then only copied, so a page would save
// nothing here, and a client that does not know paging would lose the rest.
type list struct {
	once   sync.Once
	result []byte
}

// listKind is what is listed.
type listKind int

const (
	listTools listKind = iota
	listResources
	listTemplates
	listPrompts
)

func listKindOf(method string) listKind {
	switch method {
	case methodResources:
		return listResources
	case methodTemplates:
		return listTemplates
	case methodPrompts:
		return listPrompts
	}
	return listTools
}

// offers tells whether the server has what is listed, or may come to have it. It
// has tools always, and resources also when all are templates.
func (f *Front) offers(k listKind) bool {
	switch k {
	case listResources, listTemplates:
		return f.changes || len(f.plan.Resources) > 0
	case listPrompts:
		return f.changes || len(f.plan.Prompts) > 0
	}
	return true
}

// maxSeen is how many lists are kept for callers who do not see all.
const maxSeen = 64

// seen are such lists, by what is in them: callers with the same rights share one.
type seen struct {
	mu    sync.Mutex
	lists map[string][]byte
}

// listFor returns the result of listing for a caller.
func (f *Front) listFor(ctx context.Context, who principal.Principal, k listKind, e Era) []byte {
	judge, ok := f.caller.(Judge)
	if f.plan.Policy == nil || !ok {
		l := &f.lists[e][k]
		l.once.Do(func() { l.result = f.encode(k, e, "public", nil) })
		return l.result
	}
	tool, resource, prompt := judge.Visible(ctx, who)
	show, n := tool, len(f.plan.Tools)
	switch k {
	case listResources, listTemplates:
		show, n = resource, len(f.plan.Resources)
	case listPrompts:
		show, n = prompt, len(f.plan.Prompts)
	}
	which := make([]byte, 2+(n+7)/8)
	which[0], which[1] = byte(k), byte(e)
	for i := range n {
		if show(i) {
			which[2+i/8] |= 1 << (i % 8)
		}
	}
	f.seen.mu.Lock()
	kept := f.seen.lists[string(which)]
	f.seen.mu.Unlock()
	if kept != nil {
		return kept
	}
	kept = f.encode(k, e, "private", func(i int) bool { return which[2+i/8]&(1<<(i%8)) != 0 })
	f.seen.mu.Lock()
	defer f.seen.mu.Unlock()
	if f.seen.lists == nil {
		f.seen.lists = map[string][]byte{}
	}
	if len(f.seen.lists) >= maxSeen {
		for old := range f.seen.lists {
			delete(f.seen.lists, old)
			break
		}
	}
	f.seen.lists[string(which)] = kept
	return kept
}

// encode writes a list of what show shows; nil shows all. scope says who may keep
// it: what is the same for everybody, anybody may.
func (f *Front) encode(k listKind, e Era, scope string, show func(i int) bool) []byte {
	b := append([]byte(nil), '{')
	if e == Modern {
		b = append(b, f.complete...)
		b = append(append(append(b, `,"ttlMs":`+listTTL+`,"cacheScope":"`...), scope...), `",`...)
	}
	b = append(append(append(b, '"'), [...]string{"tools", "resources", "resourceTemplates", "prompts"}[k]...), `":[`...)
	first := len(b)
	shown := func(i int) bool {
		if show != nil && !show(i) {
			return false
		}
		if len(b) > first {
			b = append(b, ',')
		}
		return true
	}
	switch k {
	case listTools:
		for i := range f.plan.Tools {
			if shown(i) {
				b = appendTool(b, &f.plan.Tools[i], e)
			}
		}
	case listPrompts:
		for i := range f.plan.Prompts {
			if shown(i) {
				b = appendPrompt(b, &f.plan.Prompts[i])
			}
		}
	default:
		for i := range f.plan.Resources {
			if r := &f.plan.Resources[i]; r.IsTemplate() == (k == listTemplates) && shown(i) {
				b = appendResource(b, r)
			}
		}
	}
	return oneLine(append(b, "]}"...))
}

// appendResource appends a resource or template as a client sees it.
func appendResource(b []byte, r *plan.Resource) []byte {
	key := `{"uri":`
	if r.IsTemplate() {
		key = `{"uriTemplate":`
	}
	b = result.AppendString(append(b, key...), r.URI)
	b = appendNames(append(b, ','), r.Name, r.Title, r.Description)
	if r.MIME != "" {
		b = result.AppendString(append(b, `,"mimeType":`...), r.MIME)
	}
	return append(b, '}')
}

// appendPrompt appends a prompt as a client sees it.
func appendPrompt(b []byte, p *plan.Prompt) []byte {
	b = appendNames(append(b, '{'), p.Name, p.Title, p.Description)
	for i := range p.Arguments {
		a := &p.Arguments[i]
		if i == 0 {
			b = append(b, `,"arguments":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendNames(append(b, '{'), a.Name, "", a.Description)
		b = append(appendBool(append(b, `,"required":`...), a.Required), '}')
		if i == len(p.Arguments)-1 {
			b = append(b, ']')
		}
	}
	return append(b, '}')
}

func appendNames(b []byte, name, title, description string) []byte {
	b = result.AppendString(append(b, `"name":`...), name)
	if title != "" {
		b = result.AppendString(append(b, `,"title":`...), title)
	}
	if description != "" {
		b = result.AppendString(append(b, `,"description":`...), description)
	}
	return b
}

// appendTool appends a tool as a client sees it.
func appendTool(b []byte, t *plan.Tool, e Era) []byte {
	b = appendNames(append(b, '{'), t.Name, t.Title, t.Description)
	// Schemas are the same for all: what older clients cannot read, as boolean
	// schemas and outputs that are no objects, a plan does not have.
	b = append(append(b, `,"inputSchema":`...), t.Input...)
	if t.Output != "" {
		b = append(append(b, `,"outputSchema":`...), t.Output...)
	}
	b = append(b, `,"annotations":{`...)
	if t.Title != "" && e == Legacy {
		// 2025-03-26 knows no other place for a title.
		b = append(result.AppendString(append(b, `"title":`...), t.Title), ',')
	}
	// All four: what a hint defaults to when it is absent is the dangerous
	// reading.
	b = appendBool(append(b, `"readOnlyHint":`...), t.Hints.ReadOnly)
	b = appendBool(append(b, `,"destructiveHint":`...), t.Hints.Destructive)
	b = appendBool(append(b, `,"idempotentHint":`...), t.Hints.Idempotent)
	b = appendBool(append(b, `,"openWorldHint":`...), t.Hints.OpenWorld)
	b = append(b, '}')
	if t.Deprecated != "" {
		b = append(result.AppendString(append(b, `,"_meta":{"mcpc/deprecated":`...), t.Deprecated), '}')
	}
	return append(b, '}')
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// oneLine replaces line ends by spaces, in place. JSON has them between tokens
// only, where an upstream's own text may bring them; a line of stdio and a data
// field of an event must not.
func oneLine(b []byte) []byte {
	for _, c := range []byte{'\n', '\r'} {
		for i := 0; ; {
			n := bytes.IndexByte(b[i:], c)
			if n < 0 {
				break
			}
			i += n
			b[i] = ' '
		}
	}
	return b
}
