package upstream

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// errFiles is the failure of a connection whose files cannot be used. The error
// around it says which, for the log.
var errFiles = errors.New("a file of tls cannot be used")

// ClientTLS is the configuration of connections as the plan says. The client
// certificate is read for each connection, so that a new one is used from then
// on.
func ClientTLS(p *plan.ClientTLS, readFile func(string) ([]byte, error)) (*tls.Config, error) {
	c := &tls.Config{ServerName: p.ServerName, MinVersion: tls.VersionTLS12}
	if p.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	if p.CA != "" {
		text, err := readFile(p.CA)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errFiles, err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%w: %s holds no certificate", errFiles, p.CA)
		}
	}
	if p.Cert != "" {
		var last atomic.Pointer[tls.Certificate]
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := clientCertificate(p, readFile)
			if err == nil {
				last.Store(pair)
			} else if was := last.Load(); was != nil {
				return was, nil // half-written files: the old one is still good
			}
			return pair, err
		}
	}
	return c, nil
}

// clientCertificate reads what this side shows.
func clientCertificate(p *plan.ClientTLS, readFile func(string) ([]byte, error)) (*tls.Certificate, error) {
	cert, err := readFile(p.Cert)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	key, err := readFile(p.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFiles, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %s and %s: %w", errFiles, p.Cert, p.Key, err)
	}
	return &pair, nil
}

// secured is a transport that is made when it is first needed: explaining a call
// or listing tools does not need the files. A failure is tried again. The files
// are looked at again when a minute has passed: where one is another, there are
// new connections from then on, and the old ones end with their last request.
type secured struct {
	plan     *plan.ClientTLS
	base     *http.Transport
	readFile func(string) ([]byte, error)

	mu     sync.Mutex
	now    *http.Transport // nil: to be made
	texts  [3][]byte       // of the files that it was made with
	looked time.Time
}

// lookEvery is how often files are looked at again.
const lookEvery = time.Minute

func secure(t *http.Transport, p *plan.ClientTLS, readFile func(string) ([]byte, error)) http.RoundTripper {
	if p == nil {
		return t
	}
	if readFile == nil {
		readFile = os.ReadFile
	}
	return &secured{base: t, plan: p, readFile: readFile}
}

// RoundTrip implements [http.RoundTripper].
func (s *secured) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := s.ready()
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(r)
}

func (s *secured) ready() (*http.Transport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil && time.Since(s.looked) < lookEvery {
		return s.now, nil
	}
	texts, err := s.read()
	if s.now != nil {
		s.looked = time.Now()
		if err != nil || slices.EqualFunc(texts[:], s.texts[:], bytes.Equal) {
			return s.now, nil
		}
	}
	var c *tls.Config
	if err == nil {
		c, err = ClientTLS(s.plan, s.readFile)
	}
	if err == nil && s.now != nil && c.GetClientCertificate != nil {
		_, err = c.GetClientCertificate(nil)
	}
	switch {
	case err != nil && s.now != nil: // half-written: those in use are still good
		return s.now, nil
	case err != nil:
		return nil, err
	case s.now != nil:
		s.now.CloseIdleConnections() // also those that become idle later
	}
	s.now = s.base.Clone()
	s.now.TLSClientConfig = c
	s.texts, s.looked = texts, time.Now()
	return s.now, nil
}

// read reads the files that connections are made with. Those of the client
// certificate may come later: servers that do not ask for it get none.
func (s *secured) read() (texts [3][]byte, err error) {
	for i, name := range []string{s.plan.CA, s.plan.Cert, s.plan.Key} {
		if name == "" {
			continue
		}
		text, err := s.readFile(name)
		if err != nil && (i == 0 || s.now != nil) {
			return texts, fmt.Errorf("%w: %w", errFiles, err)
		}
		texts[i] = text
	}
	return texts, nil
}

// refresh has the files looked at at the next use.
func (s *secured) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = time.Time{}
}

// CloseIdleConnections closes connections that are not in use.
func (s *secured) CloseIdleConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		s.now.CloseIdleConnections()
	}
}
