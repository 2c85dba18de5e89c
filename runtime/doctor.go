package runtime

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/probe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Finding is what [Server.Diagnose] found of one thing. Its texts are for an
// operator and hold no secret.
type Finding struct {
	Subject string `json:"subject"` // "api orders", "identity staff", "listen", …
	probe.Finding
}

// FindingStatus is how a finding is meant.
type FindingStatus = probe.Status

// Statuses of findings.
const (
	FindingOK   = probe.OK
	FindingWarn = probe.Warn // it works now
	FindingFail = probe.Fail
)

// DefaultPatience is how long one part of a diagnosis may take.
const DefaultPatience = 10 * time.Second

// Diagnose looks whether what the plan needs is there: services and authorization
// servers from name to answer, stores, credentials, certificates, clocks, files to be
// written, addresses to listen on. address is where the server is to listen; "" is
// stdio. It sends no caller's call, and asks for tokens as calls would. Everything
// goes on at once, each for patience at most; 0 is [DefaultPatience].
func (s *Server) Diagnose(ctx context.Context, address string, patience time.Duration) []Finding {
	if patience <= 0 {
		patience = DefaultPatience
	}
	b, p := s.bridge, s.bridge.plan
	type part struct {
		subject string
		look    func(context.Context) []probe.Finding
	}
	var parts []part
	add := func(subject string, look func(context.Context) []probe.Finding) {
		parts = append(parts, part{subject, look})
	}
	for i := range p.Upstreams {
		name := p.Upstreams[i].Name
		add("api "+name, b.clients[name].Probe)
		add("api "+name, b.clients[name].ProbeCredentials)
		if t := p.Upstreams[i].TLS; t != nil && t.Cert != "" {
			add("api "+name, func(context.Context) []probe.Finding {
				return probePair("client cert", "cert and key in tls of the api", t.Cert, t.Key, b.secrets.readFile)
			})
		}
	}
	for _, i := range p.Identities {
		add("identity "+i.Name, func(ctx context.Context) []probe.Finding { return s.gate.Probe(ctx, i) })
	}
	for _, k := range b.stores {
		add("store "+k.Name(), func(ctx context.Context) []probe.Finding { return probeStore(ctx, k) })
	}
	if address != "" {
		add("listen", func(ctx context.Context) []probe.Finding { return probeListen(ctx, address, p.TLS != nil) })
	}
	if p.TLS != nil {
		add("listen", func(context.Context) []probe.Finding { return b.probeCertificate() })
	}
	if o := p.Observe; o != nil {
		if o.Admin != "" {
			add("admin", func(ctx context.Context) []probe.Finding { return probeListen(ctx, o.Admin, false) })
		}
		if o.Log != nil && o.Log.File != "" {
			add("log", func(context.Context) []probe.Finding { return []probe.Finding{probeWritable(o.Log.File)} })
		}
		if o.OTLP != nil {
			add("collector", func(ctx context.Context) []probe.Finding { return b.probeCollector(ctx, o.OTLP, os.Getenv) })
		}
		if o.Audit != "" {
			add("audit log", func(context.Context) []probe.Finding { return probeAudit(o.Audit) })
		}
	}
	found := make([][]probe.Finding, len(parts))
	var wait sync.WaitGroup
	for i, part := range parts {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			found[i] = part.look(ctx)
		})
	}
	wait.Wait()
	var list []Finding
	for i, part := range parts {
		for _, f := range found[i] {
			f.Detail, f.Next = b.secrets.redact(f.Detail), b.secrets.redact(f.Next)
			list = append(list, Finding{part.subject, f})
		}
	}
	return list
}

// slowStore is how long a decision of a store may take without a remark: each call
// waits for it.
const slowStore = 20 * time.Millisecond

// probeStore has a store decide, as calls do.
func probeStore(ctx context.Context, k *limit.Keeper) []probe.Finding {
	took, err := k.Check(ctx)
	switch {
	case err != nil:
		said, next := storeProblem(err)
		return []probe.Finding{probe.Problem("decision", probe.Fail, next, "the store does not decide: %s", said)}
	case took > slowStore:
		return []probe.Finding{probe.Problem("decision", probe.Warn, "Use a store that is nearer: each call waits for it.", "the store decides in %v", took.Round(time.Millisecond))}
	}
	return []probe.Finding{probe.Found("decision", "the store decides, in less than %v", slowStore)}
}

// storeProblem is what an error of a store says, and what to do about it. Redis tells
// causes apart by the first word of its errors.
func storeProblem(err error) (said, next string) {
	said = err.Error()
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) })
	}
	_, unresolved := errors.AsType[*net.DNSError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case has("NOAUTH", "HELLO must be called with the client already authenticated"):
		return said, "Give the store a password: it wants one, and the spec has none."
	case has("WRONGPASS", "invalid password", "invalid username-password"):
		return said, "Correct the password of the store, or its username."
	case has("AUTH, but no password is set", "without any password configured"):
		return said, "Take the password out of the spec, or give the Redis server one: it has none."
	case has("NOPERM"):
		return said, "Give the user of the store the rights to run scripts (EVAL, EVALSHA) and to write keys."
	case has("non deterministic commands", "unknown command", "wrong number of arguments for 'auth'"):
		return said, "Use Redis 6 or newer, with EVAL and EVALSHA: this server is too old, or has them switched off."
	case has("READONLY"):
		return said, "Name the primary in the url: this server is a replica, and cannot be written to."
	case has("OOM"):
		return said, "Give the Redis server more memory (maxmemory), or another policy of eviction."
	case has("LOADING", "CLUSTERDOWN", "MASTERDOWN", "the slot has no redis node"):
		return said, "Wait until the Redis server is ready, and look at its logs if it does not become so."
	case has("MISCONF"):
		return said, "Look at the logs of the Redis server: it cannot write its disk, and takes no writes."
	case has("invalid DB index", "DB index is out of range"):
		return said, "Correct the number of the database at the end of the url."
	case has("received unknown message type", "received unexpected"):
		return "what listens there does not speak the protocol of Redis", "Correct the host and the port in the url, or use rediss:// where the server wants TLS."
	case noTLS:
		return said, "Use redis:// in the url: what listens there does not speak TLS."
	case authority:
		return said, "Name the file of its authority: tls { ca = … } in the store, or install it on this machine."
	case name:
		return said, "Use a name that the certificate has, or tls { server_name = … } in the store."
	case unresolved:
		return said, "Correct the host in the url of the store, or the name service of this machine."
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
			said = fmt.Sprintf("no connection to %s: %s", op.Addr, strings.TrimPrefix(op.Err.Error(), "connect: "))
		}
		return said, "Start Redis there, open the way to it (firewall, network policy), or correct the host and the port in the url."
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "what listens there ends the connection: " + said, "See whether it is Redis, and whether it wants TLS (rediss://) or refuses this machine."
	case errors.Is(err, context.DeadlineExceeded), timeout != nil && timeout.Timeout():
		return "no answer in time", "See whether Redis is what listens there, and why it is slow: overload, or a firewall that drops."
	}
	return said, "Correct the url or the tls of the store in the spec."
}

// probeListen looks whether an address can be listened on, or is by a server like
// this one.
func probeListen(ctx context.Context, address string, encrypted bool) []probe.Finding {
	l, err := Listen(ctx, address)
	if err == nil {
		_ = l.Close()
		return []probe.Finding{probe.Found("address", "%s is free", address)}
	}
	host, port, _ := net.SplitHostPort(address)
	if a := net.ParseIP(host); host == "" || a != nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme, c := "http", &http.Client{Timeout: 2 * time.Second}
	if encrypted {
		// Who answers is the question, not whether he may be trusted.
		scheme, c.Transport = "https", &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // nothing is sent
	}
	r, rerr := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if rerr == nil {
		if res, err := c.Do(r); err == nil {
			text, _ := io.ReadAll(io.LimitReader(res.Body, 100))
			_ = res.Body.Close()
			if strings.TrimSpace(string(text)) == "alive" {
				return []probe.Finding{probe.Found("address", "a server of mcpc is running at %s", address)}
			}
		}
	}
	return []probe.Finding{probe.Problem("address", probe.Fail, "Stop what listens there, or choose another address.", "%v", err)}
}

// probeCollector goes the way to where telemetry is sent.
func (b *Bridge) probeCollector(ctx context.Context, o *plan.OTLP, getenv func(string) string) []probe.Finding {
	endpoint := o.Endpoint
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"} {
		if endpoint == "" {
			endpoint = getenv(name)
		}
	}
	if endpoint == "" {
		endpoint = "http://localhost:4318" // the standard's
	}
	t := probe.Target{URL: endpoint}
	if o.CA != "" {
		text, err := b.secrets.readFile(o.CA)
		pool := x509.NewCertPool()
		if err == nil && !pool.AppendCertsFromPEM(text) {
			err = fmt.Errorf("%s holds no certificate in PEM form", o.CA)
		}
		if err != nil {
			return []probe.Finding{probe.Problem("authorities", probe.Fail, "Correct ca of otlp.", "%v", err)}
		}
		t.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	list := probe.Service(ctx, t)
	for i, f := range list {
		if f.Status == probe.Fail { // calls are answered without it
			list[i].Status = probe.Warn
			list[i].Next = "Calls are answered all the same, and traces and metrics are lost. " + f.Next
		}
	}
	return list
}

func (b *Bridge) probeCertificate() []probe.Finding {
	return probePair("certificate", "the files of tls in listen", b.plan.TLS.Cert, b.plan.TLS.Key, b.secrets.readFile)
}

// ProbeCertificate looks at the certificate a server is to show. A server is not made
// with one that is wrong, so that it has to be looked at without.
func ProbeCertificate(p *plan.Certificate) []Finding {
	var list []Finding
	for _, f := range probePair("certificate", "the files of tls in listen", p.Cert, p.Key, os.ReadFile) {
		list = append(list, Finding{"listen", f})
	}
	return list
}

// probePair looks at a certificate and its key: whether they can be read and fit,
// when the certificate ends, and who can read the key.
func probePair(check, what, certFile, keyFile string, read func(string) ([]byte, error)) []probe.Finding {
	cert, err := read(certFile)
	var key []byte
	if err == nil {
		key, err = read(keyFile)
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		return []probe.Finding{probe.Problem(check, probe.Fail, "Correct "+what+".", "%s with %s: %v", certFile, keyFile, err)}
	}
	first := probe.Expiry(check, leaf.NotAfter)
	if now := time.Now(); now.Before(leaf.NotBefore) {
		first = probe.Problem(check, probe.Fail, "Set the clock of this machine, or wait.", "the certificate begins on %s", leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	first.Detail = certFile + ": " + first.Detail
	return append([]probe.Finding{first}, ProbeSecretFile("key", keyFile)...)
}

// probeWritable looks whether a file can be written, and leaves nothing behind.
func probeWritable(name string) probe.Finding {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() && info.IsDir() {
		err = errors.New("it is a folder")
	}
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_ = f.Close() // nothing was written
			return probe.Found("file", "%s can be written", name)
		}
	} else if errors.Is(err, os.ErrNotExist) {
		var f *os.File
		if f, err = os.CreateTemp(filepath.Dir(name), ".mcpc-doctor-*"); err == nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			return probe.Found("file", "%s can be made", name)
		}
	}
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		err = pe.Err
	}
	return probe.Problem("file", probe.Fail, "Make its folder, and let the user of the server write there.", "%s cannot be written: %v", name, err)
}

func probeAudit(name string) []probe.Finding {
	list := []probe.Finding{probeWritable(name)}
	f, err := os.Open(name)
	if err != nil {
		return list // a new one
	}
	defer func() { _ = f.Close() }() // it was only read
	c, err := observe.VerifyAudit(f, "")
	if err != nil {
		return append(list, probe.Problem("chain", probe.Fail, "See who wrote the file; the server does not start on it. Move it away to begin a new one.", "%v", err))
	}
	return append(list, probe.Found("chain", "%d lines, unbroken", c.Lines))
}

// ProbeSecretFile looks whether others than its owner and group can read a file
// that is there.
func ProbeSecretFile(check, name string) []probe.Finding {
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return nil
	}
	return []probe.Finding{probe.Problem(check, probe.Warn, "chmod o= "+name, "everybody on this machine can read %s", fmt.Sprintf("%s (mode %04o)", name, info.Mode().Perm()))}
}
