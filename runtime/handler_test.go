package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// shop is a server for library whose upstream notes what it is asked.
type shop struct {
	*Server
	log  logged
	seen []string
}

// newShop returns a server whose tools in native are native.
func newShop(t *testing.T, native map[string]Handler, m ...Middleware) *shop {
	t.Helper()
	s := &shop{}
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.seen = append(s.seen, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/books/404" {
			w.WriteHeader(404)
		}
		fmt.Fprint(w, `{"id":7,"title":"A Book"}`)
	})
	b, err := NewBridge(library(base), Options{Getenv: env("LIBRARY_TOKEN", "sesame-1"), ReadFile: noFile, Logger: s.log.logger(), Middleware: m})
	if err != nil {
		t.Fatal(err)
	}
	if s.Server, err = b.Server(native); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) call(t *testing.T, tool, arguments string) *Result {
	t.Helper()
	res, err := s.Call(t.Context(), Principal{}, tool, []byte(arguments))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// answer is a handler with a fixed answer.
func answer(text string) Handler {
	return func(context.Context, *Call) (*Result, error) { return Text(text), nil }
}

// The first middleware is the outermost, around native and bridged tools alike.
func TestMiddlewareOrder(t *testing.T) {
	var steps []string
	step := func(name string) Middleware {
		return func(next Handler) Handler {
			return func(ctx context.Context, c *Call) (*Result, error) {
				steps = append(steps, name+" in "+c.Tool)
				res, err := next(ctx, c)
				steps = append(steps, name+" out")
				return res, err
			}
		}
	}
	s := newShop(t, map[string]Handler{"signed": answer("native")}, step("a"), step("b"))
	for _, tool := range []string{"signed", "get_book"} {
		steps = nil
		res := s.call(t, tool, `{"id":7}`)
		if want := []string{"a in " + tool, "b in " + tool, "b out", "a out"}; !slices.Equal(steps, want) {
			t.Errorf("%s: %v", tool, steps)
		}
		if res.IsError {
			t.Error(text(res))
		}
	}
	if want := []string{"GET /books/7"}; !slices.Equal(s.seen, want) {
		t.Errorf("sent %v", s.seen)
	}
	// The line of a call says who answered.
	if log := s.log.String(); !strings.Contains(log, "tool=signed outcome=ok") || strings.Count(log, "native=true") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// What middleware makes of a call is checked as if a client had sent it.
func TestMiddlewareChangesCalls(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Call)
		sent   []string
		code   string
	}{
		{"nothing", func(*Call) {}, []string{"GET /books/7"}, ""},
		{"arguments", func(c *Call) { c.Arguments = []byte(`{"id":8}`) }, []string{"GET /books/8"}, ""},
		{"arguments to wrong ones", func(c *Call) { c.Arguments = []byte(`{"id":"x"}`) }, nil, "invalid-arguments"},
		{"arguments to none", func(c *Call) { c.Arguments = nil }, nil, "invalid-arguments"},
		{"arguments to no JSON", func(c *Call) { c.Arguments = []byte(`{`) }, nil, "invalid-arguments"},
		{"the tool, and arguments that fit it", func(c *Call) { c.Tool, c.Arguments = "add_book", []byte(`{"body":{"a":1.50}}`) }, []string{`POST /books {"a":1.50}`}, ""},
		{"the tool only", func(c *Call) { c.Tool = "add_book" }, nil, "invalid-arguments"},
		{"the tool to one that is native", func(c *Call) { c.Tool = "signed" }, nil, ""},
		{"the tool to none", func(c *Call) { c.Tool = "burn_book" }, nil, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t, map[string]Handler{"signed": answer("native")}, func(next Handler) Handler {
				return func(ctx context.Context, c *Call) (*Result, error) {
					tt.change(c)
					return next(ctx, c)
				}
			})
			res := s.call(t, "get_book", `{"id":7}`)
			if !slices.Equal(s.seen, tt.sent) || res.Code != tt.code {
				t.Errorf("sent %v, code %q: %s", s.seen, res.Code, text(res))
			}
		})
	}
}

// Wrong arguments end before middleware, and what was repaired reaches it as it
// will be sent.
func TestMiddlewareSeesCheckedArguments(t *testing.T) {
	var got []string
	s := newShop(t, nil, func(next Handler) Handler {
		return func(ctx context.Context, c *Call) (*Result, error) {
			got = append(got, string(c.Arguments))
			return next(ctx, c)
		}
	})
	if res := s.call(t, "get_book", `{"id":0}`); res.Code != "invalid-arguments" {
		t.Errorf("%q: %s", res.Code, text(res))
	}
	s.call(t, "get_book", ` {"id":7.0} `)
	s.call(t, "add_book", `{"body":"{\"z\":1.50}"}`)
	if want := []string{` {"id":7.0} `, `{"body":{"z":1.50}}`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Middleware may answer in the place of a tool.
func TestMiddlewareAnswers(t *testing.T) {
	s := newShop(t, nil, func(Handler) Handler { return answer("closed today") })
	if res := s.call(t, "get_book", `{"id":7}`); text(res) != "closed today" || s.seen != nil {
		t.Errorf("%q, sent %v", text(res), s.seen)
	}
}

// How a handler fails decides what the model is told, and what only the log.
func TestHandlerFails(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		handler Handler
		code    string
		told    string // to the model
		logged  string // and to nobody else
	}{
		{"with an error", nil, func(context.Context, *Call) (*Result, error) { return nil, errors.New("database 10.0.0.7 is gone") }, "internal", "correlation id", "10.0.0.7"},
		{"with an error for the model", nil, func(context.Context, *Call) (*Result, error) {
			return nil, NewToolError("no-stock", "There is none.", "Order some.", RetryMay)
		}, "no-stock", "There is none.\nOrder some.\nA retry may help.", ""},
		{"with one that is wrapped", nil, func(context.Context, *Call) (*Result, error) {
			return nil, fmt.Errorf("at 10.0.0.7: %w", NewToolError("no-stock", "There is none.", "", RetryNo))
		}, "no-stock", "There is none.", ""},
		{"with one that says nothing", nil, func(context.Context, *Call) (*Result, error) { return nil, &ToolError{} }, "internal", "correlation id", "the tool failed"},
		{"with a result", nil, func(context.Context, *Call) (*Result, error) {
			return NewToolError("no-stock", "There is none.", "", RetryNo).Result, nil
		}, "no-stock", "There is none.", ""},
		{"with neither", nil, func(context.Context, *Call) (*Result, error) { return nil, nil }, "internal", "correlation id", "neither"},
		{"with a panic", nil, func(context.Context, *Call) (*Result, error) { panic("10.0.0.7") }, "internal", "correlation id", "10.0.0.7"},
		{"by time", nil, func(context.Context, *Call) (*Result, error) {
			return nil, fmt.Errorf("ask: %w", context.DeadlineExceeded)
		}, "timeout", "too long", ""},
		{"because the client left", ended, func(ctx context.Context, _ *Call) (*Result, error) { return nil, ctx.Err() }, "canceled", "canceled", ""},
		{"as cancelled while nobody left", nil, func(context.Context, *Call) (*Result, error) { return nil, context.Canceled }, "internal", "correlation id", "context canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ctx == nil {
				tt.ctx = t.Context()
			}
			s := newShop(t, map[string]Handler{"signed": tt.handler})
			res, err := s.Call(tt.ctx, Principal{}, "signed", nil)
			if err != nil {
				t.Fatal(err)
			}
			if !res.IsError || res.Code != tt.code || !strings.Contains(text(res), tt.told) || strings.Contains(text(res), "10.0.0.7") {
				t.Errorf("code %q: %s", res.Code, text(res))
			}
			if !strings.Contains(s.log.String(), tt.logged) || (tt.logged == "") == strings.Contains(s.log.String(), "internal reason") {
				t.Errorf("log:\n%s", s.log.String())
			}
			// The server goes on.
			if res := s.call(t, "get_book", `{"id":7}`); res.IsError {
				t.Error(text(res))
			}
		})
	}
}

// On whose behalf a call is made, native code learns from its context, and the
// calls it makes through the bridge are on the same.
func TestPrincipalOfNativeCode(t *testing.T) {
	who := Principal{Tenant: "north", Subject: "ann", Client: "desk"}
	var got []Principal
	var s *shop
	s = newShop(t, map[string]Handler{"signed": func(ctx context.Context, _ *Call) (*Result, error) {
		got = append(got, PrincipalOf(ctx))
		return BridgedResult(ctx, s.bridge, "get_book", &bookIn{ID: 7})
	}}, func(next Handler) Handler {
		return func(ctx context.Context, c *Call) (*Result, error) {
			got = append(got, c.Principal, PrincipalOf(ctx))
			if c.Principal.Tenant == "" {
				c.Principal = Principal{Tenant: "guest"}
			}
			return next(ctx, c)
		}
	})
	if _, err := s.Call(t.Context(), who, "signed", nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []Principal{who, who, who}) {
		t.Errorf("%v", got)
	}
	if n := strings.Count(s.log.String(), "tenant=north subject=ann client=desk"); n != 2 {
		t.Errorf("%d lines name the principal, not those of both tools:\n%s", n, s.log.String())
	}
	// One that middleware found out counts from there on.
	got = nil
	s.call(t, "signed", `{}`)
	if !slices.Equal(got, []Principal{{}, {}, {Tenant: "guest"}}) {
		t.Errorf("%v", got)
	}
	if PrincipalOf(t.Context()) != (Principal{}) {
		t.Error("a context of nobody has a principal")
	}
}

// A handler for a tool that there is not is a mistake.
func TestHandlerOfNoTool(t *testing.T) {
	b, err := NewBridge(library("http://127.0.0.1:1"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Server(map[string]Handler{"burn_book": answer("")}); !errors.Is(err, ErrUnknownTool) || !strings.Contains(err.Error(), "burn_book") {
		t.Errorf("%v", err)
	}
}

// Options move upstreams and say where secrets are, by the names of the plan.
func TestOptionsReplaceWhatThePlanSays(t *testing.T) {
	var seen []string
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":7}`)
	})
	p := library("http://old.invalid/v1")
	p.Tools[0].Request.Server = "http://other.invalid" // an operation with a server of its own
	o := Options{
		BaseURLs: map[string]string{"books": base + "/v2/"},
		Sources:  map[string]plan.Secret{"token": {File: "/run/token"}},
		Getenv:   env("LIBRARY_TOKEN", "of-the-plan"),
		ReadFile: func(name string) ([]byte, error) { return []byte("from " + name + "\n"), nil },
	}
	s := newServer(t, p, o)
	if res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`)); err != nil || res.IsError {
		t.Fatalf("%v, %v", res, err)
	}
	o.Secrets = map[string]string{"token": "given"}
	s = newServer(t, p, o)
	if res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(`{"id":7}`)); err != nil || res.IsError {
		t.Fatalf("%v, %v", res, err)
	}
	if want := []string{"/v2/books/7 Bearer from /run/token", "/v2/books/7 Bearer given"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
	if p.Tools[0].Request.Server == "" || p.Upstreams[0].BaseURL != "http://old.invalid/v1" {
		t.Error("the plan was changed")
	}
	if _, err := New(p, Options{BaseURLs: map[string]string{"boks": base}}); err == nil || !strings.Contains(err.Error(), `"boks"`) || !strings.Contains(err.Error(), "books") {
		t.Errorf("a base URL for no upstream: %v", err)
	}
}
