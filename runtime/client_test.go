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
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// clientFor returns the client of a tool of library and what its upstream sees.
func clientFor(t *testing.T, tool, path string, h http.HandlerFunc) (*http.Client, string, *[]string) {
	t.Helper()
	var seen []string
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), body)))
		h(w, r)
	})
	p := library(base + path)
	p.Upstreams[0].MaxResponse = 1000
	b, err := NewBridge(p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-1"), ReadFile: noFile})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Client(tool)
	if err != nil {
		t.Fatal(err)
	}
	return c, base, &seen
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Shelf", "B")
	fmt.Fprint(w, "fine")
}

func send(c *http.Client, ctx context.Context, method, url string, body io.Reader) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// Relative URLs are below the base URL, absolute ones go to its host only, and
// the credential of the tool goes along.
func TestClientURLs(t *testing.T) {
	c, base, seen := clientFor(t, "get_book", "/v1", ok)
	for _, tt := range []struct{ url, want string }{
		{"/loans?book=7&lang=fr", "GET /v1/loans?book=7&lang=fr Bearer sesame-1"},
		{"loans", "GET /v1/loans Bearer sesame-1"},
		{"/loans/a%2Fb", "GET /v1/loans/a%2Fb Bearer sesame-1"},
		{base + "/v2/loans", "GET /v2/loans Bearer sesame-1"},
	} {
		*seen = nil
		status, body, err := send(c, t.Context(), "GET", tt.url, nil)
		if err != nil || status != 200 || body != "fine" || !slices.Equal(*seen, []string{tt.want}) {
			t.Errorf("%s: %d %q, %v; sent %q", tt.url, status, body, err, *seen)
		}
	}
	*seen = nil
	for _, url := range []string{"http://elsewhere.invalid/loans", strings.Replace(base, "http:", "https:", 1) + "/loans", "//elsewhere.invalid/loans", base[:len(base)-1] + "/loans"} {
		if _, _, err := send(c, t.Context(), "GET", url, nil); err == nil || !strings.Contains(err.Error(), "the client of tool get_book sends to ") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(*seen) > 0 {
		t.Errorf("sent %q", *seen)
	}
	if resp, err := c.Head("/loans"); err != nil || resp.Header.Get("X-Shelf") != "B" || resp.Request == nil || resp.Status != "200 OK" {
		t.Errorf("%+v, %v", resp, err)
	}
}

// What the upstream's requests all have, the client's have too, unless they say
// it themselves.
func TestClientHeaders(t *testing.T) {
	var seen []string
	p := library(upstreamOf(t, func(_ http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprintf("%s %s %s", r.Header.Get("X-Api-Version"), r.Header.Get("X-Seal"), r.Header.Get("Accept")))
	}))
	p.Upstreams[0].Headers = []plan.Param{
		{Name: "X-Api-Version", Style: plan.Simple, Value: &plan.Expr{Op: plan.OpConst, Const: `"7"`}},
		{Name: "X-Seal", Style: plan.Simple, Value: &plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "seal", Env: []string{"SEAL"}}}},
	}
	b, err := NewBridge(p, Options{Getenv: env("SEAL", "wax-1")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Client("add_book")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"", "8"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "/books", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/csv")
		if version != "" {
			req.Header.Set("X-Api-Version", version)
		}
		if _, err := c.Do(req); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"7 wax-1 text/csv", "8 wax-1 text/csv"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
	if b, err = NewBridge(p, Options{Getenv: env()}); err != nil {
		t.Fatal(err)
	}
	if c, err = b.Client("add_book"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := send(c, t.Context(), "GET", "/books", nil); err == nil || !strings.Contains(err.Error(), "SEAL") || len(seen) != 2 {
		t.Errorf("without its secret: %v", err)
	}
}

// A tool without credentials has a client without them.
func TestClientSendsTheToolsCredentialsOnly(t *testing.T) {
	c, _, seen := clientFor(t, "add_book", "", ok)
	if _, _, err := send(c, t.Context(), "POST", "/books", strings.NewReader(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if want := []string{`POST /books  {"a":1}`}; !slices.Equal(*seen, want) {
		t.Errorf("sent %q", *seen)
	}
}

// An error of the service is an answer, a redirect within it is followed, one
// that leaves it is not.
func TestClientAnswers(t *testing.T) {
	c, base, seen := clientFor(t, "get_book", "", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		case "/moved":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/large":
			fmt.Fprint(w, strings.Repeat("x", 1001))
		case "/slow":
			<-r.Context().Done()
		case "/full":
			http.Error(w, "no room", http.StatusConflict)
		default:
			ok(w, r)
		}
	})
	if status, body, err := send(c, t.Context(), "GET", "/full", nil); err != nil || status != 409 || body != "no room\n" {
		t.Errorf("%d %q, %v", status, body, err)
	}
	*seen = nil
	if status, body, err := send(c, t.Context(), "GET", "/moved", nil); err != nil || status != 200 || body != "fine" || len(*seen) != 2 {
		t.Errorf("%d %q, %v; sent %q", status, body, err, *seen)
	}
	*seen = nil
	if status, _, err := send(c, t.Context(), "GET", "/away", nil); err == nil && status < 300 || len(*seen) != 1 {
		t.Errorf("%d, %v; sent %q", status, err, *seen)
	}
	if _, _, err := send(c, t.Context(), "GET", "/large", nil); err == nil || !strings.Contains(err.Error(), "the answer is larger than 1000 bytes") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := send(c, ctx, "GET", "/slow", nil); err == nil || strings.Contains(err.Error(), base) || strings.Contains(err.Error(), "sesame") {
		t.Errorf("%v", err)
	}
}

// A body is held in memory, so its size has a bound.
func TestClientBodyLimit(t *testing.T) {
	c, _, seen := clientFor(t, "add_book", "", ok)
	if _, _, err := send(c, t.Context(), "POST", "/books", io.LimitReader(zeros{}, maxClientBody+1)); err == nil || !strings.Contains(err.Error(), "the body is larger than 64 MiB") {
		t.Errorf("%v", err)
	}
	if _, _, err := send(c, t.Context(), "POST", "/books", io.MultiReader(strings.NewReader("a"), broken{})); err == nil || !strings.Contains(err.Error(), "read the body: torn") {
		t.Errorf("%v", err)
	}
	if len(*seen) > 0 {
		t.Error("something was sent")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("torn") }

func TestClientOfNothing(t *testing.T) {
	b, err := NewBridge(library(""), Options{Getenv: env()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client("burn_book"); !errors.Is(err, ErrUnknownTool) {
		t.Errorf("an unknown tool: %v", err)
	}
	c, err := b.Client("add_book")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := send(c, t.Context(), "GET", "/books", nil); err == nil || !strings.Contains(err.Error(), `the upstream "books" has no base URL`) {
		t.Errorf("no base URL: %v", err)
	}
}
