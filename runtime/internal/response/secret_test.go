package response

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Services repeat what they were sent in their errors. No form of a credential
// reaches the model, not even a part of one where an excerpt ends.
func TestNoCredentialInErrors(t *testing.T) {
	const secret = `s3cr3t/"&<value>-with-some-length`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("X-Key")
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.WriteHeader(http.StatusForbidden)
		switch r.URL.Query().Get("as") {
		case "json":
			_ = json.NewEncoder(w).Encode(map[string]any{"title": "no", "status": 403, "detail": "key " + key + " refused", "headers": r.Header})
		case "html":
			fmt.Fprintf(w, "<html><body>%s", strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(key))
		case "edge":
			io.WriteString(w, strings.Repeat("x", maxExcerpt-30)+key)
		case "soap":
			fmt.Fprintf(w, `<e:Envelope xmlns:e="u"><e:Body><e:Fault><faultcode>C</faultcode><faultstring>%[1]s%[2]s</faultstring><detail><a b="%[2]s">%[1]s%[2]s</a></detail></e:Fault></e:Body></e:Envelope>`,
				strings.Repeat("x", maxDetail-20), strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(key))
		case "query":
			io.WriteString(w, r.RequestURI)
		default:
			io.WriteString(w, "key "+key)
		}
	}))
	defer srv.Close()
	c, err := upstream.New(plan.Upstream{Name: "u", BaseURL: srv.URL, Credentials: []plan.Credential{
		{Name: "h", Kind: "apiKey", In: "header", Param: "X-Key", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "k"}}},
		{Name: "q", Kind: "apiKey", In: "query", Param: "key", Value: plan.Expr{Op: plan.OpSecret, Secret: &plan.Secret{Name: "k"}}},
	}}, upstream.Options{Secret: func(plan.Secret) (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := tool("")
	p.Response.XML = &plan.XMLReading{SOAP: true}
	d := compile(t, p)
	for _, as := range []string{"as=json&type=application/problem%2Bjson", "as=json&type=application/json", "as=json&type=text/plain", "as=html&type=text/html", "as=edge&type=text/plain", "as=query&type=text/plain", "type=text/plain", "as=soap&type=text/xml"} {
		at, err := url.Parse(srv.URL + "/?" + as)
		if err != nil {
			t.Fatal(err)
		}
		a, err := c.Do(context.Background(), principal.Principal{}, &request.Request{Method: "GET", URL: at}, [][]string{{"h", "q"}})
		if err != nil {
			t.Fatal(err)
		}
		text := resultOf(d, a).Content[0].Text
		if strings.Contains(text, "s3cr3t") || !strings.Contains(text, "(secret)") && !strings.Contains(as, "edge") || !strings.Contains(text, "403 Forbidden") {
			t.Errorf("%s: %s", as, text)
		}
	}
}
