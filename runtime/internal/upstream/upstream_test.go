package upstream

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func newRequest(t testing.TB, method, at, body string) *request.Request {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	r := &request.Request{Method: method, URL: u, Header: http.Header{"X-Own": {"kept"}}}
	if body != "" {
		r.Body = []byte(body)
		r.Header.Set("Content-Type", "text/plain")
	}
	return r
}

func newClient(t testing.TB, u plan.Upstream, o Options) *Client {
	t.Helper()
	if u.Name == "" {
		u.Name = "shop"
	}
	if u.BaseURL == "" {
		u.BaseURL = "http://127.0.0.1" // where test servers are: only hosts of the plan are called
	}
	c, err := New(u, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// failure is the failure an error must be. It never tells where an upstream is.
func failure(t testing.TB, err error, kind string) *Failure {
	t.Helper()
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Kind != kind {
		t.Fatalf("got %v, want a failure of kind %s", err, kind)
	}
	text := f.Result().Content[0].Text
	for _, secret := range []string{"127.0.0.1", "[::1]", "localhost", "s3cr3t", "dial tcp"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q tells %q", text, secret)
		}
	}
	return f
}

// transport answers from a function, with the number of the attempt.
type transport struct {
	attempts int
	answer   func(n int, r *http.Request) (*http.Response, error)
}

func (f *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	f.attempts++
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res, err := f.answer(f.attempts, r)
	if res != nil {
		res.Request = r
		if res.Body == nil {
			res.Body = http.NoBody
		}
		if res.Header == nil {
			res.Header = http.Header{}
		}
	}
	return res, err
}

func status(code int) func(int, *http.Request) (*http.Response, error) {
	return func(int, *http.Request) (*http.Response, error) { return &http.Response{StatusCode: code}, nil }
}

func TestSends(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", fmt.Sprintf("%s %s own=%s agent=%s accept=%s length=%d%s", r.Method, r.RequestURI, r.Header.Get("X-Own"),
			r.UserAgent(), r.Header.Get("Accept-Encoding"), r.ContentLength, body))
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "made")
	}))
	defer srv.Close()
	c := newClient(t, plan.Upstream{BaseURL: srv.URL}, Options{})
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/a%2Fb/%2E?x=%20&y", "", "GET /a%2Fb/%2E?x=%20&y own=kept agent=mcpc accept=gzip length=0"},
		{"POST", "/a", "hello", "POST /a own=kept agent=mcpc accept=gzip length=5hello"},
		{"POST", "/a", "", "POST /a own=kept agent=mcpc accept=gzip length=0"},
		{"DELETE", "/a", "", "DELETE /a own=kept agent=mcpc accept=gzip length=0"},
	} {
		a, err := c.Do(context.Background(), principal.Principal{}, newRequest(t, x.method, srv.URL+x.path, x.body), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Header.Get("X-Seen"); got != x.want {
			t.Errorf("seen %q, want %q", got, x.want)
		}
		path, _, _ := strings.Cut(x.path, "?")
		if a.Status != 201 || string(a.Body) != "made" || a.Truncated || a.Attempts != 1 || a.Path != path || a.Method != x.method {
			t.Errorf("%+v", a)
		}
	}
	// What the plan sets, stays.
	r := newRequest(t, "GET", srv.URL+"/", "")
	r.Header.Set("User-Agent", "shop/1")
	r.Header.Set("Accept-Encoding", "identity")
	a, err := c.Do(context.Background(), principal.Principal{}, r, nil)
	if err != nil || !strings.Contains(a.Header.Get("X-Seen"), "agent=shop/1 accept=identity") {
		t.Errorf("%v %v", a, err)
	}
}

func TestNoBaseURL(t *testing.T) {
	c := newClient(t, plan.Upstream{}, Options{})
	for _, at := range []string{"/things", "ftp://example.com/x"} {
		_, err := c.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", at, ""), nil)
		if f := failure(t, err, KindNoBaseURL); !strings.Contains(f.Next, "--base-url") {
			t.Error(f.Next)
		}
	}
}

// Time is faked in here: nothing waits.
func TestRetries(t *testing.T) {
	refused := func(int, *http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	}
	for _, c := range []struct {
		name     string
		method   string
		retry    plan.Retry
		answer   func(n int, r *http.Request) (*http.Response, error)
		attempts int
		kind     string // of a failure
		min, max time.Duration
	}{
		{"a read, unavailable", "GET", plan.Retry{}, status(503), 3, "", 0, 750 * time.Millisecond},
		{"a read, bad gateway", "HEAD", plan.Retry{}, status(502), 3, "", 0, 750 * time.Millisecond},
		{"a read, gateway timeout", "OPTIONS", plan.Retry{}, status(504), 3, "", 0, 750 * time.Millisecond},
		{"a read, well the second time", "GET", plan.Retry{}, func(n int, _ *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: []int{503, 200}[n-1]}, nil
		}, 2, "", 0, 250 * time.Millisecond},
		{"a read, no connection", "GET", plan.Retry{}, refused, 3, KindConnect, 0, 750 * time.Millisecond},
		{"a read, broken connection", "GET", plan.Retry{}, func(int, *http.Request) (*http.Response, error) { return nil, io.EOF }, 3, KindConnection, 0, 750 * time.Millisecond},
		{"a read, broken body", "GET", plan.Retry{}, func(int, *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader("x"), errReader{}))}, nil
		}, 3, KindConnection, 0, 750 * time.Millisecond},
		{"a read, a mistake of its own", "GET", plan.Retry{}, status(500), 1, "", 0, 0},
		{"a read, too often", "GET", plan.Retry{}, status(429), 1, "", 0, 0},
		{"a read, name unknown", "GET", plan.Retry{}, func(int, *http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: "localhost", IsNotFound: true}}
		}, 1, KindDNS, 0, 0},
		{"a change", "POST", plan.Retry{}, status(503), 1, "", 0, 0},
		{"a change, no connection", "PUT", plan.Retry{}, refused, 1, KindConnect, 0, 0},
		{"a change that may be repeated", "POST", plan.Retry{Methods: []string{"POST"}}, status(503), 3, "", 0, 750 * time.Millisecond},
		{"never again", "GET", plan.Retry{Attempts: 1}, status(503), 1, "", 0, 0},
		{"other statuses", "GET", plan.Retry{On: []int{429}}, status(429), 3, "", 0, 750 * time.Millisecond},
		{"five times", "GET", plan.Retry{Attempts: 5}, status(503), 5, "", 0, 4 * time.Second},
		{"as the upstream says", "GET", plan.Retry{}, func(n int, _ *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"3"}}}, nil
		}, 3, "", 6 * time.Second, 6750 * time.Millisecond},
		{"not beyond the time of the call", "GET", plan.Retry{}, func(n int, _ *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"31"}}}, nil
		}, 1, "", 0, 0},
		{"the time is up", "GET", plan.Retry{}, func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 1, KindTimeout, 30 * time.Second, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &transport{answer: c.answer}
				client := newClient(t, plan.Upstream{Retry: c.retry}, Options{Transport: f})
				start := time.Now()
				a, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, c.method, "http://localhost/x", ""), nil)
				took := time.Since(start)
				if c.kind != "" {
					failure(t, err, c.kind)
				} else if err != nil {
					t.Fatal(err)
				} else if a.Attempts != c.attempts {
					t.Errorf("says %d attempts", a.Attempts)
				}
				if f.attempts != c.attempts || took < c.min || took > c.max {
					t.Errorf("%d attempts in %v", f.attempts, took)
				}
			})
		})
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		f := &transport{answer: func(n int, r *http.Request) (*http.Response, error) {
			time.AfterFunc(time.Millisecond, cancel)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		c := newClient(t, plan.Upstream{}, Options{Transport: f})
		start := time.Now()
		_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", "http://localhost/", ""), nil)
		failure(t, err, KindCanceled)
		if took := time.Since(start); took != time.Millisecond || f.attempts != 1 {
			t.Errorf("%d attempts, %v", f.attempts, took)
		}
	})
	synctest.Test(t, func(t *testing.T) { // while waiting for the next attempt
		ctx, cancel := context.WithCancel(context.Background())
		f := &transport{answer: func(int, *http.Request) (*http.Response, error) {
			time.AfterFunc(time.Second, cancel)
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"5"}}}, nil
		}}
		c := newClient(t, plan.Upstream{}, Options{Transport: f})
		start := time.Now()
		_, err := c.Do(ctx, principal.Principal{}, newRequest(t, "GET", "http://localhost/", ""), nil)
		failure(t, err, KindCanceled)
		if took := time.Since(start); took != time.Second || f.attempts != 1 {
			t.Errorf("%d attempts, %v", f.attempts, took)
		}
	})
}

func TestFailures(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/slow-body":
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"a":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/reset", "/garbage", "/short":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			switch r.URL.Path {
			case "/garbage":
				io.WriteString(conn, "SSH-2.0-OpenSSH\r\n\r\n")
			case "/short":
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			default:
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			_ = conn.Close()
		}
	}))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	defer secure.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()

	for _, c := range []struct {
		name, method, at, kind, says string
		retry                        result.Retry
	}{
		{"refused", "GET", "http://" + gone.Addr().String(), KindConnect, `The upstream "shop" refused the connection (3 attempts); it may be down.`, result.RetryMay},
		{"refused, a change", "POST", "http://" + gone.Addr().String(), KindConnect, `The upstream "shop" refused the connection; it may be down.`, result.RetryMay},
		{"slow", "GET", plain.URL + "/slow", KindTimeout, `The upstream "shop" did not answer within 30 ms.`, result.RetryMay},
		{"slow, a change", "POST", plain.URL + "/slow", KindTimeout, `The upstream "shop" did not answer within 30 ms.`, result.RetryCheck},
		{"slow body", "GET", plain.URL + "/slow-body", KindTimeout, `The upstream "shop" did not answer within 30 ms.`, result.RetryMay},
		{"reset", "POST", plain.URL + "/reset", KindConnection, `The connection to the upstream "shop" broke before a whole answer had come.`, result.RetryCheck},
		{"reset, a read", "GET", plain.URL + "/reset", KindConnection, `The connection to the upstream "shop" broke before a whole answer had come (3 attempts).`, result.RetryMay},
		{"garbage", "PUT", plain.URL + "/garbage", KindProtocol, `The upstream "shop" answered with something that is not HTTP.`, result.RetryNo},
		{"garbage, a change", "POST", plain.URL + "/garbage", KindProtocol, `The upstream "shop" answered with something that is not HTTP.`, result.RetryCheck},
		{"short", "POST", plain.URL + "/short", KindConnection, `The connection to the upstream "shop" broke before a whole answer had come.`, result.RetryCheck},
		{"an unknown authority", "GET", secure.URL, KindTLS, `The certificate of the upstream "shop" is not trusted: its authority is not known.`, result.RetryNo},
		{"http where https is said", "GET", strings.Replace(plain.URL, "http:", "https:", 1), KindTLS, `No encrypted connection to the upstream "shop" could be made.`, result.RetryNo},
		{"metadata", "GET", "http://169.254.169.254/latest", KindAddress, `The upstream "shop" would be called at a host or address that this server may not call.`, result.RetryNo},
		{"unspecified", "GET", "http://0.0.0.0:1/", KindAddress, `The upstream "shop" would be called at a host or address that this server may not call.`, result.RetryNo},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := plan.Upstream{BaseURL: plain.URL}
			if strings.HasPrefix(c.name, "slow") {
				u.Timeout = 30 * time.Millisecond
			}
			client := newClient(t, u, Options{})
			client.backoff = func(int) time.Duration { return 0 }
			_, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, c.method, c.at, ""), nil)
			f := failure(t, err, c.kind)
			if !strings.HasPrefix(f.Message, c.says) || f.Retry != c.retry {
				t.Errorf("%q, retry %v", f.Message, f.Retry)
			}
		})
	}
	t.Run("what came of a stream is an answer", func(t *testing.T) {
		client := newClient(t, plan.Upstream{Timeout: 100 * time.Millisecond}, Options{})
		a, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", plain.URL+"/stream", ""), nil)
		if err != nil || string(a.Body) != "data: 1\n\n" || !a.Truncated || !a.TimedOut {
			t.Errorf("%+v %v", a, err)
		}
	})
}

func TestBodies(t *testing.T) {
	pack := func(w func(io.Writer) io.WriteCloser, s string) string {
		var b bytes.Buffer
		z := w(&b)
		io.WriteString(z, s)
		z.Close()
		return b.String()
	}
	zip := func(s string) string { return pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, s) }
	bare := func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 1); return f }
	const limit = 1000
	full := strings.Repeat("x", limit)

	for _, c := range []struct {
		name, encoding, body string
		chunked              bool
		want                 string
		truncated            bool
		kind                 string
	}{
		{"plain", "", "hello", false, "hello", false, ""},
		{"chunked", "", "hello", true, "hello", false, ""},
		{"nothing", "", "", false, "", false, ""},
		{"at the limit", "", full, false, full, false, ""},
		{"at the limit, chunked", "", full, true, full, false, ""},
		{"beyond the limit", "", full + "y", false, full, true, ""},
		{"beyond the limit, chunked", "", full + "y", true, full, true, ""},
		{"gzip", "gzip", zip("hello"), false, "hello", false, ""},
		{"gzip of nothing", "gzip", "", true, "", false, ""},
		{"gzip that grows", "x-gzip", zip(strings.Repeat("x", 10<<20)), false, full, true, ""},
		{"gzip twice", "gzip, gzip", zip(zip("hello")), false, "hello", false, ""},
		{"gzip four times", "gzip, gzip, gzip, gzip", "", true, "", false, KindEncoding},
		{"gzip that is none", "gzip", "hello", false, "", false, KindConnection},
		{"deflate", "deflate", pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }, "hello"), false, "hello", false, ""},
		{"deflate without a header", "deflate", pack(bare, "hello"), false, "hello", false, ""},
		{"identity", "identity", "hello", false, "hello", false, ""},
		{"unknown", "br", "hello", false, "", false, KindEncoding},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				if c.chunked {
					w.(http.Flusher).Flush()
				}
				io.WriteString(w, c.body)
			}))
			defer srv.Close()
			client := newClient(t, plan.Upstream{MaxResponse: limit, Retry: plan.Retry{Attempts: 1}}, Options{})
			a, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", srv.URL, ""), nil)
			if c.kind != "" {
				failure(t, err, c.kind)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(a.Body) != c.want || a.Truncated != c.truncated || a.Limit != limit {
				t.Errorf("%d bytes, truncated %v", len(a.Body), a.Truncated)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	var seen []string
	mux := http.NewServeMux()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, strings.TrimSpace(fmt.Sprintf("%s %s %s%s%s", r.Method, r.RequestURI, body, r.Header.Get("Content-Type"), r.Header.Get("Authorization"))))
		if r.Header.Get("X-Own") != "kept" || r.Header.Get("Referer") != "" {
			t.Errorf("headers %v", r.Header)
		}
		mux.ServeHTTP(w, r)
	}))
	defer srv.Close()
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.URL.Query().Get("code"), &code)
		if at := r.URL.Query().Get("at"); at != "" {
			w.Header().Set("Location", at)
		}
		w.WriteHeader(code)
	})
	mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "end") })

	for _, c := range []struct {
		name, method, path string
		status             int // of the answer; 0 is a failure
		seen               []string
		says               string
	}{
		{"301", "GET", "/to?code=301&at=/end", 200, []string{"GET /to?code=301&at=/end", "GET /end"}, ""},
		{"302 with the whole URL", "GET", "/to?code=302&at=" + srv.URL + "/end%23x", 200, []string{"GET /to?code=302&at=" + srv.URL + "/end%23x", "GET /end"}, ""},
		{"300", "GET", "/to?code=300&at=/end", 200, []string{"GET /to?code=300&at=/end", "GET /end"}, ""},
		{"308 HEAD", "HEAD", "/to?code=308&at=/end", 200, []string{"HEAD /to?code=308&at=/end", "HEAD /end"}, ""},
		{"307 POST", "POST", "/to?code=307&at=/end", 200, []string{"POST /to?code=307&at=/end bodytext/plain", "POST /end bodytext/plain"}, ""},
		{"308 PUT", "PUT", "/to?code=308&at=end", 200, []string{"PUT /to?code=308&at=end bodytext/plain", "PUT /end bodytext/plain"}, ""},
		{"303 POST", "POST", "/to?code=303&at=/end", 200, []string{"POST /to?code=303&at=/end bodytext/plain", "GET /end"}, ""},
		{"303 HEAD", "HEAD", "/to?code=303&at=/end", 200, []string{"HEAD /to?code=303&at=/end", "HEAD /end"}, ""},
		{"302 POST stays", "POST", "/to?code=302&at=/end", 302, []string{"POST /to?code=302&at=/end bodytext/plain"}, ""},
		{"301 PUT stays", "PUT", "/to?code=301&at=/end", 301, []string{"PUT /to?code=301&at=/end bodytext/plain"}, ""},
		{"nowhere", "GET", "/to?code=302", 302, []string{"GET /to?code=302"}, ""},
		{"304", "GET", "/to?code=304&at=/end", 304, []string{"GET /to?code=304&at=/end"}, ""},
		{"another port", "GET", "/to?code=302&at=" + other.URL, 0, []string{"GET /to?code=302&at=" + other.URL}, `The upstream "shop" redirects to another port`},
		{"another host", "GET", "/to?code=302&at=http://files.example/x?token=s3cr3t", 0, nil, `The upstream "shop" redirects to another host, which is not followed`},
		{"another host, after a change", "POST", "/to?code=303&at=http://files.example/x", 0, nil, `The upstream "shop" redirects to another host, which is not followed`},
		{"another host, 307", "POST", "/to?code=307&at=http://files.example/x", 0, nil, `The upstream "shop" redirects to another host, which is not followed`},
		{"another host, 308", "PUT", "/to?code=308&at=//files.example/x", 0, nil, `The upstream "shop" redirects to another host, which is not followed`},
		{"another scheme", "GET", "/to?code=302&at=file:///etc/passwd", 0, nil, `The upstream "shop" redirects to something that is not a web address,`},
		{"for ever", "GET", "/to?code=302&at=" + url.QueryEscape("/to?code=302&at=%2Fto%3Fcode=302%26at=%252Fto%253Fcode=302%2526at=%25252Fto%25253Fcode=302%252526at=%2525252Fto%2525253Fcode=302%25252526at=%252525252Fto%252525253Fcode=302%2525252526at=/end"), 0, nil, `The upstream "shop" redirected more than 5 times.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen = nil
			client := newClient(t, plan.Upstream{BaseURL: srv.URL}, Options{})
			body := ""
			if c.method == "POST" || c.method == "PUT" {
				body = "body"
			}
			a, err := client.Do(context.Background(), principal.Principal{}, newRequest(t, c.method, srv.URL+c.path, body), nil)
			if c.status == 0 {
				f := failure(t, err, KindRedirect)
				if !strings.HasPrefix(f.Message, c.says) || (f.Retry == result.RetryCheck) != (c.name == "another host, after a change") {
					t.Errorf("%+v", f)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if a.Status != c.status {
				t.Errorf("status %d", a.Status)
			}
			if c.seen != nil && strings.Join(seen, "\n") != strings.Join(c.seen, "\n") {
				t.Errorf("seen\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(c.seen, "\n"))
			}
		})
	}
}

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"http://a/x", "http://A:80/y", true},
		{"https://a", "https://a:443", true},
		{"http://a", "https://a", true},
		{"http://a:8080", "https://a", true},
		{"http://a", "https://a:8443", false},
		{"https://a", "http://a", false},
		{"http://a", "http://b", false},
		{"http://a", "http://a.b", false},
		{"http://a", "http://a:81", false},
		{"http://a", "ftp://a", false},
	} {
		from, _ := url.Parse(c.from)
		to, _ := url.Parse(c.to)
		if got := sameOrigin(from, to); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-1": 0, "x": 0, "1.5": 0, "+5": 0, "99999999999999999999": maxRetryAfter, "4294967296": maxRetryAfter, "90000": maxRetryAfter, "Thu, 31 Dec 9999 23:59:59 GMT": maxRetryAfter,
		"Sun, 01 Nov 2026 12:01:00 GMT": time.Minute, "Sun, 01 Nov 2026 11:00:00 GMT": 0,
	} {
		h := http.Header{}
		if v != "" {
			h.Set("Retry-After", v)
		}
		if got := RetryAfter(h, now); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

func TestBackoff(t *testing.T) {
	for n, most := range map[int]time.Duration{1: backoffBase, 2: 2 * backoffBase, 5: backoffMax, 100: backoffMax} {
		for range 100 {
			if d := backoff(n); d < 0 || d >= most {
				t.Errorf("attempt %d: %v", n, d)
			}
		}
	}
}

// Calls at the same time share connections and header values and nothing else.
func TestConcurrent(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Query().Get("n")+" "+r.Header.Get("Cookie"))
	}))
	defer srv.Close()
	c := newClient(t, plan.Upstream{Credentials: []plan.Credential{
		{Name: "k", Kind: "apiKey", In: "cookie", Param: "k", Value: plan.Expr{Op: plan.OpConst, Const: `"v"`}},
	}}, Options{})
	shared := []string{"a=1"}
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			r := newRequest(t, "GET", fmt.Sprintf("%s/?n=%d", srv.URL, n), "")
			r.Header["Cookie"] = shared
			a, err := c.Do(context.Background(), principal.Principal{}, r, [][]string{{"k"}})
			if err != nil || string(a.Body) != fmt.Sprintf("%d a=1; k=v", n) {
				t.Errorf("%v %v", a, err)
			}
		})
	}
	wg.Wait()
	if shared[0] != "a=1" {
		t.Error("a shared value was changed")
	}
}

// Where a redirect leads that is not followed is the operator's to know, and
// not the model's.
func TestRefusedRedirectIsLogged(t *testing.T) {
	var log bytes.Buffer
	f := &transport{answer: func(int, *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://s3cr3t.internal.example/?key=s3cr3t"}}, Body: http.NoBody, Request: &http.Request{Method: "GET"}}, nil
	}}
	c := newClient(t, plan.Upstream{}, Options{Transport: f, Logger: slog.New(slog.NewTextHandler(&log, nil)), Redact: func(s string) string { return strings.ReplaceAll(s, "s3cr3t", "(secret)") }})
	_, err := c.Do(context.Background(), principal.Principal{}, newRequest(t, "GET", "http://localhost/", ""), nil)
	if f := failure(t, err, KindRedirect); strings.Contains(f.Message, "internal") {
		t.Error(f.Message)
	}
	if s := log.String(); !strings.Contains(s, `to=http://(secret).internal.example`) || strings.Contains(s, "s3cr3t") {
		t.Error(s)
	}
}

func TestRetriesAreLogged(t *testing.T) {
	var log bytes.Buffer
	f := &transport{answer: status(503)}
	c := newClient(t, plan.Upstream{Retry: plan.Retry{Attempts: 2}}, Options{Transport: f, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c.backoff = func(int) time.Duration { return 0 }
	if _, err := c.Do(context.Background(), principal.Principal{Tenant: "acme"}, newRequest(t, "GET", "http://localhost/?key=s3cr3t", ""), nil); err != nil {
		t.Fatal(err)
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `why="status 503"`) || !strings.Contains(s, "tenant=acme") || strings.Contains(s, "s3cr3t") {
		t.Error(s)
	}
}

func BenchmarkDo(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(make([]byte, 1024))
	}))
	defer srv.Close()
	c, err := New(plan.Upstream{BaseURL: srv.URL}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	at, err := url.Parse(srv.URL + "/a")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Client.Do", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Do(context.Background(), principal.Principal{}, &request.Request{Method: "GET", URL: at, Header: http.Header{}}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("http.Client", func(b *testing.B) {
		b.ReportAllocs()
		hc := &http.Client{}
		for b.Loop() {
			ctx, cancel := context.WithTimeout(context.Background(), DefaultTimeout)
			r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/a", nil)
			res, err := hc.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, _, _ = readUpTo(res.Body, 1<<20, res.ContentLength)
			res.Body.Close()
			cancel()
		}
	})
}
