package upstream

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	tokens "github.com/mcpc-dev/mcpc/runtime/internal/credential"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// credential is one way to authenticate, ready to be evaluated.
type credential struct {
	plan.Credential
	user    expr.Func // nil: the value holds both
	secret  expr.Func
	from    string                      // what has to be set: "environment variable X"
	tokens  *tokens.Tokens              // of oauth2 and tokenExchange
	digest  *tokens.Digest              // of digest
	learned atomic.Pointer[sealed.Text] // the last that Options.Learn was told of it
	session expr.Func                   // of awsSigV4; nil mostly
	logins  *logins                     // of session
	slow    []plan.Secret               // those that may be another one when they are asked for again
}

// newCredential makes a credential ready. Tokens are asked for through what via
// returns for the token URL.
func newCredential(u plan.Upstream, p plan.Credential, via func(address string) http.RoundTripper) (*credential, error) {
	c := &credential{Credential: p}
	for _, e := range p.Exprs() {
		c.slow = slices.DeleteFunc(collect(c.slow, e), func(s plan.Secret) bool { return !sealed.Slow(s) })
	}
	switch {
	case p.Kind == "bearer", p.Kind == "basic":
	case p.Kind == "passthrough":
		return c, nil
	case p.Kind == "session" && p.Session != nil:
		var err error
		if c.logins, err = newLogins(u, p.Session, via); err != nil {
			return nil, err
		}
		var sources []string
		for _, e := range p.Exprs() {
			sources = appendSources(sources, e)
			c.logins.secrets = collect(c.logins.secrets, e)
		}
		c.from = strings.Join(sources, " and ")
		return c, nil
	case p.Kind == "hmac" && p.HMAC != nil, p.Kind == "awsSigV4" && p.AWS != nil && p.Username != nil:
	case p.Kind == "digest" && p.Username != nil:
		c.digest = tokens.NewDigest()
	case (p.Kind == "oauth2" || p.Kind == "tokenExchange") && p.OAuth != nil:
		var err error
		if c.tokens, err = tokens.New(*p.OAuth, via(p.OAuth.TokenURL)); err != nil {
			return nil, err
		}
		if p.Value.Op == "" {
			return c, nil // a public client
		}
	case p.Kind == "apiKey" && p.Param != "" && (p.In == "header" || p.In == "query" || p.In == "cookie"):
	default:
		return nil, fmt.Errorf("kind %q in %q is not known", p.Kind, p.In)
	}
	var err error
	if c.secret, err = expr.Compile(p.Value); err != nil {
		return nil, err
	}
	sources := appendSources(nil, &p.Value)
	if p.Username != nil {
		if c.user, err = expr.Compile(*p.Username); err != nil {
			return nil, err
		}
		sources = appendSources(sources, p.Username)
	}
	if p.AWS != nil && p.AWS.Session != nil {
		if c.session, err = expr.Compile(*p.AWS.Session); err != nil {
			return nil, err
		}
		sources = appendSources(sources, p.AWS.Session)
	}
	c.from = strings.Join(sources, " and ")
	return c, nil
}

// appendSources says, for each secret of an expression, what has to be set.
func appendSources(list []string, e *plan.Expr) []string {
	if s := e.Secret; e.Op == plan.OpSecret && s != nil {
		what := fmt.Sprintf("secret %q", s.Name)
		if len(s.Env) > 0 {
			what = "environment variable " + strings.Join(s.Env, " or ")
		} else if s.File != "" {
			what = fmt.Sprintf("file of secret %q", s.Name)
		} else if len(s.Exec) > 0 {
			what = "output of " + s.Name
		} else if s.Vault != nil {
			what = "field of " + s.Name
		}
		if !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	for i := range e.Args {
		list = appendSources(list, &e.Args[i])
	}
	return list
}

// errMissing is returned for a secret that is not set.
var errMissing = errors.New("not set")

// text evaluates one part of a credential that is sent as it is.
func text(f expr.Func, env *expr.Env) (string, error) {
	s, err := plain(f, env)
	if err != nil {
		return "", err
	}
	// A line end in a header would begin another one; a secret read from a file
	// or pasted into a variable often has one.
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return "", errors.New("it holds a line end or another control character")
		}
	}
	return s, nil
}

// plain evaluates one part of a credential.
func plain(f expr.Func, env *expr.Env) (string, error) {
	v, err := f(env)
	if err != nil {
		if e, ok := errors.AsType[*sealed.Error](err); ok {
			return "", e
		}
		if _, ok := errors.AsType[*expr.SecretError](err); ok {
			return "", errMissing
		}
		return "", err
	}
	var s string
	switch v := v.(type) {
	case nil:
	case string:
		s = v
	case json.Number:
		s = string(v)
	default:
		return "", errors.New("it is not a text")
	}
	if s == "" {
		return "", errMissing
	}
	return s, nil
}

// auth is what authenticates one call.
type auth struct {
	names   []string
	missing [][]lack // of each alternative that could not be used
	items   []item
	signers []tokens.Signer // of the complete request
	login   *tokens.Login   // one of the signers, which answers challenges; nil mostly
	session *session        // whose is one of the signers; nil mostly
	secrets []sealed.Text   // everything that must not be shown
}

// nothing authenticates calls that need nothing. It is never changed.
var nothing = new(auth)

// know remembers texts that must not be shown.
func (a *auth) know(secrets ...string) {
	for _, s := range secrets {
		if s != "" && !slices.ContainsFunc(a.secrets, func(t sealed.Text) bool { return t.Reveal() == s }) {
			a.secrets = append(a.secrets, sealed.New(s))
		}
	}
}

// known are the texts that must not be shown.
func (a *auth) known() []string {
	list := make([]string, len(a.secrets))
	for i, t := range a.secrets {
		list[i] = t.Reveal()
	}
	return list
}

// item is one thing that is added to a request.
type item struct {
	from   string // whose it is, for Explain
	where  string // "header", "cookie" or "query"
	name   string
	prefix string // of the value, no secret
	value  sealed.Text

	// Of a token that was asked for: by what, and whether in this call.
	tokens *tokens.Tokens
	ask    tokens.Ask
	fresh  bool
}

// bearer is an item that carries a token.
func bearer(from, token string) item {
	return item{from: from, where: "header", name: "Authorization", prefix: "Bearer ", value: sealed.New(token)}
}

// add adds one credential; the error never holds a value.
func (a *auth) add(c *credential, env *expr.Env, learn func(string)) error {
	secret, err := text(c.secret, env)
	if err != nil {
		return err
	}
	from := "credential " + c.Name
	if c.from != "" {
		from += " (" + c.from + ")"
	}
	a.names = append(a.names, c.Name)
	a.know(secret)
	switch c.Kind {
	case "bearer":
		// What was copied with its scheme means the same.
		if len(secret) > 7 && strings.EqualFold(secret[:7], "bearer ") {
			secret = strings.TrimSpace(secret[7:])
			a.know(secret)
		}
		a.items = append(a.items, bearer(from, secret))
		return nil
	case "basic":
		password := secret
		if c.user != nil {
			user, err := text(c.user, env)
			if err != nil {
				return err
			}
			secret = user + ":" + secret
		} else if _, after, ok := strings.Cut(secret, ":"); ok {
			password = after
			a.know(password)
		} else {
			return errors.New("it is not of the form user:password")
		}
		coded := base64.StdEncoding.EncodeToString([]byte(secret))
		a.know(secret, coded)
		c.learn(coded, learn, password)
		a.items = append(a.items, item{from: from, where: "header", name: "Authorization", prefix: "Basic ", value: sealed.New(coded)})
		return nil
	}
	name := c.Param
	switch c.In {
	case "header":
		name = http.CanonicalHeaderKey(name)
	case "cookie":
		if strings.ContainsAny(secret, ";, \"\\") {
			return errors.New("it holds a character that a cookie cannot")
		}
	case "query":
		name, secret = escape(name), escape(secret)
	}
	a.items = append(a.items, item{from: from, where: c.In, name: name, value: sealed.New(secret)})
	return nil
}

// learn tells what comes of the credential, once as long as text stays the same.
func (c *credential) learn(text string, tell func(string), more ...string) {
	if last := c.learned.Load(); tell != nil && (last == nil || last.Reveal() != text) { // nobody is told of an explanation
		now := sealed.New(text)
		c.learned.Store(&now)
		for _, t := range append(more, text) {
			tell(t)
		}
	}
}

// escape encodes a part of a query; a space is %20, which every reader knows.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// MinRedact is the length below which a secret is not looked for in texts: the
// text would be destroyed, and so short a secret is none.
const MinRedact = 4

// Redact replaces secrets in a text, as they are and as they are written in
// JSON, in XML, in HTML, in URLs and in base64.
func Redact(text string, secrets []string) string { return Redactor(secrets).Replace(text) }

// Redactor is [Redact] of many texts.
func Redactor(secrets []string) *strings.Replacer {
	var all []string
	element := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	attribute := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")
	for _, secret := range secrets {
		if len(secret) >= MinRedact {
			quoted := string(result.AppendString(nil, secret))
			all = append(all, secret, quoted[1:len(quoted)-1], escape(secret), url.QueryEscape(secret), url.PathEscape(secret), element.Replace(secret), attribute.Replace(secret), html.EscapeString(secret))
			if cautious, err := json.Marshal(secret); err == nil { // which escapes for HTML, too
				all = append(all, string(cautious[1:len(cautious)-1]))
			}
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				all = append(all, e.EncodeToString([]byte(secret)))
			}
		}
	}
	// The longest first: one may be a part of another.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	all = slices.Compact(all)
	pairs := make([]string, 0, 2*len(all))
	for _, secret := range all {
		pairs = append(pairs, secret, hidden)
	}
	return strings.NewReplacer(pairs...)
}

// hidden stands where a secret is.
const hidden = "(secret)"

// hide replaces the values by [hidden].
func (a *auth) hide() {
	for i := range a.items {
		a.items[i].value = sealed.New(hidden)
	}
}

// header adds the credentials that go into header fields. It does not change
// values that are there: they may be shared with other calls.
func (a *auth) header(h http.Header) {
	for _, it := range a.items {
		switch it.where {
		case "header":
			h[it.name] = []string{it.prefix + it.value.Reveal()}
		case "cookie":
			pair := it.name + "=" + it.value.Reveal()
			if before := h["Cookie"]; len(before) > 0 {
				if slices.Contains(strings.Split(strings.Join(before, "; "), "; "), pair) {
					continue // the request is sent again
				}
				pair = strings.Join(before, "; ") + "; " + pair
			}
			h["Cookie"] = []string{pair}
		}
	}
}

// url adds the credentials that go into the query, at its end and without
// touching what is there. A redirect may have brought them along already.
func (a *auth) url(u *url.URL) *url.URL {
	query := u.RawQuery
	for _, it := range a.items {
		pair := it.name + "=" + it.value.Reveal()
		if it.where != "query" || slices.Contains(strings.Split(u.RawQuery, "&"), pair) {
			continue
		}
		if query != "" {
			query += "&"
		}
		query += pair
	}
	if query == u.RawQuery {
		return u
	}
	with := *u
	with.RawQuery = query
	return &with
}

// authenticate chooses the credentials of the first alternative whose secrets
// are all at hand. An alternative without credentials is the last choice
// wherever it stands: who set a secret wants it used.
func (k *call) authenticate(ctx context.Context, security [][]string) error {
	if err := k.choose(ctx, security); err != nil {
		return err
	}
	user := k.req.URL.User
	if user == nil {
		return nil
	}
	// Of a base URL with user information, which is not sent as such.
	at := *k.req.URL
	at.User = nil
	k.req.URL = &at
	password, _ := user.Password()
	coded := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
	if k.sent == nothing {
		k.sent = new(auth)
	}
	k.sent.know(password, coded)
	if !slices.ContainsFunc(k.sent.items, func(it item) bool { return it.name == "Authorization" }) {
		k.sent.items = append(k.sent.items, item{from: "base URL", where: "header", name: "Authorization", prefix: "Basic ", value: sealed.New(coded)})
	}
	return nil
}

func (k *call) choose(ctx context.Context, security [][]string) error {
	var missing [][]lack
	for _, alternative := range security {
		if len(alternative) == 0 {
			continue
		}
		a, lacks, err := k.try(ctx, alternative)
		if err != nil {
			return err
		}
		if lacks != nil {
			missing = append(missing, lacks)
			continue
		}
		if k.tls && k.req.URL.Scheme == "http" {
			return &Failure{
				Kind:    KindCredential,
				Message: k.name + " is called with encryption, but this operation's own address is plain http; a credential is not sent there.",
				Next:    "The operator of this server has to correct the address of the operation.",
			}
		}
		k.use(a)
		break
	}
	if missing != nil {
		if k.sent == nothing {
			k.sent = new(auth)
		}
		k.sent.missing = missing
	}
	return nil
}

// use sends the call with a.
func (k *call) use(a *auth) {
	k.sent = a
	if s := k.sent.session; s != nil {
		if s.note = k.sent.know; s.Shared {
			sent := k.sent
			s.note = func(texts ...string) {
				sent.know(texts...)
				for _, t := range texts {
					k.learn(t)
				}
			}
		}
	}
}

// dropCookies takes back the cookies that header added.
func (a *auth) dropCookies(h http.Header) {
	for _, it := range a.items {
		if it.where != "cookie" || len(h["Cookie"]) == 0 {
			continue
		}
		pairs := slices.DeleteFunc(strings.Split(strings.Join(h["Cookie"], "; "), "; "), func(p string) bool { return p == it.name+"="+it.value.Reveal() })
		if delete(h, "Cookie"); len(pairs) > 0 {
			h["Cookie"] = []string{strings.Join(pairs, "; ")}
		}
	}
}

// lack is a credential that is not at hand.
type lack struct {
	name string
	from string // what has to be set; "" when the scheme is not supported
}

// try evaluates the credentials of one alternative, and says which of them are
// not at hand.
func (k *call) try(ctx context.Context, names []string) (a *auth, lacks []lack, err error) {
	a = new(auth)
	var slow *sealed.Error
	for _, name := range names {
		c := k.credentials[name]
		if c == nil {
			lacks = append(lacks, lack{name: name})
			continue
		}
		var err error
		switch c.Kind {
		case "oauth2", "tokenExchange", "passthrough":
			err = k.addToken(ctx, a, c)
		case "session":
			err = k.addSession(ctx, a, c)
		case "awsSigV4", "hmac", "digest":
			err = k.addSigner(a, c)
		default:
			err = a.add(c, &k.env, k.learn)
		}
		if f, ok := errors.AsType[*Failure](err); ok {
			return nil, nil, f
		}
		switch {
		case err == nil:
		case errors.Is(err, errMissing):
			lacks = append(lacks, lack{name, c.from})
		case errors.As(err, &slow):
			f := &Failure{
				Kind:    KindCredential,
				Message: fmt.Sprintf("The %s could not be had: %s. Nothing was sent.", c.from, slow.Message),
				Next:    "The operator of this server has to look at it.",
				Retry:   result.RetryNo,
				cause:   err,
			}
			if slow.Passing {
				f.Retry = result.RetryMay
			}
			return nil, nil, f
		default:
			return nil, nil, &Failure{
				Kind:    KindCredential,
				Message: fmt.Sprintf("The credential in the %s cannot be sent: %v. Nothing was sent.", c.from, err),
				Next:    "The operator of this server has to correct it.",
			}
		}
	}
	return a, lacks, nil
}

// sentences says for each alternative what has to be set.
func sentences(missing [][]lack, of func(lack) string) []string {
	var out []string
	for _, alternative := range missing {
		var parts []string
		for _, l := range alternative {
			parts = append(parts, of(l))
		}
		out = append(out, strings.Join(parts, " and "))
	}
	return out
}

func (l lack) sentence() string {
	if l.from == "" {
		return fmt.Sprintf("a credential of the scheme %q, which is not supported", l.name)
	}
	return fmt.Sprintf("the %s (scheme %q)", l.from, l.name)
}

// entry is a line of an explanation.
func (l lack) entry() string {
	if l.from == "" {
		return l.name + ", which is not supported"
	}
	return l.name + ": " + l.from
}
