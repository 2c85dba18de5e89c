package runtime

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	_ "github.com/mcpc-dev/mcpc/runtime/redisstore"
)

// writePair writes a certificate for a time, and its key.
func writePair(t *testing.T, name string, from, to time.Duration) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: text}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// checkFindings compares findings with "check:status" and what they say, and holds
// every problem to saying what to do.
func checkFindings(t *testing.T, list []probe.Finding, want string, says ...string) {
	t.Helper()
	var got []string
	all := ""
	for _, f := range list {
		got = append(got, f.Check+":"+string(f.Status))
		all += f.Detail + "; " + f.Next + "\n"
		if f.Detail == "" || (f.Next == "") != (f.Status == probe.OK) {
			t.Errorf("%+v does not say what was found, or what to do", f)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%v, want %s\n%s", got, want, all)
	}
	for _, s := range says {
		if !strings.Contains(all, s) {
			t.Errorf("%q is not said:\n%s", s, all)
		}
	}
}

func TestProbePair(t *testing.T) {
	const day = 24 * time.Hour
	good, goodKey := writePair(t, "good", -time.Hour, 100*day)
	_, otherKey := writePair(t, "other", -time.Hour, 100*day)
	ending, endingKey := writePair(t, "ending", -time.Hour, 5*day+time.Hour)
	ended, endedKey := writePair(t, "ended", -10*day, -day)
	early, earlyKey := writePair(t, "early", day, 100*day)
	open, openKey := writePair(t, "open", -time.Hour, 100*day)
	if err := os.Chmod(openKey, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, cert, key, want, says string }{
		{"good", good, goodKey, "certificate:ok", "good until"},
		{"ends soon", ending, endingKey, "certificate:warn", "in 5 days"},
		{"ended", ended, endedKey, "certificate:fail", "Renew the certificate"},
		{"not yet", early, earlyKey, "certificate:fail", "begins on"},
		{"another key", good, otherKey, "certificate:fail", "private key does not match"},
		{"a key that is none", good, good, "certificate:fail", "Correct the files"},
		{"no file", good + ".none", goodKey, "certificate:fail", "no such file"},
		{"no key", good, goodKey + ".none", "certificate:fail", "no such file"},
		{"a folder", filepath.Dir(good), goodKey, "certificate:fail", "is a directory"},
		{"a key everybody can read", open, openKey, "certificate:ok key:warn", "chmod o= "},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkFindings(t, probePair("certificate", "the files of tls in listen", c.cert, c.key, os.ReadFile), c.want, c.says)
		})
	}
}

func TestProbeSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cr3t"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{0o600: "", 0o640: "", 0o604: "file:warn", 0o644: "file:warn"} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		checkFindings(t, ProbeSecretFile("file", file), want)
	}
	checkFindings(t, ProbeSecretFile("file", file+".none"), "")
}

func TestProbeCollector(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	none := func(string) string { return "" }
	b := &Bridge{secrets: &secrets{readFile: os.ReadFile}}
	checkFindings(t, b.probeCollector(t.Context(), &plan.OTLP{Endpoint: s.URL}, none), "tcp:ok http:ok clock:ok")
	checkFindings(t, b.probeCollector(t.Context(), &plan.OTLP{}, func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": s.URL}[name]
	}), "tcp:ok http:ok clock:ok")
	checkFindings(t, b.probeCollector(t.Context(), &plan.OTLP{Endpoint: "http://127.0.0.1:1"}, none), "tcp:warn", "refused", "traces and metrics are lost", "Start the service")
	checkFindings(t, b.probeCollector(t.Context(), &plan.OTLP{Endpoint: s.URL, CA: filepath.Join(t.TempDir(), "none.pem")}, none), "authorities:fail", "Correct ca of otlp")
}

// fakeRedis speaks as much of the protocol of Redis (RESP2) as shows how a server
// refuses: answer gives a reply for a command, whose name is in capitals. Lines that
// are no command get what answer gives for "".
func fakeRedis(t *testing.T, answer func(command string, words []string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
			wait.Go(func() {
				defer stop()
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					var n int
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					words := []string{""}
					if _, err := fmt.Sscanf(line, "*%d", &n); err == nil {
						words = make([]string, n)
						for i := range words {
							var size int
							if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
								return
							}
							text := make([]byte, size+2)
							if _, err := io.ReadFull(r, text); err != nil {
								return
							}
							words[i] = string(text[:size])
						}
					}
					reply := answer(strings.ToUpper(words[0]), words[1:])
					if reply == "" {
						return
					}
					if _, err := io.WriteString(c, reply+"\r\n"); err != nil {
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// Each cause for which a store does not decide has its own next step.
func TestProbeStore(t *testing.T) {
	// What is not in special is answered as a good server does. Servers before Redis 6
	// know no HELLO.
	redis := func(special map[string]string) func(string, []string) string {
		return func(command string, words []string) string {
			if reply, ok := special[command]; ok {
				return reply
			}
			switch command {
			case "HELLO":
				return "*4\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:2"
			case "CLUSTER":
				return "-ERR This instance has cluster support disabled"
			case "EVAL", "EVALSHA":
				return "*3\r\n:1\r\n:0\r\n:0"
			}
			return "+OK"
		}
	}
	noHello := "-ERR unknown command `HELLO`, with args beginning with: `3`, "
	script := func(reply string) map[string]string { return map[string]string{"EVAL": reply, "EVALSHA": reply} }
	next := map[string]string{} // by which cause it is said
	for _, c := range []struct {
		name     string
		answer   func(string, []string) string
		url      string // "": that of the fake
		password string
		want     string
		says     string
	}{
		{"good", redis(nil), "", "s3same", "decision:ok", "the store decides"},
		{"no HELLO", redis(map[string]string{"HELLO": noHello}), "", "", "decision:ok", "the store decides"},
		{"wrong password", redis(map[string]string{"HELLO": "-WRONGPASS invalid username-password pair or user is disabled."}), "", "s3same", "decision:fail", "Correct the password of the store"},
		{"no password given", redis(map[string]string{"HELLO": "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used."}), "", "", "decision:fail", "Give the store a password"},
		{"a password that nobody wants", redis(map[string]string{"HELLO": "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"}), "", "s3same", "decision:fail", "Take the password out of the spec"},
		{"too old", redis(map[string]string{"HELLO": noHello, "EVAL": "-ERR Error running script: Write commands not allowed after non deterministic commands.", "EVALSHA": "-NOSCRIPT No matching script. Please use EVAL."}), "", "", "decision:fail", "Use Redis 6 or newer"},
		{"no rights", redis(script("-NOPERM this user has no permissions to run the 'evalsha' command")), "", "", "decision:fail", "the rights to run scripts"},
		{"a replica", redis(script("-READONLY You can't write against a read only replica.")), "", "", "decision:fail", "Name the primary"},
		{"full", redis(script("-OOM command not allowed when used memory > 'maxmemory'.")), "", "", "decision:fail", "more memory"},
		{"loading", redis(map[string]string{"HELLO": "-LOADING Redis is loading the dataset in memory"}), "", "", "decision:fail", "Wait until"},
		{"disk", redis(script("-MISCONF Errors writing to the AOF file")), "", "", "decision:fail", "cannot write its disk"},
		{"no such database", redis(map[string]string{"SELECT": "-ERR DB index is out of range"}), "redis://%s/77", "", "decision:fail", "the number of the database"},
		{"not Redis", func(string, []string) string { return "HTTP/1.1 400 Bad Request" }, "", "", "decision:fail", "does not speak the protocol of Redis"},
		{"hangs up", func(string, []string) string { return "" }, "", "", "decision:fail", "whether it is Redis"},
		{"no TLS", func(string, []string) string { return "-ERR Protocol error" }, "rediss://%s", "", "decision:fail", "does not speak TLS"},
		{"away", nil, "redis://127.0.0.1:1", "", "decision:fail", "Start Redis there"},
		{"a name nobody knows", nil, "redis://doctor.invalid", "", "decision:fail", "Correct the host in the url"},
		{"no url", nil, "http://127.0.0.1", "", "decision:fail", "Correct the url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			where := c.url
			if c.answer != nil {
				if where == "" {
					where = "redis://%s"
				}
				where = fmt.Sprintf(where, fakeRedis(t, c.answer))
			}
			p := &plan.Store{Name: "shared", URL: plan.Expr{Op: plan.OpConst, Const: strconv.Quote(where)}, Timeout: 5 * time.Second}
			if c.password != "" {
				p.Password = &plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "REDIS"}}
			}
			k, err := limit.NewKeeper(p, limit.StoreOptions{ReadFile: os.ReadFile, Secret: func(plan.Secret) (string, error) { return c.password, nil }}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			list := probeStore(t.Context(), k)
			if len(list) == 1 && list[0].Status == probe.Warn && c.want == "decision:ok" { // a busy machine
				return
			}
			checkFindings(t, list, c.want, c.says)
			if n := list[0].Next; n != "" {
				if next[n] != "" {
					t.Errorf("%q is said of %s, too", n, next[n])
				}
				next[n] = c.name
			}
			if strings.Contains(list[0].Detail+list[0].Next, "s3same") {
				t.Errorf("%+v holds the password", list[0])
			}
		})
	}
}

// Causes that take a certificate or time.
func TestStoreProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{x509.UnknownAuthorityError{}, "the file of its authority"},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "redis.example"}, "server_name"},
		{fmt.Errorf("connect: %w", context.DeadlineExceeded), "a firewall that drops"},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "a firewall that drops"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "open the way to it"},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "rediss://"},
	} {
		if said, next := storeProblem(c.err); said == "" || !strings.Contains(next, c.says) {
			t.Errorf("%v: %q, %q does not say %q", c.err, said, next, c.says)
		}
	}
}
