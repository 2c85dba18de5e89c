package transport

import (
	"fmt"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

const (
	methodCall      = "tools/call"
	methodList      = "tools/list"
	methodResources = "resources/list"
	methodTemplates = "resources/templates/list"
	methodRead      = "resources/read"
	methodPrompts   = "prompts/list"
	methodPrompt    = "prompts/get"
	methodListen    = "subscriptions/listen"
)

// works tells whether a method may take long: it may send requests.
func works(method string) bool {
	return method == methodCall || method == methodRead || method == methodPrompt
}

// Error is why a resource or prompt cannot be had: these have no result that
// could say so.
type Error struct {
	code    int
	message string
	data    string
	reason  string // see [fault.reasonOf]
}

func (e *Error) fault() *fault {
	return &fault{code: e.code, message: e.message, data: e.data, reason: e.reason}
}

// Recorded says that the request was a call, which is recorded as one.
func (e *Error) Recorded() *Error {
	e.reason = recorded
	return e
}

// NoResource says that no resource has a URI. Revision 2026-07-28 has no code of
// its own for that.
func NoResource(uri string, e Era) *Error {
	code := mcp.RESOURCE_NOT_FOUND
	if e == Modern {
		code = mcp.INVALID_PARAMS
	}
	data := append(result.AppendString([]byte(`{"uri":`), uri), '}')
	return &Error{code, fmt.Sprintf("there is no resource %q; resources/list and resources/templates/list name what there is", clip(uri)), string(data), "unknown-resource"}
}

// NoPrompt says that there is no prompt of a name.
func NoPrompt(name string) *Error {
	return &Error{mcp.INVALID_PARAMS, fmt.Sprintf("unknown prompt %q; prompts/list names the prompts there are", clip(name)), "", "unknown-prompt"}
}

// Failed says why a resource or prompt that exists cannot be had, with the
// stable word of the failure. invalid is the client's mistake.
func Failed(message, word string, invalid bool) *Error {
	e := &Error{code: mcp.INTERNAL_ERROR, message: message}
	if invalid {
		e.code = mcp.INVALID_PARAMS
	}
	if word != "" {
		e.data = string(append(result.AppendString([]byte(`{"code":`), word), '}'))
	}
	return e
}

// Because gives the reason why the request became no call, in one of few words.
func (e *Error) Because(reason string) *Error {
	e.reason = reason
	return e
}

// Era is how a client speaks. Which one it is, every request says for itself.
type Era int

const (
	// Legacy is every revision with the initialize handshake, 2025-11-25 and
	// older.
	Legacy Era = iota
	// Modern is 2026-07-28: no handshake, the version in every request.
	Modern
)

// httpVersions are the revisions served over HTTP, newest first. 2024-11-05
// had another HTTP transport.
func httpVersions() []string {
	return slices.DeleteFunc(slices.Clone(mcp.ValidProtocolVersions), func(v string) bool {
		return v == mcp.ProtocolVersion20241105
	})
}

// unsupported says that a version is not served, and which are.
func unsupported(version string, versions []string) *fault {
	data := append([]byte(nil), `{"supported":[`...)
	for i, v := range versions {
		if i > 0 {
			data = append(data, ',')
		}
		data = result.AppendString(data, v)
	}
	data = append(data, `],"requested":`...)
	data = result.AppendString(data, version)
	data = append(data, '}')
	return &fault{code: mcp.UNSUPPORTED_PROTOCOL_VERSION, message: "unsupported protocol version", data: string(data), status: 400}
}

// eraOf tells the era of a message that came without headers, and refuses a
// modern one that lacks what every modern request must carry.
func eraOf(m *message, versions []string) (Era, *fault) {
	if !m.hasVersion {
		return Legacy, nil
	}
	if !slices.Contains(versions, m.version) {
		return Modern, unsupported(m.version, versions)
	}
	if !mcp.IsModernProtocol(m.version) {
		return Legacy, nil
	}
	if m.capabilities == nil && m.isRequest() {
		return Modern, faultf(mcp.INVALID_PARAMS, 400, "params._meta[%q] is missing or not an object", mcp.MetaKeyClientCapabilities)
	}
	return Modern, nil
}

// header is the part of http.Header that is looked at, by canonical name.
type header map[string][]string

// only is the value of a header that may be sent once.
func (h header) only(name string) (string, bool) {
	v := h[name]
	if len(v) != 1 {
		return "", false
	}
	return v[0], true
}

// eraOfHTTP tells the era of a message that came over HTTP. From 2026-07-28 on
// the headers repeat the version, the method and the name, so that what stands
// between can decide without reading bodies; they must therefore agree with
// the body exactly, or the two would decide about different calls.
func eraOfHTTP(h header, m *message, versions []string) (Era, *fault) {
	mismatch := func(format string, a ...any) (Era, *fault) {
		return Modern, faultf(mcp.HEADER_MISMATCH, 400, "header mismatch: "+format, a...)
	}
	stated, ok := h.only(mcp.HeaderProtocolVersion)
	if !ok && len(h[mcp.HeaderProtocolVersion]) > 0 {
		return mismatch("%s is sent more than once", "MCP-Protocol-Version")
	}
	if !mcp.IsModernProtocol(stated) && !mcp.IsModernProtocol(m.version) {
		// The handshake itself may name any version: it is what it negotiates.
		if stated != "" && m.method != "initialize" && !slices.Contains(versions, stated) {
			return Legacy, unsupported(stated, versions)
		}
		if m.hasVersion && !slices.Contains(versions, m.version) {
			return Modern, unsupported(m.version, versions)
		}
		return Legacy, nil
	}
	switch {
	case stated == "":
		return mismatch("MCP-Protocol-Version is missing")
	case !m.hasVersion && m.isRequest():
		return Modern, faultf(mcp.INVALID_PARAMS, 400, "params._meta[%q] is missing or not a string", mcp.MetaKeyProtocolVersion)
	case m.hasVersion && stated != m.version:
		return mismatch("MCP-Protocol-Version is %q, the body says %q", stated, m.version)
	case !slices.Contains(versions, stated):
		return Modern, unsupported(stated, versions)
	case m.isRequest() && m.capabilities == nil:
		return Modern, faultf(mcp.INVALID_PARAMS, 400, "params._meta[%q] is missing or not an object", mcp.MetaKeyClientCapabilities)
	case m.response:
		return Modern, faultf(mcp.INVALID_REQUEST, 400, "this server sends no requests, so it takes no responses")
	}
	if method, ok := h.only(mcp.HeaderMethod); !ok {
		return mismatch("Mcp-Method must be sent once")
	} else if method != m.method {
		return mismatch("Mcp-Method is %q, the body says %q", method, m.method)
	}
	var want string
	switch m.method {
	case methodCall, methodPrompt:
		want = m.name
	case methodRead:
		want = m.uri
	default:
		return Modern, nil
	}
	if !m.isRequest() {
		return Modern, nil
	}
	sent, ok := h.only(mcp.HeaderName)
	if !ok {
		return mismatch("Mcp-Name must be sent once")
	}
	name, ok := mcp.DecodeHeaderValue(sent)
	if !ok {
		return mismatch("Mcp-Name is not valid Base64")
	}
	if name != want {
		return mismatch("Mcp-Name is %q, the body says %q", name, want)
	}
	return Modern, nil
}
