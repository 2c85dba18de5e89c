// Package plan is the compiled form of an MCP server: what will be done for
// every tool call, resolved and total. The compiler builds it, the runtime
// executes it, the generator prints it; it knows nothing of HCL or OpenAPI and
// holds no positions.
//
// A plan is plain data: it imports the standard library only, compares with
// reflect.DeepEqual, prints as JSON, and is never changed after it was built.
// Empty slices and maps are nil. It holds references to secrets, never secrets.
package plan

import (
	"slices"
	"strings"
	"time"
)

// Format is the version of this package's types. A stored plan of another
// format is not read.
const Format = 1

// Server is a whole MCP server.
type Server struct {
	Name         string // identifies the server to clients
	Title        string
	Version      string
	Instructions string       // for the model
	Listen       string       // host:port the spec asks for; "" is stdio
	Proxies      []string     // addresses and networks whose X-Forwarded-For is believed
	TLS          *Certificate // of the HTTP server; nil: plain HTTP
	Inbound      *Inbound     // what clients may send and take up; nil: the runtime's defaults
	Identities   []Identity   // who may call over HTTP; nil: everybody, unknown
	Observe      *Observe     // what is recorded of calls; nil: nothing
	Policy       *Policy      // what callers may do; nil: everything
	Limits       []CallLimit  // how often; a call has to pass all that are about it
	Stores       []Store      // for what several servers share
	Upstreams    []Upstream
	Tools        []Tool // in listing order
	Moved        []Moved
	Resources    []Resource
	Prompts      []Prompt
	Coverage     []Coverage
}

// Moved is a name that a tool had. It is not listed, and calls of it are calls
// of the tool.
type Moved struct{ From, To string }

// Certificate is what a server shows its clients.
type Certificate struct {
	Cert string // file of the chain, PEM
	Key  string // file of its key, PEM
}

// Coverage accounts for the operations of one API.
type Coverage struct {
	Upstream string
	Source   string // the document, as the author named it
	Declared int    // operations in the document
	Selected int    // of those, how many the author exposes
	Served   int    // of those, how many are tools
	Skipped  []Skip
}

// Skip is an operation that is not served although it was selected.
type Skip struct {
	Operation string
	Reason    string
}

// Upstream is an HTTP service behind the server.
type Upstream struct {
	Name           string
	BaseURL        string  // absolute, without a trailing slash; "" when none is known: its calls fail with advice
	Headers        []Param // sent with every request; values without arguments
	Credentials    []Credential
	Timeout        time.Duration // of a whole call, retries included
	ConnectTimeout time.Duration // of TCP and TLS
	Retry          Retry
	MaxResponse    int64 // bytes read of a response body
	Limit          *RateLimit
	Cache          *Cache
	Breaker        *Breaker
	Bulkhead       *Bulkhead
	TLS            *ClientTLS
	Egress         *Egress // nil: the host of BaseURL, whose word is the author's or the operator's
	Coalesce       bool    // concurrent identical GET requests of a caller are made once
}

// Retry says when a request is sent again. Only GET, HEAD and OPTIONS are
// retried unless Methods says otherwise.
type Retry struct {
	Attempts int   // in all; 1 is never again
	On       []int // HTTP status codes; connect failures always count
	Methods  []string
}

// RateLimit bounds how often an upstream is called, over all callers: a token
// bucket that gains one request every Every and holds at most Burst.
type RateLimit struct {
	Every time.Duration
	Burst int
}

// Cache keeps answers 200 to GET requests.
type Cache struct {
	TTL    time.Duration // how long an answer is given again without asking
	ETag   bool          // after that, ask with If-None-Match
	Shared bool          // among all callers; false: each has its own
	// StaleIfError is how long after TTL an answer still stands for one that
	// cannot be had.
	StaleIfError time.Duration
}

// Breaker stops calling an upstream after Failures attempts failed within
// Window, for the time Open; then HalfOpen probes must succeed. Only failures of
// the transport and statuses from 500 on count. Each tenant has one of each host
// of the upstream, or each caller where ByCaller says so.
type Breaker struct {
	Failures int
	Window   time.Duration
	Open     time.Duration
	HalfOpen int
	ByCaller bool
}

// Bulkhead bounds the requests that are under way at an upstream at once. One
// more waits for Queue at most.
type Bulkhead struct {
	Concurrency int
	Queue       time.Duration
}

// Egress says where connections to an upstream may go besides the host of its
// base URL. Entries of Allow and Deny are addresses, networks ("10.2.0.0/16") and
// hosts ("files.example.com", "*.example.com").
type Egress struct {
	Allow     []string // besides what is allowed anyway
	Deny      []string // whatever else is said
	Redirects string   // "" or "same_host": to the host itself; "allowed": to hosts in Allow, too, without credentials; "none"
	Hosts     []string // other hosts that requests name
	Public    []string // of those and the base URL's, what only a fetched document names: they have to lead to public addresses
}

// ClientTLS is how encrypted connections to an upstream are made. Files are in
// PEM form; "" is none.
type ClientTLS struct {
	CA         string // authorities that are trusted instead of the system's
	Cert       string // that is shown to the upstream
	Key        string // of Cert
	ServerName string // that its certificate must have; "" is its host
	MinVersion string // "1.2" or "1.3"
}

// Credential is one way to authenticate to an upstream.
type Credential struct {
	Name     string       // of the security scheme
	Kind     string       // "bearer", "basic" or "apiKey"; "oauth2", "tokenExchange", "passthrough", "awsSigV4", "hmac", "digest" or "session"
	In       string       // of an apiKey: "header", "query" or "cookie"
	Param    string       // of an apiKey: its name there
	Username *Expr        // of basic; nil: the secret holds "user:password". Also of digest; of awsSigV4 the access key
	Value    Expr         // the token, password or key; usually a secret. For OAuth see there; of passthrough and session nothing
	OAuth    *OAuthClient // of oauth2 and tokenExchange
	AWS      *AWS         // of awsSigV4
	HMAC     *HMAC        // of hmac
	Session  *Session     // of session
}

// Exprs are the expressions of a credential.
func (c *Credential) Exprs() []*Expr {
	list := []*Expr{}
	if c.Username != nil {
		list = append(list, c.Username)
	}
	if c.Value.Op != "" {
		list = append(list, &c.Value)
	}
	if c.AWS != nil && c.AWS.Session != nil {
		list = append(list, c.AWS.Session)
	}
	if c.Session != nil {
		for _, r := range []*Request{&c.Session.Login, c.Session.Logout} {
			if r != nil {
				list = append(list, r.exprs()...)
			}
		}
	}
	return list
}

// exprs are the expressions of a request.
func (r *Request) exprs() (list []*Expr) {
	params := func(of []Param) {
		for i := range of {
			if of[i].Value != nil {
				list = append(list, of[i].Value)
			}
		}
	}
	for _, s := range r.Path {
		if s.Param != nil && s.Param.Value != nil {
			list = append(list, s.Param.Value)
		}
	}
	params(r.Query)
	params(r.Header)
	params(r.Cookie)
	if r.Body != nil && r.Body.Value != nil {
		list = append(list, r.Body.Value)
	}
	return list
}

// Session logs in with a request and sends what the answer gave, cookies mostly,
// with every request to the upstream. Its expressions have no arguments.
type Session struct {
	Page   *Request // got before, for what Login takes from it (page); nil: none
	Login  Request
	Logout *Request // nil: sessions end by themselves
	// Success tells of the answer to Login (response) whether it is a session. Nil:
	// it is no error, leads to no login page and is none.
	Success *Expr
	// Ended tells of any answer (response) that the session is no more. Nil: it is
	// 401, leads to the login page or is one.
	Ended   *Expr
	Cookies []string // that are kept; nil: all
	Headers []Param  // made of the answer to Login; sent with every request
	Query   []Param  // the same
	// CSRFHeader repeats the value of the cookie CSRFCookie; "" is none.
	CSRFCookie, CSRFHeader string
	TTL                    time.Duration // after which there is a new login; 0: when the session has ended
	Shared                 bool          // one session for all callers of a tenant; false: each has his own
	Any                    bool          // an answer that says Ended says that nothing was done, so any method is sent again
}

// AWS signs requests by AWS Signature Version 4.
type AWS struct {
	Region, Service string
	Session         *Expr // token of temporary credentials; nil: none
}

// HMAC signs requests with a shared key.
type HMAC struct {
	Algorithm string   // "sha256", "sha1" or "sha512"
	Sign      []string // what is signed, in order: "timestamp" (seconds since 1970), "method", "host", "path", "query", "body"
	Separator string   // between those
	Header    string   // that holds the signature
	Prefix    string   // of its value
	Encoding  string   // "hex" or "base64"
	Timestamp string   // header that holds the timestamp; "" for none
}

// OfCaller tells whether the credential is made of the caller's own token, so
// that what is got with it is his alone.
func (c *Credential) OfCaller() bool { return c.Kind == "tokenExchange" || c.Kind == "passthrough" }

// OAuthClient asks an authorization server for tokens: by client credentials
// (RFC 6749, section 4.4), or by exchanging the caller's token (RFC 8693). The
// client shows who it is by the Value of its credential: a secret, or a private
// key in PEM form when Alg is set (RFC 7523). A Value without operation is a
// public client.
type OAuthClient struct {
	TokenURL    string
	ClientID    string
	Post        bool   // the secret goes into the body, instead of the header
	Alg         string // signature algorithm of the private key
	KeyID       string // its "kid"; may be ""
	Scopes      []string
	Audience    string
	Resource    string // RFC 8707
	SubjectType string // of the caller's token, when it is exchanged (RFC 8693, section 3)
}

// Secret refers to a secret. The first source that yields a value wins.
type Secret struct {
	Name string   // for messages and overrides; unique within the server
	Env  []string // environment variables, in order
	File string   // path; a trailing line end is cut
	// Exec is a program with its arguments, whose output is the secret; nil for
	// none. It ends within Timeout.
	Exec    []string
	Timeout time.Duration
	Vault   *Vault        // nil: none
	TTL     time.Duration // how long what Exec or Vault gave is used
}

// Vault is a field of a secret that a Vault server keeps. Where that is and who
// asks is a matter of the environment.
type Vault struct {
	Path  string // of its HTTP API, after /v1/
	Field string
}

// Tool is one MCP tool.
type Tool struct {
	Name        string
	Title       string
	Description string
	Hints       Hints
	Input       Schema // root type object
	Output      Schema // root type object; "" when none is declared
	// Formats says that format in Input is a rule. It is a remark otherwise: what
	// documents call a date-time is often looser than RFC 3339.
	Formats bool
	Rules   []Rule   // checked after Input
	Choices []Choice // requests that are tried before Request
	Request Request  // Method "": one of Choices has to fit, or there are Steps
	// Steps are the calls of other tools that a composite tool is made of; it has
	// no Request. Result is what it answers, over args and step; nil is the output
	// of the last step. Timeout is the limit of all steps together.
	Steps   []Step
	Result  *Expr
	Timeout time.Duration
	// Internal tools are not listed and clients cannot call them: steps do.
	Internal   bool
	Response   Response
	Pagination *Pagination // nil: one answer is the whole result
	Scopes     []string    // that a caller must have
	Sensitive  []string    // names in the arguments whose values are neither logged nor shown in Confirm; only with [Observe] or Confirm
	Confirm    *Expr       // what a person is asked before a call; nil: nothing
	Origin     Origin
	Deprecated string // what to use instead, also said in Description; "" when it is not deprecated
	// Method is the Go name of the tool in generated code, when the author said
	// one. It means nothing to the runtime.
	Method string
}

// Requests are those a call may send, in the order they are tried.
func (t *Tool) Requests() []*Request {
	list := make([]*Request, 0, len(t.Choices)+1)
	for i := range t.Choices {
		list = append(list, &t.Choices[i].Request)
	}
	if t.Request.Method != "" {
		list = append(list, &t.Request)
	}
	return list
}

// Rule refuses arguments for which a condition does not hold. A condition that
// is null, or that needs an argument which was not given, holds.
type Rule struct {
	Condition Expr
	Message   Expr // text for the model
}

// Choice is a request that is sent when a condition holds. A condition that is
// null, or that needs an argument which was not given, does not hold.
type Choice struct {
	When    Expr
	Request Request
}

// Hints are MCP's tool annotations; all four are always sent.
type Hints struct {
	ReadOnly    bool
	Destructive bool
	Idempotent  bool
	OpenWorld   bool
}

// Setting says where something of a tool comes from.
type Setting struct {
	What  string // "title", "description", "read_only", "input owner" …
	By    string // "overlay", "x-mcp", "override \"*\"" or "tool"
	Place string // file:line:col; "" when not known
}

// Origin says where a tool comes from.
type Origin struct {
	Kind      string // "openapi" or "hcl"
	API       string // upstream's name
	Operation string // operation id; "" for a hand-written tool
	Source    string // file:line:col or URL
	// Deprecated and Tags are the document's word.
	Deprecated bool
	Tags       []string
	// Settings say who set what of a derived tool, for its author. What is not
	// among them is the document's.
	Settings []Setting
}

// Schema is a JSON Schema 2020-12 as compact JSON text. Every Schema in a plan
// compiles and refers to nothing outside itself. In arguments, property keys
// are the model's; [Shape] maps them to the wire.
type Schema string

// MarshalJSON writes the schema itself, not a string.
func (s Schema) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return []byte(s), nil
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (s *Schema) UnmarshalJSON(b []byte) error {
	*s = Schema(b)
	if string(b) == "null" {
		*s = ""
	}
	return nil
}

// Request says how arguments become an HTTP request.
type Request struct {
	Upstream string
	Server   string // absolute base URL of this request instead of the upstream's; "" mostly
	Method   string
	Path     []Segment
	Query    []Param
	// RawQuery is the argument that holds a whole query string (OpenAPI 3.2's
	// in: querystring); nil mostly.
	RawQuery *Param
	Header   []Param
	Cookie   []Param
	Body     *Body // nil: none
	// Hidden are members that a caller may not give, where the schema alone would
	// let them through: an argument's name and the keys that lead there.
	Hidden [][]string
	Accept string
	// Security lists alternatives of credential names. The first alternative
	// whose credentials are all at hand is used; none at hand: the request goes
	// out without, and a 401 says what to set. Nil: no credential is sent.
	Security [][]string
	// Repeat is set where the author says that the request may be sent again,
	// whatever its method is.
	Repeat bool
}

// Template is the path with {name} where parameters go.
func (r *Request) Template() string {
	var b strings.Builder
	for _, s := range r.Path {
		if s.Param != nil {
			b.WriteString("{" + s.Param.Name + "}")
		} else {
			b.WriteString(s.Literal)
		}
	}
	return b.String()
}

// Segment is a piece of a path: literal text, already percent-encoded, or one
// parameter. Pieces are simply joined; slashes are part of literals.
type Segment struct {
	Literal string
	Param   *Param // nil for a literal
}

// Param is one parameter on the wire.
type Param struct {
	Name          string // on the wire
	Arg           string // the argument it takes; "" when Value is set
	Value         *Expr  // what is sent instead; nil: the argument
	Required      bool   // missing is refused before anything is sent
	Style         Style
	Explode       bool
	AllowReserved bool
	AllowEmpty    bool   // send "name=" for an empty value
	Media         string // of a `content` parameter: the value is encoded so; "" mostly
	Shape         *Shape // keys of an object parameter, where they differ on the wire
}

// Style is how arrays and objects are written in a parameter, in OpenAPI's
// words.
type Style string

// Styles. TabDelimited is Swagger 2.0's tsv. StyleCookie is OpenAPI 3.2's.
const (
	Simple         Style = "simple"
	Label          Style = "label"
	Matrix         Style = "matrix"
	Form           Style = "form"
	SpaceDelimited Style = "spaceDelimited"
	PipeDelimited  Style = "pipeDelimited"
	TabDelimited   Style = "tabDelimited"
	DeepObject     Style = "deepObject"
	StyleCookie    Style = "cookie"
)

// Codec is how a body is written.
type Codec string

// Codecs of bodies.
const (
	JSON      Codec = "json"      // also every +json type
	FormCodec Codec = "form"      // application/x-www-form-urlencoded
	Multipart Codec = "multipart" // multipart/form-data and multipart/mixed
	XML       Codec = "xml"
	Text      Codec = "text"
	Bytes     Codec = "bytes" // the argument is base64 or a data URI
	NDJSON    Codec = "ndjson"
)

// Body is the body of a request.
type Body struct {
	Arg      string // the argument that holds it; "" when Value is set
	Value    *Expr  // what is sent instead; nil: the argument
	Required bool
	Media    string // the Content-Type sent; for multipart without a boundary
	Codec    Codec
	Shape    *Shape // nil: the JSON value is written as it is
	// Fields says how properties of a form or multipart body are written, where
	// that differs from the default. Parts are sent in the order of Fields, those
	// not among them last; fields of a form as they come.
	Fields []Field
}

// Field is the encoding of one property of a form or multipart body.
type Field struct {
	Name          string // on the wire
	Media         string // Content-Type of a part; "" is the default for its type
	Style         Style  // of a form field
	Explode       bool
	AllowReserved bool
	Binary        bool    // base64 or data URI; sent decoded, as a file part in multipart
	Header        []Param // of a part; constants only
}

// Shape maps a JSON value to the wire where the value alone does not say how:
// renamed keys, XML names, element types. It is a graph over Nodes, so that a
// recursive schema stays finite. Values without a node are written as they are.
type Shape struct {
	Nodes []ShapeNode // the root is the first
}

// Node returns node n, counted from 1, or nil for 0: no node.
func (s *Shape) Node(n int) *ShapeNode {
	if s == nil || n <= 0 || n > len(s.Nodes) {
		return nil
	}
	return &s.Nodes[n-1]
}

// ShapeNode is one place in a [Shape]. Node numbers count from 1; 0 is none.
type ShapeNode struct {
	Type  string      // JSON type: object, array, string, number, integer, boolean; "" when open
	Props []ShapeProp // members, in the schema's order
	Items int         // node of the elements of an array
	Extra int         // node of members that are not in Props
	XML   *XMLName
}

// ShapeProp is a member of an object.
type ShapeProp struct {
	Key  string // in arguments
	Wire string // on the wire
	Node int
}

// XMLName is OpenAPI's xml object of one place.
type XMLName struct {
	Name      string // element or attribute name; "" is the wire key
	Namespace string
	Prefix    string
	Attribute bool
	Wrapped   bool // of an array: one element around the items
	Text      bool // OpenAPI 3.2 nodeType text or cdata: the element's own text
	CDATA     bool // nodeType cdata: written as a CDATA section
	None      bool // OpenAPI 3.2 nodeType none
}

// ExprOp is what an [Expr] does.
type ExprOp string

// Operations of expressions; see [Expr].
const (
	OpConst    ExprOp = "const"
	OpArg      ExprOp = "arg"
	OpGet      ExprOp = "get"
	OpIndex    ExprOp = "index"
	OpTemplate ExprOp = "template"
	OpCall     ExprOp = "call"
	OpCond     ExprOp = "cond"
	OpObject   ExprOp = "object"
	OpList     ExprOp = "list"
	OpSecret   ExprOp = "secret"
	OpVar      ExprOp = "var"

	OpFor       ExprOp = "for"
	OpForObject ExprOp = "forobject"
	OpForGroups ExprOp = "forgroups"
)

// Loops reports whether all but the first of the Args are evaluated for every
// element of that one.
func (o ExprOp) Loops() bool { return o == OpFor || o == OpForObject || o == OpForGroups }

// Expr is an expression evaluated for every call.
//
//	const     Const, JSON text
//	arg       the argument Name, null when not given
//	get       member Name of Args[0], null when absent
//	index     Args[0][Args[1]]; null when absent
//	template  the Args as text, joined; null is an error
//	call      function or operator Name over Args
//	cond      Args[0] ? Args[1] : Args[2]
//	object    Args: key, value, key, value …; members with null values stay
//	list      Args
//	secret    the value of Secret
//	var       the value Name of the phase: response, step, each, page, request or result; null when there is none
//	for       a list of Args[2] for every element of Args[0] where Args[1] holds
//	forobject an object of Args[2] under the key Args[3], the same way; a key twice is an error
//	forgroups the same, with a list of the values of a key
//
// A for walks over a list, over an object by its sorted keys, or over null, which
// is empty. Name is what Args[1] and the following call the element, "value", or
// "key,value"; they refer to it with var.
type Expr struct {
	Op     ExprOp
	Const  string
	Name   string
	Args   []Expr
	Secret *Secret
}

// Reads tells whether an expression, which may be nil, has a variable in it.
func (x *Expr) Reads(name string) bool {
	return x != nil && (x.Op == OpVar && x.Name == name || slices.ContainsFunc(x.Args, func(a Expr) bool { return a.Reads(name) }))
}
