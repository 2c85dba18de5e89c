package compiler

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// cached compiles a file with a cache and reports whether it came from there.
func cached(t *testing.T, target, dir string, change func(*Options)) *Result {
	t.Helper()
	o := Options{Target: target, CacheDir: dir, Reader: &specs.Reader{Getenv: func(string) string { return "" }}}
	if change != nil {
		change(&o)
	}
	res, err := Compile(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if res.Plan == nil {
		t.Fatal(messages(res))
	}
	return res
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// A document with a warning, so that there is something to remember.
const warned = `openapi: 3.1.0
info: {title: T, version: '1'}
paths:
  /a: {get: {operationId: a, responses: {'204': {description: d}}}}
`

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache", "plans")
	target := filepath.Join(t.TempDir(), "spec.yaml")
	write(t, target, warned)
	fresh := cached(t, target, dir, nil)
	if fresh.Cached || len(fresh.Diagnostics) != 1 {
		t.Fatalf("cached %v: %s", fresh.Cached, messages(fresh))
	}
	again := cached(t, target, dir, nil)
	if !again.Cached || !reflect.DeepEqual(again.Plan, fresh.Plan) || messages(again) != messages(fresh) || !reflect.DeepEqual(again.Dependencies, fresh.Dependencies) {
		t.Errorf("cached %v\n%s\n%s", again.Cached, messages(again), messages(fresh))
	}
	if p := again.Diagnostics[0].Range; p.Source == nil || p.Source.Line(1) != "openapi: 3.1.0" {
		t.Error("the place of a remembered warning cannot be shown")
	}
	if cached(t, target, dir, func(o *Options) { o.BaseURL = "https://x.example" }).Cached {
		t.Error("other options took the same entry")
	}
	if !cached(t, target, dir, nil).Cached {
		t.Error("another entry displaced this one")
	}

	entries, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(entries) != 2 {
		t.Fatalf("files of the cache: %q", entries)
	}
	for _, name := range append(entries, dir) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", name, info.Mode())
		}
	}
	for _, name := range entries {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{"empty": nil, "cut": good[:len(good)-3], "header": good[:20], "flipped": append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), "meta": append(append(bytes.Clone(good[:60]), good[60]^1), good[61:]...)} {
			if err := os.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if again := cached(t, target, dir, nil); messages(again) != messages(fresh) || !reflect.DeepEqual(again.Plan, fresh.Plan) {
				t.Errorf("%s: a damaged entry was used", what)
			}
		}
	}

	write(t, target, strings.Replace(warned, "/a:", "/b:", 1))
	if changed := cached(t, target, dir, nil); changed.Cached || changed.Plan.Tools[0].Request.Path[0].Literal != "/b" {
		t.Error("a changed document was not compiled again")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if cached(t, target, dir, nil).Cached {
		t.Error("from a cache that was deleted")
	}
}

func TestCacheFollowsEverythingRead(t *testing.T) {
	dir, spec := t.TempDir(), t.TempDir()
	write(t, filepath.Join(spec, "a.hcl"), "api \"gh\" {\n openapi = \"issues.yaml\"\n expose {}\n}\n")
	write(t, filepath.Join(spec, "issues.yaml"), issuesAPI)
	cached(t, spec, dir, nil)
	if !cached(t, spec, dir, nil).Cached {
		t.Fatal("not cached")
	}
	write(t, filepath.Join(spec, "issues.yaml"), strings.Replace(issuesAPI, "users/list", "users/all", 1))
	if cached(t, spec, dir, nil).Cached {
		t.Error("a document behind the spec changed")
	}
	write(t, filepath.Join(spec, "b.hcl"), "tool \"u\" { operation = api.gh[\"users/all\"] }\n")
	if res := cached(t, spec, dir, nil); res.Cached || res.Plan.Tools[0].Name != "u" {
		t.Error("a file was added to the directory")
	}
}

// What comes from outside of the spec may be a secret: it is never written.
func TestCacheHoldsNoSecrets(t *testing.T) {
	const secret = "s3cr3t-v4lue"
	dir, spec := t.TempDir(), t.TempDir()
	write(t, filepath.Join(spec, "a.hcl"), `
variable "key" {
  type    = string
  default = "none"
}
variable "token" {
  type      = string
  sensitive = true
  env       = "TOKEN"
}
api "a" {
  base_url = "https://a.example"
  auth     = bearer(var.token)
  headers  = { X-Key = var.key }
}
tool "t" {
  description = "T."
  request "GET" "/" {}
}
`)
	for name, change := range map[string]func(*Options){
		"variable": func(o *Options) { o.Vars = map[string]string{"key": secret} },
		"token":    func(o *Options) { o.Vars = map[string]string{"token": secret} },
		"environment": func(o *Options) {
			o.Reader.Getenv = func(n string) string { return map[string]string{"MCPC_VAR_key": secret, "TOKEN": secret}[n] }
		},
	} {
		cached(t, spec, dir, change)
		cached(t, spec, dir, change)
		entries, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, e := range entries {
			b, err := os.ReadFile(e)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(secret)) || bytes.Contains(b, []byte(specs.Digest([]byte(secret)))) {
				t.Errorf("%s: the secret is in the cache", name)
			}
		}
	}
	res := cached(t, spec, dir, func(o *Options) { o.Vars = map[string]string{"token": secret} })
	if res.Secrets["token"] != secret || bytes.Contains(plan.Encode(res.Plan), []byte(secret)) {
		t.Errorf("secrets %v", res.Secrets)
	}
}

func TestCacheOfStdin(t *testing.T) {
	dir := t.TempDir()
	for i, text := range []string{warned, warned, strings.Replace(warned, "/a:", "/b:", 1)} {
		res := compileText(t, text, Options{CacheDir: dir})
		if res.Cached != (i == 1) || res.Plan == nil {
			t.Errorf("%d: cached %v %s", i, res.Cached, messages(res))
		}
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	target := filepath.Join(t.TempDir(), "spec.yaml")
	write(t, target, warned)
	cached(t, target, filepath.Join(file, "below"), nil)
}

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Format
	}{
		{"a.hcl", "", HCL}, {"x/a.hcl.json", "{}", HCL}, {"a.yaml", "openapi: 3.0.0\n", OpenAPI}, {"a.json", "{", OpenAPI},
		{"https://h/spec.yaml?x=1", "openapi: 3.1.0", OpenAPI}, {"-", `{"swagger":"2.0"}`, OpenAPI}, {"-", "# c\n\nserver \"a\" {\n}\n", HCL},
		{"-", "tool \"a\" {", HCL}, {"-", "server \"a\" {}\n", HCL}, {"-", "request \"GET\" \"/x\" { form = {} }", HCL}, {"-", "locals{", HCL},
		{"-", "hello", ""}, {"-", "a: {", ""}, {"-", "{ a = 1", ""}, {"-", "<html><style>a {}", ""}, {"notes.txt", "openapi: 3.0.0\npaths: {}\n", OpenAPI},
	} {
		if got := Sniff(c.name, []byte(c.text)); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

func TestTargetsThatAreNone(t *testing.T) {
	if _, err := Compile(t.Context(), Options{Target: filepath.Join(t.TempDir(), "none.yaml")}); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v", err)
	}
	for text, code := range map[string]string{"": "empty-spec", "hello\n": "unknown-format"} {
		res := compileText(t, text, Options{})
		if res.Plan != nil || len(res.Diagnostics) != 1 || res.Diagnostics[0].Code != code {
			t.Errorf("%q: %s", text, messages(res))
		}
	}
}
