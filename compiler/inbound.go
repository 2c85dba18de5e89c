package compiler

import (
	"fmt"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// inbound lowers what clients may send and take up; nil is the defaults.
func (c *compilation) inbound() *plan.Inbound {
	in := c.doc.Server.Inbound
	if in == nil {
		return nil
	}
	size := func(t *specs.Text) int64 {
		n, _ := bytesOf(t.Str()) // checked by the front-end; "" is the default
		return n
	}
	timeout := func(t *specs.Text) time.Duration { return c.duration(t, 0) }
	out := &plan.Inbound{
		Body: size(in.Body), Headers: size(in.Headers), Bodies: size(in.Bodies),
		HeaderCount: in.HeaderCount, Depth: in.Depth, Name: in.Name, Batch: in.Batch,
		Calls: in.Calls, Requests: in.Requests, Streams: in.Streams,
		Connections: in.Connections, ConnectionRequests: in.ConnectionRequests, ConnectionStreams: in.ConnectionStreams,
		HeaderTimeout: timeout(in.HeaderTimeout), RequestTimeout: timeout(in.RequestTimeout),
		IdleTimeout: timeout(in.IdleTimeout), WriteTimeout: timeout(in.WriteTimeout),
	}
	d := out.OrDefaults()
	refuse := func(t *specs.Text, format string, a ...any) {
		c.diags.Add(diag.Diagnostic{Code: "limits-disagree", Message: fmt.Sprintf(format, a...), Hint: "raise the larger limit or lower the smaller", Range: or(t, &specs.Text{Range: in.Range}).Range})
	}
	if d.Bodies < 2*d.Body {
		refuse(or(in.Bodies, in.Body), "limits.bodies is %d bytes, and a single request of limits.body, %d bytes, may take half of it at most: it would never be accepted", d.Bodies, d.Body)
	}
	if d.HeaderTimeout > d.RequestTimeout {
		refuse(or(in.HeaderTimeout, in.RequestTimeout), "limits.header_timeout is longer than limits.request_timeout, which is for the headers and the body")
	}
	for _, s := range []struct {
		name   string
		text   *specs.Text
		n      int64
		lo, hi int64
	}{
		{"body", in.Body, d.Body, 1 << 10, 1 << 30},
		{"headers", in.Headers, d.Headers, 1 << 10, 1 << 20},
	} {
		if s.n < s.lo || s.n > s.hi {
			c.diags.Add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("limits.%s is %d bytes and must be from %d to %d", s.name, s.n, s.lo, s.hi), Hint: "to have the default, remove the setting", Range: s.text.Range})
		}
	}
	return out
}
