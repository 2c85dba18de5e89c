package command

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Secret is where a secret of a plan is expected, and whether it is there.
type Secret struct {
	Name string   `json:"name"`
	Env  []string `json:"env,omitempty"`
	File string   `json:"file,omitempty"`
	// Exec is the program that prints it, Vault where it is kept there.
	Exec  []string `json:"exec,omitempty"`
	Vault string   `json:"vault,omitempty"`
	// Set tells whether it is there. What a program prints and what Vault keeps is
	// taken to be: finding out may ask a person something.
	Set bool `json:"set"`
}

// Source names the places, never the secret.
func (s Secret) Source() string {
	from := slices.Clone(s.Env)
	if s.File != "" {
		from = append(from, s.File)
	}
	if len(s.Exec) > 0 {
		from = append(from, fmt.Sprintf("the output of %q", s.Exec[0]))
	}
	if s.Vault != "" {
		from = append(from, "Vault, "+s.Vault)
	}
	return strings.Join(from, " or ")
}

// secret looks for a secret where o says.
func secret(s *plan.Secret, o runtime.Options) Secret {
	if other, ok := o.Sources[s.Name]; ok {
		other.Name = s.Name
		s = &other
	}
	info := Secret{Name: s.Name, Env: s.Env, File: s.File, Exec: s.Exec}
	if s.Vault != nil {
		info.Vault = s.Vault.Path + "#" + s.Vault.Field
	}
	info.Set = len(s.Exec) > 0 || s.Vault != nil
	if _, given := o.Secrets[s.Name]; given {
		info.Set = true
	}
	for _, name := range info.Env {
		info.Set = info.Set || o.Getenv(name) != ""
	}
	if info.File != "" && !info.Set {
		_, err := os.Stat(info.File)
		info.Set = err == nil
	}
	return info
}

// SecretNames are the names of the secrets in an expression.
func SecretNames(e *plan.Expr) (names []string) {
	for _, s := range secretsIn(e) {
		names = append(names, s.Name)
	}
	return names
}

// Secrets are all secrets of a plan, in the order of their first use.
func Secrets(p *plan.Server, o runtime.Options) (list []Secret) {
	one := func(s *plan.Secret) {
		if !slices.ContainsFunc(list, func(have Secret) bool { return have.Name == s.Name }) {
			list = append(list, secret(s, o))
		}
	}
	note := func(e *plan.Expr) {
		for _, s := range secretsIn(e) {
			one(s)
		}
	}
	params := func(list []plan.Param) {
		for i := range list {
			note(list[i].Value)
		}
	}
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		for j := range u.Credentials {
			for _, e := range u.Credentials[j].Exprs() {
				note(e)
			}
		}
		params(u.Headers)
	}
	for i := range p.Identities {
		if s := introspection(&p.Identities[i]); s != nil {
			one(s)
		}
	}
	if o := p.Observe; o != nil && o.OTLP != nil {
		for i := range o.OTLP.Headers {
			note(&o.OTLP.Headers[i].Value)
		}
	}
	for i := range p.Stores {
		for _, e := range p.Stores[i].Exprs() {
			note(e)
		}
	}
	for i := range p.Tools {
		for _, r := range p.Tools[i].Requests() {
			for _, s := range r.Path {
				if s.Param != nil {
					note(s.Param.Value)
				}
			}
			params(r.Query)
			params(r.Header)
			params(r.Cookie)
			if r.Body != nil {
				note(r.Body.Value)
			}
		}
	}
	return list
}

// introspection is the secret by which a server asks an issuer about tokens; nil
// when it does not.
func introspection(i *plan.Identity) *plan.Secret {
	if i.OAuth == nil || i.OAuth.Introspection == nil {
		return nil
	}
	return i.OAuth.Introspection.Secret
}

func secretsIn(e *plan.Expr) (list []*plan.Secret) {
	if e == nil {
		return nil
	}
	if e.Secret != nil {
		list = append(list, e.Secret)
	}
	for i := range e.Args {
		list = append(list, secretsIn(&e.Args[i])...)
	}
	return list
}

// MissingSecrets says where secrets are expected without which some tool would
// be called without credentials, a store of rate limits could not be asked, or an
// issuer could not be asked about tokens.
func MissingSecrets(p *plan.Server, o runtime.Options) (sources []string) {
	missing := map[string][]string{} // by upstream and credential
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		for j := range u.Credentials {
			c := &u.Credentials[j]
			for _, e := range c.Exprs() {
				for _, s := range secretsIn(e) {
					if info := secret(s, o); !info.Set {
						missing[u.Name+" "+c.Name] = append(missing[u.Name+" "+c.Name], info.Source())
					}
				}
			}
		}
	}
	for i := range p.Tools {
		for _, r := range p.Tools[i].Requests() {
			var first []string
			atHand := len(r.Security) == 0
			for j, all := range r.Security {
				var lacks []string
				for _, name := range all {
					lacks = append(lacks, missing[r.Upstream+" "+name]...)
				}
				atHand = atHand || len(lacks) == 0
				if j == 0 {
					first = lacks
				}
			}
			if !atHand {
				sources = append(sources, first...)
			}
		}
	}
	for i := range p.Stores {
		for _, e := range p.Stores[i].Exprs() {
			for _, s := range secretsIn(e) {
				if info := secret(s, o); !info.Set {
					sources = append(sources, info.Source())
				}
			}
		}
	}
	for i := range p.Identities {
		if s := introspection(&p.Identities[i]); s != nil {
			if info := secret(s, o); !info.Set {
				sources = append(sources, info.Source())
			}
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// vaultTTL is how long a secret of Vault is used that a command line names.
const vaultTTL = 5 * time.Minute

// SecretAt reads where a secret is, as flags say it: env:NAME, file:PATH or
// vault:PATH#FIELD.
func SecretAt(where string) (ref plan.Secret, ok bool) {
	kind, at, _ := strings.Cut(where, ":")
	switch kind {
	case "env":
		ref.Env = []string{at}
	case "file":
		ref.File = at
	case "vault":
		path, field, named := strings.Cut(at, "#")
		path = strings.TrimPrefix(strings.Trim(path, "/"), "v1/")
		ref.Vault, ref.TTL = &plan.Vault{Path: path, Field: field}, vaultTTL
		return ref, named && path != "" && field != ""
	default:
		return ref, false
	}
	return ref, at != ""
}
