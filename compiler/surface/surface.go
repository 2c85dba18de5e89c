// Package surface compares what clients and models see of two versions of a
// server: names, descriptions, hints and schemas of its tools. Lock files hold
// such a surface.
package surface

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Surface is what clients and models see of a server: its tools, as they are
// listed. It is written to lock files, and compared.
type Surface struct {
	Format int    `json:"format"`
	Server string `json:"server"`
	Tools  []Tool `json:"tools"` // in listing order
}

// Tool is one tool of a [Surface].
type Tool struct {
	Name        string      `json:"name"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description"`
	Hints       plan.Hints  `json:"hints"`
	Input       plan.Schema `json:"input"`
	Output      plan.Schema `json:"output"`
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
		s.Tools = append(s.Tools, Tool{t.Name, t.Title, t.Description, t.Hints, t.Input, t.Output})
	}
	return s
}

// Encode writes a surface as a lock file: a line for each tool, so that changes
// are read as such.
func (s *Surface) Encode() ([]byte, error) {
	var b bytes.Buffer
	server, err := marshalPlain(s.Server)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "{\n  \"format\": %d,\n  \"server\": %s,\n  \"tools\": [", s.Format, server)
	for i := range s.Tools {
		line, err := marshalPlain(s.Tools[i])
		if err != nil {
			return nil, fmt.Errorf("tool %s: %w", s.Tools[i].Name, err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
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
