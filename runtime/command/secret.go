package command

import (
	"os"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Secret is where a secret of a plan is expected, and whether it is there.
type Secret struct {
	Name string   `json:"name"`
	Env  []string `json:"env,omitempty"`
	File string   `json:"file,omitempty"`
	Set  bool     `json:"set"`
}

// Source names the places, never the secret.
func (s Secret) Source() string {
	from := slices.Clone(s.Env)
	if s.File != "" {
		from = append(from, s.File)
	}
	return strings.Join(from, " or ")
}

// secret looks for a secret where o says.
func secret(s *plan.Secret, o runtime.Options) Secret {
	info := Secret{Name: s.Name, Env: s.Env, File: s.File}
	if other, ok := o.Sources[s.Name]; ok {
		info.Env, info.File = other.Env, other.File
	}
	_, info.Set = o.Secrets[s.Name]
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
	note := func(e *plan.Expr) {
		for _, s := range secretsIn(e) {
			if !slices.ContainsFunc(list, func(have Secret) bool { return have.Name == s.Name }) {
				list = append(list, secret(s, o))
			}
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
// be called without credentials, or a store of rate limits could not be asked.
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
	slices.Sort(sources)
	return slices.Compact(sources)
}
