package hclspec

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// around is the rest of the spec that the texts of these tests belong to.
const around = `
api "gh" { openapi = "gh.yaml" }
api "erp" { base_url = "https://erp.example" }
variable "org" {
  type    = string
  default = "acme"
}
variable "token" {
  sensitive   = true
  env         = "TOKEN"
  description = "From the vault"
}
variable "region" {
  default = env("REGION")
}
variable "site" { env = "SITE" }
locals {
  states = { open = "10", shipped = "40" }
  greet  = "hello ${var.org}"
  leak   = upper(env("TOKEN"))
  leaks  = "${local.leak}!"
  here   = var.region
}
identity "people" {
  api_keys { hash = "x" }
}
auth "login" {
  session {
    request "POST" "/login" { form = { p = env("TOKEN") } }
  }
}
tool "get_order" {
  api = api.erp
  input "id" { type = integer }
  input "full" {
    type     = bool
    optional = true
  }
  request "GET" "/orders/{id}" { query = { full = args.full } }
}
`

// gh is the document of the api gh.
func gh(Source) (*specs.API, diag.List) {
	text := func(typ, doc string) *specs.Node {
		return specs.NewObject(specs.F("type", specs.NewString(typ)), specs.F("description", specs.NewString(doc)))
	}
	src := &diag.Source{Name: "gh.yaml", Text: []byte("issues/create: here\nissues/list: there\n")}
	at := func(start int) diag.Range { return diag.Range{Source: src, Start: start, End: start + 5} }
	body := specs.NewObject(specs.F("$ref", specs.NewString("#/$defs/Issue")))
	return &specs.API{Source: "gh.yaml", Declared: 2,
		Schemes: []*specs.Scheme{{Name: "cookieAuth", Kind: "apiKey", In: specs.InCookie, Param: "sid"}, {Name: "tok", Kind: "bearer"}},
		Schemas: map[string]*specs.Node{"Issue": specs.NewObject(specs.F("type", specs.NewString("object")), specs.F("required", specs.NewArray(specs.NewString("title"))),
			specs.F("properties", specs.NewObject(specs.F("title", text("string", "The title")), specs.F("parent", specs.NewObject(specs.F("$ref", specs.NewString("#/$defs/Issue")))))))},
		Operations: []*specs.Operation{
			{ID: "issues/create", Method: "POST", Path: "/repos/{owner}/issues", Summary: "Create an issue", Range: at(0),
				Params: []*specs.Param{{Name: "owner", In: specs.InPath, Required: true, Schema: text("string", ""), Description: "Who owns it", Range: at(0)}},
				Body:   &specs.Body{Media: []*specs.Media{{Type: "application/json", Schema: body}}, Range: at(0)}},
			{ID: "issues/list", Method: "GET", Path: "/issues", Range: at(20), Responses: []*specs.Response{{Status: "200", Media: []*specs.Media{{Type: "application/json",
				Schema: specs.NewObject(specs.F("properties", specs.NewObject(specs.F("items", specs.NewObject(specs.F("type", specs.NewString("array")), specs.F("items", body))))))}}}}},
		}}, nil
}

// look reads around and text as one spec and returns the view of text, with the
// offset of the cursor in it, written as ‸.
func look(t testing.TB, text string) (*View, int) {
	t.Helper()
	offset := strings.Index(text, "‸")
	if offset < 0 {
		t.Fatal("no cursor")
	}
	text = strings.Replace(text, "‸", "", 1)
	spec := &Spec{}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "around.hcl"), around)
	env := map[string]string{"TOKEN": "hunter2", "REGION": "hunter2", "SITE": "hunter2"}
	name := filepath.Join(dir, "text.hcl")
	r := &specs.Reader{Getenv: func(name string) string { return env[name] }, Buffers: map[string][]byte{name: []byte(text)}}
	Parse(context.Background(), r, dir, Options{Spec: spec}, gh)
	return NewView(spec, name, []byte(text)), offset
}

func TestComplete(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"blocks at the top", "‸", "server variable locals api tool"},
		{"a block that occurs once is not offered twice", "server \"a\" {\n  listen \"http\" { addr = \":1\" }\n  ‸\n}\n", "title version instructions -listen"},
		{"attributes that are not written yet", "tool \"x\" {\n  title = \"a\"\n  ‸\n}", "description operation input request -title"},
		{"the attribute that is being typed", "tool \"x\" {\n  descr‸\n}", "description"},
		{"in a block that is not closed", "tool \"x\" {\n  ‸\n\ntool \"y\" {\n  title = \"a\"\n}\n", "title description input"},
		{"labels with fixed words", "server \"a\" {\n  listen \"‸\n}", "http"},
		{"methods", "tool \"x\" {\n  request \"P‸\" \"/\" {}\n}", "GET POST"},
		{"inputs in a path", "tool \"x\" {\n  input \"no\" { type = string }\n  request \"GET\" \"/a/{‸\" {}\n}", "no"},
		{"inputs of an operation", "tool \"x\" {\n  operation = api.gh[\"issues/create\"]\n  input \"‸\" {}\n}", "owner body body.title body.parent body.parent.title"},
		{"an input that is there already", "tool \"x\" {\n  operation = api.gh[\"issues/create\"]\n  input \"owner\" {}\n  input \"‸\" {}\n}", "body -owner"},
		{"operations as patterns of overrides", "api \"z\" {\n  openapi = \"gh.yaml\"\n  override \"‸\" {}\n}", "issues/create issues/list"},
		{"operations of expose", "api \"z\" {\n  openapi = \"gh.yaml\"\n  expose {\n    operations = [\"‸\"]\n  }\n}", "issues/create issues/list"},
		{"operations", "tool \"x\" {\n  operation = ‸\n}", `api.gh["issues/create"] api.gh["issues/list"]`},
		{"apis before an operation", "tool \"x\" {\n  operation = api.‸\n}", "gh erp"},
		{"operations between quotes", "tool \"x\" {\n  operation = api.gh[\"iss‸\"]\n}", "issues/create issues/list"},
		{"operations after a quote that is not closed", "tool \"x\" {\n  operation = api.gh[\"iss‸\n}\n\ntool \"y\" {}\n", "issues/create issues/list"},
		{"apis", "tool \"x\" {\n  api = ‸\n}", "api.gh api.erp"},
		{"types", "tool \"x\" {\n  input \"a\" {\n    type = ‸\n  }\n}", "string integer list enum object"},
		{"types in types", "tool \"x\" {\n  input \"a\" {\n    type = list(‸)\n  }\n}", "string object"},
		{"formats", "tool \"x\" {\n  input \"a\" {\n    type = format(\"‸\")\n  }\n}", "date uuid"},
		{"flags", "tool \"x\" {\n  read_only = ‸\n}", "true false"},
		{"credentials", "api \"x\" {\n  auth = ‸\n}", "bearer basic api_key"},
		{"auth blocks", "api \"x\" {\n  auth = ‸\n}", "auth.login bearer"},
		{"auth blocks after a dot", "api \"x\" {\n  auth = auth.‸\n}", "login -bearer"},
		{"schemes of a document", "api \"z\" {\n  openapi = \"gh.yaml\"\n  auth = { ‸ }\n}", "cookieAuth tok"},
		{"a credential for a scheme", "api \"z\" {\n  openapi = \"gh.yaml\"\n  auth = { cookieAuth = ‸ }\n}", "auth.login bearer"},
		{"identities", "policy {\n  rule \"a\" { when = caller.identity == \"‸\" }\n}", "people"},
		{"tools in a policy", "policy {\n  rule \"a\" { when = tool.name != \"‸\" }\n}", "get_order"},
		{"tools of a rule", "policy {\n  rule \"a\" {\n    tools = [\"‸\"]\n  }\n}", "get_order"},
		{"a login's page", "auth \"x\" {\n  session {\n    request \"POST\" \"/\" { form = { t = page.‸ } }\n  }\n}", "fields meta cookies"},
		{"a session's attributes", "auth \"x\" {\n  session {\n    ‸\n  }\n}", "page request success ended cookies logout"},
		{"variables in a call", "api \"x\" {\n  auth = bearer(var.‸)\n}", "org token"},
		{"variables of another file after a partial name", "api \"x\" {\n  base_url = \"https://${var.o‸}/\"\n}", "org token"},
		{"locals, and what they hold", "tool \"x\" {\n  title = local.states.‸\n}", "open shipped"},
		{"values known in a call", "tool \"x\" {\n  input \"q\" { type = string }\n  request \"GET\" \"/\" {\n    query = { q = ‸ }\n  }\n}", "args.q var.org local.greet upper coalesce"},
		{"functions with their arguments left to right", "tool \"x\" {\n  title = upper(‸)\n}", "var.org lower -args.q"},
		{"arguments", "tool \"x\" {\n  input \"q\" { type = string }\n  request \"GET\" \"/\" {\n    query = { q = args.‸ }\n  }\n}", "q"},
		{"arguments in a text that is not closed", "tool \"x\" {\n  input \"q\" { type = string }\n  request \"GET\" \"/\" {\n    json = { a = \"b ${args.‸\n  }\n}", "q"},
		{"arguments of an operation", "tool \"x\" {\n  operation = api.gh[\"issues/create\"]\n  input \"owner\" {\n    wire = args.‸\n  }\n}", "owner body -body.title"},
		{"members of settings", "api \"x\" {\n  limit = { ‸ }\n}", "rate burst"},
		{"members of settings that are left", "api \"x\" {\n  limit = { rate = \"5/s\", ‸ }\n}", "burst -rate"},
		{"names of operations in templates", "api \"x\" {\n  expose {\n    name = \"${operation.‸}\"\n  }\n}", "id method path tag"},
		{"tools to call", "test \"x\" {\n  call = ‸\n}", "tool.get_order"},
		{"tools after a dot", "tool \"y\" {\n  step \"a\" {\n    call = tool.‸\n  }\n}", "get_order y"},
		{"arguments of the called tool", "test \"x\" {\n  call = tool.get_order\n  args = { ‸ }\n}", "id full"},
		{"arguments that are left", "tool \"y\" {\n  step \"a\" {\n    call = tool.get_order\n    args = {\n      id = 1\n      ‸\n    }\n  }\n}", "full -id"},
		{"outputs of steps", "tool \"y\" {\n  step \"a\" { call = tool.get_order }\n  step \"b\" {\n    call     = tool.get_order\n    for_each = step.‸\n  }\n}", "a b"},
		{"what a test knows", "test \"x\" {\n  call   = tool.get_order\n  expect = request.‸\n}", "method query json form"},
		{"words of a step", "tool \"y\" {\n  step \"a\" {\n    on_error = ‸\n  }\n}", "\"skip\" \"null\""},
		{"a label that may be left out", "tool \"x\" {\n  response \"‸\" {}\n}", "json xml csv"},
		{"paths into an answer", "tool \"x\" {\n  operation = api.gh[\"issues/list\"]\n  response {\n    fields = [\"‸\"]\n  }\n}", "items items[].title items[].parent.title"},
		{"paths below the root", "tool \"x\" {\n  operation = api.gh[\"issues/list\"]\n  response {\n    root   = \"items\"\n    fields = [\"‸\"]\n  }\n}", "title parent.title -items"},
		{"types of fields", "tool \"x\" {\n  response {\n    types = { A = ‸ }\n  }\n}", "integer number bool -string"},
		{"what is known of an answer", "tool \"x\" {\n  response {\n    error_when {\n      condition = response.‸\n    }\n  }\n}", "status headers body"},
		{"nothing in a text", "tool \"x\" {\n  title = \"‸\"\n}", ""},
		{"nothing in a comment", "tool \"x\" {\n  # ti‸\n}", ""},
		{"facts of a tool in a policy", "policy {\n  rule \"r\" {\n    when = tool.‸\n  }\n}", "name read_only -get_order"},
		{"what is known of a caller", "rate_limit \"r\" {\n  key = ‸\n}", "caller.client tool.name -tool.get_order"},
		{"nothing after a complete value", "tool \"x\" {\n  title = \"a\" ‸\n}", ""},
		{"nothing in an unknown block", "what \"x\" {\n  ‸\n}", ""},
		{"nothing in a heredoc", "tool \"x\" {\n  title = <<-EOT\n    va‸\n  EOT\n}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, offset := look(t, c.text)
			list, _ := v.Complete(offset)
			var got []string
			for _, x := range list {
				got = append(got, x.Label)
				if x.Start > offset || x.End != offset || x.Start < 0 {
					t.Errorf("%s replaces %d to %d, the cursor is at %d", x.Label, x.Start, x.End, offset)
				}
				if strings.Contains(fmt.Sprint(x), "hunter2") {
					t.Errorf("a secret is shown: %+v", x)
				}
			}
			if c.want == "" && len(got) > 0 {
				t.Errorf("got %q, want nothing", got)
			}
			for _, w := range strings.Fields(c.want) {
				not, no := strings.CutPrefix(w, "-")
				if no && slices.Contains(got, not) || !no && !slices.Contains(got, w) {
					t.Errorf("%s: got %q", w, got)
				}
			}
		})
	}
}

// What a completion inserts makes the text right.
func TestCompletionsFit(t *testing.T) {
	for _, c := range []struct{ text, label, want string }{
		{"tool \"x\" {\n  operation = api.gh[\"iss‸\n}", "issues/list", "tool \"x\" {\n  operation = api.gh[\"issues/list\"]\n}"},
		{"tool \"x\" {\n  operation = api.gh[\"iss‸\"]\n}", "issues/list", "tool \"x\" {\n  operation = api.gh[\"issues/list\"]\n}"},
		{"tool \"x\" {\n  operation = ‸\n}", `api.gh["issues/list"]`, "tool \"x\" {\n  operation = api.gh[\"issues/list\"]\n}"},
		{"tool \"x\" {\n  request \"GET\" \"/a/{‸}\" {}\n  input \"no\" {}\n}", "no", "tool \"x\" {\n  request \"GET\" \"/a/{no}\" {}\n  input \"no\" {}\n}"},
		{"tool \"x\" {\n  request \"GET\" \"/a/{‸\" {}\n  input \"no\" {}\n}", "no", "tool \"x\" {\n  request \"GET\" \"/a/{no}\" {}\n  input \"no\" {}\n}"},
		{"tool \"x\" {\n  tit‸le = \"a\"\n}", "title", "tool \"x\" {\n  titlele = \"a\"\n}"}, // what is right of the cursor stays, as editors do it
		{"tool \"x\" {\n  tit‸ = \"a\"\n}", "title", "tool \"x\" {\n  title = \"a\"\n}"},
		{"server \"a\" {\n  listen ‸\n}", "http", "server \"a\" {\n  listen \"http\"\n}"},
		{"tool \"x\" {\n  title = var.o‸\n}", "org", "tool \"x\" {\n  title = var.org\n}"},
		{"tool \"x\" {\n  title = o‸\n}", "var.org", "tool \"x\" {\n  title = var.org\n}"},
	} {
		v, offset := look(t, c.text)
		list, _ := v.Complete(offset)
		i := slices.IndexFunc(list, func(x Completion) bool { return x.Label == c.label })
		if i < 0 {
			t.Errorf("%q: %s is not offered", c.text, c.label)
			continue
		}
		x := list[i]
		if got := string(v.text[:x.Start]) + x.Insert + string(v.text[x.End:]); got != c.want {
			t.Errorf("%q, %s: got\n%s\nwant\n%s", c.text, c.label, got, c.want)
		}
	}
}

func TestMeaning(t *testing.T) {
	for _, c := range []struct{ name, text, doc, definition string }{
		{"a block", "to‸ol \"x\" {}", "A tool the model sees", ""},
		{"an attribute", "tool \"x\" {\n  ti‸tle = \"a\"\n}", "`title` = text", ""},
		{"a function", "tool \"x\" {\n  title = up‸per(\"a\")\n}", "`upper(text)`", ""},
		{"a type", "tool \"x\" {\n  input \"a\" {\n    type = enu‸m(\"a\")\n  }\n}", `enum("open", "closed")`, ""},
		{"a credential", "api \"x\" {\n  auth = bea‸rer(var.token)\n}", "bearer(token)", ""},
		{"an operation", "tool \"x\" {\n  operation = api.gh[\"issues/cr‸eate\"]\n}", "**POST** `/repos/{owner}/issues`\n\nCreate an issue", "gh.yaml:1:1"},
		{"an auth block", "api \"x\" {\n  auth = auth.log‸in\n}", "auth `login`", "around.hcl:27:7"},
		{"an auth block for a scheme", "api \"z\" {\n  openapi = \"gh.yaml\"\n  auth = { cookieAuth = auth.log‸in }\n}", "auth `login`", "around.hcl:27:7"},
		{"an identity", "policy {\n  rule \"a\" { when = caller.identity == \"peo‸ple\" }\n}", "identity `people`", "around.hcl:24:11"},
		{"a tool in a policy", "policy {\n  rule \"a\" { when = tool.name == \"get_or‸der\" }\n}", "tool `get_order`", "around.hcl:32:7"},
		{"a tool of a rule", "policy {\n  rule \"a\" {\n    tools = [\"get_or‸der\"]\n  }\n}", "tool `get_order`", "around.hcl:32:7"},
		{"an operation of expose", "api \"z\" {\n  openapi = \"gh.yaml\"\n  expose {\n    operations = [\"issues/l‸ist\"]\n  }\n}", "**GET** `/issues`", "gh.yaml:2:1"},
		{"a document", "api \"z\" {\n  openapi = \"g‸h.yaml\"\n}", "", "gh.yaml:1:1"},
		{"an api", "tool \"x\" {\n  operation = api.g‸h[\"issues/create\"]\n}", `openapi = `, "around.hcl:2:6"},
		{"a variable and its value", "tool \"x\" {\n  title = var.or‸g\n}", "variable `org`: `string` = `\"acme\"`", "around.hcl:4:11"},
		{"a sensitive variable", "api \"x\" {\n  auth = bearer(var.tok‸en)\n}", "(sensitive)\n\nFrom the vault", "around.hcl:8:11"},
		{"a value from the environment", "tool \"x\" {\n  title = var.si‸te\n}", "its value comes from outside of the spec", "around.hcl:16:11"},
		{"a default from the environment", "tool \"x\" {\n  title = var.reg‸ion\n}", "variable `region`", "around.hcl:13:11"},
		{"a local and its value", "tool \"x\" {\n  title = local.gr‸eet\n}", "= `\"hello acme\"`", "around.hcl:19:3"},
		{"a local with a secret", "tool \"x\" {\n  title = local.le‸ak\n}", "local `leak` = `upper(env(\"TOKEN\"))`", "around.hcl:20:3"},
		{"a local made of one", "tool \"x\" {\n  title = local.le‸aks\n}", "local `leaks`", "around.hcl:21:3"},
		{"a local made of a variable", "tool \"x\" {\n  title = local.he‸re\n}", "local `here`", "around.hcl:22:3"},
		{"an argument", "tool \"x\" {\n  input \"q\" { type = string }\n  request \"GET\" \"/\" {\n    query = { q = args.‸q }\n  }\n}", "input `q`: `string`, required", "text.hcl:2:10"},
		{"an argument in a path", "tool \"x\" {\n  input \"q\" { type = string }\n  request \"GET\" \"/{‸q}\" {}\n}", "input `q`", "text.hcl:2:10"},
		{"an input of an operation", "tool \"x\" {\n  operation = api.gh[\"issues/create\"]\n  input \"own‸er\" {}\n}", "input `owner`: `string`, required\n\nWho owns it", "gh.yaml:1:1"},
		{"a member of settings", "api \"x\" {\n  limit = { ra‸te = \"5/s\" }\n}", "`rate` = ", ""},
		{"a tool", "test \"x\" {\n  call = tool.get_or‸der\n}", "tool `get_order`", "around.hcl:32:7"},
		{"an output of a step", "tool \"y\" {\n  step \"a\" { call = tool.get_order }\n  output = step.‸a\n}", "the output of step `a`", "text.hcl:2:9"},
		{"what a phase knows", "api \"x\" {\n  expose {\n    name = \"${opera‸tion.id}\"\n  }\n}", "`operation`, known in the name", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, offset := look(t, c.text)
			m, ok := v.Meaning(offset)
			if !ok || !strings.Contains(m.Doc, c.doc) {
				t.Errorf("doc %q, want %q", m.Doc, c.doc)
			}
			got := m.Definition.String()
			if got = got[strings.LastIndexByte(got, filepath.Separator)+1:]; got != c.definition {
				t.Errorf("definition %q, want %q", got, c.definition)
			}
			if m.At.Start > offset || m.At.End < offset {
				t.Errorf("at %d to %d, the cursor is at %d", m.At.Start, m.At.End, offset)
			}
			if strings.Contains(m.Doc, "hunter2") {
				t.Errorf("a secret is shown: %s", m.Doc)
			}
		})
	}
	for _, text := range []string{"‸", "tool \"x\" {‸}", "tool \"x\" {\n  title = \"te‸xt\"\n}", "tool \"x\" {\n  title = 1‸2\n}", "what ‸{}", "tool \"x\" {\n  # ti‸tle\n}"} {
		v, offset := look(t, text)
		if m, ok := v.Meaning(offset); ok && !strings.Contains(text, "what") {
			t.Errorf("%q means %q", text, m.Doc)
		}
	}
}

func TestSymbols(t *testing.T) {
	v, _ := look(t, "server \"a\" {\n  title = \"b\"\n}\ntool \"x\" {\n  operation = api.gh[\"issues/list\"]\n  input \"q\" {}\n‸")
	var b strings.Builder
	var print func(list []Symbol, indent string)
	print = func(list []Symbol, indent string) {
		for _, s := range list {
			fmt.Fprintf(&b, "%s%s %s %q\n", indent, s.Name, s.Detail, v.text[s.At.Start:s.At.End])
			print(s.Children, indent+"  ")
		}
	}
	print(v.Symbols(), "")
	want := `server "a"  "a"
  title  "title"
tool "x" api.gh["issues/list"] "x"
  operation  "operation"
  input "q"  "q"
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// What a hint proposes removes the mistake it is a hint for.
func TestFixes(t *testing.T) {
	archives, _ := filepath.Glob("testdata/mistakes/*.txtar")
	fixed, hints := 0, 0
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		specsOf := map[string]map[string]string{}
		for _, f := range a.Files {
			name, file, _ := strings.Cut(f.Name, "/")
			if specsOf[name] == nil {
				specsOf[name] = map[string]string{}
			}
			if file != "want" {
				specsOf[name][file] = strings.TrimSuffix(string(f.Data), "\n")
			}
		}
		for name, files := range specsOf {
			_, before := parse(t, files, Options{})
			for _, d := range before {
				if strings.HasPrefix(d.Hint, "did you mean") {
					hints++
				}
				at, text, ok := d.Fix()
				if !ok || files[at.Source.Name] == "" {
					continue
				}
				fixed++
				changed := map[string]string{}
				for k, v := range files {
					changed[k] = v
				}
				old := files[at.Source.Name]
				changed[at.Source.Name] = old[:at.Start] + text + old[at.End:]
				_, after := parse(t, changed, Options{})
				if slices.ContainsFunc(after, func(x diag.Diagnostic) bool { return x.Message == d.Message && x.Range.Start == d.Range.Start }) {
					t.Errorf("%s/%s: %q is there still:\n%s", path, name, d.Message, changed[at.Source.Name])
				}
			}
		}
	}
	if fixed < 10 || fixed*10 < hints*8 {
		t.Errorf("%d of %d hints can be applied", fixed, hints)
	}
}

func FuzzView(f *testing.F) {
	f.Add(around, 100)
	f.Add("tool \"x\" {\n  operation = api.gh[\"iss\n", 31)
	f.Add("a = <<E\n${", 5)
	f.Add("tool \"x\" { request \"GET\" \"/{é}\" { query = { a = args[", 30)
	f.Add("}}}{{[(\"${%{\r\n = : , . \"", 3)
	spec := &Spec{}
	r := &specs.Reader{Getenv: func(string) string { return "" }, Stdin: strings.NewReader(around)}
	Parse(context.Background(), r, "-", Options{Spec: spec}, gh)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		v := NewView(spec, "text.hcl", []byte(text))
		list, _ := v.Complete(offset)
		for _, c := range list {
			if c.Start < 0 || c.Start > c.End || c.End > len(text) {
				t.Fatalf("%+v is out of the text", c)
			}
		}
		if m, ok := v.Meaning(offset); ok && (m.At.Start < 0 || m.At.Start > m.At.End || m.At.End > len(text)) {
			t.Fatalf("%+v is out of the text", m)
		}
		var check func(list []Symbol, start, end int)
		check = func(list []Symbol, start, end int) {
			for _, s := range list {
				if s.Range.Start < start || s.Range.End > end || s.At.Start < s.Range.Start || s.At.End > s.Range.End || s.At.Start > s.At.End {
					t.Fatalf("%+v in %d to %d", s, start, end)
				}
				check(s.Children, s.Range.Start, s.Range.End)
			}
		}
		check(v.Symbols(), 0, len(text))
	})
}

// A document whose schemas are made of themselves costs no time to look at.
func TestSchemasOfSchemas(t *testing.T) {
	self := specs.NewObject(specs.F("$ref", specs.NewString("#/$defs/S")))
	many := specs.NewArray()
	for range 500 {
		many.Fields = append(many.Fields, specs.Field{Value: self})
	}
	api := &specs.API{Schemas: map[string]*specs.Node{"S": specs.NewObject(specs.F("allOf", many), specs.F("properties", specs.NewObject(specs.F("a", self), specs.F("b", self)))), "L": specs.NewObject(specs.F("$ref", specs.NewString("#/$defs/L")))}}
	walk := newSchemas(api)
	list := walk.bodyFields(nil, self, "body", 0)
	if len(list) < 2 || walk.left > 0 {
		t.Errorf("%d fields, %d schemas left", len(list), walk.left)
	}
	if got := newSchemas(api).pathsInto(nil, specs.NewObject(specs.F("$ref", specs.NewString("#/$defs/L"))), "", 0); got != nil {
		t.Errorf("a reference to itself has %v", got)
	}
}
