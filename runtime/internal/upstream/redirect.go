package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// send sends the request and follows redirects, with everything that was sent
// first, as long as they stay on the host; and without, where egress of the plan
// allows them to leave it. at is where the answer came from.
//
// This is not [http.Client], whose rules are a browser's: it would carry own
// headers to other hosts, tell the query, and with it an API key, in a Referer,
// and repeat a POST as a GET after a 301.
func (k *call) send(outer, ctx context.Context) (res *http.Response, at *url.URL, fail *Failure) {
	method, at, header, body := k.req.Method, k.req.URL, k.req.Header, k.req.Body
	if body == nil && bodyExpected(method) {
		body = []byte{} // says Content-Length: 0
	}
	with := k.sent
	for hops := 0; ; hops++ {
		res, err := k.transport.RoundTrip(k.http(ctx, with, method, at, k.beginSend(ctx, method, at, header), body))
		if err != nil {
			if cerr := ctx.Err(); cerr != nil {
				err = cerr
			}
			return nil, nil, k.failed(outer, err)
		}
		if s := with.session; s != nil {
			s.take(at, res.Header)
			if res.StatusCode/100 == 3 && s.over(at, k.answer(res, at)) {
				return res, at, nil
			}
		}
		next, see := follow(method, res.StatusCode)
		location := res.Header.Get("Location")
		if !next || location == "" || k.egress.Redirects == "none" {
			return res, at, nil
		}
		to, err := at.Parse(location)
		if err != nil {
			return res, at, nil //nolint:nilerr // nowhere to go: the redirect itself is the answer, and says so
		}
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
		_ = res.Body.Close()
		k.endSend(ctx, res, nil)
		if !sameOrigin(at, to) {
			reads := method == http.MethodGet || method == http.MethodHead || see
			if !reads || !k.leadsTo(at, to) {
				return nil, nil, k.refuseRedirect(ctx, k.answer(res, at), at, to)
			}
			// From here on nothing goes along that was meant for the host itself,
			// not even back to it.
			with, header = nothing, public(header)
		}
		if hops == maxRedirects {
			return nil, nil, &Failure{
				Kind:    KindRedirect,
				Message: fmt.Sprintf("%s redirected more than %d times.", k.name, maxRedirects),
				Next:    "Check the arguments; otherwise the operator of this server has to look at the address of the upstream.",
			}
		}
		to.Fragment, to.RawFragment, to.User = "", "", nil
		at = to
		if see && method != http.MethodHead {
			method, body = http.MethodGet, nil
			header = header.Clone()
			for name := range header {
				if strings.HasPrefix(name, "Content-") {
					delete(header, name)
				}
			}
		}
	}
}

// leadsTo tells whether a redirect to another host is allowed: the operator said
// so, and what was encrypted stays so.
func (c *Client) leadsTo(from, to *url.URL) bool {
	if c.egress.Redirects != "allowed" || to.Hostname() == "" {
		return false
	}
	if to.Scheme != "https" && (to.Scheme != "http" || from.Scheme != "http") {
		return false
	}
	return c.leads(to.Hostname()) || c.base != nil && sameOrigin(c.base, to)
}

// public are the header fields that any host may see. All others may hold what is
// secret: the author's, those of arguments, and cookies.
func public(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "User-Agent"} {
		if v, ok := h[name]; ok {
			out[name] = v
		}
	}
	return out
}

// bodyExpected tells whether a server waits for a length even when there is no
// body.
func bodyExpected(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// http makes the request for the transport, with what authenticates it.
func (k *call) http(ctx context.Context, with *auth, method string, at *url.URL, header http.Header, body []byte) *http.Request {
	r := &http.Request{
		Method:     method,
		URL:        with.url(at),
		Host:       at.Host,
		Header:     header,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
	}
	if len(body) > 0 {
		r.ContentLength = int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	} else if body != nil {
		r.Body = http.NoBody
	}
	if len(with.signers) > 0 {
		r.Header = header.Clone()
		for _, sign := range with.signers {
			sign(r, body, time.Now())
		}
	}
	return r.WithContext(ctx)
}

// follow tells whether a status is a redirect to follow, and whether the next
// request is a GET whatever this one was (303 See Other). 301 and 302 would
// silently turn a POST into a GET: those are left to the caller. 307 and 308
// repeat the request as it is.
func follow(method string, status int) (next, see bool) {
	switch status {
	case http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound:
		return method == http.MethodGet || method == http.MethodHead, false
	case http.StatusSeeOther:
		return true, true
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true, false
	}
	return false, false
}

// sameOrigin tells whether credentials for one URL may go to the other: scheme,
// host and port are equal, or the host is and only the scheme got better.
func sameOrigin(from, to *url.URL) bool {
	if !strings.EqualFold(from.Hostname(), to.Hostname()) {
		return false
	}
	if from.Scheme == to.Scheme {
		return port(from) == port(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && port(to) == "443"
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// refuseRedirect tells the log where the redirect leads, and the model only
// that it leads away: the address may be an internal one.
func (k *call) refuseRedirect(ctx context.Context, a *Answer, from, to *url.URL) *Failure {
	k.log.WarnContext(ctx, "a redirect was not followed", "upstream", k.name, "from", from.Host,
		"to", result.Shorten(a.Redact(to.Scheme+"://"+to.Host), 200))
	where := "another host,"
	if strings.EqualFold(from.Hostname(), to.Hostname()) {
		where = "another port or an unencrypted connection of its host,"
	} else if to.Hostname() == "" {
		where = "something that is not a web address,"
	}
	f := &Failure{
		Kind:    KindRedirect,
		Message: fmt.Sprintf("%s redirects to %s which is not followed: credentials and data stay with the host they are meant for.", k.name, where),
		Next:    "If that host can be trusted, the operator of this server can make it an API of its own, or allow it in egress.",
	}
	if a.Status == http.StatusSeeOther && !Idempotent(a.Method) {
		f.Retry = result.RetryCheck // it says where the outcome of what was done is
	}
	return f
}
