package hclspec

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func TestReferenceIsCurrent(t *testing.T) {
	const path = "../LANGUAGE.md"
	if *update {
		writeFile(t, path, Reference())
	}
	if readFile(t, path) != Reference() {
		t.Error("specs/LANGUAGE.md is stale; run: go test ./specs/hclspec -update")
	}
}

// What the tables say must be whole: the reference and the hints are made of it.
func TestTablesAreComplete(t *testing.T) {
	names := map[string]bool{}
	var visit func(b *block)
	visit = func(b *block) {
		if b.name != "" && (b.doc == "" || b.example == "" || b.open == nil) {
			t.Errorf("block %s lacks doc, example or open", b.name)
		}
		if (b.label == "") != (b.labelDoc == "") {
			t.Errorf("block %s: label without explanation", b.name)
		}
		for _, a := range b.attrs {
			if a.doc == "" || a.set == nil || !strings.HasPrefix(a.example, a.name+" = ") {
				t.Errorf("attribute %s.%s lacks doc, setter or example", b.name, a.name)
			}
			if (b.child(a.name) != nil) != a.block {
				t.Errorf("%s.%s is both attribute and block", b.name, a.name)
			}
			names[a.name] = true
		}
		for _, c := range b.inner {
			visit(c)
		}
	}
	visit(language())
	unknown := map[string]bool{}
	for _, name := range function.Names() {
		unknown[name] = true
	}
	for _, f := range functionTable() {
		made, ok := function.Lookup(f.name)
		if f.doc == "" || f.group == "" || ok == (f.load != nil) || ok && f.examples == nil && !function.Late(f.name) {
			t.Errorf("function %s is incomplete", f.name)
		}
		if least, most := f.arity(); ok && (least != made.Min || most != made.Max) {
			t.Errorf("%s takes %d to %d arguments here, %d to %d in package function", f.name, least, most, made.Min, made.Max)
		}
		delete(unknown, f.name)
	}
	for name := range unknown {
		if hclsyntax.ValidIdentifier(name) && name != "neg" {
			t.Errorf("function %s is not in the table", name)
		}
	}
}

// Every example of the reference is a spec without mistakes.
func TestReferenceExamples(t *testing.T) {
	examples := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(Reference(), -1)
	if len(examples) < 10 {
		t.Fatalf("only %d examples", len(examples))
	}
	for _, e := range examples {
		text := e[1]
		for _, name := range []string{"erp_password", "org", "token"} {
			if strings.Contains(text, "var."+name) && !strings.Contains(text, `variable "`+name) {
				text += "\nvariable \"" + name + "\" { sensitive = true }\n"
			}
		}
		if formatted := string(hclwrite.Format([]byte(e[1]))); formatted != e[1] {
			t.Errorf("an example is not formatted; want\n%s", formatted)
		}
		files := map[string]string{"a.hcl": text}
		if strings.Contains(text, `"./shop"`) {
			files["shop/a.hcl"] = `variable "base_url" { type = string }
api "shop" { base_url = var.base_url }
`
		}
		_, list := parse(t, files, Options{})
		if len(list) > 0 {
			t.Errorf("%s\n%s", text, show(list))
		}
	}
}

// Every example of an attribute is accepted by its attribute.
func TestAttributeExamples(t *testing.T) {
	var visit func(b *block, outer string)
	visit = func(b *block, outer string) {
		for _, a := range b.attrs {
			p, sc := newTestParser(t), a.example
			file := p.parseNative(&diag.Source{Name: "x", Text: []byte(sc + "\n")})
			for _, at := range attributesOf(file.body) {
				s := &setting{name: p.rng(at.NameRange), rng: p.rng(at.Expr.Range())}
				p.decodeAttr(&a, b, at.Expr, s)
			}
			for _, d := range p.diags {
				if !strings.HasPrefix(d.Code, "unknown-variable") {
					t.Errorf("%s: %s: %s", b.name, a.example, d.Message)
				}
			}
		}
		for _, c := range b.inner {
			visit(c, b.name)
		}
	}
	visit(language(), "")
}

func newTestParser(t *testing.T) *parser {
	t.Helper()
	return newParser(t.Context(), &specs.Reader{}, Options{}, fakeLoad)
}

func TestFunctionExamples(t *testing.T) {
	for _, f := range functionTable() {
		for _, e := range f.examples {
			call, want, _ := strings.Cut(e, " → ")
			v, list := evalText(t, call)
			if list != nil || v.JSON() != want {
				t.Errorf("%s is %s, want %s %s", call, v.JSON(), want, show(list))
			}
		}
	}
}
