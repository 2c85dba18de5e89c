package runtime

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// secrets resolves references to secrets. A secret is read whenever it is used,
// so that a new value is used from then on.
type secrets struct {
	named    map[string]string
	sources  map[string]plan.Secret // instead of the plan's, by name
	getenv   func(string) string
	readFile func(string) ([]byte, error)

	*memory // of what was used
}

// memory is of the secrets that were used, for one purpose: an upstream may
// repeat in an error what it was sent, and that must not get further. Servers
// that follow one another share it: what one sent, another may be told.
type memory struct {
	mu    sync.RWMutex
	used  map[string]bool
	least int               // the length of the shortest; 0: there is none
	hide  *strings.Replacer // of all that was used; nil: to be made
}

// value returns the secret of the first source that has one. An error says where
// it was looked for, never what was found.
func (s *secrets) value(ref plan.Secret) (string, error) {
	v, err := s.read(ref)
	if len(v) >= upstream.MinRedact {
		s.mu.RLock()
		known := s.used[v]
		s.mu.RUnlock()
		if !known {
			s.mu.Lock()
			if s.used == nil {
				s.used = map[string]bool{}
			}
			s.used[v], s.hide = true, nil
			if s.least == 0 || len(v) < s.least {
				s.least = len(v)
			}
			s.mu.Unlock()
		}
	}
	return v, err
}

// redact replaces in text every secret that was used.
func (s *secrets) redact(text string) string {
	s.mu.RLock()
	hide, least := s.hide, s.least
	s.mu.RUnlock()
	if least == 0 || len(text) < least { // names of callers, mostly
		return text
	}
	if hide == nil {
		s.mu.Lock()
		if s.hide == nil {
			s.hide = upstream.Redactor(slices.Collect(maps.Keys(s.used)))
		}
		hide = s.hide
		s.mu.Unlock()
	}
	return hide.Replace(text)
}

func (s *secrets) read(ref plan.Secret) (string, error) {
	if v, ok := s.named[ref.Name]; ok {
		return v, nil
	}
	if other, ok := s.sources[ref.Name]; ok {
		other.Name = ref.Name
		ref = other
	}
	for _, name := range ref.Env {
		if v := s.getenv(name); v != "" {
			return v, nil
		}
	}
	if ref.File != "" {
		b, err := s.readFile(ref.File)
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", ref.Name, err)
		}
		b = bytes.TrimSuffix(b, []byte("\n"))
		return string(bytes.TrimSuffix(b, []byte("\r"))), nil
	}
	if len(ref.Env) == 0 {
		return "", fmt.Errorf("secret %s is not set", ref.Name)
	}
	return "", fmt.Errorf("secret %s is not set: the environment variable %s is empty", ref.Name, strings.Join(ref.Env, " or "))
}
