package upstream

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Bounds of a cache; what was not used for the longest time goes first.
const (
	maxCached      = 64 << 20 // bytes of bodies
	maxCachedBody  = 4 << 20  // bytes of one body
	maxCachedCount = 10000    // answers
)

// cacheKey is a request as its answer depends on it: who asks, unless the cache
// is shared, and everything that is sent.
type cacheKey struct {
	who     principal.Principal
	request [sha256.Size]byte
}

// cached is an answer that was kept.
type cached struct {
	key    cacheKey
	answer Answer // its Body and Header are never changed
	etag   string
	fresh  time.Time // until when
}

// cache keeps answers of one upstream. It is safe for concurrent use.
type cache struct {
	plan.Cache
	now func() time.Time

	mu    sync.Mutex
	byKey map[cacheKey]*list.Element
	used  list.List // of *cached, the last used first
	size  int
}

func newCache(p *plan.Cache) *cache {
	if p == nil || p.TTL <= 0 {
		return nil
	}
	return &cache{Cache: *p, now: time.Now, byKey: map[cacheKey]*list.Element{}}
}

// key is the key of a request before credentials are added: they are the
// upstream's, the same for all requests of a principal. cacheable is false for
// what is never kept.
func (c *cache) key(p principal.Principal, req *request.Request) (key cacheKey, cacheable bool) {
	if c == nil || req.Method != http.MethodGet || req.Body != nil {
		return key, false
	}
	if !c.Shared {
		key.who = p
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
	fresh = c.now().Before(a.fresh)
	if !fresh && a.etag == "" {
		c.remove(e)
		return nil, false
	}
	c.used.MoveToFront(e)
	return a, fresh
}

// put keeps an answer, unless it may not be kept.
func (c *cache) put(key cacheKey, a *Answer) {
	if a.Status != http.StatusOK || a.Truncated || len(a.Body) > maxCachedBody || a.Header.Get("Vary") == "*" {
		return
	}
	for _, v := range a.Header["Cache-Control"] {
		for directive := range strings.SplitSeq(strings.ToLower(v), ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(directive), "=")
			if name == "no-store" || name == "private" && c.Shared {
				return
			}
		}
	}
	k := &cached{key: key, answer: *a, fresh: c.now().Add(c.TTL)}
	k.answer.Header, k.answer.Body = a.Header.Clone(), bytes.Clone(a.Body)
	if c.ETag {
		k.etag = a.Header.Get("Etag")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[key]; e != nil {
		c.remove(e)
	}
	c.byKey[key] = c.used.PushFront(k)
	c.size += len(k.answer.Body)
	for c.size > maxCached || c.used.Len() > maxCachedCount {
		c.remove(c.used.Back())
	}
}

// confirm makes an answer fresh again that the upstream says is still right.
func (c *cache) confirm(a *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[a.key]; e != nil && e.Value.(*cached) == a {
		a.fresh = c.now().Add(c.TTL)
	}
}

func (c *cache) remove(e *list.Element) {
	a := c.used.Remove(e).(*cached)
	delete(c.byKey, a.key)
	c.size -= len(a.answer.Body)
}

// again is a kept answer as the answer of another call, which may change it.
func (a *cached) again() *Answer {
	out := a.answer
	out.Header, out.Body = a.answer.Header.Clone(), bytes.Clone(a.answer.Body)
	out.Attempts, out.Duration, out.Cached = 0, 0, true
	return &out
}
