package compiler

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Whose word a host is decides where it may lead: what the author or the operator
// wrote, and the host a document was fetched from, may be inside a company; what
// only a fetched document names has to be public.
func TestEgressHosts(t *testing.T) {
	const doc = `openapi: 3.1.0
info: {title: t, version: '1'}
servers: [{url: 'SERVER'}]
paths:
  /a:
    get:
      operationId: a
      responses: {'204': {description: d}}
  /b:
    servers: [{url: 'https://files.example.com/v1'}]
    get:
      operationId: b
      responses: {'204': {description: d}}
    put:
      operationId: c
      servers: [{url: 'http://10.1.2.3:8080'}]
      responses: {'204': {description: d}}
`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Replace(doc, "SERVER", r.URL.Query().Get("at"), 1))
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "api.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(doc, "SERVER", "https://api.example.com", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	hosts := []string{"10.1.2.3", "files.example.com"}
	for name, c := range map[string]struct {
		target, base string
		want         *plan.Egress
	}{
		"a file":                        {file, "", &plan.Egress{Hosts: hosts}},
		"fetched":                       {s.URL + "/api.yaml?at=https://api.example.com", "", &plan.Egress{Hosts: hosts, Public: append([]string{"api.example.com"}, hosts...)}},
		"fetched from where the API is": {s.URL + "/api.yaml?at=/v1", "", &plan.Egress{Hosts: hosts, Public: hosts}},
		"fetched, the operator's word":  {s.URL + "/api.yaml?at=https://api.example.com", "https://orders.internal.example", nil},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := Compile(t.Context(), Options{Target: c.target, BaseURL: c.base})
			if err != nil || res.Plan == nil {
				t.Fatal(err, res)
			}
			if got := res.Plan.Upstreams[0].Egress; !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	t.Run("an api with a base_url", func(t *testing.T) {
		res := hclDir(t, map[string]string{"s.hcl": `api "a" {
  base_url = "https://orders.internal.example"
  openapi  = "` + s.URL + `/api.yaml?at=https://api.example.com"
  egress   = { deny = ["10.0.0.0/8"], redirects = "none" }
  expose {}
}`}, Options{})
		if res.Plan == nil {
			t.Fatalf("%+v", res.Diagnostics)
		}
		if got := res.Plan.Upstreams[0].Egress; !reflect.DeepEqual(got, &plan.Egress{Deny: []string{"10.0.0.0/8"}, Redirects: "none"}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a spec that was fetched", func(t *testing.T) {
		spec := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "api \"a\" {\n  base_url = \"http://router\"\n}\ntool \"t\" {\n  description = \"T.\"\n  request \"GET\" \"/\" {}\n}\n")
		}))
		defer spec.Close()
		for base, want := range map[string]*plan.Egress{"": {Public: []string{"router"}}, "http://router": nil} {
			res, err := Compile(t.Context(), Options{Target: spec.URL + "/spec.hcl", BaseURL: base})
			if err != nil || res.Plan == nil {
				t.Fatal(err, res)
			}
			if got := res.Plan.Upstreams[0].Egress; !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	})
}
