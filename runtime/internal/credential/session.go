package credential

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
)

const (
	maxSessions = 1000 // kept of one credential
	loginWithin = 30 * time.Second
	// After a login that was refused comes a pause, twice as long after each
	// further one: services lock accounts after a few wrong passwords. A login
	// that could not be answered is tried again sooner.
	restAfterLogin, restAfterLoginMax   = 30 * time.Second, 30 * time.Minute
	restAfterOutage, restAfterOutageMax = time.Second, 30 * time.Second
	// Other secrets are tried at once, but not without end: some are different each
	// time, such as one-time passwords.
	restAfterAny, restAfterAnyMax     = 5 * time.Second, 5 * time.Minute
	maxAccounts                       = 100
	logoutWithin                      = 5 * time.Second
	logoutsAtOnce                     = 8
	maxCookies, maxCookieBytes    int = 50, 4096
)

// Value is something that a login gave and that is sent with every request.
type Value struct {
	Query bool // a query parameter; false: a header
	Name  string
	Text  secret.Text
}

// Session is what a service knows a login by. It is safe for concurrent use.
type Session struct {
	Values []Value
	jar    http.CookieJar
	keep   []string // names of cookies; nil: all
	until  time.Time
	used   time.Time // guarded by the store's lock
	taken  *[]taken  // by a draft; nil mostly
}

// taken is what one answer set.
type taken struct {
	at     *url.URL
	header http.Header
}

// NewDraft returns a session for the time of a login: it keeps all cookies, and
// remembers how they were set. It is not safe for concurrent use.
func NewDraft() *Session {
	s := NewSession(nil)
	s.taken = &[]taken{}
	return s
}

// NewSession returns a session without anything in it. It keeps cookies of the
// names in keep, nil means all.
func NewSession(keep []string) *Session {
	// Of a jar for one service, whose only hosts are those of the plan, no list
	// of public suffixes is asked: no other host could be sent a cookie of it.
	jar, _ := cookiejar.New(nil) // never fails without options
	return &Session{jar: jar, keep: keep}
}

// Take keeps the cookies of an answer from an address.
func (s *Session) Take(at *url.URL, h http.Header) {
	if len(h["Set-Cookie"]) == 0 {
		return
	}
	if s.taken != nil {
		*s.taken = append(*s.taken, taken{at, http.Header{"Set-Cookie": h["Set-Cookie"]}})
	}
	kept := slices.DeleteFunc((&http.Response{Header: h}).Cookies(), func(c *http.Cookie) bool {
		return s.keep != nil && !slices.Contains(s.keep, c.Name) || len(c.Name)+len(c.Value) > maxCookieBytes
	})
	s.jar.SetCookies(at, kept[:min(len(kept), maxCookies)])
}

// Cookies are those that are sent to an address.
func (s *Session) Cookies(at *url.URL) []*http.Cookie {
	list := s.jar.Cookies(at)
	return list[:min(len(list), maxCookies)]
}

// account is what is known of one user at a service.
type account struct {
	turn  chan struct{} // holds one element while there is a login
	err   *Error        // why there is no session; nil: none was refused
	until time.Time     // before which no login is tried
	count int           // of logins that failed, in a row
	users int           // who wait or log in
}

// Owner is whose a session is.
type Owner struct {
	// Account stands for the secrets of the login; it is a digest of them.
	Account [sha256.Size]byte
	Caller  [3]string // zero where all callers have the same session
}

// Sessions keeps the sessions of one credential. There is one login of an
// account at a time, whoever it is for. It is safe for concurrent use.
type Sessions struct {
	ttl     time.Duration // 0: until they end
	now     func() time.Time
	flights singleflight.Group

	mu       sync.Mutex
	held     map[Owner]*Session
	accounts map[[sha256.Size]byte]*account
	refused  account // of logins that were refused whatever the account
}

// NewSessions returns a store of sessions that are replaced after ttl; 0 is
// never.
func NewSessions(ttl time.Duration) *Sessions {
	return &Sessions{ttl: ttl, now: time.Now, held: map[Owner]*Session{}, accounts: map[[sha256.Size]byte]*account{}}
}

// Get returns a session, and whether it was logged in for just now rather than
// kept. The error is an [*Error], or that of ctx.
func (s *Sessions) Get(ctx context.Context, o Owner, login func(context.Context) (*Session, *Error)) (session *Session, fresh bool, err error) {
	if k := s.get(o); k != nil {
		return k, false, nil
	}
	// The session is for all who wait: one who goes away does not end the login.
	detached := context.WithoutCancel(ctx)
	flight := s.flights.DoChan(fmt.Sprintf("%x%q", o.Account, o.Caller), func() (any, error) {
		if k := s.get(o); k != nil {
			return k, nil // another flight ended in between
		}
		ctx, cancel := context.WithTimeout(detached, loginWithin)
		defer cancel()
		k, e := s.login(ctx, o, login)
		if e != nil {
			return nil, e
		}
		return k, nil
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, true, r.Err
		}
		k, _ := r.Val.(*Session)
		return k, true, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

// login waits for the turn of an account and logs in.
func (s *Sessions) login(ctx context.Context, o Owner, login func(context.Context) (*Session, *Error)) (*Session, *Error) {
	a := s.enter(o.Account)
	defer s.leave(o.Account, a)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, &Error{Passing: true, Message: "another login takes too long"}
	}
	s.mu.Lock()
	now := s.now()
	e, wait := a.err, a.until.Sub(now)
	if rest := s.refused.until.Sub(now); s.refused.count > 1 && rest > wait {
		e, wait = s.refused.err, rest
	}
	s.mu.Unlock()
	if e != nil && wait > 0 {
		again := *e
		again.Wait = wait
		again.Message = e.Message + "; for a while it is not tried again"
		return nil, &again
	}
	k, e := login(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.now()
	if a.err = e; e != nil {
		rest, most := restAfterLogin, restAfterLoginMax
		if e.Passing {
			rest, most = restAfterOutage, restAfterOutageMax
		}
		a.until = now.Add(max(min(rest<<min(a.count, 16), most), e.Wait))
		a.count++
		if !e.Passing {
			s.refused.err, s.refused.until = e, now.Add(min(restAfterAny<<min(s.refused.count, 16), restAfterAnyMax))
			s.refused.count++
		}
		s.prune(now)
		return nil, e
	}
	a.count, s.refused = 0, account{}
	if s.ttl > 0 {
		k.until = now.Add(s.ttl)
	}
	k.used = now
	s.drop(now)
	s.held[o] = k
	return k, nil
}

func (s *Sessions) enter(id [sha256.Size]byte) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[id]
	if a == nil {
		a = &account{turn: make(chan struct{}, 1)}
		s.accounts[id] = a
	}
	a.users++
	return a
}

// leave forgets an account of which nothing has to be remembered.
func (s *Sessions) leave(id [sha256.Size]byte, a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.users--
	if a.users == 0 && a.err == nil {
		delete(s.accounts, id)
	}
}

func (s *Sessions) get(o Owner) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.held[o]
	if k == nil {
		return nil
	}
	now := s.now()
	if !k.until.IsZero() && !now.Before(k.until) {
		delete(s.held, o)
		return nil
	}
	k.used = now
	return k
}

// drop makes room for one more session: those that are over go, then the one
// that was not used for the longest time.
func (s *Sessions) drop(now time.Time) {
	if len(s.held) < maxSessions {
		return
	}
	var oldest Owner
	first := true
	for o, k := range s.held {
		if !k.until.IsZero() && !now.Before(k.until) {
			delete(s.held, o)
		} else if first || k.used.Before(s.held[oldest].used) {
			oldest, first = o, false
		}
	}
	if len(s.held) >= maxSessions {
		delete(s.held, oldest)
	}
}

// prune forgets accounts that were not tried for long, when there are many.
func (s *Sessions) prune(now time.Time) {
	if len(s.accounts) < maxAccounts {
		return
	}
	for id, a := range s.accounts {
		if a.users == 0 && now.After(a.until) {
			delete(s.accounts, id)
		}
	}
}

// Forget drops a session that has ended, unless it was replaced already.
func (s *Sessions) Forget(o Owner, k *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[o] == k {
		delete(s.held, o)
	}
}

// Close forgets all sessions, after logout was called for each, a few at a time
// and for a short time in all.
func (s *Sessions) Close(ctx context.Context, logout func(context.Context, *Session)) {
	s.mu.Lock()
	held := s.held
	s.held = map[Owner]*Session{}
	s.mu.Unlock()
	if logout == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logoutWithin)
	defer cancel()
	var all sync.WaitGroup
	places := make(chan struct{}, logoutsAtOnce)
	for _, k := range held {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if ctx.Err() == nil {
				logout(ctx, k)
			}
		})
	}
	all.Wait()
}

// Adopt takes over the cookies of a draft that this session keeps.
func (s *Session) Adopt(draft *Session) {
	for _, t := range *draft.taken {
		s.Take(t.at, t.header)
	}
}

// All are the cookies of a draft, wherever they go; of the same name the last.
func (s *Session) All() (list []*http.Cookie) {
	for _, t := range *s.taken {
		for _, c := range (&http.Response{Header: t.header}).Cookies() {
			list = slices.DeleteFunc(list, func(have *http.Cookie) bool { return have.Name == c.Name })
			if c.MaxAge >= 0 {
				list = append(list, c)
			}
		}
	}
	return list
}
