package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// maxClientBody bounds the body of a request that native code sends, in bytes.
const maxClientBody = 64 << 20

// Client returns an HTTP client for native code that still needs the service
// behind a tool. What it sends has the credentials of the tool's operation, the
// upstream's headers unless the request has its own, and the upstream's limits, retries and rules for redirects and addresses. Relative
// URLs are relative to the upstream's base URL; those of another host are
// refused. It sends on behalf of the principal in the request's context.
//
// The error is [ErrUnknownTool], or a mistake in the plan.
func (b *Bridge) Client(tool string) (*http.Client, error) {
	t := b.tools[tool]
	if t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, tool)
	}
	if t.upstream == nil {
		return nil, fmt.Errorf("tool %s is made of steps: the tools it calls have clients", tool)
	}
	bare, err := request.Compile(*t.upstream, plan.Request{Method: http.MethodGet})
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", t.upstream.Name, err)
	}
	return &http.Client{
		Transport:     toolTransport{t, bare, b.secrets.value},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // they were followed
	}, nil
}

// toolTransport sends requests the way a tool's calls are sent.
type toolTransport struct {
	tool   *tool
	bare   *request.Builder // of a request that has what all of the upstream's have
	secret func(plan.Secret) (string, error)
}

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
	req, err := t.bare.Build(r.Context(), &expr.Env{Secret: t.secret}, args.Args{})
	if err != nil {
		return nil, err
	}
	req.Method, req.URL = r.Method, to
	maps.Copy(req.Header, r.Header)
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
