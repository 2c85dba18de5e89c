package paging

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
)

// A cursor is, in base64url: a version, a digest of the tool's name, a digest of
// the arguments it belongs to, the place, and a digest of all that. It is no
// secret and grants nothing: whoever makes one up can ask for any page of what
// the tool may ask for anyway. The digests find out cursors that were cut, mixed
// up or taken from an upstream's answer, and say which.
const (
	cursorVersion = 1
	digestSize    = 4
	sumSize       = 8
	headSize      = 1 + 2*digestSize
)

// maxCursor bounds what is read of a cursor.
const maxCursor = 2 * maxPlace

// Cursor is the text that stands for a place, for a call with the same other
// arguments.
func (g *Pager) Cursor(p Place, a args.Args) string {
	b := append([]byte{cursorVersion}, g.digests(a)...)
	b = binary.AppendUvarint(b, uint64(max(p.Skip, 0)))
	b = append(b, p.At...)
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:sumSize]...))
}

// Open is the place a cursor stands for. Errors are one sentence for the caller
// of the tool.
func (g *Pager) Open(cursor string, a args.Args) (Place, error) {
	notOurs := errors.New("it is not a cursor of this server, or it was changed; use one as a result of this tool gave it")
	if len(cursor) > maxCursor || strings.ContainsAny(cursor, "\r\n") { // which the decoder would pass over
		return Place{}, notOurs
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < headSize+1+sumSize || b[0] != cursorVersion {
		return Place{}, notOurs
	}
	body := b[:len(b)-sumSize]
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:sumSize], b[len(body):]) == 0 {
		return Place{}, notOurs
	}
	want := g.digests(a)
	if string(b[1:1+digestSize]) != string(want[:digestSize]) {
		return Place{}, errors.New("it is a cursor of another tool")
	}
	if string(b[1+digestSize:headSize]) != string(want[digestSize:]) {
		return Place{}, errors.New("it belongs to a call with other arguments; give the same arguments beside it, or leave it out to begin anew")
	}
	skip, n := binary.Uvarint(body[headSize:])
	at := string(body[headSize+max(n, 0):])
	if n <= 0 || skip > 1<<20 || at != "" && !jsontext.Value(at).IsValid() {
		return Place{}, notOurs
	}
	return Place{At: at, Skip: int(skip)}, nil
}

// digests are those of the tool and of the arguments without the cursor.
func (g *Pager) digests(a args.Args) []byte {
	tool := sha256.Sum256([]byte(g.tool))
	rest := args.Args{Raw: make(map[string]jsontext.Value, len(a.Raw))}
	for name, v := range a.Raw {
		if name != g.Input {
			rest.Raw[name] = v
		}
	}
	text := jsontext.Value(rest.JSON())
	_ = text.Canonicalize() // it was decoded: it is valid
	sum := sha256.Sum256(text)
	return append(tool[:digestSize:digestSize], sum[:digestSize]...)
}
