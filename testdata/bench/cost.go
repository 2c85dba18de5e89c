package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// feature is what a spec can ask for besides its tools: attributes of its api,
// attributes of its observe block, and blocks of its own. ISSUER, COLLECTOR, ADMIN and
// KEYHASH in them are filled in.
type feature struct {
	name    string
	api     string
	observe string
	blocks  string

	header string // of every call: what callers show
	few    int64  // see contender
	all    bool   // part of "all in the target"
}

// features are measured one by one, and together. A new one is a row here.
var features = []feature{
	{name: "access token (JWT, cached)", all: true, header: "Authorization", blocks: `identity "people" {
  oauth {
    issuer   = "ISSUER"
    audience = "https://mcp.example/mcp"
    jwks_url = "ISSUER/keys"
    tenant   = "org"
  }
}`},
	{name: "API key", header: "X-Api-Key", blocks: `identity "machines" {
  api_keys {
    key "bench" { hash = "sha256:KEYHASH" }
  }
}`},
	{name: "policy of three rules", all: true, blocks: `policy {
  rule "reading" {
    effect = "allow"
    tools  = ["get*"]
    when   = tool.read_only && args.id != ""
  }
  rule "writing" {
    effect = "allow"
    scopes = ["items:write"]
  }
  rule "blocked" {
    effect = "deny"
    when   = caller.claims.state == "blocked"
  }
}`},
	{name: "two rate limits", all: true, blocks: `rate_limit "per-caller" {
  key   = [caller.tenant, caller.subject]
  rate  = "1000000/s"
  burst = 1000000
}
rate_limit "at-once" {
  concurrency = 1000
}`},
	{name: "breaker", all: true, api: `breaker = { failures = 5 }`},
	{name: "bulkhead", api: `bulkhead = { concurrency = 500, queue = "1s" }`},
	{name: "retry, its budget", api: "retry {\n  attempts = 5\n  on = [429, 500, 502, 503, 504]\n}"},
	{name: "coalesce", api: `coalesce = true`},
	{name: "cache, missed", api: `cache = { ttl = "1m", etag = true }`},
	{name: "cache, hit", api: `cache = { ttl = "1h" }`, few: 100},
	{name: "log, JSON to a file", all: true, observe: `log = { format = "json", file = "calls.log" }`},
	{name: "log with arguments", observe: "log = { format = \"json\", file = \"calls.log\" }\narguments = true"},
	{name: "audit log", observe: `audit = { file = "audit.log" }`},
	{name: "metrics", all: true, observe: `admin = "ADMIN"`},
	{name: "correlation", observe: `correlation = true`},
	{name: "tracing, unsampled", all: true, observe: `otlp = { endpoint = "COLLECTOR", sample = 0, metrics = false }`},
	{name: "tracing, one in a hundred", observe: `otlp = { endpoint = "COLLECTOR", sample = 0.01, metrics = false }`},
}

// variant is a server with some of the features.
type variant struct {
	name string
	with []feature
}

// variants are those that the mcpc under measurement can serve: an older one does not
// know all features.
func (b *bench) variants(c *caller) ([]variant, error) {
	list := []variant{{name: "none"}}
	var most, all []feature
	without := ""
	for _, f := range features {
		spec, err := b.spec(variant{f.name, []feature{f}}, c)
		if err != nil {
			return nil, err
		}
		cmd, cancel := b.command(b.mcpc, "validate", spec)
		said, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			fmt.Fprintf(b.out, "\nThis mcpc does not take the spec of %q, which is left out:\n%s", f.name, said)
			if f.all {
				without += "; without " + f.name
			}
			continue
		}
		list = append(list, variant{f.name, []feature{f}})
		if f.all {
			most = append(most, f)
		}
		if !slices.Contains([]string{"API key", "cache, hit", "log with arguments", "tracing, unsampled"}, f.name) {
			all = append(all, f) // each once: a caller shows one credential
		}
	}
	return append(list, variant{everything + without, most}, variant{"all of the above at once", all}), nil
}

// everything is what runs in production: the features with all set.
const everything = "token, policy, limits, breaker, log, metrics, tracing unsampled"

// caller is what callers show, and who knows that it is genuine.
type caller struct {
	issuer *httptest.Server
	token  string
	key    string
}

func newCaller() (*caller, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	url := base64.RawURLEncoding
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"1","x":%q}]}`, url.EncodeToString(public))
	})
	mux.HandleFunc("POST /v1/", func(http.ResponseWriter, *http.Request) {}) // a collector that keeps nothing
	c := &caller{issuer: httptest.NewServer(mux), key: "bench-key-of-no-secret"}
	claims, err := json.Marshal(map[string]any{
		"iss": c.issuer.URL, "aud": "https://mcp.example/mcp", "sub": "alice", "org": "acme", "client_id": "bench", "scope": "items:read items:list",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "jti": "0c2b8c4e-6d52-4d0e-9d3f-0a4c4f7f2d11",
	})
	if err != nil {
		return nil, err
	}
	signed := url.EncodeToString([]byte(`{"alg":"EdDSA","typ":"at+jwt","kid":"1"}`)) + "." + url.EncodeToString(claims)
	c.token = signed + "." + url.EncodeToString(ed25519.Sign(private, []byte(signed)))
	return c, nil
}

// show adds to a call what its features want of the caller.
func (c *caller) show(r *http.Request, with []feature) {
	for _, f := range with {
		switch f.header {
		case "Authorization":
			r.Header["Authorization"] = []string{"Bearer " + c.token}
		case "X-Api-Key":
			r.Header["X-Api-Key"] = []string{c.key}
		}
	}
}

// common adds what clients send besides: these are the official TypeScript SDK's. A
// server pays for the ninth header more than for the others, whichever it is.
func common(r *http.Request) {
	r.Header["Accept-Language"] = []string{"*"}
	r.Header["Sec-Fetch-Mode"] = []string{"cors"}
	r.Header["Accept-Encoding"] = []string{"gzip, deflate"}
}

// spec writes the spec of a variant into a folder of its own.
func (b *bench) spec(v variant, c *caller) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "cost-")
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	admin := l.Addr().String()
	l.Close()
	var api, observe, blocks []string
	for _, f := range v.with {
		api, observe, blocks = append(api, f.api), append(observe, f.observe), append(blocks, f.blocks)
	}
	doc := "api \"bench\" {\nbase_url = \"http://127.0.0.1:9\"\n" + strings.Join(api, "\n") + "\n}\n" + costTool + strings.Join(blocks, "\n")
	if text := strings.TrimSpace(strings.Join(observe, "\n")); text != "" {
		doc += "\nobserve {\n" + text + "\n}\n"
	}
	doc = strings.NewReplacer("ISSUER", c.issuer.URL, "COLLECTOR", c.issuer.URL, "ADMIN", admin, "KEYHASH", fmt.Sprintf("%x", sha256.Sum256([]byte(c.key)))).Replace(doc)
	name := filepath.Join(dir, "bench.hcl")
	return name, os.WriteFile(name, []byte(doc), 0o600)
}

// costTool is the tool that is called: nothing but a request.
const costTool = `
tool "getItem" {
  read_only = true
  input "id" { type = string }
  request "GET" "/items/{id}" {}
}
`

// cost measures what each feature adds to a call, and what they add together.
func (b *bench) cost() error {
	upstream, err := b.self("-role", "upstream")
	if err != nil {
		return err
	}
	defer upstream.stop()
	who, err := newCaller()
	if err != nil {
		return err
	}
	defer who.issuer.Close()
	list, err := b.variants(who)
	if err != nil {
		return err
	}
	var contenders []*contender
	for _, v := range list {
		if v.with != nil && !strings.Contains(v.name, b.feature) {
			continue
		}
		spec, err := b.spec(v, who)
		if err != nil {
			return err
		}
		server, err := b.serve(spec, "--base-url", upstream.url)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		defer server.stop()
		c := &contender{name: v.name, process: server, request: func(id string) (*http.Request, error) {
			r, err := modernCall(server.url, id)
			if err == nil {
				common(r)
				who.show(r, v.with)
			}
			return r, err
		}}
		if len(v.with) == 1 {
			c.few = v.with[0].few
		}
		contenders = append(contenders, c)
	}

	client := newClient()
	defer client.CloseIdleConnections()
	// Short slices, so that what is compared happens within a second or two.
	slice, rounds, n := 2*b.slice/5, 4*b.rounds, 16
	if err := inTurn(client, contenders, n, rounds, slice); err != nil {
		return err
	}
	bare := contenders[0]
	base := bare.figures()
	fmt.Fprintf(b.out, "\nCost of features: calls of `mcpc serve`, %d at once, %d slices of %v each, in turn; CPU is that of the server,\nits ratio the median of those to the server without features in the same turn\n\n", n, rounds, slice)
	w := tabwriter.NewWriter(b.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "CPU µs\tratio\tp50 µs\tratio\tp99 µs\tratio\tcalls\t  \n")
	for _, c := range contenders {
		f := c.figures()
		ratio := ratioOf(c, bare)
		fmt.Fprintf(w, "%.1f\t%.2f\t%.0f\t%.2f\t%.0f\t%.2f\t%d\t  %s\n", f.cpu, ratio, f.p50, f.p50/base.p50, f.p99, f.p99/base.p99, c.calls, c.name)
		if strings.HasPrefix(c.name, everything) {
			b.target(c.name+": CPU per call, against none", ratio, "×", 1.25)
		}
	}
	return w.Flush()
}

// ratioOf is how much CPU time a call takes against another server's: the median
// over pairs of slices.
func ratioOf(c, base *contender) float64 {
	ratios := make([]float64, len(c.perCall))
	for i := range ratios {
		ratios[i] = c.perCall[i] / base.perCall[i]
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}
