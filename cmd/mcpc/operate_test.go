//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is a server in a process of its own.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  *heard
	ended chan error
	url   string // of /mcp; "" on stdio
}

// serving is a way a spec is served in: by mcpc serve, or by a generated server.
type serving func(t *testing.T, spec string) *exec.Cmd

// mcpcServe is this test binary as the command.
func mcpcServe(t *testing.T, spec string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: []string{"mcpc", "serve", spec, "--no-cache"}}
}

// patient is a client whose calls end some time.
var patient = &http.Client{Timeout: time.Minute}

// start starts a server and waits until it serves.
func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	s := &running{t: t, cmd: cmd, said: &heard{grown: make(chan struct{}, 1)}, ended: make(chan error, 1)}
	cmd.Stderr = s.said
	cmd.Env = append(os.Environ(), cmd.Env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() { s.ended <- cmd.Wait() }()
	s.said.wait(t, "serving ", 1)
	s.said.wait(t, "\n", 1)
	if _, rest, ok := strings.Cut(s.said.String(), " at http"); ok {
		rest, _, _ = strings.Cut(rest, "/mcp")
		s.url = "http" + rest + "/mcp"
	}
	return s
}

// end waits until the process has ended in order.
func (s *running) end() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Errorf("it ended with %v\n%s", err, s.said)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatalf("it does not end\n%s", s.said)
	}
}

// hangup sends SIGHUP and waits until the server has done what it does then.
func (s *running) hangup() {
	s.t.Helper()
	// What is said of it: by mcpc serve, of a failure, by a generated server.
	done := func() int {
		n := 0
		for _, text := range []string{"msg=reloaded", "not reloaded", "are read again"} {
			n += strings.Count(s.said.String(), text)
		}
		return n
	}
	before := done()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); done() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("nothing came of SIGHUP\n%s", s.said)
		}
	}
}

// post sends a message and returns the status and the answer.
func post(c *http.Client, url, message string) (int, string, *tls.ConnectionState, error) {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	res, err := c.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), res.TLS, err
}

func calling(tool string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{}}}`
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{cert: &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}}
	a.pem, _, a.key = certify(t, a.cert, a)
	return a
}

// issue makes a certificate for clients and servers on this machine, and its key.
func (a *authority) issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	cert, key, _ = certify(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"host.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a)
	return cert, key
}

func certify(t *testing.T, c *x509.Certificate, by *authority) (cert, key []byte, own *ecdsa.PrivateKey) {
	t.Helper()
	c.NotBefore, c.NotAfter, c.SerialNumber = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), big.NewInt(time.Now().UnixNano())
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := by.key
	if signer == nil {
		signer = own
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), own
}

// put writes a file in one step.
func put(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+"~", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+"~", name); err != nil {
		t.Fatal(err)
	}
}

// On SIGHUP a server shows its new certificate, shows its new one to the API, and
// takes clients of the new authority and no others, on the connections they have,
// too. What was under way ends as it began, and files that are not whole change
// nothing.
func TestCertificatesOnHangup(t *testing.T) { certificatesOnHangup(t, mcpcServe) }

func certificatesOnHangup(t *testing.T, by serving) {
	t.Helper()
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	house := newAuthority(t, "house")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(kind string, cert, key []byte) {
		t.Helper()
		put(t, at(kind+".key"), key)
		put(t, at(kind+".pem"), cert)
	}
	shown := func(kind, name string, by *authority) {
		t.Helper()
		cert, key := by.issue(t, name)
		write(kind, cert, key)
	}

	entered, leave := make(chan struct{}), make(chan struct{})
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-leave
		}
		fmt.Fprintf(w, "called by %s", r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	pair, err := tls.X509KeyPair(house.issue(t, "api"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(house.pem)
	api.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	api.EnableHTTP2 = true
	api.Config.ErrorLog = log.New(io.Discard, "", 0)
	api.StartTLS()
	defer api.Close()

	shown("server", "server-1", house)
	shown("client", "client-1", house)
	put(t, at("house.pem"), house.pem)
	put(t, at("clients.pem"), first.pem)
	put(t, at("s.hcl"), fmt.Appendf(nil, `server "t" {
  listen "http" {
    addr = "127.0.0.1:0"
    tls  = { cert = %q, key = %q }
  }
}
identity "mesh" {
  mtls {
    ca    = %q
    names = ["host.example"]
  }
}
api "a" {
  base_url = %q
  tls      = { ca = %q, cert = %q, key = %q }
}
tool "quick" {
  description = "Quick."
  request "GET" "/quick" {}
}
tool "slow" {
  description = "Slow."
  request "GET" "/slow" {}
}
`, at("server.pem"), at("server.key"), at("clients.pem"), api.URL, at("house.pem"), at("client.pem"), at("client.key")))
	s := start(t, by(t, at("s.hcl")))
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("it serves at %s", s.url)
	}
	client := func(by *authority) *http.Client {
		own, err := tls.X509KeyPair(by.issue(t, "caller"))
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr, Timeout: 30 * time.Second}
	}
	// expect calls and says what is seen: the server's certificate, and what the API
	// saw; "" is a caller who is refused.
	expect := func(c *http.Client, server, caller string) {
		t.Helper()
		status, text, state, err := post(c, s.url, calling("quick"))
		switch {
		case err != nil:
			t.Errorf("%v\n%s", err, s.said)
		case caller == "" && status != http.StatusUnauthorized, caller != "" && !strings.Contains(text, `"called by `+caller+`"`):
			t.Errorf("not %q: %d %s\n%s", caller, status, text, s.said)
		case state.PeerCertificates[0].Subject.CommonName != server:
			t.Errorf("the server is %s, not %s", state.PeerCertificates[0].Subject.CommonName, server)
		}
	}
	old := client(first)
	expect(old, "server-1", "client-1")
	expect(client(second), "server-1", "")

	slow := make(chan string, 1)
	go func() {
		_, text, _, err := post(old, s.url, calling("slow"))
		slow <- fmt.Sprint(text, err)
	}()
	<-entered
	shown("server", "server-2", house)
	shown("client", "client-2", house)
	put(t, at("clients.pem"), second.pem)
	s.hangup()
	renewed := client(second)
	expect(renewed, "server-2", "client-2")
	expect(old, "server-1", "") // on the connection that it has
	expect(client(first), "server-2", "")
	close(leave)
	if got := <-slow; !strings.Contains(got, "called by client-1") {
		t.Errorf("the call that was under way: %s", got)
	}

	write("server", []byte("-----BEGIN CERT"), nil)
	write("client", []byte("-----BEGIN CERT"), nil)
	put(t, at("clients.pem"), nil)
	s.hangup()
	expect(renewed, "server-2", "client-2")
	expect(client(second), "server-2", "client-2")

	shown("server", "server-3", house)
	shown("client", "client-3", house)
	put(t, at("clients.pem"), append(first.pem, second.pem...))
	s.hangup()
	expect(client(second), "server-3", "client-3")
	expect(client(first), "server-3", "client-3")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.end()
}

// A server that is ending finishes its calls, whatever SIGHUPs come: a terminal that
// is closed sends several.
func TestHangupWhileEnding(t *testing.T) { hangupWhileEnding(t, mcpcServe) }

func hangupWhileEnding(t *testing.T, by serving) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		fmt.Fprint(w, "finished")
	}))
	defer api.Close()
	spec := filepath.Join(t.TempDir(), "s.hcl")
	put(t, spec, fmt.Appendf(nil, "server \"t\" {}\napi \"a\" { base_url = %q }\ntool \"t\" {\n  description = \"T.\"\n  request \"GET\" \"/t\" {}\n}\n", api.URL))
	cmd := by(t, spec)
	cmd.Args = append(cmd.Args, "--http", "127.0.0.1:0")
	s := start(t, cmd)
	answer := make(chan string, 1)
	go func() {
		_, text, _, err := post(patient, s.url, calling("t"))
		answer <- fmt.Sprint(text, err)
	}()
	<-entered
	send := func(sig os.Signal) {
		t.Helper()
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	send(syscall.SIGTERM)
	for end := time.Now().Add(20 * time.Second); s.described() != ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not end\n%s", s.said)
		}
	}
	send(syscall.SIGHUP)
	send(syscall.SIGHUP)
	if got := s.described(); got != "" {
		t.Errorf("it serves again: %q", got)
	}
	close(leave)
	if got := <-answer; !strings.Contains(got, "finished") {
		t.Errorf("the call that was under way: %s", got)
	}
	s.end()
}

// described is the description of a server's one tool; "" while it cannot be had.
func (s *running) described() string {
	_, text, _, err := post(patient, s.url, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	var answer struct {
		Result struct {
			Tools []struct{ Description string }
		}
	}
	if err != nil || json.Unmarshal([]byte(text), &answer) != nil || len(answer.Result.Tools) != 1 {
		return ""
	}
	return answer.Result.Tools[0].Description
}

// becomes waits until the tool is described so.
func (s *running) becomes(want string) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); s.described() != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("it is %q, not %q\n%s", s.described(), want, s.said)
		}
	}
}

// oneTool is a spec with a tool that is described so; more is in its request.
func oneTool(description, more string) []byte {
	return fmt.Appendf(nil, "server \"t\" {}\napi \"a\" { base_url = \"http://127.0.0.1:1\" }\ntool \"t\" {\n  description = %q\n  request \"POST\" \"/t\" { %s }\n}\n", description, more)
}

// Files are changed in many ways; what comes of each is served.
func TestEditsAreServed(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put(t, at("s.hcl"), oneTool("One.", ""))
	cmd := mcpcServe(t, at("s.hcl"))
	cmd.Args = append(cmd.Args, "--http", "127.0.0.1:0")
	s := start(t, cmd)
	s.becomes("One.")

	// It goes, and comes back.
	if err := os.Remove(at("s.hcl")); err != nil {
		t.Fatal(err)
	}
	s.said.wait(t, "not reloaded", 1)
	if got := s.described(); got != "One." {
		t.Errorf("without its file it is %q", got)
	}
	put(t, at("s.hcl"), oneTool("Back.", ""))
	s.becomes("Back.")

	// A file that an edit named is watched from then on, one that none names is not.
	put(t, at("body.txt"), []byte("one"))
	put(t, at("s.hcl"), oneTool("With a body.", `text = file("body.txt")`))
	s.becomes("With a body.")
	n := strings.Count(s.said.String(), "msg=reloaded")
	put(t, at("body.txt"), []byte("two"))
	s.said.wait(t, "msg=reloaded", n+1)
	put(t, at("body.txt"), []byte("three"))
	s.said.wait(t, "msg=reloaded", n+2)
	put(t, at("s.hcl"), oneTool("Without.", ""))
	s.becomes("Without.")
	put(t, at("body.txt"), []byte("four"))

	// A hundred edits are few compilations, and the last one is served.
	n = strings.Count(s.said.String(), "msg=reloaded")
	for i := range 100 {
		put(t, at("s.hcl"), oneTool(fmt.Sprintf("Edit %d.", i), ""))
		time.Sleep(5 * time.Millisecond) // as an editor that saves at every key
	}
	s.becomes("Edit 99.")
	if done := strings.Count(s.said.String(), "msg=reloaded") - n; done > 10 {
		t.Errorf("a hundred edits were served %d times", done)
	}
	if n := strings.Count(s.said.String(), "not reloaded"); n != 1 {
		t.Errorf("%d failures\n%s", n, s.said)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.end()
}

// A ConfigMap of Kubernetes is links to links, of which the middle one is swapped;
// the spec and what it includes are served from there.
func TestConfigMapIsServed(t *testing.T) {
	dir := t.TempDir()
	version := func(n string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, "..v"+n), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "..v"+n, "s.hcl"), oneTool("Version "+n+".", `text = file("body.txt")`))
		put(t, filepath.Join(dir, "..v"+n, "body.txt"), []byte(n))
		if err := os.Symlink("..v"+n, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("1")
	for _, name := range []string{"s.hcl", "body.txt"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := mcpcServe(t, filepath.Join(dir, "s.hcl"))
	cmd.Args = append(cmd.Args, "--http", "127.0.0.1:0")
	s := start(t, cmd)
	s.becomes("Version 1.")
	for _, n := range []string{"2", "3"} {
		version(n)
		s.becomes("Version " + n + ".")
		if err := os.RemoveAll(filepath.Join(dir, "..v"+string(n[0]-1))); err != nil { // as the kubelet does
			t.Fatal(err)
		}
	}
	version("4")
	s.becomes("Version 4.")
	if strings.Contains(s.said.String(), "not reloaded") {
		t.Errorf("%s", s.said)
	}
}
