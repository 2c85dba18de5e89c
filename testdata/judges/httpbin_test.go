package judges

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/png"
	"strings"
	"testing"
	"time"
)

// go-httpbin says what reached it, whoever wrote the request.
func TestHTTPBin(t *testing.T) { bothServers(t, testHTTPBin) }

func testHTTPBin(t *testing.T, serve serveFunc) {
	address := freeAddress(t)
	start(t, time.Minute, listens(address), nil, tool(t, "go-httpbin"), "-host", "127.0.0.1", "-port", port(address))
	c := newClient(serve(t, []string{"MCPC_AUTH_LOGIN=judge:secret"}, "httpbin.yaml", "--base-url", "http://"+address))

	// body calls a tool and decodes the JSON that came back.
	body := func(t *testing.T, name, arguments string) map[string]any {
		t.Helper()
		r := c.call(t, name, arguments)
		if r.IsError {
			t.Fatalf("%s %s: %s", name, arguments, r.text())
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(r.text()), &v); err != nil {
			t.Fatalf("%s: %v in %s", name, err, r.text())
		}
		return v
	}
	// first is the first value of a list that httpbin shows values in.
	first := func(v any, key string) any {
		m, _ := v.(map[string]any)
		if l, ok := m[key].([]any); ok && len(l) > 0 {
			return l[0]
		}
		return m[key]
	}
	same := func(t *testing.T, what string, got any, want string) {
		t.Helper()
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != want {
			t.Errorf("%s is %s, want %s", what, b, want)
		}
	}

	t.Run("echo", func(t *testing.T) {
		v := body(t, "anything", `{"part":"a/b ?#%ü","q":["1&2","ä ö"],"X-Judge":"yes, your honour","biscuit":"oat","body":{"id":9007199254740993,"price":1.10}}`)
		same(t, "method", v["method"], `"POST"`)
		same(t, "query", v["args"].(map[string]any)["q"], `["1\u00262","ä ö"]`)
		same(t, "header", first(v["headers"], "X-Judge"), `"yes, your honour"`)
		same(t, "cookie", first(v["headers"], "Cookie"), `"biscuit=oat"`)
		same(t, "content type", first(v["headers"], "Content-Type"), `"application/json"`)
		same(t, "body, byte for byte", v["data"], `"{\"id\":9007199254740993,\"price\":1.10}"`)
		if u := v["url"].(string); !strings.Contains(u, "/anything/a%2Fb%20%3F%23%25%C3%BC?") {
			t.Errorf("the path is not one segment: %s", u)
		}
	})
	t.Run("form", func(t *testing.T) {
		v := body(t, "form", `{"body":{"a":"1 & 2","b":["x","y"]}}`)
		same(t, "form", v["form"], `{"a":["1 \u0026 2"],"b":["x","y"]}`)
	})
	t.Run("file", func(t *testing.T) {
		v := body(t, "upload", `{"body":{"note":"hello","file":"`+base64.StdEncoding.EncodeToString([]byte("a file"))+`"}}`)
		same(t, "form", v["form"], `{"note":["hello"]}`)
		if f, _ := first(v["files"], "file").(string); !strings.Contains(f, "a file") && !strings.Contains(f, base64.StdEncoding.EncodeToString([]byte("a file"))) {
			t.Errorf("the file is %q", f)
		}
	})
	t.Run("redirects", func(t *testing.T) {
		if u, _ := body(t, "redirect", `{"n":3}`)["url"].(string); !strings.HasSuffix(u, "/get") {
			t.Errorf("ended at %s", u)
		}
	})
	t.Run("gzip", func(t *testing.T) {
		same(t, "gzipped", body(t, "gzip", `{}`)["gzipped"], "true")
	})
	t.Run("image", func(t *testing.T) {
		r := c.call(t, "png", `{}`)
		if len(r.Content) == 0 || r.Content[0].Type != "image" || r.Content[0].MimeType != "image/png" {
			t.Fatalf("%+v", r.Content)
		}
		data, err := base64.StdEncoding.DecodeString(r.Content[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Error(err)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		if r := c.call(t, "bytes", `{"n":16}`); r.IsError || len(r.Content) == 0 || r.Content[len(r.Content)-1].Type != "resource" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("status", func(t *testing.T) {
		if r := c.call(t, "status", `{"code":204}`); r.IsError {
			t.Errorf("204: %s", r.text())
		}
		for _, code := range []string{"404", "418", "500"} {
			if r := c.call(t, "status", `{"code":`+code+`}`); !r.IsError || !strings.Contains(r.text(), code) {
				t.Errorf("%s: isError %v, %s", code, r.IsError, r.text())
			}
		}
	})
	t.Run("cookies of one call stay out of the next", func(t *testing.T) {
		c.call(t, "setCookie", `{"biscuit":"oat"}`)
		if v := body(t, "cookies", `{}`); strings.Contains(strings.ToLower(mustJSON(t, v)), "oat") {
			t.Errorf("the next call sent %v", v)
		}
	})
	t.Run("credentials", func(t *testing.T) {
		same(t, "user", body(t, "secret", `{}`)["user"], `"judge"`)
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
