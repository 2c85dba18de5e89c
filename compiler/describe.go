package compiler

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxDescription bounds the description of a tool, in bytes: some clients cut
// there, in the middle of a word.
const maxDescription = 1024

// maxTitle bounds a tool's title, in bytes.
const maxTitle = 120

// describe writes title, description and hints of a derived tool.
func (d *derived) describe(t *plan.Tool) {
	op := d.op
	t.Title = titleOf(op)
	t.Description = descriptionOf(op)
	overlaid := func(what string, at diag.Range) {
		if at.Source != nil && slices.Contains(d.overlays, at.Source) {
			d.set(t, what, "overlay", at)
		}
	}
	overlaid("title", op.SummaryAt)
	overlaid("description", op.SummaryAt)
	overlaid("description", op.DescriptionAt)
	for _, o := range d.layers {
		if o.title != nil {
			t.Title = cleanText(o.title.Value)
			d.set(t, "title", o.by, o.title.Range)
		}
		if o.description != nil {
			t.Description = cleanText(o.description.Value)
			d.set(t, "description", o.by, o.description.Range)
		}
		if o.deprecated != nil {
			t.Deprecated = oneLine(o.deprecated.Value)
			d.set(t, "deprecated", o.by, o.deprecated.Range)
		}
		setHints(&t.Hints, o.hints)
		for _, h := range []struct {
			name string
			flag *specs.Flag
		}{{"read_only", o.hints.ReadOnly}, {"destructive", o.hints.Destructive}, {"idempotent", o.hints.Idempotent}, {"open_world", o.hints.OpenWorld}} {
			if h.flag != nil {
				d.set(t, h.name, o.by, h.flag.Range)
			}
		}
		t.Request.Repeat = t.Request.Repeat || repeatable(o.hints)
	}
	sayDeprecated(t)
}

// set records who set something; the last one counts.
func (d *derived) set(t *plan.Tool, what, by string, at diag.Range) {
	if at.IsZero() {
		return
	}
	n := plan.Setting{What: what, By: by, Place: at.String()}
	if i := slices.IndexFunc(t.Origin.Settings, func(s plan.Setting) bool { return s.What == what }); i >= 0 {
		t.Origin.Settings[i] = n
		return
	}
	t.Origin.Settings = append(t.Origin.Settings, n)
}

// sayDeprecated tells the model that a tool will go, and what to use.
func sayDeprecated(t *plan.Tool) {
	if t.Deprecated == "" {
		return
	}
	rest := strings.TrimPrefix(t.Description, "Deprecated. ")
	t.Description = clip("Deprecated: "+strings.TrimRight(t.Deprecated, ".")+".\n\n"+rest, maxDescription)
}

func titleOf(op *specs.Operation) string {
	if s := oneLine(op.Summary); s != "" {
		return clip(strings.TrimSuffix(s, "."), maxTitle)
	}
	if op.ID == op.Method+" "+op.Path {
		return clip(op.ID, maxTitle)
	}
	return clip(humanized(op.ID), maxTitle)
}

func descriptionOf(op *specs.Operation) string {
	summary, desc := oneLine(op.Summary), cleanText(op.Description)
	text := summary
	switch plain := strings.TrimRight(desc, ". \n"); {
	case desc == "":
	case summary == "" || strings.HasPrefix(desc, strings.TrimSuffix(summary, ".")):
		text = desc
	case strings.EqualFold(plain, strings.TrimRight(summary, ". ")):
	default:
		text = summary + "\n\n" + desc
	}
	if text == "" {
		text = op.Method + " " + op.Path
	}
	if op.Deprecated && !strings.HasPrefix(strings.ToLower(text), "deprecated") {
		text = "Deprecated. " + text
	}
	return clip(text, maxDescription)
}

func oneLine(s string) string { return strings.Join(strings.Fields(cleanText(s)), " ") }

// humanized writes an identifier as words: "issues/createComment" is "Issues
// create comment".
func humanized(id string) string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			w := string(word)
			if len(words) > 0 && len(word) > 1 && !unicode.IsUpper(word[1]) {
				w = strings.ToLower(w)
			}
			words = append(words, w)
			word = nil
		}
	}
	runes := []rune(cleanText(id))
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			flush()
		}
		word = append(word, r)
	}
	flush()
	if len(words) == 0 {
		return id
	}
	first := []rune(words[0])
	first[0] = unicode.ToUpper(first[0])
	words[0] = string(first)
	return strings.Join(words, " ")
}
