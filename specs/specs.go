// Package specs is the declared model: what the author of a spec wrote, and
// where. Front-ends (openapi, hclspec) produce a [Document]; the compiler turns
// it into a plan. Nothing here knows how a call is made.
//
// Two words carry the model. An [Operation] is what an API offers. A [Tool] is
// what the model sees. OpenAPI yields operations; HCL yields both.
//
// Dialects end in the front-ends: every schema in this package is JSON Schema
// 2020-12, whatever the document was written in, and every expression is an
// [Expr].
package specs

import "github.com/mcpc-dev/mcpc/specs/diag"

// Document is one target, read completely: an OpenAPI document alone, or all
// .hcl files of a directory with the OpenAPI documents they name.
type Document struct {
	Server     Server
	APIs       []*API
	Tools      []*Tool // written out in HCL, in source order
	Moved      []*Moved
	Identities []*Identity
	Observe    *Observe // nil: not written
	Policy     *Policy  // nil: everybody may do everything
	Limits     []*CallLimit
	Stores     []*Store
	Tests      []*Test // of the tools, in source order

	// Incomplete says that tools are missing because of mistakes, which have been
	// reported: what is said to be no tool may be one.
	Incomplete bool
}

// Text is a string with its place. A nil *Text is an attribute not written.
type Text struct {
	Value string
	Range diag.Range
}

// Str returns the text; "" for nil.
func (t *Text) Str() string {
	if t == nil {
		return ""
	}
	return t.Value
}

// Flag is a boolean with its place. A nil *Flag is an attribute not written.
type Flag struct {
	Value bool
	Range diag.Range
}

// Server is what the MCP server says of itself.
type Server struct {
	Name         string // identifies the server to clients
	Title        string
	Version      string // of the described service, not of MCP
	Instructions string // for the model
	TLS          *ServerTLS
	Listen       *Text  // host:port of `listen "http"`, or nil
	Proxies      []Text // networks and addresses of the proxies in front of it
	Inbound      *Inbound
	NamePrefix   *Text // the prefix clients put before tool names, e.g. "mcp__orders__"; it counts against the 64 characters
	Range        diag.Range
}

// Inbound bounds what clients may send and take up. What is not written is zero.
type Inbound struct {
	Range diag.Range // of the whole setting

	Body, Headers, Bodies                                    *Text // "4MB"
	HeaderCount, Depth, Name, Batch                          int
	Calls, Requests, Streams                                 int
	Connections, ConnectionRequests, ConnectionStreams       int
	HeaderTimeout, RequestTimeout, IdleTimeout, WriteTimeout *Text // "5s"
}

// API is one upstream service.
type API struct {
	Name string
	// Title, Version and Description are the info object of the document.
	Title, Version, Description string

	Range   diag.Range
	BaseURL *Text       // written by the author; wins over Servers
	Servers []ServerURL // of the document, in order; see [ServerURL]

	// Unread says that the OpenAPI document could not be read, which has been
	// reported.
	Unread bool

	// Operations of the OpenAPI document, in document order. Empty for an API
	// described by hand.
	Operations []*Operation
	// Schemas are the named schemas that "$ref": "#/$defs/NAME" inside any
	// schema of this API points to. They may refer to each other in cycles.
	Schemas map[string]*Node
	Schemes []*Scheme // security schemes the document declares

	// Auth is the author's credential for the whole API, from HCL. When set it
	// takes the place of Schemes for all operations but those that declare that
	// they need none.
	Auth *Credential // for whatever is secured; nil: the document's schemes
	// SchemeAuth says how schemes of the document are satisfied, instead of Auth.
	SchemeAuth []SchemeCredential
	Headers    []NamedExpr // sent with every request

	Timeout        *Text // of one call, Go duration
	ConnectTimeout *Text
	Retry          *Retry
	MaxResponse    *Text // bytes, "10MB" or "4MiB"
	Limit          *RateLimit
	Cache          *Cache
	Breaker        *Breaker
	Bulkhead       *Bulkhead
	Coalesce       *Flag
	TLS            *ClientTLS
	Egress         *Egress

	// ExposeAll is set for a document given directly: every operation becomes a
	// tool. Inside HCL only Expose and tools select.
	ExposeAll bool
	Expose    []*Expose
	Overrides []*Override
	// Paginations are for operations that have their parameters; the first that
	// fits counts.
	Paginations []*Pagination
	Response    *Shaping // of all its tools; nil: not written

	// Declared is the number of operations the document declares, skipped ones
	// included; len(Operations) + len(Skipped) equals it.
	Declared int
	Skipped  []*Skipped
	Source   string         // path or URL of the OpenAPI document, as given; "" by hand
	Overlays []*diag.Source // overlays that were applied to it, in order
}

// Skipped is an operation the front-end or the compiler had to leave out.
type Skipped struct {
	Operation string // "GET /pets/{id}" or its operationId
	Reason    string
	Range     diag.Range
}

// Retry overrides the default retry rule of an API.
type Retry struct {
	Attempts int   // calls in all, the first included; 1 switches retries off
	On       []int // HTTP status codes
	Range    diag.Range
}

// RateLimit bounds how often an API is called.
type RateLimit struct {
	Rate  *Text // "5/s", "100/m" or "1000/h"
	Burst int   // requests that may go out at once; 0: as many as the rate allows in a second, at least one
}

// Cache keeps answers of read-only tools.
type Cache struct {
	TTL   *Text // how long an answer is fresh, Go duration
	ETag  bool  // ask whether a stale answer is still right, where it has a validator
	Scope *Text // "caller" or "all"
	Stale *Text // how long an answer may stand for one that cannot be had, Go duration
}

// Breaker stops calling an API that fails.
type Breaker struct {
	Failures     int
	Window, Open *Text // Go durations; nil is 30 s
	HalfOpen     int   // probes; 0 is 1
	Scope        *Text // "tenant" or "caller"; nil is "tenant"
}

// Bulkhead bounds the requests that are under way at once.
type Bulkhead struct {
	Concurrency int
	Queue       *Text // Go duration; nil: nobody waits
}

// Expose selects operations of an API and says how their tools are named.
type Expose struct {
	Operations []Text // globs over operation ids; empty: all
	Exclude    []Text
	Tags       []Text
	Methods    []Text
	Paths      []Text // globs over paths
	Name       *Expr  // a template over operation.id, .method, .path, .tag; nil: the id
	Deprecated bool   // include deprecated operations too
	Range      diag.Range
}

// Override changes tools in bulk; later ones win.
type Override struct {
	Pattern     Text // glob over operation ids
	Description *Text
	Title       *Text
	Hints       Hints
	Inputs      []*Input
	Response    *Shaping
	Deprecated  *Text
	Range       diag.Range
}

// Hints are the author's word on MCP's tool annotations; nil leaves what the
// HTTP method says.
type Hints struct {
	ReadOnly, Destructive, Idempotent, OpenWorld *Flag
}

// Moved keeps the old name of a tool callable.
type Moved struct {
	From, To Text
	Range    diag.Range
}

// Operation is one method on one path of an API.
type Operation struct {
	// ID is the operationId as written, or "METHOD /path" when there is none.
	// It is unique within the API: a duplicate keeps its id only at the first
	// place; the others get "METHOD /path".
	ID          string
	Method      string // upper case
	Path        string // template, without the server's path
	Summary     string
	Description string
	Tags        []string
	Deprecated  bool
	Params      []*Param // path-item parameters merged in, document order
	Body        *Body    // nil: takes none
	Responses   []*Response
	// Security lists alternatives; within one all schemes are needed. Nil: the
	// operation declares no need. An empty alternative allows anonymous calls.
	Security [][]SchemeUse
	Servers  []ServerURL // of the operation or path item; empty: those of the API
	MCP      *Extension  // what the document says of its tool; nil: nothing
	// SummaryAt and DescriptionAt are where the texts are written.
	SummaryAt, DescriptionAt diag.Range
	Range                    diag.Range
}

// Extension is x-mcp in an OpenAPI document, of an operation with what its path
// item and the document say of all their operations.
type Extension struct {
	Name, Title, Description, Deprecated *Text

	Expose *Flag // false: not unless a spec names it in full
	Hints  Hints
	Inputs []*Input // of parameters and fields of the body
	Range  diag.Range
}

// SchemeUse names a security scheme and the scopes an operation needs.
type SchemeUse struct {
	Scheme string
	Scopes []string
}

// Egress says where connections to an API may go. Entries are addresses,
// networks and hosts.
type Egress struct {
	Allow, Deny []Text
	Redirects   *Text // "same_host", "allowed" or "none"
}

// ClientTLS is how an encrypted connection to an API is made. Paths are ready to
// be opened.
type ClientTLS struct {
	CA, Cert, Key *Text
	ServerName    *Text
	MinVersion    *Text // "1.2" or "1.3"
	Range         diag.Range
}

// ServerURL is an entry of an OpenAPI `servers` list with its variables already
// replaced by their defaults (or by what the author gave).
type ServerURL struct {
	URL         string // absolute, or relative to the document; may be ""
	Description string
	Range       diag.Range
}

// In is the place of a parameter.
type In string

// Places of parameters. QueryString is OpenAPI 3.2's `in: querystring`.
const (
	InPath        In = "path"
	InQuery       In = "query"
	InHeader      In = "header"
	InCookie      In = "cookie"
	InQueryString In = "querystring"
)

// Param is one parameter of an operation.
type Param struct {
	Name            string // on the wire
	In              In
	Required        bool
	Style           string // OpenAPI's word: simple, label, matrix, form, spaceDelimited, pipeDelimited, tabDelimited, deepObject, cookie; defaults filled in
	Explode         bool
	AllowReserved   bool
	AllowEmptyValue bool
	Media           string // of a `content` parameter, e.g. application/json; "" otherwise
	Description     string
	Deprecated      bool
	Sensitive       bool  // x-sensitive: the value is not to be written anywhere
	Schema          *Node // never nil
	Range           diag.Range
}

// Body is the request body of an operation.
type Body struct {
	Required    bool
	Description string
	Media       []*Media // in document order
	Range       diag.Range
}

// Media is one media type of a body or response.
type Media struct {
	Type     string // as written, e.g. "application/json; charset=utf-8" or "*/*"
	Schema   *Node  // nil: not described
	Encoding map[string]*Encoding
	Examples []*Node // of the whole, as the media type gives them
	Range    diag.Range
}

// Encoding is OpenAPI's encoding object for one property of a form or
// multipart body.
type Encoding struct {
	ContentType   string
	Style         string // "" when not written
	Explode       *bool
	AllowReserved bool
	Headers       []*Param // static headers of the part; only those with a const or default are sent
}

// Response describes one answer of an operation.
type Response struct {
	Status      string // "200", "2XX" or "default"
	Description string
	Media       []*Media
	Range       diag.Range
}

// Scheme is a security scheme of an OpenAPI document.
type Scheme struct {
	Name        string // its key in the document
	Kind        string // apiKey, basic, bearer, oauth2, openIdConnect, mutualTLS; other http schemes as "http:NAME"
	In          In     // of an apiKey
	Param       string // name of the header, query parameter or cookie of an apiKey
	Description string
	Range       diag.Range
}

// Credential is how an API is authenticated to, as written in HCL.
type Credential struct {
	Name     string       // of its auth block; "" when it is written in place
	Kind     string       // bearer, basic, apiKey, oauth2, tokenExchange, passthrough, awsSigV4, hmac, digest, session
	In       In           // of an apiKey: header, query or cookie
	Param    string       // of an apiKey
	Username *Expr        // of basic and digest; of awsSigV4 the access key
	Value    *Expr        // token, password or key; of oauth2 and tokenExchange the client's secret or private key; nil for passthrough
	OAuth    *OAuthClient // of oauth2 and tokenExchange
	AWS      *AWSSigning  // of awsSigV4
	HMAC     *HMACSigning // of hmac
	Session  *Session     // of session
	Range    diag.Range
}

// SchemeCredential says by what a security scheme of a document is satisfied.
type SchemeCredential struct {
	Scheme     Text
	Credential *Credential
}

// Session is a login whose session is sent with requests. What is nil has the
// value that the reference says.
type Session struct {
	BaseURL *Text    // where the paths begin; nil: the API's
	Page    *Text    // path of a page that is read before the login
	Login   *Request // knows page
	Logout  *Request
	Success *Expr // over the login's answer: whether it took place
	Ended   *Expr // over any answer: whether the session is no more
	Cookies []Text
	Headers []NamedExpr // over the login's answer
	Query   []NamedExpr // the same
	// CSRF is a cookie whose value is sent in a header too.
	CSRFCookie, CSRFHeader *Text
	TTL                    *Text
	Scope                  *Text // "caller" or "all"
	Repeat                 *Text // "safe" or "any"
	Range                  diag.Range
}

// AWSSigning is how requests are signed for AWS.
type AWSSigning struct {
	Region, Service *Text
	Session         *Expr // token of temporary credentials
}

// HMACSigning is how requests are signed with a shared key. What is nil has the
// value that the reference says.
type HMACSigning struct {
	Algorithm, Separator, Header, Prefix, Encoding, Timestamp *Text
	Sign                                                      []Text
}

// OAuthClient asks an authorization server for tokens.
type OAuthClient struct {
	TokenURL, ClientID *Text
	Post               bool  // the secret goes into the body of the request, instead of its header
	Alg, KeyID         *Text // of a private key; Alg nil: the client has a secret
	Scopes             []Text
	Audience, Resource *Text
	SubjectType        *Text // of a tokenExchange: what kind of token the caller's is
}

// Tool is a tool written out in HCL: derived from an operation, described by
// hand with a request, or composed of calls of other tools. What only differs in who calls
// it is one too: a resource and a prompt.
type Tool struct {
	Name        string
	Title       *Text
	Description *Text
	Hints       Hints
	Operation   *OperationRef // derived
	API         *Text         // of a hand-written request; nil when only one API exists
	// Request is hand-written; of several requests the last. Choices are those
	// before it, in order; each has a condition, and the first whose condition
	// holds is sent.
	Request    *Request
	Choices    []*Request
	Steps      []*Step // composite
	Output     *Expr   // of a composite tool; nil: the output of its last step
	Timeout    *Text   // of a composite tool, Go duration
	Internal   *Flag   // not listed: only steps call it
	Inputs     []*Input
	Rules      []*Rule // over several inputs
	Pagination *Pagination
	Response   *Shaping
	Resource   *Resource // nil for a tool
	Prompt     *Prompt   // nil for a tool
	Scopes     []Text    // that a caller must have
	Confirm    *Expr     // what a person is asked before a call; nil: nothing
	Native     *Text     // the Go method that may take its place in generated code; nil: named after the tool
	Deprecated *Text     // what to use instead; nil: the tool is not deprecated
	Range      diag.Range
}

// OperationRef is `api.NAME["id"]`.
type OperationRef struct {
	API, ID string
	Range   diag.Range // of the whole reference
}

// Input is an argument of a tool: declared (hand-written tools) or adjusted
// (derived tools and overrides).
type Input struct {
	// Path names the argument: "owner", or "body.title" for a field of the body.
	Path        string
	Schema      *Node // the complete schema of a declared input; for an adjusted one only the keywords that change, or nil
	Description *Text
	Optional    *Flag // nil: required unless it has a default
	Default     *Node // sent when the argument is not given; nil: none
	Value       *Expr // fixed: always sent, hidden from the model
	Hide        *Flag
	Wire        *Expr // what is sent instead of the argument
	Deprecated  *Text // what to use instead
	Rules       []*Rule
	Range       diag.Range
}

// Rule is a `validation` block: arguments for which the condition does not hold
// are refused.
type Rule struct {
	Condition *Expr
	Message   *Expr
	Range     diag.Range
}

// Request is a hand-written HTTP request.
type Request struct {
	Method  string
	Path    string      // "{name}" takes the argument of that name as one encoded segment
	When    *Expr       // nil: always
	Query   []NamedExpr // a null value is left out; a list repeats the name
	Headers []NamedExpr
	Cookies []NamedExpr

	// At most one of the bodies. Form and Multipart are not nil when written.
	JSON      *Expr
	Form      []NamedExpr
	Multipart []NamedExpr // a value may be a call of "part": value and an object of filename and type
	XML       *Expr       // text of well-formed XML; values in it are escaped already
	Text      *Expr
	Bytes     *Expr // base64, or a data URI
	SOAP      *SOAP

	ContentType *Text // of the body, instead of what its kind has
	Range       diag.Range
	PathAt      diag.Range
}

// SOAP is a request in a SOAP envelope.
type SOAP struct {
	Version *Text // "1.1" or "1.2"; nil is 1.1
	Action  *Text
	XML     *Expr // what is in the envelope's body, as Request.XML
	Header  *Expr // what is in its header; nil: it has none
	Range   diag.Range
}

// NamedExpr is one entry of an object in source order.
type NamedExpr struct {
	Name  string
	Value *Expr
	Range diag.Range // of the name
}
