package redisstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func text(s string) plan.Expr { return plan.Expr{Op: plan.OpConst, Const: strconv.Quote(s)} }

// connect returns a store of a server.
func connect(t testing.TB, p plan.Store, o limit.StoreOptions) *store {
	t.Helper()
	if p.Timeout == 0 {
		p.Timeout = 5 * time.Second
	}
	s, err := open(&p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.(*store)
}

func local(t testing.TB, r *redis) *store {
	return connect(t, plan.Store{Name: "s", URL: text("redis://" + r.Address())}, limit.StoreOptions{})
}

// rate is a bucket of so many calls, one more each every.
func rate(every time.Duration, burst int) limit.Terms {
	var t limit.Terms
	t.Buckets[limit.Calls] = limit.Bucket{Cost: every, Need: every, Room: time.Duration(burst) * every}
	return t
}

func take(t testing.TB, s *store, key string, terms limit.Terms) limit.Verdict {
	t.Helper()
	v, err := s.Take(t.Context(), key, terms)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func settle(t testing.TB, s *store, key, lease string, more [limit.Measures]time.Duration) {
	t.Helper()
	if err := s.Settle(t.Context(), key, lease, more); err != nil {
		t.Fatal(err)
	}
}

// do asks the server something by name.
func do(t testing.TB, s *store, words ...string) rueidis.RedisResult {
	t.Helper()
	c, err := s.connection()
	if err != nil {
		t.Fatal(err)
	}
	r := c.Do(t.Context(), c.B().Arbitrary(words[0]).Args(words[1:]...).Build())
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%v: %v", words, err)
	}
	return r
}

// near tells whether a time is what it should be, less what has passed.
func near(d, want time.Duration) bool { return d <= want && d > want-30*time.Second }

func TestRate(t *testing.T) {
	s := local(t, startRedis(t))
	terms := rate(time.Hour, 3)
	for i := range 3 {
		if v := take(t, s, "k", terms); !v.Taken || v.Delay != 0 {
			t.Errorf("call %d: %+v", i, v)
		}
	}
	for range 3 { // what is refused takes nothing
		if v := take(t, s, "k", terms); v.Taken || v.Busy || !near(v.Delay, time.Hour) || v.Of != limit.Calls {
			t.Errorf("the fourth: %+v", v)
		}
	}
	if v := take(t, s, "other", terms); !v.Taken {
		t.Errorf("another key: %+v", v)
	}
	terms.Wait = 2 * time.Hour
	if v := take(t, s, "k", terms); !v.Taken || !near(v.Delay, time.Hour) {
		t.Errorf("one that waits: %+v", v)
	}
	if v := take(t, s, "k", terms); !v.Taken || !near(v.Delay, 2*time.Hour) {
		t.Errorf("the next one: %+v", v)
	}
	if v := take(t, s, "k", terms); v.Taken || !near(v.Delay, 3*time.Hour) {
		t.Errorf("one whose turn comes too late: %+v", v)
	}
	// Two calls that were not made.
	var back [limit.Measures]time.Duration
	back[limit.Calls] = -time.Hour
	settle(t, s, "k", "", back)
	settle(t, s, "k", "", back)
	if v := take(t, s, "k", terms); !v.Taken || !near(v.Delay, time.Hour) {
		t.Errorf("after refunds: %+v", v)
	}
	settle(t, s, "new", "", back)
	if n, err := do(t, s, "EXISTS", "new").AsInt64(); err != nil || n != 0 {
		t.Errorf("a refund to a full bucket: %d %v", n, err)
	}
}

// No rounding adds up: a burst of odd fractions is let through to the last call.
func TestFractions(t *testing.T) {
	s := local(t, startRedis(t))
	for _, every := range []time.Duration{time.Second / 3, time.Minute / 7, time.Hour / 999_983, time.Second / 1_000_003} {
		const burst = 500
		terms := rate(every, burst)
		// So much at once as will not be gained while the test runs.
		terms.Buckets[limit.Calls].Cost *= 1000
		terms.Buckets[limit.Calls].Need *= 1000
		terms.Buckets[limit.Calls].Room *= 1000
		taken := 0
		for range burst {
			if take(t, s, every.String(), terms).Taken {
				taken++
			}
		}
		if taken != burst {
			t.Errorf("every %v: %d of %d", every, taken, burst)
		}
	}
}

// A bucket expires when it is full again; nothing else is left behind.
func TestExpiry(t *testing.T) {
	s := local(t, startRedis(t))
	terms := rate(time.Hour, 3)
	terms.Places, terms.Lease, terms.Hold = 2, "a", time.Minute
	terms.Buckets[limit.BytesOut] = limit.Bucket{Need: 1, Room: time.Hour}
	take(t, s, "k", terms)
	take(t, s, "k", terms)
	var more [limit.Measures]time.Duration
	more[limit.BytesOut] = 5 * time.Hour
	settle(t, s, "k", "", more)
	for key, want := range map[string]time.Duration{"k": 2 * time.Hour, "ko": 5 * time.Hour, "kp": time.Minute} {
		ms, err := do(t, s, "PTTL", key).AsInt64()
		if d := time.Duration(ms) * time.Millisecond; err != nil || !near(d, want) {
			t.Errorf("%s ends in %v, not %v", key, d, want)
		}
	}
	if n, err := do(t, s, "DBSIZE").AsInt64(); err != nil || n != 3 {
		t.Errorf("%d keys, %v", n, err)
	}
	settle(t, s, "k", "a", [limit.Measures]time.Duration{})
	if n, err := do(t, s, "EXISTS", "kp").AsInt64(); err != nil || n != 0 {
		t.Errorf("a place that was given back: %d %v", n, err)
	}
}

// A budget of results may owe; the call that asks has to find one byte.
func TestBytes(t *testing.T) {
	s := local(t, startRedis(t))
	var terms limit.Terms
	terms.Buckets[limit.BytesIn] = limit.Bucket{Cost: time.Minute, Need: time.Minute, Room: time.Hour}
	terms.Buckets[limit.BytesOut] = limit.Bucket{Need: time.Second, Room: time.Hour}
	if v := take(t, s, "k", terms); !v.Taken {
		t.Errorf("the first: %+v", v)
	}
	var more [limit.Measures]time.Duration
	more[limit.BytesOut] = 10 * time.Hour
	settle(t, s, "k", "", more)
	if v := take(t, s, "k", terms); v.Taken || v.Of != limit.BytesOut || !near(v.Delay, 9*time.Hour+time.Second) {
		t.Errorf("in debt: %+v", v)
	}
	terms.Buckets[limit.BytesIn] = limit.Bucket{Cost: time.Hour, Need: time.Hour, Room: time.Hour}
	if v := take(t, s, "other", terms); !v.Taken {
		t.Errorf("all of it at once: %+v", v)
	}
	if v := take(t, s, "other", terms); v.Taken || v.Of != limit.BytesIn || !near(v.Delay, time.Hour) {
		t.Errorf("once more: %+v", v)
	}
}

func TestPlaces(t *testing.T) {
	s := local(t, startRedis(t))
	terms := limit.Terms{Places: 2, Hold: time.Hour}
	named := func(id string) limit.Terms { c := terms; c.Lease = id; return c }
	for _, id := range []string{"a", "b"} {
		if v := take(t, s, "k", named(id)); !v.Taken {
			t.Errorf("%s: %+v", id, v)
		}
	}
	if v := take(t, s, "k", named("c")); v.Taken || !v.Busy {
		t.Errorf("the third: %+v", v)
	}
	settle(t, s, "k", "a", [limit.Measures]time.Duration{})
	if v := take(t, s, "k", named("c")); !v.Taken {
		t.Errorf("after one has ended: %+v", v)
	}
	// A lease that nobody renews ends by itself, however the server went.
	short := terms
	short.Hold, short.Places = 50*time.Millisecond, 1
	short.Lease = "dead"
	take(t, s, "crash", short)
	short.Lease = "next"
	for began := time.Now(); !take(t, s, "crash", short).Taken; {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the place of a call that died is not free")
		}
	}
	// One that is renewed does not, and is known again when the store forgot it.
	do(t, s, "FLUSHALL")
	if err := s.Renew(t.Context(), []limit.Lease{{Key: "k", ID: "b"}, {Key: "k", ID: "c"}}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if v := take(t, s, "k", named("d")); !v.Busy {
		t.Errorf("after the store lost its data: %+v", v)
	}
}

// What is refused for want of places costs nothing, and the other way round.
func TestPlacesAndRate(t *testing.T) {
	s := local(t, startRedis(t))
	terms := rate(time.Hour, 2)
	terms.Places, terms.Lease, terms.Hold = 1, "a", time.Hour
	take(t, s, "k", terms)
	for range 3 {
		if v := take(t, s, "k", terms); !v.Busy {
			t.Errorf("no place: %+v", v)
		}
	}
	settle(t, s, "k", "a", [limit.Measures]time.Duration{})
	if v := take(t, s, "k", terms); !v.Taken {
		t.Errorf("the second: %+v", v)
	}
	settle(t, s, "k", "a", [limit.Measures]time.Duration{})
	for range 3 {
		if v := take(t, s, "k", terms); v.Taken || v.Busy {
			t.Errorf("too often, and no place is taken: %+v", v)
		}
	}
}

// Many clients at once get exactly what there is.
func TestTogether(t *testing.T) {
	r := startRedis(t)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		s := local(t, r)
		for range 8 {
			wg.Go(func() {
				for range 50 {
					v, err := s.Take(t.Context(), "k", rate(time.Hour, 777))
					if err != nil {
						t.Error(err)
					} else if v.Taken {
						taken.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	if taken.Load() != 777 {
		t.Errorf("%d calls of 777", taken.Load())
	}
}

// A server that was restarted knows no scripts.
func TestRestart(t *testing.T) {
	r := startRedis(t)
	s := local(t, r)
	take(t, s, "k", rate(time.Hour, 1))
	do(t, s, "SCRIPT", "FLUSH")
	if v := take(t, s, "k", rate(time.Hour, 1)); v.Taken {
		t.Errorf("%+v", v)
	}
	placed := limit.Terms{Places: 1, Hold: time.Hour, Lease: "a"}
	take(t, s, "place", placed)
	do(t, s, "SCRIPT", "FLUSH")
	if err := s.Renew(t.Context(), []limit.Lease{{Key: "place", ID: "a"}}, time.Hour); err != nil {
		t.Errorf("a lease is renewed: %v", err)
	}
	do(t, s, "SCRIPT", "FLUSH")
	settle(t, s, "place", "a", [limit.Measures]time.Duration{limit.Calls: time.Minute})
	placed.Lease = "b"
	if v := take(t, s, "place", placed); !v.Taken {
		t.Errorf("the place was given back: %+v", v)
	}
	r.Kill()
	if _, err := s.Take(t.Context(), "k", rate(time.Hour, 1)); err == nil {
		t.Error("a server that is away answered")
	}
	r.Start()
	for began := time.Now(); ; {
		v, err := s.Take(t.Context(), "k", rate(time.Hour, 1))
		if err == nil {
			if !v.Taken {
				t.Errorf("%+v", v)
			}
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// A clock that is set back, or that of a replica which took over, does not lock
// anybody out for as long as it went back.
func TestClockSetBack(t *testing.T) {
	s := local(t, startRedis(t))
	ahead := func(d time.Duration) string {
		return strconv.FormatInt(time.Now().Add(d).UnixMicro()-1735689600*1_000_000, 10)
	}
	do(t, s, "SET", "k", ahead(30*24*time.Hour))
	v := take(t, s, "k", rate(time.Second, 5))
	if v.Taken || v.Delay > time.Second {
		t.Errorf("%+v", v)
	}
	// What a bucket can owe, it owes.
	wait := rate(time.Minute, 2)
	wait.Wait = 5 * time.Minute
	for i := range 7 {
		if v := take(t, s, "queue", wait); !v.Taken {
			t.Errorf("%d: %+v", i, v)
		}
	}
	if v := take(t, s, "queue", wait); v.Taken || !near(v.Delay, 6*time.Minute) {
		t.Errorf("%+v", v)
	}
	// So does one that is charged afterwards, without a bound.
	do(t, s, "SET", "bo", ahead(30*24*time.Hour))
	var out limit.Terms
	out.Buckets[limit.BytesOut] = limit.Bucket{Need: time.Millisecond, Room: time.Hour}
	if v := take(t, s, "b", out); v.Taken || v.Delay < 24*time.Hour {
		t.Errorf("%+v", v)
	}
}

// certificates writes an authority, and a certificate and key of this machine.
func certificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	path := write("cert.pem", "CERTIFICATE", der)
	return path, path, write("key.pem", "EC PRIVATE KEY", secret)
}

func TestPasswordAndTLS(t *testing.T) {
	ca, cert, key := certificates(t)
	r := startRedis(t, "--tls-port", "0")
	plain := r.Port
	r.Kill()
	r.args = []string{"--port", "0", "--tls-port", plain, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca, "--tls-auth-clients", "no", "--requirepass", "sesame-1"}
	r.Start()
	password := "sesame-1"
	secret := plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "REDIS"}}
	o := limit.StoreOptions{ReadFile: os.ReadFile, Secret: func(plan.Secret) (string, error) { return password, nil }}
	at := text("rediss://" + r.Address() + "/3")
	good := plan.Store{Name: "s", URL: at, Password: &secret, TLS: &plan.ClientTLS{CA: ca, MinVersion: "1.2"}}
	if v := take(t, connect(t, good, o), "k", rate(time.Hour, 1)); !v.Taken {
		t.Errorf("%+v", v)
	}
	whole := plan.Store{Name: "s", URL: secret, TLS: good.TLS}
	password = "rediss://:sesame-1@" + r.Address() + "/3"
	if v := take(t, connect(t, whole, o), "k", rate(time.Hour, 1)); v.Taken {
		t.Errorf("the same database, by a secret URL: %+v", v)
	}
	for name, bad := range map[string]struct {
		p        plan.Store
		password string
	}{
		"authority": {plan.Store{Name: "s", URL: at, Password: &secret}, "sesame-1"},
		"password":  {good, "sesame-2"},
		"none":      {plan.Store{Name: "s", URL: at, TLS: good.TLS}, ""},
		"name":      {plan.Store{Name: "s", URL: at, Password: &secret, TLS: &plan.ClientTLS{CA: ca, ServerName: "other.example"}}, "sesame-1"},
		"file":      {plan.Store{Name: "s", URL: at, Password: &secret, TLS: &plan.ClientTLS{CA: ca + "x"}}, "sesame-1"},
		"no TLS":    {plan.Store{Name: "s", URL: text("redis://" + r.Address()), Password: &secret}, "sesame-1"},
		"no URL":    {plan.Store{Name: "s", URL: secret}, "http://:sesame-9@x"},
		"broken":    {plan.Store{Name: "s", URL: secret}, "redis://:sesame-9@x/y"},
		"no text":   {plan.Store{Name: "s", URL: plan.Expr{Op: plan.OpConst, Const: "1"}}, ""},
	} {
		password = bad.password
		_, err := connect(t, bad.p, o).Take(t.Context(), "k", rate(time.Hour, 1))
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}

// A cluster of one node is a cluster: keys of a call are in one slot.
func TestCluster(t *testing.T) {
	r := startRedis(t, "--cluster-enabled", "yes")
	s := connect(t, plan.Store{Name: "s", URL: text("redis://" + r.Address())}, limit.StoreOptions{})
	bare, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Address()}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := bare.Do(t.Context(), bare.B().Arbitrary("CLUSTER", "ADDSLOTSRANGE").Args("0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; {
		info, err := bare.Do(t.Context(), bare.B().Arbitrary("CLUSTER", "INFO").Build()).ToString()
		if err == nil && strings.Contains(info, "cluster_state:ok") {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("no cluster: %s %v", info, err)
		}
	}
	terms := rate(time.Hour, 1)
	terms.Places, terms.Lease, terms.Hold = 2, "a", time.Hour
	terms.Buckets[limit.BytesOut] = limit.Bucket{Need: 1, Room: time.Hour}
	for i := range 20 {
		key := fmt.Sprintf("mcpc:x:{%d}", i)
		if v := take(t, s, key, terms); !v.Taken {
			t.Errorf("%+v", v)
		}
		var more [limit.Measures]time.Duration
		more[limit.Calls], more[limit.BytesOut] = -time.Hour, time.Minute
		settle(t, s, key, "a", more)
		if v := take(t, s, key, terms); !v.Taken {
			t.Errorf("again: %+v", v)
		}
	}
}

// TestKeySize holds the memory of a key; MCPC_REDIS_KEYS says how many are made.
func TestKeySize(t *testing.T) {
	keys := 20_000
	if s := os.Getenv("MCPC_REDIS_KEYS"); s != "" {
		var err error
		if keys, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	s := local(t, startRedis(t))
	used := func() int64 {
		info, err := do(t, s, "INFO", "memory").ToString()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(info, "used_memory:")
		line, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	take(t, s, "first", rate(time.Hour, 1))
	before := used()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 32 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(keys); n = next.Add(1) {
				if _, err := s.Take(t.Context(), fmt.Sprintf("mcpc:orders:per-client:Ab3d:%08d:{%016d}", n%100, n), rate(time.Hour, 20)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	each := float64(used()-before) / float64(keys)
	t.Logf("%d keys, %.0f bytes each", keys, each)
	if each > 250 {
		t.Errorf("a key takes %.0f bytes", each)
	}
}

func BenchmarkTake(b *testing.B) {
	s := local(b, startRedis(b))
	terms := rate(time.Microsecond, 1_000_000)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Take(ctx, "mcpc:bench:{k}", terms); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTakeParallel(b *testing.B) {
	s := local(b, startRedis(b))
	terms := rate(time.Microsecond, 1_000_000)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Take(b.Context(), "mcpc:bench:{k}", terms); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// A server that answers and cannot do what is asked has failed.
func TestRefuses(t *testing.T) {
	r := startRedis(t)
	s := local(t, r)
	take(t, s, "k", rate(time.Hour, 5))
	for name, how := range map[string]struct{ off, on []string }{
		"full":      {[]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		"read-only": {[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}},
		"forbidden": {[]string{"ACL", "SETUSER", "default", "-evalsha", "-eval"}, []string{"ACL", "SETUSER", "default", "+@all"}},
	} {
		do(t, s, how.off...)
		if v, err := s.Take(t.Context(), "k", rate(time.Hour, 5)); err == nil {
			t.Errorf("%s: %+v", name, v)
		}
		do(t, s, how.on...)
		if _, err := s.Take(t.Context(), "k", rate(time.Hour, 50)); err != nil {
			t.Errorf("%s, and no longer so: %v", name, err)
		}
	}
}

// BenchmarkLimit is a decision as a call asks for it, by one client after another.
func BenchmarkLimit(b *testing.B) {
	r := startRedis(b)
	k, err := limit.NewKeeper(&plan.Store{Name: "s", URL: text("redis://" + r.Address()), Timeout: 5 * time.Second, Prefix: "mcpc:"}, limit.StoreOptions{}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	l, err := limit.New(&plan.CallLimit{Name: "all", Every: time.Microsecond, Burst: 1_000_000, Store: "s", OnError: "deny", Key: &plan.Expr{Op: plan.OpArg, Name: "client"}}, "bench", k)
	if err != nil {
		b.Fatal(err)
	}
	ask := limit.Ask{Env: &expr.Env{Args: map[string]any{"client": "c"}}}
	b.ReportAllocs()
	for b.Loop() {
		p, refusal := l.Take(b.Context(), ask)
		if refusal != nil {
			b.Fatalf("%+v", refusal)
		}
		p.Done(100)
	}
}
