package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// LastItem is the name of a step of a [Pagination] path.
const LastItem = "[-1]"

// Pagination is how an upstream cuts a list into pages, as written. In its paths
// the step [LastItem] is the last element of a list.
type Pagination struct {
	Style      Text  // page, offset, cursor, link_header, next_url; "none" of a tool sets that of its API aside
	Param      *Text // what asks for a page
	In         *Text // of a tool described by hand: where Param and SizeParam go; nil is the query
	SizeParam  *Text
	Size       *Count
	Start      *Count
	Items      *Path // path of the list; nil: the answer is the list
	Next       *Path // path of the next cursor or address
	NextHeader *Text
	Total      *Path
	Pages      *Path
	HasMore    *Path
	MaxPages   *Count
	MaxItems   *Count
	Mode       *Text // "auto" or "model"
	Range      diag.Range
}
