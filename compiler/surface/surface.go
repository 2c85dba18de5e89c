// Package surface compares what clients and models see of two versions of a
// server: names, descriptions, hints and schemas of its tools, its resources and
// its prompts, and who may use them. Lock files hold such a surface.
package surface

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Surface is what clients and models see of a server: its tools, resources and
// prompts, as they are listed. It is written to lock files, and compared.
type Surface struct {
	Format int    `json:"format"`
	Server string `json:"server"`
	Tools  []Tool `json:"tools"` // in listing order
	// Moved are names that tools had: from the old to the new.
	Moved map[string]string `json:"moved,omitempty"`

	Resources []Resource `json:"resources,omitempty"`
	Prompts   []Prompt   `json:"prompts,omitempty"`
}

// Resource is a resource of a [Surface], or a template of many.
type Resource struct {
	URI         string      `json:"uri"`
	Name        string      `json:"name"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	MIME        string      `json:"mimeType,omitempty"`
	Input       plan.Schema `json:"input"` // of its variables
	Access      *Access     `json:"access,omitempty"`
}

// Prompt is a prompt of a [Surface].
type Prompt struct {
	Name        string      `json:"name"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Input       plan.Schema `json:"input"`
	Access      *Access     `json:"access,omitempty"`
}

// Tool is one tool of a [Surface].
type Tool struct {
	Name        string      `json:"name"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description"`
	Hints       plan.Hints  `json:"hints"`
	Input       plan.Schema `json:"input"`
	Output      plan.Schema `json:"output"`
	Access      *Access     `json:"access,omitempty"` // nil: everybody may call it at once
}

const format = 1

// Of returns the surface of a plan.
func Of(p *plan.Server) *Surface {
	s := &Surface{Format: format, Server: p.Name, Tools: []Tool{}}
	for i := range p.Tools {
		t := &p.Tools[i]
		if t.Internal {
			continue
		}
		s.Tools = append(s.Tools, Tool{t.Name, t.Title, t.Description, t.Hints, t.Input, t.Output,
			accessOf(p, t.Name, t.Scopes, t.Confirm, func(r *plan.PolicyRule) []string { return r.Tools })})
	}
	for _, m := range p.Moved {
		if s.Moved == nil {
			s.Moved = map[string]string{}
		}
		s.Moved[m.From] = m.To
	}
	for i := range p.Resources {
		r := &p.Resources[i]
		s.Resources = append(s.Resources, Resource{r.URI, r.Name, r.Title, r.Description, r.MIME, r.Call.Input,
			accessOf(p, r.URI, r.Call.Scopes, nil, func(r *plan.PolicyRule) []string { return r.Resources })})
	}
	for i := range p.Prompts {
		m := &p.Prompts[i]
		s.Prompts = append(s.Prompts, Prompt{m.Name, m.Title, m.Description, m.Input,
			accessOf(p, m.Name, m.Scopes, nil, func(r *plan.PolicyRule) []string { return r.Prompts })})
	}
	return s
}

// Encode writes a surface as a lock file: a line for each of its parts, so that changes
// are read as such.
func (s *Surface) Encode() ([]byte, error) {
	var b bytes.Buffer
	server, err := marshalPlain(s.Server)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "{\n  \"format\": %d,\n  \"server\": %s", s.Format, server)
	err = lines(&b, "tools", s.Tools)
	if err == nil && len(s.Resources) > 0 {
		err = lines(&b, "resources", s.Resources)
	}
	if err == nil && len(s.Prompts) > 0 {
		err = lines(&b, "prompts", s.Prompts)
	}
	if err == nil && len(s.Moved) > 0 {
		var moved []byte
		moved, err = marshalPlain(s.Moved)
		b.WriteString(",\n  \"moved\": ")
		b.Write(moved)
	}
	b.WriteString("\n}\n")
	return b.Bytes(), err
}

// lines writes a member that is a list, a line for each element.
func lines[T any](b *bytes.Buffer, name string, list []T) error {
	fmt.Fprintf(b, ",\n  %q: [", name)
	for i := range list {
		line, err := marshalPlain(list[i])
		if err != nil {
			return fmt.Errorf("%s %d: %w", name, i, err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]")
	return nil
}

func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// ErrFormat is returned by [Decode] for a text that is no lock file.
var ErrFormat = errors.New("not a lock file of mcpc")

// Decode reads a lock file.
func Decode(text []byte) (*Surface, error) {
	var s Surface
	if err := json.Unmarshal(text, &s); err != nil || s.Format == 0 || s.Tools == nil {
		return nil, ErrFormat
	}
	if s.Format != format {
		return nil, fmt.Errorf("the lock file has format %d; this mcpc reads %d", s.Format, format)
	}
	return &s, nil
}
