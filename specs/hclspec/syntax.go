package hclspec

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Limits on the text of a spec. The parser of HCL is recursive; these keep its
// stack, and ours, small whatever is fed to it.
const (
	maxBytes   = 8 << 20 // of one file
	maxNesting = 200     // brackets, parentheses, braces and template sequences
	maxChain   = 5000    // prefix operators, conditionals and template directives of one top-level block
	maxDepth   = 1000    // of an expression tree; 2 × maxNesting and chains like a+b+c…
	maxLines   = 5000    // of one <<EOT text: HCL needs time in the square of it
)

// unit is a text that HCL ranges refer to: a file, or the decoded text of one
// JSON string. HCL knows it by the number in Range.Filename.
type unit struct {
	source *diag.Source
	text   []byte
	places []int // of a JSON string: the offset in source of each byte of text, and of its end; nil: the same
}

// addUnit registers a text and returns the file name HCL shall use for it.
func (p *parser) addUnit(u unit) string {
	p.units = append(p.units, u)
	return strconv.Itoa(len(p.units) - 1)
}

// rng is the place of an HCL range.
func (p *parser) rng(r hcl.Range) diag.Range {
	i, err := strconv.Atoi(r.Filename)
	if err != nil || i >= len(p.units) {
		return diag.Range{}
	}
	u := &p.units[i]
	start := min(max(r.Start.Byte, 0), len(u.text))
	end := min(max(r.End.Byte, start), len(u.text))
	if u.places != nil {
		start, end = u.places[start], u.places[end]
	}
	return diag.Range{Source: u.source, Start: start, End: end}
}

// source is the text an HCL range covers.
func (p *parser) sourceText(r hcl.Range) []byte {
	i, err := strconv.Atoi(r.Filename)
	if err != nil || i >= len(p.units) {
		return nil
	}
	t := p.units[i].text
	start := min(max(r.Start.Byte, 0), len(t))
	return t[start:min(max(r.End.Byte, start), len(t))]
}

// file is one parsed text of a spec.
type file struct {
	body *hclsyntax.Body
	// broken holds the stretches of top-level blocks with syntax errors. What
	// is missing from such a block is no second mistake.
	broken []diag.Range
}

// blockStart finds the first line of a top-level block.
var blockStart = regexp.MustCompile(`(?m)^([A-Za-z_][\w-]*)[ \t]*(?:"([^"\n]*)"[ \t]*)?(?:"[^"\n]*"[ \t]*)*\{`)

// parseNative parses a text in HCL's native syntax. After a syntax error each
// top-level block is parsed on its own, so that a mistake in one does not lose
// the others.
func (p *parser) parseNative(s *diag.Source) *file {
	name := p.addUnit(unit{source: s, text: s.Text})
	if !p.checkText(s, name) {
		return nil
	}
	start := hcl.Pos{Line: 1, Column: 1}
	parsed, problems := hclsyntax.ParseConfig(s.Text, name, start)
	f := &file{body: parsed.Body.(*hclsyntax.Body)}
	if !problems.HasErrors() {
		return f
	}
	var cuts []int
	heads := blockStart.FindAllSubmatchIndex(s.Text, -1)
	for _, h := range heads {
		cuts = append(cuts, h[0])
	}
	if len(cuts) < 2 {
		for _, h := range heads {
			p.noteLost(s.Text, h, f.body)
		}
		f.broken = append(f.broken, diag.Range{Source: s, End: len(s.Text)})
		p.syntaxErrors(problems)
		return f
	}
	if cuts[0] != 0 {
		cuts = slices.Insert(cuts, 0, 0)
		heads = slices.Insert(heads, 0, nil)
	}
	cuts = append(cuts, len(s.Text))
	whole := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: f.body.SrcRange, EndRange: f.body.EndRange}
	for i := range cuts[1:] {
		at := hcl.Pos{Line: 1 + bytes.Count(s.Text[:cuts[i]], []byte("\n")), Column: 1, Byte: cuts[i]}
		part, problems := hclsyntax.ParseConfig(s.Text[cuts[i]:cuts[i+1]], name, at)
		body := part.Body.(*hclsyntax.Body)
		if problems.HasErrors() {
			f.broken = append(f.broken, diag.Range{Source: s, Start: cuts[i], End: cuts[i+1]})
			p.syntaxErrors(problems)
			if heads[i] != nil {
				p.noteLost(s.Text, heads[i], body)
			}
		}
		for k, a := range body.Attributes {
			whole.Attributes[k] = a
		}
		whole.Blocks = append(whole.Blocks, body.Blocks...)
	}
	f.body = whole
	return f
}

// noteLost remembers the name of a block that syntax errors took away, so that
// references to it are not reported as unknown.
func (p *parser) noteLost(text []byte, head []int, body *hclsyntax.Body) {
	if head[4] < 0 {
		return
	}
	kind, label := string(text[head[2]:head[3]]), string(text[head[4]:head[5]])
	for _, b := range body.Blocks {
		if b.Type == kind && len(b.Labels) > 0 && b.Labels[0] == label {
			return
		}
	}
	p.lost[kind+" "+label] = true
}

// checkText refuses what cannot be parsed safely.
func (p *parser) checkText(s *diag.Source, name string) bool {
	if len(s.Text) > maxBytes {
		p.add(diag.Diagnostic{Code: "too-large", Message: "the file is larger than 8 MB", Hint: "split it: all .hcl files of a directory are one spec", Range: diag.Range{Source: s}})
		return false
	}
	if !utf8.Valid(s.Text) {
		i := 0
		for i < len(s.Text) {
			r, n := utf8.DecodeRune(s.Text[i:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			i += n
		}
		p.add(diag.Diagnostic{Code: "not-utf8", Message: "the file is not UTF-8 text", Hint: "save the file as UTF-8", Range: diag.Range{Source: s, Start: i, End: min(i+1, len(s.Text))}})
		return false
	}
	if bytes.HasPrefix(s.Text, []byte("\xEF\xBB\xBF")) {
		p.add(diag.Diagnostic{Code: "not-utf8", Message: "the file begins with a byte order mark", Hint: "save the file as UTF-8 without BOM", Range: diag.Range{Source: s, End: 3}})
		return false
	}
	if !suspicious(s.Text) {
		return true
	}
	tokens, _ := hclsyntax.LexConfig(s.Text, name, hcl.Pos{Line: 1, Column: 1})
	return p.checkTokens(tokens)
}

// suspicious is a cheap look at the bytes; only when it says yes is the text
// split into tokens to know.
func suspicious(text []byte) bool {
	if bytes.Contains(text, []byte("<<")) && bytes.Count(text, []byte("\n")) > maxLines {
		return true
	}
	depth, run, chain := 0, 0, 0
	for i, c := range text {
		switch c {
		case '(', '[', '{':
			depth++
			if c == '{' && i > 0 && text[i-1] == '%' {
				chain++
			}
		case ')', ']', '}':
			depth = max(depth-1, 0)
		case '?', '*':
			chain++
		case '!', '-':
			run++
			if run > maxNesting {
				return true
			}
			continue
		case ' ', '\t':
			continue
		}
		run = 0
		if depth > maxNesting || chain > maxChain {
			return true
		}
	}
	return false
}

func (p *parser) checkTokens(tokens hclsyntax.Tokens) bool {
	depth, run, chain, lines := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenStringLit {
			if lines++; lines > maxLines {
				p.add(diag.Diagnostic{Code: "too-large", Message: fmt.Sprintf("the text has more than %d lines", maxLines), Hint: `put it into a file: file("name")`, Range: p.rng(t.Range)})
				return false
			}
			continue
		}
		lines = 0
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
			if t.Type == hclsyntax.TokenTemplateControl {
				chain++
			}
			run = 0
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth = max(depth-1, 0)
			if depth == 0 {
				chain = 0
			}
			run = 0
		case hclsyntax.TokenQuestion, hclsyntax.TokenStar:
			chain++
			run = 0
		case hclsyntax.TokenBang, hclsyntax.TokenMinus:
			run++
		default:
			run = 0
		}
		if depth > maxNesting || run > maxNesting || chain > maxChain {
			p.add(diag.Diagnostic{Code: "too-deep", Message: "the text is nested too deeply", Hint: "move parts of it to locals", Range: p.rng(t.Range)})
			return false
		}
	}
	return true
}

// syntaxErrors reports what HCL's parser found, in our words. A text that is
// not closed swallows what follows it, so later errors of the same stretch are
// dropped; of one line the first error is enough.
func (p *parser) syntaxErrors(list hcl.Diagnostics) {
	lastLine := -1
	slices.SortStableFunc(list, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return 0
		}
		return a.Subject.Start.Byte - b.Subject.Start.Byte
	})
	for _, d := range list {
		if d.Severity != hcl.DiagError {
			continue
		}
		out := diag.Diagnostic{Code: "syntax", Message: lowerFirst(strings.TrimSuffix(d.Summary, ".")), Hint: firstParagraph(d.Detail)}
		if w, ok := syntaxWords[d.Summary]; ok {
			out.Message, out.Hint = w.message, w.hint
		}
		if d.Subject == nil {
			p.add(out)
			continue
		}
		out.Range = p.rng(*d.Subject)
		if d.Subject.Start.Line == lastLine {
			continue
		}
		lastLine = d.Subject.Start.Line
		unclosed := false
		switch d.Summary {
		case "Attribute redefined":
			out.Code = "duplicate-attribute"
			out.Message = fmt.Sprintf("attribute %q is set twice", p.sourceText(*d.Subject))
			out.Hint = "keep one of the two"
		case "Invalid character":
			if bytes.HasPrefix(p.sourceText(*d.Subject), []byte("'")) {
				out.Message, out.Hint = "text is written in double quotes", `replace ' by "`
			}
		case "Argument or block definition required":
			if at := out.Range; at.End < len(at.Source.Text) && at.Source.Text[at.End] == ':' {
				out.Message, out.Hint = "an attribute is written with =", fmt.Sprintf("write %s = …", p.sourceText(*d.Subject))
			}
		case "Invalid string literal":
			if bytes.HasPrefix(p.sourceText(*d.Subject), []byte("${")) {
				p.interpolatedLabel(out.Range)
				continue
			}
		case "Invalid multi-line string", "Unterminated template string", "Unterminated string literal":
			unclosed = true
			line := lineOf(out.Range)
			if i := bytes.LastIndexByte(line.Source.Text[line.Start:line.End], '"'); i >= 0 {
				out.Range = diag.Range{Source: line.Source, Start: line.Start + i, End: line.End}
			}
		case "Extra characters in for marker":
			unclosed = true
		case "Unclosed template interpolation sequence":
			unclosed = true
			line := lineOf(out.Range)
			if i := bytes.Index(line.Source.Text[out.Range.Start:max(line.End, out.Range.Start)], []byte("${")); i >= 0 {
				out.Range = diag.Range{Source: line.Source, Start: out.Range.Start + i, End: line.End}
			}
		}
		p.add(out)
		if unclosed {
			return
		}
	}
}

// lineOf is the line a range begins on, without its end.
func lineOf(r diag.Range) diag.Range {
	t := r.Source.Text
	start := bytes.LastIndexByte(t[:r.Start], '\n') + 1
	end := len(t)
	if i := bytes.IndexByte(t[start:], '\n'); i >= 0 {
		end = start + i
	}
	return diag.Range{Source: r.Source, Start: start, End: end}
}

// interpolatedLabel reports ${…} in a label, which HCL does not allow; at is
// its beginning.
func (p *parser) interpolatedLabel(at diag.Range) {
	line := lineOf(at)
	text := line.Source.Text[at.Start:line.End]
	if i := bytes.IndexByte(text, '}'); i >= 0 {
		text = text[:i+1]
	}
	at.End = at.Start + len(text)
	if bytes.HasPrefix(bytes.TrimSpace(line.Source.Text[line.Start:at.Start]), []byte("request")) {
		p.interpolatedPath(string(text), at)
		return
	}
	p.add(diag.Diagnostic{Code: "syntax", Message: "a label is plain text", Hint: "write the name out", Range: at})
}

// syntaxWords says the commoner syntax errors the way this language speaks of
// its parts.
var syntaxWords = map[string]struct{ message, hint string }{
	"Invalid multi-line string":                       {"the text is not closed on its line", "add the closing quote; text of several lines is written <<-EOT … EOT"},
	"Unterminated template string":                    {"the text is not closed", `add the closing "`},
	"Unterminated string literal":                     {"the text is not closed", `add the closing "`},
	"Unclosed configuration block":                    {"the block is not closed", "add the closing }"},
	"Invalid single-argument block definition":        {"a block on one line holds one attribute", "put each attribute on a line of its own"},
	"Argument definition required":                    {"a block on one line holds one attribute and no blocks", "put each attribute and block on a line of its own"},
	"Argument or block definition required":           {"an attribute or a block is expected here", "attributes are written name = value, blocks name { … }"},
	"Invalid block definition":                        {"an attribute needs = and a value, a block { … }", "write name = value, or name { … }"},
	"Missing newline after argument":                  {"the line goes on after the value", "begin a new line after each attribute, and close what was opened"},
	"Missing newline after block definition":          {"the line goes on after the block", "begin a new line after the closing }"},
	"Unexpected comma after argument":                 {"attributes are not separated by commas", "begin a new line instead"},
	"Unclosed template interpolation sequence":        {"${ is not closed", "add the closing }; a literal ${ is written $${"},
	"Extra characters after interpolation expression": {"${…} holds something that is no expression", "a literal ${ is written $${"},
	"Extra characters in for marker":                  {"%{ for x in list } ends after the list", "for some of the elements write %{ for x in [for x in list : x if …] }"},
	"Missing item separator":                          {"a comma is missing between two elements of the list", "separate elements by commas"},
	"Missing attribute separator":                     {"a comma or a new line is missing between two members", "separate the members of an object by commas or new lines"},
	"Missing key/value separator":                     {"a member of an object needs a value", "write key = value"},
	"Invalid expression":                              {"a value is expected here", `values are text in double quotes, numbers, true, false, null, [lists], {objects}, references like var.name and function calls`},
	"Invalid argument name":                           {"attribute names are written without quotes", "remove the quotes"},
	"Unterminated tuple constructor expression":       {"the list is not closed", "add the closing ]"},
	"Unterminated object constructor expression":      {"the object is not closed", "add the closing }"},
	"Unterminated function call":                      {"the function call is not closed", "add the closing )"},
	"Unbalanced parentheses":                          {"the parenthesis is not closed", "add the closing )"},
	"Ambiguous attribute key":                         {"an object key that is computed needs parentheses", "write (var.name) = value, or quote a key that contains dots"},
	"Missing false expression in conditional":         {"a conditional needs both results", "write condition ? yes : no"},
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

func firstParagraph(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(lowerFirst(s), ".")
}

// literalText is the text of a literal part of a template exactly as the author
// wrote it. HCL hands out text in Unicode's composed form (NFC), which would
// change what is sent; val is that form, text the source.
func literalText(val string, text []byte) string {
	ascii := true
	for _, c := range text {
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii || cty.NormalizeString(string(text)) == string(text) {
		return val
	}
	// Trim markers and <<- remove white space from the source text; which of it
	// is found by trying.
	for _, s := range []string{unescape(string(text), true), unescape(string(text), false)} {
		for _, t := range []string{s, strings.TrimLeftFunc(s, unicode.IsSpace), strings.TrimRightFunc(s, unicode.IsSpace), strings.TrimSpace(s)} {
			for indent := range 80 {
				if c := outdent(t, indent); cty.NormalizeString(c) == val {
					return c
				}
			}
		}
	}
	return val
}

// outdent removes up to n white space characters from the start of each line.
func outdent(s string, n int) string {
	if n == 0 {
		return s
	}
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		k := 0
		for k < n && k < len(l) && (l[k] == ' ' || l[k] == '\t') {
			k++
		}
		lines[i] = l[k:]
	}
	return strings.Join(lines, "")
}

// unescape decodes the escapes of a literal: $${ and %%{, and backslashes in
// quoted text.
func unescape(s string, quoted bool) string {
	s = strings.NewReplacer("$${", "${", "%%{", "%{").Replace(s)
	if !quoted || !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := 0
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			b.WriteByte(s[i])
		}
		if digits > 0 && i+digits < len(s) {
			n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err == nil {
				b.WriteRune(rune(n))
			}
			i += digits
		}
	}
	return b.String()
}
