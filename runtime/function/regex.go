package function

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"sync"
	"unicode/utf8"
)

// patterns remembers compiled patterns: most are constants of a plan. Patterns
// are RE2, matched in linear time, so one from a caller can do no harm.
var patterns struct {
	sync.Mutex
	m     map[string]*regexp.Regexp
	sizes map[string]int
}

func patternOf(s string) (*regexp.Regexp, error) {
	patterns.Lock()
	defer patterns.Unlock()
	if re := patterns.m[s]; re != nil {
		return re, nil
	}
	if len(s) > 2000 {
		return nil, errors.New("the pattern is longer than 2000 bytes")
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, Quoting("the pattern is wrong: %s", err.Error())
	}
	if patterns.m == nil || len(patterns.m) >= 200 {
		patterns.m = map[string]*regexp.Regexp{}
	}
	patterns.m[s] = re
	return re, nil
}

// PatternSize is the number of steps of a pattern's program, which is what the
// time of a match grows with besides the text; 0 when it is no pattern.
func PatternSize(s string) int {
	if len(s) > 2000 {
		return 0
	}
	patterns.Lock()
	defer patterns.Unlock()
	if n, ok := patterns.sizes[s]; ok {
		return n
	}
	n := 0
	if re, err := syntax.Parse(s, syntax.Perl); err == nil {
		if prog, err := syntax.Compile(re.Simplify()); err == nil {
			n = len(prog.Inst)
		}
	}
	if patterns.sizes == nil || len(patterns.sizes) >= 200 {
		patterns.sizes = map[string]int{}
	}
	patterns.sizes[s] = n
	return n
}

func patternAndText(in []any, pattern, text int) (*regexp.Regexp, string, error) {
	p, err := textAt(in, pattern)
	if err != nil {
		return nil, "", err
	}
	s, err := textAt(in, text)
	if err != nil {
		return nil, "", err
	}
	re, err := patternOf(p)
	return re, s, err
}

// groups is the value of one match, as in Terraform: the text where the pattern
// has no groups, a list of groups, or an object when they have names.
func groups(re *regexp.Regexp, s string, at []int) any {
	group := func(i int) any {
		if at[2*i] < 0 {
			return nil
		}
		return s[at[2*i]:at[2*i+1]]
	}
	names := re.SubexpNames()
	if len(names) == 1 {
		return group(0)
	}
	list := make([]any, len(names)-1)
	named := map[string]any{}
	for i, name := range names[1:] {
		list[i] = group(i + 1)
		if name != "" {
			named[name] = list[i]
		}
	}
	if len(named) > 0 {
		return named
	}
	return list
}

func regex(in []any) (any, error) {
	re, s, err := patternAndText(in, 0, 1)
	if err != nil {
		return nil, err
	}
	at := re.FindStringSubmatchIndex(s)
	if at == nil {
		return nil, errors.New("the pattern does not match the text")
	}
	return groups(re, s, at), nil
}

func regexAll(in []any) (any, error) {
	re, s, err := patternAndText(in, 0, 1)
	if err != nil {
		return nil, err
	}
	out := []any{}
	all := re.FindAllStringSubmatchIndex(s, MaxElements+1)
	if len(all) > MaxElements {
		return nil, errTooLarge
	}
	for _, at := range all {
		out = append(out, groups(re, s, at))
	}
	return out, nil
}

func matches(in []any) (any, error) {
	re, s, err := patternAndText(in, 0, 1)
	if err != nil {
		return nil, err
	}
	return re.MatchString(s), nil
}

func regexReplace(in []any) (any, error) {
	re, s, err := patternAndText(in, 1, 0)
	if err != nil {
		return nil, err
	}
	with, err := textAt(in, 2)
	if err != nil {
		return nil, err
	}
	// A replacement can repeat the whole match many times.
	var out []byte
	last := 0
	for _, at := range re.FindAllStringSubmatchIndex(s, -1) {
		out = append(out, s[last:at[0]]...)
		out = re.ExpandString(out, with, s, at)
		last = at[1]
		if len(out) > MaxText {
			return nil, errTooLarge
		}
	}
	out = append(out, s[last:]...)
	if !utf8.Valid(out) {
		return nil, errors.New("the result is not UTF-8 text")
	}
	return string(out), nil
}
