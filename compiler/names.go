package compiler

import (
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
)

// namer gives tools their names: unique among the server's, portable, and the
// same wherever an operation stands and whatever else is declared, but for what
// wants the same name.
//
// Nobody gets a name because of coming first: of those that want one name, the
// one with the best claim gets it, and between equal claims nobody does. Who
// goes away without ends in a hash of the operation, never in a count.
type namer struct {
	limit int
	taken map[string]bool // given away, or wanted by several and so nobody's
}

// minName is the shortest limit that leaves room for a name and its hash.
const minName = 16

func newNamer(prefix string) *namer {
	return &namer{limit: maxKey - len(prefix), taken: map[string]bool{}}
}

// claim is how strong the wish for a name is.
type claim uint8

const (
	byAuthor  claim = iota // written in the expose block
	byID                   // is the operationId as it stands
	byLetters              // made of the operationId, or of method and path
	byHash                 // might be a name that withHash made
	noClaim                // too long: only a hash of the operation makes it a name
)

// wish is a tool that needs a name.
type wish struct {
	base      string // the name it wants
	claim     claim
	operation string // method and path: for ever
	owner     string // and with the name of the API
	name      string // what it got
}

// grant names all wishes. The result does not depend on their order, as long as
// owners differ.
func (n *namer) grant(list []*wish) {
	hashed := func(of func(*wish) string) func(*wish) string {
		return func(w *wish) string { return withHash(w.base, of(w), n.limit) }
	}
	plain := func(w *wish) string { return w.base }
	operation := hashed(func(w *wish) string { return w.operation })
	for c := byAuthor; c < byHash; c++ {
		n.round(list, func(w *wish) bool { return w.claim == c }, plain)
	}
	n.round(list, func(w *wish) bool { return w.claim != byHash }, operation)
	n.round(list, func(w *wish) bool { return w.claim == byHash }, plain)
	everybody := func(*wish) bool { return true }
	n.round(list, everybody, operation)
	n.round(list, everybody, hashed(func(w *wish) string { return w.owner }))
	for _, w := range list { // somebody wrote names like ours
		for salt := w.owner + "#"; w.name == ""; salt += "#" {
			if name := withHash(w.base, salt, n.limit); !n.taken[name] {
				w.name, n.taken[name] = name, true
			}
		}
	}
}

// round gives names to those wishes that may have one and want it alone.
func (n *namer) round(list []*wish, may func(*wish) bool, name func(*wish) string) {
	wanted := map[string][]*wish{}
	for _, w := range list {
		if w.name == "" && may(w) {
			wanted[name(w)] = append(wanted[name(w)], w)
		}
	}
	for name, all := range wanted {
		if len(all) == 1 && !n.taken[name] {
			all[0].name = name
		}
		n.taken[name] = true
	}
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
