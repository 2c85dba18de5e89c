package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/mcpc-dev/mcpc/runtime/internal/limit"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	sealed "github.com/mcpc-dev/mcpc/runtime/internal/secret"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Bridge executes the calls of a plan. It knows no protocol: a [Server] puts MCP
// around it. It is safe for concurrent use.
type Bridge struct {
	plan      *plan.Server
	options   Options
	tools     map[string]*tool
	resources []*resource
	prompts   map[string]*prompt
	clients   map[string]*upstream.Client // by upstream name
	secrets   *secrets
	files     folders
	log       *slog.Logger
	observer  *observe.Observer // nil: the plan asks for none
	stores    []*limit.Keeper   // of rate limits
	limits    []*limit.Limit    // those of the plan, in its order
	ofClients bool              // some of them are about where calls come from
	anew      []string          // limits of the plan before that count from the beginning
}

// NewBridge returns a bridge for a plan, which must not change afterwards. An
// error says what is wrong with the plan or the options.
func NewBridge(p *plan.Server, o Options) (*Bridge, error) { return newBridge(p, o, nil) }

// newBridge is NewBridge for a bridge that takes over from another what is the
// same for both; see [Server.Reload].
func newBridge(p *plan.Server, o Options, before *Bridge) (_ *Bridge, err error) {
	b := &Bridge{
		plan:    p,
		options: o,
		tools:   make(map[string]*tool, len(p.Tools)),
		prompts: make(map[string]*prompt, len(p.Prompts)),
		clients: make(map[string]*upstream.Client, len(p.Upstreams)),
		secrets: newSecrets(o),
		log:     o.Logger,
	}
	b.options.Secrets = nil // they are held where printing shows none
	if before != nil {
		b.secrets.memory = before.secrets.memory
		b.files.closed.Store(before.files.closed.Load())
	}
	defer func() {
		if err != nil {
			b.close(before)
		}
	}()
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	} else {
		b.log = slog.New(redacting{b.log.Handler(), b.secrets.redact})
	}
	if b.secrets.getenv == nil {
		b.secrets.getenv = os.Getenv
	}
	if b.secrets.readFile == nil {
		b.secrets.readFile = os.ReadFile
	}
	if before != nil {
		b.secrets.slow = before.secrets.slow // what was read is not read again
	} else {
		b.secrets.slow = sealed.NewSources(sealed.Options{Getenv: b.secrets.getenv, ReadFile: b.secrets.readFile, Logger: b.log})
	}
	b.secrets.plan = p
	b.secrets.pending.Store(b.secrets)
	if p.Observe != nil && !o.Unobserved {
		stderr := o.Stderr
		if stderr == nil {
			stderr = os.Stderr
		}
		b.observer, err = observe.New(p.Observe, observe.Options{Stderr: stderr, Known: b.secrets.redact,
			List: func(given []string) func(string) string { return upstream.Redactor(given).Replace }, Logger: b.log, Before: before.observing(),
			Renew: p.Observe.OTLP != nil && before != nil && (before.plan.Name != p.Name || before.plan.Version != p.Version || !before.secrets.same(b.secrets, p.Observe))})
		if err != nil {
			return nil, err
		}
		if t := p.Observe.OTLP; t != nil && b.observer.Telemetry == nil {
			if b.observer.Telemetry, err = b.telemetry(t); err != nil {
				return nil, err
			}
		}
	}
	if err := b.files.open(o.Files); err != nil {
		return nil, err
	}
	upstreams := make(map[string]*plan.Upstream, len(p.Upstreams))
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		if base, ok := o.BaseURLs[u.Name]; ok {
			moved := *u
			moved.BaseURL = strings.TrimRight(base, "/")
			if e := u.Egress; e != nil { // its hosts are the operator's now
				moved.Egress = &plan.Egress{Allow: e.Allow, Deny: e.Deny, Redirects: e.Redirects}
			}
			u = &moved
		}
		b.secrets.inURL(u.BaseURL)
		c, err := upstream.New(*u, upstream.Options{Logger: b.log, Secret: b.secrets.value, Refused: b.secrets.refused, Redact: b.secrets.redact, Learn: b.secrets.remember, ReadFile: b.secrets.readFile, Watch: b.watch(), Transport: o.Transport, Trace: p.Observe != nil && p.Observe.Correlation,
			Telemetry: b.spans(), Health: p.Observe != nil && p.Observe.Admin != "", Before: before.client(u, b.secrets)})
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", u.Name, err)
		}
		upstreams[u.Name], b.clients[u.Name] = u, c
	}
	for name := range o.BaseURLs {
		if upstreams[name] == nil {
			return nil, fmt.Errorf("a base URL for upstream %q: there is %s", name, strings.Join(slices.Sorted(maps.Keys(upstreams)), ", "))
		}
	}
	toolOf := func(t *plan.Tool) (*tool, error) {
		if len(t.Steps) > 0 {
			return &tool{plan: t}, nil
		}
		u := upstreams[t.Request.Upstream]
		if u == nil {
			return nil, fmt.Errorf("tool %s: no upstream %q", t.Name, t.Request.Upstream)
		}
		if _, moved := o.BaseURLs[u.Name]; moved && t.Request.Server != "" {
			c := *t
			c.Request.Server = ""
			t = &c
		}
		return &tool{plan: t, upstream: u, client: b.clients[u.Name], file: b.files.read}, nil
	}
	for i := range p.Tools {
		t, err := toolOf(&p.Tools[i])
		if err != nil {
			return nil, err
		}
		if b.tools[t.plan.Name] != nil {
			return nil, fmt.Errorf("two tools are called %s", t.plan.Name)
		}
		b.tools[t.plan.Name] = t
	}
	for i := range p.Resources {
		r := &p.Resources[i]
		call, err := toolOf(&r.Call)
		if err != nil {
			return nil, fmt.Errorf("resource %s: %w", r.URI, err)
		}
		b.resources = append(b.resources, newResource(r, call))
	}
	for i := range p.Prompts {
		one := &prompt{plan: &p.Prompts[i]}
		if b.prompts[one.plan.Name] != nil {
			return nil, fmt.Errorf("two prompts are called %s", one.plan.Name)
		}
		if one.plan.Call != nil {
			var err error
			if one.call, err = toolOf(one.plan.Call); err != nil {
				return nil, fmt.Errorf("prompt %s: %w", one.plan.Name, err)
			}
		}
		b.prompts[one.plan.Name] = one
	}
	if err := b.linkSteps(); err != nil {
		return nil, err
	}
	if err := b.guards(before); err != nil {
		return nil, err
	}
	for _, m := range p.Moved {
		if b.tools[m.From] != nil || b.tools[m.To] == nil {
			return nil, fmt.Errorf("tool %s cannot have moved to %s", m.From, m.To)
		}
	}
	for _, m := range p.Moved {
		b.tools[m.From] = b.tools[m.To]
	}
	return b, nil
}

// SupportsGenerated1 is there as long as this package executes what mcpc
// generated for format 1 of the plan. Generated code refers to it, so that a
// pair that does not fit together does not compile.
const SupportsGenerated1 = true

// leave ends what is open at upstreams, when no call is made any more.
func (b *Bridge) leave(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	var all sync.WaitGroup
	for _, c := range b.clients {
		all.Go(func() { c.End(ctx, nil) })
	}
	all.Wait()
}
