package runtime

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Part says where a piece of an explained request comes from.
type Part = request.Part

// Explanation is the request that a call would send.
type Explanation struct {
	Tool   string
	Method string
	URL    string // "" as host when no base URL is known
	Header http.Header
	Body   []byte // nil: none
	Parts  []Part // in the order they are written, credentials last
	// Missing is what would have to be set for the operation's credentials, one
	// line per way to authenticate; nil when one can be used or none is needed.
	Missing []string
	// Steps are those of a composite tool, which has no request of its own.
	Steps []plan.Step
}

// Explain makes the request of a call without sending it. It has everything the
// request would have, but secrets are shown as "(secret)". The error is
// [ErrUnknownTool], an *[ArgumentError], or what is wrong with the plan.
func (b *Bridge) Explain(name string, arguments []byte) (*Explanation, error) {
	t := b.tools[name]
	if t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	return b.explain(t, arguments)
}

// ExplainResource is [Bridge.Explain] of reading a resource.
func (b *Bridge) ExplainResource(uri string) (*Explanation, error) {
	r, values := b.resourceOf(uri)
	if r == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownResource, uri)
	}
	arguments, err := r.arguments(values)
	if err != nil {
		return nil, &ArgumentError{sentence(err.Error())}
	}
	return b.explain(r.call, arguments)
}

// ExplainPrompt is [Bridge.Explain] of the request a prompt makes first.
func (b *Bridge) ExplainPrompt(name string, arguments []byte) (*Explanation, error) {
	p := b.prompts[name]
	if p == nil || p.call == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownPrompt, name)
	}
	return b.explain(p.call, arguments)
}

func (b *Bridge) explain(t *tool, arguments []byte) (*Explanation, error) {
	name := t.plan.Name
	if err := t.prepare(); err != nil {
		return nil, fmt.Errorf("tool %s: %w", name, err)
	}
	a, _, err := t.arguments(arguments)
	if err != nil {
		return nil, err
	}
	if t.steps != nil {
		return &Explanation{Tool: name, Steps: t.plan.Steps}, nil
	}
	env := &expr.Env{Args: a.Values}
	if t.pager != nil {
		at, err := t.pager.place(a)
		if err != nil {
			return nil, &ArgumentError{sentence(err.Error())}
		}
		env.Vars = t.pager.vars(at)
	}
	s, err := t.choose(env)
	if err != nil {
		return nil, err
	}
	req, err := s.builder.Explain(env, a)
	if err != nil {
		if r, ok := errors.AsType[*request.Refusal](err); ok {
			return nil, &ArgumentError{"The request was not sent: " + r.Error()}
		}
		return nil, fmt.Errorf("tool %s: %w", name, err)
	}
	e := &Explanation{Tool: name, Method: req.Method, Body: req.Body}
	if e.Missing, err = t.client.Explain(req, s.plan.Security); err != nil {
		return nil, fmt.Errorf("tool %s: %w", name, err)
	}
	if n := len(t.sends); n > 1 {
		which := slices.IndexFunc(t.sends, func(other sending) bool { return other.builder == s.builder })
		req.Parts = slices.Insert(req.Parts, 0, Part{Where: "request", Value: fmt.Sprintf("%d of %d", which+1, n), From: "condition"})
	}
	e.Header, e.Parts, e.URL = req.Header, req.Parts, req.URL.String()
	if list := secretsOfURL(t.upstream.BaseURL); list != nil {
		e.URL = upstream.Redact(e.URL, list)
	}
	return e, nil
}

// Explain is [Bridge.Explain]; a native tool is explained as if it were bridged.
func (s *Server) Explain(name string, arguments []byte) (*Explanation, error) {
	return s.bridge.Explain(name, arguments)
}

// ExplainResource is [Bridge.ExplainResource].
func (s *Server) ExplainResource(uri string) (*Explanation, error) {
	return s.bridge.ExplainResource(uri)
}

// ExplainPrompt is [Bridge.ExplainPrompt].
func (s *Server) ExplainPrompt(name string, arguments []byte) (*Explanation, error) {
	return s.bridge.ExplainPrompt(name, arguments)
}

// ResourceScopes are the scopes that the resource of a URI wants of its reader.
func (s *Server) ResourceScopes(uri string) []string { return s.bridge.resourceScopes(uri) }

// ArgumentError says that arguments cannot be used, in words for who made them.
type ArgumentError struct{ Message string }

func (e *ArgumentError) Error() string { return e.Message }

// arguments decodes and checks the arguments of a call. repaired says that they
// are valid, but not as they were written.
func (t *tool) arguments(text []byte) (a args.Args, repaired bool, err error) {
	if a, err = args.Decode(text); err != nil {
		return a, false, &ArgumentError{sentence(err.Error())}
	}
	problems := t.input.Check(a.Values)
	// Many clients send an object as its text. What can be nothing else is
	// taken for that, but only when the call would fail otherwise.
	if problems != nil && len(t.input.Repair(&a)) > 0 {
		problems, repaired = t.input.Check(a.Values), true
	}
	if problems == nil && len(t.rules) > 0 {
		problems = checkRules(t.rules, &expr.Env{Args: a.Values})
	}
	if problems != nil {
		return a, false, &ArgumentError{describe(problems)}
	}
	return a, repaired, nil
}
