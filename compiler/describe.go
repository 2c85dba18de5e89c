package compiler

import (
	"strings"
	"unicode"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
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
	for _, o := range d.layers {
		if o.title != nil {
			t.Title = cleanText(o.title.Value)
		}
		if o.description != nil {
			t.Description = cleanText(o.description.Value)
		}
		setHints(&t.Hints, o.hints)
		t.Request.Repeat = t.Request.Repeat || repeatable(o.hints)
	}
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
