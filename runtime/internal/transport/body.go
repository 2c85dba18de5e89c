package transport

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// readBody reads the body of a request. It is not pooled: arguments point into
// it, and an upstream may still be reading them when its answer is here. held is
// what the request holds of the bytes there are for bodies, refused or not.
func (f *Front) readBody(r *http.Request) (b []byte, held int64, bad *fault) {
	max := f.limits.Body
	tooLarge := func() *fault {
		return over(http.StatusRequestEntityTooLarge, "body", max, "the request is larger than the limit of %d bytes")
	}
	// Whoever sends large requests leaves room for small ones.
	grow := func(size int64) bool {
		of := f.limits.Bodies
		if size > bufferedBytes {
			of /= 2
		}
		if !f.host.bodies.enter(size-held, of) {
			bad = over(http.StatusServiceUnavailable, "bodies", f.limits.Bodies, "the server is at its limit of %d bytes of requests at once")
			return false
		}
		held = size
		return true
	}
	n := r.ContentLength
	if n > max {
		return nil, held, tooLarge()
	}
	var err error
	if n >= 0 && n <= bufferedBytes {
		if !grow(n) {
			return nil, held, bad
		}
		b = make([]byte, n)
		_, err = io.ReadFull(r.Body, b)
	} else {
		// As it comes, not as it is announced: announcing costs nothing.
		size := int64(bufferedBytes / 2)
		for err == nil {
			if int64(len(b)) > max {
				return nil, held, tooLarge()
			}
			if len(b) == cap(b) {
				if size = min(2*size, max+1); !grow(size) {
					return nil, held, bad
				}
				b = append(make([]byte, 0, size), b...)
			}
			var m int
			m, err = r.Body.Read(b[len(b):cap(b)])
			b = b[:len(b)+m]
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	switch {
	case err == nil:
		return b, held, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, held, over(http.StatusRequestTimeout, "request_timeout", f.limits.RequestTimeout.Milliseconds(), "the request did not arrive within %d ms")
	}
	return nil, held, faultf(mcp.PARSE_ERROR, http.StatusBadRequest, "the request ends before its body does")
}

// contentType refuses a body that is not announced as JSON, or in two ways. That
// is more than tidiness: text/plain is what a web page may send across origins
// unasked.
func contentType(h http.Header) *fault {
	v := h["Content-Type"]
	if len(v) != 1 {
		return faultf(mcp.INVALID_REQUEST, http.StatusUnsupportedMediaType, "the Content-Type must be sent once and be application/json")
	}
	if v[0] != "application/json" {
		media, params, err := mime.ParseMediaType(v[0])
		if err != nil || media != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
			return faultf(mcp.INVALID_REQUEST, http.StatusUnsupportedMediaType, "the Content-Type must be application/json (in UTF-8), not %q", clip(v[0]))
		}
	}
	for _, c := range h["Content-Encoding"] {
		if !strings.EqualFold(c, "identity") {
			return faultf(mcp.INVALID_REQUEST, http.StatusUnsupportedMediaType, "a request must not be encoded; Content-Encoding is %q", clip(c))
		}
	}
	return nil
}

// accepts tells which of the two forms of an answer a client takes. Clients
// must name both, but one is enough to answer.
func accepts(values []string) (json, events bool) {
	if len(values) == 0 {
		return true, false
	}
	for _, v := range values {
		v = strings.ToLower(v)
		json = json || strings.Contains(v, "application/json") || strings.Contains(v, "*/*") || strings.Contains(v, "application/*")
		events = events || strings.Contains(v, "text/event-stream") || strings.Contains(v, "text/*")
	}
	return json, events
}
