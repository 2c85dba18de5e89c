package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// message is a JSON-RPC message, read once. Slices point into the text it was
// read from, so that text must stay as it is while the message lives: the
// arguments may be on their way to an upstream even after its answer came.
type message struct {
	id       jsontext.Value // as it was sent; nil for a notification
	method   string         // "" for the client's answer to something
	params   jsontext.Value // as they were sent; nil when absent
	response bool           // a result or an error, and no method

	// Of params, read in the same pass whatever the method is.
	name      string         // tools/call, prompts/get
	hasName   bool           //
	uri       string         // resources/read
	arguments jsontext.Value // tools/call
	cursor    jsontext.Value // lists
	requestID jsontext.Value // notifications/cancelled
	answers   jsontext.Value // inputResponses: what the client was asked
	state     string         // requestState: what it was given with the question

	// Of params._meta.
	token        jsontext.Value // progressToken; nil when absent
	version      string         // io.modelcontextprotocol/protocolVersion
	hasVersion   bool
	traceparent  string         // of W3C Trace Context
	tracestate   string         //
	capabilities jsontext.Value // io.modelcontextprotocol/clientCapabilities, when it is an object
}

// isRequest reports whether an answer is owed.
func (m *message) isRequest() bool { return m.id != nil && !m.response }

// fault is a JSON-RPC error and the HTTP status that goes with it.
type fault struct {
	code    int
	message string
	data    string        // JSON; "" for none
	status  int           // of HTTP; 0 is 200
	retry   time.Duration // after which it may go better; 0: nobody knows
	reason  string        // why, in one of few words; "" follows from code and status
}

func faultf(code, status int, format string, a ...any) *fault {
	return &fault{code: code, message: fmt.Sprintf(format, a...), status: status}
}

// reader is what reading a message needs and the next one can use again.
type reader struct {
	text bytes.Buffer
	dec  *jsontext.Decoder
	key  []byte // a member name with its escapes resolved
}

var readers = sync.Pool{New: func() any { r := new(reader); r.dec = jsontext.NewDecoder(&r.text); return r }}

// decode reads one message. Member names are taken exactly as they are written,
// never by case folding, and none that means something may come twice; what is
// inside arguments is checked by who reads them. When there is a fault, the
// message still holds the id, if one could be read.
func decode(text []byte, l *plan.Inbound) (message, *fault) {
	var m message
	if bad := tooDeep(text, l.Depth, l); bad != nil {
		return m, bad
	}
	r := readers.Get().(*reader)
	r.text = *bytes.NewBuffer(text)
	// Names are checked here, where they mean something; doing it for all of
	// them costs a fifth of the time of reading.
	r.dec.Reset(&r.text, jsontext.AllowDuplicateNames(true))
	f, err := r.message(text, &m)
	if err == nil {
		if _, err = r.dec.ReadToken(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("there is more after the message")
		}
	}
	r.text = bytes.Buffer{}
	r.dec.Reset(&r.text)
	readers.Put(r)
	if err != nil {
		return m, faultf(mcp.PARSE_ERROR, 400, "the message is not valid JSON: %s", parseReason(err))
	}
	if f == nil {
		f = m.tooLong(l.Name)
	}
	return m, f
}

// tooLong refuses names that are longer than what keeps them in a log, a map or
// an error message allows. An id that is, is not repeated.
func (m *message) tooLong(max int) *fault {
	if bad := tooLong("the id", len(m.id), max); bad != nil {
		m.id = nil
		return bad
	}
	for _, s := range []struct {
		what string
		n    int
	}{{"the method", len(m.method)}, {"params.name", len(m.name)}, {"params._meta.progressToken", len(m.token)}, {"params.requestId", len(m.requestID)}} {
		if bad := tooLong(s.what, s.n, max); bad != nil {
			return bad
		}
	}
	return nil
}

// parseReason shortens the library's error to what was wrong and where.
func parseReason(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "it ends too early"
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("%v at byte %d", syntax.Err, syntax.ByteOffset)
	}
	return err.Error()
}

// message reads the outer object. It goes on after a fault, because the id may
// still come, and returns the first one.
func (r *reader) message(text []byte, m *message) (first *fault, err error) {
	fail := func(f *fault) {
		if first == nil {
			first = f
		}
	}
	if k := r.dec.PeekKind(); k != '{' {
		if k == 0 {
			_, err := r.dec.ReadToken()
			return nil, err
		}
		if err := r.dec.SkipValue(); err != nil {
			return nil, err
		}
		return faultf(mcp.INVALID_REQUEST, 400, "a message must be a JSON object"), nil
	}
	const jsonrpc, id, method, params, result, errorMember = 1, 2, 4, 8, 16, 32
	var seen uint
	once := func(bit uint, name string) {
		if seen&bit != 0 {
			fail(faultf(mcp.INVALID_REQUEST, 400, "the member %q comes twice", name))
		}
		seen |= bit
	}
	version := false
	err = r.members(func(key []byte) error {
		switch string(key) {
		case "jsonrpc":
			once(jsonrpc, "jsonrpc")
			v, err := r.dec.ReadValue()
			if err != nil {
				return err
			}
			version = string(v) == `"2.0"`
		case "id":
			once(id, "id")
			v, err := r.value(text)
			if err != nil {
				return err
			}
			if k := v.Kind(); k != '"' && (k != '0' || bytes.ContainsAny(v, ".eE")) {
				fail(faultf(mcp.INVALID_REQUEST, 400, "the id must be a string or an integer"))
			} else if m.id == nil {
				m.id = v
			}
		case "method":
			once(method, "method")
			s, ok, err := r.string()
			if err != nil {
				return err
			}
			if !ok || s == "" {
				fail(faultf(mcp.INVALID_REQUEST, 400, "the method must be a string"))
			}
			m.method = s
		case "params":
			once(params, "params")
			start := r.dec.InputOffset()
			if r.dec.PeekKind() != '{' {
				if err := r.dec.SkipValue(); err != nil {
					return err
				}
				fail(faultf(mcp.INVALID_PARAMS, 400, "params must be an object"))
				return nil
			}
			f, err := r.params(text, m)
			if err != nil {
				return err
			}
			if f != nil {
				fail(f)
			}
			m.params = valueAt(text, start, r.dec.InputOffset())
		default:
			switch string(key) {
			case "result":
				once(result, "result")
			case "error":
				once(errorMember, "error")
			}
			return r.dec.SkipValue()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.response = seen&method == 0 && seen&(result|errorMember) != 0
	switch {
	case !version:
		fail(faultf(mcp.INVALID_REQUEST, 400, `the member "jsonrpc" must be "2.0"`))
	case seen&method == 0 && !m.response:
		fail(faultf(mcp.INVALID_REQUEST, 400, `the member "method" is missing`))
	}
	return first, nil
}

// params reads the members of params that any method of ours needs.
func (r *reader) params(text []byte, m *message) (first *fault, err error) {
	const name, uri, arguments, cursor, requestID, meta, answers, state = 1, 2, 4, 8, 16, 32, 64, 128
	var seen uint
	once := func(bit uint, name string) {
		if seen&bit != 0 && first == nil {
			first = faultf(mcp.INVALID_PARAMS, 400, "params.%s comes twice", name)
		}
		seen |= bit
	}
	err = r.members(func(key []byte) (err error) {
		switch string(key) {
		case "name":
			once(name, "name")
			m.name, m.hasName, err = r.string()
		case "uri":
			once(uri, "uri")
			m.uri, _, err = r.string()
		case "arguments":
			once(arguments, "arguments")
			m.arguments, err = r.value(text)
		case "cursor":
			once(cursor, "cursor")
			m.cursor, err = r.value(text)
		case "requestId":
			once(requestID, "requestId")
			m.requestID, err = r.value(text)
		case "inputResponses":
			once(answers, "inputResponses")
			m.answers, err = r.value(text)
		case "requestState":
			once(state, "requestState")
			m.state, _, err = r.string()
		case "_meta":
			once(meta, "_meta")
			if r.dec.PeekKind() != '{' {
				err = r.dec.SkipValue()
				if first == nil {
					first = faultf(mcp.INVALID_PARAMS, 400, "params._meta must be an object")
				}
				break
			}
			var f *fault
			f, err = r.meta(text, m)
			if f != nil && first == nil {
				first = f
			}
		default:
			err = r.dec.SkipValue()
		}
		return err
	})
	return first, err
}

// meta reads the members of params._meta that a transport needs.
func (r *reader) meta(text []byte, m *message) (first *fault, err error) {
	const token, version, capabilities = 1, 2, 4
	var seen uint
	once := func(bit uint, name string) {
		if seen&bit != 0 && first == nil {
			first = faultf(mcp.INVALID_PARAMS, 400, "params._meta[%q] comes twice", name)
		}
		seen |= bit
	}
	err = r.members(func(key []byte) (err error) {
		switch string(key) {
		case "progressToken":
			once(token, "progressToken")
			m.token, err = r.value(text)
			if k := m.token.Kind(); err == nil && k != '"' && k != '0' {
				m.token = nil // of no use to anybody, and no reason to refuse the call
			}
		case "traceparent":
			m.traceparent, _, err = r.string()
		case "tracestate":
			m.tracestate, _, err = r.string()
		case mcp.MetaKeyProtocolVersion:
			once(version, mcp.MetaKeyProtocolVersion)
			m.version, m.hasVersion, err = r.string()
		case mcp.MetaKeyClientCapabilities:
			once(capabilities, mcp.MetaKeyClientCapabilities)
			if m.capabilities, err = r.value(text); err == nil && m.capabilities.Kind() != '{' {
				m.capabilities = nil
			}
		default:
			err = r.dec.SkipValue()
		}
		return err
	})
	return first, err
}

// members reads an object; read is given the name of each member and reads
// its value.
func (r *reader) members(read func(name []byte) error) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		if err := read(name); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// name reads a member name. It is valid until the next one is read.
func (r *reader) name() ([]byte, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], nil
	}
	r.key, err = jsontext.AppendUnquote(r.key[:0], v)
	return r.key, err
}

// value reads a value and returns the part of text that holds it.
func (r *reader) value(text []byte) (jsontext.Value, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := r.dec.InputOffset()
	return text[end-int64(len(v)) : end : end], nil
}

// string reads a value; ok is false when it is something else than a string.
func (r *reader) string() (s string, ok bool, err error) {
	v, err := r.dec.ReadValue()
	if err != nil || v.Kind() != '"' {
		return "", false, err
	}
	if bytes.IndexByte(v, '\\') >= 0 {
		r.key, err = jsontext.AppendUnquote(r.key[:0], v)
		return string(r.key), true, err
	}
	// The words of every call are not worth an allocation each.
	switch string(v) {
	case `"tools/call"`:
		return methodCall, true, nil
	case `"tools/list"`:
		return methodList, true, nil
	case `"2026-07-28"`:
		return mcp.ProtocolVersion20260728, true, nil
	}
	return string(v[1 : len(v)-1]), true, nil
}

// valueAt is the value between two offsets, without the colon and the spaces
// before it.
func valueAt(text []byte, start, end int64) jsontext.Value {
	v := text[start:end:end]
	return v[bytes.IndexByte(v, '{'):]
}

// tooDeep refuses text that nests deeper than limit, which is l's, or one more for
// a batch. It reads no more than brackets and strings; text that is no JSON is
// refused later. No reader behind it has to fear for its stack.
func tooDeep(text []byte, limit int, l *plan.Inbound) *fault {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			if depth++; depth > limit {
				return over(400, "depth", int64(l.Depth), "the message nests deeper than %d levels")
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return nil
}

// sameID is the id in the form in which two spellings of one id are equal: for
// strings their text, for numbers their digits.
func sameID(id jsontext.Value) string {
	if id.Kind() == '"' {
		if s, err := jsontext.AppendUnquote(nil, id); err == nil {
			return `"` + string(s)
		}
	}
	return strings.TrimSpace(string(id))
}
