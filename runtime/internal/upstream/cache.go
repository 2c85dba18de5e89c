package upstream

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Bounds of a cache; what was not used for the longest time goes first.
const (
	maxCached      = 64 << 20 // bytes of bodies and headers
	maxCachedBody  = 4 << 20  // bytes of one body
	maxCachedCount = 10000    // answers
)

// cacheKey is a request as its answer depends on it: who asks, of whom only the
// tenant counts where the cache is shared, and everything that is sent.
type cacheKey struct {
	who     principal.Principal
	token   [sha256.Size]byte // hash of the caller's, when he is known to the upstream by it
	request [sha256.Size]byte
}

// cached is an answer that was kept.
type cached struct {
	key    cacheKey
	path   string // of the request; see pathOf
	size   int    // in bytes
	answer Answer // its Body and Header are never changed
	etag   string
	made   time.Time
	fresh  time.Time // until when
	strict bool      // the upstream forbids to give it when it is stale
}

// cache keeps answers of one upstream. It is safe for concurrent use.
type cache struct {
	plan.Cache
	now func() time.Time

	mu      sync.Mutex
	byKey   map[cacheKey]*list.Element
	byPath  map[string]map[*list.Element]struct{}
	used    list.List // of *cached, the last used first
	size    int
	reading map[string]*reading // paths that are being asked for
}

// reading is a path that is being asked for, by so many.
type reading struct {
	n       int
	changed bool // something was sent meanwhile that may have changed what is there
}

func newCache(p *plan.Cache) *cache {
	if p == nil || p.TTL <= 0 {
		return nil
	}
	return &cache{Cache: *p, now: time.Now, byKey: map[cacheKey]*list.Element{}, byPath: map[string]map[*list.Element]struct{}{}, reading: map[string]*reading{}}
}

// pathOf is what a request that changes something makes all kept answers of
// doubtful: its URL without the query, since what is read is often a part, a form or
// a list of what is written.
func pathOf(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// read says that a path is being asked for, until it is left.
func (c *cache) read(path string) *reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.reading[path]
	if r == nil {
		r = &reading{}
		c.reading[path] = r
	}
	r.n++
	return r
}

func (c *cache) leave(path string, r *reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.n--; r.n == 0 && c.reading[path] == r {
		delete(c.reading, path)
	}
}

// forget drops the answers of a path, also those that are still on their way
// (RFC 9111, section 4.4).
func (c *cache) forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range c.byPath[path] {
		c.remove(e)
	}
	if r := c.reading[path]; r != nil {
		r.changed = true
		delete(c.reading, path)
	}
}

// changes tells whether a request may have changed what is at its URL, by what came
// of it.
func changes(method string, a *Answer, err error) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "QUERY":
		return false
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Attempts > 0 // it may have been carried out
	}
	return a == nil || a.Status < 400 || a.Status >= 500
}

// keyOf is the key of a request before credentials are added: they are the
// upstream's, the same for all requests of a principal. repeatable is false for
// requests whose answer is not for anybody else, or another time.
func keyOf(p principal.Principal, shared bool, req *request.Request) (key cacheKey, repeatable bool) {
	if req.Method != http.MethodGet || req.Body != nil {
		return key, false
	}
	if key.who = p; shared {
		key.who = principal.Principal{Tenant: p.Tenant}
	}
	h := sha256.New()
	part := func(s string) {
		h.Write([]byte(s)) // never fails
		h.Write([]byte{0})
	}
	part(req.URL.String())
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		switch http.CanonicalHeaderKey(name) {
		case "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range":
			return key, false // the caller's own dealings with the answer
		}
		part(name)
		for _, v := range req.Header[name] {
			part(v)
		}
	}
	h.Sum(key.request[:0])
	return key, true
}

// get returns a kept answer, and whether it is fresh; nil when there is none.
func (c *cache) get(key cacheKey) (a *cached, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil, false
	}
	a = e.Value.(*cached)
	now := c.now()
	fresh = now.Before(a.fresh)
	if !fresh && a.etag == "" && !now.Before(a.fresh.Add(c.StaleIfError)) {
		c.remove(e)
		return nil, false
	}
	c.used.MoveToFront(e)
	return a, fresh
}

// put keeps an answer, unless it may not be kept.
func (c *cache) put(key cacheKey, path string, r *reading, a *Answer) {
	if a.Status != http.StatusOK || a.Truncated || len(a.Body) > maxCachedBody || variesByAll(a.Header) {
		return
	}
	ttl, strict, may := c.lifetime(a.Header)
	if !may {
		return
	}
	k := &cached{key: key, path: path, answer: *a, made: c.now(), strict: strict}
	k.fresh = k.made.Add(ttl)
	k.answer.Header, k.answer.Body = a.Header.Clone(), bytes.Clone(a.Body)
	if c.ETag {
		k.etag = a.Header.Get("Etag")
	}
	if !k.made.Before(k.fresh) && k.etag == "" && (strict || c.StaleIfError <= 0) {
		return // it is of no use
	}
	k.size = len(k.answer.Body) + len(path)
	for name, values := range k.answer.Header {
		for _, v := range values {
			k.size += len(name) + len(v)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.changed {
		return // since it was asked for
	}
	if e := c.byKey[key]; e != nil {
		c.remove(e)
	}
	e := c.used.PushFront(k)
	c.byKey[key] = e
	if c.byPath[path] == nil {
		c.byPath[path] = map[*list.Element]struct{}{}
	}
	c.byPath[path][e] = struct{}{}
	c.size += k.size
	for c.size > maxCached || c.used.Len() > maxCachedCount {
		c.remove(c.used.Back())
	}
}

// lifetime is how long an answer is fresh: as the author says, and no longer than
// its Cache-Control. strict forbids to give it after that; may is false when it may
// not be kept.
func (c *cache) lifetime(h http.Header) (ttl time.Duration, strict, may bool) {
	ttl = c.TTL
	for _, v := range h["Cache-Control"] {
		shared := false
		for directive := range strings.SplitSeq(strings.ToLower(v), ",") {
			switch name, value, _ := strings.Cut(strings.TrimSpace(directive), "="); name {
			case "no-store", "no-cache":
				return 0, false, false
			case "private":
				if c.Shared {
					return 0, false, false
				}
			case "must-revalidate", "proxy-revalidate":
				strict = true
			case "s-maxage": // it is for caches like this one, and wins
				if c.Shared {
					ttl, shared = min(c.TTL, age(value)), true
				}
			case "max-age":
				if !shared {
					ttl = min(ttl, age(value))
				}
			}
		}
	}
	return max(0, ttl-age(h.Get("Age"))), strict, true
}

// variesByAll tells whether an answer depends on more than can be known.
func variesByAll(h http.Header) bool {
	for _, v := range h["Vary"] {
		for name := range strings.SplitSeq(v, ",") {
			if strings.TrimSpace(name) == "*" {
				return true
			}
		}
	}
	return false
}

// age is a number of seconds in a header; 0 when it is none (RFC 9111, sections 1.2.2
// and 4.2.1: what is not valid is stale).
func age(v string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(v), `"`), 10, 31)
	if errors.Is(err, strconv.ErrRange) {
		n = math.MaxInt32
	} else if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second //nolint:gosec // 31 bits
}

// passing tells whether what came is an error that a stale answer may stand for:
// one that a gateway would answer with a status from 500 on (RFC 5861, section 4).
// Who is not let in is not given what was kept.
func passing(a *Answer, err error) bool {
	if err == nil {
		return a.Status >= http.StatusInternalServerError
	}
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		return false
	}
	switch f.Kind {
	case KindCanceled, KindCredential, KindAddress, KindNoBaseURL:
		return false
	}
	return true
}

// bridge is a stale answer in the place of one that cannot be had, or nil.
func (c *cache) bridge(a *cached) *Answer {
	if a == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if a.strict || !now.Before(a.fresh.Add(c.StaleIfError)) {
		return nil
	}
	out := a.again()
	out.Stale = max(now.Sub(a.made), time.Second)
	return out
}

// confirm makes an answer fresh again that the upstream says is still right, by an
// answer with the header h.
func (c *cache) confirm(a *cached, h http.Header) {
	if h["Cache-Control"] == nil {
		h = a.answer.Header
	}
	ttl, strict, may := c.lifetime(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[a.key]
	if e == nil || e.Value.(*cached) != a {
		return
	}
	if !may {
		c.remove(e)
		return
	}
	a.made, a.fresh, a.strict = c.now(), c.now().Add(ttl), strict
}

func (c *cache) remove(e *list.Element) {
	a := c.used.Remove(e).(*cached)
	delete(c.byKey, a.key)
	if of := c.byPath[a.path]; len(of) > 1 {
		delete(of, e)
	} else {
		delete(c.byPath, a.path)
	}
	c.size -= a.size
}

// again is a kept answer as the answer of another call, which may change it.
func (a *cached) again() *Answer {
	out := a.answer.clone()
	out.Attempts, out.Duration, out.Cached = 0, 0, true
	return out
}

// clone is an answer of its own, which may be changed.
func (a *Answer) clone() *Answer {
	out := *a
	out.Header, out.Body = a.Header.Clone(), bytes.Clone(a.Body)
	return &out
}
