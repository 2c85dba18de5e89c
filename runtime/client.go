package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/mcpc-dev/mcpc/runtime/internal/request"
)

// maxClientBody bounds the body of a request that native code sends, in bytes.
const maxClientBody = 64 << 20

// Client returns an HTTP client for native code that still needs the service
// behind a tool. What it sends has the credentials of the tool's operation, and
// the upstream's limits, retries and rules for redirects and addresses. Relative
// URLs are relative to the upstream's base URL; those of another host are
// refused. It sends on behalf of the principal in the request's context.
//
// The error is [ErrUnknownTool].
func (b *Bridge) Client(tool string) (*http.Client, error) {
	t := b.tools[tool]
	if t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, tool)
	}
	return &http.Client{
		Transport:     toolTransport{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // they were followed
	}, nil
}

// toolTransport sends requests the way a tool's calls are sent.
type toolTransport struct{ tool *tool }

func (t toolTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	base, err := url.Parse(t.tool.upstream.BaseURL + "/")
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("the upstream %q has no base URL", t.tool.upstream.Name)
	}
	// A path that begins with a slash is below the base URL, as in a description.
	to := base.JoinPath(r.URL.EscapedPath())
	to.RawQuery = r.URL.RawQuery
	if r.URL.Host != "" {
		if r.URL.Scheme != base.Scheme || r.URL.Host != base.Host {
			return nil, fmt.Errorf("the client of tool %s sends to %s only", t.tool.plan.Name, base.Host)
		}
		to = r.URL
	}
	req := &request.Request{Method: r.Method, URL: to, Header: r.Header.Clone()}
	if r.Body != nil && r.Body != http.NoBody {
		if req.Body, err = io.ReadAll(io.LimitReader(r.Body, maxClientBody+1)); err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
		if len(req.Body) > maxClientBody {
			return nil, errors.New("the body is larger than 64 MiB")
		}
	}
	a, err := t.tool.client.Do(r.Context(), PrincipalOf(r.Context()), req, t.tool.plan.Request.Security)
	if err != nil {
		return nil, err
	}
	if a.Truncated {
		return nil, fmt.Errorf("the answer is larger than %d bytes", a.Limit)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)), StatusCode: a.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: int64(len(a.Body)), Request: r,
	}, nil
}
