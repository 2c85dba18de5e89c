package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// errFiles is the failure of a connection whose files cannot be used. The error
// around it says which, for the log.
var errFiles = errors.New("a file of tls cannot be used")

// ClientTLS is the configuration of connections as the plan says. The client
// certificate is read for each connection, so that a new one is used from then
// on; idle connections end by themselves.
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
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
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
	}
	return c, nil
}

// secured is a transport that is made when it is first needed: explaining a call
// or listing tools does not need the files. A failure is tried again.
type secured struct {
	*http.Transport
	plan     *plan.ClientTLS
	readFile func(string) ([]byte, error)

	mu   sync.Mutex
	done bool
}

func secure(t *http.Transport, p *plan.ClientTLS, readFile func(string) ([]byte, error)) http.RoundTripper {
	if p == nil {
		return t
	}
	if readFile == nil {
		readFile = os.ReadFile
	}
	return &secured{Transport: t, plan: p, readFile: readFile}
}

// RoundTrip implements [http.RoundTripper].
func (s *secured) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	return s.Transport.RoundTrip(r)
}

func (s *secured) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return nil
	}
	c, err := ClientTLS(s.plan, s.readFile)
	if err != nil {
		return err
	}
	s.TLSClientConfig, s.done = c, true
	return nil
}
