package upstream

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"errors"
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
	token   [sha256.Size]byte // hash of the caller's, when he is known to the upstream by it
	request [sha256.Size]byte
}

// cached is an answer that was kept.
type cached struct {
	key    cacheKey
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

// keyOf is the key of a request before credentials are added: they are the
// upstream's, the same for all requests of a principal. repeatable is false for
// requests whose answer is not for anybody else, or another time.
func keyOf(p principal.Principal, shared bool, req *request.Request) (key cacheKey, repeatable bool) {
	if req.Method != http.MethodGet || req.Body != nil {
		return key, false
	}
	if !shared {
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
func (c *cache) put(key cacheKey, a *Answer) {
	if a.Status != http.StatusOK || a.Truncated || len(a.Body) > maxCachedBody || a.Header.Get("Vary") == "*" {
		return
	}
	strict := false
	for _, v := range a.Header["Cache-Control"] {
		for directive := range strings.SplitSeq(strings.ToLower(v), ",") {
			switch name, _, _ := strings.Cut(strings.TrimSpace(directive), "="); name {
			case "no-store", "no-cache":
				return
			case "private":
				if c.Shared {
					return
				}
			case "must-revalidate", "proxy-revalidate":
				strict = true
			}
		}
	}
	k := &cached{key: key, answer: *a, made: c.now(), fresh: c.now().Add(c.TTL), strict: strict}
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
	if a == nil || a.strict {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if !now.Before(a.fresh.Add(c.StaleIfError)) {
		return nil
	}
	out := a.again()
	out.Stale = max(now.Sub(a.made), time.Second)
	return out
}

// confirm makes an answer fresh again that the upstream says is still right.
func (c *cache) confirm(a *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[a.key]; e != nil && e.Value.(*cached) == a {
		a.made, a.fresh = c.now(), c.now().Add(c.TTL)
	}
}

func (c *cache) remove(e *list.Element) {
	a := c.used.Remove(e).(*cached)
	delete(c.byKey, a.key)
	c.size -= len(a.answer.Body)
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
