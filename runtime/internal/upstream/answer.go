package upstream

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Answer is what an upstream said, whatever its status.
type Answer struct {
	Upstream string // its name in the plan, in words: `The upstream "x"`
	Method   string // of the last request; GET after a 303
	Path     string // of the last request, percent-encoded, without the query
	Status   int
	Header   http.Header
	Body     []byte // decompressed
	// Truncated says that there was more of the body than Limit, or than came
	// before the time of the call was up (TimedOut).
	Truncated bool
	TimedOut  bool
	Limit     int64 // the most that is read of a body, in bytes
	Attempts  int
	Duration  time.Duration
	Cached    bool // it is an earlier answer
	// Stale is the age of an earlier answer that stands for one that could not be
	// had; 0 otherwise.
	Stale time.Duration
	// Sent names the credentials that went with the request. Missing says, for
	// each alternative that could not be used, what would have to be set: names
	// of environment variables and secrets, no values.
	Sent    []string
	Missing []string

	sent *auth
	more func(string) string
}

// Redact replaces the credentials of the call in a text the upstream sent, for
// use in an error.
func (a *Answer) Redact(text string) string {
	if a.sent != nil {
		text = Redact(text, a.sent.known())
	}
	if a.more != nil {
		text = a.more(text)
	}
	return text
}

func (k *call) answer(res *http.Response, at *url.URL) *Answer {
	return &Answer{
		Upstream: k.name,
		Method:   res.Request.Method,
		Path:     at.EscapedPath(),
		Status:   res.StatusCode,
		Header:   res.Header,
		Limit:    k.limit,
		Attempts: k.attempts,
		Sent:     k.sent.names,
		Missing:  sentences(k.sent.missing, lack.sentence),
		sent:     k.sent,
		more:     k.redact,
	}
}

// read reads and closes the body of an answer.
func (k *call) read(outer, ctx context.Context, res *http.Response, a *Answer) *Failure {
	defer func() { _ = res.Body.Close() }()
	if a.Method == http.MethodHead || res.ContentLength == 0 {
		return nil
	}
	body := io.Reader(res.Body)
	length := res.ContentLength
	if e := res.Header["Content-Encoding"]; e != nil {
		decoded, release, err := k.decompress(body, e)
		if err != nil {
			if errors.Is(err, errEncoding) {
				return &Failure{
					Kind:    KindEncoding,
					Message: k.name + " compressed its answer in a way that was not asked for and is not known.",
					Next:    "Do not ask for an Accept-Encoding; otherwise the operator of this server has to look into it.",
				}
			}
			return k.failed(outer, err)
		}
		defer release()
		body, length = decoded, -1
		delete(res.Header, "Content-Encoding")
		delete(res.Header, "Content-Length")
	}
	var err error
	a.Body, a.Truncated, err = readUpTo(body, k.limit, length)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && outer.Err() == nil && len(a.Body) > 0 && streams(res.Header) {
		// A stream has no end to wait for: what came is the answer.
		a.Truncated, a.TimedOut = true, true
		return nil
	}
	if cerr := ctx.Err(); cerr != nil {
		err = cerr
	}
	return k.failed(outer, err)
}

// streams tells whether an answer is of a type that grows while it is read.
func streams(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq", "application/stream+json":
		return true
	}
	return false
}

// readUpTo reads at most limit bytes. length is the announced size, -1 when
// there is none; it is a hint and not believed beyond a megabyte.
func readUpTo(r io.Reader, limit, length int64) (b []byte, more bool, err error) {
	size := int64(4 << 10)
	if length >= 0 {
		size = min(length, limit, 1<<20) + 1 // one more, to see the end
	}
	b = make([]byte, 0, size)
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			return b[:limit], true, nil
		}
		if err == io.EOF {
			return b, false, nil
		}
		if err != nil {
			return b, false, err
		}
	}
}

var errEncoding = errors.New("unknown content encoding")

// decompress undoes content encodings (RFC 9110, section 8.4.1). Nothing here
// bounds what comes out: the reader's user does.
func (k *call) decompress(r io.Reader, header []string) (io.Reader, func(), error) {
	release := func() {}
	codings := strings.Split(strings.Join(header, ","), ",")
	if len(codings) > 3 {
		return nil, nil, errEncoding
	}
	for _, coding := range slices.Backward(codings) {
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "", "identity":
		case "gzip", "x-gzip":
			z, _ := k.gzip.Get().(*gzip.Reader)
			if z == nil {
				z = new(gzip.Reader)
			}
			if err := z.Reset(r); err != nil {
				if errors.Is(err, io.EOF) { // nothing at all, of which some servers say that it is compressed
					return strings.NewReader(""), release, nil
				}
				return nil, nil, err
			}
			before := release
			release = func() { k.gzip.Put(z); before() }
			r = z
		case "deflate":
			// Meant is zlib's format; some servers send the bare one.
			b := bufio.NewReader(r)
			if head, err := b.Peek(2); err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
				z, err := zlib.NewReader(b)
				if err != nil {
					return nil, nil, err
				}
				r = z
			} else {
				r = flate.NewReader(b)
			}
		default:
			return nil, nil, errEncoding
		}
	}
	return r, release, nil
}
