package compiler

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// patterns checks regular expressions, once each. Documents write them for
// ECMAScript or PCRE; arguments are checked with Go's syntax (RE2), and answers
// by clients with ECMAScript's in Unicode mode.
type patterns struct {
	mu   sync.Mutex
	seen map[patternKey]patternResult
}

type patternKey struct {
	text string
	dir  direction
}

type patternResult struct {
	text   string
	ok     bool
	broken bool // not even Go's
}

// portable returns a pattern as it can be emitted, or false when it has no
// equivalent that every reader accepts.
func (p *patterns) portable(text string, dir direction) (string, bool) {
	k := patternKey{text, dir}
	p.mu.Lock()
	r, ok := p.seen[k]
	p.mu.Unlock()
	if ok {
		return r.text, r.ok
	}
	r.text = rewritePattern(text)
	_, err := regexp.Compile(r.text)
	r.broken = err != nil
	r.ok = err == nil && (dir == input || isECMAScript(r.text))
	p.mu.Lock()
	if p.seen == nil {
		p.seen = map[patternKey]patternResult{}
	}
	p.seen[k] = r
	p.mu.Unlock()
	return r.text, r.ok
}

// broken lists the patterns that cannot be compiled, as the author wrote them,
// sorted.
func (p *patterns) broken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for k, r := range p.seen {
		if r.broken {
			out = append(out, k.text)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compiles reports whether Go's regular expressions take a pattern as it is.
func (p *patterns) compiles(text string) bool {
	if t, ok := p.portable(text, input); ok && t == text {
		return true
	}
	_, err := syntax.Parse(text, syntax.Perl)
	if err == nil {
		_, err = regexp.Compile(text)
	}
	return err == nil
}

// rewritePattern writes the escapes of ECMAScript as Go wants them: \uXXXX is
// \x{XXXX}, and a useless escape such as \_ is the character.
func rewritePattern(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == 'u' && i+4 < len(s) && isHex(s[i+1:i+5]):
			b.WriteString(`\x{` + s[i+1:i+5] + `}`)
			i += 4
		case c == 'u' && i+1 < len(s) && s[i+1] == '{':
			b.WriteString(`\x`)
		case strings.IndexByte(`_@:;"'<>=!%&,~#`+"`", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte("0123456789abcdefABCDEF", s[i]) < 0 {
			return false
		}
	}
	return true
}

// isECMAScript reports whether a pattern surely means the same to ECMAScript in
// Unicode mode. It knows a common subset only; what it does not know it denies.
func isECMAScript(s string) bool {
	class, depth := false, 0
	quantifiable := false // something that *, + and ? may follow
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			if i == len(s) {
				return false
			}
			switch {
			case strings.IndexByte("dDwWsSnrtfv", s[i]) >= 0, strings.IndexByte(`^$\.*+?()[]{}|/`, s[i]) >= 0:
				quantifiable = true
			case s[i] == '-' && class:
			case (s[i] == 'b' || s[i] == 'B') && !class:
				quantifiable = false
			default:
				return false
			}
		case class:
			if c == '[' {
				return false // [[:alpha:]], or a warning sign
			}
			if c == ']' {
				class, quantifiable = false, true
			}
		case c == '[':
			class = true
			if i+1 < len(s) && s[i+1] == '^' {
				i++
			}
			if i+1 < len(s) && s[i+1] == ']' {
				return false // a literal ] here, the end there
			}
		case c == ']' || c == '}':
			return false
		case c == '{':
			end := strings.IndexByte(s[i:], '}')
			if !quantifiable || end < 0 || strings.Trim(s[i+1:i+end], "0123456789,") != "" || s[i+1] == ',' || end == 1 {
				return false
			}
			i += end
			quantifiable = false
			if i+1 < len(s) && s[i+1] == '?' {
				i++
			}
		case c == '*' || c == '+' || c == '?':
			if !quantifiable {
				return false
			}
			quantifiable = false
			if i+1 < len(s) && s[i+1] == '?' {
				i++
			}
		case c == '(':
			depth++
			quantifiable = false
			if strings.HasPrefix(s[i:], "(?:") {
				i += 2
			} else if strings.HasPrefix(s[i:], "(?") {
				return false
			}
		case c == ')':
			depth--
			quantifiable = true
		case c == '^' || c == '$' || c == '|':
			quantifiable = false
		default:
			quantifiable = true
		}
	}
	return !class && depth == 0
}
