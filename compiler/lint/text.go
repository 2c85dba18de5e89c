package lint

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// commands match texts that speak to a model rather than about an API. They are
// narrow on purpose: a finding has to be worth reading.
var commands = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(ignore|disregard|forget|override)\b.{0,30}\b(previous|prior|above|earlier|other|all)\b.{0,30}\b(instruction|prompt|rule|message|direction)s?\b`),
	regexp.MustCompile(`(?i)\b(do not|don't|never|without)\b.{0,20}\b(tell|inform|mention|reveal|show|notify|asking|telling|informing)\b.{0,20}\b(the )?user\b`),
	regexp.MustCompile(`(?i)\b(system prompt|developer message|hidden instruction|secret instruction)s?\b`),
	regexp.MustCompile(`(?i)</?(system|assistant|instructions?|important|user|tool_call|function_calls?)>`),
	regexp.MustCompile(`(?i)\byou (are|must|should) (now |always |first |also )?(an? (ai|assistant|language model)|call|invoke|use) (this|the|another) (tool|function)\b`),
	regexp.MustCompile(`(?i)\b(before|after|instead of) (using|calling|invoking) (this|any|other|the other) tools?\b.{0,40}\b(call|read|send|fetch|include)\b`),
	regexp.MustCompile(`(?i)\b(send|post|forward|upload|exfiltrate|include|pass)\b.{0,40}\b(api key|password|credential|conversation|chat history|ssh key|environment variable|\.env)s?\b.{0,20}\b(to|in|as)\b.{0,40}(https?://|parameter|argument)`),
}

// comment is text that a rendered page does not show.
var comment = regexp.MustCompile(`(?s)<!--.*?(-->|$)`)

// foreign reads the texts of a tool that came with a document: they reach the
// model with the server's authority, and nobody here wrote them.
func (c *checker) foreign(t *plan.Tool, at diag.Range) {
	if c.operation(t) == nil {
		return
	}
	found := texts(t)
	if w := c.tools[t.Name]; w != nil && w.Description != nil {
		found = slices.DeleteFunc(found, func(x placedText) bool { return x.text == t.Description }) // the author's
	}
	for _, x := range found {
		if what, around := invisible(x.text); what != "" {
			c.say("invisible-text", at, fmt.Sprintf("%s of tool %s holds %s", x.where, t.Name, what), "read "+around+" in the document; replace the text with one of your own")
			break
		}
	}
	for _, x := range found {
		for _, re := range commands {
			if m := re.FindString(x.text); m != "" {
				c.say("instructions", at, fmt.Sprintf("%s of tool %s speaks to the model: %q", x.where, t.Name, clip(m)), "replace it with a text of your own, or leave the tool out")
				return
			}
		}
	}
}

// placedText is a text a model reads, and where.
type placedText struct{ where, text string }

// texts are all texts of a tool, schemas included, in a fixed order.
func texts(t *plan.Tool) []placedText {
	list := []placedText{{"the title", t.Title}, {"the description", t.Description}}
	for _, s := range []plan.Schema{t.Input, t.Output} {
		var v any
		if s == "" || json.Unmarshal([]byte(s), &v) != nil {
			continue
		}
		list = append(list, schemaTexts(nil, v, "")...)
	}
	return list
}

func schemaTexts(list []placedText, v any, at string) []placedText {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if s, ok := v[k].(string); ok && (k == "description" || k == "title" || k == "const" || k == "$comment") {
				where := "the schema"
				if at != "" {
					where = fmt.Sprintf("the schema of %q", at)
				}
				list = append(list, placedText{where, s})
				continue
			}
			inner := at
			if !slices.Contains([]string{"properties", "items", "$defs", "anyOf", "oneOf", "allOf", "enum", "examples", "default"}, k) {
				inner = k
			}
			list = schemaTexts(list, v[k], inner)
		}
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				list = append(list, placedText{fmt.Sprintf("a value of %q", at), s})
				continue
			}
			list = schemaTexts(list, e, at)
		}
	}
	return list
}

// invisible names the first thing in a text that people do not see, and quotes
// what is around it.
func invisible(s string) (what, around string) {
	if m := comment.FindString(s); m != "" {
		return "an HTML comment", fmt.Sprintf("%q", clip(m))
	}
	for i, r := range s {
		switch {
		case r >= 0xE0000 && r <= 0xE007F:
			what = "tag characters, which spell hidden text"
		case r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 || r == 0x200E || r == 0x200F:
			what = "a control of writing direction"
		case r == 0x200B || r == 0x2060 || r == 0xFEFF || r == 0x180E || r == 0x00AD || r >= 0x2061 && r <= 0x2064:
			what = "characters without width"
		case r >= 0xFE00 && r <= 0xFE0F && strings.Count(s[i:], string(r)) > 8, r >= 0xE0100 && r <= 0xE01EF:
			what = "variation selectors, which can spell hidden text"
		case unicode.Is(unicode.Co, r):
			what = "characters of private use"
		}
		if what != "" {
			return fmt.Sprintf("%s (U+%04X)", what, r), fmt.Sprintf("around %+q", clip(s[max(0, i-20):]))
		}
	}
	return "", ""
}

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
