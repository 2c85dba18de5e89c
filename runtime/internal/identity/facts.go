package identity

import (
	"encoding/json"
	"strconv"
)

// nobody is a caller of whom nothing is known.
var nobody Caller

// Facts are what expressions know as caller; what is not known is null. They are
// made once, since a caller mostly makes many calls: neither they nor the Caller
// may be changed from then on.
func (c *Caller) Facts() map[string]any {
	if c == nil {
		c = &nobody
	}
	c.once.Do(func() {
		scopes := make([]any, len(c.Scopes))
		for i, s := range c.Scopes {
			scopes[i] = s
		}
		claims := make(map[string]any, len(c.Claims))
		for k, v := range c.Claims {
			claims[k] = fact(v)
		}
		c.facts = map[string]any{
			"subject": known(c.Principal.Subject), "client": known(c.Principal.Client), "tenant": known(c.Principal.Tenant),
			"identity": known(c.Identity), "scopes": scopes, "claims": claims,
		}
	})
	return c.facts
}

// known is a text, or null instead of an empty one.
func known(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// fact is a claim as expressions have values. A JWT was verified with its
// numbers as float64: those are written as the shortest number that they are.
func fact(v any) any {
	switch v := v.(type) {
	case float64:
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64))
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = fact(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = fact(e)
		}
		return out
	case nil, bool, string, json.Number:
		return v
	}
	return nil
}
