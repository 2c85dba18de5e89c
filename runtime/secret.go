package runtime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/maphash"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// secrets resolves references to secrets. A secret is read whenever it is used,
// so that a new value is used from then on.
type secrets struct {
	named    map[string]sealed.Text
	sources  map[string]plan.Secret // instead of the plan's, by name
	getenv   func(string) string
	readFile func(string) ([]byte, error)
	slow     *sealed.Sources // programs and Vault
	plan     *plan.Server    // whose secrets are learned before their first use
	learned  sync.Once

	*memory // of what is known
}

// memory is of the secrets that are known, for one purpose: an upstream may
// repeat in an error what it was sent, a caller in an argument what he came to
// know, and that must not get further. Servers
// that follow one another share it: what one sent, another may be told.
type memory struct {
	mu   sync.RWMutex
	seed maphash.Seed
	used map[uint64]sealed.Text // by hash; of those that changed since, not all
	// pending has not learned yet the secrets of its plan; nil: there is none. The
	// redactor of a log may be of a server before, so it is here.
	pending atomic.Pointer[secrets]
	least   int                 // the length of the shortest; 0: there is none
	hide    func(string) string // replaces all that was used; nil: to be made
}

// newSecrets resolves as the options say.
func newSecrets(o Options) *secrets {
	s := &secrets{named: make(map[string]sealed.Text, len(o.Secrets)), sources: o.Sources, getenv: o.Getenv, readFile: o.ReadFile, memory: &memory{seed: maphash.MakeSeed()}}
	for name, v := range o.Secrets {
		s.named[name] = sealed.New(v)
	}
	return s
}

// maxUsed bounds how many secrets are remembered: some change all the time.
const maxUsed = 1000

// refused is told that a service refused a secret, and tells whether it is
// another one now.
func (s *secrets) refused(ref plan.Secret) bool {
	ref, here := s.source(ref)
	return !here && sealed.Slow(ref) && s.slow.Refused(ref)
}

// source is where a secret is looked for; here is set when its value is known or
// in the environment.
func (s *secrets) source(ref plan.Secret) (from plan.Secret, here bool) {
	if _, ok := s.named[ref.Name]; ok {
		return ref, true
	}
	if other, ok := s.sources[ref.Name]; ok {
		other.Name = ref.Name
		ref = other
	}
	for _, name := range ref.Env {
		if s.getenv(name) != "" {
			return ref, true
		}
	}
	return ref, ref.File != ""
}

// value returns the secret of the first source that has one. An error says where
// it was looked for, never what was found.
func (s *secrets) value(ref plan.Secret) (string, error) {
	v, err := s.read(ref)
	s.remember(v)
	return v, err
}

// remember has a text known as a secret; and when that is a URL, what is secret in
// it by itself.
func (s *secrets) remember(v string) {
	if len(v) < upstream.MinRedact {
		return
	}
	h := maphash.String(s.seed, v)
	s.mu.RLock()
	_, known := s.used[h]
	s.mu.RUnlock()
	if known {
		return
	}
	s.mu.Lock()
	if s.used == nil || len(s.used) >= maxUsed {
		// What is in use is here again with its next use.
		s.used = map[uint64]sealed.Text{}
	}
	s.used[h], s.hide = sealed.New(v), nil
	if s.least == 0 || len(v) < s.least {
		s.least = len(v)
	}
	s.mu.Unlock()
	s.inURL(v)
}

// inURL remembers what is secret in a URL.
func (s *secrets) inURL(text string) {
	for _, v := range secretsOfURL(text) {
		s.remember(v)
	}
}

// secretsOfURL are the password of its user, or the user where that is all, and the
// values of query parameters with the name of a secret. In what is no URL there are
// none.
func secretsOfURL(text string) (list []string) {
	if !strings.Contains(text, "://") {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	if u.User != nil {
		password, both := u.User.Password()
		if !both {
			password = u.User.Username()
		}
		list = append(list, password, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	for name, values := range u.Query() {
		if observe.SecretName(name) {
			list = append(list, values...)
		}
	}
	return list
}

// learn reads the secrets of the plan that cost little to read, so that they are
// recognised before their first use. Programs are not run and Vault is not asked
// for it. It is done when the first text is looked through: a server that
// records nothing, and where nothing fails, never does it.
func (s *secrets) learn() {
	for name := range s.named {
		_, _ = s.value(plan.Secret{Name: name})
	}
	// Of the client on stdio, and of who asks Vault.
	for _, name := range []string{tokenVariable, keyVariable, "VAULT_TOKEN", "MCPC_VAULT_SECRET_ID"} {
		_, _ = s.value(plan.Secret{Name: name, Env: []string{name}})
	}
	seen := map[string]bool{}
	eachSecret(reflect.ValueOf(s.plan).Elem(), func(ref plan.Secret) {
		from, here := s.source(ref)
		if key := fmt.Sprint(ref.Name, "\x00", ref.Env, "\x00", ref.File); !seen[key] && (here || !sealed.Slow(from)) {
			seen[key] = true
			_, _ = s.value(ref) // one that is missing is said where it is used
		}
	})
}

var secretType = reflect.TypeFor[plan.Secret]()

// eachSecret calls f for all secrets that a part of a plan names.
func eachSecret(v reflect.Value, f func(plan.Secret)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			eachSecret(v.Elem(), f)
		}
	case reflect.Struct:
		if v.Type() == secretType {
			f(v.Interface().(plan.Secret))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachSecret(v.Field(i), f)
			}
		}
	case reflect.Slice, reflect.Array:
		switch v.Type().Elem().Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Struct, reflect.Slice, reflect.Map:
			for i := range v.Len() {
				eachSecret(v.Index(i), f)
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			eachSecret(i.Value(), f)
		}
	}
}

// redact replaces in text every secret that is known.
func (s *secrets) redact(text string) string {
	if len(text) < upstream.MinRedact {
		return text
	}
	if p := s.pending.Load(); p != nil {
		p.learned.Do(p.learn)
		s.pending.CompareAndSwap(p, nil)
	}
	s.mu.RLock()
	hide, least := s.hide, s.least
	s.mu.RUnlock()
	if least == 0 || len(text) < least { // names of callers, mostly
		return text
	}
	if hide == nil {
		s.mu.Lock()
		if s.hide == nil {
			var all []string
			for _, t := range s.used {
				all = append(all, t.Reveal())
			}
			s.hide = upstream.Redactor(all).Replace
		}
		hide = s.hide
		s.mu.Unlock()
	}
	return hide(text)
}

func (s *secrets) read(ref plan.Secret) (string, error) {
	if v, ok := s.named[ref.Name]; ok {
		return v.Reveal(), nil
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
	if sealed.Slow(ref) {
		return s.slow.Get(ref)
	}
	if len(ref.Env) == 0 {
		return "", fmt.Errorf("secret %s is not set", ref.Name)
	}
	return "", fmt.Errorf("secret %s is not set: the environment variable %s is empty", ref.Name, strings.Join(ref.Env, " or "))
}
