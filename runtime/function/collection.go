package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func contains(in []any) (any, error) {
	switch of := in[0].(type) {
	case []any:
		return slices.ContainsFunc(of, func(v any) bool { return Equal(v, in[1]) }), nil
	case string:
		s, err := textAt(in, 1)
		if err != nil {
			return nil, err
		}
		return strings.Contains(of, s), nil
	}
	return nil, &OperandError{0, "a list or text"}
}

func length(in []any) (any, error) {
	var n int
	switch v := in[0].(type) {
	case []any:
		n = len(v)
	case map[string]any:
		n = len(v)
	case string:
		n = utf8.RuneCountInString(v)
	default:
		return nil, &OperandError{0, "a list, an object or text"}
	}
	return json.Number(fmt.Sprint(n)), nil
}

func keys(in []any) (any, error) {
	m, err := objectAt(in, 0)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, k)
	}
	return list, nil
}

func values(in []any) (any, error) {
	m, err := objectAt(in, 0)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list, nil
}

func merge(in []any) (any, error) {
	out := map[string]any{}
	for i := range in {
		if in[i] == nil {
			continue
		}
		m, err := objectAt(in, i)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, m)
	}
	return out, nil
}

func lookup(in []any) (any, error) {
	m, err := objectAt(in, 0)
	if err != nil {
		return nil, err
	}
	k, err := textAt(in, 1)
	if err != nil {
		return nil, err
	}
	if v, ok := m[k]; ok {
		return v, nil
	}
	if len(in) == 3 {
		return in[2], nil
	}
	return nil, nil
}

func concat(in []any) (any, error) {
	out := []any{}
	for i := range in {
		l, err := listAt(in, i)
		if err != nil {
			return nil, err
		}
		out = append(out, l...)
	}
	return out, nil
}

func coalesce(in []any) (any, error) {
	for _, v := range in {
		if v != nil {
			return v, nil
		}
	}
	return nil, nil
}

// asList is the splat's view of a value: null is no element, what is no list is
// one.
func asList(in []any) (any, error) {
	switch v := in[0].(type) {
	case nil:
		return []any{}, nil
	case []any:
		return v, nil
	}
	return []any{in[0]}, nil
}

func zipmap(in []any) (any, error) {
	names, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	of, err := listAt(in, 1)
	if err != nil {
		return nil, err
	}
	if len(names) != len(of) {
		return nil, fmt.Errorf("there are %d keys and %d values", len(names), len(of))
	}
	out := make(map[string]any, len(names))
	for i, n := range names {
		k, ok := Text(n)
		if !ok {
			return nil, fmt.Errorf("key %d is %s, not text", i, Kind(n))
		}
		out[k] = of[i]
	}
	return out, nil
}

func flatten(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	out := []any{}
	var add func(list []any) error
	add = func(list []any) error {
		for _, v := range list {
			if inner, ok := v.([]any); ok {
				if err := add(inner); err != nil {
					return err
				}
				continue
			}
			if len(out) >= MaxElements {
				return errTooLarge
			}
			out = append(out, v)
		}
		return nil
	}
	return out, add(list)
}

// set collects values without duplicates, in order. Scalars are found by a
// text, so that hostile lists cost no quadratic time.
type set struct {
	list []any
	seen map[string]bool
}

// identity is equal for equal values.
func identity(v any) string {
	switch v := v.(type) {
	case string:
		return "s" + v
	case json.Number:
		return "n" + rat(v).RatString()
	case []any:
		var b strings.Builder
		for _, e := range v {
			id := identity(e)
			b.WriteString("l" + strconv.Itoa(len(id)) + ":" + id)
		}
		return b.String() + "]"
	case map[string]any:
		var b strings.Builder
		for _, k := range slices.Sorted(maps.Keys(v)) {
			id := identity(v[k])
			b.WriteString("o" + strconv.Itoa(len(k)) + ":" + k + strconv.Itoa(len(id)) + ":" + id)
		}
		return b.String() + "}"
	}
	return fmt.Sprint(v)
}

func newSet() *set { return &set{list: []any{}, seen: map[string]bool{}} }

func (s *set) add(v any) {
	if id := identity(v); !s.seen[id] {
		s.seen[id] = true
		s.list = append(s.list, v)
	}
}

func distinct(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	out := newSet()
	for _, v := range list {
		out.add(v)
	}
	return out.list, nil
}

func setUnion(in []any) (any, error) {
	out := newSet()
	for i := range in {
		list, err := listAt(in, i)
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			out.add(v)
		}
	}
	return out.list, nil
}

func setIntersection(in []any) (any, error) {
	first, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	for i := range in[1:] {
		list, err := listAt(in, i+1)
		if err != nil {
			return nil, err
		}
		first = keep(first, list, true)
	}
	return distinct([]any{first})
}

func setSubtract(in []any) (any, error) {
	first, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	without, err := listAt(in, 1)
	if err != nil {
		return nil, err
	}
	return distinct([]any{keep(first, without, false)})
}

// keep are the elements of list that are in other, or that are not.
func keep(list, other []any, in bool) []any {
	known := newSet()
	for _, v := range other {
		known.add(v)
	}
	out := []any{}
	for _, v := range list {
		if known.seen[identity(v)] == in {
			out = append(out, v)
		}
	}
	return out
}

func setProduct(in []any) (any, error) {
	out := []any{[]any{}}
	for i := range in {
		list, err := listAt(in, i)
		if err != nil {
			return nil, err
		}
		if len(list)*len(out) > MaxElements/len(in) {
			return nil, errTooLarge
		}
		var next []any
		for _, head := range out {
			for _, v := range list {
				next = append(next, append(slices.Clone(head.([]any)), v))
			}
		}
		out = next
	}
	if out == nil {
		out = []any{}
	}
	return out, nil
}

func compact(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append([]any{}, list...), func(v any) bool { return v == nil || v == "" }), nil
}

func reverse(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	out := append([]any{}, list...)
	slices.Reverse(out)
	return out, nil
}

func sortTexts(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(list))
	for i, v := range list {
		s, ok := Text(v)
		if !ok {
			return nil, fmt.Errorf("element %d is %s, not text", i, Kind(v))
		}
		out[i] = s
	}
	slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	return out, nil
}

func slice(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	from, err := wholeAt(in, 1)
	if err != nil {
		return nil, err
	}
	to, err := wholeAt(in, 2)
	if err != nil {
		return nil, err
	}
	if from < 0 || from > to || to > len(list) {
		return nil, fmt.Errorf("there is no part from %d to %d in a list of %d", from, to, len(list))
	}
	return list[from:to:to], nil
}

func element(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	i, err := wholeAt(in, 1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	i %= len(list)
	if i < 0 {
		i += len(list)
	}
	return list[i], nil
}

func indexOf(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(v any) bool { return Equal(v, in[1]) })
	if i < 0 {
		return nil, errors.New("the list does not have this element")
	}
	return json.Number(strconv.Itoa(i)), nil
}

func chunklist(in []any) (any, error) {
	list, err := listAt(in, 0)
	if err != nil {
		return nil, err
	}
	n, err := wholeAt(in, 1)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, errors.New("the size of a part is 1 or more")
	}
	out := []any{}
	for part := range slices.Chunk(list, n) {
		out = append(out, part)
	}
	return out, nil
}

func numberRange(in []any) (any, error) {
	var n [3]*big.Rat
	for i := range in {
		v, err := numberAt(in, i)
		if err != nil {
			return nil, err
		}
		n[i] = rat(v)
	}
	start, end, step := n[0], n[1], n[2]
	if len(in) == 1 {
		start, end = new(big.Rat), n[0]
	}
	up := start.Cmp(end) <= 0
	if step == nil {
		step = big.NewRat(1, 1)
		if !up {
			step.Neg(step)
		}
	}
	if step.Sign() == 0 || (step.Sign() > 0) != up && start.Cmp(end) != 0 {
		return nil, errors.New("the step does not lead to the end")
	}
	out := []any{}
	for at := start; at.Cmp(end) != 0 && (at.Cmp(end) < 0) == up; at = new(big.Rat).Add(at, step) {
		if len(out) >= MaxElements {
			return nil, errTooLarge
		}
		out = append(out, number(at))
	}
	return out, nil
}

func one(in []any) (any, error) {
	list, err := listAt(in, 0)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, nil
	case len(list) > 1:
		return nil, fmt.Errorf("the list has %d elements, not one", len(list))
	}
	return list[0], nil
}

// quantifier makes alltrue and anytrue. As in Terraform, null is false.
func quantifier(all bool) func([]any) (any, error) {
	return func(in []any) (any, error) {
		list, err := listAt(in, 0)
		if err != nil {
			return nil, err
		}
		for i, v := range list {
			b, ok := Truth(v)
			if !ok && v != nil {
				return nil, fmt.Errorf("element %d is %s, not true or false", i, Kind(v))
			}
			if b != all {
				return !all, nil
			}
		}
		return all, nil
	}
}

func coalesceList(in []any) (any, error) {
	for i, v := range in {
		if v == nil {
			continue
		}
		list, err := listAt(in, i)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return []any{}, nil
}
