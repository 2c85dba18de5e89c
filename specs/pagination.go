package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// Pagination is how an upstream cuts a list into pages, as written. Paths of an
// answer are names with dots between them; [-1] is the last element of a list.
type Pagination struct {
	Style      Text  // page, offset, cursor, link_header, next_url; "none" of a tool sets that of its API aside
	Param      *Text // what asks for a page
	In         *Text // of a tool described by hand: where Param and SizeParam go; nil is the query
	SizeParam  *Text
	Size       *Count
	Start      *Count
	Items      *Text // path of the list; nil: the answer is the list
	Next       *Text // path of the next cursor or address
	NextHeader *Text
	Total      *Text
	Pages      *Text
	HasMore    *Text
	MaxPages   *Count
	MaxItems   *Count
	Mode       *Text // "auto" or "model"
	Range      diag.Range
}

// Count is a whole number with its place. A nil *Count is an attribute not
// written.
type Count struct {
	Value int
	Range diag.Range
}
