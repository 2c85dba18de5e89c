package plan

import (
	"cmp"
	"time"
)

// Inbound bounds what clients may send and take up. A zero field has its
// default, see [Inbound.OrDefaults]. Sizes are in bytes.
type Inbound struct {
	Body               int64 // of a message: a body over HTTP, a line on stdio
	Headers            int64 // of the headers of a request, all together
	HeaderCount        int   // header lines of a request
	Depth              int   // how deep a message may nest
	Name               int   // bytes of a method, a tool's name, an id, a progress token, a session id
	Batch              int   // messages of a batch
	Calls              int   // in flight at once, over all clients
	Requests           int   // over HTTP that are worked on at once
	Bodies             int64 // of all requests over HTTP that are read or worked on
	Streams            int   // event streams of calls at once, and as many of clients that listen
	Connections        int   // open at once
	ConnectionRequests int   // in the life of a connection
	ConnectionStreams  int   // at once on a connection of HTTP/2

	HeaderTimeout  time.Duration // for the headers of a request to arrive, and a new connection's first byte
	RequestTimeout time.Duration // for a whole request to arrive
	IdleTimeout    time.Duration // of a connection between two requests
	WriteTimeout   time.Duration // without a client taking what is written to it
}

// OrDefaults is i with the defaults in the place of what is not set. A nil i is
// all defaults.
func (i *Inbound) OrDefaults() Inbound {
	if i == nil {
		i = &Inbound{}
	}
	return Inbound{
		Body:               cmp.Or(i.Body, 4<<20),
		Headers:            cmp.Or(i.Headers, 64<<10),
		HeaderCount:        cmp.Or(i.HeaderCount, 100),
		Depth:              cmp.Or(i.Depth, 128),
		Name:               cmp.Or(i.Name, 256),
		Batch:              cmp.Or(i.Batch, 64),
		Calls:              cmp.Or(i.Calls, 1024),
		Requests:           cmp.Or(i.Requests, 2048),
		Bodies:             cmp.Or(i.Bodies, 256<<20),
		Streams:            cmp.Or(i.Streams, 1024),
		Connections:        cmp.Or(i.Connections, 16384),
		ConnectionRequests: cmp.Or(i.ConnectionRequests, 10_000),
		ConnectionStreams:  cmp.Or(i.ConnectionStreams, 100),
		HeaderTimeout:      cmp.Or(i.HeaderTimeout, 5*time.Second),
		RequestTimeout:     cmp.Or(i.RequestTimeout, 30*time.Second),
		IdleTimeout:        cmp.Or(i.IdleTimeout, 2*time.Minute),
		WriteTimeout:       cmp.Or(i.WriteTimeout, time.Minute),
	}
}
