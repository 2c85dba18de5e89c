package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/html"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	tokens "github.com/mcpc-dev/mcpc/runtime/internal/credential"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// maxLoginPage bounds how much of a page is looked at for a form, in bytes.
const maxLoginPage = 1 << 20

// logins is how a credential of kind session logs in, ready to be executed.
type logins struct {
	*plan.Session
	page, login, logout *request.Builder // page and logout may be nil
	success, ended      expr.Func        // nil: by default
	headers, query      []computed
	keep                []string      // names of cookies; nil: all
	secrets             []plan.Secret // of all requests
	doors               []door        // addresses that a redirect to says that there is no session
	store               *tokens.Sessions
	last                atomic.Pointer[accountOf]
	transport           http.RoundTripper // of another host than the API's; nil mostly
}

// accountOf is the digest of secrets, so that it is not made for every call.
type accountOf struct {
	secrets []sealed.Text
	digest  [sha256.Size]byte
}

// computed is a value that is made of the answer to a login.
type computed struct {
	name  string
	value expr.Func
}

// door is where people log in.
type door struct{ host, path string }

func newLogins(u plan.Upstream, p *plan.Session, via func(string) http.RoundTripper) (l *logins, err error) {
	l = &logins{Session: p, keep: p.Cookies, store: tokens.NewSessions(p.TTL)}
	if p.CSRFCookie != "" && l.keep != nil {
		l.keep = append(slices.Clone(l.keep), p.CSRFCookie)
	}
	if base, err := url.Parse(u.BaseURL); p.Login.Server != "" && err == nil {
		if own, err := url.Parse(p.Login.Server); err == nil && !sameOrigin(base, own) {
			// What all requests to the API have is not for another host.
			u.Headers, l.transport = nil, via(p.Login.Server)
		}
	}
	builder := func(r *plan.Request) (b *request.Builder) {
		if r == nil || err != nil {
			return nil
		}
		b, err = request.Compile(u, *r)
		return b
	}
	l.page, l.login, l.logout = builder(p.Page), builder(&p.Login), builder(p.Logout)
	compile := func(x *plan.Expr) (f expr.Func) {
		if x != nil && err == nil {
			f, err = expr.Compile(*x)
		}
		return f
	}
	l.success, l.ended = compile(p.Success), compile(p.Ended)
	for _, h := range p.Headers {
		l.headers = append(l.headers, computed{http.CanonicalHeaderKey(h.Name), compile(h.Value)})
	}
	for _, q := range p.Query {
		l.query = append(l.query, computed{escape(q.Name), compile(q.Value)})
	}
	for _, r := range []*plan.Request{p.Page, &p.Login} {
		if r == nil {
			continue
		}
		if at, err := url.Parse(cmp.Or(r.Server, u.BaseURL)); err == nil {
			l.doors = append(l.doors, door{at.Host, doorPath(strings.TrimSuffix(at.EscapedPath(), "/") + r.Template())})
		}
	}
	return l, err
}

// doorPath is a path without what sessions leave in it.
func doorPath(path string) string {
	path, _, _ = strings.Cut(path, ";")
	return strings.TrimSuffix(path, "/")
}

// collect lists the secrets of expressions.
func collect(list []plan.Secret, e *plan.Expr) []plan.Secret {
	if e.Op == plan.OpSecret && e.Secret != nil && !slices.ContainsFunc(list, func(s plan.Secret) bool { return s.Name == e.Secret.Name }) {
		list = append(list, *e.Secret)
	}
	for i := range e.Args {
		list = collect(list, &e.Args[i])
	}
	return list
}

// session is the session that one call is made with.
type session struct {
	*logins
	name  string // of the credential
	owner tokens.Owner
	now   *tokens.Session
	fresh bool            // it was logged in for in this call
	slow  []plan.Secret   // of its credential
	note  func(...string) // remembers what must not be shown
}

// addSession adds the session that a login gives.
func (k *call) addSession(ctx context.Context, a *auth, c *credential) error {
	from := "credential " + c.Name
	if c.from != "" {
		from += " (" + c.from + ")"
	}
	account, used, err := k.account(c.logins)
	if err != nil {
		return err
	}
	a.know(used...)
	a.names = append(a.names, c.Name)
	if k.dry {
		for _, it := range c.logins.shown() {
			it.from = from
			a.items = append(a.items, it)
		}
		return nil
	}
	if !k.home() {
		return &Failure{
			Kind:    KindCredential,
			Message: k.name + " is called with a session, but this operation has another host. Nothing was sent.",
			Next:    "The operator of this server has to correct the address of the operation.",
		}
	}
	s := &session{logins: c.logins, name: c.Name, slow: c.slow}
	s.owner.Account = account
	s.owner.Caller[0] = k.who.Tenant
	if !c.logins.Shared {
		s.owner.Caller = [3]string{k.who.Tenant, k.who.Subject, k.who.Client}
	}
	if fail := k.open(ctx, s); fail != nil {
		return fail
	}
	a.session = s
	a.signers = slices.Insert(a.signers, 0, s.sign) // what is signed is complete
	return nil
}

// account is a digest of the secrets of a login, and those themselves.
func (k *call) account(l *logins) (digest [sha256.Size]byte, used []string, err error) {
	used = make([]string, 0, len(l.secrets)+4) // what the session holds comes after
	for _, s := range l.secrets {
		v, err := k.env.Secret(s)
		if e, ok := errors.AsType[*sealed.Error](err); ok {
			return digest, nil, e
		}
		if err != nil || v == "" {
			return digest, nil, errMissing
		}
		used = append(used, v)
	}
	if last := l.last.Load(); last != nil && slices.EqualFunc(last.secrets, used, func(a sealed.Text, b string) bool { return a.Reveal() == b }) {
		return last.digest, used, nil
	}
	h := sha256.New()
	last := &accountOf{}
	for _, v := range used {
		fmt.Fprintf(h, "%d:%s", len(v), v)
		last.secrets = append(last.secrets, sealed.New(v))
	}
	h.Sum(last.digest[:0])
	l.last.Store(last)
	return last.digest, used, nil
}

// shown are the parts of a request that hold the session, for explanations.
func (l *logins) shown() (list []item) {
	for _, h := range l.headers {
		list = append(list, item{where: "header", name: h.name, value: sealed.New(hidden)})
	}
	for _, q := range l.query {
		list = append(list, item{where: "query", name: q.name, value: sealed.New(hidden)})
	}
	for _, name := range l.Session.Cookies {
		list = append(list, item{where: "cookie", name: name, value: sealed.New(hidden)})
	}
	if list == nil {
		list = append(list, item{where: "cookie", name: "session", value: sealed.New(hidden)})
	}
	return list
}

// open gets a session, by a login if there is none.
func (k *call) open(ctx context.Context, s *session) *Failure {
	now, fresh, err := s.store.Get(ctx, s.owner, func(ctx context.Context) (*tokens.Session, *tokens.Error) {
		return k.login(ctx, s)
	})
	if e, ok := errors.AsType[*tokens.Error](err); ok && !e.Passing && k.changed(s.slow) {
		// It was an old password.
		if s.owner.Account, _, err = k.account(s.logins); err == nil {
			now, fresh, err = s.store.Get(ctx, s.owner, func(ctx context.Context) (*tokens.Session, *tokens.Error) { return k.login(ctx, s) })
		}
	}
	if err == nil {
		s.now, s.fresh = now, fresh
		return nil
	}
	e, ok := errors.AsType[*tokens.Error](err)
	if !ok {
		return k.failed(ctx, err)
	}
	f := &Failure{
		Kind:    KindCredential,
		Message: fmt.Sprintf("No session at %s could be had: %s. The call was not made.", lower(k.name), e.Message),
		Next:    "The operator of this server has to look at its credential " + s.name + ".",
		Retry:   result.RetryNo,
		cause:   err,
	}
	if e.Passing {
		f.Next, f.Retry = "Try again later. If it stays so, tell the operator of this server.", result.RetryMay
		if e.Wait > 0 {
			f.Retry = result.RetryAfter(e.Wait)
		}
	}
	return f
}

// login makes the requests of a login.
func (k *call) login(ctx context.Context, s *session) (*tokens.Session, *tokens.Error) {
	now := tokens.NewSession(s.keep)
	// What the page sets counts until the login, kept or not.
	jar := tokens.NewDraft()
	vars := map[string]any{}
	if s.page != nil {
		a, _, e := k.exchange(ctx, s, s.page, vars, jar, true)
		if e != nil {
			return nil, e
		}
		if a.Status >= http.StatusBadRequest {
			return nil, &tokens.Error{Passing: undecided(a), Wait: RetryAfter(a.Header, time.Now()), Message: fmt.Sprintf("the page of the login was answered with %d", a.Status)}
		}
		vars["page"] = pageVars(a, jar)
	}
	a, at, e := k.exchange(ctx, s, s.login, vars, jar, false)
	if e != nil {
		return nil, e
	}
	if undecided(a) {
		return nil, &tokens.Error{Passing: true, Wait: RetryAfter(a.Header, time.Now()), Message: fmt.Sprintf("the login was answered with %d", a.Status)}
	}
	env := &expr.Env{Args: map[string]any{}, Vars: map[string]any{"response": answerVars(a)}}
	ok := a.Status < http.StatusBadRequest && !s.atDoor(at, a)
	if s.success != nil {
		var err error
		if ok, err = expr.Holds(s.success, env, false); err != nil {
			return nil, &tokens.Error{Message: "success cannot be told from the answer to the login"}
		}
	}
	if !ok {
		return nil, &tokens.Error{Message: fmt.Sprintf("the login was refused (status %d)", a.Status)}
	}
	for _, list := range []struct {
		of    []computed
		query bool
	}{{s.headers, false}, {s.query, true}} {
		for _, c := range list.of {
			v, err := text(c.value, env)
			if err != nil {
				return nil, &tokens.Error{Message: fmt.Sprintf("the answer to the login holds no value for %s", c.name)}
			}
			if list.query {
				v = escape(v)
			}
			now.Values = append(now.Values, tokens.Value{Query: list.query, Name: c.name, Text: sealed.New(v)})
		}
	}
	now.Adopt(jar)
	if len(now.Values) == 0 && !slices.ContainsFunc(now.Cookies(k.homeURL()), func(c *http.Cookie) bool { return c.Name != s.CSRFCookie }) {
		return nil, &tokens.Error{Message: "the login was answered without a cookie that goes to the API"}
	}
	return now, nil
}

// undecided tells whether an answer to a login says nothing about the login.
func undecided(a *Answer) bool {
	return a.Status >= http.StatusInternalServerError || a.Status == http.StatusTooManyRequests || a.Status == http.StatusRequestTimeout
}

// homeURL is an address that calls go to, as far as it is known.
func (k *call) homeURL() *url.URL {
	if k.req != nil && k.req.URL != nil && k.home() {
		return k.req.URL
	}
	return k.base
}

// exchange sends one request of a login. follow goes along redirects that stay
// on the host.
func (k *call) exchange(ctx context.Context, s *session, b *request.Builder, vars map[string]any, jar *tokens.Session, follow bool) (*Answer, *url.URL, *tokens.Error) {
	env := k.env
	env.Args, env.Vars = map[string]any{}, vars
	req, err := b.Build(ctx, &env, args.Args{})
	if err != nil {
		return nil, nil, &tokens.Error{Message: "the request of the login cannot be made: " + refusalText(err)}
	}
	l := &call{Client: k.Client, who: k.who, req: req, sent: nothing, start: time.Now()}
	transport := k.transport
	if s.transport != nil {
		transport = s.transport
	}
	for _, d := range defaults() {
		if _, ok := req.Header[d[0]]; !ok {
			req.Header[d[0]] = []string{d[1]}
		}
	}
	at, method, body := req.URL, req.Method, req.Body
	if body == nil && bodyExpected(method) {
		body = []byte{}
	}
	for hops := 0; ; hops++ {
		header := req.Header.Clone()
		addCookies(header, jar.Cookies(at))
		res, err := transport.RoundTrip(l.http(ctx, nothing, method, at, header, body))
		if err != nil {
			if cerr := ctx.Err(); cerr != nil {
				err = cerr
			}
			f := l.failed(ctx, err)
			return nil, nil, &tokens.Error{Passing: f.transient || f.Kind == KindTimeout, Message: lower(strings.TrimSuffix(f.Message, "."))}
		}
		jar.Take(at, res.Header)
		if to, err := at.Parse(res.Header.Get("Location")); follow && err == nil && res.Header.Get("Location") != "" && res.StatusCode/100 == 3 && hops < maxRedirects && sameOrigin(at, to) {
			_ = res.Body.Close()
			to.User = nil
			at = to
			continue
		}
		a := l.answer(res, at)
		if f := l.read(ctx, ctx, res, a); f != nil {
			return nil, nil, &tokens.Error{Passing: true, Message: lower(strings.TrimSuffix(f.Message, "."))}
		}
		return a, at, nil
	}
}

// refusalText is why a request could not be made, without what was in it.
func refusalText(err error) string {
	if _, ok := errors.AsType[*expr.SecretError](err); ok {
		return "a secret is not set"
	}
	if r, ok := errors.AsType[*request.Refusal](err); ok {
		return r.Message
	}
	return "an expression in it fails"
}

// sign is a [tokens.Signer]: it adds what the session is known by.
func (s *session) sign(r *http.Request, _ []byte, _ time.Time) {
	cookies := s.now.Cookies(r.URL)
	for _, v := range s.now.Values {
		s.note(v.Text.Reveal())
		if v.Query {
			at := *r.URL
			if at.RawQuery != "" {
				at.RawQuery += "&"
			}
			at.RawQuery += v.Name + "=" + v.Text.Reveal()
			r.URL = &at
			continue
		}
		r.Header[v.Name] = []string{v.Text.Reveal()}
	}
	addCookies(r.Header, cookies)
	for _, c := range cookies {
		s.note(c.Value)
		if s.CSRFHeader != "" && c.Name == s.CSRFCookie {
			v := c.Value
			if u, err := url.QueryUnescape(v); err == nil {
				v = u // as a page would read it
			}
			s.note(v)
			r.Header.Set(s.CSRFHeader, v)
		}
	}
}

func addCookies(h http.Header, list []*http.Cookie) {
	if len(list) == 0 {
		return
	}
	parts := slices.Clone(h["Cookie"])
	for _, c := range list {
		parts = append(parts, c.Name+"="+c.Value)
	}
	h["Cookie"] = []string{strings.Join(parts, "; ")}
}

// take keeps what an answer changes in the session. Cookies are not for whoever
// reads the answer.
func (s *session) take(at *url.URL, h http.Header) {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		s.note(c.Value)
	}
	s.now.Take(at, h)
	delete(h, "Set-Cookie")
}

// over tells whether an answer says that there is no session any more.
func (s *session) over(at *url.URL, a *Answer) bool {
	if s.ended == nil {
		return a.Status == http.StatusUnauthorized || s.atDoor(at, a)
	}
	env := &expr.Env{Args: map[string]any{}, Vars: map[string]any{"response": answerVars(a)}}
	over, err := expr.Holds(s.ended, env, false)
	return over && err == nil
}

// atDoor tells whether an answer sends people to a login, or is one.
func (l *logins) atDoor(at *url.URL, a *Answer) bool {
	if a.Status/100 == 3 {
		to, err := at.Parse(a.Header.Get("Location"))
		return err == nil && a.Header.Get("Location") != "" && slices.ContainsFunc(l.doors, func(d door) bool {
			return strings.EqualFold(d.host, to.Host) && d.path == doorPath(to.EscapedPath())
		})
	}
	media, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return (media == "text/html" || media == "application/xhtml+xml") && hasPasswordField(a.Body)
}

// resume answers an end of the session that was not said by 401: with a new one,
// for the next call if not for this.
func (k *call) resume(ctx context.Context, a *Answer) (again bool, fail *Failure) {
	s := k.sent.session
	refused := &Failure{
		Kind:    KindCredential,
		Message: fmt.Sprintf("%s does not accept the session that it has just given (status %d).", k.name, a.Status),
		Next:    "The operator of this server has to look at its credential " + s.name + ".",
		Retry:   result.RetryNo,
	}
	if k.renewed || s.fresh {
		return false, refused
	}
	k.renewed = true
	s.store.Forget(s.owner, s.now)
	if !k.repeat && !s.Any {
		return false, &Failure{
			Kind:    KindCredential,
			Message: fmt.Sprintf("The session at %s had ended. Whether this call was carried out is not known; the next one has a new session.", lower(k.name)),
			Next:    "Look whether it was carried out, with a call that only reads; if it was not, call again.",
			Retry:   result.RetryCheck,
		}
	}
	if fail := k.open(ctx, s); fail != nil {
		return false, fail
	}
	return true, nil
}

// answerVars is what expressions know as response of an answer whose body no
// tool decodes: JSON, or text.
func answerVars(a *Answer) map[string]any {
	headers := make(map[string]any, len(a.Header))
	for name, v := range a.Header {
		headers[strings.ToLower(name)] = strings.Join(v, ", ")
	}
	return map[string]any{"status": json.Number(strconv.Itoa(a.Status)), "headers": headers, "body": looseBody(a.Body)}
}

func looseBody(b []byte) any {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return nil
	}
	if v, err := args.Value(b); err == nil {
		return v
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// pageVars is what a login knows as page.
func pageVars(a *Answer, jar *tokens.Session) map[string]any {
	page := answerVars(a)
	fields, meta := formOf(a.Body)
	cookies := map[string]any{}
	for _, c := range jar.All() {
		cookies[c.Name] = c.Value
	}
	page["fields"], page["meta"], page["cookies"] = fields, meta, cookies
	return page
}

// formOf reads the inputs of a page's form, by their names, and its meta
// elements. The form with a field for a password counts, else all do.
func formOf(page []byte) (fields, meta map[string]any) {
	all, own := map[string]any{}, map[string]any{}
	fields, meta = all, map[string]any{}
	secretive := false
	z := html.NewTokenizer(bytes.NewReader(page[:min(len(page), maxLoginPage)]))
	z.SetMaxBuf(maxLoginPage)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return fields, meta
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			at := map[string]string{}
			for _, a := range t.Attr {
				at[a.Key] = a.Val
			}
			switch t.Data {
			case "form":
				own, secretive = map[string]any{}, false
			case "meta":
				if name := cmp.Or(at["name"], at["property"]); name != "" {
					meta[name] = at["content"]
				}
			case "input":
				if name := at["name"]; name != "" {
					own[name] = at["value"]
					if _, known := all[name]; !known {
						all[name] = at["value"]
					}
				}
				if secretive = secretive || strings.EqualFold(at["type"], "password"); secretive {
					fields = own
				}
			}
		}
	}
}

// hasPasswordField tells whether a page asks for a password.
func hasPasswordField(page []byte) bool {
	page = page[:min(len(page), maxLoginPage)]
	if !bytes.Contains(bytes.ToLower(page), []byte("password")) {
		return false
	}
	z := html.NewTokenizer(bytes.NewReader(page))
	z.SetMaxBuf(maxLoginPage)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return false
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			for isInput := string(name) == "input"; more && isInput; {
				var key, v []byte
				key, v, more = z.TagAttr()
				if string(key) == "type" && strings.EqualFold(string(v), "password") {
					return true
				}
			}
		}
	}
}

// End logs the sessions of the client out, for a short time at most, besides those
// that another client goes on with; next may be nil. It is called when no call is
// made any more.
func (c *Client) End(ctx context.Context, next *Client) {
	for name, cred := range c.credentials {
		if next != nil && next.credentials[name] != nil && next.credentials[name].logins != nil && cred.logins != nil && next.credentials[name].logins.store == cred.logins.store {
			continue
		}
		if l := cred.logins; l != nil && l.logout != nil {
			l.store.Close(ctx, func(ctx context.Context, now *tokens.Session) { c.leave(ctx, l, now) })
		}
	}
}

// leave logs one session out. Whether it worked changes nothing.
func (c *Client) leave(ctx context.Context, l *logins, now *tokens.Session) {
	env := c.env
	env.Args, env.Vars = map[string]any{}, map[string]any{}
	req, err := l.logout.Build(ctx, &env, args.Args{})
	if err != nil {
		return
	}
	s := &session{logins: l, now: now, note: func(...string) {}}
	k := &call{Client: c, req: req, sent: &auth{signers: []tokens.Signer{s.sign}}, start: time.Now()}
	transport, body := c.transport, req.Body
	if l.transport != nil {
		transport = l.transport
	}
	if body == nil && bodyExpected(req.Method) {
		body = []byte{}
	}
	if res, err := transport.RoundTrip(k.http(ctx, k.sent, req.Method, req.URL, req.Header, body)); err == nil {
		_ = res.Body.Close()
	}
}
