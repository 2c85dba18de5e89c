package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxSent bounds what is kept of a request's body, in bytes.
const maxSent = 16 << 20

// service is the HTTP service that a test's tool talks to.
type service struct {
	kind  string   // of answers, as the tool reads them
	bases []string // paths of base URLs

	mu         sync.Mutex
	replies    []reply
	requests   []*Request
	unexpected []*Request
	last       *reply // the one that was given last
}

// Request is a request that a tool sent.
type Request struct {
	Method string
	URL    *url.URL
	Path   string // percent-encoded, with the query
	Header http.Header
	Body   []byte
}

// reply is one answer.
type reply struct {
	method, path string // which request it is for; "" for any
	status       int
	header       http.Header
	body         []byte
	at           diag.Range
	recorded     bool // its query may hold "(secret)" where a secret was
	used         bool
}

func (r *reply) String() string {
	if r.method == "" {
		return "this reply"
	}
	return "the reply to " + r.method + " " + r.path
}

func newService(p *plan.Server, t *specs.Test) (*service, error) {
	s := &service{}
	if tool := findTool(p, t.Call.Name); tool != nil {
		s.kind = tool.Response.Kind
	}
	for i := range p.Upstreams {
		if u, err := url.Parse(p.Upstreams[i].BaseURL); err == nil && len(u.EscapedPath()) > 1 {
			s.bases = append(s.bases, strings.TrimSuffix(u.EscapedPath(), "/"))
		}
	}
	if t.Recording != nil {
		list, err := read(t.Recording.Value)
		for i := range list {
			list[i].at = t.Recording.Range
		}
		s.replies = list
		return s, err
	}
	for _, r := range t.Replies {
		out := reply{method: r.Method, path: r.Path, status: r.Status, header: http.Header{}, at: r.Range}
		if r.Body != nil {
			var media string
			if out.body, media = s.encode(r.Body); media != "" {
				out.header.Set("Content-Type", media)
			}
		}
		if r.Headers != nil {
			for _, f := range r.Headers.Fields {
				out.header.Set(f.Key, f.Value.Text)
			}
		}
		s.replies = append(s.replies, out)
	}
	return s, nil
}

// encode is the body of a reply and its media type: of text the one that the
// tool reads, or what it looks like.
func (s *service) encode(v *specs.Node) (body []byte, media string) {
	if v.Kind != specs.String {
		return v.AppendJSON(nil), "application/json"
	}
	text := strings.TrimLeft(v.Text, " \t\r\n")
	lower := strings.ToLower(text[:min(len(text), 256)])
	switch {
	case text == "":
		return nil, ""
	case s.kind == "json":
		media = "application/json"
	case s.kind == "xml":
		media = "application/xml; charset=utf-8"
	case s.kind == "csv":
		media = "text/csv; charset=utf-8"
	case s.kind == "form":
		media = "application/x-www-form-urlencoded"
	case s.kind == "html", strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		media = "text/html; charset=utf-8"
	case text[0] == '{', text[0] == '[':
		media = "application/json"
	case text[0] == '<':
		media = "application/xml; charset=utf-8"
	default:
		media = "text/plain; charset=utf-8"
	}
	return []byte(v.Text), media
}

// RoundTrip answers a request with the first reply that is meant for it, else
// with the next that is for any.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(io.LimitReader(r.Body, maxSent))
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	sent := &Request{Method: r.Method, URL: r.URL, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, sent)
	answer := s.next(sent)
	if answer == nil {
		s.unexpected = append(s.unexpected, sent)
		return nil, fmt.Errorf("no reply is left for %s %s", sent.Method, sent.Path)
	}
	answer.used, s.last = true, answer
	return &http.Response{
		Status: fmt.Sprintf("%d %s", answer.status, http.StatusText(answer.status)), StatusCode: answer.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: answer.header.Clone(),
		Body: io.NopCloser(bytes.NewReader(answer.body)), ContentLength: int64(len(answer.body)), Request: r,
	}, nil
}

func (s *service) next(r *Request) *reply {
	var paths []string
	for _, base := range append([]string{""}, s.bases...) {
		if p, ok := strings.CutPrefix(r.Path, base); ok {
			paths = append(paths, p)
		}
	}
	var any *reply
	for _, whole := range []bool{true, false} {
		for i := range s.replies {
			a := &s.replies[i]
			switch {
			case a.used:
			case a.method == "":
				if any == nil {
					any = a
				}
			case a.method == r.Method && a.fits(paths, whole):
				return a
			}
		}
	}
	return any
}

// fits compares the path of a reply with those of a request. Unless whole, a
// query counts only when the author wrote one.
func (r *reply) fits(paths []string, whole bool) bool {
	path := r.path
	if !whole && r.recorded {
		path, _, _ = strings.Cut(path, "?")
	}
	return slices.ContainsFunc(paths, func(p string) bool {
		before, _, _ := strings.Cut(p, "?")
		return p == path || !whole && before == path
	})
}
