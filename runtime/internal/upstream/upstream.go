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
// check of the address void and see what is sent. See package egress for addresses
// that are refused.
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
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcpc-dev/mcpc/internal/egress"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
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
	// Refused is told that an upstream refused a secret, and tells whether it is
	// another one now. Nil: none changes that way.
	Refused func(plan.Secret) bool
	// ReadFile reads the files of the plan's TLS; nil is [os.ReadFile].
	ReadFile func(string) ([]byte, error)
	// Redact replaces secrets in text that came from an upstream and goes into
	// an error, besides those that were sent with the call itself. May be nil.
	Redact func(string) string
	// Learn is told what must not be shown and is no secret of the plan, but comes of
	// those: tokens, sessions, the password in a pair. What belongs to one caller is
	// not told: it is known in his calls only. May be nil.
	Learn func(string)
	// Watch is told every answer, with the request it is for, as the tool made it:
	// without credentials. It must not change either. May be nil.
	Watch func(*request.Request, *Answer)
	// Trace sends the trace of a call with its requests, and its id for people; see
	// package observe.
	Trace bool
	// Telemetry is told of every request; nil: there is none. With it requests have
	// the trace, too.
	Telemetry observe.Telemetry
	// Resolver resolves the names of hosts; nil is the system's.
	Resolver *net.Resolver
	// Transport replaces the client's own, and its checks of addresses, for
	// tests.
	Transport http.RoundTripper
	// Health has the client note how its calls end; see [Client.Health].
	Health bool
	// Before is the client of a server that this one's follows, with the same
	// secrets. Where the plan is the same it is the client; else what is the same
	// goes on: breakers, limits, answers and tokens. May be nil.
	Before *Client
}

// Client sends requests to one upstream. It is safe for concurrent use.
type Client struct {
	plan        plan.Upstream
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
	egress      plan.Egress
	leads       func(host string) bool // whether redirects may lead to another host, where that is said
	resolver    *net.Resolver
	tls         bool // the base URL is https
	transport   http.RoundTripper
	log         *slog.Logger
	env         expr.Env
	renewal     func(plan.Secret) bool // nil: none
	redact      func(string) string
	learn       func(string)
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
	health      *health // nil: nobody asks for it
	flights     flights
}

// New returns a client for an upstream. An error is a mistake in the plan.
func New(u plan.Upstream, o Options) (*Client, error) {
	if b := o.Before; b != nil && b.requestID == o.Trace && b.telemetry == o.Telemetry && (b.health != nil) == o.Health && reflect.DeepEqual(b.plan, u) {
		return b, nil
	}
	c := &Client{
		plan:        u,
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
		renewal:     o.Refused,
		redact:      o.Redact,
		learn:       o.Learn,
		resolver:    o.Resolver,
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
	if o.Health {
		c.health = &health{}
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
	if c.learn == nil {
		c.learn = func(string) {}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if u.Egress != nil {
		c.egress = *u.Egress
	}
	guard, err := c.guard()
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	c.leads = guard.Allowed
	if u.BaseURL != "" {
		base, err := url.Parse(u.BaseURL)
		if err != nil {
			return nil, errors.New("base URL: it is no URL") // which may hold a password
		}
		c.admit(guard, base.Hostname())
		c.base = base
		c.tls = base.Scheme == "https" // a credential does not go to plain http from there
	}
	c.follow(o.Before)
	for _, host := range c.egress.Hosts {
		c.admit(guard, host)
	}
	for _, p := range u.Credentials {
		cred, err := newCredential(u, p, c.via)
		if err != nil {
			return nil, fmt.Errorf("credential %s: %w", p.Name, err)
		}
		if b := o.Before; b != nil && b.credentials[p.Name] != nil && reflect.DeepEqual(b.credentials[p.Name].Credential, p) {
			was := b.credentials[p.Name]
			cred.tokens, cred.digest = was.tokens, was.digest
			if cred.logins != nil && b.plan.BaseURL == u.BaseURL {
				cred.logins.store = was.logins.store
			}
		}
		c.credentials[p.Name] = cred
		c.personal = c.personal || p.OfCaller()
	}
	if c.transport == nil {
		c.transport = secure(c.dialing(guard), u.TLS, o.ReadFile)
	}
	return c, nil
}

// guard is one that allows and denies what the plan lists.
func (c *Client) guard() (*egress.Guard, error) { return egress.New(c.egress.Allow, c.egress.Deny) }

// admit allows a host that the plan names.
func (c *Client) admit(g *egress.Guard, host string) {
	if slices.Contains(c.egress.Public, host) {
		g.Name(host)
	} else {
		g.Trust(host)
	}
}

// dialing is a transport to the hosts that g allows.
func (c *Client) dialing(g *egress.Guard) *http.Transport {
	return &http.Transport{
		DialContext:         g.Dial(&net.Dialer{Timeout: c.connect, KeepAlive: 30 * time.Second, Resolver: c.resolver}),
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

// Close closes connections that are not in use, to the API and to where tokens and
// sessions come from.
func (c *Client) Close() {
	closeIdle(c.transport)
	for _, cred := range c.credentials {
		if cred.tokens != nil {
			cred.tokens.CloseIdleConnections()
		}
		if cred.logins != nil {
			closeIdle(cred.logins.transport)
		}
	}
}

// closeIdle closes connections that are not in use, where there are any.
func closeIdle(t http.RoundTripper) {
	if t, ok := t.(interface{ CloseIdleConnections() }); ok {
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
	sent     *auth
	repeat   bool // the method may be sent again
	renewed  bool // tokens were renewed after a 401
	dry      bool // nothing is sent: no token is asked for
	attempts int
	guard    *breaker // see breaker; nil: not asked for yet
	start    time.Time
	at       *url.URL // where the last answer came from

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
	path := ""
	if req.URL != nil {
		path = pathOf(req.URL)
	}
	switch {
	case !repeatable:
		a, err := c.do(ctx, p, req, security)
		if changes(req.Method, a, err) {
			c.changed(path)
		}
		return a, err
	case c.cache == nil:
		return c.joined(ctx, p, flightKey{cacheKey: key}, path, req, security)
	}
	known, fresh := c.cache.get(key)
	if fresh {
		return known.again(), nil
	}
	reading := c.cache.read(path)
	defer c.cache.leave(path, reading)
	flight := flightKey{cacheKey: key}
	if known != nil && known.etag != "" {
		if req.Header == nil {
			req.Header = http.Header{}
		}
		flight.etag = known.etag
		req.Header.Set("If-None-Match", known.etag)
	}
	a, err := c.joined(ctx, p, flight, path, req, security)
	if passing(a, err) {
		if old := c.cache.bridge(known); old != nil {
			return old, nil
		}
	}
	switch {
	case err != nil:
		return nil, err
	case known != nil && a.Status == http.StatusNotModified:
		c.cache.confirm(known, a.Header)
		return known.again(), nil
	}
	c.cache.put(key, path, reading, a)
	return a, nil
}

// changed says that something may have changed at a path: what was read of it before
// is not given to anybody who asks from now on.
func (c *Client) changed(path string) {
	c.flights.changed(path)
	if c.cache != nil {
		c.cache.forget(path)
	}
}

// do is Do without the cache.
func (c *Client) do(ctx context.Context, p principal.Principal, req *request.Request, security [][]string) (answer *Answer, failure error) {
	k := &call{Client: c, who: p, req: req, sent: nothing, start: time.Now(), repeat: req.Repeat || slices.Contains(c.methods, req.Method)}
	if fail := k.check(); fail != nil {
		return nil, fail
	}
	if c.health != nil {
		c.health.begin()
		defer func() { c.health.end(answer, failure) }()
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
			if again, fail := k.refused(callCtx, a); fail != nil {
				fail.Attempts = k.attempts
				return nil, fail
			} else if again {
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

// guarded makes an attempt when the limits of the upstream let it through. An
// open breaker refuses before anything is waited for or used up.
func (k *call) guarded(outer, ctx context.Context) (a *Answer, again bool, wait time.Duration, err error) {
	if fail := k.closed(); fail != nil {
		return nil, false, 0, fail
	}
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
	status, came := 0, &Failure{Kind: KindCanceled} // until something comes: a panic says nothing
	defer func() { done(status, came) }()
	k.attempts++
	k.budget.earn()
	begun := time.Now()
	a, again, wait, err = k.attempt(outer, ctx)
	if a != nil {
		status = a.Status
	}
	if came, _ = errors.AsType[*Failure](err); came != nil && came.Kind == KindTimeout && outer.Err() != nil && time.Since(begun) < k.timeout/2 {
		came = &Failure{Kind: KindCanceled} // who asks had little time left: that is not the upstream's doing
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
	still := &Client{name: c.name, credentials: c.credentials, base: c.base, tls: c.tls, env: c.env}
	if c.env.Secret != nil {
		still.env.Secret = func(s plan.Secret) (string, error) {
			if sealed.Slow(s) { // nothing is run or asked to explain a call
				return hidden, nil
			}
			return c.env.Secret(s)
		}
	}
	k := &call{Client: still, req: req, sent: nothing, dry: true}
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
		req.Parts = append(req.Parts, request.Part{Where: it.where, Name: it.name, Value: it.prefix + it.value.Reveal(), From: it.from})
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
	if fail != nil {
		wait = k.backoff(k.attempts)
		return nil, fail.transient && k.again(ctx, wait), wait, fail
	}
	a, k.at = k.answer(res, at), at
	if slices.Contains(k.retryOn, res.StatusCode) {
		// Not before the time that is asked for, and not all at that time.
		wait = RetryAfter(res.Header, time.Now()) + k.backoff(k.attempts)
		if k.again(ctx, wait) {
			// The rest of a short answer is read, so that its connection lives.
			_, _ = io.CopyN(io.Discard, res.Body, 16<<10)
			_ = res.Body.Close()
			return a, true, wait, nil
		}
	}
	if fail = k.read(outer, ctx, res, a); fail != nil {
		wait = k.backoff(k.attempts)
		return nil, fail.transient && k.again(ctx, wait), wait, fail
	}
	a.Duration = time.Since(k.start)
	return a, false, 0, nil
}

// again tells whether the request may be sent once more after a wait, and pays
// for that.
func (k *call) again(ctx context.Context, wait time.Duration) bool {
	return k.repeat && k.attempts < k.Client.attempts && fits(ctx, wait) && k.budget.spend()
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

// maxRetryAfter is the most that is believed of a Retry-After: a number beyond it
// is a mistake or a clock that is wrong, and nobody waits that long.
const maxRetryAfter = 24 * time.Hour

// RetryAfter is what a Retry-After header asks for (RFC 9110, section 10.2.3),
// in seconds or as a date; 0 when there is none that can be read, and a day at
// most.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if strings.Trim(v, "0123456789") == "" {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil { // of digits: there are too many
			return maxRetryAfter
		}
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), maxRetryAfter)
	}
	return 0
}
