// Package redisstore keeps rate limits in Redis, or in a server that is compatible.
// A program that imports it can serve specs with a store:
//
//	import _ "github.com/mcpc-dev/mcpc/runtime/redisstore"
//
// Generated servers do where their spec has one; others do not link the client.
//
// A bucket is a string: when it is full again, in microseconds of the store's clock.
// It expires then. The places of a limit are a sorted set of leases by the time at
// which they end. What is asked of them is a script each, so one round trip, and
// decided by the store's clock: those of the servers do not matter.
package redisstore

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

//nolint:gochecknoinits // importing this package is what asks for it, as with database drivers
func init() { limit.Register(open) }

var (
	//go:embed take.lua
	takeText string
	//go:embed settle.lua
	settleText string
	//go:embed renew.lua
	renewText string
)

// store is a Redis server.
type store struct {
	plan                   *plan.Store
	options                limit.StoreOptions
	url                    expr.Func
	username, password     expr.Func // nil: those of the URL, or none
	take, settle, renewing *rueidis.Lua

	mu     sync.Mutex
	client rueidis.Client // nil: not connected yet
	closed bool
}

func open(p *plan.Store, o limit.StoreOptions) (limit.Store, error) {
	s := &store{plan: p, options: o, take: rueidis.NewLuaScript(takeText), settle: rueidis.NewLuaScript(settleText), renewing: rueidis.NewLuaScript(renewText)}
	for _, x := range []struct {
		what string
		expr *plan.Expr
		to   *expr.Func
	}{{"url", &p.URL, &s.url}, {"username", p.Username, &s.username}, {"password", p.Password, &s.password}} {
		if x.expr == nil {
			continue
		}
		var err error
		if *x.to, err = expr.Compile(*x.expr); err != nil {
			return nil, fmt.Errorf("store %s: %s: %w", p.Name, x.what, err)
		}
	}
	return s, nil
}

// settings are how the server is connected to. Errors do not repeat the URL, which
// may be a secret.
func (s *store) settings() (o rueidis.ClientOption, err error) {
	text := func(x expr.Func) (string, error) {
		v, err := x(&expr.Env{Secret: s.options.Secret})
		if err != nil {
			return "", err
		}
		t, ok := v.(string)
		if !ok {
			return "", errors.New("it is no text")
		}
		return t, nil
	}
	where, err := text(s.url)
	if err != nil {
		return o, fmt.Errorf("url: %w", err)
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.RawQuery != "" {
		return o, errors.New("url is not redis://HOST:PORT/DATABASE or rediss://HOST:PORT/DATABASE")
	}
	if o, err = rueidis.ParseURL(where); err != nil {
		return o, errors.New("url does not end in the number of a database")
	}
	given := rueidis.AuthCredentials{Username: o.Username, Password: o.Password}
	// Read for each connection, so that a new password is used from then on.
	o.AuthCredentialsFn = func(rueidis.AuthCredentialsContext) (c rueidis.AuthCredentials, err error) {
		c = given
		if s.username != nil {
			if c.Username, err = text(s.username); err != nil {
				return c, fmt.Errorf("username: %w", err)
			}
		}
		if s.password != nil {
			if c.Password, err = text(s.password); err != nil {
				return c, fmt.Errorf("password: %w", err)
			}
		}
		return c, nil
	}
	if u.Scheme == "rediss" {
		p := s.plan.TLS
		if p == nil {
			p = &plan.ClientTLS{}
		}
		if o.TLSConfig, err = upstream.ClientTLS(p, s.options.ReadFile); err != nil {
			return o, err
		}
		if o.TLSConfig.ServerName == "" {
			o.TLSConfig.ServerName = u.Hostname()
		}
		o.TLSConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	o.ClientName = "mcpc"
	// A call is decided once: who asks again is whoever asked.
	o.DisableRetry, o.DisableCache = true, true
	// Commands are short and share one connection.
	o.PipelineMultiplex = -1
	o.ReadBufferEachConn, o.WriteBufferEachConn = 32<<10, 32<<10
	o.Dialer.Timeout = max(s.plan.Timeout, 2*time.Second)
	o.ConnWriteTimeout = max(s.plan.Timeout, time.Second)
	return o, nil
}

// connection is the client, connected when it is first needed. Only that is waited
// for here: a client that is connected sees to it that it stays so.
func (s *store) connection() (rueidis.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, rueidis.ErrClosing
	case s.client != nil:
		return s.client, nil
	}
	o, err := s.settings()
	if err != nil {
		return nil, err
	}
	c, err := rueidis.NewClient(o)
	if err != nil {
		return nil, err
	}
	s.client = c
	return c, nil
}

// Close ends the connections.
func (s *store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed = true; s.client != nil {
		s.client.Close()
	}
}

// suffixes tell the buckets of a key apart; places is that of its leases.
var suffixes = [limit.Measures]string{limit.Calls: "", limit.BytesIn: "i", limit.BytesOut: "o"}

const places = "p"

// micros is a time as the scripts take it.
func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 3, 64)
}

// Take implements [limit.Store].
func (s *store) Take(ctx context.Context, key string, t limit.Terms) (v limit.Verdict, err error) {
	c, err := s.connection()
	if err != nil {
		return v, err
	}
	keys, of := make([]string, 0, 4), make([]limit.Measure, 0, 3)
	args := append(make([]string, 0, 16), micros(t.Wait), strconv.Itoa(t.Places), t.Lease, micros(t.Hold))
	for m, b := range t.Buckets {
		if b.Room > 0 {
			keys, of = append(keys, key+suffixes[m]), append(of, limit.Measure(m))
			args = append(args, micros(b.Cost), micros(b.Need), micros(b.Room))
		}
	}
	if t.Places > 0 {
		keys = append(keys, key+places)
	}
	said, err := s.take.Exec(ctx, c, keys, args).AsIntSlice()
	if err != nil {
		return v, err
	}
	if len(said) != 3 || said[1] < 0 || said[1] > int64(len(of)) {
		return v, fmt.Errorf("the store answered %d numbers", len(said))
	}
	v.Taken, v.Busy = said[0] == 1, said[0] == -1
	v.Delay = time.Duration(said[2]) * time.Microsecond
	if i := said[1]; i > 0 {
		v.Of = of[i-1]
	}
	return v, nil
}

// Settle implements [limit.Store].
func (s *store) Settle(ctx context.Context, key, lease string, more [limit.Measures]time.Duration) error {
	c, err := s.connection()
	if err != nil {
		return err
	}
	keys, args := make([]string, 0, 4), append(make([]string, 0, 4), lease)
	for m, d := range more {
		if d != 0 {
			keys, args = append(keys, key+suffixes[m]), append(args, micros(d))
		}
	}
	if lease != "" {
		keys = append(keys, key+places)
	}
	return s.settle.Exec(ctx, c, keys, args).Error()
}

// Renew implements [limit.Store].
func (s *store) Renew(ctx context.Context, leases []limit.Lease, hold time.Duration) error {
	c, err := s.connection()
	if err != nil {
		return err
	}
	all := make([]rueidis.LuaExec, len(leases))
	for i, l := range leases {
		all[i] = rueidis.LuaExec{Keys: []string{l.Key + places}, Args: []string{l.ID, micros(hold)}}
	}
	for _, r := range s.renewing.ExecMulti(ctx, c, all...) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}
