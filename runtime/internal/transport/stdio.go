package transport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcpc-dev/mcpc/runtime/internal/confirm"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// Limits of the stdio loop.
const (
	maxCalls  = 64       // calls at once; more wait for their turn
	maxQueued = 64 << 20 // bytes of messages under way, waiting ones included; then reading stops
	perQueued = 4 << 10  // what a message weighs besides its text
	lineBytes = 64 << 10 // of the buffers
)

// conn is one client on a pair of streams.
type conn struct {
	*Front
	calls  context.Context // ends when calls in flight are to be given up
	slots  chan struct{}   // holds a value per running call
	out    chan reply
	broken chan struct{} // closed when nothing can be written any more

	mu       sync.Mutex
	room     *sync.Cond // load sank, or closed is set
	load     int        // of the messages under way
	closed   bool       // no more messages are taken
	version  string
	pending  sync.WaitGroup
	inFlight map[string]*call // by [sameID]

	listening sync.WaitGroup // streams that are open, of subscriptions
	ending    chan struct{}  // closed when those end
	told      bool           // an older client is told of lists already

	asks      bool                   // the client can ask a person
	asked     int                    // questions so far
	questions map[string]chan []byte // that wait for their answers, by id
}

// call is a call that was not answered yet.
type call struct {
	message
	front  *Front
	era    Era
	ctx    context.Context
	cancel context.CancelFunc
}

// ServeLines speaks MCP over stdio's framing, one message per line, until in
// ends or ctx does. Calls in flight then have the drain time to finish, and what
// they answer is written. It returns nil after an orderly end.
func (f *Front) ServeLines(ctx context.Context, in io.Reader, out io.Writer) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	c := &conn{
		Front:    f,
		calls:    calls,
		slots:    make(chan struct{}, f.calls),
		out:      make(chan reply, maxCalls),
		broken:   make(chan struct{}),
		inFlight: map[string]*call{},
		ending:   make(chan struct{}),

		questions: map[string]chan []byte{},
	}
	c.room = sync.NewCond(&c.mu)
	if t := f.telemetry; t != nil {
		c.calls = &observe.Scope{Context: calls, Incoming: &observe.Incoming{Agreed: c.agreed}, Shared: true}
		begun := time.Now()
		defer func() { t.Session(time.Since(begun), c.agreed()) }()
	}
	finish := make(chan struct{})
	written := make(chan error, 1)
	go func() { written <- c.writeLines(out, finish) }()
	read := make(chan error, 1)
	go func() { read <- c.readLines(in) }()

	var err error
	select {
	case err = <-read:
	case <-ctx.Done():
		// The reader may hang in a read that nothing can interrupt; it takes no
		// more messages and is left to the end of the process.
	case <-c.broken:
	}
	c.mu.Lock()
	c.closed = true
	c.room.Broadcast()
	c.mu.Unlock()

	idle := make(chan struct{})
	go func() { c.pending.Wait(); close(idle) }()
	drained := time.NewTimer(f.drain)
	defer drained.Stop()
	select {
	case <-idle:
	case <-c.broken:
		cancel()
	case <-drained.C:
		f.log.WarnContext(ctx, "calls were cut off by the end of the server")
		cancel()
		// Being cancelled they end at once, and one that does not is left.
		select {
		case <-idle:
		case <-time.After(time.Second):
		}
	}
	close(c.ending)
	silent := make(chan struct{})
	go func() { c.listening.Wait(); close(silent) }()
	select {
	case <-silent:
	case <-c.broken:
	case <-time.After(time.Second): // the client does not read
	}
	close(finish)
	select {
	case werr := <-written:
		if werr != nil {
			return fmt.Errorf("write to the client: %w", werr)
		}
	case <-time.After(f.drain):
		return errors.New("write to the client: it does not read")
	}
	// EIO is what is read of a terminal that is gone.
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
		return fmt.Errorf("read from the client: %w", err)
	}
	return nil
}

// readLines takes messages until the input ends.
func (c *conn) readLines(in io.Reader) error {
	r := bufio.NewReaderSize(in, lineBytes)
	for {
		line, tooLong, err := readLine(r, c.limits.Body)
		if tooLong {
			bad := over(0, "body", c.limits.Body, "the message is larger than the limit of %d bytes")
			c.refused(c.calls, nil, bad.because("too-large"))
			c.send(reply{head: appendFault(nil, nil, bad)})
		} else if line = bytes.TrimSpace(line); len(line) > 0 {
			if !c.take(line) {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads a line of its own memory. One that is longer than a message may
// be is read to its end and dropped.
func readLine(r *bufio.Reader, max int64) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if int64(len(line)+len(part)) > max+1 {
			line, tooLong = nil, true
		}
		if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

// take answers a message or sets its answer going. It is false when no more
// messages are taken.
func (c *conn) take(line []byte) bool {
	if isBatch(line) {
		return c.takeBatch(line)
	}
	f := c.host.hold()
	kept := false // by what goes on after this
	defer func() {
		if !kept {
			f.release()
		}
	}()
	if f.outcast.Load() {
		return false
	}
	m, bad := decode(line, &f.limits)
	var e Era
	if bad == nil {
		e, bad = eraOf(&m, c.versions.all)
	}
	switch {
	case bad != nil:
		c.refused(c.calls, &m, bad)
		return c.send(reply{head: appendFault(nil, m.id, bad)})
	case m.method == "notifications/cancelled":
		c.cancel(m.requestID)
		return true
	case m.method == "notifications/initialized" && f.changes && !c.told:
		// From here on a client of an older revision is told unasked.
		c.told = true
		c.subscribe(f.local(c.calls), nil, allChanged, nil)
		return true
	case m.method == methodListen && f.changes && e == Modern && m.isRequest():
		return c.listen(f, &m)
	case m.response:
		c.answered(m.id, line)
		return true
	case !m.isRequest():
		return true
	case !works(m.method):
		// In the order they came: what follows initialize relies on it.
		out := f.answer(f.local(c.calls), &m, e, c.versions.all, nil)
		if m.method == "initialize" && out.fault == nil {
			c.setVersion(out.body)
			c.setCapabilities(m.params)
		}
		return c.send(out)
	}
	one := &call{message: m, front: f, era: e}
	kept = c.start(len(line), f, []*call{one}, func() {
		if out, ok := c.run(one); ok {
			c.send(out)
		}
	})
	return kept
}

// listen opens a stream of a client of revision 2026-07-28, until it cancels it.
func (c *conn) listen(f *Front, m *message) bool {
	wants, bad := listens(m)
	if bad != nil {
		return c.send(reply{head: appendFault(nil, m.id, bad)})
	}
	one := &call{message: *m}
	one.ctx, one.cancel = context.WithCancel(f.local(c.calls))
	c.mu.Lock()
	c.inFlight[sameID(m.id)] = one
	c.mu.Unlock()
	if !c.subscribe(one.ctx, m.id, wants, func() { c.forget(one) }) {
		c.forget(one)
		return c.send(reply{head: appendFault(nil, m.id, over(0, "streams", int64(c.limits.Streams), "the server is at its limit of %d streams that listen, or shutting down"))})
	}
	return true
}

// subscribe sends what there is to tell until ctx ends or the client leaves.
// after is called when it is over; it may be nil.
func (c *conn) subscribe(ctx context.Context, id jsontext.Value, wants uint32, after func()) bool {
	s := c.host.subscribe(ctx, c.limits.Streams, id, wants)
	if s == nil {
		return false
	}
	c.listening.Go(func() {
		defer c.host.unsubscribe(s)
		s.run(ctx.Done(), c.ending, func(b []byte) { c.send(reply{head: b}) }, nil)
		if after != nil {
			after()
		}
	})
	return true
}

// start runs work in its own goroutine, once there is room for it. The calls
// are registered before start returns, so that a cancellation on the next line
// finds them. It takes over the hold of f, unless it is false: then no more
// messages are taken.
func (c *conn) start(size int, f *Front, calls []*call, work func()) bool {
	weight := size + perQueued
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.load+weight > maxQueued && !c.closed {
		c.room.Wait()
	}
	if c.closed {
		return false
	}
	c.load += weight
	for _, one := range calls {
		one.ctx, one.cancel = context.WithCancel(f.local(c.calls))
		// A client that uses an id twice at once can only cancel the second.
		c.inFlight[sameID(one.id)] = one
	}
	c.pending.Add(1)
	go func() {
		defer c.pending.Done()
		defer f.release()
		work()
		c.mu.Lock()
		c.load -= weight
		c.room.Signal() // one reader waits
		c.mu.Unlock()
	}()
	return true
}

// run waits for a turn and answers a call. ok is false when the client
// cancelled it: nothing more may then be sent for it.
func (c *conn) run(one *call) (out reply, ok bool) {
	defer c.forget(one)
	ended := func() bool { return c.calls.Err() != nil }
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-one.ctx.Done():
	}
	if one.ctx.Err() != nil {
		bad := faultf(-32000, 0, "the server is shutting down")
		return reply{head: appendFault(nil, one.id, bad), fault: bad}, ended()
	}
	if one.era == Legacy && one.front.asks[one.name] {
		c.mu.Lock()
		able := c.asks
		c.mu.Unlock()
		if able {
			one.ctx = confirm.With(one.ctx, c.ask)
		}
	}
	work := func(ctx context.Context) { out = one.front.answer(ctx, &one.message, one.era, c.versions.all, nil) }
	if one.token == nil {
		work(one.ctx)
	} else {
		watch(one.ctx, one.token, work, func(note []byte) { c.send(reply{head: note}) })
	}
	// The end of the server also ends the context, but that is no client's wish:
	// what came of the call is said.
	return out, one.ctx.Err() == nil || ended()
}

func (c *conn) forget(one *call) {
	one.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := sameID(one.id); c.inFlight[id] == one {
		delete(c.inFlight, id)
	}
}

// takeBatch answers a batch, where the client's revision knows them.
func (c *conn) takeBatch(line []byte) bool {
	refuse := func(f *fault) bool {
		c.refused(c.calls, nil, f)
		return c.send(reply{head: appendFault(nil, nil, f)})
	}
	c.mu.Lock()
	version := c.version
	c.mu.Unlock()
	if version != mcp.ProtocolVersion20250326 && version != mcp.ProtocolVersion20241105 {
		return refuse(faultf(mcp.INVALID_REQUEST, 0, "batches exist in revision 2025-03-26 only"))
	}
	texts, bad := splitBatch(line, &c.limits)
	if bad != nil {
		return refuse(bad)
	}
	f := c.host.hold()
	if f.outcast.Load() {
		f.release()
		return false
	}
	var calls []*call
	parts := make([]func() []byte, len(texts)) // nil owes no answer
	for i, text := range texts {
		m, bad := decode(text, &c.limits)
		if bad == nil {
			bad = batchable(&m)
		}
		switch {
		case bad != nil:
			c.refused(c.calls, &m, bad)
			parts[i] = func() []byte { return appendFault(nil, m.id, bad) }
		case m.isRequest():
			one := &call{message: m, front: f, era: Legacy}
			calls = append(calls, one)
			parts[i] = func() []byte {
				out, ok := c.run(one)
				if !ok {
					return nil
				}
				return out.appendTo(nil)
			}
		case m.method == "notifications/cancelled":
			c.cancel(m.requestID)
		}
	}
	if !c.start(len(line), f, calls, func() {
		if b := batch(parts); len(b) > 0 {
			c.send(reply{head: b})
		}
	}) {
		f.release()
		return false
	}
	return true
}

// cancel ends a call, running or waiting.
func (c *conn) cancel(id jsontext.Value) {
	if id == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.inFlight[sameID(id)]; one != nil {
		one.cancel()
	}
}

// setVersion remembers what was negotiated, from the result of initialize.
func (c *conn) setVersion(result []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = ""
	for _, v := range c.versions.all {
		if bytes.Contains(result, []byte(`"protocolVersion":"`+v+`"`)) {
			c.version = v
			return
		}
	}
}

// agreed is the version that was negotiated; "" before that.
func (c *conn) agreed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

// setCapabilities remembers what the client can do, from the parameters of
// initialize.
func (c *conn) setCapabilities(params jsontext.Value) {
	var p struct {
		Capabilities json.RawMessage `json:"capabilities"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks = asksForms(jsontext.Value(p.Capabilities))
}

// send queues a line. It waits while the client does not read, and is false
// when nothing can be written any more.
func (c *conn) send(r reply) bool {
	select {
	case c.out <- r:
		return true
	case <-c.broken:
		return false
	}
}

// writeLines is the only one who writes: whole lines, in the order they were
// sent, flushed when no more are waiting. When finish closes, it writes what was
// sent before that and returns.
func (c *conn) writeLines(out io.Writer, finish <-chan struct{}) (err error) {
	w := bufio.NewWriterSize(out, lineBytes)
	write := func(r reply) {
		for _, part := range [][]byte{oneLine(r.head), r.body, []byte(r.tail), {'\n'}} {
			if err == nil {
				_, err = w.Write(part)
			}
		}
		if err == nil && len(c.out) == 0 {
			err = w.Flush()
		}
	}
	defer close(c.broken)
	for err == nil {
		select {
		case r := <-c.out:
			write(r)
		case <-finish:
			for err == nil {
				select {
				case r := <-c.out:
					write(r)
				default:
					return w.Flush()
				}
			}
		}
	}
	return err
}
