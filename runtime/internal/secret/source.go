package secret

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	// What was refused is not read again at once: one 401 after another would run
	// a program for each call.
	restAfterRead = 5 * time.Second
	// A source that fails is left alone for a moment, longer each time.
	restAfterFailure, restAfterFailureMax = time.Second, 30 * time.Second
)

// Error is why a secret could not be had, in words that may be shown. It holds
// nothing of what a program or Vault said.
type Error struct {
	Message string // completes "… could not be had: "
	// Passing tells that it may be different soon.
	Passing bool
}

func (e *Error) Error() string { return e.Message }

// Options are what sources read.
type Options struct {
	Getenv   func(string) string // nil is os.Getenv
	ReadFile func(string) ([]byte, error)
	Logger   *slog.Logger // nil logs nothing
}

// Sources gets secrets that take time to have: what programs print and what
// Vault keeps. It keeps each for its time and reads it once however many calls
// wait. Shortly before that time is over it is read again in the background; what
// cannot be read again stays as it was. It is safe for concurrent use.
type Sources struct {
	options Options
	vault   *vault
	now     func() time.Time
	run     func(plan.Secret) (string, *Error)

	mu   sync.Mutex
	held map[string]*entry
}

// entry is what is known of one secret.
type entry struct {
	value    Text
	read     time.Time     // when value was
	err      *Error        // of the last attempt; nil: it went well
	failures int           // in a row
	until    time.Time     // before which there is no other attempt
	flight   chan struct{} // closed when the attempt under way ends; nil: there is none
}

// NewSources returns sources that have read nothing yet.
func NewSources(o Options) *Sources {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sources{options: o, vault: newVault(o), now: time.Now, held: map[string]*entry{}}
	s.run = func(ref plan.Secret) (string, *Error) {
		if len(ref.Exec) > 0 {
			return run(ref)
		}
		return s.vault.read(*ref.Vault)
	}
	return s
}

// Slow tells whether a secret is read from such a source.
func Slow(ref plan.Secret) bool { return len(ref.Exec) > 0 || ref.Vault != nil }

func keyOf(ref plan.Secret) string {
	if len(ref.Exec) > 0 {
		return "exec\x00" + strings.Join(ref.Exec, "\x00")
	}
	return "vault\x00" + ref.Vault.Path + "\x00" + ref.Vault.Field
}

// Get returns a secret. The error is an [*Error].
func (s *Sources) Get(ref plan.Secret) (string, error) {
	s.mu.Lock()
	e := s.entry(ref)
	now := s.now()
	age := now.Sub(e.read)
	switch {
	case e.value.IsZero():
		if e.flight == nil && now.Before(e.until) {
			defer s.mu.Unlock()
			return "", e.err
		}
	case age < ref.TTL-ref.TTL/4 || e.flight != nil || now.Before(e.until):
		defer s.mu.Unlock()
		return e.value.Reveal(), nil
	case age < ref.TTL:
		defer s.mu.Unlock()
		s.start(ref, e)
		return e.value.Reveal(), nil
	}
	if e.flight == nil {
		s.start(ref, e)
	}
	flight := e.flight
	s.mu.Unlock()
	<-flight // it ends within the time of a program or of a request
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.value.IsZero() {
		return "", e.err
	}
	return e.value.Reveal(), nil
}

// Refused is told that a service refused a secret. It reads it again, unless that
// was done a moment ago, and tells whether it is another one now.
func (s *Sources) Refused(ref plan.Secret) bool {
	s.mu.Lock()
	e := s.entry(ref)
	before, now := e.value.Reveal(), s.now()
	if before == "" || now.Sub(e.read) < restAfterRead || now.Before(e.until) {
		s.mu.Unlock()
		return false
	}
	if e.flight == nil {
		s.start(ref, e)
	}
	flight := e.flight
	s.mu.Unlock()
	<-flight
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.value.Reveal() != before
}

func (s *Sources) entry(ref plan.Secret) *entry {
	k := keyOf(ref)
	e := s.held[k]
	if e == nil {
		e = &entry{}
		s.held[k] = e
	}
	return e
}

// start begins an attempt. The lock is held.
func (s *Sources) start(ref plan.Secret, e *entry) {
	flight := make(chan struct{})
	e.flight = flight
	go func() {
		v, err := s.run(ref)
		if err == nil && v == "" {
			err = &Error{Message: "it is empty"}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(flight)
		e.flight, e.err = nil, err
		now := s.now()
		if err == nil {
			if e.value.Reveal() != v {
				e.value = New(v)
			}
			e.read, e.failures, e.until = now, 0, time.Time{}
			return
		}
		e.until = now.Add(min(restAfterFailure<<min(e.failures, 8), restAfterFailureMax))
		e.failures++
		s.options.Logger.Warn("a secret could not be read", "secret", ref.Name, "why", err.Message, "kept", !e.value.IsZero())
	}()
}
