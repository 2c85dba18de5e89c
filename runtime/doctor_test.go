package runtime

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
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
