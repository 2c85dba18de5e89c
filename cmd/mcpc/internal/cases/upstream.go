package cases

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"
)

// upstream plays every host an archive names. It gives the replies of one call
// in their order and writes down what it was asked.
type upstream struct {
	t *testing.T
	l net.Listener

	mu      sync.Mutex
	replies []string
	seen    []string
}

func newUpstream(t *testing.T) *upstream {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{t: t, l: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go u.answer(c)
		}
	}()
	return u
}

func (u *upstream) close() { u.l.Close() }

func (u *upstream) expect(replies []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.replies, u.seen = replies, nil
}

func (u *upstream) requests() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.replies) > 0 {
		u.t.Errorf("%d replies were not asked for", len(u.replies))
	}
	if len(u.seen) == 0 {
		return "none\n"
	}
	return strings.Join(u.seen, "===\n")
}

// next takes the next reply; there is one for every request.
func (u *upstream) next() string {
	if len(u.replies) == 0 {
		u.t.Error("one more request than replies")
		return "close"
	}
	r := u.replies[0]
	u.replies = u.replies[1:]
	return r
}

// transport reaches the upstream whatever the host is.
func (u *upstream) transport() http.RoundTripper {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		u.mu.Lock()
		refuse := len(u.replies) > 0 && strings.TrimSpace(u.replies[0]) == "refuse"
		if refuse {
			u.next()
			u.seen = append(u.seen, "refused\n")
		}
		u.mu.Unlock()
		if refuse {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		return new(net.Dialer).DialContext(ctx, "tcp", u.l.Addr().String())
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial, DisableKeepAlives: true}
}

func (u *upstream) answer(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		u.t.Errorf("a request that is not HTTP: %v", err)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		u.t.Errorf("the body of a request: %v", err)
		return
	}
	u.mu.Lock()
	u.seen = append(u.seen, written(r, body))
	reply := u.next()
	u.mu.Unlock()
	switch strings.TrimSpace(reply) {
	case "close":
	case "hang":
		_, _ = io.Copy(io.Discard, in) // until the client goes away
	default:
		_, _ = io.WriteString(c, wire(reply)) // the client may be gone: that is a case too
	}
}

// wire is a reply with the line ends of HTTP and its length, unless it says one
// itself. The line end of the archive is not part of the body. With the header
// X-Go-String the body is written as a Go string: "\x89PNG…".
func wire(reply string) string {
	head, body, _ := strings.Cut(reply, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	if strings.Contains(head, "\nX-Go-String:") {
		if s, err := strconv.Unquote(body); err == nil {
			body = s
		}
	}
	head = strings.TrimSuffix(head, "\n")
	if !strings.Contains(head, "Content-Length:") && !strings.Contains(head, " 204 ") {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
}

// written is a request as archives show it.
func written(r *http.Request, body []byte) string {
	lines := []string{"Host: " + r.Host}
	for name, values := range r.Header {
		switch name {
		case "Accept-Encoding", "Connection", "Content-Length", "User-Agent":
			continue
		}
		for _, v := range values {
			if media, params, err := mime.ParseMediaType(v); err == nil && strings.HasPrefix(media, "multipart/") && params["boundary"] != "" {
				v = strings.ReplaceAll(v, params["boundary"], "BOUNDARY")
				body = bytes.ReplaceAll(body, []byte(params["boundary"]), []byte("BOUNDARY"))
			}
			lines = append(lines, name+": "+v)
		}
	}
	slices.Sort(lines)
	s := r.Method + " " + r.RequestURI + "\n" + strings.Join(lines, "\n") + "\n"
	if len(body) == 0 {
		return s
	}
	text := strings.ReplaceAll(string(body), "\r", "␍")
	if !utf8.Valid(body) || bytes.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		text = strconv.Quote(string(body))
	}
	if strings.HasSuffix(text, "\n") {
		text += "␊"
	}
	return s + "\n" + text + "\n"
}
