package runtime

import (
	"net/http"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// Exchange is a request to an upstream and its answer, what led there, retries
// and redirects, left aside. Credentials are not part of it, and where an
// upstream repeats a secret that was used, "(secret)" stands for it.
type Exchange struct {
	Method string
	Path   string // percent-encoded, with the query
	Status int
	Header http.Header // of the answer
	Body   []byte      // of the answer, decompressed
}

// watch tells Options.Record of answers.
func (b *Bridge) watch() func(*request.Request, *upstream.Answer) {
	record := b.options.Record
	if record == nil {
		return nil
	}
	return func(req *request.Request, a *upstream.Answer) {
		hide := func(s string) string { return a.Redact(b.secrets.redact(s)) }
		e := Exchange{Method: req.Method, Path: hide(req.URL.RequestURI()), Status: a.Status, Header: http.Header{}, Body: []byte(hide(string(a.Body)))}
		for name, values := range a.Header {
			e.Header.Set(name, hide(strings.Join(values, ", ")))
		}
		record(e)
	}
}
