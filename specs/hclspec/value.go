package hclspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// A bridge carries nodes into the functions of package function and back. An
// object that a function passes on comes back as the node it was, with its
// order and places; an object that a function makes has its keys sorted.
type bridge map[uintptr]*specs.Node

var errTooLarge = errors.New("the number is too large")

func (b bridge) value(n *specs.Node) (any, error) {
	switch n.Kind {
	case specs.Bool:
		return n.Text == "true", nil
	case specs.Number:
		if !function.InRange(n.Text) {
			return nil, errTooLarge
		}
		return json.Number(n.Text), nil
	case specs.String:
		return n.Text, nil
	case specs.Array:
		list := make([]any, len(n.Fields))
		for i, f := range n.Fields {
			var err error
			if list[i], err = b.value(f.Value); err != nil {
				return nil, err
			}
		}
		return list, nil
	case specs.Object:
		m := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			var err error
			if m[f.Key], err = b.value(f.Value); err != nil {
				return nil, err
			}
		}
		b[reflect.ValueOf(m).Pointer()] = n
		return m, nil
	}
	return nil, nil
}

func (b bridge) node(v any) *specs.Node {
	switch v := v.(type) {
	case bool:
		return specs.NewBool(v)
	case json.Number:
		return specs.NewNumber(string(v))
	case string:
		return specs.NewString(v)
	case []any:
		out := specs.NewArray()
		for _, e := range v {
			out.Fields = append(out.Fields, specs.Field{Value: b.node(e), KeyStart: -1})
		}
		return out
	case map[string]any:
		if n := b[reflect.ValueOf(v).Pointer()]; n != nil {
			return n
		}
		out := specs.NewObject()
		for k, e := range v {
			out.Fields = append(out.Fields, specs.F(k, b.node(e)))
		}
		slices.SortFunc(out.Fields, func(a, b specs.Field) int { return strings.Compare(a.Key, b.Key) })
		return out
	}
	return &specs.Node{}
}

// apply computes a function or operator.
func apply(name string, args []*specs.Node) (*specs.Node, error) {
	if name == "&&" || name == "||" {
		for _, a := range args {
			if b, err := truth(a); err != nil || b == (name == "||") {
				return specs.NewBool(b), err
			}
		}
		return specs.NewBool(name == "&&"), nil
	}
	f, ok := function.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("there is no function %q", name)
	}
	b := bridge{}
	values := make([]any, len(args))
	for i, a := range args {
		var err error
		if values[i], err = b.value(a); err != nil {
			return nil, err
		}
	}
	v, err := f.Call(values)
	if bad, ok := errors.AsType[*function.OperandError](err); ok {
		return nil, fmt.Errorf("%s is not %s", valueText(args[bad.At]), bad.Want)
	}
	if err != nil {
		return nil, err
	}
	if name == "jsondecode" {
		// The same value, with its keys in the order of the text.
		if n, bad := specs.ParseJSON(&diag.Source{Text: []byte(args[0].Text)}); bad == nil {
			return sourceless(n), nil
		}
	}
	return b.node(v), nil
}

// text is a value as text: numbers and booleans have one, null, lists and
// objects have none.
func text(v *specs.Node) (string, error) {
	switch v.Kind {
	case specs.String, specs.Number, specs.Bool:
		return v.Text, nil
	}
	return "", fmt.Errorf("%s cannot be part of a text", valueText(v))
}

// truth is a value as a condition. The texts "true" and "false" count.
func truth(v *specs.Node) (bool, error) {
	if v.Kind == specs.Bool || v.Kind == specs.String && (v.Text == "true" || v.Text == "false") {
		return v.Text == "true", nil
	}
	return false, fmt.Errorf("%s is not true or false", valueText(v))
}

// number is a value as a number. Text that is a number counts as one.
func number(v *specs.Node) (json.Number, error) {
	if v.Kind != specs.Number && (v.Kind != specs.String || !isNumber(v.Text)) {
		return "", fmt.Errorf("%s is not a number", valueText(v))
	}
	if !function.InRange(v.Text) {
		return "", errTooLarge
	}
	return json.Number(v.Text), nil
}

// isNumber reports whether s is a JSON number (RFC 8259).
func isNumber(s string) bool { return function.IsNumber(s) }

// canonicalNumber makes a JSON number of a number literal of HCL, which may
// have leading zeros.
func canonicalNumber(s string) (string, error) {
	rest, negative := strings.CutPrefix(s, "-")
	for len(rest) > 1 && rest[0] == '0' && rest[1] >= '0' && rest[1] <= '9' {
		rest = rest[1:]
	}
	if !isNumber(rest) {
		return "", errors.New(strconv.Quote(s) + " is no number")
	}
	if negative {
		rest = "-" + rest
	}
	return rest, nil
}

// equal compares values: numbers by value, objects without regard to order.
func equal(a, b *specs.Node) bool {
	v, err := apply("==", []*specs.Node{a, b})
	return err == nil && v.IsTrue()
}

// member is c[k].
func member(c, k *specs.Node) (*specs.Node, error) {
	switch {
	case c.Kind == specs.Array && k.Kind == specs.Number:
		i, err := strconv.Atoi(k.Text)
		if err != nil || i < 0 || i >= len(c.Fields) {
			return nil, fmt.Errorf("the list has no element %s: it has %d, counted from 0", k.Text, len(c.Fields))
		}
		return c.Fields[i].Value, nil
	case c.Kind == specs.Object && k.Kind != specs.Null && k.Kind < specs.Array:
		if v := c.Get(k.Text); v != nil {
			return v, nil
		}
		return nil, fmt.Errorf("the object has no member %q", k.Text)
	case c.Kind == specs.Array:
		return nil, fmt.Errorf("the elements of a list are counted, not named %s", valueText(k))
	}
	return nil, fmt.Errorf("%s has no members", valueText(c))
}

func keysOf(v *specs.Node) []string {
	var keys []string
	for _, f := range v.Fields {
		keys = append(keys, f.Key)
	}
	return keys
}

// sorted are the members of an object in the order of their keys.
func sorted(o *specs.Node) []specs.Field {
	f := slices.Clone(o.Fields)
	slices.SortStableFunc(f, func(a, b specs.Field) int { return strings.Compare(a.Key, b.Key) })
	return f
}
