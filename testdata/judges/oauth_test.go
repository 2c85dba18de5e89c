package judges

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// legacyOrders is an old service that knows nothing of OAuth.
func legacyOrders(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "a token of the caller reached the service", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"order":"`+r.PathValue("id")+r.URL.Path+`"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const guardedSpec = `server "orders" {}

identity "people" {
  oauth {
    issuer   = "ISSUER"
    audience = "RESOURCE"
    scopes   = ["mcp"]
  }
}


api "orders" { base_url = "SERVICE" }

tool "get_order" {
  description = "Get one order by its number."
  read_only   = true
  input "id" { type = string }
  request "GET" "/orders/{id}" {}
}

tool "cancel_order" {
  description = "Cancel an order."
  scopes      = ["orders:write"]
  input "id" { type = string }
  request "DELETE" "/orders/{id}" {}
}
`

// OAuth in front of a legacy service: a real authorization server issues the
// tokens, and the official client library gets them, beginning with a 401.
func TestOAuth(t *testing.T) {
	node := node(t)
	need(t, "node_modules/oidc-provider/package.json")
	script := func(name string) string {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	address := freeAddress(t)
	endpoint := "http://" + address + "/mcp"

	ready := &output{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	provider := command(ctx, node, script("oauth-provider.mjs"), endpoint)
	provider.Stdout, provider.Stderr = ready, os.Stderr
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = provider.Wait() }()
	issuer := ""
	for deadline := time.Now().Add(time.Minute); issuer == ""; time.Sleep(20 * time.Millisecond) {
		if line, _, whole := strings.Cut(ready.tail(), "\n"); whole {
			issuer = line
		}
		if time.Now().After(deadline) {
			t.Fatal("the authorization server does not start")
		}
	}

	spec := filepath.Join(t.TempDir(), "orders.hcl")
	text := strings.NewReplacer("ISSUER", issuer, "RESOURCE", endpoint, "SERVICE", legacyOrders(t)).Replace(guardedSpec)
	if err := os.WriteFile(spec, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, time.Minute, answers("http://"+address+"/readyz"), nil, mcpc, "serve", spec, "--http", address)

	t.Run("dance", func(t *testing.T) {
		stdout, stderr, code := run(t, time.Minute, node, script("oauth-client.mjs"), endpoint, "cancel_order", `{"id":"7"}`)
		if code != 0 {
			t.Fatalf("the client ends with %d\n%s", code, stderr)
		}
		var seen struct {
			Steps           []string
			Resource, Scope string
			IsError         bool
			Text            string
		}
		if err := json.Unmarshal([]byte(stdout), &seen); err != nil {
			t.Fatalf("%v\n%s", err, stdout)
		}
		for _, step := range []string{"login", "consent", "unauthorized", "token", "step-up"} {
			if !slices.Contains(seen.Steps, step) {
				t.Errorf("the client went through %v, not %q", seen.Steps, step)
			}
		}
		if seen.Resource != endpoint || seen.IsError || !strings.Contains(seen.Text, "/orders/7") {
			t.Errorf("%+v", seen)
		}
	})

	// token gets one for a machine, without a person.
	token := func(resource, scope string) string {
		t.Helper()
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {"machine-secret"}, "resource": {resource}, "scope": {scope}}
		r, err := http.PostForm(issuer+"/token", form)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var out struct {
			Token string `json:"access_token"`
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &out) != nil || out.Token == "" {
			t.Fatalf("no token: %s", body)
		}
		return out.Token
	}
	call := func(tool, token string) (int, string, string) {
		t.Helper()
		return callTool(t, endpoint, tool, token)
	}
	good := token(endpoint, "mcp")
	parts := strings.Split(good, ".")
	for name, test := range map[string]struct {
		tool, token string
		status      int
		challenge   string
		says        string
	}{
		"a call":         {"get_order", good, 200, "", "/orders/7"},
		"step-up":        {"cancel_order", good, 403, `error="insufficient_scope"`, "orders:write"},
		"all scopes":     {"cancel_order", token(endpoint, "mcp orders:write"), 200, "", "/orders/7"},
		"no token":       {"get_order", "", 401, `resource_metadata="http://` + address + `/.well-known/oauth-protected-resource/mcp"`, ""},
		"other audience": {"get_order", token("http://other.example/mcp", "mcp"), 401, `error="invalid_token"`, "audience"},
		"no scope":       {"get_order", token(endpoint, "orders:write"), 403, `scope="mcp orders:write"`, ""},
		"no signature":   {"get_order", parts[0] + "." + parts[1] + ".", 401, `error="invalid_token"`, ""},
		"other payload":  {"get_order", parts[0] + "." + strings.Split(token(endpoint, "mcp orders:write"), ".")[1] + "." + parts[2], 401, `error="invalid_token"`, ""},
	} {
		status, challenge, body := call(test.tool, test.token)
		if status != test.status || !strings.Contains(challenge, test.challenge) || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %q %s", name, status, challenge, body)
		}
		if test.token != "" && strings.Contains(challenge+body, parts[2]) {
			t.Errorf("%s: the answer repeats the token", name)
		}
	}
}
