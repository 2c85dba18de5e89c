package hclspec

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// The first source that has a value wins.
func TestVariableSources(t *testing.T) {
	const spec = `
variable "v" {
  env     = "ENV_V"
  file    = "v.txt"
  default = "default"
}
server "x" { title = var.v }
`
	files := map[string]string{"a.hcl": spec, "v.txt": "from file\r\n", "MCPC_VAR_v": "from MCPC_VAR", "ENV_V": "from env", "vars.txt": `v = "from var-file"`, "later.json": `{"v": "from later"}`}
	o := Options{Vars: map[string]string{"v": "from var"}, VarFiles: []string{"vars.txt", "later.json"}}
	check := func(want string) {
		t.Helper()
		doc, list := parse(t, files, o)
		if len(list) > 0 || doc.Server.Title != want {
			t.Errorf("got %q, want %q\n%s", doc.Server.Title, want, show(list))
		}
	}
	check("from var")
	o.Vars = nil
	check("from later")
	o.VarFiles = []string{"vars.txt"}
	check("from var-file")
	o.VarFiles = nil
	check("from env")
	files["ENV_V"] = ""
	check("from MCPC_VAR")
	delete(files, "MCPC_VAR_v")
	check("from file")
	files["a.hcl"] = strings.ReplaceAll(spec, `file    = "v.txt"`, "")
	check("default")
}

// Text from outside is read as the variable's type says, digit for digit.
func TestVariableTypes(t *testing.T) {
	for _, c := range [][3]string{
		{"string", "007", `"007"`},
		{"any", `{"a": 1}`, `{"a":1}`},
		{"number", "9007199254740993", `9007199254740993`},
		{"bool", "true", `true`},
		{"list(string)", `["a", "b"]`, `["a","b"]`},
		{"map(number)", `{ a = 1.50 }`, `{"a":1.50}`},
		{`enum("eu", "us")`, "eu", `"eu"`},
	} {
		doc, list := parse(t, map[string]string{"a.hcl": `
variable "v" { type = ` + c[0] + ` }
api "a" { base_url = "https://a.example" }
tool "t" {
  request "POST" "/" { json = var.v }
}
`}, Options{Vars: map[string]string{"v": c[1]}})
		if len(list) > 0 || dump(doc.Tools[0].Request.JSON) != c[2] {
			t.Errorf("%s %s: %s\n%s", c[0], c[1], dump(doc.Tools[0].Request.JSON), show(list))
		}
	}
	for _, c := range [][3]string{
		{"number", "many", `variable "v" from --var is not a number`},
		{"bool", "yes", `variable "v" from --var is not true or false`},
		{"integer", "1.5", `variable "v" from --var: 1.5 is not a whole number`},
		{`enum("eu", "us")`, "de", `variable "v" from --var: "de" is none of the allowed values`},
		{"list(string)", `[1`, `variable "v" from --var is not a value of its type, written as in HCL or JSON`},
	} {
		_, list := parse(t, map[string]string{"a.hcl": `variable "v" { type = ` + c[0] + ` }`}, Options{Vars: map[string]string{"v": c[1]}})
		if len(list) != 1 || list[0].Message != c[2] {
			t.Errorf("%s %s:\n%s", c[0], c[1], show(list))
		}
	}
}

// The value of a sensitive variable goes to the caller and nowhere else.
func TestSecretsStayOut(t *testing.T) {
	secrets := map[string]string{}
	doc, list := parse(t, map[string]string{"a.hcl": `
variable "token" {
  sensitive = true
  env       = "TOKEN"
  file      = "token.txt"
}
api "a" {
  base_url = "https://a.example"
  auth     = api_key("query", "key", var.token)
  headers  = { "X-Auth" = "T ${var.token}" }
}
api "b" {
  base_url = "https://b.example"
  auth     = basic(env("USER_B"), file("b.txt"))
}
`, "TOKEN": "hunter2", "token.txt": "hunter2", "b.txt": "hunter2"}, Options{Vars: map[string]string{"token": "hunter2"}, Secrets: secrets})
	if len(list) > 0 {
		t.Fatal(show(list))
	}
	if secrets["token"] != "hunter2" {
		t.Errorf("secrets %v", secrets)
	}
	a, b := doc.APIs[0], doc.APIs[1]
	if a.Auth.In != specs.InQuery || a.Auth.Param != "key" || dump(a.Auth.Value) != "<secret token TOKEN,MCPC_VAR_token file>" || filepath.Base(a.Auth.Value.Secret.File) != "token.txt" {
		t.Errorf("auth %s", dump(a.Auth.Value))
	}
	if got := dumpEntries(a.Headers); got != `{"X-Auth": (text "T " <secret token TOKEN,MCPC_VAR_token file>)}` {
		t.Errorf("headers %s", got)
	}
	if dump(b.Auth.Username) != `<secret env("USER_B") USER_B>` || dump(b.Auth.Value) != `<secret file("b.txt")  file>` {
		t.Errorf("auth %s %s", dump(b.Auth.Username), dump(b.Auth.Value))
	}
}

func TestUnknownVars(t *testing.T) {
	_, list := parse(t, map[string]string{"a.hcl": `variable "region" { default = "eu" }`}, Options{Vars: map[string]string{"regoin": "us"}})
	if got := show(list); got != "error: --var gives a value for \"regoin\", which is no variable of the spec [unknown-variable]\n  hint did you mean \"region\"?\n" {
		t.Error(got)
	}
}

// A spec from a URL cannot look at this machine.
func TestRemoteSpec(t *testing.T) {
	const spec = `
variable "a" { env = "HOME" }
locals {
  b = env("HOME")
  c = file("/etc/hostname")
}
api "d" {
  base_url = "https://d.example"
  auth     = bearer(env("SECRET"))
  egress   = { allow = ["127.0.0.1"] }
}
api "e" { openapi = "/etc/passwd" }
api "f" { openapi = "../f.yaml" }
observe {
  log   = { file = "/etc/calls.log" }
  audit = { file = "audit.log" }
}
store "g" { url = "redis://127.0.0.1" }
rate_limit "h" {
  rate  = "5/s"
  store = store.g
}
server "i" {
  listen "http" {
    addr = "127.0.0.1:0"
    tls  = { cert = "/etc/ssl/cert.pem", key = "/etc/ssl/key.pem" }
  }
}
api "j" {
  base_url = "https://j.example"
  tls      = { ca = "/etc/ca.pem", cert = "c.pem", key = "/home/me/.ssh/id_rsa", min_version = "1.3" }
}
variable "told" { type = string }
variable "kept" { default = "https://login.evil.example/token" }
variable "id" { sensitive = true }
auth "k" {
  oauth2 {
    token_url     = "https://login.evil.example/token"
    client_id     = "mcpc"
    client_secret = var.id
  }
}
auth "l" {
  oauth2 {
    token_url     = var.kept
    client_id     = "mcpc"
    client_secret = var.id
  }
}
auth "m" {
  oauth2 {
    token_url     = (var.told)
    client_id     = "mcpc"
    client_secret = var.id
  }
}
auth "n" { passthrough = true }
identity "o" {
  oauth {
    issuer        = "https://login.evil.example"
    audience      = "https://mcp.example/mcp"
    introspection = { url = "https://login.evil.example/i", client_id = "x", client_secret = var.id }
  }
}
`
	read := &specs.Reader{Client: serve(spec)}
	var loaded []string
	doc, list := Parse(t.Context(), read, "https://specs.example/team/a.hcl", Options{Vars: map[string]string{"told": "https://login.example/token"}}, func(s Source) (*specs.API, diag.List) {
		loaded = append(loaded, s.Location)
		return nil, nil
	})
	const want = "testdata/remote-spec.txt"
	if *update {
		writeFile(t, want, show(list))
	}
	if got := show(list); got != readFile(t, want) {
		t.Errorf("other refusals than in %s:\n%s", want, got)
	}
	for _, d := range list {
		if d.Code != "remote-spec" && d.Code != "unused-auth" {
			t.Errorf("%s", d.Message)
		}
	}
	if strings.Join(loaded, " ") != "https://specs.example/f.yaml" || doc.Server.Name != "i" {
		t.Errorf("loaded %v as %s", loaded, doc.Server.Name)
	}
	for _, dep := range read.Dependencies() {
		if dep.Kind != "url" && !strings.HasPrefix(dep.Name, "MCPC_VAR_") {
			t.Errorf("looked at %s %s", dep.Kind, dep.Name)
		}
	}
}

// Whatever attribute names a file, now or one day: of a spec from a URL no path
// comes out, and nothing of this machine is looked at.
func TestRemoteSpecHasNoPaths(t *testing.T) {
	var visit func(b *block)
	visit = func(b *block) {
		if b.example != "" && b.name != "" {
			read := &specs.Reader{Client: serve(b.example)}
			doc, _ := Parse(t.Context(), read, "https://specs.example/team/a.hcl", Options{Tests: true}, func(Source) (*specs.API, diag.List) { return nil, nil })
			text := fmt.Sprintf("%+v", reflectTexts(reflect.ValueOf(doc), map[uintptr]bool{}))
			if strings.Contains(text, "https:/specs.example") {
				t.Errorf("%s: a path of the spec comes out of a spec from a URL: %s", b.name, text)
			}
			for _, dep := range read.Dependencies() {
				if dep.Kind != "url" && !strings.HasPrefix(dep.Name, "MCPC_VAR_") {
					t.Errorf("%s: looked at %s %s", b.name, dep.Kind, dep.Name)
				}
			}
		}
		for _, c := range b.inner {
			visit(c)
		}
	}
	visit(language())
}

// reflectTexts are the texts in a value, besides where it was written.
func reflectTexts(v reflect.Value, seen map[uintptr]bool) (list []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] || v.Type() == reflect.TypeFor[*diag.Source]() {
			return nil
		}
		seen[v.Pointer()] = true
		return reflectTexts(v.Elem(), seen)
	case reflect.Interface:
		return reflectTexts(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			list = append(list, reflectTexts(v.Field(i), seen)...)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			list = append(list, reflectTexts(v.Index(i), seen)...)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			list = append(list, reflectTexts(i.Value(), seen)...)
		}
	case reflect.String:
		list = append(list, v.String())
	}
	return list
}
