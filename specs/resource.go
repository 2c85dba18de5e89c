package specs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Resource says that a [Tool] is read by its URI instead of being called by the
// model. The variables of the URI are its arguments.
type Resource struct {
	URI  Text // a template when it has variables
	MIME *Text
}

// Prompt says that a [Tool] is a prompt: messages for people to begin with. Its
// request, if it has one, is made before they are written.
type Prompt struct {
	Messages []*Message
}

// Message is one message of a prompt. It holds Text or a resource of the server.
type Message struct {
	Role     string // "user" or "assistant"
	Text     *Expr
	Resource *Expr // its URI
	Range    diag.Range
}

// IsTool tells whether t is a tool, and no resource or prompt.
func (t *Tool) IsTool() bool { return t.Resource == nil && t.Prompt == nil }

// String is the block as its author would call it: tool "search".
func (t *Tool) String() string {
	switch {
	case t.Resource != nil:
		return fmt.Sprintf("resource %q", t.Resource.URI.Value)
	case t.Prompt != nil:
		return fmt.Sprintf("prompt %q", t.Name)
	}
	return fmt.Sprintf("tool %q", t.Name)
}

// URIPart is a piece of a URI template: literal text or a variable.
type URIPart struct {
	Literal  string
	Var      string
	Reserved bool // {+name}: the value may hold slashes
}

// ParseURITemplate cuts a URI template apart. Variables are written {name}, or
// {+name} where the value may hold slashes: level 1 of RFC 6570 and one
// operator of level 2.
func ParseURITemplate(s string) ([]URIPart, error) {
	scheme, _, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || strings.ContainsFunc(scheme, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("+.-", r))
	}) || scheme[0] < 'a' {
		return nil, errors.New(`it does not begin with a scheme, such as "orders:"`)
	}
	var parts []URIPart
	seen := map[string]bool{}
	for rest := s; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			if strings.ContainsFunc(rest[:i], func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("\"<>\\^`|", r) }) {
				return nil, errors.New("it holds a character that a URI cannot have")
			}
			parts = append(parts, URIPart{Literal: rest[:i]})
			rest = rest[i:]
			continue
		}
		name, after, ok := strings.Cut(rest[1:], "}")
		if rest[0] == '}' || !ok {
			return nil, errors.New("a brace has no partner")
		}
		name, reserved := strings.CutPrefix(name, "+")
		switch {
		case name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
		}):
			return nil, fmt.Errorf("{%s} is no variable; write {name}, or {+name} where the value may hold slashes", rest[1:len(rest)-len(after)-1])
		case seen[name]:
			return nil, fmt.Errorf("{%s} comes twice", name)
		case len(parts) > 0 && parts[len(parts)-1].Var != "":
			return nil, fmt.Errorf("nothing is between {%s} and {%s}, so nobody can tell them apart", parts[len(parts)-1].Var, name)
		}
		seen[name] = true
		parts = append(parts, URIPart{Var: name, Reserved: reserved})
		rest = after
	}
	return parts, nil
}
