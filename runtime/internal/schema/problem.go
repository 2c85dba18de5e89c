package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/mcpc-dev/mcpc/runtime/function"
)

// Problem is one thing that is wrong with a value.
type Problem struct {
	Path    string // of the field, as body.labels[2].name; "" is the root
	Message string // one sentence that names field, rule and what is allowed
}

const (
	maxProblems = 10
	maxFailures = 200 // that are put into words; hostile values have a hundred thousand
	maxValue    = 48  // bytes of a value that are repeated
	maxList     = 400 // bytes of a list of allowed values or names
	maxMessage  = 700
)

// reporter flattens the tree of what failed into sentences.
type reporter struct {
	value   any // the root
	schemas func() map[string]*jsonschema.Schema
	unsaid  int // problems that were counted only
}

// failure is one leaf of the tree: what failed where.
type failure struct {
	at     []string // path in the value
	kind   jsonschema.ErrorKind
	schema string // location
	note   string // added to the sentence
}

func (r *reporter) report(err *jsonschema.ValidationError) []Problem {
	failures := r.flatten(err)
	if n := len(failures) - maxFailures; n > 0 {
		// Which ones are said must not depend on the order of a map.
		slices.SortStableFunc(failures, func(a, b failure) int { return slices.Compare(a.at, b.at) })
		failures, r.unsaid = failures[:maxFailures], n
	}
	var problems []Problem
	for _, f := range failures {
		problems = append(problems, r.problems(f)...)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	problems = slices.Compact(problems)
	if more := len(problems) + r.unsaid - maxProblems; more > 0 {
		problems = append(problems[:min(len(problems), maxProblems)], Problem{Message: fmt.Sprintf("there are %d more problems", more)})
	}
	return problems
}

func (r *reporter) flatten(err *jsonschema.ValidationError) []failure {
	switch k := err.ErrorKind.(type) {
	case *kind.AnyOf:
		return r.closest(err)
	case *kind.OneOf:
		if len(k.Subschemas) == 0 {
			return r.closest(err)
		}
	case *kind.Contains, *kind.MinContains, *kind.PropertyNames, *kind.Not:
		// What is below says why each candidate failed, not what is wrong.
		return []failure{{at: err.InstanceLocation, kind: k, schema: err.SchemaURL}}
	}
	if len(err.Causes) == 0 {
		return []failure{{at: err.InstanceLocation, kind: err.ErrorKind, schema: err.SchemaURL}}
	}
	var all []failure
	for _, cause := range err.Causes {
		all = append(all, r.flatten(cause)...)
	}
	return all
}

// closest picks the alternative of an anyOf or oneOf that the value most
// likely was meant for: the one that fails deepest inside rather than by its
// type or by a constant, and then with the fewest failures.
func (r *reporter) closest(err *jsonschema.ValidationError) []failure {
	here := len(err.InstanceLocation)
	var best []failure
	bestScore := []int{}
	var merged []failure // every alternative's only failure, while each has one right here
	for i, cause := range err.Causes {
		branch := r.flatten(cause)
		score := []int{0, 0, len(branch)}
		for _, f := range branch {
			switch f.kind.(type) {
			case *kind.Type:
				if len(f.at) == here {
					score[0]++
				}
			case *kind.Const, *kind.Enum:
				if len(f.at) <= here+1 {
					score[1]++
				}
			}
		}
		if i == 0 || slices.Compare(score, bestScore) < 0 {
			best, bestScore = branch, score
		}
		if len(branch) == 1 && len(branch[0].at) == here && len(merged) == i {
			merged = append(merged, branch[0])
		}
	}
	if len(merged) == len(err.Causes) {
		if f, ok := merge(merged); ok {
			return []failure{f}
		}
	}
	if len(err.Causes) > 1 {
		best = slices.Clone(best)
		for i := range best {
			if best[i].note == "" {
				best[i].note = fmt.Sprintf(" (by the closest of the %d forms allowed for %s)", len(err.Causes), r.name(err.InstanceLocation))
			}
		}
	}
	return best
}

// merge says the failures of all alternatives as one, where these are lists of
// allowed types or of allowed values.
func merge(all []failure) (failure, bool) {
	var types []string
	var values []any
	out := all[0]
	for _, f := range all {
		switch k := f.kind.(type) {
		case *kind.Type:
			types = append(types, k.Want...)
			out.kind = &kind.Type{Got: k.Got, Want: types}
		case *kind.Enum:
			values = append(values, k.Want...)
			out.kind = &kind.Enum{Got: k.Got, Want: values}
		case *kind.Const:
			values = append(values, k.Want)
			out.kind = &kind.Enum{Got: k.Got, Want: values}
		default:
			return failure{}, false
		}
	}
	return out, types == nil || values == nil
}

// problems says one failure in words.
func (r *reporter) problems(f failure) []Problem {
	name := r.name(f.at)
	got := r.lookup(f.at)
	one := func(format string, args ...any) []Problem {
		return []Problem{{r.path(f.at), cut(name+" "+fmt.Sprintf(format, args...)+f.note, maxMessage)}}
	}
	switch k := f.kind.(type) {
	case *kind.Required:
		var out []Problem
		for _, missing := range k.Missing {
			at := append(slices.Clone(f.at), missing)
			out = append(out, Problem{r.path(at), cut(r.name(at)+" is required but missing"+f.note, maxMessage)})
		}
		return out
	case *kind.AdditionalProperties:
		return r.unknown(f, k.Properties)
	case *kind.FalseSchema:
		if parent, unevaluated := strings.CutSuffix(f.schema, "/unevaluatedProperties"); unevaluated && len(f.at) > 0 {
			return r.unknown(failure{at: f.at[:len(f.at)-1], schema: parent, note: f.note}, f.at[len(f.at)-1:])
		}
		return one("must not be given")
	case *kind.Type:
		return one("must be %s, not %s", typeNames(k.Want), describe(got))
	case *kind.Enum:
		return one("must be one of %s, not %s%s", valueList(k.Want), describe(got), suggestValue(got, k.Want))
	case *kind.Const:
		return one("must be %s, not %s", show(k.Want), describe(got))
	case *kind.Minimum:
		return one("must be at least %s, not %s", decimal(k.Want), show(got))
	case *kind.Maximum:
		return one("must be at most %s, not %s", decimal(k.Want), show(got))
	case *kind.ExclusiveMinimum:
		return one("must be more than %s, not %s", decimal(k.Want), show(got))
	case *kind.ExclusiveMaximum:
		return one("must be less than %s, not %s", decimal(k.Want), show(got))
	case *kind.MultipleOf:
		return one("must be a multiple of %s, not %s", decimal(k.Want), show(got))
	case *kind.MinLength:
		return one("must have at least %s, it has %d", count(k.Want, "character"), k.Got)
	case *kind.MaxLength:
		return one("must have at most %s, it has %d", count(k.Want, "character"), k.Got)
	case *kind.Pattern:
		return one("must match the pattern %s, which %s does not", cut(k.Want, 200), show(got))
	case *kind.Format:
		return one("must be %s, not %s", formatName(k.Want), show(got))
	case *kind.MinItems:
		return one("must have at least %s, it has %d", count(k.Want, "element"), k.Got)
	case *kind.MaxItems:
		return one("must have at most %s, it has %d", count(k.Want, "element"), k.Got)
	case *kind.UniqueItems:
		return one("must not hold the same element twice, but [%d] and [%d] are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return one("must have at least %s, it has %d", count(k.Want, "field"), k.Got)
	case *kind.MaxProperties:
		return one("must have at most %s, it has %d", count(k.Want, "field"), k.Got)
	case *kind.DependentRequired:
		return r.dependent(f, k.Prop, k.Missing)
	case *kind.Dependency:
		return r.dependent(f, k.Prop, k.Missing)
	case *kind.PropertyNames:
		return one("has a field whose name is not allowed: %q", cut(k.Property, maxValue))
	case *kind.Contains:
		return one("has no element of the kind that must be among them")
	case *kind.MinContains:
		return one("must hold at least %s of the required kind, it has %d", count(k.Want, "element"), len(k.Got))
	case *kind.MaxContains:
		return one("must hold at most %s of one kind, it has %d", count(k.Want, "element"), len(k.Got))
	case *kind.OneOf:
		return one("fits several of the allowed forms (number %d and %d) and must fit exactly one", k.Subschemas[0]+1, k.Subschemas[1]+1)
	case *kind.Not:
		return one("has a value that is excluded: %s", show(got))
	}
	return one("is not valid: %s", cut(f.kind.LocalizedString(message.NewPrinter(language.English)), 200))
}

// formatName says what a format is, with an example where that is shorter than
// the rule.
func formatName(s string) string {
	switch s {
	case "date":
		return "a date as 2026-01-31"
	case "date-time":
		return "a date and time as 2026-01-31T14:05:00Z"
	case "time":
		return "a time as 14:05:00Z"
	case "duration":
		return "a duration as P1DT12H"
	case "email", "idn-email":
		return "an e-mail address"
	case "uri", "iri":
		return "a URI with its scheme, as https://example.com/x"
	case "uuid":
		return "a UUID as 123e4567-e89b-12d3-a456-426614174000"
	case "ipv4":
		return "an IPv4 address"
	case "ipv6":
		return "an IPv6 address"
	case "hostname", "idn-hostname":
		return "a host name"
	}
	return "a " + s
}

func (r *reporter) dependent(f failure, given string, missing []string) []Problem {
	var out []Problem
	for _, name := range missing {
		at := append(slices.Clone(f.at), name)
		out = append(out, Problem{r.path(at), cut(fmt.Sprintf("%s is required when %q is given%s", r.name(at), cut(given, maxValue), f.note), maxMessage)})
	}
	return out
}

// unknown says that names are not fields of the object at f.
func (r *reporter) unknown(f failure, names []string) []Problem {
	known := map[string]bool{}
	fields(r.schemas()[f.schema], known, map[*jsonschema.Schema]bool{})
	given, _ := r.lookup(f.at).(map[string]any)
	var out []Problem
	names = slices.Sorted(slices.Values(names))
	if n := len(names) - maxFailures; n > 0 {
		names, r.unsaid = names[:maxFailures], r.unsaid+n
	}
	for _, name := range names {
		at := append(slices.Clone(f.at), name)
		s := fmt.Sprintf("%s is not a known field", r.name(at))
		if near := nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
			s += fmt.Sprintf("; did you mean %q?", near)
			if _, ok := given[near]; ok {
				s = fmt.Sprintf("%s is not a known field; %q is, and is given too", r.name(at), near)
			}
		} else if len(known) > 0 {
			s += "; known are " + list(slices.Sorted(maps.Keys(known)))
		} else {
			s += "; none are"
		}
		out = append(out, Problem{r.path(at), cut(s+f.note, maxMessage)})
	}
	return out
}

// fields collects the property names of the schemas that apply to the same
// object as s.
func fields(s *jsonschema.Schema, known map[string]bool, seen map[*jsonschema.Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	for name, p := range s.Properties {
		if p.Bool == nil || *p.Bool {
			known[name] = true
		}
	}
	same := slices.Concat([]*jsonschema.Schema{s.Ref, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf,
		slices.Collect(maps.Values(s.DependentSchemas)))
	for _, sub := range same {
		fields(sub, known, seen)
	}
}

// name is how a sentence speaks of a place.
func (r *reporter) name(at []string) string {
	if len(at) == 0 {
		return "the value"
	}
	return r.path(at)
}

func (r *reporter) path(at []string) string {
	var b strings.Builder
	v := r.value
	for _, step := range at {
		switch of := v.(type) {
		case []any:
			b.WriteString("[" + step + "]")
			v = nil
			if i, err := strconv.Atoi(step); err == nil && i < len(of) {
				v = of[i]
			}
			continue
		case map[string]any:
			v = of[step]
		}
		if plain(step) {
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		} else {
			b.WriteString("[" + show(step) + "]")
		}
	}
	return cut(b.String(), 200)
}

func plain(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool {
		return c != '_' && c != '-' && c != '$' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) < 0
}

func (r *reporter) lookup(at []string) any {
	v := r.value
	for _, step := range at {
		switch of := v.(type) {
		case map[string]any:
			v = of[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(of) {
				return nil
			}
			v = of[i]
		}
	}
	return v
}

func kindName(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

func typeNames(want []string) string {
	words := map[string]string{
		"null": "null", "boolean": "true or false", "number": "a number", "integer": "a whole number",
		"string": "a string", "array": "an array", "object": "an object",
	}
	var out []string
	for _, w := range want {
		if !slices.Contains(out, words[w]) {
			out = append(out, words[w])
		}
	}
	return strings.Join(out, " or ")
}

// describe says what a value is, and shows small ones.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return "the string " + show(v)
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return show(v)
}

func show(v any) string {
	if s, ok := v.(string); ok && len(s) > maxValue {
		v = cut(s, maxValue)
	}
	return cut(string(function.AppendJSON(nil, v)), 2*maxValue)
}

func valueList(values []any) string {
	var names []string
	for _, v := range values {
		if s := show(v); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return joined(names)
}

func list(names []string) string {
	var quoted []string
	for _, n := range names {
		quoted = append(quoted, show(n))
	}
	return joined(quoted)
}

func joined(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += ", "
		}
		if len(s)+len(n) > maxList {
			return s + fmt.Sprintf("… and %d more", len(names)-i)
		}
		s += n
	}
	return s
}

func suggestValue(got any, want []any) string {
	s, ok := got.(string)
	if !ok {
		return ""
	}
	var names []string
	for _, w := range want {
		if w, ok := w.(string); ok {
			names = append(names, w)
		}
	}
	if near := nearest(s, names); near != "" {
		return "; did you mean " + show(near) + "?"
	}
	return ""
}

func count(n int, of string) string {
	if n != 1 {
		of += "s"
	}
	return fmt.Sprintf("%d %s", n, of)
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return cut(r.Num().String(), maxValue)
	}
	places, _ := r.FloatPrec()
	return cut(r.FloatString(places), maxValue)
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// nearest is the name that takes the fewest edits (a character more, less or
// other, or two swapped), none when that is more than a third of the longer
// name. Case does not count.
func nearest(name string, known []string) string {
	best, bestCost := "", 0
	for _, k := range known {
		a, b := []rune(strings.ToLower(name)), []rune(strings.ToLower(k))
		if len(a) > 64 || len(b) > 64 {
			continue
		}
		var cost [65][65]int // of making b[:j] from a[:i]
		for i := range len(a) + 1 {
			for j := range len(b) + 1 {
				switch {
				case i == 0 || j == 0:
					cost[i][j] = i + j
				case a[i-1] == b[j-1]:
					cost[i][j] = cost[i-1][j-1]
				default:
					cost[i][j] = 1 + min(cost[i-1][j-1], cost[i-1][j], cost[i][j-1])
					if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
						cost[i][j] = min(cost[i][j], cost[i-2][j-2]+1)
					}
				}
			}
		}
		if c := cost[len(a)][len(b)]; c*3 <= max(len(a), len(b)) && (best == "" || c < bestCost) {
			best, bestCost = k, c
		}
	}
	return best
}
