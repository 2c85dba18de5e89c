package upstream

import (
	"math"
	"reflect"
	"time"
)

// Refresh has files that are kept for a while looked at at the next use.
func (c *Client) Refresh() {
	if s, ok := c.transport.(*secured); ok {
		s.refresh()
	}
}

// follow takes over from a client of the same name what its plan has as well. What
// was learned of an address holds for no other.
func (c *Client) follow(b *Client) {
	if b == nil || b.plan.BaseURL != c.plan.BaseURL {
		return
	}
	was, is := &b.plan, &c.plan
	if b.health != nil && c.health != nil {
		c.health = b.health
	}
	c.budget = b.budget
	if c.breakers != nil && reflect.DeepEqual(was.Breaker, is.Breaker) {
		c.breakers = b.breakers
	}
	switch {
	case c.limiter == nil || b.limiter == nil:
	case reflect.DeepEqual(was.Limit, is.Limit):
		c.limiter = b.limiter
	default: // with what was used up
		used := math.Ceil(float64(b.limiter.Burst()) - b.limiter.Tokens())
		c.limiter.AllowN(time.Now(), int(min(max(used, 0), float64(c.limiter.Burst()))))
	}
	if c.bulkhead != nil && reflect.DeepEqual(was.Bulkhead, is.Bulkhead) {
		c.bulkhead = b.bulkhead
	}
	if c.cache != nil && reflect.DeepEqual(was.Cache, is.Cache) && reflect.DeepEqual(was.Credentials, is.Credentials) && reflect.DeepEqual(was.TLS, is.TLS) {
		c.cache = b.cache // its keys hold the whole request, headers too
	}
}
