package transport

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// retryBusy is what a client is told to wait when the server has too much to do.
const retryBusy = time.Second

// over is the refusal of what exceeds a limit. Words and data name it as a spec
// does (plan.Inbound), so that its operator knows what to change. format has a
// %d for the value.
func over(status int, limit string, value int64, format string) *fault {
	f := faultf(mcp.INVALID_REQUEST, status, format+" (limits.%s)", value, limit)
	if status == http.StatusServiceUnavailable {
		f.code, f.retry = -32000, retryBusy
	}
	f.data = fmt.Sprintf(`{"limit":%q,"value":%d}`, limit, value)
	return f
}

// count is how many of something there are at once.
type count struct{ n atomic.Int64 }

// enter takes up part of most; it is false when there is not as much left.
func (c *count) enter(part, most int64) bool {
	if c.n.Add(part) > most {
		c.n.Add(-part)
		return false
	}
	return true
}

func (c *count) leave(part int64) { c.n.Add(-part) }

// headers refuses a request whose headers are too many or too large. net/http
// reads twice as much before it refuses by itself, without naming a limit.
func (f *Front) headers(r *http.Request) *fault {
	size, lines := int64(len(r.RequestURI)+len(r.Host)), 0
	for name, values := range r.Header {
		lines += len(values)
		for _, v := range values {
			size += int64(len(name) + len(v) + len(": \r\n"))
		}
	}
	if size > f.limits.Headers {
		return over(http.StatusRequestHeaderFieldsTooLarge, "headers", f.limits.Headers, "the headers of the request are larger than the limit of %d bytes")
	}
	if lines > f.limits.HeaderCount {
		return over(http.StatusRequestHeaderFieldsTooLarge, "header_count", int64(f.limits.HeaderCount), "the request has more than %d header lines")
	}
	// Nobody is given a session here, so the header says nothing; what it may be
	// is the protocol's word all the same.
	for _, id := range r.Header["Mcp-Session-Id"] {
		if len(id) > f.limits.Name {
			return over(http.StatusBadRequest, "name", int64(f.limits.Name), "the header Mcp-Session-Id is longer than the limit of %d bytes")
		}
		for _, c := range []byte(id) {
			if c < '!' || c > '~' {
				return faultf(mcp.INVALID_REQUEST, http.StatusBadRequest, "the header Mcp-Session-Id may have visible ASCII characters only")
			}
		}
	}
	return nil
}

// tooLong refuses a text of a message that is longer than names may be.
func tooLong(what string, n, max int) *fault {
	if n <= max {
		return nil
	}
	return over(http.StatusBadRequest, "name", int64(max), what+" is longer than the limit of %d bytes")
}

// retryAfter is the value of the header.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
