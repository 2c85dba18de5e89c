package compiler

import (
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// namer gives tools their names: unique among the server's, portable, and the
// same whatever else the document declares. A name that is too long, or that an
// earlier tool has, ends in a hash of the operation, never in a count.
type namer struct {
	limit int
	taken map[string]string // name → who has it
}

// minName is the shortest limit that leaves room for a name and its hash.
const minName = 16

func newNamer(prefix string) *namer {
	return &namer{limit: maxKey - len(prefix), taken: map[string]string{}}
}

// name returns the tool name for base. The operation, method and path, and its
// API identify it for ever.
func (n *namer) name(base, api, operation string) string {
	owner := api + " " + operation
	name := base
	if len(name) > n.limit {
		name = withHash(base, operation, n.limit)
	}
	if n.isTaken(name, owner) {
		name = withHash(base, operation, n.limit)
	}
	for salt := owner; n.isTaken(name, owner); salt += "#" { // two APIs, or somebody wrote a name like ours
		name = withHash(base, salt, n.limit)
	}
	n.taken[name] = owner
	return name
}

func (n *namer) isTaken(name, owner string) bool {
	other, ok := n.taken[name]
	return ok && other != owner
}

// toolName writes an operation id with the characters a tool name may have. An
// operation without an id is called by its method and path.
func toolName(op *specs.Operation) string {
	id := op.ID
	if id == op.Method+" "+op.Path {
		id = strings.ToLower(op.Method) + strings.Map(func(r rune) rune {
			if r < 0x80 && isAlnum(byte(r)) || r == '/' || r == '-' {
				return r
			}
			if r == '{' || r == '}' {
				return -1
			}
			return '_'
		}, op.Path)
		for strings.Contains(id, "//") {
			id = strings.ReplaceAll(id, "//", "/")
		}
		id = strings.Trim(id, "/")
	}
	return legalName(id)
}

// legalName replaces every character that a tool name may not have by "_".
func legalName(id string) string {
	b := make([]byte, 0, len(id))
	meaning := false
	for _, r := range id {
		if r < 0x80 && (isAlnum(byte(r)) || r == '-' || r == '_') {
			meaning = meaning || r != '-' && r != '_'
			b = append(b, byte(r))
		} else {
			b = append(b, '_')
		}
	}
	if !meaning {
		return withHash("", id, maxKey)
	}
	return string(b)
}

// looksHashed reports whether a name might have been made by withHash. Such a
// name is not worth more than one that was.
func looksHashed(name string) bool {
	i := len(name) - 9
	return i > 0 && name[i] == '_' && isHex(name[i+1:])
}

func isToolName(s string) bool {
	return s != "" && len(s) <= maxKey && strings.IndexFunc(s, func(r rune) bool {
		return r >= 0x80 || !isAlnum(byte(r)) && r != '-' && r != '_'
	}) < 0
}
