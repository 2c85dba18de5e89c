package runtime

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/identity"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Environment variables that say who the client on stdio is.
const (
	tokenVariable = "MCPC_TOKEN"
	keyVariable   = "MCPC_KEY"
)

// refusedError says that the credential of the client on stdio is not good, which
// is more than that it cannot be checked.
type refusedError struct{ message string }

func (e *refusedError) Error() string { return e.message }

// local is who the client on stdio is; nil is nobody known. What is in the
// environment has to be valid: a server that drops a credential would run with
// other rights than its operator believes.
func (s *Server) local(ctx context.Context) (*identity.Caller, error) {
	getenv := s.bridge.secrets.getenv
	token, key := getenv(tokenVariable), getenv(keyVariable)
	if s.gate == nil || token == "" && key == "" {
		return nil, nil
	}
	headers := []string{""} // that the key may be in
	if key != "" {
		if headers = s.gate.KeyHeaders(); len(headers) == 0 {
			return nil, &refusedError{keyVariable + " is set, and the spec has no identity with API keys"}
		}
	}
	var caller *identity.Caller
	var refusal *identity.Refusal
	for _, header := range headers {
		r := &http.Request{Header: http.Header{}, URL: &url.URL{}}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if header != "" {
			r.Header.Set(header, key)
		}
		if caller, refusal = s.gate.Identify(r.WithContext(ctx)); refusal == nil {
			break
		}
	}
	if refusal != nil {
		if refusal.Status == http.StatusServiceUnavailable {
			return nil, errors.New("the credential in the environment: " + refusal.Message)
		}
		return nil, &refusedError{"the credential in the environment is refused: " + refusal.Message}
	}
	return caller, nil
}

// watch looks at the credential of the client on stdio again, every so often and
// when it expires, until ctx ends; one that is not good any more ends the session.
// Tokens that were verified are kept for a while, so that an authorization server is
// seldom asked. While it does not answer, the credential is good until it expires.
func (l *line) watch(ctx context.Context, caller *identity.Caller) {
	if getenv := l.now.Load().bridge.secrets.getenv; getenv(tokenVariable) == "" && getenv(keyVariable) == "" {
		return
	}
	for {
		wait := l.look
		if caller != nil && !caller.Expires.IsZero() {
			wait = min(wait, max(time.Until(caller.Expires), time.Second))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if caller = l.lookAgain(ctx, caller); ctx.Err() != nil {
			return
		}
	}
}

// lookAgain finds out who the client on stdio is now, who was somebody before.
func (l *line) lookAgain(ctx context.Context, was *identity.Caller) *identity.Caller {
	l.reloading.Lock() // the front that answers stays the same
	defer l.reloading.Unlock()
	s := l.now.Load()
	caller, err := s.local(ctx)
	if ctx.Err() != nil {
		return was
	}
	_, refused := errors.AsType[*refusedError](err)
	switch {
	case err == nil:
		s.front.SetCaller(caller)
		return caller
	case refused:
	case was == nil || was.Expires.IsZero() || time.Now().Before(was.Expires):
		s.bridge.log.Warn("the credential of the client on stdio cannot be checked; it is good until it expires", "error", err)
		return was
	}
	s.front.RefuseCaller()
	l.revoke(fmt.Errorf("the client's session ends: %w", err))
	return was
}

// certificate is how a server shows its certificate: read from its files when it
// is needed, and again when a minute has passed, so that a renewed one is shown.
// Clients are asked for theirs where somebody may come with one.
func certificate(p *plan.Certificate, ask bool, read func(string) ([]byte, error)) (*tls.Config, *shown, error) {
	if p == nil {
		if ask {
			return nil, nil, errors.New("clients can only show certificates to a server with TLS: listen needs tls")
		}
		return nil, nil, nil
	}
	c := &shown{plan: *p, read: read}
	if _, err := c.get(nil); err != nil {
		return nil, nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	if ask {
		config.ClientAuth = tls.RequestClientCert // what it proves, the identity decides
	}
	return config, c, nil
}

// shown is the certificate of a server.
type shown struct {
	plan plan.Certificate
	read func(string) ([]byte, error)

	mu   sync.Mutex
	cert *tls.Certificate
	text [][]byte
	at   time.Time
}

// refresh has the files read at the next use.
func (c *shown) refresh() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}

func (c *shown) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cert != nil && time.Since(c.at) < time.Minute {
		return c.cert, nil
	}
	cert, err := c.read(c.plan.Cert)
	if err == nil {
		var key []byte
		if key, err = c.read(c.plan.Key); err == nil {
			c.at = time.Now()
			if c.cert != nil && slices.EqualFunc(c.text, [][]byte{cert, key}, func(a, b []byte) bool { return string(a) == string(b) }) {
				return c.cert, nil
			}
			var pair tls.Certificate
			if pair, err = tls.X509KeyPair(cert, key); err == nil {
				c.cert, c.text = &pair, [][]byte{cert, key}
				return c.cert, nil
			}
		}
	}
	if c.cert != nil {
		c.at = time.Now()
		return c.cert, nil // half-written files: the old one is still good
	}
	return nil, fmt.Errorf("the certificate of the server: %w", err)
}
