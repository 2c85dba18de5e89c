package hclspec

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"

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
	for _, f := range functionTable() {
		if f.doc == "" || f.group == "" || (f.eval == nil) == (f.load == nil) || f.eval != nil && f.examples == nil {
			t.Errorf("function %s is incomplete", f.name)
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
		_, list := parse(t, map[string]string{"a.hcl": text}, Options{})
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
	p := &parser{ctx: t.Context(), reader: &specs.Reader{}, doc: &specs.Document{}, language: language(), functions: map[string]*function{},
		variables: map[string]*variable{}, locals: map[string]*local{}, lost: map[string]bool{}, weights: map[*specs.Node]int{}, broken: map[any]bool{}, byHand: map[string]bool{}, unloaded: map[string]bool{}, toolNames: map[string]diag.Range{}, resources: map[string]diag.Range{}, promptNames: map[string]diag.Range{}, faulty: map[*specs.Tool]bool{}}
	for _, f := range functionTable() {
		p.functions[f.name] = f
	}
	return p
}

func TestFunctionExamples(t *testing.T) {
	for _, f := range functionTable() {
		for _, e := range f.examples {
			v, list := evalText(t, e[0])
			if list != nil || v.JSON() != e[1] {
				t.Errorf("%s is %s, want %s %v", e[0], v.JSON(), e[1], list)
			}
		}
	}
}
