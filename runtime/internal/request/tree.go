package request

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// tree is a JSON value with its members in order and its numbers as text.
type tree struct {
	kind  jsontext.Kind  // of JSON; 0 is no value at all
	text  string         // of a string, unescaped, or a number
	raw   jsontext.Value // the JSON text, where it is known and still right
	items []tree         // elements of an array, or values of an object's members
	keys  []string       // names of an object's members, beside items
}

func (t tree) absent() bool    { return t.kind == 0 || t.kind == 'n' }
func (t tree) container() bool { return t.kind == '{' || t.kind == '[' }

// scalar is the text of a value in a parameter: null is empty, and a nested
// list or object, for which no style has a notation, is its JSON.
func (t tree) scalar() string {
	switch t.kind {
	case '"', '0':
		return t.text
	case 't':
		return "true"
	case 'f':
		return "false"
	case '{', '[':
		return string(compact(t.appendJSON(nil)))
	}
	return ""
}

func (t tree) appendJSON(b []byte) []byte {
	if t.raw != nil {
		return append(b, t.raw...)
	}
	switch t.kind {
	case '"':
		b, _ = jsontext.AppendQuote(b, t.text)
		return b
	case '[':
		b = append(b, '[')
		for i, item := range t.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case '{':
		b = append(b, '{')
		for i, item := range t.items {
			if i > 0 {
				b = append(b, ',')
			}
			b, _ = jsontext.AppendQuote(b, t.keys[i])
			b = append(b, ':')
			b = item.appendJSON(b)
		}
		return append(b, '}')
	case 0, 'n':
		return append(b, "null"...)
	}
	return append(b, t.scalar()...)
}

// compact drops the white space of a JSON text; digits and escapes stay.
func compact(text []byte) []byte {
	v := jsontext.Value(slices.Clone(text))
	if err := v.Format(jsontext.PreserveRawStrings(true), jsontext.AllowDuplicateNames(true)); err != nil {
		panic("request: not JSON: " + err.Error()) // everything here went through args
	}
	return v
}

// parse reads a value that args.Decode has already accepted.
func parse(raw jsontext.Value) (tree, error) {
	return read(jsontext.NewDecoder(bytes.NewBuffer(raw)), raw)
}

func read(d *jsontext.Decoder, text []byte) (tree, error) {
	start := d.InputOffset()
	tok, err := d.ReadToken()
	if err != nil {
		return tree{}, err
	}
	t := tree{kind: tok.Kind()}
	switch t.kind {
	case '"', '0':
		t.text = tok.String()
	case '[':
		for d.PeekKind() != ']' {
			item, err := read(d, text)
			if err != nil {
				return tree{}, err
			}
			t.items = append(t.items, item)
		}
		if _, err := d.ReadToken(); err != nil {
			return tree{}, err
		}
	case '{':
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return tree{}, err
			}
			t.keys = append(t.keys, name.String())
			item, err := read(d, text)
			if err != nil {
				return tree{}, err
			}
			t.items = append(t.items, item)
		}
		if _, err := d.ReadToken(); err != nil {
			return tree{}, err
		}
	}
	end := d.InputOffset()
	t.raw = bytes.TrimLeft(text[start:end:end], " \t\r\n:,")
	return t, nil
}

// treeOf makes a tree of a decoded value; members are sorted by name.
func treeOf(v any) tree {
	switch v := v.(type) {
	case bool:
		if v {
			return tree{kind: 't'}
		}
		return tree{kind: 'f'}
	case string:
		return tree{kind: '"', text: v}
	case json.Number:
		return tree{kind: '0', text: string(v)}
	case []any:
		t := tree{kind: '[', items: make([]tree, len(v))}
		for i := range v {
			t.items[i] = treeOf(v[i])
		}
		return t
	case map[string]any:
		t := tree{kind: '{', keys: slices.Sorted(maps.Keys(v))}
		for _, k := range t.keys {
			t.items = append(t.items, treeOf(v[k]))
		}
		return t
	}
	return tree{kind: 'n'}
}

// call is what one Build works on.
type call struct {
	env   *expr.Env
	args  args.Args
	file  func(name string) ([]byte, error)
	trees map[string]tree // of arguments that were read already
}

// source is where a value comes from: an argument or an expression. Lists and
// objects that an expression spells out, arguments in them, their members and
// what merge makes of them keep their order; what other functions return is
// sorted by name.
type source struct {
	arg  string // "" for an expression
	eval func(*call) (tree, error)
	from string // for Explain
	expr *plan.Expr
}

func compileSource(arg string, value *plan.Expr) (source, error) {
	if value == nil {
		if arg == "" {
			return source{}, fmt.Errorf("neither an argument nor a value is named")
		}
		return source{arg: arg, from: "argument " + arg, eval: func(c *call) (tree, error) { return c.argument(arg) }}, nil
	}
	eval, err := compileTree(*value)
	if err != nil {
		return source{}, err
	}
	s := source{from: origin(*value), eval: eval, expr: value}
	if value.Op == plan.OpArg {
		s.arg = value.Name
	}
	return s, nil
}

func origin(e plan.Expr) string {
	switch e.Op {
	case plan.OpConst:
		return "fixed value"
	case plan.OpArg:
		return "argument " + e.Name
	}
	return "expression"
}

func (c *call) argument(name string) (tree, error) {
	v, ok := c.args.Values[name]
	if !ok {
		return tree{}, nil
	}
	switch v.(type) {
	case []any, map[string]any:
		if raw, ok := c.args.Raw[name]; ok {
			if t, ok := c.trees[name]; ok {
				return t, nil
			}
			t, err := parse(raw)
			if err != nil {
				return tree{}, &Refusal{Field: name, Message: fmt.Sprintf("%s is not valid JSON", name)}
			}
			if c.trees == nil {
				c.trees = map[string]tree{}
			}
			c.trees[name] = t
			return t, nil
		}
	}
	t := treeOf(v)
	t.raw = c.args.Raw[name]
	return t, nil
}

func compileTree(e plan.Expr) (func(*call) (tree, error), error) {
	switch e.Op {
	case plan.OpArg:
		return func(c *call) (tree, error) { return c.argument(e.Name) }, nil
	case plan.OpConst:
		if _, err := args.Value([]byte(e.Const)); err != nil {
			return nil, fmt.Errorf("constant %.40q: %w", e.Const, err)
		}
		t, err := parse(jsontext.Value(e.Const))
		if err != nil {
			return nil, err
		}
		return func(*call) (tree, error) { return t, nil }, nil
	case plan.OpList:
		sub, err := compileTrees(e.Args)
		if err != nil {
			return nil, err
		}
		return func(c *call) (tree, error) {
			items, err := evalAll(c, sub)
			return tree{kind: '[', items: items}, err
		}, nil
	case plan.OpObject:
		keys, values, ok := constantKeys(e)
		if !ok {
			break
		}
		sub, err := compileTrees(values)
		if err != nil {
			return nil, err
		}
		return func(c *call) (tree, error) {
			items, err := evalAll(c, sub)
			return tree{kind: '{', keys: keys, items: items}, err
		}, nil
	case plan.OpCond:
		if len(e.Args) != 3 {
			break
		}
		test, err := expr.Compile(plan.Expr{Op: plan.OpCond, Args: []plan.Expr{e.Args[0], {Op: plan.OpConst, Const: "true"}, {Op: plan.OpConst, Const: "false"}}})
		if err != nil {
			return nil, err
		}
		sub, err := compileTrees(e.Args[1:])
		if err != nil {
			return nil, err
		}
		return func(c *call) (tree, error) {
			yes, err := test(c.env)
			if err != nil {
				return tree{}, err
			}
			if yes == true {
				return sub[0](c)
			}
			return sub[1](c)
		}, nil
	}
	f, err := expr.Compile(e)
	if err != nil {
		return nil, err
	}
	sorted := func(c *call) (tree, error) {
		v, err := f(c.env)
		if err != nil {
			return tree{}, err
		}
		return treeOf(v), nil
	}
	if e.Op == plan.OpGet || e.Op == plan.OpCall && e.Name == "merge" {
		return compileOrdered(e, sorted)
	}
	return sorted, nil
}

// compileOrdered is compileTree for a member of an object and for merge. What
// is no object is left to sorted, which knows what to say of it.
func compileOrdered(e plan.Expr, sorted func(*call) (tree, error)) (func(*call) (tree, error), error) {
	sub, err := compileTrees(e.Args)
	if err != nil {
		return nil, err
	}
	return func(c *call) (tree, error) {
		from, err := evalAll(c, sub)
		if err != nil {
			return tree{}, err
		}
		from = slices.DeleteFunc(from, tree.absent)
		if slices.ContainsFunc(from, func(t tree) bool { return t.kind != '{' }) {
			return sorted(c)
		}
		if e.Op == plan.OpCall {
			return merged(from), nil
		}
		for _, t := range from {
			if i := slices.Index(t.keys, e.Name); i >= 0 {
				return t.items[i], nil
			}
		}
		return tree{kind: 'n'}, nil
	}, nil
}

// merged has the members of all objects. The first to have a member says where
// it stands, the last what it is.
func merged(objects []tree) tree {
	out := tree{kind: '{'}
	at := map[string]int{}
	for _, t := range objects {
		for i, key := range t.keys {
			j, ok := at[key]
			if !ok {
				j = len(out.keys)
				at[key] = j
				out.keys, out.items = append(out.keys, key), append(out.items, tree{})
			}
			out.items[j] = t.items[i]
		}
	}
	return out
}

func compileTrees(list []plan.Expr) ([]func(*call) (tree, error), error) {
	out := make([]func(*call) (tree, error), len(list))
	for i, e := range list {
		var err error
		if out[i], err = compileTree(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func evalAll(c *call, list []func(*call) (tree, error)) ([]tree, error) {
	items := make([]tree, len(list))
	for i, f := range list {
		var err error
		if items[i], err = f(c); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// constantKeys splits an object expression whose keys are all constant text
// and all different.
func constantKeys(e plan.Expr) (keys []string, values []plan.Expr, ok bool) {
	for i := 0; i+1 < len(e.Args); i += 2 {
		if e.Args[i].Op != plan.OpConst {
			return nil, nil, false
		}
		v, err := args.Value([]byte(e.Args[i].Const))
		key, text := v.(string)
		if err != nil || !text || slices.Contains(keys, key) {
			return nil, nil, false
		}
		keys = append(keys, key)
		values = append(values, e.Args[i+1])
	}
	return keys, values, len(e.Args)%2 == 0
}

// reshape renames members to their names on the wire, at any depth, where the
// shape knows another name. Order is kept, and what does not change keeps its
// text.
func reshape(t tree, shape *plan.Shape, n int, at string) (tree, error) {
	t, _, err := rename(t, shape, n, at)
	return t, err
}

func rename(t tree, shape *plan.Shape, n int, at string) (_ tree, changed bool, _ error) {
	node := shape.Node(n)
	if node == nil || !t.container() {
		return t, false, nil
	}
	out := tree{kind: t.kind, items: make([]tree, len(t.items)), keys: make([]string, len(t.keys))}
	for i, item := range t.items {
		below, path := node.Items, at
		if t.kind == '{' {
			key := t.keys[i]
			out.keys[i], below, path = key, node.Extra, join(at, key)
			if p := propOf(node, key); p != nil {
				out.keys[i], below = p.Wire, p.Node
			}
			changed = changed || out.keys[i] != key
		}
		sub, subChanged, err := rename(item, shape, below, path)
		if err != nil {
			return tree{}, false, err
		}
		out.items[i] = sub
		changed = changed || subChanged
	}
	if !changed {
		return t, false, nil
	}
	// Only a rename can make two members one.
	seen := make(map[string]bool, len(out.keys))
	for i, k := range out.keys {
		if seen[k] {
			return tree{}, false, refuse(join(at, t.keys[i]), "is sent as %q, and so is another field; give one of them", k)
		}
		seen[k] = true
	}
	return out, true, nil
}

func propOf(node *plan.ShapeNode, key string) *plan.ShapeProp {
	for i := range node.Props {
		if node.Props[i].Key == key {
			return &node.Props[i]
		}
	}
	return nil
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// Refusal says why arguments cannot be sent. It is meant for the caller of the
// tool.
type Refusal struct {
	Field   string // the argument, or a place in it as body.title; "" is none in particular
	Message string // one sentence that names the field and says what to do
}

func (r *Refusal) Error() string { return r.Message }

func refuse(field, format string, args ...any) *Refusal {
	name := field
	if name == "" {
		name = "the value"
	}
	return &Refusal{Field: field, Message: name + " " + fmt.Sprintf(format, args...)}
}

// excerpt shows the beginning of a text in a message.
func excerpt(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	b, _ := jsontext.AppendQuote(nil, s)
	return string(b)
}
