package openapi

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mcpc-dev/mcpc/specs"
)

// Where kin-openapi reads a document, it reads the same from it: operations,
// parameters with their styles, media types, statuses, security, servers. It is
// slow, so only documents of moderate size are compared.
func TestCorpusAgainstKin(t *testing.T) {
	dir := corpus(t)
	compared := 0
	for name, want := range answers(t, dir) {
		location := filepath.Join(dir, want.Entry)
		info, err := os.Stat(location)
		if err != nil || info.Size() > 1_000_000 || !strings.HasPrefix(want.Format, "openapi 3") || strings.HasPrefix(want.Expect, "diagnose") {
			continue
		}
		loader := openapi3.NewLoader()
		loader.IsExternalRefsAllowed = true
		loader.ReadFromURIFunc = func(_ *openapi3.Loader, u *url.URL) ([]byte, error) {
			if u.Scheme != "" && u.Scheme != "file" {
				return nil, fmt.Errorf("%s is not read", u)
			}
			return os.ReadFile(filepath.FromSlash(u.Path))
		}
		doc, err := loader.LoadFromFile(location)
		if err != nil {
			continue
		}
		api, _ := Parse(context.Background(), &specs.Reader{}, location, Options{})
		compared++
		ours := map[string]string{}
		for _, op := range api.Operations {
			ours[op.Method+" "+op.Path] = ourWords(op)
		}
		theirs := 0
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				theirs++
				got, want := ours[method+" "+path], kinWords(doc, path, item, op)
				if got != want {
					t.Errorf("%s: %s %s\n got %s\nkin: %s", name, method, path, got, want)
				}
			}
		}
		if theirs != len(api.Operations) {
			t.Errorf("%s: %d operations, kin-openapi has %d", name, len(api.Operations), theirs)
		}
	}
	t.Logf("%d documents", compared)
	if compared < 15 {
		t.Errorf("only %d documents were compared", compared)
	}
}

func ourWords(op *specs.Operation) string {
	var words []string
	for _, p := range op.Params {
		words = append(words, fmt.Sprintf("%s %s %s explode=%v required=%v reserved=%v", p.In, p.Name, p.Style, p.Explode, p.Required, p.AllowReserved))
	}
	if op.Body != nil {
		words = append(words, fmt.Sprintf("body required=%v", op.Body.Required))
		for _, m := range op.Body.Media {
			words = append(words, "body "+m.Type)
		}
	}
	for _, r := range op.Responses {
		words = append(words, "answer "+r.Status)
		for _, m := range r.Media {
			words = append(words, "answer "+r.Status+" "+m.Type)
		}
	}
	for _, s := range op.Servers {
		words = append(words, "server "+s.URL)
	}
	for _, alternative := range op.Security {
		var names []string
		for _, use := range alternative {
			names = append(names, use.Scheme)
		}
		slices.Sort(names)
		words = append(words, fmt.Sprintf("security %q", names))
	}
	slices.Sort(words)
	return strings.Join(words, "\n")
}

func kinWords(doc *openapi3.T, path string, item *openapi3.PathItem, op *openapi3.Operation) string {
	var words []string
	seen := map[string]bool{}
	for _, list := range []openapi3.Parameters{op.Parameters, item.Parameters} {
		for _, ref := range list {
			p := ref.Value
			if key := p.In + " " + p.Name; seen[key] {
				continue
			} else {
				seen[key] = true
			}
			if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
				continue // it has no place, and is left out here
			}
			how, err := p.SerializationMethod()
			if err != nil {
				continue
			}
			words = append(words, fmt.Sprintf("%s %s %s explode=%v required=%v reserved=%v", p.In, p.Name, how.Style, how.Explode, p.Required, p.AllowReserved))
		}
	}
	if op.RequestBody != nil && len(op.RequestBody.Value.Content) > 0 {
		words = append(words, fmt.Sprintf("body required=%v", op.RequestBody.Value.Required))
		for m := range op.RequestBody.Value.Content {
			words = append(words, "body "+m)
		}
	}
	for status, r := range op.Responses.Map() {
		words = append(words, "answer "+status)
		for m := range r.Value.Content {
			words = append(words, "answer "+status+" "+m)
		}
	}
	servers := item.Servers
	if op.Servers != nil && len(*op.Servers) > 0 {
		servers = *op.Servers
	}
	for _, s := range servers {
		text := s.URL
		for name, v := range s.Variables {
			text = strings.ReplaceAll(text, "{"+name+"}", v.Default)
		}
		words = append(words, "server "+text)
	}
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	for _, alternative := range security {
		var names []string
		declared := true
		for name := range alternative {
			names = append(names, name)
			declared = declared && doc.Components != nil && doc.Components.SecuritySchemes[name] != nil
		}
		if !declared {
			continue
		}
		slices.Sort(names)
		words = append(words, fmt.Sprintf("security %q", names))
	}
	slices.Sort(words)
	return strings.Join(words, "\n")
}
