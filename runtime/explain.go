package runtime

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
}

// hidden stands where a secret is sent.
const hidden = "(secret)"

// Explain makes the request of a call without sending it. It has everything the
// request would have, but secrets are shown as "(secret)". The error is
// [ErrUnknownTool], an *[ArgumentError], or what is wrong with the plan.
func (s *Server) Explain(name string, arguments []byte) (*Explanation, error) {
	t := s.tools[name]
	if t == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownTool, name)
	}
	if err := t.prepare(); err != nil {
		return nil, fmt.Errorf("tool %s: %w", name, err)
	}
	a, err := t.arguments(arguments)
	if err != nil {
		return nil, err
	}
	req, err := t.builder.Explain(&expr.Env{Args: a.Values}, a)
	if err != nil {
		if r, ok := errors.AsType[*request.Refusal](err); ok {
			return nil, &ArgumentError{"The request was not sent: " + r.Error()}
		}
		return nil, fmt.Errorf("tool %s: %w", name, err)
	}
	e := &Explanation{Tool: name, Method: req.Method, Body: req.Body, Parts: req.Parts, Header: req.Header}
	if req.URL.Host != "" {
		// The client itself completes the header; what it would send is kept
		// from going anywhere.
		var caught catcher
		c, err := upstream.New(*t.upstream, upstream.Options{Transport: &caught})
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", t.upstream.Name, err)
		}
		if _, err := c.Do(context.Background(), Principal{}, req, nil); err != nil {
			return nil, fmt.Errorf("tool %s: %w", name, err)
		}
		e.Header = caught.header
	}
	if e.Header == nil {
		e.Header = http.Header{}
	}
	e.URL = req.URL.String()
	s.explainCredentials(e, t)
	return e, nil
}

// explainCredentials adds the credentials that would be sent: those of the first
// way to authenticate whose secrets are all at hand.
func (s *Server) explainCredentials(e *Explanation, t *tool) {
	for _, way := range t.plan.Request.Security {
		if len(way) == 0 {
			continue
		}
		var parts []Part
		var missing []string
		for _, name := range way {
			c := credentialOf(t.upstream, name)
			if c == nil {
				missing = append(missing, fmt.Sprintf("%s, which is not supported", name))
				continue
			}
			refs := appendSecrets(appendSecrets(nil, &c.Value), c.Username)
			var from []string
			for _, ref := range refs {
				if v, err := s.secrets.value(*ref); err != nil || v == "" {
					missing = append(missing, fmt.Sprintf("%s: %s", name, sourceOf(ref)))
				}
				from = append(from, sourceOf(ref))
			}
			part := Part{Where: "header", Name: "Authorization", Value: hidden, From: "credential " + name}
			if len(from) > 0 {
				part.From += " (" + strings.Join(from, ", ") + ")"
			}
			switch c.Kind {
			case "bearer":
				part.Value = "Bearer " + hidden
			case "basic":
				part.Value = "Basic " + hidden
			default:
				part.Where, part.Name = c.In, c.Param
			}
			parts = append(parts, part)
		}
		if missing != nil {
			e.Missing = append(e.Missing, strings.Join(missing, " and "))
			continue
		}
		e.Missing = nil
		for _, p := range parts {
			switch p.Where {
			case "header":
				e.Header[http.CanonicalHeaderKey(p.Name)] = []string{p.Value}
			case "cookie":
				pair := p.Name + "=" + p.Value
				if before := e.Header.Get("Cookie"); before != "" {
					pair = before + "; " + pair
				}
				e.Header["Cookie"] = []string{pair}
			case "query":
				separator := "?"
				if strings.Contains(e.URL, "?") {
					separator = "&"
				}
				e.URL += separator + p.Name + "=" + p.Value
			}
		}
		e.Parts = append(e.Parts, parts...)
		return
	}
	for _, way := range t.plan.Request.Security {
		if len(way) == 0 {
			e.Missing = nil // it also works without
		}
	}
}

func credentialOf(u *plan.Upstream, name string) *plan.Credential {
	for i := range u.Credentials {
		if u.Credentials[i].Name == name {
			return &u.Credentials[i]
		}
	}
	return nil
}

// appendSecrets appends the secrets an expression uses; nil uses none.
func appendSecrets(list []*plan.Secret, e *plan.Expr) []*plan.Secret {
	if e == nil {
		return list
	}
	if e.Op == plan.OpSecret && e.Secret != nil {
		list = append(list, e.Secret)
	}
	for i := range e.Args {
		list = appendSecrets(list, &e.Args[i])
	}
	return list
}

// sourceOf says where a secret is read from.
func sourceOf(ref *plan.Secret) string {
	switch {
	case len(ref.Env) > 0:
		return "environment variable " + strings.Join(ref.Env, " or ")
	case ref.File != "":
		return "file " + ref.File
	}
	return "secret " + ref.Name
}

// catcher takes a request instead of the network.
type catcher struct{ header http.Header }

func (c *catcher) RoundTrip(r *http.Request) (*http.Response, error) {
	c.header = r.Header.Clone()
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// ArgumentError says that arguments cannot be used, in words for who made them.
type ArgumentError struct{ Message string }

func (e *ArgumentError) Error() string { return e.Message }

// arguments decodes and checks the arguments of a call.
func (t *tool) arguments(text []byte) (args.Args, error) {
	a, err := args.Decode(text)
	if err != nil {
		return a, &ArgumentError{sentence(err.Error())}
	}
	problems := t.input.Check(a.Values)
	if problems == nil {
		return a, nil
	}
	// Many clients send an object as its text. What can be nothing else is
	// taken for that, but only when the call would fail otherwise.
	if len(t.input.Repair(&a)) > 0 {
		if problems = t.input.Check(a.Values); problems == nil {
			return a, nil
		}
	}
	return a, &ArgumentError{describe(problems)}
}
