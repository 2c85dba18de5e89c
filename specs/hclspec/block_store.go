package hclspec

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func storeBlock() *block {
	return &block{
		name: "store", label: "name", labelDoc: "referred to as `store.name`",
		doc: "A Redis server, or one that is compatible (Valkey), for what several servers share: rate limits. It has to run Lua scripts and speak the protocol of Redis 6; of a cluster, name one node, and where there are replicas, an address that leads to the master. " +
			"Connections are made when they are first needed. Keys hold hashes, nothing of a caller, and expire when nothing is owed any more.\n\n" +
			"While the store cannot be asked, `on_error` of what uses it holds: it is left alone then and tried again in the background, from a tenth of a second to five seconds apart, so that no call waits for it; the log has a line when that begins and one when it ends. `mcpc_limit_store_up` of the metrics says which it is.",
		example: `store "shared" {
  url      = "rediss://limits.example:6380/0"
  username = "mcpc"
  password = env("REDIS_PASSWORD")
  tls      = { ca = "internal-ca.pem" }
}

rate_limit "per-client" {
  key      = caller.client
  rate     = "5/s"
  burst    = 20
  store    = store.shared
  on_error = "deny"
}`,
		attrs: []attr{
			{name: "url", kind: secretKind, local: true, required: true, quiet: true, doc: "where it is: `redis://HOST:PORT/DATABASE`, with TLS `rediss://`; port and database may be missing. Of `env()`, which is read when the server runs, it may hold user and password", example: `url = "rediss://limits.example:6380/0"`,
				set: func(p *parser, target any, s *setting) {
					target.(*specs.Store).URL = s.expr
				}},
			{name: "username", kind: secretKind, quiet: true, doc: "the user (ACL)", example: `username = "mcpc"`,
				set: into(func(t *specs.Store, s *setting) { t.Username = s.expr })},
			{name: "password", kind: secretKind, doc: "the password", example: `password = env("REDIS_PASSWORD")`,
				set: into(func(t *specs.Store, s *setting) { t.Password = s.expr })},
			tlsSetting("the store", "limits.example", func(target any) *specs.ClientTLS {
				t := target.(*specs.Store)
				if t.TLS == nil {
					t.TLS = &specs.ClientTLS{}
				}
				return t.TLS
			}),
			{name: "timeout", kind: durationKind, standard: "`\"200ms\"`", doc: "how long a call waits for an answer of the store", example: `timeout = "100ms"`,
				set: into(func(t *specs.Store, s *setting) { t.Timeout = s.text })},
			{name: "prefix", kind: textKind, standard: "`\"mcpc:\"`", doc: "what all keys begin with", example: `prefix = "mcp:prod:"`,
				check: func(s string) (problem, advice string) {
					if s == "" || len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }) {
						return fmt.Sprintf("cannot be %q", s), `write up to 64 letters of ASCII, without spaces and braces: "mcp:prod:"`
					}
					return "", ""
				},
				set: into(func(t *specs.Store, s *setting) { t.Prefix = s.text })},
		},
		open: func(p *parser, h *head, _ any) any {
			name := h.label().Value
			if i := slices.IndexFunc(p.doc.Stores, func(s *specs.Store) bool { return s.Name == name }); i >= 0 {
				p.duplicate("store", name, h.rng, p.doc.Stores[i].Range)
				return nil
			}
			return &specs.Store{Name: name, Range: h.rng}
		},
		close: func(p *parser, h *head, _, target any) {
			s := target.(*specs.Store)
			p.doc.Stores = append(p.doc.Stores, s)
			if s.URL == nil || s.URL.Op != specs.ExprConst {
				return
			}
			text := s.URL.Value.Text
			problem, advice := checkStoreURL(text)
			u, err := url.Parse(text)
			switch {
			case problem != "":
				// It may hold a password: not repeated.
				p.add(diag.Diagnostic{Code: "invalid-value", Secret: true, Message: "url " + problem, Hint: advice, Range: s.URL.Range})
			case err == nil && u.Scheme == "redis" && s.TLS != nil:
				p.add(diag.Diagnostic{Code: "does-not-apply", Message: "tls is about encrypted connections, and the url begins with redis://", Hint: "write rediss:// instead", Range: s.TLS.Range})
			}
		},
	}
}

// checkStoreURL accepts the URL of a Redis server, without credentials.
func checkStoreURL(s string) (problem, advice string) {
	const form = `write "redis://HOST:PORT" or "rediss://HOST:PORT", with /NUMBER for a database`
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "redis" && u.Scheme != "rediss" {
		return "is no URL of a Redis server", form
	}
	if u.User != nil {
		return "cannot hold a user or password", `write username = "…" and password = env("NAME"), or the whole url = env("NAME")`
	}
	database := strings.TrimPrefix(u.Path, "/")
	n, err := strconv.ParseUint(database, 10, 16)
	if database != "" && (err != nil || strconv.FormatUint(n, 10) != database) || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "has more than a host, a port and the number of a database", form
	}
	return "", ""
}

// linkStores finds the store of each rate limit. A module has neither.
func (p *parser) linkStores() {
	if p.module != nil {
		return
	}
	var names []string
	used := map[string]bool{}
	unknown := p.diags.HasErrors() // what is not used may be what was meant
	for _, s := range p.doc.Stores {
		names = append(names, s.Name)
	}
	for _, l := range p.doc.Limits {
		if l.Store == nil {
			continue
		}
		used[l.Store.Value] = true
		if slices.Contains(names, l.Store.Value) || p.lost["store "+l.Store.Value] {
			continue
		}
		unknown = true
		hint := didYouMean(l.Store.Value, names, "there are ")
		if hint == "" {
			hint = fmt.Sprintf("add store %q { url = \"redis://HOST:PORT\" }", l.Store.Value)
		}
		p.add(diag.Diagnostic{Code: "unknown-store", Message: fmt.Sprintf("there is no store %q", l.Store.Value), Hint: hint, Range: l.Store.Range})
	}
	for _, s := range p.doc.Stores {
		if !used[s.Name] && !unknown {
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "unused-store", Message: fmt.Sprintf("store %q is not used", s.Name), Hint: "write store = store." + s.Name + " into a rate_limit, or remove it", Range: s.Range})
		}
	}
}
