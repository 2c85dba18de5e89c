package hclspec

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed reference.md
var referenceText string

// Reference is the language reference, specs/LANGUAGE.md: the prose of
// reference.md with the tables of this package in it.
func Reference() string {
	return strings.NewReplacer(
		"{{blocks}}\n", referenceBlocks(),
		"{{functions}}\n", referenceFunctions(),
		"{{codes}}\n", referenceCodes(),
		"{{formats}}", "`"+strings.Join(formats, "` `")+"`",
	).Replace(referenceText)
}

func referenceBlocks() string {
	var b strings.Builder
	for _, c := range language().inner {
		writeBlock(&b, c, "", 3)
	}
	return b.String()
}

func writeBlock(b *strings.Builder, c *block, inside string, level int) {
	title := c.name
	for _, l := range []string{c.label, c.second} {
		if l != "" {
			title += fmt.Sprintf(" %q", strings.ToUpper(l))
		}
	}
	fmt.Fprintf(b, "%s `%s`", strings.Repeat("#", level), title)
	if inside != "" {
		fmt.Fprintf(b, " in `%s`", inside)
	}
	fmt.Fprintf(b, "\n\n%s\n", c.doc)
	if c.labelDoc != "" {
		what := strings.ToUpper(c.label)
		if c.second != "" {
			what += ", " + strings.ToUpper(c.second)
		}
		fmt.Fprintf(b, "\n%s: %s.\n", what, c.labelDoc)
	}
	fmt.Fprintf(b, "\n```hcl\n%s\n```\n", c.example)
	if len(c.attrs) > 0 {
		b.WriteString("\n| attribute | takes | phase | default | meaning | example |\n|---|---|---|---|---|---|\n")
		for _, a := range c.attrs {
			standard := a.standard
			if a.required {
				standard = "required"
			}
			doc := a.doc
			if a.words != nil {
				doc += ": `" + strings.Join(a.words, "` `") + "`"
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | `%s` |\n", a.name, a.kind, a.phase, standard, cell(doc), cell(a.example))
			for _, m := range a.members {
				writeMember(b, a.name, &m)
			}
		}
	}
	if codes := codesOf(c); len(codes) > 0 {
		fmt.Fprintf(b, "\nMistakes: `%s`.\n", strings.Join(codes, "` `"))
	}
	if len(c.inner) > 0 {
		var names []string
		for _, i := range c.inner {
			times := ""
			switch {
			case i.once && sharedWithTool(c, i):
				times = " (once, as in `tool`)"
			case i.once:
				times = " (once)"
			case sharedWithTool(c, i):
				times = " (as in `tool`)"
			}
			names = append(names, "`"+i.name+"`"+times)
		}
		fmt.Fprintf(b, "\nBlocks inside: %s.\n", strings.Join(names, ", "))
	}
	b.WriteString("\n")
	for _, i := range c.inner {
		if c.name != "env" && !sharedWithTool(c, i) {
			writeBlock(b, i, c.name, level+1)
		}
	}
}

// sharedWithTool tells whether block i in c is what it is in tool, where the
// reference describes it.
func sharedWithTool(c, i *block) bool {
	return c.name != "tool" && slices.Contains([]string{"input", "request", "response", "validation"}, i.name) && c.name != "variable"
}

// writeMember writes the row of a member of settings.
func writeMember(b *strings.Builder, of string, a *attr) {
	standard, doc := a.standard, a.doc
	if a.required {
		standard = "required"
	}
	if a.words != nil {
		doc += ": `" + strings.Join(a.words, "` `") + "`"
	}
	fmt.Fprintf(b, "| `%s.%s` | %s | %s | %s | %s | `%s` |\n", of, a.name, a.kind, a.phase, standard, cell(doc), cell(a.example))
}

// codesOf are the codes of the mistakes that the table of a block says by itself.
func codesOf(c *block) []string {
	var out []string
	add := func(yes bool, codes ...string) {
		for _, code := range codes {
			if yes && !slices.Contains(out, code) {
				out = append(out, code)
			}
		}
	}
	add(c.label != "", "missing-label", "extra-label")
	add(c.labels != nil, "unknown-label")
	add(c.once, "duplicate-block")
	add(c.free == nil, "unknown-attribute")
	for _, a := range c.attrs {
		add(a.required, "missing-attribute")
		add(a.phase != callPhase && a.kind != laterKind || !a.phase.secretsAllowed(), "sensitive-value")
		switch a.kind {
		case durationKind:
			add(true, "invalid-duration")
		case sizeKind:
			add(true, "invalid-size")
		case typeKind:
			add(true, "unknown-type")
		case credentialKind:
			add(true, "unknown-credential")
		case operationKind, apiKind, toolKind, storeKind:
			add(true, "invalid-reference")
		case statusesKind:
			add(true, "invalid-value", "wrong-type")
		case exprKind, laterKind:
		default:
			add(true, "wrong-type")
		}
		add(a.words != nil, "unknown-value")
		add(a.check != nil, "invalid-value")
	}
	slices.Sort(out)
	return out
}

// cell is text inside a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func referenceFunctions() string {
	var b strings.Builder
	group := ""
	for _, f := range functionTable() {
		if f.group != group {
			group = f.group
			fmt.Fprintf(&b, "\n**%s**\n\n| function | gives | example |\n|---|---|---|\n", group)
		}
		var examples []string
		for _, e := range f.examples {
			call, value, _ := strings.Cut(e, " → ")
			examples = append(examples, fmt.Sprintf("`%s` → `%s`", cell(call), cell(value)))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.form(), cell(f.doc), strings.Join(examples, "<br>"))
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func referenceCodes() string {
	var b strings.Builder
	b.WriteString("| code | meaning |\n|---|---|\n")
	for _, c := range Codes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.Word, cell(c.Meaning))
	}
	return b.String()
}
