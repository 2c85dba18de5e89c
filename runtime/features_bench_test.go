package runtime

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// prepared answers requests to an upstream without a socket.
type prepared struct{ body []byte }

func (c prepared) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(c.body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(c.body))}, nil
}

// discarded takes an answer and keeps its status and whether it is of an error.
type discarded struct {
	header http.Header
	status int
	failed bool
}

func (d *discarded) Header() http.Header    { return d.header }
func (d *discarded) WriteHeader(status int) { d.status = status }
func (d *discarded) Write(b []byte) (int, error) {
	d.failed = d.failed || bytes.Contains(b, []byte(`"isError":true`))
	return len(b), nil
}

// BenchmarkFeatures is a call from the request of a client to the answer, without
// sockets: where the processor's time goes with features that testdata/bench
// measures as they are used.
func BenchmarkFeatures(b *testing.B) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"1","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	defer keys.Close()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": "https://login.example", "aud": "https://mcp.example/mcp", "sub": "alice", "org": "acme",
		"client_id": "bench", "scope": "books:list books:read", "exp": time.Now().Add(time.Hour).Unix()})
	unsigned.Header["kid"] = "1"
	token, err := unsigned.SignedString(private)
	if err != nil {
		b.Fatal(err)
	}
	equal := func(a, b plan.Expr) plan.Expr {
		return plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{a, b}}
	}
	features := map[string]func(*plan.Server, *plan.Observe){
		"token": func(p *plan.Server, _ *plan.Observe) {
			p.Identities = []plan.Identity{{Name: "people", OAuth: &plan.OAuth{Issuer: "https://login.example", Audience: []string{"https://mcp.example/mcp"}, JWKS: keys.URL, Tenant: "org"}}}
		},
		"policy": func(p *plan.Server, _ *plan.Observe) {
			reading := plan.Expr{Op: plan.OpCall, Name: "&&", Args: []plan.Expr{pathOf("tool.read_only"), {Op: plan.OpCall, Name: "<", Args: []plan.Expr{argOf("id"), constOf("100")}}}}
			blocked := equal(pathOf("caller.claims.state"), constOf(`"blocked"`))
			p.Policy = &plan.Policy{Rules: []plan.PolicyRule{
				{Name: "reading", Tools: []string{"get_*"}, When: &reading},
				{Name: "writing", Scopes: []string{"books:write"}},
				{Name: "blocked", Deny: true, When: &blocked},
			}}
		},
		"limits": func(p *plan.Server, _ *plan.Observe) {
			key := plan.Expr{Op: plan.OpList, Args: []plan.Expr{pathOf("caller.tenant"), pathOf("caller.subject")}}
			p.Limits = []plan.CallLimit{{Name: "per-caller", Key: &key, Every: time.Nanosecond, Burst: 1 << 30}, {Name: "at-once", Concurrency: 1000}}
		},
		"breaker": func(p *plan.Server, _ *plan.Observe) {
			p.Upstreams[0].Breaker = &plan.Breaker{Failures: 5, Window: time.Minute, Open: time.Minute, HalfOpen: 1}
		},
		"log": func(p *plan.Server, o *plan.Observe) {
			p.Observe, o.Log = o, &plan.CallLog{Level: "info", File: filepath.Join(b.TempDir(), "calls.log")}
		},
		"audit":   func(p *plan.Server, o *plan.Observe) { p.Observe, o.Audit = o, filepath.Join(b.TempDir(), "audit.log") },
		"metrics": func(p *plan.Server, o *plan.Observe) { p.Observe, o.Admin = o, "127.0.0.1:0" },
		"trace":   func(p *plan.Server, o *plan.Observe) { p.Observe, o.Correlation = o, true },
	}
	answer := prepared{[]byte(`{"id":7,"title":"` + strings.Repeat("A long title. ", 70) + `"}`)}
	for _, with := range []string{"", "token", "policy", "limits", "breaker", "log", "audit", "metrics", "trace", "token policy limits breaker log metrics"} {
		b.Run(with, func(b *testing.B) {
			p, o := library("https://x.example"), &plan.Observe{}
			for _, name := range strings.Fields(with) {
				features[name](p, o)
			}
			s, err := New(p, Options{Getenv: env("LIBRARY_TOKEN", "sesame-street"), Transport: answer, AllowedHosts: []string{"*"}})
			if err != nil {
				b.Fatal(err)
			}
			h := s.Handler()
			header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}}
			if p.Identities != nil {
				header["Authorization"] = []string{"Bearer " + token}
			}
			const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":7,"lang":"en"}}}`
			url := httptest.NewRequest(http.MethodPost, "/mcp", nil).URL
			b.ReportAllocs()
			for b.Loop() {
				w := &discarded{header: http.Header{}}
				h.ServeHTTP(w, &http.Request{Method: http.MethodPost, URL: url, Header: header, Host: "127.0.0.1", ContentLength: int64(len(call)), Body: io.NopCloser(strings.NewReader(call))})
				if w.status != 200 || w.failed {
					b.Fatalf("status %d, failed: %v", w.status, w.failed)
				}
			}
		})
	}
}
