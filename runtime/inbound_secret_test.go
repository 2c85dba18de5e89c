package runtime

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mcpc-dev/mcpc/internal/lockbuf"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// What a client sends as a credential, wherever it puts it and whatever is wrong with
// the rest of its request, is in no log, no metric and no answer; an argument that
// is secret is in no log.
func TestInboundSecrets(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
	keys := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"keys":[]}`)
	})
	const input = `{"type":"object","additionalProperties":false,"required":["user"],"properties":{"user":{"type":"string"},"count":{"type":"integer"},` +
		`"pin":{"type":"string","format":"password","maxLength":60,"enum":["never"]},"nested":{"type":"object","properties":{"api_key":{"type":"string","pattern":"^x"}}}}}`
	login := plan.Tool{Name: "login", Input: input, Request: plan.Request{Upstream: "books", Method: http.MethodPost, Path: []plan.Segment{{Literal: "/login"}}}}
	login.Sensitive = []string{"pin"} // as the compiler notes it of the schema
	open := login
	open.Name, open.Input = "open", `{"type":"object","properties":{"user":{"type":"string"},"pin":{"type":"string","format":"password"},"nested":{"type":"object"}}}`
	audit := filepath.Join(t.TempDir(), "audit.log")
	serve := func(identities []plan.Identity, audit string) (address string, log *lockbuf.Buffer, s *Server) {
		p := library(up)
		p.Tools = []plan.Tool{login, open}
		p.Upstreams[0].Credentials = nil
		p.Identities = identities
		p.Observe = &plan.Observe{Log: &plan.CallLog{Level: "debug"}, Audit: audit, Arguments: true, Correlation: true, Admin: "127.0.0.1:0"}
		log = &lockbuf.Buffer{}
		s = newServer(t, p, Options{Stderr: log, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, l) }()
		t.Cleanup(func() {
			end()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		return l.Addr().String(), log, s
	}
	guardedAt, guardedLog, guarded := serve([]plan.Identity{
		{Name: "people", OAuth: &plan.OAuth{Issuer: "https://login.example", Audience: []string{"https://mcp.example/mcp"}, JWKS: keys, Algorithms: []string{"RS256"}, Subject: "sub"}},
		{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{{Name: "one", Hash: strings.Repeat("ab", 32)}}}},
	}, "")
	openAt, openLog, opened := serve(nil, audit)

	credentials := map[string]func(secret string) (headers, target string){
		"bearer": func(s string) (string, string) { return "Authorization: Bearer " + s + "\r\n", "" },
		"two bearers": func(s string) (string, string) {
			return "Authorization: Bearer a\r\nAuthorization: Bearer " + s + "\r\n", ""
		},
		"no scheme": func(s string) (string, string) { return "Authorization: " + s + "\r\n", "" },
		"basic": func(s string) (string, string) {
			return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+s)) + "\r\n", ""
		},
		"digest": func(s string) (string, string) {
			return `Authorization: Digest username="ann", response="` + s + "\"\r\n", ""
		},
		"jwt": func(s string) (string, string) {
			return "Authorization: Bearer " + forged(`{"alg":"RS256","kid":"k"}`, `{"iss":"https://login.example","sub":"ann"}`, s) + "\r\n", ""
		},
		"jwt of none": func(s string) (string, string) {
			return "Authorization: Bearer " + forged(`{"alg":"none"}`, `{"iss":"https://login.example"}`, s) + "\r\n", ""
		},
		"jwt of junk": func(s string) (string, string) { return "Authorization: Bearer " + s + "." + s + "." + s + "\r\n", "" },
		"key":         func(s string) (string, string) { return "X-Api-Key: " + s + "\r\n", "" },
		"two keys":    func(s string) (string, string) { return "X-Api-Key: " + s + "\r\nX-Api-Key: b" + s + "\r\n", "" },
		"proxy":       func(s string) (string, string) { return "Proxy-Authorization: Basic " + s + "\r\n", "" },
		"cookie":      func(s string) (string, string) { return "Cookie: session=" + s + "\r\n", "" },
		"session":     func(s string) (string, string) { return "Mcp-Session-Id: " + s + "\r\n", "" },
		"last event":  func(s string) (string, string) { return "Last-Event-Id: " + s + "\r\n", "" },
		"other header": func(s string) (string, string) {
			return "X-Amz-Security-Token: " + s + "\r\nX-Forwarded-User: " + s + "\r\n", ""
		},
		"query":         func(s string) (string, string) { return "", "/mcp?access_token=" + s },
		"another query": func(s string) (string, string) { return "", "/mcp?api_key=" + s + "&token=" + s },
		"other path":    func(s string) (string, string) { return "", "/mcp/" + s },
		"user in URL":   func(s string) (string, string) { return "", "http://ann:" + s + "@localhost/mcp" },
		"broken header": func(s string) (string, string) { return "Authorization : Bearer " + s + "\r\n", "" },
		"long header": func(s string) (string, string) {
			return "Authorization: Bearer " + s + strings.Repeat("x", 70_000) + "\r\n", ""
		},
	}
	bodies := map[string]func(arguments string) string{
		"a call":        func(a string) string { return toolCallOf("open", a) },
		"refused":       func(a string) string { return toolCallOf("login", a) },
		"unknown tool":  func(a string) string { return toolCallOf("nothing", a) },
		"truncated":     func(a string) string { b := toolCallOf("open", a); return b[:len(b)-2] },
		"junk behind":   func(a string) string { return toolCallOf("open", a) + a },
		"junk inside":   func(a string) string { return toolCallOf("open", strings.TrimSuffix(a, "}")+`,}`) },
		"twice":         func(a string) string { return toolCallOf("login", strings.TrimSuffix(a, "}")+`,"pin":1}`) },
		"a list":        func(a string) string { return toolCallOf("open", "["+a+"]") },
		"other version": func(a string) string { return strings.Replace(toolCallOf("open", a), "2.0", "1.0", 1) },
		"no JSON":       func(a string) string { return "pin=" + a },
		"a batch":       func(a string) string { return "[" + toolCallOf("open", a) + "]" },
	}
	places := slices.Sorted(maps.Keys(credentials))
	kinds := slices.Sorted(maps.Keys(bodies))
	n := 0
	plain := toolCallOf("open", `{"user":"ann"}`)
	rawExchange(t, openAt, fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s", len(plain), plain))
	rapid.Check(t, func(rt *rapid.T) {
		n++
		// Secrets as generators of tokens make them; long enough to be in nothing by chance.
		secret := fmt.Sprintf("%s%d", rapid.StringMatching(`[A-Za-z0-9_-]{24,40}`).Draw(rt, "secret"), n)
		own := fmt.Sprintf("pin-%s-%d", rapid.StringMatching(`[A-Za-z0-9]{24}`).Draw(rt, "argument"), n)
		place := rapid.SampledFrom(places).Draw(rt, "place")
		kind := rapid.SampledFrom(kinds).Draw(rt, "body")
		address, log, s := openAt, openLog, opened
		if rapid.Bool().Draw(rt, "guarded") {
			address, log, s = guardedAt, guardedLog, guarded
		}
		headers, target := credentials[place](secret)
		if target == "" {
			target = "/mcp"
		}
		user := "ann"
		if place == "bearer" || place == "key" || place == "jwt of none" {
			user = strings.TrimSuffix(headers[strings.LastIndexByte(headers, ' ')+1:], "\r\n") // repeated in an argument
		}
		arguments := fmt.Sprintf(`{"user":%q,"pin":%q,"nested":{"api_key":%q}}`, user, own, own)
		body := bodies[kind](arguments)
		media := rapid.SampledFrom([]string{"application/json", "application/json", "text/plain"}).Draw(rt, "type")
		method := rapid.SampledFrom([]string{"POST", "POST", "POST", "GET", "TRACE"}).Draw(rt, "method")
		answer := rawExchange(t, address, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s", method, target, media, headers, len(body), body))
		if answer == "" {
			rt.Fatalf("no answer")
		}
		metrics := httptest.NewRecorder()
		s.AdminHandler().ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		written, _ := os.ReadFile(audit)
		for where, text := range map[string]string{"the log": log.String(), "the audit log": string(written), "the metrics": metrics.Body.String(), "the answer": answer} {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte("ann:" + secret))} {
				if strings.Contains(text, form) {
					rt.Fatalf("%s (%s) is in %s: %s", place, kind, where, around(text, form))
				}
			}
			if where != "the answer" && strings.Contains(text, own) {
				rt.Fatalf("an argument of %s is in %s: %s", kind, where, around(text, own))
			}
		}
	})
	// That the arguments are written at all, where they are no secret.
	if !strings.Contains(openLog.String(), `"user":"ann"`) {
		t.Error("no arguments were logged, so the test shows nothing")
	}
}

func toolCallOf(name, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, name, arguments)
}

// forged is a JWT with a signature that is none.
func forged(head, claims, signature string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(head)) + "." + enc([]byte(claims)) + "." + signature
}

// rawExchange sends bytes on a new connection and returns the whole answer.
func rawExchange(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(c, text) }() // who has answered need not read on
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return ""
	}
	var b strings.Builder
	_ = resp.Write(&b)
	return b.String()
}

// around is where a text holds another.
func around(text, part string) string {
	i := strings.Index(text, part)
	return text[max(0, i-200):min(len(text), i+len(part)+200)]
}
