package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// hidden stands where a secret was.
const hidden = "(secret)"

// Bounds of arguments in a log, in bytes.
const (
	maxArguments = 8 << 10
	maxString    = 1 << 10
)

// secretWords make a name secret that has one of them, without regard to case
// and punctuation: apiKey, X-Api-Key and api_key are one name.
var secretWords = []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential", "privatekey", "cookie"}

// Redactor takes secrets out of what is written.
type Redactor struct {
	names    map[string]bool // simple
	patterns []*regexp.Regexp
	known    func(string) string // replaces the values of secrets; may be nil
	list     func([]string) func(string) string
	request  *Incoming           // whose credentials are looked for, too; nil: none
	hide     func(string) string // does so, once it was needed
}

// For is the redactor for what belongs to a request: it knows the credentials
// that came with it, too. What it costs is spent on texts that are long enough to
// hold one. It is not safe for concurrent use, and a value, since each call has one.
func (r *Redactor) For(ctx context.Context) Redactor {
	own := *r
	if in := ScopeOf(ctx).incoming(); in != nil && in.Header != nil && r.list != nil {
		own.request = in
	}
	return own
}

// Given replaces in a text the credentials that came with the request of ctx; nil
// when there were none.
func (r *Redactor) Given(ctx context.Context) func(string) string {
	return r.given(ScopeOf(ctx).incoming())
}

func (r *Redactor) given(in *Incoming) func(string) string {
	list := r.list
	if list == nil {
		return nil
	}
	given := in.credentials()
	if len(given) == 0 {
		return nil
	}
	least := len(given[0])
	for _, one := range given {
		least = min(least, len(one))
	}
	var hide func(string) string
	return func(s string) string {
		if len(s) < least {
			return s
		}
		if hide == nil {
			hide = list(given)
		}
		return hide(s)
	}
}

// NewRedactor returns a redactor for names and patterns of the operator's own and
// for the secrets that known replaces. An error is a pattern that is none.
func NewRedactor(names, patterns []string, known func(string) string) (*Redactor, error) {
	r := &Redactor{names: map[string]bool{}, known: known}
	for _, n := range names {
		r.names[simple(n)] = true
	}
	for _, p := range patterns {
		x, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("a pattern of redact: %w", err)
		}
		r.patterns = append(r.patterns, x)
	}
	return r, nil
}

// simple is a name without what spellings differ in.
func simple(name string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case '_', '-', '.', ' ':
			return -1
		}
		return c
	}, strings.ToLower(name))
}

// Name tells whether what has the name is secret.
func (r *Redactor) Name(name string) bool {
	s := simple(name)
	return r.names[s] || SecretName(s)
}

// SecretName tells whether what has the name is secret anywhere.
func SecretName(name string) bool {
	s := simple(name)
	for _, w := range secretWords {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// Text replaces what is known to be secret in a text.
func (r *Redactor) Text(s string) string {
	if s == "" {
		return s
	}
	if r.known != nil {
		s = r.known(s)
	}
	if r.request != nil && len(s) >= minCredential {
		if r.hide == nil {
			if r.hide = r.given(r.request); r.hide == nil {
				r.hide = func(s string) string { return s }
			}
		}
		s = r.hide(s)
	}
	for _, p := range r.patterns {
		s = p.ReplaceAllLiteralString(s, hidden)
	}
	return s
}

// Arguments appends the arguments of a call to b, as JSON: without the values of
// secret names, of the names in sensitive, and without known secrets anywhere.
// Long texts are shortened; arguments that stay too large are not written.
func (r *Redactor) Arguments(b, raw []byte, sensitive []string) []byte {
	if len(bytes.TrimSpace(raw)) == 0 {
		return append(b, "{}"...)
	}
	if len(raw) > 64*maxArguments {
		return append(b, `"(too large)"`...)
	}
	start := len(b)
	d := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	b, err := r.value(b, d, sensitive)
	if err == nil {
		if _, err = d.ReadToken(); errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = errors.New("more than one value")
		}
	}
	switch {
	case err != nil:
		return append(b[:start], `"(not valid JSON)"`...)
	case len(b)-start > maxArguments:
		return append(b[:start], `"(too large)"`...)
	}
	return b
}

// value copies the next value.
func (r *Redactor) value(b []byte, d *jsontext.Decoder, sensitive []string) ([]byte, error) {
	switch d.PeekKind() {
	case '{':
		_, err := d.ReadToken()
		b = append(b, '{')
		for n := 0; err == nil && d.PeekKind() != '}'; n++ {
			if n > 0 {
				b = append(b, ',')
			}
			var t jsontext.Token
			if t, err = d.ReadToken(); err != nil {
				break
			}
			name := t.String()
			b = append(result.AppendString(b, result.Shorten(r.Text(name), maxString)), ':')
			if r.Name(name) || contains(sensitive, name) {
				b = append(b, `"`+hidden+`"`...)
				err = d.SkipValue()
				continue
			}
			b, err = r.value(b, d, sensitive)
		}
		if err == nil {
			_, err = d.ReadToken()
		}
		return append(b, '}'), err
	case '[':
		_, err := d.ReadToken()
		b = append(b, '[')
		for n := 0; err == nil && d.PeekKind() != ']'; n++ {
			if n > 0 {
				b = append(b, ',')
			}
			b, err = r.value(b, d, sensitive)
		}
		if err == nil {
			_, err = d.ReadToken()
		}
		return append(b, ']'), err
	case '"':
		t, err := d.ReadToken()
		if err != nil {
			return b, err
		}
		return result.AppendString(b, result.Shorten(r.Text(t.String()), maxString)), nil
	}
	v, err := d.ReadValue()
	if err != nil {
		return b, err
	}
	if s := r.Text(string(v)); s != string(v) { // a secret of digits
		return result.AppendString(b, s), nil
	}
	return append(b, v...), nil
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}
