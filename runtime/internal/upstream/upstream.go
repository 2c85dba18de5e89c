// Package upstream sends a request to the HTTP service behind a tool and reads
// the answer.
//
// It adds the credentials the operation declares, tries again where that is
// safe, follows redirects that stay on the host, and bounds everything: the
// time of a call and of a connect, the size of headers and of the body after
// decompression. What it returns is the answer as it came, or a [Failure] that
// a model can be told: neither holds a credential or an address.
//
// Only hosts that the plan names are ever connected to, directly: proxy
// variables of the environment are not looked at, because a proxy would make the
// check of the address void and see what is sent. See [guard] for addresses that
// are refused.
package upstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// What holds where a plan says nothing.
const (
	DefaultTimeout        = 30 * time.Second
	DefaultConnectTimeout = 10 * time.Second
	DefaultMaxResponse    = 10 << 20
	DefaultAttempts       = 3
)

const (
	maxRedirects   = 5
	maxHeaderBytes = 256 << 10
	// Backoff before the second attempt is up to backoffBase, doubling from
	// there; the time is drawn evenly from the whole range, so that clients that
	// failed together do not come back together.
	backoffBase = 250 * time.Millisecond
	backoffMax  = 4 * time.Second
)

// defaults are headers that are sent when the request has none of the name. The
// user agent says what, not which version: nothing an upstream should depend on.
func defaults() [2][2]string {
	return [2][2]string{{"User-Agent", "mcpc"}, {"Accept-Encoding", "gzip"}}
}

// Options configure a [Client]. The zero value works, without secrets.
type Options struct {
	// Logger gets a line for every attempt that is repeated. Nil logs nothing.
	Logger *slog.Logger
	// Secret resolves a secret, at every use. An error means that there is none.
	Secret func(plan.Secret) (string, error)
	// ReadFile reads the files of the plan's TLS; nil is [os.ReadFile].
	ReadFile func(string) ([]byte, error)
	// Redact replaces secrets in text that came from an upstream and goes into
	// an error, besides those that were sent with the call itself. May be nil.
	Redact func(string) string
	// Watch is told every answer, with the request it is for, as the tool made it:
	// without credentials. It must not change either. May be nil.
	Watch func(*request.Request, *Answer)
	// Trace sends the trace of a call with its requests, and its id for people; see
	// package observe.
	Trace bool
	// Telemetry is told of every request; nil: there is none. With it requests have
	// the trace, too.
	Telemetry observe.Telemetry
	// Transport replaces the client's own, and its checks of addresses, for
	// tests.
	Transport http.RoundTripper
}

// Client sends requests to one upstream. It is safe for concurrent use.
type Client struct {
	name        string // as messages say it
	timeout     time.Duration
	connect     time.Duration
	limit       int64
	attempts    int
	retryOn     []int
	methods     []string
	credentials map[string]*credential
	personal    bool     // a credential is made of the caller's token
	base        *url.URL // nil: not known
	tls         bool     // the base URL is https
	transport   http.RoundTripper
	log         *slog.Logger
	env         expr.Env
	redact      func(string) string
	watch       func(*request.Request, *Answer)
	backoff     func(attempt int) time.Duration
	gzip        sync.Pool
	limiter     *rate.Limiter // nil: no limit
	cache       *cache        // nil: nothing is kept
	breakers    *breakers     // nil: none
	bulkhead    *bulkhead     // nil: no bound
	budget      *budget
	coalesce    bool
	plain       string // the name in the plan
	requestID   bool   // sent upstream, with the trace
	telemetry   observe.Telemetry
	flights     singleflight.Group
}

// New returns a client for an upstream. An error is a mistake in the plan.
func New(u plan.Upstream, o Options) (*Client, error) {
	c := &Client{
		name:        "The upstream",
		timeout:     u.Timeout,
		connect:     u.ConnectTimeout,
		limit:       u.MaxResponse,
		attempts:    u.Retry.Attempts,
		retryOn:     u.Retry.On,
		methods:     u.Retry.Methods,
		credentials: make(map[string]*credential, len(u.Credentials)),
		transport:   o.Transport,
		log:         o.Logger,
		env:         expr.Env{Secret: o.Secret},
		redact:      o.Redact,
		watch:       o.Watch,
		backoff:     backoff,
		cache:       newCache(u.Cache),
		breakers:    newBreakers(u.Breaker),
		bulkhead:    newBulkhead(u.Bulkhead),
		budget:      newBudget(),
		coalesce:    u.Coalesce,
		plain:       u.Name,
		requestID:   o.Trace,
		telemetry:   o.Telemetry,
	}
	if l := u.Limit; l != nil {
		c.limiter = rate.NewLimiter(rate.Every(l.Every), max(1, l.Burst))
	}
	if u.Name != "" {
		c.name = fmt.Sprintf("The upstream %q", u.Name)
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.connect <= 0 {
		c.connect = DefaultConnectTimeout
	}
	if c.limit <= 0 {
		c.limit = DefaultMaxResponse
	}
	if c.attempts <= 0 {
		c.attempts = DefaultAttempts
	}
	if c.retryOn == nil {
		c.retryOn = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	}
	if c.methods == nil {
		c.methods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	var g guard
	if u.BaseURL != "" {
		base, err := url.Parse(u.BaseURL)
		if err != nil {
			return nil, fmt.Errorf("base URL: %w", err)
		}
		g.allow(base.Hostname())
		c.base = base
		c.tls = base.Scheme == "https" // a credential does not go to plain http from there
	}
	for _, p := range u.Credentials {
		cred, err := newCredential(p, c.via)
		if err != nil {
			return nil, fmt.Errorf("credential %s: %w", p.Name, err)
		}
		c.credentials[p.Name] = cred
		c.personal = c.personal || p.OfCaller()
	}
	if c.transport == nil {
		c.transport = secure(c.dialing(g), u.TLS, o.ReadFile)
	}
	return c, nil
}

// dialing is a transport to the hosts that g allows.
func (c *Client) dialing(g guard) *http.Transport {
	dialer := &net.Dialer{Timeout: c.connect, KeepAlive: 30 * time.Second, Control: g.control}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: c.connect,
		ForceAttemptHTTP2:   true,
		// Go keeps two idle connections per host by default, and every
		// concurrent call beyond them would connect anew.
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		// Compression is undone here, with a limit on what comes out.
		DisableCompression: true,
	}
}

// Timeout is how long a call may take, retries included.
func (c *Client) Timeout() time.Duration { return c.timeout }

// Close closes connections that are not in use.
func (c *Client) Close() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func backoff(attempt int) time.Duration {
	most := backoffMax
	if attempt < 5 {
		most = min(most, backoffBase<<(attempt-1))
	}
	return rand.N(most)
}

// call is one call on its way.
type call struct {
	*Client
	who      principal.Principal
	req      *request.Request
	sent     auth
	repeat   bool // the method may be sent again
	renewed  bool // tokens were renewed after a 401
	dry      bool // nothing is sent: no token is asked for
	attempts int
	start    time.Time

	ours    bool          // traceparent is not the author's
	sends   int           // requests so far, along redirects too
	sending *observe.Send // the one under way, for telemetry
}

// Do sends a request, on behalf of p, with the credentials that security asks
// for, and returns the answer whatever its status is. It takes over req: header
// fields are added to it. The error is a [*Failure].
func (c *Client) Do(ctx context.Context, p principal.Principal, req *request.Request, security [][]string) (*Answer, error) {
	if c.cache == nil && !c.coalesce { // a key costs a digest of the request
		return c.do(ctx, p, req, security)
	}
	key, repeatable := keyOf(p, c.cache != nil && c.cache.Shared && !c.personal, req)
	if c.personal {
		// Two tokens of one caller may open different doors.
		key.token = sha256.Sum256([]byte(callerToken(ctx, p)))
	}
	switch {
	case !repeatable:
		return c.do(ctx, p, req, security)
	case c.cache == nil:
		return c.joined(ctx, p, key, req, security)
	}
	known, fresh := c.cache.get(key)
	switch {
	case fresh:
		return known.again(), nil
	case known != nil:
		if req.Header == nil {
			req.Header = http.Header{}
		}
		if known.etag != "" {
			req.Header.Set("If-None-Match", known.etag)
		}
	}
	a, err := c.joined(ctx, p, key, req, security)
	if err != nil || a.Status >= http.StatusInternalServerError {
		if old := c.cache.bridge(known); old != nil {
			return old, nil
		}
	}
	switch {
	case err != nil:
		return nil, err
	case known != nil && a.Status == http.StatusNotModified:
		c.cache.confirm(known)
		return known.again(), nil
	}
	c.cache.put(key, a)
	return a, nil
}

// joined is do for requests that may be made once for several callers, who are
// the same principal unless answers are shared among all.
func (c *Client) joined(ctx context.Context, p principal.Principal, key cacheKey, req *request.Request, security [][]string) (*Answer, error) {
	if !c.coalesce {
		return c.do(ctx, p, req, security)
	}
	// One caller that goes away must not end the request of the others. It ends
	// with the time of a call at the latest.
	detached := context.WithoutCancel(ctx)
	flight := c.flights.DoChan(key.String(), func() (any, error) { return c.do(detached, p, req, security) })
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		a, ok := r.Val.(*Answer)
		if ok && r.Shared {
			a = a.clone()
		}
		return a, nil
	case <-ctx.Done():
		k := &call{Client: c, who: p, req: req, start: time.Now()}
		return nil, k.failed(ctx, ctx.Err())
	}
}

// do is Do without the cache.
func (c *Client) do(ctx context.Context, p principal.Principal, req *request.Request, security [][]string) (*Answer, error) {
	k := &call{Client: c, who: p, req: req, start: time.Now(), repeat: req.Repeat || slices.Contains(c.methods, req.Method)}
	if err := k.check(); err != nil {
		return nil, err
	}
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := k.prepare(callCtx, security); err != nil {
		return nil, err
	}
	k.traced(ctx)
	for {
		a, again, wait, err := k.guarded(ctx, callCtx)
		if !again {
			if err != nil {
				if f, ok := errors.AsType[*Failure](err); ok {
					f.Attempts = k.attempts
				}
				return nil, err
			}
			if a.Status == http.StatusUnauthorized && k.renew(callCtx, a) {
				continue
			}
			if c.watch != nil {
				c.watch(req, a)
			}
			return a, nil
		}
		k.logRetry(ctx, a, err, wait)
		if !sleep(callCtx, wait) {
			return nil, k.failed(ctx, callCtx.Err())
		}
	}
}

// guarded makes an attempt when the limits of the upstream let it through.
func (k *call) guarded(outer, ctx context.Context) (a *Answer, again bool, wait time.Duration, err error) {
	if fail := k.turn(outer, ctx); fail != nil {
		return nil, false, 0, fail
	}
	leave, fail := k.enter(outer, ctx)
	if fail != nil {
		return nil, false, 0, fail
	}
	defer leave()
	done, fail := k.permit()
	if fail != nil {
		return nil, false, 0, fail
	}
	k.attempts++
	k.budget.earn()
	a, again, wait, err = k.attempt(outer, ctx)
	status := 0
	if a != nil {
		status = a.Status
	}
	f, _ := errors.AsType[*Failure](err)
	done(status, f)
	if again {
		k.budget.spend()
	}
	return a, again, wait, err
}

// turn waits until the upstream may be called again.
func (k *call) turn(outer, ctx context.Context) *Failure {
	if k.limiter == nil {
		return nil
	}
	r := k.limiter.Reserve()
	wait := r.Delay()
	if wait <= 0 {
		return nil
	}
	if !fits(ctx, wait) {
		r.Cancel()
		if ctx.Err() != nil {
			return k.failed(outer, ctx.Err())
		}
		return &Failure{
			Kind:    KindLimit,
			Message: fmt.Sprintf("%s is called as often as this server may: the turn of this call would come in %s, after its time is up.", k.name, seconds(wait)),
			Next:    "Make fewer calls, or wait.",
			Retry:   result.RetryAfter(wait),
		}
	}
	if !sleep(ctx, wait) {
		r.Cancel()
		return k.failed(outer, ctx.Err())
	}
	return nil
}

// check refuses what cannot be sent at all.
func (k *call) check() *Failure {
	u := k.req.URL
	if u == nil || u.Host == "" {
		return &Failure{
			Kind:    KindNoBaseURL,
			Message: k.name + " has no known address: its description gives no absolute server URL.",
			Next:    "The operator of this server has to give one, with --base-url or base_url.",
		}
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return &Failure{
			Kind:    KindNoBaseURL,
			Message: fmt.Sprintf("%s has an address with scheme %q; only http and https can be called.", k.name, u.Scheme),
			Next:    "The operator of this server has to correct it, with --base-url or base_url.",
		}
	}
	return nil
}

// prepare completes the header.
func (k *call) prepare(ctx context.Context, security [][]string) error {
	if k.req.Header == nil {
		k.req.Header = http.Header{}
	}
	h := k.req.Header
	for _, d := range defaults() {
		if _, ok := h[d[0]]; !ok {
			h[d[0]] = []string{d[1]}
		}
	}
	if err := k.authenticate(ctx, security); err != nil {
		return err
	}
	k.sent.header(h)
	return nil
}

// Explain adds to req what Do would add to it, with "(secret)" for the value of
// every credential, and a part for each header and credential. missing says what would have
// to be set, for each way to authenticate, when none is at hand and one is
// needed. Nothing is sent.
func (c *Client) Explain(req *request.Request, security [][]string) (missing []string, err error) {
	k := &call{Client: c, req: req, dry: true}
	if err := k.authenticate(context.Background(), security); err != nil {
		return nil, err
	}
	k.sent.hide()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	for _, h := range defaults() {
		if _, ok := req.Header[h[0]]; !ok {
			req.Header[h[0]] = []string{h[1]}
			req.Parts = append(req.Parts, request.Part{Where: "header", Name: h[0], Value: h[1], From: "mcpc"})
		}
	}
	k.sent.header(req.Header)
	req.URL = k.sent.url(req.URL)
	for _, it := range k.sent.items {
		req.Parts = append(req.Parts, request.Part{Where: it.where, Name: it.name, Value: it.prefix + it.value, From: it.from})
	}
	if len(k.sent.names) > 0 || slices.ContainsFunc(security, func(way []string) bool { return len(way) == 0 }) {
		return nil, nil // one way is at hand, or none is needed
	}
	return sentences(k.sent.missing, lack.entry), nil
}

// attempt sends the request once, and along redirects. again asks for another
// attempt after wait; then a and err tell why, and a has no body.
func (k *call) attempt(outer, ctx context.Context) (a *Answer, again bool, wait time.Duration, err error) {
	res, at, fail := k.send(outer, ctx)
	defer func() { k.endSend(ctx, res, fail) }()
	last := !k.repeat || k.attempts >= k.Client.attempts || !k.budget.affords()
	if fail != nil {
		if last || !fail.transient {
			return nil, false, 0, fail
		}
		wait = k.backoff(k.attempts)
		return nil, fits(ctx, wait), wait, fail
	}
	a = k.answer(res, at)
	if !last && slices.Contains(k.retryOn, res.StatusCode) {
		wait = max(k.backoff(k.attempts), RetryAfter(res.Header, time.Now()))
		if fits(ctx, wait) {
			// The rest of a short answer is read, so that its connection lives.
			_, _ = io.CopyN(io.Discard, res.Body, 16<<10)
			_ = res.Body.Close()
			return a, true, wait, nil
		}
	}
	if fail = k.read(outer, ctx, res, a); fail != nil {
		if last || !fail.transient {
			return nil, false, 0, fail
		}
		wait = k.backoff(k.attempts)
		return nil, fits(ctx, wait), wait, fail
	}
	a.Duration = time.Since(k.start)
	return a, false, 0, nil
}

// fits tells whether there is time left in ctx after a wait.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > wait)
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (k *call) logRetry(ctx context.Context, a *Answer, err error, wait time.Duration) {
	if !k.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	var why string
	if a != nil {
		why = "status " + strconv.Itoa(a.Status)
	} else if f, ok := errors.AsType[*Failure](err); ok {
		why = f.Kind
	}
	k.log.LogAttrs(ctx, slog.LevelInfo, "retrying a call",
		slog.String("upstream", k.name), slog.String("method", k.req.Method), slog.String("why", why),
		slog.Int("attempt", k.attempts), slog.Duration("wait", wait),
		slog.String("tenant", k.who.Tenant), slog.String("subject", k.who.Subject))
}

// RetryAfter is what a Retry-After header asks for (RFC 9110, section 10.2.3),
// in seconds or as a date; 0 when there is none that can be read.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
