package plan

// Styles of [Pagination].
const (
	PageNumber = "page"        // pages are counted
	PageOffset = "offset"      // elements are counted
	PageCursor = "cursor"      // an answer holds a word that asks for the next page
	PageLink   = "link_header" // an answer's Link header (RFC 8288) has the next page's address
	PageURL    = "next_url"    // an answer holds the next page's address
)

// PageVar is the name of the [OpVar] that the request of a paginated tool takes
// the place of a page from: its number, offset or cursor; null asks for the
// first.
const PageVar = "page"

// Pagination says how the list a tool returns is put together from pages. One
// call fetches up to MaxPages of them, joins their elements, and returns a
// cursor where there are more: the tool's argument Input takes it.
type Pagination struct {
	Style      string
	Model      bool   // the author wants the model to ask for each page: MaxPages is 1
	Param      string // what asks for a page, on the wire; "" when the address does
	Input      string // the argument that takes a cursor
	Member     string // of structured content, that holds the cursor; "" when the output schema has no room for it
	Start      int    // number of the first page, or offset of the first element
	Size       int    // elements of a full page; 0 when it is not known
	Items      []string
	Next       []string // of a cursor or address
	NextHeader string   // the header that has it instead
	Total      []string // how many elements there are in all
	Pages      []string // how many pages there are in all
	HasMore    []string // whether there are more
	MaxPages   int      // of one call
	MaxItems   int      // of one call; 0 is no limit
}

// LastItem is the step of a [Pagination] path that leads to the last element of a
// list, as in data[-1].id.
const LastItem = "[-1]"

// ByAddress tells whether pages have addresses, instead of being asked for by a
// parameter.
func (p *Pagination) ByAddress() bool { return p.Style == PageLink || p.Style == PageURL }
